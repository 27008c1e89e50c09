package plantargets

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// These tests give the text to the program it is for. Where the program can tell,
// the values are read back from it.

func snippetOf(t *testing.T, name string) string {
	t.Helper()
	target, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return target.Render(twoMinutes())
}

// output runs a program in dir and returns what it prints.
func output(t *testing.T, dir, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(nstest.Program(t, program), args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// readBack is what a socket holds: SO_KEEPALIVE, idle, intvl, cnt, user timeout.
const readBack = "1 86 10 3 115000"

func TestPython(t *testing.T) {
	got := output(t, t.TempDir(), "python3", "-c", snippetOf(t, "python")+`
s = socket.socket()
set_keepalive(s)
print(s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *(s.getsockopt(socket.IPPROTO_TCP, o) for o in (
    socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)))
`)
	if got != readBack+"\n" {
		t.Errorf("the socket holds %q, want %s", got, readBack)
	}
}

func TestC(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "main.c", snippetOf(t, "c")+`
#include <stdio.h>
static int get(int fd, int level, int name) {
	int value = -1;
	socklen_t size = sizeof value;
	getsockopt(fd, level, name, &value, &size);
	return value;
}
int main(void) {
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (set_keepalive(fd))
		return 1;
	printf("%d %d %d %d %d", get(fd, SOL_SOCKET, SO_KEEPALIVE), get(fd, IPPROTO_TCP, TCP_KEEPIDLE),
	       get(fd, IPPROTO_TCP, TCP_KEEPINTVL), get(fd, IPPROTO_TCP, TCP_KEEPCNT), get(fd, IPPROTO_TCP, TCP_USER_TIMEOUT));
}
`)
	output(t, dir, "gcc", "-Wall", "-Wextra", "-Werror", "-o", "main", "main.c")
	if got := output(t, dir, dir+"/main"); got != readBack {
		t.Errorf("the socket holds %q, want %s", got, readBack)
	}
}

// TestGo checks the types against the standard library's source; unix is a
// stand-in.
func TestGo(t *testing.T) {
	src := "package p\nimport (\"net\"; \"syscall\"; \"time\")\nvar unix struct {\n\tSetsockoptInt func(fd, level, opt, value int) error\n\tIPPROTO_TCP, TCP_USER_TIMEOUT int\n}\nfunc f() {\n" +
		snippetOf(t, "go") + "_ = dialer\n}\n"
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "main.go", src, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("go"); err != nil {
		nstest.Missing(t, "no Go toolchain, whose library the types are checked against")
	}
	if _, err := (&types.Config{Importer: importer.ForCompiler(fset, "source", nil)}).Check("p", fset, []*ast.File{file}, nil); err != nil {
		t.Error(err)
	}
}

// nginxConfig is a file with the snippet in it, and the directives main at its top.
func nginxConfig(t *testing.T, dir, main string) string {
	t.Helper()
	paths := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("    %s_temp_path %s/%s;\n", kind, dir, kind)
	}
	return write(t, dir, "nginx.conf", fmt.Sprintf("%suser root root;\nerror_log stderr;\npid %s/pid;\nevents {}\nhttp {\n    access_log off;\n%s    server {\n%s    }\n}\n",
		main, dir, paths, snippetOf(t, "nginx")))
}

func TestNginx(t *testing.T) {
	nstest.Run(t, func(t *testing.T) { // its port is its own there
		dir := t.TempDir()
		if out := output(t, dir, "nginx", "-t", "-q", "-p", dir, "-c", nginxConfig(t, dir, "")); strings.Contains(out, "[emerg]") || strings.Contains(out, "keepalive") {
			t.Errorf("nginx says: %s", out)
		}
	})
}

func haproxyConfig(t *testing.T, dir string) string {
	t.Helper()
	return write(t, dir, "haproxy.cfg", snippetOf(t, "haproxy")+`    mode tcp
    timeout connect 5s
    timeout client 1m
    timeout server 1m
frontend f
    bind 127.0.0.1:18443 tcp-ut 115s
    default_backend b
backend b
    server s 127.0.0.1:1 tcp-ut 115s
`)
}

func TestHAProxy(t *testing.T) {
	dir := t.TempDir()
	if out := output(t, dir, "haproxy", "-c", "-f", haproxyConfig(t, dir)); strings.Contains(out, "WARNING") || strings.Contains(out, "ALERT") {
		t.Errorf("haproxy says: %s", out)
	}
}

func TestSystemd(t *testing.T) {
	dir := t.TempDir()
	socket := write(t, dir, "tcpkatest.socket", snippetOf(t, "systemd")+"ListenStream=127.0.0.1:18022\nAccept=no\n")
	write(t, dir, "tcpkatest.service", "[Service]\nExecStart=/bin/true\n")
	cmd := exec.Command(nstest.Program(t, "systemd-analyze"), "verify", "--man=no", socket)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":")
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "tcpkatest") { // the machine's own units may be broken
			t.Errorf("systemd-analyze says: %s", line)
		}
	}
	t.Logf("%v %s", err, out)
}

func TestSSH(t *testing.T) {
	dir := t.TempDir()
	got := output(t, dir, "ssh", "-G", "-F", write(t, dir, "config", snippetOf(t, "ssh")), "example.net")
	for _, want := range []string{"serveraliveinterval 29", "serveralivecountmax 3"} {
		if !strings.Contains(strings.ToLower(got), want+"\n") {
			t.Errorf("ssh -G does not say %q", want)
		}
	}
}

func TestSSHD(t *testing.T) {
	nstest.Run(t, func(t *testing.T) {
		// A directory of its own is where an installed sshd insists on one.
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		output(t, dir, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", dir+"/key")
		got := output(t, dir, "sshd", "-T", "-f", write(t, dir, "config", snippetOf(t, "sshd")), "-h", dir+"/key")
		for _, want := range []string{"clientaliveinterval 29", "clientalivecountmax 3"} {
			if !strings.Contains(strings.ToLower(got), want+"\n") {
				t.Errorf("sshd -T does not say %q", want)
			}
		}
	})
}

// parsed gives a text to a parser of Python's, and returns it as JSON.
func parsed(t *testing.T, name, parser string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "text", snippetOf(t, name))
	return output(t, dir, "python3", "-c", "import json, sys\ntext = open('text').read()\n"+parser+"\nprint(json.dumps(d))")
}

func TestFormatsAreWellFormed(t *testing.T) {
	const (
		yaml = "import yaml\nd = list(yaml.safe_load_all(text))"
		toml = "import tomllib\nd = tomllib.loads(text)"
		ini  = "d = [l.split('=', 1) for l in text.splitlines() if l[0] not in '#;[']"
		json = "d = json.loads('{' + ''.join(l for l in text.splitlines() if not l.startswith('//')) + '}')"
		code = "DATABASES = {'default': {}}\nURL = ''\nd = []\ndef create_engine(url, connect_args):\n    d.append(connect_args)\nexec(text)\nd.append(DATABASES)"
	)
	const keys = `"keepalives": 1, "keepalives_idle": 86, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 115000`
	for name, want := range map[string][]string{
		"compose":       {yaml, `{"net.ipv4.tcp_keepalive_time": 86, "net.ipv4.tcp_keepalive_intvl": 10, "net.ipv4.tcp_keepalive_probes": 3}`},
		"kubernetes":    {yaml, `{"name": "net.ipv4.tcp_keepalive_time", "value": "86"}`, `"value": "10"`, `"value": "3"`},
		"cloud-init":    {yaml, `"content": "net.ipv4.tcp_keepalive_time = 86\nnet.ipv4.tcp_keepalive_intvl = 10\nnet.ipv4.tcp_keepalive_probes = 3\n"`},
		"ansible":       {yaml, `{"name": "net.ipv4.tcp_keepalive_time", "value": "86"}`, `"value": "{{ item.value }}"`},
		"envoy":         {yaml, `"tcp_keepalive": {"keepalive_time": 86, "keepalive_interval": 10, "keepalive_probes": 3}`, `{"level": 6, "name": 6, "int_value": 3, "state": "STATE_PREBIND"}`},
		"istio":         {yaml, `"value": {"socket_options": [{"level": 1, "name": 9, "int_value": 1,`, `"tcpKeepalive": {"time": "86s", "interval": "10s", "probes": 3}`},
		"envoy-gateway": {yaml, `"kind": "ClientTrafficPolicy"`, `"kind": "BackendTrafficPolicy"`, `"tcpKeepalive": {"idleTime": "86s", "interval": "10s", "probes": 3}`},
		"ecs":           {json, `[{"namespace": "net.ipv4.tcp_keepalive_time", "value": "86"}, {"namespace": "net.ipv4.tcp_keepalive_intvl", "value": "10"}, {"namespace": "net.ipv4.tcp_keepalive_probes", "value": "3"}]`},
		"cri-o":         {toml, `["net.ipv4.tcp_keepalive_time=86", "net.ipv4.tcp_keepalive_intvl=10", "net.ipv4.tcp_keepalive_probes=3"]`},
		"quadlet":       {ini, `["Sysctl", "net.ipv4.tcp_keepalive_time=86"]`},
		"lxc":           {ini, `["lxc.sysctl.net.ipv4.tcp_keepalive_probes ", " 3"]`},
		"samba":         {ini, `["socket options ", " TCP_NODELAY SO_KEEPALIVE TCP_KEEPIDLE=86 TCP_KEEPINTVL=10 TCP_KEEPCNT=3`, `["    TCP_USER_TIMEOUT", "115000"]`},
		"sqlalchemy":    {code, keys},
		"django":        {code, keys},
	} {
		t.Run(name, func(t *testing.T) {
			got := parsed(t, name, want[0])
			for _, w := range want[1:] {
				if !strings.Contains(got, w) {
					t.Errorf("%s has not %s", got, w)
				}
			}
		})
	}
}

func TestRuby(t *testing.T) {
	got := output(t, t.TempDir(), "ruby", "-e", snippetOf(t, "ruby")+`
s = Socket.new(:INET, :STREAM)
set_keepalive(s)
print s.getsockopt(:SOCKET, :KEEPALIVE).int, " ", [:KEEPIDLE, :KEEPINTVL, :KEEPCNT, :USER_TIMEOUT].map { |o| s.getsockopt(:TCP, o).int }.join(" ")
`)
	if got != readBack {
		t.Errorf("the socket holds %q, want %s", got, readBack)
	}
}

func TestPHP(t *testing.T) {
	got := output(t, t.TempDir(), "php", "-r", snippetOf(t, "php")+`
$s = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
set_keepalive($s);
echo socket_get_option($s, SOL_SOCKET, SO_KEEPALIVE);
foreach ([4, 5, 6, 18] as $o) echo " ", socket_get_option($s, SOL_TCP, $o);
`)
	if got != readBack {
		t.Errorf("the socket holds %q, want %s", got, readBack)
	}
}

func TestJava(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "Main.java", `
import java.net.*;
import jdk.net.ExtendedSocketOptions;
class Main {
  public static void main(String[] args) throws Exception {
    Socket socket = new Socket();
`+snippetOf(t, "java")+`
    System.out.print((socket.getKeepAlive() ? 1 : 0) + " " + socket.getOption(ExtendedSocketOptions.TCP_KEEPIDLE) + " "
        + socket.getOption(ExtendedSocketOptions.TCP_KEEPINTERVAL) + " " + socket.getOption(ExtendedSocketOptions.TCP_KEEPCOUNT));
  }
}
`)
	if got := output(t, dir, "java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "Main.java"); got != "1 86 10 3" {
		t.Errorf("the socket holds %q", got)
	}
}

func TestMariaDB(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got := output(t, dir, "mariadbd", "--defaults-file="+write(t, dir, "my.cnf", snippetOf(t, "mariadb")), "--datadir="+dir, "--user=root", "--help", "--verbose")
	for name, want := range map[string]string{"time": "86", "interval": "10", "probes": "3"} {
		if !regexp.MustCompile(`(?m)^tcp-keepalive-` + name + ` +` + want + `$`).MatchString(got) {
			t.Errorf("mariadbd does not say that tcp-keepalive-%s is %s", name, want)
		}
	}
}

func TestSquid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	out := output(t, dir, "squid", "-k", "parse", "-f", write(t, dir, "squid.conf", snippetOf(t, "squid")))
	if !strings.Contains(out, "Processing: http_port 3128 tcpkeepalive=86,10,30") || strings.Contains(out, "FATAL") || strings.Contains(out, "ERROR") {
		t.Errorf("squid says: %s", out)
	}
}

func TestOpenLDAP(t *testing.T) {
	dir := t.TempDir()
	config := "modulepath /usr/lib/ldap\nmoduleload back_ldap\ndatabase ldap\nsuffix cn=example\nuri ldap://127.0.0.1\n"
	// Written out again, it has what was understood.
	if err := os.Mkdir(dir+"/out", 0o700); err != nil {
		t.Fatal(err)
	}
	output(t, dir, "slaptest", "-f", write(t, dir, "slapd.conf", config+snippetOf(t, "openldap")), "-F", dir+"/out")
	got, err := os.ReadFile(dir + "/out/cn=config/olcDatabase={1}ldap.ldif")
	if err != nil {
		t.Fatal(err)
	}
	if want := "olcDbKeepalive: 86:3:10\n"; !strings.Contains(string(got), want) { // it takes the user timeout, and does not tell it
		t.Errorf("slapd has not %q:\n%s", want, got)
	}
}

// TestErlang gives a socket the options; and a listener those that RabbitMQ passes on.
func TestErlang(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]string{
		"erlang":   "set(Socket) ->\n" + snippetOf(t, "erlang") + "main(_) -> {ok, S} = gen_tcp:listen(0, []), ok = set(S), show(S).\n",
		"rabbitmq": "main(_) -> {ok, [[{rabbit, [{tcp_listen_options, Options}]}]]} = file:consult(\"advanced.config\"), {ok, S} = gen_tcp:listen(0, Options), show(S).\n",
	} {
		dir := t.TempDir()
		write(t, dir, "advanced.config", snippetOf(t, "rabbitmq"))
		write(t, dir, "main", `#!/usr/bin/env escript
show(S) ->
    {ok, [{keepalive, true}]} = inet:getopts(S, [keepalive]),
    Values = [begin {ok, [{raw, 6, N, <<V:32/native>>}]} = inet:getopts(S, [{raw, 6, N, 4}]), V end || N <- [4, 5, 6, 18]],
    io:format("1 ~p ~p ~p ~p", Values).
`+set)
		if got := output(t, dir, "escript", "main"); got != readBack {
			t.Errorf("%s: the socket holds %q, want %s", name, got, readBack)
		}
	}
}
