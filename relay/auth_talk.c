/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The worker's side of authentication: one question to the auth process for
 * each step. The worker chooses the number of an exchange, so that it can
 * call it off before it has heard of it.
 */
#include "relay/auth_int.h"

#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/ossl.h"

/* Dovecot, if it is one, is waited for half as long. */
#define ANSWER_MS 60000
#define CANCEL_MS 10000

struct auth_talks {
	struct ask *ask;
};

struct auth_talk {
	struct auth_talks *t;
	uint64_t number;
	uint32_t question; /* 0: none runs */
	bool is_over;
	auth_done *done;
	void *arg;
};

int auth_talks_new(struct auth_talks **out, struct ask *auth, struct err *e)
{
	struct auth_talks *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	t->ask = auth;
	*out = t;
	return 0;
}

void auth_talks_free(struct auth_talks **t)
{
	free(*t);
	*t = NULL;
}

/* done() may free the talk: nothing is touched behind it. */
static void on_answer(void *arg, const struct view *reply,
    const struct err *e)
{
	struct auth_talk *t = arg;
	struct auth_reply r = { .result = AUTH_LATER };
	struct auth_answer a;
	struct err why = { 0 };

	t->question = 0;
	auth_answer_init(&a);
	if (reply == NULL)
		why = *e;
	else if (auth_answer_get(&a, *reply, &why) == 0) {
		r.result = a.result;
		r.delay_ms = a.delay_ms;
		r.text = buf_view(&a.text);
		text_set(r.login, sizeof(r.login), a.login);
	}
	if (why.kind != 0)
		log_warn("event=auth-away error=\"%s\"", why.msg);
	t->is_over = r.result != AUTH_CHALLENGE;
	t->done(t->arg, &r);
	auth_answer_free(&a);
}

static void on_cancelled(void *arg UNUSED, const struct view *reply UNUSED,
    const struct err *e UNUSED)
{
}

static int ask_question(struct auth_talk *t, const struct auth_question *q,
    struct err *e)
{
	struct buf b;
	int rc;

	buf_init_secret(&b, 4 * AUTH_INPUT);
	auth_question_put(&b, q);
	rc = buf_ok(&b, e);
	if (rc == 0 && q->op == AUTH_OP_CANCEL)
		(void)ask_send(t->t->ask, buf_view(&b), CANCEL_MS,
		    on_cancelled, NULL);
	else if (rc == 0)
		t->question = ask_send(t->t->ask, buf_view(&b), ANSWER_MS,
		    on_answer, t);
	buf_free(&b);
	return rc;
}

/* Strings of who are lent to q. */
static void fill_question(struct auth_question *q,
    const struct auth_who *who, struct view initial)
{
	size_t i;

	q->op = AUTH_OP_BEGIN;
	q->listener = (uint32_t)who->listener->index;
	q->is_tls = who->is_tls;
	q->has_input = initial.p != NULL;
	q->input = initial;
	memcpy(&q->ip, &who->client_ip, sizeof(q->ip));
	memcpy(&q->local_ip, &who->local_ip, sizeof(q->local_ip));
	for (i = 0; i < who->cert_identities && i < AUTH_IDENTITIES; i++)
		memcpy(&q->identity[i], &who->cert_identity[i],
		    sizeof(q->identity[i]));
	q->identities = i;
}

int auth_begin(struct auth_talk **out, struct auth_talks *t,
    const struct auth_who *who, const char *mechanism, struct view initial,
    auth_done *done, void *arg, struct err *e)
{
	struct auth_question q = { 0 };
	struct auth_talk *talk;

	*out = NULL;
	if (auth_mech_of(mechanism, &q.mech) != 0 ||
	    !auth_mech_allowed(q.mech, &who->listener->auth, who->is_tls,
	    who->cert_identities > 0))
		return err_set(e, FAIL_POLICY, "RFC 4954 4: no such "
		    "mechanism here");
	talk = calloc(1, sizeof(*talk));
	if (talk == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	talk->t = t;
	talk->done = done;
	talk->arg = arg;
	ossl_random(&talk->number, sizeof(talk->number));
	q.number = talk->number;
	fill_question(&q, who, initial);
	if (ask_question(talk, &q, e) != 0) {
		free(talk);
		return -1;
	}
	*out = talk;
	return 0;
}

void auth_go_on(struct auth_talk *t, struct view decoded)
{
	struct auth_question q = {
		.op = AUTH_OP_GO_ON, .number = t->number, .has_input = true,
		.input = decoded
	};

	if (t->question != 0)
		return; /* there is an answer to come yet */
	if (decoded.n > AUTH_INPUT) /* refused there: too long */
		q.input = view_sub(decoded, 0, AUTH_INPUT + 1);
	if (ask_question(t, &q, NULL) != 0)
		log_fatal("auth: out of memory");
}

void auth_free(struct auth_talk **t)
{
	struct auth_question q = { .op = AUTH_OP_CANCEL };

	if (*t == NULL)
		return;
	q.number = (*t)->number;
	if ((*t)->question != 0)
		ask_cancel((*t)->t->ask, (*t)->question);
	if (!(*t)->is_over && ask_question(*t, &q, NULL) != 0)
		log_warn("event=auth-away error=\"out of memory\"");
	free(*t);
	*t = NULL;
}

void auth_mechanisms(const struct listener *l, bool is_tls,
    bool has_cert_identity, char *out, size_t size)
{
	struct buf b;
	int i;

	buf_init(&b, 200);
	for (i = 0; i < MECHS; i++) {
		if (!auth_mech_allowed((enum auth_mech)i, &l->auth, is_tls,
		    has_cert_identity))
			continue;
		if (b.n > 0)
			buf_putc(&b, ' ');
		buf_puts(&b, auth_mech_str((enum auth_mech)i));
	}
	text_set(out, size, buf_str(&b));
	buf_free(&b);
}
