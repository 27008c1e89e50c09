package connection

import (
	"encoding/json"
	"testing"
)

// An owner that is an io_uring says so: its descriptor is not the socket.
func TestAnOwnerThatIsAnIOUring(t *testing.T) {
	var got struct{ Owners []map[string]any }
	s := &Socket{Owners: []SocketOwner{{PID: 7, FD: 3, Comm: "proxy", Ring: true}, {PID: 8, FD: 4, Comm: "proxy"}}}
	if err := json.Unmarshal(AppendSocketJSON(nil, s), &got); err != nil {
		t.Fatal(err)
	}
	if _, also := got.Owners[1]["io_uring"]; got.Owners[0]["io_uring"] != true || also {
		t.Errorf("%v", got.Owners)
	}
}
