/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * AUTH (RFC 4954): the exchange and its encoding; who somebody is, others
 * say. What a client answered is wiped as soon as it was judged.
 */
#include <string.h>
#include <strings.h>

#include "smtp/base64.h"
#include "smtp/server_int.h"

#define AUTH_FAULTS 3 /* T23: not dropped before; RELAY 7.4 */

static void wipe_response(struct smtp_server *s)
{
	buf_clear(&s->response);
	s->auth.response = view_make(NULL, 0);
}

void server_auth_forget(struct smtp_server *s)
{
	wipe_response(s);
	memset(&s->auth, 0, sizeof(s->auth));
	s->mechanism[0] = '\0';
}

/* Is it one of the words that are offered? Then it is in s->mechanism. */
static bool take_mechanism(struct smtp_server *s, const char *word)
{
	const char *p = s->channel.mechanisms;
	size_t n;

	for (; p != NULL && *p != '\0'; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (strlen(word) != n || strncasecmp(word, p, n) != 0)
			continue;
		return view_cstr(view_make(p, n), s->mechanism,
		    sizeof(s->mechanism)) == 0;
	}
	return false;
}

/* Ask about what the client said; NULL: nothing yet. */
static void ask(struct smtp_server *s, const char *text)
{
	wipe_response(s);
	if (text != NULL && base64_decode(&s->response, view_of(text)) != 0) {
		wipe_response(s);
		s->state = SERVER_COMMANDS;
		server_refuse(s, 501, "5.5.2", "This is not base64 (RFC 4954 "
		    "4)");
		return;
	}
	s->auth.mechanism = s->mechanism;
	if (text != NULL)
		s->auth.response = s->response.n > 0 ? buf_view(&s->response) :
		    view_make("", 0);
	server_event(s, SMTP_AUTH, SERVER_AUTH_ASKED);
}

/* Why not now; true: it was said. */
static bool is_refused(struct smtp_server *s)
{
	const char *m = s->channel.mechanisms;

	if (m == NULL || *m == '\0') {
		/* T19, T20: nobody looked at what stood behind it */
		if (s->setup.starttls && !s->channel.is_tls)
			server_refuse(s, 530, "5.7.0",
			    "Must issue a STARTTLS command first");
		else
			server_refuse(s, 503, "5.5.1",
			    "Authentication is not enabled");
	} else if (!s->is_esmtp || s->mail.from != NULL) {
		server_refuse_order(s);
	} else if (s->is_authenticated) {
		server_refuse(s, 503, "5.5.1", "Already authenticated");
	} else {
		return false;
	}
	return true;
}

void server_on_auth(struct smtp_server *s, const char *arg)
{
	char word[sizeof(s->mechanism)];

	if (is_refused(s))
		return;
	if (*arg == '\0') {
		server_refuse_syntax(s);
		return;
	}
	if (!server_next_word(&arg, word, sizeof(word)) ||
	    !take_mechanism(s, word)) {
		server_refuse(s, 504, "5.5.4", "Mechanism not known");
		return;
	}
	s->auth.is_first = true;
	if (*arg == '\0')
		ask(s, NULL);
	else
		ask(s, strcmp(arg, "=") == 0 ? "" : arg);
}

void server_auth_line(struct smtp_server *s, const char *line)
{
	s->auth.is_first = false;
	s->idle--; /* the exchange ends, with or without a fault */
	if (strcmp(line, "*") != 0) {
		ask(s, line);
		return;
	}
	server_auth_forget(s);
	s->state = SERVER_COMMANDS;
	server_refuse(s, 501, "5.7.0", "Authentication aborted");
}

void smtp_server_challenge(struct smtp_server *s, struct view decoded)
{
	struct buf text;

	if (s->state != SERVER_AUTH_ASKED)
		return;
	wipe_response(s);
	buf_init(&text, SERVER_AUTH_LINE);
	base64_encode(&text, decoded);
	if (text.failed)
		server_close(s, 421, "4.3.0", "Out of memory");
	else {
		buf_printf(&s->out, "334 %s\r\n", buf_str(&text));
		s->state = SERVER_AUTH;
	}
	buf_free(&text);
}

void server_auth_answer(struct smtp_server *s, int code,
    const char *enhanced, const char *text)
{
	server_auth_forget(s);
	s->state = SERVER_COMMANDS;
	s->is_authenticated = code / 100 == 2;
	server_reply(s, code, enhanced, text);
	if (code == 535 && ++s->auth_faults >= AUTH_FAULTS)
		server_close(s, 421, "4.7.0", "Too many failures of "
		    "authentication");
}

const struct smtp_server_auth *smtp_server_auth(const struct smtp_server *s)
{
	return &s->auth;
}
