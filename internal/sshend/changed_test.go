package sshend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// TestChangedSince does to the files of an ssh what people do while it runs.
func TestChangedSince(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(home string) error
		want string // HOME stands for the directory
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"the file is edited", func(home string) error {
			return os.WriteFile(home+"/.ssh/config", []byte("#"), 0o600)
		}, "HOME/.ssh/config has changed"},
		{"the file is taken away", func(home string) error { return os.Remove(home + "/.ssh/config") },
			"HOME/.ssh/config is not there, and may have been: HOME/.ssh has changed"},
		{"the file is taken away, and its directory", func(home string) error { return os.RemoveAll(home + "/.ssh") },
			"HOME/.ssh/config is not there, and may have been: HOME has changed"},
		{"an older file takes its place", func(home string) error { return os.Rename(home+"/old", home+"/.ssh/config") },
			"HOME/.ssh/config has changed"},
		{"something else is made beside it", func(home string) error {
			return os.WriteFile(home+"/.ssh/known_hosts", nil, 0o600)
		}, ""},
		{"the last file of an Include is taken away", func(home string) error { return os.Remove(home + "/more.d/a.conf") },
			"HOME/more.d/a.conf is not there, and may have been: HOME/more.d has changed"},
		{"what an Include names is taken away", func(home string) error { return os.RemoveAll(home + "/more.d") },
			"HOME/more.d/a.conf is not there, and may have been: HOME has changed"},
		{"a link leads to another file, as old as the first", func(home string) error {
			if err := os.Remove(home + "/link"); err != nil {
				return err
			}
			return os.Symlink("old", home+"/link")
		}, "HOME/link has changed"},
		{"what a link leads to is taken away", func(home string) error { return os.Remove(home + "/dots/config") },
			"HOME/link is not there, and may have been: HOME/dots has changed"},
	} {
		home := t.TempDir()
		for _, dir := range []string{".ssh", "more.d", "dots"} {
			if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for _, file := range []string{".ssh/config", "more.d/a.conf", "old", "dots/config"} {
			nstest.WriteFile(t, filepath.Join(home, file), "")
		}
		if err := os.Symlink("dots/config", home+"/link"); err != nil {
			t.Fatal(err)
		}
		found := sshconf.Findings{
			Files: []string{home + "/.ssh/config", home + "/more.d/a.conf", home + "/link"},
			Dirs:  []string{home + "/more.d"},
		}
		nstest.ClockTick()
		since := time.Now()
		nstest.ClockTick()
		if err := tt.do(home); err != nil {
			t.Fatal(err)
		}
		if got := strings.ReplaceAll(ChangedSince(found, since), home, "HOME"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}

	// Whoever looks now finds nothing any more of what is gone: its directory is left.
	home := t.TempDir()
	nstest.WriteFile(t, home+"/config", "Include "+home+"/more.d/*.conf\nInclude "+home+"/*/here\n")
	if err := os.MkdirAll(home+"/more.d", 0o700); err != nil {
		t.Fatal(err)
	}
	nstest.WriteFile(t, home+"/more.d/a.conf", "")
	nstest.WriteFile(t, home+"/more.d/here", "")
	for _, c := range []struct{ gone, want string }{
		{"/more.d/a.conf", "HOME/more.d has changed"},
		{"/more.d/here", "HOME/more.d has changed"},
		{"/more.d", "HOME has changed"},
	} {
		nstest.ClockTick()
		since := time.Now()
		nstest.ClockTick()
		if err := os.Remove(home + c.gone); err != nil {
			t.Fatal(err)
		}
		found, err := sshconf.FindClient(sshconf.Client{Host: "a", UserFile: home + "/config"})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(ChangedSince(found, since), home, "HOME")
		if got != c.want {
			t.Errorf("without %s: %q, want %q", c.gone, got, c.want)
		}
	}
}
