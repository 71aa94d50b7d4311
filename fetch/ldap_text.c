/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * URLs and filters of LDAP.
 */
#include "fetch/ldap_text.h"

#include <string.h>

/* ---- URLs ---- */

static bool is_host(const char *s, size_t n, bool bracketed)
{
	const char *set = bracketed
	    ? "0123456789abcdefABCDEF:."
	    : "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	      "0123456789.-_";

	for (size_t i = 0; i < n; i++)
		if (strchr(set, s[i]) == NULL)
			return false;
	return n > 0 && n < 256;
}

/* "", or ":" and a number in 1..65535. */
static bool read_port(const char *s, int *port)
{
	int x = 0;

	if (*s == '\0')
		return true;
	if (*s++ != ':' || *s == '\0')
		return false;
	for (; *s >= '0' && *s <= '9' && x <= 65535; s++)
		x = x * 10 + (*s - '0');
	*port = x;
	return *s == '\0' && x >= 1 && x <= 65535;
}

static int bad_url(const char *url, struct err *e)
{
	char q[ERR_QUOTED];

	return err_set(e, FAIL_CONFIG, "expected ldap://HOST[:PORT] or "
	    "ldaps://HOST[:PORT] (RFC 4516 2), found %s",
	    err_quote(q, sizeof(q), url, strlen(url)));
}

int ldap_url_read(struct ldap_where *w, const char *url, struct err *e)
{
	const char *host, *end;
	bool bracketed;

	memset(w, 0, sizeof(*w));
	w->is_tls = strncmp(url, "ldaps://", 8) == 0;
	if (!w->is_tls && strncmp(url, "ldap://", 7) != 0)
		return bad_url(url, e);
	host = url + (w->is_tls ? 8 : 7);
	bracketed = *host == '[';
	if (bracketed)
		end = strchr(++host, ']');
	else
		end = host + strcspn(host, ":");
	if (end == NULL || !is_host(host, (size_t)(end - host), bracketed) ||
	    !read_port(end + (bracketed ? 1 : 0), &w->port))
		return bad_url(url, e);
	memcpy(w->host, host, (size_t)(end - host));
	w->is_loopback = strcmp(w->host, "localhost") == 0 ||
	    strncmp(w->host, "127.", 4) == 0 || strcmp(w->host, "::1") == 0;
	return 0;
}

/* ---- filters ---- */

#define FILTER_DEPTH 16

struct filter_walk {
	const char *start, *p;
	char op[FILTER_DEPTH]; /* of the sets that are open: & | ! */
	int members[FILTER_DEPTH];
	int depth;
	int places; /* %s seen */
};

static int bad(const struct filter_walk *f, const char *wanted, struct err *e)
{
	char q[ERR_QUOTED];

	return err_set(e, FAIL_CONFIG, "filter: RFC 4515 3: expected %s at "
	    "octet %zu, found %s", wanted, (size_t)(f->p - f->start),
	    *f->p == '\0' ? "the end"
		: err_quote(q, sizeof(q), f->p, strlen(f->p)));
}

static bool is_hex(char c)
{
	return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}

static const char name_set[] = "abcdefghijklmnopqrstuvwxyz"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.;:";

/* attribute, operator: leaves p behind the = */
static int take_name(struct filter_walk *f, struct err *e)
{
	size_t n = strspn(f->p, name_set);

	if (n == 0)
		return bad(f, "the name of an attribute", e);
	f->p += n;
	if (*f->p == '~' || *f->p == '>' || *f->p == '<')
		f->p++;
	if (*f->p != '=')
		return bad(f, "=", e);
	f->p++;
	return 0;
}

static int take_value(struct filter_walk *f, struct err *e)
{
	for (; *f->p != ')'; f->p++) {
		if (*f->p == '\0' || *f->p == '(')
			return bad(f, ")", e);
		if (*f->p == '\\') {
			if (!is_hex(f->p[1]) || !is_hex(f->p[2]))
				return bad(f, "\\ and two hex digits", e);
			f->p += 2;
		} else if (*f->p == '%') {
			if (f->p[1] != 's' || f->places++ != 0)
				return bad(f, "%s once and no other %", e);
			f->p++;
		}
	}
	return 0;
}

/* What stands behind a "(": opens a set, or is a whole comparison. */
static int take_open(struct filter_walk *f, struct err *e)
{
	if (f->depth > 0)
		f->members[f->depth - 1]++;
	if (f->depth > 0 && f->op[f->depth - 1] == '!' &&
	    f->members[f->depth - 1] > 1)
		return bad(f, "one filter after !", e);
	if (*f->p == '&' || *f->p == '|' || *f->p == '!') {
		if (f->depth == FILTER_DEPTH)
			return bad(f, "no deeper nesting", e);
		f->members[f->depth] = 0;
		f->op[f->depth++] = *f->p++;
		return 0;
	}
	if (take_name(f, e) != 0 || take_value(f, e) != 0)
		return -1;
	f->p++;
	return 0;
}

/* One well-formed filter; *places: how many %s it has. */
static int walk_filter(const char *filter, int *places, struct err *e)
{
	struct filter_walk f = {.start = filter, .p = filter};

	if (strlen(filter) > 1000)
		return err_set(e, FAIL_CONFIG, "filter: longer than 1000 "
		    "octets");
	do {
		if (*f.p == ')' && f.depth > 0) {
			if (f.members[f.depth - 1] == 0)
				return bad(&f, "(", e);
			f.depth--;
			f.p++;
			continue;
		}
		if (*f.p != '(')
			return bad(&f, f.depth > 0 ? "( or )" : "(", e);
		f.p++;
		if (take_open(&f, e) != 0)
			return -1;
	} while (f.depth > 0);
	if (*f.p != '\0')
		return bad(&f, "the end", e);
	*places = f.places;
	return 0;
}

int ldap_filter_check(const char *filter, struct err *e)
{
	int places;

	if (walk_filter(filter, &places, e) != 0)
		return -1;
	if (places != 1)
		return err_set(e, FAIL_CONFIG, "filter: expected %%s once, "
		    "where the address is to stand");
	return 0;
}

int ldap_filter_check_list(const char *filter, struct err *e)
{
	int places;

	if (walk_filter(filter, &places, e) != 0)
		return -1;
	if (places != 0)
		return err_set(e, FAIL_CONFIG, "filter: of a list, expected "
		    "no %%s");
	return 0;
}

static void put_escaped(struct buf *out, const char *raw)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._-+=";

	for (; *raw != '\0'; raw++) {
		if (strchr(plain, *raw) != NULL)
			buf_putc(out, *raw);
		else
			buf_printf(out, "\\%02x", (unsigned char)*raw);
	}
}

void ldap_filter_fill(struct buf *out, const char *filter,
    const char *raw_address)
{
	const char *place = strstr(filter, "%s");

	if (place == NULL) { /* checked when the configuration was read */
		buf_puts(out, filter);
		return;
	}
	buf_put(out, filter, (size_t)(place - filter));
	put_escaped(out, raw_address);
	buf_puts(out, place + 2);
}
