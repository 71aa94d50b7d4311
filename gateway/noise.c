/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A look at every octet of decrypted content for blocks of noise.
 */
#include "gateway/noise.h"

#include "smime/mime.h"
#include "util/find.h"

struct look {
	bool is_noise;
	int more; /* octets that this UTF-8 character still has */
};

static bool is_odd_control(unsigned char c)
{
	return (c < 32 && c != '\t' && c != '\n' && c != '\r' && c != '\f' &&
	    c != '\v' && c != '\b' && c != 27) || c == 127;
}

/* One octet of UTF-8; overlong forms and surrogates are let pass: noise has
 * worse. */
static bool is_utf8_octet(struct look *l, unsigned char c)
{
	if (l->more > 0) {
		l->more--;
		return c >= 0x80 && c < 0xc0;
	}
	if (c < 0x80)
		return true;
	l->more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
	return c >= 0xc2 && c <= 0xf4;
}

static void look_at(struct look *l, struct view v, bool is_8bit)
{
	for (size_t i = 0; i < v.n && !l->is_noise; i++) {
		if (l->more == 0)
			i += find_text_end(view_sub(v, i, v.n));
		if (i < v.n)
			l->is_noise = is_odd_control(v.p[i]) ||
			    (!is_8bit && !is_utf8_octet(l, v.p[i]));
	}
}

/* A character that has not come to its end. */
static void end_text(struct look *l)
{
	if (l->more > 0)
		l->is_noise = true;
	l->more = 0;
}

static void look_at_header(struct look *l, const struct header *h)
{
	if (h->has_nul || h->has_junk)
		l->is_noise = true;
	for (size_t i = 0; i < h->n && !l->is_noise; i++) {
		look_at(l, h->field[i].whole, false);
		end_text(l);
	}
}

/* Stops the reader, which is no failure, at the first odd octet. */
static int on_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data, struct err *e)
{
	struct look *l = arg;
	enum cte cte = part->ctype == NULL ? CTE_7BIT : part->ctype->cte;

	switch (ev) {
	case MIME_PART:
		end_text(l);
		look_at_header(l, part->header);
		break;
	case MIME_BODY:
		if (cte != CTE_BINARY)
			look_at(l, data,
			    cte == CTE_8BIT || cte == CTE_UNKNOWN);
		break;
	case MIME_PREAMBLE:
		look_at(l, data, cte == CTE_8BIT || cte == CTE_BINARY);
		break;
	case MIME_DELIMITER:
	case MIME_END:
		end_text(l);
		break;
	}
	return l->is_noise ? err_set(e, FAIL_INPUT, "noise") : 0;
}

int noise_look(const struct spool *s, bool *is_noise, struct err *e)
{
	struct look l = {0};
	const struct mime_handler h = {&l, on_event};
	struct mime_findings f;
	struct err local = {0};
	int rc;

	rc = mime_read(s, 0, spool_size(s), false, &h, &f, &local);
	*is_noise = l.is_noise;
	if (rc == 0 || !err_is_ours(&local))
		return 0;
	*e = local;
	return -1;
}
