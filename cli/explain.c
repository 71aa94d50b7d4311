/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal explain: what was decided about a message that went through, for
 * people, or the verdict itself.
 */
#include "cli/cli.h"

#include <string.h>

#include "cli/story.h"

/* The id of held mail is that of its message, and more behind a dash. */
static bool cut_held(const char *id, char message[64])
{
	const char *dash = strrchr(id, '-');
	size_t n = dash == NULL ? 0 : (size_t)(dash - id);

	if (n == 0 || n >= 64 || dash[1] == '\0' ||
	    dash[1 + strspn(dash + 1, "0123456789abcdef")] != '\0')
		return false;
	memcpy(message, id, n);
	message[n] = '\0';
	return true;
}

static int find(struct cli *c, const char *id, struct buf *json)
{
	struct err e = {0};
	char message[64];

	if (keystore_audit_get(c->ks, id, json, &e) == 0)
		return 0;
	if (e.kind == FAIL_INPUT && cut_held(id, message) &&
	    keystore_audit_get(c->ks, message, json, NULL) == 0)
		return 0;
	return cli_say(cli_code(&e), "%s%s", e.msg, e.kind != FAIL_INPUT
	    ? "" : "; wanted: an id from the log, a refusal or --json, not "
	    "older than keep-audit in postseal.conf");
}

static int tell(struct cli *c, const char *id, bool as_json)
{
	struct err e = {0};
	struct buf json, out;
	int rc;

	buf_init(&json, 64u << 20);
	buf_init(&out, 64u << 20);
	rc = find(c, id, &json);
	if (rc == 0 && as_json) {
		buf_putc(&json, '\n');
		rc = cli_print(&json);
	} else if (rc == 0) {
		rc = story_print(buf_view(&json), false, &out, &e) != 0
		    ? cli_fail(&e) : cli_print(&out);
	}
	buf_free(&json);
	buf_free(&out);
	return rc;
}

int cmd_explain(struct cli *c, int argc, char **argv)
{
	bool json = false;
	struct cli_opt opt[] = {
		{"--json", &json, NULL, NULL},
		{NULL, NULL, NULL, NULL},
	};
	struct cli_list rest = {0};
	int rc = cli_options(c, argc, argv, opt, &rest);

	if (rc == 0 && rest.n != 1)
		rc = cli_usage(c, "one id is needed, ours or the mail "
		    "server's");
	if (rc == 0)
		rc = cli_config(c);
	if (rc == 0)
		rc = cli_keystore(c, KS_READ);
	if (rc == 0)
		rc = tell(c, rest.v[0], json);
	cli_list_free(&rest);
	return rc;
}
