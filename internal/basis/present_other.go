//go:build !linux

package basis

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/keepalive"
)

// Present is a Linux kernel's defaults.
func Present(_ *cmdline.Invocation, c *cli.Context) (Values, error) {
	if err := LinuxOnly(c); err != nil {
		return Values{}, err
	}
	return Values{
		Settings: keepalive.Defaults(),
		Kernel:   calc.DefaultKernel(),
		Source:   "defaults of the Linux kernel",
	}, nil
}

// LinuxOnly refuses the flags that only a Linux kernel can answer.
func LinuxOnly(c *cli.Context) error {
	for _, name := range []string{"netns", "root"} {
		if _, ok := cmdline.Given(c, name); ok {
			return cmdline.Misuse("--%s works on Linux only", name)
		}
	}
	return nil
}
