/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The signature object out of a mail somebody saved, for the certificates
 * in it. Nothing is verified here: whether a certificate is good, its path
 * says.
 */
#include "cli/import.h"
#include "smime/codec.h"
#include "smime/shape.h"

static int decode_shape(const struct spool *s, const struct shape *sh,
    struct buf *der, struct err *e)
{
	struct sink to = sink_to_buf(der);

	if (sh->kind == SHAPE_CLEAR_SIGNED)
		return codec_decode(s, sh->sig, sh->sig_end, sh->sig_cte, &to,
		    NULL, e);
	return codec_decode(s, sh->body, sh->end, sh->cte, &to, NULL, e);
}

int mail_to_spool(struct spool *s, struct view mail, struct err *e)
{
	size_t off = 0, lf;
	struct view line;

	while (off < mail.n) {
		lf = view_chr(mail, '\n', off);
		if (lf == (size_t)-1)
			lf = mail.n;
		line = view_sub(mail, off, lf - off);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (spool_write(s, line.p, line.n, e) != 0 ||
		    spool_write(s, "\r\n", 2, e) != 0)
			return -1;
		off = lf + 1;
	}
	return 0;
}

static int read_mail(const struct spool *s, struct buf *der, struct err *e)
{
	uint64_t end = spool_size(s);
	struct ctype ct = { 0 };
	struct shape sh;
	struct header h;
	int rc = -1;

	if (header_read(&h, s, 0, end, e) != 0)
		goto out;
	if (h.n == 0 || h.has_junk) {
		rc = 0;
		goto out;
	}
	if (ctype_read(&ct, &h, e) != 0 ||
	    shape_read(&sh, s, &h, &ct, end, e) != 0)
		goto out;
	rc = sh.kind == SHAPE_CLEAR_SIGNED || sh.kind == SHAPE_PKCS7;
	if (rc == 1 && decode_shape(s, &sh, der, e) != 0)
		rc = -1;
out:
	ctype_free(&ct);
	header_free(&h);
	return rc;
}

int mail_signature(struct view mail, struct buf *der, struct err *e)
{
	struct spool *s = NULL;
	int rc = -1;

	if (spool_new(&s, 2 * (uint64_t)CAP_IMPORT_FILE, e) == 0 &&
	    mail_to_spool(s, mail, e) == 0)
		rc = read_mail(s, der, e);
	spool_free(&s);
	/* Beyond a cap of mail: then it is no mail that we know. */
	return rc == -1 && e->kind != FAIL_TEMP ? 0 : rc;
}
