/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/dovecot.c and relay/dovecot_io.c with a Dovecot that says
 * what a script says: malformed, too long, nothing, or in the wrong order.
 * tests/e2e/relay_auth_test.py gives them a real one in POSTSEAL_DOVECOT.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/dovecot.h"

#define HELLO "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\n" \
	      "MECH\tSCRAM-SHA-256\nSPID\t7\nCUID\t1\nCOOKIE\tab\nDONE\n"
#define SOON_MS 300 /* for what is to time out */

/* ---- lines ---- */

static int parse(struct dovecot_reply *r, const char *line)
{
	struct err e;

	return dovecot_reply_parse(r, view_of(line), &e);
}

static void malformed_lines_are_refused(void **state)
{
	static const char *const t[] = {
		"", "\t", "OK", "OK\t", "OK\tx", "OK\t0", "OK\t-1",
		"OK\t4294967296", "OK\t99999999999", "OK\t1 \tuser=a",
		"OK\t1\tuser=", "OK\t1\tuser=a\tuser=b",
		"OK\t1\tuser=a\001", "OK\t1\tuser=a\001x",
		"OK\t1\tuser=a\001nb", "OK\t1\tuser=a\001tb",
		"OK\t1\tuser=a\0010b", "OK\t1\tuser=a\rb",
		"OK\t1\tuser=\xff", "OK\t1\tuser=\x1b[2J",
		"FAIL", "FAIL\tx", "FAIL\t\ttemp", "CONT", "CONT\tx\tYWJj",
		"CONT\t1\tYW", "CONT\t1\t=", "CONT\t1\tYWJj\tYWJj",
		"CONT\t1\tYWJj\t", "VERSION", "VERSION\t1", "VERSION\t\t",
		"VERSION\t1\tx", "VERSION\t1\t1\t1", "VERSION\t-1\t1",
		"MECH", "MECH\t", "MECH\t\tplaintext",
	};
	struct dovecot_reply r;
	size_t i;

	(void)state;
	dovecot_reply_init(&r);
	for (i = 0; i < ARRAY_LEN(t); i++)
		if (parse(&r, t[i]) == 0)
			fail_msg("taken: %s", t[i]);
	assert_int_equal(dovecot_reply_parse(&r,
	    view_make("OK\t1\tuser=a\0b", 12), NULL), -1);
	dovecot_reply_free(&r);
}

static void lines_that_are_right(void **state)
{
	struct dovecot_reply r;

	(void)state;
	dovecot_reply_init(&r);
	assert_int_equal(parse(&r, "OK\t4294967295\tuser=alice\tx=y"), 0);
	assert_int_equal(r.word, DOVECOT_OK);
	assert_int_equal(r.id, UINT32_MAX);
	assert_string_equal(r.user, "alice");
	assert_false(r.is_nologin);
	assert_int_equal(parse(&r, "OK\t1"), 0);
	assert_string_equal(r.user, "");
	assert_int_equal(parse(&r, "OK\t1\tnologin\tuser=m\xc3\xbcller"), 0);
	assert_true(r.is_nologin);
	assert_int_equal(parse(&r, "FAIL\t1\tuser=a\ttemp"), 0);
	assert_true(r.is_temporary);
	assert_int_equal(parse(&r, "FAIL\t1\tcode=temp_fail"), 0);
	assert_true(r.is_temporary);
	assert_int_equal(parse(&r, "FAIL\t1\tauthz"), 0);
	assert_true(r.is_authz && !r.is_temporary);
	assert_int_equal(parse(&r, "FAIL\t1"), 0);
	assert_false(r.is_temporary || r.is_authz);
	assert_int_equal(parse(&r, "FAIL\t1\ttemporary\tuser=temp"), 0);
	assert_false(r.is_temporary);
	assert_int_equal(parse(&r, "CONT\t1\tYWJj"), 0);
	assert_string_equal(buf_str(&r.data), "abc");
	assert_int_equal(parse(&r, "CONT\t1\t"), 0);
	assert_int_equal(r.data.n, 0);
	assert_int_equal(parse(&r, "CONT\t1"), 0);
	assert_int_equal(parse(&r, "VERSION\t1\t2"), 0);
	assert_int_equal(r.version, 1);
	assert_int_equal(parse(&r, "SPID\t1"), 0);
	assert_int_equal(r.word, DOVECOT_OTHER);
	dovecot_reply_free(&r);
}

static void names_at_their_cap(void **state)
{
	struct dovecot_reply r;
	struct buf b;
	size_t n, i;

	(void)state;
	dovecot_reply_init(&r);
	for (n = DOVECOT_NAME - 2; n <= DOVECOT_NAME; n++) {
		buf_init(&b, 1000);
		buf_puts(&b, "OK\t1\tuser=");
		for (i = 0; i < n; i++)
			buf_putc(&b, 'a');
		assert_int_equal(parse(&r, buf_str(&b)),
		    n < DOVECOT_NAME ? 0 : -1);
		buf_free(&b);
	}
	buf_init(&b, 10000);
	buf_puts(&b, "OK\t1");
	for (i = 0; i < 201; i++) {
		buf_puts(&b, "\tx");
		assert_int_equal(parse(&r, buf_str(&b)), i < 200 ? 0 : -1);
	}
	buf_free(&b);
	dovecot_reply_free(&r);
}

static void requests_are_escaped(void **state)
{
	const struct dovecot_who who = {
		.ip = "192.0.2.1", .local_ip = "192.0.2.2",
		.cert_user = "a\tb\nc\rd\001e"
	};
	const struct dovecot_who nobody = { 0 };
	const struct view empty = view_make("", 0), abc = view_of("abc");
	struct buf b;

	(void)state;
	buf_init(&b, 2 * DOVECOT_LINE);
	assert_int_equal(dovecot_put_auth(&b, 7, "PLAIN", &who, &abc, NULL),
	    0);
	assert_string_equal(buf_str(&b), "AUTH\t7\tPLAIN\tservice=smtp\t"
	    "secured\tno-penalty\trip=192.0.2.1\tlip=192.0.2.2\t"
	    "valid-client-cert\tcert_username=a\001tb\001nc\001rd\0011e\t"
	    "resp=YWJj\n");
	buf_clear(&b);
	assert_int_equal(dovecot_put_auth(&b, 8, "X", &nobody, &empty, NULL),
	    0);
	assert_string_equal(buf_str(&b), "AUTH\t8\tX\tservice=smtp\t"
	    "secured\tno-penalty\tresp=\n");
	buf_clear(&b);
	assert_int_equal(dovecot_put_auth(&b, 9, "X", &nobody, NULL, NULL),
	    0);
	assert_null(strstr(buf_str(&b), "resp"));
	buf_free(&b);
}

static void requests_at_their_cap(void **state)
{
	const struct dovecot_who nobody = { 0 };
	char text[DOVECOT_SENT];
	struct view v;
	struct buf b;
	size_t n, longest = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (n = 5000; n < sizeof(text); n++) {
		buf_init(&b, 2 * DOVECOT_LINE);
		v = view_make(text, n);
		if (dovecot_put_auth(&b, 1, "PLAIN", &nobody, &v, NULL) == 0)
			longest = b.n;
		else
			n = sizeof(text);
		buf_free(&b);
	}
	assert_in_range(longest, DOVECOT_SENT - 3, DOVECOT_SENT);
}

/* ---- a peer with a script ---- */

/*
 * One step for each connection that comes: what is sent at once, then for
 * each line "AUTH" or "CONT" that came the next of answers, in which %u is the
 * number of the request. A NULL ends it: the connection is closed.
 */
struct scene {
	const char *hello;
	const char *answer[4];
	bool hangs; /* says nothing more, and closes nothing */
};

struct peer {
	char path[64];
	int sock, held[8];
	size_t n_held;
	const struct scene *scene;
	size_t scenes;
	pthread_t thread;
	char seen[65536]; /* all that was said to us */
	size_t connections;
};

static bool read_line(int fd, char *line, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n + 1 < size && poll(&p, 1, 30000) == 1 &&
	    recv(fd, line + n, 1, 0) == 1)
		if (line[n++] == '\n') {
			line[n] = '\0';
			return true;
		}
	return false;
}

static void say(int fd, const char *text, unsigned id)
{
	const char *at = strstr(text, "%u");
	struct buf b;

	buf_init(&b, 65536);
	if (at != NULL)
		buf_printf(&b, "%.*s%u%s", (int)(at - text), text, id,
		    at + 2);
	else
		buf_puts(&b, text);
	(void)send(fd, b.p, b.n, MSG_NOSIGNAL);
	buf_free(&b);
}

static bool hear(struct peer *p, int fd, char *line, size_t size)
{
	size_t had = strlen(p->seen);

	if (!read_line(fd, line, size))
		return false;
	(void)snprintf(p->seen + had, sizeof(p->seen) - had, "%s", line);
	return true;
}

static void play(struct peer *p, const struct scene *s, int fd)
{
	size_t next = 0;
	char line[20000];
	unsigned id;

	/* both lines of the hello first: who closes is not written to */
	if (!hear(p, fd, line, sizeof(line)) ||
	    !hear(p, fd, line, sizeof(line)))
		return;
	(void)send(fd, s->hello, strlen(s->hello), MSG_NOSIGNAL);
	while (next < ARRAY_LEN(s->answer) && s->answer[next] != NULL &&
	    hear(p, fd, line, sizeof(line))) {
		if (sscanf(line, "AUTH\t%u", &id) == 1 ||
		    sscanf(line, "CONT\t%u", &id) == 1)
			say(fd, s->answer[next++], id);
	}
	if (s->hangs)
		p->held[p->n_held++] = fd;
	else
		close(fd);
}

static void *peer_thread(void *arg)
{
	struct peer *p = arg;
	size_t i;
	int fd;

	for (i = 0; i < p->scenes; i++) {
		fd = accept(p->sock, NULL, NULL);
		if (fd < 0)
			break;
		p->connections++;
		play(p, &p->scene[i], fd);
	}
	return NULL;
}

static void peer_start(struct peer *p, const struct scene *s, size_t n)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	static unsigned number;

	memset(p, 0, sizeof(*p));
	(void)snprintf(p->path, sizeof(p->path), "/tmp/dovecot-%d-%u.sock",
	    (int)getpid(), number++);
	text_set(a.sun_path, sizeof(a.sun_path), p->path);
	p->scene = s;
	p->scenes = n;
	p->sock = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(p->sock, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(p->sock, 8), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_thread, p),
	    0);
}

static void peer_end(struct peer *p)
{
	size_t i;

	(void)shutdown(p->sock, SHUT_RDWR); /* ends an accept() */
	(void)pthread_join(p->thread, NULL);
	for (i = 0; i < p->n_held; i++)
		close(p->held[i]);
	close(p->sock);
	(void)unlink(p->path);
}

static const struct dovecot_who alice = { .ip = "192.0.2.1" };

static int ask(struct dovecot *d, struct dovecot_reply *r, struct err *e)
{
	const struct view initial = view_make("\0alice\0secret", 13);
	struct dovecot_talk *talk = NULL;
	int rc;

	memset(e, 0, sizeof(*e));
	rc = dovecot_begin(d, "PLAIN", &alice, &initial, &talk, r, e);
	if (rc == 0 && r->word == DOVECOT_CONT)
		dovecot_cancel(&talk);
	assert_null(talk);
	return rc;
}

/* What comes of one request to such a peer: 0, or -1 and says is in why. */
static void one_request(const struct scene *s, size_t n, int want,
    const char *says)
{
	/* a time that is up is no answer where something else is wanted */
	int ms = strcmp(says, "in time") == 0 ? SOON_MS : 30000;
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct peer p;
	struct err e;
	int rc;

	peer_start(&p, s, n);
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, p.path, ms, ms, NULL), 0);
	rc = ask(d, &r, &e);
	if (rc != want || (rc != 0 && strstr(e.msg, says) == NULL))
		fail_msg("%s: %d %s", s->answer[0] == NULL ? s->hello :
		    s->answer[0], rc, e.msg);
	if (rc != 0)
		assert_int_equal(e.kind, FAIL_TEMP);
	dovecot_free(&d);
	dovecot_reply_free(&r);
	peer_end(&p);
}

static void peers_that_break_the_rules(void **state)
{
	static const struct {
		struct scene scene;
		const char *says;
	} t[] = {
		{ { .hello = "DONE\n" }, "no VERSION" },
		{ { .hello = "VERSION\t2\t0\nDONE\n" }, "version 2" },
		{ { .hello = "VERSION\t1\n" }, "two numbers" },
		{ { .hello = "OK\t1\tuser=alice\n" }, "before there was" },
		{ { .hello = "FAIL\t1\n" }, "before there was" },
		{ { .hello = "\n" }, "empty line" },
		{ { .hello = "VERSION\t1\t1\nDO" }, "closed" },
		{ { .hello = "" }, "closed" },
		{ { .hello = "VERSION\t1\t1\n", .hangs = true }, "in time" },
		{ { .hello = "VERSION\t1\t1\nMECH\tX\nDONE\n" },
		    "does not offer PLAIN" },
		{ { .hello = HELLO, .answer = { "OK\n" } }, "number" },
		{ { .hello = HELLO, .answer = { "OK\t%u\tuser=a\001\n" } },
		    "user" },
		{ { .hello = HELLO, .answer = { "CONT\t%u\t!!\n" } },
		    "base64" },
		{ { .hello = HELLO, .answer = { "\n" } }, "empty line" },
		{ { .hello = HELLO, .answer = { "" }, .hangs = true },
		    "in time" },
		{ { .hello = HELLO, .answer = { "OK\t99\tuser=eve\n" },
		    .hangs = true }, "in time" },
		{ { .hello = HELLO, .answer = { "OK\t%u\tuser=alice" } },
		    "closed" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++)
		one_request(&t[i].scene, 1, -1, t[i].says);
}

static void long_lines_end_the_connection(void **state)
{
	struct scene s = { .hello = HELLO };
	struct buf b;
	size_t i, n;

	(void)state;
	/* with its end: one octet less than, and as long as allowed, more */
	for (n = DOVECOT_LINE - 1; n <= DOVECOT_LINE + 1; n++) {
		buf_init(&b, 2 * DOVECOT_LINE);
		buf_puts(&b, "OK\t%u\tuser=alice\tx=");
		for (i = 0; i < n; i++) /* "%u" is one digit then */
			if (b.n < n)
				buf_putc(&b, 'y');
		buf_putc(&b, '\n');
		s.answer[0] = buf_str(&b);
		one_request(&s, 1, b.n - 1 <= DOVECOT_LINE ? 0 : -1,
		    "a line of more than");
		buf_free(&b);
	}
	buf_init(&b, 2 * DOVECOT_LINE);
	for (i = 0; i < DOVECOT_LINE + 100; i++)
		buf_putc(&b, 'y');
	s.answer[0] = NULL;
	s.hello = buf_str(&b);
	one_request(&s, 1, -1, "a line of more than");
	buf_free(&b);
}

static void answers_that_are_right(void **state)
{
	static const struct scene s = {
		.hello = HELLO,
		.answer = { "OK\t%u\tuser=alice@a.example\n",
		    "FAIL\t%u\tuser=alice\n", "FAIL\t%u\tuser=alice\ttemp\n",
		    "WHATEVER\tx\nOK\t999\tuser=eve\nOK\t%u\tuser=bob\n" }
	};
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct peer p;
	struct err e;

	(void)state;
	peer_start(&p, &s, 1);
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, p.path, 0, 0, NULL), 0);
	assert_int_equal(ask(d, &r, &e), 0);
	assert_int_equal(r.word, DOVECOT_OK);
	assert_string_equal(r.user, "alice@a.example");
	assert_int_equal(ask(d, &r, &e), 0);
	assert_int_equal(r.word, DOVECOT_FAIL);
	assert_string_equal(r.user, "");
	assert_int_equal(ask(d, &r, &e), 0);
	assert_true(r.is_temporary);
	assert_int_equal(ask(d, &r, &e), 0);
	assert_string_equal(r.user, "bob");
	dovecot_free(&d);
	dovecot_reply_free(&r);
	peer_end(&p);
	assert_int_equal(p.connections, 1);
	assert_non_null(strstr(p.seen, "VERSION\t1\t1\nCPID\t"));
	assert_non_null(strstr(p.seen, "\tresp=AGFsaWNlAHNlY3JldA==\n"));
}

static void connection_is_made_again_after_a_restart(void **state)
{
	static const struct scene s[] = {
		{ .hello = HELLO, .answer = { "OK\t%u\tuser=alice\n" } },
		{ .hello = HELLO, .answer = { "OK\t%u\tuser=bob\n" } },
		{ .hello = HELLO, .answer = { "FAIL\t%u\n" } },
	};
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct peer p;
	struct err e;

	(void)state;
	peer_start(&p, s, ARRAY_LEN(s));
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, p.path, 0, 0, NULL), 0);
	assert_int_equal(ask(d, &r, &e), 0);
	assert_string_equal(r.user, "alice");
	assert_int_equal(ask(d, &r, &e), 0);
	assert_string_equal(r.user, "bob");
	assert_int_equal(ask(d, &r, &e), 0);
	assert_int_equal(r.word, DOVECOT_FAIL);
	dovecot_free(&d);
	dovecot_reply_free(&r);
	peer_end(&p);
}

static void nobody_waits_long_for_one_that_is_away(void **state)
{
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct err e;

	(void)state;
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, "/nowhere/auth-client", 0, 0, NULL),
	    0);
	assert_int_equal(ask(d, &r, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_non_null(strstr(e.msg, "/nowhere/auth-client"));
	assert_int_equal(ask(d, &r, &e), -1);
	assert_non_null(strstr(e.msg, "/nowhere/auth-client"));
	dovecot_free(&d);
	dovecot_reply_free(&r);
}

static void exchange_of_several_steps(void **state)
{
	static const struct scene s = {
		.hello = HELLO,
		.answer = { "CONT\t%u\tb25l\n", "CONT\t%u\tdHdv\n",
		    "OK\t%u\tuser=alice\n" }
	};
	struct dovecot_talk *talk = NULL;
	const struct view first = view_of("first");
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct peer p;

	(void)state;
	peer_start(&p, &s, 1);
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, p.path, 0, 0, NULL), 0);
	assert_int_equal(dovecot_begin(d, "SCRAM-SHA-256", &alice, &first,
	    &talk, &r, NULL), 0);
	assert_string_equal(buf_str(&r.data), "one");
	assert_int_equal(dovecot_go_on(&talk, view_of("second"), &r, NULL),
	    0);
	assert_string_equal(buf_str(&r.data), "two");
	assert_non_null(talk);
	assert_int_equal(dovecot_go_on(&talk, view_make("", 0), &r, NULL),
	    0);
	assert_null(talk);
	assert_string_equal(r.user, "alice");
	dovecot_free(&d);
	dovecot_reply_free(&r);
	peer_end(&p);
	assert_non_null(strstr(p.seen, "CONT\t1\tc2Vjb25k\nCONT\t1\t\n"));
}

static void exchange_ends_with_its_connection(void **state)
{
	static const struct scene s[] = {
		{ .hello = HELLO, .answer = { "CONT\t%u\tb25l\n" } },
		{ .hello = HELLO, .answer = { "OK\t%u\tuser=bob\n",
		    "OK\t%u\tuser=eve\n" } },
	};
	struct dovecot_talk *talk = NULL;
	const struct view first = view_of("first");
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct peer p;
	struct err e = { 0 };

	(void)state;
	peer_start(&p, s, ARRAY_LEN(s));
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, p.path, 0, 0, NULL), 0);
	assert_int_equal(dovecot_begin(d, "SCRAM-SHA-256", &alice, &first,
	    &talk, &r, NULL), 0);
	assert_int_equal(ask(d, &r, &e), 0);
	assert_string_equal(r.user, "bob");
	/* what was begun there does not go on elsewhere */
	assert_int_equal(dovecot_go_on(&talk, view_of("second"), &r, &e),
	    -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_null(talk);
	dovecot_free(&d);
	dovecot_reply_free(&r);
	peer_end(&p);
	assert_int_equal(p.connections, 2);
	assert_null(strstr(p.seen, "CONT"));
}

/* ---- many threads, one connection ---- */

#define CROWD 16

struct one {
	pthread_t thread;
	struct dovecot *d;
	char name[20], got[DOVECOT_NAME];
	int rc;
};

static void *ask_as_one(void *arg)
{
	struct one *o = arg;
	struct dovecot_talk *talk = NULL;
	struct view v = view_of(o->name);
	struct dovecot_reply r;
	struct err e;

	dovecot_reply_init(&r);
	o->rc = dovecot_begin(o->d, "PLAIN", &alice, &v, &talk, &r, &e);
	if (o->rc == 0)
		text_set(o->got, sizeof(o->got), r.user);
	dovecot_reply_free(&r);
	return NULL;
}

/* Answers all when all have asked, the last one first, in one write. */
static void *crowd_thread(void *arg)
{
	struct peer *p = arg;
	char line[20000], resp[CROWD][100];
	unsigned id[CROWD];
	size_t n = 0;
	struct buf b;
	int fd = accept(p->sock, NULL, NULL);

	(void)send(fd, HELLO, strlen(HELLO), MSG_NOSIGNAL);
	while (n < CROWD && read_line(fd, line, sizeof(line)))
		if (sscanf(line, "AUTH\t%u", &id[n]) == 1 &&
		    sscanf(strstr(line, "resp="), "resp=%99s", resp[n]) == 1)
			n++;
	buf_init(&b, 65536);
	while (n-- > 0)
		buf_printf(&b, "OK\t%u\tuser=%s\n", id[n], resp[n]);
	(void)send(fd, b.p, b.n, MSG_NOSIGNAL);
	buf_free(&b);
	(void)recv(fd, line, sizeof(line), 0);
	close(fd);
	p->connections = 1;
	return NULL;
}

static void requests_share_one_connection(void **state)
{
	static const char *const names[] = { "YQ==", "Yg==", "Yw==", "ZA==",
		"ZQ==", "Zg==", "Zw==", "aA==", "aQ==", "ag==", "aw==",
		"bA==", "bQ==", "bg==", "bw==", "cA==" };
	struct one o[CROWD];
	struct dovecot *d = NULL;
	struct peer p;
	pthread_t crowd;
	size_t i;

	(void)state;
	peer_start(&p, NULL, 0); /* its own thread ends at once */
	assert_int_equal(pthread_create(&crowd, NULL, crowd_thread, &p), 0);
	assert_int_equal(dovecot_new(&d, p.path, 0, 0, NULL), 0);
	for (i = 0; i < CROWD; i++) {
		memset(&o[i], 0, sizeof(o[i]));
		o[i].d = d;
		(void)snprintf(o[i].name, sizeof(o[i].name), "%c",
		    (int)('a' + i));
		assert_int_equal(pthread_create(&o[i].thread, NULL,
		    ask_as_one, &o[i]), 0);
	}
	for (i = 0; i < CROWD; i++) {
		(void)pthread_join(o[i].thread, NULL);
		assert_int_equal(o[i].rc, 0);
		assert_string_equal(o[i].got, names[i]);
	}
	dovecot_free(&d);
	(void)pthread_join(crowd, NULL);
	peer_end(&p);
}

/* All who wait are told at once when it ends. */
static void *cut_thread(void *arg)
{
	struct peer *p = arg;
	char line[20000];
	size_t n = 0;
	int fd = accept(p->sock, NULL, NULL);

	(void)send(fd, HELLO, strlen(HELLO), MSG_NOSIGNAL);
	while (n < CROWD && read_line(fd, line, sizeof(line)))
		n += strncmp(line, "AUTH", 4) == 0 ? 1 : 0;
	close(fd);
	return NULL;
}

static void all_requests_end_with_the_connection(void **state)
{
	struct one o[CROWD];
	struct dovecot *d = NULL;
	struct peer p;
	pthread_t cut;
	size_t i;

	(void)state;
	peer_start(&p, NULL, 0);
	assert_int_equal(pthread_create(&cut, NULL, cut_thread, &p), 0);
	assert_int_equal(dovecot_new(&d, p.path, SOON_MS, 0, NULL), 0);
	for (i = 0; i < CROWD; i++) {
		memset(&o[i], 0, sizeof(o[i]));
		o[i].d = d;
		text_set(o[i].name, sizeof(o[i].name), "x");
		assert_int_equal(pthread_create(&o[i].thread, NULL,
		    ask_as_one, &o[i]), 0);
	}
	for (i = 0; i < CROWD; i++) {
		(void)pthread_join(o[i].thread, NULL);
		assert_int_equal(o[i].rc, -1);
	}
	(void)pthread_join(cut, NULL);
	dovecot_free(&d);
	peer_end(&p);
}

/* ---- a real one ---- */

static void real_dovecot(void **state)
{
	const char *path = getenv("POSTSEAL_DOVECOT");
	const struct view right = view_make("\0alice\0staple 7 horse", 21);
	const struct view wrong = view_make("\0alice\0staple 8 horse", 21);
	struct dovecot_talk *talk = NULL;
	struct dovecot *d = NULL;
	struct dovecot_reply r;
	struct err e = { 0 };
	size_t i;

	(void)state;
	if (path == NULL) {
		skip();
		return;
	}
	dovecot_reply_init(&r);
	assert_int_equal(dovecot_new(&d, path, 0, 0, NULL), 0);
	for (i = 0; i < 3; i++) {
		if (dovecot_begin(d, "PLAIN", &alice, &right, &talk, &r,
		    &e) != 0)
			fail_msg("%s", e.msg);
		assert_int_equal(r.word, DOVECOT_OK);
		assert_string_equal(r.user, "alice");
	}
	assert_int_equal(dovecot_begin(d, "PLAIN", &alice, &wrong, &talk, &r,
	    &e), 0);
	assert_int_equal(r.word, DOVECOT_FAIL);
	assert_false(r.is_temporary);
	dovecot_free(&d);
	dovecot_reply_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed_lines_are_refused),
		cmocka_unit_test(lines_that_are_right),
		cmocka_unit_test(names_at_their_cap),
		cmocka_unit_test(requests_are_escaped),
		cmocka_unit_test(requests_at_their_cap),
		cmocka_unit_test(peers_that_break_the_rules),
		cmocka_unit_test(long_lines_end_the_connection),
		cmocka_unit_test(answers_that_are_right),
		cmocka_unit_test(connection_is_made_again_after_a_restart),
		cmocka_unit_test(nobody_waits_long_for_one_that_is_away),
		cmocka_unit_test(exchange_of_several_steps),
		cmocka_unit_test(exchange_ends_with_its_connection),
		cmocka_unit_test(requests_share_one_connection),
		cmocka_unit_test(all_requests_end_with_the_connection),
		cmocka_unit_test(real_dovecot),
	};

	return cmocka_run_group_tests_name("relay_dovecot", tests, NULL,
	    NULL);
}
