//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
/*
 * Keepalive for connections to come: at the moment a connection is there, the policy
 * is found that its cgroup's name, the remote address and the ports call for, and its
 * values are set. Nothing is called per packet.
 *
 * All maps but counters are written once, before the program is attached: another
 * state is another program with maps of its own, in whose favour bpf_link_update
 * replaces this one. So a connection meets the old state or the new one.
 */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "Dual MIT/GPL";

/* Go: config. Written by the loader before the verifier runs. */
const volatile struct {
	__u64 root; /* id of the cgroup at which names end */
	__u32 hz;
	__u32 host; /* the pattern that every connection meets; 0: none */
} config;

/* How many names of cgroups are looked at, from the socket's on. */
#define MAX_LEVELS 16

/* How many patterns for names can match the same one. */
#define MAX_ALIKE 4

/* A cgroup's name, or how it begins: a whole name has the 0 at its end. The trie takes
 * 256 bytes, and a name has no more. Go: nameKey. */
struct name {
	__u32 bits;
	char text[256];
};

/* The patterns that match a name, the longest first; 0 ends them. Go: matching. */
struct matching {
	__u32 unit; /* counts only if all cgroups above are slices */
	__u32 plain[MAX_ALIKE];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 512);
	__type(key, struct name);
	__type(value, struct matching);
} names SEC(".maps");

/* Go: endKey. */
struct end {
	__u32 bits;
	__u32 pattern;
	__u16 port; /* 0: any */
	__u16 pad;
	__u8 remote[16]; /* IPv4 as ::ffff:a.b.c.d */
};

/* Go: rule. */
struct rule {
	__u32 policy;
	__u32 bits; /* of the remote prefix */
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct end);
	__type(value, struct rule);
} rules SEC(".maps");

/* Go: Values. */
struct values {
	__u32 mode, set; /* set: which of the four, from bit 0 on */
	__u32 time, intvl, probes; /* s, s */
	__u32 user_timeout; /* ms */
};

#define IF_OFF 0
#define CAP 1
#define FORCE 2

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct values);
} policies SEC(".maps");

/* Go: Counters. The one map that the next program takes over. */
struct counts {
	__u64 seen, given, left, failed;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct counts);
} counters SEC(".maps");

/* What the policies are called, for who reads them back. */
struct text {
	__u8 json[4096];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct text);
} texts SEC(".maps");

struct ends {
	__u16 ports[3]; /* remote, local, any; in host order */
	__u8 remote[16];
};

static __always_inline void read_ends(struct ends *e, struct tcp_sock *tp)
{
	struct sock_common *skc = &tp->inet_conn.icsk_inet.sk.__sk_common;

	e->ports[0] = bpf_ntohs(BPF_CORE_READ(skc, skc_dport));
	e->ports[1] = BPF_CORE_READ(skc, skc_num);
	if (BPF_CORE_READ(skc, skc_family) == AF_INET6) {
		bpf_core_read(e->remote, sizeof(e->remote), &skc->skc_v6_daddr);
		return;
	}
	e->remote[10] = e->remote[11] = 0xff;
	bpf_core_read(e->remote + 12, 4, &skc->skc_daddr);
}

/* The policy of a pattern: by the longest prefix, then a port before none, and the
 * remote one before the local one. 0: none. */
static __always_inline __u32 find(__u32 pattern, const struct ends *e)
{
	struct end key = {.pattern = pattern};
	__u32 policy = 0, best = 0;

	__builtin_memcpy(key.remote, e->remote, sizeof(key.remote));
	for (int i = 0; i < 3; i++) {
		struct rule *r;
		__u32 rank;

		key.bits = 8 * (sizeof(key) - sizeof(key.bits));
		key.port = e->ports[i];
		r = bpf_map_lookup_elem(&rules, &key);
		if (!r)
			continue;
		rank = 2 * r->bits + (i < 2) + 1;
		if (rank > best) {
			best = rank;
			policy = r->policy;
		}
	}
	return policy;
}

static __always_inline struct kernfs_node *node_of(struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	struct cgroup *cgroup = 0;

	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup)) {
		cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	} else {
		__u64 val = BPF_CORE_READ((struct sock___old *)sk, sk_cgrp_data.val);

		if (!(val & 3))
			cgroup = (void *)(unsigned long)val;
	}
	return cgroup ? BPF_CORE_READ(cgroup, kn) : 0;
}

static __always_inline struct kernfs_node *above(struct kernfs_node *kn)
{
	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ((struct kernfs_node___old *)kn, parent);
}

static __always_inline int is_slice(const char *name, long size)
{
	char end[8] = {};

	if (size < 8 || bpf_probe_read_kernel(end, 7, name + size - 7))
		return 0;
	return end[0] == '.' && end[1] == 's' && end[2] == 'l' && end[3] == 'i' && end[4] == 'c' && end[5] == 'e';
}

/* The policy of the nearest cgroup that has one for these ends. Names are chosen by
 * whoever may make cgroups, so a unit's counts only where nothing above it but slices
 * is, and those systemd makes alone: the next policy above stands by until that is
 * known. */
static __always_inline __u32 choose(struct kernfs_node *kn, const struct ends *e)
{
	__u32 unit = 0, plain = 0;
	struct name key;
	int level;

	for (level = 0; level < MAX_LEVELS; level++) {
		struct matching *m;
		const char *name;
		long size;

		if (!kn || BPF_CORE_READ(kn, id) == config.root)
			break;
		name = BPF_CORE_READ(kn, name);
		__builtin_memset(&key, 0, sizeof(key));
		size = bpf_probe_read_kernel_str(key.text, sizeof(key.text), name);
		if (unit && !is_slice(name, size))
			unit = 0;
		if (plain && !unit)
			break;
		key.bits = 8 * sizeof(key.text);
		m = bpf_map_lookup_elem(&names, &key);
		if (m) {
			if (!unit && m->unit)
				unit = find(m->unit, e);
			for (int i = 0; i < MAX_ALIKE; i++)
				if (!plain && m->plain[i])
					plain = find(m->plain[i], e);
		}
		kn = above(kn);
	}
	if (unit && level < MAX_LEVELS)
		return unit;
	if (!plain && config.host)
		plain = find(config.host, e);
	return plain;
}

static __always_inline int set(struct bpf_sock_ops *ctx, int level, int name, int value)
{
	return bpf_setsockopt(ctx, level, name, &value, sizeof(value));
}

/* A sysctl that is a number of 1 byte or 4: its size is the kernel's. */
#define sysctl(net, field) ({                                                        \
	__u32 v_ = 0;                                                                \
	bpf_probe_read_kernel(&v_, bpf_core_field_size((net)->ipv4.field),           \
		(void *)(net) + bpf_core_field_offset((net)->ipv4.field));           \
	v_;                                                                          \
})

/* Which of the values are to be set: those for which the socket has longer ones. */
static __always_inline __u32 longer(const struct values *v, struct tcp_sock *tp)
{
	struct net *net = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_net.net);
	__u32 time = BPF_CORE_READ(tp, keepalive_time), intvl = BPF_CORE_READ(tp, keepalive_intvl);
	__u32 probes = BPF_CORE_READ(tp, keepalive_probes);
	__u32 user = BPF_CORE_READ(tp, inet_conn.icsk_user_timeout);

	time = time ? time : sysctl(net, sysctl_tcp_keepalive_time);
	intvl = intvl ? intvl : sysctl(net, sysctl_tcp_keepalive_intvl);
	probes = probes ? probes : sysctl(net, sysctl_tcp_keepalive_probes);
	return (time > v->time * config.hz) | (intvl > v->intvl * config.hz) << 1 |
	       /* With 0 probes the sysctl ends what is alive: that is no shorter. */
	       (probes > v->probes || !probes) << 2 | (!user || user > v->user_timeout) << 3;
}

SEC("sockops")
int policy(struct bpf_sock_ops *ctx)
{
	struct ends ends = {};
	struct bpf_sock *sk;
	struct tcp_sock *tp;
	struct values *v;
	struct counts *c;
	int on, failed = 0;
	__u32 id, which;

	if (ctx->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB && ctx->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return 1;
	sk = ctx->sk;
	if (!sk)
		return 1;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 1;
	read_ends(&ends, tp);
	id = choose(node_of(tp), &ends);
	if (!id)
		return 1;
	v = bpf_map_lookup_elem(&policies, &id);
	if (!v)
		return 1;
	/* Not by bpf_getsockopt: in 5.10 that cannot read it, and says nothing. */
	on = BPF_CORE_READ(tp, inet_conn.icsk_inet.sk.__sk_common.skc_flags) >>
	     bpf_core_enum_value(enum sock_flags, SOCK_KEEPOPEN) & 1;
	which = v->set;
	if (v->mode == CAP)
		which &= longer(v, tp);
	if (v->mode == IF_OFF && on)
		which = 0;
	c = bpf_map_lookup_elem(&counters, &id);
	if (c)
		__sync_fetch_and_add(&c->seen, 1);
	if (!which && on && v->mode != FORCE) {
		if (c)
			__sync_fetch_and_add(&c->left, 1);
		return 1;
	}
	if (which & 2)
		failed |= set(ctx, SOL_TCP, TCP_KEEPINTVL, v->intvl);
	if (which & 4)
		failed |= set(ctx, SOL_TCP, TCP_KEEPCNT, v->probes);
	if (which & 8)
		failed |= set(ctx, SOL_TCP, TCP_USER_TIMEOUT, v->user_timeout);
	if (which & 1)
		failed |= set(ctx, SOL_TCP, TCP_KEEPIDLE, v->time);
	if (!on)
		failed |= set(ctx, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (c)
		__sync_fetch_and_add(failed ? &c->failed : &c->given, 1);
	return 1;
}

