/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * EnvelopedData by hand, with RecipientInfos that the test makes.
 */
#ifndef TESTS_UNIT_SMIME_ENVELOPED_H
#define TESTS_UNIT_SMIME_ENVELOPED_H

#include "smime/oid.h"
#include "smime_help.h"

static UNUSED void put_oid(struct buf *b, enum oid o)
{
	put_tlv(b, DER_OID, oid_view(o));
}

/* ContentInfo of this type around what is in b. */
static UNUSED void finish(struct buf *b, enum oid type)
{
	struct buf t;

	buf_init(&t, BIG);
	wrap_buf(b, DER_SEQUENCE);
	wrap_buf(b, DER_CTX0);
	put_oid(&t, type);
	buf_putv(&t, buf_view(b));
	buf_clear(b);
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	buf_free(&t);
}

static UNUSED void put_alg(struct buf *b, enum oid o, struct view param)
{
	struct buf t;

	buf_init(&t, 1024);
	put_oid(&t, o);
	buf_putv(&t, param);
	put_tlv(b, DER_SEQUENCE, buf_view(&t));
	buf_free(&t);
}

static UNUSED const struct view iv16 = { (const unsigned char *)
    "\x04\x10" "0123456789abcdef", 18 };

/* EnvelopedData with these RecipientInfos. */
static UNUSED void make_enveloped(struct buf *b, struct view ris)
{
	struct buf eci;

	buf_init(&eci, BIG);
	buf_clear(b);
	put_tlv(b, DER_INTEGER, view_make("\2", 1));
	put_tlv(b, DER_SET, ris);
	put_oid(&eci, OID_DATA);
	put_alg(&eci, OID_AES256_CBC, iv16);
	put_tlv(&eci, DER_CTX0_PRIM, view_of("0123456789abcdef"));
	put_tlv(b, DER_SEQUENCE, buf_view(&eci));
	finish(b, OID_ENVELOPED_DATA);
	buf_free(&eci);
}

static UNUSED int read_enveloped(struct view ris, struct cms **c, struct err *e)
{
	struct buf b;
	int r;

	buf_init(&b, BIG);
	make_enveloped(&b, ris);
	r = read_der(c, buf_view(&b), e);
	buf_free(&b);
	return r;
}

#endif
