//go:build !(386 || amd64 || arm || arm64 || loong64 || mips64le || mipsle || ppc64le || riscv64)

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

const (
	keepaliveProgEstablished    = "established"
	keepaliveProgEstablishedTcp = "established_tcp"

	keepaliveVarCount   = "count"
	keepaliveVarForce   = "force"
	keepaliveVarOptions = "options"
)

// The programs are compiled for little-endian machines only.
func loadKeepalive() (*ebpf.CollectionSpec, error) {
	return nil, fmt.Errorf("no BPF programs for this architecture: %w", errors.ErrUnsupported)
}
