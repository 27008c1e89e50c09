// Package bpf gives keepalive to the TCP connections of a cgroup, by a sockops
// program and one that watches setsockopt. The programs are in keepalive.c;
// their compiled object is committed, so that only a change to them needs a
// compiler. They use nothing but the kernel's fixed interface: no type
// information (BTF) of the running kernel is needed.
package bpf

//go:generate go tool bpf2go -cc clang-19 -target bpfel -no-strip -no-global-types -tags linux -output-stem keepalive -go-package bpf keepalive keepalive.c -- -O2 -mcpu=v3 -Wall -Wextra -Werror
