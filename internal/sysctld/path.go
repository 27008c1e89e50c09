package sysctld

import "strings"

// procPath turns a key into its path below /proc/sys. If its first separator is
// a slash, the key is that path. If it is a dot, dots and slashes change places:
// net.ipv4.conf.eth0/1.forwarding is net/ipv4/conf/eth0.1/forwarding. See
// sysctl.d(5).
func procPath(key string) string {
	if i := strings.IndexAny(key, "./"); i < 0 || key[i] == '/' {
		return key
	}
	return swapSeparators(key)
}

// dotted is the key of a path below /proc/sys, the way round that people write
// it.
func dotted(path string) string { return swapSeparators(path) }

func swapSeparators(s string) string {
	swapped := []byte(s)
	for i, c := range swapped {
		switch c {
		case '.':
			swapped[i] = '/'
		case '/':
			swapped[i] = '.'
		}
	}
	return string(swapped)
}

// isPattern reports whether the readers take path for a pattern.
func isPattern(path string) bool { return strings.ContainsAny(path, "*?[") }

// expand reports whether path, from /proc/sys on, leads to the sysctl target,
// and returns the path that leads there: path itself or, of a pattern, what
// glob(3) makes of it, which keeps empty and "." parts as they are. A ".." works
// on the way to target; no other directory is known here.
func expand(path, target string) (string, bool) {
	if path == target {
		return path, true
	}
	same := match
	if !isPattern(path) {
		if !strings.HasSuffix(path, target[strings.LastIndexByte(target, '/')+1:]) {
			return "", false
		}
		same = func(part, name string) bool { return part == name }
	}
	way := append([]string{"proc", "sys"}, strings.Split(target, "/")...)
	at := 2 // how much of way is behind us
	parts := strings.Split(path, "/")
	last := ""
	for i, p := range parts {
		last = p
		switch {
		case p == "" || p == ".":
		case p == "..":
			at = max(at-1, 0)
		case at < len(way) && same(p, way[at]):
			parts[i] = way[at]
			at++
		default:
			return "", false
		}
	}
	if at < len(way) || last == "" || last == "." {
		return "", false // a directory, or a file with a slash after it
	}
	return strings.Join(parts, "/"), true
}
