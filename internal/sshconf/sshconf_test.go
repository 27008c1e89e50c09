package sshconf

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/nstest"
)

func scanClient(c Client) ([]Setting, error) {
	f, err := FindClient(c)
	return f.Settings, err
}

func scanServer(v Server) ([]Setting, error) {
	f, err := FindServer(v)
	return f.Settings, err
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "30": 30, "030": 30, "5m": 300, "1h30m": 5400, "1w": 604800, "1M": 60, "10s5m": 310, "2D": 172800,
		"2147483647": math.MaxInt32,
	} {
		if got, err := ParseTime(text); err != nil || got != want*time.Second {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want*time.Second)
		}
	}
	for _, text := range []string{"", "m", "-1", "+1", "0x10", "2.5", "1y", "5 m", "2147483648", "99999999999", "4000w", "none"} {
		if got, err := ParseTime(text); err == nil {
			t.Errorf("%q: %s, want an error", text, got)
		}
	}
}

func TestSplitLine(t *testing.T) {
	for line, want := range map[string][]string{
		"ServerAliveInterval 5":                 {"serveraliveinterval", "5"},
		"  SERVERALIVEINTERVAL\t5  \r\n":        {"serveraliveinterval", "5"},
		"ServerAliveInterval=5":                 {"serveraliveinterval", "5"},
		"ServerAliveInterval = 5":               {"serveraliveinterval", "5"},
		`ServerAliveInterval "5"`:               {"serveraliveinterval", "5"},
		`"ServerAliveInterval" 5`:               {"serveraliveinterval", "5"},
		"ServerAliveInterval 5 # a minute":      {"serveraliveinterval", "5"},
		"ServerAliveInterval 5# no comment":     {"serveraliveinterval", "5#", "no", "comment"},
		"# ServerAliveInterval 5":               {""},
		"#ServerAliveInterval 5":                {""},
		"":                                      {""},
		" \t\f":                                 {""},
		"Host a 'b c' \"d \\\" e\" f\\ g \\h i": {"host", "a", "b c", `d " e`, "f g", `\h`, "i"},
		"Host":                                  {"host"},
		`Include "/a b/*.conf" /c`:              {"include", "/a b/*.conf", "/c"},
	} {
		keyword, args, err := SplitLine(line)
		if diff := cmp.Diff(want, append([]string{keyword}, args...)); diff != "" || err != nil {
			t.Errorf("%q: %v -want +got:\n%s", line, err, diff)
		}
	}
	if _, _, err := SplitLine(`Host "a`); err == nil {
		t.Error("quotes that do not close are accepted")
	}
}

func TestMatchPattern(t *testing.T) {
	for _, tt := range []struct {
		s, pattern string
		want       bool
	}{
		{"web1", "web1", true}, {"web1", "Web1", false}, {"web1", "web?", true}, {"web1", "web", false}, {"web", "web?", false},
		{"web1", "*", true}, {"", "*", true}, {"", "", true}, {"a", "", false}, {"web1.example", "*.example", true},
		{"aXbXc", "a*b*c", true}, {"aXbX", "a*b*c", false}, {"abab", "*ab", true}, {"ab", "**a**b**", true},
		{strings.Repeat("a", 5000), strings.Repeat("*a", 5000) + "b", false}, // and soon
	} {
		if got := MatchPattern(tt.s, tt.pattern); got != tt.want {
			t.Errorf("%.20q and %.20q: %t", tt.s, tt.pattern, got)
		}
	}
}

func TestMatchAddress(t *testing.T) {
	for _, tt := range []struct {
		list string
		want truth
	}{
		{"10.0.0.9", yes}, {"10.0.0.0/8", yes}, {"192.168.0.0/16", no}, {"10.0.*", yes}, {"!10.0.0.9,*", no},
		{"192.168.0.0/16,10.0.0.0/24", yes}, {"10.0.0.1/8", unsure}, {"10.0.0.0/99", unsure},
	} {
		if got := matchAddress("10.0.0.9", tt.list); got != tt.want {
			t.Errorf("%s: %s", tt.list, got)
		}
	}
}

func TestUnsure(t *testing.T) {
	for name, tt := range map[string]struct {
		content string
		unsure  string // part of the reason; empty is sure
	}{
		"Match exec may or may not hold":          {"Match exec \"test -e /x\"\nServerAliveInterval 5\n", "line 2 may apply or not"},
		"what is set before it is sure":           {"ServerAliveInterval 3\nMatch exec true\nServerAliveInterval 5\n", ""},
		"another criterion may rule it out":       {"Match host db exec true\nServerAliveInterval 5\n", ""},
		"a criterion of the future":               {"Match phase-of-moon full\nServerAliveInterval 5\n", "may apply or not"},
		"a name with tokens":                      {"HostName %h.example\nMatch host web1\nServerAliveInterval 5\n", "may apply or not"},
		"an Include with tokens":                  {"Include /etc/%u.conf\nServerAliveInterval 5\n", "is not followed"},
		"an Include of another user's":            {"Include ~bob/config\n", "is not followed"},
		"CanonicalizeHostname":                    {"CanonicalizeHostname yes\nHost db\nServerAliveInterval 5\n", "CanonicalizeHostname"},
		"CanonicalizeHostname, and no line":       {"CanonicalizeHostname yes\nHost db\nUser a\n", ""},
		"BatchMode, on Debian":                    {"BatchMode yes\n", "BatchMode"},
		"BatchMode does not count beside a value": {"BatchMode yes\nServerAliveInterval 0\n", ""},
		"an Include below an unsure block":        {"Match exec true\nInclude sub\n", "sub line 1 may apply or not"},
	} {
		dir := t.TempDir()
		write := func(name, content string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("config", strings.ReplaceAll(tt.content, "Include sub", "Include "+dir+"/sub"))
		write("sub", "ServerAliveInterval 9\n")
		all, err := scanClient(Client{Host: "web1", LocalUser: "alice", Home: dir, UserFile: filepath.Join(dir, "config")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := all[0].Unsure; tt.unsure == "" && got != "" || !strings.Contains(got, tt.unsure) {
			t.Errorf("%s: unsure: %q, want %q", name, got, tt.unsure)
		}
	}
}

// TestBounds reads what no configuration should be.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) {
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("loop", "Include "+path("loop")+"\n")
	write("twice", "Include "+path("twice")+" "+path("twice")+"\n")
	write("nul", "ServerAliveInterval 5\x00\n")
	write("quotes", "Host \"a\n")
	write("line", strings.Repeat("x", MaxFile))
	huge, err := os.Create(path("huge"))
	if err != nil {
		t.Fatal(err)
	}
	defer huge.Close()
	if err := huge.Truncate(100 << 20); err != nil {
		t.Fatal(err)
	}
	for i := range 18 {
		next := "Include " + path("level"+string(rune('a'+i+1))) + "\n"
		if i == 17 {
			next = "ServerAliveInterval 7\n"
		}
		write("level"+string(rune('a'+i)), next)
	}
	lateness := nstest.WatchLateness()
	for name, want := range map[string]string{
		"loop": "more than 16 levels of Include", "twice": "more than", "nul": "has NUL bytes", "quotes": "line 1: quotes that do not close",
		"huge": "larger than", ".": "not a regular file", "levela": "more than 16 levels of Include",
	} {
		start := time.Now()
		_, err := scanClient(Client{Host: "web1", Home: dir, UserFile: path(name)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if took := time.Since(start); took > 5*time.Second+lateness.Since(start) {
			t.Errorf("%s: took %s", name, took)
		}
	}
	// One level less is what OpenSSH reads, too.
	all, err := scanClient(Client{Host: "web1", Home: dir, UserFile: path("levelb")})
	if err != nil || all[0].Value != "7" {
		t.Errorf("16 levels: %+v, %v", all, err)
	}
	if _, err := scanClient(Client{Host: "web1", Home: dir, UserFile: path("missing")}); err != nil {
		t.Errorf("no file: %v", err)
	}
	if _, err := scanServer(Server{File: path("missing")}); err == nil {
		t.Error("sshd without its file is accepted")
	}
}

func FuzzScan(f *testing.F) {
	f.Add("Host web*\n ServerAliveInterval=5\nMatch host web1 exec \"x\"\n\"TCPKeepAlive\" no\r\n")
	f.Add("Include /dev/null\nMatch address 10.0.0.0/8,!10.0.0.1\nClientAliveInterval 1h\n")
	f.Add("=\n\"\n'\n\\\n# \nMatch\nHost\nInclude\nServerAliveInterval\n")
	f.Fuzz(func(t *testing.T, content string) {
		// Files outside the fuzzer's stay unread.
		content = strings.ReplaceAll(strings.ReplaceAll(content, "/", "_"), "~", "_")
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		lines := strings.Count(content, "\n") + 1
		check := func(all []Setting, err error) {
			for _, s := range all {
				if s.Line < 0 || s.Line > lines || (s.Line == 0) != (s.File == "") || s.Line > 0 && s.Source() == "" {
					t.Errorf("%+v", s)
				}
			}
			if err != nil && all != nil {
				t.Errorf("settings beside an error: %v", err)
			}
		}
		check(scanClient(Client{Host: "web1", User: "bob", LocalUser: "alice", Home: filepath.Dir(file), UserFile: file}))
		check(scanServer(Server{File: file, Dir: filepath.Dir(file), Connection: Connection{User: "bob", Addr: "10.0.0.9"}}))
	})
}
