/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal status: what is there, what will end, who lacks what.
 */
#include "gateway/attention.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "keystore/life.h"
#include "util/json.h"
#include "util/ossl.h"
#include "util/when.h"

#define PRINT_MAX ((size_t)64 << 20)
#define DEFAULT_DAYS 30
#define DAY ((int64_t)86400)

struct status {
	int64_t now, before_s;
	struct life_counts n;
	struct life_partners partners;
};

static int count(struct cli *c, struct status *s)
{
	struct err e = { 0 };

	if (life_count(c->ks, s->now, &s->n, &e) != 0 ||
	    life_partners(c->ks, s->now, s->before_s, &s->partners, &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

/* ---- for people ---- */

static void print_certificates(const struct status *s, struct buf *out)
{
	const struct life_counts *n = &s->n;

	buf_printf(out, "certificates   %zu, %zu with a key, %zu trusted %s, "
	    "%zu expired\n", n->certs, n->with_key, n->anchors,
	    n->anchors == 1 ? "root" : "roots", n->expired);
	buf_printf(out, "partners       %zu addresses, %zu more end within "
	    "%lld days, %zu have ended\n", s->partners.valid,
	    s->partners.soon, (long long)(s->before_s / DAY),
	    s->partners.expired);
	if (n->harvested + n->pending > 0)
		buf_printf(out, "harvested      %zu in use, %zu waiting\n",
		    n->harvested, n->pending);
	if (n->requests > 0)
		buf_printf(out, "requests       %zu keys wait for a "
		    "certificate\n", n->requests);
}

static void print_lists(const struct status *s, struct buf *out)
{
	char date[WHEN_SIZE];

	buf_printf(out, "CRLs           %zu, %zu stale", s->n.crls,
	    s->n.stale_crls);
	if (s->n.next_crl != 0)
		buf_printf(out, ", the next ends %s", when_timestamp(date,
		    s->n.next_crl));
	buf_putc(out, '\n');
	if (s->n.fetches > 0)
		buf_printf(out, "fetched        %zu, %zu of them failed last "
		    "time\n", s->n.fetches, s->n.failed_fetches);
}

static int print_text(struct cli *c, const struct status *s, struct buf *out)
{
	const char *warning = ossl_version_warning();
	struct err e = { 0 };
	size_t items;

	buf_printf(out, "configuration  %s\n", c->config->path);
	buf_printf(out, "keystore       %s\n", c->config->keystore);
	print_certificates(s, out);
	print_lists(s, out);
	buf_printf(out, "notices        %s\n", c->config->notice_to != NULL ?
	    c->config->notice_to : "none are sent");
	buf_printf(out, "OpenSSL        %s\n", ossl_version());
	if (warning != NULL)
		buf_printf(out, "warning        %s\n", warning);
	if (attention_print(c->ks, c->config, s->now, s->before_s, out,
	    &items, &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

/* ---- for programs ---- */

static void size_member(struct json *j, const char *key, size_t n)
{
	json_int(j, key, (int64_t)n);
}

static void time_member(struct json *j, const char *key, int64_t at)
{
	char date[WHEN_SIZE];

	json_str(j, key, at != 0 ? when_timestamp(date, at) : NULL);
}

static void json_counts(struct json *j, const struct status *s)
{
	const struct life_counts *n = &s->n;

	json_object(j, "certificates");
	size_member(j, "all", n->certs);
	size_member(j, "with_key", n->with_key);
	size_member(j, "anchors", n->anchors);
	size_member(j, "expired", n->expired);
	size_member(j, "pending", n->pending);
	size_member(j, "distrusted", n->distrusted);
	size_member(j, "superseded", n->superseded);
	size_member(j, "harvested", n->harvested);
	json_end_object(j);
	json_object(j, "partners");
	size_member(j, "valid", s->partners.valid);
	size_member(j, "ending", s->partners.soon);
	size_member(j, "ended", s->partners.expired);
	time_member(j, "next_end", s->partners.next);
	json_end_object(j);
	json_object(j, "requests");
	size_member(j, "waiting", n->requests);
	time_member(j, "oldest", n->oldest_request);
	json_end_object(j);
	json_object(j, "crls");
	size_member(j, "all", n->crls);
	size_member(j, "stale", n->stale_crls);
	time_member(j, "next_end", n->next_crl);
	json_end_object(j);
	json_object(j, "fetched");
	size_member(j, "all", n->fetches);
	size_member(j, "failed", n->failed_fetches);
	json_end_object(j);
}

static int on_attention(void *arg, const struct attention *a, struct err *e)
{
	struct json *j = arg;

	(void)e;
	json_object(j, NULL);
	json_str(j, "kind", attention_str(a->kind));
	json_str(j, "what", a->what[0] != '\0' ? a->what : NULL);
	time_member(j, "time", a->at);
	json_str(j, "text", a->text);
	json_end_object(j);
	return 0;
}

static int print_json(struct cli *c, const struct status *s, struct buf *out)
{
	struct err e = { 0 };
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_str(&j, "configuration", c->config->path);
	json_str(&j, "keystore", c->config->keystore);
	json_counts(&j, s);
	json_str(&j, "notices", c->config->notice_to);
	json_str(&j, "openssl", ossl_version());
	json_str(&j, "openssl_warning", ossl_version_warning());
	json_array(&j, "attention");
	if (attention_list(c->ks, c->config, s->now, s->before_s,
	    on_attention, &j, &e) != 0)
		return cli_fail(&e);
	json_end_array(&j);
	json_end_object(&j);
	buf_putc(out, '\n');
	return EX_OK;
}

static int read_days(struct cli *c, const char *text, struct status *s)
{
	char *end;
	long x;

	s->before_s = DEFAULT_DAYS * DAY;
	if (text == NULL)
		return EX_OK;
	x = strtol(text, &end, 10);
	if (end == text || *end != '\0' || x < 1 || x > 3660)
		return cli_usage(c, "--days %s: want a number of days, 1 to "
		    "3660", text);
	s->before_s = x * DAY;
	return EX_OK;
}

int cmd_status(struct cli *c, int argc, char **argv)
{
	bool json = false;
	const char *days = NULL;
	struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ "--days", NULL, &days, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct cli_list rest = { 0 };
	struct status s = { 0 };
	struct buf out;
	int rc = cli_options(c, argc, argv, opt, &rest);

	buf_init(&out, PRINT_MAX);
	if (rc == EX_OK && rest.n != 0)
		rc = cli_usage(c, "status takes no arguments");
	if (rc == EX_OK)
		rc = read_days(c, days, &s);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK) {
		s.now = cli_now(c);
		rc = count(c, &s);
	}
	if (rc == EX_OK)
		rc = json ? print_json(c, &s, &out) :
		    print_text(c, &s, &out);
	if (rc == EX_OK)
		rc = cli_print(&out);
	buf_free(&out);
	cli_list_free(&rest);
	return rc;
}
