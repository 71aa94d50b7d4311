/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Texts by language: the built-in English ones, files of others, and whose
 * language is which. Composes nothing.
 */
#include "gateway/texts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/config_int.h"
#include "util/utf8.h"

#ifndef TEXTS_DIR
#define TEXTS_DIR "/usr/local/share/postseal/texts"
#endif
#define TEXT_MAX 2000 /* octets of one */

struct texts {
	char name[16];
	char *text[TEXT_N]; /* owned; NULL: lacking */
};

struct texts_set {
	struct texts **t; /* owned */
	size_t n;
};

/* ---- one language ---- */

const char *texts_get(const struct texts *t, enum text_id id)
{
	return t != NULL && t->text[id] != NULL ? t->text[id] :
	    text_built_in(id);
}

const char *texts_name(const struct texts *t)
{
	return t == NULL ? "en" : t->name;
}

size_t texts_lacking(const struct texts *t)
{
	size_t n = 0;

	for (size_t i = 0; t != NULL && i < TEXT_N; i++)
		n += t->text[i] == NULL;
	return n;
}

void texts_free(struct texts **tp)
{
	struct texts *t = *tp;

	if (t == NULL)
		return;
	for (size_t i = 0; i < TEXT_N; i++)
		free(t->text[i]);
	free(t);
	*tp = NULL;
}

void texts_put(const struct texts *t, enum text_id id, const char *const *value,
    size_t values, struct buf *out)
{
	const char *s = texts_get(t, id);

	for (; *s != '\0'; s++) {
		size_t n = *s == '%' && s[1] >= '1' && s[1] <= '9' ?
		    (size_t)(s[1] - '1') : values;

		if (n >= values) {
			buf_putc(out, (unsigned char)*s);
			continue;
		}
		buf_puts(out, value[n]);
		s++;
	}
}

/* ---- reading ---- */

/* Which of %1 to %9 stand in it, as bits; -1: a % that is none. */
static int placeholders(const char *s)
{
	int bits = 0;

	for (; (s = strchr(s, '%')) != NULL; s += 2) {
		if (s[1] < '1' || s[1] > '9')
			return -1;
		bits |= 1 << (s[1] - '0');
	}
	return bits;
}

static bool find_id(const char *key, enum text_id *id)
{
	for (size_t i = 0; i < TEXT_N; i++)
		if (strcmp(text_key((enum text_id)i), key) == 0) {
			*id = (enum text_id)i;
			return true;
		}
	return false;
}

/* Strings one after the other are one text. */
static char *join(const struct conf_stmt *st)
{
	struct buf b;
	char *s = NULL;

	buf_init(&b, TEXT_MAX);
	for (size_t w = 1; w < st->words; w++)
		buf_puts(&b, st->word[w].s);
	if (!b.failed)
		s = view_strdup(buf_view(&b));
	buf_free(&b);
	return s;
}

static bool is_fit(const char *s, const struct conf_stmt *st,
    enum text_id id, struct conf_errors *ce)
{
	struct view v = view_of(s);
	uint32_t cp;
	size_t n;

	for (; v.n > 0; v = view_sub(v, n, v.n)) {
		n = utf8_first(v, &cp);
		if (n == 0 || utf8_is_unsafe(cp)) {
			conf_error(ce, st, 1, "%s: expected UTF-8 (RFC 3629) "
			    "without control characters", text_key(id));
			return false;
		}
	}
	if (placeholders(s) != placeholders(text_built_in(id))) {
		conf_error(ce, st, 1, "%s: expected the same %%1 and %%2 as "
		    "in \"%s\"", text_key(id), text_built_in(id));
		return false;
	}
	return true;
}

static void add_text(struct texts *t, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	enum text_id id;
	char *s;

	if (st->words < 2 || st->has_block) {
		conf_error(ce, st, 0, "expected KEY \"TEXT\"");
		return;
	}
	if (!find_id(st->word[0].s, &id)) {
		conf_error(ce, st, 0, "%s: no text has this key",
		    st->word[0].s);
		return;
	}
	if (t->text[id] != NULL) {
		conf_error(ce, st, 0, "%s: stands there already",
		    st->word[0].s);
		return;
	}
	s = join(st);
	if (s == NULL)
		conf_error(ce, st, 1, "%s: expected at most %d octets",
		    st->word[0].s, TEXT_MAX);
	else if (is_fit(s, st, id, ce))
		t->text[id] = s;
	else
		free(s);
}

int texts_read(struct texts **out, const char *path, const char *name,
    struct conf_errors *ce)
{
	struct texts *t = calloc(1, sizeof(*t));
	struct conf *file = NULL;
	size_t before = ce->n;
	int rc;

	*out = NULL;
	rc = conf_read(&file, path, ce);
	for (size_t i = 0; t != NULL && file != NULL && i < file->stmts; i++)
		add_text(t, &file->stmt[i], ce);
	conf_free(&file);
	if (t == NULL || rc != 0 || ce->n != before) {
		texts_free(&t);
		return -1;
	}
	text_set(t->name, sizeof(t->name), name);
	*out = t;
	return 0;
}

/* ---- those of the configuration ---- */

static const struct texts *find_texts(const struct config *c,
    const char *name)
{
	for (size_t i = 0; c->words != NULL && i < c->words->n; i++)
		if (strcmp(c->words->t[i]->name, name) == 0)
			return c->words->t[i];
	return NULL;
}

static int add_language(struct config *c, struct texts *take)
{
	struct texts **more;

	more = reallocarray(c->words->t, c->words->n + 1, sizeof(*more));
	if (more == NULL) {
		texts_free(&take);
		return -1;
	}
	c->words->t = more;
	c->words->t[c->words->n++] = take;
	return 0;
}

static bool is_there(const struct config *c, const char *path,
    const char *name, struct conf_errors *ce)
{
	char nothing[] = "";
	struct conf_word w = {nothing, false, 1};
	struct conf_stmt whole = {c->path, 1, &w, 1, NULL, 0, false};

	if (access(path, F_OK) == 0)
		return true;
	conf_error(ce, &whole, 0, "language %s: there is no file %s; texts "
	    "\"FOLDER\" says where they are, share/texts before make install",
	    name, path);
	return false;
}

static void load_one(struct config *c, const char *name,
    struct conf_errors *ce)
{
	struct texts *t = NULL;
	struct buf path;

	if (find_texts(c, name) != NULL)
		return;
	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", c->texts != NULL ? c->texts : TEXTS_DIR,
	    name);
	/* English words of one's own are a file like any other */
	if (strcmp(name, "en") == 0 && (c->texts == NULL ||
	    access(buf_str(&path), F_OK) != 0))
		goto out;
	if (is_there(c, buf_str(&path), name, ce) &&
	    texts_read(&t, buf_str(&path), name, ce) == 0 &&
	    add_language(c, t) != 0)
		t = NULL;
out:
	buf_free(&path);
}

void texts_load(struct config *c, struct conf_errors *ce)
{
	if (c->language[0] == '\0')
		text_set(c->language, sizeof(c->language), "en");
	c->words = calloc(1, sizeof(*c->words));
	if (c->words == NULL)
		return; /* English then */
	load_one(c, c->language, ce);
	for (size_t i = 0; i < c->language_fors; i++)
		load_one(c, c->language_for[i].name, ce);
}

void texts_unload(struct config *c)
{
	for (size_t i = 0; c->words != NULL && i < c->words->n; i++)
		texts_free(&c->words->t[i]);
	if (c->words != NULL)
		free(c->words->t);
	free(c->words);
	c->words = NULL;
}

void texts_warn(const struct config *c, void (*say)(const char *sentence))
{
	const char *first = "";
	struct buf b;

	for (size_t i = 0; c->words != NULL && i < c->words->n; i++) {
		const struct texts *t = c->words->t[i];

		if (texts_lacking(t) == 0)
			continue;
		for (size_t id = TEXT_N; id-- > 0;)
			if (t->text[id] == NULL)
				first = text_key((enum text_id)id);
		buf_init(&b, 1000);
		buf_printf(&b, "language %s lacks %zu of %d texts (%s, ...): "
		    "English is used for them", t->name, texts_lacking(t),
		    (int)TEXT_N, first);
		say(buf_str(&b));
		buf_free(&b);
	}
}

const struct texts *texts_for(const struct config *c, const char *raw_path)
{
	char key[sizeof(((struct addr *)0)->text)];
	const char *name = NULL;
	struct addr a;

	if (c->words == NULL || raw_path == NULL || addr_parse_path(&a,
	    raw_path, NULL) != 0 || a.text[0] == '\0')
		return NULL;
	addr_key(&a, key);
	for (size_t i = 0; i < c->language_fors; i++) {
		const struct language_for *l = &c->language_for[i];

		if (strcmp(l->who, key) == 0) {
			name = l->name;
			break; /* nothing is closer */
		}
		if (name == NULL && l->who[0] == '@' &&
		    strcmp(l->who + 1, addr_domain(&a)) == 0)
			name = l->name;
	}
	if (name == NULL && config_is_local(c, &a))
		name = c->language;
	return name == NULL ? NULL : find_texts(c, name);
}
