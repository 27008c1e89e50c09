package sshconf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The keys below which the sessions are, without the hive. Sources: windows/storage.c
// of PuTTY, kitty.c of KiTTY, Configuration.cpp of WinSCP.
var registryKeys = []struct {
	program Program
	key     string
}{
	{PuTTY, `Software\SimonTatham\PuTTY\Sessions\`},
	{KiTTY, `Software\9bis.com\KiTTY\Sessions\`},
	{WinSCP, `Software\Martin Prikryl\WinSCP 2\Sessions\`},
}

// registrySession finds the session that a key is of.
func registrySession(path string) (p Program, key string, ok bool) {
	for _, r := range registryKeys {
		// HKEY_CURRENT_USER, or HKEY_USERS and a user; case does not matter.
		if i := strings.Index(strings.ToLower(path), `\`+strings.ToLower(r.key)); i >= 0 && isASCII(path[:i]) {
			if key := path[i+1+len(r.key):]; key != "" {
				return r.program, key, true
			}
		}
	}
	return "", "", false
}

func isASCII(s string) bool {
	for _, c := range []byte(s) {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// parseRegistry reads what regedit has exported. Of a value that comes twice the last
// counts, and a key that comes twice goes on, as at an import.
func parseRegistry(t text) ([]Session, error) {
	type session struct {
		program Program
		key     string
	}
	var order []session
	found := map[session]first{}
	var values first
	for s := range t.iniSettings() {
		if s.key == "" {
			values = nil
			if p, key, ok := registrySession(s.section); ok {
				at := session{p, key}
				if found[at] == nil {
					found[at] = first{}
					if order = append(order, at); len(order) > maxSessions {
						return nil, errSessions
					}
				}
				values = found[at]
			}
			continue
		}
		if values == nil {
			continue
		}
		if key, value, ok := registryValue(s); ok {
			s.key, s.value = key, value
			values[key] = s
		}
	}
	var sessions []Session
	for _, at := range order {
		var one Session
		if at.program == WinSCP {
			one = winscpSession(found[at])
		} else {
			one = puttySession(at.program, found[at])
		}
		one.Key, one.Name = at.key, unescapePercent(at.key)
		sessions = append(sessions, one)
	}
	if len(sessions) == 0 {
		return nil, errors.New("no session of PuTTY, KiTTY or WinSCP in this part of the registry")
	}
	return sessions, nil
}

// registryValue reads "NAME"=dword:0000003c and "NAME"="text".
func registryValue(s setting) (key, value string, ok bool) {
	key, ok = strings.CutPrefix(s.key, `"`)
	key, closed := strings.CutSuffix(key, `"`)
	if !ok || !closed {
		return "", "", false
	}
	key = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(key)
	if hex, isNumber := strings.CutPrefix(strings.ToLower(s.value), "dword:"); isNumber {
		n, err := strconv.ParseUint(hex, 16, 32)
		return key, strconv.Itoa(int(int32(uint32(n)))), err == nil // PuTTY takes it into an int
	}
	if text, isText := strings.CutPrefix(s.value, `"`); isText {
		text = strings.TrimSuffix(text, `"`)
		return key, strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(text), true
	}
	return "", "", false
}

// registryText is a file for regedit that sets values of one session.
func (s Session) registryText(values map[string]int64, order ...string) string {
	var b strings.Builder
	b.WriteString("Windows Registry Editor Version 5.00\r\n\r\n")
	root := ""
	for _, r := range registryKeys {
		if r.program == s.Program {
			root = r.key
		}
	}
	key := s.Key
	if key == "" {
		key = registryKey(s.Name)
	}
	// The key may be anybody's text. A bracket does no harm in it, a line end would.
	key = escapePercent(key, func(_ int, c byte) bool { return c < 0x20 || c == 0x7f })
	fmt.Fprintf(&b, "[HKEY_CURRENT_USER\\%s%s]\r\n", root, key)
	for _, name := range order {
		fmt.Fprintf(&b, "\"%s\"=dword:%08x\r\n", name, uint32(values[name]))
	}
	return b.String()
}

// registryKey is the key of a session that PuTTY makes for a name. Source: PuTTY,
// windows/utils/escape_registry_key.c.
func registryKey(session string) string {
	if session == "" {
		session = puttyPreset
	}
	return escapePercent(session, func(i int, c byte) bool {
		return strings.IndexByte(` \*?%`, c) >= 0 || c < 0x20 || c > 0x7e || c == '.' && i == 0
	})
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }
