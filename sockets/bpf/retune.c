//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
/*
 * An iterator that changes sockets: iter/tcp calls it with each socket of one
 * network namespace, which is locked meanwhile, and it sets the options of those
 * that the table of targets has. What came of it is written into the table.
 *
 * The table is memory shared with the process that loads it, see retune.go: the
 * targets in its order, which is mostly that of the walk, and an index by cookie.
 * To look a socket up in a hash map of the kernel costs as much as to set three
 * options, and to fill that map as much as the other two.
 *
 * The rules for what is in this file are in sockets.c. Beside the constants there
 * is one map: table.
 */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include "find.h"

#define nodebug __attribute__((nodebug))

char _license[] SEC("license") nodebug = "Dual MIT/GPL";

/* Go: config. */
struct {
	__u32 states; /* bit n: sockets in state n may be changed */
	__u32 hz;
	__u32 shift; /* the index has 1 << (64 - shift) entries */
	__u32 targets;
} const volatile config nodebug;

/* Go: Values. What is in effect where the sysctl is not. */
struct values {
	__u32 time, intvl;  /* jiffies; 0: the sysctl */
	__u32 user_timeout; /* ms */
	__u8 probes;        /* 0: the sysctl */
	__u8 keepalive;     /* 0: not known, 1: off, 2: on */
	__u8 pad[2];
};

/* Go: Target. 64 bytes: a cache line. */
struct target {
	__u64 cookie;

	/* What is wanted. */
	__u32 user_timeout; /* ms */
	__u16 time, intvl;  /* s; 0: leave it */
	__u8 probes;        /* 0: leave it */
	__u8 want;

	/* What came of it. */
	__u8 result;
	__u8 option; /* that was refused: its number, which no two of the five share */
	__s16 error;
	__u8 state;
	__u8 pad[9];
	struct values before, after;
};

_Static_assert(sizeof(struct target) == 64 && __builtin_offsetof(struct target, result) == 18 &&
	__builtin_offsetof(struct target, state) == 22 && __builtin_offsetof(struct target, before) == 32,
	"retune_test.go has other numbers");

/* target.want */
#define ON 1
#define OFF 2
#define REARM 4 /* off and on */
#define USER_TIMEOUT 8

/* target.result */
#define DONE 1
#define REFUSED 2    /* an option: target.option, target.error */
#define INELIGIBLE 3 /* by its state, or because there is no timer to rearm */
#define NO_FILE 4
#define NOT_ITSELF 5 /* its file is another socket: a subflow of MPTCP */

/* Go: entry. At the place that the cookie's hash says, or if that is taken the
 * next that is free. */
struct entry {
	__u32 tag;    /* the lower half of the cookie */
	__u32 target; /* its number plus 1; 0: free */
};

/* The first of the entries; the targets follow the last. The map that the loader
 * puts here is as large as it has to be. */
struct entry table nodebug;

/* How far from its place an entry can be. Go: maxDistance. */
#define MAX_DISTANCE 64

static __always_inline struct target *find_target(__u64 cookie)
{
	__u32 place = cookie * 0x9e3779b97f4a7c15 >> config.shift;
	__u32 mask = ~0ull >> config.shift;
	struct entry *entries = &table;
	struct target *targets;

	/* Or else the compiler knows that there is one, and no other to look at. */
	asm volatile("" : "+r"(entries));
	targets = (void *)entries + ((__u64)mask + 1) * sizeof(struct entry);
	for (__u32 i = 0; i < MAX_DISTANCE; i++) {
		struct entry *e = entries + ((place + i) & mask);
		__u64 n = e->target;

		if (!n)
			break;
		/* The register that is compared has to be the one that is used: of a
		 * copy in 32 bits the verifier of Linux 6.1 knows no bounds. */
		asm volatile("" : "+r"(n));
		if (e->tag == (__u32)cookie && n <= config.targets && targets[n - 1].cookie == cookie)
			return targets + (n - 1);
	}
	return NULL;
}

static __always_inline void read_values(struct values *v, struct tcp_sock *tp)
{
	v->time = tp->keepalive_time;
	v->intvl = tp->keepalive_intvl;
	v->user_timeout = tp->inet_conn.icsk_user_timeout;
	v->probes = tp->keepalive_probes;
	v->keepalive = 1 + (tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >> SOCK_KEEPOPEN & 1);
}

/* Sets an option and reports whether it was refused. */
static __always_inline int refused(struct target *t, struct tcp_sock *tp, int level, int option, int value)
{
	int err = bpf_setsockopt(tp, level, option, &value, sizeof(value));

	if (err) {
		t->result = REFUSED;
		t->option = option;
		t->error = err;
	}
	return err;
}

/* In the order that the documentation of Retune gives reasons for. What has the
 * value already is left alone: TCP_KEEPIDLE would arm the timer anew. */
static __always_inline void set(struct target *t, struct tcp_sock *tp)
{
	int on = t->before.keepalive == 2;

	if ((t->want & OFF || t->want & REARM) && on && refused(t, tp, SOL_SOCKET, SO_KEEPALIVE, 0))
		return;
	if (t->want & REARM && refused(t, tp, SOL_SOCKET, SO_KEEPALIVE, 1))
		return;
	if (t->intvl && t->intvl * config.hz != t->before.intvl &&
	    refused(t, tp, SOL_TCP, TCP_KEEPINTVL, t->intvl))
		return;
	if (t->probes && t->probes != t->before.probes &&
	    refused(t, tp, SOL_TCP, TCP_KEEPCNT, t->probes))
		return;
	if (t->want & USER_TIMEOUT && t->user_timeout != t->before.user_timeout &&
	    refused(t, tp, SOL_TCP, TCP_USER_TIMEOUT, t->user_timeout))
		return;
	if (t->time && t->time * config.hz != t->before.time &&
	    refused(t, tp, SOL_TCP, TCP_KEEPIDLE, t->time))
		return;
	if (t->want & ON && !on && refused(t, tp, SOL_SOCKET, SO_KEEPALIVE, 1))
		return;
	t->result = DONE;
}

SEC("iter/tcp")
int retune(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct socket *socket;
	struct target *t;
	struct tcp_sock *tp;
	__u64 cookie;

	if (!skc) /* the call after the last socket */
		return 0;
	/* Not by helper, which would make one: who has none is nobody's target. */
	cookie = skc->skc_cookie.counter;
	if (!cookie)
		return 0;
	t = find_target(cookie);
	/* Before Linux 6.17 a socket can come twice. */
	if (!t || t->result)
		return 0;
	t->state = skc->skc_state;
	t->result = INELIGIBLE;
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp) /* a minisock */
		return 0;
	read_values(&t->before, tp);
	t->after = t->before;
	if (!(config.states >> (t->state & 31) & 1))
		return 0;
	if (t->want & REARM && (t->before.keepalive != 2 || t->state == TCP_LISTEN))
		return 0;
	socket = tp->inet_conn.icsk_inet.sk.sk_socket;
	if (!socket) {
		t->result = NO_FILE;
		return 0;
	}
	/* Asked first: who has no upper layer is itself, and to look into a socket's
	 * file costs as much as to set an option. */
	if (tp->inet_conn.icsk_ulp_ops && socket->sk != (void *)tp) {
		t->result = NOT_ITSELF;
		return 0;
	}
	set(t, tp);
	read_values(&t->after, tp);
	return 0; /* 1 would show the same socket again, for ever */
}
