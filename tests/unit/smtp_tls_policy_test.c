/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lines of tls-policy { }: what is understood, what is refused and where, and
 * which line holds for a next hop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/tls_policy.h"

#define HEX64 "00112233445566778899aabbccddeeff" \
    "00112233445566778899AABBCCDDEEFF"

struct read_file {
	struct conf *conf;
	struct conf_errors ce;
	struct tls_rules rules;
	int rc;
};

/* The lines of a block, from line 2 of the file on. */
static void read_lines(struct read_file *f, const char *lines)
{
	struct buf b;

	memset(f, 0, sizeof(*f));
	conf_errors_init(&f->ce);
	buf_init(&b, 1u << 20);
	buf_printf(&b, "tls-policy {\n%s\n}\n", lines);
	assert_int_equal(conf_read_text(&f->conf, "f", buf_view(&b), &f->ce),
	    0);
	f->rc = tls_rules_read(&f->rules, &f->conf->stmt[0], &f->ce);
	buf_free(&b);
}

static void free_read(struct read_file *f)
{
	tls_rules_free(&f->rules);
	conf_errors_free(&f->ce);
	conf_free(&f->conf);
}

/* ---- levels ---- */

static void levels_have_the_names_and_meaning_of_postfix(void **state)
{
	static const struct {
		const char *word;
		bool must, verified;
	} row[] = {
		{ "none", false, false }, { "may", false, false },
		{ "encrypt", true, false }, { "fingerprint", true, true },
		{ "dane", false, false }, { "dane-only", true, true },
		{ "verify", true, true }, { "secure", true, true },
	};
	enum tls_level l = TLS_NONE;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(tls_level_of(row[i].word, &l), 0);
		assert_string_equal(tls_level_str(l), row[i].word);
		assert_int_equal(tls_level_is_must(l), row[i].must);
		assert_int_equal(tls_level_is_verified(l), row[i].verified);
	}
	assert_int_equal(tls_level_of("Secure", &l), -1);
	assert_int_equal(tls_level_of("half-dane", &l), -1);
	assert_int_equal(tls_level_of("", &l), -1);
}

/* ---- bad lines ---- */

struct bad_line {
	const char *text;
	const char *at; /* "LINE:COLUMN" */
	const char *says;
};

static void must_be_refused(const struct bad_line *b)
{
	struct read_file f;
	struct buf at;

	read_lines(&f, b->text);
	buf_init(&at, 64);
	buf_printf(&at, "f:%s: ", b->at);
	if (f.rc != -1 || f.rules.n != 0 ||
	    strstr(buf_str(&f.ce.text), b->says) == NULL ||
	    strncmp(buf_str(&f.ce.text), buf_str(&at), at.n) != 0)
		fail_msg("\"%s\" wants \"%s%s\", gives %d \"%s\"", b->text,
		    buf_str(&at), b->says, f.rc, buf_str(&f.ce.text));
	buf_free(&at);
	free_read(&f);
}

static void a_word_that_is_not_understood_is_an_error(void **state)
{
	static const struct bad_line bad[] = {
		{ "a.example secure", "2:1", "expected default LEVEL or to" },
		{ "to", "2:3", "expected a destination" },
		{ "to secure", "2:4", "expected a destination" },
		{ "to a.example", "2:13", "expected a level: none, may" },
		{ "to a.example match b.example secure", "2:14",
		    "to: match and its value come behind the level" },
		{ "to a.example Secure", "2:14", "expected a level" },
		{ "to a.example \"secure\"", "2:14", "expected a level" },
		{ "to a.example secured", "2:14", "expected a level" },
		{ "to a.example secure starttls", "2:21", "unknown word" },
		{ "to a.example secure mtach b", "2:21", "unknown word" },
		{ "to a.example secure \"implicit\"", "2:21", "unknown word" },
		{ "to a.example secure {\nca x\n}", "2:1", "has no { }" },
		{ "default", "2:8", "expected a level" },
		{ "default always", "2:9", "expected a level" },
		{ "default may then sts then dane", "2:27", "dane first" },
		{ "default may then dane then dane", "2:28", "each once" },
		{ "default may then", "2:17", "expected dane or sts" },
		{ "default may then tlsa", "2:18", "expected dane or sts" },
		{ "default dane then dane", "2:19", "expected dane or sts" },
		{ "default may then sts pki x", "2:22", "nothing behind" },
		{ "default may from @b.example", "2:13", "unknown word" },
		{ "default may\ndefault may", "3:1", "said twice" },
		{ "to a.example may\nto b.example, c.example may", "3:13",
		    "expected example.com" },
		{ "to a.example may\nto A.example may", "3:1",
		    "said in f:2, too" },
		{ "to a.example from @b.example may\n"
		  "to a.example from @B.example may", "3:1", "said in f:2" },
		{ "to [::1] may\nto [0::1] may", "3:1", "said in f:2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_be_refused(&bad[i]);
}

static void a_destination_that_is_none_is_an_error(void **state)
{
	static const struct bad_line bad[] = {
		{ "to a..example may", "2:4", "an empty label" },
		{ "to *.example.com may", "2:4", "letters, digits" },
		{ "to . may", "2:4", "wanted a domain" },
		{ "to \"\" may", "2:4", "wanted a domain" },
		{ "to 192.0.2.1 may", "2:4", "last label is a number" },
		{ "to [a.example may", "2:4", "expected ']'" },
		{ "to [] may", "2:4", "wanted a domain" },
		{ "to [a.example]587 may", "2:4", "expected a port" },
		{ "to [a.example]:0 may", "2:4", "expected a port" },
		{ "to a.example:65536 may", "2:4", "expected a port" },
		{ "to a.example:99999999999999999999 may", "2:4",
		    "expected a port" },
		{ "to a.example:5x may", "2:4", "expected a port" },
		{ "to \"a.example:\" may", "2:4", "expected a port" },
		{ "to .a.example:587 may", "2:4", "a port is of one" },
		{ "to [.a.example] may", "2:4", "an empty label" },
		{ "to alice@a.example may", "2:4", "letters, digits" },
		{ "to a.example from b.example may", "2:19",
		    "expected alice@example.net or @example.net" },
		{ "to a.example from @ may", "2:19", "from: expected" },
		{ "to a.example from", "2:18", "from: expected" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_be_refused(&bad[i]);
}

static void a_value_that_is_none_is_an_error(void **state)
{
	static const struct bad_line bad[] = {
		{ "to a.example secure match", "2:26", "expected a value" },
		{ "to a.example secure match a.example::b.example", "2:27",
		    "match: expected names" },
		{ "to a.example secure match *.a.example", "2:27",
		    "write \".a.example\"" },
		{ "to a.example secure match a_b.example", "2:27",
		    "letters, digits" },
		{ "to a.example secure match x.example match y.example",
		    "2:37", "match: said twice" },
		{ "to a.example secure ca", "2:23", "expected a value" },
		{ "to a.example secure ca "
		  "x23456789012345678901234567890123", "2:24",
		    "of at most 32 octets" },
		{ "to a.example secure servername .a.example", "2:32",
		    "servername: expected a name" },
		{ "to a.example secure servername 192.0.2.1", "2:32",
		    "last label" },
		{ "to a.example secure ciphers \"HIGH LOW\"", "2:29",
		    "OpenSSL's syntax" },
		{ "to a.example secure ciphers \"\"", "2:29",
		    "OpenSSL's syntax" },
		{ "to a.example secure protocols 1.4", "2:31", "expected 1.2" },
		{ "to a.example secure protocols 1.3-1.2", "2:31",
		    "expected 1.2" },
		{ "to a.example secure protocols >1.2", "2:31",
		    "expected 1.2" },
		{ "to a.example secure protocols ssl3", "2:31",
		    "expected 1.2" },
		{ "to a.example secure protocols 1.2-", "2:31",
		    "expected 1.2" },
		{ "to a.example secure port 0", "2:26", "" },
		{ "to a.example secure port 65536", "2:26", "" },
		{ "to a.example secure port x", "2:26", "" },
		{ "to a.example secure on-fail temporary", "2:29",
		    "expected permanent" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_be_refused(&bad[i]);
}

static void T44_words_that_contradict_are_an_error(void **state)
{
	static const struct bad_line bad[] = {
		{ "to a.example may match b.example", "2:18",
		    "not with level may" },
		{ "to a.example encrypt match b.example", "2:22",
		    "not with level encrypt" },
		{ "to a.example dane match b.example", "2:19",
		    "not with level dane" },
		{ "to a.example fingerprint match b.example", "2:26",
		    "not with level fingerprint" },
		{ "to a.example none pki x", "2:19", "there is no TLS" },
		{ "to a.example none protocols 1.3", "2:19", "no TLS" },
		{ "to a.example may implicit", "2:18", "never optional" },
		{ "to a.example dane implicit", "2:19", "never optional" },
		{ "to a.example may on-fail permanent", "2:18",
		    "nothing that could fail" },
		{ "to a.example dane-only servername b.example", "2:24",
		    "TLSA base domain" },
		{ "to a.example secure allow-anonymous", "2:21",
		    "not with level secure" },
		{ "to a.example verify allow-anonymous", "2:21",
		    "proves nothing" },
		{ "to a.example fingerprint allow-anonymous", "2:26",
		    "proves nothing" },
		{ "to a.example dane-only allow-anonymous", "2:24",
		    "proves nothing" },
		{ "to a.example encrypt require-cert allow-anonymous", "2:35",
		    "not with require-cert" },
		{ "to a.example secure require-cert", "2:21",
		    "it is for encrypt" },
		{ "to a.example encrypt ca x", "2:22",
		    "only with require-cert" },
		{ "to a.example encrypt allow-cn", "2:22", "not with level" },
		{ "to a.example secure ciphers \"HIGH:aNULL\"", "2:21",
		    "allow-anonymous" },
		{ "to a.example may ciphers \"ADH-AES256-SHA\"", "2:18",
		    "allow-anonymous" },
		{ "to a.example secure ciphers \"eNULL\"", "2:21",
		    "do not encrypt" },
		{ "to a.example secure ciphers \"HIGH\" protocols 1.3",
		    "2:21", "those of TLS 1.2" },
		{ "to a.example may allow-anonymous protocols 1.3", "2:18",
		    "TLS 1.3 has no" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_be_refused(&bad[i]);
}

static void T42_only_sha256_pins(void **state)
{
	static const struct bad_line bad[] = {
		{ "to a.example fingerprint", "2:14", "expected sha256:HEX" },
		{ "to a.example secure sha256:" HEX64, "2:21",
		    "is for level fingerprint" },
		{ "to a.example fingerprint "
		  "00112233445566778899aabbccddeeff", "2:26",
		    "MD5, pin nothing; expected sha256: and 64 hex digits: "
		    "\"postseal policy probe DOMAIN --pin\"" },
		{ "to a.example fingerprint "
		  "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff", "2:26",
		    "as of MD5" },
		{ "to a.example fingerprint "
		  "00112233445566778899aabbccddeeff00112233", "2:26",
		    "as of SHA-1, pin nothing; expected sha256: and 64 hex "
		    "digits: \"postseal policy probe DOMAIN --pin\"" },
		{ "to a.example fingerprint sha1:"
		  "00112233445566778899aabbccddeeff00112233", "2:26",
		    "is not SHA-256" },
		{ "to a.example fingerprint md5:"
		  "00112233445566778899aabbccddeeff", "2:26",
		    "is not SHA-256" },
		{ "to a.example fingerprint sha512:" HEX64 HEX64, "2:26",
		    "is not SHA-256" },
		{ "to a.example fingerprint " HEX64, "2:26",
		    "not said of which kind" },
		{ "to a.example fingerprint sha256:0" HEX64, "2:26",
		    "wrong length" },
		{ "to a.example fingerprint sha256:"
		  "0112233445566778899aabbccddeeff"
		  "00112233445566778899aabbccddeeff", "2:26",
		    "wrong length" },
		{ "to a.example fingerprint sha256:" HEX64 HEX64, "2:26",
		    "wrong length" },
		{ "to a.example fingerprint sha256:x" HEX64, "2:26",
		    "no hex digits" },
		{ "to a.example fingerprint \"sha256:\"", "2:26",
		    "wrong length" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		must_be_refused(&bad[i]);
}

static void all_errors_are_told_in_one_run(void **state)
{
	struct read_file f;

	(void)state;
	read_lines(&f, "to a.example\nto b.example may\nto c.example x");
	assert_int_equal(f.rc, -1);
	assert_int_equal(f.ce.n, 2);
	assert_non_null(strstr(buf_str(&f.ce.text), "f:2:"));
	assert_non_null(strstr(buf_str(&f.ce.text), "f:4:"));
	free_read(&f);
}

/* ---- caps ---- */

/* Lines with n of something each. */
static void put_many(struct buf *b, const char *before, const char *fmt_of,
    int n)
{
	buf_puts(b, before);
	for (int i = 0; i < n; i++) {
		if (*fmt_of == 'm')
			buf_printf(b, "%sn%d.example", i == 0 ? " " : ":", i);
		else
			buf_printf(b, " sha256:%062d%02d", 0, i);
	}
}

static void a_line_has_at_most_32_names_and_pins(void **state)
{
	static const char *const before[] = { "to a.example secure match",
		"to a.example fingerprint" };
	struct read_file f;
	struct buf b;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		for (int n = TLS_NAMES - 1; n <= TLS_NAMES + 1; n++) {
			buf_init(&b, 65536);
			put_many(&b, before[kind], kind == 0 ? "m" : "p", n);
			read_lines(&f, buf_str(&b));
			assert_int_equal(f.rc, n <= TLS_NAMES ? 0 : -1);
			if (f.rc == 0)
				assert_int_equal(kind == 0 ?
				    f.rules.rule[0].matches :
				    f.rules.rule[0].pins, n);
			free_read(&f);
			buf_free(&b);
		}
	}
}

/* ---- good lines ---- */

static void each_word_arrives_in_the_rule(void **state)
{
	const struct tls_rule *r;
	struct read_file f;

	(void)state;
	read_lines(&f, "# a comment\n"
	    "to Bücher.Example from Alice@B\xc3\xbc" "cher.example secure "
	    "match MX.example.com:.example.com:nexthop:[2001:db8::1]:192.0.2.1"
	    " ca corp pki net servername hostname ciphers \"HIGH:!aNULL\" "
	    "protocols 1.2-1.3 port 465 implicit allow-cn on-fail permanent");
	assert_string_equal(buf_str(&f.ce.text), "");
	assert_int_equal(f.rules.n, 1);
	r = &f.rules.rule[0];
	assert_string_equal(r->file, "f");
	assert_int_equal(r->line, 3);
	assert_string_equal(r->to, "xn--bcher-kva.example");
	assert_string_equal(r->from, "Alice@xn--bcher-kva.example");
	assert_int_equal(r->level, TLS_SECURE);
	assert_int_equal(r->matches, 5);
	assert_string_equal(r->match[0], "mx.example.com");
	assert_string_equal(r->match[1], ".example.com");
	assert_string_equal(r->match[2], "nexthop");
	assert_string_equal(r->match[3], "[2001:db8::1]");
	assert_string_equal(r->match[4], "192.0.2.1");
	assert_string_equal(r->ca, "corp");
	assert_string_equal(r->pki, "net");
	assert_string_equal(r->servername, "hostname");
	assert_string_equal(r->ciphers, "HIGH:!aNULL");
	assert_int_equal(r->min, TLS_V_1_2);
	assert_int_equal(r->max, TLS_V_1_3);
	assert_int_equal(r->port, 465);
	assert_true(r->implicit && r->allow_cn && r->is_permanent);
	assert_false(r->is_default || r->allow_anonymous || r->require_cert);
	free_read(&f);
}

static void a_line_for_many_is_a_rule_for_each(void **state)
{
	struct read_file f;

	(void)state;
	read_lines(&f, "default encrypt allow-anonymous then dane then sts\n"
	    "to a.example .b.example [C.example]:25 [::0001]:26 \"none\" "
	    "from @d.example fingerprint sha256:" HEX64 " sha256:"
	    "00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd:ee:ff:00:11:22:33:44:"
	    "55:66:77:88:99:aa:bb:cc:dd:ee:ff protocols >=1.3");
	assert_string_equal(buf_str(&f.ce.text), "");
	assert_int_equal(f.rules.n, 6);
	assert_true(f.rules.has_default && f.rules.dane && f.rules.sts);
	assert_true(f.rules.rule[5].is_default);
	assert_true(f.rules.rule[5].allow_anonymous);
	assert_string_equal(f.rules.rule[0].to, "a.example");
	assert_string_equal(f.rules.rule[1].to, ".b.example");
	assert_string_equal(f.rules.rule[2].to, "[c.example]");
	assert_string_equal(f.rules.rule[3].to, "[::1]:26");
	assert_string_equal(f.rules.rule[4].to, "none");
	for (int i = 0; i < 5; i++) {
		const struct tls_rule *r = &f.rules.rule[i];

		assert_string_equal(r->from, "@d.example");
		assert_int_equal(r->pins, 2);
		assert_memory_equal(r->pin[0].sha256, r->pin[1].sha256, 32);
		assert_int_equal(r->pin[0].sha256[31], 0xff);
		assert_int_equal(r->min, TLS_V_1_3);
		assert_int_equal(r->max, TLS_V_ANY);
	}
	free_read(&f);
}

static void each_level_takes_what_fits(void **state)
{
	static const char *const good[] = {
		"to a.example none port 26",
		"to a.example may allow-anonymous ciphers \"HIGH:aNULL\"",
		"to a.example may protocols >=1.0 pki x servername a.example",
		"to a.example encrypt require-cert ca x implicit port 465",
		"to a.example encrypt allow-anonymous on-fail permanent",
		"to a.example dane pki x protocols 1.3",
		"to a.example dane-only port 465 implicit",
		"to a.example verify match hostname ca x",
		"to a.example secure",
		"default none", "default secure ca x", "default dane then sts",
		"to a.example from @b.example may\nto a.example may",
		"",
	};
	struct read_file f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		read_lines(&f, good[i]);
		if (f.rc != 0)
			fail_msg("%s: %s", good[i], buf_str(&f.ce.text));
		free_read(&f);
	}
}

/* ---- which line ---- */

static const char table[] =
    "to example.com may\n"			       /* 2 */
    "to .example.com encrypt\n"			       /* 3 */
    "to mail.example.com verify\n"		       /* 4 */
    "to .sub.example.com secure\n"		       /* 5 */
    "to [mail.example.com] dane-only\n"		       /* 6 */
    "to [mail.example.com]:587 none\n"		       /* 7 */
    "to example.com:587 none\n"			       /* 8 */
    "to example.com from alice@a.example secure\n"     /* 9 */
    "to example.com from @a.example encrypt\n"	       /* 10 */
    "to .example.com from @a.example verify\n"	       /* 11 */
    "to [192.0.2.1] encrypt\n"			       /* 12 */
    "to [2001:db8::1]:465 verify\n"		       /* 13 */
    "default may then dane\n"			       /* 14 */
    "to .net encrypt\n";			       /* 15 */

static void T38_the_line_of_a_next_hop(void **state)
{
	static const struct {
		const char *nexthop;
		int port;
		const char *sender;
		int line;
	} row[] = {
		{ "example.com", 25, "", 2 },
		{ "EXAMPLE.com", 25, "bob@b.example", 2 },
		{ "www.example.com", 25, "", 3 },
		{ "a.b.example.com", 25, "", 3 },
		{ "mail.example.com", 25, "", 4 },
		{ "x.mail.example.com", 25, "", 3 },
		{ "sub.example.com", 25, "", 3 },
		{ "a.sub.example.com", 25, "", 5 },
		{ "notexample.com", 25, "", 14 },
		{ "com", 25, "", 14 },
		{ "[mail.example.com]", 25, "", 6 },
		{ "[mail.example.com]", 587, "", 7 },
		{ "[mail.example.com]", 465, "", 14 },
		{ "[www.example.com]", 25, "", 14 },
		{ "example.com", 587, "", 8 },
		{ "www.example.com", 587, "", 14 },
		{ "example.com", 25, "alice@A.example", 9 },
		{ "example.com", 25, "bob@a.example", 10 },
		{ "example.com", 25, "bob@sub.a.example", 2 },
		{ "www.example.com", 25, "alice@a.example", 11 },
		{ "mail.example.com", 25, "alice@a.example", 4 },
		{ "[192.0.2.1]", 25, "", 12 },
		{ "192.0.2.1", 25, "", 12 },
		{ "[2001:DB8:0::1]", 465, "", 13 },
		{ "[IPv6:2001:db8::1]", 465, "", 13 },
		{ "a.net", 25, "", 15 },
		{ "net", 25, "", 14 },
		{ "", 25, "", 14 },
	};
	const struct tls_rule *r;
	struct read_file f;

	(void)state;
	read_lines(&f, table);
	assert_string_equal(buf_str(&f.ce.text), "");
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		r = tls_rules_find(&f.rules, row[i].nexthop, row[i].port,
		    row[i].sender);
		assert_non_null(r);
		if (r->line != row[i].line)
			fail_msg("%s:%d from %s: line %d, not %d",
			    row[i].nexthop, row[i].port, row[i].sender,
			    r->line, row[i].line);
	}
	free_read(&f);
}

/* An address may be longer than any that a line has; its domain is known. */
static void T38_a_sender_that_is_too_long_has_a_domain(void **state)
{
	char sender[1100];
	struct read_file f;
	size_t n;

	(void)state;
	read_lines(&f, table);
	for (n = 200; n < 1000; n += 50) {
		memset(sender, 'x', n);
		text_set(sender + n, sizeof(sender) - n, "@A.example");
		assert_int_equal(tls_rules_find(&f.rules, "example.com", 25,
		    sender)->line, 10);
		text_set(sender + n, sizeof(sender) - n, "@b.example");
		assert_int_equal(tls_rules_find(&f.rules, "example.com", 25,
		    sender)->line, 2);
	}
	free_read(&f);
}

static void no_default_is_no_line(void **state)
{
	struct tls_rules none = { 0 };
	struct read_file f;

	(void)state;
	read_lines(&f, "to .a.example may");
	assert_null(tls_rules_find(&f.rules, "a.example", 25, ""));
	assert_null(tls_rules_find(&f.rules, "b.example", 25, "@"));
	assert_null(tls_rules_find(&none, "b.example", 25, "x"));
	free_read(&f);
}

/* ---- warnings ---- */

static void collect(void *arg, const char *sentence)
{
	buf_puts(arg, sentence);
	buf_putc(arg, '\n');
}

static void T39_T59_what_protects_less_is_told(void **state)
{
	static const struct {
		const char *lines, *says; /* NULL: nothing */
	} row[] = {
		{ "default may\nto a.example secure", NULL },
		{ "default may\nto .a.example secure",
		    "f:3: .a.example secure: this is what lies below" },
		{ "default encrypt\nto .a.example secure", NULL },
		{ "default may\nto .a.example a.example secure", NULL },
		{ "to a.example verify", "f:2: a.example verify: the name "
		    "that is verified comes from MX" },
		{ "to [a.example] verify", NULL },
		{ "to a.example verify match nexthop", NULL },
		{ "to a.example secure match hostname",
		    "believed only where DNSSEC" },
		{ "to a.example may protocols >=1.1", "RFC 8996" },
		{ "default none", "f:2: default none: mail for all other" },
		{ "to a.example secure match not-kept.invalid",
		    "f:2: a.example secure: this mail waits" },
		{ "default secure match b.example:x.INVALID", "mail waits" },
		{ "to a.example secure match invalid.example", NULL },
	};
	struct read_file f;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		buf_init(&b, 65536);
		read_lines(&f, row[i].lines);
		assert_int_equal(f.rc, 0);
		tls_rules_warn(&f.rules, collect, &b);
		if (row[i].says == NULL)
			assert_string_equal(buf_str(&b), "");
		else if (strstr(buf_str(&b), row[i].says) == NULL)
			fail_msg("%s: \"%s\"", row[i].lines, buf_str(&b));
		free_read(&f);
		buf_free(&b);
	}
}

/* ---- what a connection must show ---- */

static void an_address_is_one(void **state)
{
	unsigned char ip[16];

	(void)state;
	assert_int_equal(tls_address("192.0.2.1", ip), 4);
	assert_int_equal(ip[3], 1);
	assert_int_equal(tls_address("[192.0.2.1]", ip), 4);
	assert_int_equal(tls_address("2001:db8::1", ip), 16);
	assert_int_equal(tls_address("[IPv6:2001:db8::1]", ip), 16);
	assert_int_equal(ip[15], 1);
	assert_int_equal(tls_address("a.example", ip), 0);
	assert_int_equal(tls_address("[a.example]", ip), 0);
	assert_int_equal(tls_address("192.0.2.1.", ip), 0);
	assert_int_equal(tls_address("", ip), 0);
	assert_int_equal(tls_address("[", ip), 0);
}

static void T46_records_that_cannot_be_checked_are_not_usable(void **state)
{
	static const struct {
		uint8_t usage, selector, mtype;
		size_t n;
		bool usable;
	} row[] = {
		{ 3, 1, 1, 32, true }, { 2, 0, 1, 32, true },
		{ 3, 1, 2, 64, true }, { 2, 0, 0, 500, true },
		{ 0, 1, 1, 32, false }, { 1, 1, 1, 32, false },
		{ 4, 1, 1, 32, false }, { 255, 1, 1, 32, false },
		{ 3, 2, 1, 32, false }, { 3, 1, 3, 32, false },
		{ 3, 1, 1, 31, false }, { 3, 1, 1, 33, false },
		{ 3, 1, 1, 0, false }, { 3, 1, 2, 32, false },
		{ 3, 0, 0, 0, false }, { 3, 0, 0, TLS_TLSA_DATA, true },
		{ 3, 0, 0, TLS_TLSA_DATA + 1, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct tls_tlsa t = { row[i].usage, row[i].selector,
			row[i].mtype, NULL, row[i].n };

		assert_int_equal(tls_tlsa_is_usable(&t), row[i].usable);
	}
}

static void full_want(struct tls_want *w)
{
	memset(w, 0, sizeof(*w));
	w->level = w->asked = TLS_SECURE;
	text_set(w->sni, sizeof(w->sni), "a");
	text_set(w->name[0], TLS_NAME_MAX, "mx.a.example");
	w->names = 1;
	w->tlsa[0] = (struct tls_tlsa){ 3, 1, 1, calloc(1, 32), 32 };
	w->tlsas = 1;
	w->pins = 1;
}

static void change(struct tls_want *w, int what)
{
	switch (what) {
	case 0: w->level = TLS_VERIFY; break;
	case 1: w->implicit = true; break;
	case 2: w->sni[0] = '\0'; w->tlsa_base[0] = 'a'; break;
	case 3: w->name[0][0] = 'n'; break;
	case 4: w->names = 2; break;
	case 5: w->tlsa[0].data[31] = 1; break;
	case 6: w->tlsa[0].n = 31; break;
	case 7: w->pin[0].sha256[0] = 1; break;
	case 8: text_set(w->ca, sizeof(w->ca), "x"); break;
	case 9: text_set(w->pki, sizeof(w->pki), "x"); break;
	case 10: text_set(w->ciphers, sizeof(w->ciphers), "HIGH"); break;
	case 11: w->min = TLS_V_1_3; break;
	case 12: w->max = TLS_V_1_3; break;
	case 13: w->allow_anonymous = true; break;
	case 14: w->require_cert = true; break;
	case 15: w->allow_cn = true; break;
	case 16: w->require_tls = true; break;
	case 17: text_set(w->tested, sizeof(w->tested), "x"); break;
	case 18: w->is_unnamed = true; break;
	default: w->asked = TLS_MAY; break;
	}
}

static void T60_T61_wants_that_differ_have_different_keys(void **state)
{
	unsigned char key[21][32];
	struct tls_want w, copy;
	struct err e;

	(void)state;
	full_want(&w);
	for (int i = 0; i < 21; i++) {
		assert_int_equal(tls_want_copy(&copy, &w, &e), 0);
		assert_ptr_not_equal(copy.tlsa[0].data, w.tlsa[0].data);
		if (i < 20)
			change(&copy, i);
		tls_want_key(&copy, key[i]);
		for (int j = 0; j < i; j++)
			assert_memory_not_equal(key[i], key[j], 32);
		tls_want_free(&copy);
		tls_want_free(&copy);
	}
	tls_want_key(&w, key[0]);
	assert_memory_equal(key[0], key[20], 32);
	tls_want_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_have_the_names_and_meaning_of_postfix),
		cmocka_unit_test(a_word_that_is_not_understood_is_an_error),
		cmocka_unit_test(a_destination_that_is_none_is_an_error),
		cmocka_unit_test(a_value_that_is_none_is_an_error),
		cmocka_unit_test(T44_words_that_contradict_are_an_error),
		cmocka_unit_test(T42_only_sha256_pins),
		cmocka_unit_test(all_errors_are_told_in_one_run),
		cmocka_unit_test(a_line_has_at_most_32_names_and_pins),
		cmocka_unit_test(each_word_arrives_in_the_rule),
		cmocka_unit_test(a_line_for_many_is_a_rule_for_each),
		cmocka_unit_test(each_level_takes_what_fits),
		cmocka_unit_test(T38_the_line_of_a_next_hop),
		cmocka_unit_test(T38_a_sender_that_is_too_long_has_a_domain),
		cmocka_unit_test(no_default_is_no_line),
		cmocka_unit_test(T39_T59_what_protects_less_is_told),
		cmocka_unit_test(an_address_is_one),
		cmocka_unit_test(
		    T46_records_that_cannot_be_checked_are_not_usable),
		cmocka_unit_test(
		    T60_T61_wants_that_differ_have_different_keys),
	};

	return cmocka_run_group_tests_name("smtp_tls_policy", tests, NULL,
	    NULL);
}
