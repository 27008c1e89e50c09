package sockets

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets/bpf"
)

// message is a netlink message with a payload, aligned.
func message(kind, flags uint16, sequence uint32, payload []byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(payload)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, flags)
	b = binary.NativeEndian.AppendUint32(b, sequence)
	b = binary.NativeEndian.AppendUint32(b, 0)
	b = append(b, payload...)
	return append(b, make([]byte, align4(len(b))-len(b))...)
}

func attribute(kind uint16, value []byte) []byte {
	b := binary.NativeEndian.AppendUint16(nil, uint16(unix.SizeofNlAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, align4(len(b))-len(b))...)
}

// One socket as Linux 6.18 sends it: a connection of an IPv6 socket with
// keepalive on, with attributes that nobody asked for.
func diagSocket() []byte {
	m := diagMessage{
		family: unix.AF_INET6, state: uint8(Established), timer: 2, retrans: 3,
		sport: [2]byte{0x15, 0x38}, dport: [2]byte{0xc3, 0x50},
		src: netip.MustParseAddr("fe80::1").As16(), dst: netip.MustParseAddr("fe80::2").As16(),
		cookie: [2]uint32{0x1f, 1}, expires: 5321400, uid: 1000, inode: 1234,
	}
	b := append([]byte(nil), unsafe.Slice((*byte)(unsafe.Pointer(&m)), diagMessageLen)...)
	b = append(b, attribute(8, []byte{0})...) // INET_DIAG_SHUTDOWN: its length is not a multiple of 4
	b = append(b, attribute(99, []byte("from a newer kernel"))...)
	return append(b, attribute(inetDiagCgroupID, binary.NativeEndian.AppendUint64(nil, 77))...)
}

func TestDiagParse(t *testing.T) {
	want := Socket{
		State: Established, Local: netip.MustParseAddrPort("[fe80::1]:5432"), Remote: netip.MustParseAddrPort("[fe80::2]:50000"),
		UID: 1000, Inode: 1234, Cookie: 0x1_0000_001f, CgroupID: 77,
		Keepalive: On, Timer: TimerKeepalive, Left: 5321400 * time.Millisecond, Unanswered: 3,
	}
	var got []Socket
	d := diagDump{sequence: 7, visit: func(s *Socket) error { got = append(got, *s); return nil }}
	b := message(tcpdiagGetsock, unix.NLM_F_MULTI, 7, diagSocket())
	b = append(b, message(tcpdiagGetsock, unix.NLM_F_MULTI, 6, diagSocket())...) // of a dump before
	b = append(b, message(unix.NLMSG_NOOP, 0, 7, nil)...)
	b = append(b, message(tcpdiagGetsock, unix.NLM_F_MULTI, 7, diagSocket()[:diagMessageLen])...)
	if err := d.parse(b); err != nil || d.done || d.interrupted {
		t.Fatalf("%v, done %v, interrupted %v", err, d.done, d.interrupted)
	}
	bare := want
	bare.CgroupID = 0
	if !reflect.DeepEqual(got, []Socket{want, bare}) {
		t.Errorf("got %+v\nwant %+v", got, []Socket{want, bare})
	}

	err := d.parse(message(unix.NLMSG_DONE, unix.NLM_F_MULTI|unix.NLM_F_DUMP_INTR, 7, make([]byte, 4)))
	if err != nil || !d.done || !d.interrupted {
		t.Errorf("at the end: %v, done %v, interrupted %v", err, d.done, d.interrupted)
	}
}

func TestDiagParseRefuses(t *testing.T) {
	minusEPERM := binary.NativeEndian.AppendUint32(nil, ^uint32(unix.EPERM)+1)
	short := message(tcpdiagGetsock, 0, 1, diagSocket())
	binary.NativeEndian.PutUint32(short, 8)
	long := message(tcpdiagGetsock, 0, 1, diagSocket())
	binary.NativeEndian.PutUint32(long, 1<<31)
	attr := append(diagSocket()[:diagMessageLen:diagMessageLen], 200, 0, 1, 0)
	for _, row := range []struct {
		name string
		b    []byte
		want error
	}{
		{"half a header", make([]byte, 10), errShort},
		{"a length below the header's", short, errShort},
		{"a length beyond the end", long, errShort},
		{"half a socket", message(tcpdiagGetsock, 0, 1, make([]byte, 71)), errShort},
		{"an attribute beyond the end", message(tcpdiagGetsock, 0, 1, attr), errShort},
		{"an end without status", message(unix.NLMSG_DONE, 0, 1, nil), errShort},
		{"the kernel's refusal", message(unix.NLMSG_ERROR, 0, 1, minusEPERM), unix.EPERM},
	} {
		d := diagDump{sequence: 1, visit: func(*Socket) error { return nil }}
		if err := d.parse(row.b); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", row.name, err, row.want)
		}
	}
}

func TestInfoOfSocket(t *testing.T) {
	info := unix.TCPInfo{Rto: 204000, Last_data_recv: 1878600, Last_ack_recv: 2000000}
	got := Socket{State: Established}
	got.setInfo(unsafe.Slice((*byte)(unsafe.Pointer(&info)), unsafe.Sizeof(info)))
	want := Socket{State: Established, Idle: 1878600 * time.Millisecond, IdleKnown: true, LastData: 1878600 * time.Millisecond, RTO: 204 * time.Millisecond, Window: Off}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	bare := Socket{State: Established}
	if bare.setInfo(make([]byte, 8)); !reflect.DeepEqual(bare, Socket{State: Established}) {
		t.Errorf("of 8 bytes: %+v", bare)
	}
}

func TestTimerOfSockDiag(t *testing.T) {
	for ms, want := range map[uint32]time.Duration{
		0:             0,
		1<<31 + 1000:  1<<31*time.Millisecond + time.Second, // 24.8 days
		2_591_999_000: 30*24*time.Hour - time.Second,        // tcp_keepalive_time 2592000
		1<<32 - 1000:  1<<32*time.Millisecond - time.Second, // tcp_keepalive_time -1, just armed
		1<<32 - 1:     -time.Millisecond,                    // overdue, before Linux 5.16
		1<<32 - 999:   -999 * time.Millisecond,
	} {
		if got := (&diagMessage{expires: ms}).left(); got != want {
			t.Errorf("%d ms: %v, want %v", ms, got, want)
		}
	}
}

func FuzzDiagParse(f *testing.F) {
	f.Add(message(tcpdiagGetsock, 0, 1, diagSocket()))
	f.Add(append(message(tcpdiagGetsock, 0, 1, diagSocket()), message(unix.NLMSG_DONE, 0, 1, make([]byte, 4))...))
	f.Add(message(unix.NLMSG_ERROR, 0, 1, []byte{0xff, 0xff, 0xff, 0xff}))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		d := diagDump{sequence: 1, visit: func(s *Socket) error {
			n++
			if s.Left <= -time.Second || s.Idle < 0 || s.RTO < 0 || !s.Local.IsValid() {
				t.Errorf("%+v", s)
			}
			return nil
		}}
		d.parse(b)
		if n > len(b)/diagMessageLen {
			t.Errorf("%d sockets in %d bytes", n, len(b))
		}
	})
}

func FuzzRow(f *testing.F) {
	f.Add(make([]byte, unsafe.Sizeof(bpf.Row{})), int64(250))
	f.Fuzz(func(t *testing.T, b []byte, hz int64) {
		if hz < 1 || hz > 1<<20 {
			return
		}
		var r bpf.Row
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r)), b)
		var s Socket
		d := decoder{hz: hz, sysctl: keepalive.Defaults()}
		d.row(&s, &r)
		_, _ = s.State.String(), s.Timer.String()
		if s.ValuesKnown != (r.Flags&bpf.Full != 0) || s.ValuesKnown && (s.Time < 0 || s.Intvl < 0 || s.Idle < 0 || s.RTO < 0 || s.UserTimeout < 0) || !s.Local.IsValid() {
			t.Errorf("%+v of %+v", s, r)
		}
	})
}

func TestRow(t *testing.T) {
	var local, remote [16]byte
	copy(local[:], []byte{10, 0, 0, 5})
	copy(remote[:], []byte{10, 0, 0, 9})
	r := bpf.Row{
		Cookie: 0x1f, Cgroup: 77, Inode: 1234, UID: 1000,
		Local: local, Remote: remote, LocalPort: 22, RemotePort: 51514,
		Family: unix.AF_INET, State: uint8(CloseWait), Timer: 2, Flags: bpf.Full | bpf.Keepalive | bpf.WindowClosed,
		Time: 150_000, Probes: 9, UserTimeout: 1500, Expires: -25, Idle: 250, RTO: 50, Unanswered: 2,
		Data: 500, RTOMax: 2500, SynRetries: 4,
	}
	want := Socket{
		State: CloseWait, Local: netip.MustParseAddrPort("10.0.0.5:22"), Remote: netip.MustParseAddrPort("10.0.0.9:51514"),
		UID: 1000, Inode: 1234, Cookie: 0x1f, CgroupID: 77, Keepalive: On,
		Settings:    keepalive.Settings{Time: 600 * time.Second, Intvl: 75 * time.Second, Probes: 9, UserTimeout: 1500 * time.Millisecond},
		ValuesKnown: true, UserTimeoutKnown: true,
		TimeFrom: FromSocket, IntvlFrom: FromSysctl, ProbesFrom: FromSocket, // 9 as the sysctl, and its own
		Timer: TimerKeepalive, Left: -100 * time.Millisecond, Unanswered: 2,
		Idle: time.Second, IdleKnown: true, LastData: 2 * time.Second, RTO: 200 * time.Millisecond,
		Window: Off, RTOMax: 10 * time.Second, SynRetries: 4,
	}
	d := decoder{hz: 250, sysctl: keepalive.Defaults()}
	var got Socket
	d.row(&got, &r)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}

	// The kernel keeps the two clocks in units of their own.
	for _, clock := range []struct {
		timer Timer
		flags bpf.Flags
		clock Clock
		spent time.Duration
	}{
		{TimerRetransmit, bpf.Running, ClockRunning, 750 * time.Millisecond},
		{TimerProbe0, bpf.Running, ClockRunning, 3 * time.Second},
		{TimerProbe0, bpf.Stopped, ClockStopped, 0},
		{TimerProbe0, 0, ClockUnknown, 0},
	} {
		r.Timer, r.Flags, r.Spent = uint8(clock.timer), bpf.Full|clock.flags, 750
		if d.row(&got, &r); got.Clock != clock.clock || got.Spent != clock.spent {
			t.Errorf("%+v: clock %v, spent %v", clock, got.Clock, got.Spent)
		}
	}

	r.Flags, r.State, r.Timer = 0, uint8(TimeWait), uint8(TimerTimeWait)
	d.row(&got, &r)
	if got.ValuesKnown || got.IdleKnown || got.Keepalive != Off || got.TimeFrom != FromUnknown {
		t.Errorf("what is left of a socket has no values: %+v", got)
	}
}

// The work for one socket makes no garbage.
func TestNothingIsAllocatedForASocket(t *testing.T) {
	var table ownerTable
	table.add(1, []byte("one"), 10, 3)
	table.add(2, []byte("two"), 10, 4)
	table.index()
	q := Query{Filter: Filter{Ports: []uint16{22}, PIDs: []int{2}, Local: []Endpoint{{Prefix: netip.MustParsePrefix("10.0.0.0/8")}}}}
	listed := 0
	v := visitor{query: &q, visit: func(*Socket) error { listed++; return nil }}
	join := joiner{decode: decoder{hz: 250, sysctl: keepalive.Defaults()}, table: &table, visitor: v}
	r := bpf.Row{Family: unix.AF_INET, State: 1, LocalPort: 22, Inode: 10, Flags: bpf.Full, Local: [16]byte{10}}
	once := func() {
		r.Cookie++
		if err := join.row(&r); err != nil {
			t.Fatal(err)
		}
	}
	for range 2*rememberCookies + 1 { // until the tables have their size
		once()
	}
	listed = 0
	if n := testing.AllocsPerRun(20_000, once); n != 0 || listed != 20_001 {
		t.Errorf("BPF: %v allocations; %d listed", n, listed)
	}
	if err := join.row(&r); err != nil || listed != 20_001 {
		t.Errorf("the same row twice: %d listed, %v", listed, err)
	}

	b := message(tcpdiagGetsock, unix.NLM_F_MULTI, 7, diagSocket())
	dump := diagDump{sequence: 7, visit: v.visit}
	if n := testing.AllocsPerRun(100, func() { dump.parse(b) }); n != 0 {
		t.Errorf("sock_diag: %v allocations", n)
	}
}

func TestOwnerTable(t *testing.T) {
	var table ownerTable
	table.index()
	if got := table.find(nil, 1); got != nil {
		t.Errorf("an empty table finds %v", got)
	}
	table = ownerTable{}
	const n = 3 * chunkLen
	for pid := 3; pid > 0; pid-- { // not in the order of the numbers
		for i := range uint32(n) {
			table.add(pid, []byte("p"), i+1, i+3)
		}
	}
	table.add(1, []byte("p"), 5, 7) // seen twice
	table.add(9, []byte("other"), 5, 0)
	table.index()
	for i := range uint32(n) {
		want := []Owner{{PID: 1, FD: int(i + 3), Comm: "p"}, {PID: 2, FD: int(i + 3), Comm: "p"}, {PID: 3, FD: int(i + 3), Comm: "p"}}
		if i == 4 {
			want = append(want, Owner{PID: 9, Comm: "other"})
		}
		if got := table.find(nil, i+1); !reflect.DeepEqual(got, want) {
			t.Fatalf("inode %d: %v, want %v", i+1, got, want)
		}
	}
	for _, inode := range []uint32{0, n + 1, 1 << 31} {
		if got := table.find(nil, inode); got != nil {
			t.Errorf("inode %d: %v, want none", inode, got)
		}
	}
}

func TestCookieSet(t *testing.T) {
	var s cookieSet
	for i := uint64(1); i < 20_000; i++ {
		if c := i * i << 7; !s.add(c) || s.add(c) {
			t.Fatalf("%d", c)
		}
	}
	for range 2 {
		if !s.add(0) {
			t.Error("0 is no cookie, and never there")
		}
	}
}

func TestRecentCookies(t *testing.T) {
	var r recentCookies
	for c := uint64(1); c < 10*rememberCookies; c++ {
		if !r.add(c) {
			t.Fatalf("%d is not new", c)
		}
		if back := c - min(c-1, rememberCookies-1); r.add(back) || r.add(c) {
			t.Fatalf("at %d, %d is new", c, back)
		}
	}
	if len(r.now.slots)+len(r.before.slots) > 4*rememberCookies {
		t.Errorf("%d slots", len(r.now.slots)+len(r.before.slots))
	}
}

func TestCgroup2Mount(t *testing.T) {
	for line, want := range map[string]string{
		"33 24 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw": "/sys/fs/cgroup",
		"33 24 0:28 / /sys/fs/cgroup/unified rw - cgroup2 none rw":            "/sys/fs/cgroup/unified",
		`33 24 0:28 / /a\040b\134040c rw - cgroup2 none rw`:                   `/a b\040c`,
		"34 24 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory":     "",
		"35 24 0:30 / /mnt/cgroup2 rw - ext4 cgroup2 rw":                      "",
		"36 24 - cgroup2": "",
		"":                "",
	} {
		if got := cgroup2Mount([]byte(line)); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A descriptor may be another file by the time that it is borrowed.
func TestBorrowedDescriptorMustBeTheSocket(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	b := borrower{sysctl: keepalive.Defaults()}
	defer b.close()
	right := Socket{Inode: uint32(st.Ino), Owners: []Owner{{PID: 1 << 30, FD: 0}, {PID: os.Getpid(), FD: 1 << 20}, {PID: os.Getpid(), FD: fd}}}
	b.fill(&right)
	if right.Keepalive != On || !right.ValuesKnown {
		t.Errorf("the third owner has it: %+v", right)
	}
	wrong := Socket{Inode: uint32(st.Ino) + 1, Owners: []Owner{{PID: os.Getpid(), FD: fd}}}
	before := wrong
	b.fill(&wrong)
	if !reflect.DeepEqual(wrong, before) || b.denied != 0 {
		t.Errorf("of another socket: %+v", wrong)
	}
}

// Each walk of a row is the cookies that it brings: below 100 of sockets that were
// there all the time, from 100 on of those that have just come.
func TestWalksAreMadeUntilNothingIsMissed(t *testing.T) {
	const always = -1 // the walk before again
	coming := [][]uint64{{1, 2, 100}, {1, 2, 101}, {1, 2, 102}, {1, 2, 103}}
	for _, row := range []struct {
		name        string
		walks       [][]uint64
		interrupted int // so many walks say that they are
		listener    uint64
		want        []uint64
		wantWalks   int
	}{
		{"nothing changes", [][]uint64{{1, 2}, {1, 2}}, 0, 0, []uint64{1, 2}, 2},
		{"nothing is there", [][]uint64{{}, {}}, 0, 0, nil, 2},
		{"a walk repeats one", [][]uint64{{1, 2, 1}, {2, 2, 1}}, 0, 0, []uint64{1, 2}, 2},
		{"one goes", [][]uint64{{1, 2}, {1}}, 0, 0, []uint64{1, 2}, 2},
		{"new ones come", coming, 0, 0, []uint64{1, 2, 100, 101, 102}, 3},
		{"one was missed", [][]uint64{{1}, {1, 2}, {1, 2}}, 0, 0, []uint64{1, 2}, 3},
		{"one was missed twice, while new ones come", [][]uint64{{1, 100}, {1, 101}, {1, 2, 102}, {1, 2, 103}, {1, 2, 104}}, 0, 0, []uint64{1, 100, 101, 2, 102, 103, 104}, 5},
		{"a listener was missed, while new ones come", [][]uint64{{1}, {1, 200, 101}, {1, 102}, {1, 103}}, 0, 200, []uint64{1, 200, 101, 102, 103}, 4},
		{"the first was interrupted", [][]uint64{{1}, {1, 2}, {1, 2}}, 1, 0, []uint64{1, 2}, 3},
		{"for ever one more is missed", [][]uint64{{1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}, {10}, {11}}, 0, 0, []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, maxWalks},
		{"interrupted for ever", [][]uint64{{1}}, always, 0, []uint64{1}, maxInterrupts},
	} {
		var got []uint64
		walks := 0
		err := untilWhole(func(s *Socket) error {
			got = append(got, s.Cookie)
			return nil
		}, func(n int, visit func(*Socket) error) (bool, error) {
			walks++
			if n != walks {
				t.Fatalf("%s: walk %d is said to be %d", row.name, walks, n)
			}
			for _, c := range row.walks[min(n, len(row.walks))-1] {
				s := Socket{Cookie: c, State: Established, IdleKnown: true}
				switch {
				case c == row.listener:
					s.State, s.IdleKnown = Listen, false
				case c < 100:
					s.Idle = time.Hour
				}
				if err := visit(&s); err != nil {
					return false, err
				}
			}
			return row.interrupted == always || n <= row.interrupted, nil
		})
		if (err != nil) != (row.interrupted == always) || !slices.Equal(got, row.want) || walks != row.wantWalks {
			t.Errorf("%s: %v after %d walks, %v; want %v after %d", row.name, got, walks, err, row.want, row.wantWalks)
		}
	}
	enough := errors.New("enough")
	err := untilWhole(func(*Socket) error { return enough }, func(_ int, visit func(*Socket) error) (bool, error) {
		return false, visit(&Socket{Cookie: 1})
	})
	if err != enough {
		t.Errorf("an error of visit becomes %v", err)
	}
}

func TestGaps(t *testing.T) {
	const (
		walk  = "CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH would show them (sudo)"
		byBPF = "BPF would show them: CAP_BPF and CAP_PERFMON (sudo), and a kernel with BTF"
	)
	for _, row := range []struct {
		name    string
		missing missing
		want    []Gap
	}{
		{"nothing", missing{unreadable: 3, denied: 1}, nil},
		{"owners out of reach", missing{owners: 2, unreadable: 1}, []Gap{{What: "the owners", Sockets: 2, Why: "the descriptors of other users' processes cannot be read", Remedy: walk}}},
		{"owners nowhere", missing{owners: 2}, []Gap{{What: "the owners", Sockets: 2, Why: notSeen, Remedy: ""}}},
		{"not dumpable, or Yama", missing{values: 2, denied: 2}, []Gap{{What: "the keepalive values", Sockets: 2, Why: "their processes do not lend descriptors to this user", Remedy: "CAP_SYS_PTRACE would show them (sudo)"}}},
		{"an old kernel", missing{values: 2, old: true}, []Gap{{What: "the keepalive values", Sockets: 2, Why: "the kernel has no pidfd_getfd, which came with Linux 5.6", Remedy: byBPF}}},
		{"no file", missing{values: 2, noFile: 2, unreadable: 9}, []Gap{{What: "the keepalive values", Sockets: 2, Why: "no process holds them", Remedy: byBPF}}},
		{"hidden timer", missing{values: 2, keepalive: 1, unreadable: 1}, []Gap{
			{What: "the keepalive values", Sockets: 2, Why: "their owners are not known", Remedy: walk},
			{What: "whether keepalive is on", Sockets: 1, Why: "neither the values nor the timer tell", Remedy: walk},
		}},
		{"left out", missing{leftOut: [unknowns]int{byNothing: 9, byOwners: 1, byKeepalive: 2, byOrigin: 3}}, []Gap{
			{What: Undecided, Sockets: 1, Why: notSeen, Remedy: ""},
			{What: Undecided, Sockets: 2, Why: "neither the values nor the timer tell whether keepalive is on", Remedy: byBPF},
			{What: Undecided, Sockets: 3, Why: "no interface but BPF shows the origin of values", Remedy: byBPF},
		}},
		{"left out where processes cannot be looked into", missing{leftOut: [unknowns]int{byOwners: 1}, unreadable: 1}, []Gap{
			{What: Undecided, Sockets: 1, Why: "the descriptors of other users' processes cannot be read", Remedy: walk},
		}},
		{"origins", missing{origins: 1}, []Gap{{What: "the origin of values that equal the sysctl", Sockets: 1, Why: "no interface but BPF shows it", Remedy: byBPF}}},
	} {
		if got := row.missing.gaps(); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s:\n%v\nwant\n%v", row.name, got, row.want)
		}
	}
}

func TestGap(t *testing.T) {
	g := Gap{What: "the owners", Sockets: 1, Why: "they are hidden", Remedy: ""}
	if got := g.String(); got != "the owners of 1 socket: they are hidden" {
		t.Error(got)
	}
	g.Sockets, g.Remedy = 2, "root sees them"
	if got := g.String(); got != "the owners of 2 sockets: they are hidden; root sees them" {
		t.Error(got)
	}
	if !strings.Contains(Auto.String()+BPF.String()+Diag.String(), "bpf") {
		t.Error("the sources have no names")
	}
}
