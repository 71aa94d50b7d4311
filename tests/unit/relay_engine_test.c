/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a host must show: tables of what the DNS, MTA-STS and the lines say,
 * and what comes of it. Routing is in relay_routing_test.c.
 */
#include "tests/unit/relay_world.h"

#include <semaphore.h>
#include <unistd.h>

#define OPEN "default may then dane then sts\n"
#define TLSA "_25._tcp.mx.b.example"

/* ---- DANE ---- */

/* mx.b.example, whose MX record and address are in such a state. */
static void say_host(enum dns_state mx, enum dns_state address)
{
	say_mx("b.example", 10, "mx.b.example", mx);
	(void)say_a("mx.b.example", "8.8.8.8", address);
	if (address == DNS_SECURE)
		say_nothing("mx.b.example", DNS_AAAA, DNS_SECURE);
}

static const struct dane_row {
	const char *what;
	const char *line;
	enum dns_state mx;
	int usage;	/* -1: no record */
	size_t octets;
	enum dns_state tlsa;
	const char *wanted;
} dane[] = {
	/* RFC 7672 2.1: four outcomes, with the MX secure and not */
	{ "usable", OPEN, DNS_SECURE, 3, TLSA_WHOLE, DNS_SECURE,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "unusable", OPEN, DNS_SECURE, 1, TLSA_WHOLE, DNS_SECURE,
	    "encrypt mx.b.example,b.example" },
	{ "none", OPEN, DNS_SECURE, -1, 0, DNS_SECURE, "may" },
	{ "insecure", OPEN, DNS_SECURE, 3, TLSA_WHOLE, DNS_INSECURE, "may" },
	{ "bogus", OPEN, DNS_SECURE, 3, TLSA_WHOLE, DNS_BOGUS, "451 4.7.5" },
	{ "failed", OPEN, DNS_SECURE, 3, TLSA_WHOLE, DNS_FAILED,
	    "451 4.7.5" },
	{ "MX insecure, usable", OPEN, DNS_INSECURE, 3, TLSA_WHOLE,
	    DNS_SECURE, "dane-only+tlsa mx.b.example,b.example" },
	{ "MX insecure, unusable", OPEN, DNS_INSECURE, 0, TLSA_WHOLE,
	    DNS_SECURE, "encrypt mx.b.example,b.example" },
	{ "MX insecure, none", OPEN, DNS_INSECURE, -1, 0, DNS_SECURE,
	    "may" },
	{ "MX insecure, bogus", OPEN, DNS_INSECURE, 3, TLSA_WHOLE,
	    DNS_BOGUS, "451 4.7.5" },
	{ "MX insecure, failed", OPEN, DNS_INSECURE, 3, TLSA_WHOLE,
	    DNS_FAILED, "451 4.7.5" },
	/* records of odd length */
	{ "no octets", OPEN, DNS_SECURE, 3, 0, DNS_SECURE,
	    "encrypt mx.b.example,b.example" },
	{ "three octets", OPEN, DNS_SECURE, 3, 3, DNS_SECURE,
	    "encrypt mx.b.example,b.example" },
	{ "a short digest", OPEN, DNS_SECURE, 3, 34, DNS_SECURE,
	    "encrypt mx.b.example,b.example" },
	{ "a long digest", OPEN, DNS_SECURE, 3, 36, DNS_SECURE,
	    "encrypt mx.b.example,b.example" },
	{ "a usage of tomorrow", OPEN, DNS_SECURE, 4, TLSA_WHOLE,
	    DNS_SECURE, "encrypt mx.b.example,b.example" },
	/* by line */
	{ "dane", "default may\nto b.example dane\n", DNS_SECURE, 2,
	    TLSA_WHOLE, DNS_SECURE,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "dane, none", "default may\nto b.example dane\n", DNS_SECURE, -1,
	    0, DNS_SECURE, "may" },
	{ "dane-only", "default may\nto b.example dane-only\n", DNS_SECURE,
	    3, TLSA_WHOLE, DNS_SECURE,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "dane-only, none", "default may\nto b.example dane-only\n",
	    DNS_SECURE, -1, 0, DNS_SECURE, "451 4.7.5" },
	{ "dane-only, unusable", "default may\nto b.example dane-only\n",
	    DNS_SECURE, 3, 3, DNS_SECURE, "451 4.7.5" },
	{ "dane-only, MX insecure", "default may\nto b.example dane-only\n",
	    DNS_INSECURE, 3, TLSA_WHOLE, DNS_SECURE, "451 4.7.5" },
	{ "may by a line", OPEN "to b.example may\n", DNS_SECURE, 3,
	    TLSA_WHOLE, DNS_SECURE,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "encrypt by a line", OPEN "to b.example encrypt\n", DNS_SECURE, 3,
	    TLSA_WHOLE, DNS_SECURE, "encrypt" },
	{ "secure by a line", OPEN "to b.example secure\n", DNS_SECURE, 3,
	    TLSA_WHOLE, DNS_SECURE, "secure b.example,.b.example" },
	{ "none by a line", OPEN "to b.example none\n", DNS_SECURE, 3,
	    TLSA_WHOLE, DNS_SECURE, "none" },
	{ "no line at all", "", DNS_SECURE, 3, TLSA_WHOLE, DNS_SECURE,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "no default", "to c.example none\n", DNS_SECURE, 3, TLSA_WHOLE,
	    DNS_BOGUS, "451 4.7.5" },
	{ "no dane", "default may\n", DNS_SECURE, 3, TLSA_WHOLE, DNS_SECURE,
	    "may" },
};

/* attack T46: TLSA records of any kind, of any state, or kept from us
 * verdict: what is secure is asked for; what fails bars the host */
static void T46_T47_T48_what_dane_asks_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dane); i++) {
		const struct dane_row *w = &dane[i];
		struct route *r;

		begin(w->line);
		say_host(w->mx, DNS_SECURE);
		if (w->usage < 0)
			say_nothing(TLSA, DNS_TLSA, w->tlsa);
		else
			say_tlsa(TLSA, w->usage, w->octets, w->tlsa);
		r = route();
		if (strcmp(verdict(r), w->wanted) != 0)
			fail_msg("%s: %s", w->what, verdict(r));
		if (r->code == 0 && r->host[0].want.tlsa_base[0] != '\0')
			assert_string_equal(r->host[0].want.sni,
			    "mx.b.example");
		route_free(&r);
		finish();
	}
}

static void T46_one_host_barred_leaves_the_other(void **state)
{
	struct route *r;

	(void)state;
	begin(OPEN);
	say_host(DNS_SECURE, DNS_SECURE);
	say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_BOGUS);
	say_mx("b.example", 20, "mx2.b.example", DNS_SECURE);
	(void)say_a("mx2.b.example", "8.8.4.4", DNS_INSECURE);
	r = route();
	assert_int_equal(r->code, 0);
	assert_int_equal(r->hosts, 2);
	assert_true(r->host[0].is_barred);
	assert_string_equal(r->host[0].barred_result, "dnssec-invalid");
	assert_false(r->host[1].is_barred);
	assert_int_equal(r->host[1].want.level, TLS_MAY);
	route_free(&r);
	finish();
}

/* attack T49: an insecure zone whose servers die of TLSA questions
 * verdict: none is asked where the addresses are not secure */
static void T49_no_tlsa_question_without_secure_addresses(void **state)
{
	(void)state;
	begin(OPEN);
	say_host(DNS_SECURE, DNS_INSECURE);
	say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
	expect("may");
	assert_null(strstr(asked, "TLSA"));
	assert_null(strstr(asked, "CNAME"));
	finish();
	/* one family secure, the other not */
	begin(OPEN);
	say_host(DNS_SECURE, DNS_SECURE);
	records--;
	(void)say_a("mx.b.example", "2600::1", DNS_INSECURE);
	say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
	expect("may");
	assert_null(strstr(asked, "TLSA"));
	finish();
}

static void T49_the_expanded_name_first_then_the_original(void **state)
{
	struct route *r;

	(void)state;
	for (int expanded = 0; expanded < 2; expanded++) {
		begin(OPEN);
		say_mx("b.example", 10, "mx.b.example", DNS_SECURE);
		say_a("mx.b.example", "8.8.8.8", DNS_SECURE)->at =
		    "mail.host.example";
		say_nothing("mx.b.example", DNS_AAAA, DNS_SECURE);
		say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
		if (expanded)
			say_tlsa("_25._tcp.mail.host.example", 3, TLSA_WHOLE,
			    DNS_SECURE);
		r = route();
		assert_string_equal(r->host[0].want.tlsa_base, expanded ?
		    "mail.host.example" : "mx.b.example");
		assert_string_equal(r->host[0].want.sni,
		    r->host[0].want.tlsa_base);
		/* T48: both names are told */
		assert_string_equal(r->host[0].name, "mail.host.example");
		assert_string_equal(r->host[0].original, "mx.b.example");
		route_free(&r);
		finish();
	}
}

/* RFC 7672 2.2.2: the alias is secure, where it leads to is not. */
static void T49_a_secure_alias_to_an_insecure_name(void **state)
{
	static const struct {
		enum dns_state alias;
		const char *wanted;
	} row[] = {
		{ DNS_SECURE, "dane-only+tlsa mx.b.example,b.example" },
		{ DNS_INSECURE, "may" },
		{ DNS_BOGUS, "451 4.7.5" },
		{ DNS_FAILED, "451 4.7.5" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		begin(OPEN);
		say_mx("b.example", 10, "mx.b.example", DNS_SECURE);
		say_a("mx.b.example", "8.8.8.8", DNS_INSECURE)->at =
		    "mail.host.example";
		(void)say("mx.b.example", DNS_CNAME, row[i].alias, "", 1);
		say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
		expect(row[i].wanted);
		assert_null(strstr(asked, "TLSA _25._tcp.mail.host"));
		finish();
	}
}

static void T49_the_port_is_the_real_one(void **state)
{
	(void)state;
	begin("default may\nto b.example dane-only port 465 implicit\n");
	say_host(DNS_SECURE, DNS_SECURE);
	say_tlsa("_465._tcp.mx.b.example", 3, TLSA_WHOLE, DNS_SECURE);
	expect("dane-only+tlsa mx.b.example,b.example");
	finish();
}

static void T47_names_for_dane_ta(void **state)
{
	(void)state;
	begin(OPEN);
	say_mx("b.example", 10, "mx.b.example", DNS_SECURE);
	record[0].at = "c.example";
	(void)say_a("mx.b.example", "8.8.8.8", DNS_SECURE);
	say_nothing("mx.b.example", DNS_AAAA, DNS_SECURE);
	say_tlsa(TLSA, 2, TLSA_WHOLE, DNS_SECURE);
	expect("dane-only+tlsa mx.b.example,b.example,c.example");
	finish();
}

/* attack T46: so many TLSA records that some are not looked at
 * verdict: the host is not used; what was not looked at could be the one */
static void T46_tlsa_records_beyond_the_cap(void **state)
{
	(void)state;
	for (int n = TLS_TLSA_MAX; n <= TLS_TLSA_MAX + 1; n++) {
		begin(OPEN);
		say_host(DNS_SECURE, DNS_SECURE);
		for (int i = 0; i < n; i++)
			say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
		expect(n == TLS_TLSA_MAX ?
		    "dane-only+tlsa mx.b.example,b.example" : "451 4.7.5");
		finish();
	}
}

/* ---- MTA-STS ---- */

static const struct sts_row {
	const char *what, *line, *mode, *mx;
	enum dns_state mx_state;
	bool has_tlsa;
	const char *wanted;
} sts[] = {
	{ "enforce", OPEN, "enforce", "mx.b.example", DNS_INSECURE, false,
	    "secure mx.b.example" },
	{ "a wildcard", OPEN, "enforce", "*.b.example", DNS_INSECURE, false,
	    "secure mx.b.example" },
	{ "another host", OPEN, "enforce", "mx.c.example", DNS_INSECURE,
	    false, "451 4.7.5" },
	{ "too deep", OPEN, "enforce", "*.example", DNS_INSECURE, false,
	    "451 4.7.5" },
	{ "testing", OPEN, "testing", "mx.b.example", DNS_INSECURE, false,
	    "may" },
	{ "testing, another host", OPEN, "testing", "mx.c.example",
	    DNS_INSECURE, false, "may" },
	{ "none", OPEN, "none", "mx.c.example", DNS_INSECURE, false, "may" },
	{ "no sts", "default may then dane\n", "enforce", "mx.c.example",
	    DNS_INSECURE, false, "may" },
	{ "no line at all", "", "enforce", "mx.c.example", DNS_INSECURE,
	    false, "451 4.7.5" },
	{ "may by a line", OPEN "to b.example may\n", "enforce",
	    "mx.b.example", DNS_INSECURE, false, "secure mx.b.example" },
	{ "encrypt by a line", OPEN "to b.example encrypt\n", "enforce",
	    "mx.b.example", DNS_INSECURE, false, "encrypt" },
	{ "none by a line", OPEN "to b.example none\n", "enforce",
	    "mx.b.example", DNS_INSECURE, false, "none" },
	/* T51: DANE decides where DNSSEC leads to the host */
	{ "with DANE", OPEN, "enforce", "mx.b.example", DNS_SECURE, true,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "with DANE, another host", OPEN, "enforce", "mx.c.example",
	    DNS_SECURE, true, "dane-only+tlsa mx.b.example,b.example" },
	/* and the policy where it does not: who lies about the MX would
	 * bring TLSA records of his own */
	{ "MX insecure, DANE of the host", OPEN, "enforce", "mx.c.example",
	    DNS_INSECURE, true, "451 4.7.5" },
	{ "MX insecure, testing", OPEN, "testing", "mx.b.example",
	    DNS_INSECURE, true, "dane-only+tlsa mx.b.example,b.example" },
};

static void T50_T51_T52_what_mta_sts_asks_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sts); i++) {
		const struct sts_row *w = &sts[i];
		struct route *r;

		begin(w->line);
		say_host(w->mx_state, DNS_SECURE);
		say_sts(w->mode, w->mx);
		if (w->has_tlsa)
			say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
		r = route();
		if (strcmp(verdict(r), w->wanted) != 0)
			fail_msg("%s: %s", w->what, verdict(r));
		assert_int_equal(r->sts_testing, strcmp(w->mode,
		    "testing") == 0);
		if (r->sts_testing) {
			assert_string_equal(r->host[0].want.tested,
			    "mx.b.example");
			assert_int_equal(r->host[0].want.is_unnamed,
			    strcmp(w->mx, "mx.b.example") != 0);
		} else if (r->code == 0) {
			assert_string_equal(r->host[0].want.tested, "");
		}
		route_free(&r);
		finish();
	}
}

/* attack T51: TLSA records that cannot be found out, and a policy that would
 * take anybody with a certificate
 * verdict: the host is not used */
static void T51_a_failing_dane_is_not_overridden(void **state)
{
	(void)state;
	begin(OPEN);
	say_host(DNS_SECURE, DNS_SECURE);
	say_sts("enforce", "mx.b.example");
	say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_BOGUS);
	expect("451 4.7.5");
	finish();
}

enum retirement { NEVER, BEFORE, AMID /* a policy that is fetched anew */ };

static int64_t world_time;
static const char *removed; /* amid it; NULL: it is not yet to be */
static sem_t amid;

static int64_t tell_time(void *arg UNUSED)
{
	return world_time;
}

static int fetch_and_retire(void *arg, const char *domain, struct buf *text,
    struct err *e)
{
	if (removed != NULL) {
		(void)unlink(removed);
		removed = NULL;
		engine_retired(engine);
		(void)sem_post(&amid);
	}
	return world_sts(arg, domain, text, e);
}

/* The state of an engine that was asked once: is it on disk at its end? */
static bool is_kept(enum retirement when)
{
	const struct engine_world world = { .dns = { .ask = world_ask },
		.fetch = fetch_and_retire, .now = tell_time };
	static char state[40];
	char path[64];
	bool found;

	text_set(state, sizeof(state), "/tmp/relay-engine-XXXXXX");
	assert_non_null(mkdtemp(state));
	(void)snprintf(path, sizeof(path), "%s/sts-policies", state);
	begin(OPEN);
	engine_free(&engine);
	config.state = state;
	assert_int_equal(engine_new_in(&engine, &config, &world, NULL), 0);
	say_host(DNS_INSECURE, DNS_INSECURE);
	say_sts("enforce", "mx.b.example");
	world_time = 1700000000;
	if (when == BEFORE)
		engine_retired(engine);
	expect("secure mx.b.example");
	if (when == AMID) {
		assert_int_equal(sem_init(&amid, 0, 0), 0);
		world_time += 86400 / 2;
		removed = path;
	}
	engine_second(engine);
	if (when == AMID)
		assert_int_equal(sem_wait(&amid), 0);
	engine_free(&engine);
	config.state = NULL;
	found = unlink(path) == 0;
	assert_int_equal(rmdir(state), 0);
	finish();
	return found;
}

static void T50_who_is_retired_keeps_no_house(void **state)
{
	(void)state;
	assert_true(is_kept(NEVER));
	assert_false(is_kept(BEFORE));
	assert_false(is_kept(AMID));
}

static const struct both_row {
	const char *what, *line;
	enum dns_state mx;
	int usage;
	bool has_sts, require_tls;
	const char *wanted;
} both[] = {
	/* a line that proves more than TLSA records nobody leads to */
	{ "secure", "default secure then dane\n", DNS_INSECURE, 3, false,
	    false, "secure+tlsa b.example,.b.example" },
	{ "secure, unusable", "default secure then dane\n", DNS_SECURE, 1,
	    false, false, "secure b.example,.b.example" },
	{ "secure, DNSSEC", "default secure then dane\n", DNS_SECURE, 3,
	    false, false, "dane-only+tlsa mx.b.example,b.example" },
	{ "some certificate, unusable",
	    "default encrypt require-cert then dane\n", DNS_SECURE, 1,
	    false, false, "encrypt" },
	/* a policy, and records that prove nothing or less */
	{ "enforce", OPEN, DNS_INSECURE, 3, true, false,
	    "secure+tlsa mx.b.example" },
	{ "enforce, unusable", OPEN, DNS_SECURE, 1, true, false,
	    "secure mx.b.example" },
	{ "enforce, unusable, MX insecure", OPEN, DNS_INSECURE, 1, true,
	    false, "secure mx.b.example" },
	/* REQUIRETLS: DANE of the host is checked beside the policy */
	{ "REQUIRETLS", OPEN, DNS_INSECURE, 3, true, true,
	    "secure+tlsa mx.b.example" },
};

/* attack T51: an MX record that nobody signed leads to a host with TLSA
 * records of the attacker's, or the host's own records cannot be used, where
 * a line or an MTA-STS policy asks for more
 * verdict: what asks for more decides, and usable records must hold as well */
static void T46_T48_T51_dane_never_makes_it_less(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		const struct both_row *w = &both[i];
		const struct route_query q = {
			.require_tls = w->require_tls };
		struct route *r;

		begin(w->line);
		say_host(w->mx, DNS_SECURE);
		say_tlsa(TLSA, w->usage, TLSA_WHOLE, DNS_SECURE);
		if (w->has_sts)
			say_sts("enforce", "mx.b.example");
		r = route_with(&q);
		if (strcmp(verdict(r), w->wanted) != 0)
			fail_msg("%s: %s", w->what, verdict(r));
		if (strstr(w->line, "require-cert") != NULL)
			assert_true(r->host[0].want.require_cert);
		route_free(&r);
		finish();
	}
}

/* attack T51: who holds the TLSA answer back, beside a policy and an MX record
 * that nobody signed
 * verdict: the host is not used */
static void T51_tlsa_held_back_beside_a_policy(void **state)
{
	(void)state;
	begin(OPEN);
	say_host(DNS_INSECURE, DNS_SECURE);
	say_sts("enforce", "mx.b.example");
	say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_FAILED);
	expect("451 4.7.5");
	finish();
}

static void T52_a_policy_means_tls_1_2_at_least(void **state)
{
	struct route *r;

	(void)state;
	begin("default may protocols 1.0-1.3 then dane then sts\n");
	say_host(DNS_INSECURE, DNS_INSECURE);
	say_sts("enforce", "mx.b.example");
	r = route();
	assert_string_equal(verdict(r), "secure mx.b.example");
	assert_int_equal(r->host[0].want.min, TLS_V_1_2);
	assert_string_equal(r->host[0].want.sni, "mx.b.example");
	route_free(&r);
	finish();
}

/* ---- lines ---- */

static const struct line_row {
	const char *line;
	enum dns_state mx;
	const char *wanted;
} line_rows[] = {
	{ "default none\n", DNS_INSECURE, "none" },
	{ "default may\n", DNS_INSECURE, "may" },
	{ "default encrypt\n", DNS_INSECURE, "encrypt" },
	{ "default secure\n", DNS_INSECURE, "secure b.example,.b.example" },
	{ "default secure match hostname\n", DNS_INSECURE, "451 4.7.5" },
	{ "default secure match hostname\n", DNS_SECURE,
	    "secure mx.b.example" },
	{ "default secure match hostname:nexthop\n", DNS_INSECURE,
	    "secure b.example" },
	{ "default secure match mx.c.example:.d.example\n", DNS_INSECURE,
	    "secure mx.c.example,.d.example" },
	{ "default verify\n", DNS_INSECURE, "verify mx.b.example" },
	{ "default verify\n", DNS_SECURE, "verify mx.b.example" },
	{ "default verify match dot-nexthop\n", DNS_INSECURE,
	    "verify .b.example" },
	{ "default may\nto b.example secure on-fail permanent\n", DNS_BOGUS,
	    "451 4.7.5" },
};

/* attack A70: an MX record that nobody signed leads to a host with a good
 * certificate of its own
 * verdict: secure never takes a name from there */
static void T39_A70_which_names_a_line_asks_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(line_rows); i++) {
		begin(line_rows[i].line);
		say_host(line_rows[i].mx, DNS_INSECURE);
		expect(line_rows[i].wanted);
		finish();
	}
}

static void T38_T43_attributes_of_a_line(void **state)
{
	struct route *r;

	(void)state;
	begin("default may\nto b.example from @a.example fingerprint "
	    "sha256:000102030405060708090a0b0c0d0e0f"
	    "101112131415161718191a1b1c1d1e1f pki mine servername nexthop "
	    "port 2525\n");
	say_host(DNS_INSECURE, DNS_INSECURE);
	r = route();
	assert_string_equal(verdict(r), "fingerprint");
	assert_int_equal(r->host[0].want.pins, 1);
	assert_int_equal(r->host[0].want.pin[0].sha256[31], 0x1f);
	assert_string_equal(r->host[0].want.pki, "mine");
	assert_string_equal(r->host[0].want.sni, "b.example");
	assert_int_equal(ntohs(((struct sockaddr_in *)&r->host[0].sa)
	    ->sin_port), 2525);
	assert_string_equal(r->host[0].want.because, "postseal.conf:3");
	route_free(&r);
	finish();
}

static void T43_a_certificate_of_the_sender(void **state)
{
	static const struct {
		const char *from, *pki;
	} row[] = { { "alice@a.example", "hers" },
	    { "bob@a.example", "ours" }, { "bob@c.example", "" },
	    { "", "" }, { "bob@A.Example", "ours" },
	    { "bob@b\xc3\xbc" "cher.example", "theirs" },
	    { "bob@xn--BCHER-kva.example", "theirs" } };
	char domain[] = "@a.example", person[] = "alice@a.example";
	char other[] = "@xn--bcher-kva.example";
	struct sender_cert cert[] = { { domain, "ours" },
	    { person, "hers" }, { other, "theirs" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		const struct route_query q = { .from = row[i].from };
		struct route *r;

		begin("default encrypt\n");
		config.sender_cert = cert;
		config.sender_certs = ARRAY_LEN(cert);
		say_host(DNS_INSECURE, DNS_INSECURE);
		r = route_with(&q);
		assert_string_equal(r->host[0].want.pki, row[i].pki);
		route_free(&r);
		finish();
	}
}

/* ---- what the message asks for ---- */

static const struct message_row {
	const char *what, *line;
	enum dns_state mx;
	bool has_tlsa;
	const char *sts; /* mode */
	bool require_tls, tls_optional, verified;
	const char *wanted;
} messages[] = {
	{ "REQUIRETLS, MX secure", OPEN, DNS_SECURE, false, NULL, true,
	    false, false, "secure mx.b.example" },
	{ "REQUIRETLS, DANE", OPEN, DNS_SECURE, true, NULL, true, false,
	    false, "dane-only+tlsa mx.b.example,b.example" },
	{ "REQUIRETLS, nothing", OPEN, DNS_INSECURE, false, NULL, true,
	    false, false, "550 5.7.30" },
	{ "REQUIRETLS, DANE of a host that nobody vouches for", OPEN,
	    DNS_INSECURE, true, NULL, true, false, false, "550 5.7.30" },
	{ "REQUIRETLS, enforce", OPEN, DNS_INSECURE, false, "enforce", true,
	    false, false, "secure mx.b.example" },
	{ "REQUIRETLS, testing", OPEN, DNS_INSECURE, false, "testing", true,
	    false, false, "secure mx.b.example" },
	{ "REQUIRETLS, secure", "default secure\n", DNS_INSECURE, false,
	    NULL, true, false, false, "secure b.example,.b.example" },
	{ "REQUIRETLS, verify by the DNS", "default verify\n", DNS_INSECURE,
	    false, NULL, true, false, false, "550 5.7.30" },
	{ "REQUIRETLS, none", OPEN "to b.example none\n", DNS_SECURE, false,
	    NULL, true, false, false, "secure mx.b.example" },
	{ "TLS-Required: No, DANE", OPEN, DNS_SECURE, true, NULL, false,
	    true, false, "may" },
	{ "TLS-Required: No, enforce", OPEN, DNS_INSECURE, false, "enforce",
	    false, true, false, "may" },
	{ "TLS-Required: No, dane", OPEN "to b.example dane\n", DNS_SECURE,
	    true, NULL, false, true, false, "may" },
	{ "TLS-Required: No, dane-only", OPEN "to b.example dane-only\n",
	    DNS_SECURE, true, NULL, false, true, false,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "TLS-Required: No, secure", OPEN "to b.example secure\n",
	    DNS_SECURE, true, NULL, false, true, false,
	    "secure b.example,.b.example" },
	{ "TLS-Required: No, default encrypt",
	    "default encrypt then dane then sts\n", DNS_SECURE, true, NULL,
	    false, true, false, "encrypt" },
	{ "TLS-Required: No and REQUIRETLS", OPEN, DNS_SECURE, true, NULL,
	    true, true, false, "dane-only+tlsa mx.b.example,b.example" },
	{ "TLS-Required: No and verified", OPEN, DNS_SECURE, true, NULL,
	    false, true, true, "dane-only+tlsa mx.b.example,b.example" },
	{ "verified, nothing", OPEN, DNS_INSECURE, false, NULL, false, false,
	    true, "secure b.example,.b.example" },
	{ "verified, MX secure", OPEN, DNS_SECURE, false, NULL, false, false,
	    true, "secure b.example,.b.example,mx.b.example" },
	{ "verified, DANE", OPEN, DNS_SECURE, true, NULL, false, false, true,
	    "dane-only+tlsa mx.b.example,b.example" },
	{ "verified, DANE of a host that nobody vouches for", OPEN,
	    DNS_INSECURE, true, NULL, false, false, true,
	    "secure+tlsa b.example,.b.example" },
	{ "verified, enforce", OPEN, DNS_INSECURE, false, "enforce", false,
	    false, true, "secure mx.b.example" },
	{ "verified, testing", OPEN, DNS_INSECURE, false, "testing", false,
	    false, true, "secure b.example,.b.example" },
	{ "verified, none", OPEN "to b.example none\n", DNS_INSECURE, false,
	    NULL, false, false, true, "secure b.example,.b.example" },
	{ "verified, encrypt", "default encrypt\n", DNS_INSECURE, false,
	    NULL, false, false, true, "secure b.example,.b.example" },
	{ "verified, verify by the DNS", "default verify\n", DNS_INSECURE,
	    false, NULL, false, false, true, "secure b.example,.b.example" },
	{ "verified, verify by name",
	    "default verify match mail.c.example\n", DNS_INSECURE, false,
	    NULL, false, false, true, "verify mail.c.example" },
};

static void T54_T55_T56_what_messages_ask_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		const struct message_row *w = &messages[i];
		const struct route_query q = {
			.require_tls = w->require_tls,
			.tls_optional = w->tls_optional,
			.verified = w->verified };
		struct route *r;

		begin(w->line);
		say_host(w->mx, DNS_SECURE);
		if (w->has_tlsa)
			say_tlsa(TLSA, 3, TLSA_WHOLE, DNS_SECURE);
		if (w->sts != NULL)
			say_sts(w->sts, "mx.b.example");
		r = route_with(&q);
		if (strcmp(verdict(r), w->wanted) != 0)
			fail_msg("%s: %s", w->what, verdict(r));
		if (r->code == 0)
			assert_int_equal(r->host[0].want.require_tls,
			    w->require_tls);
		route_free(&r);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T46_T47_T48_what_dane_asks_for),
		cmocka_unit_test(T46_one_host_barred_leaves_the_other),
		cmocka_unit_test(
		    T49_no_tlsa_question_without_secure_addresses),
		cmocka_unit_test(
		    T49_the_expanded_name_first_then_the_original),
		cmocka_unit_test(T49_a_secure_alias_to_an_insecure_name),
		cmocka_unit_test(T49_the_port_is_the_real_one),
		cmocka_unit_test(T47_names_for_dane_ta),
		cmocka_unit_test(T46_tlsa_records_beyond_the_cap),
		cmocka_unit_test(T50_T51_T52_what_mta_sts_asks_for),
		cmocka_unit_test(T51_a_failing_dane_is_not_overridden),
		cmocka_unit_test(T50_who_is_retired_keeps_no_house),
		cmocka_unit_test(T46_T48_T51_dane_never_makes_it_less),
		cmocka_unit_test(T51_tlsa_held_back_beside_a_policy),
		cmocka_unit_test(T52_a_policy_means_tls_1_2_at_least),
		cmocka_unit_test(T39_A70_which_names_a_line_asks_for),
		cmocka_unit_test(T38_T43_attributes_of_a_line),
		cmocka_unit_test(T43_a_certificate_of_the_sender),
		cmocka_unit_test(T54_T55_T56_what_messages_ask_for),
	};

	return cmocka_run_group_tests_name("relay_engine", tests, NULL,
	    NULL);
}
