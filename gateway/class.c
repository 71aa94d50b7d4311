/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What kind of message this is (REQUIREMENTS A.4). What only the sender
 * declares never weakens a rule (S45): the plan sees to that; this file
 * says what was found.
 */
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/cms.h"
#include "smime/mime.h"

/* Reports larger than this are no reports (S45). */
#define REPORT_MAX (256u << 10)

struct scan {
	size_t children;     /* at depth 1 */
	bool has_odd_child;  /* no type that a report has there */
	bool has_calendar;
};

static bool is_report_part(const struct ctype *ct, size_t nth)
{
	static const char *const first[] = {"text/plain", "text/html",
	    "multipart/alternative"};
	static const char *const second[] = {"message/delivery-status",
	    "message/disposition-notification", "message/feedback-report",
	    "message/global-delivery-status",
	    "message/global-disposition-notification"};
	static const char *const third[] = {"message/rfc822",
	    "text/rfc822-headers", "message/global",
	    "message/global-headers"};
	const char *const *list[] = {first, second, third};
	const size_t n[] = {ARRAY_LEN(first), ARRAY_LEN(second),
	    ARRAY_LEN(third)};

	if (nth >= ARRAY_LEN(list))
		return false;
	for (size_t i = 0; i < n[nth]; i++)
		if (ctype_is(ct, list[nth][i]))
			return true;
	return false;
}

static int scan_event(void *arg, enum mime_event ev,
    const struct mime_part *part, struct view data UNUSED, struct err *e)
{
	struct scan *s = arg;
	const struct ctype *ct = part->ctype;

	(void)e;
	if (ev != MIME_PART)
		return 0;
	if ((ctype_is(ct, "text/calendar") && ctype_param(ct, "method")) ||
	    ctype_is(ct, "application/ms-tnef"))
		s->has_calendar = true;
	if (part->depth == 1 && !is_report_part(ct, s->children++))
		s->has_odd_child = true;
	return 0;
}

/* Look at the parts; a message that cannot be read is merely not special. */
static int scan_parts(struct txn *t, struct scan *s, struct err *e)
{
	const struct mime_handler h = {s, scan_event};
	struct mime_findings f = {0};
	struct err local = {0};

	memset(s, 0, sizeof(*s));
	if (mime_read(t->msg, 0, spool_size(t->msg), false, &h, &f,
	    &local) != 0) {
		if (err_is_ours(&local)) {
			*e = local;
			return -1;
		}
		s->has_odd_child = true;
	}
	if (f.defect[0] != '\0')
		s->has_odd_child = true;
	return 0;
}

static bool field_has(const struct txn *t, const char *name, const char *s)
{
	const struct field *f = header_get(&t->h, name, 0);
	struct buf b;
	bool has;

	if (f == NULL)
		return false;
	buf_init(&b, CAP_HEADER_FIELD);
	field_unfold(f, &b);
	has = strcasestr(buf_str(&b), s) != NULL;
	buf_free(&b);
	return has;
}

/* RFC 3834 5: anything but "no". */
static bool is_auto(const struct txn *t)
{
	const struct field *f = header_get(&t->h, "Auto-Submitted", 0);

	return f != NULL && !view_ieq_str(view_trim(f->value), "no");
}

static bool is_acme_subject(const struct txn *t)
{
	const struct field *f = header_get(&t->h, "Subject", 0);
	struct view s;

	if (f == NULL)
		return false;
	s = view_trim(f->value);
	while (view_istarts(s, "Re:"))
		s = view_trim(view_sub(s, 3, s.n));
	return view_istarts(s, "ACME:");
}

/* RFC 8823 3: challenge or response. */
static bool is_acme(const struct txn *t)
{
	static const char mark[] = "-----BEGIN ACME RESPONSE-----";
	char start[4096];
	size_t got;

	if (!is_acme_subject(t))
		return false;
	if (is_auto(t))
		return true;
	if (spool_read(t->msg, t->h.body_off, start, sizeof(start), &got,
	    NULL) != 0)
		return false;
	return memmem(start, got, mark, sizeof(mark) - 1) != NULL;
}

static bool seals(const struct txn *t)
{
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (plan_seals(t, i))
			return true;
	return false;
}

static enum msg_class report_class(struct txn *t, const struct scan *s)
{
	const char *type = ctype_param(&t->ct, "report-type");

	t->is_report = s->children >= 2 && s->children <= 3 &&
	    !s->has_odd_child && spool_size(t->msg) <= REPORT_MAX;
	/* else anybody's, with a name that is none of his business (S45) */
	if (!t->is_report && !t->null_sender && seals(t))
		return CLASS_NORMAL;
	if (type != NULL && strcasecmp(type, "delivery-status") == 0)
		return CLASS_DSN;
	if (type != NULL && strcasecmp(type, "disposition-notification") == 0)
		return CLASS_MDN;
	return CLASS_REPORT;
}

/*
 * Signed outside, encrypted inside (S138): what is encrypted counts, and the
 * signature hides nothing.
 */
static int look_inside(struct txn *t, enum msg_class *out, struct err *e)
{
	struct header h = {0};
	struct ctype ct = {0};
	struct shape sh;
	struct cms *inside = NULL;
	struct err local = {0};
	int rc;

	rc = header_read(&h, t->msg, t->sh.part, t->sh.part_end, &local);
	if (rc == 0)
		rc = ctype_read(&ct, &h, &local);
	if (rc == 0)
		rc = shape_read(&sh, t->msg, &h, &ct, t->sh.part_end, &local);
	if (rc == 0 && sh.kind == SHAPE_PKCS7)
		rc = cms_read(&inside, t->msg, sh.body, sh.end, sh.cte,
		    &local);
	if (inside != NULL && !cms_has_junk(inside) &&
	    (cms_type(inside) == CMS_ENVELOPED ||
	    cms_type(inside) == CMS_AUTH_ENVELOPED)) {
		t->inside = inside;
		inside = NULL;
		*out = CLASS_ENCRYPTED;
	}
	cms_free(&inside);
	ctype_free(&ct);
	header_free(&h);
	if (rc == 0 || !err_is_ours(&local))
		return 0;
	*e = local;
	return -1;
}

/* A CMS object at the root: is it what its label says? */
static int class_of_cms(struct txn *t, enum msg_class *out, struct err *e)
{
	const struct shape *sh = &t->sh;
	struct err local = {0};
	struct cms *c;
	int rc;

	*out = CLASS_NORMAL;
	if (sh->kind == SHAPE_CLEAR_SIGNED)
		rc = cms_read(&t->cms, t->msg, sh->sig, sh->sig_end,
		    sh->sig_cte, &local);
	else
		rc = cms_read(&t->cms, t->msg, sh->body, sh->end, sh->cte,
		    &local);
	if (rc != 0 && err_is_ours(&local)) {
		*e = local;
		return -1;
	}
	if (rc != 0)
		return 0;
	c = t->cms;
	/* Between the octets of the object there is text for people: it is
	 * neither signed nor encrypted. A signature part may have what it
	 * likes, nobody takes it for content. */
	if (sh->kind == SHAPE_PKCS7 && cms_has_junk(c))
		return 0;
	if (cms_type(c) == CMS_SIGNED && cms_signers(c) > 0) {
		*out = CLASS_SIGNED;
		if (sh->kind == SHAPE_CLEAR_SIGNED && seals(t))
			return look_inside(t, out, e);
	}
	if (sh->kind == SHAPE_PKCS7 && (cms_type(c) == CMS_ENVELOPED ||
	    cms_type(c) == CMS_AUTH_ENVELOPED))
		*out = CLASS_ENCRYPTED;
	return 0;
}

int class_detect(struct txn *t, struct err *e)
{
	enum msg_class *c = &t->v->class;
	struct scan s = {0};

	*c = CLASS_NORMAL;
	switch (t->sh.kind) {
	case SHAPE_CLEAR_SIGNED:
	case SHAPE_PKCS7:
		if (class_of_cms(t, c, e) != 0)
			return -1;
		break;
	case SHAPE_PGP_ENCRYPTED:
		if (class_look_at_pgp(t, e) != 0)
			return -1;
		*c = CLASS_PGP;
		break;
	case SHAPE_PGP_SIGNED:
		*c = CLASS_PGP;
		break;
	case SHAPE_PLAIN:
	case SHAPE_BROKEN:
		if ((ctype_is_multipart(&t->ct) ||
		    ctype_is(&t->ct, "text/calendar")) &&
		    scan_parts(t, &s, e) != 0)
			return -1;
		break;
	}
	if (*c != CLASS_NORMAL)
		return 0;
	if (ctype_is(&t->ct, "multipart/report"))
		*c = report_class(t, &s);
	else if (is_acme(t))
		*c = CLASS_ACME;
	else if (strncmp(t->ct.type, "application/tlsrpt", 18) == 0 ||
	    header_get(&t->h, "TLS-Report-Domain", 0) != NULL)
		*c = CLASS_REPORT;
	else if (s.has_calendar)
		*c = CLASS_CALENDAR;
	else if (header_get(&t->h, "Resent-From", 0) != NULL)
		*c = CLASS_RESENT;
	else if (is_auto(t))
		*c = CLASS_AUTO;
	else if (field_has(t, "List-Id", "<") && !t->null_sender)
		*c = CLASS_LIST;
	return 0;
}
