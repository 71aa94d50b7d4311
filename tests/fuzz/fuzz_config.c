/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: postseal.conf. Errors or a configuration, never both and
 * never neither.
 */
#include "gateway/config.h"
#include "tests/fuzz/fuzz_file.h"

static void warned(const char *sentence)
{
	check_text(view_of(sentence));
}

static void check_config(const struct config *c)
{
	struct buf b;
	struct addr a;
	struct err e;

	MUST(c->domains > 0 && c->keystore != NULL && c->secret != NULL);
	MUST(c->rules != NULL && c->authserv_id != NULL);
	MUST(c->workers > 0 && c->max_message > 0);
	buf_init(&b, FUZZ_SPOOL);
	config_print(c, &b);
	config_warn(c, warned);
	MUST(b.n > 0 && !b.failed);
	buf_free(&b);
	MUST(addr_parse(&a, view_of("alice@example.com"), &e) == 0);
	(void)config_is_local(c, &a);
	for (size_t i = 0; i < c->weaks; i++)
		(void)pattern_has(&c->weak[i], &a);
	for (size_t i = 0; i < c->domain_sigs; i++)
		(void)pattern_has_domain(&c->domain_sig[i], "example.com");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct config *c = NULL;
	struct conf_errors ce;
	int rc;

	if (n > 1u << 14)
		return 0;
	conf_errors_init(&ce);
	rc = config_read(&c, fuzz_file(data, n), &ce);
	MUST(rc == 0 ? c != NULL && ce.n == 0 : c == NULL && ce.n > 0);
	MUST(!ce.text.failed);
	check_text(buf_view(&ce.text));
	if (c != NULL)
		check_config(c);
	config_free(&c);
	conf_errors_free(&ce);
	return 0;
}
