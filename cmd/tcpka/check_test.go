//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/command/check"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/nstest"
)

// On a path with a real router: what check finds fault with dies there idle, and
// lives once the fix was run.
func TestCheckBehindARouter(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		const limit = 6
		r := nstest.NewRouter(t, 1, limit, false, nstest.Swallows)
		var listener int
		var at netip.AddrPort
		if err := r.InServer(func() (err error) {
			listener, at, err = middlebox.Listen(netip.AddrPortFrom(r.Server, 7000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		checked := func(client, status int) []check.Finding {
			t.Helper()
			local, err := unix.Getsockname(client)
			if err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(local.(*unix.SockaddrInet4).Port)
			stdout, stderr, got := tcpka(t, 0, "check", "--path-timeout", strconv.Itoa(limit), "--local", ":"+port, "--json")
			if got != status {
				t.Errorf("check: status %d, want %d\n%s%s", got, status, stdout, stderr)
			}
			var found struct{ Findings []check.Finding }
			if err := json.Unmarshal([]byte(stdout), &found); err != nil {
				t.Fatal(err)
			}
			return found.Findings
		}
		off, offServer := through(t, listener, at)
		mended, mendedServer := through(t, listener, at)
		for _, fd := range []int{off, mended} {
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
				t.Fatal(err)
			}
			if f := checked(fd, 2); len(f) != 1 || f[0].ID != calc.FlawOff {
				t.Fatalf("%+v", f)
			}
		}
		fix := *checked(mended, 2)[0].Fix
		t.Log(fix)
		if out, err := exec.Command("sh", "-c", `sudo() { "$@" --yes; }; `+fix).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", fix, err, out)
		}
		if f := checked(mended, 0); len(f) != 0 {
			t.Errorf("%+v", f)
		}
		time.Sleep((limit + 3) * time.Second)
		if !dead(off, offServer) {
			t.Error("what check found fault with lives on")
		}
		if !lives(mended, mendedServer) {
			t.Error("what check found well died idle")
		}
	})
}

// The command for keepalive that is off is as narrow as what was found: not for the
// program's other connections, which this host has to itself.
func TestCheckOffLeavesOthers(t *testing.T) {
	nstest.Parallel(t)
	nstest.Run(t, func(t *testing.T) {
		furnish(t)
		os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
		r := nstest.NewRouter(t, 2, 60, false, nstest.Swallows)
		var listener int
		var at netip.AddrPort
		if err := r.InServer(func() (err error) {
			listener, at, err = middlebox.Listen(netip.AddrPortFrom(r.Server, 7000))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		off := func(fd int) {
			t.Helper()
			if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0); err != nil {
				t.Fatal(err)
			}
		}
		keepalive := func(fd int) int {
			t.Helper()
			on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
			if err != nil {
				t.Fatal(err)
			}
			return on
		}
		checked := func(status int) check.Document {
			t.Helper()
			stdout, stderr, got := tcpka(t, 0, "check", "--detect-within", "4h", "--json")
			if got != status {
				t.Errorf("check: status %d, want %d\n%s%s", got, status, stdout, stderr)
			}
			var d check.Document
			if err := json.Unmarshal([]byte(stdout), &d); err != nil {
				t.Fatal(err)
			}
			return d
		}
		mend := func(f check.Finding) {
			t.Helper()
			if f.ID != calc.FlawOff || f.Fix == nil {
				t.Fatalf("%+v", f)
			}
			if out, err := exec.Command("sh", "-c", `sudo() { "$@" --yes; }; `+*f.Fix).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", *f.Fix, err, out)
			}
		}
		client, server, err := wish{}.connect()
		if err != nil {
			t.Fatal(err)
		}
		out, _ := through(t, listener, at)
		off(out)
		if d := checked(2); len(d.Findings) == 1 {
			mend(d.Findings[0])
		} else {
			t.Fatalf("%+v", d)
		}
		if keepalive(out) != 1 || keepalive(client) != 0 || keepalive(server) != 0 {
			t.Errorf("mended: %d; of the host to itself: %d, %d", keepalive(out), keepalive(client), keepalive(server))
		}
		checked(0)

		// More than can be named one by one: as many as that.
		for range check.MaxEnds + 2 {
			fd, _ := through(t, listener, at)
			off(fd)
		}
		d := checked(2)
		want := fmt.Sprintf("; the command is for %d of them, because no filter tells all of them from others", check.MaxEnds)
		if len(d.Findings) != 1 || d.Findings[0].Count != check.MaxEnds+2 || !strings.HasSuffix(d.Findings[0].Text, want) {
			t.Fatalf("%+v", d.Findings)
		}
		mend(d.Findings[0])
		if d = checked(2); len(d.Findings) != 1 || d.Findings[0].Count != 2 {
			t.Fatalf("%+v", d.Findings)
		}
		mend(d.Findings[0])
		checked(0)
		if keepalive(client) != 0 || keepalive(server) != 0 {
			t.Error("a connection of the host to itself was changed")
		}
	})
}
