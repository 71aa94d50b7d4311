/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The counters and their text. What is counted is decided by the callers.
 */
#include "relay/stats.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define PARTNERS 256
#define RESULTS 24 /* result words of one partner, with the level asked */
#define CERTS 64

struct partner_result {
	char asked[16], got[16], result[40];
	atomic_uint_fast64_t n;
};

struct partner {
	char name[TLS_NAME_MAX];
	struct partner_result result[RESULTS];
	atomic_uint results; /* written before it grows */
};

struct cert_end {
	char name[72];
	atomic_int_fast64_t not_after;
};

struct relay_stats {
	atomic_uint_fast64_t count[RELAY_COUNTS];
	atomic_flag is_adding; /* a name; see lock() */
	struct partner partner[PARTNERS + 1]; /* the last: other */
	atomic_uint partners;
	struct cert_end cert[CERTS];
	atomic_uint certs;
};

static const struct {
	const char *name, *help;
} counts[RELAY_COUNTS] = {
	{ "connections_total", "Connections of clients" },
	{ "connections_refused_total", "Connections refused by limits and "
	    "networks" },
	{ "messages_in_total", "Whole messages of clients" },
	{ "recipients_sent_total", "Recipients that a next hop took" },
	{ "recipients_deferred_total", "Recipients answered 4xx" },
	{ "recipients_refused_total", "Recipients answered 5xx" },
	{ "recipients_unknown_total", "Recipients whose next hop gave no "
	    "answer to the whole message" },
	{ "ledger_hits_total", "Recipients answered from the ledger" },
	{ "orphans_total", "Recipients taken while the client was gone" },
	{ "auth_yes_total", "Logins" },
	{ "auth_no_total", "Logins refused" },
	{ "auth_throttled_total", "Logins refused unseen, too many failures" },
	{ "hop_connections_total", "Connections to next hops" },
	{ "hop_reused_total", "Transactions on a kept connection" },
	{ "hop_failed_total", "Connections to next hops that failed" },
	{ "starttls_unused_total", "Next hops whose STARTTLS no rule wants" },
	{ "tls_in_total", "TLS handshakes of clients" },
	{ "tls_in_failed_total", "TLS handshakes of clients that failed" },
	{ "tls_in_resumed_total", "TLS handshakes of clients that resumed" },
	{ "alerts_sent_total", "TLS alerts sent" },
	{ "alerts_received_total", "TLS alerts received" },
	{ "tunnels_total", "Tunnels opened" },
	{ "policy_questions_total", "Questions to the policy process" },
	{ "policy_failures_total", "Recipients refused by TLS policy" },
	{ "worker_deaths_total", "Workers that died" },
	{ "reloads_total", "Configuration read anew" },
};

int relay_stats_new(struct relay_stats **out, struct err *e)
{
	struct relay_stats *s;

	*out = NULL;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return err_sys(e, FAIL_TEMP, "memory for counters");
	text_set(s->partner[PARTNERS].name, TLS_NAME_MAX, "other");
	*out = s;
	return 0;
}

/* No mutex, which a worker in wrong hands could keep, and whose list leads
 * into the memory of the others. Who holds this too long loses it; a name may
 * then be there twice. */
static void lock(struct relay_stats *s)
{
	int tries = 1000;

	while (atomic_flag_test_and_set(&s->is_adding) && --tries > 0)
		(void)sched_yield();
}

static void unlock(struct relay_stats *s)
{
	atomic_flag_clear(&s->is_adding);
}

/* How many there are; more than there can be is the word of somebody who has
 * no business here. */
static unsigned counted(const atomic_uint *n, unsigned most)
{
	unsigned k = atomic_load(n);

	return k < most ? k : most;
}

static bool is_name(const char *have, const char *name, size_t size)
{
	return strncmp(have, name, size) == 0;
}

static void add(atomic_uint_fast64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

void relay_stats_add(struct relay_stats *s, enum relay_count c)
{
	add(&s->count[c]);
}

uint64_t relay_stats_get(const struct relay_stats *s, enum relay_count c)
{
	return atomic_load_explicit(&s->count[c], memory_order_relaxed);
}

/* ---- by partner ---- */

static struct partner *find_partner(struct relay_stats *s, const char *name)
{
	unsigned i, n = counted(&s->partners, PARTNERS);

	for (i = 0; i < n; i++)
		if (is_name(s->partner[i].name, name, TLS_NAME_MAX))
			return &s->partner[i];
	if (n == PARTNERS)
		return &s->partner[PARTNERS];
	text_set(s->partner[n].name, TLS_NAME_MAX, name);
	atomic_store(&s->partners, n + 1);
	return &s->partner[n];
}

static struct partner_result *find_result(struct partner *p,
    const char *asked, const char *got, const char *result)
{
	unsigned i, n = counted(&p->results, RESULTS);

	for (i = 0; i < n; i++) {
		struct partner_result *r = &p->result[i];

		if (is_name(r->asked, asked, sizeof(r->asked)) &&
		    is_name(r->got, got, sizeof(r->got)) &&
		    is_name(r->result, result, sizeof(r->result)))
			return r;
	}
	if (n == RESULTS)
		return NULL;
	text_set(p->result[n].asked, sizeof(p->result[n].asked), asked);
	text_set(p->result[n].got, sizeof(p->result[n].got), got);
	text_set(p->result[n].result, sizeof(p->result[n].result), result);
	atomic_store(&p->results, n + 1);
	return &p->result[n];
}

static void add_result(struct relay_stats *s, const char *partner,
    const char *asked, const char *got, const char *result)
{
	struct partner_result *r;

	lock(s);
	r = find_result(find_partner(s, partner), asked, got, result);
	if (r != NULL)
		add(&r->n);
	unlock(s);
}

void relay_stats_hop(struct relay_stats *s, const char *partner,
    const struct tls_want *w, const struct tls_got *g)
{
	add_result(s, partner, tls_level_str(w->asked), g->is_tls ?
	    tls_level_str(g->level) : "none", g->result);
}

void relay_stats_tested(struct relay_stats *s, const char *partner,
    const char *result)
{
	add_result(s, partner, "sts-testing", "none", result);
}

void relay_stats_cert(struct relay_stats *s, const char *pki,
    int64_t not_after)
{
	unsigned i, n;

	lock(s);
	n = counted(&s->certs, CERTS);
	for (i = 0; i < n && !is_name(s->cert[i].name, pki,
	    sizeof(s->cert[i].name)); i++)
		;
	if (i == n) /* in the place of one that is gone */
		for (i = 0; i < n && atomic_load(&s->cert[i].not_after) != 0;
		    i++)
			;
	if (i < CERTS) {
		text_set(s->cert[i].name, sizeof(s->cert[i].name), pki);
		atomic_store(&s->cert[i].not_after, not_after);
		if (i == n)
			atomic_store(&s->certs, n + 1);
	}
	unlock(s);
}

/* ---- text ---- */

static void head(struct buf *out, const char *name, const char *type,
    const char *help)
{
	buf_printf(out, "# HELP postseal_relay_%s %s\n# TYPE postseal_relay_%s "
	    "%s\n", name, help, name, type);
}

/* Names come from the DNS and from configuration. */
static void put_label(struct buf *out, const char *s, size_t size)
{
	for (; size > 0 && *s != '\0'; s++, size--) {
		if (*s == '\\' || *s == '"')
			buf_putc(out, '\\');
		buf_putc(out, *s < ' ' || *s > '~' ? '?' : *s);
	}
}

static void print_partner(const struct partner *p, struct buf *out)
{
	unsigned i, n = counted(&p->results, RESULTS);

	for (i = 0; i < n; i++) {
		const struct partner_result *r = &p->result[i];

		buf_puts(out, "postseal_relay_hop_tls_total{partner=\"");
		put_label(out, p->name, sizeof(p->name));
		buf_puts(out, "\",asked=\"");
		put_label(out, r->asked, sizeof(r->asked));
		buf_puts(out, "\",got=\"");
		put_label(out, r->got, sizeof(r->got));
		buf_puts(out, "\",result=\"");
		put_label(out, r->result, sizeof(r->result));
		buf_printf(out, "\"} %llu\n",
		    (unsigned long long)atomic_load(&r->n));
	}
}

void relay_stats_print(const struct relay_stats *s, struct buf *out)
{
	unsigned i, n;

	for (i = 0; i < RELAY_COUNTS; i++) {
		head(out, counts[i].name, "counter", counts[i].help);
		buf_printf(out, "postseal_relay_%s %llu\n", counts[i].name,
		    (unsigned long long)relay_stats_get(s,
		    (enum relay_count)i));
	}
	head(out, "hop_tls_total", "counter", "Connections to next hops, by "
	    "TLS asked, reached and result (RFC 8460 4.3)");
	n = counted(&s->partners, PARTNERS);
	for (i = 0; i < n; i++)
		print_partner(&s->partner[i], out);
	print_partner(&s->partner[PARTNERS], out);
	head(out, "certificate_expiry_seconds", "gauge", "When a certificate "
	    "of the relay ends, in seconds since 1970");
	n = counted(&s->certs, CERTS);
	for (i = 0; i < n; i++) {
		long long until = atomic_load(&s->cert[i].not_after);

		if (until == 0)
			continue;
		buf_puts(out, "postseal_relay_certificate_expiry_seconds"
		    "{pki=\"");
		put_label(out, s->cert[i].name, sizeof(s->cert[i].name));
		buf_printf(out, "\"} %lld\n", until);
	}
}
