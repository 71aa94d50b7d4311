/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Import of files that others made, when they are there: the samples of RFC
 * 9216 and RFC 4134, and what once broke other programs.
 */
#include "tests/unit/keystore_util.h"

#include <dirent.h>
#include <sys/stat.h>

#include "util/proc.h"

struct bench {
	struct place p;
	struct keystore *ks;
	struct import_opts o;
	size_t good;
	struct err e;
};

static const char *testdata(void)
{
	const char *dir = getenv("POSTSEAL_TESTDATA");
	struct stat st;

	if (dir == NULL)
		dir = "../shared/testdata";
	if (stat(dir, &st) != 0) {
		print_message("no test data: POSTSEAL_TESTDATA is not set\n");
		skip();
	}
	return dir;
}

static void bench_make(struct bench *b)
{
	(void)testdata(); /* skips before there is anything to free */
	memset(b, 0, sizeof(*b));
	b->ks = store_make(&b->p);
	b->o.secret = secret_view();
}

static int run(struct bench *b, struct view data)
{
	memset(&b->e, 0, sizeof(b->e));
	return import_data(b->ks, "file", data, &b->o, &b->good, &b->e);
}

static int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	(void)r;
	(void)e;
	++*(size_t *)arg;
	return 0;
}

static size_t stored(struct bench *b)
{
	size_t n = 0;

	must(keystore_list(b->ks, NULL, count_row, &n, e));
	return n;
}

/* Every file of a folder, however odd: an answer, never a crash. */
static size_t import_folder(struct bench *b, const char *sub)
{
	char path[512];
	struct dirent *d;
	struct buf data;
	size_t good = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", testdata(), sub);
	dir = opendir(path);
	if (dir == NULL)
		skip();
	buf_init_secret(&data, CAP_IMPORT_FILE);
	while ((d = readdir(dir)) != NULL) {
		if (d->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", testdata(), sub,
		    d->d_name);
		buf_clear(&data);
		must(io_read_file(path, &data, e));
		if (run(b, buf_view(&data)) == 0)
			good++;
		else if (b->e.kind != FAIL_INPUT)
			fail_msg("%s: %s", path, b->e.msg);
	}
	closedir(dir);
	buf_free(&data);
	return good;
}

static void samples_of_rfc9216(void **state)
{
	struct keyring *kr;
	struct bench b;

	(void)state;
	bench_make(&b);
	(void)import_folder(&b, "rfc9216");
	/* Keys before their certificates the first time. */
	b.o.password = "alice";
	(void)import_folder(&b, "rfc9216");
	b.o.password = "bob";
	(void)import_folder(&b, "rfc9216");
	assert_int_equal(stored(&b), 12);
	must(keyring_load(&kr, b.ks, secret_view(), e));
	assert_true(keyring_keys(kr) >= 4);
	keyring_free(&kr);
	store_clear(&b.p, &b.ks);
}

/* attack A15: certificates of others' fuzzers
 * verdict: imported or refused with a reason, never a crash */
static void A15_strange_files_of_others(void **state)
{
	struct bench b;

	(void)state;
	bench_make(&b);
	assert_true(import_folder(&b, "rfc4134") > 0);
	(void)import_folder(&b, "smime-bc");
	(void)import_folder(&b, "fuzz-cms");
	store_clear(&b.p, &b.ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_of_rfc9216),
		cmocka_unit_test(A15_strange_files_of_others),
	};

	return cmocka_run_group_tests_name("keystore_import_samples", tests,
	    NULL, NULL);
}
