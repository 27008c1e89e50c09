package sshclients

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"strings"
	"unicode/utf16"
)

// text is a text file as it lies on the disk. What is not changed keeps its bytes,
// whatever they are: it is looked at line by line and never converted as a whole.
type text struct {
	content  []byte
	encoding encoding
}

// encoding is how a file spells its characters. The first two bytes, or three, of a
// file that Windows wrote tell; see [MS-UCODEREF] and Unicode 23.8, "Byte Order
// Mark".
type encoding int

const (
	unmarked encoding = iota // UTF-8, or whatever the code page of its machine was
	utf8Marked
	utf16Little
	utf16Big
)

var marks = map[encoding]string{utf8Marked: "\xef\xbb\xbf", utf16Little: "\xff\xfe", utf16Big: "\xfe\xff"}

// errNUL is a file that is not text, or UTF-16 that does not say so.
var errNUL = errors.New("has NUL bytes: it is no text, or UTF-16 without a byte order mark")

func newText(content []byte) (text, error) {
	t := text{content: content}
	for _, e := range []encoding{utf8Marked, utf16Little, utf16Big} {
		if bytes.HasPrefix(content, []byte(marks[e])) {
			t.encoding = e
		}
	}
	if t.unit() == 1 && bytes.IndexByte(content, 0) >= 0 {
		return t, errNUL
	}
	if t.unit() == 2 && len(content)%2 != 0 {
		return t, errors.New("is UTF-16 and ends within a character")
	}
	return t, nil
}

// unit is how many bytes a character of ASCII takes.
func (t text) unit() int {
	if t.encoding == utf16Little || t.encoding == utf16Big {
		return 2
	}
	return 1
}

// textLine is one line, without what ends it.
type textLine struct {
	number     int
	start, end int // in the content, in bytes
	next       int // where the line after it begins
	text       string
}

// lines are the lines of the file. Each is decoded when its turn comes.
func (t text) lines() iter.Seq[textLine] {
	return func(yield func(textLine) bool) {
		feed, back := t.encode("\n"), t.encode("\r")
		at := len(marks[t.encoding])
		for n := 1; at < len(t.content); n++ {
			l := textLine{number: n, start: at, next: t.lineEnd(at, feed)}
			whole := t.content[l.start:l.next]
			whole = bytes.TrimSuffix(whole, feed)
			whole = bytes.TrimSuffix(whole, back)
			l.end = l.start + len(whole)
			l.text = t.decode(whole)
			if !yield(l) {
				return
			}
			at = l.next
		}
	}
}

// lineEnd is behind the line feed that ends the line at a place.
func (t text) lineEnd(at int, feed []byte) int {
	for from := at; ; {
		i := bytes.Index(t.content[from:], feed)
		switch {
		case i < 0:
			return len(t.content)
		case (from+i-at)%t.unit() == 0:
			return from + i + len(feed)
		}
		from += i + 1 // the halves of two characters
	}
}

func (t text) order() interface {
	binary.ByteOrder
	binary.AppendByteOrder
} {
	if t.encoding == utf16Big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// decode is a piece of the file as a string. Without a mark it is the bytes as they
// are: a code page that is not ASCII cannot be known.
func (t text) decode(raw []byte) string {
	if t.unit() == 1 {
		return string(raw)
	}
	units := make([]uint16, 0, len(raw)/2)
	for ; len(raw) >= 2; raw = raw[2:] {
		units = append(units, t.order().Uint16(raw))
	}
	return string(utf16.Decode(units))
}

func (t text) encode(s string) []byte {
	if t.unit() == 1 {
		return []byte(s)
	}
	var raw []byte
	for _, u := range utf16.Encode([]rune(s)) {
		raw = t.order().AppendUint16(raw, u)
	}
	return raw
}

// replace puts s in the place of the bytes from..to of a line, counted in the line's
// text, all of which before to must be ASCII.
func (t text) replace(l textLine, from, to int, s string) text {
	start, end := l.start+from*t.unit(), l.start+to*t.unit()
	t.content = bytes.Join([][]byte{t.content[:start], t.encode(s), t.content[end:]}, nil)
	return t
}

// insert adds lines at a place that is the beginning of a line, or the end of the
// file. They end as the first line of the file does, or as preset where it has none.
func (t text) insert(at int, preset string, lines ...string) text {
	end := preset
	for l := range t.lines() {
		if l.end < l.next {
			end = t.decode(t.content[l.end:l.next])
		}
		break
	}
	s := strings.Join(lines, end) + end
	feed := t.encode("\n")
	if at > len(marks[t.encoding]) && !bytes.HasSuffix(t.content[:at], feed) {
		s = end + s
	}
	t.content = bytes.Join([][]byte{t.content[:at], t.encode(s), t.content[at:]}, nil)
	return t
}
