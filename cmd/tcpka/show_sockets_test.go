//go:build linux

package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/procfs"
)

// socketRow is a socket in JSON; what is null is absent.
type socketRow map[string]any

// showSockets runs the command and returns its rows by cookie.
func showSockets(t *testing.T, args ...string) (rows map[string]socketRow, document map[string]any) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if status := execute(append([]string{"show", "sockets", "-o", "json"}, args...), nil, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	if err := json.Unmarshal(stdout.Bytes(), &document); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	rows = map[string]socketRow{}
	for _, s := range document["sockets"].([]any) {
		row := socketRow(s.(map[string]any))
		if cookie := row["cookie"].(string); rows[cookie] != nil {
			t.Errorf("twice: %v", row)
		}
		rows[row["cookie"].(string)] = row
	}
	return rows, document
}

// ownView is what a socket's owner knows of it, in the words of the JSON.
func ownView(t *testing.T, fd int, state string) (cookie string, row socketRow) {
	t.Helper()
	get := func(level, option int) float64 {
		v, err := unix.GetsockoptInt(fd, level, option)
		if err != nil {
			t.Fatalf("getsockopt %d %d: %v", level, option, err)
		}
		return float64(v)
	}
	end := func(sa unix.Sockaddr, err error) string {
		switch at := sa.(type) {
		case *unix.SockaddrInet4:
			return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port)).String()
		case *unix.SockaddrInet6:
			return netip.AddrPortFrom(netip.AddrFrom16(at.Addr), uint16(at.Port)).String()
		}
		return "0.0.0.0:0" // a listener's
	}
	number, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSuffix(string(comm), "\n")
	return fmt.Sprintf("%#x", number), socketRow{
		"state": state, "local": end(unix.Getsockname(fd)), "remote": end(unix.Getpeername(fd)),
		"pid": float64(os.Getpid()), "comm": name, "fd": float64(fd),
		"owners": []any{map[string]any{"pid": float64(os.Getpid()), "comm": name, "fd": float64(fd)}},
		"uid":    float64(os.Getuid()), "inode": float64(st.Ino),
		"keepalive":    get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0,
		"time_seconds": get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), "intvl_seconds": get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL),
		"probes": get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT), "user_timeout_ms": get(unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT),
	}
}

// mixedSockets makes connections of every kind, and returns what their owner
// knows of them.
func mixedSockets(t *testing.T, n int) map[string]socketRow {
	t.Helper()
	all := map[string]socketRow{}
	add := func(fd int, state string) {
		cookie, row := ownView(t, fd, state)
		all[cookie] = row
	}
	for i := range n {
		w := wish{on: i%2 == 0, halfClosed: i%7 == 3}
		if i%3 > 0 {
			w.time = []int{100, 7200, 600, 32767}[i/6%4] // 7200 is the sysctl's, too
		}
		if i%3 > 1 {
			w.intvl, w.probes = 1+i%32767, 1+i%127
		}
		if i%5 == 0 {
			w.ms = 1 + i*17
		}
		if i%4 == 3 {
			w.family = unix.AF_INET6
		}
		client, server, err := w.connect()
		if err != nil {
			t.Fatal(err)
		}
		if w.halfClosed {
			awaitState(t, client, 8) // CLOSE_WAIT
			awaitState(t, server, 5) // FIN_WAIT2
			add(client, "CLOSE-WAIT")
			add(server, "FIN-WAIT-2")
			continue
		}
		add(client, "ESTAB")
		add(server, "ESTAB")
	}
	listener, _, err := nstest.Listen(unix.AF_INET)
	if err != nil {
		t.Fatal(err)
	}
	if err := (wish{on: true, time: 45}).set(listener); err != nil {
		t.Fatal(err)
	}
	add(listener, "LISTEN")
	return all
}

func awaitState(t *testing.T, fd int, state uint8) {
	t.Helper()
	for range 300_000 {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.State == state {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("the socket does not come to state %d", state)
}

// agree checks that each socket is there and is what its owner says.
func agree(t *testing.T, want, got map[string]socketRow) {
	t.Helper()
	bad := 0
	for cookie, row := range want {
		seen := socketRow{}
		for key := range row {
			seen[key] = got[cookie][key]
		}
		if d := cmp.Diff(row, seen); d != "" {
			t.Errorf("socket %s: -owner +listed\n%s", cookie, d)
			if bad++; bad > 3 {
				t.Fatal("and so on")
			}
		}
	}
}

func TestShowSocketsAgreesWithTheOwners(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) { showSocketsAgrees(t, "sock_diag") })
}

func TestRootShowSocketsAgreesWithTheOwners(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, func(t *testing.T) { showSocketsAgrees(t, "bpf") })
}

func showSocketsAgrees(t *testing.T, source string) {
	want := mixedSockets(t, 600)
	got, document := showSockets(t, "--state", "all")
	agree(t, want, got)
	if len(got) != len(want) || document["source"] != source {
		t.Errorf("%d sockets by %v, want %d by %s", len(got), document["source"], len(want), source)
	}
	sum := document["summary"].(map[string]any)
	on := 0
	for _, row := range want {
		if row["keepalive"] == true {
			on++
		}
	}
	if d := cmp.Diff(map[string]any{"total": float64(len(want)), "keepalive_on": float64(on), "keepalive_off": float64(len(want) - on), "unknown": 0.0}, sum); d != "" {
		t.Errorf("summary: %s", d)
	}
	for cookie, row := range got { // detection is for those that have it on, and it is the plain sum or what the user timeout makes of it
		detection, ok := row["detection_seconds"].(float64)
		if ok != (row["keepalive"] == true) {
			t.Errorf("%s: keepalive %v, detection %v", cookie, row["keepalive"], row["detection_seconds"])
		}
		plain, _ := row["time_seconds"].(float64)
		intvl, _ := row["intvl_seconds"].(float64)
		probes, _ := row["probes"].(float64)
		if ok && row["user_timeout_ms"] == 0.0 && detection != plain+intvl*probes {
			t.Errorf("%s: detection %v of %v", cookie, detection, row)
		}
	}

	// The other formats have the same.
	var stdout, stderr bytes.Buffer
	if status := execute([]string{"show", "sockets", "--state", "all", "-o", "jsonl"}, nil, &stdout, &stderr); status != 0 {
		t.Fatal(status, &stderr)
	}
	lines := map[string]socketRow{}
	for line := range strings.Lines(stdout.String()) {
		row := socketRow{}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines[row["cookie"].(string)] = row
	}
	agree(t, want, lines)
	for cookie, row := range lines {
		if !slices.Equal(slices.Sorted(maps.Keys(row)), slices.Sorted(maps.Keys(got[cookie]))) {
			t.Fatalf("jsonl has other fields: %v", row)
		}
	}
	stdout.Reset()
	if status := execute([]string{"show", "sockets", "--state", "all", "-o", "csv"}, nil, &stdout, &stderr); status != 0 {
		t.Fatal(status, &stderr)
	}
	table, err := csv.NewReader(&stdout).ReadAll()
	if err != nil || len(table) != len(want)+1 {
		t.Fatalf("csv: %d rows, %v", len(table), err)
	}
	for _, fields := range table[1:] {
		row := map[string]string{}
		for i, name := range table[0] {
			row[name] = fields[i]
		}
		for _, name := range []string{"state", "local", "remote", "pid", "comm", "fd", "inode", "time_seconds", "intvl_seconds", "probes", "user_timeout_ms", "detection_seconds"} {
			value := lines[row["cookie"]][name]
			text := fmt.Sprint(value)
			if n, ok := value.(float64); ok {
				text = strconv.FormatFloat(n, 'f', -1, 64)
			}
			if value == nil {
				text = ""
			}
			if row[name] != text {
				t.Fatalf("csv: %s is %q, want %q", name, row[name], text)
			}
		}
	}
	stdout.Reset()
	for _, args := range [][]string{{}, {"--wide"}} {
		stdout.Reset()
		if status := execute(append([]string{"show", "sockets", "--state", "all"}, args...), nil, &stdout, &stderr); status != 0 {
			t.Fatal(status, &stderr)
		}
		rows := 0
		for line := range strings.Lines(stdout.String()) {
			if f := strings.Fields(line); len(f) > 2 {
				if _, err := netip.ParseAddrPort(f[1]); err == nil {
					rows++
				}
			}
		}
		if rows != len(want) {
			t.Errorf("%v: %d rows, want %d", args, rows, len(want))
		}
	}
}

func TestShowSocketsWhileTheyComeAndGo(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, showSocketsUnderChurn)
}

func TestRootShowSocketsWhileTheyComeAndGo(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, showSocketsUnderChurn)
}

// What stays is listed, and listed once, whatever happens beside it.
func showSocketsUnderChurn(t *testing.T) {
	want := mixedSockets(t, 150)
	stop := make(chan struct{})
	var churn sync.WaitGroup
	churn.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			client, server, err := wish{}.connect()
			if err != nil {
				continue
			}
			// With a RST at the end, for more of them than there are ports.
			unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			unix.Close(client)
			unix.Close(server)
		}
	})
	for range 10 {
		got, _ := showSockets(t, "--state", "all") // which looks for what comes twice
		agree(t, want, got)
	}
	close(stop)
	churn.Wait()
}

func TestShowSocketsOfSeveralOwners(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, sharedSocket)
}

func TestRootShowSocketsOfSeveralOwners(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, sharedSocket)
}

// A socket with several owners is one row: the lowest PID, and all of them.
func sharedSocket(t *testing.T) {
	client, _, err := (wish{on: true}).connect()
	if err != nil {
		t.Fatal(err)
	}
	cookie, own := ownView(t, client, "ESTAB")
	cmd := helper("neighbour-process", "child")
	cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(client), "socket")}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	if _, err := stdout.Read(make([]byte, 1)); err != nil { // it has its name
		t.Fatal(err)
	}
	child := map[string]any{"pid": float64(cmd.Process.Pid), "comm": "child", "fd": 3.0}
	own["owners"] = append(own["owners"].([]any), child)
	got, _ := showSockets(t)
	agree(t, map[string]socketRow{cookie: own}, got)
	// A filter matches any owner.
	for _, filter := range []string{"--comm=child", fmt.Sprintf("--pid=%d", cmd.Process.Pid)} {
		if got, _ := showSockets(t, filter); len(got) != 1 || got[cookie] == nil {
			t.Errorf("%s: %v", filter, got)
		}
	}
}

func TestShowSocketsOfMPTCP(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, showMPTCP)
}

func TestRootShowSocketsOfMPTCP(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, showMPTCP)
}

// A subflow is listed with the owners and the values of the MPTCP socket.
func showMPTCP(t *testing.T) {
	if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP); err != nil {
		nstest.Missing(t, "the kernel has no MPTCP: "+err.Error())
	} else {
		unix.Close(fd)
	}
	if _, err := (procfs.FS{}).MPTCPCloseTimeout(); err != nil {
		nstest.Missing(t, "the kernel does not say when the program hears of it: "+err.Error())
	}
	client, _, err := (wish{on: true, time: 50, intvl: 7, probes: 3, protocol: unix.IPPROTO_MPTCP}).connect()
	if err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(client)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := showSockets(t, "--local", fmt.Sprintf("127.0.0.1:%d", at.(*unix.SockaddrInet4).Port))
	if len(got) != 1 {
		t.Fatalf("%v", got)
	}
	for _, row := range got {
		want := socketRow{"keepalive": true, "time_seconds": 50.0, "intvl_seconds": 7.0, "probes": 3.0, "user_timeout_ms": nil, "detection_seconds": 131.0, "pid": float64(os.Getpid()), "fd": float64(client)}
		seen := socketRow{}
		for key := range want {
			seen[key] = row[key]
		}
		if d := cmp.Diff(want, seen); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	}
}

func TestShowSocketsOfTwoNamespaces(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, twoNamespaces)
}

func TestRootShowSocketsOfTwoNamespaces(t *testing.T) {
	nstest.Parallel(t)
	nstest.RunRoot(t, twoNamespaces)
}

// Each socket is said to be in its namespace, whose sysctls it follows.
func twoNamespaces(t *testing.T) {
	furnish(t)
	here := mixedSockets(t, 20)
	var there map[string]socketRow
	file := filepath.Join("/run/netns", "blue")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	err := nstest.OnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		if err := nstest.Up("lo"); err != nil {
			return err
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_time", []byte("333"), 0); err != nil {
			return err
		}
		there = mixedSockets(t, 20)
		return unix.Mount("/proc/thread-self/ns/net", file, "", unix.MS_BIND, "")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(file, unix.MNT_DETACH)
	got, _ := showSockets(t, "--netns", "all", "--state", "all", "--pid", strconv.Itoa(os.Getpid()))
	agree(t, here, got)
	agree(t, there, got)
	inherited := false
	for cookie := range there {
		if got[cookie]["netns"] != "blue" {
			t.Errorf("it is said to be in %v", got[cookie]["netns"])
		}
		inherited = inherited || got[cookie]["time_seconds"] == 333.0
	}
	for cookie := range here {
		if got[cookie]["netns"] == "blue" {
			t.Error("it is said to be in blue")
		}
	}
	if !inherited || len(got) != len(here)+len(there) {
		t.Errorf("the sysctl of its namespace: %t; %d sockets, want %d", inherited, len(got), len(here)+len(there))
	}
	only, _ := showSockets(t, "--netns", "blue", "--state", "all")
	if len(only) != len(there) {
		t.Errorf("%d sockets in blue, want %d", len(only), len(there))
	}
}
