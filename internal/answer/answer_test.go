package answer

import (
	"bufio"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/tcpka/tcpka/internal/answertest"
)

func TestHumanTimes(t *testing.T) {
	for _, row := range []struct {
		d          time.Duration
		raw, human string
	}{
		{answertest.S(7875), "7875", "7875 s (2h11m15s)"},
		{answertest.S(75), "75", "75 s (1m15s)"},
		{answertest.S(59), "59", "59 s"},
		{928896 * time.Millisecond, "928.896", "928.896 s (15m29s)"},
		{answertest.S(86400), "86400", "86400 s (1d)"},
		{answertest.S(-100), "-100", "-100 s (-1m40s)"},
		{0, "0", "0 s"},
		{-500 * time.Millisecond, "-0.5", "-0.5 s"},
		{5512 * time.Millisecond, "5.512", "5.512 s"},
		{1<<63 - 1, "9223372036.854775807", "9223372036.854775807 s (15250w1d23h47m16s854ms775us807ns)"},
	} {
		if got := Seconds(row.d); got.String() != row.raw || got.Both() != row.human {
			t.Errorf("%v: %s and %s, want %s and %s", row.d, got, got.Both(), row.raw, row.human)
		}
	}
}

// TestWriteErrors sends answers into a pipe that nobody reads.
func TestWriteErrors(t *testing.T) {
	for _, write := range []func(io.Writer) error{
		func(w io.Writer) error { return Table(w, line(""), Style{}) },
		func(w io.Writer) error { return JSON(w, line("")) },
	} {
		if err := write(broken{}); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("%v, want the error of the pipe", err)
		}
	}
}

// line is the shortest document.
type line string

func (l line) Table(w *bufio.Writer, _ Style) { w.WriteString(string(l) + "\n") }

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
