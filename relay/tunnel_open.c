/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The way of a tunnel to its backend: a connection or a program, the PROXY
 * header before anything, TLS where it must be, STARTTLS and XCLIENT. What
 * fails here fails the tunnel; there is no other way in clear.
 */
#include "relay/tunnel_int.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "relay/exec.h"
#include "util/log.h"

static int start_program(struct tunnel *t, struct err *e)
{
	const struct tls_facts *f = conn_tls(t->client.c);
	struct buf env;
	int fd = -1, rc;

	buf_init(&env, EXEC_ENVIRONMENT);
	dial_environment(&env, &t->who, f);
	rc = buf_ok(&env, e) != 0 ? -1 :
	    exec_start(t->w->exec, t->l->l, buf_view(&env), &fd, e);
	buf_free(&env);
	return rc != 0 ? -1 :
	    conn_new(&t->server.c, t->w->base, fd, &t->server.use, e);
}

static int start_connection(struct tunnel *t, struct err *e)
{
	struct sockaddr_storage sa;
	socklen_t n;

	if (dial_address(t->l->l->backend.where, &sa, &n, e) != 0)
		return -1;
	return conn_connect(&t->server.c, t->w->base,
	    (const struct sockaddr *)&sa, n, &t->server.use, e);
}

int tunnel_dial(struct tunnel *t)
{
	bool is_program = t->l->l->backend.argv != NULL;
	struct err e;

	t->state = TUNNEL_DIAL;
	t->server.is_ready = t->server.has_ended = t->server.was_told = false;
	t->server.is_paused = false;
	dial_free(&t->dial);
	dial_init(&t->dial, t->l->l, &t->who, t->w->config->hostname);
	tunnel_deadline(t, TUNNEL_DIAL_MS);
	if ((is_program ? start_program(t, &e) :
	    start_connection(t, &e)) != 0) {
		tunnel_fail(t, "backend", e.msg);
		return -1;
	}
	if (is_program)
		t->server.is_ready = true;
	return 0;
}

static int begin_tls(struct tunnel *t)
{
	struct tls_want want;
	struct err e;

	if (dial_want(&want, t->l->l, &e) == 0 &&
	    conn_tls_client(t->server.c, t->w->tls, &want, &e) == 0)
		return 0;
	tunnel_fail(t, "backend-tls", e.msg);
	return -1;
}

static int local_port(const struct conn *c)
{
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (getsockname(conn_fd(c), (struct sockaddr *)&sa, &n) != 0)
		return 0;
	memcpy(&in, &sa, sizeof(in));
	memcpy(&in6, &sa, sizeof(in6));
	return sa.ss_family == AF_INET ? ntohs(in.sin_port) :
	    sa.ss_family == AF_INET6 ? ntohs(in6.sin6_port) : 0;
}

void tunnel_reached(struct tunnel *t)
{
	struct buf header;

	t->local_port = local_port(t->server.c);
	buf_init(&header, 600);
	dial_proxy(&header, &t->l->l->backend, &t->who,
	    conn_tls(t->client.c));
	if (header.n > 0)
		conn_write(t->server.c, buf_view(&header));
	buf_free(&header);
	if (t->l->l->backend.tls && t->l->l->backend.implicit) {
		if (begin_tls(t) != 0)
			return;
	} else
		t->server.is_ready = true;
	tunnel_go_on(t);
}

void tunnel_secured(struct tunnel *t)
{
	struct buf out;

	t->server.is_ready = true;
	if (t->dial.state == DIAL_STARTTLS) {
		buf_init(&out, DIAL_REPLY);
		(void)dial_tls(&t->dial, &out);
		conn_write(t->server.c, buf_view(&out));
		buf_free(&out);
	}
	tunnel_go_on(t);
}

/* A daemon that logs only the port that we came from can be understood. */
void tunnel_log(struct tunnel *t)
{
	const struct tls_got *got = conn_tls_got(t->server.c);
	const struct tls_facts *f = conn_tls(t->client.c);
	char line[1200];
	size_t n = 0;

	if (t->is_logged)
		return;
	t->is_logged = true;
	relay_stats_add(t->w->stats, COUNT_TUNNELS);
	n = log_value(line, sizeof(line), n, "listen", t->l->l->name);
	n = log_value(line, sizeof(line), n, "peer", t->who.ip);
	n = log_value(line, sizeof(line), n, "tls", t->peer_tls[0] != '\0' ?
	    t->peer_tls : t->who.proxy_tls ? "external" : "none");
	n = log_value(line, sizeof(line), n, "backend-tls",
	    got != NULL && got->is_tls ? got->version : "none");
	if (f != NULL && f->has_cert)
		(void)log_value(line, sizeof(line), n, f->cert_is_good ?
		    "client-cert" : "client-cert-not-trusted", f->subject);
	log_info("event=tunnel sid=%s %s port=%d backend-local-port=%d",
	    t->who.id, line, t->who.port, t->local_port);
}

static enum tunnel_next ready(struct tunnel *t)
{
	if (t->tls == LISTEN_PLAIN || t->tls == LISTEN_EXTERNAL ||
	    t->peer_tls[0] != '\0')
		tunnel_log(t);
	if (t->has_gate) {
		t->state = TUNNEL_GATE;
	} else {
		t->state = TUNNEL_OPEN;
		conn_write(t->client.c, buf_view(&t->dial.greeting));
		dial_free(&t->dial);
	}
	tunnel_deadline(t, tunnel_idle_ms(t));
	return TUNNEL_AGAIN;
}

enum tunnel_next tunnel_step_dial(struct tunnel *t)
{
	enum dial_step step;
	struct buf out;
	struct err e;
	size_t used;

	if (!t->server.is_ready)
		return TUNNEL_WAITS;
	if (!dial_is_needed(&t->dial))
		return ready(t);
	buf_init(&out, DIAL_REPLY);
	step = dial_server(&t->dial, conn_input(t->server.c), &used, &out,
	    &e);
	conn_used(t->server.c, used);
	if (out.n > 0)
		conn_write(t->server.c, buf_view(&out));
	buf_free(&out);
	switch (step) {
	case DIAL_DONE:
		return ready(t);
	case DIAL_TLS:
		t->server.is_ready = false;
		return begin_tls(t) == 0 ? TUNNEL_WAITS : TUNNEL_GONE;
	case DIAL_FAILED:
		tunnel_fail(t, "backend", e.msg);
		return TUNNEL_GONE;
	case DIAL_MORE:
		break;
	}
	if (used > 0)
		return TUNNEL_AGAIN;
	if (!t->server.has_ended)
		return TUNNEL_WAITS;
	tunnel_fail(t, "backend", "it ended before it was ready");
	return TUNNEL_GONE;
}
