package sysctld

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/nearest"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// A Stray is a line that is meant for a key and sets nothing.
type Stray struct {
	Path string
	Line int
	Text string // the line
	Why  string // "there is no such key"
	Key  string // what is meant
	Want string // the line as it should be; empty where it is right and only in the wrong place
}

// unread is a file that no reader takes.
type unread struct {
	file
	why    string
	hidden *file // by this one, of the same name
}

// unreadDirectories look as if they were read.
var unreadDirectories = []string{"/usr/local/etc/sysctl.d", "/usr/share/sysctl.d", "/etc/sysctl.conf.d", "/etc/systemd/sysctl.d"}

// retired are the ends of names by which a file is taken out of use, on purpose or by a
// package.
var retired = []string{"~", ".bak", ".old", ".orig", ".save", ".swp", ".disabled", ".off", ".example", ".sample", ".rpmsave", ".rpmnew", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-bak", ".dpkg-tmp", ".ucf-old", ".ucf-dist"}

// leave keeps a file that no reader takes, if it can be read.
func (f *Files) leave(root rootfs.FS, name, why string, hidden *file) {
	if slices.ContainsFunc(retired, func(end string) bool { return strings.HasSuffix(name, end) }) {
		return
	}
	if text, err := root.ReadFile(name); err == nil {
		f.unread = append(f.unread, unread{file{path.Base(name), name, string(text)}, why, hidden})
	}
}

// hidden keeps a file that another one hides, unless it is the same one, or nothing is
// meant to be set.
func (f *Files) hidden(root rootfs.FS, name string, by file) {
	if strings.TrimSpace(by.text) != "" {
		f.leave(root, name, "its file is hidden by "+by.path, &by)
	}
}

// misplaced keeps what stands in a directory of the readers and is not read.
func (f *Files) misplaced(root rootfs.FS, dir string, e fs.DirEntry) {
	if !e.IsDir() {
		f.leave(root, dir+"/"+e.Name(), "no program reads its file, whose name does not end in .conf", nil)
		return
	}
	f.directory(root, dir+"/"+e.Name())
}

func (f *Files) directory(root rootfs.FS, dir string) {
	entries, _ := root.ReadDir(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".conf") && !e.IsDir() {
			f.leave(root, dir+"/"+e.Name(), "no program reads its directory", nil)
		}
	}
}

func (f *Files) elsewhere(root rootfs.FS) {
	for _, dir := range unreadDirectories {
		f.directory(root, dir)
	}
	f.leave(root, "/usr/local/etc/sysctl.conf", "no program reads its file", nil)
	for _, name := range []string{"/etc/rc.local", "/etc/rc.d/rc.local"} {
		if info, err := root.Stat(name); err == nil && info.Mode()&0o111 == 0 {
			f.leave(root, name, "its file is not executable, so nothing runs it", nil)
		}
	}
}

// Strays returns the lines that are meant for one of the keys and set nothing, in the
// order of the files; those of other programs, too.
func (f *Files) Strays(keys ...string) []Stray {
	var all []Stray
	look := func(file file, why string, hidden *file) {
		for n, line := range systemdLines(file.text) {
			s, ok := stray(line, keys)
			switch {
			case !ok, s.Want == "" && why == "":
				continue
			case hidden != nil && sets(*hidden, s.Key):
				continue
			case why != "":
				s.Why, s.Want = why, ""
			}
			s.Path, s.Line = file.path, n
			all = append(all, s)
		}
	}
	for _, file := range append(slices.Clone(f.dropIns), f.main) {
		look(file, "", nil)
	}
	for _, u := range f.unread {
		look(u.file, u.why, u.hidden)
	}
	for _, step := range slices.Concat(f.writers.before, f.writers.after) {
		for _, s := range step.settings {
			if key, ok := meant(s.key, keys); ok && !slices.ContainsFunc(keys, func(k string) bool { _, right := expand(s.key, procPath(k)); return right }) {
				all = append(all, Stray{
					Path: s.path, Line: s.line, Text: dotted(s.key) + " = " + s.value, Key: key,
					Why: "there is no such key", Want: key + " = " + s.value,
				})
			}
		}
	}
	return all
}

// sets reports whether a file has a line for key.
func sets(f file, key string) bool {
	for _, s := range f.procps() {
		if _, ok := expand(s.key, procPath(key)); ok {
			return true
		}
	}
	return false
}

// stray understands a line as its author did. Want is empty where the readers do, too.
func stray(line string, keys []string) (Stray, bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' || line[0] == ';' {
		return Stray{}, false
	}
	for _, parse := range []func(string) (setting, bool){parseSystemd, parseProcps} {
		if s, ok := parse(line); ok {
			for _, key := range keys {
				if _, ok := expand(s.key, procPath(key)); ok {
					return Stray{Text: line, Key: key}, true
				}
			}
		}
	}
	left, value, assigned := strings.Cut(line, "=")
	fields := strings.Fields(left)
	for i, field := range fields {
		field, after, _ := strings.Cut(field, ":")
		key, ok := meant(field, keys)
		if !ok {
			continue
		}
		s := Stray{Text: line, Key: key, Why: "there is no such key"}
		if !assigned {
			s.Why, value = "it has no =", after+" "+strings.Join(fields[i+1:], " ")
		} else if i > 0 {
			s.Why = "it is a command, and the file takes only settings"
		}
		s.Want = strings.TrimSpace(key + " = " + strings.Trim(strings.TrimSpace(value), `"'`))
		return s, true
	}
	return Stray{}, false
}

// words are what people call the three, after "keepalive".
var words = map[string][]string{
	"time":   {"", "idle", "time", "timeout", "delay"},
	"intvl":  {"intvl", "interval", "intval", "int", "intv", "intvls"},
	"probes": {"probes", "probe", "count", "cnt", "retries", "tries"},
}

// meant is the key that somebody meant who wrote this one. Of the kernel's own keys only
// the three themselves are like them.
func meant(written string, keys []string) (string, bool) {
	last := func(key string) string { return key[strings.LastIndexAny(key, "./")+1:] }
	name := strings.ReplaceAll(strings.ToLower(strings.Trim(last(written), "\"'`")), "-", "_")
	bare := strings.ReplaceAll(strings.TrimPrefix(name, "tcp_"), "keep_alive", "keepalive")
	most := 4 // slips
	what, keep := strings.CutPrefix(bare, "keepalive")
	if keep {
		most = len(name)
	} else {
		what, keep = strings.CutPrefix(bare, "keep")
	}
	what, _, _ = strings.Cut(strings.Trim(what, "_"), "_") // without its unit
	for _, key := range keys {
		word := key[strings.LastIndexByte(key, '_')+1:]
		if keep && slices.Contains(words[word], what) || name == "tcp_"+word && word != "time" {
			return key, true
		}
	}
	key, least := "", most+1
	for _, k := range keys {
		if n := nearest.Slips(name, last(k)); n < least {
			key, least = k, n
		}
	}
	return key, key != ""
}
