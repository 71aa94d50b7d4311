/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * AUTH: what the engine read goes to the auth process, what that says comes
 * back when its time has come; and as whom the one who came in may send.
 */
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "relay/session_int.h"
#include "util/log.h"

#define CHALLENGE_MAX 8192

static const struct {
	const char *word;
	int code;
	const char *enhanced, *text;
	enum relay_count count;
} verdict[] = {
	[AUTH_YES] = { "yes", 235, "2.7.0", "Authentication successful",
	    COUNT_AUTH_YES },
	[AUTH_NO] = { "no", 535, "5.7.8", "Authentication credentials "
	    "invalid", COUNT_AUTH_NO },
	[AUTH_MALFORMED] = { "malformed", 501, "5.5.2", "The mechanism has "
	    "another form", COUNT_AUTH_NO },
	[AUTH_LATER] = { "later", 454, "4.7.0", "Temporary authentication "
	    "failure", RELAY_COUNTS },
	[AUTH_THROTTLED] = { "throttled", 454, "4.7.0", "Too many failures, "
	    "come again later", COUNT_AUTH_THROTTLED },
};

void session_auth_free(struct session *s)
{
	auth_free(&s->talk);
	if (s->delay != NULL)
		event_free(s->delay);
	s->delay = NULL;
	buf_free(&s->challenge);
}

static void log_verdict(const struct session *s, const char *mechanism)
{
	char line[1000];
	size_t n;

	n = log_value(line, sizeof(line), 0, "listen", s->l->l->name);
	n = log_value(line, sizeof(line), n, "client", s->ip);
	n = log_value(line, sizeof(line), n, "mechanism", mechanism);
	n = log_value(line, sizeof(line), n, "result",
	    verdict[s->verdict.result].word);
	if (s->verdict.result == AUTH_YES)
		(void)log_value(line, sizeof(line), n, "login", s->login);
	log_info("event=auth id=%s %s", s->who.id, line);
}

/* Its time has come. */
static void pass_on(struct session *s)
{
	enum auth_result r = s->verdict.result;

	if (r == AUTH_CHALLENGE) {
		smtp_server_challenge(s->s, buf_view(&s->challenge));
		buf_free(&s->challenge);
		session_pump(s);
		return;
	}
	auth_free(&s->talk);
	if (r == AUTH_YES)
		text_set(s->login, sizeof(s->login), s->verdict.login);
	log_verdict(s, smtp_server_auth(s->s)->mechanism);
	if (verdict[r].count < RELAY_COUNTS)
		relay_stats_add(s->w->stats, verdict[r].count);
	smtp_server_answer(s->s, verdict[r].code, verdict[r].enhanced,
	    verdict[r].text);
	session_pump(s);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pass_on(arg);
}

static int wait_for(struct session *s, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (s->delay == NULL)
		s->delay = evtimer_new(s->w->base, on_time, s);
	return s->delay == NULL ? -1 : evtimer_add(s->delay, &tv);
}

static void on_done(void *arg, const struct auth_reply *r)
{
	struct session *s = arg;

	s->verdict = *r;
	s->verdict.text = view_make(NULL, 0);
	buf_free(&s->challenge);
	buf_init_secret(&s->challenge, CHALLENGE_MAX);
	buf_putv(&s->challenge, r->text);
	if (s->challenge.failed)
		s->verdict.result = AUTH_LATER;
	if (r->delay_ms <= 0 || wait_for(s, r->delay_ms) != 0)
		pass_on(s);
}

/* There was no question: what the auth process would have said. */
static void refuse(struct session *s, const struct err *e)
{
	if (e->kind == FAIL_POLICY)
		smtp_server_answer(s->s, 504, "5.5.4", "Mechanism not known");
	else
		smtp_server_answer(s->s, 454, "4.7.0",
		    "Temporary authentication failure");
}

void session_on_auth(struct session *s)
{
	const struct smtp_server_auth *a = smtp_server_auth(s->s);
	const struct auth_who who = {
		.listener = s->l->l,
		.client_ip = s->ip,
		.local_ip = s->who.local_ip,
		.is_tls = s->is_tls,
		.cert_identity = s->identity,
		.cert_identities = s->identities
	};
	struct err e = { 0 };

	if (!a->is_first && s->talk != NULL) {
		auth_go_on(s->talk, a->response);
		return;
	}
	auth_free(&s->talk);
	if (auth_begin(&s->talk, s->w->auth, &who, a->mechanism, a->response,
	    on_done, s, &e) != 0)
		refuse(s, &e);
}

bool session_may_send(const struct session *s, const char *path)
{
	char from[1024];
	size_t n = strlen(path);

	if (n <= 2) /* RFC 6409 3.2: the null sender is nobody's */
		return true;
	if (s->l->l->auth.any_sender ||
	    (s->login[0] == '\0' && s->identities == 0))
		return true; /* nobody had to say who he is */
	if (s->l->l->protocol != RELAY_SUBMISSION &&
	    s->l->l->auth.kind == AUTH_NONE)
		return true; /* MTAs send for everybody */
	/* what came in without a name may send as anybody, with one too */
	if (s->login[0] == '\0' && (s->cert_relays || session_is_trusted(s)))
		return true;
	if (s->l->senders == NULL || n - 2 >= sizeof(from) ||
	    view_cstr(view_make(path + 1, n - 2), from, sizeof(from)) != 0)
		return false;
	return auth_may_send(s->l->senders, s->login, s->identity,
	    s->identities, from);
}
