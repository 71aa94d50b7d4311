/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Counters in memory that all processes of the relay share, and their
 * Prometheus text. Any process, any thread.
 */
#ifndef RELAY_STATS_H
#define RELAY_STATS_H

#include "smtp/tls_policy.h"
#include "util/buf.h"

enum relay_count {
	COUNT_CONNECTIONS,	/* accepted */
	COUNT_CONNECTIONS_REFUSED, /* limits, networks */
	COUNT_MESSAGES_IN,	/* whole messages of clients */
	COUNT_RCPT_SENT,	/* recipients that a next hop took */
	COUNT_RCPT_DEFERRED,
	COUNT_RCPT_REFUSED,
	COUNT_RCPT_UNKNOWN,	/* RFC 1047 */
	COUNT_LEDGER_HITS,
	COUNT_ORPHANS,		/* taken, but the client was gone */
	COUNT_AUTH_YES,
	COUNT_AUTH_NO,
	COUNT_AUTH_THROTTLED,
	COUNT_HOP_CONNECTIONS,
	COUNT_HOP_REUSED,
	COUNT_HOP_FAILED,
	COUNT_STARTTLS_UNUSED,	/* offered by a hop, not asked for */
	COUNT_TLS_IN,		/* handshakes of clients */
	COUNT_TLS_IN_FAILED,
	COUNT_TLS_IN_RESUMED,
	COUNT_ALERTS_SENT,
	COUNT_ALERTS_RECEIVED,
	COUNT_TUNNELS,
	COUNT_POLICY_QUESTIONS,
	COUNT_POLICY_FAILURES,	/* refused by policy */
	COUNT_WORKER_DEATHS,
	COUNT_RELOADS,
	RELAY_COUNTS
};

struct relay_stats;
/* Before the fork. FAIL_TEMP. */
int relay_stats_new(struct relay_stats **out, struct err *e) MUST_CHECK;
void relay_stats_add(struct relay_stats *s, enum relay_count c);
uint64_t relay_stats_get(const struct relay_stats *s, enum relay_count c);
/* A hop's TLS, by level asked and result word; partner is the next hop's
 * domain (the first 256 of them are counted one by one, the rest as
 * "other"). */
void relay_stats_hop(struct relay_stats *s, const char *partner,
    const struct tls_want *w, const struct tls_got *g);
/* What a policy of MTA-STS that is only tested would have said. */
void relay_stats_tested(struct relay_stats *s, const char *partner,
    const char *result);
/* A certificate's end, by the name of its pki; 0: it is used no more. */
void relay_stats_cert(struct relay_stats *s, const char *pki,
    int64_t not_after);
void relay_stats_print(const struct relay_stats *s, struct buf *out);

#endif
