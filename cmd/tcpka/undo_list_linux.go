package main

import (
	"os"

	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/report"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// listed is the journal as an answer. Only JSON has the changes, which may be those of
// many thousand sockets.
func listed(log journal.Log, boot string, changes bool) report.Journal {
	d := report.Journal{Schema: "tcpka/undo-list/v1", Entries: []report.JournalEntry{}}
	for _, e := range log.Entries {
		r := report.JournalEntry{ID: e.ID, Time: e.Time, Command: e.Command, State: "done", Changes: []report.Change{}}
		switch {
		case e.Undone:
			r.State = "undone"
		case known().gone(e, boot):
			r.State = "gone"
		case e.Partly:
			r.State = "partly undone"
		case !e.Done:
			r.State = "interrupted"
		}
		if changes {
			r.Changes = changesOf(e)
		}
		d.Entries = append(d.Entries, r)
	}
	return d
}

// changesOf are those of one command.
func changesOf(e journal.Entry) []report.Change {
	all := []report.Change{}
	for _, c := range e.Changes {
		if k := known().of(c.Kind, nil); k != nil {
			all = append(all, k.list(c)...)
			continue
		}
		all = append(all, recorded(c))
	}
	return all
}

// recorded is a change as the journal has it.
func recorded(c journal.Change) report.Change {
	r := report.Change{Target: string(c.Kind), Key: c.Key, Old: c.Old, New: c.New, Applied: true}
	if c.Netns != nil {
		r.Netns = new(c.Netns.Name)
	}
	if c.Path != "" {
		r.Path = new(c.Path)
	}
	return r
}

// undoable are the IDs that can be given to tcpka undo, the newest first; none where
// the journal cannot be read.
func undoable() []string {
	dir, err := journal.Locate(rootfs.FS{}, os.Getenv)
	if err != nil {
		return nil
	}
	boot, err := journal.BootID()
	if err != nil {
		return nil
	}
	log, err := dir.Read()
	if err != nil {
		return nil
	}
	var ids []string
	for _, e := range log.Entries {
		if !e.Undone && !known().gone(e, boot) && journal.IsID(e.ID) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
