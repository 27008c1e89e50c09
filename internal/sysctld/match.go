package sysctld

import "strings"

// match reports whether a pattern matches a name whole, as fnmatch(3) has it in
// the C locale: "*", "?", brackets, and a backslash before what is meant
// literally. Names are the kernel's: ASCII letters, digits and punctuation,
// without "[", so that a bracket that never closes matches nothing.
func match(pattern, name string) bool {
	star, rest := -1, 0 // where to take up again when the last "*" takes more
	p, n := 0, 0
	for n < len(name) {
		if p < len(pattern) && pattern[p] == '*' {
			p++
			star, rest = p, n
			continue
		}
		if width, ok := matchByte(pattern[p:], name[n]); ok {
			p += width
			n++
			continue
		}
		if star < 0 {
			return false
		}
		rest++
		p, n = star, rest
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchByte matches c with the first element of a pattern that does not begin
// with "*", and returns how long the element is.
func matchByte(pattern string, c byte) (width int, ok bool) {
	switch {
	case pattern == "":
		return 0, false
	case pattern[0] == '?':
		return 1, true
	case pattern[0] == '[':
		return matchBracket(pattern, c)
	case pattern[0] == '\\' && len(pattern) > 1:
		return 2, pattern[1] == c
	}
	return 1, pattern[0] == c
}

// matchBracket matches c with a bracket expression: [a-z_], [!a] or [^a],
// []a] with a bracket in it, [[:digit:]]. Behind the element that matches, only
// the end is looked for.
//
// [[=a=]] cannot occur: in a sysctl.d file the "=" ends the key. [[.a.]] is left
// out.
func matchBracket(pattern string, c byte) (width int, ok bool) {
	p := pattern[1:]
	negated := p != "" && (p[0] == '!' || p[0] == '^')
	if negated {
		p = p[1:]
	}
	for first := true; p != ""; first = false {
		if p[0] == ']' && !first {
			return len(pattern) - len(p) + 1, ok != negated
		}
		if class, after, found := bracketClass(p); found {
			in, known := inClass(class, c)
			if !known && !ok {
				return 0, false
			}
			ok = ok || in
			p = after
			continue
		}
		var lo, hi byte
		lo, p = bracketByte(p)
		hi = lo
		if !ok && len(p) > 1 && p[0] == '-' && p[1] != ']' {
			hi, p = bracketByte(p[1:])
		}
		ok = ok || lo <= c && c <= hi
	}
	return 0, false
}

// bracketByte takes one character off the front of p, which is not empty.
func bracketByte(p string) (c byte, after string) {
	if len(p) > 1 && p[0] == '\\' {
		p = p[1:]
	}
	return p[0], p[1:]
}

// bracketClass takes a class like [:digit:], known or not, off the front of p.
func bracketClass(p string) (class, after string, found bool) {
	p, found = strings.CutPrefix(p, "[:")
	if !found {
		return "", "", false
	}
	after = strings.TrimLeft(p, "abcdefghijklmnopqrstuvwxyz")
	class = p[:len(p)-len(after)]
	after, found = strings.CutPrefix(after, ":]")
	return class, after, found
}

// inClass reports whether c belongs to a character class, and whether there is
// such a class. See isalpha(3).
func inClass(class string, c byte) (in, known bool) {
	lower := 'a' <= c && c <= 'z'
	upper := 'A' <= c && c <= 'Z'
	digit := '0' <= c && c <= '9'
	switch class {
	case "lower":
		return lower, true
	case "upper":
		return upper, true
	case "alpha":
		return lower || upper, true
	case "digit":
		return digit, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	case "alnum":
		return lower || upper || digit, true
	case "punct":
		return !lower && !upper && !digit, true
	case "graph", "print":
		return true, true
	case "blank", "cntrl", "space": // in no name
		return false, true
	}
	return false, false
}
