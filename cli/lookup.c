/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Directories, asked by the command itself.
 */
#include "cli/cli.h"
#include "gateway/lookup.h"

int cli_finder(struct cli *c, struct finder **out)
{
	struct err e = {0};

	*out = NULL;
	if (c->config->directories == 0)
		return 0;
	if (finder_new(out, c->config->directory, c->config->directories,
	    &e) != 0)
		return cli_fail(&e);
	return 0;
}

int cli_look_up(struct cli *c, struct finder *f, const struct addr *a,
    bool must_know, struct cli_found *out)
{
	struct found_certs found;
	struct err e = {0};
	int rc = 0;

	out->asked = f != NULL && directories_serve(c->config->directory,
	    c->config->directories, a);
	out->unknown = false;
	out->text[0] = '\0';
	if (!out->asked)
		return 0;
	found_certs_init(&found);
	if (finder_find(f, a, CAP_LOOKUP_MS, &found, &e) != 0) {
		out->unknown = true;
		text_set(out->text, sizeof(out->text), e.msg);
	} else if (lookup_select(c->ks, a, &found, must_know, cli_now(c),
	    &out->selection, &e) != 0) {
		rc = cli_fail(&e);
	} else {
		lookup_source(&found, out->text, sizeof(out->text));
		if (found.n == 0)
			text_set(out->text, sizeof(out->text),
			    found.warning[0] == '\0' ? "knows no certificate"
						     : found.warning);
	}
	found_certs_free(&found);
	return rc;
}
