package basis

import (
	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/target"
)

// Present is what explain starts from.
func Present(s *cmdline.Invocation, c *cli.Context) (Values, error) {
	w, err := target.WhereOf(c)
	if err != nil {
		return Values{}, err
	}
	if w.All {
		return Values{}, cmdline.Misuse("explain looks at one namespace, not at all")
	}
	ns := w.Namespaces[0]
	var snap target.Snapshot
	err = ns.Do(func() (err error) {
		snap, err = target.Look(w.Root)
		return err
	})
	v := Values{Settings: snap.Settings, Kernel: snap.Kernel, Assumed: snap.Assumed, Source: ns.Name}
	if w.Root.Live() {
		v.Source = "namespace " + ns.Name
	}
	return v, s.Permission(err)
}
