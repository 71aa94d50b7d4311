/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Import of PKCS#12 (RFC 7292): every kind of encryption and password, and
 * files of whoever wants to keep us busy or bring us down.
 */
#include "tests/unit/keystore_import.h"

#include <openssl/hmac.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>

#include "util/der.h"
#include "util/ossl.h"

static struct made alice;

/* ---- writing DER by hand ---- */

static unsigned char arena[1u << 20];
static size_t arena_n;

static struct view put(int tag, const struct view *part, size_t n)
{
	struct der_w w;
	struct view v;
	size_t i;

	der_w_init(&w, arena, sizeof(arena) - arena_n);
	for (i = n; i > 0; i--)
		der_w_view(&w, part[i - 1]);
	der_w_wrap(&w, tag, 0);
	v = der_w_result(&w);
	assert_false(w.failed);
	arena_n += v.n;
	return v;
}

#define T(tag, ...)                                                       \
	put(tag, (const struct view[]){ __VA_ARGS__ },                    \
	    sizeof((const struct view[]){ __VA_ARGS__ }) /                \
	    sizeof(struct view))
#define EMPTY view_make(NULL, 0)

static struct view octets(size_t n)
{
	static const unsigned char zero[2048];

	return T(DER_OCTET_STRING, view_make(zero, n));
}

/* An INTEGER of these octets. */
static struct view integer(const char *hex)
{
	static unsigned char mem[8][16];
	static size_t i;
	size_t n = strlen(hex) / 2;

	i = (i + 1) % 8;
	assert_int_equal(hex_decode(mem[i], n, hex), 0);
	return T(DER_INTEGER, view_make(mem[i], n));
}

static struct view oid(const char *text)
{
	ASN1_OBJECT *o = OBJ_txt2obj(text, 1);
	struct view v;

	assert_non_null(o);
	v = T(DER_OID, view_make(OBJ_get0_data(o), OBJ_length(o)));
	ASN1_OBJECT_free(o);
	return v;
}

#define OID_DATA "1.2.840.113549.1.7.1"
#define OID_ENVELOPED "1.2.840.113549.1.7.3"
#define OID_ENCRYPTED "1.2.840.113549.1.7.6"
#define OID_SHROUDED "1.2.840.113549.1.12.10.1.2"
#define OID_SHA1_3DES "1.2.840.113549.1.12.1.3"
#define OID_PBES2 "1.2.840.113549.1.5.13"
#define OID_PBKDF2 "1.2.840.113549.1.5.12"
#define OID_SCRYPT "1.3.6.1.4.1.11591.4.11"
#define OID_PBMAC1 "1.2.840.113549.1.5.14"
#define OID_AES256 "2.16.840.1.101.3.4.1.42"
#define OID_SHA256 "2.16.840.1.101.3.4.2.1"
#define OID_HMAC256 "1.2.840.113549.2.9"

static struct view data_info(struct view content)
{
	return T(DER_SEQUENCE, oid(OID_DATA), T(DER_CTX0,
	    T(DER_OCTET_STRING, content)));
}

/* Of the parts of its AuthenticatedSafe; mac may be EMPTY. */
static struct view pfx(struct view parts, struct view mac)
{
	return T(DER_SEQUENCE, integer("03"), data_info(T(DER_SEQUENCE,
	    parts)), mac);
}

static struct view mac_data(const char *iterations, size_t salt)
{
	return T(DER_SEQUENCE, T(DER_SEQUENCE, T(DER_SEQUENCE,
	    oid(OID_SHA256)), octets(32)), octets(salt),
	    integer(iterations));
}

static struct view pbe(const char *iterations, size_t salt)
{
	return T(DER_SEQUENCE, oid(OID_SHA1_3DES), T(DER_SEQUENCE,
	    octets(salt), integer(iterations)));
}

static struct view pbes2(const char *iterations, size_t salt)
{
	return T(DER_SEQUENCE, oid(OID_PBES2), T(DER_SEQUENCE,
	    T(DER_SEQUENCE, oid(OID_PBKDF2), T(DER_SEQUENCE, octets(salt),
	    integer(iterations))), T(DER_SEQUENCE, oid(OID_AES256),
	    octets(16))));
}

static struct view scrypt(const char *n, const char *r, const char *p)
{
	return T(DER_SEQUENCE, oid(OID_PBES2), T(DER_SEQUENCE,
	    T(DER_SEQUENCE, oid(OID_SCRYPT), T(DER_SEQUENCE, octets(8),
	    integer(n), integer(r), integer(p))), T(DER_SEQUENCE,
	    oid(OID_AES256), octets(16))));
}

static struct view locked_key(struct view algorithm)
{
	return T(DER_SEQUENCE, algorithm, octets(64));
}

static struct view shrouded(struct view algorithm)
{
	return data_info(T(DER_SEQUENCE, T(DER_SEQUENCE, oid(OID_SHROUDED),
	    T(DER_CTX0, locked_key(algorithm)))));
}

static struct view encrypted(struct view algorithm, struct view content)
{
	return T(DER_SEQUENCE, oid(OID_ENCRYPTED), T(DER_CTX0,
	    T(DER_SEQUENCE, integer("00"), T(DER_SEQUENCE, oid(OID_DATA),
	    algorithm, content))));
}

static struct view some_content(void)
{
	static const unsigned char zero[64];

	return T(DER_CTX0_PRIM, view_make(zero, sizeof(zero)));
}

/* The four places that name iterations and a salt. */
static struct view asking(size_t where, const char *iterations, size_t salt)
{
	arena_n = 0;
	switch (where) {
	case 0:
		return pfx(EMPTY, mac_data(iterations, salt));
	case 1:
		return pfx(encrypted(pbe(iterations, salt), some_content()),
		    EMPTY);
	case 2:
		return pfx(shrouded(pbes2(iterations, salt)), EMPTY);
	default:
		return locked_key(pbes2(iterations, salt));
	}
}

/* ---- those who want to keep us busy ---- */

/* attack A61: a file that asks for very many iterations of a key derivation
 * verdict: refused by name before any of them is done */
static void A61_very_many_iterations(void **state)
{
	static const struct {
		const char *iterations;
		const char *want;
	} cases[] = {
		{ "7fffffff", "more than 10000000 times" },
		{ "00989681", "more than 10000000 times" },
		{ "00ffffffffffffffff", "more than 10000000 times" },
		{ "7fffffffffffffffffffff", "more than 10000000 times" },
		{ "ff", "more than 10000000 times" },
		{ "989680", "more than 10000000 times" }, /* negative */
	};
	struct bench b;
	size_t i, where;

	(void)state;
	bench_make(&b);
	b.o.password = "x";
	for (i = 0; i < ARRAY_LEN(cases); i++)
		for (where = 0; where < 4; where++) {
			assert_int_equal(run(&b, asking(where,
			    cases[i].iterations, 8)), -1);
			assert_int_equal(b.e.kind, FAIL_INPUT);
			said(&b, cases[i].want);
		}
	/* At the cap it is tried, as far as the file's budget goes. */
	b.o.kdf = CAP_IMPORT_KDF - 1;
	for (where = 0; where < 4; where++) {
		assert_int_equal(run(&b, asking(where, "00989680", 8)), -1);
		said(&b, "more than 9999999 times in all");
	}
	bench_clear(&b);
}

/* attack A61: a key under scrypt with little memory, which libcrypto takes,
 * and 23000 times in parallel, which keeps it busy for ten minutes
 * verdict: N * r * p is counted like iterations, and refused by name */
static void A61_scrypt_is_counted(void **state)
{
	static const struct {
		const char *n, *r, *p, *want;
	} cases[] = {
		{ "2000", "08", "59d8", "more than 10000000 times" },
		{ "4000", "08", "4d", "more than 10000000 times" },
		{ "7fffffffffffffff", "7fffffffffffffff", "7fffffffffffffff",
		    "more than 10000000 times" },
		{ "7fffffffffffffffffff", "01", "01",
		    "more than 10000000 times" },
		{ "02", "ff", "01", "more than 10000000 times" },
		{ "2000", "01", "05", "more than 20000 times in all" },
		{ "00", "08", "01", "does not open" },
		{ "2000", "01", "02", "does not open" },
	};
	struct bench b;
	size_t i;

	(void)state;
	bench_make(&b);
	b.o.password = "x";
	b.o.kdf = 20000;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		arena_n = 0;
		assert_int_equal(run(&b, pfx(shrouded(scrypt(cases[i].n,
		    cases[i].r, cases[i].p)), EMPTY)), -1);
		said(&b, cases[i].want);
		arena_n = 0;
		assert_int_equal(run(&b, locked_key(scrypt(cases[i].n,
		    cases[i].r, cases[i].p))), -1);
		said(&b, cases[i].want);
	}
	bench_clear(&b);
}

/* attack A61: many parts of a file ask for many iterations each
 * verdict: their sum is bounded */
static void A61_iterations_of_a_file_are_counted(void **state)
{
	struct view part;
	struct bench b;

	(void)state;
	bench_make(&b);
	b.o.password = "x";
	b.o.kdf = 2000;
	arena_n = 0;
	part = shrouded(pbes2("03e8", 8));
	assert_int_equal(run(&b, T(DER_SEQUENCE, integer("03"),
	    data_info(T(DER_SEQUENCE, part, part)))), -1);
	said(&b, "does not open with this password");
	assert_int_equal(run(&b, T(DER_SEQUENCE, integer("03"),
	    data_info(T(DER_SEQUENCE, part, part, part)))), -1);
	said(&b, "more than 2000 times in all");
	bench_clear(&b);
}

/* attack A61: a salt of any size
 * verdict: more than CAP_IMPORT_SALT is refused by name */
static void A61_giant_salt(void **state)
{
	struct bench b;
	size_t where;

	(void)state;
	bench_make(&b);
	b.o.password = "x";
	for (where = 0; where < 4; where++) {
		assert_int_equal(run(&b, asking(where, "01",
		    CAP_IMPORT_SALT)), -1);
		said(&b, "does not open with this password");
		assert_int_equal(run(&b, asking(where, "01",
		    CAP_IMPORT_SALT + 1)), -1);
		said(&b, "a salt of 1025 octets, at most 1024 are taken");
	}
	bench_clear(&b);
}

/* ---- those who want to bring us down ---- */

/* attack A61: CVE-2024-0727, CVE-2025-69421: content that is announced and
 * not there
 * verdict: refused, no NULL is followed */
static void A61_content_that_is_not_there(void **state)
{
	struct bench b;
	size_t i;

	(void)state;
	bench_make(&b);
	b.o.password = "x";
	arena_n = 0;
	{
		struct view alg = pbe("01", 8);
		const struct view files[] = {
			T(DER_SEQUENCE, integer("03"), T(DER_SEQUENCE,
			    oid(OID_DATA))),
			T(DER_SEQUENCE, integer("03"), T(DER_SEQUENCE,
			    oid(OID_DATA), T(DER_CTX0, EMPTY))),
			T(DER_SEQUENCE, integer("03"), T(DER_SEQUENCE,
			    oid(OID_DATA), T(DER_CTX0, octets(0)))),
			T(DER_SEQUENCE, integer("03"), T(DER_SEQUENCE,
			    oid(OID_ENCRYPTED)), mac_data("01", 8)),
			T(DER_SEQUENCE, integer("03"), EMPTY),
			pfx(T(DER_SEQUENCE, oid(OID_DATA)), EMPTY),
			pfx(T(DER_SEQUENCE, oid(OID_ENCRYPTED)), EMPTY),
			pfx(T(DER_SEQUENCE, oid(OID_ENCRYPTED),
			    T(DER_CTX0, EMPTY)), EMPTY),
			pfx(encrypted(alg, EMPTY), EMPTY),
			pfx(encrypted(EMPTY, some_content()), EMPTY),
			pfx(T(DER_SEQUENCE, oid(OID_ENVELOPED)), EMPTY),
			pfx(EMPTY, T(DER_SEQUENCE, EMPTY)),
			pfx(EMPTY, T(DER_SEQUENCE, T(DER_SEQUENCE,
			    EMPTY), octets(1))),
			pfx(data_info(T(DER_SEQUENCE, T(DER_SEQUENCE,
			    oid(OID_SHROUDED)))), EMPTY),
			pfx(data_info(T(DER_SEQUENCE, T(DER_SEQUENCE,
			    oid(OID_SHROUDED), T(DER_CTX0, T(DER_SEQUENCE,
			    EMPTY))))), EMPTY),
		};

		for (i = 0; i < ARRAY_LEN(files); i++) {
			if (run(&b, files[i]) != -1 ||
			    b.e.kind != FAIL_INPUT)
				fail_msg("%zu: %s", i, b.e.msg);
			assert_int_equal(stored(&b), 0);
		}
	}
	bench_clear(&b);
}

/* ---- good ones ---- */

struct form {
	const char *password;
	int key, certs; /* NIDs; -1: not encrypted */
	int iterations, mac; /* mac -1: none */
	bool old;
};

static struct view make(const struct form *f, struct buf *out)
{
	OSSL_LIB_CTX *lib = OSSL_LIB_CTX_new();
	OSSL_PROVIDER *a = OSSL_PROVIDER_load(lib, "default");
	OSSL_PROVIDER *o = f->old ? OSSL_PROVIDER_load(lib, "legacy") : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	PKCS12 *p12;

	assert_non_null(a);
	if (f->old && o == NULL)
		skip(); /* package openssl-provider-legacy */
	p12 = PKCS12_create_ex(f->password, "alice", alice.key, alice.x,
	    NULL, f->key, f->certs, f->iterations, f->mac, 0, lib, NULL);
	assert_non_null(p12);
	assert_int_equal(i2d_PKCS12_bio(bio, p12), 1);
	buf_clear(out);
	bio_to_buf(bio, out);
	PKCS12_free(p12);
	OSSL_PROVIDER_unload(a);
	if (o != NULL)
		OSSL_PROVIDER_unload(o);
	OSSL_LIB_CTX_free(lib);
	return buf_view(out);
}

#define AES NID_aes_256_cbc
#define AES128 NID_aes_128_cbc
#define TDES NID_pbe_WithSHA1And3_Key_TripleDES_CBC
#define RC2_40 NID_pbe_WithSHA1And40BitRC2_CBC
#define RC2_128 NID_pbe_WithSHA1And128BitRC2_CBC

static void A61_every_cipher_and_password(void **state)
{
	static const struct form forms[] = {
		{ "pw", AES, AES, 2048, 2048, false },
		{ "pw", AES128, AES128, 1, 1, false },
		{ "pw", TDES, TDES, 2048, 1, false },
		{ "pw", TDES, RC2_40, 2048, 1, true },
		{ "pw", RC2_40, RC2_128, 2048, 1, true },
		{ "pw", AES, -1, 2048, 2048, false },
		{ "pw", -1, -1, 2048, 2048, false },
		{ "pw", AES, AES, 2048, -1, false }, /* no MAC */
		{ "pw", -1, -1, 2048, -1, false },
		{ "Gr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac", AES, TDES, 100,
		    100, false },
		{ "", AES, AES, 100, 100, false },
		{ NULL, AES, AES, 100, 100, false },
		{ NULL, TDES, TDES, 100, 100, false },
	};
	struct buf out;
	struct bench b;
	size_t i;

	(void)state;
	buf_init_secret(&out, 1u << 20);
	for (i = 0; i < ARRAY_LEN(forms); i++) {
		bench_make(&b);
		b.o.password = forms[i].password;
		if (run(&b, make(&forms[i], &out)) != 0 || b.good != 2 ||
		    b.seen.keys != 1 || b.seen.skipped != 0)
			fail_msg("form %zu: %zu good, %s", i, b.good,
			    b.e.msg);
		bench_clear(&b);
	}
	buf_free(&out);
}

static void A61_the_wrong_password_is_named(void **state)
{
	static const struct {
		struct form f;
		const char *want; /* without one; NULL: it opens */
		const char *wrong;
	} cases[] = {
		{ { "pw", AES, AES, 10, 10, false }, IMPORT_LOCKED,
		    "does not open with this password" },
		{ { "pw", TDES, -1, 10, 10, false }, IMPORT_LOCKED,
		    "does not open with this password" },
		{ { "pw", AES, AES, 10, -1, false },
		    "PBES2 with PBKDF2 and AES-256-CBC, does not open",
		    "PBES2 with PBKDF2 and AES-256-CBC, does not open" },
		{ { "", AES, AES, 10, 10, false }, NULL, NULL },
	};
	struct buf out;
	struct bench b;
	size_t i;

	(void)state;
	buf_init_secret(&out, 1u << 20);
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		bench_make(&b);
		(void)make(&cases[i].f, &out);
		assert_int_equal(run(&b, buf_view(&out)),
		    cases[i].want == NULL ? 0 : -1);
		if (cases[i].want != NULL)
			said(&b, cases[i].want);
		b.o.password = "wrong";
		assert_int_equal(run(&b, buf_view(&out)),
		    cases[i].wrong == NULL ? 0 : -1);
		if (cases[i].wrong != NULL) {
			said(&b, cases[i].wrong);
			assert_int_equal(stored(&b), 0);
		}
		bench_clear(&b);
	}
	buf_free(&out);
}

/* RFC 9579 6, over a file that has no MAC. */
static struct view with_pbmac1(struct view file, const char *password)
{
	static const unsigned char salt[2048];
	unsigned char key[32], mac[32];
	struct der seq, version, info, type, content, data;
	struct view prf = T(DER_SEQUENCE, oid(OID_HMAC256));
	struct view in;
	unsigned n = 0;

	assert_int_equal(der_get(&file, DER_SEQUENCE, &seq), 0);
	assert_int_equal(der_get(&seq.val, DER_INTEGER, &version), 0);
	assert_int_equal(der_get(&seq.val, DER_SEQUENCE, &info), 0);
	in = info.val;
	assert_int_equal(der_get(&in, DER_OID, &type), 0);
	assert_int_equal(der_get(&in, DER_CTX0, &content), 0);
	assert_int_equal(der_get(&content.val, DER_OCTET_STRING, &data), 0);
	assert_int_equal(PKCS5_PBKDF2_HMAC(password, -1, salt, 8, 1000,
	    EVP_sha256(), 32, key), 1);
	assert_non_null(HMAC(EVP_sha256(), key, 32, data.val.p, data.val.n,
	    mac, &n));
	return T(DER_SEQUENCE, version.whole, info.whole, T(DER_SEQUENCE,
	    T(DER_SEQUENCE, T(DER_SEQUENCE, oid(OID_PBMAC1),
	    T(DER_SEQUENCE, T(DER_SEQUENCE, oid(OID_PBKDF2),
	    T(DER_SEQUENCE, octets(8), integer("03e8"), integer("20"),
	    prf)), prf)), T(DER_OCTET_STRING, view_make(mac, n))),
	    octets(8), integer("01")));
}

static void A61_pbmac1_where_the_library_can(void **state)
{
	const struct form f = { "pw", AES, AES, 10, -1, false };
	struct view file;
	struct buf out;
	struct bench b;

	(void)state;
	buf_init_secret(&out, 1u << 20);
	bench_make(&b);
	arena_n = 0;
	file = with_pbmac1(make(&f, &out), "pw");
	b.o.password = "pw";
	if (ossl_has_pbmac1()) {
		assert_int_equal(run(&b, file), 0);
		assert_int_equal(b.good, 2);
		b.o.password = "wrong";
		assert_int_equal(run(&b, file), -1);
		said(&b, "does not open with this password");
	} else {
		assert_int_equal(run(&b, file), -1);
		said(&b, "PBMAC1 (RFC 9579), which OpenSSL 3.");
		said(&b, "3.4 and later can");
		assert_int_equal(stored(&b), 0);
	}
	b.o.kdf = 999;
	assert_int_equal(run(&b, file), -1);
	said(&b, "more than 999 times in all");
	buf_free(&out);
	bench_clear(&b);
}

/* attack A61: any octet of a PKCS#12 file changed, or everything after it
 * gone
 * verdict: refused or read, never a crash; nothing is kept of what fails */
static void A61_every_octet_changed(void **state)
{
	static const unsigned char change[] = { 0x01, 0x80, 0xff };
	const struct form f = { "pw", AES, -1, 1, 1, false };
	struct buf out;
	struct bench b;
	size_t i, j;

	(void)state;
	buf_init_secret(&out, 1u << 20);
	bench_make(&b);
	(void)make(&f, &out);
	b.o.password = "pw";
	b.o.kdf = 20000;
	for (i = 0; i < out.n; i++)
		for (j = 0; j < sizeof(change); j++) {
			out.p[i] ^= change[j];
			must(keystore_begin(b.ks, e));
			if (run(&b, buf_view(&out)) != 0)
				assert_true(b.e.kind == FAIL_INPUT);
			keystore_rollback(b.ks);
			out.p[i] ^= change[j];
		}
	assert_int_equal(stored(&b), 0);
	assert_int_equal(run(&b, buf_view(&out)), 0);
	buf_free(&out);
	bench_clear(&b);
}

static int setup(void **state)
{
	const struct spec a = { .san = "email:alice@example.com" };

	(void)state;
	cert_make(&alice, &a, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&alice);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A61_very_many_iterations),
		cmocka_unit_test(A61_scrypt_is_counted),
		cmocka_unit_test(A61_iterations_of_a_file_are_counted),
		cmocka_unit_test(A61_giant_salt),
		cmocka_unit_test(A61_content_that_is_not_there),
		cmocka_unit_test(A61_every_cipher_and_password),
		cmocka_unit_test(A61_the_wrong_password_is_named),
		cmocka_unit_test(A61_pbmac1_where_the_library_can),
		cmocka_unit_test(A61_every_octet_changed),
	};

	return cmocka_run_group_tests_name("keystore_import_p12", tests,
	    setup, teardown);
}
