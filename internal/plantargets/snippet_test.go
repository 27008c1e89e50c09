package plantargets

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
		if target.Title == "" || target.comment == "" || (target.render == nil) == (target.form == "") {
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
		case "redis", "node", "curl", "mysql2", "windows": // one value of their own
			want = []string{"largest"}
		case "putty", "securecrt":
			want = []string{"1d"}
		case "teraterm":
			want = []string{"28"}
		default:
			if target.fixed != nil {
				want = []string{"meet the goal"}
			}
			if target.data {
				want = []string{"29"}
			}
		}
		if !target.data {
			want = append(want, "115") // set, or said to be impossible
		}
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not speak of %s:\n%s", target.Name, w, text)
			}
		}
	}
}

// What stands between two ends says which text is for which.
func TestEachSideIsNamed(t *testing.T) {
	for _, target := range Targets() {
		text := target.Render(twoMinutes())
		for _, side := range target.sides {
			if !strings.Contains(strings.ToLower(text), "towards "+side) && !strings.Contains(text, "towards\n# "+side) {
				t.Errorf("%s does not say what is towards %s:\n%s", target.Name, side, text)
			}
		}
		if target.sides == nil && strings.Contains(strings.ToLower(text), "towards clients") {
			t.Errorf("%s: it has sides, and says so nowhere else", target.Name)
		}
	}
	// The connection that a load balancer cuts is the one towards clients.
	for _, name := range []string{"istio", "envoy-gateway"} {
		target, _ := Lookup(name)
		if text := target.Render(twoMinutes()); strings.Index(text, "Towards clients") > strings.Index(text, "Towards backends") || !strings.Contains(text, "can cut") {
			t.Errorf("%s: the side of the load balancer is not the first", name)
		}
	}
}

// No value is left as a word in braces.
func TestFormsAreFilled(t *testing.T) {
	left := regexp.MustCompile(`\{[a-z_]+\}`)
	for _, target := range Targets() {
		if found := left.FindAllString(strings.ReplaceAll(target.Render(twoMinutes()), "{{ item", ""), -1); found != nil {
			t.Errorf("%s: %q", target.Name, found)
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
	for _, name := range []string{"redis", "node", "curl", "mysql2", "windows"} {
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
	// Another program is no slip of the finger.
	for _, other := range []string{"nats", "etcd", "cassandra", "jetty", "caddy", "traefik", "memcached", "varnish", "tomcat", "rest", "gin", "perl", "odbc", "consul", "celery", "activemq", "exim", "sql2", "putnam", "gnome", "kube-router", "cri-dockerd"} {
		if _, err := Lookup(other); err == nil || len(err.(*UnknownError).Near) > 0 {
			t.Errorf("%s: got %v", other, err)
		}
	}
	for _, asked := range []string{"npgsql", "dotnet", "erlang", "rabbitmq", "netty", "ruby", "php", "mongodb", "kafka", "grpc", "jdbc", "hikaricp", "pgbouncer", "proxysql", "openldap", "samba", "windows", "macos", "freebsd", "ecs", "ansible", "mssql", "laravel"} {
		if _, err := Lookup(asked); err != nil {
			t.Error(err)
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

// given are the targets whose text one of these tests gives to the program, or to a parser
// of its format, and has the values read back.
var given = []string{
	"sysctl", "compose", "kubernetes", "ecs", "cri-o", "quadlet", "lxc", "cloud-init", "ansible",
	"nginx", "haproxy", "envoy", "istio", "envoy-gateway", "squid", "stunnel", "socat", "samba", "postgresql", "mariadb", "redis", "systemd",
	"sqlalchemy", "django", "pgbouncer", "openldap",
	"libpq", "c", "go", "java", "node", "python", "ruby", "php", "erlang", "rabbitmq",
	"ssh", "sshd",
}

// Of the others the text is read against the program's documentation alone.
func TestTargetsThatNoProgramHasRead(t *testing.T) {
	var unread []string
	for _, name := range Names() {
		if !slices.Contains(given, name) {
			unread = append(unread, name)
		}
	}
	t.Logf("%d targets of %d are not given to a program: %s", len(unread), len(Targets()), strings.Join(unread, ", "))
	if most := 25; len(unread) > most {
		t.Errorf("%d targets are not tested with a program, of %d that may be", len(unread), most)
	}
	for _, name := range given {
		if !slices.Contains(Names(), name) {
			t.Errorf("there is no target %s", name)
		}
	}
}
