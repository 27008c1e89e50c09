package check

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/internal/target"
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
		{"a key that does not exist", map[string]string{
			"etc/sysctl.d/99-tcpka.conf": "net.ipv4.tcp_keepalive_timeout=60\nnet.ipv4.tcp_keepalive_intvl=10\nnet.ipv4.tcp_keepalive_probes=3\n",
		}, "", "net.ipv4.tcp_keepalive_time is 60 now, and no file sets it, so that the kernel's 7200 comes back; " +
			"/etc/sysctl.d/99-tcpka.conf:1 is meant for it and sets nothing: there is no such key" +
			"|sudo tcpka set --time 60 --intvl 10 --probes 3 --persist"},
		{"ufw, which sets it later", map[string]string{
			"etc/sysctl.d/99-tcpka.conf": "net.ipv4.tcp_keepalive_time=60\nnet.ipv4.tcp_keepalive_intvl=10\nnet.ipv4.tcp_keepalive_probes=3\n",
			"etc/ufw/ufw.conf":           "ENABLED=yes\n",
			"etc/default/ufw":            "IPT_SYSCTL=/etc/ufw/sysctl.conf\n",
			"etc/ufw/sysctl.conf":        "net/ipv4/tcp_keepalive_time=600\n",
		}, "", "net.ipv4.tcp_keepalive_time is 60 now, and /etc/ufw/sysctl.conf:1 (ufw) sets 600" +
			"|sudo tcpka set --time 60 --intvl 10 --probes 3 --persist"},
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
			ck := &checker{Where: target.Where{Root: root}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
			ck.bootLasts(&view{settings: running, kernel: calc.DefaultKernel(), misses: c.misses})
			got := ""
			for _, f := range ck.doc.Findings {
				if f.ID != FindBootDiffers || f.Severity != SeverityWarning {
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
	ck := &checker{Invocation: &cmdline.Invocation{}, groups: map[groupKey]*group{}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
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
		ck := &checker{Invocation: &cmdline.Invocation{}, groups: map[groupKey]*group{}, goal: calc.Goal{DetectWithin: 2 * time.Minute}}
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
