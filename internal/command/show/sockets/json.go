package sockets

import (
	"encoding/json"
	"io"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

// JSON writes one document, a socket a line.
type JSON struct {
	answer.Pages
	any bool
}

// NewJSON writes to w.
func NewJSON(w io.Writer) *JSON {
	j := &JSON{Pages: answer.NewPages(w)}
	j.B = append(j.B, "{\n  \"schema\": \"tcpka/sockets/v1\",\n  \"sockets\": ["...)
	return j
}

func (j *JSON) Socket(s *connection.Socket) error {
	if j.any {
		j.B = append(j.B, ',')
	}
	j.any = true
	j.B = append(j.B, "\n    "...)
	j.B = connection.AppendSocketJSON(j.B, s)
	return j.Turn()
}

func (j *JSON) End(e End) error {
	if j.any {
		j.B = append(j.B, "\n  "...)
	}
	j.B = append(j.B, "],\n"...)
	return j.end(e)
}

// end writes the members that come after the list.
func (j *JSON) end(e End) error {
	for i, member := range []struct {
		name  string
		value any
	}{
		{"summary", e.Summary},
		{"source", e.Source},
		{"why_not_bpf", e.WhyNotBPF},
		{"incomplete", e.Incomplete},
	} {
		text, err := json.MarshalIndent(member.value, "  ", "  ")
		if err != nil {
			return err
		}
		if i > 0 {
			j.B = append(j.B, ",\n"...)
		}
		j.B = append(j.B, "  \""+member.name+"\": "...)
		j.B = append(j.B, text...)
	}
	j.B = append(j.B, "\n}\n"...)
	return j.Flush()
}

// Lines writes a JSON object a line, and nothing else.
type Lines struct{ answer.Pages }

// NewLines writes to w.
func NewLines(w io.Writer) *Lines { return &Lines{answer.NewPages(w)} }

func (l *Lines) Socket(s *connection.Socket) error {
	l.B = append(connection.AppendSocketJSON(l.B, s), '\n')
	return l.Turn()
}

func (l *Lines) End(End) error { return l.Flush() }
