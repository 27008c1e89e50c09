package sockopt_test

import (
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockopt"
)

// With TCP_KEEPIDLE before SO_KEEPALIVE the second socket would wait two more
// seconds.
func TestAnOverdueSocketProbesAtOnce(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		alreadyOn, _ := pair(t)
		set(t, alreadyOn, keepalive.Change{Enabled: new(true)})
		switchedOn, _ := pair(t)
		time.Sleep(2100 * time.Millisecond)

		for i, c := range []*net.TCPConn{alreadyOn, switchedOn} {
			set(t, c, keepalive.Change{Enabled: new(true), Time: new(2 * time.Second)})
			for range 500 {
				if probesSent(t) > i {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if got := probesSent(t); got != i+1 {
				t.Errorf("%d probes were sent after %d sockets became overdue", got, i+1)
			}
		}
	})
}

// probesSent reads TcpExt TCPKeepAlive of this thread's network namespace.
func probesSent(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "TcpExt:") {
			continue
		}
		if names == nil {
			names = strings.Fields(line)
			continue
		}
		n, err := strconv.Atoi(strings.Fields(line)[slices.Index(names, "TCPKeepAlive")])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Fatal("no TcpExt in /proc/thread-self/net/netstat")
	return 0
}

func TestAFailureHalfwayIsTakenBack(t *testing.T) {
	for _, row := range []struct {
		name          string
		level, option int
	}{
		{"TCP_KEEPINTVL", unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{"TCP_KEEPCNT", unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		{"TCP_USER_TIMEOUT", unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT},
		{"SO_KEEPALIVE", unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		{"TCP_KEEPIDLE", unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	} {
		t.Run(row.name, func(t *testing.T) {
			c, _ := pair(t)
			set(t, c, keepalive.Change{
				Time: new(700 * time.Second), Intvl: new(70 * time.Second), Probes: new(7), UserTimeout: new(7 * time.Second),
			})
			before := get(t, c)
			rc := raw(t, c)
			err := whileRefused(t, row.level, row.option, func() error {
				return sockopt.Set(rc, everyOption)
			})
			if !errors.Is(err, unix.EPERM) || !errors.Is(err, os.ErrPermission) || !strings.HasPrefix(err.Error(), "set "+row.name+": ") {
				t.Errorf("got %v, want set %s: operation not permitted", err, row.name)
			}
			wantState(t, c, before)
		})
	}
}

func TestWhatCannotBeTakenBackIsSaid(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "200") // more than a socket may have
		c, _ := pair(t)
		rc := raw(t, c)
		err := whileRefused(t, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, func() error {
			return sockopt.Set(rc, keepalive.Change{
				Enabled: new(true), Time: new(600 * time.Second), Intvl: new(60 * time.Second), Probes: new(5),
			})
		})
		const want = "set TCP_KEEPIDLE: operation not permitted; restore: set TCP_KEEPCNT: invalid argument"
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		left := on(7200, 75, 5, 0)
		left.Enabled = false
		wantState(t, c, left)
	})
}

// whileRefused runs f on a thread whose setsockopt of one option the kernel
// answers with EPERM, as a sandbox could. The thread ends with it.
func whileRefused(t *testing.T, level, option int, f func() error) error {
	t.Helper()
	type result struct{ setup, f error }
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked
		if err := refuseSetsockopt(level, option); err != nil {
			done <- result{setup: err}
			return
		}
		done <- result{f: f()}
	}()
	r := <-done
	if r.setup != nil {
		nstest.Missing(t, "seccomp filters: "+r.setup.Error())
	}
	return r.f
}

// refuseSetsockopt installs a seccomp filter for the calling thread. See
// seccomp(2); the offsets are those of struct seccomp_data.
func refuseSetsockopt(level, option int) error {
	const (
		nr   = 0
		arg0 = 16
		load = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret  = unix.BPF_RET | unix.BPF_K

		seccompRetAllow = 0x7fff0000
		seccompRetErrno = 0x00050000
	)
	low := uint32(0) // where the low half of a 64-bit argument lies
	if one := uint16(1); *(*byte)(unsafe.Pointer(&one)) == 0 {
		low = 4
	}
	filter := []unix.SockFilter{
		{Code: load, K: nr},
		{Code: jeq, K: unix.SYS_SETSOCKOPT, Jf: 5},
		{Code: load, K: arg0 + 8*1 + low},
		{Code: jeq, K: uint32(level), Jf: 3},
		{Code: load, K: arg0 + 8*2 + low},
		{Code: jeq, K: uint32(option), Jf: 1},
		{Code: ret, K: seccompRetErrno | uint32(unix.EPERM)},
		{Code: ret, K: seccompRetAllow},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
