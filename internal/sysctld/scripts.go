package sysctld

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// A place has scripts that run after the readers, or files with commands in them.
type place struct {
	by         string
	path       string // a file, or a directory if it ends in a slash
	suffix     string // of the files in the directory that count
	executable bool   // only then it runs
}

var places = []place{
	{by: "modprobe", path: "/etc/modprobe.d/", suffix: ".conf"},
	{by: "udev", path: "/etc/udev/rules.d/", suffix: ".rules"},
	{by: "systemd-tmpfiles", path: "/etc/tmpfiles.d/", suffix: ".conf"},
	{by: "cloud-init", path: "/etc/cloud/cloud.cfg"},
	{by: "cloud-init", path: "/etc/cloud/cloud.cfg.d/", suffix: ".cfg"},
	{by: "ifupdown", path: "/etc/network/interfaces"},
	{by: "ifupdown", path: "/etc/network/interfaces.d/"},
	{by: "ifupdown", path: "/etc/network/if-pre-up.d/", executable: true},
	{by: "ifupdown", path: "/etc/network/if-up.d/", executable: true},
	{by: "NetworkManager", path: "/etc/NetworkManager/dispatcher.d/", executable: true},
	{by: "NetworkManager", path: "/etc/NetworkManager/dispatcher.d/pre-up.d/", executable: true},
	{by: "networkd-dispatcher", path: "/etc/networkd-dispatcher/configured.d/", executable: true},
	{by: "networkd-dispatcher", path: "/etc/networkd-dispatcher/routable.d/", executable: true},
	{by: "systemd", path: "/etc/systemd/system/", suffix: ".service"},
	{by: "OpenRC", path: "/etc/local.d/", suffix: ".start", executable: true},
	{by: "rc.local", path: "/etc/rc.local", executable: true},
	{by: "rc.local", path: "/etc/rc.d/rc.local", executable: true},
	{by: "cron", path: "/etc/crontab"},
	{by: "cron", path: "/etc/cron.d/"},
}

// scripts are the commands in them that set sysctls: those that stand in a line as they
// would be typed. Conditions around them are not judged: a line counts as run. Without
// root, what only root may read is passed over: hardened systems have much of that, and
// seldom a sysctl in it.
func scripts(root rootfs.FS) ([]step, error) {
	var steps []step
	var errs []error
	seen := map[string]bool{} // by content: one may be a link to another
	look := func(p place, name string) {
		info, err := root.Stat(name)
		if err != nil || !info.Mode().IsRegular() || p.executable && info.Mode()&0o111 == 0 {
			return
		}
		if p.by == "systemd" && !enabled(root, strings.TrimSuffix(path.Base(name), ".service")) {
			return
		}
		text, err := optional(root, name)
		if err != nil {
			if !errors.Is(err, fs.ErrPermission) {
				errs = append(errs, err)
			}
			return
		}
		if seen[text] {
			return
		}
		seen[text] = true
		n := 0
		for line := range strings.Lines(text) {
			n++
			for _, s := range commands(root, line) {
				s.by = p.by
				for i := range s.settings {
					if s.settings[i].path == "" {
						s.settings[i].path, s.settings[i].line = name, n
					}
				}
				steps = append(steps, s)
			}
		}
	}
	for _, p := range places {
		if !strings.HasSuffix(p.path, "/") {
			look(p, p.path)
			continue
		}
		entries, err := root.ReadDir(p.path)
		if err != nil && !leadsNowhere(err) && !errors.Is(err, fs.ErrPermission) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			if strings.HasSuffix(e.Name(), p.suffix) {
				look(p, path.Join(p.path, e.Name()))
			}
		}
	}
	return steps, errors.Join(errs...)
}

var (
	sysctlCommand = regexp.MustCompile(`(?:^|[^\w.-])sysctl((?:[\s,"']|$)[^;|&\n]*)`)
	sysctlAssigns = regexp.MustCompile(`([\w./-]+)\s*=\s*["']?(-?\w+)`)
	sysctlFile    = regexp.MustCompile(`\s(?:-\w*p|--load)(?:[\s=]+([^\s"',=-][^\s"',=]*))?(?:[\s"',]|$)`)
	echoCommand   = regexp.MustCompile(`\b(?:echo|printf)\s+(?:-\w+\s+)?["']?(-?\w+)(?:\\n)?["']?\s*(?:>{1,2}|\|\s*(?:sudo\s+)?tee(?:\s+-a)?)\s*["']?/proc/sys/([\w./-]+)`)
	udevAssigns   = regexp.MustCompile(`\bSYSCTL\{([\w./-]+)\}\s*=\s*"(-?\w+)"`)              // udev(7)
	tmpfilesWrite = regexp.MustCompile(`^w\S*\s+/proc/sys/([\w./-]+)(?:\s+\S+){4}\s+(-?\w+)`) // tmpfiles.d(5)
)

// commands are what a line sets by sysctl(8) or echo, or in the words of udev and
// systemd-tmpfiles. The settings of
// "sysctl -p" have the path of the file that it reads.
func commands(root rootfs.FS, line string) []step {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return nil
	}
	var steps []step
	for _, m := range echoCommand.FindAllStringSubmatch(line, -1) {
		steps = append(steps, step{settings: []setting{{key: m[2], value: m[1]}}})
	}
	for _, assigns := range []*regexp.Regexp{udevAssigns, tmpfilesWrite} {
		for _, m := range assigns.FindAllStringSubmatch(line, -1) {
			steps = append(steps, step{settings: []setting{{key: procPath(m[1]), value: m[2]}}})
		}
	}
	for _, m := range sysctlCommand.FindAllStringSubmatch(line, -1) {
		rest := m[1]
		var s step
		for _, a := range sysctlAssigns.FindAllStringSubmatch(rest, -1) {
			if !strings.HasPrefix(a[1], "-") { // an option
				s.settings = append(s.settings, setting{key: procPath(a[1]), value: a[2]})
			}
		}
		if strings.Contains(rest, "--system") {
			s.again = (*Files).procps
		} else if file := sysctlFile.FindStringSubmatch(rest); file != nil {
			name := file[1]
			if name == "" {
				name = mainFile
			}
			// What cannot be read sets nothing.
			s.settings, _ = sysctlP(root, name)
		}
		if len(s.settings) > 0 || s.again != nil {
			steps = append(steps, s)
		}
	}
	return steps
}
