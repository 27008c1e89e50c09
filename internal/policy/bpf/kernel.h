/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The kernel's types, cut down to what policy.c reads; every access is relocated to
 * the running kernel's layout (CO-RE). Versions are never looked at, only members:
 * what is called ___x is the struct as other kernels have it.
 *
 * Sources: include/net/sock.h, inet_connection_sock.h, netns/ipv4.h;
 * include/linux/tcp.h, cgroup-defs.h, kernfs.h; include/uapi/linux/bpf.h.
 */
#ifndef TCPKA_POLICY_KERNEL_H
#define TCPKA_POLICY_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16, __be16;
typedef unsigned int __u32, __be32, __wsum;
typedef short __s16;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;

#define AF_INET 2
#define AF_INET6 10
#define SOL_SOCKET 1
#define SO_KEEPALIVE 9
#define SOL_TCP 6
#define TCP_KEEPIDLE 4      /* s */
#define TCP_KEEPINTVL 5     /* s */
#define TCP_KEEPCNT 6
#define TCP_USER_TIMEOUT 18 /* ms */

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_LPM_TRIE 11
#define BPF_F_NO_PREALLOC (1U << 0)
#define BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB 4
#define BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB 5

struct bpf_sock;

struct bpf_sock_ops {
	__u32 op;
	__u32 unused[45];
	struct bpf_sock *sk; /* NULL without a full socket */
};
_Static_assert(__builtin_offsetof(struct bpf_sock_ops, sk) == 184, "layout of bpf_sock_ops");

enum sock_flags { SOCK_KEEPOPEN = 3 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	__u64 id;
	const char *name;
	struct kernfs_node *__parent;
};

struct kernfs_node___old { /* until 6.12 at least */
	struct kernfs_node *parent;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct net {
	struct {
		int sysctl_tcp_keepalive_time, sysctl_tcp_keepalive_intvl; /* jiffies */
		__u8 sysctl_tcp_keepalive_probes; /* an int at first */
	} ipv4;
};

struct sock_common {
	__be32 skc_daddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr skc_v6_daddr;
	unsigned long skc_flags;
	struct {
		struct net *net;
	} skc_net;
};

struct sock {
	struct sock_common __sk_common;
	struct {
		struct cgroup *cgroup;
	} sk_cgrp_data;
};

struct sock___old { /* 5.10, until a stable release */
	struct {
		__u64 val; /* a pointer unless one of the lowest bits is set */
	} sk_cgrp_data;
};

struct tcp_sock {
	struct {
		struct {
			struct sock sk;
		} icsk_inet;
		__u32 icsk_user_timeout; /* ms */
	} inet_conn;
	unsigned int keepalive_time, keepalive_intvl; /* jiffies; 0: the sysctl */
	__u8 keepalive_probes;                        /* 0: the sysctl */
};

#pragma clang attribute pop

#endif
