package sshclients

import (
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// How many lines are looked at: of a file of OpenSSH, once it looks like one, and of
// any other.
const (
	maxRecognised   = 1000
	maxUnrecognised = 100_000
)

// signs are what a line of a format looks like, and of no other one. Has is a part of
// it that is quickly looked for.
var signs = sync.OnceValue(func() []sign {
	return []sign{
		{FormatRegistry, "W", regexp.MustCompile(`^Windows Registry Editor Version 5\.00\s*$`)},
		{FormatRegistry, "REGEDIT4", regexp.MustCompile(`^REGEDIT4\s*$`)},
		{FormatSecureCRT, `:"`, regexp.MustCompile(`^[DSBZ]:"[^"]+"=`)},
		{FormatXshell, "[", regexp.MustCompile(`(?i)^\s*\[CONNECTION(?::(?:KEEPALIVE|AUTHENTICATION|SSH|TELNET))?\]`)},
		{FormatTeraTerm, "[", regexp.MustCompile(`(?i)^\s*\[(?:Tera Term|TTSSH)\]`)},
		{FormatWinSCP, "[", regexp.MustCompile(`^\s*\[(?:Sessions\\.+|Configuration(?:\\.*)?)\]`)},
		{FormatMobaXterm, "[", regexp.MustCompile(`^\s*\[Bookmarks(?:_\d+)?\]`)},
		{FormatMobaXterm, "SSHKeepAlive", regexp.MustCompile(`^\s*SSHKeepAlive2?\s*=`)},
		{FormatDropbear, "dropbear", regexp.MustCompile(`^\s*config\s+['"]?dropbear['"]?(?:\s|$)`)},
		{FormatKiTTY, `\`, regexp.MustCompile(`^(?:PingInterval|PingIntervalSecs|TCPKeepalives|TCPNoDelay|PortNumber|HostName|Present)\\[^\\]*\\\s*$`)},
		{FormatPuTTY, "=", regexp.MustCompile(`^(?:PingInterval|PingIntervalSecs|TCPKeepalives|TCPNoDelay|PortNumber|LogFileName|TerminalType|WinTitle)=`)},
	}
})

type sign struct {
	format Format
	has    string
	line   *regexp.Regexp
}

// recognise is the format of a file, by the first line that only one format has, or
// empty.
func recognise(t text, path string) Format {
	var client, server, either bool
	known, unknown, foreign := 0, 0, false // keywords of OpenSSH, and what is none
	for l := range t.lines() {
		if l.number > maxUnrecognised {
			return ""
		}
		line := strings.Trim(l.text, sshconf.Whitespace)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		for _, s := range signs() {
			if strings.Contains(line, s.has) && s.line.MatchString(l.text) {
				return s.format
			}
		}
		keyword, _, ok := sshconf.CutToken(line)
		if !ok {
			continue
		}
		keyword = strings.ToLower(keyword)
		switch c := strings.TrimLeft(line, `"`); {
		case c == "" || c[0]|0x20 < 'a' || c[0]|0x20 > 'z', strings.HasPrefix(line, `"`) && strings.Contains(line, `"=`):
			foreign = true // no keyword begins like that: [section], <xml>, {, "name"="value"
		case sshconf.KnownKeyword(false, keyword), sshconf.KnownKeyword(true, keyword):
			known++
		default:
			unknown++
		}
		client = client || clientOnly()[keyword]
		server = server || serverOnly()[keyword]
		either = either || inBoth()[keyword]
		if l.number > maxRecognised && (client || server) {
			break
		}
	}
	switch {
	case foreign, unknown > known: // it is of another program, in which some words are the same
		return ""
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

// keywords makes a set of a list when it is first wanted.
func keywords(list string) func() map[string]bool {
	return sync.OnceValue(func() map[string]bool {
		set := map[string]bool{}
		for _, k := range strings.Fields(list) {
			set[strings.ToLower(k)] = true
		}
		return set
	})
}
