/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * mime.c: structure, offsets, defects, limits; and that the events do not
 * depend on how the input is cut.
 */
#include "smime/mime.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/caps.h"

/* Events as text: "P 1 text/plain", "B data", one a line; body events of
 * one run are joined, CR and LF written out. */
struct trace {
	struct buf b;
	enum mime_event last;
	bool with_offsets;
};

static void put_data(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\r')
			buf_puts(b, "<CR>");
		else if (v.p[i] == '\n')
			buf_puts(b, "<LF>");
		else
			buf_putc(b, v.p[i]);
	}
}

static int trace_event(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	static const char *const name[] = {"PART", "BODY", "REMARK", "DELIM",
	    "END"};
	struct trace *t = arg;
	bool joins = ev == t->last && (ev == MIME_BODY || ev == MIME_PREAMBLE);

	(void)e;
	if (!joins)
		buf_printf(&t->b, "%s%s %s", t->b.n > 0 ? "\n" : "", name[ev],
		    p->number[0] ? p->number : "0");
	if (!joins && ev == MIME_PART)
		buf_printf(&t->b, " %s%s", p->ctype->type,
		    p->is_leaf ? "" : " +");
	if (!joins && data.n > 0)
		buf_puts(&t->b, " ");
	put_data(&t->b, data);
	if (ev == MIME_DELIMITER && p->is_close)
		buf_puts(&t->b, " close");
	if (ev == MIME_END && p->is_unclosed)
		buf_puts(&t->b, " unclosed");
	if (ev == MIME_END && p->defect[0] != '\0')
		buf_printf(&t->b, " (%s)", p->defect);
	if (t->with_offsets && ev == MIME_END)
		buf_printf(&t->b, " @%d-%d-%d", (int)p->start, (int)p->body,
		    (int)p->end);
	if (t->with_offsets && ev == MIME_DELIMITER)
		buf_printf(&t->b, " @%d", (int)p->delim);
	t->last = ev;
	return 0;
}

struct reading {
	struct trace t;
	struct mime_findings found;
	struct err e;
	int rc;
};

static size_t cut_all(size_t left)
{
	return left;
}

static size_t cut_one(size_t left)
{
	(void)left;
	return 1;
}

static uint32_t seed = 1;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static size_t cut_random(size_t left)
{
	size_t n = rnd(3) == 0 ? 1 + rnd(1200) : 1 + rnd(9);

	return n < left ? n : left;
}

static void read_view(struct reading *x, struct view v, bool messages,
    bool with_offsets, size_t (*cut)(size_t left))
{
	struct mime_handler h = {&x->t, trace_event};
	struct mime_reader *r = NULL;

	memset(x, 0, sizeof(*x));
	x->t.last = MIME_END;
	x->t.with_offsets = with_offsets;
	buf_init(&x->t.b, 64u << 20);
	assert_int_equal(mime_reader_new(&r, messages, &h, &x->e), 0);
	while (v.n > 0 && x->rc == 0) {
		size_t n = cut(v.n);
		/* an own copy, so that the sanitizer sees the bounds */
		void *copy = malloc(n);

		assert_non_null(copy);
		memcpy(copy, v.p, n);
		x->rc = mime_reader_put(r, copy, n, &x->e);
		free(copy);
		v = view_sub(v, n, v.n);
	}
	if (x->rc == 0)
		x->rc = mime_reader_end(r, &x->found, &x->e);
	mime_reader_free(&r);
	assert_false(x->t.b.failed);
}

static void reading_free(struct reading *x)
{
	buf_free(&x->t.b);
}

static void expect(const char *in, bool messages, const char *want)
{
	struct reading x;

	read_view(&x, view_of(in), messages, false, cut_all);
	assert_int_equal(x.rc, 0);
	assert_string_equal(buf_str(&x.t.b), want);
	reading_free(&x);
}

static void expect_defect(const char *in, const char *want)
{
	struct reading x;

	read_view(&x, view_of(in), true, false, cut_all);
	assert_int_equal(x.rc, 0);
	if (*want == '\0')
		assert_string_equal(x.found.defect, "");
	else if (strstr(x.found.defect, want) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", x.found.defect, want);
	reading_free(&x);
}

#define MIXED(b) "Content-Type: multipart/mixed; boundary=\"" b "\"\r\n\r\n"

static void plain_message(void **state)
{
	(void)state;
	expect("Subject: x\r\n\r\n--a\r\nb", true,
	    "PART 0 text/plain\nBODY 0 --a<CR><LF>b\nEND 0");
	expect("Subject: x\n\nb\n", true,
	    "PART 0 text/plain\nBODY 0 b<LF>\nEND 0");
	expect("", true, "PART 0 text/plain\nEND 0");
	expect("\r\n", true, "PART 0 text/plain\nEND 0");
	expect("Subject: x", true, "PART 0 text/plain\nEND 0");
}

static void S13_line_end_before_a_delimiter_belongs_to_it(void **state)
{
	(void)state;
	expect(MIXED("b") "pre\r\n--b\r\n\r\nx\r\n\r\n--b \t\r\n\r\ny\n"
	       "--b--\r\nepi",
	    true,
	    "PART 0 multipart/mixed +\n"
	    "REMARK 0 pre\n"
	    "DELIM 0 <CR><LF>--b<CR><LF>\n"
	    "PART 1 text/plain\nBODY 1 x<CR><LF>\nEND 1\n"
	    "DELIM 0 <CR><LF>--b \t<CR><LF>\n"
	    "PART 2 text/plain\nBODY 2 y\nEND 2\n"
	    "DELIM 0 <LF>--b-- close\n"
	    "REMARK 0 <CR><LF>epi\nEND 0");
}

static void empty_parts(void **state)
{
	(void)state;
	expect(MIXED("b") "--b\r\n--b\r\n\r\n--b\r\n\r\n\r\n--b\r\n"
			  "Content-ID: <a>\r\n--b--",
	    true,
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 text/plain\nEND 1\nDELIM 0 --b<CR><LF>\n"
	    "PART 2 text/plain\nEND 2\nDELIM 0 --b<CR><LF>\n"
	    "PART 3 text/plain\nEND 3\nDELIM 0 <CR><LF>--b<CR><LF>\n"
	    "PART 4 text/plain\nEND 4\nDELIM 0 --b-- close\nEND 0");
}

static void offsets_bound_parts_as_RFC_1847_says(void **state)
{
	struct reading x;

	(void)state;
	read_view(&x, view_of("Content-Type: multipart/mixed; boundary=b\n\n"
			      "--b\r\n\r\nx\r\n--b\r\nA: b\r\n\r\n--b--\r\n"),
	    true, true, cut_all);
	assert_string_equal(buf_str(&x.t.b),
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF> @43\n"
	    "PART 1 text/plain\nBODY 1 x\nEND 1 @48-50-51\n"
	    "DELIM 0 <CR><LF>--b<CR><LF> @53\n"
	    /* The blank line is the line end of the delimiter. */
	    "PART 2 text/plain\nEND 2 @58-64-64\n"
	    "DELIM 0 --b-- close @66\nREMARK 0 <CR><LF>\nEND 0 @0-43-73");
	reading_free(&x);
}

/* attack A41: a boundary that is the beginning of another one
 * verdict: each delimiter belongs to its own multipart; text behind one is a
 * defect */
static void A41_prefix_boundaries_are_no_match(void **state)
{
	(void)state;
	expect(MIXED("b") "--b\r\n" MIXED("bc") "--bc\r\n\r\nx\r\n--bc--\r\n"
			  "\r\n--b--\r\n",
	    true,
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 multipart/mixed +\nDELIM 1 --bc<CR><LF>\n"
	    "PART 1.1 text/plain\nBODY 1.1 x\nEND 1.1\n"
	    "DELIM 1 <CR><LF>--bc-- close\nREMARK 1 <CR><LF>\nEND 1\n"
	    "DELIM 0 <CR><LF>--b-- close\nREMARK 0 <CR><LF>\nEND 0");
	expect_defect(MIXED("b") "--b\r\n" MIXED("bc")
	    "--bc\r\n\r\nx\r\n--bc--\r\n\r\n--b--\r\n", "");
	expect_defect(MIXED("b") "--b\r\n\r\n--bx\r\n--b--\r\n",
	    "part 1: text after the boundary");
	expect_defect(MIXED("b") "--b\r\n\r\n--b--x\r\n--b--\r\n",
	    "text after the boundary");
	expect_defect(MIXED("b") "--b\r\n\r\n --b\r\nx--b\r\n--B\r\n--b--",
	    "");
}

/* attack A41: no close-delimiter, parts behind it, the boundary of an outer
 * multipart used again
 * verdict: a defect: nothing is verified or decrypted */
static void A41_structure_with_two_readings_is_a_defect(void **state)
{
	(void)state;
	expect_defect(MIXED("b") "--b\r\n\r\nx\r\n",
	    "missing close-delimiter");
	expect_defect(MIXED("b") "--b\r\n" MIXED("c") "--c\r\n\r\nx\r\n"
				 "--b--\r\n",
	    "part 1: missing close-delimiter");
	expect_defect(MIXED("b") "--b--\r\n", "multipart without a part");
	expect_defect("Content-Type: multipart/mixed\r\n\r\nx",
	    "multipart without boundary");
	expect_defect("Content-Type: multipart/mixed; boundary=b\r\n",
	    "multipart without a body");
	expect_defect(MIXED("b") "--b\r\n" MIXED("b") "--b\r\n\r\nx\r\n--b--",
	    "boundary of an enclosing multipart");
	expect_defect(MIXED("b") "--b\r\n" MIXED("b--") "--b--\r\n\r\nx\r\n",
	    "boundary of an enclosing multipart");
	expect_defect(MIXED("b") "--b\r\n\r\nx\r\n--b--\r\n--b\r\n\r\ny",
	    "delimiter after the close-delimiter");
	expect_defect(MIXED("b") "--b\r\nContent-Type: a/b\r\n"
				 "Content-Type: c/d\r\n\r\nx\r\n--b--",
	    "part 1: Content-Type: given twice");
	expect_defect(MIXED("b") "--b\r\nno field\r\n\r\nx\r\n--b--",
	    "part 1: line that is no field");
}

static void outer_delimiters_end_inner_parts(void **state)
{
	(void)state;
	expect(MIXED("b") "--b\r\n" MIXED("c") "--c\r\nA: b\r\n--b\r\n\r\n"
			  "--c\r\n--b--",
	    true,
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 multipart/mixed +\nDELIM 1 --c<CR><LF>\n"
	    "PART 1.1 text/plain\nEND 1.1\nEND 1 unclosed\n"
	    "DELIM 0 --b<CR><LF>\n"
	    "PART 2 text/plain\nBODY 2 --c\nEND 2\n"
	    "DELIM 0 <CR><LF>--b-- close\nEND 0");
}

static void innermost_boundary_matches_first(void **state)
{
	(void)state;
	expect(MIXED("b") "--b\r\n" MIXED("b") "--b\r\n\r\nx\r\n--b--\r\n"
			  "--b--",
	    true,
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 multipart/mixed +\nDELIM 1 --b<CR><LF>\n"
	    "PART 1.1 text/plain\nBODY 1.1 x\nEND 1.1\n"
	    "DELIM 1 <CR><LF>--b-- close\n"
	    "END 1 (part 1: boundary of an enclosing multipart "
	    "(RFC 2046 5.1.2))\nDELIM 0 <CR><LF>--b-- close\nEND 0");
}

static void messages_are_entered_when_asked(void **state)
{
	static const char in[] =
	    "Content-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nx";
	static const char deep[] =
	    MIXED("b") "--b\r\nContent-Type: message/rfc822\r\n\r\n" MIXED("c")
	    "--c\r\n\r\nx\r\n--c--\r\n--b--";

	(void)state;
	expect(in, true,
	    "PART 0 message/rfc822 +\nPART 1 text/plain\nBODY 1 x\n"
	    "END 1\nEND 0");
	expect(in, false,
	    "PART 0 message/rfc822 +\n"
	    "BODY 0 Subject: a<CR><LF><CR><LF>x\nEND 0");
	expect(deep, true,
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 message/rfc822 +\nPART 1 multipart/mixed +\n"
	    "DELIM 1 --c<CR><LF>\nPART 1.1 text/plain\nBODY 1.1 x\nEND 1.1\n"
	    "DELIM 1 <CR><LF>--c-- close\nEND 1\nEND 1\n"
	    "DELIM 0 <CR><LF>--b-- close\nEND 0");
	/* RFC 2046 5.1.5 */
	expect("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
	       "Subject: a\r\n\r\nx\r\n--b--",
	    true,
	    "PART 0 multipart/digest +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 message/rfc822 +\nPART 1.1 text/plain\nBODY 1.1 x\n"
	    "END 1.1\nEND 1\nDELIM 0 <CR><LF>--b-- close\nEND 0");
}

static int read_depth(int depth, const char *leaf, struct err *e)
{
	struct reading x;
	struct buf b;

	buf_init(&b, 1u << 20);
	for (int d = 0; d < depth; d++)
		buf_printf(&b, "Content-Type: multipart/mixed; "
			       "boundary=b%d.\r\n\r\n--b%d.\r\n", d, d);
	buf_puts(&b, leaf);
	read_view(&x, buf_view(&b), true, false, cut_all);
	*e = x.e;
	reading_free(&x);
	buf_free(&b);
	return x.rc;
}

/* attack A14: multiparts nested beyond measure
 * verdict: reading stops beyond 20 levels, without recursion */
static void A14_depth_is_capped(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(read_depth(CAP_MIME_DEPTH - 1, "\r\nx", &e), 0);
	assert_int_equal(read_depth(CAP_MIME_DEPTH, "\r\nx", &e), 0);
	assert_int_equal(read_depth(CAP_MIME_DEPTH + 1, "\r\nx", &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	assert_int_equal(read_depth(CAP_MIME_DEPTH,
	    "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx", &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
}

static int read_parts(int parts, struct err *e)
{
	struct reading x;
	struct buf b;

	buf_init(&b, 1u << 20);
	buf_puts(&b, MIXED("b"));
	for (int i = 1; i < parts; i++) /* the root is one */
		buf_puts(&b, "--b\r\n\r\nx\r\n");
	buf_puts(&b, "--b--\r\n");
	read_view(&x, buf_view(&b), true, false, cut_all);
	*e = x.e;
	reading_free(&x);
	buf_free(&b);
	return x.rc;
}

/* attack A14: parts without number
 * verdict: reading stops beyond 1,000 parts */
static void A14_parts_are_capped(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(read_parts(CAP_MIME_PARTS - 1, &e), 0);
	assert_int_equal(read_parts(CAP_MIME_PARTS, &e), 0);
	assert_int_equal(read_parts(CAP_MIME_PARTS + 1, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
}

static int read_boundary(size_t n, struct mime_findings *f)
{
	struct reading x;
	struct buf name, b;

	buf_init(&name, 1000);
	buf_init(&b, 10000);
	for (size_t i = 0; i < n; i++)
		buf_putc(&name, 'b');
	buf_printf(&b, "Content-Type: multipart/mixed; boundary=%s\r\n\r\n"
		       "--%s\r\n\r\nx\r\n--%s--\r\n", buf_str(&name),
	    buf_str(&name), buf_str(&name));
	read_view(&x, buf_view(&b), true, false, cut_all);
	*f = x.found;
	reading_free(&x);
	buf_free(&b);
	buf_free(&name);
	return x.rc;
}

/* attack A14: a boundary as long as a page
 * verdict: a defect beyond 200 octets */
static void A14_boundary_length_is_capped(void **state)
{
	struct mime_findings f;

	(void)state;
	for (size_t n = CAP_MIME_BOUNDARY - 1; n <= CAP_MIME_BOUNDARY; n++) {
		assert_int_equal(read_boundary(n, &f), 0);
		assert_string_equal(f.defect, "");
		assert_int_equal(f.parts, 2);
	}
	assert_int_equal(read_boundary(CAP_MIME_BOUNDARY + 1, &f), 0);
	assert_non_null(strstr(f.defect, "boundary is too long"));
	assert_int_equal(f.parts, 1);
}

static int read_section(size_t n, size_t (*cut)(size_t))
{
	struct reading x;
	struct buf b;

	buf_init(&b, 1u << 20);
	buf_puts(&b, MIXED("b") "--b\r\n");
	for (size_t left = n; left > 0;) {
		size_t line = left > 902 ? 900 : left;

		for (size_t i = 2; i < line; i++)
			buf_putc(&b, i == 3 ? ':' : 'a');
		buf_puts(&b, "\r\n");
		left -= line;
	}
	buf_puts(&b, "\r\nx\r\n--b--");
	read_view(&x, buf_view(&b), true, false, cut);
	if (x.rc != 0)
		assert_int_equal(x.e.kind, FAIL_LIMIT);
	reading_free(&x);
	buf_free(&b);
	return x.rc;
}

/* attack A14: a header of a part without end
 * verdict: reading stops beyond 256 KiB */
static void A14_header_section_is_capped(void **state)
{
	static size_t (*const cut[])(size_t) = {cut_all, cut_random};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
		assert_int_equal(read_section(CAP_HEADER_SECTION - 1, cut[i]),
		    0);
		assert_int_equal(read_section(CAP_HEADER_SECTION, cut[i]), 0);
		assert_int_equal(read_section(CAP_HEADER_SECTION + 1, cut[i]),
		    -1);
	}
}

static void compare_cuts(struct view v, bool messages)
{
	static size_t (*const cut[])(size_t) = {cut_one, cut_random,
	    cut_random};
	struct reading a, b;

	read_view(&a, v, messages, true, cut_all);
	for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
		read_view(&b, v, messages, true, cut[i]);
		assert_int_equal(a.rc, b.rc);
		if (a.rc == 0) {
			assert_string_equal(buf_str(&a.t.b),
			    buf_str(&b.t.b));
			assert_string_equal(a.found.defect, b.found.defect);
			assert_int_equal(a.found.parts, b.found.parts);
		}
		reading_free(&b);
	}
	reading_free(&a);
}

/* Text made of what matters to the reader. */
static void put_noise(struct buf *b)
{
	static const char *const piece[] = {"--b", "--b--", "--b\r\n",
	    "--b--\r\n", "--bc\r\n", "--bc--", "\r\n--b\r\n\r\n", "\r\n", "\n",
	    "\r", "-", "--", " ", "\t", "x", "word\r\n", "\r\n\r\n",
	    "Content-Type: multipart/mixed; boundary=bc\r\n",
	    "Content-Type: message/rfc822\r\n\r\n", "A: b\r\n", " fold\r\n",
	    "Content-Type: multipart/mixed;\r\n boundary=d\r\n\r\n--d\r\n",
	    "--d--\r\n", "\r\n--d\r\n"};
	uint32_t n = rnd(40);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = rnd(ARRAY_LEN(piece) + 1);

		if (k < ARRAY_LEN(piece))
			buf_puts(b, piece[k]);
		else if (rnd(8) == 0)
			buf_printf(b, "--b%*s", 990 + (int)rnd(12), "");
	}
}

/* attack A41: line ends, blanks and delimiters across the edges of buffers
 * verdict: the same structure however the input is cut */
static void A41_events_do_not_depend_on_chunks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (int i = 0; i < 10000; i++) {
		buf_clear(&b);
		buf_puts(&b, i % 3 ? "Content-Type: multipart/mixed; "
				     "boundary=b\r\n\r\n--b\r\n" : "");
		put_noise(&b);
		compare_cuts(buf_view(&b), i % 2 == 0);
	}
	buf_free(&b);
}

static void read_file(struct buf *b, const char *dir, const char *name)
{
	struct buf path;
	size_t n;
	FILE *f;

	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", dir, name);
	buf_clear(b);
	f = fopen(buf_str(&path), "rb");
	assert_non_null(f);
	do {
		unsigned char *room = buf_room(b, 65536);

		assert_non_null(room);
		n = fread(room, 1, 65536, f);
		b->n += n;
	} while (n > 0);
	(void)fclose(f);
	buf_free(&path);
}

static size_t compare_folder(const char *base, const char *name)
{
	struct dirent *d;
	struct buf path, b;
	size_t n = 0;
	DIR *dir;

	buf_init(&path, 4096);
	buf_init(&b, 64u << 20);
	buf_printf(&path, "%s/mime-stalwart/eml/%s", base, name);
	dir = opendir(buf_str(&path));
	while (dir != NULL && (d = readdir(dir)) != NULL) {
		if (strstr(d->d_name, ".eml") == NULL)
			continue;
		read_file(&b, buf_str(&path), d->d_name);
		compare_cuts(buf_view(&b), true);
		n++;
	}
	if (dir != NULL)
		(void)closedir(dir);
	buf_free(&b);
	buf_free(&path);
	return n;
}

static void A41_real_mail_does_not_depend_on_chunks(void **state)
{
	static const char *const folder[] = {"legacy", "malformed", "rfc",
	    "thirdparty"};
	const char *base = getenv("POSTSEAL_TESTDATA");
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(folder); i++)
		n += compare_folder(base ? base : "../shared/testdata",
		    folder[i]);
	if (n == 0) {
		print_message("no testdata/mime-stalwart: skipped\n");
		skip();
	}
}

static int stop_at_body(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	(void)arg;
	(void)p;
	(void)data;
	return ev == MIME_BODY ? err_set(e, FAIL_POLICY, "enough") : 0;
}

static void handler_can_stop_the_reader(void **state)
{
	struct mime_handler h = {NULL, stop_at_body};
	struct mime_findings f;
	struct spool *s = NULL;
	struct err e;

	(void)state;
	assert_int_equal(spool_new(&s, 1000, &e), 0);
	assert_int_equal(spool_write(s, "A: b\r\n\r\nx", 9, &e), 0);
	assert_int_equal(mime_read(s, 0, 9, true, &h, &f, &e), -1);
	assert_int_equal(e.kind, FAIL_POLICY);
	spool_free(&s);
}

static void flat_reading_enters_no_part(void **state)
{
	static const char in[] = "xx" MIXED("b") "--b\r\n" MIXED("b--")
				 "--c\r\n--bc\r\n--b\r\n\r\ny\r\n--b--";
	struct trace t = {.last = MIME_END};
	struct mime_handler h = {&t, trace_event};
	struct mime_findings f;
	struct spool *s = NULL;
	struct err e;

	(void)state;
	buf_init(&t.b, 10000);
	assert_int_equal(spool_new(&s, 1000, &e), 0);
	assert_int_equal(spool_write(s, in, strlen(in), &e), 0);
	assert_int_equal(mime_read_flat(s, 2, strlen(in), &h, &f, &e), 0);
	assert_string_equal(buf_str(&t.b),
	    "PART 0 multipart/mixed +\nDELIM 0 --b<CR><LF>\n"
	    "PART 1 multipart/mixed +\nBODY 1 --c<CR><LF>--bc\n"
	    "END 1 (part 1: text after the boundary in a delimiter line "
	    "(RFC 2046 5.1.1))\nDELIM 0 <CR><LF>--b<CR><LF>\n"
	    "PART 2 text/plain\nBODY 2 y\nEND 2\n"
	    "DELIM 0 <CR><LF>--b-- close\nEND 0");
	buf_free(&t.b);
	spool_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A41_structure_with_two_readings_is_a_defect),
		cmocka_unit_test(A41_prefix_boundaries_are_no_match),
		cmocka_unit_test(A14_depth_is_capped),
		cmocka_unit_test(A14_parts_are_capped),
		cmocka_unit_test(A14_boundary_length_is_capped),
		cmocka_unit_test(A14_header_section_is_capped),
		cmocka_unit_test(plain_message),
		cmocka_unit_test(S13_line_end_before_a_delimiter_belongs_to_it),
		cmocka_unit_test(empty_parts),
		cmocka_unit_test(offsets_bound_parts_as_RFC_1847_says),
		cmocka_unit_test(outer_delimiters_end_inner_parts),
		cmocka_unit_test(innermost_boundary_matches_first),
		cmocka_unit_test(messages_are_entered_when_asked),
		cmocka_unit_test(flat_reading_enters_no_part),
		cmocka_unit_test(handler_can_stop_the_reader),
		cmocka_unit_test(A41_events_do_not_depend_on_chunks),
		cmocka_unit_test(A41_real_mail_does_not_depend_on_chunks),
	};

	return cmocka_run_group_tests_name("smime_mime", tests, NULL, NULL);
}
