/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Every leaf of the MIME tree, those of attached messages among them. A rule
 * about attachments must not be avoided by mail that programs read in
 * different ways, so whatever is not plain is reported as unclear.
 */
#include "gateway/kinds.h"

#include <errno.h>
#include <magic.h>
#include <string.h>

#include "smime/codec.h"
#include "smime/mime.h"
#include "smime/shape.h"
#include "util/caps.h"

static magic_t cookie; /* one for each process: loading takes milliseconds */

int kinds_open(struct err *e)
{
	if (cookie != NULL)
		return 0;
	/* All that it may be, not the likeliest alone: a file can be a
	 * picture to one program and a document to another. */
	cookie = magic_open(MAGIC_MIME_TYPE | MAGIC_CONTINUE | MAGIC_RAW);
	if (cookie == NULL)
		return err_set(e, FAIL_TEMP, "libmagic: out of memory");
	if (magic_load(cookie, NULL) == 0)
		return 0;
	err_set(e, FAIL_CONFIG, "libmagic: %s", magic_error(cookie));
	kinds_close();
	return -1;
}

void kinds_close(void)
{
	if (cookie != NULL)
		magic_close(cookie);
	cookie = NULL;
}

struct reader {
	struct kinds *out;
	struct buf start; /* of the leaf at hand, decoded */
	size_t left;	  /* of CAP_KIND_MESSAGE */
	enum cte cte;
	bool is_text; /* by its label */
	struct b64_dec b64;
	struct qp_dec qp;
};

static void note_unclear(struct reader *r, const char *why)
{
	if (r->out->unclear == NULL)
		r->out->unclear = why;
}

static bool has_type(const struct kinds *k, struct view type, bool is_family)
{
	struct view all = buf_view(&k->types);
	size_t n;

	while ((n = view_chr(all, '\n', 0)) != (size_t)-1) {
		struct view line = view_sub(all, 0, n);

		if (view_eq(line, type) || (is_family && line.n > type.n &&
		    view_eq(view_sub(line, 0, type.n), type)))
			return true;
		all = view_sub(all, n + 1, all.n);
	}
	return false;
}

bool kinds_has(const struct kinds *k, const char *type)
{
	struct view v = view_of(type);

	return k->unclear != NULL ||
	    has_type(k, v, v.n > 0 && v.p[v.n - 1] == '/');
}

static void note_type(struct reader *r, struct view type)
{
	if (type.n == 0 || has_type(r->out, type, false))
		return;
	buf_putv(&r->out->types, type);
	buf_putc(&r->out->types, '\n');
}

/* "image/gif\n- application/pdf\n- application/octet-stream": the last says
 * that it is something. */
static void note_answer(struct reader *r, const char *answer)
{
	struct view all = view_of(answer);
	bool is_first = true;
	size_t n;

	do {
		struct view line;

		n = view_chr(all, '\n', 0);
		line = view_sub(all, 0, n == (size_t)-1 ? all.n : n);
		if (view_istarts(line, "- "))
			line = view_sub(line, 2, line.n);
		if (is_first ||
		    !view_eq_str(line, "application/octet-stream"))
			note_type(r, line);
		/* an attached file of mail, shown by its name */
		if (!r->is_text && view_istarts(line, "message/"))
			note_unclear(r, "a part is a message that is not "
			    "looked into");
		is_first = false;
		if (n != (size_t)-1)
			all = view_sub(all, n + 1, all.n);
	} while (n != (size_t)-1);
}

/* ContentInfo (RFC 5652 3) of id-signedData and the others near it. */
static bool is_cms(struct view v)
{
	static const unsigned char oid[] = {0x06, 0x09, 0x2a, 0x86, 0x48,
		0x86, 0xf7, 0x0d, 0x01, 0x07};
	static const unsigned char smime[] = {0x06, 0x0b, 0x2a, 0x86, 0x48,
		0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01};
	size_t n = v.n < 32 ? v.n : 32;

	return n > 0 && v.p[0] == 0x30 &&
	    (memmem(v.p, n, oid, sizeof(oid)) != NULL ||
	    memmem(v.p, n, smime, sizeof(smime)) != NULL);
}

/* "begin 644 NAME" or "begin-base64 644 NAME" on a line of its own: a file
 * within text, that some programs show as one (POSIX uuencode). */
static bool has_uuencoded(struct view v)
{
	static const char *const start[] = {"begin ", "begin-base64 "};
	const char *digits = "01234567";

	for (size_t at = 0; at < v.n;) {
		struct view line = view_sub(v, at, v.n - at);

		for (size_t i = 0; i < ARRAY_LEN(start); i++) {
			size_t k = strlen(start[i]), n = 0;

			if (line.n < k || memcmp(line.p, start[i], k) != 0)
				continue;
			while (n < 4 && k + n < line.n && line.p[k + n] != 0 &&
			    strchr(digits, line.p[k + n]) != NULL)
				n++;
			if (n >= 3 && k + n < line.n && line.p[k + n] == ' ')
				return true;
		}
		at = view_chr(v, '\n', at);
		if (at == (size_t)-1)
			return false;
		at++;
	}
	return false;
}

static int look(struct reader *r, const struct ctype *ct, struct err *e)
{
	static const char pdf[] = "%PDF-";
	struct view v = buf_view(&r->start);
	const char *answer;

	if (v.n == 0)
		return 0;
	if (is_cms(v) && !ctype_is(ct, "application/pkcs7-signature") &&
	    !ctype_is(ct, "application/x-pkcs7-signature"))
		note_unclear(r, "a part is sealed");
	if (r->is_text && has_uuencoded(v))
		note_unclear(r, "a part of text has a file in it");
	answer = magic_buffer(cookie, v.p, v.n);
	if (answer == NULL && magic_errno(cookie) == ENOMEM)
		return err_set(e, FAIL_TEMP, "libmagic: out of memory");
	if (answer == NULL)
		note_unclear(r, "libmagic cannot tell what a part is");
	else
		note_answer(r, answer);
	/* ISO 32000-1 H.3: readers look for it in the first 1024 octets. */
	if (memmem(v.p, v.n < 1024 ? v.n : 1024, pdf, sizeof(pdf) - 1) != NULL)
		note_type(r, view_of("application/pdf"));
	/* libmagic 5.46 takes every archive for mere octets */
	if (v.n >= 4 && memcmp(v.p, "PK\3\4", 4) == 0)
		note_type(r, view_of("application/zip"));
	return 0;
}

/* Programs show a message in a message in many ways (RFC 2046 5.2.2, RFC
 * 6532 3.7), and only message/rfc822 is gone into. Those of reports (RFC 6522)
 * are fields, and end there. */
static bool is_closed_message(const char *type)
{
	static const char *const fields[] = {"delivery-status",
	    "disposition-notification", "feedback-report", "global-headers",
	    "global-delivery-status", "global-disposition-notification"};

	if (strncmp(type, "message/", 8) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcmp(type + 8, fields[i]) == 0)
			return false;
	return true;
}

/* Takes what there is room for, and never fails for it. */
static int put(void *arg, const void *p, size_t n, struct err *e)
{
	struct reader *r = arg;
	size_t room = CAP_KIND_PART - r->start.n;

	buf_put(&r->start, p, n < room ? n : room);
	return buf_ok(&r->start, e);
}

static void begin_part(struct reader *r, const struct ctype *ct, bool is_leaf)
{
	const struct sink to = {put, r};

	if (ctype_is(ct, "multipart/encrypted"))
		note_unclear(r, "a part is encrypted");
	if (!is_leaf)
		return;
	/* multipart/signed is looked into; the rest of S/MIME is closed */
	if (shape_may_be(ct))
		note_unclear(r, "a part is sealed");
	if (is_closed_message(ct->type))
		note_unclear(r, "a part is a message that is not looked "
		    "into");
	if (ct->cte == CTE_UNKNOWN)
		note_unclear(r, "the encoding of a part is not known");
	buf_clear(&r->start);
	r->cte = ct->cte;
	r->is_text = strncmp(ct->type, "text/", 5) == 0;
	b64_dec_init(&r->b64, to);
	qp_dec_init(&r->qp, to);
}

static int decode(struct reader *r, struct view data, struct err *e)
{
	if (r->start.n >= CAP_KIND_PART)
		return 0;
	if (data.n > r->left) {
		note_unclear(r, "there is more content than is looked at");
		return 0;
	}
	r->left -= data.n;
	switch (r->cte) {
	case CTE_BASE64:
		return b64_dec_put(&r->b64, data.p, data.n, e);
	case CTE_QP:
		return qp_dec_put(&r->qp, data.p, data.n, e);
	default:
		return put(r, data.p, data.n, e);
	}
}

/* Programs go on behind padding, skip what does not belong there, or stop:
 * they do not see the same. In text that is of no matter. */
static int end_part(struct reader *r, const struct ctype *ct, struct err *e)
{
	if (r->start.n < CAP_KIND_PART && r->cte == CTE_BASE64 &&
	    b64_dec_end(&r->b64, e) != 0)
		return -1;
	if (r->start.n < CAP_KIND_PART && r->cte == CTE_QP &&
	    qp_dec_end(&r->qp, e) != 0)
		return -1;
	if ((r->cte == CTE_BASE64 && r->b64.junk > 0) ||
	    (r->cte == CTE_QP && !r->is_text && r->qp.junk > 0))
		note_unclear(r, "the encoding of a part is broken");
	return look(r, ct, e);
}

static int on_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data, struct err *e)
{
	struct reader *r = arg;

	switch (ev) {
	case MIME_PART:
		begin_part(r, part->ctype, part->is_leaf);
		return 0;
	case MIME_BODY:
		return decode(r, data, e);
	case MIME_END:
		return part->is_leaf ? end_part(r, part->ctype, e) : 0;
	default:
		return 0;
	}
}

int kinds_read(struct kinds *out, const struct spool *s, struct err *e)
{
	struct reader r = {.out = out, .left = CAP_KIND_MESSAGE};
	const struct mime_handler h = {&r, on_event};
	struct mime_findings f = {0};
	int rc = 0;

	out->unclear = NULL;
	buf_init(&out->types, 256u << 10);
	if (kinds_open(e) != 0)
		return -1;
	buf_init(&r.start, CAP_KIND_PART);
	if (mime_read(s, 0, spool_size(s), true, &h, &f, e) != 0) {
		if (err_is_ours(e)) {
			rc = -1;
		} else {
			err_clear(e);
			note_unclear(&r, "the message has no single reading");
		}
	}
	if (f.defect[0] != '\0')
		note_unclear(&r, "the message has no single reading");
	buf_free(&r.start);
	return rc != 0 ? -1 : buf_ok(&out->types, e);
}

void kinds_free(struct kinds *k)
{
	buf_free(&k->types);
}
