/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal restore --replace: every member is written beside the file that
 * it replaces, and all of them are checked; then each file gets a second
 * name, NAME.before-DATE, and the new one is renamed over the first. Paths
 * are those of the present configuration, never the backup's.
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

#define TAIL ".restoring"

struct target {
	char path[PATH_MAX];	/* "": this member is not needed */
	char temp[PATH_MAX];
	bool db;
	bool is_new;	/* nothing is there */
	struct stat st; /* of the present file, or as it is to be */
};

struct replacing {
	struct restore *r;
	struct gather now; /* what is configured */
	struct target *t;  /* one for each member */
	size_t n;
	char before[64];   /* ".before-DATE" */
};

/* ---- where to ---- */

static bool has(const struct backup *b, const char *name, const char *tail)
{
	struct buf full;
	bool found = false;
	size_t i;

	buf_init(&full, 64);
	buf_printf(&full, "%s%s", name, tail);
	for (i = 0; i < backup_members(b); i++)
		found = found || strcmp(backup_member(b, i)->name,
		    buf_str(&full)) == 0;
	buf_free(&full);
	return found;
}

/* A folder that is right below "/" is not ours alone: below /etc and /root
 * are files that make root run things. */
static bool is_shared(const char *folder, size_t n)
{
	return n == 0 || memchr(folder + 1, '/', n - 1) == NULL;
}

/* In or below the folder of a file that is configured now, by a plain path,
 * and nothing of the keystore or the secret. */
static bool is_near(const struct cli *c, const struct replacing *g,
    const char *path)
{
	char real[PATH_MAX];
	const char *slash;
	size_t i;

	if (path[0] != '/' || strstr(path, "/.") != NULL ||
	    strstr(path, "//") != NULL)
		return false;
	if (realpath(c->config->keystore, real) == NULL ||
	    strncmp(path, real, strlen(real)) == 0)
		return false;
	if (realpath(c->config->secret, real) != NULL &&
	    strncmp(path, real, strlen(real)) == 0)
		return false;
	for (i = 0; i < g->now.n; i++) {
		if (realpath(g->now.f[i].path, real) == NULL)
			continue;
		if (strcmp(path, real) == 0)
			return true;
		slash = strrchr(real, '/');
		if (slash != NULL && !is_shared(real, (size_t)(slash -
		    real)) && strncmp(path, real, (size_t)(slash - real) + 1)
		    == 0)
			return true;
	}
	return false;
}

/* The path that counts is the present one; the backup's must be the same. */
static bool is_present(const struct cli *c, const struct replacing *g,
    const struct backup_member *m)
{
	const struct config *conf = c->config;
	const char *now = NULL;
	char real[PATH_MAX];

	if (strcmp(m->name, BACKUP_DB) == 0)
		now = conf->keystore;
	else if (strcmp(m->name, BACKUP_SECRET) == 0)
		now = conf->secret_is_credential ? NULL : conf->secret;
	else if (strncmp(m->name, BACKUP_CONF, strlen(BACKUP_CONF)) == 0)
		now = conf->path;
	else if (strncmp(m->name, BACKUP_RULES, strlen(BACKUP_RULES)) == 0)
		now = conf->rules;
	else
		return is_near(c, g, m->path);
	return now != NULL && realpath(now, real) != NULL &&
	    strcmp(real, m->path) == 0;
}

/* One that is missing now is made anew. */
static int look_at_old(struct replacing *g, struct target *t)
{
	if (lstat(t->path, &t->st) != 0) {
		if (errno != ENOENT || t->db)
			return cli_say(EX_CONFIG, "%s: %s", t->path,
			    strerror(errno));
		memset(&t->st, 0, sizeof(t->st));
		t->st.st_mode = S_IFREG | 0644;
		t->st.st_uid = geteuid();
		t->st.st_gid = getegid();
		t->is_new = true;
	}
	if (!S_ISREG(t->st.st_mode))
		return cli_say(EX_CONFIG, "%s: not a regular file", t->path);
	if (t->db && geteuid() == 0 && t->st.st_uid != 0) {
		g->r->uid = t->st.st_uid;
		g->r->gid = cli_group(&t->st);
	}
	return EX_OK;
}

static int find_target(const struct cli *c, struct replacing *g, size_t i)
{
	const struct backup_member *m = backup_member(g->r->b, i);
	struct target *t = &g->t[i];
	size_t n = strlen(m->path), k;

	if (has(g->r->b, m->name, BACKUP_AS_IT_WAS))
		return EX_OK; /* the one with absolute paths counts */
	if (!is_present(c, g, m))
		return cli_say(EX_CONFIG, "%s was %s, which is no place of "
		    "the present configuration; restore into a folder "
		    "(--dir)", m->name, m->path);
	if (n + 64 > sizeof(t->path))
		return cli_say(EX_CONFIG, "%s: too long", m->path);
	for (k = 0; k < i; k++)
		if (strcmp(g->t[k].path, m->path) == 0)
			return cli_say(EX_DATAERR, "%s: twice in the backup",
			    m->path);
	text_set(t->path, sizeof(t->path), m->path);
	text_set(t->temp, sizeof(t->temp), m->path);
	text_set(t->temp + n, sizeof(t->temp) - n, TAIL);
	t->db = strcmp(m->name, BACKUP_DB) == 0;
	return look_at_old(g, t);
}

/* ---- beside the old ones ---- */

static void side_name(const struct target *t, const char *tail,
    struct buf *out)
{
	buf_clear(out);
	buf_printf(out, "%s%s", t->temp, tail);
}

static void remove_temp(const struct target *t)
{
	static const char *const tail[] = { "", "-wal", "-shm" };
	struct buf name;
	size_t i;

	if (t->path[0] == '\0')
		return;
	buf_init(&name, PATH_MAX);
	for (i = 0; i < (t->db ? ARRAY_LEN(tail) : 1); i++) {
		side_name(t, tail[i], &name);
		(void)unlink(buf_str(&name));
	}
	buf_free(&name);
}

/* Its owner may not be able to make these. */
static int make_sides(const struct replacing *g, const struct target *t)
{
	static const char *const tail[] = { "-wal", "-shm" };
	struct buf name;
	size_t i;
	int fd, rc = EX_OK;

	buf_init(&name, PATH_MAX);
	for (i = 0; rc == EX_OK && t->db && i < ARRAY_LEN(tail); i++) {
		side_name(t, tail[i], &name);
		fd = restore_make_file(g->r, AT_FDCWD, buf_str(&name), 0640,
		    true);
		if (fd == -1)
			rc = EX_CANTCREAT;
		else
			close(fd);
	}
	buf_free(&name);
	return rc;
}

static int take_member(struct replacing *g, size_t i)
{
	struct target *t = &g->t[i];
	struct err e = { 0 };
	int fd, rc = EX_OK;

	if (t->path[0] == '\0') {
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	} else {
		remove_temp(t);
		fd = restore_make_file(g->r, AT_FDCWD, t->temp,
		    t->st.st_mode & 0777, false);
		if (fd != -1 && geteuid() == 0 && fchown(fd, t->st.st_uid,
		    t->st.st_gid) != 0)
			rc = cli_say(EX_CANTCREAT, "%s: %s", t->temp,
			    strerror(errno));
	}
	if (fd == -1)
		return EX_CANTCREAT;
	if (rc == EX_OK && backup_next(g->r->b, fd, &e) != 0)
		rc = cli_say(cli_code(&e), "%s: %s", g->r->file, e.msg);
	if (rc == EX_OK && t->path[0] != '\0' && fsync(fd) != 0)
		rc = cli_say(EX_IOERR, "%s: %s", t->temp, strerror(errno));
	close(fd);
	return rc == EX_OK ? make_sides(g, t) : rc;
}

static int take_all(struct cli *c, struct replacing *g)
{
	struct err e = { 0 };
	size_t i;
	int rc = EX_OK;

	for (i = 0; rc == EX_OK && i < g->n; i++)
		rc = take_member(g, i);
	if (rc == EX_OK && backup_end(g->r->b, &e) != 0)
		rc = cli_say(cli_code(&e), "%s: %s", g->r->file, e.msg);
	for (i = 0; rc == EX_OK && i < g->n; i++) {
		if (!g->t[i].db)
			continue;
		g->r->db = g->t[i].temp;
		g->r->note = true;
		rc = cli_in_child(c, restore_check_child, g->r);
	}
	return rc;
}

/* ---- in their places ---- */

/* Who may write in the folder could have put a link to what root alone
 * reads into the place of the file that was looked at. */
static int read_old(const struct target *t, struct buf *out, struct err *e)
{
	int fd = open(t->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_NOCTTY | O_CLOEXEC);
	struct stat st;
	int rc;

	if (fd == -1 || fstat(fd, &st) != 0)
		rc = err_sys(e, FAIL_CONFIG, "%s", t->path);
	else if (st.st_dev != t->st.st_dev || st.st_ino != t->st.st_ino)
		rc = err_set(e, FAIL_CONFIG, "%s: replaced meanwhile by "
		    "somebody else", t->path);
	else
		rc = cli_read_fd(fd, out, e);
	if (fd != -1)
		close(fd);
	return rc;
}

/*
 * The old content under another name. Small files are copied, because a
 * secret with two names would not be taken if all ended here.
 */
static int keep(const struct replacing *g, const struct target *t,
    const char *old)
{
	struct err e = { 0 };
	struct buf text;
	int fd = -1, rc = EX_OK;

	if (t->db)
		return link(t->path, old) == 0 ? EX_OK :
		    cli_say(EX_CANTCREAT, "%s: %s", old, strerror(errno));
	buf_init_secret(&text, 2 * CAP_CONF_FILE);
	if (read_old(t, &text, &e) != 0)
		rc = cli_fail(&e);
	else if ((fd = restore_make_file(g->r, AT_FDCWD, old,
	    t->st.st_mode & 0777, false)) == -1)
		rc = EX_CANTCREAT;
	else if (io_write_all(fd, text.p, text.n, &e) != 0)
		rc = cli_fail(&e);
	else if ((geteuid() == 0 && fchown(fd, t->st.st_uid, t->st.st_gid)
	    != 0) || fsync(fd) != 0)
		rc = cli_say(EX_CANTCREAT, "%s: %s", old, strerror(errno));
	if (fd != -1)
		close(fd);
	buf_free(&text);
	return rc;
}

static int swap(const struct replacing *g, const struct target *t)
{
	struct buf old, side;
	int rc = EX_OK;

	buf_init(&old, PATH_MAX);
	buf_init(&side, PATH_MAX);
	buf_printf(&old, "%s%s", t->path, g->before);
	if (!t->is_new && keep(g, t, buf_str(&old)) != EX_OK)
		rc = EX_CANTCREAT;
	else if (rename(t->temp, t->path) != 0)
		rc = cli_say(EX_CANTCREAT, "%s: %s", t->path,
		    strerror(errno));
	if (rc == EX_OK)
		printf("%s: restored; as it was: %s\n", t->path, t->is_new ?
		    "not there" : buf_str(&old));
	if (t->db) {
		side_name(t, "-wal", &side);
		(void)unlink(buf_str(&side));
		side_name(t, "-shm", &side);
		(void)unlink(buf_str(&side));
	}
	io_sync_folder(t->path);
	buf_free(&old);
	buf_free(&side);
	return rc;
}

/* The keystore as its owner: SQLite's files stay that user's. */
static int hold(const struct replacing *g, const char *path,
    struct sqlite3 **db)
{
	const struct restore *r = g->r;
	struct err e = { 0 };
	bool other = geteuid() == 0 && r->uid != (uid_t)-1;
	int rc;

	if (other && (setegid(r->gid) != 0 || seteuid(r->uid) != 0))
		return cli_say(EX_OSERR, "seteuid: %s", strerror(errno));
	rc = keystore_hold(path, db, &e) != 0 ? cli_fail(&e) : EX_OK;
	if (other && (seteuid(0) != 0 || setegid(0) != 0))
		return cli_say(EX_OSERR, "seteuid: %s", strerror(errno));
	return rc;
}

/* The keystore last: with the old one, the new configuration still works. */
static int swap_all(const struct replacing *g)
{
	struct sqlite3 *db = NULL;
	const struct target *store = NULL;
	size_t i;
	int rc;

	for (i = 0; i < g->n; i++)
		if (g->t[i].db)
			store = &g->t[i];
	if (store == NULL)
		return cli_say(EX_SOFTWARE, "no keystore in the backup");
	rc = hold(g, store->path, &db);
	for (i = 0; rc == EX_OK && i < g->n; i++)
		if (g->t[i].path[0] != '\0' && !g->t[i].db)
			rc = swap(g, &g->t[i]);
	if (rc == EX_OK)
		rc = swap(g, store);
	keystore_let_go(&db);
	return rc;
}

static int confirm(const struct replacing *g)
{
	size_t i;
	int answer;

	if (g->r->yes)
		return EX_OK;
	if (isatty(STDIN_FILENO) != 1)
		return cli_say(EX_USAGE, "files would be replaced; --yes says "
		    "that you mean it");
	for (i = 0; i < g->n; i++)
		if (g->t[i].path[0] != '\0')
			fprintf(stderr, "%s\n", g->t[i].path);
	fprintf(stderr, "Replace these files? [y/N] ");
	answer = getchar();
	return answer == 'y' || answer == 'Y' ? EX_OK :
	    cli_say(EX_USAGE, "nothing replaced");
}

static bool is_taken(const struct replacing *g)
{
	struct buf name;
	bool taken = false;
	size_t i;

	for (i = 0; i < g->n && !taken; i++) {
		buf_init(&name, PATH_MAX);
		buf_printf(&name, "%s%s", g->t[i].path, g->before);
		taken = g->t[i].path[0] != '\0' &&
		    access(buf_str(&name), F_OK) == 0;
		buf_free(&name);
	}
	return taken;
}

/* Also when it is done twice within a second. */
static void set_before(struct replacing *g)
{
	time_t now = time(NULL);
	struct buf name;
	struct tm tm;
	int i;

	if (gmtime_r(&now, &tm) == NULL)
		memset(&tm, 0, sizeof(tm));
	for (i = 0; i < 100; i++) {
		buf_init(&name, sizeof(g->before) - 1);
		buf_printf(&name, ".before-%04d%02d%02dT%02d%02d%02dZ",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		    tm.tm_min, tm.tm_sec);
		if (i > 0)
			buf_printf(&name, "-%d", i);
		text_set(g->before, sizeof(g->before), buf_str(&name));
		buf_free(&name);
		if (!is_taken(g))
			return;
	}
}

int restore_replace(struct cli *c, struct restore *r)
{
	struct replacing g = { .r = r };
	size_t i;
	int rc = cli_config(c);

	if (rc == EX_OK)
		rc = gather_files(c, &g.now);
	g.n = backup_members(r->b);
	g.t = calloc(g.n, sizeof(*g.t));
	if (rc == EX_OK && g.t == NULL)
		rc = cli_say(EX_OSERR, "out of memory");
	for (i = 0; rc == EX_OK && i < g.n; i++)
		rc = find_target(c, &g, i);
	set_before(&g);
	if (rc == EX_OK)
		rc = confirm(&g);
	if (rc == EX_OK) {
		rc = take_all(c, &g);
		if (rc == EX_OK)
			rc = swap_all(&g);
		for (i = 0; i < g.n; i++)
			remove_temp(&g.t[i]);
	}
	if (rc == EX_OK)
		printf("start postseal-milter again, then \"postseal secret "
		    "check\"\n");
	gather_free(&g.now);
	free(g.t);
	return rc;
}
