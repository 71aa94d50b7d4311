/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Looks at labels and, for multipart/signed, at the bounds of its parts.
 * Believes nothing: what is found is checked by verify.c and cms.c.
 */
#include "smime/shape.h"

#include <ctype.h>
#include <string.h>

#include "smime/cms.h"
#include "smime/mime.h"
#include "smime/params.h"
#include "util/caps.h"

#define ENCODED_SIGNED \
	"transfer encoding on multipart/signed (RFC 2045 6.4)"

static bool is_pkcs7_mime(const char *type)
{
	return strcmp(type, "application/pkcs7-mime") == 0 ||
	    strcmp(type, "application/x-pkcs7-mime") == 0; /* S27 */
}

static bool is_pkcs7_signature(const char *type)
{
	return type != NULL &&
	    (strcasecmp(type, "application/pkcs7-signature") == 0 ||
		strcasecmp(type, "application/x-pkcs7-signature") == 0);
}

/* RFC 8551 3.10: what gateways make of a type that they do not know. */
static bool is_named_pkcs7(const struct ctype *ct)
{
	static const char *const suffix[] = {".p7m", ".p7s", ".p7c", ".p7z"};
	size_t n = strlen(ct->filename);

	if (!ctype_is(ct, "application/octet-stream") || n < 4)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(suffix); i++)
		if (strcasecmp(ct->filename + n - 4, suffix[i]) == 0)
			return true;
	return false;
}

static void keep_lower(char *dst, size_t size, const char *value)
{
	size_t n = value == NULL ? 0 : strlen(value);

	if (n >= size)
		n = 0; /* no name that anybody knows */
	for (size_t i = 0; i < n; i++)
		dst[i] = (char)tolower((unsigned char)value[i]);
	dst[n] = '\0';
}

static int mark_broken(struct shape *sh, const char *why)
{
	sh->kind = SHAPE_BROKEN;
	defect_note(sh->defect, sizeof(sh->defect), why);
	return 0;
}

/* Does any of the Content-Type fields speak of S/MIME, however broken? */
static int is_labelled(const struct header *h, const struct ctype *ct,
    bool *is, struct err *e)
{
	const struct field *f;
	struct buf b;
	int rc = 0;

	*is = is_pkcs7_mime(ct->type) || is_named_pkcs7(ct);
	buf_init(&b, CAP_HEADER_FIELD);
	for (size_t i = 0; rc == 0 && !*is; i++) {
		f = header_get(h, "Content-Type", i);
		if (f == NULL)
			break;
		buf_clear(&b);
		field_unfold(f, &b);
		rc = buf_ok(&b, e);
		if (rc == 0)
			*is = strcasestr(buf_str(&b), "pkcs7-") != NULL;
	}
	buf_free(&b);
	return rc;
}

/* The parts of multipart/signed. */
struct halves {
	struct shape *sh;
	size_t n;
	char type[128]; /* of the second */
};

static int take_event(void *arg, enum mime_event ev,
    const struct mime_part *p, struct view data, struct err *e)
{
	struct halves *x = arg;

	(void)data;
	(void)e;
	if (ev != MIME_END || p->depth != 1)
		return 0;
	x->n++;
	if (x->n == 1) {
		x->sh->part = p->start;
		x->sh->part_end = p->end;
	}
	if (x->n == 2) {
		x->sh->sig = p->body;
		x->sh->sig_end = p->end;
		x->sh->sig_cte = p->ctype->cte;
		memcpy(x->type, p->ctype->type, sizeof(x->type));
	}
	return 0;
}

static int read_halves(struct shape *sh, const struct spool *s,
    const struct header *h, bool is_ours, struct err *e)
{
	struct halves x = {sh, 0, ""};
	struct mime_handler on = {&x, take_event};
	struct mime_findings found;
	struct err text;

	if (mime_read_flat(s, h->start, sh->end, &on, &found, e) != 0)
		return -1;
	/* Without a protocol it is ours only if the second part says so. */
	if (!is_ours && !(x.n > 1 && is_pkcs7_signature(x.type)))
		return 0;
	sh->kind = SHAPE_CLEAR_SIGNED;
	if (x.n != 2) {
		err_set(&text, FAIL_INPUT, "multipart/signed has %zu parts, "
					   "not 2 (RFC 1847 2.1)", x.n);
		return mark_broken(sh, text.msg);
	}
	if (!is_pkcs7_signature(x.type)) {
		err_set(&text, FAIL_INPUT, "second part of multipart/signed is "
					   "%.60s, not a signature "
					   "(RFC 1847 2.1)", x.type);
		return mark_broken(sh, text.msg);
	}
	if (found.defect[0] != '\0')
		return mark_broken(sh, found.defect);
	if (sh->sig_cte == CTE_UNKNOWN)
		return mark_broken(sh, "signature in an unknown transfer "
				       "encoding (RFC 2045 6.4)");
	return 0;
}

static int read_signed(struct shape *sh, const struct spool *s,
    const struct header *h, const struct ctype *ct, struct err *e)
{
	const char *protocol = ctype_param(ct, "protocol");

	keep_lower(sh->micalg, sizeof(sh->micalg), ctype_param(ct, "micalg"));
	if (protocol != NULL && ct->cte == CTE_UNKNOWN &&
	    is_pkcs7_signature(protocol))
		return mark_broken(sh, ENCODED_SIGNED);
	if (protocol != NULL &&
	    strcasecmp(protocol, "application/pgp-signature") == 0) {
		sh->kind = SHAPE_PGP_SIGNED;
		return 0;
	}
	if (protocol != NULL && !is_pkcs7_signature(protocol))
		return 0;
	if (read_halves(sh, s, h, protocol != NULL, e) != 0)
		return -1;
	if (sh->kind == SHAPE_CLEAR_SIGNED && ct->cte == CTE_UNKNOWN)
		return mark_broken(sh, ENCODED_SIGNED);
	return 0;
}

/* A file of such a name: if it is no CMS object, it is a file (S28). */
static int read_named(struct shape *sh, const struct spool *s, struct err *e)
{
	struct cms *c = NULL;
	struct err why = {0};

	if (sh->cte == CTE_UNKNOWN)
		return 0;
	if (cms_read(&c, s, sh->body, sh->end, sh->cte, &why) == 0 ||
	    why.kind == FAIL_LIMIT)
		sh->kind = SHAPE_PKCS7;
	cms_free(&c);
	if (sh->kind != SHAPE_PKCS7 && why.kind != FAIL_INPUT) {
		*e = why;
		return -1;
	}
	return 0;
}

bool shape_may_be(const struct ctype *ct)
{
	const char *protocol = ctype_param(ct, "protocol");

	return is_pkcs7_mime(ct->type) || (ctype_is(ct, "multipart/signed") &&
	    (protocol == NULL || is_pkcs7_signature(protocol)));
}

int shape_read(struct shape *sh, const struct spool *s,
    const struct header *h, const struct ctype *ct, uint64_t end,
    struct err *e)
{
	const char *protocol = ctype_param(ct, "protocol");
	bool labelled = false;

	memset(sh, 0, sizeof(*sh));
	sh->cte = ct->cte;
	sh->body = h->body_off;
	sh->end = end;
	keep_lower(sh->smime_type, sizeof(sh->smime_type),
	    ctype_param(ct, "smime-type"));
	if (ct->defect[0] != '\0') {
		if (is_labelled(h, ct, &labelled, e) != 0)
			return -1;
		return labelled ? mark_broken(sh, ct->defect) : 0;
	}
	/* RFC 2045 6.4: what nobody can decode has no type */
	if (is_pkcs7_mime(ct->type) && ct->cte == CTE_UNKNOWN)
		return mark_broken(sh, "unknown transfer encoding "
				       "(RFC 2045 6.4)");
	if (is_pkcs7_mime(ct->type))
		sh->kind = SHAPE_PKCS7;
	else if (is_named_pkcs7(ct))
		return read_named(sh, s, e);
	else if (ctype_is(ct, "multipart/signed"))
		return read_signed(sh, s, h, ct, e);
	else if (ctype_is(ct, "multipart/encrypted") && protocol != NULL &&
	    strcasecmp(protocol, "application/pgp-encrypted") == 0)
		sh->kind = SHAPE_PGP_ENCRYPTED;
	return 0;
}
