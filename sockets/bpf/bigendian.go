//go:build !(386 || amd64 || arm || arm64 || loong64 || mips64le || mipsle || ppc64le || riscv64)

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

const (
	socketsProgFind   = "find"
	socketsProgOwners = "owners"
	socketsProgRows   = "rows"
	socketsVarQuery   = "query"

	retuneProgFind   = "find"
	retuneProgRetune = "retune"
	retuneVarConfig  = "config"
)

// The programs are compiled for little-endian machines only.
var _SocketsBytes, _RetuneBytes []byte

func loadSockets() (*ebpf.CollectionSpec, error) {
	return nil, fmt.Errorf("no BPF programs for this architecture: %w", errors.ErrUnsupported)
}

func loadRetune() (*ebpf.CollectionSpec, error) { return loadSockets() }
