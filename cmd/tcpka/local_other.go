//go:build !linux

package main

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/report"
)

// localLimits are none: this host is no Linux middlebox.
func localLimits(_ *session, c *cli.Context) ([]report.LocalLimit, error) {
	return nil, linuxOnly(c)
}
