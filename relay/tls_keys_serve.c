/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The keys process: keys in locked memory, and a thread for each worker that
 * signs one thing after the other. What a worker says is not believed.
 */
#include "relay/keys_int.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rsa.h>

#include "relay/tls_pem.h"
#include "smtp/tls_provider.h"
#include "util/caps.h"
#include "util/log.h"
#include "util/ossl.h"
#include "util/proc.h"

/* Locked memory: for each key, and what signing takes, bytes. */
#define HEAP_BASE (1u << 20)
#define HEAP_KEY (32u << 10)

struct held_key {
	const struct pki *pki; /* of the configuration */
	EVP_PKEY *key;
	enum tls_key_kind kind;
	unsigned char spki[32];
};

struct keys_held {
	struct held_key *key;
	size_t n;
	bool has_heap;
};

/* ---- loading ---- */

/* Not to be had: then not locked. Doubles as libcrypto wants a power of 2. */
static bool lock_memory(size_t keys)
{
	size_t size = HEAP_BASE;

	if (CRYPTO_secure_malloc_initialized() == 1)
		return false;
	while (size < HEAP_BASE + keys * HEAP_KEY)
		size *= 2;
	return CRYPTO_secure_malloc_init(size, 16) != 0;
}

static int load_one(struct held_key *k, const struct pki *p, struct err *e)
{
	STACK_OF(X509) *chain = NULL;
	int rc = -1;

	k->pki = p;
	if (p->key == NULL || p->cert == NULL)
		return err_set(e, FAIL_CONFIG, "pki %s: no %s", p->name,
		    p->key == NULL ? "key" : "cert");
	if (tls_pem_key(&k->key, p->key, e) != 0 ||
	    tls_pem_chain(&chain, p->cert, e) != 0)
		return err_add(e, "pki %s", p->name);
	if (tls_key_kind(k->key, &k->kind, e) != 0 ||
	    tls_pem_spki(k->key, k->spki, e) != 0)
		(void)err_add(e, "pki %s: %s", p->name, p->key);
	else if (X509_check_private_key(sk_X509_value(chain, 0), k->key) != 1)
		(void)err_set(e, FAIL_CONFIG, "pki %s: %s is not the key of "
		    "the first certificate in %s", p->name, p->key, p->cert);
	else
		rc = 0;
	if (rc != 0 && e != NULL && e->kind == FAIL_POLICY)
		e->kind = FAIL_CONFIG;
	ossl_clear();
	sk_X509_pop_free(chain, X509_free);
	return rc;
}

int keys_load(struct keys_held **out, const struct relay_config *c,
    struct err *e)
{
	struct keys_held *k = calloc(1, sizeof(*k));
	size_t i;

	*out = NULL;
	if (k != NULL)
		k->key = calloc(c->pkis + 1, sizeof(*k->key));
	if (k == NULL || k->key == NULL) {
		free(k);
		return err_set(e, FAIL_TEMP, "out of memory");
	}
	k->has_heap = lock_memory(c->pkis);
	for (i = 0; i < c->pkis; i++) {
		k->n = i + 1;
		if (load_one(&k->key[i], &c->pki[i], e) != 0) {
			keys_free(&k);
			return -1;
		}
	}
	*out = k;
	return 0;
}

void keys_free(struct keys_held **k)
{
	size_t i;

	if (*k == NULL)
		return;
	for (i = 0; i < (*k)->n; i++)
		EVP_PKEY_free((*k)->key[i].key); /* wipes */
	if ((*k)->has_heap) /* fails, and stays, when others use it */
		(void)CRYPTO_secure_malloc_done();
	free((*k)->key);
	free(*k);
	*k = NULL;
}

size_t keys_count(const struct keys_held *k)
{
	return k->n;
}

void keys_spki(const struct keys_held *k, size_t i, unsigned char out[32])
{
	memcpy(out, k->key[i].spki, 32);
}

const struct pki *keys_pki(const struct keys_held *k, size_t i)
{
	return k->key[i].pki;
}

/* ---- signing ---- */

#define SIGS (TLS_SIG_ED25519 + 1)

struct talk {
	const struct keys_held *keys;
	int sock;
	pthread_t thread;
	/* [key * SIGS + algorithm], of this thread; NULL: not yet. To begin
	 * takes as long as to sign, to copy what was begun does not. */
	EVP_MD_CTX **begun;
	unsigned char question[KEYS_QUESTION_MAX];
};

static EVP_MD_CTX *begin_sign(const struct held_key *k, enum tls_sig s)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	EVP_PKEY_CTX *pc = NULL;

	if (m != NULL && EVP_DigestSignInit_ex(m, &pc, tls_sig_digest(s),
	    NULL, NULL, k->key, NULL) == 1 && (!tls_sig_is_pss(s) ||
	    (EVP_PKEY_CTX_set_rsa_padding(pc, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(pc, RSA_PSS_SALTLEN_DIGEST) ==
	    1)))
		return m;
	EVP_MD_CTX_free(m);
	return NULL;
}

/* OpenSSL 3.0 does not copy what has no digest of its own (Ed25519). */
static EVP_MD_CTX *ready_sign(const struct talk *t, size_t key,
    enum tls_sig s)
{
	EVP_MD_CTX **kept = &t->begun[key * SIGS + (size_t)s], *m;

	if (tls_sig_digest(s) == NULL)
		return begin_sign(&t->keys->key[key], s);
	if (*kept == NULL)
		*kept = begin_sign(&t->keys->key[key], s);
	m = *kept == NULL ? NULL : EVP_MD_CTX_new();
	if (m != NULL && EVP_MD_CTX_copy_ex(m, *kept) == 1)
		return m;
	EVP_MD_CTX_free(m);
	return NULL;
}

static int sign(const struct talk *t, size_t key, enum tls_sig s,
    struct view tbs, struct buf *out, struct err *e)
{
	size_t n = CAP_SIGNATURE;
	unsigned char *to = buf_room(out, n);
	EVP_MD_CTX *m;
	int rc = -1;

	ossl_clear();
	m = ready_sign(t, key, s);
	if (m != NULL && to != NULL &&
	    EVP_DigestSign(m, to, &n, tbs.p, tbs.n) == 1) {
		out->n += n;
		rc = 0;
	} else
		(void)err_ossl(e, FAIL_TEMP, "signing");
	EVP_MD_CTX_free(m);
	return rc;
}

struct question {
	uint32_t seq, number;
	uint8_t op, sig;
	struct view tbs;
};

static int parse(struct question *q, struct view v)
{
	struct rd r;

	memset(q, 0, sizeof(*q));
	rd_init(&r, v);
	if (rd_u32(&r, &q->seq) != 0 || rd_u8(&r, &q->op) != 0 ||
	    rd_u32(&r, &q->number) != 0)
		return -1;
	if (q->op == KEYS_OP_SIGN && (rd_u8(&r, &q->sig) != 0 ||
	    ipc_get_view(&r, &q->tbs) != 0))
		return -1;
	return rd_left(&r) == 0 &&
	    (q->op == KEYS_OP_SIGN || q->op == KEYS_OP_SPKI) ? 0 : -1;
}

static int perform(const struct talk *t, const struct question *q,
    struct buf *out, struct err *e)
{
	const struct keys_held *k = t->keys;
	const struct held_key *key;

	if (q->number >= k->n)
		return err_set(e, FAIL_INPUT, "key %lu of %zu",
		    (unsigned long)q->number, k->n);
	key = &k->key[q->number];
	if (q->op == KEYS_OP_SPKI) {
		buf_put(out, key->spki, 32);
		return 0;
	}
	if (!tls_sig_fits((enum tls_sig)q->sig, key->kind))
		return err_set(e, FAIL_POLICY, "algorithm %u with the key of "
		    "pki %s", q->sig, key->pki->name);
	if (q->tbs.n > KEYS_TBS_MAX || !keys_is_handshake(q->tbs))
		return err_set(e, FAIL_POLICY, "what a TLS handshake signs is "
		    "signed, and nothing else (RFC 8446 4.4.3)");
	return sign(t, q->number, (enum tls_sig)q->sig, q->tbs, out, e);
}

/* -1 when the worker is gone or talks nonsense. */
static int serve_one(const struct talk *t, struct view packet)
{
	struct buf result, answer;
	struct err e = { 0 };
	struct question q;
	ssize_t n;

	if (parse(&q, packet) != 0) {
		log_err("event=keys error=\"malformed question of a worker\"");
		return -1;
	}
	buf_init(&result, CAP_SIGNATURE);
	buf_init(&answer, KEYS_ANSWER_MAX);
	if (perform(t, &q, &result, &e) == 0 && buf_ok(&result, &e) == 0)
		e.kind = 0;
	else
		log_warn("event=keys refused=\"%s\"", e.msg);
	ipc_put_u32(&answer, q.seq);
	ipc_put_u8(&answer, (uint8_t)e.kind);
	ipc_put_view(&answer, e.kind == 0 ? buf_view(&result) :
	    view_of(e.msg));
	do
		n = answer.failed ? -1 : send(t->sock, answer.p, answer.n,
		    MSG_NOSIGNAL);
	while (n < 0 && !answer.failed && errno == EINTR);
	buf_free(&result);
	buf_free(&answer);
	return n < 0 ? -1 : 0;
}

/* ---- threads ---- */

static void talk_on(struct talk *t)
{
	ssize_t n;

	for (;;) {
		n = recv(t->sock, t->question, sizeof(t->question),
		    MSG_TRUNC);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if ((size_t)n > sizeof(t->question)) {
			log_err("event=keys error=\"a question of %zd "
			    "octets\"", n);
			break;
		}
		if (serve_one(t, view_make(t->question, (size_t)n)) != 0)
			break;
	}
}

static void *serve(void *arg)
{
	struct talk *t = arg;
	size_t all = t->keys->n * SIGS, i;

	t->begun = calloc(all + 1, sizeof(EVP_MD_CTX *));
	if (t->begun == NULL)
		log_err("event=keys error=\"out of memory\"");
	else
		talk_on(t);
	close(t->sock);
	for (i = 0; t->begun != NULL && i < all; i++)
		EVP_MD_CTX_free(t->begun[i]);
	free(t->begun);
	return NULL;
}

int keys_serve(struct keys_held *k, const int *sock, size_t n, struct err *e)
{
	struct talk *t = calloc(n + 1, sizeof(*t));
	size_t i, began = 0;
	int rc = 0;

	if (t == NULL)
		rc = err_set(e, FAIL_TEMP, "keys: out of memory");
	for (i = 0; i < n && t != NULL; i++) {
		t[i].keys = k;
		t[i].sock = sock[i];
		if (pthread_create(&t[i].thread, NULL, serve, &t[i]) != 0) {
			rc = err_set(e, FAIL_TEMP, "keys: no thread");
			break;
		}
		began = i + 1;
	}
	for (i = began; i < n; i++)
		close(sock[i]);
	for (i = 0; i < began; i++)
		(void)pthread_join(t[i].thread, NULL);
	free(t);
	return rc;
}
