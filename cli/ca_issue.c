/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal ca: issue and renew. Certificates for mail stay in the keystore
 * with their keys, those for TLS leave in files.
 */
#include "cli/ca_int.h"

#include <string.h>

#include "cli/issue_users.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/users.h"
#include "keystore/export.h"
#include "util/proc.h"
#include "util/when.h"

#define CSR_MAX 65536

/* ---- files that go out ---- */

/* Of what the certificate is called; a name of letters and digits alone. */
static void file_name(const struct cert *c, const char *end, char dst[OUT_NAME])
{
	struct view cn;
	size_t i;

	if (cert_addresses(c) > 0) {
		(void)out_name(dst, cert_address(c, 0), cert_sha256(c), end);
		return;
	}
	(void)cert_common_names(c, &cn);
	cn = view_sub(cn, 0, OUT_NAME / 2);
	for (i = 0; i < cn.n; i++)
		dst[i] = cn.p[i] > ' ' && cn.p[i] < 0x7f &&
		    strchr("/\\*?\"'<>|:;&$`", cn.p[i]) == NULL &&
		    (i > 0 || cn.p[i] != '.') ? (char)cn.p[i] : '_';
	text_set(dst + i, OUT_NAME - i, end);
}

static int put_file(struct out_dir *d, const struct cert *c, const char *end,
    const struct buf *text)
{
	char name[OUT_NAME];
	struct err e = { 0 };
	bool there;

	file_name(c, end, name);
	if (out_dir_put(d, name, strcmp(end, ".key") == 0 ? 0600 : 0644,
	    buf_view(text), &there, &e) != 0)
		return cli_fail(&e);
	if (there)
		return cli_say(EX_CANTCREAT, "--out %s/%s: is there already; "
		    "name another folder", d->path, name);
	printf("%s/%s\n", d->path, name);
	return EX_OK;
}

/* Neither over a file that is there, nor one without the other. */
static int write_files(struct cli *c, struct out_dir *d,
    const struct cert *cert, const struct buf *key)
{
	char name[OUT_NAME];
	struct err e = { 0 };
	struct buf pem;
	bool there;
	int rc = EX_OK;

	buf_init(&pem, 1u << 20);
	file_name(cert, ".pem", name);
	if (export_pem(c->ks, cert, true, &pem, &e) != 0 ||
	    out_dir_has(d, name, &there, &e) != 0)
		rc = cli_fail(&e);
	else if (there)
		rc = cli_say(EX_CANTCREAT, "--out %s/%s: is there already; "
		    "name another folder", d->path, name);
	if (rc == EX_OK && key->n > 0)
		rc = put_file(d, cert, ".key", key);
	if (rc == EX_OK)
		rc = put_file(d, cert, ".pem", &pem);
	buf_free(&pem);
	return rc;
}

static void say_made(const struct cert *cert, const char *whom, bool in_store)
{
	char date[WHEN_SIZE];

	printf("certificate %.16s for %s (%s), valid until %s%s\n",
	    cert_sha256_hex(cert), whom, cert_key_name(cert),
	    when_date(date, cert_not_after(cert)), in_store ?
	    ", with its key in the keystore" : "");
}

/* ---- issue ---- */

struct issue_job {
	struct ca_request rq;
	struct cli_list server;
	const char *email, *client, *use, *days, *csr_file, *dir;
	const char *password_file;
	struct buf csr, key;
	struct out_dir out;
};

static int read_address(struct cli *c, const char *option, const char *text,
    struct addr *a)
{
	struct err e = { 0 };

	if (text == NULL || addr_parse(a, view_of(text), &e) == 0)
		return EX_OK;
	return cli_usage(c, "%s: %s", option, e.msg);
}

/* Exactly one of three kinds. */
static int read_kind(struct cli *c, struct issue_job *x)
{
	int n = (x->email != NULL) + (x->server.n > 0) + (x->client != NULL);

	if (n != 1)
		return cli_usage(c, "want one of --email, --tls-server, "
		    "--tls-client: whom the certificate is for");
	if (x->email != NULL)
		return read_address(c, "--email", x->email, &x->rq.email);
	x->rq.kind = x->client != NULL ? CA_TLS_CLIENT : CA_TLS_SERVER;
	x->rq.algorithm = x->rq.algorithm != NULL ? x->rq.algorithm :
	    "ec:p256";
	x->rq.key_out = &x->key;
	if (x->dir == NULL)
		return cli_usage(c, "--out DIR is needed: certificates for "
		    "TLS leave in files");
	if (x->use != NULL)
		return cli_usage(c, "--use is for mail");
	if (x->client != NULL && strchr(x->client, '@') != NULL)
		return read_address(c, "--tls-client", x->client,
		    &x->rq.email);
	x->rq.tls = x->client != NULL ? &x->client : x->server.v;
	x->rq.tls_n = x->client != NULL ? 1 : x->server.n;
	return EX_OK;
}

static int read_csr(struct issue_job *x)
{
	struct err e = { 0 };

	if (x->csr_file == NULL)
		return EX_OK;
	if (io_read_file(x->csr_file, &x->csr, &e) != 0)
		return cli_say(cli_code(&e), "--csr: %s", e.msg);
	if (x->csr.n == 0)
		return cli_say(EX_DATAERR, "--csr %s: empty", x->csr_file);
	x->rq.csr = buf_view(&x->csr);
	return EX_OK;
}

static const char *whom_of(const struct ca_request *rq)
{
	return rq->email.text[0] != '\0' ? rq->email.text : rq->tls[0];
}

static int issue(struct cli *c, struct issue_job *x)
{
	struct cert *cert = NULL;
	struct ca *ca = NULL;
	struct err e = { 0 };
	int rc;

	rc = read_csr(x);
	if (rc == EX_OK && x->dir != NULL)
		rc = out_dir_open(&x->out, x->dir, 0700);
	if (rc == EX_OK)
		rc = cli_ca(c, x->password_file, &ca);
	if (rc == EX_OK && x->rq.kind == CA_MAIL)
		rc = cli_secret_to_seal(c);
	if (rc == EX_OK && keystore_begin(c->ks, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && ca_certify(ca, &x->rq, &cert, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && x->dir != NULL)
		rc = write_files(c, &x->out, cert, &x->key);
	if (rc == EX_OK && keystore_commit(c->ks, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		say_made(cert, whom_of(&x->rq), x->rq.kind == CA_MAIL &&
		    x->csr_file == NULL);
	else if (c->ks != NULL)
		keystore_rollback(c->ks);
	out_dir_close(&x->out);
	cert_free(&cert);
	ca_close(&ca);
	return rc;
}

int ca_issue_verb(struct cli *c, int argc, char **argv)
{
	struct issue_job x = { .out = { .fd = -1, .helper = -1 } };
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--email", NULL, &x.email, NULL },
		{ "--tls-server", NULL, NULL, &x.server },
		{ "--tls-client", NULL, &x.client, NULL },
		{ "--name", NULL, &x.rq.name, NULL },
		{ "--algorithm", NULL, &x.rq.algorithm, NULL },
		{ "--use", NULL, &x.use, NULL },
		{ "--days", NULL, &x.days, NULL },
		{ "--csr", NULL, &x.csr_file, NULL },
		{ "--out", NULL, &x.dir, NULL },
		{ "--password-file", NULL, &x.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	if (issue_users_wanted(argc, argv))
		return issue_users_verb(c, argc, argv);
	buf_init(&x.csr, CSR_MAX);
	buf_init_secret(&x.key, 65536);
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && x.csr_file != NULL && x.rq.algorithm != NULL)
		rc = cli_usage(c, "--algorithm: the request has its key");
	if (rc == EX_OK)
		rc = read_kind(c, &x);
	if (rc == EX_OK)
		rc = users_use(c, x.use, &x.rq.use);
	if (rc == EX_OK)
		rc = ca_days(c, x.days, &x.rq.days);
	if (x.rq.algorithm == NULL)
		x.rq.algorithm = "rsa:2048";
	if (rc == EX_OK)
		rc = issue(c, &x);
	cli_list_free(&x.server);
	cli_list_free(&rest);
	buf_free(&x.csr);
	buf_free(&x.key);
	return rc;
}

/* ---- renew ---- */

struct renew_job {
	struct ca_renewal how;
	const char *what, *email, *days, *dir, *password_file;
	struct buf key;
	struct out_dir out;
};

int ca_find_one(struct cli *c, const char *what, struct ks_row *row)
{
	struct rows rows = { 0 };
	int rc = rows_read(c, what, &rows);

	if (rc == EX_OK && rows.n == 0)
		rc = rows_none(what, false);
	else if (rc == EX_OK && rows.n > 1)
		rc = cli_say(EX_DATAERR, "%s: %zu certificates; name one by "
		    "its SHA-256, which \"postseal ca list\" shows", what,
		    rows.n);
	if (rc == EX_OK) {
		*row = rows.row[0];
		row->cert = cert_ref(row->cert);
	}
	rows_free(&rows);
	return rc;
}

struct newest {
	const char *address;
	struct addr a;
	int64_t not_before;
	struct cert *cert; /* owned */
};

static int take_newer(void *arg, const struct ca_issued *i, struct err *e)
{
	struct newest *n = arg;

	(void)e;
	if (i->cert == NULL || i->kind != CA_MAIL || i->revoked ||
	    !cert_has_address(i->cert, &n->a, ADDR_FOLD_LOCAL) ||
	    (n->cert != NULL && cert_not_before(i->cert) <= n->not_before))
		return 0;
	cert_free(&n->cert);
	n->cert = cert_keep(i->cert);
	n->not_before = cert_not_before(i->cert);
	return 0;
}

/* Of an address the newest that the CA issued and that is not revoked. */
static int find_by_address(struct cli *c, const char *email,
    struct cert **out)
{
	struct newest n = { .address = email };
	struct err e = { 0 };

	if (addr_parse(&n.a, view_of(email), &e) != 0)
		return cli_usage(c, "--email: %s", e.msg);
	if (ca_list(c->ks, take_newer, &n, &e) != 0)
		return cli_fail(&e);
	*out = n.cert;
	return n.cert != NULL ? EX_OK : cli_say(EX_DATAERR, "%s: the CA "
	    "issued no certificate for it that could be renewed; \"postseal "
	    "ca list\" shows all", email);
}

static int find_old(struct cli *c, const struct renew_job *x,
    struct cert **out)
{
	struct ks_row row = { 0 };
	int rc;

	if (x->email != NULL)
		return find_by_address(c, x->email, out);
	rc = ca_find_one(c, x->what, &row);
	if (rc == EX_OK)
		*out = cert_ref(row.cert);
	ks_row_free(&row);
	return rc;
}

static int renew_old(struct cli *c, struct renew_job *x, struct ca *ca,
    struct cert *old)
{
	const char *whom = cert_addresses(old) > 0 ?
	    cert_address(old, 0)->text : cert_subject(old);
	struct cert *cert = NULL;
	struct err e = { 0 };
	int rc = EX_OK;

	if (!cert_eku_mail(old) && x->dir == NULL)
		return cli_usage(c, "--out DIR is needed: certificates for "
		    "TLS leave in files");
	if (cert_eku_mail(old) && x->dir != NULL && x->how.new_key)
		return cli_usage(c, "--out: a mail key stays in the "
		    "keystore; \"postseal key export\" writes it");
	if (keystore_begin(c->ks, &e) != 0)
		return cli_fail(&e);
	if (ca_renew(ca, old, &x->how, &cert, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && x->dir != NULL)
		rc = write_files(c, &x->out, cert, &x->key);
	if (rc == EX_OK && keystore_commit(c->ks, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		say_made(cert, whom, x->key.n == 0 && x->how.new_key);
	else
		keystore_rollback(c->ks);
	cert_free(&cert);
	return rc;
}

static int renew(struct cli *c, struct renew_job *x)
{
	struct cert *old = NULL;
	struct ca *ca = NULL;
	int rc = EX_OK;

	if (x->dir != NULL)
		rc = out_dir_open(&x->out, x->dir, 0700);
	if (rc == EX_OK)
		rc = cli_ca(c, x->password_file, &ca);
	if (rc == EX_OK)
		rc = cli_secret_to_seal(c);
	if (rc == EX_OK)
		rc = find_old(c, x, &old);
	if (rc == EX_OK)
		rc = renew_old(c, x, ca, old);
	out_dir_close(&x->out);
	cert_free(&old);
	ca_close(&ca);
	return rc;
}

int ca_renew_verb(struct cli *c, int argc, char **argv)
{
	struct renew_job x = { .out = { .fd = -1, .helper = -1 } };
	struct cli_list rest = { NULL, 0 };
	const struct cli_opt opt[] = {
		{ "--email", NULL, &x.email, NULL },
		{ "--days", NULL, &x.days, NULL },
		{ "--new-key", &x.how.new_key, NULL, NULL },
		{ "--replace", &x.how.replace, NULL, NULL },
		{ "--out", NULL, &x.dir, NULL },
		{ "--password-file", NULL, &x.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	buf_init_secret(&x.key, 65536);
	x.how.key_out = &x.key;
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n + (x.email != NULL) != 1)
		rc = cli_usage(c, "want the SHA-256 of one certificate, or "
		    "--email");
	if (rc == EX_OK && rest.n == 1)
		x.what = rest.v[0];
	if (rc == EX_OK)
		rc = ca_days(c, x.days, &x.how.days);
	if (rc == EX_OK)
		rc = renew(c, &x);
	cli_list_free(&rest);
	buf_free(&x.key);
	return rc;
}
