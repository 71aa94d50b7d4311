/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * also lines: what somebody's name finds, and those that ask only of the
 * message, which are looked at once for all recipients. Whatever a sender
 * writes can get his message more protection and never less (A51).
 */
#include "gateway/also.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/authority.h"
#include "gateway/kinds.h"
#include "gateway/rules_int.h"

enum known { NOT_KNOWN, HOLDS, HOLDS_NOT };

struct looker {
	struct txn *t;
	const struct rules *r;
	bool is_unread;
	bool may_trigger; /* the sender may use triggers */
	unsigned char *known; /* per also line, of what it asks of the mail */
	bool *is_trigger;     /* whose trigger is in the message */
	uint32_t *candidate;  /* lines that may hold, of a direction */
	size_t candidates;
	bool *is_candidate;
	struct buf subjects;  /* folded, a line each */
	bool has_subjects;
	struct kinds kinds;
	bool has_kinds;
	/* lines without anybody's name that hold, of each direction */
	struct also_lines common[DIR_INTERNAL + 1];
	bool has_common[DIR_INTERNAL + 1];
};

/* ---- what a line asks of the message ---- */

static int read_subjects(struct looker *l, struct err *e)
{
	const struct field *f;

	if (l->has_subjects)
		return 0;
	l->has_subjects = true;
	for (size_t n = 0; (f = header_get(&l->t->h, "Subject", n)) != NULL;
	    n++) {
		if (trigger_read(f, &l->subjects, e) != 0)
			return -1;
		buf_putc(&l->subjects, '\n');
	}
	return buf_ok(&l->subjects, e);
}

static int ask_subject(struct looker *l, const struct look *k, struct err *e)
{
	if (k->subjects == 0)
		return 1;
	if (read_subjects(l, e) != 0)
		return -1;
	for (size_t i = 0; i < k->subjects && l->subjects.n > 0; i++)
		if (memmem(l->subjects.p, l->subjects.n, k->subject[i],
		    strlen(k->subject[i])) != NULL)
			return 1;
	return 0;
}

/* Any field of the name, with any of the texts. */
static int ask_field(struct looker *l, const struct header_look *k,
    struct err *e)
{
	const struct field *f;
	int rc;

	for (size_t n = 0; (f = header_get(&l->t->h, k->name, n)) != NULL;
	    n++) {
		if (k->texts == 0)
			return 1;
		for (size_t i = 0; i < k->texts; i++) {
			rc = trigger_is_in(f, k->text[i], e);
			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

static int read_kinds(struct looker *l, struct err *e)
{
	if (l->has_kinds)
		return 0;
	l->has_kinds = true;
	if (kinds_read(&l->kinds, l->t->msg, e) != 0)
		return -1;
	if (l->kinds.unclear != NULL)
		txn_warn(l->t, "every line about attachments counts: %s",
		    l->kinds.unclear);
	return 0;
}

static int ask_kinds(struct looker *l, const struct look *k, struct err *e)
{
	if (k->kinds == 0)
		return 1;
	if (read_kinds(l, e) != 0)
		return -1;
	for (size_t i = 0; i < k->kinds; i++)
		if (kinds_has(&l->kinds, k->kind[i]))
			return 1;
	return 0;
}

/* What costs least first. 1, 0, -1. */
static int ask(struct looker *l, const struct look *k, struct err *e)
{
	int rc = 1;

	if (l->is_unread)
		return 1;
	if (k->classes != 0 && (k->classes & 1u << l->t->v->class) == 0)
		return 0;
	if (k->has_size && spool_size(l->t->msg) <= k->over)
		return 0;
	for (size_t i = 0; i < k->headers && rc == 1; i++)
		rc = ask_field(l, &k->header[i], e);
	if (rc == 1)
		rc = ask_subject(l, k, e);
	return rc != 1 ? rc : ask_kinds(l, k, e);
}

static int holds(struct looker *l, uint32_t n, struct err *e)
{
	int rc;

	if (l->known[n] == NOT_KNOWN) {
		rc = ask(l, &l->r->also[n].look, e);
		if (rc < 0)
			return -1;
		l->known[n] = rc == 1 ? HOLDS : HOLDS_NOT;
	}
	return l->known[n] == HOLDS;
}

/* ---- what it adds ---- */

static int note_line(struct verdict_rcpt *r, const struct rule *line,
    struct err *e)
{
	struct rule_ref *more;

	more = reallocarray(r->also, r->alsos + 1, sizeof(*more));
	if (more == NULL)
		return err_set(e, FAIL_TEMP, "also lines: out of memory");
	r->also = more;
	more[r->alsos++] = line->ref;
	return 0;
}

/* In the envelope it holds for recipient i, or may. */
static int add_line(struct looker *l, size_t i, const struct also_line *a,
    struct err *e)
{
	struct verdict_rcpt *r = &l->t->v->rcpt[i];
	const struct rule *line = &l->r->also[a->n];
	bool is_trigger = line->treatment.remove_trigger, is_more;
	const char *given_up;

	if (a->unknown != NULL)
		r->wanted.unknown = a->unknown;
	if (is_trigger)
		l->is_trigger[a->n] = true;
	if (is_trigger && !l->may_trigger)
		return 0;
	is_more = treatment_strengthen(&r->wanted, line, &given_up);
	if (given_up != NULL)
		txn_warn(l->t, "%s: line %d says store-encrypted, so it is "
		    "not opened although line %d says %s", r->address,
		    line->ref.line, r->rule.line, given_up);
	if (is_trigger)
		r->wanted.remove_trigger = true;
	return is_more || is_trigger ? note_line(r, line, e) : 0;
}

/* ---- lines that nobody's name finds ---- */

static int add_candidate(void *arg, uint32_t n)
{
	struct looker *l = arg;

	if (l->is_candidate[n])
		return 0;
	l->is_candidate[n] = true;
	l->candidate[l->candidates++] = n;
	return 0;
}

static void add_by(struct looker *l, enum direction d, enum look_by by,
    const char *name, struct view text)
{
	(void)look_index_each(l->r->looks, look_key(d, by, name, text),
	    add_candidate, l);
}

/* Every few octets of the text, wherever a line's own may stand. */
static void add_grams(struct looker *l, enum direction d, enum look_by by,
    const char *name, struct view text)
{
	for (size_t i = 0; i + LOOK_GRAM <= text.n; i++)
		add_by(l, d, by, name, view_sub(text, i, LOOK_GRAM));
}

static int add_by_field(struct looker *l, enum direction d,
    const struct field *f, struct err *e)
{
	const struct view none = view_of("");
	struct buf b;
	char name[80];
	int rc;

	if (view_cstr(view_trim(f->name), name, sizeof(name)) != 0)
		return 0; /* longer than any that a line can name */
	add_by(l, d, LOOK_FIELD, name, none);
	if (!look_index_has(l->r->looks, look_key(d, LOOK_TEXTS, name, none)))
		return 0;
	buf_init(&b, 8 * CAP_HEADER_FIELD);
	rc = trigger_read(f, &b, e);
	add_grams(l, d, LOOK_HEADER, name, buf_view(&b));
	buf_free(&b);
	return rc;
}

static int add_by_kinds(struct looker *l, enum direction d, struct err *e)
{
	const struct view none = view_of("");
	struct view all;
	size_t n;

	if (!look_index_has(l->r->looks, look_key(d, LOOK_KINDS, NULL, none)))
		return 0;
	if (read_kinds(l, e) != 0)
		return -1;
	if (l->kinds.unclear != NULL)
		add_by(l, d, LOOK_KINDS, NULL, none);
	all = buf_view(&l->kinds.types);
	while ((n = view_chr(all, '\n', 0)) != (size_t)-1) {
		size_t slash = view_chr(all, '/', 0);

		add_by(l, d, LOOK_KIND, NULL, view_sub(all, 0, n));
		if (slash < n)
			add_by(l, d, LOOK_KIND, NULL,
			    view_sub(all, 0, slash + 1));
		all = view_sub(all, n + 1, all.n);
	}
	return 0;
}

static int find_candidates(struct looker *l, enum direction d, struct err *e)
{
	const char class[2] = {(char)('a' + (int)l->t->v->class), '\0'};
	const struct view none = view_of("");

	add_by(l, d, LOOK_ALWAYS, NULL, none);
	add_by(l, d, LOOK_CLASS, class, none);
	if (read_subjects(l, e) != 0)
		return -1;
	add_grams(l, d, LOOK_SUBJECT, NULL, buf_view(&l->subjects));
	for (size_t i = 0; i < l->t->h.n; i++)
		if (add_by_field(l, d, &l->t->h.field[i], e) != 0)
			return -1;
	return add_by_kinds(l, d, e);
}

/* All of them, where nothing of the message is known. */
static void take_all(struct looker *l, enum direction d)
{
	const struct posting *p = rules_index_find(l->r->also_index,
	    POSTING_PLACE(d, POSTING_OTHER), WHO_ADDRESS, "");

	for (uint32_t run = p == NULL ? 0 : p->run; run > 0; run--, p++)
		(void)add_candidate(l, p->n);
}

static int compare_numbers(const void *va, const void *vb)
{
	const uint32_t *a = va, *b = vb;

	return *a < *b ? -1 : *a > *b;
}

static int add_common(struct looker *l, enum direction d, struct err *e)
{
	struct also_lines *c = &l->common[d];

	l->has_common[d] = true;
	l->candidates = 0;
	if (l->is_unread)
		take_all(l, d);
	else if (find_candidates(l, d, e) != 0)
		return -1;
	if (l->candidates == 0)
		return 0;
	qsort(l->candidate, l->candidates, sizeof(*l->candidate),
	    compare_numbers);
	c->line = calloc(l->candidates, sizeof(*c->line));
	if (c->line == NULL)
		return err_set(e, FAIL_TEMP, "also lines: out of memory");
	for (size_t i = 0; i < l->candidates; i++) {
		int rc = holds(l, l->candidate[i], e);

		if (rc < 0)
			return -1;
		if (rc == 1)
			c->line[c->n++].n = l->candidate[i];
	}
	return 0;
}

/* Both lists in the order of the file: of two texts to refuse with the first
 * one counts. */
static int add_both(struct looker *l, size_t i, const struct rule_input *in,
    const struct also_lines *named, struct err *e)
{
	const struct also_lines *c = &l->common[in->direction];
	size_t a = 0, b = 0;
	int rc = 0;

	while (rc == 0 && (a < named->n || b < c->n)) {
		struct also_line x;

		if (b == c->n || (a < named->n &&
		    named->line[a].n <= c->line[b].n)) {
			b += b < c->n && named->line[a].n == c->line[b].n;
			x = named->line[a++];
			rc = holds(l, x.n, e);
		} else {
			x = c->line[b++];
			rc = rules_also_holds(l->r, in, x.n, &x.unknown);
		}
		if (rc == 1)
			rc = add_line(l, i, &x, e);
	}
	return rc;
}

static int add_all(struct looker *l, struct err *e)
{
	struct txn *t = l->t;
	struct also_lines named = {0};
	struct rule_input in;
	int rc = 0;

	for (size_t i = 0; i < t->v->rcpts && rc == 0; i++) {
		txn_rule_input(t, i, &in);
		if (!l->has_common[in.direction])
			rc = add_common(l, in.direction, e);
		if (rc == 0)
			rc = rules_also_named(l->r, &in, &named, e);
		if (rc == 0)
			rc = add_both(l, i, &in, &named, e);
	}
	free(named.line);
	return rc;
}

/* ---- triggers ---- */

/* A trigger is an order to the gateway, so it takes who may give one: whoever
 * logged in, or comes from a host that is known (A33). */
static bool may_trigger(const struct txn *t)
{
	const struct config *c = t->g->config;

	if (t->env->auth != ENV_AUTH_NONE)
		return true;
	for (size_t i = 0; i < c->outbounds; i++)
		if (net_has(&c->outbound[i], t->env->client_ip))
			return true;
	return t->has_from && t->env->client_ip != NULL &&
	    authority_may_sign(c, NULL, t->env->client_ip, &t->from);
}

static int cut(struct looker *l, const struct look *k, struct err *e)
{
	for (size_t i = 0; i < k->subjects; i++)
		if (trigger_cut_subject(l->t, k->subject[i], e) != 0)
			return -1;
	for (size_t i = 0; i < k->headers; i++)
		if (trigger_cut_field(l->t, k->header[i].name, e) != 0)
			return -1;
	return 0;
}

static int cut_triggers(struct looker *l, struct err *e)
{
	bool any = false;

	for (size_t n = 0; n < l->r->alsos && !l->is_unread; n++) {
		if (!l->is_trigger[n])
			continue;
		any = true;
		if (cut(l, &l->r->also[n].look, e) != 0)
			return -1;
	}
	if (any && !l->may_trigger)
		txn_warn(l->t, "a trigger of somebody who did not log in was "
		    "removed, and had no effect");
	return 0;
}

int also_apply(struct txn *t, bool is_unread, struct err *e)
{
	struct looker l = {.t = t, .r = t->g->rules, .is_unread = is_unread};
	int rc = -1;

	if (l.r->alsos == 0)
		return 0;
	buf_init(&l.subjects, 16u << 20);
	l.may_trigger = may_trigger(t);
	l.known = calloc(l.r->alsos, sizeof(*l.known));
	l.is_trigger = calloc(l.r->alsos, sizeof(*l.is_trigger));
	l.candidate = calloc(l.r->alsos, sizeof(*l.candidate));
	l.is_candidate = calloc(l.r->alsos, sizeof(*l.is_candidate));
	if (l.known == NULL || l.is_trigger == NULL || l.candidate == NULL ||
	    l.is_candidate == NULL)
		err_set(e, FAIL_TEMP, "also lines: out of memory");
	else
		rc = add_all(&l, e);
	if (rc == 0)
		rc = cut_triggers(&l, e);
	if (is_unread)
		txn_warn(t, "the message was not looked at: what also lines "
		    "ask of it was taken for given");
	for (size_t d = 0; d < ARRAY_LEN(l.common); d++)
		free(l.common[d].line);
	if (l.has_kinds)
		kinds_free(&l.kinds);
	buf_free(&l.subjects);
	free(l.known);
	free(l.is_trigger);
	free(l.candidate);
	free(l.is_candidate);
	return rc;
}
