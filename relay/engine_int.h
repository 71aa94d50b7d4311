/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One question while it is worked on, and the parts of the engine.
 */
#ifndef RELAY_ENGINE_INT_H
#define RELAY_ENGINE_INT_H

#include <pthread.h>

#include "fetch/dns.h"
#include "fetch/sts.h"
#include "relay/engine.h"
#include "util/addr.h"

#define SEEK_MXS 50	  /* beyond: left out */
#define SEEK_ADDRESSES 20 /* of one host, both families together */
#define SEEK_MS 60000	  /* for all questions of one route */

/* What the world answers; tests bring their own. */
struct engine_world {
	struct dns dns;
	int64_t (*now)(void *arg); /* as struct sts_setup has them */
	int (*fetch)(void *arg, const char *domain, struct buf *text,
	    struct err *e);
	void *arg;
};
int engine_new_in(struct engine **out, const struct relay_config *c,
    const struct engine_world *w, struct err *e) MUST_CHECK;

/* An address that listeners of ours have. */
struct own_address {
	char ip[64];
	int port;
};

struct answers;
struct announcer;
struct engine {
	const struct relay_config *c;
	struct dns dns;
	struct dns_resolver *resolver; /* NULL: the world is another's */
	struct sts *sts;
	struct own_address *own;
	size_t owns;
	struct answers *answers;
	struct announcer *announcer;
	/* the thread that does what takes long */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t keeper;
	bool has_keeper, is_ending;
};

struct seek_mx {
	unsigned preference;
	uint32_t dice; /* among equals (RFC 5321 5.1) */
	char name[DNS_NAME];
};

struct seek {
	struct engine *g;
	const struct route_query *q;
	struct buf *story; /* NULL: nobody listens */
	bool is_map; /* for an MTA that connects by itself */
	const struct relay_route *way;
	struct addr rcpt;
	int64_t deadline;
	int64_t ttl_s;

	/* by configuration alone */
	char nexthop[TLS_NAME_MAX]; /* "example.com", "[host]" for rules */
	char name[TLS_NAME_MAX]; /* of the next hop, without brackets; "" */
	int port;
	bool is_bracketed, is_literal;
	const struct tls_rule *rule; /* NULL: there is no line */
	enum tls_level level;	     /* of it, or of the route */
	bool try_dane, try_sts;
	char pki[64], because[256];

	/* of the DNS */
	bool mx_secure;
	bool from_dns; /* names of hosts are the DNS's word */
	char expanded[DNS_NAME]; /* next hop after CNAMEs, secure; "" */
	struct seek_mx mx[SEEK_MXS];
	size_t mxs;
	bool has_sts;
	struct sts_policy sts;

	struct route *r;
	/* why a host is barred, the first time: what is answered if all are */
	int bar_code;
	char bar_enhanced[12];
	char bar_text[300];
};

/* Sentences for the story: key TAB value. */
void seek_tell(struct seek *p, const char *key, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
/* The answer is this one, not a way. */
void seek_answer(struct seek *p, int code, const char *enhanced,
    const char *fmt, ...) PRINTF_LIKE(4, 5);
void seek_ttl(struct seek *p, const struct dns_answer *a);
/* Ask, and let the answer shorten how long the plan holds. */
void seek_ask(struct seek *p, const char *name, enum dns_type type,
    struct dns_answer *out);

/* Route, next hop and line: no question is asked. -1: there is an answer. */
int seek_begin(struct seek *p);
/* The same for a next hop as an MTA has it: "example.com", "[host]:587". */
int seek_begin_map(struct seek *p, const char *nexthop,
    const struct relay_route *way);
/* MX, hosts, addresses and what each must show. */
void seek_find(struct seek *p);
void seek_free(struct seek *p);

/* ---- a host ---- */

struct seek_host {
	char name[DNS_NAME];
	enum dns_state state; /* of its addresses: all of them */
	char canonical[DNS_NAME]; /* after CNAMEs; "" none that is usable */
	bool is_alias;
	char why[200];
	struct sockaddr_storage sa[SEEK_ADDRESSES];
	socklen_t sa_len[SEEK_ADDRESSES];
	size_t n;
	bool is_own;	 /* of a listener of ours */
	bool is_private; /* some are not public, and left out */
};
/* Addresses of a name. */
void seek_resolve(struct seek *p, const char *name, struct seek_host *h);
/* Of a literal or of h: checked; *h has only those that may be used. */
void seek_check_addresses(struct seek *p, struct seek_host *h);

/* What was found out about one host and TLS. */
enum dane_outcome {
	DANE_NONE,     /* no TLSA, or nothing that is secure */
	DANE_USABLE,   /* authentication is a must */
	DANE_UNUSABLE, /* TLS is a must */
	DANE_ERROR     /* not known: the host may not be used */
};
enum dane_outcome seek_dane(struct seek *p, const struct seek_host *h,
    struct tls_want *w, char why[300]);

/* w for h; -1: it is barred, and out says why. */
int seek_want(struct seek *p, const struct seek_host *h,
    struct route_host *out);
/* Add it to the route: once for each address, or barred. */
void seek_add(struct seek *p, const struct seek_host *h);
struct seek_bar {
	const char *result; /* as struct tls_got has it */
	int code;
	const char *enhanced;
};
int seek_bar(struct seek *p, struct route_host *out,
    const struct seek_bar *b, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* ---- answers that are kept ---- */

int answers_new(struct answers **out, struct err *e) MUST_CHECK;
void answers_free(struct answers **a);
/* Routes by a key, made once for all who ask meanwhile. make: appends the
 * answer, and how long it holds. */
typedef int64_t answers_make(void *arg, struct buf *reply);
int answers_get(struct answers *a, const unsigned char key[32],
    answers_make *make, void *arg, struct buf *reply) MUST_CHECK;

/* ---- announcements (relay/announce.c) ---- */

int announcer_new(struct announcer **out, const struct relay_config *c,
    struct err *e) MUST_CHECK;
void announcer_free(struct announcer **a);
void announcer_seen(struct announcer *a, const struct route_seen *seen,
    int64_t now);
void announcer_sts(struct announcer *a, const char *domain,
    enum sts_mode was, enum sts_mode is, int64_t now);
/* Send what waits; may take half a minute. */
void announcer_send(struct announcer *a);

#endif
