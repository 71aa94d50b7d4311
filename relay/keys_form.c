/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The form of what TLS signs, so that a worker that was taken over cannot have
 * other things signed: no certificate, no mail.
 */
#include "relay/keys_int.h"

#include <string.h>

#define SPACES 64
#define RANDOMS 64
#define CLIENT_HELLO 1
#define CLIENT_KEY_EXCHANGE 16
#define NAMED_CURVE 3
#define UNCOMPRESSED 4

/* 64 blanks, words, NUL, the hash of what was said. */
static bool is_tls13(struct view v)
{
	static const char *const words[] = {
		"TLS 1.3, server CertificateVerify",
		"TLS 1.3, client CertificateVerify"
	};
	size_t i, n, head;

	for (i = 0; i < SPACES; i++)
		if (i >= v.n || v.p[i] != ' ')
			return false;
	for (i = 0; i < ARRAY_LEN(words); i++) {
		n = strlen(words[i]) + 1;
		head = SPACES + n;
		if ((v.n == head + 32 || v.n == head + 48) &&
		    memcmp(v.p + SPACES, words[i], n) == 0)
			return true;
	}
	return false;
}

static int take_u16(struct rd *r, size_t *n)
{
	uint8_t hi, lo;

	if (rd_u8(r, &hi) != 0 || rd_u8(r, &lo) != 0)
		return -1;
	*n = ((size_t)hi << 8) | lo;
	return 0;
}

/* A curve that libssl offers, and a point of its length: what would be signed
 * besides can hardly be a certificate. Groups of DH are offered nowhere. */
static bool is_point(size_t curve, struct view point)
{
	static const struct {
		size_t curve, octets; /* RFC 8422 5.1.1 */
	} known[] = { { 23, 65 }, { 24, 97 }, { 25, 133 }, { 29, 32 },
		{ 30, 56 } };
	size_t i;

	for (i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].curve == curve)
			return point.n == known[i].octets &&
			    (curve > 25 || point.p[0] == UNCOMPRESSED);
	return false;
}

static bool is_ecdhe(struct view params)
{
	struct view point;
	uint8_t type, len;
	struct rd r;
	size_t curve;

	rd_init(&r, params);
	return rd_u8(&r, &type) == 0 && type == NAMED_CURVE &&
	    take_u16(&r, &curve) == 0 && rd_u8(&r, &len) == 0 &&
	    rd_take(&r, len, &point) == 0 && rd_left(&r) == 0 &&
	    is_point(curve, point);
}

/* All messages from ClientHello to ClientKeyExchange. */
static bool is_client12(struct view v)
{
	struct view body;
	uint8_t type = 0, high;
	struct rd r;
	size_t n;

	if (v.n == 0 || v.p[0] != CLIENT_HELLO)
		return false;
	rd_init(&r, v);
	while (rd_left(&r) > 0)
		if (rd_u8(&r, &type) != 0 || rd_u8(&r, &high) != 0 ||
		    take_u16(&r, &n) != 0 ||
		    rd_take(&r, ((size_t)high << 16) | n, &body) != 0)
			return false;
	return type == CLIENT_KEY_EXCHANGE;
}

bool keys_is_handshake(struct view tbs)
{
	if (is_tls13(tbs) || is_client12(tbs))
		return true;
	return tbs.n > RANDOMS && is_ecdhe(view_sub(tbs, RANDOMS, tbs.n -
	    RANDOMS));
}
