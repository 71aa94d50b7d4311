/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * EnvelopedData and AuthEnvelopedData made by hand, so that everything in
 * them can be wrong: the form of the key's block, the key, labels, padding,
 * tag. For inclusion after gateway_make.h.
 */
#ifndef TESTS_UNIT_GATEWAY_SEALED_H
#define TESTS_UNIT_GATEWAY_SEALED_H

#include "tests/unit/gateway_make.h"
#include "tests/unit/smime_help.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "smime/oid.h"

/* The key is wrapped well; in a block of wrong form; with another length. */
enum transport { PKCS1, BAD_PKCS1, SHORT_PKCS1, OAEP, BAD_OAEP };

struct sealed {
	const struct cert *to; /* has an RSA key */
	size_t times;	       /* named so often more */
	bool auth;	  /* AuthEnvelopedData */
	enum oid cipher;  /* that it says */
	enum transport how;
	unsigned char cek[32];
	unsigned char iv[16]; /* GCM: 12 of them */
	unsigned char mac[16];
	size_t mac_n; /* 0: 16 */
	struct buf blocks;
};

static UNUSED void put_key_alg(struct buf *b, bool oaep)
{
	/* id-RSAES-OAEP with SHA-256, RFC 8017 A.2.1 */
	static const unsigned char full[] = {0x30, 0x3c, 0x06, 0x09, 0x2a,
	    0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30, 0x2f, 0xa0,
	    0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03,
	    0x04, 0x02, 0x01, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09,
	    0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d,
	    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
	    0x05, 0x00};
	static const unsigned char plain[] = {0x30, 0x0d, 0x06, 0x09, 0x2a,
	    0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00};

	if (oaep)
		buf_put(b, full, sizeof(full));
	else
		buf_put(b, plain, sizeof(plain));
}

/* The content key, in the way that m says. */
static UNUSED void put_encrypted_key(struct buf *b, const struct sealed *m)
{
	EVP_PKEY *pk = X509_get0_pubkey(cert_x509(m->to));
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(pk, NULL);
	unsigned char out[256], em[256];
	const unsigned char *in = m->cek;
	size_t n = sizeof(out), in_n = 32;
	bool raw = m->how == BAD_PKCS1 || m->how == BAD_OAEP;

	memset(em, 0x55, sizeof(em));
	em[0] = 0;
	if (raw) {
		in = em;
		in_n = sizeof(em);
	}
	if (m->how == SHORT_PKCS1)
		in_n = 16;
	assert_int_equal(EVP_PKEY_encrypt_init(c), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, raw ?
	    RSA_NO_PADDING : m->how == OAEP ? RSA_PKCS1_OAEP_PADDING :
	    RSA_PKCS1_PADDING), 1);
	if (m->how == OAEP)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(c,
		    EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_encrypt(c, out, &n, in, in_n), 1);
	put_tlv(b, DER_OCTET_STRING, view_make(out, n));
	EVP_PKEY_CTX_free(c);
}

static UNUSED void put_cipher_alg(struct buf *b, const struct sealed *m)
{
	bool gcm = m->cipher == OID_AES256_GCM || m->cipher ==
	    OID_AES128_GCM;
	struct buf p;
	unsigned char len = (unsigned char)(m->mac_n == 0 ? 16 : m->mac_n);

	buf_init(&p, 1000);
	put_tlv(&p, DER_OCTET_STRING, view_make(m->iv, gcm ? 12 : 16));
	if (gcm) {
		put_tlv(&p, DER_INTEGER, view_make(&len, 1));
		wrap_buf(&p, DER_SEQUENCE);
	}
	put_tlv(b, DER_OID, oid_view(m->cipher));
	buf_putv(b, buf_view(&p));
	wrap_buf(b, DER_SEQUENCE);
	buf_free(&p);
}

static UNUSED void put_recipient(struct buf *b, const struct sealed *m)
{
	put_tlv(b, DER_INTEGER, view_make("\0", 1));
	buf_putv(b, cert_ias(m->to));
	put_key_alg(b, m->how == OAEP || m->how == BAD_OAEP);
	put_encrypted_key(b, m);
	wrap_buf(b, DER_SEQUENCE);
}

/* DER of it. */
static UNUSED void put_object(struct buf *out, const struct sealed *m)
{
	struct buf t, all;

	buf_init(&t, MAKE_MAX);
	buf_init(&all, MAKE_MAX);
	put_tlv(&all, DER_INTEGER, view_make("\0", 1));
	put_recipient(&t, m);
	buf_clear(out);
	for (size_t i = 0; i <= m->times; i++)
		buf_putv(out, buf_view(&t));
	put_tlv(&all, DER_SET, buf_view(out));
	buf_clear(&t);
	put_cipher_alg(&t, m);
	buf_clear(out);
	put_tlv(out, DER_OID, oid_view(OID_DATA));
	buf_putv(out, buf_view(&t));
	put_tlv(out, DER_CTX0_PRIM, buf_view(&m->blocks));
	put_tlv(&all, DER_SEQUENCE, buf_view(out));
	if (m->auth)
		put_tlv(&all, DER_OCTET_STRING, view_make(m->mac, m->mac_n ==
		    0 ? 16 : m->mac_n));
	wrap_buf(&all, DER_SEQUENCE);
	wrap_buf(&all, DER_CTX0);
	buf_clear(out);
	put_tlv(out, DER_OID, oid_view(m->auth ? OID_AUTH_ENVELOPED_DATA :
	    OID_ENVELOPED_DATA));
	buf_putv(out, buf_view(&all));
	wrap_buf(out, DER_SEQUENCE);
	assert_int_equal(buf_ok(out, NULL), 0);
	buf_free(&t);
	buf_free(&all);
}

/* m with a fresh key and the ciphertext of inside; m->blocks is to be freed. */
static UNUSED void sealed_make(struct sealed *m, const struct cert *to,
    struct view inside, bool gcm)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char *room;
	int n = 0, last = 0;

	memset(m, 0, sizeof(*m));
	m->to = to;
	m->auth = gcm;
	m->cipher = gcm ? OID_AES256_GCM : OID_AES256_CBC;
	buf_init(&m->blocks, MAKE_MAX);
	assert_int_equal(RAND_bytes(m->cek, 32), 1);
	assert_int_equal(RAND_bytes(m->iv, 16), 1);
	room = buf_room(&m->blocks, inside.n + 32);
	assert_true(c != NULL && room != NULL);
	assert_int_equal(EVP_EncryptInit_ex(c, gcm ? EVP_aes_256_gcm() :
	    EVP_aes_256_cbc(), NULL, m->cek, m->iv), 1);
	assert_int_equal(EVP_EncryptUpdate(c, room, &n, inside.p,
	    (int)inside.n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(c, room + n, &last), 1);
	m->blocks.n += (size_t)(n + last);
	if (gcm)
		assert_int_equal(EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG,
		    16, m->mac), 1);
	EVP_CIPHER_CTX_free(c);
}

#endif
