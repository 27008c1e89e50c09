// Package sshclients reads, and where the format is known changes, the files of other SSH
// programs: PuTTY, KiTTY, WinSCP, Tera Term, SecureCRT, Xshell, MobaXterm, Dropbear; and a
// file of OpenSSH that was copied from somewhere. It tells them apart by their content.
package sshclients

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// A Format is how settings are spelt in a file. Some programs have several, and a
// registry file holds the sessions of several programs.
type Format string

const (
	FormatSSH       Format = "ssh_config"
	FormatSSHD      Format = "sshd_config"
	FormatPuTTY     Format = "putty" // a session of PuTTY on Unix
	FormatKiTTY     Format = "kitty" // a session of a portable KiTTY
	FormatRegistry  Format = "reg"   // exported from the registry of Windows
	FormatWinSCP    Format = "winscp"
	FormatTeraTerm  Format = "teraterm"
	FormatSecureCRT Format = "securecrt"
	FormatXshell    Format = "xshell"
	FormatMobaXterm Format = "mobaxterm"
	FormatDropbear  Format = "uci" // /etc/config/dropbear of OpenWrt
)

// A File is what one file of an SSH program says.
type File struct {
	Path     string
	Format   Format
	Sessions []Session // in the order of the file
}

// A Session is what a file says of one session, or for OpenSSH of one block. What is
// not there has the default of the program; Lines tells them apart.
//
// Nothing in it is safe to print: the texts are those of the file.
type Session struct {
	Program sshconf.Program
	Name    string // as the program shows it; empty where a file is one session, or all
	Key     string // of the registry, below Sessions, as it stands in the file
	Host    string // where it connects to; empty is not known

	// Interval is how often, or after how much silence, the program sends
	// something: see calc.SSHProgram for which. 0 is off; nil is on, with an
	// interval that the program does not tell, or not known at all, which
	// Problem says.
	Interval *time.Duration
	CountMax *int // OpenSSH alone
	// TCPKeepAlive is whether the socket gets SO_KEEPALIVE. nil: the file has no
	// such setting, and Problem or the program's documents say what it does.
	TCPKeepAlive *bool
	// Typed is after how much silence a text is typed into the shell, which is no
	// keepalive of SSH. 0 is off; nil: there is no such setting.
	Typed *time.Duration

	// Lines are the lines that say so, by the key of the file: {"HeartBeat": 7}.
	Lines map[string]int
	// Problem is what the program would do differently, or what is not known.
	Problem string
}

// The most that is read of one file, and the most sessions in it. Exports of a
// registry with hundreds of sessions are smaller. Of OpenSSH's files it is as much as
// a scan reads.
const (
	maxSessionFile = 16 << 20
	maxSessions    = 10_000
)

var errSessions = fmt.Errorf("more than %d sessions", maxSessions)

// ErrFormat is a file of no format that is known.
var ErrFormat = errors.New("not a file of an SSH program that tcpka knows")

// ReadFile reads a file of any program that is known, by its content: its name does
// not matter, except that a file with nothing but what ssh and sshd have in common is
// sshd's where its name has "sshd" in it. Include is not followed.
func ReadFile(path string) (File, error) {
	content, _, err := sshconf.ReadFile(path, maxSessionFile)
	if err != nil {
		return File{}, err
	}
	f, err := ParseFile(path, content)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// ParseFile is [ReadFile] for what was read already. An error does not name the path.
func ParseFile(path string, content []byte) (File, error) {
	t, err := newText(content)
	if err != nil {
		return File{}, err
	}
	f := File{Path: path, Format: recognise(t, path)}
	parse, known := parsers[f.Format]
	if !known {
		return File{}, ErrFormat
	}
	if (f.Format == FormatSSH || f.Format == FormatSSHD) && len(content) > sshconf.MaxFile {
		return File{}, fmt.Errorf("larger than %d bytes", sshconf.MaxFile)
	}
	f.Sessions, err = parse(t)
	return f, err
}

var parsers = map[Format]func(text) ([]Session, error){
	FormatSSH:       parseSSH,
	FormatSSHD:      parseSSHD,
	FormatPuTTY:     parsePuTTY,
	FormatKiTTY:     parseKiTTY,
	FormatRegistry:  parseRegistry,
	FormatWinSCP:    parseWinSCP,
	FormatTeraTerm:  parseTeraTerm,
	FormatSecureCRT: parseSecureCRT,
	FormatXshell:    parseXshell,
	FormatMobaXterm: parseMobaXterm,
	FormatDropbear:  parseDropbear,
}

// join puts two of the texts of Problem together.
func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}

// notSSH says so of a session by what the program calls its protocol: "ssh", "SSH2",
// "telnet". Empty is that it is SSH, or not said.
func notSSH(protocol string) string {
	if protocol == "" || strings.HasPrefix(strings.ToLower(protocol), "ssh") || strings.EqualFold(protocol, "sftp") {
		return ""
	}
	return "this session is not one of SSH"
}
