/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal key: its verbs; import and list.
 */
#include "cli/generate.h"
#include "cli/import.h"
#include "cli/keyout.h"
#include "cli/rows.h"

/* ---- list ---- */

static int list_verb(struct cli *c, int argc, char **argv)
{
	return rows_list_verb(c, argc, argv, true);
}

int cmd_key(struct cli *c, int argc, char **argv)
{
	static const struct cli_verb verbs[] = {
		{ "import", import_key_verb, "key import FILE... [--email A] "
		    IMPORT_USAGE, "" },
		{ "export", keyout_verb, "key export --email A|--users FILE|"
		    "--all [--use both|sign|encrypt] --out FILE|DIR "
		    "[--password-file F|--password-list-out F] "
		    "[--old-clients]", "" },
		{ "list", list_verb, "key list [--json] [WHAT]", "" },
		{ "generate", generate_verb, "key generate --users FILE|"
		    "--email A [--name N] --out DIR|FILE|- [--algorithm "
		    "rsa:2048|rsa:3072|rsa:4096|ec:p256|ec:p384] "
		    "[--use both|sign|encrypt|--separate] [--again] "
		    "[--foreign]", "" },
		{ "csr", csr_verb, "key csr --email A|--all "
		    "[--out FILE|DIR]", "" },
		{ "requests", requests_verb, "key requests [--json] [WHAT]",
		    "" },
		{ "drop", drop_verb, "key drop ADDRESS|SHA256 [--yes]", "" },
	};

	return cli_dispatch(c, verbs, ARRAY_LEN(verbs), argc, argv);
}
