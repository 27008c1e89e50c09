package connection

import (
	"testing"
	"time"
)

func TestWhatIsNotKnownIsNotNever(t *testing.T) {
	s := Socket{State: "ESTAB", Keepalive: SwitchOn, ValuesKnown: true, Timer: TimerKeepalive, DetectionUnknown: true}
	if s.Never() {
		t.Error("it is noticed, and nobody knows when")
	}
	s.DetectionUnknown = false
	if !s.Never() {
		t.Error("nothing notices it")
	}
}

// The program of an MPTCP connection hears of its end later, by an old timer, too.
func TestAnOldTimerOfMPTCP(t *testing.T) {
	s := Socket{
		Detection: 90 * time.Second, DetectionKnown: true, Outlived: 60 * time.Second,
		Dies: SocketEnd{Known: true, Exact: 100 * time.Second}, OldTimer: SwitchOn,
	}
	if got, want := s.Noticed(), 160*time.Second; got != want {
		t.Errorf("%v, want %v", got, want)
	}
	s.OldTimer = SwitchOff
	if got, want := s.Noticed(), 90*time.Second; got != want {
		t.Errorf("by the timer of today: %v, want %v", got, want)
	}
}
