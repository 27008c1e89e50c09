package sockets

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/answer"
)

// TestWhatIsSaidBelowSocketsFits is about the sentences; the rows are as wide as what
// they show.
func TestWhatIsSaidBelowSocketsFits(t *testing.T) {
	var b bytes.Buffer
	table := NewTable(&b, answer.Style{Width: 60, Terminal: true}, Options{})
	table.on, table.late = true, true
	if err := table.End(End{}); err != nil {
		t.Fatal(err)
	}
	want := `This namespace has no TCP connections.
KEEPALIVE is time/intvl/probes in seconds, all equal to the
sysctls.
NEXT is when the next probe is due if nothing comes, DETECTS
how soon a dead peer is noticed while the connection is
idle.
An old timer was armed for longer than the values say, and
delays what is noticed next; tcpka set --rearm starts all
such timers of the namespace anew.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
