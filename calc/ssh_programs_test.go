package calc

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/keepalive"
)

func TestOtherSSH(t *testing.T) {
	s := time.Second
	for _, tt := range []struct {
		name      string
		end       OtherSSH
		detection Prediction
		refresh   time.Duration
		warning   string
	}{
		{"PuTTY sends and does not listen", OtherSSH{PuTTY, 60 * s, false}, never(), 60 * s, "sends_only"},
		{"KiTTY is PuTTY", OtherSSH{KiTTY, 60 * s, true}, never(), 60 * s, "sends_only"},
		{"off, but SO_KEEPALIVE is on", OtherSSH{PuTTY, 0, true}, never(), 0, ""},
		{"off altogether", OtherSSH{PuTTY, 0, false}, never(), 0, "nothing_sent"},
		{"Tera Term waits for more than its number", OtherSSH{TeraTerm, 300 * s, false}, never(), 301 * s, "sends_only"},
		{"WinSCP", OtherSSH{WinSCP, 30 * s, false}, never(), 30 * s, "sends_only"},
		{"Dropbear gives up after three intervals", OtherSSH{Dropbear, 300 * s, false}, Prediction{Exact: 900 * s, Earliest: 899 * s, Latest: 900 * s, DecidedBy: "DEFAULT_KEEPALIVE_LIMIT", Probes: 2}, 300 * s, ""},
		{"Dropbear, off", OtherSSH{Dropbear, 0, false}, never(), 0, ""},
		{"the largest number saturates nowhere", OtherSSH{Dropbear, MaxSSHInterval, false}, Prediction{Exact: 3 * MaxSSHInterval, Earliest: 3*MaxSSHInterval - s, Latest: 3 * MaxSSHInterval, DecidedBy: "DEFAULT_KEEPALIVE_LIMIT", Probes: 2}, MaxSSHInterval, ""},
	} {
		if diff := cmp.Diff(tt.detection, tt.end.Detection()); diff != "" {
			t.Errorf("%s: detection (-want +got):\n%s", tt.name, diff)
		}
		if got, ok := tt.end.Refresh(); got != tt.refresh || ok != (tt.refresh > 0) {
			t.Errorf("%s: refreshed every %s, %t; want %s", tt.name, got, ok, tt.refresh)
		}
		warning := ""
		for _, w := range tt.end.Warnings() {
			warning += w.ID
		}
		if warning != tt.warning {
			t.Errorf("%s: warns of %q, want %q", tt.name, warning, tt.warning)
		}
	}
	if PuTTY.String() != "PuTTY" || SSHProgram("\x1b").String() != `"\x1b"` {
		t.Errorf("names: %s, %s", PuTTY, SSHProgram("\x1b"))
	}
}

func TestOtherSSHPeerGone(t *testing.T) {
	const s = time.Second
	k, set := DefaultKernel(), keepalive.Defaults()
	sent := k.DataInFlight(0, 0) // what it sends, up to an interval later
	flight := sent
	flight.Exact, flight.Latest = 60*s+sent.Exact, 60*s+sent.Latest
	for _, tt := range []struct {
		name string
		end  OtherSSH
		want Prediction
	}{
		{"nothing is on", OtherSSH{PuTTY, 0, false}, never()},
		{"SO_KEEPALIVE alone", OtherSSH{PuTTY, 0, true}, k.IdlePeerGone(set)},
		{"what it sends is not acknowledged, and may be on its way at once", OtherSSH{PuTTY, 60 * s, false}, flight},
		{"it sends long before TCP keepalive would", OtherSSH{PuTTY, 60 * s, true}, flight},
		{"Dropbear counts, and is first", OtherSSH{Dropbear, 60 * s, true},
			Prediction{Exact: 180 * s, Earliest: 179 * s, Latest: 180 * s, DecidedBy: "DEFAULT_KEEPALIVE_LIMIT", Probes: 2}},
	} {
		if diff := cmp.Diff(tt.want, tt.end.PeerGone(k, set)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
