/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * MTA-STS: the TXT record, the policy's text, what it names, and how long it
 * holds when somebody keeps us from asking again. The world is scripted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "fetch/find_int.h"
#include "fetch/sts_int.h"
#include "util/clock.h"
#include "util/proc.h"

#define GOOD "version: STSv1\nmode: enforce\nmx: mx.a.example\n" \
	"max_age: 86400\n"

/* ---- texts ---- */

static const struct policy_row {
	const char *what, *text;
	size_t n; /* 0: as C has it */
	bool is_good;
} policies[] = {
	{ "a good one", GOOD, 0, true },
	{ "CRLF", "version: STSv1\r\nmode: enforce\r\nmx: mx.a.example\r\n"
	    "max_age: 86400\r\n", 0, true },
	{ "no end of the last line", "version: STSv1\nmode: none\n"
	    "max_age: 1", 0, true },
	{ "another order, unknown keys, blanks", "mode:testing\n"
	    "mx:  *.a.example \nfuture-key: x y\nmax_age:\t86400\n"
	    "version: STSv1\n\n", 0, true },
	{ "empty", "", 0, false },
	{ "no version", "mode: none\nmax_age: 1\n", 0, false },
	{ "another version", "version: STSv2\nmode: none\nmax_age: 1\n", 0,
	    false },
	{ "no mode", "version: STSv1\nmax_age: 1\n", 0, false },
	{ "an unknown mode", "version: STSv1\nmode: Enforce\nmx: a.example\n"
	    "max_age: 1\n", 0, false },
	{ "no max_age", "version: STSv1\nmode: none\n", 0, false },
	{ "max_age of a word", "version: STSv1\nmode: none\nmax_age: day\n",
	    0, false },
	{ "max_age below zero", "version: STSv1\nmode: none\nmax_age: -1\n",
	    0, false },
	{ "max_age of 11 digits", "version: STSv1\nmode: none\n"
	    "max_age: 10000000000\n", 0, false },
	{ "enforce without mx", "version: STSv1\nmode: enforce\n"
	    "max_age: 1\n", 0, false },
	{ "mx that is an address", "version: STSv1\nmode: enforce\n"
	    "mx: [192.0.2.1]\nmax_age: 1\n", 0, false },
	{ "mx with a star inside", "version: STSv1\nmode: enforce\n"
	    "mx: m*.a.example\nmax_age: 1\n", 0, false },
	{ "mx with two stars", "version: STSv1\nmode: enforce\n"
	    "mx: *.*.example\nmax_age: 1\n", 0, false },
	{ "a line without a colon", GOOD "x\n", 0, false },
	{ "a line without a key", GOOD ": x\n", 0, false },
	{ "a bare CR", "version: STSv1\nmode: enforce\rmx: mx.a.example\n"
	    "max_age: 1\n", 0, false },
	{ "CR at the very end", GOOD "x: y\r", 0, false },
	{ "NUL", "version: STSv1\nmode: none\nmax_age: 1\nx: \0\n", 45,
	    false },
	{ "a page of HTML", "<html>\n<body>version: STSv1</body>\n", 0,
	    false },
};

static void T50_policies_are_read_strictly(void **state)
{
	struct sts_policy p;
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		const struct policy_row *r = &policies[i];
		size_t n = r->n == 0 ? strlen(r->text) : r->n;
		int rc;

		sts_policy_init(&p);
		rc = sts_policy_parse(&p, view_make(r->text, n), &e);
		if ((rc == 0) != r->is_good)
			fail_msg("%s: %d %s", r->what, rc, e.msg);
		sts_policy_free(&p);
	}
}

static void T50_the_first_of_duplicate_keys_wins(void **state)
{
	struct sts_policy p;

	(void)state;
	sts_policy_init(&p);
	assert_int_equal(sts_policy_parse(&p, view_of("version: STSv1\n"
	    "mode: enforce\nmode: none\nmx: a.example\nmx: b.example\n"
	    "max_age: 99\nmax_age: 1\nversion: STSv2\n"), NULL), 0);
	assert_int_equal(p.mode, STS_ENFORCE);
	assert_int_equal(p.max_age_s, 99);
	assert_int_equal(p.mxs, 2);
	sts_policy_free(&p);
}

/* attack T50: a policy that wants to hold for three centuries
 * verdict: it holds for a year at most */
static void T50_max_age_is_a_year_at_most(void **state)
{
	static const struct {
		const char *said;
		int64_t kept;
	} row[] = { { "31535999", 31535999 }, { "31536000", STS_AGE_MAX },
	    { "31536001", STS_AGE_MAX }, { "9999999999", STS_AGE_MAX } };
	struct sts_policy p;
	struct buf b;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sts_policy_init(&p);
		buf_init(&b, 1000);
		buf_printf(&b, "version: STSv1\nmode: none\nmax_age: %s\n",
		    row[i].said);
		assert_int_equal(sts_policy_parse(&p, buf_view(&b), NULL),
		    0);
		assert_int_equal(p.max_age_s, row[i].kept);
		sts_policy_free(&p);
		buf_free(&b);
	}
}

static void T50_no_more_hosts_than_the_cap(void **state)
{
	struct sts_policy p;
	struct buf b;

	(void)state;
	for (int n = STS_MXS; n <= STS_MXS + 1; n++) {
		sts_policy_init(&p);
		buf_init(&b, 65536);
		buf_puts(&b, "version: STSv1\nmode: enforce\nmax_age: 1\n");
		for (int i = 0; i < n; i++)
			buf_printf(&b, "mx: mx%d.a.example\n", i);
		assert_int_equal(sts_policy_parse(&p, buf_view(&b), NULL),
		    n == STS_MXS ? 0 : -1);
		sts_policy_free(&p);
		buf_free(&b);
	}
}

static void T50_a_wildcard_is_one_left_label(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool is_named;
	} row[] = {
		{ "mx.a.example", "mx.a.example", true },
		{ "mx.a.example", "MX.A.Example", true },
		{ "mx.a.example", "x.mx.a.example", false },
		{ "mx.a.example", "a.example", false },
		{ "*.a.example", "mx.a.example", true },
		{ "*.a.example", "a.example", false },
		{ "*.a.example", ".a.example", false },
		{ "*.a.example", "x.mx.a.example", false },
		{ "*.a.example", "mxa.example", false },
		{ "*.a.example", "mx.a.example.b.example", false },
		{ "*.a.example", "mx", false },
	};
	struct sts_policy p;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		sts_policy_init(&p);
		buf_printf(&p.mx, "other.example %s ", row[i].pattern);
		if (sts_policy_names(&p, row[i].host) != row[i].is_named)
			fail_msg("%s %s", row[i].pattern, row[i].host);
		sts_policy_free(&p);
	}
}

static const struct txt_row {
	const char *what, *record[3];
	const char *id; /* NULL: none */
} txts[] = {
	{ "one", { "v=STSv1; id=1a2B;" }, "1a2B" },
	{ "no last semicolon", { "v=STSv1; id=1" }, "1" },
	{ "blanks", { "v=STSv1 ;\tid=1 ; x=y" }, "1" },
	{ "others beside it", { "v=spf1 -all", "v=STSv1;id=7", "x" }, "7" },
	{ "none", { "v=spf1 -all" }, NULL },
	{ "nothing", { NULL }, NULL },
	{ "two", { "v=STSv1; id=1;", "v=STSv1; id=1;" }, NULL },
	{ "two, one of them bad", { "v=STSv1; id=1;", "v=STSv1;" }, NULL },
	{ "another version", { "v=STSv10; id=1;" }, NULL },
	{ "small letters", { "v=stsv1; id=1;" }, NULL },
	{ "a blank in front", { " v=STSv1; id=1;" }, NULL },
	{ "no id", { "v=STSv1; x=y;" }, NULL },
	{ "an empty id", { "v=STSv1; id=;" }, NULL },
	{ "an id with a blank", { "v=STSv1; id=a b;" }, NULL },
	{ "an id with a dash", { "v=STSv1; id=2026-11-22;" }, NULL },
	{ "an id of 32", { "v=STSv1; id=12345678901234567890123456789012" },
	    "12345678901234567890123456789012" },
	{ "an id of 33", { "v=STSv1; id=123456789012345678901234567890123" },
	    NULL },
};

static void add_txt(struct dns_answer *a, const char *text)
{
	char rdata[256];
	size_t n = strlen(text);

	rdata[0] = (char)n;
	memcpy(rdata + 1, text, n);
	dns_answer_add(a, rdata, n + 1);
}

static void T50_exactly_one_txt_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(txts); i++) {
		const struct txt_row *r = &txts[i];
		struct dns_answer a;
		char id[STS_ID] = "";
		int rc;

		dns_answer_init(&a, "_mta-sts.a.example", DNS_INSECURE);
		for (size_t k = 0; k < 3 && r->record[k] != NULL; k++)
			add_txt(&a, r->record[k]);
		rc = sts_txt_id(id, &a, NULL);
		/* nothing of a bad one is left */
		if ((rc == 0) != (r->id != NULL) ||
		    strcmp(id, r->id == NULL ? "" : r->id) != 0)
			fail_msg("%s: %d %s", r->what, rc, id);
		dns_answer_free(&a);
	}
}

/* ---- what holds when ---- */

static struct world {
	int64_t now;
	enum dns_state state;
	const char *txt;  /* NULL: no record */
	const char *text; /* NULL: HTTPS fails */
	int fetches;
	char changes[200];
} world;

static void answer_txt(void *arg, const char *name, enum dns_type type,
    int64_t deadline, struct dns_answer *out)
{
	(void)arg;
	(void)deadline;
	assert_int_equal(type, DNS_TXT);
	assert_string_equal(name, "_mta-sts.a.example");
	dns_answer_init(out, name, world.state);
	if (world.state > DNS_BOGUS && world.txt != NULL)
		add_txt(out, world.txt);
}

static int64_t now(void *arg)
{
	(void)arg;
	return world.now;
}

static int fetch(void *arg, const char *domain, struct buf *text,
    struct err *e)
{
	(void)arg;
	assert_string_equal(domain, "a.example");
	world.fetches++;
	/* as sts_fetch() before it found an address */
	(void)err_set(e, FAIL_TEMP, "%s has no address", domain);
	if (world.text == NULL)
		return err_set(e, FAIL_TEMP, "no route to host");
	buf_puts(text, world.text);
	return 0;
}

static void changed(void *arg, const char *domain, enum sts_mode was,
    enum sts_mode is)
{
	size_t n = strlen(world.changes);

	(void)arg;
	(void)snprintf(world.changes + n, sizeof(world.changes) - n,
	    "%s %s %s;", domain, sts_mode_str(was), sts_mode_str(is));
}

static struct sts *begin(const char *folder)
{
	const struct sts_setup setup = { .dns = { .ask = answer_txt },
	    .state = folder, .changed = changed, .now = now,
	    .fetch = fetch };
	struct sts *s = NULL;

	assert_int_equal(sts_new(&s, &setup, NULL), 0);
	return s;
}

static void set_world(const char *txt, const char *text)
{
	memset(&world, 0, sizeof(world));
	world.now = 1000000;
	world.state = DNS_INSECURE;
	world.txt = txt;
	world.text = text;
}

/* The mode that holds, or -1. */
static int mode_now(struct sts *s)
{
	struct sts_policy p;
	struct err why;
	int mode = -1;

	sts_policy_init(&p);
	if (sts_find(s, "a.example", clock_ms() + 60000, &p, &why))
		mode = (int)p.mode;
	sts_policy_free(&p);
	return mode;
}

static void T50_a_policy_is_fetched_once(void **state)
{
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(NULL);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.now += 3600;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(world.fetches, 1);
	/* another id: another policy */
	world.txt = "v=STSv1; id=2;";
	world.text = "version: STSv1\nmode: none\nmax_age: 1000\n";
	assert_int_equal(mode_now(s), STS_NONE);
	assert_int_equal(world.fetches, 2);
	assert_string_equal(world.changes, "a.example none enforce;"
	    "a.example enforce none;");
	sts_free(&s);
}

static void T50_why_is_told_of_what_failed_alone(void **state)
{
	struct sts_policy p;
	struct err why;
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(NULL);
	sts_policy_init(&p);
	assert_true(sts_find(s, "a.example", clock_ms() + 60000, &p, &why));
	assert_string_equal(why.msg, "");
	assert_int_equal(why.kind, 0);
	world.txt = "v=STSv1; id=2;";
	world.text = NULL;
	world.now += 100;
	assert_true(sts_find(s, "a.example", clock_ms() + 60000, &p, &why));
	assert_string_equal(why.msg, "no route to host");
	sts_policy_free(&p);
	sts_free(&s);
}

/* attack T50: who is in between takes away the TXT record, the DNS, or the
 * HTTPS server
 * verdict: the policy that is known holds until its time is over */
static void T50_what_is_known_holds_when_nobody_answers(void **state)
{
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(NULL);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.txt = NULL;
	world.now += 1000;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.state = DNS_FAILED;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.state = DNS_BOGUS;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.state = DNS_INSECURE;
	world.txt = "v=STSv1; id=2;";
	world.text = NULL;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.text = "<html>";
	world.now += 400;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(world.fetches, 3);
	world.now = 1000000 + 86399;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.now++;
	assert_int_equal(mode_now(s), -1);
	sts_free(&s);
}

static void T50_a_failed_fetch_rests_five_minutes(void **state)
{
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", NULL);
	s = begin(NULL);
	assert_int_equal(mode_now(s), -1);
	world.now += 299;
	world.text = GOOD;
	assert_int_equal(mode_now(s), -1);
	assert_int_equal(world.fetches, 1);
	world.now++;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	sts_free(&s);
}

/* attack A71: a TXT record that tells another id each time
 * verdict: one fetch a minute */
static void A71_an_id_that_changes_all_the_time(void **state)
{
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(NULL);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.txt = "v=STSv1; id=2;";
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.now += 59;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(world.fetches, 1);
	world.now++;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(world.fetches, 2);
	sts_free(&s);
}

static void T50_policies_are_fetched_again_each_day(void **state)
{
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", "version: STSv1\nmode: enforce\n"
	    "mx: mx.a.example\nmax_age: 172800\n");
	s = begin(NULL);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.now += 86399;
	assert_false(sts_refresh(s));
	world.now++;
	assert_true(sts_refresh(s));
	assert_false(sts_refresh(s));
	assert_int_equal(world.fetches, 2);
	/* and so it holds on, whatever the DNS says */
	world.txt = NULL;
	world.now += 100000;
	assert_int_equal(mode_now(s), STS_ENFORCE);
	sts_free(&s);
}

/* attack T50: whoever is in between waits for a policy of a day or less to
 * end, and takes away the HTTPS server then
 * verdict: it was fetched again at half of its time */
static void T50_a_short_policy_is_fetched_again_before_it_ends(void **state)
{
	static const struct {
		const char *text;
		int64_t age;
	} row[] = {
		{ GOOD, 86400 },
		{ "version: STSv1\nmode: enforce\nmx: mx.a.example\n"
		    "max_age: 3600\n", 3600 },
		{ "version: STSv1\nmode: enforce\nmx: mx.a.example\n"
		    "max_age: 172799\n", 172799 },
	};
	struct sts *s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		set_world("v=STSv1; id=1;", row[i].text);
		s = begin(NULL);
		assert_int_equal(mode_now(s), STS_ENFORCE);
		world.now += row[i].age / 2 - 1;
		assert_false(sts_refresh(s));
		world.now++;
		assert_true(sts_refresh(s));
		assert_false(sts_refresh(s));
		assert_int_equal(world.fetches, 2);
		/* nobody answers: five minutes of rest, and it holds on */
		world.text = NULL;
		world.now += row[i].age / 2;
		assert_true(sts_refresh(s));
		world.now += 299;
		assert_false(sts_refresh(s));
		world.now++;
		assert_true(sts_refresh(s));
		assert_int_equal(mode_now(s), STS_ENFORCE);
		world.now += row[i].age / 2 - 301;
		assert_int_equal(mode_now(s), STS_ENFORCE);
		world.now += 2;
		assert_int_equal(mode_now(s), -1);
		/* what is over is asked for by mail alone */
		assert_false(sts_refresh(s));
		sts_free(&s);
	}
}

/* attack A71: a policy of a second
 * verdict: one fetch a minute */
static void A71_a_policy_that_always_ends(void **state)
{
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", "version: STSv1\nmode: enforce\n"
	    "mx: mx.a.example\nmax_age: 1\n");
	s = begin(NULL);
	(void)mode_now(s);
	for (int i = 0; i < 120; i++) {
		while (sts_refresh(s))
			;
		(void)mode_now(s);
		world.now++;
	}
	assert_in_range(world.fetches, 1, 2);
	sts_free(&s);
}

/* attack A71: many domains of one owner, each with a policy that is soon over
 * and a server that is slow
 * verdict: a policy that was not tried for longer comes before them */
static void A71_who_was_not_tried_for_longest_is_first(void **state)
{
	struct sts *s;
	struct sts_entry *t;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(NULL);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.now += 86399;
	for (int i = 0; i < 2000; i++) {
		char name[40];

		(void)snprintf(name, sizeof(name), "x%d.example", i);
		t = sts_entry_add(s, name, world.now);
		assert_non_null(t);
		t->has_policy = true;
		t->policy.max_age_s = 200;
		t->policy.fetched_s = world.now - 100;
		t->policy.until_s = world.now + 100;
		t->rests_until_s = world.now - 40;
	}
	/* fetch() wants it to be a.example */
	assert_true(sts_refresh(s));
	sts_free(&s);
}

/* ---- on disk ---- */

static char folder[] = "/tmp/postseal-sts-XXXXXX";

static const char *state_file(void)
{
	static char path[100];

	(void)snprintf(path, sizeof(path), "%s/sts-policies", folder);
	return path;
}

static void T50_policies_are_there_after_a_restart(void **state)
{
	struct stat st;
	struct sts *s;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(folder);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(sts_save(s, NULL), 0);
	sts_free(&s);
	assert_int_equal(stat(state_file(), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	world.txt = world.text = NULL;
	s = begin(folder);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	world.now += 86400;
	assert_int_equal(mode_now(s), -1);
	sts_free(&s);
}

/* The disk was full, or away, for a while. */
static void T50_what_could_not_be_kept_is_kept_later(void **state)
{
	char later[100];
	struct sts *s;

	(void)state;
	(void)snprintf(later, sizeof(later), "%s/later", folder);
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(later);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(sts_save(s, NULL), -1);
	assert_int_equal(mkdir(later, 0700), 0);
	assert_int_equal(sts_save(s, NULL), 0);
	sts_free(&s);
	world.txt = world.text = NULL;
	s = begin(later);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	sts_free(&s);
	(void)snprintf(later, sizeof(later), "%s/later/sts-policies", folder);
	(void)unlink(later);
	(void)snprintf(later, sizeof(later), "%s/later", folder);
	(void)rmdir(later);
}

/* attack T50: somebody has hundreds of domains, each with a policy as long as
 * can be, so that those of others do not fit on the disk
 * verdict: the short ones are kept first */
static void T50_long_policies_do_not_crowd_out_others(void **state)
{
	struct sts_entry *t;
	struct buf name;
	struct sts *s;
	int i, k;

	(void)state;
	set_world("v=STSv1; id=1;", GOOD);
	s = begin(folder);
	for (i = 0; i < 900; i++) {
		buf_init(&name, 100);
		buf_printf(&name, "d%d.example", i);
		t = sts_entry_add(s, buf_str(&name), world.now);
		buf_free(&name);
		text_set(t->policy.id, sizeof(t->policy.id), "1");
		t->policy.mode = STS_ENFORCE;
		t->policy.until_s = world.now + 100;
		for (k = 0; k < 100; k++)
			buf_printf(&t->policy.mx, "%0230d.example ", k);
		t->has_policy = true;
	}
	assert_int_equal(mode_now(s), STS_ENFORCE);
	assert_int_equal(sts_save(s, NULL), 0);
	sts_free(&s);
	world.txt = world.text = NULL;
	s = begin(folder);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	sts_free(&s);
}

/* attack T50: the file on disk is damaged, or others can write it
 * verdict: lines that are none are left out; the file of somebody else is not
 * read */
static void T50_a_damaged_file(void **state)
{
	static const char *const row[] = {
		"", "postseal MTA-STS policies 1\n",
		"postseal MTA-STS policies 1\na.example 1 9 99 enforce\n",
		"postseal MTA-STS policies 1\na.example 1 9 99 secure mx.a "
		    "\n",
		"postseal MTA-STS policies 1\nA.example 1 999999 86400 "
		    "enforce mx.a.example \n",
		"postseal MTA-STS policies 1\na.example 1 1000001 86400 "
		    "enforce mx.a.example \n",
		"postseal MTA-STS policies 1\na.example 1 999999 31536001 "
		    "enforce mx.a.example \n",
		"postseal MTA-STS policies 1\na.example\n\n1 2 3\n",
		"\n\n\n",
	};
	static const char good[] = "postseal MTA-STS policies 1\n"
	    "a.example 1 999999 86400 enforce mx.a.example \n";
	struct sts *s;

	(void)state;
	set_world(NULL, NULL);
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		assert_int_equal(io_write_file(state_file(), 0600,
		    view_of(row[i]), NULL), 0);
		s = begin(folder);
		if (mode_now(s) != -1)
			fail_msg("%zu: %s", i, row[i]);
		sts_free(&s);
	}
	assert_int_equal(io_write_file(state_file(), 0600, view_of(good),
	    NULL), 0);
	s = begin(folder);
	assert_int_equal(mode_now(s), STS_ENFORCE);
	sts_free(&s);
	assert_int_equal(chmod(state_file(), 0666), 0);
	s = begin(folder);
	assert_int_equal(mode_now(s), -1);
	sts_free(&s);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(state_file());
	return rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T50_policies_are_read_strictly),
		cmocka_unit_test(T50_the_first_of_duplicate_keys_wins),
		cmocka_unit_test(T50_max_age_is_a_year_at_most),
		cmocka_unit_test(T50_no_more_hosts_than_the_cap),
		cmocka_unit_test(T50_a_wildcard_is_one_left_label),
		cmocka_unit_test(T50_exactly_one_txt_record),
		cmocka_unit_test(T50_a_policy_is_fetched_once),
		cmocka_unit_test(T50_why_is_told_of_what_failed_alone),
		cmocka_unit_test(T50_what_is_known_holds_when_nobody_answers),
		cmocka_unit_test(T50_a_failed_fetch_rests_five_minutes),
		cmocka_unit_test(A71_an_id_that_changes_all_the_time),
		cmocka_unit_test(T50_policies_are_fetched_again_each_day),
		cmocka_unit_test(
		    T50_a_short_policy_is_fetched_again_before_it_ends),
		cmocka_unit_test(A71_a_policy_that_always_ends),
		cmocka_unit_test(
		    A71_who_was_not_tried_for_longest_is_first),
		cmocka_unit_test(T50_policies_are_there_after_a_restart),
		cmocka_unit_test(T50_what_could_not_be_kept_is_kept_later),
		cmocka_unit_test(T50_long_policies_do_not_crowd_out_others),
		cmocka_unit_test(T50_a_damaged_file),
	};

	return cmocka_run_group_tests_name("fetch_sts", tests, make_folder,
	    remove_folder);
}
