/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A shared mailbox: what is stored in it is sealed for everybody who may open
 * its mail.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/address_map.h"
#include "gateway/gateway_int.h"

#define OWNERS_MAX 100 /* of one mailbox; the rest is left out */

struct gathering {
	struct txn *t;
	struct txn_rcpt *r;
	struct verdict_rcpt *said;
};

void store_owners_free(struct txn_rcpt *r)
{
	for (size_t i = 0; i < r->mores; i++)
		cert_free(&r->more[i]);
	free(r->more);
	r->more = NULL;
	r->mores = 0;
}

static bool is_there(const struct txn_rcpt *r, const struct cert *c)
{
	if (r->cert != NULL &&
	    memcmp(cert_sha256(r->cert), cert_sha256(c), 32) == 0)
		return true;
	for (size_t i = 0; i < r->mores; i++)
		if (memcmp(cert_sha256(r->more[i]), cert_sha256(c), 32) == 0)
			return true;
	return false;
}

static int keep(struct gathering *g, struct cert *c, struct err *e)
{
	struct txn_rcpt *r = g->r;
	struct cert **more;

	if (is_there(r, c) || r->mores == OWNERS_MAX)
		return 0;
	if (plan_note_cert(g->said, c, e) != 0)
		return -1;
	if (r->cert == NULL) {
		r->cert = cert_ref(c);
		g->said->reason[0] = '\0';
		return 0;
	}
	more = reallocarray(r->more, r->mores + 1, sizeof(*more));
	if (more == NULL)
		return err_set(e, FAIL_TEMP, "store: out of memory");
	r->more = more;
	r->more[r->mores++] = cert_ref(c);
	return 0;
}

static int choose(void *arg, const struct addr *who, enum opens_by by,
    struct err *e)
{
	static const unsigned use[] = {KS_STORAGE, KS_ENCRYPT};
	struct gathering *g = arg;
	bool found = false;

	if (by == OPENS_BY_OWN)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(use) && !found; i++) {
		struct selection s = {0};
		int rc;

		if (keystore_select(g->t->g->ks, who, use[i], g->t->now, &s,
		    e) != 0)
			return -1;
		found = s.cert != NULL;
		rc = found ? keep(g, s.cert, e) : 0;
		selection_free(&s);
		if (rc != 0)
			return -1;
	}
	return 0;
}

int store_owners(struct txn *t, size_t i, struct err *e)
{
	const struct list_reader lists = list_reader_of_store(t->g->ks);
	const struct map_query q = {t->g->config, &lists, &t->rcpt[i].addr};
	struct gathering g = {t, &t->rcpt[i], &t->v->rcpt[i]};
	bool unknown = false;

	store_owners_free(&t->rcpt[i]);
	if (t->rcpt[i].form != RCPT_ADDRESS)
		return 0;
	if (address_map_each(&q, choose, &g, &unknown, e) != 0)
		return -1;
	if (unknown && t->rcpt[i].cert == NULL)
		return err_set(e, FAIL_TEMP, "store: address-map: a directory "
		    "was never reached");
	return 0;
}
