/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal explain: the verdict of a message that went through.
 */
#include "cli/cli.h"

int cmd_explain(struct cli *c, int argc, char **argv)
{
	struct cli_opt none[] = {{NULL, NULL, NULL, NULL}};
	struct cli_list rest = {0};
	struct err e = {0};
	struct buf out;
	int rc = cli_options(c, argc, argv, none, &rest);

	buf_init(&out, 64u << 20);
	if (rc == 0 && rest.n != 1)
		rc = cli_usage(c, "one id is needed, ours or the mail "
		    "server's");
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0 && keystore_audit_get(c->ks, rest.v[0], &out, &e) != 0)
		rc = cli_say(cli_code(&e), "%s%s", e.msg,
		    e.kind != FAIL_INPUT ? "" : "; wanted: an id from the "
		    "log, a refusal or --json, not older than keep-audit in "
		    "postseal.conf");
	if (rc == 0) {
		buf_putc(&out, '\n');
		rc = cli_print(&out);
	}
	buf_free(&out);
	cli_list_free(&rest);
	return rc;
}
