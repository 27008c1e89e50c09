package sysctld

import (
	"strings"
	"testing"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// Whatever stands in the files of other programs, what is found in them stands there.
func FuzzWriters(f *testing.F) {
	f.Add("#!/bin/sh\nsysctl -w " + key + "=500; echo 5 > /proc/sys/" + slash)
	f.Add("[main]\ninclude=mine, x\n[variables]\nt=5\n[sysctl]\n" + key + "=${t}\n[x]\ntype=sysctl\n" + key + "=\">6\" # x")
	f.Add("sysctl -p\nsysctl --system\nsysctl --load=/etc/x")
	f.Add("net.ipv4.tcp_keepalive_tme 600\n\"tcp_keepalive: 5\n=\n:\nsysctl -w tcp-keepalive = 5")
	f.Fuzz(func(t *testing.T, text string) {
		for n, line := range systemdLines(text) {
			if s, ok := stray(line, keys); ok && (s.Text != strings.TrimSpace(line) || n < 1 || (s.Why == "") != (s.Want == "")) {
				t.Errorf("%q: %+v", line, s)
			}
			for _, step := range commands(rootfs.FS{}, strings.ReplaceAll(strings.ReplaceAll(line, "-p", ""), "--load", "")) {
				for _, s := range step.settings {
					if !strings.Contains(line, s.value) || s.value == "" {
						t.Errorf("%q: %+v", line, s)
					}
				}
			}
		}
		p := tunedProfile{seen: map[string]bool{"mine": true, "x": true}, variables: map[string]string{}}
		p.read("/etc/tuned/mine/tuned.conf", strings.ReplaceAll(text, "include", ""))
		for _, s := range p.settings {
			if s.line < 1 || s.line > strings.Count(text, "\n")+1 {
				t.Errorf("%+v", s)
			}
		}
	})
}
