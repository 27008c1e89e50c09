package sshclients

import (
	"fmt"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// Instructions are what to do where tcpka does not change a setting in place: a file
// to import, or where to click. File is empty where there is nothing to import.
type Instructions struct {
	Steps []string // for people, one after the other
	File  string   // a file for regedit, with the line ends of Windows
}

// instruct adds to the instructions of one program how a session gets what is wanted.
// An error says what the program does not have.
var instruct = map[sshconf.Program]func(in *Instructions, s Session, w Wanted) error{
	sshconf.PuTTY:     instructPuTTY,
	sshconf.KiTTY:     instructPuTTY,
	sshconf.WinSCP:    instructWinSCP,
	sshconf.TeraTerm:  instructTeraTerm,
	sshconf.SecureCRT: instructSecureCRT,
	sshconf.Xshell:    instructXshell,
	sshconf.MobaXterm: instructMobaXterm,
	sshconf.Dropbear:  instructDropbear,
}

// Instructions says how the session gets what is wanted. Of the session only the
// program and, for the registry, the name or the key are looked at; without either it
// is "Default Settings", from which new sessions begin.
//
// An error is [ErrInterval], or says what the program does not have. For [SSH] and
// [SSHD] there are none: their files are changed in place.
func (s Session) Instructions(w Wanted) (in Instructions, err error) {
	of, ok := instruct[s.Program]
	if !ok {
		return in, fmt.Errorf("%s: its files are changed in place", s.Program)
	}
	if w.Interval != nil {
		most := maxTeraTerm
		if s.Program == sshconf.PuTTY || s.Program == sshconf.KiTTY {
			most = maxPuTTYPeriod
		}
		if err := inRange(*w.Interval, most); err != nil {
			return in, err
		}
	}
	err = of(&in, s, w)
	return in, err
}

func (in *Instructions) step(format string, args ...any) {
	in.Steps = append(in.Steps, fmt.Sprintf(format, args...))
}

func onOrOff(on bool) string { return map[bool]string{true: "on", false: "off"}[on] }

func every(seconds int64) string {
	if seconds == 0 {
		return "off"
	}
	return fmt.Sprintf("on, every %d seconds", seconds)
}
