/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal-milter: options, checking, start. See postseal-milter(8).
 */
#include <stdio.h>
#include <sysexits.h>

#include "milter/child.h"
#include "milter/door.h"
#include "milter/keys_proc.h"
#include "milter/listen.h"
#include "milter/parent.h"
#include "util/daemon.h"
#include "util/log.h"

static void print_warning(const char *s)
{
	fprintf(stderr, "postseal-milter: warning: %s\n", s);
}

static void log_warning(const char *s)
{
	log_sentence(LOG_L_WARN, "start", "warning", s);
}

/* -n: everything that a start would need, without starting. */
static int check(const struct setup *s)
{
	struct list_snapshot *lists = NULL;
	struct keyring *kr = NULL;
	struct err e = { 0 };
	struct buf out;

	buf_init(&out, 1u << 20);
	config_print(s->config, &out);
	fputs(buf_str(&out), stdout);
	buf_free(&out);
	printf("rules read: %zu\n", rules_count(s->rules));
	config_warn(s->config, print_warning);
	if (s->config->listen == NULL && s->config->doors == 0) {
		fprintf(stderr, "postseal-milter: milter { listen } is "
		    "missing, and there is no door\n");
		return EX_CONFIG;
	}
	if ((s->config->listen != NULL &&
	    listen_check_folder(s->config->listen, &e) != 0) ||
	    doors_check(s->config, &e) != 0 ||
	    keys_load(s->config, &kr, &lists, &e) != 0) {
		fprintf(stderr, "postseal-milter: %s\n", e.msg);
		return EX_CONFIG;
	}
	printf("private keys: %zu\n", keyring_keys(kr));
	keyring_free(&kr);
	list_snapshot_free(&lists);
	printf("ok\n");
	return EX_OK;
}

int main(int argc, char **argv)
{
	struct daemon_args d = { .name = "postseal-milter",
		.checks = "rules and keys" };
	struct setup *s = NULL;
	struct conf_errors ce;
	int rc = daemon_args(&d, argc, argv);

	if (rc >= 0)
		return rc;
	conf_errors_init(&ce);
	rc = setup_read(&s, d.config, &ce);
	if (rc != 0)
		rc = daemon_refuse(&d, &ce);
	conf_errors_free(&ce);
	if (rc != 0)
		return rc;
	if (d.only_check) {
		rc = check(s);
		setup_release(&s);
		return rc;
	}
	daemon_log(&d, s->config->log_syslog);
	config_warn(s->config, log_warning);
	return parent_run(d.config, s);
}
