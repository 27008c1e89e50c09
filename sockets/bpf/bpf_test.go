package bpf

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

const allStates = 1<<12 - 1

func TestRootLoaders(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		for i := range 300 { // more than a buffer of rows
			if _, _, err := nstest.Pair(unix.AF_INET, nil); err != nil {
				t.Fatal(i, err)
			}
		}
		for _, by := range []Loader{ByKernel, ByLibrary} {
			it, err := Load(Query{States: allStates}, by)
			if err != nil {
				t.Fatalf("%v: %+v", by, err)
			}
			if it.Loader != by || it.Why != nil {
				t.Errorf("%v: loaded by %v, %v", by, it.Loader, it.Why)
			}
			if want := kernelRemembersCookies(t); it.Once != want {
				t.Errorf("%v: once: %v, want %v", by, it.Once, want)
			}
			for range 2 { // as often as one likes
				rows := count(t, it.Rows)
				owners := count(t, it.Owners)
				if rows != 600 || owners < 600 {
					t.Errorf("%v: %d rows and %d owners, want 600", by, rows, owners)
				}
			}
			if err := it.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// kernelRemembersCookies reads the types as a library does.
func kernelRemembersCookies(t *testing.T) bool {
	t.Helper()
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var item *btf.Union
	if err := kernel.TypeByName("bpf_tcp_iter_batch_item", &item); errors.Is(err, btf.ErrNotFound) {
		return false
	} else if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(item.Members, func(m btf.Member) bool { return m.Name == "cookie" })
}

func count[T Row | Owner](t *testing.T, open func() (*Reader[T], error)) (n int) {
	t.Helper()
	r, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := Buffer[T]()
	for {
		records, err := r.Read(buf)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		n += len(records)
	}
}

func TestRootFallback(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		broken := bytes.Clone(_SocketsBytes)
		o, err := parseObject(broken, socketsSections)
		if err != nil {
			t.Fatal(err)
		}
		// The last instruction of rows becomes one that does not exist.
		code := o.programs[socketsProgRows].code
		at := bytes.Index(broken, code) + len(code) - instruction
		broken[at] = 0xff

		it, err := load(query{states: allStates}, Auto, broken)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		defer it.Close()
		if it.Loader != ByLibrary || it.Why == nil || !strings.Contains(it.Why.Error(), "load program rows") {
			t.Errorf("loaded by %v, because: %v", it.Loader, it.Why)
		}
		if it, err := load(query{}, ByKernel, broken); err == nil {
			it.Close()
			t.Error("by force the broken object was loaded")
		} else if r := new(rejected); !errors.As(err, &r) || !strings.Contains(fmt.Sprintf("%+v", r), "\n") {
			t.Errorf("no log: %+v", err)
		}
	})
}

// Kernels for processors that read aligned words only refuse a program that may
// read others. Source: kernel/bpf/verifier.c, bpf_check.
func TestRootProgramsReadAligned(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		table, err := newTable([]uint64{1, 2, 3})
		if err != nil {
			t.Fatal(err)
		}
		defer table.close()
		listing, err := loadSockets()
		if err != nil {
			t.Fatal(err)
		}
		changing, err := loadRetune()
		if err != nil {
			t.Fatal(err)
		}
		c := config{allStates, 250, table.shift(), 3}
		if err := changing.Variables[retuneVarConfig].Set(c.bytes()); err != nil {
			t.Fatal(err)
		}
		m := changing.Maps[tableSection]
		m.ValueSize, m.Flags, m.Contents = table.kernel.ValueSize(), table.kernel.Flags(), nil
		for _, s := range []*ebpf.CollectionSpec{listing, changing} {
			for name, p := range s.Programs {
				one := s.Copy()
				one.Programs = map[string]*ebpf.ProgramSpec{name: p.Copy()}
				load := func() error {
					var o ebpf.CollectionOptions
					if s == changing {
						o.MapReplacements = map[string]*ebpf.Map{tableSection: table.kernel}
					}
					c, err := ebpf.NewCollectionWithOptions(one, o)
					if err == nil {
						c.Close()
					}
					return err
				}
				if err := load(); err != nil && name == socketsProgFind {
					t.Logf("%s: not for this kernel: %v", name, err) // before Linux 5.14
					continue
				}
				one.Programs[name].Flags |= unix.BPF_F_STRICT_ALIGNMENT
				if err := load(); err != nil {
					t.Errorf("%s: %+v", name, err)
				}
			}
		}
	})
}

func TestQueryCompiles(t *testing.T) {
	q, err := Query{States: 2, Ports: []uint16{22, 80}, Remote: []uint16{1, 2, 3, 4, 5, 6, 7, 8}}.compile()
	want := [3][MaxPorts]uint16{{22, 80, 80, 80, 80, 80, 80, 80}, {}, {1, 2, 3, 4, 5, 6, 7, 8}}
	if err != nil || q.states != 2 || q.ports != want {
		t.Errorf("%+v, %v", q, err)
	}
	if _, err := (Query{Local: make([]uint16, MaxPorts+1)}).compile(); err == nil {
		t.Error("9 ports fit into 8")
	}
}

// A buffer that the kernel could fill to the last byte would make it run the
// program twice for one socket.
func TestBufferHoldsWholeRecords(t *testing.T) {
	if n := len(Buffer[Row]()) * 112; n >= 32<<10 || n < 32<<10-112 {
		t.Errorf("%d bytes of rows", n)
	}
	if n := len(Buffer[Owner]()) * 32; n >= 32<<10 || n < 32<<10-32 {
		t.Errorf("%d bytes of owners", n)
	}
}

// The compiler checks the same numbers in sockets.c.
func TestRecordsAreThoseOfTheObject(t *testing.T) {
	var r Row
	var o Owner
	got := []uintptr{
		unsafe.Sizeof(r), unsafe.Offsetof(r.Local), unsafe.Offsetof(r.LocalPort), unsafe.Offsetof(r.Time), unsafe.Offsetof(r.Expires),
		unsafe.Sizeof(o), unsafe.Offsetof(o.FD), unsafe.Offsetof(o.Comm),
	}
	if want := []uintptr{112, 24, 56, 64, 88, 32, 8, 16}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// What the short way of loading needs of the objects.
func TestObjectsKeepTheRules(t *testing.T) {
	for name, o := range objects(t) {
		if len(o.rodata) != o.constants {
			t.Errorf("%s: %d bytes of constants, want %d", name, len(o.rodata), o.constants)
		}
		var maps []string
		for name := range o.spec.Maps {
			maps = append(maps, name)
		}
		if slices.Sort(maps); !slices.Equal(maps, o.maps) {
			t.Errorf("%s: maps %v, want %v", name, maps, o.maps)
		}
		for program, p := range o.spec.Programs {
			if o.sections[program] != p.SectionName {
				t.Errorf("%s: program %s is in section %s", name, program, p.SectionName)
			}
		}
		if len(o.spec.Programs) != len(o.sections) {
			t.Errorf("%s: %d programs, want %d", name, len(o.spec.Programs), len(o.sections))
		}
	}
}

// tested is an object with what it should have.
type tested struct {
	*object
	spec      *ebpf.CollectionSpec
	types     *btf.Spec
	constants int
	maps      []string
}

func objects(t *testing.T) map[string]tested {
	t.Helper()
	all := map[string]tested{}
	add := func(name string, data []byte, sections map[string]string, load func() (*ebpf.CollectionSpec, error), constants uintptr, maps ...string) {
		o, err := parseObject(data, sections)
		if err != nil {
			t.Fatal(err)
		}
		spec, err := load()
		if err != nil {
			t.Fatal(err)
		}
		types, err := btf.LoadSpecFromReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = tested{o, spec, types, int(constants), maps}
	}
	add("sockets", _SocketsBytes, socketsSections, loadSockets, unsafe.Sizeof(query{}), ".rodata")
	add("retune", _RetuneBytes, retuneSections, loadRetune, unsafe.Sizeof(config{}), ".bss", ".rodata")
	return all
}

// The kernel remembers where it found the types that a program names, in 31
// slots. Two names in one slot evict each other at every load, which costs half a
// millisecond each time: that is why sockets.c reaches some members by way of an
// outer struct. Source: kernel/bpf/btf.c, hash_cands, VMLINUX_CAND_CACHE_SIZE.
func TestTypeNamesHaveSlotsOfTheirOwn(t *testing.T) {
	for object, o := range objects(t) {
		slots := map[uint32]string{}
		for _, p := range o.programs {
			for r := p.relocs; len(r) > 0; r = r[p.relocSize:] {
				id := btf.TypeID(binary.LittleEndian.Uint32(r[4:])) // struct bpf_core_relo
				typ, err := o.types.TypeByID(id)
				if err != nil {
					t.Fatal(err)
				}
				name := typ.TypeName()
				slot := jhash(name) % 31
				if other, taken := slots[slot]; taken && other != name {
					t.Errorf("%s: %s and %s share slot %d", object, name, other, slot)
				}
				slots[slot] = name
			}
		}
		if len(slots) < 3 {
			t.Errorf("%s: only %d types", object, len(slots))
		}
	}
	if a, b := jhash("inode")%31, jhash("net")%31; a != b {
		t.Errorf("inode is in slot %d and net in %d: they were seen to share one", a, b)
	}
}

// jhash is include/linux/jhash.h, jhash, from 0.
func jhash(name string) uint32 {
	le := binary.LittleEndian.Uint32
	k := []byte(name)
	a := 0xdeadbeef + uint32(len(k))
	b, c := a, a
	rot := bits.RotateLeft32
	for ; len(k) > 12; k = k[12:] {
		a, b, c = a+le(k), b+le(k[4:]), c+le(k[8:])
		for _, n := range []int{4, 6, 8, 16, 19, 4} { // __jhash_mix
			a, b, c = b, c+b, (a-c)^rot(c, n)
		}
	}
	k = append(k, make([]byte, 12-len(k))...)
	a, b, c = a+le(k), b+le(k[4:]), c+le(k[8:])
	for _, n := range []int{14, 11, 25, 16, 4, 14, 24} { // __jhash_final
		a, b, c = b, (c^b)-rot(b, n), a
	}
	return b
}

// kernel.h has the number of this flag, because to relocate it would cost a slot.
func TestKernelNumbers(t *testing.T) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		nstest.Missing(t, fmt.Sprintf("no type information: %v", err))
	}
	var flags *btf.Enum
	if err := kernel.TypeByName("sock_flags", &flags); err != nil {
		t.Fatal(err)
	}
	for _, v := range flags.Values {
		if v.Name == "SOCK_KEEPOPEN" && v.Value != 3 {
			t.Errorf("SOCK_KEEPOPEN is %d", v.Value)
		}
	}
}

func TestPIDNamespaceIsTold(t *testing.T) {
	if link, err := os.Readlink("/proc/self/ns/pid"); err == nil && initialPIDNamespace() != (link == "pid:[4026531836]") {
		t.Errorf("initial: %v, of %s", initialPIDNamespace(), link)
	}
}

func FuzzExtRecords(f *testing.F) {
	file, err := elf.NewFile(bytes.NewReader(_SocketsBytes))
	if err != nil {
		f.Fatal(err)
	}
	ext, err := file.Section(".BTF.ext").Data()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ext, 8)
	f.Add(ext[:200], 24)
	f.Fuzz(func(t *testing.T, ext []byte, at int) {
		if at < 0 || at > 1<<10 {
			return
		}
		r, err := extRecords(ext, at)
		if err != nil {
			return
		}
		for _, s := range r.sections {
			if r.size == 0 && len(s.data) != 0 || r.size != 0 && len(s.data)%int(r.size) != 0 {
				t.Errorf("%d bytes of records of %d", len(s.data), r.size)
			}
		}
	})
}
