/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Signatures of incoming mail: steps 1 to 10 are smime/verify.h's, here are
 * the path (S72), the author (S74), and what of it all goes into the
 * verdict.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"
#include "smime/verify.h"

static struct cert *find_cert(void *ctx, bool by_ski, struct view id)
{
	struct cert *c = NULL;

	if (keystore_find_cert(ctx, by_ski, id, &c, NULL) != 0)
		return NULL;
	return c;
}

static int parse_cert(void *ctx, struct cert **out, struct view der,
    struct err *e)
{
	return keystore_parse_cert(ctx, der, out, e);
}

static struct verify_policy make_policy(const struct txn *t)
{
	struct verify_policy p = {0};

	p.now = t->now;
	p.min_rsa_bits = t->g->config->min_rsa_bits;
	p.find = find_cert;
	p.parse = parse_cert;
	p.find_ctx = t->g->ks;
	return p;
}

static void fail(struct signer_finding *f, enum sig_result r, int step,
    const char *reason)
{
	f->result = r;
	f->step = step;
	text_set(f->reason, sizeof(f->reason), reason);
}

/* Step 11. FAIL_TEMP of the store is a temperror of the signature. */
static void check_path(struct txn *t, const struct verification *ver,
    struct signer_finding *f)
{
	struct path p = {0};
	struct err e = {0};

	if (keystore_path(t->g->ks, f->cert, ver->cert, ver->certs, t->now, &p,
	    &e) != 0)
		fail(f, SIG_TEMPERROR, 72, e.msg);
	else if (!p.ok)
		fail(f, SIG_POLICY, 72, p.reason);
	else
		text_set(t->v->sig_chain, sizeof(t->v->sig_chain), p.anchor);
	path_free(&p);
}

/* Step 13: the author is one of the certificate's addresses (S79). Two
 * From fields have no author at all (A23). */
static void check_author(const struct txn *t, struct signer_finding *f)
{
	if (t->from_fields != 1)
		fail(f, SIG_PERMERROR, 62, t->from_fields == 0
		    ? "RFC 5322 3.6: the message has no From"
		    : "RFC 5322 3.6: the message has more than one From");
	else if (!t->has_from)
		fail(f, SIG_POLICY, 74, "From does not name exactly one "
		    "mailbox that can be read strictly");
	else
		f->from_match = cert_has_address(f->cert, &t->from,
		    ADDR_FOLD_LOCAL);
}

static void judge(struct opening *o, struct verification *ver)
{
	for (size_t i = 0; i < ver->signers; i++) {
		struct signer_finding *f = &ver->signer[i];

		if (f->result == SIG_PASS && f->cert != NULL)
			check_path(o->t, ver, f);
		if (f->result == SIG_PASS && f->cert != NULL)
			check_author(o->t, f);
	}
	verify_conclude(ver, true, o->t->now);
}

/* This signature counts now; one that was outside of it does not. */
static void keep(struct opening *o, struct verification **take_ver,
    const char *part)
{
	verification_free(&o->ver);
	o->ver = *take_ver;
	*take_ver = NULL;
	o->ver_outside = !o->is_decrypted;
	text_set(o->t->v->sig_part, sizeof(o->t->v->sig_part), part);
	buf_printf(&o->t->v->layers, "signed %s\n", o->part);
}

int open_result(struct opening *o, int result, int step, const char *reason,
    struct err *e)
{
	struct verification *ver = NULL;

	if (verification_new(&ver, (enum sig_result)result, step, reason,
	    e) != 0)
		return -1;
	keep(o, &ver, "");
	return 0;
}

/* cms_read's faults are results of step 2 (S63). */
static int unreadable(struct opening *o, struct err *e)
{
	struct err why = *e;

	if (e->kind == FAIL_TEMP || e->kind == FAIL_BUG)
		return -1;
	err_clear(e);
	return open_result(o, SIG_NEUTRAL, 63, why.msg, e);
}

/* A signature over ciphertext says nothing about who wrote it (A11). */
static int covers_ciphertext(const struct layer *l, bool *covers,
    struct err *e)
{
	struct header h;
	struct ctype ct = {0};
	struct shape sh;
	int rc = -1;

	*covers = false;
	if (header_read(&h, l->s, l->sh.part, l->sh.part_end, e) != 0 ||
	    ctype_read(&ct, &h, e) != 0 ||
	    shape_read(&sh, l->s, &h, &ct, l->sh.part_end, e) != 0)
		goto out;
	*covers = sh.kind == SHAPE_PKCS7 &&
	    strcmp(sh.smime_type, "signed-data") != 0;
	rc = 0;
out:
	ctype_free(&ct);
	header_free(&h);
	if (rc != 0 && e->kind == FAIL_LIMIT) {
		err_clear(e);
		rc = 0;
	}
	return rc;
}

static void demote(struct verification *ver)
{
	if (ver->result != SIG_PASS)
		return;
	ver->result = SIG_POLICY;
	ver->step = 65;
	text_set(ver->reason, sizeof(ver->reason),
	    "the signature covers ciphertext, not what its author wrote");
}

/*
 * Text before the first delimiter or after the last one is not signed, and
 * stays without effect on the result (S75): no MIME reader shows it, openssl
 * and others write a preamble of their own ("This is an S/MIME signed
 * message"), lists append an epilogue.
 */
int open_clear(struct opening *o, struct err *e)
{
	struct layer *l = &o->layer;
	struct verify_policy p = make_policy(o->t);
	struct verification *ver = NULL;
	struct cms *c = NULL;
	bool covers;
	int rc = -1;

	if (layer_cms(l, &c, e) != 0)
		return unreadable(o, e);
	if (cms_type(c) != CMS_SIGNED) {
		rc = open_result(o, SIG_PERMERROR, 63,
		    "RFC 8551 3.5.3: the signature part is no SignedData", e);
		goto out;
	}
	if (verify_detached(c, l->s, l->sh.part, l->sh.part_end, &p, &ver,
	    e) != 0 || covers_ciphertext(l, &covers, e) != 0)
		goto out;
	judge(o, ver);
	if (covers)
		demote(ver);
	/* the part's number in the message as delivered (S174) */
	keep(o, &ver, "2");
	rc = 0;
out:
	verification_free(&ver);
	cms_free(&c);
	return rc;
}

/* May the content stand in for the signed object? Not when it is not what
 * was signed, nor when nobody can say. */
static bool is_releasable(const struct verification *ver)
{
	return ver->result == SIG_PASS || ver->result == SIG_POLICY;
}

int open_opaque(struct opening *o, const struct cms *c, struct err *e)
{
	struct verify_policy p = make_policy(o->t);
	struct verification *ver = NULL;
	struct spool *inside = NULL;
	bool release;
	int rc = -1;

	if (cms_signers(c) == 0 && !cms_has_content(c))
		return 0; /* certs-only: nothing is signed */
	if (txn_spool(o->t, &inside, e) != 0)
		return -1;
	if (verify_opaque(c, &p, inside, &ver, e) != 0)
		goto out;
	judge(o, ver);
	release = is_releasable(ver) && o->may_unwrap;
	keep(o, &ver, o->part);
	rc = 0;
	if (!release)
		goto out;
	rc = layer_enter(o, &inside, e);
	if (rc == 0) {
		rc = 1;
	} else if (e->kind == FAIL_INPUT || e->kind == FAIL_LIMIT) {
		err_clear(e); /* no entity: stays as it arrived */
		rc = 0;
	}
out:
	verification_free(&ver);
	spool_free(&inside);
	return rc;
}

/* ---- the report ---- */

/* Fixed words for Authentication-Results: nothing out of a certificate. */
static const char *comment_of(int step)
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
		return "certificate is revoked";
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

static void report_signer(struct txn *t, const struct signer_finding *f)
{
	struct verdict *v = t->v;
	const struct cert *c = f->cert;

	text_set(v->sig_algorithm, sizeof(v->sig_algorithm), f->algorithm);
	v->sig_from_match = f->from_match;
	for (size_t i = 0; c != NULL && i < cert_addresses(c); i++) {
		const struct addr *a = cert_address(c, i);
		char key[2][sizeof(a->text)];

		if (i == 0)
			text_set(v->sig_signer, sizeof(v->sig_signer),
			    a->text);
		if (!f->from_match)
			break;
		addr_key(a, key[0]);
		addr_key(&t->from, key[1]);
		if (strcmp(key[0], key[1]) == 0)
			text_set(v->sig_signer, sizeof(v->sig_signer),
			    a->text);
	}
}

void open_report(struct opening *o)
{
	const struct verification *ver = o->ver;
	struct verdict *v = o->t->v;
	static const char digits[] = "0123456789";

	if (ver == NULL)
		return;
	v->sig_result = sig_result_str(ver->result);
	if (ver->best >= 0)
		report_signer(o->t, &ver->signer[ver->best]);
	if (ver->result != SIG_PASS)
		v->sig_chain[0] = '\0';
	if (ver->step > 0 && ver->step < 100) {
		v->sig_step[0] = 'S';
		v->sig_step[1] = digits[ver->step / 10];
		v->sig_step[2] = digits[ver->step % 10];
		v->sig_step[3] = '\0';
	}
	text_set(v->sig_reason, sizeof(v->sig_reason), ver->reason);
	if (ver->comment[0] != '\0')
		txn_warn(o->t, "%s", ver->comment);
	text_set(o->comment, sizeof(o->comment), ver->result == SIG_PASS
	    ? ver->comment
	    : comment_of(ver->step));
}
