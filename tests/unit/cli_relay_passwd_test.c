/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of postseal relay passwd: what stays in the file, what is refused,
 * exit codes.
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

#include "cli/relay_passwd.h"
#include "relay/passwd.h"
#include "util/proc.h"

#define GOOD "staple 7 Battery horse"
#define HASH "$y$j9T$lKEJKnROsP18VMt4FyaKl1$" \
	     "hPoM3RmvIf9MZJMGmMLaeyCKWJUgXwqm4RLBPYAGdB3"
static const unsigned char seed[32] = "seed";

static char dir[64], file[100], secret[100], out[100];
static char said[20000]; /* by the last command, on both */

static int set_up(void **state)
{
	(void)state;
	text_set(dir, sizeof(dir), "/tmp/relay-passwd-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(file, sizeof(file), "%s/passwd", dir);
	(void)snprintf(secret, sizeof(secret), "%s/secret", dir);
	(void)snprintf(out, sizeof(out), "%s/out", dir);
	return 0;
}

static int tear_down(void **state)
{
	char folder[120];

	(void)state;
	(void)unlink(file);
	(void)unlink(secret);
	(void)unlink(out);
	(void)snprintf(folder, sizeof(folder), "%s.new", file);
	(void)rmdir(folder);
	return rmdir(dir);
}

static void put(const char *path, const char *text, mode_t mode)
{
	struct err e = { 0 };

	if (io_write_file(path, mode, view_of(text), &e) != 0)
		fail_msg("%s", e.msg);
}

static void get(const char *path, char *dst, size_t size)
{
	struct err e = { 0 };
	struct buf b;

	buf_init(&b, size - 1);
	if (io_read_file(path, &b, &e) != 0)
		fail_msg("%s", e.msg);
	text_set(dst, size, buf_str(&b));
	buf_free(&b);
}

/* Words up to a NULL; -> exit code. */
static int run(const char *a, const char *b, const char *c, const char *d)
{
	const char *const given[] = { "passwd", a, b, c, d };
	char word[5][200], *argv[6];
	struct cli c0 = { .usage = CLI_RELAY_PASSWD_USAGE };
	int fd, saved[2], rc, n;

	for (n = 0; n < 5 && given[n] != NULL; n++) {
		text_set(word[n], sizeof(word[n]), given[n]);
		argv[n] = word[n];
	}
	argv[n] = NULL;
	fflush(NULL);
	saved[0] = dup(STDOUT_FILENO);
	saved[1] = dup(STDERR_FILENO);
	fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	rc = cli_relay_passwd(&c0, n, argv);
	fflush(NULL);
	dup2(saved[0], STDOUT_FILENO);
	dup2(saved[1], STDERR_FILENO);
	close(saved[0]);
	close(saved[1]);
	get(out, said, sizeof(said));
	return rc;
}

static int set_password(const char *login, const char *password)
{
	put(secret, password, 0600);
	return run(file, login, "--password-file", secret);
}

static bool is_right(const char *login, const char *password)
{
	struct passwd *p = NULL;
	struct err e = { 0 };
	bool right = false;

	if (passwd_open(&p, file, seed, &e) != 0)
		fail_msg("%s", e.msg);
	assert_int_equal(passwd_verify(p, login, view_of(password), &right,
	    NULL), 0);
	passwd_free(&p);
	return right;
}

static void wrong_usage(void **state)
{
	static const char *const t[][4] = {
		{ NULL }, { "F" }, { "F", "a", "b" },
		{ "F", "a", "--list" }, { "--list" },
		{ "F", "--list", "--delete" },
		{ "F", "a", "--delete", "--password-file=x" },
		{ "F", "a", "--json" }, { "F", "a", "--unknown" },
		{ "F", "--delete" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(t); i++)
		assert_int_equal(run(t[i][0], t[i][1], t[i][2], t[i][3]),
		    EX_USAGE);
	/* a password as an argument would be in ps(1) */
	assert_int_equal(run(file, "alice", GOOD, NULL), EX_USAGE);
	assert_non_null(strstr(said, "never an argument"));
	assert_int_equal(access(file, F_OK), -1);
}

static void weak_passwords_change_nothing(void **state)
{
	(void)state;
	assert_int_equal(set_password("alice", "short\n"), EX_UNAVAILABLE);
	assert_non_null(strstr(said, "shorter than 12"));
	assert_int_equal(set_password("alice", "password1234\n"),
	    EX_UNAVAILABLE);
	assert_non_null(strstr(said, "commonest"));
	assert_int_equal(set_password("alice@a.example",
	    "my name is alice\n"), EX_UNAVAILABLE);
	assert_non_null(strstr(said, "login"));
	assert_int_equal(set_password("a:b", GOOD "\n"), EX_DATAERR);
	assert_int_equal(set_password("", GOOD "\n"), EX_DATAERR);
	assert_int_equal(access(file, F_OK), -1);
}

static void logins_are_set_changed_and_taken_out(void **state)
{
	static char text[20000];
	struct stat st;

	(void)state;
	assert_int_equal(set_password("alice", GOOD "\n"), EX_OK);
	assert_non_null(strstr(said, "alice is in"));
	assert_null(strstr(said, "staple"));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(is_right("alice", GOOD));
	assert_int_equal(set_password("bob", "another 1 of Them all\n"),
	    EX_OK);
	assert_int_equal(set_password("alice", "Quite 4 new words here"),
	    EX_OK);
	assert_non_null(strstr(said, "new password"));
	assert_false(is_right("alice", GOOD));
	assert_true(is_right("alice", "Quite 4 new words here"));
	assert_true(is_right("bob", "another 1 of Them all"));
	get(file, text, sizeof(text));
	assert_null(strstr(text, "staple"));
	assert_null(strstr(text, "Quite"));
	assert_int_equal(run(file, "alice", "--delete", NULL), EX_OK);
	assert_non_null(strstr(said, "alice is out"));
	assert_false(is_right("alice", "Quite 4 new words here"));
	assert_true(is_right("bob", "another 1 of Them all"));
	assert_int_equal(run(file, "alice", "--delete", NULL), EX_DATAERR);
	assert_int_equal(run(file, "bob", "--delete", NULL), EX_OK);
	get(file, text, sizeof(text));
	assert_string_equal(text, "");
}

static void other_lines_stay_as_they_are(void **state)
{
	static char text[20000];
	struct stat st;

	(void)state;
	put(file, "# who is who\n\nbob:" HASH ":\n# end\nalice:" HASH
	    ":\ncarol:" HASH ":", 0640);
	assert_int_equal(set_password("alice", GOOD "\n"), EX_OK);
	get(file, text, sizeof(text));
	assert_int_equal(strncmp(text, "# who is who\n\nbob:" HASH ":\n"
	    "# end\nalice:$y$", strlen("# who is who\n\nbob:" HASH ":\n"
	    "# end\nalice:$y$")), 0);
	assert_non_null(strstr(text, "\ncarol:" HASH ":\n"));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_true(is_right("alice", GOOD));
	/* a name that begins like another is another one */
	assert_int_equal(run(file, "car", "--delete", NULL), EX_DATAERR);
	assert_int_equal(run(file, "carol", "--delete", NULL), EX_OK);
	get(file, text, sizeof(text));
	assert_null(strstr(text, "carol"));
	assert_non_null(strstr(text, "# end\n"));
}

static void A64_files_that_are_wrong_are_not_touched(void **state)
{
	static char text[2000];

	(void)state;
	put(file, "bob:secret:\n", 0600);
	assert_int_equal(set_password("alice", GOOD "\n"), EX_DATAERR);
	assert_non_null(strstr(said, "passwd:1: no yescrypt"));
	get(file, text, sizeof(text));
	assert_string_equal(text, "bob:secret:\n");
	put(file, "bob:" HASH ":\n", 0644);
	assert_int_equal(set_password("alice", GOOD "\n"), EX_CONFIG);
	assert_non_null(strstr(said, "chmod"));
	assert_int_equal(unlink(file), 0);
	assert_int_equal(run(file, "--list", NULL, NULL), EX_NOINPUT);
	assert_int_equal(run(file, "alice", "--delete", NULL), EX_NOINPUT);
	/* where it cannot be written, it stays */
	put(file, "bob:" HASH ":\n", 0600);
	(void)snprintf(text, sizeof(text), "%s.new", file);
	assert_int_equal(mkdir(text, 0700), 0);
	assert_int_equal(set_password("alice", GOOD "\n"), EX_CANTCREAT);
	get(file, text, sizeof(text));
	assert_string_equal(text, "bob:" HASH ":\n");
}

static void logins_are_listed(void **state)
{
	(void)state;
	put(file, "# x\nbob:" HASH ":\nm\xc3\xbcller:" HASH
	    ":SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=\n", 0600);
	assert_int_equal(run(file, "--list", NULL, NULL), EX_OK);
	assert_non_null(strstr(said, "bob     plain login\n"));
	assert_non_null(strstr(said, "plain login scram-sha-256\n"));
	assert_null(strstr(said, "$y$"));
	assert_int_equal(run(file, "--list", "--json", NULL), EX_OK);
	assert_string_equal(said, "[{\"login\":\"bob\",\"scram\":false},"
	    "{\"login\":\"m\xc3\xbcller\",\"scram\":true}]\n");
}

#define IN_FOLDER(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FOLDER(wrong_usage),
		IN_FOLDER(weak_passwords_change_nothing),
		IN_FOLDER(A64_files_that_are_wrong_are_not_touched),
		IN_FOLDER(logins_are_set_changed_and_taken_out),
		IN_FOLDER(other_lines_stay_as_they_are),
		IN_FOLDER(logins_are_listed),
	};

	return cmocka_run_group_tests_name("cli_relay_passwd", tests, NULL,
	    NULL);
}
