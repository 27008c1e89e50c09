package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// What the next boot sets is compared with what runs, as the program that reads
// it at boot has it.
func TestCheckBootDiffers(t *testing.T) {
	running := keepalive.Settings{Time: time.Minute, Intvl: 10 * time.Second, Probes: 3}
	for _, c := range []struct {
		name   string
		files  map[string]string
		misses string
		want   string // what is said, and the fix; empty: nothing
	}{
		{"the file sets what runs", map[string]string{
			"etc/sysctl.d/99-tcpka.conf": "net.ipv4.tcp_keepalive_time=60\nnet.ipv4.tcp_keepalive_intvl=10\nnet.ipv4.tcp_keepalive_probes=3\n",
		}, "", ""},
		{"no file", nil, "",
			"net.ipv4.tcp_keepalive_time is 60 now, and no file sets it, so that the kernel's 7200 comes back; " +
				"net.ipv4.tcp_keepalive_intvl is 10 now, and no file sets it, so that the kernel's 75 comes back; " +
				"net.ipv4.tcp_keepalive_probes is 3 now, and no file sets it, so that the kernel's 9 comes back" +
				"|sudo tcpka set --time 60 --intvl 10 --probes 3 --persist"},
		{"another value", map[string]string{
			"etc/sysctl.d/10-a.conf": "net.ipv4.tcp_keepalive_intvl=10\n\nnet.ipv4.tcp_keepalive_time=600\nnet.ipv4.tcp_keepalive_probes=3\n",
		}, "", "net.ipv4.tcp_keepalive_time is 60 now, and /etc/sysctl.d/10-a.conf:3 sets 600" +
			"|sudo tcpka set --time 60 --intvl 10 --probes 3 --persist"},
		{"a file that systemd does not read, and procps does", map[string]string{
			"etc/sysctl.conf":            "net.ipv4.tcp_keepalive_time=600\n",
			"etc/sysctl.d/99-tcpka.conf": "net.ipv4.tcp_keepalive_time=60\nnet.ipv4.tcp_keepalive_intvl=10\nnet.ipv4.tcp_keepalive_probes=3\n",
		}, "", "net.ipv4.tcp_keepalive_time is 60 now, and /etc/sysctl.conf:1 sets 600|sudo tcpka set --time 60 --intvl 10 --probes 3 --persist"},
		{"likewise where systemd has booted", map[string]string{
			"etc/sysctl.conf":            "net.ipv4.tcp_keepalive_time=600\n",
			"etc/sysctl.d/99-tcpka.conf": "net.ipv4.tcp_keepalive_time=60\nnet.ipv4.tcp_keepalive_intvl=10\nnet.ipv4.tcp_keepalive_probes=3\n",
			"run/systemd/system/x":       "",
		}, "", ""},
		{"what runs does not meet the goal either", nil, "it is slow",
			"net.ipv4.tcp_keepalive_time is 60 now|sudo tcpka set --time 86 --intvl 10 --probes 3 --persist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				path := dir + "/" + name
				if err := os.MkdirAll(path[:strings.LastIndex(path, "/")], 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			root, err := rootfs.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			ck := &checker{where: where{root: root}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
			ck.bootLasts(&view{settings: running, kernel: calc.DefaultKernel(), misses: c.misses})
			got := ""
			for _, f := range ck.doc.Findings {
				if f.ID != report.FindBootDiffers || f.Severity != report.SeverityWarning {
					t.Errorf("%s %s", f.Severity, f.ID)
				}
				got += f.Text + "|" + *f.Fix
			}
			text, fix, _ := strings.Cut(c.want, "|")
			if c.want == "" && got != "" || !strings.HasPrefix(got, text) || !strings.HasSuffix(got, fix) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Programs without number make no findings without number.
func TestCheckGroupsAreBounded(t *testing.T) {
	ck := &checker{session: &session{}, groups: map[groupKey]*group{}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
	v := &view{name: "host", kernel: calc.DefaultKernel(), settings: keepalive.Defaults()}
	const n = 1000
	for i := range n {
		ck.connection(v, &sockets.Socket{
			State: sockets.Established, Keepalive: sockets.Off,
			Local: netip.MustParseAddrPort("10.0.0.1:22"), Remote: netip.MustParseAddrPort("10.0.0.2:99"),
			Owners: []sockets.Owner{{PID: 1000 + i, FD: 3, Comm: fmt.Sprintf("p%d", i)}},
		})
	}
	d, count := ck.answer(), 0
	for _, f := range d.Findings {
		count += f.Count
	}
	if len(d.Findings) != maxGroups+1 || count != n {
		t.Errorf("%d findings about %d connections", len(d.Findings), count)
	}
	if f := d.Findings[0]; f.Count != n-maxGroups || f.Subject != "950 connections of other programs" || len(f.Examples) != maxExamples {
		t.Errorf("the first is %+v", f)
	}
}

// On a path with a real router: what check finds fault with dies there idle, and
// lives once the fix was run.
func TestCheckBehindARouter(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		const limit = 6
		r := nstest.NewRouter(t, 1, limit, false, nstest.Swallows)
		var listener int
		var at netip.AddrPort
		if err := r.InServer(func() (err error) {
			listener, at, err = middlebox.Listen(netip.AddrPortFrom(r.Server, 7000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		check := func(client, status int) []report.Finding {
			t.Helper()
			local, err := unix.Getsockname(client)
			if err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(local.(*unix.SockaddrInet4).Port)
			stdout, stderr, got := tcpka(t, 0, "check", "--path-timeout", strconv.Itoa(limit), "--local", ":"+port, "--json")
			if got != status {
				t.Errorf("check: status %d, want %d\n%s%s", got, status, stdout, stderr)
			}
			var found struct{ Findings []report.Finding }
			if err := json.Unmarshal([]byte(stdout), &found); err != nil {
				t.Fatal(err)
			}
			return found.Findings
		}
		off, offServer := through(t, listener, at)
		mended, mendedServer := through(t, listener, at)
		for _, fd := range []int{off, mended} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
				t.Fatal(err)
			}
			if f := check(fd, 2); len(f) != 1 || f[0].ID != calc.FlawOff {
				t.Fatalf("%+v", f)
			}
		}
		fix := *check(mended, 2)[0].Fix
		t.Log(fix)
		if out, err := exec.Command("sh", "-c", `sudo() { "$@" --yes; }; `+fix).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", fix, err, out)
		}
		if f := check(mended, 0); len(f) != 0 {
			t.Errorf("%+v", f)
		}
		time.Sleep((limit + 3) * time.Second)
		if !dead(off, offServer) {
			t.Error("what check found fault with lives on")
		}
		if !lives(mended, mendedServer) {
			t.Error("what check found well died idle")
		}
	})
}

// The command for keepalive that is off is as narrow as what was found: not for the
// program's other connections, which this host has to itself.
func TestCheckOffLeavesOthers(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		r := nstest.NewRouter(t, 2, 60, false, nstest.Swallows)
		var listener int
		var at netip.AddrPort
		if err := r.InServer(func() (err error) {
			listener, at, err = middlebox.Listen(netip.AddrPortFrom(r.Server, 7000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		off := func(fd int) {
			t.Helper()
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
				t.Fatal(err)
			}
		}
		keepalive := func(fd int) int {
			t.Helper()
			on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			if err != nil {
				t.Fatal(err)
			}
			return on
		}
		check := func(status int) report.Check {
			t.Helper()
			stdout, stderr, got := tcpka(t, 0, "check", "--detect-within", "4h", "--json")
			if got != status {
				t.Errorf("check: status %d, want %d\n%s%s", got, status, stdout, stderr)
			}
			var d report.Check
			if err := json.Unmarshal([]byte(stdout), &d); err != nil {
				t.Fatal(err)
			}
			return d
		}
		mend := func(f report.Finding) {
			t.Helper()
			if f.ID != calc.FlawOff || f.Fix == nil {
				t.Fatalf("%+v", f)
			}
			if out, err := exec.Command("sh", "-c", `sudo() { "$@" --yes; }; `+*f.Fix).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", *f.Fix, err, out)
			}
		}
		client, server, err := wish{}.connect()
		if err != nil {
			t.Fatal(err)
		}
		out, _ := through(t, listener, at)
		off(out)
		if d := check(2); len(d.Findings) == 1 {
			mend(d.Findings[0])
		} else {
			t.Fatalf("%+v", d)
		}
		if keepalive(out) != 1 || keepalive(client) != 0 || keepalive(server) != 0 {
			t.Errorf("mended: %d; of the host to itself: %d, %d", keepalive(out), keepalive(client), keepalive(server))
		}
		check(0)

		// More than can be named one by one: as many as that.
		for range maxEnds + 2 {
			fd, _ := through(t, listener, at)
			off(fd)
		}
		d := check(2)
		want := fmt.Sprintf("; the command is for %d of them, because no filter tells all of them from others", maxEnds)
		if len(d.Findings) != 1 || d.Findings[0].Count != maxEnds+2 || !strings.HasSuffix(d.Findings[0].Text, want) {
			t.Fatalf("%+v", d.Findings)
		}
		mend(d.Findings[0])
		if d = check(2); len(d.Findings) != 1 || d.Findings[0].Count != 2 {
			t.Fatalf("%+v", d.Findings)
		}
		mend(d.Findings[0])
		check(0)
		if keepalive(client) != 0 || keepalive(server) != 0 {
			t.Error("a connection of the host to itself was changed")
		}
	})
}

// Connections are said to follow the settings where that is known; and the command
// starts timers anew where some run.
func TestCheckOfTheSettings(t *testing.T) {
	socket := func(state sockets.State, from sockets.Origin) *sockets.Socket {
		return &sockets.Socket{
			State: state, Keepalive: sockets.On, ValuesKnown: true, UserTimeoutKnown: true, Settings: keepalive.Defaults(),
			TimeFrom: from, IntvlFrom: from, ProbesFrom: from,
			Local: netip.MustParseAddrPort("10.0.0.1:22"), Remote: netip.MustParseAddrPort("10.0.0.2:99"),
		}
	}
	follows, perhaps := socket(sockets.Established, sockets.FromSysctl), socket(sockets.Established, sockets.FromUnknown)
	listens := socket(sockets.Listen, sockets.FromSysctl)
	const (
		misses = "a dead peer is noticed after up to 8025 s, wanted is within 120 s"
		fix    = "sudo tcpka set --time 86 --intvl 10 --probes 3"
	)
	for _, c := range []struct {
		name      string
		sockets   []*sockets.Socket
		text, fix string
	}{
		{"no connection", nil, "", fix},
		{"one follows", []*sockets.Socket{follows}, "; 1 connection follows them here now", fix + " --rearm"},
		{"two follow", []*sockets.Socket{follows, follows}, "; 2 connections follow them here now", fix + " --rearm"},
		{"a listener, which has no timer", []*sockets.Socket{listens}, "; 1 connection follows them here now", fix},
		{"one may", []*sockets.Socket{perhaps}, "; 1 connection has these values here now; without BPF it cannot be told whether they are its own", fix + " --rearm"},
		{"two may", []*sockets.Socket{perhaps, perhaps}, "; 2 connections have these values here now; without BPF it cannot be told whether they are their own", fix + " --rearm"},
		{"one of two may", []*sockets.Socket{follows, perhaps}, "; 2 connections have these values here now, of which 1 may have them of their own", fix + " --rearm"},
	} {
		ck := &checker{session: &session{}, groups: map[groupKey]*group{}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
		v := &view{name: "current", kernel: calc.DefaultKernel(), settings: keepalive.Defaults(), misses: misses}
		for _, s := range c.sockets {
			v.sockets++
			ck.connection(v, s)
		}
		ck.defaults(v)
		if f := ck.doc.Findings; len(f) != 1 || f[0].Text != misses+c.text || f[0].Fix == nil || *f[0].Fix != c.fix {
			t.Errorf("%s: got %+v, want %q, %q", c.name, f, misses+c.text, c.fix)
		}
	}
}
