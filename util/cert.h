/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A parsed X.509 certificate, public part only: immutable, counted, shared
 * between smime/ and keystore/ (which do not include each other). Parsing
 * costs 0.1 ms on OpenSSL 3.0, so whoever can keeps one.
 */
#ifndef UTIL_CERT_H
#define UTIL_CERT_H

#include <stdint.h>

#include "util/addr.h"
#include "util/buf.h"

typedef struct x509_st X509; /* as OpenSSL declares it */

struct cert;

enum cert_key { CERT_KEY_OTHER, CERT_KEY_RSA, CERT_KEY_EC };

/* keyUsage bits (RFC 5280 4.2.1.3); an absent extension has all bits. */
enum {
	CERT_KU_SIGN = 1,     /* digitalSignature or nonRepudiation */
	CERT_KU_ENCIPHER = 2, /* keyEncipherment */
	CERT_KU_AGREE = 4,    /* keyAgreement */
	CERT_KU_CERT = 8      /* keyCertSign */
};

/*
 * Parse one DER certificate that must fill v exactly. FAIL_INPUT (not a
 * certificate, trailing octets, more than CAP_CMS_CERT_SIZE, an elliptic
 * curve that is not named), FAIL_TEMP.
 */
int cert_parse(struct cert **out, struct view der, struct err *e) MUST_CHECK;
struct cert *cert_ref(struct cert *c); /* one more owner; returns c */
/* The same for one that is const to its holder: only the count changes. */
struct cert *cert_keep(const struct cert *c);
void cert_free(struct cert **c);       /* NULL allowed */

X509 *cert_x509(const struct cert *c); /* borrowed */
struct view cert_der(const struct cert *c);
const unsigned char *cert_sha256(const struct cert *c); /* 32 octets */
const char *cert_sha256_hex(const struct cert *c);
/* Names for people: RFC 2253 form, UTF-8, controls and what changes the
 * direction of text escaped. */
const char *cert_subject(const struct cert *c);
const char *cert_issuer(const struct cert *c);
const char *cert_serial_hex(const struct cert *c);
int64_t cert_not_before(const struct cert *c); /* seconds UTC */
int64_t cert_not_after(const struct cert *c);

enum cert_key cert_key_type(const struct cert *c);
int cert_key_bits(const struct cert *c);
int cert_rsa_exponent_bits(const struct cert *c); /* 0: no RSA key */
/* "rsa:2048", "ec:p256", "ec:p384", "ec:p521", "ed25519", "other". */
const char *cert_key_name(const struct cert *c);
/* Key that we work with: RSA within CAP_RSA_MIN..CAP_RSA_MAX and
 * exponent cap, EC named curve P-256, P-384, P-521. FAIL_POLICY names why
 * not. */
int cert_key_check(const struct cert *c, struct err *e) MUST_CHECK;
/* The same, but RSA from CAP_RSA_MIN_OLD on: old mail is still opened with
 * it (S198). */
int cert_key_opens(const struct cert *c, struct err *e) MUST_CHECK;

unsigned cert_ku(const struct cert *c); /* CERT_KU_* */
bool cert_has_ku(const struct cert *c); /* extension present */
/* emailProtection, anyExtendedKeyUsage or no EKU (RFC 8550 4.4.4). */
bool cert_eku_mail(const struct cert *c);
bool cert_is_ca(const struct cert *c);
bool cert_is_self_issued(const struct cert *c);

/* IssuerAndSerialNumber as DER (RFC 5652 10.2.4), and the SKI octets
 * (empty when the extension is absent). Borrowed. */
struct view cert_ias(const struct cert *c);
struct view cert_ski(const struct cert *c);
/*
 * What the extension for S/MIME capabilities holds (RFC 4262 2), not looked
 * at. Borrowed; empty when it is absent, critical, or there twice.
 */
struct view cert_smime_caps(const struct cert *c);
/* SHA-256 of the SubjectPublicKeyInfo, 32 octets. */
const unsigned char *cert_spki_sha256(const struct cert *c);

/*
 * Addresses, strictly parsed (A25, S82): SAN rfc822Name and
 * SmtpUTF8Mailbox; the subject's emailAddress only if the SAN has neither.
 * Malformed ones are left out and counted in cert_bad_addresses().
 */
size_t cert_addresses(const struct cert *c);
const struct addr *cert_address(const struct cert *c, size_t i);
size_t cert_bad_addresses(const struct cert *c);
/* Does one of them equal a (S79)? */
bool cert_has_address(const struct cert *c, const struct addr *a,
    enum addr_case how);

/* ---- cert_name.c ---- */

/*
 * The subject's common names: how many there are, and the octets of the
 * first one (RFC 3183 3.1.1). Borrowed; empty when it is in no string of
 * octets (BMPString).
 */
size_t cert_common_names(const struct cert *c, struct view *first);
/* The subject's domainComponents as a domain in lower-case A-labels (RFC
 * 2247 2); false when there are none, or they are no domain. size >= 256. */
bool cert_subject_domain(const struct cert *c, char *dst, size_t size);

#endif
