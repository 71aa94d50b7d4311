/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/conf*.c: errors with their place, words, values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <unistd.h>

#include "util/caps.h"
#include "util/conf.h"
#include "util/proc.h"

static void put_stmts(struct buf *b, const struct conf_stmt *st, size_t n);

/* A statement as [word "quoted" {...}], for comparison. */
static void put_stmt(struct buf *b, const struct conf_stmt *st)
{
	size_t i;

	buf_putc(b, '[');
	for (i = 0; i < st->words; i++)
		buf_printf(b, st->word[i].quoted ? "%s\"%s\"" : "%s%s",
		    i == 0 ? "" : "|", st->word[i].s);
	if (st->has_block) {
		buf_putc(b, '{');
		put_stmts(b, st->sub, st->subs);
		buf_putc(b, '}');
	}
	buf_putc(b, ']');
}

static void put_stmts(struct buf *b, const struct conf_stmt *st, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		put_stmt(b, &st[i]);
}

static void errors_name_their_place(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		const char *want;
	} c[] = {
#define C(t, want) { t, sizeof(t) - 1, want }
		C("a \"b\nc d\n", "f:1:5: wanted the closing quote before the "
		    "end of the line\n"),
		C("a \"b\\n\"\n", "f:1:6: wanted \\\" or \\\\ after the "
		    "backslash\n"),
		C("a b\"c\"\n", "f:1:4: wanted a blank before the quote\n"),
		C("a \"b\"c\n", "f:1:6: wanted a blank after the closing "
		    "quote\n"),
		C("a \"b\"\"c\"\n", "f:1:6: wanted a blank between quoted "
		    "strings\n"),
		C("a\0b\n", "f:1:2: a control character\n"),
		C("a b\x01\n", "f:1:4: a control character\n"),
		C("a\rb\n", "f:1:2: a control character\n"),
		C("\n\n  a \xff\n", "f:3:5: wanted UTF-8 text\n"),
		C("a \"\xc3\"\n", "f:1:4: wanted UTF-8 text\n"),
		C("}\n", "f:1:1: a } without its {\n"),
		C("{\n}\n", "f:1:1: wanted a word before {\n"),
		C("a {\n b\n", "f:3:1: the block of line 1 has no }\n"),
		C("a {\n} b\n", "f:2:3: wanted a new line after }\n"),
		C("include\n", "f:1:8: include: wanted one file name\n"),
		C("include a b\n", "f:1:9: include: wanted one file name\n"),
		C("include a {\n}\n", "f:1:11: include: has no block\n"),
		C("a { include b }\n", "f:1:15: wanted a new line after the "
		    "include\n"),
		C("a \"\n b \"\n", "f:1:4: wanted the closing quote before "
		    "the end of the line\nf:2:5: wanted the closing quote "
		    "before the end of the line\n"),
	};
	struct conf_errors ce;
	struct conf *conf;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		conf_errors_init(&ce);
		assert_int_equal(conf_read_text(&conf, "f",
		    view_make(c[i].text, c[i].n), &ce), -1);
		assert_string_equal(buf_str(&ce.text), c[i].want);
		assert_non_null(conf);
		conf_free(&conf);
		conf_free(&conf);
		conf_errors_free(&ce);
	}
}

static void words_and_blocks(void **state)
{
	static const char *const c[][2] = {
		{ "", "" },
		{ "\n \n# only this\n", "" },
		{ "\xef\xbb\xbf" "a b", "[a|b]" },
		{ "a b # c\n\td\r\n", "[a|b][d]" },
		{ "a#b c\n", "[a#b|c]" },
		{ "a \\\n  b \\\r\n c\nd\n", "[a|b|c][d]" },
		{ "a\\\nb\n", "[a|b]" },
		{ "a\\b\n", "[a\\b]" },
		{ "a \"b c\" \"\" \"\\\"\\\\\"\n",
		    "[a|\"b c\"|\"\"|\"\"\\\"]" },
		{ "a {\n b {\n c\n }\n d\n}\ne\n", "[a{[b{[c]}][d]}][e]" },
		{ "a { b { c } }\n", "[a{[b{[c]}]}]" },
		{ "a{}\n", "[a{}]" },
		{ "to banks: sign, encrypt\n",
		    "[to|banks|:|sign|,|encrypt]" },
		{ "to x : sign,encrypt or tls\n",
		    "[to|x|:|sign|,|encrypt|or|tls]" },
		{ "net fe80::/10 ::1/128 :: fe80:: a:b\n",
		    "[net|fe80::/10|::1/128|::|fe80::|a:b]" },
		{ "subject \"[x:]\": sign\n", "[subject|\"[x:]\"|:|sign]" },
		{ "a \":\" \",\" \"b:\"\n", "[a|\":\"|\",\"|\"b:\"]" },
		{ "a:\nb\n", "[a|:][b]" },
		{ "a:# c\n", "[a:#|c]" },
		{ "\"include\" x\n", "[\"include\"|x]" },
		{ "\xc3\xa4 \"\xc3\xb6\"\n", "[\xc3\xa4|\"\xc3\xb6\"]" },
	};
	struct conf_errors ce;
	struct conf *conf;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1000);
	for (i = 0; i < ARRAY_LEN(c); i++) {
		conf_errors_init(&ce);
		if (conf_read_text(&conf, "f", view_of(c[i][0]), &ce) != 0)
			fail_msg("%s: %s", c[i][0], buf_str(&ce.text));
		buf_clear(&b);
		put_stmts(&b, conf->stmt, conf->stmts);
		assert_string_equal(buf_str(&b), c[i][1]);
		conf_free(&conf);
		conf_errors_free(&ce);
	}
	buf_free(&b);
}

static void places_of_words(void **state)
{
	struct conf_errors ce;
	struct conf *conf;

	(void)state;
	conf_errors_init(&ce);
	assert_int_equal(conf_read_text(&conf, "f",
	    view_of("\n  one two: \\\n three,\"x\"\n"), &ce), 0);
	assert_int_equal(conf->stmt[0].line, 2);
	assert_int_equal(conf->stmt[0].word[0].column, 3);
	assert_int_equal(conf->stmt[0].word[1].column, 7);
	assert_int_equal(conf->stmt[0].word[2].column, 10);
	assert_int_equal(conf->stmt[0].word[4].column, 7);
	conf_error(&ce, &conf->stmt[0], 2, "text %d\n", 5);
	conf_error(&ce, &conf->stmt[0], 99, "missing");
	assert_string_equal(buf_str(&ce.text), "f:2:10: text 5?\n"
	    "f:2:9: missing\n");
	conf_free(&conf);
	conf_errors_free(&ce);
}

static void blocks_at_their_cap(void **state)
{
	struct conf_errors ce;
	struct conf *conf;
	struct buf b;
	size_t n, i;

	(void)state;
	buf_init(&b, 10000);
	for (n = CAP_CONF_BLOCKS - 1; n <= CAP_CONF_BLOCKS + 1; n++) {
		buf_clear(&b);
		for (i = 0; i < n; i++)
			buf_puts(&b, "a {\n");
		for (i = 0; i < n; i++)
			buf_puts(&b, "}\n");
		conf_errors_init(&ce);
		assert_int_equal(conf_read_text(&conf, "f", buf_view(&b),
		    &ce), n <= CAP_CONF_BLOCKS ? 0 : -1);
		conf_free(&conf);
		conf_errors_free(&ce);
	}
	buf_free(&b);
}

static void errors_at_their_cap(void **state)
{
	struct conf_errors ce;
	struct conf *conf;
	struct buf b;
	size_t i, lines = 0;

	(void)state;
	buf_init(&b, 10000);
	for (i = 0; i < CAP_CONF_ERRORS + 7; i++)
		buf_puts(&b, "}\n");
	conf_errors_init(&ce);
	assert_int_equal(conf_read_text(&conf, "f", buf_view(&b), &ce), -1);
	assert_int_equal(ce.n, CAP_CONF_ERRORS + 7);
	for (i = 0; i < ce.text.n; i++)
		lines += ce.text.p[i] == '\n';
	assert_int_equal(lines, CAP_CONF_ERRORS);
	conf_free(&conf);
	conf_errors_free(&ce);
	buf_free(&b);
}

/* A file in a folder of its own. */
struct place {
	char dir[64];
	struct buf path;
};

static const char *file_at(struct place *p, const char *name)
{
	buf_clear(&p->path);
	buf_printf(&p->path, "%s/%s", p->dir, name);
	return buf_str(&p->path);
}

static void put_file(struct place *p, const char *name, const char *text)
{
	struct err e = { 0 };

	assert_int_equal(io_write_file(file_at(p, name), 0600,
	    view_of(text), &e), 0);
}

static void place_init(struct place *p)
{
	static const char template[] = "/tmp/util_conf.XXXXXX";

	memcpy(p->dir, template, sizeof(template));
	assert_non_null(mkdtemp(p->dir));
	buf_init(&p->path, 1000);
}

static void place_free(struct place *p)
{
	static const char *const names[] = { "a", "b", "c", "self", "fan" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(file_at(p, names[i]));
	assert_int_equal(rmdir(p->dir), 0);
	buf_free(&p->path);
}

static void includes_that_fail(void **state)
{
	struct conf_errors ce;
	struct conf *conf;
	struct place p;

	(void)state;
	place_init(&p);
	conf_errors_init(&ce);
	assert_int_equal(conf_read(&conf, file_at(&p, "none"), &ce), -1);
	assert_int_equal(ce.n, 1);
	assert_non_null(strstr(buf_str(&ce.text), "No such file"));
	conf_free(&conf);
	conf_errors_free(&ce);

	put_file(&p, "self", "x\ninclude self\ny");
	conf_errors_init(&ce);
	assert_int_equal(conf_read(&conf, file_at(&p, "self"), &ce), -1);
	assert_int_equal(ce.n, 1);
	assert_int_equal(conf->files, CAP_CONF_INCLUDE + 1);
	conf_free(&conf);
	conf_errors_free(&ce);

	put_file(&p, "fan", "include fan\ninclude fan\ninclude fan\n"
	    "include fan\n");
	conf_errors_init(&ce);
	assert_int_equal(conf_read(&conf, file_at(&p, "fan"), &ce), -1);
	assert_int_equal(conf->files, CAP_CONF_FILES);
	conf_free(&conf);
	conf_errors_free(&ce);

	put_file(&p, "a", "m {\ninclude b\n}\ninclude c");
	put_file(&p, "b", "}\nx {\n");
	conf_errors_init(&ce);
	assert_int_equal(conf_read(&conf, file_at(&p, "a"), &ce), -1);
	assert_int_equal(ce.n, 3);
	assert_non_null(strstr(buf_str(&ce.text),
	    "/b:1:1: a } without its {\n"));
	assert_non_null(strstr(buf_str(&ce.text),
	    "/b:3:1: the block of line 2 has no }\n"));
	assert_non_null(strstr(buf_str(&ce.text), "/a:4:9: include: "));
	conf_free(&conf);
	conf_errors_free(&ce);
	place_free(&p);
}

static void includes_are_put_in_place(void **state)
{
	struct conf_errors ce;
	struct conf *conf;
	struct place p;
	struct buf b;

	(void)state;
	place_init(&p);
	put_file(&p, "a", "one\nm {\n include \"b\"\n two\n}\ninclude c");
	put_file(&p, "b", "three\ninclude c");
	put_file(&p, "c", "four five");
	buf_init(&b, 1000);
	conf_errors_init(&ce);
	assert_int_equal(conf_read(&conf, file_at(&p, "a"), &ce), 0);
	put_stmts(&b, conf->stmt, conf->stmts);
	assert_string_equal(buf_str(&b),
	    "[one][m{[three][four|five][two]}][four|five]");
	assert_string_equal(conf->stmt[1].sub[0].file, file_at(&p, "b"));
	assert_int_equal(conf->files, 4);
	conf_free(&conf);
	conf_errors_free(&ce);
	buf_free(&b);
	place_free(&p);
}

enum kind { SIZE, TIME, INT };

static const struct {
	enum kind kind;
	const char *word;
	int64_t min, max;
	int rc;
	int64_t x;
} value_case[] = {
	{ SIZE, "", 0, 100, -1, 0 },
	{ SIZE, "-1", 0, 100, -1, 0 },
	{ SIZE, "+1", 0, 100, -1, 0 },
	{ SIZE, "1k", 0, 10000, -1, 0 },
	{ SIZE, "1KB", 0, 10000, -1, 0 },
	{ SIZE, "1.5K", 0, 10000, -1, 0 },
	{ SIZE, "K", 0, 10000, -1, 0 },
	{ SIZE, "0x10", 0, 10000, -1, 0 },
	{ SIZE, "18446744073709551616", 0, INT64_MAX, -1, 0 },
	{ SIZE, "18014398509481984K", 0, INT64_MAX, -1, 0 },
	{ SIZE, "511", 512, 1024, -1, 0 },
	{ SIZE, "512", 512, 1024, 0, 512 },
	{ SIZE, "1K", 512, 1024, 0, 1024 },
	{ SIZE, "1025", 512, 1024, -1, 0 },
	{ SIZE, "40M", 0, INT64_MAX, 0, 41943040 },
	{ SIZE, "2G", 0, INT64_MAX, 0, 2147483648 },
	{ TIME, "30", 0, 100, -1, 0 },
	{ TIME, "30S", 0, 100, -1, 0 },
	{ TIME, "s", 0, 100, -1, 0 },
	{ TIME, "1w", 0, 1000000, -1, 0 },
	{ TIME, "9223372036854775808s", 0, INT64_MAX, -1, 0 },
	{ TIME, "99s", 0, 98, -1, 0 },
	{ TIME, "30s", 30, 30, 0, 30 },
	{ TIME, "5m", 0, 1000, 0, 300 },
	{ TIME, "2h", 0, 100000, 0, 7200 },
	{ TIME, "30d", 0, 10000000, 0, 2592000 },
	{ INT, "x", 0, 10, -1, 0 },
	{ INT, "1x", 0, 10, -1, 0 },
	{ INT, "--1", -10, 10, -1, 0 },
	{ INT, "11", 0, 10, -1, 0 },
	{ INT, "-1", 0, 10, -1, 0 },
	{ INT, "-5", -10, 10, 0, -5 },
	{ INT, "10", 0, 10, 0, 10 },
};

static void values(void **state)
{
	char w0[] = "key", w1[32];
	struct conf_word word[2] = { { w0, false, 1 }, { w1, false, 5 } };
	struct conf_stmt st = { .file = "f", .line = 1, .word = word,
		.words = 2 };
	struct conf_errors ce;
	uint64_t u;
	int64_t x;
	size_t i;
	int rc;

	(void)state;
	for (i = 0; i < ARRAY_LEN(value_case); i++) {
		conf_errors_init(&ce);
		assert_int_equal(view_cstr(view_of(value_case[i].word), w1,
		    sizeof(w1)), 0);
		x = 0;
		u = 0;
		if (value_case[i].kind == SIZE) {
			rc = conf_size(&ce, &st, 1, (uint64_t)value_case[i].min,
			    (uint64_t)value_case[i].max, &u);
			x = (int64_t)u;
		} else if (value_case[i].kind == TIME) {
			rc = conf_time(&ce, &st, 1, value_case[i].min,
			    value_case[i].max, &x);
		} else {
			rc = conf_int(&ce, &st, 1, value_case[i].min,
			    value_case[i].max, &x);
		}
		if (rc != value_case[i].rc || x != value_case[i].x)
			fail_msg("%s", value_case[i].word);
		assert_int_equal(ce.n, rc == 0 ? 0 : 1);
		conf_errors_free(&ce);
	}
	conf_errors_init(&ce);
	assert_int_equal(conf_size(&ce, &st, 2, 0, 1, &u), -1);
	assert_int_equal(conf_time(&ce, &st, 2, 0, 1, &x), -1);
	assert_int_equal(conf_int(&ce, &st, 2, 0, 1, &x), -1);
	assert_int_equal(ce.n, 3);
	conf_errors_free(&ce);
}

static void networks_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", "/8", "127.0.0.1/", "127.0.0.1/33", "127.0.0.1/-1",
		"127.0.0.1/08", "127.0.0.1/8", "127.0.0/8", "10/8", "::1/129",
		"fe80::1/64", "[::1]", "localhost", "127.0.0.0/8/8",
		"127.0.0.0/8 ", "1.2.3.4.5", "256.0.0.1", "010.0.0.1",
	};
	struct err e = { 0 };
	struct net n;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		if (net_parse(&n, bad[i], &e) == 0)
			fail_msg("%s", bad[i]);
	assert_int_equal(e.kind, FAIL_INPUT);
}

static void networks_have(void **state)
{
	static const struct {
		const char *net, *ip;
		bool has;
	} c[] = {
		{ "127.0.0.0/8", "127.255.255.255", true },
		{ "127.0.0.0/8", "128.0.0.0", false },
		{ "127.0.0.0/8", "126.255.255.255", false },
		{ "10.128.0.0/9", "10.128.0.1", true },
		{ "10.128.0.0/9", "10.127.0.1", false },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::1/128", "::1", true },
		{ "::1/128", "IPv6:::1", true },
		{ "::1", "ipv6:::2", false },
		{ "fe80::/10", "febf::1", true },
		{ "fe80::/10", "fec0::1", false },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
		{ "::ffff:127.0.0.0/104", "127.0.0.1", true },
		{ "::/0", "unknown", false },
		{ "::/0", "", false },
		{ "::/0", "/run/sock", false },
		{ "127.0.0.0/8", "127.0.0.1 ", false },
	};
	struct err e = { 0 };
	struct net n;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(c); i++) {
		assert_int_equal(net_parse(&n, c[i].net, &e), 0);
		if (net_has(&n, c[i].ip) != c[i].has)
			fail_msg("%s %s", c[i].net, c[i].ip);
	}
	assert_false(net_has(&n, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_name_their_place),
		cmocka_unit_test(words_and_blocks),
		cmocka_unit_test(places_of_words),
		cmocka_unit_test(blocks_at_their_cap),
		cmocka_unit_test(errors_at_their_cap),
		cmocka_unit_test(includes_that_fail),
		cmocka_unit_test(includes_are_put_in_place),
		cmocka_unit_test(values),
		cmocka_unit_test(networks_that_are_none),
		cmocka_unit_test(networks_have),
	};

	return cmocka_run_group_tests_name("util_conf", tests, NULL, NULL);
}
