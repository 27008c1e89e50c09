package sshclients

import (
	"math"
	"strings"
	"time"
)

// seconds is a number of the file as an interval.
func seconds(n int64) *time.Duration {
	return new(time.Duration(min(max(n, 0), math.MaxInt32)) * time.Second)
}

// atoi reads a number as C's atoi does: white space, a sign, digits, and whatever
// comes after them. Without digits it is 0. What C leaves open, a number that does not
// fit into an int, is about the nearest that does, and ok is false.
func atoi(s string) (n int64, ok bool) {
	s = strings.TrimLeft(s, " \t\v\f")
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(strings.TrimPrefix(s, "-"), "+")
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			break
		}
		if n = n*10 + int64(c-'0'); n > math.MaxInt32 {
			n = math.MaxInt32
			if negative {
				n = -n
			}
			return n, false
		}
	}
	if negative {
		n = -n
	}
	return n, true
}
