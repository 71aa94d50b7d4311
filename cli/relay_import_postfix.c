/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Postfix's table of TLS policies (smtp_tls_policy_maps), as text: a key, a
 * level, attributes. As there, an attribute that is not known makes the whole
 * line invalid.
 */
#include <ctype.h>
#include <string.h>

#include "cli/relay_import.h"

/* One line while it is read. */
struct entry {
	struct relay_import *im;
	struct view key;
	enum tls_level level;
	bool is_fingerprint;
	struct buf match, pins, exclude, more;
	const char *ca;
	bool no_version[5]; /* excluded, by enum tls_version */
	bool any_version[5]; /* named */
	bool has_range;
	enum tls_version min, max;
	const char *grade;
};

static struct view next_word(struct view *v)
{
	size_t a = 0, b;
	struct view w;

	while (a < v->n && (isspace(v->p[a]) || v->p[a] == ','))
		a++;
	for (b = a; b < v->n && !isspace(v->p[b]) && v->p[b] != ','; b++)
		;
	w = view_sub(*v, a, b - a);
	*v = view_sub(*v, b, v->n);
	return w;
}

/* ---- attributes ---- */

static int set_match(struct entry *x, struct view value)
{
	char dest[TLS_NAME_MAX];
	size_t start = 0, end;

	if (!x->is_fingerprint) {
		buf_puts(&x->match, x->match.n > 0 ? ":" : "");
		buf_putv(&x->match, value);
		return 0;
	}
	if (view_cstr(x->key, dest, sizeof(dest)) != 0)
		return import_lose(x->im, "a key that is too long");
	for (; start <= value.n; start = end + 1) {
		end = view_chr(value, '|', start);
		if (end == (size_t)-1)
			end = value.n;
		if (import_pin(x->im, &x->pins, view_sub(value, start,
		    end - start), dest, 0) != 0)
			return -1;
	}
	return 0;
}

static int version_of(struct view v, enum tls_version *out)
{
	static const char *const name[] = { "TLSv1", "TLSv1.1", "TLSv1.2",
		"TLSv1.3" };

	for (size_t i = 0; i < ARRAY_LEN(name); i++) {
		if (!view_ieq_str(v, name[i]))
			continue;
		*out = (enum tls_version)(TLS_V_1_0 + i);
		return 0;
	}
	return -1;
}

static int set_version(struct entry *x, struct view v)
{
	bool is_not = v.n > 0 && v.p[0] == '!';
	struct view name = view_sub(v, is_not, v.n);
	enum tls_version is = TLS_V_ANY;

	if (view_istarts(v, ">=") || view_istarts(v, "<=")) {
		if (version_of(view_sub(v, 2, v.n), &is) != 0)
			return import_lose(x->im, "protocols: a version that "
			    "is not known");
		x->has_range = true;
		*(v.p[0] == '>' ? &x->min : &x->max) = is;
		return 0;
	}
	if (view_ieq_str(name, "SSLv2") || view_ieq_str(name, "SSLv3"))
		return is_not ? 0 : import_lose(x->im, "protocols: SSL is "
		    "not spoken here");
	if (version_of(name, &is) != 0)
		return import_lose(x->im, "protocols: a version that is not "
		    "known");
	*(is_not ? &x->no_version[is] : &x->any_version[is]) = true;
	return 0;
}

static int set_protocols(struct entry *x, struct view value)
{
	size_t start = 0, end;

	for (; start <= value.n; start = end + 1) {
		end = view_chr(value, ':', start);
		if (end == (size_t)-1)
			end = value.n;
		if (set_version(x, view_sub(value, start, end - start)) != 0)
			return -1;
	}
	return 0;
}

static int set_ciphers(struct entry *x, struct view value)
{
	static const char *const grade[] = { "high", "medium", "low",
		"export" };

	for (size_t i = 0; i < ARRAY_LEN(grade); i++) {
		if (!view_ieq_str(value, grade[i]))
			continue;
		if (i > 0)
			import_note(x->im, "ciphers=%s is not kept: here they "
			    "are those of high", grade[i]);
		return 0;
	}
	return import_lose(x->im, "ciphers: a grade that is not known, or "
	    "that does not encrypt");
}

static int set_exclude(struct entry *x, struct view value)
{
	size_t start = 0, end;

	for (; start <= value.n; start = end + 1) {
		end = view_chr(value, ':', start);
		if (end == (size_t)-1)
			end = value.n;
		if (end > start)
			buf_puts(&x->exclude, ":!");
		buf_putv(&x->exclude, view_sub(value, start, end - start));
	}
	return 0;
}

static int set_tafile(struct entry *x, struct view value)
{
	if (x->ca != NULL)
		return import_lose(x->im, "two times tafile: put both into "
		    "one file");
	if (x->level != TLS_VERIFY && x->level != TLS_SECURE)
		return import_lose(x->im, "tafile: nothing is verified with "
		    "it at level %s", tls_level_str(x->level));
	x->ca = import_ca(x->im, value, NULL);
	return x->ca == NULL ? -1 : 0;
}

static int set_servername(struct entry *x, struct view value)
{
	buf_puts(&x->more, " servername ");
	return import_word(&x->more, value) == 0 ? 0 :
	    import_lose(x->im, "servername: no name");
}

static int set_reuse(struct entry *x, struct view value)
{
	if (!view_eq_str(value, "yes") && !view_eq_str(value, "no"))
		return import_lose(x->im, "connection_reuse: expected yes or "
		    "no");
	import_note(x->im, "connection_reuse is not kept: connections are "
	    "shared by mail with the same policy alone");
	return 0;
}

static int set_rpk(struct entry *x, struct view value)
{
	if (view_eq_str(value, "no"))
		return 0;
	if (!view_eq_str(value, "yes"))
		return import_lose(x->im, "enable_rpk: expected yes or no");
	import_note(x->im, "enable_rpk is not kept: the key is taken from "
	    "the certificate");
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct entry *x, struct view value);
} attributes[] = {
	{ "match", set_match }, { "protocols", set_protocols },
	{ "ciphers", set_ciphers }, { "exclude", set_exclude },
	{ "tafile", set_tafile }, { "servername", set_servername },
	{ "connection_reuse", set_reuse }, { "enable_rpk", set_rpk },
};

static int set_attribute(struct entry *x, struct view w)
{
	size_t eq = view_chr(w, '=', 0);
	char shown[ERR_QUOTED];

	for (size_t i = 0; eq != (size_t)-1 && i < ARRAY_LEN(attributes);
	    i++) {
		if (!view_eq_str(view_sub(w, 0, eq), attributes[i].name))
			continue;
		if (eq + 1 == w.n)
			return import_lose(x->im, "%s: no value",
			    attributes[i].name);
		return attributes[i].set(x, view_sub(w, eq + 1, w.n));
	}
	return import_lose(x->im, "an attribute that is not known: \"%s\"",
	    err_quote(shown, sizeof(shown), w.p, w.n));
}

/* ---- the line ---- */

/* Which versions are left, if they are in a row. */
static int put_protocols(struct entry *x, struct buf *b)
{
	static const char *const name[] = { "", "1.0", "1.1", "1.2", "1.3" };
	bool on[6] = { false }, any = false, none = false;
	int first = 0, last = 0, gaps = 0;

	for (int v = TLS_V_1_0; v <= TLS_V_1_3; v++) {
		any = any || x->any_version[v];
		none = none || x->no_version[v];
	}
	if (!any && !none && !x->has_range)
		return 0;
	for (int v = TLS_V_1_0; v <= TLS_V_1_3; v++) {
		on[v] = (!any || x->any_version[v]) && !x->no_version[v] &&
		    (int)x->min <= v &&
		    (x->max == TLS_V_ANY || v <= (int)x->max);
		if (on[v] && first == 0)
			first = v;
		else if (on[v] && last != v - 1)
			gaps++;
		if (on[v])
			last = v;
	}
	if (first == 0 || gaps > 0)
		return import_lose(x->im, "protocols: versions that are not "
		    "in a row");
	if (last < TLS_V_1_2)
		return import_lose(x->im, "protocols: nothing from TLS 1.2 "
		    "on (RFC 8996)");
	if (first < TLS_V_1_2) {
		import_note(x->im, "TLS 1.0 and 1.1 are not kept (RFC 8996): "
		    "where a host has nothing else add protocols >=%s",
		    name[first]);
		first = TLS_V_1_2;
	}
	if (first != TLS_V_1_2 || last != TLS_V_1_3)
		buf_printf(b, " protocols %s-%s", name[first], name[last]);
	return 0;
}

static int put_rule(struct entry *x, struct buf *b)
{
	buf_puts(b, "to ");
	if (import_word(b, x->key) != 0)
		return import_lose(x->im, "no destination");
	buf_printf(b, " %s", tls_level_str(x->level));
	if (x->is_fingerprint && x->pins.n == 0)
		return import_lose(x->im, "fingerprint without match: write "
		    "those of smtp_tls_fingerprint_cert_match here");
	buf_putv(b, buf_view(&x->pins));
	if (x->match.n > 0) {
		buf_puts(b, " match ");
		if (import_word(b, buf_view(&x->match)) != 0)
			return import_lose(x->im, "match: no names");
	}
	if (x->ca != NULL)
		buf_printf(b, " ca %s", x->ca);
	buf_putv(b, buf_view(&x->more));
	if (x->exclude.n > 0)
		buf_printf(b, " ciphers \"HIGH%s\"", buf_str(&x->exclude));
	return put_protocols(x, b);
}

static int read_words(struct entry *x, struct view rest)
{
	struct view w = next_word(&rest);
	char word[32];

	if (view_cstr(w, word, sizeof(word)) != 0 ||
	    tls_level_of(word, &x->level) != 0)
		return import_lose(x->im, "a level that is not known");
	if (x->level == TLS_NONE)
		import_wants_none(x->im);
	x->is_fingerprint = x->level == TLS_FINGERPRINT;
	for (w = next_word(&rest); w.n > 0; w = next_word(&rest))
		if (set_attribute(x, w) != 0)
			return -1;
	return 0;
}

static void read_entry(struct relay_import *im, size_t number,
    struct view line)
{
	struct entry x = { .im = im };
	struct view rest = line;
	struct buf rule;
	int rc;

	buf_init(&x.match, 8192);
	buf_init(&x.pins, 8192);
	buf_init(&x.exclude, 1024);
	buf_init(&x.more, 1024);
	buf_init(&rule, 65536);
	x.key = next_word(&rest);
	if (x.key.n > 0 && x.key.p[0] == '/') {
		rc = import_lose(im, "a pattern: name the destinations");
	} else {
		import_aim(im, x.key, view_of(""));
		rc = read_words(&x, rest);
	}
	if (rc == 0)
		rc = put_rule(&x, &rule);
	if (x.match.failed || x.pins.failed || x.exclude.failed ||
	    x.more.failed || rule.failed)
		rc = import_lose(im, "a line that is too long");
	import_finish(im, number, line, rc == 0 ? &rule : NULL, 0);
	buf_free(&x.match);
	buf_free(&x.pins);
	buf_free(&x.exclude);
	buf_free(&x.more);
	buf_free(&rule);
}

/* is_cut: it may go on where nothing is read any more. */
static void end_entry(struct relay_import *im, size_t first,
    struct buf *whole, bool is_cut)
{
	if (whole->failed || is_cut)
		(void)import_lose(im, "a line whose end was not read");
	read_entry(im, first, view_trim(buf_view(whole)));
	buf_clear(whole);
}

/* A line that begins with a blank goes on the one before it. */
void import_tls_policy(struct relay_import *im, struct view text)
{
	struct view line;
	struct buf whole;
	size_t n = 0, first = 0;

	im->has_policy = true;
	buf_init(&whole, 65536);
	while (n < IMPORT_LINES && import_line(&text, &line)) {
		n++;
		if (view_trim(line).n == 0 || view_trim(line).p[0] == '#')
			continue;
		if (!isspace(line.p[0]) && whole.n > 0)
			end_entry(im, first, &whole, false);
		if (whole.n == 0)
			first = n;
		buf_putv(&whole, line);
		buf_putc(&whole, ' ');
	}
	if (whole.n > 0)
		end_entry(im, first, &whole, text.n > 0);
	if (text.n > 0) {
		(void)import_lose(im, "more than %d lines: the rest was not "
		    "read", IMPORT_LINES);
		import_finish(im, n + 1, view_of("..."), NULL, 0);
	}
	buf_free(&whole);
}
