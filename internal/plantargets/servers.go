package plantargets

import (
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// servers are programs that are configured by a file.
func servers() []Target {
	return []Target{
		{Name: "nginx", Title: "nginx, a server of http or stream", comment: "#", sides: bothSides, render: nginx},
		{Name: "haproxy", Title: "HAProxy 2.3 and later, section defaults", comment: "#", sides: bothSides, render: haproxy},
		{Name: "envoy", Title: "Envoy, cluster and listener", comment: "#", sides: bothSides, render: envoy},
		{Name: "istio", Title: "Istio, DestinationRule and EnvoyFilter", comment: "#", sides: bothSides, render: istio},
		{Name: "envoy-gateway", Title: "Envoy Gateway, its two policies", comment: "#", sides: bothSides, noTimeout: "Envoy Gateway", form: `
# Towards clients: the connections that a load balancer before the gateway can cut.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: ClientTrafficPolicy
metadata:
  name: keepalive
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: GATEWAY}
  tcpKeepalive:
    idleTime: {time}s
    interval: {intvl}s
    probes: {probes}
---
# Towards backends.
apiVersion: gateway.envoyproxy.io/v1alpha1
kind: BackendTrafficPolicy
metadata:
  name: keepalive
spec:
  targetRefs:
  - {group: gateway.networking.k8s.io, kind: Gateway, name: GATEWAY}
  tcpKeepalive:
    idleTime: {time}s
    interval: {intvl}s
    probes: {probes}
`},
		{Name: "squid", Title: "Squid, squid.conf", comment: "#", sides: bothSides, noTimeout: "Squid", form: `
# Towards clients: idle, interval, and how long it probes in all, in seconds.
http_port 3128 tcpkeepalive={time},{intvl},{give_up}
# Towards backends it has no setting, and does not switch keepalive on.
# The number of probes, {probes}, follows from the last two.
`},
		{Name: "stunnel", Title: "stunnel, stunnel.conf", comment: ";", sides: bothSides, noTimeout: "stunnel", form: `
# Towards clients: l is what it has accepted.
socket = l:SO_KEEPALIVE=1
socket = l:TCP_KEEPIDLE={time}
socket = l:TCP_KEEPINTVL={intvl}
socket = l:TCP_KEEPCNT={probes}
# Towards backends: r is what it has connected.
socket = r:SO_KEEPALIVE=1
socket = r:TCP_KEEPIDLE={time}
socket = r:TCP_KEEPINTVL={intvl}
socket = r:TCP_KEEPCNT={probes}
`},
		{Name: "socat", Title: "socat, options of an address", comment: "#", sides: bothSides, render: socat},
		{Name: "samba", Aliases: []string{"smb", "smbd"}, Title: "Samba, smb.conf", comment: "#", render: samba},
		{Name: "postgresql", Aliases: []string{"postgres", "pg"}, Title: "PostgreSQL, postgresql.conf", comment: "#", render: postgresql},
		{Name: "mariadb", Title: "MariaDB 10.3.3 and later, my.cnf", comment: "#", render: mariadb},
		{Name: "mysql", Title: "MySQL, which has no setting", comment: "#", render: mysql},
		{Name: "redis", Aliases: []string{"valkey"}, Title: "Redis, redis.conf", comment: "#", render: redis},
		{Name: "systemd", Aliases: []string{"systemd-socket", "socket-unit"}, Title: "systemd, a .socket unit", comment: "#", render: systemd},
	}
}

func nginx(t *text, v Values) {
	t.note("Towards clients: idle:interval:count; once for each address and port")
	t.line("listen 443 so_keepalive=%ds:%ds:%d;", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	t.note("Towards backends nginx can only switch it on, with the times of the sysctls:\nproxy_socket_keepalive on;")
	t.noUserTimeout(v, "nginx")
}

func haproxy(t *text, v Values) {
	t.note("A bare number would be seconds here, but milliseconds in tcp-ut.")
	t.line("defaults")
	for i, side := range []string{"cli", "srv"} {
		t.note("Towards %s.", bothSides[i])
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
	t.note("Towards backends: the cluster.")
	t.line("upstream_connection_options:\n  tcp_keepalive:")
	t.line("    keepalive_time: %d\n    keepalive_interval: %d\n    keepalive_probes: %d", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	t.note("Towards clients: the listener. SO_KEEPALIVE, then options of TCP, by Linux's numbers.")
	t.listener(v, "")
	if v.TCP.UserTimeout > 0 {
		t.note("The cluster takes TCP_USER_TIMEOUT in upstream_bind_config.socket_options.")
	}
}

// listener are the options of a listener of Envoy's.
func (t *text) listener(v Values, indent string) {
	t.line("%ssocket_options:", indent)
	option := func(level, name int, value int64, what string) {
		t.line("%s- {level: %d, name: %d, int_value: %d, state: STATE_PREBIND} # %s", indent, level, name, value, what)
	}
	option(1, 9, 1, "SO_KEEPALIVE")
	option(6, 4, seconds(v.TCP.Time), "TCP_KEEPIDLE")
	option(6, 5, seconds(v.TCP.Intvl), "TCP_KEEPINTVL")
	option(6, 6, int64(v.TCP.Probes), "TCP_KEEPCNT")
	if v.TCP.UserTimeout > 0 {
		option(6, 18, v.TCP.UserTimeout.Milliseconds(), "TCP_USER_TIMEOUT, ms")
	}
}

func istio(t *text, v Values) {
	t.note("Towards clients: the listeners of a gateway. These are the connections that a load\nbalancer before it can cut. Options of TCP by Linux's numbers.")
	t.line(`apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata:
  name: keepalive
  namespace: istio-system
spec:
  workloadSelector:
    labels:
      istio: ingressgateway
  configPatches:
  - applyTo: LISTENER
    match:
      context: GATEWAY
    patch:
      operation: MERGE
      value:`)
	t.listener(v, "        ")
	t.line("---")
	t.note("Towards backends: what a sidecar or a gateway connects to.")
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

// socat takes the options on either address.
func socat(t *text, v Values) {
	options := v.fill("keepalive,keepidle={time},keepintvl={intvl},keepcnt={probes}")
	if v.TCP.UserTimeout > 0 {
		options += v.fill(",setsockopt-int=6:18:{uto_ms}")
	}
	t.note("The first address is towards clients: what it has accepted. The second is towards\nbackends.")
	t.line("socat TCP-LISTEN:8080,fork,%s \\\n  TCP:HOST:80,%s", options, options)
}

func samba(t *text, v Values) {
	options := v.fill("TCP_NODELAY SO_KEEPALIVE TCP_KEEPIDLE={time} TCP_KEEPINTVL={intvl} TCP_KEEPCNT={probes}")
	if v.TCP.UserTimeout > 0 {
		options += v.fill(" \\\n    TCP_USER_TIMEOUT={uto_ms}")
	}
	t.note("Seconds, and milliseconds in TCP_USER_TIMEOUT. TCP_NODELAY is the default, and has to\nstay.")
	t.line("[global]\nsocket options = %s", options)
}
