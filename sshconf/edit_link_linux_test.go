package sshconf_test

import (
	"os"
	"os/exec"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sshconf"
)

// TestDropInOfAMainFileThatIsALink: the link stays within /etc, so sshd's file is found,
// and what is written is a drop-in beside it.
func TestDropInOfAMainFileThatIsALink(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		room(t)
		p := programs(t)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		write(t, "/etc/ssh/sshd_config.site", "Include /etc/ssh/sshd_config.d/*.conf\n")
		if err := os.Mkdir("/etc/ssh/sshd_config.d", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("sshd_config.site", "/etc/ssh/sshd_config"); err != nil {
			t.Fatal(err)
		}
		r := sshconf.Request{Server: true, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ClientAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err == nil {
			err = v.Apply(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		said, err := p.Server(t.Context(), "/etc/ssh/sshd_config", sshconf.Any)
		if err != nil || said["clientaliveinterval"] != "60" || v.Path != "/etc/ssh/sshd_config.d/10-tcpka.conf" {
			t.Errorf("%s in %s, %v", said["clientaliveinterval"], v.Path, err)
		}
		back, err := r.Revert(t.Context(), v.Path, v.New, v.Old)
		if err == nil {
			err = back.Apply(t.Context())
		}
		if _, there := os.Lstat(v.Path); err != nil || there == nil {
			t.Errorf("taken back: %v, %v", err, there)
		}
	})
}
