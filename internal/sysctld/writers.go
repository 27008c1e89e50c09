package sysctld

import (
	"errors"
	"strings"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// A step is what one program writes at boot beside the readers.
type step struct {
	by       string // "tuned"
	settings []setting

	// What it applies again after them: the files as the readers have them.
	again func(*Files) []setting
}

// writers are the programs that set sysctls beside the readers. Those that come after the
// readers stand in the order in which a machine that boots comes to them.
type writers struct {
	before, after []step
}

func loadWriters(root rootfs.FS) (writers, error) {
	var w writers
	var errs []error
	add := func(to *[]step, load func(rootfs.FS) (step, error)) {
		s, err := load(root)
		if err != nil {
			errs = append(errs, err)
		}
		if len(s.settings) > 0 || s.again != nil {
			*to = append(*to, s)
		}
	}
	add(&w.before, kernelCommandLine)
	add(&w.after, ufw)
	add(&w.after, tuned)
	scripts, err := scripts(root)
	w.after = append(w.after, scripts...)
	for _, s := range append(w.before, w.after...) {
		for i := range s.settings {
			s.settings[i].by = s.by
		}
	}
	return w, errors.Join(append(errs, err)...)
}

// Beside returns what programs beside the readers write to key before the readers do, and
// after.
func (f *Files) Beside(key string) (before, after []Assignment) {
	return f.of(f.writers.before, key), f.of(f.writers.after, key)
}

func (f *Files) of(steps []step, key string) []Assignment {
	var found []Assignment
	for _, s := range steps {
		list := s.settings
		if s.again != nil {
			list = append(list[:len(list):len(list)], s.again(f)...)
		}
		found = append(found, (&told{settings: list}).writes("", key)...)
	}
	return found
}

// optional reads a file that need not be there.
func optional(root rootfs.FS, name string) (string, error) {
	data, err := root.ReadFile(name)
	if err != nil && leadsNowhere(err) {
		err = nil
	}
	return string(data), err
}

// kernelCommandLine are the sysctl.KEY=VALUE that the kernel itself was started with: since
// 5.8 it writes them before it starts init, to the first network namespace. Source:
// fs/proc/proc_sysctl.c, process_sysctl_arg. An image has none.
func kernelCommandLine(root rootfs.FS) (step, error) {
	s := step{by: "the kernel command line"}
	text, err := optional(root, "/proc/cmdline")
	for _, word := range strings.Fields(text) {
		if word == "--" { // the rest is for init
			break
		}
		key, value, ok := strings.Cut(word, "=")
		name, prefixed := strings.CutPrefix(key, "sysctl")
		if ok && prefixed && name != "" && strings.ContainsRune("./", rune(name[0])) {
			s.settings = append(s.settings, setting{key: strings.ReplaceAll(name[1:], ".", "/"), value: strings.Trim(value, `"`), path: "/proc/cmdline", line: 1})
		}
	}
	return s, err
}

// ufw runs "sysctl -p" on a file of its own when it starts, and at each reload. Source:
// ufw-init-functions, ufw_start.
func ufw(root rootfs.FS) (step, error) {
	s := step{by: "ufw"}
	conf, err := optional(root, "/etc/ufw/ufw.conf")
	if err != nil || !strings.EqualFold(shellVariable(conf, "ENABLED"), "yes") {
		return s, err
	}
	conf, err = optional(root, "/etc/default/ufw")
	if file := shellVariable(conf, "IPT_SYSCTL"); err == nil && file != "" {
		s.settings, err = sysctlP(root, file)
	}
	return s, err
}

// sysctlP is what "sysctl -p FILE" writes.
func sysctlP(root rootfs.FS, name string) ([]setting, error) {
	text, err := optional(root, name)
	return file{path: name, text: text}.procps(), err
}

// shellVariable is the value that plain assignments in a file of the shell leave a variable.
func shellVariable(text, name string) string {
	value := ""
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			v, _, _ = strings.Cut(v, " #")
			value = strings.Trim(strings.TrimSpace(v), `"'`)
		}
	}
	return value
}

// enabled reports whether a service starts at boot: a link in a target's directory, or in
// a runlevel of OpenRC.
func enabled(root rootfs.FS, name string) bool {
	for _, base := range []string{"/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system", "/etc/runlevels"} {
		entries, _ := root.ReadDir(base)
		for _, e := range entries {
			link := base + "/" + e.Name() + "/" + name + ".service"
			if base == "/etc/runlevels" {
				link = base + "/" + e.Name() + "/" + name
			} else if !strings.HasSuffix(e.Name(), ".wants") && !strings.HasSuffix(e.Name(), ".requires") {
				continue
			}
			if _, err := root.Lstat(link); err == nil {
				return true
			}
		}
	}
	return false
}
