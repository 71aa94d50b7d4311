/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal cert: import, list, show, check, export, remove, trust, distrust.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/import.h"
#include "cli/rows.h"
#include "keystore/ca.h"
#include "util/proc.h"

/* ---- import, trust ---- */

static int read_use(struct cli *c, const char *text, unsigned *use)
{
	static const struct {
		const char *name;
		unsigned use;
	} uses[] = {
		{ "both", KS_SIGN | KS_ENCRYPT | KS_STORAGE },
		{ "sign", KS_SIGN },
		{ "encrypt", KS_ENCRYPT | KS_STORAGE },
		{ "storage", KS_STORAGE },
	};
	size_t i;

	*use = 0;
	if (text == NULL)
		return EX_OK;
	for (i = 0; i < ARRAY_LEN(uses); i++)
		if (strcmp(uses[i].name, text) == 0) {
			*use = uses[i].use;
			return EX_OK;
		}
	return cli_usage(c, "--use %s: want both, sign, encrypt or storage",
	    text);
}

static int import_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct import_job job = { .path = &rest, .with_keys = true };
	const char *use = NULL;
	const struct cli_opt opt[] = {
		{ "--strict", &job.strict, NULL, NULL },
		{ "--password-file", NULL, &job.password_file, NULL },
		{ "--use", NULL, &use, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "no file given");
	if (rc == EX_OK)
		rc = read_use(c, use, &job.use);
	if (rc == EX_OK)
		rc = import_run(c, &job);
	cli_list_free(&rest);
	return rc;
}

/* All that WHAT names: at least one. */
static int find_some(struct cli *c, const char *what, struct rows *rows)
{
	int rc = rows_read(c, what, rows);

	if (rc == EX_OK && rows->n == 0)
		rc = rows_none(what, false);
	return rc;
}

/* The same for a verb whose only other argument WHAT is. */
static int find_argument(struct cli *c, const struct cli_list *rest,
    enum ks_mode mode, struct rows *rows)
{
	int rc;

	if (rest->n != 1)
		return cli_usage(c, "want an address, @domain or SHA-256");
	rc = cli_keystore(c, mode);
	if (rc == EX_OK)
		rc = find_some(c, rest->v[0], rows);
	return rc;
}

/* One certificate by SHA-256 (or address, if only one has it). */
static int find_one(struct cli *c, const char *what, struct rows *rows)
{
	int rc = find_some(c, what, rows);

	if (rc != EX_OK)
		return rc;
	if (rows->n > 1)
		return cli_say(EX_DATAERR, "%s: %zu certificates; name one "
		    "by its SHA-256, which \"postseal cert list %s\" shows",
		    what, rows->n, what);
	return EX_OK;
}

/* Trust makes a root an anchor, and lifts distrust from any. */
static int change_trust(struct keystore *ks, const struct ks_row *r, bool on,
    struct err *e)
{
	const unsigned char *sha256 = cert_sha256(r->cert);

	if (!on && r->is_anchor &&
	    keystore_set_anchor(ks, sha256, false, e) != 0)
		return -1;
	if (keystore_set_state(ks, sha256, on ? KS_USABLE : KS_DISTRUSTED,
	    e) != 0)
		return -1;
	if (on && (cert_is_ca(r->cert) || r->state != KS_DISTRUSTED))
		return keystore_set_anchor(ks, sha256, true, e);
	return 0;
}

static int set_trust(struct cli *c, const char *what, bool on)
{
	struct rows rows = { 0 };
	struct err e = { 0 };
	int rc;

	rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = find_one(c, what, &rows);
	if (rc == EX_OK && keystore_begin(c->ks, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && (change_trust(c->ks, &rows.row[0], on, &e) != 0 ||
	    keystore_commit(c->ks, &e) != 0)) {
		keystore_rollback(c->ks);
		rc = cli_fail(&e);
	}
	if (rc == EX_OK)
		printf("%.16s %s: %s\n", cert_sha256_hex(rows.row[0].cert),
		    cert_subject(rows.row[0].cert),
		    on ? "trusted" : "distrusted");
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
	struct import_job job = { .path = &rest, .anchor = true,
	    .strict = true };
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "no file and no SHA-256 given");
	if (rc == EX_OK)
		rc = check_files(&rest);
	if (rc == EX_OK && rest.n == 1 && is_fingerprint(rest.v[0]))
		rc = set_trust(c, rest.v[0], true);
	else if (rc == EX_OK)
		rc = import_run(c, &job);
	cli_list_free(&rest);
	return rc;
}

static int distrust_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = { { NULL, NULL, NULL, NULL } };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n != 1)
		rc = cli_usage(c, "want one certificate");
	if (rc == EX_OK)
		rc = set_trust(c, rest.v[0], false);
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

static int export_rows(struct cli *c, const struct rows *rows, bool chain,
    const char *file)
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
	if (rc == EX_OK && file == NULL)
		rc = cli_print(&out);
	else if (rc == EX_OK && io_write_file(file, 0644, buf_view(&out),
	    &e) != 0)
		rc = cli_say(EX_CANTCREAT, "--out %s", e.msg);
	else if (rc == EX_OK)
		printf("%s: %zu %s written\n", file, rows->n,
		    rows->n == 1 ? "certificate" : "certificates");
	buf_free(&out);
	return rc;
}

static int export_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct rows rows = { 0 };
	const char *file = NULL;
	bool chain = false;
	const struct cli_opt opt[] = {
		{ "--out", NULL, &file, NULL },
		{ "--chain", &chain, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = find_argument(c, &rest, KS_READ, &rows);
	if (rc == EX_OK)
		rc = export_rows(c, &rows, chain, file);
	rows_free(&rows);
	cli_list_free(&rest);
	return rc;
}

/* A yes typed on the terminal; without one, --yes is the only way. */
static int confirm(const struct rows *rows)
{
	size_t i, keys = 0;
	int answer;

	if (isatty(STDIN_FILENO) != 1)
		return cli_say(EX_USAGE, "%zu certificates would be removed; "
		    "--yes says that you mean it", rows->n);
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
		{ "import", import_verb, "cert import FILE...|- [--strict] "
		    "[--password-file F] [--use both|sign|encrypt|storage]",
		    "" },
		{ "list", list_verb, "cert list [--json] [WHAT]", "" },
		{ "show", show_verb, "cert show [--json] WHAT", "" },
		{ "check", check_verb, "cert check [--json] WHAT", "" },
		{ "export", export_verb,
		    "cert export WHAT [--chain] [--out FILE]", "" },
		{ "remove", remove_verb, "cert remove WHAT [--yes]", "" },
		{ "trust", trust_verb, "cert trust FILE...|SHA256", "" },
		{ "distrust", distrust_verb, "cert distrust SHA256", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
