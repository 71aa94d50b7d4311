/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * header.c: splitting, defects, caps.
 */
#include "smime/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/caps.h"

static int read_view(struct header *h, struct view v, struct err *e)
{
	struct spool *s = NULL;
	int rc;

	assert_int_equal(spool_new(&s, 1u << 30, e), 0);
	assert_int_equal(spool_write(s, "..", 2, e), 0);
	assert_int_equal(spool_write(s, v.p, v.n, e), 0);
	rc = header_read(h, s, 2, 2 + v.n, e);
	spool_free(&s);
	return rc;
}

/* attack A41: NUL, lone CR or LF, lines that are no field
 * verdict: flagged, so that nobody believes such a header */
static void A41_defects_are_flagged(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		bool nul, eol, cr, junk, high, no_blank;
		size_t fields;
	} c[] = {
	    {"A: b\r\n\r\n", 8, 0, 0, 0, 0, 0, 0, 1},
	    {"A: b\0c\r\n\r\n", 10, 1, 0, 0, 0, 0, 0, 1},
	    {"A: b\n\n", 6, 0, 1, 0, 0, 0, 0, 1},
	    {"A: b\rC: d\r\n\r\n", 13, 0, 1, 1, 0, 0, 0, 1},
	    {"A: b\r\r\n\r\n", 9, 0, 1, 1, 0, 0, 0, 1},
	    {"A: b\r\njunk\r\n\r\n", 14, 0, 0, 0, 1, 0, 0, 2},
	    {": b\r\n\r\n", 7, 0, 0, 0, 1, 0, 0, 1},
	    {" fold\r\nA: b\r\n\r\n", 15, 0, 0, 0, 1, 0, 0, 2},
	    {"A b: c\r\n\r\n", 10, 0, 0, 0, 1, 0, 0, 1},
	    {"A: \xe4\r\n\r\n", 8, 0, 0, 0, 0, 1, 0, 1},
	    {"A: b\r\n", 6, 0, 0, 0, 0, 0, 1, 1},
	    {"A: b", 4, 0, 0, 0, 0, 0, 1, 1},
	    {"", 0, 0, 0, 0, 0, 0, 1, 0},
	    {"\r\n", 2, 0, 0, 0, 0, 0, 0, 0},
	    {"From alice\r\nA: b\r\n\r\n", 20, 0, 0, 0, 0, 0, 0, 2},
	    {">From alice\r\n\r\n", 15, 0, 0, 0, 0, 0, 0, 1},
	    {"A: b\r\nFrom alice\r\n\r\n", 20, 0, 0, 0, 1, 0, 0, 2},
	};
	struct header h;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		assert_int_equal(read_view(&h, view_make(c[i].in, c[i].n),
				     &e), 0);
		assert_int_equal(h.has_nul, c[i].nul);
		assert_int_equal(h.has_bare_eol, c[i].eol);
		assert_int_equal(h.has_bare_cr, c[i].cr);
		assert_int_equal(h.has_junk, c[i].junk);
		assert_int_equal(h.has_8bit, c[i].high);
		assert_int_equal(h.no_blank_line, c[i].no_blank);
		assert_int_equal(h.n, c[i].fields);
		assert_int_equal(h.start, 2);
		assert_int_equal(h.body_off, 2 + c[i].n);
		header_free(&h);
	}
}

/* Octets are looked at several at a time: none is passed over. */
static void A41_odd_octets_are_seen_at_every_place(void **state)
{
	static const char plain[] = "A: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n";
	unsigned char in[sizeof(plain) - 1];
	size_t last = sizeof(in) - 3;
	struct header h;
	struct err e;

	(void)state;
	for (size_t i = 3; i <= last; i++) {
		for (int odd = 0; odd < 4; odd++) {
			memcpy(in, plain, sizeof(in));
			in[i] = (unsigned char)"\0\x80\r\n"[odd];
			assert_int_equal(header_parse(&h,
			    view_make(in, sizeof(in)), &e), 0);
			assert_int_equal(h.has_nul, odd == 0);
			assert_int_equal(h.has_8bit, odd == 1);
			assert_int_equal(h.has_bare_cr, odd == 2);
			assert_int_equal(h.has_bare_eol, odd >= 2);
			header_free(&h);
		}
	}
	/* a CR is the last octet of all */
	assert_int_equal(header_parse(&h, view_make(plain, sizeof(in) - 1),
	    &e), 0);
	assert_true(h.has_bare_cr);
	header_free(&h);
}

static void fields_are_split_and_unfolded(void **state)
{
	struct header h;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(read_view(&h, view_of("Subject:  a\r\n\tb \r\n"
					       "X-Y : c\r\nSUBJECT:d\r\n"
					       "E:\r\n\r\nbody: x\r\n"), &e),
	    0);
	assert_int_equal(h.n, 4);
	assert_int_equal(h.body_off, 2 + 44);
	assert_true(view_eq_str(h.field[0].name, "Subject"));
	assert_true(view_eq_str(h.field[0].value, "  a\r\n\tb "));
	assert_true(view_eq_str(h.field[0].whole, "Subject:  a\r\n\tb \r\n"));
	field_unfold(&h.field[0], &b);
	assert_string_equal(buf_str(&b), "a\tb");
	assert_true(view_eq_str(h.field[1].name, "X-Y"));
	assert_true(view_eq_str(h.field[1].value, " c"));
	assert_true(view_eq_str(h.field[3].value, ""));
	assert_int_equal(header_count(&h, "subject"), 2);
	assert_ptr_equal(header_get(&h, "subject", 1), &h.field[2]);
	assert_null(header_get(&h, "subject", 2));
	assert_null(header_get(&h, "body", 0));
	header_free(&h);
	buf_free(&b);
}

static void mime_fields_are_known_by_name(void **state)
{
	static const struct {
		const char *in;
		bool is;
	} c[] = {{"Content-Type: a\r\n", true}, {"CONTENT-FOO: a\r\n", true},
	    {"mime-version: 1.0\r\n", true}, {"Content: a\r\n", false},
	    {"X-Content-Type: a\r\n", false}};
	struct header h;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		assert_int_equal(read_view(&h, view_of(c[i].in), &e), 0);
		assert_int_equal(field_is_mime(&h.field[0]), c[i].is);
		header_free(&h);
	}
}

/* fields of size octets each, with their CRLF; the last may be shorter. */
static void put_fields(struct buf *b, size_t total, size_t size)
{
	while (total > 0) {
		size_t n = total < size + 6 ? total : size;

		for (size_t i = 2; i < n; i++)
			buf_putc(b, i == 3 ? ':' : 'a');
		buf_puts(b, "\r\n");
		total -= n;
	}
}

static void check_size(size_t total, size_t size, int want)
{
	struct header h;
	struct buf b;
	struct err e;
	int rc;

	buf_init(&b, 1u << 22);
	put_fields(&b, total, size);
	assert_int_equal(b.n, total);
	buf_puts(&b, "\r\nbody\r\n");
	rc = read_view(&h, buf_view(&b), &e);
	assert_int_equal(rc, want);
	if (rc != 0)
		assert_int_equal(e.kind, FAIL_LIMIT);
	else
		assert_int_equal(h.body_off, 2 + total + 2);
	header_free(&h);
	buf_free(&b);
}

/* attack A14: header sections, fields and numbers of fields without end
 * verdict: refused beyond 256 KiB, 64 KiB, 2,000 */
static void A14_caps_are_kept(void **state)
{
	(void)state;
	check_size(CAP_HEADER_SECTION - 1, 1000, 0);
	check_size(CAP_HEADER_SECTION, 1000, 0);
	check_size(CAP_HEADER_SECTION + 1, 1000, -1);
	check_size(3u << 20, 1000, -1);
	check_size(CAP_HEADER_FIELD - 1, 1u << 20, 0);
	check_size(CAP_HEADER_FIELD, 1u << 20, 0);
	check_size(CAP_HEADER_FIELD + 1, 1u << 20, -1);
	check_size((CAP_HEADER_FIELDS - 1) * 6, 6, 0);
	check_size(CAP_HEADER_FIELDS * 8, 8, 0);
	check_size((CAP_HEADER_FIELDS + 1) * 8, 8, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A41_defects_are_flagged),
		cmocka_unit_test(A41_odd_octets_are_seen_at_every_place),
		cmocka_unit_test(A14_caps_are_kept),
		cmocka_unit_test(fields_are_split_and_unfolded),
		cmocka_unit_test(mime_fields_are_known_by_name),
	};

	return cmocka_run_group_tests_name("smime_header", tests, NULL, NULL);
}
