/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One file for each copy of a message. Each is complete or not there.
 */
#include "cli/seal_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static bool is_empty(int fd)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own == -1 ? NULL : fdopendir(own);
	const struct dirent *x;
	bool is = d != NULL;

	while (is && (x = readdir(d)) != NULL)
		is = strcmp(x->d_name, ".") == 0 ||
		    strcmp(x->d_name, "..") == 0;
	if (d != NULL)
		closedir(d);
	else if (own != -1)
		close(own);
	return is;
}

int seal_dir_open(struct out_dir *d, const char *path)
{
	struct stat st;
	int rc = out_dir_open(d, path, 0700);

	if (rc != EX_OK)
		return rc;
	if (fstat(d->fd, &st) != 0)
		return cli_say(EX_IOERR, "%s: %s", path, strerror(errno));
	if ((st.st_mode & 077) != 0)
		return cli_say(EX_CANTCREAT, "%s has mode %04o, wanted: 0700, "
		    "because messages may be in clear; name another folder",
		    path, (unsigned)(st.st_mode & 07777));
	if (!is_empty(d->fd))
		return cli_say(EX_CANTCREAT, "%s is not empty; name another "
		    "folder", path);
	return EX_OK;
}

/* ---- files ---- */

static int put_name(char dst[OUT_NAME], int group, const char *end)
{
	struct buf b;
	int rc;

	buf_init(&b, OUT_NAME - 1);
	if (group == 0)
		buf_printf(&b, "held%s", end);
	else
		buf_printf(&b, "group-%d%s", group, end);
	rc = buf_ok(&b, NULL);
	text_set(dst, OUT_NAME, buf_str(&b));
	buf_free(&b);
	return rc;
}

/* Each CRLF as LF. */
struct to_lf {
	struct sink to;
	bool after_cr;
};

static int put_lf(void *arg, const void *p, size_t n, struct err *e)
{
	struct to_lf *x = arg;
	const char *s = p;
	size_t start = 0;

	for (size_t i = 0; i < n; i++) {
		bool held = i == 0 && x->after_cr;

		if (held && s[i] != '\n' && sink_put(&x->to, "\r", 1, e) != 0)
			return -1;
		x->after_cr = false;
		if (s[i] != '\r')
			continue;
		if (i + 1 < n && s[i + 1] != '\n')
			continue; /* it stays */
		if (sink_put(&x->to, s + start, i - start, e) != 0)
			return -1;
		start = i + 1;
		x->after_cr = i + 1 == n;
	}
	return sink_put(&x->to, s + start, n - start, e);
}

static int put_spool(struct out_dir *d, const char *name, struct spool *s,
    struct err *e)
{
	struct out_part part = {-1, spool_fd_start(s), spool_size(s)};
	bool there;

	if (spool_fd(s, &part.fd, e) != 0 ||
	    out_dir_put_part(d, name, 0600, &part, &there, e) != 0)
		return -1;
	return there ? err_set(e, FAIL_TEMP, "%s/%s is there already",
	    d->path, name) : 0;
}

/* Octets [off, off + size) of s. */
static int put_part(struct out_dir *d, const char *name,
    const struct spool *s, const struct copy *c, bool as_it_is,
    struct err *e)
{
	struct spool *own = NULL;
	struct to_lf x = {0};
	struct sink to;
	int rc = -1;

	if (spool_new(&own, c->size + 1, e) != 0)
		return -1;
	x.to = spool_sink(own);
	to = as_it_is ? x.to : (struct sink){put_lf, &x};
	if (spool_copy(s, c->off, c->off + c->size, &to, e) == 0 &&
	    (!x.after_cr || sink_put(&x.to, "\r", 1, e) == 0))
		rc = put_spool(d, name, own, e);
	spool_free(&own);
	return rc;
}

static int put_recipients(struct out_dir *d, const struct verdict *v,
    int group, int number, struct err *e)
{
	char name[OUT_NAME];
	struct buf b;
	bool there;
	int rc = -1;

	buf_init(&b, 4u << 20);
	for (size_t i = 0; i < v->rcpts; i++)
		if (v->rcpt[i].group == group || v->copy_n == 0)
			buf_printf(&b, "%s\n", v->rcpt[i].address);
	if (buf_ok(&b, e) == 0 && put_name(name, number, ".rcpt") == 0)
		rc = out_dir_put(d, name, 0600, buf_view(&b), &there, e);
	buf_free(&b);
	return rc;
}

static int put_here(struct out_dir *d, const struct verdict *v,
    const struct spool *msg, bool has_crlf, struct err *e)
{
	int group = v->here == 0 ? 1 : v->here;
	struct copy all = {0};
	char name[OUT_NAME];
	struct spool *out = NULL;
	int rc = -1;

	if (spool_new(&out, (uint64_t)1 << 50, e) != 0 ||
	    verdict_apply(v, msg, out, e) != 0)
		goto out;
	all.size = spool_size(out);
	if (put_name(name, group, ".eml") == 0 &&
	    put_part(d, name, out, &all, has_crlf, e) == 0)
		rc = put_recipients(d, v, v->here, group, e);
out:
	spool_free(&out);
	return rc;
}

int seal_dir_write(struct out_dir *d, const struct verdict *v,
    const struct spool *msg, bool has_crlf)
{
	/* of whom nobody is here, each has a copy of his own */
	bool is_here = v->action != ACT_QUARANTINED &&
	    (v->copy_n == 0 || v->here != 0);
	char name[OUT_NAME];
	struct err e = {0};

	if (is_here && put_here(d, v, msg, has_crlf, &e) != 0)
		return cli_fail(&e);
	for (size_t i = 0; i < v->copy_n; i++) {
		const struct copy *c = &v->copy[i];
		bool is_held = c->kind == COPY_HELD;
		int number = is_held ? 0 : c->group;

		if (put_name(name, number, is_held ? ".p7m" : ".eml") != 0 ||
		    put_part(d, name, v->copies, c, has_crlf || is_held,
		    &e) != 0 ||
		    put_recipients(d, v, c->group, number, &e) != 0)
			return cli_fail(&e);
	}
	return EX_OK;
}

int seal_dir_verdict(struct out_dir *d, struct view json)
{
	struct spool *s = NULL;
	struct err e = {0};
	int rc = -1;

	if (spool_new(&s, json.n + 1, &e) == 0 &&
	    spool_write(s, json.p, json.n, &e) == 0 &&
	    spool_write(s, "\n", 1, &e) == 0)
		rc = put_spool(d, "verdict.json", s, &e);
	spool_free(&s);
	return rc == 0 ? EX_OK : cli_fail(&e);
}
