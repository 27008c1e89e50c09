package sshclients

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/tcpka/tcpka/internal/sshconf"
)

// Files as the programs write them.
const (
	puttyFile = "HostName=server.example\nPortNumber=22\nProtocol=ssh\nPingInterval=1\nPingIntervalSecs=30\nTCPNoDelay=1\nTCPKeepalives=1\nPingIntervalSecs=7\n"
	kittyFile = "TCPKeepalives\\0\\\r\nTCPNoDelay\\1\\\r\nPingIntervalSecs\\45\\\r\nPingInterval\\0\\\r\nHostName\\10.67.210.17\\\r\nAntiIdle\\%20%08\\\r\n"
	regFile   = "Windows Registry Editor Version 5.00\r\n\r\n" +
		"[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions]\r\n\r\n" +
		"[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\Default%20Settings]\r\n\"Present\"=dword:00000001\r\n\"HostName\"=\"\"\r\n" +
		"\"PingInterval\"=dword:00000001\r\n\"PingIntervalSecs\"=dword:00000000\r\n\"TCPKeepalives\"=dword:00000001\r\n\"Wordness0\"=\"0,0,\\\"\\\\\"\r\n\r\n" +
		"[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\web%3A1]\r\n\"HostName\"=\"web1.example\"\r\n\"PingIntervalSecs\"=dword:ffffffff\r\n\r\n" +
		"[HKEY_USERS\\S-1-5-21\\Software\\9bis.com\\KiTTY\\Sessions\\k]\r\n\"PingIntervalSecs\"=dword:0000003c\r\n\r\n" +
		"[HKEY_CURRENT_USER\\Software\\Martin Prikryl\\WinSCP 2\\Sessions\\up%20load]\r\n\"HostName\"=\"files.example\"\r\n\"PingType\"=dword:00000001\r\n\"PingIntervalSecs\"=dword:0000001e\r\n"
	winscpFile = "[Configuration\\Interface]\nRandomSeedFile=%25APPDATA%25\\winscp.rnd\n[Sessions\\Default%20Settings]\nPingIntervalSecs=30\n" +
		"[Sessions\\folder/web]\nHostName=web1\nPingType=1\nPingInterval=1\nPingIntervalSecs=15\n[Sessions\\ftp]\nFSProtocol=5\nFtpPingType=1\n[Sessions\\dummy]\nPingType=2\n"
	teraTermFile = "; Tera Term \u0a05\u0100\u0a05\r\n[Tera Term]\r\nTelKeepAliveInterval=300\r\n\r\n[TTSSH]\r\nEnabled=1\r\n; SSH heartbeat(keepalive): per second (0=disabled)\r\nHeartBeat=120\r\n\r\n[ttssh]\r\nHeartBeat=9\r\n"
	crtFile      = "S:\"Hostname\"=web1.example\r\nD:\"Idle Check\"=00000001\r\nD:\"Idle Timeout\"=0000012c\r\nS:\"Idle String\"=\\n\r\nD:\"Idle NO-OP Check\"=00000001\r\nD:\"Idle NO-OP Timeout\"=0000000f\r\nZ:\"Port Forward Table V2\"=00000000\r\n"
	xshellFile   = "[SessionInfo]\nVersion=7.0\n[CONNECTION]\nHost=web1\nProtocol=SSH\n[CONNECTION:KEEPALIVE]\nSendKeepAliveInterval=180\nKeepAliveInterval=45\nTCPKeepAlive=1\nKeepAliveString=\\r\nSendKeepAlive=0\nKeepAlive=1\n"
	mobaFile     = "[Misc]\nXKeepAlive=1\n[SSH]\nSFTPShowDotFiles=1\nSSHKeepAlive2=1\n[Bookmarks]\nSubRep=\nImgNum=42\nMythic C2 (SSH)= #109#0%mythic%22%admin%%-1%-1%%%%%0%-1%0\ndesk= #91#4%win%3389%%\n[Bookmarks_1]\nSubRep=lab\nlab1=#109#0%10.0.0.1%22%[root]%\n"
	dropbearFile = "config dropbear 'main'\n\toption PasswordAuth 'on'\n\toption Port         '22'\n\toption SSHKeepAlive \"60\" # a comment\n\nconfig dropbear\n\toption Port 2222\n\nconfig other\n\toption SSHKeepAlive '1'\n"
	sshFile      = "# mine\nServerAliveInterval 2m\nHost web* !web9\n  ServerAliveInterval=30\n  ServerAliveCountMax 2\n  ServerAliveInterval 5\nMatch user bob\n\tTCPKeepAlive no\nHost empty\n  Port 22\n"
	sshdFile     = "Include /etc/ssh/sshd_config.d/*.conf\r\nclientaliveinterval 300\r\nTCPKeepAlive maybe\r\nMatch Address 10.0.0.0/8\r\nClientAliveCountMax 0\r\n"
)

func s(n int) *time.Duration { return new(time.Duration(n) * time.Second) }

var samples = []struct {
	name, content string
	format        Format
	want          []Session
}{
	{"a session of PuTTY on Unix, the first of a key counts", puttyFile, FormatPuTTY, []Session{{
		Program: sshconf.PuTTY, Host: "server.example", Interval: s(90), TCPKeepAlive: new(true),
		Lines: map[string]int{"PingInterval": 4, "PingIntervalSecs": 5, "TCPKeepalives": 7}}}},
	{"a session of a portable KiTTY", kittyFile, FormatKiTTY, []Session{{
		Program: sshconf.KiTTY, Host: "10.67.210.17", Interval: s(45), TCPKeepAlive: new(false),
		Lines:   map[string]int{"PingInterval": 4, "PingIntervalSecs": 3, "TCPKeepalives": 1, "AntiIdle": 6},
		Problem: "AntiIdle types a text into the shell, at an interval that is not in this file"}}},
	{"the registry, with the sessions of three programs", regFile, FormatRegistry, []Session{
		{Program: sshconf.PuTTY, Name: "Default Settings", Key: "Default%20Settings", Interval: s(60), TCPKeepAlive: new(true), Lines: map[string]int{"PingInterval": 8, "PingIntervalSecs": 9, "TCPKeepalives": 10}},
		{Program: sshconf.PuTTY, Name: "web:1", Key: "web%3A1", Host: "web1.example", TCPKeepAlive: new(false), Lines: map[string]int{"PingIntervalSecs": 15}, Problem: "PingInterval and PingIntervalSecs are out of the range in which the program does what they say"},
		{Program: sshconf.KiTTY, Name: "k", Key: "k", Interval: s(60), TCPKeepAlive: new(false), Lines: map[string]int{"PingIntervalSecs": 18}},
		{Program: sshconf.WinSCP, Name: "up load", Key: "up%20load", Host: "files.example", Interval: s(30), TCPKeepAlive: new(false), Lines: map[string]int{"PingType": 22, "PingIntervalSecs": 23}},
	}},
	{"WinSCP.ini", winscpFile, FormatWinSCP, []Session{
		{Program: sshconf.WinSCP, Name: "Default Settings", Key: "Default%20Settings", Interval: s(0), TCPKeepAlive: new(false), Lines: map[string]int{"PingIntervalSecs": 4}},
		{Program: sshconf.WinSCP, Name: "folder/web", Key: "folder/web", Host: "web1", Interval: s(75), TCPKeepAlive: new(false), Lines: map[string]int{"PingType": 7, "PingInterval": 8, "PingIntervalSecs": 9}},
		{Program: sshconf.WinSCP, Name: "ftp", Key: "ftp", TCPKeepAlive: new(false), Lines: map[string]int{"FSProtocol": 11}, Problem: "this session is not one of SSH"},
		{Program: sshconf.WinSCP, Name: "dummy", Key: "dummy", Interval: s(30), TCPKeepAlive: new(false), Lines: map[string]int{"PingType": 14}, Problem: "dummy commands are sent, which the shell executes, instead of null packets"},
	}},
	{"TERATERM.INI, of which Windows reads the first section of a name", teraTermFile, FormatTeraTerm, []Session{{
		Program: sshconf.TeraTerm, Interval: s(120), TCPKeepAlive: new(false), Lines: map[string]int{"HeartBeat": 8}}}},
	{"TERATERM.INI without the key", "[Tera Term]\nPort=22\n", FormatTeraTerm, []Session{{
		Program: sshconf.TeraTerm, Interval: s(300), TCPKeepAlive: new(false), Lines: map[string]int{}}}},
	{"TERATERM.INI with the key in another section of the name alone", "[TTSSH]\nEnabled=1\n[X]\n[TTSSH]\nHeartBeat=9\n", FormatTeraTerm, []Session{{
		Program: sshconf.TeraTerm, Interval: s(300), TCPKeepAlive: new(false), Lines: map[string]int{}}}},
	{"SecureCRT", crtFile, FormatSecureCRT, []Session{{
		Program: sshconf.SecureCRT, Host: "web1.example", Interval: s(15), Typed: s(300),
		Lines: map[string]int{"Idle Check": 2, "Idle Timeout": 3, "Idle NO-OP Check": 5, "Idle NO-OP Timeout": 6}}}},
	{"Xshell", xshellFile, FormatXshell, []Session{{
		Program: sshconf.Xshell, Host: "web1", Interval: s(45), Typed: s(0), TCPKeepAlive: new(true),
		Lines: map[string]int{"SendKeepAliveInterval": 7, "KeepAliveInterval": 8, "TCPKeepAlive": 9, "SendKeepAlive": 11, "KeepAlive": 12}}}},
	{"MobaXterm, one switch for every bookmark of SSH", mobaFile, FormatMobaXterm, []Session{
		{Program: sshconf.MobaXterm, Name: "Mythic C2 (SSH)", Host: "mythic", Lines: map[string]int{"SSHKeepAlive2": 5}, Problem: "MobaXterm does not tell how often it sends"},
		{Program: sshconf.MobaXterm, Name: "lab1", Host: "10.0.0.1", Lines: map[string]int{"SSHKeepAlive2": 5}, Problem: "MobaXterm does not tell how often it sends"},
	}},
	{"OpenWrt", dropbearFile, FormatDropbear, []Session{
		{Program: sshconf.Dropbear, Name: "main", Interval: s(60), TCPKeepAlive: new(false), Lines: map[string]int{"SSHKeepAlive": 4}},
		{Program: sshconf.Dropbear, Interval: s(300), TCPKeepAlive: new(false), Lines: map[string]int{}},
	}},
	{"Xshell 3, with everything in one section", "[CONNECTION]\r\nPort=22\r\nProtocol=SSH\r\nSendKeepAliveInterval=60\r\nTCPKeepAlive=1\r\nKeepAliveInterval=200\r\nHost=192.0.2.1\r\nKeepAlive=1\r\nSendKeepAlive=0\r\n[Information]\r\nMajorVersion=3\r\n", FormatXshell, []Session{{
		Program: sshconf.Xshell, Host: "192.0.2.1", Interval: s(200), Typed: s(0), TCPKeepAlive: new(true),
		Lines: map[string]int{"SendKeepAliveInterval": 4, "TCPKeepAlive": 5, "KeepAliveInterval": 6, "KeepAlive": 8, "SendKeepAlive": 9}}}},
	{"Xshell, the section of its own counts", "[CONNECTION]\nProtocol=TELNET\nKeepAlive=1\nKeepAliveInterval=200\n[CONNECTION:KEEPALIVE]\nKeepAlive=0\n", FormatXshell, []Session{{
		Program: sshconf.Xshell, Interval: s(0), Typed: s(0), TCPKeepAlive: new(false), Lines: map[string]int{"KeepAlive": 6, "KeepAliveInterval": 4}, Problem: "this session is not one of SSH"}}},
	{"PuTTY, a serial line", "Protocol=serial\nPingIntervalSecs=5\nTCPKeepalives=0\n", FormatPuTTY, []Session{{
		Program: sshconf.PuTTY, Interval: s(5), TCPKeepAlive: new(false), Lines: map[string]int{"PingIntervalSecs": 2, "TCPKeepalives": 3}, Problem: "this session is not one of SSH"}}},
	{"SecureCRT, telnet", "S:\"Protocol Name\"=Telnet\nD:\"Idle NO-OP Check\"=00000001\n", FormatSecureCRT, []Session{{
		Program: sshconf.SecureCRT, Interval: s(60), Typed: s(0), Lines: map[string]int{"Idle NO-OP Check": 2}, Problem: "this session is not one of SSH"}}},
	{"OpenWrt, a server that is disabled, and one that ends idle sessions", "config dropbear\n\toption enable '0'\n\toption Port '2222'\nconfig dropbear 'lan'\n\toption enable '1'\n\toption IdleTimeout 600\nconfig dropbear 'x'\n\toption IdleTimeout 1h\n", FormatDropbear, []Session{
		{Program: sshconf.Dropbear, Interval: s(0), TCPKeepAlive: new(false), Lines: map[string]int{"enable": 2}, Problem: "enable is off: OpenWrt does not start this server"},
		{Program: sshconf.Dropbear, Name: "lan", Interval: s(300), TCPKeepAlive: new(false), Lines: map[string]int{"enable": 5, "IdleTimeout": 6}, Problem: "IdleTimeout ends a session after 600 s without input and output, keepalives or not"},
		{Program: sshconf.Dropbear, Name: "x", TCPKeepAlive: new(false), Lines: map[string]int{"IdleTimeout": 8}, Problem: "IdleTimeout is no number: OpenWrt does not start this server"},
	}},
	{"seconds with a fraction", "Host a\n  ServerAliveInterval 2.5\n", FormatSSH, []Session{
		{Program: sshconf.SSH, Name: "Host a", Interval: s(2), Lines: map[string]int{"ServerAliveInterval": 2}, Problem: "line 2: ServerAliveInterval 2.5 counts as 2 s from OpenSSH 10.3 on, and is refused before"},
	}},
	{"a keyword that no OpenSSH has, and one that is passed over", "IgnoreUnknown Use*\nHost *\n  UseKeychain yes\n  ServerAliveIntervall 5\n", FormatSSH, []Session{
		{Program: sshconf.SSH, Name: "Host *", Lines: map[string]int{}, Problem: "line 4: no OpenSSH up to 10.2 knows serveraliveintervall, and what does not know it refuses the file"},
	}},
	{"ssh_config, block by block", sshFile, FormatSSH, []Session{
		{Program: sshconf.SSH, Interval: s(120), Lines: map[string]int{"ServerAliveInterval": 2}},
		{Program: sshconf.SSH, Name: "Host web* !web9", Interval: s(30), CountMax: new(2), Lines: map[string]int{"ServerAliveInterval": 4, "ServerAliveCountMax": 5}, Problem: "line 4: ServerAliveInterval never has an effect, because line 2 comes first; line 6: ServerAliveInterval is set already in line 4"},
		{Program: sshconf.SSH, Name: "Match user bob", TCPKeepAlive: new(false), Lines: map[string]int{"TCPKeepAlive": 8}},
	}},
	{"sshd_config", sshdFile, FormatSSHD, []Session{
		{Program: sshconf.SSHD, Interval: s(300), Lines: map[string]int{"ClientAliveInterval": 2, "TCPKeepAlive": 3}, Problem: "line 1 includes other files, which are not read here; line 3: TCPKeepAlive is yes or no, not \"maybe\""},
		{Program: sshconf.SSHD, Name: "Match Address 10.0.0.0/8", CountMax: new(0), Lines: map[string]int{"ClientAliveCountMax": 5}},
	}},
}

// encoded is text as Windows writes it.
func encoded(text string, order binary.AppendByteOrder) string {
	var raw []byte
	for _, u := range utf16.Encode([]rune("\ufeff" + text)) {
		raw = order.AppendUint16(raw, u)
	}
	return string(raw)
}

// encodings are a file in every encoding there is.
func encodings(text string) map[string]string {
	return map[string]string{
		"as it is": text, "UTF-8 with a mark": "\ufeff" + text,
		"UTF-16, little end first": encoded(text, binary.LittleEndian), "UTF-16, big end first": encoded(text, binary.BigEndian),
	}
}

func TestParseFile(t *testing.T) {
	for _, tt := range samples {
		for encoding, content := range encodings(tt.content) {
			f, err := ParseFile("x", []byte(content))
			if err != nil || f.Format != tt.format {
				t.Errorf("%s, %s: format %q, %v", tt.name, encoding, f.Format, err)
				continue
			}
			got := f.Sessions
			if encoding != "as it is" {
				for i := range got {
					p, _ := strings.CutSuffix(got[i].Problem, "OpenSSH refuses a file that begins with a byte order mark")
					got[i].Problem = strings.TrimSuffix(p, "; ")
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", tt.name, encoding, diff)
			}
		}
		// The line ends of the other system.
		if crlf := strings.ReplaceAll(strings.ReplaceAll(tt.content, "\r\n", "\n"), "\n", "\r\n"); tt.format != FormatPuTTY {
			f, err := ParseFile("x", []byte(crlf))
			if diff := cmp.Diff(tt.want, f.Sessions); err != nil || diff != "" {
				t.Errorf("%s, CRLF: %v (-want +got):\n%s", tt.name, err, diff)
			}
		}
	}
}

func TestParseFileRefuses(t *testing.T) {
	for name, content := range map[string]string{
		"nothing":                         "",
		"comments alone":                  "# nothing\n\n",
		"a text":                          "Dear Sir or Madam,\nyours.\n",
		"an INI file of somebody else":    "[Unit]\nDescription=x\n",
		"what neither ssh nor sshd takes": "ServerAliveInterval 5\nClientAliveInterval 5\n",
		"quotes that do not close":        "ServerAliveInterval 5\nHost \"a\n",
		"NUL bytes":                       "ServerAliveInterval 5\x00\n",
		"UTF-16 without a mark":           encoded(puttyFile, binary.LittleEndian)[2:],
		"half a character":                "\xff\xfe[\x00T\x00",
		"a program":                       "\x7fELF\x02\x01\x01\x00\x00",
		"a registry without sessions":     "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software]\r\n\"a\"=\"b\"\r\n",
	} {
		if f, err := ParseFile("x", []byte(content)); err == nil {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestReadFileIsBounded(t *testing.T) {
	dir := t.TempDir()
	own := filepath.Join(dir, "own")
	if err := os.WriteFile(own, []byte(puttyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := ReadFile(own); err != nil || len(f.Sessions) != 1 {
		t.Errorf("one's own: %+v, %v", f, err)
	}
	large, fifo := filepath.Join(dir, "large"), filepath.Join(dir, "fifo")
	if err := os.WriteFile(large, []byte(puttyFile), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 100<<20); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		large:       "larger than 16777216 bytes",
		fifo:        "not a regular file",
		dir:         "not a regular file",
		dir + "/no": "no such file",
		"/dev/zero": "not a regular file",
	} {
		if _, err := ReadFile(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

func TestEdit(t *testing.T) {
	interval := func(n int) Wanted { return Wanted{Interval: s(n)} }
	for _, tt := range []struct {
		name, content string
		wanted        Wanted
		want          string
	}{
		{"PuTTY: both keys", "A=1\nPingInterval=0\nPingIntervalSecs=0\nB=2", interval(90), "A=1\nPingInterval=1\nPingIntervalSecs=30\nB=2"},
		{"PuTTY: the same total stays as it is spelt", "PingInterval=0\nPingIntervalSecs=90\n", interval(90), "PingInterval=0\nPingIntervalSecs=90\n"},
		{"PuTTY: the first of a key counts", "PingIntervalSecs=1\nPingIntervalSecs=2\n", interval(5), "PingIntervalSecs=5\nPingIntervalSecs=2\nPingInterval=0\n"},
		{"PuTTY: keys and a line end that are missing", "PortNumber=22\r\nTCPKeepalives=0", Wanted{s(60), new(true)}, "PortNumber=22\r\nTCPKeepalives=1\r\nPingInterval=1\r\nPingIntervalSecs=0\r\n"},
		{"PuTTY: nothing wanted", "PortNumber=22", Wanted{}, "PortNumber=22"},
		{"PuTTY: bytes of an old code page stay", "WinTitle=\xe4\xff\nPingIntervalSecs=x\n", interval(7), "WinTitle=\xe4\xff\nPingIntervalSecs=7\nPingInterval=0\n"},
		{"PuTTY: off", "PingIntervalSecs=60\n", interval(0), "PingIntervalSecs=0\nPingInterval=0\n"},
		{"Tera Term", teraTermFile, interval(60), strings.Replace(teraTermFile, "=120", "=60", 1)},
		{"Tera Term: what stands around the number stays", "[TTSSH]\n  heartbeat = \"-5\" ; often \xe4\n", interval(60), "[TTSSH]\n  heartbeat = \"60\" ; often \xe4\n"},
		{"Tera Term: a value that is no number", "[TTSSH]\nHeartBeat=\n", interval(60), "[TTSSH]\nHeartBeat=60\n"},
		{"Tera Term: the key is missing", "[TTSSH]\r\nEnabled=1\r\n[X]\r\n", interval(60), "[TTSSH]\r\nHeartBeat=60\r\nEnabled=1\r\n[X]\r\n"},
		{"Tera Term: the section is missing, and the last line end", "[Tera Term]\r\nPort=22", interval(60), "[Tera Term]\r\nPort=22\r\n[TTSSH]\r\nHeartBeat=60\r\n"},
		{"Tera Term: the section is the last line", "[TTSSH]", interval(60), "[TTSSH]\r\nHeartBeat=60\r\n"},
		{"Tera Term: the same number", "[TTSSH]\nHeartBeat= 060\n", interval(60), "[TTSSH]\nHeartBeat= 060\n"},
	} {
		for encoding, content := range encodings(tt.content) {
			if encoding != "as it is" && (strings.HasPrefix(tt.name, "PuTTY") || strings.Contains(tt.content, "\xe4")) {
				continue
			}
			f, err := ParseFile("x", []byte(content))
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			got, err := f.Edit([]byte(content), tt.wanted)
			if want := encodings(tt.want)[encoding]; err != nil || string(got) != want {
				t.Errorf("%s, %s: %q, %v; want %q", tt.name, encoding, got, err, want)
			}
			// What was written says so, and writing it again changes nothing.
			after, err := ParseFile("x", got)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			if w := tt.wanted.Interval; w != nil && (after.Sessions[0].Interval == nil || *after.Sessions[0].Interval != *w) {
				t.Errorf("%s: reads as %v", tt.name, after.Sessions[0].Interval)
			}
			if again, err := after.Edit(got, tt.wanted); err != nil || !bytes.Equal(again, got) {
				t.Errorf("%s: written again: %q, %v", tt.name, again, err)
			}
		}
	}
}

func TestEditRefuses(t *testing.T) {
	for _, tt := range []struct {
		content string
		wanted  Wanted
		want    string
	}{
		{xshellFile, Wanted{Interval: s(60)}, ErrNotInPlace.Error()},
		{puttyFile, Wanted{Interval: s(-1)}, "interval out of range: -1s; accepted are whole seconds from 0 to 2147483"},
		{puttyFile, Wanted{Interval: s(2147484)}, "interval out of range"},
		{puttyFile, Wanted{Interval: new(1500 * time.Millisecond)}, "interval out of range"},
		{teraTermFile, Wanted{Interval: s(-1)}, "interval out of range"},
		{teraTermFile, Wanted{TCPKeepAlive: new(true)}, "no setting for SO_KEEPALIVE"},
		{"\ufeff" + puttyFile, Wanted{Interval: s(60)}, "PuTTY does not read files with a byte order mark"},
	} {
		f, err := ParseFile("x", []byte(tt.content))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Edit([]byte(tt.content), tt.wanted); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.wanted, err, tt.want)
		}
	}
}

func TestInstructions(t *testing.T) {
	in, err := Session{Program: sshconf.PuTTY, Name: "büro ]\r\n[x"}.Instructions(Wanted{s(90), new(true)})
	want := "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\b%C3%BCro%20]%0D%0A[x]\r\n" +
		"\"PingInterval\"=dword:00000001\r\n\"PingIntervalSecs\"=dword:0000001e\r\n\"TCPKeepalives\"=dword:00000001\r\n"
	if err != nil || in.File != want {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, in.File))
	}
	for _, p := range []sshconf.Program{sshconf.PuTTY, sshconf.KiTTY, sshconf.WinSCP} {
		// What regedit would import is what was wanted.
		in, err := Session{Program: p, Key: "a%20b"}.Instructions(Wanted{Interval: s(75)})
		if err != nil {
			t.Fatal(err)
		}
		f, err := ParseFile("x", []byte(in.File))
		if err != nil || len(f.Sessions) != 1 || f.Sessions[0].Program != p || f.Sessions[0].Name != "a b" || *f.Sessions[0].Interval != 75*time.Second {
			t.Errorf("%s: %+v, %v", p, f.Sessions, err)
		}
	}
	for p, want := range map[sshconf.Program]string{
		sshconf.SecureCRT: "D:\"Idle NO-OP Check\"=00000001\nD:\"Idle NO-OP Timeout\"=0000003c", sshconf.Xshell: "KeepAlive=1\nKeepAliveInterval=60",
		sshconf.MobaXterm: "SSH keepalive: on", sshconf.TeraTerm: "Heartbeat: 60", sshconf.Dropbear: "SSHKeepAlive=60",
	} {
		in, err := Session{Program: p}.Instructions(Wanted{Interval: s(60)})
		if all := strings.Join(in.Steps, "\n"); err != nil || !strings.Contains(all, want) || in.File != "" {
			t.Errorf("%s: %q, %v; want %q", p, all, err, want)
		}
	}
	if _, err := (Session{Program: sshconf.PuTTY}).Instructions(Wanted{Interval: s(1 << 30)}); !errors.Is(err, ErrInterval) {
		t.Errorf("too long: %v", err)
	}
	if _, err := (Session{Program: sshconf.SSH}).Instructions(Wanted{}); err == nil {
		t.Error("OpenSSH: no error")
	}
}

func TestPuTTYSessionName(t *testing.T) {
	for file, name := range map[string]string{"Default%20Settings": "Default Settings", "a.b@c_d-e+f": "a.b@c_d-e+f", "..%2Fx%20y%2F%C3%BC": "../x y/ü", "50%25": "50%", "5%": "5%", "%zz": "%zz"} {
		if got := PuTTYSessionName(file); got != name {
			t.Errorf("%s: %q, want %q", file, got, name)
		}
	}
}

// FuzzParseFile reads anything as a file: no panic, no endless loop; a session has a
// program; writing nothing gives the same bytes, and what was written is read.
func FuzzParseFile(f *testing.F) {
	for _, tt := range samples {
		for _, content := range encodings(tt.content) {
			f.Add([]byte(content), 60)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte, n int) {
		file, err := ParseFile("sshd_config", content)
		if err != nil {
			return
		}
		for _, session := range file.Sessions {
			if session.Program == "" || session.Lines == nil {
				t.Errorf("%+v", session)
			}
		}
		if same, err := file.Edit(content, Wanted{}); file.Format.InPlace() && err == nil && !bytes.Equal(same, content) {
			t.Errorf("nothing wanted: %q became %q", content, same)
		}
		wanted := Wanted{Interval: new(time.Duration(n) * time.Second)}
		changed, err := file.Edit(content, wanted)
		if err != nil {
			return
		}
		after, err := ParseFile("x", changed)
		if err != nil || after.Sessions[0].Interval == nil || *after.Sessions[0].Interval != *wanted.Interval {
			t.Errorf("%q became %q: %+v, %v", content, changed, after.Sessions, err)
		}
	})
}

// TestRegistryTakesAway has what regedit imports, and never exports: keys and values that
// are to go.
func TestRegistryTakesAway(t *testing.T) {
	const key = `HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\`
	f, err := ParseFile("x.reg", []byte("REGEDIT4\r\n\r\n["+key+"a]\r\n\"PingIntervalSecs\"=dword:0000003c\r\n\"TCPKeepalives\"=dword:00000001\r\n\"PingIntervalSecs\"=-\r\n"+
		"["+key+"b]\r\n\"PingIntervalSecs\"=dword:0000003c\r\n[-"+key+"b]\r\n[-"+key+"c]\r\n"))
	want := []Session{{Program: sshconf.PuTTY, Name: "a", Key: "a", Interval: s(0), TCPKeepAlive: new(true), Lines: map[string]int{"TCPKeepalives": 5}}}
	if diff := cmp.Diff(want, f.Sessions); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// TestForeignFiles: what some other program has is not OpenSSH's for a word that is the
// same.
func TestForeignFiles(t *testing.T) {
	for name, content := range map[string]string{
		"Remmina":                          "[remmina]\nname=lab\nprotocol=SSH\nserver=192.0.2.1\nkeep_alive_interval=30\n",
		"a .reg without its first line":    "[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\lab]\n\"HostName\"=\"192.0.2.1\"\n\"Protocol\"=\"ssh\"\n",
		"mRemoteNG":                        "<?xml version=\"1.0\"?>\n<Node Name=\"a\" Protocol=\"SSH2\" Hostname=\"192.0.2.1\"/>\n",
		"nginx":                            "user www;\nworker_processes 4;\nevents {\n}\n",
		"Ansible":                          "[ssh_connection]\nssh_args = -o ServerAliveInterval=60\nport = 22\n",
		"JSON":                             "{\n \"host\": \"a\",\n \"port\": 22\n}\n",
		"YAML":                             "host: a\nport 22\nimage: x\nrestart: always\n",
		"a unit of systemd":                "[Socket]\nKeepAlive=yes\nPort=22\n",
		"sysctl.d":                         "net.ipv4.tcp_keepalive_time = 60\nnet.ipv4.tcp_keepalive_intvl = 10\n",
		"HAProxy, whose words are its own": "global\n  user haproxy\n  log /dev/log local0\ndefaults\n  timeout client 50s\n",
	} {
		if f, err := ParseFile("a", []byte(content)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %s, %v", name, f.Format, err)
		}
	}
}
