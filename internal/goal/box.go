package goal

import (
	"errors"
	"strings"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
)

// Box finds a middlebox, or says which names are like the one given.
func Box(name string) (middlebox.Box, error) {
	b, err := middlebox.Lookup(name)
	unknown, ok := errors.AsType[*middlebox.UnknownError](err)
	if !ok {
		return b, err
	}
	f := cmdline.Misuse("%w", unknown)
	if begin := beginning(name); len(begin) > 1 {
		return b, f.WithHint("beginning with it are %s", strings.Join(begin, ", "))
	}
	if len(unknown.Near) > 0 {
		return b, f.WithHint("like it are %s", strings.Join(unknown.Near, ", "))
	}
	return b, f.WithHint("all names: tcpka show paths")
}

// beginning are the names of middleboxes that begin like this.
func beginning(name string) []string {
	var names []string
	for _, n := range middlebox.Names() {
		if name != "" && strings.HasPrefix(n, strings.ToLower(name)) {
			names = append(names, n)
		}
	}
	return names
}
