/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Parameter lists. Where readers are known to disagree (A41), a defect is
 * noted; what is merely sloppy and read alike by all is read. Stricter for
 * the types whose parameters decide about structure and protection.
 */
#include "smime/params.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util/caps.h"

/* One attribute=value as it stands, before RFC 2231 pieces are joined. */
struct piece {
	struct view name; /* without "*0*" */
	struct view raw;  /* inside the quotes, or the bare value */
	int index;	  /* of *N, -1 without */
	bool is_extended; /* name ends in "*" */
	bool is_quoted;
	bool used;
};

struct lex {
	struct view v;
	size_t pos;
	bool is_strict;
	bool odd_comment;
	size_t n;
	struct params *p;
	struct piece piece[CAP_MIME_PARAMS];
};

void defect_note(char *dst, size_t size, const char *text)
{
	size_t n = strlen(text);

	if (dst[0] != '\0' || n == 0)
		return;
	if (n >= size)
		n = size - 1;
	memcpy(dst, text, n);
	dst[n] = '\0';
}

static void note(struct lex *lx, const char *text)
{
	defect_note(lx->p->defect, sizeof(lx->p->defect), text);
}

bool params_is_tchar(unsigned char c)
{
	return c > 32 && c < 127 && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int cfws_skip(struct view v, size_t *pos, bool *odd)
{
	size_t depth = 0;

	for (; *pos < v.n; (*pos)++) {
		unsigned char c = v.p[*pos];

		if (depth == 0 && c != '(' && !is_blank(c))
			return 0;
		if (depth > 0 && memchr(";=\"\\(", c, 5) != NULL)
			*odd = true;
		if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
		else if (c == '\\' && *pos + 1 < v.n)
			(*pos)++;
	}
	return depth == 0 ? 0 : -1;
}

static void skip(struct lex *lx)
{
	if (cfws_skip(lx->v, &lx->pos, &lx->odd_comment) != 0) {
		note(lx, "comment is not closed (RFC 5322 3.2.2)");
		lx->pos = lx->v.n;
	}
}

static bool at(const struct lex *lx, char c)
{
	return lx->pos < lx->v.n && lx->v.p[lx->pos] == (unsigned char)c;
}

static struct view take_token(struct lex *lx)
{
	size_t from = lx->pos;

	while (lx->pos < lx->v.n && params_is_tchar(lx->v.p[lx->pos]))
		lx->pos++;
	return view_sub(lx->v, from, lx->pos - from);
}

/* To the next ';' outside quotes. */
static struct view take_rest(struct lex *lx)
{
	size_t from = lx->pos;
	bool quoted = false;

	for (; lx->pos < lx->v.n; lx->pos++) {
		unsigned char c = lx->v.p[lx->pos];

		if (c == '"')
			quoted = !quoted;
		if (c == ';' && !quoted)
			break;
	}
	return view_trim(view_sub(lx->v, from, lx->pos - from));
}

static bool is_file_name(struct view name)
{
	return view_ieq_str(name, "name") || view_ieq_str(name, "filename");
}

/* Readers cannot afford to disagree about these. */
static bool is_structural(struct view name)
{
	return view_ieq_str(name, "boundary") ||
	    view_ieq_str(name, "protocol") ||
	    view_ieq_str(name, "smime-type");
}

static struct view take_quoted(struct lex *lx)
{
	size_t from = ++lx->pos;
	struct view raw;

	while (lx->pos < lx->v.n && lx->v.p[lx->pos] != '"')
		lx->pos += lx->v.p[lx->pos] == '\\' ? 2 : 1;
	if (lx->pos >= lx->v.n) {
		note(lx, "quoted string is not closed (RFC 5322 3.2.4)");
		lx->pos = lx->v.n;
	}
	raw = view_sub(lx->v, from, lx->pos - from);
	if (lx->pos < lx->v.n)
		lx->pos++;
	return raw;
}

/*
 * A value without quotes should be a token; but all readers take "=", "/"
 * and the like until a blank or ';', and unquoted type=text/html is common.
 */
static struct view take_bare(struct lex *lx)
{
	size_t from = lx->pos;

	while (lx->pos < lx->v.n && !is_blank(lx->v.p[lx->pos]) &&
	    memchr(";\"(", lx->v.p[lx->pos], 3) == NULL)
		lx->pos++;
	return view_sub(lx->v, from, lx->pos - from);
}

/* "name", "name*", "name*0", "name*0*" (RFC 2231 7). */
static void split_name(struct lex *lx, struct view name, struct piece *pc)
{
	size_t star = view_chr(name, '*', 0);
	struct view tail;

	pc->name = name;
	pc->index = -1;
	if (star == (size_t)-1)
		return;
	pc->name = view_sub(name, 0, star);
	tail = view_sub(name, star + 1, name.n);
	if (tail.n == 0 || tail.p[tail.n - 1] == '*') {
		pc->is_extended = true;
		if (tail.n > 0)
			tail.n--;
		else
			return;
	}
	if (tail.n == 0 || tail.n > 2 || (tail.n == 2 && tail.p[0] == '0')) {
		note(lx, "bad piece number in a parameter (RFC 2231 3)");
		return;
	}
	pc->index = 0;
	for (size_t i = 0; i < tail.n; i++) {
		if (tail.p[i] < '0' || tail.p[i] > '9')
			note(lx, "odd piece number (RFC 2231 3)");
		pc->index = pc->index * 10 + tail.p[i] - '0';
	}
}

static bool has_8bit(struct view v)
{
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] >= 0x80)
			return true;
	return false;
}

static bool has_encoded_word(struct view v)
{
	if (v.p == NULL || v.n < 4)
		return false;
	return memmem(v.p, v.n, "=?", 2) != NULL &&
	    memmem(v.p, v.n, "?=", 2) != NULL;
}

/* What follows a value up to the next ';'. Of a file name without quotes
 * it is a part: name=my report (1).pdf */
static void take_stray(struct lex *lx, struct piece *pc, size_t from)
{
	bool is_name = is_file_name(pc->name) && !pc->is_quoted;

	if (!is_name || !at(lx, '('))
		skip(lx);
	if (lx->pos == lx->v.n || at(lx, ';'))
		return;
	take_rest(lx);
	if (lx->is_strict || is_structural(pc->name))
		note(lx, "text after a parameter (RFC 2045 5.1)");
	if (is_name)
		pc->raw = view_trim(view_sub(lx->v, from, lx->pos - from));
}

static void take_param(struct lex *lx)
{
	struct piece *pc = &lx->piece[lx->n];
	struct view name = take_token(lx);
	size_t from;

	memset(pc, 0, sizeof(*pc));
	skip(lx);
	if (name.n == 0 || !at(lx, '=')) {
		/* ";;", ";" at the end, or a word without a value */
		struct view rest = take_rest(lx);

		if (lx->is_strict && name.n + rest.n > 0)
			note(lx, "parameter without value (RFC 2045 5.1)");
		return;
	}
	lx->pos++;
	skip(lx);
	split_name(lx, name, pc);
	from = lx->pos;
	pc->is_quoted = at(lx, '"');
	pc->raw = pc->is_quoted ? take_quoted(lx) : take_bare(lx);
	take_stray(lx, pc, from);
	if (!is_file_name(pc->name) && has_encoded_word(pc->raw) &&
	    (lx->is_strict || is_structural(pc->name)))
		note(lx, "encoded word in a parameter (RFC 2047 5)");
	if (is_structural(pc->name) && pc->is_quoted &&
	    view_chr(pc->raw, '\\', 0) != (size_t)-1)
		note(lx, "quoted pair in a structural parameter (A41)");
	if (is_structural(pc->name) && (pc->index >= 0 || pc->is_extended))
		note(lx, "structural parameter in RFC 2231 form (A41)");
	if (is_structural(pc->name) && has_8bit(pc->raw))
		note(lx, "8-bit octet in a structural parameter (RFC 2045 "
		    "5.1)");
	lx->n++;
}

static void take_head(struct lex *lx, bool is_type)
{
	struct view a, b = {NULL, 0};
	char *h = lx->p->head;
	size_t from = lx->pos, end;

	skip(lx);
	a = take_token(lx);
	skip(lx);
	if (is_type && at(lx, '/')) {
		lx->pos++;
		skip(lx);
		b = take_token(lx);
	}
	end = lx->pos;
	skip(lx);
	if (a.n == 0 || (is_type && b.n == 0)) {
		note(lx, is_type ? "unparsable type (RFC 2045 5.1)"
				 : "unparsable disposition (RFC 2183 2)");
		return;
	}
	if (a.n + b.n + 2 > sizeof(lx->p->head)) {
		note(lx, "type is too long");
		return;
	}
	memcpy(h, a.p, a.n);
	if (is_type) {
		h[a.n] = '/';
		memcpy(h + a.n + 1, b.p, b.n);
	}
	for (; *h != '\0'; h++)
		*h = (char)tolower((unsigned char)*h);
	h = lx->p->head;
	lx->is_strict = strncmp(h, "multipart/", 10) == 0 ||
	    strncmp(h, "application/pkcs7-", 18) == 0 ||
	    strncmp(h, "application/x-pkcs7-", 20) == 0;
	if (lx->is_strict && end - from != a.n + b.n + 1)
		note(lx, "comment or blank in the type (A41)");
}

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_percent(struct buf *b, struct view v)
{
	for (size_t i = 0; i < v.n; i++) {
		int hi = -1, lo = -1;

		if (v.p[i] == '%' && i + 2 < v.n) {
			hi = hex_value(v.p[i + 1]);
			lo = hex_value(v.p[i + 2]);
		}
		if (hi >= 0 && lo >= 0) {
			buf_putc(b, hi << 4 | lo);
			i += 2;
		} else {
			buf_putc(b, v.p[i]);
		}
	}
}

static void put_piece(struct buf *b, const struct piece *pc, char charset[32])
{
	struct view v = pc->raw;

	if (pc->is_extended && pc->index <= 0) { /* charset'language' */
		size_t q1 = view_chr(v, '\'', 0);
		size_t q2 = q1 == (size_t)-1 ? q1 : view_chr(v, '\'', q1 + 1);

		if (q2 != (size_t)-1) {
			if (view_cstr(view_sub(v, 0, q1), charset, 32) != 0)
				charset[0] = '\0';
			v = view_sub(v, q2 + 1, v.n);
		}
	}
	if (pc->is_extended) {
		put_percent(b, v);
		return;
	}
	for (size_t i = 0; i < v.n; i++) {
		if (pc->is_quoted && v.p[i] == '\\' && i + 1 < v.n)
			i++;
		buf_putc(b, v.p[i]);
	}
}

static struct piece *find_piece(struct lex *lx, struct view name, int index,
    bool any, bool extended)
{
	for (size_t i = 0; i < lx->n; i++) {
		struct piece *pc = &lx->piece[i];

		if (!pc->used && pc->index == index &&
		    view_ieq(pc->name, name) &&
		    (any || pc->is_extended == extended))
			return pc;
	}
	return NULL;
}

/* Value of a name in the best of its forms: name*, name*0..., name. */
static void join(struct lex *lx, struct view name, struct buf *b,
    char charset[32])
{
	struct piece *pc = find_piece(lx, name, -1, false, true);

	if (pc != NULL) {
		pc->used = true;
		put_piece(b, pc, charset);
		return;
	}
	pc = find_piece(lx, name, 0, true, false);
	if (pc == NULL) {
		pc = find_piece(lx, name, -1, false, false);
		if (pc != NULL) {
			pc->used = true;
			put_piece(b, pc, charset);
		}
		return;
	}
	for (int i = 1; pc != NULL; i++) {
		pc->used = true;
		put_piece(b, pc, charset);
		pc = find_piece(lx, name, i, true, false);
	}
}

/* What is left of a name: the plain form beside an extended one is usual;
 * the same form twice is two readings. */
static void drop_others(struct lex *lx, struct view name, bool had_extended,
    const struct buf *value)
{
	for (size_t i = 0; i < lx->n; i++) {
		struct piece *pc = &lx->piece[i];

		if (pc->used || !view_ieq(pc->name, name))
			continue;
		pc->used = true;
		if (pc->index < 0 && !pc->is_extended && had_extended)
			continue;
		if (!is_structural(name) && pc->index < 0 &&
		    view_eq(pc->raw, buf_view(value)))
			continue;
		note(lx, "parameter given twice (RFC 2045 5.1)");
	}
}

static char *lower_dup(struct view v)
{
	char *s = view_strdup(v);

	for (char *c = s; c != NULL && *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return s;
}

static int add_param(struct lex *lx, struct view name, struct err *e)
{
	struct ctype_param *out = &lx->p->param[lx->p->n];
	bool extended = find_piece(lx, name, -1, false, true) != NULL ||
	    find_piece(lx, name, 0, true, false) != NULL;
	struct buf value;
	int rc = -1;

	buf_init(&value, CAP_HEADER_FIELD);
	join(lx, name, &value, out->charset);
	if (buf_ok(&value, e) != 0)
		goto out;
	drop_others(lx, name, extended, &value);
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] >= 32 || value.p[i] == '\t')
			continue;
		/* A42: nobody may smuggle a line or a NUL through us */
		note(lx, "control character in a parameter (RFC 2045 5.1)");
		value.p[i] = '_';
	}
	out->name = lower_dup(name);
	out->value = view_strdup(buf_view(&value));
	lx->p->n++;
	rc = out->name != NULL && out->value != NULL ? 0
	    : err_set(e, FAIL_TEMP, "parameters: out of memory");
out:
	buf_free(&value);
	return rc;
}

static void read_all(struct lex *lx, bool is_type)
{
	take_head(lx, is_type);
	while (lx->pos < lx->v.n) {
		if (!at(lx, ';')) {
			note(lx, "text where ';' was expected (RFC 2045 5.1)");
			take_rest(lx);
			continue;
		}
		lx->pos++;
		skip(lx);
		if (lx->pos == lx->v.n)
			break;
		if (lx->n == CAP_MIME_PARAMS) {
			note(lx, "too many parameters");
			break;
		}
		take_param(lx);
	}
	if (lx->odd_comment)
		note(lx, "comment that can be read as parameters (A41)");
}

int params_read(struct params *p, struct view raw_value, bool is_type,
    struct err *e)
{
	struct lex *lx = NULL;
	int rc = -1;

	memset(p, 0, sizeof(*p));
	lx = malloc(sizeof(*lx));
	if (lx == NULL)
		return err_set(e, FAIL_TEMP, "parameters: out of memory");
	memset(lx, 0, offsetof(struct lex, piece));
	lx->v = raw_value;
	lx->p = p;
	if (view_chr(raw_value, '\0', 0) != (size_t)-1) {
		note(lx, "NUL in a header field (RFC 5322 2.2)");
		lx->v.n = view_chr(raw_value, '\0', 0);
	}
	read_all(lx, is_type);
	p->param = calloc(lx->n + 1, sizeof(*p->param));
	if (p->param == NULL) {
		err_set(e, FAIL_TEMP, "parameters: out of memory");
		goto out;
	}
	for (size_t i = 0; i < lx->n; i++) {
		if (lx->piece[i].used)
			continue;
		if (add_param(lx, lx->piece[i].name, e) != 0)
			goto out;
	}
	rc = 0;
out:
	free(lx);
	return rc;
}

void params_free(struct params *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->param[i].name);
		free(p->param[i].value);
	}
	free(p->param);
	p->param = NULL;
	p->n = 0;
}

const struct ctype_param *params_get(const struct params *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->param[i].name, name) == 0)
			return &p->param[i];
	return NULL;
}
