/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A table of what others refuse in certificates, a function each. See
 * advice.h.
 */
#include "keystore/advice.h"

#include <string.h>

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "keystore/keystore_int.h"
#include "util/ossl.h"

#define DAYS_STRICT 825	 /* CA/B S/MIME BR 6.3.2 */
#define DAYS_LEGACY 1185 /* the same, legacy profile */
#define DAY_S 86400

#define CAB "CA/B S/MIME BR"
#define EVERYBODY "Outlook, Apple Mail, Thunderbird, Gmail"

struct looked_at {
	const struct cert *c;
	X509 *x;
	EVP_PKEY *key; /* borrowed, NULL: of an unknown kind */
	const struct path *path;
	bool has_eku;
	uint32_t xku;	/* XKU_*; 0 without the extension */
	size_t rfc822;	/* names of the SAN */
	size_t utf8;
	bool is_domain; /* names no person */
};

typedef bool finding(const struct looked_at *l, struct err *text);

static bool say(struct err *text, const char *what)
{
	(void)err_set(text, FAIL_POLICY, "%s", what);
	return true;
}

/* ---- keys ---- */

static bool rsa_size(const struct looked_at *l, struct err *text)
{
	int bits = cert_key_bits(l->c);

	if (cert_key_type(l->c) != CERT_KEY_RSA || (bits >= 2048 &&
	    bits % 8 == 0))
		return false;
	(void)err_set(text, FAIL_POLICY, "RSA key of %d bits; wanted are 2048 "
	    "or more, and a multiple of 8 (" CAB " 6.1.5)", bits);
	return true;
}

static bool ec_curve(const struct looked_at *l, struct err *text)
{
	if (cert_key_type(l->c) != CERT_KEY_EC ||
	    strncmp(cert_key_name(l->c), "ec:p", 4) == 0)
		return false;
	return say(text, "elliptic curve other than P-256, P-384 and P-521 ("
	    CAB " 6.1.5)");
}

static bool is_edwards(const struct looked_at *l)
{
	return l->key != NULL && (EVP_PKEY_is_a(l->key, "ED25519") == 1 ||
	    EVP_PKEY_is_a(l->key, "ED448") == 1);
}

static bool edwards(const struct looked_at *l, struct err *text)
{
	return is_edwards(l) && say(text, "Ed25519 or Ed448: for signatures "
	    "alone, and hardly any mail program reads them (" CAB " 6.1.5)");
}

static bool pss_key(const struct looked_at *l, struct err *text)
{
	return l->key != NULL && EVP_PKEY_is_a(l->key, "RSA-PSS") == 1 &&
	    say(text, "public key of type id-RSASSA-PSS, which cannot "
	    "encrypt; wanted is rsaEncryption (" CAB " 7.1.3.1)");
}

/* ---- usages ---- */

static bool no_key_usage(const struct looked_at *l, struct err *text)
{
	return !cert_has_ku(l->c) && say(text, "no key usage, which macOS "
	    "wants from 10.12 on");
}

static bool useless_key_usage(const struct looked_at *l, struct err *text)
{
	unsigned ku = cert_ku(l->c), want = CERT_KU_SIGN |
	    (cert_key_type(l->c) == CERT_KEY_EC ? CERT_KU_AGREE :
	    CERT_KU_ENCIPHER);

	return cert_has_ku(l->c) && (ku & want) == 0 && say(text, "key usage "
	    "allows neither to sign mail nor to encrypt with this kind of "
	    "key (RFC 8550 4.4.2)");
}

static bool no_eku(const struct looked_at *l, struct err *text)
{
	return !l->has_eku && say(text, "no extended key usage; wanted is "
	    "emailProtection (" CAB " 7.1.2.3 f)");
}

static bool not_for_mail(const struct looked_at *l, struct err *text)
{
	return l->has_eku && (l->xku & XKU_SMIME) == 0 && say(text,
	    "extended key usage without emailProtection (RFC 8550 4.4.4)");
}

static bool any_eku(const struct looked_at *l, struct err *text)
{
	return (l->xku & XKU_ANYEKU) != 0 && say(text, "extended key usage "
	    "anyExtendedKeyUsage (" CAB " 7.1.2.3 f)");
}

static bool tls_eku(const struct looked_at *l, struct err *text)
{
	return (l->xku & XKU_SSL_SERVER) != 0 && say(text, "extended key "
	    "usage serverAuth: one key for mail and for a TLS server (" CAB
	    " 7.1.2.3 f)");
}

/* ---- names ---- */

static bool no_san(const struct looked_at *l, struct err *text)
{
	return l->rfc822 + l->utf8 == 0 && say(text, "no address in the "
	    "subjectAltName (RFC 8550 3); one in the subject alone is read "
	    "by few");
}

static bool utf8_only(const struct looked_at *l, struct err *text)
{
	return l->rfc822 == 0 && l->utf8 > 0 && say(text, "its only address "
	    "is a SmtpUTF8Mailbox (RFC 9598), which hardly any mail program "
	    "reads");
}

static bool capitals(const struct looked_at *l, struct err *text)
{
	size_t i, k;

	for (i = 0; i < cert_addresses(l->c); i++) {
		const struct addr *a = cert_address(l->c, i);

		for (k = 0; k < a->local_n; k++)
			if (a->text[k] >= 'A' && a->text[k] <= 'Z')
				return say(text, "address with capital "
				    "letters; Apple Mail compares them with "
				    "From as they are");
	}
	return false;
}

static bool domain(const struct looked_at *l, struct err *text)
{
	return l->is_domain && say(text, "a certificate of a domain: no "
	    "public CA issues such, so a partner must trust it by hand (" CAB
	    " 3.2.2)");
}

/* ---- the rest ---- */

static bool no_crl_url(const struct looked_at *l, struct err *text)
{
	CRL_DIST_POINTS *points = X509_get_ext_d2i(l->x,
	    NID_crl_distribution_points, NULL, NULL);
	const GENERAL_NAMES *names;
	const GENERAL_NAME *gn;
	bool found = false;
	int i, k;

	for (i = 0; i < sk_DIST_POINT_num(points); i++) {
		const DIST_POINT *dp = sk_DIST_POINT_value(points, i);

		if (dp->distpoint == NULL || dp->distpoint->type != 0)
			continue;
		names = dp->distpoint->name.fullname;
		for (k = 0; k < sk_GENERAL_NAME_num(names); k++) {
			gn = sk_GENERAL_NAME_value(names, k);
			found = found || (gn->type == GEN_URI && view_istarts(
			    view_make(ASN1_STRING_get0_data(
			    gn->d.uniformResourceIdentifier), (size_t)
			    ASN1_STRING_length(
			    gn->d.uniformResourceIdentifier)), "http://"));
		}
	}
	CRL_DIST_POINTS_free(points);
	return !found && say(text, "no CRL distribution point with http (" CAB
	    " 7.1.2.3 b)");
}

static bool long_validity(const struct looked_at *l, struct err *text)
{
	int64_t days = (cert_not_after(l->c) - cert_not_before(l->c)) / DAY_S;

	if (days <= DAYS_STRICT)
		return false;
	(void)err_set(text, FAIL_POLICY, "valid for %lld days; the strict and "
	    "multipurpose profiles have at most %d, the legacy one %d (" CAB
	    " 6.3.2)", (long long)days, DAYS_STRICT, DAYS_LEGACY);
	return true;
}

static bool is_weakly_signed(X509 *x)
{
	int md = NID_undef;

	return X509_get_signature_info(x, &md, NULL, NULL, NULL) != 1 ||
	    md == NID_sha1 || md == NID_md5 || md == NID_md5_sha1;
}

/* An anchor's own signature means nothing, so it is not looked at. */
static bool weak_signature(const struct looked_at *l, struct err *text)
{
	bool weak = !cert_is_self_issued(l->c) && is_weakly_signed(l->x);
	size_t i;

	for (i = 0; l->path != NULL && i < l->path->chain_n; i++)
		weak = weak || is_weakly_signed(cert_x509(l->path->chain[i]));
	return weak && say(text, "it, or a CA above it, is signed with SHA-1 "
	    "or MD5 (RFC 8550 4.3)");
}

static bool no_intermediate(const struct looked_at *l, struct err *text)
{
	return l->path != NULL && l->path->ok && l->path->chain_n == 0 &&
	    !cert_is_self_issued(l->c) && say(text, "issued by a root itself; "
	    "Google accepts none without an intermediate CA");
}

static bool constrained(const struct looked_at *l, struct err *text)
{
	bool found = false;
	size_t i;

	for (i = 0; l->path != NULL && i < l->path->chain_n; i++)
		found = found || X509_get_ext_by_NID(cert_x509(
		    l->path->chain[i]), NID_name_constraints, -1) >= 0;
	return found && say(text, "name constraints in its chain, a critical "
	    "extension that gpgsm does not know");
}

/* ---- all ---- */

enum scope { LEAVES, ALL };

static const struct {
	const char *code;
	const char *who;
	enum scope scope;
	finding *find;
} kinds[] = {
	{ "rsa-size", EVERYBODY, ALL, rsa_size },
	{ "ec-curve", EVERYBODY, ALL, ec_curve },
	{ "edwards-key", EVERYBODY, ALL, edwards },
	{ "pss-key", "Outlook, Apple Mail", ALL, pss_key },
	{ "weak-signature", EVERYBODY, ALL, weak_signature },
	{ "no-key-usage", "Apple Mail", LEAVES, no_key_usage },
	{ "useless-key-usage", EVERYBODY, LEAVES, useless_key_usage },
	{ "no-extended-key-usage", "Gmail", LEAVES, no_eku },
	{ "not-for-mail", EVERYBODY, LEAVES, not_for_mail },
	{ "any-extended-key-usage", "Gmail", LEAVES, any_eku },
	{ "tls-key", "Gmail", LEAVES, tls_eku },
	{ "no-address", "Thunderbird, Gmail", LEAVES, no_san },
	{ "utf8-address-only", EVERYBODY, LEAVES, utf8_only },
	{ "capital-letters", "Apple Mail", LEAVES, capitals },
	{ "domain-certificate", EVERYBODY, LEAVES, domain },
	{ "no-crl-url", "Gmail", LEAVES, no_crl_url },
	{ "long-validity", "Gmail", LEAVES, long_validity },
	{ "no-intermediate", "Gmail", LEAVES, no_intermediate },
	{ "name-constraints", "GnuPG", LEAVES, constrained },
};
_Static_assert(ARRAY_LEN(kinds) <= ADVICE_MAX, "ADVICE_MAX");

static bool is_mailbox_utf8(const GENERAL_NAME *gn)
{
	return gn->type == GEN_OTHERNAME &&
	    OBJ_obj2nid(gn->d.otherName->type_id) ==
	    NID_id_on_SmtpUTF8Mailbox;
}

/* "*@d" and "@d", which no parser of addresses takes. */
static bool is_wildcard(const GENERAL_NAME *gn)
{
	const unsigned char *p = ASN1_STRING_get0_data(gn->d.rfc822Name);
	int n = ASN1_STRING_length(gn->d.rfc822Name);

	return n > 0 && (p[0] == '@' || (n > 1 && p[0] == '*' && p[1] ==
	    '@'));
}

static void count_names(struct looked_at *l)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(l->x, NID_subject_alt_name,
	    NULL, NULL);
	const GENERAL_NAME *gn;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		gn = sk_GENERAL_NAME_value(names, i);
		if (gn->type == GEN_EMAIL) {
			l->rfc822++;
			l->is_domain = l->is_domain || is_wildcard(gn);
		} else if (is_mailbox_utf8(gn)) {
			l->utf8++;
		}
	}
	GENERAL_NAMES_free(names);
}

/* The mailboxes of RFC 3183 3.1.1 stand for a domain. */
static void look_for_authority(struct looked_at *l)
{
	static const char *const local[] = { "domain-signing-authority",
		"domain-confidentiality-authority", "review-authority",
		"policy-authority" };
	const struct addr *a;
	size_t i, k;

	for (i = 0; i < cert_addresses(l->c); i++) {
		a = cert_address(l->c, i);
		for (k = 0; k < ARRAY_LEN(local); k++)
			if (view_ieq_str(view_make(a->text, a->local_n),
			    local[k]))
				l->is_domain = true;
	}
}

static void look_at(struct looked_at *l, const struct cert *c,
    const struct path *path)
{
	memset(l, 0, sizeof(*l));
	l->c = c;
	l->x = cert_x509(c);
	l->key = X509_get0_pubkey(l->x);
	l->path = path;
	l->xku = X509_get_extended_key_usage(l->x);
	l->has_eku = l->xku != UINT32_MAX;
	if (!l->has_eku)
		l->xku = 0;
	count_names(l);
	look_for_authority(l);
}

size_t advice_find(const struct cert *c, const struct path *path,
    struct advice out[ADVICE_MAX])
{
	struct looked_at l;
	struct err text;
	size_t i, n = 0;

	ossl_clear();
	look_at(&l, c, path);
	for (i = 0; i < ARRAY_LEN(kinds); i++) {
		if (kinds[i].scope == LEAVES && cert_is_ca(c))
			continue;
		err_clear(&text);
		if (!kinds[i].find(&l, &text))
			continue;
		out[n].code = kinds[i].code;
		out[n].who = kinds[i].who;
		ks_text(out[n++].text, sizeof(out[0].text), &text);
	}
	ossl_clear();
	return n;
}
