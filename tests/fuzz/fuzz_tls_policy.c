/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the lines of tls-policy { }. What is read keeps what the rest
 * of the program relies on, and each line is found by its own destination.
 */
#include "smtp/tls_policy.h"
#include "tests/fuzz/fuzz.h"

static const char *const seeds[] = {
	"default may then dane then sts\n"
	"to .example.com secure match mx.example.com:.example.com ca corp\n"
	"to partner.org from @board.example.net fingerprint "
	"sha256:00112233445566778899aabbccddeeff"
	"00112233445566778899aabbccddeeff port 465 implicit\n"
	"to legacy.lan none\n",
	"default encrypt allow-anonymous\n"
	"to [192.0.2.1]:587 [2001:db8::1] verify servername hostname "
	"ciphers \"HIGH:!aNULL\" protocols 1.2-1.3 on-fail permanent\n"
	"to a.example encrypt require-cert ca x pki y\n",
};

bool fuzz_seed(size_t i, struct buf *out)
{
	if (i >= ARRAY_LEN(seeds))
		return false;
	buf_puts(out, seeds[i]);
	return true;
}

static void count(void *arg, const char *sentence)
{
	MUST(sentence[0] != '\0');
	++*(size_t *)arg;
}

static void check_rule(const struct tls_rules *r, const struct tls_rule *t)
{
	const struct tls_rule *found;

	MUST(t->is_default == (t->to == NULL));
	MUST(t->matches <= TLS_NAMES && t->pins <= TLS_NAMES);
	MUST((t->pins > 0) == (t->level == TLS_FINGERPRINT));
	MUST(!t->allow_anonymous || t->level == TLS_MAY ||
	    t->level == TLS_ENCRYPT);
	MUST(t->min == TLS_V_ANY || t->max == TLS_V_ANY || t->min <= t->max);
	MUST(t->port >= 0 && t->port <= 65535);
	for (size_t i = 0; i < t->matches; i++)
		MUST(t->match[i][0] != '\0' &&
		    strlen(t->match[i]) < TLS_NAME_MAX);
	if (t->to == NULL || t->to[0] == '.')
		return;
	MUST(strlen(t->to) < TLS_NAME_MAX + 8);
	found = tls_rules_find(r, t->to, 25, t->from == NULL ||
	    t->from[0] == '@' ? "" : t->from);
	MUST(t->from != NULL || (found != NULL && !found->is_default));
}

static void check_rules(const struct tls_rules *r)
{
	size_t warnings = 0;

	for (size_t i = 0; i < r->n; i++) {
		MUST(!r->rule[i].is_default || i + 1 == r->n);
		check_rule(r, &r->rule[i]);
	}
	MUST(r->n == 0 || r->has_default == r->rule[r->n - 1].is_default);
	if (r->n < 200)
		tls_rules_warn(r, count, &warnings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct tls_rules rules = { 0 };
	struct conf *c = NULL;
	struct conf_errors ce;
	struct buf b;

	if (n > 1u << 16)
		return 0;
	conf_errors_init(&ce);
	buf_init(&b, 1u << 17);
	buf_puts(&b, "tls-policy {\n");
	buf_put(&b, data, n);
	buf_puts(&b, "\n}\n");
	if (conf_read_text(&c, "f", buf_view(&b), &ce) == 0) {
		if (tls_rules_read(&rules, &c->stmt[0], &ce) == 0)
			check_rules(&rules);
		else
			MUST(rules.n == 0 && ce.n > 0);
	}
	tls_rules_free(&rules);
	conf_free(&c);
	conf_errors_free(&ce);
	buf_free(&b);
	return 0;
}
