//go:build !linux

package paths

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/basis"
	"github.com/tcpka/tcpka/internal/cmdline"
)

// localLimits are none: this host is no Linux middlebox.
func localLimits(_ *cmdline.Invocation, c *cli.Context) ([]LocalLimit, error) {
	return nil, basis.LinuxOnly(c)
}
