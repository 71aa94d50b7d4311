/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What also lines ask of the message, as it stands in the rules file. Whether
 * a message has it, is in also.c.
 */
#include "gateway/rules_int.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/config_int.h"
#include "gateway/verdict.h"
#include "util/fold.h"

static void add_text(char ***list, size_t *n, const struct buf *text,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	void *a = *list;
	char **slot;

	slot = conf_grow(&a, n, sizeof(*slot), st, ce);
	*list = a;
	if (slot == NULL)
		return;
	*slot = text->failed ? NULL : strdup(buf_str(text));
	if (*slot == NULL) {
		(*n)--;
		conf_error(ce, st, 0, "out of memory");
	}
}

static void add_folded(char ***list, size_t *n, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	struct buf b;

	if (st->word[w].s[0] == '\0') {
		conf_error(ce, st, w, "expected a text, found an empty one");
		return;
	}
	buf_init(&b, CAP_CONF_FILE);
	fold_case(view_of(st->word[w].s), &b);
	add_text(list, n, &b, st, ce);
	buf_free(&b);
}

static size_t parse_subject(struct look *l, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	for (; rules_is_value(st, w); w++)
		add_folded(&l->subject, &l->subjects, st, w, ce);
	return w;
}

/* RFC 5322 2.2 */
static bool is_field_name(const char *s)
{
	const char *p = s;

	for (; *p != '\0'; p++)
		if (*p < 33 || *p > 126 || *p == ':')
			return false;
	return p != s && p - s <= 76;
}

static size_t parse_header(struct look *l, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	struct header_look *h;
	void *a = l->header;

	if (!rules_is_value(st, w))
		return w;
	if (!is_field_name(st->word[w].s)) {
		conf_error(ce, st, w, "header: expected the name of a field, "
		    "without its colon");
		return w + 1;
	}
	h = conf_grow(&a, &l->headers, sizeof(*h), st, ce);
	l->header = a;
	if (h == NULL)
		return w + 1;
	h->name = strdup(st->word[w].s);
	if (h->name == NULL) {
		l->headers--;
		conf_error(ce, st, w, "out of memory");
		return w + 1;
	}
	for (w++; rules_is_value(st, w); w++)
		add_folded(&h->text, &h->texts, st, w, ce);
	return w;
}

/* type/subtype of RFC 2045 5.1, or type/ and a star. */
static bool is_type(const char *s)
{
	const char *slash = strchr(s, '/');

	if (slash == NULL || slash == s || slash[1] == '\0')
		return false;
	for (const char *p = s; *p != '\0'; p++)
		if (p != slash && !isalnum((unsigned char)*p) &&
		    strchr("-+._", *p) == NULL &&
		    (*p != '*' || p != slash + 1 || p[1] != '\0'))
			return false;
	return true;
}

static size_t parse_attachment(struct look *l, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	struct buf b;

	for (; rules_is_value(st, w); w++) {
		if (!is_type(st->word[w].s)) {
			conf_error(ce, st, w, "attachment: expected a type "
			    "such as application/pdf or image/*");
			continue;
		}
		buf_init(&b, 1024);
		for (const char *p = st->word[w].s; *p != '\0'; p++)
			if (*p != '*')
				buf_putc(&b, tolower((unsigned char)*p));
		add_text(&l->kind, &l->kinds, &b, st, ce);
		buf_free(&b);
	}
	return w;
}

static size_t parse_size(struct look *l, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	if (!rules_word_is(st, w, "over")) {
		if (rules_is_value(st, w))
			conf_error(ce, st, w, "size: expected over and a size "
			    "like 5M");
		while (rules_is_value(st, w))
			w++;
		return w;
	}
	if (!rules_is_value(st, ++w))
		conf_error(ce, st, w - 1, "size over: expected a size like "
		    "5M");
	else if (conf_size(ce, st, w++, 0, UINT64_MAX, &l->over) == 0)
		l->has_size = true;
	return w;
}

static int class_of(const char *s)
{
	for (int c = CLASS_NORMAL; c <= CLASS_LIST; c++)
		if (strcmp(class_str((enum msg_class)c), s) == 0)
			return c;
	return -1;
}

static size_t parse_class(struct look *l, const struct conf_stmt *st,
    size_t w, struct conf_errors *ce)
{
	for (; rules_is_value(st, w); w++) {
		int c = class_of(st->word[w].s);

		if (c < 0)
			conf_error(ce, st, w, "class: expected normal, dsn, "
			    "mdn, acme, report, encrypted, signed, pgp, "
			    "calendar, auto, resent or list");
		else
			l->classes |= 1u << c;
	}
	return w;
}

size_t rules_parse_look(struct look *l, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	const struct {
		const char *word, *wanted;
		size_t (*parse)(struct look *l, const struct conf_stmt *st,
		    size_t w, struct conf_errors *ce);
		bool has; /* and may not be said again */
	} known[] = {
		{"subject", "a text", parse_subject, l->subjects > 0},
		{"header", "the name of a field and perhaps a text",
		    parse_header, false},
		{"attachment", "a type such as application/pdf or image/*",
		    parse_attachment, l->kinds > 0},
		{"size", "over and a size like 5M", parse_size, l->has_size},
		{"class", "the name of a class", parse_class,
		    l->classes != 0},
	};
	size_t next;

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!rules_word_is(st, w, known[i].word))
			continue;
		if (known[i].has)
			conf_error(ce, st, w, "%s stands in this line already",
			    known[i].word);
		next = known[i].parse(l, st, w + 1, ce);
		if (next == w + 1)
			conf_error(ce, st, w, "%s: expected %s",
			    known[i].word, known[i].wanted);
		return next;
	}
	return 0;
}

static void free_texts(char **text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(text[i]);
	free(text);
}

void look_free(struct look *l)
{
	free_texts(l->subject, l->subjects);
	free_texts(l->kind, l->kinds);
	for (size_t i = 0; i < l->headers; i++) {
		free(l->header[i].name);
		free_texts(l->header[i].text, l->header[i].texts);
	}
	free(l->header);
	memset(l, 0, sizeof(*l));
}
