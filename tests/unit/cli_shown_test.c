/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What others wrote, where people see it: tables, messages, who did what.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

/* attack A48: names in the store, in files and in backups that move the
 * cursor, by escape sequences or C1 controls, or turn the line around
 * verdict: question marks, and the columns stay where they are */
static void A48_tables_show_no_controls(void **state)
{
	struct table *t = table_new(2);
	struct buf out;

	(void)state;
	assert_non_null(t);
	buf_init(&out, 4096);
	table_cell(t, "a\x1b[2J\nb");
	table_cell(t, "1");
	table_cell(t, "\xc2\x9b" "2Jcd");
	table_cell(t, "2\xe2\x80\xae");
	assert_int_equal(table_print(t, &out), 0);
	assert_string_equal(buf_str(&out), "a?[2J?b  1\n??2Jcd   2???\n");
	table_free(&t);
	buf_free(&out);
}

/* attack A48: a line end or an escape sequence in a message, by a name in
 * it, that forges a second line or moves the cursor
 * verdict: one line, question marks */
static void A48_messages_are_one_line(void **state)
{
	char text[128] = "";
	int pair[2], was = dup(STDERR_FILENO);
	ssize_t n;

	(void)state;
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(dup2(pair[1], STDERR_FILENO), STDERR_FILENO);
	(void)cli_say(0, "%s: no", "a\npostseal: all is well\x1b[1A\xc2\x85");
	assert_int_equal(dup2(was, STDERR_FILENO), STDERR_FILENO);
	n = read(pair[0], text, sizeof(text) - 1);
	assert_true(n > 0);
	assert_string_equal(text,
	    "postseal: a?postseal: all is well?[1A??: no\n");
	close(pair[0]);
	close(pair[1]);
	close(was);
}

/* attack A48: whoever took the service over writes escape sequences into the
 * store, for the terminal of root who looks at it
 * verdict: question marks on a terminal; what goes elsewhere is as it is */
static void A48_what_is_printed_on_a_terminal(void **state)
{
	static const char evil[] = "a\x1b[2J\xc2\x9b" "b\tc\nd\n";
	int tty, other, was = dup(STDOUT_FILENO);
	char text[128];
	struct buf b;
	ssize_t n;

	(void)state;
	buf_init(&b, 4096);
	fflush(stdout);
	tty = posix_openpt(O_RDWR | O_NOCTTY);
	if (tty == -1 || grantpt(tty) != 0 || unlockpt(tty) != 0)
		skip();
	other = open(ptsname(tty), O_RDWR | O_NOCTTY);
	assert_true(other != -1);
	assert_int_equal(dup2(other, STDOUT_FILENO), STDOUT_FILENO);
	buf_puts(&b, evil);
	assert_int_equal(cli_print(&b), EX_OK);
	assert_int_equal(dup2(was, STDOUT_FILENO), STDOUT_FILENO);
	n = read(tty, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	assert_null(strpbrk(text, "\x1b\x9b\xc2"));
	assert_non_null(strstr(text, "a?[2J??b"));
	assert_non_null(strstr(text, "\nd"));
	close(other);
	close(tty);
	close(was);
	buf_free(&b);
}

/* attack A48: SSH_CLIENT, which the caller may set to anything, names a
 * terminal or another host in the audit
 * verdict: taken only when it begins with what an address is made of */
static void A48_where_a_change_comes_from(void **state)
{
	static const struct {
		const char *ssh, *want; /* NULL: nothing */
	} cases[] = {
		{ "192.0.2.7 50000 22", ", from 192.0.2.7" },
		{ "2001:db8::7 50000 22", ", from 2001:db8::7" },
		{ "fe80::1%eth0 50000 22", ", from fe80::1%eth0" },
		{ "192.0.2.7,\t/dev/console 1 2", NULL },
		{ "\x1b[2J 1 2", NULL },
		{ "", NULL },
		{ " 1 2", NULL },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaa 1 2", NULL },
	};
	const struct cli c = { .verb = { "cert", "import" } };
	struct buf who, origin;
	const char *from;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&who, 1024);
		buf_init(&origin, 1024);
		assert_int_equal(setenv("SSH_CLIENT", cases[i].ssh, 1), 0);
		cli_actor(&c, &who, &origin);
		from = strstr(buf_str(&origin), ", from");
		if (cases[i].want == NULL)
			assert_null(from);
		else
			assert_string_equal(from, cases[i].want);
		buf_free(&who);
		buf_free(&origin);
	}
	unsetenv("SSH_CLIENT");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A48_tables_show_no_controls),
		cmocka_unit_test(A48_messages_are_one_line),
		cmocka_unit_test(A48_what_is_printed_on_a_terminal),
		cmocka_unit_test(A48_where_a_change_comes_from),
	};

	return cmocka_run_group_tests_name("cli_shown", tests, NULL, NULL);
}
