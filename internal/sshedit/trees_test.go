package sshedit_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshedit"
	"github.com/tcpka/tcpka/internal/sshtest"
)

// me is root of the room.
func me(t *testing.T) *user.User {
	t.Helper()
	who, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	return who
}

// snapshot is every file below the directories, but for keys.
func snapshot(dirs ...string) map[string]string {
	all := map[string]string{}
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() && !strings.Contains(path, "key") {
				text, _ := os.ReadFile(path)
				all[path] = string(text)
			}
			return nil
		})
	}
	return all
}

// kept fails where a line of a file is gone that was not the one to change, or
// another file is not as it was.
func kept(t *testing.T, what string, before, after map[string]string, v *sshedit.Revision) {
	t.Helper()
	for path, text := range before {
		if path == v.Path {
			continue
		}
		if after[path] != text {
			t.Errorf("%s: %s changed too", what, path)
		}
	}
	for path := range after {
		if _, there := before[path]; !there && path != v.Path {
			t.Errorf("%s: %s is new", what, path)
		}
	}
	if after[v.Path] != string(v.New) {
		t.Errorf("%s: %s is not what was planned", what, v.Path)
	}
	// Lines that are gone are those that had a keyword that was set.
	left := slices.Collect(strings.Lines(after[v.Path]))
	gone := 0
	for line := range strings.Lines(before[v.Path]) {
		if i := slices.Index(left, line); i >= 0 {
			left = slices.Delete(left, i, i+1)
			continue
		}
		if i := slices.IndexFunc(left, func(s string) bool { return strings.TrimRight(s, "\r\n") == line }); i >= 0 {
			left = slices.Delete(left, i, i+1) // the last line got its end
			continue
		}
		if gone++; !strings.Contains(strings.ToLower(line), "alive") {
			t.Errorf("%s: the line %q is gone", what, line)
		}
	}
	if gone > 3 {
		t.Errorf("%s: %d lines are gone", what, gone)
	}
}

// score counts what became of the changes.
type score struct{ done, refused, rejected, nothing int }

// try sets values, and makes sure that the program then has them, or that nothing was
// changed.
func (c *score) try(t *testing.T, what string, r sshedit.Request, ask func() (sshconf.Options, error), dirs ...string) *sshedit.Revision {
	t.Helper()
	before := snapshot(dirs...)
	v, err := r.Plan(t.Context())
	if after := snapshot(dirs...); !equal(before, after) {
		t.Errorf("%s: planning changed something", what)
	}
	if err != nil {
		if _, ok := errors.AsType[*sshedit.ShadowedError](err); ok {
			c.refused++
		} else if _, askErr := ask(); askErr == nil {
			t.Errorf("%s: %v", what, err)
		} else {
			c.rejected++
		}
		return nil
	}
	if err := v.Apply(t.Context()); err != nil {
		c.refused++
		if _, ok := errors.AsType[*sshedit.ShadowedError](err); !ok {
			t.Errorf("%s: %v", what, err)
		}
		if after := snapshot(dirs...); !equal(before, after) || !v.Restored() {
			t.Errorf("%s: refused, but something changed", what)
		}
		return nil
	}
	c.done++
	if !v.Changed() {
		c.nothing++
	}
	said, err := ask()
	if err != nil {
		t.Errorf("%s: afterwards: %v", what, err)
	}
	for _, w := range r.Values {
		if got := said[strings.ToLower(string(w.Keyword))]; got != w.Text {
			t.Errorf("%s: %s is %s, want %s", what, w.Keyword, got, w.Text)
		}
	}
	kept(t, what, before, snapshot(dirs...), v)

	// A second time there is nothing to do, and back is back.
	again, err := r.Plan(t.Context())
	if err != nil || again.Changed() {
		t.Errorf("%s: a second time: %v", what, err)
	}
	if !v.Changed() {
		return v
	}
	back, err := r.Revert(t.Context(), v.Path, v.New, v.Old)
	if err == nil {
		err = back.Apply(t.Context())
	}
	if after := snapshot(dirs...); err != nil || !equal(before, after) {
		t.Errorf("%s: taken back: %v", what, err)
	}
	return v
}

func equal(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for path, text := range a {
		if now, ok := b[path]; !ok || now != text {
			return false
		}
	}
	return true
}

func (c score) enough(t *testing.T) {
	t.Helper()
	t.Logf("%d done, %d of them with nothing to do; %d refused as shadowed, %d rejected by the program as they were", c.done, c.nothing, c.refused, c.rejected)
	if c.done < 60 || c.done < c.refused || c.done < 2*c.nothing {
		t.Error("too few changes")
	}
}

func TestSetClientTrees(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		home, p := sshtest.Room(t), sshtest.Programs(t)
		w := &sshtest.Writer{Rand: rand.New(rand.NewPCG(5, 6)), Client: true}
		var c score
		for n := range sshtest.Trees * 3 / 4 {
			for _, dir := range []string{home + "/.ssh", "/etc/ssh"} {
				entries, _ := filepath.Glob(dir + "/*")
				for _, e := range entries {
					os.RemoveAll(e)
				}
			}
			w.Generate(t, home+"/.ssh", "config")
			sshtest.Write(t, "/etc/ssh/ssh_config", w.Pick("Include /etc/ssh/ssh_config.d/*.conf\n", "")+"Host *\n  ServerAliveCountMax 4\n")
			sshtest.Write(t, "/etc/ssh/ssh_config.d/20-a.conf", w.Pick("Host web1\n", "", "Host *\n")+"ServerAliveInterval 99\n")
			values := []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: strconv.Itoa(100000 + n)}}
			if n%2 == 0 {
				values = append(values, sshconf.Value{Keyword: sshconf.ServerAliveCountMax, Text: strconv.Itoa(1000 + n)})
			}
			if n%3 == 0 {
				values = append(values, sshconf.Value{Keyword: sshconf.TCPKeepAlive, Text: w.Pick("yes", "no")})
			}
			others := []sshedit.Request{{Host: "web1"}, {Host: "db"}, {Host: "10.0.*"}, {System: true}}
			for _, r := range []sshedit.Request{{}, others[n%len(others)]} {
				r.Values, r.Owner, r.Programs = values, me(t), p
				dest := map[string]string{"": "tcpka.invalid", "10.0.*": "10.0.tcpka"}[r.Host]
				if dest == "" {
					dest = r.Host
				}
				ask := func() (sshconf.Options, error) {
					if r.System {
						return p.ClientFile(t.Context(), nil, "/etc/ssh/ssh_config", dest)
					}
					return p.Client(t.Context(), nil, dest)
				}
				c.try(t, fmt.Sprintf("tree %d, host %q, system %t", n, r.Host, r.System), r, ask, home+"/.ssh", "/etc/ssh")
			}
			if t.Failed() {
				sshtest.Show(t, home+"/.ssh", "/etc/ssh")
				break
			}
		}
		c.enough(t)
	})
}

func TestSetServerTrees(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		sshtest.Room(t)
		p := sshtest.Programs(t)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		w := &sshtest.Writer{Rand: rand.New(rand.NewPCG(7, 8))}
		var c score
		dropIns := 0
		for n := range 3 * sshtest.Trees / 2 { // sshd refuses many
			for _, pattern := range []string{"/etc/ssh/d*", "/etc/ssh/sshd_config*"} {
				entries, _ := filepath.Glob(pattern)
				for _, e := range entries {
					os.RemoveAll(e)
				}
			}
			w.Generate(t, "/etc/ssh", "sshd_config")
			if n%4 > 0 { // as distributions have it
				text, _ := os.ReadFile("/etc/ssh/sshd_config")
				sshtest.Write(t, "/etc/ssh/sshd_config", "# sshd\n\nInclude /etc/ssh/sshd_config.d/*.conf\n"+string(text))
				os.Mkdir("/etc/ssh/sshd_config.d", 0o755)
			}
			if n%4 > 1 {
				sshtest.Write(t, "/etc/ssh/sshd_config.d/"+w.Pick("50-cloud.conf", "05-base.conf", "00-first.conf"), w.Pick("Match User bob\n", "", "PrintMotd no\n")+"ClientAliveInterval 77\n")
			}
			r := sshedit.Request{Server: true, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ClientAliveInterval, Text: strconv.Itoa(100000 + n)}}}
			if n%2 == 0 {
				r.Values = append(r.Values, sshconf.Value{Keyword: sshconf.ClientAliveCountMax, Text: strconv.Itoa(1000 + n)})
			}
			if n%3 == 0 {
				r.Values = append(r.Values, sshconf.Value{Keyword: sshconf.TCPKeepAlive, Text: w.Pick("yes", "no")})
			}
			if n%5 == 0 {
				r.File = "/etc/ssh/sshd_config"
			}
			v := c.try(t, fmt.Sprintf("tree %d, file %q", n, r.File), r, func() (sshconf.Options, error) {
				return p.Server(t.Context(), "/etc/ssh/sshd_config", sshconf.Any)
			}, "/etc/ssh")
			if v != nil && strings.HasSuffix(v.Path, "-tcpka.conf") {
				dropIns++
			}
			if t.Failed() {
				sshtest.Show(t, "/etc/ssh")
				break
			}
		}
		t.Logf("%d drop-ins", dropIns)
		if dropIns < 20 {
			t.Error("too few drop-ins")
		}
		c.enough(t)
	})
}
