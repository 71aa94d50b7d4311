/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SCRAM-SHA-256 as a SASL exchange of SMTP: the server's last message is a
 * challenge that the client answers with nothing (RFC 4954 4). With Dovecot
 * behind us, the messages are passed on.
 */
#include "relay/auth_int.h"

#include "util/log.h"
#include "util/ossl.h"

static void take_fault(struct exchange *x, const struct err *e,
    struct verdict *v)
{
	if (e->kind == FAIL_INPUT)
		auth_refuse(v, AUTH_MALFORMED, "malformed");
	else if (e->kind == FAIL_POLICY)
		auth_refuse(v, AUTH_NO, "proof");
	else {
		log_warn("event=auth-backend listener=%s: %s", x->listener,
		    e->msg);
		auth_refuse(v, AUTH_LATER, "backend");
	}
}

static int first(struct exchange *x, struct view in, struct buf *out,
    struct err *e)
{
	struct scram_verifier known;
	int rc;

	if (scram_new(&x->scram, NULL, e) != 0)
		return -1;
	rc = scram_first(x->scram, in, e);
	text_set(x->login, sizeof(x->login), scram_name(x->scram));
	if (rc == 0)
		rc = passwd_verifier(x->backend->passwd, x->login, &known,
		    e);
	if (rc == 0)
		rc = scram_challenge(x->scram, &known, out, e);
	ossl_wipe(&known, sizeof(known));
	return rc;
}

static void step_here(struct exchange *x, struct view in, struct verdict *v)
{
	struct buf *out = &v->answer->text;
	struct err e = { 0 };
	int rc;

	if (x->step == 2) { /* it was him; he had to hear our proof first */
		if (in.n == 0)
			auth_accept(v, x->login);
		else
			auth_refuse(v, AUTH_MALFORMED, "malformed");
		return;
	}
	buf_putv(&v->guess, in);
	rc = x->step == 0 ? first(x, in, out, &e) :
	    scram_final(x->scram, in, out, &e);
	if (rc != 0) {
		take_fault(x, &e, v);
		return;
	}
	x->step++;
	v->answer->result = AUTH_CHALLENGE;
}

static void step_dovecot(struct exchange *x, struct view in,
    struct verdict *v)
{
	struct dovecot_reply r;
	struct dovecot_who who;
	struct err e = { 0 };
	int rc;

	dovecot_reply_init(&r);
	auth_dovecot_who(x, &who);
	buf_putv(&v->guess, in);
	if (x->step++ == 0)
		rc = dovecot_begin(x->backend->dovecot, "SCRAM-SHA-256",
		    &who, &in, &x->talk, &r, &e);
	else if (x->talk != NULL)
		rc = dovecot_go_on(&x->talk, in, &r, &e);
	else
		rc = err_set(&e, FAIL_TEMP, "SCRAM: a step too many");
	auth_of_dovecot(x, rc, &r, &e, v);
	dovecot_reply_free(&r);
}

void auth_scram_step(struct exchange *x, const struct view *input,
    struct verdict *v)
{
	if (input == NULL && x->step == 0)
		auth_challenge(v, "");
	else if (input == NULL)
		auth_refuse(v, AUTH_MALFORMED, "malformed");
	else if (x->backend->passwd != NULL)
		step_here(x, *input, v);
	else
		step_dovecot(x, *input, v);
}
