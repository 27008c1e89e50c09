package sockets

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/keepalive"
)

func ends(local, remote string) (netip.AddrPort, netip.AddrPort) {
	return netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
}

// someSockets are one of each kind.
func someSockets() []connection.Socket {
	sysctl := [3]string{"sysctl", "sysctl", "sysctl"}
	idle := connection.Socket{
		Netns: "host", State: "ESTAB", UID: 0, Inode: 1234, Cookie: 31, Cgroup: "/system.slice/ssh.service",
		Owners:    []connection.SocketOwner{{PID: 812, FD: 4, Comm: "sshd"}},
		Keepalive: connection.SwitchOn, Settings: keepalive.Settings{Time: answertest.S(7200), Intvl: answertest.S(75), Probes: 9},
		ValuesKnown: true, UserTimeoutKnown: true, Origin: sysctl,
		Timer: connection.TimerKeepalive, Left: 5321400 * time.Millisecond, LeftKnown: true,
		Idle: 1878600 * time.Millisecond, IdleKnown: true, LastData: 9000 * time.Second, Next: 5321400 * time.Millisecond, NextKnown: true,
		Detection: answertest.S(7875), DetectionKnown: true,
		Dies:     connection.SocketEnd{Known: true, Exact: 5996400 * time.Millisecond, Earliest: 5996400 * time.Millisecond, Latest: 6145904 * time.Millisecond, By: "probes"},
		OldTimer: connection.SwitchOff, Drops: connection.SwitchOff,
	}
	idle.Local, idle.Remote = ends("10.0.0.5:22", "10.0.0.9:51514")

	probed := idle
	probed.Owners = []connection.SocketOwner{{PID: 911, FD: 9, Comm: "postgres"}, {PID: 912, FD: 9, Comm: "postgres"}}
	probed.Settings, probed.Origin = keepalive.Settings{Time: answertest.S(60), Intvl: answertest.S(10), Probes: 6}, [3]string{"socket", "socket", "sysctl"}
	probed.Unanswered, probed.Left, probed.Next = 2, 4*time.Second, 4*time.Second
	probed.Detection = answertest.S(120)
	probed.Dies = connection.SocketEnd{Known: true, Exact: answertest.S(44), Earliest: answertest.S(44), Latest: 45 * time.Second, By: "probes"}

	late := idle
	late.Remote = netip.MustParseAddrPort("10.0.0.9:51516")
	late.Owners = []connection.SocketOwner{{PID: 815, FD: 4, Comm: "sshd-session"}}
	late.Settings = keepalive.Settings{Time: answertest.S(60), Intvl: answertest.S(10), Probes: 6}
	late.Detection, late.OldTimer = answertest.S(120), connection.SwitchOn
	late.Dies = connection.SocketEnd{Known: true, Exact: 5381400 * time.Millisecond, Earliest: 5381400 * time.Millisecond, Latest: 5400 * time.Second, By: "probes"}

	off := idle
	off.Local, off.Remote = ends("[2001:db8::1]:443", "[2001:db8::2]:50022")
	off.Owners = []connection.SocketOwner{{PID: 77, FD: 12, Comm: answertest.Hostile}}
	off.Cgroup = "/a\nb,c"
	off.Keepalive, off.Timer, off.LeftKnown, off.NextKnown, off.DetectionKnown, off.Dies = connection.SwitchOff, "none", false, false, false, connection.SocketEnd{}

	foreign := connection.Socket{Netns: "host", State: "ESTAB", UID: 1000, Inode: 99, OwnersUnknown: true, Cookie: 1 << 63,
		Keepalive: connection.SwitchOn, Timer: connection.TimerKeepalive, Left: answertest.S(9), LeftKnown: true, Idle: 0, IdleKnown: true}
	foreign.Local, foreign.Remote = idle.Local, idle.Remote

	busy := probed
	busy.Timer, busy.Unanswered, busy.Left, busy.NextKnown = connection.TimerRetransmit, 3, -4*time.Millisecond, false
	busy.UserTimeout = 1500 * time.Millisecond
	busy.Dies.By, busy.OldTimer = "user_timeout", connection.SwitchUnknown

	full := busy
	full.Timer = connection.TimerProbe0

	listener := idle
	listener.State, listener.Timer, listener.LeftKnown, listener.NextKnown, listener.IdleKnown, listener.Dies = "LISTEN", "none", false, false, false, connection.SocketEnd{}
	listener.Local, listener.Remote = ends("0.0.0.0:22", "0.0.0.0:0")

	waiting := connection.Socket{Netns: "blue", State: "TIME-WAIT", Cookie: 7, Keepalive: connection.SwitchOff, Timer: "time-wait", Left: answertest.S(31), LeftKnown: true}
	waiting.Local, waiting.Remote = idle.Local, idle.Remote
	orphan := connection.Socket{Netns: "blue", State: "FIN-WAIT-2", Cookie: 8, Keepalive: connection.SwitchOff, Timer: connection.TimerKeepalive, Left: answertest.S(3), LeftKnown: true}
	orphan.Local, orphan.Remote = idle.Local, idle.Remote
	return []connection.Socket{idle, probed, late, off, foreign, busy, full, listener, waiting, orphan}
}

func someEnd(sockets []connection.Socket) End {
	e := End{Source: "bpf", Incomplete: []Lack{}}
	for i := range sockets {
		e.Summary.Add(&sockets[i])
	}
	return e
}

func render(t *testing.T, w Writer, sockets []connection.Socket, e End) {
	t.Helper()
	for i := range sockets {
		if err := w.Socket(&sockets[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.End(e); err != nil {
		t.Fatal(err)
	}
}

func TestSockets(t *testing.T) {
	var b bytes.Buffer
	all := someSockets()
	style := answer.Style{Width: 80}
	writers := map[string]func() Writer{
		"sockets.txt":            func() Writer { return NewTable(&b, style, Options{Fit: 80}) },
		"sockets_netns.txt":      func() Writer { return NewTable(&b, style, Options{Netns: true}) },
		"sockets_wide.txt":       func() Writer { return NewTable(&b, style, Options{Wide: true}) },
		"sockets_ends.txt":       func() Writer { return NewTable(&b, style, Options{Ends: true, Fit: 112}) },
		"sockets_color.txt":      func() Writer { return NewTable(&b, answer.Style{Color: true}, Options{}) },
		"sockets.json":           func() Writer { return NewJSON(&b) },
		"sockets.jsonl":          func() Writer { return NewLines(&b) },
		"sockets.csv":            func() Writer { return NewCSV(&b) },
		"sockets.prom":           func() Writer { return NewMetrics(&b) },
		"sockets_programs.txt":   func() Writer { return NewPrograms(&b, "table", style, false) },
		"sockets_programs.json":  func() Writer { return NewPrograms(&b, "json", style, false) },
		"sockets_programs.csv":   func() Writer { return NewPrograms(&b, "csv", style, true) },
		"sockets_programs.jsonl": func() Writer { return NewPrograms(&b, "jsonl", style, true) },
	}
	for name, writer := range writers {
		b.Reset()
		render(t, writer(), all, someEnd(all))
		answertest.Golden(t, name, b.String())
		text := b.String()
		if name != "sockets_color.txt" && strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && answer.Unsafe(r) }) {
			t.Errorf("%s has something that is not for a terminal", name)
		}
		switch {
		case strings.HasSuffix(name, ".json") && !json.Valid(b.Bytes()):
			t.Errorf("%s is not JSON", name)
		case strings.HasSuffix(name, ".csv"):
			checkCSV(t, name, text)
		case strings.HasSuffix(name, ".prom"):
			checkMetrics(t, text)
		}
	}
	b.Reset()
	render(t, NewJSON(&b), nil, someEnd(nil))
	if !json.Valid(b.Bytes()) {
		t.Errorf("without a socket: %s", &b)
	}
	b.Reset()
	render(t, NewTable(&b, style, Options{}), nil, someEnd(nil))
	if b.String() != "This namespace has no TCP connections.\n" {
		t.Errorf("without a socket: %s", &b)
	}
}

// On a screen that is too narrow columns are left out, and no heading is cut.
func TestHeadingsAreWhole(t *testing.T) {
	whole := strings.Fields("DIES IN LOST NEXT LOCAL REMOTE PROGRAM KEEPALIVE STATE NOTE")
	most := 0
	for width := len("DIES IN"); width < 140; width++ {
		var b bytes.Buffer
		render(t, NewTable(&b, answer.Style{Width: width}, Options{Ends: true, Fit: width}), someSockets(), someEnd(nil))
		lines := strings.Split(b.String(), "\n")
		headings := strings.Fields(string(answer.AppendClipped(nil, lines[0], width)))
		if len(headings) > len(whole) || !slices.Equal(headings, whole[:len(headings)]) {
			t.Errorf("%d columns: %q", width, headings)
		}
		if len(headings) < most {
			t.Errorf("%d columns: %q, with one less there are %d", width, headings, most)
		}
		most = len(headings)
	}
	if most != len(whole) {
		t.Errorf("the widest has %d headings", most)
	}
}

var (
	metricLine  = regexp.MustCompile(`^([a-z_:][a-z0-9_:]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$`)
	metricLabel = regexp.MustCompile(`([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"`)
)

// checkMetrics reads the text format of Prometheus as its documents describe it:
// HELP and TYPE once and before the samples of a metric, which are together;
// no series twice; labels of which none can grow without bound.
func checkMetrics(t *testing.T, text string) {
	t.Helper()
	helped, typed, series, done := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	last := ""
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if f := strings.SplitN(line, " ", 4); f[0] == "#" {
			seen := map[string]map[string]bool{"HELP": helped, "TYPE": typed}[f[1]]
			if seen == nil || seen[f[2]] || f[1] == "TYPE" && (!helped[f[2]] || f[3] != "gauge") {
				t.Errorf("metrics: %s", line)
				continue
			}
			seen[f[2]] = true
			continue
		}
		m := metricLine.FindStringSubmatch(line)
		if m == nil {
			t.Errorf("metrics: %q", line)
			continue
		}
		name := m[1]
		if !typed[name] || series[m[1]+m[2]] || done[name] {
			t.Errorf("metrics: untyped, twice or apart: %s", line)
		}
		if series[m[1]+m[2]] = true; last != name {
			done[last], last = true, name
		}
		for _, label := range metricLabel.FindAllStringSubmatch(m[2], -1) {
			if !strings.Contains(" netns program state keepalive what ", " "+label[1]+" ") {
				t.Errorf("metrics: label %s", label[1])
			}
		}
		if _, err := strconv.ParseFloat(m[3], 64); err != nil {
			t.Errorf("metrics: %s", line)
		}
	}
	if len(series) == 0 || len(helped) != len(typed) {
		t.Errorf("metrics: %d series, %d HELP, %d TYPE", len(series), len(helped), len(typed))
	}
}

// However many names there are, the series are bounded, and nothing is lost.
func TestMetricsAreBounded(t *testing.T) {
	var b bytes.Buffer
	m := NewMetrics(&b)
	base := someSockets()
	const n = 3 * maxPrograms
	for i := range n {
		s := base[i%len(base)]
		s.Netns = fmt.Sprintf("ns%d", i%100)
		s.Owners = []connection.SocketOwner{{PID: 1, FD: 1, Comm: fmt.Sprintf("p%d\n\"\\", i)}}
		if err := m.Socket(&s); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.End(someEnd(base)); err != nil {
		t.Fatal(err)
	}
	checkMetrics(t, b.String())
	sum := 0
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "tcpka_sockets{") {
			fields := strings.Fields(line)
			n, _ := strconv.Atoi(fields[len(fields)-1])
			sum += n
		}
	}
	if sum != n {
		t.Errorf("%d sockets in the metrics, %d were given", sum, n)
	}
	if lines := strings.Count(b.String(), "\n"); lines > 5*41*41*12 {
		t.Errorf("%d lines", lines)
	}
}

// A note that goes beyond the terminal has lines of its own there, and nothing of it is
// lost.
func TestNotesFitTheTerminal(t *testing.T) {
	all := someSockets()
	words := func(o Options) (text string, joined []string) {
		var b bytes.Buffer
		render(t, NewTable(&b, answer.Style{}, o), all, someEnd(all))
		return b.String(), strings.Fields(b.String())
	}
	_, want := words(Options{})
	for fit := 40; fit < 180; fit++ {
		text, got := words(Options{Fit: fit})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", fit, diff)
		}
		rows, _, _ := strings.Cut(text, "\n\n")
		for line := range strings.Lines(rows) {
			if line = strings.TrimSuffix(line, "\n"); len(line) > fit && (strings.HasPrefix(line, " ") || strings.Contains(line, "dies in")) {
				t.Errorf("%d columns: %q", fit, line)
			}
		}
	}
	if text, _ := words(Options{Fit: 60}); !strings.Contains(text, "\n    data in flight, 3 retransmits, dies in 44s..45s,\n    user timeout 1.5s\n") {
		t.Errorf("a long note:\n%s", text)
	}
}

// A socket whose end keepalive does not decide claims no time of keepalive's.
func TestDetectsIsNotSaidOfWhatIsSending(t *testing.T) {
	s := someSockets()[0]
	cell := func(wide bool) string {
		var b bytes.Buffer
		render(t, NewTable(&b, answer.Style{}, Options{Wide: wide}), []connection.Socket{s}, someEnd([]connection.Socket{s}))
		lines := strings.Split(b.String(), "\n")
		first, _, _ := strings.Cut(lines[1][strings.Index(lines[0], "DETECTS"):]+" ", " ")
		return first
	}
	for _, tt := range []struct {
		timer       string
		keepalive   connection.Switch
		plain, wide string
	}{
		{connection.TimerKeepalive, connection.SwitchOn, "2h11m15s", "7875"},
		{connection.TimerRetransmit, connection.SwitchOn, "-", "-"},
		{connection.TimerProbe0, connection.SwitchOn, "-", "-"},
		{connection.TimerRetransmit, connection.SwitchOff, "-", "-"},
		{"none", connection.SwitchOff, "never", "-"},
	} {
		s.Timer, s.Keepalive, s.DetectionKnown = tt.timer, tt.keepalive, tt.keepalive == connection.SwitchOn
		if plain, wide := cell(false), cell(true); plain != tt.plain || wide != tt.wide {
			t.Errorf("%s, %v: %q and %q, want %q and %q", tt.timer, tt.keepalive, plain, wide, tt.plain, tt.wide)
		}
	}
}

func TestWhenThereIsNoSocket(t *testing.T) {
	lack := []Lack{{What: "whether the filter wants any"}}
	for _, tt := range []struct {
		asked Asked
		lack  []Lack
		want  string
	}{
		{Asked{}, nil, "This namespace has no TCP connections."},
		{Asked{Netns: true}, nil, "No network namespace has TCP connections."},
		{Asked{Filtered: true}, nil, "No socket matches."},
		{Asked{Filtered: true, Netns: true}, nil, "No socket matches."},
		{Asked{Filtered: true}, lack, "No socket that can be seen matches."},
		{Asked{Netns: true}, lack, "No socket can be seen."},
	} {
		if got := (End{Asked: tt.asked, Incomplete: tt.lack}).none(); got != tt.want {
			t.Errorf("%+v, %v: %q, want %q", tt.asked, tt.lack, got, tt.want)
		}
	}
}

// The rows of a long list need no memory of their own.
func TestSocketsAreWrittenWithoutAllocation(t *testing.T) {
	sockets := someSockets()
	for i := range sockets {
		sockets[i].Cgroup = "/system.slice"
		for j := range sockets[i].Owners {
			sockets[i].Owners[j].Comm = "sshd"
		}
	}
	sockets = sockets[:len(sockets):len(sockets)]
	for name, w := range map[string]Writer{
		"table": NewTable(discard{}, answer.Style{}, Options{Netns: true}),
		"wide":  NewTable(discard{}, answer.Style{}, Options{Wide: true}),
		"80":    NewTable(discard{}, answer.Style{}, Options{Fit: 80}),
		"watch": NewTable(discard{}, answer.Style{}, Options{Fit: 80, Ends: true}),
		"json":  NewJSON(discard{}),
		"jsonl": NewLines(discard{}),
		"csv":   NewCSV(discard{}),
	} {
		round := func() {
			for i := range sockets {
				if len(sockets[i].Owners) > 1 {
					continue // csv has to quote them
				}
				if err := w.Socket(&sockets[i]); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range answer.SampleRows {
			round() // what is held back at first
		}
		if n := testing.AllocsPerRun(200, round); n > 0 {
			t.Errorf("%s: %v allocations for %d sockets", name, n, len(sockets))
		}
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func TestTheFirstRowsSetTheWidth(t *testing.T) {
	var b bytes.Buffer
	w := NewTable(&b, answer.Style{}, Options{})
	s := someSockets()[0]
	for i := range 3 * answer.SampleRows {
		s.Owners[0].PID = 10 + i*i // wider and wider
		if err := w.Socket(&s); err != nil {
			t.Fatal(err)
		}
		if i < answer.SampleRows-1 && b.Len() > 0 {
			t.Fatal("a row was written before the widths were known")
		}
	}
	if err := w.End(someEnd(nil)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	at := strings.Index(lines[0], "KEEPALIVE")
	for i, line := range lines[1 : answer.SampleRows+1] {
		if strings.Index(line, "7200/75/9") != at {
			t.Fatalf("row %d is out of line:\n%s\n%s", i, lines[0], line)
		}
	}
	if !regexp.MustCompile(`sshd\[\d{7}\]  7200/75/9`).MatchString(b.String()) {
		t.Errorf("a wide cell is not set apart:\n%s", lines[3*answer.SampleRows])
	}
}

// No name makes up an owner, in neither of the lists, and two names are never the same
// there.
func TestNoNameIsAnotherOwner(t *testing.T) {
	for comm, want := range map[string]string{
		"sshd[1]:3,b": `sshd\x5b1\x5d\x3a3\x2cb[7]:5`,
		`sshd\x5b1`:   `sshd\x5cx5b1[7]:5`,
		"\x1b[2J":     `\x1b\x5b2J[7]:5`,
		`\x1b`:        `\x5cx1b[7]:5`,
		":":           `\x3a[7]:5`,
		"a b/c-d_é":   `a b/c-d_é[7]:5`,
	} {
		s := someSockets()[0]
		s.Owners = []connection.SocketOwner{{PID: 7, FD: 5, Comm: comm}}
		for range 2 { // the second time with another owner
			var file, table bytes.Buffer
			c, w := NewCSV(&file), NewTable(&table, answer.Style{}, Options{Wide: true})
			if err := errors.Join(c.Socket(&s), c.End(End{}), w.Socket(&s), w.End(someEnd([]connection.Socket{s}))); err != nil {
				t.Fatal(err)
			}
			rows, err := csv.NewReader(&file).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if got := rows[1][slices.Index(rows[0], "owners")]; got != want {
				t.Errorf("%q: owners %q, want %q", comm, got, want)
			}
			if !strings.Contains(table.String(), "  "+want+" ") {
				t.Errorf("%q: want %q in\n%s", comm, want, &table)
			}
			s.Owners, want = append(s.Owners, connection.SocketOwner{PID: 8, FD: 5, Comm: "b"}), want+",b[8]:5"
		}
	}
}
