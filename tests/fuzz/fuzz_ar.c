/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: which Authentication-Results are forged. A careless reader is
 * played here: what it takes for ours must go, and how a value is folded and
 * written does not change the verdict.
 */
#include "gateway/gateway_int.h"
#include "tests/fuzz/fuzz.h"

#define OWN "mx.example.com"

static int lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static bool is_blank(int c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool has_smime(struct view v)
{
	for (size_t i = 0; i + 5 <= v.n; i++)
		if (view_ieq_str(view_sub(v, i, 5), "smime"))
			return true;
	return false;
}

/* The octet after the id of ours at the front of v, blanks, quotes and
 * comments left out; -1 when the id is not there, 0 at the end. */
static int after_own_id(struct view v)
{
	const char *id = OWN;
	int depth = 0;

	for (size_t i = 0; i < v.n; i++) {
		int c = lower(v.p[i]);

		if (c == '(' || (depth > 0 && c == ')')) {
			depth += c == '(' ? 1 : -1;
		} else if (depth > 0 || is_blank(c) || c == '"') {
			continue;
		} else if (*id == '\0') {
			return c;
		} else if (c != *id++) {
			return -1;
		}
	}
	return *id == '\0' ? 0 : -1;
}

/* Would somebody who searches, instead of reading, take it for ours? */
static bool looks_ours(struct view v)
{
	int c = after_own_id(v);

	return has_smime(v) && (c == 0 || c == ';' || c == '/' || c == '=');
}

/* Blanks instead of folds, and the other case. */
static void respell(struct view v, struct buf *out)
{
	for (size_t i = 0; i < v.n; i++) {
		int c = v.p[i];

		if (c == '\r' || c == '\n')
			c = ' ';
		buf_putc(out, c >= 'a' && c <= 'z' ? c - 32 : lower(c));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);
	struct buf b;
	bool forged;

	if (n > CAP_HEADER_FIELD)
		return 0;
	forged = ar_is_forged(OWN, v);
	if (looks_ours(v))
		MUST(forged);
	buf_init(&b, 2 * CAP_HEADER_FIELD);
	respell(v, &b);
	MUST(ar_is_forged(OWN, buf_view(&b)) == forged);
	/* with a result of ours behind it */
	buf_clear(&b);
	buf_puts(&b, " " OWN "; ");
	buf_putv(&b, v);
	buf_puts(&b, "; smime=pass");
	MUST(ar_is_forged(OWN, buf_view(&b)));
	buf_free(&b);
	return 0;
}
