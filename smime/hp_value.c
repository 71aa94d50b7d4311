/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What relays do to a header decides the form: they fold, unfold, strip
 * blanks at ends of lines, cut lines over 998 octets. Folds stay where they
 * are, blanks before them move behind them, long lines get more of them;
 * none of it changes the unfolded value (RFC 5322 2.2.3). Only what has no
 * such form is encoded.
 */
#include "smime/hp_value.h"

#include <string.h>
#include <time.h>

#include "smime/hdrenc.h"
#include "util/addr.h"
#include "util/caps.h"
#include "util/utf8.h"
#include "util/when.h"

/* RFC 5322 2.1.1 allows 998, some servers cut at 990. */
#define LINE_ROOM 990
#define LINE_WISH 78
/* The same value stands behind "HP-Outer: Name:" too. */
#define NOTE_N 10

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool has_8bit(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 0x80)
			return true;
	return false;
}

static bool has_control(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((v.p[i] < 32 && v.p[i] != '\t') || v.p[i] == 127)
			return true;
	return false;
}

static bool has_words(struct view v)
{
	return v.n >= 2 && memmem(v.p, v.n, "=?", 2) != NULL;
}

/* CR or LF that is no fold. */
static bool has_bare_eol(struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '\r' && (i + 1 == v.n || v.p[i + 1] != '\n'))
			return true;
		if (v.p[i] == '\n' && (i + 1 == v.n ||
		    (v.p[i + 1] != ' ' && v.p[i + 1] != '\t')))
			return true;
	}
	return false;
}

/* ---- lines ---- */

/* A run of blanks, with folds in it or not, and what follows it. */
struct token {
	struct view blanks, word;
	size_t blanks_n; /* of them SP and TAB */
	bool is_folded;
};

static size_t next_token(struct view v, size_t i, struct token *k)
{
	size_t from = i;

	memset(k, 0, sizeof(*k));
	for (; i < v.n && is_blank(v.p[i]); i++) {
		bool is_eol = v.p[i] == '\r' || v.p[i] == '\n';

		k->is_folded = k->is_folded || is_eol;
		k->blanks_n += !is_eol;
	}
	k->blanks = view_sub(v, from, i - from);
	from = i;
	while (i < v.n && !is_blank(v.p[i]))
		i++;
	k->word = view_sub(v, from, i - from);
	return i;
}

static void put_token(struct buf *out, const struct token *k)
{
	for (size_t i = 0; i < k->blanks.n; i++)
		if (k->blanks.p[i] != '\r' && k->blanks.p[i] != '\n')
			buf_putc(out, k->blanks.p[i]);
	buf_putv(out, k->word);
}

/* " text" in lines that fit behind a name of this length; false: a word is
 * too long for any. */
static bool put_lines(struct view raw, size_t name_n, struct buf *out)
{
	struct view v = view_trim(raw);
	size_t col = NOTE_N + name_n + 1;
	struct token k;

	buf_clear(out);
	for (size_t i = 0; i < v.n;) {
		bool is_first = i == 0;
		size_t n;

		i = next_token(v, i, &k);
		n = k.blanks_n + k.word.n;
		if (!is_first && (k.is_folded || col + n > LINE_ROOM)) {
			buf_puts(out, "\r\n");
			col = 0;
		}
		if (is_first)
			buf_putc(out, ' ');
		col += n + is_first;
		if (col > LINE_ROOM)
			return false;
		put_token(out, &k);
	}
	return true;
}

static bool has_long_line(struct view whole)
{
	size_t off = 0;

	while (off < whole.n) {
		size_t nl = view_chr(whole, '\n', off);
		size_t end = nl == (size_t)-1 ? whole.n : nl;

		if (end > off && end < whole.n && whole.p[end - 1] == '\r')
			end--;
		if (end - off > LINE_ROOM)
			return true;
		off = nl == (size_t)-1 ? whole.n : nl + 1;
	}
	return false;
}

/* ---- encoding ---- */

/* A run of words in a structured field, between two of its signs. */
struct phrase {
	size_t from, to; /* trimmed */
	bool is_address; /* "@" stands before it or behind it */
};

static bool is_special(unsigned char c)
{
	return c < 0x80 && strchr("()<>@,;:[]\"", c) != NULL && c != '\0';
}

/* Behind the quoted string at i, or v.n. */
static size_t pass_quoted(struct view v, size_t i)
{
	for (i++; i < v.n && v.p[i] != '"'; i++)
		if (v.p[i] == '\\')
			i++;
	return i < v.n ? i + 1 : v.n;
}

/* Behind the comment at i, or v.n. */
static size_t pass_comment(struct view v, size_t i)
{
	int depth = 0;

	for (; i < v.n; i++) {
		if (v.p[i] == '\\')
			i++;
		else if (v.p[i] == '(')
			depth++;
		else if (v.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return v.n;
}

/* Behind what is no phrase at i: a comment, an address in angles, a domain
 * literal, one sign. */
static size_t pass_other(struct view v, size_t i)
{
	size_t end = i;

	if (v.p[i] == '(')
		return pass_comment(v, i);
	if (v.p[i] == '<')
		end = view_chr(v, '>', i);
	else if (v.p[i] == '[')
		end = view_chr(v, ']', i);
	return end == (size_t)-1 ? v.n : end + 1;
}

static size_t next_phrase(struct view v, size_t i, struct phrase *k)
{
	size_t from = i;

	while (i < v.n && (v.p[i] == '"' || !is_special(v.p[i])))
		i = v.p[i] == '"' ? pass_quoted(v, i) : i + 1;
	k->is_address = (from > 0 && v.p[from - 1] == '@') ||
	    (i < v.n && v.p[i] == '@');
	k->from = from;
	k->to = i;
	while (k->from < k->to && is_blank(v.p[k->from]))
		k->from++;
	while (k->to > k->from && is_blank(v.p[k->to - 1]))
		k->to--;
	return i;
}

/* As encoded words, without its quotes. */
static void put_phrase(struct buf *out, struct view v)
{
	struct buf plain;

	buf_init(&plain, v.n + 1);
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == '"')
			continue;
		if (v.p[i] == '\\' && i + 1 < v.n)
			i++;
		buf_putc(&plain, v.p[i]);
	}
	out->failed = out->failed || plain.failed;
	hdrenc_words(out, buf_view(&plain));
	buf_free(&plain);
}

/* Names beside addresses (RFC 2047 5 (3)); false where the address itself
 * is not ASCII, or in a comment, or old words stand beside new ones. */
static bool encode_phrases(struct view v, struct buf *out)
{
	struct phrase k;
	size_t i = 0;

	buf_clear(out);
	while (i < v.n) {
		size_t from = i;
		struct view text;

		i = next_phrase(v, i, &k);
		text = view_sub(v, k.from, k.to - k.from);
		buf_putv(out, view_sub(v, from, k.from - from));
		if (!has_8bit(text))
			buf_putv(out, text);
		else if (k.is_address || has_words(text))
			return false;
		else
			put_phrase(out, text);
		buf_putv(out, view_sub(v, k.to, i - k.to));
		if (i == v.n)
			break;
		text = view_sub(v, i, pass_other(v, i) - i);
		if (has_8bit(text))
			return false;
		buf_putv(out, text);
		i += text.n;
	}
	return true;
}

static bool are_same(const struct addr_list *a, const struct addr_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (!addr_eq(&a->a[i], &b->a[i], ADDR_EXACT))
			return false;
	return true;
}

/* Do both values name the same mailboxes? */
static int name_the_same(struct view a, struct view b, bool *same,
    struct err *e)
{
	struct addr_list x = {0}, y = {0};
	int rc = -1;

	if (addr_list_collect(&x, a, e) == 0 &&
	    addr_list_collect(&y, b, e) == 0) {
		*same = are_same(&x, &y);
		rc = 0;
	}
	addr_list_free(&x);
	addr_list_free(&y);
	return rc;
}

/* raw is unfolded. */
static int encode_addresses(struct view raw, struct buf *out, bool *done,
    struct err *e)
{
	if (!encode_phrases(raw, out) || out->failed)
		return 0;
	return name_the_same(raw, buf_view(out), done, e);
}

static int encode_8bit(const struct field *f, struct view raw,
    struct buf *out, bool *done, struct err *e)
{
	struct buf whole;
	int rc;

	if (hp_has_addresses(f->name))
		return encode_addresses(raw, out, done, e);
	buf_init(&whole, 2 * CAP_HEADER_FIELD);
	rc = hdrenc_field(f, &whole, done, e);
	if (rc == 0 && *done) {
		size_t at = view_chr(buf_view(&whole), ':', 0) + 1;

		buf_clear(out);
		buf_putv(out, view_sub(buf_view(&whole), at, whole.n));
	}
	buf_free(&whole);
	return rc;
}

static int refuse(const struct field *f, const char *why, struct err *e)
{
	char q[ERR_QUOTED];

	return err_set(e, FAIL_INPUT, "header field %s: %s",
	    err_quote(q, sizeof(q), f->name.p, f->name.n), why);
}

/* All of it, where that is free text and nothing in it is encoded yet. */
static bool encode_all(const struct field *f, struct view raw,
    struct buf *out)
{
	if (!hdrenc_is_unstructured(f->name) || has_words(raw))
		return false;
	buf_clear(out);
	hdrenc_words(out, raw);
	return true;
}

/* f's value in the form that is signed; raw is the unfolded one, form is for
 * use by this. */
static int make_form(struct hp_value *v, const struct field *f,
    struct view raw, struct buf *form, struct err *e)
{
	bool done = false;

	if (has_control(raw)) {
		if (!encode_all(f, raw, form))
			return refuse(f, "a control character cannot be "
			    "signed so that it survives transit (RFC 5322 "
			    "2.2)", e);
		v->is_changed = true;
		return put_lines(buf_view(form), f->name.n, &v->inner) ? 0
		    : refuse(f, "too long to be encoded", e);
	}
	if (has_8bit(raw) && encode_8bit(f, raw, form, &done, e) != 0)
		return -1;
	v->is_changed = done;
	v->is_utf8 = has_8bit(raw) && !done;
	if (v->is_utf8 && !utf8_is_valid(raw))
		return refuse(f, "octets that are neither ASCII nor UTF-8 "
		    "cannot be signed (RFC 6532 3.2)", e);
	if (put_lines(done ? buf_view(form) : f->value, f->name.n, &v->inner))
		return 0;
	if (!done && encode_all(f, raw, form)) {
		v->is_changed = true;
		v->is_utf8 = false;
		done = put_lines(buf_view(form), f->name.n, &v->inner);
	} else {
		done = false;
	}
	return done ? 0 : refuse(f, "a word of more than 990 octets cannot "
	    "be signed so that it survives transit (RFC 5322 2.1.1)", e);
}

/* ---- hiding ---- */

/* Reading a list of mailboxes. */
struct reducer {
	struct buf *out;
	struct buf spec; /* of the mailbox in hand */
	bool has_angle;
	size_t n, col;
};

static bool end_mailbox(struct reducer *r)
{
	struct view spec = view_trim(buf_view(&r->spec));

	if (spec.n == 0)
		return false;
	if (r->n++ > 0) {
		bool is_full = r->col + spec.n + 2 > LINE_WISH;

		buf_puts(r->out, is_full ? ",\r\n " : ", ");
		r->col = is_full ? 1 : r->col + 2;
	}
	buf_putv(r->out, spec);
	r->col += spec.n;
	buf_clear(&r->spec);
	r->has_angle = false;
	return true;
}

/* One element of a mailbox at i: where the next one is, v.n + 1 for what no
 * list of mailboxes has. */
static size_t take_element(struct reducer *r, struct view v, size_t i)
{
	size_t end = i + 1;

	if (v.p[i] == '(')
		return pass_comment(v, i);
	if (v.p[i] == '"') {
		end = pass_quoted(v, i);
	} else if (v.p[i] == '<') {
		end = view_chr(v, '>', i);
		if (end == (size_t)-1 || r->has_angle)
			return v.n + 1;
		buf_clear(&r->spec);
		buf_putv(&r->spec, view_sub(v, i + 1, end - i - 1));
		r->has_angle = true;
		return end + 1;
	} else if (v.p[i] == ',') {
		return end_mailbox(r) ? end : v.n + 1;
	} else if (v.p[i] == ':' || v.p[i] == ';') {
		return v.n + 1;
	}
	if (!r->has_angle)
		buf_putv(&r->spec, view_sub(v, i, end - i));
	return end;
}

/*
 * The addr-specs of a mailbox-list, as they are written: From's stays the
 * same octet for octet (RFC 9788 3.1.1). False: it is none (RFC 9788 3.2.2
 * leaves those as they are), or more than one where one is wanted.
 */
static bool reduce(struct view raw, bool is_one, struct buf *out)
{
	struct reducer r = {.out = out, .col = LINE_WISH / 4};
	struct addr_list a = {0}, b = {0};
	bool is_good;
	size_t i = 0;

	buf_clear(out);
	buf_init(&r.spec, CAP_HEADER_FIELD);
	while (i < raw.n)
		i = take_element(&r, raw, i);
	is_good = i == raw.n && end_mailbox(&r) && (!is_one || r.n == 1) &&
	    addr_list_parse(&a, raw, NULL) == 0 &&
	    addr_list_parse(&b, buf_view(out), NULL) == 0 &&
	    are_same(&a, &b) && !r.spec.failed;
	addr_list_free(&a);
	addr_list_free(&b);
	buf_free(&r.spec);
	return is_good;
}

static bool to_utc(struct view raw, struct buf *out)
{
	static const char *const day[] = {"Sun", "Mon", "Tue", "Wed", "Thu",
	    "Fri", "Sat"};
	static const char *const month[] = {"Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	struct tm tm;
	int64_t t;
	time_t at;

	if (when_rfc5322(raw, &t) != 0)
		return false;
	at = (time_t)t;
	if (gmtime_r(&at, &tm) == NULL)
		return false;
	buf_clear(out);
	buf_printf(out, "%s, %d %s %04d %02d:%02d:%02d +0000",
	    day[tm.tm_wday], tm.tm_mday, month[tm.tm_mon],
	    tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
	return true;
}

static bool make_hidden(enum hp_hide hide, struct view raw, struct buf *out)
{
	switch (hide) {
	case HIDE_TEXT:
		buf_puts(out, "[...]");
		return true;
	case HIDE_AUTHOR:
	case HIDE_NAMES:
		return reduce(raw, hide == HIDE_AUTHOR, out);
	case HIDE_ZONE:
		return to_utc(raw, out);
	case HIDE_NOTHING:
	case HIDE_FIELD:
		break;
	}
	return false;
}

/* text is for use by this. */
static int make_outer(struct hp_value *v, const struct field *f,
    enum hp_hide hide, struct buf *text, struct err *e)
{
	struct field in = {.value = buf_view(&v->inner)};
	struct buf raw;

	buf_putv(&v->outer, buf_view(&v->inner));
	if (hide == HIDE_NOTHING)
		return 0;
	if (hide == HIDE_FIELD) {
		v->is_hidden = v->is_removed = v->is_changed = true;
		return 0;
	}
	buf_init(&raw, 2 * CAP_HEADER_FIELD);
	field_unfold(&in, &raw);
	buf_clear(text);
	v->is_hidden = make_hidden(hide, buf_view(&raw), text) &&
	    !view_eq(buf_view(text), buf_view(&raw));
	buf_free(&raw);
	if (!v->is_hidden)
		return 0;
	v->is_changed = true;
	if (put_lines(buf_view(text), f->name.n, &v->outer))
		return 0;
	return refuse(f, "too long", e);
}

static int check_size(const struct hp_value *v, const struct field *f,
    struct err *e)
{
	/* What is hidden has to come back, what is changed has to pass a
	 * milter's packet. */
	size_t most = v->is_changed ? CAP_HP_FIELD : CAP_HEADER_FIELD;
	size_t n = v->inner.n > v->outer.n ? v->inner.n : v->outer.n;
	char q[ERR_QUOTED];

	if (v->inner.no_memory || v->outer.no_memory)
		return err_set(e, FAIL_TEMP, "header protection: out of "
		    "memory");
	n += NOTE_N + f->name.n + 3;
	if (!v->inner.failed && !v->outer.failed && n <= most)
		return 0;
	return err_set(e, FAIL_LIMIT, "header field %s: more than %zu octets "
	    "once it is protected", err_quote(q, sizeof(q), f->name.p,
	    f->name.n), most);
}

int hp_value_make(struct hp_value *v, const struct field *f,
    enum hp_hide hide, struct err *e)
{
	struct buf raw, form;
	int rc = -1;

	memset(v, 0, sizeof(*v));
	buf_init(&v->inner, 2 * CAP_HEADER_FIELD);
	buf_init(&v->outer, 2 * CAP_HEADER_FIELD);
	buf_init(&raw, CAP_HEADER_FIELD);
	buf_init(&form, 8 * CAP_HEADER_FIELD);
	field_unfold(f, &raw);
	if (buf_ok(&raw, e) != 0)
		goto out;
	if (has_bare_eol(f->value) ||
	    view_chr(f->value, '\0', 0) != (size_t)-1) {
		refuse(f, "a NUL, or a CR or LF that is no line end, cannot "
		    "be signed (RFC 5322 2.2)", e);
		goto out;
	}
	if (make_form(v, f, buf_view(&raw), &form, e) != 0 ||
	    buf_ok(&form, e) != 0)
		goto out;
	v->is_changed = v->is_changed || has_long_line(f->whole);
	if (make_outer(v, f, hide, &form, e) != 0 || buf_ok(&form, e) != 0)
		goto out;
	rc = check_size(v, f, e);
out:
	buf_free(&raw);
	buf_free(&form);
	return rc;
}

void hp_value_free(struct hp_value *v)
{
	buf_free(&v->inner);
	buf_free(&v->outer);
}
