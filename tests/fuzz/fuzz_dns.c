/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Fuzz target: rdata of the DNS as MX, TLSA, TXT, name and address. A name
 * that is read can be written, and is read again as the same.
 */
#include <sys/socket.h>

#include "fetch/sts.h"
#include "tests/fuzz/fuzz.h"

static void check_name(const char *name)
{
	unsigned char wire[DNS_NAME + 2];
	char again[DNS_NAME];
	size_t n = 0, label;

	MUST(strlen(name) < DNS_NAME - 1);
	for (const char *p = name; *p != '\0';) {
		label = strcspn(p, ".");
		MUST(label > 0 && label < 64);
		wire[n++] = (unsigned char)label;
		memcpy(wire + n, p, label);
		n += label;
		p += label;
		p += *p == '.';
	}
	wire[n++] = 0;
	MUST(dns_read_name(again, view_make(wire, n)) == 0);
	MUST(strcmp(again, name) == 0);
}

static void run_txt(struct view v)
{
	struct dns_answer a;
	char id[STS_ID];
	struct buf b;
	struct err e;

	buf_init(&b, FUZZ_INPUT);
	if (dns_read_txt(&b, v) == 0)
		MUST(b.n < v.n);
	buf_free(&b);
	dns_answer_init(&a, "a.example", DNS_INSECURE);
	dns_answer_add(&a, v.p, v.n);
	if (sts_txt_id(id, &a, &e) == 0)
		MUST(id[0] != '\0' && strlen(id) < STS_ID);
	dns_answer_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct view v = view_make(data, n);
	struct sockaddr_storage sa;
	char name[DNS_NAME];
	struct dns_tlsa t;
	struct dns_mx mx;
	unsigned len;

	if (dns_read_name(name, v) == 0)
		check_name(name);
	if (dns_read_mx(&mx, v) == 0)
		check_name(mx.name);
	if (dns_read_tlsa(&t, v) == 0)
		MUST(t.data.n + 3 == n && t.data.n > 0);
	else
		MUST(n < 4);
	MUST((dns_read_address(&sa, &len, v, 25) == 0) == (n == 4 ||
	    n == 16));
	run_txt(v);
	return 0;
}

bool fuzz_seed(size_t i, struct buf *out)
{
	static const struct view seed[] = {
		{ (const unsigned char *)"\0\12\2mx\1b\7example", 16 },
		{ (const unsigned char *)"\2mx\1b\7example", 14 },
		{ (const unsigned char *)"\3\1\1abcdefghijklmnopqrstuvwxyz"
		    "012345", 35 },
		{ (const unsigned char *)"\16v=STSv1; id=1;", 15 },
		{ (const unsigned char *)"\7v=STSv1\7; id=a1", 16 },
		{ (const unsigned char *)"\300\2\1\1", 4 },
	};

	if (i >= ARRAY_LEN(seed))
		return false;
	buf_putv(out, seed[i]);
	return true;
}
