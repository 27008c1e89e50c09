package selftest

import "fmt"

// verdict compares. It is empty where all is as predicted.
func (r Result) verdict() string {
	p := r.Predicted
	late := Allowance + r.Stalled
	switch {
	case p.Never && r.Ended:
		return "it ended, and should have lived"
	case p.Never:
		return ""
	case !r.Ended:
		return "it has not ended"
	case r.Measured < p.Earliest:
		return fmt.Sprintf("%s too early", p.Earliest-r.Measured)
	case r.Measured > p.Latest+late:
		return fmt.Sprintf("%s too late", r.Measured-p.Latest)
	case r.Errno != p.Errno:
		return fmt.Sprintf("the application got %s, not %s", orNothing(r.Errno), orNothing(p.Errno))
	// A late expiry may have ended it a probe sooner.
	case r.Probes >= 0 && r.Probes != p.Probes && (r.Probes > p.Probes || p.Earliest == p.Exact):
		return fmt.Sprintf("%d probes were sent, not %d", r.Probes, p.Probes)
	}
	return ""
}

func orNothing(errno string) string {
	if errno == "" {
		return "nothing"
	}
	return errno
}
