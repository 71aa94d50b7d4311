/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The public certificates of one's own users in one file or folder, in the
 * forms that other gateways, mail programs and directories read.
 */
#include "cli/bundle.h"

#include <string.h>
#include <sys/stat.h>

#include "cli/out.h"
#include "cli/rows.h"
#include "keystore/export.h"

#define PUBLIC_MODE 0644

enum form { FORM_PEM, FORM_P7B, FORM_LDIF, FORM_DER };

struct bundling {
	struct cli *c;
	const struct bundle *b;
	enum form form;
	struct export_set set;
	struct out_dir dir;
	struct out_file one;
	size_t users; /* certificates that are no CA's */
};

/* ---- which ---- */

/* A certificate of two local domains comes with each of them. */
static bool is_first(const struct bundling *x, const struct cert *cert,
    const char *what)
{
	const struct config *conf = x->c->config;
	size_t i, k;

	if (x->b->what != NULL)
		return true;
	for (i = 0; i < conf->domains; i++)
		for (k = 0; k < cert_addresses(cert); k++)
			if (strcmp(addr_domain(cert_address(cert, k)),
			    conf->domain[i]) == 0)
				return strcmp(conf->domain[i], what + 1) == 0;
	return false;
}

static int collect(struct bundling *x, const char *what)
{
	bool chain = x->form <= FORM_P7B && x->dir.fd == -1;
	int64_t now = cli_now(x->c);
	struct rows rows = { 0 };
	struct err e = { 0 };
	size_t i;
	int rc = rows_read(x->c, what, &rows);

	for (i = 0; rc == EX_OK && i < rows.n; i++) {
		const struct ks_row *r = &rows.row[i];

		if (r->state != KS_USABLE || cert_is_ca(r->cert) ||
		    (r->use & (KS_SIGN | KS_ENCRYPT)) == 0 ||
		    now >= cert_not_after(r->cert) ||
		    now < cert_not_before(r->cert) ||
		    !is_first(x, r->cert, what))
			continue;
		x->users++;
		if (export_collect(x->c->ks, r->cert, chain, &x->set, &e)
		    != 0)
			rc = cli_fail(&e);
	}
	rows_free(&rows);
	return rc;
}

static int collect_all(struct bundling *x)
{
	const struct config *conf = x->c->config;
	char what[260] = "@";
	size_t i;
	int rc = EX_OK;

	if (x->b->what != NULL)
		return collect(x, x->b->what);
	for (i = 0; rc == EX_OK && i < conf->domains; i++) {
		text_set(what + 1, sizeof(what) - 1, conf->domain[i]);
		rc = collect(x, what);
	}
	return rc;
}

/* ---- writing ---- */

static int put_cert(struct bundling *x, const struct cert *cert,
    struct buf *out, struct err *e)
{
	struct cert *one = cert_keep(cert);
	int rc = 0;

	switch (x->form) {
	case FORM_PEM:
		rc = export_pem(NULL, cert, false, out, e);
		break;
	case FORM_P7B:
		rc = export_p7b(&one, 1, out, e);
		break;
	case FORM_LDIF:
		rc = export_ldif(cert, out, e);
		break;
	case FORM_DER:
		buf_putv(out, cert_der(cert));
		break;
	}
	cert_free(&one);
	return rc == 0 ? buf_ok(out, e) : rc;
}

static int write_files(struct bundling *x, struct err *e)
{
	static const char *const end[] = {
		[FORM_PEM] = ".pem",
		[FORM_P7B] = ".p7b",
		[FORM_LDIF] = ".ldif",
		[FORM_DER] = ".cer",
	};
	char name[OUT_NAME];
	struct buf out;
	bool there;
	size_t i;
	int rc = 0;

	for (i = 0; rc == 0 && i < x->set.n; i++) {
		const struct cert *cert = x->set.v[i];

		if (cert_addresses(cert) == 0)
			continue;
		buf_init(&out, CAP_IMPORT_FILE);
		rc = put_cert(x, cert, &out, e);
		if (rc == 0)
			rc = out_dir_put(&x->dir, out_name(name,
			    cert_address(cert, 0), cert_sha256(cert),
			    end[x->form]), PUBLIC_MODE, buf_view(&out),
			    &there, e);
		buf_free(&out);
	}
	return rc;
}

static int write_one(struct bundling *x, struct err *e)
{
	struct buf out;
	size_t i;
	int rc = 0;

	buf_init(&out, (size_t)1 << 30);
	if (x->form == FORM_P7B)
		rc = export_p7b(x->set.v, x->set.n, &out, e);
	else
		for (i = 0; rc == 0 && i < x->set.n; i++)
			rc = put_cert(x, x->set.v[i], &out, e);
	/* What could not be written has been said. */
	if (rc == 0 && x->one.fd == -1)
		rc = cli_print(&out) == EX_OK ? 0 : err_set(e, FAIL_TEMP,
		    "the bundle is not whole");
	else if (rc == 0)
		rc = out_file_write(&x->one, buf_view(&out)) == EX_OK ? 0 :
		    err_set(e, FAIL_TEMP, "the bundle is not whole");
	buf_free(&out);
	return rc;
}

static bool is_folder(const char *path)
{
	struct stat st;
	size_t n = strlen(path);

	return (n > 0 && path[n - 1] == '/') ||
	    (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static int open_out(struct bundling *x)
{
	const char *out = x->b->out;

	if (out == NULL)
		return EX_OK;
	return is_folder(out) ? out_dir_open(&x->dir, out, 0755) :
	    out_file_open(&x->one, out, PUBLIC_MODE);
}

static int run(struct bundling *x)
{
	struct err e = { 0 };
	int rc = cli_config(x->c);

	if (rc == EX_OK)
		rc = open_out(x);
	if (rc == EX_OK)
		rc = cli_keystore(x->c, KS_READ);
	if (rc == EX_OK)
		rc = collect_all(x);
	if (rc == EX_OK && x->users == 0)
		rc = cli_say(EX_DATAERR, "%s: no certificate is in use; "
		    "\"postseal cert list\" shows which there are",
		    x->b->what != NULL ? x->b->what : "local-domains");
	if (rc == EX_OK && x->form == FORM_DER && x->users > 1 &&
	    x->dir.fd == -1)
		rc = cli_say(EX_USAGE, "--format der: a file holds one "
		    "certificate, there are %zu; name a folder with --out",
		    x->users);
	if (rc == EX_OK && (x->dir.fd != -1 ? write_files(x, &e) :
	    write_one(x, &e)) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK && x->b->out != NULL)
		printf("%s: %zu %s%s\n", x->b->out, x->users,
		    x->users == 1 ? "certificate" : "certificates",
		    x->set.n > x->users ? " and the CAs above" : "");
	return rc;
}

int bundle_export(struct cli *c, const struct bundle *b)
{
	static const char *const name[] = { "pem", "p7b", "ldif", "der" };
	struct bundling x = { .c = c, .b = b, .one = OUT_FILE_INIT,
	    .dir = OUT_DIR_INIT };
	size_t i;
	int rc;

	for (i = 0; b->format != NULL && i < ARRAY_LEN(name); i++)
		if (strcmp(name[i], b->format) == 0)
			break;
	if (i == ARRAY_LEN(name))
		return cli_usage(c, "--format %s: want pem, p7b, ldif or der",
		    b->format);
	x.form = (enum form)i;
	rc = run(&x);
	out_file_close(&x.one, rc == EX_OK);
	out_dir_close(&x.dir);
	export_set_free(&x.set);
	return rc;
}
