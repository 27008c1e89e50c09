//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// commands are what scripts have beside testscript's own:
//
//	status N PROGRAM [ARG...]     run it; the exit status must be N
//	holds [WHERE] T I P           the kernel, or an image, holds this time, intvl, probes
//	sysctl [WHERE] KEY=VALUE...   write to net.ipv4, without tcpka; KEY?=VALUE where there is KEY
//	netns NAME...                 make network namespaces, as ip netns add does
//	neighbour VAR [COMM]          a process in a new network namespace; its PID in VAR
//	connection [-nobody] [-netns=PATH] VAR [FLAG...]     a process that holds one; its port in VAR, its PID in VAR_PID
//	json PATH VALUE               the JSON on stdout has this value at a.0.b; len is a length
//	jsonenv VAR PATH              put the string there into a variable
//	picture FILE                  it is well-formed SVG and refers to nothing outside it
//	replace FILE OLD NEW          edit a text file
//	mode FILE MODE                it has this mode
//	reboot                        the journal is of an earlier boot
//	tmpfs DIR, bind FROM TO, readonly DIR     mount
//
// WHERE is -root=DIR or -netns=PATH; without it, the script's own namespace.
// The programs nobody, container and tenant run tcpka with less privilege.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"status":     cmdStatus,
	"holds":      cmdHolds,
	"sysctl":     cmdSysctl,
	"netns":      cmdNetns,
	"neighbour":  cmdNeighbour,
	"connection": cmdConnection,
	"json":       cmdJSON,
	"jsonenv":    cmdJSONEnv,
	"picture":    cmdPicture,
	"replace":    cmdReplace,
	"mode":       cmdMode,
	"reboot":     cmdReboot,
	"tmpfs":      cmdTmpfs,
	"bind":       cmdBind,
	"readonly":   cmdReadonly,
}

// usage ends the script where a command is not used as it should be.
func usage(ts *testscript.TestScript, neg bool, ok bool, text string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func cmdStatus(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) >= 2, "status N PROGRAM [ARG...]")
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode() // -1 for a signal
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// place is where a script reads and writes sysctls.
type place struct{ root, netns string }

func placeOf(ts *testscript.TestScript, args []string) (place, []string) {
	var p place
	f := flag.NewFlagSet("", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&p.root, "root", "", "")
	f.StringVar(&p.netns, "netns", "", "")
	for i, a := range args { // a negative number is no flag
		if !strings.HasPrefix(a, "-root=") && !strings.HasPrefix(a, "-netns=") {
			ts.Check(f.Parse(args[:i]))
			if p.root != "" {
				p.root = ts.MkAbs(p.root)
			}
			return p, args[i:]
		}
	}
	return p, nil
}

// do runs f in the place's network namespace.
func (p place) do(f func() error) error {
	if p.netns == "" {
		return f()
	}
	return nstest.OnThread(func() error {
		fd, err := unix.Open(p.netns, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
			return err
		}
		return f()
	})
}

func (p place) file(name string) string {
	return filepath.Join(p.root+"/", "/proc/sys/net/ipv4", name)
}

func cmdHolds(ts *testscript.TestScript, neg bool, args []string) {
	p, want := placeOf(ts, args)
	usage(ts, neg, len(want) == 3, "holds [WHERE] TIME INTVL PROBES")
	var got []string
	ts.Check(p.do(func() error {
		for _, name := range []string{"time", "intvl", "probes"} {
			text, err := os.ReadFile(p.file("tcp_keepalive_" + name))
			if err != nil {
				return err
			}
			got = append(got, strings.TrimSuffix(string(text), "\n"))
		}
		return nil
	}))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		ts.Fatalf("it holds %q, want %q", got, want)
	}
}

func cmdSysctl(ts *testscript.TestScript, neg bool, args []string) {
	p, pairs := placeOf(ts, args)
	usage(ts, neg, len(pairs) > 0, "sysctl [WHERE] KEY=VALUE...")
	ts.Check(p.do(func() error {
		for _, pair := range pairs {
			key, value, _ := strings.Cut(pair, "=")
			key, optional := strings.CutSuffix(key, "?")
			f, err := os.OpenFile(p.file(key), os.O_WRONLY, 0)
			if optional && errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			_, err = f.WriteString(value)
			if err := errors.Join(err, f.Close()); err != nil {
				return err
			}
		}
		return nil
	}))
}

func cmdNetns(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) > 0, "netns NAME...")
	for _, name := range args {
		file := filepath.Join("/run/netns", name)
		ts.Check(os.WriteFile(file, nil, 0o600))
		ts.Check(nstest.OnThread(func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return err
			}
			return unix.Mount("/proc/thread-self/ns/net", file, "", unix.MS_BIND, "")
		}))
	}
}

func cmdNeighbour(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1 || len(args) == 2, "neighbour VAR [COMM]")
	cmd := helper("neighbour-process", args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	stdin, err := cmd.StdinPipe()
	ts.Check(err)
	stdout, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	ts.Defer(func() { stdin.Close(); cmd.Wait() })
	_, err = io.ReadFull(stdout, make([]byte, 1)) // it has its name
	ts.Check(err)
	ts.Setenv(args[0], strconv.Itoa(cmd.Process.Pid))
}

// neighbourMain waits until its input ends, under the name given or its own.
func neighbourMain() {
	comm := "neighbour"
	if len(os.Args) > 1 {
		comm = os.Args[1]
		if unquoted, err := strconv.Unquote(comm); err == nil {
			comm = unquoted
		}
	}
	// The name of the first thread, which is that of the process.
	if err := os.WriteFile("/proc/self/comm", []byte(comm), 0); err != nil {
		panic(err)
	}
	fmt.Print(".")
	io.Copy(io.Discard, os.Stdin)
}

// helper is the test binary under another name.
func helper(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = name
	return cmd
}

// nobodyMain runs a program as someone with no privilege over the network
// namespace: as nobody, or in a user namespace that maps no user.
func nobodyMain() {
	attr := &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}
	if initialUserNamespace() {
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	runAs(attr)
}

// containerMain runs a program as root of a user namespace that does not own the
// network namespace: as in a rootless container with the host's network. The
// kernel denies nothing to the machine's root, whatever he is called.
func containerMain() {
	attr := mapped(unix.CLONE_NEWUSER, os.Geteuid(), os.Getegid())
	if initialUserNamespace() {
		attr = mapped(unix.CLONE_NEWUSER, 65534, 65534)
		attr.Credential = &syscall.Credential{NoSetGroups: true}
	}
	runAs(attr)
}

// tenantMain runs a program as root of a user namespace of its own that owns the
// network namespace it is in, and no other: as in a rootless container.
func tenantMain() {
	runAs(mapped(unix.CLONE_NEWUSER|unix.CLONE_NEWNET, os.Geteuid(), os.Getegid()))
}

// mapped makes namespaces in which this user is root.
func mapped(namespaces uintptr, uid, gid int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  namespaces,
		UidMappings: []syscall.SysProcIDMap{{HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: gid, Size: 1}},
	}
}

// runAs runs the program named by the arguments, one of the test binary.
func runAs(attr *syscall.SysProcAttr) {
	cmd := helper(os.Args[1], os.Args[2:]...)
	cmd.SysProcAttr = attr
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(99)
	}
}

// condition is [crowded]: network namespaces that are not the script's can be
// seen, and --netns all would be about them, too; [host]: it can be proven that
// the tests were started in the machine's own network namespace; [another]: the
// program nobody runs tcpka as another user, not only without privilege.
func condition(name string) (bool, error) {
	switch name {
	case "another":
		return initialUserNamespace(), nil
	case "crowded":
		return crowded()
	case "userdb":
		if nstest.HasUserDB() || os.Getenv(nstest.RequireEnv) != "1" {
			return nstest.HasUserDB(), nil
		}
		return false, fmt.Errorf("%s=1 and libnss_systemd.so.2 is not installed", nstest.RequireEnv)
	case "late":
		return nstest.Late() > 0, nil
	case "host":
		pids, err1 := os.Readlink("/proc/self/ns/pid")
		outside, err2 := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", os.Getppid()))
		first, _ := os.Readlink("/proc/1/ns/net")                             // Most may not look at it.
		const initialPID, initialNet = "pid:[4026531836]", "net:[4026531833]" // the latter from Linux 6.18 on
		return pids == initialPID && (outside == first || outside == initialNet), errors.Join(err1, err2)
	}
	return false, fmt.Errorf("no such condition")
}

// crowdedEnv is set in the room of a script where others' namespaces can be seen. It is
// looked at before the script makes some.
const crowdedEnv = "TCPKA_CROWDED"

func crowded() (bool, error) {
	others := os.Getenv(crowdedEnv) != ""
	if others && os.Getenv(nstest.RequireEnv) == "1" {
		return false, fmt.Errorf("%s=1 and network namespaces of others can be seen", nstest.RequireEnv)
	}
	return others, nil
}

// alone leaves behind what others have mounted, and says where it could not, or where
// their processes are seen.
func alone(t *testing.T) {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if mountedNetns(t) {
		if err := nstest.Seclude(); err != nil {
			t.Logf("network namespaces of others stay mounted: %v", err)
		}
	}
	others := mountedNetns(t)
	links, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	for _, link := range links {
		// Linux 6.12.100 gives "" where it should refuse.
		if other, err := os.Readlink(link); err == nil && other != "" && other != own {
			others = true
		}
	}
	if others {
		os.Setenv(crowdedEnv, "1") // of this process, which runs one test
	}
}

func mountedNetns(t *testing.T) bool {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Contains(mounts, []byte(" net:["))
}

func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "json PATH VALUE")
	if got := lookUp(ts, args[0]); got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

func cmdJSONEnv(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "jsonenv VAR PATH")
	var s string
	ts.Check(json.Unmarshal([]byte(lookUp(ts, args[1])), &s))
	ts.Setenv(args[0], s)
}

// lookUp returns the value at a path in the JSON document on stdout, as it is
// written there, without white space. An empty path is the whole document.
func lookUp(ts *testscript.TestScript, path string) string {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var value json.RawMessage
	ts.Check(d.Decode(&value))
	if d.More() {
		ts.Fatalf("more than one JSON document")
	}
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' }) {
		var list []json.RawMessage
		var object map[string]json.RawMessage
		switch {
		case json.Unmarshal(value, &list) == nil && list != nil:
			if step == "len" {
				return strconv.Itoa(len(list))
			}
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(list) {
				ts.Fatalf("%s: no %s in a list of %d", path, step, len(list))
			}
			value = list[i]
		case json.Unmarshal(value, &object) == nil && object != nil:
			var ok bool
			if value, ok = object[step]; !ok {
				ts.Fatalf("%s: there is no %s", path, step)
			}
		default:
			ts.Fatalf("%s: %s of %s", path, step, value)
		}
	}
	var b bytes.Buffer
	ts.Check(json.Compact(&b, value))
	return b.String()
}

func cmdPicture(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "picture FILE")
	elements := 0
	for d := xml.NewDecoder(strings.NewReader(ts.ReadFile(args[0]))); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		ts.Check(err)
		switch token := token.(type) {
		case xml.StartElement:
			if elements++; elements == 1 && token.Name != (xml.Name{Space: "http://www.w3.org/2000/svg", Local: "svg"}) {
				ts.Fatalf("the first element is %v", token.Name)
			}
			for _, a := range token.Attr {
				if strings.Contains(a.Value, "url(") || a.Name.Local == "href" || a.Name.Local == "src" || strings.HasPrefix(a.Name.Local, "on") {
					ts.Fatalf("<%s> has %s=%q", token.Name.Local, a.Name.Local, a.Value)
				}
			}
			switch token.Name.Local {
			case "script", "image", "use", "foreignObject", "link", "a":
				ts.Fatalf("it has a <%s>", token.Name.Local)
			}
		case xml.CharData:
			if s := string(token); strings.Contains(s, "url(") || strings.Contains(s, "@import") || strings.Contains(s, "://") {
				ts.Fatalf("it refers to something outside: %s", s)
			}
		case xml.Directive, xml.ProcInst:
			ts.Fatalf("it has %v", token)
		}
	}
	if elements < 2 {
		ts.Fatalf("it is empty")
	}
}

func cmdReplace(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 3, "replace FILE OLD NEW")
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q:\n%s", args[0], args[1], text)
	}
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_TRUNC, 0)
	ts.Check(err)
	_, err = f.WriteString(strings.ReplaceAll(text, args[1], args[2]))
	ts.Check(errors.Join(err, f.Close()))
}

func cmdReboot(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 0, "reboot")
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	ts.Check(err)
	cmdReplace(ts, false, []string{
		ts.Getenv("HOME") + "/.local/state/tcpka/journal.jsonl",
		strings.TrimSpace(string(boot)), "00000000-0000-4000-8000-000000000000",
	})
}

func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "mode FILE MODE")
	info, err := os.Lstat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%#o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

func cmdTmpfs(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "tmpfs DIR")
	mount(ts, "tmpfs", ts.MkAbs(args[0]), "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755")
}

func cmdBind(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 2, "bind FROM TO")
	mount(ts, ts.MkAbs(args[0]), ts.MkAbs(args[1]), "", unix.MS_BIND, "")
}

// cmdReadonly is what container runtimes do to /proc/sys.
func cmdReadonly(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg, len(args) == 1, "readonly DIR")
	dir := ts.MkAbs(args[0])
	mount(ts, dir, dir, "", unix.MS_BIND, "")
	ts.Check(unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
}

// mount mounts until the end of the script: its directory is removed then, and
// what is mounted in it is not to be.
func mount(ts *testscript.TestScript, from, to, kind string, flags uintptr, options string) {
	ts.Check(unix.Mount(from, to, kind, flags, options))
	ts.Defer(func() { unix.Unmount(to, unix.MNT_DETACH) })
}
