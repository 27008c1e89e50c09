package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/report"
)

// asPlugin makes every failure of check a 3, and says so where a monitoring
// system looks for it.
func asPlugin(s *session, err error) error {
	if _, ok := errors.AsType[passed](err); ok || err == nil {
		return err
	}
	if !slices.ContainsFunc(s.args, func(a string) bool { return strings.HasSuffix(a, "json") || strings.HasSuffix(a, "prometheus") }) {
		fmt.Fprintf(s.stdout, "TCPKA UNKNOWN - %s\n", report.PluginText(err.Error()))
	}
	f := failed(err)
	errors.As(err, &f)
	return &failure{err: err, status: report.SeverityUnknown.Exit(), hint: f.hint}
}
