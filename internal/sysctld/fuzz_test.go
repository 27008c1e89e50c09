package sysctld

import (
	"bytes"
	"path"
	"strings"
	"testing"
)

// one is the files of a machine that has a single one.
func one(content string) *Files {
	return &Files{dropIns: []file{{name: "a.conf", path: "/etc/sysctl.d/a.conf", text: content}}}
}

func FuzzParse(f *testing.F) {
	for _, tt := range trees {
		for _, content := range tt.tree {
			if len(content) < 1<<10 {
				f.Add(content)
			}
		}
	}
	f.Fuzz(func(t *testing.T, content string) {
		lines := strings.Split(content, "\n")
		for _, r := range Readers() {
			for _, a := range one(content).Writes(r, key) {
				if a.Line < 1 || a.Line > len(lines) || !strings.Contains(lines[a.Line-1], a.Value) {
					t.Errorf("%s: %+v is not in its line", r, a)
				}
			}
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("tcp_keepalive_*", "tcp_keepalive_time")
	f.Add("*a*b*c?", "aabbccd")
	f.Add(`\**`, "x")
	f.Add("[[:alpha:]-z]*", "abc")
	f.Add("[!]-a]", "b")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		got := match(pattern, name)
		if strings.ContainsAny(pattern, "[/") || strings.Contains(name, "/") || !isASCII(pattern+name) {
			return
		}
		// Without brackets path.Match has the same language.
		if want, err := path.Match(pattern, name); err == nil && got != want {
			t.Errorf("match(%q, %q) = %v, path.Match says %v", pattern, name, got, want)
		}
	})
}

func FuzzMerge(f *testing.F) {
	f.Add(header+"\n", "600")
	f.Add(header+"\n"+key+" = 5\n", "600 # c")
	f.Add(header+"\n-"+key+"\n"+all+"=5\n# mine\n\n", "1")
	f.Fuzz(func(t *testing.T, old, value string) {
		set := map[string]string{key: value}
		content, err := Merge([]byte(old), set)
		if err != nil {
			return
		}
		if !ours(content) {
			t.Errorf("the result is not ours: %q", content)
		}
		if again, err := Merge(content, set); err != nil || !bytes.Equal(again, content) {
			t.Errorf("merged again %q becomes %q, %v", content, again, err)
		}
		if got := Values(content)[key]; got != value {
			t.Errorf("the value is %q, want %q in %q", got, value, content)
		}
		wins(t, content, value)
		without, err := Merge(content, nil, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := Values(without)[key]; ok {
			t.Errorf("still set in %q", without)
		}
	})
}

func isASCII(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' }) }
