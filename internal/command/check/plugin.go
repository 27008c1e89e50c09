package check

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tcpka/tcpka/internal/cmdline"
)

// asPlugin makes every failure of check a 3, and says so where a monitoring
// system looks for it.
func asPlugin(s *cmdline.Invocation, err error) error {
	if _, ok := errors.AsType[cmdline.Passed](err); ok || err == nil {
		return err
	}
	if !slices.ContainsFunc(s.Args, func(a string) bool { return strings.HasSuffix(a, "json") || strings.HasSuffix(a, "prometheus") }) {
		fmt.Fprintf(s.Stdout, "TCPKA UNKNOWN - %s\n", PluginText(err.Error()))
	}
	f := cmdline.Failed(err)
	errors.As(err, &f)
	return &cmdline.Failure{Err: err, Status: SeverityUnknown.Exit(), Hint: f.Hint}
}
