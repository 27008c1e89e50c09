package sshclients

import (
	"errors"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// parseWinSCP reads WinSCP.ini. Source: SessionData.cpp, TSessionData::DoLoad.
func parseWinSCP(t text) ([]Session, error) {
	const prefix = `Sessions\`
	var order []string
	found := map[string]first{}
	for s := range t.iniSettings() {
		key, ok := strings.CutPrefix(s.section, prefix)
		if !ok || key == "" {
			continue
		}
		if found[key] == nil {
			found[key] = first{}
			if order = append(order, key); len(order) > maxSessions {
				return nil, errSessions
			}
		}
		if s.key != "" {
			found[key].add(s)
		}
	}
	var sessions []Session
	for _, key := range order {
		s := winscpSession(found[key])
		s.Key, s.Name = key, unescapePercent(key)
		sessions = append(sessions, s)
	}
	if len(sessions) == 0 {
		return nil, errors.New("no session of WinSCP in it")
	}
	return sessions, nil
}

// The protocols and the kinds of ping that WinSCP numbers. Source: SessionData.h,
// TFSProtocol and TPingType.
const (
	winscpFTP    = 5
	winscpWebDAV = 6
	winscpS3     = 7

	winscpNullPacket = 1
	winscpDummy      = 2
)

// winscpSession is what the keys of WinSCP mean. It keeps SO_KEEPALIVE off.
func winscpSession(keys first) Session {
	s := Session{
		Program: sshconf.WinSCP, Host: keys["HostName"].value, TCPKeepAlive: new(false), Interval: new(time.Duration(0)),
		Lines: keys.lines("PingType", "PingInterval", "PingIntervalSecs", "FSProtocol"),
	}
	kind, ok1 := keys.number("PingType", 0)
	minutes, ok2 := keys.number("PingInterval", 0)
	secs, ok3 := keys.number("PingIntervalSecs", -1)
	protocol, _ := keys.number("FSProtocol", 0)
	if secs < 0 { // an older spelling
		secs, _ = keys.number("PingIntervalSec", 30)
		if _, set := keys["PingInterval"]; set && minutes > 0 {
			secs, _ = keys.number("PingIntervalSec", 0)
		}
	}
	total := minutes*60 + secs
	if total == 0 {
		total = 30
	}
	switch {
	case protocol == winscpFTP || protocol == winscpWebDAV || protocol == winscpS3:
		s.Interval, s.Problem = nil, "this session is not one of SSH"
	case !ok1 || !ok2 || !ok3 || total < 0:
		s.Interval, s.Problem = nil, "PingType and PingIntervalSecs are no numbers that WinSCP can use"
	case kind == winscpDummy:
		s.Interval, s.Problem = seconds(total), "dummy commands are sent, which the shell executes, instead of null packets"
	case kind == winscpNullPacket:
		s.Interval = seconds(total)
	}
	return s
}

func instructWinSCP(in *Instructions, s Session, w Wanted) error {
	if w.TCPKeepAlive != nil && *w.TCPKeepAlive {
		return errNoTCP
	}
	switch n, ok := w.seconds(); {
	case !ok:
	case n == 0:
		in.step("WinSCP, edit the session, Advanced, Connection, Keepalives: Off.")
		in.File = s.registryText(registryNumber{"PingType", 0})
	default:
		in.step("WinSCP, edit the session, Advanced, Connection, Keepalives: Sending of null SSH packets; Seconds between keepalives: %d.", n)
		in.step("With a WinSCP.ini instead of the registry: PingType=1, PingInterval=%d and PingIntervalSecs=%d below [Sessions\\NAME].", n/60, n%60)
		in.File = s.registryText(registryNumber{"PingType", winscpNullPacket}, registryNumber{"PingInterval", n / 60}, registryNumber{"PingIntervalSecs", n % 60})
	}
	return nil
}
