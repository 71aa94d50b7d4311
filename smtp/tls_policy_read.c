/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block tls-policy { } to lines that were checked: a word that is not
 * known, or that cannot be true beside another, is an error, because a line
 * that is half understood protects nobody.
 */
#include "smtp/tls_policy_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "util/addr.h"
#include "util/ossl.h"

#define LEVELS "none, may, encrypt, fingerprint, dane, dane-only, verify or " \
    "secure"

static bool is_level(const struct tls_line *l)
{
	enum tls_level x;

	return l->w < l->st->words && !l->st->word[l->w].quoted &&
	    tls_level_of(tls_line_word(l), &x) == 0;
}

static int bad_level(const struct tls_line *l)
{
	conf_error(l->ce, l->st, l->w, "expected a level: " LEVELS);
	return -1;
}

static int read_level(struct tls_line *l)
{
	if (!is_level(l) || tls_level_of(tls_line_word(l), &l->rule.level) != 0)
		return bad_level(l);
	l->level_at = l->w++;
	return 0;
}

/* ---- whom it is for ---- */

/* The host of "[host]": a name, or an address in one form. */
static int put_host(struct buf *b, struct view host, struct err *e)
{
	char text[TLS_NAME_MAX], name[TLS_NAME_MAX];

	if (view_cstr(host, text, sizeof(text)) == 0 &&
	    tls_address_text(text, name, sizeof(name)) == 0) {
		buf_printf(b, "[%s]", name);
		return 0;
	}
	if (addr_domain_parse(name, sizeof(name), host, e) != 0)
		return -1;
	buf_printf(b, "[%s]", name);
	return 0;
}

static int put_domain(struct buf *b, struct view v, struct err *e)
{
	size_t dot = v.n > 0 && v.p[0] == '.';
	char name[TLS_NAME_MAX];

	if (addr_domain_parse(name, sizeof(name), view_sub(v, dot, v.n), e)
	    != 0)
		return -1;
	buf_puts(b, dot ? "." : "");
	buf_puts(b, name);
	return 0;
}

/* ":587" behind a destination; 0: none, or 25. */
static int read_dest_port(struct view v, int *port, struct err *e)
{
	int x = 0;

	for (size_t i = 1; i < v.n && x <= 65535; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			x = 65536;
		else
			x = x * 10 + (v.p[i] - '0');
	}
	if (v.n > 0 && (v.p[0] != ':' || x < 1 || x > 65535))
		return err_set(e, FAIL_CONFIG, "expected a port of 1 to 65535 "
		    "behind ':'");
	*port = x == 25 ? 0 : x;
	return 0;
}

static int put_dest(struct buf *b, struct view v, struct err *e)
{
	size_t end = view_chr(v, v.n > 0 && v.p[0] == '[' ? ']' : ':', 0);
	bool is_host = v.n > 0 && v.p[0] == '[';
	int port = 0;

	if (is_host && end == (size_t)-1)
		return err_set(e, FAIL_CONFIG, "expected ']'");
	if (end == (size_t)-1)
		end = v.n;
	if (read_dest_port(view_sub(v, end + is_host, v.n), &port, e) != 0)
		return -1;
	if (port != 0 && v.p[0] == '.')
		return err_set(e, FAIL_CONFIG, "a port is of one "
		    "destination, not of all below a domain");
	if (is_host ? put_host(b, view_sub(v, 1, end - 1), e) != 0 :
	    put_domain(b, view_sub(v, 0, end), e) != 0)
		return -1;
	if (port != 0)
		buf_printf(b, ":%d", port);
	return 0;
}

static char *read_dest(struct tls_line *l, size_t w)
{
	const char *s = l->st->word[w].s;
	struct err e = { 0 };
	char *to = NULL;
	struct buf b;

	buf_init(&b, TLS_NAME_MAX + 16);
	if (tls_line_is_attribute(l, w)) {
		conf_error(l->ce, l->st, w, "to: %s and its value come behind "
		    "the level", s);
	} else if (put_dest(&b, view_of(s), &e) != 0) {
		conf_error(l->ce, l->st, w, "to: expected example.com, "
		    ".example.com, [host] or one of them with :PORT: %s",
		    e.msg);
	} else {
		to = view_strdup(buf_view(&b));
		if (to == NULL)
			(void)tls_line_no_memory(l);
	}
	buf_free(&b);
	return to;
}

static int read_from(struct tls_line *l)
{
	struct err e = { 0 };
	struct addr a;
	char name[TLS_NAME_MAX];
	const char *s = tls_line_word(l);

	if (s[0] == '@') {
		name[0] = '@';
		if (addr_domain_parse(name + 1, sizeof(name) - 1,
		    view_of(s + 1), &e) == 0)
			return tls_line_text(l, &l->rule.from, name);
	} else if (addr_parse(&a, view_of(s), &e) == 0) {
		return tls_line_text(l, &l->rule.from, a.text);
	}
	conf_error(l->ce, l->st, l->w, "from: expected alice@example.net or "
	    "@example.net: %s", e.msg);
	return -1;
}

/* ---- the list ---- */

#define LINES_MAX 100000

static struct tls_rule *grow(struct tls_line *l)
{
	struct tls_rules *r = l->out;
	struct tls_rule *more;

	if (r->n == LINES_MAX) {
		conf_error(l->ce, l->st, 0, "more than %d destinations",
		    LINES_MAX);
		return NULL;
	}
	if ((r->n & (r->n - 1)) == 0) { /* 0, 1, 2, 4, 8, ... */
		more = reallocarray(r->rule, r->n == 0 ? 1 : r->n * 2,
		    sizeof(*more));
		if (more == NULL) {
			(void)tls_line_no_memory(l);
			return NULL;
		}
		r->rule = more;
	}
	return &r->rule[r->n];
}

static int copy_text(struct tls_line *l, char **out, const char *s)
{
	return s == NULL ? 0 : tls_line_text(l, out, s);
}

/* One line more for to, which is taken. */
static int add_rule(struct tls_line *l, char *take_to)
{
	struct tls_rule *r = grow(l);
	const struct tls_rule *of = &l->rule;

	if (r == NULL) {
		free(take_to);
		return -1;
	}
	*r = *of;
	r->to = take_to;
	r->from = r->ca = r->pki = r->servername = r->ciphers = NULL;
	r->matches = 0;
	l->out->n++;
	for (; r->matches < of->matches; r->matches++)
		if (copy_text(l, &r->match[r->matches],
		    of->match[r->matches]) != 0)
			return -1;
	return copy_text(l, &r->from, of->from) != 0 ||
	    copy_text(l, &r->ca, of->ca) != 0 ||
	    copy_text(l, &r->pki, of->pki) != 0 ||
	    copy_text(l, &r->servername, of->servername) != 0 ||
	    copy_text(l, &r->ciphers, of->ciphers) != 0 ? -1 : 0;
}

static void read_to(struct tls_line *l)
{
	size_t first = 1, last;

	while (l->w < l->st->words && !tls_line_is(l, l->w, "from") &&
	    !is_level(l))
		l->w++;
	last = l->w;
	if (last == first) {
		conf_error(l->ce, l->st, l->w, "to: expected a destination");
		return;
	}
	if (last == l->st->words && last - first > 1)
		l->w--; /* a level that was misspelt looks like one more */
	if (tls_line_is(l, l->w, "from")) {
		l->w++;
		if (read_from(l) != 0)
			return;
		l->w++;
	}
	if (read_level(l) != 0 || tls_line_attributes(l) != 0)
		return;
	for (size_t w = first; w < last; w++) {
		char *to = read_dest(l, w);

		if (to == NULL || add_rule(l, to) != 0)
			return;
	}
}

/* then dane, then sts, in the order in which they are asked. */
static int read_then(struct tls_line *l)
{
	struct tls_rules *r = l->out;

	for (; tls_line_is(l, l->w, "then"); l->w++) {
		l->w++;
		if (tls_line_is(l, l->w, "dane") && !r->dane && !r->sts &&
		    l->rule.level != TLS_DANE &&
		    l->rule.level != TLS_DANE_ONLY) {
			r->dane = true;
		} else if (tls_line_is(l, l->w, "sts") && !r->sts) {
			r->sts = true;
		} else {
			conf_error(l->ce, l->st, l->w, "then: expected dane "
			    "or sts, dane first, each once");
			return -1;
		}
	}
	return 0;
}

static void read_default(struct tls_line *l)
{
	size_t end = l->st->words;
	struct conf_stmt front = *l->st;

	if (l->out->has_default) {
		conf_error(l->ce, l->st, 0, "default: said twice");
		return;
	}
	if (read_level(l) != 0)
		return;
	while (l->w < end && !tls_line_is(l, l->w, "then"))
		l->w++;
	if (l->w < end && read_then(l) != 0)
		return;
	if (l->w < end) {
		conf_error(l->ce, l->st, l->w, "expected then dane or then "
		    "sts, and nothing behind them");
		return;
	}
	/* the words before "then" */
	for (front.words = l->level_at + 1; front.words < end &&
	    !tls_line_is(l, front.words, "then"); front.words++)
		;
	l->st = &front;
	l->w = l->level_at + 1;
	l->rule.is_default = true;
	if (tls_line_attributes(l) == 0 && add_rule(l, NULL) == 0)
		l->out->has_default = true;
}

/* Shows two lines for the same mail: they are neighbours then. */
static int compare(const void *a, const void *b)
{
	const struct tls_rule *x = *(const struct tls_rule *const *)a;
	const struct tls_rule *y = *(const struct tls_rule *const *)b;
	int c = (x->is_default ? 1 : 0) - (y->is_default ? 1 : 0);

	if (c == 0 && !x->is_default)
		c = strcmp(x->to, y->to);
	if (c == 0)
		c = (x->from == NULL ? 0 : 1) - (y->from == NULL ? 0 : 1);
	if (c == 0 && x->from != NULL)
		c = strcasecmp(x->from, y->from);
	return c;
}

static int say_twins(const struct tls_rule **p, size_t n,
    const struct conf_stmt *block, struct conf_errors *ce)
{
	int rc = 0;

	for (size_t i = 1; i < n; i++) {
		struct conf_stmt at = *block;
		const struct tls_rule *a = p[i - 1], *b = p[i];

		if (compare(&a, &b) != 0 || b->is_default)
			continue;
		at.file = b->file;
		at.line = b->line;
		conf_error(ce, &at, 0, "to %s%s%s: said in %s:%d, too", b->to,
		    b->from == NULL ? "" : " from ",
		    b->from == NULL ? "" : b->from, a->file, a->line);
		rc = -1;
	}
	return rc;
}

static int check_twins(const struct tls_rules *r,
    const struct conf_stmt *block, struct conf_errors *ce)
{
	const struct tls_rule **p = calloc(r->n + 1, sizeof(const void *));
	int rc;

	if (p == NULL) {
		memory_note_lack();
		conf_error(ce, block, 0, "out of memory");
		return -1;
	}
	for (size_t i = 0; i < r->n; i++)
		p[i] = &r->rule[i];
	qsort(p, r->n, sizeof(const void *), compare);
	rc = say_twins(p, r->n, block, ce);
	free(p);
	return rc;
}

static void read_line(struct tls_rules *out, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct tls_line l = { .out = out, .st = st, .ce = ce, .w = 1 };

	l.rule.file = st->file;
	l.rule.line = st->line;
	if (st->has_block)
		conf_error(ce, st, 0, "a line of tls-policy has no { }");
	else if (tls_line_is(&l, 0, "to"))
		read_to(&l);
	else if (tls_line_is(&l, 0, "default"))
		read_default(&l);
	else
		conf_error(ce, st, 0, "expected default LEVEL or to "
		    "DESTINATION LEVEL");
	tls_rule_clear(&l.rule);
}

/* The default is looked at last. */
static void default_last(struct tls_rules *r)
{
	struct tls_rule x;

	for (size_t i = 0; i + 1 < r->n; i++) {
		if (!r->rule[i].is_default)
			continue;
		x = r->rule[i];
		memmove(&r->rule[i], &r->rule[i + 1],
		    (r->n - i - 1) * sizeof(x));
		r->rule[r->n - 1] = x;
		return;
	}
}

int tls_rules_read(struct tls_rules *out, const struct conf_stmt *block,
    struct conf_errors *ce)
{
	size_t before = ce->n;

	*out = (struct tls_rules){ 0 };
	if (block->words != 1)
		conf_error(ce, block, 1, "tls-policy: expected { }");
	for (size_t i = 0; i < block->subs; i++)
		read_line(out, &block->sub[i], ce);
	if (ce->n == before && check_twins(out, block, ce) == 0) {
		default_last(out);
		return 0;
	}
	tls_rules_free(out);
	return -1;
}
