package journal

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// record is one line.
type record struct {
	Op string `json:"op"` // one of the constants; others are a newer version's
	ID string `json:"id"`

	Time    time.Time `json:"time,omitzero"`
	BootID  string    `json:"boot_id,omitzero"`
	Command string    `json:"command,omitzero"`
	Changes packed    `json:"changes,omitzero"`

	Applied []int `json:"applied,omitzero"` // indices of Changes; nil is all
	Left    []int `json:"left,omitzero"`    // indices of the Changes that Applied, or an earlier Left, has left
}

const (
	opBegin  = "begin"
	opDone   = "done"
	opUndone = "undone"
	opPartly = "partly" // undone but for Left
)

// text is a JSON string, or {"base64":"…"} for bytes that are not UTF-8, which a
// JSON string cannot hold.
type text string

func (s text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(s)) {
		return json.Marshal(string(s))
	}
	return json.Marshal(encoded{[]byte(s)})
}

func (s *text) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		return json.Unmarshal(data, (*string)(s))
	}
	var e encoded
	err := json.Unmarshal(data, &e)
	*s = text(e.Base64)
	return err
}

type encoded struct {
	Base64 []byte `json:"base64"`
}

// wire is a Change as it is written: its Old and New take the place of the
// embedded ones, without loss, whatever bytes they hold.
type wire struct {
	plain
	Old *text `json:"old"`
	New *text `json:"new"`
}

type plain Change // without the methods

func (c Change) wire() wire { return wire{plain(c), (*text)(c.Old), (*text)(c.New)} }

func (w wire) change() Change {
	c := Change(w.plain)
	c.Old, c.New = (*string)(w.Old), (*string)(w.New)
	return c
}

// equal compares two options of a socket.
func (w wire) equal(o wire) bool {
	same := func(a, b *text) bool { return a == b || a != nil && b != nil && *a == *b }
	return w.Key == o.Key && w.Path == o.Path && w.Inherited == o.Inherited && w.Unsure == o.Unsure && same(w.Old, o.Old) && same(w.New, o.New)
}

// MarshalJSON writes Old and New without loss.
func (c Change) MarshalJSON() ([]byte, error) { return json.Marshal(c.wire()) }

// UnmarshalJSON reads what [Change.MarshalJSON] wrote.
func (c *Change) UnmarshalJSON(data []byte) error {
	var w wire
	err := json.Unmarshal(data, &w)
	*c = w.change()
	return err
}
