/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lists of SMIMECapabilities, octet by octet, for tests.
 */
#ifndef TESTS_UNIT_CAPS_LIST_H
#define TESTS_UNIT_CAPS_LIST_H

#include <string.h>

#include <cmocka.h>

#include "util/buf.h"
#include "util/der.h"
#include "util/ossl.h"

/* One SMIMECapability each. */
#define CBC128 "300b0609608648016503040102"
#define CBC192 "300b0609608648016503040116"
#define CBC256 "300b060960864801650304012a"
#define GCM128 "300b0609608648016503040106"
#define GCM256 "300b060960864801650304012e"
#define DES3 "300a06082a864886f70d0307"
#define DES "300706052b0e030207"
#define RC2_128 "300e06082a864886f70d030202020080"
#define RC2_40 "300d06082a864886f70d0302020128"
#define UNKNOWN_CAP "300706052a03040506"
/* RFC 9709 5 */
#define CEK_HKDF "300d060b2a864886f70d010910031f"
#define SHA256_ALG "300d06096086480165030402010500"
#define MGF1_SHA256 "301a06092a864886f70d010108" SHA256_ALG
/* RSAES-OAEP-params with SHA-256 for both */
#define OAEP "303c06092a864886f70d010107302fa00f" SHA256_ALG "a11c"          \
	MGF1_SHA256
/* and with no parameters, which means SHA-1 */
#define OAEP_SHA1 "300d06092a864886f70d0101073000"

/* Digits to octets, appended. */
UNUSED static void put_hex(struct buf *b, const char *hex)
{
	size_t n = strlen(hex) / 2;
	unsigned char *p = buf_room(b, n);

	assert_non_null(p);
	assert_int_equal(hex_decode(p, n, hex), 0);
	b->n += n;
}

/* The list of these; holds until the fourth call after this one. */
UNUSED static struct view caps_list(const char *hex)
{
	static unsigned char mem[4][4096];
	static size_t i;
	struct der_w w;
	struct buf b;

	i = (i + 1) % 4;
	buf_init(&b, 4096);
	put_hex(&b, hex);
	der_w_init(&w, mem[i], sizeof(mem[i]));
	der_w_tlv(&w, DER_SEQUENCE, b.p, b.n);
	assert_false(w.failed);
	buf_free(&b);
	return der_w_result(&w);
}

/* A list of n octets, with AES-256-GCM in front of what nobody knows. */
UNUSED static struct view caps_long(size_t n)
{
	static unsigned char mem[4096];
	struct der_w w;
	size_t rest;

	assert_in_range(n, 300, sizeof(mem));
	rest = n - 4 - strlen(GCM256) / 2 - 4 - 5 - 4;
	der_w_init(&w, mem, sizeof(mem));
	for (size_t i = 0; i < rest; i++)
		der_w_raw(&w, "x", 1);
	der_w_wrap(&w, DER_OCTET_STRING, 0);
	der_w_raw(&w, "\x06\x03\x2a\x03\x04", 5);
	der_w_wrap(&w, DER_SEQUENCE, 0);
	der_w_raw(&w, "\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2e",
	    13);
	der_w_wrap(&w, DER_SEQUENCE, 0);
	assert_int_equal(der_w_result(&w).n, n);
	return der_w_result(&w);
}

#endif
