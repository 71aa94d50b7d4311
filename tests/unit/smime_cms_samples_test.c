/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The walker over objects that others made: published ones with a known
 * outcome, and broken ones that must end cleanly. Skipped where the folder
 * of POSTSEAL_TESTDATA is absent.
 */
#include "smime/cms.h"

#include <dirent.h>
#include <stdio.h>

#include "smime_help.h"

/* Files of a fuzzer's corpus end cleanly, as whatever they are. */
static void corpus_ends_cleanly(void **state)
{
	const char *base = getenv("POSTSEAL_TESTDATA");
	struct buf path, all;
	struct dirent *d;
	struct cms *c;
	struct err e;
	CMS_ContentInfo *o;
	size_t n = 0, good = 0, theirs = 0;
	FILE *f;
	DIR *dir;

	(void)state;
	buf_init(&path, 4096);
	buf_init(&all, BIG);
	buf_printf(&path, "%s/fuzz-cms", base == NULL ?
	    "../shared/testdata" : base);
	dir = opendir(buf_str(&path));
	if (dir == NULL) {
		print_message("no %s: skipped\n", buf_str(&path));
		buf_free(&path);
		skip();
	}
	while ((d = readdir(dir)) != NULL) {
		struct buf name;
		unsigned char *to;

		if (d->d_name[0] == '.')
			continue;
		buf_init(&name, 8192);
		buf_printf(&name, "%s/%s", buf_str(&path), d->d_name);
		f = fopen(buf_str(&name), "rb");
		assert_non_null(f);
		buf_clear(&all);
		to = buf_room(&all, 4u << 20);
		all.n = fread(to, 1, 4u << 20, f);
		fclose(f);
		buf_free(&name);
		n++;
		c = NULL;
		o = ossl_cms(buf_view(&all));
		theirs += o != NULL;
		if (read_der(&c, buf_view(&all), &e) == -1) {
			assert_null(c);
			assert_true(e.kind == FAIL_INPUT || e.kind ==
			    FAIL_LIMIT);
		} else {
			good++;
			if (cms_type(c) != CMS_OTHER && o == NULL)
				fail_msg("only we read %s", d->d_name);
		}
		CMS_ContentInfo_free(o);
		cms_free(&c);
	}
	closedir(dir);
	print_message("corpus: %zu files, CMS to us %zu, to libcrypto %zu\n",
	    n, good, theirs);
	assert_true(n > 0);
	buf_free(&path);
	buf_free(&all);
}

/* One file of the test data; false when it is not there. */
static bool read_sample(const char *name, struct buf *out)
{
	const char *base = getenv("POSTSEAL_TESTDATA");
	struct buf path;
	FILE *f;

	buf_init(&path, 4096);
	buf_printf(&path, "%s/%s", base == NULL ? "../shared/testdata" :
	    base, name);
	f = fopen(buf_str(&path), "rb");
	if (f == NULL)
		print_message("no %s: skipped\n", buf_str(&path));
	buf_free(&path);
	if (f == NULL)
		return false;
	buf_clear(out);
	assert_non_null(buf_room(out, 1u << 20));
	out->n = fread(out->p, 1, 1u << 20, f);
	fclose(f);
	return true;
}

/* Objects of RFC 4134, made by others long ago. */
static void published_objects_are_read(void **state)
{
	static const struct {
		const char *name;
		enum cms_type type;
		size_t signers;
		const char *cipher;
	} rows[] = {
		{ "rfc4134/3.1.bin", CMS_OTHER, 0, "" },
		{ "rfc4134/4.1.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.2.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.3.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.4.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.5.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.6.bin", CMS_SIGNED, 2, "" },
		{ "rfc4134/4.7.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.10.bin", CMS_SIGNED, 1, "" },
		{ "rfc4134/4.11.bin", CMS_SIGNED, 0, "" },
		{ "rfc4134/5.1.bin", CMS_ENVELOPED, 0, "3DES-CBC" },
		{ "rfc4134/5.2.bin", CMS_ENVELOPED, 0, "RC2-CBC" },
	};
	struct cms *c = NULL;
	struct buf b;
	struct err e;

	(void)state;
	buf_init(&b, BIG);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!read_sample(rows[i].name, &b)) {
			buf_free(&b);
			skip();
		}
		if (read_der(&c, buf_view(&b), &e) == -1)
			fail_msg("%s: %s", rows[i].name, e.msg);
		assert_int_equal(cms_type(c), rows[i].type);
		assert_int_equal(cms_signers(c), rows[i].signers);
		assert_string_equal(cms_cipher(c)->name, rows[i].cipher);
		cms_free(&c);
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_objects_are_read),
		cmocka_unit_test(corpus_ends_cleanly),
	};

	return cmocka_run_group_tests_name("smime_cms_samples", tests, NULL,
	    NULL);
}
