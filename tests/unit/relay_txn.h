/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of transactions: one that says what it answers, with scripted next
 * hops and routes. For inclusion by one test program.
 */
#ifndef TESTS_UNIT_RELAY_TXN_H
#define TESTS_UNIT_RELAY_TXN_H

#include "relay/txn.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "relay/txn_int.h"
#include "relay_fakes.h"

#define FIELD "Received: by mx.example; x\r\n"
#define TEXT "Subject: x\r\n\r\ntext\r\n"

static struct world {
	struct worker w;
	struct listener l;
	struct relay_config config;
	struct smtp_server_mail mail;
	struct txn *t;
	size_t rcpts;
	struct buf said; /* "0:250 2.1.5;", answers as "=250 2.0.0;" */
	struct buf words; /* of the last reply */
} x;

static char from[] = "<alice@a.example>";

static UNUSED void on_rcpt(void *arg, size_t number, const struct smtp_reply *r)
{
	assert_ptr_equal(arg, &x);
	buf_printf(&x.said, "%zu:%d %s;", number, r->code, r->enhanced);
	buf_clear(&x.words);
	buf_puts(&x.words, r->text);
}

static UNUSED void on_answer(void *arg, const struct smtp_reply *r)
{
	assert_ptr_equal(arg, &x);
	buf_printf(&x.said, "=%d %s;", r->code, r->enhanced);
	buf_clear(&x.words);
	buf_puts(&x.words, r->text);
}

static UNUSED int setup(void **state)
{
	(void)state;
	memset(&x, 0, sizeof(x));
	x.w.base = event_base_new();
	x.w.config = &x.config;
	assert_int_equal(relay_stats_new(&x.w.stats, NULL), 0);
	assert_int_equal(ledger_open(&x.w.ledger, NULL, 100, NULL), 0);
	x.l.protocol = RELAY_LMTP;
	x.l.ledger = true;
	x.l.max_message = 1000;
	text_set(x.l.name, sizeof(x.l.name), "egress");
	text_set(x.l.route, sizeof(x.l.route), "out");
	x.mail.from = from;
	buf_init(&x.said, 1u << 20);
	buf_init(&x.words, 1u << 20);
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	txn_free(&x.t, false);
	fakes_finish();
	assert_int_equal(txn_orphans(), 0);
	fakes_reset();
	ledger_free(&x.w.ledger);
	event_base_free(x.w.base);
	buf_free(&x.said);
	buf_free(&x.words);
	return 0;
}

static UNUSED void begin(void)
{
	const struct txn_setup s = { .w = &x.w, .l = &x.l, .id = "i.1",
		.client_addr = "192.0.2.1" };
	const struct txn_use use = { on_rcpt, on_answer, &x };

	x.rcpts = 0;
	assert_int_equal(txn_new(&x.t, &s, &x.mail, &use, NULL), 0);
}

static UNUSED void rcpt(const char *path)
{
	struct smtp_server_rcpt r = { NULL, NULL, NULL, x.rcpts++ };

	r.path = strdup(path);
	txn_rcpt(x.t, &r);
	free(r.path);
}

/* These go to hops that take them. */
static UNUSED void taken(const char *const *path, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		rcpt(path[i]);
	fake_answer_routes();
	fake_take_all();
	buf_clear(&x.said);
}

static UNUSED void send_text(const char *text)
{
	txn_begin(x.t, view_of(FIELD));
	txn_put(x.t, view_of(text));
	txn_end(x.t);
}

static UNUSED void expect(const char *said)
{
	if (strcmp(buf_str(&x.said), said) != 0)
		fail_msg("said %s, wanted %s", buf_str(&x.said), said);
	buf_clear(&x.said);
}

static UNUSED uint64_t count(enum relay_count c)
{
	return relay_stats_get(x.w.stats, c);
}

static const char *const two[] = { "<bob@b.example>", "<carol@c.example>" };

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
