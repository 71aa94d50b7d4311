/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A fixed number of places: who comes to one that is taken has it. Somebody
 * who makes keys collide makes only work, for himself and the policy process.
 */
#include "relay/kept.h"

#include <stdlib.h>

#include "util/addr.h"
#include "util/hash.h"
#include "util/proc.h"

struct place {
	struct buf key, reply;
	int64_t until_ms;
};

struct kept {
	bool by_sender; /* some line or certificate is for some senders */
	struct place place[KEPT_PLACES];
};

static bool is_by_sender(const struct relay_config *c)
{
	size_t i;

	for (i = 0; i < c->rules.n; i++)
		if (c->rules.rule[i].from != NULL)
			return true;
	return c->sender_certs > 0;
}

int kept_new(struct kept **out, const struct relay_config *c, struct err *e)
{
	struct kept *k = calloc(1, sizeof(*k));
	size_t i;

	*out = k;
	if (k == NULL)
		return err_set(e, FAIL_TEMP, "routes: out of memory");
	k->by_sender = is_by_sender(c);
	for (i = 0; i < KEPT_PLACES; i++) {
		buf_init(&k->place[i].key, KEPT_REPLY);
		buf_init(&k->place[i].reply, KEPT_REPLY);
	}
	return 0;
}

void kept_free(struct kept **k)
{
	size_t i;

	for (i = 0; *k != NULL && i < KEPT_PLACES; i++) {
		buf_free(&(*k)->place[i].key);
		buf_free(&(*k)->place[i].reply);
	}
	free(*k);
	*k = NULL;
}

int kept_key(const struct kept *k, const struct route_query *q,
    struct buf *key)
{
	struct addr a;

	/* of the local part the policy asks only whether it is one */
	if (addr_parse(&a, view_of(q->rcpt), NULL) != 0)
		return -1;
	ipc_put_str(key, q->route);
	ipc_put_str(key, addr_domain(&a));
	ipc_put_str(key, k->by_sender ? q->from : "");
	ipc_put_u8(key, q->require_tls);
	ipc_put_u8(key, q->tls_optional);
	ipc_put_u8(key, q->verified);
	return buf_ok(key, NULL);
}

static size_t place_of(struct view key)
{
	return hash_view(HASH_START, key) % KEPT_PLACES;
}

bool kept_find(const struct kept *k, struct view key, int64_t now_ms,
    struct view *reply)
{
	const struct place *at = &k->place[place_of(key)];

	*reply = buf_view(&at->reply);
	return now_ms < at->until_ms && view_eq(buf_view(&at->key), key);
}

/* Does it let mail go, to every host that it names? */
static bool is_good(const struct route *r)
{
	size_t i;

	for (i = 0; i < r->hosts; i++)
		if (r->host[i].is_barred)
			return false;
	return r->code == 0;
}

void kept_put(struct kept *k, struct view key, const struct route *r,
    struct view reply, int64_t now_ms)
{
	struct place *at = &k->place[place_of(key)];

	if (!is_good(r) || reply.n > KEPT_REPLY)
		return;
	buf_clear(&at->key);
	buf_clear(&at->reply);
	buf_putv(&at->key, key);
	buf_putv(&at->reply, reply);
	at->until_ms = at->key.failed || at->reply.failed ? 0 :
	    now_ms + KEPT_MS;
}
