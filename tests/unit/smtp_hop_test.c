/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The next hop as a child process that speaks a written part: what is sent
 * to it octet for octet, and what we know when it breaks.
 */
#include "smtp/hop.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* One step of the other side: wait until it has heard this, then say that;
 * say NULL: hang up, say "": nothing. */
struct step {
	const char *heard, *say;
};

struct hop {
	pid_t pid;
	int heard; /* what it read, from a pipe at its end */
	char spec[200];
	char dir[32];
};

static int64_t in_ms(int64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 + ms;
}

static void take_part(int fd, const struct step *s, size_t n, struct buf *in)
{
	for (size_t i = 0; i < n; i++) {
		while (strstr(buf_str(in), s[i].heard) == NULL) {
			char p[4096];
			ssize_t got = read(fd, p, sizeof(p));

			if (got <= 0)
				return;
			buf_put(in, p, (size_t)got);
		}
		if (s[i].say == NULL)
			return;
		if (write(fd, s[i].say, strlen(s[i].say)) < 0)
			return;
	}
}

static void be_hop(int listening, int out, const struct step *s, size_t n)
{
	int fd = accept(listening, NULL, NULL);
	struct buf in;
	char p[4096];
	ssize_t got;

	buf_init(&in, 64u << 20);
	take_part(fd, s, n, &in);
	/* the whole part was spoken: hear the rest */
	if (n > 0 && s[n - 1].say != NULL)
		while ((got = read(fd, p, sizeof(p))) > 0)
			buf_put(&in, p, (size_t)got);
	close(fd);
	for (size_t at = 0; at < in.n; at += (size_t)got)
		if ((got = write(out, in.p + at, in.n - at)) <= 0)
			break;
	_exit(0);
}

static int listen_inet(struct hop *h)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct buf spec;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&a, n), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&a, &n),
	    0);
	buf_init(&spec, 200);
	buf_printf(&spec, "smtp:127.0.0.1:%u", ntohs(a.sin_port));
	text_set(h->spec, sizeof(h->spec), buf_str(&spec));
	buf_free(&spec);
	return fd;
}

static int listen_unix(struct hop *h)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct buf spec;

	text_set(h->dir, sizeof(h->dir), "/tmp/smtp-hop-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	buf_init(&spec, 200);
	buf_printf(&spec, "lmtp:unix:%s/s", h->dir);
	text_set(h->spec, sizeof(h->spec), buf_str(&spec));
	text_set(a.sun_path, sizeof(a.sun_path), h->spec + 10);
	buf_free(&spec);
	assert_int_equal(bind(fd, (struct sockaddr *)(void *)&a, sizeof(a)),
	    0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void start(struct hop *h, bool lmtp, const struct step *s, size_t n)
{
	int fd, pipes[2];

	memset(h, 0, sizeof(*h));
	fd = lmtp ? listen_unix(h) : listen_inet(h);
	assert_int_equal(pipe(pipes), 0);
	h->pid = fork();
	if (h->pid == 0) {
		close(pipes[0]);
		alarm(60);
		be_hop(fd, pipes[1], s, n);
	}
	close(fd);
	close(pipes[1]);
	h->heard = pipes[0];
}

static void stop(struct hop *h, struct buf *heard)
{
	char p[4096];
	ssize_t n;

	buf_init(heard, 64u << 20);
	while ((n = read(h->heard, p, sizeof(p))) > 0)
		buf_put(heard, p, (size_t)n);
	close(h->heard);
	(void)waitpid(h->pid, NULL, 0);
	if (h->dir[0] != '\0') {
		(void)unlink(h->spec + 10);
		(void)rmdir(h->dir);
	}
}

static struct smtp_rcpt rcpt[2];

static struct smtp_mail mail_to_two(void)
{
	struct smtp_mail m = {.from = "<s@z.example>", .rcpt = rcpt,
	    .rcpts = 2};

	memset(rcpt, 0, sizeof(rcpt));
	rcpt[0].path = "<a@x.example>";
	rcpt[1].path = "<b@x.example>";
	return m;
}

static struct spool *spool_with(const char *s)
{
	struct spool *out = NULL;

	assert_int_equal(spool_new(&out, 64u << 20, NULL), 0);
	assert_int_equal(spool_write(out, s, strlen(s), NULL), 0);
	return out;
}

static int send_it(struct hop *h, struct smtp_mail *m, const char *msg,
    int64_t ms, struct err *e)
{
	const struct hop_call call = {.spec = h->spec, .helo = "me.example",
	    .until_ms = in_ms(ms), .tick_ms = 1000};
	struct spool *s = spool_with(msg);
	int rc = hop_send(&call, m, s, 0, spool_size(s), e);

	spool_free(&s);
	return rc;
}

#define TALK_ALL                                                          \
	{"", "220 hi\r\n"},                                               \
	{"LO me.example\r\n", "250-x\r\n250 PIPELINING\r\n"},            \
	{"TO:<b@x.example>\r\n", "250 a\r\n250 b\r\n250 c\r\n"},            \
	{"DATA\r\n", "354 go\r\n"}

static void a_message_arrives_octet_for_octet(void **state)
{
	static const struct step part[] = {TALK_ALL,
	    {"\r\n.\r\n", "250 2.0.0 ok\r\n"}};
	struct smtp_mail m = mail_to_two();
	struct err e = {0};
	struct buf heard;
	struct hop h;

	(void)state;
	start(&h, false, part, ARRAY_LEN(part));
	assert_int_equal(send_it(&h, &m, "A: b\r\n\r\n.x\r\nlast", 20000, &e),
	    0);
	stop(&h, &heard);
	assert_non_null(strstr(buf_str(&heard),
	    "DATA\r\nA: b\r\n\r\n..x\r\nlast\r\n.\r\n"));
	assert_true(rcpt[0].accepted && rcpt[1].accepted);
	buf_free(&heard);
}

static void a_part_of_a_spool_is_sent_over_a_unix_socket(void **state)
{
	static const struct step part[] = {TALK_ALL,
	    {"\r\n.\r\n", "250 2.0.0 a\r\n550 5.1.1 b\r\n"}};
	struct hop_call call = {.helo = "me.example", .tick_ms = 1000};
	struct spool *s = spool_with("first\r\nsecond\r\nthird\r\n");
	struct smtp_mail m = mail_to_two();
	struct buf heard;
	struct hop h;

	(void)state;
	start(&h, true, part, ARRAY_LEN(part));
	call.spec = h.spec;
	call.until_ms = in_ms(20000);
	assert_int_equal(hop_send(&call, &m, s, 7, 8, NULL), 0);
	stop(&h, &heard);
	assert_non_null(strstr(buf_str(&heard),
	    "DATA\r\nsecond\r\n.\r\n"));
	assert_true(rcpt[0].accepted);
	assert_false(rcpt[1].accepted);
	assert_int_equal(rcpt[1].reply.code, 550);
	buf_free(&heard);
	spool_free(&s);
}

static void a_large_message_arrives_whole(void **state)
{
	static const struct step part[] = {TALK_ALL,
	    {"\r\nthe end\r\n.\r\n", "250 2.0.0 ok\r\n"}};
	struct smtp_mail m = mail_to_two();
	struct buf text, heard, want;
	struct hop h;

	(void)state;
	buf_init(&text, 16u << 20);
	buf_init(&want, 16u << 20);
	for (int i = 0; i < 40000; i++) {
		buf_printf(&text, ".%d line\r\n", i);
		buf_printf(&want, "..%d line\r\n", i);
	}
	buf_puts(&text, "the end\r\n");
	buf_puts(&want, "the end\r\n.\r\n");
	start(&h, false, part, ARRAY_LEN(part));
	assert_int_equal(send_it(&h, &m, buf_str(&text), 60000, NULL), 0);
	stop(&h, &heard);
	assert_non_null(strstr(buf_str(&heard), buf_str(&want)));
	buf_free(&text);
	buf_free(&want);
	buf_free(&heard);
}

static void M24_it_says_whether_it_may_have_arrived(void **state)
{
	static const struct step greeting[] = {{"", NULL}};
	static const struct step data[] = {TALK_ALL, {"Subject", NULL}};
	static const struct step end[] = {TALK_ALL, {"\r\n.\r\n", NULL}};
	static const struct step silent[] = {TALK_ALL, {"\r\n.\r\n", ""}};
	static const struct {
		const struct step *part;
		size_t n;
		bool unknown;
	} row[] = {{greeting, 1, false}, {data, ARRAY_LEN(data), false},
	    {end, ARRAY_LEN(end), true}, {silent, ARRAY_LEN(silent), true}};
	struct buf text;

	(void)state;
	buf_init(&text, 64u << 20);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct smtp_mail m = mail_to_two();
		struct err e = {0};
		struct buf heard;
		struct hop h;
		int rc;

		buf_clear(&text);
		buf_puts(&text, "Subject: x\r\n\r\n");
		/* more than sockets hold, so that the end cannot be sent to
		 * one that hung up before it */
		while (row[i].part == data && text.n < 16u << 20)
			buf_puts(&text, "nobody reads this line\r\n");
		start(&h, false, row[i].part, row[i].n);
		/* time for all before the silence */
		rc = send_it(&h, &m, buf_str(&text),
		    row[i].part == silent ? 4000 : 30000, &e);
		stop(&h, &heard);
		if (rc != -1 || e.kind != FAIL_TEMP ||
		    m.is_unknown != row[i].unknown || rcpt[0].accepted)
			fail_msg("row %zu: %d %s", i, rc, e.msg);
		buf_free(&heard);
	}
	buf_free(&text);
}

static int refuse_end(void *arg, int sock, struct err *e)
{
	int *seen = arg;

	*seen = sock;
	return err_set(e, FAIL_TEMP, "not now");
}

static void M24_nothing_arrives_without_leave(void **state)
{
	static const struct step part[] = {TALK_ALL,
	    {"\r\n.\r\n", "250 ok\r\n"}};
	struct spool *s = spool_with("Subject: x\r\n\r\nx\r\n");
	struct smtp_mail m = mail_to_two();
	struct hop_call call = {.helo = "me.example", .tick_ms = 1000,
	    .before_end = refuse_end};
	struct err e = {0};
	struct buf heard;
	struct hop h;
	int sock = -1;

	(void)state;
	start(&h, false, part, ARRAY_LEN(part));
	call.spec = h.spec;
	call.until_ms = in_ms(20000);
	call.arg = &sock;
	assert_int_equal(hop_send(&call, &m, s, 0, spool_size(s), &e), -1);
	stop(&h, &heard);
	assert_true(sock >= 0);
	assert_false(m.is_unknown);
	assert_null(strstr(buf_str(&heard), "\r\n.\r\n"));
	assert_non_null(strstr(buf_str(&heard), "\r\nx\r\n"));
	buf_free(&heard);
	spool_free(&s);
}

static void A45_a_bare_line_end_is_not_sent(void **state)
{
	static const struct step part[] = {TALK_ALL,
	    {"\r\n.\r\n", "250 ok\r\n"}};
	struct smtp_mail m = mail_to_two();
	struct err e = {0};
	struct buf heard;
	struct hop h;

	(void)state;
	start(&h, false, part, ARRAY_LEN(part));
	assert_int_equal(send_it(&h, &m, "A: b\r\n\r\n\n.\nMAIL", 20000, &e),
	    -1);
	stop(&h, &heard);
	assert_int_equal(e.kind, FAIL_BUG);
	assert_null(strstr(buf_str(&heard), ".\nMAIL"));
	buf_free(&heard);
}

static void nobody_there_is_temporary(void **state)
{
	struct smtp_mail m = mail_to_two();
	struct hop h = {.spec = "lmtp:unix:/nonexistent/socket"};
	struct err e = {0};

	(void)state;
	assert_int_equal(send_it(&h, &m, "A: b\r\n", 2000, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_false(m.is_unknown);
}

static void next_hops_are_addresses(void **state)
{
	static const struct {
		const char *spec;
		bool ok;
	} row[] = {
		{"smtp:127.0.0.1:10026", true},
		{"lmtp:[::1]:24", true},
		{"lmtp:unix:/run/lmtp", true},
		{"smtp:unix:/run/smtp", true},
		{"smtp:localhost:25", false},
		{"smtp:127.0.0.1", false},
		{"smtp:127.0.0.1:0", false},
		{"smtp:127.0.0.1:65536", false},
		{"smtp:127.0.0.1:25x", false},
		{"smtp:::1:25", false},
		{"lmtp:unix:run/lmtp", false},
		{"lmtp:unix:", false},
		{"http:127.0.0.1:25", false},
		{"127.0.0.1:25", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		if (hop_spec_ok(row[i].spec) != row[i].ok)
			fail_msg("%s", row[i].spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_arrives_octet_for_octet),
		cmocka_unit_test(a_part_of_a_spool_is_sent_over_a_unix_socket),
		cmocka_unit_test(a_large_message_arrives_whole),
		cmocka_unit_test(M24_it_says_whether_it_may_have_arrived),
		cmocka_unit_test(M24_nothing_arrives_without_leave),
		cmocka_unit_test(A45_a_bare_line_end_is_not_sent),
		cmocka_unit_test(nobody_there_is_temporary),
		cmocka_unit_test(next_hops_are_addresses),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("smtp_hop", tests, NULL, NULL);
}
