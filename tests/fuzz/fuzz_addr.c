/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: one address, a path, a domain, a field of addresses. What is
 * accepted has one form, which is accepted again; what the strict parser of
 * lists takes, the lenient one sees as well.
 */
#include "tests/fuzz/fuzz.h"
#include "util/addr.h"
#include "util/utf8.h"

static void check_addr(const struct addr *a)
{
	struct view text = view_of(a->text);
	char key[sizeof(a->text)];
	struct addr b, c;
	struct err e;

	MUST(text.n > 2 && text.n <= CAP_ADDRESS && utf8_is_valid(text));
	MUST(a->local_n > 0 && a->text[a->local_n] == '@');
	MUST(strchr(addr_domain(a), '@') == NULL);
	for (size_t i = 0; i < text.n; i++)
		MUST(text.p[i] > ' ' && text.p[i] != 0x7f);
	MUST(addr_parse(&b, text, &e) == 0);
	MUST(strcmp(a->text, b.text) == 0 && a->local_n == b.local_n);
	MUST(a->utf8 == b.utf8 && addr_eq(a, &b, ADDR_EXACT));
	MUST(addr_eq(a, &b, ADDR_FOLD_LOCAL));
	addr_key(a, key);
	MUST(strlen(key) == text.n);
	MUST(addr_parse(&c, view_of(key), &e) == 0);
	MUST(addr_eq(a, &c, ADDR_FOLD_LOCAL) || a->utf8);
	addr_strip_detail(a, '+', &c);
	/* a.+b leaves a. as Postfix does, which is no address elsewhere */
	if (c.local_n > 0 && c.text[c.local_n - 1] == '.')
		return;
	MUST(addr_parse(&b, view_of(c.text), &e) == 0);
	MUST(strcmp(b.text, c.text) == 0 && b.utf8 == c.utf8);
}

static void run_domain(struct view v)
{
	char a[256], b[256];
	struct err e;

	if (addr_domain_parse(a, sizeof(a), v, &e) != 0) {
		MUST(e.kind == FAIL_INPUT);
		return;
	}
	MUST(addr_domain_parse(b, sizeof(b), view_of(a), &e) == 0);
	MUST(strcmp(a, b) == 0);
}

static void run_address(struct view v)
{
	struct buf path;
	struct addr a, b;
	struct err e;
	bool ok = addr_parse(&a, v, &e) == 0;

	if (ok)
		check_addr(&a);
	else
		MUST(e.kind == FAIL_INPUT && a.text[0] == '\0');
	if (v.n > 1000 || view_chr(v, 0, 0) != (size_t)-1)
		return;
	buf_init(&path, 2000);
	buf_printf(&path, "<%.*s>", (int)v.n, v.n == 0 ? "" :
	    (const char *)v.p);
	if (v.n > 0)
		MUST((addr_parse_path(&b, buf_str(&path), &e) == 0) == ok);
	if (ok)
		MUST(strcmp(a.text, b.text) == 0);
	buf_free(&path);
}

static void run_list(struct view v)
{
	struct addr_list strict, loose;
	struct err e;
	bool ok = addr_list_parse(&strict, v, &e) == 0;

	MUST(ok || (strict.n == 0 && strict.a == NULL));
	MUST(ok ? strict.n > 0 : e.kind == FAIL_INPUT ||
	    e.kind == FAIL_LIMIT);
	if (addr_list_collect(&loose, v, &e) != 0) {
		MUST(e.kind == FAIL_LIMIT && loose.n == 0);
		addr_list_free(&strict);
		return;
	}
	for (size_t i = 0; i < loose.n; i++)
		check_addr(&loose.a[i]);
	if (ok)
		MUST(strict.n == loose.n);
	for (size_t i = 0; i < strict.n; i++)
		MUST(strcmp(strict.a[i].text, loose.a[i].text) == 0);
	addr_list_free(&strict);
	addr_list_free(&loose);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);

	if (n > CAP_HEADER_FIELD)
		return 0;
	run_domain(v);
	run_address(v);
	run_list(v);
	return 0;
}
