/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * URLs and addresses that may be asked. Nothing connects here.
 */
#include "fetch/url.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

static int check_text(const char *text, struct err *e)
{
	size_t n = strlen(text), i;

	if (n > URL_MAX)
		return err_set(e, FAIL_INPUT, "a URL of %zu octets, at most "
		    "%d are taken", n, URL_MAX);
	for (i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] >= 0x7f)
			return err_set(e, FAIL_INPUT, "a URL with a blank or "
			    "another octet that RFC 3986 does not allow");
	return 0;
}

/* One part as text; NULL when it is not there. */
static char *part_of(CURLU *h, CURLUPart which, unsigned flags)
{
	char *s = NULL;

	return curl_url_get(h, which, &s, flags) == CURLUE_OK ? s : NULL;
}

static bool has_part(CURLU *h, CURLUPart which)
{
	char *s = part_of(h, which, 0);
	bool there = s != NULL;

	curl_free(s);
	return there;
}

static void lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s - 'A' + 'a');
}

static int read_parts(struct url *u, CURLU *h, struct err *e)
{
	char *scheme = part_of(h, CURLUPART_SCHEME, 0);
	char *host = part_of(h, CURLUPART_HOST, 0);
	char *port = part_of(h, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	bool tls = scheme != NULL && strcasecmp(scheme, "https") == 0;
	int rc = -1;

	if (!tls && (scheme == NULL || strcasecmp(scheme, "http") != 0)) {
		(void)err_set(e, FAIL_INPUT, "only http and https are "
		    "fetched, not %.20s", scheme == NULL ? "?" : scheme);
	} else if (host == NULL || port == NULL ||
	    view_cstr(view_of(host), u->host, sizeof(u->host)) != 0 ||
	    u->host[0] == '\0') {
		(void)err_set(e, FAIL_INPUT, "a URL without a usable host");
	} else if (has_part(h, CURLUPART_USER) ||
	    has_part(h, CURLUPART_PASSWORD) ||
	    has_part(h, CURLUPART_FRAGMENT)) {
		(void)err_set(e, FAIL_INPUT, "a URL with a user or a "
		    "fragment");
	} else {
		lower(u->host);
		u->port = (int)strtol(port, NULL, 10);
		u->is_usual_port = u->port == 80 || u->port == 443;
		rc = 0;
	}
	curl_free(scheme);
	curl_free(host);
	curl_free(port);
	return rc;
}

int url_parse(struct url *u, const char *text, struct err *e)
{
	CURLU *h;
	int rc;

	memset(u, 0, sizeof(*u));
	if (check_text(text, e) != 0)
		return -1;
	h = curl_url();
	if (h == NULL)
		return err_set(e, FAIL_TEMP, "URL: out of memory");
	/* file, ldap and others are to be named, not called malformed */
	if (curl_url_set(h, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME |
	    CURLU_DISALLOW_USER) != CURLUE_OK)
		rc = err_set(e, FAIL_INPUT, "not a URL that can be fetched "
		    "(http or https, without a user)");
	else
		rc = read_parts(u, h, e);
	curl_url_cleanup(h);
	return rc;
}

/* The colon before a port, or NULL. */
static const char *port_colon(const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *bracket = strrchr(text, ']');

	return colon != NULL && (bracket == NULL || colon > bracket) ? colon :
	    NULL;
}

bool url_is_at(const struct url *u, const char *text)
{
	const char *colon = port_colon(text);
	size_t n = colon == NULL ? strlen(text) : (size_t)(colon - text);

	if (!view_ieq(view_make(text, n), view_of(u->host)))
		return false;
	return colon == NULL ? u->is_usual_port :
	    strtol(colon + 1, NULL, 10) == u->port;
}

bool url_host_is_sane(const char *text)
{
	const char *colon = port_colon(text);
	size_t n = colon == NULL ? strlen(text) : (size_t)(colon - text);
	long port;
	char *end;

	if (n == 0 || n >= URL_HOST_MAX || text[0] == '.')
		return false;
	if (text[0] == '[') {
		if (text[n - 1] != ']' ||
		    strspn(text + 1, "0123456789abcdefABCDEF:.") != n - 2)
			return false;
	} else if (strspn(text, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") < n) {
		return false;
	}
	if (colon == NULL)
		return true;
	port = strtol(colon + 1, &end, 10);
	return *end == '\0' && end != colon + 1 && port >= 1 && port <= 65535;
}

/* ---- addresses ---- */

/* IANA's registries of special-purpose addresses. Of IPv6 only 2000::/3 is
 * given to anybody; 64:ff9b::/96 and the like lead to IPv4. */
static const char *const special[] = {
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
	"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
};

static bool is_in(const char *network, const char *ip)
{
	struct net n;

	/* one that cannot be read takes everything in: nobody is asked */
	return net_parse(&n, network, NULL) != 0 || net_has(&n, ip);
}

static bool is_public(const char *ip)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(special); i++)
		if (is_in(special[i], ip))
			return false;
	return is_in("0.0.0.0/0", ip) || is_in("2000::/3", ip);
}

bool url_may_connect(const struct sockaddr *sa, const struct net *nearby,
    size_t n)
{
	socklen_t len = sa->sa_family == AF_INET ?
	    (socklen_t)sizeof(struct sockaddr_in) :
	    (socklen_t)sizeof(struct sockaddr_in6);
	char ip[128];
	size_t i;

	if ((sa->sa_family != AF_INET && sa->sa_family != AF_INET6) ||
	    getnameinfo(sa, len, ip, sizeof(ip), NULL, 0,
	    NI_NUMERICHOST) != 0)
		return false;
	ip[strcspn(ip, "%")] = '\0'; /* the interface of a link-local one */
	for (i = 0; i < n; i++)
		if (net_has(&nearby[i], ip))
			return true;
	return is_public(ip);
}
