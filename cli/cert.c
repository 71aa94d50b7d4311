/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal cert: its verbs; here list, show, check, export, remove, trust
 * and distrust, printed by rows.c. The others are in import.c, bind.c,
 * bundle.c and pending.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bundle.h"
#include "cli/bind.h"
#include "cli/import.h"
#include "cli/lost.h"
#include "cli/out.h"
#include "cli/pending.h"
#include "cli/rows.h"
#include "keystore/export.h"
#include "util/proc.h"

/* The same for a verb whose only other argument WHAT is. */
static int find_argument(struct cli *c, const struct cli_list *rest,
    enum ks_mode mode, struct rows *rows)
{
	int rc;

	if (rest->n != 1)
		return cli_usage(c, "want an address, @domain or SHA-256");
	rc = cli_keystore(c, mode);
	if (rc == EX_OK)
		rc = rows_some(c, rest->v[0], rows);
	return rc;
}

/* What trust is given or taken for. */
struct trust {
	bool on;
	struct ks_scope scope[CAP_SCOPES];
	size_t scopes; /* 0: everything */
};

/* Trust makes a root an anchor, and lifts distrust from any. */
static int change_trust(struct keystore *ks, const struct ks_row *r,
    const struct trust *t, struct err *e)
{
	bool on = t->on;

	const unsigned char *sha256 = cert_sha256(r->cert);

	if (!on && r->is_anchor &&
	    keystore_set_anchor(ks, sha256, false, e) != 0)
		return -1;
	if (keystore_set_state(ks, sha256, on ? KS_USABLE : KS_DISTRUSTED,
	    e) != 0)
		return -1;
	if (on && (cert_is_ca(r->cert) || r->state != KS_DISTRUSTED))
		return keystore_trust(ks, sha256, t->scope, t->scopes, e);
	return 0;
}

static void print_trust(const struct ks_row *r, const struct trust *t)
{
	struct buf text;

	buf_init(&text, 65536);
	if (t->scopes > 0) {
		buf_puts(&text, " for ");
		ks_scope_text(t->scope, t->scopes, &text);
		buf_puts(&text, " only");
	}
	printf("%.16s %s: %s%s\n", cert_sha256_hex(r->cert),
	    cert_subject(r->cert), t->on ? "trusted" : "distrusted",
	    buf_str(&text));
	buf_free(&text);
}

static int set_trust(struct cli *c, const char *what, const struct trust *t)
{
	struct rows rows = { 0 };
	struct err e = { 0 };
	int rc;

	rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = rows_one(c, what, &rows);
	if (rc == EX_OK && keystore_begin(c->ks, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && (change_trust(c->ks, &rows.row[0], t, &e) != 0 ||
	    keystore_commit(c->ks, &e) != 0)) {
		keystore_rollback(c->ks);
		rc = cli_fail(&e);
	}
	if (rc == EX_OK)
		print_trust(&rows.row[0], t);
	rows_free(&rows);
	return rc;
}

static bool is_fingerprint(const char *s)
{
	size_t n = strlen(s);

	return n >= 8 && n <= 64 && access(s, F_OK) != 0 &&
	    strspn(s, "0123456789abcdefABCDEF") == n;
}

static int check_files(const struct cli_list *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		if (strcmp(l->v[i], "-") != 0 && !is_fingerprint(l->v[i]) &&
		    access(l->v[i], F_OK) != 0 && errno == ENOENT)
			return cli_say(EX_DATAERR, "%s: neither a file nor 8 "
			    "to 64 hex digits of a SHA-256, which \"postseal "
			    "cert list\" shows", l->v[i]);
	return EX_OK;
}

static int trust_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct cli_list domains = { NULL, 0 }, purposes = { NULL, 0 };
	struct trust t = { .on = true };
	struct import_job job = { .path = &rest, .anchor = true,
	    .strict = true };
	const struct cli_opt opt[] = {
		{ "--for", NULL, NULL, &domains },
		{ "--purpose", NULL, NULL, &purposes },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "no file and no SHA-256 given");
	if (rc == EX_OK)
		rc = bind_read_scopes(c, &domains, &purposes, t.scope,
		    &t.scopes);
	job.scope = t.scope;
	job.scopes = t.scopes;
	if (rc == EX_OK)
		rc = check_files(&rest);
	if (rc == EX_OK && rest.n == 1 && is_fingerprint(rest.v[0]))
		rc = set_trust(c, rest.v[0], &t);
	else if (rc == EX_OK)
		rc = import_run(c, &job);
	cli_list_free(&domains);
	cli_list_free(&purposes);
	cli_list_free(&rest);
	return rc;
}

static int distrust_verb(struct cli *c, int argc, char **argv)
{
	const struct trust none = { .on = false };
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n != 1)
		rc = cli_usage(c, "want one certificate");
	if (rc == EX_OK)
		rc = set_trust(c, rest.v[0], &none);
	cli_list_free(&rest);
	return rc;
}

/* ---- list, show ---- */

static int list_verb(struct cli *c, int argc, char **argv)
{
	return rows_list_verb(c, argc, argv, false);
}

static int show_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rows rows = { 0 };
	bool json = false;
	const struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = find_argument(c, &rest, KS_READ, &rows);
	if (rc == EX_OK)
		rc = json ? rows_json(c, &rows) : rows_show(c, &rows);
	rows_free(&rows);
	cli_list_free(&rest);
	return rc;
}

static int check_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rows rows = { 0 };
	bool json = false;
	const struct cli_opt opt[] = {
		{ "--json", &json, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = find_argument(c, &rest, KS_READ, &rows);
	if (rc == EX_OK)
		rc = rows_check(c, &rows, json);
	rows_free(&rows);
	cli_list_free(&rest);
	return rc;
}

/* ---- export, remove ---- */

/* Something else is in this file; an empty one was made for us. */
static bool is_taken(const char *file, const struct buf *new)
{
	struct err e = { 0 };
	struct stat st;
	struct buf old;
	bool taken;

	if (lstat(file, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return false;
	buf_init(&old, CAP_IMPORT_FILE);
	taken = io_read_file(file, &old, &e) != 0 ||
	    !view_eq(buf_view(&old), buf_view(new));
	buf_free(&old);
	return taken;
}

/* into is open when the file is new. */
static int write_export(const char *file, struct out_file *into,
    const struct buf *out)
{
	struct err e = { 0 };

	if (into->fd >= 0)
		return out_file_write(into, buf_view(out));
	if (is_taken(file, out))
		return cli_say(EX_CANTCREAT, "--out %s: is there already; "
		    "name another file", file);
	if (io_write_file(file, 0644, buf_view(out), &e) != 0)
		return cli_say(EX_CANTCREAT, "--out %s", e.msg);
	return EX_OK;
}

static int export_rows(struct cli *c, const struct rows *rows, bool chain,
    const char *file, struct out_file *into)
{
	struct err e = { 0 };
	struct buf out;
	size_t i;
	int rc = EX_OK;

	buf_init(&out, CAP_IMPORT_FILE);
	for (i = 0; rc == EX_OK && i < rows->n; i++)
		if (export_pem(c->ks, rows->row[i].cert, chain, &out, &e)
		    != 0)
			rc = cli_fail(&e);
	if (rc == EX_OK && file == NULL) {
		rc = cli_print(&out);
	} else if (rc == EX_OK) {
		rc = write_export(file, into, &out);
		if (rc == EX_OK)
			printf("%s: %zu %s written\n", file, rows->n,
			    rows->n == 1 ? "certificate" : "certificates");
	}
	buf_free(&out);
	return rc;
}

/* The file is made before root is given up. */
static int export_found(struct cli *c, const struct cli_list *rest,
    bool chain, const char *file)
{
	struct out_file into = OUT_FILE_INIT;
	struct rows rows = { 0 };
	struct stat st;
	int rc = EX_OK;

	if (file != NULL && lstat(file, &st) != 0)
		rc = out_file_open(&into, file, 0644);
	if (rc == EX_OK)
		rc = find_argument(c, rest, KS_READ, &rows);
	if (rc == EX_OK)
		rc = export_rows(c, &rows, chain, file, &into);
	out_file_close(&into, rc == EX_OK);
	rows_free(&rows);
	return rc;
}

static int export_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct bundle bundle = { NULL, NULL, NULL };
	bool chain = false, whole = false, all = false;
	const struct cli_opt opt[] = {
		{ "--out", NULL, &bundle.out, NULL },
		{ "--chain", &chain, NULL, NULL },
		{ "--bundle", &whole, NULL, NULL },
		{ "--all", &all, NULL, NULL },
		{ "--format", NULL, &bundle.format, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && !whole && (all || bundle.format != NULL))
		rc = cli_usage(c, "--all and --format go with --bundle");
	if (rc == EX_OK && whole && (chain || rest.n != (all ? 0 : 1)))
		rc = cli_usage(c, "--bundle wants an address, @domain or "
		    "--all, and has the chain already");
	if (rc == EX_OK && whole) {
		bundle.what = all ? NULL : rest.v[0];
		rc = bundle_export(c, &bundle);
	} else if (rc == EX_OK) {
		rc = export_found(c, &rest, chain, bundle.out);
	}
	cli_list_free(&rest);
	return rc;
}

/* A yes typed on the terminal; without one, --yes is the only way. */
static int confirm(const struct rows *rows)
{
	size_t i, keys = 0;
	int answer;

	if (isatty(STDIN_FILENO) != 1)
		return cli_say(EX_USAGE, "%zu %s would be removed; "
		    "--yes says that you mean it", rows->n,
		    rows->n == 1 ? "certificate" : "certificates");
	for (i = 0; i < rows->n; i++) {
		keys += rows->row[i].has_key;
		fprintf(stderr, "%.16s %s%s\n",
		    cert_sha256_hex(rows->row[i].cert),
		    cert_subject(rows->row[i].cert),
		    rows->row[i].has_key ? " (with private key)" : "");
	}
	fprintf(stderr, "Remove %zu certificates%s? [y/N] ", rows->n,
	    keys > 0 ? "; mail to a lost key can never be read again" : "");
	answer = getchar();
	if (answer == 'y' || answer == 'Y')
		return EX_OK;
	return cli_say(EX_USAGE, "nothing removed");
}

static int remove_rows(struct cli *c, const struct rows *rows)
{
	struct err e = { 0 };
	size_t i;

	if (keystore_begin(c->ks, &e) != 0)
		return cli_fail(&e);
	for (i = 0; i < rows->n; i++)
		if (keystore_remove(c->ks, cert_sha256(rows->row[i].cert),
		    &e) != 0) {
			keystore_rollback(c->ks);
			return cli_fail(&e);
		}
	if (keystore_commit(c->ks, &e) != 0)
		return cli_fail(&e);
	printf("%zu removed\n", rows->n);
	return EX_OK;
}

static int remove_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rows rows = { 0 };
	bool yes = false;
	const struct cli_opt opt[] = {
		{ "--yes", &yes, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = find_argument(c, &rest, KS_WRITE, &rows);
	if (rc == EX_OK)
		rc = lost_say(c, &rows);
	if (rc == EX_OK && !yes)
		rc = confirm(&rows);
	if (rc == EX_OK)
		rc = remove_rows(c, &rows);
	rows_free(&rows);
	cli_list_free(&rest);
	return rc;
}

int cmd_cert(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "import", import_cert_verb, "cert import FILE...|- "
		    IMPORT_USAGE " [--use both|sign|encrypt|storage]", "" },
		{ "list", list_verb, "cert list [--json] [WHAT]", "" },
		{ "show", show_verb, "cert show [--json] WHAT", "" },
		{ "check", check_verb, "cert check [--json] WHAT", "" },
		{ "export", export_verb,
		    "cert export WHAT [--chain] [--out FILE]\n"
		    "       postseal cert export "
		    "WHAT|--all --bundle [--format pem|p7b|ldif|der] "
		    "[--out FILE|DIR]", "" },
		{ "remove", remove_verb, "cert remove WHAT [--yes]", "" },
		{ "trust", trust_verb, "cert trust FILE...|SHA256 "
		    "[--for @DOMAIN ...] [--purpose sign|encrypt|tls ...]",
		    "" },
		{ "distrust", distrust_verb, "cert distrust SHA256", "" },
		{ "pending", pending_verb, "cert pending [--json]", "" },
		{ "approve", approve_verb, "cert approve SHA256 [--replace]",
		    "" },
		{ "reject", reject_verb, "cert reject SHA256", "" },
		{ "pin", bind_pin_verb, "cert pin ADDRESS SHA256", "" },
		{ "unpin", bind_unpin_verb, "cert unpin ADDRESS SHA256", "" },
		{ "assign", bind_assign_verb, "cert assign SHA256 @DOMAIN",
		    "" },
		{ "unassign", bind_unassign_verb,
		    "cert unassign SHA256 @DOMAIN", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
