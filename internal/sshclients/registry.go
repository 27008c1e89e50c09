package sshclients

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// The keys below which the sessions are, without the hive. Sources: windows/storage.c
// of PuTTY, kitty.c of KiTTY, Configuration.cpp of WinSCP.
var registryKeys = []struct {
	program sshconf.Program
	key     string
}{
	{sshconf.PuTTY, `Software\SimonTatham\PuTTY\Sessions\`},
	{sshconf.KiTTY, `Software\9bis.com\KiTTY\Sessions\`},
	{sshconf.WinSCP, `Software\Martin Prikryl\WinSCP 2\Sessions\`},
}

// registrySession finds the session that a key is of.
func registrySession(path string) (p sshconf.Program, key string, ok bool) {
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
// counts, and a key that comes twice goes on, as at an import. What an import would take
// away, "[-KEY]" and "NAME"=-, is not there; regedit exports none of that.
func parseRegistry(t text) ([]Session, error) {
	type session struct {
		program sshconf.Program
		key     string
	}
	var order []session
	found := map[session]first{}
	var values first
	for s := range t.iniSettings() {
		if s.key == "" {
			values = nil
			path, away := strings.CutPrefix(s.section, "-")
			if p, key, ok := registrySession(path); ok {
				at := session{p, key}
				if away {
					delete(found, at)
					order = slices.DeleteFunc(order, func(s session) bool { return s == at })
					continue
				}
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
		key, value, ok := registryValue(s)
		switch {
		case ok:
			s.key, s.value = key, value
			values[key] = s
		case s.value == "-":
			delete(values, key)
		}
	}
	var sessions []Session
	for _, at := range order {
		var one Session
		if at.program == sshconf.WinSCP {
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

// registryValue reads "NAME"=dword:0000003c and "NAME"="text"; of any other value ok is
// false.
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
	return key, "", false
}

// registryNumber is a REG_DWORD and its name.
type registryNumber struct {
	name  string
	value int64
}

// registryText is a file for regedit that sets values of one session.
func (s Session) registryText(values ...registryNumber) string {
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
	for _, v := range values {
		fmt.Fprintf(&b, "\"%s\"=dword:%08x\r\n", v.name, uint32(v.value))
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
