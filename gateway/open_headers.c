/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Protected header fields (RFC 9788) of what is delivered, as edits of the
 * message's header. Which fields those are, smime/hp.h says; here is where
 * the payload is, and whose signature covers it.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/opening.h"
#include "smime/hp.h"

/* The entity within all layers: the delivered layer itself, or what is
 * signed in it. */
struct payload {
	const struct header *h;
	const struct ctype *ct;
	struct header own_h; /* of a signed part */
	struct ctype own_ct;
};

static void payload_free(struct payload *p)
{
	ctype_free(&p->own_ct);
	header_free(&p->own_h);
}

/* 1: it is an ordinary entity; 0: another layer, or nothing sound. */
static int read_signed_part(struct payload *p, const struct layer *l,
    struct err *e)
{
	struct shape sh;

	p->h = &p->own_h;
	p->ct = &p->own_ct;
	if (header_read(&p->own_h, l->s, l->sh.part, l->sh.part_end, e) != 0 ||
	    ctype_read(&p->own_ct, &p->own_h, e) != 0 ||
	    shape_read(&sh, l->s, &p->own_h, &p->own_ct, l->sh.part_end,
	    e) != 0) {
		if (err_is_ours(e))
			return -1;
		err_clear(e);
		return 0;
	}
	return sh.kind == SHAPE_PLAIN;
}

/*
 * Only what layers from the root on enclose is a payload (S161), and only
 * when none is left. What is sealed for storage keeps inside what was
 * inside.
 */
static int find_payload(const struct opening *o, struct payload *p,
    struct err *e)
{
	const struct layer *l = &o->layer[o->deliver];

	if (l->sh.kind == SHAPE_CLEAR_SIGNED &&
	    (o->deliver > 0 || !store_wanted(o->t)))
		return read_signed_part(p, l, e);
	p->h = &l->h;
	p->ct = &l->ct;
	return o->deliver > 0 && l->sh.kind == SHAPE_PLAIN;
}

/* ---- whose signature ---- */

/* The signature at the root that counts, if it covers the payload. */
static struct verification *covering(struct opening *o)
{
	struct finding *f = finding_that_counts(o);

	if (f == NULL || f->layer <= o->sealed || f->layer > o->deliver ||
	    f->ver->best < 0)
		return NULL;
	return f->ver;
}

static bool lacks_author_only(const struct verification *ver)
{
	return ver->result == SIG_POLICY && ver->step == 74;
}

/*
 * An address of the valid signature's certificate, the inner author's if it
 * has that one. A signature that fails on nothing but From is as valid, if
 * From inside is the signer's (RFC 9788 4.4): a list changed it outside.
 */
static bool find_signer(const struct verification *ver,
    const struct header *inner, struct addr *signer)
{
	const struct cert *c = ver == NULL ? NULL
					   : ver->signer[ver->best].cert;
	struct addr author;

	if (c == NULL ||
	    (ver->result != SIG_PASS && !lacks_author_only(ver)))
		return false;
	if (hp_author(inner, &author) &&
	    cert_has_address(c, &author, ADDR_FOLD_LOCAL)) {
		*signer = author;
		return true;
	}
	if (ver->result != SIG_PASS || cert_addresses(c) == 0)
		return false;
	*signer = *cert_address(c, 0);
	return true;
}

/* Step 13 once more, of the signers who got that far. */
static void judge_author(struct opening *o, struct verification *ver)
{
	for (size_t i = 0; i < ver->signers; i++) {
		struct signer_finding *f = &ver->signer[i];

		if (f->cert == NULL || (f->result != SIG_PASS &&
		    (f->result != SIG_POLICY || f->step != 74)))
			continue;
		f->result = SIG_PASS;
		f->step = 0;
		f->reason[0] = '\0';
		f->from_match = false;
		f->for_domain[0] = '\0';
		f->remark[0] = '\0';
		open_author(o->t, ver, f);
	}
	verify_conclude(ver, true, o->t->now);
}

/* From inside becomes the author whom the signature is judged for: it is
 * the one that is delivered. False: then it is not valid, all as before. */
static bool claim_author(struct opening *o, struct verification *ver,
    const struct addr *author)
{
	struct txn *t = o->t;
	struct addr before = t->from;
	bool had = t->has_from;

	t->from = *author;
	t->has_from = true;
	judge_author(o, ver);
	if (ver->result == SIG_PASS && (!txn_wants_revocation(t, author) ||
	    strcmp(ver->signer[ver->best].revocation == NULL ? ""
	    : ver->signer[ver->best].revocation, "good") == 0))
		return true;
	t->from = before;
	t->has_from = had;
	judge_author(o, ver);
	return false;
}

/* ---- the edits ---- */

static int edit_header(struct opening *o, const struct hp *hp, struct err *e)
{
	struct txn *t = o->t;

	for (size_t i = 0; i < hp->n; i++) {
		const struct hp_field *f = &hp->field[i];
		bool is_first = i == 0 || f->name != hp->field[i - 1].name;

		if (is_first && txn_delete_all(t, f->name, e) != 0)
			return -1;
		if (verdict_add(t->v, f->name, f->value, e) != 0)
			return -1;
		if (is_first)
			buf_printf(&t->v->restored, "%s\n", f->name);
	}
	/* notes of the author's program for readers with a key */
	if (hp->mode != HP_NONE && o->deliver > 0)
		return txn_delete_all(t, "HP-Outer", e);
	return 0;
}

static void say_remarks(struct opening *o, const struct hp *hp)
{
	struct view all = buf_view(&hp->remarks);
	size_t n;

	while ((n = view_chr(all, '\n', 0)) != (size_t)-1) {
		txn_warn(o->t, "%.*s", (int)n, (const char *)all.p);
		all = view_sub(all, n + 1, all.n);
	}
	if (hp->is_author_out)
		findings_remark(o, "From inside differs");
	if (hp->is_for_others)
		findings_remark(o, "not addressed to this recipient inside");
}

/* The recipients as To and Cc would name them. */
static int list_recipients(const struct txn *t, struct addr **out, size_t *n,
    struct err *e)
{
	struct addr *a = calloc(t->v->rcpts + 1, sizeof(*a));

	if (a == NULL)
		return err_set(e, FAIL_TEMP, "header protection: out of "
		    "memory");
	*n = 0;
	for (size_t i = 0; i < t->v->rcpts; i++)
		if (txn_has(t, i))
			txn_mailbox(t, i, &a[(*n)++]);
	*out = a;
	return 0;
}

static int read_fields(struct opening *o, struct hp_input *in, struct hp *hp,
    struct err *e)
{
	struct verification *ver = covering(o);
	struct addr signer;

	if (find_signer(ver, in->inner, &signer))
		in->signer = &signer;
	if (hp_read(hp, in, e) != 0)
		return -1;
	if (in->signer == NULL)
		return 0;
	in->signer = NULL;
	if (hp->has_author ? claim_author(o, ver, &signer)
			   : ver->result == SIG_PASS)
		return 0;
	hp_free(hp);
	return hp_read(hp, in, e);
}

static int restore(struct opening *o, const struct payload *p, struct err *e)
{
	struct hp_input in = {.inner = p->h, .ct = p->ct};
	struct addr *rcpt = NULL;
	struct hp hp = {0};
	int rc = -1;

	in.outer = &o->t->h;
	in.is_encrypted = o->is_decrypted;
	if (list_recipients(o->t, &rcpt, &in.rcpts, e) != 0)
		return -1;
	in.rcpt = rcpt;
	if (read_fields(o, &in, &hp, e) == 0 && edit_header(o, &hp, e) == 0) {
		say_remarks(o, &hp);
		rc = 0;
	}
	hp_free(&hp);
	free(rcpt);
	return rc;
}

/* ---- for whom it is ---- */

static int append(struct addr_list *to, const struct addr_list *more,
    struct err *e)
{
	struct addr *a;

	if (more->n == 0)
		return 0;
	a = reallocarray(to->a, to->n + more->n, sizeof(*a));
	if (a == NULL)
		return err_set(e, FAIL_TEMP, "header protection: out of "
		    "memory");
	memcpy(&a[to->n], more->a, more->n * sizeof(*a));
	to->a = a;
	to->n += more->n;
	return 0;
}

/* More than one field of a name is no sound message, and names nobody. */
static int collect(const struct header *h, const char *name,
    struct addr_list *out, struct err *e)
{
	struct addr_list some;
	int rc;

	if (header_count(h, name) != 1)
		return 0;
	rc = addr_list_collect(&some, header_get(h, name, 0)->value, e);
	if (rc == 0)
		rc = append(out, &some, e);
	addr_list_free(&some);
	return rc;
}

int open_named(struct opening *o, struct addr_list *out, struct err *e)
{
	struct payload p = {0};
	struct addr signer;
	int rc;

	rc = find_payload(o, &p, e);
	/* without the word the fields inside are of another message that is
	 * forwarded, or say nothing at all (RFC 9788 2.1.1) */
	if (rc == 1 && ctype_param(p.ct, "hp") != NULL &&
	    find_signer(covering(o), p.h, &signer)) {
		rc = collect(p.h, "To", out, e);
		if (rc == 0)
			rc = collect(p.h, "Cc", out, e);
	}
	payload_free(&p);
	return rc < 0 ? -1 : 0;
}

int open_headers(struct opening *o, struct err *e)
{
	struct payload p = {0};
	int rc;

	rc = find_payload(o, &p, e);
	if (rc == 1)
		rc = restore(o, &p, e);
	payload_free(&p);
	return rc;
}
