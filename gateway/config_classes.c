/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The block classes { } of postseal.conf: what is done with messages of a
 * class where no rule says that they must be signed or encrypted.
 */
#include "gateway/config_int.h"

#include <string.h>

#include "gateway/verdict.h"

static const char *const word_name[] = {
	[DO_PASS] = "pass",	     [DO_SIGN] = "sign",
	[DO_ENCRYPT] = "encrypt", [DO_LIKE_OTHERS] = "normal",
	[DO_HEADERS] = "headers", [DO_ACCEPT] = "accept",
};

#define BIT(w) (1u << (w))

/* What each class may be given; the first one is the default (S43). */
static const struct {
	enum msg_class c;
	enum class_word usual;
	unsigned may; /* bits */
} table[] = {
	{CLASS_DSN, DO_PASS, BIT(DO_PASS) | BIT(DO_HEADERS)},
	{CLASS_MDN, DO_PASS, BIT(DO_PASS) | BIT(DO_SIGN)},
	{CLASS_ACME, DO_PASS, BIT(DO_PASS) | BIT(DO_LIKE_OTHERS)},
	{CLASS_REPORT, DO_PASS, BIT(DO_PASS) | BIT(DO_LIKE_OTHERS)},
	{CLASS_SIGNED, DO_ENCRYPT, BIT(DO_PASS) | BIT(DO_ENCRYPT)},
	{CLASS_PGP, DO_PASS, BIT(DO_PASS) | BIT(DO_ACCEPT)},
	{CLASS_CALENDAR, DO_PASS, BIT(DO_PASS) | BIT(DO_SIGN) |
	    BIT(DO_LIKE_OTHERS)},
	{CLASS_AUTO, DO_LIKE_OTHERS, BIT(DO_PASS) | BIT(DO_SIGN) |
	    BIT(DO_LIKE_OTHERS)},
	{CLASS_RESENT, DO_ENCRYPT, BIT(DO_PASS) | BIT(DO_ENCRYPT) |
	    BIT(DO_LIKE_OTHERS)},
	{CLASS_LIST, DO_LIKE_OTHERS, BIT(DO_PASS) | BIT(DO_SIGN) |
	    BIT(DO_LIKE_OTHERS)},
};

void config_classes_defaults(struct config *c)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		c->class_word[table[i].c] = (unsigned char)table[i].usual;
}

static void say_expected(const struct conf_stmt *st, unsigned may,
    struct conf_errors *ce)
{
	struct buf b;

	buf_init(&b, 200);
	for (unsigned w = 0; w < ARRAY_LEN(word_name); w++)
		if ((may & BIT(w)) != 0)
			buf_printf(&b, "%s%s", b.n == 0 ? "" : " or ",
			    word_name[w]);
	conf_error(ce, st, 1, "%s: expected %s, found %s", st->word[0].s,
	    buf_str(&b), st->word[1].s);
	buf_free(&b);
}

static void set_class(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (strcmp(class_str(table[i].c), st->word[0].s) != 0)
			continue;
		for (unsigned w = 0; w < ARRAY_LEN(word_name); w++)
			if ((table[i].may & BIT(w)) != 0 &&
			    strcmp(word_name[w], st->word[1].s) == 0) {
				c->class_word[table[i].c] = (unsigned char)w;
				return;
			}
		say_expected(st, table[i].may, ce);
		return;
	}
}

#define ROW(name, words)                                                  \
	{                                                                 \
		name, 1, 1, words, false, false, false, set_class         \
	}
static const struct config_key classes_key[] = {
	ROW("dsn", "pass or headers"),
	ROW("mdn", "pass or sign"),
	ROW("acme", "pass or normal"),
	ROW("report", "pass or normal"),
	ROW("signed", "pass or encrypt"),
	ROW("pgp", "pass or accept"),
	ROW("calendar", "pass, sign or normal"),
	ROW("auto", "pass, sign or normal"),
	ROW("resent", "pass, encrypt or normal"),
	ROW("list", "pass, sign or normal"),
};

void config_classes(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	config_walk(c, classes_key, ARRAY_LEN(classes_key), st->sub, st->subs,
	    ce);
}

void config_print_classes(const struct config *c, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		buf_printf(out, "classes.%s %s\n", class_str(table[i].c),
		    word_name[c->class_word[table[i].c]]);
}

void config_warn_classes(const struct config *c,
    void (*say)(const char *sentence))
{
	if (c->class_word[CLASS_PGP] == DO_ACCEPT)
		say("classes pgp accept: what is encrypted with PGP goes where "
		    "rules say encrypt, and nobody here knows for whom it is");
}
