/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The fixed procedure of verification, steps 2 to 10: which step failed is
 * part of the result, and a step never runs when one before it failed. Path,
 * revocation and the author's address are not known here.
 */
#include "smime/verify.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "smime/verify_int.h"
#include "util/ossl.h"

const char *sig_result_str(enum sig_result r)
{
	static const char *const names[] = {
		[SIG_NONE] = "none",
		[SIG_PASS] = "pass",
		[SIG_FAIL] = "fail",
		[SIG_POLICY] = "policy",
		[SIG_NEUTRAL] = "neutral",
		[SIG_TEMPERROR] = "temperror",
		[SIG_PERMERROR] = "permerror",
	};

	return (size_t)r < ARRAY_LEN(names) ? names[r] : "unknown";
}

int finding_fail(struct signer_finding *f, enum sig_result r, int step,
    const char *reason)
{
	f->result = r;
	f->step = step;
	text_set(f->reason, sizeof(f->reason), reason);
	return -1;
}

int verification_new(struct verification **out, enum sig_result r, int step,
    const char *reason, struct err *e)
{
	struct verification *v = calloc(1, sizeof(*v));

	*out = NULL;
	if (v == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	v->result = r;
	v->step = step;
	v->best = -1;
	text_set(v->reason, sizeof(v->reason), reason);
	*out = v;
	return 0;
}

void verification_free(struct verification **v)
{
	if (*v == NULL)
		return;
	for (size_t i = 0; i < (*v)->signers; i++)
		cert_free(&(*v)->signer[i].cert);
	for (size_t i = 0; i < (*v)->certs; i++)
		cert_free(&(*v)->cert[i]);
	free((*v)->signer);
	free((*v)->cert);
	free(*v);
	*v = NULL;
}

/* One run over one object. */
struct run {
	const struct cms *c;
	const struct verify_policy *p;
	struct verification *v;
	struct digests d;
};

static int parse_cert(const struct run *x, struct cert **out, struct view der,
    struct err *e)
{
	if (x->p->parse != NULL)
		return x->p->parse(x->p->find_ctx, out, der, e);
	return cert_parse(out, der, e);
}

/* Certificates of the message. One that does not parse is as good as not
 * there. */
static int take_certs(struct run *x, struct err *e)
{
	struct view in = x->c->certs;
	struct verification *v = x->v;
	struct err why;
	struct der d;

	v->cert = calloc(CAP_CMS_CERTS, sizeof(struct cert *));
	if (v->cert == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	while (v->certs < CAP_CMS_CERTS && in.n > 0) {
		if (der_next(&in, &d) == -1)
			break;
		if (d.tag != DER_SEQUENCE) /* attribute certificates */
			continue;
		if (parse_cert(x, &v->cert[v->certs], d.whole, &why) == 0)
			v->certs++;
		else if (why.kind == FAIL_TEMP)
			return err_set(e, FAIL_TEMP, "%s", why.msg);
	}
	return 0;
}

/* Steps 2 to 5, S63 to S66: what concerns the whole object. */
static int check_object(struct run *x, bool detached)
{
	struct signer_finding f = { .result = SIG_PASS };
	const struct cms *c = x->c;

	if (c->type != CMS_SIGNED)
		finding_fail(&f, SIG_NEUTRAL, 63, "not a SignedData object "
		    "(RFC 5652 5)");
	else if (detached && c->has_content)
		finding_fail(&f, SIG_PERMERROR, 64, "detached signature has "
		    "content of its own (RFC 8551 3.5.3.1)");
	else if (!detached && !c->has_content)
		finding_fail(&f, SIG_PERMERROR, 64, "opaque signature without "
		    "content (RFC 8551 3.5.2)");
	else if (oid_find(c->econtent_type) != OID_DATA)
		finding_fail(&f, SIG_POLICY, 65, "signed content is not "
		    "id-data (RFC 8551 2.4.2)");
	else if (c->signers == 0)
		finding_fail(&f, SIG_NONE, 66, "no signer (RFC 5652 5.1)");
	else
		return 0;
	x->v->result = f.result;
	x->v->step = f.step;
	text_set(x->v->reason, sizeof(x->v->reason), f.reason);
	return -1;
}

/* Candidates for one signer's certificate; each is one more owner. */
struct candidates {
	struct cert *cert[CAP_CMS_CANDIDATES];
	size_t n;
	bool is_asked; /* outside of the message, too */
};

static void free_candidates(struct candidates *cand)
{
	for (size_t i = 0; i < cand->n; i++)
		cert_free(&cand->cert[i]);
	cand->n = 0;
}

/* Same issuer and serial number, but another encoding of the name? */
static bool same_name(struct view ias, const struct cert *c)
{
	struct view own = cert_ias(c);
	struct der a, b, name_a, name_b;
	const unsigned char *p;
	X509_NAME *x = NULL;
	bool same = false;

	if (der_get(&ias, DER_SEQUENCE, &a) == -1 ||
	    der_get(&own, DER_SEQUENCE, &b) == -1 ||
	    der_get(&a.val, DER_SEQUENCE, &name_a) == -1 ||
	    der_get(&b.val, DER_SEQUENCE, &name_b) == -1 ||
	    !view_eq(a.val, b.val)) /* serial numbers */
		return false;
	p = name_a.whole.p;
	x = d2i_X509_NAME(NULL, &p, (long)name_a.whole.n);
	if (x != NULL && p == name_a.whole.p + name_a.whole.n)
		same = X509_NAME_cmp(x,
		    X509_get_issuer_name(cert_x509(c))) == 0;
	X509_NAME_free(x);
	ossl_clear();
	return same;
}

static void ask_outside(const struct run *x, const struct cms_signer *s,
    struct candidates *cand)
{
	struct cert *c = NULL;

	if (x->p->find != NULL)
		c = x->p->find(x->p->find_ctx, s->by_ski, s->id);
	if (c != NULL)
		cand->cert[cand->n++] = c;
	cand->is_asked = true;
}

/* Who made more than a few of one name meant us to look at them all (A57). */
static void add_candidate(struct candidates *cand, struct cert *c)
{
	if (cand->n < CAP_CMS_CANDIDATES)
		cand->cert[cand->n++] = cert_ref(c);
}

static void find_candidates(struct run *x, const struct cms_signer *s,
    struct candidates *cand)
{
	struct verification *v = x->v;

	cand->n = 0;
	for (size_t i = 0; i < v->certs; i++)
		if (view_eq(s->id, s->by_ski ? cert_ski(v->cert[i]) :
		    cert_ias(v->cert[i])))
			add_candidate(cand, v->cert[i]);
	for (size_t i = 0; cand->n == 0 && !s->by_ski && i < v->certs; i++)
		if (same_name(s->id, v->cert[i]))
			add_candidate(cand, v->cert[i]);
	if (cand->n == 0)
		ask_outside(x, s, cand);
}

/* Step 8, S69: keep those that the signer named by hash. */
static int select_by_ess(const struct attrs *a, struct candidates *cand,
    struct signer_finding *f)
{
	size_t k = 0;

	if (cand->n == 0)
		return finding_fail(f, SIG_PERMERROR, 69, "signer's "
		    "certificate is not in the message and not known (RFC "
		    "5652 5.3)");
	f->cert = cert_ref(cand->cert[0]); /* for the report */
	for (size_t i = 0; i < cand->n; i++) {
		if (ess_selects(a, cand->cert[i]))
			cand->cert[k++] = cand->cert[i];
		else
			cert_free(&cand->cert[i]);
	}
	cand->n = k;
	return k > 0 ? 0 : finding_fail(f, SIG_FAIL, 69, "certificate is not "
	    "the one of signingCertificate (RFC 5035 5.4)");
}

/* RFC 6211 3: the attribute must say what the SignerInfo says. */
static bool protection_holds(const struct attrs *a,
    const struct cms_signer *s)
{
	struct view in = a->alg_protect;
	struct cms_alg digest, sig;
	struct der seq, d;

	if (in.n == 0)
		return true;
	return der_get(&in, DER_SEQUENCE, &seq) == 0 &&
	    cms_alg_get(&seq.val, &digest) == 0 &&
	    der_get(&seq.val, DER_CTX0 + 1, &d) == 0 && seq.val.n == 0 &&
	    cms_alg_content(d.val, &sig) == 0 &&
	    cms_alg_eq(&digest, &s->digest) && cms_alg_eq(&sig, &s->sig_alg);
}

static int crypto_fail(struct signer_finding *f, const char *why)
{
	f->crypto_failed = true;
	return finding_fail(f, SIG_FAIL, 70, why);
}

/* One signer under judgement. */
struct judged {
	const struct cms_signer *s;
	struct signer_finding *f;
	struct attrs a;
	struct sig_suite suite;
	struct candidates cand;
	unsigned weak; /* WEAK_* */
};

/* Of several that verify: they have one key. Anybody can make a certificate
 * for a public key, so it is the path that tells them apart (A38). */
static bool is_believed(const struct run *x, const struct cert *c)
{
	const struct verify_policy *p = x->p;

	return p->believe == NULL || p->believe(p->find_ctx, c, x->v->cert,
	    x->v->certs, p->now);
}

/*
 * The candidate that verifies, or NULL, with what step 7 makes of it: the
 * first one that is believed, else the first. One alone is not asked about.
 */
static struct cert *find_good(struct run *x, struct judged *j, bool *tried)
{
	struct cert *good = NULL;
	bool is_first = false; /* not yet compared with any other */

	*tried = false;
	for (size_t i = 0; i < j->cand.n; i++) {
		struct cert *c = j->cand.cert[i];
		unsigned weak = j->weak;

		/* another key than the one that verifies cannot */
		if (good != NULL && memcmp(cert_spki_sha256(good),
		    cert_spki_sha256(c), 32) != 0)
			continue;
		if (is_first && is_believed(x, good))
			break;
		is_first = false;
		if (key_allowed(c, &j->suite, x->p, j->f, &weak) == -1)
			continue;
		*tried = true;
		if (!signature_is_good(&j->a, j->s, &j->suite, c))
			continue;
		if (good != NULL && !is_believed(x, c))
			continue;
		j->weak = weak;
		if (good != NULL)
			return c;
		good = c;
		is_first = true;
	}
	return good;
}

/*
 * Step 9, S70, and of step 7 what needs the key. Several certificates may
 * claim one subject key identifier: the one that verifies is the signer's.
 */
static int check_signature(struct run *x, struct judged *j)
{
	struct view md = digests_get(&x->d, j->suite.digest);
	struct signer_finding *f = j->f;
	struct cert *good = NULL; /* j's */
	bool tried = false;

	if (md.n == 0 || md.n != j->a.digest.n ||
	    memcmp(md.p, j->a.digest.p, md.n) != 0)
		return crypto_fail(f, "content was changed: its digest is "
		    "not the signed one (RFC 5652 5.6)");
	if (!protection_holds(&j->a, j->s))
		return crypto_fail(f, "algorithms are not those of "
		    "CMSAlgorithmProtection (RFC 6211 3)");
	good = find_good(x, j, &tried);
	if (good != NULL) {
		cert_free(&f->cert);
		f->cert = cert_ref(good);
		f->is_verified = true;
		f->result = SIG_PASS; /* forget refused candidates */
		f->step = 0;
		f->reason[0] = '\0';
		return 0;
	}
	return tried ? crypto_fail(f, "signature does not verify (RFC 5652 "
	    "5.6)") : -1;
}

/* Step 10, S71 (RFC 8550 4.4.2, 4.4.4). */
static int check_usage(struct signer_finding *f)
{
	const struct cert *c = f->cert;

	if ((cert_ku(c) & CERT_KU_SIGN) == 0)
		return finding_fail(f, SIG_POLICY, 71, "certificate is not "
		    "for signing: keyUsage (RFC 8550 4.4.2)");
	if (!cert_eku_mail(c))
		return finding_fail(f, SIG_POLICY, 71, "certificate is not "
		    "for mail: extKeyUsage (RFC 8550 4.4.4)");
	if (cert_is_ca(c))
		return finding_fail(f, SIG_POLICY, 71, "signed with a CA's "
		    "certificate (RFC 8550 4.4.1)");
	return 0;
}

/* The last word of step 7: good, but not good enough for a pass. */
static int check_weakness(const struct judged *j)
{
	int bits = cert_key_bits(j->f->cert);
	struct err why;

	if ((j->weak & WEAK_KEY) != 0)
		err_set(&why, FAIL_POLICY, "short key: RSA of %d bits%s (RFC "
		    "8551 4.3)", bits, (j->weak & WEAK_DIGEST) != 0
		    ? ", and digest SHA-1" : "");
	else if ((j->weak & WEAK_DIGEST) != 0)
		err_set(&why, FAIL_POLICY, "digest SHA-1 (RFC 8551 2.1)");
	else
		return 0;
	return finding_fail(j->f, SIG_POLICY, 68, why.msg);
}

static int identify(struct run *x, struct judged *j)
{
	return select_by_ess(&j->a, &j->cand, j->f) == 0
	    ? check_signature(x, j) : -1;
}

/*
 * The message has certificates of that name, but not the signer's: somebody
 * may have put his own in its place (A38). What was found first stays the
 * finding unless the one known outside of it verifies.
 */
static int identify_outside(struct run *x, struct judged *j)
{
	struct signer_finding *f = j->f, other = *f;
	int rc;

	if (j->cand.is_asked)
		return -1;
	free_candidates(&j->cand);
	ask_outside(x, j->s, &j->cand);
	if (j->cand.n == 0)
		return -1;
	other.cert = NULL;
	other.crypto_failed = false;
	j->f = &other;
	rc = identify(x, j);
	j->f = f;
	cert_free(rc == 0 ? &f->cert : &other.cert);
	if (rc == 0)
		*f = other;
	return rc;
}

static void judge_signer(struct run *x, const struct cms_signer *s,
    struct signer_finding *f)
{
	struct judged j = { .s = s, .f = f };

	f->result = SIG_PASS;
	f->signing_time = -1;
	if (attrs_read(&j.a, s, f) == -1 ||
	    suite_read(&j.suite, x->c, s, x->p, f, &j.weak) == -1)
		goto out;
	find_candidates(x, s, &j.cand);
	if ((identify(x, &j) == 0 || identify_outside(x, &j) == 0) &&
	    check_usage(f) == 0)
		(void)check_weakness(&j);
out:
	free_candidates(&j.cand);
	buf_free(&j.a.set);
}

/* RFC 3183 3.1.2: all signers of an object say the same of themselves. */
static void compare_types(struct verification *v)
{
	bool differ = false;

	for (size_t i = 1; i < v->signers; i++)
		if (v->signer[i].types != v->signer[0].types)
			differ = true;
	for (size_t i = 0; i < v->signers; i++)
		v->signer[i].types_differ = differ;
}

static int judge(struct run *x, bool detached, struct err *e)
{
	struct verification *v = x->v;
	const struct cms *c = x->c;

	if (take_certs(x, e) == -1)
		return -1;
	if (check_object(x, detached) == -1)
		return 0;
	v->signer = calloc(c->signers, sizeof(*v->signer));
	if (v->signer == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	v->signers = c->signers;
	for (size_t i = 0; i < c->signers; i++)
		judge_signer(x, &c->signer[i], &v->signer[i]);
	compare_types(v);
	return 0;
}

static int start(struct run *x, struct err *e)
{
	ossl_clear();
	if (verification_new(&x->v, SIG_NONE, 0, "", e) == -1)
		return -1;
	return digests_start(&x->d, x->c, x->p->allow_sha1, e);
}

static int finish(struct run *x, int r, struct verification **out)
{
	digests_free(&x->d);
	*out = NULL;
	if (r == 0) {
		*out = x->v;
		x->v = NULL;
	}
	verification_free(&x->v);
	return r;
}

int verify_detached(const struct cms *c, const struct spool *s, uint64_t off,
    uint64_t end, const struct verify_policy *p, struct verification **out,
    struct err *e)
{
	struct run x = { .c = c, .p = p };
	struct spool_rd rd;
	struct view v;
	int r = -1;

	spool_rd_init(&rd, s, off, end);
	if (start(&x, e) == -1)
		goto out;
	x.d.normalise = true;
	do {
		if (spool_next(&rd, &v, e) == -1 ||
		    digests_put(&x.d, v, e) == -1)
			goto out;
	} while (v.n > 0);
	if (digests_end(&x.d, e) == 0)
		r = judge(&x, true, e);
out:
	spool_rd_free(&rd);
	return finish(&x, r, out);
}

static int copy_content(struct run *x, struct spool *quarantine,
    struct err *e)
{
	struct cms_content *cc = NULL;
	struct view v;
	int r = -1;

	if (x->c->type != CMS_SIGNED || !x->c->has_content)
		return 0; /* the steps will say so */
	if (cms_content_open(&cc, x->c, e) == -1)
		return -1;
	do {
		if (cms_content_next(cc, &v, e) == -1 ||
		    digests_put(&x->d, v, e) == -1 ||
		    spool_write(quarantine, v.p, v.n, e) == -1)
			goto out;
	} while (v.n > 0);
	r = 0;
out:
	cms_content_free(&cc);
	return r;
}

int verify_opaque(const struct cms *c, const struct verify_policy *p,
    struct spool *quarantine, struct verification **out, struct err *e)
{
	struct run x = { .c = c, .p = p };
	int r = -1;

	if (start(&x, e) == 0 && copy_content(&x, quarantine, e) == 0 &&
	    digests_end(&x.d, e) == 0)
		r = judge(&x, false, e);
	r = finish(&x, r, out);
	if (r == -1 && spool_clear(quarantine, NULL) == -1)
		return err_set(e, FAIL_TEMP, "quarantine cannot be emptied");
	return r;
}
