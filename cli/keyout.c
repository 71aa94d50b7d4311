/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal key export: keys as PKCS#12, of one user into a file, or of many
 * into a folder with a password each.
 */
#include "cli/keyout.h"

#include <string.h>

#include "cli/csv.h"
#include "cli/out.h"
#include "cli/rows.h"
#include "cli/users.h"
#include "keystore/export.h"
#include "util/ossl.h"

#define P12_MODE 0600
#define PASSWORD_GROUPS 5 /* of four characters of 5 bits: 100 bits */

struct keyout {
	struct cli *c;
	const char *email, *file, *out, *password_file, *list; /* as typed */
	bool all, old_clients;
	unsigned use; /* 0 = both, or what there is */
	struct users users;
	struct out_file one;
	struct out_dir dir;
	struct out_file passwords;
	struct buf password; /* the one for all, or of the file at hand */
	size_t made, there, lacking;
};

/*
 * Newest first: the one that signs or encrypts today, else the newest with a
 * key at all, because an expired key still opens old mail.
 */
static const struct cert *choose(unsigned use, const struct rows *rows,
    int64_t now)
{
	const struct cert *old = NULL;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		const struct ks_row *r = &rows->row[i];

		if ((r->use & use) != use)
			continue;
		if (r->state == KS_USABLE && now <= cert_not_after(r->cert))
			return r->cert;
		if (old == NULL)
			old = r->cert;
	}
	return old;
}

static int make_p12(struct keyout *x, const struct cert *cert,
    struct buf *p12, struct err *e)
{
	struct view secret = buf_view(&x->c->secret);
	const char *password = buf_str(&x->password);

	return x->old_clients ?
	    export_p12_old(x->c->ks, secret, cert, password, p12, e) :
	    export_p12(x->c->ks, secret, cert, password, p12, e);
}

/* ---- one ---- */

static int write_one(struct keyout *x, const struct cert *cert)
{
	struct err e = { 0 };
	struct buf p12;
	int rc;

	buf_init_secret(&p12, 1u << 20);
	if (make_p12(x, cert, &p12, &e) != 0)
		rc = cli_fail(&e);
	else
		rc = out_file_write(&x->one, buf_view(&p12));
	if (rc == EX_OK)
		printf("%s: certificate %.16s of %s with its key and chain\n",
		    x->out, cert_sha256_hex(cert), x->users.v[0].email.text);
	buf_free(&p12);
	return rc;
}

static int export_one(struct keyout *x)
{
	const char *address = x->users.v[0].email.text;
	struct rows rows = { .only_keys = true };
	const struct cert *cert;
	int rc;

	rc = rows_read(x->c, address, &rows);
	if (rc == EX_OK) {
		cert = choose(x->use, &rows, cli_now(x->c));
		rc = cert != NULL ? write_one(x, cert) :
		    cli_say(EX_DATAERR, "%s: no certificate with a private "
		    "key%s; \"postseal key list\" shows which there are",
		    address, x->use != 0 ? " and this use" : "");
	}
	rows_free(&rows);
	return rc;
}

/* ---- many ---- */

/* Without l and o, which people read as 1 and 0. */
static void make_password(struct buf *out)
{
	static const char letters[32] = { "abcdefghijkmnpqrstuvwxyz23456789" };
	unsigned char raw[4 * PASSWORD_GROUPS];
	size_t i;

	ossl_random(raw, sizeof(raw));
	buf_clear(out);
	for (i = 0; i < sizeof(raw); i++) {
		if (i > 0 && i % 4 == 0)
			buf_putc(out, '-');
		buf_putc(out, letters[raw[i] % 32]);
	}
	ossl_wipe(raw, sizeof(raw));
}

/* Before the file itself: a password of no file does no harm, a file of no
 * password does. */
static int put_password(struct keyout *x, const struct addr *a,
    const char *name)
{
	struct buf line;
	int rc;

	if (x->list == NULL)
		return EX_OK;
	make_password(&x->password);
	buf_init_secret(&line, 8192);
	csv_put(&line, a->text);
	buf_putc(&line, ',');
	csv_put(&line, name);
	buf_printf(&line, ",%s\r\n", buf_str(&x->password));
	rc = out_file_write(&x->passwords, buf_view(&line));
	buf_free(&line);
	return rc;
}

static int write_named(struct keyout *x, const struct addr *a,
    const struct cert *cert)
{
	char name[OUT_NAME];
	struct err e = { 0 };
	struct buf p12;
	bool there;
	int rc;

	(void)out_name(name, a, cert_sha256(cert), ".p12");
	if (out_dir_has(&x->dir, name, &there, &e) != 0)
		return cli_fail(&e);
	if (there) {
		x->there++;
		return EX_OK;
	}
	rc = put_password(x, a, name);
	if (rc != EX_OK)
		return rc;
	buf_init_secret(&p12, 1u << 20);
	if (make_p12(x, cert, &p12, &e) != 0 || out_dir_put(&x->dir, name,
	    P12_MODE, buf_view(&p12), &there, &e) != 0)
		rc = cli_fail(&e);
	else
		x->made++;
	buf_free(&p12);
	return rc;
}

/* What signs and what encrypts today may be two. */
static int export_user(struct keyout *x, const struct addr *a)
{
	int64_t now = cli_now(x->c);
	struct rows rows = { .only_keys = true };
	const struct cert *one = NULL, *two = NULL;
	int rc = rows_read(x->c, a->text, &rows);

	if (rc == EX_OK && x->use != 0)
		one = choose(x->use, &rows, now);
	if (rc == EX_OK && x->use == 0) {
		one = choose(KS_ENCRYPT, &rows, now);
		two = choose(KS_SIGN, &rows, now);
		if (one == NULL)
			one = two != NULL ? two : choose(0, &rows, now);
	}
	if (rc == EX_OK && one == NULL) {
		x->lacking++;
		if (!x->all)
			(void)cli_say(0, "%s: no certificate with a private "
			    "key%s", a->text, x->use != 0 ?
			    " and this use" : "");
	}
	if (rc == EX_OK && one != NULL)
		rc = write_named(x, a, one);
	if (rc == EX_OK && two != NULL && two != one)
		rc = write_named(x, a, two);
	rows_free(&rows);
	return rc;
}

static int export_many(struct keyout *x)
{
	struct progress p = { .what = "users" };
	size_t i;
	int rc = EX_OK;

	if (x->all)
		rc = users_local(x->c, &x->users);
	p.of = x->users.n;
	for (i = 0; rc == EX_OK && i < x->users.n; i++) {
		progress_show(&p, i);
		rc = export_user(x, &x->users.v[i].email);
	}
	if (rc == EX_OK)
		progress_show(&p, i);
	if (rc != EX_OK || x->made > 0)
		printf("%zu %s written to %s%s%s\n", x->made, x->made == 1 ?
		    "file" : "files", x->out, x->list != NULL ?
		    ", their passwords to " : "",
		    x->list != NULL ? x->list : "");
	if (x->there > 0)
		printf("%zu were there already and stay as they are\n",
		    x->there);
	if (rc == EX_OK && x->made + x->there == 0)
		return cli_say(EX_DATAERR, "nobody has a certificate with a "
		    "private key%s; \"postseal key list\" shows which there "
		    "are", x->use != 0 ? " and this use" : "");
	return rc == EX_OK && x->lacking > 0 && !x->all ? EX_DATAERR : rc;
}

/* ---- the verb ---- */

static int open_files(struct keyout *x)
{
	int rc;

	if (x->email != NULL)
		return out_file_open(&x->one, x->out, P12_MODE);
	rc = out_dir_open(&x->dir, x->out, 0700);
	if (rc == EX_OK && x->list != NULL)
		rc = out_file_open(&x->passwords, x->list, P12_MODE);
	return rc;
}

static int read_password(struct keyout *x)
{
	int rc;

	if (x->list != NULL)
		return EX_OK;
	rc = cli_password(x->password_file, x->email != NULL ?
	    "Password for the new file: " : "Password for all new files: ",
	    true, &x->password);
	if (rc == EX_USAGE && x->email == NULL)
		(void)cli_say(0, "or --password-list-out FILE, which gives "
		    "each file a password of its own");
	if (rc == EX_OK && x->password.n == 0)
		rc = cli_say(EX_DATAERR, "an empty password protects "
		    "nothing");
	return rc;
}

static int run(struct keyout *x)
{
	int rc = cli_config(x->c);

	if (rc == EX_OK && x->email != NULL)
		rc = users_one(x->c, x->email, NULL, true, &x->users);
	else if (rc == EX_OK && x->file != NULL)
		rc = users_read(x->c, x->file, true, &x->users);
	if (rc == EX_OK)
		rc = read_password(x);
	if (rc == EX_OK)
		rc = open_files(x);
	if (rc == EX_OK)
		rc = cli_keystore(x->c, KS_READ);
	if (rc == EX_OK)
		rc = cli_secret(x->c);
	if (rc == EX_OK)
		rc = x->email != NULL ? export_one(x) : export_many(x);
	out_file_close(&x->one, rc == EX_OK);
	out_file_close(&x->passwords, x->made > 0);
	out_dir_close(&x->dir);
	return rc;
}

static int check(struct keyout *x, const char *use)
{
	struct cli *c = x->c;
	int rc = EX_OK;

	if ((x->email != NULL) + (x->file != NULL) + x->all != 1)
		return cli_usage(c, "want one of --email ADDRESS, --users "
		    "FILE and --all");
	if (x->out == NULL)
		return cli_usage(c, "--out is needed: the file, or the "
		    "folder for many");
	if (x->list != NULL && (x->email != NULL || x->password_file != NULL))
		return cli_usage(c, "--password-list-out makes a password for "
		    "each of many; leave --email and --password-file out");
	if (use != NULL)
		rc = users_use(c, use, &x->use);
	return rc;
}

int keyout_verb(struct cli *c, int argc, char **argv)
{
	struct keyout x = { .c = c, .one = OUT_FILE_INIT,
	    .dir = OUT_DIR_INIT, .passwords = OUT_FILE_INIT };
	struct cli_list rest = { NULL, 0 };
	const char *use = NULL;
	const struct cli_opt opt[] = {
		{ "--email", NULL, &x.email, NULL },
		{ "--users", NULL, &x.file, NULL },
		{ "--all", &x.all, NULL, NULL },
		{ "--use", NULL, &use, NULL },
		{ "--out", NULL, &x.out, NULL },
		{ "--password-file", NULL, &x.password_file, NULL },
		{ "--password-list-out", NULL, &x.list, NULL },
		{ "--old-clients", &x.old_clients, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	buf_init_secret(&x.password, 4096);
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = check(&x, use);
	if (rc == EX_OK)
		rc = run(&x);
	users_free(&x.users);
	buf_free(&x.password);
	cli_list_free(&rest);
	return rc;
}
