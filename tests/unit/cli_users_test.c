/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Files of users, and files for users: comma-separated values, the names of
 * files, folders that are filled.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/csv.h"
#include "cli/out.h"

/* ---- comma-separated values ---- */

/* All records: fields in <>, records by lines, errors as "!line text". */
static void read_all(struct view text, struct buf *out)
{
	struct csv_record r = { .n = 0 };
	struct err e = { 0 };
	struct csv c;
	size_t i;
	int got;

	csv_init(&c, text);
	while ((got = csv_next(&c, &r, &e)) != 0) {
		if (got < 0)
			buf_printf(out, "!%s", e.msg);
		for (i = 0; got > 0 && i < r.n; i++)
			buf_printf(out, "<%s>", csv_field(&r, i));
		buf_printf(out, "@%zu\n", r.line);
	}
	assert_string_equal(csv_field(&r, CSV_FIELDS), "");
	csv_record_free(&r);
}

static void csv_is_read_as_rfc_4180_has_it(void **state)
{
	static const struct {
		const char *text, *want;
	} cases[] = {
		{ "a\"b,c\n", "!line 1: a quote within a field that is not "
		    "quoted (RFC 4180 2)@1\n" },
		{ "\"a\"b,c\nd\n", "!line 1: text behind a closing quote "
		    "(RFC 4180 2)@1\n<d>@2\n" },
		{ "x\n\"a\nb", "<x>@1\n!line 2: a quote that is never closed "
		    "(RFC 4180 2)@2\n" },
		{ "\"", "!line 1: a quote that is never closed (RFC 4180 2)"
		    "@1\n" },
		{ "\"a\"\"", "!line 1: a quote that is never closed (RFC 4180 "
		    "2)@1\n" },
		{ "", "" },
		{ "\n\r\n\n", "" },
		{ "\xef\xbb\xbf", "" },
		{ "\xef\xbb\xbf""a,b", "<a><b>@1\n" },
		{ "a,b\r\nc,d\r\n", "<a><b>@1\n<c><d>@2\n" },
		{ "a,b\n\nc,\n,", "<a><b>@1\n<c><>@3\n<><>@4\n" },
		{ "\"\",x", "<><x>@1\n" },
		{ "\"a \"\"b\"\", c\",\"d\r\ne\"\nf,g", "<a \"b\", c><d\r\ne>"
		    "@1\n<f><g>@3\n" },
		{ "a;b,c\nd,e;f\n", "<a><b,c>@1\n<d,e><f>@2\n" },
		{ "a\tb;c\n", "<a><b;c>@1\n" },
		{ "\"x;y\",b\n", "<x;y><b>@1\n" },
		{ "a\rb,c\r", "<a\rb><c>@1\n" },
	};
	struct buf b;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		buf_init(&b, 65536);
		read_all(view_of(cases[i].text), &b);
		assert_string_equal(buf_str(&b), cases[i].want);
		buf_free(&b);
	}
	buf_init(&b, 65536);
	read_all(view_make("a\0b,c\nd\n", 8), &b);
	assert_string_equal(buf_str(&b), "!line 1: a NUL octet@1\n<d>@2\n");
	buf_clear(&b);
	read_all(view_make("\"a\0b\",c\nd\n", 10), &b);
	assert_string_equal(buf_str(&b), "!line 1: a NUL octet@1\n<d>@2\n");
	buf_free(&b);
}

static void csv_has_caps(void **state)
{
	struct csv_record r = { .n = 0 };
	struct csv c;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 1u << 20);
	for (i = 0; i < CSV_FIELDS - 1; i++)
		buf_putc(&b, ',');
	csv_init(&c, buf_view(&b));
	assert_int_equal(csv_next(&c, &r, NULL), 1);
	assert_int_equal(r.n, CSV_FIELDS);
	buf_putc(&b, ',');
	csv_init(&c, buf_view(&b));
	must_fail(csv_next(&c, &r, e), FAIL_INPUT);
	buf_clear(&b);
	for (i = 0; i < CSV_RECORD - 1; i++)
		buf_putc(&b, 'a');
	csv_init(&c, buf_view(&b));
	assert_int_equal(csv_next(&c, &r, NULL), 1);
	buf_putc(&b, 'a');
	csv_init(&c, buf_view(&b));
	must_fail(csv_next(&c, &r, e), FAIL_INPUT);
	csv_record_free(&r);
	buf_free(&b);
}

static void csv_that_is_written_is_read_back(void **state)
{
	static const char *const field[] = { "plain", "a,b", "a\"b", "a\nb",
		"a;b", "", "\"" };
	struct csv_record r = { .n = 0 };
	struct csv c;
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 65536);
	for (i = 0; i < ARRAY_LEN(field); i++) {
		if (i > 0)
			buf_putc(&b, ',');
		csv_put(&b, field[i]);
	}
	csv_init(&c, buf_view(&b));
	assert_int_equal(csv_next(&c, &r, NULL), 1);
	assert_int_equal(r.n, ARRAY_LEN(field));
	for (i = 0; i < ARRAY_LEN(field); i++)
		assert_string_equal(csv_field(&r, i), field[i]);
	csv_record_free(&r);
	buf_free(&b);
}

/* ---- names of files ---- */

/* attack A48: an address as a file name: with a slash, dots, a dash in front,
 * octets that are no ASCII, longer than a file name may be
 * verdict: it is escaped, cut, and told apart by a hash */
static void A48_an_address_is_escaped_before_it_names_a_file(void **state)
{
	static const struct {
		const char *address, *want;
	} cases[] = {
		{ "alice@example.com",
		    "alice@example.com-4141414141414141.csr" },
		{ "ALICE@example.com",
		    "alice@example.com-4141414141414141.csr" },
		{ "a/b@example.com",
		    "a%2fb@example.com-4141414141414141.csr" },
		{ "-rf@example.com",
		    "%2drf@example.com-4141414141414141.csr" },
		{ "\"../../x\"@example.com",
		    "%22..%2f..%2fx%22@example.com-4141414141414141.csr" },
		{ "\xc3\xa4@example.com",
		    "%c3%a4@example.com-4141414141414141.csr" },
		{ "a%2fb@example.com",
		    "a%252fb@example.com-4141414141414141.csr" },
	};
	unsigned char id[32];
	char name[OUT_NAME], far[CAP_ADDRESS + 1];
	struct addr a;
	size_t i;

	(void)state;
	memset(id, 'A', sizeof(id));
	for (i = 0; i < ARRAY_LEN(cases); i++) {
		must(addr_parse(&a, view_of(cases[i].address), e));
		assert_string_equal(out_name(name, &a, id, ".csr"),
		    cases[i].want);
	}
	memset(far, '/', 64);
	memcpy(far + 64, "@example.com", 13);
	must(addr_parse(&a, view_of(far), e));
	(void)out_name(name, &a, id, ".ldif");
	assert_true(strlen(name) < OUT_NAME - 1);
	assert_null(strchr(name, '/'));
	assert_string_equal(name + strlen(name) - 22,
	    "-4141414141414141.ldif");
}

/* ---- folders ---- */

static void check_file(const char *dir, const char *name, const char *want,
    mode_t mode)
{
	char path[256], text[64];
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	close(fd);
	unlink(path);
}

/* attack A64: a link waits in the folder under the name of a file to be
 * made, and a file of the name is there already
 * verdict: neither is followed, written to or replaced; names that lead out
 * of the folder are refused */
static void A64_a_folder_is_filled_and_nothing_is_replaced(void **state)
{
	static const char *const bad[] = { "", ".", "..", ".x", "../x", "a/b",
		"/etc/x" };
	char dir[] = "/tmp/cli-users-test-XXXXXX", sub[64], link[96];
	struct out_dir d = OUT_DIR_INIT;
	mode_t old = umask(077);
	bool there;
	size_t i;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/new", dir);
	assert_int_equal(out_dir_open(&d, sub, 0700), EX_OK);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		must_fail(out_dir_put(&d, bad[i], 0600, view_of("x"), &there,
		    e), FAIL_TEMP);
	must(out_dir_put(&d, "a.csr", 0644, view_of("one"), &there, e));
	assert_false(there);
	must(out_dir_put(&d, "a.csr", 0644, view_of("two"), &there, e));
	assert_true(there);
	snprintf(link, sizeof(link), "%s/l.csr", sub);
	assert_int_equal(symlink("../victim", link), 0);
	must(out_dir_has(&d, "l.csr", &there, e));
	assert_true(there);
	must(out_dir_has(&d, "m.csr", &there, e));
	assert_false(there);
	must(out_dir_put(&d, "l.csr", 0600, view_of("x"), &there, e));
	assert_true(there);
	unlink(link);
	must(out_dir_put(&d, "k.csr", 0600, view_of("k"), &there, e));
	assert_false(there);
	out_dir_close(&d);
	check_file(sub, "a.csr", "one", 0644);
	check_file(sub, "k.csr", "k", 0600);
	snprintf(link, sizeof(link), "%s/victim", dir);
	assert_int_equal(access(link, F_OK), -1);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(dir), 0);
	umask(old);
}

static void A64_one_file_is_new_or_refused(void **state)
{
	char dir[] = "/tmp/cli-users-test-XXXXXX", path[64], link[64];
	struct out_file f = OUT_FILE_INIT;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/file", dir);
	snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(out_file_open(&f, link, 0600), EX_CANTCREAT);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(out_file_open(&f, path, 0600), EX_OK);
	assert_int_equal(out_file_write(&f, view_of("words")), EX_OK);
	out_file_close(&f, true);
	assert_int_equal(out_file_open(&f, path, 0600), EX_CANTCREAT);
	check_file(dir, "file", "words", 0600);
	assert_int_equal(out_file_open(&f, path, 0600), EX_OK);
	out_file_close(&f, false);
	assert_int_equal(access(path, F_OK), -1);
	unlink(link);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_is_read_as_rfc_4180_has_it),
		cmocka_unit_test(csv_has_caps),
		cmocka_unit_test(csv_that_is_written_is_read_back),
		cmocka_unit_test(
		    A48_an_address_is_escaped_before_it_names_a_file),
		cmocka_unit_test(
		    A64_a_folder_is_filled_and_nothing_is_replaced),
		cmocka_unit_test(A64_one_file_is_new_or_refused),
	};

	return cmocka_run_group_tests_name("cli_users", tests, NULL, NULL);
}
