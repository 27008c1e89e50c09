// Package basis is what a prediction rests on: the settings and the kernel of a namespace
// or an image, and the values that flags put in their place.
package basis

import (
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/keepalive"
)

// Flags stand in for what the kernel goes by beside the settings.
func Flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "retries2", Usage: "tcp_retries2, a `NUMBER`: how long data in flight is retransmitted"},
		&cli.StringFlag{Name: "rto-max", Usage: "tcp_rto_max_ms as seconds or `DURATION`: longest wait between retransmissions"},
		&cli.StringFlag{Name: "hz", Usage: "the kernel's CONFIG_HZ, a `NUMBER`: how late its timers are"},
	}
}

// Values are what an explanation rests on.
type Values struct {
	Settings keepalive.Settings
	Kernel   calc.Kernel
	Assumed  []string // what was not read, but taken as the kernel's default
	Source   string   // where it was read: "namespace host"
}

// Override puts the values given in place of the host's.
func Override(c *cli.Context, v *Values) error {
	for _, f := range []struct {
		name, key string
		to        *int
		lo, hi    int
	}{
		{"retries2", "net.ipv4.tcp_retries2", &v.Kernel.Retries2, 0, 255},
		{"syn-retries", "net.ipv4.tcp_syn_retries", &v.Kernel.SynRetries, 1, 127},
		{"syn-linear-timeouts", "net.ipv4.tcp_syn_linear_timeouts", &v.Kernel.SynLinearTimeouts, 0, 127},
		{"hz", "HZ", &v.Kernel.HZ, 24, 1200},
	} {
		n, err := cmdline.Number(c, f.name, f.lo, f.hi)
		if err != nil {
			return err
		}
		if n == nil {
			continue
		}
		*f.to = *n
		v.drop(f.key)
	}
	d, err := cmdline.Duration(c, "rto-max", time.Millisecond, time.Second, 120*time.Second, "1s to 120s")
	if err != nil {
		return err
	}
	if d != nil {
		v.Kernel.RTOMax = *d
		v.drop("net.ipv4.tcp_rto_max_ms")
	}
	return nil
}

// drop takes key from what is assumed: it was given.
func (v *Values) drop(key string) {
	var rest []string
	for _, a := range v.Assumed {
		if a != key {
			rest = append(rest, a)
		}
	}
	v.Assumed = rest
}
