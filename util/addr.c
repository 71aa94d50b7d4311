/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One mail address: strict parsing, comparison, domains. Lists of them in
 * header fields are in addr_list.c; what a match means is decided by smime/
 * and gateway/.
 */
#include "util/addr.h"

#include <idn2.h>
#include <string.h>

#include "util/utf8.h"

#define LABEL_MAX 63
#define DOMAIN_MAX 253 /* octets as text; 255 on the wire (RFC 1035) */

static bool is_alnum(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9');
}

/* RFC 5322 3.2.3 */
static bool is_atext(unsigned char c)
{
	return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~",
	    c) != NULL);
}

static char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/*
 * Characters beyond ASCII that have no place in an address, though RFC 6531
 * lets them in: blanks, controls, marks that change the direction of what is
 * read, noncharacters, the byte order mark (RFC 9598 3).
 */
static bool is_odd_char(uint32_t c)
{
	static const uint32_t range[][2] = {
		{ 0x80, 0xa0 }, { 0xad, 0xad }, { 0x61c, 0x61c },
		{ 0x1680, 0x1680 }, { 0x180e, 0x180e }, { 0x2000, 0x200b },
		{ 0x200e, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
		{ 0x3000, 0x3000 }, { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff },
		{ 0xfff0, 0xfffb }, { 0xe0000, 0xe007f },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(range); i++)
		if (c >= range[i][0] && c <= range[i][1])
			return true;
	return (c & 0xfffe) == 0xfffe;
}

static int bad(struct err *e, struct view raw, const char *why)
{
	char q[ERR_QUOTED];

	return err_set(e, FAIL_INPUT, "address \"%s\": %s",
	    err_quote(q, sizeof(q), raw.p, raw.n), why);
}

/* One label of ASCII: letters, digits, hyphens (RFC 1123 2.1). */
static const char *check_label(struct view l)
{
	size_t i;

	if (l.n == 0)
		return "RFC 5321 4.1.2: an empty label in the domain";
	if (l.n > LABEL_MAX)
		return "RFC 1035 2.3.4: a label of more than 63 octets";
	if (l.p[0] == '-' || l.p[l.n - 1] == '-')
		return "RFC 5321 4.1.2: a label with a hyphen at its edge";
	for (i = 0; i < l.n; i++)
		if (!is_alnum(l.p[i]) && l.p[i] != '-')
			return "RFC 5321 4.1.2: wanted letters, digits and "
			    "hyphens in the domain";
	return NULL;
}

/* Append a U-label in its A-form (RFC 5891 5, RFC 9598 5). */
static const char *put_ulabel(struct buf *b, struct view l)
{
	static const char no[] = "RFC 5891 5.4: no U-label in the domain";
	uint8_t *alabel = NULL;
	char name[LABEL_MAX * 4 + 1];
	const char *why = no;
	size_t i;
	int rc;

	if (!utf8_is_valid(l) || view_cstr(l, name, sizeof(name)) != 0)
		return no;
	for (i = 0; i < l.n; i++)
		if (l.p[i] < 0x80 && !is_alnum(l.p[i]) && l.p[i] != '-')
			return no;
	rc = idn2_lookup_u8((const uint8_t *)name, &alabel,
	    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	if (rc == IDN2_MALLOC)
		memory_note_lack();
	if (rc != IDN2_OK)
		return no;
	/* Wide letters and odd dots map to plain ASCII: a look-alike that
	 * only some parsers map. */
	l = view_of((const char *)alabel);
	if (view_istarts(l, "xn--") && (why = check_label(l)) == NULL)
		buf_putv(b, l);
	idn2_free(alabel);
	return why;
}

static bool has_8bit(struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] >= 0x80)
			return true;
	return false;
}

static bool is_number(struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] < '0' || v.p[i] > '9')
			return false;
	return true;
}

/* Append the domain in lower-case A-labels: NULL, or why it is none. */
static const char *put_domain(struct buf *b, struct view raw)
{
	size_t off = 0, dot, i, start = b->n;
	const char *why;
	struct view l;

	if (raw.n == 0 || raw.n > CAP_ADDRESS)
		return "RFC 5321 4.1.2: wanted a domain";
	for (;;) {
		dot = view_chr(raw, '.', off);
		l = view_sub(raw, off, dot == (size_t)-1 ? raw.n : dot - off);
		if (has_8bit(l)) {
			if ((why = put_ulabel(b, l)) != NULL)
				return why;
		} else {
			if ((why = check_label(l)) != NULL)
				return why;
			buf_putv(b, l);
		}
		if (dot == (size_t)-1)
			break;
		buf_putc(b, '.');
		off = dot + 1;
	}
	/* 192.0.2.1 is an address without its brackets, no name */
	if (is_number(l))
		return "RFC 1123 2.1: the last label is a number";
	if (b->failed || b->n - start > DOMAIN_MAX)
		return "RFC 5321 4.5.3.1.2: the domain is longer than 253 "
		    "octets";
	for (i = start; i < b->n; i++)
		b->p[i] = (unsigned char)fold((char)b->p[i]);
	return NULL;
}

int addr_domain_parse(char *dst, size_t size, struct view raw, struct err *e)
{
	char q[ERR_QUOTED];
	const char *why;
	struct buf b;
	int rc = -1;

	buf_init(&b, 4096);
	why = put_domain(&b, raw);
	if (why != NULL)
		(void)err_set(e, FAIL_INPUT, "domain \"%s\": %s",
		    err_quote(q, sizeof(q), raw.p, raw.n), why);
	else if (view_cstr(buf_view(&b), dst, size) != 0)
		(void)err_set(e, FAIL_BUG, "domain of %zu octets, room for "
		    "%zu", b.n, size);
	else
		rc = 0;
	buf_free(&b);
	return rc;
}

/* One character beyond ASCII of a local part: its length, 0 if none. */
static size_t local_char(struct view v)
{
	uint32_t c = 0;
	size_t n = utf8_first(v, &c);

	return n < 2 || is_odd_char(c) ? 0 : n;
}

/* Is all of v a dot-string (RFC 5321 4.1.2, RFC 6531 3.3)? */
static bool is_dot_string(struct view v)
{
	bool in_atom = false;
	size_t n;

	for (; v.n > 0; v = view_sub(v, n, v.n)) {
		n = 1;
		if (v.p[0] == '.') {
			if (!in_atom)
				return false;
			in_atom = false;
			continue;
		}
		if (!is_atext(v.p[0]) && (n = local_char(v)) == 0)
			return false;
		in_atom = true;
	}
	return in_atom;
}

/*
 * The content of a quoted local part, pairs resolved, is appended to b.
 * Blanks are legal there, but S82 and A24 want none: nobody has them, and
 * parsers differ about them.
 */
static const char *read_quoted(struct buf *b, struct view raw, size_t *end)
{
	struct view v = view_sub(raw, 1, raw.n);
	size_t n;

	for (; v.n > 0; v = view_sub(v, n, v.n)) {
		n = 1;
		if (v.p[0] == '"') {
			*end = raw.n - v.n + 1;
			return b->n == 0 ? "A24: an empty local part" : NULL;
		}
		if (v.p[0] == '\\') {
			v = view_sub(v, 1, v.n);
			if (v.n == 0 || v.p[0] <= ' ' || v.p[0] >= 0x7f)
				return "RFC 5321 4.1.2: no quoted pair";
		} else if (v.p[0] >= 0x80) {
			if ((n = local_char(v)) == 0)
				return "RFC 6531 3.3: an odd character";
		} else if (v.p[0] <= ' ' || v.p[0] == 0x7f) {
			return "a blank or control in the local part";
		}
		if (v.p[0] == '<' || v.p[0] == '>')
			return "an angle bracket in the local part";
		buf_put(b, v.p, n);
	}
	return "RFC 5321 4.1.2: the quoted string has no end";
}

/* The local part in its one form: quotes only where they are needed. */
static void put_local(struct buf *b, struct view v)
{
	size_t i;

	if (is_dot_string(v)) {
		buf_putv(b, v);
		return;
	}
	buf_putc(b, '"');
	for (i = 0; i < v.n; i++) {
		if (v.p[i] == '"' || v.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, v.p[i]);
	}
	buf_putc(b, '"');
}

/* The local part of raw to b; *at is the offset of the @. */
static const char *parse_local(struct buf *b, struct view raw, size_t *at)
{
	struct buf text;
	const char *why = NULL;

	if (raw.n == 0)
		return "empty";
	if (raw.p[0] != '"') {
		*at = view_chr(raw, '@', 0);
		if (*at == (size_t)-1)
			return "RFC 5321 4.1.2: wanted local@domain";
		if (!is_dot_string(view_sub(raw, 0, *at)))
			return "RFC 5321 4.1.2: no dot-string before the @";
		buf_put(b, raw.p, *at);
		return NULL;
	}
	buf_init(&text, CAP_ADDRESS);
	why = read_quoted(&text, raw, at);
	if (why == NULL && (*at >= raw.n || raw.p[*at] != '@'))
		why = "RFC 5321 4.1.2: wanted @ after the quoted string";
	if (why == NULL)
		put_local(b, buf_view(&text));
	buf_free(&text);
	return why;
}

int addr_parse(struct addr *a, struct view raw, struct err *e)
{
	const char *why;
	size_t at = 0;
	struct buf b;
	int rc = -1;

	memset(a, 0, sizeof(*a));
	if (raw.n > CAP_ADDRESS)
		return bad(e, raw, "RFC 5321 4.5.3.1.3: longer than 254 "
		    "octets");
	buf_init(&b, 4096);
	why = parse_local(&b, raw, &at);
	if (why != NULL) {
		(void)bad(e, raw, why);
		goto out;
	}
	a->local_n = b.n;
	a->utf8 = has_8bit(buf_view(&b));
	buf_putc(&b, '@');
	why = put_domain(&b, view_sub(raw, at + 1, raw.n));
	if (why == NULL && b.n > CAP_ADDRESS)
		why = "RFC 5321 4.5.3.1.3: longer than 254 octets in A-labels";
	if (why != NULL) {
		(void)bad(e, raw, why);
		goto out;
	}
	if (view_cstr(buf_view(&b), a->text, sizeof(a->text)) != 0) {
		(void)err_set(e, FAIL_TEMP, "address: out of memory");
		goto out;
	}
	rc = 0;
out:
	if (rc != 0)
		memset(a, 0, sizeof(*a));
	buf_free(&b);
	return rc;
}

int addr_parse_path(struct addr *a, const char *raw_path, struct err *e)
{
	struct view v = view_of(raw_path);

	if (v.n < 2 || v.p[0] != '<' || v.p[v.n - 1] != '>')
		return addr_parse(a, v, e);
	if (v.n == 2) {
		memset(a, 0, sizeof(*a));
		return 0;
	}
	return addr_parse(a, view_sub(v, 1, v.n - 2), e);
}

const char *addr_local(const struct addr *a, size_t *n)
{
	*n = a->local_n;
	return a->text;
}

const char *addr_domain(const struct addr *a)
{
	return a->text[0] == '\0' ? a->text : a->text + a->local_n + 1;
}

bool addr_eq(const struct addr *a, const struct addr *b, enum addr_case how)
{
	struct view x = view_make(a->text, a->local_n);
	struct view y = view_make(b->text, b->local_n);

	/* RFC 9598 5: no folding where one is an SmtpUTF8Mailbox */
	if (a->utf8 != b->utf8 || strcmp(addr_domain(a), addr_domain(b)) != 0)
		return false;
	if (how == ADDR_FOLD_LOCAL && !a->utf8)
		return view_ieq(x, y);
	return view_eq(x, y);
}

void addr_key(const struct addr *a, char *dst)
{
	size_t i;

	for (i = 0; a->text[i] != '\0'; i++)
		dst[i] = fold(a->text[i]);
	dst[i] = '\0';
}

void addr_strip_detail(const struct addr *a, int delimiter, struct addr *out)
{
	struct view local = view_make(a->text, a->local_n);
	size_t at;

	if (out != a)
		*out = *a;
	/* a quoted local part is somebody else's notation; nothing is left of
	 * an address that begins with the delimiter */
	if (delimiter == 0 || local.n == 0 || local.p[0] == '"')
		return;
	at = view_chr(local, delimiter, 1);
	if (at == (size_t)-1)
		return;
	memmove(out->text + at, a->text + a->local_n,
	    strlen(a->text + a->local_n) + 1);
	out->local_n = at;
	out->utf8 = has_8bit(view_make(out->text, at));
}
