/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the readers of forms share, and the text that comes out.
 */
#include "cli/relay_import.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/json.h"
#include "util/ossl.h"
#include "util/utf8.h"

#define NOTE_MAX 16384
#define BLOCKS_MAX (4u << 20)

void import_init(struct relay_import *im)
{
	memset(im, 0, sizeof(*im));
	buf_init(&im->blocks, BLOCKS_MAX);
	buf_init(&im->note, NOTE_MAX);
}

void import_free(struct relay_import *im)
{
	for (size_t i = 0; i < im->items; i++) {
		struct import_item *t = &im->item[i];

		free(t->source);
		free(t->rule);
		free(t->to);
		free(t->from);
		free(t->notes);
	}
	for (size_t i = 0; i < im->names; i++) {
		free(im->name[i].path);
		free(im->name[i].second);
	}
	free(im->item);
	free(im->name);
	buf_free(&im->blocks);
	buf_free(&im->note);
}

/* ---- text ---- */

bool import_line(struct view *v, struct view *line)
{
	size_t end = view_chr(*v, '\n', 0);

	if (v->n == 0)
		return false;
	if (end == (size_t)-1)
		end = v->n;
	*line = view_sub(*v, 0, end);
	if (line->n > 0 && line->p[line->n - 1] == '\r')
		line->n--;
	*v = view_sub(*v, end + 1, v->n);
	return true;
}

static bool is_plain(struct view s)
{
	enum tls_level l;
	char word[32];

	if (s.n == 0 || s.p[s.n - 1] == ':' || (s.n < sizeof(word) &&
	    view_cstr(s, word, sizeof(word)) == 0 &&
	    tls_level_of(word, &l) == 0))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!isalnum(s.p[i]) && strchr("-._:[]@", s.p[i]) == NULL)
			return false;
	return true;
}

int import_word(struct buf *b, struct view s)
{
	if (is_plain(s)) {
		buf_putv(b, s);
		return 0;
	}
	if (!utf8_is_valid(s))
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return -1;
	buf_putc(b, '"');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, s.p[i]);
	}
	buf_putc(b, '"');
	return 0;
}

static char *copy_text(struct relay_import *im, const char *s)
{
	char *t = s == NULL ? NULL : strdup(s);

	if (s != NULL && t == NULL)
		im->no_memory = true;
	return t;
}

/* Nothing of a foreign file may end a comment, or look like something else
 * on a terminal. */
static char *copy_shown(struct relay_import *im, struct view v)
{
	char *s = malloc(v.n + 1);

	if (s == NULL) {
		im->no_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < v.n; i++)
		s[i] = v.p[i] == '\0' ? '?' : (char)v.p[i];
	s[v.n] = '\0';
	utf8_mask(s);
	return s;
}

/* ---- what is not kept ---- */

static void add_note(struct relay_import *im, const char *text)
{
	buf_puts(&im->note, text);
	buf_putc(&im->note, '\n');
}

#define FORMAT_NOTE(im, fmt) \
	do { \
		char text_[1024]; \
		va_list ap_; \
		va_start(ap_, fmt); \
		if (vsnprintf(text_, sizeof(text_), fmt, ap_) < 0) \
			text_[0] = '\0'; \
		va_end(ap_); \
		utf8_mask(text_); \
		add_note(im, text_); \
	} while (0)

void import_note(struct relay_import *im, const char *fmt, ...)
{
	FORMAT_NOTE(im, fmt);
}

int import_lose(struct relay_import *im, const char *fmt, ...)
{
	if (!im->is_losing)
		im->why = im->note.n;
	FORMAT_NOTE(im, fmt);
	im->is_losing = true;
	return -1;
}

/* ---- names of files ---- */

static void name_of(char name[IMPORT_NAME], struct view path)
{
	size_t start = 0, n = 0;

	while (path.n > 1 && path.p[path.n - 1] == '/')
		path.n--;
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] == '/')
			start = i + 1;
	for (size_t i = start; i < path.n && n < IMPORT_NAME - 6; i++) {
		if (path.p[i] == '.' && n > 0)
			break;
		if (isalnum(path.p[i]) || path.p[i] == '-')
			name[n++] = (char)tolower(path.p[i]);
	}
	if (n == 0 || !isalpha((unsigned char)name[0])) {
		memmove(name + 1, name, n);
		name[0] = 'f';
		n++;
	}
	name[n] = '\0';
}

static bool is_taken(const struct relay_import *im, const char *name)
{
	for (size_t i = 0; i < im->names; i++)
		if (strcmp(im->name[i].name, name) == 0)
			return true;
	return false;
}

static void make_unique(const struct relay_import *im,
    char name[IMPORT_NAME])
{
	char base[IMPORT_NAME];
	struct buf b;

	text_set(base, sizeof(base), name);
	for (int i = 2; is_taken(im, name); i++) {
		buf_init(&b, IMPORT_NAME);
		buf_printf(&b, "%s-%d", base, i);
		text_set(name, IMPORT_NAME, buf_str(&b));
		buf_free(&b);
	}
}

static bool is_same(const char *s, struct view v)
{
	return s == NULL ? v.p == NULL : v.p != NULL && view_eq_str(v, s);
}

static const char *name_file(struct relay_import *im, struct view path,
    struct view second, bool is_pki)
{
	struct import_name *n;

	for (size_t i = 0; i < im->names; i++)
		if (im->name[i].is_pki == is_pki &&
		    is_same(im->name[i].path, path) &&
		    is_same(im->name[i].second, second))
			return im->name[i].name;
	n = reallocarray(im->name, im->names + 1, sizeof(*n));
	if (n == NULL) {
		im->no_memory = true;
		return NULL;
	}
	im->name = n;
	n = &im->name[im->names];
	memset(n, 0, sizeof(*n));
	name_of(n->name, path);
	make_unique(im, n->name);
	n->is_pki = is_pki;
	n->is_dir = path.p[path.n - 1] == '/';
	n->path = view_strdup(path);
	n->second = second.p == NULL ? NULL : view_strdup(second);
	if (n->path == NULL || (second.p != NULL && n->second == NULL)) {
		free(n->path);
		im->no_memory = true;
		return NULL;
	}
	im->names++;
	return n->name;
}

static int check_path(struct relay_import *im, struct view path)
{
	struct buf b;
	int rc;

	buf_init(&b, 8192);
	rc = path.n == 0 ? -1 : import_word(&b, path);
	if (rc != 0 || b.failed)
		rc = import_lose(im, "a file name that cannot be written");
	else if (path.p[0] != '/')
		import_note(im, "\"%s\": write the whole path", buf_str(&b));
	buf_free(&b);
	return rc;
}

const char *import_ca(struct relay_import *im, struct view path,
    const char *crl)
{
	struct view second = { NULL, 0 };

	if (crl != NULL)
		second = view_of(crl);
	if (check_path(im, path) != 0)
		return NULL;
	return name_file(im, path, second, false);
}

const char *import_pki(struct relay_import *im, struct view cert,
    struct view key)
{
	if (check_path(im, cert) != 0 ||
	    (key.n > 0 && check_path(im, key) != 0))
		return NULL;
	return name_file(im, cert, key.n > 0 ? key : cert, true);
}

/* ---- fingerprints ---- */

static const char *digest_name(size_t n)
{
	static const struct {
		size_t n;
		const char *name;
	} of[] = { { 16, "MD5" }, { 20, "SHA-1" }, { 28, "SHA-224" },
		{ 48, "SHA-384" }, { 64, "SHA-512" } };

	for (size_t i = 0; i < ARRAY_LEN(of); i++)
		if (of[i].n == n)
			return of[i].name;
	return NULL;
}

/* Once by the old digest, from then on by SHA-256. */
static int mend_pin(struct relay_import *im, unsigned char *sha256,
    struct view old, const char *dest, int port)
{
	const char *name = digest_name(old.n);
	struct err e = { 0 };
	int rc;

	if (im->probe == NULL)
		return import_lose(im, "a fingerprint in %s pins nothing: "
		    "--probe compares it once and writes SHA-256", name);
	rc = im->probe(im->probe_arg, dest, port, old, sha256, &e);
	if (rc < 0)
		return import_lose(im, "%s could not be probed: %s", dest,
		    e.msg);
	if (rc == 0)
		return import_lose(im, "%s shows another certificate than the "
		    "one with this fingerprint in %s", dest, name);
	import_note(im, "%s was compared with what %s showed, and is SHA-256 "
	    "now", name, dest);
	return 0;
}

int import_pin(struct relay_import *im, struct buf *b, struct view hex,
    const char *dest, int port)
{
	unsigned char old[64], sha256[32];
	char text[65];
	size_t n = hex_fingerprint(old, sizeof(old), hex);

	if (n == 32)
		memcpy(sha256, old, 32);
	else if (digest_name(n) == NULL)
		return import_lose(im, "a fingerprint of no known length, or "
		    "no hex digits");
	else if (mend_pin(im, sha256, view_make(old, n), dest, port) != 0)
		return -1;
	buf_printf(b, " sha256:%s", hex_encode(text, sha256, 32));
	return 0;
}

/* ---- lines ---- */

int import_check_rule(struct relay_import *im, struct import_item *t,
    struct buf *text)
{
	struct tls_rules rules = { 0 };
	struct conf *conf = NULL;
	struct conf_errors ce;
	const char *why;
	struct buf b;
	int rc = -1;

	conf_errors_init(&ce);
	buf_init(&b, 1u << 20);
	buf_printf(&b, "tls-policy {\n%s\n}\n", t->rule);
	if (b.failed || conf_read_text(&conf, "", buf_view(&b), &ce) != 0 ||
	    tls_rules_read(&rules, &conf->stmt[0], &ce) != 0 ||
	    rules.n != 1) {
		why = strstr(buf_str(&ce.text), ": ");
		why = why == NULL ? "no line of ours" : why + 2;
		if (text != NULL)
			buf_put(text, why, strcspn(why, "\n"));
	} else {
		t->to = copy_text(im, rules.rule[0].is_default ? "" :
		    rules.rule[0].to);
		t->from = copy_text(im, rules.rule[0].from);
		rc = 0;
	}
	tls_rules_free(&rules);
	conf_free(&conf);
	conf_errors_free(&ce);
	buf_free(&b);
	return rc;
}

static void take_rule(struct relay_import *im, struct import_item *t,
    const char *rule)
{
	struct buf why;

	t->rule = copy_text(im, rule);
	if (t->rule == NULL)
		return;
	buf_init(&why, NOTE_MAX);
	if (import_check_rule(im, t, &why) != 0)
		(void)import_lose(im, "%s", buf_str(&why));
	buf_free(&why);
}

void import_aim(struct relay_import *im, struct view to, struct view from)
{
	im->to = to.p == NULL ? view_of("") : to;
	im->from = from;
}

void import_wants_none(struct relay_import *im)
{
	im->wants_none = true;
}

/* For the line after it. */
static void forget_line(struct relay_import *im)
{
	im->is_losing = im->wants_none = false;
	im->to = im->from = (struct view){ NULL, 0 };
	buf_clear(&im->note);
}

void import_finish(struct relay_import *im, size_t line, struct view source,
    const struct buf *rule, int order)
{
	struct import_item *t;

	if (im->items == 0 || (im->items & (im->items - 1)) == 0) {
		t = reallocarray(im->item, im->items == 0 ? 1 :
		    im->items * 2, sizeof(*t));
		if (t == NULL) {
			im->no_memory = true;
			return;
		}
		im->item = t;
	}
	t = &im->item[im->items++];
	memset(t, 0, sizeof(*t));
	t->line = line;
	t->order = order;
	t->source = copy_shown(im, source);
	if (rule != NULL && !im->is_losing)
		take_rule(im, t, buf_str(rule));
	t->is_lost = im->is_losing;
	t->why = im->why;
	im->lost += im->is_losing;
	if (t->is_lost && im->has_policy && !im->wants_none)
		import_hold(im, t);
	t->notes = copy_text(im, buf_str(&im->note));
	forget_line(im);
}

/* ---- printing ---- */

static int by_mail(const void *a, const void *b)
{
	const struct import_item *x = *(const struct import_item *const *)a;
	const struct import_item *y = *(const struct import_item *const *)b;
	int c = strcmp(x->to, y->to);

	if (c == 0)
		c = strcmp(x->from == NULL ? "" : x->from,
		    y->from == NULL ? "" : y->from);
	if (c == 0)
		c = (x->order > y->order) - (x->order < y->order);
	return c != 0 ? c : (x->line > y->line) - (x->line < y->line);
}

static bool is_for_same(const struct import_item *x,
    const struct import_item *y)
{
	return strcmp(x->to, y->to) == 0 &&
	    strcmp(x->from == NULL ? "" : x->from,
	    y->from == NULL ? "" : y->from) == 0;
}

/* Which line holds instead of i, or NULL: i itself. Filled once. */
static const struct import_item **find_twins(const struct relay_import *im)
{
	const struct import_item **p = calloc(im->items + 1, sizeof(void *));
	const struct import_item **first = calloc(im->items + 1,
	    sizeof(void *));
	const struct import_item *head = NULL;
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < im->items; i++)
		if (im->item[i].to != NULL)
			p[n++] = &im->item[i];
	if (p != NULL)
		qsort(p, n, sizeof(*p), by_mail);
	for (size_t i = 0; first != NULL && i < n; i++) {
		if (head != NULL && is_for_same(head, p[i]))
			first[p[i] - im->item] = head;
		else
			head = p[i];
	}
	free(p);
	return first;
}

static void put_path(struct buf *b, const char *key, const char *path)
{
	struct buf word;

	buf_init(&word, 8192);
	if (import_word(&word, view_of(path)) == 0) {
		buf_printf(b, "    %s ", key);
		buf_printf(b, buf_str(&word)[0] == '"' ? "%s\n" : "\"%s\"\n",
		    buf_str(&word));
	}
	buf_free(&word);
}

static void put_block(const struct import_name *n, struct buf *b)
{
	buf_printf(b, "%s %s {\n", n->is_pki ? "pki" : "ca", n->name);
	if (n->is_pki) {
		put_path(b, "cert", n->path);
		put_path(b, "key", n->second);
	} else {
		put_path(b, n->is_dir ? "dir" : "file", n->path);
		if (n->second != NULL)
			put_path(b, "crl", n->second);
	}
	buf_puts(b, "}\n");
}

static void put_notes(const struct import_item *t, struct buf *b)
{
	struct view v = view_of(t->notes == NULL ? "" : t->notes), one;

	while (import_line(&v, &one)) {
		buf_printf(b, "    # line %zu: ", t->line);
		buf_putv(b, one);
		buf_putc(b, '\n');
	}
}

static void put_item(const struct import_item *t,
    const struct import_item *instead, struct buf *b)
{
	put_notes(t, b);
	if (t->is_lost)
		buf_printf(b, "    # line %zu IS NOT KEPT: %s\n", t->line,
		    t->source);
	if (t->is_lost && !t->is_held)
		return;
	if (instead != NULL) {
		buf_printf(b, "    # line %zu: line %zu holds for the same "
		    "mail: %s\n", t->line, instead->line, t->rule);
	} else if (t->rule != NULL) {
		buf_printf(b, "    %s\n", t->rule);
	}
}

static void put_items(const struct relay_import *im, struct buf *b)
{
	const struct import_item **instead = find_twins(im);
	bool has_default = false;

	if (im->has_policy)
		buf_puts(b, "tls-policy {\n");
	for (size_t i = 0; i < im->items; i++) {
		const struct import_item *t = &im->item[i];

		put_item(t, instead == NULL ? NULL : instead[i], b);
		has_default = has_default || (t->to != NULL &&
		    t->to[0] == '\0');
	}
	if (im->has_policy && !has_default)
		buf_puts(b, "    # the file has nothing for other "
		    "destinations; choose:\n"
		    "    # default may then dane then sts\n");
	if (im->has_policy)
		buf_puts(b, "}\n");
	free(instead);
}

void import_print(const struct relay_import *im, const char *from,
    struct buf *out)
{
	char *shown = copy_shown(&(struct relay_import){ NULL },
	    view_of(from));

	buf_printf(out, "# from %s; for relay { }\n",
	    shown == NULL ? "" : shown);
	free(shown);
	for (size_t i = 0; i < im->names; i++)
		put_block(&im->name[i], out);
	if (im->has_policy)
		buf_putv(out, buf_view(&im->blocks));
	put_items(im, out);
	if (!im->has_policy)
		buf_putv(out, buf_view(&im->blocks));
	if (im->lost > 0)
		buf_printf(out, "# %zu %s NOT KEPT, see above%s%s\n", im->lost,
		    im->lost == 1 ? "line is" : "lines are",
		    im->held > 0 ? ": their mail WAITS " : "",
		    im->held > 0 ? import_until(im) : "");
}

static void put_item_json(const struct import_item *t,
    const struct import_item *instead, struct json *j)
{
	struct view v = view_of(t->notes == NULL ? "" : t->notes), one;

	json_object(j, NULL);
	json_int(j, "line", (int64_t)t->line);
	json_str(j, "source", t->source);
	json_bool(j, "kept", !t->is_lost && instead == NULL);
	json_str(j, "configuration", t->is_lost ? NULL : t->rule);
	if (instead != NULL)
		json_int(j, "instead", (int64_t)instead->line);
	json_array(j, "notes");
	while (import_line(&v, &one))
		json_view(j, NULL, one);
	json_end_array(j);
	if (t->is_held)
		json_str(j, "hold", t->rule);
	json_end_object(j);
}

void import_print_json(const struct relay_import *im, const char *from,
    struct buf *out)
{
	const struct import_item **instead = find_twins(im);
	struct json j;
	struct buf all;

	buf_init(&all, out->max);
	import_print(im, from, &all);
	json_init(&j, out);
	json_object(&j, NULL);
	json_str(&j, "file", from);
	json_int(&j, "lost", (int64_t)im->lost);
	json_int(&j, "held", (int64_t)im->held);
	json_array(&j, "lines");
	for (size_t i = 0; i < im->items; i++)
		put_item_json(&im->item[i], instead == NULL ? NULL :
		    instead[i], &j);
	json_end_array(&j);
	json_str(&j, "configuration", buf_str(&all));
	json_end_object(&j);
	buf_putc(out, '\n');
	buf_free(&all);
	free(instead);
}
