// Package bpf gives keepalive to connections to come, by a sockops program on the root of
// a cgroup hierarchy. The program is in policy.c; its compiled object is committed, so
// that only a change to it needs a compiler.
//
// It needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (or CAP_SYS_ADMIN) in the initial user
// namespace, a kernel with type information (CONFIG_DEBUG_INFO_BTF). It was tried on Linux 6.18.
package bpf

//go:generate go tool bpf2go -cc clang-19 -target bpfel -no-strip -no-global-types -tags linux -output-stem policy -go-package bpf policy policy.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror
