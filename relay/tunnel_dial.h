/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The backend's side of a tunnel before it carries octets: its address, what
 * TLS it must show, STLS or STARTTLS with it, XCLIENT, the environment of a
 * program. Pure, but for the struct sockaddr.
 */
#ifndef RELAY_TUNNEL_DIAL_H
#define RELAY_TUNNEL_DIAL_H

#include <sys/socket.h>

#include "relay/config.h"
#include "relay/tls.h"
#include "relay/worker.h"

#define DIAL_LINE 2048	/* octets of a line of the backend */
#define DIAL_LINES 40	/* in one answer */
#define DIAL_REPLY 16384

/* "127.0.0.1:110", "[::1]:110", "unix:/PATH". Names are not looked up here.
 * FAIL_CONFIG. */
int dial_address(const char *where, struct sockaddr_storage *sa,
    socklen_t *n, struct err *e) MUST_CHECK;

/* What b must show. FAIL_CONFIG. */
int dial_want(struct tls_want *w, const struct listener *l, struct err *e)
    MUST_CHECK;

/* The header of the PROXY protocol, if b wants one; appended. */
void dial_proxy(struct buf *out, const struct backend *b,
    const struct client *who, const struct tls_facts *tls);

enum dial_state {
	DIAL_GREETING, /* it is waited for */
	DIAL_EHLO,
	DIAL_STARTTLS,
	DIAL_XCLIENT,
	DIAL_READY
};
enum dial_step {
	DIAL_MORE,  /* send, and wait for more */
	DIAL_TLS,   /* send nothing, begin TLS; dial_tls() */
	DIAL_DONE,  /* dial.greeting is for the client, if there is one */
	DIAL_FAILED /* e says why */
};
struct dial {
	const struct listener *l;
	const struct client *who;
	const char *hostname;
	enum dial_state state;
	bool starttls, xclient; /* still to be done */
	bool has_starttls, has_xclient; /* the last EHLO offers it */
	char attributes[200]; /* of XCLIENT that it knows */
	struct buf reply; /* of lines that are not whole an answer yet */
	size_t lines;
	/* What the client is greeted with: nothing of it was said in clear
	 * before TLS. Empty: the backend's own greeting is still to come. */
	struct buf greeting;
};
/* l, who and hostname are borrowed. */
void dial_init(struct dial *d, const struct listener *l,
    const struct client *who, const char *hostname);
void dial_free(struct dial *d);
/* Is there anything to be said before it carries octets? */
bool dial_is_needed(const struct dial *d);
/* What the backend sent: at most one line is used; to_server is appended. */
enum dial_step dial_server(struct dial *d, struct view in, size_t *used,
    struct buf *to_server, struct err *e);
/* TLS is there by STARTTLS; what is to be said next. */
enum dial_step dial_tls(struct dial *d, struct buf *to_server);

/* NAME=VALUE, each ending in NUL, for a program: UCSPI and what ucspi-ssl and
 * stunnel added. Values are cleaned: printable ASCII, at most 255 octets. */
void dial_environment(struct buf *out, const struct client *who,
    const struct tls_facts *tls);

#endif
