package procfs

import (
	"net"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

func TestParseNetstat(t *testing.T) {
	tests := []struct {
		name string
		data string
		want Counters
		err  string
	}{
		{
			name: "among others",
			data: "TcpExt: SyncookiesSent TCPKeepAlive TCPAbortOnTimeout\nTcpExt: 1 23 4\nIpExt: InNoRoutes\nIpExt: 0\n",
			want: Counters{KeepaliveProbesSent: new(uint64(23)), AbortedOnTimeout: new(uint64(4))},
		},
		{
			name: "in another order",
			data: "IpExt: InNoRoutes\nIpExt: 0\nTcpExt: TCPAbortOnTimeout Newer TCPKeepAlive\nTcpExt: 4 -1 23\n",
			want: Counters{KeepaliveProbesSent: new(uint64(23)), AbortedOnTimeout: new(uint64(4))},
		},
		{
			name: "as large as a counter can be",
			data: "TcpExt: TCPKeepAlive\nTcpExt: 18446744073709551615",
			want: Counters{KeepaliveProbesSent: new(uint64(1<<64 - 1))},
		},
		{name: "a kernel without them", data: "TcpExt: SyncookiesSent\nTcpExt: 1\n"},
		{name: "a kernel without TcpExt", data: "IpExt: TCPKeepAlive\nIpExt: 1\n"},
		{name: "empty", data: "", err: "empty"},
		{name: "names alone", data: "TcpExt: TCPKeepAlive\n", err: `line 1: "TcpExt: TCPKeepAlive": names without values`},
		{name: "a value missing", data: "TcpExt: TCPKeepAlive TW\nTcpExt: 1\n", err: `line 2: "TcpExt: 1": not the values of the line above`},
		{name: "values of something else", data: "TcpExt: TCPKeepAlive\nIpExt: 1\n", err: `line 2: "IpExt: 1": not the values of the line above`},
		{name: "not a number", data: "TcpExt: TCPKeepAlive\nTcpExt: many\n", err: `TCPKeepAlive: "many": not a counter`},
		{name: "a negative number", data: "TcpExt: TCPKeepAlive\nTcpExt: -1\n", err: `TCPKeepAlive: "-1": not a counter`},
		{name: "binary", data: "\x00\x1b[2J\n\x00\n", err: `line 1: "\x00\x1b[2J": no names of counters`},
		{name: "blank lines", data: "\n\nTcpExt: TCPKeepAlive\nTcpExt: 1\n", err: `line 1: "": no names of counters`},
		{
			name: "an endless line", data: strings.Repeat("x", 5000) + "\nx\n",
			err: `line 1: "` + strings.Repeat("x", 40) + `"...: no names of counters`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseNetstat([]byte(tt.data))
			if errText(err) != tt.err {
				t.Errorf("got error %q, want %q", errText(err), tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzParseNetstat(f *testing.F) {
	for _, seed := range []string{
		"TcpExt: SyncookiesSent TCPKeepAlive TCPAbortOnTimeout\nTcpExt: 1 23 4\nIpExt: InNoRoutes\nIpExt: 0\n",
		"TcpExt: TCPKeepAlive\nTcpExt: 18446744073709551616\n",
		"TcpExt: TCPKeepAlive\nIpExt: 1\n",
		"TcpExt:\nTcpExt:\n",
		":\n:\n", "\n", "\x00\n\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseNetstat(data)
		if err != nil {
			if got != (Counters{}) {
				t.Fatalf("counters beside the error %v", err)
			}
			for _, r := range err.Error() {
				if !strconv.IsPrint(r) {
					t.Fatalf("the error %q is not safe to print", err)
				}
			}
			return
		}
		for _, n := range []*uint64{got.KeepaliveProbesSent, got.AbortedOnTimeout} {
			if n != nil && !strings.Contains(string(data), strconv.FormatUint(*n, 10)) {
				t.Fatalf("the counter %d is not in %q", *n, data)
			}
		}
	})
}

func TestCountersOfAnImage(t *testing.T) {
	const one = "TcpExt: TCPKeepAlive\nTcpExt: 1\n"
	tests := []struct {
		name  string
		files map[string]string
		want  Counters
		err   string
	}{
		{name: "there", files: map[string]string{"proc/net/netstat": one}, want: Counters{KeepaliveProbesSent: new(uint64(1))}},
		{
			name:  "through the link that proc has",
			files: map[string]string{"proc/net": "->self/net", "proc/self/net/netstat": one},
			want:  Counters{KeepaliveProbesSent: new(uint64(1))},
		},
		{name: "not there", files: three("600\n", "30\n", "4\n")},
		{name: "garbled", files: map[string]string{"proc/net/netstat": "TcpExt: 1\n"}, err: `proc/net/netstat: line 1: "TcpExt: 1": names without values`},
		{name: "a directory", files: map[string]string{"proc/net/netstat/file": ""}, err: "proc/net/netstat: not a regular file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fs, dir := image(t, tt.files)
			got, err := fs.Counters()
			if tt.err != "" {
				tt.err = "read " + dir + "/" + tt.err
			}
			if errText(err) != tt.err {
				t.Errorf("got error %v, want %q", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestCountersCount(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		// With a time of 0 the first probe is sent when keepalive is switched on.
		nstest.Sysctl(t, KeyTime, "0")
		connect(t)
		waitForCounters(t, Counters{KeepaliveProbesSent: new(uint64(1)), AbortedOnTimeout: new(uint64(0))})

		// With no probes either, a connection is given up at once.
		nstest.Sysctl(t, KeyProbes, "0")
		connect(t)
		waitForCounters(t, Counters{KeepaliveProbesSent: new(uint64(1)), AbortedOnTimeout: new(uint64(1))})
	})
}

func TestCountersAreThoseOfTheThread(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		nstest.Sysctl(t, KeyTime, "0")
		connect(t)
		want := Counters{KeepaliveProbesSent: new(uint64(1)), AbortedOnTimeout: new(uint64(0))}
		waitForCounters(t, want)

		elsewhere := make(chan Counters)
		go func() {
			defer close(elsewhere)
			runtime.LockOSThread() // never unlocked: the thread ends with its namespace
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Error(err)
				return
			}
			c, err := FS{}.Counters()
			if err != nil {
				t.Error(err)
			}
			elsewhere <- c
		}()
		zero := Counters{KeepaliveProbesSent: new(uint64(0)), AbortedOnTimeout: new(uint64(0))}
		if diff := cmp.Diff(zero, <-elsewhere); diff != "" {
			t.Errorf("in a namespace made by the thread, -want +got:\n%s", diff)
		}
	})
}

// connect makes a connection over loopback that has keepalive on, and all its
// values from the sysctls.
func connect(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	d := net.Dialer{KeepAlive: -1}
	c, err := d.Dial("tcp", l.Addr().String())
	check(t, err)
	t.Cleanup(func() { c.Close() })
	check(t, c.(*net.TCPConn).SetKeepAlive(true))
}

func waitForCounters(t *testing.T, want Counters) {
	t.Helper()
	var diff string
	for range 200 {
		got, err := FS{}.Counters()
		check(t, err)
		if diff = cmp.Diff(want, got); diff == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("-want +got:\n%s", diff)
}
