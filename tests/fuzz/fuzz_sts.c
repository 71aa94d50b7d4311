/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the text of an MTA-STS policy. What is taken can be written as
 * a plain policy, and means the same then.
 */
#include "fetch/sts.h"
#include "tests/fuzz/fuzz.h"

static void write_policy(const struct sts_policy *p, struct buf *b)
{
	struct view rest = buf_view(&p->mx);
	size_t end;

	buf_printf(b, "version: STSv1\r\nmode: %s\r\nmax_age: %lld\r\n",
	    sts_mode_str(p->mode), (long long)p->max_age_s);
	for (; rest.n > 0; rest = view_sub(rest, end + 1, rest.n)) {
		end = view_chr(rest, ' ', 0);
		MUST(end != (size_t)-1 && end > 0);
		buf_puts(b, "mx: ");
		buf_putv(b, view_sub(rest, 0, end));
		buf_puts(b, "\r\n");
	}
}

static void check_policy(const struct sts_policy *p)
{
	struct sts_policy again;
	struct err e;
	struct buf b;

	MUST(p->mode == STS_NONE || p->mxs > 0);
	MUST(p->mxs <= STS_MXS);
	MUST(p->max_age_s >= 0 && p->max_age_s <= STS_AGE_MAX);
	MUST(!sts_policy_names(p, ""));
	buf_init(&b, STS_POLICY_MAX);
	write_policy(p, &b);
	sts_policy_init(&again);
	MUST(b.failed || sts_policy_parse(&again, buf_view(&b), &e) == 0);
	MUST(b.failed || (again.mode == p->mode && again.mxs == p->mxs &&
	    again.max_age_s == p->max_age_s &&
	    view_eq(buf_view(&again.mx), buf_view(&p->mx))));
	sts_policy_free(&again);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct sts_policy p;
	struct err e;

	sts_policy_init(&p);
	if (sts_policy_parse(&p, view_make(data, n), &e) == 0)
		check_policy(&p);
	sts_policy_free(&p);
	return 0;
}

bool fuzz_seed(size_t i, struct buf *out)
{
	static const char *const seed[] = {
		"version: STSv1\nmode: enforce\nmx: mx.b.example\n"
		    "mx: *.b.example\nmax_age: 86400\n",
		"version: STSv1\r\nmode: testing\r\nmx: a.example\r\n"
		    "max_age: 9999999999\r\n",
		"max_age: 1\nmode: none\nmode: enforce\nversion: STSv1",
	};

	if (i >= ARRAY_LEN(seed))
		return false;
	buf_puts(out, seed[i]);
	return true;
}
