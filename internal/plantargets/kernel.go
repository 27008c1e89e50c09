package plantargets

import "fmt"

// kernels are the ways to the sysctls of a network namespace, the host's or a
// container's.
func kernels() []Target {
	return []Target{
		{Name: "sysctl", Aliases: []string{"sysctl.conf", "sysctl.d"}, Title: "Linux, /etc/sysctl.d", comment: "#", render: sysctl},
		{Name: "docker", Aliases: []string{"podman"}, Title: "docker run, podman run", comment: "#", render: docker},
		{Name: "compose", Aliases: []string{"docker-compose"}, Title: "Compose, compose.yaml", comment: "#", render: compose},
		{Name: "kubernetes", Aliases: []string{"k8s", "pod"}, Title: "Kubernetes, the spec of a pod", comment: "#", render: kubernetes},
		{Name: "ecs", Aliases: []string{"aws-ecs", "fargate"}, Title: "Amazon ECS, a container definition", comment: "//", noTimeout: "A task", form: `
# Not with the network mode host: there the instance's count. Fargate takes it from
# platform 1.4.0 on.
"systemControls": [
  {"namespace": "net.ipv4.tcp_keepalive_time", "value": "{time}"},
  {"namespace": "net.ipv4.tcp_keepalive_intvl", "value": "{intvl}"},
  {"namespace": "net.ipv4.tcp_keepalive_probes", "value": "{probes}"}
]
`},
		{Name: "cri-o", Aliases: []string{"crio"}, Title: "CRI-O, /etc/crio/crio.conf.d", comment: "#", noTimeout: "CRI-O", form: `
# For every pod of the node, not with hostNetwork.
[crio.runtime]
default_sysctls = [
  "net.ipv4.tcp_keepalive_time={time}",
  "net.ipv4.tcp_keepalive_intvl={intvl}",
  "net.ipv4.tcp_keepalive_probes={probes}",
]
`},
		{Name: "quadlet", Title: "Podman, a .container unit", comment: "#", noTimeout: "A unit", form: `
# Not with Network=host: there the host's count.
[Container]
Sysctl=net.ipv4.tcp_keepalive_time={time}
Sysctl=net.ipv4.tcp_keepalive_intvl={intvl}
Sysctl=net.ipv4.tcp_keepalive_probes={probes}
`},
		{Name: "lxc", Aliases: []string{"incus", "lxd"}, Title: "LXC, the configuration of a container", comment: "#", noTimeout: "LXC", form: `
lxc.sysctl.net.ipv4.tcp_keepalive_time = {time}
lxc.sysctl.net.ipv4.tcp_keepalive_intvl = {intvl}
lxc.sysctl.net.ipv4.tcp_keepalive_probes = {probes}
# Incus and LXD: incus config set NAME linux.sysctl.net.ipv4.tcp_keepalive_time={time}, and so on.
`},
	}
}

// sysctls are the three keys and their values.
func sysctls(v Values) [][2]string {
	return [][2]string{
		{"net.ipv4.tcp_keepalive_time", fmt.Sprint(seconds(v.TCP.Time))},
		{"net.ipv4.tcp_keepalive_intvl", fmt.Sprint(seconds(v.TCP.Intvl))},
		{"net.ipv4.tcp_keepalive_probes", fmt.Sprint(v.TCP.Probes)},
	}
}

// reach is what everybody forgets about the sysctls.
const reach = "They count for sockets with SO_KEEPALIVE on and no values of their own."

func (t *text) noSysctl(v Values) {
	if v.TCP.UserTimeout > 0 {
		t.note("There is no sysctl for the user timeout (TCP_USER_TIMEOUT, %d ms).", v.TCP.UserTimeout.Milliseconds())
	}
}

func sysctl(t *text, v Values) {
	t.note("/etc/sysctl.d/99-tcpka.conf; put in force by: sysctl --system")
	for _, kv := range sysctls(v) {
		t.line("%s = %s", kv[0], kv[1])
	}
	t.note(reach)
	t.noSysctl(v)
}

func docker(t *text, v Values) {
	t.note("Not with --network host: there the host's count.")
	t.line("docker run \\")
	for _, kv := range sysctls(v) {
		t.line("  --sysctl %s=%s \\", kv[0], kv[1])
	}
	t.line("  IMAGE")
	t.note(reach)
	t.noSysctl(v)
}

func compose(t *text, v Values) {
	t.line("services:\n  app:\n    sysctls:")
	for _, kv := range sysctls(v) {
		t.line("      %s: %s", kv[0], kv[1])
	}
	t.note(reach)
	t.noSysctl(v)
}

func kubernetes(t *text, v Values) {
	t.note("Allowed without further ado from Kubernetes 1.29 on; not with hostNetwork.")
	t.line("spec:\n  securityContext:\n    sysctls:")
	for _, kv := range sysctls(v) {
		t.line("    - name: %s\n      value: %q", kv[0], kv[1])
	}
	t.note(reach)
	t.noSysctl(v)
}
