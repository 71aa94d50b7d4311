/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a client may, by its network, its TLS and its certificate; and what is
 * therefore announced to it (T29).
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/session_int.h"
#include "relay/tls.h"
#include "util/log.h"
#include "util/ossl.h"

const struct tls_server *session_tls(const struct session *s)
{
	return tls_server_for(s->l->tls, s->who.ip);
}

/* match source NET { } decides before the listener. */
static enum client_cert wanted_cert(const struct session *s)
{
	const struct listener *l = s->l->l;
	const struct source_match *m = relay_match(l, s->who.ip);

	return m != NULL && m->client_cert >= 0 ?
	    (enum client_cert)m->client_cert : l->client_cert;
}

/* A pin without an address: nobody in particular, but welcome. */
static bool is_pinned(const struct session *s)
{
	const struct listener *l = s->l->l;
	size_t i;

	for (i = 0; i < l->pins; i++)
		if (l->pin[i].as == NULL && memcmp(l->pin[i].sha256,
		    s->facts->cert_sha256, 32) == 0)
			return true;
	return false;
}

void session_read_channel(struct session *s)
{
	const struct tls_facts *f = conn_tls(s->c);
	size_t i;

	s->facts = f;
	s->is_tls = f != NULL || s->tls == LISTEN_EXTERNAL;
	s->identities = 0;
	s->cert_relays = false;
	if (f != NULL && f->has_cert && f->cert_is_good) {
		for (i = 0; i < f->emails; i++)
			s->identity[s->identities++] = f->email[i];
		s->cert_relays = is_pinned(s);
	}
	auth_mechanisms(s->l->l, s->is_tls, s->identities > 0, s->mechanisms,
	    sizeof(s->mechanisms));
}

bool session_is_trusted(const struct session *s)
{
	return nets_have(s->l->l->trusted, s->l->l->trusteds, s->ip);
}

/* T25 */
static bool must_auth(const struct session *s)
{
	const struct listener *l = s->l->l;

	if (l->protocol != RELAY_SUBMISSION && l->auth.kind == AUTH_NONE)
		return false;
	return !session_is_trusted(s) && !s->cert_relays &&
	    s->identities == 0 && s->login[0] == '\0';
}

void session_channel(const struct session *s, struct smtp_server_channel *c)
{
	bool is_good = s->facts != NULL && s->facts->has_cert &&
	    s->facts->cert_is_good;

	memset(c, 0, sizeof(*c));
	c->is_tls = s->is_tls;
	/* T6. Before a STARTTLS that may come it is no use to say it. */
	c->is_weak = wanted_cert(s) == CLIENT_CERT_MUST && !is_good &&
	    (s->is_tls || s->tls == LISTEN_PLAIN);
	c->require_tls = s->l->l->require_tls && s->facts != NULL;
	c->auth_must = must_auth(s);
	c->mechanisms = s->mechanisms;
}

static bool is_mx_route(const struct session *s)
{
	const struct relay_route *r = relay_route(s->w->config,
	    s->l->l->route);

	return r != NULL && r->mx;
}

void session_setup(struct session *s, struct smtp_server_setup *setup)
{
	const struct listener *l = s->l->l;
	bool may_xclient = nets_have(l->xclient, l->xclients, s->who.ip);
	bool is_mta = l->protocol != RELAY_SUBMISSION;

	memset(setup, 0, sizeof(*setup));
	setup->name = s->w->config->hostname;
	setup->lmtp = l->protocol == RELAY_LMTP;
	setup->dsn = true;
	setup->max_size = l->max_message;
	setup->max_rcpts = (size_t)l->max_rcpts;
	/* who may use a unix socket, its mode says */
	setup->xforward = may_xclient ||
	    (is_mta && strcmp(s->who.ip, "unix") == 0);
	setup->relay = true;
	setup->starttls = s->tls == LISTEN_STARTTLS ||
	    s->tls == LISTEN_STARTTLS_MUST;
	setup->starttls_must = setup->starttls &&
	    (s->tls == LISTEN_STARTTLS_MUST ||
	    wanted_cert(s) == CLIENT_CERT_MUST);
	setup->starttls_away = setup->starttls &&
	    session_tls(s) == NULL;
	setup->require_tls_known = l->require_tls;
	setup->auth = l->auth.kind != AUTH_NONE;
	setup->qualified = !is_mta;
	setup->xclient = may_xclient;
	setup->one_domain = l->protocol == RELAY_SMTP && is_mx_route(s);
	session_channel(s, &setup->channel);
}

void session_on_xclient(struct session *s)
{
	const struct smtp_xclient *x = smtp_server_xclient(s->s);
	const char *ip = x->addr;
	char line[1000];
	size_t n;

	if (strncasecmp(ip, "IPv6:", 5) == 0)
		ip += 5;
	text_set(s->ip, sizeof(s->ip), *ip == '\0' ? s->who.ip : ip);
	/* who connected is authenticated no more, not by a certificate
	 * either, but whom it speaks for may be */
	s->identities = 0;
	s->cert_relays = false;
	auth_mechanisms(s->l->l, s->is_tls, false, s->mechanisms,
	    sizeof(s->mechanisms));
	text_set(s->login, sizeof(s->login), s->l->l->xclient_login ?
	    x->login : "");
	smtp_server_demand_auth(s->s, must_auth(s));
	n = log_value(line, sizeof(line), 0, "by", s->who.ip);
	n = log_value(line, sizeof(line), n, "client", s->ip);
	(void)log_value(line, sizeof(line), n, "login", x->login);
	log_info("event=xclient id=%s %s", s->who.id, line);
}

void session_log_tls(const struct session *s)
{
	const struct tls_facts *f = s->facts;
	char line[2000], hex[65];
	size_t n;

	if (f == NULL)
		return;
	relay_stats_add(s->w->stats, COUNT_TLS_IN);
	if (f->is_resumed)
		relay_stats_add(s->w->stats, COUNT_TLS_IN_RESUMED);
	n = log_value(line, sizeof(line), 0, "client", s->ip);
	n = log_value(line, sizeof(line), n, "version", f->version);
	n = log_value(line, sizeof(line), n, "cipher", f->cipher);
	if (f->sni[0] != '\0')
		n = log_value(line, sizeof(line), n, "sni", f->sni);
	if (f->has_cert) {
		n = log_value(line, sizeof(line), n, "subject", f->subject);
		n = log_value(line, sizeof(line), n, "certificate",
		    f->cert_is_good ? "good" : f->cert_error);
		n = log_value(line, sizeof(line), n, "sha256",
		    hex_encode(hex, f->cert_sha256, 32));
	}
	log_info("event=tls id=%s %s resumed=%s", s->who.id, line,
	    f->is_resumed ? "yes" : "no");
}
