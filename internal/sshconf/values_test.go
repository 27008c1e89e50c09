package sshconf

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSame(t *testing.T) {
	for _, tt := range []struct {
		keyword Keyword
		a, b    string
		want    bool
	}{
		{ServerAliveInterval, "5m", "300", true},
		{ClientAliveInterval, "1M", "60s", true},
		{ServerAliveInterval, "5m", "30", false},
		{ServerAliveInterval, "2.5", "2", true}, // from OpenSSH 10.3 on
		{ClientAliveInterval, "1m2.9S", "62", true},
		{ServerAliveInterval, "2.5", "3", false},
		{ServerAliveInterval, "2.5m", "150", false},
		{ServerAliveInterval, "2.", "2", false},
		{ServerAliveInterval, ".5", "0", false},
		{ServerAliveInterval, "2.5.5", "2", false},
		{ServerAliveInterval, "2.5", "2.5", true},
		{TCPKeepAlive, "YES", "yes", true},
		{TCPKeepAlive, "True", "yes", true},
		{TCPKeepAlive, "FALSE", "yes", false},
		{TCPKeepAlive, "maybe", "no", false},
		{ServerAliveCountMax, "03", "3", true},
		{ServerAliveCountMax, "5m", "300", false},
		{ClientAliveCountMax, "-1", "-01", false},
	} {
		if got := tt.keyword.Same(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %q and %q are the same: %t", tt.keyword, tt.a, tt.b, got)
		}
	}
}

// TestOptionsOf has settings as ssh -G prints them, but for what ssh would refuse.
func TestOptionsOf(t *testing.T) {
	got := OptionsOf([]Setting{
		{Keyword: ServerAliveInterval, Value: "5m", Line: 1},
		{Keyword: ServerAliveCountMax},
		{Keyword: TCPKeepAlive, Value: "No", Line: 2},
		{Keyword: ClientAliveInterval, Value: "soon", Line: 3},
	})
	want := Options{"serveraliveinterval": "300", "serveralivecountmax": "3", "tcpkeepalive": "no", "clientaliveinterval": "soon"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
