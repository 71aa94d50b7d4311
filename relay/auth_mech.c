/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the mechanisms share: verdicts, and looking up a name with its
 * password, in a file or at Dovecot's.
 */
#include "relay/auth_int.h"

#include <string.h>

#include "util/conf.h"
#include "util/log.h"

void auth_refuse(struct verdict *v, enum auth_result r, const char *why)
{
	v->answer->result = r;
	v->answer->login[0] = '\0';
	v->why = why;
}

void auth_challenge(struct verdict *v, const char *text)
{
	v->answer->result = AUTH_CHALLENGE;
	buf_puts(&v->answer->text, text);
}

void auth_accept(struct verdict *v, const char *login)
{
	v->answer->result = AUTH_YES;
	text_set(v->answer->login, sizeof(v->answer->login), login);
}

void auth_of_dovecot(struct exchange *x, int rc,
    const struct dovecot_reply *r, const struct err *e, struct verdict *v)
{
	if (rc != 0 || (r->word == DOVECOT_OK && r->user[0] == '\0')) {
		log_warn("event=auth-backend listener=%s: %s", x->listener,
		    rc != 0 ? e->msg : "Dovecot: OK without a user");
		auth_refuse(v, AUTH_LATER, "backend");
		return;
	}
	switch (r->word) {
	case DOVECOT_OK:
		if (r->is_nologin)
			auth_refuse(v, AUTH_NO, "nologin");
		else
			auth_accept(v, r->user);
		return;
	case DOVECOT_CONT:
		v->answer->result = AUTH_CHALLENGE;
		buf_putv(&v->answer->text, buf_view(&r->data));
		return;
	default:
		if (r->is_temporary)
			auth_refuse(v, AUTH_LATER, "backend");
		else
			auth_refuse(v, AUTH_NO, r->is_authz ? "authzid" :
			    "password");
	}
}

void auth_dovecot_who(const struct exchange *x, struct dovecot_who *who)
{
	struct net n;

	memset(who, 0, sizeof(*who));
	if (net_parse(&n, x->ip, NULL) == 0)
		who->ip = x->ip;
	if (net_parse(&n, x->local_ip, NULL) == 0)
		who->local_ip = x->local_ip;
	if (x->identities > 0)
		who->cert_user = x->identity[0];
}

static void check_dovecot(struct exchange *x, struct view name,
    struct view password, struct verdict *v)
{
	struct dovecot_talk *talk = NULL;
	struct dovecot_reply r;
	struct dovecot_who who;
	struct err e = { 0 };
	struct view initial;
	struct buf b;
	int rc;

	dovecot_reply_init(&r);
	buf_init_secret(&b, DOVECOT_SENT);
	buf_putc(&b, '\0');
	buf_putv(&b, name);
	buf_putc(&b, '\0');
	buf_putv(&b, password);
	initial = buf_view(&b);
	auth_dovecot_who(x, &who);
	rc = buf_ok(&b, &e);
	if (rc == 0)
		rc = dovecot_begin(x->backend->dovecot, "PLAIN", &who,
		    &initial, &talk, &r, &e);
	if (talk != NULL) { /* PLAIN has no second step */
		dovecot_cancel(&talk);
		rc = err_set(&e, FAIL_TEMP, "Dovecot: PLAIN wants more");
	}
	auth_of_dovecot(x, rc, &r, &e, v);
	buf_free(&b);
	dovecot_reply_free(&r);
}

static void check_passwd(struct exchange *x, const char *name,
    struct view password, struct verdict *v)
{
	bool is_right = false;
	struct err e = { 0 };

	if (passwd_verify(x->backend->passwd, name, password, &is_right,
	    &e) != 0) {
		log_warn("event=auth-backend listener=%s: %s", x->listener,
		    e.msg);
		auth_refuse(v, AUTH_LATER, "backend");
	} else if (is_right)
		auth_accept(v, name);
	else
		auth_refuse(v, AUTH_NO, "password");
}

void auth_check(struct exchange *x, struct view name, struct view password,
    struct verdict *v)
{
	char login[PASSWD_LOGIN];

	/* longer than any: it is refused as any other that is not there */
	if (view_cstr(name, login, sizeof(login)) != 0)
		text_set(login, sizeof(login), "");
	text_set(x->login, sizeof(x->login), login);
	buf_putv(&v->guess, name);
	buf_putc(&v->guess, '\0');
	buf_putv(&v->guess, password);
	if (x->backend->passwd != NULL)
		check_passwd(x, login, password, v);
	else if (login[0] == '\0')
		auth_refuse(v, AUTH_NO, "password");
	else
		check_dovecot(x, name, password, v);
}

bool auth_is_guess(const struct exchange *x, const struct view *input)
{
	switch (x->mech) {
	case MECH_LOGIN:
		return x->step == 1;
	case MECH_SCRAM:
		return input != NULL && (x->step == 1 ||
		    x->backend->dovecot != NULL);
	default:
		return input != NULL;
	}
}
