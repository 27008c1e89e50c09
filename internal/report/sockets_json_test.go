package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// socketJSON is a socket for encoding/json: the contract, as one reads it.
type socketJSON struct {
	Netns     string      `json:"netns"`
	State     string      `json:"state"`
	Local     string      `json:"local"`
	Remote    string      `json:"remote"`
	PID       *int        `json:"pid"`
	Comm      *string     `json:"comm"`
	FD        *int        `json:"fd"`
	Owners    []ownerJSON `json:"owners"`
	UID       uint32      `json:"uid"`
	Inode     *uint32     `json:"inode"`
	Cookie    string      `json:"cookie"`
	Cgroup    *string     `json:"cgroup"`
	Keepalive *bool       `json:"keepalive"`
	Time      *Seconds    `json:"time_seconds"`
	Intvl     *Seconds    `json:"intvl_seconds"`
	Probes    *int        `json:"probes"`
	UTO       *int64      `json:"user_timeout_ms"`
	Origin    struct {
		Time   *string `json:"time"`
		Intvl  *string `json:"intvl"`
		Probes *string `json:"probes"`
	} `json:"origin"`
	Timer       string   `json:"timer"`
	Left        *Seconds `json:"timer_seconds"`
	Unanswered  *int     `json:"unanswered_probes"`
	Retransmits *int     `json:"retransmits"`
	Idle        *Seconds `json:"idle_seconds"`
	Next        *Seconds `json:"next_probe_seconds"`
	Detection   *Seconds `json:"detection_seconds"`
	Dies        *Seconds `json:"dies_in_seconds"`
	Earliest    *Seconds `json:"dies_in_earliest_seconds"`
	Latest      *Seconds `json:"dies_in_latest_seconds"`
	By          *string  `json:"decided_by"`
	OldTimer    *bool    `json:"old_timer"`
}

type ownerJSON struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
	FD   int    `json:"fd"`
}

func mirror(s *Socket) socketJSON {
	j := socketJSON{
		Netns: s.Netns, State: s.State, Local: s.Local.String(), Remote: s.Remote.String(), Owners: []ownerJSON{},
		UID: s.UID, Inode: known(s.Inode, s.Inode != 0), Cookie: fmt.Sprintf("%#x", s.Cookie), Cgroup: known(s.Cgroup, s.Cgroup != ""),
		Keepalive: known(s.Keepalive == SwitchOn, s.Keepalive != SwitchUnknown),
		Time:      known(Seconds(s.Time), s.ValuesKnown), Intvl: known(Seconds(s.Intvl), s.ValuesKnown),
		Probes: known(s.Probes, s.ValuesKnown), UTO: known(s.UserTimeout.Milliseconds(), s.UserTimeoutKnown),
		Timer: s.Timer, Left: known(Seconds(s.Left), s.LeftKnown),
		Unanswered:  map[string]*int{TimerKeepalive: &s.Unanswered, TimerProbe0: &s.Unanswered, "none": new(0)}[s.Timer],
		Retransmits: known(s.Unanswered, s.Timer == TimerRetransmit),
		Idle:        known(Seconds(s.Idle), s.IdleKnown), Next: known(Seconds(s.Next), s.NextKnown),
		Detection: known(Seconds(s.Detection), s.DetectionKnown), Dies: known(Seconds(s.Dies.Exact), s.Dies.Known),
		Earliest: known(Seconds(s.Dies.Earliest), s.Dies.Known), Latest: known(Seconds(s.Dies.Latest), s.Dies.Known),
		By: known(s.Dies.By, s.Dies.By != ""), OldTimer: known(s.OldTimer == SwitchOn, s.OldTimer != SwitchUnknown),
	}
	for i, to := range []**string{&j.Origin.Time, &j.Origin.Intvl, &j.Origin.Probes} {
		*to = known(s.Origin[i], s.Origin[i] != "")
	}
	for _, o := range s.Owners {
		j.Owners = append(j.Owners, ownerJSON{o.PID, o.Comm, o.FD})
	}
	if len(j.Owners) > 0 {
		o := j.Owners[0]
		j.PID, j.Comm, j.FD = &o.PID, &o.Comm, &o.FD
	}
	return j
}

func known[T any](v T, ok bool) *T {
	if !ok {
		return nil
	}
	return &v
}

// encode is what encoding/json makes of it.
func encode(t testing.TB, v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func TestSocketJSONIsWhatEncodingJSONWrites(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	all := someSockets()
	base := all
	for range 2000 { // any mixture of those
		s := base[random.IntN(len(base))]
		other := base[random.IntN(len(base))]
		if random.IntN(2) == 0 {
			s.Owners, s.Cgroup, s.Inode = other.Owners, other.Cgroup, random.Uint32N(3)
		}
		s.Timer, s.LeftKnown, s.Unanswered = other.Timer, other.LeftKnown, random.IntN(300)
		s.Left = time.Duration(random.Int64N(int64(400*time.Hour)) - int64(time.Hour))
		s.Idle, s.Next, s.Dies.Exact = time.Duration(random.Int64()), time.Duration(random.Int64N(1e10)), time.Duration(random.Int64N(1e12))
		s.Keepalive, s.ValuesKnown, s.UserTimeoutKnown = Switch(random.IntN(3)), random.IntN(2) == 0, random.IntN(2) == 0
		s.Cookie, s.UID = random.Uint64(), random.Uint32()
		all = append(all, s)
	}
	for i := range all {
		want, got := encode(t, mirror(&all[i])), string(appendSocketJSON(nil, &all[i]))
		if got != want && !same(t, got, want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if strings.ContainsFunc(got, unsafe) {
			t.Fatalf("not for a terminal: %q", got)
		}
		if got != want && Escape(strings.Join([]string{all[i].Netns, all[i].Cgroup, commOf(&all[i])}, "")) == strings.Join([]string{all[i].Netns, all[i].Cgroup, commOf(&all[i])}, "") {
			t.Fatalf("nothing had to be escaped\ngot  %s\nwant %s", got, want)
		}
	}
}

func commOf(s *Socket) string {
	comm := ""
	for _, o := range s.Owners {
		comm += o.Comm
	}
	return comm
}

// same reports whether two JSON texts say the same, digit for digit.
func same(t testing.TB, a, b string) bool {
	t.Helper()
	value := func(s string) (v any) {
		d := json.NewDecoder(strings.NewReader(s))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v in %s", err, s)
		}
		return v
	}
	return cmp.Equal(value(a), value(b))
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "sshd", hostile, "a\"b\\c/<>&", "\b\f\n\r\t\x00\x7f", "\xff\xc2", "\u0085\u009b\u2028\u2029\u200b\ufffd", "\U0001f600\U000e0001", "日本"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, want := string(appendString(nil, s)), encode(t, s)
		if !same(t, got, want) {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
		if strings.ContainsFunc(got, unsafe) || !utf8.ValidString(got) {
			t.Errorf("%q: %q is not for a terminal", s, got)
		}
		if !strings.ContainsFunc(want, unsafe) && got != want {
			t.Errorf("%q: got %s, want %s byte for byte", s, got, want)
		}
		if inside, err := json.Marshal(Foreign(s)); err != nil || strings.ContainsFunc(string(inside), unsafe) {
			t.Errorf("%q: %s, %v", s, inside, err)
		}
	})
}

func TestAppendSecondsIsTheString(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for _, d := range []time.Duration{0, 1, -1, time.Second, -time.Second, -500 * time.Millisecond, 8024504 * time.Millisecond, 1<<63 - 1} {
		check := func(d time.Duration) {
			if got, want := string(appendSeconds(nil, d)), Seconds(d).String(); got != want {
				t.Errorf("%d: %s, want %s", d, got, want)
			}
		}
		check(d)
		for range 500 {
			check(time.Duration(random.Int64N(2e12) - 1e12))
		}
	}
}
