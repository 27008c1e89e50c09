package ssh

import (
	"testing"
	"time"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/keepalive"
)

// TestBySocket: a socket on which it is not seen whether keepalive is on says nothing
// against the files.
func TestBySocket(t *testing.T) {
	own := keepalive.Settings{Time: time.Minute, Intvl: time.Second, Probes: 3}
	for _, tt := range []struct {
		name   string
		socket *Socket
		on     bool
		want   keepalive.Settings
	}{
		{"none", nil, true, keepalive.Defaults()},
		{"nothing is seen", &Socket{Socket: connection.Socket{Keepalive: connection.SwitchUnknown}}, true, keepalive.Defaults()},
		{"it is off", &Socket{Socket: connection.Socket{Keepalive: connection.SwitchOff}}, false, keepalive.Defaults()},
		{"values of its own", &Socket{Socket: connection.Socket{Keepalive: connection.SwitchOn, ValuesKnown: true, Settings: own}}, true, own},
	} {
		end, settings := calc.SSH{TCPKeepAlive: true}, keepalive.Defaults()
		bySocket(&end, &settings, tt.socket)
		if end.TCPKeepAlive != tt.on || settings != tt.want {
			t.Errorf("%s: %t, %+v", tt.name, end.TCPKeepAlive, settings)
		}
	}
}
