package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// UntrustedError is a journal that someone else may have prepared: a link in
// its place, another owner, or a mode that lets others in. Nothing was read from
// it, and nothing written.
type UntrustedError struct {
	Path string
	Why  string // "it belongs to uid 1000, not to uid 0"
	Fix  string // what mends it; empty is that it is to be looked at
}

func (e *UntrustedError) Error() string {
	return fmt.Sprintf("%s is not to be trusted: %s", e.Path, e.Why)
}

// check refuses a file that is not of this type (0 is regular, else
// [fs.ModeDir]), that is not the effective user's alone, or that has another
// name elsewhere. It looks at the open file, not at its path.
func check(f *os.File, want fs.FileMode) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	st := info.Sys().(*syscall.Stat_t)
	var why, fix string
	switch {
	case info.Mode().Type() != want:
		why = notA(want, info.Mode().Type())
	case int(st.Uid) != os.Geteuid():
		why = fmt.Sprintf("it belongs to uid %d, not to uid %d", st.Uid, os.Geteuid())
	case info.Mode()&0o077 != 0: // an access control list shows here, too: acl(5)
		why = fmt.Sprintf("its mode %#o lets others in", info.Mode().Perm())
		mode := 0o600
		if want.IsDir() {
			mode = 0o700
		}
		fix = fmt.Sprintf("chmod %o %s", mode, f.Name())
		if info.Mode()&0o022 != 0 {
			fix = "others may have written to it: look at what it has, then " + fix
		}
	case st.Nlink > 1 && want.IsRegular():
		why = fmt.Sprintf("it has %d names (hard links)", st.Nlink)
	default:
		return nil
	}
	return &UntrustedError{f.Name(), why, fix}
}

// wrongType turns an error of open that says that name is not a regular file
// into an UntrustedError; other errors it returns as they are.
func wrongType(name string, err error) error {
	var is fs.FileMode
	switch {
	case errors.Is(err, unix.ELOOP):
		is = fs.ModeSymlink
	case errors.Is(err, unix.EISDIR):
		is = fs.ModeDir
	case errors.Is(err, unix.ENXIO):
		is = fs.ModeSocket
	default:
		return err
	}
	return &UntrustedError{Path: name, Why: notA(0, is)}
}

func notA(want, is fs.FileMode) string {
	return fmt.Sprintf("it is a %s, not a %s", typeName(is), typeName(want))
}

func typeName(t fs.FileMode) string {
	switch t {
	case 0:
		return "regular file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symbolic link"
	}
	return "special file"
}
