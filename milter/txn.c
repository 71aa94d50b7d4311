/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Collecting a transaction.
 */
#include "milter/txn.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Beyond max_message: the pipeline must see a size above it, and the header
 * section whatever its size. */
#define TXN_ABOVE (CAP_HEADER_SECTION + 1)

static void fail(struct txn *t, const char *what)
{
	if (t->fault == TXN_OK)
		(void)err_set(&t->why, FAIL_TEMP, "%s: out of memory", what);
	t->fault = TXN_TEMP;
}

void txn_reset(struct txn *t)
{
	size_t i;

	free(t->mail_from);
	free(t->envid);
	free(t->ret);
	free(t->login);
	free(t->queue_id);
	for (i = 0; i < t->rcpts; i++) {
		free(t->rcpt[i]);
		free(t->param[i].notify);
		free(t->param[i].orcpt);
	}
	free(t->rcpt);
	free(t->param);
	spool_free(&t->msg);
	memset(t, 0, sizeof(*t));
}

/* The first one of a name counts. */
static void take_param(struct txn *t, char **at, const char *name,
    const char *arg)
{
	size_t n = strlen(name);

	if (*at != NULL || strncasecmp(arg, name, n) != 0 || arg[n] != '=')
		return;
	*at = strdup(arg);
	if (*at == NULL)
		fail(t, name);
}

void txn_begin(struct txn *t, char *const *argv, uint64_t max_message)
{
	size_t i;

	txn_reset(t);
	t->is_live = true;
	t->max = max_message + TXN_ABOVE;
	t->mail_from = strdup(argv[0] == NULL ? "<>" : argv[0]);
	if (t->mail_from == NULL)
		fail(t, "sender");
	for (i = 1; argv[0] != NULL && argv[i] != NULL; i++) {
		take_param(t, &t->envid, "ENVID", argv[i]);
		take_param(t, &t->ret, "RET", argv[i]);
		t->utf8 = t->utf8 || strcasecmp(argv[i], "SMTPUTF8") == 0;
		t->require_tls = t->require_tls ||
		    strcasecmp(argv[i], "REQUIRETLS") == 0;
	}
	if (spool_new(&t->msg, t->max, &t->why) != 0)
		t->fault = TXN_TEMP;
}

/* Room for one more; powers of two. */
static int grow(struct txn *t)
{
	size_t n = t->rcpts == 0 ? 1 : t->rcpts * 2;
	struct txn_params *params;
	char **more;

	if ((t->rcpts & (t->rcpts - 1)) != 0)
		return 0;
	more = reallocarray(t->rcpt, n, sizeof(*more));
	if (more == NULL)
		return -1;
	t->rcpt = more;
	params = reallocarray(t->param, n, sizeof(*params));
	if (params == NULL)
		return -1;
	t->param = params;
	return 0;
}

void txn_add_rcpt(struct txn *t, const char *raw_path)
{
	if (t->rcpts >= CAP_RECIPIENTS) {
		if (t->fault == TXN_OK)
			t->fault = TXN_RECIPIENTS;
		return;
	}
	if (grow(t) != 0) {
		fail(t, "recipients");
		return;
	}
	t->rcpt[t->rcpts] = strdup(raw_path);
	memset(&t->param[t->rcpts], 0, sizeof(t->param[0]));
	if (t->rcpt[t->rcpts] == NULL)
		fail(t, "recipient");
	else
		t->rcpts++;
}

void txn_add_params(struct txn *t, char *const *argv)
{
	struct txn_params *p;

	if (t->fault != TXN_OK || t->rcpts == 0)
		return;
	p = &t->param[t->rcpts - 1];
	for (; *argv != NULL; argv++) {
		take_param(t, &p->notify, "NOTIFY", *argv);
		take_param(t, &p->orcpt, "ORCPT", *argv);
	}
}

static void set_once(struct txn *t, char **at, const char *s)
{
	if (*at != NULL || s == NULL || *s == '\0')
		return;
	*at = strdup(s);
	if (*at == NULL)
		fail(t, "envelope");
}

void txn_set_login(struct txn *t, const char *login)
{
	set_once(t, &t->login, login);
}

void txn_set_queue_id(struct txn *t, const char *id)
{
	set_once(t, &t->queue_id, id);
}

static void put(struct txn *t, const void *p, size_t n)
{
	uint64_t room;

	if (t->fault != TXN_OK || t->msg == NULL)
		return;
	room = t->max - spool_size(t->msg);
	if (n > room) {
		n = (size_t)room;
		t->is_cut = true;
	}
	if (spool_write(t->msg, p, n, &t->why) != 0)
		t->fault = TXN_TEMP;
}

void txn_put_header(struct txn *t, const char *name, const char *value,
    bool lead_space)
{
	const char *lf;
	size_t n;

	put(t, name, strlen(name));
	put(t, lead_space ? ":" : ": ", lead_space ? 1 : 2);
	while ((lf = strchr(value, '\n')) != NULL) {
		n = (size_t)(lf - value);
		if (n > 0 && value[n - 1] == '\r')
			n--;
		put(t, value, n);
		put(t, "\r\n", 2);
		value = lf + 1;
	}
	put(t, value, strlen(value));
	put(t, "\r\n", 2);
}

void txn_end_header(struct txn *t)
{
	if (!t->has_end_of_header)
		put(t, "\r\n", 2);
	t->has_end_of_header = true;
}

void txn_put_body(struct txn *t, const void *p, size_t n)
{
	put(t, p, n);
}

void txn_envelope(const struct txn *t, const char *id, const char *client_ip,
    struct envelope *env)
{
	memset(env, 0, sizeof(*env));
	env->id = id;
	env->queue_id = t->queue_id;
	env->client_ip = client_ip;
	env->auth = t->login == NULL ? ENV_AUTH_NONE : ENV_AUTH_LOGIN;
	env->login = t->login;
	env->mail_from = t->mail_from;
	env->rcpt = (const char *const *)t->rcpt;
	env->rcpts = t->rcpts;
	env->now = (int64_t)time(NULL);
}
