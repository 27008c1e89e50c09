package sshtest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Trees is how many configurations are generated for either side.
const Trees = 80

// Writer makes up configuration files. Every value is a number used once, so that
// a value found says which line it is from.
type Writer struct {
	*rand.Rand
	next   int
	Client bool
	Files  map[string]string
}

func (w *Writer) Pick(of ...string) string { return of[w.IntN(len(of))] }

// option is a line with a keyword, in one of many spellings.
func (w *Writer) option(keyword, value string) string {
	switch w.IntN(5) {
	case 0:
		keyword = strings.ToLower(keyword)
	case 1:
		keyword = strings.ToUpper(keyword)
	case 2:
		keyword = `"` + keyword + `"`
	}
	separator := w.Pick(" ", "  ", "\t", "=", " = ", "\t=", "= ")
	if keyword[0] == '"' {
		separator = " "
	}
	return w.Pick("", "", "  ", "\t") + keyword + separator + w.Pick(value, value, `"`+value+`"`) + w.Pick("", "", " ", "\t\f", " # comment", "\r")
}

func (w *Writer) lines(depth, n int) string {
	var b strings.Builder
	for range n {
		w.next++
		side := map[bool]string{true: "Server", false: "Client"}[w.Client]
		line := ""
		switch w.IntN(12) {
		case 0, 1, 2:
			line = w.option(side+"AliveInterval", strconv.Itoa(w.next)+w.Pick("", "", "s", "m"))
		case 3, 4:
			line = w.option(side+"AliveCountMax", strconv.Itoa(w.next))
		case 5:
			line = w.option(w.Pick("TCPKeepAlive", "KeepAlive"), w.Pick("yes", "no"))
			if !w.Client && depth > 0 { // not allowed after Match
				line = ""
			}
		case 6:
			line = w.Pick("", "# "+side+"AliveInterval 1", "   ", "#")
		case 7, 8:
			line = w.block()
		case 9:
			if depth < 3 {
				line = w.include(depth)
			}
		case 10:
			if w.Client {
				line = w.Pick(w.option("HostName", w.Pick("db", "web1", "other.example")), w.option("User", w.Pick("bob", "carol")), w.option("ServerAliveInterval", "none"), "BatchMode "+w.Pick("yes", "no"))
			}
		case 11:
			line = w.option("Port", "22")
			if !w.Client {
				line = w.option("MaxSessions", "7")
			}
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

func (w *Writer) block() string {
	if !w.Client {
		return w.Pick("Match", "match", "\tMATCH") + " " + w.Pick(
			"all", "User bob", "User carol,b*", "user !bob,*", "Address 10.0.0.0/8", "address 10.9.*", "Address 10.0.0.9", "Host *.example",
			"host client.EXAMPLE", "LocalPort 2222", "LocalPort 22", "LocalAddress 192.0.2.0/24", "User bob Address 10.0.0.0/24", "User carol LocalPort 22", "Group wheel")
	}
	return w.Pick(
		"Host *", "Host web1", "host web?", "HOST db web*", "Host !web1 *", "Host * !db", "Host=web1", "Host \"web1\"", "Host WEB1", "Host 10.*",
		"Match all", "Match host web1", "match HOST db,other.*", "Match originalhost web*", "Match user bob", "Match user root", "Match localuser root",
		"Match !host web1", "Match host web* user bob", "Match final", "Match final all", "Match canonical", "Match !final host web1",
		"Match exec true", "Match exec false", "Match host nowhere exec true")
}

// include makes up a file, or several, and names them.
func (w *Writer) include(depth int) string {
	w.next++
	dir := fmt.Sprintf("d%d", w.next)
	for _, name := range []string{"10-a.conf", "9-b.conf", ".hidden.conf", "Z.conf"}[:1+w.IntN(4)] {
		w.Files[dir+"/"+name] = w.lines(depth+1, w.IntN(6))
	}
	where := w.Pick(dir+"/*.conf", dir+"/10-a.conf", dir+"/?-b.conf", dir+"/10-a.conf "+dir+"/missing.conf", "BASE/"+dir+"/*.conf")
	if w.Client {
		where = strings.ReplaceAll(where, "BASE", w.Pick("BASE", "~/.ssh"))
	}
	return w.Pick("Include ", "include=", "\tInclude\t") + where
}

// Generate writes one tree below base, its main file under the name given.
func (w *Writer) Generate(t *testing.T, base, main string) {
	w.Files = map[string]string{}
	w.Files[main] = w.lines(0, 3+w.IntN(14))
	for name, content := range w.Files {
		content = strings.ReplaceAll(content, "BASE", base)
		if w.IntN(4) == 0 {
			content = strings.TrimSuffix(content, "\n")
		}
		Write(t, filepath.Join(base, name), content)
	}
}
