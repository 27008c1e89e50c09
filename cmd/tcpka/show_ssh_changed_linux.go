package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/tcpka/tcpka/sshconf"
)

// changedSince says what of the files has changed since then: "/etc/ssh/sshd_config has
// changed". Empty is nothing, as far as ctime tells, which nobody can set back.
//
// A file that is gone has no ctime any more. What is left of it is that its directory
// has changed; so has that of a file that never was, when something else was made in it.
// Which of the two it is cannot be seen, so that is said, too.
func changedSince(found sshconf.Findings, since time.Time) string {
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
