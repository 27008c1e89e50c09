// Package sshend is one end of an SSH session: the values it has, the files they were read
// from, and since when.
package sshend

import (
	"fmt"
	"strconv"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// AnyHost stands for a host that no file names.
const AnyHost = "tcpka.invalid"

const SshdConfig = "/etc/ssh/sshd_config"

// KeywordsOf are those of one side, its interval first.
func KeywordsOf(side calc.SSHSide) []sshconf.Keyword {
	if side == calc.SSHServer {
		return sshconf.ServerKeywords
	}
	return sshconf.ClientKeywords
}

// ReadEnd reads the options that decide.
func ReadEnd(end *calc.SSH, said sshconf.Options) error {
	prefix := "serveralive"
	if end.Side == calc.SSHServer {
		prefix = "clientalive"
	}
	if text, ok := said[prefix+"interval"]; ok {
		d, err := sshconf.ParseAnyTime(text)
		if err != nil {
			return fmt.Errorf("%sinterval: %w", prefix, err)
		}
		end.Interval = d
	}
	if text, ok := said[prefix+"countmax"]; ok {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil || n < 0 {
			return fmt.Errorf("%scountmax: %q is no count", prefix, text)
		}
		end.CountMax = int(n)
	}
	if text, ok := said["tcpkeepalive"]; ok {
		end.TCPKeepAlive = text == "yes" || text == "true"
	}
	end.Proxied = end.Side == calc.SSHClient && (IsSet(said["proxyjump"]) || IsSet(said["proxycommand"]))
	return nil
}

// IsSet reports whether ssh -G or sshd -T says that an option is in use.
func IsSet(value string) bool {
	return value != "" && value != "none" && value != "no" && value != "0" && value != "false"
}
