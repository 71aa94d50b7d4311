/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The postseal command: what its verbs share. A verb is a function that
 * returns an exit code of sysexits(3), having said on standard error why it
 * is not 0; it opens what it needs through the helpers here, in this order:
 * configuration, the caller's own files, keystore, secret, because opening
 * the keystore gives up root.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "gateway/config.h"
#include "gateway/rules.h"
#include "keystore/keyring.h"

struct cli {
	const char *config_path; /* -c FILE or the default */
	struct config *config;	 /* after cli_config(); owned */
	struct keystore *ks;	 /* after cli_keystore(); owned */
	struct buf secret;	 /* after cli_secret(); wiped by cli_done() */
	struct err secret_why;	 /* root could not read it */
	struct keyring *keyring; /* after cli_keyring(); owned */
	const char *usage; /* of the verb that runs, for cli_usage() */
	const char *verb[2]; /* the words of it, for the audit; or NULL */
	bool dropped;	   /* root was given up, or we never were root */
	bool helped;	   /* --help was given: the exit code is 0 */
	bool may_confine;  /* a program of its own: a sandbox may be put on */
	bool confined;	   /* it is on */
};

#define CLI_CONFIG "/etc/postseal/postseal.conf"

typedef int cli_function(struct cli *c, int argc, char **argv);

struct cli_verb {
	const char *name;
	cli_function *run; /* argv[0] is the verb's own name */
	const char *usage; /* arguments, one line per form */
	const char *what;  /* a few words for --help */
};

/* ---- verbs, by file ---- */
cli_function cmd_init;				   /* init.c */
cli_function cmd_ca;				   /* ca.c */
cli_function cmd_cert;				   /* cert.c */
cli_function cmd_crl;				   /* crl.c */
cli_function cmd_key;				   /* key.c */
cli_function cmd_rules;				   /* rules.c */
cli_function rules_explain;			   /* explain_rules.c */
cli_function cmd_secret;			   /* secret.c */
cli_function cmd_backup;			   /* backup.c */
cli_function cmd_restore;			   /* restore.c */
cli_function cmd_seal, cmd_open;		   /* seal.c */
cli_function cmd_explain;			   /* explain.c */
cli_function cmd_report;			   /* report.c */
cli_function cmd_doctor;			   /* doctor.c */
cli_function cmd_status;			   /* status.c */
cli_function cmd_audit;				   /* audit.c */
cli_function cmd_notice;			   /* notice.c */
cli_function cmd_quarantine;			   /* quarantine.c */

/* Run the verb named by argv[1] out of a table (a verb with sub-verbs calls
 * this with its own table). EX_USAGE and a list when there is none. */
int cli_dispatch(struct cli *c, const struct cli_verb *verb, size_t n,
    int argc, char **argv);

/* ---- arguments ---- */

struct cli_list {
	const char **v; /* owned array of borrowed strings */
	size_t n;
};
void cli_list_free(struct cli_list *l);

/* One option; exactly one of the three is set. */
struct cli_opt {
	const char *name;	/* "--json" */
	bool *flag;		/* present or not */
	const char **value;	/* takes a value, at most once */
	struct cli_list *list;	/* takes a value, may be repeated */
};

/*
 * Take the options out of argv (any order, "--x v" or "--x=v", "--" ends
 * them); what is left goes to rest. 0, or EX_USAGE with the reason and the
 * usage printed. o ends with a NULL name. Free the lists also on failure.
 */
int cli_options(struct cli *c, int argc, char **argv, const struct cli_opt *o,
    struct cli_list *rest);
/* All of an open file into out. FAIL_INPUT, or the buffer's own failure. */
int cli_read_fd(int fd, struct buf *out, struct err *e) MUST_CHECK;
/* The value of an option as a whole number of at least 1; *out stays when
 * text is NULL. 0 or EX_USAGE. */
int cli_count(struct cli *c, const char *name, const char *text, size_t *out);
/* Print "postseal: text" and the usage of the running verb; EX_USAGE. */
int cli_usage(struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Who runs this and from where, for the audit: user (and the login that it
 * came from), verb, terminal, host of the login. */
void cli_actor(const struct cli *c, struct buf *who, struct buf *origin);
/* The group to have in place of root's for who owns such a file. */
gid_t cli_group(const struct stat *st);

/* ---- failing ---- */

/* The exit code for a kind of failure: input and limits 65, policy 69,
 * temporary 75, configuration 78, ours 70. */
int cli_code(const struct err *e);
/* Print "postseal: text" and return cli_code(). */
int cli_fail(const struct err *e);
/* Print "postseal: text" to standard error; returns code. */
int cli_say(int code, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* ---- opening; each 0 or an exit code, the reason printed ---- */

int cli_config(struct cli *c);
/* The same for who can do without the milter's part: see is_relay_only. */
int cli_config_any(struct cli *c);
/* Is it a file that can be read? 0, or EX_CONFIG, having said why not, and
 * where one comes from: "\"postseal init\" makes one". */
int cli_config_file(const char *path, const char *one);
/* What is wrong in it, and how many. EX_CONFIG. */
int cli_config_errors(const char *path, const struct conf_errors *ce,
    const char *page);
/* Gives up root for the store's owner first, and for changes notes who calls,
 * for postseal audit. */
int cli_keystore(struct cli *c, enum ks_mode mode);
/* A verb that prints a part of the keystore and takes --json alone. */
int cli_list_verb(struct cli *c, int argc, char **argv,
    int (*print)(struct cli *c, bool json));
/* Large messages go into the configuration's spool folder. After
 * cli_keystore(). */
int cli_spool(struct cli *c);
/* What asks the directories of the configuration; NULL when there are none.
 * Before cli_keystore(): it reads passwords. lookup.c */
struct finder;
int cli_finder(struct cli *c, struct finder **out);

/* What directories say of an address. */
struct cli_found {
	bool asked;   /* one serves its domain */
	bool unknown; /* none could say: text is why */
	char text[400]; /* where it is from, or that there is none */
	struct selection selection; /* to be freed */
};
/* f may be NULL. 0, or an exit code: the reason was printed. */
int cli_look_up(struct cli *c, struct finder *f, const struct addr *a,
    bool must_know, struct cli_found *out);
/* The content of the secret file. After cli_keystore(). */
int cli_secret(struct cli *c);
/* The same, for keys that are to be added: it must be the one of those that
 * are there. */
int cli_secret_to_seal(struct cli *c);
/* All keys loaded: the command plays the keys process. Opens the keystore
 * for reading and the secret when that was not done. */
int cli_keyring(struct cli *c);
/* Close and wipe everything. */
void cli_done(struct cli *c);

/*
 * A password: first line of the file ("-" is standard input), or asked for
 * on the terminal without echo (twice if confirm); never from argv or the
 * environment. Appended to the secret buffer out. 0 or an exit code.
 */
int cli_password(const char *file, const char *prompt, bool confirm,
    struct buf *out);

/* Read and check a rules file; all errors are printed. 0 or EX_CONFIG. */
int cli_rules(struct cli *c, const char *path, struct rules **out);

/* Now in seconds, or verify-policy's time. */
int64_t cli_now(const struct cli *c);

/* ---- printing ---- */

bool cli_stdout_is_terminal(void);
bool cli_stderr_is_terminal(void);
/* Write a buffer to standard output; 0, or EX_IOERR with the reason. */
int cli_print(struct buf *b);

/* A table: cells are copied; columns are aligned by what people see (UTF-8
 * characters), the last one is not padded. */
struct table;
struct table *table_new(size_t columns);
/* The same with its first row. */
struct table *table_of(const char *const *head, size_t columns);
/* Adds a cell; rows fill from left to right. Controls are shown as '?'. */
void table_cell(struct table *t, const char *text);
/* Appends the table; the first row is the heading. -1 out of memory. */
int table_print(const struct table *t, struct buf *out) MUST_CHECK;
void table_free(struct table **t);

#endif
