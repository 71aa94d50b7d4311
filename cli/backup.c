/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal backup: everything that a gateway needs in one encrypted file,
 * which gets its name when it is whole. Restoring is in restore.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/gather.h"
#include "cli/restore.h"
#include "cli/secret.h"
#include "util/proc.h"
#include "util/when.h"

#define PASSWORD_MAX 4096
#define PASSWORD_MIN 8 /* as for a CA */

struct job {
	const char *file;
	const char *password_file;
	bool with_secret, beside, verify, list;
	struct buf password, secret, temp;
	struct gather files;
	struct backup_member *m;
	size_t n;
	int fd;
};

/* ---- where it goes ---- */

/* Is the folder of a the folder of b? */
static bool same_folder(const char *a, const char *b)
{
	const char *both[2] = { a, b };
	struct stat st[2];
	struct buf dir;
	size_t i;
	int rc = 0;

	for (i = 0; i < 2; i++) {
		const char *slash = strrchr(both[i], '/');

		buf_init(&dir, PATH_MAX);
		if (slash == NULL)
			buf_putc(&dir, '.');
		else
			buf_put(&dir, both[i], slash == both[i] ? 1 :
			    (size_t)(slash - both[i]));
		rc |= stat(buf_str(&dir), &st[i]);
		buf_free(&dir);
	}
	return rc == 0 && st[0].st_dev == st[1].st_dev &&
	    st[0].st_ino == st[1].st_ino;
}

static int check_place(const struct cli *c, const struct job *job)
{
	const struct config *conf = c->config;
	bool db = same_folder(job->file, conf->keystore);

	if (access(job->file, F_OK) == 0)
		return cli_say(EX_CANTCREAT, "%s: is there already, and a "
		    "backup overwrites nothing", job->file);
	if (!job->beside && (db || same_folder(job->file, conf->secret)))
		return cli_say(EX_CANTCREAT, "%s: in the folder of the %s, "
		    "so that what destroys one takes the other; name another "
		    "place, or say --beside", job->file, db ? "keystore" :
		    "secret");
	return EX_OK;
}

static int open_output(const struct cli *c, struct job *job)
{
	int rc;

	if (strcmp(job->file, "-") == 0) {
		job->fd = STDOUT_FILENO;
		return cli_stdout_is_terminal() ? cli_say(EX_USAGE,
		    "standard output is a terminal, and a backup is no text")
		    : EX_OK;
	}
	rc = check_place(c, job);
	if (rc != EX_OK)
		return rc;
	buf_printf(&job->temp, "%s.unfinished", job->file);
	/* one that was not finished */
	if ((unlink(buf_str(&job->temp)) != 0 && errno != ENOENT) ||
	    (job->fd = open(buf_str(&job->temp), O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600)) == -1)
		return cli_say(EX_CANTCREAT, "%s: %s", job->file,
		    strerror(errno));
	return EX_OK;
}

static int give_name(struct job *job)
{
	if (job->temp.n == 0)
		return EX_OK;
	if (fsync(job->fd) != 0 || close(job->fd) != 0)
		return cli_say(EX_IOERR, "%s: %s", job->file,
		    strerror(errno));
	job->fd = -1;
	if (renameat2(AT_FDCWD, buf_str(&job->temp), AT_FDCWD, job->file,
	    RENAME_NOREPLACE) != 0 && (errno != EINVAL ||
	    rename(buf_str(&job->temp), job->file) != 0))
		return cli_say(EX_CANTCREAT, "%s: %s", job->file,
		    strerror(errno));
	io_sync_folder(job->file);
	return EX_OK;
}

/* ---- members ---- */

static int add_member(struct job *job, const char *name, const char *tail,
    const char *path, struct view text)
{
	struct backup_member *m = &job->m[job->n];
	char *real = realpath(path, NULL);
	struct buf b;

	m->path = real != NULL ? real : strdup(path);
	if (m->path == NULL)
		return cli_say(EX_OSERR, "out of memory");
	buf_init(&b, BACKUP_NAME - 1);
	buf_printf(&b, "%s%s", name, tail);
	text_set(m->name, sizeof(m->name), buf_str(&b));
	buf_free(&b);
	m->size = text.n;
	m->text = text;
	job->n++;
	return EX_OK;
}

static int list_members(struct cli *c, struct job *job)
{
	const struct gathered *f;
	size_t i;
	int rc = EX_OK;

	job->m = calloc(2 * job->files.n + 2, sizeof(*job->m));
	if (job->m == NULL)
		return cli_say(EX_OSERR, "out of memory");
	for (i = 0; rc == EX_OK && i < job->files.n; i++) {
		f = &job->files.f[i];
		rc = add_member(job, f->name, "", f->path,
		    buf_view(&f->portable));
		if (rc == EX_OK && !view_eq(buf_view(&f->portable),
		    buf_view(&f->text)))
			rc = add_member(job, f->name, BACKUP_AS_IT_WAS,
			    f->path, buf_view(&f->text));
	}
	if (rc == EX_OK && job->with_secret)
		rc = add_member(job, BACKUP_SECRET, "", c->config->secret,
		    buf_view(&job->secret));
	if (rc == EX_OK)
		rc = add_member(job, BACKUP_DB, "", c->config->keystore,
		    view_make(NULL, 0));
	return rc;
}

/* ---- writing ---- */

const char *scratch_folder(const struct cli *c)
{
	const char *tmp = secure_getenv("TMPDIR");

	if (c->config != NULL && c->config->spool != NULL)
		return c->config->spool;
	return tmp != NULL && *tmp == '/' ? tmp : "/tmp";
}

/* In a child, which is the keystore's owner by then. */
static int write_child(struct cli *c, void *arg)
{
	struct job *job = arg;
	struct err e = { 0 };
	struct stat st;
	int db = -1, rc;

	rc = cli_keystore(c, KS_WRITE);
	if (rc != EX_OK)
		return rc;
	if (keystore_note(c->ks, "make backup", job->file,
	    job->with_secret ? "with the secret" : "", &e) != 0 ||
	    keystore_copy(c->ks, scratch_folder(c), &db, &e) != 0 ||
	    fstat(db, &st) != 0)
		return cli_fail(&e);
	job->m[job->n - 1].size = (uint64_t)st.st_size;
	if (backup_write(job->fd, buf_view(&job->password),
	    (int64_t)time(NULL), job->m, job->n, db, &e) != 0)
		rc = cli_fail(&e);
	close(db);
	return rc;
}

static int say_made(const struct cli *c, const struct job *job)
{
	FILE *to = job->fd == STDOUT_FILENO ? stderr : stdout;

	fprintf(to, "%s: keystore and %zu %s of configuration%s\n", job->file,
	    job->files.n, job->files.n == 1 ? "file" : "files",
	    job->with_secret ? ", with the secret" : "");
	if (!job->with_secret)
		fprintf(to, "not in it: the secret (%s), without which no "
		    "private key opens; keep a copy of it elsewhere\n",
		    c->config->secret);
	if (job->files.left_out.n > 0)
		fprintf(to, "not in it, but named in the configuration:\n%s",
		    buf_str(&job->files.left_out));
	return EX_OK;
}

static int make_backup(struct cli *c, struct job *job)
{
	struct err e = { 0 };
	int rc;

	rc = cli_config(c);
	if (rc == EX_OK)
		rc = gather_files(c, &job->files);
	if (rc == EX_OK && job->with_secret && secret_read(c->config,
	    &job->secret, &e) != 0)
		rc = cli_fail(&e);
	if (rc == EX_OK)
		rc = list_members(c, job);
	if (rc == EX_OK)
		rc = cli_password(job->password_file, "Passphrase of the "
		    "backup: ", true, &job->password);
	if (rc == EX_OK && job->password.n < PASSWORD_MIN)
		rc = cli_say(EX_DATAERR, "passphrase of the backup: want %d "
		    "octets or more", PASSWORD_MIN);
	if (rc == EX_OK)
		rc = open_output(c, job);
	if (rc == EX_OK)
		rc = cli_in_child(c, write_child, job);
	if (rc == EX_OK)
		rc = give_name(job);
	if (rc == EX_OK)
		return say_made(c, job);
	if (job->temp.n > 0)
		(void)unlink(buf_str(&job->temp));
	return rc;
}

/* ---- looking at one ---- */

static int print_list(const struct backup *b)
{
	struct table *t = table_new(3);
	const struct backup_member *m;
	char when[WHEN_SIZE], size[32];
	struct buf out, one;
	size_t i;
	int rc = EX_OSERR;

	buf_init(&out, 1u << 24);
	buf_init(&one, sizeof(size) - 1);
	buf_printf(&out, "made %s\n", when_timestamp(when, backup_when(b)));
	if (t != NULL) {
		table_cell(t, "NAME");
		table_cell(t, "OCTETS");
		table_cell(t, "WHERE IT WAS");
	}
	for (i = 0; t != NULL && i < backup_members(b); i++) {
		m = backup_member(b, i);
		buf_clear(&one);
		buf_printf(&one, "%llu", (unsigned long long)m->size);
		text_set(size, sizeof(size), buf_str(&one));
		table_cell(t, m->name);
		table_cell(t, size);
		table_cell(t, m->path);
	}
	if (t != NULL && table_print(t, &out) == 0)
		rc = cli_print(&out);
	table_free(&t);
	buf_free(&one);
	buf_free(&out);
	return rc;
}

static int look_at(struct cli *c, struct job *job)
{
	struct backup *b = NULL;
	int rc;

	rc = backup_open_file(job->file, job->password_file, &job->fd, &b);
	if (rc == EX_OK)
		rc = print_list(b);
	if (rc == EX_OK && job->verify)
		rc = backup_verify(c, b);
	backup_close(&b);
	return rc;
}

/* ---- the verb ---- */

static void free_job(struct job *job)
{
	size_t i;

	for (i = 0; i < job->n; i++)
		free(job->m[i].path);
	free(job->m);
	gather_free(&job->files);
	buf_free(&job->password);
	buf_free(&job->secret);
	buf_free(&job->temp);
	if (job->fd > STDERR_FILENO)
		close(job->fd);
}

int cmd_backup(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct job job = { .fd = -1 };
	const struct cli_opt opt[] = {
		{ "--with-secret", &job.with_secret, NULL, NULL },
		{ "--beside", &job.beside, NULL, NULL },
		{ "--verify", &job.verify, NULL, NULL },
		{ "--list", &job.list, NULL, NULL },
		{ "--password-file", NULL, &job.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	buf_init_secret(&job.password, PASSWORD_MAX);
	buf_init_secret(&job.secret, PASSWORD_MAX);
	buf_init(&job.temp, PATH_MAX);
	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK && rest.n != 1)
		rc = cli_usage(c, "want one FILE");
	if (rc == EX_OK && (job.verify || job.list) && (job.with_secret ||
	    job.beside))
		rc = cli_usage(c, "--verify and --list only read");
	if (rc == EX_OK) {
		job.file = rest.v[0];
		rc = job.verify || job.list ? look_at(c, &job) :
		    make_backup(c, &job);
	}
	free_job(&job);
	cli_list_free(&rest);
	return rc;
}
