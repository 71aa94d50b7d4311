/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal explain: the verdict of a message that went through; status:
 * what is there and what will expire.
 */
#include <string.h>

#include "cli/cli.h"
#include "keystore/revocation.h"
#include "util/ossl.h"
#include "util/when.h"

int cmd_explain(struct cli *c, int argc, char **argv)
{
	struct cli_opt none[] = {{NULL, NULL, NULL, NULL}};
	struct cli_list rest = {0};
	struct err e = {0};
	struct buf out;
	int rc = cli_options(c, argc, argv, none, &rest);

	buf_init(&out, 64u << 20);
	if (rc == 0 && rest.n != 1)
		rc = cli_usage(c, "one id is needed, ours or the mail "
		    "server's");
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0 && keystore_audit_get(c->ks, rest.v[0], &out, &e) != 0)
		rc = cli_say(cli_code(&e), "%s%s", e.msg,
		    e.kind != FAIL_INPUT ? "" : "; wanted: an id from the "
		    "log, a refusal or --json, not older than keep-audit in "
		    "postseal.conf");
	if (rc == 0) {
		buf_putc(&out, '\n');
		rc = cli_print(&out);
	}
	buf_free(&out);
	cli_list_free(&rest);
	return rc;
}

/* ---- status ---- */

#define SOON ((int64_t)30 * 86400)
#define SOON_LIST ((int64_t)7 * 86400)

struct counts {
	int64_t now;
	size_t certs, keys, anchors, expired;
	struct buf soon; /* lines */
	size_t lists, stale;
	int64_t next;		/* the first end of those that are fresh */
	struct buf soon_lists;	/* lines */
};

static int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	struct counts *n = arg;
	int64_t end = cert_not_after(r->cert);
	char date[32];

	(void)e;
	n->certs++;
	n->keys += r->has_key;
	n->anchors += r->is_anchor;
	if (end < n->now) {
		n->expired++;
	} else if (end < n->now + SOON) {
		buf_printf(&n->soon, "  %s  %.16s  %s\n", when_date(date, end),
		    cert_sha256_hex(r->cert), cert_subject(r->cert));
	}
	return 0;
}

/* A stored OCSP response lives for days by its nature: of those, none is
 * named. */
static int count_list(void *arg, const struct revocation_row *r,
    struct err *e)
{
	struct counts *n = arg;
	char date[WHEN_SIZE];

	(void)e;
	if (r->serial != NULL)
		return 0;
	n->lists++;
	if (r->next_update < n->now) {
		n->stale++;
		return 0;
	}
	if (n->next == 0 || r->next_update < n->next)
		n->next = r->next_update;
	if (r->next_update < n->now + SOON_LIST)
		buf_printf(&n->soon_lists, "  %s  %.16s  %s\n",
		    when_timestamp(date, r->next_update), r->sha256,
		    r->issuer);
	return 0;
}

static void print_lists(const struct counts *n, struct buf *out)
{
	char date[WHEN_SIZE];

	buf_printf(out, "CRLs           %zu, %zu stale", n->lists, n->stale);
	if (n->next != 0)
		buf_printf(out, ", the next ends %s", when_timestamp(date,
		    n->next));
	buf_putc(out, '\n');
}

static void print_counts(const struct counts *n, struct cli *c,
    struct buf *out)
{
	const char *warning = ossl_version_warning();

	buf_printf(out, "configuration  %s\n", c->config->path);
	buf_printf(out, "keystore       %s\n", c->config->keystore);
	buf_printf(out, "certificates   %zu, %zu with a key, %zu trusted %s, "
	    "%zu expired\n", n->certs, n->keys, n->anchors,
	    n->anchors == 1 ? "root" : "roots", n->expired);
	print_lists(n, out);
	buf_printf(out, "OpenSSL        %s\n", ossl_version());
	if (warning != NULL)
		buf_printf(out, "warning        %s\n", warning);
	if (n->soon.n != 0)
		buf_printf(out, "expiring within 30 days:\n%s",
		    buf_str(&n->soon));
	if (n->soon_lists.n != 0)
		buf_printf(out, "CRLs stale within 7 days:\n%s",
		    buf_str(&n->soon_lists));
}

int cmd_status(struct cli *c, int argc, char **argv)
{
	struct cli_opt none[] = {{NULL, NULL, NULL, NULL}};
	struct cli_list rest = {0};
	struct counts n = {0};
	struct err e = {0};
	struct buf out;
	int rc = cli_options(c, argc, argv, none, &rest);

	buf_init(&out, 16u << 20);
	buf_init(&n.soon, 8u << 20);
	buf_init(&n.soon_lists, 4u << 20);
	if (rc == 0 && rest.n != 0)
		rc = cli_usage(c, "status takes no arguments");
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0) {
		n.now = cli_now(c);
		if (keystore_list(c->ks, NULL, count_row, &n, &e) != 0 ||
		    revocation_list(c->ks, count_list, &n, &e) != 0)
			rc = cli_fail(&e);
	}
	if (rc == 0) {
		print_counts(&n, c, &out);
		rc = cli_print(&out);
	}
	buf_free(&n.soon);
	buf_free(&n.soon_lists);
	buf_free(&out);
	cli_list_free(&rest);
	return rc;
}
