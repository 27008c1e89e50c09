package calc

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/tcpka/tcpka/keepalive"
)

// SSH is one end of an OpenSSH connection, which can send probes of its own
// above TCP: encrypted requests that the program at the other end answers.
type SSH struct {
	Side SSHSide

	// Interval is ServerAliveInterval or ClientAliveInterval: how long nothing
	// may come from the peer before a probe. Zero, the default, sends none.
	// Whole seconds, up to [MaxSSHInterval].
	Interval time.Duration

	// CountMax is ServerAliveCountMax or ClientAliveCountMax, 3 by default: how
	// many probes may go unanswered. Its zero means opposite things: see
	// [SSH.Detection]. Up to [MaxSSHCount].
	CountMax int

	// TCPKeepAlive is whether the socket has SO_KEEPALIVE, as it does by default.
	// OpenSSH sets nothing else on it, so the sysctls decide the rest.
	TCPKeepAlive bool

	// Proxied is ssh behind ProxyCommand or ProxyJump. It has a pipe there, or a socket
	// that the command has made, and sets nothing on either: TCPKeepAlive counts as off,
	// and retransmission is the command's. Source: sshconnect.c, ssh_connect.
	Proxied bool

	// Version is the release this end runs. The zero value stands for a current
	// one.
	Version SSHVersion
}

// An SSHSide is an end of a connection.
type SSHSide string

const (
	SSHClient SSHSide = "client" // ssh, with the ServerAlive options
	SSHServer SSHSide = "server" // sshd, with the ClientAlive options
)

// The limits of the options, and what CountMax is where no file sets it. Source:
// OpenSSH's readconf.c and servconf.c, parse_time and parse_int.
const (
	MaxSSHInterval     = math.MaxInt32 * time.Second
	MaxSSHCount        = math.MaxInt32
	DefaultSSHCountMax = 3
)

// What decides besides the values of DecidedBy that the kernel's rules have.
const (
	ByServerAliveCountMax = "ServerAliveCountMax"
	ByClientAliveCountMax = "ClientAliveCountMax"
	ByLoginGraceTime      = "LoginGraceTime"
)

// SSHVersion is a release of OpenSSH, 9.2 for "9.2p1". The zero value is not
// known.
type SSHVersion struct{ Major, Minor int }

// A release as ssh -V, sshd -V, the banner on the wire and package managers
// write it; what a distribution adds comes after the number.
// It is compiled when it is first wanted, and most commands never do.
var sshVersion = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:SSH-2\.0-)?(?:OpenSSH_(?:for_Windows_)?)?(\d{1,3})\.(\d{1,3})(?:\.\d+)?(?:p\d+)?(?:[-+ ,_].*)?$`)
})

// ParseSSHVersion reads the release from "9.2", "9.2p1", or a longer form such as
// "OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025".
func ParseSSHVersion(text string) (SSHVersion, error) {
	m := sshVersion().FindStringSubmatch(text)
	if m == nil {
		return SSHVersion{}, fmt.Errorf("%q is no OpenSSH release such as 9.2 or OpenSSH_9.2p1", text)
	}
	var v SSHVersion
	v.Major, _ = strconv.Atoi(m[1])
	v.Minor, _ = strconv.Atoi(m[2])
	if v.Major == 0 {
		return SSHVersion{}, fmt.Errorf("%q is no OpenSSH release: they begin with 1.2", text)
	}
	return v, nil
}

// Known reports whether v is a release.
func (v SSHVersion) Known() bool { return v != SSHVersion{} }

func (v SSHVersion) String() string {
	if !v.Known() {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// before reports whether v is known to be older than major.minor.
func (v SSHVersion) before(major, minor int) bool {
	return v.Known() && (v.Major < major || v.Major == major && v.Minor < minor)
}

// Doubled reports whether this end probes at twice its interval: sshd 9.2 to 9.4
// compares whole seconds with > where it means >=, and so lets every other expiry
// pass. Source: serverloop.c, wait_until_can_do_something; since commit d478cdc7a,
// until 9d7193a83.
func (s SSH) Doubled() bool {
	return s.Side == SSHServer && s.Version.Known() && !s.Version.before(9, 2) && s.Version.before(9, 5)
}

// everySecond reports whether this end aims at whole seconds of its clock, and so
// is early by the fraction of a second at which it last heard of its peer. Source:
// clientloop.c, client_wait_until_can_do_something, ptimeout_deadline_monotime.
func (s SSH) everySecond() bool {
	return s.Side == SSHClient && !s.Version.before(9, 2)
}

// EndsIdle reports whether a living peer that has nothing to say is dropped. With
// CountMax 0 the first expiry is one too many, so no probe is ever sent. sshd 8.2
// and later take the 0 as "any number". Source: clientloop.c, server_alive_check;
// serverloop.c, client_alive_check, since commit 69334996a.
func (s SSH) EndsIdle() bool {
	return s.Interval > 0 && s.CountMax == 0 && (s.Side == SSHClient || s.Version.before(8, 2))
}

// wait is the time from one expiry that counts to the next.
func (s SSH) wait() time.Duration {
	if s.Doubled() {
		return times(2, s.Interval)
	}
	return s.Interval
}

// early is the most by which the rule can be ahead of its exact time.
func (s SSH) early() time.Duration {
	switch {
	case s.Doubled():
		return s.Interval
	case s.everySecond():
		return time.Second
	}
	return 0
}

func (s SSH) decidedBy() string {
	if s.Side == SSHClient {
		return ByServerAliveCountMax
	}
	return ByClientAliveCountMax
}

// Detection is a session whose peer no longer says anything: stopped, hung, or
// cut off. It counts from the last byte received from the peer, an answer to a
// probe included, and is OpenSSH's own rule alone; what TCP does underneath is in
// [SSH.Situations].
//
// Each Interval without input is an expiry. The first CountMax of them send a
// probe, and the next one drops the connection: the end is Interval ×
// (CountMax + 1), not Interval × CountMax, as the manual pages have it. ssh 9.2
// and later are up to a second early; sshd 9.2 to 9.4 take twice as long, and one
// Interval less where their clock passes a whole second between two expiries.
//
// It never ends with Interval 0, and on sshd 8.2 and later with CountMax 0.
//
// Like every program, OpenSSH is woken late, not early, which is left out here:
// see [SSH.Lateness].
func (s SSH) Detection() Prediction {
	switch {
	case s.Interval <= 0, s.CountMax == 0 && !s.EndsIdle():
		return never()
	}
	exact := times(int64(s.CountMax)+1, s.wait())
	return Prediction{
		Exact: exact, Earliest: sub(exact, s.early()), Latest: exact,
		DecidedBy: s.decidedBy(), Probes: s.CountMax,
	}
}

// Lateness is the most by which [SSH.Detection] is overrun because poll(2) wakes
// late, on an idle machine: a thousandth of each wait, and no more than 0.1 s of
// each. Source: fs/select.c, select_estimate_accuracy.
func (s SSH) Lateness() time.Duration {
	if s.Detection().Never {
		return 0
	}
	n := int64(s.CountMax) + 1
	switch {
	case s.Doubled():
		n *= 2
	case s.everySecond(): // its deadlines are points in time, and do not add up
		n = 1
	}
	return times(n, min(s.Interval/1000, 100*time.Millisecond))
}

// BeforeAuthentication is a peer that stops answering during the key exchange or
// the login, where another rule holds. ssh gives every packet Interval × CountMax,
// and waits for ever if either is 0; the wait for the version banner is not
// covered, only ConnectTimeout is. It counts from the start of the wait. Source:
// packet.c, ssh_packet_set_timeout.
//
// sshd has no probes yet: LoginGraceTime decides, here the default, which counts
// from the connection. sshd 9.8 and later add up to 4 s by chance (sshd-session.c).
func (s SSH) BeforeAuthentication() Prediction {
	if s.Side == SSHServer {
		const grace, jitter = 120 * time.Second, 4 * time.Second
		p := Prediction{Exact: grace, Earliest: grace, Latest: grace + jitter, DecidedBy: ByLoginGraceTime}
		if s.Version.before(9, 8) {
			p.Latest = grace
		}
		return p
	}
	if s.Interval <= 0 || s.CountMax == 0 {
		return never()
	}
	// The limit is kept as an int of milliseconds, and is that int's largest value
	// where the product might not fit.
	limit := math.MaxInt32 * time.Millisecond
	if interval := int64(s.Interval / time.Second); math.MaxInt32/1000/int64(s.CountMax) >= interval {
		limit = times(int64(s.CountMax), s.Interval)
	}
	return Prediction{Exact: limit, Earliest: limit, Latest: limit, DecidedBy: ByServerAliveCountMax}
}

// Refresh is how often an idle session carries a probe and its answer, and so how
// long a middlebox on the path has to remember it. Both are data to TCP, so a
// proxy that only counts data sees them too. ok is false where no probe goes out.
func (s SSH) Refresh() (period time.Duration, ok bool) {
	if s.Interval <= 0 || s.EndsIdle() {
		return 0, false
	}
	return s.wait(), true
}

// Timeline is what happens to a session whose peer no longer says anything: see
// [SSH.Detection]. It is empty where nothing ever happens; where the probes go on
// for ever it is the first of them, with no end.
func (s SSH) Timeline() []Event {
	if s.Interval <= 0 {
		return nil
	}
	end, probes := s.Detection(), s.CountMax
	if end.Never {
		probes = timelineHead
	}
	var events []Event
	for n := 1; n <= probes; n++ {
		events = append(events, Event{At: times(int64(n), s.wait()), Probe: n})
		if left := probes - n - timelineTail; n == timelineHead && left > 0 {
			events[len(events)-1].Omitted = left
			n += left
		}
	}
	if !end.Never {
		events = append(events, Event{At: end.Exact, Dead: true})
	}
	return events
}

// The situations of a session, in the order of [SSH.Situations].
const (
	SSHPeerAlive       = "ssh_idle_peer_alive"      // it is silent, and answers probes
	SSHPeerStopped     = "ssh_idle_peer_stopped"    // the program hangs, its kernel answers
	SSHPeerGone        = "ssh_idle_peer_gone"       // nothing comes back at all
	SSHSendingStopped  = "ssh_sending_peer_stopped" // this end sends more often than Interval
	SSHSendingGone     = "ssh_sending_peer_gone"
	SSHAuthentication  = "ssh_before_authentication"
	SSHTCPKeepaliveEnd = "tcp_keepalive_alone" // what the socket would do without probes
)

// Situations predicts every situation of a session, OpenSSH's rule and the
// kernel's together: the one that ends it first decides. Set are the keepalive
// settings of the namespace, which count where TCPKeepAlive is on.
func (s SSH) Situations(k Kernel, set keepalive.Settings) []Situation {
	drop := s.healthyDrop(k, set)
	alive := drop
	if s.EndsIdle() {
		alive = first(s.Detection(), drop)
	}
	sendingStopped := s.Detection()
	if s.starves() {
		sendingStopped = never()
	}
	retransmitting := s.retransmission(k, set)
	return []Situation{
		{SSHPeerAlive, alive},
		{SSHPeerStopped, first(s.Detection(), drop)},
		{SSHPeerGone, s.PeerGone(k, set)},
		{SSHSendingStopped, sendingStopped},
		{SSHSendingGone, first(sendingStopped, retransmitting)},
		{SSHAuthentication, s.BeforeAuthentication()},
		{SSHTCPKeepaliveEnd, s.tcpKeepalive(k, set)},
	}
}

// starves reports whether an end that itself sends more often than Interval never
// gets to probe. Source: clientloop.c until commit f11b23346 (8.4); serverloop.c
// since commit d478cdc7a (9.2): a probe is only thought of when poll(2) has waited
// a whole Interval for nothing.
func (s SSH) starves() bool {
	if s.Side == SSHClient {
		return s.Version.before(8, 4)
	}
	return !s.Version.before(9, 2)
}

// ProbesTCP reports whether this end has its socket probe.
func (s SSH) ProbesTCP() bool { return s.TCPKeepAlive && !s.Proxied }

func (s SSH) tcpKeepalive(k Kernel, set keepalive.Settings) Prediction {
	if !s.ProbesTCP() {
		return never()
	}
	return k.IdlePeerGone(set)
}

func (s SSH) retransmission(k Kernel, set keepalive.Settings) Prediction {
	if s.Proxied {
		return never()
	}
	return k.DataInFlight(set.UserTimeout, 0)
}

// RefreshTCP is how often keepalive of the socket breaks the silence of an idle session:
// see [Kernel.Refresh]. ok is false where no such probe goes out, as where the session
// is over before the first.
func (s SSH) RefreshTCP(k Kernel, set keepalive.Settings) (period time.Duration, ok bool) {
	period, _, ok = k.Refresh(set)
	return period, ok && s.ProbesTCP() && !(s.EndsIdle() && s.Interval <= period)
}

// PeerGone is when an idle session ends of whose peer nothing comes any more, by OpenSSH
// or by TCP.
func (s SSH) PeerGone(k Kernel, set keepalive.Settings) Prediction {
	return first(s.Detection(), s.kernelDetection(k, set))
}

// healthyDrop is when keepalive ends an idle session though the peer's kernel
// answers, as it does by [Kernel.IdlePeerAlive], unless an SSH probe breaks the
// silence before.
func (s SSH) healthyDrop(k Kernel, set keepalive.Settings) Prediction {
	drop := k.IdlePeerAlive(set)
	if wait, probes := s.Refresh(); !s.ProbesTCP() || probes && !drop.Never && drop.Exact >= wait {
		return never()
	}
	return drop
}

// kernelDetection is when TCP itself gives up an idle session whose peer is gone.
// Until the first SSH probe that is keepalive; the probe is data, so from then on
// it is retransmission, and keepalive plays no part.
func (s SSH) kernelDetection(k Kernel, set keepalive.Settings) Prediction {
	idle := s.tcpKeepalive(k, set)
	if s.Interval <= 0 || s.EndsIdle() {
		return idle
	}
	probe, sooner := s.wait(), sub(s.wait(), s.early())
	flight := s.retransmission(k, set)
	if flight.Never {
		return idle
	}
	flight.Exact, flight.Earliest, flight.Latest = add(probe, flight.Exact), add(sooner, flight.Earliest), add(probe, flight.Latest)
	switch {
	case idle.Never, idle.Earliest > probe:
		return flight
	case idle.Latest < sooner:
		return idle
	}
	// The probe may or may not go out before keepalive has ended the connection.
	end := flight
	if idle.Exact < probe {
		end = idle
	}
	end.Earliest = min(idle.Earliest, flight.Earliest)
	end.Latest = max(idle.Latest, flight.Latest)
	return end
}

// first is two rules that do not know of each other.
func first(a, b Prediction) Prediction {
	switch {
	case a.Never:
		return b
	case b.Never:
		return a
	}
	p := a
	if b.Exact < a.Exact {
		p = b
	}
	p.Earliest = min(a.Earliest, b.Earliest)
	p.Latest = min(a.Latest, b.Latest)
	return p
}

// Warnings looks at the settings of one end. The kernel and the settings of the
// namespace are as in [SSH.Situations].
func (s SSH) Warnings(k Kernel, set keepalive.Settings) []Warning {
	var ws []Warning
	warn := func(id, format string, args ...any) {
		ws = append(ws, Warning{id, fmt.Sprintf(format, args...)})
	}
	program, peer, option := "ssh", "server", "ServerAlive"
	if s.Side == SSHServer {
		program, peer, option = "sshd", "client", "ClientAlive"
	}
	if drop := s.healthyDrop(k, set); !drop.Never && !(s.EndsIdle() && s.Interval <= drop.Exact) {
		warn("tcp_drops_healthy", "TCPKeepAlive is on, and the sysctls (time %s, intvl %s, probes %d) drop a healthy session after %s of silence",
			text(set.Time), text(set.Intvl), set.Probes, inSeconds(drop.Exact))
	}
	if s.Interval <= 0 {
		if s.CountMax != DefaultSSHCountMax {
			warn("count_without_interval", "%sInterval is 0: %sCountMax (%d) is not looked at, no probe is ever sent", option, option, s.CountMax)
		}
		switch {
		case s.Proxied:
			warn("nothing_detects", "ServerAliveInterval is 0, and behind a proxy ssh has no socket to probe: a server that vanishes from an idle session is noticed by the proxy alone, if at all")
		case !s.TCPKeepAlive:
			warn("nothing_detects", "neither %sInterval nor TCPKeepAlive is on: a %s that vanishes from an idle session is never noticed", option, peer)
		}
		return ws
	}
	s.warnCountZero(warn)
	s.warnVersion(warn)
	end := s.Detection()
	if !end.Never && !s.EndsIdle() {
		if end.Exact < 15*time.Second {
			warn("impatient", "a pause of %s on the path, as when a network changes, drops the session", text(end.Exact))
		}
		if tcp := s.kernelDetection(k, set); !tcp.Never && tcp.Exact < end.Exact {
			warn("tcp_gives_up_first", "where nothing comes back from the %s at all, TCP ends the connection after about %s (%s), before %s does", peer, text(tcp.Exact.Round(time.Second)), tcp.DecidedBy, program)
		}
		if end.Exact == forever {
			warn("beyond_292_years", "that is longer than 292 years, where the times shown here end")
		}
	}
	if before := s.BeforeAuthentication(); s.Side == SSHClient && !before.Never && before.Exact < 30*time.Second {
		warn("short_login", "during the login ssh waits no longer than ServerAliveInterval x ServerAliveCountMax, %s, for the server: too short for many a second factor", text(before.Exact))
	}
	return ws
}

func (s SSH) warnCountZero(warn func(id, format string, args ...any)) {
	switch {
	case s.CountMax > 0:
	case s.Side == SSHClient:
		warn("count_zero_drops_idle", "ServerAliveCountMax is 0: ssh drops a healthy session after %s of silence, without a single probe", text(s.Interval))
	case s.EndsIdle():
		warn("count_zero_drops_idle", "ClientAliveCountMax is 0: before OpenSSH 8.2 sshd drops a healthy session after %s of silence, without a single probe; from 8.2 on it would never drop one", text(s.Interval))
	default:
		warn("count_zero_never_drops", "ClientAliveCountMax is 0: from OpenSSH 8.2 on probes are sent and a dead client is never dropped; it no longer logs out idle users, as it did before 8.2")
	}
}

// warnVersion speaks of what only some releases do.
func (s SSH) warnVersion(warn func(id, format string, args ...any)) {
	v := s.Version
	if s.Side == SSHClient {
		if v.before(8, 4) {
			warn("starved_by_activity", "before OpenSSH 8.4 typing or forwarded traffic more often than every %s keeps ssh from probing: a dead server is then not noticed", text(s.Interval))
		}
		return
	}
	switch {
	case s.Doubled():
		warn("probes_at_twice_the_interval", "OpenSSH 9.2 to 9.4 probe every %s, twice ClientAliveInterval, and take twice as long to notice", text(s.wait()))
		if n := s.Lateness() / time.Second; n > 0 {
			warn("late_timers_shorten", "on an idle machine the waits are late enough, up to %s in all, for %d more of them to be halved: it can end up to %s before the earliest time", inSeconds(s.Lateness()), n, text(times(int64(n), s.Interval)))
		}
	case !v.Known():
		warn("version_matters", "OpenSSH 9.2 to 9.4, as in Debian 12, would take twice as long and probe half as often")
	}
	if s.starves() {
		warn("starved_by_output", "from OpenSSH 9.2 on a session that prints, or forwards, more often than every %s is not probed: a dead client is then noticed by TCP retransmission alone, a hung one not at all", text(s.Interval))
	}
	if v.before(8, 0) {
		warn("probes_in_succession", "before OpenSSH 8.0 sshd could send two probes in succession, and so drop the client too soon")
	}
	if v.before(7, 6) {
		warn("starved_by_forwarding", "before OpenSSH 7.6 forwarded traffic keeps sshd from probing")
	}
}
