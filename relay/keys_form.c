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

static bool is_ecdhe(struct view params)
{
	struct view point;
	uint8_t type, len;
	struct rd r;
	size_t curve;

	rd_init(&r, params);
	return rd_u8(&r, &type) == 0 && type == NAMED_CURVE &&
	    take_u16(&r, &curve) == 0 && rd_u8(&r, &len) == 0 && len > 0 &&
	    rd_take(&r, len, &point) == 0 && rd_left(&r) == 0;
}

static bool is_dhe(struct view params)
{
	struct view number;
	struct rd r;
	size_t n;
	int i;

	rd_init(&r, params);
	for (i = 0; i < 3; i++)
		if (take_u16(&r, &n) != 0 || n == 0 ||
		    rd_take(&r, n, &number) != 0)
			return false;
	return rd_left(&r) == 0;
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
	struct view params;

	if (is_tls13(tbs) || is_client12(tbs))
		return true;
	if (tbs.n <= RANDOMS)
		return false;
	params = view_sub(tbs, RANDOMS, tbs.n - RANDOMS);
	return is_ecdhe(params) || is_dhe(params);
}
