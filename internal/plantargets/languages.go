package plantargets

import (
	"fmt"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// languages are programs that set the options of their own sockets, and client
// libraries and programs that are told on a command line.
func languages() []Target {
	return []Target{
		{Name: "libpq", Aliases: []string{"psql"}, Title: "libpq, a connection string of PostgreSQL clients", comment: "#", render: libpq},
		{Name: "curl", Title: "curl 8.9 and later", comment: "#", render: curl},
		{Name: "c", Title: "C", comment: "//", render: c},
		{Name: "go", Aliases: []string{"golang"}, Title: "Go 1.23 and later", comment: "//", render: golang},
		{Name: "java", Title: "Java 11 and later, on Linux", comment: "//", render: java},
		{Name: "node", Aliases: []string{"nodejs", "javascript"}, Title: "Node.js", comment: "//", render: node},
		{Name: "python", Title: "Python 3", comment: "#", render: python},
		{Name: "dotnet", Aliases: []string{"csharp"}, Title: ".NET Core 3.0 and later", comment: "//", noTimeout: ".NET", form: `
# Seconds. For HttpClient in SocketsHttpHandler.ConnectCallback.
socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, {intvl});
socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, {probes});
socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, {time});
`},
		{Name: "erlang", Aliases: []string{"elixir", "otp", "gen-tcp"}, Title: "Erlang and Elixir, on Linux", comment: "%", form: `
# Options of TCP by Linux's numbers, in the order of the list.
inet:setopts(Socket, [
    {raw, 6, 5, <<{intvl}:32/native>>},  % TCP_KEEPINTVL, seconds
    {raw, 6, 6, <<{probes}:32/native>>},  % TCP_KEEPCNT
    {raw, 6, 18, <<{uto_ms}:32/native>>},  % TCP_USER_TIMEOUT, milliseconds
    {keepalive, true},
    {raw, 6, 4, <<{time}:32/native>>}]).  % TCP_KEEPIDLE
`},
		{Name: "netty", Title: "Netty, on Java 11 and later", comment: "//", noTimeout: "Its NIO transport", form: `
# jdk.net.ExtendedSocketOptions; seconds. The transport epoll has options of its own:
# EpollChannelOption.TCP_KEEPIDLE and so on, and TCP_USER_TIMEOUT.
bootstrap.option(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL), {intvl})
    .option(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPCOUNT), {probes})
    .option(ChannelOption.SO_KEEPALIVE, true)
    .option(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE), {time});
`},
		{Name: "ruby", Aliases: []string{"redis-rb"}, Title: "Ruby", comment: "#", form: `
require "socket"

def set_keepalive(socket)
  socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_KEEPINTVL, {intvl})
  socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_KEEPCNT, {probes})
  socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_USER_TIMEOUT, {uto_ms}) # milliseconds
  socket.setsockopt(Socket::SOL_SOCKET, Socket::SO_KEEPALIVE, true)
  socket.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_KEEPIDLE, {time})
end
`},
		{Name: "php", Aliases: []string{"phpredis", "laravel"}, Title: "PHP, extension sockets, on Linux", comment: "//", form: `
# Options of TCP by Linux's numbers. phpredis and Laravel's Redis can only switch it on, by
# Redis::OPT_TCP_KEEPALIVE, with the times of the sysctls; so can mysqlnd, which always does.
function set_keepalive(Socket $socket): void {
    socket_set_option($socket, SOL_TCP, 5, {intvl}); // TCP_KEEPINTVL
    socket_set_option($socket, SOL_TCP, 6, {probes}); // TCP_KEEPCNT
    socket_set_option($socket, SOL_TCP, 18, {uto_ms}); // TCP_USER_TIMEOUT, milliseconds
    socket_set_option($socket, SOL_SOCKET, SO_KEEPALIVE, 1);
    socket_set_option($socket, SOL_TCP, 4, {time}); // TCP_KEEPIDLE
}
`},
		{Name: "grpc", Aliases: []string{"grpc-go", "grpc-java"}, Title: "gRPC, pings of its own", comment: "#", data: true, form: `
# Channel arguments, milliseconds. A ping is data to everything on the path.
grpc.keepalive_time_ms={interval_ms}
grpc.keepalive_timeout_ms={timeout_ms}
grpc.keepalive_permit_without_calls=1
grpc.http2.max_pings_without_data=0
# A server ends clients that ping more often than it allows, every 300 s by default and
# without calls every 2 h. Let it, by grpc.http2.min_ping_interval_without_data_ms={interval_ms} and
# grpc.keepalive_permit_without_calls=1 there.
# Go: keepalive.ClientParameters{Time: {interval} * time.Second, Timeout: {timeout} * time.Second,
# PermitWithoutStream: true}, and keepalive.EnforcementPolicy{MinTime: ...} on the server.
`},
		{Name: "rust", Aliases: []string{"socket2"}, Title: "Rust, crate socket2 with its feature all", comment: "//", render: rust},
	}
}

func libpq(t *text, v Values) {
	t.note("Seconds, and milliseconds in tcp_user_timeout; in a URI each is a parameter.")
	timeout := ""
	if v.TCP.UserTimeout > 0 {
		timeout = fmt.Sprintf(" tcp_user_timeout=%d", v.TCP.UserTimeout.Milliseconds())
	}
	t.line("keepalives=1 keepalives_idle=%d keepalives_interval=%d keepalives_count=%d%s",
		seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes, timeout)
}

func curl(t *text, v Values) {
	count := v.TCP.Probes
	n := largest(v, func(n time.Duration) keepalive.Settings {
		return keepalive.Settings{Time: n, Intvl: n, Probes: count}
	})
	if n == 0 {
		t.note("curl cannot do it: its one number is both the time and the interval, and none meets\nthe goal.")
		return
	}
	t.note("One number is both the time and the interval: this is the largest that meets the\ngoal. --keepalive-cnt came with curl 8.9; before, the sysctl counts.")
	t.line("curl --keepalive-time %d --keepalive-cnt %d URL", seconds(n), count)
	t.noUserTimeout(v, "curl")
}

func c(t *text, v Values) {
	t.line("#include <netinet/in.h>\n#include <netinet/tcp.h>\n#include <sys/socket.h>\n")
	t.line("static int set_keepalive(int fd) {\n\tint on = 1, idle = %d, intvl = %d, cnt = %d; // seconds", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	if v.TCP.UserTimeout > 0 {
		t.line("\tunsigned int timeout = %d; // milliseconds", v.TCP.UserTimeout.Milliseconds())
	}
	set := func(level, name, variable, end string) {
		t.line("\t    setsockopt(fd, %s, %s, &%s, sizeof %s)%s", level, name, variable, variable, end)
	}
	t.line("\treturn")
	set("IPPROTO_TCP", "TCP_KEEPINTVL", "intvl", " ||")
	set("IPPROTO_TCP", "TCP_KEEPCNT", "cnt", " ||")
	if v.TCP.UserTimeout > 0 {
		set("IPPROTO_TCP", "TCP_USER_TIMEOUT", "timeout", " ||")
	}
	set("SOL_SOCKET", "SO_KEEPALIVE", "on", " ||")
	set("IPPROTO_TCP", "TCP_KEEPIDLE", "idle", " ? -1 : 0;")
	t.line("}")
}

func golang(t *text, v Values) {
	t.note("For net.ListenConfig the same. Without it Go sets 15 s, 15 s and 9.")
	t.line("dialer := net.Dialer{")
	t.line("\tKeepAliveConfig: net.KeepAliveConfig{")
	t.line("\t\tEnable:   true,\n\t\tIdle:     %d * time.Second,\n\t\tInterval: %d * time.Second,\n\t\tCount:    %d,\n\t},",
		seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	if v.TCP.UserTimeout > 0 {
		t.line(`	Control: func(network, address string, c syscall.RawConn) (err error) {
		if cerr := c.Control(func(fd uintptr) {
			// golang.org/x/sys/unix; milliseconds
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, %d)
		}); cerr != nil {
			return cerr
		}
		return err
	},`, v.TCP.UserTimeout.Milliseconds())
	}
	t.line("}")
}

func java(t *text, v Values) {
	t.note("java.net.StandardSocketOptions, jdk.net.ExtendedSocketOptions; seconds")
	t.line("socket.setOption(ExtendedSocketOptions.TCP_KEEPINTERVAL, %d);", seconds(v.TCP.Intvl))
	t.line("socket.setOption(ExtendedSocketOptions.TCP_KEEPCOUNT, %d);", v.TCP.Probes)
	t.line("socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);")
	t.line("socket.setOption(ExtendedSocketOptions.TCP_KEEPIDLE, %d);", seconds(v.TCP.Time))
	t.noUserTimeout(v, "The JDK")
}

// nodeSettings is what Node.js makes of a time alone: libuv sends 10 probes a
// second apart. Source: libuv, src/unix/tcp.c, uv__tcp_keepalive, since 1.35.0.
func nodeSettings(n time.Duration) keepalive.Settings {
	return keepalive.Settings{Time: n, Intvl: time.Second, Probes: 10}
}

func node(t *text, v Values) {
	t.note("Milliseconds. Node.js 24.19, 26.4 and later:")
	t.form("socket.setKeepAlive({ enable: true, initialDelay: {time_ms}, interval: {intvl_ms}, count: {probes} });", v)
	if n := largest(v, nodeSettings); n == 0 {
		t.note("Older releases cannot do it: they take the time alone, and send 10 probes a second\napart. No time meets the goal.")
	} else {
		t.note("Older releases take the time alone, and then send 10 probes a second apart (since 12.17\nand 13.12). This is the largest time that meets the goal, in place of the line above:\nsocket.setKeepAlive(true, %d);", n.Milliseconds())
	}
	t.noUserTimeout(v, "Node.js")
}

func python(t *text, v Values) {
	t.line("import socket\n\n\ndef set_keepalive(sock):")
	set := func(level, name string, value int64, unit string) {
		t.line("    sock.setsockopt(socket.%s, socket.%s, %d)%s", level, name, value, unit)
	}
	set("IPPROTO_TCP", "TCP_KEEPINTVL", seconds(v.TCP.Intvl), "  # seconds")
	set("IPPROTO_TCP", "TCP_KEEPCNT", int64(v.TCP.Probes), "")
	if v.TCP.UserTimeout > 0 {
		set("IPPROTO_TCP", "TCP_USER_TIMEOUT", v.TCP.UserTimeout.Milliseconds(), "  # milliseconds")
	}
	set("SOL_SOCKET", "SO_KEEPALIVE", 1, "")
	set("IPPROTO_TCP", "TCP_KEEPIDLE", seconds(v.TCP.Time), "  # seconds")
}

func rust(t *text, v Values) {
	t.line("let keepalive = socket2::TcpKeepalive::new()")
	t.line("    .with_time(Duration::from_secs(%d))", seconds(v.TCP.Time))
	t.line("    .with_interval(Duration::from_secs(%d))", seconds(v.TCP.Intvl))
	t.line("    .with_retries(%d);", v.TCP.Probes)
	t.line("let socket = socket2::SockRef::from(&stream);")
	t.line("socket.set_tcp_keepalive(&keepalive)?;")
	if v.TCP.UserTimeout > 0 {
		t.line("socket.set_tcp_user_timeout(Some(Duration::from_millis(%d)))?;", v.TCP.UserTimeout.Milliseconds())
	}
}
