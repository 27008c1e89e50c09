package change

import (
	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/keepalive"
)

// Common is the detection time before and after, if it is one for all changes.
func Common(changes []Change) *OldNew {
	for _, c := range changes {
		if c.Detection == nil || changes[0].Detection == nil || !Equal(c.Detection.Old, changes[0].Detection.Old) || !Equal(c.Detection.New, changes[0].Detection.New) {
			return nil
		}
	}
	if len(changes) == 0 {
		return nil
	}
	return changes[0].Detection
}

func Equal(a, b *answer.Seconds) bool { return a == b || a != nil && b != nil && *a == *b }

func Detection(k calc.Kernel, old, new keepalive.Settings) OldNew {
	return OldNew{
		Old: answer.NewPrediction(k.IdlePeerGone(old)).Seconds,
		New: answer.NewPrediction(k.IdlePeerGone(new)).Seconds,
	}
}
