/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signatures whose arithmetic is almost right: forgeries without a key and
 * encodings that only a lax reader takes, as whole messages.
 */
#include "tests/unit/gateway_forge.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

static struct world w;
static struct testca ca;
static struct testca_id alice, ec, e3, e3_small, pss;

#define NOW ((int64_t)time(NULL))

static EVP_PKEY *rsa_with_e3(int bits)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *k = NULL;
	BIGNUM *e = BN_new();

	assert_int_equal(BN_set_word(e, 3), 1);
	assert_int_equal(EVP_PKEY_keygen_init(c), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(c, bits), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(c, e), 1);
	assert_int_equal(EVP_PKEY_keygen(c, &k), 1);
	EVP_PKEY_CTX_free(c);
	BN_free(e);
	return k;
}

static int make_world(void **state)
{
	EVP_PKEY *k[2] = {rsa_with_e3(2048), rsa_with_e3(1024)};

	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = "alice@example.com"}, &alice);
	testca_issue(&ca, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"}, &ec);
	testca_issue(&ca, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = "alice@example.com"}, &pss);
	testca_issue(&ca, &(struct testca_leaf){.use_key = k[0],
	    .mail = "alice@example.com"}, &e3);
	testca_issue(&ca, &(struct testca_leaf){.use_key = k[1],
	    .mail = "alice@example.com"}, &e3_small);
	EVP_PKEY_free(k[0]);
	EVP_PKEY_free(k[1]);
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	struct testca_id *const id[] = {&alice, &ec, &e3, &e3_small, &pss};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(id[i]);
	testca_free(&ca);
	world_end(&w);
	return 0;
}

/* f as it is, now, clear and opaque. */
static void expect_both(const char *name, struct forge f, const char *result,
    const char *step)
{
	for (int i = 0; i < 2; i++) {
		f.opaque = i == 1;
		if (f.at == 0)
			f.at = NOW;
		forge_open(&w, &f, 1);
		world_signature(&w, result, step);
		assert_int_equal(count_of(&w, "smime="), 1);
		if (strcmp(result, "pass") != 0 && has(&w, "smime=pass"))
			fail_msg("%s", name);
	}
}

/* ---- arithmetic: RSA PKCS#1 v1.5 ---- */

static const unsigned char info_sha256[] = {0x30, 0x31, 0x30, 0x0d, 0x06,
    0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,
    0x04, 0x20};

static void sha256(struct view v, unsigned char md[32])
{
	assert_int_equal(EVP_Digest(v.p, v.n, md, NULL, EVP_sha256(), NULL),
	    1);
}

/* The cube root, rounded down. */
static BIGNUM *cube_root(const BIGNUM *n, BN_CTX *c)
{
	BIGNUM *r = BN_new(), *x = BN_new();

	for (int bit = BN_num_bits(n) / 3 + 1; bit >= 0; bit--) {
		assert_int_equal(BN_set_bit(r, bit), 1);
		assert_int_equal(BN_sqr(x, r, c), 1);
		assert_int_equal(BN_mul(x, x, r, c), 1);
		if (BN_cmp(x, n) > 0)
			assert_int_equal(BN_clear_bit(r, bit), 1);
	}
	BN_free(x);
	return r;
}

static void cube(const BIGNUM *s, unsigned char *em, size_t n, BN_CTX *c)
{
	BIGNUM *x = BN_new();

	assert_int_equal(BN_sqr(x, s, c), 1);
	assert_int_equal(BN_mul(x, x, s, c), 1);
	assert_true(BN_num_bytes(x) <= (int)n);
	assert_int_equal(BN_bn2binpad(x, em, (int)n), (int)n);
	BN_free(x);
}

/* 00 01 FF.. 00 DigestInfo, then anything: s with s^3 of that form. */
static void forge_tail(const struct forge *f, struct view tbs,
    struct buf *sig)
{
	size_t n = (size_t)EVP_PKEY_get_size(f->id->key), head = 11;
	unsigned char em[256], want[256];
	BN_CTX *c = BN_CTX_new();
	BIGNUM *x, *s;

	memset(em, 0xff, sizeof(em));
	em[0] = 0;
	em[1] = 1;
	em[10] = 0;
	memcpy(em + head, info_sha256, sizeof(info_sha256));
	sha256(tbs, em + head + sizeof(info_sha256));
	head += sizeof(info_sha256) + 32;
	memcpy(want, em, head);
	x = BN_bin2bn(em, (int)n, NULL);
	s = cube_root(x, c);
	cube(s, em, n, c);
	/* what a careless reader looks at is as it should be */
	if (n > 128)
		assert_memory_equal(em, want, head);
	assert_int_equal(BN_bn2binpad(s, em, (int)n), (int)n);
	buf_put(sig, em, n);
	BN_free(x);
	BN_free(s);
	BN_CTX_free(c);
}

/* s in place of its low bits: a number whose cube ends in these octets,
 * which must be odd. */
static void set_low_bits(BIGNUM *s, const unsigned char *end, size_t n,
    BN_CTX *c)
{
	BIGNUM *x = BN_new(), *y = BN_new(), *want;

	want = BN_bin2bn(end, (int)n, NULL);
	BN_zero(x);
	for (int bit = 0; bit < (int)n * 8; bit++) {
		assert_int_equal(BN_sqr(y, x, c), 1);
		assert_int_equal(BN_mul(y, y, x, c), 1);
		if (BN_is_bit_set(y, bit) != BN_is_bit_set(want, bit))
			assert_int_equal(BN_set_bit(x, bit), 1);
	}
	assert_int_equal(BN_rshift(s, s, (int)n * 8), 1);
	assert_int_equal(BN_lshift(s, s, (int)n * 8), 1);
	assert_int_equal(BN_add(s, s, x), 1);
	BN_free(x);
	BN_free(y);
	BN_free(want);
}

static bool forged_middle; /* this digest was odd: the forgery was made */

/* Rubbish in the parameters of the digest algorithm, digest at the end. */
static void forge_middle(const struct forge *f, struct view tbs,
    struct buf *sig)
{
	/* 256 octets: DigestInfo of 245, its algorithm of 208, an OCTET
	 * STRING of 194 for parameters */
	static const unsigned char head[] = {0, 1, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0xff, 0xff, 0, 0x30, 0x81, 0xf2, 0x30, 0x81, 0xcd,
	    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
	    0x01, 0x04, 0x81, 0xbf};
	unsigned char em[256], end[34] = {0x04, 0x20};
	BN_CTX *c = BN_CTX_new();
	BIGNUM *x, *s;

	(void)f;
	sha256(tbs, end + 2);
	forged_middle = (end[33] & 1) == 1;
	/* room to both sides for what the low bits do to the high ones */
	memset(em, 0x7f, sizeof(em));
	memcpy(em, head, sizeof(head));
	x = BN_bin2bn(em, 256, NULL);
	s = cube_root(x, c);
	if (forged_middle) {
		set_low_bits(s, end, sizeof(end), c);
		cube(s, em, 256, c);
		assert_memory_equal(em, head, sizeof(head));
		assert_memory_equal(em + 256 - sizeof(end), end,
		    sizeof(end));
	}
	assert_int_equal(BN_bn2binpad(s, em, 256), 256);
	buf_put(sig, em, 256);
	BN_free(x);
	BN_free(s);
	BN_CTX_free(c);
}

/* attack A39: Bleichenbacher's forgery of 2006 without any private key, for
 * keys with exponent 3: rubbish behind the digest, or within its parameters
 * verdict: fail at S70 */
static void A39_cube_roots(void **state)
{
	struct forge f = {.id = &e3, .certs = {e3.cert, ca.sub.cert},
	    .at = NOW, .sign = forge_tail};
	int min = w.config->min_rsa_bits;

	(void)state;
	expect_both("tail", f, "fail", "S70");
	f.sign = forge_middle;
	forged_middle = false;
	for (int i = 0; i < 64 && !forged_middle; i++) {
		f.at--;
		forge_open(&w, &f, 1);
		world_signature(&w, "fail", "S70");
	}
	assert_true(forged_middle);
	/* and with 1024 bits, where somebody lets them in */
	w.config->min_rsa_bits = 1024;
	f = (struct forge){.id = &e3_small, .certs = {e3_small.cert,
	    ca.sub.cert}, .at = NOW, .sign = forge_tail};
	expect_both("tail, 1024 bits", f, "fail", "S70");
	w.config->min_rsa_bits = min;
	/* the same keys do sign */
	f = (struct forge){.id = &e3, .certs = {e3.cert, ca.sub.cert}};
	expect_both("genuine", f, "pass", "");
}

enum lax { WELL, NO_NULL, TAIL, SHORT_PAD, OID_512, OID_1, TYPE_2, ODD_PAD,
	LONG_LENGTH, NO_INFO, NO_PAD, LAX_N };
static const char *const lax_name[] = {"well", "no NULL", "tail",
    "short padding", "OID of SHA-512", "OID of SHA-1", "block type 2",
    "odd padding", "long length", "no DigestInfo", "no padding"};
static enum lax lax;

/* DigestInfo, right or not. */
static size_t make_info(unsigned char *to, const unsigned char md[32])
{
	static const unsigned char no_null[] = {0x30, 0x2f, 0x30, 0x0b, 0x06,
	    0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x04,
	    0x20};
	static const unsigned char sha1[] = {0x30, 0x2d, 0x30, 0x09, 0x06,
	    0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x20};
	static const unsigned char longer[] = {0x30, 0x81, 0x31, 0x30, 0x0d,
	    0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01,
	    0x05, 0x00, 0x04, 0x20};
	struct view v = view_make(info_sha256, sizeof(info_sha256));

	if (lax == NO_NULL)
		v = view_make(no_null, sizeof(no_null));
	if (lax == OID_1)
		v = view_make(sha1, sizeof(sha1));
	if (lax == LONG_LENGTH)
		v = view_make(longer, sizeof(longer));
	if (lax == NO_INFO)
		v.n = 0;
	memcpy(to, v.p, v.n);
	if (lax == OID_512)
		to[14] = 3;
	memcpy(to + v.n, md, 32);
	return v.n + 32;
}

/* The private operation on a block of our own making. */
static void sign_lax(const struct forge *f, struct view tbs, struct buf *sig)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(f->id->key, NULL);
	unsigned char em[256], info[100], md[32], *to = buf_room(sig, 256);
	size_t n, at, out = 256;

	sha256(tbs, md);
	n = make_info(info, md);
	memset(em, 0xff, sizeof(em));
	at = lax == TAIL || lax == SHORT_PAD ? 11 : 256 - n;
	em[0] = 0;
	em[1] = lax == TYPE_2 ? 2 : 1;
	em[at - 1] = 0;
	memcpy(em + at, info, n);
	if (lax == SHORT_PAD)
		memset(em + at + n, 0, 256 - at - n);
	if (lax == ODD_PAD)
		em[100] = 0xfe;
	if (lax == NO_PAD)
		memset(em, 0, at);
	assert_true(c != NULL && to != NULL);
	assert_int_equal(EVP_PKEY_decrypt_init(c), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING), 1);
	assert_int_equal(EVP_PKEY_decrypt(c, to, &out, em, 256), 1);
	sig->n += out;
	EVP_PKEY_CTX_free(c);
}

/* attack A39: blocks of PKCS#1 v1.5 that only a lax reader takes
 * verdict: fail at S70 */
static void A39_blocks_that_are_not_quite_right(void **state)
{
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .sign = sign_lax};

	(void)state;
	for (int i = 0; i < LAX_N; i++) {
		lax = (enum lax)i;
		expect_both(lax_name[i], f, lax == WELL ? "pass" : "fail",
		    lax == WELL ? "" : "S70");
	}
}

/* ---- arithmetic: ECDSA and PSS ---- */

#define P256_N \
	"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"

enum ecdsa { E_WELL, R_0, S_0, BOTH_0, R_N, R_PLUS_N, S_PLUS_N, R_NEGATIVE,
	E_LONG, E_TAIL, E_INSIDE, R_PADDED, E_EMPTY, E_ONE, R_1_S_1,
	E_MIRROR, E_N };
static const char *const ecdsa_name[] = {"well", "r 0", "s 0", "both 0",
    "r n", "r + n", "s + n", "r negative", "long length", "octets behind",
    "octets inside", "r padded", "empty", "one number", "both 1", "n - s"};
static enum ecdsa ecdsa;

static void put_number(struct buf *b, const BIGNUM *x, int pad)
{
	unsigned char mem[80] = {0};
	int n = BN_num_bytes(x) + pad;

	assert_true(BN_bn2binpad(x, mem, n) == n);
	if (n == 0)
		n = 1;
	put_tlv(b, DER_INTEGER, view_make(mem, (size_t)n));
}

static void alter_numbers(BIGNUM *r, BIGNUM *s)
{
	BIGNUM *n = NULL;

	BN_hex2bn(&n, P256_N);
	if (ecdsa == R_0 || ecdsa == BOTH_0)
		BN_zero(r);
	if (ecdsa == S_0 || ecdsa == BOTH_0)
		BN_zero(s);
	if (ecdsa == R_N)
		assert_non_null(BN_copy(r, n));
	if (ecdsa == R_PLUS_N)
		assert_int_equal(BN_add(r, r, n), 1);
	if (ecdsa == S_PLUS_N)
		assert_int_equal(BN_add(s, s, n), 1);
	if (ecdsa == R_1_S_1 &&
	    (BN_one(r) != 1 || BN_one(s) != 1))
		fail();
	if (ecdsa == E_MIRROR)
		assert_int_equal(BN_sub(s, n, s), 1);
	BN_free(n);
}

static void sign_ecdsa(const struct forge *f, struct view tbs,
    struct buf *sig)
{
	struct buf good;
	struct der seq, r, s;
	struct view in;
	BIGNUM *x, *y;
	int pad;

	buf_init(&good, 4096);
	make_signature(f, tbs, &good);
	in = buf_view(&good);
	assert_int_equal(der_get(&in, DER_SEQUENCE, &seq), 0);
	assert_int_equal(der_get(&seq.val, DER_INTEGER, &r), 0);
	assert_int_equal(der_get(&seq.val, DER_INTEGER, &s), 0);
	x = BN_bin2bn(r.val.p, (int)r.val.n, NULL);
	y = BN_bin2bn(s.val.p, (int)s.val.n, NULL);
	alter_numbers(x, y);
	pad = BN_num_bits(x) % 8 == 0 ? 1 : 0;
	if (ecdsa == R_NEGATIVE)
		pad = 0;
	put_number(sig, x, ecdsa == R_PADDED ? pad + 1 : pad);
	if (ecdsa != E_ONE)
		put_number(sig, y, BN_num_bits(y) % 8 == 0 ? 1 : 0);
	if (ecdsa == E_INSIDE)
		buf_put(sig, "\x05\x00", 2);
	wrap_buf(sig, DER_SEQUENCE);
	if (ecdsa == E_LONG) {
		in = view_sub(buf_view(sig), 2, sig->n);
		buf_clear(&good);
		buf_put(&good, "\x30\x81", 2);
		buf_putc(&good, (int)in.n);
		buf_putv(&good, in);
		buf_clear(sig);
		buf_putv(sig, buf_view(&good));
	}
	if (ecdsa == E_TAIL)
		buf_putc(sig, 0);
	if (ecdsa == E_EMPTY)
		buf_clear(sig);
	buf_free(&good);
	BN_free(x);
	BN_free(y);
}

/* attack A39: ECDSA with r or s of 0 or the order of the curve, negative
 * or doubled numbers, encodings that are no DER
 * verdict: fail at S70 */
static void A39_ecdsa(void **state)
{
	struct forge f = {.id = &ec, .certs = {ec.cert, ca.sub.cert},
	    .sign = sign_ecdsa};
	bool negative_seen = false;

	(void)state;
	for (int i = 0; i < E_N; i++) {
		ecdsa = (enum ecdsa)i;
		/* n - s says the same of the same octets: no forgery */
		bool good = ecdsa == E_WELL || ecdsa == E_MIRROR;

		if (ecdsa != R_NEGATIVE) {
			expect_both(ecdsa_name[i], f, good ? "pass" :
			    "fail", good ? "" : "S70");
			continue;
		}
		/* only an r of full length can lose its zero */
		for (int k = 0; k < 64 && !negative_seen; k++) {
			f.at = NOW - k;
			forge_open(&w, &f, 1);
			negative_seen = strcmp(w.v.sig_result, "fail") == 0;
		}
		f.at = 0;
		assert_true(negative_seen);
	}
}

struct pss_row {
	const char *name;
	enum oid hash, mgf, mgf_hash; /* OID_UNKNOWN: absent */
	int salt, trailer;	      /* -1: absent */
	int used;		      /* salt in truth */
	const char *result, *step;
};
static const struct pss_row *pss_row;

static void put_explicit(struct buf *b, int tag, struct buf *inner)
{
	wrap_buf(inner, tag);
	buf_putv(b, buf_view(inner));
	buf_clear(inner);
}

static void make_pss_alg(const struct pss_row *r, struct buf *out)
{
	unsigned char number;
	struct buf p, t;

	buf_init(&p, 1000);
	buf_init(&t, 1000);
	if (r->hash != OID_UNKNOWN) {
		put_alg(&t, r->hash, true, DER_SEQUENCE);
		put_explicit(&p, DER_CTX0, &t);
	}
	if (r->mgf != OID_UNKNOWN) {
		put_oid(&t, r->mgf);
		put_alg(&t, r->mgf_hash, true, DER_SEQUENCE);
		wrap_buf(&t, DER_SEQUENCE);
		put_explicit(&p, DER_CTX0 + 1, &t);
	}
	if (r->salt != -1) {
		number = (unsigned char)r->salt;
		put_tlv(&t, DER_INTEGER, view_make(&number, 1));
		put_explicit(&p, DER_CTX0 + 2, &t);
	}
	if (r->trailer != -1) {
		number = (unsigned char)r->trailer;
		put_tlv(&t, DER_INTEGER, view_make(&number, 1));
		put_explicit(&p, DER_CTX0 + 3, &t);
	}
	wrap_buf(&p, DER_SEQUENCE);
	buf_clear(out);
	put_oid(out, OID_RSA_PSS);
	buf_putv(out, buf_view(&p));
	wrap_buf(out, DER_SEQUENCE);
	buf_free(&p);
	buf_free(&t);
}

static void sign_pss(const struct forge *f, struct view tbs, struct buf *sig)
{
	EVP_MD_CTX *m = EVP_MD_CTX_new();
	unsigned char *to = buf_room(sig, 256);
	EVP_PKEY_CTX *pc;
	size_t n = 256;

	assert_int_equal(EVP_DigestSignInit(m, &pc, EVP_sha256(), NULL,
	    f->id->key), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(pc,
	    RSA_PKCS1_PSS_PADDING), 1);
	if (pss_row->mgf_hash == OID_SHA1)
		assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(pc,
		    EVP_sha1()), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pc,
	    pss_row->used), 1);
	assert_int_equal(EVP_DigestSign(m, to, &n, tbs.p, tbs.n), 1);
	sig->n += n;
	EVP_MD_CTX_free(m);
}

/* attack A39: RSASSA-PSS with parameters that weaken or confuse
 * verdict: policy at S68 for what is odd, fail at S70 for what is untrue */
static void A39_pss(void **state)
{
	static const struct pss_row rows[] = {
		{"well", OID_SHA256, OID_MGF1, OID_SHA256, 32, -1, 32,
		    "pass", ""},
		{"trailer said", OID_SHA256, OID_MGF1, OID_SHA256, 32, 1, 32,
		    "pass", ""},
		{"salt too long", OID_SHA256, OID_MGF1, OID_SHA256, 33, -1,
		    33, "policy", "S68"},
		{"salt longer than said", OID_SHA256, OID_MGF1, OID_SHA256,
		    20, -1, 32, "fail", "S70"},
		{"salt absent, 20", OID_SHA256, OID_MGF1, OID_SHA256, -1, -1,
		    32, "fail", "S70"},
		{"trailer 2", OID_SHA256, OID_MGF1, OID_SHA256, 32, 2, 32,
		    "policy", "S68"},
		{"mask by SHA-1", OID_SHA256, OID_MGF1, OID_SHA1, 32, -1, 32,
		    "policy", "S68"},
		{"mask absent", OID_SHA256, OID_UNKNOWN, OID_SHA256, 32, -1,
		    32, "policy", "S68"},
		{"another mask", OID_SHA256, OID_RSA, OID_SHA256, 32, -1, 32,
		    "policy", "S68"},
		{"hash absent", OID_UNKNOWN, OID_MGF1, OID_SHA256, 32, -1,
		    32, "policy", "S68"},
		{"another hash", OID_SHA512, OID_MGF1, OID_SHA256, 32, -1,
		    32, "policy", "S68"},
	};
	struct forge f = {.id = &pss, .certs = {pss.cert, ca.sub.cert},
	    .sign = sign_pss, .protect = LEFT_OUT};
	struct buf alg;

	(void)state;
	buf_init(&alg, 1000);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pss_row = &rows[i];
		make_pss_alg(pss_row, &alg);
		f.sig_alg_der = buf_view(&alg);
		expect_both(pss_row->name, f, pss_row->result,
		    pss_row->step);
	}
	buf_free(&alg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A39_cube_roots),
		cmocka_unit_test(A39_blocks_that_are_not_quite_right),
		cmocka_unit_test(A39_ecdsa),
		cmocka_unit_test(A39_pss),
	};

	return cmocka_run_group_tests_name("gateway_sums", tests, make_world,
	    end_world);
}
