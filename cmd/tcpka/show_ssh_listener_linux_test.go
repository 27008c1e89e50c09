package main

import (
	"bufio"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
)

// TestShowSSHListenerByItsTitle has what calls itself an sshd that listens, with command
// lines that no file of this test can be mistaken for.
func TestShowSSHListenerByItsTitle(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		t.Chdir(t.TempDir())
		for _, name := range []string{"sshd_config", "none"} {
			writeFile(t, name, "ClientAliveInterval 11\n")
		}
		for _, tt := range []struct {
			name, args string
			interval   *int
			unsure     string
		}{
			{"an option whose words are apart", "-o ClientAliveInterval 60 -f none", new(60), ""},
			{"no file", "-f NONE", new(0), ""},
			{"a relative path: sshd works in / by now", "-f sshd_config", nil, "its file, sshd_config, was named by a relative path"},
		} {
			sshd := namedShell(t, `printf sshd >/proc/$$/comm; echo; read x`)
			sshd.Args[0] = "sshd: /usr/sbin/sshd -D " + tt.args + " [listener] 0 of 10-100 startups"
			in, err := sshd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			out, err := sshd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := sshd.Start(); err != nil {
				t.Fatal(err)
			}
			bufio.NewReader(out).ReadString('\n')
			p := showSSH(t, []string{"SSH_CONNECTION="}).process(t, sshd.Process.Pid)
			if (p.Interval == nil) != (tt.interval == nil) || p.Interval != nil && *p.Interval != *tt.interval || p.Unsure["ClientAliveInterval"] != tt.unsure {
				t.Errorf("%s: %v, %q", tt.name, p.Interval, p.Unsure["ClientAliveInterval"])
			}
			in.Close()
			sshd.Wait()
		}
	})
}
