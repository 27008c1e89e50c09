//go:build !(386 || amd64 || arm || arm64 || loong64 || mips64le || mipsle || ppc64le || riscv64)

package bpf

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
)

const (
	policyProgPolicy  = "policy"
	policyVarConfig   = "config"
	policyMapNames    = "names"
	policyMapRules    = "rules"
	policyMapPolicies = "policies"
	policyMapCounters = "counters"
	policyMapTexts    = "texts"
)

// The program is compiled for little-endian machines only.
func loadPolicy() (*ebpf.CollectionSpec, error) {
	return nil, fmt.Errorf("no BPF programs for this architecture: %w", errors.ErrUnsupported)
}
