package sockets

import (
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// walker changes sockets by way of BPF.
type walker struct {
	query   *RetuneQuery
	decode  decoder
	retuner *bpf.Retuner
	targets []pending
}

func newWalker(q *RetuneQuery, targets []pending) (*walker, error) {
	jiffies, err := hz()
	if err != nil {
		return nil, err
	}
	cookies := make([]uint64, len(targets))
	for i, p := range targets {
		cookies[i] = p.target.Cookie
	}
	r, err := bpf.LoadRetuner(uint32(q.eligible()), int(jiffies), cookies, q.Loader)
	if err != nil {
		return nil, err
	}
	w := &walker{q, decoder{hz: jiffies, sysctl: q.Sysctl}, r, targets}
	for i := range targets {
		b := &r.Targets()[i]
		request(b, &targets[i].target.Change)
		if targets[i].target.Rearm {
			b.Want |= bpf.WantRearm
		}
	}
	return w, nil
}

// request makes b want c and nothing else.
func request(b *bpf.Target, c *keepalive.Change) {
	b.Result, b.Want, b.Time, b.Intvl, b.Probes = 0, 0, 0, 0, 0
	if c.Time != nil {
		b.Time = uint16(*c.Time / time.Second)
	}
	if c.Intvl != nil {
		b.Intvl = uint16(*c.Intvl / time.Second)
	}
	if c.Probes != nil {
		b.Probes = uint8(*c.Probes)
	}
	if c.UserTimeout != nil {
		b.Want |= bpf.WantUserTimeout
		b.UserTimeout = uint32(c.UserTimeout.Milliseconds())
	}
	switch {
	case c.Enabled == nil:
	case *c.Enabled:
		b.Want |= bpf.WantOn
	default:
		b.Want |= bpf.WantOff
	}
}

// walk changes the sockets and calls visit for each target. One that the walk
// did not come by is Gone, unless the walk failed: then it is left out.
func (w *walker) walk(visit func(*Outcome) error) error {
	failed := w.retuner.Walk()
	if failed == nil && w.anyLeft() {
		failed = w.retuner.Walk() // see there
	}
	before, errBack := w.putBack()
	if failed == nil {
		failed = errBack
	}
	var o Outcome
	for i := range w.targets {
		b := &w.retuner.Targets()[i]
		if b.Result == 0 && failed != nil {
			continue
		}
		o = Outcome{Target: w.targets[i].target}
		if was, ok := before[i]; ok {
			w.outcome(&o, &was)
			w.values(&o.After, &b.After)
		} else {
			w.outcome(&o, b)
		}
		if err := visit(&o); err != nil {
			return err
		}
	}
	return failed
}

func (w *walker) anyLeft() bool {
	return slices.ContainsFunc(w.retuner.Targets(), func(b bpf.Target) bool { return b.Result == 0 })
}

// putBack gives sockets that refused an option their values of before. It
// returns how it had ended, by index of the target.
func (w *walker) putBack() (map[int]bpf.Target, error) {
	refused := map[int]bpf.Target{}
	for i := range w.targets {
		b := &w.retuner.Targets()[i]
		if b.Result != bpf.Refused {
			continue
		}
		refused[i] = *b
		if b.Before != b.After {
			var from, to Values
			w.values(&from, &b.After)
			w.values(&to, &b.Before)
			request(b, new(difference(from, to)))
		}
	}
	if len(refused) == 0 {
		return nil, nil
	}
	if err := w.retuner.Walk(); err != nil {
		return refused, fmt.Errorf("put back what was set: %w", err)
	}
	return refused, nil
}

// outcome says what b means.
func (w *walker) outcome(o *Outcome, b *bpf.Target) {
	if b.Result == 0 {
		o.Result, o.Err = Gone, errGone
		return
	}
	const newSynRecv = 12 // include/net/tcp_states.h, TCP_NEW_SYN_RECV
	o.Way, o.State = ByBPF, State(b.State)
	if o.State == newSynRecv {
		o.State = SynRecv
	}
	w.values(&o.Before, &b.Before)
	w.values(&o.After, &b.After)
	switch b.Result {
	case bpf.Done:
		o.verify()
	case bpf.Refused:
		o.Result, o.Err = Failed, &OptionError{optionNames[b.Option], unix.Errno(-b.Errno)}
	case bpf.NoFile:
		o.Result, o.Err = Ineligible, errNoFile
	case bpf.NotItself:
		o.Result, o.Err = Failed, errMPTCP
	case bpf.Ineligible:
		o.Result, o.Err = Ineligible, o.ineligible(w.query)
	}
}

var optionNames = map[uint8]string{
	unix.SO_KEEPALIVE:     keepaliveOption.name,
	unix.TCP_KEEPIDLE:     timeOption.name,
	unix.TCP_KEEPINTVL:    intvlOption.name,
	unix.TCP_KEEPCNT:      probesOption.name,
	unix.TCP_USER_TIMEOUT: userTimeoutOption.name,
}

func (w *walker) values(v *Values, b *bpf.Values) {
	*v = Values{}
	if b.Keepalive == 0 {
		return
	}
	v.Keepalive = OnOff(b.Keepalive)
	v.Settings, v.UserTimeoutKnown = w.decode.sysctl, true
	v.TimeFrom, v.IntvlFrom, v.ProbesFrom = FromSysctl, FromSysctl, FromSysctl
	if b.Time != 0 {
		v.Time, v.TimeFrom = w.decode.duration(int64(b.Time)), FromSocket
	}
	if b.Intvl != 0 {
		v.Intvl, v.IntvlFrom = w.decode.duration(int64(b.Intvl)), FromSocket
	}
	if b.Probes != 0 {
		v.Probes, v.ProbesFrom = int(b.Probes), FromSocket
	}
	v.UserTimeout = time.Duration(b.UserTimeout) * time.Millisecond
}
