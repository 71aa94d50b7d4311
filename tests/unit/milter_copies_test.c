/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Copies in an answer: hostile ones first, then the round trip.
 */
#include "milter/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/proc.h"

struct told_copies {
	struct {
		int kind, group;
		uint64_t off, size;
	} copy[3];
	size_t n;
	uint64_t body_at;
	int here;
	int group[6]; /* 0 ends */
};

/* As if a worker had made it. */
static void put_told(struct buf *b, const struct told_copies *c, int action,
    int body)
{
	struct verdict v;
	size_t i;

	verdict_init(&v);
	v.action = (enum action)action;
	v.direction = DIR_OUTBOUND;
	v.here = c->here;
	v.copy = calloc(c->n, sizeof(*v.copy));
	v.rcpt = calloc(6, sizeof(*v.rcpt));
	assert_true(v.copy != NULL && v.rcpt != NULL);
	for (i = 0; i < c->n; i++) {
		v.copy[i].kind = (enum copy_kind)c->copy[i].kind;
		v.copy[i].group = c->copy[i].group;
		v.copy[i].off = c->copy[i].off;
		v.copy[i].size = c->copy[i].size;
	}
	v.copy_n = c->n;
	for (; c->group[v.rcpts] != 0; v.rcpts++) {
		v.rcpt[v.rcpts].group = c->group[v.rcpts];
		v.rcpt[v.rcpts].address = strdup("bob@b.example");
	}
	if (body)
		assert_int_equal(spool_new(&v.body, 10, NULL), 0);
	buf_init(b, CAP_IPC);
	wire_put_answer(b, &v, NULL);
	assert_int_equal(buf_ok(b, NULL), 0);
	verdict_free(&v);
}

/* 100 octets came with it, of which the last ones are the new body; there
 * are 4 recipients. */
static int try_copies(const struct told_copies *c, int action, int body)
{
	char octets[100];
	struct answer a;
	struct buf b;
	int rc;

	memset(octets, 'x', sizeof(octets));
	answer_init(&a);
	put_told(&b, c, action, body);
	rc = wire_get_answer(&a, buf_view(&b), NULL);
	if (rc == 0) {
		a.body_at = c->body_at;
		assert_int_equal(spool_new(&a.body, 100, NULL), 0);
		assert_int_equal(spool_write(a.body, octets, 100, NULL), 0);
		rc = answer_check(&a, 4, NULL);
	}
	answer_free(&a);
	buf_free(&b);
	return rc;
}

#define C2(ka, ga, oa, na, kb, gb, ob, nb, at, here, ...)                  \
	{ { { (ka), (ga), (oa), (na) }, { (kb), (gb), (ob), (nb) } }, 2,     \
	    (at), (here), { __VA_ARGS__ } }

/* attack A32 A53: a process that mail broke leaves somebody out, gives one
 * body to others, or points beyond its octets
 * verdict: malformed; nothing is sent */
static void M23_A32_A53_copies_cover_the_recipients(void **state)
{
	static const struct {
		const char *name;
		int action, body;
		struct told_copies c;
		int want;
	} row[] = {
		{ "right", ACT_SPLIT, 1, C2(0, 1, 0, 40, 1, 3, 40, 40, 80, 2,
		    2, 1, 3, 2), 0 },
		{ "right, in another order, with a hole", ACT_SPLIT, 1,
		    C2(0, 7, 50, 30, 0, 3, 0, 40, 80, 2, 7, 7, 3, 2), 0 },
		{ "somebody has no body", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3,
		    40, 40, 80, 2, 2, 1, 3, 4), -1 },
		{ "nobody is here", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3, 40,
		    40, 80, 2, 1, 1, 3, 3), -1 },
		{ "here is 0", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3, 40, 40,
		    80, 0, 1, 1, 3, 3), -1 },
		{ "a copy for those who are here", ACT_SPLIT, 1, C2(0, 2, 0,
		    40, 0, 3, 40, 40, 80, 2, 2, 2, 3, 3), -1 },
		{ "two copies for one", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 1,
		    40, 40, 80, 2, 2, 1, 1, 2), -1 },
		{ "a copy for nobody", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3,
		    40, 40, 80, 2, 2, 1, 1, 2), -1 },
		{ "three recipients", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3, 40,
		    40, 80, 2, 2, 1, 3), -1 },
		{ "five recipients", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3, 40,
		    40, 80, 2, 2, 1, 3, 3, 3), -1 },
		{ "beyond the octets", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3,
		    40, 41, 80, 2, 2, 1, 3, 2), -1 },
		{ "wraps around", ACT_SPLIT, 1, C2(0, 1, 0, 40, 0, 3,
		    UINT64_MAX, 2, 80, 2, 2, 1, 3, 2), -1 },
		{ "an empty copy", ACT_SPLIT, 1, C2(0, 1, 0, 0, 0, 3, 40, 40,
		    80, 2, 2, 1, 3, 2), -1 },
		{ "the body beyond the octets", ACT_SPLIT, 1, C2(0, 1, 0, 40,
		    0, 3, 40, 40, 101, 2, 2, 1, 3, 2), -1 },
		{ "octets that are nothing's", ACT_SPLIT, 0, C2(0, 1, 0, 40,
		    0, 3, 40, 40, 80, 2, 2, 1, 3, 2), -1 },
		{ "no such kind", ACT_SPLIT, 1, C2(2, 1, 0, 40, 0, 3, 40, 40,
		    80, 2, 2, 1, 3, 2), -1 },
		{ "group beyond the cap", ACT_SPLIT, 1, C2(0,
		    CAP_RECIPIENTS + 1, 0, 40, 0, 3, 40, 40, 80, 2, 2, 1, 3,
		    2), -1 },
		{ "group at the cap", ACT_SPLIT, 1, C2(0, CAP_RECIPIENTS, 0,
		    40, 0, 3, 40, 40, 80, 2, 2, CAP_RECIPIENTS, 3, 2), 0 },
		{ "no change beside it", ACT_SPLIT, 0, C2(0, 1, 0, 40, 0, 3,
		    40, 60, 100, 2, 2, 1, 3, 2), 0 },
		{ "unchanged with copies", ACT_UNCHANGED, 0, C2(0, 1, 0, 40,
		    0, 3, 40, 60, 100, 2, 2, 1, 3, 2), -1 },
		{ "replaced with copies", ACT_REPLACED, 1, C2(0, 1, 0, 40,
		    0, 3, 40, 40, 80, 2, 2, 1, 3, 2), -1 },
		{ "all are held", ACT_QUARANTINED, 0, C2(1, 1, 0, 40, 1, 3,
		    40, 60, 100, 0, 3, 1, 3, 1), 0 },
		{ "held, and somebody is here", ACT_QUARANTINED, 0, C2(1, 1,
		    0, 40, 1, 3, 40, 60, 100, 2, 3, 1, 3, 2), -1 },
		{ "held and sent", ACT_QUARANTINED, 0, C2(1, 1, 0, 40, 0, 3,
		    40, 60, 100, 0, 3, 1, 3, 1), -1 },
		{ "held, with a body", ACT_QUARANTINED, 1, C2(1, 1, 0, 40, 1,
		    3, 40, 40, 80, 0, 3, 1, 3, 1), -1 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		if (try_copies(&row[i].c, row[i].action, row[i].body) !=
		    row[i].want)
			fail_msg("%s: not %d", row[i].name, row[i].want);
}

static void fill_split(struct verdict *v)
{
	static const struct copy copy[] = {
		{ COPY_SENT, 3, 0, 40, true, true },
		{ COPY_HELD, 1, 40, 8, false, false },
	};

	verdict_init(v);
	v->action = ACT_SPLIT;
	v->direction = DIR_OUTBOUND;
	v->here = 2;
	v->has_message_id = true;
	memset(v->content, 'c', sizeof(v->content));
	v->copy = calloc(2, sizeof(*v->copy));
	v->rcpt = calloc(3, sizeof(*v->rcpt));
	assert_true(v->copy != NULL && v->rcpt != NULL);
	memcpy(v->copy, copy, sizeof(copy));
	v->copy_n = 2;
	for (v->rcpts = 0; v->rcpts < 3; v->rcpts++) {
		v->rcpt[v->rcpts].group = 3 - (int)v->rcpts;
		v->rcpt[v->rcpts].address = strdup("bob@b.example");
	}
	text_set(v->rcpt[2].reason, sizeof(v->rcpt[2].reason), "no key");
}

static void M23_copies_come_as_they_were_sent(void **state)
{
	struct verdict v;
	struct answer a;
	struct buf b;
	size_t n;

	(void)state;
	fill_split(&v);
	buf_init(&b, CAP_IPC);
	wire_put_answer(&b, &v, NULL);
	answer_init(&a);
	assert_int_equal(wire_get_answer(&a, buf_view(&b), NULL), 0);
	assert_int_equal(a.copies, 2);
	assert_true(a.copy[0].copy.ret_hdrs && !a.copy[1].copy.ret_hdrs);
	assert_true(a.copy[0].copy.by_tls && !a.copy[1].copy.by_tls);
	assert_int_equal(a.copy[1].copy.kind, COPY_HELD);
	assert_int_equal(a.copy[1].copy.off, 40);
	assert_string_equal(a.copy[1].reason, "no key");
	assert_int_equal(a.body_at, 48);
	assert_int_equal(a.here, 2);
	assert_int_equal(a.groups, 3);
	assert_int_equal(a.group[2], 1);
	assert_true(a.has_message_id);
	assert_memory_equal(a.content, v.content, sizeof(a.content));
	for (n = 0; n < b.n; n++)
		assert_int_equal(wire_get_answer(&a, view_make(b.p, n),
		    NULL), -1);
	for (n = 0; n < b.n; n++) { /* whatever it becomes */
		b.p[n] ^= 0x81;
		if (wire_get_answer(&a, buf_view(&b), NULL) == 0)
			(void)!answer_check(&a, 3, NULL);
		b.p[n] ^= 0x81;
	}
	answer_free(&a);
	buf_free(&b);
	verdict_free(&v);
}

/* attack T56: nobody gets what goes on, and there is something
 * verdict: only where copies leave by tls-route nobody may, and then there is
 * nothing that goes on */
static void T56_nobody_is_here_by_tls_route_alone(void **state)
{
	static const struct {
		bool by_tls, has_edit;
		int want;
	} row[] = { { true, false, 0 }, { false, false, -1 },
		{ true, true, -1 } };
	struct verdict v;
	struct answer a;
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		fill_split(&v);
		v.here = 0;
		v.copy[0].by_tls = row[i].by_tls;
		if (row[i].has_edit)
			assert_int_equal(verdict_add(&v, "X-A", " b", NULL),
			    0);
		buf_init(&b, CAP_IPC);
		wire_put_answer(&b, &v, NULL);
		answer_init(&a);
		assert_int_equal(wire_get_answer(&a, buf_view(&b), NULL),
		    row[i].want);
		answer_free(&a);
		buf_free(&b);
		verdict_free(&v);
	}
}

/* Sixteen copies and the body of what a message may have, and no more. */
static void octets_of_an_answer_are_bounded(void **state)
{
	(void)state;
	assert_true(answer_most(1u << 20) >= 17ull << 20);
	assert_true(answer_most(1u << 20) <= 64ull << 20);
	assert_true(answer_most(UINT64_MAX) >= UINT64_MAX / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(M23_A32_A53_copies_cover_the_recipients),
		cmocka_unit_test(M23_copies_come_as_they_were_sent),
		cmocka_unit_test(T56_nobody_is_here_by_tls_route_alone),
		cmocka_unit_test(octets_of_an_answer_are_bounded),
	};

	return cmocka_run_group_tests_name("milter_copies", tests, NULL,
	    NULL);
}
