package policy

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nearest"
)

// withSockets are units and the sockets that start them: what is accepted from such a
// socket belongs to the cgroup of the .socket unit, and not to the service's. Without
// systemd there is nobody to ask, and the names are taken as they are.
func withSockets(units []string) ([]string, error) {
	var all []string
	for _, u := range units {
		if !strings.Contains(u, ".") { // as for systemctl
			u += ".service"
		}
		all = append(all, u)
	}
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return all, nil
	}
	for _, u := range slices.Clone(all) {
		out, err := systemctl("show", "-p", "LoadState", "-p", "TriggeredBy", "--", u)
		if err != nil {
			return nil, fmt.Errorf("ask systemd about %s: %w", u, err)
		}
		about := map[string]string{}
		for line := range strings.Lines(out) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			about[key] = value
		}
		if about["LoadState"] == "not-found" {
			return nil, unknown(u)
		}
		for _, by := range strings.Fields(about["TriggeredBy"]) {
			if strings.HasSuffix(by, ".socket") && !slices.Contains(all, by) {
				all = append(all, by)
			}
		}
	}
	return all, nil
}

func unknown(unit string) error {
	f := cmdline.Failed(fmt.Errorf("systemd knows no unit %s", unit)).WithHint("the units there are: systemctl list-units; a cgroup that is no unit of systemd's is named by --cgroup")
	out, err := systemctl("list-units", "--all", "--plain", "--no-legend", "--type=service,slice,scope")
	if err != nil {
		return f
	}
	var names []string
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 0 {
			names = append(names, fields[0])
		}
	}
	if near := nearest.Names(unit, names); len(near) > 0 {
		f.Hint = "did you mean: " + strings.Join(near[:min(3, len(near))], ", ") + "? " + f.Hint
	}
	return f
}

func systemctl(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "systemctl", args...).Output()
	return string(out), err
}
