package sshconf

import (
	"slices"
)

// Findings are more than the settings in force.
type Findings struct {
	Settings []Setting
	// Shadowed are the lines that have no effect, in the order in which they are read.
	Shadowed []Shadowed
	// Files are those that were read, or looked for.
	Files []string
	// Dirs are those that were looked through for what an Include has as a pattern,
	// there or not.
	Dirs []string

	through map[string]bool // Dirs
	seen    map[Position]bool
	blocks  map[Keyword]Position // below which the line is that counts
}

// The most lines without effect that are told.
const maxShadowed = 1000

// Shadowed is a line that has no effect, because another one comes first.
type Shadowed struct {
	Setting         // what it would set
	By      Setting // what counts
	// Always is whether it has none for anybody. Else it is there for others, as a
	// Host * is behind the block of one host.
	Always bool
}

func (f *Findings) visit(path string) {
	if !slices.Contains(f.Files, path) {
		f.Files = append(f.Files, path)
	}
}

func (f *Findings) lookThrough(dir string) {
	if f.through[dir] {
		return
	}
	if f.through == nil {
		f.through = map[string]bool{}
	}
	f.through[dir] = true
	f.Dirs = append(f.Dirs, dir)
}

// shadow notes a line, once: files are read more than once.
func (f *Findings) shadow(k Keyword, value string, at Position, by Setting, always bool) {
	line := Setting{Keyword: k, Value: value, File: at.File, Line: at.Line}
	if by.File == at.File && by.Line == at.Line {
		return
	}
	if f.seen[at] || len(f.seen) == maxShadowed {
		return
	}
	if f.seen == nil {
		f.seen = map[Position]bool{}
	}
	f.seen[at] = true
	f.Shadowed = append(f.Shadowed, Shadowed{line, by, always})
}

func (f *Findings) decided(k Keyword, block Position) {
	if f.blocks == nil {
		f.blocks = map[Keyword]Position{}
	}
	f.blocks[k] = block
}
