package calc_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/keepalive"
)

// ssh and sshd are one end with TCPKeepAlive as it is by default, of a release
// or, with "", a current one.
func ssh(release string, interval, count int) calc.SSH {
	return sshEnd(calc.SSHClient, release, interval, count)
}
func sshd(release string, interval, count int) calc.SSH {
	return sshEnd(calc.SSHServer, release, interval, count)
}

func sshEnd(side calc.SSHSide, release string, interval, count int) calc.SSH {
	end := calc.SSH{Side: side, Interval: time.Duration(interval) * time.Second, CountMax: count, TCPKeepAlive: true}
	if release != "" {
		var err error
		if end.Version, err = calc.ParseSSHVersion(release); err != nil {
			panic(err)
		}
	}
	return end
}

// TestSSHDetection has what was measured with the real programs beside the rule:
// from the last byte the peer sent, with it stopped or its packets dropped.
func TestSSHDetection(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for name, tt := range map[string]struct {
		end                     calc.SSH
		exact, earliest, latest time.Duration
		probes                  int
		measured                []time.Duration
	}{
		"the manual page's 15/3 is a minute, not 45 seconds": {sshd("9.9", 15, 3), 60 * s, 60 * s, 60 * s, 3, nil},

		"ssh 9.1 is exact":                          {ssh("9.1", 2, 3), 8 * s, 8 * s, 8 * s, 3, []time.Duration{8010 * ms, 8040 * ms}},
		"ssh 8.1, too":                              {ssh("8.1p1", 5, 1), 10 * s, 10 * s, 10 * s, 1, []time.Duration{10010 * ms, 10040 * ms}},
		"ssh 9.2 is up to a second early":           {ssh("9.2p1", 2, 3), 8 * s, 7 * s, 8 * s, 3, []time.Duration{7070 * ms, 7670 * ms}},
		"ssh 9.2, interval 1":                       {ssh("9.2p1", 1, 3), 4 * s, 3 * s, 4 * s, 3, []time.Duration{3450 * ms, 3550 * ms}},
		"ssh 9.9, one probe":                        {ssh("9.9", 3, 1), 6 * s, 5 * s, 6 * s, 1, []time.Duration{5400 * ms, 5700 * ms}},
		"ssh 10.5, one probe":                       {ssh("10.5", 5, 1), 10 * s, 9 * s, 10 * s, 1, []time.Duration{9200 * ms, 9800 * ms}},
		"ssh of no known release counts as current": {ssh("", 2, 1), 4 * s, 3 * s, 4 * s, 1, []time.Duration{3060 * ms, 3960 * ms}},

		"sshd 8.1 is exact":                          {sshd("8.1", 2, 3), 8 * s, 8 * s, 8 * s, 3, []time.Duration{8010 * ms, 8030 * ms}},
		"sshd 9.1, too":                              {sshd("9.1", 5, 1), 10 * s, 10 * s, 10 * s, 1, []time.Duration{10010 * ms, 10020 * ms}},
		"sshd 9.2 takes twice as long":               {sshd("9.2p1", 2, 3), 16 * s, 14 * s, 16 * s, 3, []time.Duration{14 * s, 16 * s}},
		"sshd 9.2, interval 1":                       {sshd("9.2p1", 1, 3), 8 * s, 7 * s, 8 * s, 3, []time.Duration{8 * s}},
		"sshd 9.3, one probe":                        {sshd("9.3", 3, 1), 12 * s, 9 * s, 12 * s, 1, []time.Duration{9 * s, 12 * s}},
		"sshd 9.4, one probe":                        {sshd("9.4", 5, 1), 20 * s, 15 * s, 20 * s, 1, []time.Duration{15 * s, 20 * s}},
		"sshd 9.5 is exact again":                    {sshd("9.5", 2, 3), 8 * s, 8 * s, 8 * s, 3, []time.Duration{8010 * ms, 8030 * ms}},
		"sshd of no known release counts as current": {sshd("", 5, 1), 10 * s, 10 * s, 10 * s, 1, []time.Duration{10010 * ms, 10020 * ms}},

		"ssh with count 0 drops a session without a probe":      {ssh("9.2", 3, 0), 3 * s, 2 * s, 3 * s, 0, []time.Duration{2300 * ms, 3 * s}},
		"sshd before 8.2 with count 0 drops a session likewise": {sshd("8.1", 2, 0), 2 * s, 2 * s, 2 * s, 0, []time.Duration{2020 * ms}},
		"the largest count": {ssh("9.1", 1, calc.MaxSSHCount), 1 << 31 * s, 1 << 31 * s, 1 << 31 * s, calc.MaxSSHCount, nil},
		"the largest interval, its double too long for a Duration": {sshd("9.2", math.MaxInt32, 3), math.MaxInt64, math.MaxInt64 - math.MaxInt32*s, math.MaxInt64, 3, nil},
		"the largest of both saturates":                            {sshd("9.9", math.MaxInt32, math.MaxInt32), math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt32, nil},
	} {
		t.Run(name, func(t *testing.T) {
			by := calc.ByServerAliveCountMax
			if tt.end.Side == calc.SSHServer {
				by = calc.ByClientAliveCountMax
			}
			want := calc.Prediction{Exact: tt.exact, Earliest: tt.earliest, Latest: tt.latest, Probes: tt.probes, DecidedBy: by}
			got := tt.end.Detection()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			// The programs were measured from outside: 50 ms for them to wake and exit.
			late := tt.end.Lateness() + 50*ms
			for _, m := range tt.measured {
				if m < got.Earliest || m > got.Latest+late {
					t.Errorf("measured %s, not in %s .. %s + %s", m, got.Earliest, got.Latest, late)
				}
			}
		})
	}
}

func TestSSHNeverDetects(t *testing.T) {
	for name, end := range map[string]calc.SSH{
		"no interval on the client":  ssh("", 0, 3),
		"no interval and no count":   ssh("", 0, 0),
		"no interval on the server":  sshd("8.1", 0, 0),
		"sshd 8.2 with count 0":      sshd("8.2", 30, 0),
		"sshd 9.2 with count 0":      sshd("9.2", 30, 0),
		"a current sshd, and so too": sshd("", 30, 0),
	} {
		want := calc.Prediction{Never: true, DecidedBy: calc.ByNothing}
		if diff := cmp.Diff(want, end.Detection()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
		if late := end.Lateness(); late != 0 {
			t.Errorf("%s: %s late", name, late)
		}
	}
}

func TestSSHTimeline(t *testing.T) {
	const s = time.Second
	probes := func(from, to int, step time.Duration) (events []calc.Event) {
		for n := from; n <= to; n++ {
			events = append(events, calc.Event{At: time.Duration(n) * step, Probe: n})
		}
		return events
	}
	long := append(probes(1, 10, 120*s), probes(29, 30, 120*s)...)
	long[9].Omitted = 18
	for name, tt := range map[string]struct {
		end  calc.SSH
		want []calc.Event
	}{
		"a probe at each interval, and the end one after the last": {ssh("", 60, 3), append(probes(1, 3, 60*s), calc.Event{At: 240 * s, Dead: true})},
		"sshd 9.2 probes at every other":                           {sshd("9.2", 60, 3), append(probes(1, 3, 120*s), calc.Event{At: 480 * s, Dead: true})},
		"many probes are left out":                                 {ssh("", 120, 30), append(long, calc.Event{At: 3720 * s, Dead: true})},
		"count 0 on the client is an end without a probe":          {ssh("", 60, 0), []calc.Event{{At: 60 * s, Dead: true}}},
		"count 0 on the server has no end":                         {sshd("", 60, 0), probes(1, 10, 60*s)},
		"interval 0 has nothing":                                   {sshd("", 0, 3), nil},
	} {
		if diff := cmp.Diff(tt.want, tt.end.Timeline()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if n := len(ssh("", math.MaxInt32, math.MaxInt32).Timeline()); n != 13 {
		t.Errorf("2147483647 probes are %d events, want 13", n)
	}
}

func TestSSHRefresh(t *testing.T) {
	for name, tt := range map[string]struct {
		end    calc.SSH
		period time.Duration // 0 is none
	}{
		"every interval":                      {ssh("9.2", 60, 3), 60 * time.Second},
		"every other on sshd 9.2":             {sshd("9.2", 3, 3), 6 * time.Second}, // measured: 6.0 s
		"count 0 on the server still probes":  {sshd("9.9", 60, 0), time.Minute},
		"count 0 on the client never does":    {ssh("9.9", 60, 0), 0},
		"count 0 on an old server never does": {sshd("8.1", 60, 0), 0},
		"interval 0 never does":               {ssh("", 0, 3), 0},
	} {
		period, ok := tt.end.Refresh()
		if period != tt.period || ok != (tt.period > 0) {
			t.Errorf("%s: %s, %t", name, period, ok)
		}
	}
}

func TestSSHBeforeAuthentication(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	exactly := func(d time.Duration) calc.Prediction {
		return calc.Prediction{Exact: d, Earliest: d, Latest: d, DecidedBy: calc.ByServerAliveCountMax}
	}
	grace := func(latest time.Duration) calc.Prediction {
		return calc.Prediction{Exact: 120 * s, Earliest: 120 * s, Latest: latest, DecidedBy: calc.ByLoginGraceTime}
	}
	never := calc.Prediction{Never: true, DecidedBy: calc.ByNothing}
	for name, tt := range map[string]struct {
		end  calc.SSH
		want calc.Prediction
	}{
		"interval x count":                                {ssh("9.2", 2, 3), exactly(6 * s)}, // measured: 6.04 s
		"one of them":                                     {ssh("10.5", 3, 1), exactly(3 * s)},
		"no interval waits for ever":                      {ssh("", 0, 3), never},
		"no count waits for ever":                         {ssh("", 3, 0), never},
		"the largest product that fits":                   {ssh("", 2147483, 1), exactly(2147483 * s)},
		"one more is the largest int":                     {ssh("", 2147484, 1), exactly(math.MaxInt32 * ms)},
		"so is a product that the check deems too large":  {ssh("", 715828, 3), exactly(math.MaxInt32 * ms)},
		"and one just below it":                           {ssh("", 715827, 3), exactly(2147481 * s)},
		"both at their largest":                           {ssh("", math.MaxInt32, math.MaxInt32), exactly(math.MaxInt32 * ms)},
		"sshd leaves it to the grace time":                {sshd("9.2", 1, 1), grace(120 * s)},
		"which has had some chance in it since 9.8":       {sshd("9.8", 1, 1), grace(124 * s)},
		"and an sshd of no known release may have it too": {sshd("", 0, 3), grace(124 * s)},
	} {
		if diff := cmp.Diff(tt.want, tt.end.BeforeAuthentication()); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// TestSSHAndTCPTogether looks at the idle session whose peer vanishes, which TCP
// may notice before OpenSSH does.
func TestSSHAndTCPTogether(t *testing.T) {
	const s = time.Second
	k, defaults := calc.DefaultKernel(), keepalive.Defaults()
	quick := keepalive.Settings{Time: 10 * s, Intvl: 1 * s, Probes: 3}
	flight := k.DataInFlight(0, 0)
	without := ssh("", 0, 3)
	without.TCPKeepAlive = false
	noProbes := ssh("", 30, 10)
	noProbes.TCPKeepAlive = false
	for name, tt := range map[string]struct {
		end                     calc.SSH
		set                     keepalive.Settings
		by                      string
		exact, earliest, latest time.Duration
	}{
		"OpenSSH is first where interval x count is short": {
			ssh("", 60, 3), defaults, calc.ByServerAliveCountMax, 240 * s, 239 * s, 240 * s},
		"retransmission of the first probe is first where it is long": {
			ssh("9.1", 120, 30), defaults, "tcp_retries2", 120*s + flight.Exact, 120*s + flight.Earliest, 120*s + flight.Latest},
		"sshd 9.2 sends that probe late": {
			sshd("9.2", 120, 30), defaults, "tcp_retries2", 240*s + flight.Exact, 120*s + flight.Earliest, 240*s + flight.Latest},
		"keepalive is first where it is done before the first probe": {
			ssh("", 30, 3), quick, calc.ByProbes, 13 * s, 13 * s, k.IdlePeerGone(quick).Latest},
		"keepalive that the first probe interrupts is never done": {
			ssh("9.1", 12, 3), quick, calc.ByServerAliveCountMax, 48 * s, 48 * s, 48 * s},
		"keepalive at the same moment as the first probe may be done or not": {
			ssh("", 13, 3), quick, calc.ByServerAliveCountMax, 52 * s, 13 * s, 52 * s},
		"without an interval the sysctls decide": {
			ssh("", 0, 3), defaults, calc.ByProbes, 7875 * s, 7875 * s, k.IdlePeerGone(defaults).Latest},
		"TCPKeepAlive no leaves the probes": {
			noProbes, quick, calc.ByServerAliveCountMax, 330 * s, 329 * s, 330 * s},
		"with neither it is never noticed": {
			without, quick, calc.ByNothing, 0, 0, 0},
		"sshd with count 0 leaves it to retransmission": {
			sshd("9.9", 60, 0), defaults, "tcp_retries2", 60*s + flight.Exact, 60*s + flight.Earliest, 60*s + flight.Latest},
	} {
		got := situation(t, tt.end.Situations(k, tt.set), calc.SSHPeerGone)
		if got.DecidedBy != tt.by || got.Exact != tt.exact || got.Earliest != tt.earliest || got.Latest != tt.latest || got.Never != (tt.exact == 0) {
			t.Errorf("%s: %+v, want %s in %s .. %s by %s", name, got, tt.exact, tt.earliest, tt.latest, tt.by)
		}
	}
}

func situation(t *testing.T, all []calc.Situation, id string) calc.Prediction {
	t.Helper()
	i := slices.IndexFunc(all, func(s calc.Situation) bool { return s.ID == id })
	if i < 0 {
		t.Fatalf("no situation %s", id)
	}
	return all[i].Prediction
}

// TestSSHThatSends is a session in which this end sends more often than every
// interval.
func TestSSHThatSends(t *testing.T) {
	k := calc.DefaultKernel()
	for name, tt := range map[string]struct {
		end            calc.SSH
		starved        bool // the rule never gets its turn
		stopped, alive bool // a hung peer is noticed; a living one is dropped
	}{
		"ssh 8.3 is starved by typing":                  {ssh("8.3", 2, 3), true, false, false},
		"ssh 8.4 is not":                                {ssh("8.4", 2, 3), false, true, false},
		"sshd 9.1 is not":                               {sshd("9.1", 2, 3), false, true, false},
		"sshd 9.2 is starved by output":                 {sshd("9.2", 2, 3), true, false, false},
		"a current sshd still is":                       {sshd("", 2, 3), true, false, false},
		"ssh with count 0 drops a living session":       {ssh("", 2, 0), false, true, true},
		"sshd 8.2 with count 0 notices nothing, itself": {sshd("8.2", 2, 0), false, false, false},
	} {
		all := tt.end.Situations(k, keepalive.Defaults())
		if got := !situation(t, all, calc.SSHSendingStopped).Never; got != tt.stopped {
			t.Errorf("%s: notices a hung peer: %t", name, got)
		}
		if got := !situation(t, all, calc.SSHPeerAlive).Never; got != tt.alive {
			t.Errorf("%s: drops a living peer: %t", name, got)
		}
		if got := situation(t, all, calc.SSHSendingGone); tt.starved && got.DecidedBy != "tcp_retries2" || got.Never {
			t.Errorf("%s: a vanished peer: %+v", name, got)
		}
	}
}

func TestSSHWarnings(t *testing.T) {
	without := func(end calc.SSH) calc.SSH { end.TCPKeepAlive = false; return end }
	for name, tt := range map[string]struct {
		end  calc.SSH
		want []string
	}{
		"a good client":                   {ssh("9.2", 60, 3), nil},
		"a good server":                   {sshd("9.1", 60, 3), nil},
		"a current server":                {sshd("10.5", 60, 3), []string{"starved_by_output"}},
		"a server of any release":         {sshd("", 60, 3), []string{"version_matters", "starved_by_output"}},
		"Debian 12's":                     {sshd("9.2p1", 60, 3), []string{"probes_at_twice_the_interval", "starved_by_output"}},
		"its long waits":                  {sshd("9.2p1", 100, 9), []string{"probes_at_twice_the_interval", "late_timers_shorten", "starved_by_output", "tcp_gives_up_first"}},
		"the defaults":                    {ssh("", 0, 3), nil},
		"a count alone":                   {sshd("", 0, 10), []string{"count_without_interval"}},
		"nothing at all":                  {without(ssh("", 0, 3)), []string{"nothing_detects"}},
		"TCPKeepAlive alone off":          {without(ssh("", 60, 3)), nil},
		"count 0 on the client":           {ssh("", 60, 0), []string{"count_zero_drops_idle"}},
		"count 0 on an old server":        {sshd("8.1", 60, 0), []string{"count_zero_drops_idle"}},
		"count 0 on a server":             {sshd("8.2", 60, 0), []string{"count_zero_never_drops"}},
		"an old client":                   {ssh("8.3", 60, 3), []string{"starved_by_activity"}},
		"an old server":                   {sshd("7.9", 60, 3), []string{"probes_in_succession"}},
		"an older server":                 {sshd("7.5", 60, 3), []string{"probes_in_succession", "starved_by_forwarding"}},
		"a hasty client":                  {ssh("", 2, 3), []string{"impatient", "short_login"}},
		"a client with 14 s":              {ssh("", 7, 1), []string{"impatient", "short_login"}},
		"a client with 15 s":              {ssh("", 15, 0), []string{"count_zero_drops_idle"}},
		"a client that TCP is faster for": {ssh("", 120, 30), []string{"tcp_gives_up_first"}},
		"a client that cannot be shown":   {ssh("", math.MaxInt32, math.MaxInt32), []string{"tcp_gives_up_first", "beyond_292_years"}},
	} {
		var got []string
		for _, w := range tt.end.Warnings(calc.DefaultKernel(), keepalive.Defaults()) {
			got = append(got, w.ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestParseSSHVersion(t *testing.T) {
	for text, want := range map[string]calc.SSHVersion{
		"9.2":                            {9, 2},
		"9.2p1":                          {9, 2},
		"8.1":                            {8, 1},
		"10.5":                           {10, 5},
		"OpenSSH_9.2":                    {9, 2},
		"OpenSSH_9.2p1 Debian-2+deb12u7": {9, 2},
		"OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025": {9, 2},
		"OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026":                   {9, 2},
		"SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.13":                  {8, 9},
		"OpenSSH_for_Windows_9.5p1, LibreSSL 3.8.2":                 {9, 5},
		"9.2p1-2+deb12u7":           {9, 2},
		"OpenSSH_3.9p1":             {3, 9},
		"OpenSSH_2.5.2p2":           {2, 5},
		"OpenSSH_9.9p2-hpn18.6.1":   {9, 9},
		"OpenSSH_10.0p2 Debian-7+d": {10, 0},
	} {
		got, err := calc.ParseSSHVersion(text)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "9", "p1", "v9.2", "9.2x", "9.2p", "-9.2", "9.-2", "OpenSSH", "OpenSSH_", "0.9", "1000.1", "9.1000",
		"dropbear_2022.83", "SSH-2.0-dropbear_2022.83", "99999999999999999999.2", "9.2\n"} {
		if v, err := calc.ParseSSHVersion(text); err == nil {
			t.Errorf("%q: %v, want an error", text, v)
		}
	}
}

// TestNoSSHSettingOverflows predicts at the ends of every range.
func TestNoSSHSettingOverflows(t *testing.T) {
	for _, side := range []calc.SSHSide{calc.SSHClient, calc.SSHServer} {
		for _, release := range []string{"", "7.5", "8.1", "8.2", "9.2", "9.5", "10.5"} {
			for _, interval := range []int{0, 1, 59, math.MaxInt32 - 1, math.MaxInt32} {
				for _, count := range []int{0, 1, 3, math.MaxInt32 - 1, math.MaxInt32} {
					end := sshEnd(side, release, interval, count)
					for _, x := range end.Situations(calc.DefaultKernel(), keepalive.Defaults()) {
						if !x.Never && (x.Earliest < 0 || x.Exact < x.Earliest || x.Latest < x.Exact) {
							t.Errorf("%+v: %+v", end, x)
						}
					}
					last := time.Duration(-1)
					for _, e := range end.Timeline() {
						if e.At < last {
							t.Errorf("%+v: the timeline goes back to %s", end, e.At)
						}
						last = e.At
					}
					if end.Lateness() < 0 {
						t.Errorf("%+v: lateness %s", end, end.Lateness())
					}
					end.Warnings(calc.DefaultKernel(), keepalive.Defaults())
				}
			}
		}
	}
}
