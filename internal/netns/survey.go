package netns

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// survey gathers what there is to know about namespaces before they are named:
// a name depends on what the others are called.
type survey struct {
	current, host id
	entries       []*entry // in the order found
	byID          map[id]*entry
}

// entry is what is known about one namespace.
type entry struct {
	id
	asked     string   // the path that the caller gave for it, or the descriptor that keeps it
	pid       int      // see Namespace.PID
	mounts    []string // mount points, the better names first
	container string   // of pid
	comm      string   // of pid
}

// newSurvey returns one that knows the current namespace.
func newSurvey() (*survey, error) {
	current, err := statID(selfPath)
	if err != nil {
		return nil, fmt.Errorf("current network namespace: %w", err)
	}
	s := &survey{current: current, host: findHost(current.dev), byID: map[id]*entry{}}
	s.at(current).pid = os.Getpid()
	return s, nil
}

// at returns the entry of a namespace, a new one if there is none.
func (s *survey) at(ns id) *entry {
	e := s.byID[ns]
	if e == nil {
		e = &entry{id: ns}
		s.byID[ns] = e
		s.entries = append(s.entries, e)
	}
	return e
}

// gather returns a survey of all that can be found.
func gather() (*survey, error) {
	s, err := newSurvey()
	if err != nil {
		return nil, err
	}
	if err := s.addMounts(); err != nil {
		return nil, err
	}
	if err := s.addProcesses(); err != nil {
		return nil, err
	}
	s.addHidden()
	return s, nil
}

// addMounts adds the namespaces in the mount table of this process.
func (s *survey) addMounts() error {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return fmt.Errorf("mounted network namespaces: %w", err)
	}
	mounts := parseMountinfo(data)
	slices.SortStableFunc(mounts, func(a, b mount) int { return rank(a.point) - rank(b.point) })
	for _, m := range mounts {
		e := s.at(m.id)
		e.mounts = append(e.mounts, m.point)
	}
	return nil
}

// addProcesses adds the namespaces of all processes that we may look at. The
// others, and those that end meanwhile, are left out.
func (s *survey) addProcesses() error {
	proc, err := os.Open("/proc")
	if err != nil {
		return fmt.Errorf("network namespaces of processes: %w", err)
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("network namespaces of processes: %w", err)
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if unix.Fstatat(int(proc.Fd()), name+"/ns/net", &st, 0) == nil && followed(&st) == nil {
			s.addProcess(pid, idOf(&st))
		}
	}
	return nil
}

func (s *survey) addProcess(pid int, ns id) {
	e := s.at(ns)
	if ns != s.current && (e.pid == 0 || pid < e.pid) {
		e.pid = pid
	}
}

// describe reads what names a process: its container and its command. A process
// that has ended, or whose PID now belongs to one elsewhere, leaves them empty.
func (e *entry) describe() {
	if e.pid == 0 {
		return
	}
	dir := "/proc/" + strconv.Itoa(e.pid)
	cgroup, _ := os.ReadFile(dir + "/cgroup")
	comm, _ := os.ReadFile(dir + "/comm")
	if ns, err := statID(procPath(e.pid)); err != nil || ns != e.id {
		return
	}
	e.container = parseCgroup(cgroup)
	e.comm = string(bytes.TrimSuffix(comm, []byte("\n")))
}

// path is something that opens the namespace.
func (s *survey) path(e *entry) string {
	switch {
	case e.id == s.current:
		return selfPath
	case e.asked != "":
		return e.asked
	case len(e.mounts) > 0:
		return e.mounts[0]
	}
	return procPath(e.pid)
}

// finish names what was gathered. The result is in the order of s.entries.
func (s *survey) finish() []Namespace {
	for _, e := range s.entries {
		if e.id != s.host {
			e.describe()
		}
	}
	names := s.names()
	all := make([]Namespace, len(s.entries))
	for i, e := range s.entries {
		all[i] = Namespace{
			Name:      names[i],
			Dev:       e.dev,
			Inode:     e.ino,
			Current:   e.id == s.current,
			PID:       e.pid,
			Container: e.container,
			Path:      s.path(e),
		}
	}
	return all
}

// finishOne is finish for one namespace.
func (s *survey) finishOne(ns id) Namespace {
	return s.finish()[slices.Index(s.entries, s.at(ns))]
}
