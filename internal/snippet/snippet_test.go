package snippet

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

var update = flag.Bool("update", false, "write the golden files anew")

// twoMinutes are the settings that a plan makes of: noticed within two minutes,
// two lost probes survived.
func twoMinutes() Values {
	k := calc.DefaultKernel()
	goal := calc.Goal{DetectWithin: 2 * time.Minute, SurviveLoss: 2}
	return Values{
		TCP:   &keepalive.Settings{Time: 86 * time.Second, Intvl: 10 * time.Second, Probes: 3, UserTimeout: 115 * time.Second},
		SSH:   &calc.SSH{Interval: 29 * time.Second, CountMax: 3},
		Meets: func(s keepalive.Settings) bool { return k.Meets(goal, s) },
	}
}

func render(v Values) string {
	var b strings.Builder
	for _, t := range Targets() {
		b.WriteString("==== " + t.Name + ": " + t.Title + "\n" + t.Render(v))
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	oddTimeout := twoMinutes()
	oddTimeout.TCP.UserTimeout = 115300 * time.Millisecond
	bare := twoMinutes()
	bare.TCP.UserTimeout = 0
	bare.Meets = nil
	bare.SSH.Interval = 90 * time.Second
	for name, v := range map[string]Values{
		"two_minutes": twoMinutes(),
		"odd_timeout": oddTimeout,
		"bare":        bare,
		"nothing":     {WhyNotTCP: "the proxy answers the probes itself", WhyNotSSH: "two lines\nof reasons"},
	} {
		got, file := render(v), filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got; -update accepts it):\n%s", file, diff)
		}
	}
}

func TestTargetsAreWellFormed(t *testing.T) {
	wellFormed := regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)
	seen := map[string]bool{}
	for _, target := range Targets() {
		for _, name := range append([]string{target.Name}, target.Aliases...) {
			if !wellFormed.MatchString(name) || seen[name] {
				t.Errorf("%s: %q is no name, or not its own", target.Name, name)
			}
			seen[name] = true
		}
		if target.Title == "" || target.comment == "" || target.render == nil {
			t.Errorf("%s: it lacks something", target.Name)
		}
		for _, v := range []Values{twoMinutes(), {WhyNotTCP: "no", WhyNotSSH: "no"}} {
			text := target.Render(v)
			if !strings.HasSuffix(text, "\n") || strings.HasSuffix(text, "\n\n") || strings.Contains(text, "%!") {
				t.Errorf("%s: %q", target.Name, text)
			}
			for line := range strings.Lines(text) {
				if len(line) > 101 || strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
					t.Errorf("%s: %q is not tidy", target.Name, line)
				}
			}
		}
	}
}

// Every target names each of the values, or says that it cannot.
func TestNothingIsLeftOut(t *testing.T) {
	v := twoMinutes()
	for _, target := range Targets() {
		text := target.Render(v)
		want := []string{"86", "10", "3"}
		switch target.Name {
		case "redis", "node", "curl": // one value of their own
			want = []string{"largest"}
		case "putty", "securecrt":
			want = []string{"1d"}
		case "teraterm":
			want = []string{"28"}
		default:
			if target.ssh {
				want = []string{"29"}
			}
		}
		if !target.ssh {
			want = append(want, "115") // set, or said to be impossible
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not speak of %s:\n%s", target.Name, w, text)
			}
		}
	}
}

// What a target makes of its one value meets the goal, and the next larger value
// does not.
func TestLargest(t *testing.T) {
	v := twoMinutes()
	for name, of := range map[string]func(time.Duration) keepalive.Settings{"redis": redisSettings, "node": nodeSettings} {
		n := largest(v, of)
		if n == 0 || !v.Meets(of(n)) || v.Meets(of(n+time.Second)) {
			t.Errorf("%s: got %v", name, n)
		}
	}
	impossible := twoMinutes()
	impossible.Meets = func(keepalive.Settings) bool { return false }
	for _, name := range []string{"redis", "node", "curl"} {
		target, _ := Lookup(name)
		if text := target.Render(impossible); !strings.Contains(text, "cannot do it") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestLookup(t *testing.T) {
	for typed, want := range map[string]string{"nginx": "nginx", "PostgreSQL": "postgresql", "K8s": "kubernetes", "git": "ssh"} {
		if got, err := Lookup(typed); err != nil || got.Name != want {
			t.Errorf("%s: got %q, %v", typed, got.Name, err)
		}
	}
	for typed, want := range map[string]string{"ngnix": "nginx", "systemdd": "systemd", "pyhton": "python", "": "", "zzzz": ""} {
		_, err := Lookup(typed)
		unknown, ok := errors.AsType[*UnknownError](err)
		if !ok || want != "" && !slices.Contains(unknown.Near, want) || want == "" && len(unknown.Near) > 0 {
			t.Errorf("%q: got %v", typed, err)
		}
	}
}
