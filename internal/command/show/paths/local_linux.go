package paths

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/target"
)

// localLimits reads what the host remembers, in the namespace or image named.
func localLimits(s *cmdline.Invocation, c *cli.Context) ([]LocalLimit, error) {
	w, err := target.WhereOf(c)
	if err != nil {
		return nil, err
	}
	if w.All {
		return nil, cmdline.Misuse("show paths looks at one namespace, not at all")
	}
	var limits []LocalLimit
	err = w.Namespaces[0].Do(func() error {
		for _, l := range middlebox.Local(w.Root) {
			r := LocalLimit{Name: l.Box, Key: l.Key}
			if l.Err != nil {
				r.Error = new(l.Err.Error())
			} else {
				r.Idle = new(answer.Seconds(l.Idle))
			}
			limits = append(limits, r)
		}
		return nil
	})
	return limits, s.Permission(err)
}
