/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of gateway/rules_index.c: random rules files and addresses, decided
 * by the index and by a matcher that looks at one rule after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/lists.h"
#include "gateway/rules_int.h"
#include "util/proc.h"

static char dir[] = "/tmp/gateway-index-XXXXXX";
static char rules_path[64];

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	memcpy(rules_path, dir, sizeof(dir) - 1);
	memcpy(rules_path + sizeof(dir) - 1, "/rules", 7);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink(rules_path);
	return rmdir(dir);
}

static struct rules *read_rules(const char *text, const struct config *c)
{
	struct rules *r = NULL;
	struct conf_errors ce;
	struct err e = {0};

	if (io_write_file(rules_path, 0600, view_of(text), &e) != 0)
		fail_msg("%s", e.msg);
	conf_errors_init(&ce);
	if (rules_read(&r, rules_path, c, &ce) != 0)
		fail_msg("%s in\n%s", buf_str(&ce.text), text);
	conf_errors_free(&ce);
	rules_index_make(r);
	return r;
}

/* ---- one rule after the other ---- */

static bool is_named(const struct who *w, const char *key)
{
	const char *d = strrchr(key, '@') + 1;
	size_t n = strlen(d), m = strlen(w->text);

	if (w->kind == WHO_ADDRESS)
		return strcmp(w->text, key) == 0;
	if (w->kind == WHO_DOMAIN)
		return strcmp(w->text, d) == 0;
	return n > m + 1 && d[n - m - 1] == '.' &&
	    strcmp(d + n - m, w->text) == 0;
}

static bool is_in(const struct who_set *s, const struct addr *a)
{
	char key[sizeof(a->text)];

	if (a == NULL || a->text[0] == '\0')
		return false;
	addr_key(a, key);
	for (size_t i = 0; i < s->n; i++)
		if (is_named(&s->who[i], key))
			return true;
	for (size_t g = 0; g < s->groups; g++)
		for (size_t i = 0; i < s->group[g]->n; i++)
			if (is_named(&s->group[g]->who[i], key))
				return true;
	return false;
}

static bool is_login(const struct conditions *c, const char *login)
{
	bool found = c->logins == 0;

	for (size_t i = 0; login != NULL && i < c->logins; i++)
		found |= strcmp(c->login[i], login) == 0;
	return login != NULL && found;
}

static bool is_true(const struct rules *r, const struct conditions *c,
    const struct rule_input *in)
{
	struct addr plain = {0};
	bool found = false;

	if (in->to != NULL && in->direction != DIR_OUTBOUND)
		addr_strip_detail(in->to, r->delimiter, &plain);
	if ((c->has_from && !is_in(&c->from, in->from)) ||
	    (c->has_envelope_from &&
	    !is_in(&c->envelope_from, in->envelope_from)) ||
	    (c->has_to && !is_in(&c->to, in->to) && !is_in(&c->to, &plain)) ||
	    (c->has_login && !is_login(c, in->login)))
		return false;
	for (size_t i = 0; i < c->nets; i++)
		found |= net_has(&c->net[i], in->client_ip);
	return !c->has_network || found;
}

static int line_by_looking(const struct rules *r, const struct rule_input *in)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rule[i].direction == in->direction &&
		    is_true(r, &r->rule[i].cond, in))
			return r->rule[i].ref.line;
	return 0;
}

static int line_decided(const struct rules *r, const struct rule_input *in)
{
	struct treatment t;
	struct rule_ref ref;

	rules_decide(r, in, &t, &ref);
	return ref.line;
}

/* ---- random files ---- */

static uint32_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static const char *const domain[] = {"example", "a.example", "b.a.example",
	"c.b.a.example", "d.example", "aa.example", "e.org", "x.e.org",
	"xe.org", "y.x.e.org"};
static const char *const local[] = {"p", "Q", "p+x", "r", "\"p@b\"",
	"\xc3\xa4"};
static const char *const login[] = {"alice", "bob", "carol"};
static const char *const ip[] = {"192.0.2.1", "192.0.2.200", "2001:db8::1"};

#define ANY(list) list[pick(ARRAY_LEN(list))]

static void put_who(struct buf *b, unsigned groups)
{
	for (unsigned n = 1 + pick(pick(6) == 0 ? 30 : 3); n > 0; n--) {
		unsigned k = pick(groups == 0 ? 3 : 4);

		if (k == 0 && pick(2) == 0)
			buf_printf(b, " %s@%s", local[pick(4)], ANY(domain));
		else if (k == 0)
			buf_printf(b, " \"\\\"p@b\\\"@%s\"", ANY(domain));
		else if (k == 1)
			buf_printf(b, " @%s", ANY(domain));
		else if (k == 2)
			buf_printf(b, " @*.%s", ANY(domain));
		else
			buf_printf(b, " g%u", pick(groups));
	}
}

static void put_rule(struct buf *b, const char *direction, unsigned groups)
{
	size_t start = b->n;

	buf_puts(b, direction);
	if (pick(3) != 0) {
		buf_puts(b, " to");
		put_who(b, groups);
	}
	if (pick(3) == 0) {
		buf_puts(b, " from");
		put_who(b, groups);
	}
	if (pick(5) == 0) {
		buf_puts(b, " envelope-from");
		put_who(b, groups);
	}
	if (pick(6) == 0)
		buf_printf(b, " authenticated %s",
		    pick(4) == 0 ? "" : ANY(login));
	if (pick(6) == 0)
		buf_puts(b, " network 192.0.2.0/25 2001:db8::/32");
	/* no condition: not the last line */
	if (b->n == start + strlen(direction))
		buf_puts(b, " authenticated");
	buf_puts(b, " : pass\n");
}

static const char *const word[] = {"outbound", "inbound", "internal"};

static void put_file(struct buf *b)
{
	unsigned groups = pick(6), rules = 6 + pick(60);

	buf_clear(b);
	for (unsigned i = 0; i < groups; i++) {
		buf_printf(b, "group g%u", i);
		put_who(b, i);
		buf_puts(b, "\n");
	}
	for (unsigned i = 0; i < rules; i++)
		put_rule(b, ANY(word), groups);
	for (size_t i = 0; i < ARRAY_LEN(word); i++)
		buf_printf(b, "%s : pass\n", word[i]);
}

static const struct addr *any_addr(struct addr *a)
{
	struct err e = {0};
	struct buf b;

	memset(a, 0, sizeof(*a));
	if (pick(12) == 0)
		return pick(2) == 0 ? NULL : a;
	buf_init(&b, 200);
	buf_printf(&b, "%s@%s", ANY(local), ANY(domain));
	if (addr_parse(a, buf_view(&b), &e) != 0)
		fail_msg("%s", e.msg);
	buf_free(&b);
	return a;
}

static void any_input(struct rule_input *in, struct addr a[3])
{
	in->direction = (enum direction)(1 + pick(3));
	in->from = any_addr(&a[0]);
	in->envelope_from = any_addr(&a[1]);
	in->to = any_addr(&a[2]);
	in->login = pick(2) == 0 ? NULL : ANY(login);
	in->client_ip = pick(4) == 0 ? NULL : ANY(ip);
}

/* How many inputs a line decided that has conditions. */
static size_t compare_decisions(const struct rules *r, unsigned inputs)
{
	int last = r->rule[r->n - 1].ref.line;
	size_t special = 0;

	for (unsigned i = 0; i < inputs; i++) {
		struct rule_input in = {0};
		struct addr a[3];
		int want;

		any_input(&in, a);
		want = line_by_looking(r, &in);
		special += want != 0 && want < last - 2;
		if (line_decided(r, &in) != want)
			fail_msg("seed %u: from %s to %s: line %d, not %d",
			    seed, in.from == NULL ? "-" : in.from->text,
			    in.to == NULL ? "-" : in.to->text,
			    line_decided(r, &in), want);
	}
	return special;
}

static void the_index_decides_as_looking_at_each_rule_does(void **state)
{
	struct config c = {0};
	size_t special = 0;
	unsigned all = 0;
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (unsigned i = 0; i < 400; i++) {
		struct rules *r;

		seed = i;
		put_file(&b);
		assert_int_equal(buf_ok(&b, NULL), 0);
		c.delimiter = i % 2 == 0 ? '+' : 0;
		r = read_rules(buf_str(&b), &c);
		assert_non_null(r->index);
		special += compare_decisions(r, 200);
		all += 200;
		rules_free(&r);
	}
	/* and not only by the last lines */
	assert_true(special > all / 4 && special < all);
	buf_free(&b);
}

/* What the index gives for a place, as "3 7". */
static void expect_run(const struct rules *r, unsigned place,
    enum who_kind kind, const char *text, const char *want)
{
	const struct posting *p = rules_index_find(r->index, place, kind,
	    text);
	struct buf b;

	buf_init(&b, 1000);
	for (uint32_t i = 0; p != NULL && i < p->run; i++)
		buf_printf(&b, "%s%u", i == 0 ? "" : " ", p[i].n);
	assert_string_equal(buf_str(&b), want);
	buf_free(&b);
}

#define AT(field) POSTING_PLACE(DIR_OUTBOUND, POSTING_##field)

static void a_rule_stands_where_it_differs_most(void **state)
{
	struct rules *r = read_rules(
	    "group g @g.example @*.h.example\n"
	    "outbound from a@a.example to @b.example : pass\n"
	    "outbound from b@a.example to @b.example : pass\n"
	    "outbound from b@a.example to c@b.example : pass\n"
	    "outbound to g : pass\n"
	    "outbound to g @i.example : pass\n"
	    "outbound authenticated : pass\n"
	    "outbound from g envelope-from g : pass\n"
	    "outbound to @i.example : pass\n"
	    "outbound : pass\n"
	    "inbound : pass\n", NULL);

	(void)state;
	assert_non_null(r->index);
	expect_run(r, AT(FROM), WHO_ADDRESS, "a@a.example", "0");
	expect_run(r, AT(TO), WHO_DOMAIN, "b.example", "1");
	expect_run(r, AT(FROM), WHO_ADDRESS, "b@a.example", "");
	expect_run(r, AT(TO), WHO_ADDRESS, "c@b.example", "2");
	expect_run(r, AT(TO), WHO_GROUP, "g", "3 4");
	expect_run(r, AT(FROM), WHO_GROUP, "g", "6");
	expect_run(r, AT(ENVELOPE_FROM), WHO_GROUP, "g", "");
	expect_run(r, AT(TO), WHO_DOMAIN, "i.example", "4 7");
	expect_run(r, AT(TO), WHO_SUBDOMAINS, "i.example", "");
	expect_run(r, AT(TO), WHO_DOMAIN, "g.example", "");
	expect_run(r, 0, WHO_DOMAIN, "g.example", "0");
	expect_run(r, 0, WHO_SUBDOMAINS, "h.example", "0");
	expect_run(r, AT(OTHER), WHO_ADDRESS, "", "5 8");
	expect_run(r, POSTING_PLACE(DIR_INBOUND, POSTING_OTHER), WHO_ADDRESS,
	    "", "9");
	rules_free(&r);
}

static void a_few_rules_need_no_index(void **state)
{
	struct rules *r = read_rules("outbound to @a.example : pass\n"
	    "outbound : pass\ninbound : pass\n", NULL);

	(void)state;
	assert_null(r->index);
	assert_true(compare_decisions(r, 200) == 0);
	rules_free(&r);
}

/* ---- also lines ---- */

/* Who cannot be read is meant by every line (A24). */
static bool is_meant(const struct rules *r, const struct rule *line,
    const struct rule_input *in)
{
	struct conditions c = line->cond;

	if (line->direction != in->direction)
		return false;
	if (in->direction != DIR_OUTBOUND && in->from == NULL)
		c.has_from = false;
	if (in->direction != DIR_OUTBOUND &&
	    (in->to == NULL || in->to->text[0] == '\0'))
		c.has_to = false;
	return is_true(r, &c, in);
}

/* Is line n among those that the index gives? */
static bool is_given(const struct rules *r, const struct rule_input *in,
    const struct also_lines *named, uint32_t n)
{
	const struct posting *p = rules_index_find(r->also_index,
	    POSTING_PLACE(in->direction, POSTING_OTHER), WHO_ADDRESS, "");
	const char *unknown = "";

	for (size_t i = 0; i < named->n; i++) {
		assert_true(i == 0 || named->line[i - 1].n <
		    named->line[i].n);
		if (named->line[i].n == n)
			return true;
	}
	for (uint32_t i = 0; p != NULL && i < p->run; i++)
		if (p[i].n == n && rules_also_holds(r, in, n, &unknown))
			return true;
	return false;
}

static void A51_the_index_gives_every_also_line_that_holds(void **state)
{
	struct config c = {.delimiter = '+'};
	struct also_lines named = {0};
	size_t held = 0, all = 0;
	struct err e = {0};
	struct buf b;

	(void)state;
	buf_init(&b, 1u << 20);
	for (unsigned i = 0; i < 200; i++) {
		struct rules *r;

		seed = i;
		buf_clear(&b);
		for (unsigned n = 0; n < 3; n++) {
			buf_printf(&b, "group g%u", n);
			put_who(&b, n);
			buf_puts(&b, "\n");
		}
		for (unsigned n = 1 + pick(40); n > 0; n--) {
			const char *d = ANY(word);

			buf_puts(&b, "also ");
			put_rule(&b, d, 3);
			b.n -= strlen("pass\n");
			buf_puts(&b, *d == 'o' ? "sign\n" : "verify\n");
		}
		buf_puts(&b, "inbound : pass\noutbound : pass\n");
		r = read_rules(buf_str(&b), &c);
		for (unsigned k = 0; k < 100; k++) {
			struct rule_input in = {0};
			struct addr a[3];

			any_input(&in, a);
			assert_int_equal(rules_also_named(r, &in, &named, &e),
			    0);
			for (uint32_t n = 0; n < r->alsos; n++) {
				bool want = is_meant(r, &r->also[n], &in);

				held += want;
				all++;
				if (is_given(r, &in, &named, n) != want)
					fail_msg("seed %u: %s", seed,
					    r->also[n].text);
			}
		}
		rules_free(&r);
	}
	assert_true(held > all / 100 && held < all / 2);
	free(named.line);
	buf_free(&b);
}

/* ---- groups whose members a directory names ---- */

static enum rule_listed answer;
static char asked[200];

static enum rule_listed say_listed(void *ctx, const char *list,
    const char *what)
{
	assert_ptr_equal(ctx, &answer);
	assert_non_null(strstr(list, "(dep=crew)"));
	if (strcmp(what, "@crew.example") == 0)
		return RULE_LISTED_YES;
	assert_int_equal(view_cstr(view_of(what), asked, sizeof(asked)), 0);
	return answer;
}

#define CREW "group crew ldap staff \"(dep=crew)\"\n"                        \
	"group all crew @more.example\n"

static void expect_line(const struct rules *r, const char *to,
    enum rule_listed a, int line, const char *unknown)
{
	struct rule_input in = {.direction = DIR_OUTBOUND,
	    .listed = say_listed, .listed_ctx = &answer};
	struct treatment t;
	struct rule_ref ref;
	struct addr addr;
	struct err e = {0};

	assert_int_equal(addr_parse(&addr, view_of(to), &e), 0);
	in.to = &addr;
	answer = a;
	rules_decide(r, &in, &t, &ref);
	if (ref.line != line || (t.unknown == NULL) != (unknown == NULL) ||
	    (unknown != NULL && strcmp(unknown, t.unknown) != 0))
		fail_msg("%s: line %d, %s", to, ref.line, t.unknown);
}

static void a_list_that_was_never_fetched_is_no_answer(void **state)
{
	(void)state;
	for (int padded = 0; padded < 2; padded++) {
		struct rules *r;
		struct buf b;

		buf_init(&b, 65536);
		buf_puts(&b, CREW
		    "outbound to first@x.example : sign\n"
		    "outbound to crew : sign, encrypt\n"
		    "outbound to all : sign\n"
		    "outbound to @x.example : pass\n");
		for (int i = 0; padded && i < 20; i++)
			buf_printf(&b, "outbound to p%d@y.example : sign\n",
			    i);
		buf_puts(&b, "outbound : pass\ninbound : pass\n");
		r = read_rules(buf_str(&b), NULL);
		assert_int_equal(r->index != NULL, padded);
		expect_line(r, "A@x.example", RULE_LISTED_YES, 4, NULL);
		assert_string_equal(asked, "a@x.example");
		expect_line(r, "a@crew.example", RULE_LISTED_NO, 4, NULL);
		expect_line(r, "a@x.example", RULE_LISTED_NO, 6, NULL);
		expect_line(r, "a@more.example", RULE_LISTED_NO, 5, NULL);
		/* whoever a line above names is not asked about */
		expect_line(r, "first@x.example", RULE_LISTED_UNKNOWN, 3,
		    NULL);
		expect_line(r, "a@x.example", RULE_LISTED_UNKNOWN, 4, "crew");
		rules_free(&r);
		buf_free(&b);
	}
}

static void which_lists_are_to_be_fetched(void **state)
{
	struct rules *r = read_rules(CREW "outbound to all : sign\n"
	    "outbound : pass\ninbound : pass\n", NULL);
	const struct list_source *const *list;
	char name[LIST_NAME_SIZE];
	size_t n;

	(void)state;
	list = rules_lists(r, &n);
	assert_int_equal(n, 1);
	assert_string_equal(list[0]->directory, "staff");
	assert_string_equal(list[0]->filter, "(dep=crew)");
	lists_name(list[0], name);
	assert_string_equal(name, r->group[0].set->list);
	rules_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_index_decides_as_looking_at_each_rule_does),
		cmocka_unit_test(a_rule_stands_where_it_differs_most),
		cmocka_unit_test(a_few_rules_need_no_index),
		cmocka_unit_test(
		    A51_the_index_gives_every_also_line_that_holds),
		cmocka_unit_test(a_list_that_was_never_fetched_is_no_answer),
		cmocka_unit_test(which_lists_are_to_be_fetched),
	};

	return cmocka_run_group_tests_name("gateway_rules_index", tests,
	    make_dir, remove_dir);
}
