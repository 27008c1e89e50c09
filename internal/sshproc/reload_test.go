package sshproc

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/sshconf"
)

func TestRereadArgs(t *testing.T) {
	args, ok := sshconf.ListenerArgs("/usr/sbin/sshd -De4 -f /srv/config -p22 -h /srv/key -E /srv/log -o UseDNS no -u0 -c /srv/cert [listener] 0 of 10-100 startups")
	want := []string{"-4", "-p", "22", "-h", "/srv/key", "-o", "UseDNS no", "-c", "/srv/cert"}
	if diff := cmp.Diff(want, rereadArgs(args[1:])); diff != "" || !ok {
		t.Errorf("%t (-want +got):\n%s", ok, diff)
	}
}

func TestListenable(t *testing.T) {
	for said, want := range map[string]bool{
		"port 22\n":                                                  true,
		"listenaddress 127.0.0.1:0\n":                                true,
		"ListenAddress [::ffff:127.0.0.1]:0\n":                       true,
		"listenaddress 192.0.2.77:2222\n":                            false,
		"listenaddress [2001:db8::77]:2222\n":                        false,
		"listenaddress 192.0.2.77:2222\nlistenaddress 127.0.0.1:0\n": true,
		"listenaddress 192.0.2.77:22 rdomain blue\n":                 true, // not looked at
		"listenaddress [fe80::1%lo]:22\n":                            true, // nor that
	} {
		if err := listenable(said); (err == nil) != want {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestServiceOf(t *testing.T) {
	for _, tt := range []struct{ cgroup, want string }{
		{"0::/system.slice/ssh.service\n", "ssh.service"},
		{"12:cpu:/\n1:name=systemd:/system.slice/sshd.service\n0::/\n", "sshd.service"},
		{"0::/user.slice/user-1000.slice/session-3.scope\n", ""}, // a session, or one started by hand
		{"3:cpu:/system.slice/ssh.service\n", ""},
		{"0::/system.slice/evil-ssh.service\n", ""},
		{"0::/\n", ""},
		{"", ""},
	} {
		if got := serviceOf(tt.cgroup); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.cgroup, got, tt.want)
		}
	}
}
