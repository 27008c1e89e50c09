// Package middlebox is a catalogue of what lies between two ends of a TCP
// connection: NATs, load balancers, firewalls and proxies, and how long each
// remembers a connection on which nothing is said. That is data and a lookup. On
// Linux it also reads what this host itself remembers, and measures what a path
// does: [Prober] from the near end, [Responder] from the far one.
//
// The values are defaults, collected in the month that [Checked] names. Vendors
// change them and administrators set others: each carries its source and how
// much it can be trusted, and a value measured on the path beats it.
package middlebox

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tcpka/tcpka/internal/nearest"
)

// Checked is the month in which the catalogue was last held against its
// sources.
const Checked = "2026-11"

// A Box is one kind of middlebox with its default settings.
type Box struct {
	Name    string   // short and unique: "aws-nlb"
	Aliases []string // other names that [Lookup] takes
	Title   string   // what it is: "AWS Network Load Balancer, TCP listener"

	// Idle is how long it remembers a silent connection by default. Where
	// sources name several values it is the shortest; Note tells the others.
	Idle time.Duration
	// Min and Max are what Idle can be set to. Both zero: it is fixed, or the
	// range is not known.
	Min, Max time.Duration
	// Setting is what changes Idle: a parameter, a command, a page. Empty: it is
	// fixed, or no way is known.
	Setting string
	Fixed   bool // nobody can change Idle

	OnExpiry Expiry
	Layer    Layer

	// Server is the far end itself, which closes what brings it no request. Its layer is
	// L7: only requests count.
	Server bool

	Source     string // the document or code that says so
	Confidence Confidence
	Note       string // what else to know, in a sentence; may be empty
}

// Layer says what a middlebox understands of the traffic, and so what keeps it
// from forgetting.
type Layer string

const (
	// L4 passes TCP segments on. Each one counts as traffic, an empty keepalive
	// probe and its answer, too.
	L4 Layer = "l4"
	// L7 ends the TCP connection and makes another one to the far end. A
	// keepalive probe is answered by the box itself and gets no further: only
	// data of the application counts.
	L7 Layer = "l7"
)

// Expiry says what becomes of a connection that was silent for too long.
type Expiry string

const (
	Reset   Expiry = "reset"   // a TCP reset, to one or both ends or to whoever speaks next
	Silent  Expiry = "silent"  // packets vanish; each end finds out by itself, or never
	Closed  Expiry = "closed"  // both ends are told at once that the connection is over
	Varies  Expiry = "varies"  // it depends on how the box is set up; see Note
	Unknown Expiry = "unknown" // no source says
)

// Confidence is how much a value can be trusted.
type Confidence string

const (
	High   Confidence = "high"   // the vendor's document, the source code or a measurement
	Medium Confidence = "medium" // what others write about it
	Low    Confidence = "low"    // common knowledge; no document backs the number
)

// Refreshes reports whether a TCP keepalive probe, which carries no data, keeps
// the box from forgetting the connection.
func (b Box) Refreshes() bool { return b.Layer == L4 }

// Boxes returns the catalogue, grouped by kind. The caller may keep it.
func Boxes() []Box {
	return slices.Concat(standards(), clouds(), software(), appliances(), reported(), servers())
}

// Names returns the names of all boxes, without aliases, in the order of
// [Boxes].
func Names() []string {
	var names []string
	for _, b := range Boxes() {
		names = append(names, b.Name)
	}
	return names
}

// Lookup finds a box by its name or an alias; case does not matter, and _ is
// read as -. It answers an [*UnknownError] where there is none.
func Lookup(name string) (Box, error) {
	wanted := strings.ReplaceAll(strings.ToLower(name), "_", "-")
	var all []string
	for _, b := range Boxes() {
		if b.Name == wanted || slices.Contains(b.Aliases, wanted) {
			return b, nil
		}
		all = append(append(all, b.Name), b.Aliases...)
	}
	return Box{}, &UnknownError{Name: name, Near: nearest.Programs(name, all)}
}

// UnknownError is a name that is not in the catalogue.
type UnknownError struct {
	Name string
	Near []string // names like it, the likeliest first; may be empty
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no middlebox is called %q", e.Name)
}
