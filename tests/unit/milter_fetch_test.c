/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 * runner: waits
 *
 * The fetch process without the process: workers that look up, the store
 * that gives jobs, and peers that lie, are silent, or die.
 */
#include "milter/fetch_proc.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "keystore/fetched.h"
#include "util/clock.h"
#include "milter/ctl.h"
#include "milter/fetch_client.h"
#include "milter/fetch_wire.h"
#include "milter/keeper.h"

#define LONG_MS 60000 /* a loaded machine is no fault */

/* ---- a process in a thread ---- */

struct rig {
	pthread_t thread;
	struct config config;
	struct finder_ops find;
	int ctl[2], store[2];
	int worker[2][2];
	/* a test sets them while the thread runs */
	_Atomic int asked;
	_Atomic int64_t slow_ms;
	_Atomic enum fail fail;
	_Atomic size_t certs, size;
};

static int fake_find(void *ctx, const struct addr *a, int64_t ms,
    struct found_certs *out, struct err *e)
{
	struct rig *r = ctx;
	size_t certs = r->certs, size = r->size, i; /* of when it was asked */

	assert_true(ms > 0 && ms <= LOOKUP_MS);
	assert_string_equal(a->text, "bob@example.org");
	r->asked++;
	if (r->slow_ms > 0)
		usleep((useconds_t)r->slow_ms * 1000);
	if (r->fail != 0)
		return err_set(e, r->fail, "the directory said no");
	out->source = FIND_SMIMEA;
	text_set(out->from, sizeof(out->from), "ldap://d.example");
	text_set(out->warning, sizeof(out->warning), "one was away");
	for (i = 0; i < certs; i++) {
		memset(buf_room(&out->der[i], size), (int)('a' + i), size);
		out->der[i].n = size;
		out->is_vouched[i] = i % 2 == 1;
	}
	out->n = certs;
	return 0;
}

static void *run_loop(void *arg)
{
	struct rig *r = arg;
	struct err e = { 0 };

	if (fetch_loop(&r->config, r->ctl[1], r->find.find == NULL ? NULL :
	    &r->find, &e) != 0)
		fail_msg("%s", e.msg);
	return NULL;
}

static void tell(int ctl, enum ctl_kind kind, int fd)
{
	struct ctl m = { .kind = kind, .fd = fd };

	assert_int_equal(ctl_send(ctl, &m, NULL), 0);
	close(fd);
}

static int begin(void **state)
{
	static struct rig r;

	memset(&r, 0, sizeof(r));
	r.config.fetch.is_set = true;
	r.config.fetch.timeout_s = 2;
	r.find = (struct finder_ops) { .ctx = &r, .find = fake_find };
	r.certs = 1;
	r.size = 10;
	if (child_pair(SOCK_STREAM, r.ctl, NULL) != 0 ||
	    packet_pair(r.store, NULL) != 0 ||
	    packet_pair(r.worker[0], NULL) != 0 ||
	    packet_pair(r.worker[1], NULL) != 0)
		return -1;
	*state = &r;
	return 0;
}

/* After the test has set what it wants of the rig. */
static void go(struct rig *r)
{
	assert_int_equal(pthread_create(&r->thread, NULL, run_loop, r), 0);
	tell(r->ctl[0], CTL_WORKER, r->worker[0][1]);
	tell(r->ctl[0], CTL_WORKER, r->worker[1][1]);
	tell(r->ctl[0], CTL_FETCH, r->store[1]);
}

static int end(void **state)
{
	struct rig *r = *state;

	shutdown(r->ctl[0], SHUT_RDWR);
	if (r->thread != 0)
		pthread_join(r->thread, NULL);
	close(r->ctl[0]);
	close(r->ctl[1]);
	close(r->store[0]);
	close(r->worker[0][0]);
	close(r->worker[1][0]);
	return 0;
}

static struct addr bob(void)
{
	struct addr a;

	assert_int_equal(addr_parse(&a, view_of("bob@example.org"), NULL), 0);
	return a;
}

static int look_up(int sock, int64_t ms, struct found_certs *out,
    struct err *e)
{
	struct fetch_client c;
	struct lookup_ops ops;
	struct addr a = bob();

	found_certs_init(out);
	fetch_client_init(&c, sock);
	c.lookup_ms = ms;
	c.grace_ms = ms;
	ops = fetch_client_ops(&c);
	return ops.find(ops.ctx, &a, out, e);
}

/* ---- lookups ---- */

static void certificates_come_back_as_they_were(void **state)
{
	static const struct {
		size_t n, size;
	} cases[] = { { 0, 0 }, { 1, 1 }, { FIND_CERTS, FIND_CERT_MAX } };
	struct found_certs f;
	struct rig *r = *state;

	go(r);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		r->certs = cases[i].n;
		r->size = cases[i].size;
		assert_int_equal(look_up(r->worker[0][0], LONG_MS, &f,
		    NULL), 0);
		assert_int_equal(f.n, cases[i].n);
		assert_int_equal(f.source, FIND_SMIMEA);
		assert_string_equal(f.from, "ldap://d.example");
		assert_string_equal(f.warning, "one was away");
		for (size_t k = 0; k < f.n; k++) {
			assert_int_equal(f.der[k].n, cases[i].size);
			assert_int_equal(f.is_vouched[k], k % 2);
			assert_int_equal(f.der[k].p[0], 'a' + k);
			assert_int_equal(f.der[k].p[f.der[k].n - 1], 'a' + k);
		}
		found_certs_free(&f);
	}
}

static void expect_temp(int sock, int64_t ms, const char *text)
{
	struct found_certs f;
	struct err e = { 0 };

	assert_int_equal(look_up(sock, ms, &f, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	if (strstr(e.msg, text) == NULL)
		fail_msg("%s, wanted %s", e.msg, text);
	found_certs_free(&f);
}

/* Whatever went wrong, it is never "no certificate", and never final. */
static void no_answer_is_not_nothing_found(void **state)
{
	static const enum fail kinds[] = { FAIL_INPUT, FAIL_POLICY,
		FAIL_LIMIT, FAIL_TEMP, FAIL_BUG };
	struct rig *r = *state;

	go(r);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		r->fail = kinds[i];
		expect_temp(r->worker[0][0], LONG_MS, "the directory said no");
	}
}

static void one_that_is_not_there(void **state)
{
	struct rig *r = *state;

	expect_temp(-1, 100, "not there");
	expect_temp(r->worker[0][0], 50, "no answer");
	close(r->worker[0][1]);
	expect_temp(r->worker[0][0], LONG_MS, "");
}

static void without_directories(void **state)
{
	struct rig *r = *state;

	r->find.find = NULL;
	go(r);
	expect_temp(r->worker[0][0], LONG_MS, "no directory");
	assert_int_equal(r->asked, 0);
}

static void *late(void *arg)
{
	struct rig *r = arg;

	expect_temp(r->worker[1][0], 300, "");
	return NULL;
}

/* A slow directory: who waited behind another one has his own deadline, and
 * what comes too late is not taken for the next answer. */
static void nobody_waits_longer_than_his_own_deadline(void **state)
{
	struct found_certs f;
	struct rig *r = *state;
	pthread_t other;
	struct err e = { 0 };
	struct fetch_client c;
	struct lookup_ops ops;
	struct addr a = bob();

	r->slow_ms = 1500;
	go(r);
	assert_int_equal(pthread_create(&other, NULL, late, r), 0);
	fetch_client_init(&c, r->worker[0][0]);
	c.lookup_ms = 200;
	c.grace_ms = 200;
	ops = fetch_client_ops(&c);
	found_certs_init(&f);
	assert_int_equal(ops.find(ops.ctx, &a, &f, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	pthread_join(other, NULL);
	r->slow_ms = 0;
	r->certs = 3;
	c.lookup_ms = c.grace_ms = LONG_MS;
	assert_int_equal(ops.find(ops.ctx, &a, &f, &e), 0);
	assert_int_equal(f.n, 3);
	found_certs_free(&f);
	/* one of the two was asked about in vain, the other one not at all */
	assert_true(r->asked <= 3);
}

/* ---- a fetch process that was taken over ---- */

/* To question 1: no failure, source, no name, no warning, how many. */
#define OK_HEAD(source, n) "\0\0\0\1\0\0\0\0\0" source \
	"\0\0\0\0\0\0\0\0" n

static const struct {
	const char *name;
	const char *head;
	size_t n;
	const char *octets;
	size_t octets_n;
} lies[] = {
	{ "empty", "", 0, "", 0 },
	{ "short", "\0\0\0\1", 4, "", 0 },
	{ "no such failure", "\0\0\0\1\x9\0\0\0\0", 9, "", 0 },
	{ "no such source", OK_HEAD("\x9", "\0"), 19, "", 0 },
	{ "NUL in a name", "\0\0\0\1\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0", 20, "",
	    0 },
	{ "17 certificates", OK_HEAD("\0", "\x11") "\0\0\0\0\0\0\0\0\0\0\0\0"
	    "\0\0\0\0\0", 36, "", 0 },
	{ "one that is not there", OK_HEAD("\0", "\1") "\0", 20, "", 0 },
	{ "one that is too long", OK_HEAD("\0", "\1") "\0", 20,
	    "\xff\xff\xff\xff" "abc", 7 },
	{ "more than it says", OK_HEAD("\0", "\1") "\0", 20, "\0\0\0\1a" "b",
	    6 },
	{ "vouched for twice", OK_HEAD("\0", "\1") "\2", 20, "\0\0\0\1a", 5 },
	{ "not said whether", OK_HEAD("\0", "\1"), 19, "\0\0\0\1a", 5 },
	{ "octets after it", OK_HEAD("\0", "\0") "x", 20, "", 0 },
};

/* attack A56: a fetch process that was taken over answers a worker with what
 * it likes
 * verdict: temporary, within the worker's own time; no answer of the wrong
 * form is taken, and none to another question */
static void A56_lies_of_the_fetch_process(void **state)
{
	struct rig *r = *state;
	struct found_certs ok;
	char out[4096];

	assert_int_equal(packet_send(r->worker[0][1],
	    view_make(OK_HEAD("\0", "\1") "\1", 20),
	    view_make("\0\0\0\1a", 5), NULL), 0);
	assert_int_equal(look_up(r->worker[0][0], 50, &ok, NULL), 0);
	assert_int_equal(ok.n, 1);
	found_certs_free(&ok);
	(void)recv(r->worker[0][1], out, sizeof(out), MSG_DONTWAIT);
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		struct found_certs f;
		struct err e = { 0 };

		assert_int_equal(packet_send(r->worker[0][1],
		    view_make(lies[i].head, lies[i].n),
		    view_make(lies[i].octets, lies[i].octets_n), NULL), 0);
		if (look_up(r->worker[0][0], 50, &f, &e) == 0)
			fail_msg("%s: taken", lies[i].name);
		assert_int_equal(e.kind, FAIL_TEMP);
		found_certs_free(&f);
		while (recv(r->worker[0][1], out, sizeof(out), MSG_DONTWAIT) >
		    0)
			continue;
	}
}

struct flood {
	int sock;
	bool is_over; /* by the worker's word, under lock */
	pthread_mutex_t lock;
};

static bool is_over(struct flood *f)
{
	bool yes;

	pthread_mutex_lock(&f->lock);
	yes = f->is_over;
	pthread_mutex_unlock(&f->lock);
	return yes;
}

/* Answers to another question for as long as somebody reads them, but not
 * for ever, or a fault would hang the tests. */
static void *pour(void *arg)
{
	int64_t until = clock_ms() + LONG_MS;
	struct flood *f = arg;
	int fd = memfd_create("flood", MFD_CLOEXEC);

	/* longer to read than to send */
	assert_int_equal(ftruncate(fd, FOUND_MAX), 0);
	while (clock_ms() < until && !is_over(f))
		(void)!ipc_send(f->sock, view_make("\0\0\0\7x", 5), &fd, 1,
		    NULL);
	close(fd);
	pthread_mutex_lock(&f->lock);
	f->is_over = true;
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* attack A56: a fetch process that was taken over answers other questions
 * again and again, so that a worker is never done with them
 * verdict: temporary, as soon as the worker's own time is up */
static void A56_a_flood_of_answers(void **state)
{
	struct rig *r = *state;
	struct flood f = { .sock = r->worker[0][1],
		.lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t t[4];

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(pthread_create(&t[i], NULL, pour, &f), 0);
	expect_temp(r->worker[0][0], 50, "no answer");
	assert_false(is_over(&f)); /* it goes on, we do not */
	pthread_mutex_lock(&f.lock);
	f.is_over = true;
	pthread_mutex_unlock(&f.lock);
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
}

static void what_a_packet_may_carry(void **state)
{
	struct rig *r = *state;
	struct buf head, octets;
	struct err e = { 0 };
	int two[2] = { r->ctl[0], r->ctl[1] };

	buf_init(&head, CAP_IPC);
	buf_init(&octets, 3);
	assert_int_equal(packet_send(r->store[0], view_of("h"),
	    view_of("abc"), NULL), 0);
	assert_int_equal(packet_recv(r->store[1], &head, &octets, &e), 1);
	assert_string_equal(buf_str(&octets), "abc");
	assert_int_equal(packet_send(r->store[0], view_of("h"),
	    view_of("abcd"), NULL), 0);
	assert_int_equal(packet_recv(r->store[1], &head, &octets, &e), -1);
	assert_int_equal(e.kind, FAIL_LIMIT);
	/* a descriptor that is no file, two of them, one that none wants */
	assert_int_equal(ipc_send(r->store[0], view_of("h"), two, 1, NULL), 0);
	assert_int_equal(packet_recv(r->store[1], &head, &octets, &e), -1);
	assert_int_equal(ipc_send(r->store[0], view_of("h"), two, 2, NULL), 0);
	assert_int_equal(packet_recv(r->store[1], &head, &octets, &e), -1);
	assert_int_equal(packet_send(r->store[0], view_of("h"),
	    view_of("abc"), NULL), 0);
	assert_int_equal(packet_recv(r->store[1], &head, NULL, &e), -1);
	assert_int_equal(e.kind, FAIL_BUG);
	/* half a packet: the rest is waited for, not for ever */
	assert_int_equal(send(r->store[0], "\0\0\0\x9", 4, 0), 4);
	assert_int_equal(packet_recv(r->store[1], &head, &octets, &e), -1);
	close(r->store[0]);
	assert_int_equal(packet_recv(r->store[1], &head, &octets, &e), 0);
	r->store[0] = dup(r->ctl[0]);
	close(r->store[1]);
	buf_free(&head);
	buf_free(&octets);
}

/* ---- jobs ---- */

static void ask_job(struct rig *r, const char *url, const char *want)
{
	struct fetch_job j;
	struct err why = { 0 }, e = { 0 };
	struct buf head, body;
	uint32_t seq = 0;

	fetch_job_init(&j);
	j.kind = FETCH_CRL;
	text_set(j.url, sizeof(j.url), url);
	buf_init(&head, CAP_IPC);
	buf_init(&body, 1000);
	wire_put_fetch(&head, 7, &j);
	assert_int_equal(packet_send(r->store[0], buf_view(&head),
	    view_make(NULL, 0), &e), 0);
	assert_true(packet_wait(r->store[0], LONG_MS));
	assert_int_equal(packet_recv(r->store[0], &head, &body, &e), 1);
	assert_int_equal(wire_get_fetched(&seq, &why, buf_view(&head), &e),
	    0);
	assert_int_equal(seq, 7);
	if (why.kind == 0 || strstr(why.msg, want) == NULL)
		fail_msg("%s: %s, wanted %s", url, why.msg, want);
	fetch_job_free(&j);
	buf_free(&head);
	buf_free(&body);
}

/* The list is looked at by who connects, too: whoever asks. */
static void A56_the_store_cannot_ask_for_anything(void **state)
{
	static char host[] = "127.0.0.1:1";
	static char *allow[] = { host };
	struct rig *r = *state;

	r->config.fetch.allow = allow;
	r->config.fetch.allows = 1;
	go(r);
	ask_job(r, "http://127.0.0.1:2/", "is not allowed");
	ask_job(r, "file:///etc/passwd", "only http and https");
	ask_job(r, "http://127.0.0.1:1/", "not public");
	/* lookups go on */
	{
		struct found_certs f;

		assert_int_equal(look_up(r->worker[0][0], LONG_MS, &f,
		    NULL), 0);
		found_certs_free(&f);
	}
}

/* ---- the keeper ---- */

static char crl_url[] = "http://crl.example/a.crl";

static void step_until(struct keeper *k, int sock)
{
	for (int i = 0; i < 6000 && !packet_wait(sock, 0); i++) {
		keeper_step(k);
		usleep(10000);
	}
	assert_true(packet_wait(sock, 0));
}

static uint32_t take_job(int sock)
{
	struct fetch_job j;
	struct buf head;
	uint32_t seq = 0;

	fetch_job_init(&j);
	buf_init(&head, CAP_IPC);
	assert_int_equal(packet_recv(sock, &head, NULL, NULL), 1);
	assert_int_equal(wire_get_fetch(&seq, &j, buf_view(&head), NULL), 0);
	assert_string_equal(j.url, crl_url);
	assert_int_equal(j.kind, FETCH_CRL);
	buf_free(&head);
	fetch_job_free(&j);
	return seq;
}

static void answer_job(int sock, uint32_t seq, const char *body)
{
	struct err none = { 0 };
	struct buf head;

	buf_init(&head, CAP_IPC);
	wire_put_fetched(&head, seq, &none);
	assert_int_equal(packet_send(sock, buf_view(&head), view_of(body),
	    NULL), 0);
	buf_free(&head);
}

static struct keystore *new_store(char *dir, char *path)
{
	struct keystore *ks;
	struct buf b;

	assert_non_null(mkdtemp(dir));
	buf_init(&b, 100);
	buf_printf(&b, "%s/k.db", dir);
	memcpy(path, buf_str(&b), b.n + 1);
	buf_free(&b);
	assert_int_equal(keystore_create(path, NULL), 0);
	assert_int_equal(keystore_open(&ks, path, KS_WRITE, NULL), 0);
	return ks;
}

static int64_t failures(struct keystore *ks)
{
	struct fetched f;
	bool found;

	assert_int_equal(fetched_get(ks, crl_url, &f, &found, NULL), 0);
	return found ? f.failures : -1;
}

static void remove_store(const char *dir, const char *path)
{
	static const char *const more[] = { "", "-wal", "-shm" };
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		buf_clear(&b);
		buf_printf(&b, "%s%s", path, more[i]);
		(void)unlink(buf_str(&b));
	}
	(void)rmdir(dir);
	buf_free(&b);
}

/* attack A58: the fetch process hands the store what is no list, answers that
 * nobody asked for, and nonsense
 * verdict: noted as a failure with the next try later; the rest is dropped */
static void A58_S118_the_keeper_believes_nothing(void **state)
{
	struct fetch_crl line = { crl_url, 3600 };
	char dir[] = "/tmp/milter_fetch_XXXXXX", path[64];
	struct rig *r = *state;
	struct keystore *ks = new_store(dir, path);
	struct pollfd fd[KEEPER_FDS];
	struct keeper *k;
	uint32_t seq;

	r->config.fetch.crl = &line;
	r->config.fetch.crls = 1;
	assert_int_equal(keeper_new(&k, &r->config, ks, r->ctl[1], NULL), 0);
	tell(r->ctl[0], CTL_FETCH, r->store[1]);
	step_until(k, r->store[0]);
	seq = take_job(r->store[0]);
	assert_int_equal(failures(ks), -1);
	answer_job(r->store[0], seq + 1, "of another job");
	keeper_step(k);
	assert_int_equal(failures(ks), -1);
	answer_job(r->store[0], seq, "<html>");
	keeper_step(k);
	assert_int_equal(failures(ks), 1);
	answer_job(r->store[0], seq, "<html>"); /* once more */
	keeper_step(k);
	assert_int_equal(failures(ks), 1);
	assert_false(packet_wait(r->store[0], 300)); /* not at once again */
	for (int i = 0; i < 10; i++) {
		assert_int_equal(keeper_watch(k, fd), 2);
		assert_int_equal(packet_send(r->store[0], view_of("x"),
		    view_make(NULL, 0), NULL), 0);
		keeper_step(k);
	}
	assert_int_equal(keeper_watch(k, fd), 1); /* nobody it talks to */
	keeper_free(&k);
	keystore_close(&ks);
	remove_store(dir, path);
}

/* attack A58: an answer of very many objects, each of which costs, while the
 * records of mail wait
 * verdict: more than eight are refused before the first is looked at */
static void A58_an_answer_of_very_many_objects(void **state)
{
	static const char one[] = "-----BEGIN X509 CRL-----\nMAA=\n"
	    "-----END X509 CRL-----\n";
	char dir[] = "/tmp/milter_fetch_XXXXXX", path[64];
	struct rig *r = *state;
	struct keystore *ks = new_store(dir, path);
	struct fetch_job j;
	struct fetch_outcome o;
	struct fetching *f;
	struct buf body;

	fetch_job_init(&j);
	j.kind = FETCH_CRL;
	text_set(j.url, sizeof(j.url), crl_url);
	assert_int_equal(fetching_new(&f, &r->config, ks, NULL), 0);
	buf_init(&body, 4096);
	for (int i = 1; i <= 10; i++) {
		buf_puts(&body, one);
		assert_int_equal(fetching_done(f, &j, time(NULL),
		    buf_view(&body), NULL, &o, NULL), 0);
		assert_false(o.ok);
		if ((strstr(o.error, "more than 8 objects") != NULL) !=
		    (i > 8))
			fail_msg("%d: %s", i, o.error);
	}
	buf_free(&body);
	fetching_free(&f);
	fetch_job_free(&j);
	keystore_close(&ks);
	remove_store(dir, path);
}

/* A fetch process that died: what it was asked is asked of the next one. */
static void a_job_is_not_lost_with_the_process(void **state)
{
	struct fetch_crl line = { crl_url, 3600 };
	char dir[] = "/tmp/milter_fetch_XXXXXX", path[64];
	struct rig *r = *state;
	struct keystore *ks = new_store(dir, path);
	struct keeper *k;
	int next[2];

	r->config.fetch.crl = &line;
	r->config.fetch.crls = 1;
	assert_int_equal(keeper_new(&k, &r->config, ks, r->ctl[1], NULL), 0);
	tell(r->ctl[0], CTL_FETCH, r->store[1]);
	step_until(k, r->store[0]);
	(void)take_job(r->store[0]);
	assert_int_equal(packet_pair(next, NULL), 0);
	tell(r->ctl[0], CTL_FETCH, next[1]);
	step_until(k, next[0]);
	answer_job(next[0], take_job(next[0]), "nonsense");
	keeper_step(k);
	assert_int_equal(failures(ks), 1);
	close(next[0]);
	keeper_free(&k);
	keystore_close(&ks);
	remove_store(dir, path);
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(certificates_come_back_as_they_were),
		T(no_answer_is_not_nothing_found),
		T(one_that_is_not_there),
		T(without_directories),
		T(nobody_waits_longer_than_his_own_deadline),
		T(A56_lies_of_the_fetch_process),
		T(A56_a_flood_of_answers),
		T(what_a_packet_may_carry),
		T(A56_the_store_cannot_ask_for_anything),
		T(A58_S118_the_keeper_believes_nothing),
		T(A58_an_answer_of_very_many_objects),
		T(a_job_is_not_lost_with_the_process),
	};

	return cmocka_run_group_tests_name("milter_fetch", tests, NULL, NULL);
}
