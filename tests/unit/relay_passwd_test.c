/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/passwd.c and relay/passwd_make.c: files that are wrong,
 * passwords that are weak, files that change while they are used.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/auth.h"
#include "relay/passwd.h"
#include "util/proc.h"

#define GOOD "staple 7 Battery horse"
#define HASH "$y$j9T$lKEJKnROsP18VMt4FyaKl1$" \
	     "hPoM3RmvIf9MZJMGmMLaeyCKWJUgXwqm4RLBPYAGdB3"
static const unsigned char seed[32] = "seed";

struct world {
	char dir[64], path[100];
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	text_set(w->dir, sizeof(w->dir), "/tmp/passwd-XXXXXX");
	if (w == NULL || mkdtemp(w->dir) == NULL)
		return -1;
	(void)snprintf(w->path, sizeof(w->path), "%s/passwd", w->dir);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	(void)unlink(w->path);
	(void)rmdir(w->dir);
	free(w);
	return 0;
}

static void put_file(const struct world *w, struct view text)
{
	struct err e = { 0 };

	assert_int_equal(io_write_file(w->path, 0600, text, &e), 0);
}

static void put_text(const struct world *w, const char *text)
{
	put_file(w, view_of(text));
}

static void add_line(struct buf *b, const char *login, const char *password)
{
	struct err e = { 0 };

	if (passwd_make(b, login, view_of(password), &e) != 0)
		fail_msg("%s", e.msg);
	buf_putc(b, '\n');
}

static bool is_right(struct passwd *p, const char *login, struct view pw)
{
	bool right = true;

	assert_int_equal(passwd_verify(p, login, pw, &right, NULL), 0);
	return right;
}

static void weak_passwords_are_refused_with_the_reason(void **state)
{
	static const struct {
		const char *password, *why;
	} t[] = {
		{ "", "shorter" },
		{ "Sh0rt", "shorter" },
		{ "qT7#mXa9!zw", "shorter" }, /* 11 */
		/* 11 characters in 15 octets */
		{ "qT7\xc3\xa4\xc3\xb6\xc3\xbc\xc3\x9f!9zw", "shorter" },
		{ "my-carol-is-best-9X", "login" },
		{ "CAROL.works.here.too", "login" },
		{ "all of B.Example is mine", "login" },
		{ "aaaaaaaaaaaaaaaa", "one character" },
		{ "abababbaabab", "fewer than 5" },
		{ "12121212121212", "fewer than 5" },
		{ "abcdefabcdef", "a short piece" },
		{ "Xy7!qXy7!qXy7!q", "a short piece" },
		{ "abcdefghijklmn", "a sequence" },
		{ "9876543210987", "a sequence" },
		{ "qwertyuiop123", "a sequence" },
		{ "QWERTYasdfgh", "a sequence" },
		{ "qwertzuiopas", "a sequence" },
		{ "Passw0rd!2024", "commonest" },
		{ "password12345!!", "commonest" },
		{ "passwordmonkey99", "commonest" },
		{ "IloveYouDragon", "commonest" },
		{ "Adm1n1strat0r1", "commonest" },
		{ "correcthorsebatterystaple", "commonest" },
		{ "Willkommen2026", "commonest" },
	};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++) {
		memset(&e, 0, sizeof(e));
		if (passwd_check_strength("carol@b.example",
		    view_of(t[i].password), &e) == 0)
			fail_msg("taken: %s", t[i].password);
		assert_int_equal(e.kind, FAIL_POLICY);
		if (strstr(e.msg, t[i].why) == NULL)
			fail_msg("%s: %s", t[i].password, e.msg);
		/* the reason does not repeat it */
		assert_true(t[i].password[0] == '\0' ||
		    strstr(e.msg, t[i].password) == NULL);
	}
}

static void strong_passwords_are_taken(void **state)
{
	static const char *const t[] = {
		GOOD, "qT7#mXa9!zwB", "drei Hasen im Winterwald",
		"m\xc3\xbcnchen-lampe-kran-42", "vK3$pL9@xR2&",
		"hunter gatherer society 12", "thepassword is not here",
	};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++)
		if (passwd_check_strength("carol@b.example", view_of(t[i]),
		    &e) != 0)
			fail_msg("%s: %s", t[i], e.msg);
}

static void lengths_and_octets_of_passwords(void **state)
{
	char text[PASSWD_PASSWORD + 2];
	struct err e = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(text); i++)
		text[i] = (char)('!' + i * 7 % 90);
	assert_int_equal(passwd_check_strength("carol", view_make(text,
	    PASSWD_PASSWORD - 1), NULL), 0);
	assert_int_equal(passwd_check_strength("carol", view_make(text,
	    PASSWD_PASSWORD), NULL), 0);
	assert_int_equal(passwd_check_strength("carol", view_make(text,
	    PASSWD_PASSWORD + 1), &e), -1);
	assert_int_equal(passwd_check_strength("carol",
	    view_make("qT7#mX\0a9!zwB", 13), &e), -1);
	assert_int_equal(passwd_check_strength("carol",
	    view_of("qT7#mXa9!zwB\xff"), &e), -1);
}

static void logins_that_may_not_be(void **state)
{
	static const struct {
		const char *login;
		int rc;
	} t[] = {
		{ "alice", 0 }, { "alice@a.example", 0 },
		{ "m\xc3\xbcller", 0 }, { "a b", 0 },
		{ "", -1 }, { "a:b", -1 }, { "#alice", -1 },
		{ " alice", -1 }, { "alice ", -1 }, { "a\nb", -1 },
		{ "a\tb", -1 }, { "a\x7f", -1 }, { "a\x1b[1m", -1 },
		{ "a\xff", -1 }, { "a\xe2\x80\xae", -1 },
	};
	char text[PASSWD_LOGIN + 1];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++)
		if (passwd_check_login(view_of(t[i].login), NULL) != t[i].rc)
			fail_msg("\"%s\": wanted %d", t[i].login, t[i].rc);
	memset(text, 'a', sizeof(text));
	assert_int_equal(passwd_check_login(view_make(text, PASSWD_LOGIN -
	    1), NULL), 0);
	assert_int_equal(passwd_check_login(view_make(text, PASSWD_LOGIN),
	    NULL), -1);
}

static void files_that_are_wrong_are_refused(void **state)
{
	static const struct {
		const char *text, *says; /* NULL: it is right */
	} t[] = {
		{ "", NULL },
		{ "# nobody yet\n\n", NULL },
		{ "alice:" HASH ":\n", NULL },
		{ "alice:" HASH ":", NULL },
		{ "alice:" HASH "\n", "line 1" },
		{ "alice\n", "line 1" },
		{ "# x\n\nalice::\n", "line 3" },
		{ "alice:secret:\n", "yescrypt" },
		{ "alice:$6$abcdefghijk$lmnopqrstuvwxyz:\n", "yescrypt" },
		{ "alice:!" HASH ":\n", "yescrypt" },
		{ "alice:" HASH " :\n", "yescrypt" },
		{ "alice:" HASH ":SCRAM-SHA-256$1\n", "verifier" },
		{ "alice:" HASH ":x\n", "verifier" },
		{ "alice:" HASH ":\r\n", "verifier" },
		{ ":" HASH ":\n", "login" },
		{ " alice:" HASH ":\n", "login" },
		{ "alice:" HASH ":\nbob:" HASH ":\nalice:" HASH ":\n",
		    "two lines" },
		{ "alice:$y$j9T$:\n", "yescrypt" },
	};
	const struct world *w = *state;
	struct passwd *p;
	struct err e;
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		p = NULL;
		memset(&e, 0, sizeof(e));
		put_text(w, t[i].text);
		rc = passwd_open(&p, w->path, seed, &e);
		if ((rc == 0) != (t[i].says == NULL))
			fail_msg("%s: %d %s", t[i].text, rc, e.msg);
		if (rc != 0) {
			assert_int_equal(e.kind, FAIL_CONFIG);
			assert_non_null(strstr(e.msg, w->path));
			if (strstr(e.msg, t[i].says) == NULL)
				fail_msg("%s: %s", t[i].text, e.msg);
		}
		passwd_free(&p);
	}
	put_file(w, view_make("alice:" HASH ":\n\0", sizeof("alice:" HASH
	    ":\n")));
	assert_int_equal(passwd_open(&p, w->path, seed, &e), -1);
}

/* attack A64: a password file that others may read or write, or a link
 * verdict: the relay does not start, and says what mends it
 */
static void A64_file_of_others_is_refused(void **state)
{
	const struct world *w = *state;
	struct passwd *p = NULL;
	struct err e = { 0 };
	char link[120];

	put_text(w, "alice:" HASH ":\n");
	assert_int_equal(chmod(w->path, 0644), 0);
	assert_int_equal(passwd_open(&p, w->path, seed, &e), -1);
	assert_non_null(strstr(e.msg, "chmod"));
	assert_int_equal(chmod(w->path, 0640), 0);
	assert_int_equal(passwd_open(&p, w->path, seed, &e), 0);
	passwd_free(&p);
	(void)snprintf(link, sizeof(link), "%s.link", w->path);
	assert_int_equal(symlink(w->path, link), 0);
	assert_int_equal(passwd_open(&p, link, seed, &e), -1);
	(void)unlink(link);
	assert_int_equal(passwd_open(&p, "/nowhere/passwd", seed, &e), -1);
	assert_int_equal(e.kind, FAIL_CONFIG);
}

static void passwords_are_verified(void **state)
{
	const struct world *w = *state;
	char long_one[PASSWD_PASSWORD + 50];
	struct passwd *p = NULL;
	struct buf b;

	buf_init(&b, 4096);
	add_line(&b, "bob@a.example", "another 1 of Them all");
	add_line(&b, "alice@a.example", GOOD);
	put_file(w, buf_view(&b));
	buf_free(&b);
	assert_int_equal(passwd_open(&p, w->path, seed, NULL), 0);
	assert_true(is_right(p, "alice@a.example", view_of(GOOD)));
	assert_true(is_right(p, "bob@a.example",
	    view_of("another 1 of Them all")));
	assert_false(is_right(p, "bob@a.example", view_of(GOOD)));
	assert_false(is_right(p, "alice@a.example", view_of(GOOD " ")));
	assert_false(is_right(p, "alice@a.example", view_of("")));
	assert_false(is_right(p, "alice@a.example",
	    view_make(GOOD "\0x", sizeof(GOOD) + 1)));
	assert_false(is_right(p, "Alice@a.example", view_of(GOOD)));
	assert_false(is_right(p, "carol@a.example", view_of(GOOD)));
	assert_false(is_right(p, "", view_of(GOOD)));
	/* nobody is the one whom unknown logins are measured with */
	assert_false(is_right(p, "eve", view_of("nobody")));
	memset(long_one, 'x', sizeof(long_one));
	assert_false(is_right(p, "alice@a.example",
	    view_make(long_one, sizeof(long_one))));
	passwd_free(&p);
}

static void verifiers_of_nobody_look_like_others(void **state)
{
	const struct world *w = *state;
	struct scram_verifier a, b, real;
	struct passwd *p = NULL;
	struct buf text;

	buf_init(&text, 4096);
	add_line(&text, "alice", GOOD);
	buf_puts(&text, "bob:" HASH ":\n"); /* none for SCRAM */
	put_file(w, buf_view(&text));
	buf_free(&text);
	assert_int_equal(passwd_open(&p, w->path, seed, NULL), 0);
	assert_int_equal(passwd_verifier(p, "alice", &real, NULL), 0);
	assert_int_equal(passwd_verifier(p, "eve", &a, NULL), 0);
	assert_int_equal(passwd_verifier(p, "eve", &b, NULL), 0);
	assert_memory_equal(a.salt, b.salt, a.salt_n);
	assert_int_equal(a.salt_n, real.salt_n);
	assert_int_equal(a.iterations, real.iterations);
	assert_int_equal(passwd_verifier(p, "bob", &b, NULL), 0);
	assert_int_equal(b.iterations, real.iterations);
	passwd_free(&p);
	/* after a restart, too */
	assert_int_equal(passwd_open(&p, w->path, seed, NULL), 0);
	assert_int_equal(passwd_verifier(p, "eve", &b, NULL), 0);
	assert_memory_equal(a.salt, b.salt, a.salt_n);
	passwd_free(&p);
}

static void file_is_read_again_when_it_changed(void **state)
{
	const struct world *w = *state;
	struct passwd *p = NULL;
	struct buf b;

	buf_init(&b, 4096);
	put_text(w, "bob:" HASH ":\n");
	assert_int_equal(passwd_open(&p, w->path, seed, NULL), 0);
	passwd_refresh(p);
	assert_false(is_right(p, "alice", view_of(GOOD)));
	add_line(&b, "alice", GOOD);
	put_file(w, buf_view(&b));
	assert_false(is_right(p, "alice", view_of(GOOD)));
	passwd_refresh(p);
	assert_true(is_right(p, "alice", view_of(GOOD)));
	/* what is wrong changes nothing */
	put_text(w, "alice\n");
	passwd_refresh(p);
	assert_true(is_right(p, "alice", view_of(GOOD)));
	put_text(w, "bob:" HASH ":\n");
	assert_int_equal(chmod(w->path, 0666), 0);
	passwd_refresh(p);
	assert_true(is_right(p, "alice", view_of(GOOD)));
	assert_int_equal(unlink(w->path), 0);
	passwd_refresh(p);
	assert_true(is_right(p, "alice", view_of(GOOD)));
	put_text(w, "bob:" HASH ":\n");
	passwd_refresh(p);
	assert_false(is_right(p, "alice", view_of(GOOD)));
	passwd_free(&p);
	buf_free(&b);
}

static void lines_are_made_new_each_time(void **state)
{
	struct passwd_line l;
	struct buf a, b;

	(void)state;
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	add_line(&a, "alice", GOOD);
	add_line(&b, "alice", GOOD);
	assert_string_not_equal(buf_str(&a), buf_str(&b));
	assert_null(strstr(buf_str(&a), "staple"));
	assert_int_equal(passwd_parse_line(&l, view_sub(buf_view(&a), 0,
	    a.n - 1), NULL), 0);
	assert_true(view_eq_str(l.login, "alice"));
	assert_true(l.has_verifier);
	assert_int_equal(l.verifier.iterations, SCRAM_ITERATIONS);
	assert_int_equal(passwd_make(&a, "a:b", view_of(GOOD), NULL), -1);
	assert_int_equal(passwd_make(&a, "alice", view_of("x"), NULL), -1);
	buf_free(&a);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weak_passwords_are_refused_with_the_reason),
		cmocka_unit_test(strong_passwords_are_taken),
		cmocka_unit_test(lengths_and_octets_of_passwords),
		cmocka_unit_test(logins_that_may_not_be),
		cmocka_unit_test_setup_teardown(
		    files_that_are_wrong_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(A64_file_of_others_is_refused,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(passwords_are_verified,
		    set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    verifiers_of_nobody_look_like_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    file_is_read_again_when_it_changed, set_up, tear_down),
		cmocka_unit_test(lines_are_made_new_each_time),
	};

	return cmocka_run_group_tests_name("relay_passwd", tests, NULL, NULL);
}
