// Package journal records what tcpka changes, before it changes it, so that it
// can be taken back. It records and answers; it changes nothing else itself.
//
// A journal is one file, DIR/journal.jsonl, to which lines of JSON are added:
//
//	{"op":"begin","id":"1mnedd50","time":"2026-01-02T03:04:05Z","boot_id":"…","command":"set --time 600",
//	 "changes":[{"kind":"sysctl","netns":{…},"key":"net.ipv4.tcp_keepalive_time","old":"7200","new":"600"}]}
//	{"op":"done","id":"1mnedd50"}
//	{"op":"undone","id":"1mnedd50"}
//
// (each on one line). Sockets that were changed alike share an element of
// changes. "applied" of a line done lists the changes that were made, by their
// places; without it all were. An undo that leaves some of the changes says which,
// by {"op":"partly","id":"1mnedd50","left":[0]}. What a crash leaves behind is a
// command that is not done, or a line that breaks off. A reader passes over what
// it cannot read or does not know, and lets a newer version's lines and fields
// stand.
//
// Whoever can write the journal says what undo writes. So its directory and its
// file must belong to the effective user, be closed to everyone else (modes 0700
// and 0600) and be no links; otherwise they are refused with an
// [*UntrustedError].
package journal

import (
	"slices"
	"time"
)

// Kind is the sort of thing that was changed. A newer version may have recorded
// others: leave those alone.
type Kind string

// The kinds, and the fields of [Change] that each uses.
const (
	Sysctl   Kind = "sysctl"   // Netns, Key; the values as text, without newline
	Bootfile Kind = "bootfile" // Path; the values are whole files
	Socket   Kind = "socket"   // Netns, Endpoint, Key; the values as text
	SSH      Kind = "ssh"      // Path, Key: client, server or other; the values are whole files
	Policy   Kind = "policy"   // Key: its name; the values are whole policies, as JSON
)

// Change is one value before and after.
type Change struct {
	Kind     Kind      `json:"kind,omitempty"`
	Netns    *Netns    `json:"netns,omitempty"`
	Endpoint *Endpoint `json:"socket,omitempty"`
	Key      string    `json:"key,omitempty"`  // net.ipv4.tcp_keepalive_time, TCP_KEEPIDLE
	Path     string    `json:"path,omitempty"` // as seen inside the root

	// Old and New are any bytes. Nil is absent: the file did not exist.
	Old *string `json:"old"`
	New *string `json:"new"`

	// Inherited says that Old was not the socket's own but its namespace's: it
	// can be written back only as a value of its own.
	Inherited bool `json:"inherited,omitempty"`
	// Unsure says that Inherited is not known to be so: Old equals what the namespace
	// had, and no more was seen.
	Unsure bool `json:"unsure,omitempty"`

	// MadeDir says that the directory of the file was not there either.
	MadeDir bool `json:"made_dir,omitempty"`
}

// Survives reports whether a reboot leaves the change as it is: what stands for a sysctl in
// an image is a file, and of a newer version's kinds nothing is known.
func (c Change) Survives() bool {
	switch c.Kind {
	case Sysctl:
		return c.Netns != nil && c.Netns.Inode == 0
	case Socket, Policy:
		return false
	}
	return true
}

// Netns is the network namespace of a change.
type Netns struct {
	Name   string `json:"name"`             // for people
	Inode  uint64 `json:"inode"`            // of /proc/PID/ns/net; may be given to another one later
	Cookie uint64 `json:"cookie,omitempty"` // SO_NETNS_COOKIE: never given twice in one boot; 0 is unknown
}

// Endpoint is the socket of a change. The cookie tells whether it still is the
// same one; the rest is for people, and to find it.
type Endpoint struct {
	Cookie uint64 `json:"cookie"` // SO_COOKIE: never given twice in one boot
	PID    int    `json:"pid,omitempty"`
	FD     int    `json:"fd"`
	Local  string `json:"local,omitempty"` // 10.0.0.5:22, [::1]:22
	Remote string `json:"remote,omitempty"`

	// MPTCP is the inode of an MPTCP socket, 0 of others: what was set on the subflow
	// with the cookie is the connection's, whose subflows share the inode, and come and go.
	MPTCP uint32 `json:"mptcp_inode,omitempty"`
}

// Entry is one command.
type Entry struct {
	ID      string    // 8 of 0-9 and a-z without i, l, o, u; the later command has the greater one
	Time    time.Time // when it began, in whole seconds
	BootID  string    // compare with [BootID]: what is not in a file is gone with its boot
	Command string    // as typed, without the program's name

	// Changes are those that the command was about to make, or, once it is done,
	// those that it made; of one that is partly undone, those that are left.
	Changes []Change

	// Done is false where the command ended between Begin and Done: any of its
	// changes may have been made.
	Done   bool
	Partly bool // undone but for Changes
	Undone bool
}

// Gone reports whether an entry changed nothing but the kernel of an earlier boot.
func (e Entry) Gone(boot string) bool {
	return e.BootID != boot && !slices.ContainsFunc(e.Changes, Change.Survives)
}
