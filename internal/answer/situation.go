package answer

import (
	"github.com/tcpka/tcpka/calc"
)

// Situation is a [calc.Situation] as JSON shows it.
type Situation struct {
	ID string `json:"id"`
	Prediction
	// Unreachable is the errno instead where something says that the peer is
	// unreachable; nil: that changes nothing.
	Unreachable *string `json:"errno_if_unreachable,omitempty"`
}

// NewSituation converts s.
func NewSituation(s calc.Situation) Situation {
	return Situation{s.ID, NewPrediction(s.Prediction), TextOrNull(s.Unreachable())}
}

func (x Situation) Row() []string {
	end, between := "never", ""
	if !x.Never {
		end = x.Seconds.Brief().Both()
		between = Span(x.Earliest.Brief(), x.Latest.Brief())
	}
	by := x.DecidedBy
	if x.Never {
		by = ""
	}
	return []string{SituationNames[x.ID], end, between, by, x.seen()}
}

// SituationNames are what the table calls the situations.
var SituationNames = map[string]string{
	calc.IdlePeerAlive:          "idle, peer alive",
	calc.IdlePeerGone:           "idle, peer gone",
	calc.IdleAfterAnsweredProbe: "  after an answered probe",
	calc.IdlePeerRebooted:       "idle, peer rebooted",
	calc.IdleWithoutKeepalive:   "idle, peer gone, keepalive off",
	calc.DataInFlight:           "data in flight, peer gone",
	calc.ZeroWindowPeerAlive:    "peer alive, its window closed",
	calc.Connecting:             "connecting, no answer",
	calc.Accepting:              "accepting, no answer",
	calc.ClosedWithDataUnsent:   "closed, data unsent, peer gone",
}

// seen is what the application notices.
func (x Situation) seen() string {
	switch {
	case x.Errno == nil:
		return "nothing"
	case x.ID == calc.IdlePeerAlive:
		return *x.Errno + " on a healthy connection"
	case x.Unreachable != nil:
		return *x.Errno + ", or " + *x.Unreachable
	}
	return *x.Errno
}
