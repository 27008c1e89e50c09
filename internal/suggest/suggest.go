// Package suggest makes the command lines that hints, fixes and next steps propose.
package suggest

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// AsTyped is a command line as its reader has to type it.
func AsTyped(words []string) string {
	if os.Getenv("SUDO_UID") != "" {
		words = append([]string{"sudo"}, words...)
	}
	return ShellJoin(words)
}

// ShellJoin quotes words for a shell where they need it.
func ShellJoin(words []string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:@%+,"
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.Trim(w, plain) != "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// ValueArgs are the flags that give the three values.
func ValueArgs(s keepalive.Settings) string {
	return fmt.Sprintf("--time %d --intvl %d --probes %d", s.Time/time.Second, s.Intvl/time.Second, s.Probes)
}

// SocketArgs are those of a socket: the three, and its user timeout where there is one.
func SocketArgs(s keepalive.Settings) string {
	if s.UserTimeout == 0 {
		return ValueArgs(s)
	}
	return ValueArgs(s) + " --user-timeout " + UserTimeoutArg(s.UserTimeout)
}

// UserTimeoutArg is a value of --user-timeout.
func UserTimeoutArg(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

// ExplainThese tries values out, SetThese gives them to new connections.
func ExplainThese(s keepalive.Settings) string { return "tcpka explain " + SocketArgs(s) }

func SetThese(s keepalive.Settings) string { return "sudo tcpka set " + ValueArgs(s) + " --rearm" }

// SSHFix is the command that gives one side of SSH these probes.
func SSHFix(side calc.SSHSide, s calc.SSH) string {
	args := fmt.Sprintf("tcpka set ssh --side %s --interval %d --count %d", side, s.Interval/time.Second, s.CountMax)
	if side == calc.SSHServer {
		return "sudo " + args + " --reload"
	}
	return args
}
