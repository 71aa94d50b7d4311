/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What may come out is a list of names, never a list of exceptions: a field
 * that some program behind us trusts (Received, Authentication-Results,
 * X-Spam and their like) must not be written by who encrypts to us (S156).
 */
#include "smime/hp.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_OCTETS 998 /* RFC 5322 2.1.1 */

/* The allow-list (S156). Message-ID is not on it: others refer to it. */
static const struct rule {
	const char *name;
	bool may_repeat;
	bool may_be_empty;
} allowed[] = {
	{"From", false, false},
	{"To", false, false},
	{"Cc", false, false},
	{"Reply-To", false, false},
	{"Subject", false, true},
	{"Date", false, false},
	{"In-Reply-To", false, false},
	{"References", false, false},
	{"Comments", true, true},
	{"Keywords", true, true},
};

/* Where a value stands. */
enum place {
	INSIDE,
	OUTSIDE,
	NOTED /* outside as the author saw it, by his HP-Outer fields */
};

static void remark(struct hp *hp, const char *name, const char *what)
{
	buf_printf(&hp->remarks, "%s%s%s\n", name, name[0] == '\0' ? "" : " ",
	    what);
}

/* ---- the parameter ---- */

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_blanks(struct view v, size_t i)
{
	while (i < v.n && is_blank(v.p[i]))
		i++;
	return i;
}

/* Behind "; hp" at this semicolon when "=" or, for the forms of RFC 2231,
 * "*" follows; 0 when not. */
static size_t pass_hp(struct view v, size_t semicolon)
{
	size_t i = skip_blanks(v, semicolon + 1);

	if (!view_ieq_str(view_sub(v, i, 2), "hp"))
		return 0;
	i = skip_blanks(v, i + 2);
	return i < v.n && (v.p[i] == '=' || v.p[i] == '*') ? i : 0;
}

/*
 * Whoever looks for it, with a parser or a pattern, must find this value
 * and nothing else: one place, quoted or not, no comment, no escape.
 */
static bool has_one_reading(struct view v, const char *value)
{
	size_t n = 0, at = 0;

	for (size_t i = 0; i < v.n; i++) {
		size_t k = v.p[i] == ';' ? pass_hp(v, i) : 0;

		n += k != 0;
		at = k != 0 ? k : at;
	}
	if (n != 1 || v.p[at] != '=')
		return false;
	at = skip_blanks(v, at + 1);
	at += at < v.n && v.p[at] == '"';
	return view_ieq_str(view_sub(v, at, strlen(value)), value);
}

static enum hp_mode mode_of(struct hp *hp, const struct hp_input *in)
{
	const char *value = ctype_param(in->ct, "hp");
	const struct field *f = header_get(in->inner, "Content-Type", 0);

	if (value == NULL)
		return HP_NONE;
	if (f == NULL || in->ct->defect[0] != '\0' ||
	    !has_one_reading(f->value, value)) {
		remark(hp, "", "the parameter hp has more than one reading "
		    "and is ignored (RFC 9788 2.1)");
		return HP_NONE;
	}
	if (strcasecmp(value, "clear") == 0)
		return HP_CLEAR;
	if (strcasecmp(value, "cipher") == 0)
		return HP_CIPHER;
	remark(hp, "", "the parameter hp is neither clear nor cipher and is "
	    "ignored (RFC 9788 2.1)");
	return HP_NONE;
}

/* ---- values ---- */

/* The nth HP-Outer field of that name: "HP-Outer: Subject: [...]". */
static bool get_noted(const struct header *inner, const char *name,
    size_t nth, struct field *out)
{
	for (size_t i = 0; i < inner->n; i++) {
		struct view v = view_trim(inner->field[i].value);
		size_t colon = view_chr(v, ':', 0);

		if (!view_ieq_str(inner->field[i].name, "HP-Outer") ||
		    colon == (size_t)-1 ||
		    !view_ieq_str(view_trim(view_sub(v, 0, colon)), name))
			continue;
		if (nth-- > 0)
			continue;
		out->value = view_sub(v, colon + 1, v.n);
		return true;
	}
	return false;
}

static bool get(const struct hp_input *in, enum place where,
    const char *name, size_t nth, struct field *out)
{
	const struct field *f;

	if (where == NOTED)
		return get_noted(in->inner, name, nth, out);
	f = header_get(where == INSIDE ? in->inner : in->outer, name, nth);
	if (f != NULL)
		*out = *f;
	return f != NULL;
}

static size_t count(const struct hp_input *in, enum place where,
    const char *name)
{
	return header_count(where == INSIDE ? in->inner : in->outer, name);
}

/* Unfolded, blanks squeezed: what a relay may change without a change. */
static int put_normal(const struct field *f, struct buf *out, struct err *e)
{
	struct view v = view_trim(f->value);
	bool was_blank = false;

	buf_clear(out);
	for (size_t i = 0; i < v.n; i++) {
		bool blank = is_blank(v.p[i]);

		if (!blank)
			buf_putc(out, v.p[i]);
		else if (!was_blank)
			buf_putc(out, ' ');
		was_blank = blank;
	}
	return buf_ok(out, e);
}

static int compare(const struct field *a, const struct field *b, bool *same,
    struct err *e)
{
	struct buf x, y;
	int rc = -1;

	buf_init(&x, CAP_HEADER_FIELD);
	buf_init(&y, CAP_HEADER_FIELD);
	if (put_normal(a, &x, e) == 0 && put_normal(b, &y, e) == 0) {
		*same = view_eq(buf_view(&x), buf_view(&y));
		rc = 0;
	}
	buf_free(&x);
	buf_free(&y);
	return rc;
}

/* Are the fields of that name the same in both places, one by one? */
static int is_same(const struct hp_input *in, const char *name, enum place a,
    enum place b, bool *same, struct err *e)
{
	struct field x, y;

	*same = true;
	for (size_t i = 0; *same; i++) {
		bool has_x = get(in, a, name, i, &x);
		bool has_y = get(in, b, name, i, &y);

		*same = has_x == has_y;
		if (!has_x || !*same)
			return 0;
		if (compare(&x, &y, same, e) != 0)
			return -1;
	}
	return 0;
}

static bool is_text_octet(unsigned char c)
{
	return (c >= 32 && c <= 126) || c == '\t';
}

/*
 * May the value stand in a header as it is (A31, A42)? Printable ASCII, folds
 * with CRLF, no line that is blank or too long once it stands behind its
 * name. v is trimmed.
 */
static bool is_sound_text(const char *name, struct view v)
{
	size_t line = strlen(name) + 2;
	bool blank = false;

	for (size_t i = 0; i < v.n; i++) {
		unsigned char c = v.p[i];

		if (c == '\r' && i + 2 < v.n && v.p[i + 1] == '\n' &&
		    (v.p[i + 2] == ' ' || v.p[i + 2] == '\t') && !blank) {
			line = 0;
			blank = true;
			i++;
			continue;
		}
		if (!is_text_octet(c) || ++line > LINE_MAX_OCTETS)
			return false;
		blank = blank && is_blank(c);
	}
	return !blank;
}

static bool is_sound(const struct rule *r, const struct field *f)
{
	struct view v = view_trim(f->value);

	if (f->whole.n <= f->name.n || f->whole.p[f->name.n] != ':')
		return false; /* RFC 5322 4.5 */
	if (f->whole.n > CAP_HP_FIELD)
		return false;
	if (v.n == 0)
		return r->may_be_empty;
	return is_sound_text(r->name, v);
}

bool hp_author(const struct header *inner, struct addr *author)
{
	const struct field *f = header_get(inner, "From", 0);
	struct addr_list l = {0};
	bool is_one;

	if (header_count(inner, "From") != 1 || !is_sound(&allowed[0], f))
		return false;
	is_one = addr_list_parse(&l, f->value, NULL) == 0 && l.n == 1;
	if (is_one)
		*author = l.a[0];
	addr_list_free(&l);
	return is_one;
}

/* ---- one name ---- */

static int add_field(struct hp *hp, const char *name, const struct field *f,
    struct err *e)
{
	struct view v = view_trim(f->value);
	struct buf b;

	buf_init(&b, CAP_HP_FIELD);
	buf_putc(&b, ' ');
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] != '\r')
			buf_putc(&b, v.p[i]);
	if (buf_ok(&b, e) != 0) {
		buf_free(&b);
		return -1;
	}
	hp->field[hp->n].name = name;
	hp->field[hp->n].value = view_strdup(buf_view(&b));
	buf_free(&b);
	if (hp->field[hp->n].value == NULL)
		return err_set(e, FAIL_TEMP, "header protection: out of "
		    "memory");
	hp->n++;
	return 0;
}

/* RFC 9788 4.4: only who proves to be the inner author becomes the outer
 * one. */
static bool may_be_author(const struct hp_input *in)
{
	struct addr author;

	return in->signer != NULL && hp_author(in->inner, &author) &&
	    addr_eq(&author, in->signer, ADDR_FOLD_LOCAL);
}

/* Not what the author put outside? A list's tag, or somebody's hand. */
static int remark_change(struct hp *hp, const struct hp_input *in,
    const char *name, struct err *e)
{
	bool same = false;

	if (hp->mode == HP_CIPHER) {
		if (header_count(in->inner, "HP-Outer") == 0)
			return 0;
		if (is_same(in, name, NOTED, OUTSIDE, &same, e) != 0)
			return -1;
	}
	if (!same)
		remark(hp, name, "outside was changed on its way");
	return 0;
}

/* Can what is inside stand outside? */
static bool is_usable(struct hp *hp, const struct hp_input *in,
    const struct rule *r)
{
	size_t n = count(in, INSIDE, r->name);

	if (n > (r->may_repeat ? HP_REPEATED : 1)) {
		remark(hp, r->name, "is given too often inside (RFC 5322 "
		    "3.6): not restored");
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (!is_sound(r, header_get(in->inner, r->name, i))) {
			remark(hp, r->name, "inside cannot stand in a header "
			    "(RFC 5322 2.2): not restored");
			return false;
		}
	return true;
}

static bool may_come_out(struct hp *hp, const struct hp_input *in,
    const struct rule *r)
{
	bool is_from = r == &allowed[0];

	if (!is_usable(hp, in, r)) {
		hp->is_author_out = hp->is_author_out || is_from;
		return false;
	}
	if (!is_from || may_be_author(in))
		return true;
	hp->is_author_out = true;
	remark(hp, r->name, "inside differs, and no valid signature is its "
	    "author's (RFC 9788 4.4): not restored");
	return false;
}

static int restore(struct hp *hp, const struct hp_input *in,
    const struct rule *r, struct err *e)
{
	struct field f;
	bool same;

	if (is_same(in, r->name, INSIDE, OUTSIDE, &same, e) != 0)
		return -1;
	if (same)
		return 0;
	if (count(in, INSIDE, r->name) == 0) {
		remark(hp, r->name, "stands outside only, unprotected");
		return 0;
	}
	if (remark_change(hp, in, r->name, e) != 0)
		return -1;
	if (!may_come_out(hp, in, r))
		return 0;
	hp->has_author = hp->has_author || r == &allowed[0];
	for (size_t i = 0; get(in, INSIDE, r->name, i, &f); i++)
		if (add_field(hp, r->name, &f, e) != 0)
			return -1;
	return 0;
}

/* ---- whom it was written to ---- */

static bool names_recipient(const struct hp_input *in,
    const struct addr_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		for (size_t k = 0; k < in->rcpts; k++)
			if (in->rcpt[k].text[0] != '\0' && addr_eq(&l->a[i],
			    &in->rcpt[k], ADDR_FOLD_LOCAL))
				return true;
	return false;
}

/*
 * A signature does not say to whom: what one recipient got can be sealed for
 * another by him (A10). A blind copy looks the same, so it is a remark.
 */
static int check_recipients(struct hp *hp, const struct hp_input *in,
    struct err *e)
{
	static const char *const name[] = {"To", "Cc"};
	bool is_named = false, has_any = false;
	struct field f;

	if (in->rcpts > HP_RCPTS)
		return 0;
	for (size_t n = 0; n < ARRAY_LEN(name); n++)
		for (size_t i = 0; get(in, INSIDE, name[n], i, &f); i++) {
			struct addr_list l = {0};

			if (addr_list_collect(&l, f.value, e) != 0)
				return -1;
			has_any = true;
			is_named = is_named || names_recipient(in, &l);
			addr_list_free(&l);
		}
	if (!has_any || is_named || in->rcpts == 0)
		return 0;
	hp->is_for_others = true;
	remark(hp, "", "To and Cc inside name no recipient of this message");
	return 0;
}

/* ---- all of it ---- */

/* RFC 9788 10.2: the fields count, what is said of secrecy does not. */
static void remark_mode(struct hp *hp, const struct hp_input *in)
{
	if (hp->mode == HP_CIPHER && !in->is_encrypted)
		remark(hp, "", "hp=\"cipher\" in a message that was not "
		    "encrypted (RFC 9788 10.2)");
	if (hp->mode == HP_CLEAR && in->is_encrypted)
		remark(hp, "", "hp=\"clear\" in a message that was encrypted "
		    "(RFC 9788 10.2)");
}

int hp_read(struct hp *hp, const struct hp_input *in, struct err *e)
{
	memset(hp, 0, sizeof(*hp));
	buf_init(&hp->remarks, 8192);
	hp->mode = mode_of(hp, in);
	if (hp->mode == HP_NONE)
		return buf_ok(&hp->remarks, e);
	remark_mode(hp, in);
	if (!in->is_encrypted && in->signer == NULL) {
		remark(hp, "", "protected header fields were not restored: no "
		    "valid signature covers them");
		return buf_ok(&hp->remarks, e);
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (restore(hp, in, &allowed[i], e) != 0)
			return -1;
	if (check_recipients(hp, in, e) != 0)
		return -1;
	return buf_ok(&hp->remarks, e);
}

void hp_free(struct hp *hp)
{
	for (size_t i = 0; i < hp->n; i++)
		free(hp->field[i].value);
	hp->n = 0;
	buf_free(&hp->remarks);
}
