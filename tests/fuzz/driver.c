/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Runs a fuzz target without a fuzzer: every file of its corpus as it is,
 * then mutants of them from a fixed seed, so that two runs do the same. A
 * smoke test for make check; real fuzzing links the target with libFuzzer.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_MAX_SIZE (1u << 20)
#define FILES_MAX 4096
#define MUTANTS 2000

struct sample {
	unsigned char *p;
	size_t n;
};

static struct sample sample[FILES_MAX];
static size_t samples;
static uint64_t state = 88172645463325252u;

/* xorshift64: good enough to hit bytes, the same everywhere. */
static size_t
draw(size_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below == 0 ? 0 : (size_t)(state % below);
}

static void
load_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	unsigned char *p;

	if (f == NULL || samples == FILES_MAX)
		goto out;
	p = malloc(FILE_MAX_SIZE);
	if (p == NULL)
		goto out;
	sample[samples].n = fread(p, 1, FILE_MAX_SIZE, f);
	sample[samples++].p = p;
out:
	if (f != NULL)
		fclose(f);
}

static void
load_folder(const char *folder)
{
	struct dirent **names = NULL;
	char path[1024];
	int n = scandir(folder, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			(void)snprintf(path, sizeof(path), "%s/%s", folder,
			    names[i]->d_name);
			load_file(path);
		}
		free(names[i]);
	}
	free(names);
}

static void
run_mutant(void)
{
	static const unsigned char edge[] = { 0, 1, 0x0a, 0x0d, 0x20, 0x2d,
		0x30, 0x7f, 0x80, 0x81, 0x84, 0xff };
	const struct sample *s = &sample[draw(samples)];
	unsigned char *p = malloc(s->n + 64);
	size_t n = s->n;

	if (p == NULL)
		return;
	memcpy(p, s->p, n);
	for (size_t i = 0; i < 1 + draw(6) && n > 0; i++) {
		size_t at = draw(n);
		size_t len = draw(n - at < 64 ? n - at : 64);

		switch (draw(5)) {
		case 0:
			p[at] ^= (unsigned char)(1u << draw(8));
			break;
		case 1:
			p[at] = edge[draw(sizeof(edge))];
			break;
		case 2: /* cut the end */
			n = at;
			break;
		case 3: /* take a piece out */
			memmove(p + at, p + at + len, n - at - len);
			n -= len;
			break;
		default: /* say a piece twice */
			if (n + len <= s->n + 64) {
				memmove(p + at + len, p + at, n - at);
				n += len;
			}
		}
	}
	/* An exact allocation, so that ASan sees one octet too far. */
	unsigned char *exact = malloc(n == 0 ? 1 : n);

	if (exact != NULL) {
		memcpy(exact, p, n);
		(void)LLVMFuzzerTestOneInput(exact, n);
	}
	free(exact);
	free(p);
}

int
main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
	const char *scale = getenv("POSTSEAL_FUZZ_MUTANTS");
	unsigned long mutants = MUTANTS;
	char folder[1024];

	if (scale != NULL)
		mutants = strtoul(scale, NULL, 10);
	name = name == NULL ? argv[0] : name + 1;
	(void)snprintf(folder, sizeof(folder), "tests/fuzz/%s", name);
	if (argc > 1) {
		for (int i = 1; i < argc; i++)
			load_file(argv[i]);
		mutants = 0;
	} else {
		load_folder(folder);
	}
	if (samples == 0) {
		printf("1..0 # SKIP no corpus in %s\n", folder);
		return 0;
	}
	printf("1..2\n");
	for (size_t i = 0; i < samples; i++)
		(void)LLVMFuzzerTestOneInput(sample[i].p, sample[i].n);
	printf("ok 1 - corpus_of_%zu\n", samples);
	fflush(stdout);
	for (unsigned long i = 0; i < mutants; i++)
		run_mutant();
	printf("ok 2 - mutants\n");
	for (size_t i = 0; i < samples; i++)
		free(sample[i].p);
	return 0;
}
