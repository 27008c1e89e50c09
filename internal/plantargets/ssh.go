package plantargets

// sshClients are SSH's own keepalives, which are data to everything on the path.
func sshClients() []Target {
	return []Target{
		{Name: "ssh", Aliases: []string{"openssh", "git", "rsync", "scp", "sftp"}, Title: "OpenSSH, client: ~/.ssh/config", comment: "#", data: true, render: sshClient},
		{Name: "sshd", Title: "OpenSSH, server: /etc/ssh/sshd_config.d", comment: "#", data: true, render: sshd},
		{Name: "dropbear", Aliases: []string{"dbclient"}, Title: "Dropbear, dbclient", comment: "#", data: true, render: dropbear},
		{Name: "putty", Aliases: []string{"kitty"}, Title: "PuTTY, its registry on Windows", comment: ";", data: true, render: putty},
		{Name: "securecrt", Title: "SecureCRT, the file of a session", comment: ";", data: true, render: securecrt},
		{Name: "teraterm", Aliases: []string{"tera-term"}, Title: "Tera Term, TERATERM.INI", comment: ";", data: true, render: teraterm},
		{Name: "xshell", Title: "Xshell, the file of a session", comment: ";", data: true, render: xshell},
	}
}

func sshClient(t *text, v Values) {
	t.note("~/.ssh/config, at its end: the first value that is found for a host counts.\nFor once: ssh -o ServerAliveInterval=%d -o ServerAliveCountMax=%d HOST; the same -o for\nscp, sftp, GIT_SSH_COMMAND, rsync -e and Ansible's ssh_args.\nBehind ProxyJump or ProxyCommand it is all there is: ssh has no TCP of its own there,\nand -o does not reach the jump host.",
		seconds(v.SSH.Interval), v.SSH.CountMax)
	t.line("Host *\n    ServerAliveInterval %d\n    ServerAliveCountMax %d", seconds(v.SSH.Interval), v.SSH.CountMax)
}

func sshd(t *text, v Values) {
	t.note("/etc/ssh/sshd_config.d/10-tcpka.conf; check it with sshd -t, then reload. New\nconnections have it. OpenSSH 9.2 to 9.4, as in Debian 12, take twice the interval:\nhalve it there.")
	t.line("ClientAliveInterval %d\nClientAliveCountMax %d", seconds(v.SSH.Interval), v.SSH.CountMax)
}

func dropbear(t *text, v Values) {
	t.note("dropbear -K for the server. It gives up after three intervals without an answer, so\ntwo lost probes in a row end the connection, whatever the plan.")
	t.line("dbclient -K %d HOST", seconds(v.SSH.Interval))
}

// pingOnly is what clients have in common that send and never wait for an answer.
const pingOnly = "It keeps the path open, and never gives up by itself: a dead server is noticed by TCP."

func putty(t *text, v Values) {
	n := seconds(v.SSH.Interval)
	t.line("Windows Registry Editor Version 5.00\n")
	t.note("Connection: Seconds between keepalives: %d. It counts for new sessions; every saved\none has the two values, too.", n)
	t.note("%s", pingOnly)
	t.line(`[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\Default%%20Settings]`)
	t.line(`"PingInterval"=dword:%08x`, n/60)
	t.line(`"PingIntervalSecs"=dword:%08x`, n%60)
	t.line(`"TCPKeepalives"=dword:00000001`)
}

func securecrt(t *text, v Values) {
	t.note("Session Options, Terminal: Send protocol NO-OP every %d seconds. Hexadecimal here.", seconds(v.SSH.Interval))
	t.note("%s", pingOnly)
	t.line(`D:"Idle NO-OP Check"=00000001`)
	t.line(`D:"Idle NO-OP Timeout"=%08x`, seconds(v.SSH.Interval))
}

func teraterm(t *text, v Values) {
	t.note("Setup, SSH: Heartbeat. Tera Term sends one second later than it is told.")
	t.note("%s", pingOnly)
	t.line("[TTSSH]\nHeartBeat=%d", max(seconds(v.SSH.Interval)-1, 1))
}

func xshell(t *text, v Values) {
	t.note("Properties, Connection, Keep Alive: Send keep alive message while session is connected.")
	t.note("%s", pingOnly)
	t.line("[CONNECTION:KEEPALIVE]\nKeepAlive=1\nKeepAliveInterval=%d", seconds(v.SSH.Interval))
}
