package answer

import (
	"bufio"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tcpka/tcpka/calc"
)

// TimelineEvent is one point in the life of an idle connection whose peer
// vanished.
type TimelineEvent struct {
	At    Seconds `json:"at_seconds"`
	Event string  `json:"event"`           // "probe", "omitted" or "dead"
	N     int     `json:"n,omitempty"`     // of a probe: its number
	Count int     `json:"count,omitempty"` // of omitted: how many probes
	Errno string  `json:"errno,omitempty"` // of dead: what the application gets
}

// NewTimeline converts the events; errno is what the application gets at the end.
func NewTimeline(events []calc.Event, errno string) []TimelineEvent {
	timeline := []TimelineEvent{}
	for _, e := range events {
		at := Seconds(e.At)
		if e.Dead {
			timeline = append(timeline, TimelineEvent{At: at, Event: "dead", Errno: errno})
			continue
		}
		timeline = append(timeline, TimelineEvent{At: at, Event: "probe", N: e.Probe})
		if e.Omitted > 0 {
			timeline = append(timeline, TimelineEvent{At: at, Event: "omitted", Count: e.Omitted})
		}
	}
	return timeline
}

// A Legend says what the ends of a timeline mean.
type Legend struct{ Start, Dead, Nothing string }

// DrawTimeline draws the events to scale in the width of the terminal: a line
// from the last sign of life to the end, a mark where each probe goes out, and
// the times below.
//
//	0                                  7200     7875
//	|----------------------------------1-2-3-4-5-X
func DrawTimeline(w *bufio.Writer, s Style, events []TimelineEvent, end Prediction, l Legend) {
	const margin = 2
	width := max(min(s.Width, 120)-2*margin-1, 30)
	line, probe, more, dead, start := '-', 'o', '.', 'X', '|'
	if s.Unicode {
		line, probe, more, dead, start = '─', '●', '·', '✗', '├'
	}
	if len(events) == 0 {
		fmt.Fprintf(w, "  %c%s  %s\n", start, strings.Repeat(string(line), width/2), l.Nothing)
		return
	}
	last := float64(events[len(events)-1].At)
	if end.Never { // probes, and an open end
		last *= 1.5
	}
	column := func(at Seconds) int {
		if last <= 0 {
			return width - 1
		}
		return 1 + int(float64(at)/last*float64(width-2))
	}

	cells := []rune(strings.Repeat(string(line), width))
	cells[0] = start
	for i, e := range events {
		switch e.Event {
		case "probe":
			cells[column(e.At)] = probe
		case "omitted": // from the last probe shown to the next one shown
			for c := column(e.At) + 1; c < column(events[i+1].At); c++ {
				cells[c] = more
			}
		case "dead":
			cells[column(e.At)] = dead
		}
	}

	labels := []label{{0, "0"}}
	var first, final *TimelineEvent
	sent := 0
	for i, e := range events {
		switch e.Event {
		case "probe":
			if first == nil {
				first = &events[i]
			}
			sent++
		case "omitted":
			sent += e.Count
		case "dead":
			final = &events[i]
		}
	}
	if final != nil {
		labels = append(labels, label{column(final.At), final.At.String() + " s"})
	}
	if first != nil {
		labels = append(labels, label{column(first.At), first.At.String()})
	}

	body := string(cells)
	if s.Color {
		body = strings.ReplaceAll(body, string(dead), s.Paint(Red, string(dead)))
		body = strings.ReplaceAll(body, string(probe), s.Paint(Yellow, string(probe)))
	}
	fmt.Fprintf(w, "  %s\n  %s\n\n", body, place(labels, width))
	fmt.Fprintf(w, "  %c  0 s: %s\n", start, l.Start)
	if first != nil {
		fmt.Fprintf(w, "  %s  %s\n", s.Paint(Yellow, string(probe)), probesText(*first, sent, events, end.Never))
	}
	if final != nil {
		fmt.Fprintf(w, "  %s  %s s: %s\n", s.Paint(Red, string(dead)), final.At, l.Dead)
	}
}

func probesText(first TimelineEvent, sent int, events []TimelineEvent, forever bool) string {
	switch {
	case sent == 1:
		return fmt.Sprintf("%s s: one probe, no answer", first.At)
	case forever:
		return fmt.Sprintf("%s s: the first probe, and one every %s s for ever", first.At, events[1].At-events[0].At)
	}
	var lastProbe Seconds
	for _, e := range events {
		if e.Event == "probe" {
			lastProbe = e.At
		}
	}
	return fmt.Sprintf("%s .. %s s: %d probes, no answer", first.At, lastProbe, sent)
}

type label struct {
	column int
	text   string
}

// place writes the labels on one line, each as near to its column as fits; the
// ones that come first have the right of way, and what does not fit is left out.
func place(labels []label, width int) string {
	cells := []rune(strings.Repeat(" ", width))
	free := func(from, to int) bool {
		for i := max(from-1, 0); i < min(to+1, width); i++ {
			if cells[i] != ' ' {
				return false
			}
		}
		return true
	}
	for _, l := range labels {
		n := utf8.RuneCountInString(l.text)
		from := max(min(l.column, width-n), 0)
		for from > 0 && !free(from, from+n) {
			from--
		}
		if from+n <= width && free(from, from+n) {
			copy(cells[from:], []rune(l.text))
		}
	}
	return strings.TrimRight(string(cells), " ")
}
