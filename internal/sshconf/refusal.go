package sshconf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/tcpka/tcpka/internal/nearest"
)

// A Refusal is a program that ended with an error.
type Refusal struct {
	Program string // "ssh"
	Status  string // "exit status 255"
	Reason  string // the line of what it said that tells why; empty: it said nothing

	said []string
}

func (r *Refusal) Error() string {
	if r.Reason == "" {
		return r.Program + ": " + r.Status
	}
	return r.Program + ": " + r.Status + ": " + r.Reason
}

// noise is what OpenSSH says that is no reason to end, or only counts them.
var noise = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^Pseudo-terminal will not be allocated|: terminating, \d+ bad configuration options?$|\b(?:Deprecated|Unsupported) option\b|^debug\d|^[Ww]arning: `)
})

// The lines that name a fault: of a place in a file, of a variable.
var (
	faulty   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bline \d+:? `) })
	valuable = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`env var \$\{([A-Za-z_][A-Za-z0-9_]*)\} has no value`)
	})
	badOption = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(.*): line (\d+): Bad configuration option: (\S+)$`)
	})
	badOwner = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^Bad owner or permissions on (/\S+)$`) })
)

// refusal finds the reason in what a program wrote to stderr. It may be any line: the
// commands of a Match exec write there, too.
func refusal(program, status, stderr string) *Refusal {
	r := &Refusal{Program: program, Status: status}
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !noise().MatchString(line) {
			r.said = append(r.said, line)
		}
	}
	for _, sign := range []*regexp.Regexp{valuable(), faulty()} {
		if i := slices.IndexFunc(r.said, sign.MatchString); i >= 0 {
			r.Reason = r.said[i]
			return r
		}
	}
	if n := len(r.said); n > 0 {
		r.Reason = r.said[n-1]
	}
	return r
}

// Hint is what to do about it, or empty.
func (r *Refusal) Hint() string {
	var unknown []string
	first := ""
	for _, line := range r.said {
		if m := badOwner().FindStringSubmatch(line); m != nil {
			return "ssh wants the file to be its user's, and written by nobody else: chmod go-w " + m[1]
		}
		m := badOption().FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if first == "" {
			first = m[1]
			if near := nearest.Names(m[3], Keywords(r.Program == "sshd")); len(near) > 0 && !KnownKeyword(r.Program == "sshd", m[3]) {
				return fmt.Sprintf("line %s of %s may mean %s", m[2], m[1], near[0])
			}
		}
		if !slices.Contains(unknown, m[3]) {
			unknown = append(unknown, m[3])
		}
	}
	switch {
	case len(unknown) == 0:
		return ""
	case r.Program != "ssh":
		return "this release does not know " + strings.Join(unknown, ", ") + ": take it out of " + first
	}
	return fmt.Sprintf("a release, or a system, that does not know it can be told to pass over it, by a line at the top of %s: IgnoreUnknown %s", first, strings.Join(unknown, ","))
}

// OfFiles reports whether it is a line of the files that is refused, and not that a key,
// a directory or a user is missing.
func (r *Refusal) OfFiles() bool { return faulty().MatchString(r.Reason) }

// lacks is the variable without which the files are refused, or empty.
func (r *Refusal) lacks() string {
	if m := valuable().FindStringSubmatch(r.Reason); m != nil {
		return m[1]
	}
	return ""
}
