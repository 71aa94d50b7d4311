/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files, folders and standard input into the keystore: the verbs cert import
 * and key import, transactions of some files each, passwords, the sandbox.
 * What an octet means, keystore/import.h finds out.
 */
#include "cli/import.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/import_int.h"
#include "util/ossl.h"
#include "util/proc.h"

/* Other writers wait no longer than this takes, but one file is never in two
 * transactions. */
#define COMMIT_FILES 1000
#define COMMIT_OBJECTS 4000
#define STEP (1u << 20) /* octets read at a time */

struct run {
	struct cli *c;
	const struct import_job *job;
	struct files files;
	struct pass_list list;
	struct import_opts opts;
	struct buf password;
	struct report report;
	bool whole;  /* nothing of the file at hand was dropped yet */
	bool locked; /* the file at hand wants a password */
};

/* ---- one file ---- */

static int report(void *arg, const char *file, const struct import_item *it)
{
	struct run *r = arg;
	char why[300];
	struct buf b;

	if (it->skipped[0] == '\0') {
		report_item(&r->report, file, it);
		return 0;
	}
	if (strcmp(it->skipped, IMPORT_LOCKED) != 0) {
		report_skipped(&r->report, file, it, it->skipped);
		return 0;
	}
	if (r->whole && r->list.n == 0 && !r->job->json &&
	    cli_stderr_is_terminal()) {
		r->locked = true;
		return -1; /* the file is begun anew */
	}
	buf_init(&b, sizeof(why) - 1);
	buf_printf(&b, r->list.n > 0 ? "encrypted, and no line for it in "
	    "--password-list %s" : IMPORT_LOCKED " with --password-file FILE",
	    r->job->password_list);
	text_set(why, sizeof(why), buf_str(&b));
	buf_free(&b);
	report_skipped(&r->report, file, it, why);
	return 0;
}

/* Up to STEP octets more, or all that there are. */
static int read_some(struct run *r, int fd, struct buf *data, bool *last,
    struct err *e)
{
	size_t want = r->report.size > 0 && r->report.size < STEP ?
	    (size_t)r->report.size + 1 : STEP, got = 0;
	unsigned char *room;
	ssize_t n;

	*last = false;
	while (got < want && !*last) {
		room = buf_room(data, want - got);
		if (room == NULL)
			return buf_ok(data, e);
		n = read(fd, room, want - got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, FAIL_INPUT, "read");
		*last = n == 0;
		data->n += (size_t)n;
		got += (size_t)n;
	}
	r->report.pos += got;
	return 0;
}

static void drop_front(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	memmove(b->p, b->p + n, b->n - n);
	ossl_wipe(b->p + b->n - n, n);
	b->n -= n;
}

static int feed(struct run *r, struct import *im, int fd, struct buf *data,
    struct err *e)
{
	bool last, dropped = false;
	size_t used;

	do {
		if (data->n >= CAP_IMPORT_FILE)
			return err_set(e, FAIL_LIMIT, "more than %u octets, "
			    "and no PEM or LDIF", CAP_IMPORT_FILE);
		if (read_some(r, fd, data, &last, e) != 0)
			return -1;
		r->whole = last && !dropped;
		if (import_feed(im, buf_view(data), last, &used, e) != 0)
			return -1;
		dropped = dropped || used > 0;
		if (!last)
			drop_front(data, used);
		report_progress(&r->report, false);
	} while (!last);
	return 0;
}

static int import_file(struct run *r, struct source *s, struct buf *data,
    struct err *e)
{
	struct import *im = NULL;
	size_t good;
	int fd, rc;

	r->report.pos = 0;
	fd = files_open(&r->files, s, &r->report.size, e);
	if (fd == -1)
		return -1;
	rc = import_begin(&im, r->c->ks, s->shown, &r->opts, e);
	if (rc == 0)
		rc = feed(r, im, fd, data, e);
	if (rc == 0)
		rc = import_keep(im, &good, e);
	import_end(&im);
	close(fd);
	r->report.size = 0;
	return rc;
}

/* A signed mail that is nothing else: its certificates. */
static int import_mail(struct run *r, const char *name, struct view data,
    struct err *e)
{
	struct err mine = { 0 };
	struct buf der;
	size_t good;
	int rc;

	buf_init(&der, CAP_IMPORT_FILE);
	rc = mail_signature(data, &der, &mine);
	if (rc == 1) {
		err_clear(e);
		rc = import_data(r->c->ks, name, buf_view(&der), &r->opts,
		    &good, e);
	} else {
		rc = -1;
	}
	buf_free(&der);
	return rc;
}

/* Ask the person at the terminal, and begin anew. */
static int import_unlocked(struct run *r, const char *name, struct view data,
    struct err *e)
{
	struct buf password, prompt;
	size_t good;
	int rc = -1;

	buf_init_secret(&password, 4096);
	buf_init(&prompt, 8192);
	buf_printf(&prompt, "Password of %s: ", name);
	err_clear(e);
	if (cli_password(NULL, buf_str(&prompt), false, &password) != EX_OK) {
		report_skipped(&r->report, name, NULL, "no password");
	} else {
		r->opts.password = buf_str(&password);
		rc = import_data(r->c->ks, name, data, &r->opts, &good, e);
		r->opts.password = NULL;
	}
	buf_free(&password);
	buf_free(&prompt);
	return rc;
}

/* The password of this file; by address only for that address. */
static void choose_password(struct run *r, const struct source *s, char *only,
    size_t size)
{
	struct pass_line *line;
	struct addr a;
	bool by_stem;

	line = passwords_find(&r->list, s->name, &by_stem);
	if (r->list.n == 0)
		return;
	r->opts.password = line != NULL ? line->password : NULL;
	r->opts.address = r->job->address;
	if (line != NULL && by_stem && r->job->address == NULL &&
	    addr_parse(&a, view_of(line->who), NULL) == 0) {
		text_set(only, size, line->who);
		r->opts.address = only;
	}
}

static int import_source(struct run *r, struct source *s, struct err *e)
{
	struct report_mark mark = report_mark(&r->report);
	char only[CAP_ADDRESS + 1];
	struct buf data;
	int rc;

	choose_password(r, s, only, sizeof(only));
	r->locked = false;
	buf_init_secret(&data, CAP_IMPORT_FILE + STEP);
	rc = import_file(r, s, &data, e);
	if (r->locked) {
		report_back(&r->report, &mark);
		rc = import_unlocked(r, s->shown, buf_view(&data), e);
	}
	/* Only if nothing at all was found: no item was named. */
	if (rc != 0 && e->kind == FAIL_INPUT && data.n > 0 && r->whole &&
	    r->report.sum.skipped == mark.sum.skipped)
		rc = import_mail(r, s->shown, buf_view(&data), e);
	buf_free(&data);
	if (rc == 0 || (e->kind != FAIL_INPUT && e->kind != FAIL_LIMIT))
		return e->kind == 0 ? 0 : rc;
	report_untake(&r->report, &mark);
	/* Perhaps every reason has been said. */
	if (r->report.sum.skipped == mark.sum.skipped ||
	    e->kind == FAIL_LIMIT)
		report_skipped(&r->report, s->shown, NULL, e->msg);
	err_clear(e);
	return 0;
}

/* ---- all of them ---- */

/* A pause in which others may write. */
static int commit_some(struct run *r, size_t *from, size_t i, struct err *e)
{
	size_t objects = r->report.sum.added + r->report.sum.keys;

	if (r->job->strict || r->job->dry_run)
		return 0;
	if ((i + 1) % COMMIT_FILES != 0 && objects - *from < COMMIT_OBJECTS)
		return 0;
	*from = objects;
	if (keystore_commit(r->c->ks, e) != 0)
		return -1;
	return keystore_begin(r->c->ks, e);
}

static int import_all(struct run *r, struct err *e)
{
	size_t i, from = 0;

	for (i = 0; i < r->files.n; i++) {
		err_clear(e);
		if (import_source(r, &r->files.v[i], e) != 0 ||
		    commit_some(r, &from, i, e) != 0)
			return -1;
		r->report.done = i + 1;
		report_progress(&r->report, false);
	}
	return 0;
}

static void say_unused(const struct run *r)
{
	size_t i;

	for (i = 0; i < r->list.n; i++)
		if (!r->list.v[i].used && !r->job->quiet)
			(void)cli_say(0, "--password-list: %s:%zu: %s: no "
			    "such file was there", r->job->password_list,
			    r->list.v[i].number, r->list.v[i].who);
}

static int say_end(struct run *r)
{
	size_t n = r->report.sum.added + r->report.sum.known;
	int rc = report_end(&r->report, true);

	say_unused(r);
	if (r->job->only_keys && r->report.sum.keys == 0 &&
	    r->report.sum.skipped == 0)
		return cli_say(EX_DATAERR, "%s%s: no private key in it; "
		    "wanted: a PKCS#12 file, or PEM with a key",
		    r->files.v[0].shown, r->files.n > 1 ? " and the others" :
		    "");
	if (r->report.sum.skipped > 0 && !r->job->json)
		(void)cli_say(0, "%zu refused, %zu imported",
		    r->report.sum.skipped, r->report.sum.keys +
		    (r->job->only_keys ? 0 : n));
	return rc;
}

static int import_in_tx(struct run *r)
{
	struct err e = { 0 };
	int rc;

	if (keystore_begin(r->c->ks, &e) != 0)
		return cli_fail(&e);
	if (import_all(r, &e) != 0) {
		keystore_rollback(r->c->ks);
		return cli_fail(&e);
	}
	if (r->job->strict && r->report.sum.skipped > 0) {
		keystore_rollback(r->c->ks);
		rc = report_end(&r->report, false);
		return cli_say(rc, r->job->anchor ?
		    "nothing was trusted; \"postseal cert import\" is for "
		    "what is no root" : "nothing was imported (--strict)");
	}
	if (r->job->dry_run)
		keystore_rollback(r->c->ks);
	else if (keystore_commit(r->c->ks, &e) != 0)
		return cli_fail(&e);
	return say_end(r);
}

/*
 * What is brought is parsed without network, other programs, other processes
 * (A61). What may be loaded is loaded before.
 */
static void confine(struct run *r)
{
	struct err e = { 0 };

	if (ossl_legacy_load(NULL) != 0)
		err_clear(&e); /* who needs it is told */
	if (!r->c->may_confine)
		return;
	if (proc_sandbox(SANDBOX_IMPORT, &e) != 0)
		(void)cli_say(0, "going on without a sandbox: %s", e.msg);
	else
		r->c->confined = true;
}

static int prepare(struct run *r)
{
	int rc = EX_OK;

	/* Before root goes: they may be files of root's. */
	if (r->job->password_list != NULL)
		rc = passwords_read(&r->list, r->job->password_list);
	if (rc == EX_OK && r->job->password_file != NULL) {
		rc = cli_password(r->job->password_file, "", false,
		    &r->password);
		r->opts.password = buf_str(&r->password);
	}
	if (rc == EX_OK)
		rc = cli_keystore(r->c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_spool(r->c);
	if (rc == EX_OK && r->job->with_keys)
		rc = r->job->only_keys ? cli_secret_to_seal(r->c) :
		    cli_secret(r->c);
	if (rc == EX_OK && r->job->with_keys)
		r->opts.secret = buf_view(&r->c->secret);
	if (rc == EX_OK)
		confine(r);
	return rc;
}

int import_run(struct cli *c, const struct import_job *job)
{
	struct run r = { .c = c, .job = job, .files.sock = -1 };
	int rc;

	buf_init_secret(&r.password, 4096);
	passwords_init(&r.list);
	r.opts.use = job->use;
	r.opts.anchor = job->anchor;
	r.opts.scope = job->scope;
	r.opts.scopes = job->scopes;
	r.opts.address = job->address;
	r.opts.report = report;
	r.opts.arg = &r;
	rc = cli_config(c);
	if (rc == EX_OK)
		rc = files_collect(&r.files, job->path);
	if (rc == EX_OK && r.files.n == 0 && r.files.failed == 0)
		rc = cli_say(EX_DATAERR, "%s: no file in this folder",
		    job->path->v[0]);
	if (rc == EX_OK)
		rc = prepare(&r);
	report_init(&r.report, job, &r.files);
	if (rc == EX_OK)
		rc = import_in_tx(&r);
	report_free(&r.report);
	files_free(&r.files);
	passwords_free(&r.list);
	buf_free(&r.password);
	return rc;
}

/* ---- verbs ---- */

static int run_verb(struct cli *c, int argc, char **argv,
    struct import_job *job)
{
	struct cli_list rest = { NULL, 0 };
	const char *use = NULL;
	const struct cli_opt opt[] = {
		{ "--strict", &job->strict, NULL, NULL },
		{ "--dry-run", &job->dry_run, NULL, NULL },
		{ "--quiet", &job->quiet, NULL, NULL },
		{ "--json", &job->json, NULL, NULL },
		{ "--password-file", NULL, &job->password_file, NULL },
		{ "--password-list", NULL, &job->password_list, NULL },
		/* the last one differs */
		{ job->only_keys ? "--email" : "--use", NULL,
		    job->only_keys ? &job->address : &use, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct err e = { 0 };
	struct addr a;
	int rc;

	job->path = &rest;
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n == 0)
		rc = cli_usage(c, "no file given");
	if (rc == EX_OK && job->password_file != NULL &&
	    job->password_list != NULL)
		rc = cli_usage(c, "--password-file or --password-list");
	if (rc == EX_OK && job->address != NULL &&
	    addr_parse(&a, view_of(job->address), &e) != 0)
		rc = cli_usage(c, "--email: %s", e.msg);
	if (rc == EX_OK && use != NULL)
		rc = import_read_use(c, use, &job->use);
	if (rc == EX_OK)
		rc = import_run(c, job);
	cli_list_free(&rest);
	return rc;
}

int import_read_use(struct cli *c, const char *text, unsigned *use)
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

	for (i = 0; i < ARRAY_LEN(uses); i++)
		if (strcmp(uses[i].name, text) == 0) {
			*use = uses[i].use;
			return EX_OK;
		}
	return cli_usage(c, "--use %s: want both, sign, encrypt or storage",
	    text);
}

int import_cert_verb(struct cli *c, int argc, char **argv)
{
	struct import_job job = { .with_keys = true };

	return run_verb(c, argc, argv, &job);
}

int import_key_verb(struct cli *c, int argc, char **argv)
{
	struct import_job job = { .with_keys = true, .only_keys = true };

	return run_verb(c, argc, argv, &job);
}
