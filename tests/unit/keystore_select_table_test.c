/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Selection as a table: one row, one question. A row has up to three
 * certificates in the store, who is asked about and for what, which of them
 * is chosen, and what is said of the others.
 */
#include "tests/unit/keystore_util.h"
#include "tests/unit/revocation_help.h"

#include "keystore/fitness.h"

#define ENC "critical,keyEncipherment"
#define AGREE "critical,keyAgreement"
#define SIGNS "critical,digitalSignature"
#define MAIL(a) .san = "email:" a
#define ALICE MAIL("alice@example.com")
#define RAW(s) .san_raw = s, .san_raw_n = sizeof(s) - 1
#define JOERG "j\xc3\xb6rg"
/* o with a combining diaeresis: the same to the eye */
#define JOERG_NFD "jo\xcc\x88rg"
#define SPEC(...) .spec = { __VA_ARGS__ }
#define H(...) { SPEC(__VA_ARGS__) }
#define HELD 3

/* Who issued it, or what was done with it. */
enum {
	NO_KEY = 1,
	UNTRUSTED = 2, /* issued by a root that is no anchor */
	ALONE = 4,     /* self-signed */
	PINNED = 8,    /* for alice@example.com */
	ASSIGNED = 16, /* to @example.com */
	REVOKED = 32,
	LIMITED = 64 /* issued by a root trusted for @partner.example */
};

struct held {
	struct spec spec;
	unsigned how;
	enum ks_state state;
	unsigned stored; /* use in the store; 0: all */
};

struct row {
	const char *name;
	struct held held[HELD];
	unsigned use;	   /* 0: KS_ENCRYPT */
	int want;	   /* 0: the first, 1, 2; NONE */
	const char *over;  /* in a reason; NULL: nothing passed over */
	const char *asked; /* NULL: alice@example.com */
	int64_t at;	   /* 0: NOW */
};
#define NONE (-1)
/* Not even looked at: it has no address like that. */
#define SILENT "-"

static const struct row dates_and_states[] = {
	/* ---- dates ---- */
	{ "one second left", .held = { H(ALICE, .until = NOW + 1) } },
	{ "first second", .held = { H(ALICE, .from = NOW) } },
	{ "last second", .held = { H(ALICE, .until = NOW) }, .want = NONE,
	    .over = "expired on 2027-01-15 (RFC 5280 4.1.2.5)" },
	{ "expired long ago", .held = { H(ALICE, .until = NOW - 40 * DAY) },
	    .want = NONE, .over = "expired on 2026-12-06" },
	{ "future", .held = { H(ALICE, .from = NOW + 1) }, .want = NONE,
	    .over = "valid only from 2027-01-15" },
	{ "valid at another time", .held = { H(ALICE, .until = NOW - DAY) },
	    .at = NOW - 2 * DAY },
	{ "the newest notBefore of two", .held = { H(ALICE,
	    .from = NOW - 9 * DAY), H(ALICE, .from = NOW - 2 * DAY) },
	    .want = 1, .over = "a newer one is used" },
	{ "expired and newer hides nothing", .held = { H(ALICE,
	    .from = NOW - 50 * DAY), H(ALICE, .from = NOW - 5 * DAY,
	    .until = NOW - DAY) }, .over = "expired" },
	{ "expired and older hides nothing", .held = { H(ALICE,
	    .from = NOW - 50 * DAY, .until = NOW - DAY), H(ALICE) }, .want = 1,
	    .over = "expired" },
	{ "a future one hides nothing", .held = { H(ALICE, .from = NOW + DAY),
	    H(ALICE) }, .want = 1, .over = "valid only from" },
	{ "three: future, valid, expired", .held = { H(ALICE,
	    .from = NOW + DAY), H(ALICE, .from = NOW - 3 * DAY), H(ALICE,
	    .until = NOW - DAY) }, .want = 1, .over = "expired" },
	/* ---- states ---- */
	{ "A32: pending", .held = { { .state = KS_PENDING, SPEC(ALICE) } },
	    .want = NONE, .over = "pending: nobody has approved it yet" },
	{ "A32: a newer pending one hides nothing", .held = { H(ALICE,
	    .from = NOW - 9 * DAY), { .state = KS_PENDING, SPEC(ALICE,
	    .from = NOW - DAY) } }, .over = "pending" },
	{ "pending, to sign", .held = { { .state = KS_PENDING, SPEC(ALICE) } },
	    .use = KS_SIGN, .want = NONE, .over = "pending" },
	{ "distrusted", .held = { { .state = KS_DISTRUSTED, SPEC(ALICE) } },
	    .want = NONE, .over = "distrusted here" },
	{ "superseded", .held = { { .state = KS_SUPERSEDED, SPEC(ALICE) } },
	    .want = NONE, .over = "superseded by another one" },
	{ "superseded, to sign", .held = { { .state = KS_SUPERSEDED,
	    SPEC(ALICE) } }, .use = KS_SIGN, .want = NONE,
	    .over = "superseded" },
	/* ---- what the administrator narrowed ---- */
	{ "narrowed to signing", .held = { { .stored = KS_SIGN, SPEC(ALICE) } },
	    .want = NONE, .over = "not to be used for encryption here" },
	{ "narrowed to encryption", .held = { { .stored = KS_ENCRYPT,
	    SPEC(ALICE) } }, .use = KS_SIGN, .want = NONE,
	    .over = "for signing here" },
	{ "narrowed to storage, to store", .held = { { .stored = KS_STORAGE,
	    SPEC(ALICE) } }, .use = KS_STORAGE },
	{ "narrowed to storage, to send", .held = { { .stored = KS_STORAGE,
	    SPEC(ALICE) } }, .want = NONE, .over = "for encryption here" },
	{ "encryption only, to store", .held = { { .stored = KS_ENCRYPT,
	    SPEC(ALICE) } }, .use = KS_STORAGE, .want = NONE,
	    .over = "for storage here" },
};

static const struct row uses[] = {
	/* ---- key usage; all combinations are below ---- */
	{ "storage, EC", .held = { H(ALICE, .ku = AGREE) }, .use = KS_STORAGE },
	{ "storage, signature only", .held = { H(ALICE, .ku = SIGNS) },
	    .use = KS_STORAGE, .want = NONE,
	    .over = "key agreement (RFC 8550 4.4.2)" },
	{ "nonRepudiation alone signs", .held = { H(ALICE,
	    .ku = "nonRepudiation") }, .use = KS_SIGN },
	{ "keyCertSign alone encrypts nothing", .held = { H(ALICE,
	    .ku = "keyCertSign") }, .want = NONE, .over = "key agreement" },
	/* ---- extended key usage ---- */
	{ "emailProtection", .held = { H(ALICE, .eku = "emailProtection") } },
	{ "any", .held = { H(ALICE, .eku = "anyExtendedKeyUsage") } },
	{ "mail among others", .held = { H(ALICE,
	    .eku = "serverAuth,emailProtection") } },
	{ "server only", .held = { H(ALICE, .eku = "serverAuth") },
	    .want = NONE, .over = "(RFC 8550 4.4.4)" },
	{ "client only, to sign", .held = { H(ALICE, .eku = "clientAuth") },
	    .use = KS_SIGN, .want = NONE, .over = "e-mail protection" },
	/* ---- CA certificates, extensions ---- */
	{ "CA certificate", .held = { H(ALICE, .bc = "critical,CA:TRUE") },
	    .want = NONE, .over = "a CA certificate (RFC 8550 4.4.1)" },
	{ "CA:FALSE", .held = { H(ALICE, .bc = "CA:FALSE") } },
	{ "S115: unknown critical extension", .held = { H(ALICE,
	    .crit = "1.3.6.1.4.1.99999.7") }, .want = NONE,
	    .over = "critical" },
};

static const struct row addresses[] = {
	/* ---- addresses ---- */
	{ "other address", .held = { H(MAIL("bob@example.com")) }, .want = NONE,
	    .over = SILENT },
	{ "common name is no address", .held = { H(.cn = "alice@example.com") },
	    .want = NONE, .over = SILENT },
	{ "subject's emailAddress, no SAN",
	    .held = { H(.dn_email = "alice@example.com") } },
	{ "SAN wins over the subject",
	    .held = { H(.dn_email = "alice@example.com",
	    MAIL("bob@example.com")) }, .want = NONE, .over = SILENT },
	{ "SAN with a host only: the subject's counts",
	    .held = { H(.dn_email = "alice@example.com",
	    .san = "DNS:x.example.com") } },
	{ "SmtpUTF8Mailbox in the SAN: the subject's does not count",
	    .held = { H(.dn_email = "alice@example.com", .utf8 = JOERG
	    "@example.com") }, .want = NONE, .over = SILENT },
	{ "second address",
	    .held = { H(.san = "email:x@y.example,email:alice@example.com") } },
	{ "case of the domain", .held = { H(MAIL("alice@EXAMPLE.com")) } },
	{ "case of the local part", .held = { H(MAIL("Alice@example.com")) } },
	{ "asked in capitals", .held = { H(ALICE) },
	    .asked = "ALICE@Example.COM" },
	{ "A25: NUL in the address",
	    .held = { H(RAW("alice@example.com\0.evil.e")) }, .want = NONE,
	    .over = SILENT },
	{ "A25: blank before", .held = { H(RAW(" alice@example.com")) },
	    .want = NONE, .over = SILENT },
	{ "A25: blank behind", .held = { H(RAW("alice@example.com ")) },
	    .want = NONE, .over = SILENT },
	{ "A25: blank inside", .held = { H(RAW("alice @example.com")) },
	    .want = NONE, .over = SILENT },
	{ "A25: comment", .held = { H(RAW("alice@example.com (c)")) },
	    .want = NONE, .over = SILENT },
	{ "A25: wildcard", .held = { H(RAW("*@example.com")) }, .want = NONE,
	    .over = SILENT },
	{ "A25: angle brackets", .held = { H(RAW("<alice@example.com>")) },
	    .want = NONE, .over = SILENT },
	{ "A25: two @", .held = { H(RAW("alice@example.com@evil.example")) },
	    .want = NONE, .over = SILENT },
	{ "A48: dots up", .held = { H(RAW("../alice@example.com")) },
	    .want = NONE, .over = SILENT },
	{ "A48: a slash is a letter",
	    .held = { H(RAW("/etc/alice@example.com")) },
	    .asked = "/etc/alice@example.com" },
	{ "A48: a slash is no end",
	    .held = { H(RAW("alice/../../x@example.com")) }, .want = NONE,
	    .over = SILENT },
	{ "A48: quoted dots up", .held = { H(RAW("\"../x\"@example.com")) },
	    .asked = "\"../x\"@example.com" },
	{ "A48: one local part in two cases, the newer one", .held = { H(RAW(
	    "ALICE@example.com"), .from = NOW - 9 * DAY), H(ALICE,
	    .from = NOW - DAY) }, .want = 1, .over = "a newer one" },
	{ "A48: KELVIN SIGN is no k",
	    .held = { H(.utf8 = "\xe2\x84\xaa@example.com") }, .want = NONE,
	    .over = SILENT, .asked = "k@example.com" },
	/* ---- addresses beyond ASCII ---- */
	{ "S188: A-label", .held = { H(.utf8 = JOERG
	    "@xn--mnchen-3ya.example") }, .asked = JOERG
	    "@m\xc3\xbcnchen.example" },
	{ "S188: U-label", .held = { H(.utf8 = JOERG
	    "@m\xc3\xbcnchen.example") }, .asked = JOERG
	    "@xn--mnchen-3ya.example" },
	{ "S188: U-label in NFD", .held = { H(.utf8 = JOERG
	    "@mu\xcc\x88nchen.example") }, .asked = JOERG
	    "@xn--mnchen-3ya.example" },
	{ "S188: U-label in capitals", .held = { H(.utf8 = JOERG
	    "@M\xc3\x9cNCHEN.example") }, .asked = JOERG
	    "@xn--mnchen-3ya.example" },
	{ "S188: ASCII local part", .held = { H(.utf8 = "alice@example.com") },
	    .want = NONE, .over = SILENT },
	{ "S188: byte order mark", .held = { H(.utf8 = "\xef\xbb\xbf" JOERG
	    "@example.com") }, .want = NONE, .over = SILENT, .asked = JOERG
	    "@example.com" },
	{ "S188: no UTF-8", .held = { H(.utf8 = "j\xf6rg@example.com") },
	    .want = NONE, .over = SILENT, .asked = JOERG "@example.com" },
	{ "S189: NFC asked, NFD held", .held = { H(.utf8 = JOERG_NFD
	    "@example.com") }, .want = NONE, .over = SILENT, .asked = JOERG
	    "@example.com" },
	{ "S189: NFD asked, NFD held", .held = { H(.utf8 = JOERG_NFD
	    "@example.com") }, .asked = JOERG_NFD "@example.com" },
	{ "S189: letters of ASCII do not fold in it",
	    .held = { H(.utf8 = "J\xc3\xb6rg@example.com") }, .want = NONE,
	    .over = "address differs (RFC 8550 3)", .asked = JOERG
	    "@example.com" },
};

static const struct row keys[] = {
	/* ---- keys ---- */
	{ "RSA-2048", .held = { H(ALICE, .alg = "rsa:2048", .ku = ENC) } },
	{ "A15: RSA-1024", .held = { H(ALICE, .alg = "rsa:1024") },
	    .want = NONE, .over = "RFC 8551 4.1: RSA key of 1024 bits" },
	{ "A15: RSA-1024, to sign", .held = { H(ALICE, .alg = "rsa:1024") },
	    .use = KS_SIGN, .want = NONE, .over = "1024 bits" },
	{ "id-RSASSA-PSS", .held = { H(ALICE, .alg = "pss:2048") },
	    .want = NONE, .over = "key of type other" },
	{ "id-RSASSA-PSS, to sign", .held = { H(ALICE, .alg = "pss:2048") },
	    .use = KS_SIGN, .want = NONE, .over = "key of type other" },
	{ "P-384", .held = { H(ALICE, .alg = "ec:p384") } },
	{ "P-521, to sign", .held = { H(ALICE, .alg = "ec:p521") },
	    .use = KS_SIGN },
	{ "secp256k1", .held = { H(ALICE, .alg = "ec:k256") }, .want = NONE,
	    .over = "curve is none of" },
	{ "Ed25519", .held = { H(ALICE, .alg = "ed25519") }, .want = NONE,
	    .over = "key of type ed25519" },
	{ "a broken key hides nothing", .held = { H(ALICE,
	    .from = NOW - 9 * DAY), H(ALICE, .alg = "rsa:1024",
	    .from = NOW - DAY) }, .over = "1024" },
	/* ---- private keys ---- */
	{ "no private key, to sign", .held = { { .how = NO_KEY, SPEC(ALICE) } },
	    .use = KS_SIGN, .want = NONE,
	    .over = "its private key is not in the keystore" },
	{ "no private key, to encrypt", .held = { { .how = NO_KEY,
	    SPEC(ALICE) } } },
	{ "S122: one to sign, one to encrypt; sign", .held = { H(ALICE,
	    .ku = SIGNS), H(ALICE, .ku = AGREE, .from = NOW - DAY) },
	    .use = KS_SIGN, .over = "does not allow signatures" },
	{ "S122: one to sign, one to encrypt; encrypt", .held = { H(ALICE,
	    .ku = SIGNS, .from = NOW - DAY), H(ALICE, .ku = AGREE) }, .want = 1,
	    .over = "key agreement" },
};

static const struct row vouched[] = {
	/* ---- who vouches ---- */
	{ "untrusted", .held = { { .how = UNTRUSTED, SPEC(ALICE) } },
	    .want = NONE,
	    .over = "no path to a trusted root (issuer CN=stranger)" },
	{ "self-signed", .held = { { .how = ALONE, SPEC(ALICE) } },
	    .want = NONE, .over = "self-signed and not a trusted root" },
	{ "untrusted and newer hides nothing", .held = { H(ALICE,
	    .from = NOW - 9 * DAY), { .how = UNTRUSTED, SPEC(ALICE,
	    .from = NOW - DAY) } }, .over = "no path" },
	{ "A38: the victim's SKI, untrusted", .held = { H(ALICE,
	    .ski = "01020304", .from = NOW - 9 * DAY), { .how = UNTRUSTED,
	    SPEC(ALICE, .ski = "01020304", .key = "mallory",
	    .from = NOW - DAY) } }, .over = "no path" },
	{ "A38: the victim's SKI, another address", .held = { H(ALICE,
	    .ski = "01020304"), H(MAIL("mallory@example.com"),
	    .ski = "01020304", .key = "mallory", .from = NOW - DAY) } },
	{ "SHA-1 in the signature", .held = { H(ALICE, .md = "SHA1") },
	    .want = NONE, .over = "weak" },
	{ "revoked", .held = { { .how = REVOKED, SPEC(ALICE) } }, .want = NONE,
	    .over = "the certificate was revoked on 2027-01-14" },
	{ "revoked and newer hides nothing", .held = { H(ALICE,
	    .from = NOW - 9 * DAY), { .how = REVOKED, SPEC(ALICE,
	    .from = NOW - DAY) } }, .over = "was revoked" },
	{ "hard: not known to be revoked", .held = { H(ALICE) },
	    .use = KS_ENCRYPT | KS_HARD, .want = NONE, .over = "is not known" },
	{ "hard, to sign", .held = { H(ALICE) }, .use = KS_SIGN | KS_HARD,
	    .want = NONE, .over = "is not known" },
	{ "hard: on a list of good ones", .held = { H(ALICE,
	    .from = NOW - 9 * DAY), { .how = REVOKED, SPEC(ALICE,
	    .from = NOW - DAY) } }, .use = KS_ENCRYPT | KS_HARD,
	    .over = "was revoked" },
	/* ---- roots with limits ---- */
	{ "limited root, its partner", .held = { { .how = LIMITED,
	    SPEC(MAIL("bob@partner.example")) } },
	    .asked = "bob@partner.example" },
	{ "limited root, somebody else", .held = { { .how = LIMITED,
	    SPEC(ALICE) } }, .want = NONE, .over = "its root is trusted for "
	    "@partner.example only (CN=limited)" },
	{ "limited root, one address of each", .held = { { .how = LIMITED,
	    SPEC(.san = "email:bob@partner.example,"
	    "email:alice@example.com") } },
	    .want = NONE, .over = "@partner.example only" },
	{ "limited root, a domain below", .held = { { .how = LIMITED,
	    SPEC(MAIL("bob@sub.partner.example")) } }, .want = NONE,
	    .over = "@partner.example only",
	    .asked = "bob@sub.partner.example" },
};

static const struct row tied[] = {
	/* ---- pins ---- */
	{ "pinned and older", .held = { { .how = PINNED, SPEC(ALICE,
	    .from = NOW - 9 * DAY) }, H(ALICE, .from = NOW - DAY) },
	    .over = "another certificate is pinned for this address" },
	{ "pinned, expired: nothing else is taken", .held = { { .how = PINNED,
	    SPEC(ALICE, .until = NOW - DAY) }, H(ALICE) }, .want = NONE,
	    .over = "another certificate is pinned" },
	{ "two are pinned, the newer", .held = { { .how = PINNED, SPEC(ALICE,
	    .from = NOW - 9 * DAY) }, { .how = PINNED, SPEC(ALICE,
	    .from = NOW - DAY) } }, .want = 1, .over = "a newer one" },
	{ "pinned without the address", .held = { { .how = PINNED,
	    SPEC(MAIL("bob@example.com")) } } },
	{ "pinned, self-signed", .held = { { .how = PINNED | ALONE,
	    SPEC(ALICE) } } },
	{ "pinned, untrusted issuer", .held = { { .how = PINNED | UNTRUSTED,
	    SPEC(ALICE) } }, .want = NONE, .over = "no path" },
	{ "pinned, revoked", .held = { { .how = PINNED | REVOKED,
	    SPEC(ALICE) } }, .want = NONE, .over = "was revoked" },
	{ "pinned, pending", .held = { { .how = PINNED, .state = KS_PENDING,
	    SPEC(ALICE) } }, .want = NONE, .over = "pending" },
	{ "pinned, self-signed, server only", .held = { { .how = PINNED | ALONE,
	    SPEC(ALICE, .eku = "serverAuth") } }, .want = NONE,
	    .over = "8550 4.4.4" },
	{ "pinned, self-signed, hard", .held = { { .how = PINNED | ALONE,
	    SPEC(ALICE) } }, .use = KS_ENCRYPT | KS_HARD },
	{ "pins are nothing for signatures", .held = { { .how = PINNED,
	    SPEC(ALICE, .from = NOW - 9 * DAY) }, H(ALICE, .from = NOW - DAY) },
	    .use = KS_SIGN, .want = 1, .over = "a newer one" },
	{ "pinned, to store", .held = { { .how = PINNED, SPEC(ALICE,
	    .from = NOW - 9 * DAY) }, H(ALICE, .from = NOW - DAY) },
	    .use = KS_STORAGE, .over = "another certificate is pinned" },
	{ "a pin is for its address alone", .held = { { .how = PINNED,
	    SPEC(ALICE) }, H(MAIL("bob@example.com")) }, .want = 1,
	    .asked = "bob@example.com" },
	/* ---- domain certificates ---- */
	{ "S126: a domain's, nothing of one's own", .held = { { .how = ASSIGNED,
	    SPEC(MAIL( "gateway@example.com")) } } },
	{ "S126: without any address", .held = { { .how = ASSIGNED,
	    SPEC(.cn = "gateway") } } },
	{ "S126: one's own comes first", .held = { { .how = ASSIGNED,
	    SPEC(MAIL("gateway@example.com"), .from = NOW - DAY) }, H(ALICE,
	    .from = NOW - 9 * DAY) }, .want = 1 },
	{ "S126: one's own has expired", .held = { { .how = ASSIGNED,
	    SPEC(MAIL("gateway@example.com")) }, H(ALICE, .until = NOW - DAY) },
	    .over = "expired" },
	{ "S126: self-signed", .held = { { .how = ASSIGNED | ALONE,
	    SPEC(.cn = "gateway") } } },
	{ "S126: issued by a stranger", .held = { { .how = ASSIGNED | UNTRUSTED,
	    SPEC(.cn = "gateway") } }, .want = NONE, .over = "no path" },
	{ "S126: revoked", .held = { { .how = ASSIGNED | REVOKED,
	    SPEC(.cn = "gateway") } }, .want = NONE, .over = "was revoked" },
	{ "S126: signature only", .held = { { .how = ASSIGNED,
	    SPEC(.cn = "gateway", .ku = SIGNS) } }, .want = NONE,
	    .over = "key agreement" },
	{ "S126: another domain", .held = { { .how = ASSIGNED,
	    SPEC(.cn = "gateway") } }, .want = NONE, .over = SILENT,
	    .asked = "bob@sub.example.com" },
	{ "S126: signs for nobody", .held = { { .how = ASSIGNED,
	    SPEC(.cn = "gateway") } }, .use = KS_SIGN, .want = NONE,
	    .over = SILENT },
	{ "S126: not beside a pin", .held = { { .how = ASSIGNED,
	    SPEC(.cn = "gateway") }, { .how = PINNED, SPEC(ALICE,
	    .until = NOW - DAY) } }, .want = NONE, .over = "expired" },
};

static struct made root, stranger, limited;

/* ---- one row ---- */

static void make_held(struct keystore *ks, const struct held *h,
    struct made *m)
{
	static const struct ks_scope partner = { "partner.example",
	    KS_FOR_ALL };
	bool bound = (h->how & (PINNED | ASSIGNED)) != 0;

	if ((h->how & LIMITED) != 0) {
		add_cert(ks, &limited, 0);
		must(keystore_trust(ks, cert_sha256(limited.cert), &partner,
		    1, e));
	}
	cert_make(m, &h->spec, (h->how & ALONE) != 0 ? NULL :
	    (h->how & UNTRUSTED) != 0 ? &stranger :
	    (h->how & LIMITED) != 0 ? &limited : &root);
	add_cert(ks, m, h->stored != 0 ? h->stored :
	    KS_SIGN | KS_ENCRYPT | KS_STORAGE);
	if ((h->how & NO_KEY) == 0)
		add_private(ks, m);
	must(keystore_set_state(ks, cert_sha256(m->cert), h->state, e));
	if (bound)
		must(keystore_bind(ks, (h->how & PINNED) != 0 ? KS_PIN :
		    KS_DOMAIN, (h->how & PINNED) != 0 ? "alice@example.com" :
		    "@example.com", cert_sha256(m->cert), true, e));
}

/* One list of the root for all. */
static void make_list(struct keystore *ks, const struct row *t,
    const struct made *m)
{
	struct rv_entry x[HELD];
	struct rv_crl c = { .ca = root.x, .key = root.key,
	    .from = NOW - DAY / 2, .until = NOW + DAY, .number = 1,
	    .entry = x };
	size_t i;

	for (i = 0; i < HELD; i++)
		if ((t->held[i].how & REVOKED) != 0)
			x[c.n++] = (struct rv_entry){ m[i].x, NOW - DAY, 1,
			    0, NULL };
	if (c.n > 0)
		rv_bring(ks, &c, NOW, NULL);
}

static bool is_held(const struct held *h)
{
	return h->spec.cn != NULL || h->spec.san != NULL ||
	    h->spec.san_raw != NULL || h->spec.utf8 != NULL ||
	    h->spec.dn_email != NULL;
}

static void expect_over(const struct row *t, const struct selection *s)
{
	bool silent = t->over == NULL || strcmp(t->over, SILENT) == 0;
	size_t i;

	if (silent && s->over_n > 0)
		fail_msg("%s: passed over: %s", t->name, s->over[0].reason);
	for (i = 0; i < s->over_n; i++) {
		if (strchr(s->over[i].reason, '\n') != NULL)
			fail_msg("%s: a reason of two lines", t->name);
		if (strstr(s->over[i].reason, t->over) != NULL)
			return;
	}
	if (!silent)
		fail_msg("%s: \"%s\", wanted \"%s\"", t->name,
		    s->over_n > 0 ? s->over[0].reason : "", t->over);
}

static void expect_row(struct keystore *ks, const struct row *t,
    const struct made *m)
{
	struct addr a = address(t->asked != NULL ? t->asked :
	    "alice@example.com");
	struct selection s;
	int found = NONE, i;

	must(keystore_select(ks, &a, t->use != 0 ? t->use : KS_ENCRYPT,
	    t->at != 0 ? t->at : NOW, &s, e));
	for (i = 0; i < HELD && s.cert != NULL; i++)
		if (m[i].cert != NULL && memcmp(cert_sha256(s.cert),
		    cert_sha256(m[i].cert), 32) == 0)
			found = i;
	if (found != t->want)
		fail_msg("%s: chosen %d, wanted %d: %s", t->name, found,
		    t->want, s.over_n > 0 ? s.over[0].reason : "no reason");
	expect_over(t, &s);
	selection_free(&s);
}

static void check_row(const struct row *t)
{
	struct made m[HELD];
	struct keystore *ks;
	struct place p;
	size_t i;

	memset(m, 0, sizeof(m));
	ks = store_make(&p);
	add_anchor(ks, &root);
	for (i = 0; i < HELD && is_held(&t->held[i]); i++)
		make_held(ks, &t->held[i], &m[i]);
	make_list(ks, t, m);
	expect_row(ks, t, m);
	expect_row(ks, t, m); /* from the cache */
	for (i = 0; i < HELD && m[i].cert != NULL; i++)
		made_free(&m[i]);
	store_clear(&p, &ks);
}

static void check_rows(const struct row *t, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		check_row(&t[i]);
}

/* attack A32: a certificate for somebody's address that nobody approved
 * verdict: it is never used, and hides none that is */
static void S102_S60_S103_A32_dates_and_states(void **state)
{
	(void)state;
	check_rows(dates_and_states, ARRAY_LEN(dates_and_states));
}

static void S102_S115_S116_uses(void **state)
{
	(void)state;
	check_rows(uses, ARRAY_LEN(uses));
}

/* attack A25 A48: addresses that are nearly somebody's, or the names of files
 * verdict: no such address is taken from a certificate, or it is only what it
 * is */
static void S79_S188_S189_A25_A48_addresses(void **state)
{
	(void)state;
	check_rows(addresses, ARRAY_LEN(addresses));
}

static void S102_S122_A15_keys(void **state)
{
	(void)state;
	check_rows(keys, ARRAY_LEN(keys));
}

/* attack A38: a newer certificate with the victim's key identifier
 * verdict: passed over, the victim's is used */
static void S102_A38_who_vouches(void **state)
{
	(void)state;
	check_rows(vouched, ARRAY_LEN(vouched));
}

static void S126_S102_pins_and_domains(void **state)
{
	(void)state;
	check_rows(tied, ARRAY_LEN(tied));
	/* all of them, by the names of the cases */
	assert_true(ARRAY_LEN(dates_and_states) + ARRAY_LEN(uses) +
	    ARRAY_LEN(addresses) + ARRAY_LEN(keys) + ARRAY_LEN(vouched) +
	    ARRAY_LEN(tied) >= 100);
}

/* ---- key usage: 8 combinations, two kinds of key, two uses ---- */

static void check_usage(unsigned mask, bool rsa, unsigned use)
{
	static const char *const word[] = { ",digitalSignature",
	    ",keyEncipherment", ",keyAgreement" };
	unsigned needs = use == KS_SIGN ? 1 : rsa ? 2 : 4;
	char name[160];
	struct row t = { .name = name, .use = use,
	    .held = { H(ALICE, .alg = rsa ? "rsa:2048" : NULL) } };
	struct buf ku;
	int i;

	buf_init(&ku, 100);
	buf_puts(&ku, "critical");
	for (i = 0; i < 3; i++)
		if ((mask >> i & 1) != 0)
			buf_puts(&ku, word[i]);
	if (mask != 0)
		t.held[0].spec.ku = buf_str(&ku); /* none: all are allowed */
	snprintf(name, sizeof(name), "%s, %s, %s", rsa ? "RSA" : "EC",
	    buf_str(&ku), use == KS_SIGN ? "sign" : "encrypt");
	if (mask != 0 && (mask & needs) == 0) {
		t.want = NONE;
		t.over = use == KS_SIGN ? "does not allow signatures (RFC 8550 "
		    "4.4.2)" : rsa ? "does not allow encryption (RFC 8550 "
		    "4.4.2)" : "does not allow key agreement (RFC 8550 4.4.2)";
	}
	check_row(&t);
	buf_free(&ku);
}

static void S116_S102_eight_key_usages(void **state)
{
	unsigned mask;

	(void)state;
	for (mask = 0; mask < 8; mask++) {
		check_usage(mask, true, KS_SIGN);
		check_usage(mask, true, KS_ENCRYPT);
		check_usage(mask, false, KS_SIGN);
		check_usage(mask, false, KS_ENCRYPT);
	}
}

/* ---- the table of checks ---- */

/* Costs rise along it: a path is looked for when all else fits. */
static void checks_in_order(void **state)
{
	static const char *const want[] = { "state", "not-after",
	    "not-before", "end-entity", "extended-key-usage",
	    "key-usage-sign", "key-usage-encrypt", "use", "address", "key",
	    "private-key", "pin", "newest", "path", "revocation" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(want); i++)
		assert_string_equal(fitness_name(i), want[i]);
	assert_null(fitness_name(i));
}

static int setup(void **state)
{
	(void)state;
	ca_make(&root, "root", NULL);
	ca_make(&stranger, "stranger", NULL);
	ca_make(&limited, "limited", NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	made_free(&root);
	made_free(&stranger);
	made_free(&limited);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(S102_S60_S103_A32_dates_and_states),
		cmocka_unit_test(S102_S115_S116_uses),
		cmocka_unit_test(S79_S188_S189_A25_A48_addresses),
		cmocka_unit_test(S102_S122_A15_keys),
		cmocka_unit_test(S102_A38_who_vouches),
		cmocka_unit_test(S126_S102_pins_and_domains),
		cmocka_unit_test(S116_S102_eight_key_usages),
		cmocka_unit_test(checks_in_order),
	};

	return cmocka_run_group_tests_name("keystore_select_table", tests,
	    setup, teardown);
}
