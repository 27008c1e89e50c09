package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// writerEnv makes a test binary a process that journals: it holds the directory
// and the length at which the journal is cut.
const writerEnv = "TCPKA_JOURNAL_WRITER"

const (
	writers  = 4
	commands = 25 // of each writer
)

func TestProcessesTakeTurns(t *testing.T) {
	if env := os.Getenv(writerEnv); env != "" {
		write(t, env)
		return
	}
	for _, row := range []struct {
		name string
		max  int
		all  bool
	}{
		{"in one file", maxSize, true},
		{"while the file is replaced again and again", 3000, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := tempDir(t)
			begun := runWriters(t, d, row.max)
			slices.Sort(begun)
			if n := len(slices.Compact(slices.Clone(begun))); n != writers*commands {
				t.Errorf("%d different IDs of %d commands", n, writers*commands)
			}
			log, err := d.Read()
			if err != nil || log.Skipped != 0 {
				t.Fatalf("%d lines skipped, %v", log.Skipped, err)
			}
			if n := len(log.Entries); n == 0 || row.all != (n == len(begun)) {
				t.Errorf("%d of %d commands are left", n, len(begun))
			}
			// The IDs grow from command to command, whoever gives it, so what is
			// left are the greatest, in order.
			slices.Reverse(begun)
			for i, e := range log.Entries {
				if e.ID != begun[i] || !e.Done {
					t.Fatalf("command %d from the end is %s, done %t; want %s", i, e.ID, e.Done, begun[i])
				}
			}
		})
	}
}

// runWriters runs processes that write to d at the same time, and returns the
// IDs of their commands.
func runWriters(t *testing.T, d Dir, max int) (ids []string) {
	t.Helper()
	var outs [writers]bytes.Buffer
	var cmds [writers]*exec.Cmd
	for i := range cmds {
		cmds[i] = exec.Command("/proc/self/exe", "-test.run=^TestProcessesTakeTurns$")
		cmds[i].Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", writerEnv, max, d))
		cmds[i].Stdout, cmds[i].Stderr = &outs[i], &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range cmds {
		if err := cmds[i].Wait(); err != nil {
			t.Errorf("writer %d: %v\n%s", i, err, &outs[i])
		}
		for line := range strings.Lines(outs[i].String()) {
			if id, ok := strings.CutPrefix(line, "begun "); ok {
				ids = append(ids, strings.TrimSpace(id))
			}
		}
	}
	return ids
}

func write(t *testing.T, env string) {
	max, dir, _ := strings.Cut(env, " ")
	for i := range commands {
		j := open(t, At(dir))
		j.max, _ = strconv.Atoi(max)
		id := begin(t, j, strconv.Itoa(i+1))
		fmt.Println("begun", id)
		if err := errors.Join(j.Done(id, nil), j.Undone(id), j.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenWaitsForTheOtherToFinish(t *testing.T) {
	d := tempDir(t)
	first := open(t, d)
	if _, err := d.openWrite(0); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	opened := make(chan error)
	go func() {
		second, err := d.openWrite(time.Minute)
		if err == nil {
			err = second.Close()
		}
		opened <- err
	}()
	id := begin(t, first, "600")
	if err := errors.Join(first.Done(id, nil), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}
