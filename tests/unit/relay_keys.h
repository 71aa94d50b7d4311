/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of TLS keys: a key of each kind with its files, and the process
 * that holds them. For inclusion by one test program at a time.
 */
#ifndef TESTS_UNIT_RELAY_KEYS_H
#define TESTS_UNIT_RELAY_KEYS_H

#include "relay/keys_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>

#include "keystore/keystore.h"
#include "relay/tls_pem.h"
#include "smtp/tls_provider.h"
#include "testca.h"
#include "util/ossl.h"
#include "util/proc.h"

#define KINDS 4
static const char *const kinds[KINDS] = { "rsa:2048", "ec:P-256", "ec:P-384",
	"ed25519" };

static struct {
	struct testca ca;
	struct testca_id id[KINDS];
	char dir[64];
	char cert[KINDS][96], key[KINDS][96], store[96];
	struct pki pki[KINDS];
	struct relay_config config;
} w;

struct there { /* the keys process, and our side of it */
	pid_t pid;
	struct tls_keys *keys;
	int sock; /* raw, where keys is NULL */
};

static void put_file(const char *path, BIO *b, mode_t mode)
{
	char *p;
	long n = BIO_get_mem_data(b, &p);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	if (n > 0)
		assert_int_equal(fwrite(p, 1, (size_t)n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path, mode), 0);
	BIO_free(b);
}

static void put_cert(const char *path, const struct testca_id *id)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_X509(b, cert_x509(id->cert)), 1);
	assert_int_equal(PEM_write_bio_X509(b, cert_x509(w.ca.sub.cert)), 1);
	put_file(path, b, 0644);
}

static void put_key(const char *path, EVP_PKEY *key, const char *password)
{
	BIO *b = BIO_new(BIO_s_mem());

	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(b, key,
	    password == NULL ? NULL : EVP_aes_128_cbc(), password,
	    password == NULL ? 0 : (int)strlen(password), NULL, NULL), 1);
	put_file(path, b, 0600);
}

UNUSED static int make_world(void **state)
{
	struct testca_leaf leaf = { .eku = "serverAuth,clientAuth" };
	size_t i;

	(void)state;
	testca_init(&w.ca);
	snprintf(w.dir, sizeof(w.dir), "/tmp/relay-keys-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.store, sizeof(w.store), "%s/store", w.dir);
	for (i = 0; i < KINDS; i++) {
		leaf.key = kinds[i];
		testca_issue(&w.ca, &leaf, &w.id[i]);
		snprintf(w.cert[i], sizeof(w.cert[i]), "%s/%zu.pem", w.dir, i);
		snprintf(w.key[i], sizeof(w.key[i]), "%s/%zu.key", w.dir, i);
		put_cert(w.cert[i], &w.id[i]);
		put_key(w.key[i], w.id[i].key, NULL);
		snprintf(w.pki[i].name, sizeof(w.pki[i].name), "p%zu", i);
		w.pki[i].cert = w.cert[i];
		w.pki[i].key = w.key[i];
	}
	w.config.pki = w.pki;
	w.config.pkis = KINDS;
	return 0;
}

static int end_world(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < KINDS; i++) {
		testca_id_free(&w.id[i]);
		unlink(w.cert[i]);
		unlink(w.key[i]);
	}
	testca_free(&w.ca);
	for (i = 0; i < 3; i++) {
		static const char *const beside[] = { "", "-wal", "-shm" };
		char path[128];

		snprintf(path, sizeof(path), "%s%s", w.store, beside[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(w.dir), 0);
	return 0;
}

/* ---- the other process ---- */

static void serve(int sock)
{
	struct keys_held *k = NULL;
	struct err e = { 0 };
	int rc = keys_load(&k, &w.config, &e);

	if (rc == 0)
		rc = proc_sandbox(SANDBOX_KEYS, &e);
	if (rc == 0)
		rc = keys_serve(k, &sock, 1, &e);
	keys_free(&k);
	_exit(rc == 0 ? 0 : 1);
}

UNUSED static void silent(int sock)
{
	(void)sock;
	for (;;)
		pause();
}

static struct there start(void (*process)(int sock), bool raw)
{
	struct there t = { 0 };
	struct err e = { 0 };
	int sock[2];

	assert_int_equal(keys_pair(sock, &e), 0);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (t.pid == 0) {
		proc_die_with_parent();
		close(sock[0]);
		process(sock[1]);
	}
	close(sock[1]);
	t.sock = sock[0];
	if (!raw && tls_keys_new(&t.keys, sock[0], &e) != 0)
		fail_msg("%s", e.msg);
	return t;
}

/* It ends by itself when we do, and has nothing to complain of. */
static void end(struct there *t)
{
	int status;

	if (t->keys == NULL)
		close(t->sock);
	tls_keys_free(&t->keys);
	assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

UNUSED static void kill_it(struct there *t)
{
	assert_int_equal(kill(t->pid, SIGKILL), 0);
	assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
}

#endif
