package snippet

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// servers are programs that are configured by a file.
func servers() []Target {
	return []Target{
		{Name: "nginx", Title: "nginx, a server of http or stream", comment: "#", render: nginx},
		{Name: "haproxy", Title: "HAProxy 2.3 and later, section defaults", comment: "#", render: haproxy},
		{Name: "envoy", Title: "Envoy, cluster and listener", comment: "#", render: envoy},
		{Name: "istio", Title: "Istio, DestinationRule", comment: "#", render: istio},
		{Name: "postgresql", Aliases: []string{"postgres", "pg"}, Title: "PostgreSQL, postgresql.conf", comment: "#", render: postgresql},
		{Name: "mariadb", Title: "MariaDB 10.3.3 and later, my.cnf", comment: "#", render: mariadb},
		{Name: "mysql", Title: "MySQL, which has no setting", comment: "#", render: mysql},
		{Name: "redis", Aliases: []string{"valkey"}, Title: "Redis, redis.conf", comment: "#", render: redis},
		{Name: "systemd", Aliases: []string{"systemd-socket", "socket-unit"}, Title: "systemd, a .socket unit", comment: "#", render: systemd},
	}
}

func nginx(t *text, v Values) {
	t.note("idle:interval:count; once for each address and port")
	t.line("listen 443 so_keepalive=%ds:%ds:%d;", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	t.note("Towards upstreams nginx can only switch it on, with the times of the sysctls:\nproxy_socket_keepalive on;")
	t.noUserTimeout(v, "nginx")
}

func haproxy(t *text, v Values) {
	t.note("A bare number would be seconds here, but milliseconds in tcp-ut.")
	t.line("defaults")
	for _, side := range []string{"cli", "srv"} {
		t.line("    option %stcpka", side)
		t.line("    %stcpka-idle %ds", side, seconds(v.TCP.Time))
		t.line("    %stcpka-intvl %ds", side, seconds(v.TCP.Intvl))
		t.line("    %stcpka-cnt %d", side, v.TCP.Probes)
	}
	if v.TCP.UserTimeout > 0 {
		t.note("and on each bind line and each server line: tcp-ut %s\n(HAProxy 2.6 takes it on default-server and ignores it there)", short(v.TCP.UserTimeout))
	}
}

func envoy(t *text, v Values) {
	t.note("the cluster, towards upstreams")
	t.line("upstream_connection_options:\n  tcp_keepalive:")
	t.line("    keepalive_time: %d\n    keepalive_interval: %d\n    keepalive_probes: %d", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	t.note("the listener, towards clients: SO_KEEPALIVE, then options of TCP, by Linux's numbers")
	t.line("socket_options:")
	option := func(level, name int, value int64, what string) {
		t.line("- {level: %d, name: %d, int_value: %d, state: STATE_PREBIND} # %s", level, name, value, what)
	}
	option(1, 9, 1, "SO_KEEPALIVE")
	option(6, 4, seconds(v.TCP.Time), "TCP_KEEPIDLE")
	option(6, 5, seconds(v.TCP.Intvl), "TCP_KEEPINTVL")
	option(6, 6, int64(v.TCP.Probes), "TCP_KEEPCNT")
	if v.TCP.UserTimeout > 0 {
		option(6, 18, v.TCP.UserTimeout.Milliseconds(), "TCP_USER_TIMEOUT, milliseconds")
		t.note("The cluster takes TCP_USER_TIMEOUT in upstream_bind_config.socket_options.")
	}
}

func istio(t *text, v Values) {
	t.line(`apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: keepalive
spec:
  host: HOST
  trafficPolicy:
    connectionPool:
      tcp:
        tcpKeepalive:
          time: %ds
          interval: %ds
          probes: %d`, seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	t.noUserTimeout(v, "A DestinationRule")
}

func postgresql(t *text, v Values) {
	t.note("Seconds, and milliseconds in tcp_user_timeout. A reload suffices; new connections have them.")
	t.line("tcp_keepalives_idle = %d", seconds(v.TCP.Time))
	t.line("tcp_keepalives_interval = %d", seconds(v.TCP.Intvl))
	t.line("tcp_keepalives_count = %d", v.TCP.Probes)
	if v.TCP.UserTimeout > 0 {
		t.line("tcp_user_timeout = %d", v.TCP.UserTimeout.Milliseconds())
	}
}

func mariadb(t *text, v Values) {
	t.line("[mysqld]")
	t.line("tcp_keepalive_time = %d", seconds(v.TCP.Time))
	t.line("tcp_keepalive_interval = %d", seconds(v.TCP.Intvl))
	t.line("tcp_keepalive_probes = %d", v.TCP.Probes)
	t.noUserTimeout(v, "MariaDB")
}

func mysql(t *text, v Values) {
	t.note("MySQL has no setting for these values: its server switches keepalive on, and the\nsysctls of its network namespace count.")
	for _, kv := range sysctls(v) {
		t.note("%s = %s", kv[0], kv[1])
	}
	t.noUserTimeout(v, "MySQL")
}

// redisSettings is what Redis makes of its one value: a probe after n seconds,
// then three in all a third of that apart. Source: src/anet.c, anetKeepAlive.
func redisSettings(n time.Duration) keepalive.Settings {
	return keepalive.Settings{Time: n, Intvl: max((n / 3).Truncate(time.Second), time.Second), Probes: 3}
}

func redis(t *text, v Values) {
	n := largest(v, redisSettings)
	if n == 0 {
		t.note("Redis cannot do it: it takes one number, n, and sends 3 probes n/3 apart after n\nseconds. None of these meets the goal.")
		t.noUserTimeout(v, "Redis")
		return
	}
	t.note("Redis takes one number, n: after n seconds come 3 probes, n/3 apart. This is the\nlargest n that meets the goal.")
	t.line("tcp-keepalive %d", seconds(n))
	t.noUserTimeout(v, "Redis")
}

// largest is the largest time that a target can be told and that meets the goal,
// where it makes the other settings of it by itself; 0 is none.
func largest(v Values, of func(time.Duration) keepalive.Settings) time.Duration {
	most := v.TCP.Time + time.Duration(v.TCP.Probes+1)*v.TCP.Intvl // by then the goal is missed
	for d := most; d >= time.Second; d -= time.Second {
		if v.meets(of(d)) {
			return d
		}
	}
	return 0
}

func systemd(t *text, v Values) {
	t.note("NAME.socket, or NAME.socket.d/keepalive.conf; what it accepts inherits them.\nFor sshd that is ssh.socket, and the only way to times of its own.")
	t.line("[Socket]\nKeepAlive=yes")
	t.line("KeepAliveTimeSec=%d", seconds(v.TCP.Time))
	t.line("KeepAliveIntervalSec=%d", seconds(v.TCP.Intvl))
	t.line("KeepAliveProbes=%d", v.TCP.Probes)
	t.noUserTimeout(v, "A socket unit")
}
