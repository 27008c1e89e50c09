package sshedit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/sshconf"
)

func settingsOf(f sshconf.Findings, err error) ([]sshconf.Setting, error) { return f.Settings, err }

// clientRevision is reviseClient with the scanner, for a file that is not there.
func clientRevision(t *testing.T, content, pattern string, values ...sshconf.Value) (string, error) {
	t.Helper()
	r := Request{Host: pattern}
	const path = "/x/config" // read from memory
	scan := func(content []byte) ([]sshconf.Setting, error) {
		return settingsOf(sshconf.FindClient(sshconf.Client{Host: r.dest(), LocalUser: "me", Home: filepath.Dir(path), UserFile: path, Instead: &sshconf.Overlay{Path: path, Content: content}}))
	}
	updated, err := reviseClient([]byte(content), path, r.pattern(), values, scan)
	return string(updated), err
}

func serverRevision(t *testing.T, content string, values ...sshconf.Value) (string, error) {
	t.Helper()
	const path = "/x/sshd_config"
	scan := func(content []byte) ([]sshconf.Setting, error) {
		return settingsOf(sshconf.FindServer(sshconf.Server{File: path, Dir: filepath.Dir(path), Connection: sshconf.Any, Instead: &sshconf.Overlay{Path: path, Content: content}}))
	}
	updated, err := reviseServer([]byte(content), path, values, scan)
	return string(updated), err
}

func TestReviseClient(t *testing.T) {
	interval, count := sshconf.Value{Keyword: sshconf.ServerAliveInterval, Text: "60"}, sshconf.Value{Keyword: sshconf.ServerAliveCountMax, Text: "5"}
	for _, tt := range []struct {
		name, pattern, old, want string
		values                   []sshconf.Value
	}{
		{name: "an empty file gets a block for every host", old: "", want: "Host *\n  ServerAliveInterval 60\n"},
		{
			name: "bare lines stay, a block comes behind them",
			old:  "Compression yes\n",
			want: "Compression yes\n\nHost *\n  ServerAliveInterval 60\n",
		},
		{
			name: "never bare lines behind the last block",
			old:  "Host web1\n\tUser bob\n",
			want: "Host web1\n\tUser bob\n\nHost *\n\tServerAliveInterval 60\n",
		},
		{
			name: "a Host * at the end is used, with its indentation",
			old:  "Host web1\n  User bob\nHost *\n    Compression yes\n\n# the end\n",
			want: "Host web1\n  User bob\nHost *\n    Compression yes\n    ServerAliveInterval 60\n\n# the end\n",
		},
		{
			name: "the line that decides is changed where it stands; separator, quotes, comment and end stay",
			old:  "Host web1\r\n  User bob\r\nHost *\r\n\tserveralIVEinterval\t=\t\"30\"   # half a minute\r\nServerAliveInterval 10",
			want: "Host web1\r\n  User bob\r\nHost *\r\n\tserveralIVEinterval\t=\t\"60\"   # half a minute\r\nServerAliveInterval 10",
		},
		{
			name: "a bare line that decides",
			old:  "ServerAliveInterval=5m\nHost web1\nServerAliveInterval 7\n",
			want: "ServerAliveInterval=60\nHost web1\nServerAliveInterval 7\n",
		},
		{name: "what holds already is left alone", old: "ServerAliveInterval 1m\n", want: "ServerAliveInterval 1m\n"},
		{name: "so is a default", old: "# nothing\n", want: "# nothing\n", values: []sshconf.Value{{Keyword: sshconf.ServerAliveInterval, Text: "0"}, {Keyword: sshconf.TCPKeepAlive, Text: "yes"}}},
		{
			name: "one is changed, the other is new",
			old:  "ServerAliveInterval 30\nHost web1\n User bob\n", values: []sshconf.Value{interval, count},
			want: "ServerAliveInterval 60\nHost web1\n User bob\n\nHost *\n ServerAliveCountMax 5\n",
		},
		{
			name: "a last line without its end gets one",
			old:  "Host web1\r\n  User bob",
			want: "Host web1\r\n  User bob\r\n\r\nHost *\r\n  ServerAliveInterval 60\r\n",
		},
		{name: "none is no value", old: "Host *\nServerAliveInterval none\n", want: "Host *\nServerAliveInterval none\nServerAliveInterval 60\n"},
		{name: "an alias is changed as it is", old: "KeepAlive yes\n", want: "KeepAlive no\n", values: []sshconf.Value{{Keyword: sshconf.TCPKeepAlive, Text: "no"}}},
		{
			name: "a pattern of its own, in its block", pattern: "web1",
			old:  "Host web1\n    User bob\n\nHost *\n  ServerAliveInterval 30\n",
			want: "Host web1\n    User bob\n    ServerAliveInterval 60\n\nHost *\n  ServerAliveInterval 30\n",
		},
		{
			name: "changed in its block", pattern: "web1",
			old:  "Host web1\n    ServerAliveInterval 5\nHost *\n  ServerAliveInterval 30\n",
			want: "Host web1\n    ServerAliveInterval 60\nHost *\n  ServerAliveInterval 30\n",
		},
		{
			name: "a new block before the one that decides, and its comment", pattern: "web1",
			old:  "Host db\n  User x\n\n# all\nHost web*\n  ServerAliveInterval 30\n\nHost *\n  Compression yes\n",
			want: "Host db\n  User x\n\nHost web1\n  ServerAliveInterval 60\n\n# all\nHost web*\n  ServerAliveInterval 30\n\nHost *\n  Compression yes\n",
		},
		{
			name: "at the end, where that is early enough", pattern: "web1",
			old:  "Host db\n  ServerAliveInterval 30\n",
			want: "Host db\n  ServerAliveInterval 30\n\nHost web1\n  ServerAliveInterval 60\n",
		},
		{
			name: "before bare lines, which then are for every host by name", pattern: "web1",
			old:  "# mine\n\nServerAliveInterval 30\nCompression yes\nHost db\n  User x\n",
			want: "# mine\n\nHost web1\n  ServerAliveInterval 60\n\nHost *\nServerAliveInterval 30\nCompression yes\nHost db\n  User x\n",
		},
		{
			name: "a list of patterns is not the pattern", pattern: "web1",
			old:  "Host web1 web2\n  ServerAliveInterval 30\n",
			want: "Host web1\n  ServerAliveInterval 60\n\nHost web1 web2\n  ServerAliveInterval 30\n",
		},
		{
			name: "--host * is every host", pattern: "*",
			old:  "Host *\n  ServerAliveInterval 30\n",
			want: "Host *\n  ServerAliveInterval 60\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values := tt.values
			if values == nil {
				values = []sshconf.Value{interval}
			}
			got, err := clientRevision(t, tt.old, tt.pattern, values...)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			again, err := clientRevision(t, got, tt.pattern, values...)
			if err != nil || again != got {
				t.Errorf("a second time it becomes %q, %v", again, err)
			}
		})
	}
}

func TestReviseServer(t *testing.T) {
	interval, count := sshconf.Value{Keyword: sshconf.ClientAliveInterval, Text: "60"}, sshconf.Value{Keyword: sshconf.ClientAliveCountMax, Text: "5"}
	for _, tt := range []struct {
		name, old, want string
	}{
		{"an empty file", "", "ClientAliveInterval 60\nClientAliveCountMax 5\n"},
		{
			"before the first Match, and its comment",
			"Port 22\n\n# few\nMatch User bob\n  ClientAliveInterval 5\n",
			"Port 22\nClientAliveInterval 60\nClientAliveCountMax 5\n\n# few\nMatch User bob\n  ClientAliveInterval 5\n",
		},
		{
			"behind the keyword that is commented out",
			"#TCPKeepAlive yes\n#ClientAliveInterval 0\n#ClientAliveCountMax 3\nUsePAM yes\nMatch all\n",
			"#TCPKeepAlive yes\n#ClientAliveInterval 0\nClientAliveInterval 60\n#ClientAliveCountMax 3\nClientAliveCountMax 5\nUsePAM yes\nMatch all\n",
		},
		{
			"where it stands",
			"clientaliveinterval = 5m # five\r\nClientAliveCountMax '3'\r\nClientAliveInterval 9\r\n",
			"clientaliveinterval = 60 # five\r\nClientAliveCountMax '5'\r\nClientAliveInterval 9\r\n",
		},
		{"what holds", "ClientAliveInterval 1m\nClientAliveCountMax 5\n", "ClientAliveInterval 1m\nClientAliveCountMax 5\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := serverRevision(t, tt.old, interval, count)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("-want +got:\n%s", d)
			}
			if again, err := serverRevision(t, got, interval, count); err != nil || again != got {
				t.Errorf("a second time it becomes %q, %v", again, err)
			}
		})
	}
}

// TestReviseServerBeforeAnInclude has a value in a file that is included above.
func TestReviseServerBeforeAnInclude(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.conf")
	if err := os.WriteFile(other, []byte("ClientAliveInterval 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := serverRevision(t, "# sshd\n\n# more\nInclude "+other+"\nPort 22\n", sshconf.Value{Keyword: sshconf.ClientAliveInterval, Text: "60"})
	want := "# sshd\n\nClientAliveInterval 60\n# more\nInclude " + other + "\nPort 22\n"
	if err != nil || got != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, got))
	}
}

func TestSetValue(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"ClientAliveInterval 5\n", "ClientAliveInterval 60\n"},
		{"\tclientaliveinterval=5\r\n", "\tclientaliveinterval=60\r\n"},
		{`  "ClientAliveInterval" "5" # c` + "\n", `  "ClientAliveInterval" "60" # c` + "\n"},
		{"ClientAliveInterval = '5'\t\f\n", "ClientAliveInterval = '60'\t\f\n"},
		{"ClientAliveInterval 5", "ClientAliveInterval 60"},
		{`ClientAliveInterval 5"m" x`, `ClientAliveInterval 60 x`},
		{"ClientAliveInterval\n", ""},
		{"ClientAliveInterval # 5\n", ""},
		{"# ClientAliveInterval 5\n", ""},
		{"ClientAliveInterval \"5\n", ""},
		{"\n", ""},
	} {
		got, ok := setValue(tt.line, "60")
		if ok != (tt.want != "") || ok && got != tt.want || !ok && got != tt.line {
			t.Errorf("%q becomes %q, %t; want %q", tt.line, got, ok, tt.want)
		}
	}
}

func TestDropInDir(t *testing.T) {
	for _, tt := range []struct {
		main, want string
		line       int
	}{
		{"Include /etc/ssh/sshd_config.d/*.conf\n", "/etc/ssh/sshd_config.d", 0},
		{"# x\ninclude=sshd_config.d/*\n", "/etc/ssh/sshd_config.d", 1},
		{"Port 22\nInclude /a/b.conf /c/*.conf\n", "/c", 1},
		{"Include /a/b.conf\nInclude /c/*.conf\n", "/c", 1},
		{"Match all\nInclude /etc/ssh/sshd_config.d/*.conf\n", "", 0},
		{"Include /etc/ssh/*/x.conf\n", "", 0},
		{"Include /etc/ssh/sshd_config.d/50-*.conf\n", "", 0},
		{"Include /etc/ssh/sshd_config.d/[0-9]*.conf\n", "", 0},
		{"", "", 0},
	} {
		if got, line := parseDocument([]byte(tt.main), false).dropInDir("/etc/ssh"); got != tt.want || line != tt.line {
			t.Errorf("%q: %q in line %d, want %q in line %d", tt.main, got, line, tt.want, tt.line)
		}
	}
}

// FuzzRevise makes sure that what is not changed stays to the byte, and that what is
// changed holds: by the scanner, which for this purpose knows every file.
func FuzzRevise(f *testing.F) {
	for _, content := range []string{
		"", "Host *\n", "ServerAliveInterval 5", "\xef\xbb\xbf# x\r\nHost a\r\n\tserveraliveinterval=\"5\"\r\n",
		"Match host x\nServerAliveInterval 5\nMatch all\nServerAliveInterval 7", "Host a b\nHost a\n # c\n\n", "\"\n'\nHost\nMatch\n=\n",
		"#ClientAliveInterval 0\nMatch User x\nClientAliveInterval 5\n", "ClientAliveInterval '1'm # x\n", "Host *\\\n\x0c\n \xff",
	} {
		f.Add(content, "")
		f.Add(content, "a")
	}
	f.Fuzz(func(t *testing.T, content, pattern string) {
		content = strings.ReplaceAll(strings.ReplaceAll(content, "/", "_"), "~", "_")
		if sshconf.CheckPattern(pattern) != nil {
			pattern = ""
		}
		if same := string(parseDocument([]byte(content), true).apply(newRevision())); same != content {
			t.Fatalf("%q without a change becomes %q", content, same)
		}
		check := func(what string, client bool, v sshconf.Value, revise func(string) (string, error), now func(string) (sshconf.Setting, error)) {
			t.Helper()
			got, err := revise(content)
			if err != nil {
				return
			}
			// At most one line differs but for those that are new.
			d := parseDocument([]byte(content), client)
			before, after := d.lines, parseDocument([]byte(got), client).lines
			changed, i := 0, 0
			for _, l := range before {
				raw := l.raw
				for i < len(after) && after[i].raw != raw && after[i].raw != raw+d.end {
					if len(after)-i <= len(before) && changed == 0 && len(after[i].args) > 0 && after[i].keyword == l.keyword && v.Holds(after[i].args[0]) {
						changed++
						break
					}
					i++
				}
				if i == len(after) {
					t.Fatalf("%s: %q becomes %q, without %q", what, content, got, raw)
				}
				i++
			}
			s, err := now(got)
			if err != nil {
				return
			}
			plain := !client || pattern != "" && d.exactBlock(pattern) < 0
			for _, l := range d.lines {
				plain = plain && l.keyword != "match" && l.keyword != "include" && l.keyword != "canonicalizehostname" && l.keyword != "batchmode"
			}
			if plain && (s.Unsure != "" || !v.Holds(s.Effective())) {
				t.Errorf("%s: %q becomes %q, and %s is %q by line %d", what, content, got, v.Keyword, s.Effective(), s.Line)
			}
			if again, err := revise(got); s.Unsure == "" && v.Holds(s.Effective()) && (err != nil || again != got) {
				t.Errorf("%s: %q becomes %q, and then %q, %v", what, content, got, again, err)
			}
		}
		r := Request{Host: pattern}
		check("client", true, sshconf.Value{Keyword: sshconf.ServerAliveInterval, Text: "60"},
			func(s string) (string, error) {
				return clientRevision(t, s, pattern, sshconf.Value{Keyword: sshconf.ServerAliveInterval, Text: "60"})
			},
			func(s string) (sshconf.Setting, error) {
				all, err := settingsOf(sshconf.FindClient(sshconf.Client{Host: r.dest(), LocalUser: "me", Home: "/x", UserFile: "/x/config", Instead: &sshconf.Overlay{Path: "/x/config", Content: []byte(s)}}))
				return sshconf.Of(all, sshconf.ServerAliveInterval), err
			})
		check("server", false, sshconf.Value{Keyword: sshconf.ClientAliveInterval, Text: "60"},
			func(s string) (string, error) {
				return serverRevision(t, s, sshconf.Value{Keyword: sshconf.ClientAliveInterval, Text: "60"})
			},
			func(s string) (sshconf.Setting, error) {
				all, err := settingsOf(sshconf.FindServer(sshconf.Server{File: "/x/config", Dir: "/x", Connection: sshconf.Any, Instead: &sshconf.Overlay{Path: "/x/config", Content: []byte(s)}}))
				return sshconf.Of(all, sshconf.ClientAliveInterval), err
			})
	})
}
