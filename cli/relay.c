/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay: the table of its sub-verbs, and check.
 */
#include "cli/relay.h"

#include "cli/policy.h"
#include "cli/relay_passwd.h"

int cli_relay_read(const char *path, struct relay_config **out)
{
	struct conf_errors ce;
	int rc = cli_config_file(path, "postseal-relay(5) shows one");

	if (rc != 0)
		return rc;
	conf_errors_init(&ce);
	if (relay_config_read(out, path, &ce) != 0)
		rc = cli_config_errors(path, &ce, "postseal-relay(5)");
	conf_errors_free(&ce);
	return rc;
}

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
	const char *path;
	size_t warnings = 0;
	int code = cli_options(c, argc, argv, (const struct cli_opt[]){
	    { .name = NULL } }, &rest);

	if (code == 0 && rest.n > 1)
		code = cli_usage(c, "one file");
	path = rest.n == 1 ? rest.v[0] : c->config_path;
	cli_list_free(&rest);
	if (code == 0)
		code = cli_relay_read(path, &rc);
	if (code != 0)
		return code;
	relay_config_warn(rc, say_warning, &warnings);
	printf("%s: %zu listeners, %zu routes, %zu lines of tls-policy; "
	    "%zu %s\n", path, rc->listeners, rc->routes, rc->rules.n,
	    warnings, warnings == 1 ? "warning" : "warnings");
	relay_config_free(&rc);
	return 0;
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
