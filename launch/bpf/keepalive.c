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
 * Runs with the socket locked when the three-way handshake is through, before
 * connect returns or accept can. A non-blocking owner may have called setsockopt
 * by then, and many do before connect (libpq, curl), so that being first is no
 * way to let the owner win: hence the map.
 */
SEC("sockops")
int established(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	__u32 *owner = 0, set_by_owner = 0;
	__u32 i;

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;
	if (!force && sk)
		owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	if (owner)
		set_by_owner = *owner;
	for (i = 0; i < MAX_OPTIONS; i++) {
		__s32 value = options[i].value;

		if (i < count && !(set_by_owner & 1U << i))
			bpf_setsockopt(ctx, options[i].level, options[i].name, &value, sizeof(value));
	}
	return 1;
}

/* UDP and Unix sockets take SO_KEEPALIVE, too: let them. */
static __always_inline int is_tcp(struct bpf_sock *sk)
{
	return (sk->family == AF_INET || sk->family == AF_INET6) &&
	       (sk->protocol == IPPROTO_TCP || sk->protocol == IPPROTO_MPTCP);
}

SEC("cgroup/setsockopt")
int setsockopt(struct bpf_sockopt *ctx)
{
	__u32 *owner, bit = 0;
	__u32 i;

	for (i = 0; i < MAX_OPTIONS; i++)
		if (i < count && ctx->level == options[i].level && ctx->optname == options[i].name)
			bit = 1U << i;
	if (bit && ctx->sk && is_tcp(ctx->sk)) {
		if (force) {
			ctx->optlen = -1; /* done, says the kernel, and does nothing */
			return 1;
		}
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
