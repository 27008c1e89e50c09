package snippet

import "fmt"

// kernels are the ways to the sysctls of a network namespace, the host's or a
// container's.
func kernels() []Target {
	return []Target{
		{Name: "sysctl", Aliases: []string{"sysctl.conf", "sysctl.d"}, Title: "Linux, /etc/sysctl.d", comment: "#", render: sysctl},
		{Name: "docker", Aliases: []string{"podman"}, Title: "docker run, podman run", comment: "#", render: docker},
		{Name: "compose", Aliases: []string{"docker-compose"}, Title: "Compose, compose.yaml", comment: "#", render: compose},
		{Name: "kubernetes", Aliases: []string{"k8s", "pod"}, Title: "Kubernetes, the spec of a pod", comment: "#", render: kubernetes},
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
