package sockets

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/internal/connection"
)

// socketJSON is a socket for encoding/json: the contract, as one reads it.
type socketJSON struct {
	Netns     string          `json:"netns"`
	State     string          `json:"state"`
	Local     string          `json:"local"`
	Remote    string          `json:"remote"`
	PID       *int            `json:"pid"`
	Comm      *string         `json:"comm"`
	FD        *int            `json:"fd"`
	Owners    []ownerJSON     `json:"owners"`
	UID       uint32          `json:"uid"`
	Inode     *uint32         `json:"inode"`
	Cookie    string          `json:"cookie"`
	Cgroup    *string         `json:"cgroup"`
	Keepalive *bool           `json:"keepalive"`
	Time      *answer.Seconds `json:"time_seconds"`
	Intvl     *answer.Seconds `json:"intvl_seconds"`
	Probes    *int            `json:"probes"`
	UTO       *int64          `json:"user_timeout_ms"`
	Origin    struct {
		Time   *string `json:"time"`
		Intvl  *string `json:"intvl"`
		Probes *string `json:"probes"`
	} `json:"origin"`
	Timer       string          `json:"timer"`
	Left        *answer.Seconds `json:"timer_seconds"`
	Unanswered  *int            `json:"unanswered_probes"`
	Retransmits *int            `json:"retransmits"`
	Idle        *answer.Seconds `json:"idle_seconds"`
	LastData    *answer.Seconds `json:"last_data_seconds"`
	Next        *answer.Seconds `json:"next_probe_seconds"`
	Detection   *answer.Seconds `json:"detection_seconds"`
	Dies        *answer.Seconds `json:"dies_in_seconds"`
	Earliest    *answer.Seconds `json:"dies_in_earliest_seconds"`
	Latest      *answer.Seconds `json:"dies_in_latest_seconds"`
	By          *string         `json:"decided_by"`
	OldTimer    *bool           `json:"old_timer"`
	Drops       *bool           `json:"drops_healthy"`
}

type ownerJSON struct {
	PID  int    `json:"pid"`
	Comm string `json:"comm"`
	FD   int    `json:"fd"`
}

func mirror(s *connection.Socket) socketJSON {
	j := socketJSON{
		Netns: s.Netns, State: s.State, Local: s.Local.String(), Remote: s.Remote.String(), Owners: []ownerJSON{},
		UID: s.UID, Inode: known(s.Inode, s.Inode != 0), Cookie: fmt.Sprintf("%#x", s.Cookie), Cgroup: known(s.Cgroup, s.Cgroup != ""),
		Keepalive: known(s.Keepalive == connection.SwitchOn, s.Keepalive != connection.SwitchUnknown),
		Time:      known(answer.Seconds(s.Time), s.ValuesKnown), Intvl: known(answer.Seconds(s.Intvl), s.ValuesKnown),
		Probes: known(s.Probes, s.ValuesKnown), UTO: known(s.UserTimeout.Milliseconds(), s.UserTimeoutKnown),
		Timer: s.Timer, Left: known(answer.Seconds(s.Left), s.LeftKnown),
		Unanswered:  map[string]*int{connection.TimerKeepalive: &s.Unanswered, connection.TimerProbe0: &s.Unanswered, "none": new(0)}[s.Timer],
		Retransmits: known(s.Unanswered, s.Timer == connection.TimerRetransmit),
		Idle:        known(answer.Seconds(s.Idle), s.IdleKnown), Next: known(answer.Seconds(s.Next), s.NextKnown),
		Detection: known(answer.Seconds(s.Detection), s.DetectionKnown), Dies: known(answer.Seconds(s.Dies.Exact), s.Dies.Known),
		Earliest: known(answer.Seconds(s.Dies.Earliest), s.Dies.Known), Latest: known(answer.Seconds(s.Dies.Latest), s.Dies.Known),
		By: known(s.Dies.By, s.Dies.By != ""), OldTimer: known(s.OldTimer == connection.SwitchOn, s.OldTimer != connection.SwitchUnknown),
		LastData: known(answer.Seconds(s.LastData), s.IdleKnown), Drops: known(s.Drops == connection.SwitchOn, s.Drops != connection.SwitchUnknown),
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
		s.Keepalive, s.ValuesKnown, s.UserTimeoutKnown = connection.Switch(random.IntN(3)), random.IntN(2) == 0, random.IntN(2) == 0
		s.Cookie, s.UID = random.Uint64(), random.Uint32()
		all = append(all, s)
	}
	for i := range all {
		want, got := answertest.Encode(t, mirror(&all[i])), string(connection.AppendSocketJSON(nil, &all[i]))
		if got != want && !answertest.Same(t, got, want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
		if strings.ContainsFunc(got, answer.Unsafe) {
			t.Fatalf("not for a terminal: %q", got)
		}
		if got != want && answer.Escape(strings.Join([]string{all[i].Netns, all[i].Cgroup, commOf(&all[i])}, "")) == strings.Join([]string{all[i].Netns, all[i].Cgroup, commOf(&all[i])}, "") {
			t.Fatalf("nothing had to be escaped\ngot  %s\nwant %s", got, want)
		}
	}
}

func commOf(s *connection.Socket) string {
	comm := ""
	for _, o := range s.Owners {
		comm += o.Comm
	}
	return comm
}
