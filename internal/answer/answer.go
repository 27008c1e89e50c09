// Package answer is how an answer looks: tables, wrapping, escaping, units, JSON, metrics.
// It knows no command; a command's document is in its own folder. It computes nothing and
// reads nothing.
package answer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/xhit/go-str2duration/v2"

	"github.com/tcpka/tcpka/calc"
)

// A Document is one answer, in the formats every command has.
type Document interface {
	// Table writes it for people.
	Table(w *bufio.Writer, s Style)
}

// lazy is a Document that may have not all of its fields in memory, and writes its JSON
// itself.
type lazy interface{ JSON(w io.Writer) error }

// Style says what the output is written to.
//
// On a terminal paragraphs are filled and tables fitted to its width. Elsewhere a
// warning is one line and a row of a table is one line, however long: that is what
// grep and awk want.
type Style struct {
	Width    int  // columns of the terminal, or of what is drawn where there is none
	Terminal bool // a person is looking at it
	Color    bool // colours may be used
	Unicode  bool // more than ASCII may be drawn
}

// Table writes d for people.
func Table(w io.Writer, d Document, s Style) error {
	b := bufio.NewWriter(w)
	d.Table(b, s)
	return b.Flush()
}

// JSON writes d as one indented JSON document, as harmless to a terminal as the table.
func JSON(w io.Writer, d Document) error {
	b := bufio.NewWriter(w)
	write := func(w io.Writer) error { return Indented(w, "").Encode(d) }
	if l, ok := d.(lazy); ok {
		write = l.JSON
	}
	if err := write(harmless{b}); err != nil {
		return err
	}
	return b.Flush()
}

// Indented is an encoder of what stands behind an indent.
func Indented(w io.Writer, indent string) *json.Encoder {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent(indent, "  ")
	return e
}

// harmless writes JSON. What [Escape] would not let pass to a terminal can only be in
// its strings, where \u says the same.
type harmless struct{ w *bufio.Writer }

func (h harmless) Write(p []byte) (int, error) {
	bad := func(r rune) bool { return r != '\n' && Unsafe(r) }
	for rest := p; len(rest) > 0; {
		i := bytes.IndexFunc(rest, bad)
		if i < 0 {
			i = len(rest)
		}
		h.w.Write(rest[:i])
		if rest = rest[i:]; len(rest) == 0 {
			break
		}
		r, size := utf8.DecodeRune(rest)
		if rest = rest[size:]; r > 0xffff { // two halves, as in UTF-16
			h.w.Write(appendHex(appendHex(nil, 0xd800+(r-0x10000)>>10), 0xdc00+(r-0x10000)&0x3ff))
			continue
		}
		h.w.Write(appendHex(nil, r))
	}
	return len(p), nil // an error stays with the buffer, and Flush returns it
}

// Seconds is a duration that JSON shows as a number of seconds.
type Seconds time.Duration

func (s Seconds) MarshalJSON() ([]byte, error) { return []byte(s.String()), nil }

// String is the number alone: "7875", "8024.504".
func (s Seconds) String() string {
	whole, rest := time.Duration(s)/time.Second, (time.Duration(s) % time.Second).Abs()
	sign := ""
	if s < 0 && whole == 0 {
		sign = "-"
	}
	text := fmt.Sprintf("%s%d.%09d", sign, whole, rest)
	return strings.TrimRight(strings.TrimRight(text, "0"), ".")
}

// Whole is s in whole seconds.
func (s Seconds) Whole() int64 { return int64(time.Duration(s) / time.Second) }

// Human is s as people say it: "2h11m15s", to the second.
func (s Seconds) Human() string {
	return str2duration.String(time.Duration(s).Round(time.Second))
}

// Brief is s with as many digits as the eye wants.
func (s Seconds) Brief() Seconds {
	unit := time.Millisecond
	if time.Duration(s).Abs() >= 10*time.Second {
		unit *= 100
	}
	return Seconds(time.Duration(s).Round(unit))
}

// Both is the raw number and the human one: "7875 s (2h11m15s)". Below a
// minute the number alone is human enough.
func (s Seconds) Both() string {
	if time.Duration(s).Abs() < time.Minute {
		return s.String() + " s"
	}
	return s.String() + " s (" + s.Human() + ")"
}

// A Prediction is a [calc.Prediction] as JSON shows it: where it never ends, the
// times are null.
type Prediction struct {
	Seconds    *Seconds `json:"seconds"`
	Earliest   *Seconds `json:"earliest_seconds"`
	Latest     *Seconds `json:"latest_seconds"`
	Never      bool     `json:"never"`
	DecidedBy  string   `json:"decided_by"`
	ProbesSent int      `json:"probes_sent"`
	Errno      *string  `json:"errno"`
}

// NewPrediction converts p.
func NewPrediction(p calc.Prediction) Prediction {
	r := Prediction{Never: p.Never, DecidedBy: p.DecidedBy, ProbesSent: p.Probes}
	if !p.Never {
		r.Seconds, r.Earliest, r.Latest = new(Seconds(p.Exact)), new(Seconds(p.Earliest)), new(Seconds(p.Latest))
	}
	if p.Errno != "" {
		r.Errno = &p.Errno
	}
	return r
}

func secondsOf(n int64) Seconds { return Seconds(time.Duration(n) * time.Second) }
