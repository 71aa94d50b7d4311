/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What was found about signatures, one finding for each, and what of it goes
 * into the verdict and into Authentication-Results.
 */
#include <string.h>

#include "gateway/author.h"
#include "gateway/opening.h"

/* ---- the list ---- */

void finding_note(struct opening *o, struct verification **take_ver,
    const char *part, bool is_clear)
{
	struct finding *f = &o->finding[o->findings];

	if (o->findings == OPEN_FINDINGS) {
		verification_free(take_ver);
		return;
	}
	f->ver = *take_ver;
	*take_ver = NULL;
	f->layer = o->n - 1;
	f->is_clear = is_clear;
	text_set(f->part, sizeof(f->part), part);
	if (part[0] == '\0' && layer_top(o)->kind == NULL)
		layer_top(o)->kind = "signed";
	o->findings++;
}

int finding_plain(struct opening *o, enum sig_result result, int step,
    const char *reason, struct err *e)
{
	struct verification *ver = NULL;

	if (verification_new(&ver, result, step, reason, e) != 0)
		return -1;
	finding_note(o, &ver, "", false);
	if (o->findings > 0)
		o->finding[o->findings - 1].is_plain = true;
	return 0;
}

void findings_drop(struct opening *o, int layer)
{
	int k = 0;

	for (int i = 0; i < o->findings; i++) {
		if (o->finding[i].layer >= layer)
			verification_free(&o->finding[i].ver);
		else
			o->finding[k++] = o->finding[i];
	}
	o->findings = k;
}

void findings_free(struct opening *o)
{
	findings_drop(o, 0);
}

/* The empty signature (RFC 3183 3) around what another one signs. */
static bool is_empty(const struct finding *f)
{
	return f->ver->result == SIG_NONE && f->ver->step == 66;
}

struct finding *finding_that_counts(struct opening *o)
{
	struct finding *best = NULL;

	for (int i = 0; i < o->findings; i++) {
		struct finding *f = &o->finding[i];

		if (f->part[0] != '\0' || (best != NULL && is_empty(f) &&
		    !is_empty(best)))
			continue;
		if (best == NULL || f->layer >= best->layer)
			best = f;
	}
	return best;
}

/* ---- what one layer means for another ---- */

void finding_demote(struct verification *ver, enum sig_result r, int step,
    const char *reason)
{
	if (ver->result != SIG_PASS)
		return;
	ver->result = r;
	ver->step = step;
	text_set(ver->reason, sizeof(ver->reason), reason);
}

void findings_settle(struct opening *o)
{
	const struct finding *counts = finding_that_counts(o);

	for (int i = 0; i < o->findings; i++) {
		struct finding *f = &o->finding[i];

		/* A signature outside of the encryption says nothing about
		 * who wrote what is inside (A11). */
		if (o->sealed >= f->layer)
			finding_demote(f->ver, SIG_POLICY, 65,
			    "the signature covers ciphertext, not what its "
			    "author wrote");
		else if (f != counts)
			finding_demote(f->ver, SIG_NEUTRAL, 75,
			    "another signature counts for the message, the "
			    "innermost one");
	}
}

/* ---- the report ---- */

/* Fixed words for Authentication-Results: nothing out of a certificate. */
static const char *comment_of(enum sig_result r, int step)
{
	switch (step) {
	case 62:
		return "malformed message";
	case 63:
		return "signature cannot be read";
	case 64:
		return "content where none may be, or none";
	case 65:
		return "not a signature on mail content";
	case 66:
		return "nobody signed";
	case 67:
	case 112:
		return "signed attributes are missing or wrong";
	case 68:
		return "algorithm or key not acceptable";
	case 69:
		return "certificate of the signer is missing or wrong";
	case 70:
		return "signature does not verify";
	case 71:
		return "certificate is not for signing mail";
	case 72:
		return "certificate is not trusted";
	case 73:
		return r == SIG_FAIL ? "certificate is revoked"
				     : "whether it is revoked is not known";
	case 74:
		return "signer does not match From";
	case 75:
		return "signed part is not the whole message";
	case 76:
		return "one of several signatures fails";
	default:
		return "";
	}
}

/* The signer's address that is his, or the first one. */
static const char *signer_name(const struct opening *o,
    const struct signer_finding *f)
{
	const struct cert *c = f->cert;
	char key[2][sizeof(o->t->from.text)];

	if (c == NULL || cert_addresses(c) == 0)
		return NULL;
	if (f->from_match)
		addr_key(&o->t->from, key[0]);
	for (size_t i = 0; f->from_match && i < cert_addresses(c); i++) {
		addr_key(cert_address(c, i), key[1]);
		if (strcmp(key[0], key[1]) == 0)
			return cert_address(c, i)->text;
	}
	return cert_address(c, 0)->text;
}

static void report_signer(struct opening *o, const struct signer_finding *f)
{
	struct verdict *v = o->t->v;
	const char *name = signer_name(o, f);

	text_set(v->sig_algorithm, sizeof(v->sig_algorithm), f->algorithm);
	v->sig_from_match = f->from_match;
	v->sig_revocation = f->revocation;
	text_set(v->sig_domain, sizeof(v->sig_domain), f->for_domain);
	if (name != NULL)
		text_set(v->sig_signer, sizeof(v->sig_signer), name);
}

/* Where it is in the message as delivered; of a layer that is not there any
 * more, which one it was (S174). */
static void part_of(const struct opening *o, const struct finding *f,
    char *dst, size_t size)
{
	if (f->is_plain)
		dst[0] = '\0';
	else if (f->part[0] != '\0')
		text_set(dst, size, f->part);
	else if (f->is_clear && f->layer == o->deliver)
		text_set(dst, size, "2");
	else
		layer_path(f->layer, dst, size);
}

static void report_step(struct verdict *v, int step)
{
	struct buf b;

	if (step <= 0)
		return;
	buf_init(&b, sizeof(v->sig_step) - 1);
	buf_printf(&b, "S%d", step);
	text_set(v->sig_step, sizeof(v->sig_step), buf_str(&b));
	buf_free(&b);
}

static const char *result_in(const struct opening *o, int layer)
{
	for (int i = 0; i < o->findings; i++)
		if (o->finding[i].layer == layer &&
		    o->finding[i].part[0] == '\0')
			return sig_result_str(o->finding[i].ver->result);
	return "-";
}

/* "kind part result" lines, outermost first. */
static void report_layers(const struct opening *o)
{
	struct buf *b = &o->t->v->layers;
	char path[64];

	for (int i = 0; i < o->n; i++) {
		if (o->layer[i].kind == NULL)
			continue;
		layer_path(i, path, sizeof(path));
		buf_printf(b, "%s %s %s\n", o->layer[i].kind, path,
		    result_in(o, i));
	}
	for (int i = 0; i < o->findings; i++)
		if (o->finding[i].part[0] != '\0')
			buf_printf(b, "signed %s %s\n", o->finding[i].part,
			    sig_result_str(o->finding[i].ver->result));
}

/* At the root, or else the first one below it; NULL: none. */
static const struct finding *finding_to_report(struct opening *o)
{
	const struct finding *f = finding_that_counts(o);

	return f == NULL && o->findings > 0 ? &o->finding[0] : f;
}

void findings_report(struct opening *o)
{
	const struct finding *f = finding_to_report(o);
	const struct verification *ver;
	struct verdict *v = o->t->v;

	report_layers(o);
	if (f == NULL)
		return;
	ver = f->ver;
	v->sig_result = sig_result_str(ver->result);
	part_of(o, f, v->sig_part, sizeof(v->sig_part));
	if (ver->best >= 0) {
		report_signer(o, &ver->signer[ver->best]);
		if (ver->result == SIG_PASS)
			text_set(v->sig_chain, sizeof(v->sig_chain),
			    ver->signer[ver->best].anchor);
	}
	report_step(v, ver->step);
	text_set(v->sig_reason, sizeof(v->sig_reason), ver->reason);
	if (ver->comment[0] != '\0')
		txn_warn(o->t, "%s", ver->comment);
}

/* ---- Authentication-Results ---- */

static void add_remark(char *dst, size_t size, const char *s)
{
	size_t n = strlen(dst);

	if (s[0] == '\0')
		return;
	if (n != 0 && n + 2 < size) {
		text_set(dst + n, size - n, "; ");
		n = strlen(dst);
	}
	text_set(dst + n, size - n, s);
}

void findings_remark(struct opening *o, const char *s)
{
	add_remark(o->comment, sizeof(o->comment), s);
}

static void make_result(const struct opening *o, const struct finding *f,
    struct ar_result *r)
{
	const struct verification *ver = f->ver;

	r->result = sig_result_str(ver->result);
	text_set(r->comment, sizeof(r->comment), ver->result == SIG_PASS
	    ? ver->comment
	    : comment_of(ver->result, ver->step));
	/* a name only where it is proven (S179) */
	if (ver->result == SIG_PASS && ver->best >= 0)
		r->signer = author_proven(o->t, &ver->signer[ver->best]);
	part_of(o, f, r->part, sizeof(r->part));
}

static void say_encryption(struct opening *o)
{
	const struct verdict *v = o->t->v;

	if (o->is_decrypted)
		findings_remark(o, v->dec_authenticated ||
		    strcmp(v->sig_result, "pass") == 0
		    ? "was encrypted"
		    : "was encrypted, without integrity protection");
	else if (o->has_failed)
		findings_remark(o, "encrypted, could not be opened here");
}

int findings_insert(struct opening *o, struct err *e)
{
	struct ar_result r[OPEN_FINDINGS + 1] = {{0}};
	const struct finding *first = finding_to_report(o);
	size_t n = 0;

	say_encryption(o);
	if (first == NULL && o->comment[0] == '\0')
		return 0;
	/* The message's own result first; it has the remarks. */
	if (first != NULL)
		make_result(o, first, &r[0]);
	else if (o->may_verify)
		r[0].result = "none";
	add_remark(r[0].comment, sizeof(r[0].comment), o->comment);
	n++;
	for (int i = 0; i < o->findings; i++)
		if (&o->finding[i] != first)
			make_result(o, &o->finding[i], &r[n++]);
	return ar_insert(o->t, r, n, e);
}
