package undo

import (
	"os"

	"github.com/tcpka/tcpka/internal/change"
	"github.com/tcpka/tcpka/internal/journal"
	"github.com/tcpka/tcpka/internal/rootfs"
)

// listed is the journal as an answer. Only JSON has the changes, which may be those of
// many thousand sockets.
func listed(log journal.Log, boot string, changes bool) change.Journal {
	d := change.Journal{Schema: "tcpka/undo-list/v1", Entries: []change.JournalEntry{}}
	for _, e := range log.Entries {
		r := change.JournalEntry{ID: e.ID, Time: e.Time, Command: e.Command, State: "done", Changes: []change.Change{}}
		switch {
		case e.Undone:
			r.State = "undone"
		case e.Gone(boot):
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
func changesOf(e journal.Entry) []change.Change {
	all := []change.Change{}
	for _, c := range e.Changes {
		if k := known().Of(c.Kind, nil); k != nil {
			all = append(all, k.List(c)...)
			continue
		}
		all = append(all, change.Recorded(c))
	}
	return all
}

// Undoable are the IDs that can be given to tcpka undo, the newest first; none where
// the journal cannot be read.
func Undoable() []string {
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
		if !e.Undone && !e.Gone(boot) && journal.IsID(e.ID) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}
