package cmdline

import (
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/nearest"
	"github.com/tcpka/tcpka/internal/suggest"
)

// otherWords are the words that the kernel, sshd and other programs have for what a
// flag stands for here. Where several are for a word, the one that the command has is
// meant; a flag may come with its value.
var otherWords = []struct{ flag, words string }{
	{"time", "idle idletime keepidle tcpkeepidle keepalivetime tcpkeepalivetime"},
	{"intvl", "interval keepintvl tcpkeepintvl keepaliveintvl keepaliveinterval tcpkeepaliveintvl"},
	{"probes", "count cnt keepcnt tcpkeepcnt keepalivecount keepaliveprobes tcpkeepaliveprobes retries"},
	{"user-timeout", "uto tcpusertimeout"},
	{"interval", "time idle intvl serveraliveinterval clientaliveinterval"},
	{"count", "probes cnt countmax serveralivecountmax clientalivecountmax"},
	{"tcp-keepalive", "keepalive sokeepalive"},
	{"side server", "server sshd"},
	{"side client", "client"},
	{"comm", "program programs prog process proc name command cmd"},
	{"netns", "ns namespace container"},
	{"port", "sport dport"},
	{"local", "src source"},
	{"remote", "dst destination peer"},
	{"keepalive on", "on"},
	{"keepalive off", "off"},
	{"listen", "listening listeners"},
	{"watch", "follow"},
	{"persist", "permanent save boot"},
	{"reset", "default defaults"},
	{"dry-run", "simulate preview diff check"},
	{"yes", "force assumeyes"},
	{"output", "format"},
}

// otherCommands are what other programs call a command.
var otherCommands = map[string]string{
	"version": "--version",
	"list":    "show", "ls": "show", "get": "show", "status": "show",
	"revert": "undo", "rollback": "undo", "restore": "undo",
	"verify": "check", "exec": "run", "test": "selftest",
}

// refusals are flags that a command does not have for a reason.
var refusals = map[string]string{
	"set keepalive": "no sysctl switches keepalive on: sudo tcpka set sockets --all --on does it for the connections that are open, sudo tcpka run for those of a new program",
	"undo all":      "undo takes back one command at a time, the newest first; again goes further back",
	"undo force":    "what someone else has changed since is left as it is: tcpka set or an editor changes it, and --forget ID lets it be",
	"undo yes":      "undo does not ask",
	"undo y":        "undo does not ask",
}

// plain is a word without what is spelt in many ways.
func plain(word string) string {
	word = strings.NewReplacer("-", "", "_", "", ".", "", "/", "").Replace(strings.ToLower(word))
	return strings.TrimPrefix(word, "netipv4")
}

// flagMeant is the flag of these that a word is another word for, with the value that
// it implies; or, with the same letters, the flag itself.
func flagMeant(flags []cli.Flag, word string) string {
	typed := plain(word)
	if i := slices.IndexFunc(flagNames(flags), func(name string) bool { return plain(name) == typed }); i >= 0 {
		return flagNames(flags)[i]
	}
	for _, o := range otherWords {
		name, _, _ := strings.Cut(o.flag, " ")
		if hasFlag(flags, name) && slices.Contains(strings.Fields(o.words), typed) {
			return o.flag
		}
	}
	return ""
}

// flagHint is what to do about a flag that a command does not have; empty: nothing is
// known that is like it.
func flagHint(c *cli.Context, name string) string {
	cmd := c.Command
	if cmd == nil {
		return ""
	}
	if why := refusals[strings.TrimPrefix(cmd.HelpName, "tcpka ")+" "+name]; why != "" {
		return why
	}
	if len(name) == 1 { // too short to be like another, but in the other case
		for _, f := range cmd.Flags {
			for _, alias := range f.Names() {
				if strings.EqualFold(alias, name) {
					return "did you mean -" + alias + "?"
				}
			}
		}
		return ""
	}
	if flag := flagMeant(cmd.Flags, name); flag != "" {
		return didYouMean(c, name, flag)
	}
	if hint := flagBelow(cmd, func(flags []cli.Flag) string {
		if hasFlag(flags, name) {
			return name
		}
		return ""
	}); hint != "" {
		return hint
	}
	if near := nearest.Names(name, flagNames(cmd.Flags)); len(near) > 0 && !hasFlag(c.App.Flags, name) {
		if near[0][0] != name[0] || len(near[0]) > len(name)+1 || len(name) > len(near[0])+1 { // a guess is no line to copy
			return "did you mean --" + near[0] + "?"
		}
		return didYouMean(c, name, near[0])
	}
	if hint := flagBelow(cmd, func(flags []cli.Flag) string { return flagMeant(flags, name) }); hint != "" {
		return hint
	}
	var have []string
	for _, other := range c.App.Commands {
		if hasFlag(other.Flags, name) {
			have = append(have, "tcpka "+other.Name)
		}
	}
	if len(have) > 0 {
		return "--" + name + " is for " + strings.Join(have, ", ")
	}
	return ""
}

// didYouMean proposes a flag in the place of one that there is not: as the whole line,
// where that makes sense. Values, and what belongs to another program, stay as they are.
func didYouMean(c *cli.Context, name, flag string) string {
	own := c.Command.Flags
	line, args := []string{"tcpka"}, InvocationOf(c).Args
	for i := 0; i < len(args); i++ {
		w := args[i]
		if w == "--" || !isFlag(w) && verbatim(c.Command) && slices.Contains(line, c.Command.Name) {
			line = append(line, args[i:]...)
			break
		}
		word, value, pair := strings.Cut(strings.TrimLeft(w, "-"), "=")
		meant := ""
		if isFlag(w) && !hasFlag(own, word) && (word == name || !hasFlag(c.App.Flags, word)) {
			if meant = flagMeant(own, word); word == name {
				meant = flag
			}
		}
		switch valued := takesValue(own, "--"+meant); {
		case meant == "":
			line = append(line, w)
			if valued = takesValue(own, w) || takesValue(c.App.Flags, w); valued && i+1 < len(args) {
				i++
				line = append(line, args[i])
			}
		case pair && !valued:
			return "did you mean --" + flag + "?"
		default:
			line = append(line, strings.Fields("--"+meant)...)
			if pair {
				line = append(line, value)
			} else if valued && i+1 < len(args) {
				i++
				line = append(line, args[i])
			}
		}
	}
	if !Parses(c.App, line[1:]) {
		return "did you mean --" + flag + "?"
	}
	return "did you mean: " + suggest.AsTyped(line)
}

// Parses reports whether the words are a command with flags that it has, each with its
// value, and arguments where it takes some. What a value may be it does not know.
func Parses(app *cli.App, words []string) bool {
	flags, commands := app.Flags, app.Commands
	var command *cli.Command
	var given []string // also before the command's name: it has to have them, see onlyOwn
	has := func() bool {
		return command != nil && !slices.ContainsFunc(given, func(name string) bool { return !hasFlag(command.Flags, name) })
	}
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch k := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(w) }); {
		case w == "--":
			return has() && (command.ArgsUsage != "" || i+1 == len(words))
		case verbatim(command) && !isFlag(w):
			return has()
		case k >= 0:
			command = commands[k]
			flags, commands = command.Flags, command.Subcommands
		case isFlag(w):
			name, _, _ := strings.Cut(strings.TrimLeft(w, "-"), "=")
			if !hasFlag(flags, name) {
				return false
			}
			given = append(given, name)
			if takesValue(flags, w) {
				if i++; i == len(words) {
					return false
				}
			}
		case command == nil || command.ArgsUsage == "":
			return false
		}
	}
	return has() && !verbatim(command)
}

// joined are words in which "KEY = VALUE", as others write it, is one.
func joined(words []string) []string {
	var out []string
	for _, w := range words {
		n := len(out) - 1
		switch {
		case n < 0:
			out = append(out, w)
		case w == "=" || strings.HasPrefix(w, "=") || strings.HasSuffix(out[n], "="):
			out[n] += w
		default:
			out = append(out, w)
		}
	}
	return out
}

// flagBelow looks for a flag in the commands below one.
func flagBelow(cmd *cli.Command, find func([]cli.Flag) string) string {
	for _, sub := range cmd.Subcommands {
		if flag := find(sub.Flags); flag != "" {
			return "did you mean: " + strings.TrimSpace(cmd.HelpName+" "+sub.Name) + " --" + flag + "?"
		}
	}
	return ""
}

// unitWords are the ways to write a unit, and the one that a duration has.
var unitWords = map[string]string{
	"ms": "ms", "msec": "ms", "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
	"m": "m", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"h": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d",
}

// meant is the command line that words may have been meant for, which give arguments to
// a command that takes none: KEY=VALUE, KEY VALUE or KEY of a flag, a unit behind its number,
// the three numbers alone, the name of a program. Nil: that cannot be told.
func meant(cmd *cli.Command, words []string) []string {
	path := strings.Fields(strings.TrimPrefix(cmd.HelpName, "tcpka"))
	flags := Join(cmd.Flags, OutputFlags(), WhereFlags())
	meant := []string{"tcpka"}
	var numbers, others []string
	flagsEnd := false
	for i := 0; i < len(words); i++ {
		w, last := words[i], len(meant)-1
		if w == "--" {
			flagsEnd = true
			continue
		}
		if isFlag(w) && !flagsEnd {
			meant = append(meant, w)
			if takesValue(flags, w) && i+1 < len(words) {
				i++
				meant = append(meant, words[i])
			}
			continue
		}
		if len(path) > 0 && w == path[0] {
			meant, path = append(meant, w), path[1:]
			continue
		}
		key, value, pair := strings.Cut(w, "=")
		flag := flagMeant(cmd.Flags, key)
		switch {
		case flag != "" && pair && value == "":
			return nil
		case flag != "" && pair && takesValue(cmd.Flags, flag):
			meant = append(meant, "--"+flag, spelt(flag, value))
		case flag != "" && !pair && takesValue(cmd.Flags, flag) && i+1 < len(words) && !isFlag(words[i+1]):
			i++
			meant = append(meant, "--"+flag, spelt(flag, words[i]))
		case flag != "" && !pair && !takesValue(cmd.Flags, flag):
			meant = append(meant, strings.Fields("--"+flag)...)
		case flag != "":
			return nil
		case unitWords[strings.ToLower(w)] != "" && last > 0 && IsDecimal(meant[last]):
			meant[last] += unitWords[strings.ToLower(w)]
		case isDuration(w):
			numbers = append(numbers, w)
		default:
			others = append(others, w)
		}
	}
	switch {
	case len(path) > 0:
		return nil
	case len(numbers) == 0 && len(others) == 0:
		return meant
	case len(numbers) == 0 && len(others) == 1 && others[0] != "" && !strings.Contains(others[0], "=") && hasFlag(cmd.Flags, "comm") && !slices.Contains(meant, "--comm"):
		return append(meant, "--comm", others[0])
	case len(others) > 0 || len(numbers) != 3 || hasFlag(cmd.Flags, "pid"):
		return nil
	}
	for i, name := range []string{"time", "intvl", "probes"} {
		if !hasFlag(cmd.Flags, name) || slices.Contains(meant, "--"+name) {
			return nil
		}
		meant = append(meant, "--"+name, numbers[i])
	}
	return meant
}

// spelt is a value as a flag has it: ss writes a port as :22.
func spelt(flag, value string) string {
	if flag == "port" {
		return strings.TrimPrefix(value, ":")
	}
	return value
}

func isDuration(word string) bool {
	_, err := ParseDuration(word, time.Millisecond)
	return err == nil
}

// argumentHint is what to do about arguments of a command that takes none.
func (s *Invocation) argumentHint(app *cli.App, cmd *cli.Command, first string) string {
	if line := meant(cmd, joined(s.Args)); line != nil && Parses(app, line[1:]) {
		return "as flags: " + suggest.AsTyped(line)
	}
	if len(cmd.Subcommands) == 0 || isDuration(first) || strings.Contains(first, "=") {
		return "values are given by flags, which are listed by: " + cmd.HelpName + " --help"
	}
	below := names(cmd.Subcommands)
	if near := nearest.Names(first, strings.Split(below, ", ")); first != "" && len(near) > 0 {
		return "did you mean: " + cmd.HelpName + " " + near[0] + "?"
	}
	return "below " + cmd.Name + " there is: " + below
}
