package target

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/answer"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/nearest"
	"github.com/tcpka/tcpka/sockets"
)

// FilterFlags say which sockets are meant. All of them may be repeated; of those
// whose values hold no comma, several values may stand in one, as in ps -p 1,2.
func FilterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "pid", Usage: "sockets that the process `PID` holds"},
		&cli.StringSliceFlag{Name: "comm", Usage: "sockets that a process of this `NAME` holds, as in ps -o comm"},
		&cli.StringSliceFlag{Name: "port", Usage: "`PORT` at either end"},
		&cli.StringSliceFlag{Name: "local", Usage: "own `END`: ADDR, ADDR/BITS, :PORT or ADDR:PORT"},
		&cli.StringSliceFlag{Name: "remote", Usage: "the peer's `END`, likewise"},
		&cli.StringSliceFlag{Name: "state", Usage: "`STATE` as ss prints it: estab, close-wait, listen, ...; or connected, all"},
		&cli.StringSliceFlag{Name: "keepalive", Usage: "whether it is `on|off`"},
		&cli.StringSliceFlag{Name: "origin", Usage: "`socket|sysctl`: has a value of its own, or follows the sysctls in all"},
		&cli.StringSliceFlag{Name: "cgroup", Usage: "made in the cgroup `PATH` or below it"},
		&cli.StringSliceFlag{Name: "silent-for", Usage: "whose peer has sent no data for the time `T`, whatever its kernel answered"},
	}
}

// FilterOf reads those flags: a socket has to meet all of them, and of one that is
// given several times any value. Without any it is the zero filter and given is
// false.
func FilterOf(c *cli.Context) (f sockets.Filter, given bool, err error) {
	for _, flag := range []struct {
		name   string
		commas bool // separate values
		add    func(f *sockets.Filter, value string) error
	}{
		{"pid", true, addPID},
		{"comm", false, addComm},
		{"port", true, addPort},
		{"local", true, func(f *sockets.Filter, v string) error { return addEnd("local", &f.Local, v) }},
		{"remote", true, func(f *sockets.Filter, v string) error { return addEnd("remote", &f.Remote, v) }},
		{"state", true, addState},
		{"keepalive", true, addKeepalive},
		{"origin", true, addOrigin},
		{"cgroup", false, addCgroup},
		{"silent-for", false, addSilentFor},
	} {
		for _, text := range GivenAll(c, flag.name) {
			given = true
			values := []string{text}
			if flag.commas {
				values = strings.Split(text, ",")
			}
			for _, v := range values {
				err := cmdline.ErrEmpty
				if v != "" {
					err = flag.add(&f, v)
				}
				if hinted, ok := errors.AsType[*cmdline.Failure](err); ok {
					return sockets.Filter{}, true, cmdline.Misuse("--%s %q: %w", flag.name, text, hinted.Err).WithHint("%s", hinted.Hint)
				}
				if err != nil {
					return sockets.Filter{}, true, cmdline.Misuse("--%s %q: %w", flag.name, text, err)
				}
			}
		}
	}
	return f, given, nil
}

// GivenAll returns the values of a flag that may be repeated, in their order.
func GivenAll(c *cli.Context, name string) []string {
	for _, ctx := range c.Lineage() {
		if slices.Contains(ctx.LocalFlagNames(), name) {
			return ctx.StringSlice(name)
		}
	}
	return nil
}

func addPID(f *sockets.Filter, v string) error {
	n, err := cmdline.ParseNumber(v)
	if err != nil {
		return err
	}
	if n <= 0 {
		return errors.New("a PID is 1 or more")
	}
	f.PIDs = append(f.PIDs, n)
	return nil
}

// maxComm is what the kernel keeps of a program's name. Source:
// include/linux/sched.h, TASK_COMM_LEN.
const maxComm = 15

// IsComm reports whether --comm takes a name: what begins like a path is one. A slash
// within is a thread's that was named so, such as rt/worker.
func IsComm(v string) bool {
	return v != "" && !strings.HasPrefix(v, "/") && !strings.HasPrefix(v, "./") && !strings.HasPrefix(v, "../")
}

// addComm takes a longer name for what the kernel keeps of it.
func addComm(f *sockets.Filter, v string) error {
	if !IsComm(v) {
		return errors.New("the name of a program, not its path")
	}
	f.Comms = append(f.Comms, v[:min(len(v), maxComm)])
	return nil
}

func addPort(f *sockets.Filter, v string) error {
	n, err := strconv.ParseUint(v, 10, 16)
	if err != nil || n == 0 {
		wrong := cmdline.Misuse("a port is a number from 1 to 65535")
		if !isName(v) {
			return wrong.Err
		}
		if known, err := net.LookupPort("tcp", v); err == nil { // of a file, and without a network
			return wrong.WithHint("%s is --port %d", v, known)
		}
		return wrong.WithHint("it may be known to: getent services %s", v)
	}
	f.Ports = append(f.Ports, uint16(n))
	return nil
}

func AddEnd(to *[]sockets.Endpoint, v string) error {
	e, err := sockets.ParseEndpoint(v)
	*to = append(*to, e)
	return err
}

// addEnd is AddEnd for a flag, which says where to get the addresses of a name.
func addEnd(flag string, to *[]sockets.Endpoint, v string) error {
	err := AddEnd(to, v)
	if before, zone, ok := strings.Cut(v, "%"); err != nil && ok {
		_, after, _ := strings.Cut(zone, "]")
		if strings.Contains(zone, "]") {
			after = "]" + after
		}
		if _, without := sockets.ParseEndpoint(before + after); without == nil {
			return cmdline.Misuse("%w", err).WithHint("without it, on any interface: --%s %s", flag, before+after)
		}
	}
	name, port, hasPort := strings.Cut(v, ":")
	if err == nil || !isName(name) || strings.Contains(port, ":") { // or an IPv6 address
		return err
	}
	if hasPort {
		port = " --port " + port
	}
	// What a name means now need not be what the connection was made to, and tcpka asks no
	// network.
	return cmdline.Misuse("%w", err).WithHint(`a name is not looked up; its addresses: --%s "$(getent ahosts %s | awk '{print $1}' | sort -u | paste -sd,)"%s`, flag, name, port)
}

// isName reports whether a word may be the name of a host, or of a service.
func isName(v string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	return strings.ContainsAny(v, letters) && strings.Trim(v, letters+"0123456789-._") == "" && v[0] != '-'
}

func addKeepalive(f *sockets.Filter, v string) error {
	want, ok := map[string]sockets.OnOff{"on": sockets.On, "off": sockets.Off}[strings.ToLower(v)]
	if !ok {
		return errors.New("it is on or off")
	}
	if f.Keepalive != sockets.Unknown && f.Keepalive != want {
		return errors.New("on and off exclude each other")
	}
	f.Keepalive = want
	return nil
}

func addOrigin(f *sockets.Filter, v string) error {
	want, ok := map[string]sockets.Origin{"socket": sockets.FromSocket, "sysctl": sockets.FromSysctl}[strings.ToLower(v)]
	if !ok {
		return errors.New("it is socket or sysctl")
	}
	if f.Origin != sockets.FromUnknown && f.Origin != want {
		return errors.New("socket and sysctl exclude each other")
	}
	f.Origin = want
	return nil
}

func addSilentFor(f *sockets.Filter, v string) error {
	d, err := cmdline.ParseDuration(v, time.Second)
	switch {
	case err != nil:
		return err
	case d <= 0:
		return errors.New("it is 1 second or more")
	case f.SilentFor != 0 && f.SilentFor != d:
		return errors.New("it is one time")
	}
	f.SilentFor = d
	return nil
}

// addCgroup takes a path below the mount point, or the path of the directory.
func addCgroup(f *sockets.Filter, v string) error {
	v = path.Clean("/" + v)
	if dir := cgroupMount(); dir != "" {
		if below, ok := strings.CutPrefix(v+"/", dir+"/"); ok {
			v = path.Clean("/" + below)
		}
	}
	f.Cgroups = append(f.Cgroups, v)
	return nil
}

// cgroupMount is where cgroup v2 is mounted, beside v1 or alone, or "".
func cgroupMount() string {
	const mount = "/sys/fs/cgroup"
	for _, dir := range []string{mount + "/unified", mount} {
		var fs unix.Statfs_t
		if unix.Statfs(dir, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			return dir
		}
	}
	return ""
}

// Mistaken says that of the processes, or of the cgroups, that a filter names none
// is there: an empty list would look as if they had no socket.
func Mistaken(f sockets.Filter) error {
	gone := func(pid int) bool { return errors.Is(unix.Kill(pid, 0), unix.ESRCH) }
	if len(f.PIDs) > 0 && !slices.ContainsFunc(f.PIDs, func(pid int) bool { return !gone(pid) }) {
		return cmdline.Failed(fmt.Errorf("--pid: no process %s", answer.PIDList(f.PIDs)))
	}
	dir := cgroupMount()
	missing := func(cgroup string) bool {
		_, err := os.Stat(dir + cgroup)
		return errors.Is(err, os.ErrNotExist)
	}
	if dir != "" && len(f.Cgroups) > 0 && !slices.ContainsFunc(f.Cgroups, func(c string) bool { return !missing(c) }) {
		return cmdline.Failed(fmt.Errorf("--cgroup: no cgroup %s below %s", strings.Join(f.Cgroups, ", "), dir)).WithHint("they are listed by: systemd-cgls, or: ls %s", dir)
	}
	return nil
}

// statesNamed are the states of a word for several. The words mean what they mean
// to ss(8): what is connected is everything but listeners.
func statesNamed(word string) (sockets.States, bool) {
	switch word {
	case "all":
		return sockets.AllStates, true
	case "connected":
		return sockets.AllStates &^ sockets.StatesOf(sockets.Listen), true
	}
	return 0, false
}

func addState(f *sockets.Filter, v string) error {
	name := strings.ToLower(v)
	switch name { // what ss reads and does not print
	case "established":
		name = "estab"
	case "listening":
		name = "listen"
	}
	if set, ok := statesNamed(name); ok {
		f.States |= set
		return nil
	}
	for _, s := range sockets.AllStates.All() {
		if strings.ToLower(s.String()) == name {
			f.States |= sockets.StatesOf(s)
			return nil
		}
	}
	if name == "closed" || name == "unconn" {
		return errors.New("the kernel lists no socket that is neither connected nor listens")
	}
	unknown := cmdline.Misuse("no such state")
	if near := nearest.Names(name, StateNames()); len(near) > 0 {
		return unknown.WithHint("did you mean %s?", near[0])
	}
	return unknown.WithHint("the states are %s", strings.Join(StateNames(), ", "))
}

// StateNames are the words that --state takes.
func StateNames() []string {
	var names []string
	for _, s := range sockets.AllStates.All() {
		names = append(names, strings.ToLower(s.String()))
	}
	return append(names, "connected", "all")
}
