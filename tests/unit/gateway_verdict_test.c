/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/verdict*.c and reply.c: what may stand in an edit, the
 * order of edits in a model MTA, replies, JSON, the log line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/reply.h"

/* attack A42: CR, LF or NUL in a value on its way into a header
 * verdict: no edit is made: a fault of ours, 451 */
static void M4_A42_edits_that_would_break_a_header(void **state)
{
	static const char *const name[] = {"", "A B", "A:", "A\n", "A\x80",
	    "A\t"};
	static const char *const value[] = {" a\r\n b", " a\nb", " a\n\n b",
	    " a\n", " a\n \n b", " a\001", " a\177", " a\n "};
	struct verdict v;
	struct err e = {0};
	char line[1200];

	(void)state;
	verdict_init(&v);
	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		assert_int_equal(verdict_insert(&v, name[i], " x", &e), -1);
		assert_int_equal(e.kind, FAIL_BUG);
		assert_int_equal(verdict_delete(&v, name[i], 1, &e), -1);
	}
	for (size_t i = 0; i < ARRAY_LEN(value); i++)
		assert_int_equal(verdict_add(&v, "X", value[i], &e), -1);
	assert_int_equal(verdict_delete(&v, "X", 0, &e), -1);
	memset(line, 'x', sizeof(line));
	line[997] = '\0'; /* with its name one octet over 998 */
	assert_int_equal(verdict_add(&v, "X", line, &e), -1);
	line[996] = '\0';
	assert_int_equal(verdict_add(&v, "X", line, &e), 0);
	assert_int_equal(verdict_add(&v, "X", "", &e), 0);
	assert_int_equal(verdict_add(&v, "X", " a\n\tb \303\244", &e), 0);
	assert_int_equal(v.edits, 3);
	verdict_free(&v);
	assert_int_equal(v.edits, 0);
	verdict_free(&v);
}

static void apply(struct verdict *v, const char *msg, const char *want)
{
	struct spool *in = NULL, *out = NULL;
	struct err e = {0};
	struct buf b;
	struct sink to;

	buf_init(&b, 65536);
	to = sink_to_buf(&b);
	assert_int_equal(spool_new(&in, 65536, &e), 0);
	assert_int_equal(spool_new(&out, 65536, &e), 0);
	assert_int_equal(spool_write(in, msg, strlen(msg), &e), 0);
	if (verdict_apply(v, in, out, &e) != 0)
		buf_puts(&b, e.msg);
	else
		assert_int_equal(spool_copy(out, 0, spool_size(out), &to,
		    &e), 0);
	assert_string_equal(buf_str(&b), want);
	spool_free(&in);
	spool_free(&out);
	buf_free(&b);
	verdict_free(v);
}

static const char msg[] = "A: 1\r\nB: 2\r\n c\r\na: 3\r\nA: 4\r\n\r\nbody\r\n";

static void M5_highest_index_goes_first(void **state)
{
	struct verdict v;
	struct err e = {0};

	(void)state;
	verdict_init(&v);
	apply(&v, msg, msg);
	for (int i = 3; i > 0; i--)
		assert_int_equal(verdict_delete(&v, "A", i, &e), 0);
	apply(&v, msg, "B: 2\r\n c\r\n\r\nbody\r\n");
	/* the wrong order shows: after 1 and 2, there is no third */
	for (int i = 1; i < 4; i++)
		assert_int_equal(verdict_delete(&v, "a", i, &e), 0);
	apply(&v, msg, "edits: no field a number 3");
}

static void insertions_go_to_the_top_and_additions_to_the_end(void **state)
{
	struct verdict v;
	struct err e = {0};

	(void)state;
	verdict_init(&v);
	assert_int_equal(verdict_delete(&v, "B", 1, &e), 0);
	assert_int_equal(verdict_insert(&v, "X", " 1", &e), 0);
	assert_int_equal(verdict_insert(&v, "Y", " 2\n\tz", &e), 0);
	assert_int_equal(verdict_add(&v, "M", " 3", &e), 0);
	assert_int_equal(verdict_add(&v, "N", "4", &e), 0);
	apply(&v, msg, "Y: 2\r\n\tz\r\nX: 1\r\nA: 1\r\na: 3\r\nA: 4\r\n"
	    "M: 3\r\nN:4\r\n\r\nbody\r\n");
	/* a new body, also for a message that had none */
	assert_int_equal(spool_new(&v.body, 100, &e), 0);
	assert_int_equal(spool_write(v.body, "new\r\n", 5, &e), 0);
	apply(&v, "A: 1\r\n", "A: 1\r\n\r\nnew\r\n");
	assert_int_equal(verdict_add(&v, "M", " 3", &e), 0);
	apply(&v, "A: 1\r\n", "A: 1\r\nM: 3\r\n");
}

/* ---- replies ---- */

struct reply_row {
	enum reply_case c;
	int code;
	const char *enhanced;
	enum action action;
};

static const struct reply_row reply_row[] = {
	{REPLY_NO_CERTIFICATE, 550, "5.7.3", ACT_REJECTED},
	{REPLY_DIFFERENT_BODIES, 550, "5.7.3", ACT_REJECTED},
	{REPLY_NOT_ALLOWED, 550, "5.7.1", ACT_REJECTED},
	{REPLY_NO_SIGNING_CERT, 550, "5.7.5", ACT_REJECTED},
	{REPLY_ALGORITHM, 550, "5.7.6", ACT_REJECTED},
	{REPLY_REFUSED_BY_RULE, 550, "5.7.1", ACT_REJECTED},
	{REPLY_RECIPIENT, 553, "5.1.3", ACT_REJECTED},
	{REPLY_MALFORMED, 554, "5.6.0", ACT_REJECTED},
	{REPLY_TOO_LARGE, 552, "5.3.4", ACT_REJECTED},
	{REPLY_NOT_VERIFIED, 550, "5.7.1", ACT_REJECTED},
	{REPLY_KEYS_AWAY, 451, "4.7.5", ACT_DEFERRED},
	{REPLY_OVERLOAD, 451, "4.3.2", ACT_DEFERRED},
	{REPLY_INTERNAL, 451, "4.3.0", ACT_DEFERRED},
};

static void M10_the_table_of_replies(void **state)
{
	struct verdict v;

	(void)state;
	verdict_init(&v);
	for (size_t i = 0; i < ARRAY_LEN(reply_row); i++) {
		const struct reply_row *r = &reply_row[i];

		reply_set(&v, r->c, "detail");
		assert_int_equal(v.code, r->code);
		assert_string_equal(v.enhanced, r->enhanced);
		assert_int_equal(v.action, r->action);
		assert_non_null(strstr(v.text, ": detail"));
		/* the class of both codes is the same */
		assert_int_equal(v.code / 100, v.enhanced[0] - '0');
	}
	verdict_free(&v);
}

static void M9_a_reply_is_one_plain_line(void **state)
{
	struct verdict v;
	char longer[3000];

	(void)state;
	verdict_init(&v);
	memcpy(v.id, "abc", 4);
	reply_set(&v, REPLY_NO_CERTIFICATE, "b\r\nX: y\033[\303\244%s\x7f");
	assert_string_equal(v.text, "Not sent: it must be encrypted, and "
	    "that is not possible: b??X: y?[??%s? (id abc)");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	reply_set(&v, REPLY_NO_CERTIFICATE, longer);
	assert_true(strlen(v.text) < 980);
	assert_non_null(strstr(v.text, "xxx... (id abc)"));
	reply_set(&v, REPLY_INTERNAL, NULL);
	assert_string_equal(v.text, "Internal fault, please try again (id "
	    "abc)");
	verdict_free(&v);
}

static void M10_kinds_of_failure(void **state)
{
	struct {
		enum fail kind;
		int code;
		bool is_told;
	} k[] = {
		{FAIL_INPUT, 554, true},
		{FAIL_LIMIT, 554, true},
		{FAIL_POLICY, 550, true},
		{FAIL_TEMP, 451, false},
		{FAIL_CONFIG, 451, false},
		{FAIL_BUG, 451, false},
	};
	struct verdict v;
	struct err e;

	(void)state;
	verdict_init(&v);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		(void)err_set(&e, k[i].kind, "/etc/secret is broken");
		reply_from_err(&v, &e);
		assert_int_equal(v.code, k[i].code);
		assert_int_equal(strstr(v.text, "secret") != NULL,
		    k[i].is_told);
	}
	verdict_free(&v);
}

/* ---- JSON and log ---- */

static void fill(struct verdict *v)
{
	verdict_init(v);
	memcpy(v->id, "abcdefg", 8);
	v->direction = DIR_OUTBOUND;
	v->rcpt = calloc(1, sizeof(*v->rcpt));
	v->rcpts = 1;
	v->rcpt[0].address = strdup("b\"\n@x.example");
	v->rcpt[0].rule.file = "/etc/postseal/rules";
	v->rcpt[0].rule.line = 7;
	v->rcpt[0].rule.text = "outbound : sign, encrypt or plain";
	v->rcpt[0].wanted.sign = true;
	v->rcpt[0].wanted.encrypt = true;
	v->rcpt[0].wanted.encrypt_or = OR_PLAIN;
	v->rcpt[0].outcome = OUT_SIGNED;
	v->rcpt[0].group = 1;
	buf_puts(&v->layers, "encrypted 1 -\nsigned 1/1 pass\n");
	buf_puts(&v->warnings, "one\ntwo\n");
}

static void the_JSON_has_every_member(void **state)
{
	static const char *const piece[] = {"\"version\":1", "\"id\":"
	    "\"abcdefg\"", "\"direction\":\"outbound\"",
	    "\"class\":\"normal\"", "\"action\":\"unchanged\"",
	    "\"reply\":null", "\"address\":\"b\\\"\\n@x.example\"",
	    "\"line\":7", "\"wanted\":[\"sign\",\"encrypt or plain\"]",
	    "\"outcome\":\"signed\"", "\"group\":1", "\"certificates\":[]",
	    "\"passed_over\":[]", "\"reason\":null",
	    "\"signature\":{\"result\":\"none\",\"signer\":null,"
	    "\"from_match\":false,\"domain\":null,"
	    "\"part\":null,\"algorithm\":null,"
	    "\"chain\":null,\"revocation\":null,\"failed_step\":null,"
	    "\"reason\":null}",
	    "\"decryption\":{\"result\":\"none\",\"cipher\":null,"
	    "\"key_transport\":null,\"recipient\":null,"
	    "\"authenticated\":null,\"reason\":null}",
	    "\"layers\":[{\"kind\":\"encrypted\",\"part\":\"1\","
	    "\"result\":null},{\"kind\":\"signed\",\"part\":\"1/1\","
	    "\"result\":\"pass\"}]",
	    "\"headers_restored\":[]", "\"warnings\":[\"one\",\"two\"]",
	    "\"size_in\":0", "\"size_out\":0", "\"timing_us\":0"};
	struct verdict v;
	struct buf b;

	(void)state;
	fill(&v);
	buf_init(&b, 65536);
	verdict_json(&v, &b);
	for (size_t i = 0; i < ARRAY_LEN(piece); i++)
		if (strstr(buf_str(&b), piece[i]) == NULL)
			fail_msg("%s is not in %s", piece[i], buf_str(&b));
	buf_clear(&b);
	reply_set(&v, REPLY_OVERLOAD, NULL);
	v.mixed = true;
	v.rcpt[0].wanted.refuse = "no, not \"you\"";
	verdict_json(&v, &b);
	assert_non_null(strstr(buf_str(&b), "\"direction\":\"mixed\""));
	assert_non_null(strstr(buf_str(&b), "\"reply\":{\"code\":451,"));
	assert_non_null(strstr(buf_str(&b), "refuse"));
	buf_free(&b);
	verdict_free(&v);
}

static void M41_one_log_line(void **state)
{
	struct verdict v;
	struct buf b;

	(void)state;
	fill(&v);
	memcpy(v.rcpt[0].reason, "no certificate is known", 24);
	buf_init(&b, 65536);
	verdict_log_line(&v, "4XyZ", &b);
	assert_true(view_istarts(buf_view(&b), "id=abcdefg qid=4XyZ "
	    "direction=outbound class=normal action=unchanged"));
	assert_non_null(strstr(buf_str(&b), " outcome=signed rule=rules:7 "
	    "reason=\"no certificate is known\""));
	assert_null(strchr(buf_str(&b), '\n'));
	buf_free(&b);
	verdict_free(&v);
}

static void ids_differ_and_are_plain(void **state)
{
	char a[20], b[20];

	(void)state;
	verdict_new_id(a);
	verdict_new_id(b);
	assert_int_equal(strlen(a), 19);
	assert_string_not_equal(a, b);
	assert_int_equal(strspn(a, "abcdefghijklmnopqrstuvwxyz234567"), 19);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M4_A42_edits_that_would_break_a_header),
		cmocka_unit_test(M5_highest_index_goes_first),
		cmocka_unit_test(
		    insertions_go_to_the_top_and_additions_to_the_end),
		cmocka_unit_test(M10_the_table_of_replies),
		cmocka_unit_test(M9_a_reply_is_one_plain_line),
		cmocka_unit_test(M10_kinds_of_failure),
		cmocka_unit_test(the_JSON_has_every_member),
		cmocka_unit_test(M41_one_log_line),
		cmocka_unit_test(ids_differ_and_are_plain),
	};

	return cmocka_run_group_tests_name("gateway_verdict", tests, NULL,
	    NULL);
}
