/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * TLS of a listener: what it shows, what it refuses, and what it says of a
 * client. Sessions: relay_tls_tickets_test.c; misuse: relay_tls_flood_test.c.
 */
#include "relay_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"

static struct event_base *base;
static struct peer_id mx, other, wild, root, alice, board, stranger, late,
    server_eku, no_eku, self, revoked;
static struct pki pki[3];
static struct ca_block ca[2];
static struct relay_config config = { .pki = pki, .pkis = 3, .ca = ca,
	.cas = 2 };
static const unsigned char secret[32] = "of all workers";
static char crl_file[200];

static struct pki make_pki(const char *name, struct peer_id *id)
{
	struct pki p = { .cert = id->cert_file, .key = id->key_file };

	text_set(p.name, sizeof(p.name), name);
	return p;
}

static void make_clients(void)
{
	const struct peer_leaf a = { .name = "alice", .issuer = &root,
		.san = "email:alice@a.example", .eku = "clientAuth" };
	const struct peer_leaf b = { .name = "board", .issuer = &root,
		.san = "email:bob@a.example,email:carol@a.example,"
		"email:bob@a.example,DNS:a.example,email:not an address",
		.eku = "clientAuth,emailProtection",
		.subject_mail = "dave@a.example" };
	const struct peer_leaf s = { .name = "stranger",
		.san = "email:alice@a.example", .eku = "clientAuth" };
	const struct peer_leaf l = { .name = "late", .issuer = &root,
		.san = "email:alice@a.example", .eku = "clientAuth",
		.is_expired = true };
	const struct peer_leaf e = { .name = "server", .issuer = &root,
		.san = "email:alice@a.example", .eku = "serverAuth" };
	const struct peer_leaf n = { .name = "noeku", .issuer = &root,
		.san = "email:alice@a.example" };
	const struct peer_leaf r = { .name = "revoked", .issuer = &root,
		.san = "email:alice@a.example", .eku = "clientAuth",
		.serial = 66 };
	const struct peer_leaf o = { .name = "self", .eku = "clientAuth",
		.san = "email:carol@a.example" };

	peer_make(&alice, &a);
	peer_make(&board, &b);
	peer_make(&stranger, &s);
	peer_make(&late, &l);
	peer_make(&server_eku, &e);
	peer_make(&no_eku, &n);
	peer_make(&revoked, &r);
	peer_make(&self, &o);
}

static int once(void **state)
{
	const struct peer_leaf m = { .name = "mx",
		.san = "DNS:mx.a.example,DNS:MAIL.A.EXAMPLE" };
	const struct peer_leaf o = { .name = "other",
		.san = "DNS:mx.b.example,DNS:mx.a.example", .is_rsa = true };
	const struct peer_leaf w = { .name = "wild",
		.san = "DNS:*.c.example" };
	const struct peer_leaf r = { .name = "root", .is_ca = true };

	(void)state;
	peer_make(&mx, &m);
	peer_make(&other, &o);
	peer_make(&wild, &w);
	peer_make(&root, &r);
	make_clients();
	pki[0] = make_pki("mx", &mx);
	pki[1] = make_pki("other", &other);
	pki[2] = make_pki("wild", &wild);
	peer_crl(&root, 66, crl_file);
	text_set(ca[0].name, sizeof(ca[0].name), "corp");
	ca[0].file = root.cert_file;
	ca[0].crl = crl_file;
	text_set(ca[1].name, sizeof(ca[1].name), "system");
	base = event_base_new();
	return base == NULL;
}

static int finally(void **state)
{
	struct peer_id *all[] = { &mx, &other, &wild, &root, &alice, &board,
		&stranger, &late, &server_eku, &no_eku, &self, &revoked };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(all); i++)
		peer_id_free(all[i]);
	(void)unlink(crl_file);
	peer_folder_remove();
	event_base_free(base);
	return 0;
}

/* A listener with so many of our certificates. */
static char names[3][RELAY_NAME] = { "mx", "other", "wild" };
static struct listener listener(const char *name, enum relay_protocol p)
{
	struct listener l = { .protocol = p, .pki = names, .pkis = 3 };

	text_set(l.name, sizeof(l.name), name);
	return l;
}

static struct tls_server *server_of(const struct listener *l,
    const unsigned char *with)
{
	struct tls_server *t = NULL;
	struct err e;

	if (tls_server_new(&t, &config, l, NULL, with, &e) < 0)
		fail_msg("%s", e.msg);
	return t;
}

static SSL_CTX *client_ctx(void)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	REQUIRE(c != NULL);
	return c;
}

struct talk {
	struct owner o;
	struct peer p;
};

/* conn_tls_server() and the peer's half; not yet done. */
static void start(struct talk *t, const struct tls_server *s, SSL_CTX *ctx)
{
	int fd;

	memset(t, 0, sizeof(*t));
	peer_pair(&t->p, &fd);
	owner_new(&t->o, base, fd);
	assert_int_equal(conn_tls_server(t->o.c, s, &t->o.e), 0);
	if (ctx != NULL)
		peer_tls(&t->p, ctx, false);
}

static void stop(struct talk *t)
{
	owner_free(&t->o);
	peer_free(&t->p);
}

static void either(struct talk *t)
{
	int64_t until = clock_ms() + 30000;

	while (t->o.tls == 0 && t->o.ends == 0 && clock_ms() < until)
		peer_while(base, &t->p, 1);
	peer_while(base, &t->p, 3);
}

static void T18_facts_of_a_client(void **state)
{
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s = server_of(&l, secret);
	SSL_CTX *ctx = client_ctx();
	const struct tls_facts *f;
	struct talk t;

	(void)state;
	start(&t, s, ctx);
	assert_null(conn_tls(t.o.c));
	SSL_set_tlsext_host_name(t.p.ssl, "Mx.B.Example");
	either(&t);
	assert_int_equal(t.o.tls, 1);
	f = conn_tls(t.o.c);
	assert_non_null(f);
	assert_string_equal(f->version, "TLSv1.3");
	assert_string_equal(f->cipher, "TLS_AES_256_GCM_SHA384");
	assert_int_equal(f->bits, 256);
	assert_string_equal(f->sni, "mx.b.example");
	assert_false(f->is_resumed || f->has_cert || f->cert_is_good);
	assert_int_equal(f->emails, 0);
	peer_say(&t.p, "EHLO a.example\r\n");
	assert_true(peer_until(base, &t.p, &t.o.inputs));
	conn_write(t.o.c, view_of("250 ok\r\n"));
	assert_true(peer_hears(base, &t.p, 8));
	stop(&t);
	SSL_CTX_free(ctx);
	tls_server_free(&s);
}

static const X509 *shown(const char *sni, const struct tls_server *s,
    X509 **leaf)
{
	SSL_CTX *ctx = client_ctx();
	struct talk t;

	start(&t, s, ctx);
	if (sni != NULL)
		SSL_set_tlsext_host_name(t.p.ssl, sni);
	either(&t);
	assert_int_equal(t.o.tls, 1);
	*leaf = SSL_get1_peer_certificate(t.p.ssl);
	stop(&t);
	SSL_CTX_free(ctx);
	return *leaf;
}

static void SNI_chooses_a_certificate_and_the_first_is_for_the_rest(
    void **state)
{
	static const struct {
		const char *sni;
		const struct peer_id *is;
	} row[] = {
		{ NULL, &mx },
		{ "mx.a.example", &mx }, /* other has it too, but later */
		{ "MAIL.a.example", &mx },
		{ "mx.b.example", &other },
		{ "pop.c.example", &wild },
		{ "a.pop.c.example", &mx }, /* one label is one label */
		{ "c.example", &mx },
		{ "nobody.example", &mx },
		{ "mx.b.example.", &mx },
	};
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s = server_of(&l, secret);
	X509 *leaf = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		if (X509_cmp(shown(row[i].sni, s, &leaf), row[i].is->x) != 0)
			fail_msg("%s", row[i].sni);
		X509_free(leaf);
	}
	tls_server_free(&s);
}

/* attack A62: a browser is brought to speak to our port (ALPACA)
 * verdict: a protocol that is not ours is refused with an alert */
static void A62_ALPN_of_another_protocol_is_refused(void **state)
{
	static const struct {
		enum relay_protocol p;
		const char *offer; /* as on the wire */
		bool is_good;
	} row[] = {
		{ RELAY_SUBMISSION, "\010http/1.1", false },
		{ RELAY_SUBMISSION, "\002h2\010http/1.1", false },
		{ RELAY_SUBMISSION, "\004imap", false },
		{ RELAY_SUBMISSION, "\004smtp", true },
		{ RELAY_SUBMISSION, "\010http/1.1\004smtp", true },
		{ RELAY_SMTP, "\004smtp", true },
		{ RELAY_LMTP, "\003ftp", false },
		{ RELAY_POP3, "\004pop3", true },
		{ RELAY_POP3, "\004smtp", false },
		{ RELAY_IMAP, "\004imap", true },
		{ RELAY_IMAP, "\005imaps", false },
		{ RELAY_SMTP_TUNNEL, "\004smtp", true },
		{ RELAY_ANY, "\010http/1.1", true },
	};
	SSL_CTX *ctx = client_ctx();
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct listener l = listener("x", row[i].p);
		struct tls_server *s = server_of(&l, secret);

		start(&t, s, ctx);
		REQUIRE(SSL_set_alpn_protos(t.p.ssl,
		    (const unsigned char *)row[i].offer,
		    (unsigned)strlen(row[i].offer)) == 0);
		either(&t);
		assert_int_equal(t.o.tls, row[i].is_good);
		assert_int_equal(t.p.alert, row[i].is_good ? 0 : 120);
		if (!row[i].is_good)
			assert_int_equal(t.o.how, CONN_NO_TLS);
		stop(&t);
		tls_server_free(&s);
	}
	SSL_CTX_free(ctx);
}

static void T14_the_least_version_is_1_2_unless_said(void **state)
{
	static const struct {
		enum tls_version min;
		int client; /* the only one it has */
		bool is_good;
	} row[] = {
		{ TLS_V_ANY, TLS1_1_VERSION, false },
		{ TLS_V_ANY, TLS1_2_VERSION, true },
		{ TLS_V_1_1, TLS1_1_VERSION, true },
		{ TLS_V_1_1, TLS1_VERSION, false },
		{ TLS_V_1_0, TLS1_VERSION, true },
		{ TLS_V_1_3, TLS1_2_VERSION, false },
		{ TLS_V_1_3, TLS1_3_VERSION, true },
	};
	struct talk t;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct listener l = listener("x", RELAY_SMTP);
		SSL_CTX *ctx = client_ctx();
		struct tls_server *s;

		l.min = row[i].min;
		s = server_of(&l, secret);
		SSL_CTX_set_min_proto_version(ctx, row[i].client);
		SSL_CTX_set_max_proto_version(ctx, row[i].client);
		SSL_CTX_set_security_level(ctx, 0);
		start(&t, s, ctx);
		either(&t);
		assert_int_equal(t.o.tls, row[i].is_good);
		stop(&t);
		SSL_CTX_free(ctx);
		tls_server_free(&s);
	}
}

/* ---- STARTTLS ---- */

/* attack A65: commands in clear behind STARTTLS, in the same segment
 * verdict: no TLS, none of them is looked at */
static void T7_A65_what_follows_STARTTLS_is_an_injection(void **state)
{
	static const char more[] = "NOOP\r\nMAIL FROM:<a@a.example>\r\n";
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s = server_of(&l, secret);
	struct talk t;
	size_t n;
	int fd;

	(void)state;
	for (n = 1; n < sizeof(more); n++) {
		memset(&t, 0, sizeof(t));
		peer_pair(&t.p, &fd);
		owner_new(&t.o, base, fd);
		t.o.begin = s;
		peer_say(&t.p, "STARTTLS\r\n");
		peer_say_n(&t.p, more, n);
		assert_true(peer_until(base, &t.p, &t.o.begin_failed));
		assert_int_equal(t.o.e.kind, FAIL_POLICY);
		assert_string_equal(buf_str(&t.o.in), "STARTTLS\r\n");
		assert_int_equal(t.o.tls, 0);
		stop(&t);
	}
	tls_server_free(&s);
}

/* attack A65: the injected commands come a segment later
 * verdict: they are no TLS record, so the handshake fails */
static void T7_T10_A65_octets_in_clear_after_it_end_the_handshake(
    void **state)
{
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s = server_of(&l, secret);
	struct talk t;
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	peer_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	t.o.begin = s;
	peer_say(&t.p, "STARTTLS\r\n");
	assert_true(peer_hears(base, &t.p, 8));
	assert_string_equal(buf_str(&t.p.in), "220 go\r\n");
	peer_say(&t.p, "NOOP\r\nMAIL FROM:<a@a.example>\r\n");
	assert_true(peer_until(base, &t.p, &t.o.ends));
	assert_int_equal(t.o.how, CONN_NO_TLS);
	assert_string_equal(buf_str(&t.o.in), "STARTTLS\r\n");
	stop(&t);
	tls_server_free(&s);
}

static void STARTTLS_in_pieces_then_the_handshake(void **state)
{
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s = server_of(&l, secret);
	SSL_CTX *ctx = client_ctx();
	static const char line[] = "STARTTLS\r\n";
	struct talk t;
	size_t i;
	int fd;

	(void)state;
	memset(&t, 0, sizeof(t));
	peer_pair(&t.p, &fd);
	owner_new(&t.o, base, fd);
	t.o.begin = s;
	for (i = 0; i < strlen(line); i++) {
		peer_say_n(&t.p, line + i, 1);
		peer_while(base, &t.p, 0);
	}
	assert_true(peer_hears(base, &t.p, 8));
	peer_tls(&t.p, ctx, false);
	/* queued while the handshake is under way: not in clear */
	conn_write(t.o.c, view_of("250 sealed\r\n"));
	assert_true(peer_until(base, &t.p, &t.o.tls));
	assert_true(peer_hears(base, &t.p, 20));
	assert_string_equal(buf_str(&t.p.in), "220 go\r\n250 sealed\r\n");
	assert_int_equal(t.o.begin_failed, 0);
	assert_int_equal(conn_tls_server(t.o.c, s, &t.o.e), -1); /* T3 */
	assert_int_equal(t.o.e.kind, FAIL_BUG);
	stop(&t);
	SSL_CTX_free(ctx);
	tls_server_free(&s);
}

/* ---- client certificates ---- */

static SSL_CTX *client_with(const struct peer_id *id, int version)
{
	SSL_CTX *ctx = client_ctx();

	SSL_CTX_set_max_proto_version(ctx, version);
	if (id != NULL)
		REQUIRE(SSL_CTX_use_certificate(ctx, id->x) == 1 &&
		    SSL_CTX_use_PrivateKey(ctx, id->key) == 1);
	return ctx;
}

struct cert_row {
	const char *what;
	const struct peer_id *id;
	bool is_good;
	const char *email[3];
};

static const struct cert_row by_ca[] = {
	{ "none", NULL, false, { NULL } },
	{ "good", &alice, true, { "alice@a.example" } },
	{ "several addresses, one in the subject", &board, true,
	    { "bob@a.example", "carol@a.example" } },
	{ "of nobody we know", &stranger, false, { NULL } },
	{ "expired", &late, false, { NULL } },
	{ "of a server", &server_eku, false, { NULL } },
	{ "without extended key usage", &no_eku, false, { NULL } },
	{ "revoked", &revoked, false, { NULL } },
	{ "pinned, of nobody", &self, false, { NULL } },
};

static void check_row(const struct cert_row *r, const struct tls_server *s,
    int version)
{
	SSL_CTX *ctx = client_with(r->id, version);
	const struct tls_facts *f;
	struct talk t;
	size_t n = 0;

	start(&t, s, ctx);
	either(&t);
	f = t.o.tls == 1 ? conn_tls(t.o.c) : NULL;
	if (f == NULL || f->has_cert != (r->id != NULL) ||
	    f->cert_is_good != r->is_good ||
	    (r->id != NULL && !r->is_good && *f->cert_error == '\0') ||
	    (r->is_good && *f->cert_error != '\0'))
		fail_msg("%s: %s", r->what, f == NULL ? "no TLS" :
		    f->cert_error);
	for (; n < 3 && r->email[n] != NULL; n++)
		assert_string_equal(f->email[n], r->email[n]);
	assert_int_equal(f->emails, n);
	stop(&t);
	SSL_CTX_free(ctx);
}

static void T31_a_certificate_of_the_CA_is_an_identity(void **state)
{
	static const int version[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s;
	size_t i, v;

	(void)state;
	l.client_cert = CLIENT_CERT_MUST; /* T6: a session answers */
	text_set(l.client_ca, sizeof(l.client_ca), "corp");
	s = server_of(&l, secret);
	for (v = 0; v < 2; v++)
		for (i = 0; i < ARRAY_LEN(by_ca); i++)
			check_row(&by_ca[i], s, version[v]);
	tls_server_free(&s);
}

static void T31_a_pin_stands_for_its_address_and_not_for_its_SAN(
    void **state)
{
	static const struct cert_row row[] = {
		{ "pinned", &self, true, { "dave@a.example" } },
		{ "pinned, nobody", &stranger, true, { NULL } },
		{ "of the CA", &alice, false, { NULL } },
	};
	struct client_pin pin[2] = { { .as = NULL }, { .as = NULL } };
	struct listener l = listener("sub", RELAY_SUBMISSION);
	char as[] = "dave@a.example";
	struct tls_server *s;
	size_t i;

	(void)state;
	peer_sha256(self.x, pin[0].sha256);
	pin[0].as = as;
	peer_sha256(stranger.x, pin[1].sha256);
	l.client_cert = CLIENT_CERT_OPTIONAL;
	l.pin = pin;
	l.pins = 2;
	s = server_of(&l, secret);
	for (i = 0; i < ARRAY_LEN(row); i++)
		check_row(&row[i], s, TLS1_3_VERSION);
	tls_server_free(&s);
}

static void T31_a_pin_and_a_CA_both_count(void **state)
{
	static const struct cert_row row[] = {
		{ "both", &alice, true,
		    { "dave@a.example", "alice@a.example" } },
		{ "of the CA", &board, true,
		    { "bob@a.example", "carol@a.example" } },
		{ "neither", &stranger, false, { NULL } },
	};
	struct client_pin pin = { .as = NULL };
	struct listener l = listener("sub", RELAY_SUBMISSION);
	char as[] = "dave@a.example";
	struct tls_server *s;
	size_t i;

	(void)state;
	peer_sha256(alice.x, pin.sha256);
	pin.as = as;
	l.client_cert = CLIENT_CERT_OPTIONAL;
	text_set(l.client_ca, sizeof(l.client_ca), "corp");
	l.pin = &pin;
	l.pins = 1;
	s = server_of(&l, secret);
	for (i = 0; i < ARRAY_LEN(row); i++)
		check_row(&row[i], s, TLS1_3_VERSION);
	tls_server_free(&s);
}

/* Where a pinned certificate may come, no list keeps a client from showing
 * it. */
static void CAs_are_named_where_they_alone_decide(void **state)
{
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct client_pin pin = { .as = NULL };
	SSL_CTX *ctx = client_ctx();
	struct tls_server *s;
	struct talk t;
	size_t pins;

	(void)state;
	l.client_cert = CLIENT_CERT_OPTIONAL;
	text_set(l.client_ca, sizeof(l.client_ca), "corp");
	l.pin = &pin;
	for (pins = 0; pins < 2; pins++) {
		l.pins = pins;
		s = server_of(&l, secret);
		start(&t, s, ctx);
		either(&t);
		assert_int_equal(sk_X509_NAME_num(
		    SSL_get0_peer_CA_list(t.p.ssl)) > 0, pins == 0);
		stop(&t);
		tls_server_free(&s);
	}
	SSL_CTX_free(ctx);
}

static void a_tunnel_ends_where_a_certificate_is_a_must(void **state)
{
	struct listener l = listener("pop3s", RELAY_POP3);
	struct tls_server *s;
	struct talk t;
	size_t i;

	(void)state;
	l.client_cert = CLIENT_CERT_MUST;
	text_set(l.client_ca, sizeof(l.client_ca), "corp");
	s = server_of(&l, secret);
	for (i = 0; i < ARRAY_LEN(by_ca); i++) {
		SSL_CTX *ctx = client_with(by_ca[i].id, TLS1_3_VERSION);

		start(&t, s, ctx);
		either(&t);
		assert_int_equal(t.o.tls, by_ca[i].is_good);
		assert_int_equal(t.o.ends, !by_ca[i].is_good);
		if (!by_ca[i].is_good)
			assert_int_equal(t.o.how, CONN_NO_TLS);
		stop(&t);
		SSL_CTX_free(ctx);
	}
	tls_server_free(&s);
}

static void a_name_with_line_ends_is_escaped(void **state)
{
	const struct peer_leaf leaf = { .name = "bad\r\nReceived: x",
		.issuer = &root, .eku = "clientAuth" };
	struct listener l = listener("sub", RELAY_SUBMISSION);
	const struct tls_facts *f;
	struct tls_server *s;
	struct peer_id id;
	struct talk t;
	SSL_CTX *ctx;

	(void)state;
	peer_make(&id, &leaf);
	l.client_cert = CLIENT_CERT_OPTIONAL;
	text_set(l.client_ca, sizeof(l.client_ca), "corp");
	s = server_of(&l, secret);
	ctx = client_with(&id, TLS1_3_VERSION);
	start(&t, s, ctx);
	either(&t);
	f = conn_tls(t.o.c);
	assert_non_null(f);
	assert_true(f->cert_is_good);
	assert_non_null(strstr(f->subject, "bad"));
	assert_null(strpbrk(f->subject, "\r\n"));
	stop(&t);
	SSL_CTX_free(ctx);
	tls_server_free(&s);
	peer_id_free(&id);
}

static void no_CA_of_its_own_is_an_error(void **state)
{
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct tls_server *s = NULL;
	struct err e;

	(void)state;
	l.client_cert = CLIENT_CERT_OPTIONAL;
	assert_int_equal(tls_server_new(&s, &config, &l, NULL, secret, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	text_set(l.client_ca, sizeof(l.client_ca), "system");
	assert_int_equal(tls_server_new(&s, &config, &l, NULL, secret, &e),
	    -1);
	text_set(l.client_ca, sizeof(l.client_ca), "missing");
	assert_int_equal(tls_server_new(&s, &config, &l, NULL, secret, &e),
	    -1);
	assert_null(s);
}

/* ---- which server ---- */

static void match_source_has_its_own_certificate_and_trust(void **state)
{
	struct source_match m[2] = { { .client_cert = -1 },
		{ .client_cert = CLIENT_CERT_MUST } };
	struct listener l = listener("sub", RELAY_SUBMISSION);
	const struct tls_server *inner, *certs;
	struct tls_server *s;
	X509 *leaf = NULL;

	(void)state;
	REQUIRE(net_parse(&m[0].net, "10.0.0.0/8", NULL) == 0);
	REQUIRE(net_parse(&m[1].net, "::1/128", NULL) == 0);
	text_set(m[0].pki, sizeof(m[0].pki), "other");
	text_set(m[1].client_ca, sizeof(m[1].client_ca), "corp");
	l.match = m;
	l.matches = 2;
	s = server_of(&l, secret);
	assert_ptr_equal(tls_server_for(s, "192.0.2.1"), s);
	assert_ptr_equal(tls_server_for(s, "unix"), s);
	inner = tls_server_for(s, "10.1.2.3");
	certs = tls_server_for(s, "::1");
	assert_ptr_not_equal(inner, s);
	assert_ptr_not_equal(certs, s);
	assert_int_equal(X509_cmp(shown(NULL, inner, &leaf), other.x), 0);
	X509_free(leaf);
	assert_int_equal(X509_cmp(shown("pop.c.example", certs, &leaf),
	    wild.x), 0);
	X509_free(leaf);
	check_row(&by_ca[1], certs, TLS1_3_VERSION);
	tls_server_free(&s);
}

static void no_certificate_no_TLS(void **state)
{
	struct listener l = listener("sub", RELAY_SUBMISSION);
	struct source_match m = { .client_cert = -1 };
	struct tls_server *s = NULL;
	struct err e;

	(void)state;
	l.pkis = 0;
	assert_int_equal(tls_server_new(&s, &config, &l, NULL, secret, &e), 0);
	assert_null(s);
	assert_null(tls_server_for(NULL, "10.1.2.3"));
	REQUIRE(net_parse(&m.net, "10.0.0.0/8", NULL) == 0);
	text_set(m.pki, sizeof(m.pki), "other");
	l.match = &m;
	l.matches = 1;
	s = server_of(&l, secret);
	assert_null(tls_server_for(s, "192.0.2.1"));
	assert_non_null(tls_server_for(s, "10.1.2.3"));
	tls_server_free(&s);
	text_set(m.pki, sizeof(m.pki), "gone");
	assert_int_equal(tls_server_new(&s, &config, &l, NULL, secret, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
}

static void the_soonest_end_of_a_chain(void **state)
{
	struct pki p = make_pki("late", &late), none = { .cert = crl_file };
	int64_t now = (int64_t)time(NULL);

	(void)state;
	assert_true(tls_pki_not_after(&p) < now);
	assert_true(tls_pki_not_after(&p) > now - 2 * 86400);
	assert_true(tls_pki_not_after(&pki[0]) > now + 29 * 86400);
	assert_int_equal(tls_pki_not_after(&none), 0);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(T18_facts_of_a_client),
		T(SNI_chooses_a_certificate_and_the_first_is_for_the_rest),
		T(A62_ALPN_of_another_protocol_is_refused),
		T(T14_the_least_version_is_1_2_unless_said),
		T(T7_A65_what_follows_STARTTLS_is_an_injection),
		T(T7_T10_A65_octets_in_clear_after_it_end_the_handshake),
		T(STARTTLS_in_pieces_then_the_handshake),
		T(T31_a_certificate_of_the_CA_is_an_identity),
		T(T31_a_pin_stands_for_its_address_and_not_for_its_SAN),
		T(T31_a_pin_and_a_CA_both_count),
		T(CAs_are_named_where_they_alone_decide),
		T(a_tunnel_ends_where_a_certificate_is_a_must),
		T(a_name_with_line_ends_is_escaped),
		T(no_CA_of_its_own_is_an_error),
		T(match_source_has_its_own_certificate_and_trust),
		T(no_certificate_no_TLS),
		T(the_soonest_end_of_a_chain),
	};

	return cmocka_run_group_tests_name("relay_tls_server", tests, once,
	    finally);
}
