// Package goal is what one wants of a connection: to survive a path, to notice a death in
// time; read from the flags, and the settings that meet it.
package goal

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/middlebox"
	"github.com/tcpka/tcpka/keepalive"
)

// Flags say what keepalive is wanted for.
func Flags(loss string) []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "behind", Usage: "a middlebox on the path, a `NAME` that tcpka show paths lists; several with commas, or by repeating it"},
		&cli.StringFlag{Name: "path-timeout", Usage: "how long the path remembers a silent connection: seconds, or `DURATION`"},
		&cli.StringFlag{Name: "detect-within", Usage: "how soon a dead peer has to be noticed: seconds, or `DURATION`"},
		&cli.StringFlag{Name: "survive-loss", Value: loss, Usage: "how many probes in a row may be lost, a `NUMBER`; plan counts in 2, check 0"},
	}
}

// Aim is what the flags ask for.
type Aim struct {
	Boxes       []middlebox.Box
	pathTimeout time.Duration // given itself; 0 is not
	Detect      time.Duration // 0 is not asked for
	Loss        int
}

// The longest time that a goal may have.
const longestGoal = 366 * 24 * time.Hour

func Read(c *cli.Context) (Aim, error) {
	var a Aim
	for _, name := range cmdline.Several(c, "behind") {
		b, err := Box(name)
		if err != nil {
			return a, err
		}
		a.Boxes = append(a.Boxes, b)
	}
	accepted := fmt.Sprintf("whole seconds from 1 to %d (366d)", longestGoal/time.Second)
	for name, to := range map[string]*time.Duration{"path-timeout": &a.pathTimeout, "detect-within": &a.Detect} {
		d, err := cmdline.Duration(c, name, time.Second, time.Second, longestGoal, accepted)
		if err != nil {
			return a, err
		}
		if d != nil {
			*to = *d
		}
	}
	loss, err := cmdline.Number(c, "survive-loss", 0, keepalive.MaxSocketProbes-1)
	if err != nil {
		return a, err
	}
	if loss == nil {
		loss = new(0)
		*loss, _ = strconv.Atoi(c.String("survive-loss")) // the default
	}
	a.Loss = *loss
	return a, nil
}

// Empty reports whether nothing is asked for.
func (a Aim) Empty() bool { return len(a.Boxes) == 0 && a.pathTimeout == 0 && a.Detect == 0 }

// TCP is what TCP keepalive can do of it; ok is false where that is nothing:
// all that is known of the path ends the TCP connection.
func (a Aim) TCP() (g calc.Goal, ok bool) {
	g = calc.Goal{PathTimeout: a.pathTimeout, DetectWithin: a.Detect, SurviveLoss: a.Loss}
	for _, b := range a.Boxes {
		if b.Refreshes() {
			g.PathTimeout = smaller(g.PathTimeout, b.Idle)
		}
	}
	return g, g.PathTimeout != 0 || len(a.Terminating()) == 0
}

// SSH is what SSH, or another application, has to do.
func (a Aim) SSH() calc.Goal {
	g := calc.Goal{PathTimeout: a.pathTimeout, DetectWithin: a.Detect, SurviveLoss: a.Loss}
	for _, b := range a.Boxes {
		g.PathTimeout = smaller(g.PathTimeout, b.Idle)
	}
	return g
}

// smaller is the smaller of two times, of which 0 is none.
func smaller(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// Terminating are the names of what TCP keepalive does not get past.
func (a Aim) Terminating() []string {
	var names []string
	for _, b := range a.Boxes {
		if !b.Refreshes() {
			names = append(names, b.Name)
		}
	}
	return names
}

// PlanTCP looks for a user timeout, too, where data in flight could go unnoticed
// for longer than the goal has patience, and makes do without one.
func PlanTCP(k calc.Kernel, g calc.Goal) (keepalive.Settings, error) {
	bounded := g
	bounded.InFlight = smaller(g.PathTimeout, g.DetectWithin) < k.RetransmitBudget(k.Retries2) ||
		g.DetectWithin != 0 && g.DetectWithin < k.DataInFlight(0, 0).Latest
	if bounded.InFlight {
		if s, err := k.Plan(bounded, keepalive.Socket()); err == nil {
			return s, nil
		}
	}
	return k.Plan(g, keepalive.Socket())
}

func NoHelp(names []string) string {
	if slices.ContainsFunc(names, isServer) {
		var servers []string
		others := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			if isServer(name) {
				servers = append(servers, name)
			}
			return isServer(name)
		})
		text := fmt.Sprintf("no keepalive helps against %s, the server's own limit: only a request in time does, or another value there", strings.Join(servers, ", "))
		if len(others) > 0 {
			text = NoHelp(others) + "; " + text
		}
		return text
	}
	verb, it := "ends", "it"
	if len(names) > 1 {
		verb, it = "end", "them"
	}
	return fmt.Sprintf("%s %s the TCP connection: a keepalive probe gets to %s and no further, so no setting of TCP keepalive holds an idle connection open there or notices a dead peer behind %s",
		strings.Join(names, ", "), verb, it, it)
}

func isServer(name string) bool {
	b, err := middlebox.Lookup(name)
	return err == nil && b.Server
}
