/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The tree that the MIME reader makes of a message, as lines of text. With
 * the argument "-" it prints the tree of standard input and is the other
 * half of tests/e2e/mime_trees_test.py, which compares it with what another
 * parser says; without, it tests that the lines say what they should.
 */
#include "smime/mime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smime/codec.h"
#include "util/caps.h"

#define BIG (64u << 20)

struct row {
	char number[64];
	char type[128];
	char defect[128];
	uint64_t start, body, end;
	enum cte cte;
	int depth;
	bool is_leaf;
};

struct tree {
	struct row *row; /* in the order of the parts' headers */
	size_t rows;
	size_t open[CAP_MIME_DEPTH + 1]; /* row at each depth */
};

static int grow(struct tree *t, const struct mime_part *p, struct err *e)
{
	struct row *r;

	if (t->rows > CAP_MIME_PARTS || p->depth > CAP_MIME_DEPTH)
		return err_set(e, FAIL_BUG, "more parts than the cap");
	t->open[p->depth] = t->rows;
	r = &t->row[t->rows++];
	memcpy(r->number, p->number, sizeof(r->number));
	memcpy(r->type, p->ctype->type, sizeof(r->type));
	r->cte = p->ctype->cte;
	r->depth = p->depth;
	r->is_leaf = p->is_leaf;
	return 0;
}

static int take_event(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	struct tree *t = arg;
	struct row *r;

	(void)data;
	if (ev == MIME_PART)
		return grow(t, p, e);
	if (ev != MIME_END)
		return 0;
	r = &t->row[t->open[p->depth]];
	r->start = p->start;
	r->body = p->body;
	r->end = p->end;
	return view_cstr(view_sub(view_of(p->defect), 0,
	    sizeof(r->defect) - 1), r->defect, sizeof(r->defect));
}

/* What a leaf says, decoded, in hexadecimal digits. */
static int put_content(const struct spool *s, const struct row *r,
    struct buf *out, struct err *e)
{
	struct buf b;
	struct sink to = sink_to_buf(&b);
	int rc;

	buf_init(&b, BIG);
	rc = codec_decode(s, r->body, r->end, r->cte, &to, NULL, e);
	buf_putc(out, ' ');
	for (size_t i = 0; rc == 0 && i < b.n; i++)
		buf_printf(out, "%02x", b.p[i]);
	buf_free(&b);
	return rc;
}

/*
 * One line a part: number or 0, type, offsets of header, body and end, then
 * "+" for what has parts, else the decoded body in hexadecimal digits; then
 * "! DEFECT" if there is one. A last line "! DEFECT" for the whole.
 */
static int print_tree(const struct spool *s, struct buf *out, struct err *e)
{
	struct tree t = {NULL, 0, {0}};
	struct mime_handler h = {&t, take_event};
	struct mime_findings f;
	int rc = -1;

	t.row = calloc(CAP_MIME_PARTS + 1, sizeof(*t.row));
	if (t.row == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	if (mime_read(s, 0, spool_size(s), true, &h, &f, e) != 0)
		goto out;
	for (size_t i = 0; i < t.rows; i++) {
		const struct row *r = &t.row[i];

		buf_printf(out, "%s %s %llu %llu %llu",
		    r->number[0] ? r->number : "0", r->type,
		    (unsigned long long)r->start, (unsigned long long)r->body,
		    (unsigned long long)r->end);
		if (!r->is_leaf)
			buf_puts(out, " +");
		else if (put_content(s, r, out, e) != 0)
			goto out;
		if (r->defect[0] != '\0')
			buf_printf(out, " ! %s", r->defect);
		buf_putc(out, '\n');
	}
	if (f.defect[0] != '\0')
		buf_printf(out, "! %s\n", f.defect);
	rc = buf_ok(out, e);
out:
	free(t.row);
	return rc;
}

/* ---- as a program ---- */

static int read_stdin(struct spool *s, struct err *e)
{
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
		if (spool_write(s, chunk, n, e) != 0)
			return -1;
	return 0;
}

static int print_stdin(void)
{
	struct spool *s = NULL;
	struct buf out;
	struct err e;
	int rc;

	buf_init(&out, BIG);
	rc = spool_new(&s, BIG, &e);
	if (rc == 0)
		rc = read_stdin(s, &e);
	if (rc == 0)
		rc = print_tree(s, &out, &e);
	if (rc == 0)
		fwrite(out.p, 1, out.n, stdout);
	else
		fprintf(stderr, "%s\n", e.msg);
	spool_free(&s);
	buf_free(&out);
	return rc == 0 ? 0 : 1;
}

/* ---- as a test ---- */

static void expect(const char *in, const char *want)
{
	struct spool *s = NULL;
	struct buf out;
	struct err e;

	buf_init(&out, BIG);
	assert_int_equal(spool_new(&s, BIG, &e), 0);
	assert_int_equal(spool_write(s, in, strlen(in), &e), 0);
	assert_int_equal(print_tree(s, &out, &e), 0);
	assert_string_equal(buf_str(&out), want);
	buf_free(&out);
	spool_free(&s);
}

static void defects_are_said(void **state)
{
	(void)state;
	expect("Content-Type: text/plain\r\nContent-Type: text/html\r\n\r\n",
	    "0 text/plain 0 53 53 "
	    " ! Content-Type: given twice (RFC 2045 3)\n"
	    "! Content-Type: given twice (RFC 2045 3)\n");
}

static void leaves_are_decoded(void **state)
{
	(void)state;
	expect("Content-Transfer-Encoding: base64\r\n\r\nYWJj\r\n",
	    "0 text/plain 0 37 43 616263\n");
	expect("Content-Transfer-Encoding: quoted-printable\r\n\r\n=61b=\r\n"
	       "c",
	    "0 text/plain 0 47 55 616263\n");
}

static void parts_have_numbers_and_offsets(void **state)
{
	(void)state;
	expect("Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	       "--b\r\n\r\nabc\r\n"
	       "--b\r\nContent-Type: message/rfc822\r\n\r\n\r\nabc\r\n"
	       "--b--\r\n",
	    "0 multipart/mixed 0 45 108 +\n"
	    "1 text/plain 50 52 55 616263\n"
	    "2 message/rfc822 62 94 99 +\n"
	    "2.1 text/plain 94 96 99 616263\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defects_are_said),
		cmocka_unit_test(leaves_are_decoded),
		cmocka_unit_test(parts_have_numbers_and_offsets),
	};

	if (argc == 2 && strcmp(argv[1], "-") == 0)
		return print_stdin();
	return cmocka_run_group_tests_name("smime_mime_trees", tests, NULL,
	    NULL);
}
