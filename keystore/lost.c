/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What is lost with a private key: by what the store knows of mail that it
 * opened.
 */
#include "keystore/rotate.h"

#include <string.h>

#include "keystore/keystore_int.h"

/* % and _ mean themselves. */
static void put_like(struct buf *out, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '%' || *s == '_' || *s == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *s);
	}
}

int keystore_opened_for(struct keystore *ks, const char *address, size_t *n,
    int64_t *last, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_AUDIT_OPENED, e);
	struct buf like;
	int rc;

	*n = 0;
	*last = 0;
	if (st == NULL)
		return -1;
	buf_init(&like, 8192);
	buf_puts(&like, "%\"decryption\":{\"result\":\"decrypted\",%"
	    "\"recipient\":\"");
	put_like(&like, address);
	buf_puts(&like, "\"%");
	sqlite3_bind_text(st, 1, buf_str(&like), -1, SQLITE_TRANSIENT);
	buf_free(&like);
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return rc;
	*n = (size_t)sqlite3_column_int64(st, 0);
	*last = sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
	return 0;
}

static int count_row(void *arg, const struct ks_row *r, struct err *e)
{
	size_t *n = arg;

	(void)r;
	(void)e;
	(*n)++;
	return 0;
}

int keystore_key_certs(struct keystore *ks, const struct cert *c, size_t *n,
    struct err *e)
{
	*n = 0;
	return ks_list_spki(ks, cert_spki_sha256(c), count_row, n, e);
}
