/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal(1): the table of verbs, and what comes before the verb. Every
 * verb is in a file of its own.
 */
#include "cli/cli.h"

#include <string.h>
#include <unistd.h>

#include "cli/policy.h"
#include "cli/relay.h"
#include "util/log.h"
#include "util/ossl.h"
#include "util/proc.h"
#include "util/version.h"

static const struct cli_verb verbs[] = {
	{ "init", cmd_init, "init --dir DIR [--state DIR2] --domain D "
	    "[--domain D2] [--user USER]",
	    "everything for a start under one folder" },
	{ "ca", cmd_ca, "ca init|issue|renew|revoke|crl|list|passphrase "
	    "...",
	    "a small certificate authority of one's own" },
	{ "cert", cmd_cert,
	    "cert import|list|show|check|export|remove|trust|distrust ...\n"
	    "       postseal cert pin|unpin|assign|unassign|pending|approve|"
	    "reject ...",
	    "certificates in the keystore" },
	{ "crl", cmd_crl, "crl import|fetch|list|remove ...",
	    "which certificates are revoked" },
	{ "key", cmd_key,
	    "key generate|csr|requests|drop|import|export|list ...",
	    "private keys in the keystore" },
	{ "secret", cmd_secret, "secret check|rotate ...",
	    "the secret under which private keys are kept" },
	{ "backup", cmd_backup,
	    "backup FILE|- [--with-secret] [--beside] [--password-file F]\n"
	    "       postseal backup --verify|--list FILE [--password-file F]",
	    "one encrypted file with all that is needed" },
	{ "restore", cmd_restore,
	    "restore FILE --dir DIR|--replace [--yes] [--user USER] "
	    "[--password-file F]",
	    "put back what a backup has" },
	{ "rules", cmd_rules, "rules check|explain ...",
	    "what would happen to whom, and why" },
	{ "seal", cmd_seal,
	    "seal --from A --to B [--to C] [--auth LOGIN | --no-auth] "
	    "[--json FILE] [--out-dir DIR] < in > out",
	    "what the milter would do to outgoing mail" },
	{ "open", cmd_open,
	    "open --from A --to B [--to C] [--json FILE] [--out-dir DIR] "
	    "< in > out",
	    "what the milter would do to incoming mail" },
	{ "explain", cmd_explain, "explain [--json] ID",
	    "the whole story of one message" },
	{ "report", cmd_report, "report [--days N | --since DATE "
	    "[--until DATE]]\n"
	    "       [--by domain|partner|user|reason|signature|class|"
	    "direction] [--json]",
	    "what was sealed, refused, could have been, of a period" },
	{ "doctor", cmd_doctor, "doctor [--json] [--mta postfix|sendmail] "
	    "[--config-dir DIR] [--postconf PATH]",
	    "what is set up dangerously, in the mail server and here" },
	{ "status", cmd_status, "status [--json] [--days N]",
	    "what is there, what will expire, who lacks what" },
	{ "audit", cmd_audit,
	    "audit [--json] [--all | --last N] [--days N] [WHAT]",
	    "who changed what in the keystore" },
	{ "relay", cmd_relay, "relay check|import|passwd ...",
	    "the relay's configuration, and what others had" },
	{ "policy", cmd_policy, "policy explain|probe ...",
	    "what TLS a destination is asked for, and what it shows" },
	{ "quarantine", cmd_quarantine,
	    "quarantine init|list|show|release|delete|export ...",
	    "mail that is held until you decide" },
	{ "notice", cmd_notice, "notice [--send]",
	    "what the administrator is told by mail" },
};

static int print_version(void)
{
	const char *warning = ossl_version_warning();

	printf("postseal " POSTSEAL_VERSION " (OpenSSL %s)\n",
	    ossl_version());
	if (warning != NULL)
		return cli_say(EX_OK, "%s", warning);
	return EX_OK;
}

static int print_help(FILE *to)
{
	struct table *t = table_new(2);
	struct buf out;
	size_t i;
	int rc = EX_OSERR;

	buf_init(&out, 65536);
	buf_puts(&out, "usage: postseal [-c FILE] VERB [ARGUMENTS]\n\n");
	for (i = 0; t != NULL && i < ARRAY_LEN(verbs); i++) {
		table_cell(t, verbs[i].name);
		table_cell(t, verbs[i].what);
	}
	if (t != NULL && table_print(t, &out) == 0) {
		buf_puts(&out, "\nFILE is the configuration, by default "
		    CLI_CONFIG ".\n\"postseal VERB --help\" shows a verb's "
		    "arguments, postseal(1) explains all.\nNew here: "
		    "\"postseal init --dir /tmp/try --domain "
		    "example.com\"\n");
		rc = fputs(buf_str(&out), to) == EOF ? EX_IOERR : EX_OK;
	}
	table_free(&t);
	buf_free(&out);
	return rc;
}

static int usage(const char *why)
{
	(void)cli_say(EX_USAGE, "%s", why);
	(void)print_help(stderr);
	return EX_USAGE;
}

/* Options before the verb: how many words they take, or -1. */
static int read_first(struct cli *c, int argc, char **argv)
{
	int i = 1;

	while (i < argc && argv[i][0] == '-' && argv[i][1] == 'c') {
		if (argv[i][2] != '\0') {
			c->config_path = argv[i++] + 2;
			continue;
		}
		if (i + 1 == argc)
			return -1;
		c->config_path = argv[i + 1];
		i += 2;
	}
	return i;
}

int main(int argc, char **argv)
{
	struct cli c = { .config_path = CLI_CONFIG, .may_confine = true };
	struct err e = { 0 };
	int first, rc;

	log_init("postseal", LOG_L_WARN, 0);
	if (ossl_start(&e) != 0)
		return cli_say(EX_TEMPFAIL, "%s", e.msg);
	proc_no_core();
	buf_init_secret(&c.secret, 65536);
	first = read_first(&c, argc, argv);
	if (first < 0)
		return usage("-c wants a file");
	if (first >= argc)
		return usage("a verb is needed");
	if (strcmp(argv[first], "--version") == 0)
		return print_version();
	if (strcmp(argv[first], "--help") == 0 ||
	    strcmp(argv[first], "-h") == 0 ||
	    strcmp(argv[first], "help") == 0)
		return print_help(stdout);
	rc = cli_dispatch(&c, verbs, ARRAY_LEN(verbs), argc - first + 1,
	    argv + first - 1);
	cli_done(&c);
	if (c.confined) {
		/* what runs at exit may want what the sandbox forbids */
		if (fflush(NULL) != 0)
			rc = EX_IOERR;
		_exit(rc);
	}
	return c.helped ? EX_OK : rc;
}
