/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * nullmilter accept|replace SOCKET: what libmilter itself costs. Collects
 * the body and hands it back (replace), or looks at nothing (accept). It
 * asks for no answers before the end of the message, as the gateway does,
 * so that it is a floor and not a straw man.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <libmilter/mfapi.h>

struct body {
	unsigned char *p;
	size_t n;
	size_t size;
};

static bool replacing;

static sfsistat
negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
    unsigned long f3, unsigned long *pf0, unsigned long *pf1,
    unsigned long *pf2, unsigned long *pf3)
{
	(void)ctx;
	(void)f2;
	(void)f3;
	*pf0 = f0 & (SMFIF_CHGBODY | SMFIF_ADDHDRS | SMFIF_CHGHDRS);
	*pf1 = f1 & (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL |
	    SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_HDR | SMFIP_NR_EOH |
	    SMFIP_NR_BODY | SMFIP_NOUNKNOWN | SMFIP_HDR_LEADSPC);
	*pf2 = 0;
	*pf3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat
take_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *addr)
{
	(void)host;
	(void)addr;
	smfi_setpriv(ctx, calloc(1, sizeof(struct body)));
	return SMFIS_NOREPLY;
}

static sfsistat
take_line(SMFICTX *ctx, char **argv)
{
	struct body *b = smfi_getpriv(ctx);

	(void)argv;
	if (b != NULL)
		b->n = 0;
	return SMFIS_NOREPLY;
}

static sfsistat
take_header(SMFICTX *ctx, char *name, char *value)
{
	(void)ctx;
	(void)name;
	(void)value;
	return SMFIS_NOREPLY;
}

static sfsistat
take_nothing(SMFICTX *ctx)
{
	(void)ctx;
	return SMFIS_NOREPLY;
}

static sfsistat
take_body(SMFICTX *ctx, unsigned char *p, size_t n)
{
	struct body *b = smfi_getpriv(ctx);

	if (b == NULL || !replacing)
		return SMFIS_NOREPLY;
	if (b->n + n > b->size) {
		size_t size = 2 * (b->n + n);
		unsigned char *q = realloc(b->p, size);

		if (q == NULL)
			return SMFIS_NOREPLY;
		b->p = q;
		b->size = size;
	}
	memcpy(b->p + b->n, p, n);
	b->n += n;
	return SMFIS_NOREPLY;
}

static sfsistat
end_message(SMFICTX *ctx)
{
	struct body *b = smfi_getpriv(ctx);

	if (replacing && b != NULL &&
	    smfi_replacebody(ctx, b->p, (int)b->n) == MI_FAILURE)
		return SMFIS_TEMPFAIL;
	return SMFIS_ACCEPT;
}

static sfsistat
close_connection(SMFICTX *ctx)
{
	struct body *b = smfi_getpriv(ctx);

	if (b != NULL) {
		free(b->p);
		free(b);
		smfi_setpriv(ctx, NULL);
	}
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	static char name[] = "null";
	struct smfiDesc d = { .xxfi_name = name,
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_CHGBODY | SMFIF_ADDHDRS | SMFIF_CHGHDRS,
		.xxfi_connect = take_connect,
		.xxfi_envfrom = take_line,
		.xxfi_envrcpt = take_line,
		.xxfi_header = take_header,
		.xxfi_eoh = take_nothing,
		.xxfi_body = take_body,
		.xxfi_eom = end_message,
		.xxfi_close = close_connection,
		.xxfi_data = take_nothing,
		.xxfi_negotiate = negotiate };

	if (argc != 3 || (strcmp(argv[1], "accept") != 0 &&
	    strcmp(argv[1], "replace") != 0)) {
		fputs("usage: nullmilter accept|replace SOCKET\n", stderr);
		return EX_USAGE;
	}
	replacing = argv[1][0] == 'r';
	if (smfi_setconn(argv[2]) != MI_SUCCESS ||
	    smfi_register(d) != MI_SUCCESS ||
	    smfi_setbacklog(256) != MI_SUCCESS ||
	    smfi_opensocket(1) != MI_SUCCESS) {
		fputs("nullmilter: cannot listen\n", stderr);
		return EX_UNAVAILABLE;
	}
	return smfi_main() == MI_SUCCESS ? 0 : EX_SOFTWARE;
}
