/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Keys of session tickets (RFC 5077, RFC 8446 4.6.1) for one set of rules of
 * a listener. Each hour has its own, and the one before is still taken. They
 * come from a chain that goes forwards only and starts with the secret of all
 * workers, so workers agree without a word, and what one holds opens nothing
 * that was sent two hours ago.
 */
#include "relay/tls_tickets.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/tls_int.h"
#include "util/ossl.h"

#define KEY 32
#define HOUR_S 3600
#define DAY_HOURS 24
#define FIRST_DAY 20400 /* since 1970: 2025-11-08; the chain starts there */
#define LAST_DAY 100000 /* beyond is no time: a clock that was never set */

struct hour_key {
	int64_t hour; /* since 1970; 0: none */
	unsigned char name[16], cipher[KEY], mac[KEY];
};

struct tls_tickets {
	EVP_CIPHER *cbc;
	int64_t day;		     /* that of the values below */
	unsigned char next_day[KEY]; /* chain value of day + 1 */
	int64_t hour;		     /* of now.hour: hours since 1970 */
	unsigned char next_hour[KEY]; /* chain value of hour + 1, same day */
	struct hour_key now, before;
};

/* to = HMAC(from, word); to may be from. */
static void derive(unsigned char to[KEY], const unsigned char from[KEY],
    const char *word)
{
	unsigned char out[KEY];
	unsigned n = KEY;

	if (HMAC(EVP_sha256(), from, KEY, (const unsigned char *)word,
	    strlen(word), out, &n) == NULL)
		ossl_random(out, KEY); /* nobody resumes then */
	memcpy(to, out, KEY);
	ossl_wipe(out, KEY);
}

static void make_key(struct hour_key *k, int64_t hour,
    const unsigned char value[KEY])
{
	unsigned char name[KEY];

	k->hour = hour;
	derive(name, value, "name");
	memcpy(k->name, name, sizeof(k->name));
	derive(k->cipher, value, "cipher");
	derive(k->mac, value, "mac");
}

static void one_day(struct tls_tickets *t)
{
	t->day++;
	t->hour = t->day * DAY_HOURS - 1;
	derive(t->next_hour, t->next_day, "hours");
	derive(t->next_day, t->next_day, "day");
}

static void one_hour(struct tls_tickets *t)
{
	if ((t->hour + 1) / DAY_HOURS > t->day)
		one_day(t);
	t->hour++;
	t->before = t->now;
	make_key(&t->now, t->hour, t->next_hour);
	derive(t->next_hour, t->next_hour, "hour");
}

void tls_tickets_at(struct tls_tickets *t, int64_t now_s)
{
	int64_t hour = now_s / HOUR_S;

	if (hour <= t->hour || hour / DAY_HOURS > LAST_DAY)
		return;
	while (t->day < (hour - 1) / DAY_HOURS)
		one_day(t);
	while (t->hour < hour)
		one_hour(t);
}

int tls_tickets_new(struct tls_tickets **out, const unsigned char secret[32],
    const char *label, struct err *e)
{
	struct tls_tickets *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "TLS tickets: out of memory");
	ossl_clear();
	t->cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (t->cbc == NULL) {
		tls_tickets_free(&t);
		return err_ossl(e, FAIL_TEMP, "TLS tickets");
	}
	t->day = FIRST_DAY;
	t->hour = FIRST_DAY * DAY_HOURS - 1;
	derive(t->next_day, secret, label);
	derive(t->next_hour, t->next_day, "hours");
	derive(t->next_day, t->next_day, "day");
	tls_tickets_at(t, (int64_t)time(NULL));
	*out = t;
	return 0;
}

void tls_tickets_free(struct tls_tickets **tp)
{
	struct tls_tickets *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	EVP_CIPHER_free(t->cbc);
	ossl_wipe(t, sizeof(*t));
	free(t);
}

static int set_mac(EVP_MAC_CTX *mac, const struct hour_key *k)
{
	unsigned char key[KEY];
	char digest[] = "SHA256";
	OSSL_PARAM p[3];
	int ok;

	memcpy(key, k->mac, KEY);
	p[0] = OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key, KEY);
	p[1] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest,
	    0);
	p[2] = OSSL_PARAM_construct_end();
	ok = EVP_MAC_CTX_set_params(mac, p);
	ossl_wipe(key, KEY);
	return ok == 1 ? 0 : -1;
}

static int seal_ticket(struct tls_tickets *t, unsigned char *name,
    unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac)
{
	if (t->now.hour == 0)
		return 0; /* no ticket then */
	memcpy(name, t->now.name, sizeof(t->now.name));
	ossl_random(iv, (size_t)EVP_CIPHER_get_iv_length(t->cbc));
	if (EVP_EncryptInit_ex2(c, t->cbc, t->now.cipher, iv, NULL) != 1 ||
	    set_mac(mac, &t->now) < 0)
		return -1;
	return 1;
}

/* 0: a full handshake; 2: and a new ticket, because this one gets old or was
 * for one use (RFC 8446 C.4). */
static int open_ticket(struct tls_tickets *t, const unsigned char *name,
    const unsigned char *iv, EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac)
{
	const struct hour_key *k = NULL;

	if (t->now.hour != 0 && ossl_same(name, t->now.name, 16))
		k = &t->now;
	else if (t->before.hour != 0 && ossl_same(name, t->before.name, 16))
		k = &t->before;
	if (k == NULL)
		return 0;
	if (EVP_DecryptInit_ex2(c, t->cbc, k->cipher, iv, NULL) != 1 ||
	    set_mac(mac, k) < 0)
		return -1;
	return k == &t->now ? 1 : 2;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
    EVP_CIPHER_CTX *c, EVP_MAC_CTX *mac, int is_new)
{
	struct tls_io *io = tls_io_of(ssl);
	struct tls_tickets *t = io == NULL || io->server == NULL ? NULL :
	    tls_server_tickets(io->server);
	int rc;

	if (t == NULL)
		return 0;
	tls_tickets_at(t, (int64_t)time(NULL));
	if (is_new)
		return seal_ticket(t, name, iv, c, mac);
	rc = open_ticket(t, name, iv, c, mac);
	return rc == 1 && SSL_version(ssl) == TLS1_3_VERSION ? 2 : rc;
}

int tls_tickets_attach(SSL_CTX *ctx, struct err *e)
{
	if (SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
		return err_ossl(e, FAIL_TEMP, "TLS tickets");
	SSL_CTX_set_timeout(ctx, HOUR_S);
	return 0;
}
