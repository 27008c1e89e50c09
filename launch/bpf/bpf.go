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
// setsockopt(2).
type Option struct{ Level, Name, Value int32 }

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
	spec, err := loadKeepalive()
	if err != nil {
		return nil, err
	}
	var table [maxOptions]Option
	copy(table[:], options)
	for name, value := range map[string]any{
		keepaliveVarOptions: table,
		keepaliveVarCount:   uint32(len(options)),
		keepaliveVarForce:   force,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, err
		}
	}
	p := new(Programs)
	if err := spec.LoadAndAssign(p, nil); err != nil {
		return nil, fmt.Errorf("load the BPF programs: %w", plain(err))
	}
	return p, nil
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

// Close releases the programs. Those attached go on until their [Links] are
// closed.
func (p *Programs) Close() error {
	return errors.Join(p.Established.Close(), p.Setsockopt.Close())
}

// Links hold the programs to a cgroup, as long as the process has them open.
type Links []link.Link

// Attach makes the programs work on every socket that is created in a cgroup
// from now on, and in those below it. It uses BPF links only (Linux 5.7), so
// that nothing is left when the process ends, however it does.
func (p *Programs) Attach(cgroup *os.File) (Links, error) {
	var links Links
	for _, a := range []struct {
		program *ebpf.Program
		to      ebpf.AttachType
	}{
		// Watch first: no socket shall have been set up unseen.
		{p.Setsockopt, ebpf.AttachCGroupSetsockopt},
		{p.Established, ebpf.AttachCGroupSockOps},
	} {
		l, err := link.AttachRawLink(link.RawLinkOptions{
			Target: int(cgroup.Fd()), Program: a.program, Attach: a.to,
		})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("attach a BPF program to %s: %w", cgroup.Name(), plain(err)), links.Close())
		}
		links = append(links, l)
	}
	return links, nil
}

// Close detaches the programs. What connections were given stays theirs.
func (ls Links) Close() error {
	var errs []error
	for _, l := range ls {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}
