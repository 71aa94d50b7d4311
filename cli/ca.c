/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal ca: init, passphrase, list, revoke, crl. What certifies is in
 * ca_issue.c.
 */
#include "cli/ca.h"

#include <stdlib.h>
#include <string.h>

#include "cli/ca_int.h"
#include "cli/issue_users.h"
#include "cli/out.h"
#include "util/json.h"
#include "util/proc.h"
#include "util/when.h"

#define DEFAULT_NAME "postseal CA"
#define PERMIT_ANY "any"
#define SOON_DAYS 400

int ca_number(struct cli *c, const char *option, const char *text, int *out)
{
	char *end;
	long x;

	if (text == NULL)
		return EX_OK;
	x = strtol(text, &end, 10);
	if (end == text || *end != '\0' || x < 0 || x > 100000)
		return cli_usage(c, "%s %s: not a number from 0 to 100000",
		    option, text);
	*out = (int)x;
	return EX_OK;
}

int ca_days(struct cli *c, const char *text, int *out)
{
	int rc = ca_number(c, "--days", text, out);

	if (rc == EX_OK && text != NULL && *out == 0)
		rc = cli_usage(c, "--days 0: want 1 or more");
	return rc;
}

/* ---- opening ---- */

static int ask_if_locked(struct cli *c, const char *password_file,
    struct buf *passphrase)
{
	struct err e = { 0 };
	bool locked;

	if (ca_is_locked(c->ks, &locked, &e) != 0)
		return cli_fail(&e);
	if (!locked) {
		if (password_file != NULL)
			return cli_say(0, "note: the CA's key is under no "
			    "passphrase, --password-file is not needed; "
			    "\"postseal ca passphrase\" sets one");
		return EX_OK;
	}
	return password_file != NULL ? EX_OK : cli_password(NULL,
	    "Passphrase of the CA: ", false, passphrase);
}

/* The caller's file first: opening the keystore gives up root. */
static int open_ca(struct cli *c, const char *password_file,
    struct buf *passphrase, struct ca **out)
{
	struct err e = { 0 };
	char text[256];
	int rc;

	rc = cli_config(c);
	if (rc == EX_OK && password_file != NULL)
		rc = cli_password(password_file, "", false, passphrase);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_secret(c);
	if (rc == EX_OK)
		rc = ask_if_locked(c, password_file, passphrase);
	if (rc != EX_OK)
		return rc;
	if (ca_open(out, c->ks, buf_view(&c->secret), passphrase->n > 0 ?
	    buf_str(passphrase) : NULL, &e) != 0)
		return cli_fail(&e);
	ca_expiry(*out, cli_now(c), SOON_DAYS, text, sizeof(text));
	if (text[0] != '\0')
		(void)cli_say(0, "warning: %s", text);
	return EX_OK;
}

int cli_ca(struct cli *c, const char *password_file, struct ca **out)
{
	struct buf passphrase;
	int rc;

	*out = NULL;
	buf_init_secret(&passphrase, 4096);
	rc = open_ca(c, password_file, &passphrase, out);
	buf_free(&passphrase);
	return rc;
}

/* ---- init ---- */

struct making {
	struct ca_options o;
	struct cli_list permit;
	const char *password_file;
	bool no_passphrase;
	struct buf passphrase;
};

static int new_passphrase(const char *password_file, struct buf *out)
{
	int rc = cli_password(password_file, "New passphrase of the CA: ",
	    true, out);

	if (rc == EX_OK && out->n == 0)
		rc = cli_say(EX_DATAERR, "an empty passphrase protects "
		    "nothing");
	return rc;
}

static bool permits_any(const struct cli_list *l)
{
	return l->n == 1 && strcmp(l->v[0], PERMIT_ANY) == 0;
}

/* Nothing said: the domains that are ours. Whoever trusts our root need not
 * trust us for everybody's mail. */
static int fill_permit(struct cli *c, struct making *m, struct buf *texts)
{
	const char **v;
	const char *p;
	size_t i;

	if (m->permit.n > 0)
		return EX_OK;
	for (i = 0; i < c->config->domains; i++) {
		buf_printf(texts, "@%s", c->config->domain[i]);
		buf_putc(texts, '\0');
	}
	v = calloc(c->config->domains + 1, sizeof(*v));
	if (v == NULL || texts->failed) {
		free(v);
		return cli_say(EX_OSERR, "out of memory");
	}
	p = buf_str(texts);
	for (i = 0; i < c->config->domains; i++, p += strlen(p) + 1)
		v[i] = p;
	m->permit.v = v;
	m->permit.n = c->config->domains;
	return EX_OK;
}

static int make_ca(struct cli *c, struct making *m)
{
	struct err e = { 0 };
	size_t i;

	if (!permits_any(&m->permit)) {
		m->o.permit = m->permit.v;
		m->o.permit_n = m->permit.n;
	}
	if (ca_create(c->ks, buf_view(&c->secret), m->no_passphrase ? NULL :
	    buf_str(&m->passphrase), &m->o, &e) != 0)
		return cli_fail(&e);
	printf("CA \"%s\" made; its root is trusted here. It certifies ",
	    m->o.name);
	for (i = 0; i < m->o.permit_n; i++)
		printf("%s%s", i > 0 ? ", " : "", m->o.permit[i]);
	printf("%s. Next: \"postseal ca issue --email ADDRESS\"\n",
	    m->o.permit_n > 0 ? "" : "whatever it is asked to");
	if (m->no_passphrase)
		(void)cli_say(0, "warning: the CA's key is under the "
		    "keystore's secret alone, as for trying out; \"postseal "
		    "ca passphrase\" gives it its own");
	return EX_OK;
}

static int run_init(struct cli *c, struct making *m)
{
	struct buf texts;
	int rc;

	buf_init(&texts, 1u << 20);
	buf_init_secret(&m->passphrase, 4096);
	rc = cli_config(c);
	if (rc == EX_OK && !m->no_passphrase)
		rc = new_passphrase(m->password_file, &m->passphrase);
	if (rc == EX_OK)
		rc = fill_permit(c, m, &texts);
	if (rc == EX_OK)
		rc = cli_keystore(c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_secret(c);
	if (rc == EX_OK)
		rc = make_ca(c, m);
	buf_free(&m->passphrase);
	cli_list_free(&m->permit);
	buf_free(&texts);
	return rc;
}

/* The root's pathlen says whether there is a CA below it. */
static int take_pathlen(struct making *m, int pathlen)
{
	m->o.only_root = pathlen == 0;
	m->o.depth = pathlen == 0 ? 0 : pathlen - 1;
	return EX_OK;
}

static int init_verb(struct cli *c, int argc, char **argv)
{
	struct making m = { .o = { .name = NULL } };
	const char *days = NULL, *pathlen = NULL;
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--name", NULL, &m.o.name, NULL },
		{ "--algorithm", NULL, &m.o.algorithm, NULL },
		{ "--days", NULL, &days, NULL },
		{ "--pathlen", NULL, &pathlen, NULL },
		{ "--permit", NULL, NULL, &m.permit },
		{ "--crl-url", NULL, &m.o.crl_url, NULL },
		{ "--replace", &m.o.replace, NULL, NULL },
		{ "--password-file", NULL, &m.password_file, NULL },
		{ "--no-passphrase", &m.no_passphrase, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc, path = 1;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && m.no_passphrase && m.password_file != NULL)
		rc = cli_usage(c, "--password-file and --no-passphrase: want "
		    "one of them");
	if (rc == EX_OK)
		rc = ca_days(c, days, &m.o.days);
	if (rc == EX_OK)
		rc = ca_number(c, "--pathlen", pathlen, &path);
	if (rc == EX_OK)
		rc = take_pathlen(&m, path);
	if (m.o.name == NULL)
		m.o.name = DEFAULT_NAME;
	if (rc == EX_OK)
		rc = run_init(c, &m);
	else
		cli_list_free(&m.permit);
	cli_list_free(&rest);
	return rc;
}

/* ---- passphrase ---- */

static int change_passphrase(struct cli *c, const char *old,
    const char *new_file, bool none)
{
	struct err e = { 0 };
	struct ca *ca = NULL;
	struct buf passphrase;
	int rc = EX_OK;

	buf_init_secret(&passphrase, 4096);
	rc = cli_config(c);
	if (rc == EX_OK && !none && new_file != NULL)
		rc = new_passphrase(new_file, &passphrase);
	if (rc == EX_OK)
		rc = cli_ca(c, old, &ca);
	if (rc == EX_OK && !none && new_file == NULL)
		rc = new_passphrase(NULL, &passphrase);
	if (rc == EX_OK && ca_set_passphrase(ca, none ? NULL :
	    buf_str(&passphrase), &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		printf("the CA's keys are under %s\n", none ?
		    "the keystore's secret" : "the new passphrase");
	ca_close(&ca);
	buf_free(&passphrase);
	return rc;
}

static int passphrase_verb(struct cli *c, int argc, char **argv)
{
	const char *old = NULL, *new_file = NULL;
	struct cli_list rest = { NULL, 0 };
	bool none = false;
	const struct cli_opt opt[] = {
		{ "--password-file", NULL, &old, NULL },
		{ "--new-password-file", NULL, &new_file, NULL },
		{ "--no-passphrase", &none, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && none && new_file != NULL)
		rc = cli_usage(c, "--new-password-file and --no-passphrase: "
		    "want one of them");
	if (rc == EX_OK)
		rc = change_passphrase(c, old, new_file, none);
	cli_list_free(&rest);
	return rc;
}

/* ---- list ---- */

struct ca_listing {
	struct table *table; /* or NULL: JSON */
	struct json j;
	int64_t now;
	size_t n;
};

static const char *state_of(const struct ca_issued *i, int64_t now)
{
	return i->revoked ? "REVOKED" : now > i->not_after ? "EXPIRED" :
	    "valid";
}

static void put_whom(const struct ca_issued *i, struct buf *b)
{
	if (i->cert == NULL)
		buf_puts(b, "(not in the keystore)");
	else if (cert_addresses(i->cert) > 0)
		buf_puts(b, cert_address(i->cert, 0)->text);
	else
		buf_puts(b, cert_subject(i->cert));
}

static void list_json(struct json *j, const struct ca_issued *i, int64_t now)
{
	char date[WHEN_SIZE];

	json_object(j, NULL);
	json_str(j, "sha256", i->sha256);
	json_str(j, "serial", i->serial);
	json_str(j, "kind", ca_kind_str(i->kind));
	json_str(j, "subject", i->cert != NULL ? cert_subject(i->cert) :
	    NULL);
	json_str(j, "address", i->cert != NULL && cert_addresses(i->cert) > 0
	    ? cert_address(i->cert, 0)->text : NULL);
	json_str(j, "not_after", when_timestamp(date, i->not_after));
	json_bool(j, "expired", now > i->not_after);
	json_bool(j, "revoked", i->revoked);
	json_str(j, "revoked_at", i->revoked ?
	    when_timestamp(date, i->revoked_at) : NULL);
	json_str(j, "reason", i->revoked ? i->reason : NULL);
	json_end_object(j);
}

static int list_one(void *arg, const struct ca_issued *i, struct err *e)
{
	struct ca_listing *l = arg;
	char date[WHEN_SIZE];
	struct buf b;

	(void)e;
	l->n++;
	if (l->table == NULL) {
		list_json(&l->j, i, l->now);
		return 0;
	}
	buf_init(&b, 4096);
	buf_printf(&b, "%.16s", i->sha256);
	table_cell(l->table, buf_str(&b));
	buf_clear(&b);
	put_whom(i, &b);
	table_cell(l->table, buf_str(&b));
	table_cell(l->table, ca_kind_str(i->kind));
	table_cell(l->table, when_date(date, i->not_after));
	buf_clear(&b);
	buf_puts(&b, state_of(i, l->now));
	if (i->revoked)
		buf_printf(&b, " since %s: %s", when_date(date, i->revoked_at),
		    i->reason);
	table_cell(l->table, buf_str(&b));
	buf_free(&b);
	return 0;
}

static struct table *new_table(void)
{
	static const char *const head[] = { "SHA-256", "FOR", "KIND", "UNTIL",
		"STATE" };

	return table_of(head, ARRAY_LEN(head));
}

static int print_listing(struct cli *c, bool json)
{
	struct ca_listing l = { .now = cli_now(c) };
	struct err e = { 0 };
	struct buf out;
	int rc = EX_OK;

	buf_init(&out, (size_t)1 << 28);
	json_init(&l.j, &out);
	if (!json)
		l.table = new_table();
	else
		json_array(&l.j, NULL);
	if (!json && l.table == NULL)
		rc = cli_say(EX_OSERR, "out of memory");
	if (rc == EX_OK && ca_list(c->ks, list_one, &l, &e) != 0)
		rc = cli_fail(&e);
	if (json) {
		json_end_array(&l.j);
		buf_putc(&out, '\n');
	} else if (rc == EX_OK && table_print(l.table, &out) != 0) {
		rc = cli_say(EX_OSERR, "out of memory");
	}
	if (rc == EX_OK)
		rc = cli_print(&out);
	table_free(&l.table);
	buf_free(&out);
	return rc;
}

static int list_verb(struct cli *c, int argc, char **argv)
{
	return cli_list_verb(c, argc, argv, print_listing);
}

/* ---- revoke ---- */

static int revoke(struct cli *c, const char *what, int reason,
    const char *password_file)
{
	struct ks_row row = { 0 };
	struct err e = { 0 };
	struct ca *ca = NULL;
	int rc;

	rc = cli_ca(c, password_file, &ca);
	if (rc == EX_OK)
		rc = ca_find_one(c, what, &row);
	if (rc == EX_OK && ca_revoke(ca, row.cert, reason, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		printf("%.16s %s: revoked; it counts here from now on. Next: "
		    "\"postseal ca crl --out FILE\" for everybody else\n",
		    cert_sha256_hex(row.cert), cert_addresses(row.cert) > 0 ?
		    cert_address(row.cert, 0)->text :
		    cert_subject(row.cert));
	ks_row_free(&row);
	ca_close(&ca);
	return rc;
}

static int revoke_verb(struct cli *c, int argc, char **argv)
{
	const char *reason = NULL, *password_file = NULL;
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--reason", NULL, &reason, NULL },
		{ "--password-file", NULL, &password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct err e = { 0 };
	int rc, code = 0;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n != 1)
		rc = cli_usage(c, "want the SHA-256 of one certificate, which "
		    "\"postseal ca list\" shows");
	if (rc == EX_OK && reason != NULL &&
	    ca_reason_parse(reason, &code, &e) != 0)
		rc = cli_usage(c, "--reason: %s", e.msg);
	if (rc == EX_OK)
		rc = revoke(c, rest.v[0], code, password_file);
	cli_list_free(&rest);
	return rc;
}

/* ---- crl ---- */

struct crl_job {
	bool root, der;
	int days;
	const char *file;
	struct out_file out; /* open unless file is NULL or "-" */
	const char *password_file;
};

static int write_crl(struct crl_job *x, const struct buf *der)
{
	struct err e = { 0 };
	struct buf pem;
	const struct buf *out = x->der ? der : &pem;
	int rc = EX_OK;

	buf_init(&pem, 2 * CAP_CRL);
	if (!x->der && ca_crl_pem(buf_view(der), &pem, &e) != 0)
		rc = cli_fail(&e);
	else if (strcmp(x->file, "-") == 0)
		rc = fwrite(out->p, 1, out->n, stdout) == out->n &&
		    fflush(stdout) == 0 ? EX_OK :
		    cli_say(EX_IOERR, "standard output: cannot write");
	else
		rc = out_file_write(&x->out, buf_view(out));
	if (rc == EX_OK && x->out.fd != -1)
		rc = out_file_place(&x->out);
	buf_free(&pem);
	return rc;
}

static int make_crl(struct ca *ca, struct crl_job *x)
{
	struct err e = { 0 };
	struct buf der;
	int rc = EX_OK;

	buf_init(&der, CAP_CRL);
	if (ca_crl(ca, x->root, x->days, &der, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && x->file != NULL)
		rc = write_crl(x, &der);
	if (rc == EX_OK && (x->file == NULL || strcmp(x->file, "-") != 0))
		printf("CRL made, good for %d %s%s%s\n", x->days,
		    x->days == 1 ? "day" : "days",
		    x->file != NULL ? ": " : "", x->file != NULL ? x->file :
		    "; --out FILE writes it for others");
	buf_free(&der);
	return rc;
}

static int crl_verb(struct cli *c, int argc, char **argv)
{
	struct crl_job x = { .days = CA_CRL_DAYS, .out = OUT_FILE_INIT };
	struct cli_list rest = { NULL, 0 };
	const char *days = NULL;
	const struct cli_opt opt[] = {
		{ "--days", NULL, &days, NULL },
		{ "--out", NULL, &x.file, NULL },
		{ "--der", &x.der, NULL, NULL },
		{ "--root", &x.root, NULL, NULL },
		{ "--password-file", NULL, &x.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct ca *ca = NULL;
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = ca_days(c, days, &x.days);
	/* before root is given up */
	if (rc == EX_OK && x.file != NULL && strcmp(x.file, "-") != 0)
		rc = out_file_replace(&x.out, x.file, 0644);
	if (rc == EX_OK)
		rc = cli_ca(c, x.password_file, &ca);
	if (rc == EX_OK)
		rc = make_crl(ca, &x);
	out_file_close(&x.out, false);
	ca_close(&ca);
	cli_list_free(&rest);
	return rc;
}

int cmd_ca(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "init", init_verb, "ca init [--name NAME] "
		    "[--algorithm ec:p256|ec:p384|rsa:3072|rsa:4096] "
		    "[--days N] [--pathlen N] [--permit @DOMAIN|NETWORK|any]"
		    "... [--crl-url URL] [--replace] "
		    "[--password-file F | --no-passphrase]", "" },
		{ "passphrase", passphrase_verb, "ca passphrase "
		    "[--password-file OLD] [--new-password-file NEW | "
		    "--no-passphrase]", "" },
		{ "issue", ca_issue_verb, CA_ISSUE_USAGE "\n       postseal "
		    ISSUE_USERS_USAGE, "" },
		{ "renew", ca_renew_verb, CA_RENEW_USAGE, "" },
		{ "revoke", revoke_verb, "ca revoke SHA256 [--reason "
		    "keyCompromise|superseded|cessationOfOperation|"
		    "affiliationChanged|unspecified] [--password-file F]",
		    "" },
		{ "crl", crl_verb, "ca crl [--days N] [--root] "
		    "[--out FILE|- [--der]] [--password-file F]", "" },
		{ "list", list_verb, "ca list [--json]", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
