package sshconf

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a directory, of which @ stands for the path.
func tree(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// told is what was found, in short: "config:3 by config:1, always".
func told(t *testing.T, dir string, f Findings) (lines []string) {
	t.Helper()
	for _, s := range f.Shadowed {
		at, err1 := filepath.Rel(dir, s.Source())
		by, err2 := filepath.Rel(dir, s.By.Source())
		if s.By.File == FromCommandLine {
			by, err2 = s.By.Source(), nil
		}
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		always := map[bool]string{true: ", always"}[s.Always]
		lines = append(lines, string(s.Keyword)+" "+s.Value+" at "+at+" by "+by+always)
	}
	return lines
}

func TestShadowedClient(t *testing.T) {
	for _, tt := range []struct {
		name, host, config string
		options            []string
		want               []string
	}{
		{"nothing", "web1", "ServerAliveInterval 5\nServerAliveCountMax 2\n", nil, nil},
		{"twice in a block", "web1", "Host web1\nServerAliveInterval 5\nserveraliveinterval=6\n", nil,
			[]string{"ServerAliveInterval 6 at config:3 by config:2, always"}},
		{"a block below what holds for all never has a say, whatever its host", "db", "ServerAliveInterval 5\nHost web1\n  ServerAliveInterval 6\n", nil,
			[]string{"ServerAliveInterval 6 at config:3 by config:1, always"}},
		{"Host * at the top", "db", "Host *\nServerAliveInterval 5\nMatch user bob\nServerAliveInterval 6\n", nil,
			[]string{"ServerAliveInterval 6 at config:4 by config:2, always"}},
		{"Host * with an exception is not for all", "db", "Host * !web1\nServerAliveInterval 5\nHost web1\nServerAliveInterval 6\n", nil, nil},
		{"blocks before Host * are in their right", "db", "Host web1\nServerAliveInterval 6\nHost *\nServerAliveInterval 5\nMatch final\nServerAliveCountMax 1\n", nil, nil},
		{"for this host alone", "web1", "Host web1\nServerAliveInterval 6\nHost *\nServerAliveInterval 5\n", nil,
			[]string{"ServerAliveInterval 5 at config:4 by config:2"}},
		{"none is not set", "web1", "ServerAliveInterval none\nServerAliveInterval 6\n", nil, nil},
		{"the command line", "web1", "ServerAliveInterval 6\n", []string{"ServerAliveInterval = 9", "Port 22", "\"broken"},
			[]string{"ServerAliveInterval 6 at config:1 by command line, always"}},
		{"an include in a block", "db", "Host web1\nInclude @/more\nHost *\nTCPKeepAlive no\nTCPKeepAlive yes\n", nil,
			[]string{"TCPKeepAlive yes at config:5 by config:4, always"}},
	} {
		dir := tree(t, map[string]string{"more": "ServerAliveInterval 1\nHost *\nServerAliveInterval 2\n"})
		config := filepath.Join(dir, "config")
		if err := os.WriteFile(config, []byte(strings.ReplaceAll(tt.config, "@", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := FindClient(Client{Host: tt.host, LocalUser: "me", UserFile: config, Options: tt.options})
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if diff := cmp.Diff(tt.want, told(t, dir, f)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestShadowedServer(t *testing.T) {
	dir := tree(t, map[string]string{
		"config":  "Include 10.conf\nClientAliveInterval 5\nTCPKeepAlive no\nMatch User bob\nClientAliveInterval 7\nMatch all\nClientAliveInterval 8\nClientAliveCountMax 4\n",
		"10.conf": "ClientAliveInterval 3\n",
	})
	v := Server{File: filepath.Join(dir, "config"), Dir: dir, Connection: Connection{User: "bob"}, Options: []string{"TCPKeepAlive=yes"}}
	f, err := FindServer(v)
	want := []string{
		"ClientAliveInterval 5 at config:2 by 10.conf:1, always",
		"TCPKeepAlive no at config:3 by command line, always",
		"ClientAliveInterval 8 at config:7 by config:5",
	}
	if diff := cmp.Diff(want, told(t, dir, f)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	files := []string{v.File, filepath.Join(dir, "10.conf")}
	if diff := cmp.Diff(files, f.Files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
