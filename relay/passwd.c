/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Password files: reading, reading again, verifying. New lines are made in
 * relay/passwd_make.c.
 */
#include "relay/passwd.h"

#include <crypt.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "util/log.h"
#include "util/ossl.h"
#include "util/proc.h"
#include "util/utf8.h"

struct entry {
	char *login;
	char *hash;
	struct scram_verifier verifier;
	bool has_verifier;
};

/* One reading of the file; never changed. */
struct content {
	struct entry *entry; /* sorted by login */
	size_t n;
	char dummy[PASSWD_HASH]; /* hash of nobody, as dear as the others */
	unsigned iterations;	 /* as the others have */
};

/* yescrypt takes 16 MiB each time: so many at once, the others wait. */
#define HASHES_AT_ONCE 4

struct passwd {
	char *path;
	unsigned char seed[32];
	pthread_mutex_t lock; /* of content and hashes */
	pthread_cond_t room;
	int hashes; /* being made */
	struct content *content;
	struct stat seen; /* of the last try; one thread reads */
};

/* ---- lines ---- */

int passwd_check_login(struct view login, struct err *e)
{
	struct view rest = login;
	uint32_t cp;
	size_t k;

	if (login.n == 0 || login.n >= PASSWD_LOGIN)
		return err_set(e, FAIL_INPUT, "login of %zu octets, wanted 1 "
		    "to %d", login.n, PASSWD_LOGIN - 1);
	if (login.p[0] == '#' || view_trim(login).n != login.n)
		return err_set(e, FAIL_INPUT, "a login begins with no \"#\", "
		    "and has no blank at its ends");
	for (; rest.n > 0; rest = view_sub(rest, k, rest.n)) {
		k = utf8_first(rest, &cp);
		if (k == 0 || cp < 0x20 || cp == 0x7f || cp == ':' ||
		    utf8_is_unsafe(cp))
			return err_set(e, FAIL_INPUT, "a login is UTF-8 "
			    "without colon and control characters");
	}
	return 0;
}

static bool is_hash(struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] <= ' ' || v.p[i] > '~' || v.p[i] == '*' ||
		    v.p[i] == '!')
			return false;
	return v.n > 10 && v.n < PASSWD_HASH && memcmp(v.p, "$y$", 3) == 0;
}

int passwd_parse_line(struct passwd_line *out, struct view line,
    struct err *e)
{
	size_t a = view_chr(line, ':', 0), b;
	struct view rest;

	if (a == (size_t)-1 ||
	    (b = view_chr(line, ':', a + 1)) == (size_t)-1)
		return err_set(e, FAIL_INPUT, "wanted LOGIN:HASH:VERIFIER, "
		    "as \"postseal relay passwd\" writes it");
	out->login = view_sub(line, 0, a);
	out->hash = view_sub(line, a + 1, b - a - 1);
	rest = view_sub(line, b + 1, line.n);
	out->has_verifier = rest.n > 0;
	if (passwd_check_login(out->login, e) != 0)
		return -1;
	if (!is_hash(out->hash))
		return err_set(e, FAIL_INPUT, "no yescrypt hash ($y$...)");
	return rest.n == 0 ? 0 :
	    scram_verifier_parse(&out->verifier, rest, e);
}

bool passwd_next(struct view *text, struct view *line, size_t *number)
{
	size_t end;

	while (text->n > 0) {
		end = view_chr(*text, '\n', 0);
		if (end == (size_t)-1)
			end = text->n;
		*line = view_sub(*text, 0, end);
		*text = view_sub(*text, end + 1, text->n);
		++*number;
		if (line->n > 0 && line->p[0] != '#')
			return true;
	}
	return false;
}

/* ---- a reading ---- */

static void content_free(struct content **c)
{
	size_t i;

	if (*c == NULL)
		return;
	for (i = 0; i < (*c)->n; i++) {
		free((*c)->entry[i].login);
		if ((*c)->entry[i].hash != NULL)
			ossl_wipe((*c)->entry[i].hash,
			    strlen((*c)->entry[i].hash));
		free((*c)->entry[i].hash);
	}
	if ((*c)->entry != NULL)
		ossl_wipe((*c)->entry, (*c)->n * sizeof(*(*c)->entry));
	free((*c)->entry);
	free(*c);
	*c = NULL;
}

static int add_entry(struct content *c, struct view line, struct err *e)
{
	struct passwd_line l = { 0 };
	struct entry *more, *x;

	if (passwd_parse_line(&l, line, e) != 0)
		return -1;
	if ((c->n & (c->n - 1)) == 0) {
		more = realloc(c->entry, (c->n == 0 ? 1 : 2 * c->n) *
		    sizeof(*more));
		if (more == NULL)
			return err_set(e, FAIL_TEMP, "out of memory");
		c->entry = more;
	}
	x = &c->entry[c->n];
	x->has_verifier = l.has_verifier;
	x->verifier = l.verifier;
	c->n++;
	x->login = view_strdup(l.login);
	x->hash = view_strdup(l.hash);
	if (x->login == NULL || x->hash == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	return 0;
}

static int by_login(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->login, y->login);
}

/* What unknown logins are measured with costs as much as the first line. */
static int make_dummy(struct content *c, struct err *e)
{
	struct crypt_data *d = calloc(1, sizeof(*d));
	char random[16], setting[PASSWD_HASH];
	const char *hash = NULL;

	if (d == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	c->iterations = SCRAM_ITERATIONS;
	if (c->n > 0 && c->entry[0].has_verifier)
		c->iterations = c->entry[0].verifier.iterations;
	ossl_random(random, sizeof(random));
	if (c->n > 0)
		text_set(setting, sizeof(setting), c->entry[0].hash);
	else if (crypt_gensalt_rn("$y$", 0, random, sizeof(random), setting,
	    sizeof(setting)) == NULL)
		setting[0] = '\0';
	if (setting[0] != '\0')
		hash = crypt_r("nobody", setting, d);
	if (hash != NULL && hash[0] == '$')
		text_set(c->dummy, sizeof(c->dummy), hash);
	ossl_wipe(d, sizeof(*d));
	free(d);
	return c->dummy[0] != '\0' ? 0 :
	    err_set(e, FAIL_CONFIG, "libcrypt cannot do yescrypt ($y$) "
		"with what is in the first line");
}

static int read_content(struct content **out, struct view text,
    struct err *e)
{
	struct content *c = calloc(1, sizeof(*c));
	struct view line;
	size_t number = 0, i;

	if (c == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	if (view_chr(text, 0, 0) != (size_t)-1) {
		(void)err_set(e, FAIL_INPUT, "not text: NUL in it");
		goto fail;
	}
	while (passwd_next(&text, &line, &number)) {
		if (add_entry(c, line, e) == 0)
			continue;
		(void)err_add(e, "line %zu", number);
		goto fail;
	}
	if (make_dummy(c, e) != 0)
		goto fail;
	if (c->n > 1)
		qsort(c->entry, c->n, sizeof(*c->entry), by_login);
	for (i = 1; i < c->n; i++) {
		if (strcmp(c->entry[i - 1].login, c->entry[i].login) != 0)
			continue;
		(void)err_set(e, FAIL_INPUT, "two lines for one login");
		goto fail;
	}
	*out = c;
	return 0;
fail:
	content_free(&c);
	return -1;
}

static int read_file(struct content **out, const char *path, struct err *e)
{
	struct buf text;
	int rc;

	buf_init_secret(&text, PASSWD_FILE);
	rc = io_read_secret(path, &text, e);
	if (rc == 0 && read_content(out, buf_view(&text), e) != 0)
		rc = err_add(e, "%s", path);
	buf_free(&text);
	if (rc != 0 && e != NULL)
		e->kind = FAIL_CONFIG;
	return rc;
}

/* ---- in use ---- */

int passwd_open(struct passwd **out, const char *path,
    const unsigned char seed[32], struct err *e)
{
	struct passwd *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->path = strdup(path)) == NULL) {
		free(p);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	memcpy(p->seed, seed, sizeof(p->seed));
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->room, NULL);
	(void)stat(path, &p->seen);
	if (read_file(&p->content, path, e) != 0) {
		passwd_free(&p);
		return -1;
	}
	*out = p;
	return 0;
}

void passwd_free(struct passwd **p)
{
	if (*p == NULL)
		return;
	content_free(&(*p)->content);
	(void)pthread_mutex_destroy(&(*p)->lock);
	(void)pthread_cond_destroy(&(*p)->room);
	ossl_wipe((*p)->seed, sizeof((*p)->seed));
	free((*p)->path);
	free(*p);
	*p = NULL;
}

static bool is_other(const struct stat *a, const struct stat *b)
{
	return a->st_ino != b->st_ino || a->st_dev != b->st_dev ||
	    a->st_size != b->st_size ||
	    a->st_mtim.tv_sec != b->st_mtim.tv_sec ||
	    a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

void passwd_refresh(struct passwd *p)
{
	struct content *fresh = NULL, *old;
	struct err e = { 0 };
	struct stat st;

	memset(&st, 0, sizeof(st));
	if (stat(p->path, &st) != 0)
		st.st_size = -1;
	if (!is_other(&st, &p->seen))
		return;
	p->seen = st;
	if (read_file(&fresh, p->path, &e) != 0) {
		(void)err_add(&e, "logins stay as they were read before");
		log_sentence(LOG_L_WARN, "passwd-kept", "error", e.msg);
		return;
	}
	(void)pthread_mutex_lock(&p->lock);
	old = p->content;
	p->content = fresh;
	(void)pthread_mutex_unlock(&p->lock);
	log_info("event=passwd-read logins=%zu", fresh->n);
	content_free(&old);
}

static const struct entry *find(const struct content *c, const char *login)
{
	size_t low = 0, high = c->n, at;
	int d;

	while (low < high) {
		at = low + (high - low) / 2;
		d = strcmp(login, c->entry[at].login);
		if (d == 0)
			return &c->entry[at];
		if (d < 0)
			high = at;
		else
			low = at + 1;
	}
	return NULL;
}

/* crypt_r() with password ended in NUL; as dear whatever it is. */
static int crypt_same(struct view password, const char *hash, bool *same,
    struct err *e)
{
	struct crypt_data *d = calloc(1, sizeof(*d));
	char text[PASSWD_PASSWORD + 1];
	const char *got;

	if (d == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	if (view_cstr(password, text, sizeof(text)) != 0)
		text_set(text, sizeof(text), "");
	got = crypt_r(text, hash, d);
	if (got == NULL || got[0] == '*')
		(void)err_set(e, FAIL_TEMP, "libcrypt: no hash");
	else
		*same = strlen(got) == strlen(hash) &&
		    ossl_same(got, hash, strlen(hash));
	got = got == NULL || got[0] == '*' ? NULL : got;
	ossl_wipe(text, sizeof(text));
	ossl_wipe(d, sizeof(*d));
	free(d);
	return got != NULL ? 0 : -1;
}

int passwd_verify(struct passwd *p, const char *login, struct view password,
    bool *is_right, struct err *e)
{
	char hash[PASSWD_HASH];
	const struct entry *x;
	bool same = false, known;
	int rc;

	*is_right = false;
	(void)pthread_mutex_lock(&p->lock);
	while (p->hashes >= HASHES_AT_ONCE)
		(void)pthread_cond_wait(&p->room, &p->lock);
	p->hashes++;
	x = find(p->content, login);
	known = x != NULL && password.n > 0 &&
	    password.n <= PASSWD_PASSWORD;
	text_set(hash, sizeof(hash), x != NULL ? x->hash :
	    p->content->dummy);
	(void)pthread_mutex_unlock(&p->lock);
	rc = crypt_same(password, hash, &same, e);
	(void)pthread_mutex_lock(&p->lock);
	p->hashes--;
	(void)pthread_cond_signal(&p->room);
	(void)pthread_mutex_unlock(&p->lock);
	ossl_wipe(hash, sizeof(hash));
	*is_right = rc == 0 && same && known;
	return rc;
}

int passwd_verifier(struct passwd *p, const char *login,
    struct scram_verifier *out, struct err *e)
{
	const struct entry *x;
	unsigned iterations;

	(void)pthread_mutex_lock(&p->lock);
	iterations = p->content->iterations;
	(void)pthread_mutex_unlock(&p->lock);
	if (scram_mock(out, p->seed, login, iterations, e) != 0)
		return -1;
	(void)pthread_mutex_lock(&p->lock);
	x = find(p->content, login);
	if (x != NULL && x->has_verifier)
		*out = x->verifier;
	(void)pthread_mutex_unlock(&p->lock);
	return 0;
}
