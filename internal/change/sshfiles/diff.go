package sshfiles

import (
	"bytes"

	"github.com/rogpeppe/go-internal/diff"
)

// unified is how a file differs, as diff -u prints it and patch reads it; empty is not at
// all.
func unified(oldName, newName string, old, new []byte) string {
	_, text, _ := bytes.Cut(diff.Diff(oldName, old, newName, new), []byte("\n")) // without its own first line
	return string(text)
}
