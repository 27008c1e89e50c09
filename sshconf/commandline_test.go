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
