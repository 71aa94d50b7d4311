/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: a client's messages of SCRAM-SHA-256, two lines; the same as a
 * stored verifier, and as a line of a password file. Nobody gets in without
 * the proof, and what is taken has one form.
 */
#include "relay/passwd.h"
#include "relay/scram.h"
#include "tests/fuzz/fuzz.h"
#include "util/utf8.h"

static const unsigned char seed[32] = "seed";

static void run_exchange(struct view first, struct view last)
{
	struct scram_verifier v;
	struct scram *s = NULL;
	struct err e = { 0 };
	struct view name;
	struct buf out;

	buf_init(&out, SCRAM_MESSAGE);
	MUST(scram_new(&s, "server", &e) == 0);
	if (scram_first(s, first, &e) == 0) {
		name = view_of(scram_name(s));
		MUST(name.n > 0 && utf8_is_valid(name));
		MUST(scram_mock(&v, seed, scram_name(s), 4096, &e) == 0);
		MUST(scram_challenge(s, &v, &out, &e) == 0);
		MUST(memcmp(out.p, "r=", 2) == 0);
		MUST(view_chr(buf_view(&out), 0, 0) == (size_t)-1);
		buf_clear(&out);
		MUST(scram_final(s, last, &out, &e) != 0);
		MUST(out.n == 0);
	}
	MUST(e.kind == FAIL_INPUT || e.kind == FAIL_POLICY);
	MUST(scram_first(s, first, &e) != 0);
	MUST(scram_final(s, last, &out, &e) != 0);
	scram_free(&s);
	buf_free(&out);
}

static void run_verifier(struct view text)
{
	struct scram_verifier v, w;
	struct buf b;
	struct err e;

	if (scram_verifier_parse(&v, text, &e) != 0) {
		MUST(e.kind == FAIL_INPUT);
		return;
	}
	buf_init(&b, 1000);
	scram_verifier_print(&v, &b);
	MUST(view_eq(buf_view(&b), text));
	MUST(scram_verifier_parse(&w, buf_view(&b), &e) == 0);
	MUST(memcmp(&v, &w, sizeof(v)) == 0);
	buf_free(&b);
}

static void run_file(struct view text)
{
	struct passwd_line l;
	struct view line;
	size_t number = 0;
	struct err e;

	while (passwd_next(&text, &line, &number)) {
		if (passwd_parse_line(&l, line, &e) != 0) {
			MUST(e.kind == FAIL_INPUT);
			continue;
		}
		MUST(passwd_check_login(l.login, &e) == 0);
		MUST(l.login.n + l.hash.n + 2 <= line.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view all = view_make(data, n);
	size_t end = view_chr(all, '\n', 0);

	run_exchange(view_sub(all, 0, end), end == (size_t)-1 ?
	    view_make(NULL, 0) : view_sub(all, end + 1, n));
	run_verifier(all);
	run_file(all);
	return 0;
}
