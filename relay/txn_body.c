/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The octets of a message as they come: kept in a spool, the header watched
 * for loops and TLS-Required, and the digest that the ledger knows it by.
 */
#include <string.h>
#include <strings.h>

#include "relay/txn_int.h"
#include "util/log.h"
#include "util/ossl.h"

#define BLOCK 32768

static void end_value(struct header_watch *w)
{
	size_t n = w->value_n, at = 0;

	if (!w->is_value)
		return;
	w->is_value = false;
	while (n > 0 && (w->value[n - 1] == ' ' || w->value[n - 1] == '\t'))
		n--;
	while (at < n && (w->value[at] == ' ' || w->value[at] == '\t'))
		at++;
	w->says_no = !w->value_is_long && n - at == 2 &&
	    strncasecmp(w->value + at, "no", 2) == 0;
}

static void end_name(struct header_watch *w)
{
	w->is_field = false;
	w->name[w->name_n] = '\0';
	if (strcasecmp(w->name, "received") == 0)
		w->received++;
	if (strcasecmp(w->name, "tls-required") != 0)
		return;
	w->tls_required++;
	w->is_value = true;
	w->value_is_long = false;
	w->value_n = 0;
}

static void put_octet(struct header_watch *w, char c)
{
	if (w->is_start) {
		w->is_start = false;
		if (c == ' ' || c == '\t')
			return; /* folded: what is read goes on */
		end_value(w);
		w->is_field = true;
		w->name_n = 0;
	}
	if (w->is_field) {
		if (c == ':')
			end_name(w);
		else if (w->name_n + 1 >= sizeof(w->name))
			w->is_field = false;
		else if (c != ' ' && c != '\t')
			w->name[w->name_n++] = c;
	} else if (w->is_value) {
		if (w->value_n == sizeof(w->value))
			w->value_is_long = true;
		else
			w->value[w->value_n++] = c;
	}
}

/* The octets of a line that is of no interest, up to its end. */
static size_t dull_octets(const struct header_watch *w, struct view v,
    size_t at)
{
	size_t end;

	if (w->is_start || w->is_field || w->is_value)
		return at;
	end = view_chr(v, '\n', at);
	return end == (size_t)-1 ? v.n : end;
}

void header_watch_put(struct header_watch *w, struct view v)
{
	size_t i;

	for (i = dull_octets(w, v, 0); i < v.n && !w->is_over;
	    i = dull_octets(w, v, i + 1)) {
		if (v.p[i] == '\r')
			continue;
		if (v.p[i] != '\n') {
			put_octet(w, (char)v.p[i]);
		} else {
			w->is_over = w->is_start;
			if (w->is_over)
				end_value(w);
			w->is_start = true;
			w->is_field = false;
		}
	}
}

bool header_watch_no_tls(const struct header_watch *w)
{
	return w->tls_required == 1 && w->says_no;
}

void txn_begin(struct txn *t, struct view field)
{
	struct err e = { 0 };

	t->header.is_start = true;
	t->came_at = field.n;
	if (spool_new(&t->body, t->l->max_message + field.n, &e) == 0 &&
	    spool_write(t->body, field.p, field.n, &e) == 0)
		return;
	t->has_failed = true;
	log_err("event=no-spool id=%s error=\"%s\"", t->id, e.msg);
}

void txn_put(struct txn *t, struct view v)
{
	struct err e = { 0 };

	header_watch_put(&t->header, v);
	t->octets += v.n;
	if (t->octets > t->l->max_message)
		t->is_large = true;
	if (t->is_large || t->has_failed)
		return;
	if (spool_write(t->body, v.p, v.n, &e) == 0)
		return;
	t->has_failed = true;
	log_err("event=no-spool id=%s error=\"%s\"", t->id, e.msg);
}

uint64_t txn_octets(const struct txn *t)
{
	return t->octets;
}

/* A chain over blocks of fixed size, so that it does not depend on how the
 * octets came, and the whole need not be in memory. */
int txn_digest(const struct txn *t, unsigned char out[32], struct err *e)
{
	unsigned char p[32 + BLOCK];
	uint64_t at = t->came_at;
	size_t got = 0, n;

	memset(p, 0, 32);
	do {
		for (n = 0; n < BLOCK; n += got) {
			if (spool_read(t->body, at + n, p + 32 + n, BLOCK - n,
			    &got, e) != 0)
				return -1;
			if (got == 0)
				break;
		}
		ossl_sha256(p, 32 + n, out);
		memcpy(p, out, 32);
		at += n;
	} while (n == BLOCK);
	return 0;
}
