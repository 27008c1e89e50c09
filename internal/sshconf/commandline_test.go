package sshconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSSH(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		want CommandLine
	}{
		{"a host", []string{"web1"}, CommandLine{Destination: "web1"}},
		{"options in each spelling", []string{"-oServerAliveInterval=5", "-o", "ServerAliveCountMax 2", "-Nvo", "TCPKeepAlive=no", "bob@web1"},
			CommandLine{Options: []string{"ServerAliveInterval=5", "ServerAliveCountMax 2", "TCPKeepAlive=no"}, Destination: "bob@web1"}},
		{"options after the host, up to the command", []string{"web1", "-o", "ServerAliveInterval=5", "tail", "-o", "x"}, CommandLine{Options: []string{"ServerAliveInterval=5"}, Destination: "web1"}},
		{"after -- there are none", []string{"-l", "bob", "--", "web1", "-o", "x=y"}, CommandLine{User: "bob", Destination: "web1"}},
		{"a file, a master", []string{"-MNfF", "/f", "-S", "/s", "web1"}, CommandLine{File: "/f", Master: true, Destination: "web1"}},
		{"a jump host's part", []string{"-W", "[web1]:22", "-p", "22", "hop"}, CommandLine{Forward: "[web1]:22", Destination: "hop"}},
		{"a word to a master", []string{"-O", "stop", "web1"}, CommandLine{Control: true, Destination: "web1"}},
		{"a value that is missing", []string{"-o"}, CommandLine{}},
		{"nothing", nil, CommandLine{}},
	} {
		if diff := cmp.Diff(tt.want, ParseSSH(tt.args)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if diff := cmp.Diff(CommandLine{Options: []string{"ClientAliveInterval=5"}, File: "/f"}, ParseSSHD([]string{"-D", "-f", "/f", "-p22", "-eoClientAliveInterval=5"})); diff != "" {
		t.Errorf("sshd (-want +got):\n%s", diff)
	}
}

// TestListenerArgs has the titles of sshd that listens, and what could pass for one.
func TestListenerArgs(t *testing.T) {
	for _, tt := range []struct {
		name, command string
		want          *CommandLine // nil: it does not listen
	}{
		{"no options", "/usr/sbin/sshd -D", &CommandLine{}},
		{"a file", "/usr/sbin/sshd -D -e -f /srv/config", &CommandLine{File: "/srv/config"}},
		{"flags in one word", "/usr/sbin/sshd -Def/srv/config -p22 -oA=b -o C=d", &CommandLine{File: "/srv/config", Options: []string{"A=b", "C=d"}}},
		{"an option of two words", "/usr/sbin/sshd -D -o ClientAliveInterval 60 -o A=b -f /f", &CommandLine{File: "/f", Options: []string{"ClientAliveInterval 60", "A=b"}}},
		{"an option of two words behind flags", "/usr/sbin/sshd -Do ClientAliveInterval 60 -oA b", &CommandLine{Options: []string{"ClientAliveInterval 60", "A b"}}},
		{"a value of several words", "/usr/sbin/sshd -o AllowUsers=bob ann -f /srv/a b -D", &CommandLine{File: "/srv/a b", Options: []string{"AllowUsers=bob ann"}}},
		{"a session with a name that is a trick", "bob", nil},
		{"nothing", "", nil},
	} {
		args, ok := ListenerArgs(tt.command + " [listener] 0 of 10-100 startups")
		switch {
		case ok != (tt.want != nil):
			t.Errorf("%s: it listens: %t", tt.name, ok)
		case ok:
			if diff := cmp.Diff(*tt.want, ParseSSHD(args[1:])); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tt.name, diff)
			}
		}
	}
	if _, ok := ListenerArgs("/usr/sbin/sshd -D"); ok {
		t.Error("a title that is cut off")
	}
}
