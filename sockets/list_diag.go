package sockets

import "fmt"

// listDiag reads the owners first and asks for values while the sockets come: of each by
// itself, but of none that is stuck. Where some are, BPF has read the owners.
func listDiag(q Query, stuck *StuckError, visit func(*Socket) error) (Report, error) {
	report := Report{Source: Diag}
	var table *ownerTable
	var hidden []int
	if stuck != nil {
		report.Stuck, report.WhyNotBPF = stuck, stuck
		table = q.Shared.owners
	} else {
		var err error
		if table, hidden, err = q.Shared.procOwners(); err != nil {
			return report, fmt.Errorf("owners: %w", err)
		}
	}
	borrow := borrower{sysctl: q.Sysctl}
	defer borrow.close()
	v := visitor{query: &q, visit: visit}
	missing := missing{}
	unseen := q.Filter.among(hidden, "/proc")
	if len(hidden) == 0 {
		unseen = q.Filter.anyOwner()
	}
	err := dumpSockets(q.Filter.states(), func(s *Socket) error {
		if !q.Filter.matchEnds(s) {
			return nil // before it costs system calls
		}
		if s.Owners = table.find(s.Owners[:0], s.Inode); s.Inode != 0 && len(s.Owners) == 0 {
			s.Owners = q.Shared.findIn(s.Owners, s.Inode)
		}
		kept := stuck.has(s.Inode)
		if s.Inode != 0 && !kept {
			borrow.fill(s)
		}
		listed, err := v.socket(s)
		if err != nil || !s.hasKeepalive() {
			return err
		}
		if !listed {
			missing.leftOut[q.Filter.undecided(s, unseen)]++
			return nil
		}
		switch {
		case s.Inode == 0:
			missing.noFile++
		case len(s.Owners) == 0:
			missing.owners++
		}
		switch {
		case kept: // has a gap of its own
		case !s.ValuesKnown:
			missing.values++
		case s.TimeFrom == FromUnknown || s.IntvlFrom == FromUnknown || s.ProbesFrom == FromUnknown:
			missing.origins++
		}
		if s.Keepalive == Unknown && !kept {
			missing.keepalive++
		}
		return nil
	})
	if err != nil {
		return report, err
	}
	missing.unreadable, missing.denied, missing.old = len(hidden), borrow.denied, borrow.old
	if missing.leftOut[byCgroup] > 0 {
		missing.cgroups = v.cgroups.unknown()
	}
	missing.stuck = stuck
	report.Incomplete = missing.gaps()
	return report, nil
}

// missing counts the sockets of which something is not known, and says why.
type missing struct {
	owners, values, keepalive, origins int
	leftOut                            [unknowns]int // by what the filter goes by; the first is nothing

	noFile     int  // of those without values, the ones without a file
	unreadable int  // processes whose descriptors cannot be read
	denied     int  // sockets that no owner may lend
	old        bool // no owner can: the kernel has no pidfd_getfd

	cgroups string // why those of sockets that were left out are not known
	stuck   *StuckError
}

func (m missing) gaps() []Gap {
	const (
		keepaliveValues = "the keepalive values"
		othersProcesses = "the descriptors of other users' processes cannot be read"

		ptrace = "CAP_SYS_PTRACE would show them (sudo)"
		walk   = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH would show them (sudo)"
	)
	byBPF := "BPF would show them: CAP_BPF and CAP_PERFMON (sudo), and a kernel with BTF"
	var gaps []Gap
	if m.stuck != nil {
		byBPF = "BPF would show them, when no lock is kept"
		const most = 10
		if len(m.stuck.Sockets) == 0 {
			gaps = append(gaps, Gap{What: keepaliveValues, Sockets: 1, Why: m.stuck.Error()})
		}
		for i, s := range m.stuck.Sockets {
			if i == most {
				gaps = append(gaps, Gap{What: keepaliveValues, Sockets: len(m.stuck.Sockets) - most, Why: "other locks are kept, too"})
				break
			}
			gaps = append(gaps, Gap{keepaliveValues, 1, s.String(), &s.Owner, s.remedy()})
		}
	}
	gap := func(what string, n int, why, remedy string) {
		if n > 0 {
			gaps = append(gaps, Gap{What: what, Sockets: n, Why: why, Remedy: remedy})
		}
	}
	if m.unreadable > 0 {
		gap("the owners", m.owners, othersProcesses, walk)
	} else {
		gap("the owners", m.owners, notSeen, "")
	}
	why, remedy := "no process lends a descriptor", byBPF
	switch {
	case m.old:
		why = "the kernel has no pidfd_getfd, which came with Linux 5.6"
	case m.denied > 0:
		why, remedy = "their processes do not lend descriptors to this user", ptrace
	case m.values == m.noFile:
		why = "no process holds them"
	case m.unreadable > 0:
		why, remedy = "their owners are not known", walk
	}
	gap(keepaliveValues, m.values, why, remedy)
	gap("whether keepalive is on", m.keepalive, "neither the values nor the timer tell", remedy)
	gap("the origin of values that equal the sysctl", m.origins, "no interface but BPF shows it", byBPF)
	if m.unreadable > 0 {
		gap(Undecided, m.leftOut[byOwners], othersProcesses, walk)
	} else {
		gap(Undecided, m.leftOut[byOwners], notSeen, "")
	}
	gap(Undecided, m.leftOut[byKeepalive], "neither the values nor the timer tell whether keepalive is on", remedy)
	gap(Undecided, m.leftOut[byOrigin], "no interface but BPF shows the origin of values", byBPF)
	gap(Undecided, m.leftOut[byCgroup], m.cgroups, "")
	return gaps
}

// hasKeepalive reports whether s is a socket that could have keepalive at all:
// not what is left of one, and not the request for one.
func (s *Socket) hasKeepalive() bool {
	return s.Timer != TimerTimeWait && s.State != SynRecv
}
