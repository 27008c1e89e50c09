//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A scene is what a command is killed in: the live kernel of a private namespace,
// or an image.
type scene struct {
	t    *testing.T
	root string // "" is the live one
	home string
	file []byte // the boot file before; nil is none
}

const bootFile = "/etc/sysctl.d/99-tcpka.conf"

// args are a command's, in this scene.
func (s scene) args(words ...string) []string {
	if s.root != "" {
		words = append(words, "--root", s.root)
	}
	return words
}

// set up puts everything into its old state.
func (s scene) setUp() {
	s.t.Helper()
	if s.root == "" {
		reset(s.t)
		s.must(os.RemoveAll(s.home))
		s.must(os.RemoveAll(filepath.Dir(bootFile)))
	} else {
		s.must(os.RemoveAll(s.root))
		dir := filepath.Join(s.root, "proc/sys/net/ipv4")
		s.must(os.MkdirAll(dir, 0o755))
		for name, text := range map[string]string{"time": "7200\n", "intvl": "75\n", "probes": "9\n"} {
			s.must(os.WriteFile(filepath.Join(dir, "tcp_keepalive_"+name), []byte(text), 0o644))
		}
	}
	if s.file != nil {
		s.must(os.MkdirAll(filepath.Dir(s.root+bootFile), 0o755))
		s.must(os.WriteFile(s.root+bootFile, s.file, 0o644))
	}
}

func (s scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// tcpka runs a command to its end.
func (s scene) tcpka(words ...string) (status int, stdout, stderr string) {
	var out, errs bytes.Buffer
	status = execute(s.args(words...), nil, &out, &errs)
	return status, out.String(), errs.String()
}

// The values before and after.
var (
	oldValues = []string{"7200", "75", "9"}
	newValues = []string{"600", "10", "9"}
)

// look says in words what is changed and what is recorded, and fails the test
// where something is neither old nor new.
func (s scene) look(fileAfter []byte) string {
	s.t.Helper()
	var changed []string
	for i, value := range strings.Split(settings(s.t, s.root), " ") {
		value = strings.TrimRight(value, "\n") // of an image: in place of the end of a longer value
		name := []string{"time", "intvl", "probes"}[i]
		switch value {
		case oldValues[i]:
		case newValues[i]:
			changed = append(changed, name)
		default:
			s.t.Errorf("%s is %q: neither old nor new", name, value)
		}
	}
	file, err := os.ReadFile(s.root + bootFile)
	switch {
	case os.IsNotExist(err):
		file = nil
	case err != nil:
		s.t.Fatal(err)
	}
	if !same(file, s.file) {
		if !same(file, fileAfter) {
			s.t.Errorf("the boot file is neither old nor new:\n%s", file)
		}
		changed = append(changed, "boot file")
	}
	entries, _ := os.ReadDir(filepath.Dir(s.root + bootFile))
	for _, e := range entries {
		if e.Name() != filepath.Base(bootFile) && strings.HasSuffix(e.Name(), ".conf") {
			s.t.Errorf("%s was left, and would be read at boot", e.Name())
		}
	}
	state := s.recorded()
	if len(changed) == 0 {
		changed = []string{"nothing"}
	}
	return state + ": " + strings.Join(changed, ", ") + " changed"
}

func same(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

// recorded is the state of the one command in the journal.
func (s scene) recorded() string {
	s.t.Helper()
	status, stdout, stderr := s.tcpka("undo", "--list", "--json")
	var list struct{ Entries []struct{ State string } }
	if err := json.Unmarshal([]byte(stdout), &list); err != nil || status != 0 || stderr != "" || len(list.Entries) > 1 {
		s.t.Fatalf("undo --list: status %d, %v\n%s%s", status, err, stdout, stderr)
	}
	if len(list.Entries) == 0 {
		return "not recorded"
	}
	return list.Entries[0].State
}

// room is a directory in memory, where fsync is quick.
func room(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/run", "scene")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
