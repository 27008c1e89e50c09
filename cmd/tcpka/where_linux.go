package main

import (
	"errors"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/tcpka/tcpka/calc"
	"github.com/tcpka/tcpka/internal/netns"
	"github.com/tcpka/tcpka/internal/rootfs"
	"github.com/tcpka/tcpka/keepalive"
	"github.com/tcpka/tcpka/procfs"
)

// where is what --root and --netns ask for.
type where struct {
	root       rootfs.FS
	namespaces []namespace // one for an image, too
	all        bool        // --netns all
}

// namespace is one to look at, held open where it was named, so that it stays
// the same one.
type namespace struct {
	netns.Namespace
	here bool          // where every thread of this program is
	held *netns.Handle // nil is not held
}

func (n namespace) Do(f func() error) error {
	switch {
	case n.here:
		return f()
	case n.held != nil:
		return n.held.Do(f)
	}
	return n.Namespace.Do(f)
}

// image stands for a namespace where there is none.
func image(root rootfs.FS) namespace {
	return namespace{Namespace: netns.Namespace{Name: "image " + root.Path("/")}, here: true}
}

// whereOf reads --root and --netns. Without them it is the live tree and the
// namespace tcpka runs in.
func whereOf(c *cli.Context) (where, error) {
	var w where
	dir, rooted := given(c, "root")
	spec, named := given(c, "netns")
	if rooted && named {
		return w, misuse("--root and --netns exclude each other: an image has no namespaces")
	}
	if rooted {
		if dir == "" {
			return w, misuse("--root needs a directory")
		}
		root, err := rootfs.Open(dir)
		if errors.Is(err, rootfs.ErrLiveProc) {
			return w, misuse("%w", err).withHint("leave out --root to work on this machine")
		}
		w.root, w.namespaces = root, []namespace{image(root)}
		return w, err
	}
	switch {
	case !named:
		ns, err := netns.Current()
		if err != nil {
			return w, err
		}
		w.namespaces = []namespace{{Namespace: ns, here: true}}
	case spec == "all":
		w.all = true
		all, err := netns.List()
		if err != nil {
			return w, err
		}
		for _, ns := range all {
			w.namespaces = append(w.namespaces, namespace{Namespace: ns})
		}
	case spec == "":
		return w, misuse("--netns needs a name, a PID, a path or all")
	default:
		h, err := netns.Find(spec) // open until the program ends
		if _, missing := errors.AsType[*netns.NotFoundError](err); missing {
			return w, failed(err).withHint("the namespaces are listed by: tcpka show --netns all")
		}
		if err != nil {
			return w, sessionOf(c).permission(err)
		}
		w.namespaces = []namespace{{Namespace: h.Namespace, held: h}}
	}
	return w, nil
}

// snapshot is what one namespace, or an image, has.
type snapshot struct {
	settings keepalive.Settings
	kernel   calc.Kernel
	assumed  []string
	counters procfs.Counters
}

// look reads a snapshot of the calling thread's namespace, or of an image.
func look(root rootfs.FS) (snapshot, error) {
	var s snapshot
	fs := procfs.New(root)
	var err error
	if s.settings, err = fs.Keepalive(); err != nil {
		if !root.Live() && errors.Is(err, os.ErrNotExist) {
			return s, failed(err).withHint("what runs is read from %s; without it, tcpka set --persist-only still changes the boot file", root.Path("/proc/sys/net/ipv4/tcp_keepalive_{time,intvl,probes}"))
		}
		return s, err
	}
	related, err := fs.Related()
	if err != nil {
		return s, err
	}
	s.kernel = calc.Kernel{
		Retries2:          related.Retries2,
		RTOMax:            related.RTOMax,
		SynRetries:        related.SynRetries,
		SynLinearTimeouts: related.SynLinearTimeouts,
		SynackRetries:     related.SynackRetries,
		OrphanRetries:     related.OrphanRetries,
	}
	s.assumed = related.Assumed
	s.kernel.HZ = hzOf(root)
	if !root.Live() {
		s.assumed = append(s.assumed, "HZ")
	}
	s.counters, err = fs.Counters()
	return s, err
}

// hzOf is how often the kernel ticks. Nobody can know the kernel that will run
// an image; most tick 250 times a second.
func hzOf(root rootfs.FS) int {
	if root.Live() {
		if hz, err := procfs.HZ(); err == nil {
			return hz
		}
	}
	return calc.DefaultKernel().HZ
}

// present is what explain starts from.
func present(s *session, c *cli.Context) (values, error) {
	w, err := whereOf(c)
	if err != nil {
		return values{}, err
	}
	if w.all {
		return values{}, misuse("explain looks at one namespace, not at all")
	}
	ns := w.namespaces[0]
	var snap snapshot
	err = ns.Do(func() (err error) {
		snap, err = look(w.root)
		return err
	})
	v := values{settings: snap.settings, kernel: snap.kernel, assumed: snap.assumed, source: ns.Name}
	if w.root.Live() {
		v.source = "namespace " + ns.Name
	}
	return v, s.permission(err)
}

// sudo hints at the command that would be allowed.
func (s *session) sudo() string { return "run: sudo tcpka " + shellJoin(s.args) }

// permission adds the exact command to an error for want of privilege.
func (s *session) permission(err error) error {
	if !errors.Is(err, os.ErrPermission) {
		return err
	}
	if os.Geteuid() != 0 {
		return failed(err).withHint("%s", s.sudo())
	}
	return failed(err).withHint("this root may not, as in a container or a user namespace: run it outside")
}
