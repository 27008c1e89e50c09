package bpf

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

const established = 1 << 1

// cookies are those of n connections, both ends, that this process makes.
func cookies(t *testing.T, n int) (fds []int, cookies []uint64) {
	t.Helper()
	for i := range n {
		client, server, err := nstest.Pair(unix.AF_INET, nil)
		if err != nil {
			t.Fatal(i, err)
		}
		for _, fd := range []int{client, server} {
			c, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
			if err != nil {
				t.Fatal(err)
			}
			fds, cookies = append(fds, fd), append(cookies, c)
		}
	}
	return fds, cookies
}

func TestRootRetuner(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		fds, all := cookies(t, 300)
		const hz = 100 // whatever it is: equal values are left alone by it
		for round, by := range []Loader{ByKernel, ByLibrary} {
			var named []uint64
			for i := round; i < len(all); i += 2 {
				named = append(named, all[i])
			}
			// Nobody's, but with the place and the lower half of one that is not
			// named.
			const shift, nobodies = 54, 20
			for i := range nobodies {
				c := all[2*i+1-round]
				nobody := c + 1<<32
				for nobody*0x9e3779b97f4a7c15>>shift != c*0x9e3779b97f4a7c15>>shift {
					nobody += 1 << 32
				}
				named = append(named, nobody)
			}
			r, err := LoadRetuner(established, hz, named, by)
			if err != nil {
				t.Fatalf("%v: %+v", by, err)
			}
			if r.Loader != by || r.Why != nil {
				t.Errorf("%v: loaded by %v, %v", by, r.Loader, r.Why)
			}
			if r.table.shift() != shift {
				t.Fatalf("the index is of another size: %d", len(r.table.index))
			}
			for i := range r.Targets() {
				r.Targets()[i].Probes = uint8(1 + round + i%100)
			}
			for range 2 { // the second time there is nothing left to do
				if err := r.Walk(); err != nil {
					t.Fatal(err)
				}
			}
			targets := r.Targets()
			for i, b := range targets[:len(targets)-nobodies] {
				got, err := unix.GetsockoptInt(fds[round+2*i], unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
				if err != nil {
					t.Fatal(err)
				}
				want := 1 + round + i%100
				if b.Result != Done || b.Cookie != all[round+2*i] || b.State != 1 || b.Before.Probes != 0 || b.After.Probes != uint8(want) || got != want {
					t.Fatalf("%v: %d probes, want %d: %+v", by, got, want, b)
				}
			}
			for _, b := range targets[len(targets)-nobodies:] {
				if b.Result != 0 {
					t.Errorf("%v: nobody: %+v", by, b)
				}
			}
			for i := 1 - round; i < len(all) && round == 0; i += 2 {
				got, err := unix.GetsockoptInt(fds[i], unix.IPPROTO_TCP, unix.TCP_KEEPCNT)
				if err != nil || got != 9 {
					t.Fatalf("%v: not named, and changed to %d probes, %v", by, got, err)
				}
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestRootRetunerFallback(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		broken := bytes.Clone(_RetuneBytes)
		o, err := parseObject(broken, retuneSections)
		if err != nil {
			t.Fatal(err)
		}
		code := o.programs[retuneProgRetune].code
		broken[bytes.Index(broken, code)+len(code)-instruction] = 0xff
		r, err := loadRetuner(established, 250, []uint64{1}, Auto, broken)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		defer r.Close()
		if r.Loader != ByLibrary || r.Why == nil || !strings.Contains(r.Why.Error(), "load program retune") {
			t.Errorf("loaded by %v, because: %v", r.Loader, r.Why)
		}
		if r, err := loadRetuner(established, 250, []uint64{1}, ByKernel, broken); err == nil {
			r.Close()
			t.Error("by force the broken object was loaded")
		}
	})
}

// Every size of table has to be one that the verifier takes.
func TestRootTablesOfEverySize(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		sizes := []int{1, 2, 3, 4, 5, 63, 64, 65, 1000, 1 << 16}
		var machine unix.Sysinfo_t
		if err := unix.Sysinfo(&machine); err != nil {
			t.Fatal(err)
		}
		if free := uint64(machine.Freeram) * uint64(machine.Unit); free > 2<<30 { // it takes a third of a gigabyte
			sizes = append(sizes, 1<<20+1, MaxTargets)
		}
		for _, n := range sizes {
			all := make([]uint64, n)
			for i := range all {
				all[i] = uint64(i + 1)
			}
			r, err := LoadRetuner(established, 250, all, ByKernel)
			if err != nil {
				t.Fatalf("%d targets: %+v", n, err)
			}
			if at := uintptr(unsafe.Pointer(&r.Targets()[0])); at%64 != 0 || len(r.Targets()) != n {
				t.Errorf("%d targets: %d, at %#x", n, len(r.Targets()), at)
			}
			if err := r.Walk(); err != nil {
				t.Error(err)
			}
			r.Close()
		}
		for _, n := range []int{0, MaxTargets + 1} {
			if r, err := LoadRetuner(established, 250, make([]uint64, n), ByKernel); err == nil {
				r.Close()
				t.Errorf("%d targets: no error", n)
			}
		}
	})
}

// find is find_target of retune.c.
func (t *targetTable) find(cookie uint64) int {
	place := cookie * 0x9e3779b97f4a7c15 >> t.shift()
	for i := range uint64(maxDistance) {
		e := t.index[(place+i)&uint64(len(t.index)-1)]
		if e.target == 0 {
			break
		}
		if e.tag == uint32(cookie) && t.targets[e.target-1].Cookie == cookie {
			return int(e.target - 1)
		}
	}
	return -1
}

func tableOf(entries int, cookies []uint64) (targetTable, bool) {
	t := targetTable{index: make([]entry, entries), targets: make([]Target, len(cookies))}
	return t, t.fill(cookies)
}

func TestIndexFindsEachTarget(t *testing.T) {
	const golden = 0x9e3779b97f4a7c15
	inverse := uint64(golden)
	for range 6 { // Newton: of an odd number, modulo 2^64
		inverse *= 2 - golden*inverse
	}
	kinds := map[string]func(i int) uint64{
		"in a row":                      func(i int) uint64 { return uint64(i + 1) },
		"of two processors":             func(i int) uint64 { return uint64(i%2*4096 + i/2 + 1) },
		"that differ in the upper half": func(i int) uint64 { return uint64(i+1)<<32 | 7 },
	}
	for name, cookie := range kinds {
		all := make([]uint64, 5000)
		for i := range all {
			all[i] = cookie(i + 1)
		}
		table, ok := tableOf(16384, all)
		if !ok {
			t.Errorf("cookies %s do not fit", name)
			continue
		}
		for i, c := range all {
			if got := table.find(c); got != i {
				t.Fatalf("cookies %s: %#x is target %d, not %d", name, c, got, i)
			}
			if got := table.find(c ^ 1<<60); got >= 0 {
				t.Fatalf("cookies %s: target %d for a cookie that is none", name, got)
			}
		}
	}
	// More at one place than the program looks at.
	same := make([]uint64, maxDistance+1)
	for i := range same {
		same[i] = inverse * uint64(i+1)
	}
	if _, ok := tableOf(1024, same); ok {
		t.Error("65 at one place fit")
	}
	if table, ok := tableOf(1024, same[:maxDistance]); !ok || table.find(same[maxDistance-1]) != maxDistance-1 {
		t.Error("64 at one place do not fit")
	}
}

// The compiler checks the same numbers in retune.c.
func TestTargetIsThatOfTheObject(t *testing.T) {
	var b Target
	got := []uintptr{
		unsafe.Sizeof(b), unsafe.Offsetof(b.UserTimeout), unsafe.Offsetof(b.Result), unsafe.Offsetof(b.State),
		unsafe.Offsetof(b.Before), unsafe.Sizeof(b.Before), unsafe.Sizeof(entry{}), unsafe.Sizeof(config{}),
	}
	if want := []uintptr{64, 8, 18, 22, 32, 16, 8, 16}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
