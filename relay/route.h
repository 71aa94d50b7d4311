/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Where mail for a recipient goes and what TLS each host must show: asked by
 * workers, found by the policy process (relay/engine.h).
 */
#ifndef RELAY_ROUTE_H
#define RELAY_ROUTE_H

#include <sys/socket.h>

#include "relay/ask.h"
#include "relay/config.h"

#define ROUTE_HOSTS 20 /* addresses tried for one destination */

struct route_host {
	char name[TLS_NAME_MAX]; /* of the MX or host, for logs */
	char original[TLS_NAME_MAX]; /* before CNAMEs (T48); "" the same */
	struct sockaddr_storage sa; /* with port; AF_UNIX too */
	socklen_t sa_len;
	struct tls_want want;
	/* may not be used, and why (bogus TLSA, not named by the STS policy);
	 * in words of struct tls_got.result */
	bool is_barred;
	char barred_result[40], barred_reason[300];
};

struct route {
	/* what no host was found for: */
	int code; /* 0: go; else the answer: 451, 550, 556 */
	char enhanced[12], text[400];
	/* else: */
	char nexthop[TLS_NAME_MAX]; /* "example.com", "[host]:port" */
	char name[RELAY_NAME];	    /* of the route { } */
	bool lmtp, xclient;
	bool sts_testing; /* a failure is only reported */
	int concurrency;
	int64_t rest_ms;
	struct route_host *host; /* in the order of trying; owned */
	size_t hosts;
};
void route_free(struct route **r);

/* What is asked. */
struct route_query {
	const char *route; /* name of a route { } */
	const char *rcpt;  /* "bob@b.example", without brackets */
	const char *from;  /* "" for the null sender */
	bool require_tls;  /* REQUIRETLS (RFC 8689) */
	bool tls_optional; /* TLS-Required: No (RFC 8689 4.2) */
	bool verified;	   /* the hop must be verified (encrypt or tls) */
};

/* route is the callee's to free. Failures of the process itself come as a
 * route with code 451 4.3.5. */
typedef void route_done(void *arg, struct route *take_route);
struct routes;
struct relay_stats;
/* c: answers are kept for a moment (relay/kept.h), NULL: they are not. stats:
 * questions that go to the policy process count there; or NULL. FAIL_TEMP. */
int routes_new(struct routes **out, struct ask *policy,
    const struct relay_config *c, struct relay_stats *stats, struct err *e)
    MUST_CHECK;
void routes_free(struct routes **r);
/* 0: no memory, and done is never called. */
uint32_t routes_ask(struct routes *r, const struct route_query *q,
    route_done *done, void *arg);
void routes_cancel(struct routes *r, uint32_t number);
/* A hop tells what it saw, for announcements (a pin that changed, a
 * certificate that ends soon) and the store of results; no answer. */
void routes_tell(struct routes *r, const struct route *to,
    const struct route_host *h, const struct tls_got *got);

/* How questions and answers travel; also for tests. */
int route_query_put(struct buf *b, const struct route_query *q);
int route_put(struct buf *b, const struct route *r);
int route_get(struct route **out, struct view v, struct err *e) MUST_CHECK;
/* A route that is an answer: 451, 550, 556. text may hold anything. */
struct route *route_answer(int code, const char *enhanced, const char *text);

/* What comes to the policy process. */
#define ROUTE_ADDRESS 1024
struct route_asked {
	char route[RELAY_NAME], rcpt[ROUTE_ADDRESS], from[ROUTE_ADDRESS];
	struct route_query q; /* its strings are those above */
};
struct route_seen {
	char route[RELAY_NAME], nexthop[TLS_NAME_MAX];
	char host[TLS_NAME_MAX], because[256];
	enum tls_level asked;
	bool has_pins;
	struct tls_got got;
};
enum route_message { ROUTE_QUERY, ROUTE_SEEN };
int route_seen_put(struct buf *b, const struct route *to,
    const struct route_host *h, const struct tls_got *got);
/* One of both is filled; neither is ever NULL. */
int route_message_get(enum route_message *kind, struct route_asked *asked,
    struct route_seen *seen, struct view v, struct err *e) MUST_CHECK;

#endif
