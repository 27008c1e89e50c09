package bpf

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// maxOptions is MAX_OPTIONS in keepalive.c.
const maxOptions = 5

// Option is a socket option to give to every connection, as the arguments of
// setsockopt(2), and the range of values that the kernel takes for it: outside it,
// what a program tries to set counts for nothing.
type Option struct{ Level, Name, Value, Min, Max int32 }

// entry is struct option in keepalive.c.
type entry struct {
	Option
	Multipath uint32
}

// Programs are loaded and do nothing yet.
type Programs struct {
	Established *ebpf.Program `ebpf:"established"`
	Setsockopt  *ebpf.Program `ebpf:"setsockopt"`
}

// Load loads the programs. They set the options in the order given, at most
// five. An option that the owner of a socket sets itself is left to it, or, with
// force, the owner's setsockopt is answered with success and not done.
//
// It needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN.
func Load(options []Option, force bool) (*Programs, error) {
	if len(options) > maxOptions {
		return nil, fmt.Errorf("%d options, at most %d", len(options), maxOptions)
	}
	p, err := load(options, force, true)
	if _, refused := errors.AsType[*ebpf.VerifierError](err); refused {
		// The helper that finds an MPTCP socket wants Linux 5.19, with type
		// information and MPTCP, and CAP_PERFMON.
		p, err = load(options, force, false)
	}
	if err != nil {
		return nil, fmt.Errorf("load the BPF programs: %w", plain(err))
	}
	return p, nil
}

func load(options []Option, force, seeMultipath bool) (*Programs, error) {
	spec, err := loadKeepalive()
	if err != nil {
		return nil, err
	}
	var table [maxOptions]entry
	for i, o := range options {
		table[i].Option = o
		if multipathTakes(o) {
			table[i].Multipath = 1
		}
	}
	for name, value := range map[string]any{
		keepaliveVarOptions: table,
		keepaliveVarCount:   uint32(len(options)),
		keepaliveVarForce:   force,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, err
		}
	}
	if !seeMultipath {
		spec.Programs[keepaliveProgEstablished] = spec.Programs[keepaliveProgEstablishedTcp]
	}
	p := new(Programs)
	if err := spec.LoadAndAssign(p, nil); err != nil {
		return nil, err
	}
	return p, nil
}

// multipathTakes reports whether this kernel has the option on a socket of MPTCP:
// not the user timeout, and of the others SO_KEEPALIVE alone before Linux 6.10 and
// its backports.
// Source: net/mptcp/sockopt.c, mptcp_setsockopt.
func multipathTakes(o Option) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.SetsockoptInt(fd, int(o.Level), int(o.Name), int(o.Value)) == nil
}

// plain puts the library's errors into the words that callers test for.
func plain(err error) error {
	switch _, refused := errors.AsType[*ebpf.VerifierError](err); {
	case refused: // says EACCES, which is no want of privilege
		return fmt.Errorf("the kernel refuses them: %v", err)
	case errors.Is(err, unix.EPERM): // the library guesses at other causes
		return unix.EPERM
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w (%w)", err, errors.ErrUnsupported)
	}
	return err
}

// Close releases the programs. Those attached go on.
func (p *Programs) Close() error {
	return errors.Join(p.Established.Close(), p.Setsockopt.Close())
}

// Attach makes the programs work on every socket that is created in a cgroup
// from now on, and in those below it, as long as the cgroup exists: whoever runs in it
// keeps them, and the kernel releases them with it. A link (BPF_LINK_CREATE) would end with
// this process.
// Source: kernel/bpf/cgroup.c, cgroup_bpf_release.
func (p *Programs) Attach(cgroup *os.File) error {
	const allowMulti = 1 << 1 // BPF_F_ALLOW_MULTI, uapi/linux/bpf.h: beside others, and one below another
	for _, a := range []struct {
		program *ebpf.Program
		to      ebpf.AttachType
	}{
		// Watch first: no socket shall have been set up unseen.
		{p.Setsockopt, ebpf.AttachCGroupSetsockopt},
		{p.Established, ebpf.AttachCGroupSockOps},
	} {
		err := link.RawAttachProgram(link.RawAttachProgramOptions{
			Target: int(cgroup.Fd()), Program: a.program, Attach: a.to, Flags: allowMulti,
		})
		if err != nil {
			return fmt.Errorf("attach a BPF program to %s: %w", cgroup.Name(), plain(err))
		}
	}
	return nil
}
