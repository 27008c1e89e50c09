package sshend

import (
	"fmt"
	"os"
	"os/user"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/sshconf"
)

// Git is the ssh that git calls, where its options decide on keepalives: those of
// GIT_SSH_COMMAND, else of core.sshCommand in the files of the system and of a user. That
// of a repository is not looked for, and no include is followed. as is with whose rights
// the files are read, nil the caller's own. See git(1) and git-config(1).
func Git(as *user.User, home string) []calc.Warning {
	command, at := os.Getenv("GIT_SSH_COMMAND"), "GIT_SSH_COMMAND"
	if command == "" || as != nil { // it is root's
		command = ""
		_ = sshconf.AsUser(as, func() error {
			for _, file := range []string{"/etc/gitconfig", home + "/.config/git/config", home + "/.gitconfig"} {
				if content, _, err := sshconf.ReadFile(file, sshconf.MaxFile); err == nil {
					if text, line := coreSSHCommand(string(content)); text != "" {
						command, at = text, fmt.Sprintf("core.sshCommand in %s:%d", file, line)
					}
				}
			}
			return nil
		})
	}
	words := strings.Fields(command)
	if len(words) == 0 {
		return nil
	}
	given := sshconf.ParseSSH(words[1:])
	decides := given.File != "" || slices.ContainsFunc(given.Options, func(o string) bool {
		keyword, _, err := sshconf.SplitLine(o)
		_, one := sshconf.NamesOf(false)[keyword]
		return err == nil && (one || keyword == "proxycommand" || keyword == "proxyjump")
	})
	if !decides {
		return nil
	}
	return []calc.Warning{{ID: "git_ssh_command", Text: fmt.Sprintf("git calls another ssh, by %s: %s; its options beat what is above", at, command)}}
}

// coreSSHCommand is the last core.sshCommand of a file of git, and its line.
func coreSSHCommand(content string) (command string, line int) {
	section, number := "", 0
	for text := range strings.Lines(content) {
		number++
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, "[") {
			section, _, _ = strings.Cut(strings.ToLower(text), "]")
		}
		key, value, ok := strings.Cut(text, "=")
		if ok && section == "[core" && strings.EqualFold(strings.TrimSpace(key), "sshcommand") {
			command, line = strings.ReplaceAll(strings.TrimSpace(value), `"`, ""), number
		}
	}
	return command, line
}
