package ssh

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/answertest"
	"github.com/tcpka/tcpka/internal/connection"
	"github.com/tcpka/tcpka/keepalive"
)

func TestSSH(t *testing.T) {
	client := NewSide(calc.SSH{Side: calc.SSHClient, Interval: answertest.S(60), CountMax: 3, TCPKeepAlive: true}, "OpenSSH_9.2p1 Debian-2+deb12u7")
	client.Sources = map[string]string{"ServerAliveInterval": "/home/a/.ssh/config:3"}
	client.Unsure = map[string]string{"TCPKeepAlive": "/home/a/.ssh/config line 9 may apply or not\x1b[31m"}
	off := NewSide(calc.SSH{Side: calc.SSHServer, CountMax: 3}, "")
	off.Approximate = true
	off.Warnings = []calc.Warning{{ID: "nothing_detects", Text: "neither is on"}}
	stale := NewSide(calc.SSH{Side: calc.SSHServer, CountMax: 3}, "")
	stale.Warnings = []calc.Warning{{ID: NotReloaded, Text: "the sshd that listens has not read them"}}
	left := NewSide(calc.SSH{Side: calc.SSHClient, CountMax: 3, TCPKeepAlive: true}, "")
	proxied := NewSide(calc.SSH{Side: calc.SSHClient, CountMax: 3, TCPKeepAlive: true, Proxied: true}, "")
	endless := NewSide(calc.SSH{Side: calc.SSHServer, Interval: answertest.S(300), TCPKeepAlive: true}, "")
	endless.PeerGone, endless.PeerGoneBy = new(answer.Seconds(answertest.S(1224)+600*1e6)), new("tcp_retries2")
	brief := NewSide(calc.SSH{Side: calc.SSHClient, Interval: answertest.S(60), TCPKeepAlive: true}, "")
	var none []File
	file := func(kind, format, path, session string) File {
		return File{Kind: kind, Format: format, Path: answer.Foreign(path), Session: new(answer.Foreign(session)), Sources: map[string]answer.Foreign{}, Warnings: []calc.Warning{}}
	}
	putty := file("putty", "putty", "/home/a/.putty/sessions/web%2F1", "web/1\x1b[2J")
	putty.Interval, putty.Refresh, putty.TCPKeepAlive = new(answer.Seconds(answertest.S(60))), new(answer.Seconds(answertest.S(60))), new(true)
	putty.Sources["PingInterval"], putty.Sources["PingIntervalSecs"] = "/home/a/.putty/sessions/web%2F1:12", "/home/a/.putty/sessions/web%2F1:9"
	putty.Warnings = []calc.Warning{{ID: "sends_only", Text: "it sends and waits for no answer"}}
	putty.PeerGone, putty.PeerGoneBy = new(answer.Seconds(answertest.S(988)+896*1e6)), new("tcp_retries2")
	second := file("putty", "putty", "/home/a/.putty/sessions/Default%20Settings", "Default Settings")
	second.Interval, second.TCPKeepAlive = new(answer.Seconds(0)), new(false)
	openwrt := file("dropbear", "uci", "/etc/config/dropbear", "main")
	openwrt.Interval, openwrt.Refresh = new(answer.Seconds(answertest.S(300))), new(answer.Seconds(answertest.S(300)))
	openwrt.SetDetection(calc.OtherSSH{Program: calc.Dropbear, Interval: answertest.S(300)}.Detection())
	outside := file("ssh", "ssh_config", "/home/a/.ssh/config\n", "")
	outside.Session, outside.CountMax = nil, new(2)
	block := file("ssh", "ssh_config", "/home/a/.ssh/config\n", "Host web*")
	block.Interval = new(answer.Seconds(answertest.S(30)))
	block.SetDetection(calc.SSH{Side: calc.SSHClient, Interval: answertest.S(30), CountMax: 3}.Detection())

	socket := &Socket{connection.Socket{
		State: "ESTAB", Local: netip.MustParseAddrPort("192.0.2.1:22"), Remote: netip.MustParseAddrPort("10.0.0.9:51514"),
		Keepalive: connection.SwitchOn, Settings: keepalive.Settings{Time: answertest.S(7200), Intvl: answertest.S(75), Probes: 9}, ValuesKnown: true,
		Timer: connection.TimerKeepalive, Left: answertest.S(5000), LeftKnown: true, Next: answertest.S(5000), NextKnown: true, Idle: answertest.S(2200), IdleKnown: true, LastData: answertest.S(2200),
	}}
	process := func(pid int, side calc.SSHSide, role, dest string) Process {
		return Process{
			PID: pid, UID: 1000, Side: side, Role: role, Destination: new(answer.Foreign(dest)), Age: answer.Seconds(answertest.S(3600)),
			Sources: map[string]string{}, Unsure: map[string]string{}, Warnings: []calc.Warning{},
		}
	}
	master := process(100, calc.SSHClient, "master", "web1\x1b")
	master.User, master.Interval, master.Detection, master.Refresh = new("alice"), new(answer.Seconds(answertest.S(60))), new(answer.Seconds(answertest.S(240))), new(answer.Seconds(answertest.S(60)))
	master.Sources["ServerAliveInterval"] = "command line"
	master.Warnings = []calc.Warning{{ID: "master_keeps_values", Text: "new sessions go through this master"}}
	through := process(101, calc.SSHClient, "through_master", "web1")
	session := process(200, calc.SSHServer, "session", "bob@pts/0")
	session.Interval, session.Socket, session.Detection, session.DetectionBy = new(answer.Seconds(0)), socket, new(answer.Seconds(answertest.S(7875))), new(calc.ByProbes)
	session.Unsure["ClientAliveInterval"], session.Unsure["TCPKeepAlive"] = "/etc/ssh/sshd_config has changed", "/etc/ssh/sshd_config has changed"
	doubled := process(201, calc.SSHServer, "listener", "")
	doubled.Destination, doubled.Interval, doubled.Refresh = nil, new(answer.Seconds(answertest.S(60))), new(answer.Seconds(answertest.S(120)))
	doubled.Detection, doubled.DetectionBy = new(answer.Seconds(answertest.S(480))), new(calc.ByClientAliveCountMax)
	twice := calc.Warning{ID: "probes_at_twice_the_interval", Text: "it probes every 120 s"}
	session.Warnings, doubled.Warnings = []calc.Warning{twice}, []calc.Warning{twice}
	for name, d := range map[string]Document{
		"files": {Schema: "tcpka/ssh/v1", Files: []File{putty, second, openwrt, outside, block}, Unread: []FileError{{"/x\x07", "/x\x07: permission denied"}}},
		"running": {Schema: "tcpka/ssh/v1", Files: none, Running: []Process{master, through, session, doubled}, Session: &Session{
			Client: "10.0.0.9:51514", Server: "192.0.2.1:22\x1b", PID: new(200), Survives: new(answer.Seconds(answertest.S(7200))), SurvivesBy: new("tcp"),
			Detection: new(answer.Seconds(answertest.S(7875))), DetectionBy: new("probes"), Socket: socket, Warnings: []calc.Warning{{ID: "x", Text: "a\x1b"}},
		}},
		"held": {Schema: "tcpka/ssh/v1", Session: &Session{Client: "a", Server: "b", Survives: new(answer.Seconds(answertest.S(60))), SurvivesBy: new("ssh"), Warnings: []calc.Warning{}}},
		"lost": {Schema: "tcpka/ssh/v1", Session: &Session{Client: "a", Server: "b", Warnings: []calc.Warning{}}},

		"doubtful": {Schema: "tcpka/ssh/v1", Session: &Session{Client: "a", Server: "b", Survives: new(answer.Seconds(answertest.S(60))), SurvivesBy: new("ssh"), Warnings: []calc.Warning{{ID: "session_values_not_sure", Text: "it has changed"}}}},

		"stale":   {Schema: "tcpka/ssh/v1", Client: &client, Server: &stale},
		"proxied": {Schema: "tcpka/ssh/v1", Client: &proxied, Server: &endless},
		"brief":   {Schema: "tcpka/ssh/v1", Client: &brief},
		"both":    {Schema: "tcpka/ssh/v1", Destination: new("web1\x1b"), Client: &client, Server: &off},
		"unknown": {Schema: "tcpka/ssh/v1", Client: &left, Server: new(UnknownSide("sshd: /etc/ssh/sshd_config: permission denied"))},
	} {
		var table, doc bytes.Buffer
		if err := answer.Table(&table, d, answer.Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "ssh_"+name+".txt", table.String())
		if err := answer.JSON(&doc, d); err != nil {
			t.Fatal(err)
		}
		answertest.Golden(t, "ssh_"+name+".json", doc.String())
	}
}

// TestJSONIsHarmless has every kind of text that would not be let pass to a terminal.
func TestJSONIsHarmless(t *testing.T) {
	const evil = "a\x1b\u009b\x7f\u202e\u2028\U000e0041\ufeff\xffü\"\\<&>\tz"
	side := UnknownSide(evil)
	side.Sources[evil] = evil
	var b bytes.Buffer
	if err := answer.JSON(&b, Document{Server: &side, Destination: new(evil)}); err != nil {
		t.Fatal(err)
	}
	if i := bytes.IndexFunc(b.Bytes(), func(r rune) bool { return r != '\n' && answer.Unsafe(r) }); i >= 0 {
		t.Errorf("it has %q", b.Bytes()[i:min(i+20, b.Len())])
	}
	var got struct {
		Destination string
		Server      struct {
			Error   string
			Sources map[string]string
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(evil, "\xff", "\ufffd")
	if got.Destination != want || got.Server.Error != want || got.Server.Sources[want] != want {
		t.Errorf("read back as %q, want %q", got, want)
	}
}
