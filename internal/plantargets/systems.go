package plantargets

// systems are other operating systems, and what sets up a Linux one.
func systems() []Target {
	return []Target{
		{Name: "cloud-init", Aliases: []string{"user-data"}, Title: "cloud-init, user data", comment: "#", noTimeout: "sysctl", form: `
#cloud-config
write_files:
- path: /etc/sysctl.d/99-tcpka.conf
  content: |
    net.ipv4.tcp_keepalive_time = {time}
    net.ipv4.tcp_keepalive_intvl = {intvl}
    net.ipv4.tcp_keepalive_probes = {probes}
runcmd:
- [sysctl, --system]
`},
		{Name: "ansible", Title: "Ansible, a task", comment: "#", noTimeout: "sysctl", form: `
- name: TCP keepalive
  ansible.posix.sysctl:
    name: "{{ item.name }}"
    value: "{{ item.value }}"
    sysctl_file: /etc/sysctl.d/99-tcpka.conf
  loop:
  - {name: net.ipv4.tcp_keepalive_time, value: "{time}"}
  - {name: net.ipv4.tcp_keepalive_intvl, value: "{intvl}"}
  - {name: net.ipv4.tcp_keepalive_probes, value: "{probes}"}
# For its own connections: tcpka plan --for ssh
`},
		{Name: "nixos", Aliases: []string{"nix"}, Title: "NixOS, configuration.nix", comment: "#", noTimeout: "sysctl", form: `
boot.kernel.sysctl = {
  "net.ipv4.tcp_keepalive_time" = {time};
  "net.ipv4.tcp_keepalive_intvl" = {intvl};
  "net.ipv4.tcp_keepalive_probes" = {probes};
};
`},
		{Name: "windows", Title: "Windows, the registry", comment: ";", render: windows},
		{Name: "macos", Aliases: []string{"darwin", "osx"}, Title: "macOS, sysctl", comment: "#", noTimeout: "macOS", form: `
# Milliseconds; until the next boot, for sockets with SO_KEEPALIVE.
sudo sysctl net.inet.tcp.keepidle={time_ms} net.inet.tcp.keepintvl={intvl_ms} net.inet.tcp.keepcnt={probes}
# /etc/sysctl.conf is not read at boot: put the command into a LaunchDaemon.
`},
		{Name: "freebsd", Title: "FreeBSD, /etc/sysctl.conf", comment: "#", noTimeout: "FreeBSD", form: `
# Milliseconds; put in force by: service sysctl restart. Every socket has keepalive there,
# unless net.inet.tcp.always_keepalive is 0.
net.inet.tcp.keepidle={time_ms}
net.inet.tcp.keepintvl={intvl_ms}
net.inet.tcp.keepcnt={probes}
`},
	}
}

// windows takes the number of probes from nobody: it is 10.
func windows(t *text, v Values) {
	n := largest(v, nodeSettings)
	t.line("Windows Registry Editor Version 5.00\n")
	if n == 0 {
		t.note("Windows cannot do it for all sockets: it sends 10 probes, and no time meets the goal.")
	} else {
		t.note("Milliseconds, %d and 1000, from the next boot on. It sends 10 probes, a\nsecond apart here. This is the largest time that meets the goal.", n.Milliseconds())
		t.line(`[HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters]`)
		t.line(`"KeepAliveTime"=dword:%08x`, n.Milliseconds())
		t.line(`"KeepAliveInterval"=dword:%08x`, 1000)
	}
	t.note("A program can set TCP_KEEPIDLE %d, TCP_KEEPINTVL %d (seconds) and TCP_KEEPCNT %d on its\nsocket, from Windows 10 1709 on.", seconds(v.TCP.Time), seconds(v.TCP.Intvl), v.TCP.Probes)
	t.noUserTimeout(v, "Windows")
}
