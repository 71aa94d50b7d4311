/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Lists: names, plans, and answers of a server that may say anything.
 */
#include "tests/unit/gateway_world.h"

#include "gateway/lists.h"

#define DAY0 ((int64_t)1790000000)

static struct world w;
static struct lists *plan;
static struct fetch_job job;

#define CONF "directory {\nldap \"ldap://127.0.0.1\"\nname staff\n" \
	"lists-every 10m\n}\n"                                              \
	"address-map ldap staff \"(mail=*)\" address mail opens-with owner\n" \
	"authority ldap staff \"(uid=*)\" login uid address mail\n"

static int make_world(void **state)
{
	(void)state;
	world_make(&w);
	world_config(&w, CONF);
	fetch_job_init(&job);
	assert_int_equal(lists_new(&plan, w.config, NULL, w.ks, NULL), 0);
	assert_int_equal(lists_count(plan), 2);
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	lists_free(&plan);
	fetch_job_free(&job);
	world_end(&w);
	return 0;
}

static void a_name_is_all_that_a_list_is(void **state)
{
	static const char *const bad[] = {"", "group", "group d mail -",
	    "group d mail - (x", "group d mail value (x=y)",
	    "authority d uid - (x=y)", "club d mail - (x=y)",
	    "group d userPassword - (x=y)", "group d m*il - (x=y)",
	    "group d mail - (mail=%s)", "group  mail - (x=y)"};
	char name[LIST_NAME_SIZE];
	struct list_source s;

	(void)state;
	lists_name(&w.config->list[1], name);
	assert_string_equal(name, "authority staff uid mail (uid=*)");
	assert_int_equal(lists_name_read(&s, name, NULL), 0);
	assert_int_equal(s.kind, LIST_AUTHORITY);
	assert_string_equal(s.what, "uid");
	assert_string_equal(s.value, "mail");
	assert_string_equal(s.filter, "(uid=*)");
	list_source_free(&s);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(lists_name_read(&s, bad[i], NULL), -1);
}

/* ---- answers ---- */

/* "what=value" each, for the list that is the i-th. */
static struct lists_outcome answer(size_t i, const char *const *pair,
    size_t n, int64_t now)
{
	struct lists_outcome o;
	struct buf b;

	buf_init(&b, 1u << 20);
	for (size_t k = 0; k < n; k++) {
		const char *is = strchr(pair[k], '=');
		size_t at = is == NULL ? strlen(pair[k])
				       : (size_t)(is - pair[k]);

		ipc_put_view(&b, view_make(pair[k], at));
		ipc_put_view(&b, view_of(is == NULL ? "" : is + 1));
	}
	assert_true(lists_nth(plan, i, &job));
	assert_int_equal(lists_done(plan, &job, now, buf_view(&b), NULL, &o,
	    NULL), 0);
	buf_free(&b);
	return o;
}

static int same_value(void *arg, const char *value, struct err *e)
{
	bool *found = arg;

	(void)e;
	*found = *found || strcmp(value, "alice@example.com") == 0;
	return 0;
}

/* Does what have alice@example.com in the i-th list? */
static bool has_alice(size_t i, const char *what)
{
	enum listed_answer known;
	bool found = false;

	assert_true(lists_nth(plan, i, &job));
	assert_int_equal(keystore_listed_values(w.ks, job.url, what,
	    same_value, &found, &known, NULL), 0);
	return found;
}

static void what_a_server_says_is_brought_into_form(void **state)
{
	static const char *const map[] = {
		"Info@Example.com=Alice@EXAMPLE.com", /* folded */
		"smtp:shared@example.com=SMTP:alice@example.com",
		"@Example.com=alice@example.com",
		"x@example.com=@example.com", /* a domain has no key */
		"no address=alice@example.com", "y@example.com=",
		"=alice@example.com", "@=alice@example.com"};
	static const char *const authority[] = {
		"Bob=Alice@example.com", "bob=@Example.com", "=a@b.example",
		"dave=rubbish"};
	struct lists_outcome o;

	(void)state;
	o = answer(0, map, ARRAY_LEN(map), DAY0);
	assert_true(o.ok && o.changed && o.is_rights);
	assert_int_equal(o.pairs, 3);
	assert_int_equal(o.left_out, 5);
	assert_true(has_alice(0, "info@example.com"));
	assert_true(has_alice(0, "shared@example.com"));
	assert_true(has_alice(0, "@example.com"));
	o = answer(1, authority, ARRAY_LEN(authority), DAY0);
	assert_int_equal(o.pairs, 2);
	/* a login is itself (T32) */
	assert_true(has_alice(1, "Bob"));
	assert_false(has_alice(1, "bob"));
}

/* attack: who has the directory's place answers with octets of his own
 * verdict: not taken, what was there holds */
static void a_malformed_answer_changes_nothing(void **state)
{
	static const char *const good[] = {"a@example.com=alice@example.com"};
	struct lists_outcome o;

	(void)state;
	(void)answer(0, good, 1, DAY0);
	assert_true(lists_nth(plan, 0, &job));
	assert_int_equal(lists_done(plan, &job, DAY0 + 1,
	    view_make("\0\0\0\7abc", 7), NULL, &o, NULL), 0);
	assert_false(o.ok);
	assert_non_null(strstr(o.error, "malformed"));
	assert_true(has_alice(0, "a@example.com"));
}

static void a_failure_is_tried_again_and_the_old_list_holds(void **state)
{
	static const char *const good[] = {"a@example.com=alice@example.com"};
	const struct err why = {FAIL_TEMP, "away"};
	struct lists_outcome o;
	int64_t again;

	(void)state;
	(void)answer(0, good, 1, DAY0);
	(void)answer(1, good, 1, DAY0);
	assert_int_equal(lists_next(plan, DAY0 + 599, &job, &again, NULL), 0);
	assert_int_equal(again, 1);
	assert_int_equal(lists_next(plan, DAY0 + 600, &job, &again, NULL), 1);
	assert_int_equal(job.kind, FETCH_LIST);
	assert_int_equal(lists_done(plan, &job, DAY0 + 600,
	    view_make(NULL, 0), &why, &o, NULL), 0);
	assert_false(o.ok);
	assert_true(has_alice(0, "a@example.com"));
	/* the other one, then this one again in a minute */
	(void)answer(1, good, 1, DAY0 + 600);
	assert_int_equal(lists_next(plan, DAY0 + 601, &job, &again, NULL), 0);
	assert_int_equal(again, 59);
}

/* attack: a directory that lost its entries, so that who must be encrypted
 * to is in no group any more
 * verdict: taken only when it says the same twice */
static void a_list_that_shrinks_is_looked_at_twice(void **state)
{
	static const char *const many[] = {
		"a@example.com=alice@example.com",
		"b@example.com=alice@example.com",
		"c@example.com=alice@example.com",
		"d@example.com=alice@example.com",
		"e@example.com=alice@example.com"};
	struct lists_outcome o;

	(void)state;
	(void)answer(0, many, 5, DAY0);
	o = answer(0, many, 1, DAY0 + 600);
	assert_true(!o.ok && o.is_waiting);
	assert_true(has_alice(0, "e@example.com"));
	/* something else: doubted anew */
	o = answer(0, NULL, 0, DAY0 + 660);
	assert_true(!o.ok && o.is_waiting);
	o = answer(0, NULL, 0, DAY0 + 720);
	assert_true(o.ok && o.changed);
	assert_false(has_alice(0, "e@example.com"));
	/* more than half is left: no reason to doubt */
	(void)answer(0, many, 5, DAY0 + 800);
	o = answer(0, many, 3, DAY0 + 900);
	assert_true(o.ok);
}

/* attack A47: the directory is empty for a moment, and of a small group nobody
 * would have to be encrypted to
 * verdict: nothing at all is believed when it is said twice */
static void A47_of_few_none_is_doubted_too(void **state)
{
	static const char *const few[] = {"a@example.com=alice@example.com"};
	struct lists_outcome o;

	(void)state;
	(void)answer(0, NULL, 0, DAY0 + 1000);
	(void)answer(0, NULL, 0, DAY0 + 1060);
	o = answer(0, few, 1, DAY0 + 1120);
	assert_true(o.ok);
	o = answer(0, NULL, 0, DAY0 + 1180);
	assert_true(!o.ok && o.is_waiting);
	assert_true(has_alice(0, "a@example.com"));
	o = answer(0, NULL, 0, DAY0 + 1240);
	assert_true(o.ok && o.changed);
	assert_false(has_alice(0, "a@example.com"));
}

static void lists_of_yesterday_are_forgotten(void **state)
{
	struct listed_news none = {NULL, 0, DAY0, DAY0};
	struct listed_state s;
	int64_t again;
	bool changed;

	(void)state;
	assert_int_equal(listed_replace(w.ks, "group old mail - (x=y)", &none,
	    &changed, NULL), 0);
	(void)answer(0, NULL, 0, DAY0);
	(void)answer(1, NULL, 0, DAY0);
	while (lists_next(plan, DAY0 + 1, &job, &again, NULL) == 0 &&
	    again == 0)
		;
	assert_int_equal(listed_state(w.ks, "group old mail - (x=y)", &s,
	    NULL), 0);
	assert_int_equal(s.fetched, 0);
}

static void statements_have_their_errors(void **state)
{
	static const struct {
		const char *text, *error;
	} k[] = {
		{"address-map ldap else \"(a=b)\" address mail opens-with "
		 "owner\n", "no directory { } has name else"},
		{"address-map ldap staff \"(a=%s)\" address mail opens-with "
		 "owner\n", "expected no %s"},
		{"address-map ldap staff \"(a=b)\" address mail\n",
		 "expected ldap DIRECTORY"},
		{"authority ldap staff \"(a=b)\" login userPassword address "
		 "mail\n", "login: expected the name of an attribute"},
		{"authority ldap staff \"a=b\" login uid address mail\n",
		 "filter: RFC 4515"},
		{"directory {\nldap \"ldap://ldap.example.com\"\nname far\n}\n"
		 "authority ldap far \"(a=b)\" login uid address mail\n",
		 "in clear; use ldaps:// or start-tls"},
		{"address-map list x\n", "expected file \"PATH\" or ldap"},
		{"directory {\nldap \"ldap://127.0.0.1\"\n}\n",
		 "missing: for"},
		{"directory {\nldap \"ldap://127.0.0.1\"\nname staff\n}\n",
		 "another directory { } is called staff"},
	};
	struct conf_errors ce;
	struct config *c = NULL;
	struct buf b;

	(void)state;
	buf_init(&b, 4000);
	for (size_t i = 0; i < ARRAY_LEN(k); i++) {
		buf_clear(&b);
		buf_printf(&b, "local-domains example.com\nkeystore sqlite "
		    "\"x\"\nsecret file \"y\"\nrules \"z\"\n"
		    "authserv-id mx\n%s%s", CONF, k[i].text);
		write_text(w.conf, buf_str(&b));
		conf_errors_init(&ce);
		assert_int_equal(config_read(&c, w.conf, &ce), -1);
		if (strstr(buf_str(&ce.text), k[i].error) == NULL)
			fail_msg("%s", buf_str(&ce.text));
		conf_errors_free(&ce);
	}
	buf_free(&b);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_world, end_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_all_that_a_list_is),
		TEST(what_a_server_says_is_brought_into_form),
		TEST(a_malformed_answer_changes_nothing),
		TEST(a_failure_is_tried_again_and_the_old_list_holds),
		TEST(a_list_that_shrinks_is_looked_at_twice),
		TEST(A47_of_few_none_is_doubted_too),
		TEST(lists_of_yesterday_are_forgotten),
		TEST(statements_have_their_errors),
	};

	return cmocka_run_group_tests_name("gateway_lists", tests, NULL,
	    NULL);
}
