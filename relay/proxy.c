/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The PROXY protocol: one reader that takes nothing doubtful, and a writer.
 * Who may say it is decided by who accepts connections.
 */
#include "relay/proxy.h"

#include <arpa/inet.h>
#include <string.h>

#include "util/proc.h"

#define V1_MAX 107 /* proxy-protocol.txt 2.1, with CRLF */
#define V2_HEAD 16
#define V2_MAX (536 - V2_HEAD)
#define V2_IP4 12  /* octets of addresses and ports */
#define V2_IP6 36
#define V2_UNIX 216
#define TLV_SSL 0x20
#define TLV_SSL_VERSION 0x21
#define TLV_SSL_CIPHER 0x23
#define SSL_CLIENT_SSL 0x01
#define SSL_FIXED 5 /* client, verify */

static const unsigned char signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00,
	0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

static bool is_start_of(struct view v, const void *what, size_t n)
{
	return v.n > 0 && memcmp(v.p, what, v.n < n ? v.n : n) == 0;
}

static int refuse(const char *why, struct err *e)
{
	return err_set(e, FAIL_INPUT, "PROXY header: %s", why);
}

/* The next word; *v is what stands behind its blank. */
static struct view next_word(struct view *v)
{
	size_t blank = view_chr(*v, ' ', 0);
	struct view word = view_sub(*v, 0, blank);

	*v = blank == (size_t)-1 ? view_sub(*v, v->n, 0) :
	    view_sub(*v, blank + 1, v->n - blank - 1);
	return word;
}

static int read_port(struct view v, int *port)
{
	int n = 0;

	if (v.n == 0 || v.n > 5 || (v.n > 1 && v.p[0] == '0'))
		return -1;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return -1;
		n = n * 10 + v.p[i] - '0';
	}
	*port = n;
	return n > 65535 ? -1 : 0;
}

/* An address as text; out gets the one form that inet_ntop() writes. */
static int read_address(struct view v, int family, char *out, size_t size)
{
	unsigned char ip[16];
	char text[64];

	if (view_cstr(v, text, sizeof(text)) != 0 ||
	    inet_pton(family, text, ip) != 1)
		return -1;
	return inet_ntop(family, ip, out, (socklen_t)size) == NULL ? -1 : 0;
}

static int read_v1_line(struct proxy_header *h, struct view line,
    struct err *e)
{
	struct view word;
	int family;

	(void)next_word(&line); /* PROXY */
	word = next_word(&line);
	if (view_eq_str(word, "UNKNOWN")) {
		h->is_local = true;
		return 0;
	}
	if (view_eq_str(word, "TCP4"))
		family = AF_INET;
	else if (view_eq_str(word, "TCP6"))
		family = AF_INET6;
	else
		return refuse("wanted TCP4, TCP6 or UNKNOWN", e);
	if (read_address(next_word(&line), family, h->ip,
	    sizeof(h->ip)) != 0 ||
	    read_address(next_word(&line), family, h->local_ip,
	    sizeof(h->local_ip)) != 0)
		return refuse("an address is none of its family", e);
	if (read_port(next_word(&line), &h->port) != 0 ||
	    read_port(line, &h->local_port) != 0)
		return refuse("a port is not 0 to 65535", e);
	return 0;
}

static int read_v1(struct proxy_header *h, struct view v, size_t *used,
    struct err *e)
{
	size_t lf = view_chr(v, '\n', 0);

	if (lf == (size_t)-1)
		return v.n < V1_MAX ? 0 : refuse("longer than 107 octets", e);
	if (lf + 1 > V1_MAX)
		return refuse("longer than 107 octets", e);
	if (lf == 0 || v.p[lf - 1] != '\r' || view_chr(v, '\r', 0) != lf - 1 ||
	    view_chr(view_sub(v, 0, lf), '\0', 0) != (size_t)-1)
		return refuse("no line that ends in CRLF", e);
	if (read_v1_line(h, view_sub(v, 0, lf - 1), e) != 0)
		return -1;
	*used = lf + 1;
	return 1;
}

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* One TLV; each ends within what is around it. */
static int next_tlv(struct view *v, int *type, struct view *value,
    struct err *e)
{
	size_t n;

	if (v->n < 3)
		return refuse("a TLV is cut", e);
	n = get16(v->p + 1);
	if (n > v->n - 3)
		return refuse("a TLV is longer than the header", e);
	*type = v->p[0];
	*value = view_sub(*v, 3, n);
	*v = view_sub(*v, 3 + n, v->n - 3 - n);
	return 0;
}

static int read_ssl(struct proxy_header *h, struct view v, bool *seen,
    struct err *e)
{
	struct view value;
	int type;

	if (*seen)
		return refuse("two TLVs SSL", e);
	*seen = true;
	if (v.n < SSL_FIXED)
		return refuse("TLV SSL is cut", e);
	h->has_tls = (v.p[0] & SSL_CLIENT_SSL) != 0;
	v = view_sub(v, SSL_FIXED, v.n - SSL_FIXED);
	while (v.n > 0)
		if (next_tlv(&v, &type, &value, e) != 0)
			return -1;
	return 0;
}

static int read_tlvs(struct proxy_header *h, struct view v, struct err *e)
{
	bool seen_ssl = false;
	struct view value;
	int type;

	while (v.n > 0) {
		if (next_tlv(&v, &type, &value, e) != 0)
			return -1;
		if (type == TLV_SSL &&
		    read_ssl(h, value, &seen_ssl, e) != 0)
			return -1;
	}
	return 0;
}

static int read_binary(struct proxy_header *h, int family,
    const unsigned char *p)
{
	size_t n = family == AF_INET ? 4 : 16;

	h->port = (int)get16(p + 2 * n);
	h->local_port = (int)get16(p + 2 * n + 2);
	if (inet_ntop(family, p, h->ip, sizeof(h->ip)) == NULL ||
	    inet_ntop(family, p + n, h->local_ip,
	    sizeof(h->local_ip)) == NULL)
		return -1;
	return 0;
}

/* What stands behind the sixteen octets of the head. */
static int read_v2_rest(struct proxy_header *h, int command, int family,
    struct view v, struct err *e)
{
	size_t n;

	switch (family) {
	case 0x00:
		n = 0;
		break;
	case 0x11:
		n = V2_IP4;
		break;
	case 0x21:
		n = V2_IP6;
		break;
	case 0x31:
		n = V2_UNIX;
		break;
	default:
		return refuse("no stream of a family we know", e);
	}
	h->is_local = command == 0 || n == 0 || n == V2_UNIX;
	/* LOCAL: the receiver is to skip all of it; TLVs are its addresses' */
	if (command == 0)
		return 0;
	if (v.n < n)
		return refuse("shorter than its addresses", e);
	if (!h->is_local && read_binary(h, n == V2_IP4 ? AF_INET : AF_INET6,
	    v.p) != 0)
		return refuse("addresses that cannot be written", e);
	return read_tlvs(h, view_sub(v, n, v.n - n), e);
}

static int read_v2(struct proxy_header *h, struct view v, size_t *used,
    struct err *e)
{
	size_t n;

	if (v.n < V2_HEAD)
		return 0;
	if (v.p[12] != 0x20 && v.p[12] != 0x21)
		return refuse("neither LOCAL nor PROXY of version 2", e);
	n = get16(v.p + 14);
	if (n > V2_MAX)
		return refuse("longer than 536 octets", e);
	if (v.n < V2_HEAD + n)
		return 0;
	if (read_v2_rest(h, v.p[12] & 0x0f, v.p[13],
	    view_sub(v, V2_HEAD, n), e) != 0)
		return -1;
	*used = V2_HEAD + n;
	return 1;
}

int proxy_read(struct proxy_header *h, struct view v, size_t *used,
    struct err *e)
{
	int rc;

	memset(h, 0, sizeof(*h));
	*used = 0;
	if (v.n == 0)
		return 0;
	if (is_start_of(v, "PROXY ", 6))
		rc = read_v1(h, v, used, e);
	else if (is_start_of(v, signature, sizeof(signature)))
		rc = read_v2(h, v, used, e);
	else
		rc = refuse("there is none", e);
	if (rc != 1)
		memset(h, 0, sizeof(*h));
	return rc;
}

/* ---- writing ---- */

/* Both addresses in one family; IPv4 beside IPv6 is mapped into it. */
struct pair {
	int family; /* AF_UNSPEC: no addresses */
	unsigned char from[16], to[16];
};

static int family_of(const char *ip, unsigned char out[16])
{
	memset(out, 0, 16);
	if (inet_pton(AF_INET, ip, out) == 1)
		return AF_INET;
	return inet_pton(AF_INET6, ip, out) == 1 ? AF_INET6 : AF_UNSPEC;
}

static void map_to_6(unsigned char ip[16])
{
	memmove(ip + 12, ip, 4);
	memset(ip, 0, 10);
	memset(ip + 10, 0xff, 2);
}

static void make_pair(struct pair *p, const struct proxy_header *h)
{
	int a = family_of(h->ip, p->from), b = family_of(h->local_ip, p->to);

	if (h->is_local || a == AF_UNSPEC || b == AF_UNSPEC) {
		p->family = AF_UNSPEC;
		return;
	}
	p->family = a == AF_INET && b == AF_INET ? AF_INET : AF_INET6;
	if (p->family == AF_INET6 && a == AF_INET)
		map_to_6(p->from);
	if (p->family == AF_INET6 && b == AF_INET)
		map_to_6(p->to);
}

static void write_v1(struct buf *out, const struct pair *p,
    const struct proxy_header *h)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	if (p->family == AF_UNSPEC ||
	    inet_ntop(p->family, p->from, from, sizeof(from)) == NULL ||
	    inet_ntop(p->family, p->to, to, sizeof(to)) == NULL) {
		buf_puts(out, "PROXY UNKNOWN\r\n");
		return;
	}
	buf_printf(out, "PROXY TCP%d %s %s %d %d\r\n",
	    p->family == AF_INET ? 4 : 6, from, to, h->port, h->local_port);
}

static void put16(struct buf *b, size_t n)
{
	buf_putc(b, (int)(n >> 8 & 0xff));
	buf_putc(b, (int)(n & 0xff));
}

static void put_tlv(struct buf *b, int type, const char *value)
{
	size_t n = strlen(value);

	buf_putc(b, type);
	put16(b, n);
	buf_put(b, value, n);
}

static void write_v2(struct buf *out, const struct pair *p,
    const struct proxy_header *h, const char *tls_version,
    const char *cipher)
{
	size_t n = p->family == AF_INET ? 4 : p->family == AF_INET6 ? 16 : 0;
	size_t tls = tls_version == NULL ? 0 : SSL_FIXED + 3 +
	    strlen(tls_version) + 3 + strlen(cipher);

	buf_put(out, signature, sizeof(signature));
	buf_putc(out, h->is_local ? 0x20 : 0x21);
	buf_putc(out, n == 0 ? 0x00 : n == 4 ? 0x11 : 0x21);
	put16(out, (n == 0 ? 0 : 2 * n + 4) + (tls == 0 ? 0 : 3 + tls));
	if (n > 0) {
		buf_put(out, p->from, n);
		buf_put(out, p->to, n);
		put16(out, (size_t)h->port);
		put16(out, (size_t)h->local_port);
	}
	if (tls == 0)
		return;
	buf_putc(out, TLV_SSL);
	put16(out, tls);
	buf_putc(out, SSL_CLIENT_SSL);
	ipc_put_u32(out, 1); /* not 0: no certificate is vouched for */
	put_tlv(out, TLV_SSL_VERSION, tls_version);
	put_tlv(out, TLV_SSL_CIPHER, cipher);
}

void proxy_write(struct buf *out, int version, const struct proxy_header *h,
    const char *tls_version, const char *cipher)
{
	struct pair p;

	make_pair(&p, h);
	if (version == 1)
		write_v1(out, &p, h);
	else
		write_v2(out, &p, h, tls_version, cipher == NULL ? "" :
		    cipher);
}
