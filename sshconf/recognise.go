package sshconf

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// signs are what a line of a format looks like, and of no other one.
var signs = sync.OnceValue(func() []struct {
	format Format
	line   *regexp.Regexp
} {
	type sign = struct {
		format Format
		line   *regexp.Regexp
	}
	return []sign{
		{FormatRegistry, regexp.MustCompile(`^(?:Windows Registry Editor Version 5\.00|REGEDIT4)\s*$`)},
		{FormatSecureCRT, regexp.MustCompile(`^[DSBZ]:"[^"]+"=`)},
		{FormatXshell, regexp.MustCompile(`(?i)^\s*\[CONNECTION(?::(?:KEEPALIVE|AUTHENTICATION|SSH|TELNET))?\]`)},
		{FormatTeraTerm, regexp.MustCompile(`(?i)^\s*\[(?:Tera Term|TTSSH)\]`)},
		{FormatWinSCP, regexp.MustCompile(`^\s*\[(?:Sessions\\.+|Configuration(?:\\.*)?)\]`)},
		{FormatMobaXterm, regexp.MustCompile(`^\s*\[Bookmarks(?:_\d+)?\]|^\s*SSHKeepAlive2?\s*=`)},
		{FormatDropbear, regexp.MustCompile(`^\s*config\s+['"]?dropbear['"]?(?:\s|$)`)},
		{FormatKiTTY, regexp.MustCompile(`^(?:PingInterval|PingIntervalSecs|TCPKeepalives|TCPNoDelay|PortNumber|HostName|Present)\\[^\\]*\\\s*$`)},
		{FormatPuTTY, regexp.MustCompile(`^(?:PingInterval|PingIntervalSecs|TCPKeepalives|TCPNoDelay|PortNumber|LogFileName|TerminalType|WinTitle)=`)},
	}
})

// recognise is the format of a file, by the first line that only one format has, or
// empty.
func recognise(t text, path string) Format {
	var client, server, either bool
	for l := range t.lines() {
		for _, s := range signs() {
			if s.line.MatchString(l.text) {
				return s.format
			}
		}
		keyword, args, err := splitLine(l.text)
		if err != nil || keyword == "" || len(args) == 0 {
			continue
		}
		client = client || clientOnly[keyword]
		server = server || serverOnly[keyword]
		either = either || inBoth[keyword]
	}
	switch {
	case client && server: // neither program takes it
		return ""
	case server, either && !client && strings.Contains(filepath.Base(path), "sshd"):
		return FormatSSHD
	case client, either:
		return FormatSSH
	}
	return ""
}

// Keywords of OpenSSH that tell its two files apart, and those that both have. Source:
// readconf.c and servconf.c, keywords.
var (
	clientOnly = keywords(`Host HostName User ServerAliveInterval ServerAliveCountMax ProtocolKeepAlives SetupTimeOut
		IdentityFile IdentitiesOnly IdentityAgent AddKeysToAgent BatchMode BindAddress CanonicalizeHostname
		CheckHostIP ConnectionAttempts ConnectTimeout ControlMaster ControlPath ControlPersist DynamicForward
		EscapeChar ExitOnForwardFailure ForwardAgent ForwardX11 ForwardX11Trusted GlobalKnownHostsFile HashKnownHosts
		LocalCommand LocalForward NumberOfPasswordPrompts PermitLocalCommand PreferredAuthentications ProxyCommand
		ProxyJump RemoteCommand RemoteForward RequestTTY SendEnv SessionType StrictHostKeyChecking Tag UpdateHostKeys
		UserKnownHostsFile VerifyHostKeyDNS VisualHostKey XAuthLocation IgnoreUnknown HostKeyAlias`)
	serverOnly = keywords(`ClientAliveInterval ClientAliveCountMax AcceptEnv AllowAgentForwarding AllowGroups
		AllowTcpForwarding AllowUsers AuthenticationMethods AuthorizedKeysCommand AuthorizedKeysFile
		AuthorizedPrincipalsFile Banner ChallengeResponseAuthentication ChrootDirectory DenyGroups DenyUsers ForceCommand
		HostCertificate HostKey ListenAddress LoginGraceTime MaxAuthTries MaxSessions MaxStartups PermitEmptyPasswords
		PermitOpen PermitRootLogin PermitTTY PermitTunnel PermitUserEnvironment PidFile PrintLastLog PrintMotd
		StrictModes Subsystem TrustedUserCAKeys UnusedConnectionTimeout UseDNS UsePAM UsePrivilegeSeparation
		X11DisplayOffset X11Forwarding X11UseLocalhost PerSourceMaxStartups DebianBanner`)
	inBoth = keywords(`TCPKeepAlive KeepAlive Include Match Port Ciphers MACs KexAlgorithms Compression LogLevel
		PubkeyAuthentication PasswordAuthentication KbdInteractiveAuthentication GSSAPIAuthentication
		HostKeyAlgorithms HostbasedAuthentication AddressFamily IPQoS RekeyLimit GatewayPorts Protocol ChannelTimeout
		CASignatureAlgorithms FingerprintHash StreamLocalBindMask StreamLocalBindUnlink SyslogFacility`)
)

func keywords(list string) map[string]bool {
	set := map[string]bool{}
	for _, k := range strings.Fields(list) {
		set[strings.ToLower(k)] = true
	}
	return set
}
