/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/auth_senders.c: who may send as whom.
 */
#include "tests/unit/relay_auth.h"

static const char *const senders_text =
    "# who is who\n"
    "alice@a.example  sales@a.example \"info@a.example\"\n"
    "bob              bob@a.example @b.example\n"
    "bob              @XN--MLLER-KVA.example\n";

static void T26_T32_senders(void **state)
{
	static const struct {
		const char *login, *from;
		bool may;
	} t[] = {
		{ "alice@a.example", "", true }, /* T27 */
		{ "alice@a.example", "alice@a.example", true },
		{ "alice@a.example", "alice@A.EXAMPLE", true },
		{ "alice@a.example", "Alice@a.example", false },
		{ "Alice@a.example", "alice@a.example", false },
		{ "alice@a.example", "bob@a.example", false },
		{ "alice@a.example", "sales@a.example", true },
		{ "alice@a.example", "info@A.example", true },
		{ "alice@a.example", "Sales@a.example", false },
		{ "Alice@a.example", "sales@a.example", false },
		{ "alice@a.example", "alice+x@a.example", false },
		{ "alice@a.example", "alice@a.example.", false },
		{ "alice@a.example", "alice@a.example ", false },
		{ "alice@a.example", "alice@a.example, eve@a.example",
		    false },
		{ "alice@a.example", "alice", false },
		{ "bob", "bob", false },
		{ "bob", "bob@a.example", true },
		{ "bob", "anybody@b.example", true },
		{ "bob", "anybody@sub.b.example", false },
		{ "bob", "anybody@bb.example", false },
		{ "bob", "x@xn--mller-kva.example", true },
		{ "bob", "x@m\xc3\xbcller.example", true },
		{ "bobby", "bob@a.example", false },
		{ "bo", "bob@a.example", false },
		{ "eve", "alice@a.example", false },
		{ "", "alice@a.example", false },
		{ "", "", true },
	};
	struct world *w = *state;
	struct auth_senders *s = NULL;
	struct err e = { 0 };
	size_t i;

	assert_int_equal(io_write_file(w->senders, 0644,
	    view_of(senders_text), &e), 0);
	w->listener[0].auth.senders = w->senders;
	if (auth_senders_load(&s, &w->listener[0], &e) != 0)
		fail_msg("%s", e.msg);
	for (i = 0; i < ARRAY_LEN(t); i++)
		if (auth_may_send(s, t[i].login, NULL, 0, t[i].from) !=
		    t[i].may)
			fail_msg("%s as <%s>", t[i].login, t[i].from);
	auth_senders_free(&s);
}

static void T31_T32_all_addresses_of_a_certificate(void **state)
{
	static const char *const ids[] = { "alice@a.example",
		"carol@b.example" };
	struct world *w = *state;
	struct auth_senders *s = NULL;

	assert_int_equal(auth_senders_load(&s, &w->listener[0], NULL), 0);
	assert_true(auth_may_send(s, "", ids, 2, "alice@a.example"));
	assert_true(auth_may_send(s, "", ids, 2, "carol@B.example"));
	assert_true(auth_may_send(s, "dave@a.example", ids, 2,
	    "carol@b.example"));
	assert_false(auth_may_send(s, "", ids, 2, "Carol@b.example"));
	assert_false(auth_may_send(s, "", ids, 1, "carol@b.example"));
	assert_false(auth_may_send(s, "", ids, 2, "dave@a.example"));
	auth_senders_free(&s);
	w->listener[0].auth.any_sender = true;
	assert_int_equal(auth_senders_load(&s, &w->listener[0], NULL), 0);
	assert_true(auth_may_send(s, "x", NULL, 0, "dave@a.example"));
	auth_senders_free(&s);
}

static void senders_files_that_are_wrong(void **state)
{
	static const char *const t[] = {
		"alice\n", "alice bob\n", "alice @\n", "alice @-.example\n",
		"alice a@b@c\n", "alice {\n x y\n}\n",
		"alice \"a b@c.example\"\n", "alice @b.example bob\n",
		"alice \"\"\n",
	};
	struct world *w = *state;
	struct auth_senders *s = NULL;
	struct err e;
	size_t i;

	w->listener[0].auth.senders = w->senders;
	assert_int_equal(auth_senders_load(&s, &w->listener[0], &e), -1);
	for (i = 0; i < ARRAY_LEN(t); i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(io_write_file(w->senders, 0644,
		    view_of(t[i]), &e), 0);
		if (auth_senders_load(&s, &w->listener[0], &e) == 0)
			fail_msg("taken: %s", t[i]);
		assert_int_equal(e.kind, FAIL_CONFIG);
		assert_non_null(strstr(e.msg, ":1:"));
		assert_null(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(T26_T32_senders),
		IN_WORLD(T31_T32_all_addresses_of_a_certificate),
		IN_WORLD(senders_files_that_are_wrong),
	};

	return cmocka_run_group_tests_name("relay_auth_senders", tests,
	    group_set_up, group_tear_down);
}
