package change

import (
	"github.com/tcpka/tcpka/internal/journal"
)

// Content is a file for the journal; nil is no file.
func Content(b []byte) *string {
	if b == nil {
		return nil
	}
	return new(string(b))
}

func BytesOf(file *string) []byte {
	if file == nil {
		return nil
	}
	return []byte(*file)
}

func SameContent(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

// Recorded is a change as the journal has it.
func Recorded(c journal.Change) Change {
	r := Change{Target: string(c.Kind), Key: c.Key, Old: c.Old, New: c.New, Applied: true}
	if c.Netns != nil {
		r.Netns = new(c.Netns.Name)
	}
	if c.Path != "" {
		r.Path = new(c.Path)
	}
	return r
}
