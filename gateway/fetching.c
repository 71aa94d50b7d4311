/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The plan: targets out of configuration and store, when each is due, and
 * what becomes of an answer.
 */
#include "gateway/fetching.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/url.h"
#include "keystore/revocation.h"
#include "util/der.h"
#include "util/log.h"
#include "util/ossl.h"

#define SCAN_STEP 50	   /* certificates looked at in one go */
#define SCAN_EVERY_S 3600  /* then all of them again */
#define TARGETS_MAX 200000 /* of the store */
#define LISTS_MAX 1000	   /* CRLs among them */
#define RETRY_FIRST_S 300
#define RETRY_MAX_S 86400
#define LEAST_S 3600	   /* by its own dates: not more often */
#define MOST_CRL_S 86400
#define MOST_OCSP_S (7 * 86400 / 2)
#define FORGET_S (90 * 86400)
#define OBJECTS_MAX 8	   /* in an answer that is PEM */

struct target {
	enum fetch_kind kind;
	char *url;
	unsigned char cert[32];
	int64_t every_s;
	int64_t next;
};

struct targets {
	struct target *t;
	size_t n, room, lists;
};

struct fetching {
	const struct config *config;
	struct keystore *ks;
	struct targets now;   /* in use */
	struct targets build; /* of the look that runs */
	bool is_looking;
	struct source_scan scan; /* how far it came */
	int64_t look_at;      /* when the next one begins */
	int64_t at;	      /* the time it is, for visit() */
	bool has_said_many;
};

const char *fetch_kind_str(enum fetch_kind k)
{
	return k == FETCH_CRL ? "crl" : "ocsp";
}

void fetch_job_init(struct fetch_job *j)
{
	memset(j, 0, sizeof(*j));
	buf_init(&j->request, 4096);
}

void fetch_job_free(struct fetch_job *j)
{
	buf_free(&j->request);
}

size_t fetch_max(enum fetch_kind k)
{
	if (k == FETCH_LIST)
		return CAP_LIST;
	return k == FETCH_CRL ? CAP_CRL : FETCH_OCSP_MAX;
}

int fetch_is_allowed(const struct config *c, const char *url, struct err *e)
{
	const struct fetch_config *f = &c->fetch;
	struct url u;
	size_t i;

	for (i = 0; i < f->crls; i++)
		if (strcmp(f->crl[i].url, url) == 0)
			return 0;
	if (url_parse(&u, url, e) != 0)
		return -1;
	for (i = 0; i < f->allows; i++)
		if (url_is_at(&u, f->allow[i]))
			return 0;
	return err_set(e, FAIL_POLICY, "fetch { }: %.200s at port %d is not "
	    "allowed", u.host, u.port);
}

/* ---- targets ---- */

static void free_targets(struct targets *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->t[i].url);
	free(s->t);
	memset(s, 0, sizeof(*s));
}

/* As in the table fetched. */
static void put_name(struct buf *b, enum fetch_kind kind, const char *url,
    const unsigned char cert[32])
{
	char hex[65];

	buf_puts(b, url);
	if (kind == FETCH_OCSP)
		buf_printf(b, " %s", hex_encode(hex, cert, 32));
}

static int read_next(struct fetching *f, struct target *t, struct err *e)
{
	struct fetched was;
	struct buf name;
	bool found;
	int rc;

	buf_init(&name, FETCH_NAME_MAX + 100);
	put_name(&name, t->kind, t->url, t->cert);
	rc = fetched_get(f->ks, buf_str(&name), &was, &found, e);
	t->next = rc == 0 && found ? was.next : 0;
	buf_free(&name);
	return rc;
}

static int add_target(struct fetching *f, const struct target *like,
    struct err *e)
{
	struct targets *s = &f->build;
	struct target *more;

	if (s->n == TARGETS_MAX ||
	    (like->kind == FETCH_CRL && s->lists == LISTS_MAX)) {
		if (!f->has_said_many)
			log_warn("event=fetch-plan warning=\"more than %d "
			    "certificates or %d CRLs, the rest is left out\"",
			    TARGETS_MAX, LISTS_MAX);
		f->has_said_many = true;
		return 0;
	}
	if (s->n == s->room) {
		s->room = s->room == 0 ? 64 : s->room * 2;
		more = realloc(s->t, s->room * sizeof(*more));
		if (more == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		s->t = more;
	}
	s->t[s->n] = *like;
	s->t[s->n].url = strdup(like->url);
	if (s->t[s->n].url == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	s->n++;
	s->lists += like->kind == FETCH_CRL;
	return read_next(f, &s->t[s->n - 1], e);
}

/* ---- looking at certificates ---- */

static bool has_list(const struct targets *s, const char *url)
{
	size_t i, lists = 0;

	for (i = 0; i < s->n && lists < s->lists; i++) {
		if (s->t[i].kind != FETCH_CRL)
			continue;
		lists++;
		if (strcmp(s->t[i].url, url) == 0)
			return true;
	}
	return false;
}

static int on_source(void *arg, const struct cert *c, bool is_ocsp,
    const char *url, struct err *e)
{
	struct fetching *f = arg;
	union {
		const char *in;
		char *out;
	} p = { url };
	struct target t = { .kind = is_ocsp ? FETCH_OCSP : FETCH_CRL,
		.url = p.out };
	struct err why = { 0 };

	if (!(is_ocsp ? f->config->fetch.ocsp : f->config->fetch.from_certs))
		return 0;
	if (fetch_is_allowed(f->config, url, &why) != 0 ||
	    (!is_ocsp && has_list(&f->build, url)))
		return 0;
	/* of a responder that is asked when its time has come */
	if (!is_ocsp && revocation_is_anchored(f->ks, cert_sha256(c), f->at,
	    &why) != 0)
		return why.kind == FAIL_TEMP ? err_set(e, FAIL_TEMP, "%s",
		    why.msg) : 0;
	memcpy(t.cert, cert_sha256(c), 32);
	if (is_ocsp && f->build.n > 0 && memcmp(f->build.t[f->build.n -
	    1].cert, t.cert, 32) == 0 && f->build.t[f->build.n - 1].kind ==
	    FETCH_OCSP)
		return 0; /* one responder is enough */
	return add_target(f, &t, e);
}

static int begin_look(struct fetching *f, struct err *e)
{
	const struct fetch_config *c = &f->config->fetch;
	struct target t = { .kind = FETCH_CRL };
	size_t i;

	free_targets(&f->build);
	f->scan = (struct source_scan) { .most = SCAN_STEP };
	f->is_looking = true;
	for (i = 0; i < c->crls; i++) {
		t.url = c->crl[i].url;
		t.every_s = c->crl[i].every_s;
		if (add_target(f, &t, e) != 0)
			return -1;
	}
	return 0;
}

static void end_look(struct fetching *f, int64_t now)
{
	free_targets(&f->now);
	f->now = f->build;
	memset(&f->build, 0, sizeof(f->build));
	f->is_looking = false;
	f->look_at = now + SCAN_EVERY_S;
}

/* Some more. */
static int look(struct fetching *f, int64_t now, struct err *e)
{
	const struct fetch_config *c = &f->config->fetch;
	bool by_certs = c->ocsp || c->from_certs;

	f->at = now;
	if (!f->is_looking && begin_look(f, e) != 0)
		return -1;
	if (by_certs && revocation_sources(f->ks, &f->scan, now, on_source, f,
	    e) != 0) {
		f->is_looking = false;
		f->look_at = now + RETRY_FIRST_S;
		return -1;
	}
	if (!by_certs || f->scan.end)
		end_look(f, now);
	return 0;
}

int fetching_look(struct fetching *f, int64_t now, struct err *e)
{
	do
		if (look(f, now, e) != 0)
			return -1;
	while (f->is_looking);
	return 0;
}

/* ---- jobs ---- */

int fetching_new(struct fetching **out, const struct config *c,
    struct keystore *ks, struct err *e)
{
	struct fetching *f = calloc(1, sizeof(*f));

	*out = f;
	if (f == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	f->config = c;
	f->ks = ks;
	return 0;
}

void fetching_free(struct fetching **fp)
{
	if (*fp == NULL)
		return;
	free_targets(&(*fp)->now);
	free_targets(&(*fp)->build);
	free(*fp);
	*fp = NULL;
}

static int make_job(struct fetching *f, const struct target *t, int64_t now,
    struct fetch_job *j, struct err *e)
{
	j->kind = t->kind;
	text_set(j->url, sizeof(j->url), t->url);
	memcpy(j->cert, t->cert, 32);
	j->every_s = t->every_s;
	buf_clear(&j->request);
	return t->kind == FETCH_CRL ? 0 : revocation_request(f->ks, t->cert,
	    now, &j->request, e);
}

int fetching_nth(struct fetching *f, size_t i, int64_t now,
    struct fetch_job *j, struct err *e)
{
	if (i >= f->now.n)
		return 0;
	return make_job(f, &f->now.t[i], now, j, e) == 0 ? 1 : -1;
}

/* The one that is due longest, or NULL with the time of the next. */
static struct target *find_due(struct fetching *f, int64_t now,
    int64_t *again_s)
{
	struct target *first = NULL;
	size_t i;

	for (i = 0; i < f->now.n; i++)
		if (first == NULL || f->now.t[i].next < first->next)
			first = &f->now.t[i];
	*again_s = f->look_at > now ? f->look_at - now : 0;
	if (first == NULL || first->next <= now)
		return first;
	if (first->next - now < *again_s)
		*again_s = first->next - now;
	return NULL;
}

int fetching_next(struct fetching *f, int64_t now, struct fetch_job *j,
    int64_t *again_s, struct err *e)
{
	struct fetch_outcome o;
	struct err why = { 0 };
	struct target *t;

	*again_s = 0;
	if (f->is_looking || now >= f->look_at) {
		if (look(f, now, e) != 0)
			return -1;
		if (!f->is_looking &&
		    fetched_expire(f->ks, now - FORGET_S, e) != 0)
			return -1;
	}
	t = find_due(f, now, again_s);
	if (f->is_looking)
		*again_s = 0;
	if (t == NULL)
		return 0;
	if (make_job(f, t, now, j, &why) == 0)
		return 1;
	*again_s = 0;
	t->next = now + RETRY_FIRST_S; /* whatever comes of noting it */
	return fetching_done(f, j, now, view_make(NULL, 0), &why, &o, e);
}

/* ---- answers ---- */

struct result {
	struct fetch_outcome *out;
	int64_t until;
};

static void on_item(void *arg, const struct revocation_item *it)
{
	struct result *r = arg;

	if (it->refused[0] != '\0') {
		text_set(r->out->error, sizeof(r->out->error), it->refused);
		return;
	}
	r->out->added |= it->added;
	text_set(r->out->what, sizeof(r->out->what), it->text);
	if (r->until == 0 || it->until < r->until)
		r->until = it->until;
}

/* One is asked for, and DER is what it should be (RFC 5280 4.2.1.13); every
 * one more costs, while records of mail wait. */
static int check_objects(struct view body, struct err *e)
{
	static const char begin[] = "-----BEGIN ";
	const unsigned char *p;
	size_t n;

	if (body.n > 0 && body.p[0] == DER_SEQUENCE)
		return 0;
	for (n = 0; (p = memmem(body.p, body.n, begin, sizeof(begin) - 1)) !=
	    NULL; n++) {
		if (n == OBJECTS_MAX)
			return err_set(e, FAIL_INPUT, "the answer has more "
			    "than %d objects", OBJECTS_MAX);
		body = view_sub(body, (size_t)(p - body.p) + sizeof(begin) -
		    1, body.n);
	}
	return 0;
}

static int take_body(struct fetching *f, struct view body, int64_t now,
    struct result *r, struct err *e)
{
	struct err why = { 0 };
	size_t good = 0;

	if (check_objects(body, &why) != 0 ||
	    revocation_import(f->ks, body, now, on_item, r, &good, &why) != 0)
		text_set(r->out->error, sizeof(r->out->error), why.msg);
	if (why.kind != 0 && why.kind != FAIL_INPUT)
		return err_set(e, why.kind, "%s", why.msg);
	r->out->ok = good > 0 && r->out->error[0] == '\0';
	return 0;
}

/* Up to a tenth of it, always the same for the same name. */
static int64_t jitter(const char *name, int64_t s)
{
	unsigned char h[32];

	ossl_sha256(name, strlen(name), h);
	return s * (h[0] * 256 + h[1]) / 65536 / 10;
}

static int64_t clamp(int64_t x, int64_t least, int64_t most)
{
	return x < least ? least : x > most ? most : x;
}

/* How long until the next time. */
static int64_t wait_for(const struct fetch_job *j, const struct fetched *row,
    int64_t until, int64_t now)
{
	int64_t retry;
	int shift;

	if (row->failures == 0 && j->every_s > 0)
		return j->every_s;
	if (row->failures == 0)
		return clamp((until - now) / 2, LEAST_S,
		    j->kind == FETCH_CRL ? MOST_CRL_S : MOST_OCSP_S);
	shift = row->failures > 10 ? 10 : (int)row->failures - 1;
	retry = clamp((int64_t)RETRY_FIRST_S << shift, 0, RETRY_MAX_S);
	return j->every_s > 0 && j->every_s < retry ? j->every_s : retry;
}

static void set_next(struct targets *s, const struct fetch_job *j,
    int64_t next)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (s->t[i].kind == j->kind &&
		    (j->kind == FETCH_CRL ||
		    memcmp(s->t[i].cert, j->cert, 32) == 0) &&
		    strcmp(s->t[i].url, j->url) == 0)
			s->t[i].next = next;
}

static int note(struct fetching *f, const struct fetch_job *j, int64_t now,
    const struct result *r, struct err *e)
{
	struct fetched row;
	struct buf name;
	int64_t wait;
	bool found;
	int rc;

	buf_init(&name, FETCH_NAME_MAX + 100);
	put_name(&name, j->kind, j->url, j->cert);
	rc = fetched_get(f->ks, buf_str(&name), &row, &found, e);
	row.tried = now;
	row.failures = r->out->ok ? 0 : row.failures + 1;
	if (r->out->ok)
		row.got = now;
	text_set(row.error, sizeof(row.error), r->out->error);
	wait = wait_for(j, &row, r->until, now);
	row.next = now + wait - jitter(buf_str(&name), wait);
	set_next(&f->now, j, row.next);
	set_next(&f->build, j, row.next);
	if (rc == 0)
		rc = fetched_set(f->ks, buf_str(&name), &row, e);
	buf_free(&name);
	return rc;
}

int fetching_done(struct fetching *f, const struct fetch_job *j, int64_t now,
    struct view body, const struct err *why, struct fetch_outcome *out,
    struct err *e)
{
	struct result r = { .out = out };
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (why != NULL && why->kind != 0)
		text_set(out->error, sizeof(out->error), why->msg);
	else
		rc = take_body(f, body, now, &r, e);
	if (rc != 0) /* disk or lock: the answer is gone, ask again later */
		set_next(&f->now, j, now + RETRY_FIRST_S);
	return rc == 0 ? note(f, j, now, &r, e) : -1;
}

void fetching_log(const struct fetch_job *j, const struct fetch_outcome *o)
{
	char line[1024], hex[65];
	size_t n;

	line[0] = '\0';
	n = log_value(line, sizeof(line), 0, "url", j->url);
	if (j->kind == FETCH_OCSP)
		n = log_value(line, sizeof(line), n, "cert",
		    hex_encode(hex, j->cert, 32));
	n = o->ok ? log_value(line, sizeof(line), n, "what", o->what) :
	    log_value(line, sizeof(line), n, "reason", o->error);
	if (o->ok)
		log_notice("event=%s-fetched %s%s", fetch_kind_str(j->kind),
		    line, o->added ? "" : " known=yes");
	else
		log_warn("event=%s-fetch-failed %s", fetch_kind_str(j->kind),
		    line);
}
