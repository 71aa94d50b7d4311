/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Directories without a network: URLs, filters, who serves whom, what is
 * kept of an answer, the cache, servers that are not there.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/find_cache.h"
#include "fetch/find_int.h"
#include "fetch/ldap_text.h"
#include "tests/unit/testca.h"
#include "util/cert.h"

static struct testca ca;

static struct addr address(const char *text)
{
	struct addr a;
	struct err e = {0};

	if (addr_parse(&a, view_of(text), &e) != 0)
		fail_msg("%s: %s", text, e.msg);
	return a;
}

/* ---- URLs ---- */

static void only_plain_ldap_urls_are_taken(void **state)
{
	static const char *const bad[] = {"", "ldap", "ldap:", "ldap:/",
	    "ldap://", "http://h", "ldapi:///", "LDAP://h", "ldap://h/",
	    "ldap://h/o=x", "ldap://h?", "ldap://h:", "ldap://h:0",
	    "ldap://h:65536", "ldap://h:12x", "ldap://h:99999999999",
	    "ldap://u@h", "ldap://h h2", "ldap://[::1", "ldap://[::1]x",
	    "ldap://[h]", "ldap://[]", "ldaps://:636", "ldap://h\n"};
	struct ldap_where w;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (ldap_url_read(&w, bad[i], &e) == 0)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_int_equal(ldap_url_read(&w, "ldap://h.example", &e), 0);
	assert_string_equal(w.host, "h.example");
	assert_int_equal(w.port, 0);
	assert_false(w.is_tls || w.is_loopback);
	assert_int_equal(ldap_url_read(&w, "ldaps://[::1]:6360", &e), 0);
	assert_string_equal(w.host, "::1");
	assert_int_equal(w.port, 6360);
	assert_true(w.is_tls && w.is_loopback);
	assert_int_equal(ldap_url_read(&w, "ldap://127.0.0.7:65535", &e), 0);
	assert_int_equal(w.port, 65535);
	assert_true(w.is_loopback && !w.is_tls);
	assert_int_equal(ldap_url_read(&w, "ldap://localhost.example", &e),
	    0);
	assert_false(w.is_loopback);
}

/* ---- filters ---- */

static void S187_filters_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *filter, *wanted;
	} bad[] = {
		{"", "expected ("},
		{"mail=%s", "expected ("},
		{"(mail=%s", "expected )"},
		{"(mail=%s))", "expected the end"},
		{"(mail=%s)(cn=a)", "expected the end"},
		{"(mail=%s)x", "expected the end"},
		{"(mail=x)", "expected %s once"},
		{"(|(mail=%s)(other=%s))", "%s once and no other %"},
		{"(mail=%d)", "%s once and no other %"},
		{"(mail=%s%)", "%s once and no other %"},
		{"(mail=%", "%s once and no other %"},
		{"(%s=x)", "the name of an attribute"},
		{"(=%s)", "the name of an attribute"},
		{"(mail)", "expected ="},
		{"(mail~%s)", "expected ="},
		{"(mail=\\2)(%s)", "two hex digits"},
		{"(mail=\\", "two hex digits"},
		{"(mail=(%s))", "expected )"},
		{"(&)", "expected ("},
		{"(&(mail=%s)", "expected ( or )"},
		{"(&mail=%s)", "expected ( or )"},
		{"(!(mail=%s)(a=b))", "one filter after !"},
		{"(!)", "expected ("},
		{"((((((((((((((((((mail=%s))))", "the name of an attribute"},
		{"(&(&(&(&(&(&(&(&(&(&(&(&(&(&(&(&(&(a=%s)))))))))))))))))",
		    "no deeper nesting"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};

		if (ldap_filter_check(bad[i].filter, &e) == 0)
			fail_msg("%s was taken", bad[i].filter);
		if (e.kind != FAIL_CONFIG ||
		    strstr(e.msg, bad[i].wanted) == NULL)
			fail_msg("%s: %s", bad[i].filter, e.msg);
	}
}

static void S187_filters_with_one_place_are_taken(void **state)
{
	static const char *const good[] = {"(mail=%s)",
	    "(&(objectClass=inetOrgPerson)(mail=%s))",
	    "(|(mail=%s)(a=b)(!(c=d)))", "(proxyAddresses=smtp:%s)",
	    "(mail=%s*)", "(cn:caseExactMatch:=%s)", "(mail=a\\2a%s)",
	    "(!(mail=%s))", "(a>=%s)", "(a~=%s)", "(a;lang-en=%s)",
	    /* 16 deep */
	    "(&(&(&(&(&(&(&(&(&(&(&(&(&(&(&(&(a=%s)))))))))))))))))"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err e = {0};

		if (ldap_filter_check(good[i], &e) != 0)
			fail_msg("%s: %s", good[i], e.msg);
	}
}

/* attack A56: an address that would end the filter and begin another one
 * verdict: every octet that means something is escaped */
static void S187_an_address_cannot_change_the_filter(void **state)
{
	static const struct {
		const char *raw, *wanted;
	} row[] = {
		{"alice@example.com", "(mail=alice@example.com)"},
		{"*)(uid=*@example.com",
		    "(mail=\\2a\\29\\28uid=\\2a@example.com)"},
		{"a\\b@c", "(mail=a\\5cb@c)"},
		{"a b", "(mail=a\\20b)"},
		{"a\xc3\xa4@c", "(mail=a\\c3\\a4@c)"},
		{"%s@c", "(mail=\\25s@c)"},
		{"a&|!~<>#,\"'/", "(mail=a\\26\\7c\\21\\7e\\3c\\3e\\23\\2c"
		    "\\22\\27\\2f)"},
		{"A.b_c-d+e=f", "(mail=A.b_c-d+e=f)"},
		{"", "(mail=)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct buf b;

		buf_init(&b, 1000);
		ldap_filter_fill(&b, "(mail=%s)", row[i].raw);
		assert_int_equal(buf_ok(&b, NULL), 0);
		assert_string_equal(buf_str(&b), row[i].wanted);
		buf_free(&b);
	}
}

/* ---- which directory ---- */

static void a_directory_serves_its_domains_alone(void **state)
{
	char partner[] = "partner.example", below[] = "*.partner.example",
	    all[] = "any";
	char *one[] = {partner}, *sub[] = {below}, *both[] = {partner, below},
	    *every[] = {all};
	const struct {
		char **domain;
		size_t n;
		const char *who;
		bool wanted;
	} row[] = {
		{one, 1, "bob@partner.example", true},
		{one, 1, "bob@Partner.EXAMPLE", true},
		{one, 1, "bob@a.partner.example", false},
		{one, 1, "bob@xpartner.example", false},
		{sub, 1, "bob@a.partner.example", true},
		{sub, 1, "bob@a.b.partner.example", true},
		{sub, 1, "bob@partner.example", false},
		{sub, 1, "bob@xpartner.example", false},
		{both, 2, "bob@partner.example", true},
		{both, 2, "bob@a.partner.example", true},
		{both, 2, "bob@example", false},
		{every, 1, "bob@anything.test", true},
		{NULL, 0, "bob@partner.example", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct directory d = {.domain = row[i].domain,
		    .domains = row[i].n};
		struct addr a = address(row[i].who);

		if (directories_serve(&d, 1, &a) != row[i].wanted)
			fail_msg("row %zu: %s", i, row[i].who);
	}
	assert_false(directories_serve(NULL, 0,
	    &(struct addr){.text = "a@b", .local_n = 1}));
	assert_false(directories_serve(&(struct directory){.domain = every,
	    .domains = 1}, 1, &(struct addr){.text = ""}));
}

/* ---- what is kept ---- */

static struct view leaf(struct testca_id *id, int64_t not_before)
{
	struct testca_leaf l = {.key = "ec:P-256", .mail = "bob@example.org",
	    .not_before = not_before, .not_after = 4000000000};

	testca_issue(&ca, &l, id);
	return cert_der(id->cert);
}

static void what_is_no_certificate_is_not_kept(void **state)
{
	struct testca_id id;
	struct found_certs f;
	struct view der = leaf(&id, 0);
	unsigned char longer[8192];

	(void)state;
	found_certs_init(&f);
	assert_false(found_certs_take(&f, view_of(""), false));
	assert_false(found_certs_take(&f, view_of("not a certificate"),
	    true));
	assert_false(found_certs_take(&f, view_sub(der, 0, der.n - 1),
	    false));
	assert_true(der.n + 1 < sizeof(longer));
	memcpy(longer, der.p, der.n);
	longer[der.n] = 0;
	assert_false(found_certs_take(&f, view_make(longer, der.n + 1),
	    false));
	assert_int_equal(f.n, 0);
	assert_true(found_certs_take(&f, der, true));
	assert_int_equal(f.n, 1);
	assert_true(f.is_vouched[0]);
	assert_true(view_eq(buf_view(&f.der[0]), der));
	found_certs_free(&f);
	testca_id_free(&id);
}

static bool holds(const struct found_certs *f, struct view der)
{
	for (size_t i = 0; i < f->n; i++)
		if (view_eq(buf_view(&f->der[i]), der))
			return true;
	return false;
}

/* A directory that never forgets has dozens for each: the new ones count. */
static void of_too_many_those_stay_that_began_last(void **state)
{
	struct testca_id id[FIND_CERTS + 3];
	struct found_certs f;

	(void)state;
	found_certs_init(&f);
	for (size_t i = 0; i < ARRAY_LEN(id); i++) {
		/* not in order: 7 and 19 have no common divisor */
		size_t rank = i * 7 % ARRAY_LEN(id);

		(void)leaf(&id[rank], 1000000000 + (int64_t)rank * 1000);
	}
	for (size_t i = 0; i < ARRAY_LEN(id); i++) {
		size_t rank = i * 7 % ARRAY_LEN(id);

		assert_true(found_certs_take(&f, cert_der(id[rank].cert),
		    rank == 18));
	}
	assert_int_equal(f.n, FIND_CERTS);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		if (holds(&f, cert_der(id[i].cert)) != (i >= 3))
			fail_msg("certificate %zu", i);
	for (size_t i = 0; i < f.n; i++)
		assert_int_equal(f.is_vouched[i], view_eq(
		    buf_view(&f.der[i]), cert_der(id[18].cert)));
	found_certs_free(&f);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		testca_id_free(&id[i]);
}

static void warnings_are_said_once(void **state)
{
	struct found_certs f;

	(void)state;
	found_certs_init(&f);
	found_certs_warn(&f, "one");
	found_certs_warn(&f, "two");
	found_certs_warn(&f, "one");
	assert_string_equal(f.warning, "one; two");
	for (int i = 0; i < 100; i++)
		found_certs_warn(&f, i % 2 == 0 ? "a sentence of the length "
		    "that sentences have" : "another one just as long");
	assert_true(strlen(f.warning) < sizeof(f.warning));
	found_certs_free(&f);
}

/* ---- the cache ---- */

static struct find_cache *cache_of(size_t entries, size_t octets)
{
	struct find_cache *c = NULL;

	assert_int_equal(find_cache_new(&c, entries, octets, NULL), 0);
	return c;
}

static enum find_cached look(struct find_cache *c, size_t d, const char *key,
    int64_t now)
{
	struct found_certs f;
	struct err e = {0};
	enum find_cached r;

	found_certs_init(&f);
	r = find_cache_get(c, d, key, now, &f, &e);
	found_certs_free(&f);
	return r;
}

static void an_answer_is_kept_until_its_time(void **state)
{
	struct find_cache *c = cache_of(10, 1 << 20);
	struct found_certs f, g;
	struct err e = {0};

	(void)state;
	found_certs_init(&f);
	found_certs_init(&g);
	f.source = FIND_SMIMEA;
	text_set(f.from, sizeof(f.from), "there");
	text_set(f.warning, sizeof(f.warning), "beware");
	buf_puts(&f.der[0], "one");
	buf_puts(&f.der[1], "two");
	f.is_vouched[1] = true;
	f.n = 2;
	assert_int_equal(look(c, 0, "a@b", 5), FIND_UNKNOWN);
	find_cache_put(c, 0, "a@b", &f, 100);
	assert_int_equal(look(c, 1, "a@b", 5), FIND_UNKNOWN);
	assert_int_equal(look(c, 0, "A@b", 5), FIND_UNKNOWN);
	assert_int_equal(find_cache_get(c, 0, "a@b", 99, &g, &e),
	    FIND_ANSWER);
	assert_int_equal(g.n, 2);
	assert_int_equal(g.source, FIND_SMIMEA);
	assert_string_equal(g.from, "there");
	assert_string_equal(g.warning, "beware");
	assert_string_equal(buf_str(&g.der[1]), "two");
	assert_true(g.is_vouched[1] && !g.is_vouched[0]);
	assert_int_equal(look(c, 0, "a@b", 100), FIND_UNKNOWN);
	assert_int_equal(find_cache_entries(c), 0);
	assert_int_equal(find_cache_octets(c), 0);
	found_certs_free(&f);
	found_certs_free(&g);
	find_cache_free(&c);
	assert_null(c);
}

static void nothing_and_failures_are_kept_too(void **state)
{
	struct find_cache *c = cache_of(10, 1 << 20);
	struct found_certs f;
	struct err e = {FAIL_TEMP, "away"}, got = {0};

	(void)state;
	found_certs_init(&f);
	find_cache_put(c, 0, "a@b", &f, 100);
	assert_int_equal(look(c, 0, "a@b", 5), FIND_ANSWER);
	find_cache_put_failure(c, 0, "a@b", &e, 200);
	assert_int_equal(find_cache_entries(c), 1);
	assert_int_equal(find_cache_get(c, 0, "a@b", 150, &f, &got),
	    FIND_FAILURE);
	assert_int_equal(got.kind, FAIL_TEMP);
	assert_string_equal(got.msg, "away");
	assert_int_equal(look(c, 0, "a@b", 200), FIND_UNKNOWN);
	found_certs_free(&f);
	find_cache_free(&c);
}

static void the_cache_has_bounds(void **state)
{
	struct find_cache *c = cache_of(3, 1 << 20);
	struct found_certs f;
	size_t one;

	(void)state;
	found_certs_init(&f);
	find_cache_put(c, 0, "1", &f, 100);
	one = find_cache_octets(c);
	find_cache_put(c, 0, "2", &f, 100);
	find_cache_put(c, 0, "3", &f, 100);
	/* 1 is asked for again, so 2 is the one that goes */
	assert_int_equal(look(c, 0, "1", 5), FIND_ANSWER);
	find_cache_put(c, 0, "4", &f, 100);
	assert_int_equal(find_cache_entries(c), 3);
	assert_int_equal(look(c, 0, "1", 5), FIND_ANSWER);
	assert_int_equal(look(c, 0, "2", 5), FIND_UNKNOWN);
	assert_int_equal(look(c, 0, "3", 5), FIND_ANSWER);
	assert_int_equal(look(c, 0, "4", 5), FIND_ANSWER);
	find_cache_free(&c);

	/* octets: room for two and a half */
	c = cache_of(100, one * 2 + one / 2);
	find_cache_put(c, 0, "1", &f, 100);
	find_cache_put(c, 0, "2", &f, 100);
	find_cache_put(c, 0, "3", &f, 100);
	assert_int_equal(find_cache_entries(c), 2);
	assert_int_equal(look(c, 0, "1", 5), FIND_UNKNOWN);
	find_cache_free(&c);

	/* what is larger than all of it is not kept, and throws nothing out */
	c = cache_of(100, one + 100);
	find_cache_put(c, 0, "1", &f, 100);
	for (int i = 0; i < 200; i++)
		buf_putc(&f.der[0], 'x');
	f.n = 1;
	find_cache_put(c, 0, "2", &f, 100);
	assert_int_equal(look(c, 0, "1", 5), FIND_ANSWER);
	assert_int_equal(look(c, 0, "2", 5), FIND_UNKNOWN);
	found_certs_free(&f);
	find_cache_free(&c);
}

static void many_entries_stay_consistent(void **state)
{
	struct find_cache *c = cache_of(500, 1 << 24);
	struct found_certs f;
	char key[32];

	(void)state;
	found_certs_init(&f);
	for (unsigned i = 0; i < 5000; i++) {
		struct buf b;

		buf_init(&b, 31);
		buf_printf(&b, "u%u@example.com", i * 7 % 1000);
		text_set(key, sizeof(key), buf_str(&b));
		buf_free(&b);
		find_cache_put(c, i % 3, key, &f, 100 + i);
		if (find_cache_entries(c) > 500)
			fail_msg("%zu entries", find_cache_entries(c));
		assert_int_equal(look(c, i % 3, key, 5), FIND_ANSWER);
	}
	assert_int_equal(find_cache_entries(c), 500);
	found_certs_free(&f);
	find_cache_free(&c);
}

/* ---- servers that are not there ---- */

/* A port of loopback that nobody listens on, as a URL. */
static char *dead_url(const char *scheme)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(sin);
	int s = socket(AF_INET, SOCK_STREAM, 0);
	struct buf b;
	char *url;

	assert_int_not_equal(s, -1);
	assert_int_equal(bind(s, (struct sockaddr *)&sin, n), 0);
	assert_int_equal(getsockname(s, (struct sockaddr *)&sin, &n), 0);
	/* bound to the end: else somebody else may listen there */
	buf_init(&b, 100);
	buf_printf(&b, "%s://127.0.0.1:%d", scheme, ntohs(sin.sin_port));
	url = strdup(buf_str(&b));
	buf_free(&b);
	return url;
}

static void S187_a_server_that_is_away_is_not_nothing(void **state)
{
	char *url[] = {dead_url("ldap")}, all[] = "any", *every[] = {all};
	char filter[] = "(mail=%s)", base[] = "", attribute[] = "x";
	struct directory d = {.source = FIND_LDAP, .domain = every,
	    .domains = 1, .url = url, .urls = 1, .base = base,
	    .filter = filter, .attribute = attribute, .timeout_ms = 2000,
	    .cache_s = 60, .negative_s = 60, .defers = true};
	struct addr a = address("bob@example.org");
	struct finder *f = NULL;
	struct found_certs out;
	struct err e = {0};

	(void)state;
	found_certs_init(&out);
	assert_int_equal(finder_new(&f, &d, 1, &e), 0);
	for (int i = 0; i < 3; i++) {
		err_clear(&e);
		assert_int_equal(finder_find(f, &a, 5000, &out, &e), -1);
		assert_int_equal(e.kind, FAIL_TEMP);
		assert_non_null(strstr(e.msg, url[0]));
		assert_int_equal(out.n, 0);
	}
	/* with on-failure ignore it is, and that is said */
	d.defers = false;
	err_clear(&e);
	assert_int_equal(finder_find(f, &a, 5000, &out, &e), 0);
	assert_int_equal(out.n, 0);
	assert_non_null(strstr(out.warning, url[0]));
	found_certs_free(&out);
	finder_free(&f);
	assert_null(f);
	free(url[0]);
}

static void nobody_is_asked_for_other_domains(void **state)
{
	char *url[] = {dead_url("ldaps")}, d0[] = "partner.example";
	char *domain[] = {d0}, base[] = "", attribute[] = "x";
	struct directory d = {.source = FIND_LDAP, .domain = domain,
	    .domains = 1, .url = url, .urls = 1, .base = base,
	    .filter = base, .attribute = attribute, .timeout_ms = 2000,
	    .defers = true};
	struct addr a = address("bob@example.org");
	struct finder *f = NULL;
	struct found_certs out;
	struct err e = {0};

	(void)state;
	found_certs_init(&out);
	assert_int_equal(finder_new(&f, &d, 1, &e), 0);
	assert_int_equal(finder_find(f, &a, 5000, &out, &e), 0);
	assert_int_equal(out.n, 0);
	assert_string_equal(out.warning, "");
	finder_free(&f);
	found_certs_free(&out);
	free(url[0]);
}

/* ---- servers that answer, or not, as somebody wants them to ---- */

struct server {
	int sock;
	pthread_t thread;
	char url[64];
	char all[4];
	char filter[16], base[1], attribute[2];
	char *urls[1], *every[1];
	struct directory d;
};

static void listen_on(struct server *s)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(sin);
	struct buf b;

	*s = (struct server){.all = "any", .filter = "(mail=%s)",
	    .attribute = "x"};
	s->sock = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(s->sock, (struct sockaddr *)&sin, n), 0);
	assert_int_equal(listen(s->sock, 10), 0);
	assert_int_equal(getsockname(s->sock, (struct sockaddr *)&sin, &n),
	    0);
	buf_init(&b, sizeof(s->url) - 1);
	buf_printf(&b, "ldap://127.0.0.1:%d", ntohs(sin.sin_port));
	text_set(s->url, sizeof(s->url), buf_str(&b));
	buf_free(&b);
	s->urls[0] = s->url;
	s->every[0] = s->all;
	s->d = (struct directory){.source = FIND_LDAP, .domain = s->every,
	    .domains = 1, .url = s->urls, .urls = 1, .base = s->base,
	    .filter = s->filter, .attribute = s->attribute,
	    .timeout_ms = 20000, .defers = true};
}

static int connections(const struct server *s)
{
	struct pollfd p = {s->sock, POLLIN, 0};
	int n = 0, fd;

	while (poll(&p, 1, 0) == 1 && (fd = accept(s->sock, NULL, NULL)) != -1)
		close(fd), n++;
	return n;
}

/* attack A57: mail to a domain whose servers hang, so that others, asked in
 * what is left of the time, do not answer soon enough and are then left alone
 * verdict: who had hardly any time is asked again for the next one */
static void S187_A57_what_was_asked_in_a_hurry_rests_not(void **state)
{
	struct finder *f = NULL;
	struct found_certs out;
	struct addr a = address("bob@example.org");
	struct server s;
	struct err e = {0};

	(void)state;
	found_certs_init(&out);
	listen_on(&s); /* and never answers */
	s.d.timeout_ms = 2000;
	assert_int_equal(finder_new(&f, &s.d, 1, &e), 0);
	assert_int_equal(finder_find(f, &a, 500, &out, &e), -1);
	assert_int_equal(finder_find(f, &a, 500, &out, &e), -1);
	assert_int_equal(connections(&s), 2);
	assert_int_equal(finder_find(f, &a, 5000, &out, &e), -1);
	assert_int_equal(connections(&s), 1);
	/* it had its time: left alone */
	assert_int_equal(finder_find(f, &a, 5000, &out, &e), -1);
	assert_int_equal(connections(&s), 0);
	finder_free(&f);
	found_certs_free(&out);
	close(s.sock);
}

/* SearchResultDone to the first message of each connection. */
static void *serve(void *arg)
{
	static const unsigned char done[] = {0x30, 0x0c, 2, 1, 1, 0x65, 7,
	    0x0a, 1, 0, 4, 0, 4, 0};
	struct server *s = arg;
	unsigned char out[sizeof(done)], in[4096];
	ssize_t n;
	int fd;

	while ((fd = accept(s->sock, NULL, NULL)) != -1) {
		n = read(fd, in, sizeof(in));
		memcpy(out, done, sizeof(done));
		if (n > 0 && memmem(in, (size_t)n, "many@", 5) != NULL)
			out[9] = 4; /* sizeLimitExceeded */
		else if (n > 0 && memmem(in, (size_t)n, "busy@", 5) != NULL)
			out[9] = 51;
		(void)!write(fd, out, sizeof(out));
		close(fd);
	}
	return NULL;
}

/* attack A57: mail to an address that a directory has too much for
 * verdict: deferred, and others are looked up there as before; a server that
 * says that it is busy is left alone */
static void S187_A57_too_much_for_one_says_nothing_of_others(void **state)
{
	struct addr many = address("many@example.org");
	struct addr bob = address("bob@example.org");
	struct addr busy = address("busy@example.org");
	struct finder *f = NULL;
	struct found_certs out;
	struct server s;
	struct err e = {0};

	(void)state;
	found_certs_init(&out);
	listen_on(&s);
	assert_int_equal(pthread_create(&s.thread, NULL, serve, &s), 0);
	assert_int_equal(finder_new(&f, &s.d, 1, &e), 0);
	assert_int_equal(finder_find(f, &many, 60000, &out, &e), -1);
	assert_int_equal(e.kind, FAIL_TEMP);
	assert_non_null(strstr(e.msg, "it answers: "));
	if (finder_find(f, &bob, 60000, &out, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(out.n, 0);
	assert_int_equal(finder_find(f, &busy, 60000, &out, &e), -1);
	assert_int_equal(finder_find(f, &bob, 60000, &out, &e), -1);
	finder_free(&f);
	found_certs_free(&out);
	shutdown(s.sock, SHUT_RDWR);
	pthread_join(s.thread, NULL);
	close(s.sock);
}

/* ---- passwords (A64) ---- */

static int with_password(const char *text, mode_t mode, struct err *e)
{
	char path[] = "/tmp/fetch-find-test-XXXXXX", dn[] = "cn=postseal";
	char *url[] = {path};
	struct directory d = {.source = FIND_LDAP, .url = url, .urls = 1,
	    .bind_dn = dn, .password_file = path};
	struct finder *f = NULL;
	int fd = mkstemp(path), rc;

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	err_clear(e);
	rc = finder_new(&f, &d, 1, e);
	assert_int_equal(f != NULL, rc == 0);
	finder_free(&f);
	unlink(path);
	return rc;
}

static void A64_the_password_file_is_for_nobody_else(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(with_password("secret-word\n", 0644, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
	assert_null(strstr(e.msg, "secret-word"));
	assert_int_equal(with_password("\n", 0600, &e), -1);
	assert_non_null(strstr(e.msg, "RFC 4513"));
	assert_int_equal(with_password("", 0600, &e), -1);
	assert_int_equal(with_password("secret-word\n", 0600, &e), 0);
}

static int setup(void **state)
{
	(void)state;
	testca_init(&ca);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	testca_free(&ca);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_plain_ldap_urls_are_taken),
		cmocka_unit_test(S187_filters_that_are_none_are_refused),
		cmocka_unit_test(S187_filters_with_one_place_are_taken),
		cmocka_unit_test(S187_an_address_cannot_change_the_filter),
		cmocka_unit_test(a_directory_serves_its_domains_alone),
		cmocka_unit_test(what_is_no_certificate_is_not_kept),
		cmocka_unit_test(of_too_many_those_stay_that_began_last),
		cmocka_unit_test(warnings_are_said_once),
		cmocka_unit_test(an_answer_is_kept_until_its_time),
		cmocka_unit_test(nothing_and_failures_are_kept_too),
		cmocka_unit_test(the_cache_has_bounds),
		cmocka_unit_test(many_entries_stay_consistent),
		cmocka_unit_test(S187_a_server_that_is_away_is_not_nothing),
		cmocka_unit_test(nobody_is_asked_for_other_domains),
		cmocka_unit_test(
		    S187_A57_what_was_asked_in_a_hurry_rests_not),
		cmocka_unit_test(
		    S187_A57_too_much_for_one_says_nothing_of_others),
		cmocka_unit_test(A64_the_password_file_is_for_nobody_else),
	};

	return cmocka_run_group_tests_name("fetch_find", tests, setup,
	    teardown);
}
