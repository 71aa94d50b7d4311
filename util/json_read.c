/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A loop over tokens with the open containers on a small stack.
 */
#include "util/json_read.h"

#include <stdlib.h>
#include <string.h>

struct reading {
	struct json_tree *t;
	struct view in;
	size_t pos;
	uint32_t open[JSON_DEPTH]; /* containers, outermost first */
	uint32_t last[JSON_DEPTH]; /* newest node in each; 0 none */
	size_t depth;
	struct err *e;
};

static int wrong(const struct reading *r, const char *wanted)
{
	return err_set(r->e, FAIL_INPUT, "JSON (RFC 8259): octet %zu: "
	    "expected %s", r->pos, wanted);
}

static int peek(const struct reading *r)
{
	return r->pos < r->in.n ? r->in.p[r->pos] : -1;
}

static void skip_blanks(struct reading *r)
{
	int c;

	while ((c = peek(r)) == ' ' || c == '\t' || c == '\n' || c == '\r')
		r->pos++;
}

static bool is_hex(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F');
}

/* Behind a backslash. */
static int skip_escape(struct reading *r)
{
	int c = peek(r);

	if (c == -1 || c == 0 || strchr("\"\\/bfnrtu", c) == NULL)
		return wrong(r, "an escape (section 7)");
	r->pos++;
	for (int i = 0; c == 'u' && i < 4; i++, r->pos++)
		if (!is_hex(peek(r)))
			return wrong(r, "four hexadecimal digits");
	return 0;
}

static int read_string(struct reading *r, struct view *out)
{
	size_t start;
	int c;

	if (peek(r) != '"')
		return wrong(r, "a string");
	start = ++r->pos;
	while ((c = peek(r)) != '"') {
		if (c < 32)
			return wrong(r, "the end of the string");
		r->pos++;
		if (c == '\\' && skip_escape(r) != 0)
			return -1;
	}
	*out = view_sub(r->in, start, r->pos - start);
	r->pos++;
	return 0;
}

static size_t skip_digits(struct reading *r)
{
	size_t start = r->pos;

	while (peek(r) >= '0' && peek(r) <= '9')
		r->pos++;
	return r->pos - start;
}

static int read_number(struct reading *r, struct view *out)
{
	size_t start = r->pos;

	if (peek(r) == '-')
		r->pos++;
	if (peek(r) == '0')
		r->pos++;
	else if (skip_digits(r) == 0)
		return wrong(r, "a value");
	if (peek(r) == '.') {
		r->pos++;
		if (skip_digits(r) == 0)
			return wrong(r, "a digit");
	}
	if (peek(r) == 'e' || peek(r) == 'E') {
		r->pos++;
		if (peek(r) == '+' || peek(r) == '-')
			r->pos++;
		if (skip_digits(r) == 0)
			return wrong(r, "a digit");
	}
	*out = view_sub(r->in, start, r->pos - start);
	return 0;
}

static int new_node(struct reading *r, struct json_node **out)
{
	struct json_tree *t = r->t;
	struct json_node *bigger, *x;

	if (t->n >= JSON_NODES)
		return err_set(r->e, FAIL_LIMIT, "JSON: more than %u values",
		    JSON_NODES);
	if (t->n == t->size) {
		bigger = reallocarray(t->node, t->size == 0 ? 256
		    : t->size * 2, sizeof(*bigger));
		if (bigger == NULL)
			return err_set(r->e, FAIL_TEMP, "JSON: out of memory");
		t->node = bigger;
		t->size = t->size == 0 ? 256 : t->size * 2;
	}
	x = &t->node[t->n];
	memset(x, 0, sizeof(*x));
	if (r->depth > 0) {
		uint32_t *last = &r->last[r->depth - 1];

		if (*last != 0)
			t->node[*last].next = (uint32_t)t->n;
		else
			t->node[r->open[r->depth - 1]].first = (uint32_t)t->n;
		*last = (uint32_t)t->n;
	}
	t->n++;
	*out = x;
	return 0;
}

static int read_word(struct reading *r, struct json_node *x)
{
	static const struct {
		const char *word;
		enum json_kind kind;
	} known[] = {
		{"true", JSON_TRUE}, {"false", JSON_FALSE},
		{"null", JSON_NULL},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t n = strlen(known[i].word);

		if (!view_eq_str(view_sub(r->in, r->pos, n), known[i].word))
			continue;
		x->kind = known[i].kind;
		r->pos += n;
		return 0;
	}
	return wrong(r, "a value");
}

static int open_container(struct reading *r, struct json_node *x)
{
	if (r->depth == JSON_DEPTH)
		return err_set(r->e, FAIL_LIMIT, "JSON: more than %d levels",
		    JSON_DEPTH);
	x->kind = peek(r) == '{' ? JSON_OBJECT : JSON_ARRAY;
	r->open[r->depth] = (uint32_t)(x - r->t->node);
	r->last[r->depth] = 0;
	r->depth++;
	r->pos++;
	return 0;
}

static int read_value(struct reading *r)
{
	bool in_object = r->depth > 0 &&
	    r->t->node[r->open[r->depth - 1]].kind == JSON_OBJECT;
	struct view key = {NULL, 0};
	struct json_node *x = NULL;
	int c;

	if (in_object) {
		if (read_string(r, &key) != 0)
			return -1;
		skip_blanks(r);
		if (peek(r) != ':')
			return wrong(r, "a colon");
		r->pos++;
		skip_blanks(r);
	}
	if (new_node(r, &x) != 0)
		return -1;
	x->key = key;
	c = peek(r);
	if (c == '{' || c == '[')
		return open_container(r, x);
	if (c == '"') {
		x->kind = JSON_STRING;
		return read_string(r, &x->text);
	}
	if (c == '-' || (c >= '0' && c <= '9')) {
		x->kind = JSON_NUMBER;
		return read_number(r, &x->text);
	}
	return read_word(r, x);
}

/* Behind a value: what ends here. 1 another value follows, 0 the end. */
static int read_after(struct reading *r)
{
	while (r->depth > 0) {
		bool object = r->t->node[r->open[r->depth - 1]].kind ==
		    JSON_OBJECT;

		skip_blanks(r);
		if (peek(r) == ',' && r->last[r->depth - 1] != 0) {
			r->pos++;
			skip_blanks(r);
			return 1;
		}
		if (peek(r) != (object ? '}' : ']'))
			return r->last[r->depth - 1] == 0 ? 1
			    : wrong(r, "a comma or the end");
		r->pos++;
		r->depth--;
	}
	return 0;
}

int json_read(struct json_tree *t, struct view text, struct err *e)
{
	struct reading r = {.t = t, .in = text, .e = e};
	int rc;

	t->n = 0;
	skip_blanks(&r);
	do {
		rc = read_value(&r);
		if (rc == 0)
			rc = read_after(&r);
	} while (rc == 1);
	skip_blanks(&r);
	if (rc == 0 && r.pos != text.n)
		rc = wrong(&r, "nothing behind the value");
	if (rc != 0)
		t->n = 0;
	return rc;
}

void json_tree_free(struct json_tree *t)
{
	free(t->node);
	memset(t, 0, sizeof(*t));
}

/* ---- looking ---- */

bool json_is(const struct json_node *x, enum json_kind kind)
{
	return x != NULL && x->kind == kind;
}

const struct json_node *json_first(const struct json_tree *t,
    const struct json_node *x)
{
	return x == NULL || x->first == 0 ? NULL : &t->node[x->first];
}

const struct json_node *json_next(const struct json_tree *t,
    const struct json_node *x)
{
	return x->next == 0 ? NULL : &t->node[x->next];
}

const struct json_node *json_get(const struct json_tree *t,
    const struct json_node *x, const char *key)
{
	const struct json_node *m;

	if (!json_is(x, JSON_OBJECT))
		return NULL;
	for (m = json_first(t, x); m != NULL; m = json_next(t, m))
		if (view_eq_str(m->key, key))
			return m;
	return NULL;
}

int64_t json_number(const struct json_node *x, int64_t otherwise)
{
	char text[24], *end;
	long long n;

	if (!json_is(x, JSON_NUMBER) ||
	    view_cstr(x->text, text, sizeof(text)) != 0)
		return otherwise;
	n = strtoll(text, &end, 10);
	return *end == '\0' ? (int64_t)n : otherwise;
}

static uint32_t hex4(const unsigned char *p)
{
	uint32_t x = 0;

	for (int i = 0; i < 4; i++)
		x = x << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0'
		    : (p[i] | 32) - 'a' + 10);
	return x;
}

static size_t put_utf8(char out[4], uint32_t c)
{
	if (c == 0 || (c >= 0xd800 && c < 0xe000))
		c = 0xfffd;
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 63));
		out[2] = (char)(0x80 | (c & 63));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 63));
	out[2] = (char)(0x80 | (c >> 6 & 63));
	out[3] = (char)(0x80 | (c & 63));
	return 4;
}

/* At a backslash: the character; how much was read goes to *took. */
static uint32_t unescape(struct view v, size_t *took)
{
	static const char letter[] = "bfnrt", meaning[] = "\b\f\n\r\t";
	const char *l;
	uint32_t hi, lo;

	*took = 2;
	if (v.p[1] != 'u') {
		l = strchr(letter, v.p[1]);
		return l == NULL ? v.p[1]
				 : (unsigned char)meaning[l - letter];
	}
	*took = 6;
	hi = hex4(v.p + 2);
	if (hi < 0xd800 || hi >= 0xdc00 || v.n < 12 || v.p[6] != '\\' ||
	    v.p[7] != 'u')
		return hi;
	lo = hex4(v.p + 8);
	if (lo < 0xdc00 || lo >= 0xe000)
		return hi;
	*took = 12;
	return 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
}

/* Octets of the character that begins with c, as far as they are there. */
static size_t char_size(struct view v)
{
	size_t n = 1;

	while (n < v.n && n < 4 && (v.p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

const char *json_text(const struct json_node *x, char *dst, size_t size)
{
	struct view v = {NULL, 0};
	size_t n = 0, took, wide;
	char c[4];

	if (json_is(x, JSON_STRING))
		v = x->text;
	while (v.n > 0) {
		if (v.p[0] == '\\') {
			wide = put_utf8(c, unescape(v, &took));
		} else {
			took = wide = char_size(v);
			memcpy(c, v.p, wide);
		}
		if (n + wide >= size)
			break;
		memcpy(dst + n, c, wide);
		n += wide;
		v = view_sub(v, took, v.n);
	}
	dst[n] = '\0';
	return dst;
}
