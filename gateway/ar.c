/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Authentication-Results (RFC 8601, RFC 7281): forged ones out, ours in. A
 * field of ours that cannot be read in exactly one way goes as well: the
 * reader behind us may read it otherwise.
 */
#include <string.h>

#include "gateway/gateway_int.h"

#define AR_NAME "Authentication-Results"

/* ---- a strict reader of the field (RFC 8601 2.2) ---- */

enum token { T_END, T_WORD, T_SPECIAL, T_BAD };

struct lexer {
	struct view v;
	size_t pos;
	enum token kind;
	struct view text; /* of a word; quotes taken off, escapes kept */
	int special;
	bool is_hidden; /* "smime" in a comment or quoted string passed */
};

static bool contains_smime(struct view v)
{
	for (size_t i = 0; i + 5 <= v.n; i++)
		if (view_ieq_str(view_sub(v, i, 5), "smime"))
			return true;
	return false;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 2045 token, with the octets that stand in addresses and dates. */
static bool is_word_octet(unsigned char c)
{
	return c > 32 && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* Comments nest; -1 when one does not end. */
static int skip_comment(struct lexer *x)
{
	size_t start = x->pos;
	int depth = 0;

	for (; x->pos < x->v.n; x->pos++) {
		unsigned char c = x->v.p[x->pos];

		if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0) {
			x->pos++;
			x->is_hidden = x->is_hidden || contains_smime(
			    view_sub(x->v, start, x->pos - start));
			return 0;
		} else if (c == '\\')
			x->pos++;
		else if (c == '\0' || c > 126)
			return -1;
	}
	return -1;
}

static int skip_cfws(struct lexer *x)
{
	while (x->pos < x->v.n) {
		unsigned char c = x->v.p[x->pos];

		if (c == '(') {
			if (skip_comment(x) != 0)
				return -1;
		} else if (is_blank(c)) {
			x->pos++;
		} else {
			break;
		}
	}
	return 0;
}

static void take_quoted(struct lexer *x)
{
	size_t start = ++x->pos;

	x->kind = T_BAD;
	for (; x->pos < x->v.n; x->pos++) {
		unsigned char c = x->v.p[x->pos];

		/* an escape could spell any name in a second way */
		if (c == '\\' || c == '\0' || c > 126)
			return;
		if (c == '"') {
			x->text = view_sub(x->v, start, x->pos - start);
			x->is_hidden = x->is_hidden ||
			    contains_smime(x->text);
			x->kind = T_WORD;
			x->pos++;
			return;
		}
	}
}

static void next(struct lexer *x)
{
	size_t start;

	x->kind = T_BAD;
	if (skip_cfws(x) != 0)
		return;
	if (x->pos == x->v.n) {
		x->kind = T_END;
		return;
	}
	if (x->v.p[x->pos] == '"') {
		take_quoted(x);
		return;
	}
	start = x->pos;
	while (x->pos < x->v.n && is_word_octet(x->v.p[x->pos]))
		x->pos++;
	if (x->pos > start) {
		x->text = view_sub(x->v, start, x->pos - start);
		x->kind = T_WORD;
		return;
	}
	x->special = x->v.p[x->pos++];
	if (strchr(";=/@:", x->special) != NULL && x->special != '\0')
		x->kind = T_SPECIAL;
}

static bool is_special(const struct lexer *x, int c)
{
	return x->kind == T_SPECIAL && x->special == c;
}

static bool is_version(const struct lexer *x)
{
	for (size_t i = 0; i < x->text.n; i++)
		if (x->text.p[i] < '0' || x->text.p[i] > '9')
			return false;
	return x->kind == T_WORD && x->text.n > 0;
}

/* "key [/ version] = value [@ domain]" with x at the key; x is then behind
 * it. The version only follows a method, but does no harm elsewhere. */
static bool read_pair(struct lexer *x)
{
	if (x->kind != T_WORD)
		return false;
	next(x);
	if (is_special(x, '/')) {
		next(x);
		if (!is_version(x))
			return false;
		next(x);
	}
	if (!is_special(x, '='))
		return false;
	next(x);
	/* pvalue: word, word@domain, @domain, words with : (times) or / */
	while (x->kind == T_WORD || is_special(x, '@') ||
	    is_special(x, ':') || is_special(x, '/')) {
		bool was_word = x->kind == T_WORD;

		next(x);
		if (was_word && x->kind == T_WORD)
			break; /* the next pair */
	}
	return true;
}

/* Everything behind the authserv-id; x is there. */
static bool is_well_formed(struct lexer *x)
{
	if (is_version(x))
		next(x);
	if (x->kind == T_END || !is_special(x, ';'))
		return x->kind == T_END;
	while (is_special(x, ';')) {
		next(x);
		if (x->kind == T_END)
			return true;
		if (x->kind == T_WORD && view_ieq_str(x->text, "none")) {
			next(x);
			continue;
		}
		while (x->kind == T_WORD)
			if (!read_pair(x))
				return false;
	}
	return x->kind == T_END;
}

static bool is_own_id(const char *own, struct view id)
{
	while (id.n > 0 && id.p[id.n - 1] == '.')
		id.n--;
	return view_ieq_str(view_trim(id), own);
}

static bool is_name(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (!is_word_octet(v.p[i]))
			return false;
	return true;
}

bool ar_is_forged(const char *authserv_id, struct view raw_value)
{
	struct lexer x = {.v = raw_value, .kind = T_BAD};
	bool is_own, is_sound;

	next(&x);
	if (x.kind != T_WORD)
		return true; /* no authserv-id that can be read */
	is_own = is_own_id(authserv_id, x.text);
	/* Quotes around more than a name: "mx.example.com;" is another id to
	 * us, and ours to who does not read quotes. */
	if (!is_name(x.text) && contains_smime(raw_value))
		return true;
	/* In a comment or a quoted string, too: who looks for it with a
	 * pattern finds it there. */
	if (is_own && contains_smime(raw_value))
		return true;
	next(&x);
	is_sound = is_well_formed(&x);
	/* Somebody else's: only what others might read as ours. */
	return is_own ? !is_sound
		      : contains_smime(raw_value) &&
		(!is_sound || x.is_hidden);
}

int ar_strip(struct txn *t, struct err *e)
{
	size_t n = header_count(&t->h, AR_NAME);
	const char *own = t->g->config->authserv_id;

	while (n-- > 0) {
		const struct field *f = header_get(&t->h, AR_NAME, n);

		if (!ar_is_forged(own, f->value))
			continue;
		if (verdict_delete(t->v, AR_NAME, (int)n + 1, e) != 0)
			return -1;
		txn_warn(t, "a forged or unreadable %s was removed", AR_NAME);
	}
	return 0;
}

/* Is a field of that name at off? */
static int is_ar_at(const struct spool *s, uint64_t off, bool *is,
    struct err *e)
{
	unsigned char line[sizeof(AR_NAME) + 8];
	size_t got, n = sizeof(AR_NAME) - 1;

	if (spool_read(s, off, line, sizeof(line), &got, e) != 0)
		return -1;
	*is = got > n && view_ieq_str(view_make(line, n), AR_NAME);
	while (*is && n < got && is_blank(line[n]))
		n++;
	*is = *is && n < got && line[n] == ':';
	return 0;
}

/* Reads lines; count grows by one for each field of that name. */
struct counter {
	const struct spool *s;
	uint64_t line; /* where the current line begins */
	bool is_start;
	bool is_over; /* blank line seen */
	int count;
};

static int count_octet(struct counter *k, uint64_t at, unsigned char c,
    struct err *e)
{
	bool is_ar = false;

	if (k->is_start) {
		k->line = at;
		if ((c == 'A' || c == 'a') &&
		    is_ar_at(k->s, at, &is_ar, e) != 0)
			return -1;
		k->count += is_ar;
	}
	k->is_start = c == '\n';
	/* the blank line: at most a CR before its LF */
	k->is_over = k->is_start && at - k->line <= 1;
	return 0;
}

static int count_unread(struct counter *k, struct err *e)
{
	struct spool_rd r;
	struct view c;
	int rc = 0;

	spool_rd_init(&r, k->s, 0, spool_size(k->s));
	while (rc == 0 && !k->is_over) {
		rc = spool_next(&r, &c, e);
		if (rc != 0 || c.n == 0)
			break;
		for (size_t i = 0; i < c.n && rc == 0 && !k->is_over; i++)
			rc = count_octet(k, r.off - c.n + i, c.p[i], e);
	}
	spool_rd_free(&r);
	return rc;
}

int ar_strip_unread(struct txn *t, struct err *e)
{
	struct counter k = {t->msg, 0, true, false, 0};
	int n;

	if (count_unread(&k, e) != 0)
		return -1;
	n = k.count;
	if (n > CAP_HEADER_FIELDS)
		return err_set(e, FAIL_LIMIT, "more than %d fields %s",
		    CAP_HEADER_FIELDS, AR_NAME);
	for (; n > 0; n--)
		if (verdict_delete(t->v, AR_NAME, n, e) != 0)
			return -1;
	return 0;
}

/* ---- writing ---- */

/* In a comment: nothing that ends it, nothing a terminal acts on (S175). */
static void put_comment(struct buf *b, const char *s)
{
	if (*s == '\0')
		return;
	buf_puts(b, " (");
	for (size_t i = 0; s[i] != '\0' && i < 200; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '(' || c == ')' || c == '\\')
			buf_putc(b, '\\');
		buf_putc(b, c < 32 || c > 126 ? '?' : c);
	}
	buf_putc(b, ')');
}

/* As a token or an addr-spec if it is one, else as a quoted-string. */
static void put_value(struct buf *b, const char *s)
{
	bool plain = *s != '\0';
	int ats = 0;

	for (const char *p = s; *p != '\0'; p++) {
		ats += *p == '@';
		if (*p != '@' && !is_word_octet((unsigned char)*p))
			plain = false;
	}
	if (plain && ats <= 1) {
		buf_puts(b, s);
		return;
	}
	buf_putc(b, '"');
	for (size_t i = 0; s[i] != '\0' && i < 200; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			buf_putc(b, '\\');
		buf_putc(b, c < 32 || c > 126 ? '?' : c);
	}
	buf_putc(b, '"');
}

static void put_result(struct buf *b, const struct ar_result *r)
{
	/* RFC 8601 2.2: "none" alone says that nothing was done */
	buf_printf(b, ";\n\t%s%s", r->result == NULL ? "" : "smime=",
	    r->result == NULL ? "none" : r->result);
	put_comment(b, r->comment);
	if (r->signer != NULL) {
		buf_puts(b, "\n\tbody.smime-identifier=");
		put_value(b, r->signer);
	}
	if (r->part[0] != '\0') {
		buf_puts(b, "\n\tbody.smime-part=");
		put_value(b, r->part);
	}
}

int ar_insert(struct txn *t, const struct ar_result *r, size_t n,
    struct err *e)
{
	struct buf b;
	int rc = -1;

	buf_init(&b, 65536);
	buf_printf(&b, " %s", t->g->config->authserv_id);
	for (size_t i = 0; i < n; i++)
		put_result(&b, &r[i]);
	if (buf_ok(&b, e) == 0)
		rc = verdict_insert(t->v, AR_NAME, buf_str(&b), e);
	buf_free(&b);
	return rc;
}
