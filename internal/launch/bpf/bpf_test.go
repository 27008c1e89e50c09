package bpf

import (
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/tcpka/tcpka/internal/nstest"
)

// Kernels for processors that read aligned words only refuse a program that may
// read others. Source: kernel/bpf/verifier.c, bpf_check.
func TestRootProgramsReadAligned(t *testing.T) {
	nstest.RunRoot(t, func(t *testing.T) {
		for _, force := range []bool{false, true} {
			spec, err := loadKeepalive()
			if err != nil {
				t.Fatal(err)
			}
			if err := spec.Variables[keepaliveVarForce].Set(force); err != nil {
				t.Fatal(err)
			}
			if err := spec.Variables[keepaliveVarCount].Set(uint32(maxOptions)); err != nil {
				t.Fatal(err)
			}
			for name := range spec.Programs {
				one := spec.Copy()
				one.Programs = map[string]*ebpf.ProgramSpec{name: one.Programs[name]}
				load := func() error {
					c, err := ebpf.NewCollection(one)
					if err == nil {
						c.Close()
					}
					return err
				}
				if err := load(); err != nil && name == keepaliveProgEstablished {
					t.Logf("%s: not for this kernel: %v", name, err) // see Load
					continue
				}
				one.Programs[name].Flags |= unix.BPF_F_STRICT_ALIGNMENT
				if err := load(); err != nil {
					t.Errorf("%s, force %t: %+v", name, force, err)
				}
			}
		}
	})
}
