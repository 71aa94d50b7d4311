/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a file asks of a key derivation before its password is even tried
 * (A61): iterations and salts are numbers of whoever wrote it, and are
 * looked at first.
 */
#include "keystore/import_int.h"

#include <openssl/objects.h>
#include <openssl/x509.h>

#include "util/der.h"
#include "util/ossl.h"

#define TOO_LONG_AN_INTEGER UINT64_MAX

int import_cost(struct batch *b, uint64_t iterations, size_t salt,
    struct err *e)
{
	if (iterations > CAP_IMPORT_KDF)
		return err_set(e, FAIL_LIMIT, "its password is to be hashed "
		    "more than %d times, which is refused", CAP_IMPORT_KDF);
	if (salt > CAP_IMPORT_SALT)
		return err_set(e, FAIL_LIMIT, "a salt of %zu octets, at most "
		    "%d are taken", salt, CAP_IMPORT_SALT);
	if (iterations > b->work)
		return err_set(e, FAIL_LIMIT, "the file's passwords are to be "
		    "hashed more than %llu times in all, which is refused",
		    (unsigned long long)(b->o->kdf != 0 ? b->o->kdf :
		    CAP_IMPORT_KDF_FILE));
	b->work -= iterations;
	return 0;
}

/* A positive INTEGER; what does not fit counts as very many. */
static uint64_t number(struct view v)
{
	uint64_t x = 0;
	size_t i;

	if (v.n == 0 || (v.p[0] & 0x80) != 0)
		return TOO_LONG_AN_INTEGER;
	for (i = 0; i < v.n; i++) {
		if (x >> 56 != 0)
			return TOO_LONG_AN_INTEGER;
		x = x << 8 | v.p[i];
	}
	return x;
}

static struct view parameters(const X509_ALGOR *alg)
{
	const ASN1_OBJECT *oid;
	const void *value = NULL;
	int type;

	X509_ALGOR_get0(&oid, &type, &value, alg);
	if (type != V_ASN1_SEQUENCE || value == NULL)
		return view_make(NULL, 0);
	return view_make(ASN1_STRING_get0_data(value),
	    (size_t)ASN1_STRING_length(value));
}

/* SEQUENCE { salt, iterations, ... }: PBEParameter (RFC 8018 A.3),
 * pkcs-12PbeParams (RFC 7292 C) and PBKDF2-params (RFC 8018 A.2) begin so. */
static int count(struct batch *b, struct view params, struct err *e)
{
	struct der seq, salt, iterations;

	if (der_get(&params, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_OCTET_STRING, &salt) != 0 ||
	    der_get(&seq.val, DER_INTEGER, &iterations) != 0)
		return err_set(e, FAIL_INPUT, "malformed parameters of its "
		    "key derivation (RFC 8018 A)");
	return import_cost(b, number(iterations.val), salt.val.n, e);
}

/*
 * scrypt-params (RFC 7914 7.1): salt, N, r, p. libcrypto bounds its memory,
 * which p hardly adds to, but not its time, which is N * r * p; that many
 * iterations of PBKDF2 take about as long.
 */
static int count_scrypt(struct batch *b, struct view params, struct err *e)
{
	struct der seq, salt, part[3];
	uint64_t work = 1, x;
	size_t i;

	if (der_get(&params, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_OCTET_STRING, &salt) != 0)
		goto malformed;
	for (i = 0; i < ARRAY_LEN(part); i++) {
		if (der_get(&seq.val, DER_INTEGER, &part[i]) != 0)
			goto malformed;
		x = number(part[i].val);
		/* zero is no work, and libcrypto refuses it */
		work = x != 0 && work > UINT64_MAX / x ? UINT64_MAX :
		    work * x;
	}
	return import_cost(b, work, salt.val.n, e);
malformed:
	return err_set(e, FAIL_INPUT, "malformed scrypt-params (RFC 7914 "
	    "7.1)");
}

int import_cost_pbe(struct batch *b, const X509_ALGOR *alg, struct err *e)
{
	static const unsigned char pbkdf2[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7,
		0x0d, 1, 5, 12 };
	static const unsigned char scrypt[] = { 0x2b, 0x06, 0x01, 0x04, 0x01,
		0xda, 0x47, 0x04, 0x0b };
	struct view params = parameters(alg), rest;
	const ASN1_OBJECT *oid;
	struct der seq, kdf, name;

	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	if (OBJ_obj2nid(oid) != NID_pbes2)
		return count(b, params, e);
	rest = params;
	if (der_get(&rest, DER_SEQUENCE, &seq) != 0 ||
	    der_get(&seq.val, DER_SEQUENCE, &kdf) != 0 ||
	    der_get(&kdf.val, DER_OID, &name) != 0)
		return err_set(e, FAIL_INPUT, "malformed PBES2-params (RFC "
		    "8018 A.4)");
	if (view_eq(name.val, view_make(scrypt, sizeof(scrypt))))
		return count_scrypt(b, kdf.val, e);
	if (!view_eq(name.val, view_make(pbkdf2, sizeof(pbkdf2))))
		return 0; /* libcrypto has no other */
	return count(b, kdf.val, e);
}

/* ---- names ---- */

static void put_oid(struct buf *b, const ASN1_OBJECT *oid)
{
	char text[96];
	int nid = OBJ_obj2nid(oid);

	if (nid != NID_undef)
		buf_puts(b, OBJ_nid2sn(nid));
	else if (OBJ_obj2txt(text, sizeof(text), oid, 1) > 0)
		buf_puts(b, text);
	else
		buf_puts(b, "?");
}

/* The OID at the start of an AlgorithmIdentifier. */
static void put_inner(struct buf *b, struct view *from, const char *before)
{
	const unsigned char *p;
	struct der alg, oid;
	ASN1_OBJECT *o;

	if (der_get(from, DER_SEQUENCE, &alg) != 0 ||
	    der_get(&alg.val, DER_OID, &oid) != 0)
		return;
	p = oid.whole.p;
	o = d2i_ASN1_OBJECT(NULL, &p, (long)oid.whole.n);
	if (o == NULL)
		return;
	buf_puts(b, before);
	put_oid(b, o);
	ASN1_OBJECT_free(o);
}

const char *import_pbe_name(const X509_ALGOR *alg, char *dst, size_t size)
{
	struct view params = parameters(alg);
	const ASN1_OBJECT *oid;
	struct der seq;
	struct buf b;

	buf_init(&b, size - 1);
	X509_ALGOR_get0(&oid, NULL, NULL, alg);
	put_oid(&b, oid);
	if (OBJ_obj2nid(oid) == NID_pbes2 &&
	    der_get(&params, DER_SEQUENCE, &seq) == 0) {
		put_inner(&b, &seq.val, " with ");
		put_inner(&b, &seq.val, " and ");
	}
	text_set(dst, size, buf_str(&b));
	buf_free(&b);
	ossl_clear();
	return dst;
}
