/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which names the CA may certify (RFC 5280 4.2.1.10), and names of TLS
 * certificates. Whether a name is within is libcrypto's answer, in
 * ca_verify().
 */
#include "keystore/ca_int.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "util/ossl.h"

/* ---- one name ---- */

static GENERAL_NAME *make_ia5(int type, const char *text)
{
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_IA5STRING *s = ASN1_IA5STRING_new();

	if (gn == NULL || s == NULL || ASN1_STRING_set(s, text, -1) != 1) {
		GENERAL_NAME_free(gn);
		ASN1_IA5STRING_free(s);
		return NULL;
	}
	GENERAL_NAME_set0_value(gn, type, s);
	return gn;
}

static GENERAL_NAME *make_ip(const unsigned char *p, size_t n)
{
	GENERAL_NAME *gn = GENERAL_NAME_new();
	ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();

	if (gn == NULL || s == NULL ||
	    ASN1_OCTET_STRING_set(s, p, (int)n) != 1) {
		GENERAL_NAME_free(gn);
		ASN1_OCTET_STRING_free(s);
		return NULL;
	}
	GENERAL_NAME_set0_value(gn, GEN_IPADD, s);
	return gn;
}

static int out_of_memory(struct err *e)
{
	return err_set(e, FAIL_TEMP, "name: out of memory");
}

/* Octets of an IP address, 0 when it is none. */
static size_t read_ip(const char *text, unsigned char ip[16])
{
	if (inet_pton(AF_INET, text, ip) == 1)
		return 4;
	return inet_pton(AF_INET6, text, ip) == 1 ? 16 : 0;
}

bool ca_is_ip(const char *text)
{
	unsigned char ip[16];

	return read_ip(text, ip) > 0;
}

int ca_name_tls(GENERAL_NAMES *names, const char *text, struct err *e)
{
	char domain[256], full[260], quoted[ERR_QUOTED];
	bool wild = strncmp(text, "*.", 2) == 0;
	unsigned char ip[16];
	size_t n = read_ip(text, ip);
	GENERAL_NAME *gn;

	if (n == 0 && addr_domain_parse(domain, sizeof(domain),
	    view_of(wild ? text + 2 : text), NULL) != 0)
		return err_set(e, FAIL_INPUT, "name %s: want a host name, "
		    "\"*.\" and a domain, or an IP address (RFC 6125 1.8)",
		    err_quote(quoted, sizeof(quoted), text, strlen(text)));
	text_set(full, sizeof(full), wild ? "*." : "");
	if (n == 0)
		text_set(full + strlen(full), sizeof(full) - 2, domain);
	gn = n > 0 ? make_ip(ip, n) : make_ia5(GEN_DNS, full);
	if (gn == NULL || sk_GENERAL_NAME_push(names, gn) <= 0) {
		GENERAL_NAME_free(gn);
		return out_of_memory(e);
	}
	return 0;
}

/* ---- name constraints ---- */

/* Takes base, NULL too. */
static int add_subtree(STACK_OF(GENERAL_SUBTREE) **list, GENERAL_NAME *base,
    struct err *e)
{
	GENERAL_SUBTREE *t = GENERAL_SUBTREE_new();

	if (*list == NULL)
		*list = sk_GENERAL_SUBTREE_new_null();
	if (base == NULL || t == NULL || *list == NULL) {
		GENERAL_NAME_free(base);
		GENERAL_SUBTREE_free(t);
		return out_of_memory(e);
	}
	GENERAL_NAME_free(t->base);
	t->base = base;
	if (sk_GENERAL_SUBTREE_push(*list, t) > 0)
		return 0;
	GENERAL_SUBTREE_free(t);
	return out_of_memory(e);
}

static int refuse_permit(const char *text, struct err *e)
{
	char quoted[ERR_QUOTED];

	return err_set(e, FAIL_INPUT, "permit %s: want @example.com, "
	    "@*.example.com or an IP network as 192.0.2.0/24",
	    err_quote(quoted, sizeof(quoted), text, strlen(text)));
}

/*
 * rfc822Name "d" is the mailboxes of the host d, ".d" those of all hosts
 * below; dNSName "d" is d and all below, there is no form for less.
 */
static int permit_domain(NAME_CONSTRAINTS *nc, const char *text,
    struct err *e)
{
	bool below = strncmp(text, "@*.", 3) == 0;
	char domain[258];

	domain[0] = '.';
	if (addr_domain_parse(domain + 1, sizeof(domain) - 1,
	    view_of(text + (below ? 3 : 1)), NULL) != 0)
		return refuse_permit(text, e);
	if (add_subtree(&nc->permittedSubtrees, make_ia5(GEN_EMAIL,
	    below ? domain : domain + 1), e) != 0)
		return -1;
	return add_subtree(&nc->permittedSubtrees, make_ia5(GEN_DNS,
	    domain + 1), e);
}

/* Address and mask, twice 4 or 16 octets. */
static int permit_network(NAME_CONSTRAINTS *nc, const char *text,
    struct err *e)
{
	unsigned char net[32] = { 0 }, ip[16];
	char host[64], *end;
	const char *slash = strchr(text, '/');
	size_t n = 0, i;
	long bits = -1;

	if (slash != NULL && view_cstr(view_make(text,
	    (size_t)(slash - text)), host, sizeof(host)) == 0)
		n = read_ip(host, ip);
	if (n > 0 && slash[1] >= '0' && slash[1] <= '9')
		bits = strtol(slash + 1, &end, 10);
	if (bits < 0 || *end != '\0' || (size_t)bits > 8 * n)
		return refuse_permit(text, e);
	for (i = 0; i < (size_t)bits; i++)
		net[n + i / 8] |= (unsigned char)(0x80 >> i % 8);
	for (i = 0; i < n; i++)
		net[i] = ip[i] & net[n + i];
	return add_subtree(&nc->permittedSubtrees, make_ip(net, 2 * n), e);
}

/* A form that no subtree names would be free altogether. */
static int exclude_all_ips(NAME_CONSTRAINTS *nc, struct err *e)
{
	static const unsigned char all[32];

	if (add_subtree(&nc->excludedSubtrees, make_ip(all, 8), e) != 0)
		return -1;
	return add_subtree(&nc->excludedSubtrees, make_ip(all, 32), e);
}

int ca_constraints(NAME_CONSTRAINTS **out, const char *const *permit,
    size_t n, struct err *e)
{
	NAME_CONSTRAINTS *nc;
	size_t i, ips = 0;
	int rc = 0;

	*out = NULL;
	if (n == 0)
		return 0;
	ossl_clear();
	nc = NAME_CONSTRAINTS_new();
	if (nc == NULL)
		return out_of_memory(e);
	for (i = 0; rc == 0 && i < n; i++) {
		ips += permit[i][0] != '@';
		rc = permit[i][0] == '@' ? permit_domain(nc, permit[i], e) :
		    permit_network(nc, permit[i], e);
	}
	if (rc == 0 && ips == 0)
		rc = exclude_all_ips(nc, e);
	if (rc == 0 && ips == n)
		rc = err_set(e, FAIL_INPUT, "permit: networks alone would "
		    "leave mail and host names free; want a domain, too");
	if (rc != 0) {
		NAME_CONSTRAINTS_free(nc);
		return -1;
	}
	*out = nc;
	return 0;
}

static void put_permitted(struct buf *b, const GENERAL_NAME *gn)
{
	const ASN1_IA5STRING *s;
	char quoted[ERR_QUOTED];

	if (gn->type != GEN_EMAIL)
		return;
	s = gn->d.rfc822Name;
	buf_printf(b, "%s@%s%s", b->n > 0 ? ", " : "",
	    ASN1_STRING_get0_data(s)[0] == '.' ? "*" : "",
	    err_quote(quoted, sizeof(quoted), ASN1_STRING_get0_data(s),
	    (size_t)ASN1_STRING_length(s)));
}

void ca_permitted(const struct cert *ca, char *dst, size_t size)
{
	NAME_CONSTRAINTS *nc = X509_get_ext_d2i(cert_x509(ca),
	    NID_name_constraints, NULL, NULL);
	struct buf b;
	int i;

	buf_init(&b, 65536);
	for (i = 0; nc != NULL &&
	    i < sk_GENERAL_SUBTREE_num(nc->permittedSubtrees); i++)
		put_permitted(&b, sk_GENERAL_SUBTREE_value(
		    nc->permittedSubtrees, i)->base);
	text_set(dst, size, buf_str(&b));
	buf_free(&b);
	NAME_CONSTRAINTS_free(nc);
	ossl_clear();
}
