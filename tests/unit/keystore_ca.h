/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For the tests of the small CA: a store that has one, as the command makes
 * it, but for the passphrase.
 */
#ifndef KEYSTORE_CA_TEST_H
#define KEYSTORE_CA_TEST_H

#include "tests/unit/keystore_util.h"

#include <time.h>

struct office {
	struct place p;
	struct keystore *ks;
	struct ca *ca;
};

static const char *const office_permit[] = { "@example.com" };

static UNUSED void office_open(struct office *o, const char *passphrase)
{
	ca_close(&o->ca);
	must(ca_open(&o->ca, o->ks, secret_view(), passphrase, e));
}

static UNUSED void office_make(struct office *o)
{
	const struct ca_options opt = { .name = "Office",
	    .permit = office_permit, .permit_n = 1,
	    .crl_url = "http://pki.example.com/ca.crl" };

	memset(o, 0, sizeof(*o));
	o->ks = store_make(&o->p);
	must(ca_create(o->ks, secret_view(), NULL, &opt, e));
	office_open(o, NULL);
}

static UNUSED void office_end(struct office *o)
{
	ca_close(&o->ca);
	store_clear(&o->p, &o->ks);
}

static UNUSED struct ca_request mail_request(const char *email)
{
	struct ca_request rq = { .algorithm = "ec:p256",
	    .use = KS_SIGN | KS_ENCRYPT };

	rq.email = address(email);
	return rq;
}

static UNUSED struct cert *mail_cert(struct office *o, const char *email)
{
	struct ca_request rq = mail_request(email);
	struct cert *c = NULL;

	must(ca_certify(o->ca, &rq, &c, e));
	return c;
}

static UNUSED int64_t now_s(void)
{
	return (int64_t)time(NULL);
}

/* What the last call that must fail said. */
static char why[512];

#define refused(call, kind_wanted, text)                                   \
	do {                                                              \
		struct err refused_e = { 0 };                             \
		struct err *e = &refused_e;                               \
		assert_int_equal((call), -1);                             \
		text_set(why, sizeof(why), e->msg);                       \
		if (e->kind != (kind_wanted) ||                           \
		    strstr(why, (text)) == NULL)                          \
			fail_msg("%s: kind %d: %s", #call, e->kind, why); \
	} while (0)

#endif
