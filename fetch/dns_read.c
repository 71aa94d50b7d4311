/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Records of the DNS. Every octet of them is somebody else's; lengths in them
 * are never believed beyond their end.
 */
#include <netinet/in.h>
#include <string.h>

#include "fetch/dns.h"

#define LABEL_MAX 63
#define ADDRESS_4 4
#define ADDRESS_6 16

/* Of hosts and of our own questions (_25._tcp); all else is left out, so that
 * a name means the same to everyone who reads it. */
static int label_octet(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 'a';
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '_')
		return c;
	return -1;
}

static int read_label(char *out, size_t *used, struct view label)
{
	size_t i;
	int c;

	/* RFC 1035 2.3.4; a compression pointer is no length */
	if (label.n > LABEL_MAX || *used + label.n + 1 >= DNS_NAME - 1)
		return -1;
	if (*used > 0)
		out[(*used)++] = '.';
	for (i = 0; i < label.n; i++) {
		c = label_octet(label.p[i]);
		if (c == -1)
			return -1;
		out[(*used)++] = (char)c;
	}
	return 0;
}

int dns_read_name(char out[DNS_NAME], struct view v)
{
	struct view label;
	struct rd r;
	size_t used = 0;
	uint8_t n;

	rd_init(&r, v);
	out[0] = '\0';
	while (rd_u8(&r, &n) == 0) {
		if (n == 0) {
			out[used] = '\0';
			return rd_left(&r) == 0 ? 0 : -1;
		}
		if (rd_take(&r, n, &label) != 0 ||
		    read_label(out, &used, label) != 0)
			break;
	}
	out[0] = '\0';
	return -1;
}

int dns_read_mx(struct dns_mx *out, struct view rdata)
{
	memset(out, 0, sizeof(*out));
	if (rdata.n < 3)
		return -1;
	out->preference = (unsigned)rdata.p[0] << 8 | rdata.p[1];
	return dns_read_name(out->name, view_sub(rdata, 2, rdata.n - 2));
}

int dns_read_tlsa(struct dns_tlsa *out, struct view rdata)
{
	memset(out, 0, sizeof(*out));
	/* RFC 6698 2.1: three octets, and something to compare with */
	if (rdata.n < 4)
		return -1;
	out->usage = rdata.p[0];
	out->selector = rdata.p[1];
	out->mtype = rdata.p[2];
	out->data = view_sub(rdata, 3, rdata.n - 3);
	return 0;
}

int dns_read_txt(struct buf *out, struct view rdata)
{
	struct view part;
	struct rd r;
	uint8_t n;

	rd_init(&r, rdata);
	while (rd_u8(&r, &n) == 0) {
		if (rd_take(&r, n, &part) != 0)
			return -1;
		buf_putv(out, part);
	}
	return out->failed || rdata.n == 0 ? -1 : 0;
}

int dns_read_address(struct sockaddr_storage *out, unsigned *len,
    struct view rdata, int port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (rdata.n == ADDRESS_4) {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		memcpy(&in->sin_addr, rdata.p, ADDRESS_4);
		*len = sizeof(*in);
		return 0;
	}
	if (rdata.n != ADDRESS_6)
		return -1;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons((uint16_t)port);
	memcpy(&in6->sin6_addr, rdata.p, ADDRESS_6);
	*len = sizeof(*in6);
	return 0;
}
