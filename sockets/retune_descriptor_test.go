package sockets

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
)

// An MPTCP socket can be off where its subflows are on: what switches it off has to be
// said to it all the same.
func TestOffIsSetOnWhatIsOff(t *testing.T) {
	steps := plan(Values{Keepalive: Off}, keepalive.Change{Enabled: new(false)}, keepalive.Defaults())
	if len(steps) != 1 || steps[0].option.code != unix.SO_KEEPALIVE || steps[0].value != 0 {
		t.Errorf("%+v", steps)
	}
}
