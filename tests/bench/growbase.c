/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What grows with certificates and rules, without a milter around it.
 *
 * growbase certs N DIR KEY DOMAIN
 *                              N certificates of one CA for rsa or ec keys:
 *                              DIR/ca.der, and DIR/certs.der, one after the
 *                              other; uI@dJ.DOMAIN, J is I modulo 1000
 * growbase select STORE N DOMAIN
 *                              microseconds of a lookup in a store that has
 *                              those N: asked first, again, and for nobody
 * growbase rules FILE A=LINE.. nanoseconds of a decision; each
 *                              address must be decided by that line
 *
 * The certificates share one key, so that making them takes seconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "gateway/rules.h"
#include "keystore/keystore.h"

#define ASKED 100 /* addresses of a round; no more than the smallest N */
#define ROUNDS 9
#define ROUND_US 30e3 /* of decisions */

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "growbase: %s%s%s\n", what, *why != '\0' ? ": " : "",
	    why);
	ERR_print_errors_fp(stderr);
	exit(EX_SOFTWARE);
}

/* Of the processor: what else runs on the machine counts less. */
static double
used_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double
median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static unsigned long
read_number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*end != '\0' || n == 0 || n > 10000000)
		die("number", s);
	return n;
}

/* A thousand partners with a growing number of people. */
static void
name_address(char *dst, size_t size, unsigned long i, const char *domain)
{
	struct buf b;

	buf_init(&b, size - 1);
	buf_printf(&b, "u%lu@d%lu.%s", i, i % 1000, domain);
	if (buf_ok(&b, NULL) != 0)
		die("address", "too long");
	memcpy(dst, buf_str(&b), b.n + 1);
	buf_free(&b);
}

/* ---- certificates ---- */

/* One certificate is changed and signed again for each person: making all
 * anew would take four times as long. */
struct common {
	EVP_PKEY *key, *ca_key;
	X509 *ca;
	X509 *person; /* the last extension is the address */
	const char *domain;
};

static X509_EXTENSION *
make_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX c;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&c, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_nconf_nid(NULL, &c, nid, value);
	if (ext == NULL)
		die("extension", value);
	return ext;
}

static void
add_extension(X509 *x, X509_EXTENSION *take)
{
	if (X509_add_ext(x, take, -1) != 1)
		die("extension", "");
	X509_EXTENSION_free(take);
}

/* issuer NULL: the CA */
static X509 *
make_cert(EVP_PKEY *key, X509 *issuer, long serial, const char *name)
{
	X509 *x = X509_new();
	X509_NAME *n;

	if (x == NULL)
		die("certificate", "out of memory");
	n = X509_get_subject_name(x);
	if (X509_set_version(x, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x), serial) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400 * 30) == NULL ||
	    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, issuer == NULL ? n :
	    X509_get_subject_name(issuer)) != 1 ||
	    X509_set_pubkey(x, key) != 1)
		die("certificate", name);
	return x;
}

static void
write_cert(FILE *f, X509 *x, EVP_PKEY *key)
{
	if (X509_sign(x, key, EVP_sha256()) == 0 || i2d_X509_fp(f, x) != 1)
		die("certificate", "signing or writing");
}

static FILE *
open_in(const char *dir, const char *name)
{
	struct buf b;
	FILE *f;

	buf_init(&b, 4000);
	buf_printf(&b, "%s/%s", dir, name);
	f = fopen(buf_str(&b), "wb");
	if (f == NULL)
		die("cannot write", buf_str(&b));
	buf_free(&b);
	return f;
}

static void
make_common(struct common *c, const char *kind, const char *domain)
{
	bool rsa = strcmp(kind, "rsa") == 0;
	X509 *ca, *p;

	c->domain = domain;
	c->ca_key = EVP_EC_gen("P-256");
	c->key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	c->ca = ca = make_cert(c->ca_key, NULL, 1, "Partner CA");
	add_extension(ca, make_extension(ca, ca, NID_basic_constraints,
	    "critical,CA:TRUE"));
	add_extension(ca, make_extension(ca, ca, NID_key_usage,
	    "critical,keyCertSign,cRLSign"));
	add_extension(ca, make_extension(ca, ca, NID_subject_key_identifier,
	    "hash"));
	c->person = p = make_cert(c->key, ca, 2, "somebody");
	add_extension(p, make_extension(p, ca, NID_key_usage, rsa ?
	    "critical,digitalSignature,keyEncipherment" :
	    "critical,digitalSignature,keyAgreement"));
	add_extension(p, make_extension(p, ca, NID_ext_key_usage,
	    "emailProtection"));
	add_extension(p, make_extension(p, ca, NID_authority_key_identifier,
	    "keyid"));
	add_extension(p, make_extension(p, ca, NID_subject_alt_name,
	    "email:somebody@example.com"));
}

static void
free_common(struct common *c)
{
	X509_free(c->person);
	X509_free(c->ca);
	EVP_PKEY_free(c->key);
	EVP_PKEY_free(c->ca_key);
}

static void
write_person(FILE *f, const struct common *c, unsigned long i)
{
	char name[80], san[100] = "email:";
	X509 *x = c->person;
	X509_NAME *n = X509_NAME_new();

	name_address(name, sizeof(name), i, c->domain);
	memcpy(san + 6, name, strlen(name) + 1);
	if (n == NULL || X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_subject_name(x, n) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x), (long)i + 2) != 1)
		die("certificate", name);
	X509_NAME_free(n);
	X509_EXTENSION_free(X509_delete_ext(x, X509_get_ext_count(x) - 1));
	add_extension(x, make_extension(x, c->ca, NID_subject_alt_name, san));
	write_cert(f, x, c->ca_key);
}

static void
make_certs(char **argv)
{
	unsigned long n = read_number(argv[0]);
	FILE *f = open_in(argv[1], "ca.der"), *g = open_in(argv[1],
	    "certs.der");
	struct common c;

	make_common(&c, argv[2], argv[3]);
	write_cert(f, c.ca, c.ca_key);
	for (unsigned long i = 0; i < n; i++)
		write_person(g, &c, i);
	if (fclose(f) != 0 || fclose(g) != 0)
		die("cannot write into", argv[1]);
	free_common(&c);
}

/* ---- lookup ---- */

/* Microseconds of asking for every step-th, ASKED of them. */
static double
ask(struct keystore *ks, const char *domain, unsigned long first,
    unsigned long step, bool found)
{
	struct addr a[ASKED];
	struct selection s[ASKED];
	struct err e = { 0 };
	double start;
	char name[80];

	for (unsigned long i = 0; i < ASKED; i++) {
		name_address(name, sizeof(name), first + i * step, domain);
		if (addr_parse(&a[i], view_of(name), &e) != 0)
			die(name, e.msg);
	}
	start = used_us();
	for (size_t i = 0; i < ASKED; i++)
		if (keystore_select(ks, &a[i], KS_ENCRYPT, time(NULL), &s[i],
		    &e) != 0)
			die("lookup", e.msg);
	start = used_us() - start;
	for (size_t i = 0; i < ASKED; i++) {
		if ((s[i].cert != NULL) != found)
			die(a[i].text, found ? "no certificate: " :
			    "has a certificate");
		selection_free(&s[i]);
	}
	return start / ASKED;
}

static void
measure_lookup(const char *store, const char *count, const char *domain)
{
	unsigned long n = read_number(count), step = n / ASKED;
	double cold[ROUNDS], warm[ROUNDS], none[ROUNDS];
	struct err e = { 0 };

	for (unsigned long r = 0; r < ROUNDS; r++) {
		struct keystore *ks = NULL;

		if (keystore_open(&ks, store, KS_READ, &e) != 0 ||
		    keystore_refresh(ks, &e) != 0)
			die(store, e.msg);
		cold[r] = ask(ks, domain, r % step, step, true);
		warm[r] = ask(ks, domain, r % step, step, true);
		none[r] = ask(ks, domain, n + r * ASKED, 1, false);
		keystore_close(&ks);
	}
	printf("%.2f %.2f %.2f\n", median(cold, ROUNDS), median(warm, ROUNDS),
	    median(none, ROUNDS));
}

/* ---- rules ---- */

struct question {
	struct addr to;
	int line; /* which must decide */
};

static double
decide_all(const struct rules *r, const struct question *q, size_t n)
{
	struct rule_input in = { 0 };
	struct treatment t;
	struct rule_ref ref;
	struct addr from;
	struct err e = { 0 };
	double start, took;
	unsigned long times = 0;

	if (addr_parse(&from, view_of("alice@example.com"), &e) != 0)
		die("address", e.msg);
	in.direction = DIR_OUTBOUND;
	in.from = in.envelope_from = &from;
	in.login = "alice";
	in.client_ip = "127.0.0.1";
	start = used_us();
	do {
		for (size_t i = 0; i < n; i++) {
			in.to = &q[i].to;
			rules_decide(r, &in, &t, &ref);
			if (ref.line != q[i].line)
				die(q[i].to.text, "decided by another line");
		}
		times++;
		took = used_us() - start;
	} while (took < ROUND_US);
	return took * 1e3 / (double)(times * n);
}

static void
measure_rules(const char *file, char **question, size_t n)
{
	struct question *q = calloc(n, sizeof(*q));
	struct rules *r = NULL;
	struct conf_errors ce;
	struct err e = { 0 };
	double took[ROUNDS];

	conf_errors_init(&ce);
	if (q == NULL || rules_read(&r, file, NULL, &ce) != 0)
		die(file, buf_str(&ce.text));
	for (size_t i = 0; i < n; i++) {
		char *eq = strchr(question[i], '=');

		if (eq == NULL)
			die("ADDRESS=LINE", question[i]);
		*eq = '\0';
		q[i].line = (int)read_number(eq + 1);
		if (addr_parse(&q[i].to, view_of(question[i]), &e) != 0)
			die(question[i], e.msg);
	}
	for (size_t k = 0; k < ROUNDS; k++)
		took[k] = decide_all(r, q, n);
	printf("%.1f\n", median(took, ROUNDS));
	conf_errors_free(&ce);
	rules_free(&r);
	free(q);
}

int
main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "certs") == 0)
		make_certs(argv + 2);
	else if (argc == 5 && strcmp(argv[1], "select") == 0)
		measure_lookup(argv[2], argv[3], argv[4]);
	else if (argc > 3 && strcmp(argv[1], "rules") == 0)
		measure_rules(argv[2], argv + 3, (size_t)argc - 3);
	else {
		fputs("usage: growbase certs N DIR rsa|ec DOMAIN | "
		    "select STORE N DOMAIN | rules FILE ADDRESS=LINE...\n",
		    stderr);
		return EX_USAGE;
	}
	return 0;
}
