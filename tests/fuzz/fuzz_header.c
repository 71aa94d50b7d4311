/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: header sections, the structural fields and their parameters.
 * The input is a header section, and also one field value.
 */
#include "smime/params.h"
#include "smime/scan.h"
#include "tests/fuzz/fuzz.h"
#include "util/caps.h"

static bool is_within(struct view inner, struct view outer)
{
	return inner.n == 0 || (inner.p >= outer.p &&
	    inner.p + inner.n <= outer.p + outer.n);
}

/* Every octet of the section belongs to one field. */
static void check_fields(const struct header *h)
{
	struct view text = buf_view(&h->text);
	const unsigned char *p = text.p;
	struct buf b;

	buf_init(&b, CAP_HEADER_SECTION);
	for (size_t i = 0; i < h->n; i++) {
		const struct field *f = &h->field[i];

		MUST(f->whole.n > 0 && f->whole.p == p);
		MUST(is_within(f->whole, text));
		MUST(is_within(f->name, f->whole));
		MUST(is_within(f->value, f->whole));
		MUST(view_chr(f->name, ':', 0) == (size_t)-1);
		p += f->whole.n;
		buf_clear(&b);
		field_unfold(f, &b);
		MUST(b.n <= f->value.n && !b.failed);
		MUST(view_chr(buf_view(&b), '\n', 0) == (size_t)-1);
	}
	MUST(p == text.p + text.n);
	buf_free(&b);
}

static void check_lower(const char *s)
{
	for (; *s != '\0'; s++)
		MUST(*s < 'A' || *s > 'Z');
}

static void check_ctype(const struct ctype *ct)
{
	MUST(memchr(ct->type, 0, sizeof(ct->type)) != NULL);
	MUST(memchr(ct->filename, 0, sizeof(ct->filename)) != NULL);
	MUST(memchr(ct->defect, 0, sizeof(ct->defect)) != NULL);
	MUST(ct->params <= CAP_MIME_PARAMS && ct->type[0] != '\0');
	check_lower(ct->type);
	for (size_t i = 0; i < ct->params; i++) {
		check_lower(ct->param[i].name);
		MUST(ctype_param(ct, ct->param[i].name) != NULL);
		/* one reading, or a defect */
		MUST(ctype_param(ct, ct->param[i].name) ==
		    ct->param[i].value || ct->defect[0] != '\0');
	}
}

static void compare_ctypes(const struct ctype *a, const struct ctype *b)
{
	MUST(strcmp(a->type, b->type) == 0 && a->cte == b->cte);
	MUST(strcmp(a->filename, b->filename) == 0);
	MUST(strcmp(a->defect, b->defect) == 0);
	MUST(a->is_attachment == b->is_attachment);
	MUST(a->params == b->params);
	for (size_t i = 0; i < a->params; i++)
		MUST(strcmp(a->param[i].name, b->param[i].name) == 0 &&
		    strcmp(a->param[i].value, b->param[i].value) == 0);
}

/* A milter gets LF, a file has CRLF: it is the same section. */
static void check_crlf(const struct header *h, const struct ctype *ct)
{
	struct buf b;
	struct sink to = sink_to_buf(&b);
	struct crlf x = { to, false };
	struct sink in = crlf_sink(&x);
	struct header h2;
	struct ctype ct2;
	struct err e;

	buf_init(&b, 2 * CAP_HEADER_SECTION);
	MUST(sink_put(&in, h->text.p, h->text.n, &e) == 0 && !b.failed);
	if (header_parse(&h2, buf_view(&b), &e) == 0) {
		MUST(h2.n == h->n && h2.has_nul == h->has_nul);
		MUST(h2.has_junk == h->has_junk);
		for (size_t i = 0; i < h->n; i++)
			MUST(view_eq(h->field[i].name, h2.field[i].name));
		MUST(ctype_read(&ct2, &h2, &e) == 0);
		compare_ctypes(ct, &ct2);
		ctype_free(&ct2);
	} else {
		MUST(e.kind == FAIL_LIMIT);
	}
	header_free(&h2);
	buf_free(&b);
}

static void run_section(const struct spool *s)
{
	struct header h, h2;
	struct ctype ct;
	struct err e;

	if (header_read(&h, s, 0, spool_size(s), &e) != 0) {
		MUST(e.kind == FAIL_LIMIT);
		header_free(&h);
		return;
	}
	MUST(h.body_off <= spool_size(s) && h.text.n <= h.body_off);
	check_fields(&h);
	MUST(header_parse(&h2, buf_view(&h.text), &e) == 0);
	MUST(h2.n == h.n && h2.has_junk == h.has_junk);
	header_free(&h2);
	MUST(ctype_read(&ct, &h, &e) == 0);
	check_ctype(&ct);
	if (!h.has_bare_cr)
		check_crlf(&h, &ct);
	ctype_free(&ct);
	header_free(&h);
}

static void run_value(struct view v, bool is_type)
{
	struct params p;
	bool odd = false;
	size_t pos = 0;
	struct err e;

	MUST(params_read(&p, v, is_type, &e) == 0);
	MUST(p.n <= CAP_MIME_PARAMS);
	check_lower(p.head);
	for (size_t i = 0; i < p.n; i++)
		MUST(params_get(&p, p.param[i].name) != NULL);
	params_free(&p);
	if (cfws_skip(v, &pos, &odd) == 0)
		MUST(pos <= v.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);
	struct spool *s;

	if (n > FUZZ_INPUT)
		return 0;
	s = fuzz_spool(v);
	run_section(s);
	run_value(v, true);
	run_value(v, false);
	spool_free(&s);
	return 0;
}
