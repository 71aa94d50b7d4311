/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * For tests of copies: the next hop is a thread that refuses, dies or is
 * slow, the store another one with a real keystore. Five recipients in three
 * groups; bob and carol are here. For inclusion by one test program at a
 * time.
 */
#ifndef TESTS_UNIT_MILTER_HOP_H
#define TESTS_UNIT_MILTER_HOP_H

#include "milter/reinject.h"

#include "gateway_world.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

#include "milter/child.h"
#include "util/clock.h"
#include "milter/store_serve.h"
#include "util/log.h"

enum how {
	GOOD,
	BARE,	       /* offers nothing */
	REFUSES,       /* RCPT: 550 */
	TURNS_AWAY,    /* 554 in place of its greeting */
	NO_HELLO,      /* EHLO: 502 */
	WANTS_AUTH,    /* MAIL: 530 */
	BUSY,	       /* the data: 452 */
	DIES_BEFORE,   /* in the middle of the data */
	DIES_ACCEPTED, /* has all of it and says nothing (RFC 1047) */
	SLOW	       /* says 250 when the test lets it */
};

#define PATIENCE_MS 60000

/* ---- the next hop ---- */

static struct {
	pthread_t thread;
	int sock;
	char spec[64];
	pthread_mutex_t lock;
	enum how how[16]; /* of each connection, in turn; then GOOD */
	int connections, taken;
	atomic_bool may_answer;
	struct buf said; /* what it was told, without data */
	struct buf data; /* that it took */
} hop = { .lock = PTHREAD_MUTEX_INITIALIZER };

static UNUSED void say(int fd, const char *line)
{
	struct buf b;

	buf_init(&b, 1000);
	buf_printf(&b, "%s\r\n", line);
	(void)!send(fd, b.p, b.n, MSG_NOSIGNAL);
	buf_free(&b);
}

static UNUSED void note(struct buf *b, const char *line)
{
	(void)pthread_mutex_lock(&hop.lock);
	buf_puts(b, line);
	(void)pthread_mutex_unlock(&hop.lock);
}

/* -1: it dies. */
static UNUSED int take_data(FILE *f, int fd, enum how how)
{
	char line[2048];
	bool is_all = false;

	say(fd, "354 go");
	while (fgets(line, sizeof(line), f) != NULL) {
		if (how == DIES_BEFORE)
			return -1;
		is_all = strcmp(line, ".\r\n") == 0;
		if (is_all)
			break;
		if (how != BUSY)
			note(&hop.data, line);
	}
	if (!is_all)
		return -1;
	for (int i = 0; how == SLOW && !atomic_load(&hop.may_answer) &&
	    i < PATIENCE_MS / 10; i++)
		(void)poll(NULL, 0, 10);
	if (how != BUSY) {
		(void)pthread_mutex_lock(&hop.lock);
		hop.taken++;
		(void)pthread_mutex_unlock(&hop.lock);
	}
	if (how == DIES_ACCEPTED)
		return -1;
	say(fd, how == BUSY ? "452 4.3.1 full" : "250 2.0.0 ok");
	return 0;
}

static UNUSED void be_hop(FILE *f, int fd, enum how how)
{
	char line[2048];

	say(fd, how == TURNS_AWAY ? "554 5.3.2 no service" : "220 hop");
	while (fgets(line, sizeof(line), f) != NULL) {
		if (how == TURNS_AWAY || how == NO_HELLO) {
			say(fd, "502 5.5.1 not here");
			continue;
		}
		if (strncmp(line, "EHLO", 4) == 0) {
			say(fd, how == BARE ? "250 hop" : "250-hop\r\n250-DSN"
			    "\r\n250-SMTPUTF8\r\n250-REQUIRETLS\r\n"
			    "250-8BITMIME\r\n250 PIPELINING");
			continue;
		}
		if (strncmp(line, "QUIT", 4) == 0)
			break;
		note(&hop.said, line);
		if (strncmp(line, "DATA", 4) == 0) {
			if (take_data(f, fd, how) != 0)
				break;
		} else if (strncmp(line, "RCPT", 4) == 0 && how == REFUSES) {
			say(fd, "550 5.1.1 nobody of that name");
		} else if (how == WANTS_AUTH) {
			say(fd, "530 5.7.0 say STARTTLS first");
		} else {
			say(fd, "250 2.1.0 ok");
		}
	}
}

static UNUSED void *hop_thread(void *arg)
{
	FILE *f;
	int fd, n;

	(void)arg;
	while ((fd = accept(hop.sock, NULL, NULL)) >= 0) {
		(void)pthread_mutex_lock(&hop.lock);
		n = hop.connections++;
		(void)pthread_mutex_unlock(&hop.lock);
		f = fdopen(fd, "r");
		if (f == NULL)
			abort();
		be_hop(f, fd, n < 16 ? hop.how[n] : GOOD);
		(void)fclose(f);
	}
	return NULL;
}

static UNUSED void hop_start(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	hop.sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(hop.sock >= 0);
	assert_int_equal(bind(hop.sock, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(hop.sock, 16), 0);
	assert_int_equal(getsockname(hop.sock, (struct sockaddr *)&a, &n), 0);
	(void)snprintf(hop.spec, sizeof(hop.spec), "smtp:127.0.0.1:%d",
	    ntohs(a.sin_port));
	memset(hop.how, 0, sizeof(hop.how));
	hop.connections = hop.taken = 0;
	atomic_store(&hop.may_answer, false);
	buf_init(&hop.said, 1 << 20);
	buf_init(&hop.data, 1 << 20);
	assert_int_equal(pthread_create(&hop.thread, NULL, hop_thread, NULL),
	    0);
}

static UNUSED void hop_stop(void)
{
	(void)shutdown(hop.sock, SHUT_RDWR);
	assert_int_equal(pthread_join(hop.thread, NULL), 0);
	close(hop.sock);
	buf_free(&hop.said);
	buf_free(&hop.data);
}

static UNUSED int hop_taken(void)
{
	int n;

	(void)pthread_mutex_lock(&hop.lock);
	n = hop.taken;
	(void)pthread_mutex_unlock(&hop.lock);
	return n;
}

/* How often was it told this? */
static UNUSED int told(const char *what)
{
	const char *s;
	int n = 0;

	(void)pthread_mutex_lock(&hop.lock);
	for (s = buf_str(&hop.said); (s = strstr(s, what)) != NULL; s++)
		n++;
	(void)pthread_mutex_unlock(&hop.lock);
	return n;
}

/* ---- the store ---- */

static struct world w;
static struct store_client client;

static struct {
	pthread_t thread;
	struct store_serve *serve;
	atomic_bool is_over;
} store;

static UNUSED void *store_thread(void *arg)
{
	struct pollfd fd[SERVE_FDS];

	(void)arg;
	while (!atomic_load(&store.is_over) ||
	    store_serve_is_busy(store.serve)) {
		(void)poll(fd, store_serve_watch(store.serve, fd), 10);
		store_serve_step(store.serve);
	}
	return NULL;
}

static UNUSED void store_start(void)
{
	int pair[2];

	assert_int_equal(child_pair(SOCK_SEQPACKET, pair, NULL), 0);
	store_client_set(&client, pair[0]);
	atomic_store(&store.is_over, false);
	assert_int_equal(store_serve_new(&store.serve, w.ks, w.config,
	    pair[1], NULL), 0);
	assert_int_equal(pthread_create(&store.thread, NULL, store_thread,
	    NULL), 0);
}

/* When it knows all that it ever will. */
static UNUSED void store_stop(void)
{
	store_client_set(&client, -1);
	atomic_store(&store.is_over, true);
	assert_int_equal(pthread_join(store.thread, NULL), 0);
	store_serve_free(&store.serve);
}

/* ---- the message ---- */

static struct stats stats;
static struct txn txn;
static struct envelope env;
static struct answer answer;
static _Atomic int ticks;
static int deadline_ms;
static bool has_message_id;
static const char *our_id; /* of the transaction */
static enum direction door; /* it came through, or 0 */
static char from[] = "<alice@a.example>";

#define FIRST "Received: x\r\nSubject: one\r\n\r\nfirst copy\r\n"
#define SECOND "Received: x\r\nSubject: one\r\n\r\n.second\r\n"

static UNUSED void tick(void *arg)
{
	(void)arg;
	atomic_fetch_add(&ticks, 1);
}

static UNUSED void add(const char *path, const char *notify, const char *orcpt)
{
	char *p[3] = { NULL, NULL, NULL };
	size_t n = 0;

	if (notify != NULL)
		p[n++] = strdup(notify);
	if (orcpt != NULL)
		p[n++] = strdup(orcpt);
	txn_add_rcpt(&txn, path);
	txn_add_params(&txn, p);
	free(p[0]);
	free(p[1]);
}

static UNUSED void begin(const char *param1, const char *param2)
{
	char *argv[4] = { from, NULL, NULL, NULL };

	if (param1 != NULL)
		argv[1] = strdup(param1);
	if (param2 != NULL)
		argv[2] = strdup(param2);
	txn_begin(&txn, argv, 100000);
	free(argv[1]);
	free(argv[2]);
}

static UNUSED void five(void)
{
	begin("RET=FULL", "ENVID=QQ+31x");
	add("<bob@b.example>", NULL, NULL);
	add("<Dave@D.example>", "NOTIFY=SUCCESS,DELAY",
	    "ORCPT=rfc822;Dave+2BX@Old.example");
	add("<carol@b.example>", NULL, NULL);
	add("<eve@e.example>", "notify=NEVER", NULL);
	add("<frank@e.example>", NULL, NULL);
}

/* The worker's answer: Dave alone, eve and frank together. */
static UNUSED void answer_split(void)
{
	static const int group[5] = { 2, 1, 2, 3, 3 };
	static const struct copy copy[2] = {
		{ COPY_SENT, 1, 0, sizeof(FIRST) - 1, true, false },
		{ COPY_SENT, 3, sizeof(FIRST) - 1, sizeof(SECOND) - 1, false,
		    false },
	};

	answer_free(&answer);
	answer.action = ACT_SPLIT;
	answer.direction = DIR_OUTBOUND;
	answer.copy = calloc(2, sizeof(*answer.copy));
	answer.group = calloc(5, sizeof(*answer.group));
	assert_true(answer.copy != NULL && answer.group != NULL);
	answer.copy[0].copy = copy[0];
	answer.copy[1].copy = copy[1];
	answer.copies = 2;
	memcpy(answer.group, group, sizeof(group));
	answer.groups = 5;
	answer.here = 2;
	answer.has_message_id = has_message_id;
	memset(answer.content, 'c', sizeof(answer.content));
	assert_int_equal(spool_new(&answer.body, 1000, NULL), 0);
	assert_int_equal(spool_write(answer.body, FIRST SECOND,
	    strlen(FIRST SECOND), NULL), 0);
	answer.body_at = strlen(FIRST SECOND);
	assert_int_equal(answer_check(&answer, 5, NULL), 0);
}

/* Of the next go(): where copies that are by_tls go; the rest nowhere. */
static const char *tls_spec;
static bool no_spec;

static UNUSED int go(void)
{
	struct reinject r = { &client, &stats, no_spec ? "" : hop.spec,
		tls_spec, &env, &txn,
		{ clock_ms() + deadline_ms, 50, tick, NULL } };

	txn_envelope(&txn, our_id, NULL, &env);
	env.side = door;
	return reinject_copies(&r, &answer);
}

static UNUSED int try(void)
{
	answer_split();
	return go();
}

static UNUSED int setup(void **state)
{
	(void)state;
	log_init("milter_reinject", LOG_L_ERR + 1, 0); /* it fails a lot */
	world_make(&w);
	memset(&stats, 0, sizeof(stats));
	memset(&txn, 0, sizeof(txn));
	answer_init(&answer);
	store_client_init(&client);
	deadline_ms = 20000;
	has_message_id = true;
	our_id = "testid";
	door = 0;
	store_start();
	hop_start();
	five();
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	hop_stop();
	store_stop();
	store_client_free(&client);
	answer_free(&answer);
	txn_reset(&txn);
	world_end(&w);
	return 0;
}

static UNUSED unsigned long count(const atomic_uint_fast64_t *n)
{
	return (unsigned long)atomic_load(n);
}

static UNUSED void expect(int code, const char *enhanced)
{
	if (answer.code != code || strcmp(answer.enhanced, enhanced) != 0)
		fail_msg("%d %s %s", answer.code, answer.enhanced,
		    answer.text);
	assert_int_equal(answer.copies, 0);
}

#endif
