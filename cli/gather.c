/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which files a configuration is made of; see gather.h.
 */
#include "cli/gather.h"

#include <stdlib.h>
#include <string.h>

#include "util/proc.h"

#define FILES_MAX 999

/* ---- the set ---- */

void gather_free(struct gather *g)
{
	size_t i;

	for (i = 0; i < g->n; i++) {
		free(g->f[i].path);
		buf_free(&g->f[i].text);
		buf_free(&g->f[i].portable);
	}
	for (i = 0; i < g->knowns; i++)
		free(g->known[i].path);
	free(g->f);
	free(g->known);
	buf_free(&g->left_out);
	memset(g, 0, sizeof(*g));
}

static const char *known_name(const struct gather *g, const char *path)
{
	size_t i;

	for (i = 0; i < g->knowns; i++)
		if (strcmp(g->known[i].path, path) == 0)
			return g->known[i].name;
	return NULL;
}

/* name: constant, or of a gathered file. */
static int know(struct gather *g, const char *path, const char *name)
{
	void *more;

	if (path == NULL || known_name(g, path) != NULL)
		return EX_OK;
	more = realloc(g->known, (g->knowns + 1) * sizeof(*g->known));
	if (more == NULL)
		return cli_say(EX_OSERR, "out of memory");
	g->known = more;
	g->known[g->knowns].path = strdup(path);
	g->known[g->knowns].name = name;
	if (g->known[g->knowns].path == NULL)
		return cli_say(EX_OSERR, "out of memory");
	g->knowns++;
	return EX_OK;
}

/* name NULL: the next of file-001 and so on. */
static int add_file(struct gather *g, const char *path, const char *name)
{
	struct gathered *f;
	struct err e = { 0 };
	struct buf b;
	size_t i;

	for (i = 0; i < g->n; i++)
		if (strcmp(g->f[i].path, path) == 0)
			return EX_OK;
	if (g->n == FILES_MAX)
		return cli_say(EX_DATAERR, "more than %d files", FILES_MAX);
	f = &g->f[g->n];
	memset(f, 0, sizeof(*f));
	buf_init(&f->text, CAP_CONF_FILE);
	buf_init(&f->portable, 2 * CAP_CONF_FILE);
	f->path = strdup(path);
	if (f->path == NULL)
		return cli_say(EX_OSERR, "out of memory");
	g->n++;
	buf_init(&b, BACKUP_NAME);
	if (name == NULL)
		buf_printf(&b, BACKUP_FILE "%03zu", g->n);
	text_set(f->name, sizeof(f->name), name != NULL ? name : buf_str(&b));
	buf_free(&b);
	if (io_read_file(path, &f->text, &e) != 0)
		return cli_fail(&e);
	return EX_OK;
}

/* ---- what names what ---- */

/* As config_path() does it. */
static void resolve(const char *file, const char *word, struct buf *out)
{
	const char *slash = strrchr(file, '/');

	buf_clear(out);
	if (word[0] != '/' && slash != NULL)
		buf_put(out, file, (size_t)(slash - file) + 1);
	buf_puts(out, word);
}

/* A file in our language and all that it includes; *out: its statements. */
static int add_conf(struct gather *g, const char *path, const char *name,
    struct conf **out)
{
	struct conf_errors ce;
	int rc = EX_OK;
	size_t i;

	conf_errors_init(&ce);
	if (conf_read(out, path, &ce) != 0) {
		fputs(buf_str(&ce.text), stderr);
		rc = cli_say(EX_CONFIG, "%s: has errors", path);
	}
	conf_errors_free(&ce);
	if (rc == EX_OK)
		rc = add_file(g, path, name);
	for (i = 0; rc == EX_OK && i < (*out)->files; i++)
		rc = add_file(g, (*out)->file[i], NULL);
	return rc;
}

static int add_plain(struct gather *g, const char *path, const char *name)
{
	struct conf *conf = NULL;
	int rc = add_conf(g, path, name, &conf);

	conf_free(&conf);
	return rc;
}

/* "file PATH" among the words of one statement of the rules. */
static int add_lists(struct gather *g, const struct conf_stmt *st)
{
	struct buf path;
	size_t i;
	int rc = EX_OK;

	buf_init(&path, 8192);
	for (i = 0; rc == EX_OK && i + 1 < st->words; i++) {
		if (st->word[i].quoted || strcmp(st->word[i].s, "file") != 0)
			continue;
		resolve(st->file, st->word[i + 1].s, &path);
		rc = add_plain(g, buf_str(&path), NULL);
	}
	buf_free(&path);
	return rc;
}

static int add_rules(struct gather *g, const char *path)
{
	struct conf *conf = NULL;
	size_t i, k;
	int rc = add_conf(g, path, BACKUP_RULES, &conf);

	for (i = 0; rc == EX_OK && i < conf->stmts; i++) {
		rc = add_lists(g, &conf->stmt[i]);
		for (k = 0; rc == EX_OK && k < conf->stmt[i].subs; k++)
			rc = add_lists(g, &conf->stmt[i].sub[k]);
	}
	conf_free(&conf);
	return rc;
}

/* Other files of the configuration may be secrets or anything. */
static void leave_out(struct gather *g, const struct conf_stmt *st)
{
	size_t i;

	for (i = 1; i < st->words; i++)
		if (strchr(st->word[i].s, '/') != NULL &&
		    st->word[i].s[0] == '/' && g->left_out.n < 4096)
			buf_printf(&g->left_out, "%s (%s)\n", st->word[i].s,
			    st->word[0].s);
}

static int add_stmt(struct gather *g, const struct conf_stmt *st)
{
	static const char *const ours[] = { "keystore", "secret", "rules",
		"spool" };
	struct buf path;
	size_t i;
	int rc = EX_OK;

	for (i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(st->word[0].s, ours[i]) == 0)
			return EX_OK;
	buf_init(&path, 8192);
	if (strcmp(st->word[0].s, "authority") == 0 && st->words == 3) {
		resolve(st->file, st->word[2].s, &path);
		rc = add_plain(g, buf_str(&path), BACKUP_AUTHORITY);
	} else
		leave_out(g, st);
	for (i = 0; i < st->subs; i++)
		leave_out(g, &st->sub[i]);
	buf_free(&path);
	return rc;
}

static int add_main(struct cli *c, struct gather *g)
{
	struct conf *conf = NULL;
	size_t i;
	int rc = add_conf(g, c->config->path, BACKUP_CONF, &conf);

	for (i = 0; rc == EX_OK && i < conf->stmts; i++)
		rc = add_stmt(g, &conf->stmt[i]);
	conf_free(&conf);
	return rc;
}

/* ---- paths made relative ---- */

struct token {
	struct view raw; /* as it stands in the text */
	struct buf word; /* what it means */
	bool quoted;
};

static bool ends_word(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '{' ||
	    c == '}' || c == ',' || c == '"' || c == '#';
}

/* The word at pos; its end is returned. */
static size_t read_token(struct view v, size_t pos, struct token *t)
{
	size_t at = pos;

	buf_clear(&t->word);
	t->quoted = v.p[pos] == '"';
	if (!t->quoted) {
		while (at < v.n && !ends_word(v.p[at]))
			buf_putc(&t->word, v.p[at++]);
	} else {
		for (at++; at < v.n && v.p[at] != '"' && v.p[at] != '\n';
		    at++) {
			if (v.p[at] == '\\' && at + 1 < v.n)
				at++;
			buf_putc(&t->word, v.p[at]);
		}
		if (at < v.n && v.p[at] == '"')
			at++;
	}
	t->raw = view_sub(v, pos, at - pos);
	return at;
}

/* The name that stands for a token, if it is the path of something known.
 * A bare word without dot or slash may be a keyword. */
static const char *stand_in(const struct gather *g, const char *file, const
    struct token *t)
{
	const char *word = buf_str(&t->word), *name;
	struct buf path;

	if (t->word.n == 0 || (!t->quoted && strpbrk(word, "./") == NULL))
		return NULL;
	buf_init(&path, 8192);
	resolve(file, word, &path);
	name = known_name(g, buf_str(&path));
	buf_free(&path);
	return name;
}

static void make_portable(const struct gather *g, struct gathered *f)
{
	struct view v = buf_view(&f->text);
	struct token t = { .quoted = false };
	const char *name;
	size_t pos = 0, end;

	buf_init(&t.word, CAP_CONF_FILE);
	while (pos < v.n) {
		if (v.p[pos] == '#') {
			end = view_chr(v, '\n', pos);
			end = end == (size_t)-1 ? v.n : end;
			buf_putv(&f->portable, view_sub(v, pos, end - pos));
		} else if (v.p[pos] != '"' && ends_word(v.p[pos])) {
			end = pos + 1;
			buf_putc(&f->portable, v.p[pos]);
		} else {
			end = read_token(v, pos, &t);
			name = stand_in(g, f->path, &t);
			if (name != NULL)
				buf_printf(&f->portable, "\"%s\"", name);
			else
				buf_putv(&f->portable, t.raw);
		}
		pos = end;
	}
	buf_free(&t.word);
}

int gather_files(struct cli *c, struct gather *g)
{
	const struct config *conf = c->config;
	struct err e = { 0 };
	size_t i;
	int rc;

	memset(g, 0, sizeof(*g));
	buf_init(&g->left_out, 65536);
	g->f = calloc(FILES_MAX, sizeof(*g->f));
	if (g->f == NULL)
		return cli_say(EX_OSERR, "out of memory");
	rc = add_main(c, g);
	if (rc == EX_OK)
		rc = add_rules(g, conf->rules);
	if (rc == EX_OK)
		rc = know(g, conf->keystore, BACKUP_DB);
	if (rc == EX_OK && !conf->secret_is_credential)
		rc = know(g, conf->secret, BACKUP_SECRET);
	if (rc == EX_OK)
		rc = know(g, conf->spool, "spool");
	for (i = 0; rc == EX_OK && i < g->n; i++)
		rc = know(g, g->f[i].path, g->f[i].name);
	for (i = 0; rc == EX_OK && i < g->n; i++) {
		make_portable(g, &g->f[i]);
		if (buf_ok(&g->f[i].portable, &e) != 0)
			rc = cli_fail(&e);
	}
	return rc;
}
