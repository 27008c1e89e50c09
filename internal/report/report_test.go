package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with testdata/NAME.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", file, diff)
	}
}

func s(n int) time.Duration { return time.Duration(n) * time.Second }

func explained(set keepalive.Settings) Explain {
	return NewExplain(set, calc.DefaultKernel(), nil, "namespace host")
}

// settings are explained in every format.
var settings = map[string]keepalive.Settings{
	"defaults":       keepalive.Defaults(),
	"user_timeout":   {Time: s(60), Intvl: s(10), Probes: 6, UserTimeout: 90 * time.Second},
	"many_probes":    {Time: s(30), Intvl: s(10), Probes: 40},
	"probes_zero":    {Time: s(60), Intvl: s(10)},
	"time_negative":  {Time: s(-1), Intvl: s(10), Probes: 3},
	"intvl_negative": {Time: s(10), Intvl: s(-1), Probes: 3},
	"all_zero":       {Probes: 3},
}

func TestExplain(t *testing.T) {
	for name, set := range settings {
		d := explained(set)
		var table, doc bytes.Buffer
		if err := Table(&table, d, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		golden(t, "explain_"+name+".txt", table.String())
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, "explain_"+name+".json", doc.String())
	}
}

func TestTimelineOnATerminal(t *testing.T) {
	var b bytes.Buffer
	if err := Table(&b, explained(settings["user_timeout"]), Style{Width: 100, Unicode: true, Color: true}); err != nil {
		t.Fatal(err)
	}
	golden(t, "explain_terminal.txt", b.String())
}

// TestTimelineNeverOutgrowsTheTerminal draws odd settings at odd widths.
func TestTimelineNeverOutgrowsTheTerminal(t *testing.T) {
	hour := s(3600)
	for _, set := range []keepalive.Settings{
		keepalive.Defaults(),
		{Time: 0, Intvl: s(1), Probes: 255},
		{Time: hour * 2386, Intvl: hour * 2386, Probes: 255},
		{Time: s(1), Intvl: s(1), Probes: 1, UserTimeout: keepalive.MaxUserTimeout},
		{},
	} {
		for width := 0; width < 200; width += 7 {
			var b bytes.Buffer
			if err := Table(&b, explained(set), Style{Width: width}); err != nil {
				t.Fatal(err)
			}
			line := strings.Split(b.String(), "\n")[4]
			if max := max(width, 40); len(line) > max {
				t.Errorf("%+v at width %d: the line is %d wide: %s", set, width, len(line), line)
			}
		}
	}
}

func TestSVGIsOneSelfContainedPicture(t *testing.T) {
	outside := regexp.MustCompile(`(href|src|url\(|@import|<script|https?://)`)
	for name, set := range settings {
		var b bytes.Buffer
		if err := SVG(&b, explained(set)); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(bytes.NewReader(b.Bytes()))
		for {
			_, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, b.String())
			}
		}
		text := strings.ReplaceAll(b.String(), `xmlns="http://www.w3.org/2000/svg"`, "")
		if m := outside.FindString(text); m != "" {
			t.Errorf("%s: it refers to the outside: %s", name, m)
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: it has a coordinate that is no number", name)
		}
		if n := set.Probes; name == "user_timeout" && strings.Count(text, "<circle") != 3 {
			t.Errorf("%s: %d probes drawn of 3, whatever probes is (%d)", name, strings.Count(text, "<circle"), n)
		}
	}
}

func show() Show {
	inode, boot := uint64(4026531840), "/etc/sysctl.d/99-tcpka.conf:3"
	n := Namespace{
		Name: "host", Inode: &inode, Current: true, PID: new(1),
		Time: new(int64(7200)), Intvl: new(int64(75)), Probes: new(9),
		Detection: new(Seconds(s(7875))), DetectionEarliest: new(Seconds(s(7875))), DetectionLatest: new(Seconds(8024504 * time.Millisecond)),
		Refresh:  new(Seconds(s(7200))),
		Counters: Counters{ProbesSent: new(uint64(1)), AbortedOnTimeout: new(uint64(2))},
		HZ:       new(250), Assumed: []string{}, Warnings: []calc.Warning{{ID: "x", Text: "mind \x1b[31mthis"}},
		Boot: []Boot{
			{Key: "net.ipv4.tcp_keepalive_time", Reader: "systemd-sysctl", Value: new("600"), Source: &boot},
			{Key: "net.ipv4.tcp_keepalive_time", Reader: "procps", Value: new("300"), Source: new("/etc/sysctl.conf:1")},
			{Key: "net.ipv4.tcp_keepalive_intvl", Reader: "systemd-sysctl", MatchesRunning: true},
			{Key: "net.ipv4.tcp_keepalive_intvl", Reader: "procps", MatchesRunning: true},
			{Key: "net.ipv4.tcp_keepalive_probes", Reader: "systemd-sysctl", Value: new("9"), Source: &boot, MatchesRunning: true},
			{Key: "net.ipv4.tcp_keepalive_probes", Reader: "procps", Value: new("9"), Source: &boot, MatchesRunning: true},
		},
	}
	return Show{Schema: "tcpka/show/v1", Namespaces: []Namespace{n}}
}

func showMany() Show {
	many := show()
	many.Rows = true
	never := many.Namespaces[0]
	never.Name, never.Current, never.Detection, never.Refresh = "web\u202e\x00", false, nil, nil
	many.Namespaces = append(many.Namespaces, never, Namespace{Name: "nginx:812", Error: new("enter: operation not permitted")})
	return many
}

func TestShow(t *testing.T) {
	inside := show()
	inside.Namespaces[0].Name, inside.Namespaces[0].Boot, inside.Namespaces[0].Refresh = "current", []Boot{}, nil
	for name, d := range map[string]Show{"one": show(), "many": showMany(), "inside": inside} {
		var table, doc bytes.Buffer
		if err := Table(&table, d, Style{Width: 100}); err != nil {
			t.Fatal(err)
		}
		golden(t, "show_"+name+".txt", table.String())
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, "show_"+name+".json", doc.String())
	}
}

func TestSetAndUndo(t *testing.T) {
	old, now := Seconds(s(7875)), Seconds(s(1275))
	changes := []Change{
		{Target: TargetSysctl, Netns: new("host"), Key: "net.ipv4.tcp_keepalive_time", Old: new("7200"), New: new("600"), Applied: true, Detection: &OldNew{&old, &now}},
		{Target: TargetSysctl, Netns: new("host"), Key: "net.ipv4.tcp_keepalive_probes", Old: new("9"), New: new("9"), Detection: &OldNew{&old, &now}},
		{Target: TargetBootfile, Path: new("/etc/sysctl.d/99-tcpka.conf"), Key: "net.ipv4.tcp_keepalive_time", New: new("600"), Applied: true, Detection: &OldNew{&old, &now}},
	}
	for name, d := range map[string]Document{
		"set": Set{
			Schema: "tcpka/set/v1", Changed: true, Changes: changes, Detection: &OldNew{&old, &now}, Undo: new("1ng1a6t0"), UndoCommand: "sudo tcpka undo 1ng1a6t0",
			Warnings: []calc.Warning{{ID: "x", Text: "mind this"}}, Unaffected: []string{"sockets with keepalive off"},
		},
		"set_nothing": Set{Schema: "tcpka/set/v1", Changes: changes[1:2], Detection: &OldNew{&old, &old}, Warnings: []calc.Warning{}, Unaffected: []string{}},
		"set_never":   Set{Schema: "tcpka/set/v1", Changed: true, DryRun: true, Changes: changes[:1], Detection: &OldNew{nil, &now}, Warnings: []calc.Warning{}, Unaffected: []string{}},
		"undo": Undo{
			Schema: "tcpka/undo/v1", ID: "1ng1a6t0", Command: "set --time 600", Changes: changes, Left: []string{"namespace web is gone"}, Notes: []string{"2 sockets\x1b were closed since"},
		},
		"undo_partly": Undo{
			Schema: "tcpka/undo/v1", ID: "1ng1a6t0", Command: "set --time 600", Changes: changes[:1], Left: []string{"namespace web is not found from here"}, Partly: true, Notes: []string{},
		},
		"journal": Journal{Schema: "tcpka/undo-list/v1", Entries: []JournalEntry{
			{ID: "1ng1a6t0", Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Command: "set --time '6\x1b'", State: "done", Changes: changes},
		}},
	} {
		var table, doc bytes.Buffer
		t.Setenv("TZ", "UTC")
		if err := Table(&table, d, Style{Width: 100}); err != nil {
			t.Fatal(err)
		}
		if name != "journal" { // in local time
			golden(t, name+".txt", table.String())
		}
		if err := JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", doc.String())
		if strings.ContainsRune(table.String(), '\x1b') {
			t.Errorf("%s: an escape character reaches the terminal:\n%q", name, table.String())
		}
	}
}

// TestContractFields are the names other programs rely on.
func TestContractFields(t *testing.T) {
	var doc bytes.Buffer
	if err := JSON(&doc, explained(keepalive.Defaults())); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Schema    string
		Detection map[string]any
		Timeline  []map[string]any
	}
	if err := json.Unmarshal(doc.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"seconds": 7875.0, "earliest_seconds": 7875.0, "latest_seconds": 8024.504,
		"never": false, "decided_by": "probes", "probes_sent": 9.0, "errno": "ETIMEDOUT",
	}
	if diff := cmp.Diff(want, got.Detection); diff != "" {
		t.Errorf("detection (-want +got):\n%s", diff)
	}
	first, last := got.Timeline[0], got.Timeline[len(got.Timeline)-1]
	if diff := cmp.Diff(map[string]any{"at_seconds": 7200.0, "event": "probe", "n": 1.0}, first); diff != "" {
		t.Errorf("first event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"at_seconds": 7875.0, "event": "dead", "errno": "ETIMEDOUT"}, last); diff != "" {
		t.Errorf("last event (-want +got):\n%s", diff)
	}
}

func TestEscape(t *testing.T) {
	for _, row := range []struct{ name, in, want string }{
		{"plain text stays", "nginx: worker (ü, 日本)", "nginx: worker (ü, 日本)"},
		{"control characters", "a\x1b[31m\x07\r\n\tb", `a\x1b[31m\a\r\n\tb`},
		{"DEL and C1", "\x7f\u009b", `\x7f\u009b`},
		{"bidirectional controls", "a\u202eb\u2066c\u200fd", `a\u202eb\u2066c\u200fd`},
		{"line and paragraph separators", "a\u2028b\u2029c", `a\u2028b\u2029c`},
		{"what cannot be seen", "a\u200bb\ufeffc\u00a0d", `a\u200bb\ufeffc\u00a0d`},
		{"bytes that are not UTF-8", "a\xff\xc3b", `a\xff\xc3b`},
		{"a real replacement character", "a\ufffdb", "a\ufffdb"},
	} {
		if got := Escape(row.in); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestHumanTimes(t *testing.T) {
	for _, row := range []struct {
		d          time.Duration
		raw, human string
	}{
		{s(7875), "7875", "7875 s (2h11m15s)"},
		{s(75), "75", "75 s (1m15s)"},
		{s(59), "59", "59 s"},
		{928896 * time.Millisecond, "928.896", "928.896 s (15m29s)"},
		{s(86400), "86400", "86400 s (1d)"},
		{s(-100), "-100", "-100 s (-1m40s)"},
		{0, "0", "0 s"},
		{-500 * time.Millisecond, "-0.5", "-0.5 s"},
		{5512 * time.Millisecond, "5.512", "5.512 s"},
		{1<<63 - 1, "9223372036.854775807", "9223372036.854775807 s (15250w1d23h47m16s854ms775us807ns)"},
	} {
		if got := Seconds(row.d); got.String() != row.raw || got.Both() != row.human {
			t.Errorf("%v: %s and %s, want %s and %s", row.d, got, got.Both(), row.raw, row.human)
		}
	}
}

// TestWriteErrors sends answers into a pipe that nobody reads.
func TestWriteErrors(t *testing.T) {
	for _, write := range []func(io.Writer) error{
		func(w io.Writer) error { return Table(w, line(""), Style{}) },
		func(w io.Writer) error { return JSON(w, line("")) },
	} {
		if err := write(broken{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v, want the error of the pipe", err)
		}
	}
}

// line is the shortest document.
type line string

func (l line) table(w *bufio.Writer, _ Style) { w.WriteString(string(l) + "\n") }

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestExplainFitsTheTerminal(t *testing.T) {
	fits(t, "explain_80.txt", func(w io.Writer) error {
		return Table(w, explained(settings["user_timeout"]), Style{Width: 80, Terminal: true})
	})
}

func TestShowFitsTheTerminal(t *testing.T) {
	fits(t, "show_80.txt", func(w io.Writer) error { return Table(w, showMany(), Style{Width: 80, Terminal: true}) })
}

// TestAPictureThatCannotBeWritten is sent into a pipe that nobody reads.
func TestAPictureThatCannotBeWritten(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := SVG(w, explained(keepalive.Defaults())); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("%v, want the error of the pipe", err)
	}
}
