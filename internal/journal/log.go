package journal

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Log is the content of a journal.
type Log struct {
	Entries []Entry // the newest first

	// Skipped counts the lines that are complete and cannot be read: damage, or
	// the remains of a crash.
	Skipped int
}

// Newest returns the newest command that was not yet undone: the one that undo
// takes back.
func (l Log) Newest() (Entry, bool) {
	for _, e := range l.Entries {
		if !e.Undone {
			return e, true
		}
	}
	return Entry{}, false
}

// Find returns the command with this ID.
func (l Log) Find(id string) (Entry, bool) {
	for _, e := range l.Entries {
		if e.ID == id {
			return e, true
		}
	}
	return Entry{}, false
}

// parse reads a journal. A last line without its newline counts if it is whole.
func parse(data []byte) Log {
	var log Log
	index := map[string]int{} // by ID, in log.Entries
	for line := range bytes.Lines(data) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil || r.Op == "" || r.ID == "" {
			if line[len(line)-1] == '\n' {
				log.Skipped++
			}
			continue
		}
		i, known := index[r.ID]
		switch {
		case r.Op == opBegin && known:
			log.Skipped++
		case r.Op == opBegin:
			index[r.ID] = len(log.Entries)
			log.Entries = append(log.Entries, Entry{ID: r.ID, Time: r.Time, BootID: r.BootID, Command: r.Command, Changes: r.Changes})
		case r.Op == opDone && known && !log.Entries[i].Done:
			e := &log.Entries[i]
			e.Done = true
			e.Changes = pick(e.Changes, r.Applied)
		case r.Op == opPartly && known:
			e := &log.Entries[i]
			e.Partly = true
			e.Changes = pick(e.Changes, r.Left)
		case r.Op == opUndone && known:
			log.Entries[i].Undone = true
		}
	}
	slices.Reverse(log.Entries)
	return log
}

// pick returns the changes with these indices; nil stands for all of them.
func pick(changes []Change, indices []int) []Change {
	if indices == nil {
		return changes
	}
	chosen := make(map[int]bool, len(indices))
	for _, i := range indices {
		chosen[i] = true
	}
	var picked []Change
	for i, c := range changes {
		if chosen[i] {
			picked = append(picked, c)
		}
	}
	return picked
}
