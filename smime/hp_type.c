/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The author's field with more behind it, where that will do: other programs
 * read what he wrote. Written anew where something in it must not stay.
 */
#include "smime/hp_type.h"

#include <string.h>

#include "smime/hdrenc.h"
#include "util/caps.h"

static const char *const ours[] = {"hp", "hp-legacy-display"};

static bool is_ours(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* Readers look for "; hp" with less than a parser (smime/hp.c). */
static bool may_stay(const struct field *f, const struct hp_type *add)
{
	struct view v;

	if (f == NULL || add->charset != NULL)
		return false;
	v = f->value;
	for (size_t i = 0; i + 1 < v.n; i++)
		if (view_ieq_str(view_sub(v, i, 2), "hp"))
			return false;
	return true;
}

static void put_added(const struct hp_type *add, struct buf *out)
{
	if (add->has_display)
		buf_puts(out, ";\r\n\thp-legacy-display=\"1\"");
	if (add->hp != NULL)
		buf_printf(out, ";\r\n\thp=\"%s\"", add->hp);
}

static void put_extended(const struct field *f, struct buf *out)
{
	struct view v = view_trim(f->value);

	while (v.n > 0 && strchr("; \t\r\n", v.p[v.n - 1]) != NULL)
		v.n--;
	buf_puts(out, "Content-Type: ");
	buf_putv(out, v);
}

static void put_anew(const struct ctype *ct, const struct hp_type *add,
    struct buf *out)
{
	buf_printf(out, "Content-Type: %s", ct->type);
	for (size_t i = 0; i < ct->params; i++) {
		struct ctype_param p = ct->param[i];

		if (is_ours(p.name) || (add->charset != NULL &&
		    strcmp(p.name, "charset") == 0))
			continue;
		if (strchr(p.value, ';') != NULL && p.charset[0] == '\0')
			memcpy(p.charset, "us-ascii", sizeof("us-ascii"));
		hdrenc_param(out, &p);
	}
	if (add->charset != NULL)
		buf_printf(out, ";\r\n\tcharset=\"%s\"", add->charset);
}

static bool has_param(const struct ctype *ct, const char *name,
    const char *value)
{
	const char *got = ctype_param(ct, name);

	if (value == NULL)
		return got == NULL;
	return got != NULL && strcmp(got, value) == 0;
}

/* Does it say what the old one said, and what was added? */
static bool is_good(const struct ctype *old, const struct ctype *new,
    const struct hp_type *add)
{
	if (new->defect[0] != '\0' || strcmp(old->type, new->type) != 0 ||
	    !has_param(new, "hp", add->hp) ||
	    !has_param(new, "hp-legacy-display",
	    add->has_display ? "1" : NULL))
		return false;
	for (size_t i = 0; i < old->params; i++) {
		const char *name = old->param[i].name;

		if (is_ours(name))
			continue;
		if (!has_param(new, name, add->charset != NULL &&
		    strcmp(name, "charset") == 0 ? add->charset
						 : old->param[i].value))
			return false;
	}
	return add->charset == NULL || has_param(new, "charset",
	    add->charset);
}

static int is_read_back(struct view text, const struct ctype *old,
    const struct hp_type *add, bool *good, struct err *e)
{
	struct err local = {0};
	struct ctype ct = {0};
	struct header h;

	*good = header_parse(&h, text, &local) == 0 &&
	    ctype_read(&ct, &h, &local) == 0 && h.n == 1 && !h.has_junk &&
	    is_good(old, &ct, add);
	ctype_free(&ct);
	header_free(&h);
	if (local.kind != 0 && local.kind != FAIL_LIMIT)
		return err_set(e, local.kind, "%s", local.msg);
	return 0;
}

int hp_type_put(const struct header *h, const struct ctype *ct,
    const struct hp_type *add, struct buf *out, bool *done, struct err *e)
{
	const struct field *f = header_get(h, "Content-Type", 0);
	struct buf text;
	int rc = 0;

	*done = false;
	buf_init(&text, 4 * CAP_HEADER_FIELD);
	if (may_stay(f, add)) {
		put_extended(f, &text);
		put_added(add, &text);
		buf_puts(&text, "\r\n");
		rc = is_read_back(buf_view(&text), ct, add, done, e);
	}
	if (rc == 0 && !*done) {
		buf_clear(&text);
		put_anew(ct, add, &text);
		put_added(add, &text);
		buf_puts(&text, "\r\n");
		rc = is_read_back(buf_view(&text), ct, add, done, e);
	}
	if (rc == 0 && text.no_memory)
		rc = buf_ok(&text, e);
	if (rc == 0 && *done) {
		buf_putv(out, buf_view(&text));
		rc = buf_ok(out, e);
	}
	buf_free(&text);
	return rc;
}
