/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal explain: the verdict of a message that went through; status:
 * what is there and what will expire.
 */
#include <string.h>

#include "cli/cli.h"
#include "util/ossl.h"

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

struct counts {
	int64_t now;
	size_t certs, keys, anchors, expired;
	struct buf soon; /* lines */
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
		buf_printf(&n->soon, "  %s  %.16s  %s\n", cli_date(date, end),
		    cert_sha256_hex(r->cert), cert_subject(r->cert));
	}
	return 0;
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
	buf_printf(out, "OpenSSL        %s\n", ossl_version());
	if (warning != NULL)
		buf_printf(out, "warning        %s\n", warning);
	if (n->soon.n != 0)
		buf_printf(out, "expiring within 30 days:\n%s",
		    buf_str(&n->soon));
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
	if (rc == 0 && rest.n != 0)
		rc = cli_usage(c, "status takes no arguments");
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0) {
		n.now = cli_now(c);
		if (keystore_list(c->ks, NULL, count_row, &n, &e) != 0)
			rc = cli_fail(&e);
	}
	if (rc == 0) {
		print_counts(&n, c, &out);
		rc = cli_print(&out);
	}
	buf_free(&n.soon);
	buf_free(&out);
	cli_list_free(&rest);
	return rc;
}
