package probe

import (
	"net"
	"strconv"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]Target{
		"example.org:443":     {host: "example.org", port: 443},
		"192.0.2.1:0443":      {host: "192.0.2.1", port: 443},
		"[2001:db8::1]:22":    {host: "2001:db8::1", port: 22},
		"[fe80::1%eth0]:7000": {host: "fe80::1%eth0", port: 7000},
		":7000":               {port: 7000},
	} {
		want.Text = text
		if got, err := parseTarget(text); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// What is read as a target names the same host and port when it is put together
// again.
func FuzzParseTarget(f *testing.F) {
	for _, text := range []string{"example.org:443", "[::1]:22", "[fe80::1%eth0]:1", ":7000", "::1:22", "a:b", "[]:1", "x:+1", "x:-1", "x:99999", "\x1b:1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTarget(text)
		if err != nil {
			return
		}
		if again, err := parseTarget(net.JoinHostPort(got.host, strconv.Itoa(int(got.port)))); err != nil || again.host != got.host || again.port != got.port {
			t.Errorf("%q is %+v, and then %+v, %v", text, got, again, err)
		}
		if strings.ContainsAny(got.host, "[]") {
			t.Errorf("%q: host %q", text, got.host)
		}
	})
}

func TestALinkLocalAddressHasAZone(t *testing.T) {
	for host, want := range map[string]bool{
		"fe80::1": true, "fe80::1%eth0": false, "2001:db8::1": false, "169.254.0.1": false, "example.org": false,
	} {
		if got := (Target{host: host}).zoneless(); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}
