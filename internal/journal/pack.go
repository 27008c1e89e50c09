package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"unicode/utf8"
)

// packed are the changes of one command as they are written. A command may change
// tens of thousands of sockets, mostly all in the same way: those that follow
// each other and have the same values before and after stand in one element,
//
//	{"kind":"socket","netns":{…},"options":[{"key":"TCP_KEEPIDLE","old":"7200","new":"600"},…],"sockets":[{"cookie":31,…},…]}
//
// which is, socket by socket, one change for each option. That is a hundred bytes
// for a socket, not a thousand, and the order is that of the changes.
type packed []Change

// pack is such an element.
type pack struct {
	Kind    Kind       `json:"kind"`
	Netns   *Netns     `json:"netns,omitempty"`
	Options []wire     `json:"options"`
	Sockets []Endpoint `json:"sockets"`
}

// writePacked writes a list of changes and packs, of changes as they come, and counts
// the changes.
func writePacked(b *bytes.Buffer, changes iter.Seq[Change]) (n int, err error) {
	w := packer{b: b, first: true}
	b.WriteByte('[')
	for c := range changes {
		if err := w.add(c); err != nil {
			return n, err
		}
		n++
	}
	if err := w.flush(); err != nil {
		return n, err
	}
	w.end()
	b.WriteByte(']')
	return n, nil
}

// packer writes the elements of a list of changes. It has no more of them in memory
// than those of one socket.
type packer struct {
	b      *bytes.Buffer
	first  bool     // no element is written yet
	socket []Change // of one socket, and perhaps not all of them yet
	last   *pack    // the element that is open, without its sockets; nil is none
}

func (w *packer) add(c Change) error {
	if !utf8.ValidString(c.Path) || !utf8.ValidString(c.Key) {
		return fmt.Errorf("the name %q%q is not UTF-8", c.Path, c.Key)
	}
	if len(w.socket) > 0 && !sameSocket(w.socket[0], c) {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if c.Kind == Socket && c.Endpoint != nil {
		w.socket = append(w.socket, c)
		return nil
	}
	w.end()
	return w.element(c, 0)
}

// element begins an element of the list, and leaves some bytes of its end out.
func (w *packer) element(v any, open int) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if !w.first {
		w.b.WriteByte(',')
	}
	w.first = false
	w.b.Write(text[:len(text)-open])
	return nil
}

// flush writes the socket, into the element that is open if it changes in the same way.
func (w *packer) flush() error {
	if len(w.socket) == 0 {
		return nil
	}
	netns, endpoint := w.socket[0].Netns, w.socket[0].Endpoint
	options := make([]wire, len(w.socket))
	for i, c := range w.socket {
		c.Kind, c.Netns, c.Endpoint = "", nil, nil
		options[i] = c.wire()
	}
	w.socket = w.socket[:0]
	if w.last != nil && sameNetns(w.last.Netns, netns) && slices.EqualFunc(w.last.Options, options, wire.equal) {
		w.b.WriteByte(',')
	} else {
		w.end()
		w.last = &pack{Kind: Socket, Netns: netns, Options: options, Sockets: []Endpoint{}}
		if err := w.element(w.last, len("]}")); err != nil {
			return err
		}
	}
	text, err := json.Marshal(endpoint)
	w.b.Write(text)
	return err
}

// end closes the element that is open.
func (w *packer) end() {
	if w.last != nil {
		w.b.WriteString("]}")
	}
	w.last = nil
}

// sameSocket reports whether another change is of the same socket.
func sameSocket(a, b Change) bool {
	return b.Kind == Socket && b.Endpoint != nil && *b.Endpoint == *a.Endpoint && sameNetns(a.Netns, b.Netns)
}

func sameNetns(a, b *Netns) bool { return a == b || a != nil && b != nil && *a == *b }

// UnmarshalJSON reads what [writePacked] wrote. The changes of one pack
// share what they have in common.
func (p *packed) UnmarshalJSON(data []byte) error {
	var elements []struct {
		wire
		Options []wire     `json:"options"`
		Sockets []Endpoint `json:"sockets"`
	}
	if err := json.Unmarshal(data, &elements); err != nil {
		return err
	}
	*p = make(packed, 0, len(elements))
	for _, e := range elements {
		if len(e.Options) == 0 {
			*p = append(*p, e.change())
			continue
		}
		for i := range e.Sockets {
			for _, o := range e.Options {
				c := o.change()
				c.Kind, c.Netns, c.Endpoint = e.Kind, e.Netns, &e.Sockets[i]
				*p = append(*p, c)
			}
		}
	}
	return nil
}
