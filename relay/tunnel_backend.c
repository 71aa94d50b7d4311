/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * A backend as the configuration has it: where it is, what it must show, and
 * what it is told of the client.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "relay/proxy.h"
#include "relay/tunnel_dial.h"

#define VALUE_MAX 255 /* octets of a value in an environment */

/* "HOST:PORT" or "[HOST]:PORT" taken apart; 0, -1. */
static int split(const char *where, char *host, size_t size, int *port)
{
	const char *colon = strrchr(where, ':');
	struct view v;
	char *end;
	long n;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return -1;
	n = strtol(colon + 1, &end, 10);
	if (*end != '\0' || n < 1 || n > 65535)
		return -1;
	*port = (int)n;
	v = view_make(where, (size_t)(colon - where));
	if (v.n >= 2 && v.p[0] == '[' && v.p[v.n - 1] == ']')
		v = view_sub(v, 1, v.n - 2);
	return view_cstr(v, host, size);
}

static int unix_address(const char *path, struct sockaddr_storage *sa,
    socklen_t *n, struct err *e)
{
	struct sockaddr_un un;
	size_t k = strlen(path);

	memset(&un, 0, sizeof(un));
	un.sun_family = AF_UNIX;
	if (k == 0 || k >= sizeof(un.sun_path))
		return err_set(e, FAIL_CONFIG, "backend \"unix:%s\": the path "
		    "has %zu octets, wanted 1 to %zu", path, k,
		    sizeof(un.sun_path) - 1);
	memcpy(un.sun_path, path, k);
	memcpy(sa, &un, sizeof(un));
	*n = sizeof(un);
	return 0;
}

int dial_address(const char *where, struct sockaddr_storage *sa,
    socklen_t *n, struct err *e)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	char host[64];
	int port;

	memset(sa, 0, sizeof(*sa));
	memset(&in, 0, sizeof(in));
	memset(&in6, 0, sizeof(in6));
	if (strncmp(where, "unix:", 5) == 0)
		return unix_address(where + 5, sa, n, e);
	if (split(where, host, sizeof(host), &port) != 0)
		goto bad;
	if (inet_pton(AF_INET, host, &in.sin_addr) == 1) {
		in.sin_family = AF_INET;
		in.sin_port = htons((uint16_t)port);
		memcpy(sa, &in, sizeof(in));
		*n = sizeof(in);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &in6.sin6_addr) == 1) {
		in6.sin6_family = AF_INET6;
		in6.sin6_port = htons((uint16_t)port);
		memcpy(sa, &in6, sizeof(in6));
		*n = sizeof(in6);
		return 0;
	}
bad:
	return err_set(e, FAIL_CONFIG, "backend \"%s\": wanted ADDRESS:PORT "
	    "or unix:/PATH, the address as digits", where);
}

int dial_want(struct tls_want *w, const struct listener *l, struct err *e)
{
	const struct backend *b = &l->backend;
	struct buf because;
	char host[64];
	const char *name = b->name;
	struct net ip;
	int port;

	memset(w, 0, sizeof(*w));
	w->level = w->asked = b->level;
	w->implicit = b->implicit;
	if (name == NULL && b->where != NULL &&
	    split(b->where, host, sizeof(host), &port) == 0)
		name = host;
	if (name != NULL) {
		if (strlen(name) >= sizeof(w->name[0]))
			return err_set(e, FAIL_CONFIG, "backend of listen %s: "
			    "its name is too long", l->name);
		text_set(w->name[0], sizeof(w->name[0]), name);
		w->names = 1;
		/* RFC 6066 3: no literal addresses */
		if (net_parse(&ip, name, NULL) != 0 && name[0] != '.')
			text_set(w->sni, sizeof(w->sni), name);
	}
	if (b->has_pin) {
		w->pin[0] = b->pin;
		w->pins = 1;
	}
	text_set(w->ca, sizeof(w->ca), b->ca);
	text_set(w->pki, sizeof(w->pki), b->pki);
	buf_init(&because, sizeof(w->because) - 1);
	buf_printf(&because, "listen %s, backend", l->name);
	text_set(w->because, sizeof(w->because), buf_str(&because));
	buf_free(&because);
	return 0;
}

void dial_proxy(struct buf *out, const struct backend *b,
    const struct client *who, const struct tls_facts *tls)
{
	struct proxy_header h;

	if (b->real != REAL_PROXY_V1 && b->real != REAL_PROXY_V2)
		return;
	memset(&h, 0, sizeof(h));
	text_set(h.ip, sizeof(h.ip), who->ip);
	text_set(h.local_ip, sizeof(h.local_ip), who->local_ip);
	h.port = who->port;
	h.local_port = who->local_port;
	if (tls != NULL)
		proxy_write(out, b->real == REAL_PROXY_V1 ? 1 : 2, &h,
		    tls->version, tls->cipher);
	else
		proxy_write(out, b->real == REAL_PROXY_V1 ? 1 : 2, &h,
		    who->proxy_tls ? "" : NULL, "");
}

/* What a client wrote into its certificate goes into the environment of a
 * program, perhaps of a shell (pitfall 16). */
static void put_text(struct buf *out, const char *name, const char *value)
{
	size_t n = 0;

	buf_puts(out, name);
	buf_putc(out, '=');
	for (; *value != '\0' && n < VALUE_MAX; value++, n++) {
		unsigned char c = (unsigned char)*value;

		buf_putc(out, c < ' ' || c > '~' || strchr("`$\"'\\;|&<>(){}",
		    c) != NULL ? '_' : c);
	}
	buf_putc(out, '\0');
}

static void put_number(struct buf *out, const char *name, int n)
{
	buf_printf(out, "%s=%d", name, n);
	buf_putc(out, '\0');
}

static void put_tls(struct buf *out, const struct tls_facts *tls)
{
	put_text(out, "SSL_PROTOCOL", tls->version);
	put_text(out, "SSL_CIPHER", tls->cipher);
	put_number(out, "SSL_CIPHER_USEKEYSIZE", tls->bits);
	if (tls->sni[0] != '\0')
		put_text(out, "SSL_SERVER_NAME", tls->sni);
	/* only of a certificate that was found good: a program believes it */
	if (!tls->has_cert || !tls->cert_is_good)
		return;
	put_text(out, "SSL_CLIENT_VERIFY", "SUCCESS");
	put_text(out, "SSL_CLIENT_S_DN", tls->subject);
	put_text(out, "SSL_CLIENT_I_DN", tls->issuer);
	if (tls->emails > 0)
		put_text(out, "SSL_CLIENT_S_DN_Email", tls->email[0]);
}

void dial_environment(struct buf *out, const struct client *who,
    const struct tls_facts *tls)
{
	bool is_6 = strchr(who->ip, ':') != NULL;

	put_text(out, "PROTO", is_6 ? "TCP6" : "TCP");
	put_text(out, "TCPREMOTEIP", who->ip);
	put_number(out, "TCPREMOTEPORT", who->port);
	put_text(out, "TCPLOCALIP", who->local_ip);
	put_number(out, "TCPLOCALPORT", who->local_port);
	put_text(out, "REMOTE_HOST", who->ip); /* as stunnel says it */
	put_number(out, "REMOTE_PORT", who->port);
	if (tls != NULL)
		put_tls(out, tls);
}
