/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: lines of Dovecot's authentication protocol. What is taken can
 * be shown in a log, belongs to a request, and fits; and what we write has
 * no more lines and fields than it should.
 */
#include "relay/dovecot.h"
#include "tests/fuzz/fuzz.h"
#include "util/utf8.h"

static void check_reply(const struct dovecot_reply *r)
{
	struct view user = view_of(r->user);
	size_t i;

	MUST(r->word >= DOVECOT_OTHER && r->word <= DOVECOT_FAIL);
	MUST(user.n < DOVECOT_NAME && utf8_is_valid(user));
	for (i = 0; i < user.n; i++)
		MUST(user.p[i] >= ' ' && user.p[i] != 0x7f);
	MUST(user.n == 0 || r->word == DOVECOT_OK);
	MUST(r->data.n == 0 || r->word == DOVECOT_CONT);
	if (r->word == DOVECOT_OK || r->word == DOVECOT_CONT ||
	    r->word == DOVECOT_FAIL)
		MUST(r->id != 0);
	else
		MUST(r->id == 0);
}

static size_t count(struct view v, int c)
{
	size_t n = 0, at = 0;

	while ((at = view_chr(v, c, at)) != (size_t)-1) {
		n++;
		at++;
	}
	return n;
}

/* A name from elsewhere in our own line. */
static void check_request(struct view v)
{
	struct dovecot_who who = { .ip = "192.0.2.1" };
	char name[DOVECOT_NAME];
	struct buf b;
	struct err e;

	if (view_cstr(v, name, sizeof(name)) != 0)
		return;
	who.cert_user = name;
	buf_init(&b, 2 * DOVECOT_LINE);
	MUST(dovecot_put_auth(&b, 7, "PLAIN", &who, &v, &e) == 0);
	MUST(count(buf_view(&b), '\n') == 1 && b.p[b.n - 1] == '\n');
	MUST(count(buf_view(&b), '\t') == 9);
	MUST(count(buf_view(&b), '\r') == 0);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n), line;
	struct dovecot_reply r;
	struct err e;
	size_t end;

	dovecot_reply_init(&r);
	while (v.n > 0) {
		end = view_chr(v, '\n', 0);
		line = view_sub(v, 0, end);
		v = end == (size_t)-1 ? view_make(NULL, 0) :
		    view_sub(v, end + 1, v.n);
		if (dovecot_reply_parse(&r, line, &e) == 0)
			check_reply(&r);
		else
			MUST(e.kind == FAIL_INPUT);
		check_request(line);
	}
	dovecot_reply_free(&r);
	return 0;
}
