/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Whether a certificate is in a name that a policy asks for (RFC 9525 6.3):
 * by our own rules, which are shorter than those of libraries and have no
 * options (T40).
 */
#include "smtp/tls_verify_int.h"

#include <string.h>

#include <openssl/x509v3.h>

/* Letters, digits and hyphens in labels of 1 to 63 octets; the first one may
 * be a "*" alone. */
static bool is_dns_id(struct view v)
{
	size_t start = 0, i;

	if (v.n >= TLS_NAME_MAX)
		return false;
	if (v.n > 2 && v.p[0] == '*' && v.p[1] == '.')
		start = 2;
	for (i = start; i <= v.n; i++) {
		int c = i < v.n ? v.p[i] : '.';

		if (c == '.') {
			if (i == start || i - start > 63)
				return false;
			start = i + 1;
		} else if (!((c >= 'a' && c <= 'z') ||
		    (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    c == '-')) {
			return false;
		}
	}
	return true;
}

static bool ends_in(struct view v, const char *end)
{
	size_t n = strlen(end);

	return v.n > n && view_ieq_str(view_sub(v, v.n - n, n), end);
}

bool tls_name_matches(struct view dns_id, const char *pattern)
{
	unsigned char ip[16];
	const char *dot;

	if (pattern[0] == '\0' || strchr(pattern, '*') != NULL ||
	    !is_dns_id(dns_id) || tls_address(pattern, ip) != 0)
		return false;
	if (pattern[0] == '.')
		return pattern[1] != '\0' && ends_in(dns_id, pattern);
	if (dns_id.p[0] != '*')
		return view_ieq_str(dns_id, pattern);
	/* one whole label, below a name that has two at least */
	dot = strchr(pattern, '.');
	return dot != NULL && dot > pattern && strchr(dot + 1, '.') != NULL &&
	    view_ieq_str(view_sub(dns_id, 1, dns_id.n), dot);
}

static struct view octets(const ASN1_STRING *s)
{
	int n = ASN1_STRING_length(s);

	return view_make(ASN1_STRING_get0_data(s), n > 0 ? (size_t)n : 0);
}

/* Copy what matched, for logs: it is a DNS-ID, so it can be shown. */
static bool note(struct view id, char *matched)
{
	return view_cstr(id, matched, TLS_NAME_MAX) == 0;
}

static bool dns_matches(const struct tls_names *n, struct view id,
    char *matched)
{
	for (size_t i = 0; i < n->n; i++)
		if (tls_name_matches(id, n->name[i]))
			return note(id, matched);
	return false;
}

static bool ip_matches(const struct tls_names *n, struct view id,
    char *matched)
{
	unsigned char ip[16];
	size_t len;

	for (size_t i = 0; i < n->n; i++) {
		len = tls_address(n->name[i], ip);
		if (len != 0 && view_eq(id, view_make(ip, len))) {
			text_set(matched, TLS_NAME_MAX, n->name[i]);
			return true;
		}
	}
	return false;
}

/* A subject with one common name that is a host's name; many are of nobody. */
static bool cn_matches(const struct tls_names *n, X509 *x, char *matched)
{
	const X509_NAME *subject = X509_get_subject_name(x);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *utf8 = NULL;
	bool yes = false;
	int len;

	if (at < 0 ||
	    X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return false;
	len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(
	    X509_NAME_get_entry(subject, at)));
	if (len > 0)
		yes = dns_matches(n, view_make(utf8, (size_t)len), matched);
	if (len >= 0)
		OPENSSL_free(utf8);
	return yes;
}

bool tls_cert_has_name(X509 *x, const struct tls_names *n, bool allow_cn,
    char matched[TLS_NAME_MAX])
{
	bool yes = false, has_dns = false;
	int crit = -1;
	GENERAL_NAMES *san = X509_get_ext_d2i(x, NID_subject_alt_name, &crit,
	    NULL);

	/* there, but not readable or there twice */
	if (san == NULL && crit != -1)
		return false;
	for (int i = 0; !yes && i < sk_GENERAL_NAME_num(san); i++) {
		const GENERAL_NAME *g = sk_GENERAL_NAME_value(san, i);

		if (g->type == GEN_DNS) {
			has_dns = true;
			yes = dns_matches(n, octets(g->d.dNSName), matched);
		} else if (g->type == GEN_IPADD) {
			yes = ip_matches(n, octets(g->d.iPAddress), matched);
		}
	}
	GENERAL_NAMES_free(san);
	if (!yes && allow_cn && !has_dns)
		yes = cn_matches(n, x, matched);
	return yes;
}
