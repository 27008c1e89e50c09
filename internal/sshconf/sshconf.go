// Package sshconf reads the keepalive settings of OpenSSH, of the client and of the
// server.
//
// What is in force is for the programs themselves to say: [Programs] runs ssh -G
// and sshd -T, which know their defaults and what a distribution changed. Which
// file and line decided is for [FindClient] and [FindServer] to say, which follow
// Include, Host and Match as the programs do, and say so where they cannot be
// sure.
//
// It only reads, and makes no connection. What changes the files is package sshedit, what
// runs package sshproc, and what other programs keep package sshclients.
package sshconf

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Keyword is an option of OpenSSH's files, in the spelling of its manual pages.
// The files may spell it in any case.
type Keyword string

const (
	ServerAliveInterval Keyword = "ServerAliveInterval"
	ServerAliveCountMax Keyword = "ServerAliveCountMax"
	ClientAliveInterval Keyword = "ClientAliveInterval"
	ClientAliveCountMax Keyword = "ClientAliveCountMax"
	TCPKeepAlive        Keyword = "TCPKeepAlive"
)

// ClientKeywords and ServerKeywords are what is looked for on either side.
var (
	ClientKeywords = []Keyword{ServerAliveInterval, ServerAliveCountMax, TCPKeepAlive}
	ServerKeywords = []Keyword{ClientAliveInterval, ClientAliveCountMax, TCPKeepAlive}
)

// NamesOf are the keywords by the names, in lower case, that they have in files of ssh
// or of sshd. KeepAlive is a name of old, and ProtocolKeepAlives and SetupTimeOut are
// Debian's. Source: readconf.c and servconf.c, keywords; Debian's keepalive-extensions.patch.
func NamesOf(server bool) map[string]Keyword {
	if server {
		return map[string]Keyword{
			"clientaliveinterval": ClientAliveInterval, "clientalivecountmax": ClientAliveCountMax,
			"tcpkeepalive": TCPKeepAlive, "keepalive": TCPKeepAlive,
		}
	}
	return map[string]Keyword{
		"serveraliveinterval": ServerAliveInterval, "serveralivecountmax": ServerAliveCountMax,
		"protocolkeepalives": ServerAliveInterval, "setuptimeout": ServerAliveInterval,
		"tcpkeepalive": TCPKeepAlive, "keepalive": TCPKeepAlive,
	}
}

// ParseTime reads a time as OpenSSH writes it: a number of seconds, or numbers
// with the units s, m, h, d and w, in either case, one after the other. "1h30m" is
// 5400 s, "1M" a minute. The largest is 2147483647 s. See sshd_config(5), TIME
// FORMATS.
func ParseTime(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no time", text)
	if text == "" {
		return 0, bad
	}
	var total int64
	for rest := text; rest != ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:digits], 10, 32)
		if err != nil {
			return 0, bad
		}
		rest = rest[digits:]
		unit := int64(1)
		if rest != "" {
			var ok bool
			if unit, ok = units[rest[0]|0x20]; !ok {
				return 0, bad
			}
			rest = rest[1:]
		}
		total += n * unit
		if total > 1<<31-1 {
			return 0, bad
		}
	}
	return time.Duration(total) * time.Second, nil
}

var units = map[byte]int64{'s': 1, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400}
