package sshconf

import (
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestRefusal has what OpenSSH 9.2 writes, in its order.
func TestRefusal(t *testing.T) {
	for name, tt := range map[string]struct{ program, said, reason, hint string }{
		"nothing": {"ssh", "", "", ""},
		"what no terminal is there for": {"ssh", "Pseudo-terminal will not be allocated because stdin is not a terminal.\nvdollar_percent_expand: env var ${NOPE} has no value\ninvalid environment variable expansion\n",
			"vdollar_percent_expand: env var ${NOPE} has no value", ""},
		"a command of Match exec speaks first": {"ssh", "hallo\nc: line 2: Bad configuration option: usekeychain\nc: line 5: Bad configuration option: gssapienctypes\nc: terminating, 2 bad configuration options\n",
			"c: line 2: Bad configuration option: usekeychain", "a release, or a system, that does not know it can be told to pass over it, by a line at the top of c: IgnoreUnknown usekeychain,gssapienctypes"},
		"a slip of the finger": {"ssh", "c: line 1: Bad configuration option: serveraliveintervall\nc: terminating, 1 bad configuration options\n",
			"c: line 1: Bad configuration option: serveraliveintervall", "line 1 of c may mean serveraliveinterval"},
		"a keyword of a later release": {"ssh", "c: line 1: Bad configuration option: obscurekeystroketiming\n", "c: line 1: Bad configuration option: obscurekeystroketiming",
			"a release, or a system, that does not know it can be told to pass over it, by a line at the top of c: IgnoreUnknown obscurekeystroketiming"},
		"sshd has no IgnoreUnknown": {"sshd", "d line 2: Deprecated option UseLogin\nd: line 3: Bad configuration option: PersourcePenalties\n", "d: line 3: Bad configuration option: PersourcePenalties",
			"this release does not know PersourcePenalties: take it out of d"},
		"a value":                       {"ssh", "c line 2: Bad SSH2 cipher spec 'x'.\nc: terminating, 1 bad configuration options\n", "c line 2: Bad SSH2 cipher spec 'x'.", ""},
		"a mode":                        {"ssh", "Bad owner or permissions on /home/a/.ssh/config\n", "Bad owner or permissions on /home/a/.ssh/config", "ssh wants the file to be its user's, and written by nobody else: chmod go-w /home/a/.ssh/config"},
		"the last of what has no place": {"sshd", "Warning: something\nsshd: no hostkeys available -- exiting.\n", "sshd: no hostkeys available -- exiting.", ""},
	} {
		r := refusal(tt.program, "exit status 255", tt.said)
		if r.Reason != tt.reason || r.Hint() != tt.hint {
			t.Errorf("%s: %q, %q, want %q, %q", name, r.Reason, r.Hint(), tt.reason, tt.hint)
		}
	}
}

// TestHandedOn: root's ssh gets what the files expand and root has, and nothing by which
// programs run; another user's gets nothing of root's.
func TestHandedOn(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		t.Setenv("TCPKA_TEST", "/run/x")
		t.Setenv("LD_PRELOAD_TEST", "x")
		for name, want := range map[string]string{
			"TCPKA_TEST": "TCPKA_TEST=/run/x", "TCPKA_NONE": "", "": "",
			"LD_PRELOAD_TEST": "", "PATH": "", "HOME": "", "BASH_ENV": "",
		} {
			if got, ok := handedOn(nil, name); ok != (want != "") || ok && got != want {
				t.Errorf("%q: %q, %t, want %q", name, got, ok, want)
			}
		}
	})
}

// TestKnownKeyword: those that the files have most, in any case, and not what a Mac has.
func TestKnownKeyword(t *testing.T) {
	for _, tt := range []struct {
		keyword        string
		client, server bool
	}{
		{"Host", true, false}, {"HostName", true, false}, {"Match", true, true}, {"Include", true, true}, {"Port", true, true},
		{"ServerAliveInterval", true, false}, {"ClientAliveInterval", false, true}, {"KeepAlive", true, true}, {"SetEnv", true, true},
		{"Tag", true, false}, {"SendEnv", true, false}, {"AcceptEnv", false, true}, {"HostKey", false, true}, {"PermitListen", false, true},
		{"KexAlgorithms", true, true}, {"GSSAPIKexAlgorithms", true, true}, {"PerSourcePenalties", false, true}, {"UseKeychain", false, false}, {"", false, false},
	} {
		if c, s := KnownKeyword(false, tt.keyword), KnownKeyword(true, tt.keyword); c != tt.client || s != tt.server {
			t.Errorf("%s: %t, %t", tt.keyword, c, s)
		}
	}
}
