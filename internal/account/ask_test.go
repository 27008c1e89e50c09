package account

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePasswd(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       *user.User
	}{
		{"a user", "ada:x:4711:4712:Ada Lovelace,Room 1,,:/home/ada:/bin/sh\n", &user.User{Username: "ada", Uid: "4711", Gid: "4712", Name: "Ada Lovelace", HomeDir: "/home/ada"}},
		{"a name of Active Directory", "EXAMPLE\\ada l:*:4711:4712::/home/EXAMPLE/ada:\n", &user.User{Username: "EXAMPLE\\ada l", Uid: "4711", Gid: "4712", HomeDir: "/home/EXAMPLE/ada"}},
		{"nothing", "", nil},
		{"no end of the line", "ada:x:4711:4712::/home/ada:/bin/sh", nil},
		{"two users", "ada:x:4711:4712::/home/ada:/bin/sh\nbob:x:4712:4712::/home/bob:/bin/sh\n", nil},
		{"a field less", "ada:x:4711:4712:/home/ada:/bin/sh\n", nil},
		{"a colon in the full name", "ada:x:4711:4712:Ada:/root:/home/ada:/bin/sh\n", nil},
		{"no name", ":x:4711:4712::/home/ada:/bin/sh\n", nil},
		{"a control character in the name", "a\x1bda:x:4711:4712::/home/ada:/bin/sh\n", nil},
		{"a NUL in the home directory", "ada:x:4711:4712::/home/ada\x00:/bin/sh\n", nil},
		{"no home directory", "ada:x:4711:4712:::/bin/sh\n", nil},
		{"a relative home directory", "ada:x:4711:4712::ada:/bin/sh\n", nil},
		{"the number that is none", "ada:x:4294967295:4712::/home/ada:/bin/sh\n", nil},
		{"the group that is none", "ada:x:4711:4294967295::/home/ada:/bin/sh\n", nil},
		{"a negative number", "ada:x:-2:4712::/home/ada:/bin/sh\n", nil},
		{"a number that does not fit", "ada:x:4294967296:4712::/home/ada:/bin/sh\n", nil},
	} {
		got, err := parsePasswd(row.text)
		if diff := cmp.Diff(row.want, got); diff != "" || (err == nil) != (row.want != nil) {
			t.Errorf("%s: %v (-want +got)\n%s", row.name, err, diff)
		}
	}
}

func TestParseEntry(t *testing.T) {
	ada := &user.User{Username: "ada", Uid: "4711", Gid: "4712", Name: "Ada", HomeDir: "/home/ada"}
	for line, want := range map[string]*user.User{
		"ada:x:4711:4712:Ada,,,:/home/ada:/bin/sh":    ada,
		"ada:x:4711:4712:Ada:/home/ada:":              ada,
		"ada:x:4711:4712:Ada:/home/ada":               ada,
		"ada:x:4711:4712:Ada":                         nil,
		"#ada:x:4711:4712:Ada:/home/ada:/bin/sh":      nil,
		"+ada:x:4711:4712:Ada:/home/ada:/bin/sh":      nil,
		"-ada:x:4711:4712:Ada:/home/ada:/bin/sh":      nil,
		"+::::::":                                     nil,
		"ada:x::4712:Ada:/home/ada:/bin/sh":           nil,
		"ada:x:4711:x:Ada:/home/ada:/bin/sh":          nil,
		"ada:x:4294967295:4712:Ada:/home/ada:/bin/sh": nil,
		"": nil,
	} {
		got, ok := parseEntry(line)
		if !ok {
			got = nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got)\n%s", line, diff)
		}
	}
}

func TestParseIDs(t *testing.T) {
	for text, want := range map[string][]uint32{
		"4712\n": {4712}, "4712 27 0\n": {4712, 27, 0}, "4294967294\n": {4294967294},
		"": nil, "\n": nil, "4712": nil, "4712 \n": nil, "4712\n27\n": nil, "4712  27\n": nil,
		"4712 -1\n": nil, "4712 4294967295\n": nil, "4712 users\n": nil,
	} {
		if got, err := parseIDs(text); !slices.Equal(got, want) || (err == nil) != (want != nil) {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
}

// What is accepted is whole, and its numbers are the text's own.
func FuzzParsePasswd(f *testing.F) {
	f.Add("ada:x:4711:4712:Ada,,:/home/ada:/bin/sh\n")
	f.Add("ada:x:4711:4712:Ada:x:/home/ada:/bin/sh\n")
	f.Add("root:x:0:0::/:\n\n")
	f.Add("a\n:x:4294967295:-1::.:\n")
	f.Fuzz(func(t *testing.T, text string) {
		who, err := parsePasswd(text)
		if err != nil {
			return
		}
		uid, gid, err := IDs(who)
		if err != nil || uid == 1<<32-1 || gid == 1<<32-1 {
			t.Errorf("%q: %d, %d, %v", text, uid, gid, err)
		}
		if who.Username == "" || strings.ContainsAny(who.Username+who.HomeDir, ":\n\x00\x1b") || !filepath.IsAbs(who.HomeDir) {
			t.Errorf("%q: %+v", text, who)
		}
		if !strings.HasPrefix(text, who.Username+":") || !strings.Contains(text, ":"+who.Uid+":"+who.Gid+":"+who.Name) {
			t.Errorf("%q: %+v", text, who)
		}
	})
}

func FuzzParseIDs(f *testing.F) {
	f.Add("4712 27\n")
	f.Add("4712 -1\n")
	f.Add("0 4294967295\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		if ids, err := parseIDs(text); err == nil && (len(ids) != strings.Count(text, " ")+1 || slices.Contains(ids, 1<<32-1)) {
			t.Errorf("%q: %v", text, ids)
		}
	})
}

// Programs that do what the real ones should not.
func TestAskOfStrangePrograms(t *testing.T) {
	unknown := user.UnknownUserIdError(4711)
	grace := func(who *user.User) bool { return who.Uid == "5711" }
	for _, row := range []struct {
		name, script string
		is           error  // what the error is
		says         string // and what is in it
	}{
		{"it knows nobody", "exit 2", unknown, ""},
		{"it fails", "echo the service is away >&2; echo and more >&2; exit 1", nil, "user 5711: getent: exit status 1: the service is away"},
		{"it is killed", "kill -9 $$", nil, "user 5711: getent: signal: killed"},
		{"it answers with another user", "echo ada:x:4711:4712::/home/ada:/bin/sh", nil, "another user than was asked for"},
		{"it answers with nothing", ":", nil, "not one line"},
		{"it does not answer", "exec sleep 1000", context.DeadlineExceeded, "getent: no answer in "},
		{"it does not end its answer", "exec cat /dev/zero", errTooMuch, ""},
		{"it does not end its complaint", "exec cat /dev/zero >&2", errTooMuch, ""},
	} {
		p := programs{dirs: []string{t.TempDir(), t.TempDir()}, limit: 2 * time.Second}
		script(t, p.dirs[1], "getent", row.script)
		who, err := p.user("5711", unknown, grace)
		if err == nil || row.is != nil && !errors.Is(err, row.is) || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %+v, error %q; want one with %q that is %v", row.name, who, err, row.says, row.is)
		}
		if exit, ok := err.(interface{ ExitCode() int }); ok {
			t.Errorf("%s: the error has the exit status %d", row.name, exit.ExitCode())
		}
	}
	if _, err := (programs{dirs: []string{t.TempDir()}}).user("5711", unknown, grace); !errors.Is(err, unknown) {
		t.Errorf("without getent: %v", err)
	}
	if _, err := (programs{dirs: []string{t.TempDir()}}).groups("grace", 5711); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without id: %v", err)
	}
}

func TestGroupsOfAnotherUser(t *testing.T) {
	p := programs{dirs: []string{t.TempDir()}, limit: time.Minute}
	script(t, p.dirs[0], "id", `[ "$1" = -u ] && echo 4711 || echo 4712 27`)
	if got, err := p.groups("ada", 4711); err != nil || !slices.Equal(got, []uint32{4712, 27}) {
		t.Errorf("his own: %v, %v", got, err)
	}
	if got, err := p.groups("ada", 5711); err == nil {
		t.Errorf("of another user with this name: %v", got)
	}
	script(t, p.dirs[0], "id", `[ "$1" = -u ] && echo 4711 || echo 4712 users`)
	if got, err := p.groups("ada", 4711); err == nil {
		t.Errorf("a name among them: %v", got)
	}
}

// Nothing of the environment reaches a program, nor of the directory.
func TestAskWithAnEnvironmentOfItsOwn(t *testing.T) {
	t.Setenv("LD_TCPKA_TEST", "1")
	p := programs{dirs: []string{t.TempDir()}, limit: time.Minute}
	script(t, p.dirs[0], "getent", `pwd; env | grep -v -e ^PWD= -e ^SHLVL= -e ^_= -e ^OLDPWD= | sort; wc -c; echo "$@"`)
	got, err := p.ask("getent", "passwd", "$HOME *")
	if want := "/\nLC_ALL=C\nPATH=/usr/bin:/bin\n0\npasswd $HOME *\n"; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func script(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}
