/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/addr.c and addr_list.c: what is odd is no address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/addr.h"

#define U_UML "\xc3\xbc" /* u with diaeresis, precomposed */
#define U_UML_NFD "u\xcc\x88"

struct raw {
	const char *p;
	size_t n;
};
#define R(s) { s, sizeof(s) - 1 }

/* attack A24 A47: addresses with comments, quotes, routes, controls, blanks
 * verdict: no address */
static void A24_A47_S82_odd_addresses(void **state)
{
	static const struct raw bad[] = {
		R(""), R("bob"), R("@example.com"), R("bob@"), R("@"),
		R("bob@@example.com"), R("bob@example.com@example.net"),
		R(" bob@example.com"), R("bob@example.com "),
		R("bob @example.com"), R("bob@ example.com"),
		R("bob\t@example.com"), R("b ob@example.com"),
		R("bob@example.com\0"), R("bob@example.com\0.evil.example"),
		R("bob\0@example.com"), R("bob@exa\0mple.com"),
		R("bob@example.com\r\n"), R("bob\r\nDATA@example.com"),
		R("\"a\r\nDATA\"@example.com"), R("\"a\0\"@example.com"),
		R("bob@x.com (c)"), R("bob(c)@x.com"), R("(c)bob@x.com"),
		R("<bob@example.com>"), R("<bob@example.com"),
		R("@relay.example:bob@example.com"),
		R("bob@example.com,carol@example.com"),
		R("bob@example.com;"), R("bob;@example.com"),
		R("bob:carol@example.com"), R("[bob]@example.com"),
		R(".bob@example.com"), R("bob.@example.com"),
		R("b..ob@example.com"), R("bob\\@example.com"),
		R("\"bob@example.com"), R("\"bob\"carol@example.com"),
		R("\"bob\".carol@example.com"), R("carol.\"bob\"@example.com"),
		R("\"\"@example.com"), R("\"b b\"@example.com"),
		R("\"b\\ b\"@example.com"), R("\"bob\\\"@example.com"),
		R("\"a<b\"@example.com"), R("\"a\\>b\"@example.com"),
		R("bob@example..com"), R("bob@.example.com"),
		R("bob@example.com."), R("bob@-example.com"),
		R("bob@example-.com"), R("bob@exam_ple.com"),
		R("bob@exam!ple.com"), R("bob@[192.0.2.1]"),
		R("bob@[IPv6:::1]"), R("bob@192.0.2.1"), R("bob@127"),
		R("bob@example.123"), R("bob\x80@example.com"),
		R("b\xc3@example.com"), R("b\xc0\xaf@example.com"),
		R("b\xed\xa0\x80@example.com"),
		R("\xef\xbb\xbf" "bob@example.com"), /* BOM */
		R("b\xc2\xa0" "b@example.com"),	     /* no-break space */
		R("b\xe2\x80\xae" "b@example.com"),  /* right to left */
		R("b\xe2\x80\x8b" "b@example.com"),  /* zero width */
		R("b\xc2\x85@example.com"),	     /* C1 control */
		R("b\xef\xbf\xbf@example.com"),	     /* noncharacter */
		R("bob@example\xe3\x80\x82" "com"),  /* ideographic stop */
		R("bob@\xef\xbd\x85xample.com"),     /* wide e */
		R("bob@ex\xc2\xadmple.com"),	     /* soft hyphen */
		R("bob@\xff.com"), R("bob@" U_UML "_.com"),
		R("bob@\x01.com"), R("bob\x7f@example.com"),
	};
	struct err e;
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		memset(&e, 0, sizeof(e));
		if (addr_parse(&a, view_make(bad[i].p, bad[i].n), &e) == 0)
			fail_msg("%zu: %s is taken as %s", i, bad[i].p,
			    a.text);
		assert_int_equal(e.kind, FAIL_INPUT);
		assert_string_equal(a.text, "");
	}
}

static void good_addresses_have_one_form(void **state)
{
	static const struct {
		const char *raw;
		const char *text;
		bool utf8;
	} good[] = {
		{ "bob@example.com", "bob@example.com", false },
		{ "Bob@EXAMPLE.Com", "Bob@example.com", false },
		{ "b.o-b+tag=x@a-b.example", "b.o-b+tag=x@a-b.example",
		    false },
		{ "!#$%&'*+-/=?^_`{|}~@example.com",
		    "!#$%&'*+-/=?^_`{|}~@example.com", false },
		{ "-bob@example.com", "-bob@example.com", false },
		{ "root@localhost", "root@localhost", false },
		{ "bob@1.example", "bob@1.example", false },
		{ "bob@r3---sn.example", "bob@r3---sn.example", false },
		{ "\"bob\"@example.com", "bob@example.com", false },
		{ "\"b\\o\\b\"@example.com", "bob@example.com", false },
		{ "\"b..b\"@example.com", "\"b..b\"@example.com", false },
		{ "\"a@b\"@example.com", "\"a@b\"@example.com", false },
		{ "\"a\\\"b\\\\\"@example.com", "\"a\\\"b\\\\\"@example.com",
		    false },
		{ "\"a,b;c\"@example.com", "\"a,b;c\"@example.com", false },
		{ "b" U_UML "b@example.com", "b" U_UML "b@example.com",
		    true },
		{ "\"b" U_UML "b\"@example.com", "b" U_UML "b@example.com",
		    true },
		{ "bob@b" U_UML "cher.example", "bob@xn--bcher-kva.example",
		    false },
		{ "bob@B" U_UML "CHER.example", "bob@xn--bcher-kva.example",
		    false },
		{ "bob@b" U_UML_NFD "cher.example",
		    "bob@xn--bcher-kva.example", false },
		{ "bob@XN--BCHER-KVA.example", "bob@xn--bcher-kva.example",
		    false },
		{ "bob@fa\xc3\x9f.example", "bob@xn--fa-hia.example",
		    false },
	};
	struct err e = { 0 };
	struct addr a, again;
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		if (addr_parse(&a, view_of(good[i].raw), &e) != 0)
			fail_msg("%s: %s", good[i].raw, e.msg);
		assert_string_equal(a.text, good[i].text);
		assert_int_equal(a.utf8, good[i].utf8);
		assert_int_equal(a.text[a.local_n], '@');
		assert_ptr_equal(addr_domain(&a), a.text + a.local_n + 1);
		assert_ptr_equal(addr_local(&a, &n), a.text);
		assert_int_equal(n, a.local_n);
		/* what we write we read, unchanged */
		assert_int_equal(addr_parse(&again, view_of(a.text), &e), 0);
		assert_string_equal(again.text, a.text);
	}
}

/* local part of n octets and the domain */
static void with_local(struct buf *b, size_t n, const char *domain)
{
	buf_clear(b);
	while (n-- > 0)
		buf_putc(b, 'x');
	buf_printf(b, "@%s", domain);
}

static void length_at_its_caps(void **state)
{
	struct err e = { 0 };
	char dst[256];
	struct addr a;
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 1000);
	for (n = CAP_ADDRESS - 1; n <= CAP_ADDRESS + 1; n++) {
		with_local(&b, n - 12, "example.com");
		assert_int_equal(b.n, n);
		assert_int_equal(addr_parse(&a, buf_view(&b), &e),
		    n <= CAP_ADDRESS ? 0 : -1);
	}
	/* 240 octets that become more than 254 in A-labels */
	with_local(&b, 240 - 1 - 14, U_UML ".example.com");
	assert_true(b.n <= CAP_ADDRESS);
	assert_int_equal(addr_parse(&a, buf_view(&b), &e), 0);
	with_local(&b, CAP_ADDRESS - 15, U_UML ".example.com");
	assert_true(b.n <= CAP_ADDRESS);
	assert_int_equal(addr_parse(&a, buf_view(&b), &e), -1);
	for (n = 62; n <= 64; n++) {
		buf_clear(&b);
		buf_printf(&b, "%.*s.example", (int)n, "aaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
		assert_int_equal(addr_domain_parse(dst, sizeof(dst),
		    buf_view(&b), &e), n <= 63 ? 0 : -1);
	}
	for (n = 252; n <= 254; n++) {
		buf_clear(&b);
		while (b.n + 2 < n)
			buf_puts(&b, "a.");
		buf_puts(&b, b.n + 1 == n ? "a" : "aa");
		assert_int_equal(b.n, n);
		assert_int_equal(addr_domain_parse(dst, sizeof(dst),
		    buf_view(&b), &e), n <= 253 ? 0 : -1);
	}
	buf_free(&b);
}

static void domains(void **state)
{
	struct err e = { 0 };
	char dst[256], tiny[4];

	(void)state;
	assert_int_equal(addr_domain_parse(dst, sizeof(dst), view_of(""),
	    &e), -1);
	assert_int_equal(addr_domain_parse(dst, sizeof(dst),
	    view_of("example.com."), &e), -1);
	assert_int_equal(addr_domain_parse(dst, sizeof(dst),
	    view_of("*.example.com"), &e), -1);
	assert_int_equal(addr_domain_parse(tiny, sizeof(tiny),
	    view_of("example"), &e), -1);
	assert_int_equal(addr_domain_parse(dst, sizeof(dst),
	    view_of("EXAMPLE.com"), &e), 0);
	assert_string_equal(dst, "example.com");
}

/* attack A47: RCPT and MAIL arguments with CR LF, leading dashes, pipes,
 * routes
 * verdict: no address, or exactly one that is safe to send on */
static void A47_paths(void **state)
{
	static const char *const bad[] = {
		"", "<", ">", "<bob>", "<bob@example.com", "bob@example.com>",
		"<<bob@example.com>>", "<@a.example:bob@example.com>",
		"< bob@example.com>", "<bob@example.com> SIZE=1", "< >",
		"<\"a\r\nDATA\"@example.com>",
	};
	struct err e = { 0 };
	struct addr a;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (addr_parse_path(&a, bad[i], &e) == 0)
			fail_msg("%s", bad[i]);
	assert_int_equal(addr_parse_path(&a, "<>", &e), 0);
	assert_string_equal(a.text, "");
	assert_string_equal(addr_domain(&a), "");
	assert_int_equal(addr_parse_path(&a, "<Bob@Example.com>", &e), 0);
	assert_string_equal(a.text, "Bob@example.com");
	assert_int_equal(addr_parse_path(&a, "bob@example.com", &e), 0);
	assert_string_equal(a.text, "bob@example.com");
}

static void S79_S189_equality(void **state)
{
	static const struct {
		const char *a, *b;
		bool exact, folded;
	} c[] = {
		{ "alice@example.com", "alice@example.com", true, true },
		{ "Alice@example.com", "alice@example.com", false, true },
		{ "ALICE@example.com", "alice@EXAMPLE.COM", false, true },
		{ "alice@example.com", "alice@example.net", false, false },
		{ "alice@example.com", "alic@example.com", false, false },
		{ "alice@example.com", "alice1@example.com", false, false },
		{ "alice@example.com", "alice@sub.example.com", false,
		    false },
		{ "alice@example.com", "a.lice@example.com", false, false },
		{ "alice+x@example.com", "alice@example.com", false, false },
		{ "\"alice\"@example.com", "alice@example.com", true, true },
		{ "\"a@b\"@example.com", "\"A@b\"@example.com", false,
		    true },
		{ "a@xn--bcher-kva.example", "a@b" U_UML "cher.example", true,
		    true },
		{ "a@B" U_UML "CHER.example", "a@b" U_UML "cher.example",
		    true, true },
		{ "b" U_UML "b@example.com", "b" U_UML "b@EXAMPLE.com", true,
		    true },
		{ "b" U_UML "b@example.com", "b" U_UML_NFD "b@example.com",
		    false, false },
		{ "B" U_UML "b@example.com", "b" U_UML "b@example.com",
		    false, false },
		{ "b" U_UML "b@example.com", "b\xc3\x9c" "b@example.com",
		    false, false },
		{ "b" U_UML "b@example.com", "bub@example.com", false,
		    false },
		{ "^@example.com", "~@example.com", false, false },
		{ "p\xd0\xb0ul@example.com", "paul@example.com", false,
		    false }, /* Cyrillic a */
		{ "a@p\xd0\xb0ypal.example", "a@paypal.example", false,
		    false },
	};
	struct addr a, b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		assert_int_equal(addr_parse(&a, view_of(c[i].a), NULL), 0);
		assert_int_equal(addr_parse(&b, view_of(c[i].b), NULL), 0);
		if (addr_eq(&a, &b, ADDR_EXACT) != c[i].exact ||
		    addr_eq(&b, &a, ADDR_EXACT) != c[i].exact ||
		    addr_eq(&a, &b, ADDR_FOLD_LOCAL) != c[i].folded ||
		    addr_eq(&b, &a, ADDR_FOLD_LOCAL) != c[i].folded)
			fail_msg("%s %s", c[i].a, c[i].b);
	}
}

static void keys_and_details(void **state)
{
	static const struct {
		const char *in;
		int delimiter;
		const char *out;
	} c[] = {
		{ "bob+list@example.com", '+', "bob@example.com" },
		{ "bob+a+b@example.com", '+', "bob@example.com" },
		{ "bob-x@example.com", '+', "bob-x@example.com" },
		{ "+bob@example.com", '+', "+bob@example.com" },
		{ "bob+@example.com", '+', "bob@example.com" },
		{ "bob+x@example.com", 0, "bob+x@example.com" },
		{ "\"b..+x\"@example.com", '+', "\"b..+x\"@example.com" },
		{ "bob+" U_UML "@example.com", '+', "bob@example.com" },
	};
	char key[sizeof(((struct addr *)0)->text)];
	struct addr a, out;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		assert_int_equal(addr_parse(&a, view_of(c[i].in), NULL), 0);
		addr_strip_detail(&a, c[i].delimiter, &out);
		assert_string_equal(out.text, c[i].out);
		assert_int_equal(out.text[out.local_n], '@');
		addr_strip_detail(&a, c[i].delimiter, &a);
		assert_true(addr_eq(&a, &out, ADDR_EXACT));
	}
	assert_false(out.utf8);
	assert_int_equal(addr_parse(&a, view_of("BoB" U_UML "Z@Example.COM"),
	    NULL), 0);
	addr_key(&a, key);
	assert_string_equal(key, "bob" U_UML "z@example.com");
}

/* attack A22 A24: From fields on which parsers differ
 * verdict: no list: nobody is the author */
static void A22_A24_unparsable_lists(void **state)
{
	static const struct raw bad[] = {
		R(""), R(" "), R(","), R("(nobody)"), R("Bob"),
		R("bob@example.com,"), R(",bob@example.com"),
		R("bob@example.com,,carol@example.com"),
		R("bob@example.com carol@example.com"),
		R("bob@example.com <carol@example.com>"),
		R("<bob@example.com> <carol@example.com>"),
		R("<bob@example.com> carol@example.com"),
		R("<bob@example.com>x"), R("Bob <>"), R("<>"),
		R("Bob <bob@example.com"), R("Bob bob@example.com>"),
		R("Bob <<bob@example.com>>"), R("Bob <bob@example.com>>"),
		R("Bob < bob@example.com>"), R("Bob <bob@example.com >"),
		R("Bob <bob @example.com>"), R("Bob <bob@ example.com>"),
		R("bob @example.com"), R("bob@ example.com"),
		R("bob(c)@example.com"), R("Bob <(c)bob@example.com>"),
		R("Bob <bob@example.com(c)>"),
		R("Bob <@relay.example:bob@example.com>"),
		R("friends: bob@example.com;"), R("undisclosed-recipients:;"),
		R("undisclosed-recipients: ;"), R("bob@example.com;"),
		R("\"Bob <bob@example.com>"), R("Bob\" <bob@example.com>"),
		R("\"Bob\\\" <bob@example.com>"),
		R("(Bob <bob@example.com>"), R("Bob) <bob@example.com>"),
		R("(a (b) bob@example.com"), R("bob@example.com (c\\)"),
		R("Bob <bob@example.com\0>"), R("B\0b <bob@example.com>"),
		R("\"B\0b\" <bob@example.com>"), R("bob@example.com\0"),
		R("(\0) bob@example.com"), R("Bob\x01 <bob@example.com>"),
		R("Bob\r\n<bob@example.com>"), R("Bob\n<bob@example.com>"),
		R("Bob\r <bob@example.com>"), R("bob@exam\r\n ple.com"),
		R("Bob <bob@example\r\n .com>"),
		R("bob@example.com <eve@evil.example>"),
		R("carol@example.com Bob <bob@example.com>"),
		R("Bob [x] <bob@example.com>"), R("Bob \\x <b@example.com>"),
		R("=?utf-8?q?bob=40example.com?="),
		R("=?utf-8?q?bob?=@example.com"),
		R("<=?utf-8?q?bob?=@example.com>"),
		R("\xff <bob@example.com>"), R("\"\xc3\" <bob@example.com>"),
		R("Bob <\"bob@example.com>"),
		R("Bob <\"bob@example.com>\"@evil.example>"),
		R("\"a\"b@example.com"), R("\"a\".b@example.com"),
		R("bob.@example.com"), R("bob@example.com."),
		R("bob@[192.0.2.1]"), R("bob@example.com@evil.example"),
		R("a@example.com, Bob <bob@example.com"),
		R("\xef\xbb\xbf<bob@example.com> x"),
	};
	struct addr_list l;
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		memset(&e, 0, sizeof(e));
		if (addr_list_parse(&l, view_make(bad[i].p, bad[i].n),
		    &e) == 0)
			fail_msg("%zu: %s is taken as %s", i, bad[i].p,
			    l.a[0].text);
		assert_int_equal(e.kind, FAIL_INPUT);
		assert_null(l.a);
		assert_int_equal(l.n, 0);
	}
}

/* addresses of l with blanks between */
static void join(struct buf *b, const struct addr_list *l)
{
	size_t i;

	buf_clear(b);
	for (i = 0; i < l->n; i++)
		buf_printf(b, "%s%s", i == 0 ? "" : " ", l->a[i].text);
}

static void lists_are_parsed(void **state)
{
	static const char *const c[][2] = {
		{ "bob@example.com", "bob@example.com" },
		{ " bob@example.com\r\n", "bob@example.com" },
		{ "<bob@example.com>\n", "bob@example.com" },
		{ "Bob <bob@example.com>", "bob@example.com" },
		{ "Bob<bob@example.com>", "bob@example.com" },
		{ "\"Bob, the\\\" <x@y.example>\" <bob@example.com> (c)",
		    "bob@example.com" },
		{ "Carol Q. Doe <carol@example.com>", "carol@example.com" },
		{ "(a (b\\) c)) bob@example.com (d)", "bob@example.com" },
		{ "Bob\r\n\t(x)\r\n <bob@example.com>", "bob@example.com" },
		{ "Bob\n <bob@example.com>", "bob@example.com" },
		{ "a@example.com, B <b@example.com> ,\r\n c@example.com",
		    "a@example.com b@example.com c@example.com" },
		{ "=?utf-8?q?x=40evil.example?= <bob@example.com>",
		    "bob@example.com" },
		{ "B" U_UML "b <b" U_UML "b@b" U_UML "cher.example>",
		    "b" U_UML "b@xn--bcher-kva.example" },
		{ "\"bob\"@example.com", "bob@example.com" },
		{ "<\"a>b\"@example.com>", NULL },
		{ "\"a,b\"@example.com, d@example.com",
		    "\"a,b\"@example.com d@example.com" },
	};
	struct addr_list l;
	struct err e = { 0 };
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < ARRAY_LEN(c); i++) {
		if (addr_list_parse(&l, view_of(c[i][0]), &e) != 0) {
			if (c[i][1] != NULL)
				fail_msg("%s: %s", c[i][0], e.msg);
			continue;
		}
		assert_non_null(c[i][1]);
		join(&b, &l);
		assert_string_equal(buf_str(&b), c[i][1]);
		addr_list_free(&l);
	}
	buf_free(&b);
}

static void list_at_its_cap(void **state)
{
	struct addr_list l;
	struct err e = { 0 };
	struct buf b;
	size_t n, i;

	(void)state;
	buf_init(&b, 100000);
	for (n = CAP_RECIPIENTS - 1; n <= CAP_RECIPIENTS + 1; n++) {
		buf_clear(&b);
		for (i = 0; i < n; i++)
			buf_puts(&b, i == 0 ? "a@b" : ",a@b");
		assert_int_equal(addr_list_parse(&l, buf_view(&b), &e),
		    n <= CAP_RECIPIENTS ? 0 : -1);
		assert_int_equal(l.n, n <= CAP_RECIPIENTS ? n : 0);
		addr_list_free(&l);
	}
	assert_int_equal(e.kind, FAIL_LIMIT);
	buf_free(&b);
}

static void collecting_takes_what_it_can(void **state)
{
	static const struct {
		struct raw in;
		const char *want;
	} c[] = {
		{ R(""), "" },
		{ R("undisclosed-recipients:;"), "" },
		{ R("friends: bob@example.com, Carol <c@example.com>;,"
		    " d@example.com"),
		    "bob@example.com c@example.com d@example.com" },
		{ R("<@relay.example,@b.example:bob@example.com>"),
		    "bob@example.com" },
		{ R("bob @ example.com (c), junk, <x@y"),
		    "bob@example.com x@y" },
		{ R("\"a, b\" <a@example.com>,,\r\n c@example.com\r\n"),
		    "a@example.com c@example.com" },
		{ R("\"unclosed a@example.com, b@example.com"),
		    "b@example.com" },
		{ R("(unclosed a@example.com, b@example.com"),
		    "b@example.com" },
		{ R("a\0b@example.com, c@example.com"), "c@example.com" },
		{ R("a@example.com; b@example.com"),
		    "a@example.com b@example.com" },
		{ R("x@y.example <a@example.com>"), "a@example.com" },
		{ R("\xff\xfe <a@example.com>"), "a@example.com" },
	};
	struct addr_list l;
	struct err e = { 0 };
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < ARRAY_LEN(c); i++) {
		assert_int_equal(addr_list_collect(&l, view_make(c[i].in.p,
		    c[i].in.n), &e), 0);
		join(&b, &l);
		assert_string_equal(buf_str(&b), c[i].want);
		addr_list_free(&l);
	}
	buf_free(&b);
}

/* Work must stay linear: a field may have 64 KiB. */
static void hostile_fields_end_soon(void **state)
{
	static const char *const unit[] = { "(", "\"", "<", "\\", "(\"", ",",
		"<\"", ":", "@", "(\\" };
	struct addr_list l;
	struct err e = { 0 };
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1 << 20);
	for (i = 0; i < ARRAY_LEN(unit); i++) {
		buf_clear(&b);
		while (b.n < CAP_HEADER_FIELD)
			buf_puts(&b, unit[i]);
		assert_int_equal(addr_list_parse(&l, buf_view(&b), &e), -1);
		assert_int_equal(addr_list_collect(&l, buf_view(&b), &e), 0);
		assert_int_equal(l.n, 0);
		addr_list_free(&l);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A24_A47_S82_odd_addresses),
		cmocka_unit_test(good_addresses_have_one_form),
		cmocka_unit_test(length_at_its_caps),
		cmocka_unit_test(domains),
		cmocka_unit_test(A47_paths),
		cmocka_unit_test(S79_S189_equality),
		cmocka_unit_test(keys_and_details),
		cmocka_unit_test(A22_A24_unparsable_lists),
		cmocka_unit_test(lists_are_parsed),
		cmocka_unit_test(list_at_its_cap),
		cmocka_unit_test(collecting_takes_what_it_can),
		cmocka_unit_test(hostile_fields_end_soon),
	};

	return cmocka_run_group_tests_name("util_addr", tests, NULL, NULL);
}
