package bpf

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Loader is a way to get the programs into the kernel. Both load the same object.
type Loader uint8

const (
	// Auto tries ByKernel, and where that fails for another reason than
	// permission, ByLibrary.
	Auto Loader = iota
	// ByKernel leaves the relocation to the kernel: about a millisecond, Linux
	// 5.17, 64-bit.
	ByKernel
	// ByLibrary relocates in this process, with github.com/cilium/ebpf: about
	// 25 milliseconds.
	ByLibrary
)

func (l Loader) String() string {
	return [...]string{"auto", "kernel", "library"}[l]
}

// MaxPorts is how many ports each list of a [Query] can hold.
const MaxPorts = 8

// Query says which sockets to leave out in the kernel already.
type Query struct {
	States uint32 // bit n: sockets in state n, as include/net/tcp_states.h numbers them

	// Of each list that is not empty, a socket must have a port. No port is 0.
	Ports, Local, Remote []uint16
}

// query is Query as sockets.c has it.
type query struct {
	states, pidns uint32
	ports         [3][MaxPorts]uint16
}

func (q Query) compile() (query, error) {
	c := query{states: q.States}
	if !initialPIDNamespace() {
		c.pidns = 1
	}
	for i, list := range [][]uint16{q.Ports, q.Local, q.Remote} {
		if len(list) > MaxPorts {
			return query{}, fmt.Errorf("%d ports: at most %d", len(list), MaxPorts)
		}
		for j := range c.ports[i] {
			if len(list) > 0 {
				c.ports[i][j] = list[min(j, len(list)-1)] // the last again, for no 0
			}
		}
	}
	return c, nil
}

// initialPIDNamespace reports whether this process numbers processes as the
// kernel does. Source: include/uapi/linux/nsfs.h, PID_NS_INIT_INO; before that
// include/linux/proc_ns.h, PROC_PID_INIT_INO.
func initialPIDNamespace() bool {
	var st unix.Stat_t
	return unix.Stat("/proc/self/ns/pid", &st) == nil && st.Ino == 0xeffffffc
}

func (q *query) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(q)), unsafe.Sizeof(*q))
}

// Iterators are the loaded programs. They can be opened more than once, and by
// several goroutines.
type Iterators struct {
	rows, owners *ebpf.Program

	// Loader is the way that worked: never Auto. Why is what was wrong with
	// ByKernel where Auto came to ByLibrary.
	Loader Loader
	Why    error

	// Once is whether a walk gives each socket that stays exactly once. The kernel
	// tells by its types, whatever its version.
	Once bool
}

// Load loads both programs. Without the privilege the error is EPERM. (EACCES,
// which is [os.ErrPermission] as well, is a program that the verifier rejects.)
func Load(q Query, by Loader) (*Iterators, error) {
	c, err := q.compile()
	if err != nil {
		return nil, err
	}
	return load(c, by, _SocketsBytes)
}

// load loads object, or by the library the object of this package.
func load(c query, by Loader, object []byte) (*Iterators, error) {
	var err error
	it := &Iterators{Loader: ByKernel}
	if by != ByLibrary {
		err = it.loadByKernel(object, c)
		if err == nil {
			return it, nil
		}
		if by == ByKernel || errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("bpf: %w", err)
		}
	}
	it.Loader, it.Why = ByLibrary, err
	if err := it.loadByLibrary(c); err != nil {
		return nil, fmt.Errorf("bpf: %w", err)
	}
	return it, nil
}

func (it *Iterators) loadByLibrary(q query) error {
	spec, err := loadSockets()
	if err != nil {
		return err
	}
	if err := spec.Variables[socketsVarQuery].Set(q.bytes()); err != nil {
		return err
	}
	c, err := ebpf.NewCollection(spec)
	if err != nil { // before Linux 5.14 find has a type that the kernel does not know
		delete(spec.Programs, socketsProgFind)
		if c, err = ebpf.NewCollection(spec); err != nil {
			return err
		}
	}
	defer c.Close()
	if find := c.Programs[socketsProgFind]; find != nil {
		found, err := lookUp(find.FD(), "bpf_iter_tcp")
		it.Once = err == nil && found.once != 0
	}
	it.rows, it.owners = c.DetachProgram(socketsProgRows), c.DetachProgram(socketsProgOwners)
	return nil
}

// Close unloads the programs. What is open stays open.
func (it *Iterators) Close() error {
	return errors.Join(it.rows.Close(), it.owners.Close())
}

// Rows begins a walk over the sockets in the network namespace of the calling
// thread. The walk can go on from any thread.
//
// Each socket that stays as it is through the walk comes once, if it.Once says so.
// Older kernels can give one in a hash bucket that changes meanwhile twice, or
// leave it out. Source: net/ipv4/tcp_ipv4.c, bpf_iter_tcp_resume.
func (it *Iterators) Rows() (*Reader[Row], error) { return open[Row](it.rows) }

// Owners begins a walk over the open files of all processes in the PID namespace
// of the calling thread, and gives those that are stream sockets of IPv4 and IPv6,
// of all network namespaces. Threads that share a file table come once.
func (it *Iterators) Owners() (*Reader[Owner], error) { return open[Owner](it.owners) }

// OwnersOf is Owners of one process, on kernels that know how; before Linux 6.1 it is
// all of Owners. Source: kernel/bpf/task_iter.c, bpf_iter_attach_task.
func (it *Iterators) OwnersOf(pid uint32) (*Reader[Owner], error) {
	info := struct{ thread, process, pidfd uint32 }{process: pid} // union bpf_iter_link_info
	var pins pins
	defer pins.Unpin()
	pins.Pin(&info)
	create := struct {
		program, target, kind, flags uint32
		info                         uint64
		infoSize, _                  uint32
	}{program: uint32(it.owners.FD()), kind: attachTraceIter, info: uint64(uintptr(unsafe.Pointer(&info))), infoSize: uint32(unsafe.Sizeof(info))}
	fd, err := bpf(unix.BPF_LINK_CREATE, &create)
	if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.EINVAL) {
		return it.Owners()
	}
	if err != nil {
		return nil, fmt.Errorf("bpf: attach the iterator: %w", err)
	}
	defer unix.Close(fd)
	file, err := bpf(unix.BPF_ITER_CREATE, &struct{ link, flags uint32 }{link: uint32(fd)})
	if err != nil {
		return nil, fmt.Errorf("bpf: open the iterator: %w", err)
	}
	return &Reader[Owner]{os.NewFile(uintptr(file), "bpf_iter")}, nil
}

// EachOwner calls do for all that Owners gives, or OwnersOf a process that is not 0.
func (it *Iterators) EachOwner(pid uint32, do func(*Owner)) error {
	open := it.Owners
	if pid != 0 {
		open = func() (*Reader[Owner], error) { return it.OwnersOf(pid) }
	}
	r, err := open()
	if err != nil {
		return err
	}
	defer r.Close()
	for buf := Buffer[Owner](); ; {
		batch, err := r.Read(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range batch {
			do(&batch[i])
		}
	}
}

// A Reader reads the records of a walk.
type Reader[T Row | Owner] struct {
	file io.ReadCloser
}

func open[T Row | Owner](p *ebpf.Program) (*Reader[T], error) {
	file, err := openIterator(p)
	if err != nil {
		return nil, err
	}
	return &Reader[T]{file}, nil
}

func openIterator(p *ebpf.Program) (io.ReadCloser, error) {
	l, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return nil, fmt.Errorf("bpf: attach the iterator: %w", err)
	}
	defer l.Close()
	file, err := l.Open()
	if err != nil {
		return nil, fmt.Errorf("bpf: open the iterator: %w", err)
	}
	return file, nil
}

// bufferSize is the kernel's, PAGE_SIZE << 3 where a page is 4096 bytes. A record
// that fills it to the last byte counts as too long, and the program then runs
// again for the same socket. Source: kernel/bpf/bpf_iter.c, bpf_seq_read;
// include/linux/seq_file.h, seq_has_overflowed.
const bufferSize = 32 << 10

// Buffer returns a buffer for [Reader.Read]: as many whole records as the kernel
// gives at a time, so that none is cut in two.
func Buffer[T Row | Owner]() []T {
	var record T
	return make([]T, (bufferSize-1)/unsafe.Sizeof(record))
}

// Read reads records into buf, which is from [Buffer], and returns them. At the
// end the error is [io.EOF].
func (r *Reader[T]) Read(buf []T) ([]T, error) {
	size := int(unsafe.Sizeof(buf[0]))
	b := unsafe.Slice((*byte)(unsafe.Pointer(&buf[0])), len(buf)*size)
	for {
		n, err := r.file.Read(b)
		switch {
		case n > 0 && n%size == 0:
			return buf[:n/size], nil
		case n > 0:
			return nil, fmt.Errorf("bpf: read the iterator: %d bytes are not whole records", n)
		case errors.Is(err, unix.EAGAIN):
			// It passed a million sockets, and none was wanted. Source:
			// kernel/bpf/bpf_iter.c, MAX_ITER_OBJECTS.
		case err == io.EOF:
			return nil, io.EOF
		case err != nil:
			return nil, fmt.Errorf("bpf: read the iterator: %w", err)
		}
	}
}

// Close ends the walk.
func (r *Reader[T]) Close() error { return r.file.Close() }
