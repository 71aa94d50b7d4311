/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files, folders and standard input into the keystore, with a report, and
 * progress on a terminal. What an octet means, keystore/import.h finds out.
 */
#include "cli/import.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/proc.h"

#define COMMIT_FILES 1000 /* other writers wait no longer than this takes */
#define SHOW_FILES 100	  /* with more, only the sum is shown */
#define SOURCES_MAX 1000000

struct source {
	char *name;
	int fd; /* opened while we were root; -1: open it when needed */
};

struct run {
	struct cli *c;
	const struct import_job *job;
	struct source *source; /* owned */
	size_t n;
	struct import_opts opts;
	struct buf password;
	struct buf lines; /* said when it is true: after the commit */
	/* sums */
	size_t added, known, keys, refused;
	bool show;
	bool progress;
	bool locked; /* the file at hand wants a password */
};

#define LOCKED "encrypted; give its password"

/* ---- which files ---- */

static int add_source(struct run *r, const char *name)
{
	struct source *bigger;

	if (r->n == SOURCES_MAX)
		return cli_say(EX_DATAERR, "more than %d files", SOURCES_MAX);
	if ((r->n & (r->n - 1)) == 0) {
		bigger = realloc(r->source, (r->n == 0 ? 1 : 2 * r->n) *
		    sizeof(*bigger));
		if (bigger == NULL)
			return cli_say(EX_OSERR, "out of memory");
		r->source = bigger;
	}
	r->source[r->n].fd = -1;
	r->source[r->n].name = strdup(name);
	if (r->source[r->n].name == NULL)
		return cli_say(EX_OSERR, "out of memory");
	r->n++;
	return EX_OK;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Hidden files and what is no file are left out of folders; a link is
 * followed only when it was named. */
static int add_entry(struct run *r, const FTSENT *f)
{
	switch (f->fts_info) {
	case FTS_F:
	case FTS_DEFAULT:
	case FTS_SL:
		if (f->fts_level > 0 && (f->fts_name[0] == '.' ||
		    f->fts_info != FTS_F))
			return EX_OK;
		return add_source(r, f->fts_path);
	case FTS_NS:
	case FTS_DNR:
	case FTS_ERR:
	case FTS_SLNONE:
		r->refused++;
		(void)cli_say(0, "%s: %s", f->fts_path,
		    strerror(f->fts_errno != 0 ? f->fts_errno : ENOENT));
		return EX_OK;
	default:
		return EX_OK;
	}
}

static int add_path(struct run *r, const char *path)
{
	char *name, *names[2] = { NULL, NULL };
	FTSENT *f;
	FTS *fts;
	int rc = EX_OK;

	if (strcmp(path, "-") == 0)
		return add_source(r, path);
	name = strdup(path); /* fts wants one that it might change */
	names[0] = name;
	fts = name == NULL ? NULL : fts_open(names, FTS_PHYSICAL |
	    FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
	if (fts == NULL)
		rc = cli_say(EX_OSERR, "%s: %s", path, strerror(errno));
	while (rc == EX_OK && (f = fts_read(fts)) != NULL)
		rc = add_entry(r, f);
	if (fts != NULL)
		fts_close(fts);
	free(name);
	return rc;
}

/* Root's files cannot be opened any more once root is given up. */
static void open_as_root(struct run *r)
{
	struct rlimit lim;
	size_t i;

	if (geteuid() != 0)
		return;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &lim);
	}
	for (i = 0; i < r->n; i++)
		if (strcmp(r->source[i].name, "-") != 0)
			r->source[i].fd = open(r->source[i].name,
			    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static int collect(struct run *r)
{
	size_t i;
	int rc = EX_OK;

	for (i = 0; rc == EX_OK && i < r->job->path->n; i++)
		rc = add_path(r, r->job->path->v[i]);
	if (rc == EX_OK)
		open_as_root(r);
	return rc;
}

static void free_run(struct run *r)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		if (r->source[i].fd != -1)
			close(r->source[i].fd);
		free(r->source[i].name);
	}
	free(r->source);
	buf_free(&r->password);
	buf_free(&r->lines);
}

/* ---- one file ---- */

static int read_source(struct source *s, struct buf *out, struct err *e)
{
	struct stat st;
	int rc = -1;

	if (strcmp(s->name, "-") == 0)
		return io_read_file("-", out, e);
	if (s->fd == -1)
		s->fd = open(s->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (s->fd == -1 || fstat(s->fd, &st) != 0)
		return err_sys(e, FAIL_INPUT, "%s", s->name);
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		(void)err_set(e, FAIL_INPUT, "%s: not a file", s->name);
	else if (fcntl(s->fd, F_SETFL, 0) != 0 ||
	    cli_read_fd(s->fd, out, e) != 0)
		(void)err_add(e, "%s", s->name);
	else
		rc = 0;
	close(s->fd);
	s->fd = -1;
	return rc;
}

static int report(void *arg, const char *file, const struct import_item *it)
{
	struct run *r = arg;

	if (strcmp(it->skipped, LOCKED) == 0 && cli_stderr_is_terminal() &&
	    r->opts.password == NULL) {
		r->locked = true;
		return 0;
	}
	if (it->skipped[0] != '\0') {
		r->refused++;
		(void)cli_say(0, "%s: %s%s%s: %s%s", file, it->kind,
		    it->what[0] != '\0' ? " " : "", it->what, it->skipped,
		    strcmp(it->skipped, LOCKED) == 0 ?
		    " with --password-file FILE" : "");
		return 0;
	}
	if (strcmp(it->kind, "private key") == 0)
		r->keys++;
	else if (it->added)
		r->added++;
	else
		r->known++;
	if (r->show)
		buf_printf(&r->lines, "%s: %s %s%s%.16s: %s\n", file,
		    it->kind, it->what,
		    it->sha256[0] != '\0' ? " " : "", it->sha256,
		    r->job->anchor ? "trusted" :
		    it->added ? "imported" : "known already");
	return 0;
}

/* A signed mail that is nothing else: its certificates. */
static int import_mail(struct run *r, const char *name, struct view data,
    size_t *good, struct err *e)
{
	struct err mine = { 0 };
	struct buf der;
	int rc;

	buf_init(&der, CAP_IMPORT_FILE);
	rc = mail_signature(data, &der, &mine);
	if (rc == 1) {
		err_clear(e);
		rc = import_data(r->c->ks, name, buf_view(&der), &r->opts,
		    good, e);
	} else {
		rc = -1;
	}
	buf_free(&der);
	return rc;
}

/* Ask the person at the terminal, and try once more. */
static int import_unlocked(struct run *r, const char *name, struct view data,
    size_t *good, struct err *e)
{
	struct buf password, prompt;
	int rc = -1;

	buf_init_secret(&password, 4096);
	buf_init(&prompt, 8192);
	buf_printf(&prompt, "Password of %s: ", name);
	r->locked = false;
	err_clear(e);
	if (cli_password(NULL, buf_str(&prompt), false, &password) != EX_OK) {
		r->refused++;
	} else {
		r->opts.password = buf_str(&password);
		rc = import_data(r->c->ks, name, data, &r->opts, good, e);
		r->opts.password = NULL;
	}
	buf_free(&password);
	buf_free(&prompt);
	return rc;
}

static int import_source(struct run *r, struct source *s, struct err *e)
{
	size_t refused = r->refused, good;
	struct buf data;
	int rc;

	buf_init_secret(&data, CAP_IMPORT_FILE + 65536);
	rc = read_source(s, &data, e);
	if (rc == 0)
		rc = import_data(r->c->ks, s->name, buf_view(&data), &r->opts,
		    &good, e);
	if (r->locked && (rc == 0 || e->kind == FAIL_INPUT))
		rc = import_unlocked(r, s->name, buf_view(&data), &good, e);
	/* Only if nothing at all was found: no item was named. */
	if (rc != 0 && e->kind == FAIL_INPUT && data.n > 0 &&
	    r->refused == refused)
		rc = import_mail(r, s->name, buf_view(&data), &good, e);
	if (rc != 0 && e->kind == FAIL_INPUT && r->refused > refused)
		err_clear(e); /* every reason has been said */
	buf_free(&data);
	return rc;
}

/* ---- all of them ---- */

static void show_progress(const struct run *r, size_t done)
{
	static time_t last;
	time_t now = time(NULL);

	if (!r->progress || (now == last && done < r->n))
		return;
	last = now;
	fprintf(stderr, "\r%zu of %zu files, %zu certificates%s", done, r->n,
	    r->added + r->known, done == r->n ? "\n" : "");
}

/* A pause in which others may write. */
static int commit_some(struct run *r, struct err *e)
{
	if (keystore_commit(r->c->ks, e) != 0)
		return -1;
	return keystore_begin(r->c->ks, e);
}

static int import_all(struct run *r, struct err *e)
{
	size_t i;

	for (i = 0; i < r->n; i++) {
		show_progress(r, i);
		err_clear(e);
		if (import_source(r, &r->source[i], e) != 0) {
			if (e->kind != 0 && e->kind != FAIL_INPUT &&
			    e->kind != FAIL_LIMIT)
				return -1;
			if (e->kind != 0) {
				r->refused++;
				(void)cli_say(0, "%s", e->msg);
			}
		}
		if (!r->job->strict && (i + 1) % COMMIT_FILES == 0 &&
		    commit_some(r, e) != 0)
			return -1;
	}
	show_progress(r, i);
	err_clear(e);
	return 0;
}

static int say_sum(struct run *r)
{
	size_t good = r->keys + (r->job->only_keys ? 0 : r->added + r->known);
	int rc = EX_OK;

	if (r->show)
		rc = cli_print(&r->lines);
	else
		printf("%zu certificates imported, %zu known already, %zu "
		    "private keys, %zu refused\n", r->added, r->known,
		    r->keys, r->refused);
	if (good == 0 && r->job->only_keys && r->refused == 0)
		return cli_say(EX_DATAERR, "%s%s: no private key in it; "
		    "wanted: a PKCS#12 file, or PEM with a key",
		    r->source[0].name, r->n > 1 ? " and the others" : "");
	if (r->refused > 0 && good > 0)
		(void)cli_say(0, "%zu refused, %zu imported", r->refused,
		    good);
	return good == 0 ? EX_DATAERR : rc;
}

static int import_in_tx(struct run *r)
{
	struct err e = { 0 };

	if (keystore_begin(r->c->ks, &e) != 0)
		return cli_fail(&e);
	if (import_all(r, &e) != 0) {
		keystore_rollback(r->c->ks);
		return cli_fail(&e);
	}
	if (r->job->strict && r->refused > 0) {
		keystore_rollback(r->c->ks);
		return cli_say(EX_DATAERR, r->job->anchor ?
		    "nothing was trusted; \"postseal cert import\" is for "
		    "what is no root" : "nothing was imported (--strict)");
	}
	if (keystore_commit(r->c->ks, &e) != 0)
		return cli_fail(&e);
	return say_sum(r);
}

static int prepare(struct run *r)
{
	int rc;

	/* Before root goes: it may be a file of root's. */
	if (r->job->password_file != NULL) {
		rc = cli_password(r->job->password_file, "", false,
		    &r->password);
		if (rc != EX_OK)
			return rc;
		r->opts.password = buf_str(&r->password);
	}
	rc = cli_keystore(r->c, KS_WRITE);
	if (rc == EX_OK)
		rc = cli_spool(r->c);
	if (rc == EX_OK && r->job->with_keys)
		rc = cli_secret(r->c);
	if (rc == EX_OK && r->job->with_keys)
		r->opts.secret = buf_view(&r->c->secret);
	return rc;
}

int import_run(struct cli *c, const struct import_job *job)
{
	struct run r = { .c = c, .job = job };
	int rc;

	buf_init_secret(&r.password, 4096);
	buf_init(&r.lines, 256u << 20);
	r.opts.use = job->use;
	r.opts.anchor = job->anchor;
	r.opts.address = job->address;
	r.opts.report = report;
	r.opts.arg = &r;
	rc = cli_config(c);
	if (rc == EX_OK)
		rc = collect(&r);
	if (rc == EX_OK && r.n == 0 && r.refused == 0)
		rc = cli_say(EX_DATAERR, "%s: no file in this folder",
		    job->path->v[0]);
	r.show = r.n <= SHOW_FILES;
	r.progress = !r.show && cli_stderr_is_terminal();
	if (rc == EX_OK)
		rc = prepare(&r);
	if (rc == EX_OK)
		rc = import_in_tx(&r);
	free_run(&r);
	return rc;
}
