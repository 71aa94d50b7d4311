/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * postseal relay import: the verb, and the probe of old fingerprints. The
 * forms are in relay_import_*.c.
 */
#include "cli/relay_import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/probe_hosts.h"
#include "cli/relay.h"
#include "relay/tls_probe.h"
#include "util/proc.h"

#define FILE_MAX (8u << 20)
#define OUT_MAX (32u << 20)
#define PROBE_MS 20000

/* ---- old fingerprints ---- */

/* What the last destination showed: it is asked once for all of its
 * fingerprints. */
struct prober {
	char dest[300];
	int port;
	struct tls_probe p[PROBE_HOSTS];
	size_t n;
	struct err e; /* kind 0: it was asked */
};

static void forget(struct prober *r)
{
	for (size_t i = 0; i < r->n; i++)
		tls_probe_free(&r->p[i]);
	r->n = 0;
	r->dest[0] = '\0';
	r->e = (struct err){ 0 };
}

static void ask(struct prober *r, const char *dest, int port)
{
	struct probe_host host[PROBE_HOSTS];
	struct tls_want *w = calloc(1, sizeof(*w));
	struct tls_probe_try t = { .helo = "localhost", .want = w,
		.timeout_ms = PROBE_MS };
	size_t n = 0;

	if (w == NULL) {
		(void)err_set(&r->e, FAIL_TEMP, "out of memory");
		return;
	}
	w->level = TLS_ENCRYPT;
	w->implicit = port == 465;
	if (probe_hosts(host, &n, dest, port, &r->e) == 0) {
		for (size_t i = 0; i < n; i++) {
			tls_probe_init(&r->p[r->n]);
			text_set(w->sni, sizeof(w->sni), host[i].name);
			t.sa = (const struct sockaddr *)&host[i].sa;
			t.sa_len = host[i].sa_len;
			(void)!tls_probe_run(&r->p[r->n++], &t, &r->e);
		}
	}
	free(w);
}

static int probe_digest(void *arg, const char *dest, int port,
    struct view digest, unsigned char sha256[32], struct err *e)
{
	struct prober *r = arg;
	bool any = false;

	if (strcmp(r->dest, dest) != 0 || r->port != port) {
		forget(r);
		text_set(r->dest, sizeof(r->dest), dest);
		r->port = port;
		ask(r, dest, port);
	}
	for (size_t i = 0; i < r->n; i++) {
		const struct tls_probe *p = &r->p[i];
		enum probe_match m = tls_probe_match(p, digest);

		any = any || p->certs > 0;
		if (m == PROBE_OTHER)
			continue;
		memcpy(sha256, m == PROBE_CERT ? p->cert[0].cert_sha256 :
		    p->cert[0].spki_sha256, 32);
		return 1;
	}
	if (any)
		return 0;
	return err_set(e, FAIL_TEMP, "%s", r->e.kind != 0 ? r->e.msg :
	    r->n > 0 && r->p[0].error[0] != '\0' ? r->p[0].error :
	    "it shows no certificate");
}

/* ---- the verb ---- */

static const struct form {
	const char *name;
	void (*read)(struct relay_import *im, struct view text);
} forms[] = {
	{ "tlsdestinations", import_tlsdestinations },
	{ "domaincerts", import_domaincerts },
	{ "tls_policy", import_tls_policy },
	{ "stunnel", import_stunnel },
	{ "tlshosts", NULL },
};

static int read_file(const char *path, struct buf *out)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO :
	    open(path, O_RDONLY | O_CLOEXEC);
	struct err e = { 0 };
	int rc;

	if (fd == -1)
		return cli_say(EX_NOINPUT, "%s: %s", path, strerror(errno));
	rc = cli_read_fd(fd, out, &e);
	if (fd != STDIN_FILENO)
		close(fd);
	return rc == 0 ? 0 : cli_fail(&e);
}

/* What comes from the network is not read as root. */
static int leave_root(void)
{
	struct err e = { 0 };
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0)
		return 0;
	if (proc_user("nobody", &uid, &gid, &e) != 0 ||
	    proc_drop(uid, gid, &e) != 0)
		return cli_fail(&e);
	return 0;
}

static int read_form(struct relay_import *im, const struct form *f,
    const char *path)
{
	struct err e = { 0 };
	struct buf text;
	int rc;

	if (f->read == NULL)
		return import_tlshosts(im, path, &e) == 0 ? 0 : cli_fail(&e);
	buf_init(&text, FILE_MAX);
	rc = read_file(path, &text);
	if (rc == 0 && im->probe != NULL)
		rc = leave_root();
	if (rc == 0)
		f->read(im, buf_view(&text));
	buf_free(&text);
	return rc;
}

static void say_lost(void *arg, const char *line)
{
	(void)cli_say(0, "%s: %s", *(const char **)arg, line);
}

static int print(const struct relay_import *im, const char *path, bool json)
{
	struct buf out;
	int rc;

	buf_init(&out, OUT_MAX);
	if (json)
		import_print_json(im, path, &out);
	else
		import_print(im, path, &out);
	if (im->no_memory || im->blocks.failed || out.failed)
		rc = cli_say(EX_OSERR, "out of memory, or too much of it");
	else
		rc = cli_print(&out);
	buf_free(&out);
	if (rc == 0 && im->lost > 0) {
		import_tell(im, say_lost, &path);
		rc = EX_DATAERR;
	}
	return rc;
}

static int run(const struct form *f, const char *path, bool json, bool probe)
{
	struct prober *r = probe ? calloc(1, sizeof(*r)) : NULL;
	struct relay_import im;
	int rc;

	if (probe && r == NULL)
		return cli_say(EX_OSERR, "out of memory");
	import_init(&im);
	im.probe = probe ? probe_digest : NULL;
	im.probe_arg = r;
	rc = read_form(&im, f, path);
	if (rc == 0)
		rc = print(&im, path, json);
	if (r != NULL)
		forget(r);
	free(r);
	import_free(&im);
	return rc;
}

int cli_relay_import(struct cli *c, int argc, char **argv)
{
	struct cli_list rest = { 0 };
	const struct form *f = NULL;
	bool json = false, probe = false;
	int rc = cli_options(c, argc, argv, (const struct cli_opt[]){
	    { .name = "--json", .flag = &json },
	    { .name = "--probe", .flag = &probe },
	    { .name = NULL } }, &rest);

	for (size_t i = 0; rest.n > 0 && i < ARRAY_LEN(forms); i++)
		if (strcmp(forms[i].name, rest.v[0]) == 0)
			f = &forms[i];
	if (rc == 0 && (rest.n != 2 || f == NULL))
		rc = cli_usage(c, "a form and a file are needed; forms: "
		    "tlsdestinations, domaincerts, tls_policy, stunnel, "
		    "tlshosts");
	else if (rc == 0)
		rc = run(f, rest.v[1], json, probe);
	cli_list_free(&rest);
	return rc;
}
