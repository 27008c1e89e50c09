package sshclients

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// fuzzFormat reads anything as a file of one format: no panic, no endless loop, no
// session without a program, nothing negative.
func fuzzFormat(f *testing.F, format Format) {
	for _, tt := range samples {
		if tt.format == format {
			for _, content := range encodings(tt.content) {
				f.Add([]byte(content))
			}
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		text, err := newText(content)
		if err != nil {
			return
		}
		sessions, err := parsers[format](text)
		if err != nil {
			return
		}
		lines := strings.Count(string(content), "\n") + 1
		for _, s := range sessions {
			if s.Program == "" || s.Lines == nil || s.Interval != nil && *s.Interval < 0 || s.Typed != nil && *s.Typed < 0 {
				t.Errorf("%+v", s)
			}
			for key, line := range s.Lines {
				if line < 1 || line > lines {
					t.Errorf("%s in line %d of %d", key, line, lines)
				}
			}
			if s.Interval != nil {
				if in, err := s.Instructions(Wanted{Interval: s.Interval}); err == nil && strings.ContainsAny(strings.ReplaceAll(in.File, "\r\n", ""), "\r\n\x00") {
					t.Errorf("what is to be imported has lines of its own: %q", in.File)
				}
			}
		}
	})
}

func FuzzPuTTY(f *testing.F) { fuzzFormat(f, FormatPuTTY) }

func FuzzKiTTY(f *testing.F) { fuzzFormat(f, FormatKiTTY) }

func FuzzRegistry(f *testing.F) { fuzzFormat(f, FormatRegistry) }

func FuzzWinSCP(f *testing.F) { fuzzFormat(f, FormatWinSCP) }

func FuzzTeraTerm(f *testing.F) { fuzzFormat(f, FormatTeraTerm) }

func FuzzSecureCRT(f *testing.F) { fuzzFormat(f, FormatSecureCRT) }

func FuzzXshell(f *testing.F) { fuzzFormat(f, FormatXshell) }

func FuzzMobaXterm(f *testing.F) { fuzzFormat(f, FormatMobaXterm) }

func FuzzDropbear(f *testing.F) { fuzzFormat(f, FormatDropbear) }

func FuzzSSHFile(f *testing.F) { fuzzFormat(f, FormatSSH) }

func FuzzSSHDFile(f *testing.F) { fuzzFormat(f, FormatSSHD) }

func TestFileOfNotesIsBounded(t *testing.T) {
	for unit, format := range map[string]Format{"Include x\n": FormatSSH, "ServerAliveInterval x\n": FormatSSH, "ClientAliveInterval 1\n": FormatSSHD} {
		content := strings.Repeat(unit, sshconf.MaxFile/len(unit))
		f, err := ParseFile("sshd_config", []byte(strings.Repeat(map[Format]string{FormatSSH: "Host *\n", FormatSSHD: "UsePAM no\n"}[format], 1)+content[:len(content)-len(unit)*2]))
		if err != nil || f.Format != format || len(f.Sessions) != 1 || len(f.Sessions[0].Problem) > 2000 || !utf8.ValidString(f.Sessions[0].Problem) {
			t.Errorf("%q: %s, %d sessions, %v", unit, f.Format, len(f.Sessions), err)
		}
	}
	for _, unit := range []string{"[HKCU\\Software\\SimonTatham\\PuTTY\\Sessions\\%d]\n", "[Sessions\\%d]\n"} {
		var b strings.Builder
		if strings.HasPrefix(unit, "[HK") {
			b.WriteString("REGEDIT4\n")
		}
		for n := range maxSessions + 1 {
			b.WriteString(strings.ReplaceAll(unit, "%d", strings.Repeat("x", n%100)+string(rune('a'+n/100%26))+string(rune('a'+n/2600))+"."))
		}
		if _, err := ParseFile("x", []byte(b.String())); err == nil {
			t.Errorf("%q: no error for so many", unit)
		}
	}
}
