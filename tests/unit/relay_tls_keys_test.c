/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * TLS with keys of another process: what works, what a worker that was taken
 * over can ask for, and what happens when the other process does not answer.
 */
#include "relay_keys.h"

/* ---- handshakes ---- */

static SSL_CTX *context(bool server, int version)
{
	SSL_CTX *c = SSL_CTX_new(server ? TLS_server_method() :
	    TLS_client_method());

	assert_non_null(c);
	assert_int_equal(SSL_CTX_set_min_proto_version(c, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(c, version), 1);
	return c;
}

static SSL_CTX *server_of(struct there *t, size_t kind, int version)
{
	SSL_CTX *c = context(true, version);
	struct err e = { 0 };

	if (tls_keys_use(t->keys, c, &w.config, &w.pki[kind], &e) != 0)
		fail_msg("%s: %s", kinds[kind], e.msg);
	return c;
}

/* A client that knows the root; sigs may name what it takes. */
static SSL_CTX *client_of(int version, const char *sigs)
{
	SSL_CTX *c = context(false, version);

	assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(c),
	    cert_x509(w.ca.root.cert)), 1);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	if (sigs != NULL)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(c, sigs), 1);
	return c;
}

/* Contexts are freed. */
static bool shake(SSL_CTX *server, SSL_CTX *client)
{
	SSL *s = SSL_new(server), *c = SSL_new(client);
	int rs = 0, rc = 0, i;
	BIO *a, *b;

	assert_int_equal(BIO_new_bio_pair(&a, 0, &b, 0), 1);
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	for (i = 0; i < 20 && (rs != 1 || rc != 1); i++) {
		ossl_clear();
		rc = SSL_do_handshake(c);
		if (rc != 1 && SSL_get_error(c, rc) == SSL_ERROR_SSL)
			break;
		rs = SSL_do_handshake(s);
		if (rs != 1 && SSL_get_error(s, rs) == SSL_ERROR_SSL)
			break;
	}
	SSL_free(s);
	SSL_free(c);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
	return rs == 1 && rc == 1;
}

static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

static void handshakes_of_every_kind_and_version(void **state)
{
	struct there t = start(serve, false);
	size_t i, v;

	(void)state;
	for (i = 0; i < KINDS; i++)
		for (v = 0; v < ARRAY_LEN(versions); v++)
			if (!shake(server_of(&t, i, versions[v]),
			    client_of(versions[v], NULL)))
				fail_msg("%s, version %zu", kinds[i], v);
	end(&t);
}

static void every_algorithm_that_a_client_may_want(void **state)
{
	static const struct {
		size_t kind;
		const char *sigs;
		int version;
		bool good;
	} cases[] = {
		{ 0, "RSA+SHA256", TLS1_2_VERSION, true },
		{ 0, "RSA+SHA384", TLS1_2_VERSION, true },
		{ 0, "RSA+SHA512", TLS1_2_VERSION, true },
		{ 0, "RSA-PSS+SHA256", TLS1_2_VERSION, true },
		{ 0, "RSA-PSS+SHA256", TLS1_3_VERSION, true },
		{ 0, "RSA-PSS+SHA384", TLS1_3_VERSION, true },
		{ 0, "RSA-PSS+SHA512", TLS1_3_VERSION, true },
		{ 0, "RSA+SHA1", TLS1_2_VERSION, false },
		{ 1, "ECDSA+SHA256", TLS1_3_VERSION, true },
		{ 1, "ECDSA+SHA384", TLS1_2_VERSION, true },
		{ 1, "ECDSA+SHA512", TLS1_2_VERSION, true },
		{ 1, "ECDSA+SHA1", TLS1_2_VERSION, false },
		{ 2, "ECDSA+SHA384", TLS1_3_VERSION, true },
		{ 3, "ed25519", TLS1_3_VERSION, true },
	};
	struct there t = start(serve, false);
	SSL_CTX *s, *c;
	size_t i;
	char list[64];

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		s = server_of(&t, cases[i].kind, cases[i].version);
		/* the chain itself is signed with ECDSA and SHA-256 */
		snprintf(list, sizeof(list), "%s", cases[i].sigs);
		c = client_of(cases[i].version, list);
		SSL_CTX_set_verify(c, SSL_VERIFY_NONE, NULL);
		/* SHA-1 is below the level of both sides, too */
		SSL_CTX_set_security_level(s, 0);
		SSL_CTX_set_security_level(c, 0);
		if (shake(s, c) != cases[i].good)
			fail_msg("%s with %s", kinds[cases[i].kind], list);
	}
	end(&t);
}

static void client_certificates(void **state)
{
	struct there t = start(serve, false);
	struct err e = { 0 };
	SSL_CTX *s, *c;
	size_t i, v;

	(void)state;
	for (i = 0; i < KINDS; i++)
		for (v = 0; v < ARRAY_LEN(versions); v++) {
			s = server_of(&t, 1, versions[v]);
			assert_int_equal(X509_STORE_add_cert(
			    SSL_CTX_get_cert_store(s),
			    cert_x509(w.ca.root.cert)), 1);
			SSL_CTX_set_verify(s, SSL_VERIFY_PEER |
			    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
			c = client_of(versions[v], NULL);
			assert_int_equal(tls_keys_use(t.keys, c, &w.config,
			    &w.pki[i], &e), 0);
			if (!shake(s, c))
				fail_msg("%s, version %zu", kinds[i], v);
		}
	end(&t);
}

/* attack A62: a worker was taken over, and looks for private keys
 * verdict: there is none in it, and none can be exported */
static void A62_no_private_octets_in_the_worker(void **state)
{
	struct there t = start(serve, false);
	unsigned char raw[64], *der = NULL;
	size_t i, n = sizeof(raw);
	BIGNUM *d = NULL;
	EVP_PKEY *k;
	SSL_CTX *c;
	BIO *b;

	(void)state;
	for (i = 0; i < KINDS; i++) {
		c = server_of(&t, i, TLS1_3_VERSION);
		k = SSL_CTX_get0_privatekey(c);
		assert_non_null(k);
		assert_true(i2d_PrivateKey(k, &der) <= 0);
		assert_null(der);
		b = BIO_new(BIO_s_mem());
		assert_int_not_equal(PEM_write_bio_PrivateKey(b, k, NULL, NULL,
		    0, NULL, NULL), 1);
		BIO_free(b);
		assert_int_not_equal(EVP_PKEY_get_raw_private_key(k, raw, &n),
		    1);
		assert_int_not_equal(EVP_PKEY_get_bn_param(k,
		    OSSL_PKEY_PARAM_RSA_D, &d), 1);
		assert_int_not_equal(EVP_PKEY_get_bn_param(k,
		    OSSL_PKEY_PARAM_PRIV_KEY, &d), 1);
		assert_null(d);
		SSL_CTX_free(c);
		ossl_clear();
	}
	end(&t);
}

/* ---- starting ---- */

static void expect_load(const char *key, const char *cert, const char *says)
{
	struct pki pki = { .name = "mx", .cert = strdup(cert),
		.key = strdup(key) };
	struct relay_config c = { .pki = &pki, .pkis = 1 };
	struct keys_held *k = NULL;
	struct err e = { 0 };
	int rc = keys_load(&k, &c, &e);

	if (says == NULL) {
		if (rc != 0)
			fail_msg("%s", e.msg);
		assert_int_equal(keys_count(k), 1);
	} else {
		assert_int_equal(rc, -1);
		assert_null(k);
		if (e.kind != FAIL_CONFIG || strstr(e.msg, says) == NULL ||
		    strncmp(e.msg, "pki mx: ", 8) != 0)
			fail_msg("kind %d: %s, wanted: %s", e.kind, e.msg,
			    says);
	}
	keys_free(&k);
	free(pki.key);
	free(pki.cert);
}

static void T2_key_files_that_are_not_good(void **state)
{
	struct testca_id odd;
	char path[96];
	size_t i;

	(void)state;
	expect_load(w.key[0], w.cert[0], NULL);
	snprintf(path, sizeof(path), "%s/odd", w.dir);
	expect_load(path, w.cert[0], path); /* not there */
	expect_load(w.key[1], w.cert[0], "is not the key of the first");
	expect_load(w.key[0], path, path);
	expect_load(w.cert[0], w.cert[0], "mode 0644");
	put_file(path, BIO_new(BIO_s_mem()), 0600);
	expect_load(path, w.cert[0], "no private key in PEM");
	expect_load(w.key[0], path, "no certificate in PEM");
	put_key(path, w.id[0].key, "secret");
	expect_load(path, w.cert[0], "it is encrypted");
	expect_load(w.key[0], w.key[0], "a private key is in it");
	put_key(path, w.id[0].key, NULL);
	assert_int_equal(chmod(path, 0644), 0);
	expect_load(path, w.cert[0], "mode 0644");
	unlink(path);
	assert_int_equal(symlink(w.key[0], path), 0);
	expect_load(path, w.cert[0], "a link");
	unlink(path);
	for (i = 0; i < 4; i++) {
		static const char *const odd_kind[] = { "rsa:1024", "rsa-pss",
			"ec:P-521", "x25519" };
		struct testca_leaf leaf = { .key = odd_kind[i] };

		testca_issue(&w.ca, &leaf, &odd);
		put_key(path, odd.key, NULL);
		expect_load(path, w.cert[0], i == 0 ? "1024 bits" :
		    "a key of another kind");
		unlink(path);
		testca_id_free(&odd);
	}
}

static void the_chain_that_is_no_longer_the_keys(void **state)
{
	struct there t = start(serve, false);
	SSL_CTX *c = context(true, TLS1_3_VERSION);
	struct pki other = w.pki[0];
	struct err e = { 0 };

	(void)state;
	/* the file changed after the keys process read it */
	SSL_CTX_free(server_of(&t, 0, TLS1_3_VERSION));
	put_cert(w.cert[0], &w.id[1]);
	assert_int_equal(tls_keys_use(t.keys, c, &w.config, &w.pki[0], &e),
	    -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, w.cert[0]));
	assert_non_null(strstr(e.msg, "not that of the key"));
	put_cert(w.cert[0], &w.id[0]);
	assert_int_equal(tls_keys_use(t.keys, c, &w.config, &other, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	SSL_CTX_free(c);
	end(&t);
}

static void a_chain_has_so_many_certificates(void **state)
{
	STACK_OF(X509) *chain = NULL;
	struct err e = { 0 };
	char path[96];
	int n, i, rc;
	BIO *b;

	(void)state;
	snprintf(path, sizeof(path), "%s/chain", w.dir);
	for (n = TLS_PEM_CHAIN - 1; n <= TLS_PEM_CHAIN + 1; n++) {
		b = BIO_new(BIO_s_mem());
		for (i = 0; i < n; i++)
			PEM_write_bio_X509(b, cert_x509(w.id[0].cert));
		put_file(path, b, 0644);
		rc = tls_pem_chain(&chain, path, &e);
		assert_int_equal(rc, n <= TLS_PEM_CHAIN ? 0 : -1);
		if (rc == 0)
			assert_int_equal(sk_X509_num(chain), n);
		sk_X509_pop_free(chain, X509_free);
	}
	assert_int_equal(e.kind, FAIL_CONFIG);
	b = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(b, cert_x509(w.id[0].cert));
	BIO_puts(b, "-----BEGIN CERTIFICATE-----\nMIIC!!\n"
	    "-----END CERTIFICATE-----\n");
	put_file(path, b, 0644);
	assert_int_equal(tls_pem_chain(&chain, path, &e), -1);
	assert_non_null(strstr(e.msg, "certificate 2"));
	unlink(path);
}

static void a_socket_of_another_type(void **state)
{
	struct tls_keys *k = NULL;
	struct err e = { 0 };
	int sock[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0);
	assert_int_equal(tls_keys_new(&k, sock[0], &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	close(sock[1]);
}

/* ---- the keys process is away ---- */

static void death_in_the_middle_fails_handshakes(void **state)
{
	struct there t = start(serve, false);
	SSL_CTX *a = server_of(&t, 0, TLS1_3_VERSION);
	SSL_CTX *b = server_of(&t, 1, TLS1_2_VERSION);
	struct err e = { 0 };

	(void)state;
	assert_true(tls_keys_are_there(NULL));
	assert_true(tls_keys_are_there(t.keys));
	kill_it(&t);
	assert_false(tls_keys_are_there(t.keys)); /* before any question */
	assert_false(shake(a, client_of(TLS1_3_VERSION, NULL)));
	assert_false(shake(b, client_of(TLS1_2_VERSION, NULL)));
	assert_false(tls_keys_are_there(t.keys));
	a = context(true, TLS1_3_VERSION);
	assert_int_equal(tls_keys_use(t.keys, a, &w.config, &w.pki[0], &e),
	    -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	SSL_CTX_free(a);
	tls_keys_free(&t.keys);
}

static void silence_fails_the_handshake_and_is_no_hang(void **state)
{
	struct there t = start(serve, false);
	SSL_CTX *a = server_of(&t, 1, TLS1_3_VERSION);
	SSL_CTX *b = server_of(&t, 1, TLS1_3_VERSION);
	SSL_CTX *c = server_of(&t, 1, TLS1_3_VERSION);
	bool is_good = false;
	int i;

	(void)state;
	assert_int_equal(kill(t.pid, SIGSTOP), 0);
	/* each of its threads */
	assert_int_equal(waitpid(t.pid, NULL, WUNTRACED), t.pid);
	assert_false(shake(a, client_of(TLS1_3_VERSION, NULL)));
	assert_false(shake(b, client_of(TLS1_3_VERSION, NULL)));
	assert_int_equal(kill(t.pid, SIGCONT), 0);
	/* two late answers are passed over; who was late is not waited for */
	for (i = 0; i < 300 && !is_good; i++) {
		usleep(100000);
		assert_int_equal(SSL_CTX_up_ref(c), 1);
		is_good = shake(c, client_of(TLS1_3_VERSION, NULL));
	}
	SSL_CTX_free(c);
	assert_true(is_good);
	end(&t);
}

static void a_full_socket_is_no_hang(void **state)
{
	struct there t = start(silent, false);
	SSL_CTX *c = context(true, TLS1_3_VERSION);
	struct err e = { 0 };
	char junk[4096] = { 0 };

	(void)state;
	while (send(t.sock, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(tls_keys_use(t.keys, c, &w.config, &w.pki[0], &e),
	    -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	SSL_CTX_free(c);
	kill_it(&t);
	tls_keys_free(&t.keys);
}

static void answer_too_long(int sock)
{
	unsigned char p[KEYS_QUESTION_MAX] = { 0 };

	if (recv(sock, p, sizeof(p), 0) > 0)
		(void)send(sock, p, KEYS_ANSWER_MAX + 1, 0);
	_exit(0);
}

static void answer_short(int sock)
{
	unsigned char p[KEYS_QUESTION_MAX] = { 0 };

	if (recv(sock, p, sizeof(p), 0) > 0)
		(void)send(sock, p, 5, 0);
	_exit(0);
}

static void answers_that_are_none(void **state)
{
	static void (*const process[])(int) = { answer_too_long,
		answer_short };
	struct err e = { 0 };
	struct there t;
	SSL_CTX *c;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(process); i++) {
		t = start(process[i], false);
		c = context(true, TLS1_3_VERSION);
		assert_int_equal(tls_keys_use(t.keys, c, &w.config, &w.pki[0],
		    &e), -1);
		assert_int_equal(e.kind, FAIL_TEMP);
		SSL_CTX_free(c);
		end(&t);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_of_every_kind_and_version),
		cmocka_unit_test(every_algorithm_that_a_client_may_want),
		cmocka_unit_test(client_certificates),
		cmocka_unit_test(A62_no_private_octets_in_the_worker),
		cmocka_unit_test(T2_key_files_that_are_not_good),
		cmocka_unit_test(the_chain_that_is_no_longer_the_keys),
		cmocka_unit_test(a_chain_has_so_many_certificates),
		cmocka_unit_test(a_socket_of_another_type),
		cmocka_unit_test(death_in_the_middle_fails_handshakes),
		cmocka_unit_test(silence_fails_the_handshake_and_is_no_hang),
		cmocka_unit_test(a_full_socket_is_no_hang),
		cmocka_unit_test(answers_that_are_none),
	};

	return cmocka_run_group_tests_name("relay_tls_keys", tests,
	    make_world, end_world);
}
