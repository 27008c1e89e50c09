package policy

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/tcpka/tcpka/internal/answer"
)

// Document is the answer of tcpka show policy.
type Document struct {
	Schema   string   `json:"schema"`
	Loaded   *bool    `json:"loaded"` // the kernel has some; null: only root can see it
	Policies []Policy `json:"policies"`
}

// Policy is one of them. Null is a value that it leaves alone.
type Policy struct {
	Name        string          `json:"name"`
	Match       Match           `json:"match"`
	Mode        string          `json:"mode"`
	Time        *int            `json:"time_seconds"`
	Intvl       *int            `json:"intvl_seconds"`
	Probes      *int            `json:"probes"`
	UserTimeout *int            `json:"user_timeout_ms"`
	Detection   *answer.Seconds `json:"detection_seconds"` // with the sysctls of this network namespace
	Connections Connections     `json:"connections"`
	Boot        bool            `json:"boot"` // it is there after a boot, too
	InForce     bool            `json:"in_force"`
	WhyNot      *string         `json:"why_not"`
	Matching    []string        `json:"matching"` // the cgroups there are now, without those below

	Words string `json:"-"` // as set policy takes it
}

// Match says which connections are meant.
type Match struct {
	Units   []string `json:"units"`
	Cgroups []string `json:"cgroups"`
	Host    bool     `json:"host"`
	Remote  []string `json:"remote"`
	Ports   []uint16 `json:"ports"`
}

// Connections counts sockets: both ends of a local connection apart.
type Connections struct {
	Seen   uint64 `json:"seen"`
	Given  uint64 `json:"given"`
	Left   uint64 `json:"left"`
	Failed uint64 `json:"failed"`
}

func (d Document) Table(w *bufio.Writer, s answer.Style) {
	if len(d.Policies) == 0 {
		if d.Loaded != nil {
			fmt.Fprintln(w, "No policy is in force: new connections have keepalive where their program wants it.")
		}
		return
	}
	var rows [][]string
	for _, p := range d.Policies {
		c := p.Connections
		noticed := "never"
		if p.Detection != nil {
			noticed = p.Detection.Human()
		}
		inForce := "yes"
		if !p.InForce {
			inForce = "no"
		}
		rows = append(rows, []string{p.Name, inForce, noticed, fmt.Sprint(c.Seen), fmt.Sprint(c.Given), fmt.Sprint(c.Left), fmt.Sprint(c.Failed), p.Words})
	}
	answer.WriteTable(w, s, []string{"NAME", "IN FORCE", "NOTICED", "SEEN", "GIVEN", "LEFT", "FAILED", "POLICY"}, rows)
	fmt.Fprintln(w)
	for _, p := range d.Policies {
		now := "no cgroup is called so now"
		if len(p.Matching) > 0 {
			now = "now for " + strings.Join(p.Matching, ", ")
		}
		answer.Wrap(w, s, answer.Escape(p.Name)+": ", answer.Escape(now+"; until the next boot"))
		if p.WhyNot != nil {
			answer.Wrap(w, s, s.Paint(answer.Yellow, "not in force:")+" ", answer.Escape(*p.WhyNot))
		}
	}
}
