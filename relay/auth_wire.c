/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * How questions and answers of authentication travel between a worker and
 * the auth process. A worker may be in wrong hands: what it sends is read as
 * any other input.
 */
#include "relay/auth_int.h"

#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/proc.h"

#define TEXT_MAX 16384 /* octets of a challenge */

static const char *const names[MECHS] = {
	[MECH_PLAIN] = "PLAIN",
	[MECH_LOGIN] = "LOGIN",
	[MECH_EXTERNAL] = "EXTERNAL",
	[MECH_SCRAM] = "SCRAM-SHA-256"
};

const char *auth_mech_str(enum auth_mech m)
{
	return names[m];
}

int auth_mech_of(const char *word, enum auth_mech *out)
{
	struct view w = view_of(word);
	int i;

	for (i = 0; i < MECHS; i++) {
		if (!view_ieq_str(w, names[i]))
			continue;
		*out = (enum auth_mech)i;
		return 0;
	}
	return -1;
}

bool auth_mech_allowed(enum auth_mech m, const struct auth_block *b,
    bool is_tls, bool has_identity)
{
	const bool on[MECHS] = {
		[MECH_PLAIN] = b->kind != AUTH_NONE && b->plain,
		[MECH_LOGIN] = b->kind != AUTH_NONE && b->login,
		[MECH_EXTERNAL] = b->external && has_identity,
		[MECH_SCRAM] = b->kind != AUTH_NONE && b->scram
	};

	return is_tls && on[m];
}

/* ---- questions ---- */

void auth_question_put(struct buf *b, const struct auth_question *q)
{
	size_t i;

	ipc_put_u8(b, (uint8_t)q->op);
	ipc_put_u64(b, q->number);
	if (q->op == AUTH_OP_CANCEL)
		return;
	ipc_put_u8(b, q->has_input);
	ipc_put_view(b, q->input);
	if (q->op == AUTH_OP_GO_ON)
		return;
	ipc_put_u32(b, q->listener);
	ipc_put_u8(b, (uint8_t)q->mech);
	ipc_put_u8(b, q->is_tls);
	ipc_put_str(b, q->ip);
	ipc_put_str(b, q->local_ip);
	ipc_put_u32(b, (uint32_t)q->identities);
	for (i = 0; i < q->identities; i++)
		ipc_put_str(b, q->identity[i]);
}

static int get_flag(struct rd *r, bool *out)
{
	uint8_t x;

	if (rd_u8(r, &x) != 0 || x > 1)
		return -1;
	*out = x == 1;
	return 0;
}

static int get_begin(struct auth_question *q, struct rd *r)
{
	uint8_t mech;
	uint32_t n;

	if (rd_u32(r, &q->listener) != 0 || rd_u8(r, &mech) != 0 ||
	    mech >= MECHS || get_flag(r, &q->is_tls) != 0 ||
	    ipc_get_str(r, &q->ip) != 0 || q->ip == NULL ||
	    ipc_get_str(r, &q->local_ip) != 0 || rd_u32(r, &n) != 0 ||
	    n > AUTH_IDENTITIES)
		return -1;
	q->mech = (enum auth_mech)mech;
	for (; q->identities < n; q->identities++)
		if (ipc_get_str(r, &q->identity[q->identities]) != 0 ||
		    q->identity[q->identities] == NULL)
			return -1;
	return 0;
}

int auth_question_get(struct auth_question *q, struct view v, struct err *e)
{
	struct rd r;
	uint8_t op;
	int rc;

	memset(q, 0, sizeof(*q));
	rd_init(&r, v);
	rc = rd_u8(&r, &op);
	if (rc == 0)
		rc = rd_u64(&r, &q->number);
	if (rc != 0 || op < AUTH_OP_BEGIN || op > AUTH_OP_CANCEL)
		return err_set(e, FAIL_BUG, "auth: no question");
	q->op = (enum auth_op)op;
	if (q->op != AUTH_OP_CANCEL && (get_flag(&r, &q->has_input) != 0 ||
	    ipc_get_view(&r, &q->input) != 0))
		rc = -1;
	if (rc == 0 && q->op == AUTH_OP_BEGIN)
		rc = get_begin(q, &r);
	if (rc != 0 || rd_left(&r) != 0)
		return err_set(e, FAIL_BUG, "auth: malformed question");
	return 0;
}

void auth_question_free(struct auth_question *q)
{
	size_t i;

	free(q->ip);
	free(q->local_ip);
	for (i = 0; i < AUTH_IDENTITIES; i++)
		free(q->identity[i]);
	memset(q, 0, sizeof(*q));
}

/* ---- answers ---- */

void auth_answer_init(struct auth_answer *a)
{
	memset(a, 0, sizeof(*a));
	a->result = AUTH_LATER;
	buf_init_secret(&a->text, TEXT_MAX);
}

void auth_answer_free(struct auth_answer *a)
{
	buf_free(&a->text);
}

void auth_answer_put(struct buf *b, const struct auth_answer *a)
{
	ipc_put_u8(b, (uint8_t)a->result);
	ipc_put_u32(b, (uint32_t)a->delay_ms);
	ipc_put_str(b, a->login);
	ipc_put_view(b, buf_view(&a->text));
}

int auth_answer_get(struct auth_answer *a, struct view v, struct err *e)
{
	char *login = NULL;
	struct view text;
	struct rd r;
	uint8_t result;
	uint32_t delay;
	int rc = -1;

	rd_init(&r, v);
	if (rd_u8(&r, &result) != 0 || result > AUTH_THROTTLED ||
	    rd_u32(&r, &delay) != 0 || ipc_get_str(&r, &login) != 0 ||
	    login == NULL || strlen(login) >= sizeof(a->login) ||
	    ipc_get_view(&r, &text) != 0 || rd_left(&r) != 0) {
		(void)err_set(e, FAIL_BUG, "auth: malformed answer");
		goto out;
	}
	a->result = (enum auth_result)result;
	a->delay_ms = delay;
	text_set(a->login, sizeof(a->login), login);
	buf_putv(&a->text, text);
	rc = buf_ok(&a->text, e);
out:
	free(login);
	return rc;
}
