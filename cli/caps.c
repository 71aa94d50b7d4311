/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Printing capabilities: of each address what a cipher would be chosen by,
 * and where that is from.
 */
#include "cli/caps.h"

#include "gateway/learn.h"
#include "util/when.h"

/* "AES-256-GCM, AES-128-CBC, RSAES-OAEP". */
static void put_names(struct buf *b, const struct capabilities *c)
{
	size_t had = b->n;

	for (size_t i = 0; i < c->ciphers; i++)
		buf_printf(b, "%s%s", b->n > had ? ", " : "",
		    enc_cipher_str(c->cipher[i]));
	if (c->ciphers == 0)
		buf_puts(b, "no cipher that postseal writes");
	if (c->oaep)
		buf_puts(b, ", RSAES-OAEP");
	if (c->has_cek_hkdf)
		buf_puts(b, ", CEK-HKDF, which is not used");
}

int caps_show(struct keystore *ks, const struct cert *c, struct buf *b,
    struct err *e)
{
	char date[WHEN_SIZE];
	struct reader l;

	for (size_t i = 0; i < cert_addresses(c); i++) {
		const struct addr *a = cert_address(c, i);

		if (learn_lookup(ks, a, c, &l, e) != 0)
			return -1;
		if (l.source == LEARN_NOTHING)
			continue;
		buf_puts(b, "reads        ");
		put_names(b, &l.caps);
		if (l.source == LEARN_MAIL)
			buf_printf(b, " (signed mail of %s, %s)\n", a->text,
			    when_date(date, l.signed_at));
		else
			buf_printf(b, " (the certificate, for %s)\n",
			    a->text);
	}
	return 0;
}

static void put_object(struct json *j, const struct addr *a,
    const struct reader *l)
{
	char date[WHEN_SIZE];

	json_object(j, NULL);
	json_str(j, "address", a->text);
	json_str(j, "source", l->source == LEARN_MAIL ? "mail"
						      : "certificate");
	json_str(j, "signed", l->source != LEARN_MAIL ? NULL :
	    when_timestamp(date, l->signed_at));
	json_array(j, "ciphers");
	for (size_t i = 0; i < l->caps.ciphers; i++)
		json_str(j, NULL, enc_cipher_str(l->caps.cipher[i]));
	json_end_array(j);
	json_bool(j, "oaep", l->caps.oaep);
	json_bool(j, "cek_hkdf", l->caps.has_cek_hkdf);
	json_end_object(j);
}

int caps_json(struct keystore *ks, const struct cert *c, struct json *j,
    struct err *e)
{
	struct reader l;

	json_array(j, "capabilities");
	for (size_t i = 0; i < cert_addresses(c); i++) {
		if (learn_lookup(ks, cert_address(c, i), c, &l, e) != 0)
			return -1;
		if (l.source != LEARN_NOTHING)
			put_object(j, cert_address(c, i), &l);
	}
	json_end_array(j);
	return 0;
}
