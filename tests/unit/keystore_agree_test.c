/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * RecipientInfos made by hand, with what libcrypto does not make: user
 * keying material, several encrypted keys, curves and points of all kinds,
 * algorithms that we do not have.
 */
#include "tests/unit/keystore_util.h"

#include "util/der.h"

struct world {
	struct place p;
	struct keystore *ks;
	struct made rsa, p256, twin, p384;
	struct keyring *kr;
};

static struct world w;

#define BYTES(s) { (const unsigned char *)(s), sizeof(s) - 1 }
#define EC "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"

/* How a KeyAgreeRecipientInfo differs from the usual. */
struct kari {
	struct view wrap;  /* whole AlgorithmIdentifier; empty: AES-128 */
	struct view kdf;   /* whole OID; empty: stdDH with SHA-256 */
	struct view alg;   /* of the originator's key; empty: no parameters */
	struct view point; /* as sent; empty: as it is */
	struct view originator; /* whole [0] instead of all that */
	const struct made *to;	/* NULL: p256 */
	bool compressed;
	bool unused_bits;
	bool by_ski;
	bool last; /* behind two encrypted keys for others */
};

static const unsigned char ukm[] = { DER_OCTET_STRING, 4, 'u', 'k', 'm', '!' };
/* id-aes128-wrap without and with NULL: both are seen, both are right. */
static const struct view wrap_plain =
    BYTES("\x30\x0b\x06\x09\x60\x86\x48\1\x65\3\4\1\5");
static const struct view wrap_null =
    BYTES("\x30\x0d\x06\x09\x60\x86\x48\1\x65\3\4\1\5\5\0");
static const struct view sha256kdf = BYTES("\x06\x06\x2b\x81\4\1\x0b\1");
static const struct view ec_plain = BYTES("\x30\x09" EC);

/* ECC-CMS-SharedInfo, RFC 5753 7.2. */
static struct view shared_info(struct view wrap, unsigned char *mem, size_t n)
{
	static const unsigned char bits[] = { 0, 0, 0, 128 };
	struct der_w d;
	size_t mark;

	der_w_init(&d, mem, n);
	der_w_tlv(&d, DER_OCTET_STRING, bits, sizeof(bits));
	der_w_wrap(&d, DER_CTX0 + 2, 0);
	mark = der_w_mark(&d);
	der_w_raw(&d, ukm, sizeof(ukm));
	der_w_wrap(&d, DER_CTX0, mark);
	der_w_view(&d, wrap);
	der_w_wrap(&d, DER_SEQUENCE, 0);
	return der_w_result(&d);
}

static void kek_of(EVP_PKEY *own, EVP_PKEY *peer, struct view info,
    unsigned char *kek)
{
	EVP_PKEY_CTX *pc = EVP_PKEY_CTX_new(own, NULL);
	size_t n = 16;

	assert_int_equal(EVP_PKEY_derive_init(pc), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(pc, peer), 1);
	assert_true(EVP_PKEY_CTX_set_ecdh_kdf_type(pc,
	    EVP_PKEY_ECDH_KDF_X9_63) > 0);
	assert_true(EVP_PKEY_CTX_set_ecdh_kdf_md(pc, EVP_sha256()) > 0);
	assert_true(EVP_PKEY_CTX_set_ecdh_kdf_outlen(pc, 16) > 0);
	assert_true(EVP_PKEY_CTX_set0_ecdh_kdf_ukm(pc,
	    OPENSSL_memdup(info.p, info.n), (int)info.n) > 0);
	assert_int_equal(EVP_PKEY_derive(pc, kek, &n), 1);
	EVP_PKEY_CTX_free(pc);
}

static void wrap_cek(const unsigned char *kek, unsigned char *ek)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char cek[16];
	int n = 0;

	memset(cek, 0x77, sizeof(cek));
	EVP_CIPHER_CTX_set_flags(c, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	assert_int_equal(EVP_EncryptInit_ex(c, EVP_aes_128_wrap(), NULL, kek,
	    NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(c, ek, &n, cek, 16), 1);
	assert_int_equal(n, 24);
	EVP_CIPHER_CTX_free(c);
}

static bool is_cek(const unsigned char *cek, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cek[i] != 0x77)
			return false;
	return true;
}

static struct view or_else(struct view v, struct view usual)
{
	return v.n > 0 ? v : usual;
}

/* RecipientEncryptedKey in front of what is written. */
static void put_rek(struct der_w *d, const struct kari *k, const struct
    made *to, const unsigned char *ek)
{
	size_t end = der_w_mark(d), mark;

	der_w_tlv(d, DER_OCTET_STRING, ek, 24);
	if (k->by_ski) {
		mark = der_w_mark(d);
		der_w_tlv(d, DER_OCTET_STRING, cert_ski(to->cert).p,
		    cert_ski(to->cert).n);
		der_w_wrap(d, DER_CTX0, mark);
	} else {
		der_w_view(d, cert_ias(to->cert));
	}
	der_w_wrap(d, DER_SEQUENCE, end);
}

static void put_originator(struct der_w *d, const struct kari *k,
    EVP_PKEY *eph)
{
	unsigned char *point = NULL;
	size_t point_n, mark = der_w_mark(d);

	if (k->originator.n > 0) {
		der_w_view(d, k->originator);
		return;
	}
	point_n = EVP_PKEY_get1_encoded_public_key(eph, &point);
	assert_int_equal(point_n, 65);
	if (k->compressed) { /* SEC 1 2.3.3 */
		point[0] = point[64] & 1 ? 3 : 2;
		point_n = 33;
	}
	der_w_view(d, or_else(k->point, view_make(point, point_n)));
	der_w_raw(d, k->unused_bits ? "\1" : "", 1);
	der_w_wrap(d, DER_BIT_STRING, mark);
	der_w_view(d, or_else(k->alg, ec_plain));
	der_w_wrap(d, DER_CTX0 + 1, mark);
	der_w_wrap(d, DER_CTX0, mark);
	OPENSSL_free(point);
}

/* KeyAgreeRecipientInfo with ukm (RFC 5652 6.2.2). */
static struct view make_kari(const struct kari *k, unsigned char *mem,
    size_t n)
{
	const struct made *to = k->to == NULL ? &w.p256 : k->to;
	struct view wrap = or_else(k->wrap, wrap_plain);
	unsigned char info[128], kek[16], ek[32], other[32];
	EVP_PKEY *eph = EVP_EC_gen("P-256");
	struct der_w d;
	size_t mark;

	kek_of(eph, to->key, shared_info(wrap, info, sizeof(info)), kek);
	wrap_cek(kek, ek);
	memset(other, 'x', sizeof(other));
	der_w_init(&d, mem, n);
	put_rek(&d, k, to, ek);
	if (k->last) {
		put_rek(&d, k, &w.p384, other);
		put_rek(&d, k, &w.p384, other);
	}
	der_w_wrap(&d, DER_SEQUENCE, 0);
	mark = der_w_mark(&d);
	der_w_view(&d, wrap);
	der_w_view(&d, or_else(k->kdf, sha256kdf));
	der_w_wrap(&d, DER_SEQUENCE, mark);
	mark = der_w_mark(&d);
	der_w_raw(&d, ukm, sizeof(ukm));
	der_w_wrap(&d, DER_CTX0 + 1, mark);
	put_originator(&d, k, eph);
	der_w_tlv(&d, DER_INTEGER, "\3", 1);
	der_w_wrap(&d, DER_CTX0 + 1, 0);
	assert_false(d.failed);
	EVP_PKEY_free(eph);
	return der_w_result(&d);
}

static int open_as(const struct made *who, const struct kari *k,
    unsigned char *cek, struct err *e)
{
	unsigned char mem[2048];

	return keyring_open(w.kr, cert_sha256(who->cert), make_kari(k, mem,
	    sizeof(mem)), 16, cek, e);
}

/* ---- what does not open ---- */

/* attack A15: a curve written out as numbers, points that are on no curve
 * verdict: the message is delivered as it arrived; no arithmetic is done
 * with them */
static void A15_curves_and_points_of_others(void **state)
{
	static const struct {
		const char *name;
		struct kari k;
		enum fail kind; /* 0: opens */
	} t[] = {
		{ "no parameters", { .by_ski = false }, 0 },
		{ "NULL", { .alg = BYTES("\x30\x0b" EC "\5\0") }, 0 },
		{ "our curve", { .alg = BYTES("\x30\x13" EC "\x06\x08\x2a\x86"
		    "\x48\xce\x3d\3\1\7") }, 0 },
		{ "compressed point", { .compressed = true }, 0 },
		{ "P-384", { .alg = BYTES("\x30\x10" EC "\x06\5\x2b\x81\4\0"
		    "\x22") }, FAIL_INPUT },
		{ "secp256k1", { .alg = BYTES("\x30\x10" EC "\x06\5\x2b\x81\4"
		    "\0\x0a") }, FAIL_POLICY },
		{ "explicit curve", { .alg = BYTES("\x30\x10" EC "\x30\5\2\1\1"
		    "\x30\0") }, FAIL_INPUT },
		{ "implicit curve of no length", { .alg = BYTES("\x30\x0b" EC
		    "\x30\0") }, FAIL_INPUT },
		{ "two parameters", { .alg = BYTES("\x30\x0d" EC
		    "\5\0\5\0") }, FAIL_INPUT },
		{ "NULL with octets", { .alg = BYTES("\x30\x0c" EC "\5\1\0") },
		    FAIL_INPUT },
		{ "infinity", { .point = BYTES("\0") }, FAIL_INPUT },
		{ "one octet", { .point = BYTES("\4") }, FAIL_INPUT },
		{ "not on the curve", { .point = BYTES("\4"
		    "11111111111111111111111111111111"
		    "22222222222222222222222222222222") }, FAIL_INPUT },
		{ "too short", { .point = BYTES("\4"
		    "1111111111111111111111111111111"
		    "2222222222222222222222222222222") }, FAIL_INPUT },
		{ "form of an unknown kind", { .point = BYTES("\5"
		    "11111111111111111111111111111111") }, FAIL_INPUT },
		{ "unused bits", { .unused_bits = true }, FAIL_INPUT },
	};
	unsigned char cek[CAP_CEK];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		e.kind = 0;
		memset(cek, 0, sizeof(cek));
		if (open_as(&w.p256, &t[i].k, cek, &e) != (t[i].kind == 0 ?
		    0 : -1) || e.kind != t[i].kind)
			fail_msg("%s: %d %s", t[i].name, e.kind, e.msg);
		assert_int_equal(is_cek(cek, 16), t[i].kind == 0);
	}
}

static void S196_agreements_that_we_have_not(void **state)
{
	static const struct {
		struct kari k;
		const char *says;
	} t[] = {
		/* mqvSinglePass-sha256kdf, dhSinglePass-stdDH-hkdf-sha256 */
		{ { .kdf = BYTES("\x06\6\x2b\x81\4\1\x0f\1") },
		    "key agreement 1.3.132.1.15.1" },
		{ { .kdf = BYTES("\x06\x0b\x2a\x86\x48\x86\xf7\x0d\1\x09\x10"
		    "\3\x13") }, "key agreement 1.2.840.113549.1.9.16.3.19" },
		/* id-alg-CMSRC2wrap */
		{ { .wrap = BYTES("\x30\x11\x06\x0b\x2a\x86\x48\x86\xf7\x0d\1"
		    "\x09\x10\3\7\2\2\0\xa0") },
		    "key wrap 1.2.840.113549.1.9.16.3.7" },
		/* X25519 */
		{ { .alg = BYTES("\x30\5\x06\3\x2b\x65\x6e") },
		    "key agreement with 1.3.101.110" },
		{ { .alg = BYTES("\x30\x10" EC "\x06\5\x2b\x81\4\0\x0a") },
		    "curve 1.3.132.0.10" },
		{ { .originator = BYTES("\xa0\4\x80\2id") },
		    "static originator keys" },
	};
	unsigned char cek[CAP_CEK];
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(open_as(&w.p256, &t[i].k, cek, &e), -1);
		assert_int_equal(e.kind, FAIL_POLICY);
		if (strstr(e.msg, t[i].says) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", e.msg,
			    t[i].says);
	}
}

/* KeyTransRecipientInfo with this AlgorithmIdentifier. */
static int open_transport(struct view alg, struct err *e)
{
	unsigned char mem[2048], ek[256], cek[CAP_CEK];
	struct der_w d;

	memset(ek, 1, sizeof(ek));
	der_w_init(&d, mem, sizeof(mem));
	der_w_tlv(&d, DER_OCTET_STRING, ek, sizeof(ek));
	der_w_view(&d, alg);
	der_w_view(&d, cert_ias(w.rsa.cert));
	der_w_tlv(&d, DER_INTEGER, "", 1);
	der_w_wrap(&d, DER_SEQUENCE, 0);
	assert_false(d.failed);
	return keyring_open(w.kr, cert_sha256(w.rsa.cert), der_w_result(&d),
	    16, cek, e);
}

#define OAEP "\x06\x09\x2a\x86\x48\x86\xf7\x0d\1\1\7"

static void S196_transports_that_we_have_not(void **state)
{
	static const struct {
		struct view alg;
		enum fail kind;
		const char *says;
	} t[] = {
		/* id-kts-ssa-publickey, RSA-KEM */
		{ BYTES("\x30\x0d\x06\x0b\x2a\x86\x48\x86\xf7\x0d\1\x09\x10\3"
		    "\x0e"), FAIL_POLICY,
		    "key transport 1.2.840.113549.1.9.16.3.14" },
		{ BYTES("\x30\x1b" OAEP "\x30\x0e\xa0\x0c\x30\x0a\x06\x08\x2a"
		    "\x86\x48\x86\xf7\x0d\2\5"), FAIL_POLICY,
		    "OAEP digest 1.2.840.113549.2.5" },
		{ BYTES("\x30\x15" OAEP "\x30\x08\xa1\x06\x30\4\x06\2\x2a\3"),
		    FAIL_POLICY, "mask generation 1.2.3" },
		{ BYTES("\x30\x15" OAEP "\x30\x08\xa2\x06\x30\4\x06\2\x2a\3"),
		    FAIL_POLICY, "label source 1.2.3" },
		{ BYTES("\x30\x12" OAEP "\x30\5\xa3\3\2\1\1"), FAIL_INPUT,
		    "malformed" },
		{ BYTES("\x30\x0d" OAEP "\5\0"), FAIL_INPUT, "malformed" },
		/* RFC 4055 4.1: there must be parameters */
		{ BYTES("\x30\x0b" OAEP), FAIL_INPUT, "malformed" },
		/* defaults, but nothing that opens */
		{ BYTES("\x30\x0d" OAEP "\x30\0"), FAIL_INPUT, "not open" },
	};
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		assert_int_equal(open_transport(t[i].alg, &e), -1);
		if (e.kind != t[i].kind || strstr(e.msg, t[i].says) == NULL)
			fail_msg("%zu: %d \"%s\" does not say \"%s\"", i,
			    e.kind, e.msg, t[i].says);
	}
}

/* ---- what opens ---- */

static void S91_keying_material_and_both_forms_of_wrap(void **state)
{
	const struct view wrap[] = { wrap_plain, wrap_null };
	unsigned char cek[CAP_CEK];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrap); i++) {
		struct kari k = { .wrap = wrap[i] };

		must(open_as(&w.p256, &k, cek, e));
		assert_true(is_cek(cek, 16));
	}
}

static void S95_our_key_behind_those_of_others(void **state)
{
	unsigned char cek[CAP_CEK];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct kari k = { .last = true, .by_ski = i == 1 };

		must(open_as(&w.p256, &k, cek, e));
		assert_true(is_cek(cek, 16));
		/* named as well, but by a key on another curve */
		must_fail(open_as(&w.p384, &k, cek, e), FAIL_INPUT);
		k.last = false;
		must_fail(open_as(&w.p384, &k, cek, e), FAIL_INPUT);
	}
}

/* Two certificates with one key identifier: each is asked for by its own
 * hash, and only the right one opens. */
static void S95_one_identifier_for_two_keys(void **state)
{
	struct kari k = { .by_ski = true, .to = &w.twin };
	unsigned char cek[CAP_CEK];

	(void)state;
	assert_true(view_eq(cert_ski(w.twin.cert), cert_ski(w.p256.cert)));
	must_fail(open_as(&w.p256, &k, cek, e), FAIL_INPUT);
	must(open_as(&w.twin, &k, cek, e));
	assert_true(is_cek(cek, 16));
	k.to = &w.p256;
	must_fail(open_as(&w.twin, &k, cek, e), FAIL_INPUT);
	must(open_as(&w.p256, &k, cek, e));
	assert_true(is_cek(cek, 16));
}

static void add_to_world(struct made *m, const char *alg, const char *key)
{
	const struct spec s = { .san = "email:alice@example.com", .alg = alg,
	    .key = key };

	cert_make(m, &s, NULL);
	add_cert(w.ks, m, KS_ENCRYPT);
	add_private(w.ks, m);
}

/* As p256, with a key of its own: by issuer and serial they differ. */
static void add_twin(void)
{
	const struct spec s = { .cn = "twin", .san = "email:bob@example.com",
	    .alg = "ec:p256", .key = "twin" };
	const struct view ski = cert_ski(w.p256.cert);
	ASN1_OCTET_STRING *os = ASN1_OCTET_STRING_new();

	w.twin.x = x509_make(&s, NULL, &w.twin.key);
	assert_int_equal(ASN1_OCTET_STRING_set(os, ski.p, (int)ski.n), 1);
	assert_int_equal(X509_add1_ext_i2d(w.twin.x,
	    NID_subject_key_identifier, os, 0, X509V3_ADD_REPLACE), 1);
	ASN1_OCTET_STRING_free(os);
	assert_true(X509_sign(w.twin.x, w.twin.key, EVP_sha256()) > 0);
	w.twin.cert = parse_x509(w.twin.x);
	add_cert(w.ks, &w.twin, KS_ENCRYPT);
	add_private(w.ks, &w.twin);
}

static int setup(void **state)
{
	(void)state;
	w.ks = store_make(&w.p);
	add_to_world(&w.rsa, "rsa:2048", "one");
	add_to_world(&w.p256, "ec:p256", "k");
	add_to_world(&w.p384, "ec:p384", "k");
	add_twin();
	must(keyring_load(&w.kr, w.ks, secret_view(), e));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	keyring_free(&w.kr);
	made_free(&w.rsa);
	made_free(&w.p256);
	made_free(&w.twin);
	made_free(&w.p384);
	store_clear(&w.p, &w.ks);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A15_curves_and_points_of_others),
		cmocka_unit_test(S196_agreements_that_we_have_not),
		cmocka_unit_test(S196_transports_that_we_have_not),
		cmocka_unit_test(S91_keying_material_and_both_forms_of_wrap),
		cmocka_unit_test(S95_our_key_behind_those_of_others),
		cmocka_unit_test(S95_one_identifier_for_two_keys),
	};

	return cmocka_run_group_tests_name("keystore_agree", tests, setup,
	    teardown);
}
