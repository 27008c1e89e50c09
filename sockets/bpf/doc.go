// Package bpf reads TCP sockets by way of two BPF iterators: [Iterators.Rows]
// gives the sockets of a network namespace with their keepalive values,
// [Iterators.Owners] the descriptors of all processes that are TCP sockets.
//
// It needs CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN) in the initial user
// namespace, a kernel with type information (CONFIG_DEBUG_INFO_BTF), and Linux
// 5.12. The kernel refuses programs that need a helper that it lacks.
//
// The programs are in sockets.c; their compiled object is committed, so that
// only a change to them needs a compiler. See [Load] for the two ways they get
// into the kernel.
package bpf

//go:generate go tool bpf2go -cc clang-19 -target bpfel -no-strip -no-global-types -output-stem sockets -go-package bpf sockets sockets.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror
//go:generate go tool bpf2go -cc clang-19 -target bpfel -no-strip -no-global-types -output-stem retune -go-package bpf retune retune.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror
