package target

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nearest"
	"github.com/tcpka/tcpka/sockets"
)

// LookElsewhere says where to look for the sockets of a filter that wants none here: an
// empty list would look as if there were none.
func LookElsewhere(s *cmdline.Invocation, f sockets.Filter, w Where) {
	if text := elsewhere(f, w); text != "" {
		s.Notice("%s", text)
	}
}

// elsewhere says of a filter that wants no socket here that no process has such a name,
// and which like it some have; or that the processes it names are in other network namespaces, and how to look there.
// It is "" where they are not, where that cannot be seen, and where the filter names
// none.
func elsewhere(f sockets.Filter, w Where) string {
	if text := Uncalled(f.Comms, "/proc"); text != "" {
		return text
	}
	if w.All {
		return ""
	}
	here := map[uint64]bool{}
	for _, ns := range w.Namespaces {
		here[ns.Inode] = true
	}
	var pids []int
	spaces := map[uint64]bool{}
	for _, pid := range named(f, "/proc") {
		var st unix.Stat_t
		if unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &st) != nil || here[st.Ino] {
			continue
		}
		pids = append(pids, pid)
		spaces[st.Ino] = true
	}
	switch {
	case len(pids) == 0:
		return strayed(f, w)
	case len(spaces) > 1:
		return fmt.Sprintf("%s are in other network namespaces: --netns all looks there", processes(pids))
	case len(pids) == 1:
		return fmt.Sprintf("%s is in another network namespace: --netns %d looks there", processes(pids), pids[0])
	}
	return fmt.Sprintf("%s are in another network namespace: --netns %d looks there", processes(pids), pids[0])
}

// strayed says of the first of the processes that a filter names that has its sockets in
// another namespace than it is in, where they are.
func strayed(f sockets.Filter, w Where) string {
	const most = 64
	pids := named(f, "/proc")
	for _, pid := range pids[:min(len(pids), most)] {
		if at := Stray(pid, w); at != "" {
			return fmt.Sprintf("process %d is in this network namespace, and holds TCP sockets of another: --netns %s looks there", pid, at)
		}
	}
	return ""
}

// Uncalled says that no process has one of the names, and which ones that are like them
// some have. It is "" where one has, and where there is no name.
func Uncalled(comms []string, proc string) string {
	if len(comms) == 0 {
		return ""
	}
	var running []string
	for _, pid := range pidsIn(proc) {
		comm, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "comm"))
		if err == nil {
			running = append(running, strings.TrimSuffix(string(comm), "\n"))
		}
	}
	slices.Sort(running)
	running = slices.Compact(running)
	var near []string
	for _, name := range comms {
		if slices.Contains(running, name) {
			return ""
		}
		if names := nearest.Names(name, running); len(names) > 0 && !slices.Contains(near, names[0]) {
			near = append(near, names[0])
		}
	}
	text := "no process that is seen is called " + strings.Join(comms, " or ")
	if len(near) > 0 {
		text += "; did you mean " + strings.Join(near, ", ") + "?"
	}
	return text
}

// pidsIn are the processes that a mounted proc shows.
func pidsIn(proc string) []int {
	var pids []int
	entries, _ := os.ReadDir(proc)
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func processes(pids []int) string {
	const most = 3
	if len(pids) == 1 {
		return fmt.Sprintf("process %d", pids[0])
	}
	if len(pids) > most {
		return fmt.Sprintf("processes %s and %d more", answer.PIDList(pids[:most]), len(pids)-most)
	}
	return "processes " + answer.PIDList(pids)
}

// named are the processes, in their order, that all conditions of a filter about
// processes are true of. Without such a condition there are none.
func named(f sockets.Filter, proc string) []int {
	if len(f.PIDs)+len(f.Comms)+len(f.Cgroups) == 0 {
		return nil
	}
	pids := slices.Clone(f.PIDs)
	if len(pids) == 0 {
		pids = pidsIn(proc)
	}
	slices.Sort(pids)
	return slices.DeleteFunc(slices.Compact(pids), func(pid int) bool {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		if len(f.Comms) > 0 {
			comm, err := os.ReadFile(filepath.Join(dir, "comm"))
			if err != nil || !slices.Contains(f.Comms, strings.TrimSuffix(string(comm), "\n")) {
				return true
			}
		}
		if len(f.Cgroups) == 0 {
			return false
		}
		path := cgroupOf(dir)
		return !slices.ContainsFunc(f.Cgroups, func(c string) bool {
			return path == c || path != "" && strings.HasPrefix(path, strings.TrimSuffix(c, "/")+"/")
		})
	})
}

// cgroupOf is the cgroup v2 that a process is in, by its directory in /proc, or "".
// See cgroups(7), /proc/[pid]/cgroup.
func cgroupOf(dir string) string {
	data, _ := os.ReadFile(filepath.Join(dir, "cgroup"))
	for line := range bytes.Lines(data) {
		if path, ok := bytes.CutPrefix(line, []byte("0::")); ok {
			return string(bytes.TrimSuffix(path, []byte{'\n'}))
		}
	}
	return ""
}
