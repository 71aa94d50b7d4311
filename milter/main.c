/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal-milter: options, checking, start. See postseal-milter(8).
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "milter/child.h"
#include "milter/door.h"
#include "milter/keys_proc.h"
#include "milter/listen.h"
#include "milter/parent.h"
#include "util/log.h"
#include "util/ossl.h"

#define VERSION "0.1"
#define DEFAULT_CONFIG "/etc/postseal/postseal.conf"

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: postseal-milter [-fnV] [-c FILE]\n"
	    "  -c FILE  configuration (" DEFAULT_CONFIG ")\n"
	    "  -f       stay in the foreground (always so)\n"
	    "  -n       check configuration, rules and keys, print what would "
	    "be used\n"
	    "  -V       print the version\n");
	return status;
}

static void print_warning(const char *s)
{
	fprintf(stderr, "postseal-milter: warning: %s\n", s);
}

static void log_warning(const char *s)
{
	log_warn("event=start warning=\"%s\"", s);
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

static int report(const char *path, const struct conf_errors *ce)
{
	fprintf(stderr, "%spostseal-milter: %s: %zu %s, nothing started\n",
	    buf_str(&ce->text), path, ce->n, ce->n == 1 ? "error" : "errors");
	return EX_CONFIG;
}

int main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	bool only_check = false;
	struct setup *s = NULL;
	struct conf_errors ce;
	struct err e = { 0 };
	int opt, rc;

	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(stdout, EX_OK);
	while ((opt = getopt(argc, argv, "c:fnV")) != -1) {
		switch (opt) {
		case 'c':
			path = optarg;
			break;
		case 'f':
			break;
		case 'n':
			only_check = true;
			break;
		case 'V':
			printf("postseal-milter %s, OpenSSL %s\n", VERSION,
			    ossl_version());
			return EX_OK;
		default:
			return usage(stderr, EX_USAGE);
		}
	}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	if (ossl_start(&e) != 0) {
		fprintf(stderr, "postseal-milter: %s\n", e.msg);
		return EX_TEMPFAIL;
	}
	conf_errors_init(&ce);
	rc = setup_read(&s, path, &ce);
	if (rc != 0)
		rc = report(path, &ce);
	conf_errors_free(&ce);
	if (rc != 0)
		return rc;
	if (only_check) {
		rc = check(s);
		setup_release(&s);
		return rc;
	}
	log_init("postseal-milter", LOG_L_INFO, s->config->log_syslog);
	if (ossl_version_warning() != NULL)
		log_warning(ossl_version_warning());
	config_warn(s->config, log_warning);
	return parent_run(path, s);
}
