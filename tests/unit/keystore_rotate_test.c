/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A new secret for all keys: before, in between and after, and what an old
 * one may still do.
 */
#include "tests/unit/keystore_util.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "keystore/rotate.h"
#include "keystore/sealing.h"
#include "util/ossl.h"

#define NEW_HEX                                                           \
	"ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define THIRD_HEX                                                         \
	"aa0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define BOTH NEW_HEX "\n" SECRET_HEX "\n"

static int remember(void *arg, const struct key_state *k, struct err *e)
{
	struct buf *b = arg;

	(void)e;
	buf_printf(b, "%.8s %s: %s\n", k->spki, k->label, k->why);
	return 0;
}

static struct key_count look(struct keystore *ks, const char *secret,
    struct buf *closed)
{
	struct key_count n;

	buf_clear(closed);
	must(keystore_check_keys(ks, view_of(secret), remember, closed, &n,
	    e));
	return n;
}

struct three {
	struct place p;
	struct keystore *ks;
	struct made m[3];
	struct buf closed;
};

static void three_make(struct three *t)
{
	static const struct spec spec[] = {
		{ .san = "email:alice@example.com", .key = "a" },
		{ .san = "email:bob@example.com", .key = "b" },
		{ .san = "email:carol@example.com", .key = "c",
		    .until = NOW - DAY },
	};
	size_t i;

	t->ks = store_make(&t->p);
	buf_init(&t->closed, 65536);
	for (i = 0; i < 3; i++) {
		cert_make(&t->m[i], &spec[i], NULL);
		add_cert(t->ks, &t->m[i], KS_SIGN);
		add_private(t->ks, &t->m[i]);
	}
}

static void three_clear(struct three *t)
{
	size_t i;

	for (i = 0; i < 3; i++)
		made_free(&t->m[i]);
	buf_free(&t->closed);
	store_clear(&t->p, &t->ks);
}

static size_t ring_size(struct keystore *ks, const char *secret)
{
	struct keyring *kr = NULL;
	struct err why = { 0 };
	size_t n = 0;

	if (keyring_load(&kr, ks, view_of(secret), &why) == 0)
		n = keyring_keys(kr);
	keyring_free(&kr);
	return n;
}

/* ---- secret files ---- */

static void what_a_secret_file_may_hold(void **state)
{
	static const struct {
		const char *text;
		size_t lines; /* 0: not taken */
	} row[] = {
		{ "", 0 }, { "\n", 0 }, { "\n\n", 0 }, { "x", 0 },
		{ SECRET_HEX, 1 }, { SECRET_HEX "\n", 1 },
		{ SECRET_HEX "\r\n", 1 }, { BOTH, 2 },
		{ NEW_HEX "\r\n" SECRET_HEX "\r\n", 2 },
		{ NEW_HEX "\n\n" SECRET_HEX "\n", 0 },
		{ BOTH THIRD_HEX "\n", 0 }, { SECRET_HEX "\nx\n", 0 },
		{ "x\n" SECRET_HEX "\n", 0 },
	};
	struct err e = { 0 };
	size_t i, n;

	(void)state;
	for (i = 0; i < ARRAY_LEN(row); i++) {
		n = 0;
		if (secret_lines(view_of(row[i].text), &n, &e) != 0)
			n = 0;
		if (n != row[i].lines)
			fail_msg("row %zu: %zu lines", i, n);
		assert_null(strstr(e.msg, "0001"));
	}
	assert_true(secret_same(view_of(BOTH), view_of(NEW_HEX)));
	assert_false(secret_same(view_of(BOTH), view_of(SECRET_HEX)));
	assert_false(secret_same(view_of("x"), view_of("x")));
}

static void the_first_line_seals_and_both_open(void **state)
{
	struct buf a, b, plain;

	(void)state;
	buf_init(&a, 4096);
	buf_init(&b, 4096);
	buf_init_secret(&plain, 4096);
	must(keyring_seal_key(view_of("old"), view_of(SECRET_HEX), &a, e));
	must(keyring_seal_key(view_of("new"), view_of(BOTH), &b, e));
	must(keyring_unseal_key(buf_view(&a), view_of(BOTH), &plain, e));
	must(keyring_unseal_key(buf_view(&b), view_of(BOTH), &plain, e));
	assert_string_equal(buf_str(&plain), "oldnew");
	must_fail(keyring_unseal_key(buf_view(&b), view_of(SECRET_HEX),
	    &plain, e), FAIL_CONFIG);
	must(keyring_unseal_key(buf_view(&b), view_of(NEW_HEX), &plain, e));
	buf_free(&a);
	buf_free(&b);
	buf_free(&plain);
}

/* Made by the first version: "PSK" 1, nonce, ciphertext, tag. */
static void a_key_of_the_first_version_opens(void **state)
{
	static const char hex[] = "50534b01000102030405060708090a0bc569fbfb"
	    "57850138d36c034ba1af49567b93ca05252a9c9bd9654a3279";
	unsigned char raw[sizeof(hex) / 2] = { 0 };
	struct view sealed = view_make(raw, sizeof(raw));
	struct buf plain;

	(void)state;
	buf_init_secret(&plain, 4096);
	assert_int_equal(hex_decode(raw, sizeof(raw), hex), 0);
	assert_int_equal(seal_form(sealed), SEAL_UNNAMED);
	must(keyring_unseal_key(sealed, view_of(SECRET_HEX), &plain, e));
	must(keyring_unseal_key(sealed, view_of(BOTH), &plain, e));
	assert_string_equal(buf_str(&plain), "first versionfirst version");
	must_fail(keyring_unseal_key(sealed, view_of(NEW_HEX), &plain, e),
	    FAIL_CONFIG);
	buf_free(&plain);
}

/* ---- rotation ---- */

static void A64_all_keys_under_a_new_secret(void **state)
{
	struct key_count n;
	struct three t;

	(void)state;
	three_make(&t);
	n = look(t.ks, SECRET_HEX, &t.closed);
	assert_int_equal(n.current, 3);
	must(keystore_rotate(t.ks, view_of(BOTH), NULL, NULL, &n, e));
	assert_int_equal(n.keys, 3);
	assert_int_equal(n.old, 3);
	n = look(t.ks, NEW_HEX, &t.closed);
	assert_int_equal(n.current, 3);
	assert_int_equal(n.closed, 0);
	assert_int_equal(ring_size(t.ks, NEW_HEX), 3);
	assert_int_equal(ring_size(t.ks, BOTH), 3);
	assert_int_equal(ring_size(t.ks, SECRET_HEX), 0);
	n = look(t.ks, SECRET_HEX, &t.closed);
	assert_int_equal(n.closed, 3);
	assert_non_null(strstr(buf_str(&t.closed), "carol@example.com: "));
	three_clear(&t);
}

static void again_changes_nothing(void **state)
{
	struct buf before, after;
	struct key_count n;
	struct three t;

	(void)state;
	three_make(&t);
	buf_init(&before, 65536);
	buf_init(&after, 65536);
	must(keystore_rotate(t.ks, view_of(BOTH), NULL, NULL, &n, e));
	must(keystore_get_key(t.ks, cert_spki_sha256(t.m[0].cert), &before,
	    e));
	must(keystore_rotate(t.ks, view_of(BOTH), NULL, NULL, &n, e));
	assert_int_equal(n.current, 3);
	assert_int_equal(n.old, 0);
	must(keystore_get_key(t.ks, cert_spki_sha256(t.m[0].cert), &after,
	    e));
	assert_true(view_eq(buf_view(&before), buf_view(&after)));
	buf_free(&before);
	buf_free(&after);
	three_clear(&t);
}

static void put_octets(struct three *t, size_t i, const char *hex)
{
	unsigned char raw[32] = { 0 };
	size_t n = strlen(hex) / 2;

	assert_int_equal(hex_decode(raw, n, hex), 0);
	must(keystore_add_key(t->ks, cert_spki_sha256(t->m[i].cert),
	    view_make(raw, n), e));
}

static void one_that_does_not_open_stops_all(void **state)
{
	struct key_count n;
	struct three t;

	(void)state;
	three_make(&t);
	put_octets(&t, 1, "50534b0100000000000000000000000000000000000000");
	must_fail(keystore_rotate(t.ks, view_of(BOTH), NULL, NULL, &n, e),
	    FAIL_CONFIG);
	n = look(t.ks, SECRET_HEX, &t.closed);
	assert_int_equal(n.current, 2);
	assert_int_equal(n.closed, 1);
	assert_non_null(strstr(buf_str(&t.closed), "bob@example.com"));
	n = look(t.ks, NEW_HEX, &t.closed);
	assert_int_equal(n.current, 0);
	must_fail(keystore_rotate(t.ks, view_of("x"), NULL, NULL, &n, e),
	    FAIL_CONFIG);
	three_clear(&t);
}

static void keys_of_a_CA_under_a_passphrase_stay(void **state)
{
	struct buf after;
	struct key_count n;
	struct three t;

	(void)state;
	three_make(&t);
	buf_init(&after, 4096);
	put_octets(&t, 2, "50534301aabbccdd");
	must(keystore_rotate(t.ks, view_of(BOTH), NULL, NULL, &n, e));
	assert_int_equal(n.passphrase, 1);
	assert_int_equal(n.old, 2);
	must(keystore_get_key(t.ks, cert_spki_sha256(t.m[2].cert), &after,
	    e));
	assert_int_equal(after.n, 8);
	n = look(t.ks, NEW_HEX, &t.closed);
	assert_int_equal(n.closed, 0);
	buf_free(&after);
	three_clear(&t);
}

/*
 * A long import that read the old secret must not store a key that nothing
 * opens any more.
 */
static void a_late_key_under_the_old_secret_is_refused(void **state)
{
	struct buf late;
	struct key_count n;
	struct three t;

	(void)state;
	three_make(&t);
	buf_init(&late, 4096);
	must(keyring_seal_key(view_of("late"), view_of(SECRET_HEX), &late,
	    e));
	must(keystore_rotate(t.ks, view_of(BOTH), NULL, NULL, &n, e));
	must_fail(keystore_add_key(t.ks, cert_spki_sha256(t.m[0].cert),
	    buf_view(&late), e), FAIL_TEMP);
	assert_int_equal(ring_size(t.ks, NEW_HEX), 3);
	buf_clear(&late);
	must(keyring_seal_key(view_of("late"), view_of(BOTH), &late, e));
	must(keystore_add_key(t.ks, cert_spki_sha256(t.m[0].cert),
	    buf_view(&late), e));
	buf_free(&late);
	three_clear(&t);
}

static void back_to_an_earlier_secret(void **state)
{
	static const char *const step[] = {
		NEW_HEX "\n" SECRET_HEX, THIRD_HEX "\n" NEW_HEX,
		SECRET_HEX "\n" THIRD_HEX,
	};
	struct buf sealed;
	struct key_count n;
	struct three t;
	size_t i;

	(void)state;
	three_make(&t);
	buf_init(&sealed, 4096);
	for (i = 0; i < 3 * 8; i++) {
		must(keystore_rotate(t.ks, view_of(step[i % 3]), NULL, NULL,
		    &n, e));
		assert_int_equal(n.old, 3);
		must(keystore_get_key(t.ks, cert_spki_sha256(t.m[0].cert),
		    &sealed, e));
		must(keystore_add_key(t.ks, cert_spki_sha256(t.m[0].cert),
		    buf_view(&sealed), e));
		buf_clear(&sealed);
	}
	assert_int_equal(ring_size(t.ks, SECRET_HEX), 3);
	buf_free(&sealed);
	three_clear(&t);
}

/* ---- the file of the keystore ---- */

/* attack A64: a keystore that others may write, or a link in its place
 * verdict: refused when it is opened, with what mends it */
static void A64_keystore_with_wrong_rights(void **state)
{
	static const mode_t bad[] = { 0660, 0666, 0642, 0620 };
	struct err e = { 0 };
	struct keystore *ks;
	struct place p;
	char name[128];
	size_t i;

	(void)state;
	ks = store_make(&p);
	keystore_close(&ks);
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(chmod(p.db, bad[i]), 0);
		assert_int_equal(keystore_open(&ks, p.db, KS_READ, &e), -1);
		assert_int_equal(e.kind, FAIL_CONFIG);
		assert_non_null(strstr(e.msg, "chmod 640"));
		assert_null(ks);
	}
	assert_int_equal(chmod(p.db, 0640), 0);
	snprintf(name, sizeof(name), "%s/link", p.dir);
	assert_int_equal(symlink("keystore.db", name), 0);
	assert_int_equal(keystore_open(&ks, name, KS_READ, &e), -1);
	assert_non_null(strstr(e.msg, "not a regular file"));
	assert_int_equal(unlink(name), 0);
	assert_int_equal(keystore_open(&ks, p.db, KS_WRITE, &e), 0);
	store_clear(&p, &ks);
}

/* Looking at the file must not give up the locks of a handle that this
 * process has on it. */
static void opening_again_keeps_the_locks(void **state)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
		.l_start = 0x40000000, .l_len = 512 }; /* SQLite's octets */
	struct keystore *ks, *again;
	struct place p;
	pid_t pid;
	int fd, status;

	(void)state;
	ks = store_make(&p);
	must(keystore_begin(ks, e));
	must(keystore_open(&again, p.db, KS_READ, e));
	keystore_close(&again);
	must_fail(keystore_open(&again, p.dir, KS_READ, e), FAIL_CONFIG);
	/* A process sees the locks of others only. */
	pid = fork();
	if (pid == 0) {
		fd = open(p.db, O_RDWR | O_CLOEXEC);
		_exit(fd != -1 && fcntl(fd, F_GETLK, &lock) == 0 &&
		    lock.l_type != F_UNLCK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	keystore_rollback(ks);
	store_clear(&p, &ks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_secret_file_may_hold),
		cmocka_unit_test(the_first_line_seals_and_both_open),
		cmocka_unit_test(a_key_of_the_first_version_opens),
		cmocka_unit_test(A64_all_keys_under_a_new_secret),
		cmocka_unit_test(again_changes_nothing),
		cmocka_unit_test(one_that_does_not_open_stops_all),
		cmocka_unit_test(keys_of_a_CA_under_a_passphrase_stay),
		cmocka_unit_test(a_late_key_under_the_old_secret_is_refused),
		cmocka_unit_test(back_to_an_earlier_secret),
		cmocka_unit_test(A64_keystore_with_wrong_rights),
		cmocka_unit_test(opening_again_keeps_the_locks),
	};

	return cmocka_run_group_tests_name("keystore_rotate", tests, NULL,
	    NULL);
}
