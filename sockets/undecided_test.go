package sockets

import (
	"os"
	"testing"
)

func TestWhatAFilterCannotDecide(t *testing.T) {
	nobodys := Socket{State: Established, Inode: 1, Keepalive: On}
	mine := Socket{State: Established, Inode: 1, Keepalive: Unknown, Owners: []Owner{{PID: 5, Comm: "mine"}}}
	known := Socket{State: Established, Inode: 1, Keepalive: Off, TimeFrom: FromSysctl, IntvlFrom: FromSysctl, ProbesFrom: FromSysctl}
	inCgroup := Socket{State: Established, Inode: 1, Cgroup: "/a", Owners: []Owner{{PID: 5, Comm: "mine"}}}
	for _, row := range []struct {
		name   string
		filter Filter
		socket Socket
		unseen unseen
		want   unknown
	}{
		{"the owner may be the hidden process", Filter{PIDs: []int{7}}, nobodys, unseen{pid: true}, byOwners},
		{"or one of that name", Filter{Comms: []string{"sshd"}}, nobodys, unseen{comm: true}, byOwners},
		{"or both", Filter{PIDs: []int{7}, Comms: []string{"sshd"}}, nobodys, unseen{true, true}, byOwners},
		{"no hidden process has the name", Filter{PIDs: []int{7}, Comms: []string{"sshd"}}, nobodys, unseen{pid: true}, byNothing},
		{"no hidden process is meant", Filter{PIDs: []int{7}}, nobodys, unseen{}, byNothing},
		{"any process may hold it", Filter{PIDs: []int{7}, Comms: []string{"sshd"}}, nobodys, (&Filter{PIDs: []int{7}, Comms: []string{"sshd"}}).anyOwner(), byOwners},
		{"whoever does, the filter asks for none", Filter{Keepalive: Off}, nobodys, (&Filter{Keepalive: Off}).anyOwner(), byNothing},
		{"it has an owner", Filter{PIDs: []int{7}}, mine, unseen{pid: true}, byNothing},
		{"it has no file", Filter{PIDs: []int{7}}, Socket{State: Established}, unseen{pid: true}, byNothing},
		{"another port anyway", Filter{PIDs: []int{7}, Ports: []uint16{1}}, nobodys, unseen{pid: true}, byNothing},
		{"on anyway", Filter{PIDs: []int{7}, Keepalive: Off}, nobodys, unseen{pid: true}, byNothing},
		{"the switch", Filter{Keepalive: On}, mine, unseen{}, byKeepalive},
		{"the other switch", Filter{Keepalive: On}, known, unseen{}, byNothing},
		{"the origin", Filter{Origin: FromSysctl}, mine, unseen{}, byOrigin},
		{"the cgroup", Filter{Cgroups: []string{"/"}}, mine, unseen{}, byCgroup},
		{"another cgroup", Filter{Cgroups: []string{"/b"}}, inCgroup, unseen{}, byNothing},
		{"the cgroup, and another port anyway", Filter{Cgroups: []string{"/"}, Ports: []uint16{1}}, mine, unseen{}, byNothing},
		{"the other origin", Filter{Origin: FromSocket}, known, unseen{}, byNothing},
	} {
		if row.filter.Match(&row.socket) {
			t.Errorf("%s: it matches", row.name)
		}
		if got := row.filter.undecided(&row.socket, row.unseen); got != row.want {
			t.Errorf("%s: got %d, want %d", row.name, got, row.want)
		}
	}
}

func TestHiddenProcessesThatAFilterMayMean(t *testing.T) {
	proc := t.TempDir()
	for pid, comm := range map[string]string{"5": "sshd\n", "6": "a\nb\n"} {
		if err := os.MkdirAll(proc+"/"+pid, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(proc+"/"+pid+"/comm", []byte(comm), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range []struct {
		filter Filter
		want   unseen
	}{
		{Filter{}, unseen{}},
		{Filter{PIDs: []int{4, 6}}, unseen{pid: true}},
		{Filter{PIDs: []int{4}, Comms: []string{"x", "a\nb"}}, unseen{comm: true}},
		{Filter{Comms: []string{"ssh"}}, unseen{}},
	} {
		if got := row.filter.among([]int{5, 6, 7}, proc); got != row.want {
			t.Errorf("%+v: got %+v", row.filter, got)
		}
	}
}
