package sysctld

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/tcpka/tcpka/internal/rootfs"
)

// directories are where both readers look, the first to hold a name wins. On a
// merged /usr the last is the one before it under another name.
var directories = [...]string{
	"/etc/sysctl.d",
	"/run/sysctl.d",
	"/usr/local/lib/sysctl.d",
	"/usr/lib/sysctl.d",
	"/lib/sysctl.d",
}

// mainFile is the file that procps reads after all others, and systemd only
// where a distribution links to it from sysctl.d.
const mainFile = "/etc/sysctl.conf"

// Files is the content of all files that either reader reads.
type Files struct {
	dropIns []file // one for each name, in the order of the names
	main    file
	unread  []unread
	writers writers

	told [2]told // by reader, once it was asked for
}

type file struct {
	name string // "99-tcpka.conf"
	path string
	text string
}

// Load reads the files under root, once for both readers.
//
// A file or a directory that cannot be read is named in the error, one joined
// from all of them, and counts as empty. The Files are never nil: without
// privilege they tell what can be told. Errors answer
// errors.Is(err, fs.ErrPermission).
func Load(root rootfs.FS) (*Files, error) {
	var f Files
	var errs []error
	load := func(name string, kind fs.FileMode) file {
		text, err := read(root, name, kind)
		if err != nil {
			errs = append(errs, err)
		}
		return file{path.Base(name), name, text}
	}
	seen := make(map[string]file)
	for _, dir := range directories {
		entries, err := root.ReadDir(dir)
		if err != nil && !leadsNowhere(err) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			name := e.Name()
			if first, hidden := seen[name]; hidden {
				f.hidden(root, dir+"/"+name, first)
			} else if strings.HasSuffix(name, ".conf") {
				seen[name] = load(dir+"/"+name, e.Type())
				f.dropIns = append(f.dropIns, seen[name])
			} else {
				f.misplaced(root, dir, e)
			}
		}
	}
	slices.SortFunc(f.dropIns, func(a, b file) int { return strings.Compare(a.name, b.name) })
	f.main = load(mainFile, fs.ModeSymlink)
	f.elsewhere(root)
	var err error
	f.writers, err = loadWriters(root)
	errs = append(errs, err)
	return &f, errors.Join(errs...)
}

// read returns what the readers get out of name, which may be a link if kind
// says so. Nothing is not an error: a
// link to /dev/null, an empty file, a link that leads nowhere and a directory
// all hide the files of this name in later directories, and say nothing.
func read(root rootfs.FS, name string, kind fs.FileMode) (string, error) {
	if kind&fs.ModeSymlink != 0 && leadsToNull(root, name) {
		return "", nil
	}
	data, err := root.ReadFile(name)
	if err == nil || leadsNowhere(err) {
		return string(data), nil
	}
	const silent = fs.ModeDir | fs.ModeCharDevice | fs.ModeSocket
	if info, statErr := root.Stat(name); statErr == nil && info.Mode()&silent != 0 {
		return "", nil
	}
	return "", err
}

// leadsToNull goes by the name: in an image /dev/null may be missing, or be a file
// that somebody's build left there.
func leadsToNull(root rootfs.FS, link string) bool {
	target, err := root.Readlink(link)
	if err != nil {
		return false
	}
	if !path.IsAbs(target) {
		target = path.Join(path.Dir(link), target)
	}
	return path.Clean(target) == "/dev/null"
}

// leadsNowhere reports whether a path could not be opened by anybody, because
// there is nothing at it.
func leadsNowhere(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// WithDropIn returns the files as they are once [DropIn] has this content.
func (f *Files) WithDropIn(content []byte) *Files {
	name := path.Base(DropIn)
	others := slices.DeleteFunc(slices.Clone(f.dropIns), func(f file) bool { return f.name == name })
	g := &Files{dropIns: append(others, file{name, DropIn, string(content)}), main: f.main, unread: f.unread, writers: f.writers}
	slices.SortFunc(g.dropIns, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return g
}
