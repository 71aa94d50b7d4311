/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Command line of a daemon.
 */
#include "util/daemon.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "util/log.h"
#include "util/ossl.h"
#include "util/version.h"

#define DEFAULT_CONFIG "/etc/postseal/postseal.conf"

static int usage(const struct daemon_args *d, FILE *to, int status)
{
	fprintf(to, "usage: %s [-fnV] [-c FILE]\n"
	    "  -c FILE  configuration (" DEFAULT_CONFIG ")\n"
	    "  -f       stay in the foreground (always so)\n"
	    "  -n       check configuration, %s, print what would be used\n"
	    "  -V       print the version\n", d->name, d->checks);
	return status;
}

int daemon_args(struct daemon_args *d, int argc, char **argv)
{
	struct err e = { 0 };
	int opt;

	d->config = DEFAULT_CONFIG;
	d->only_check = false;
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(d, stdout, EX_OK);
	while ((opt = getopt(argc, argv, "c:fnV")) != -1) {
		switch (opt) {
		case 'c':
			d->config = optarg;
			break;
		case 'f':
			break;
		case 'n':
			d->only_check = true;
			break;
		case 'V':
			printf("%s " POSTSEAL_VERSION ", OpenSSL %s\n",
			    d->name, ossl_version());
			return EX_OK;
		default:
			return usage(d, stderr, EX_USAGE);
		}
	}
	if (optind != argc)
		return usage(d, stderr, EX_USAGE);
	if (ossl_start(&e) == 0)
		return -1;
	fprintf(stderr, "%s: %s\n", d->name, e.msg);
	return EX_TEMPFAIL;
}

int daemon_refuse(const struct daemon_args *d, const struct conf_errors *ce)
{
	fprintf(stderr, "%s%s: %s: %zu %s, nothing started\n",
	    buf_str(&ce->text), d->name, d->config, ce->n,
	    ce->n == 1 ? "error" : "errors");
	return EX_CONFIG;
}

void daemon_log(const struct daemon_args *d, bool to_syslog)
{
	log_init(d->name, LOG_L_INFO, to_syslog);
	if (ossl_version_warning() != NULL)
		log_warn("event=start warning=\"%s\"",
		    ossl_version_warning());
}
