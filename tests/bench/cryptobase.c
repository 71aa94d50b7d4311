/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The rate of the bare OpenSSL calls that an operation of the gateway
 * cannot do without, in processes with nothing else to do, keys and
 * certificates at hand. Uses nothing of the gateway.
 *
 * cryptobase [-t SECONDS] [-p PROCESSES] [-s OCTETS] [-r RECIPIENTS]
 *     [OPERATION...]
 * prints: operation octets processes rate (per second, of all processes)
 * and the processor time of one in ms, which other programs do not change
 */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define PROCESSES_MAX 64

/* A key with its certificate. */
struct id {
	EVP_PKEY *key;
	X509 *cert;
};

/* All that the operations work on; made once, before the processes. */
struct kit {
	struct id rsa; /* signs, and is a recipient */
	struct id ec;
	unsigned char *text; /* the message */
	size_t n;
	unsigned char *room; /* 2 n + 64 KiB, for results */
	unsigned char sig[512]; /* of the digest of the text */
	BIO *sealed_rsa; /* EnvelopedData, DER */
	BIO *sealed_ec;
	BIO *both_ec; /* EnvelopedData of what is in opaque */
	BIO *opaque;  /* SignedData by RSA, without certificates */
	BIO *detached; /* the same without the content */
	int recipients;
	STACK_OF(X509) *signers;
};

struct operation {
	const char *name;
	const char *what;
	int (*run)(struct kit *k); /* 0 or -1 */
};

static void
die(const char *what)
{
	fprintf(stderr, "cryptobase: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(EX_SOFTWARE);
}

/* ---- operations ---- */

/* SHA-256 of the text, a signature over it, and the self-check. */
static int
sign_with(struct kit *k, const struct id *id)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(id->key, NULL);
	EVP_PKEY_CTX *v = EVP_PKEY_CTX_new(id->key, NULL);
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int mdn = 0;
	size_t n = sizeof(k->sig);
	int rc = -1;

	if (c == NULL || v == NULL ||
	    EVP_Digest(k->text, k->n, md, &mdn, EVP_sha256(), NULL) != 1 ||
	    EVP_PKEY_sign_init(c) != 1 || EVP_PKEY_verify_init(v) != 1)
		goto out;
	if (EVP_PKEY_CTX_set_signature_md(c, EVP_sha256()) != 1 ||
	    EVP_PKEY_CTX_set_signature_md(v, EVP_sha256()) != 1)
		goto out;
	if (EVP_PKEY_sign(c, k->sig, &n, md, mdn) != 1 ||
	    EVP_PKEY_verify(v, k->sig, n, md, mdn) != 1)
		goto out;
	rc = 0;
out:
	EVP_PKEY_CTX_free(c);
	EVP_PKEY_CTX_free(v);
	return rc;
}

static int
sign_rsa(struct kit *k)
{
	return sign_with(k, &k->rsa);
}

static int
sign_ec(struct kit *k)
{
	return sign_with(k, &k->ec);
}

/* SignedData, detached or opaque, into a new memory BIO. Not streamed: a
 * detached one takes ten times as long so. */
static BIO *
make_signed(struct kit *k, const struct id *id, unsigned int flags)
{
	BIO *in = BIO_new_mem_buf(k->text, (int)k->n);
	BIO *out = BIO_new(BIO_s_mem());
	CMS_ContentInfo *c;

	flags |= CMS_BINARY;
	c = CMS_sign(id->cert, id->key, NULL, in, flags);
	if (c == NULL || i2d_CMS_bio(out, c) != 1) {
		BIO_free(out);
		out = NULL;
	}
	CMS_ContentInfo_free(c);
	BIO_free(in);
	return out;
}

/* EnvelopedData of what in holds, streamed into a new BIO of that kind: the
 * null one where only the time counts, as a growing one would take most. */
static BIO *
make_sealed(BIO *in, const struct id *to, int recipients,
    const BIO_METHOD *kind)
{
	const unsigned int flags = CMS_BINARY | CMS_STREAM;
	STACK_OF(X509) *certs = sk_X509_new_null();
	BIO *out = BIO_new(kind);
	CMS_ContentInfo *c = NULL;

	while (recipients > 0 && certs != NULL &&
	    sk_X509_push(certs, to->cert) > 0)
		recipients--;
	if (recipients == 0)
		c = CMS_encrypt(certs, in, EVP_aes_256_cbc(), flags);
	if (c == NULL || i2d_CMS_bio_stream(out, c, in, (int)flags) != 1) {
		BIO_free(out);
		out = NULL;
	}
	CMS_ContentInfo_free(c);
	sk_X509_free(certs);
	return out;
}

static int
seal_to(struct kit *k, const struct id *to)
{
	BIO *in = BIO_new_mem_buf(k->text, (int)k->n);
	BIO *out = make_sealed(in, to, k->recipients, BIO_s_null());
	int rc = out != NULL ? 0 : -1;

	BIO_free(in);
	BIO_free(out);
	return rc;
}

static int
encrypt_rsa(struct kit *k)
{
	return seal_to(k, &k->rsa);
}

static int
encrypt_ec(struct kit *k)
{
	return seal_to(k, &k->ec);
}

/* Signature by RSA, to both kinds of recipient. The detached signature is
 * small: what is encrypted is the text. */
static int
both_to(struct kit *k, const struct id *to)
{
	BIO *sig = make_signed(k, &k->rsa, CMS_DETACHED);
	int rc = sig != NULL ? seal_to(k, to) : -1;

	BIO_free(sig);
	return rc;
}

static int
both_rsa(struct kit *k)
{
	return both_to(k, &k->rsa);
}

static int
both_ec(struct kit *k)
{
	return both_to(k, &k->ec);
}

/* Parse what the memory BIO holds and leaves there. */
static CMS_ContentInfo *
parse(BIO *mem)
{
	char *p = NULL;
	long n = BIO_get_mem_data(mem, &p);
	BIO *in = BIO_new_mem_buf(p, (int)n);
	CMS_ContentInfo *c = d2i_CMS_bio(in, NULL);

	BIO_free(in);
	return c;
}

/* Parse and decrypt; the plaintext goes nowhere. */
static int
open_with(BIO *sealed, const struct id *id)
{
	CMS_ContentInfo *c = parse(sealed);
	BIO *out = BIO_new(BIO_s_null());
	int rc = -1;

	if (c != NULL &&
	    CMS_decrypt(c, id->key, id->cert, NULL, out, 0) == 1)
		rc = 0;
	CMS_ContentInfo_free(c);
	BIO_free(out);
	return rc;
}

static int
open_rsa(struct kit *k)
{
	return open_with(k->sealed_rsa, &k->rsa);
}

static int
open_ec(struct kit *k)
{
	return open_with(k->sealed_ec, &k->ec);
}

/* Decrypt with EC, then verify RSA by a certificate that is known. What is
 * verified was parsed from memory, not from the output of the first step. */
static int
open_both(struct kit *k)
{
	CMS_ContentInfo *c = NULL;
	BIO *out = BIO_new(BIO_s_null());
	int rc = -1;

	if (open_with(k->both_ec, &k->ec) == 0)
		c = parse(k->opaque);
	if (c != NULL && CMS_verify(c, k->signers, NULL, NULL, out,
	    CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1)
		rc = 0;
	CMS_ContentInfo_free(c);
	BIO_free(out);
	return rc;
}

static int
verify_rsa(struct kit *k)
{
	CMS_ContentInfo *c = parse(k->detached);
	BIO *in = BIO_new_mem_buf(k->text, (int)k->n);
	int rc = -1;

	if (c != NULL && CMS_verify(c, k->signers, NULL, in, NULL,
	    CMS_BINARY | CMS_NO_SIGNER_CERT_VERIFY) == 1)
		rc = 0;
	CMS_ContentInfo_free(c);
	BIO_free(in);
	return rc;
}

static int
do_base64(struct kit *k)
{
	EVP_ENCODE_CTX *c = EVP_ENCODE_CTX_new();
	int n = 0, rc = -1;

	if (c != NULL) {
		EVP_EncodeInit(c);
		rc = EVP_EncodeUpdate(c, k->room, &n, k->text, (int)k->n);
		EVP_EncodeFinal(c, k->room + n, &n);
	}
	EVP_ENCODE_CTX_free(c);
	return rc == 1 ? 0 : -1;
}

/* What signing and encrypting does to every octet. */
static int
do_sha_aes(struct kit *k)
{
	static const unsigned char key[32], iv[16];
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	unsigned char md[EVP_MAX_MD_SIZE];
	int n = 0, rc = -1;

	if (c != NULL && EVP_Digest(k->text, k->n, md, NULL, EVP_sha256(),
	    NULL) == 1 && EVP_EncryptInit_ex2(c, EVP_aes_256_cbc(), key, iv,
	    NULL) == 1 && EVP_EncryptUpdate(c, k->room, &n, k->text,
	    (int)k->n) == 1)
		rc = 0;
	EVP_CIPHER_CTX_free(c);
	return rc;
}

static const struct operation operation[] = {
	{ "sign-rsa", "SHA-256, EVP sign and verify, RSA-2048", sign_rsa },
	{ "sign-ec", "SHA-256, EVP sign and verify, P-256", sign_ec },
	{ "encrypt-rsa", "CMS_encrypt AES-256-CBC, RSA-2048", encrypt_rsa },
	{ "encrypt-ec", "CMS_encrypt AES-256-CBC, P-256", encrypt_ec },
	{ "both-rsa", "CMS_sign RSA-2048, CMS_encrypt RSA-2048", both_rsa },
	{ "both-ec", "CMS_sign RSA-2048, CMS_encrypt P-256", both_ec },
	{ "open-rsa", "d2i, CMS_decrypt RSA-2048", open_rsa },
	{ "open-ec", "d2i, CMS_decrypt P-256", open_ec },
	{ "openboth-ec", "d2i, CMS_decrypt P-256, CMS_verify RSA-2048",
	  open_both },
	{ "verify-rsa", "d2i, CMS_verify RSA-2048, detached", verify_rsa },
	{ "base64", "EVP_EncodeUpdate", do_base64 },
	{ "sha-aes", "SHA-256 and AES-256-CBC", do_sha_aes },
};

#define OPERATIONS (sizeof(operation) / sizeof(operation[0]))

/* ---- making the kit ---- */

/* A certificate that the key signs for itself. */
static void
make_id(struct id *id, EVP_PKEY *key, const char *name)
{
	X509 *x = X509_new();
	X509_NAME *n;

	if (key == NULL || x == NULL)
		die("key");
	n = X509_get_subject_name(x);
	if (X509_set_version(x, X509_VERSION_3) != 1 ||
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) != 1 ||
	    X509_gmtime_adj(X509_getm_notBefore(x), -3600) == NULL ||
	    X509_gmtime_adj(X509_getm_notAfter(x), 86400) == NULL ||
	    X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0) != 1 ||
	    X509_set_issuer_name(x, n) != 1 || X509_set_pubkey(x, key) != 1 ||
	    X509_sign(x, key, EVP_sha256()) == 0)
		die("certificate");
	id->key = key;
	id->cert = x;
}

static void
make_kit(struct kit *k, size_t n)
{
	BIO *in;

	memset(k, 0, sizeof(*k));
	make_id(&k->rsa, EVP_RSA_gen(2048), "rsa");
	make_id(&k->ec, EVP_EC_gen("P-256"), "ec");
	k->n = n;
	k->text = malloc(n);
	k->room = malloc(2 * n + 65536);
	k->signers = sk_X509_new_null();
	if (k->text == NULL || k->room == NULL || k->signers == NULL ||
	    sk_X509_push(k->signers, k->rsa.cert) <= 0)
		die("out of memory");
	for (size_t i = 0; i < n; i++)
		k->text[i] = (unsigned char)("mail and more "[i % 14]);
	in = BIO_new_mem_buf(k->text, (int)n);
	k->sealed_rsa = make_sealed(in, &k->rsa, 1, BIO_s_mem());
	BIO_free(in);
	in = BIO_new_mem_buf(k->text, (int)n);
	k->sealed_ec = make_sealed(in, &k->ec, 1, BIO_s_mem());
	BIO_free(in);
	k->opaque = make_signed(k, &k->rsa, CMS_NOCERTS);
	k->detached = make_signed(k, &k->rsa, CMS_NOCERTS | CMS_DETACHED);
	in = make_signed(k, &k->rsa, CMS_NOCERTS);
	k->both_ec = make_sealed(in, &k->ec, 1, BIO_s_mem());
	BIO_free(in);
	if (k->sealed_rsa == NULL || k->sealed_ec == NULL ||
	    k->both_ec == NULL || k->opaque == NULL || k->detached == NULL)
		die("sealing the input of the open operations");
}

static void
free_kit(struct kit *k)
{
	BIO_free(k->sealed_rsa);
	BIO_free(k->sealed_ec);
	BIO_free(k->both_ec);
	BIO_free(k->opaque);
	BIO_free(k->detached);
	sk_X509_free(k->signers);
	X509_free(k->rsa.cert);
	X509_free(k->ec.cert);
	EVP_PKEY_free(k->rsa.key);
	EVP_PKEY_free(k->ec.key);
	free(k->text);
	free(k->room);
}

/* ---- measuring ---- */

struct figures {
	double rate; /* 0: a call failed */
	double cpu;  /* seconds a call */
};

static double
get_time(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Repeat for so long. */
static void
repeat(struct kit *k, const struct operation *o, double seconds,
    struct figures *f)
{
	double start, now, cpu;
	unsigned long n = 0;

	if (o->run(k) == -1) /* also warms up */
		return;
	cpu = get_time(CLOCK_PROCESS_CPUTIME_ID);
	start = now = get_time(CLOCK_MONOTONIC);
	do {
		if (o->run(k) == -1)
			return;
		n++;
		now = get_time(CLOCK_MONOTONIC);
	} while (now < start + seconds);
	cpu = get_time(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	f->cpu = cpu / (double)n;
	f->rate = (double)n / (now - start);
}

static struct figures
measure(struct kit *k, const struct operation *o, double seconds,
    int processes)
{
	struct figures *f = mmap(NULL, PROCESSES_MAX * sizeof(*f),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct figures sum = { 0, 0 };
	pid_t pid[PROCESSES_MAX];
	bool good = true;

	if (f == MAP_FAILED)
		die("mmap");
	for (int i = 0; i < processes; i++) {
		pid[i] = fork();
		if (pid[i] == -1)
			die("fork");
		if (pid[i] == 0) {
			repeat(k, o, seconds, &f[i]);
			_exit(0);
		}
	}
	for (int i = 0; i < processes; i++) {
		int status;

		if (waitpid(pid[i], &status, 0) == -1 || status != 0 ||
		    f[i].rate <= 0)
			good = false;
		sum.rate += f[i].rate;
		sum.cpu += f[i].cpu / processes;
	}
	munmap(f, PROCESSES_MAX * sizeof(*f));
	if (!good)
		sum.rate = 0;
	return sum;
}

static void
print_usage(void)
{
	fputs("usage: cryptobase [-t SECONDS] [-p PROCESSES] [-s OCTETS] "
	    "[-r RECIPIENTS] [OPERATION...]\n", stderr);
	for (size_t i = 0; i < OPERATIONS; i++)
		fprintf(stderr, "  %-12s %s\n", operation[i].name,
		    operation[i].what);
	exit(EX_USAGE);
}

static const struct operation *
find_operation(const char *name)
{
	for (size_t i = 0; i < OPERATIONS; i++)
		if (strcmp(operation[i].name, name) == 0)
			return &operation[i];
	print_usage();
	return NULL;
}

static void
report(struct kit *k, const struct operation *o, double seconds, long p)
{
	struct figures f = measure(k, o, seconds, (int)p);

	if (f.rate <= 0) {
		fprintf(stderr, "cryptobase: %s failed\n", o->name);
		exit(EX_SOFTWARE);
	}
	printf("%s %zu %ld %.1f %.4f\n", o->name, k->n, p, f.rate,
	    f.cpu * 1e3);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	long processes = sysconf(_SC_NPROCESSORS_ONLN), size = 5120;
	long recipients = 1;
	double seconds = 1;
	struct kit k;
	int c;

	while ((c = getopt(argc, argv, "t:p:s:r:")) != -1) {
		if (c == 't')
			seconds = strtod(optarg, NULL);
		else if (c == 'p')
			processes = strtol(optarg, NULL, 10);
		else if (c == 's')
			size = strtol(optarg, NULL, 10);
		else if (c == 'r')
			recipients = strtol(optarg, NULL, 10);
		else
			print_usage();
	}
	if (processes < 1 || processes > PROCESSES_MAX || size < 1 ||
	    size > 256L << 20 || recipients < 1 || recipients > 10000 ||
	    seconds <= 0)
		print_usage();
	make_kit(&k, (size_t)size);
	k.recipients = (int)recipients;
	for (size_t i = 0; optind == argc && i < OPERATIONS; i++)
		report(&k, &operation[i], seconds, processes);
	for (int i = optind; i < argc; i++)
		report(&k, find_operation(argv[i]), seconds, processes);
	free_kit(&k);
	return 0;
}
