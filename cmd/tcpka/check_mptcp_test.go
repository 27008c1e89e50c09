//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/command/check"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// mptcpRoom gives f a namespace where the kernel says how long an MPTCP connection
// outlives its subflows, and its ticks.
func mptcpRoom(t *testing.T, f func(t *testing.T, k calc.Kernel)) {
	bothRooms(t, func(t *testing.T) {
		if _, err := (procfs.FS{}).MPTCPCloseTimeout(); err != nil {
			nstest.Missing(t, "the kernel does not say when the program hears of it: "+err.Error())
		}
		hz, err := procfs.HZ()
		if err != nil {
			t.Fatal(err)
		}
		f(t, calc.Kernel{HZ: hz})
	})
}

// checkOwn is tcpka check for the sockets of this process.
func checkOwn(t *testing.T, status int, args ...string) check.Document {
	t.Helper()
	args = append([]string{"check", "--pid", strconv.Itoa(os.Getpid()), "--json"}, args...)
	stdout, stderr, got := tcpka(t, 0, args...)
	if got != status {
		t.Errorf("%q: status %d, want %d\n%s%s", args, got, status, stdout, stderr)
	}
	var d check.Document
	if err := json.Unmarshal([]byte(stdout), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// only is the one finding that there is, and what it is about.
func only(t *testing.T, d check.Document, id, subject string) check.Finding {
	t.Helper()
	if len(d.Findings) != 1 || d.Findings[0].ID != id || !strings.HasPrefix(d.Findings[0].Subject, subject) {
		t.Fatalf("%+v, want one of %s about %s", d.Findings, id, subject)
	}
	return d.Findings[0]
}

// mendAsSaid runs the command of a finding.
func mendAsSaid(t *testing.T, f check.Finding) {
	t.Helper()
	if f.Fix == nil {
		t.Fatalf("no fix: %s", f.Text)
	}
	t.Log(*f.Fix)
	if strings.Contains(*f.Fix, "user-timeout") {
		t.Errorf("MPTCP has no user timeout: %s", *f.Fix)
	}
	if out, err := exec.Command("sh", "-c", `sudo() { "$@" --yes; }; `+*f.Fix).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", *f.Fix, err, out)
	}
}

// seconds is a time as findings have it.
func secondsSaid(d time.Duration) string {
	return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
}

func multipath(t *testing.T, w wish) (client int) {
	t.Helper()
	w.protocol = unix.IPPROTO_MPTCP
	client, _, err := w.connect()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// The numbers are the kernel's, the fix leads to a goal that is met, and so does what
// is said of the sysctl where there is no fix.
func TestCheckOfMPTCP(t *testing.T) {
	mptcpRoom(t, func(t *testing.T, k calc.Kernel) {
		s := keepalive.Settings{Time: time.Minute, Intvl: 10 * time.Second, Probes: 3}
		nstest.Sysctl(t, "net.mptcp.close_timeout", "60")
		client := multipath(t, wish{on: true, time: 60, intvl: 10, probes: 3})
		subflow, told := k.IdleAfterAnsweredProbe(s).Latest+500*time.Millisecond, time.Minute+k.Slack(time.Minute)
		on := []string{"--keepalive", "on", "--detect-within"}

		text := func(within time.Duration) string {
			return fmt.Sprintf("a dead peer is noticed after up to %s by the subflow, and by its program up to %s later (net.mptcp.close_timeout is 60), wanted is within %d s",
				secondsSaid(subflow), secondsSaid(told), within/time.Second)
		}
		// The soonest goal that is met, to the second.
		most := (subflow + told).Truncate(time.Second) + time.Second
		checkOwn(t, 0, append(on, strconv.Itoa(int(most/time.Second)))...)
		f := only(t, checkOwn(t, 2, append(on, strconv.Itoa(int(most/time.Second)-1))...), calc.FlawMPTCP, "1 MPTCP socket of ")
		if f.Text != text(most-time.Second) {
			t.Errorf("said:  %s\nwant: %s", f.Text, text(most-time.Second))
		}
		// TCP would meet it.
		f = only(t, checkOwn(t, 2, append(on, "120")...), calc.FlawMPTCP, "1 MPTCP socket of ")
		if f.Text != text(2*time.Minute) || f.Severity != check.SeverityCritical {
			t.Errorf("%s: %s", f.Severity, f.Text)
		}
		// A path is about packets.
		checkOwn(t, 0, "--keepalive", "on", "--path-timeout", "120")
		mendAsSaid(t, f)
		checkOwn(t, 0, append(on, "120")...)
		if got := optionsHeld(t, client); got[1] >= 60 {
			t.Errorf("the socket has %v", got)
		}

		// No values are enough.
		mendNone := func(want string) {
			t.Helper()
			f := only(t, checkOwn(t, 2, append(on, "50")...), calc.FlawMPTCP, "1 MPTCP socket of ")
			if f.Fix != nil || !strings.HasSuffix(f.Text, want) {
				t.Errorf("fix %v, %s", f.Fix, f.Text)
			}
		}
		const lower = "; no values are enough while net.mptcp.close_timeout is 60: lower it, which tcpka does not"
		if err := (wish{time: 60, intvl: 10, probes: 3}).set(client); err != nil {
			t.Fatal(err)
		}
		mendNone(lower)
		if err := (wish{time: 10, intvl: 5, probes: 2}).set(client); err != nil {
			t.Fatal(err)
		}
		most = 0
		own := keepalive.Settings{Time: 10 * time.Second, Intvl: 5 * time.Second, Probes: 2}
		for n := time.Duration(0); k.IdleAfterAnsweredProbe(own).Latest+500*time.Millisecond+n+k.Slack(n) <= 50*time.Second; n += time.Second {
			most = n
		}
		mendNone(fmt.Sprintf("%s; with the values of now it may be %d at most", lower, most/time.Second))
		nstest.Sysctl(t, "net.mptcp.close_timeout", strconv.Itoa(int(most/time.Second)))
		checkOwn(t, 0, append(on, "50")...)
		nstest.Sysctl(t, "net.mptcp.close_timeout", strconv.Itoa(int(most/time.Second)+1))
		checkOwn(t, 2, append(on, "50")...)
	})
}

// Once the fix was run, the program hears of a peer that is gone in time.
func TestCheckOfMPTCPLeadsToADeathNoticed(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		if _, err := (procfs.FS{}).MPTCPCloseTimeout(); err != nil {
			nstest.Missing(t, "the kernel does not say when the program hears of it: "+err.Error())
		}
		nstest.Sysctl(t, "net.mptcp.close_timeout", "3")
		const goal = 10 * time.Second
		client := multipath(t, wish{on: true, time: 6, intvl: 1, probes: 2})
		checked := func(status int) check.Document {
			t.Helper()
			return checkOwn(t, status, "--keepalive", "on", "--detect-within", goal.String())
		}
		mendAsSaid(t, only(t, checked(2), calc.FlawMPTCP, "1 MPTCP socket of "))
		checked(0)
		from := time.Now()
		loopbackDown(t)
		took, late := hears(t, client, from)
		t.Logf("took %v of %v", took, goal)
		if took > goal+late {
			t.Errorf("took %v, wanted within %v, and the machine was late by %v", took, goal, late)
		}
	})
}

// What follows the sysctls gets values of its own, where those are well for TCP.
func TestCheckOfMPTCPThatFollows(t *testing.T) {
	mptcpRoom(t, func(t *testing.T, k calc.Kernel) {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "60")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "10")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "3")
		multipath(t, wish{on: true})
		plain, _, err := wish{on: true}.connect()
		if err != nil {
			t.Fatal(err)
		}
		checked := func(status int) check.Document {
			t.Helper()
			return checkOwn(t, status, "--keepalive", "on", "--detect-within", "2m")
		}
		mendAsSaid(t, only(t, checked(2), calc.FlawMPTCP, "1 MPTCP socket of "))
		checked(0)
		want(t, "TCP", plain, options{1, 60, 10, 3, 0})
	})
}

// Where the settings of the namespace fail as well, both commands together lead to a
// goal that is met, and none of them undoes the other.
func TestCheckOfMPTCPAndTheSettings(t *testing.T) {
	mptcpRoom(t, func(t *testing.T, k calc.Kernel) {
		for _, at := range []string{"10.9.0.1/32", "10.9.0.2/32"} {
			if out, err := exec.Command(nstest.Program(t, "ip"), "addr", "add", at, "dev", "lo").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
		}
		checked := func(status int) check.Document {
			t.Helper()
			stdout, stderr, got := tcpka(t, 0, "check", "--keepalive", "on", "--detect-within", "2m", "--json")
			if got != status {
				t.Errorf("status %d, want %d\n%s%s", got, status, stdout, stderr)
			}
			var d check.Document
			if err := json.Unmarshal([]byte(stdout), &d); err != nil {
				t.Fatal(err)
			}
			return d
		}
		for i := range 2 { // in both orders
			nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "7200")
			multi, plain := between(t, unix.IPPROTO_MPTCP), between(t, unix.IPPROTO_TCP)
			d := checked(2)
			if len(d.Findings) != 2 {
				t.Fatalf("%+v", d.Findings)
			}
			slices.SortFunc(d.Findings, func(a, b check.Finding) int { return cmp.Compare(a.ID, b.ID) })
			if d.Findings[0].ID != check.FindDefaults || d.Findings[1].ID != calc.FlawMPTCP || d.Findings[0].Count != 1 {
				t.Fatalf("%+v", d.Findings)
			}
			mendAsSaid(t, d.Findings[i])
			mendAsSaid(t, d.Findings[1-i])
			checked(0)
			for _, fd := range []int{multi, plain} { // so that it is no longer meant
				if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// between makes a connection between two addresses, whose client keeps it alive.
func between(t *testing.T, protocol int) (client int) {
	t.Helper()
	var fds [2]int
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, protocol)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 9, 0, byte(1 + i)}})
		}
		if err != nil {
			t.Fatal(err)
		}
		fds[i] = fd
	}
	if err := unix.Listen(fds[1], 5); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Getsockname(fds[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fds[0], at); err != nil {
		t.Fatal(err)
	}
	if err := (wish{on: true}).set(fds[0]); err != nil {
		t.Fatal(err)
	}
	return fds[0]
}

// Where keepalive is off, too; and what mends TCP leaves MPTCP alone.
func TestCheckOfMPTCPThatIsOff(t *testing.T) {
	mptcpRoom(t, func(t *testing.T, k calc.Kernel) {
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_time", "60")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_intvl", "10")
		nstest.Sysctl(t, "net.ipv4.tcp_keepalive_probes", "3")
		for _, first := range []string{"1 MPTCP socket", "1 connection"} {
			client := multipath(t, wish{})
			plain, server, err := wish{}.connect()
			if err != nil {
				t.Fatal(err)
			}
			ports := []string{}
			for _, fd := range []int{client, plain} {
				at, err := unix.Getsockname(fd)
				if err != nil {
					t.Fatal(err)
				}
				ports = append(ports, "--local", fmt.Sprintf(":%d", at.(*unix.SockaddrInet4).Port))
			}
			checked := func(status int) check.Document {
				t.Helper()
				return checkOwn(t, status, append(ports, "--detect-within", "2m")...)
			}
			d := checked(2)
			if len(d.Findings) != 2 {
				t.Fatalf("%+v", d.Findings)
			}
			for _, f := range d.Findings {
				if f.ID != calc.FlawOff {
					t.Errorf("%+v", f)
				} else if strings.HasPrefix(f.Subject, first) {
					mendAsSaid(t, f)
				}
			}
			d = checked(2)
			mendAsSaid(t, only(t, d, calc.FlawOff, ""))
			checked(0)
			want(t, "TCP", plain, options{1, 60, 10, 3, 0})
			want(t, "the other end", server, options{0, 60, 10, 3, 0})

			// Values would not help, so that none are proposed.
			if err := unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
				t.Fatal(err)
			}
			d = checkOwn(t, 2, append(ports[:2:2], "--detect-within", "50")...)
			if f := only(t, d, calc.FlawOff, "1 MPTCP socket"); f.Fix != nil || !strings.Contains(f.Text, "no values are enough while net.mptcp.close_timeout is 60") {
				t.Errorf("%+v", f)
			}
		}
	})
}

// A listener may accept MPTCP or TCP.
func TestCheckOfAListenerForMPTCP(t *testing.T) {
	mptcpRoom(t, func(t *testing.T, k calc.Kernel) {
		listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Bind(listener, nstest.Loopback(unix.AF_INET)); err != nil {
			t.Fatal(err)
		}
		if err := unix.Listen(listener, 5); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			wish   wish
			status int
		}{
			{wish{on: true, time: 60, intvl: 10, probes: 3}, 3}, // enough for TCP
			{wish{on: true, time: 600, intvl: 10, probes: 3}, 2},
		} {
			if err := row.wish.set(listener); err != nil {
				t.Fatal(err)
			}
			checked := func(status int) check.Document {
				t.Helper()
				return checkOwn(t, status, "--state", "listen", "--detect-within", "2m")
			}
			mendAsSaid(t, only(t, checked(row.status), calc.FlawMPTCP, "1 MPTCP socket"))
			checked(0)
		}
	})
}

// What the kernel does not say is not known to be well.
func TestCheckOfMPTCPThatIsNotKnown(t *testing.T) {
	mptcpRoom(t, func(t *testing.T, k calc.Kernel) {
		multipath(t, wish{on: true, time: 60, intvl: 10, probes: 3})
		multipath(t, wish{})
		judge := func() {
			t.Helper()
			f := only(t, checkOwn(t, 3, "--keepalive", "on", "--detect-within", "4h"), calc.FlawMPTCP, "1 MPTCP socket")
			if f.Fix != nil || f.Severity != check.SeverityUnknown || !strings.Contains(f.Text, "the kernel does not say (net.mptcp.close_timeout)") {
				t.Errorf("%+v", f)
			}
			f = only(t, checkOwn(t, 2, "--keepalive", "on", "--detect-within", "60"), calc.FlawMPTCP, "1 MPTCP socket")
			if f.Fix != nil || !strings.Contains(f.Text, "no values are known to be enough") {
				t.Errorf("%+v", f)
			}
			checkOwn(t, 0, "--keepalive", "on", "--path-timeout", "120")
		}
		nstest.Sysctl(t, "net.mptcp.close_timeout", "-1")
		judge()
		if err := unix.Mount("tmpfs", "/proc/sys/net/mptcp", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
			t.Fatal(err)
		}
		judge() // as of an older kernel
	})
}
