// Package sysctld answers which file decides a sysctl at the next boot, and
// keeps the one file that tcpka writes there, [DropIn].
//
// Two programs read sysctl.d, and they do not agree: systemd-sysctl(8), which
// runs at boot wherever systemd does, and the sysctl(8) of procps, which other
// init systems run as "sysctl --system" and administrators run by hand. They
// read the same directories, but systemd does not read /etc/sysctl.conf and
// procps reads it last; and their grammars differ in the corners. Both are
// followed here into the corners, as systemd 252 and procps 4.0.2 have them.
//
// What else sets a sysctl at boot is read, too, where that is plain: the kernel command
// line before the readers; tuned, ufw and the scripts in well-known places after them. Not
// resolved are the systemd credential sysctl.extra, the copies of these files in an
// initramfs, and what a program does inside.
package sysctld

import (
	"fmt"
	"sync"
)

// A Reader is a program that reads sysctl.d and writes what it finds to
// /proc/sys.
type Reader string

const (
	// Systemd is systemd-sysctl. It collects first and writes after: a key is
	// written once, with the last value found. See sysctl.d(5).
	Systemd Reader = "systemd-sysctl"

	// Procps is "sysctl --system" of procps. It writes every assignment in
	// turn. See sysctl(8), System File Precedence.
	Procps Reader = "procps"
)

// Readers returns every reader there is.
func Readers() []Reader { return []Reader{Systemd, Procps} }

// An Assignment is a value that a reader writes to a key.
type Assignment struct {
	Reader Reader
	Key    string // as it was asked for: "net.ipv4.tcp_keepalive_time"

	// Value is the text as the reader writes it, spaces around it cut off. The
	// kernel has its own way with it: of "6 # seconds" it takes the 6, and
	// "0600" is octal.
	Value string

	Path string // as seen inside the root: "/etc/sysctl.d/99-tcpka.conf"
	Line int    // counted from 1, by line feeds, as an editor does

	By string // who writes it, if it is not the reader: "tuned"
}

// Source is where it comes from: "/etc/tuned/mine/tuned.conf:4 (tuned)".
func (a Assignment) Source() string {
	if a.By == "" {
		return fmt.Sprintf("%s:%d", a.Path, a.Line)
	}
	return fmt.Sprintf("%s:%d (%s)", a.Path, a.Line, a.By)
}

// IsSet reports whether a file sets the key at all. Where none does, Value,
// Path and Line are empty.
func (a Assignment) IsSet() bool { return a.Path != "" }

// Resolve returns what is written last to each of the keys, in their order, where r is
// the reader.
// Whether the kernel accepts it is another matter: see [Files.Writes].
func (f *Files) Resolve(r Reader, keys ...string) []Assignment {
	last := make([]Assignment, len(keys))
	for i, key := range keys {
		last[i] = Assignment{Reader: r, Key: key}
		if all := f.Writes(r, key); len(all) > 0 {
			last[i] = all[len(all)-1]
		}
	}
	return last
}

// Writes returns everything that is written to key, in order, where r is the reader. The
// last that the kernel accepts stays in force: a value it refuses leaves the one before.
// [Systemd] itself writes more than once only where no line names the key and several
// patterns match it.
func (f *Files) Writes(r Reader, key string) []Assignment {
	before, after := f.Beside(key)
	all := append(before, f.tell(r).writes(r, key)...)
	for _, a := range after {
		a.Reader = r
		all = append(all, a)
	}
	return all
}

// Exclusion returns the last line that says of a key, by its name, that r does
// not set it ("-key" without a value). Its Path is empty where none does.
func (f *Files) Exclusion(r Reader, key string) Assignment {
	last := Assignment{Reader: r, Key: key}
	for _, s := range f.tell(r).settings {
		if path, ok := expand(s.key, procPath(key)); ok && s.exclude && !isPattern(s.key) && path != "" {
			last.Path, last.Line = s.path, s.line
		}
	}
	return last
}

// told is what the files tell a reader.
type told struct {
	once     sync.Once
	settings []setting       // in the order the reader acts on them
	named    map[string]bool // their paths: those that no pattern sets, whether it stands before or after
}

func (f *Files) tell(r Reader) *told {
	var t *told
	var parse func() []setting
	switch r {
	case Systemd:
		t, parse = &f.told[0], f.systemd
	case Procps:
		t, parse = &f.told[1], f.procps
	default:
		return new(told)
	}
	t.once.Do(func() {
		t.settings = parse()
		t.named = make(map[string]bool, len(t.settings))
		for _, s := range t.settings {
			t.named[s.key] = true
		}
	})
	return t
}

// A setting is one line of a file as a reader understands it.
type setting struct {
	key     string // as a path below /proc/sys, patterns included
	value   string
	exclude bool // "-key" without a value: no pattern sets this key
	path    string
	line    int
	by      string // a program other than the reader
}

// writes picks those settings that end in a write to key. A pattern gives
// way to a name as text only: what glob(3) makes of net//ipv4/* is net//ipv4/x,
// and procps does not take it for net/ipv4/x.
func (t *told) writes(r Reader, key string) []Assignment {
	target := procPath(key)
	var found []Assignment
	for _, s := range t.settings {
		if s.exclude {
			continue
		}
		path, ok := expand(s.key, target)
		if !ok || isPattern(s.key) && t.named[path] {
			continue
		}
		found = append(found, Assignment{Reader: r, Key: key, Value: s.value, Path: s.path, Line: s.line, By: s.by})
	}
	return found
}
