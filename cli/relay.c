/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay: the table of its sub-verbs, and check.
 */
#include "cli/relay.h"

#include "cli/relay_passwd.h"
#include "relay/config.h"

static void say_warning(void *arg, const char *sentence)
{
	++*(size_t *)arg;
	(void)cli_say(0, "%s", sentence);
}

/* check [FILE]: is the relay { } of the configuration right, and what of it
 * protects less than it seems to? */
int cli_relay_check(struct cli *c, int argc, char **argv)
{
	struct relay_config *rc = NULL;
	struct cli_list rest = { 0 };
	struct conf_errors ce;
	const char *path;
	size_t warnings = 0;
	int code = cli_options(c, argc, argv, (const struct cli_opt[]){
	    { .name = NULL } }, &rest);

	if (code == 0 && rest.n > 1)
		code = cli_usage(c, "one file");
	path = rest.n == 1 ? rest.v[0] : c->config_path;
	cli_list_free(&rest);
	if (code != 0)
		return code;
	conf_errors_init(&ce);
	if (relay_config_read(&rc, path, &ce) != 0) {
		(void)fputs(buf_str(&ce.text), stderr);
		code = EX_CONFIG;
	} else {
		relay_config_warn(rc, say_warning, &warnings);
		printf("%s: %zu listeners, %zu routes, %zu lines of "
		    "tls-policy; %zu warnings\n", path, rc->listeners,
		    rc->routes, rc->rules.n, warnings);
	}
	conf_errors_free(&ce);
	relay_config_free(&rc);
	return code;
}

int cmd_relay(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verb[] = {
		{ "check", cli_relay_check, "relay check [FILE]",
		    "is relay { } right, and what of it is dangerous" },
		{ "import", cli_relay_import,
		    "relay import tlsdestinations|domaincerts|tls_policy|"
		    "stunnel FILE\n"
		    "           [--probe] [--json]\n"
		    "       postseal relay import tlshosts FOLDER [--json]",
		    "files of other programs to lines of ours" },
		{ "passwd", cli_relay_passwd, CLI_RELAY_PASSWD_USAGE,
		    "passwords of people who send" },
	};

	return cli_dispatch(c, verb, ARRAY_LEN(verb), argc, argv);
}
