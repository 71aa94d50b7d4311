/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal crl fetch: once and by hand what the fetch process does by the
 * clock, within the same allow-list.
 */
#include "cli/crl_fetch.h"

#include <string.h>

#include "fetch/http.h"
#include "gateway/fetching.h"
#include "util/ossl.h"

struct run {
	struct cli *c;
	struct fetching *plan;
	struct http *http;
	const char *only; /* this URL alone; NULL: all */
	bool dry;
	size_t n;
	int rc;
};

static void put_job(struct buf *b, const struct fetch_job *j)
{
	char hex[65];

	buf_puts(b, j->url);
	if (j->kind == FETCH_OCSP)
		buf_printf(b, " (OCSP of %.16s)", hex_encode(hex, j->cert,
		    32));
}

/* The worst code of all jobs is the command's. */
static void failed(struct run *r, const struct fetch_job *j, int code,
    const char *reason)
{
	struct buf b;

	buf_init(&b, FETCH_NAME_MAX + 200);
	put_job(&b, j);
	(void)cli_say(0, "%s: %s", buf_str(&b), reason);
	buf_free(&b);
	if (r->rc == EX_OK || code != EX_TEMPFAIL)
		r->rc = code;
}

static void done(struct run *r, const struct fetch_job *j, struct view body,
    const struct err *why)
{
	struct fetch_outcome o;
	struct err e = { 0 };
	struct buf b;

	if (fetching_done(r->plan, j, cli_now(r->c), body, why, &o, &e) != 0) {
		r->rc = cli_fail(&e);
		return;
	}
	if (!o.ok) {
		failed(r, j, why->kind != 0 ? cli_code(why) : EX_DATAERR,
		    o.error);
		return;
	}
	buf_init(&b, FETCH_NAME_MAX + 400);
	put_job(&b, j);
	printf("%s: %s: %s\n", buf_str(&b), o.what,
	    o.added ? "imported" : "known already");
	buf_free(&b);
}

static void one(struct run *r, const struct fetch_job *j)
{
	struct http_request q = { .url = j->url, .max = fetch_max(j->kind),
		.post = buf_view(&j->request),
		.type = "application/ocsp-request" };
	struct view body = { NULL, 0 };
	struct err why = { 0 };
	struct buf b;

	r->n++;
	if (r->dry) {
		buf_init(&b, FETCH_NAME_MAX + 200);
		put_job(&b, j);
		printf("%s: would be fetched\n", buf_str(&b));
		buf_free(&b);
		return;
	}
	if (http_get(r->http, &q, &body, &why) != 0 && why.kind == 0)
		(void)err_set(&why, FAIL_TEMP, "no answer");
	done(r, j, body, &why);
}

static void planned(struct run *r)
{
	struct fetch_job j;
	struct err e = { 0 };
	size_t i;
	int rc;

	fetch_job_init(&j);
	for (i = 0; (rc = fetching_nth(r->plan, i, cli_now(r->c), &j,
	    &e)) != 0; i++) {
		if (r->only != NULL && strcmp(r->only, j.url) != 0)
			continue;
		if (rc == 1)
			one(r, &j);
		else
			failed(r, &j, cli_code(&e), e.msg);
		err_clear(&e);
	}
	fetch_job_free(&j);
}

/* A list that nothing of the store names, from a host that is allowed. */
static void unplanned(struct run *r)
{
	struct fetch_job j;
	struct err e = { 0 };

	fetch_job_init(&j);
	if (strlen(r->only) >= sizeof(j.url)) {
		r->rc = cli_say(EX_DATAERR, "a URL of %zu octets",
		    strlen(r->only));
	} else if (fetch_is_allowed(r->c->config, r->only, &e) != 0) {
		r->rc = cli_say(cli_code(&e), "%s: %s", r->only, e.msg);
	} else {
		j.kind = FETCH_CRL;
		text_set(j.url, sizeof(j.url), r->only);
		one(r, &j);
	}
	fetch_job_free(&j);
}

static void run_all(struct run *r)
{
	const struct fetch_config *f = &r->c->config->fetch;
	struct http_policy policy = { f->nearby, f->nearbys,
		f->timeout_s * 1000, f->ca_file };
	struct err e = { 0 };

	if (http_new(&r->http, &policy, &e) != 0 ||
	    fetching_new(&r->plan, r->c->config, r->c->ks, &e) != 0 ||
	    fetching_look(r->plan, cli_now(r->c), &e) != 0) {
		r->rc = cli_fail(&e);
		return;
	}
	planned(r);
	if (r->n == 0 && r->rc == EX_OK && r->only != NULL)
		unplanned(r);
	else if (r->n == 0 && r->rc == EX_OK)
		(void)cli_say(0, "nothing to fetch: no \"crl\" line in "
		    "fetch { }, and no certificate names an allowed host");
}

static int open_and_run(struct cli *c, struct run *r)
{
	int rc = cli_config(c);

	if (rc == EX_OK && !c->config->fetch.is_set)
		rc = cli_say(EX_CONFIG, "nothing is fetched: %s has no block "
		    "fetch { }", c->config_path);
	if (rc == EX_OK)
		rc = cli_keystore(c, r->dry ? KS_READ : KS_WRITE);
	if (rc != EX_OK)
		return rc;
	run_all(r);
	fetching_free(&r->plan);
	http_free(&r->http);
	if (fflush(stdout) != 0 && r->rc == EX_OK)
		r->rc = cli_say(EX_IOERR, "standard output: it cannot be "
		    "written");
	return r->rc;
}

int crl_fetch(struct cli *c, int argc, char **argv)
{
	struct run r = { .c = c, .rc = EX_OK };
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--dry-run", &r.dry, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 1)
		rc = cli_usage(c, "%s: unexpected", rest.v[1]);
	if (rc == EX_OK && rest.n == 1)
		r.only = rest.v[0];
	if (rc == EX_OK)
		rc = open_and_run(c, &r);
	cli_list_free(&rest);
	return rc;
}
