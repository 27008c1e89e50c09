package report

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

	"github.com/tcpka/tcpka/keepalive"
)

func ends(local, remote string) (netip.AddrPort, netip.AddrPort) {
	return netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
}

// The name of a program may be anything but NUL.
const hostile = "=1+1\x1b[2J\"\u202e,"

// someSockets are one of each kind.
func someSockets() []Socket {
	sysctl := [3]string{"sysctl", "sysctl", "sysctl"}
	idle := Socket{
		Netns: "host", State: "ESTAB", UID: 0, Inode: 1234, Cookie: 31, Cgroup: "/system.slice/ssh.service",
		Owners:    []SocketOwner{{812, 4, "sshd"}},
		Keepalive: SwitchOn, Settings: keepalive.Settings{Time: s(7200), Intvl: s(75), Probes: 9},
		ValuesKnown: true, UserTimeoutKnown: true, Origin: sysctl,
		Timer: TimerKeepalive, Left: 5321400 * time.Millisecond, LeftKnown: true,
		Idle: 1878600 * time.Millisecond, IdleKnown: true, Next: 5321400 * time.Millisecond, NextKnown: true,
		Detection: s(7875), DetectionKnown: true,
		Dies:     SocketEnd{true, 5996400 * time.Millisecond, 5996400 * time.Millisecond, 6145904 * time.Millisecond, "probes"},
		OldTimer: SwitchOff,
	}
	idle.Local, idle.Remote = ends("10.0.0.5:22", "10.0.0.9:51514")

	probed := idle
	probed.Owners = []SocketOwner{{911, 9, "postgres"}, {912, 9, "postgres"}}
	probed.Settings, probed.Origin = keepalive.Settings{Time: s(60), Intvl: s(10), Probes: 6}, [3]string{"socket", "socket", "sysctl"}
	probed.Unanswered, probed.Left, probed.Next = 2, 4*time.Second, 4*time.Second
	probed.Detection = s(120)
	probed.Dies = SocketEnd{true, s(44), s(44), 45 * time.Second, "probes"}

	late := idle
	late.Remote = netip.MustParseAddrPort("10.0.0.9:51516")
	late.Owners = []SocketOwner{{815, 4, "sshd-session"}}
	late.Settings = keepalive.Settings{Time: s(60), Intvl: s(10), Probes: 6}
	late.Detection, late.OldTimer = s(120), SwitchOn
	late.Dies = SocketEnd{true, 5381400 * time.Millisecond, 5381400 * time.Millisecond, 5400 * time.Second, "probes"}

	off := idle
	off.Local, off.Remote = ends("[2001:db8::1]:443", "[2001:db8::2]:50022")
	off.Owners = []SocketOwner{{77, 12, hostile}}
	off.Cgroup = "/a\nb,c"
	off.Keepalive, off.Timer, off.LeftKnown, off.NextKnown, off.DetectionKnown, off.Dies = SwitchOff, "none", false, false, false, SocketEnd{}

	foreign := Socket{Netns: "host", State: "ESTAB", UID: 1000, Inode: 99, OwnersUnknown: true, Cookie: 1 << 63,
		Keepalive: SwitchOn, Timer: TimerKeepalive, Left: s(9), LeftKnown: true, Idle: 0, IdleKnown: true}
	foreign.Local, foreign.Remote = idle.Local, idle.Remote

	busy := probed
	busy.Timer, busy.Unanswered, busy.Left, busy.NextKnown = TimerRetransmit, 3, -4*time.Millisecond, false
	busy.UserTimeout = 1500 * time.Millisecond
	busy.Dies.By, busy.OldTimer = "user_timeout", SwitchUnknown

	full := busy
	full.Timer = TimerProbe0

	listener := idle
	listener.State, listener.Timer, listener.LeftKnown, listener.NextKnown, listener.IdleKnown, listener.Dies = "LISTEN", "none", false, false, false, SocketEnd{}
	listener.Local, listener.Remote = ends("0.0.0.0:22", "0.0.0.0:0")

	waiting := Socket{Netns: "blue", State: "TIME-WAIT", Cookie: 7, Keepalive: SwitchOff, Timer: "time-wait", Left: s(31), LeftKnown: true}
	waiting.Local, waiting.Remote = idle.Local, idle.Remote
	orphan := Socket{Netns: "blue", State: "FIN-WAIT-2", Cookie: 8, Keepalive: SwitchOff, Timer: TimerKeepalive, Left: s(3), LeftKnown: true}
	orphan.Local, orphan.Remote = idle.Local, idle.Remote
	return []Socket{idle, probed, late, off, foreign, busy, full, listener, waiting, orphan}
}

func someEnd(sockets []Socket) SocketsEnd {
	e := SocketsEnd{Source: "bpf", Incomplete: []SocketsLack{}}
	for i := range sockets {
		e.Summary.Add(&sockets[i])
	}
	return e
}

func render(t *testing.T, w SocketWriter, sockets []Socket, e SocketsEnd) {
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
	style := Style{Width: 80}
	writers := map[string]func() SocketWriter{
		"sockets.txt":            func() SocketWriter { return NewSocketsTable(&b, style, SocketsOptions{Fit: 80}) },
		"sockets_netns.txt":      func() SocketWriter { return NewSocketsTable(&b, style, SocketsOptions{Netns: true}) },
		"sockets_wide.txt":       func() SocketWriter { return NewSocketsTable(&b, style, SocketsOptions{Wide: true}) },
		"sockets_ends.txt":       func() SocketWriter { return NewSocketsTable(&b, style, SocketsOptions{Ends: true, Fit: 112}) },
		"sockets_color.txt":      func() SocketWriter { return NewSocketsTable(&b, Style{Color: true}, SocketsOptions{}) },
		"sockets.json":           func() SocketWriter { return NewSocketsJSON(&b) },
		"sockets.jsonl":          func() SocketWriter { return NewSocketLines(&b) },
		"sockets.csv":            func() SocketWriter { return NewSocketsCSV(&b) },
		"sockets.prom":           func() SocketWriter { return NewSocketsMetrics(&b) },
		"sockets_programs.txt":   func() SocketWriter { return NewSocketPrograms(&b, "table", style, false) },
		"sockets_programs.json":  func() SocketWriter { return NewSocketPrograms(&b, "json", style, false) },
		"sockets_programs.csv":   func() SocketWriter { return NewSocketPrograms(&b, "csv", style, true) },
		"sockets_programs.jsonl": func() SocketWriter { return NewSocketPrograms(&b, "jsonl", style, true) },
	}
	for name, writer := range writers {
		b.Reset()
		render(t, writer(), all, someEnd(all))
		golden(t, name, b.String())
		text := b.String()
		if name != "sockets_color.txt" && strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unsafe(r) }) {
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
	render(t, NewSocketsJSON(&b), nil, someEnd(nil))
	if !json.Valid(b.Bytes()) {
		t.Errorf("without a socket: %s", &b)
	}
	b.Reset()
	render(t, NewSocketsTable(&b, style, SocketsOptions{}), nil, someEnd(nil))
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
		render(t, NewSocketsTable(&b, Style{Width: width}, SocketsOptions{Ends: true, Fit: width}), someSockets(), someEnd(nil))
		lines := strings.Split(b.String(), "\n")
		headings := strings.Fields(string(AppendClipped(nil, lines[0], width)))
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

func TestBriefTimes(t *testing.T) {
	for d, want := range map[time.Duration][2]string{
		0:                        {"0s", "0s"},
		90 * time.Millisecond:    {"0.0s", "0.0s"},
		3999 * time.Millisecond:  {"3.9s", "3.9s"},
		41900 * time.Millisecond: {"41s", "41s"},
		60 * time.Second:         {"1m", "1m"},
		7875 * time.Second:       {"2h11m", "2h11m15s"},
		7200 * time.Second:       {"2h", "2h"},
		3605 * time.Second:       {"1h", "1h5s"},
		200 * time.Hour:          {"8d8h", "8d8h"},
		-4 * time.Second:         {"-4s", "-4s"},
	} {
		if got := [2]string{string(appendBrief(nil, d)), string(appendExact(nil, d))}; got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
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
	m := NewSocketsMetrics(&b)
	base := someSockets()
	const n = 3 * maxPrograms
	for i := range n {
		s := base[i%len(base)]
		s.Netns = fmt.Sprintf("ns%d", i%100)
		s.Owners = []SocketOwner{{1, 1, fmt.Sprintf("p%d\n\"\\", i)}}
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
	words := func(o SocketsOptions) (text string, joined []string) {
		var b bytes.Buffer
		render(t, NewSocketsTable(&b, Style{}, o), all, someEnd(all))
		return b.String(), strings.Fields(b.String())
	}
	_, want := words(SocketsOptions{})
	for fit := 40; fit < 180; fit++ {
		text, got := words(SocketsOptions{Fit: fit})
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
	if text, _ := words(SocketsOptions{Fit: 60}); !strings.Contains(text, "\n    data in flight, 3 retransmits, dies in 44s..45s,\n    user timeout 1.5s\n") {
		t.Errorf("a long note:\n%s", text)
	}
}

// A socket whose end keepalive does not decide claims no time of keepalive's.
func TestDetectsIsNotSaidOfWhatIsSending(t *testing.T) {
	s := someSockets()[0]
	cell := func(wide bool) string {
		var b bytes.Buffer
		render(t, NewSocketsTable(&b, Style{}, SocketsOptions{Wide: wide}), []Socket{s}, someEnd([]Socket{s}))
		lines := strings.Split(b.String(), "\n")
		first, _, _ := strings.Cut(lines[1][strings.Index(lines[0], "DETECTS"):]+" ", " ")
		return first
	}
	for _, tt := range []struct {
		timer       string
		keepalive   Switch
		plain, wide string
	}{
		{TimerKeepalive, SwitchOn, "2h11m15s", "7875"},
		{TimerRetransmit, SwitchOn, "-", "-"},
		{TimerProbe0, SwitchOn, "-", "-"},
		{TimerRetransmit, SwitchOff, "-", "-"},
		{"none", SwitchOff, "never", "-"},
	} {
		s.Timer, s.Keepalive, s.DetectionKnown = tt.timer, tt.keepalive, tt.keepalive == SwitchOn
		if plain, wide := cell(false), cell(true); plain != tt.plain || wide != tt.wide {
			t.Errorf("%s, %v: %q and %q, want %q and %q", tt.timer, tt.keepalive, plain, wide, tt.plain, tt.wide)
		}
	}
}

func TestWhenThereIsNoSocket(t *testing.T) {
	lack := []SocketsLack{{What: "whether the filter wants any"}}
	for _, tt := range []struct {
		asked SocketsAsked
		lack  []SocketsLack
		want  string
	}{
		{SocketsAsked{}, nil, "This namespace has no TCP connections."},
		{SocketsAsked{Netns: true}, nil, "No network namespace has TCP connections."},
		{SocketsAsked{Filtered: true}, nil, "No socket matches."},
		{SocketsAsked{Filtered: true, Netns: true}, nil, "No socket matches."},
		{SocketsAsked{Filtered: true}, lack, "No socket that can be seen matches."},
		{SocketsAsked{Netns: true}, lack, "No socket can be seen."},
	} {
		if got := (SocketsEnd{Asked: tt.asked, Incomplete: tt.lack}).none(); got != tt.want {
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
	for name, w := range map[string]SocketWriter{
		"table": NewSocketsTable(discard{}, Style{}, SocketsOptions{Netns: true}),
		"wide":  NewSocketsTable(discard{}, Style{}, SocketsOptions{Wide: true}),
		"80":    NewSocketsTable(discard{}, Style{}, SocketsOptions{Fit: 80}),
		"watch": NewSocketsTable(discard{}, Style{}, SocketsOptions{Fit: 80, Ends: true}),
		"json":  NewSocketsJSON(discard{}),
		"jsonl": NewSocketLines(discard{}),
		"csv":   NewSocketsCSV(discard{}),
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
		for range sampleRows {
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
	w := NewSocketsTable(&b, Style{}, SocketsOptions{})
	s := someSockets()[0]
	for i := range 3 * sampleRows {
		s.Owners[0].PID = 10 + i*i // wider and wider
		if err := w.Socket(&s); err != nil {
			t.Fatal(err)
		}
		if i < sampleRows-1 && b.Len() > 0 {
			t.Fatal("a row was written before the widths were known")
		}
	}
	if err := w.End(someEnd(nil)); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	at := strings.Index(lines[0], "KEEPALIVE")
	for i, line := range lines[1 : sampleRows+1] {
		if strings.Index(line, "7200/75/9") != at {
			t.Fatalf("row %d is out of line:\n%s\n%s", i, lines[0], line)
		}
	}
	if !regexp.MustCompile(`sshd\[\d{7}\]  7200/75/9`).MatchString(b.String()) {
		t.Errorf("a wide cell is not set apart:\n%s", lines[3*sampleRows])
	}
}

func TestRangesOfTimesThatRun(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		from, to     time.Duration
		brief, exact string
	}{
		{s(44), s(44), "44s", "44s"},
		{44100 * ms, 44900 * ms, "44s", "44s"},
		{44900 * ms, 45100 * ms, "44s..46s", "44s..46s"},
		{926900 * ms, 1049400 * ms, "15m26s..17m30s", "15m26s..17m30s"},
		{9120 * ms, 9140 * ms, "9.1s", "9.1s"},
		{9120 * ms, 9210 * ms, "9.1s..9.3s", "9.1s..9.3s"},
		{0, 500 * ms, "0s..0.5s", "0s..0.5s"},
		{9900 * ms, 10100 * ms, "9.9s..11s", "9.9s..11s"},
		{s(7875), 8024504 * ms, "2h11m..2h14m", "2h11m15s..2h13m45s"},
		{s(7875), s(7880), "2h11m", "2h11m15s..2h11m20s"},
		{s(86400), s(90001), "1d..1d2h", "1d..1d1h1s"},
	} {
		if got := string(appendBriefRange([]byte("in "), tt.from, tt.to)); got != "in "+tt.brief {
			t.Errorf("%v to %v: %q, want %q", tt.from, tt.to, got, tt.brief)
		}
		if got := string(appendExactRange(nil, tt.from, tt.to)); got != tt.exact {
			t.Errorf("%v to %v: %q, want %q", tt.from, tt.to, got, tt.exact)
		}
	}
}

func TestClip(t *testing.T) {
	for _, tt := range []struct {
		line string
		n    int
		want string
	}{
		{"abc", 5, "abc"},
		{"abc", 2, "ab"},
		{"日本x", 2, "日本"},
		{"a\x1b[31mbc\x1b[0md", 2, "a\x1b[31mb\x1b[0m"},
		{"", 3, ""},
	} {
		if got := string(AppendClipped(nil, tt.line, tt.n)); got != tt.want {
			t.Errorf("%q to %d: %q, want %q", tt.line, tt.n, got, tt.want)
		}
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
		s.Owners = []SocketOwner{{7, 5, comm}}
		for range 2 { // the second time with another owner
			var file, table bytes.Buffer
			c, w := NewSocketsCSV(&file), NewSocketsTable(&table, Style{}, SocketsOptions{Wide: true})
			if err := errors.Join(c.Socket(&s), c.End(SocketsEnd{}), w.Socket(&s), w.End(someEnd([]Socket{s}))); err != nil {
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
			s.Owners, want = append(s.Owners, SocketOwner{8, 5, "b"}), want+",b[8]:5"
		}
	}
}
