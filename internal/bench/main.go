// Command bench measures tcpka beside the programs it competes with, in turn and
// in one run, and prints the ratios: the start of tcpka show beside sysctl -n of
// the same three keys, and the list of sockets beside ss -tnop. Machines are
// noisy: the ratio of the medians is what to look at, not the milliseconds.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"
)

const rounds = 300

func main() {
	large := flag.Bool("large", false, "200,000 sockets, too")
	flag.Parse()
	var err error
	switch {
	case flag.NArg() == 2 && flag.Arg(0) == "hold":
		n, _ := strconv.Atoi(flag.Arg(1))
		err = hold(n)
	case flag.NArg() == 3 && flag.Arg(0) == "holdpart":
		n, _ := strconv.Atoi(flag.Arg(1))
		address, _ := strconv.Atoi(flag.Arg(2))
		err = holdPart(n, address)
	case flag.NArg() == 2 && flag.Arg(0) == "retune":
		n, _ := strconv.Atoi(flag.Arg(1))
		err = withSockets(n, func() error { return benchRetune(n) })
	case flag.NArg() == 1:
		if err = benchShow(flag.Arg(0)); err == nil {
			err = benchSockets(flag.Arg(0), *large)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: bench [-large] TCPKA, or bench retune N")
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func benchShow(tcpka string) error {
	sysctl, err := exec.LookPath("sysctl")
	if err != nil {
		sysctl = "/usr/sbin/sysctl"
	}
	commands := [][]string{
		{tcpka, "show"},
		{sysctl, "-n", "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes"},
	}
	took := make([][]time.Duration, len(commands))
	for round := range rounds + 10 {
		for i, c := range commands {
			d, err := run(c)
			if err != nil {
				return err
			}
			if round >= 10 { // the first ones warm the caches
				took[i] = append(took[i], d)
			}
		}
	}
	for i, c := range commands {
		slices.Sort(took[i])
		fmt.Printf("%-12s median %v, 10th percentile %v\n", c[1], median(took[i]), took[i][rounds/10].Round(time.Microsecond))
	}
	fmt.Printf("tcpka show / sysctl -n: %.2f by the median, %.2f by the 10th percentile (aim 2.2, limit 3)\n",
		float64(median(took[0]))/float64(median(took[1])),
		float64(took[0][rounds/10])/float64(took[1][rounds/10]))
	return nil
}

func run(c []string) (time.Duration, error) {
	cmd := exec.Command(c[0], c[1:]...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	err := cmd.Run()
	return time.Since(start), err
}

func median(sorted []time.Duration) time.Duration {
	return sorted[len(sorted)/2].Round(time.Microsecond)
}
