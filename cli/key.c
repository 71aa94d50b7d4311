/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal key: import, export, list.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/import.h"
#include "cli/rows.h"
#include "keystore/ca.h"
#include "util/proc.h"

static int import_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct import_job job = { .path = &rest, .with_keys = true,
	    .only_keys = true };
	const struct cli_opt opt[] = {
		{ "--email", NULL, &job.address, NULL },
		{ "--password-file", NULL, &job.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct err e = { 0 };
	struct addr a;
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "no file given");
	if (rc == EX_OK && job.address != NULL &&
	    addr_parse(&a, view_of(job.address), &e) != 0)
		rc = cli_usage(c, "--email: %s", e.msg);
	if (rc == EX_OK)
		rc = import_run(c, &job);
	cli_list_free(&rest);
	return rc;
}

/* ---- export ---- */

struct export {
	struct addr email;
	unsigned use; /* 0 = both, or what there is */
	const char *file;
	const char *password_file;
	int fd; /* opened while we were root, or -1 */
};

/*
 * Newest first: the one that signs or encrypts today, else the newest with a
 * key at all, because an expired key still opens old mail.
 */
static const struct cert *choose(const struct export *x,
    const struct rows *rows, int64_t now)
{
	const struct cert *old = NULL;
	size_t i;

	for (i = 0; i < rows->n; i++) {
		const struct ks_row *r = &rows->row[i];

		if ((r->use & x->use) != x->use)
			continue;
		if (r->state == KS_USABLE && now <= cert_not_after(r->cert))
			return r->cert;
		if (old == NULL)
			old = r->cert;
	}
	return old;
}

/* Never over an existing file: a key file that is lost is lost. */
static int open_as_root(struct export *x)
{
	if (geteuid() != 0)
		return EX_OK;
	x->fd = open(x->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC |
	    O_NOFOLLOW, 0600);
	if (x->fd == -1)
		return cli_say(EX_CANTCREAT, "--out %s: %s", x->file,
		    errno == EEXIST ? "is there already; name another file" :
		    strerror(errno));
	return EX_OK;
}

static int write_out(struct export *x, const struct buf *p12)
{
	struct err e = { 0 };

	if (x->fd != -1) {
		if (io_write_all(x->fd, p12->p, p12->n, &e) != 0 ||
		    fsync(x->fd) != 0)
			return cli_say(EX_IOERR, "%s: %s", x->file,
			    strerror(errno));
		return EX_OK;
	}
	if (access(x->file, F_OK) == 0)
		return cli_say(EX_CANTCREAT, "%s is there already; name "
		    "another file", x->file);
	if (io_write_file(x->file, 0600, buf_view(p12), &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

static int export_cert(struct cli *c, struct export *x,
    const struct cert *cert, const char *password)
{
	struct err e = { 0 };
	struct buf p12;
	int rc = EX_OK;

	buf_init_secret(&p12, 1u << 20);
	if (export_p12(c->ks, buf_view(&c->secret), cert, password, &p12,
	    &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		rc = write_out(x, &p12);
	if (rc == EX_OK)
		printf("%s: certificate %.16s of %s with its key and chain\n",
		    x->file, cert_sha256_hex(cert), x->email.text);
	buf_free(&p12);
	return rc;
}

static int find_and_export(struct cli *c, struct export *x,
    const char *password)
{
	struct rows rows = { .only_keys = true };
	const struct cert *cert;
	int rc;

	rc = cli_keystore(c, KS_READ);
	if (rc == EX_OK)
		rc = cli_secret(c);
	if (rc == EX_OK)
		rc = rows_read(c, x->email.text, &rows);
	if (rc == EX_OK) {
		cert = choose(x, &rows, cli_now(c));
		rc = cert != NULL ? export_cert(c, x, cert, password) :
		    cli_say(EX_DATAERR, "%s: no certificate with a private "
		    "key%s; \"postseal key list\" shows which there are",
		    x->email.text, x->use != 0 ? " and this use" : "");
	}
	rows_free(&rows);
	return rc;
}

static int run_export(struct cli *c, struct export *x)
{
	struct buf password;
	int rc;

	buf_init_secret(&password, 4096);
	rc = cli_config(c);
	if (rc == EX_OK)
		rc = cli_password(x->password_file, "Password for the new "
		    "file: ", true, &password);
	if (rc == EX_OK && password.n == 0)
		rc = cli_say(EX_DATAERR, "an empty password protects "
		    "nothing");
	if (rc == EX_OK)
		rc = open_as_root(x);
	if (rc == EX_OK)
		rc = find_and_export(c, x, buf_str(&password));
	if (x->fd != -1) {
		if (rc != EX_OK && unlink(x->file) != 0)
			(void)cli_say(0, "%s: empty, remove it", x->file);
		close(x->fd);
	}
	buf_free(&password);
	return rc;
}

static int export_verb(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct export x = { .fd = -1 };
	const char *email = NULL, *use = NULL;
	const struct cli_opt opt[] = {
		{ "--email", NULL, &email, NULL },
		{ "--use", NULL, &use, NULL },
		{ "--out", NULL, &x.file, NULL },
		{ "--password-file", NULL, &x.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct err e = { 0 };
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK && (email == NULL || x.file == NULL))
		rc = cli_usage(c, "--email and --out are needed");
	if (rc == EX_OK && addr_parse(&x.email, view_of(email), &e) != 0)
		rc = cli_usage(c, "--email: %s", e.msg);
	if (rc == EX_OK && use != NULL) {
		x.use = strcmp(use, "sign") == 0 ? KS_SIGN :
		    strcmp(use, "encrypt") == 0 ? KS_ENCRYPT :
		    strcmp(use, "both") == 0 ? KS_SIGN | KS_ENCRYPT : 0;
		if (x.use == 0)
			rc = cli_usage(c, "--use %s: want both, sign or "
			    "encrypt", use);
	}
	if (rc == EX_OK)
		rc = run_export(c, &x);
	cli_list_free(&rest);
	return rc;
}

/* ---- list ---- */

static int list_verb(struct cli *c, int argc, char **argv)
{
	return rows_list_verb(c, argc, argv, true);
}

int cmd_key(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "import", import_verb, "key import FILE... [--email A] "
		    "[--password-file F]", "" },
		{ "export", export_verb, "key export --email A "
		    "[--use both|sign|encrypt] --out FILE "
		    "[--password-file F]", "" },
		{ "list", list_verb, "key list [--json] [WHAT]", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
