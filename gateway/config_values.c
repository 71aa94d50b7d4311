/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The table of statements, and the one kind of value that is ours.
 */
#include "gateway/config_int.h"

#include <stdlib.h>
#include <string.h>

#include "util/log.h"

struct walk {
	struct config *c;
	const struct config_key *key;
};

static void call(void *arg, size_t i, const struct conf_stmt *st,
    struct conf_errors *ce)
{
	struct walk *w = arg;

	w->key[i].set(w->c, st, ce);
}

void config_walk(struct config *c, const struct config_key *key, size_t keys,
    const struct conf_stmt *st, size_t n, struct conf_errors *ce)
{
	struct conf_key k[CONF_KEYS_MAX];
	struct walk w = {c, key};
	struct conf_table t = {k, keys, c->path, 1, call, &w};

	if (keys > CONF_KEYS_MAX)
		log_bug("config_walk: %zu keys", keys);
	for (size_t i = 0; i < keys; i++)
		k[i] = (struct conf_key){key[i].word, key[i].min, key[i].max,
		    key[i].expected, key[i].block, key[i].many,
		    key[i].required, NULL};
	conf_walk(&t, st, n, ce);
}

char *config_who(const struct conf_stmt *st, size_t w, struct conf_errors *ce)
{
	const char *raw = st->word[w].s;
	struct err e = {0};
	char dst[sizeof(((struct addr *)0)->text)] = "@";
	struct addr a;
	char *s;
	int rc;

	if (raw[0] == '@') {
		rc = addr_domain_parse(dst + 1, sizeof(dst) - 1,
		    view_of(raw + 1), &e);
	} else {
		rc = addr_parse(&a, view_of(raw), &e);
		if (rc == 0)
			addr_key(&a, dst);
	}
	if (rc != 0) {
		conf_error(ce, st, w, "expected ADDRESS or @DOMAIN: %s",
		    e.msg);
		return NULL;
	}
	s = strdup(dst);
	if (s == NULL)
		conf_error(ce, st, w, "out of memory");
	return s;
}
