/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Runs a fuzz target without a fuzzer: every input of its corpus as it is,
 * then mutants of them from a fixed seed, so that two runs do the same. The
 * smoke test of make check, and make fuzz where there is no libFuzzer.
 *
 * usage: fuzz_X [FILE...]       these inputs alone
 *        fuzz_X --seeds FOLDER  write what the target makes itself
 *
 * From the project's root. Corpus: tests/fuzz/fuzz_X/, tokens:
 * tests/fuzz/fuzz_X.dict. FUZZ_MUTANTS: how many, FUZZ_SECONDS: how long
 * instead, FUZZ_SEED: a number for others. An input that ends the program
 * stays as regression-HASH in the corpus, or the folder FUZZ_KEEP.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUTS_MAX 8192
#define TOKENS_MAX 1024
#define TOKEN_SIZE 128
#define MUTANTS 2000
#define KEPT_MAX 20 /* findings of one run that are written to files */
#define TOO_LONG 60 /* seconds for one input */

#define OPTIONAL __attribute__((weak))
extern size_t LLVMFuzzerCustomMutator(uint8_t *, size_t, size_t,
    unsigned) OPTIONAL;
extern bool fuzz_seed(size_t, struct buf *) OPTIONAL;
extern const char *fuzz_testdata(void) OPTIONAL;
extern bool fuzz_report(void) OPTIONAL;
extern void __sanitizer_set_death_callback(void (*)(void)) OPTIONAL;

static struct buf input[INPUTS_MAX];
static size_t inputs;
static size_t seeds; /* the first of them, made by the target */
static struct buf token[TOKENS_MAX];
static size_t tokens;
static struct draw numbers = { 88172645463325252u };
static char folder[512];
static char keep[512]; /* for findings */
static struct view now; /* what is being run */
static size_t kept;

/* ---- inputs and tokens ---- */

static bool load_file(const char *path)
{
	struct buf *b = &input[inputs];
	FILE *f = fopen(path, "rb");
	unsigned char *to;

	if (f == NULL || inputs == INPUTS_MAX) {
		if (f != NULL)
			fclose(f);
		return false;
	}
	buf_init(b, FUZZ_INPUT);
	to = buf_room(b, FUZZ_INPUT);
	MUST(to != NULL);
	b->n = fread(to, 1, FUZZ_INPUT, f);
	fclose(f);
	/* only as much as is needed: there are many */
	MUST((to = realloc(b->p, b->n + 1)) != NULL);
	to[b->n] = '\0';
	b->p = to;
	b->size = b->n + 1;
	inputs++;
	return true;
}

/* Files, and those of folders inside: levels of them. */
static void load_folder(const char *from, int levels)
{
	struct dirent **names = NULL;
	char path[1024];
	struct stat st;
	int n = scandir(from, &names, NULL, alphasort);

	for (int i = 0; i < n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", from,
		    names[i]->d_name);
		if (names[i]->d_name[0] != '.' && stat(path, &st) == 0) {
			if (S_ISREG(st.st_mode))
				(void)load_file(path);
			else if (S_ISDIR(st.st_mode) && levels > 0)
				load_folder(path, levels - 1);
		}
		free(names[i]);
	}
	free(names);
}

static void load_seeds(void)
{
	for (size_t i = 0; fuzz_seed != NULL && inputs < INPUTS_MAX; i++) {
		buf_init(&input[inputs], FUZZ_INPUT);
		if (!fuzz_seed(i, &input[inputs]))
			break;
		MUST(!input[inputs].failed);
		inputs++;
	}
	seeds = inputs;
}

static void load_testdata(void)
{
	const char *top = getenv("POSTSEAL_TESTDATA");
	char path[1024];

	if (fuzz_testdata == NULL)
		return;
	(void)snprintf(path, sizeof(path), "%s/%s", top == NULL ?
	    "../shared/testdata" : top, fuzz_testdata());
	load_folder(path, 0);
}

static int hex_digit(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* name="text", with \\, \" and \xAB. */
static void take_token(const char *line)
{
	const char *p = strchr(line, '"');
	struct buf *b = &token[tokens];

	if (line[0] == '#' || p == NULL || tokens == TOKENS_MAX)
		return;
	buf_init(b, TOKEN_SIZE);
	for (p++; *p != '\0' && *p != '"'; p++) {
		if (p[0] == '\\' && p[1] == 'x' && hex_digit(p[2]) >= 0 &&
		    hex_digit(p[3]) >= 0) {
			buf_putc(b, hex_digit(p[2]) * 16 + hex_digit(p[3]));
			p += 3;
		} else {
			p += p[0] == '\\' && p[1] != '\0';
			buf_putc(b, *p);
		}
	}
	MUST(*p == '"' && b->n > 0 && !b->failed);
	tokens++;
}

static void load_tokens(const char *path)
{
	char line[512];
	FILE *f = fopen(path, "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL)
		take_token(line);
	if (f != NULL)
		fclose(f);
}

/* ---- running ---- */

/* FNV-1a */
static uint64_t hash(struct view v)
{
	uint64_t x = 14695981039346656037u;

	for (size_t i = 0; i < v.n; i++)
		x = (x ^ v.p[i]) * 1099511628211u;
	return x;
}

/* Called when the program dies, too: no allocation. */
static void keep_input(const char *what)
{
	char path[600], text[900];
	int fd, n;

	if (now.p == NULL || kept++ >= KEPT_MAX)
		return;
	(void)snprintf(path, sizeof(path), "%s/regression-%016" PRIx64,
	    keep, hash(now));
	(void)mkdir(keep, 0755);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	n = snprintf(text, sizeof(text), "# %s: %zu octets %s %s\n", what,
	    now.n, fd >= 0 && write(fd, now.p, now.n) == (ssize_t)now.n ?
	    "in" : "NOT in", path);
	if (fd >= 0)
		close(fd);
	if (write(1, text, (size_t)n) != n)
		return;
}

void fuzz_keep(const char *what)
{
	keep_input(what);
}

static void on_death(void)
{
	keep_input("died");
	now.p = NULL;
}

static void on_signal(int s)
{
	on_death();
	signal(s, SIG_DFL);
	raise(s);
}

static void catch_deaths(void)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE,
		SIGILL, SIGALRM };

	/* A sanitizer that ends the program raises no signal. */
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(on_death);
	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		signal(signals[i], on_signal);
}

/* In an exact allocation, so that one octet too far is seen. */
static void run_input(struct view v)
{
	unsigned char *exact = malloc(v.n == 0 ? 1 : v.n);

	MUST(exact != NULL);
	if (v.n > 0)
		memcpy(exact, v.p, v.n);
	now = view_make(exact, v.n);
	alarm(TOO_LONG);
	(void)LLVMFuzzerTestOneInput(exact, v.n);
	alarm(0);
	now.p = NULL;
	free(exact);
}

/* ---- mutants ---- */

static void cut_out(struct buf *b, size_t at, size_t n)
{
	memmove(b->p + at, b->p + at + n, b->n - at - n);
	b->n -= n;
}

static void put_in(struct buf *b, size_t at, struct view v)
{
	if (b->n + v.n > b->max || buf_room(b, v.n) == NULL)
		return;
	memmove(b->p + at + v.n, b->p + at, b->n - at);
	memcpy(b->p + at, v.p, v.n);
	b->n += v.n;
}

static void put_over(struct buf *b, size_t at, struct view v)
{
	if (v.n <= b->n - at)
		memcpy(b->p + at, v.p, v.n);
}

static void change_once(struct buf *b)
{
	static const unsigned char edge[] = { 0, 1, 0x09, 0x0a, 0x0d, 0x20,
		0x22, 0x28, 0x29, 0x2d, 0x30, 0x3b, 0x3d, 0x5c, 0x7f, 0x80,
		0x81, 0x84, 0xff };
	const struct buf *other = &input[draw(&numbers, inputs)];
	size_t at = draw(&numbers, b->n + 1);
	size_t left = b->n - at;
	size_t n = draw(&numbers, left < 64 ? left + 1 : 64);
	unsigned char piece[64];
	struct view t;

	switch (draw(&numbers, tokens > 0 ? 10 : 7)) {
	case 0:
		if (left > 0)
			b->p[at] ^= (unsigned char)(1u << draw(&numbers, 8));
		return;
	case 1:
		if (left > 0)
			b->p[at] = edge[draw(&numbers, sizeof(edge))];
		return;
	case 2:
		piece[0] = edge[draw(&numbers, sizeof(edge))];
		put_in(b, at, view_make(piece, 1));
		return;
	case 3:
		if (draw(&numbers, 4) == 0)
			b->n = at; /* the end is lost */
		return;
	case 4:
		cut_out(b, at, n);
		return;
	case 5: /* said twice, here or elsewhere */
		if (n > 0)
			memcpy(piece, b->p + at, n);
		put_in(b, draw(&numbers, b->n + 1), view_make(piece, n));
		return;
	case 6: /* a piece of another input */
		at = draw(&numbers, other->n + 1);
		t = view_sub(buf_view(other), at, draw(&numbers, 400));
		put_in(b, draw(&numbers, b->n + 1), t);
		return;
	case 7:
		put_over(b, at, buf_view(&token[draw(&numbers, tokens)]));
		return;
	default:
		put_in(b, at, buf_view(&token[draw(&numbers, tokens)]));
	}
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t room)
{
	struct buf b;

	buf_init(&b, room);
	buf_put(&b, data, n);
	(void)buf_room(&b, 1);
	change_once(&b);
	n = b.n < room ? b.n : room;
	if (n > 0)
		memcpy(data, b.p, n);
	buf_free(&b);
	return n;
}

/* An input, changed in one to six places. */
static void run_mutant(struct buf *b)
{
	/* those of others are many and mostly broken already */
	bool of_seeds = seeds > 0 && draw(&numbers, 4) > 0;
	const struct buf *from = &input[draw(&numbers, of_seeds ? seeds :
	    inputs)];
	size_t changes = 1 + draw(&numbers, 6);
	uint8_t *to;

	buf_clear(b);
	to = buf_room(b, 2 * from->n + 4096);
	MUST(to != NULL);
	buf_putv(b, buf_view(from));
	if (LLVMFuzzerCustomMutator != NULL)
		b->n = LLVMFuzzerCustomMutator(b->p, b->n, 2 * from->n +
		    4096, (unsigned)draw(&numbers, 0x7fffffff));
	else
		for (size_t i = 0; i < changes; i++)
			change_once(b);
	run_input(buf_view(b));
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *s = getenv(name);

	return s == NULL ? otherwise : strtoul(s, NULL, 10);
}

static void run_mutants(void)
{
	unsigned long n = number("FUZZ_MUTANTS", MUTANTS), i;
	time_t seconds = (time_t)number("FUZZ_SECONDS", 0);
	time_t start = time(NULL);
	struct buf b;

	numbers.x += number("FUZZ_SEED", 0) * 0x9e3779b97f4a7c15u;
	buf_init(&b, 4 * FUZZ_INPUT);
	for (i = 0; seconds > 0 ? time(NULL) - start < seconds : i < n; i++)
		run_mutant(&b);
	buf_free(&b);
	printf("ok 2 - mutants\n# %lu mutants of %zu inputs, %zu tokens\n", i,
	    inputs, tokens);
}

static int write_seeds(const char *to)
{
	char path[1024];
	FILE *f;

	load_seeds();
	for (size_t i = 0; i < inputs; i++) {
		(void)snprintf(path, sizeof(path), "%s/seed-%03zu", to, i);
		f = fopen(path, "wb");
		if (f == NULL || fwrite(input[i].p, 1, input[i].n, f) !=
		    input[i].n || fclose(f) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

static void load_all(const char *name)
{
	char path[600];

	(void)snprintf(path, sizeof(path), "tests/fuzz/%s.dict", name);
	load_tokens(path);
	load_seeds();
	load_folder(folder, 1);
	load_testdata();
}

static int finish(void)
{
	bool ok = fuzz_report == NULL || fuzz_report();

	if (fuzz_report != NULL)
		printf("%s 3 - counts\n", ok ? "ok" : "not ok");
	for (size_t i = 0; i < inputs; i++)
		buf_free(&input[i]);
	for (size_t i = 0; i < tokens; i++)
		buf_free(&token[i]);
	return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');

	name = name == NULL ? argv[0] : name + 1;
	(void)snprintf(folder, sizeof(folder), "tests/fuzz/%s", name);
	(void)snprintf(keep, sizeof(keep), "%s", getenv("FUZZ_KEEP") == NULL ?
	    folder : getenv("FUZZ_KEEP"));
	if (argc == 3 && strcmp(argv[1], "--seeds") == 0)
		return write_seeds(argv[2]);
	for (int i = 1; i < argc; i++) {
		if (!load_file(argv[i])) {
			perror(argv[i]);
			return 1;
		}
	}
	if (argc == 1)
		load_all(name);
	if (inputs == 0) {
		printf("1..0 # SKIP no corpus in %s\n", folder);
		return 0;
	}
	catch_deaths();
	printf("1..%d\n", fuzz_report != NULL ? 3 : 2);
	for (size_t i = 0; i < inputs; i++)
		run_input(buf_view(&input[i]));
	printf("ok 1 - corpus\n");
	fflush(stdout);
	if (argc > 1)
		printf("ok 2 - mutants # SKIP files were named\n");
	else
		run_mutants();
	return finish();
}
