/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Published ways to make a signature say what its author did not: forged
 * objects, certificates and attributes, as whole messages. What mail
 * clients were found to show as "valid" must not be a pass here.
 */
#include "tests/unit/gateway_forge.h"

static struct world w;
static struct testca ca, evil; /* evil has the same names */
static struct testca_id alice, ec, mallory, shadow, twin;

#define DAY 86400L
#define NOW ((int64_t)time(NULL))
#define FROM_MALLORY "From: Mallory <mallory@example.com>\r\n"

static void issue(struct testca *by, struct testca_id *id,
    const struct testca_leaf *leaf)
{
	testca_issue(by, leaf, id);
}

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	testca_init(&ca);
	testca_init(&evil);
	issue(&ca, &alice, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = "alice@example.com", .serial = 7001});
	issue(&ca, &ec, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"});
	/* her key identifier, another key, a CA that we trust */
	issue(&ca, &mallory, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = "mallory@example.com", .ski_of = alice.key});
	/* her key, her identifier, her address, nobody's word */
	issue(&evil, &shadow, &(struct testca_leaf){.use_key = alice.key,
	    .mail = "alice@example.com"});
	/* her key, his address, a CA that did not ask for a proof */
	issue(&ca, &twin, &(struct testca_leaf){.use_key = alice.key,
	    .mail = "mallory@example.com"});
	forge_trust(&w, ca.root.cert);
	return 0;
}

static int end_world(void **state)
{
	struct testca_id *const id[] = {&alice, &ec, &mallory, &shadow,
	    &twin};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(id[i]);
	testca_free(&ca);
	testca_free(&evil);
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

/* ---- the object ---- */

struct stolen {
	struct buf set, sig;
};

static void replay(const struct forge *f, struct view tbs, struct buf *sig)
{
	const struct stolen *s = (const void *)f->said;

	(void)tbs;
	buf_putv(sig, buf_view(&s->sig));
}

/* attack A16: signed attributes of a genuine message shown as content, with
 * its signature and no attributes
 * verdict: opaque policy at S67, detached permerror at S62; libcrypto alone
 * believes it */
static void A16_attributes_as_content(void **state)
{
	static const unsigned char tags[] = {DER_SET, DER_CTX0};
	struct forge genuine = {.id = &alice, .at = NOW};
	struct stolen s;
	struct forge f = {.id = &alice, .no_attrs = true, .certs =
	    {alice.cert, ca.sub.cert}, .sign = replay, .said = (void *)&s};
	struct buf der, b;

	(void)state;
	buf_init(&s.set, BIG);
	buf_init(&s.sig, BIG);
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	make_attrs(&genuine, &s.set);
	wrap_buf(&s.set, DER_SET);
	make_signature(&genuine, buf_view(&s.set), &s.sig);
	for (size_t i = 0; i < 2 * ARRAY_LEN(tags); i++) {
		s.set.p[0] = tags[i / 2];
		f.opaque = i % 2 == 1;
		f.inside = buf_view(&s.set);
		/* without attributes none are digested: said is free */
		make_signed(&f, 1, &der);
		if (f.opaque)
			forge_opaque(&b, FORGE_FROM FORGE_TOP,
			    buf_view(&der));
		else
			forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR,
			    buf_view(&s.set), buf_view(&der));
		world_open_view(&w, "alice@example.com", FORGE_TO,
		    buf_view(&b));
		/* in the clear there is more that is wrong with it: octets
		 * that no header may have */
		forge_expect(&w, "A16", f.opaque ? "policy" : "permerror",
		    f.opaque ? "S67" : "S62", f.opaque ?
		    "signed attributes are missing or wrong" :
		    "malformed message");
		forge_same(&w);
	}
	buf_free(&s.set);
	buf_free(&s.sig);
	buf_free(&der);
	buf_free(&b);
}

/* The other half: what we sign is an entity with fields of its own, never
 * the octets that somebody sends us. */
static void A16_a_body_of_attributes_is_not_signed_as_it_is(void **state)
{
	struct forge genuine = {.id = &alice, .at = NOW};
	struct buf set, b, der;

	(void)state;
	world_person(&w, "dora@example.com", "ec:p256");
	world_rules(&w, "outbound : sign, opaque\ninbound : verify\n");
	buf_init(&set, BIG);
	buf_init(&b, BIG);
	buf_init(&der, BIG);
	make_attrs(&genuine, &set);
	wrap_buf(&set, DER_SET);
	buf_puts(&b, "From: dora@example.com\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: application/octet-stream\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n");
	buf_putv(&b, buf_view(&set));
	world_envelope(&w, "dora@example.com", "x@else.example");
	w.env.forced = DIR_OUTBOUND;
	w.env.auth = ENV_AUTH_CALLER;
	world_message_view(&w, buf_view(&b));
	world_run(&w);
	assert_int_equal(w.v.code, 0);
	assert_int_equal(w.v.rcpt[0].outcome, OUT_SIGNED);
	world_open_again(&w, "dora@example.com", FORGE_TO);
	world_signature(&w, "pass", "");
	assert_true(has(&w, "Content-Type: application/octet-stream"));
	assert_true(has(&w, "Content-Transfer-Encoding: base64"));
	assert_null(memmem(w.out.p, w.out.n, set.p, set.n));
	world_rules(&w, "outbound : pass\ninbound : decrypt, verify\n");
	buf_free(&set);
	buf_free(&b);
	buf_free(&der);
}

/* attack A17: eContent confusion, a detached signature with content of its
 * own: another one, the same one, an empty one
 * verdict: permerror at S64, delivered as it arrived */
static void A17_content_inside_a_detached_signature(void **state)
{
	static const char other[] = "Content-Type: text/plain\r\n\r\n"
	    "Pay mallory\r\n";
	const struct {
		const char *shown;  /* part 1 */
		const char *inside; /* eContent, and what is signed */
	} k[] = {{other, content}, {content, other}, {content, content},
	    {content, ""}, {other, other}};
	struct buf der, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		struct forge f = {.id = &alice, .certs = {alice.cert,
		    ca.sub.cert}, .at = NOW, .opaque = true,
		    .said = k[i].inside, .inside = view_of(k[i].inside)};

		make_signed(&f, 1, &der);
		forge_clear(&b, FORGE_FROM FORGE_TOP FORGE_CLEAR,
		    view_of(k[i].shown), buf_view(&der));
		world_open_view(&w, "alice@example.com", FORGE_TO,
		    buf_view(&b));
		forge_expect(&w, "A17", "permerror", "S64",
		    "content where none may be, or none");
		forge_same(&w);
	}
	buf_free(&der);
	buf_free(&b);
}

/* attack A19: SignedData without any signer, Johnny C3
 * verdict: none at S66; certificates alone are no signature at all */
static void A19_nobody_signed(void **state)
{
	struct forge f = {.id = &alice, .no_signer = true};
	struct buf der, b;

	(void)state;
	buf_init(&der, BIG);
	buf_init(&b, BIG);
	for (int i = 0; i < 8; i++) {
		f.opaque = (i & 1) != 0;
		f.no_digest_algs = (i & 2) != 0;
		f.certs[0] = (i & 4) != 0 ? alice.cert : NULL;
		f.certs[1] = (i & 4) != 0 ? ca.sub.cert : NULL;
		forge_open(&w, &f, 1);
		forge_expect(&w, "A19", "none", "S66", "nobody signed");
		assert_string_equal(w.v.sig_signer, "");
	}
	/* certs-only, labelled as a signature */
	f.opaque = false;
	make_signed(&f, 1, &der);
	forge_opaque(&b, FORGE_FROM FORGE_TOP, buf_view(&der));
	world_open_view(&w, "alice@example.com", FORGE_TO, buf_view(&b));
	world_signature(&w, "none", "");
	assert_true(is_untouched(&w));
	buf_free(&der);
	buf_free(&b);
}

/* ---- trust ---- */

/* attack A20: signers of no trust: self-signed, expired, unknown CA, the
 * attacker's root and intermediate in the message, with our CA's names
 * verdict: policy at S72 */
static void A20_nobody_whom_we_trust(void **state)
{
	struct testca_id self, expired, theirs, as_ours;
	const int64_t now = NOW;

	(void)state;
	issue(&ca, &self, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com", .self_signed = true});
	issue(&ca, &expired, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com", .not_before = now - 9 * DAY,
	    .not_after = now - 1});
	issue(&evil, &theirs, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"});
	issue(&evil, &as_ours, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com", .serial = 7001});
	expect_both("self-signed", (struct forge){.id = &self, .certs =
	    {self.cert}}, "policy", "S72");
	expect_both("expired", (struct forge){.id = &expired, .certs =
	    {expired.cert, ca.sub.cert}}, "policy", "S72");
	expect_both("root inside", (struct forge){.id = &theirs, .certs =
	    {theirs.cert, evil.sub.cert, evil.root.cert}}, "policy", "S72");
	/* ours beside it: the names fit, the keys do not */
	expect_both("our CA, too", (struct forge){.id = &theirs, .certs =
	    {ca.root.cert, ca.sub.cert, theirs.cert}}, "policy", "S72");
	expect_both("both CAs", (struct forge){.id = &theirs, .certs =
	    {evil.sub.cert, ca.sub.cert, theirs.cert, evil.root.cert}},
	    "policy", "S72");
	expect_both("her serial number", (struct forge){.id = &as_ours,
	    .certs = {as_ours.cert, evil.sub.cert, evil.root.cert}},
	    "policy", "S72");
	assert_true(has(&w, "(certificate is not trusted)"));
	testca_id_free(&self);
	testca_id_free(&expired);
	testca_id_free(&theirs);
	testca_id_free(&as_ours);
}

/* attack A37: certificates for TLS, code or time, and CAs' own, sign mail
 * verdict: policy at S71 */
static void A37_certificates_for_something_else(void **state)
{
	static const char *const eku[] = {"serverAuth",
	    "clientAuth,serverAuth", "codeSigning", "timeStamping",
	    "OCSPSigning"};
	struct testca_id id;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(eku); i++) {
		issue(&ca, &id, &(struct testca_leaf){.key = "ec:P-256",
		    .mail = "alice@example.com", .eku = eku[i]});
		expect_both(eku[i], (struct forge){.id = &id, .certs =
		    {id.cert, ca.sub.cert}}, "policy", "S71");
		testca_id_free(&id);
	}
	issue(&ca, &id, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com", .basic = "critical,CA:TRUE",
	    .ku = "keyCertSign,digitalSignature"});
	expect_both("a CA", (struct forge){.id = &id, .certs = {id.cert,
	    ca.sub.cert}}, "policy", "S71");
	testca_id_free(&id);
	expect_both("the intermediate", (struct forge){.id = &ca.sub,
	    .certs = {ca.sub.cert}}, "policy", "S71");
	expect_both("the root", (struct forge){.id = &ca.root, .certs =
	    {ca.root.cert}}, "policy", "S71");
	assert_true(has(&w, "(certificate is not for signing mail)"));
}

/* ---- whose certificate ---- */

struct claim {
	const char *name;
	struct forge f;
	const char *from;
	const char *result, *step;
};

/* Each after each: what was seen before does not matter. */
static void check_claims(const struct claim *k, size_t n)
{
	for (size_t i = 0; i < n * n; i++) {
		size_t now[2] = {i / n, i % n};

		if (i % n == 0) { /* nothing known from before */
			keystore_close(&w.ks);
			if (keystore_open(&w.ks, w.db, KS_WRITE,
			    &w.e) != 0)
				fail_msg("%s", w.e.msg);
		}
		for (int j = 0; j < 2; j++) {
			const struct claim *c = &k[now[j]];
			struct forge f = c->f;

			f.opaque = j == 1;
			f.at = NOW;
			forge_open_as(&w, c->from, &f, 1);
			if (strcmp(w.v.sig_result, c->result) != 0 ||
			    strcmp(w.v.sig_step, c->step) != 0)
				fail_msg("%s after %s: %s at %s (%s)",
				    c->name, k[now[0]].name, w.v.sig_result,
				    w.v.sig_step, w.v.sig_reason);
		}
	}
}

/* attack A38: the attacker's certificate has the victim's subject key
 * identifier, or her issuer and serial number; before hers, behind, alone
 * verdict: who signed is who verifies: his signature is policy at S74, or
 * S72; hers passes; alone it is fail at S70; in any order of arrival */
static void A38_S69_one_identifier_for_two(void **state)
{
	struct testca_id same; /* issuer and serial number of alice */
	const struct cert *s = ca.sub.cert;

	(void)state;
	issue(&evil, &same, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = "alice@example.com", .serial = 7001});
	assert_true(view_eq(cert_ias(same.cert), cert_ias(alice.cert)));
	assert_true(view_eq(cert_ski(mallory.cert), cert_ski(alice.cert)));
	{
		const struct claim k[] = {
			{"his, first", {.id = &mallory, .by_ski = true, FEW,
			    .certs = {mallory.cert, alice.cert, s}},
			    FORGE_FROM, "policy", "S74"},
			{"his, behind", {.id = &mallory, .by_ski = true, FEW,
			    .certs = {alice.cert, mallory.cert, s}},
			    FORGE_FROM, "policy", "S74"},
			{"his, alone", {.id = &mallory, .by_ski = true, FEW,
			    .certs = {mallory.cert, s}}, FORGE_FROM,
			    "policy", "S74"},
			{"hers, first", {.id = &alice, .by_ski = true, FEW,
			    .certs = {alice.cert, mallory.cert, s}},
			    FORGE_FROM, "pass", ""},
			{"hers, behind", {.id = &alice, .by_ski = true, FEW,
			    .certs = {mallory.cert, alice.cert, s}},
			    FORGE_FROM, "pass", ""},
			{"hers, as his", {.id = &alice, .by_ski = true, FEW,
			    .certs = {mallory.cert, alice.cert, s}},
			    FROM_MALLORY, "policy", "S74"},
			{"hers, only his there", {.id = &alice, .by_ski =
			    true, FEW, .certs = {mallory.cert, s}},
			    FORGE_FROM, "fail", "S70"},
			{"serial, his", {.id = &same, FEW, .certs =
			    {same.cert, alice.cert, s}}, FORGE_FROM,
			    "policy", "S72"},
			{"serial, his behind", {.id = &same, FEW, .certs =
			    {alice.cert, same.cert, s}}, FORGE_FROM,
			    "policy", "S72"},
			{"serial, hers", {.id = &alice, FEW, .certs =
			    {same.cert, alice.cert, s}}, FORGE_FROM, "pass",
			    ""},
			{"serial, hers first", {.id = &alice, FEW, .certs =
			    {alice.cert, same.cert, s}}, FORGE_FROM, "pass",
			    ""},
			{"serial, only his there", {.id = &alice, FEW,
			    .certs = {same.cert, s}}, FORGE_FROM, "fail",
			    "S70"},
		};

		check_claims(k, ARRAY_LEN(k));
	}
	testca_id_free(&same);
}

/* attack A38: a certificate of the victim's own key from a CA of the
 * attacker's, put before hers, so that her signature is no longer trusted
 * verdict: every certificate whose key verifies is tried for a path: pass */
static void A38_S69_every_candidate_may_have_the_path(void **state)
{
	const struct cert *s = ca.sub.cert;
	const struct claim k[] = {
		{"shadow first", {.id = &alice, .by_ski = true, FEW,
		    .certs = {shadow.cert, alice.cert, s}}, FORGE_FROM,
		    "pass", ""},
		{"shadow behind", {.id = &alice, .by_ski = true, FEW,
		    .certs = {alice.cert, shadow.cert, s}}, FORGE_FROM,
		    "pass", ""},
		{"shadow alone", {.id = &alice, .by_ski = true, FEW,
		    .certs = {shadow.cert, s, evil.sub.cert}}, FORGE_FROM,
		    "policy", "S72"},
	};

	(void)state;
	check_claims(k, ARRAY_LEN(k));
}

/* attack A38: the attacker's certificate with the signer's key identifier in
 * a message that has not hers, which is known here
 * verdict: the known one is asked for as well: pass */
static void A38_S69_the_store_knows_the_signer(void **state)
{
	const struct cert *s = ca.sub.cert;
	const struct claim k[] = {
		{"only his there", {.id = &alice, .by_ski = true, FEW,
		    .certs = {mallory.cert, s}}, FORGE_FROM, "pass", ""},
		{"his, only his there", {.id = &mallory, .by_ski = true, FEW,
		    .certs = {mallory.cert, s}}, FORGE_FROM, "policy",
		    "S74"},
		{"nobody's there", {.id = &alice, .certs = {s}}, FORGE_FROM,
		    "pass", ""},
		{"altered", {.id = &alice, .by_ski = true, FEW, .certs =
		    {mallory.cert, s}, .wrong_signature = true}, FORGE_FROM,
		    "fail", "S70"},
	};
	bool added;

	(void)state;
	assert_int_equal(keystore_add(w.ks, alice.cert, KS_SIGN, KS_IMPORT,
	    &added, &w.e), 0);
	check_claims(k, ARRAY_LEN(k));
	assert_int_equal(keystore_remove(w.ks, cert_sha256(alice.cert),
	    &w.e), 0);
}

/* attack A38: a certificate for the same key and another address in place
 * of the signer's own
 * verdict: fail at S69, where signingCertificateV2 names hers */
static void S141_A38_a_substitute_with_the_same_key(void **state)
{
	const struct cert *s = ca.sub.cert;
	const struct claim k[] = {
		{"by SKI", {.id = &alice, .by_ski = true, .certs =
		    {twin.cert, s}}, FROM_MALLORY, "fail", "S69"},
		{"by serial number", {.id = &alice, .named = &twin, .certs =
		    {twin.cert, s}}, FROM_MALLORY, "fail", "S69"},
		{"version 1 alone", {.id = &alice, .named = &twin, .certs =
		    {twin.cert, s}, .ess = LEFT_OUT}, FROM_MALLORY, "fail",
		    "S69"},
		{"version 2 alone", {.id = &alice, .named = &twin, .certs =
		    {twin.cert, s}, .ess1 = LEFT_OUT}, FROM_MALLORY, "fail",
		    "S69"},
		{"version 2 against 1", {.id = &alice, .by_ski = true,
		    .certs = {twin.cert, alice.cert, s}, .ess1 = WRONG},
		    FORGE_FROM, "fail", "S69"},
		{"hers beside it", {.id = &alice, .by_ski = true, .certs =
		    {twin.cert, alice.cert, s}}, FORGE_FROM, "pass", ""},
		{"hers beside it, as his", {.id = &alice, .by_ski = true,
		    .certs = {twin.cert, alice.cert, s}}, FROM_MALLORY,
		    "policy", "S74"},
	};

	(void)state;
	check_claims(k, ARRAY_LEN(k));
}

/* ---- attributes ---- */

static const unsigned char oid_countersig[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
    0x0d, 0x01, 0x09, 0x06};
static const unsigned char oid_timestamp[] = {0x2a, 0x86, 0x48, 0x86, 0xf7,
    0x0d, 0x01, 0x09, 0x10, 0x02, 0x0e};

static void put_unsigned(struct buf *out, struct view oid, struct view value)
{
	struct buf b, set;

	buf_init(&b, BIG);
	buf_init(&set, BIG);
	put_tlv(&set, DER_SET, value);
	put_tlv(&b, DER_OID, oid);
	buf_putv(&b, buf_view(&set));
	wrap_buf(&b, DER_SEQUENCE);
	buf_putv(out, buf_view(&b));
	buf_free(&b);
	buf_free(&set);
}

/* attack A40: countersignature of somebody trusted and a timestamp, both
 * unsigned attributes, beside a signature of no trust or a broken one
 * verdict: they change nothing, for good or bad */
static void S142_A40_unsigned_attributes_are_ignored(void **state)
{
	struct forge counter = {.id = &alice};
	struct testca_id theirs;
	struct buf u, si;

	(void)state;
	issue(&evil, &theirs, &(struct testca_leaf){.key = "ec:P-256",
	    .mail = "alice@example.com"});
	buf_init(&u, BIG);
	buf_init(&si, BIG);
	make_signer_info(&counter, &si);
	put_unsigned(&u, view_make(oid_countersig, sizeof(oid_countersig)),
	    buf_view(&si));
	put_unsigned(&u, view_make(oid_timestamp, sizeof(oid_timestamp)),
	    view_make("\x30\x00", 2));
	expect_both("good", (struct forge){.id = &ec, .unsigned_attrs =
	    buf_view(&u), .certs = {ec.cert, ca.sub.cert}}, "pass", "");
	expect_both("untrusted", (struct forge){.id = &theirs,
	    .unsigned_attrs = buf_view(&u), .certs = {theirs.cert,
	    alice.cert, ca.sub.cert}}, "policy", "S72");
	expect_both("broken", (struct forge){.id = &ec, .wrong_signature =
	    true, .unsigned_attrs = buf_view(&u), .certs = {ec.cert,
	    alice.cert, ca.sub.cert}}, "fail", "S70");
	expect_both("no signed ones", (struct forge){.id = &ec, .no_attrs =
	    true, .unsigned_attrs = buf_view(&u), .certs = {ec.cert,
	    alice.cert, ca.sub.cert}}, "policy", "S67");
	testca_id_free(&theirs);
	buf_free(&u);
	buf_free(&si);
}

#define ESS(n) "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x02" n

static const struct {
	const char *name;
	const char *oid; /* 11 octets */
	const char *value;
	size_t n;
} ess[] = {
	{"receiptRequest", ESS("\x01"), "\x30\x0b\x04\x02ID\x80\x01\x00\x30"
	    "\x02\xa1\x00", 13},
	{"eSSSecurityLabel", ESS("\x02"), "\x31\x04\x06\x02\x2a\x03", 6},
	{"mlExpansionHistory", ESS("\x03"), "\x30\x00", 2},
	{"contentHints", ESS("\x04"), "\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7"
	    "\x0d\x01\x07\x01", 13},
};

static void open_ess(size_t i, enum how how, bool opaque)
{
	const struct forge_attr a = {view_make(ess[i].oid, 11),
	    view_make(ess[i].value, ess[i].n), how};
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = NOW, .extra = &a, .extra_n = 1, .opaque = opaque};

	forge_open(&w, &f, 1);
}

static void S138_one_instance_with_one_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ess); i++) {
		for (int o = 0; o < 2; o++) {
			open_ess(i, AS_IS, o == 1);
			world_signature(&w, "pass", "");
			for (enum how how = TWICE; how <= NO_VALUE; how++) {
				open_ess(i, how, o == 1);
				if (strcmp(w.v.sig_result, "pass") == 0)
					fail_msg("%s, %d", ess[i].name, how);
				assert_false(has(&w, "smime=pass"));
			}
		}
	}
	for (enum how how = TWICE; how <= NO_VALUE; how++) {
		struct forge f = {.id = &alice, .certs = {alice.cert,
		    ca.sub.cert}, .at = NOW, .ess = how};

		forge_open(&w, &f, 1);
		assert_string_not_equal(w.v.sig_result, "pass");
		f.ess = AS_IS;
		f.ess1 = how;
		forge_open(&w, &f, 1);
		assert_string_not_equal(w.v.sig_result, "pass");
	}
}

static void S136_S137_receipts_are_never_sent(void **state)
{
	(void)state;
	/* the signature stays: so can the reader's agent answer */
	open_ess(0, AS_IS, false);
	world_signature(&w, "pass", "");
	forge_same(&w);
	assert_int_equal(w.key_ops, 0);
	/* it is taken off: said, and nothing is sent */
	open_ess(0, AS_IS, true);
	world_signature(&w, "pass", "");
	assert_int_equal(w.v.rcpts, 1);
	assert_int_equal(w.key_ops, 0);
	assert_non_null(w.v.body);
	if (strstr(buf_str(&w.v.warnings), "receipt") == NULL)
		fail_msg("no word of the receipt: %s",
		    buf_str(&w.v.warnings));
}

/* A receipt is no message, whatever it looks like (RFC 2634 2.5). */
static void S137_S65_a_signed_receipt_is_left_alone(void **state)
{
	static const unsigned char receipt[] = {0x06, 0x0b, 0x2a, 0x86, 0x48,
	    0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x01};
	struct forge f = {.id = &alice, .certs = {alice.cert, ca.sub.cert},
	    .at = NOW, .opaque = true, .econtent_der = view_make(receipt,
	    sizeof(receipt))};

	(void)state;
	forge_open(&w, &f, 1);
	forge_expect(&w, "receipt", "policy", "S65",
	    "not a signature on mail content");
	forge_same(&w);
}

/* ---- what reading leaves behind ---- */

static int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	size_t *n = arg;

	(void)r;
	(void)e;
	(*n)++;
	return 0;
}

static size_t rows_now(void)
{
	size_t n = 0;

	assert_int_equal(keystore_list(w.ks, NULL, count_row, &n, NULL), 0);
	return n;
}

/* attack A32: mail that brings a certificate for somebody's address, signed
 * by a CA of the attacker's, by ours, or not signed at all
 * verdict: reading stores nothing; who is sealed for stays who it was */
static void A32_S35_reading_teaches_nothing(void **state)
{
	struct testca_id theirs;
	struct selection s = {0};
	struct addr a;
	unsigned char was[32];
	size_t before;

	(void)state;
	issue(&evil, &theirs, &(struct testca_leaf){.key = "rsa:2048",
	    .mail = "alice@example.com"});
	world_person(&w, "alice@example.com", "ec:p256");
	assert_int_equal(addr_parse(&a, view_of("alice@example.com"), NULL),
	    0);
	assert_int_equal(keystore_select(w.ks, &a, KS_ENCRYPT, NOW, &s,
	    NULL), 0);
	memcpy(was, cert_sha256(s.cert), 32);
	selection_free(&s);
	before = rows_now();
	expect_both("theirs", (struct forge){.id = &theirs, .certs =
	    {theirs.cert, evil.sub.cert, evil.root.cert}}, "policy", "S72");
	expect_both("a new one of hers", (struct forge){.id = &alice,
	    .certs = {alice.cert, ca.sub.cert, theirs.cert}}, "pass", "");
	expect_both("nobody's", (struct forge){.id = &alice, .no_signer =
	    true, .certs = {theirs.cert, alice.cert}}, "none", "S66");
	assert_int_equal(rows_now(), before);
	assert_int_equal(keystore_select(w.ks, &a, KS_ENCRYPT, NOW, &s,
	    NULL), 0);
	assert_memory_equal(cert_sha256(s.cert), was, 32);
	selection_free(&s);
	testca_id_free(&theirs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A16_attributes_as_content),
		cmocka_unit_test(
		    A16_a_body_of_attributes_is_not_signed_as_it_is),
		cmocka_unit_test(A17_content_inside_a_detached_signature),
		cmocka_unit_test(A19_nobody_signed),
		cmocka_unit_test(A20_nobody_whom_we_trust),
		cmocka_unit_test(A37_certificates_for_something_else),
		cmocka_unit_test(A38_S69_one_identifier_for_two),
		cmocka_unit_test(A38_S69_every_candidate_may_have_the_path),
		cmocka_unit_test(A38_S69_the_store_knows_the_signer),
		cmocka_unit_test(S141_A38_a_substitute_with_the_same_key),
		cmocka_unit_test(S142_A40_unsigned_attributes_are_ignored),
		cmocka_unit_test(S138_one_instance_with_one_value),
		cmocka_unit_test(S136_S137_receipts_are_never_sent),
		cmocka_unit_test(S137_S65_a_signed_receipt_is_left_alone),
		cmocka_unit_test(A32_S35_reading_teaches_nothing),
	};

	return cmocka_run_group_tests_name("gateway_spoof", tests,
	    make_world, end_world);
}
