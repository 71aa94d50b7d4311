/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal restore --dir: a backup into a new folder, which is filled beside
 * its place, checked, and renamed at the very end. What is read here may be
 * hostile in spite of its passphrase: names are from a fixed set, files are
 * made new in a folder that nobody else writes, and the database is opened
 * by a process without rights.
 */
#include "cli/restore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/folder.h"
#include "cli/secret.h"
#include "keystore/rotate.h"
#include "util/proc.h"
#include "util/when.h"

#define SECRET_MAX 4096
#define NOBODY "nobody"

/* ---- reading ---- */

int backup_open_file(const char *file, const char *password_file, int *fd,
    struct backup **out)
{
	struct buf password;
	struct err e = { 0 };
	int rc;

	*fd = strcmp(file, "-") == 0 ? STDIN_FILENO :
	    open(file, O_RDONLY | O_CLOEXEC);
	if (*fd == -1)
		return cli_say(EX_NOINPUT, "%s: %s", file, strerror(errno));
	buf_init_secret(&password, SECRET_MAX);
	rc = cli_password(password_file, "Passphrase of the backup: ", false,
	    &password);
	if (rc == EX_OK && backup_open(out, *fd, buf_view(&password), &e) != 0)
		rc = cli_say(cli_code(&e), "%s: %s", file, e.msg);
	buf_free(&password);
	return rc;
}

static bool is_original(const char *name)
{
	return strstr(name, BACKUP_AS_IT_WAS) != NULL;
}

/* ---- the database ---- */

static int tell_closed(void *arg, const struct key_state *k, struct err *e)
{
	(void)arg;
	(void)e;
	(void)cli_say(0, "key %.16s (%s): %s", k->spki, k->label, k->why);
	return 0;
}

static int count_open(struct keystore *ks, const struct restore *r)
{
	struct key_count n = { 0 };
	struct err e = { 0 };

	if (r->secret == NULL || r->secret->n == 0)
		return EX_OK;
	if (keystore_check_keys(ks, buf_view(r->secret), tell_closed, NULL,
	    &n, &e) != 0)
		return cli_fail(&e);
	printf("%zu of %zu private keys open with the secret",
	    n.current + n.old, n.keys);
	if (n.passphrase > 0)
		printf(", %zu are of CAs, under passphrases of their own",
		    n.passphrase);
	printf("\n");
	return EX_OK;
}

int restore_check_child(struct cli *c, void *arg)
{
	const struct restore *r = arg;
	struct keystore_sum sum;
	struct err e = { 0 };
	char when[WHEN_SIZE];
	struct buf detail;
	int rc = EX_OK;

	if (geteuid() == 0 && r->uid != (uid_t)-1 &&
	    proc_drop(r->uid, r->gid, &e) != 0)
		return cli_fail(&e);
	if (keystore_open(&c->ks, r->db, KS_WRITE, &e) != 0 ||
	    keystore_verify(c->ks, &sum, &e) != 0)
		return cli_say(cli_code(&e), "the backup's database: %s",
		    e.msg);
	printf("keystore: %lld certificates, %lld trusted roots, %lld private "
	    "keys\n",
	    (long long)sum.certs, (long long)sum.anchors,
	    (long long)sum.keys);
	rc = count_open(c->ks, r);
	if (rc != EX_OK || !r->note)
		return rc;
	buf_init(&detail, 1024);
	buf_printf(&detail, "backup of %s",
	    when_timestamp(when, backup_when(r->b)));
	if (keystore_note(c->ks, "restore", r->file, buf_str(&detail), &e)
	    != 0)
		rc = cli_fail(&e);
	buf_free(&detail);
	return rc;
}

/* ---- verify ---- */

struct verify {
	struct backup *b;
	const char *folder;
};

static int extract_db(struct backup *b, const char *path)
{
	struct err e = { 0 };
	size_t i;
	int fd, rc = EX_OK;

	for (i = 0; rc == EX_OK && i < backup_members(b); i++) {
		fd = strcmp(backup_member(b, i)->name, BACKUP_DB) == 0 ?
		    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)
		    : open("/dev/null", O_WRONLY | O_CLOEXEC);
		if (fd == -1)
			return cli_say(EX_CANTCREAT, "%s: %s", path,
			    strerror(errno));
		if (backup_next(b, fd, &e) != 0)
			rc = cli_fail(&e);
		close(fd);
	}
	if (rc == EX_OK && backup_end(b, &e) != 0)
		rc = cli_fail(&e);
	return rc;
}

static void remove_db(const char *path)
{
	static const char *const tail[] = { "", "-wal", "-shm", "-journal" };
	struct buf name;
	size_t i;

	for (i = 0; i < ARRAY_LEN(tail); i++) {
		buf_init(&name, PATH_MAX);
		buf_printf(&name, "%s%s", path, tail[i]);
		(void)unlink(buf_str(&name));
		buf_free(&name);
	}
}

/* Without rights: what is in there was not looked at by anybody yet. */
static int verify_child(struct cli *c, void *arg)
{
	struct verify *v = arg;
	struct restore r = { .uid = (uid_t)-1 };
	struct err e = { 0 };
	struct buf dir, db;
	int rc = EX_OK;

	if (geteuid() == 0 && (proc_user(NOBODY, &r.uid, &r.gid, &e) != 0 ||
	    proc_drop(r.uid, r.gid, &e) != 0))
		return cli_fail(&e);
	buf_init(&dir, PATH_MAX);
	buf_init(&db, PATH_MAX);
	buf_printf(&dir, "%s/postseal-verify.XXXXXX", v->folder);
	if (mkdtemp((char *)dir.p) == NULL)
		rc = cli_say(EX_CANTCREAT, "%s: %s", v->folder,
		    strerror(errno));
	buf_printf(&db, "%s/" BACKUP_DB, buf_str(&dir));
	if (rc == EX_OK) {
		rc = extract_db(v->b, buf_str(&db));
		r.db = buf_str(&db);
		if (rc == EX_OK)
			rc = restore_check_child(c, &r);
		keystore_close(&c->ks);
		remove_db(buf_str(&db));
		(void)rmdir(buf_str(&dir));
	}
	buf_free(&dir);
	buf_free(&db);
	return rc;
}

int backup_verify(struct cli *c, struct backup *b)
{
	struct verify v = { b, scratch_folder(c) };
	int rc = cli_in_child(c, verify_child, &v);

	if (rc == EX_OK)
		printf("whole: every octet was read and is as it was "
		    "written\n");
	return rc;
}

/* ---- into a folder ---- */

int restore_make_file(const struct restore *r, int at, const char *name,
    mode_t mode, bool is_owners)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);

	if (fd != -1 && fchmod(fd, mode) == 0 && (!is_owners ||
	    r->uid == (uid_t)-1 || fchown(fd, r->uid, r->gid) == 0))
		return fd;
	(void)cli_say(0, "%s: %s", name, strerror(errno));
	if (fd != -1)
		close(fd);
	return -1;
}

/* Remove what an earlier run may have left: names of ours alone. */
static int clear_folder(const struct folder *f)
{
	static const char *const also[] = { BACKUP_DB "-wal",
		BACKUP_DB "-shm" };
	struct dirent *d;
	DIR *dir = opendir(f->path);
	size_t i;
	bool ours;

	if (dir == NULL)
		return cli_say(EX_CANTCREAT, "%s: %s", f->path,
		    strerror(errno));
	while ((d = readdir(dir)) != NULL) {
		ours = backup_is_name(d->d_name);
		for (i = 0; i < ARRAY_LEN(also); i++)
			ours = ours || strcmp(d->d_name, also[i]) == 0;
		if (ours)
			(void)unlinkat(f->fd, d->d_name, 0);
	}
	closedir(dir);
	(void)unlinkat(f->fd, "spool", AT_REMOVEDIR);
	return EX_OK;
}

static int take_member(const struct restore *r, const struct folder *f,
    const struct backup_member *m)
{
	bool db = strcmp(m->name, BACKUP_DB) == 0;
	bool secret = strcmp(m->name, BACKUP_SECRET) == 0;
	struct err e = { 0 };
	int fd, rc = EX_OK;

	if (is_original(m->name))
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	else
		fd = restore_make_file(r, f->fd, m->name, db ? 0640 :
		    secret ? 0600 : 0644, false);
	if (fd == -1)
		return EX_CANTCREAT;
	if (backup_next(r->b, fd, &e) != 0)
		rc = cli_say(cli_code(&e), "%s: %s", r->file, e.msg);
	else if (!is_original(m->name) && fsync(fd) != 0)
		rc = cli_say(EX_IOERR, "%s: %s", m->name, strerror(errno));
	close(fd);
	return rc;
}

static int take_members(const struct restore *r, const struct folder *f)
{
	struct err e = { 0 };
	size_t i;
	int rc = EX_OK;

	for (i = 0; rc == EX_OK && i < backup_members(r->b); i++)
		rc = take_member(r, f, backup_member(r->b, i));
	if (rc == EX_OK && backup_end(r->b, &e) != 0)
		rc = cli_say(cli_code(&e), "%s: %s", r->file, e.msg);
	return rc;
}

/*
 * Where it is filled; one that an earlier run left is used again. A link, or
 * a folder of somebody else, may have been put there for us.
 */
static int make_stage(struct folder *f, const char *name)
{
	struct stat st;

	if (mkdir(name, 0755) != 0 && errno != EEXIST)
		return cli_say(EX_CANTCREAT, "%s: %s", name,
		    strerror(errno));
	if (lstat(name, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid())
		return cli_say(EX_CANTCREAT, "%s: is there already, and not "
		    "from an earlier restore; remove it", name);
	if (folder_make(f, name) != EX_OK)
		return EX_CANTCREAT;
	if (fchmod(f->fd, 0755) != 0)
		return cli_say(EX_CANTCREAT, "%s: %s", name,
		    strerror(errno));
	return clear_folder(f);
}

static void folder_name(const struct folder *f, const char *name,
    struct buf *out)
{
	buf_clear(out);
	buf_printf(out, "%s/%s", f->path, name);
}

/* Whose the keystore is to be: the restored configuration says it. */
static int find_owner(struct restore *r, const struct folder *f)
{
	struct config *conf = NULL;
	struct conf_errors ce;
	struct err e = { 0 };
	const char *user = r->user;
	struct buf path;
	int rc = EX_OK;

	buf_init(&path, PATH_MAX);
	folder_name(f, BACKUP_CONF, &path);
	conf_errors_init(&ce);
	if (config_read(&conf, buf_str(&path), &ce) != 0) {
		fputs(buf_str(&ce.text), stderr);
		(void)cli_say(0, "note: this version does not take the "
		    "backup's configuration; see above");
	} else if (user == NULL)
		user = conf->user;
	if (geteuid() != 0)
		rc = EX_OK;
	else if (user == NULL)
		rc = cli_say(EX_USAGE, "the backup's configuration names no "
		    "user; say --user with the one whose the keystore is to "
		    "be, because its database is not opened as root unasked");
	else if (proc_user(user, &r->uid, &r->gid, &e) != 0)
		rc = cli_say(EX_CONFIG, "%s; make it, or say --user with "
		    "another", e.msg);
	else if (r->uid == 0)
		r->uid = (uid_t)-1;
	conf_errors_free(&ce);
	config_free(&conf);
	buf_free(&path);
	return rc;
}

/* Files of the database that its owner could not make in root's folder; the
 * secret is for that owner, too, as init makes it. */
static int give_files(const struct restore *r, const struct folder *f)
{
	static const char *const made[] = { BACKUP_DB "-wal",
		BACKUP_DB "-shm" };
	static const char *const given[] = { BACKUP_DB, BACKUP_SECRET,
		"spool" };
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_LEN(made); i++) {
		fd = restore_make_file(r, f->fd, made[i], 0640, true);
		if (fd == -1)
			return EX_CANTCREAT;
		close(fd);
	}
	if (mkdirat(f->fd, "spool", 0700) != 0)
		return cli_say(EX_CANTCREAT, "spool: %s", strerror(errno));
	for (i = 0; r->uid != (uid_t)-1 && i < ARRAY_LEN(given); i++)
		if (fchownat(f->fd, given[i], r->uid, r->gid,
		    AT_SYMLINK_NOFOLLOW) != 0 && errno != ENOENT)
			return cli_say(EX_CANTCREAT, "%s: %s", given[i],
			    strerror(errno));
	return EX_OK;
}

static int check_database(struct cli *c, struct restore *r,
    const struct folder *f)
{
	struct buf db, secret, path;
	int rc;

	buf_init(&db, PATH_MAX);
	buf_init(&path, PATH_MAX);
	buf_init_secret(&secret, SECRET_MAX);
	folder_name(f, BACKUP_SECRET, &path);
	if (access(buf_str(&path), F_OK) == 0 &&
	    io_read_file(buf_str(&path), &secret, NULL) != 0)
		buf_clear(&secret);
	folder_name(f, BACKUP_DB, &db);
	r->db = buf_str(&db);
	r->secret = &secret;
	r->note = true;
	rc = cli_in_child(c, restore_check_child, r);
	r->db = NULL;
	r->secret = NULL;
	buf_free(&db);
	buf_free(&path);
	buf_free(&secret);
	return rc;
}

static bool is_empty(const char *name)
{
	const struct dirent *d;
	DIR *dir = opendir(name);
	int n = 0;

	while (dir != NULL && (d = readdir(dir)) != NULL)
		n += strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0;
	if (dir != NULL)
		closedir(dir);
	return dir != NULL && n == 0;
}

static int check_target(const char *dir)
{
	struct stat st;

	if (lstat(dir, &st) != 0)
		return errno == ENOENT ? EX_OK :
		    cli_say(EX_CANTCREAT, "%s: %s", dir, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return cli_say(EX_CANTCREAT, "%s: not a folder", dir);
	/* rename() would refuse one that is not empty: at the very end */
	if (is_empty(dir))
		return EX_OK;
	return cli_say(EX_CANTCREAT, "%s: not empty, and restore overwrites "
	    "nothing; name a new folder, or say --replace for the files that "
	    "are configured now", dir);
}

static int say_next(const struct restore *r, bool secret)
{
	printf("%s is restored\n", r->dir);
	if (!secret)
		printf("the secret was not in the backup: put your copy of it "
		    "at %s/%s (mode 0600); without it no private key opens\n",
		    r->dir, BACKUP_SECRET);
	printf("next:\n  postseal -c %s/%s secret check\n"
	    "  postseal -c %s/%s status\n", r->dir, BACKUP_CONF, r->dir,
	    BACKUP_CONF);
	return EX_OK;
}

static bool has_member(const struct backup *b, const char *name)
{
	size_t i;

	for (i = 0; i < backup_members(b); i++)
		if (strcmp(backup_member(b, i)->name, name) == 0)
			return true;
	return false;
}

static int restore_dir(struct cli *c, struct restore *r)
{
	struct folder f = { .fd = -1 };
	struct buf name;
	int rc;

	buf_init(&name, PATH_MAX);
	buf_printf(&name, "%s.restoring", r->dir);
	rc = check_target(r->dir);
	if (rc == EX_OK)
		rc = make_stage(&f, buf_str(&name));
	if (rc == EX_OK) {
		rc = take_members(r, &f);
		if (rc == EX_OK)
			rc = find_owner(r, &f);
		if (rc == EX_OK)
			rc = give_files(r, &f);
		if (rc == EX_OK)
			rc = check_database(c, r, &f);
		if (rc == EX_OK && (fsync(f.fd) != 0 ||
		    rename(buf_str(&name), r->dir) != 0))
			rc = cli_say(EX_CANTCREAT, "%s: %s", r->dir,
			    strerror(errno));
		if (rc != EX_OK && clear_folder(&f) == EX_OK)
			(void)rmdir(buf_str(&name));
	}
	if (rc == EX_OK) {
		io_sync_folder(r->dir);
		rc = say_next(r, has_member(r->b, BACKUP_SECRET));
	}
	folder_close(&f);
	buf_free(&name);
	return rc;
}

/* ---- the verb ---- */

static int check_arguments(struct cli *c, struct restore *r,
    const struct cli_list *rest)
{
	size_t n;

	if (rest->n != 1)
		return cli_usage(c, "want one FILE");
	if ((r->dir != NULL) == r->replace)
		return cli_usage(c, "--dir DIR or --replace, one of both");
	if (r->replace && r->user != NULL)
		return cli_usage(c, "--user: files that are replaced keep "
		    "their owners");
	if (r->dir == NULL)
		return EX_OK;
	n = strlen(r->dir);
	if (n == 0 || n > PATH_MAX - 64 || r->dir[n - 1] == '/')
		return cli_usage(c, "--dir %s: a folder without a slash at "
		    "the end", r->dir);
	return EX_OK;
}

int cmd_restore(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { NULL, 0 };
	struct restore r = { .fd = -1, .uid = (uid_t)-1 };
	const struct cli_opt opt[] = {
		{ "--dir", NULL, &r.dir, NULL },
		{ "--replace", &r.replace, NULL, NULL },
		{ "--yes", &r.yes, NULL, NULL },
		{ "--user", NULL, &r.user, NULL },
		{ "--password-file", NULL, &r.password_file, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int rc;

	rc = cli_options(c, argc, argv, opt, &rest);
	if (rc == EX_OK)
		rc = check_arguments(c, &r, &rest);
	if (rc == EX_OK) {
		r.file = rest.v[0];
		rc = backup_open_file(r.file, r.password_file, &r.fd, &r.b);
	}
	if (rc == EX_OK)
		rc = r.replace ? restore_replace(c, &r) : restore_dir(c, &r);
	backup_close(&r.b);
	if (r.fd > STDERR_FILENO)
		close(r.fd);
	cli_list_free(&rest);
	return rc;
}
