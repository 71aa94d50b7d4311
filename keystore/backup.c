/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Members of a backup, and what it takes of the database. The octets of the
 * file itself are archive.c's.
 */
#include "keystore/backup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keystore/archive.h"
#include "keystore/keystore_int.h"
#include "util/proc.h"

#define MEMBERS 2048
#define DB_MAX ((uint64_t)1 << 40)
#define STEP 65536

struct backup {
	struct archive *a;
	struct backup_member *m;
	size_t n;
	size_t next;
};

/* ---- names ---- */

static bool is_base(struct view v)
{
	static const char *const text[] = { BACKUP_CONF, BACKUP_RULES,
		BACKUP_AUTHORITY };
	const size_t head = sizeof(BACKUP_FILE) - 1;
	size_t i;

	for (i = 0; i < ARRAY_LEN(text); i++)
		if (view_eq_str(v, text[i]))
			return true;
	if (v.n != head + 3 || !view_eq_str(view_sub(v, 0, head),
	    BACKUP_FILE))
		return false;
	for (i = head; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	return true;
}

bool backup_is_name(const char *name)
{
	const size_t tail = sizeof(BACKUP_AS_IT_WAS) - 1;
	struct view v = view_of(name);

	if (strcmp(name, BACKUP_DB) == 0 || strcmp(name, BACKUP_SECRET) == 0)
		return true;
	if (v.n > tail && view_eq_str(view_sub(v, v.n - tail, tail),
	    BACKUP_AS_IT_WAS))
		v.n -= tail;
	return is_base(v);
}

static bool is_db(const struct backup_member *m)
{
	return strcmp(m->name, BACKUP_DB) == 0;
}

/* A list that we write or were given. */
static int check_members(const struct backup_member *m, size_t n,
    struct err *e)
{
	bool db = false, conf = false;
	char quoted[ERR_QUOTED];
	size_t i, j;

	for (i = 0; i < n; i++) {
		if (!backup_is_name(m[i].name))
			return err_set(e, FAIL_INPUT, "backup: a member named "
			    "%s, which no backup has", err_quote(quoted,
			    sizeof(quoted), m[i].name, strlen(m[i].name)));
		for (j = 0; j < i; j++)
			if (strcmp(m[i].name, m[j].name) == 0)
				return err_set(e, FAIL_INPUT, "backup: two "
				    "members named %s", m[i].name);
		if (m[i].size > (is_db(&m[i]) ? DB_MAX : CAP_CONF_FILE))
			return err_set(e, FAIL_LIMIT, "backup: %s: %llu "
			    "octets", m[i].name,
			    (unsigned long long)m[i].size);
		db = db || is_db(&m[i]);
		conf = conf || strcmp(m[i].name, BACKUP_CONF) == 0;
	}
	return db && conf ? 0 : err_set(e, FAIL_INPUT, "backup: without %s",
	    db ? BACKUP_CONF : BACKUP_DB);
}

/* ---- writing ---- */

static int put_list(struct archive *a, const struct backup_member *m, size_t n,
    struct err *e)
{
	struct buf list;
	size_t i;
	int rc;

	buf_init(&list, MEMBERS * (PATH_MAX + 64));
	ipc_put_u32(&list, (uint32_t)n);
	for (i = 0; i < n; i++) {
		ipc_put_view(&list, view_of(m[i].name));
		ipc_put_view(&list, view_of(m[i].path));
		ipc_put_u64(&list, m[i].size);
	}
	rc = buf_ok(&list, e);
	if (rc == 0)
		rc = archive_put(a, list.p, list.n, e);
	buf_free(&list);
	return rc;
}

static int put_db(struct archive *a, int db, uint64_t size, struct err *e)
{
	unsigned char *step = malloc(STEP);
	uint64_t left = size;
	size_t n;
	int rc = 0;

	if (step == NULL || lseek(db, 0, SEEK_SET) != 0)
		rc = err_sys(e, FAIL_TEMP, "backup: copy of the keystore");
	while (rc == 0 && left > 0) {
		n = left < STEP ? (size_t)left : STEP;
		rc = io_read_all(db, step, n, e);
		if (rc == 0)
			rc = archive_put(a, step, n, e);
		left -= n;
	}
	free(step);
	return rc;
}

int backup_write(int fd, struct view passphrase, int64_t when, const struct
    backup_member *m, size_t n, int db, struct err *e)
{
	struct archive *a = NULL;
	size_t i;
	int rc;

	if (n > MEMBERS)
		return err_set(e, FAIL_LIMIT, "backup: %zu files, at most %d "
		    "are taken", n, MEMBERS);
	if (check_members(m, n, e) != 0 ||
	    archive_create(&a, fd, passphrase, ARCHIVE_COST, when, e) != 0)
		return -1;
	rc = put_list(a, m, n, e);
	for (i = 0; rc == 0 && i < n; i++)
		rc = is_db(&m[i]) ? put_db(a, db, m[i].size, e) :
		    archive_put(a, m[i].text.p, m[i].text.n, e);
	if (rc == 0)
		rc = archive_finish(a, e);
	archive_free(&a);
	return rc;
}

/* ---- reading ---- */

void backup_close(struct backup **bp)
{
	struct backup *b = *bp;
	size_t i;

	if (b == NULL)
		return;
	for (i = 0; i < b->n; i++)
		free(b->m[i].path);
	free(b->m);
	archive_free(&b->a);
	free(b);
	*bp = NULL;
}

static int get_u32(struct archive *a, uint32_t *out, struct err *e)
{
	unsigned char p[4];

	if (archive_get(a, p, sizeof(p), e) != 0)
		return -1;
	*out = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
	return 0;
}

/* Text of up to size - 1 octets, without NUL. */
static int get_text(struct archive *a, char *dst, size_t size, struct err *e)
{
	uint32_t n;

	if (get_u32(a, &n, e) != 0)
		return -1;
	if (n >= size)
		return err_set(e, FAIL_INPUT, "backup: a name of %lu octets",
		    (unsigned long)n);
	if (archive_get(a, dst, n, e) != 0)
		return -1;
	dst[n] = '\0';
	if (strlen(dst) != n)
		return err_set(e, FAIL_INPUT, "backup: a name with NUL");
	return 0;
}

static int get_member(struct archive *a, struct backup_member *m,
    struct err *e)
{
	char path[PATH_MAX];
	uint32_t high, low;

	if (get_text(a, m->name, sizeof(m->name), e) != 0 ||
	    get_text(a, path, sizeof(path), e) != 0 ||
	    get_u32(a, &high, e) != 0 || get_u32(a, &low, e) != 0)
		return -1;
	m->size = (uint64_t)high << 32 | low;
	m->path = strdup(path);
	return m->path != NULL ? 0 :
	    err_set(e, FAIL_TEMP, "backup: out of memory");
}

static int get_list(struct backup *b, struct err *e)
{
	uint32_t n;

	if (get_u32(b->a, &n, e) != 0)
		return -1;
	if (n == 0 || n > MEMBERS)
		return err_set(e, FAIL_LIMIT, "backup: a list of %lu members, "
		    "at most %d are taken", (unsigned long)n, MEMBERS);
	b->m = calloc(n, sizeof(*b->m));
	if (b->m == NULL)
		return err_set(e, FAIL_TEMP, "backup: out of memory");
	for (b->n = 0; b->n < n; b->n++)
		if (get_member(b->a, &b->m[b->n], e) != 0) {
			b->n++;
			return -1;
		}
	return check_members(b->m, b->n, e);
}

int backup_open(struct backup **out, int fd, struct view passphrase,
    struct err *e)
{
	struct backup *b = calloc(1, sizeof(*b));

	*out = NULL;
	if (b == NULL)
		return err_set(e, FAIL_TEMP, "backup: out of memory");
	if (archive_open(&b->a, fd, passphrase, e) != 0 ||
	    get_list(b, e) != 0) {
		backup_close(&b);
		return -1;
	}
	*out = b;
	return 0;
}

int64_t backup_when(const struct backup *b)
{
	return archive_when(b->a);
}

size_t backup_members(const struct backup *b)
{
	return b->n;
}

const struct backup_member *backup_member(const struct backup *b, size_t i)
{
	return &b->m[i];
}

int backup_next(struct backup *b, int fd, struct err *e)
{
	unsigned char *step = malloc(STEP);
	uint64_t left;
	size_t n;
	int rc = 0;

	if (step == NULL || b->next >= b->n) {
		free(step);
		return err_set(e, FAIL_TEMP, "backup: no such member");
	}
	left = b->m[b->next++].size;
	while (rc == 0 && left > 0) {
		n = left < STEP ? (size_t)left : STEP;
		rc = archive_get(b->a, step, n, e);
		if (rc == 0)
			rc = io_write_all(fd, step, n, e);
		left -= n;
	}
	free(step);
	return rc;
}

int backup_end(struct backup *b, struct err *e)
{
	if (b->next != b->n)
		return err_set(e, FAIL_BUG, "backup: members left");
	return archive_end(b->a, e);
}
