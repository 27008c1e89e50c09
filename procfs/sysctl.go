package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// sysctlPath is the file of a sysctl: net.ipv4.x is /proc/sys/net/ipv4/x.
func sysctlPath(key string) string {
	return "/proc/sys/" + strings.ReplaceAll(key, ".", "/")
}

// readInt reads a sysctl that holds one number.
func (fs FS) readInt(key string) (int, error) {
	name := sysctlPath(key)
	data, err := fs.root.ReadFile(name)
	if err != nil {
		return 0, err
	}
	n, err := parseInt(data)
	if err != nil {
		return 0, &os.PathError{Op: "read", Path: fs.root.Path(name), Err: err}
	}
	return n, nil
}

// parseInt understands one decimal number that fits a C int, with white space
// around it. The kernel writes nothing else (kernel/sysctl.c, do_proc_dointvec);
// an image may hold anything.
func parseInt(data []byte) (int, error) {
	text := bytes.Trim(data, " \t\r\n")
	if len(text) == 0 {
		return 0, errors.New("empty")
	}
	n, err := strconv.ParseInt(string(text), 10, 32)
	if err == nil {
		return int(n), nil
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s: too large for the kernel", excerpt(text))
	case bytes.ContainsAny(text, " \t\r\n"):
		return 0, fmt.Errorf("%s: not one number alone", excerpt(text))
	}
	return 0, fmt.Errorf("%s: not a whole number", excerpt(text))
}

// excerpt quotes the beginning of a file for an error: on one line, safe for a
// terminal whatever it holds.
func excerpt(text []byte) string {
	const most = 40
	if len(text) <= most {
		return strconv.Quote(string(text))
	}
	return strconv.Quote(string(text[:most])) + "..."
}
