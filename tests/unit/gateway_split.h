/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Messages that become several: the copies of a verdict as whole messages,
 * and what is in them. For inclusion after gateway_world.h.
 */
#ifndef TESTS_UNIT_GATEWAY_SPLIT_H
#define TESTS_UNIT_GATEWAY_SPLIT_H

#include "tests/unit/gateway_world.h"

#include "keystore/held.h"
#include "smime/cms.h"
#include "smime/codec.h"
#include "smime/header.h"

/* Outgoing, by a logged-in author; copies may differ. */
static UNUSED void split_seal(struct world *w, const char *from,
    const char *to, const char *text)
{
	world_envelope(w, from, to);
	w->env.forced = DIR_OUTBOUND;
	w->env.auth = ENV_AUTH_CALLER;
	w->env.can_split = w->env.can_hold = true;
	world_message(w, text);
	world_run(w);
}

/* What the last run made, as it comes in elsewhere; copies may differ. */
static UNUSED void split_open(struct world *w, const char *from,
    const char *to, struct view text)
{
	world_envelope(w, from, to);
	w->env.forced = DIR_INBOUND;
	w->env.can_split = w->env.can_hold = true;
	world_message_view(w, text);
	world_run(w);
}

static UNUSED int group_of(const struct world *w, const char *who)
{
	for (size_t i = 0; i < w->v.rcpts; i++)
		if (strcmp(w->v.rcpt[i].address, who) == 0)
			return w->v.rcpt[i].group;
	fail_msg("%s is no recipient", who);
	return 0;
}

static UNUSED enum outcome outcome_of(const struct world *w, const char *who)
{
	for (size_t i = 0; i < w->v.rcpts; i++)
		if (strcmp(w->v.rcpt[i].address, who) == 0)
			return w->v.rcpt[i].outcome;
	fail_msg("%s is no recipient", who);
	return OUT_REFUSED;
}

static UNUSED const struct copy *copy_of(const struct world *w, int group)
{
	for (size_t i = 0; i < w->v.copy_n; i++)
		if (w->v.copy[i].group == group)
			return &w->v.copy[i];
	return NULL;
}

/* What a recipient is sent: out is to be freed. */
static UNUSED void message_of(const struct world *w, const char *who,
    struct buf *out)
{
	int group = group_of(w, who);
	const struct copy *c = copy_of(w, group);
	struct sink to = sink_to_buf(out);

	buf_init(out, 64u << 20);
	if (c == NULL) {
		assert_int_equal(w->v.here, group);
		buf_putv(out, buf_view(&w->out));
	} else {
		assert_int_equal(c->kind, COPY_SENT);
		assert_int_equal(spool_copy(w->v.copies, c->off, c->off +
		    c->size, &to, NULL), 0);
	}
	assert_int_equal(buf_ok(out, NULL), 0);
}

static UNUSED bool buf_has(const struct buf *b, const char *s)
{
	return memmem(b->p, b->n, s, strlen(s)) != NULL;
}

/* The header without the trace field on top, if it is ours. */
static UNUSED struct view header_of(const struct buf *m)
{
	const unsigned char *end = memmem(m->p, m->n, "\r\n\r\n", 4);
	struct view v;
	size_t n = 0;

	assert_non_null(end);
	v = view_make(m->p, (size_t)(end - m->p));
	if (!view_istarts(v, "Received:"))
		return v;
	do
		n = view_chr(v, '\n', n) + 1;
	while (n < v.n && (v.p[n] == ' ' || v.p[n] == '\t'));
	return view_sub(v, n, v.n - n);
}

/* Identifiers of a message's RecipientInfos, one after the other. */
static UNUSED size_t rids_of(const struct buf *m, struct buf *ids)
{
	struct spool *s = NULL;
	struct cms *c = NULL;
	struct header h;
	struct err e = {0};
	size_t n;

	assert_int_equal(spool_new(&s, 1u << 30, NULL), 0);
	assert_int_equal(spool_write(s, m->p, m->n, NULL), 0);
	assert_int_equal(header_read(&h, s, 0, m->n, NULL), 0);
	if (cms_read(&c, s, h.body_off, m->n, CTE_BASE64, &e) != 0)
		fail_msg("%s", e.msg);
	n = cms_rids(c);
	for (size_t i = 0; ids != NULL && i < n; i++)
		buf_putv(ids, cms_rid(c, i)->id);
	cms_free(&c);
	header_free(&h);
	spool_free(&s);
	return n;
}

/* The copy of that recipient, opened by him. */
static UNUSED void read_as(struct world *w, const char *from,
    const char *who)
{
	struct buf m;

	message_of(w, who, &m);
	world_open_view(w, from, who, buf_view(&m));
	buf_free(&m);
}

/* A certificate to hold mail for. */
static UNUSED void can_hold(struct world *w)
{
	struct cert *c = NULL;

	if (keystore_held_make(w->ks, buf_view(&w->secret), time(NULL), &c,
	    &w->e) != 0)
		fail_msg("%s", w->e.msg);
	cert_free(&c);
}

#endif
