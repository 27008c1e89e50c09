package sysctld

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// tuned writes the sysctls of its active profile, and then, unless reapply_sysctl is off,
// those of /run/sysctl.d, /etc/sysctl.d and /etc/sysctl.conf once more. Source: TuneD,
// plugins/plugin_sysctl.py, _apply_system_sysctl; consts.py, LOAD_DIRECTORIES.
func tuned(root rootfs.FS) (step, error) {
	s := step{by: "tuned"}
	if !enabled(root, "tuned") {
		return s, nil
	}
	p := tunedProfile{root: root, seen: map[string]bool{}, variables: map[string]string{}}
	for _, name := range []string{"/etc/tuned/active_profile", "/etc/tuned/post_loaded_profile"} {
		text, err := optional(root, name)
		p.errs = append(p.errs, err)
		for _, profile := range strings.Fields(text) {
			p.load(profile)
		}
	}
	for i := range p.settings {
		p.settings[i].value = strings.TrimLeft(p.expand(p.settings[i].value), "<>") // "at least", "at most"
	}
	s.settings = p.settings
	main, err := optional(root, "/etc/tuned/tuned-main.conf")
	reapply := "1"
	for line := range strings.Lines(main) {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(name) == "reapply_sysctl" {
			reapply = strings.ToLower(strings.TrimSpace(value))
		}
	}
	if len(s.settings) > 0 && slices.Contains([]string{"1", "true", "yes", "on"}, reapply) {
		s.again = (*Files).reapplied
	}
	return s, errors.Join(append(p.errs, err)...)
}

// reapplied are the files that TuneD reads.
func (f *Files) reapplied() []setting {
	var list []setting
	for _, file := range append(slices.Clone(f.dropIns), f.main) {
		if strings.HasPrefix(file.path, "/etc/") || strings.HasPrefix(file.path, "/run/") {
			list = append(list, file.procps()...)
		}
	}
	return list
}

// tunedProfile is what a profile and those it includes come to.
type tunedProfile struct {
	root      rootfs.FS
	seen      map[string]bool
	settings  []setting // of a key the last
	variables map[string]string
	errs      []error
}

var (
	tunedSeparator = regexp.MustCompile(`\s*[,;]\s*`)
	tunedVariable  = regexp.MustCompile(`\$\{(\w+)\}`)
)

func (p *tunedProfile) expand(s string) string {
	return tunedVariable.ReplaceAllStringFunc(s, func(v string) string {
		if value, ok := p.variables[v[2:len(v)-1]]; ok {
			return value
		}
		return v
	})
}

func (p *tunedProfile) load(name string) {
	if p.seen[name] || strings.Contains(name, "/") {
		return
	}
	p.seen[name] = true
	for _, dir := range []string{"/etc/tuned/profiles/", "/etc/tuned/", "/usr/lib/tuned/profiles/", "/usr/lib/tuned/"} {
		path := dir + name + "/tuned.conf"
		text, err := optional(p.root, path)
		p.errs = append(p.errs, err)
		if text != "" {
			p.read(path, text)
			return
		}
	}
}

// read takes a profile after those it includes.
func (p *tunedProfile) read(path, text string) {
	section := ""
	sysctl := map[string]bool{"sysctl": true} // the sections of this type
	var own []setting
	var of []string // their sections
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] == '[' {
			section = strings.Trim(line, "[] ")
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		value, _, _ = strings.Cut(value, " #")
		value = strings.Trim(strings.TrimSpace(value), `"'`)
		switch {
		case section == "main" && name == "include":
			for _, include := range tunedSeparator.Split(p.expand(value), -1) {
				p.load(include)
			}
		case section == "variables":
			p.variables[name] = p.expand(value)
		case name == "type":
			sysctl[section] = value == "sysctl"
		default:
			own = append(own, setting{key: strings.ReplaceAll(name, ".", "/"), value: value, path: path, line: n})
			of = append(of, section)
		}
	}
	for i, s := range own {
		if sysctl[of[i]] {
			p.settings = slices.DeleteFunc(p.settings, func(old setting) bool { return old.key == s.key })
			p.settings = append(p.settings, s)
		}
	}
}
