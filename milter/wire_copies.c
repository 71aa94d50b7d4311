/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The part of an answer about copies. A worker that was taken over must not
 * be able to drop a recipient, to add one, or to send octets that are not
 * its own.
 */
#include "milter/wire.h"

#include <stdlib.h>
#include <string.h>

#include "util/proc.h"

/* Copies together and the body that grew, each in times of a message. */
#define COPIES_TIMES 16
#define BODY_TIMES 4
#define SLACK (16u << 20)

static int malformed(struct err *e, const char *what)
{
	return err_set(e, FAIL_BUG, "message of a process: %s", what);
}

uint64_t answer_most(uint64_t max_message)
{
	if (max_message > UINT64_MAX / 64)
		return UINT64_MAX;
	return max_message * (COPIES_TIMES + BODY_TIMES) + SLACK;
}

/* What its recipients were told in the verdict. */
static const char *reason_of(const struct verdict *v, int group)
{
	for (size_t i = 0; i < v->rcpts; i++)
		if (v->rcpt[i].group == group && v->rcpt[i].reason[0] != '\0')
			return v->rcpt[i].reason;
	return "";
}

uint64_t wire_copies_end(const struct verdict *v)
{
	uint64_t end = 0;

	for (size_t i = 0; i < v->copy_n; i++)
		if (v->copy[i].off + v->copy[i].size > end)
			end = v->copy[i].off + v->copy[i].size;
	return end;
}

void wire_put_copies(struct buf *b, const struct verdict *v)
{
	size_t i;

	buf_put(b, v->content, sizeof(v->content));
	ipc_put_u8(b, v->has_message_id);
	ipc_put_u32(b, (uint32_t)v->copy_n);
	if (v->copy_n == 0)
		return;
	for (i = 0; i < v->copy_n; i++) {
		ipc_put_u8(b, (uint8_t)v->copy[i].kind);
		ipc_put_u32(b, (uint32_t)v->copy[i].group);
		ipc_put_u64(b, v->copy[i].off);
		ipc_put_u64(b, v->copy[i].size);
		ipc_put_u8(b, v->copy[i].ret_hdrs);
		ipc_put_u8(b, v->copy[i].by_tls);
		ipc_put_view(b, view_of(v->copy[i].kind == COPY_HELD ?
		    reason_of(v, v->copy[i].group) : ""));
	}
	ipc_put_u64(b, wire_copies_end(v));
	ipc_put_u32(b, (uint32_t)v->here);
	ipc_put_u8(b, v->may_tell);
	ipc_put_u32(b, (uint32_t)v->rcpts);
	for (i = 0; i < v->rcpts; i++)
		ipc_put_u32(b, (uint32_t)v->rcpt[i].group);
}

/* Groups are numbers up to that of the recipients. */
static int get_group(struct rd *r, uint32_t least, int *out)
{
	uint32_t x;

	if (rd_u32(r, &x) != 0 || x < least || x > CAP_RECIPIENTS)
		return -1;
	*out = (int)x;
	return 0;
}

static int get_copy(struct answer_copy *c, struct rd *r)
{
	uint8_t kind, ret, tls;
	struct view why;

	if (rd_u8(r, &kind) != 0 || kind > COPY_HELD ||
	    get_group(r, 1, &c->copy.group) != 0 ||
	    rd_u64(r, &c->copy.off) != 0 || rd_u64(r, &c->copy.size) != 0 ||
	    c->copy.size == 0 || rd_u8(r, &ret) != 0 || ret > 1 ||
	    rd_u8(r, &tls) != 0 || tls > 1 ||
	    (tls == 1 && kind != COPY_SENT) ||
	    ipc_get_view(r, &why) != 0 ||
	    view_cstr(why, c->reason, sizeof(c->reason)) != 0)
		return -1;
	c->copy.kind = (enum copy_kind)kind;
	c->copy.ret_hdrs = ret == 1;
	c->copy.by_tls = tls == 1;
	return 0;
}

static int get_groups(struct answer *a, struct rd *r, struct err *e)
{
	uint32_t n, i;

	if (rd_u32(r, &n) != 0 || n == 0 || n > CAP_RECIPIENTS)
		return malformed(e, "groups of recipients");
	a->group = calloc(n, sizeof(*a->group));
	if (a->group == NULL)
		return err_set(e, FAIL_TEMP, "groups: out of memory");
	a->groups = n;
	for (i = 0; i < n; i++)
		if (get_group(r, 1, &a->group[i]) != 0)
			return malformed(e, "group of a recipient");
	return 0;
}

static int get_message(struct answer *a, struct rd *r)
{
	struct view content;
	uint8_t has_id;

	if (rd_take(r, sizeof(a->content), &content) != 0 ||
	    rd_u8(r, &has_id) != 0 || has_id > 1)
		return -1;
	memcpy(a->content, content.p, sizeof(a->content));
	a->has_message_id = has_id == 1;
	return 0;
}

static int get_here(struct answer *a, struct rd *r)
{
	uint8_t tell;

	if (rd_u64(r, &a->body_at) != 0 || get_group(r, 0, &a->here) != 0 ||
	    rd_u8(r, &tell) != 0 || tell > 1)
		return -1;
	a->may_tell = tell == 1;
	return 0;
}

int wire_get_copies(struct answer *a, struct rd *r, struct err *e)
{
	uint32_t n, i;

	if (get_message(a, r) != 0 || rd_u32(r, &n) != 0 ||
	    n > CAP_RECIPIENTS)
		return malformed(e, "number of copies");
	if (n == 0)
		return 0;
	a->copy = calloc(n, sizeof(*a->copy));
	if (a->copy == NULL)
		return err_set(e, FAIL_TEMP, "copies: out of memory");
	a->copies = n;
	for (i = 0; i < n; i++)
		if (get_copy(&a->copy[i], r) != 0)
			return malformed(e, "copy");
	if (get_here(a, r) != 0)
		return malformed(e, "copies");
	return get_groups(a, r, e);
}

/* In which copy is a group? Every one is in one place. */
static int place_groups(const struct answer *a, unsigned char *uses,
    size_t groups, struct err *e)
{
	size_t i;

	for (i = 0; i < a->copies; i++) {
		size_t g = (size_t)a->copy[i].copy.group;

		if (g > groups || (int)g == a->here || uses[g] != 0)
			return malformed(e, "a group with two bodies");
		uses[g] = 1;
	}
	if (a->here > 0)
		uses[a->here] = 1;
	for (i = 0; i < a->groups; i++) {
		size_t g = (size_t)a->group[i];

		if (g > groups || uses[g] == 0)
			return malformed(e, "a recipient without a body");
		uses[g] = 2;
	}
	for (i = 1; i <= groups; i++)
		if (uses[i] == 1)
			return malformed(e, "a body without recipients");
	return 0;
}

static int check_octets(const struct answer *a, struct err *e)
{
	const struct copy *c;

	if (a->body == NULL || a->body_at > spool_size(a->body) ||
	    (!a->has_body && a->body_at != spool_size(a->body)))
		return malformed(e, "octets of copies");
	for (size_t i = 0; i < a->copies; i++) {
		c = &a->copy[i].copy;
		if (c->off > a->body_at || c->size > a->body_at - c->off)
			return malformed(e, "a copy beyond its octets");
		if (c->kind != COPY_HELD && a->action == ACT_QUARANTINED)
			return malformed(e, "a copy that is not held");
	}
	return 0;
}

int answer_check(const struct answer *a, size_t rcpts, struct err *e)
{
	unsigned char *uses;
	int rc;

	if (a->copies == 0)
		return a->has_body == (a->body != NULL) ? 0 : err_set(e,
		    FAIL_BUG, "body and verdict do not fit");
	if (a->groups != rcpts)
		return malformed(e, "groups of other recipients");
	if (check_octets(a, e) != 0)
		return -1;
	/* one number for each recipient at most, and 0 */
	uses = calloc(CAP_RECIPIENTS + 1, 1);
	if (uses == NULL)
		return err_set(e, FAIL_TEMP, "groups: out of memory");
	rc = place_groups(a, uses, CAP_RECIPIENTS, e);
	free(uses);
	return rc;
}
