package change

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
)

// one is a socket of which the time changes, and with an interval that too.
func one(cookie int, comm, netns, old string, mark func(*Change)) []Change {
	was, will := answer.Seconds(answertest.S(7875)), answer.Seconds(answertest.S(1275))
	c := Change{
		Target: TargetSocket, Netns: &netns, Key: "TCP_KEEPIDLE", Old: &old, New: new("600"), Detection: &OldNew{&was, &will},
		SocketOption: &SocketOption{Cookie: fmt.Sprintf("%#x", cookie), Comm: &comm, Option: "TCP_KEEPIDLE", Inherited: new(old == "7200")},
	}
	c.DetectionLatest = new(answer.Seconds(1299250 * time.Millisecond))
	if mark != nil {
		mark(&c)
	}
	return []Change{c}
}

func at(local, remote string) func(*Change) {
	return func(c *Change) { c.Local, c.Remote = local, remote }
}

func join(lists ...[]Change) (all []Change) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// perSocket are the changes of sockets that have one each.
func perSocket(changes []Change) (all [][]Change) {
	for i := range changes {
		all = append(all, changes[i:i+1])
	}
	return all
}

func TestSocketsAreShownInGroups(t *testing.T) {
	const noticed = "# a dead peer of an idle connection is noticed after 1275 s (21m15s), at the latest 1299.3 s; until now 7875 s (2h11m15s)\n"
	applied := func(c *Change) { c.Applied = true }
	many := []Change{}
	for i := range maxGroups + 3 {
		many = append(many, one(i, fmt.Sprintf("p%02d", i), "host", "7200", nil)...)
	}
	for _, tt := range []struct {
		name    string
		changes []Change
		want    string
	}{
		{"what changes alike is one group, the largest first",
			join(one(1, "b", "host", "300", nil), one(2, "a", "host", "7200", nil), one(3, "a", "host", "7200", nil)),
			"# a: 2 sockets\nTCP_KEEPIDLE = 600                       # was 7200, the sysctl's\n" + noticed +
				"# b: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"which one it is, or one of them",
			join(one(1, "b", "host", "300", at("[::1]:1", "[::1]:2")), one(2, "a", "host", "7200", at("10.0.0.5:1", "10.0.0.9:2")), one(3, "a", "host", "7200", at("10.0.0.5:1", "10.0.0.9:3"))),
			"# a: 2 sockets, such as 10.0.0.5:1 -> 10.0.0.9:2\nTCP_KEEPIDLE = 600                       # was 7200, the sysctl's\n" + noticed +
				"# b: 1 socket, [::1]:1 -> [::1]:2\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"a program chooses its name",
			one(1, "x\x1b[2J\n\u202e", "host", "300", nil),
			"# x\\x1b[2J\\n\\u202e: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"so does a namespace, and is named where there are several",
			join(one(1, "a", "n\x1b", "300", nil), one(2, "a", "host", "300", nil)),
			"# a: 1 socket, namespace n\\x1b\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed +
				"# a: 1 socket, namespace host\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"a listener, of which no program is seen, and which was off",
			one(1, "a", "host", "300", func(c *Change) {
				c.Comm, c.Listening, c.Detection = nil, true, &OldNew{nil, c.Detection.New}
				c.Local, c.Remote = "0.0.0.0:22", "0.0.0.0:0"
			}),
			"# no program that is seen: 1 listener, 0.0.0.0:22\nTCP_KEEPIDLE = 600                       # was 300\n# a dead peer of an idle connection accepted from now on is noticed after 1275 s (21m15s), at the latest 1299.3 s; until now never\n"},
		{"the same change leads to something else where keepalive is off",
			join(one(1, "a", "host", "300", func(c *Change) { c.Detection = &OldNew{} }), one(2, "a", "host", "300", nil)),
			"# a: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n# a dead peer of an idle connection is never noticed, as before\n" +
				"# a: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"the same change is noticed later at the latest, by another interval",
			join(one(1, "a", "host", "300", func(c *Change) { c.DetectionLatest = new(answer.Seconds(answertest.S(1300))) }), one(2, "a", "host", "300", nil)),
			"# a: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n" + strings.Replace(noticed, "1299.3", "1300", 1) +
				"# a: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"where the time is not known, none is told",
			one(1, "a", "host", "300", func(c *Change) { c.Detection = nil }),
			"# a: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n"},
		{"afterwards, what was changed",
			join(one(1, "a", "host", "300", nil), one(2, "a", "host", "300", applied)),
			"# a: 1 socket\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
		{"the same cookie in another namespace is another socket",
			join(one(1, "a", "host", "300", nil), one(1, "a", "web", "300", nil)),
			"# a: 1 socket, namespace host\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed +
				"# a: 1 socket, namespace web\nTCP_KEEPIDLE = 600                       # was 300\n" + noticed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := answer.Table(&b, Undo{PerSocket: slices.Values(perSocket(tt.changes)), ID: "x", Command: "y"}, answer.Style{}); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want+"\nTaken back: x (y).\n", b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	t.Run("a long list is cut, and counted", func(t *testing.T) {
		var b bytes.Buffer
		if err := answer.Table(&b, Undo{PerSocket: slices.Values(perSocket(many))}, answer.Style{}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(b.String(), "1 socket\n"); n != maxGroups || !strings.Contains(b.String(), "# and 3 sockets in other ways; -o json has every change\n") {
			t.Errorf("%d groups\n%s", n, &b)
		}
	})
}

// JSON has every change of every socket, in their order.
func TestEverySocketIsInJSON(t *testing.T) {
	all := [][]Change{join(one(1, "a", "host", "300", nil), one(1, "a", "host", "400", nil)), one(2, "<b>\u202e", "host", "500", nil)}
	for _, d := range []answer.Document{
		Set{PerSocket: slices.Values(all), Warnings: []calc.Warning{{Text: `"changes": []`}}},
		Undo{PerSocket: slices.Values(all), Command: `"changes": []`},
	} {
		var b bytes.Buffer
		err := answer.JSON(&b, d)
		if err != nil {
			t.Fatal(err)
		}
		// As if they had all been in the list.
		var whole bytes.Buffer
		switch d := d.(type) {
		case Set:
			d.Changes, d.PerSocket = slices.Concat(all...), nil
			err = answer.JSON(&whole, d)
		case Undo:
			d.Changes, d.PerSocket = slices.Concat(all...), nil
			err = answer.JSON(&whole, d)
		}
		if diff := cmp.Diff(whole.String(), b.String()); err != nil || diff != "" {
			t.Errorf("%T: %v (-want +got):\n%s", d, err, diff)
		}
		var got struct {
			Changes []struct{ Cookie, Old string }
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		want := []struct{ Cookie, Old string }{{"0x1", "300"}, {"0x1", "400"}, {"0x2", "500"}}
		if diff := cmp.Diff(want, got.Changes); diff != "" {
			t.Errorf("%T (-want +got):\n%s", d, diff)
		}
	}
}

// Of many sockets neither a table nor JSON keeps more than a line for those that are
// alike: what is alive when the last one comes is not theirs.
func TestManySocketsAreNotKept(t *testing.T) {
	const sockets = 20_000
	alive := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for format, write := range map[string]func(io.Writer, answer.Document) error{
		"table": func(w io.Writer, d answer.Document) error { return answer.Table(w, d, answer.Style{}) },
		"json":  answer.JSON,
	} {
		before, last := alive(), uint64(0)
		d := Set{PerSocket: func(yield func([]Change) bool) {
			for i := range sockets {
				if i == sockets-1 {
					last = alive()
				}
				if !yield(one(i, "a", "host", "7200", nil)) {
					return
				}
			}
		}}
		if err := write(io.Discard, d); err != nil {
			t.Fatal(err)
		}
		if last > before+sockets*40 { // a change takes some 300 bytes
			t.Errorf("%s: %d bytes are alive for each socket", format, (last-before)/sockets)
		}
	}
}

// Only a socket's change has a socket's fields.
func TestSocketFieldsInJSON(t *testing.T) {
	fields := func(c Change) map[string]any {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := fields(one(31, "a", "host", "7200", nil)[0])
	if m["cookie"] != "0x1f" || m["option"] != "TCP_KEEPIDLE" || m["inherited"] != true || m["pid"] != nil {
		t.Errorf("%v", m)
	}
	if _, ok := fields(Change{Target: TargetSysctl})["cookie"]; ok {
		t.Error("a sysctl has a cookie")
	}
}

func TestTimersThatBeginAnew(t *testing.T) {
	for want, r := range map[string]Rearmed{
		"1 timer that runs by an older time begins anew":         {Sockets: 1},
		"2 timers that run by an older time begin anew":          {Sockets: 2},
		"2 timers that may run by an older time begin anew":      {Sockets: 2, Hidden: 1},
		"1 timer that ran by an older time began anew":           {Sockets: 2, Done: 1, Gone: 1},
		"3 timers that may have run by an older time began anew": {Sockets: 3, Hidden: 2, Done: 3},
		"0 timers that ran by an older time began anew":          {Sockets: 1, Failed: 1},
	} {
		if got := r.sentence(); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}
