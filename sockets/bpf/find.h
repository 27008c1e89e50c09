/* SPDX-License-Identifier: (MIT OR GPL-2.0-only) */
#ifndef TCPKA_FIND_H
#define TCPKA_FIND_H

/* Asks the kernel for the number of a function's type: the loader's question,
 * because a program that is an iterator has to name it. Go: lookUp. */
struct lookup {
	char name[24];
	__s64 id; /* or a negative errno */
	__u64 once; /* the walk of iter/tcp goes on by cookie, not by position */
};

SEC("syscall")
int find(struct lookup *ctx)
{
	char name[sizeof(ctx->name)];

	__builtin_memcpy(name, ctx->name, sizeof(name));
	/* The series that made it so took this member away. What it brought, union
	 * bpf_tcp_iter_batch_item, shares a slot: see "slots" in bpf_test.go. */
	ctx->once = bpf_core_type_exists(struct bpf_tcp_iter_state) &&
		!bpf_core_field_exists(struct bpf_tcp_iter_state, st_bucket_done);
	ctx->id = bpf_btf_find_by_name_kind(name, sizeof(name), BTF_KIND_FUNC, 0);
	return 0;
}

#endif
