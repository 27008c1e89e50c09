package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// benchRetune measures what it costs to set five options on each of n sockets of
// this namespace, by turns with a walk of the iterator whose program does
// nothing. Twice: the walk that sets them, and all of sockets.Retune, which
// makes the table, loads the program and reads what came of it.
//
// The values are others each time, as those that are there already are not set,
// and the switch goes on and off.
func benchRetune(n int) error {
	bare, err := bareWalk()
	if err != nil {
		return err
	}
	var targets []sockets.Target
	var cookies []uint64
	_, err = sockets.List(sockets.Query{Sysctl: keepalive.Defaults(), Source: sockets.BPF}, func(s *sockets.Socket) error {
		targets = append(targets, sockets.Target{Cookie: s.Cookie})
		cookies = append(cookies, s.Cookie)
		return nil
	})
	if err != nil {
		return err
	}
	var took [3][]time.Duration
	timed := func(i int, f func() error) error {
		start := time.Now()
		err := f()
		took[i] = append(took[i], time.Since(start))
		return err
	}
	for round := range max(20, min(100, 200_000/n)) {
		if err := timed(0, bare); err != nil {
			return err
		}
		// 1 Hz, by which no value is there already.
		w, err := bpf.LoadRetuner(1<<sockets.Established, 1, cookies, bpf.Auto)
		if err != nil {
			return err
		}
		for i := range w.Targets() {
			b := &w.Targets()[i]
			b.Time, b.Intvl, b.Probes = uint16(3600+2*round), uint16(60+2*round), uint8(1+2*round%100)
			b.UserTimeout, b.Want = uint32(3600_000+2*round), bpf.WantUserTimeout|bpf.WantOn
		}
		err = timed(1, w.Walk)
		w.Close()
		if err != nil {
			return err
		}
		c := keepalive.Change{
			Enabled:     new(false),
			Time:        new(time.Duration(3601+2*round) * time.Second),
			Intvl:       new(time.Duration(61+2*round) * time.Second),
			Probes:      new(2 + 2*round%100),
			UserTimeout: new(time.Hour + time.Duration(2*round+1)*time.Millisecond),
		}
		for i := range targets {
			targets[i].Change = c
		}
		if err := timed(2, func() error { return retuneAll(targets) }); err != nil {
			return err
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	ratio := func(i int) float64 { return float64(median(took[i])) / float64(median(took[0])) }
	fmt.Printf("%d sockets: a bare walk %v; five options on each: the walk %v, %.2f of it (limit 1.8 at 200,000), the whole %v, %.2f\n",
		len(targets), median(took[0]), median(took[1]), ratio(1), median(took[2]), ratio(2))
	return nil
}

func retuneAll(targets []sockets.Target) error {
	q := sockets.RetuneQuery{Sysctl: keepalive.Defaults(), Way: sockets.ByBPF}
	r, err := sockets.Retune(q, targets, func(o *sockets.Outcome) error { return o.Err })
	if err == nil && r.Done != len(targets) {
		err = fmt.Errorf("retune: %d of %d sockets done", r.Done, len(targets))
	}
	return err
}

// bareWalk returns what walks the iterator over the sockets with a program that
// only returns.
func bareWalk() (func() error, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: "tcp", License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, err
	}
	l, err := link.AttachIter(link.IterOptions{Program: program})
	if err != nil {
		return nil, err
	}
	return func() error {
		f, err := l.Open()
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(io.Discard, f)
		return err
	}, nil
}
