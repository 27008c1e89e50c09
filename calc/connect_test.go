package calc_test

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
)

// At HZ 250 waits of 1 and 2 s are up to 32 ms late, of 4 to 16 s 256 ms, of 32
// and 64 s 2.048 s; one that the user timeout may cut, 4 ms more.
func TestConnecting(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		retries, linear         int
		rtoMax, uto             time.Duration
		exact, earliest, latest time.Duration
		by                      string
		measured                []time.Duration
	}{
		{"retries 1", 1, 4, 0, 0, 3 * s, 3 * s, 3*s + 3*32*ms, "tcp_syn_retries", []time.Duration{3068 * ms}},
		{"retries 2", 2, 4, 0, 0, 7 * s, 7 * s, 7*s + 6*32*ms, "tcp_syn_retries", []time.Duration{7132 * ms}},
		{"retries 3", 3, 4, 0, 0, 19 * s, 19 * s, 19*s + (6*32+2*256)*ms, "tcp_syn_retries", nil},
		{"retries 4", 4, 4, 0, 0, 35 * s, 35 * s, 35*s + (6*32+3*256)*ms, "tcp_syn_retries", nil},
		{"retries 5", 5, 4, 0, 0, 67 * s, 67 * s, 67*s + (6*32+3*256+2048)*ms, "tcp_syn_retries", nil},
		{"retries 6, the default", 6, 4, 0, 0, 131 * s, 131 * s, 131*s + (6*32+3*256+2*2048)*ms, "tcp_syn_retries", []time.Duration{134100 * ms}},
		{"no linear timeouts: retries 1", 1, 0, 0, 0, 3 * s, 3 * s, 3*s + 2*32*ms, "tcp_syn_retries", []time.Duration{3046 * ms}},
		{"no linear timeouts: retries 2", 2, 0, 0, 0, 7 * s, 7 * s, 7*s + (2*32+256)*ms, "tcp_syn_retries", nil},
		{"no linear timeouts: retries 3", 3, 0, 0, 0, 15 * s, 15 * s, 15*s + (2*32+2*256)*ms, "tcp_syn_retries", nil},
		{"no linear timeouts: retries 4", 4, 0, 0, 0, 31 * s, 31 * s, 31*s + (2*32+3*256)*ms, "tcp_syn_retries", nil},
		{"no linear timeouts: retries 5", 5, 0, 0, 0, 63 * s, 63 * s, 63*s + (2*32+3*256+2048)*ms, "tcp_syn_retries", nil},
		{"no linear timeouts: retries 6", 6, 0, 0, 0, 127 * s, 127 * s, 127*s + (2*32+3*256+2*2048)*ms, "tcp_syn_retries", nil},
		{"one linear timeout", 1, 1, 0, 0, 4 * s, 4 * s, 4*s + 3*32*ms, "tcp_syn_retries", []time.Duration{4072 * ms}},
		{"rto_max 1 s: no wait doubles", 4, 4, s, 0, 5 * s, 5 * s, 5*s + 5*32*ms, "tcp_syn_retries", []time.Duration{5124 * ms}},
		{"rto_max 2 s", 3, 0, 2 * s, 0, 7 * s, 7 * s, 7*s + 4*32*ms, "tcp_syn_retries", []time.Duration{7076 * ms}},
		{"rto_max 1 s, no linear timeouts", 6, 0, s, 0, 7 * s, 7 * s, 7*s + 7*32*ms, "tcp_syn_retries", []time.Duration{7172 * ms}},

		{"a user timeout below 1 s: the tick after the first repetition", 1, 4, 0, 500 * ms,
			1004 * ms, 1004 * ms, 1032*ms + (4+4+4)*ms, "user_timeout", []time.Duration{1028 * ms, 1032 * ms}},
		{"of 1 s: the same", 1, 4, 0, s,
			1004 * ms, 1004 * ms, 1032*ms + (4+4+4)*ms, "user_timeout", []time.Duration{1028 * ms}},
		{"between two repetitions: the wait is cut", 1, 4, 0, 2500 * ms,
			2500 * ms, 2500 * ms, 1032*ms + 1036*ms + (500+4+32)*ms, "user_timeout", []time.Duration{2524 * ms}},
		{"it replaces 2^(retries+1)-1 s", 1, 4, 0, 5500 * ms,
			5500 * ms, 5500 * ms, 1032*ms + 4*1036*ms + (500+4+32)*ms, "user_timeout", []time.Duration{5540 * ms}},
		{"but not the number of repetitions", 1, 4, 0, 60 * s,
			7 * s, 7 * s, 1032*ms + 4*1036*ms + 2036*ms, "user_timeout", []time.Duration{7140 * ms}},
		{"no linear timeouts: 5 s", 2, 0, 0, 5 * s,
			5 * s, 5 * s, 1032*ms + 2*2036*ms, "user_timeout", []time.Duration{5024 * ms}},
		{"no linear timeouts: the number of repetitions", 1, 0, 0, 60 * s,
			3 * s, 3 * s, 1032*ms + 2036*ms, "user_timeout", []time.Duration{3046 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.SynRetries, k.SynLinearTimeouts, k.RTOMax = tt.retries, tt.linear, tt.rtoMax
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, DecidedBy: tt.by, Errno: "ETIMEDOUT"}
			check(t, want, k.Connecting(tt.uto), tt.measured...)
		})
	}
}

func TestAccepting(t *testing.T) {
	for _, tt := range []struct {
		name                    string
		retries                 int
		rtoMax                  time.Duration
		exact, earliest, latest time.Duration
		measured                []time.Duration
	}{
		{"retries 0", 0, 0, s, s, s + 32*ms, nil},
		{"retries 1", 1, 0, 3 * s, 3 * s, 3*s + 2*32*ms, []time.Duration{3061 * ms}},
		{"retries 2", 2, 0, 7 * s, 7 * s, 7*s + (2*32+256)*ms, []time.Duration{7178 * ms}},
		{"retries 3", 3, 0, 15 * s, 15 * s, 15*s + (2*32+2*256)*ms, []time.Duration{15385 * ms}},
		{"retries 5, the default", 5, 0, 63 * s, 63 * s, 63*s + (2*32+3*256+2048)*ms, []time.Duration{64100 * ms}},
		{"no wait is longer than 120 s", 8, 0, 127*s + 2*120*s, 127*s + 2*120*s, 127*s + 2*120*s + (2*32+3*256+4*2048)*ms, nil},
		{"rto_max 1 s counts on some kernels", 3, s, 15 * s, 4 * s, 15*s + (2*32+2*256)*ms, []time.Duration{15399 * ms}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := kernel(250)
			k.SynackRetries, k.RTOMax = tt.retries, tt.rtoMax
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, DecidedBy: "tcp_synack_retries"}
			check(t, want, k.Accepting(), tt.measured...)
		})
	}
}
