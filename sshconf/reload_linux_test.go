package sshconf

import (
	"slices"
	"strings"
	"testing"
)

func TestListenerArgs(t *testing.T) {
	for _, tt := range []struct {
		name, command, file string
		options             []string
	}{
		{"the title since 8.2", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups", "/etc/ssh/sshd_config", nil},
		{"with a file", "sshd: /usr/sbin/sshd -D -e -f /srv/config [listener] 0 of 10-100 startups\x00\x00", "/srv/config", nil},
		{"with flags in one word", "sshd: /usr/sbin/sshd -Def/srv/config -p22 -oA=b -o C=d [listener] 1 of 10-100 startups", "/srv/config", []string{"A=b", "C=d"}},
		{"with an option in two words", "sshd: /usr/sbin/sshd -D -o ClientAliveInterval 60 -o A=b [listener] 0 of 10-100 startups", "/etc/ssh/sshd_config", []string{"ClientAliveInterval 60", "A=b"}},
		{"the command line before that", "/usr/sbin/sshd\x00-D\x00-f\x00/srv/a b\x00", "/srv/a b", nil},
		{"a session", "sshd: bob [priv]", "", nil},
		{"a session with a name that is a trick", "sshd: bob [listener] x", "", nil},
		{"a connection that has not logged in", "sshd: [accepted]", "", nil},
		{"a title that is cut off", "sshd: /usr/sbin/sshd -D -f /srv/conf", "", nil},
		{"another program", "nginx: master process", "", nil},
		{"nothing", "", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			args, ok := listenerArgs(tt.command)
			if ok != (tt.file != "") {
				t.Fatalf("%q, %t", args, ok)
			}
			if !ok {
				return
			}
			if file, options, _ := listenerOptions(args); file != tt.file || !slices.Equal(options, tt.options) {
				t.Errorf("%q, %q", file, options)
			}
		})
	}
}

func TestListenerAgain(t *testing.T) {
	args := strings.Fields("/usr/sbin/sshd -De4 -f /srv/config -p22 -h /srv/key -E /srv/log -o UseDNS no -u0 -c /srv/cert")
	want := strings.Fields("-4 -p 22 -h /srv/key -o UseDNS_no -c /srv/cert")
	_, _, again := listenerOptions(args)
	if got := strings.Fields(strings.ReplaceAll(strings.Join(again, "\n"), " ", "_")); !slices.Equal(got, want) {
		t.Errorf("%q", got)
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

func FuzzListenerArgs(f *testing.F) {
	f.Add("sshd: /usr/sbin/sshd -D -f /srv/config [listener] 0 of 10-100 startups\x00")
	f.Add("/usr/sbin/sshd\x00-of\x00-\x00-o")
	f.Fuzz(func(t *testing.T, command string) {
		if args, ok := listenerArgs(command); ok {
			if !strings.HasPrefix(args[0], "/") {
				t.Errorf("%q", args)
			}
			listenerOptions(args)
		}
	})
}
