/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a list is called: by the words of a statement, and by one name in
 * the store.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch/ldap_text.h"
#include "gateway/config_int.h"
#include "gateway/lists.h"

static const char *const kind_name[] = {
	[LIST_GROUP] = "group",
	[LIST_ADDRESS_MAP] = "address-map",
	[LIST_AUTHORITY] = "authority",
};

const char *list_kind_str(enum list_kind k)
{
	return (size_t)k < ARRAY_LEN(kind_name) ? kind_name[k] : "?";
}

void list_source_free(struct list_source *s)
{
	free(s->directory);
	free(s->filter);
	free(s->what);
	free(s->value);
	memset(s, 0, sizeof(*s));
}

/* ---- one name ---- */

void lists_name(const struct list_source *s, char dst[LIST_NAME_SIZE])
{
	struct buf b;

	buf_init(&b, LIST_NAME_SIZE);
	buf_printf(&b, "%s %s %s %s %s", list_kind_str(s->kind),
	    s->directory, s->what, s->value == NULL ? "-" : s->value,
	    s->filter);
	text_set(dst, LIST_NAME_SIZE, buf_str(&b));
	buf_free(&b);
}

static int bad_name(struct err *e)
{
	return err_set(e, FAIL_INPUT, "list: malformed name");
}

/* The word before the next blank, which is stepped over. */
static int take_word(const char **s, struct view *out)
{
	const char *blank = strchr(*s, ' ');

	if (blank == NULL || blank == *s)
		return -1;
	*out = view_make(*s, (size_t)(blank - *s));
	*s = blank + 1;
	return 0;
}

static int read_kind(struct view word, enum list_kind *kind)
{
	for (size_t i = 0; i < ARRAY_LEN(kind_name); i++)
		if (view_eq(word, view_of(kind_name[i]))) {
			*kind = (enum list_kind)i;
			return 0;
		}
	return -1;
}

/* RFC 4512 2.5: a description, with options. Passwords are no list. */
static bool is_attribute(struct view v)
{
	static const char set[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;";

	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] == '\0' || strchr(set, v.p[i]) == NULL)
			return false;
	return v.n > 0 && v.n < LIST_WORD_MAX &&
	    !view_istarts(v, "userPassword");
}

int lists_name_read(struct list_source *out, const char *name, struct err *e)
{
	struct view kind, directory, what, value;
	bool has_value;

	memset(out, 0, sizeof(*out));
	if (take_word(&name, &kind) != 0 || take_word(&name, &directory) != 0
	    || take_word(&name, &what) != 0 || take_word(&name, &value) != 0
	    || read_kind(kind, &out->kind) != 0 || !is_attribute(what))
		return bad_name(e);
	has_value = !view_eq(value, view_of("-"));
	if (has_value != (out->kind != LIST_GROUP) ||
	    (has_value && !is_attribute(value)) ||
	    ldap_filter_check_list(name, NULL) != 0)
		return bad_name(e);
	out->directory = view_strdup(directory);
	out->what = view_strdup(what);
	out->value = has_value ? view_strdup(value) : NULL;
	out->filter = strdup(name);
	if (out->directory != NULL && out->what != NULL &&
	    out->filter != NULL && (!has_value || out->value != NULL))
		return 0;
	list_source_free(out);
	return err_set(e, FAIL_TEMP, "list: out of memory");
}

/* ---- the words of a statement ---- */

struct shape_of_list {
	const char *what, *value; /* words before attributes; NULL none */
	const char *expected;
};

static const struct shape_of_list shape[] = {
	[LIST_GROUP] = {"address", NULL,
	    "ldap DIRECTORY \"FILTER\" [address ATTRIBUTE]"},
	[LIST_ADDRESS_MAP] = {"address", "opens-with",
	    "ldap DIRECTORY \"FILTER\" address ATTRIBUTE opens-with "
	    "ATTRIBUTE"},
	[LIST_AUTHORITY] = {"login", "address",
	    "ldap DIRECTORY \"FILTER\" login ATTRIBUTE address ATTRIBUTE"},
};

bool lists_directory_name_is_sane(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");

	return n > 0 && n < LIST_WORD_MAX && s[n] == '\0';
}

static int set_attribute(char **out, const char *word,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	if (strcmp(st->word[w].s, word) != 0) {
		conf_error(ce, st, w, "expected %s ATTRIBUTE, found %s", word,
		    st->word[w].s);
		return -1;
	}
	if (!is_attribute(view_of(st->word[w + 1].s))) {
		conf_error(ce, st, w + 1, "%s: expected the name of an "
		    "attribute such as mail (RFC 4512 2.5), found %s", word,
		    st->word[w + 1].s);
		return -1;
	}
	conf_string(out, st, w + 1, ce);
	return *out == NULL ? -1 : 0;
}

static int set_attributes(struct list_source *out,
    const struct shape_of_list *sh, const struct conf_stmt *st, size_t w,
    struct conf_errors *ce)
{
	size_t words = sh->value == NULL ? 2 : 4;

	if (st->words == w && sh->value == NULL) {
		out->what = strdup("mail");
		return out->what == NULL ? -1 : 0;
	}
	if (st->words != w + words) {
		conf_error(ce, st, w < st->words ? w : 0, "expected %s",
		    sh->expected);
		return -1;
	}
	if (set_attribute(&out->what, sh->what, st, w, ce) != 0)
		return -1;
	return sh->value == NULL ? 0
	    : set_attribute(&out->value, sh->value, st, w + 2, ce);
}

int lists_words(struct list_source *out, enum list_kind kind,
    const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	const struct shape_of_list *sh = &shape[kind];
	struct err e = {0};

	memset(out, 0, sizeof(*out));
	out->kind = kind;
	if (st->words < w + 2) {
		conf_error(ce, st, 0, "expected %s", sh->expected);
		return -1;
	}
	if (!lists_directory_name_is_sane(st->word[w].s)) {
		conf_error(ce, st, w, "expected the name of a directory { }, "
		    "found %s", st->word[w].s);
		return -1;
	}
	if (ldap_filter_check_list(st->word[w + 1].s, &e) != 0) {
		conf_error(ce, st, w + 1, "%s", e.msg);
		return -1;
	}
	conf_string(&out->directory, st, w, ce);
	conf_string(&out->filter, st, w + 1, ce);
	if (out->directory != NULL && out->filter != NULL &&
	    set_attributes(out, sh, st, w + 2, ce) == 0)
		return 0;
	list_source_free(out);
	return -1;
}
