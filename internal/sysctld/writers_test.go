package sysctld

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestWhatElseSetsAKeyAtBoot(t *testing.T) {
	tuned := func(main, profile string) tree {
		return tree{
			"/etc/systemd/system/multi-user.target.wants/tuned.service": "-> /usr/lib/systemd/system/tuned.service",
			"/etc/tuned/active_profile":                                 "mine\n",
			"/etc/tuned/tuned-main.conf":                                main,
			"/etc/tuned/mine/tuned.conf":                                profile,
		}
	}
	with := func(trees ...tree) tree {
		all := tree{}
		for _, tr := range trees {
			maps.Copy(all, tr)
		}
		return all
	}
	const off = "reapply_sysctl = 0\n"
	ufw := tree{"/etc/ufw/ufw.conf": "ENABLED=yes\n", "/etc/default/ufw": "IPT_SYSCTL=/etc/ufw/sysctl.conf\n", "/etc/ufw/sysctl.conf": "# x\n" + slash + "=500\n"}
	script := func(line string) tree { return tree{"/etc/rc.local": "#!/bin/sh\n" + line + "\n"} }
	const local = "500 /etc/rc.local:2 (rc.local)"
	for _, tt := range []struct {
		name            string
		tree            tree
		systemd, procps string
	}{
		{"the kernel command line", tree{"/proc/cmdline": "quiet sysctl.net.ipv4.tcp_keepalive_time=500 -- sysctl.net.ipv4.tcp_keepalive_time=7\n"}, "500 /proc/cmdline:1 (the kernel command line)", "500 /proc/cmdline:1 (the kernel command line)"},
		{"the kernel command line, by slashes", tree{"/proc/cmdline": "sysctl/net/ipv4/tcp_keepalive_time=500"}, "500 /proc/cmdline:1 (the kernel command line)", "500 /proc/cmdline:1 (the kernel command line)"},
		{"the files after the kernel command line", with(file60(key+" = 5\n"), tree{"/proc/cmdline": "sysctl.net.ipv4.tcp_keepalive_time=500"}), "5 60:1", "5 60:1"},

		{"ufw after the files", with(file60(key+" = 5\n"), ufw), "500 /etc/ufw/sysctl.conf:2 (ufw)", "500 /etc/ufw/sysctl.conf:2 (ufw)"},
		{"ufw that is off", with(ufw, tree{"/etc/ufw/ufw.conf": "ENABLED=no\n"}), "", ""},
		{"ufw with another file", with(ufw, tree{"/etc/default/ufw": "IPT_SYSCTL=\"/etc/x\"\n", "/etc/x": key + "=6"}), "6 /etc/x:1 (ufw)", "6 /etc/x:1 (ufw)"},
		{"ufw without a file", with(ufw, tree{"/etc/default/ufw": "IPT_SYSCTL=\n"}), "", ""},

		{"tuned", tuned("", "[main]\nsummary=x\n[sysctl]\n"+key+"=500\n"), "500 /etc/tuned/mine/tuned.conf:4 (tuned)", "500 /etc/tuned/mine/tuned.conf:4 (tuned)"},
		{"tuned applies /etc/sysctl.d again", with(file60(key+" = 5\n"), tuned("", "[sysctl]\n"+key+"=500\n")), "5 60:1", "5 60:1"},
		{"and /etc/sysctl.conf, which systemd-sysctl does not read", with(tree{"/etc/sysctl.conf": key + "=6"}, file60(key+" = 5\n"), tuned("", "[sysctl]\n"+key+"=500\n")), "6 /etc/sysctl.conf:1", "6 /etc/sysctl.conf:1"},
		{"but not what packages ship", with(tree{"/usr/lib/sysctl.d/50-a.conf": key + "=6"}, tuned("", "[sysctl]\n"+key+"=500\n")), "500 /etc/tuned/mine/tuned.conf:2 (tuned)", "500 /etc/tuned/mine/tuned.conf:2 (tuned)"},
		{"unless it is told not to", with(file60(key+" = 5\n"), tuned(off, "[sysctl]\n"+key+"=500\n")), "500 /etc/tuned/mine/tuned.conf:2 (tuned)", "500 /etc/tuned/mine/tuned.conf:2 (tuned)"},
		{"tuned's other sections", tuned("", "[vm]\n"+key+"=500\n"), "", ""},
		{"a section of its type", tuned("", "[x]\n"+key+"=500\ntype=sysctl\n"), "500 /etc/tuned/mine/tuned.conf:2 (tuned)", "500 /etc/tuned/mine/tuned.conf:2 (tuned)"},
		{"a profile that it includes", with(tuned("", "[main]\ninclude=other, base\n"), tree{"/usr/lib/tuned/base/tuned.conf": "[sysctl]\n" + key + "=500\n"}), "500 /usr/lib/tuned/base/tuned.conf:2 (tuned)", "500 /usr/lib/tuned/base/tuned.conf:2 (tuned)"},
		{"which it overrides", with(tuned("", "[main]\ninclude=base\n[variables]\nt=7\n[sysctl]\n"+key+"=${t}\n"), tree{"/usr/lib/tuned/base/tuned.conf": "[sysctl]\n" + key + "=500\n"}), "7 /etc/tuned/mine/tuned.conf:6 (tuned)", "7 /etc/tuned/mine/tuned.conf:6 (tuned)"},
		{"a profile that includes itself", tuned("", "[main]\ninclude=mine\n[sysctl]\n"+key+"=500\n"), "500 /etc/tuned/mine/tuned.conf:4 (tuned)", "500 /etc/tuned/mine/tuned.conf:4 (tuned)"},
		{"tuned that is not started", tree{"/etc/tuned/active_profile": "mine\n", "/etc/tuned/mine/tuned.conf": "[sysctl]\n" + key + "=500\n"}, "", ""},

		{"a script", with(file60(key+" = 5\n"), script("sysctl -w "+key+"=500")), local, local},
		{"quietly, among others", script("/sbin/sysctl -qw kernel.panic=5 " + key + "=\"500\" >/dev/null 2>&1 || true"), local, local},
		{"by echo", script("  echo 500 > /proc/sys/" + slash), local, local},
		{"by echo and tee", script("echo \"500\" | sudo tee /proc/sys/" + slash), local, local},
		{"by printf", script(`printf '500\n' >/proc/sys/` + slash), local, local},
		{"a comment in a script", script("# sysctl -w " + key + "=500"), "", ""},
		{"reading is not setting", script("sysctl " + key + "; cat /proc/sys/" + slash), "", ""},
		{"a script that reads /etc/sysctl.conf", with(tree{"/etc/sysctl.conf": "\n" + key + "=6"}, script("sysctl -p")), "6 /etc/sysctl.conf:2 (rc.local)", "6 /etc/sysctl.conf:2 (rc.local)"},
		{"or another file", with(tree{"/etc/x": key + "=6"}, script("sysctl -e -p /etc/x >/dev/null")), "6 /etc/x:1 (rc.local)", "6 /etc/x:1 (rc.local)"},
		{"or all of them, as procps does", with(tree{"/etc/sysctl.conf": key + "=6"}, file60(key+"=5"), script("sysctl --system")), "6 /etc/sysctl.conf:1", "6 /etc/sysctl.conf:1"},
		{"ifupdown", tree{"/etc/network/interfaces": "iface eth0 inet dhcp\n  up sysctl -w " + key + "=500\n"}, "500 /etc/network/interfaces:2 (ifupdown)", "500 /etc/network/interfaces:2 (ifupdown)"},
		{"NetworkManager", tree{"/etc/NetworkManager/dispatcher.d/10-a": "sysctl " + key + "=500\n"}, "500 /etc/NetworkManager/dispatcher.d/10-a:1 (NetworkManager)", "500 /etc/NetworkManager/dispatcher.d/10-a:1 (NetworkManager)"},
		{"cloud-init", tree{"/etc/cloud/cloud.cfg.d/99-a.cfg": "bootcmd:\n - [ sysctl, -w, " + key + "=500 ]\n"}, "500 /etc/cloud/cloud.cfg.d/99-a.cfg:2 (cloud-init)", "500 /etc/cloud/cloud.cfg.d/99-a.cfg:2 (cloud-init)"},
		{"a service", tree{"/etc/systemd/system/a.service": "[Service]\nExecStart=/sbin/sysctl -w " + key + "=500\n", "/etc/systemd/system/multi-user.target.wants/a.service": "-> ../a.service"}, "500 /etc/systemd/system/a.service:2 (systemd)", "500 /etc/systemd/system/a.service:2 (systemd)"},
		{"a service that is not started", tree{"/etc/systemd/system/a.service": "[Service]\nExecStart=/sbin/sysctl -w " + key + "=500\n"}, "", ""},
		{"udev", tree{"/etc/udev/rules.d/99-a.rules": `ACTION=="add", SUBSYSTEM=="net", SYSCTL{net/ipv4/tcp_keepalive_time}="500"` + "\n"}, "500 /etc/udev/rules.d/99-a.rules:1 (udev)", "500 /etc/udev/rules.d/99-a.rules:1 (udev)"},
		{"what udev compares", tree{"/etc/udev/rules.d/99-a.rules": `SYSCTL{` + key + `}=="500", NAME="x"` + "\n"}, "", ""},
		{"systemd-tmpfiles", tree{"/etc/tmpfiles.d/a.conf": "w /proc/sys/" + slash + " - - - - 500\n"}, "500 /etc/tmpfiles.d/a.conf:1 (systemd-tmpfiles)", "500 /etc/tmpfiles.d/a.conf:1 (systemd-tmpfiles)"},
		{"modprobe", tree{"/etc/modprobe.d/a.conf": "install x /sbin/modprobe --ignore-install x && /sbin/sysctl " + key + "=500\n"}, "500 /etc/modprobe.d/a.conf:1 (modprobe)", "500 /etc/modprobe.d/a.conf:1 (modprobe)"},
		{"one file by two names", with(tree{"/etc/rc.d/rc.local": "-> ../rc.local"}, script("sysctl -w "+key+"=500")), local, local},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := open(t, tt.tree)
			for name := range tt.tree {
				if name == "/etc/rc.local" || name == "/etc/NetworkManager/dispatcher.d/10-a" {
					if err := os.Chmod(root.Path(name), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			files, err := Load(root)
			if err != nil {
				t.Fatal(err)
			}
			var got [2]string
			for i, r := range Readers() {
				if a := files.Resolve(r, key)[0]; a.IsSet() {
					got[i] = fmt.Sprint(a.Value, " ", a.Source())
					if a.Path == "/etc/sysctl.d/60-a.conf" {
						got[i] = fmt.Sprintf("%s 60:%d", a.Value, a.Line)
					}
				}
			}
			if diff := cmp.Diff([2]string{tt.systemd, tt.procps}, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestWhatOnlyRootMayReadIsPassedOver(t *testing.T) {
	root := open(t, tree{"/etc/cloud/cloud.cfg.d/99-installer.cfg": "bootcmd: [sysctl " + key + "=500]\n", "/etc/cron.d/a": "", "/etc/crontab": "@reboot root sysctl " + key + "=600\n"})
	if err := errors.Join(os.Chmod(root.Path("/etc/cloud/cloud.cfg.d/99-installer.cfg"), 0), os.Chmod(root.Path("/etc/cron.d"), 0)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(root.Path("/etc/cron.d"), 0o755) })
	nstest.LoseFileAccess(t)
	files, err := Load(root)
	if err != nil {
		t.Error(err)
	}
	if a := files.Resolve(Systemd, key)[0]; a.Source() != "/etc/crontab:1 (cron)" {
		t.Errorf("%+v", a)
	}
}
