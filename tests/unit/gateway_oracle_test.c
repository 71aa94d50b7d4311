/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The gateway as a decryption oracle: ciphertext that was tampered with in
 * every way that is known, and what the world outside can see of how it
 * failed.
 */
#include "tests/unit/gateway_sealed.h"

static struct world w;
static struct cert *alice, *bob;

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define MALLORY "mallory@else.example"
#define ENVELOPED "Content-Type: application/pkcs7-mime; name=smime.p7m;\r\n" \
	"\tsmime-type=enveloped-data\r\n"
#define OUTER "From: alice@example.com\r\nMIME-Version: 1.0\r\n"
#define FAILED "Authentication-Results: mx.example.com;\r\n" \
	"\tsmime=none (encrypted, could not be opened here)\r\n"
#define UNSAFE "was encrypted, without integrity protection"

/* What an attacker can guess of mail, and what he wants to read. */
static const char text[] = "Content-Type: text/plain; charset=us-ascii\r\n"
    "\r\nSecret plans of ours, for a few blocks of it\r\n";
static const char signed_text[] = "Content-Type: multipart/signed; "
    "boundary=x\r\n\r\nSecret plans of ours, for a few blocks of it\r\n";

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_person(&w, ALICE, "rsa:2048");
	world_person(&w, BOB, "ec:p256");
	alice = make_cert(&w, ALICE, KS_ENCRYPT);
	bob = make_cert(&w, BOB, KS_ENCRYPT);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	cert_free(&alice);
	cert_free(&bob);
	world_end(&w);
	return 0;
}

/* For alice. */
static void seal(struct sealed *m, struct view inside, bool gcm)
{
	sealed_make(m, alice, inside, gcm);
}

/* It comes in as a message from mallory. */
static void open_der(struct view der, const char *to)
{
	struct buf b;

	buf_init(&b, MAKE_MAX);
	buf_putv(&b, der);
	make_base64(&b, OUTER ENVELOPED);
	world_open_view(&w, MALLORY, to, buf_view(&b));
	buf_free(&b);
}

static void open_sealed(const struct sealed *m)
{
	struct buf der;

	buf_init(&der, MAKE_MAX);
	put_object(&der, m);
	open_der(buf_view(&der), ALICE);
	buf_free(&der);
}

/* Delivered as it arrived but for the one field. */
static bool is_original(void)
{
	struct buf b;
	struct sink to;
	bool same;

	buf_init(&b, MAKE_MAX * 2);
	buf_puts(&b, FAILED);
	to = sink_to_buf(&b);
	assert_int_equal(spool_copy(w.msg, 0, spool_size(w.msg), &to, NULL),
	    0);
	same = view_eq(buf_view(&b), buf_view(&w.out));
	buf_free(&b);
	return same && w.v.body == NULL && w.v.code == 0 && !w.v.ret_hdrs;
}

static void expect_failed(const char *name, size_t i)
{
	if (strcmp(w.v.dec_result, "failed") != 0 || !is_original())
		fail_msg("%s %zu: %s, %s", name, i, w.v.dec_result,
		    w.v.dec_reason);
	assert_string_equal(w.v.dec_reason, "the message does not open");
	assert_false(has(&w, "Secret"));
	assert_int_equal(w.key_ops, 1);
}

/* Opened after all: nothing but 7-bit text without controls leaves, said to
 * be of no integrity, with no signature's word. */
static void expect_plain_text(const char *name, size_t i)
{
	struct view v = make_body(&w);

	assert_string_equal(w.v.dec_result, "decrypted");
	assert_string_equal(w.v.sig_result, "none");
	assert_false(w.v.dec_authenticated);
	if (!has(&w, "smime=none (" UNSAFE))
		fail_msg("%s %zu: not said to be without integrity", name,
		    i);
	for (size_t k = 0; k < v.n; k++)
		if (v.p[k] >= 127 || (v.p[k] < 32 && v.p[k] != '\r' &&
		    v.p[k] != '\n'))
			fail_msg("%s %zu: octet %02x delivered", name, i,
			    v.p[k]);
}

/* ---- A2: CBC ---- */

/* attack A2: bits of the IV and of every block of CBC ciphertext flipped
 * verdict: noise is never delivered: the original is, saying that it could
 * not be opened; what is text all the same is said to be without integrity */
static void A2_flipped_bits(void **state)
{
	struct sealed m;
	size_t opened = 0;

	(void)state;
	seal(&m, view_of(text), false);
	open_sealed(&m);
	expect_plain_text("as it was", 0);
	assert_true(has(&w, "Secret plans"));
	for (size_t i = 0; i < m.blocks.n; i++) {
		m.blocks.p[i] ^= (unsigned char)(1 << i % 8);
		open_sealed(&m);
		m.blocks.p[i] ^= (unsigned char)(1 << i % 8);
		/* a block of noise before the change, or no padding */
		expect_failed("block", i);
	}
	for (size_t i = 0; i < 128; i++) {
		m.iv[i / 8] ^= (unsigned char)(1 << i % 8);
		open_sealed(&m);
		m.iv[i / 8] ^= (unsigned char)(1 << i % 8);
		if (strcmp(w.v.dec_result, "failed") == 0) {
			expect_failed("iv", i);
			continue;
		}
		opened++; /* one character of the type, say */
		expect_plain_text("iv", i);
	}
	assert_true(opened < 128);
	buf_free(&m.blocks);
}

/* attack A2: the same over mail that is signed inside
 * verdict: never a pass */
static void A2_flipped_bits_of_signed_mail(void **state)
{
	struct buf inside;
	struct sealed m;

	(void)state;
	buf_init(&inside, MAKE_MAX);
	buf_puts(&inside, text);
	make_signed(&w, ALICE, SIGN_CLEAR, &inside);
	seal(&m, buf_view(&inside), false);
	open_sealed(&m);
	assert_string_equal(w.v.sig_result, "pass");
	assert_true(has(&w, "smime=pass ("));
	assert_true(has(&w, "was encrypted)\r\n"));
	for (size_t i = 0; i < 16 + 100; i++) {
		unsigned char *p = i < 16 ? m.iv + i : m.blocks.p + (i -
		    16) * (m.blocks.n / 100);

		*p ^= 1;
		open_sealed(&m);
		*p ^= 1;
		/* in the middle of a signature's base64: what is changed may
		 * be one of the boundary, or nothing that counts */
		if (strcmp(w.v.sig_result, "pass") == 0)
			fail_msg("%zu: pass", i);
		assert_false(has(&w, "smime=pass"));
	}
	buf_free(&inside);
	buf_free(&m.blocks);
}

/* A block that decrypts to want, behind one of noise: the known block and
 * what is in front of it. */
static void put_gadget(struct buf *b, const struct sealed *m,
    const char *was, const char *want)
{
	unsigned char x[16];

	for (int i = 0; i < 16; i++)
		x[i] = (unsigned char)(m->iv[i] ^ (unsigned char)was[i] ^
		    (unsigned char)want[i]);
	buf_put(b, x, 16);
	buf_put(b, m->blocks.p, 16);
}

/* The first block becomes want, which needs no block of noise. */
static void set_first(struct sealed *m, const char *was, const char *want)
{
	for (int i = 0; i < 16; i++)
		m->iv[i] ^= (unsigned char)(was[i] ^ want[i]);
}

static const char known[] = "Content-Type: mu";

/* attack A2: EFAIL: a header and an image's address put around the secret by
 * gadgets from the known "Content-Type: mu" of multipart/signed
 * verdict: noise between the blocks: delivered as it arrived */
static void A2_gadgets(void **state)
{
	/* 16 octets each; comments and attributes swallow the noise */
	static const char *const html[] = {"xt/html\r\nX:     ",
	    "       \r\n\r\n<img ", "ignore=\"        ",
	    "\" src=\"http://x/"};
	struct sealed m;
	struct buf b;

	(void)state;
	assert_memory_equal(signed_text, known, 16);
	buf_init(&b, MAKE_MAX);
	for (size_t n = 1; n <= ARRAY_LEN(html); n++) {
		seal(&m, view_of(signed_text), false);
		buf_clear(&b);
		buf_put(&b, m.blocks.p, 16);
		for (size_t i = 0; i < n; i++) {
			assert_int_equal(strlen(html[i]), 16);
			put_gadget(&b, &m, known, html[i]);
		}
		/* behind them all of the message */
		buf_put(&b, m.iv, 16);
		buf_putv(&b, buf_view(&m.blocks));
		set_first(&m, known, "Content-type: te");
		buf_clear(&m.blocks);
		buf_putv(&m.blocks, buf_view(&b));
		open_sealed(&m);
		expect_failed("gadgets", n);
		buf_free(&m.blocks);
	}
	buf_free(&b);
}

/* attack A2: the first block rewritten by the IV alone, so without noise: a
 * type that nobody knows, an end of the header in front of the secret
 * verdict: without any Content- field the original; else text that is said
 * to be without integrity, and nothing about a signature */
static void A2_what_the_IV_alone_can_do(void **state)
{
	struct sealed m;

	(void)state;
	seal(&m, view_of(signed_text), false);
	set_first(&m, known, "X-Content-T: mu\t");
	open_sealed(&m);
	expect_failed("IV", 0);
	set_first(&m, "X-Content-T: mu\t", "Content-A:\r\n\r\n<b");
	open_sealed(&m);
	expect_plain_text("IV", 1);
	assert_true(has(&w, "\r\n\r\n<bltipart/signed; boundary=x\r\n"));
	assert_false(has(&w, "text/html"));
	buf_free(&m.blocks);
}

/* ---- A3: one cipher's text as another's ---- */

struct relabel {
	const char *name;
	bool from_gcm;	 /* made as */
	bool auth;	 /* sent as */
	enum oid cipher;
	const char *result;
	int key_ops;
};

/* attack A3: GCM ciphertext relabelled as CBC in EnvelopedData and the other
 * way, or with an algorithm that its content type may not have
 * verdict: failed like everything that does not open; a mismatch of type and
 * algorithm needs no key at all */
static void A3_relabelled(void **state)
{
	static const struct relabel k[] = {
		{"GCM as CBC", true, false, OID_AES256_CBC, "failed", 1},
		{"CBC as GCM", false, true, OID_AES256_GCM, "failed", 1},
		{"GCM in EnvelopedData", true, false, OID_AES256_GCM,
		    "failed", 0},
		{"CBC in AuthEnvelopedData", false, true, OID_AES256_CBC,
		    "failed", 0},
		{"GCM as AES-128-CBC", true, false, OID_AES128_CBC, "failed",
		    1},
		{"as 3DES", true, false, OID_DES3_CBC, "failed", 0},
	};
	struct sealed m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		seal(&m, view_of(text), k[i].from_gcm);
		/* whole blocks, as the attacker would have it */
		if (k[i].from_gcm)
			m.blocks.n = m.blocks.n / 16 * 16;
		/* CTR: the counter block behind the nonce */
		if (k[i].from_gcm)
			memcpy(m.iv + 12, "\0\0\0\2", 4);
		m.auth = k[i].auth;
		m.cipher = k[i].cipher;
		open_sealed(&m);
		if (strcmp(w.v.dec_result, k[i].result) != 0 ||
		    w.key_ops != k[i].key_ops || w.v.body != NULL ||
		    has(&w, "Secret"))
			fail_msg("%s: %s, %d operations (%s)", k[i].name,
			    w.v.dec_result, w.key_ops, w.v.dec_reason);
		if (k[i].key_ops > 0)
			expect_failed(k[i].name, i);
		buf_free(&m.blocks);
	}
}

/* attack A3: GCM's tag cut short, or GCM as the bare counter mode that it is
 * verdict: refused before any key is used */
static void A3_S87_short_tags(void **state)
{
	static const struct {
		size_t n;
		int key_ops;
		const char *result;
	} k[] = {{16, 1, "decrypted"}, {15, 1, "decrypted"},
	    {12, 1, "decrypted"}, {11, 0, "failed"}, {4, 0, "failed"},
	    {1, 0, "failed"}};
	struct sealed m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		seal(&m, view_of(text), true);
		m.mac_n = k[i].n;
		open_sealed(&m);
		if (strcmp(w.v.dec_result, k[i].result) != 0)
			fail_msg("tag of %zu: %s (%s)", k[i].n,
			    w.v.dec_result, w.v.dec_reason);
		assert_int_equal(w.key_ops, k[i].key_ops);
		assert_int_equal(has(&w, "Secret"), k[i].key_ops);
		buf_free(&m.blocks);
	}
}

/* ---- A4: large, and whole or not at all ---- */

/* attack A4: 20 MB with a tampered tag, with a changed last block, and cut
 * in many places
 * verdict: nothing of it is delivered: the original is */
static void A4_large_and_tampered(void **state)
{
	static const size_t cut[] = {1, 15, 16, 17, 1u << 20};
	const size_t n = 20u << 20;
	struct buf inside;
	struct sealed m;

	(void)state;
	buf_init(&inside, MAKE_MAX);
	buf_puts(&inside, text);
	while (inside.n < n)
		buf_puts(&inside, "Secret plans, line after line of them, "
		    "and more than fits\r\n");
	seal(&m, buf_view(&inside), true);
	m.mac[15] ^= 1;
	open_sealed(&m);
	expect_failed("tag", 0);
	m.mac[15] ^= 1;
	m.blocks.p[m.blocks.n - 1] ^= 1;
	open_sealed(&m);
	expect_failed("last octet", 0);
	m.blocks.p[m.blocks.n - 1] ^= 1;
	for (size_t i = 0; i < ARRAY_LEN(cut); i++) {
		size_t whole = m.blocks.n;

		m.blocks.n -= cut[i];
		open_sealed(&m);
		expect_failed("cut", i);
		m.blocks.n = whole;
	}
	buf_free(&m.blocks);
	buf_free(&inside);
}

/* attack A4: the object itself ends in the middle
 * verdict: delivered as it arrived, no key is used */
static void A4_S63_cut_objects(void **state)
{
	struct sealed m;
	struct buf der;

	(void)state;
	buf_init(&der, MAKE_MAX);
	for (int gcm = 0; gcm < 2; gcm++) {
		seal(&m, view_of(text), gcm == 1);
		put_object(&der, &m);
		for (size_t n = 1; n < der.n; n += 7) {
			open_der(view_sub(buf_view(&der), 0, n), ALICE);
			assert_string_equal(w.v.dec_result, "failed");
			assert_null(w.v.body);
			assert_int_equal(w.v.code, 0);
			assert_int_equal(w.key_ops, 0);
			if (!is_original())
				fail_msg("cut at %zu", n);
		}
		buf_free(&m.blocks);
	}
	buf_free(&der);
}

/* ---- A5: one face ---- */

/* What can be seen from outside: reply, field, delivered octets; and by
 * those who read logs, but for sizes and times. */
static void put_face(struct buf *b)
{
	struct buf line;
	const char *p, *us;

	buf_init(&line, 65536);
	verdict_log_line(&w.v, "QID", &line);
	p = strstr(buf_str(&line), " size=");
	us = p == NULL ? NULL : strstr(p, " us=");
	assert_non_null(us);
	us = strchr(us + 1, ' ');
	assert_non_null(us);
	buf_clear(b);
	buf_printf(b, "%d %s %s|%.*s%s|%d|%zu|%d|", w.v.code, w.v.enhanced,
	    w.v.text, (int)(p - buf_str(&line)), buf_str(&line), us,
	    w.key_ops, w.v.edits, w.v.ret_hdrs);
	for (size_t i = 0; i < w.v.edits; i++)
		buf_printf(b, "%s:%s|", w.v.edit[i].name, w.v.edit[i].value);
	buf_puts(b, buf_str(&w.v.warnings));
	buf_free(&line);
}

enum fault { F_PKCS1, F_KEY_LENGTH, F_OAEP, F_WRONG_KEY, F_PADDING, F_TAG,
	F_JUNK, F_NOISE, F_8BIT_NOISE, F_NO_TYPE, F_EMPTY, F_ECDH, F_N };
static const char *const fault_name[] = {"PKCS#1 padding", "length of key",
    "OAEP", "another key", "CBC padding", "tag", "junk inside",
    "noise inside", "noise of 8 bits", "no type inside", "nothing inside",
    "ECDH"};

static void make_fault(enum fault f)
{
	const char *inside = f == F_JUNK ? "no entity at all\r\n" :
	    f == F_NOISE ? "Content-Type: text/plain\r\n\r\n\001\002\r\n" :
	    f == F_8BIT_NOISE ? "Content-Type: text/plain\r\n\r\n\303(\r\n" :
	    f == F_NO_TYPE ? "X-Type: text/plain\r\n\r\nHello\r\n" :
	    f == F_EMPTY ? "" : text;
	struct sealed m;

	seal(&m, view_of(inside), f == F_TAG);
	if (f == F_PKCS1)
		m.how = BAD_PKCS1;
	if (f == F_KEY_LENGTH)
		m.how = SHORT_PKCS1;
	if (f == F_OAEP)
		m.how = BAD_OAEP;
	if (f == F_WRONG_KEY)
		m.cek[0] ^= 1;
	if (f == F_PADDING)
		m.blocks.p[m.blocks.n - 17] ^= 0x80;
	if (f == F_TAG)
		m.mac[0] ^= 1;
	open_sealed(&m);
	buf_free(&m.blocks);
}

/* The key that bob gets does not unwrap. */
static void make_ecdh_fault(void)
{
	struct buf b;
	unsigned char *p;

	buf_init(&b, MAKE_MAX);
	buf_puts(&b, text);
	make_sealed(&w, BOB, ENC_AES256_CBC, &b);
	make_bare(&b);
	p = memmem(b.p, b.n, "\x04\x28", 2);
	assert_non_null(p);
	p[20] ^= 0x55;
	open_der(buf_view(&b), BOB);
	buf_free(&b);
}

/* attack A5: Bleichenbacher, Vaudenay and their kin: telling failures apart
 * verdict: reply, Authentication-Results, log line and number of operations
 * with the key are the same for all of them; delivered as it arrived */
static void A5_one_face_for_all_failures(void **state)
{
	struct buf first, face;

	(void)state;
	buf_init(&first, 65536);
	buf_init(&face, 65536);
	for (int i = 0; i < F_N; i++) {
		if (i == F_ECDH)
			make_ecdh_fault();
		else
			make_fault((enum fault)i);
		expect_failed(fault_name[i], (size_t)i);
		put_face(&face);
		if (i == F_ECDH) /* another recipient's address is in it */
			make_edit(&face, BOB, ALICE);
		if (i == 0)
			buf_putv(&first, buf_view(&face));
		if (!view_eq(buf_view(&first), buf_view(&face)))
			fail_msg("%s differs:\n%s\n%s", fault_name[i],
			    buf_str(&face), buf_str(&first));
	}
	buf_free(&first);
	buf_free(&face);
}

/* attack A5 A12: asking by the reply whether there is a key, and whether it
 * opened the message, where a rule demands a signature
 * verdict: refused 550 5.7.1 in the same words, with and without a key,
 * opened or not, encrypted or not */
static void A5_A12_S83_one_reply_for_all_failures(void **state)
{
	char reply[sizeof(w.v.text)];
	struct sealed m;
	struct buf der;

	(void)state;
	world_rules(&w, "outbound : pass\n"
	    "inbound : decrypt, verify or reject\n");
	world_open_view(&w, MALLORY, ALICE, view_of("From: x@y.example\n"
	    "Content-Type: text/plain\n\nHello\n"));
	assert_int_equal(w.v.code, 550);
	memcpy(reply, w.v.text, sizeof(reply));
	for (int i = 0; i < F_ECDH; i++) {
		make_fault((enum fault)i);
		assert_int_equal(w.v.code, 550);
		assert_string_equal(w.v.enhanced, "5.7.1");
		assert_string_equal(w.v.text, reply);
	}
	/* what opens, but has no signature; and what is for another */
	buf_init(&der, MAKE_MAX);
	seal(&m, view_of(text), true);
	put_object(&der, &m);
	for (int i = 0; i < 2; i++) {
		open_der(buf_view(&der), i == 0 ? ALICE : BOB);
		assert_string_equal(w.v.dec_result, i == 0 ? "decrypted" :
		    "no-key");
		assert_int_equal(w.v.code, 550);
		assert_string_equal(w.v.text, reply);
	}
	buf_free(&m.blocks);
	buf_free(&der);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
}

/* What needs no key to be told says what it is, and uses none (S100). */
static void S100_an_unsupported_cipher_uses_no_key(void **state)
{
	static const enum oid weak[] = {OID_DES_CBC, OID_RC2_CBC,
	    OID_DES3_CBC};
	struct sealed m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(weak); i++) {
		seal(&m, view_of(text), false);
		m.cipher = weak[i];
		open_sealed(&m);
		assert_string_equal(w.v.dec_result, "failed");
		assert_int_equal(w.key_ops, 0);
		assert_null(w.v.body);
		assert_int_equal(w.v.code, 0);
		assert_false(has(&w, "Secret"));
		buf_free(&m.blocks);
	}
}

/* ---- A9: replay ---- */

/* attack A9: captured ciphertext sent again to somebody else in the house,
 * to both, and to its owner from another sender
 * verdict: opened only where every recipient has the key */
static void A9_replays(void **state)
{
	static const struct {
		const char *to;
		const char *result;
		int key_ops;
	} k[] = {
		{BOB, "no-key", 0},
		{ALICE " " BOB, "no-key", 0},
		{BOB " " ALICE, "no-key", 0},
		{"x@example.com", "no-key", 0},
		{"Alice@Example.com", "decrypted", 1},
		{ALICE, "decrypted", 1},
		{ALICE " " ALICE, "decrypted", 1},
	};
	struct sealed m;
	struct buf der;

	(void)state;
	buf_init(&der, MAKE_MAX);
	seal(&m, view_of(text), true);
	put_object(&der, &m);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		open_der(buf_view(&der), k[i].to);
		if (strcmp(w.v.dec_result, k[i].result) != 0 ||
		    w.key_ops != k[i].key_ops)
			fail_msg("to %s: %s, %d operations", k[i].to,
			    w.v.dec_result, w.key_ops);
		if (k[i].key_ops == 0)
			assert_true(is_untouched(&w));
		/* what was sealed does not come back in the clear (S47) */
		assert_int_equal(w.v.ret_hdrs, k[i].key_ops);
	}
	buf_free(&m.blocks);
	buf_free(&der);
}

/* attack A15: a recipient named a thousand times, to keep his key busy
 * verdict: one private-key operation; beyond 1,000 none */
static void A15_S97_named_a_thousand_times(void **state)
{
	static const size_t n[] = {1, CAP_CMS_RECIPIENTS - 1,
	    CAP_CMS_RECIPIENTS};
	struct sealed m;

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(n); i++) {
		seal(&m, view_of(text), true);
		m.times = n[i / 2];
		m.how = i % 2 == 0 ? PKCS1 : BAD_PKCS1;
		open_sealed(&m);
		assert_int_equal(w.v.code, 0);
		if (i / 2 == 2) {
			assert_string_equal(w.v.dec_result, "limit");
			assert_int_equal(w.key_ops, 0);
		} else {
			assert_string_equal(w.v.dec_result, i % 2 == 0 ?
			    "decrypted" : "failed");
			assert_int_equal(w.key_ops, 1);
		}
		buf_free(&m.blocks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A2_flipped_bits),
		cmocka_unit_test(A2_flipped_bits_of_signed_mail),
		cmocka_unit_test(A2_gadgets),
		cmocka_unit_test(A2_what_the_IV_alone_can_do),
		cmocka_unit_test(A3_relabelled),
		cmocka_unit_test(A3_S87_short_tags),
		cmocka_unit_test(A4_large_and_tampered),
		cmocka_unit_test(A4_S63_cut_objects),
		cmocka_unit_test(A5_one_face_for_all_failures),
		cmocka_unit_test(A5_A12_S83_one_reply_for_all_failures),
		cmocka_unit_test(S100_an_unsupported_cipher_uses_no_key),
		cmocka_unit_test(A9_replays),
		cmocka_unit_test(A15_S97_named_a_thousand_times),
	};

	return cmocka_run_group_tests_name("gateway_oracle", tests,
	    make_world, end_world);
}
