/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a client showed, as text and numbers. Nothing of a certificate that is
 * not good becomes an identity.
 */
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "relay/tls_int.h"
#include "util/addr.h"
#include "util/cert.h"
#include "util/ossl.h"
#include "util/utf8.h"

/* As much of s as fits, whole characters, nothing that is unsafe to show. */
static void set_shown(char *dst, size_t size, const char *s)
{
	struct view v = view_of(s);
	size_t n = 0, one;

	while ((one = utf8_first(view_sub(v, n, v.n), NULL)) > 0 &&
	    n + one < size)
		n += one;
	memcpy(dst, s, n);
	dst[n] = '\0';
	utf8_mask(dst);
}

/* Names as they stand in the DNS; whatever else was sent is no name. */
static void set_sni(char dst[TLS_NAME_MAX], const char *raw_name)
{
	size_t i;

	dst[0] = '\0';
	if (raw_name == NULL || strlen(raw_name) >= TLS_NAME_MAX)
		return;
	for (i = 0; raw_name[i] != '\0'; i++) {
		char c = raw_name[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if ((c < 'a' || c > 'z') && (c < '0' || c > '9') &&
		    c != '-' && c != '.' && c != '_') {
			dst[0] = '\0';
			return;
		}
		dst[i] = c;
		dst[i + 1] = '\0';
	}
}

static void add_email(struct tls_facts *f, const char *text)
{
	size_t i;

	if (f->emails == TLS_EMAILS || strlen(text) >= sizeof(f->email[0]))
		return;
	for (i = 0; i < f->emails; i++)
		if (strcmp(f->email[i], text) == 0)
			return;
	text_set(f->email[f->emails], sizeof(f->email[0]), text);
	f->emails++;
}

/* rfc822Name of the SAN alone: an emailAddress in the subject is what its
 * issuer let pass, not what it checked (T31). */
static void add_emails(struct tls_facts *f, const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	struct addr a;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
		int n;

		if (g->type != GEN_EMAIL)
			continue;
		n = ASN1_STRING_length(g->d.rfc822Name);
		if (n > 0 && addr_parse(&a, view_make(
		    ASN1_STRING_get0_data(g->d.rfc822Name), (size_t)n),
		    NULL) == 0)
			add_email(f, a.text);
	}
	GENERAL_NAMES_free(names);
}

/* cert: the same certificate, of which nothing is known but its octets. */
static void name_cert(struct tls_facts *f, X509 *x)
{
	unsigned char *der = NULL;
	struct cert *c = NULL;
	struct err e;
	int n = i2d_X509(x, &der);

	if (n > 0)
		ossl_sha256(der, (size_t)n, f->cert_sha256);
	if (n > 0 && cert_parse(&c, view_make(der, (size_t)n), &e) == 0) {
		set_shown(f->subject, sizeof(f->subject), cert_subject(c));
		set_shown(f->issuer, sizeof(f->issuer), cert_issuer(c));
	} else {
		f->cert_is_good = false;
		set_shown(f->cert_error, sizeof(f->cert_error),
		    n > 0 ? e.msg : "not readable");
	}
	cert_free(&c);
	OPENSSL_free(der);
}

static void read_cert(struct tls_io *t, X509 *x)
{
	struct tls_facts *f = t->facts;

	f->has_cert = true;
	f->cert_is_good = t->cert_is_good;
	set_shown(f->cert_error, sizeof(f->cert_error), t->cert_error);
	name_cert(f, x);
	if (!f->cert_is_good)
		return;
	f->cert_error[0] = '\0';
	if (t->pinned_as != NULL)
		add_email(f, t->pinned_as);
	if (t->by_path)
		add_emails(f, x);
}

int tls_facts_read(struct tls_io *t, struct err *e)
{
	const SSL_CIPHER *c = SSL_get_current_cipher(t->ssl);
	X509 *x = SSL_get0_peer_certificate(t->ssl);
	struct tls_facts *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(e, FAIL_TEMP, "TLS: out of memory");
	t->facts = f;
	text_set(f->version, sizeof(f->version), SSL_get_version(t->ssl));
	/* The registered name: RFC 8314 4.3 wants it in Received. */
	text_set(f->cipher, sizeof(f->cipher), SSL_CIPHER_standard_name(c));
	f->bits = SSL_CIPHER_get_bits(c, NULL);
	set_sni(f->sni, SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
	f->is_resumed = SSL_session_reused(t->ssl) == 1;
	if (x != NULL)
		read_cert(t, x);
	ossl_clear();
	return 0;
}
