/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The counters and their text. What is counted is decided by the callers.
 */
#include "relay/stats.h"

#include <pthread.h>
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
	pthread_mutex_t lock; /* for who adds a name */
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
	pthread_mutexattr_t a;

	*out = NULL;
	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED)
		return err_sys(e, FAIL_TEMP, "memory for counters");
	(void)pthread_mutexattr_init(&a);
	(void)pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (pthread_mutex_init(&s->lock, &a) != 0)
		return err_set(e, FAIL_TEMP, "counters: no lock");
	text_set(s->partner[PARTNERS].name, TLS_NAME_MAX, "other");
	*out = s;
	return 0;
}

static void lock(struct relay_stats *s)
{
	/* whoever died with it was adding: what it had not counted is not
	 * seen */
	(void)pthread_mutex_lock(&s->lock);
	(void)pthread_mutex_consistent(&s->lock);
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
	unsigned i, n = atomic_load(&s->partners);

	for (i = 0; i < n; i++)
		if (strcmp(s->partner[i].name, name) == 0)
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
	unsigned i, n = atomic_load(&p->results);

	for (i = 0; i < n; i++)
		if (strcmp(p->result[i].asked, asked) == 0 &&
		    strcmp(p->result[i].got, got) == 0 &&
		    strcmp(p->result[i].result, result) == 0)
			return &p->result[i];
	if (n == RESULTS)
		return NULL;
	text_set(p->result[n].asked, sizeof(p->result[n].asked), asked);
	text_set(p->result[n].got, sizeof(p->result[n].got), got);
	text_set(p->result[n].result, sizeof(p->result[n].result), result);
	atomic_store(&p->results, n + 1);
	return &p->result[n];
}

void relay_stats_hop(struct relay_stats *s, const char *partner,
    const struct tls_want *w, const struct tls_got *g)
{
	struct partner_result *r;

	lock(s);
	r = find_result(find_partner(s, partner), tls_level_str(w->asked),
	    g->is_tls ? tls_level_str(g->level) : "none", g->result);
	if (r != NULL)
		add(&r->n);
	(void)pthread_mutex_unlock(&s->lock);
}

void relay_stats_cert(struct relay_stats *s, const char *pki,
    int64_t not_after)
{
	unsigned i, n;

	lock(s);
	n = atomic_load(&s->certs);
	for (i = 0; i < n && strcmp(s->cert[i].name, pki) != 0; i++)
		;
	if (i < CERTS) {
		text_set(s->cert[i].name, sizeof(s->cert[i].name), pki);
		atomic_store(&s->cert[i].not_after, not_after);
		if (i == n)
			atomic_store(&s->certs, n + 1);
	}
	(void)pthread_mutex_unlock(&s->lock);
}

/* ---- text ---- */

static void head(struct buf *out, const char *name, const char *type,
    const char *help)
{
	buf_printf(out, "# HELP postseal_relay_%s %s\n# TYPE postseal_relay_%s "
	    "%s\n", name, help, name, type);
}

/* Names come from the DNS and from configuration. */
static void put_label(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\\' || *s == '"')
			buf_putc(out, '\\');
		buf_putc(out, *s < ' ' || *s > '~' ? '?' : *s);
	}
}

static void print_partner(const struct partner *p, struct buf *out)
{
	unsigned i, n = atomic_load(&p->results);

	for (i = 0; i < n; i++) {
		buf_puts(out, "postseal_relay_hop_tls_total{partner=\"");
		put_label(out, p->name);
		buf_printf(out, "\",asked=\"%s\",got=\"%s\",result=\"%s\"} "
		    "%llu\n", p->result[i].asked, p->result[i].got,
		    p->result[i].result, (unsigned long long)atomic_load(
		    &p->result[i].n));
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
	n = atomic_load(&s->partners);
	for (i = 0; i < n; i++)
		print_partner(&s->partner[i], out);
	print_partner(&s->partner[PARTNERS], out);
	head(out, "certificate_expiry_seconds", "gauge", "When a certificate "
	    "of the relay ends, in seconds since 1970");
	n = atomic_load(&s->certs);
	for (i = 0; i < n; i++)
		buf_printf(out, "postseal_relay_certificate_expiry_seconds"
		    "{pki=\"%s\"} %lld\n", s->cert[i].name,
		    (long long)atomic_load(&s->cert[i].not_after));
}
