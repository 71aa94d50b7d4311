/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Statements of a block against a table, and values of statements.
 */
#include "util/conf_walk.h"

#include <stdlib.h>
#include <string.h>

#include "util/log.h"

static const struct conf_key *find_key(const struct conf_key *key,
    size_t keys, const char *word)
{
	for (size_t i = 0; i < keys; i++)
		if (strcmp(key[i].word, word) == 0)
			return &key[i];
	return NULL;
}

/* "local-domains, keystore, ..." */
static void list_keys(struct buf *out, const struct conf_key *key,
    size_t keys)
{
	for (size_t i = 0; i < keys; i++)
		buf_printf(out, "%s%s", i == 0 ? "" : ", ", key[i].word);
}

static void report_unknown(const struct conf_key *key, size_t keys,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	char q[ERR_QUOTED];
	struct buf list;

	buf_init(&list, 4096);
	list_keys(&list, key, keys);
	conf_error(ce, st, 0, "unknown statement %s, expected one of %s",
	    err_quote(q, sizeof(q), st->word[0].s, strlen(st->word[0].s)),
	    buf_str(&list));
	buf_free(&list);
}

static int check_form(const struct conf_key *k, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	size_t values = st->words - 1;

	if (k->block != st->has_block) {
		conf_error(ce, st, 0,
		    k->block ? "%s: expected a block in braces"
			     : "%s: expected no block in braces",
		    k->word);
		return -1;
	}
	if (k->block && values > k->max) {
		conf_error(ce, st, 1, "%s: expected {", k->word);
		return -1;
	}
	if (values < k->min || (k->max != 0 && values > k->max)) {
		conf_error(ce, st, values < k->min ? 0 : k->max + 1,
		    "%s: expected %s", k->word, k->expected);
		return -1;
	}
	return 0;
}

static void set(const struct conf_table *t, const struct conf_key *k,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	if (k->set != NULL)
		k->set(t->arg, st, ce);
	else
		t->set(t->arg, (size_t)(k - t->key), st, ce);
}

static void report_missing(const struct conf_table *t,
    const struct conf_stmt *const *seen, struct conf_errors *ce)
{
	for (size_t i = 0; i < t->keys; i++) {
		const struct conf_key *k = &t->key[i];
		struct conf_word w = {(char *)(uintptr_t)k->word, false, 1};
		struct conf_stmt none = {t->path, t->line, &w, 1, NULL, 0,
		    false};

		if (k->required && seen[i] == NULL)
			conf_error(ce, &none, 0, "missing: %s %s", k->word,
			    k->expected);
	}
}

static void report_twin(const struct conf_key *k,
    const struct conf_stmt *first, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	bool far = strcmp(st->file, first->file) != 0;

	conf_error(ce, st, 0, "%s stands in %s%sline %d already%s", k->word,
	    far ? first->file : "", far ? ", " : "", first->line, k->block ?
	    ": write the lines of both into one block" : "");
}

void conf_walk(const struct conf_table *t, const struct conf_stmt *st,
    size_t n, struct conf_errors *ce)
{
	const struct conf_stmt *seen[CONF_KEYS_MAX] = {NULL};

	if (t->keys > CONF_KEYS_MAX)
		log_bug("conf_walk: %zu keys", t->keys);
	for (size_t i = 0; i < n; i++) {
		const struct conf_key *k;

		k = find_key(t->key, t->keys, st[i].word[0].s);
		if (k == NULL || st[i].word[0].quoted) {
			report_unknown(t->key, t->keys, &st[i], ce);
			continue;
		}
		if (seen[k - t->key] != NULL && !k->many) {
			report_twin(k, seen[k - t->key], &st[i], ce);
			continue;
		}
		seen[k - t->key] = &st[i];
		if (check_form(k, &st[i], ce) == 0)
			set(t, k, &st[i], ce);
	}
	report_missing(t, seen, ce);
}

void conf_string(char **out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	free(*out);
	*out = strdup(st->word[w].s);
	if (*out == NULL)
		conf_error(ce, st, w, "out of memory");
	else if (**out == '\0')
		conf_error(ce, st, w, "%s: expected a value, found \"\"",
		    st->word[0].s);
}

void conf_path(char **out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	const char *raw = st->word[w].s, *slash;
	struct buf b;

	slash = strrchr(st->file, '/');
	if (raw[0] == '/' || raw[0] == '\0' || slash == NULL) {
		conf_string(out, st, w, ce);
		return;
	}
	buf_init(&b, 8192);
	buf_put(&b, st->file, (size_t)(slash - st->file) + 1);
	buf_puts(&b, raw);
	free(*out);
	*out = b.failed ? NULL : strdup(buf_str(&b));
	if (*out == NULL)
		conf_error(ce, st, w, "path too long, or out of memory");
	buf_free(&b);
}

void conf_number(int *out, const struct conf_stmt *st, size_t w, int min,
    int max, struct conf_errors *ce)
{
	int64_t x;

	if (conf_int(ce, st, w, min, max, &x) == 0)
		*out = (int)x;
}

int conf_host_port(const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	const char *s = st->word[w].s, *colon = strrchr(s, ':');
	long port = 0;

	for (const char *p = colon == NULL ? "" : colon + 1; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || port > 65535) {
			port = 0;
			break;
		}
		port = port * 10 + (*p - '0');
	}
	if (colon == s || port < 1 || port > 65535) {
		conf_error(ce, st, w,
		    "%s: expected ADDRESS:PORT with a port in 1..65535",
		    st->word[0].s);
		return -1;
	}
	return 0;
}

void conf_yes_no(bool *out, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;

	*out = strcmp(s, "yes") == 0;
	if (!*out && strcmp(s, "no") != 0)
		conf_error(ce, st, 1, "%s: expected yes or no, found %s",
		    st->word[0].s, s);
}

void *conf_grow(void **array, size_t *n, size_t size,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	size_t room = 4;
	void *p;

	/* Rooms are powers of two, so growth is linear in the end. */
	if (*n == 0 || (*n >= 4 && (*n & (*n - 1)) == 0)) {
		if (*n != 0)
			room = *n * 2;
		p = reallocarray(*array, room, size);
		if (p == NULL) {
			conf_error(ce, st, 0, "out of memory");
			return NULL;
		}
		*array = p;
	}
	p = (char *)*array + *n * size;
	memset(p, 0, size);
	(*n)++;
	return p;
}

void conf_mode(int *out, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	const char *s = st->word[w].s;
	int mode = 0;

	for (; *s >= '0' && *s <= '7' && mode <= 0777; s++)
		mode = mode * 8 + (*s - '0');
	if (*s != '\0' || s == st->word[w].s || mode > 0777 ||
	    (mode & 0600) != 0600) {
		conf_error(ce, st, w,
		    "listen: expected a mode such as 0660, found %s",
		    st->word[w].s);
		return;
	}
	*out = mode;
}
