package sysctld

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// A tree is files by path. Content "-> x" is a symbolic link to x, and a path
// that ends in a slash is a directory.
type tree map[string]string

// write puts the tree under dir.
func (tr tree) write(t testing.TB, dir string) {
	t.Helper()
	for name, content := range tr {
		full := filepath.Join(dir, name)
		parent := full
		if !strings.HasSuffix(name, "/") {
			parent = filepath.Dir(full)
		}
		err := os.MkdirAll(parent, 0o755)
		if target, ok := strings.CutPrefix(content, "-> "); ok && err == nil {
			err = os.Symlink(target, full)
		} else if parent != full && err == nil {
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

const (
	key   = "net.ipv4.tcp_keepalive_time"
	slash = "net/ipv4/tcp_keepalive_time"
	all   = "net.ipv4.tcp_keepalive_*"
)

// file60 is a tree of one file, /etc/sysctl.d/60-a.conf.
func file60(content string) tree { return tree{"/etc/sysctl.d/60-a.conf": content} }

// A treeTest says what both readers write last to key in a tree:
// "600 /etc/sysctl.d/x.conf:1", or nothing. "60:1" is short for the first line of
// file60.
type treeTest struct {
	name            string
	tree            tree
	systemd, procps string
}

var trees = []treeTest{
	// Which files.
	{"no files set nothing", nil, "", ""},
	{"a file sets a key", file60(key + " = 5\n"), "5 60:1", "5 60:1"},
	{
		"of two files the one whose name sorts last wins, whatever its directory",
		tree{"/usr/lib/sysctl.d/60-b.conf": key + "=5", "/etc/sysctl.d/99-a.conf": key + "=6", "/etc/sysctl.d/50-c.conf": key + "=7"},
		"6 /etc/sysctl.d/99-a.conf:1", "6 /etc/sysctl.d/99-a.conf:1",
	},
	{
		"names sort by bytes, capitals first",
		tree{"/etc/sysctl.d/Z.conf": key + "=5", "/etc/sysctl.d/a.conf": key + "=6"},
		"6 /etc/sysctl.d/a.conf:1", "6 /etc/sysctl.d/a.conf:1",
	},
	{
		"names sort with their suffix, so a-b before a",
		tree{"/etc/sysctl.d/a.conf": key + "=5", "/etc/sysctl.d/a-b.conf": key + "=6"},
		"5 /etc/sysctl.d/a.conf:1", "5 /etc/sysctl.d/a.conf:1",
	},
	{
		"of one name in two directories only the first is read: /usr/local/lib before /usr/lib",
		tree{"/usr/local/lib/sysctl.d/a.conf": key + "=5", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"5 /usr/local/lib/sysctl.d/a.conf:1", "5 /usr/local/lib/sysctl.d/a.conf:1",
	},
	{
		"/run before /usr/local/lib",
		tree{"/run/sysctl.d/a.conf": key + "=5", "/usr/local/lib/sysctl.d/a.conf": key + "=6"},
		"5 /run/sysctl.d/a.conf:1", "5 /run/sysctl.d/a.conf:1",
	},
	{
		"/etc before /run, even if it says nothing of the key",
		tree{"/etc/sysctl.d/a.conf": "# nothing\n", "/run/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"an empty file hides",
		tree{"/etc/sysctl.d/a.conf": "", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"a link to /dev/null hides",
		tree{"/etc/sysctl.d/a.conf": "-> /dev/null", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"a relative link to /dev/null hides",
		tree{"/etc/sysctl.d/a.conf": "-> ../../dev/null", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"a dangling link hides",
		tree{"/etc/sysctl.d/a.conf": "-> /nowhere", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"a directory with a file's name hides",
		tree{"/etc/sysctl.d/a.conf/": "", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"a link to a file is read under its own name",
		tree{"/etc/sysctl.d/99-z.conf": "-> ../elsewhere", "/etc/elsewhere": "\n" + key + "=5", "/etc/sysctl.d/98-y.conf": key + "=6"},
		"5 /etc/sysctl.d/99-z.conf:2", "5 /etc/sysctl.d/99-z.conf:2",
	},
	{
		"a file in place of a directory is no directory",
		tree{"/run/sysctl.d": "hello", "/etc/sysctl.d/a.conf": key + "=5"},
		"5 /etc/sysctl.d/a.conf:1", "5 /etc/sysctl.d/a.conf:1",
	},
	{
		"a directory may be a link",
		tree{"/run/sysctl.d": "-> /etc/other", "/etc/other/a.conf": key + "=5"},
		"5 /run/sysctl.d/a.conf:1", "5 /run/sysctl.d/a.conf:1",
	},
	{
		"other suffixes are not read",
		tree{"/etc/sysctl.d/a.CONF": key + "=5", "/etc/sysctl.d/a.conf~": key + "=5", "/etc/sysctl.d/README": key + "=5"},
		"", "",
	},
	{
		"procps reads hidden files",
		tree{"/etc/sysctl.d/.60-a.conf": key + "=5"}, "", "5 /etc/sysctl.d/.60-a.conf:1",
	},
	{
		"even one that is only a suffix",
		tree{"/usr/lib/sysctl.d/.conf": key + "=5"}, "", "5 /usr/lib/sysctl.d/.conf:1",
	},
	{
		"procps reads /etc/sysctl.conf, after everything else",
		tree{"/etc/sysctl.conf": key + "=5", "/etc/sysctl.d/zz.conf": key + "=6"},
		"6 /etc/sysctl.d/zz.conf:1", "5 /etc/sysctl.conf:1",
	},
	{
		"a link from sysctl.d gives /etc/sysctl.conf to systemd, in the place of its name",
		tree{"/etc/sysctl.conf": key + "=5", "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf", "/etc/sysctl.d/90-a.conf": key + "=6"},
		"5 /etc/sysctl.d/99-sysctl.conf:1", "5 /etc/sysctl.conf:1",
	},
	{
		"our drop-in sorts after that link, and procps still reads /etc/sysctl.conf later",
		tree{"/etc/sysctl.conf": key + "=5", "/etc/sysctl.d/99-sysctl.conf": "-> ../sysctl.conf", DropIn: key + "=6"},
		"6 /etc/sysctl.d/99-tcpka.conf:1", "5 /etc/sysctl.conf:1",
	},
	{"/etc/sysctl.conf may be a directory", tree{"/etc/sysctl.conf/": "", "/etc/sysctl.d/60-a.conf": key + "=5"}, "5 60:1", "5 60:1"},
	{"/etc/sysctl.conf may be a link", tree{"/etc/sysctl.conf": "-> real", "/etc/real": key + "=5"}, "", "5 /etc/sysctl.conf:1"},

	// What a line is.
	{"the last of two lines wins", file60(key + "=5\n" + key + "=6\n"), "6 60:2", "6 60:2"},
	{"the same value twice is the last line's", file60(key + "=5\n" + key + "=5\n"), "5 60:2", "5 60:2"},
	{"the last line needs no end", file60("\n\n" + key + "=5"), "5 60:3", "5 60:3"},
	{"spaces and tabs around key and value do not count", file60(" \t" + key + "\t =\t 5 \t\n"), "5 60:1", "5 60:1"},
	{"spaces inside the value do", file60(key + " = 5  6\n"), "5  6 60:1", "5  6 60:1"},
	{"a value goes on to the end of its line", file60(key + " = 5 # seconds\n"), "5 # seconds 60:1", "5 # seconds 60:1"},
	{"quotes belong to the value", file60(key + " = \"5\"\n"), `"5" 60:1`, `"5" 60:1`},
	{"the first equals sign separates", file60(key + " = 5=6\n"), "5=6 60:1", "5=6 60:1"},
	{"a value may be empty", file60(key + " =\n"), " 60:1", " 60:1"},
	{"a backslash does not continue a line", file60(key + " = \\\n5\n"), `\ 60:1`, `\ 60:1`},
	{"comments begin with # or ;", file60("#" + key + "=5\n;" + key + "=6\n"), "", ""},
	{"comments may be indented", file60(" \t#" + key + "=5\n  ;" + key + "=6\n"), "", ""},
	{"lines that say nothing are skipped", file60("garbage\n=\n-\nx\n" + key + ": 7\n" + key + "=5\n"), "5 60:6", "5 60:6"},
	{"a byte order mark belongs to the key", file60("\ufeff" + key + "=5\n"), "", ""},
	{"CRLF ends a line", file60(key + "=5\r\n# x\r\n"), "5 60:1", "5 60:1"},
	{"a carriage return ends a line for systemd", file60("x\r" + key + "=5\r" + key + "=6\n"), "6 60:1", ""},
	{"a carriage return inside is part of the value for procps", file60(key + "=5\rx\n"), "5 60:1", "5\rx 60:1"},
	{"a NUL ends a line for systemd, and hides the rest of it from procps", file60(key + "=5\x00" + key + "=6\n"), "6 60:1", "5 60:1"},
	{"a form feed is space for procps alone", file60("\f" + key + "=5\n"), "", "5 60:1"},
	{"a vertical tab is space for procps alone", file60(key + " = \v5\v\n"), "\v5\v 60:1", "5 60:1"},
	{
		"systemd gives up a file at a line of 1 MiB, and keeps what came before",
		file60(key + "=5\n#" + strings.Repeat("x", 1<<20-1) + "\n" + key + "=6\n"), "5 60:1", "6 60:3",
	},
	{
		"one byte less is a line",
		file60(key + "=5\n#" + strings.Repeat("x", 1<<20-2) + "\r\n" + key + "=6\n"), "6 60:3", "6 60:3",
	},
	{
		"a line of 1 MiB ends one file, not the next",
		tree{"/etc/sysctl.d/a.conf": strings.Repeat("x", 1<<20), "/etc/sysctl.d/b.conf": key + "=5"},
		"5 /etc/sysctl.d/b.conf:1", "5 /etc/sysctl.d/b.conf:1",
	},

	// What a key is.
	{"slashes separate, too", file60(slash + "=5\n"), "5 60:1", "5 60:1"},
	{"after a slash a dot is a dot", file60("net/ipv4.tcp_keepalive_time=5\n"), "", ""},
	{"after a dot a slash is a dot", file60("net.ipv4/tcp_keepalive_time=5\n"), "", ""},
	{"/proc/sys does not belong in a key", file60("/proc/sys/" + slash + "=5\n"), "", ""},
	{"a leading slash does no harm", file60("/" + slash + "=5\n"), "5 60:1", "5 60:1"},
	{"a leading dot does no harm", file60("." + key + "=5\n"), "5 60:1", "5 60:1"},
	{"doubled separators do no harm", file60("net..ipv4.tcp_keepalive_time=5\n"), "5 60:1", "5 60:1"},
	{"a . part does no harm", file60("net/./ipv4/tcp_keepalive_time=5\n"), "5 60:1", "5 60:1"},
	{"a separator at the end means a directory to procps", file60(key + ".=5\n"), "5 60:1", ""},
	{"so does a . part there", file60("net/ipv4/tcp_keepalive_t*/.=5\n"), "5 60:1", ""},
	{"systemd refuses a .. part", file60("net/../" + slash + "=5\n"), "", "5 60:1"},
	{"procps goes up as far as .. leads", file60("/../sys/" + slash + "=5\n"), "", "5 60:1"},
	{".. leads nowhere else", file60("net/../ipv4/tcp_keepalive_time=5\n../../" + slash + "=5\n"), "", ""},
	{"capitals are other letters", file60("NET.ipv4.tcp_keepalive_time=5\n"), "", ""},
	{"a longer name is another key", file60(key + "s=5\nx" + key + "=5\n"), "", ""},

	// The dash.
	{"a dash before the key ignores errors", file60("-" + key + "=5\n"), "5 60:1", "5 60:1"},
	{"after the dash systemd skips spaces", file60("- " + key + "=5\n"), "5 60:1", ""},
	{"a second dash is skipped by procps", file60("--" + key + "=5\n"), "", "5 60:1"},
	{"a third by nobody", file60("---" + key + "=5\n"), "", ""},
	{"without a value it takes the key out of patterns", file60(all + "=5\n-" + key + "\n"), "", ""},
	{"before the pattern as well", file60("-" + key + "\n" + all + "=5\n"), "", ""},
	{
		"and from any file",
		tree{"/etc/sysctl.d/a.conf": "-" + slash + "\n", "/etc/sysctl.d/b.conf": all + "=5\n"}, "", "",
	},
	{"systemd takes back an assignment, too", file60(key + "=5\n-" + key + "\n"), "", "5 60:1"},
	{"even that of an empty value", file60(key + "=\n-" + key + "\n"), "", " 60:1"},
	{"an assignment takes back the exclusion", file60("-" + key + "\n" + key + "=5\n"), "5 60:2", "5 60:2"},
	{
		"/etc/sysctl.conf can exclude for procps",
		tree{"/etc/sysctl.conf": "-" + key, "/etc/sysctl.d/60-a.conf": all + "=5"}, "5 60:1", "",
	},

	// Patterns.
	{"a pattern sets every key it matches", file60(all + "=5\n"), "5 60:1", "5 60:1"},
	{"a key by name beats a later pattern", file60(key + "=6\n" + all + "=5\n"), "6 60:1", "6 60:1"},
	{
		"even from an earlier file",
		tree{"/etc/sysctl.d/a.conf": key + "=6", "/etc/sysctl.conf": all + "=5", "/etc/sysctl.d/b.conf": all + "=5"},
		"6 /etc/sysctl.d/a.conf:1", "6 /etc/sysctl.d/a.conf:1",
	},
	{"of two patterns the later wins", file60(all + "=5\nnet.ipv4.tcp_keepalive_t*=6\n"), "6 60:2", "6 60:2"},
	{
		"for systemd a pattern repeated with its value keeps its turn",
		file60(all + "=5\nnet.ipv4.tcp_keepalive_t*=6\n" + all + "=5\n"), "6 60:2", "5 60:3",
	},
	{
		"and with another value takes a new one",
		file60(all + "=5\nnet.ipv4.tcp_keepalive_t*=6\n" + all + "=7\n"), "7 60:3", "7 60:3",
	},
	{
		"to procps a name with a doubled slash is not the name a pattern gives",
		file60("net//ipv4/tcp_keepalive_time=6\n" + all + "=5\n"), "6 60:1", "5 60:2",
	},
	{
		"nor is what a pattern with a doubled slash gives the name",
		file60(key + "=6\nnet//ipv4/tcp_keepalive_*=5\n"), "6 60:1", "5 60:2",
	},
	{"a pattern may stand for a directory", file60("net/*/tcp_keepalive_time=5\n"), "5 60:1", "5 60:1"},
	{"but for one only", file60("net/*=5\nnet/**=5\n*=5\n"), "", ""},
	{"a pattern with .. works for procps", file60("net/../net/ipv4/tcp_keepalive_*=5\n"), "", "5 60:1"},
	{"a pattern with a slash at its end works for systemd", file60("net/ipv4/tcp_keepalive_*/=5\n"), "5 60:1", ""},
	{"a question mark is one character", file60("net.ipv?.tcp_keepalive_????=5\nnet.ipv4.tcp_keepalive_time?=6\n"), "5 60:1", "5 60:1"},
	{"a bracket is a set", file60("net.ipv4.tcp_keepalive_[ti]*=5\n"), "5 60:1", "5 60:1"},
	{"a bracket can be negated with !", file60("net.ipv4.tcp_keepalive_[!ip]*=5\n"), "5 60:1", "5 60:1"},
	{"or with ^", file60("net.ipv4.tcp_keepalive_[^ip]*=5\n"), "5 60:1", "5 60:1"},
	{"a bracket can hold ranges", file60("net.ipv4.tcp_keepalive_[a-cs-z]*=5\n"), "5 60:1", "5 60:1"},
	{"a range backwards is empty", file60("net.ipv4.tcp_keepalive_[z-a]*=5\n"), "", ""},
	{"a bracket can hold classes", file60("net.ipv4.tcp_keepalive_[[:digit:][:lower:]]*=5\n"), "5 60:1", "5 60:1"},
	{"an unknown class matches nothing", file60("net.ipv4.tcp_keepalive_[[:foo:]t]*=5\n"), "", ""},
	{"unless the character was found before it", file60("net.ipv4.tcp_keepalive_[t[:foo:]]*=5\n"), "5 60:1", "5 60:1"},
	{"nor does a range count then", file60("net.ipv4.tcp_keepalive_[t!-[:foo:]]*=5\n"), "5 60:1", "5 60:1"},
	{"a closing bracket comes first in its set", file60("net.ipv4.tcp_keepalive_[]t]*=5\n"), "5 60:1", "5 60:1"},
	{"a bracket that never closes is a character", file60("net.ipv4.tcp_keepalive_[t*=5\n"), "", ""},
	{"a backslash quotes", file60(`net.i\pv4.tcp_keepalive_\t*=5` + "\n"), "5 60:1", "5 60:1"},
	{"also a star", file60(`net.ipv4.tcp_keepalive_\*=5` + "\n"), "", ""},
	{"but only in a pattern", file60(`net.ipv4.tcp_keepalive_\time=5` + "\n"), "", ""},
	{"braces are no pattern", file60("net.ipv4.tcp_keepalive_{time,intvl}=5\n"), "", ""},
}

// versionTrees are like trees, for what newer systemd or procps are known to do
// otherwise than systemd 252 and procps 4.0.2.
var versionTrees = []treeTest{
	{
		"a link to itself hides",
		tree{"/etc/sysctl.d/a.conf": "-> a.conf", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{
		"a link through a file hides",
		tree{"/etc/sysctl.d/a.conf": "-> b.conf/c", "/etc/sysctl.d/b.conf": "", "/usr/lib/sysctl.d/a.conf": key + "=6"},
		"", "",
	},
	{"excluding a pattern excludes none of its keys", file60(all + "=5\n-net.ipv4.tcp_keepalive_t*\n"), "5 60:1", "5 60:1"},
	{"but systemd takes back the very same pattern", file60(all + "=5\n-" + all + "\n"), "", "5 60:1"},
}

func TestResolve(t *testing.T) {
	for _, tt := range slices.Concat(trees, versionTrees) {
		t.Run(tt.name, func(t *testing.T) {
			files := load(t, tt.tree)
			got := map[Reader]string{}
			for _, r := range Readers() {
				a := files.Resolve(r, key)[0]
				if a.Reader != r || a.Key != key {
					t.Errorf("answer to %s, %s is of %s, %s", r, key, a.Reader, a.Key)
				}
				if a.IsSet() {
					got[r] = fmt.Sprintf("%s %s:%d", a.Value, a.Path, a.Line)
				}
			}
			want := map[Reader]string{}
			for r, s := range map[Reader]string{Systemd: tt.systemd, Procps: tt.procps} {
				if s != "" {
					want[r] = strings.Replace(s, " 60:", " /etc/sysctl.d/60-a.conf:", 1)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestResolveAnswersEveryKeyInOrder(t *testing.T) {
	files := load(t, tree{
		"/etc/sysctl.d/a.conf": "net.ipv4.tcp_keepalive_probes = 3\n" + key + " = 5\n",
		"/etc/sysctl.conf":     key + " = 6\n",
	})
	const probes, intvl = "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_intvl"
	want := []Assignment{
		{Reader: Procps, Key: key, Value: "6", Path: "/etc/sysctl.conf", Line: 1},
		{Reader: Procps, Key: intvl},
		{Reader: Procps, Key: probes, Value: "3", Path: "/etc/sysctl.d/a.conf", Line: 1},
	}
	if diff := cmp.Diff(want, files.Resolve(Procps, key, intvl, probes)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWritesAreAllInOrder(t *testing.T) {
	files := load(t, tree{"/etc/sysctl.d/a.conf": key + "=5\n" + all + "=6\n" + key + "=soon\n"})
	for r, want := range map[Reader][]Assignment{
		Systemd: {
			{Reader: Systemd, Key: key, Value: "soon", Path: "/etc/sysctl.d/a.conf", Line: 3},
		},
		Procps: {
			{Reader: Procps, Key: key, Value: "5", Path: "/etc/sysctl.d/a.conf", Line: 1},
			{Reader: Procps, Key: key, Value: "soon", Path: "/etc/sysctl.d/a.conf", Line: 3},
		},
	} {
		if diff := cmp.Diff(want, files.Writes(r, key)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r, diff)
		}
	}
}

// The files of an image may be anybody's. Were the work to grow with the square
// of their size, this would not end.
func TestHostileFilesAreReadInTime(t *testing.T) {
	for _, content := range []string{
		strings.Repeat("[:", 400_000) + "=5",
		strings.Repeat("[:a", 300_000) + ":]]=5",
		slash + "[" + strings.Repeat("a", 900_000) + "]=5",
		"net/ipv4/[" + strings.Repeat("a", 900_000) + "]*=5",
		"net/ipv4/" + strings.Repeat("*t", 400_000) + "=5",
		strings.Repeat("net/*/tcp_keepalive_t*=5\n", 40_000) + slash + "=6",
		strings.Repeat("../", 300_000) + "=5",
	} {
		files := load(t, file60(content))
		for _, r := range Readers() {
			files.Resolve(r, key)
		}
	}
}

func load(t *testing.T, tr tree) *Files {
	t.Helper()
	files, err := Load(open(t, tr))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// open returns a new root with the tree in it.
func open(t *testing.T, tr tree) rootfs.FS {
	t.Helper()
	dir := t.TempDir()
	tr.write(t, dir)
	root, err := rootfs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return root
}
