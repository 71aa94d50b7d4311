/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS to others: a context for each kind of want, client certificates, and
 * sessions kept for the next connection that wants exactly the same of the
 * same host. Who the peer is, is judged by smtp/tls_verify.c, each time.
 */
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "relay/keys.h"
#include "relay/tls_int.h"
#include "smtp/tls_verify.h"
#include "util/log.h"
#include "util/ossl.h"

#define CONTEXTS 256 /* beyond: the one that was used longest ago goes */
#define SETS 64	     /* of kept sessions, by key */
#define WAYS 4
#define KEPT_S 3600

struct ca_store {
	char name[64]; /* "": the system's */
	X509_STORE *store;
};

struct own_cert {
	char name[64];
	SSL_CTX *ctx; /* holds certificate, chain and key */
};

struct kind {
	unsigned char key[32];
	SSL_CTX *ctx;
	uint64_t used;
};

struct kept {
	unsigned char key[32];
	SSL_SESSION *session; /* NULL: free */
	int64_t since;
};

struct tls_clients {
	struct ca_store *store;
	size_t stores;
	struct own_cert *own;
	size_t owns;
	struct kind *kind;
	size_t kinds;
	uint64_t clock;
	struct kept kept[SETS][WAYS];
};

struct tls_client_side {
	struct tls_clients *c;
	unsigned char key[32]; /* of kept sessions */
	struct tls_want *want; /* ours; large, so only for the handshake */
	SSL_SESSION *new;      /* came before the peer was judged */
	int64_t since;	       /* of the session that is used again */
	bool is_good;
	struct tls_got got;
};

/* ---- CAs and certificates of our own, read at the start ---- */

static int add_store(struct tls_clients *t, const char *name,
    X509_STORE *take_store, struct err *e)
{
	struct ca_store *bigger = realloc(t->store,
	    (t->stores + 1) * sizeof(*bigger));

	if (bigger == NULL) {
		X509_STORE_free(take_store);
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	}
	t->store = bigger;
	text_set(bigger[t->stores].name, sizeof(bigger->name), name);
	bigger[t->stores++].store = take_store;
	return 0;
}

/* Without any CA nobody is verified; whoever asks for that waits. */
X509_STORE *tls_system_store(void)
{
	X509_STORE *s = NULL;
	struct err e;

	if (tls_store_load(&s, NULL, NULL, NULL, &e) == 0)
		return s;
	log_warn("event=ca what=system text=\"%s\"", e.msg);
	return X509_STORE_new();
}

static int load_stores(struct tls_clients *t, const struct relay_config *c,
    struct err *e)
{
	X509_STORE *s = tls_system_store();
	size_t i;

	if (s == NULL)
		return err_ossl(e, FAIL_TEMP, "TLS");
	if (add_store(t, "", s, e) < 0)
		return -1;
	for (i = 0; i < c->cas; i++) {
		const struct ca_block *ca = &c->ca[i];

		if (tls_store_load(&s, ca->file, ca->dir, ca->crl, e) < 0)
			return err_add(e, "ca %s", ca->name);
		if (add_store(t, ca->name, s, e) < 0)
			return -1;
	}
	return 0;
}

static const struct own_cert *find_own(const struct tls_clients *t,
    const char *name)
{
	size_t i;

	for (i = 0; i < t->owns; i++)
		if (strcmp(t->own[i].name, name) == 0)
			return &t->own[i];
	return NULL;
}

static int load_own(struct tls_clients *t, const struct relay_config *c,
    struct tls_keys *keys, const char *name, struct err *e)
{
	const struct pki *p;
	struct own_cert *bigger;
	SSL_CTX *ctx;

	if (name == NULL || *name == '\0' || find_own(t, name) != NULL)
		return 0;
	p = relay_pki(c, name);
	if (p == NULL)
		return err_set(e, FAIL_CONFIG, "there is no pki %s", name);
	ctx = SSL_CTX_new(TLS_client_method());
	bigger = realloc(t->own, (t->owns + 1) * sizeof(*bigger));
	if (bigger != NULL)
		t->own = bigger;
	if (ctx == NULL || bigger == NULL) {
		SSL_CTX_free(ctx);
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	}
	if (tls_keys_use(keys, ctx, c, p, e) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	text_set(bigger[t->owns].name, sizeof(bigger->name), name);
	bigger[t->owns++].ctx = ctx;
	return 0;
}

static int load_owns(struct tls_clients *t, const struct relay_config *c,
    struct tls_keys *keys, struct err *e)
{
	size_t i;

	ossl_clear();
	for (i = 0; i < c->rules.n; i++)
		if (load_own(t, c, keys, c->rules.rule[i].pki, e) < 0)
			return -1;
	for (i = 0; i < c->sender_certs; i++)
		if (load_own(t, c, keys, c->sender_cert[i].pki, e) < 0)
			return -1;
	for (i = 0; i < c->listeners; i++)
		if (load_own(t, c, keys, c->listener[i].backend.pki, e) < 0)
			return -1;
	return 0;
}

int tls_clients_new(struct tls_clients **out, const struct relay_config *c,
    struct tls_keys *keys, struct err *e)
{
	struct tls_clients *t = calloc(1, sizeof(*t));

	*out = NULL;
	if (t == NULL)
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	t->kind = calloc(CONTEXTS, sizeof(*t->kind));
	if (t->kind == NULL)
		err_set(e, FAIL_TEMP, "TLS: out of memory");
	if (t->kind == NULL || load_stores(t, c, e) < 0 ||
	    load_owns(t, c, keys, e) < 0) {
		tls_clients_free(&t);
		return -1;
	}
	*out = t;
	return 0;
}

void tls_clients_free(struct tls_clients **tp)
{
	struct tls_clients *t = *tp;
	size_t i;

	*tp = NULL;
	if (t == NULL)
		return;
	for (i = 0; i < t->stores; i++)
		X509_STORE_free(t->store[i].store);
	for (i = 0; i < t->owns; i++)
		SSL_CTX_free(t->own[i].ctx);
	for (i = 0; i < t->kinds; i++)
		SSL_CTX_free(t->kind[i].ctx);
	for (i = 0; i < SETS * WAYS; i++)
		SSL_SESSION_free(t->kept[i / WAYS][i % WAYS].session);
	free(t->store);
	free(t->own);
	free(t->kind);
	free(t);
}

/* ---- sessions ---- */

static bool is_old(const struct kept *k)
{
	int64_t now = (int64_t)time(NULL);

	return now < k->since || now - k->since > KEPT_S;
}

/* A session of TLS 1.3 is used once (RFC 8446 C.4): it is taken out. */
static SSL_SESSION *take_session(struct tls_clients *t,
    const unsigned char key[32], int64_t *since)
{
	struct kept *k = t->kept[key[0] % SETS];
	SSL_SESSION *s;
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (k[i].session == NULL || memcmp(k[i].key, key, 32) != 0)
			continue;
		s = k[i].session;
		k[i].session = NULL;
		*since = k[i].since;
		if (!is_old(&k[i]) && SSL_SESSION_is_resumable(s) == 1)
			return s;
		SSL_SESSION_free(s);
	}
	return NULL;
}

static void keep_session(const struct tls_client_side *side,
    SSL_SESSION *take_session, int64_t since)
{
	const unsigned char *key = side->key;
	struct kept *k = side->c->kept[key[0] % SETS], *to = &k[0];
	size_t i;

	for (i = 0; i < WAYS; i++) {
		if (k[i].session != NULL && memcmp(k[i].key, key, 32) == 0) {
			to = &k[i];
			break;
		}
		if (to->session != NULL && (k[i].session == NULL ||
		    k[i].since < to->since))
			to = &k[i];
	}
	SSL_SESSION_free(to->session);
	memcpy(to->key, key, 32);
	to->session = take_session;
	to->since = since;
}

/* TLS 1.2 says it in the handshake, when nobody is judged yet. */
static int on_session(SSL *ssl, SSL_SESSION *s)
{
	struct tls_io *io = tls_io_of(ssl);
	struct tls_client_side *side = io == NULL ? NULL : io->client;

	if (side == NULL)
		return 0;
	if (side->is_good) {
		keep_session(side, s, (int64_t)time(NULL));
		return 1;
	}
	if (io->is_open)
		return 0;
	SSL_SESSION_free(side->new);
	side->new = s;
	return 1;
}

/* The want and the host: what the connection was made to. */
static int make_key(unsigned char key[32], const struct tls_want *w, int fd)
{
	unsigned char of[32 + sizeof(struct sockaddr_storage)];
	struct sockaddr_storage sa;
	socklen_t n = sizeof(sa);

	memset(&sa, 0, sizeof(sa));
	if (getpeername(fd, (struct sockaddr *)&sa, &n) != 0)
		return -1;
	tls_want_key(w, of);
	memcpy(of + 32, &sa, sizeof(sa));
	ossl_sha256(of, sizeof(of), key);
	return 0;
}

/* ---- contexts ---- */

static void put_str(struct buf *b, const char *s)
{
	buf_printf(b, "%zu:%s", strlen(s), s);
}

/* What a context has of a want, and more: never less. */
static int kind_key(unsigned char key[32], const struct tls_want *w,
    struct err *e)
{
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	put_str(&b, w->ca);
	put_str(&b, w->pki);
	put_str(&b, w->ciphers);
	buf_printf(&b, "%d %d %d %d %d %d %d %d %d %d %d", (int)w->level,
	    (int)w->asked, (int)w->min, (int)w->max, w->allow_anonymous,
	    w->require_cert, w->allow_cn, w->require_tls, w->tlsas > 0,
	    w->pins > 0, w->names > 0);
	rc = buf_ok(&b, e);
	if (rc == 0)
		ossl_sha256(b.p, b.n, key);
	buf_free(&b);
	return rc;
}

static int give_own(SSL_CTX *ctx, const struct tls_clients *t,
    const char *name, struct err *e)
{
	const struct own_cert *own = find_own(t, name);
	STACK_OF(X509) *chain = NULL;

	if (*name == '\0')
		return 0;
	if (own == NULL)
		return err_set(e, FAIL_CONFIG, "pki %s was not read at the "
		    "start", name);
	SSL_CTX_get0_chain_certs(own->ctx, &chain);
	if (SSL_CTX_use_cert_and_key(ctx, SSL_CTX_get0_certificate(own->ctx),
	    SSL_CTX_get0_privatekey(own->ctx), chain, 1) != 1)
		return err_ossl(e, FAIL_CONFIG, "pki %s", name);
	return 0;
}

static int make_context(SSL_CTX **out, const struct tls_clients *t,
    const struct tls_want *w, struct err *e)
{
	X509_STORE *store = NULL;
	SSL_CTX *ctx = NULL;
	size_t i;

	*out = NULL;
	for (i = 0; i < t->stores; i++)
		if (strcmp(t->store[i].name, w->ca) == 0)
			store = t->store[i].store;
	if (store == NULL)
		return err_set(e, FAIL_CONFIG, "there is no ca %s", w->ca);
	if (tls_want_context(&ctx, w, store, e) < 0)
		return -1;
	tls_context_common(ctx);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_session);
	if (give_own(ctx, t, w->pki, e) < 0) {
		SSL_CTX_free(ctx);
		return -1;
	}
	*out = ctx;
	return 0;
}

static struct kind *oldest(struct tls_clients *t)
{
	struct kind *k = &t->kind[0];
	size_t i;

	if (t->kinds < CONTEXTS)
		return &t->kind[t->kinds++];
	for (i = 1; i < t->kinds; i++)
		if (t->kind[i].used < k->used)
			k = &t->kind[i];
	return k;
}

/* Borrowed. */
static int find_context(SSL_CTX **out, struct tls_clients *t,
    const struct tls_want *w, struct err *e)
{
	unsigned char key[32];
	struct kind *k;
	size_t i;

	*out = NULL;
	if (kind_key(key, w, e) < 0)
		return -1;
	t->clock++;
	for (i = 0; i < t->kinds; i++)
		if (memcmp(t->kind[i].key, key, 32) == 0) {
			t->kind[i].used = t->clock;
			*out = t->kind[i].ctx;
			return 0;
		}
	if (make_context(out, t, w, e) < 0)
		return -1;
	k = oldest(t);
	SSL_CTX_free(k->ctx);
	memcpy(k->key, key, 32);
	k->ctx = *out;
	k->used = t->clock;
	return 0;
}

/* ---- a connection ---- */

static void forget_want(struct tls_client_side *side)
{
	if (side->want != NULL)
		tls_want_free(side->want);
	free(side->want);
	side->want = NULL;
}

static int give_session(struct tls_io *t, struct err *e)
{
	SSL_SESSION *s = take_session(t->client->c, t->client->key,
	    &t->client->since);
	int ok;

	if (s == NULL)
		return 0;
	ok = SSL_set_session(t->ssl, s);
	SSL_SESSION_free(s);
	return ok == 1 ? 0 : err_ossl(e, FAIL_TEMP, "TLS");
}

int tls_client_begin(struct tls_io *t, struct tls_clients *c,
    const struct tls_want *w, struct err *e)
{
	struct tls_client_side *side = calloc(1, sizeof(*side));
	SSL_CTX *ctx = NULL;

	if (side == NULL)
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	t->client = side;
	side->c = c;
	if (make_key(side->key, w, t->fd) < 0)
		return err_sys(e, FAIL_TEMP, "TLS");
	side->want = calloc(1, sizeof(*side->want));
	if (side->want == NULL)
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	if (tls_want_copy(side->want, w, e) < 0)
		return -1;
	if (find_context(&ctx, c, w, e) < 0)
		return -1;
	t->ssl = SSL_new(ctx);
	if (t->ssl == NULL || SSL_set_app_data(t->ssl, t) != 1)
		return err_ossl(e, FAIL_TEMP, "TLS");
	if (tls_want_begin(t->ssl, side->want, e) < 0)
		return -1;
	return give_session(t, e);
}

/* A resumed session is looked at like a new one: its certificate may have
 * ended since (T16). */
int tls_client_check(struct tls_io *t, struct err *e)
{
	struct tls_client_side *side = t->client;
	int rc;

	ossl_clear();
	rc = tls_want_check(t->ssl, side->want, &side->got, e);
	ossl_clear();
	forget_want(side);
	side->is_good = rc == 0;
	if (rc < 0)
		return -1;
	if (side->new != NULL) {
		keep_session(side, side->new, (int64_t)time(NULL));
		side->new = NULL;
	} else if (SSL_session_reused(t->ssl) == 1 &&
	    SSL_version(t->ssl) < TLS1_3_VERSION)
		keep_session(side, SSL_get1_session(t->ssl), side->since);
	return 0;
}

/* No certificate was judged yet: RFC 8460 4.3.2 has no better word. */
void tls_client_failed(struct tls_io *t)
{
	struct tls_got *g = &t->client->got;

	memset(g, 0, sizeof(*g));
	g->level = TLS_NONE;
	text_set(g->result, sizeof(g->result), "validation-failure");
	text_set(g->reason, sizeof(g->reason), t->why);
}

const struct tls_got *tls_client_got(const struct tls_io *t)
{
	return &t->client->got;
}

void tls_client_end(struct tls_io *t)
{
	struct tls_client_side *side = t->client;

	t->client = NULL;
	if (side == NULL)
		return;
	forget_want(side);
	SSL_SESSION_free(side->new);
	free(side);
}
