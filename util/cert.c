/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The counted certificate object. Everything is worked out when it is
 * parsed, so that readers need no lock. Whether a certificate may be used is
 * decided by keystore/ and smime/.
 */
#include "util/cert.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "util/caps.h"
#include "util/cert_int.h"
#include "util/ossl.h"
#include "util/utf8.h"

#define NAME_TEXT_MAX 16384
#define KEY_NAME_MAX 24

struct cert {
	atomic_uint owners;
	X509 *x;
	unsigned char *der;
	size_t der_n;
	unsigned char sha256[32];
	unsigned char spki_sha256[32];
	char sha256_hex[65];
	char *subject;
	char *issuer;
	char *serial_hex;
	unsigned char *ias;
	size_t ias_n;
	struct cert_parts part;
	struct cert_spki key;
	char key_name[KEY_NAME_MAX];
	bool key_decodes;
	uint32_t flags; /* EXFLAG_* */
	uint32_t ku;
	uint32_t eku;
	struct view ski;
	struct addr *addr;
	size_t addrs;
	size_t bad_addrs;
};

/* A name could look like another on a terminal. libcrypto escapes C0 controls
 * but nothing beyond ASCII. */
static void escape_unsafe(struct buf *b, struct view v)
{
	uint32_t c;
	size_t n, i;

	for (; v.n > 0; v = view_sub(v, n, v.n)) {
		c = 0;
		n = utf8_first(v, &c);
		if (n == 0)
			n = 1;
		if (!utf8_is_unsafe(c)) {
			buf_put(b, v.p, n);
			continue;
		}
		for (i = 0; i < n; i++)
			buf_printf(b, "\\%02X", v.p[i]);
	}
}

static int name_text(const X509_NAME *name, char **out, struct err *e)
{
	unsigned long how = XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB;
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	struct buf b;
	long n;
	int rc = -1;

	buf_init(&b, NAME_TEXT_MAX);
	if (bio == NULL || X509_NAME_print_ex(bio, name, 0, how) < 0) {
		/* a name whose strings cannot be decoded is still a name */
		buf_puts(&b, "?");
	} else {
		n = BIO_get_mem_data(bio, &text);
		if (n > 0)
			escape_unsafe(&b, view_make(text, (size_t)n));
	}
	if (b.failed && !b.no_memory) {
		buf_clear(&b);
		buf_puts(&b, "?");
	}
	*out = b.failed ? NULL : view_strdup(view_of(buf_str(&b)));
	if (*out == NULL)
		(void)err_set(e, FAIL_TEMP, "certificate: out of memory");
	else
		rc = 0;
	buf_free(&b);
	BIO_free(bio);
	ossl_clear();
	return rc;
}

static int serial_text(struct cert *c, struct err *e)
{
	struct view v = c->part.serial;

	if (v.n > 1 && v.p[0] == 0)
		v = view_sub(v, 1, v.n);
	c->serial_hex = malloc(2 * v.n + 1);
	if (c->serial_hex == NULL)
		return err_set(e, FAIL_TEMP, "certificate: out of memory");
	hex_encode(c->serial_hex, v.p, v.n);
	return 0;
}

/* RFC 5652 10.2.4, from the octets as they are in the certificate. */
static int make_ias(struct cert *c, struct err *e)
{
	size_t size = c->part.issuer.n + c->part.serial_whole.n + 16;
	unsigned char *mem = malloc(size);
	struct der_w w;
	struct view v;

	if (mem == NULL)
		return err_set(e, FAIL_TEMP, "certificate: out of memory");
	der_w_init(&w, mem, size);
	der_w_view(&w, c->part.serial_whole);
	der_w_view(&w, c->part.issuer);
	der_w_wrap(&w, DER_SEQUENCE, 0);
	v = der_w_result(&w);
	memmove(mem, v.p, v.n);
	c->ias = mem;
	c->ias_n = v.n;
	return 0;
}

static void read_key(struct cert *c)
{
	struct buf b;

	cert_der_spki(&c->key, c->part.spki);
	/* a look at the size first: a huge key must not reach arithmetic */
	if (c->key.bits > 0 && c->key.bits <= CAP_RSA_MAX)
		c->key_decodes = X509_get0_pubkey(c->x) != NULL;
	buf_init(&b, KEY_NAME_MAX);
	if (c->key.type == CERT_KEY_RSA)
		buf_printf(&b, "%s:%d", c->key.name, c->key.bits);
	else
		buf_puts(&b, c->key.name);
	if (view_cstr(buf_view(&b), c->key_name, sizeof(c->key_name)) != 0)
		memcpy(c->key_name, "other", sizeof("other"));
	buf_free(&b);
}

static void read_extensions(struct cert *c)
{
	const ASN1_OCTET_STRING *ski;

	c->flags = X509_get_extension_flags(c->x);
	c->ku = X509_get_key_usage(c->x);
	c->eku = X509_get_extended_key_usage(c->x);
	ski = X509_get0_subject_key_id(c->x);
	if (ski != NULL)
		c->ski = view_make(ASN1_STRING_get0_data(ski),
		    (size_t)ASN1_STRING_length(ski));
}

static int fill(struct cert *c, struct err *e)
{
	if (name_text(X509_get_subject_name(c->x), &c->subject, e) != 0 ||
	    name_text(X509_get_issuer_name(c->x), &c->issuer, e) != 0 ||
	    serial_text(c, e) != 0 || make_ias(c, e) != 0)
		return -1;
	ossl_sha256(c->der, c->der_n, c->sha256);
	hex_encode(c->sha256_hex, c->sha256, sizeof(c->sha256));
	ossl_sha256(c->part.spki.p, c->part.spki.n, c->spki_sha256);
	read_extensions(c);
	read_key(c);
	ossl_clear();
	return cert_der_addresses(&c->part, &c->addr, &c->addrs,
	    &c->bad_addrs, e);
}

int cert_parse(struct cert **out, struct view der, struct err *e)
{
	struct cert *c = NULL;
	const unsigned char *p;
	int rc = -1;

	*out = NULL;
	if (der.n > CAP_CMS_CERT_SIZE)
		return err_set(e, FAIL_INPUT, "certificate of %zu octets, at "
		    "most %u allowed", der.n, CAP_CMS_CERT_SIZE);
	c = calloc(1, sizeof(*c));
	if (c == NULL || (c->der = malloc(der.n + 1)) == NULL) {
		(void)err_set(e, FAIL_TEMP, "certificate: out of memory");
		goto out;
	}
	atomic_init(&c->owners, 1);
	if (der.n > 0)
		memcpy(c->der, der.p, der.n);
	c->der_n = der.n;
	if (cert_der_parts(&c->part, cert_der(c), e) != 0)
		goto out;
	/* OpenSSL 3.0 decodes the key at once, and calculates with what the
	 * certificate says the curve is. */
	if (cert_der_has_own_curve(c->part.spki)) {
		(void)err_set(e, FAIL_INPUT, "RFC 5480 2.1.1: a certificate "
		    "whose curve is not named");
		goto out;
	}
	ossl_clear();
	p = c->der;
	c->x = d2i_X509(NULL, &p, (long)c->der_n);
	if (c->x == NULL || p != c->der + c->der_n) {
		(void)err_ossl(e, FAIL_INPUT, "RFC 5280 4.1: a malformed "
		    "certificate");
		goto out;
	}
	if (fill(c, e) != 0)
		goto out;
	*out = c;
	c = NULL;
	rc = 0;
out:
	cert_free(&c);
	return rc;
}

struct cert *cert_ref(struct cert *c)
{
	(void)atomic_fetch_add_explicit(&c->owners, 1, memory_order_relaxed);
	return c;
}

struct cert *cert_keep(const struct cert *c)
{
	return cert_ref((struct cert *)(uintptr_t)c);
}

void cert_free(struct cert **cp)
{
	struct cert *c = *cp;

	*cp = NULL;
	/* one that failed half-made has 0 owners or 1 */
	if (c == NULL || (atomic_load(&c->owners) > 0 &&
	    atomic_fetch_sub(&c->owners, 1) != 1))
		return;
	X509_free(c->x);
	free(c->der);
	free(c->subject);
	free(c->issuer);
	free(c->serial_hex);
	free(c->ias);
	free(c->addr);
	free(c);
}

X509 *cert_x509(const struct cert *c)
{
	return c->x;
}

struct view cert_der(const struct cert *c)
{
	return view_make(c->der, c->der_n);
}

const unsigned char *cert_sha256(const struct cert *c)
{
	return c->sha256;
}

const char *cert_sha256_hex(const struct cert *c)
{
	return c->sha256_hex;
}

const char *cert_subject(const struct cert *c)
{
	return c->subject;
}

const char *cert_issuer(const struct cert *c)
{
	return c->issuer;
}

const char *cert_serial_hex(const struct cert *c)
{
	return c->serial_hex;
}

int64_t cert_not_before(const struct cert *c)
{
	return c->part.not_before;
}

int64_t cert_not_after(const struct cert *c)
{
	return c->part.not_after;
}

enum cert_key cert_key_type(const struct cert *c)
{
	return c->key.type;
}

int cert_key_bits(const struct cert *c)
{
	return c->key.bits;
}

int cert_rsa_exponent_bits(const struct cert *c)
{
	return c->key.type == CERT_KEY_RSA ? c->key.exponent_bits : 0;
}

const char *cert_key_name(const struct cert *c)
{
	return c->key_name;
}

static int check_rsa(const struct cert *c, int min, struct err *e)
{
	if (c->key.bits < min)
		return err_set(e, FAIL_POLICY, "RFC 8551 4.1: RSA key of %d "
		    "bits, at least %d wanted", c->key.bits, min);
	if (c->key.bits > CAP_RSA_MAX)
		return err_set(e, FAIL_POLICY, "RSA key of %d bits, at most "
		    "%d allowed", c->key.bits, CAP_RSA_MAX);
	if (c->key.exponent_bits < 2 ||
	    c->key.exponent_bits > CAP_RSA_EXPONENT)
		return err_set(e, FAIL_POLICY, "RSA exponent of %d bits, 2 to "
		    "%d allowed", c->key.exponent_bits, CAP_RSA_EXPONENT);
	return 0;
}

static int check_key(const struct cert *c, int min_rsa, struct err *e)
{
	if (c->key.type == CERT_KEY_OTHER)
		return err_set(e, FAIL_POLICY, "key of type %s, RSA or a NIST "
		    "curve wanted", c->key_name);
	if (c->key.type == CERT_KEY_RSA && check_rsa(c, min_rsa, e) != 0)
		return -1;
	if (c->key.type == CERT_KEY_EC && c->key.bits == 0)
		return err_set(e, FAIL_POLICY, "RFC 5480 2.1.1: curve is none "
		    "of P-256, P-384, P-521");
	if (!c->key_decodes)
		return err_set(e, FAIL_POLICY, "public key does not decode");
	return 0;
}

int cert_key_check(const struct cert *c, struct err *e)
{
	return check_key(c, CAP_RSA_MIN, e);
}

int cert_key_opens(const struct cert *c, struct err *e)
{
	return check_key(c, CAP_RSA_MIN_OLD, e);
}

bool cert_has_ku(const struct cert *c)
{
	return (c->flags & EXFLAG_KUSAGE) != 0;
}

unsigned cert_ku(const struct cert *c)
{
	unsigned ku = 0;

	if ((c->flags & EXFLAG_INVALID) != 0)
		return 0;
	if (!cert_has_ku(c))
		return CERT_KU_SIGN | CERT_KU_ENCIPHER | CERT_KU_AGREE |
		    CERT_KU_CERT;
	if ((c->ku & (KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION)) != 0)
		ku |= CERT_KU_SIGN;
	if ((c->ku & KU_KEY_ENCIPHERMENT) != 0)
		ku |= CERT_KU_ENCIPHER;
	if ((c->ku & KU_KEY_AGREEMENT) != 0)
		ku |= CERT_KU_AGREE;
	if ((c->ku & KU_KEY_CERT_SIGN) != 0)
		ku |= CERT_KU_CERT;
	return ku;
}

bool cert_eku_mail(const struct cert *c)
{
	if ((c->flags & EXFLAG_INVALID) != 0)
		return false;
	return (c->flags & EXFLAG_XKUSAGE) == 0 ||
	    (c->eku & (XKU_SMIME | XKU_ANYEKU)) != 0;
}

bool cert_is_ca(const struct cert *c)
{
	return (c->flags & EXFLAG_INVALID) == 0 &&
	    (c->flags & EXFLAG_BCONS) != 0 && (c->flags & EXFLAG_CA) != 0;
}

bool cert_is_self_issued(const struct cert *c)
{
	return (c->flags & EXFLAG_SI) != 0;
}

struct view cert_ias(const struct cert *c)
{
	return view_make(c->ias, c->ias_n);
}

struct view cert_ski(const struct cert *c)
{
	return c->ski;
}

struct view cert_smime_caps(const struct cert *c)
{
	return c->part.caps_ignored ? view_make(NULL, 0) : c->part.caps;
}

const unsigned char *cert_spki_sha256(const struct cert *c)
{
	return c->spki_sha256;
}

size_t cert_addresses(const struct cert *c)
{
	return c->addrs;
}

const struct addr *cert_address(const struct cert *c, size_t i)
{
	return i < c->addrs ? &c->addr[i] : NULL;
}

size_t cert_bad_addresses(const struct cert *c)
{
	return c->bad_addrs;
}

bool cert_has_address(const struct cert *c, const struct addr *a,
    enum addr_case how)
{
	size_t i;

	for (i = 0; i < c->addrs; i++)
		if (addr_eq(&c->addr[i], a, how))
			return true;
	return false;
}
