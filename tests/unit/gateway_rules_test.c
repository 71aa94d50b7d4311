/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/rules*.c and treatment.c: errors with their place, which
 * line decides, sentences.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/rules.h"
#include "util/proc.h"

static char dir[] = "/tmp/gateway-rules-XXXXXX";
static char rules_path[64], list_path[64];

#define LAST "outbound : pass\ninbound : pass\n"

static void write_file(const char *path, const char *text)
{
	struct err e = {0};

	if (io_write_file(path, 0600, view_of(text), &e) != 0)
		fail_msg("%s", e.msg);
}

static int make_dir(void **state)
{
	struct buf b;

	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	buf_init(&b, 60);
	buf_printf(&b, "%s/rules", dir);
	memcpy(rules_path, buf_str(&b), b.n + 1);
	buf_clear(&b);
	buf_printf(&b, "%s/list", dir);
	memcpy(list_path, buf_str(&b), b.n + 1);
	buf_free(&b);
	write_file(list_path, "# partners\na@list.example\n@*.list.example\n");
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(rules_path);
	(void)unlink(list_path);
	return rmdir(dir);
}

struct bad {
	const char *text; /* LAST stands before it, unless it has its own */
	const char *piece;
};

/* Lines are put before LAST; positions count from line 1. */
static const struct bad bad[] = {
	/* lines */
	{"sign everything\n", "rules:1:1: expected group, profile, outbound"},
	{"\"outbound\" to @x.de : sign\n", ":1:1: expected group"},
	{"outbound to @x.de { }\n", "no blocks"},
	{"outbound to @x.de\n", "expected a colon"},
	{"outbound to @x.de :\n", "expected treatments after the colon"},
	{"outbound : sign\n", "never reached: the outbound line 1"},
	/* conditions */
	{"outbound with @x.de : sign\n", ":1:10: expected from, to"},
	{"outbound to : sign\n", ":1:10: to: expected an address"},
	{"outbound to @x.de to @y.de : sign\n", ":1:19: to stands"},
	{"outbound to nobody : sign\n", ":1:13: no group nobody above"},
	{"outbound to a@@b : sign\n", ":1:13: expected an address"},
	{"outbound to @-x- : sign\n", ":1:13: expected @DOMAIN"},
	{"outbound to @*.-x- : sign\n", ":1:13: expected @DOMAIN"},
	{"outbound to *@x.de.. : sign\n", ":1:13: expected"},
	{"outbound to file : sign\n", ":1:13: file: expected a path"},
	{"outbound to file nowhere : sign\n", "the list has errors, or is "
					      "not there"},
	{"outbound network here : sign\n", ":1:18: network:"},
	{"outbound network : sign\n", ":1:10: network: expected a network"},
	{"outbound subject x : sign\n", "stands only in also lines"},
	{"outbound class dsn : pass\n", "stands only in also lines"},
	/* groups and profiles */
	{"group\n", ":1:1: group: expected a name"},
	{"group to @x.de\n", ":1:7: group: expected a name that is no word"},
	{"group g\n", "expected an address"},
	{"group g @x.de , @y.de\n", "group: expected addresses, found ,"},
	{"group g @x.de\ngroup g @y.de\n", ":2:7: group g stands in line 1"},
	{"group g g\n", "no group g above"},
	{"profile p\n", "profile: expected compat"},
	{"profile p strong\n", ":1:11: profile: expected compat"},
	{"profile p compat, modern\n", ":1:19: profile: expected digest"},
	{"profile modern digest sha-256\n", "comes with the program"},
	{"profile p digest\n", "digest: expected one of sha-256"},
	{"profile p digest md5\n", ":1:18: digest: expected one of sha-256"},
	{"profile p digest sha-1\n", ":1:18: digest: expected"},
	{"profile p digest \"sha-256\"\n", ":1:18: digest: expected one of "
	    "sha-256, sha-384, sha-512, found \"sha-256\""},
	{"profile p digest, signature pss\n", ":1:11: digest: expected one"},
	{"profile p signature pkcs\n", ":1:21: signature: "
	    "expected one of pkcs1, pss, found pkcs\n"},
	{"profile p cipher 3des\n", "cipher: expected one of aes-128-cbc"},
	{"profile p cipher aes-192-cbc\n", ":1:18: cipher: expected"},
	{"profile p min-cipher rc2\n", "min-cipher: expected one of"},
	{"profile p key-transport rsa\n", "key-transport: expected one of "
	    "pkcs1, oaep, found rsa"},
	{"profile p capabilities learn\n", "capabilities: expected one of use"},
	{"profile p cipher aes-128-gcm, min-cipher aes-256-cbc\n", ":1:31: "
	    "cipher aes-128-gcm is less than min-cipher aes-256-cbc"},
	{"profile p legacy, min-cipher aes-256-cbc\n", ":1:19: cipher "
	    "aes-128-cbc of profile legacy is less than"},
	{"profile p protect-headers shy\n", ":1:11: profile: expected compat"},
	{"profile p digest sha-256 digest sha-384\n", "expected a comma"},
	{"profile p digest sha-256, digest sha-384\n", "digest stands"},
	{"profile p compat,\n", "expected a word after the comma"},
	{"profile p compat\nprofile p compat\n", "profile p stands in line 1"},
	/* treatments */
	{"outbound to @x.de : shred\n", ":1:21: unknown treatment shred"},
	{"outbound to @x.de : \"sign\"\n", "unknown treatment"},
	{"outbound to @x.de : sign encrypt\n", ":1:26: expected a comma"},
	{"outbound to @x.de : sign,\n", "expected a treatment after"},
	{"outbound to @x.de : , sign\n", "expected a treatment, found ,"},
	{"outbound to @x.de : sign, sign\n", "sign stands"},
	{"outbound to @x.de : sign or\n", "sign or: expected one of plain"},
	{"outbound to @x.de : sign or tls\n", "expected one of plain"},
	{"outbound to @x.de : sign or \"plain\"\n", "expected one of plain"},
	{"outbound to @x.de : encrypt or reject\n", "expected one of plain, "
						     "tls, quarantine"},
	{"outbound to @x.de : pass or plain\n", "pass has no alternative"},
	{"inbound from @x.de : verify or plain\n", "expected one of "
						   "quarantine, reject"},
	{"outbound to @x.de : encrypt, opaque\n", ":1:30: opaque is a form"},
	{"outbound to @x.de : profile p\n", "no profile p above"},
	{"outbound to @x.de : sign, profile\n", "profile: expected a name"},
	{"profile p compat\noutbound to @x.de : profile p\n", "profile needs "
							     "sign or"},
	{"outbound to @x.de : refuse\n", "refuse: expected a \"text\""},
	{"outbound to @x.de : refuse now\n", "refuse: expected a \"text\""},
	{"outbound to @x.de : refuse \"\"\n", "refuse: expected a \"text\""},
	{"outbound to @x.de : pass, sign\n", "stand alone"},
	{"outbound to @x.de : refuse \"x\", sign\n", "stand alone"},
	{"outbound to @x.de : decrypt\n", "decrypt is for inbound mail"},
	{"outbound to @x.de : verify\n", "verify is for inbound mail"},
	{"outbound to @x.de : store-encrypted\n", "is for inbound mail"},
	{"outbound : to @x.de sign\n", ":1:12: to is a condition"},
	{"outbound to @x.de : shred\n",
	    "protect-headers, revocation, pass or refuse\n"},
	{"inbound to @x.de : shred\n", "expected decrypt, leave-sealed"},
	{"inbound from @x.de : sign\n", "sign is for outbound mail"},
	{"inbound from @x.de : encrypt\n", "encrypt is for outbound mail"},
	{"inbound from @x.de : decrypt, leave-sealed\n", "contradict"},
	{"inbound from @x.de : decrypt, store-encrypted\n", "contradict"},
	{"internal from @x.de : sign, verify\ninternal : pass\n",
	    "seals or opens, not both"},
	{"inbound from @x.de : decrypt, harvest\n",
	    ":1:31: harvest takes certificates out of verified mail: it needs "
	    "verify"},
	{"inbound from @x.de : verify, harvest, harvest\n",
	    "harvest stands in this line already"},
	{"inbound from @x.de : verify, harvest or plain\n",
	    "harvest has no alternative"},
	{"inbound from @x.de : pass, harvest\n", "stand alone"},
	{"outbound to @x.de : sign, remove-trigger\n", ":1:27: "
	    "remove-trigger stands only in also lines"},
	{"outbound to @x.de : sign, per-recipient\n", ":1:27: "
	    "per-recipient is about encrypted copies"},
	{"inbound to @x.de : decrypt, per-recipient\n", "is for outbound"},
	{"group g ldap\n", "expected ldap DIRECTORY"},
	{"outbound to @x.de : encrypt, protect-headers copy\n",
	    ":1:30: protect-headers needs sign"},
	{"outbound to @x.de : encrypt, digest sha-256\n", "need sign"},
	{"outbound to @x.de : sign, cipher aes-128-cbc\n", ":1:27: cipher, "
	    "min-cipher, key-transport, capabilities need encrypt"},
	{"outbound to @x.de : sign, key-transport oaep\n", "need encrypt"},
	{"outbound to @x.de : refuse \"no\", digest sha-256\n", "stand alone"},
	{"inbound to @x.de : decrypt, cipher aes-128-cbc\n", "outbound mail"},
	{"outbound to @x.de : encrypt, profile edi-energy, min-cipher "
	    "aes-256-gcm\n", ":1:50: cipher aes-128-gcm of profile "
	    "edi-energy is less than min-cipher aes-256-gcm"},
	{"profile s min-cipher aes-256-gcm\noutbound to @x.de : encrypt, "
	    "profile s, cipher aes-128-gcm\n", ":2:41: cipher aes-128-gcm is "
	    "less"},
	{"outbound to @x.de : sign, digest sha-256, digest sha-512\n",
	    "digest stands"},
	{"outbound to @x.de : sign, protect-headers loud\n", ":1:43: "
	    "protect-headers: expected one of off, copy, baseline, shy, found "
	    "loud"},
	{"outbound to @x.de : sign, protect-headers, encrypt\n", ":1:27: "
	    "protect-headers: expected one of off"},
};

static void expect(const char *text, const char *last, const char *piece)
{
	struct rules *r = NULL;
	struct conf_errors ce;
	struct buf b;

	buf_init(&b, 65536);
	/* a line without conditions must be the last of its direction */
	if (strncmp(text, "outbound : sign", 15) == 0)
		buf_printf(&b, "%s%s", last, text);
	else
		buf_printf(&b, "%s%s", text, last);
	write_file(rules_path, buf_str(&b));
	conf_errors_init(&ce);
	assert_int_equal(rules_read(&r, rules_path, NULL, &ce), -1);
	assert_null(r);
	if (strstr(buf_str(&ce.text), piece) == NULL || ce.n == 0)
		fail_msg("%swanted \"%s\", got\n%s", text, piece,
		    buf_str(&ce.text));
	/* what cannot be read at all may have a second error; no more */
	assert_in_range(ce.n, 1, 2);
	conf_errors_free(&ce);
	buf_free(&b);
}

static void every_error_says_what_was_expected(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		expect(bad[i].text, LAST, bad[i].piece);
}

/* A word on the wrong side is one error, not another for what it lacks. */
static void no_error_follows_from_another(void **state)
{
	static const char *const lines[] = {
		"inbound from @x.de : decrypt, profile modern\n",
		"inbound from @x.de : verify, protect-headers shy\n",
		"inbound from @x.de : verify, digest sha-512\n",
		"inbound from @x.de : verify, min-cipher aes-256-cbc\n",
		"inbound from @x.de : opaque\n",
		"outbound to @x.de : protect-headers shy, revocation hard\n",
		"outbound to @x.de : sign, digest, encrypt\n",
		"profile p protect-headers shy\n",
		"profile p : digest sha-512\n",
	};
	struct rules *r = NULL;
	struct conf_errors ce;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		buf_init(&b, 65536);
		buf_printf(&b, "%s%s", lines[i], LAST);
		write_file(rules_path, buf_str(&b));
		conf_errors_init(&ce);
		assert_int_equal(rules_read(&r, rules_path, NULL, &ce), -1);
		if (ce.n != 1)
			fail_msg("%s%s", lines[i], buf_str(&ce.text));
		conf_errors_free(&ce);
		buf_free(&b);
	}
}

/* 1: the word takes a value, and is for this. */
static size_t expect_writing(const char *name, bool signs)
{
	char empty[] = "sha-256", text[32] = "";
	struct conf_word word[] = {{text, false, 1}, {empty, true, 9}};
	struct conf_stmt st = {"x", 1, word, 2, NULL, 0, false};
	struct writing_words words = {{NULL}};
	struct conf_errors ce;
	size_t w = 0;

	memcpy(text, name, strlen(name));
	conf_errors_init(&ce);
	assert_true(writing_parse(&words, &st, &w, &ce));
	assert_int_equal(w, 2);
	assert_int_equal(ce.n, 1); /* quoted: no value */
	conf_errors_free(&ce);
	for (size_t i = 0; i < WRITING_WORDS; i++) {
		struct writing_words one = {{NULL}};
		struct buf b;

		one.value[i] = "x";
		buf_init(&b, 100);
		writing_print(&one, 0, &b);
		if (strncmp(buf_str(&b), name, strlen(name)) == 0 &&
		    buf_str(&b)[strlen(name)] == ' ') {
			assert_int_equal(writing_is_for_signing(&one), signs);
			assert_int_equal(writing_is_for_encrypting(&one),
			    !signs);
		}
		buf_free(&b);
	}
	return 1;
}

/* Lists for people and tables for the program are the same. */
static void names_in_messages_are_the_words(void **state)
{
	static const char *const lists[] = {WRITING_PROFILES, WRITING_SIGNS,
	    WRITING_ENCRYPTS};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (struct view all = view_of(lists[i]); all.n > 0;) {
			size_t end = view_chr(all, ',', 0);
			struct view name = view_sub(all, 0, end < all.n
			    ? end : all.n);
			char text[32] = "";

			assert_in_range(name.n, 1, sizeof(text) - 1);
			memcpy(text, name.p, name.n);
			all = view_sub(all, name.n + 2, all.n);
			if (i == 0)
				assert_non_null(writing_builtin(text));
			else
				n += expect_writing(text, i == 1);
		}
	}
	assert_int_equal(n, WRITING_WORDS);
}

static void each_direction_needs_a_last_line(void **state)
{
	(void)state;
	expect("", "outbound : pass\n", "missing: a last line \"inbound");
	expect("", "inbound : pass\n", "missing: a last line \"outbound");
	expect("internal from @x.de : pass\n", LAST,
	    "missing: a last line \"internal");
	expect("", "", "missing: a last line");
}

static void A51_also_lines_are_checked(void **state)
{
	static const struct bad also[] = {
		{"also\n", "also: expected outbound"},
		{"also outbound size big : sign\n", ":1:20: size: expected "
		    "over"},
		{"also outbound size 5M : sign\n", "size: expected over"},
		{"also outbound size over : sign\n", ":1:20: size over: "},
		{"also outbound size over big : sign\n", ":1:25:"},
		{"also outbound size : sign\n", ":1:15: size: expected over"},
		{"also outbound attachment pdf : sign\n", "expected a type"},
		{"also outbound attachment */pdf : sign\n", "expected a type"},
		{"also outbound attachment image/*x : sign\n", "a type"},
		{"also outbound attachment image/ : sign\n", "a type"},
		{"also outbound attachment a/b/c : sign\n", "a type"},
		{"also outbound attachment a/b attachment c/d : sign\n",
		    ":1:30: attachment stands in this line already"},
		{"also outbound class fun : sign\n", "class: expected normal"},
		{"also outbound header : sign\n", "the name of a field"},
		{"also outbound header \"X:\" : sign\n", "without its colon"},
		{"also outbound header \"\" : sign\n", "the name of a field"},
		{"also outbound header X \"\" : sign\n", "an empty one"},
		{"also outbound subject : sign\n", "subject: expected a text"},
		{"also outbound subject \"\" : sign\n", "an empty one"},
		{"also outbound subject a subject b : sign\n", "already"},
		{"also outbound subject x : pass\n", "can only strengthen"},
		{"also outbound subject x : sign or plain\n", "strengthen"},
		{"also outbound subject x : encrypt or plain\n", "strengthen"},
		{"also inbound subject x : decrypt\n", "strengthen"},
		{"also inbound subject x : leave-sealed\n", "strengthen"},
		{"also inbound subject x : verify, harvest\n", "strengthen"},
		{"also outbound subject x : shred\n", "unknown treatment"},
		{"also outbound subject x\n", "expected a colon"},
		{"also outbound with x : sign\n", "expected from, to, envelope-"
		    "from, authenticated, network, subject, header"},
		{"also outbound to @x.de : sign, remove-trigger\n",
		    "a condition subject or header that is the trigger"},
		{"also outbound header Message-ID : remove-trigger\n",
		    ":1:35: remove-trigger would delete a field"},
		{"also outbound header content-type : remove-trigger\n",
		    "would delete a field"},
		{"also inbound subject x : remove-trigger\n", "for outbound"},
		{"internal : decrypt\nalso internal subject x : encrypt\n",
		    "rules:2:1: internal mail is sealed or opened: this line "
		    "seals it, line 1 the other"},
		{"internal : pass\nalso internal to @x.de : verify\n"
		    "also internal subject x : sign\n", "internal mail is"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(also); i++)
		expect(also[i].text, LAST, also[i].piece);
}

static void all_errors_are_reported(void **state)
{
	struct rules *r = NULL;
	struct conf_errors ce;

	(void)state;
	write_file(rules_path, "shred\noutbound to x : sign\n"
	    "outbound : opaque, harvest\n");
	conf_errors_init(&ce);
	assert_int_equal(rules_read(&r, rules_path, NULL, &ce), -1);
	/* two lines, two in the third, one missing direction */
	assert_int_equal(ce.n, 5);
	assert_non_null(strstr(buf_str(&ce.text), "rules:3:20: harvest is "
	    "for inbound"));
	conf_errors_free(&ce);
}

/* ---- which line decides ---- */

static const char decide_rules[] =
    "group   banks    @bank.example @*.bank.example Treasurer@other.example\n"
    "group   money    banks @coins.example\n"
    "profile long     digest sha-512\n"
    "profile plain    compat\n"
    "outbound to banks                 : sign, encrypt\n"
    "outbound to money                 : sign, encrypt or plain\n"
    "outbound to @list.example file list : encrypt\n"
    "outbound from boss@example.com to @p.example \\\n"
    "    : sign, opaque\n"
    "outbound authenticated bob alice  : sign, profile long\n"
    "outbound network 192.0.2.0/24 2001:db8::/32 : sign, profile plain, "
    "protect-headers off\n"
    "outbound envelope-from bounce@example.com : refuse \"no,  thanks\"\n"
    "outbound authenticated            : sign or plain\n"
    "outbound                          : sign or plain, encrypt or plain\n"
    "inbound  from banks               : decrypt, verify or quarantine\n"
    "inbound  to hr@example.com        : leave-sealed\n"
    "inbound  to board@example.com     : store-encrypted, verify or reject\n"
    "inbound                           : decrypt, verify\n";

struct decision {
	enum direction d;
	const char *from, *envelope_from, *to, *login, *ip;
	int line;
	const char *words;
};

#define O DIR_OUTBOUND
#define I DIR_INBOUND

static const struct decision decision[] = {
	{O, "a@e.de", NULL, "x@bank.example", NULL, NULL, 5, "sign, encrypt"},
	{O, "a@e.de", NULL, "X@BANK.example", NULL, NULL, 5, "sign, encrypt"},
	{O, "a@e.de", NULL, "x@a.b.bank.example", NULL, NULL, 5,
	    "sign, encrypt"},
	{O, "a@e.de", NULL, "x@notbank.example", NULL, NULL, 14, NULL},
	{O, "a@e.de", NULL, "x@bank.example.de", NULL, NULL, 14, NULL},
	{O, "a@e.de", NULL, "treasurer@other.example", NULL, NULL, 5, NULL},
	{O, "a@e.de", NULL, "clerk@other.example", NULL, NULL, 14, NULL},
	/* our delimiter means nothing elsewhere */
	{O, "a@e.de", NULL, "treasurer+x@other.example", NULL, NULL, 14, NULL},
	{O, "a@e.de", NULL, "x@coins.example", NULL, NULL, 6,
	    "sign, encrypt or plain"},
	{O, "a@e.de", NULL, "x@list.example", NULL, NULL, 7, "encrypt"},
	{O, "a@e.de", NULL, "a@list.example", NULL, NULL, 7, NULL},
	{O, "a@e.de", NULL, "b@sub.list.example", NULL, NULL, 7, NULL},
	{O, "boss@example.com", NULL, "x@p.example", NULL, NULL, 8,
	    "sign, opaque"},
	{O, "boss@example.com", NULL, "x@q.example", NULL, NULL, 14, NULL},
	{O, "other@example.com", NULL, "x@p.example", NULL, NULL, 14, NULL},
	{O, NULL, NULL, "x@p.example", NULL, NULL, 14, NULL},
	{O, "a@e.de", NULL, "x@q.example", "bob", NULL, 10,
	    "sign, profile long"},
	{O, "a@e.de", NULL, "x@q.example", "alice", NULL, 10, NULL},
	{O, "a@e.de", NULL, "x@q.example", "Bob", NULL, 13, "sign or plain"},
	{O, "a@e.de", NULL, "x@q.example", NULL, "192.0.2.77", 11,
	    "sign, profile plain, protect-headers off"},
	{O, "a@e.de", NULL, "x@q.example", NULL, "2001:db8::5", 11, NULL},
	{O, "a@e.de", NULL, "x@q.example", NULL, "192.0.3.1", 14, NULL},
	{O, "a@e.de", "bounce@example.com", "x@q.example", NULL, NULL, 12,
	    "refuse \"no,  thanks\""},
	{O, "bounce@example.com", NULL, "x@q.example", NULL, NULL, 14,
	    "sign or plain, encrypt or plain"},
	{I, "x@bank.example", NULL, "a@example.com", NULL, NULL, 15,
	    "decrypt, verify or quarantine"},
	{I, "x@y.example", NULL, "hr@example.com", NULL, NULL, 16,
	    "leave-sealed"},
	{I, "x@y.example", NULL, "hr+jobs@example.com", NULL, NULL, 16, NULL},
	{I, "x@y.example", NULL, "hrx@example.com", NULL, NULL, 18, NULL},
	{I, "x@y.example", NULL, "board@example.com", NULL, NULL, 17,
	    "verify or reject, store-encrypted"},
	{I, NULL, NULL, "a@example.com", NULL, NULL, 18, "decrypt, verify"},
	{DIR_INTERNAL, "a@e.de", NULL, "b@e.de", NULL, NULL, 0, "pass"},
};

static const struct addr *parse(struct addr *a, const char *s)
{
	struct err e = {0};

	if (s == NULL)
		return NULL;
	if (addr_parse(a, view_of(s), &e) != 0)
		fail_msg("%s", e.msg);
	return a;
}

static void check_decision(const struct rules *r, const struct decision *k)
{
	struct rule_input in = {0};
	struct addr a[3];
	struct treatment t;
	struct rule_ref ref;
	struct buf b;

	in.direction = k->d;
	in.from = parse(&a[0], k->from);
	in.envelope_from = parse(&a[1], k->envelope_from);
	in.to = parse(&a[2], k->to);
	in.login = k->login;
	in.client_ip = k->ip;
	rules_decide(r, &in, &t, &ref);
	if (ref.line != k->line)
		fail_msg("to %s: line %d, wanted %d", k->to, ref.line,
		    k->line);
	buf_init(&b, 1000);
	treatment_print(&t, &b);
	if (k->words != NULL)
		assert_string_equal(buf_str(&b), k->words);
	buf_free(&b);
	assert_int_equal(ref.file == NULL, k->line == 0);
}

static void the_first_line_that_matches_decides(void **state)
{
	struct rules *r = NULL;
	struct config c = {0};
	struct conf_errors ce;

	(void)state;
	c.delimiter = '+';
	write_file(rules_path, decide_rules);
	conf_errors_init(&ce);
	if (rules_read(&r, rules_path, &c, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	assert_int_equal(rules_count(r), 13);
	for (size_t i = 0; i < ARRAY_LEN(decision); i++)
		check_decision(r, &decision[i]);
	conf_errors_free(&ce);
	rules_free(&r);
	rules_free(&r);
}

static void a_rule_reads_as_a_sentence(void **state)
{
	struct rules *r = NULL;
	struct conf_errors ce;
	struct rule_input in = {0};
	struct treatment t;
	struct rule_ref ref;

	(void)state;
	write_file(rules_path,
	    "outbound   :   sign ,  \\\n  encrypt  or plain\n"
	    "inbound : refuse \"a,  b\"\n");
	conf_errors_init(&ce);
	if (rules_read(&r, rules_path, NULL, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	in.direction = DIR_OUTBOUND;
	rules_decide(r, &in, &t, &ref);
	assert_string_equal(ref.text, "outbound : sign, encrypt or plain");
	assert_string_equal(ref.file, rules_path);
	in.direction = DIR_INBOUND;
	rules_decide(r, &in, &t, &ref);
	assert_string_equal(ref.text, "inbound : refuse \"a,  b\"");
	assert_string_equal(t.refuse, "a,  b");
	conf_errors_free(&ce);
	rules_free(&r);
}

static void ten_thousand_rules_are_read(void **state)
{
	struct rules *r = NULL;
	struct conf_errors ce;
	struct buf b;

	(void)state;
	buf_init(&b, CAP_CONF_FILE);
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "outbound to u%d@x.example : sign\n", i);
	buf_puts(&b, LAST);
	assert_int_equal(buf_ok(&b, NULL), 0);
	write_file(rules_path, buf_str(&b));
	conf_errors_init(&ce);
	assert_int_equal(rules_read(&r, rules_path, NULL, &ce), 0);
	assert_int_equal(rules_count(r), 10002);
	conf_errors_free(&ce);
	rules_free(&r);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_says_what_was_expected),
		cmocka_unit_test(no_error_follows_from_another),
		cmocka_unit_test(names_in_messages_are_the_words),
		cmocka_unit_test(each_direction_needs_a_last_line),
		cmocka_unit_test(
		    A51_also_lines_are_checked),
		cmocka_unit_test(all_errors_are_reported),
		cmocka_unit_test(the_first_line_that_matches_decides),
		cmocka_unit_test(a_rule_reads_as_a_sentence),
		cmocka_unit_test(ten_thousand_rules_are_read),
	};

	return cmocka_run_group_tests_name("gateway_rules", tests, make_dir,
	    remove_dir);
}
