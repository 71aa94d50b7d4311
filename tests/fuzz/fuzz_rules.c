/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: the rules file. A checked file has an answer for everybody,
 * and the answer in words is a rule that says the same.
 */
#include "gateway/rules_int.h"
#include "gateway/rules_lint.h"
#include "tests/fuzz/fuzz_file.h"

static struct addr addr_of(const char *s)
{
	struct addr a;
	struct err e;

	MUST(addr_parse(&a, view_of(s), &e) == 0);
	return a;
}

/* "outbound : WORDS" read and asked again. */
static void check_words(enum direction d, const char *words)
{
	static char last[DIR_INTERNAL + 1][256];
	struct rule_input in = { .direction = d };
	struct rules *r = NULL;
	struct conf_errors ce;
	struct treatment t;
	struct rule_ref ref;
	struct buf b;

	if (strcmp(last[d], words) == 0)
		return; /* was asked */
	if (view_cstr(view_of(words), last[d], sizeof(last[d])) != 0)
		last[d][0] = '\0';
	conf_errors_init(&ce);
	buf_init(&b, 1u << 18);
	for (int i = DIR_OUTBOUND; i <= DIR_INTERNAL; i++)
		buf_printf(&b, "%s : %s\n", direction_str((enum direction)i),
		    i == (int)d ? words : "pass");
	MUST(rules_read(&r, fuzz_file(b.p, b.n), NULL, &ce) == 0);
	rules_decide(r, &in, &t, &ref);
	buf_clear(&b);
	treatment_print(&t, &b);
	MUST(strcmp(buf_str(&b), words) == 0);
	rules_free(&r);
	conf_errors_free(&ce);
	buf_free(&b);
}

static void ask(const struct rules *r, const struct rule_input *in)
{
	struct treatment t;
	struct rule_ref ref;
	struct buf b;

	memset(&t, 0xff, sizeof(t));
	memset(&ref, 0xff, sizeof(ref));
	rules_decide(r, in, &t, &ref);
	if (ref.file == NULL)
		MUST(in->direction == DIR_INTERNAL && t.pass);
	else
		MUST(ref.line > 0 && ref.text != NULL);
	buf_init(&b, 1u << 17);
	treatment_print(&t, &b);
	MUST(b.n > 0 && !b.failed);
	/* a profile stands elsewhere in the file; quotes are for people */
	if (t.profile == NULL && (t.refuse == NULL ||
	    strpbrk(t.refuse, "\"\\") == NULL))
		check_words(in->direction, buf_str(&b));
	buf_free(&b);
}

/* Lines that add make nothing weaker, and nothing more the second time. */
static void add_lines(const struct rules *r, const struct rule_input *in)
{
	struct treatment t, twice, first;
	struct rule_ref ref;
	const char *given_up, *unknown;

	for (uint32_t i = 0; i < r->alsos && i < 64; i++) {
		const struct rule *also = &r->also[i];

		if (also->direction != in->direction ||
		    !rules_also_holds(r, in, i, &unknown))
			continue;
		rules_decide(r, in, &first, &ref);
		t = first;
		(void)treatment_strengthen(&t, also, &given_up);
		MUST(t.sign >= first.sign && t.encrypt >= first.encrypt);
		MUST(t.verify >= first.verify);
		MUST(t.store_encrypted >= first.store_encrypted);
		MUST(t.revocation_hard >= first.revocation_hard);
		MUST(t.decrypt <= first.decrypt && t.pass <= first.pass);
		MUST(t.leave_sealed == first.leave_sealed);
		MUST(!first.encrypt || first.encrypt_or != OR_MUST ||
		    t.encrypt_or == OR_MUST);
		MUST(!first.verify || first.verify_or != OR_REJECT ||
		    t.verify_or == OR_REJECT);
		MUST(cipher_at_least(t.writing.cipher.floor,
		    first.writing.cipher.floor));
		MUST(cipher_at_least(t.writing.cipher.unknown,
		    t.writing.cipher.floor));
		MUST(first.refuse == NULL || t.refuse == first.refuse);
		twice = t;
		MUST(!treatment_strengthen(&twice, also, &given_up));
		MUST(memcmp(&twice, &t, sizeof(t)) == 0);
	}
}

static void note(void *arg, const struct rules_remark *x)
{
	size_t *n = arg;

	MUST(x->line > 0 && x->text[0] != '\0');
	(*n)++;
}

static void look_over(const struct rules *r)
{
	size_t n = 0;
	struct err e;

	MUST(rules_lint(r, NULL, note, &n, &e) == 0);
}

static void ask_all(const struct rules *r)
{
	static const char *const names[] = { "alice@example.com",
		"bob+x@bank.example", "carol@sub.bank.example" };
	struct addr a[ARRAY_LEN(names)];
	size_t n = ARRAY_LEN(names);

	for (size_t i = 0; i < n; i++)
		a[i] = addr_of(names[i]);
	for (int d = DIR_OUTBOUND; d <= DIR_INTERNAL; d++) {
		struct rule_input in = { .direction = (enum direction)d };

		ask(r, &in);
		add_lines(r, &in);
		for (size_t i = 0; i < n; i++) {
			in.from = &a[i];
			in.envelope_from = i == 0 ? NULL : &a[i];
			in.to = &a[(i + 1) % n];
			in.login = i == 1 ? "alice" : NULL;
			in.client_ip = i == 2 ? "192.0.2.1" : NULL;
			ask(r, &in);
			add_lines(r, &in);
			in.from = NULL;
			in.has_authors = true;
			ask(r, &in);
			add_lines(r, &in);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct rules *r = NULL;
	struct conf_errors ce;
	int rc;

	if (n > 1u << 14)
		return 0;
	conf_errors_init(&ce);
	rc = rules_read(&r, fuzz_file(data, n), NULL, &ce);
	MUST(rc == 0 ? r != NULL && ce.n == 0 : r == NULL && ce.n > 0);
	MUST(!ce.text.failed);
	check_text(buf_view(&ce.text));
	if (r != NULL) {
		ask_all(r);
		look_over(r);
	}
	rules_free(&r);
	conf_errors_free(&ce);
	return 0;
}
