package snippet

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

// nodeSettings is what Node.js makes of its one value: libuv sends 10 probes a
// second apart. Source: libuv, src/unix/tcp.c, uv__tcp_keepalive, since 1.35.0.
func nodeSettings(n time.Duration) keepalive.Settings {
	return keepalive.Settings{Time: n, Intvl: time.Second, Probes: 10}
}

func node(t *text, v Values) {
	n := largest(v, nodeSettings)
	if n == 0 {
		t.note("Node.js cannot do it: it takes the time alone, and sends 10 probes a second apart.\nNo time meets the goal.")
		t.noUserTimeout(v, "Node.js")
		return
	}
	t.note("Milliseconds. Node.js takes the time alone, and then sends 10 probes a second apart\n(since 12.17 and 13.12): this is the largest time that meets the goal.")
	t.line("socket.setKeepAlive(true, %d);", n.Milliseconds())
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
