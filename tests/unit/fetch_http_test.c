/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * URLs, addresses, and the HTTP client against a server of a few lines.
 */
#include "fetch/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- URLs ---- */

static const char *const no_urls[] = {
	"", "http", "http:", "http://", "/etc/passwd", "file:///etc/passwd",
	"ldap://h/", "ftp://h/", "gopher://h:25/", "dict://h/", "javascript:",
	"http://user@h/", "http://user:pw@h/", "http://h/#f", "http://h:0x50/",
	"http://h:99999/", "http://h/a b", "http://h/\n", "http://h\r\nX: y/",
	"http://h\\@evil/", "http://[::1/",
};

static void A56_what_is_no_url_for_us(void **state)
{
	struct url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(no_urls); i++) {
		struct err e = { 0 };

		if (url_parse(&u, no_urls[i], &e) == 0)
			fail_msg("%s is taken: %s", no_urls[i], u.host);
		assert_int_equal(e.kind, FAIL_INPUT);
		assert_true(e.msg[0] != '\0');
	}
}

static void A56_long_urls(void **state)
{
	char text[URL_MAX + 3] = "http://h/";
	struct url u;

	(void)state;
	memset(text + 9, 'a', sizeof(text) - 10);
	for (size_t n = URL_MAX - 1; n <= URL_MAX + 1; n++) {
		text[n] = '\0';
		assert_int_equal(url_parse(&u, text, NULL),
		    n <= URL_MAX ? 0 : -1);
		text[n] = 'a';
	}
}

static const struct {
	const char *text, *host;
	int port;
	bool usual;
} urls[] = {
	{ "http://CRL.Example/x.crl", "crl.example", 80, true },
	{ "https://crl.example/", "crl.example", 443, true },
	{ "HTTP://crl.example:443", "crl.example", 443, true },
	{ "http://crl.example:8080/?a=b", "crl.example", 8080, false },
	{ "http://[2001:DB8::1]:81/", "[2001:db8::1]", 81, false },
	{ "http://192.0.2.1/", "192.0.2.1", 80, true },
};

static void urls_in_parts(void **state)
{
	struct url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		assert_int_equal(url_parse(&u, urls[i].text, NULL), 0);
		assert_string_equal(u.host, urls[i].host);
		assert_int_equal(u.port, urls[i].port);
		assert_int_equal(u.is_usual_port, urls[i].usual);
	}
}

static const struct {
	const char *url, *host;
	bool is;
} hosts[] = {
	{ "http://a.example/", "a.example", true },
	{ "http://a.example/", "A.EXAMPLE", true },
	{ "https://a.example/", "a.example", true },
	{ "http://a.example:25/", "a.example", false },
	{ "http://a.example:25/", "a.example:25", true },
	{ "http://a.example/", "a.example:80", true },
	{ "http://a.example/", "a.example:443", false },
	{ "http://b.a.example/", "a.example", false },
	{ "http://a.example.evil/", "a.example", false },
	{ "http://a.exampl/", "a.example", false },
	{ "http://evil/a.example", "a.example", false },
	{ "http://[::1]/", "[::1]", true },
	{ "http://[::1]:8080/", "[::1]:8080", true },
	{ "http://[::1]:8080/", "[::1]", false },
};

static void A56_hosts_of_the_list(void **state)
{
	struct url u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		assert_int_equal(url_parse(&u, hosts[i].url, NULL), 0);
		if (url_is_at(&u, hosts[i].host) != hosts[i].is)
			fail_msg("%s and %s", hosts[i].url, hosts[i].host);
	}
	assert_true(url_host_is_sane("crl.example"));
	assert_true(url_host_is_sane("crl.example:8080"));
	assert_true(url_host_is_sane("[2001:db8::1]:80"));
	assert_false(url_host_is_sane(""));
	assert_false(url_host_is_sane(":80"));
	assert_false(url_host_is_sane(".example"));
	assert_false(url_host_is_sane("http://a"));
	assert_false(url_host_is_sane("a:0"));
	assert_false(url_host_is_sane("a:65536"));
	assert_false(url_host_is_sane("a:80x"));
	assert_false(url_host_is_sane("a b"));
	assert_false(url_host_is_sane("*.example"));
	assert_false(url_host_is_sane("[::1"));
}

/* ---- addresses ---- */

static const struct {
	const char *ip;
	bool may; /* without an exception */
} addresses[] = {
	{ "93.184.215.14", true },
	{ "2606:2800:21f:cb07::1", true },
	{ "172.15.255.255", true },
	{ "172.32.0.0", true },
	{ "11.0.0.0", true },
	{ "223.255.255.255", true },
	{ "0.0.0.0", false },
	{ "10.1.2.3", false },
	{ "100.64.0.1", false },
	{ "127.0.0.1", false },
	{ "127.255.255.254", false },
	{ "169.254.169.254", false },
	{ "172.16.0.1", false },
	{ "172.31.255.255", false },
	{ "192.0.0.1", false },
	{ "192.0.2.1", false },
	{ "192.168.0.1", false },
	{ "198.18.0.1", false },
	{ "198.51.100.1", false },
	{ "203.0.113.1", false },
	{ "224.0.0.1", false },
	{ "239.1.1.1", false },
	{ "255.255.255.255", false },
	{ "::", false },
	{ "::1", false },
	{ "::ffff:127.0.0.1", false },
	{ "::ffff:10.0.0.1", false },
	{ "::127.0.0.1", false },
	{ "64:ff9b::7f00:1", false },
	{ "100::1", false },
	{ "2001::1", false },
	{ "2001:db8::1", false },
	{ "2002:7f00:1::1", false },
	{ "3fff::1", false },
	{ "fc00::1", false },
	{ "fd12:3456::1", false },
	{ "fe80::1", false },
	{ "fec0::1", false },
	{ "ff02::1", false },
};

static bool may(const char *ip, const struct net *nearby, size_t n)
{
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in a4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, ip, &a4.sin_addr) == 1)
		return url_may_connect((struct sockaddr *)&a4, nearby, n);
	assert_int_equal(inet_pton(AF_INET6, ip, &a6.sin6_addr), 1);
	return url_may_connect((struct sockaddr *)&a6, nearby, n);
}

static void A56_addresses_that_are_not_public(void **state)
{
	struct sockaddr unix_socket = { .sa_family = AF_UNIX };
	struct net here;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		if (may(addresses[i].ip, NULL, 0) != addresses[i].may)
			fail_msg("%s", addresses[i].ip);
	assert_false(url_may_connect(&unix_socket, NULL, 0));
	assert_int_equal(net_parse(&here, "10.1.0.0/16", NULL), 0);
	assert_true(may("10.1.2.3", &here, 1));
	assert_false(may("10.2.2.3", &here, 1));
	assert_true(may("93.184.215.14", &here, 1));
}

/* ---- a server ---- */

struct server {
	int sock, port;
	pthread_t thread;
	const char *answer;
	size_t answer_n, repeat;
	char got[4096]; /* the request */
	int connections;
};

static void read_request(struct server *s, int fd)
{
	size_t n = 0;
	ssize_t k;

	memset(s->got, 0, sizeof(s->got));
	while (n < sizeof(s->got) - 1 && strstr(s->got, "\r\n\r\n") == NULL &&
	    (k = read(fd, s->got + n, sizeof(s->got) - 1 - n)) > 0)
		n += (size_t)k;
	if (strncmp(s->got, "POST", 4) == 0 && strstr(s->got, "ask") == NULL)
		(void)!read(fd, s->got + n, sizeof(s->got) - 1 - n);
}

static void *serve(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->sock, NULL, NULL)) >= 0) {
		s->connections++;
		read_request(s, fd);
		for (size_t i = 0; i < s->repeat; i++)
			if (send(fd, s->answer, s->answer_n, MSG_NOSIGNAL) < 0)
				break;
		shutdown(fd, SHUT_WR);
		while (read(fd, s->got + sizeof(s->got) - 1, 1) > 0)
			continue;
		close(fd);
	}
	return NULL;
}

static int begin_server(void **state)
{
	static struct server s;
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t n = sizeof(a);

	memset(&s, 0, sizeof(s));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s.sock = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(s.sock, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(s.sock, 5) != 0 ||
	    getsockname(s.sock, (struct sockaddr *)&a, &n) != 0)
		return -1;
	s.port = ntohs(a.sin_port);
	*state = &s;
	return 0;
}

static int end_server(void **state)
{
	struct server *s = *state;

	shutdown(s->sock, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->sock);
	return 0;
}

struct got {
	int rc;
	struct err e;
	struct buf body;
};

static struct got get(struct server *s, const char *answer, size_t repeat,
    bool allowed, const char *post)
{
	struct http_request r = { .max = 100, .type = "application/x-ask" };
	struct http_policy p = { .timeout_ms = 60000 };
	struct got g = { 0 };
	struct http *h;
	struct view body = { NULL, 0 };
	struct net here;
	struct buf url;

	assert_int_equal(net_parse(&here, "127.0.0.0/8", NULL), 0);
	p.nearby = &here;
	p.nearbys = allowed;
	s->answer = answer;
	s->answer_n = strlen(answer);
	s->repeat = repeat;
	if (s->thread == 0)
		assert_int_equal(pthread_create(&s->thread, NULL, serve, s),
		    0);
	buf_init(&url, 100);
	buf_init(&g.body, 1000);
	buf_printf(&url, "http://127.0.0.1:%d/x", s->port);
	r.url = buf_str(&url);
	if (post != NULL)
		r.post = view_of(post);
	assert_int_equal(http_new(&h, &p, NULL), 0);
	g.rc = http_get(h, &r, &body, &g.e);
	buf_putv(&g.body, body);
	http_free(&h);
	buf_free(&url);
	return g;
}

static void expect(struct server *s, const char *answer, size_t repeat,
    enum fail kind, const char *what)
{
	struct got g = get(s, answer, repeat, true, NULL);

	if (g.rc != (kind == 0 ? 0 : -1) || g.e.kind != kind ||
	    strstr(kind == 0 ? buf_str(&g.body) : g.e.msg, what) == NULL)
		fail_msg("%s: %d %s \"%s\"", answer, g.e.kind, g.e.msg,
		    buf_str(&g.body));
	buf_free(&g.body);
}

#define HTTP(rest) "HTTP/1.1 200 OK\r\n" rest

static void A56_A58_answers(void **state)
{
	struct server *s = *state;
	static char hundred[200], more[200];
	struct buf many;

	expect(s, "", 1, FAIL_TEMP, "");
	expect(s, "nonsense", 1, FAIL_TEMP, "");
	expect(s, "HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx", 1, FAIL_TEMP,
	    "the server answered 404");
	expect(s, "HTTP/1.1 302 No\r\nLocation: http://127.0.0.1/\r\n"
	    "Content-Length: 0\r\n\r\n", 1, FAIL_POLICY, "redirects");
	expect(s, HTTP("Content-Length: 101\r\n\r\n"), 1, FAIL_LIMIT,
	    "more than 100 octets");
	expect(s, HTTP("Content-Length: 10\r\n\r\n12345"), 1, FAIL_TEMP, "");
	expect(s, HTTP("Content-Length: 5\r\n\r\n12345"), 1, 0, "12345");
	expect(s, HTTP("\r\n12345"), 1, 0, "12345"); /* to the end */
	memset(hundred, 'a', 100);
	memcpy(more, HTTP("\r\n"), sizeof(HTTP("\r\n")) - 1);
	memcpy(more + sizeof(HTTP("\r\n")) - 1, hundred, 100);
	expect(s, more, 1, 0, hundred);
	more[strlen(more)] = 'a';
	expect(s, more, 1, FAIL_LIMIT, "more than 100 octets");
	/* what is compressed stays so: no bomb */
	expect(s, HTTP("Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
	    "abc"), 1, 0, "abc");
	buf_init(&many, 200000);
	buf_puts(&many, HTTP(""));
	/* few and long: newer versions of libcurl count them, too */
	while (many.n < 70000)
		buf_puts(&many, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
	expect(s, buf_str(&many), 1, FAIL_LIMIT, "header fields");
	buf_free(&many);
	expect(s, "HTTP/1.1 100 Continue\r\n\r\n", 20000, FAIL_LIMIT,
	    "header fields");
}

static void A56_no_connection_to_here(void **state)
{
	struct server *s = *state;
	struct got g = get(s, HTTP("\r\nx"), 1, false, NULL);

	assert_int_equal(g.rc, -1);
	assert_int_equal(g.e.kind, FAIL_POLICY);
	assert_non_null(strstr(g.e.msg, "not public"));
	assert_int_equal(s->connections, 0);
	buf_free(&g.body);
}

static void what_is_asked(void **state)
{
	struct server *s = *state;
	struct got g = get(s, HTTP("\r\nx"), 1, true, NULL);

	assert_int_equal(g.rc, 0);
	assert_int_equal(strncmp(s->got, "GET /x HTTP/1.1\r\n", 17), 0);
	assert_null(strstr(s->got, "Cookie"));
	assert_null(strstr(s->got, "Accept-Encoding"));
	buf_free(&g.body);
	g = get(s, HTTP("\r\nx"), 1, true, "ask");
	assert_int_equal(g.rc, 0);
	assert_int_equal(strncmp(s->got, "POST /x HTTP/1.1\r\n", 18), 0);
	assert_non_null(strstr(s->got, "Content-Type: application/x-ask\r\n"));
	assert_non_null(strstr(s->got, "\r\n\r\nask"));
	buf_free(&g.body);
}

static void A56_no_proxy_of_the_environment(void **state)
{
	struct server *s = *state;
	struct got g;

	setenv("http_proxy", "http://127.0.0.1:1/", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1/", 1);
	g = get(s, HTTP("\r\nx"), 1, true, NULL);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(g.rc, 0);
	assert_int_equal(s->connections, 1);
	buf_free(&g.body);
}

#define S(f) cmocka_unit_test_setup_teardown(f, begin_server, end_server)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A56_what_is_no_url_for_us),
		cmocka_unit_test(A56_long_urls),
		cmocka_unit_test(urls_in_parts),
		cmocka_unit_test(A56_hosts_of_the_list),
		cmocka_unit_test(A56_addresses_that_are_not_public),
		S(A56_A58_answers),
		S(A56_no_connection_to_here),
		S(what_is_asked),
		S(A56_no_proxy_of_the_environment),
	};

	return cmocka_run_group_tests_name("fetch_http", tests, NULL, NULL);
}
