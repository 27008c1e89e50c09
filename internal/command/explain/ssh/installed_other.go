//go:build !linux

package ssh

import (
	"context"

	"github.com/tcpka/tcpka/calc"
)

// installedSSH is not known: what is installed is looked for on Linux only.
func installedSSH(context.Context, calc.SSHSide) calc.SSHVersion { return calc.SSHVersion{} }
