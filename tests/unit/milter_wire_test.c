/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Jobs and answers as octets: hostile input first, then round trips.
 */
#include "milter/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/reply.h"
#include "util/proc.h"

static const unsigned char ticket[WIRE_TICKET] = "0123456789abcde";

/* ---- job ---- */

static const char *const two[] = { "<bob@b.example>", "<carol@c.example>" };

static struct envelope envelope(void)
{
	struct envelope env = { .id = "id1", .queue_id = "4F2",
		.client_ip = "192.0.2.1", .auth = ENV_AUTH_LOGIN,
		.login = "alice", .mail_from = "<alice@a.example>",
		.rcpt = two, .rcpts = 2, .now = 1700000000 };

	return env;
}

static void put_job(struct buf *b, const struct envelope *env)
{
	buf_init(b, CAP_IPC);
	wire_put_job(b, JOB_RUN, ticket, env);
	assert_int_equal(buf_ok(b, NULL), 0);
}

static int get_job(struct view v)
{
	struct err e = { 0 };
	struct job j;
	int rc = wire_get_job(&j, v, &e);

	if (rc != 0) {
		assert_int_equal(e.kind, FAIL_BUG);
		assert_true(e.msg[0] != '\0');
	}
	job_free(&j);
	return rc;
}

static void job_cut_anywhere_is_refused(void **state)
{
	struct envelope env = envelope();
	struct buf b;
	unsigned char *p;
	size_t n;

	(void)state;
	put_job(&b, &env);
	assert_int_equal(get_job(buf_view(&b)), 0);
	for (n = 0; n < b.n; n++) {
		p = malloc(n + 1); /* for the sanitizer to see the end */
		assert_non_null(p);
		memcpy(p, b.p, n);
		assert_int_equal(get_job(view_make(p, n)), -1);
		free(p);
	}
	buf_putc(&b, 'x');
	assert_int_equal(get_job(buf_view(&b)), -1);
	buf_free(&b);
}

static void job_with_any_octet_changed_does_not_crash(void **state)
{
	struct envelope env = envelope();
	struct buf b;
	size_t i;
	int x;

	(void)state;
	put_job(&b, &env);
	for (i = 0; i < b.n; i++)
		for (x = 0; x < 256; x += 5) {
			unsigned char old = b.p[i];

			b.p[i] = (unsigned char)x;
			(void)get_job(buf_view(&b));
			b.p[i] = old;
		}
	assert_int_equal(get_job(buf_view(&b)), 0);
	buf_free(&b);
}

static void job_needs_login_exactly_with_auth(void **state)
{
	struct envelope env = envelope();
	struct buf b;

	(void)state;
	env.login = NULL;
	put_job(&b, &env);
	assert_int_equal(get_job(buf_view(&b)), -1);
	buf_free(&b);
	env = envelope();
	env.auth = ENV_AUTH_NONE;
	put_job(&b, &env);
	assert_int_equal(get_job(buf_view(&b)), -1);
	buf_free(&b);
}

/* A worker must never believe that its caller is trusted (A35). */
static void A35_job_cannot_claim_a_trusted_caller(void **state)
{
	struct envelope env = envelope();
	struct buf b;

	(void)state;
	env.auth = ENV_AUTH_CALLER;
	env.login = NULL;
	put_job(&b, &env);
	assert_int_equal(get_job(buf_view(&b)), -1);
	buf_free(&b);
}

static void job_recipients_at_the_cap(void **state)
{
	const char **many = calloc(CAP_RECIPIENTS + 1, sizeof(*many));
	struct envelope env = envelope();
	struct buf b;
	size_t i;

	(void)state;
	assert_non_null(many);
	for (i = 0; i <= CAP_RECIPIENTS; i++)
		many[i] = "<x@y.example>";
	env.rcpt = many;
	for (i = CAP_RECIPIENTS - 1; i <= CAP_RECIPIENTS + 1; i++) {
		env.rcpts = i;
		put_job(&b, &env);
		assert_int_equal(get_job(buf_view(&b)), i <= CAP_RECIPIENTS ?
		    0 : -1);
		buf_free(&b);
	}
	env.rcpts = 0;
	put_job(&b, &env);
	assert_int_equal(get_job(buf_view(&b)), -1);
	buf_free(&b);
	free(many);
}

static void job_round_trip(void **state)
{
	struct envelope env = envelope();
	struct job j;
	struct buf b;

	(void)state;
	buf_init(&b, CAP_IPC);
	wire_put_job(&b, JOB_POISONED, ticket, &env);
	assert_int_equal(wire_get_job(&j, buf_view(&b), NULL), 0);
	assert_int_equal(j.kind, JOB_POISONED);
	assert_memory_equal(j.ticket, ticket, WIRE_TICKET);
	assert_string_equal(j.env.id, "id1");
	assert_string_equal(j.env.queue_id, "4F2");
	assert_string_equal(j.env.client_ip, "192.0.2.1");
	assert_int_equal(j.env.auth, ENV_AUTH_LOGIN);
	assert_string_equal(j.env.login, "alice");
	assert_string_equal(j.env.mail_from, "<alice@a.example>");
	assert_int_equal(j.env.now, 1700000000);
	assert_int_equal(j.env.rcpts, 2);
	assert_string_equal(j.env.rcpt[0], two[0]);
	assert_string_equal(j.env.rcpt[1], two[1]);
	job_free(&j);
	buf_free(&b);
}

static void M19_job_without_macros_stays_without(void **state)
{
	struct envelope env = { .id = "i", .mail_from = "<>", .rcpt = two,
		.rcpts = 1 };
	struct job j;
	struct buf b;

	(void)state;
	put_job(&b, &env);
	assert_int_equal(wire_get_job(&j, buf_view(&b), NULL), 0);
	assert_null(j.env.queue_id);
	assert_null(j.env.client_ip);
	assert_null(j.env.login);
	assert_int_equal(j.env.auth, ENV_AUTH_NONE);
	job_free(&j);
	buf_free(&b);
}

/* ---- answer ---- */

struct forged { /* an answer put together by hand */
	int action, direction, code;
	const char *enhanced, *text;
	int ret, body;
	struct edit edit;
	bool has_edit;
	const struct learned *learned; /* NULL: nothing */
	const struct harvested *harvested; /* likewise */
};

static const struct learned nothing;
static const struct harvested no_cert;

static void forge(struct buf *b, const struct forged *f)
{
	buf_init(b, CAP_IPC);
	ipc_put_u8(b, (uint8_t)f->action);
	ipc_put_u8(b, (uint8_t)f->direction);
	ipc_put_u32(b, (uint32_t)f->code);
	ipc_put_str(b, f->enhanced);
	ipc_put_str(b, f->text);
	ipc_put_u8(b, (uint8_t)f->ret);
	ipc_put_view(b, view_of(""));
	wire_put_learned(b, f->learned == NULL ? &nothing : f->learned);
	wire_put_harvested(b, f->harvested == NULL ? &no_cert : f->harvested);
	ipc_put_u8(b, (uint8_t)f->body);
	ipc_put_u32(b, f->has_edit);
	if (f->has_edit) {
		ipc_put_u8(b, (uint8_t)f->edit.kind);
		ipc_put_u32(b, (uint32_t)f->edit.index);
		ipc_put_str(b, f->edit.name);
		ipc_put_str(b, f->edit.value);
	}
	buf_put(b, ticket, 16); /* what message it is */
	buf_put(b, ticket, 16);
	ipc_put_u8(b, 0);
	ipc_put_u32(b, 0); /* no copies */
	ipc_put_view(b, view_of("log"));
	ipc_put_view(b, view_of("{}"));
}

static int try_forged(const struct forged *f)
{
	struct answer a;
	struct buf b;
	int rc;

	answer_init(&a);
	forge(&b, f);
	rc = wire_get_answer(&a, buf_view(&b), NULL);
	answer_free(&a);
	buf_free(&b);
	return rc;
}

/* attack A32: a process that mail broke sends no certificate but a flood
 * verdict: malformed; what has the size of one is looked at by the store */
static void S123_A32_a_certificate_of_its_size(void **state)
{
	static const int size[] = { 0, 1, CAP_CMS_CERT_SIZE,
		CAP_CMS_CERT_SIZE + 1 };
	struct harvested h = { .address = "alice@example.com" };
	struct forged f = { .action = ACT_UNCHANGED, .direction = 2,
		.enhanced = "", .text = "", .harvested = &h };
	size_t i;

	(void)state;
	buf_init(&h.der, 2 * CAP_CMS_CERT_SIZE);
	for (i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
		while (h.der.n < (size_t)size[i])
			buf_putc(&h.der, 'x');
		assert_int_equal(try_forged(&f), i == 3 ? -1 : 0);
	}
	buf_clear(&h.der);
	buf_putc(&h.der, 'x');
	memset(h.address, 'a', sizeof(h.address) - 1);
	assert_int_equal(try_forged(&f), 0);
	buf_free(&h.der);
}

static void S123_certificate_round_trip(void **state)
{
	struct answer a;
	struct verdict v;
	struct buf b;

	(void)state;
	verdict_init(&v);
	buf_init(&b, CAP_IPC);
	answer_init(&a);
	text_set(v.harvested.address, sizeof(v.harvested.address), "a@b.c");
	wire_put_answer(&b, &v, NULL);
	assert_int_equal(wire_get_answer(&a, buf_view(&b), NULL), 0);
	assert_int_equal(a.harvested.der.n, 0);
	assert_string_equal(a.harvested.address, "");
	buf_clear(&b);
	buf_puts(&v.harvested.der, "DER");
	wire_put_answer(&b, &v, NULL);
	assert_int_equal(wire_get_answer(&a, buf_view(&b), NULL), 0);
	assert_string_equal(buf_str(&a.harvested.der), "DER");
	assert_string_equal(a.harvested.address, "a@b.c");
	answer_free(&a);
	buf_free(&b);
	verdict_free(&v);
}

#define F(a, d, c, e, t, r, b) { .action = (a), .direction = (d), \
	.code = (c), .enhanced = (e), .text = (t), .ret = (r), .body = (b) }

static void M9_reply_and_action_must_fit(void **state)
{
	static const struct {
		const char *name;
		struct forged f;
		int want;
	} row[] = {
		{ "reject 550",
		    F(ACT_REJECTED, 1, 550, "5.7.3", "t", 0, 0), 0 },
		{ "reject 451",
		    F(ACT_REJECTED, 1, 451, "4.3.0", "t", 0, 0), -1 },
		{ "reject 550 4.3.0",
		    F(ACT_REJECTED, 1, 550, "4.3.0", "t", 0, 0), -1 },
		{ "reject without code",
		    F(ACT_REJECTED, 1, 0, "", "", 0, 0), -1 },
		{ "reject 250",
		    F(ACT_REJECTED, 1, 250, "2.0.0", "t", 0, 0), -1 },
		{ "reject 600",
		    F(ACT_REJECTED, 1, 600, "6.0.0", "t", 0, 0), -1 },
		{ "defer 451", F(ACT_DEFERRED, 1, 451, "4.3.0", "t", 0, 0), 0 },
		{ "defer 421 ends the session",
		    F(ACT_DEFERRED, 1, 421, "4.3.2", "t", 0, 0), -1 },
		{ "defer 550",
		    F(ACT_DEFERRED, 1, 550, "5.7.1", "t", 0, 0), -1 },
		{ "unchanged", F(ACT_UNCHANGED, 2, 0, "", "", 0, 0), 0 },
		{ "unchanged with code",
		    F(ACT_UNCHANGED, 2, 550, "5.7.1", "t", 0, 0), -1 },
		{ "unchanged with body",
		    F(ACT_UNCHANGED, 2, 0, "", "", 0, 1), -1 },
		{ "replaced with body",
		    F(ACT_REPLACED, 2, 0, "", "", 1, 1), 0 },
		{ "replaced, nothing",
		    F(ACT_REPLACED, 2, 0, "", "", 0, 0), -1 },
		{ "reject with body",
		    F(ACT_REJECTED, 1, 550, "5.7.3", "t", 0, 1), -1 },
		{ "quarantined", F(ACT_QUARANTINED, 2, 0, "", "", 0, 0), 0 },
		{ "split without copies",
		    F(ACT_SPLIT, 1, 0, "", "", 0, 1), -1 },
		{ "no such action", F(ACT_SPLIT + 1, 1, 0, "", "", 0, 0), -1 },
		{ "no such direction",
		    F(ACT_UNCHANGED, 4, 0, "", "", 0, 0), -1 },
		{ "flag of 2", F(ACT_UNCHANGED, 1, 0, "", "", 2, 0), -1 },
		{ "enhanced of two numbers",
		    F(ACT_REJECTED, 1, 550, "5.7", "t", 0, 0), -1 },
		{ "enhanced with a word",
		    F(ACT_REJECTED, 1, 550, "5.7.x", "t", 0, 0), -1 },
		{ "enhanced of 4 digits",
		    F(ACT_REJECTED, 1, 550, "5.7.1234", "t", 0, 0), -1 },
		{ "enhanced empty subject",
		    F(ACT_REJECTED, 1, 550, "5..1", "t", 0, 0), -1 },
		{ "text with CRLF",
		    F(ACT_REJECTED, 1, 550, "5.7.3", "a\r\n250 ok", 0, 0), -1 },
		{ "text not ASCII",
		    F(ACT_REJECTED, 1, 550, "5.7.3", "\xc3\xa4", 0, 0), -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (try_forged(&row[i].f) != row[i].want)
			fail_msg("%s: not %d", row[i].name, row[i].want);
}

static int try_edit(int kind, int index, const char *name, const char *value)
{
	struct forged f = F(ACT_REPLACED, 1, 0, "", "", 0, 0);
	char *n = name == NULL ? NULL : strdup(name);
	char *v = value == NULL ? NULL : strdup(value);
	int rc;

	f.has_edit = true;
	f.edit.kind = (enum edit_kind)kind;
	f.edit.index = index;
	f.edit.name = n;
	f.edit.value = v;
	rc = try_forged(&f);
	free(n);
	free(v);
	return rc;
}

static void M4_A42_edits_that_forge_headers_are_refused(void **state)
{
	static const struct {
		const char *why;
		int kind, index;
		const char *name, *value;
		int want;
	} row[] = {
		{ "insert", EDIT_INSERT_TOP, 0, "A", " v", 0 },
		{ "insert, folded", EDIT_INSERT_TOP, 0, "A", " v\n w", 0 },
		{ "insert, folded by TAB", EDIT_ADD, 0, "A", " v\n\tw", 0 },
		{ "delete", EDIT_DELETE, 1, "A", NULL, 0 },
		{ "CR", EDIT_INSERT_TOP, 0, "A", " v\r\n w", -1 },
		{ "LF without fold", EDIT_INSERT_TOP, 0, "A",
		    " v\nBcc: x", -1 },
		{ "empty line", EDIT_INSERT_TOP, 0, "A", " v\n\n body", -1 },
		{ "LF at the end", EDIT_INSERT_TOP, 0, "A", " v\n", -1 },
		{ "control", EDIT_INSERT_TOP, 0, "A", " \x01", -1 },
		{ "DEL", EDIT_INSERT_TOP, 0, "A", " \x7f", -1 },
		{ "no value", EDIT_INSERT_TOP, 0, "A", NULL, -1 },
		{ "no name", EDIT_INSERT_TOP, 0, NULL, " v", -1 },
		{ "empty name", EDIT_INSERT_TOP, 0, "", " v", -1 },
		{ "colon in name", EDIT_INSERT_TOP, 0, "A:", " v", -1 },
		{ "blank in name", EDIT_INSERT_TOP, 0, "A ", " v", -1 },
		{ "non-ASCII name", EDIT_INSERT_TOP, 0, "\xc3\xa4", " v",
		    -1 },
		{ "delete number 0", EDIT_DELETE, 0, "A", NULL, -1 },
		{ "delete with value", EDIT_DELETE, 1, "A", " v", -1 },
		{ "delete at cap", EDIT_DELETE, CAP_HEADER_FIELDS, "A", NULL,
		    0 },
		{ "delete beyond cap", EDIT_DELETE, CAP_HEADER_FIELDS + 1,
		    "A", NULL, -1 },
		{ "no such kind", EDIT_ADD + 1, 0, "A", " v", -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (try_edit(row[i].kind, row[i].index, row[i].name,
		    row[i].value) != row[i].want)
			fail_msg("%s: not %d", row[i].why, row[i].want);
}

/* "A:" and the value together are the line. */
static void M4_lines_of_997_to_999_octets(void **state)
{
	char value[1100];
	size_t n;

	(void)state;
	for (n = 995; n <= 997; n++) {
		memset(value, 'x', n);
		value[n] = '\0';
		assert_int_equal(try_edit(EDIT_INSERT_TOP, 0, "A", value),
		    n + 2 <= 998 ? 0 : -1);
	}
	for (n = 997; n <= 999; n++) { /* a folded line */
		memset(value, 'x', sizeof(value));
		value[0] = ' ';
		value[1] = '\n';
		value[2] = ' ';
		value[2 + n] = '\0';
		assert_int_equal(try_edit(EDIT_INSERT_TOP, 0, "A", value),
		    n <= 998 ? 0 : -1);
	}
}

/* ---- what was learned ---- */

static void S106_learned_of_wrong_sizes_is_refused(void **state)
{
	const struct {
		const char *name;
		size_t address_n, cert_n, list_n;
		uint64_t at;
		int want;
	} row[] = {
		{ "as it should be", 20, 32, 10, 1000, 0 },
		{ "nothing", 0, 32, 0, 0, 0 },
		{ "address at its size", CAP_ADDRESS * 2 + 1, 32, 10, 1, 0 },
		{ "address beyond", CAP_ADDRESS * 2 + 2, 32, 10, 1, -1 },
		{ "list at its cap", 20, 32, CAP_CAPABILITIES, 1, 0 },
		{ "list beyond", 20, 32, CAP_CAPABILITIES + 1, 1, -1 },
		{ "31 octets of a hash", 20, 31, 10, 1, -1 },
		{ "33 octets of a hash", 20, 33, 10, 1, -1 },
		{ "no hash", 20, 0, 10, 1, -1 },
		{ "last second", 20, 32, 10, INT64_MAX, 0 },
		{ "before 1970", 20, 32, 10, (uint64_t)INT64_MAX + 1, -1 },
	};
	char text[2048];
	struct learned l;
	struct buf b;
	struct rd r;

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		buf_init(&b, 8192);
		ipc_put_view(&b, view_make(text, row[i].address_n));
		ipc_put_view(&b, view_make(text, row[i].cert_n));
		ipc_put_u64(&b, row[i].at);
		ipc_put_view(&b, view_make(text, row[i].list_n));
		rd_init(&r, buf_view(&b));
		if (wire_get_learned(&l, &r) != row[i].want)
			fail_msg("%s: not %d", row[i].name, row[i].want);
		if (row[i].want == 0) {
			assert_int_equal(rd_left(&r), 0);
			assert_int_equal(strlen(l.address),
			    row[i].address_n);
			assert_int_equal(l.list_n, row[i].list_n);
			assert_int_equal(l.signed_at, row[i].at);
		}
		buf_free(&b);
	}
}

static void S106_address_with_NUL_is_refused(void **state)
{
	struct learned l;
	struct buf b;
	struct rd r;

	(void)state;
	buf_init(&b, 200);
	ipc_put_view(&b, view_make("a@b\0@c", 6));
	ipc_put_view(&b, view_make("0123456789abcdef0123456789abcdef", 32));
	ipc_put_u64(&b, 1);
	ipc_put_view(&b, view_of("x"));
	rd_init(&r, buf_view(&b));
	assert_int_equal(wire_get_learned(&l, &r), -1);
	assert_string_equal(l.address, "");
	buf_free(&b);
}

static void make_verdict(struct verdict *v)
{
	struct err e = { 0 };

	verdict_init(v);
	memcpy(v->id, "abcdefghijklmnopqrs", 20);
	v->direction = DIR_OUTBOUND;
	v->action = ACT_REPLACED;
	v->ret_hdrs = true;
	assert_int_equal(verdict_delete(v, "Content-Type", 2, &e), 0);
	assert_int_equal(verdict_insert(v, "X-A", " b\n c", &e), 0);
	assert_int_equal(verdict_add(v, "MIME-Version", " 1.0", &e), 0);
	assert_int_equal(spool_new(&v->body, 100, &e), 0);
	text_set(v->learned.address, sizeof(v->learned.address),
	    "alice@a.example");
	memset(v->learned.cert, 7, sizeof(v->learned.cert));
	v->learned.signed_at = 1700000001;
	memcpy(v->learned.list, "0\0", 2);
	v->learned.list_n = 2;
}

static void answer_round_trip(void **state)
{
	struct verdict v;
	struct answer a;
	struct buf b;

	(void)state;
	make_verdict(&v);
	answer_init(&a);
	buf_init(&b, CAP_IPC);
	wire_put_answer(&b, &v, "4F2");
	assert_int_equal(wire_get_answer(&a, buf_view(&b), NULL), 0);
	assert_int_equal(a.action, ACT_REPLACED);
	assert_int_equal(a.direction, DIR_OUTBOUND);
	assert_int_equal(a.code, 0);
	assert_true(a.ret_hdrs);
	assert_true(a.has_body);
	assert_int_equal(a.edits, 3);
	assert_int_equal(a.edit[0].kind, EDIT_DELETE);
	assert_int_equal(a.edit[0].index, 2);
	assert_string_equal(a.edit[0].name, "Content-Type");
	assert_null(a.edit[0].value);
	assert_int_equal(a.edit[1].kind, EDIT_INSERT_TOP);
	assert_string_equal(a.edit[1].value, " b\n c");
	assert_int_equal(a.edit[2].kind, EDIT_ADD);
	assert_non_null(strstr(a.log, "qid=4F2"));
	assert_non_null(strstr(buf_str(&a.json), v.id));
	assert_string_equal(a.learned.address, "alice@a.example");
	assert_memory_equal(a.learned.cert, v.learned.cert, 32);
	assert_int_equal(a.learned.signed_at, 1700000001);
	assert_int_equal(a.learned.list_n, 2);
	assert_memory_equal(a.learned.list, "0\0", 2);
	answer_free(&a);
	assert_string_equal(a.learned.address, "");
	buf_free(&b);
	verdict_free(&v);
}

static void answer_cut_anywhere_is_refused(void **state)
{
	struct verdict v;
	struct answer a;
	struct buf b;
	unsigned char *p;
	size_t n;

	(void)state;
	make_verdict(&v);
	answer_init(&a);
	buf_init(&b, CAP_IPC);
	wire_put_answer(&b, &v, NULL);
	for (n = 0; n < b.n; n++) {
		p = malloc(n + 1);
		assert_non_null(p);
		memcpy(p, b.p, n);
		assert_int_equal(wire_get_answer(&a, view_make(p, n), NULL),
		    -1);
		free(p);
	}
	buf_putc(&b, 0);
	assert_int_equal(wire_get_answer(&a, buf_view(&b), NULL), -1);
	answer_free(&a);
	buf_free(&b);
	verdict_free(&v);
}

static void own_reply_comes_from_the_table(void **state)
{
	struct envelope env = envelope();
	struct answer a;

	(void)state;
	answer_init(&a);
	answer_reply(&a, &env, REPLY_OVERLOAD, NULL);
	assert_int_equal(a.action, ACT_DEFERRED);
	assert_int_equal(a.code, 451);
	assert_string_equal(a.enhanced, "4.3.2");
	assert_non_null(strstr(a.text, "id1"));
	assert_non_null(strstr(a.log, "qid=4F2"));
	answer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(job_cut_anywhere_is_refused),
		cmocka_unit_test(job_with_any_octet_changed_does_not_crash),
		cmocka_unit_test(job_needs_login_exactly_with_auth),
		cmocka_unit_test(A35_job_cannot_claim_a_trusted_caller),
		cmocka_unit_test(job_recipients_at_the_cap),
		cmocka_unit_test(job_round_trip),
		cmocka_unit_test(M19_job_without_macros_stays_without),
		cmocka_unit_test(S123_A32_a_certificate_of_its_size),
		cmocka_unit_test(S123_certificate_round_trip),
		cmocka_unit_test(M9_reply_and_action_must_fit),
		cmocka_unit_test(M4_A42_edits_that_forge_headers_are_refused),
		cmocka_unit_test(M4_lines_of_997_to_999_octets),
		cmocka_unit_test(S106_learned_of_wrong_sizes_is_refused),
		cmocka_unit_test(S106_address_with_NUL_is_refused),
		cmocka_unit_test(answer_round_trip),
		cmocka_unit_test(answer_cut_anywhere_is_refused),
		cmocka_unit_test(own_reply_comes_from_the_table),
	};

	return cmocka_run_group_tests_name("milter_wire", tests, NULL, NULL);
}
