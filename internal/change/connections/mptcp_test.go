package connections

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/sockets"
)

// What set sockets says is by the same rule.
func TestWhenMPTCPIsNoticedAfterAChange(t *testing.T) {
	multi := tuning{Socket: sockets.Socket{
		State: sockets.Established, Keepalive: sockets.On, ValuesKnown: true,
		Settings: keepalive.Settings{Time: 600 * time.Second, Intvl: 10 * time.Second, Probes: 3},
	}}
	multi.change.Time = new(300 * time.Second)
	plain, listener, off, became := multi, multi, multi, multi
	plain.UserTimeoutKnown = true
	listener.State = sockets.Listen
	off.change.Enabled = new(false)
	became.UserTimeoutKnown, became.result, became.after.Keepalive = true, sockets.Done, sockets.On
	minute := connection.Outliving{Looked: true, Duration: time.Minute, Known: true}
	for _, row := range []struct {
		name   string
		tuning tuning
		mptcp  connection.Outliving
		want   string
	}{
		{"MPTCP", multi, minute, `{"old":690,"new":390}`},
		{"MPTCP that was not known to be", became, minute, `{"old":690,"new":390}`},
		{"MPTCP, off", off, minute, `{"old":690,"new":null}`},
		{"MPTCP of a kernel that does not say", multi, connection.Outliving{Looked: true}, `null`},
		{"TCP", plain, minute, `{"old":630,"new":330}`},
		{"what may accept either", listener, minute, `null`},
	} {
		got, err := json.Marshal(row.tuning.detection(calc.DefaultKernel(), &row.mptcp))
		if err != nil || string(got) != row.want {
			t.Errorf("%s: %s, %v, want %s", row.name, got, err, row.want)
		}
	}
}
