package cmdline

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
)

const (
	HelpWidth  = 80 // what a help text fits into
	helpMargin = "   "
	// helpColumn is the widest that flags are beside what they mean: longer ones have
	// it below.
	helpColumn = 30
)

// PrintHelp writes the help of the program or a command. It takes the place of cli's
// templates, which do not break lines. An error is seen by [checkedWriter].
func PrintHelp(out io.Writer, _ string, of any) {
	var b strings.Builder
	switch h := of.(type) {
	case *cli.App:
		helpSection(&b, "NAME", helpLines(h.Name+" - ", h.Usage))
		helpSection(&b, "USAGE", helpUsage(h.UsageText))
		helpSection(&b, "VERSION", []string{h.Version})
		helpSection(&b, "DESCRIPTION", helpText(h.Description))
		helpSection(&b, "COMMANDS", helpCommands(h.VisibleCommands()))
		helpSection(&b, "GLOBAL OPTIONS", helpFlags(h.VisibleFlags()))
	case *cli.Command:
		usage := h.UsageText
		if usage == "" {
			usage = strings.TrimSpace(h.HelpName + " [options] " + h.ArgsUsage)
		}
		helpSection(&b, "NAME", helpLines(h.HelpName+" - ", h.Usage))
		helpSection(&b, "USAGE", helpUsage(usage))
		helpSection(&b, "DESCRIPTION", helpText(h.Description))
		helpSection(&b, "COMMANDS", helpCommands(h.VisibleCommands()))
		helpSection(&b, "OPTIONS", helpFlags(h.VisibleFlags()))
	}
	io.WriteString(out, strings.TrimPrefix(b.String(), "\n"))
}

func helpSection(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s:\n", title)
	for _, line := range lines {
		if line != "" {
			b.WriteString(helpMargin)
		}
		b.WriteString(line + "\n")
	}
}

// helpLines is lead and text, filled, with further lines as far in as the text.
func helpLines(lead, text string) []string {
	lines := answer.Fill(text, HelpWidth-len(helpMargin)-len(lead))
	for i := range lines {
		lines[i] = lead + lines[i]
		lead = strings.Repeat(" ", len(lead))
	}
	return lines
}

// helpText fills each paragraph. A line that begins with a space is a row of a table:
// its last column, behind two spaces, goes on in lines that are as far in.
func helpText(text string) []string {
	var lines []string
	lead, paragraph := "", ""
	flush := func() {
		if paragraph != "" {
			lines = append(lines, helpLines(lead, paragraph)...)
		}
		lead, paragraph = "", ""
	}
	for line := range strings.SplitSeq(text, "\n") {
		body := strings.TrimLeft(line, " ")
		indent := len(line) - len(body)
		switch {
		case body == "":
			flush()
			if text != "" {
				lines = append(lines, "")
			}
		case paragraph != "" && indent == len(lead):
			paragraph += " " + body
		default:
			flush()
			if indent > 0 {
				indent = strings.LastIndex(line, "  ") + 2
			}
			lead, paragraph = line[:indent], line[indent:]
		}
	}
	flush()
	return lines
}

// helpUsage breaks command lines between their options. A line that begins with a
// space goes on with the one before.
func helpUsage(text string) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		if n := len(lines); n > 0 && strings.HasPrefix(line, " ") {
			lines[n-1] += " " + strings.TrimLeft(line, " ")
			continue
		}
		lines = append(lines, line)
	}
	var broken []string
	for _, line := range lines {
		now := ""
		for i, option := range usageWords(line) {
			switch {
			case i == 0:
				now = option
			case len(helpMargin)+len(now)+1+len(option) > HelpWidth:
				broken, now = append(broken, now), "    "+option
			default:
				now += " " + option
			}
		}
		broken = append(broken, now)
	}
	return broken
}

// usageWords are the words of a command line; one in brackets is one word.
func usageWords(line string) []string {
	var words []string
	depth := 0
	for word := range strings.SplitSeq(line, " ") {
		if n := len(words); n > 0 && depth > 0 {
			words[n-1] += " " + word
		} else {
			words = append(words, word)
		}
		depth += strings.Count(word, "[") - strings.Count(word, "]")
	}
	return words
}

func helpCommands(commands []*cli.Command) []string {
	var rows [][2]string
	for _, c := range commands {
		rows = append(rows, [2]string{c.Name, c.Usage})
	}
	return helpColumns(rows)
}

func helpFlags(flags []cli.Flag) []string {
	var rows [][2]string
	for _, f := range flags {
		rows = append(rows, helpFlag(f))
	}
	return helpColumns(rows)
}

// helpFlag is a flag as one types it, the short name first, and what it means.
func helpFlag(f cli.Flag) [2]string {
	d := f.(cli.DocGenerationFlag) // all of cli's are
	names := "    "
	for _, name := range f.Names()[1:] {
		names = "-" + name + ", "
	}
	names += "--" + f.Names()[0]
	before, rest, _ := strings.Cut(d.GetUsage(), "`")
	value, after, quoted := strings.Cut(rest, "`")
	usage := before + value + after
	switch {
	case strings.HasPrefix(value, "[="): // what may follow the name at once
		names, usage = names+value, strings.TrimLeft(after, " ")
	case quoted:
		names += " " + value
	case d.TakesValue():
		names += " VALUE"
	}
	if text := strings.Trim(d.GetDefaultText(), `"`); text != "" && d.TakesValue() {
		usage += " (default: " + text + ")"
	}
	return [2]string{names, usage}
}

// helpColumns writes names beside what they mean.
func helpColumns(rows [][2]string) []string {
	width := 0
	for _, r := range rows {
		if n := len(r[0]); n <= helpColumn {
			width = max(width, n)
		}
	}
	var lines []string
	for _, r := range rows {
		name := fmt.Sprintf("%-*s  ", width, r[0])
		if len(r[0]) > width {
			lines, name = append(lines, r[0]), strings.Repeat(" ", width+2)
		}
		lines = append(lines, helpLines(name, r[1])...)
	}
	return lines
}
