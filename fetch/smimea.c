/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * SMIMEA with the validating resolver library.
 */
#include "fetch/smimea.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <unbound.h>

#include "fetch/find_int.h"
#include "fetch/resolver.h"
#include "util/ossl.h"

#define TYPE_SMIMEA 53
#define CLASS_IN 1
#define RCODE_NXDOMAIN 3

/* ---- names and records ---- */

int smimea_name(char name[SMIMEA_NAME], const struct addr *a, struct err *e)
{
	unsigned char hash[32];
	char hex[2 * 28 + 1];
	const char *local;
	struct buf b;
	size_t n;
	int rc;

	local = addr_local(a, &n);
	ossl_sha256(local, n, hash);
	/* 253 octets: RFC 1035 2.3.4 without the root's */
	buf_init(&b, 253);
	buf_printf(&b, "%s._smimecert.%s", hex_encode(hex, hash, 28),
	    addr_domain(a));
	rc = buf_ok(&b, NULL);
	text_set(name, SMIMEA_NAME, rc == 0 ? buf_str(&b) : "");
	buf_free(&b);
	if (rc != 0)
		return err_set(e, FAIL_LIMIT, "RFC 8162 3: the name of %s "
		    "would be longer than the DNS has", addr_domain(a));
	return 0;
}

void smimea_take(struct found_certs *f, struct view rdata, bool trust_dnssec)
{
	unsigned usage, selector, matching;

	if (rdata.n < 4) {
		found_certs_warn(f, "a record too short to be an SMIMEA one "
		    "was left out (RFC 6698 2.1)");
		return;
	}
	usage = rdata.p[0];
	selector = rdata.p[1];
	matching = rdata.p[2];
	/* RFC 6698 4.1: what is not known cannot be used */
	if (usage > 3 || selector > 1 || matching > 2)
		found_certs_warn(f, "a record of unknown usage, selector or "
		    "matching type was left out (RFC 6698 2.1)");
	else if (selector != 0 || matching != 0)
		found_certs_warn(f, "a record names a certificate by its "
		    "hash or key only, which nobody can encrypt with");
	else if (!found_certs_take(f, view_sub(rdata, 3, rdata.n - 3),
	    usage == 3 && trust_dnssec))
		found_certs_warn(f, "a record that holds no certificate was "
		    "left out");
}

/* ---- the resolver ---- */

struct smimea_directory {
	const struct directory *d;
	struct ub_ctx *ub; /* NULL: not yet needed */
};

int smimea_directory_new(struct smimea_directory **out,
    const struct directory *d, struct err *e)
{
	struct smimea_directory *s = calloc(1, sizeof(*s));

	*out = s;
	if (s == NULL)
		return err_set(e, FAIL_TEMP, "directory: out of memory");
	s->d = d;
	return 0;
}

void smimea_directory_free(struct smimea_directory **sp)
{
	struct smimea_directory *s = *sp;

	if (s == NULL)
		return;
	if (s->ub != NULL)
		ub_ctx_delete(s->ub);
	free(s);
	*sp = NULL;
}

static int open_resolver(struct smimea_directory *s, struct err *e)
{
	/* RFC 8162 7: answers are large */
	const struct resolver_setup setup = {
		.anchor_file = s->d->anchor_file, .forward = s->d->resolver,
		.is_tcp = true, .cache = "2m" };

	if (s->ub != NULL)
		return 0;
	if (resolver_open(&s->ub, &setup, e) != 0)
		return err_add(e, "directory smimea");
	return 0;
}

/* ---- a question ---- */

struct question {
	struct ub_result *result;
	int failed; /* of the library */
	bool done;
};

static void note_answer(void *arg, int failed, struct ub_result *result)
{
	struct question *q = arg;

	q->done = true;
	q->failed = failed;
	q->result = result;
}

static int wait_answer(struct ub_ctx *ub, const struct question *q,
    const char *name, int64_t deadline, struct err *e)
{
	while (!q->done) {
		struct pollfd p = {ub_fd(ub), POLLIN, 0};
		int64_t left = find_left_ms(deadline);

		if (left == 0)
			return err_set(e, FAIL_TEMP, "directory smimea: %s: "
			    "no answer in time", name);
		if (poll(&p, 1, (int)left) == -1 && errno != EINTR)
			return err_sys(e, FAIL_TEMP, "directory smimea: poll");
		if ((p.revents & POLLIN) != 0 && ub_process(ub) != 0)
			return err_set(e, FAIL_TEMP, "directory smimea: %s: "
			    "the resolver failed", name);
	}
	return q->failed == 0 ? 0 : err_set(e, FAIL_TEMP, "directory smimea: "
	    "%s: %s", name, ub_strerror(q->failed));
}

static int resolve(struct smimea_directory *s, const char *name,
    int64_t deadline, struct ub_result **out, struct err *e)
{
	struct question q = {0};
	int id = 0, rc;

	*out = NULL;
	if (open_resolver(s, e) != 0)
		return -1;
	rc = ub_resolve_async(s->ub, name, TYPE_SMIMEA, CLASS_IN, &q,
	    note_answer, &id);
	if (rc != 0)
		return err_set(e, FAIL_TEMP, "directory smimea: %s: %s", name,
		    ub_strerror(rc));
	rc = wait_answer(s->ub, &q, name, deadline, e);
	if (!q.done)
		(void)ub_cancel(s->ub, id); /* q is not called any more */
	if (rc == 0) {
		*out = q.result;
		return 0;
	}
	ub_resolve_free(q.result);
	return -1;
}

/* RFC 8162 6: only what is secure is an answer. */
static int judge(const struct ub_result *r, const char *name,
    bool trust_dnssec, struct found_certs *out, struct err *e)
{
	if (r->bogus)
		return err_set(e, FAIL_TEMP, "directory smimea: %s: DNSSEC "
		    "does not hold (RFC 8162 6): %.200s", name,
		    r->why_bogus == NULL ? "bogus" : r->why_bogus);
	if (r->rcode != 0 && r->rcode != RCODE_NXDOMAIN)
		return err_set(e, FAIL_TEMP, "directory smimea: %s: the "
		    "servers of the domain fail (code %d, RFC 8162 6)", name,
		    r->rcode);
	if (!r->secure) {
		if (r->havedata)
			found_certs_warn(out, "the domain's DNS is not "
			    "signed: its SMIMEA records do not count (RFC "
			    "8162 6)");
		return 0;
	}
	for (int i = 0; r->havedata && r->data[i] != NULL; i++) {
		if (i == CAP_SMIMEA_RECORDS)
			return err_set(e, FAIL_TEMP, "directory smimea: %s: "
			    "more than %d records", name, CAP_SMIMEA_RECORDS);
		smimea_take(out, view_make(r->data[i], (size_t)r->len[i]),
		    trust_dnssec);
	}
	return 0;
}

int smimea_directory_find(struct smimea_directory *s, const struct addr *a,
    int64_t deadline, struct found_certs *out, int64_t *ttl_s,
    bool *whole_domain, struct err *e)
{
	struct ub_result *r = NULL;
	char name[SMIMEA_NAME];
	int rc;

	*ttl_s = 86400;
	*whole_domain = true;
	/* a name that cannot be has no records */
	if (smimea_name(name, a, NULL) != 0)
		return 0;
	text_set(out->from, sizeof(out->from), name);
	if (resolve(s, name, deadline, &r, e) != 0)
		return -1;
	*whole_domain = !r->bogus;
	*ttl_s = r->ttl > 0 ? r->ttl : 0;
	rc = judge(r, name, s->d->trust_dnssec, out, e);
	ub_resolve_free(r);
	return rc;
}
