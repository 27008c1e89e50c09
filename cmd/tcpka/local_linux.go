package main

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/internal/report"
)

// localLimits reads what the host remembers, in the namespace or image named.
func localLimits(s *session, c *cli.Context) ([]report.LocalLimit, error) {
	w, err := whereOf(c)
	if err != nil {
		return nil, err
	}
	if w.all {
		return nil, misuse("show paths looks at one namespace, not at all")
	}
	var limits []report.LocalLimit
	err = w.namespaces[0].Do(func() error {
		for _, l := range middlebox.Local(w.root) {
			r := report.LocalLimit{Name: l.Box, Key: l.Key}
			if l.Err != nil {
				r.Error = new(l.Err.Error())
			} else {
				r.Idle = new(report.Seconds(l.Idle))
			}
			limits = append(limits, r)
		}
		return nil
	})
	return limits, s.permission(err)
}
