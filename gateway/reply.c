/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The one table of replies (REQUIREMENTS F.4).
 */
#include "gateway/reply.h"

#include <string.h>

#include "gateway/texts.h"

struct reply {
	int code;
	const char *enhanced;
	enum text_id text; /* its sentence ends where the detail begins */
};

static const struct reply table[] = {
	[REPLY_NO_CERTIFICATE] = {550, "5.7.3", TEXT_NO_CERTIFICATE},
	[REPLY_DIFFERENT_BODIES] = {550, "5.7.3", TEXT_DIFFERENT_BODIES},
	[REPLY_NOT_ALLOWED] = {550, "5.7.1", TEXT_NOT_ALLOWED},
	[REPLY_NO_SIGNING_CERT] = {550, "5.7.5", TEXT_NO_SIGNING_CERT},
	[REPLY_ALGORITHM] = {550, "5.7.6", TEXT_ALGORITHM},
	[REPLY_REFUSED_BY_RULE] = {550, "5.7.1", TEXT_REFUSED_BY_RULE},
	[REPLY_RECIPIENT] = {553, "5.1.3", TEXT_RECIPIENT},
	[REPLY_MALFORMED] = {554, "5.6.0", TEXT_MALFORMED},
	[REPLY_TOO_LARGE] = {552, "5.3.4", TEXT_TOO_LARGE},
	[REPLY_CLEAR_ANSWER] = {550, "5.7.1", TEXT_CLEAR_ANSWER},
	[REPLY_NOT_VERIFIED] = {550, "5.7.1", TEXT_NOT_VERIFIED},
	[REPLY_VERIFY_LATER] = {451, "4.7.5", TEXT_VERIFY_LATER},
	[REPLY_KEYS_AWAY] = {451, "4.7.5", TEXT_KEYS_AWAY},
	[REPLY_DIRECTORY_AWAY] = {451, "4.4.3", TEXT_DIRECTORY_AWAY},
	[REPLY_OVERLOAD] = {451, "4.3.2", TEXT_OVERLOAD},
	[REPLY_INTERNAL] = {451, "4.3.0", TEXT_INTERNAL},
};

/* A reply line holds 512 octets with code and CRLF (RFC 5321 4.5.3.1.5),
 * and the milter library takes 980 octets for each of its lines (M9). We
 * stay below the latter; the milter cuts lines as its library wants. */
#define REPLY_TEXT 900

/* Only what every client shows: others might break the session (A30). */
static void put_plain(struct buf *b, const char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		buf_putc(b, c < 32 || c > 126 ? '?' : c);
	}
}

void reply_set(struct verdict *v, enum reply_case c, const char *detail)
{
	const struct reply *r = &table[c];
	struct buf b;
	size_t n;

	buf_init(&b, 1u << 20);
	texts_ascii(texts_get(v->texts, r->text), &b);
	if (detail != NULL && *detail != '\0') {
		buf_puts(&b, ": ");
		put_plain(&b, detail);
	}
	n = b.n;
	if (n > REPLY_TEXT)
		n = REPLY_TEXT;
	memset(v->text, 0, sizeof(v->text));
	memcpy(v->text, buf_str(&b), n);
	if (b.n > n)
		memcpy(v->text + n - 3, "...", 3);
	buf_clear(&b);
	if (v->id[0] != '\0')
		buf_printf(&b, " (id %s)", v->id);
	memcpy(v->text + n, buf_str(&b), b.n);
	buf_free(&b);

	v->code = r->code;
	memset(v->enhanced, 0, sizeof(v->enhanced));
	memcpy(v->enhanced, r->enhanced, strlen(r->enhanced));
	v->action = r->code < 500 ? ACT_DEFERRED : ACT_REJECTED;
}

/*
 * The text says nothing of the fault itself: that is for the log. What will
 * not change is a 5xx, what may is a 4xx (M10).
 */
void reply_from_err(struct verdict *v, const struct err *e)
{
	switch (e->kind) {
	case FAIL_INPUT:
		reply_set(v, REPLY_MALFORMED, e->msg);
		return;
	case FAIL_LIMIT:
		reply_set(v, REPLY_MALFORMED, e->msg);
		return;
	case FAIL_POLICY:
		reply_set(v, REPLY_ALGORITHM, e->msg);
		return;
	case FAIL_TEMP:
	case FAIL_CONFIG:
	case FAIL_BUG:
		break;
	}
	reply_set(v, REPLY_INTERNAL, NULL);
}
