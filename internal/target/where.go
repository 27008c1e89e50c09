// Package target is what a command is about: a network namespace or an image, and sockets by
// a filter. It opens them and names them.
package target

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/cmdline"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// Where is what --root and --netns ask for.
type Where struct {
	Root       rootfs.FS
	Namespaces []Namespace // one for an image, too
	All        bool        // --netns all
}

// Namespace is one to look at, held open where it was named, so that it stays
// the same one.
type Namespace struct {
	netns.Namespace
	Here bool          // where every thread of this program is
	held *netns.Handle // nil is not held
}

func (n Namespace) Do(f func() error) error {
	switch {
	case n.Here:
		return f()
	case n.held != nil:
		return n.held.Do(f)
	}
	return n.Namespace.Do(f)
}

// Gone reports whether a namespace that was listed has ended since: of all there are, it is
// none any more.
func (w Where) Gone(err error) bool {
	_, gone := errors.AsType[*netns.GoneError](err)
	return w.All && gone
}

// image stands for a namespace where there is none.
func image(root rootfs.FS) Namespace {
	return Namespace{Namespace: netns.Namespace{Name: "image " + root.Path("/")}, Here: true}
}

// WhereOf reads --root and --netns. Without them it is the live tree and the
// namespace tcpka runs in.
func WhereOf(c *cli.Context) (Where, error) {
	var w Where
	dir, rooted := cmdline.Given(c, "root")
	spec, named := cmdline.Given(c, "netns")
	if rooted && named {
		return w, cmdline.Misuse("--root and --netns exclude each other: an image has no namespaces")
	}
	if rooted {
		if dir == "" {
			return w, cmdline.Misuse("--root needs a directory")
		}
		root, err := rootfs.Open(dir)
		if errors.Is(err, rootfs.ErrLiveProc) {
			return w, cmdline.Misuse("%w", err).WithHint("leave out --root to work on this machine")
		}
		w.Root, w.Namespaces = root, []Namespace{image(root)}
		return w, err
	}
	switch {
	case !named:
		ns, err := netns.Current()
		if err != nil {
			return w, err
		}
		w.Namespaces = []Namespace{{Namespace: ns, Here: true}}
	case spec == "all":
		w.All = true
		var err error
		if w.Namespaces, err = everyNamespace(pidsGiven(c)); err != nil {
			return w, err
		}
	case spec == "":
		return w, cmdline.Misuse("--netns needs a name, a PID, a path or all")
	default:
		h, err := netns.Find(spec) // open until the program ends
		if _, missing := errors.AsType[*netns.NotFoundError](err); missing {
			return w, cmdline.Failed(err).WithHint("the namespaces are listed by: tcpka show --netns all")
		}
		if err != nil {
			return w, cmdline.InvocationOf(c).Permission(err)
		}
		w.Namespaces = []Namespace{{Namespace: h.Namespace, held: h}}
	}
	return w, nil
}

// pidsGiven are the processes of --pid, where the command has it. What is no PID is
// refused elsewhere.
func pidsGiven(c *cli.Context) (pids []int) {
	for _, text := range GivenAll(c, "pid") {
		for word := range strings.SplitSeq(text, ",") {
			if pid, err := strconv.Atoi(word); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// Snapshot is what one namespace, or an image, has.
type Snapshot struct {
	Settings keepalive.Settings
	Kernel   calc.Kernel
	Assumed  []string
	Counters procfs.Counters
}

// Look reads a snapshot of the calling thread's namespace, or of an image.
func Look(root rootfs.FS) (Snapshot, error) {
	var s Snapshot
	fs := procfs.New(root)
	var err error
	if s.Settings, err = fs.Keepalive(); err != nil {
		if !root.Live() && errors.Is(err, os.ErrNotExist) {
			return s, cmdline.Failed(err).WithHint("what runs is read from %s; without it, tcpka set --persist-only still changes the boot file", root.Path("/proc/sys/net/ipv4/tcp_keepalive_{time,intvl,probes}"))
		}
		return s, err
	}
	related, err := fs.Related()
	if err != nil {
		return s, err
	}
	s.Kernel = calc.Kernel{
		Retries2:          related.Retries2,
		RTOMax:            related.RTOMax,
		SynRetries:        related.SynRetries,
		SynLinearTimeouts: related.SynLinearTimeouts,
		SynackRetries:     related.SynackRetries,
		OrphanRetries:     related.OrphanRetries,
	}
	s.Assumed = related.Assumed
	s.Kernel.HZ = HZ(root)
	if !root.Live() {
		s.Assumed = append(s.Assumed, "HZ")
	}
	s.Counters, err = fs.Counters()
	return s, err
}

// HZ is how often the kernel ticks. Nobody can know the kernel that will run
// an image; most tick 250 times a second.
func HZ(root rootfs.FS) int {
	if root.Live() {
		if hz, err := procfs.HZ(); err == nil {
			return hz
		}
	}
	return calc.DefaultKernel().HZ
}
