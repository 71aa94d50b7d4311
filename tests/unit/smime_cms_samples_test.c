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

#include "smime/decrypt.h"
#include "smime_help.h"
#include "testca.h"
#include "util/ossl.h"

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
		{ "rfc4134/5.2.bin", CMS_ENVELOPED, 0, "RC2-40-CBC" },
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

static bool read_bob(struct testca_id *bob, struct buf *b)
{
	const unsigned char *p;
	struct err e;

	if (!read_sample("rfc4134/BobRSASignByCarl.cer", b))
		return false;
	assert_int_equal(cert_parse(&bob->cert, buf_view(b), &e), 0);
	if (!read_sample("rfc4134/BobPrivRSAEncrypt.pri", b))
		return false;
	p = b->p;
	bob->key = d2i_AutoPrivateKey(NULL, &p, (long)b->n);
	assert_non_null(bob->key);
	return true;
}

/* RSA of 1024 bits, 3DES, and RC2 with 40 bits (the text says 128), for bob. */
static void S100_S198_published_objects_are_opened(void **state)
{
	static const char *const names[] = { "rfc4134/5.1.bin",
		"rfc4134/5.2.bin" };
	struct testca_id bob = { 0 };
	struct testca_keys keys = { .id = { &bob }, .n = 1 };
	struct key_ops ops = testca_key_ops(&keys);
	struct buf b, plain;
	struct cms *c = NULL;
	struct spool *q;
	struct err e;

	(void)state;
	if (ossl_legacy_load(&e) == -1)
		skip(); /* package openssl-provider-legacy */
	buf_init(&b, BIG);
	buf_init(&plain, BIG);
	if (!read_bob(&bob, &b)) {
		buf_free(&b);
		skip();
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_true(read_sample(names[i], &b));
		assert_int_equal(read_der(&c, buf_view(&b), &e), 0);
		assert_true(cms_cipher(c)->weak);
		assert_int_equal(cms_cipher(c)->supported, i == 0);
		cms_allow(c, CMS_ALLOW_LEGACY);
		q = spool_empty();
		if (cms_decrypt(c, cms_rid(c, 0), cert_sha256(bob.cert), &ops,
		    q, &e) == -1)
			fail_msg("%s: %s", names[i], e.msg);
		buf_clear(&plain);
		spool_get(q, &plain);
		assert_true(read_sample("rfc4134/ExContent.bin", &b));
		assert_true(view_eq(buf_view(&plain), buf_view(&b)));
		spool_free(&q);
		cms_free(&c);
	}
	testca_id_free(&bob);
	buf_free(&b);
	buf_free(&plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_objects_are_read),
		cmocka_unit_test(S100_S198_published_objects_are_opened),
		cmocka_unit_test(corpus_ends_cleanly),
	};

	return cmocka_run_group_tests_name("smime_cms_samples", tests, NULL,
	    NULL);
}
