package middlebox

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// An Outcome is what became of a connection on which nothing was said.
type Outcome string

const (
	// Answered: a probe was answered, so the path still knew the connection, or
	// took it up again without a word.
	Answered Outcome = "answered"
	// Rejected: a TCP reset came, for the probe or, unasked, before it.
	Rejected Outcome = "reset"
	// Swallowed: none of several probes was answered.
	Swallowed Outcome = "swallowed"
	// HungUp: the far end closed the connection first. Its FIN came through, so
	// the path knew the connection until then.
	HungUp Outcome = "closed"
	// Spoke: the far end sends segments by itself, so there was never the silence
	// that was wanted. They came through, so the path knew the connection.
	Spoke Outcome = "spoke"
	// Unfinished: nobody waited for its end.
	Unfinished Outcome = "unfinished"
	// Unmade: there was no such connection, or not for long enough to be used.
	Unmade Outcome = "unmade"
)

// survived reports whether o shows that the path knew the connection.
func (o Outcome) survived() bool { return o == Answered || o == HungUp || o == Spoke }

// failed reports whether o shows that the path had forgotten the connection.
func (o Outcome) failed() bool { return o == Rejected || o == Swallowed }

// A Sample is one silence on one connection.
type Sample struct {
	Wanted time.Duration // how long it was to be silent; 0 is until the far end speaks
	// Silence is how long it was: the least it can have been where the path
	// survived it, and the most where it did not. It counts from the last segment
	// in either direction.
	Silence time.Duration
	// Age is how old the connection was when the far end ended it, by HungUp or
	// an unasked reset; else 0. A probe begins another silence, and does not keep
	// a server from counting.
	Age     time.Duration
	Outcome Outcome
	Unasked bool  // Rejected, and there was no probe yet
	Err     error // why it is Unmade
}

// Bounds are what samples say about a path. It remembers a silence of Survived,
// and not one of Failed. Zero is nothing known.
type Bounds struct {
	Survived time.Duration // the largest that survived
	Failed   time.Duration // the smallest that did not
	How      Expiry        // what became of that one: Reset or Silent
	Closed   time.Duration // the age at which the far end closed a connection, at the earliest
}

// BoundsOf finds the bounds. That Survived is larger than Failed means that the
// samples contradict each other: not all of them met the same conditions.
func BoundsOf(samples []Sample) Bounds {
	var b Bounds
	for _, s := range samples {
		switch {
		case s.Outcome.survived():
			b.Survived = max(b.Survived, s.Silence)
		case s.Outcome.failed() && (b.Failed == 0 || s.Silence < b.Failed):
			b.Failed, b.How = s.Silence, Silent
			if s.Outcome == Rejected {
				b.How = Reset
			}
		}
		if s.Outcome == HungUp && (b.Closed == 0 || s.Age < b.Closed) {
			b.Closed = s.Age
		}
	}
	return b
}

// Safe is the largest silence that survived and below which none failed; 0 if
// there is none.
func Safe(samples []Sample) time.Duration {
	failed := BoundsOf(samples).Failed
	var safe time.Duration
	for _, s := range samples {
		if s.Outcome.survived() && (failed == 0 || s.Silence < failed) {
			safe = max(safe, s.Silence)
		}
	}
	return safe
}

// Within returns the boxes that forget a silent connection within the bounds: by
// default, and if a keepalive probe refreshes them. Without both bounds there
// are none.
func (b Bounds) Within() []Box {
	var boxes []Box
	for _, box := range Boxes() {
		if b.Survived > 0 && box.Refreshes() && b.Survived <= box.Idle && box.Idle <= b.Failed {
			boxes = append(boxes, box)
		}
	}
	return boxes
}

// ErrNoAnswer is a far end that is there and answers no keepalive probe, not
// even on a connection that was just made: nothing can be measured with it.
var ErrNoAnswer = errors.New("no answer to a keepalive probe on a fresh connection")

// ErrSpeaks is a far end that is to measure, and sends data instead.
var ErrSpeaks = errors.New("the far end sends data, so it is no silent responder")

// A HungUpError is a far end that ends a connection as soon as it is made.
type HungUpError struct {
	Greeting []byte // the beginning of what it said before; comes from outside
	Reset    bool
}

func (e *HungUpError) Error() string {
	how := "closed"
	if e.Reset {
		how = "reset"
	}
	if len(e.Greeting) == 0 {
		return how + " at once by the far end, without a word"
	}
	return fmt.Sprintf("%s at once by the far end, which said %q", how, e.Greeting)
}

// greetsLikeSSH reports whether text begins the identification of RFC 4253.
func greetsLikeSSH(text []byte) bool { return bytes.HasPrefix(text, []byte("SSH-")) }
