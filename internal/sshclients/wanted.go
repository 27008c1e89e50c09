package sshclients

import (
	"errors"
	"fmt"
	"time"
)

// Wanted is what a file of another client than OpenSSH shall say. Nil leaves a
// setting as it is.
type Wanted struct {
	// Interval is in whole seconds; 0 switches the keepalives of the program off.
	// It is written as it is given: Tera Term then sends a second later.
	Interval     *time.Duration
	TCPKeepAlive *bool
}

// ErrNotInPlace is a format that tcpka does not write: what is known of it does not
// come from the source of its program, or its program keeps it elsewhere.
// [Session.Instructions] says what to do.
var ErrNotInPlace = errors.New("this format is not changed in place")

// ErrInterval is an interval that the program cannot hold.
var ErrInterval = errors.New("interval out of range")

var errNoTCP = errors.New("the program has no setting for SO_KEEPALIVE")

// inPlace are the formats that are changed in place: how, which keys that concerns, and
// where they are.
var inPlace = map[Format]struct {
	edit    func(text, Wanted) (text, error)
	written func(Wanted) []string
	keys    func(text) first
}{
	FormatPuTTY:    {editPuTTY, puttyWritten, puttyKeys},
	FormatTeraTerm: {editTeraTerm, teraTermWritten, teraTermKeys},
}

// InPlace reports whether [File.Edit] can change a file of the format: a session of
// PuTTY on Unix, and TERATERM.INI.
func (f Format) InPlace() bool { _, ok := inPlace[f]; return ok }

// Edit returns content, which is that of the file, with w in it. All other bytes stay
// as they are, the encoding, the byte order mark and the line ends too, and where
// nothing has to change all of them do. The program must not run meanwhile: both write
// the file anew when their settings are saved.
//
// An error is [ErrNotInPlace], [ErrInterval], or says what the program does not have.
func (f File) Edit(content []byte, w Wanted) ([]byte, error) {
	if !f.Format.InPlace() {
		return nil, ErrNotInPlace
	}
	t, err := newText(content)
	if err != nil {
		return nil, err
	}
	t, err = inPlace[f.Format].edit(t, w)
	return t.content, err
}

// Written are the settings of content, which is that of the file, that [File.Edit] changes
// for w: the keys in their order, and the text of each that is there.
func (f File) Written(content []byte, w Wanted) (keys []string, values map[string]string, err error) {
	if !f.Format.InPlace() {
		return nil, nil, ErrNotInPlace
	}
	t, err := newText(content)
	if err != nil {
		return nil, nil, err
	}
	keys, values = inPlace[f.Format].written(w), map[string]string{}
	all := inPlace[f.Format].keys(t)
	for _, key := range keys {
		if s, there := all[key]; there {
			values[key] = s.value
		}
	}
	return keys, values, nil
}

// seconds is the interval that is wanted; ok is false where none is.
func (w Wanted) seconds() (n int64, ok bool) {
	if w.Interval == nil {
		return 0, false
	}
	return int64(*w.Interval / time.Second), true
}

// inRange refuses what a program would not do as it is told.
func inRange(d, most time.Duration) error {
	if d < 0 || d > most || d%time.Second != 0 {
		return fmt.Errorf("%w: %s; accepted are whole seconds from 0 to %d", ErrInterval, d, most/time.Second)
	}
	return nil
}
