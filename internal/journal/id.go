package journal

import (
	"encoding/base32"
	"encoding/binary"
	"time"
)

// idDigits are Crockford's base 32, in lower case: no i, l, o, u.
var idDigits = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// nextID returns the ID of a command that begins at now, in a journal whose
// newest command is last ("" if there is none). It is a number of 40 bits in 8
// digits: the seconds since 1970 and a count from 0 to 31 of the commands in
// one. It is always greater than last: where the clock went back, or a second
// had more commands, the count runs on into later seconds.
func nextID(last string, now time.Time) string {
	n := uint64(now.Unix()) << 5
	if b, err := idDigits.DecodeString(last); err == nil && len(b) == 5 {
		n = max(n, 1+binary.BigEndian.Uint64(append(make([]byte, 3), b...)))
	}
	return idDigits.EncodeToString(binary.BigEndian.AppendUint64(nil, n)[3:])
}

// IsID reports whether text is an ID as this package makes them. One that was read
// may be anything.
func IsID(text string) bool {
	b, err := idDigits.DecodeString(text)
	return err == nil && len(b) == 5 && idDigits.EncodeToString(b) == text
}
