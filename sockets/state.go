package sockets

import "math/bits"

// State is a TCP state, numbered as in include/net/tcp_states.h.
type State uint8

const (
	Established State = iota + 1
	SynSent
	SynRecv
	FinWait1
	FinWait2
	TimeWait
	Closed
	CloseWait
	LastAck
	Listen
	Closing
)

var stateNames = [...]string{
	Established: "ESTAB",
	SynSent:     "SYN-SENT",
	SynRecv:     "SYN-RECV",
	FinWait1:    "FIN-WAIT-1",
	FinWait2:    "FIN-WAIT-2",
	TimeWait:    "TIME-WAIT",
	Closed:      "CLOSED",
	CloseWait:   "CLOSE-WAIT",
	LastAck:     "LAST-ACK",
	Listen:      "LISTEN",
	Closing:     "CLOSING",
}

// String is the name that ss(8) gives it.
func (s State) String() string {
	if int(s) < len(stateNames) && s > 0 {
		return stateNames[s]
	}
	return "UNKNOWN"
}

// connected reports whether there is a connection: segments of a peer were
// taken.
func (s State) connected() bool { return States(connected).Has(s) }

const connected = 1<<Established | 1<<FinWait1 | 1<<FinWait2 | 1<<CloseWait | 1<<LastAck | 1<<Closing

// States is a set of states.
type States uint32

// Connections are the states that are listed unless others are asked for: all
// but LISTEN, TIME-WAIT and SYN-RECV.
const Connections States = connected | 1<<SynSent

// AllStates are all that the kernel can list.
const AllStates States = Connections | 1<<Listen | 1<<TimeWait | 1<<SynRecv

// StatesOf is the set of the given states.
func StatesOf(states ...State) States {
	var set States
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// Has reports whether s is in the set.
func (set States) Has(s State) bool { return set>>s&1 != 0 }

// All returns the states of the set in their order.
func (set States) All() []State {
	var all []State
	for rest := uint32(set); rest != 0; rest &= rest - 1 {
		all = append(all, State(bits.TrailingZeros32(rest)))
	}
	return all
}
