/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The resolver library, set up. It works in a thread of its own, so that
 * every question can end at its time.
 */
#include "fetch/resolver.h"

#include <netdb.h>
#include <unistd.h>

#include <unbound.h>

#include "util/proc.h"

#define ANCHOR_MAX 1048576 /* octets of the file with the keys */

/* Where systems keep the root's key. */
static const char *default_anchor(void)
{
	static const char *const file[] = {"/var/lib/unbound/root.key",
	    "/usr/share/dns/root.key", "/etc/unbound/root.key"};

	for (size_t i = 0; i < ARRAY_LEN(file); i++)
		if (access(file[i], R_OK) == 0)
			return file[i];
	return NULL;
}

static int set_option(struct ub_ctx *ub, const char *name, const char *value,
    struct err *e)
{
	int rc = ub_ctx_set_option(ub, name, value);

	if (rc == 0)
		return 0;
	return err_set(e, FAIL_TEMP, "%s %s: %s", name, value,
	    ub_strerror(rc));
}

/* A DS or DNSKEY in a line of a zone file (RFC 1035 5.1)? */
static bool has_key(struct view line)
{
	struct view word;
	size_t n;

	line = view_sub(line, 0, view_chr(line, ';', 0));
	for (; line.n > 0; line = view_sub(line, n + 1, line.n)) {
		for (n = 0; n < line.n && line.p[n] > ' '; n++)
			continue;
		word = view_sub(line, 0, n);
		if (view_ieq_str(word, "DS") || view_ieq_str(word, "DNSKEY"))
			return true;
	}
	return false;
}

/* The library takes a file that is empty, as a full disk leaves it. */
static int check_anchor(const char *path, struct err *e)
{
	struct err why = {0};
	struct view rest, line;
	struct buf b;
	bool found = false;
	size_t nl;
	int rc;

	buf_init(&b, ANCHOR_MAX);
	rc = io_read_file(path, &b, &why);
	for (rest = buf_view(&b); rc == 0 && rest.n > 0 && !found;
	    rest = view_sub(rest, line.n + 1, rest.n)) {
		nl = view_chr(rest, '\n', 0);
		line = view_sub(rest, 0, nl);
		found = has_key(line);
	}
	buf_free(&b);
	if (rc != 0)
		return err_set(e, FAIL_TEMP, "anchor: %s", why.msg);
	return found ? 0 : err_set(e, FAIL_TEMP, "anchor %s: no key is in it "
	    "(DS or DNSKEY), so DNSSEC could secure nothing", path);
}

int resolver_check_anchor(const char *file, struct err *e)
{
	const char *anchor = file == NULL ? default_anchor() : file;

	/* the library would call everything insecure, so: nothing found */
	if (anchor == NULL)
		return err_set(e, FAIL_TEMP, "no trust anchor of DNSSEC on "
		    "this system; want anchor FILE, or Debian's package "
		    "dns-root-data");
	return check_anchor(anchor, e);
}

static int set_anchor(struct ub_ctx *ub, const char *file, struct err *e)
{
	const char *anchor = file == NULL ? default_anchor() : file;
	int rc;

	if (resolver_check_anchor(file, e) != 0)
		return -1;
	rc = ub_ctx_add_ta_file(ub, anchor);
	return rc == 0 ? 0 : err_set(e, FAIL_TEMP, "anchor %s: %s", anchor,
	    ub_strerror(rc));
}

static int set_up(struct ub_ctx *ub, const struct resolver_setup *s,
    struct err *e)
{
	int rc;

	if (set_anchor(ub, s->anchor_file, e) != 0)
		return -1;
	if (s->forward != NULL) {
		rc = ub_ctx_set_fwd(ub, s->forward);
		if (rc != 0)
			return err_set(e, FAIL_TEMP, "resolver %s: %s",
			    s->forward, ub_strerror(rc));
		if (set_option(ub, "do-not-query-localhost:", "no", e) != 0)
			return -1;
	}
	if ((s->is_tcp && set_option(ub, "tcp-upstream:", "yes", e) != 0) ||
	    set_option(ub, "val-log-level:", "0", e) != 0 ||
	    set_option(ub, "msg-cache-size:", s->cache, e) != 0 ||
	    set_option(ub, "rrset-cache-size:", s->cache, e) != 0)
		return -1;
	(void)ub_ctx_debugout(ub, NULL);
	rc = ub_ctx_async(ub, 1);
	return rc == 0 ? 0 : err_set(e, FAIL_TEMP, "resolver: %s",
	    ub_strerror(rc));
}

int resolver_open(struct ub_ctx **out, const struct resolver_setup *s,
    struct err *e)
{
	struct ub_ctx *ub = ub_ctx_create();

	*out = NULL;
	if (ub == NULL)
		return err_sys(e, FAIL_TEMP, "resolver");
	if (set_up(ub, s, e) != 0) {
		ub_ctx_delete(ub);
		return -1;
	}
	*out = ub;
	return 0;
}

void resolver_load_modules(void)
{
	struct addrinfo *ai = NULL;

	if (getaddrinfo("localhost", "80", NULL, &ai) == 0)
		freeaddrinfo(ai);
}
