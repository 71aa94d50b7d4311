/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Triggers out of the header: the pipeline goes on with a header that never
 * had them, so that they are gone from what is signed, too; the message's own
 * header follows by edits, last.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/also.h"
#include "smime/words.h"
#include "util/fold.h"
#include "util/utf8.h"

struct trigger {
	bool has_subject; /* another one */
	char **name;	  /* of fields that are gone */
	size_t *fields;	  /* how many of each there were */
	size_t n;
};

static int unfold(const struct field *f, struct buf *raw, struct err *e)
{
	buf_init(raw, CAP_HEADER_FIELD + 1);
	field_unfold(f, raw);
	return buf_ok(raw, e);
}

int trigger_read(const struct field *f, struct buf *out, struct err *e)
{
	struct buf raw, plain;
	int rc;

	buf_init(&plain, 4 * CAP_HEADER_FIELD);
	rc = unfold(f, &raw, e);
	words_decode_any(buf_view(&raw), &plain);
	fold_case(buf_view(&plain), out);
	if (rc == 0 && (buf_ok(&plain, e) != 0 || buf_ok(out, e) != 0))
		rc = -1;
	buf_free(&raw);
	buf_free(&plain);
	return rc;
}

int trigger_is_in(const struct field *f, const char *text, struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, 8 * CAP_HEADER_FIELD);
	rc = trigger_read(f, &b, e);
	if (rc == 0 && b.n > 0)
		rc = memmem(b.p, b.n, text, strlen(text)) != NULL;
	buf_free(&b);
	return rc;
}

/* ---- another text ---- */

static size_t first_char(struct view v, uint32_t *c)
{
	size_t n = utf8_first(v, c);

	if (n == 0 && v.n > 0)
		*c = v.p[0];
	return n == 0 && v.n > 0 ? 1 : n;
}

/* Octets at the start of v that are text, whatever their case; or 0. */
static size_t match(struct view v, struct view text)
{
	size_t all = v.n, n, m;
	uint32_t a = 0, b = 0;

	while (text.n > 0) {
		n = first_char(v, &a);
		m = first_char(text, &b);
		if (n == 0 || fold_char(a) != b)
			return 0;
		v = view_sub(v, n, v.n);
		text = view_sub(text, m, text.n);
	}
	return all - v.n;
}

static bool ends_blank(const struct buf *b)
{
	return b->n == 0 || b->p[b->n - 1] == ' ' || b->p[b->n - 1] == '\t';
}

/* One blank stays where two meet, none at the ends. */
static bool remove_once(struct view v, struct view text, struct buf *out)
{
	bool any = false;

	while (v.n > 0) {
		size_t n = match(v, text);

		if (n == 0) {
			buf_putc(out, v.p[0]);
			v = view_sub(v, 1, v.n);
			continue;
		}
		any = true;
		v = view_sub(v, n, v.n);
		while (ends_blank(out) && v.n > 0 &&
		    (v.p[0] == ' ' || v.p[0] == '\t'))
			v = view_sub(v, 1, v.n);
	}
	return any;
}

/* What is left may be the text again: "[sec[secure]ure]". */
#define ROUNDS 8

static void remove_all(struct view v, struct view text, struct buf *out)
{
	struct buf was;
	bool any = true;

	buf_init(&was, 4 * CAP_HEADER_FIELD);
	buf_putv(out, v);
	for (int i = 0; i < ROUNDS && any; i++) {
		buf_clear(&was);
		buf_putv(&was, buf_view(out));
		buf_clear(out);
		any = remove_once(buf_view(&was), text, out);
	}
	out->failed |= was.failed;
	buf_free(&was);
}

static bool is_plain(struct view v)
{
	size_t run = 0;

	for (size_t i = 0; i < v.n; i++) {
		run = v.p[i] == ' ' ? 0 : run + 1;
		if (v.p[i] < 32 || v.p[i] > 126 || run > 900)
			return false;
	}
	return v.n < 2 || memmem(v.p, v.n, "=?", 2) == NULL;
}

/* Lines of some 70 octets, as far as there are blanks. */
static void put_folded(struct view v, struct buf *out)
{
	size_t col = 9;

	for (size_t i = 0; i < v.n; i++, col++) {
		if (v.p[i] == ' ' && col > 70 && i + 1 < v.n &&
		    v.p[i + 1] != ' ') {
			buf_puts(out, "\r\n");
			col = 0;
		}
		buf_putc(out, v.p[i]);
	}
}

/*
 * The value without the text: what was read is written anew, or, where not
 * all can be read (charsets that nobody here knows), octets are taken out of
 * what there is.
 */
static int cut_value(struct view raw, const char *text, struct buf *out,
    struct err *e)
{
	struct buf plain, any, less;
	bool is_read;

	buf_init(&plain, 4 * CAP_HEADER_FIELD);
	buf_init(&any, 4 * CAP_HEADER_FIELD);
	buf_init(&less, 4 * CAP_HEADER_FIELD);
	words_decode(raw, &plain);
	words_decode_any(raw, &any);
	is_read = utf8_is_valid(raw) && view_eq(buf_view(&plain),
	    buf_view(&any));
	remove_all(is_read ? buf_view(&plain) : raw, view_of(text), &less);
	buf_putc(out, ' ');
	if (is_read && !is_plain(view_trim(buf_view(&less))))
		words_encode(view_trim(buf_view(&less)), out);
	else
		put_folded(view_trim(buf_view(&less)), out);
	out->failed |= plain.failed || any.failed || less.failed;
	buf_free(&plain);
	buf_free(&any);
	buf_free(&less);
	return buf_ok(out, e);
}

/* ---- another header ---- */

static struct trigger *trigger_of(struct txn *t, struct err *e)
{
	if (t->trigger == NULL)
		t->trigger = calloc(1, sizeof(*t->trigger));
	if (t->trigger == NULL)
		err_set(e, FAIL_TEMP, "trigger: out of memory");
	return t->trigger;
}

/* text becomes the header section. What it cannot be, it does not become. */
static int install(struct txn *t, struct buf *text, bool *done,
    struct err *e)
{
	struct err why = {0};
	struct header h;

	*done = false;
	if (buf_ok(text, e) != 0)
		return -1;
	if (header_parse(&h, buf_view(text), &why) != 0) {
		header_free(&h);
		if (err_is_ours(&why)) {
			*e = why;
			return -1;
		}
		txn_warn(t, "a trigger cannot be removed: %s", why.msg);
		return 0;
	}
	h.start = t->h.start;
	h.body_off = t->h.body_off;
	h.no_blank_line = t->h.no_blank_line;
	t->header_grown += (int64_t)h.text.n - (int64_t)t->h.text.n;
	header_free(&t->h);
	t->h = h;
	*done = true;
	return 0;
}

/* The field, or the same without the text. */
static int put_field(const struct field *f, const char *text, bool *is_other,
    struct buf *out, struct err *e)
{
	struct buf raw;
	int rc = view_ieq_str(f->name, "Subject") ? trigger_is_in(f, text, e)
						  : 0;

	if (rc == 0)
		buf_putv(out, f->whole);
	if (rc != 1)
		return rc;
	*is_other = true;
	rc = unfold(f, &raw, e);
	buf_puts(out, "Subject:");
	if (rc == 0)
		rc = cut_value(buf_view(&raw), text, out, e);
	buf_puts(out, "\r\n");
	buf_free(&raw);
	return rc;
}

/* Where its charset is not known the text may still be there. */
static int warn_of_rest(struct txn *t, const char *text, struct err *e)
{
	const struct field *f;
	int rc;

	for (size_t n = 0; (f = header_get(&t->h, "Subject", n)) != NULL;
	    n++) {
		rc = trigger_is_in(f, text, e);
		if (rc < 0)
			return -1;
		if (rc == 1)
			txn_warn(t, "the trigger stays in a Subject that "
			    "cannot be read as a whole");
	}
	return 0;
}

int trigger_cut_subject(struct txn *t, const char *text, struct err *e)
{
	bool is_other = false, done = false;
	struct buf b;
	int rc = 0;

	if (trigger_of(t, e) == NULL)
		return -1;
	buf_init(&b, 2 * CAP_HEADER_SECTION);
	for (size_t i = 0; i < t->h.n && rc == 0; i++)
		rc = put_field(&t->h.field[i], text, &is_other, &b, e);
	if (rc == 0 && is_other)
		rc = install(t, &b, &done, e);
	if (rc == 0 && done) {
		t->trigger->has_subject = true;
		rc = warn_of_rest(t, text, e);
	}
	buf_free(&b);
	return rc;
}

static int note_field(struct trigger *x, const char *name, size_t fields,
    struct err *e)
{
	char **names = reallocarray(x->name, x->n + 1, sizeof(*names));
	size_t *n;

	if (names != NULL)
		x->name = names;
	n = reallocarray(x->fields, x->n + 1, sizeof(*n));
	if (n != NULL)
		x->fields = n;
	if (names == NULL || n == NULL || (x->name[x->n] = strdup(name)) ==
	    NULL)
		return err_set(e, FAIL_TEMP, "trigger: out of memory");
	x->fields[x->n++] = fields;
	return 0;
}

int trigger_cut_field(struct txn *t, const char *name, struct err *e)
{
	size_t fields = header_count(&t->h, name);
	bool done = false;
	struct buf b;
	int rc;

	if (fields == 0)
		return 0;
	if (trigger_of(t, e) == NULL)
		return -1;
	buf_init(&b, CAP_HEADER_SECTION);
	for (size_t i = 0; i < t->h.n; i++)
		if (!view_ieq_str(t->h.field[i].name, name))
			buf_putv(&b, t->h.field[i].whole);
	rc = install(t, &b, &done, e);
	if (rc == 0 && done)
		rc = note_field(t->trigger, name, fields, e);
	buf_free(&b);
	return rc;
}

/* ---- the message's own header ---- */

static bool is_deleted(const struct verdict *v, const char *name)
{
	for (size_t i = 0; i < v->edits; i++)
		if (v->edit[i].kind == EDIT_DELETE &&
		    strcasecmp(v->edit[i].name, name) == 0)
			return true;
	return false;
}

static int add_subject(struct txn *t, const struct field *f, struct err *e)
{
	struct buf value;
	int rc;

	buf_init(&value, 8 * CAP_HEADER_FIELD);
	for (size_t i = 0; i < f->value.n; i++)
		if (f->value.p[i] != '\r')
			buf_putc(&value, f->value.p[i]);
	rc = buf_ok(&value, e);
	if (rc == 0)
		rc = verdict_add(t->v, "Subject", buf_str(&value), e);
	if (rc != 0 && e->kind == FAIL_BUG)
		e->kind = FAIL_INPUT; /* the message's own octets */
	buf_free(&value);
	return rc;
}

int trigger_edits(struct txn *t, struct err *e)
{
	const struct trigger *x = t->trigger;
	size_t subjects;

	for (size_t i = 0; x != NULL && i < x->n; i++)
		for (size_t n = is_deleted(t->v, x->name[i]) ? 0
		    : x->fields[i]; n > 0; n--)
			if (verdict_delete(t->v, x->name[i], (int)n, e) != 0)
				return -1;
	/* hidden, for a copy with protected fields */
	if (x == NULL || !x->has_subject || is_deleted(t->v, "Subject"))
		return 0;
	subjects = header_count(&t->h, "Subject");
	if (txn_delete_all(t, "Subject", e) != 0)
		return -1;
	for (size_t n = 0; n < subjects; n++)
		if (add_subject(t, header_get(&t->h, "Subject", n), e) != 0)
			return -1;
	return 0;
}

void trigger_free(struct txn *t)
{
	struct trigger *x = t->trigger;

	if (x == NULL)
		return;
	for (size_t i = 0; i < x->n; i++)
		free(x->name[i]);
	free(x->name);
	free(x->fields);
	free(x);
	t->trigger = NULL;
}
