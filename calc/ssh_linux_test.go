package calc_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/nstest"
	"github.com/tcpka/tcpka/keepalive"
)

// wake is how much later than its rule a program may be seen to give up, beside
// what poll(2) adds and what the machine is late by: it has to log, exit and be
// noticed.
const wake = 500 * time.Millisecond

// TestRealOpenSSH measures the ssh and sshd installed here against the rule for
// their release: the time until either gives up on a peer that is stopped, and on
// one that gets no packet any more. All sessions run at once, each in a network of
// its own.
func TestRealOpenSSH(t *testing.T) {
	t.Parallel()
	nstest.Run(t, func(t *testing.T) {
		lab := newSSHLab(t)
		k, defaults := calc.DefaultKernel(), keepalive.Defaults()
		type trial struct {
			name   string
			run    func() (string, error)
			report string
			err    error
			done   chan struct{}
		}
		var trials []*trial
		try := func(name string, run func() (string, error)) {
			trials = append(trials, &trial{name: name, run: run, done: make(chan struct{})})
			lab.ready.Add(1)
		}
		for _, r := range []struct {
			side            calc.SSHSide
			interval, count int
		}{
			{calc.SSHClient, 1, 3},
			{calc.SSHClient, 2, 3},
			{calc.SSHClient, 3, 1},
			{calc.SSHClient, 2, 0},
			{calc.SSHServer, 1, 3},
			{calc.SSHServer, 2, 1},
			{calc.SSHServer, 3, 1},
			{calc.SSHServer, 2, 3},
		} {
			end := lab.end(r.side, r.interval, r.count)
			name := fmt.Sprintf("%s %d x %d, peer ", r.side, r.interval, r.count)
			try(name+"stopped", func() (string, error) { return lab.measure(end, end.Detection(), (*sshSession).stop) })
			try(name+"gone", func() (string, error) { return lab.measure(end, end.Detection(), (*sshSession).deafen) })
		}
		try("count 0 drops a living server", func() (string, error) {
			end := lab.end(calc.SSHClient, 2, 0)
			return lab.measure(end, situation(t, end.Situations(k, defaults), calc.SSHPeerAlive), (*sshSession).nothing)
		})
		try("count 0 keeps a dead client", func() (string, error) {
			end := lab.end(calc.SSHServer, 1, 0)
			return lab.measure(end, end.Detection(), (*sshSession).stop)
		})
		try("a session that prints while its client is stopped", func() (string, error) {
			end := lab.end(calc.SSHServer, 1, 3)
			return lab.measure(end, situation(t, end.Situations(k, defaults), calc.SSHSendingStopped), (*sshSession).printAndStop)
		})
		try("TCP gives up first", func() (string, error) {
			end, few := lab.end(calc.SSHClient, 2, 30), k
			few.Retries2 = 3
			p := situation(t, end.Situations(few, defaults), calc.SSHPeerGone)
			return lab.measure(end, p, (*sshSession).deafen, "tcp_retries2=3")
		})
		try("TCPKeepAlive alone", func() (string, error) {
			end := lab.end(calc.SSHClient, 0, 3)
			p := situation(t, end.Situations(k, keepalive.Settings{Time: 2 * time.Second, Intvl: time.Second, Probes: 3}), calc.SSHPeerGone)
			return lab.measure(end, p, (*sshSession).deafen, "tcp_keepalive_time=2", "tcp_keepalive_intvl=1", "tcp_keepalive_probes=3")
		})
		try("before authentication", func() (string, error) { return lab.measureBanner(lab.end(calc.SSHClient, 2, 3)) })
		try("probes that refresh the path", func() (string, error) { return lab.measureRefresh(lab.end(calc.SSHServer, 2, 3)) })

		for _, x := range trials {
			go func() {
				x.report, x.err = x.run()
				close(x.done)
			}()
		}
		for _, x := range trials {
			t.Run(x.name, func(t *testing.T) {
				<-x.done
				t.Log(x.report)
				if x.err != nil {
					t.Error(x.err)
				}
			})
		}
	})
}

func span(p calc.Prediction) string {
	if p.Never {
		return "predicted: never"
	}
	return fmt.Sprintf("predicted %s .. %s by %s", p.Earliest, p.Latest, p.DecidedBy)
}

// measureBanner lets ssh talk to a server that says its version and no more.
func (lab *sshLab) measureBanner(end calc.SSH) (report string, err error) {
	want := end.BeforeAuthentication()
	lab.ready.Done()
	lab.ready.Wait()
	apart := nstest.Apart(func() {
		var l net.Listener
		if l, err = net.Listen("tcp4", "127.0.0.1:0"); err != nil {
			return
		}
		defer l.Close()
		go func() {
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			io.WriteString(c, "SSH-2.0-silent\r\n")
			io.Copy(io.Discard, c)
		}()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		start := time.Now()
		text, _ := exec.Command(lab.ssh, "-F", "none", "-p", port, "-o", fmt.Sprintf("ServerAliveInterval=%d", end.Interval/time.Second),
			"-o", fmt.Sprintf("ServerAliveCountMax=%d", end.CountMax), "127.0.0.1").CombinedOutput()
		took := time.Since(start).Round(time.Millisecond)
		report = fmt.Sprintf("gave up after %s; %s", took, span(want))
		if took < want.Earliest || took > want.Latest+wake+lab.lateness.Since(start) || !strings.Contains(string(text), "timed out") {
			err = fmt.Errorf("%s: %s", report, text)
		}
	})
	return report, errors.Join(apart, err)
}

// measureRefresh watches the bytes that probes bring to a living client.
func (lab *sshLab) measureRefresh(end calc.SSH) (report string, err error) {
	period, ok := end.Refresh()
	if !ok {
		return "", errors.New("no probe is predicted")
	}
	err = lab.within(end, nil, func(s *sshSession) error {
		process, err := unix.PidfdOpen(s.client.Process.Pid, 0)
		if err != nil {
			return err
		}
		defer unix.Close(process)
		fd, err := unix.PidfdGetfd(process, 3, 0) // ssh opens its connection first
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		// The bytes of a probe came between two looks.
		type probe struct{ after, before time.Time }
		var probes []probe
		received, begin, looked := uint64(0), time.Now(), time.Now()
		for len(probes) < 2 && time.Since(begin) < 3*period+wake+lab.lateness.Since(begin) {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				return err
			}
			now := time.Now()
			if received != 0 && info.Bytes_received != received {
				probes = append(probes, probe{looked, now})
			}
			received, looked = info.Bytes_received, now
			time.Sleep(20 * time.Millisecond)
		}
		if len(probes) < 2 {
			return fmt.Errorf("%d probes in %s", len(probes), time.Since(begin))
		}
		shortest, longest := probes[1].after.Sub(probes[0].before), probes[1].before.Sub(probes[0].after)
		report = fmt.Sprintf("a probe every %s to %s; predicted %s", shortest.Round(time.Millisecond), longest.Round(time.Millisecond), period)
		if longest < period-wake || shortest > period+wake+lab.lateness.Since(begin) {
			return errors.New(report)
		}
		return nil
	})
	return report, err
}
