/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Copies of a message beside the one in its transaction: whole messages with
 * a trace field of ours (RFC 5321 4.4), sealed octets of what is held; and
 * what the message is recognised by when it is tried again.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"
#include "gateway/held.h"
#include "util/ossl.h"
#include "util/when.h"

/* ---- where they go ---- */

static int more_room(struct verdict *v, struct err *e)
{
	struct copy *bigger;

	if ((v->copy_n & (v->copy_n - 1)) != 0)
		return 0;
	bigger = reallocarray(v->copy, v->copy_n == 0 ? 4 : v->copy_n * 2,
	    sizeof(*v->copy));
	if (bigger == NULL)
		return err_set(e, FAIL_TEMP, "copies: out of memory");
	v->copy = bigger;
	return 0;
}

static int begin(struct txn *t, struct copy *c, struct err *e)
{
	struct verdict *v = t->v;

	if (more_room(v, e) != 0)
		return -1;
	if (v->copies == NULL && spool_new(&v->copies,
	    t->g->config->max_message * CAP_COPIES, e) != 0)
		return -1;
	c->off = spool_size(v->copies);
	return 0;
}

static void end(struct verdict *v, struct copy *c)
{
	c->size = spool_size(v->copies) - c->off;
	v->copy[v->copy_n++] = *c;
}

/* ---- sent ---- */

/* "[192.0.2.1]", RFC 5321 4.1.3; of nobody known, nothing. */
static void put_client(struct buf *b, const char *ip)
{
	unsigned char octets[16];

	if (ip == NULL)
		return;
	if (inet_pton(AF_INET, ip, octets) == 1)
		buf_printf(b, " from [%s]", ip);
	else if (inet_pton(AF_INET6, ip, octets) == 1)
		buf_printf(b, " from [IPv6:%s]", ip);
}

/* No "for": it would show one recipient of several, or a blind one. */
static int put_received(const struct txn *t, const struct sink *to,
    struct err *e)
{
	char when[WHEN_SIZE];
	struct buf b;
	int rc;

	buf_init(&b, 2048);
	buf_puts(&b, "Received:");
	put_client(&b, t->env->client_ip);
	buf_printf(&b, " by %s (postseal)\r\n\twith %s id %s;\r\n\t%s\r\n",
	    t->g->config->authserv_id,
	    t->env->auth == ENV_AUTH_LOGIN ? "ESMTPA" : "ESMTP",
	    t->v->id, when_mail(when, t->now));
	rc = buf_ok(&b, e);
	if (rc == 0)
		rc = sink_put(to, b.p, b.n, e);
	buf_free(&b);
	return rc;
}

int copies_add(struct txn *t, const struct verdict *x, int group,
    struct err *e)
{
	struct verdict *v = t->v;
	struct copy c = {.kind = COPY_SENT, .group = group,
	    .by_tls = txn_by_tls(t, group)};
	struct sink to;

	/* nobody sends it back in clear (S47, T57) */
	c.ret_hdrs = x->ret_hdrs || c.by_tls;

	if (begin(t, &c, e) != 0)
		return -1;
	to = spool_sink(v->copies);
	if (put_received(t, &to, e) == 0 &&
	    verdict_apply(x, t->msg, v->copies, e) == 0) {
		end(v, &c);
		return 0;
	}
	if (e->kind != FAIL_LIMIT)
		return -1;
	err_clear(e);
	reply_set(v, REPLY_TOO_LARGE,
	    "it needs too many different copies for its size");
	return 0;
}

/* ---- held ---- */

int copies_hold(struct txn *t, struct err *e)
{
	struct verdict *v = t->v;
	struct copy c = {.kind = COPY_HELD, .group = t->group};

	if (begin(t, &c, e) != 0)
		return -1;
	if (held_seal(t->g->ks, t->msg, t->now, v->copies, e) == 0) {
		end(v, &c);
		return 0;
	}
	if (e->kind != FAIL_LIMIT)
		return -1;
	err_clear(e);
	reply_set(v, REPLY_TOO_LARGE,
	    "it needs too many different copies for its size");
	return 0;
}

/* ---- the same message, tried again ---- */

#define BLOCK 65536

/* A chain of hashes, block by block. */
struct chain {
	unsigned char *p; /* 32 octets of the last, then a block */
	size_t n;
};

static void close_block(struct chain *c)
{
	if (c->n == 0)
		return;
	ossl_sha256(c->p, 32 + c->n, c->p);
	c->n = 0;
}

static int chain_put(void *arg, const void *p, size_t n, struct err *e)
{
	struct chain *c = arg;
	const unsigned char *s = p;

	(void)e;
	while (n > 0) {
		size_t k = n < BLOCK - c->n ? n : BLOCK - c->n;

		memcpy(c->p + 32 + c->n, s, k);
		c->n += k;
		s += k;
		n -= k;
		if (c->n == BLOCK)
			close_block(c);
	}
	return 0;
}

/* What its author wrote; each server on the way adds to the rest. */
static bool is_written(const struct field *f)
{
	static const char *const name[] = {"From", "Sender", "Reply-To",
	    "To", "Cc", "Bcc", "Subject", "Date", "Message-ID",
	    "In-Reply-To", "References"};

	for (size_t i = 0; i < ARRAY_LEN(name); i++)
		if (view_ieq_str(view_trim(f->name), name[i]))
			return true;
	return view_istarts(f->name, "Resent-") || field_is_mime(f);
}

/* Trace of ours below the field of this door: it went through us before, in
 * a circle or by another door. Mail that is tried again has no more of it
 * than it had; this one goes on and is no copy of that one. */
static bool is_passed(const struct txn *t, size_t i)
{
	static const char mark[] = "(postseal)";
	const struct field *f = &t->h.field[i];

	return (i > 0 || !t->env->whole) &&
	    view_ieq_str(view_trim(f->name), "Received") &&
	    memmem(f->value.p, f->value.n, mark, sizeof(mark) - 1) != NULL;
}

int copies_identify(struct txn *t, struct err *e)
{
	const char *from = t->env->mail_from;
	struct chain c = {calloc(1, 32 + BLOCK), 0};
	const struct sink to = {chain_put, &c};
	int rc = -1;

	if (c.p == NULL)
		return err_set(e, FAIL_TEMP, "copies: out of memory");
	if (sink_puts(&to, from == NULL ? "" : from, e) != 0 ||
	    sink_puts(&to, "\n", e) != 0)
		goto out;
	for (size_t i = 0; i < t->h.n; i++) {
		struct view w = t->h.field[i].whole;

		if ((is_written(&t->h.field[i]) || is_passed(t, i)) &&
		    sink_put(&to, w.p, w.n, e) != 0)
			goto out;
	}
	close_block(&c);
	if (spool_copy(t->msg, t->h.body_off, spool_size(t->msg), &to,
	    e) != 0)
		goto out;
	close_block(&c);
	memcpy(t->v->content, c.p, 32);
	t->v->has_message_id = header_count(&t->h, "Message-ID") != 0;
	rc = 0;
out:
	ossl_wipe(c.p, 32 + BLOCK);
	free(c.p);
	return rc;
}
