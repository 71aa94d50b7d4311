/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal.conf: quarantine { }, language, texts.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/config_int.h"
#include "gateway/texts.h"

#define DAY ((int64_t)86400)

/* ---- quarantine { } ---- */

static void set_size(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	(void)!conf_size(ce, st, 1, 1u << 20, (uint64_t)1 << 40,
	    &c->quarantine.size);
}

static void set_keep(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	(void)!conf_time(ce, st, 1, 3600, 3650 * DAY, &c->quarantine.keep_s);
}

static void set_notify_sender(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_yes_no(&c->quarantine.notify_sender, st, ce);
}

static void set_notify(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	config_notice_address(&c->quarantine.notify, st, ce);
}

static const struct config_key quarantine_key[] = {
	{"size", 1, 1, "SIZE", false, false, false, set_size},
	{"keep", 1, 1, "TIME", false, false, false, set_keep},
	{"notify-sender", 1, 1, "yes or no", false, false, false,
	    set_notify_sender},
	{"notify", 1, 1, "ADDRESS", false, false, false, set_notify},
};

void config_quarantine_defaults(struct config *c)
{
	c->quarantine.size = (uint64_t)1 << 30;
	c->quarantine.keep_s = 30 * DAY;
	c->quarantine.notify_sender = true;
}

void config_quarantine(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	c->quarantine.is_set = true;
	config_walk(c, quarantine_key, ARRAY_LEN(quarantine_key), st->sub,
	    st->subs, ce);
}

/* ---- language, texts ---- */

/* It names a file. */
static int read_language(char dst[16], const struct conf_stmt *st,
    struct conf_errors *ce)
{
	const char *s = st->word[1].s;
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz-");

	if (n < 2 || n > 15 || s[n] != '\0' || s[0] == '-') {
		conf_error(ce, st, 1, "language: expected a tag of small "
		    "letters like de (RFC 5646), found %s", s);
		return -1;
	}
	memcpy(dst, s, n + 1);
	return 0;
}

static void add_for(struct config *c, const char *name, size_t w,
    const struct conf_stmt *st, struct conf_errors *ce)
{
	struct language_for *l;
	void *a = c->language_for;
	char *who = config_who(st, w, ce);

	if (who == NULL)
		return;
	l = conf_grow(&a, &c->language_fors, sizeof(*l), st, ce);
	c->language_for = a;
	if (l == NULL) {
		free(who);
		return;
	}
	l->who = who;
	text_set(l->name, sizeof(l->name), name);
}

void config_language(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	char name[16];

	if (read_language(name, st, ce) != 0)
		return;
	if (st->words == 2 && c->language[0] != '\0') {
		conf_error(ce, st, 1, "language: %s already is the language "
		    "of who has none of his own", c->language);
		return;
	}
	if (st->words == 2) {
		text_set(c->language, sizeof(c->language), name);
		return;
	}
	if (st->words == 3 || strcmp(st->word[2].s, "for") != 0) {
		conf_error(ce, st, 2, "language: expected for "
		    "ADDRESS|@DOMAIN ..., found %s", st->word[2].s);
		return;
	}
	for (size_t w = 3; w < st->words; w++)
		add_for(c, name, w, st, ce);
}

void config_texts(struct config *c, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	conf_path(&c->texts, st, 1, ce);
}

/* ---- all of them ---- */

void config_quarantine_free(struct config *c)
{
	texts_unload(c);
	for (size_t i = 0; i < c->language_fors; i++)
		free(c->language_for[i].who);
	free(c->language_for);
	free(c->texts);
	free(c->quarantine.notify);
}

void config_print_quarantine(const struct config *c, struct buf *out)
{
	const struct quarantine_config *q = &c->quarantine;

	buf_printf(out, "language %s\n", c->language);
	for (size_t i = 0; i < c->language_fors; i++)
		buf_printf(out, "language %s for %s\n",
		    c->language_for[i].name, c->language_for[i].who);
	if (c->texts != NULL)
		buf_printf(out, "texts %s\n", c->texts);
	if (!q->is_set)
		return;
	buf_printf(out, "quarantine.size %llu\nquarantine.keep %llds\n"
	    "quarantine.notify-sender %s\n", (unsigned long long)q->size,
	    (long long)q->keep_s, q->notify_sender ? "yes" : "no");
	if (q->notify != NULL)
		buf_printf(out, "quarantine.notify %s\n", q->notify);
}

void config_warn_quarantine(const struct config *c,
    void (*say)(const char *sentence))
{
	texts_warn(c, say);
	if (c->quarantine.is_set && c->reinject == NULL)
		say("quarantine without reinject in milter { }: to release "
		    "what is held takes --via");
	if (c->quarantine.is_set && c->notice_via == NULL)
		say("quarantine without notices: nobody is told by mail of "
		    "what is held, nor of what was held too long and is "
		    "removed");
}
