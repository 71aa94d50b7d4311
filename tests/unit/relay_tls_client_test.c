/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS to others: nothing is said to whom is not wanted, and a session is used
 * again only where exactly the same is wanted. How a peer is judged:
 * smtp_tls_verify_test.c.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/clock.h"

static struct event_base *base;
static struct peer_id root, mx, self, own;
static struct pki pki[1];
static struct ca_block ca[1];
static struct sender_cert from[1];
static struct relay_config config = { .pki = pki, .pkis = 1, .ca = ca,
	.cas = 1, .sender_cert = from, .sender_certs = 1 };
static struct tls_clients *clients;

static int once(void **state)
{
	const struct peer_leaf r = { .name = "root", .is_ca = true };
	const struct peer_leaf m = { .name = "mx", .issuer = &root,
		.san = "DNS:mx.a.example", .eku = "serverAuth" };
	const struct peer_leaf s = { .name = "self",
		.san = "DNS:mx.a.example" };
	const struct peer_leaf o = { .name = "own", .issuer = &root,
		.eku = "clientAuth" };

	(void)state;
	peer_make(&root, &r);
	peer_make(&mx, &m);
	peer_make(&self, &s);
	peer_make(&own, &o);
	text_set(pki[0].name, sizeof(pki[0].name), "netcert");
	pki[0].cert = own.cert_file;
	pki[0].key = own.key_file;
	text_set(ca[0].name, sizeof(ca[0].name), "corp");
	ca[0].file = root.cert_file;
	text_set(from[0].pki, sizeof(from[0].pki), "netcert");
	base = event_base_new();
	return base == NULL;
}

static int finally(void **state)
{
	struct peer_id *all[] = { &root, &mx, &self, &own };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(all); i++)
		peer_id_free(all[i]);
	peer_folder_remove();
	event_base_free(base);
	return 0;
}

/* No session of the test before. */
static int set_up(void **state)
{
	(void)state;
	return tls_clients_new(&clients, &config, NULL, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	tls_clients_free(&clients);
	return 0;
}

static SSL_CTX *server_ctx(const struct peer_id *id)
{
	SSL_CTX *c = SSL_CTX_new(TLS_server_method());

	REQUIRE(c != NULL);
	REQUIRE(SSL_CTX_use_certificate(c, id->x) == 1);
	REQUIRE(SSL_CTX_use_PrivateKey(c, id->key) == 1);
	REQUIRE(SSL_CTX_set_session_id_context(c, (const unsigned char *)"x",
	    1) == 1);
	return c;
}

static struct tls_want want_of(enum tls_level level, const char *name)
{
	struct tls_want w = { .level = level, .asked = level, .names = 1 };

	text_set(w.name[0], sizeof(w.name[0]), name);
	text_set(w.sni, sizeof(w.sni), "mx.a.example");
	text_set(w.ca, sizeof(w.ca), "corp");
	text_set(w.because, sizeof(w.because), "postseal.conf:12");
	return w;
}

struct talk {
	struct owner o;
	struct peer p;
};

static void start(struct talk *t, const struct tls_want *w, SSL_CTX *ctx)
{
	int fd;

	memset(t, 0, sizeof(*t));
	peer_pair(&t->p, &fd);
	owner_new(&t->o, base, fd);
	if (conn_tls_client(t->o.c, clients, w, &t->o.e) < 0)
		fail_msg("%s", t->o.e.msg);
	if (ctx != NULL)
		peer_tls(&t->p, ctx, true);
}

static void either(struct talk *t)
{
	int64_t until = clock_ms() + 30000;

	while (t->o.tls == 0 && t->o.ends == 0 && clock_ms() < until)
		peer_while(base, &t->p, 1);
	peer_while(base, &t->p, 3);
}

static void stop(struct talk *t)
{
	owner_free(&t->o);
	peer_free(&t->p);
}

/* attack A70: somebody else answers, with a certificate of his own
 * verdict: no command is sent, and the log says what was wrong */
static void T34_A70_who_is_not_wanted_hears_nothing(void **state)
{
	const struct row {
		enum tls_level level;
		const char *name;
		const struct peer_id *is;
		const char *result; /* NULL: it is good */
	} row[] = {
		{ TLS_MAY, "mx.a.example", &self, NULL },
		{ TLS_ENCRYPT, "mx.b.example", &self, NULL },
		{ TLS_SECURE, "mx.a.example", &mx, NULL },
		{ TLS_SECURE, ".a.example", &mx, NULL },
		{ TLS_SECURE, "mx.b.example", &mx,
		    "certificate-host-mismatch" },
		{ TLS_SECURE, "mx.a.example", &self,
		    "certificate-not-trusted" },
		{ TLS_VERIFY, "mx.a.example", &self,
		    "certificate-not-trusted" },
		{ TLS_FINGERPRINT, "", &mx, "certificate-not-trusted" },
	};
	const struct tls_got *g;
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct tls_want w = want_of(row[i].level, row[i].name);
		SSL_CTX *ctx = server_ctx(row[i].is);

		w.pins = row[i].level == TLS_FINGERPRINT;
		start(&t, &w, ctx);
		conn_write(t.o.c, view_of("MAIL FROM:<a@a.example>\r\n"));
		either(&t);
		g = conn_tls_got(t.o.c);
		assert_non_null(g);
		assert_int_equal(t.o.tls, row[i].result == NULL);
		assert_int_equal(t.p.in.n > 0, row[i].result == NULL);
		assert_string_equal(g->result, row[i].result == NULL ?
		    "success" : row[i].result);
		if (row[i].result != NULL) {
			assert_int_equal(t.o.how, CONN_NO_TLS);
			assert_true(*g->reason != '\0');
			assert_false(g->is_verified);
		}
		assert_int_equal(g->is_verified, row[i].result == NULL &&
		    tls_level_is_verified(row[i].level));
		stop(&t);
		SSL_CTX_free(ctx);
	}
}

/* attack A66: words of the middle behind the 220, before TLS
 * verdict: no TLS, no command */
static void T36_A66_octets_behind_220_are_an_injection(void **state)
{
	static const char more[] = "250-x\r\n250 AUTH PLAIN\r\n";
	struct tls_want w = want_of(TLS_SECURE, "mx.a.example");
	struct talk t;
	size_t n;
	int fd;

	(void)state;
	for (n = 1; n < sizeof(more); n++) {
		memset(&t, 0, sizeof(t));
		peer_pair(&t.p, &fd);
		owner_new(&t.o, base, fd);
		t.o.keeps = true;
		peer_say(&t.p, "220 go\r\n");
		peer_say_n(&t.p, more, n);
		assert_true(peer_until(base, &t.p, &t.o.inputs));
		conn_used(t.o.c, 8);
		assert_int_equal(conn_tls_client(t.o.c, clients, &w, &t.o.e),
		    -1);
		assert_int_equal(t.o.e.kind, FAIL_POLICY);
		assert_null(conn_tls_got(t.o.c));
		peer_while(base, &t.p, 1);
		assert_int_equal(t.p.in.n, 0);
		stop(&t);
	}
	/* a segment later */
	memset(&t, 0, sizeof(t));
	peer_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	assert_int_equal(conn_tls_client(t.o.c, clients, &w, &t.o.e), 0);
	peer_say(&t.p, more);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_NO_TLS);
	assert_string_equal(conn_tls_got(t.o.c)->result,
	    "validation-failure");
	assert_int_equal(t.o.in.n, 0);
	stop(&t);
}

static void a_handshake_that_fails_has_result_and_reason(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	SSL_CTX *ctx = server_ctx(&mx);
	struct talk t;

	(void)state;
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
	start(&t, &w, ctx);
	either(&t);
	assert_int_equal(t.o.how, CONN_NO_TLS);
	assert_string_equal(conn_tls_got(t.o.c)->result,
	    "validation-failure");
	assert_non_null(strstr(conn_tls_got(t.o.c)->reason,
	    "protocol version"));
	assert_false(conn_tls_got(t.o.c)->is_tls);
	stop(&t);
	start(&t, &w, NULL);
	(void)shutdown(t.p.fd, SHUT_RDWR);
	assert_true(peer_until(base, NULL, &t.o.ends));
	assert_int_equal(t.o.how, CONN_NO_TLS);
	assert_true(*conn_tls_got(t.o.c)->reason != '\0');
	stop(&t);
	SSL_CTX_free(ctx);
}

/* ---- sessions ---- */

static bool resumes(const struct tls_want *w, SSL_CTX *ctx, bool is_good)
{
	struct talk t;
	bool is;

	start(&t, w, ctx);
	either(&t);
	assert_int_equal(t.o.tls, is_good);
	is = SSL_session_reused(t.p.ssl) == 1;
	if (is_good) {
		peer_say(&t.p, "220 mx\r\n"); /* and the ticket before it */
		assert_true(peer_until(base, &t.p, &t.o.inputs));
	}
	stop(&t);
	return is;
}

static void T60_a_session_is_used_where_the_same_is_wanted(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_want weak = want_of(TLS_ENCRYPT, "mx.a.example");
	struct tls_want strong = want_of(TLS_SECURE, "mx.a.example");
	struct tls_want named = want_of(TLS_SECURE, ".a.example");
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		SSL_CTX *ctx = server_ctx(&mx);

		SSL_CTX_set_max_proto_version(ctx, version[i]);
		assert_false(resumes(&weak, ctx, true));
		assert_true(resumes(&weak, ctx, true));
		assert_true(resumes(&weak, ctx, true));
		assert_false(resumes(&strong, ctx, true));
		assert_false(resumes(&named, ctx, true));
		assert_true(resumes(&strong, ctx, true));
		assert_true(resumes(&named, ctx, true));
		SSL_CTX_free(ctx);
		tls_clients_free(&clients);
		assert_int_equal(set_up(NULL), 0);
	}
}

static void T60_no_session_of_a_peer_that_was_not_wanted(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_want w = want_of(TLS_SECURE, "mx.b.example");
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		SSL_CTX *ctx = server_ctx(&mx);

		SSL_CTX_set_max_proto_version(ctx, version[i]);
		assert_false(resumes(&w, ctx, false));
		assert_false(resumes(&w, ctx, false));
		SSL_CTX_free(ctx);
	}
}

/* A host is where the connection goes to. */
static void T60_another_host_is_another_session(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	SSL_CTX *ctx = server_ctx(&mx);
	struct talk t;
	int i, reused[4];

	(void)state;
	for (i = 0; i < 4; i++) { /* hosts 0 1 0 1 */
		static struct sockaddr_in a[2];
		static int l[2];
		socklen_t n = sizeof(a[0]);
		struct conn_use u;

		if (i < 2) {
			a[i].sin_family = AF_INET;
			a[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
			l[i] = socket(AF_INET, SOCK_STREAM, 0);
			REQUIRE(bind(l[i], (struct sockaddr *)&a[i], n) == 0);
			REQUIRE(listen(l[i], 5) == 0);
			REQUIRE(getsockname(l[i], (struct sockaddr *)&a[i],
			    &n) == 0);
		}
		memset(&t, 0, sizeof(t));
		buf_init(&t.p.in, 1000);
		buf_init(&t.o.in, 1000);
		u = owner_of(&t.o);
		REQUIRE(conn_connect(&t.o.c, base, (struct sockaddr *)
		    &a[i % 2], sizeof(a[0]), &u, NULL) == 0);
		t.p.fd = accept(l[i % 2], NULL, NULL);
		REQUIRE(evutil_make_socket_nonblocking(t.p.fd) == 0);
		assert_true(peer_until(base, NULL, &t.o.connected));
		REQUIRE(conn_tls_client(t.o.c, clients, &w, NULL) == 0);
		peer_tls(&t.p, ctx, true);
		either(&t);
		peer_say(&t.p, "220 mx\r\n");
		assert_true(peer_until(base, &t.p, &t.o.inputs));
		reused[i] = SSL_session_reused(t.p.ssl);
		stop(&t);
		if (i >= 2)
			(void)close(l[i - 2]);
	}
	assert_int_equal(reused[0] + reused[1], 0);
	assert_int_equal(reused[2] + reused[3], 2);
	SSL_CTX_free(ctx);
}

static void many_wants_have_contexts_in_turn(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	SSL_CTX *ctx = server_ctx(&mx);
	struct buf b;
	int i;

	(void)state;
	buf_init(&b, 200);
	for (i = 0; i < 300; i++) {
		struct talk t;

		buf_clear(&b);
		buf_printf(&b, "HIGH:!aNULL:-KIND%d", i);
		text_set(w.ciphers, sizeof(w.ciphers), buf_str(&b));
		start(&t, &w, NULL);
		stop(&t);
	}
	assert_false(resumes(&w, ctx, true));
	assert_true(resumes(&w, ctx, true));
	buf_free(&b);
	SSL_CTX_free(ctx);
}

/* ---- our certificate ---- */

static int accept_any(X509_STORE_CTX *c, void *arg)
{
	(void)c;
	(void)arg;
	return 1;
}

static void T43_our_certificate_is_shown_where_it_is_said(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	SSL_CTX *ctx = server_ctx(&mx);
	struct talk t;
	X509 *x;

	(void)state;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_any, NULL);
	start(&t, &w, ctx);
	either(&t);
	assert_int_equal(t.o.tls, 1);
	assert_null(SSL_get0_peer_certificate(t.p.ssl));
	stop(&t);
	text_set(w.pki, sizeof(w.pki), "netcert");
	start(&t, &w, ctx);
	either(&t);
	x = SSL_get1_peer_certificate(t.p.ssl);
	assert_non_null(x);
	assert_int_equal(X509_cmp(x, own.x), 0);
	X509_free(x);
	stop(&t);
	SSL_CTX_free(ctx);
}

/* In TLS 1.3 a server says no after the handshake. */
static void a_certificate_that_is_refused_late_is_a_cut(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	SSL_CTX *ctx = server_ctx(&mx);
	struct talk t;

	(void)state;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER |
	    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	start(&t, &w, ctx);
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.tls, 1);
	assert_int_equal(t.o.how, CONN_CUT);
	assert_non_null(strstr(t.o.why, "certificate required"));
	stop(&t);
	SSL_CTX_free(ctx);
}

/* Ticket after ticket, each to be kept:
 * so many are no session's, the connection ends */
static void T15_a_flood_of_tickets_ends_the_connection(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	SSL_CTX *ctx = server_ctx(&mx);
	struct talk t;
	int i;

	(void)state;
	start(&t, &w, ctx);
	either(&t);
	assert_int_equal(t.o.tls, 1);
	for (i = 0; i < 40; i++) {
		if (SSL_new_session_ticket(t.p.ssl) != 1 ||
		    SSL_do_handshake(t.p.ssl) != 1)
			break;
		peer_while(base, &t.p, 0);
	}
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_CUT);
	assert_true(i > 20);
	stop(&t);
	SSL_CTX_free(ctx);
}

static void what_was_not_read_at_the_start_is_not_used(void **state)
{
	struct tls_want w = want_of(TLS_ENCRYPT, "mx.a.example");
	struct talk t;
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	peer_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	text_set(w.pki, sizeof(w.pki), "other");
	assert_int_equal(conn_tls_client(t.o.c, clients, &w, &t.o.e), -1);
	assert_int_equal(t.o.e.kind, FAIL_CONFIG);
	w.pki[0] = '\0';
	text_set(w.ca, sizeof(w.ca), "other");
	assert_int_equal(conn_tls_client(t.o.c, clients, &w, &t.o.e), -1);
	assert_int_equal(t.o.e.kind, FAIL_CONFIG);
	peer_while(base, &t.p, 2);
	assert_int_equal(t.p.in.n, 0);
	stop(&t);
}

static void a_file_that_is_not_there_is_named(void **state)
{
	struct relay_config bad = config;
	struct ca_block none = ca[0];
	struct sender_cert of = { .from = NULL };
	char path[] = "/nonexistent/ca.pem";
	struct tls_clients *c = NULL;
	struct err e;

	(void)state;
	none.file = path;
	bad.ca = &none;
	assert_int_equal(tls_clients_new(&c, &bad, NULL, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_non_null(strstr(e.msg, path));
	assert_null(c);
	bad.ca = ca;
	text_set(of.pki, sizeof(of.pki), "gone");
	bad.sender_cert = &of;
	assert_int_equal(tls_clients_new(&c, &bad, NULL, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(T34_A70_who_is_not_wanted_hears_nothing),
		T(T36_A66_octets_behind_220_are_an_injection),
		T(a_handshake_that_fails_has_result_and_reason),
		T(T60_a_session_is_used_where_the_same_is_wanted),
		T(T60_no_session_of_a_peer_that_was_not_wanted),
		T(T60_another_host_is_another_session),
		T(many_wants_have_contexts_in_turn),
		T(T43_our_certificate_is_shown_where_it_is_said),
		T(a_certificate_that_is_refused_late_is_a_cut),
		T(T15_a_flood_of_tickets_ends_the_connection),
		T(what_was_not_read_at_the_start_is_not_used),
		T(a_file_that_is_not_there_is_named),
	};

	return cmocka_run_group_tests_name("relay_tls_client", tests, once,
	    finally);
}
