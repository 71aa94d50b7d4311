/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal notice: what the administrator is told by mail, shown or sent now.
 */
#include "gateway/notice.h"

#include <string.h>

#include "cli/cli.h"
#include "fetch/submit.h"

#define SMTP_TIMEOUT_MS 60000

static int send_now(struct cli *c, const struct notice *n)
{
	struct life_notice sent = { .sent = cli_now(c) };
	struct submission s = { c->config->notice_via,
		c->config->authserv_id, c->config->notice_to,
		buf_view(&n->mail) };
	struct err e = { 0 };

	if (submit_mail(&s, SMTP_TIMEOUT_MS, &e) != 0)
		return cli_fail(&e);
	memcpy(sent.hash, n->hash, sizeof(sent.hash));
	if (life_notice_set(c->ks, &sent, &e) != 0)
		return cli_fail(&e);
	return cli_say(EX_OK, "sent to %s", c->config->notice_to);
}

static int run_notice(struct cli *c, bool send)
{
	struct notice n = { 0 };
	struct err e = { 0 };
	int rc = EX_OK;

	if (notice_compose(c->ks, c->config, cli_now(c), &n, &e) != 0)
		rc = cli_fail(&e);
	else if (n.items == 0)
		(void)cli_say(EX_OK, "nothing wants your attention");
	else
		rc = send ? send_now(c, &n) : cli_print(&n.mail);
	notice_free(&n);
	return rc;
}

int cmd_notice(struct cli *c, int argc, char **argv)
{
	bool send = false;
	struct cli_opt opt[] = {
		{ "--send", &send, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct cli_list rest = { 0 };
	int rc = cli_options(c, argc, argv, opt, &rest);

	if (rc == EX_OK && rest.n > 0)
		rc = cli_usage(c, "%s: unexpected", rest.v[0]);
	if (rc == EX_OK)
		rc = cli_keystore(c, send ? KS_WRITE : KS_READ);
	if (rc == EX_OK)
		rc = run_notice(c, send);
	cli_list_free(&rest);
	return rc;
}
