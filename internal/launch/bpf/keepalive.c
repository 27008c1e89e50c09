//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
/*
 * Keepalive for every TCP connection that a cgroup makes or accepts. Two
 * programs: established gives a connection its options at the moment it is
 * there; setsockopt watches what the owner of a socket sets itself, which wins
 * or, with force, is not done.
 */
#include "uapi.h"
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual MIT/GPL";

#define MAX_OPTIONS 5

struct option {
	__s32 level, name, value;
	__s32 min, max; /* what the kernel takes */
	__u32 mptcp;    /* whether it does on a socket of MPTCP */
};

/* What to set, in this order; written by the loader before the verifier runs. */
const volatile struct option options[MAX_OPTIONS];
const volatile __u32 count;
const volatile _Bool force;

/* For a socket: which of the options its owner has set. Bit i is options[i]. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, __s32);
	__type(value, __u32);
} owners SEC(".maps");

/*
 * The owner of a connection of MPTCP has another socket than the one that speaks
 * TCP, and sets its options there: look there. A connection that is plain TCP has
 * one, also where the listener is for MPTCP.
 */
static __always_inline __u32 set_by_owner(struct bpf_sock *sk, int mptcp)
{
	struct mptcp_sock *msk = mptcp ? bpf_skc_to_mptcp_sock(sk) : 0;
	__u32 *owner;

	if (msk)
		owner = bpf_sk_storage_get(&owners, msk, 0, 0);
	else
		owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	return owner ? *owner : 0;
}

/* What the owner has set on a listener for MPTCP holds for the plain TCP that it
 * accepts, too. That is copied from the listener's TCP socket: leave it there. */
static __always_inline void remember_for_accepted(struct bpf_sock *sk)
{
	__u32 *owner, set = set_by_owner(sk, 1);

	if (!set)
		return;
	owner = bpf_sk_storage_get(&owners, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (owner)
		*owner |= set;
}

/*
 * Runs with the socket locked when the three-way handshake is through, before
 * connect returns or accept can. A non-blocking owner may have called setsockopt
 * by then, and many do before connect (libpq, curl), so that being first is no
 * way to let the owner win: hence the map.
 */
static __always_inline int give(struct bpf_sock_ops *ctx, int mptcp)
{
	struct bpf_sock *sk = ctx->sk;
	__u32 set = 0;
	__u32 i;

	if (mptcp && !force && sk && ctx->op == BPF_SOCK_OPS_TCP_LISTEN_CB)
		remember_for_accepted(sk);
	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;
	if (!force && sk)
		set = set_by_owner(sk, mptcp);
	for (i = 0; i < MAX_OPTIONS; i++) {
		__s32 value = options[i].value;

		if (i < count && !(set & 1U << i))
			bpf_setsockopt(ctx, options[i].level, options[i].name, &value, sizeof(value));
	}
	return 1;
}

SEC("sockops")
int established(struct bpf_sock_ops *ctx)
{
	return give(ctx, 1);
}

/* For a kernel that does not let us find MPTCP sockets. A variable would not do:
 * without CAP_PERFMON the verifier looks also where execution never comes. */
SEC("sockops")
int established_tcp(struct bpf_sock_ops *ctx)
{
	return give(ctx, 0);
}

/* UDP and Unix sockets take SO_KEEPALIVE, too: let them. */
static __always_inline int is_tcp(struct bpf_sock *sk)
{
	return (sk->family == AF_INET || sk->family == AF_INET6) &&
	       (sk->protocol == IPPROTO_TCP || sk->protocol == IPPROTO_MPTCP);
}

/* Whether the kernel, which has not looked at it yet, is going to take a value:
 * what it refuses the owner has not set. */
static __always_inline int taken(struct bpf_sockopt *ctx, __s32 min, __s32 max, __u32 mptcp)
{
	__s32 value;

	/* The buffer may be longer than what the owner gave. */
	if (ctx->optlen < (__s32)sizeof(value) || ctx->optval + sizeof(value) > ctx->optval_end)
		return 0;
	/* By bytes: where loads have to be aligned the verifier takes it for a packet,
	 * whose headers lie two bytes off. */
	__builtin_memcpy(&value, ctx->optval, sizeof(value));
	if (ctx->sk->protocol == IPPROTO_MPTCP && !mptcp)
		return 0;
	return value >= min && value <= max;
}

SEC("cgroup/setsockopt")
int setsockopt(struct bpf_sockopt *ctx)
{
	__u32 *owner = 0, bit = 0, mptcp = 0;
	__s32 min = 0, max = 0;
	__u32 i;

	/* Without CAP_PERFMON options[i] is for the constants of a loop only. */
	for (i = 0; i < MAX_OPTIONS; i++)
		if (i < count && ctx->level == options[i].level && ctx->optname == options[i].name) {
			bit = 1U << i;
			min = options[i].min;
			max = options[i].max;
			mptcp = options[i].mptcp;
		}
	if (bit && ctx->sk && is_tcp(ctx->sk)) {
		if (force) {
			ctx->optlen = -1; /* done, says the kernel, and does nothing */
			return 1;
		}
		if (taken(ctx, min, max, mptcp))
			owner = bpf_sk_storage_get(&owners, ctx->sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (owner)
			*owner |= bit; /* the kernel has the socket locked */
	}
	/* The kernel shows us one page at most, and would hand on just that:
	 * 0 says that the owner's own buffer is to be used. */
	if (ctx->optlen > 4096)
		ctx->optlen = 0;
	return 1;
}
