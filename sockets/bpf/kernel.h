/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
/*
 * The kernel's types, cut down to the members that sockets.c reads. Offsets
 * here mean nothing: every access is relocated to the running kernel's layout
 * when the program is loaded (CO-RE). A member that some kernels lack is asked
 * for with bpf_core_field_exists before it is read; kernel versions are never
 * looked at, because members moved inside stable series.
 *
 * Sources: include/net/sock.h, inet_connection_sock.h, inet_timewait_sock.h,
 * request_sock.h; include/linux/tcp.h, net.h, pid.h, sched.h, cgroup-defs.h,
 * kernfs.h; net/mptcp/protocol.h; net/ipv4/tcp_ipv4.c.
 */
#ifndef TCPKA_KERNEL_H
#define TCPKA_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16, __be16, __sum16;
typedef unsigned int __u32, __be32, __wsum;
typedef short __s16;
typedef int __s32;
typedef unsigned long long __u64;
typedef long long __s64;

/* include/uapi/linux/in.h, socket.h */
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_MPTCP 262

/* include/uapi/asm-generic/socket.h, include/uapi/linux/tcp.h: options */
#define SOL_SOCKET 1
#define SO_KEEPALIVE 9
#define SOL_TCP 6
#define TCP_KEEPIDLE 4  /* s */
#define TCP_KEEPINTVL 5 /* s */
#define TCP_KEEPCNT 6
#define TCP_USER_TIMEOUT 18 /* ms */

/* include/net/tcp_states.h */
#define TCP_SYN_SENT 2
#define TCP_SYN_RECV 3
#define TCP_TIME_WAIT 6
#define TCP_LISTEN 10
#define TCP_NEW_SYN_RECV 12

/* include/net/inet_connection_sock.h: what the retransmit timer runs for */
#define ICSK_TIME_RETRANS 1
#define ICSK_TIME_PROBE0 3
#define ICSK_TIME_LOSS_PROBE 5
#define ICSK_TIME_REO_TIMEOUT 6

/* include/net/sock.h, enum sock_flags */
#define SOCK_KEEPOPEN 3

/* include/uapi/linux/btf.h */
#define BTF_KIND_FUNC 12

/* The contexts are interfaces with a fixed layout: not relocated.
 * Source: net/ipv4/tcp_ipv4.c, kernel/bpf/task_iter.c. */
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
	__u32 uid __attribute__((aligned(8)));
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd __attribute__((aligned(8)));
	struct file *file;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct hlist_node {
	struct hlist_node **pprev;
};

struct timer_list {
	struct hlist_node entry; /* pprev is NULL unless the timer is pending */
	unsigned long expires;   /* jiffies */
};

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	struct in6_addr skc_v6_daddr, skc_v6_rcv_saddr;
	unsigned long skc_flags;
	struct {
		__s64 counter;
	} skc_cookie; /* 0: nobody asked for it yet */
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

/* Read by way of the struct that it begins: see "slots" in bpf_test.go. */
struct sock {
	struct sock_common __sk_common;
	struct timer_list sk_timer;             /* the keepalive timer, or */
	struct timer_list tcp_retransmit_timer; /* this one's namesake since 6.19 */
	struct socket *sk_socket;               /* NULL: no file, or not any more */
	unsigned long sk_ino;                   /* since 6.18 */
	struct {
		struct cgroup *cgroup;
	} sk_cgrp_data;
	struct {
		int owned;                      /* a process has the lock */
	} sk_lock;
	struct {
		struct {
			int counter;
		} rmem_alloc;
	} sk_backlog;
	int sk_wmem_queued;
	__u16 sk_protocol;
};

struct inet_sock {
	struct sock sk;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	unsigned long icsk_timeout;                /* until 6.18 */
	struct timer_list icsk_retransmit_timer;   /* until 6.19 */
	struct timer_list icsk_keepalive_timer;    /* 6.19, and stable releases */
	const void *icsk_ulp_ops;                  /* NULL: nothing between it and its file */
	void *icsk_ulp_data;                       /* of an MPTCP subflow: struct mptcp_subflow_context */
	__u32 icsk_rto;                            /* jiffies */
	__u32 icsk_user_timeout;                   /* ms */
	__u8 icsk_retransmits;
	__u8 icsk_pending;
	__u8 icsk_probes_out;
	__u8 icsk_backoff;
	__u8 icsk_syn_retries;                     /* 0: the sysctl */
	__u32 icsk_rto_max;                        /* jiffies; since 6.15 */
	__u32 icsk_probes_tstamp;                  /* jiffies; 0: no window probe yet; since 5.11 */
	struct {
		__u32 lrcvtime;                    /* jiffies */
	} icsk_ack;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 write_seq, snd_una, rcv_nxt, copied_seq;
	__u32 rcv_tstamp;                          /* jiffies */
	__u32 snd_wnd;                             /* 0: the peer takes no more */
	__u32 retrans_stamp;                       /* ms, or us; 0: nothing is retransmitted */
	__u8 tcp_usec_ts : 1;                      /* us; since 6.7 */
	unsigned int keepalive_time;               /* jiffies; 0: the sysctl */
	unsigned int keepalive_intvl;              /* jiffies; 0: the sysctl */
	__u8 keepalive_probes;                     /* 0: the sysctl */
	_Bool is_mptcp;                            /* with CONFIG_MPTCP */
};

struct mptcp_subflow_context {
	__u32 request_mptcp : 1, /* it asks, or would */
		request_join : 1,
		mp_capable : 1,  /* and the peer has agreed */
		mp_join : 1;
};

struct bpf_tcp_iter_state {
	_Bool st_bucket_done; /* until 6.17 */
};

struct tcp_timewait_sock {
	struct {
		unsigned char tw_substate;
		struct timer_list tw_timer;
	} tw_sk;
};

struct tcp_request_sock {
	struct {
		struct {
			__u8 num_retrans;
			struct timer_list rsk_timer;
		} req;
	} req;
};

struct proto_ops {
	int family;
};

struct socket {
	short type;
	struct sock *sk;
	const struct proto_ops *ops;
};

struct socket_alloc {
	struct socket socket;
	struct {
		unsigned long i_ino;
	} vfs_inode;
};

struct pid {
	unsigned int level;
	struct upid {
		int nr;
	} numbers[];
};

struct task_struct {
	struct task_struct *group_leader;
	struct pid *thread_pid;
	int tgid;
	char comm[16];
};

#pragma clang attribute pop

#endif
