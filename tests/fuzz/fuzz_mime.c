/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: MIME reader in two cuts, canonical form, shape. With
 * libFuzzer: clang -fsanitize=fuzzer,address; without it (FUZZ_MAIN) the
 * files named on the command line are run.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smime/canon.h"
#include "smime/shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Events as a running sum; how bodies are cut does not count. */
struct sum {
	uint64_t x;
};

static void add(struct sum *s, const void *p, size_t n)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < n; i++)
		s->x = (s->x ^ c[i]) * 1099511628211u;
}

static int sum_event(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	struct sum *s = arg;

	(void)e;
	if (ev != MIME_BODY && ev != MIME_PREAMBLE)
		add(s, &ev, sizeof(ev));
	add(s, data.p, data.n);
	if (ev == MIME_END) {
		if (p->start > p->end || p->body > p->end)
			abort();
		add(s, &p->end, sizeof(p->end));
	}
	return 0;
}

static uint64_t read_cut(const uint8_t *data, size_t n, size_t cut)
{
	struct sum s = {1};
	struct mime_handler h = {&s, sum_event};
	struct mime_reader *r = NULL;
	struct mime_findings f;
	struct err e;
	int rc;

	rc = mime_reader_new(&r, true, &h, &e);
	for (size_t i = 0; rc == 0 && i < n; i += cut)
		rc = mime_reader_put(r, data + i, cut < n - i ? cut : n - i,
		    &e);
	if (rc == 0)
		rc = mime_reader_end(r, &f, &e);
	mime_reader_free(&r);
	return rc == 0 ? s.x : 0;
}

static void check_7bit(const struct spool *s)
{
	unsigned char b[4096];
	uint64_t off = 0;
	size_t got = 0;
	struct err e;

	do {
		if (spool_read(s, off, b, sizeof(b), &got, &e) != 0)
			abort();
		for (size_t i = 0; i < got; i++)
			if (b[i] == 0 || b[i] >= 0x80)
				abort();
		off += got;
	} while (got > 0);
}

static void run_canon(const struct spool *s)
{
	struct spool *out = NULL;
	struct canon_info info;
	struct err e;

	if (spool_new(&out, 1u << 26, &e) != 0)
		abort();
	if (canon_entity(s, 0, spool_size(s), out, &info, &e) == 0 &&
	    info.is_7bit)
		check_7bit(out);
	if (spool_clear(out, &e) != 0)
		abort();
	if (canon_deliverable(s, 0, spool_size(s), out, &e) != 0 &&
	    e.kind == FAIL_BUG)
		abort();
	spool_free(&out);
}

static void run_shape(const struct spool *s)
{
	struct header h;
	struct ctype ct;
	struct shape sh;
	struct err e;

	memset(&ct, 0, sizeof(ct));
	if (header_read(&h, s, 0, spool_size(s), &e) == 0 &&
	    ctype_read(&ct, &h, &e) == 0 &&
	    shape_read(&sh, s, &h, &ct, spool_size(s), &e) == 0 &&
	    sh.kind == SHAPE_CLEAR_SIGNED &&
	    (sh.part > sh.part_end || sh.sig > sh.sig_end ||
		sh.sig_end > sh.end))
		abort();
	ctype_free(&ct);
	header_free(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct spool *s = NULL;
	struct err e;

	if (n > 1u << 20)
		return 0;
	if (read_cut(data, n, n + 1) != read_cut(data, n, 1))
		abort();
	if (spool_new(&s, 1u << 26, &e) != 0 ||
	    spool_write(s, data, n, &e) != 0)
		abort();
	run_canon(s);
	run_shape(s);
	spool_free(&s);
	return 0;
}

#ifdef FUZZ_MAIN
int main(int argc, char **argv)
{
	static uint8_t data[1u << 20];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		size_t n;

		if (f == NULL) {
			perror(argv[i]);
			return 1;
		}
		n = fread(data, 1, sizeof(data), f);
		(void)fclose(f);
		(void)LLVMFuzzerTestOneInput(data, n);
	}
	return 0;
}
#endif
