/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The ledger: each entry once, a day long, and for all processes.
 */
#include "relay/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/proc.h"

#define NOW 1800000000

static void key_of(unsigned char key[32], const char *rcpt, int message)
{
	unsigned char digest[32];

	memset(digest, message, sizeof(digest));
	ledger_key(key, "in", "<alice@a.example>", rcpt, digest);
}

static void an_entry_counts_once(void **state UNUSED)
{
	struct ledger *l;
	unsigned char key[32], other[32];

	assert_int_equal(ledger_open(&l, NULL, 1024, NULL), 0);
	key_of(key, "<bob@b.example>", 1);
	assert_false(ledger_take(l, key, NOW));
	ledger_put(l, key, NOW);
	key_of(other, "<carol@b.example>", 1);
	assert_false(ledger_take(l, other, NOW));
	key_of(other, "<bob@b.example>", 2);
	assert_false(ledger_take(l, other, NOW));
	assert_true(ledger_take(l, key, NOW + 86399));
	assert_false(ledger_take(l, key, NOW));
	/* told twice, it counts once */
	ledger_put(l, key, NOW);
	ledger_put(l, key, NOW);
	assert_true(ledger_take(l, key, NOW));
	assert_false(ledger_take(l, key, NOW));
	ledger_put(l, key, NOW);
	assert_false(ledger_take(l, key, NOW + 86400));
	/* a clock that was set back */
	assert_false(ledger_take(l, key, NOW - 1));
	ledger_free(&l);
}

static void names_of_any_length_do_not_run_together(void **state UNUSED)
{
	unsigned char digest[32] = { 0 }, a[32], b[32];

	ledger_key(a, "in", "<a>", "<bc>", digest);
	ledger_key(b, "in", "<a><b", "c>", digest);
	assert_memory_not_equal(a, b, 32);
	ledger_key(b, "i", "n<a>", "<bc>", digest);
	assert_memory_not_equal(a, b, 32);
}

/* However many come, the newest is there and memory does not grow. */
static void it_is_a_ring(void **state UNUSED)
{
	struct ledger *l;
	unsigned char key[32];
	int i, found = 0;

	assert_int_equal(ledger_open(&l, NULL, 64, NULL), 0);
	for (i = 0; i < 1000; i++) {
		key_of(key, "<bob@b.example>", i % 256);
		key[0] = (unsigned char)(i / 256);
		ledger_put(l, key, NOW + i);
		assert_true(ledger_take(l, key, NOW + i));
		ledger_put(l, key, NOW + i);
	}
	for (i = 0; i < 1000; i++) {
		key_of(key, "<bob@b.example>", i % 256);
		key[0] = (unsigned char)(i / 256);
		found += ledger_take(l, key, NOW + 1000);
	}
	assert_in_range(found, 1, 64);
	ledger_free(&l);
}

static void another_process_sees_it_and_a_file_keeps_it(void **state UNUSED)
{
	char dir[] = "/tmp/relay_ledger_XXXXXX", path[64];
	unsigned char key[32];
	struct ledger *l;
	struct buf b;
	int status;
	pid_t pid;

	assert_non_null(mkdtemp(dir));
	buf_init(&b, sizeof(path));
	buf_printf(&b, "%s/ledger", dir);
	text_set(path, sizeof(path), buf_str(&b));
	buf_free(&b);
	assert_int_equal(ledger_open(&l, path, 1024, NULL), 0);
	key_of(key, "<bob@b.example>", 1);
	pid = fork();
	if (pid == 0) {
		ledger_put(l, key, NOW);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ledger_free(&l);
	assert_int_equal(ledger_open(&l, path, 1024, NULL), 0);
	assert_true(ledger_take(l, key, NOW));
	ledger_put(l, key, NOW);
	ledger_free(&l);
	/* of another size: begun anew */
	assert_int_equal(ledger_open(&l, path, 2048, NULL), 0);
	assert_false(ledger_take(l, key, NOW));
	ledger_free(&l);
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(ledger_open(&l, path, 1024, NULL), -1);
	unlink(path);
	rmdir(dir);
}

/* attack A73: a worker that was taken over writes into the memory that all
 * workers share: sizes, places, locks
 * verdict: entries are lost, which costs a duplicate; nobody waits for it or
 * writes elsewhere
 */
static void A73_a_worker_cannot_lead_the_others_astray(void **state UNUSED)
{
	static const int octet[] = { 0x41, 0xff, 0x7f, 0 };
	char path[] = "/tmp/relay_ledger_XXXXXX";
	unsigned char key[32], *p;
	size_t i, n, k;
	struct ledger *l;
	int fd = mkstemp(path);

	assert_int_equal(ledger_open(&l, path, 64, NULL), 0);
	n = (size_t)lseek(fd, 0, SEEK_END);
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(p, MAP_FAILED);
	for (k = 0; k < ARRAY_LEN(octet); k++) {
		memset(p, octet[k], n);
		for (i = 0; i < 200; i++) {
			key_of(key, "<bob@b.example>", (int)i);
			key[1] = (unsigned char)i;
			assert_false(ledger_take(l, key, NOW));
			ledger_put(l, key, NOW);
		}
	}
	/* it remembers again when nobody disturbs it */
	assert_true(ledger_take(l, key, NOW));
	assert_false(ledger_take(l, key, NOW));
	(void)munmap(p, n);
	ledger_free(&l);
	close(fd);
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_counts_once),
		cmocka_unit_test(names_of_any_length_do_not_run_together),
		cmocka_unit_test(it_is_a_ring),
		cmocka_unit_test(another_process_sees_it_and_a_file_keeps_it),
		cmocka_unit_test(A73_a_worker_cannot_lead_the_others_astray),
	};

	return cmocka_run_group_tests_name("relay_ledger", tests, NULL, NULL);
}
