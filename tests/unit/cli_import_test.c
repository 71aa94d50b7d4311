/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which files an import opens while somebody changes the folders, and what
 * is shown of their names.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

#include "cli/import_int.h"
#include "util/proc.h"

#define MANY 502 /* more than are kept open: root asks its child for them */

static void put(const char *folder, const char *name, const char *text)
{
	struct buf path;

	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", folder, name);
	must(io_write_file(buf_str(&path), 0600, view_of(text), e));
	buf_free(&path);
}

static int remove_one(const char *path, const struct stat *st, int type,
    struct FTW *w)
{
	(void)st;
	(void)type;
	(void)w;
	return remove(path);
}

/* "" when it does not open. */
static const char *content(struct files *f, size_t i, char dst[64])
{
	struct err e = { 0 };
	uint64_t size;
	ssize_t n = 0;
	int fd;

	fd = files_open(f, &f->v[i], &size, &e);
	if (fd != -1) {
		n = read(fd, dst, 63);
		close(fd);
	}
	dst[n > 0 ? n : 0] = '\0';
	return dst;
}

static void fill(const char *top, const char *below)
{
	struct buf name;
	size_t i;

	assert_int_equal(mkdir(top, 0700), 0);
	assert_int_equal(mkdir(below, 0700), 0);
	assert_int_equal(mkdir("victim", 0700), 0);
	put(below, "key.pem", "mine");
	put(below, "other.pem", "mine, too");
	put("victim", "key.pem", "precious");
	put("victim", "other.pem", "precious");
	buf_init(&name, 64);
	for (i = 2; i < MANY; i++) {
		buf_clear(&name);
		buf_printf(&name, "z%zu.pem", i);
		put(top, buf_str(&name), "x");
	}
	buf_free(&name);
}

static void swap_for_pipe(const char *path)
{
	int fd;

	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	/* stays open: whoever reads on waits */
}

/* attack A64: the owner of a folder that root imports puts a link into the
 * place of a folder in it, after it was looked at, so that root opens what
 * is elsewhere: somebody's key, a device; or a pipe, so that the import waits
 * for ever while nobody else can write to the keystore
 * verdict: the files are not there any more; below the folder that was named
 * no link is followed, on no level, and nothing is read but files */
static void A64_folders_become_links_while_they_are_read(void **state)
{
	const char *name[] = { "top//" };
	const struct cli_list list = { name, 1 };
	char dir[] = "/tmp/postseal-test.XXXXXX", text[64];
	struct files f = { .sock = -1 };

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	fill("top", "top/a");
	assert_int_equal(files_collect(&f, &list), 0);
	assert_int_equal(f.n, MANY);
	assert_string_equal(content(&f, 0, text), "mine");
	assert_int_equal(rename("top/a", "was"), 0);
	assert_int_equal(symlink("../victim", "top/a"), 0);
	assert_string_equal(content(&f, 0, text), "");
	assert_string_equal(content(&f, 1, text), "");
	assert_string_equal(content(&f, MANY - 1, text), "x");
	assert_int_equal(unlink("top/a"), 0);
	assert_int_equal(rename("was", "top/a"), 0);
	assert_string_equal(content(&f, 1, text), "mine, too");
	/* the last part as well */
	assert_int_equal(unlink("top/a/key.pem"), 0);
	assert_int_equal(symlink("../../victim/key.pem", "top/a/key.pem"), 0);
	assert_string_equal(content(&f, 0, text), "");
	swap_for_pipe("top/a/other.pem");
	assert_string_equal(content(&f, 1, text), "");
	files_free(&f);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    A64_folders_become_links_while_they_are_read),
	};

	return cmocka_run_group_tests_name("cli_import", tests, NULL, NULL);
}
