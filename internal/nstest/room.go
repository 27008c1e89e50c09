package nstest

import "github.com/tcpka/tcpka/internal/room"

// What tests use of package room.
var (
	Apart    = room.Apart
	OnThread = room.OnThread
	DropAll  = room.DropAll
	Forget   = room.Forget
	Loopback = room.Loopback
	Listen   = room.Listen
	Pair     = room.Pair
	HalfOpen = room.HalfOpen
	Up       = room.Up
)
