/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal-relay: options, checking, start. See postseal-relay(8).
 */
#include <stdio.h>
#include <sysexits.h>
#include <time.h>

#include "relay/keys.h"
#include "relay/parent.h"
#include "relay/tls_files.h"
#include "util/daemon.h"

static void print_warning(void *arg UNUSED, const char *s)
{
	fprintf(stderr, "postseal-relay: warning: %s\n", s);
}

static void print_fault(void *arg, enum cert_fault f,
    const struct pki *p UNUSED, const char *s)
{
	if (f != CERT_UNKNOWN) /* many have a CA of their own */
		print_warning(arg, s);
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

int main(int argc, char **argv)
{
	struct daemon_args d = { .name = "postseal-relay",
		.checks = "files and keys" };
	struct relay_config *c = NULL;
	struct conf_errors ce;
	int rc = daemon_args(&d, argc, argv);

	if (rc >= 0)
		return rc;
	conf_errors_init(&ce);
	rc = relay_config_read(&c, d.config, &ce);
	if (rc != 0)
		rc = daemon_refuse(&d, &ce);
	conf_errors_free(&ce);
	if (rc != 0)
		return rc;
	if (d.only_check) {
		rc = check(c);
		relay_config_free(&c);
		return rc;
	}
	daemon_log(&d, c->log_syslog);
	relay_log_warnings(c, "start");
	return relay_parent_run(c);
}
