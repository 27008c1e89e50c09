package connections

import (
	"slices"
	"testing"

	"github.com/tcpka/tcpka/sockets"
)

// With --jitter the subflows of one connection have their turn together: the first of
// them changes all.
func TestSubflowsHaveTheirTurnTogether(t *testing.T) {
	one, other := new(Room), new(Room)
	socket := func(r *Room, cookie uint64, inode uint32, mptcp bool) spread {
		return spread{r, &tuning{Socket: sockets.Socket{Cookie: cookie, Inode: inode, ValuesKnown: true, UserTimeoutKnown: !mptcp}}}
	}
	list := []spread{
		socket(one, 1, 8, false), socket(one, 2, 7, true), socket(other, 3, 7, true), socket(one, 4, 8, false),
		socket(one, 5, 9, true), socket(one, 6, 7, true), socket(one, 7, 9, true),
	}
	joinSubflows(list)
	var got []uint64
	var same []bool
	for i, s := range list {
		got = append(got, s.Cookie)
		same = append(same, i > 0 && s.sameConnection(list[i-1]))
	}
	if !slices.Equal(got, []uint64{1, 2, 6, 3, 4, 5, 7}) || !slices.Equal(same, []bool{false, false, true, false, false, false, true}) {
		t.Errorf("%v, %v", got, same)
	}
}
