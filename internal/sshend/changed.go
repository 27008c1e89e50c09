package sshend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
	"github.com/tcpka/tcpka/internal/sshproc"
)

// ChangedSince says what of the files has changed since then: "/etc/ssh/sshd_config has
// changed". Empty is nothing, as far as ctime tells, which nobody can set back.
//
// A file that is gone has no ctime any more. What is left of it is that its directory
// has changed; so has that of a file that never was, when something else was made in it.
// Which of the two it is cannot be seen, so that is said, too.
func ChangedSince(found sshconf.Findings, since time.Time) string {
	files := slices.Sorted(slices.Values(found.Files))
	for _, path := range files {
		if touched(path, since) {
			return path + " has changed"
		}
	}
	for _, path := range files {
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if dir := above(path); touched(dir, since) {
			return fmt.Sprintf("%s is not there, and may have been: %s has changed", path, dir)
		}
	}
	for _, dir := range slices.Sorted(slices.Values(found.Dirs)) {
		switch _, err := os.Stat(dir); {
		case err == nil && touched(dir, since):
			return dir + " has changed"
		case err != nil && touched(above(dir), since):
			return fmt.Sprintf("%s is not there, and may have been: %s has changed", dir, above(dir))
		}
	}
	return ""
}

// touched reports whether a file or directory has changed since then, or the link at its
// name.
func touched(path string, since time.Time) bool {
	for _, stat := range []func(string, *syscall.Stat_t) error{syscall.Stat, syscall.Lstat} {
		var st syscall.Stat_t
		if err := stat(path, &st); err == nil && time.Unix(st.Ctim.Unix()).After(since) {
			return true
		}
	}
	return false
}

// above is the first directory above a path that is not there which is. A link that
// leads nowhere is followed to where its target was.
func above(path string) string {
	for range 8 { // links, and nobody has more
		target, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	for {
		path = filepath.Dir(path)
		if _, err := os.Stat(path); err == nil || path == "/" || path == "." {
			return path
		}
	}
}

// Moment is when a process has read its files, and how that is said.
type Moment struct {
	time.Time
	Text string // "since it began"
}

// The clock of processes is coarser than that of files, by some hundredths.
const ClockError = 100 * time.Millisecond

// FilesRead is when the files were read whose values a process has: by the sshd that
// listens, when it began or at its last reload, before it has accepted the session. A
// session keeps what was read then.
func FilesRead(listener sshproc.Process, accepted time.Time, itself bool) Moment {
	began, read := listener.Started.Add(ClockError), listener.LastRead()
	switch {
	case read.IsZero() && itself:
		return Moment{began, "since it began; whether it was told to reload since is not known"}
	case read.IsZero():
		return Moment{began, "since its sshd began; whether that was told to reload before this session is not known"}
	case itself:
		return Moment{read, "since it last read its files"}
	case !read.After(began), accepted.After(read.Add(ClockError)): // it has not been told yet, or before
		return Moment{read, "since its sshd last read its files"}
	}
	return Moment{began, "since its sshd began, and was read again only after this session had begun"}
}
