package sysctld

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A generator makes trees that the readers have an opinion about: a few names,
// so that files hide each other, and lines that are mostly right. Every value is
// given out once, so that it tells which line was written.
type generator struct {
	*rand.Rand
	value int
}

// randomTree is a tree with files in the given directories.
func randomTree(r *rand.Rand, dirs []string) tree {
	g := &generator{Rand: r, value: 10}
	tr := tree{}
	for range 1 + g.IntN(7) {
		name := g.pick(dirs...) + "/" + g.pick("10-a.conf", "60-b.conf", "60-B.conf", "99-tcpka.conf",
			"99-sysctl.conf", ".60-b.conf", ".conf", "60-b.conf.bak", "zz.conf", "z z.conf")
		switch g.IntN(12) {
		case 0:
			tr[name] = "-> " + g.pick("/dev/null", "../../dev/null", "/nowhere", "../sysctl.conf", ".")
		case 1:
			tr[name] = ""
		default:
			tr[name] = g.file()
		}
	}
	switch g.IntN(6) {
	case 0, 1:
		tr["/etc/sysctl.conf"] = g.file()
	case 2:
		tr["/etc/sysctl.conf"] = "-> " + g.pick("/dev/null", "elsewhere", "/nowhere")
		tr["/etc/elsewhere"] = g.file()
	}
	return tr
}

func (g *generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// odd is from[0], and something else of from one time in n.
func (g *generator) odd(n int, from ...string) string {
	if g.IntN(n) > 0 {
		return from[0]
	}
	return g.pick(from...)
}

func (g *generator) file() string {
	var b strings.Builder
	b.WriteString(g.odd(30, "", "\ufeff"))
	for range 1 + g.IntN(4) {
		b.WriteString(g.line())
		b.WriteString(g.odd(8, "\n", "\r\n", "\r", "\n\r", "\r\r\n", "\x00", "\n\n", ""))
	}
	return b.String()
}

func (g *generator) line() string {
	if g.IntN(10) == 0 {
		return g.pick("# "+key+" = 1", " ; "+key+" = 2", "garbage", "x", "-", "=", "", "\\", "-#")
	}
	dash := g.odd(4, "", "-", "- ", "--", "-\t")
	if strings.HasPrefix(dash, "-") && g.IntN(2) == 0 {
		if key := g.key(); !isPattern(key) { // see versionTrees
			return dash + key + g.odd(4, "", " ", "\f")
		}
	}
	return g.odd(8, "", " ", "\t", "\f", "\v") + dash + g.key() + g.odd(5, " = ", "=", "\t=", "= \v", "==", " ") + g.valueText()
}

func (g *generator) key() string {
	last := g.pick("time", "time", "intvl", "probes")
	if g.IntN(3) == 0 {
		last = g.pick("*", "t*", "*i*", "?ime", "[ti]*", "[!p]*", "[^t]*", "[[:lower:]]ime", `\t*`, "*e*s",
			"["+g.bracket()+"]*", "["+g.bracket()+"]ime")
	}
	parts := []string{"net", g.odd(8, "ipv4", "i*4", "ipv?", "*"), "tcp_keepalive_" + last}
	s := strings.Join(parts, g.odd(4, ".", "/", "..", "//", "/./"))
	switch g.IntN(20) {
	case 0:
		s = g.pick("/", ".", "./", "/../sys/", "../") + s
	case 1:
		if !isPattern(s) { // see procps
			s += g.pick("/", ".", "/.", "/..", "x", " ")
		}
	case 2:
		s = strings.Replace(s, ".", "/", 1)
	case 3:
		s = strings.Replace(s, "net/", "net/../net/", 1)
	}
	return s
}

// bracket is what may stand in a bracket expression, right or wrong.
func (g *generator) bracket() string {
	var b strings.Builder
	for range 1 + g.IntN(5) {
		b.WriteString(g.pick("t", "i", "p", "a", "z", "-", "-", "!", "^", "]", "[", `\`, "[:alpha:]", "[:digit:]", "[:nope:]", ":"))
	}
	return b.String()
}

func (g *generator) valueText() string {
	g.value++
	n := fmt.Sprint(g.value)
	return g.odd(6, n, n+" # c", n+" ; c", "0"+n, "0x"+n, `"`+n+`"`, "", "soon", "-"+n, "+"+n, "99999999999", n+" 7", n+"\t", n+"=7", n+",7", "256")
}
