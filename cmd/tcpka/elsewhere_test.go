//go:build linux

package main

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/command/check"
	"github.com/tcpka/tcpka/internal/nstest"
)

// A process can hold sockets of another namespace than it is in: one of its threads left,
// or came back. They are found, and where none is found it says where to look.
func TestSocketsOfAnotherNamespaceThanTheirProcess(t *testing.T) {
	for _, row := range []struct {
		name  string
		stays bool   // the thread
		keep  func() // it does before it ends
	}{
		{name: "a thread is in it", stays: true},
		{name: "a descriptor keeps it", keep: func() { unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0) }},
		{name: "only its sockets are left"},
	} {
		t.Run(row.name, func(t *testing.T) {
			nstest.Parallel(t)
			nstest.Run(t, func(t *testing.T) {
				furnish(t)
				alone(t)
				os.Setenv("HOME", t.TempDir()) // of this process, which runs nothing else
				made, stay := make(chan error), make(chan bool)
				t.Cleanup(func() { close(stay) })
				client := -1
				go nstest.OnThread(func() error {
					err := unix.Unshare(unix.CLONE_NEWNET)
					if err == nil {
						err = nstest.Up("lo")
					}
					if err == nil {
						client, _, err = wish{}.connect()
					}
					if row.keep != nil {
						row.keep()
					}
					made <- err
					if row.stays {
						<-stay
					}
					return nil
				})
				if err := <-made; err != nil {
					t.Fatal(err)
				}
				pid := strconv.Itoa(os.Getpid())
				count := func(want int, args ...string) (stderr string) {
					t.Helper()
					stdout, stderr, status := tcpka(t, 0, append([]string{"show", "sockets", "--pid", pid, "--json"}, args...)...)
					var d struct{ Sockets []struct{ Netns string } }
					if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 0 || len(d.Sockets) != want {
						t.Fatalf("%q: status %d, %v, %d sockets, want %d\n%s", args, status, err, len(d.Sockets), want, stderr)
					}
					return stderr
				}
				count(2, "--netns", "all")
				at := regexp.MustCompile(`process ` + pid + ` is in this network namespace, and holds TCP sockets of another: --netns (\S+) looks there`).FindStringSubmatch(count(0))
				if at == nil {
					t.Fatal("it does not say that there are others")
				}
				count(2, "--netns", at[1])
				stdout, stderr, status := tcpka(t, 0, "check", "--pid", pid, "--json")
				var d check.Document
				if err := json.Unmarshal([]byte(stdout), &d); err != nil || status != 3 || len(d.Findings) != 1 || d.Findings[0].ID != check.FindOtherNamespace {
					t.Fatalf("status %d, %v\n%s%s", status, err, stdout, stderr)
				}
				takes(t, "check", *d.Findings[0].Fix)
				count(2, "--netns", "/proc/"+pid+"/fd/"+strconv.Itoa(client)) // by any of its sockets
			})
		})
	}
}
