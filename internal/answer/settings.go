package answer

import (
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// Settings are the values explained.
type Settings struct {
	Time        Seconds `json:"time_seconds"`
	Intvl       Seconds `json:"intvl_seconds"`
	Probes      int     `json:"probes"`
	UserTimeout int64   `json:"user_timeout_ms"`
}

// UserTimeoutSeconds is the user timeout in the unit of the others.
func (s Settings) UserTimeoutSeconds() Seconds {
	return Seconds(time.Duration(s.UserTimeout) * time.Millisecond)
}

// NewSettings are settings for an answer.
func NewSettings(s keepalive.Settings) Settings {
	return Settings{Seconds(s.Time), Seconds(s.Intvl), s.Probes, s.UserTimeout.Milliseconds()}
}

// KernelSettings are what the predictions rest on beside the settings. Assumed
// are the ones that were not read, but taken as the kernel's default.
type KernelSettings struct {
	HZ                int      `json:"hz"`
	Retries2          int      `json:"tcp_retries2"`
	RTOMax            int64    `json:"tcp_rto_max_ms"`
	SynRetries        int      `json:"tcp_syn_retries"`
	SynLinearTimeouts int      `json:"tcp_syn_linear_timeouts"`
	SynackRetries     int      `json:"tcp_synack_retries"`
	OrphanRetries     int      `json:"tcp_orphan_retries"`
	Assumed           []string `json:"assumed"`
}

func NewKernelSettings(k calc.Kernel, assumed []string) KernelSettings {
	return KernelSettings{
		HZ: k.HZ, Retries2: k.Retries2, RTOMax: k.RTOMax.Milliseconds(),
		SynRetries: k.SynRetries, SynLinearTimeouts: k.SynLinearTimeouts,
		SynackRetries: k.SynackRetries, OrphanRetries: k.OrphanRetries,
		Assumed: append([]string{}, assumed...),
	}
}

// Origin says behind values where those come from that were not given.
func Origin(source string, given bool) string {
	if given {
		source = "the rest: " + source
	}
	return "  [" + Escape(source) + "]"
}
