/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The self-check of signing (requirement S201): what we wrote is read back
 * by the code that reads strangers' mail, and must be a good signature by
 * the certificate that was asked for.
 */
#include "smime/sign.h"

#include <string.h>
#include <strings.h>

#include "smime/shape.h"
#include "smime/verify.h"
#include "util/ossl.h"

#define CHECK "self-check of the signature: "

static int check_verification(const struct verification *v,
    const struct signer *who, const struct shape *sh, struct err *e)
{
	const struct signer_finding *f;

	if (v->signers != 1)
		return err_set(e, FAIL_BUG, CHECK
		    "%zu signers (%s)", v->signers, v->reason);
	f = &v->signer[0];
	if (f->result != SIG_PASS)
		return err_set(e, FAIL_BUG, CHECK
		    "%s at S%d: %s", sig_result_str(f->result), f->step,
		    f->reason);
	if (f->cert == NULL || !ossl_same(cert_sha256(f->cert),
	    cert_sha256(who->cert), 32))
		return err_set(e, FAIL_BUG, CHECK "signed by another "
		    "certificate");
	if ((strcmp(f->algorithm, "rsa-pss") == 0) != (who->pss &&
	    cert_key_type(who->cert) == CERT_KEY_RSA))
		return err_set(e, FAIL_BUG, CHECK "algorithm %s was not "
		    "ordered", f->algorithm);
	if (sh->kind == SHAPE_CLEAR_SIGNED &&
	    strcasecmp(sh->micalg, f->digest) != 0)
		return err_set(e, FAIL_BUG, CHECK "micalg %s, but digest %s",
		    sh->micalg, f->digest);
	return 0;
}

static bool is_this(const struct cert *c, struct view der, struct cert **out)
{
	if (c == NULL || !view_eq(cert_der(c), der))
		return false;
	*out = cert_keep(c);
	return true;
}

/* The certificates that we put in are parsed already. */
static int parse_own(void *ctx, struct cert **out, struct view der,
    struct err *e)
{
	const struct signer *who = *(const struct signer **)ctx;

	if (is_this(who->cert, der, out) ||
	    is_this(who->encryption_cert, der, out))
		return 0;
	for (size_t i = 0; i < who->chain_n; i++)
		if (is_this(who->chain[i], der, out))
			return 0;
	return cert_parse(out, der, e);
}

static int verify_shape(const struct spool *s, const struct shape *sh,
    const struct signer *who, struct verification **v, struct err *e)
{
	/* Keys below the minimum were refused before signing. */
	struct verify_policy p = { .min_rsa_bits = CAP_RSA_MIN,
	    .parse = parse_own, .find_ctx = &who };
	struct spool *content = NULL;
	struct cms *c = NULL;
	int r = -1;

	if (sh->kind == SHAPE_CLEAR_SIGNED) {
		if (cms_read(&c, s, sh->sig, sh->sig_end, sh->sig_cte, e) ==
		    0)
			r = verify_detached(c, s, sh->part, sh->part_end, &p,
			    v, e);
	} else if (sh->kind == SHAPE_PKCS7) {
		if (cms_read(&c, s, sh->body, sh->end, sh->cte, e) == 0 &&
		    spool_new(&content, spool_size(s), e) == 0)
			r = verify_opaque(c, &p, content, v, e);
	} else {
		err_set(e, FAIL_BUG, "not signed: %s", sh->defect);
	}
	cms_free(&c);
	spool_free(&content);
	return r;
}

int sign_self_check(const struct spool *signed_entity,
    const struct signer *who, struct err *e)
{
	uint64_t end = spool_size(signed_entity);
	struct verification *v = NULL;
	struct header h = { 0 };
	struct ctype ct = { 0 };
	struct shape sh;
	struct err why = { 0 };
	int r = -1;

	if (header_read(&h, signed_entity, 0, end, &why) == -1 ||
	    ctype_read(&ct, &h, &why) == -1 ||
	    shape_read(&sh, signed_entity, &h, &ct, end, &why) == -1 ||
	    verify_shape(signed_entity, &sh, who, &v, &why) == -1) {
		err_set(e, why.kind == FAIL_TEMP ? FAIL_TEMP : FAIL_BUG,
		    CHECK "does not read back: %.400s", why.msg);
		goto out;
	}
	r = check_verification(v, who, &sh, e);
out:
	verification_free(&v);
	ctype_free(&ct);
	header_free(&h);
	return r;
}
