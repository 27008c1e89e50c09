//go:build linux

package calc_test

import (
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// TestThePlanOnThisKernel follows a plan: a peer that dies just after it has
// answered a probe is noticed within the goal, one that dies with data in flight
// too, and the probe that may be lost harms nobody.
func TestThePlanOnThisKernel(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		goal := calc.Goal{DetectWithin: sec(6), SurviveLoss: 1, InFlight: true}
		k := calc.DefaultKernel()
		var tick unix.Timespec
		if err := unix.ClockGetres(unix.CLOCK_MONOTONIC_COARSE, &tick); err != nil {
			t.Fatal(err)
		}
		k.HZ = int((1e9 + tick.Nano()/2) / tick.Nano())
		plan, err := k.Plan(goal, keepalive.Socket())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%+v", plan)

		lateness := nstest.WatchLateness()
		var wg sync.WaitGroup
		for name, play := range map[string]func(client, server int) (end time.Duration, ended bool){
			"idle, just after an answered probe": func(client, server int) (time.Duration, bool) {
				time.Sleep(plan.Time + k.Slack(plan.Time) + 50*time.Millisecond)
				drop(t, server)
				return ends(client, goal.DetectWithin+sec(2), lateness)
			},
			"with data in flight": func(client, server int) (time.Duration, bool) {
				drop(t, server)
				unix.Write(client, []byte("x"))
				return ends(client, goal.DetectWithin+sec(2), lateness)
			},
			"a lost probe": func(client, server int) (time.Duration, bool) {
				drop(t, server)
				for probes := uint8(0); probes == 0; time.Sleep(5 * time.Millisecond) {
					i, err := unix.GetsockoptTCPInfo(client, unix.IPPROTO_TCP, unix.TCP_INFO)
					if err != nil || i.State == 0 {
						t.Errorf("no probe was lost: %v", err)
						return 0, false
					}
					probes = i.Probes
				}
				if err := unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
					t.Error(err)
				}
				return ends(client, goal.DetectWithin, lateness)
			},
		} {
			client, server, err := nstest.Pair(unix.AF_INET, func(fd int) error { return follow(fd, plan) })
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				end, ended := play(client, server)
				t.Logf("%s: ended %v, after %v", name, ended, end)
				switch {
				case name == "a lost probe":
					if ended {
						t.Errorf("%s: it ended", name)
					}
				case !ended || end > goal.DetectWithin:
					t.Errorf("%s: ended %v, after %v without the machine's lateness, want within %v", name, ended, end, goal.DetectWithin)
				}
			})
		}
		wg.Wait()
	})
}

func drop(t *testing.T, fd int) {
	if err := nstest.DropAll(fd); err != nil {
		t.Error(err)
	}
}

// follow sets the planned values.
func follow(fd int, s keepalive.Settings) error {
	for _, o := range []struct{ level, name, value int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int(s.Intvl / time.Second)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, s.Probes},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(s.UserTimeout / time.Millisecond)},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int(s.Time / time.Second)},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	return nil
}

// ends waits for the end of a connection, and returns when it came, less what the
// machine was late by.
func ends(fd int, patience time.Duration, lateness nstest.Lateness) (after time.Duration, ended bool) {
	start := time.Now()
	for {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd)}}, int(max(patience-after, 0)/time.Millisecond)+1)
		after = time.Since(start) - lateness.Since(start)
		if n > 0 || after >= patience {
			return after, n > 0
		}
	}
}
