package room_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/internal/room"
)

func TestApartIsANamespaceOfItsOwn(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		here, err := os.Stat("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		var there os.FileInfo
		var pairErr error
		if err := room.Apart(func() {
			there, _ = os.Stat("/proc/thread-self/ns/net")
			_, _, pairErr = room.Pair(unix.AF_INET6, nil) // loopback is up
		}); err != nil || pairErr != nil {
			t.Fatal(err, pairErr)
		}
		if os.SameFile(here, there) {
			t.Error("still in the namespace outside")
		}
	})
}

// A test may fail on the thread: whoever waits for it hears of that.
func TestWhatEndsItsGoroutineIsAnError(t *testing.T) {
	if err := room.OnThread(func() error {
		new(testing.T).FailNow()
		return nil
	}); err != room.ErrEnded {
		t.Errorf("on a thread: %v", err)
	}
	nstest.Run(t, func(t *testing.T) {
		if err := room.Apart(func() { new(testing.T).SkipNow() }); err != room.ErrEnded {
			t.Errorf("apart: %v", err)
		}
	})
}

func TestDropAllAnswersNothing(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		client, server := pair(t)
		if err := room.DropAll(server); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Write(client, []byte("x")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		if i := info(t, client); i.Unacked != 1 || i.State != 1 {
			t.Errorf("state %d with %d packets unacknowledged, want 1 and 1", i.State, i.Unacked)
		}
		if i := info(t, server); i.Bytes_received != 0 {
			t.Errorf("the deaf socket received %d bytes", i.Bytes_received)
		}
	})
}

func TestForgetSaysNothingAndAnswersWithAReset(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		client, server := pair(t)
		if err := room.Forget(server); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		if i := info(t, client); i.State != 1 {
			t.Fatalf("state %d, want 1: the peer was told", i.State)
		}
		if _, err := unix.Write(client, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := unix.Read(client, make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("read: %v, want %v", err, unix.ECONNRESET)
		}
	})
}

func TestHalfOpenStaysARequest(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		listener, at, err := room.Listen(unix.AF_INET)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := room.HalfOpen(at); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		if err := unix.SetNonblock(listener, true); err != nil {
			t.Fatal(err)
		}
		if _, _, err := unix.Accept(listener); err != unix.EAGAIN {
			t.Errorf("accept: %v, want %v", err, unix.EAGAIN)
		}
		sockets, err := os.ReadFile("/proc/thread-self/net/tcp")
		if err != nil {
			t.Fatal(err)
		}
		const synRecv = " 03 00000000:00000000 01:"
		if !strings.Contains(string(sockets), synRecv) {
			t.Errorf("no request waits:\n%s", sockets)
		}
	})
}

func pair(t *testing.T) (client, server int) {
	t.Helper()
	client, server, err := room.Pair(unix.AF_INET, nil)
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func info(t *testing.T, fd int) *unix.TCPInfo {
	t.Helper()
	i, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return i
}
