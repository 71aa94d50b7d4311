/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Trust in the pipeline: roots for some partners and uses only, pinned and
 * domain certificates, "revocation hard" for what goes out.
 */
#include "tests/unit/gateway_world.h"
#include "tests/unit/revocation_help.h"

#include "smime/cms.h"

#define ALICE "alice@example.com"
#define BOB "bob@example.org"
#define DAVE "dave@partner.example"
#define PLAIN                                                               \
	"From: Alice <alice@example.com>\nTo: bob@example.org\n"            \
	"Subject: Plans\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"   \
	"Plans\n"
#define TO_DAVE                                                             \
	"From: Alice <alice@example.com>\nTo: dave@partner.example\n"       \
	"Subject: Plans\nMIME-Version: 1.0\nContent-Type: text/plain\n\n"   \
	"Plans\n"

static struct world w;
static struct cert *ca, *alice, *gate; /* in the store */
static struct buf mail;		       /* signed by alice */

static int keep_ca(void *arg, const struct ks_row *r, struct err *e)
{
	(void)arg;
	(void)e;
	if (r->is_anchor)
		ca = cert_ref(r->cert);
	return 0;
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	assert_int_equal(keystore_list(w.ks, NULL, keep_ca, NULL, &w.e), 0);
	assert_non_null(ca);
	alice = world_issue(&w, ALICE, "ec:p256", KS_SIGN | KS_ENCRYPT, 0,
	    300);
	gate = world_issue(&w, "gateway@example.net", "ec:p256", KS_ENCRYPT,
	    0, 300);
	world_keys(&w);
	world_seal_with(&w, "sign", ALICE, DAVE, PLAIN);
	buf_init(&mail, 1u << 20);
	buf_putv(&mail, buf_view(&w.out));
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	cert_free(&ca);
	cert_free(&alice);
	cert_free(&gate);
	buf_free(&mail);
	world_end(&w);
	return 0;
}

static void limit(const char *domain, unsigned purpose)
{
	struct ks_scope s = { "", purpose };

	memcpy(s.domain, domain, strlen(domain) + 1);
	assert_int_equal(keystore_trust(w.ks, cert_sha256(ca), &s, 1, &w.e),
	    0);
}

static void receive(void)
{
	world_open_view(&w, ALICE, BOB, buf_view(&mail));
}

/* ---- roots with limits ---- */

static void S72_a_root_for_the_authors_domain(void **state)
{
	(void)state;
	limit("example.com", KS_FOR_SIGN);
	receive();
	world_signature(&w, "pass", "");
	assert_true(w.v.sig_from_match);
	limit("*.com", KS_FOR_ALL);
	receive();
	world_signature(&w, "pass", "");
}

/* A partner's own authority issues for somebody else's address: its root is
 * trusted for that partner's mail only. */
static void S72_S74_a_root_for_another_domain(void **state)
{
	(void)state;
	limit("partner.example", KS_FOR_ALL);
	receive();
	world_signature(&w, "policy", "S74");
	assert_non_null(strstr(w.v.sig_reason,
	    "its root is trusted for @partner.example only"));
	assert_false(w.v.sig_from_match);
	assert_string_equal(w.v.sig_domain, "");
}

static void S72_a_root_for_encryption_only(void **state)
{
	(void)state;
	limit("", KS_FOR_ENCRYPT);
	receive();
	world_signature(&w, "policy", "S72");
	assert_non_null(strstr(w.v.sig_reason, "trusted for encryption only"));
	/* and so it is for what goes out */
	world_seal_with(&w, "encrypt", BOB, ALICE, "From: bob@example.org\n"
	    "To: alice@example.com\nSubject: x\n\nhello\n");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	limit("", KS_FOR_SIGN);
	world_seal_with(&w, "encrypt or plain", BOB, ALICE,
	    "From: bob@example.org\nTo: alice@example.com\n"
	    "Subject: x\n\nhello\n");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_PLAIN);
	assert_int_equal(w.v.rcpt[0].overs, 1);
	assert_non_null(strstr(w.v.rcpt[0].over[0].reason,
	    "its root is trusted for signatures only"));
	receive();
	world_signature(&w, "pass", "");
}

/* ---- bindings ---- */

static void S126_a_domain_certificate_is_encrypted_to(void **state)
{
	(void)state;
	world_seal_with(&w, "encrypt or plain", ALICE, DAVE, TO_DAVE);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_PLAIN);
	assert_int_equal(keystore_bind(w.ks, KS_DOMAIN, "@partner.example",
	    cert_sha256(gate), true, &w.e), 0);
	world_seal_with(&w, "encrypt", ALICE, DAVE, TO_DAVE);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_string_equal(w.v.rcpt[0].cert[0].sha256,
	    cert_sha256_hex(gate));
	/* what is encrypted to it already is enough (S43) */
	buf_clear(&mail);
	buf_putv(&mail, buf_view(&w.out));
	world_seal_with(&w, "encrypt", ALICE, DAVE, buf_str(&mail));
	assert_int_equal(w.v.class, CLASS_ENCRYPTED);
	assert_true(is_untouched(&w));
}

static void a_pin_is_seen_in_the_verdict(void **state)
{
	(void)state;
	assert_int_equal(keystore_bind(w.ks, KS_PIN, ALICE, cert_sha256(gate),
	    true, &w.e), 0);
	world_seal_with(&w, "encrypt", BOB, ALICE, "From: bob@example.org\n"
	    "To: alice@example.com\nSubject: x\n\nhello\n");
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	assert_string_equal(w.v.rcpt[0].cert[0].sha256,
	    cert_sha256_hex(gate));
	assert_int_equal(w.v.rcpt[0].overs, 1);
	assert_string_equal(w.v.rcpt[0].over[0].sha256,
	    cert_sha256_hex(alice));
	assert_string_equal(w.v.rcpt[0].over[0].reason,
	    "another certificate is pinned for this address");
}

/* ---- revocation hard ---- */

/* As world_seal_with(), for what is refused. */
static void seal_refused(const char *outbound, const char *from,
    const char *to, const char *text)
{
	struct buf b;

	buf_init(&b, 4096);
	buf_printf(&b, "outbound : %s\ninbound : pass\n", outbound);
	world_rules(&w, buf_str(&b));
	buf_free(&b);
	world_seal(&w, from, to, text);
	assert_int_equal(w.v.code, 550);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_REFUSED);
}

static void bring_list(void)
{
	struct buf sealed, pkcs8;
	struct rv_crl c = { .from = time(NULL) - 60,
	    .until = time(NULL) + 86400, .number = 1 };
	const unsigned char *p;

	buf_init(&sealed, 1u << 20);
	buf_init(&pkcs8, 1u << 20);
	assert_int_equal(keystore_get_key(w.ks, cert_spki_sha256(ca), &sealed,
	    &w.e), 0);
	assert_int_equal(keyring_unseal_key(buf_view(&sealed),
	    buf_view(&w.secret), &pkcs8, &w.e), 0);
	p = pkcs8.p;
	c.ca = cert_x509(ca);
	c.key = d2i_AutoPrivateKey(NULL, &p, (long)pkcs8.n);
	assert_non_null(c.key);
	rv_bring(w.ks, &c, time(NULL), NULL);
	EVP_PKEY_free(c.key);
	buf_free(&sealed);
	buf_free(&pkcs8);
}

static void S102_S118_hard_for_recipients(void **state)
{
	static const char text[] = "From: bob@example.org\n"
	    "To: alice@example.com\nSubject: x\n\nhello\n";

	(void)state;
	world_seal_with(&w, "encrypt, revocation soft", BOB, ALICE, text);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
	seal_refused("encrypt, revocation hard", BOB, ALICE, text);
	assert_non_null(strstr(w.v.rcpt[0].reason, "is not known"));
	assert_int_equal(w.v.rcpt[0].overs, 1);
	world_seal_with(&w, "encrypt or plain, revocation hard", BOB, ALICE,
	    text);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_PLAIN);
	bring_list();
	world_seal_with(&w, "encrypt, revocation hard", BOB, ALICE, text);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SEALED);
}

static void S60_S118_hard_for_the_author(void **state)
{
	(void)state;
	seal_refused("sign, revocation hard", ALICE, DAVE, TO_DAVE);
	assert_non_null(strstr(w.v.text, "is not known"));
	world_seal_with(&w, "sign or plain, revocation hard", ALICE, DAVE,
	    TO_DAVE);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_PLAIN);
	bring_list();
	world_seal_with(&w, "sign, revocation hard", ALICE, DAVE, TO_DAVE);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SIGNED);
}

#define T(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(S72_a_root_for_the_authors_domain),
		T(S72_S74_a_root_for_another_domain),
		T(S72_a_root_for_encryption_only),
		T(S126_a_domain_certificate_is_encrypted_to),
		T(a_pin_is_seen_in_the_verdict),
		T(S102_S118_hard_for_recipients),
		T(S60_S118_hard_for_the_author),
	};

	return cmocka_run_group_tests_name("gateway_trust", tests, NULL,
	    NULL);
}
