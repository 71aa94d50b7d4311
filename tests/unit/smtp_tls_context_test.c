/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What an outgoing connection offers in its handshake, and the CAs that it
 * trusts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "smtp_tls.h"

/* ---- anonymous ciphers ---- */

static void T44_anonymous_ciphers_only_where_allowed(void **state)
{
	static const enum tls_level level[] = { TLS_MAY, TLS_ENCRYPT,
		TLS_FINGERPRINT, TLS_DANE, TLS_DANE_ONLY, TLS_VERIFY,
		TLS_SECURE };
	struct tls_want w;
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(level) * 2; i++) {
		bool yes;

		w = want(level[i / 2], "mx.a.example");
		w.allow_anonymous = i % 2 == 1;
		yes = w.allow_anonymous && (w.level == TLS_MAY ||
		    w.level == TLS_ENCRYPT);
		assert_int_equal(meet_begin(&m, meet_server(NULL, NULL, 0),
		    &w, NULL, NULL), yes);
		assert_int_equal(tls_want_check(m.c, &w, &got, &e), yes ? 0 :
		    -1);
		if (yes) {
			assert_non_null(strstr(got.cipher, "ADH"));
			assert_false(got.has_cert || got.is_verified);
			w.level = TLS_SECURE;
			assert_int_equal(tls_want_check(m.c, &w, &got, &e),
			    -1);
			assert_non_null(strstr(got.reason, "no certificate"));
		}
		meet_end(&m);
	}
}

static void T44_a_certificate_is_preferred_and_may_be_required(void **state)
{
	struct tls_want w = want(TLS_MAY, NULL);
	SSL_CTX *both = meet_server(&mx, with_sub, TLS1_2_VERSION);
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	(void)state;
	MUST(SSL_CTX_set_cipher_list(both, "ALL") == 1);
	w.allow_anonymous = true;
	assert_true(meet_begin(&m, both, &w, NULL, NULL));
	assert_int_equal(tls_want_check(m.c, &w, &got, &e), 0);
	assert_true(got.has_cert);
	meet_end(&m);
	w.require_cert = true;
	assert_false(meet_begin(&m, meet_server(NULL, NULL, 0), &w, NULL,
	    NULL));
	meet_end(&m);
}

static void T44_ciphers_of_a_line_never_add_anonymous_ones(void **state)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	struct err e = { 0 };
	SSL_CTX *c = NULL;
	struct meet m;

	(void)state;
	text_set(w.ciphers, sizeof(w.ciphers), "ALL:aNULL:eNULL");
	assert_false(meet_begin(&m, meet_server(NULL, NULL, 0), &w, NULL,
	    NULL));
	meet_end(&m);
	text_set(w.ciphers, sizeof(w.ciphers), "aNULL");
	text_set(w.because, sizeof(w.because), "f:3");
	assert_int_equal(tls_want_context(&c, &w, NULL, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_null(c);
	assert_non_null(strstr(e.msg, "ciphers \"aNULL\" (f:3)"));
	text_set(w.ciphers, sizeof(w.ciphers), "NONSENSE");
	assert_int_equal(tls_want_context(&c, &w, NULL, &e), -1);
}

/* ---- versions ---- */

static void T14_T44_versions(void **state)
{
	static const struct {
		enum tls_version min, max;
		int server_max;
		const char *got; /* NULL: none */
	} row[] = {
		{ TLS_V_ANY, TLS_V_ANY, 0, "TLSv1.3" },
		{ TLS_V_ANY, TLS_V_ANY, TLS1_2_VERSION, "TLSv1.2" },
		{ TLS_V_ANY, TLS_V_ANY, TLS1_1_VERSION, NULL },
		{ TLS_V_ANY, TLS_V_ANY, TLS1_VERSION, NULL },
		{ TLS_V_1_3, TLS_V_ANY, TLS1_2_VERSION, NULL },
		{ TLS_V_1_2, TLS_V_1_2, 0, "TLSv1.2" },
		{ TLS_V_1_1, TLS_V_ANY, TLS1_1_VERSION, "TLSv1.1" },
		{ TLS_V_1_1, TLS_V_ANY, TLS1_VERSION, NULL },
		{ TLS_V_1_0, TLS_V_ANY, TLS1_VERSION, "TLSv1" },
	};
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct tls_want w = want(TLS_ENCRYPT, NULL);

		w.min = row[i].min;
		w.max = row[i].max;
		assert_int_equal(meet_begin(&m, meet_server(&mx, with_sub,
		    row[i].server_max), &w, NULL, NULL), row[i].got != NULL);
		assert_int_equal(tls_want_check(m.c, &w, &got, &e),
		    row[i].got != NULL ? 0 : -1);
		assert_string_equal(got.version, row[i].got != NULL ?
		    row[i].got : "");
		meet_end(&m);
	}
}

static void a_version_below_the_policy_is_refused_afterwards(void **state)
{
	struct tls_want w = want(TLS_ENCRYPT, NULL);
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	(void)state;
	assert_true(meet_begin(&m, meet_server(&mx, NULL, TLS1_2_VERSION),
	    &w, NULL, NULL));
	w.min = TLS_V_1_3;
	assert_int_equal(tls_want_check(m.c, &w, &got, &e), -1);
	assert_string_equal(got.result, "validation-failure");
	meet_end(&m);
}

static void T15_no_compression_and_no_renegotiation(void **state)
{
	struct tls_want w = want(TLS_ENCRYPT, NULL);
	struct err e = { 0 };
	SSL_CTX *c;

	(void)state;
	assert_int_equal(tls_want_context(&c, &w, NULL, &e), 0);
	assert_true((SSL_CTX_get_options(c) & SSL_OP_NO_COMPRESSION) != 0);
	assert_true((SSL_CTX_get_options(c) & SSL_OP_NO_RENEGOTIATION) != 0);
	assert_int_equal(SSL_CTX_get_session_cache_mode(c),
	    SSL_SESS_CACHE_OFF);
	SSL_CTX_free(c);
}

/* ---- SNI ---- */

static void T45_sni_but_never_an_address(void **state)
{
	static const struct {
		const char *sni, *sent;
	} row[] = {
		{ "mx.a.example", "mx.a.example" }, { "", "" },
		{ "192.0.2.7", "" }, { "[192.0.2.7]", "" },
		{ "2001:db8::1", "" }, { "[IPv6:2001:db8::1]", "" },
	};
	struct meet m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct tls_want w = want(TLS_ENCRYPT, NULL);

		text_set(w.sni, sizeof(w.sni), row[i].sni);
		assert_true(meet_begin(&m, meet_server(&mx, NULL, 0), &w,
		    NULL, NULL));
		assert_string_equal(m.sni, row[i].sent);
		meet_end(&m);
	}
}

static void T45_sni_of_dane_is_the_base_domain(void **state)
{
	struct tls_want w = want(TLS_DANE_ONLY, NULL);
	struct meet m;

	(void)state;
	w.sni[0] = '\0';
	text_set(w.tlsa_base, sizeof(w.tlsa_base), "base.example");
	want_tlsa(&w, 3, 1, 1, &mx);
	assert_true(meet_begin(&m, meet_server(&mx, NULL, 0), &w, NULL,
	    NULL));
	assert_string_equal(m.sni, "base.example");
	meet_end(&m);
	tls_want_free(&w);
}

/* ---- resumed sessions ---- */

static SSL_SESSION *kept;

static int keep_session(SSL *s, SSL_SESSION *one)
{
	(void)s;
	SSL_SESSION_free(kept);
	kept = one;
	return 1;
}

/* A session as a relay keeps it; tickets of TLS 1.3 come with data. */
static SSL_SESSION *get_session(SSL_CTX *server, const struct tls_want *w)
{
	struct meet m;
	char c;

	SSL_CTX_up_ref(server);
	assert_true(meet_begin(&m, server, w, NULL, NULL));
	SSL_CTX_set_session_cache_mode(m.client, SSL_SESS_CACHE_CLIENT |
	    SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(m.client, keep_session);
	assert_int_equal(SSL_write(m.s, "x", 1), 1);
	assert_int_equal(SSL_read(m.c, &c, 1), 1);
	if (kept == NULL)
		kept = SSL_get1_session(m.c);
	SSL_shutdown(m.c);
	meet_end(&m);
	return kept;
}

/* A session of a weak policy says nothing under a strong one. */
static void T60_a_resumed_session_is_judged_anew(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_want weak = want(TLS_ENCRYPT, NULL);
	struct tls_want strong = want(TLS_SECURE, "mx.a.example");
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(version); i++) {
		for (int good = 0; good <= 1; good++) {
			SSL_CTX *server = meet_server(good ? &mx : &anyone,
			    with_sub, version[i]);
			X509_STORE *s = store_of(&root);

			kept = NULL;
			(void)get_session(server, &weak);
			assert_true(meet_begin(&m, server, &strong, s,
			    kept));
			assert_int_equal(SSL_session_reused(m.c), 1);
			assert_int_equal(tls_want_check(m.c, &strong, &got,
			    &e), good ? 0 : -1);
			assert_true(got.has_cert);
			meet_end(&m);
			SSL_SESSION_free(kept);
			X509_STORE_free(s);
		}
	}
}

/* ---- before and without a handshake ---- */

static void nothing_is_proven_before_the_handshake(void **state)
{
	static const enum tls_level level[] = { TLS_MAY, TLS_ENCRYPT,
		TLS_DANE_ONLY, TLS_SECURE };
	struct err e = { 0 };
	struct tls_got got;
	SSL_CTX *c;
	SSL *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(level); i++) {
		struct tls_want w = want(level[i], "a");

		assert_int_equal(tls_want_context(&c, &w, NULL, &e), 0);
		s = SSL_new(c);
		SSL_set_connect_state(s);
		assert_int_equal(tls_want_check(s, &w, &got, &e), -1);
		assert_string_equal(got.result, "validation-failure");
		assert_false(got.is_tls);
		SSL_free(s);
		SSL_CTX_free(c);
	}
}

/* ---- CAs of files ---- */

static void write_pem(const char *path, const X509 *x)
{
	FILE *f = fopen(path, "w");

	MUST(f != NULL && PEM_write_X509(f, x) == 1);
	fclose(f);
}

static void write_crl(const char *path, const struct peer *revoked)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_new();
	X509_REVOKED *r = X509_REVOKED_new();
	FILE *f = fopen(path, "w");

	MUST(f != NULL && X509_CRL_set_version(crl, 1) == 1);
	MUST(X509_CRL_set_issuer_name(crl,
	    X509_get_subject_name(sub.cert)) == 1);
	MUST(X509_gmtime_adj(t, -3600) != NULL);
	MUST(X509_CRL_set1_lastUpdate(crl, t) == 1);
	MUST(X509_REVOKED_set_revocationDate(r, t) == 1);
	MUST(X509_gmtime_adj(t, 3600) != NULL);
	MUST(X509_CRL_set1_nextUpdate(crl, t) == 1);
	MUST(X509_REVOKED_set_serialNumber(r,
	    X509_get_serialNumber(revoked->cert)) == 1);
	MUST(X509_CRL_add0_revoked(crl, r) == 1);
	MUST(X509_CRL_sign(crl, sub.key, EVP_sha256()) > 0);
	MUST(PEM_write_X509_CRL(f, crl) == 1);
	fclose(f);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
}

static void judge_by_files(const char *file, const char *dir,
    const char *crl, const struct peer *server, const char *result)
{
	struct tls_want w = want(TLS_SECURE, "mx.a.example");
	X509_STORE *s = NULL;
	struct err e = { 0 };
	struct tls_got got;
	struct meet m;

	if (tls_store_load(&s, file, dir, crl, &e) != 0)
		fail_msg("%s", e.msg);
	assert_true(meet_begin(&m, meet_server(server, with_sub, 0), &w, s,
	    NULL));
	(void)!tls_want_check(m.c, &w, &got, &e);
	assert_string_equal(got.result, result);
	meet_end(&m);
	X509_STORE_free(s);
}

static void T41_cas_of_files_and_folders(void **state)
{
	char dir[] = "/tmp/postseal-cas.XXXXXX";
	X509_STORE *s = NULL;
	struct err e = { 0 };
	struct peer good;

	(void)state;
	peer_make(&good, &(struct peer_kind){ .san = "DNS:mx.a.example" },
	    &sub);
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	assert_int_equal(tls_store_load(&s, NULL, dir, NULL, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, dir));
	write_pem("root.pem", root.cert);
	write_pem("sub.pem", sub.cert);
	write_crl("crl.pem", &mx);
	judge_by_files("root.pem", NULL, NULL, &mx, "success");
	judge_by_files("sub.pem", NULL, NULL, &mx, "success");
	judge_by_files(NULL, dir, NULL, &mx, "success");
	judge_by_files("root.pem", NULL, NULL, &anyone,
	    "certificate-not-trusted");
	judge_by_files("root.pem", NULL, "crl.pem", &mx,
	    "certificate-not-trusted");
	judge_by_files("root.pem", NULL, "crl.pem", &good, "success");
	assert_int_equal(tls_store_load(&s, "crl.pem", NULL, NULL, &e), -1);
	assert_non_null(strstr(e.msg, "crl.pem: no CA certificate"));
	assert_int_equal(tls_store_load(&s, "none.pem", NULL, NULL, &e), -1);
	assert_int_equal(tls_store_load(&s, NULL, "none", NULL, &e), -1);
	assert_int_equal(tls_store_load(&s, "root.pem", NULL, "root.pem",
	    &e), -1);
	assert_non_null(strstr(e.msg, "root.pem: no CRL"));
	assert_null(s);
	assert_int_equal(unlink("root.pem") | unlink("sub.pem") |
	    unlink("crl.pem") | chdir("/") | rmdir(dir), 0);
	peer_free(&good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T44_anonymous_ciphers_only_where_allowed),
		cmocka_unit_test(
		    T44_a_certificate_is_preferred_and_may_be_required),
		cmocka_unit_test(
		    T44_ciphers_of_a_line_never_add_anonymous_ones),
		cmocka_unit_test(T14_T44_versions),
		cmocka_unit_test(
		    a_version_below_the_policy_is_refused_afterwards),
		cmocka_unit_test(T15_no_compression_and_no_renegotiation),
		cmocka_unit_test(T45_sni_but_never_an_address),
		cmocka_unit_test(T45_sni_of_dane_is_the_base_domain),
		cmocka_unit_test(T60_a_resumed_session_is_judged_anew),
		cmocka_unit_test(nothing_is_proven_before_the_handshake),
		cmocka_unit_test(T41_cas_of_files_and_folders),
	};

	return cmocka_run_group_tests_name("smtp_tls_context", tests,
	    make_peers, free_peers);
}
