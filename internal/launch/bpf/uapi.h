/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The parts of the kernel's interface that keepalive.c uses, so that the object
 * does not depend on the headers of the machine that compiles it. All of it is
 * fixed for good. Source: include/uapi/linux/bpf.h, in.h, socket.h.
 */
#ifndef TCPKA_UAPI_H
#define TCPKA_UAPI_H

typedef unsigned char __u8;
typedef unsigned short __u16, __be16;
typedef unsigned int __u32, __be32, __wsum;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;

#define AF_INET 2
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

#define BPF_MAP_TYPE_SK_STORAGE 24
#define BPF_SK_STORAGE_GET_F_CREATE (1U << 0)
#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_F_CLONE (1U << 9) /* an accepted socket gets a copy of the listener's */

#define BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB 4
#define BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB 5
#define BPF_SOCK_OPS_TCP_LISTEN_CB 11

struct bpf_sock {
	__u32 bound_dev_if;
	__u32 family;
	__u32 type;
	__u32 protocol;
};

struct bpf_sock_ops {
	__u32 op;
	__u32 unused[45];
	struct bpf_sock *sk; /* NULL without a full socket */
};
_Static_assert(__builtin_offsetof(struct bpf_sock_ops, sk) == 184, "layout of bpf_sock_ops");

struct bpf_sockopt {
	struct bpf_sock *sk;
	void *optval, *optval_end;
	__s32 level, optname, optlen, retval;
};
_Static_assert(__builtin_offsetof(struct bpf_sockopt, level) == 24, "layout of bpf_sockopt");

#endif
