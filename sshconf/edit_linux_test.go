package sshconf_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/sshconf"
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
func kept(t *testing.T, what string, before, after map[string]string, v *sshconf.Revision) {
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
func (c *score) try(t *testing.T, what string, r sshconf.Request, ask func() (sshconf.Options, error), dirs ...string) *sshconf.Revision {
	t.Helper()
	before := snapshot(dirs...)
	v, err := r.Plan(t.Context())
	if after := snapshot(dirs...); !equal(before, after) {
		t.Errorf("%s: planning changed something", what)
	}
	if err != nil {
		if _, ok := errors.AsType[*sshconf.ShadowedError](err); ok {
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
		if _, ok := errors.AsType[*sshconf.ShadowedError](err); !ok {
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
	nstest.Run(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		w := &writer{Rand: rand.New(rand.NewPCG(5, 6)), client: true}
		var c score
		for n := range trees * 3 / 4 {
			for _, dir := range []string{home + "/.ssh", "/etc/ssh"} {
				entries, _ := filepath.Glob(dir + "/*")
				for _, e := range entries {
					os.RemoveAll(e)
				}
			}
			w.generate(t, home+"/.ssh", "config")
			write(t, "/etc/ssh/ssh_config", w.pick("Include /etc/ssh/ssh_config.d/*.conf\n", "")+"Host *\n  ServerAliveCountMax 4\n")
			write(t, "/etc/ssh/ssh_config.d/20-a.conf", w.pick("Host web1\n", "", "Host *\n")+"ServerAliveInterval 99\n")
			values := []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: strconv.Itoa(100000 + n)}}
			if n%2 == 0 {
				values = append(values, sshconf.Value{Keyword: sshconf.ServerAliveCountMax, Text: strconv.Itoa(1000 + n)})
			}
			if n%3 == 0 {
				values = append(values, sshconf.Value{Keyword: sshconf.TCPKeepAlive, Text: w.pick("yes", "no")})
			}
			others := []sshconf.Request{{Host: "web1"}, {Host: "db"}, {Host: "10.0.*"}, {System: true}}
			for _, r := range []sshconf.Request{{}, others[n%len(others)]} {
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
				show(t, home+"/.ssh", "/etc/ssh")
				break
			}
		}
		c.enough(t)
	})
}

func TestSetServerTrees(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		room(t)
		p := programs(t)
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		w := &writer{Rand: rand.New(rand.NewPCG(7, 8))}
		var c score
		dropIns := 0
		for n := range 3 * trees / 2 { // sshd refuses many
			for _, pattern := range []string{"/etc/ssh/d*", "/etc/ssh/sshd_config*"} {
				entries, _ := filepath.Glob(pattern)
				for _, e := range entries {
					os.RemoveAll(e)
				}
			}
			w.generate(t, "/etc/ssh", "sshd_config")
			if n%4 > 0 { // as distributions have it
				text, _ := os.ReadFile("/etc/ssh/sshd_config")
				write(t, "/etc/ssh/sshd_config", "# sshd\n\nInclude /etc/ssh/sshd_config.d/*.conf\n"+string(text))
				os.Mkdir("/etc/ssh/sshd_config.d", 0o755)
			}
			if n%4 > 1 {
				write(t, "/etc/ssh/sshd_config.d/"+w.pick("50-cloud.conf", "05-base.conf", "00-first.conf"), w.pick("Match User bob\n", "", "PrintMotd no\n")+"ClientAliveInterval 77\n")
			}
			r := sshconf.Request{Server: true, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ClientAliveInterval, Text: strconv.Itoa(100000 + n)}}}
			if n%2 == 0 {
				r.Values = append(r.Values, sshconf.Value{Keyword: sshconf.ClientAliveCountMax, Text: strconv.Itoa(1000 + n)})
			}
			if n%3 == 0 {
				r.Values = append(r.Values, sshconf.Value{Keyword: sshconf.TCPKeepAlive, Text: w.pick("yes", "no")})
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
				show(t, "/etc/ssh")
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

// TestFilesThatAreNotWritten refuses files that are somebody else's business, and
// leaves them as they are.
func TestFilesThatAreNotWritten(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		config := home + "/.ssh/config"
		r := sshconf.Request{Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		plan := func(t *testing.T, want error, text string) {
			t.Helper()
			before := snapshot(filepath.Dir(home))
			_, err := r.Plan(t.Context())
			if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
				t.Errorf("%v", err)
			}
			if !equal(before, snapshot(filepath.Dir(home))) {
				t.Error("something changed")
			}
		}
		fresh := func(t *testing.T, content string) {
			t.Helper()
			os.RemoveAll(config)
			write(t, config, content)
		}
		t.Run("a link out of the home directory", func(t *testing.T) {
			fresh(t, "")
			os.Remove(config)
			write(t, filepath.Dir(home)+"/elsewhere", "Compression yes\n")
			if err := os.Symlink(filepath.Dir(home)+"/elsewhere", config); err != nil {
				t.Fatal(err)
			}
			plan(t, sshconf.ErrOutside, "leads elsewhere")
		})
		t.Run("a file with two names", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			if err := os.Link(config, home+"/.ssh/second"); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(home + "/.ssh/second")
			before := snapshot(home)
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Writable(); !errors.Is(err, sshconf.ErrHardLinks) {
				t.Error(err)
			}
			if err := v.Apply(t.Context()); !errors.Is(err, sshconf.ErrHardLinks) || v.Written() || !equal(before, snapshot(home)) {
				t.Errorf("%v, written %t", err, v.Written())
			}
		})
		t.Run("a file that ssh refuses", func(t *testing.T) {
			fresh(t, "ServerAliveIntervall 5\n")
			plan(t, nil, "line 1: Bad configuration option: serveraliveintervall")
		})
		t.Run("a file with a byte order mark", func(t *testing.T) {
			fresh(t, "\xef\xbb\xbfCompression yes\n")
			plan(t, nil, "line 1: Bad configuration option")
		})
		t.Run("a file with NUL bytes", func(t *testing.T) {
			fresh(t, "Compression yes\x00\n")
			plan(t, nil, "NUL")
		})
		t.Run("a file that is too large", func(t *testing.T) {
			fresh(t, "")
			if err := os.Truncate(config, 100<<20); err != nil {
				t.Fatal(err)
			}
			_, err := r.Plan(t.Context())
			if err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
				t.Error(err)
			}
		})
		t.Run("a directory", func(t *testing.T) {
			os.RemoveAll(config)
			os.Mkdir(config, 0o700)
			plan(t, nil, "not a regular file")
		})
		t.Run("a loop of Include", func(t *testing.T) {
			fresh(t, "Include config\n")
			plan(t, nil, "Too many recursive configuration includes")
		})
		t.Run("17 levels of Include", func(t *testing.T) {
			fresh(t, "Include l1\n")
			for n := 1; n < 17; n++ {
				write(t, fmt.Sprintf("%s/.ssh/l%d", home, n), fmt.Sprintf("Include l%d\n", n+1))
			}
			write(t, home+"/.ssh/l17", "ServerAliveInterval 5\n")
			plan(t, nil, "Too many recursive configuration includes")
		})
		t.Run("an earlier block in an included file", func(t *testing.T) {
			fresh(t, "Include other\nHost *\n")
			write(t, home+"/.ssh/other", "Host tcpka*\n  # mine\n  ServerAliveInterval 5\n")
			plan(t, nil, "ServerAliveInterval would stay 5: "+home+"/.ssh/other:3 comes first")
		})
		t.Run("a Match exec that decides", func(t *testing.T) {
			fresh(t, "Match exec true\n  ServerAliveInterval 5\n")
			plan(t, nil, "ServerAliveInterval would stay 5: "+config+" line 2 may apply or not")
		})
		t.Run("a read-only disk", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			before := snapshot(home)
			if err := unix.Mount(home, home, "", unix.MS_BIND, ""); err != nil {
				t.Fatal(err)
			}
			defer unix.Unmount(home, unix.MNT_DETACH)
			if err := unix.Mount("", home, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
				t.Fatal(err)
			}
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := v.Writable(); !errors.Is(err, unix.EROFS) {
				t.Error(err)
			}
			if err := v.Apply(t.Context()); !errors.Is(err, unix.EROFS) || v.Written() || !v.Restored() {
				t.Errorf("%v, written %t", err, v.Written())
			}
			if !equal(before, snapshot(home)) {
				t.Error("something changed")
			}
		})
		t.Run("a file that changes between reading and writing", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			write(t, config, "Compression no\n")
			if err := v.Apply(t.Context()); !errors.Is(err, sshconf.ErrChanged) || v.Written() {
				t.Errorf("%v, written %t", err, v.Written())
			}
			if got, _ := os.ReadFile(config); string(got) != "Compression no\n" {
				t.Errorf("it has %q", got)
			}
			os.Remove(config)
			if err := v.Apply(t.Context()); !errors.Is(err, sshconf.ErrChanged) {
				t.Errorf("removed: %v", err)
			}
		})
		t.Run("a file that appears", func(t *testing.T) {
			os.RemoveAll(config)
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			write(t, config, "Compression no\n")
			if err := v.Apply(t.Context()); !errors.Is(err, sshconf.ErrChanged) {
				t.Error(err)
			}
			if got, _ := os.ReadFile(config); string(got) != "Compression no\n" {
				t.Errorf("it has %q", got)
			}
		})
		t.Run("one that is named and is a link", func(t *testing.T) {
			fresh(t, "Compression yes\n")
			if err := os.Symlink(config, home+"/link"); err != nil {
				t.Fatal(err)
			}
			defer func() { r.File = "" }()
			r.File = home + "/link"
			plan(t, sshconf.ErrOutside, "symbolic link")
			r.File = home + "/missing"
			plan(t, fs.ErrNotExist, "missing")
		})
		if left, _ := filepath.Glob(home + "/.ssh/.*tcpka*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// TestWhatIsKept writes a file that is a link within the home directory, with a mode,
// an attribute and line ends of its own.
func TestWhatIsKept(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		config, real := home+"/.ssh/config", home+"/dotfiles/ssh"
		write(t, real, "Host web1\r\n\tUser bob # him\r\n\r\nHost *\r\n\tServerAliveInterval 30\t# half\r\n")
		if err := errors.Join(os.Chmod(real, 0o640), os.Symlink("../dotfiles/ssh", config)); err != nil {
			t.Fatal(err)
		}
		const attribute = "user.tcpka"
		attributes := true
		if err := unix.Setxattr(real, attribute, []byte("mine"), 0); errors.Is(err, unix.ENOTSUP) {
			attributes = false
			t.Log("the file system has no user attributes")
		} else if err != nil {
			t.Fatal(err)
		}
		r := sshconf.Request{Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(real)
		want := "Host web1\r\n\tUser bob # him\r\n\r\nHost *\r\n\tServerAliveInterval 60\t# half\r\n"
		if err != nil || string(got) != want {
			t.Errorf("%q, %v", got, err)
		}
		if to, err := os.Readlink(config); err != nil || to != "../dotfiles/ssh" {
			t.Errorf("the link leads to %q, %v", to, err)
		}
		if info, err := os.Stat(real); err != nil || info.Mode() != 0o640 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
		value := make([]byte, 64)
		if n, err := unix.Getxattr(real, attribute, value); attributes && (err != nil || !bytes.Equal(value[:n], []byte("mine"))) {
			t.Errorf("the attribute is %q, %v", value[:max(n, 0)], err)
		}
		if left, _ := filepath.Glob(home + "/dotfiles/.*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}

// TestKeptOfAPattern tells of blocks that come first for some of the hosts of a pattern.
func TestKeptOfAPattern(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		config := home + "/.ssh/config"
		write(t, config, "Host web1\n  ServerAliveInterval 7\nHost db1\n  ServerAliveInterval 8\n")
		for pattern, want := range map[string][]string{
			"web?": {"Host web1: ServerAliveInterval 7 (" + config + " line 2)"},
			"web2": nil,
			"*1":   {"Host web1: ServerAliveInterval 7 (" + config + " line 2)", "Host db1: ServerAliveInterval 8 (" + config + " line 4)"},
		} {
			r := sshconf.Request{Owner: me(t), Host: pattern, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
			v, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(v.Kept, want) {
				t.Errorf("%s: %q, want %q", pattern, v.Kept, want)
			}
		}
	})
}

// TestWithoutTheProgram has the scanner alone to go by.
func TestWithoutTheProgram(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home := room(t)
		write(t, home+"/.ssh/config", "Host web1\n  ServerAliveInterval 7\n")
		r := sshconf.Request{Owner: me(t), Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err != nil || !v.Approximate || v.After["serveraliveinterval"] != "60" {
			t.Errorf("%v, %+v", err, v)
		}
		if want := []string{"Host web1: ServerAliveInterval 7 (" + home + "/.ssh/config line 2)"}; !slices.Equal(v.Kept, want) {
			t.Errorf("kept: %q", v.Kept)
		}
		var many strings.Builder
		for n := range 12 {
			fmt.Fprintf(&many, "Host h%d\n  ServerAliveInterval 7\n", n)
		}
		write(t, home+"/.ssh/config", many.String())
		if v, err = r.Plan(t.Context()); err != nil || len(v.Kept) != 11 || v.Kept[10] != "and 2 more" {
			t.Errorf("twelve: %v, %q", err, v.Kept)
		}
		write(t, home+"/.ssh/config", "Include config\n")
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "more than 16 levels of Include") {
			t.Errorf("a loop: %v", err)
		}
		write(t, home+"/.ssh/config", "Match exec x\n  ServerAliveInterval 7\n")
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "may apply or not") {
			t.Errorf("a Match exec: %v", err)
		}
	})
}

// TestRelativeIncludeOfTheSystem: ssh looks below /etc/ssh for it, and below ~/.ssh where
// it is given the same file by -F. What counts is what a user of the system gets.
func TestRelativeIncludeOfTheSystem(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		ask := func() string {
			t.Helper()
			said, err := p.Client(t.Context(), nil, "web1") // without a file of his own
			if err != nil {
				t.Fatal(err)
			}
			return said["serveraliveinterval"]
		}
		for _, tt := range []struct {
			name, main, dropIn string
			before, path       string // path: empty is refused
		}{
			{"no value yet", "Include ssh_config.d/*.conf\nHost *\n", "", "0", "/etc/ssh/ssh_config.d/90-tcpka.conf"},
			{"a value in a drop-in", "Include ssh_config.d/*.conf\n", "ServerAliveInterval 30\n", "30", "/etc/ssh/ssh_config.d/10-tcpka.conf"},
			{"a value above", "ServerAliveInterval 15\nInclude nothing \"ssh_config.d/*.conf\"\n", "ServerAliveInterval 30\n", "15", "/etc/ssh/ssh_config"},
			{"a value that comes first, and is not seen with -F", "Host *\nInclude ssh_config.d/*.conf\n", "ServerAliveInterval 30\n", "30", ""},
		} {
			for _, dir := range []string{home + "/.ssh/ssh_config.d", "/etc/ssh/ssh_config.d"} {
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			write(t, home+"/.ssh/ssh_config.d/50-x.conf", "ServerAliveInterval 7\n") // nobody reads it
			write(t, "/etc/ssh/ssh_config", tt.main)
			write(t, "/etc/ssh/ssh_config.d/50-x.conf", tt.dropIn)
			if got := ask(); got != tt.before {
				t.Fatalf("%s: ssh has %s, want %s", tt.name, got, tt.before)
			}
			r := sshconf.Request{System: true, Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
			v, err := r.Plan(t.Context())
			if tt.path == "" {
				if shadowed, ok := errors.AsType[*sshconf.ShadowedError](err); !ok || shadowed.Source != "/etc/ssh/ssh_config.d/50-x.conf:1" || shadowed.Got != tt.before {
					t.Errorf("%s: %v", tt.name, err)
				}
				continue
			}
			if err == nil {
				err = v.Apply(t.Context())
			}
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			if got := ask(); got != "60" || v.Path != tt.path || v.Before["serveraliveinterval"] != tt.before {
				t.Errorf("%s: %s was written, %s before: ssh has %s", tt.name, v.Path, v.Before["serveraliveinterval"], got)
			}
		}
	})
}

// TestWhatTheProgramRefuses has values that sshd refuses, and an sshd that changes its
// mind once the file is in place. Neither leaves a trace.
func TestWhatTheProgramRefuses(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		room(t)
		p := programs(t)
		const config, dropIn = "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/10-tcpka.conf"
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/ssh_host_ed25519_key").CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		write(t, config, "Include /etc/ssh/sshd_config.d/*.conf\n")
		if err := os.Mkdir("/etc/ssh/sshd_config.d", 0o755); err != nil {
			t.Fatal(err)
		}
		before := snapshot("/etc/ssh")
		r := sshconf.Request{Server: true, Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ClientAliveInterval, Text: "soon"}}}
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), config+" line 1: invalid time value.") || strings.Contains(err.Error(), "/tmp/") {
			t.Errorf("a value that is no time: %v", err)
		}
		// What is not right only where it lies: sshd looks at the real file alone.
		fickle := filepath.Join(t.TempDir(), "sshd")
		write(t, fickle, "#!/bin/sh\ncase \"$*\" in *' -f "+config+" '*|*' -f "+config+"') [ ! -e "+dropIn+" ] || { echo '"+config+": line 7: no' >&2; exit 255; };; esac\nexec "+p.SSHD+" \"$@\"\n")
		if err := os.Chmod(fickle, 0o755); err != nil {
			t.Fatal(err)
		}
		r.Values[0].Text, r.Programs.SSHD = "60", fickle
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err == nil || !strings.Contains(err.Error(), config+": line 7: no") || v.Written() || !v.Restored() {
			t.Errorf("written %t, restored %t, %v", v.Written(), v.Restored(), err)
		}
		if after := snapshot("/etc/ssh"); !equal(before, after) {
			t.Errorf("something changed: %q", after)
		}
		// One whose answer is another value.
		write(t, fickle, "#!/bin/sh\ncase \"$*\" in '-T -f "+config+" '*) "+p.SSHD+" \"$@\" | sed 's/^clientaliveinterval .*/clientaliveinterval 5/';; *) exec "+p.SSHD+" \"$@\";; esac\n")
		if v, err = r.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		err = v.Apply(t.Context())
		if shadowed, ok := errors.AsType[*sshconf.ShadowedError](err); !ok || shadowed.Got != "5" || v.Written() {
			t.Errorf("another value: %v", err)
		}
		if after := snapshot("/etc/ssh"); !equal(before, after) {
			t.Errorf("something changed: %q", after)
		}
		r.Programs = p
		if v, err = r.Plan(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); err != nil {
			t.Errorf("without all that: %v", err)
		}
	})
}

// TestRootDoesNotWriteWhatIsImmutable needs a file system with that attribute, and the
// right to set it.
func TestRootDoesNotWriteWhatIsImmutable(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		home, p := room(t), programs(t)
		config := home + "/.ssh/config"
		write(t, config, "Compression yes\n")
		chattr := nstest.Program(t, "chattr")
		if out, err := exec.Command(chattr, "+i", config).CombinedOutput(); err != nil {
			nstest.Missing(t, fmt.Sprintf("chattr +i: %v: %s", err, out))
		}
		defer exec.Command(chattr, "-i", config).Run()
		r := sshconf.Request{Owner: me(t), Programs: p, Values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "60"}}}
		v, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := v.Apply(t.Context()); !errors.Is(err, fs.ErrPermission) || v.Written() || !v.Restored() {
			t.Errorf("%v, written %t", err, v.Written())
		}
		if got, _ := os.ReadFile(config); string(got) != "Compression yes\n" {
			t.Errorf("it has %q", got)
		}
		if left, _ := filepath.Glob(home + "/.ssh/.*tcpka*"); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
}
