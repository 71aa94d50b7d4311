/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * manycerts FORM FIRST COUNT TO: certificates of userN@example.com, each with
 * a P-256 key of its own, signed by one CA that is made for the run. FORM:
 * "pem" and "ldif" write one file TO, "folder" one DER file each in TO.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define LINE 57 /* octets in a line of base64 */

struct issuer {
	EVP_PKEY *key;
	X509 *cert;
};

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "manycerts: %s\n", what);
	exit(1);
}

static void put_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION *ext;
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	need(ext != NULL && X509_add_ext(x, ext, -1) == 1, value);
	X509_EXTENSION_free(ext);
}

static X509 *begin(EVP_PKEY *key, long serial, const char *cn)
{
	X509 *x = X509_new();

	need(x != NULL && X509_set_version(x, 2) == 1 &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), serial) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(x), -86400) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400L * 700) != NULL &&
	    X509_set_pubkey(x, key) == 1 &&
	    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN",
	    MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0) == 1,
	    "certificate");
	return x;
}

static struct issuer make_issuer(void)
{
	struct issuer ca = { EVP_EC_gen("P-256"), NULL };

	ca.cert = begin(ca.key, 1, "CA of many");
	X509_set_issuer_name(ca.cert, X509_get_subject_name(ca.cert));
	put_extension(ca.cert, ca.cert, NID_basic_constraints,
	    "critical,CA:TRUE");
	put_extension(ca.cert, ca.cert, NID_subject_key_identifier, "hash");
	need(X509_sign(ca.cert, ca.key, EVP_sha256()) > 0, "sign");
	return ca;
}

static int make_user(const struct issuer *ca, long i, unsigned char **der)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	char text[96];
	X509 *x;
	int n;

	need(key != NULL, "key");
	(void)snprintf(text, sizeof(text), "User %ld", i);
	x = begin(key, i + 100, text);
	X509_set_issuer_name(x, X509_get_subject_name(ca->cert));
	(void)snprintf(text, sizeof(text), "email:user%ld@example.com", i);
	put_extension(x, ca->cert, NID_subject_alt_name, text);
	put_extension(x, ca->cert, NID_key_usage,
	    "critical,digitalSignature,keyAgreement");
	put_extension(x, ca->cert, NID_ext_key_usage, "emailProtection");
	put_extension(x, ca->cert, NID_subject_key_identifier, "hash");
	put_extension(x, ca->cert, NID_authority_key_identifier, "keyid");
	need(X509_sign(x, ca->key, EVP_sha256()) > 0, "sign");
	*der = NULL;
	n = i2d_X509(x, der);
	need(n > 0, "DER");
	X509_free(x);
	EVP_PKEY_free(key);
	return n;
}

static void put_base64(FILE *to, const unsigned char *der, int n,
    const char *before)
{
	unsigned char line[2 * LINE];
	int off, part;

	for (off = 0; off < n; off += part) {
		part = n - off < LINE ? n - off : LINE;
		EVP_EncodeBlock(line, der + off, part);
		fprintf(to, "%s%s\n", before, (char *)line);
	}
}

static void put_user(FILE *to, const char *form, long i,
    const unsigned char *der, int n)
{
	if (strcmp(form, "pem") == 0) {
		fputs("-----BEGIN CERTIFICATE-----\n", to);
		put_base64(to, der, n, "");
		fputs("-----END CERTIFICATE-----\n", to);
	} else if (strcmp(form, "ldif") == 0) {
		fprintf(to, "dn: uid=user%ld,o=example\nuid: user%ld\n"
		    "userCertificate;binary::\n", i, i);
		put_base64(to, der, n, " ");
		fputs("\n", to);
	} else {
		need(fwrite(der, 1, (size_t)n, to) == (size_t)n, "write");
	}
}

static FILE *open_user(const char *folder, long i)
{
	char path[512];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%06ld.cer", folder, i);
	f = fopen(path, "wb");
	need(f != NULL, path);
	return f;
}

int main(int argc, char **argv)
{
	bool folder = argc == 5 && strcmp(argv[1], "folder") == 0;
	struct issuer ca = make_issuer();
	unsigned char *der;
	long first, count, i;
	FILE *to = NULL;
	int n;

	need(argc == 5, "FORM FIRST COUNT TO");
	first = strtol(argv[2], NULL, 10);
	count = strtol(argv[3], NULL, 10);
	if (!folder)
		to = fopen(argv[4], "wb");
	need(folder || to != NULL, argv[4]);
	for (i = first; i < first + count; i++) {
		if (folder)
			to = open_user(argv[4], i);
		n = make_user(&ca, i, &der);
		put_user(to, argv[1], i, der, n);
		OPENSSL_free(der);
		if (folder)
			need(fclose(to) == 0, "write");
	}
	if (!folder)
		need(fclose(to) == 0, "write");
	X509_free(ca.cert);
	EVP_PKEY_free(ca.key);
	return 0;
}
