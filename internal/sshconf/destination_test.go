package sshconf

import (
	"testing"
)

func TestCheckPattern(t *testing.T) {
	for _, p := range []string{"web1", "*.example.com", "10.0.0.?", "*", "web-?_x", "fe80::1"} {
		if err := CheckPattern(p); err != nil {
			t.Error(err)
		}
	}
	for _, p := range []string{"", "a b", "!web1", "web1,web2", "a\nb", `a"b`, "a#b", "-x", "bob@web1", "a\\b", "a\x00", "ssh://a", "a=b", "a\u202eb", "${HOME}", "%h"} {
		if err := CheckPattern(p); err == nil {
			t.Errorf("%q is accepted", p)
		}
	}
}
