/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A DNS and an HTTPS of a test's own for the engine: what is not said does
 * not exist. Every question is noted.
 */
#ifndef TESTS_UNIT_RELAY_WORLD_H
#define TESTS_UNIT_RELAY_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/in.h>

#include <cmocka.h>

#include "relay/engine_int.h"

struct record {
	const char *name;
	enum dns_type type;
	enum dns_state state;
	const char *at;	   /* after CNAMEs; NULL: the name itself */
	bool is_nxdomain;
	unsigned char rdata[400];
	size_t n;
	bool is_empty;	   /* no data */
};

static struct record record[64];
static size_t records;
static char asked[8192]; /* "MX a.example;" */
static const char *sts_text; /* of the policy; NULL: HTTPS fails */
static struct relay_config config;
static struct relay_route routes[4];
static struct conf *lines;
static struct engine *engine;

static const char *type_word(enum dns_type t)
{
	return t == DNS_MX ? "MX" : t == DNS_A ? "A" : t == DNS_AAAA ?
	    "AAAA" : t == DNS_TLSA ? "TLSA" : t == DNS_TXT ? "TXT" : "CNAME";
}

static void world_ask(void *arg, const char *name, enum dns_type type,
    int64_t deadline, struct dns_answer *out)
{
	size_t n = strlen(asked), i;
	bool found = false;

	(void)arg;
	(void)deadline;
	(void)snprintf(asked + n, sizeof(asked) - n, "%s %s;",
	    type_word(type), name);
	dns_answer_init(out, name, DNS_INSECURE);
	out->ttl_s = 300;
	for (i = 0; i < records; i++) {
		const struct record *r = &record[i];

		if (r->type != type || strcmp(r->name, name) != 0)
			continue;
		found = true;
		out->state = r->state;
		out->is_nxdomain = r->is_nxdomain;
		if (r->at != NULL)
			text_set(out->name, sizeof(out->name), r->at);
		if (r->state < DNS_INSECURE)
			text_set(out->why, sizeof(out->why), "scripted");
		else if (!r->is_empty && !r->is_nxdomain)
			dns_answer_add(out, r->rdata, r->n);
	}
	out->is_nxdomain |= !found;
}

static int world_sts(void *arg, const char *domain, struct buf *text,
    struct err *e)
{
	(void)arg;
	(void)domain;
	if (sts_text == NULL)
		return err_set(e, FAIL_TEMP, "scripted");
	buf_puts(text, sts_text);
	return 0;
}

UNUSED static struct record *say(const char *name, enum dns_type type,
    enum dns_state state, const void *rdata, size_t n)
{
	struct record *r = &record[records++];

	assert_true(records <= ARRAY_LEN(record) && n <= sizeof(r->rdata));
	*r = (struct record){ .name = name, .type = type, .state = state,
	    .n = n };
	if (n > 0)
		memcpy(r->rdata, rdata, n);
	return r;
}

/* No records of the name: in a zone that is secure, or not; or no answer. */
UNUSED static void say_nothing(const char *name, enum dns_type type,
    enum dns_state state)
{
	say(name, type, state, NULL, 0)->is_empty = true;
}

UNUSED static size_t put_name(unsigned char *to, const char *name)
{
	size_t n = 0, label;

	while (*name != '\0') {
		label = strcspn(name, ".");
		to[n++] = (unsigned char)label;
		memcpy(to + n, name, label);
		n += label;
		name += label;
		name += *name == '.';
	}
	to[n++] = 0;
	return n;
}

UNUSED static void say_mx(const char *domain, int preference,
    const char *host, enum dns_state state)
{
	unsigned char rdata[300] = { 0, (unsigned char)preference };
	size_t n = put_name(rdata + 2, host);

	(void)say(domain, DNS_MX, state, rdata, n + 2);
}

UNUSED static struct record *say_a(const char *host, const char *ip,
    enum dns_state state)
{
	unsigned char rdata[16];
	bool six = strchr(ip, ':') != NULL;

	assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, ip, rdata), 1);
	return say(host, six ? DNS_AAAA : DNS_A, state, rdata, six ? 16 : 4);
}

/* TLSA u 1 1 with 32 octets, or as long as n says. */
UNUSED static void say_tlsa(const char *name, int usage, size_t n,
    enum dns_state state)
{
	unsigned char rdata[400] = { (unsigned char)usage, 1, 1 };

	(void)say(name, DNS_TLSA, state, rdata, n);
}
#define TLSA_WHOLE 35

UNUSED static void say_txt(const char *name, const char *text)
{
	char rdata[256];

	rdata[0] = (char)strlen(text);
	memcpy(rdata + 1, text, strlen(text));
	(void)say(name, DNS_TXT, DNS_INSECURE, rdata, strlen(text) + 1);
}

UNUSED static void say_sts(const char *mode, const char *mx)
{
	static char text[300];

	say_txt("_mta-sts.b.example", "v=STSv1; id=1;");
	(void)snprintf(text, sizeof(text), "version: STSv1\nmode: %s\n"
	    "mx: %s\nmax_age: 86400\n", mode, mx);
	sts_text = text;
}

/* An engine with these lines of tls-policy { }. */
UNUSED static void begin(const char *policy)
{
	const struct engine_world world = { .dns = { .ask = world_ask },
	    .fetch = world_sts };
	struct conf_errors ce;
	struct err e = {0};
	struct buf text;

	records = 0;
	asked[0] = '\0';
	sts_text = NULL;
	conf_errors_init(&ce);
	buf_init(&text, 4096);
	buf_printf(&text, "tls-policy {\n%s}\n", policy);
	assert_int_equal(conf_read_text(&lines, "postseal.conf",
	    buf_view(&text), &ce), 0);
	buf_free(&text);
	memset(&config, 0, sizeof(config));
	if (tls_rules_read(&config.rules, lines->stmt, &ce) != 0)
		fail_msg("%s", buf_str(&ce.text));
	conf_errors_free(&ce);
	memset(routes, 0, sizeof(routes));
	text_set(routes[0].name, RELAY_NAME, "egress");
	routes[0].mx = true;
	routes[0].port = 25;
	routes[0].level = -1;
	config.route = routes;
	config.routes = 1;
	if (engine_new_in(&engine, &config, &world, &e) != 0)
		fail_msg("%s", e.msg);
}

UNUSED static void finish(void)
{
	engine_free(&engine);
	tls_rules_free(&config.rules);
	conf_free(&lines);
}

/* The route of bob@b.example; story is printed when POSTSEAL_STORY is set. */
UNUSED static struct route *route_with(const struct route_query *more)
{
	struct route_query q = *more;
	struct route *r = NULL;
	struct buf story;

	q.route = q.route == NULL ? "egress" : q.route;
	q.rcpt = q.rcpt == NULL ? "bob@b.example" : q.rcpt;
	q.from = q.from == NULL ? "alice@a.example" : q.from;
	buf_init(&story, 65536);
	engine_route(engine, &q, &r, &story);
	if (getenv("POSTSEAL_STORY") != NULL)
		print_message("%s", buf_str(&story));
	buf_free(&story);
	assert_non_null(r);
	return r;
}

UNUSED static struct route *route(void)
{
	const struct route_query q = { .route = NULL };

	return route_with(&q);
}

/* "secure mx.b.example,.b.example": level and names of a host, "barred
 * RESULT", or "CODE ENHANCED" of the route. */
UNUSED static const char *verdict(const struct route *r)
{
	static char text[600];
	const struct route_host *h = r->host;
	size_t n;

	if (r->code != 0) {
		(void)snprintf(text, sizeof(text), "%d %s", r->code,
		    r->enhanced);
		return text;
	}
	if (h->is_barred) {
		(void)snprintf(text, sizeof(text), "barred %s",
		    h->barred_result);
		return text;
	}
	n = (size_t)snprintf(text, sizeof(text), "%s%s",
	    tls_level_str(h->want.level), h->want.tlsas > 0 ? "+tlsa" : "");
	for (size_t i = 0; i < h->want.names && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%c%s",
		    i == 0 ? ' ' : ',', h->want.name[i]);
	return text;
}

UNUSED static void expect_with(const struct route_query *q,
    const char *wanted)
{
	struct route *r = route_with(q);

	assert_string_equal(verdict(r), wanted);
	route_free(&r);
}

UNUSED static void expect(const char *wanted)
{
	const struct route_query q = { .route = NULL };

	expect_with(&q, wanted);
}

#endif
