package netns

import (
	"bytes"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// mount is a network namespace mounted on a file.
type mount struct {
	id
	point string
}

// parseMountinfo finds the network namespaces in /proc/PID/mountinfo:
//
//	36 35 0:4 net:[4026532512] /run/netns/blue rw shared:1 - nsfs nsfs rw
//
// Lines about anything else are passed over, and so are lines that say nothing
// intelligible. See proc_pid_mountinfo(5).
func parseMountinfo(data []byte) []mount {
	var mounts []mount
	for line := range bytes.Lines(data) {
		if bytes.Contains(line, []byte(" - nsfs ")) {
			if m, ok := parseMount(strings.Fields(string(line))); ok {
				mounts = append(mounts, m)
			}
		}
	}
	return mounts
}

func parseMount(fields []string) (mount, bool) {
	const device, root, point = 2, 3, 4
	if len(fields) <= point {
		return mount{}, false
	}
	major, minor, _ := strings.Cut(fields[device], ":")
	ma, err1 := strconv.ParseUint(major, 10, 32)
	mi, err2 := strconv.ParseUint(minor, 10, 32)
	ino, isNet := strings.CutPrefix(fields[root], "net:[")
	ino, closed := strings.CutSuffix(ino, "]")
	in, err3 := strconv.ParseUint(ino, 10, 64)
	// A mount on a file that was deleted since cannot be reached by its path.
	if err1 != nil || err2 != nil || err3 != nil || !isNet || !closed ||
		!strings.HasPrefix(fields[point], "/") || strings.HasSuffix(fields[point], "//deleted") {
		return mount{}, false
	}
	return mount{id{unix.Mkdev(uint32(ma), uint32(mi)), in}, unescape(fields[point])}, true
}

// unescape undoes what the kernel does to white space and backslashes in the
// mount table: a space is \040. Source: fs/proc_namespace.c, mangle.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+4 <= len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
