/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * hp_write.c read by others: an own little reader of HP-Outer, and
 * smime/hp.h, on headers of all sorts.
 */
#include "tests/unit/smime_protect.h"

#include "smime/hp.h"

/* An own little reader: the fields of text, unfolded, by name. */
static bool find_line(const char *text, const char *prefix, size_t nth,
    struct buf *value)
{
	const char *p = text;
	size_t n = strlen(prefix);

	buf_clear(value);
	while (*p != '\0' && strncmp(p, "\r\n", 2) != 0) {
		bool hit = strncasecmp(p, prefix, n) == 0 && p[n] == ':' &&
		    nth-- == 0;

		p += hit ? n + 1 : 0;
		do {
			const char *nl = strstr(p, "\r\n");
			size_t k = nl == NULL ? strlen(p)
					      : (size_t)(nl - p);

			if (hit)
				buf_put(value, p, k);
			p += k + (nl == NULL ? 0 : 2);
		} while (*p == ' ' || *p == '\t');
		if (hit)
			return true;
	}
	return false;
}

static bool same_value(const struct buf *a, const struct buf *b)
{
	return view_eq(view_trim(buf_view(a)), view_trim(buf_view(b)));
}

/* The message's header with the changes carried out. */
static void apply(const char *header, struct buf *to)
{
	struct header h;

	buf_clear(to);
	assert_int_equal(header_parse(&h, view_of(header), &err), 0);
	for (size_t i = 0; i < h.n; i++) {
		bool is_gone = false;

		for (size_t k = 0; k < outer.n; k++)
			is_gone = is_gone || view_ieq_str(h.field[i].name,
			    outer.change[k].name);
		if (!is_gone)
			buf_putv(to, h.field[i].whole);
	}
	for (size_t k = 0; k < outer.n; k++) {
		const struct hp_change *c = &outer.change[k];

		if (c->value == NULL)
			continue;
		buf_printf(to, "%s:", c->name);
		for (const char *s = c->value; *s != '\0'; s++) {
			if (*s == '\n')
				buf_putc(to, '\r');
			buf_putc(to, *s);
		}
		buf_puts(to, "\r\n");
	}
	header_free(&h);
}

/* For every field outside that is protected there is a note with the same
 * value, and no other note. */
static void check_notes(const char *after)
{
	struct buf x, y;
	struct header h;
	size_t notes = 0;

	buf_init(&x, BIG);
	buf_init(&y, BIG);
	assert_int_equal(header_parse(&h, view_of(after), &err), 0);
	for (size_t i = 0; i < h.n; i++) {
		struct buf name;
		size_t nth = 0;

		if (!hp_is_copied(h.field[i].name))
			continue;
		for (size_t k = 0; k < i; k++)
			nth += view_ieq(h.field[k].name, h.field[i].name);
		buf_init(&name, 1000);
		buf_puts(&name, "HP-Outer: ");
		buf_putv(&name, h.field[i].name);
		if (!find_line(buf_str(&out), buf_str(&name), nth, &x))
			fail_msg("no %s in:\n%s", buf_str(&name),
			    buf_str(&out));
		field_unfold(&h.field[i], &y);
		if (!same_value(&x, &y))
			fail_msg("%s: noted %s, outside %s", buf_str(&name),
			    buf_str(&x), buf_str(&y));
		buf_clear(&y);
		buf_free(&name);
		notes++;
	}
	for (const char *p = buf_str(&out); (p = strstr(p, "HP-Outer: ")) !=
	    NULL; p++)
		notes--;
	assert_int_equal(notes, 0);
	header_free(&h);
	buf_free(&x);
	buf_free(&y);
}

static void S149_every_field_outside_is_noted_inside(void **state)
{
	struct buf after;

	(void)state;
	buf_init(&after, BIG);
	for (int p = HP_COPY; p <= HP_SHY; p++) {
		run(PLAIN, HEADER, (enum hp_policy)p, true);
		apply(HEADER, &after);
		check_notes(buf_str(&after));
	}
	buf_free(&after);
}

static void put_random_value(struct buf *b, uint32_t *x)
{
	static const char *const piece[] = {"a", " ", "\r\n ", "\t", "word",
	    "\xc3\xbc", "=?utf-8?Q?=C3=BC?=", ",", "<a@example.com>", "\"q\"",
	    "(c)", "\r\n\t \r\n ", ":", "b@example.com", "[...]",
	    "Sat, 21 Nov 2026 10:00:00 +0100", "\x07", "&<>", "; hp=1"};
	uint32_t n = next_random(x) % 12;

	while (n-- > 0)
		buf_puts(b, piece[next_random(x) % ARRAY_LEN(piece)]);
}

static void put_random_header(struct buf *b, uint32_t *x)
{
	static const char *const name[] = {"From", "To", "Cc", "Subject",
	    "Date", "Message-ID", "Comments", "Keywords", "X-Foo", "Foo",
	    "Received", "Bcc", "Reply-To", "HP-Outer", "subject"};
	uint32_t n = next_random(x) % 10;

	buf_clear(b);
	while (n-- > 0) {
		buf_printf(b, "%s: ", name[next_random(x) % ARRAY_LEN(name)]);
		put_random_value(b, x);
		buf_puts(b, "\r\n");
	}
}

/* Read back by smime/hp.h, with the signature of From's address. */
static void read_back(const char *after, struct hp *hp)
{
	struct hp_input in = {.is_encrypted = true};
	struct addr author;
	struct header hi, ho;
	struct ctype ct;
	const char *blank = strstr(buf_str(&out), "\r\n\r\n");

	assert_non_null(blank);
	assert_int_equal(header_parse(&hi, view_make(out.p,
	    (size_t)(blank - buf_str(&out)) + 2), &err), 0);
	assert_int_equal(header_parse(&ho, view_of(after), &err), 0);
	assert_int_equal(ctype_read(&ct, &hi, &err), 0);
	assert_false(hi.has_junk || hi.has_bare_eol);
	in.inner = &hi;
	in.outer = &ho;
	in.ct = &ct;
	if (hp_author(&hi, &author))
		in.signer = &author;
	assert_int_equal(hp_read(hp, &in, &err), 0);
	assert_int_equal(hp->mode, HP_CIPHER);
	ctype_free(&ct);
	header_free(&hi);
	header_free(&ho);
}

static void check_restored(const struct hp *hp)
{
	struct buf x, y;
	size_t nth = 0;

	buf_init(&x, BIG);
	buf_init(&y, BIG);
	for (size_t i = 0; i < hp->n; i++) {
		const struct hp_field *f = &hp->field[i];
		struct field v = {.value = view_of(f->value)};

		nth = i > 0 && f->name == hp->field[i - 1].name ? nth + 1 : 0;
		assert_true(find_line(buf_str(&out), f->name, nth, &x));
		buf_clear(&y);
		field_unfold(&v, &y);
		if (!same_value(&x, &y))
			fail_msg("%s: inside %s, restored %s", f->name,
			    buf_str(&x), buf_str(&y));
	}
	/* changed on its way? nobody was on it */
	assert_null(strstr(buf_str(&hp->remarks), "changed"));
	buf_free(&x);
	buf_free(&y);
}

static bool is_7bit_text(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 127 || (v.p[i] < 32 &&
		    strchr("\r\n\t", v.p[i]) == NULL))
			return false;
	return true;
}

static void S149_S152_S154_random_headers_are_read_back(void **state)
{
	uint32_t x = 20261121;
	struct buf h, after;
	long good = 0;

	(void)state;
	buf_init(&h, BIG);
	buf_init(&after, BIG);
	for (long i = 0; i < mutants_wanted(); i++) {
		enum hp_policy p = (enum hp_policy)(next_random(&x) % 3 +
		    HP_COPY);
		struct hp hp;

		put_random_header(&h, &x);
		if (run_view(view_of(PLAIN), buf_view(&h), p, true) != 0) {
			assert_int_equal(err.kind, FAIL_INPUT);
			assert_true(strchr(buf_str(&h), 7) != NULL);
			continue;
		}
		good++;
		assert_int_equal(is_7bit_text(buf_view(&out)),
		    outer.is_7bit);
		assert_true(longest_line() <= 990);
		assert_null(strstr(buf_str(&out), " \r\n"));
		assert_null(strstr(buf_str(&out), "\t\r\n"));
		apply(buf_str(&h), &after);
		check_notes(buf_str(&after));
		read_back(buf_str(&after), &hp);
		check_restored(&hp);
		hp_free(&hp);
		/* signed only: nothing is hidden */
		assert_int_equal(run_view(view_of(PLAIN), buf_view(&h), p,
		    false), 0);
		for (size_t k = 0; k < outer.n; k++)
			assert_non_null(outer.change[k].value);
	}
	assert_true(good > mutants_wanted() / 2);
	buf_free(&h);
	buf_free(&after);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
	const struct CMUnitTest tests[] = {
		T(S149_every_field_outside_is_noted_inside),
		T(S149_S152_S154_random_headers_are_read_back),
	};

	return cmocka_run_group_tests_name("smime_hp_notes", tests, NULL, NULL);
}
