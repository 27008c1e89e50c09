// Package sockets lists the TCP sockets of a network namespace with the keepalive
// that each has: whether it is on, the values in effect and whether they are the
// socket's own or the namespace's sysctls, the timer that runs, and the processes
// that hold the socket.
//
// No other interface of the kernel shows all of that. sock_diag(7), which ss(8)
// reads, gives a timer but neither SO_KEEPALIVE nor any value, and getsockopt(2)
// gives the value in effect without saying whose it is. So there are two readers,
// see [Source], and what the one in use cannot know is in [Report].
package sockets

import (
	"net/netip"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// Socket is one TCP socket as it was when the walk came by.
//
// Of an MPTCP connection each subflow is a socket, and all of them have the
// owners and the inode of the MPTCP socket.
type Socket struct {
	State         State
	Local, Remote netip.AddrPort // an IPv4 connection of an IPv6 socket has ::ffff: addresses

	// Owners are the descriptors that are this socket, or hold it, by PID and FD. Empty: not
	// accepted yet, closed by its program, held by the kernel, or by a process
	// that the reader does not see. The slice is valid until the next socket.
	Owners []Owner

	UID    uint32 // of the user that made it, as the reader's user namespace numbers it
	Inode  uint32 // 0: no file
	Cookie uint64 // what SO_COOKIE gives: no other socket has it until the next boot

	// CgroupID is the cgroup v2 in which it was made; 0 is not known. Cgroup is
	// the path of that below the mount point, "" unless [Query.Cgroups] asks.
	CgroupID uint64
	Cgroup   string

	Keepalive OnOff // SO_KEEPALIVE

	// Settings are the values in effect, those of the namespace included. The
	// first three are known or not together.
	keepalive.Settings
	ValuesKnown      bool
	UserTimeoutKnown bool // an MPTCP socket has none

	TimeFrom, IntvlFrom, ProbesFrom Origin

	Timer Timer
	// Left is until Timer fires; below zero it is overdue. Diag knows it modulo 2^32 ms,
	// 49.7 days.
	Left time.Duration
	// Unanswered is idiag_retrans: keepalive or window probes without an answer,
	// or retransmissions, as Timer says.
	Unanswered int

	// Idle is the time since the last segment from the peer; known in states in
	// which there is a connection.
	Idle      time.Duration
	IdleKnown bool
	// LastData is the time since the last data from the peer, or since there is a
	// connection: its program said something then, where Idle counts what its
	// kernel answers, too. Known with Idle.
	LastData time.Duration

	RTO time.Duration // the retransmission timeout, backoff included; 0 is not known
	// Backoff is tcpi_backoff: how often a timeout, or the wait between window
	// probes, has doubled. Known with RTO.
	Backoff int
	// Retransmitted is tcpi_total_retrans, of all its life: Unanswered counts to 255 and
	// then from 0. Only Diag looks.
	Retransmitted int
	// Window is whether the peer takes data. Known with RTO, by Diag since Linux 5.4.
	Window OnOff

	// Clock is the one by which the kernel gives up what TimerRetransmit and
	// TimerProbe0 wait for, and Spent how long it has run. Only BPF knows.
	Clock Clock
	Spent time.Duration

	// RTOMax is the longest retransmission timeout, TCP_RTO_MAX_MS, or what the sysctl
	// was when the socket was made; 0 is not known, or a kernel before 6.15. SynRetries
	// is TCP_SYNCNT; 0 is the sysctl, or not known. Diag knows them of sockets whose
	// end they decide now.
	RTOMax     time.Duration
	SynRetries int
}

// Clock is whether a clock runs: since the first retransmission, the SYN or the first
// window probe. Source: retrans_stamp of struct tcp_sock, include/linux/tcp.h;
// icsk_probes_tstamp, include/net/inet_connection_sock.h.
type Clock uint8

const (
	ClockUnknown Clock = iota
	ClockStopped       // it begins when the timer goes off
	ClockRunning
)

// Owner is a descriptor of a process.
type Owner struct {
	PID, FD int
	// Comm is the name of the process, at most 15 bytes that it chose itself:
	// any but NUL. Escape it.
	Comm string
	// Ring says that FD is an io_uring that has the socket as a registered file: no
	// descriptor is it, so none can be borrowed.
	Ring bool
}

// OnOff is a switch that may not be known.
type OnOff uint8

const (
	Unknown OnOff = iota
	Off
	On
)

func (o OnOff) String() string { return [...]string{"unknown", "off", "on"}[o] }

func onOff(on bool) OnOff {
	if on {
		return On
	}
	return Off
}

// Origin is where a value comes from. Only the kernel's own field tells, which
// is zero for the sysctl; where that is not seen, a value that differs from the
// sysctl is the socket's, and one that equals it is from an unknown origin.
type Origin uint8

const (
	FromUnknown Origin = iota
	FromSocket         // set on the socket: it never follows the sysctl again
	FromSysctl         // the namespace's: it changes with it
)

func (o Origin) String() string { return [...]string{"unknown", "socket", "sysctl"}[o] }

// Timer is the timer that sock_diag(7) shows of a socket. Of several it is the
// first of retransmit, probe0 and keepalive, so it can hide the keepalive timer.
// The values are idiag_timer's. Source: net/ipv4/inet_diag.c, inet_sk_diag_fill.
type Timer uint8

const (
	TimerNone       Timer = 0
	TimerRetransmit Timer = 1 // sent data is unacknowledged
	// TimerKeepalive is also the timer of a closed socket in FIN-WAIT-2, whatever
	// Keepalive is. Source: net/ipv4/tcp.c, __tcp_close.
	TimerKeepalive Timer = 2
	TimerTimeWait  Timer = 3
	TimerProbe0    Timer = 4 // data waits for the peer's window
)

// String names the timer; newer kernels may have some without a name.
func (t Timer) String() string {
	names := [...]string{"none", "retransmit", "keepalive", "time-wait", "probe0"}
	if int(t) < len(names) {
		return names[t]
	}
	return "unknown"
}
