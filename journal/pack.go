package journal

import (
	"encoding/json"
	"slices"
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

// MarshalJSON writes a list of changes and packs.
func (p packed) MarshalJSON() ([]byte, error) {
	elements := []any{}
	var last *pack
	for len(p) > 0 {
		n := p.oneSocket()
		if n == 0 {
			elements, last, p = append(elements, p[0]), nil, p[1:]
			continue
		}
		options := make([]wire, n)
		for i, c := range p[:n] {
			c.Kind, c.Netns, c.Endpoint = "", nil, nil
			options[i] = c.wire()
		}
		if last == nil || !sameNetns(last.Netns, p[0].Netns) || !slices.EqualFunc(last.Options, options, wire.equal) {
			last = &pack{Kind: Socket, Netns: p[0].Netns, Options: options}
			elements = append(elements, last)
		}
		last.Sockets = append(last.Sockets, *p[0].Endpoint)
		p = p[n:]
	}
	return json.Marshal(elements)
}

// oneSocket is how many of the changes that come first are of the same socket.
func (p packed) oneSocket() (n int) {
	for _, c := range p {
		if c.Kind != Socket || c.Endpoint == nil || *c.Endpoint != *p[0].Endpoint || !sameNetns(c.Netns, p[0].Netns) {
			break
		}
		n++
	}
	return n
}

func sameNetns(a, b *Netns) bool { return a == b || a != nil && b != nil && *a == *b }

// UnmarshalJSON reads what [packed.MarshalJSON] wrote. The changes of one pack
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
