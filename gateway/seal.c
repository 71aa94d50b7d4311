/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Outgoing mail of one group: canonical entity, signature, encryption, each
 * read back before it counts (S201); then the message gets the new entity.
 * The verdict sees edits only when all is ready.
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/gateway_int.h"
#include "gateway/protect.h"
#include "gateway/replies.h"
#include "smime/canon.h"
#include "smime/encrypt.h"
#include "smime/sign.h"

/* ---- putting an entity into the message ---- */

static int delete_mime_fields(struct txn *t, struct err *e)
{
	const struct header *h = &t->h;

	/* From the end: the highest index of each name comes first. */
	for (size_t i = h->n; i-- > 0;) {
		char name[1000];
		int nth = 0;

		if (!field_is_mime(&h->field[i]))
			continue;
		if (view_cstr(view_trim(h->field[i].name), name,
		    sizeof(name)) != 0)
			return err_set(e, FAIL_INPUT,
			    "RFC 5322 2.2: malformed field name");
		for (size_t k = 0; k <= i; k++)
			nth += view_ieq(h->field[k].name, h->field[i].name);
		if (verdict_delete(t->v, name, nth, e) != 0)
			return err_set(e, e->kind == FAIL_TEMP ? FAIL_TEMP
			    : FAIL_INPUT, "RFC 5322 2.2: malformed field "
			    "name");
	}
	return 0;
}

/* A field of the entity, its folds as LF. */
static int add_field(struct txn *t, const struct field *f, struct err *e)
{
	char name[1000];
	struct buf value;
	int rc = -1;

	buf_init(&value, CAP_HEADER_FIELD + 1);
	for (size_t i = 0; i < f->value.n; i++)
		if (f->value.p[i] != '\r')
			buf_putc(&value, f->value.p[i]);
	if (buf_ok(&value, e) != 0)
		goto out;
	if (view_cstr(view_trim(f->name), name, sizeof(name)) != 0 ||
	    strlen(buf_str(&value)) != value.n) {
		err_set(e, FAIL_INPUT, "RFC 5322 2.2: malformed MIME field");
		goto out;
	}
	rc = verdict_add(t->v, name, buf_str(&value), e);
	if (rc != 0 && e->kind == FAIL_BUG)
		e->kind = FAIL_INPUT; /* the message's own field */
out:
	buf_free(&value);
	return rc;
}

/* Only Content-* comes out of an entity, whatever else it has (S39). */
static int add_mime_fields(struct txn *t, const struct header *h,
    struct err *e)
{
	if (verdict_add(t->v, "MIME-Version", " 1.0", e) != 0)
		return -1;
	for (size_t i = 0; i < h->n; i++)
		if (view_istarts(h->field[i].name, "Content-") &&
		    add_field(t, &h->field[i], e) != 0)
			return -1;
	return 0;
}

uint64_t txn_size_after(const struct txn *t)
{
	const struct verdict *v = t->v;
	uint64_t n = v->body == NULL
				     ? (uint64_t)((int64_t)spool_size(t->msg) +
				       t->header_grown)
				     : spool_size(v->body) + t->h.text.n + 2;

	for (size_t i = 0; i < v->edits; i++) {
		const struct edit *x = &v->edit[i];
		const struct field *f;

		if (x->kind == EDIT_DELETE) {
			f = header_get(&t->h, x->name, (size_t)x->index - 1);
			n -= f == NULL ? 0 : f->whole.n;
			continue;
		}
		n += strlen(x->name) + strlen(x->value) + 3;
		for (const char *s = x->value; *s != '\0'; s++)
			n += *s == '\n'; /* a CR before it */
	}
	return n;
}

int install_entity(struct txn *t, struct spool **take_entity, struct err *e)
{
	struct spool *s = *take_entity;
	struct header h;
	int rc = -1;

	if (header_read(&h, s, 0, spool_size(s), e) != 0 ||
	    delete_mime_fields(t, e) != 0 || add_mime_fields(t, &h, e) != 0 ||
	    spool_drop(s, h.body_off, e) != 0)
		goto out;
	t->v->body = s;
	*take_entity = NULL;
	t->v->size_out = txn_size_after(t);
	rc = 0;
out:
	header_free(&h);
	return rc;
}

/* ---- making it ---- */

struct maker {
	struct txn *t;
	const struct plan *p;
	struct made *made;    /* by the group before, or now */
	struct spool *entity; /* what is made so far */
	struct canon_info info;
};

/* Refuse for what the message or its author's key is like; other faults
 * are ours. */
static int judge(struct maker *m, struct err *e)
{
	if (e->kind != FAIL_INPUT && e->kind != FAIL_LIMIT &&
	    e->kind != FAIL_POLICY)
		return -1;
	if (m->t->keys_denied)
		reply_set(m->t->v, REPLY_NOT_ALLOWED, m->t->from.text);
	else
		reply_from_err(m->t->v, e);
	err_clear(e);
	return 0;
}

static void replace(struct maker *m, struct spool **next)
{
	spool_free(&m->entity);
	m->entity = *next;
	*next = NULL;
}

static int make_canonical(struct maker *m, struct err *e)
{
	if (txn_spool(m->t, &m->entity, e) != 0 ||
	    spool_reserve(m->entity, SPOOL_RESERVE, e) != 0)
		return -1;
	if (canon_entity(m->t->msg, 0, spool_size(m->t->msg), m->entity,
	    &m->info, e) != 0)
		return judge(m, e);
	return 0;
}

static int make_protected(struct maker *m, struct err *e)
{
	if (protect_run(m->t, m->p, &m->entity, &m->info.is_7bit, e) != 0)
		return judge(m, e);
	return 0;
}

/* By the entity's own spool where it has room for what stands in front. */
static int write_signed(struct maker *m, const struct signer *who,
    struct err *e)
{
	struct txn *t = m->t;
	bool is_opaque = m->p->opaque || !m->info.is_7bit;
	struct spool *next = NULL;
	int rc;

	if (!is_opaque && spool_room(m->entity) >= SPOOL_RESERVE)
		return sign_in_place(m->entity, who, &t->keys, t->now, e);
	if (txn_spool(t, &next, e) != 0)
		return -1;
	rc = sign_entity(m->entity, who, &t->keys, is_opaque ? SIGN_OPAQUE
	    : SIGN_CLEAR, t->now, next, e);
	if (rc == 0)
		replace(m, &next);
	spool_free(&next);
	return rc;
}

static int make_signed(struct maker *m, struct err *e)
{
	const struct plan *p = m->p;
	const struct selection *signer = &p->all->signer;
	struct signer who = {0};

	who.cert = signer->cert;
	who.chain = (const struct cert *const *)signer->chain;
	who.chain_n = signer->chain_n;
	who.encryption_cert = p->all->encryption_cert;
	who.digest = p->writing.digest;
	who.pss = p->writing.pss;
	if (write_signed(m, &who, e) != 0)
		return judge(m, e);
	m->t->v->made_algorithm = writing_signature(p->alg);
	plan_describe(&m->t->v->made_by, who.cert);
	return sign_self_check(m->entity, &who, e);
}

static int make_encrypted(struct maker *m, const struct spool *inside,
    struct err *e)
{
	const struct plan *p = m->p;
	struct spool *next = NULL;
	int rc = -1;

	if (txn_spool(m->t, &next, e) != 0)
		return -1;
	if (encrypt_entity(inside, p->to, p->n, p->cipher, next, e) != 0)
		rc = judge(m, e);
	else if (encrypt_self_check(next, p->to, p->n, p->cipher, e) == 0) {
		replace(m, &next);
		rc = 0;
	}
	spool_free(&next);
	return rc;
}

/* ---- once for several groups ---- */

void made_init(struct made *m)
{
	memset(m, 0, sizeof(*m));
	verdict_init(&m->said);
}

void made_free(struct made *m)
{
	spool_free(&m->entity);
	verdict_free(&m->said);
	memset(m, 0, sizeof(*m));
}

static bool is_made(const struct made *m, const struct plan *p)
{
	return m->is_set && m->how.sign == p->sign &&
	    m->how.encrypt == p->encrypt && m->how.opaque == p->opaque &&
	    m->how.alg == p->alg && m->how.protect == p->protect;
}

/* Into the verdict of this group, what the one before has of it. */
static int say_again(struct maker *m, struct err *e)
{
	const struct verdict *said = &m->made->said;
	struct verdict *v = m->t->v;

	v->made_algorithm = said->made_algorithm;
	v->made_by = said->made_by;
	return verdict_copy_edits(v, said, 0, e);
}

/* What was made is kept for the groups that follow; edits: the first of those
 * that belong to it. */
static int keep(struct maker *m, size_t edits, struct err *e)
{
	struct made *made = m->made;
	const struct verdict *v = m->t->v;

	made_free(made);
	made_init(made);
	made->said.made_algorithm = v->made_algorithm;
	made->said.made_by = v->made_by;
	if (verdict_copy_edits(&made->said, v, edits, e) != 0)
		return -1;
	made->how = *m->p;
	made->how.to = NULL;
	made->how.who = NULL;
	made->entity = m->entity;
	m->entity = NULL;
	made->is_set = true;
	return 0;
}

static int make_inside(struct maker *m, struct err *e)
{
	const struct verdict *v = m->t->v;
	size_t edits = v->edits;

	if (make_canonical(m, e) != 0)
		return -1;
	if (v->code == 0 && make_protected(m, e) != 0)
		return -1;
	if (v->code == 0 && m->p->sign && make_signed(m, e) != 0)
		return -1;
	if (v->code != 0 || m->t->groups == 1)
		return 0;
	return keep(m, edits, e);
}

/* A copy of its own, where it is not encrypted into one. */
static int copy_inside(struct maker *m, struct err *e)
{
	const struct spool *s = m->made->entity;
	struct sink to;

	if (txn_spool(m->t, &m->entity, e) != 0)
		return -1;
	to = spool_sink(m->entity);
	return spool_copy(s, 0, spool_size(s), &to, e);
}

static int make_entity(struct maker *m, struct err *e)
{
	int rc;

	rc = is_made(m->made, m->p) ? say_again(m, e) : make_inside(m, e);
	if (rc != 0 || m->t->v->code != 0)
		return rc;
	if (m->p->encrypt)
		return make_encrypted(m, m->t->groups == 1 ? m->entity
		    : m->made->entity, e);
	return m->t->groups == 1 ? 0 : copy_inside(m, e);
}

/* ---- the whole of it ---- */

static void note_layers(struct maker *m)
{
	struct verdict *v = m->t->v;

	if (m->p->encrypt)
		buf_puts(&v->layers, "encrypted 1 -\n");
	if (m->p->sign)
		buf_puts(&v->layers, m->p->encrypt ? "signed 1/1 -\n"
						   : "signed 1 -\n");
}

static void set_outcomes(struct maker *m)
{
	struct verdict *v = m->t->v;
	enum outcome o = m->p->encrypt ? OUT_SEALED
	    : m->p->by_tls	       ? OUT_TLS_REQUIRED
	    : m->p->sign	       ? OUT_SIGNED
				       : OUT_PLAIN;

	for (size_t i = 0; i < v->rcpts; i++) {
		if (!txn_has(m->t, i))
			continue;
		v->rcpt[i].outcome = o == OUT_PLAIN &&
			(v->rcpt[i].wanted.pass || !plan_seals(m->t, i))
		    ? OUT_PASSED
		    : o;
	}
}

static int make(struct maker *m, struct err *e)
{
	struct verdict *v = m->t->v;

	if (make_entity(m, e) != 0)
		return -1;
	if (v->code != 0)
		return 0;
	/* Whom the blind copies go to is nobody's business (RFC 5322 3.6.3,
	 * 3.6.6). */
	if (txn_delete_all(m->t, "Bcc", e) != 0 ||
	    txn_delete_all(m->t, "Resent-Bcc", e) != 0)
		return -1;
	if (install_entity(m->t, &m->entity, e) != 0)
		return judge(m, e);
	if (v->size_out > m->t->g->config->max_message) {
		reply_set(v, REPLY_TOO_LARGE,
		    "after it was signed and encrypted");
		return 0;
	}
	note_layers(m);
	return 0;
}

/* What came encrypted is not quoted in clear, where so configured (S160). */
static int refuse_clear_answer(struct txn *t, struct err *e)
{
	bool is = false;

	if (!t->g->config->no_clear_answers ||
	    !txn_has_direction(t, DIR_OUTBOUND))
		return 0;
	if (replies_is_answer(t, &is, e) != 0)
		return -1;
	if (is)
		reply_set(t->v, REPLY_CLEAR_ANSWER, NULL);
	return 0;
}

int seal_run(struct txn *t, const struct plans *all, struct made *made,
    struct err *e)
{
	struct plan p;
	struct maker m = {t, &p, made, NULL, {0}};
	int rc = -1;

	if (plan_group(t, all, &p, e) != 0)
		goto out;
	rc = 0;
	if (!p.encrypt && t->v->class != CLASS_ENCRYPTED) {
		rc = refuse_clear_answer(t, e);
		if (rc != 0 || t->v->code != 0)
			goto out;
	}
	set_outcomes(&m);
	if (p.sign || p.encrypt)
		rc = make(&m, e);
	else if (t->v->class == CLASS_ENCRYPTED)
		txn_warn(t, "encrypted already: left as it is");
	else
		rc = returned_strip(t, e);
out:
	spool_free(&m.entity);
	plan_free(&p);
	return rc;
}
