/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * First all values are made, then the root's header section, which our own
 * reader must read as it is meant; only then is anything written.
 */
#include "smime/hp_write.h"

#include <stdlib.h>
#include <string.h>

#include "smime/hp.h"
#include "smime/hp_legacy.h"
#include "smime/hp_type.h"
#include "smime/hp_value.h"
#include "smime/words.h"
#include "util/caps.h"

struct entry {
	const struct field *f;
	struct hp_value v;
};

struct writer {
	const struct spool *entity;
	const struct header *h; /* of the message */
	enum hp_policy p;
	bool encrypts;
	struct entry *entry;
	size_t n;
	struct header root; /* the entity's own */
	struct ctype ct;
	struct buf head; /* the new header section of the root */
	struct buf text; /* hidden fields for people */
	struct hp_leaves leaves;
	struct sink to;
	unsigned char last; /* octet written */
};

/* ---- values ---- */

/* The next entry, unless f stays outside alone. */
static int read_field(struct writer *w, const struct field *f,
    struct err *e)
{
	struct entry *x = &w->entry[w->n];
	enum hp_hide hide = HIDE_NOTHING;
	struct err why = {0};
	bool is_left;
	int rc;

	if (w->encrypts)
		hide = hp_hidden(f->name, w->p);
	x->f = f;
	rc = hp_value_make(&x->v, f, hide, &why);
	is_left = hp_is_quoted(f->name) && (rc == 0 ? x->v.is_utf8 :
	    why.kind == FAIL_INPUT);
	if (is_left) {
		hp_value_free(&x->v);
		memset(x, 0, sizeof(*x));
		return 0;
	}
	w->n++; /* also to be freed */
	return rc == 0 ? 0 : err_set(e, why.kind, "%s", why.msg);
}

static int read_fields(struct writer *w, struct err *e)
{
	w->entry = calloc(w->h->n + 1, sizeof(*w->entry));
	if (w->entry == NULL)
		return err_set(e, FAIL_TEMP, "header protection: out of "
		    "memory");
	for (size_t i = 0; i < w->h->n; i++) {
		const struct field *f = &w->h->field[i];

		if (f->name.n == 0 && w->h->has_junk)
			return err_set(e, FAIL_INPUT, "a line of the header "
			    "is no field (RFC 5322 2.2)");
		if (f->name.n == 0 || !hp_is_copied(f->name))
			continue;
		if (read_field(w, f, e) != 0)
			return -1;
	}
	return 0;
}

static char *change_text(struct view v)
{
	char *s = malloc(v.n + 1);
	size_t n = 0;

	if (s == NULL)
		return NULL;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] != '\r')
			s[n++] = (char)v.p[i];
	s[n] = '\0';
	return s;
}

static int add_change(struct hp_outer *o, const struct entry *x,
    struct err *e)
{
	struct hp_change *c = &o->change[o->n];

	c->name = view_strdup(x->f->name);
	c->value = x->v.is_removed ? NULL
				   : change_text(buf_view(&x->v.outer));
	if (c->name != NULL && (c->value != NULL || x->v.is_removed)) {
		o->n++;
		return 0;
	}
	free(c->name);
	free(c->value);
	return err_set(e, FAIL_TEMP, "header protection: out of memory");
}

/* What becomes of all fields of entry i's name, if it is the first. */
static int add_changes(const struct writer *w, size_t i, struct hp_outer *o,
    struct err *e)
{
	struct view name = w->entry[i].f->name;
	bool is_changed = false;

	for (size_t k = 0; k < w->n; k++) {
		if (!view_ieq(w->entry[k].f->name, name))
			continue;
		if (k < i)
			return 0;
		is_changed = is_changed || w->entry[k].v.is_changed;
	}
	for (size_t k = i; is_changed && k < w->n; k++) {
		bool is_more = k > i && w->entry[k].v.is_removed;

		if (view_ieq(w->entry[k].f->name, name) && !is_more &&
		    add_change(o, &w->entry[k], e) != 0)
			return -1;
	}
	return 0;
}

static int make_changes(const struct writer *w, struct hp_outer *o,
    struct err *e)
{
	bool has_any = false;

	for (size_t i = 0; i < w->n; i++) {
		has_any = has_any || w->entry[i].v.is_changed;
		o->is_7bit = o->is_7bit && !w->entry[i].v.is_utf8;
	}
	if (!has_any)
		return 0;
	o->change = calloc(w->n, sizeof(*o->change));
	if (o->change == NULL)
		return err_set(e, FAIL_TEMP, "header protection: out of "
		    "memory");
	for (size_t i = 0; i < w->n; i++)
		if (add_changes(w, i, o, e) != 0)
			return -1;
	return 0;
}

/* ---- for programs that show only what is outside ---- */

static void put_shown(struct writer *w, const struct entry *x)
{
	struct field f = {.value = buf_view(&x->v.inner)};
	struct buf raw, text;

	buf_init(&raw, 2 * CAP_HEADER_FIELD);
	buf_init(&text, 4 * CAP_HEADER_FIELD);
	field_unfold(&f, &raw);
	words_decode(buf_view(&raw), &text);
	w->text.failed = w->text.failed || raw.failed || text.failed;
	if (text.n > 0) {
		buf_putv(&w->text, x->f->name);
		buf_puts(&w->text, ": ");
		buf_putv(&w->text, buf_view(&text));
		buf_putc(&w->text, '\n');
	}
	buf_free(&raw);
	buf_free(&text);
}

/* Subject first, the others as they stand in the header. */
static int make_text(struct writer *w, struct err *e)
{
	for (int turn = 0; turn < 2; turn++)
		for (size_t i = 0; i < w->n; i++) {
			const struct entry *x = &w->entry[i];
			bool is_subject = view_ieq_str(x->f->name, "Subject");

			if (x->v.is_hidden && hp_is_shown(x->f->name) &&
			    is_subject == (turn == 0))
				put_shown(w, x);
		}
	return buf_ok(&w->text, e);
}

static int read_leaf(struct writer *w, const struct hp_leaf *leaf,
    struct header *h, struct ctype *ct, struct err *e)
{
	if (header_read(h, w->entity, leaf->start, leaf->body, e) != 0)
		return -1;
	return ctype_read(ct, h, e);
}

/* The leaf's header section as it will be, or *can false. */
static int make_leaf(struct writer *w, struct hp_leaf *leaf, struct buf *out,
    bool *can, struct err *e)
{
	struct hp_type add = {.has_display = true};
	struct ctype ct = {0};
	struct header h;
	struct buf type;
	int rc = -1;

	*can = false;
	buf_init(&type, 4 * CAP_HEADER_FIELD);
	if (read_leaf(w, leaf, &h, &ct, e) != 0)
		goto out;
	if (hp_leaf_plan(leaf, &ct, buf_view(&w->text), can, e) != 0)
		goto out;
	add.charset = leaf->charset;
	add.hp = leaf->is_root ? "cipher" : NULL;
	if (*can && hp_type_put(&h, &ct, &add, &type, can, e) != 0)
		goto out;
	if (*can)
		hp_leaf_put_header(leaf, &h, buf_view(&type), out);
	rc = buf_ok(out, e);
out:
	ctype_free(&ct);
	header_free(&h);
	buf_free(&type);
	return rc;
}

/* ---- the root ---- */

static void put_entry(struct buf *out, const struct entry *x, bool is_note)
{
	if (is_note)
		buf_puts(out, "HP-Outer: ");
	buf_putv(out, x->f->name);
	buf_putc(out, ':');
	buf_putv(out, buf_view(is_note ? &x->v.outer : &x->v.inner));
	buf_puts(out, "\r\n");
}

static int put_own_fields(struct writer *w, struct err *e)
{
	struct hp_type add = {.hp = w->encrypts ? "cipher" : "clear"};
	struct hp_leaf *leaf = &w->leaves.leaf[0];
	struct buf type;
	bool done = false;
	int rc;

	if (w->leaves.n > 0 && leaf->is_root) {
		if (make_leaf(w, leaf, &w->head, &done, e) != 0)
			return -1;
		if (done)
			return 0;
		w->leaves.n = 0;
	}
	buf_init(&type, 4 * CAP_HEADER_FIELD);
	rc = hp_type_put(&w->root, &w->ct, &add, &type, &done, e);
	if (rc == 0 && !done)
		rc = err_set(e, FAIL_INPUT, "Content-Type: hp would have "
		    "more than one reading (RFC 9788 2.1)");
	for (size_t i = 0; rc == 0 && i < w->root.n; i++)
		buf_putv(&w->head, view_ieq_str(w->root.field[i].name,
		    "Content-Type") ? buf_view(&type)
				    : w->root.field[i].whole);
	buf_free(&type);
	return rc;
}

/* Our reader finds in it what was meant, and nothing wrong. */
static int check_root(const struct writer *w, struct err *e)
{
	enum hp_mode mode = w->encrypts ? HP_CIPHER : HP_CLEAR;
	struct hp_input in = {.is_encrypted = w->encrypts};
	struct ctype ct = {0};
	struct header h;
	struct hp hp = {0};
	int rc = -1;

	if (header_parse(&h, buf_view(&w->head), e) != 0 ||
	    ctype_read(&ct, &h, e) != 0)
		goto out;
	in.inner = &h;
	in.outer = w->h;
	in.ct = &ct;
	if (hp_read(&hp, &in, e) != 0)
		goto out;
	rc = hp.mode == mode && !h.has_junk && !h.has_nul &&
	    !h.has_bare_eol ? 0
	    : err_set(e, FAIL_INPUT, "Content-Type: hp would have more than "
		"one reading (RFC 9788 2.1)");
out:
	hp_free(&hp);
	ctype_free(&ct);
	header_free(&h);
	return rc;
}

static int make_root(struct writer *w, struct err *e)
{
	size_t fields = w->n * (w->encrypts ? 2 : 1) + w->root.n;

	if (fields > CAP_HEADER_FIELDS)
		return err_set(e, FAIL_LIMIT, "header: %zu fields once they "
		    "are protected, at most %d are read", fields,
		    CAP_HEADER_FIELDS);
	for (size_t i = 0; i < w->n; i++)
		put_entry(&w->head, &w->entry[i], false);
	for (size_t i = 0; i < w->n; i++)
		if (w->encrypts && !w->entry[i].v.is_removed)
			put_entry(&w->head, &w->entry[i], true);
	if (put_own_fields(w, e) != 0)
		return -1;
	if (buf_ok(&w->head, e) != 0)
		return err_add(e, "header with protected fields");
	return check_root(w, e);
}

/* ---- writing ---- */

static int put_octets(void *arg, const void *p, size_t n, struct err *e)
{
	struct writer *w = arg;

	if (n > 0)
		w->last = ((const unsigned char *)p)[n - 1];
	return sink_put(&w->to, p, n, e);
}

static int write_body(struct writer *w, const struct hp_leaf *leaf,
    struct err *e)
{
	const struct sink to = {put_octets, w};

	if (hp_leaf_write(leaf, w->entity, &to, e) != 0)
		return -1;
	/* As smime/canon.c: a soft line break does not change the text. */
	if (leaf->is_root && leaf->new_cte == CTE_QP && w->last != '\n')
		return sink_puts(&to, "=\r\n", e);
	return 0;
}

/* A leaf below the root; *pos is where the entity is written to. */
static int write_leaf(struct writer *w, struct hp_leaf *leaf, uint64_t *pos,
    struct err *e)
{
	struct buf head;
	bool can = false;
	int rc;

	buf_init(&head, CAP_HEADER_SECTION);
	rc = make_leaf(w, leaf, &head, &can, e);
	if (rc == 0 && can) {
		buf_puts(&head, "\r\n");
		if (buf_ok(&head, e) != 0 ||
		    spool_copy(w->entity, *pos, leaf->start, &w->to, e) != 0 ||
		    sink_put(&w->to, head.p, head.n, e) != 0 ||
		    write_body(w, leaf, e) != 0)
			rc = -1;
		*pos = leaf->end;
	}
	buf_free(&head);
	return rc;
}

static int write_all(struct writer *w, struct err *e)
{
	uint64_t pos = w->root.body_off;

	buf_puts(&w->head, "\r\n");
	if (buf_ok(&w->head, e) != 0 ||
	    sink_put(&w->to, w->head.p, w->head.n, e) != 0)
		return -1;
	for (size_t i = 0; i < w->leaves.n; i++) {
		struct hp_leaf *leaf = &w->leaves.leaf[i];

		if (leaf->is_root)
			return write_body(w, leaf, e);
		if (write_leaf(w, leaf, &pos, e) != 0)
			return -1;
	}
	return spool_copy(w->entity, pos, spool_size(w->entity), &w->to, e);
}

static int run(struct writer *w, struct hp_outer *outer, struct err *e)
{
	if (header_read(&w->root, w->entity, 0, spool_size(w->entity),
	    e) != 0 || ctype_read(&w->ct, &w->root, e) != 0)
		return -1;
	if (read_fields(w, e) != 0 || make_changes(w, outer, e) != 0 ||
	    make_text(w, e) != 0)
		return -1;
	if (w->text.n > 0 && hp_leaves_find(&w->leaves, w->entity, e) != 0)
		return -1;
	if (make_root(w, e) != 0)
		return -1;
	return write_all(w, e);
}

int hp_write(const struct spool *entity, const struct header *h,
    enum hp_policy p, bool encrypts, struct spool *out,
    struct hp_outer *outer, struct err *e)
{
	struct writer w = {.entity = entity, .h = h, .p = p,
	    .encrypts = encrypts, .to = spool_sink(out)};
	int rc;

	memset(outer, 0, sizeof(*outer));
	outer->is_7bit = true;
	if (p == HP_OFF)
		return spool_copy(entity, 0, spool_size(entity), &w.to, e);
	buf_init(&w.head, CAP_HEADER_SECTION);
	buf_init(&w.text, 16 * CAP_HEADER_FIELD);
	rc = run(&w, outer, e);
	for (size_t i = 0; i < w.n; i++)
		hp_value_free(&w.entry[i].v);
	free(w.entry);
	hp_leaves_free(&w.leaves);
	ctype_free(&w.ct);
	header_free(&w.root);
	buf_free(&w.text);
	buf_free(&w.head);
	return rc;
}

void hp_outer_free(struct hp_outer *outer)
{
	for (size_t i = 0; i < outer->n; i++) {
		free(outer->change[i].name);
		free(outer->change[i].value);
	}
	free(outer->change);
	memset(outer, 0, sizeof(*outer));
}
