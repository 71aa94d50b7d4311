/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A policy of MTA-STS by HTTPS (RFC 8461 3.3), from an address that the DNS
 * gave us and that may be asked (A71); and what is kept on disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fetch/find_int.h"
#include "fetch/http.h"
#include "fetch/sts_int.h"
#include "util/addr.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/proc.h"

#define FETCH_MS 60000
#define ADDRESSES 8 /* tried at most */
#define STATE_MAX (16u << 20)
#define STATE_SHORT 800 /* octets of hosts; a line has as many besides */
#define STATE_HEAD "postseal MTA-STS policies 1"
#define HTTPS 443

/* ---- where the server is ---- */

static size_t put_addresses(struct buf *at, const struct dns_answer *a,
    size_t had)
{
	struct sockaddr_storage sa;
	char ip[64];
	unsigned len;
	size_t i;

	for (i = 0; i < a->n && had < ADDRESSES; i++) {
		if (dns_read_address(&sa, &len, a->rdata[i], 0) != 0 ||
		    getnameinfo((struct sockaddr *)&sa, len, ip, sizeof(ip),
		    NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		buf_printf(at, sa.ss_family == AF_INET6 ? "%s[%s]" : "%s%s",
		    had == 0 ? "" : ",", ip);
		had++;
	}
	return had;
}

/* "HOST:PORT:ADDRESS,..."; HTTPS proves who is there, so what DNSSEC says
 * does not matter unless it says no. */
static int locate(const struct sts *s, const char *host, int port,
    struct buf *at, struct err *e)
{
	static const enum dns_type type[] = { DNS_AAAA, DNS_A };
	int64_t deadline = clock_ms() + FETCH_MS / 4;
	struct dns_answer *a = malloc(sizeof(*a));
	size_t n = 0, i;

	if (a == NULL)
		return err_set(e, FAIL_TEMP, "%s: out of memory", host);
	(void)err_set(e, FAIL_TEMP, "%s has no address", host);
	buf_printf(at, "%s:%d:", host, port);
	for (i = 0; i < ARRAY_LEN(type); i++) {
		s->setup.dns.ask(s->setup.dns.arg, host, type[i], deadline,
		    a);
		if (a->state == DNS_FAILED || a->state == DNS_BOGUS)
			(void)err_set(e, FAIL_TEMP, "%s: %s", host, a->why);
		else
			n = put_addresses(at, a, n);
		dns_answer_free(a);
	}
	free(a);
	return n == 0 ? -1 : buf_ok(at, e);
}

static bool is_plain_text(const char *type)
{
	size_t n = strcspn(type, "; \t");

	return view_ieq_str(view_make(type, n), "text/plain");
}

static int get(const struct sts *s, const struct http_request *r,
    struct buf *text, struct err *e)
{
	const struct http_policy policy = { .nearby = s->setup.nearby,
	    .nearbys = s->setup.nearbys, .timeout_ms = FETCH_MS,
	    .ca_file = s->setup.ca_file };
	struct http *h = NULL;
	struct view body;
	int rc;

	if (http_new(&h, &policy, e) != 0)
		return -1;
	rc = http_get(h, r, &body, e);
	if (rc == 0 && !is_plain_text(http_type(h)))
		rc = err_set(e, FAIL_INPUT, "RFC 8461 3.2: the policy's type "
		    "is not text/plain");
	if (rc == 0) {
		buf_putv(text, body);
		rc = buf_ok(text, e);
	}
	http_free(&h);
	return rc;
}

int sts_fetch(const struct sts *s, const char *domain, struct buf *text,
    struct err *e)
{
	int port = s->setup.port == 0 ? HTTPS : s->setup.port;
	struct http_request r = { .max = STS_POLICY_MAX };
	struct buf host, at, url;
	int rc;

	buf_init(&host, DNS_NAME);
	buf_init(&at, 1024);
	buf_init(&url, 512);
	buf_printf(&host, "mta-sts.%s", domain);
	rc = buf_ok(&host, e);
	if (rc == 0)
		rc = locate(s, buf_str(&host), port, &at, e);
	buf_printf(&url, "https://%s", buf_str(&host));
	if (port != HTTPS)
		buf_printf(&url, ":%d", port);
	buf_puts(&url, "/.well-known/mta-sts.txt");
	r.url = buf_str(&url);
	r.at = buf_str(&at);
	if (rc == 0)
		rc = get(s, &r, text, e);
	if (rc != 0)
		(void)err_add(e, "%s", r.url);
	buf_free(&url);
	buf_free(&at);
	buf_free(&host);
	return rc;
}

/* ---- the file ---- */

static void state_path(const struct sts *s, struct buf *path)
{
	buf_init(path, 4096);
	buf_printf(path, "%s/sts-policies", s->setup.state);
}

static bool next_word(struct view *line, struct view *word)
{
	size_t end = view_chr(*line, ' ', 0);

	if (end == (size_t)-1)
		end = line->n;
	*word = view_sub(*line, 0, end);
	*line = view_sub(*line, end + 1, line->n);
	return word->n > 0;
}

static int read_number(struct view word, int64_t most, int64_t *out)
{
	size_t i;

	*out = 0;
	for (i = 0; i < word.n; i++) {
		if (i > 14 || word.p[i] < '0' || word.p[i] > '9')
			return -1;
		*out = *out * 10 + (word.p[i] - '0');
	}
	return *out <= most ? 0 : -1;
}

/* The policy is kept as it came, so it is read by the same parser. */
static int read_policy(struct sts_policy *p, struct view *line,
    struct view mode)
{
	struct view mx;
	struct buf text;
	int rc;

	buf_init(&text, STS_POLICY_MAX);
	buf_printf(&text, "version: STSv1\nmax_age: %lld\nmode: ",
	    (long long)p->max_age_s);
	buf_putv(&text, mode);
	while (next_word(line, &mx)) {
		buf_puts(&text, "\nmx: ");
		buf_putv(&text, mx);
	}
	rc = buf_ok(&text, NULL);
	if (rc == 0)
		rc = sts_policy_parse(p, buf_view(&text), NULL);
	buf_free(&text);
	return rc;
}

/* "DOMAIN ID FETCHED MAX-AGE MODE MX..." */
static int read_line(struct sts *s, struct view line, int64_t now)
{
	struct view domain, id, fetched, age, mode;
	char name[DNS_NAME];
	struct sts_policy p;
	struct sts_entry *t;

	if (!next_word(&line, &domain) || !next_word(&line, &id) ||
	    !next_word(&line, &fetched) || !next_word(&line, &age) ||
	    !next_word(&line, &mode) ||
	    addr_domain_parse(name, sizeof(name), domain, NULL) != 0 ||
	    !view_eq_str(domain, name) || sts_entry_find(s, name) != NULL)
		return -1;
	sts_policy_init(&p);
	/* none of the future, which would hold for ever */
	if (view_cstr(id, p.id, sizeof(p.id)) != 0 ||
	    read_number(fetched, now, &p.fetched_s) != 0 ||
	    read_number(age, STS_AGE_MAX, &p.max_age_s) != 0 ||
	    read_policy(&p, &line, mode) != 0 ||
	    (t = sts_entry_add(s, name, p.fetched_s)) == NULL) {
		sts_policy_free(&p);
		return -1;
	}
	p.until_s = p.fetched_s + p.max_age_s;
	sts_policy_free(&t->policy);
	t->policy = p;
	t->has_policy = true;
	return 0;
}

static int open_state(const char *path, struct buf *text, struct err *e)
{
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return 0;
	return io_read_secret(path, text, e);
}

static void complain(const char *path, const char *what)
{
	char line[600];
	size_t n = log_value(line, sizeof(line), 0, "file", path);

	(void)log_value(line, sizeof(line), n, "why", what);
	log_warn("event=sts-state %s", line);
}

void sts_load(struct sts *s)
{
	int64_t now = sts_now(s);
	struct buf path, text;
	struct view rest, line;
	struct err e = {0};
	size_t end, bad = 0, n = 0;

	state_path(s, &path);
	buf_init(&text, STATE_MAX);
	if (open_state(buf_str(&path), &text, &e) != 0)
		complain(buf_str(&path), e.msg);
	for (rest = buf_view(&text); rest.n > 0 && s->n < STS_DOMAINS;
	    rest = view_sub(rest, end + 1, rest.n), n++) {
		end = view_chr(rest, '\n', 0);
		if (end == (size_t)-1)
			end = rest.n;
		line = view_sub(rest, 0, end);
		if (n > 0 ? read_line(s, line, now) != 0 :
		    !view_eq_str(line, STATE_HEAD))
			bad++;
	}
	if (bad > 0)
		complain(buf_str(&path), "lines that are none of ours were "
		    "left out");
	buf_free(&text);
	buf_free(&path);
}

/* Whoever has long policies must not keep those of others off the disk: they
 * come last, as long as there is room. */
static void put_some(struct sts *s, struct buf *b, bool is_long)
{
	const struct sts_entry *t;
	size_t i;

	for (i = 0; i < STS_BUCKETS; i++) {
		for (t = s->bucket[i]; t != NULL; t = t->next) {
			if (!t->has_policy ||
			    (t->policy.mx.n > STATE_SHORT) != is_long ||
			    b->n + t->policy.mx.n + STATE_SHORT > STATE_MAX)
				continue;
			buf_printf(b, "%s %s %lld %lld %s %s\n", t->domain,
			    t->policy.id, (long long)t->policy.fetched_s,
			    (long long)t->policy.max_age_s,
			    sts_mode_str(t->policy.mode),
			    buf_str(&t->policy.mx));
		}
	}
}

static void put_all(struct sts *s, struct buf *b)
{
	buf_puts(b, STATE_HEAD "\n");
	put_some(s, b, false);
	put_some(s, b, true);
}

int sts_save(struct sts *s, struct err *e)
{
	struct buf b, path;
	bool dirty;
	int rc = 0;

	if (s->setup.state == NULL)
		return 0;
	buf_init(&b, STATE_MAX);
	(void)pthread_mutex_lock(&s->lock);
	dirty = s->is_dirty;
	s->is_dirty = false;
	if (dirty)
		put_all(s, &b);
	(void)pthread_mutex_unlock(&s->lock);
	state_path(s, &path);
	if (dirty)
		rc = buf_ok(&b, e) != 0 ? -1 : io_write_file(buf_str(&path),
		    0600, buf_view(&b), e);
	if (rc != 0) { /* next time, then */
		(void)pthread_mutex_lock(&s->lock);
		s->is_dirty = true;
		(void)pthread_mutex_unlock(&s->lock);
	}
	buf_free(&path);
	buf_free(&b);
	return rc;
}
