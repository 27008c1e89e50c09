package stall

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestBetween(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		what          string
		wakes         []time.Duration
		from, to, now time.Duration
		want          time.Duration
	}{
		{"on time", []time.Duration{11 * s}, 10 * s, 20 * s, 11 * s, 0},
		{"as late as is not notable", []time.Duration{12 * s}, 10 * s, 20 * s, 12 * s, 0},
		{"later", []time.Duration{14 * s}, 10 * s, 20 * s, 14 * s, 3 * s},
		{"twice", []time.Duration{14 * s, 14*s + nap + 2*s}, 10 * s, 20 * s, 17 * s, 5 * s},
		{"over before the span", []time.Duration{14 * s}, 14 * s, 20 * s, 14 * s, 0},
		{"into the span", []time.Duration{14 * s}, 13 * s, 20 * s, 14 * s, 3 * s},
		{"out of the span", []time.Duration{14 * s}, 10 * s, 12 * s, 14 * s, 3 * s},
		{"begun after the span", []time.Duration{14 * s}, 10 * s, 11 * s, 14 * s, 0},
		{"it goes on", nil, 10 * s, 20 * s, 14 * s, 3 * s},
		{"it goes on and is not notable yet", nil, 10 * s, 20 * s, 12 * s, 0},
	} {
		w := &Watcher{notable: s, due: 11 * s}
		for _, now := range c.wakes {
			w.awake(now)
		}
		if got := w.between(c.from, c.to, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// A process that was stopped knows for how long.
func TestStopped(t *testing.T) {
	const childEnv, stopped = "TCPKA_STALL_CHILD", 300 * time.Millisecond
	if os.Getenv(childEnv) != "" {
		w := Watch(10 * time.Millisecond)
		defer w.End()
		from := Now()
		io.WriteString(os.Stdout, "watching\n")
		bufio.NewReader(os.Stdin).ReadString('\n')
		io.WriteString(os.Stdout, w.Between(from, Now()).String()+"\n")
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestStopped$")
	cmd.Env = append(os.Environ(), childEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "watching\n" {
		t.Fatalf("%q, %v", line, err)
	}
	for _, signal := range []unix.Signal{unix.SIGSTOP, unix.SIGCONT} {
		if err := unix.Kill(cmd.Process.Pid, signal); err != nil {
			t.Fatal(err)
		}
		if signal == unix.SIGSTOP {
			time.Sleep(stopped)
		}
	}
	io.WriteString(in, "\n")
	line, err := lines.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	saw, err := time.ParseDuration(strings.TrimSpace(line))
	// It began to sleep, and was noticed to, a nap before at most.
	if whole := Now() - begin; err != nil || saw < stopped-2*nap || saw > whole {
		t.Errorf("stopped for %v of %v, and saw %q", stopped, whole, line)
	}
}
