/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Directories: which serves whom, in which order they are asked, and what
 * an answer, or none, means.
 */
#include "fetch/find.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fetch/find_cache.h"
#include "fetch/find_int.h"
#include "fetch/ldap.h"
#include "fetch/smimea.h"
#include "util/cert.h"
#include "util/clock.h"

const char *find_source_str(enum find_source s)
{
	return s == FIND_LDAP ? "ldap" : "smimea";
}

int64_t find_left_ms(int64_t deadline)
{
	int64_t left = deadline - clock_ms();

	return left > 0 ? left : 0;
}

bool find_is_hurried(const struct directory *d, int64_t deadline)
{
	return find_left_ms(deadline) < d->timeout_ms / 2;
}

/* ---- what was found ---- */

void found_certs_init(struct found_certs *f)
{
	size_t i;

	memset(f, 0, sizeof(*f));
	for (i = 0; i < FIND_CERTS; i++)
		buf_init(&f->der[i], FIND_CERT_MAX);
}

void found_certs_free(struct found_certs *f)
{
	size_t i;

	for (i = 0; i < FIND_CERTS; i++)
		buf_free(&f->der[i]);
	f->n = 0;
}

static bool begins(struct view der, int64_t *when)
{
	struct cert *c = NULL;

	if (cert_parse(&c, der, NULL) != 0)
		return false;
	*when = cert_not_before(c);
	cert_free(&c);
	return true;
}

bool found_certs_take(struct found_certs *f, struct view der, bool is_vouched)
{
	int64_t when, other, first = 0;
	size_t place = f->n;

	if (!begins(der, &when))
		return false;
	for (size_t i = 0; i < f->n && f->n == FIND_CERTS; i++) {
		if (!begins(buf_view(&f->der[i]), &other))
			other = INT64_MIN;
		if (i == 0 || other < first) {
			first = other;
			place = i;
		}
	}
	if (f->n == FIND_CERTS && when <= first)
		return true;
	buf_clear(&f->der[place]);
	buf_putv(&f->der[place], der);
	if (buf_ok(&f->der[place], NULL) != 0)
		return false;
	f->is_vouched[place] = is_vouched;
	if (place == f->n)
		f->n++;
	return true;
}

void found_certs_warn(struct found_certs *f, const char *sentence)
{
	size_t n = strlen(f->warning);

	if (strstr(f->warning, sentence) != NULL)
		return;
	if (n != 0) {
		text_set(f->warning + n, sizeof(f->warning) - n, "; ");
		n = strlen(f->warning);
	}
	text_set(f->warning + n, sizeof(f->warning) - n, sentence);
}

/* ---- directories ---- */

static void free_list(char **list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(list[i]);
	free(list);
}

void directory_free(struct directory *d)
{
	free_list(d->domain, d->domains);
	free_list(d->url, d->urls);
	free(d->name);
	free(d->base);
	free(d->filter);
	free(d->attribute);
	free(d->bind_dn);
	free(d->password_file);
	free(d->ca_file);
	free(d->anchor_file);
	free(d->resolver);
	memset(d, 0, sizeof(*d));
}

static bool is_for(const char *pattern, const char *domain)
{
	size_t n = strlen(domain), m;

	if (strcmp(pattern, "any") == 0)
		return true;
	if (strncmp(pattern, "*.", 2) != 0)
		return strcmp(pattern, domain) == 0;
	m = strlen(++pattern); /* ".d" */
	return n > m && strcmp(domain + n - m, pattern) == 0;
}

bool directories_serve(const struct directory *d, size_t n,
    const struct addr *a)
{
	if (a->text[0] == '\0')
		return false;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < d[i].domains; k++)
			if (is_for(d[i].domain[k], addr_domain(a)))
				return true;
	return false;
}

bool directories_vouch(const struct directory *d, size_t n,
    const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (d[i].source == FIND_SMIMEA && d[i].trust_dnssec &&
		    directories_serve(&d[i], 1, a))
			return true;
	return false;
}

/* ---- the finder ---- */

struct finder {
	const struct directory *d;
	size_t n;
	struct ldap_directory **ldap; /* n each; NULL: of the other kind */
	struct smimea_directory **smimea;
	struct ldap_directory **list; /* connections for lists; or NULL */
	struct find_cache *cache;
};

void finder_free(struct finder **fp)
{
	struct finder *f = *fp;

	if (f == NULL)
		return;
	for (size_t i = 0; f->ldap != NULL && i < f->n; i++)
		ldap_directory_free(&f->ldap[i]);
	for (size_t i = 0; f->smimea != NULL && i < f->n; i++)
		smimea_directory_free(&f->smimea[i]);
	for (size_t i = 0; f->list != NULL && i < f->n; i++)
		ldap_directory_free(&f->list[i]);
	free(f->ldap);
	free(f->smimea);
	free(f->list);
	find_cache_free(&f->cache);
	free(f);
	*fp = NULL;
}

static int open_all(struct finder *f, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < f->n && rc == 0; i++) {
		rc = f->d[i].source == FIND_LDAP
		    ? ldap_directory_new(&f->ldap[i], &f->d[i], e)
		    : smimea_directory_new(&f->smimea[i], &f->d[i], e);
		if (rc == 0 && f->ldap[i] != NULL && f->d[i].name != NULL)
			rc = ldap_directory_new(&f->list[i], &f->d[i], e);
	}
	return rc;
}

int finder_new(struct finder **out, const struct directory *d, size_t n,
    struct err *e)
{
	struct finder *f = calloc(1, sizeof(*f));
	int rc = -1;

	*out = NULL;
	if (f == NULL)
		return err_set(e, FAIL_TEMP, "directories: out of memory");
	f->d = d;
	f->n = n;
	f->ldap = calloc(n + 1, sizeof(*f->ldap));
	f->smimea = calloc(n + 1, sizeof(*f->smimea));
	f->list = calloc(n + 1, sizeof(*f->list));
	if (f->ldap == NULL || f->smimea == NULL || f->list == NULL) {
		err_set(e, FAIL_TEMP, "directories: out of memory");
		goto out;
	}
	if (find_cache_new(&f->cache, CAP_FIND_CACHE, CAP_FIND_CACHE_SIZE,
	    e) != 0 || open_all(f, e) != 0)
		goto out;
	/* the LDAP library writes to servers that may be gone */
	(void)signal(SIGPIPE, SIG_IGN);
	*out = f;
	f = NULL;
	rc = 0;
out:
	finder_free(&f);
	return rc;
}

/* ---- one directory asked ---- */

static int64_t min_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What another address of the same domain would fail of as well. */
static void keep_failure(struct finder *f, size_t i, const struct addr *a,
    bool whole_domain, const struct err *why)
{
	char key[sizeof(a->text) + 1] = "@";

	text_set(key + 1, sizeof(key) - 1, addr_domain(a));
	find_cache_put_failure(f->cache, i, whole_domain ? key : a->text, why,
	    clock_ms() + FIND_REST_MS);
}

static int ask_smimea(struct finder *f, size_t i, const struct addr *a,
    int64_t deadline, struct found_certs *out, struct err *e)
{
	bool whole_domain, hurried = find_is_hurried(&f->d[i], deadline);
	int64_t ttl_s, keep_s;

	if (smimea_directory_find(f->smimea[i], a, deadline, out, &ttl_s,
	    &whole_domain, e) != 0) {
		/* what is bogus is so at any speed */
		if (!hurried || !whole_domain)
			keep_failure(f, i, a, whole_domain, e);
		return -1;
	}
	keep_s = min_of(ttl_s, out->n > 0 ? f->d[i].cache_s
					  : f->d[i].negative_s);
	if (keep_s > 0)
		find_cache_put(f->cache, i, a->text, out,
		    clock_ms() + keep_s * 1000);
	return 0;
}

static int ask_ldap(struct finder *f, size_t i, const struct addr *a,
    int64_t deadline, struct found_certs *out, struct err *e)
{
	int64_t keep_s;

	if (ldap_directory_find(f->ldap[i], a, deadline, out, e) != 0)
		return -1;
	keep_s = out->n > 0 ? f->d[i].cache_s : f->d[i].negative_s;
	if (keep_s > 0)
		find_cache_put(f->cache, i, a->text, out,
		    clock_ms() + keep_s * 1000);
	return 0;
}

static int ask(struct finder *f, size_t i, const struct addr *a,
    int64_t deadline, struct found_certs *out, struct err *e)
{
	char domain[sizeof(a->text) + 1] = "@";
	int64_t now = clock_ms();
	enum find_cached known;

	text_set(domain + 1, sizeof(domain) - 1, addr_domain(a));
	known = find_cache_get(f->cache, i, a->text, now, out, e);
	if (known == FIND_UNKNOWN)
		known = find_cache_get(f->cache, i, domain, now, out, e);
	if (known != FIND_UNKNOWN)
		return known == FIND_ANSWER ? 0 : -1;
	deadline = min_of(deadline, now + f->d[i].timeout_ms);
	if (find_left_ms(deadline) == 0)
		return err_set(e, FAIL_TEMP, "directories: no time is left to "
		    "ask for %s", a->text);
	found_certs_free(out);
	found_certs_init(out);
	out->source = f->d[i].source;
	return out->source == FIND_LDAP
	    ? ask_ldap(f, i, a, deadline, out, e)
	    : ask_smimea(f, i, a, deadline, out, e);
}

int finder_find(struct finder *f, const struct addr *a, int64_t within_ms,
    struct found_certs *out, struct err *e)
{
	int64_t deadline = clock_ms() + within_ms;
	struct err failed = {0}, this = {0};
	char warning[sizeof(out->warning)] = "";

	for (size_t i = 0; i < f->n; i++) {
		if (!directories_serve(&f->d[i], 1, a))
			continue;
		if (ask(f, i, a, deadline, out, &this) == 0) {
			if (out->n > 0)
				break;
			if (warning[0] == '\0')
				text_set(warning, sizeof(warning),
				    out->warning);
			continue;
		}
		found_certs_free(out);
		if (!f->d[i].defers)
			text_set(warning, sizeof(warning), this.msg);
		else if (failed.kind == 0)
			failed = this;
	}
	if (out->n == 0 && failed.kind != 0) {
		found_certs_free(out);
		return err_set(e, FAIL_TEMP, "%s", failed.msg);
	}
	if (warning[0] != '\0')
		found_certs_warn(out, warning);
	return 0;
}

int finder_list(struct finder *f, const char *directory,
    const struct ldap_list *q, int64_t within_ms, struct buf *out,
    struct err *e)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->list[i] != NULL &&
		    strcmp(f->d[i].name, directory) == 0)
			return ldap_directory_list(f->list[i], q,
			    clock_ms() + within_ms, out, e);
	return err_set(e, FAIL_POLICY, "directories: none of LDAP has name "
	    "%s (any more)", directory);
}
