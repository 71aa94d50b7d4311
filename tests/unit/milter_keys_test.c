/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The socket between workers and keys, both ends in this process: nonsense,
 * rights, late answers, and two senders with keys of different kinds at once.
 */
#include "milter/keys_client.h"

#include "gateway_world.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "milter/child.h"
#include "milter/keys_serve.h"
#include "util/log.h"

static struct world w;
static struct cert *alice, *bob; /* RSA and EC */
static struct keys_service service;
static int tickets[2];

/* One worker's socket with a serving thread behind it. */
struct line {
	pthread_t thread;
	int sock[2];
	uint32_t worker;
	struct keys_client client;
	struct key_ops ops;
};

static void *serve(void *arg)
{
	struct line *l = arg;

	keys_serve(&service, l->sock[1], l->worker);
	close(l->sock[1]);
	return NULL;
}

static void line_open(struct line *l, uint32_t worker)
{
	assert_int_equal(child_pair(SOCK_SEQPACKET, l->sock, NULL), 0);
	l->worker = worker;
	keys_client_init(&l->client, l->sock[0]);
	l->ops = keys_client_ops(&l->client);
	assert_int_equal(pthread_create(&l->thread, NULL, serve, l), 0);
}

static void line_close(struct line *l)
{
	close(l->sock[0]);
	assert_int_equal(pthread_join(l->thread, NULL), 0);
}

static void ticket(struct line *l, const char *name, const char *login,
    const char *to)
{
	const char *rcpt[] = { to };
	struct envelope env = { .id = "i", .mail_from = "<>", .rcpt = rcpt,
		.rcpts = 1, .login = login, .auth = login == NULL ?
		    ENV_AUTH_NONE : ENV_AUTH_LOGIN };

	memset(l->client.ticket, 0, TICKET_ID);
	memcpy(l->client.ticket, name, strlen(name));
	assert_int_equal(ticket_send(tickets[0], l->client.ticket, l->worker,
	    &env, NULL), 0);
}

static int setup(void **state)
{
	(void)state;
	log_init("milter_keys", LOG_L_ERR, 0); /* refusals are expected */
	world_make(&w);
	alice = world_issue(&w, "alice@example.com", "rsa:2048", KS_SIGN |
	    KS_ENCRYPT, 0, 10);
	bob = world_issue(&w, "bob@example.com", "ec:p256", KS_SIGN |
	    KS_ENCRYPT, 0, 10);
	world_keys(&w);
	assert_int_equal(child_pair(SOCK_SEQPACKET, tickets, NULL), 0);
	service.config = w.config;
	service.keyring = w.ring;
	service.ticket_sock = tickets[1];
	assert_int_equal(tickets_new(&service.tickets, NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tickets_free(&service.tickets);
	close(tickets[0]);
	close(tickets[1]);
	cert_free(&alice);
	cert_free(&bob);
	world_end(&w);
	return 0;
}

/* SET OF Attribute with contentType and messageDigest; n makes it unlike
 * others. */
static void make_attrs(struct buf *b, int n)
{
	static const char head[] = "\x31\x4b"
	    "\x30\x18\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x03\x31\x0b\x06"
	    "\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
	    "\x30\x2f\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x04\x31\x22\x04"
	    "\x20";
	unsigned char digest[32] = { 0 };

	digest[0] = (unsigned char)(n >> 8);
	digest[1] = (unsigned char)n;
	buf_init(b, 1000);
	buf_put(b, head, sizeof(head) - 1);
	buf_put(b, digest, sizeof(digest));
	assert_int_equal(buf_ok(b, NULL), 0);
}

static bool verifies(const struct cert *c, struct view attrs,
    const struct buf *sig)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	assert_non_null(ctx);
	ok = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL,
	    X509_get0_pubkey(cert_x509(c))) == 1 &&
	    EVP_DigestVerify(ctx, sig->p, sig->n, attrs.p, attrs.n) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* 0, or the kind of failure */
static int sign(struct line *l, const struct cert *c, enum sig_alg alg,
    struct view attrs)
{
	struct err e = { 0 };
	struct buf sig;
	int rc;

	buf_init(&sig, CAP_SIGNATURE);
	rc = l->ops.sign(l->ops.ctx, cert_sha256(c), alg, attrs, &sig, &e);
	if (rc == 0)
		assert_true(verifies(c, attrs, &sig));
	else
		assert_int_equal(sig.n, 0);
	buf_free(&sig);
	return rc == 0 ? 0 : (int)e.kind;
}

/* ---- what is signed ---- */

static void keys_sign_only_attributes(void **state)
{
	static const struct {
		const char *what;
		const char *octets;
		size_t n;
	} row[] = {
		{ "nothing", "", 0 },
		{ "text", "From: alice", 11 },
		{ "empty SET", "\x31\0", 2 },
		{ "SEQUENCE", "\x30\0", 2 },
		{ "SET of INTEGER", "\x31\3\2\1\1", 5 },
		{ "a digest", "\x04\x20" "01234567890123456789012345678901",
		    34 },
		{ "indefinite length", "\x31\x80\0\0", 4 },
	};
	struct err e = { 0 };
	struct buf good;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		if (keys_check_attrs(view_make(row[i].octets, row[i].n), &e)
		    == 0)
			fail_msg("%s: taken", row[i].what);
		assert_int_equal(e.kind, FAIL_POLICY);
	}
	make_attrs(&good, 1);
	assert_int_equal(keys_check_attrs(buf_view(&good), NULL), 0);
	for (i = 0; i < good.n; i++)
		assert_int_equal(keys_check_attrs(view_sub(buf_view(&good), 0,
		    i), NULL), -1);
	good.p[14] = 5; /* signingTime instead of contentType */
	assert_int_equal(keys_check_attrs(buf_view(&good), NULL), -1);
	good.p[14] = 4; /* two messageDigest, no contentType */
	assert_int_equal(keys_check_attrs(buf_view(&good), NULL), -1);
	buf_putc(&good, 0);
	assert_int_equal(keys_check_attrs(buf_view(&good), NULL), -1);
	buf_free(&good);
}

/* ---- rights over the socket ---- */

static void A35_rights_are_asked_again(void **state)
{
	struct line l;
	struct buf attrs;

	(void)state;
	line_open(&l, 1);
	make_attrs(&attrs, 1);
	assert_int_equal(sign(&l, alice, SIG_RSA_SHA256, buf_view(&attrs)),
	    FAIL_TEMP); /* no ticket */
	ticket(&l, "rights", "alice", "<bob@example.com>");
	assert_int_equal(sign(&l, alice, SIG_RSA_SHA256, buf_view(&attrs)),
	    0);
	assert_int_equal(sign(&l, bob, SIG_ECDSA_SHA256, buf_view(&attrs)),
	    FAIL_POLICY);
	assert_int_equal(sign(&l, alice, SIG_RSA_SHA256, view_of("text")),
	    FAIL_POLICY);
	assert_int_equal(sign(&l, alice, (enum sig_alg)99,
	    buf_view(&attrs)), FAIL_INPUT);
	buf_free(&attrs);
	line_close(&l);
}

static void unknown_key_is_said(void **state)
{
	unsigned char nobody[32] = { 1 };
	struct err e = { 0 };
	struct buf attrs, sig;
	struct line l;

	(void)state;
	line_open(&l, 1);
	make_attrs(&attrs, 1);
	buf_init(&sig, CAP_SIGNATURE);
	ticket(&l, "unknown", "alice", "<bob@example.com>");
	assert_int_equal(l.ops.sign(l.ops.ctx, nobody, SIG_RSA_SHA256,
	    buf_view(&attrs), &sig, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	buf_free(&sig);
	buf_free(&attrs);
	line_close(&l);
}

static void open_needs_a_recipient_and_a_length(void **state)
{
	unsigned char cek[CAP_CEK];
	struct err e = { 0 };
	struct line l;

	(void)state;
	line_open(&l, 1);
	ticket(&l, "open", "alice", "<bob@example.com>");
	assert_int_equal(l.ops.open(l.ops.ctx, cert_sha256(alice),
	    view_of("x"), 32, cek, &e), -1);
	assert_int_equal(e.kind, FAIL_POLICY);
	assert_int_equal(l.ops.open(l.ops.ctx, cert_sha256(bob),
	    view_of("x"), 31, cek, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	assert_int_equal(l.ops.open(l.ops.ctx, cert_sha256(bob),
	    view_of("x"), 32, cek, &e), -1);
	assert_int_equal(e.kind, FAIL_INPUT);
	line_close(&l);
}

/* ---- the socket ---- */

static void request_too_large_is_not_sent(void **state)
{
	struct err e = { 0 };
	struct view big;
	struct buf sig;
	struct line l;
	char *p = calloc(1, CAP_KEY_REQUEST);

	(void)state;
	assert_non_null(p);
	big = view_make(p, CAP_KEY_REQUEST);
	line_open(&l, 1);
	buf_init(&sig, CAP_SIGNATURE);
	assert_int_equal(l.ops.sign(l.ops.ctx, cert_sha256(alice),
	    SIG_RSA_SHA256, big, &sig, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	buf_free(&sig);
	free(p);
	line_close(&l);
}

/* keys hangs up on nonsense; the worker gets a temporary failure. */
static void nonsense_ends_the_connection(void **state)
{
	static const char *const packet[] = { "xxxxxx",
		"\0\0\0\1\1ticket" };
	char *big = calloc(1, CAP_KEY_REQUEST + 1);
	struct line l;
	char c;
	size_t i;

	(void)state;
	assert_non_null(big);
	for (i = 0; i < 3; i++) {
		line_open(&l, 1);
		if (i < 2)
			assert_true(send(l.sock[0], packet[i], 6, 0) > 0);
		else
			assert_true(send(l.sock[0], big, CAP_KEY_REQUEST + 1,
			    0) > 0);
		assert_int_equal(recv(l.sock[0], &c, 1, 0), 0);
		line_close(&l);
	}
	free(big);
}

static void send_answer(int sock, uint32_t seq, int status, const char *text)
{
	struct buf b;

	buf_init(&b, 8192);
	ipc_put_u32(&b, seq);
	ipc_put_u8(&b, (uint8_t)status);
	ipc_put_view(&b, view_of(text));
	assert_true(send(sock, b.p, b.n, 0) > 0);
	buf_free(&b);
}

/* An answer that comes after its request was given up must not count for
 * the next one. */
static void late_answers_are_passed_over(void **state)
{
	struct keys_client c;
	struct key_ops ops;
	struct err e = { 0 };
	struct buf sig;
	int s[2];

	(void)state;
	assert_int_equal(child_pair(SOCK_SEQPACKET, s, NULL), 0);
	keys_client_init(&c, s[0]);
	c.timeout_ms = 50;
	ops = keys_client_ops(&c);
	buf_init(&sig, CAP_SIGNATURE);
	assert_int_equal(ops.sign(ops.ctx, cert_sha256(alice),
	    SIG_RSA_SHA256, view_of("1"), &sig, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	send_answer(s[1], 1, 0, "late");
	send_answer(s[1], 2, 0, "right");
	c.timeout_ms = 60000;
	assert_int_equal(ops.sign(ops.ctx, cert_sha256(alice),
	    SIG_RSA_SHA256, view_of("2"), &sig, &e), 0);
	assert_string_equal(buf_str(&sig), "right");
	buf_free(&sig);
	close(s[0]);
	close(s[1]);
}

static void answers_of_a_broken_keys_process(void **state)
{
	static const struct {
		int status;
		size_t n;
		int want;
	} row[] = {
		{ 0, 0, FAIL_BUG }, { 0, CAP_SIGNATURE, 0 },
		{ 0, CAP_SIGNATURE + 1, FAIL_BUG }, { 99, 1, FAIL_BUG },
		{ FAIL_POLICY, 10, FAIL_POLICY }, { 0, 5000, FAIL_BUG },
	};
	char text[5001];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		struct keys_client c;
		struct key_ops ops;
		struct err e = { 0 };
		struct buf sig;
		int s[2];

		assert_int_equal(child_pair(SOCK_SEQPACKET, s, NULL), 0);
		keys_client_init(&c, s[0]);
		ops = keys_client_ops(&c);
		buf_init(&sig, CAP_SIGNATURE);
		memset(text, 'x', row[i].n);
		text[row[i].n] = '\0';
		send_answer(s[1], 1, row[i].status, text);
		(void)ops.sign(ops.ctx, cert_sha256(alice), SIG_RSA_SHA256,
		    view_of("1"), &sig, &e);
		assert_int_equal(e.kind, row[i].want);
		buf_free(&sig);
		close(s[0]);
		close(s[1]);
	}
}

static void keys_process_that_is_gone(void **state)
{
	struct keys_client c;
	struct key_ops ops;
	struct err e = { 0 };
	struct buf sig;
	int s[2];

	(void)state;
	assert_int_equal(child_pair(SOCK_SEQPACKET, s, NULL), 0);
	close(s[1]);
	keys_client_init(&c, s[0]);
	ops = keys_client_ops(&c);
	buf_init(&sig, CAP_SIGNATURE);
	assert_int_equal(ops.sign(ops.ctx, cert_sha256(alice),
	    SIG_RSA_SHA256, view_of("1"), &sig, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	buf_free(&sig);
	close(s[0]);
}

/* ---- two senders at once ---- */

#define ROUNDS 500

struct sender {
	pthread_t thread;
	struct line line;
	const struct cert *own, *other;
	enum sig_alg alg, other_alg;
	const char *login;
	int right, wrong, refused;
};

static void one_round(struct sender *s, int i)
{
	char name[TICKET_ID];
	struct err e = { 0 };
	struct buf attrs, sig, b;

	buf_init(&b, sizeof(name));
	buf_printf(&b, "%s%d", s->login, i);
	memcpy(name, buf_str(&b), b.n + 1);
	buf_free(&b);
	make_attrs(&attrs, i);
	buf_init(&sig, CAP_SIGNATURE);
	ticket(&s->line, name, s->login, "<x@example.net>");
	if (s->line.ops.sign(s->line.ops.ctx, cert_sha256(s->own), s->alg,
	    buf_view(&attrs), &sig, &e) == 0 &&
	    verifies(s->own, buf_view(&attrs), &sig))
		s->right++;
	else
		s->wrong++;
	buf_clear(&sig);
	if (s->line.ops.sign(s->line.ops.ctx, cert_sha256(s->other),
	    s->other_alg, buf_view(&attrs), &sig, &e) != 0 &&
	    e.kind == FAIL_POLICY)
		s->refused++;
	ticket_close(tickets[0], s->line.client.ticket);
	buf_free(&sig);
	buf_free(&attrs);
}

static void *send_all(void *arg)
{
	struct sender *s = arg;
	int i;

	for (i = 0; i < ROUNDS; i++)
		one_round(s, i);
	return NULL;
}

static void A35_two_senders_1000_of_1000_right_signers(void **state)
{
	struct sender s[2] = {
		{ .own = alice, .other = bob, .alg = SIG_RSA_SHA256,
		    .other_alg = SIG_ECDSA_SHA256, .login = "alice" },
		{ .own = bob, .other = alice, .alg = SIG_ECDSA_SHA256,
		    .other_alg = SIG_RSA_SHA256, .login = "bob" },
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		line_open(&s[i].line, i + 1);
		assert_int_equal(pthread_create(&s[i].thread, NULL, send_all,
		    &s[i]), 0);
	}
	for (i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(s[i].thread, NULL), 0);
		assert_int_equal(s[i].right, ROUNDS);
		assert_int_equal(s[i].wrong, 0);
		assert_int_equal(s[i].refused, ROUNDS);
		line_close(&s[i].line);
	}
	assert_int_equal(tickets_drain(service.tickets, tickets[1], 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_sign_only_attributes),
		cmocka_unit_test(A35_rights_are_asked_again),
		cmocka_unit_test(unknown_key_is_said),
		cmocka_unit_test(open_needs_a_recipient_and_a_length),
		cmocka_unit_test(request_too_large_is_not_sent),
		cmocka_unit_test(nonsense_ends_the_connection),
		cmocka_unit_test(late_answers_are_passed_over),
		cmocka_unit_test(answers_of_a_broken_keys_process),
		cmocka_unit_test(keys_process_that_is_gone),
		cmocka_unit_test(A35_two_senders_1000_of_1000_right_signers),
	};

	return cmocka_run_group_tests_name("milter_keys", tests, setup,
	    teardown);
}
