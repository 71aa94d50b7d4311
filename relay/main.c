/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal-relay: options, checking, start. See postseal-relay(8).
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "relay/keys.h"
#include "relay/parent.h"
#include "relay/tls_files.h"
#include "util/log.h"
#include "util/ossl.h"

#define VERSION "0.1"
#define DEFAULT_CONFIG "/etc/postseal/postseal.conf"

static int usage(FILE *to, int status)
{
	fprintf(to, "usage: postseal-relay [-fnV] [-c FILE]\n"
	    "  -c FILE  configuration (" DEFAULT_CONFIG ")\n"
	    "  -f       stay in the foreground (always so)\n"
	    "  -n       check configuration and keys, print what would be "
	    "used\n"
	    "  -V       print the version\n");
	return status;
}

static void print_warning(void *arg UNUSED, const char *s)
{
	fprintf(stderr, "postseal-relay: warning: %s\n", s);
}

static void log_warning(void *arg UNUSED, const char *s)
{
	log_warn("event=start warning=\"%s\"", s);
}

static void print_fault(void *arg, enum cert_fault f,
    const struct pki *p UNUSED, const char *s)
{
	if (f != CERT_UNKNOWN) /* many have a CA of their own */
		print_warning(arg, s);
}

static void log_fault(void *arg, enum cert_fault f,
    const struct pki *p UNUSED, const char *s)
{
	if (f != CERT_UNKNOWN)
		log_warning(arg, s);
}

/* -n: everything that a start would need, without starting. */
static int check(const struct relay_config *c)
{
	struct keys_held *k = NULL;
	struct err e = { 0 };
	struct buf out;
	int rc = EX_OK;

	buf_init(&out, 1u << 20);
	relay_config_print(c, &out);
	fputs(buf_str(&out), stdout);
	buf_free(&out);
	relay_config_warn(c, print_warning, NULL);
	relay_files_warn(c, print_warning, NULL);
	relay_certs_check(c, (int64_t)time(NULL), print_fault, NULL);
	if (relay_files_check(c, &e) != 0 || keys_load(&k, c, &e) != 0 ||
	    keys_refuse_shared(k, c->keystore, &e) != 0) {
		fprintf(stderr, "postseal-relay: %s\n", e.msg);
		rc = EX_CONFIG;
	} else {
		printf("private keys: %zu\nok\n", keys_count(k));
	}
	keys_free(&k);
	return rc;
}

static int run(const char *path, bool only_check)
{
	struct relay_config *c = NULL;
	struct conf_errors ce;
	int rc = EX_OK;

	conf_errors_init(&ce);
	if (relay_config_read(&c, path, &ce) != 0) {
		fprintf(stderr, "%spostseal-relay: %s: %zu %s, nothing "
		    "started\n", buf_str(&ce.text), path, ce.n, ce.n == 1 ?
		    "error" : "errors");
		rc = EX_CONFIG;
	}
	conf_errors_free(&ce);
	if (rc != EX_OK)
		return rc;
	if (only_check) {
		rc = check(c);
		relay_config_free(&c);
		return rc;
	}
	log_init("postseal-relay", LOG_L_INFO, c->log_syslog);
	if (ossl_version_warning() != NULL)
		log_warning(NULL, ossl_version_warning());
	relay_config_warn(c, log_warning, NULL);
	relay_files_warn(c, log_warning, NULL);
	relay_certs_check(c, (int64_t)time(NULL), log_fault, NULL);
	return relay_parent_run(c);
}

int main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	bool only_check = false;
	struct err e = { 0 };
	int opt;

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
			printf("postseal-relay %s, OpenSSL %s\n", VERSION,
			    ossl_version());
			return EX_OK;
		default:
			return usage(stderr, EX_USAGE);
		}
	}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	if (ossl_start(&e) != 0) {
		fprintf(stderr, "postseal-relay: %s\n", e.msg);
		return EX_TEMPFAIL;
	}
	return run(path, only_check);
}
