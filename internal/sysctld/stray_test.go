package sysctld

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var keys = []string{key, "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"}

func TestLinesThatAreMeantForAKeyAndSetNothing(t *testing.T) {
	const (
		none    = "there is no such key"
		command = "it is a command, and the file takes only settings"
	)
	want := func(line, why, right string) []string { return []string{fmt.Sprintf("60:1 %s: %s", why, right)} }
	for _, tt := range []struct {
		name string
		line string
		want []string
	}{
		{"a key that is right", key + " = 600", nil},
		{"by slashes", slash + " = 600", nil},
		{"a pattern", all + " = 600", nil},
		{"taken out", "-" + key, nil},
		{"a comment", "# net.ipv4.tcp_keepalive_timeout = 600", nil},
		{"a letter left out", "net.ipv4.tcp_keepalive_tme = 600", want("", none, key+" = 600")},
		{"another word", "net.ipv4.tcp_keepalive_timeout=600", want("", none, key+" = 600")},
		{"its unit", "net.ipv4.tcp_keepalive_time_secs=600", want("", none, key+" = 600")},
		{"the option of a socket", "net.ipv4.tcp_keepidle = 600", want("", none, key+" = 600")},
		{"interval", "net.ipv4.tcp_keepalive_interval = 30", want("", none, "net.ipv4.tcp_keepalive_intvl = 30")},
		{"count", "net.ipv4.tcp_keepalive_count = 5", want("", none, "net.ipv4.tcp_keepalive_probes = 5")},
		{"keepalive left out", "net.ipv4.tcp_probes = 5", want("", none, "net.ipv4.tcp_keepalive_probes = 5")},
		{"keepalive mistyped", "net.ipv4.tcp_keepalve_probes = 5", want("", none, "net.ipv4.tcp_keepalive_probes = 5")},
		{"of IPv6", "net.ipv6.tcp_keepalive_time = 600", want("", none, key+" = 600")},
		{"without its prefix", "tcp_keepalive_time = 600", want("", none, key+" = 600")},
		{"with too much of it", "/proc/sys/" + slash + " = 600", want("", none, key+" = 600")},
		{"with the kernel command line's", "sysctl." + key + " = 600", want("", none, key+" = 600")},
		{"dots and slashes mixed", "net/ipv4.tcp_keepalive_time = 600", want("", none, key+" = 600")},
		{"hyphens", "net.ipv4.tcp-keepalive-time = 600", want("", none, key+" = 600")},
		{"capitals", "net.ipv4.TCP_KEEPALIVE_TIME = 600", want("", none, key+" = 600")},
		{"of FreeBSD", "net.inet.tcp.keepidle = 600", want("", none, key+" = 600")},
		{"behind a byte order mark", "\ufeff" + key + " = 600", want("", none, key+" = 600")},
		{"in quotes", `"` + key + `" = 600`, want("", none, key+" = 600")},
		{"a command", "sysctl -w " + key + "=600", want("", command, key+" = 600")},
		{"no equals sign", key + " 600", want("", "it has no =", key+" = 600")},
		{"a colon", key + ": 600", want("", "it has no =", key+" = 600")},
		{"no value", key, want("", "it has no =", key+" =")},
		{"the kernel's other keys", "net.ipv4.tcp_probe_interval = 5\nnet.ipv4.tcp_probe_threshold = 5\nnet.ipv4.tcp_mtu_probing = 1\nnet.ipv4.tcp_retries2 = 5\nnet.ipv4.tcp_fin_timeout = 5\nnet.ipv4.tcp_timestamps = 1\nnet.netfilter.nf_conntrack_tcp_timeout_established = 5\nnet.ipv4.tcp_pacing_ca_ratio = 5\nkernel.panic = 5\nnet.sctp.hb_interval = 5\nnet.ipv4.tcp_l3mdev_accept = 1\nnet.ipv4.neigh.default.app_probes = 5\nnet.ipv4.tcp_reflect_tos = 1\nnet.ipv4.tcp_tw_reuse = 1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := Load(open(t, file60(tt.line+"\n")))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range files.Strays(keys...) {
				got = append(got, fmt.Sprintf("60:%d %s: %s", s.Line, s.Why, s.Want))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestFilesThatNoProgramReads(t *testing.T) {
	line := key + " = 600\n"
	for _, tt := range []struct {
		name string
		tree tree
		want []string
	}{
		{"another ending", tree{"/etc/sysctl.d/60-a.cfg": line}, []string{"/etc/sysctl.d/60-a.cfg:1 no program reads its file, whose name does not end in .conf"}},
		{"none", tree{"/etc/sysctl.d/keepalive": "\n" + line}, []string{"/etc/sysctl.d/keepalive:2 no program reads its file, whose name does not end in .conf"}},
		{"a directory below", tree{"/etc/sysctl.d/mine/60-a.conf": line}, []string{"/etc/sysctl.d/mine/60-a.conf:1 no program reads its directory"}},
		{"another directory", tree{"/usr/local/etc/sysctl.d/60-a.conf": line}, []string{"/usr/local/etc/sysctl.d/60-a.conf:1 no program reads its directory"}},
		{"hidden by another", tree{"/etc/sysctl.d/60-a.conf": "kernel.panic = 5\n", "/usr/lib/sysctl.d/60-a.conf": line}, []string{"/usr/lib/sysctl.d/60-a.conf:1 its file is hidden by /etc/sysctl.d/60-a.conf"}},
		{"hidden by one that sets it", tree{"/etc/sysctl.d/60-a.conf": key + " = 5\n", "/usr/lib/sysctl.d/60-a.conf": line}, nil},
		{"hidden on purpose", tree{"/etc/sysctl.d/60-a.conf": "-> /dev/null", "/usr/lib/sysctl.d/60-a.conf": line}, nil},
		{"on a merged /usr a file is there twice", tree{"/usr/lib/sysctl.d/60-a.conf": line, "/lib": "-> usr/lib"}, nil},
		{"taken out of use", tree{"/etc/sysctl.d/60-a.conf.bak": line, "/etc/sysctl.d/60-b.conf~": line, "/etc/sysctl.d/60-c.conf.dpkg-old": line}, nil},
		{"a key that tuned does not find", tree{
			"/etc/systemd/system/multi-user.target.wants/tuned.service": "", "/etc/tuned/active_profile": "a",
			"/etc/tuned/a/tuned.conf": "[sysctl]\nnet.ipv4.tcp_keepalive_timeout=600\n" + line,
		}, []string{"/etc/tuned/a/tuned.conf:2 there is no such key"}},
		{"nor sysctl -w", tree{"/etc/crontab": "@reboot root sysctl -w net.ipv4.tcp_keepalive_interval=30\n"}, []string{"/etc/crontab:1 there is no such key"}},
		{"a script that nothing runs", tree{"/etc/rc.local": "#!/bin/sh\nsysctl -w " + line}, []string{"/etc/rc.local:2 its file is not executable, so nothing runs it"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, err := Load(open(t, tt.tree))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range files.Strays(keys...) {
				got = append(got, fmt.Sprintf("%s:%d %s", s.Path, s.Line, s.Why))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
