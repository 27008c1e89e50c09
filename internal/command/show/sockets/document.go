package sockets

import (
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/connection"
)

// End is what there is to say when all sockets have been written.
type End struct {
	Asked      Asked
	Summary    Summary
	Source     string  // "bpf" or "sock_diag"
	WhyNotBPF  *string // null: BPF is the source
	Incomplete []Lack  // not nil
}

// Asked is what was looked for.
type Asked struct {
	Filtered bool // not every connection
	Netns    bool // in all namespaces
}

// none says that there is no socket.
func (e End) none() string {
	switch unseen := len(e.Incomplete) > 0; {
	case unseen && e.Asked.Filtered:
		return "No socket that can be seen matches."
	case unseen:
		return "No socket can be seen."
	case e.Asked.Filtered:
		return "No socket matches."
	case e.Asked.Netns:
		return "No network namespace has TCP connections."
	}
	return "This namespace has no TCP connections."
}

// Summary counts sockets.
type Summary struct {
	Total   int `json:"total"`
	On      int `json:"keepalive_on"`
	Off     int `json:"keepalive_off"`
	Unknown int `json:"unknown"`

	// beside are those of each kind for which keepalive has no say.
	beside [3]int
}

// Add counts one more.
func (s *Summary) Add(one *connection.Socket) {
	s.Total++
	if !one.Counts() {
		s.beside[one.Keepalive]++
	}
	switch one.Keepalive {
	case connection.SwitchOn:
		s.On++
	case connection.SwitchOff:
		s.Off++
	default:
		s.Unknown++
	}
}

// Lack is something that could not be known.
type Lack struct {
	Netns   answer.Foreign `json:"netns"`
	What    string         `json:"what"`
	Sockets *int           `json:"sockets"` // of how many; null is not known
	Why     answer.Foreign `json:"why"`
	Remedy  *string        `json:"remedy"` // what would reveal it; null: nothing

	// The descriptor that is the reason: its process keeps the lock of the socket.
	PID *int `json:"pid,omitempty"`
	FD  *int `json:"fd,omitempty"`
}

// Writer writes sockets as they come, in one format.
type Writer interface {
	// Socket writes one. It keeps nothing of it.
	Socket(*connection.Socket) error
	// End writes what comes after the last one.
	End(End) error
}
