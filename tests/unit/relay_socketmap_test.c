/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Postfix's socketmap protocol, what it is answered, and what administrators
 * are told of destinations.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relay/socketmap.h"
#include "tests/unit/relay_world.h"
#include "util/proc.h"

/* ---- netstrings ---- */

static void netstrings_are_read_strictly(void **state)
{
	static const struct {
		const char *in;
		int rc; /* 1, 0, -1 */
		const char *request;
	} row[] = {
		{ "", 0, NULL }, { "1", 0, NULL }, { "15", 0, NULL },
		{ "5:tls", 0, NULL }, { "3:tls", 0, NULL },
		{ "3:tls,", 1, "tls" }, { "3:tls,4:more,", 1, "tls" },
		{ "0:,", 1, "" }, { "3:tls;", -1, NULL },
		{ ":tls,", -1, NULL }, { "03:tls,", -1, NULL },
		{ "-1:x,", -1, NULL }, { "+3:tls,", -1, NULL },
		{ " 3:tls,", -1, NULL }, { "3 :tls,", -1, NULL },
		{ "x", -1, NULL }, { "1025:", -1, NULL },
		{ "99999", -1, NULL }, { "00:", -1, NULL },
		{ "GET / HTTP/1.1\r\n", -1, NULL },
	};
	struct view request;
	size_t used;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		int rc = socketmap_read(view_of(row[i].in), &request, &used,
		    NULL);

		if (rc != row[i].rc || (rc == 1 && !view_eq_str(request,
		    row[i].request)))
			fail_msg("%s: %d", row[i].in, rc);
	}
}

static void netstrings_of_the_longest_request(void **state)
{
	char in[1100];
	struct view request;
	size_t used;

	(void)state;
	memset(in, 'a', sizeof(in));
	memcpy(in, "1024:", 5);
	in[5 + 1024] = ',';
	assert_int_equal(socketmap_read(view_make(in, 1029), &request, &used,
	    NULL), 0);
	assert_int_equal(socketmap_read(view_make(in, 1030), &request, &used,
	    NULL), 1);
	assert_int_equal(used, 1030);
}

/* ---- answers ---- */

#define OPEN "default may then dane then sts\n"

static void say_b(enum dns_state mx, int usage)
{
	say_mx("b.example", 10, "mx.b.example", mx);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_SECURE);
	say_nothing("mx.b.example", DNS_AAAA, DNS_SECURE);
	if (usage >= 0)
		say_tlsa("_25._tcp.mx.b.example", usage, TLSA_WHOLE,
		    DNS_SECURE);
}

static const struct map_row {
	const char *what, *line, *request;
	enum dns_state mx;
	int usage;
	const char *sts, *wanted;
} maps[] = {
	{ "nothing known", OPEN, "tls b.example", DNS_INSECURE, -1, NULL,
	    "NOTFOUND " },
	{ "DANE", OPEN, "tls b.example", DNS_SECURE, 3, NULL,
	    "OK dane-only" },
	{ "DANE, MX insecure", OPEN, "tls b.example", DNS_INSECURE, 3, NULL,
	    "OK dane" },
	{ "DANE, unusable", OPEN, "tls b.example", DNS_SECURE, 0, NULL,
	    "OK dane" },
	{ "enforce", OPEN, "tls b.example", DNS_INSECURE, -1, "enforce",
	    "OK secure match=.b.example servername=hostname "
	    "protocols=>=TLSv1.2" },
	{ "enforce, for reports", OPEN, "tls-rpt b.example", DNS_INSECURE,
	    -1, "enforce", "OK secure match=.b.example servername=hostname "
	    "protocols=>=TLSv1.2 policy_type=sts policy_domain=b.example" },
	{ "testing", OPEN, "tls b.example", DNS_INSECURE, -1, "testing",
	    "NOTFOUND " },
	{ "DANE and enforce", OPEN, "tls b.example", DNS_SECURE, 3,
	    "enforce", "OK dane-only" },
	{ "bogus", OPEN, "tls b.example", DNS_BOGUS, -1, NULL,
	    "TEMP DNSSEC of b.example does not hold, so its mail hosts are "
	    "not known" },
	{ "a parent", OPEN, "tls .example", DNS_SECURE, 3, NULL,
	    "NOTFOUND " },
	{ "no such domain", OPEN, "tls c.example", DNS_SECURE, 3, NULL,
	    "NOTFOUND " },
	{ "no such map", OPEN, "tlz b.example", DNS_SECURE, 3, NULL,
	    "PERM no such map; want tls or tls-rpt" },
	{ "no key", OPEN, "tls ", DNS_SECURE, 3, NULL, "NOTFOUND " },
	{ "no blank", OPEN, "tls", DNS_SECURE, 3, NULL,
	    "PERM no such map; want tls or tls-rpt" },
	{ "a line", OPEN "to b.example secure match mx.c.example:.d.example "
	    "servername nexthop\n", "tls b.example", DNS_SECURE, 3,
	    "enforce", "OK secure match=mx.c.example:.d.example "
	    "servername=nexthop protocols=>=TLSv1.2" },
	{ "none", OPEN "to b.example none\n", "tls b.example", DNS_SECURE, 3,
	    NULL, "OK none" },
	{ "some certificate", OPEN "to b.example encrypt require-cert "
	    "protocols 1.3\n", "tls b.example", DNS_SECURE, -1, NULL,
	    "OK encrypt exclude=aNULL protocols=>=TLSv1.3,<=TLSv1.3" },
	{ "in brackets", OPEN "to [b.example]:587 verify\n",
	    "tls [b.example]:587", DNS_SECURE, -1, NULL,
	    "OK verify protocols=>=TLSv1.2" },
	{ "the default", "default encrypt\n", "tls b.example", DNS_SECURE,
	    -1, NULL, "OK encrypt protocols=>=TLSv1.2" },
};

static void T38_T51_what_postfix_is_told(void **state)
{
	struct buf reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
		const struct map_row *w = &maps[i];

		begin(w->line);
		say_b(w->mx, w->usage);
		if (w->sts != NULL)
			say_sts(w->sts, "*.b.example");
		buf_init(&reply, 4096);
		socketmap_answer(engine, view_of(w->request), &reply);
		if (strcmp(buf_str(&reply), w->wanted) != 0)
			fail_msg("%s: %s", w->what, buf_str(&reply));
		buf_free(&reply);
		finish();
	}
}

static const struct map_row weaker[] = {
	/* Postfix's dane would be may here */
	{ "encrypt, MX insecure", "default encrypt then dane\n",
	    "tls b.example", DNS_INSECURE, 3, NULL,
	    "OK encrypt protocols=>=TLSv1.2" },
	{ "secure, MX insecure", "default secure then dane\n",
	    "tls b.example", DNS_INSECURE, 3, NULL,
	    "OK secure protocols=>=TLSv1.2" },
	{ "secure, unusable", "default secure then dane\n",
	    "tls b.example", DNS_SECURE, 1, NULL,
	    "OK secure protocols=>=TLSv1.2" },
	{ "enforce, unusable", OPEN, "tls b.example", DNS_SECURE, 1,
	    "enforce", "OK secure match=.b.example servername=hostname "
	    "protocols=>=TLSv1.2" },
	{ "enforce, TLSA, MX insecure", OPEN, "tls b.example", DNS_INSECURE,
	    3, "enforce", "OK secure match=.b.example servername=hostname "
	    "protocols=>=TLSv1.2" },
	/* a name that the DNS alone says */
	{ "hostname", "default secure match hostname\n", "tls b.example",
	    DNS_INSECURE, -1, NULL, "TEMP postseal.conf:2 asks for the "
	    "host's name, but mx.b.example comes from the DNS without "
	    "DNSSEC, which proves nothing" },
	{ "hostname and another", "default secure match hostname:nexthop\n",
	    "tls b.example", DNS_INSECURE, -1, NULL,
	    "OK secure match=nexthop protocols=>=TLSv1.2" },
	{ "hostname, DNSSEC", "default secure match hostname\n",
	    "tls b.example", DNS_SECURE, -1, NULL,
	    "OK secure match=hostname protocols=>=TLSv1.2" },
	/* CAs that it cannot be told of */
	{ "a folder", "default secure ca folder\n", "tls b.example",
	    DNS_INSECURE, -1, NULL, "TEMP postseal.conf:2 asks for ca "
	    "folder, which has a folder or a CRL that Postfix does not look "
	    "at" },
};

/* attack T38: Postfix asks, and has no word for what the policy means
 * verdict: it is told something as strong, or to wait */
static void T38_T51_postfix_is_told_nothing_weaker(void **state)
{
	char folder[] = "/etc/postseal/cas";
	struct ca_block ca = { .name = "folder", .dir = folder };
	struct buf reply;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(weaker); i++) {
		const struct map_row *w = &weaker[i];

		begin(w->line);
		config.ca = &ca;
		config.cas = 1;
		say_b(w->mx, w->usage);
		if (w->sts != NULL)
			say_sts(w->sts, "*.b.example");
		buf_init(&reply, 4096);
		socketmap_answer(engine, view_of(w->request), &reply);
		if (strcmp(buf_str(&reply), w->wanted) != 0)
			fail_msg("%s: %s", w->what, buf_str(&reply));
		buf_free(&reply);
		finish();
	}
}

/* Of hosts with and without TLSA records MTA-STS must not open the door to
 * the first kind. */
static void T51_some_hosts_have_dane(void **state)
{
	struct buf reply;

	(void)state;
	for (int with_sts = 0; with_sts < 2; with_sts++) {
		begin(OPEN);
		say_b(DNS_SECURE, 3);
		say_mx("b.example", 20, "mx2.b.example", DNS_SECURE);
		(void)say_a("mx2.b.example", "8.8.4.4", DNS_INSECURE);
		if (with_sts)
			say_sts("enforce", "*.b.example");
		buf_init(&reply, 4096);
		socketmap_answer(engine, view_of("tls b.example"), &reply);
		assert_string_equal(buf_str(&reply), with_sts ?
		    "OK dane-only" : "OK dane");
		buf_free(&reply);
		finish();
	}
}

static void expect_map(const char *what, const char *request,
    const char *wanted)
{
	struct buf reply;

	buf_init(&reply, 4096);
	socketmap_answer(engine, view_of(request), &reply);
	if (strcmp(buf_str(&reply), wanted) != 0)
		fail_msg("%s: %s", what, buf_str(&reply));
	buf_free(&reply);
}

/* The first of two hosts has TLSA records, and somebody holds them back. */
static void say_held_back(void)
{
	say_mx("b.example", 10, "mx.b.example", DNS_SECURE);
	(void)say_a("mx.b.example", "8.8.8.8", DNS_SECURE);
	say_nothing("mx.b.example", DNS_AAAA, DNS_SECURE);
	say_nothing("_25._tcp.mx.b.example", DNS_TLSA, DNS_FAILED);
	say_mx("b.example", 20, "mx2.b.example", DNS_SECURE);
	(void)say_a("mx2.b.example", "8.8.4.4", DNS_INSECURE);
}

/* attack T51: who sits before one of two hosts lets no TLSA question through,
 * so that Postfix is told nothing, and sends to that host in clear
 * verdict: dane, under which Postfix uses no such host; where more is asked
 * for, which its dane is not, to wait
 */
static void T51_tlsa_held_back_before_postfix(void **state)
{
	(void)state;
	begin(OPEN);
	say_held_back();
	expect_map("may", "tls b.example", "OK dane");
	finish();
	begin(OPEN);
	say_held_back();
	say_sts("enforce", "*.b.example");
	expect_map("enforce", "tls b.example", "TEMP whether mx.b.example "
	    "has TLSA records cannot be found out: scripted");
	finish();
	begin("default encrypt then dane\n");
	say_held_back();
	expect_map("encrypt", "tls b.example", "TEMP whether mx.b.example "
	    "has TLSA records cannot be found out: scripted");
	finish();
}

/* attack T51: of two hosts only one has TLSA records, and the default asks
 * for encryption, with which Postfix looks at none of them
 * verdict: dane-only, so that the host with records proves itself
 */
static void T51_encryption_is_no_way_around_dane(void **state)
{
	(void)state;
	begin("default encrypt then dane\n");
	say_b(DNS_SECURE, 3);
	say_mx("b.example", 20, "mx2.b.example", DNS_SECURE);
	(void)say_a("mx2.b.example", "8.8.4.4", DNS_INSECURE);
	expect_map("encrypt", "tls b.example", "OK dane-only");
	finish();
}

/* attack T38: a next hop in Postfix's words, with the name of a port, which
 * no line seems to be for
 * verdict: it is the port's line; what cannot be read waits
 */
static void T38_a_port_has_a_name_too(void **state)
{
	static const struct {
		const char *request, *wanted;
	} row[] = {
		{ "tls [b.example]:submission",
		    "OK verify protocols=>=TLSv1.2" },
		{ "tls [b.example]:587", "OK verify protocols=>=TLSv1.2" },
		{ "tls b.example:smtp", "OK secure protocols=>=TLSv1.2" },
		{ "tls b.example:25", "OK secure protocols=>=TLSv1.2" },
		{ "tls b.example.", "OK secure protocols=>=TLSv1.2" },
		{ "tls [b.example.]:587", "OK verify protocols=>=TLSv1.2" },
		{ "tls [b.example]:nowhere", "TEMP a next hop that no line "
		    "could be for" },
		{ "tls b.example:99999", "TEMP a next hop that no line could "
		    "be for" },
		{ "tls [b.example", "TEMP a next hop that no line could be "
		    "for" },
		{ "tls unix:private/x", "NOTFOUND " },
	};

	(void)state;
	begin("default may\nto [b.example]:587 verify\nto b.example secure\n");
	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		expect_map(row[i].request, row[i].request, row[i].wanted);
	finish();
}

static void T42_pins_as_postfix_has_them(void **state)
{
	struct buf reply;

	(void)state;
	begin("default may\nto b.example fingerprint sha256:"
	    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
	    "\n");
	buf_init(&reply, 4096);
	socketmap_answer(engine, view_of("tls b.example"), &reply);
	assert_string_equal(buf_str(&reply), "OK fingerprint match=00:01:02:"
	    "03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:"
	    "18:19:1A:1B:1C:1D:1E:1F protocols=>=TLSv1.2");
	assert_string_equal(asked, "");
	buf_free(&reply);
	finish();
}

static void *serve(void *arg)
{
	engine_socketmap(engine, *(int *)arg);
	return NULL;
}

static void a_connection_with_many_requests(void **state)
{
	static const char in[] = "13:tls b.example,13:tls b.example,"
	    "5:tls x,", wanted[] = "12:OK dane-only,12:OK dane-only,"
	    "9:NOTFOUND ,";
	char got[sizeof(wanted)] = "";
	pthread_t t;
	int pair[2];

	(void)state;
	begin(OPEN);
	say_b(DNS_SECURE, 3);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pthread_create(&t, NULL, serve, &pair[1]), 0);
	for (size_t i = 0; i < sizeof(in) - 1; i++)
		assert_int_equal(send(pair[0], in + i, 1, MSG_NOSIGNAL), 1);
	assert_int_equal(io_read_all(pair[0], got, sizeof(wanted) - 1,
	    NULL), 0);
	assert_string_equal(got, wanted);
	/* what is none ends it */
	assert_int_equal(send(pair[0], "x", 1, MSG_NOSIGNAL), 1);
	(void)pthread_join(t, NULL);
	(void)close(pair[0]);
	(void)close(pair[1]);
	finish();
}

/* ---- announcements ---- */

static struct told {
	struct relay_config config;
	char via[40], to[40], got[8192];
	int listening;
} told;

/* Takes one mail by SMTP. */
static void *take_mail(void *arg)
{
	struct told *t = arg;
	int fd = accept(t->listening, NULL, NULL);
	size_t n = 0;
	ssize_t more;
	bool in_data = false;

	(void)send(fd, "220 x\r\n", 7, MSG_NOSIGNAL);
	while (n < sizeof(t->got) - 1 && (more = recv(fd, t->got + n,
	    sizeof(t->got) - 1 - n, 0)) > 0) {
		const char *at = t->got + n, *say = "250 ok\r\n";

		n += (size_t)more;
		t->got[n] = '\0';
		if (in_data && strstr(t->got, "\r\n.\r\n") == NULL)
			continue;
		if (!in_data && strncmp(at, "DATA", 4) == 0) {
			in_data = true;
			say = "354 go\r\n";
		} else {
			in_data = false;
		}
		(void)send(fd, say, 8, MSG_NOSIGNAL);
		if (strncmp(at, "QUIT", 4) == 0)
			break;
	}
	(void)close(fd);
	return NULL;
}

static void listen_for_mail(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t n = sizeof(sa);

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	told.listening = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(told.listening, (struct sockaddr *)&sa, n), 0);
	assert_int_equal(listen(told.listening, 4), 0);
	assert_int_equal(getsockname(told.listening, (struct sockaddr *)&sa,
	    &n), 0);
	(void)snprintf(told.via, sizeof(told.via), "127.0.0.1:%d",
	    ntohs(sa.sin_port));
	text_set(told.to, sizeof(told.to), "alice@a.example");
	told.config.notices_via = told.via;
	told.config.notices_to = told.to;
}

static int mails(struct announcer *a)
{
	struct pollfd p = { told.listening, POLLIN, 0 };
	pthread_t t;

	told.got[0] = '\0';
	assert_int_equal(pthread_create(&t, NULL, take_mail, &told), 0);
	announcer_send(a);
	if (told.got[0] == '\0') {
		/* nobody came: let the thread go */
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in sa;
		socklen_t n = sizeof(sa);

		(void)getsockname(told.listening, (struct sockaddr *)&sa,
		    &n);
		(void)connect(fd, (struct sockaddr *)&sa, n);
		(void)close(fd);
		(void)pthread_join(t, NULL);
		(void)poll(&p, 1, 0);
		return 0;
	}
	(void)pthread_join(t, NULL);
	return 1;
}

static void T42_changes_are_told_once_a_day(void **state)
{
	struct route_seen s = { .has_pins = true, .nexthop = "b.example",
	    .host = "mx.b.example", .because = "postseal.conf:7" };
	struct announcer *a = NULL;
	int64_t now = 1000000;

	(void)state;
	memset(&told, 0, sizeof(told));
	listen_for_mail();
	assert_int_equal(announcer_new(&a, &told.config, NULL), 0);
	/* nothing to say: no certificate, or a good one with time left */
	announcer_seen(a, &s, now);
	s.got.has_cert = s.got.is_verified = true;
	s.got.not_after = now + 14 * 86400;
	announcer_seen(a, &s, now);
	assert_int_equal(mails(a), 0);
	s.got.not_after--;
	announcer_seen(a, &s, now);
	announcer_seen(a, &s, now + 1);
	assert_int_equal(mails(a), 1);
	assert_non_null(strstr(told.got, "ends on 1970-01-26"));
	assert_non_null(strstr(told.got, "postseal.conf:7"));
	assert_non_null(strstr(told.got, "MAIL FROM:<>"));
	s.got.is_verified = false;
	announcer_seen(a, &s, now);
	announcer_seen(a, &s, now + 86399);
	assert_int_equal(mails(a), 1);
	assert_non_null(strstr(told.got, "none of those"));
	announcer_seen(a, &s, now + 86399);
	assert_int_equal(mails(a), 0);
	announcer_seen(a, &s, now + 86400);
	assert_int_equal(mails(a), 1);
	announcer_free(&a);
	(void)close(told.listening);
}

static void T50_a_policy_that_got_weaker_is_told(void **state)
{
	static const struct {
		enum sts_mode was, is;
		int mails;
	} row[] = { { STS_NONE, STS_ENFORCE, 0 },
	    { STS_TESTING, STS_NONE, 0 }, { STS_ENFORCE, STS_ENFORCE, 0 },
	    { STS_ENFORCE, STS_TESTING, 1 }, { STS_ENFORCE, STS_NONE, 1 } };
	struct announcer *a = NULL;

	(void)state;
	memset(&told, 0, sizeof(told));
	listen_for_mail();
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(announcer_new(&a, &told.config, NULL), 0);
		announcer_sts(a, "b.example", row[i].was, row[i].is, 1000);
		assert_int_equal(mails(a), row[i].mails);
		announcer_free(&a);
	}
	(void)close(told.listening);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(netstrings_are_read_strictly),
		cmocka_unit_test(netstrings_of_the_longest_request),
		cmocka_unit_test(T38_T51_what_postfix_is_told),
		cmocka_unit_test(T38_T51_postfix_is_told_nothing_weaker),
		cmocka_unit_test(T51_some_hosts_have_dane),
		cmocka_unit_test(T51_tlsa_held_back_before_postfix),
		cmocka_unit_test(T51_encryption_is_no_way_around_dane),
		cmocka_unit_test(T38_a_port_has_a_name_too),
		cmocka_unit_test(T42_pins_as_postfix_has_them),
		cmocka_unit_test(a_connection_with_many_requests),
		cmocka_unit_test(T42_changes_are_told_once_a_day),
		cmocka_unit_test(T50_a_policy_that_got_weaker_is_told),
	};

	return cmocka_run_group_tests_name("relay_socketmap", tests, NULL,
	    NULL);
}
