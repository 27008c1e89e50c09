package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// kernel is a load under way that lets the kernel relocate the programs, by a
// few bpf(2) calls. A library first reads and indexes all types of the kernel,
// over a hundred thousand, which takes longer than to list 2000 sockets.
//
// It needs Linux 5.17: BPF_PROG_LOAD with core_relos. Its descriptors are wanted
// by programs that are loaded, not by programs that run.
type kernel struct {
	object *object
	types  int
	find   int            // the program
	once   bool           // what it has found of that name
	maps   map[string]int // by section
}

// newKernel prepares a load. The maps of further sections are added to k.maps,
// which does not own them.
func newKernel(data []byte, sections map[string]string, constants []byte) (*kernel, error) {
	object, err := parseObject(data, sections)
	if err != nil {
		return nil, fmt.Errorf("parse the object: %w", err)
	}
	k := &kernel{object: object, types: -1, find: -1, maps: map[string]int{constantSection: -1}}
	err = k.loadTypes()
	if err == nil {
		err = k.createConstants(constants)
	}
	if err == nil {
		k.find, err = k.loadProgram(socketsProgFind, progTypeSyscall, 0, 0)
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

func (k *kernel) close() {
	for _, fd := range []int{k.types, k.find, k.maps[constantSection]} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// loadByKernel loads the programs of sockets.c.
func (it *Iterators) loadByKernel(data []byte, q query) error {
	k, err := newKernel(data, socketsSections, q.bytes())
	if err != nil {
		return err
	}
	defer k.close()
	rows, err := k.loadIterator(socketsProgRows, "bpf_iter_tcp")
	if err != nil {
		return err
	}
	owners, err := k.loadIterator(socketsProgOwners, "bpf_iter_task_file")
	if err != nil {
		rows.Close()
		return err
	}
	it.rows, it.owners, it.Once = rows, owners, k.once
	return nil
}

// include/uapi/linux/bpf.h
const (
	mapTypeArray    = 2
	mapReadOnlyProg = 1 << 7 // BPF_F_RDONLY_PROG

	progTypeTracing = 26
	progTypeSyscall = 31
	progSleepable   = 1 << 4 // BPF_F_SLEEPABLE
	attachTraceIter = 28     // BPF_TRACE_ITER
	pseudoMapValue  = 2      // BPF_PSEUDO_MAP_VALUE
	logSize         = 1 << 20
)

func (k *kernel) loadTypes() (err error) {
	var pins pins
	defer pins.Unpin()
	attr := struct {
		btf, log                uint64
		size, logSize, logLevel uint32
		_                       uint32
	}{btf: pins.address(k.object.types), size: uint32(len(k.object.types))}
	k.types, err = bpf(unix.BPF_BTF_LOAD, &attr)
	if err != nil {
		return fmt.Errorf("load the types: %w", err)
	}
	return nil
}

// createConstants makes the map of one element that the programs see as constant
// memory. Frozen, it is constant to the verifier too.
func (k *kernel) createConstants(value []byte) error {
	if len(value) != len(k.object.rodata) {
		return fmt.Errorf("the constants are %d bytes, not %d", len(k.object.rodata), len(value))
	}
	constants, err := createVariable(len(value), mapReadOnlyProg)
	if err != nil {
		return fmt.Errorf("create the map of constants: %w", err)
	}
	k.maps[constantSection] = constants
	var pins pins
	defer pins.Unpin()
	update := struct {
		fd, _             uint32
		key, value, flags uint64
	}{fd: uint32(constants), key: pins.address(make([]byte, 4)), value: pins.address(value)}
	_, err = bpf(unix.BPF_MAP_UPDATE_ELEM, &update)
	if err != nil {
		return fmt.Errorf("set the constants: %w", err)
	}
	freeze := struct{ fd, _ uint32 }{fd: uint32(constants)}
	if _, err := bpf(unix.BPF_MAP_FREEZE, &freeze); err != nil {
		return fmt.Errorf("freeze the constants: %w", err)
	}
	return nil
}

// createVariable makes a map that programs see as memory: an array of one
// element.
func createVariable(size int, flags uint32) (int, error) {
	attr := struct{ kind, keySize, valueSize, entries, flags, _ uint32 }{mapTypeArray, 4, uint32(size), 1, flags, 0}
	return bpf(unix.BPF_MAP_CREATE, &attr)
}

// loadIterator loads a program that the kernel's iterator function calls.
func (k *kernel) loadIterator(name, iterator string) (*ebpf.Program, error) {
	found, err := lookUp(k.find, iterator)
	if err != nil {
		return nil, fmt.Errorf("find the type of %s: %w", iterator, err)
	}
	k.once = found.once != 0
	fd, err := k.loadProgram(name, progTypeTracing, attachTraceIter, uint32(found.id))
	if err != nil {
		return nil, err
	}
	return ebpf.NewProgramFromFD(fd) // which closes it where it fails
}

// progLoad is the part of union bpf_attr that BPF_PROG_LOAD reads.
type progLoad struct {
	progType, instructions uint32
	code, license          uint64
	logLevel, logSize      uint32
	log                    uint64
	_, flags               uint32
	name                   [16]byte
	_, expectedAttachType  uint32
	types, funcSize        uint32
	funcs                  uint64
	funcCount, _           uint32
	_                      uint64
	_, attachID            uint32
	_, relocCount          uint32
	_, relocs              uint64
	relocSize, _           uint32
}

func (k *kernel) loadProgram(name string, progType, attachType, attachID uint32) (int, error) {
	p := k.object.programs[name]
	code := bytes.Clone(p.code)
	for _, load := range p.maps {
		fd, ok := k.maps[load.section]
		if !ok {
			return -1, fmt.Errorf("load program %s: no map for section %s", name, load.section)
		}
		// The first of the two halves of lldw gets the map and how it is
		// meant; the second keeps the offset, which the compiler put into
		// the first.
		first, second := code[load.at:], code[load.at+instruction:]
		copy(second[4:8], first[4:8])
		first[1] = first[1]&0x0f | pseudoMapValue<<4
		binary.LittleEndian.PutUint32(first[4:], uint32(fd))
	}
	var pins pins
	defer pins.Unpin()
	attr := progLoad{
		progType:           progType,
		instructions:       uint32(len(code) / instruction),
		code:               pins.address(code),
		license:            pins.address(k.object.license),
		expectedAttachType: attachType,
		types:              uint32(k.types),
		funcSize:           p.funcSize,
		funcs:              pins.address(p.funcs),
		funcCount:          1,
		attachID:           attachID,
	}
	if progType == progTypeSyscall {
		attr.flags = progSleepable // the only way the kernel takes it
	}
	copy(attr.name[:len(attr.name)-1], name)
	if len(p.relocs) > 0 {
		attr.relocs = pins.address(p.relocs)
		attr.relocSize = p.relocSize
		attr.relocCount = uint32(len(p.relocs)) / p.relocSize
	}
	fd, err := bpf(unix.BPF_PROG_LOAD, &attr)
	if err != nil && !errors.Is(err, unix.EPERM) {
		// Again, for the kernel's reasons.
		log := make([]byte, logSize)
		attr.log, attr.logSize, attr.logLevel = pins.address(log), logSize, 1
		if fd, err = bpf(unix.BPF_PROG_LOAD, &attr); err != nil {
			err = &rejected{err, strings.TrimRight(string(log), "\x00\n")}
		}
	}
	if err != nil {
		return -1, fmt.Errorf("load program %s: %w", name, err)
	}
	return fd, nil
}

// rejected is a program that the kernel does not take.
type rejected struct {
	err error
	log string // the verifier's
}

// Error gives the last line of the log that says something: after it comes one
// with counts. %+v gives all of it.
func (r *rejected) Error() string {
	lines := strings.Split(r.log, "\n")
	return fmt.Sprintf("%v: %s", r.err, lines[max(0, len(lines)-2)])
}

func (r *rejected) Unwrap() error { return r.err }

func (r *rejected) Format(f fmt.State, verb rune) {
	if f.Flag('+') {
		fmt.Fprintf(f, "%v:\n%s", r.err, r.log)
		return
	}
	fmt.Fprint(f, r.Error())
}

// lookup is what the program find is asked and answers: struct lookup in find.h.
type lookup struct {
	name [24]byte
	id   int64
	once uint64
}

// lookUp runs the program find for the number of a function's type.
func lookUp(find int, name string) (lookup, error) {
	var ctx lookup
	copy(ctx.name[:len(ctx.name)-1], name)
	var pins pins
	defer pins.Unpin()
	pins.Pin(&ctx)
	attr := struct {
		prog, result             uint32
		dataIn, dataOut          uint32
		dataInAt, dataOutAt      uint64
		repeat, duration         uint32
		ctxSizeIn, ctxSizeOut    uint32
		ctxIn, ctxOut            uint64
		flags, cpu, batchSize, _ uint32
	}{
		prog:      uint32(find),
		ctxSizeIn: uint32(unsafe.Sizeof(ctx)),
		ctxIn:     uint64(uintptr(unsafe.Pointer(&ctx))),
	}
	_, err := bpf(unix.BPF_PROG_TEST_RUN, &attr)
	switch {
	case err != nil:
		return ctx, err
	case ctx.id < 0:
		return ctx, unix.Errno(-ctx.id)
	}
	return ctx, nil
}

// bpf is bpf(2). The memory whose addresses are in attr has to be pinned.
func bpf[T any](command int, attr *T) (int, error) {
	fd, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(command), uintptr(unsafe.Pointer(attr)), unsafe.Sizeof(*attr))
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// pins keeps what union bpf_attr has the address of where it is: the collector
// does not see those addresses, and what is on a stack moves with it.
type pins struct{ runtime.Pinner }

// address is where b begins, until Unpin.
func (p *pins) address(b []byte) uint64 {
	first := unsafe.SliceData(b)
	p.Pin(first)
	return uint64(uintptr(unsafe.Pointer(first)))
}
