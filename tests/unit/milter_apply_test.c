/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Carrying out verdicts on model MTAs: libmilter's functions are replaced
 * here by ones that keep a header as Postfix or as Sendmail does.
 */
#include "milter/apply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FIELDS 16

static struct {
	bool sendmail; /* a deleted field keeps its place in the count */
	struct {
		char name[32], value[64];
		bool deleted;
	} field[FIELDS];
	size_t fields;
	struct buf body, order; /* order: one letter a request */
	struct buf gone;
	char reply[4096];
	char from[256], from_args[256], held[64];
	int fail_at; /* the nth request fails; 0: none */
	int requests;
	size_t largest;
} mta;

static int request(char what)
{
	buf_putc(&mta.order, what);
	return ++mta.requests == mta.fail_at ? MI_FAILURE : MI_SUCCESS;
}

static void set(char *dst, size_t size, const char *src)
{
	assert_int_equal(view_cstr(view_of(src), dst, size), 0);
}

static void put(size_t at, const char *name, const char *value)
{
	assert_true(mta.fields < FIELDS);
	memmove(&mta.field[at + 1], &mta.field[at],
	    (mta.fields - at) * sizeof(mta.field[0]));
	mta.fields++;
	memset(&mta.field[at], 0, sizeof(mta.field[at]));
	set(mta.field[at].name, sizeof(mta.field[at].name), name);
	set(mta.field[at].value, sizeof(mta.field[at].value), value);
}

int smfi_chgheader(SMFICTX *ctx, char *name, int index, char *value)
{
	size_t i;

	(void)ctx;
	assert_null(value); /* we only delete */
	for (i = 0; i < mta.fields; i++) {
		if (strcmp(mta.field[i].name, name) != 0 ||
		    (mta.field[i].deleted && !mta.sendmail) || --index > 0)
			continue;
		assert_false(mta.field[i].deleted);
		mta.field[i].deleted = true;
		return request('d');
	}
	fail_msg("no such field: %s", name);
	return MI_FAILURE;
}

int smfi_insheader(SMFICTX *ctx, int index, char *name, char *value)
{
	(void)ctx;
	assert_int_equal(index, 0);
	put(0, name, value);
	return request('i');
}

int smfi_addheader(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	put(mta.fields, name, value);
	return request('a');
}

int smfi_chgfrom(SMFICTX *ctx, char *from, char *args)
{
	(void)ctx;
	set(mta.from, sizeof(mta.from), from);
	set(mta.from_args, sizeof(mta.from_args), args);
	return request('f');
}

int smfi_delrcpt(SMFICTX *ctx, char *rcpt)
{
	(void)ctx;
	buf_puts(&mta.gone, rcpt);
	buf_putc(&mta.gone, ';');
	return request('r');
}

int smfi_quarantine(SMFICTX *ctx, char *reason)
{
	(void)ctx;
	set(mta.held, sizeof(mta.held), reason);
	return request('q');
}

int smfi_replacebody(SMFICTX *ctx, unsigned char *p, int n)
{
	(void)ctx;
	assert_true(n >= 0);
	if ((size_t)n > mta.largest)
		mta.largest = (size_t)n;
	buf_put(&mta.body, p, (size_t)n);
	return request('b');
}

static void add_reply(const char *code, const char *enhanced,
    const char *line)
{
	size_t n = strlen(mta.reply);
	struct buf b;

	buf_init(&b, sizeof(mta.reply) - 1);
	buf_printf(&b, "%s%s%s %s %s", mta.reply, n > 0 ? "|" : "", code,
	    enhanced, line);
	set(mta.reply, sizeof(mta.reply), buf_str(&b));
	buf_free(&b);
	assert_true(strlen(line) <= 980); /* libmilter's limit */
}

int smfi_setreply(SMFICTX *ctx, char *code, char *enhanced, char *text)
{
	(void)ctx;
	add_reply(code, enhanced, text);
	return MI_SUCCESS;
}

int smfi_setmlreply(SMFICTX *ctx, const char *code, const char *enhanced, ...)
{
	const char *line;
	va_list ap;

	(void)ctx;
	va_start(ap, enhanced);
	while ((line = va_arg(ap, const char *)) != NULL)
		add_reply(code, enhanced, line);
	va_end(ap);
	return MI_SUCCESS;
}

/* ---- the tests ---- */

static char sender[] = "<alice@a.example>";
static struct answer answer;
static struct apply_to to;

static int setup(void **state)
{
	(void)state;
	memset(&mta, 0, sizeof(mta));
	buf_init(&mta.body, 64u << 20);
	buf_init(&mta.order, 100000);
	buf_init(&mta.gone, 1000);
	answer_init(&answer);
	memset(&to, 0, sizeof(to));
	to.actions = SMFIF_CHGBODY | SMFIF_CHGHDRS | SMFIF_ADDHDRS |
	    SMFIF_CHGFROM | SMFIF_QUARANTINE;
	to.lead_space = true;
	to.mail_from = sender;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_free(&mta.body);
	buf_free(&mta.order);
	buf_free(&mta.gone);
	answer_free(&answer);
	return 0;
}

static void edit(enum edit_kind kind, const char *name, int index,
    const char *value)
{
	struct edit *x;

	answer.edit = realloc(answer.edit, (answer.edits + 1) * sizeof(*x));
	assert_non_null(answer.edit);
	x = &answer.edit[answer.edits++];
	x->kind = kind;
	x->index = index;
	x->name = strdup(name);
	x->value = value == NULL ? NULL : strdup(value);
}

static void give_body(size_t n)
{
	char *p = malloc(n + 1);
	size_t i;

	assert_non_null(p);
	for (i = 0; i < n; i++)
		p[i] = (char)('a' + i % 23);
	assert_int_equal(spool_new(&answer.body, n + 1, NULL), 0);
	assert_int_equal(spool_write(answer.body, p, n, NULL), 0);
	answer.has_body = true;
	free(p);
}

static sfsistat apply(void)
{
	struct err e = { 0 };
	sfsistat rc = apply_answer(&to, &answer, &e);

	assert_true((rc == SMFIS_TEMPFAIL) == (e.kind != 0) ||
	    answer.code != 0);
	return rc;
}

static void expect_header(const char *want)
{
	struct buf b;
	size_t i;

	buf_init(&b, 4096);
	for (i = 0; i < mta.fields; i++)
		if (!mta.field[i].deleted)
			buf_printf(&b, "%s:%s;", mta.field[i].name,
			    mta.field[i].value);
	assert_string_equal(buf_str(&b), want);
	buf_free(&b);
}

static void three_fields(bool sendmail)
{
	mta.sendmail = sendmail;
	put(0, "T", " 1");
	put(1, "X", " x");
	put(2, "T", " 2");
	put(3, "T", " 3");
	answer.action = ACT_REPLACED;
	/* in the wrong order on purpose */
	edit(EDIT_DELETE, "T", 1, NULL);
	edit(EDIT_INSERT_TOP, "N", 0, " n");
	edit(EDIT_DELETE, "T", 3, NULL);
	edit(EDIT_ADD, "A", 0, " a");
	edit(EDIT_INSERT_TOP, "M", 0, " m");
	assert_int_equal(apply(), SMFIS_CONTINUE);
	expect_header("M: m;N: n;X: x;T: 2;A: a;");
	assert_string_equal(buf_str(&mta.order), "ddiai");
}

static void M5_deletions_as_postfix_counts(void **state)
{
	(void)state;
	three_fields(false);
}

static void M5_deletions_as_sendmail_counts(void **state)
{
	(void)state;
	three_fields(true);
}

static void M6_body_is_last_and_in_one_run(void **state)
{
	(void)state;
	put(0, "T", " 1");
	answer.action = ACT_QUARANTINED;
	answer.ret_hdrs = true;
	edit(EDIT_ADD, "A", 0, " a");
	edit(EDIT_DELETE, "T", 1, NULL);
	give_body(200000);
	assert_int_equal(apply(), SMFIS_CONTINUE);
	assert_string_equal(buf_str(&mta.order), "dafqbbbb");
	assert_int_equal(mta.body.n, 200000);
	assert_int_equal(mta.body.p[199999], 'a' + 199999 % 23);
	assert_true(mta.largest <= 65535);
	assert_string_equal(mta.held, "held by postseal");
}

static void body_sizes_around_a_chunk(void **state)
{
	static const size_t size[] = { 1, 65534, 65535, 65536, 131070 };
	static const char *const order[] = { "b", "b", "b", "bb", "bb" };
	size_t i;

	for (i = 0; i < 5; i++) {
		answer.action = ACT_REPLACED;
		give_body(size[i]);
		assert_int_equal(apply(), SMFIS_CONTINUE);
		assert_string_equal(buf_str(&mta.order), order[i]);
		assert_int_equal(mta.body.n, size[i]);
		teardown(state);
		setup(state);
	}
}

static void M38_empty_body_replaces_too(void **state)
{
	(void)state;
	answer.action = ACT_REPLACED;
	give_body(0);
	assert_int_equal(apply(), SMFIS_CONTINUE);
	assert_string_equal(buf_str(&mta.order), "b");
	assert_int_equal(mta.body.n, 0);
}

static void M7_announced_body_that_is_not_there(void **state)
{
	(void)state;
	answer.action = ACT_REPLACED;
	answer.has_body = true;
	edit(EDIT_ADD, "A", 0, " a");
	assert_int_equal(apply(), SMFIS_TEMPFAIL);
	assert_string_equal(buf_str(&mta.order), "");
	assert_non_null(strstr(mta.reply, "451 4.3.0"));
}

/* attack A50: the mail server refuses one of the changes
 * verdict: 451; a half-changed message is not accepted */
static void A50_any_request_that_fails_is_a_tempfail(void **state)
{
	int i;

	for (i = 1; i <= 6; i++) {
		put(0, "T", " 1");
		mta.fail_at = i;
		answer.action = ACT_QUARANTINED;
		answer.ret_hdrs = true;
		edit(EDIT_DELETE, "T", 1, NULL);
		edit(EDIT_INSERT_TOP, "I", 0, " i");
		edit(EDIT_ADD, "A", 0, " a");
		give_body(10);
		assert_int_equal(apply(), SMFIS_TEMPFAIL);
		assert_int_equal(mta.requests, i);
		assert_non_null(strstr(mta.reply, "451 4.3.0"));
		teardown(state);
		setup(state);
	}
}

static void M3_blank_without_the_option(void **state)
{
	(void)state;
	to.lead_space = false; /* this MTA puts one in front itself */
	answer.action = ACT_REPLACED;
	edit(EDIT_ADD, "A", 0, " a");
	edit(EDIT_ADD, "B", 0, "b");
	edit(EDIT_ADD, "C", 0, "  c");
	assert_int_equal(apply(), SMFIS_CONTINUE);
	expect_header("A:a;B:b;C: c;");
}

static void S47_bounces_carry_headers_only(void **state)
{
	(void)state;
	answer.action = ACT_REPLACED;
	answer.ret_hdrs = true;
	to.envid = "ENVID=QQ+31";
	give_body(1);
	assert_int_equal(apply(), SMFIS_CONTINUE);
	assert_string_equal(mta.from, "<alice@a.example>");
	assert_string_equal(mta.from_args, "RET=HDRS ENVID=QQ+31");
}

static void S47_null_sender_or_no_option(void **state)
{
	char null[] = "<>";

	answer.action = ACT_REPLACED;
	answer.ret_hdrs = true;
	give_body(1);
	to.mail_from = null;
	assert_int_equal(apply(), SMFIS_CONTINUE);
	assert_string_equal(buf_str(&mta.order), "b");
	teardown(state);
	setup(state);
	answer.action = ACT_REPLACED;
	answer.ret_hdrs = true;
	give_body(1);
	to.actions &= ~(unsigned long)SMFIF_CHGFROM;
	assert_int_equal(apply(), SMFIS_CONTINUE);
	assert_string_equal(buf_str(&mta.order), "b");
}

static void quarantine_that_the_mta_cannot(void **state)
{
	(void)state;
	to.actions &= ~(unsigned long)SMFIF_QUARANTINE;
	answer.action = ACT_QUARANTINED;
	assert_int_equal(apply(), SMFIS_TEMPFAIL);
}

static void reply(enum action a, int code, const char *enhanced,
    const char *text)
{
	answer.action = a;
	answer.code = code;
	set(answer.enhanced, sizeof(answer.enhanced), enhanced);
	set(answer.text, sizeof(answer.text), text);
}

static void M9_code_and_return_value_fit(void **state)
{
	(void)state;
	reply(ACT_REJECTED, 550, "5.7.3", "no certificate");
	edit(EDIT_ADD, "A", 0, " a"); /* must not be carried out */
	assert_int_equal(apply(), SMFIS_REJECT);
	assert_string_equal(mta.reply, "550 5.7.3 no certificate");
	assert_string_equal(buf_str(&mta.order), "");
	mta.reply[0] = '\0';
	reply(ACT_DEFERRED, 451, "4.3.2", "busy");
	assert_int_equal(apply(), SMFIS_TEMPFAIL);
	assert_string_equal(mta.reply, "451 4.3.2 busy");
}

static void M9_percent_is_doubled(void **state)
{
	(void)state;
	reply(ACT_REJECTED, 550, "5.7.3", "for %s%n 100%");
	assert_int_equal(apply(), SMFIS_REJECT);
	assert_string_equal(mta.reply, "550 5.7.3 for %%s%%n 100%%");
}

static void M9_long_text_becomes_lines(void **state)
{
	char text[1001];
	const char *p;
	size_t i, lines = 1;

	(void)state;
	for (i = 0; i < 1000; i++)
		text[i] = i % 10 == 9 ? ' ' : '%';
	text[1000] = '\0';
	reply(ACT_REJECTED, 550, "5.7.3", text);
	assert_int_equal(apply(), SMFIS_REJECT);
	for (p = mta.reply; (p = strchr(p, '|')) != NULL; p++)
		lines++;
	assert_int_equal(lines, 3);
}

static void M9_text_of_one_long_word(void **state)
{
	char text[1001];

	(void)state;
	memset(text, 'x', 1000);
	text[1000] = '\0';
	reply(ACT_DEFERRED, 451, "4.3.0", text);
	assert_int_equal(apply(), SMFIS_TEMPFAIL);
	assert_true(strlen(mta.reply) > 1000);
}

static void unchanged_touches_nothing(void **state)
{
	(void)state;
	answer.action = ACT_UNCHANGED;
	assert_int_equal(apply(), SMFIS_CONTINUE);
	assert_int_equal(mta.requests, 0);
	assert_string_equal(mta.reply, "");
}

static void A50_split_without_copies_is_never_an_accept(void **state)
{
	(void)state;
	answer.action = ACT_SPLIT;
	assert_int_equal(apply(), SMFIS_TEMPFAIL);
}

static char rcpt_text[4][32] = { "<Bob@Example.org>", "bob@example.org",
	"<carol@c.example>", "<dave@d.example>" };
static char *rcpts[4] = { rcpt_text[0], rcpt_text[1], rcpt_text[2],
	rcpt_text[3] };

/* 10 octets of a copy, then the body. */
static void split(int here, const int group[4])
{
	answer.action = ACT_SPLIT;
	answer.copy = calloc(1, sizeof(*answer.copy));
	answer.group = calloc(4, sizeof(*answer.group));
	assert_true(answer.copy != NULL && answer.group != NULL);
	memcpy(answer.group, group, 4 * sizeof(*group));
	answer.groups = 4;
	answer.copies = 1;
	answer.here = here;
	give_body(30);
	answer.body_at = 10;
	to.rcpt = rcpts;
}

static void M6_M21_M23_recipients_with_a_copy_go_before_the_body(void **state)
{
	static const int group[4] = { 1, 2, 2, 1 };

	(void)state;
	put(0, "T", " 1");
	split(2, group);
	edit(EDIT_DELETE, "T", 1, NULL);
	edit(EDIT_ADD, "A", 0, " a");
	answer.ret_hdrs = true;
	assert_int_equal(apply(), SMFIS_CONTINUE);
	/* octet for octet as RCPT had them: the MTA compares no otherwise */
	assert_string_equal(buf_str(&mta.gone),
	    "<Bob@Example.org>;<dave@d.example>;");
	assert_string_equal(buf_str(&mta.order), "dafrrb");
	assert_int_equal(mta.body.n, 20); /* nothing of the copy */
	assert_int_equal(mta.body.p[0], 'a' + 10);
}

static void M23_M7_a_recipient_that_stays_is_no_accept(void **state)
{
	static const int group[4] = { 1, 2, 2, 1 };

	(void)state;
	split(2, group);
	mta.fail_at = 2;
	assert_int_equal(apply(), SMFIS_TEMPFAIL);
	assert_int_equal(mta.body.n, 0);
}

static void M24_nobody_is_left_here(void **state)
{
	static const int group[4] = { 1, 1, 1, 0 };

	(void)state;
	split(0, group);
	assert_int_equal(apply(), SMFIS_DISCARD);
	assert_int_equal(mta.requests, 0);
	answer.action = ACT_QUARANTINED;
	assert_int_equal(apply(), SMFIS_DISCARD);
	assert_int_equal(mta.requests, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(A50_any_request_that_fails_is_a_tempfail),
		T(A50_split_without_copies_is_never_an_accept),
		T(M6_M21_M23_recipients_with_a_copy_go_before_the_body),
		T(M23_M7_a_recipient_that_stays_is_no_accept),
		T(M24_nobody_is_left_here),
		T(M7_announced_body_that_is_not_there),
		T(M5_deletions_as_postfix_counts),
		T(M5_deletions_as_sendmail_counts),
		T(M6_body_is_last_and_in_one_run),
		T(body_sizes_around_a_chunk),
		T(M38_empty_body_replaces_too),
		T(M3_blank_without_the_option),
		T(S47_bounces_carry_headers_only),
		T(S47_null_sender_or_no_option),
		T(quarantine_that_the_mta_cannot),
		T(M9_code_and_return_value_fit),
		T(M9_percent_is_doubled),
		T(M9_long_text_becomes_lines),
		T(M9_text_of_one_long_word),
		T(unchanged_touches_nothing),
	};

	return cmocka_run_group_tests_name("milter_apply", tests, NULL, NULL);
}
