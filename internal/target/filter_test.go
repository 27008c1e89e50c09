package target

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/sockets"
)

// parseFilter reads a command line that has nothing but filters.
func parseFilter(args ...string) (f sockets.Filter, given bool, err error) {
	app := &cli.App{
		Flags:                     FilterFlags(),
		DisableSliceFlagSeparator: true,
		Action: func(c *cli.Context) error {
			f, given, err = FilterOf(c)
			return nil
		},
	}
	if err := app.Run(append([]string{"tcpka"}, args...)); err != nil {
		return f, false, err
	}
	return f, given, err
}

func TestFilterFlags(t *testing.T) {
	end := func(prefix string, port uint16) sockets.Endpoint {
		e := sockets.Endpoint{Port: port}
		if prefix != "" {
			e.Prefix = netip.MustParsePrefix(prefix)
		}
		return e
	}
	for _, tt := range []struct {
		name string
		args []string
		want sockets.Filter
	}{
		{"a flag twice is either", []string{"--pid", "1", "--pid", "22"}, sockets.Filter{PIDs: []int{1, 22}}},
		{"and so is a comma", []string{"--port=22,5432"}, sockets.Filter{Ports: []uint16{22, 5432}}},
		{"a comma may be part of a name", []string{"--comm", "a,b"}, sockets.Filter{Comms: []string{"a,b"}}},
		{"of a long name the kernel keeps 15 bytes", []string{"--comm", "systemd-networkd"}, sockets.Filter{Comms: []string{"systemd-network"}}},
		{"different ones are all", []string{"--keepalive", "ON", "--origin", "sysctl"}, sockets.Filter{Keepalive: sockets.On, Origin: sockets.FromSysctl}},
		{"ends", []string{"--local", ":22", "--remote", "10.0.0.0/8,[fe80::1]:443"},
			sockets.Filter{Local: []sockets.Endpoint{end("", 22)}, Remote: []sockets.Endpoint{end("10.0.0.0/8", 0), end("fe80::1/128", 443)}}},
		{"silent for a time", []string{"--silent-for", "10m"}, sockets.Filter{SilentFor: 10 * time.Minute}},
		{"states in any case", []string{"--state", "ESTAB,Close-Wait"}, sockets.Filter{States: sockets.StatesOf(sockets.Established, sockets.CloseWait)}},
		{"states as ss reads them", []string{"--state", "established", "--state", "listening"}, sockets.Filter{States: sockets.StatesOf(sockets.Established, sockets.Listen)}},
		{"all states", []string{"--state", "all"}, sockets.Filter{States: sockets.AllStates}},
		{"all but listeners", []string{"--state", "connected"}, sockets.Filter{States: sockets.AllStates &^ sockets.StatesOf(sockets.Listen)}},
		{"a name with a slash", []string{"--comm", "rt/worker"}, sockets.Filter{Comms: []string{"rt/worker"}}},
		{"a cgroup", []string{"--cgroup", "system.slice/ssh.service/"}, sockets.Filter{Cgroups: []string{"/system.slice/ssh.service"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, given, err := parseFilter(tt.args...)
			if err != nil || !given {
				t.Fatalf("given %t, %v", given, err)
			}
			if d := cmp.Diff(tt.want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
	if f, given, err := parseFilter(); given || err != nil || !cmp.Equal(f, sockets.Filter{}) {
		t.Errorf("without flags: %+v, %t, %v", f, given, err)
	}
}

func TestFilterFlagsThatMakeNoSense(t *testing.T) {
	for _, tt := range []struct{ flag, value, want, hint string }{
		{"pid", "0", `--pid "0": a PID is 1 or more`, ""},
		{"pid", "1,,2", `--pid "1,,2": no value`, ""},
		{"pid", "x", `--pid "x": not a decimal number`, ""},
		{"pid", "", `--pid "": no value`, ""},
		{"comm", "/usr/sbin/sshd", `--comm "/usr/sbin/sshd": the name of a program, not its path`, ""},
		{"port", "65536", `--port "65536": a port is a number from 1 to 65535`, ""},
		{"port", "ssh", `--port "ssh": a port is a number from 1 to 65535`, "ssh is --port 22"},
		{"port", "no-such-service", `--port "no-such-service": a port is a number from 1 to 65535`, "it may be known to: getent services no-such-service"},
		{"local", "example.org", `--local "example.org": "example.org" is not an address, a prefix or a port`, `a name is not looked up; its addresses: --local "$(getent ahosts example.org | awk '{print $1}' | sort -u | paste -sd,)"`},
		{"remote", "db:5432", `--remote "db:5432": "db:5432" is not an address, a prefix or a port`, `a name is not looked up; its addresses: --remote "$(getent ahosts db | awk '{print $1}' | sort -u | paste -sd,)" --port 5432`},
		{"remote", "fe80::1%eth0", `--remote "fe80::1%eth0": "fe80::1%eth0": a zone cannot be matched`, "without it, on any interface: --remote fe80::1"},
		{"remote", "[fe80::1%eth0]:22", `--remote "[fe80::1%eth0]:22": "[fe80::1%eth0]:22": a zone cannot be matched`, "without it, on any interface: --remote [fe80::1]:22"},
		{"remote", "fe80::g", `--remote "fe80::g": "fe80::g" is not an address, a prefix or a port`, ""},
		{"remote", ":0", `--remote ":0": ":0": "0" is not a port`, ""},
		{"state", "establ", `--state "establ": no such state`, "did you mean estab?"},
		{"state", "zzz", `--state "zzz": no such state`, "the states are estab, syn-sent, syn-recv, fin-wait-1, fin-wait-2, time-wait, close-wait, last-ack, listen, closing, connected, all"},
		{"state", "closed", `--state "closed": the kernel lists no socket that is neither connected nor listens`, ""},
		{"keepalive", "yes", `--keepalive "yes": it is on or off`, ""},
		{"keepalive", "on,off", `--keepalive "on,off": on and off exclude each other`, ""},
		{"origin", "kernel", `--origin "kernel": it is socket or sysctl`, ""},
		{"cgroup", "", `--cgroup "": no value`, ""},
	} {
		t.Run(tt.flag+" "+tt.value, func(t *testing.T) {
			_, _, err := parseFilter("--" + tt.flag + "=" + tt.value)
			f, ok := err.(*cmdline.Failure)
			if !ok || f.Status != cmdline.StatusMisuse || f.Error() != tt.want || f.Hint != tt.hint {
				t.Errorf("%+v\ngot  %v\nwant %s", f, err, tt.want)
			}
		})
	}
}
