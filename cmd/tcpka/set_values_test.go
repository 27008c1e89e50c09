//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nstest"
)

// TestSetAcceptsAndRefusesValues gives set what people and scripts give it, on the
// real kernel of a private namespace. What is refused is refused as misuse, with
// the reason and the range, and nothing is written anywhere.
func TestSetAcceptsAndRefusesValues(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		home := t.TempDir()
		t.Setenv("HOME", home)
		const seconds = `accepted are whole numbers from 1 to [0-9]{7,8} s$`
		const count = `accepted are whole numbers from 1 to 255$`
		for _, tt := range []struct {
			name string
			args string // after set; a comma parts the words
			want string // time intvl probes; what is refused leaves 7200 75 9
			err  string // a regular expression
		}{
			{"seconds", "--time,600", "600 75 9", ""},
			{"leading zeros are not octal", "--time,0600", "600 75 9", ""},
			{"with a unit", "--time,10m", "600 75 9", ""},
			{"with two units", "--time,2h4m", "7440 75 9", ""},
			{"in days", "--time,1d", "86400 75 9", ""},
			{"whole seconds in milliseconds", "--intvl,60000ms", "7200 60 9", ""},
			{"the smallest", "--time,1,--intvl,1,--probes,1", "1 1 1", ""},
			{"the largest count", "--probes,255", "7200 75 255", ""},
			{"given twice, the last one counts", "--time,5,--time,600", "600 75 9", ""},

			{"zero", "--time,0", "", `^tcpka: error: --time "0": 0 would probe every connection as soon as keepalive is switched on; ` + seconds},
			{"negative", "--time,-5", "", `--time "-5": a negative time would switch keepalive off in effect; ` + seconds},
			{"negative behind an equals sign", "--time=-5", "", `a negative time`},
			{"a fraction", "--time,1.5", "", `--time "1.5": fractions are not accepted; ` + seconds},
			{"hexadecimal", "--time,0x10", "", `--time "0x10": neither a number of seconds nor a duration such as .*; ` + seconds},
			{"larger than the kernel takes", "--time,99999999999", "", `--time "99999999999": too large; ` + seconds},
			{"just larger than the kernel takes", "--time,99999999", "", `--time "99999999": the kernel refuses it; ` + seconds},
			{"empty", "--time,", "", `--time "": no value; ` + seconds},
			{"empty behind an equals sign", "--time=", "", `no value`},
			{"a part of a second", "--time,1500ms", "", `--time "1500ms": finer than a whole second; ` + seconds},
			{"a plus", "--time,+5", "", `neither a number`},
			{"a blank", "--time,1 m", "", `neither a number`},
			{"a missing unit", "--time,1h30", "", `neither a number`},
			{"digits of another script", "--time,١٢", "", `neither a number`},
			{"a flag in place of the value", "--time,--dry-run", "", `neither a number`},
			{"no interval", "--intvl,0", "", `--intvl "0": 0 would drop healthy connections whose answer takes longer than some milliseconds; ` + seconds},
			{"a negative interval", "--intvl,-1", "", `--intvl "-1": a negative intvl would send one probe, and the next months later; ` + seconds},
			{"no probes", "--probes,0", "", `--probes "0": 0 would drop healthy idle connections without a single probe; ` + count},
			{"too many probes", "--probes,256", "", `--probes "256": the kernel refuses it; ` + count},
			{"negative probes", "--probes,-1", "", `--probes "-1": .*; ` + count},
			{"probes with a unit", "--probes,9s", "", `--probes "9s": not a decimal number; ` + count},
			{"far too many probes", "--probes,99999999999", "", `--probes "99999999999": too large; ` + count},
			{"half a probe", "--probes,4.5", "", `--probes "4.5": fractions are not accepted; ` + count},
			{"one of two", "--time,600,--probes,0", "", `--probes "0"`},
		} {
			t.Run(tt.name, func(t *testing.T) {
				reset(t)
				var stdout, stderr bytes.Buffer
				status := execute(append([]string{"set"}, strings.Split(tt.args, ",")...), nil, &stdout, &stderr)
				if tt.err == "" {
					if got := settings(t, ""); status != cmdline.StatusDone || got != tt.want || stderr.Len() > 0 {
						t.Errorf("status %d, the kernel holds %s, want 0 and %s\n%s", status, got, tt.want, &stderr)
					}
					os.RemoveAll(filepath.Join(home, ".local"))
					return
				}
				line, _, _ := strings.Cut(stderr.String(), "\n")
				if status != cmdline.StatusMisuse || stdout.Len() > 0 || !regexp.MustCompile(tt.err).MatchString(line) {
					t.Errorf("status %d, want 2 and %s\nstdout: %s\nstderr: %s", status, tt.err, &stdout, &stderr)
				}
				if got := settings(t, ""); got != "7200 75 9" {
					t.Errorf("the kernel holds %s", got)
				}
				if entries, err := os.ReadDir(home); err != nil || len(entries) > 0 {
					t.Errorf("something was written: %v, %v", entries, err)
				}
			})
		}
	})
}

// reset gives this namespace the kernel's defaults.
func reset(t *testing.T) {
	t.Helper()
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "7200")
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "75")
	nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "9")
}

// settings are the three values under a root, each as it stands in its file but
// for the newline.
func settings(t *testing.T, root string) string {
	t.Helper()
	var texts []string
	for _, name := range []string{"time", "intvl", "probes"} {
		text, err := os.ReadFile(root + "/proc/sys/net/ipv4/tcp_keepalive_" + name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.TrimSuffix(string(text), "\n"))
	}
	return strings.Join(texts, " ")
}
