package ssh

import (
	"context"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// installedSSH is the release of the ssh or sshd that is installed; the zero value is
// none, or none of OpenSSH.
func installedSSH(ctx context.Context, side calc.SSHSide) calc.SSHVersion {
	programs := sshconf.FindPrograms()
	ask := programs.ClientVersion
	if side == calc.SSHServer {
		ask = programs.ServerVersion
	}
	text, err := ask(ctx)
	if err != nil {
		return calc.SSHVersion{}
	}
	v, _ := calc.ParseSSHVersion(text)
	return v
}
