package cmdline

import (
	"strings"

	"github.com/urfave/cli/v2"
)

func Join(lists ...[]cli.Flag) []cli.Flag {
	var all []cli.Flag
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// Several are the values of a flag that may be repeated, or have several with commas
// between them.
func Several(c *cli.Context, name string) []string {
	var names []string
	for _, text := range c.StringSlice(name) {
		names = append(names, strings.Split(text, ",")...)
	}
	return names
}
