/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Values in configuration: sizes, times, numbers, networks.
 */
#include "util/conf.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

struct unit {
	char name; /* 0: none */
	uint64_t factor;
};

static const struct unit sizes[] = {
	{ '\0', 1 }, { 'K', 1u << 10 }, { 'M', 1u << 20 }, { 'G', 1u << 30 },
};
static const struct unit times[] = {
	{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
};

/* Digits at the start of s: their number, -1 for none or an overflow. */
static int read_digits(const char *s, uint64_t *x, const char **end)
{
	uint64_t y = 0, digit;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		digit = (uint64_t)(*s - '0');
		if (y > (UINT64_MAX - digit) / 10)
			return -1;
		y = y * 10 + digit;
	}
	*x = y;
	*end = s;
	return 0;
}

/* Number with a unit of the list. */
static int read_units(const char *s, const struct unit *u, size_t n,
    uint64_t *x)
{
	const char *end;
	uint64_t y;
	size_t i;

	if (read_digits(s, &y, &end) != 0)
		return -1;
	if (end[0] != '\0' && end[1] != '\0')
		return -1;
	for (i = 0; i < n; i++) {
		if (u[i].name != end[0])
			continue;
		if (y > UINT64_MAX / u[i].factor)
			return -1;
		*x = y * u[i].factor;
		return 0;
	}
	return -1;
}

/* The word, or NULL and an error when there is none. */
static const char *word_at(struct conf_errors *ce, const struct conf_stmt *st,
    size_t w, const char *what)
{
	if (w < st->words)
		return st->word[w].s;
	conf_error(ce, st, w, "%s: wanted %s", st->word[0].s, what);
	return NULL;
}

int conf_size(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    uint64_t min, uint64_t max, uint64_t *out)
{
	const char *s = word_at(ce, st, w, "a size like 40M");
	uint64_t x;

	if (s == NULL)
		return -1;
	if (read_units(s, sizes, ARRAY_LEN(sizes), &x) != 0) {
		conf_error(ce, st, w, "\"%s\": wanted a size like 512, 40K, "
		    "40M or 2G", s);
		return -1;
	}
	if (x < min || x > max) {
		conf_error(ce, st, w, "\"%s\": wanted a size from %" PRIu64
		    " to %" PRIu64 " octets", s, min, max);
		return -1;
	}
	*out = x;
	return 0;
}

int conf_time(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    int64_t min, int64_t max, int64_t *out)
{
	const char *s = word_at(ce, st, w, "a time like 30s");
	uint64_t x;

	if (s == NULL)
		return -1;
	if (read_units(s, times, ARRAY_LEN(times), &x) != 0 ||
	    x > INT64_MAX) {
		conf_error(ce, st, w, "\"%s\": wanted a time like 30s, 5m, "
		    "2h or 30d", s);
		return -1;
	}
	if ((int64_t)x < min || (int64_t)x > max) {
		conf_error(ce, st, w, "\"%s\": wanted a time from %" PRId64
		    " to %" PRId64 " seconds", s, min, max);
		return -1;
	}
	*out = (int64_t)x;
	return 0;
}

int conf_int(struct conf_errors *ce, const struct conf_stmt *st, size_t w,
    int64_t min, int64_t max, int64_t *out)
{
	const char *s = word_at(ce, st, w, "a number");
	const char *end = NULL;
	uint64_t x = 0;
	int64_t y;

	if (s == NULL)
		return -1;
	if (read_digits(s[0] == '-' ? s + 1 : s, &x, &end) != 0 ||
	    *end != '\0' || x > INT64_MAX) {
		conf_error(ce, st, w, "\"%s\": wanted a number", s);
		return -1;
	}
	y = s[0] == '-' ? -(int64_t)x : (int64_t)x;
	if (y < min || y > max) {
		conf_error(ce, st, w, "\"%s\": wanted a number from %" PRId64
		    " to %" PRId64, s, min, max);
		return -1;
	}
	*out = y;
	return 0;
}

/* An address as 16 octets; *v4 tells which it was. */
static int read_ip(const char *text, unsigned char ip[16], bool *v4)
{
	static const unsigned char mapped[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
	};

	*v4 = inet_pton(AF_INET, text, ip + 12) == 1;
	if (*v4) {
		memcpy(ip, mapped, sizeof(mapped));
		return 0;
	}
	return inet_pton(AF_INET6, text, ip) == 1 ? 0 : -1;
}

/* Is the bit with this number, from the most significant one, set? */
static bool bit_is_set(const unsigned char ip[16], int bit)
{
	return (ip[bit / 8] & (0x80u >> (bit % 8))) != 0;
}

static int read_bits(const char *s, bool v4, int *bits)
{
	uint64_t x;
	const char *end;
	uint64_t max = v4 ? 32 : 128;

	if (read_digits(s, &x, &end) != 0 || *end != '\0' || x > max ||
	    (s[0] == '0' && s[1] != '\0'))
		return -1;
	*bits = (int)x + (v4 ? 96 : 0);
	return 0;
}

int net_parse(struct net *n, const char *text, struct err *e)
{
	char q[ERR_QUOTED], ip[64];
	struct view v = view_of(text);
	size_t slash = view_chr(v, '/', 0);
	int bits = 128, i;
	bool v4;

	memset(n, 0, sizeof(*n));
	err_quote(q, sizeof(q), v.p, v.n);
	if (view_cstr(view_sub(v, 0, slash), ip, sizeof(ip)) != 0 ||
	    read_ip(ip, n->ip, &v4) != 0)
		return err_set(e, FAIL_INPUT, "network \"%s\": wanted an IPv4 "
		    "or IPv6 address", q);
	if (slash != (size_t)-1 && read_bits(text + slash + 1, v4, &bits) != 0)
		return err_set(e, FAIL_INPUT, "network \"%s\": wanted 0 to %d "
		    "bits after the slash", q, v4 ? 32 : 128);
	for (i = bits; i < 128; i++)
		if (bit_is_set(n->ip, i))
			return err_set(e, FAIL_INPUT, "network \"%s\": bits "
			    "are set beyond its %d", q, v4 ? bits - 96 : bits);
	n->bits = bits;
	return 0;
}

bool net_has(const struct net *n, const char *ip)
{
	unsigned char x[16];
	int whole = n->bits / 8, rest = n->bits % 8;
	bool v4;

	if (ip == NULL)
		return false;
	if (strncasecmp(ip, "IPv6:", 5) == 0)
		ip += 5;
	if (read_ip(ip, x, &v4) != 0)
		return false;
	if (memcmp(n->ip, x, (size_t)whole) != 0)
		return false;
	return rest == 0 ||
	    ((n->ip[whole] ^ x[whole]) & (0xff00u >> rest) & 0xff) == 0;
}
