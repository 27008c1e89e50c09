//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0-only)
/*
 * Two iterators over what the kernel knows of TCP: rows walks the sockets of one
 * network namespace (iter/tcp), owners the open files of all processes
 * (iter/task_file). Each writes records of a fixed size, which bpf.go reads.
 *
 * Both are loaded in either of two ways, see load.go; the short one lays down
 * rules: one program in a section, nothing that is not inlined, no map but the
 * constants, no type information for variables (nodebug).
 */
#include "kernel.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "find.h"

#define nodebug __attribute__((nodebug))

char _license[] SEC("license") nodebug = "Dual MIT/GPL";

/* What to leave out. The loader writes it before the verifier runs, which then
 * removes the branches that cannot be taken. Go: query. */
struct {
	__u32 states; /* bit n: sockets in state n */
	__u32 pidns;  /* owners: 0: the reader is in the initial PID namespace */
	__u16 ports[3][8]; /* at either end, local, remote; 0 ends a list, an empty one is any */
} const volatile query nodebug;

/* Go: Row. 112 bytes. */
struct row {
	__u64 cookie;
	__u64 cgroup;
	__u32 inode;
	__u32 uid;
	__u64 local[2], remote[2]; /* IPv4: the first 4 bytes; network order */
	__u16 local_port, remote_port; /* host order */
	__u8 family, state, timer, flags;
	__u32 time, intvl; /* jiffies; 0: the sysctl */
	__u32 user_timeout; /* ms */
	__u32 idle; /* jiffies since the last segment from the peer */
	__u32 rto; /* jiffies */
	__u8 probes; /* 0: the sysctl */
	__u8 unanswered; /* probes, or retransmissions */
	__u8 backoff; /* how often the wait between window probes has doubled */
	__u8 syn_retries; /* 0: the sysctl */
	__s64 expires; /* jiffies until the timer: a keepalive timer may run for nearly 2^32 */
	__u32 spent; /* since the clock began: of TIMER_PROBE0 in jiffies, of the others in ms */
	__u32 data; /* jiffies since the last data from the peer */
	__u32 rto_max; /* jiffies; 0: this kernel has none of its own for a socket */
	__u32 pad;
};

/* row.flags */
#define KEEPALIVE 1 /* SO_KEEPALIVE */
#define FULL 2      /* not a minisock: it has all the fields */
#define MPTCP 4     /* a subflow of an MPTCP connection, or the listener for some */
#define RUNNING 8   /* the clock by which the kernel gives up has begun: see spent */
#define STOPPED 16  /* it has not; neither: the kernel does not say */
#define CLOSED 32   /* the peer's window is closed */

/* row.timer: idiag_timer. Source: net/ipv4/inet_diag.c, inet_sk_diag_fill */
#define TIMER_RETRANSMIT 1
#define TIMER_KEEPALIVE 2
#define TIMER_TIME_WAIT 3
#define TIMER_PROBE0 4

/* Go: owner. 32 bytes. */
struct owner {
	__u32 inode;
	__u32 pid; /* of the process, as numbered where the reader is */
	__u32 fd;
	__u32 locked; /* 0: no process has the socket's lock; else what moves with its data */
	char comm[16];
};

#define at(type, member) __builtin_offsetof(struct type, member)
_Static_assert(sizeof(struct row) == 112 && at(row, local) == 24 && at(row, local_port) == 56 &&
	at(row, time) == 64 && at(row, expires) == 88, "bpf_test.go has other numbers");
_Static_assert(sizeof(struct owner) == 32 && at(owner, fd) == 8 && at(owner, comm) == 16,
	"bpf_test.go has other numbers");

#define listed(list, port)                                                       \
	((list)[0] == (port) || (list)[1] == (port) || (list)[2] == (port) ||    \
	 (list)[3] == (port) || (list)[4] == (port) || (list)[5] == (port) ||    \
	 (list)[6] == (port) || (list)[7] == (port))

static __always_inline int wanted(__u8 state, __u16 local, __u16 remote)
{
	if (!(query.states >> (state & 31) & 1))
		return 0;
	if (query.ports[0][0] && !listed(query.ports[0], local) && !listed(query.ports[0], remote))
		return 0;
	if (query.ports[1][0] && !listed(query.ports[1], local))
		return 0;
	if (query.ports[2][0] && !listed(query.ports[2], remote))
		return 0;
	return 1;
}

/* The inode number of a socket's file. A helper has to read it: programs may not
 * load past the end of struct socket. */
static __always_inline __u32 inode(struct socket *socket)
{
	unsigned long ino = 0;

	bpf_probe_read_kernel(&ino, sizeof(ino), (void *)socket +
		bpf_core_field_offset(struct socket_alloc, vfs_inode.i_ino) -
		bpf_core_field_offset(struct socket_alloc, socket));
	return ino;
}

static __always_inline unsigned long retransmit_expires(struct tcp_sock *tp)
{
	if (bpf_core_field_exists(tp->inet_conn.icsk_timeout))
		return tp->inet_conn.icsk_timeout;
	if (bpf_core_field_exists(tp->inet_conn.icsk_retransmit_timer))
		return tp->inet_conn.icsk_retransmit_timer.expires;
	return tp->inet_conn.icsk_inet.sk.tcp_retransmit_timer.expires;
}

/* One timer is shown though several may run, with the precedence of
 * net/ipv4/inet_diag.c, inet_sk_diag_fill. */
static __always_inline void timers(struct row *r, struct tcp_sock *tp, __u64 now)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	unsigned long expires;
	void *pending;

	/* First icsk_keepalive_timer: where it exists sk_timer may, too, as
	 * something else. */
	if (bpf_core_field_exists(icsk->icsk_keepalive_timer)) {
		pending = icsk->icsk_keepalive_timer.entry.pprev;
		expires = icsk->icsk_keepalive_timer.expires;
	} else {
		pending = icsk->icsk_inet.sk.sk_timer.entry.pprev;
		expires = icsk->icsk_inet.sk.sk_timer.expires;
	}
	switch (icsk->icsk_pending) {
	case ICSK_TIME_RETRANS:
	case ICSK_TIME_LOSS_PROBE:
	case ICSK_TIME_REO_TIMEOUT:
		r->timer = TIMER_RETRANSMIT;
		r->unanswered = icsk->icsk_retransmits;
		r->expires = retransmit_expires(tp) - now;
		break;
	case ICSK_TIME_PROBE0:
		r->timer = TIMER_PROBE0;
		r->unanswered = icsk->icsk_probes_out;
		r->expires = retransmit_expires(tp) - now;
		break;
	default:
		if (pending) {
			r->timer = TIMER_KEEPALIVE;
			r->unanswered = icsk->icsk_probes_out;
			r->expires = expires - now;
		}
	}
}

#define flag(type, word, field) \
	((__u64)(word) << __CORE_RELO((struct type *)0, field, LSHIFT_U64) >> 63)

/* When the clock began by which the kernel gives up. That is no sum of waits: it
 * takes doublings back when something answers "unreachable", and does not double
 * where this host itself drops what it sends. Source: net/ipv4/tcp_timer.c,
 * retransmits_timed_out, tcp_probe_timer. */
static __always_inline void clock(struct row *r, struct tcp_sock *tp, __u64 now)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	__u32 began, word = 0;
	__u64 ns;

	if (r->timer == TIMER_PROBE0) {
		if (!bpf_core_field_exists(icsk->icsk_probes_tstamp))
			return;
		began = icsk->icsk_probes_tstamp;
		r->spent = (__u32)now - began;
	} else if (r->timer == TIMER_RETRANSMIT) {
		began = tp->retrans_stamp;
		ns = bpf_ktime_get_ns();
		r->spent = (__u32)(ns / 1000000) - began;
		if (bpf_core_field_exists(tp->tcp_usec_ts)) {
			bpf_probe_read_kernel(&word, sizeof(word), (void *)tp +
				bpf_core_field_offset(struct tcp_sock, tcp_usec_ts));
			if (flag(tcp_sock, word, tcp_usec_ts))
				r->spent = ((__u32)(ns / 1000) - began) / 1000;
		}
	} else {
		return;
	}
	r->flags |= began ? RUNNING : STOPPED;
}

/* Whether a socket is a subflow to its program. is_mptcp alone does not tell: a
 * client keeps it when the server does not speak MPTCP, and is TCP all the same.
 * One that fell back later, which takes a middlebox that rewrites segments, is
 * taken for a subflow. Source: net/mptcp/subflow.c, subflow_finish_connect;
 * net/mptcp/protocol.c, mptcp_early_fallback. */
static __always_inline int is_subflow(struct tcp_sock *tp, __u8 state)
{
	__u32 word = 0;

	if (!bpf_core_field_exists(tp->is_mptcp) || !tp->is_mptcp)
		return 0;
	/* Four bits of one word. BPF_CORE_READ_BITFIELD_PROBED would take five
	 * relocations for each, 0.1 ms in all. */
	bpf_probe_read_kernel(&word, sizeof(word), tp->inet_conn.icsk_ulp_data +
		bpf_core_field_offset(struct mptcp_subflow_context, mp_capable));
	if (state == TCP_SYN_SENT || state == TCP_LISTEN)
		return flag(mptcp_subflow_context, word, request_mptcp) || flag(mptcp_subflow_context, word, request_join);
	return flag(mptcp_subflow_context, word, mp_capable) || flag(mptcp_subflow_context, word, mp_join);
}

static __always_inline void full_socket(struct row *r, struct tcp_sock *tp, __u64 now)
{
	struct inet_connection_sock *icsk = &tp->inet_conn;
	struct inet_sock *inet = &icsk->icsk_inet;
	__u32 data, ack;

	r->flags = FULL;
	if (inet->sk.sk_socket)
		r->inode = bpf_core_field_exists(inet->sk.sk_ino) ? inet->sk.sk_ino : inode(inet->sk.sk_socket);
	if (inet->sk.__sk_common.skc_flags >> SOCK_KEEPOPEN & 1)
		r->flags |= KEEPALIVE;
	if (is_subflow(tp, r->state))
		r->flags |= MPTCP;
	timers(r, tp, now);
	r->time = tp->keepalive_time;
	r->intvl = tp->keepalive_intvl;
	r->probes = tp->keepalive_probes;
	r->user_timeout = icsk->icsk_user_timeout;
	r->rto = icsk->icsk_rto;
	r->backoff = icsk->icsk_backoff;
	/* include/net/tcp.h, keepalive_time_elapsed */
	data = (__u32)now - icsk->icsk_ack.lrcvtime;
	ack = (__u32)now - tp->rcv_tstamp;
	r->idle = data < ack ? data : ack;
	r->data = data;
	r->syn_retries = icsk->icsk_syn_retries;
	if (bpf_core_field_exists(icsk->icsk_rto_max))
		r->rto_max = icsk->icsk_rto_max;
	if (!tp->snd_wnd)
		r->flags |= CLOSED;
	clock(r, tp, now);
	if (bpf_core_field_exists(inet->sk.sk_cgrp_data.cgroup)) {
		struct cgroup *cgroup = inet->sk.sk_cgrp_data.cgroup;

		if (cgroup)
			r->cgroup = cgroup->kn->id;
	}
}

SEC("iter/tcp")
int rows(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	struct tcp_timewait_sock *tw = NULL;
	struct tcp_request_sock *req = NULL;
	struct tcp_sock *tp;
	struct row r = {};
	__u64 now;

	if (!skc) /* the call after the last socket */
		return 0;
	r.state = skc->skc_state;
	r.local_port = skc->skc_num;
	r.remote_port = bpf_ntohs(skc->skc_dport);
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp) {
		/* A minisock: what is left of a socket, or not one yet. They have
		 * the state that sock_diag shows: FIN-WAIT-2 or TIME-WAIT, and
		 * SYN-RECV. */
		if (r.state == TCP_TIME_WAIT) {
			tw = bpf_skc_to_tcp_timewait_sock(skc);
			if (!tw)
				return 0;
			r.state = tw->tw_sk.tw_substate;
		} else if (r.state == TCP_NEW_SYN_RECV) {
			req = bpf_skc_to_tcp_request_sock(skc);
			if (!req)
				return 0;
			r.state = TCP_SYN_RECV;
		} else {
			return 0;
		}
	}
	if (!wanted(r.state, r.local_port, r.remote_port))
		return 0;

	r.cookie = bpf_get_socket_cookie(skc);
	r.uid = ctx->uid;
	r.family = skc->skc_family;
	if (r.family == AF_INET6) {
		const __u64 *local = (void *)&skc->skc_v6_rcv_saddr;
		const __u64 *remote = (void *)&skc->skc_v6_daddr;

		r.local[0] = local[0];
		r.local[1] = local[1];
		r.remote[0] = remote[0];
		r.remote[1] = remote[1];
	} else {
		r.local[0] = skc->skc_rcv_saddr;
		r.remote[0] = skc->skc_daddr;
	}

	now = bpf_jiffies64();
	if (tp) {
		full_socket(&r, tp, now);
	} else if (tw) {
		r.timer = TIMER_TIME_WAIT;
		r.expires = tw->tw_sk.tw_timer.expires - now;
	} else if (req) {
		r.timer = TIMER_RETRANSMIT;
		r.unanswered = req->req.req.num_retrans;
		r.expires = req->req.req.rsk_timer.expires - now;
	}
	bpf_seq_write(ctx->meta->seq, &r, sizeof(r));
	return 0; /* 1 would show the same socket again, for ever */
}

/* The number of a process in the PID namespace of the reader, who is the current
 * task. Source: kernel/pid.c, pid_nr_ns. By helper and not by loads: the verifier
 * looks up the name of a type, at 0.15 ms, for each pointer that is loaded from
 * one that it trusts. */
static __always_inline __u32 pid_in_namespace(struct task_struct *task)
{
	struct task_struct *reader = (void *)bpf_get_current_task();
	unsigned int level = BPF_CORE_READ(reader, thread_pid, level);
	struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
	int nr = 0;

	/* Not &pid->numbers[level].nr: the compiler would take the size of struct
	 * upid from kernel.h. */
	bpf_probe_read_kernel(&nr, sizeof(nr), (void *)&pid->numbers +
		level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr));
	return nr;
}

/* Read without the lock: who asks for one that is held waits for as long. Of an
 * MPTCP socket what it has queued moves: its sequence numbers are in a type that
 * shares a slot, see "slots" in bpf_test.go. */
static __always_inline __u32 locked(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet_conn.icsk_inet;
	__u32 moves;

	if (!BPF_CORE_READ(inet, sk.sk_lock.owned))
		return 0;
	if (BPF_CORE_READ(inet, sk.sk_protocol) == IPPROTO_MPTCP)
		moves = BPF_CORE_READ(inet, sk.sk_wmem_queued) + BPF_CORE_READ(inet, sk.sk_backlog.rmem_alloc.counter);
	else
		moves = BPF_CORE_READ(tp, write_seq) + BPF_CORE_READ(tp, snd_una) +
			BPF_CORE_READ(tp, rcv_nxt) + BPF_CORE_READ(tp, copied_seq);
	return moves << 1 | 1;
}

SEC("iter/task_file")
int owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket_alloc *alloc;
	__u16 family;
	struct owner o = {};

	if (!task || !file) /* the call after the last file */
		return 0;
	/* All that is known of a socket is in struct sock, but to look there would
	 * cost the most of this program. What is a stream socket of the internet
	 * here and not TCP or MPTCP is never looked for. */
	alloc = (void *)bpf_sock_from_file(file);
	if (!alloc || alloc->socket.type != SOCK_STREAM)
		return 0;
	family = alloc->socket.ops->family;
	if (family != AF_INET && family != AF_INET6)
		return 0;

	o.inode = inode((void *)alloc);
	o.pid = query.pidns ? pid_in_namespace(task) : (__u32)task->tgid;
	o.fd = ctx->fd;
	o.locked = locked((void *)alloc->socket.sk);
	__builtin_memcpy(o.comm, &task->comm, sizeof(o.comm));
	bpf_seq_write(ctx->meta->seq, &o, sizeof(o));
	return 0;
}
