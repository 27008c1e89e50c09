package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// asTyped is a command line as its reader has to type it.
func asTyped(words []string) string {
	if os.Getenv("SUDO_UID") != "" {
		words = append([]string{"sudo"}, words...)
	}
	return shellJoin(words)
}

// shellJoin quotes words for a shell where they need it.
func shellJoin(words []string) string {
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

// valueArgs are the flags that give the three values.
func valueArgs(s keepalive.Settings) string {
	return fmt.Sprintf("--time %d --intvl %d --probes %d", s.Time/time.Second, s.Intvl/time.Second, s.Probes)
}

// socketArgs are those of a socket: the three, and its user timeout where there is one.
func socketArgs(s keepalive.Settings) string {
	if s.UserTimeout == 0 {
		return valueArgs(s)
	}
	return valueArgs(s) + " --user-timeout " + userTimeoutArg(s.UserTimeout)
}

// userTimeoutArg is a value of --user-timeout.
func userTimeoutArg(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}

// explainThese tries values out, setThese gives them to new connections.
func explainThese(s keepalive.Settings) string { return "tcpka explain " + socketArgs(s) }
func setThese(s keepalive.Settings) string     { return "sudo tcpka set " + valueArgs(s) + " --rearm" }

// sshFix is the command that gives one side of SSH these probes.
func sshFix(side calc.SSHSide, s calc.SSH) string {
	args := fmt.Sprintf("tcpka set ssh --side %s --interval %d --count %d", side, s.Interval/time.Second, s.CountMax)
	if side == calc.SSHServer {
		return "sudo " + args + " --reload"
	}
	return args
}
