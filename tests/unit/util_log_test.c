/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of util/log.c: a line is one line, whatever is logged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/log.h"

/* What the function writes to standard error, and how it ends. */
static int capture(void (*f)(void), char *out, size_t size)
{
	int fds[2], status = 0;
	size_t n = 0;
	ssize_t k;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		close(fds[0]);
		close(fds[1]);
		f();
		_exit(0);
	}
	close(fds[1]);
	while (n + 1 < size && (k = read(fds[0], out + n, size - 1 - n)) > 0)
		n += (size_t)k;
	out[n] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void log_odd(void)
{
	log_init("test", LOG_L_INFO, 0);
	log_info("a\nerror: forged\x1b[2J%s", "\r");
}

static void log_long(void)
{
	char big[9000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_init("test", LOG_L_INFO, 0);
	log_err("%s", big);
}

static void log_levels(void)
{
	log_init("test", LOG_L_NOTICE, 0);
	log_debug("1");
	log_info("2");
	log_notice("3");
	log_set_name("other");
	log_warn("4");
	log_err("5");
}

static void log_the_sentence(void)
{
	log_init("test", LOG_L_INFO, 0);
	log_sentence(LOG_L_WARN, "start", "warning", "on \"unix:/a\\b\" "
	    "event=x");
	log_sentences(LOG_L_ERR, "reload", "error", "one\ntwo words\n\nend");
}

static void log_the_long_sentence(void)
{
	char big[9000];

	memset(big, '\n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	log_init("test", LOG_L_INFO, 0);
	log_sentence(LOG_L_WARN, "start", "warning", big);
	big[300] = '\0';
	log_sentence(LOG_L_WARN, "start", "warning", big);
}

static void die_fatal(void)
{
	log_fatal("disk %d", 1);
}

/* attack A42: a line feed in a logged value, followed by a line of the
 * attacker's
 * verdict: escaped: one event stays one line */
static void A42_newline_does_not_forge_a_line(void **state)
{
	char out[10000];

	(void)state;
	assert_int_equal(capture(log_odd, out, sizeof(out)), 0);
	assert_string_equal(out, "test: info: a?error: forged?[2J?\n");
}

/* attack A42: a path in the configuration, or what another system said, that
 * has a quote and a pair of its own in a warning
 * verdict: escaped: a reader of key=value sees one value
 */
static void A42_a_sentence_is_one_value(void **state)
{
	char out[10000];
	const char *second;

	(void)state;
	assert_int_equal(capture(log_the_sentence, out, sizeof(out)), 0);
	assert_string_equal(out, "test: warning: event=start warning=\"on "
	    "\\\"unix:/a\\\\b\\\" event=x\"\n"
	    "test: error: event=reload error=one\n"
	    "test: error: event=reload error=\"two words\"\n"
	    "test: error: event=reload error=\"\"\n"
	    "test: error: event=reload error=end\n");
	assert_int_equal(capture(log_the_long_sentence, out, sizeof(out)), 0);
	second = strchr(out, '\n') + 1;
	assert_true(second - out > 3900 && second - out < 4200);
	assert_memory_equal(second - 9, "\\x0a...\"\n", 9);
	assert_int_equal(strlen(second), strlen("test: warning: event=start "
	    "warning=\"\"\n") + 300 * 4);
}

static void long_line_is_cut_and_ends(void **state)
{
	char out[10000];
	size_t n;

	(void)state;
	assert_int_equal(capture(log_long, out, sizeof(out)), 0);
	n = strlen(out);
	assert_true(n > 4000 && n < 4400);
	assert_string_equal(out + n - 5, "x...\n");
}

static void levels_below_are_silent(void **state)
{
	char out[1000];

	(void)state;
	assert_int_equal(capture(log_levels, out, sizeof(out)), 0);
	assert_string_equal(out, "test: notice: 3\nother: warning: 4\n"
	    "other: error: 5\n");
}

static void fatal_ends_with_75(void **state)
{
	char out[1000];
	int status;

	(void)state;
	status = capture(die_fatal, out, sizeof(out));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EX_TEMPFAIL);
	assert_string_equal(out, "postseal: error: disk 1\n");
}

static void values_are_quoted_when_odd(void **state)
{
	char line[200];
	size_t n = 0;

	(void)state;
	n = log_value(line, sizeof(line), n, "a", "plain@example.com");
	n = log_value(line, sizeof(line), n, "b", "two words");
	n = log_value(line, sizeof(line), n, "c", "q\" x=y\n\xff\\");
	n = log_value(line, sizeof(line), n, "d", "");
	n = log_value(line, sizeof(line), n, "e", NULL);
	n = log_value(line, sizeof(line), n, "f", "x=y");
	assert_int_equal(n, strlen(line));
	assert_string_equal(line, "a=plain@example.com b=\"two words\" "
	    "c=\"q\\\" x=y\\x0a\\xff\\\\\" d=\"\" e=- f=\"x=y\"");
}

static void values_never_overflow(void **state)
{
	char line[32], big[1000];
	size_t size, n;

	(void)state;
	memset(big, '\n', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (size = 0; size <= sizeof(line); size++) {
		memset(line, 'Z', sizeof(line));
		n = log_value(line, size, 0, "key", "value");
		assert_int_equal(n, size >= 10 ? 9 : 0);
		n = log_value(line, size, n, "k", big);
		assert_int_equal(n, size >= 10 ? 9 : 0);
		if (size < sizeof(line))
			assert_int_equal(line[size], 'Z');
	}
}

static void values_are_cut_at_200(void **state)
{
	char line[600], big[300];
	size_t n;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[200] = '\0';
	n = log_value(line, sizeof(line), 0, "k", big);
	assert_int_equal(n, 202);
	big[200] = 'x';
	big[201] = '\0';
	n = log_value(line, sizeof(line), 0, "k", big);
	assert_int_equal(n, 205);
	assert_string_equal(line + 202, "...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(A42_newline_does_not_forge_a_line),
		cmocka_unit_test(A42_a_sentence_is_one_value),
		cmocka_unit_test(long_line_is_cut_and_ends),
		cmocka_unit_test(levels_below_are_silent),
		cmocka_unit_test(fatal_ends_with_75),
		cmocka_unit_test(values_are_quoted_when_odd),
		cmocka_unit_test(values_never_overflow),
		cmocka_unit_test(values_are_cut_at_200),
	};

	return cmocka_run_group_tests_name("util_log", tests, NULL, NULL);
}
