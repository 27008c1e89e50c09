package bpf

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// Target is a socket that is to be changed, what to set on it, and after
// [Retuner.Walk] what came of it. The names and the order are those of struct
// target in retune.c.
type Target struct {
	Cookie uint64 // given to LoadRetuner; not to be changed

	UserTimeout uint32 // milliseconds; set only if Want has WantUserTimeout
	Time, Intvl uint16 // seconds; 0: leave it
	Probes      uint8  // 0: leave it
	Want        Want

	Result Result
	Option uint8 // of Refused: TCP_KEEPINTVL, TCP_KEEPCNT, TCP_USER_TIMEOUT, TCP_KEEPIDLE or SO_KEEPALIVE
	Errno  int16 // of Refused: below zero
	State  uint8 // in which it was found
	_      [9]byte

	// What the socket had when it was found, and what it had then; of one that
	// is no more than a minisock nothing is known.
	Before, After Values
}

// Values are the keepalive of a socket: struct values in retune.c.
type Values struct {
	Time, Intvl uint32 // jiffies; 0: the sysctl's
	UserTimeout uint32 // milliseconds
	Probes      uint8  // 0: the sysctl's
	Keepalive   uint8  // 0: not known, 1: off, 2: on
	_           [2]byte
}

// Want is what to do beside setting values.
type Want uint8

const (
	WantOn    Want = 1 << iota // SO_KEEPALIVE
	WantOff                    // no SO_KEEPALIVE
	WantRearm                  // SO_KEEPALIVE off and on, where it is on
	WantUserTimeout
)

// Result is what came of a target. It is zero for a socket that the walk did not
// come by.
type Result uint8

const (
	Done       Result = iota + 1
	Refused           // an option; those before it are set
	Ineligible        // its state is none of those, or there is no timer to rearm
	NoFile            // closed by its program, or not accepted yet
	NotItself         // its file is another socket: it is a subflow of MPTCP
)

// Retuner changes sockets. It is for one goroutine at a time.
type Retuner struct {
	program *ebpf.Program
	table   targetTable

	// Loader is the way that worked: never Auto. Why is what was wrong with
	// ByKernel where Auto came to ByLibrary.
	Loader Loader
	Why    error
}

// LoadRetuner loads the program that changes the sockets that have the cookies,
// each of which comes once and none of which is 0, where they are in one of the
// states: bit n is state n of include/net/tcp_states.h. hz is how many jiffies
// the kernel has in a second. Errors are those of [Load].
func LoadRetuner(states uint32, hz int, cookies []uint64, by Loader) (*Retuner, error) {
	return loadRetuner(states, hz, cookies, by, _RetuneBytes)
}

// loadRetuner loads object, or by the library the object of this package.
func loadRetuner(states uint32, hz int, cookies []uint64, by Loader, object []byte) (_ *Retuner, err error) {
	r := new(Retuner)
	if r.table, err = newTable(cookies); err != nil {
		return nil, fmt.Errorf("bpf: %w", err)
	}
	defer func() {
		if err != nil {
			r.table.close()
		}
	}()
	c := config{states, uint32(hz), r.table.shift(), uint32(len(cookies))}
	if by != ByLibrary {
		r.Loader = ByKernel
		r.program, err = loadRetuneByKernel(object, c, r.table.kernel)
		if err == nil {
			return r, nil
		}
		if by == ByKernel || errors.Is(err, unix.EPERM) {
			return nil, fmt.Errorf("bpf: %w", err)
		}
	}
	r.Loader, r.Why = ByLibrary, err
	if r.program, err = loadRetuneByLibrary(c, r.table.kernel); err != nil {
		return nil, fmt.Errorf("bpf: %w", err)
	}
	return r, nil
}

func loadRetuneByKernel(object []byte, c config, table *ebpf.Map) (*ebpf.Program, error) {
	k, err := newKernel(object, retuneSections, c.bytes())
	if err != nil {
		return nil, err
	}
	defer k.close()
	k.maps[tableSection] = table.FD()
	return k.loadIterator(retuneProgRetune, "bpf_iter_tcp")
}

func loadRetuneByLibrary(c config, table *ebpf.Map) (*ebpf.Program, error) {
	spec, err := loadRetune()
	if err != nil {
		return nil, err
	}
	if err := spec.Variables[retuneVarConfig].Set(c.bytes()); err != nil {
		return nil, err
	}
	m := spec.Maps[tableSection]
	m.ValueSize, m.Flags, m.Contents = table.ValueSize(), table.Flags(), nil
	delete(spec.Programs, retuneProgFind)
	collection, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		MapReplacements: map[string]*ebpf.Map{tableSection: table},
	})
	if err != nil {
		return nil, err
	}
	defer collection.Close()
	return collection.DetachProgram(retuneProgRetune), nil
}

// config is what retune.c calls so.
type config struct{ states, hz, shift, targets uint32 }

func (c *config) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(c)), unsafe.Sizeof(*c))
}

// Targets are those of the cookies, in their order, until the Retuner is closed.
// What is wanted of them is to be written there before the walk.
func (r *Retuner) Targets() []Target { return r.table.targets }

// Walk changes the sockets in the network namespace of the calling thread: those
// whose Result is zero. Where that ends with an error some may be changed, and
// their Result says so.
//
// Before Linux 6.17 a socket could be left out when its hash bucket changed
// meanwhile. To walk again changes those that are left.
func (r *Retuner) Walk() error {
	file, err := openIterator(r.program)
	if err != nil {
		return err
	}
	defer file.Close()
	b := make([]byte, 64) // the program gives nothing to read
	for {
		switch n, err := file.Read(b); {
		case err == io.EOF:
			return nil
		case errors.Is(err, unix.EAGAIN): // after a million sockets, see Reader.Read
		case err != nil:
			return fmt.Errorf("bpf: read the iterator: %w", err)
		case n > 0:
			return fmt.Errorf("bpf: read the iterator: %d bytes from a program that writes none", n)
		}
	}
}

// Close unloads the program. The targets are no more.
func (r *Retuner) Close() error { return errors.Join(r.program.Close(), r.table.close()) }

// targetTable is what retune.c calls table: an index, and the targets.
type targetTable struct {
	kernel  *ebpf.Map
	memory  []byte
	index   []entry
	targets []Target
}

// entry is struct entry of retune.c.
type entry struct{ tag, target uint32 }

const (
	// How far from its place an entry can be: MAX_DISTANCE. In an index of which
	// a half is empty it is hardly ever more than a quarter of that.
	maxDistance = 64

	// MaxTargets is how many a [Retuner] can have. The verifier knows no larger
	// offset into a map than 512 MiB. Source: include/linux/bpf_verifier.h,
	// BPF_MAX_VAR_OFF.
	MaxTargets = 1 << 22
)

// newTable makes a table whose index is at least half empty, and more so if that
// does not suffice.
func newTable(cookies []uint64) (targetTable, error) {
	if len(cookies) == 0 || len(cookies) > MaxTargets {
		return targetTable{}, fmt.Errorf("%d targets: at least 1 and at most %d", len(cookies), MaxTargets)
	}
	least := max(8, 2<<bits.Len(uint(len(cookies)-1))) // 8: so that the targets begin with a cache line
	for entries := least; entries <= 4*least; entries *= 2 {
		t, err := mapTable(entries, len(cookies))
		if err != nil {
			return targetTable{}, err
		}
		if t.fill(cookies) {
			return t, nil
		}
		t.close()
	}
	return targetTable{}, errors.New("the cookies fall into the same place of every index")
}

// mapTable makes a table that the kernel and this process see.
func mapTable(entries, targets int) (t targetTable, err error) {
	indexSize := entries * int(unsafe.Sizeof(entry{}))
	size := indexSize + targets*int(unsafe.Sizeof(Target{}))
	fd, err := createVariable(size, unix.BPF_F_MMAPABLE)
	if err == nil {
		t.kernel, err = ebpf.NewMapFromFD(fd) // which closes it where it fails
	}
	if err != nil {
		return targetTable{}, fmt.Errorf("create the map of targets: %w", err)
	}
	t.memory, err = unix.Mmap(t.kernel.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.kernel.Close()
		return targetTable{}, fmt.Errorf("share the map of targets: %w", err)
	}
	t.index = unsafe.Slice((*entry)(unsafe.Pointer(&t.memory[0])), entries)
	t.targets = unsafe.Slice((*Target)(unsafe.Pointer(&t.memory[indexSize])), targets)
	return t, nil
}

// shift leaves of a hash what is a place in the index.
func (t *targetTable) shift() uint32 { return uint32(64 - bits.Len(uint(len(t.index)-1))) }

// fill reports whether no entry is too far from its place.
func (t *targetTable) fill(cookies []uint64) bool {
	mask, shift := uint64(len(t.index)-1), t.shift()
	for i, c := range cookies {
		t.targets[i].Cookie = c
		place, distance := c*0x9e3779b97f4a7c15>>shift, 0
		for t.index[place].target != 0 {
			if distance++; distance == maxDistance {
				return false
			}
			place = (place + 1) & mask
		}
		t.index[place] = entry{uint32(c), uint32(i + 1)}
	}
	return true
}

func (t *targetTable) close() error {
	t.index, t.targets = nil, nil
	return errors.Join(unix.Munmap(t.memory), t.kernel.Close())
}
