/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files with secrets are replaced: by whom, and whose they are then.
 */
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

#include "util/proc.h"

static char folder[] = "/tmp/util-secret-test-XXXXXX";

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* In one of two buffers, in turn. */
static const char *in_dir(const char *name)
{
	static char path[2][64];
	static int at;

	at = !at;
	snprintf(path[at], sizeof(path[at]), "%s/%s", folder, name);
	return path[at];
}

/* attack A64: while the secret is changed, who may write in its folder puts
 * a link or a file of his own into its place, to be given the new secret
 * verdict: what has not the content that was read is not replaced */
static void A64_a_secret_that_was_exchanged_is_not_replaced(void **state)
{
	struct err e = { 0 };
	struct stat st;
	char f[64];

	(void)state;
	(void)unlink(in_dir("f"));
	text_set(f, sizeof(f), in_dir("f"));
	assert_int_equal(io_write_file(f, 0644, view_of("his"), &e), 0);
	assert_int_equal(io_rewrite_secret(f, view_of("ours"),
	    view_of("new"), &e), -1);
	assert_non_null(strstr(e.msg, "changed by somebody else"));
	assert_int_equal(io_rewrite_secret(f, view_of("hi"), view_of("new"),
	    &e), -1);
	assert_int_equal(rename(f, in_dir("his")), 0);
	assert_int_equal(symlink("his", f), 0);
	assert_int_equal(io_rewrite_secret(f, view_of("his"), view_of("new"),
	    &e), -1);
	assert_int_equal(unlink(f), 0);
	assert_int_equal(mkfifo(f, 0600), 0);
	assert_int_equal(io_rewrite_secret(f, view_of(""), view_of("new"),
	    &e), -1);
	assert_int_equal(unlink(f), 0);
	assert_int_equal(lstat(in_dir("f.new"), &st), -1);
	assert_int_equal(unlink(in_dir("his")), 0);
}

static void A64_a_secret_is_replaced_with_its_rights(void **state)
{
	struct err e = { 0 };
	struct stat st;
	struct buf b;

	(void)state;
	buf_init_secret(&b, 64);
	(void)unlink(in_dir("f"));
	assert_int_equal(io_rewrite_secret(in_dir("f"), view_of("one"),
	    view_of("x"), &e), -1);
	assert_int_equal(io_write_file(in_dir("f"), 0440, view_of("one"),
	    &e), 0);
	if (geteuid() == 0)
		assert_int_equal(chown(in_dir("f"), 0, 12345), 0);
	/* what a kill left, or a link that somebody put there */
	assert_int_equal(symlink("/nonexistent/x", in_dir("f.new")), 0);
	assert_int_equal(io_rewrite_secret(in_dir("f"), view_of("one"),
	    view_of("two"), &e), 0);
	assert_int_equal(lstat(in_dir("f.new"), &st), -1);
	assert_int_equal(io_read_secret(in_dir("f"), &b, &e), 0);
	assert_string_equal(buf_str(&b), "two");
	assert_int_equal(stat(in_dir("f"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
	if (geteuid() == 0)
		assert_int_equal(st.st_gid, 12345);
	assert_int_equal(unlink(in_dir("f")), 0);
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    A64_a_secret_that_was_exchanged_is_not_replaced),
		cmocka_unit_test(A64_a_secret_is_replaced_with_its_rights),
	};

	return cmocka_run_group_tests_name("util_secret", tests, make_folder,
	    remove_folder);
}
