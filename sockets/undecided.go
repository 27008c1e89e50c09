package sockets

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// unseen says of which conditions about owners a process that cannot be looked
// into may be the one that meets them.
type unseen struct{ pid, comm bool }

// among looks for those processes. The name of a process everybody may read.
func (f *Filter) among(hidden []int, proc string) (u unseen) {
	for _, pid := range hidden {
		u.pid = u.pid || slices.Contains(f.PIDs, pid)
		if len(f.Comms) == 0 || u.comm {
			continue
		}
		comm, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
		u.comm = err == nil && slices.Contains(f.Comms, strings.TrimSuffix(string(comm), "\n"))
	}
	return u
}

// anyOwner is for where all processes were looked into: who holds a socket without an
// owner may still be the one.
func (f *Filter) anyOwner() unseen { return unseen{pid: len(f.PIDs) > 0, comm: len(f.Comms) > 0} }

// unknown is what a filter goes by and is not known.
type unknown int

const (
	byNothing unknown = iota
	byOwners
	byKeepalive
	byOrigin
	byCgroup
	unknowns // how many there are
)

// undecided says what is not known of a socket that Match does not want, and would
// want if it were the right thing; byNothing if there is no such thing.
func (f *Filter) undecided(s *Socket, u unseen) (by unknown) {
	possible := *f
	if f.Origin != FromUnknown && s.origin() == FromUnknown {
		by, possible.Origin = byOrigin, FromUnknown
	}
	if f.Keepalive != Unknown && s.Keepalive == Unknown {
		by, possible.Keepalive = byKeepalive, Unknown
	}
	if len(f.Cgroups) > 0 && s.Cgroup == "" {
		by, possible.Cgroups = byCgroup, nil
	}
	if len(s.Owners) == 0 && s.Inode != 0 && (u.pid || u.comm) {
		by = byOwners
		if u.pid {
			possible.PIDs = nil
		}
		if u.comm {
			possible.Comms = nil
		}
	}
	if !possible.Match(s) {
		return byNothing
	}
	return by
}
