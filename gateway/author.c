/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Step 13 of verification: the author, as header From names him, against the
 * certificate that signed. Everything that could let somebody else speak for
 * him stands in the configuration; nothing in the message can.
 */
#include "gateway/author.h"

#include <string.h>

#include "util/when.h"

#define AUTHORITY "domain-signing-authority"
#define DAY 86400
#define REPLAY_DAYS 7 /* between Date and signingTime (A36) */

/* ---- policy ---- */

void author_policy(const struct txn *t, struct verify_policy *p)
{
	const struct config *c = t->g->config;

	p->min_rsa_bits = c->min_rsa_bits;
	for (size_t i = 0; i < c->weaks; i++) {
		const struct pattern *w = &c->weak[i];

		if (w->kind != PATTERN_ANY &&
		    (!t->has_from || !pattern_has(w, &t->from)))
			continue;
		p->allow_sha1 = true;
		p->allow_short = true;
	}
}

static void not_author(struct signer_finding *f, const char *reason)
{
	(void)finding_fail(f, SIG_POLICY, 74, reason);
}

/* One more for the comment of the result. */
static void remark(struct signer_finding *f, const char *s)
{
	struct buf b;

	buf_init(&b, sizeof(f->remark) - 1);
	buf_printf(&b, "%s%s%s", f->remark, f->remark[0] == '\0' ? "" : "; ",
	    s);
	if (!b.failed)
		text_set(f->remark, sizeof(f->remark), buf_str(&b));
	buf_free(&b);
}

/* ---- by configuration ---- */

/* The signer speaks for who, a domain or one address. */
static void vouch(struct signer_finding *f, const char *who)
{
	struct err text = {0};

	text_set(f->for_domain, sizeof(f->for_domain), who);
	(void)err_set(&text, FAIL_POLICY, strchr(who, '@') == NULL
	    ? "signed for the domain %s"
	    : "signed for %s, by configuration", who);
	remark(f, text.msg);
}

static bool is_speaker(const struct speaks_for *sf, const struct cert *c)
{
	if (sf->sha256[0] != '\0')
		return strcmp(sf->sha256, cert_sha256_hex(c)) == 0;
	return cert_has_address(c, &sf->address, ADDR_FOLD_LOCAL);
}

/* The configuration's line for this author and this certificate. */
static const struct speaks_for *find_speaker(const struct txn *t,
    const struct cert *c)
{
	const struct config *cf = t->g->config;

	for (size_t i = 0; i < cf->speaks_fors; i++)
		if (pattern_has(&cf->speaks_for[i].who, &t->from) &&
		    is_speaker(&cf->speaks_for[i], c))
			return &cf->speaks_for[i];
	return NULL;
}

static bool accept_partner(const struct txn *t, struct signer_finding *f)
{
	const struct speaks_for *sf = find_speaker(t, f->cert);

	if (sf == NULL)
		return false;
	vouch(f, sf->who.kind == PATTERN_ADDRESS ? sf->who.addr.text
						 : sf->who.domain);
	return true;
}

/* ---- domain signing authorities (RFC 3183) ---- */

/* By label, never by letter: notacme.com is not within acme.com (S164). */
static bool is_within(const char *domain, const char *above)
{
	size_t n = strlen(domain), m = strlen(above);

	if (n == m)
		return strcmp(domain, above) == 0;
	return n > m && domain[n - m - 1] == '.' &&
	    strcmp(domain + n - m, above) == 0;
}

static bool is_authority_address(const struct addr *a)
{
	size_t n;
	const char *local = addr_local(a, &n);

	return view_ieq_str(view_make(local, n), AUTHORITY);
}

/* RFC 3183 3.1.1: one common name, and the addresses say the same. */
static bool is_authority(const struct cert *c)
{
	struct view cn;

	if (cert_common_names(c, &cn) != 1 || !view_ieq_str(cn, AUTHORITY) ||
	    cert_bad_addresses(c) > 0)
		return false;
	for (size_t i = 0; i < cert_addresses(c); i++)
		if (!is_authority_address(cert_address(c, i)))
			return false;
	return true;
}

/* The domain that the authority is of: of its addresses the one above the
 * author's domain, else any; without addresses that of its subject. */
static bool authority_domain(const struct cert *c, const char *author,
    char dst[256])
{
	for (size_t i = 0; i < cert_addresses(c); i++) {
		const char *d = addr_domain(cert_address(c, i));

		if (i == 0 || is_within(author, d))
			text_set(dst, 256, d);
	}
	return cert_addresses(c) > 0 || cert_subject_domain(c, dst, 256);
}

static bool is_configured(const struct config *c, const char *domain)
{
	for (size_t i = 0; i < c->domain_sigs; i++)
		if (pattern_has_domain(&c->domain_sig[i], domain))
			return true;
	return false;
}

static void check_authority(const struct txn *t, struct signer_finding *f)
{
	const char *author = addr_domain(&t->from);
	struct err why = {0};
	char domain[256];

	if (!is_authority(f->cert)) {
		not_author(f, "domain signature of a certificate that is no "
		    AUTHORITY "'s (RFC 3183 3.1.1)");
		return;
	}
	if (!authority_domain(f->cert, author, domain)) {
		not_author(f, AUTHORITY " of no domain (RFC 3183 3.1.1)");
		return;
	}
	if (!is_within(author, domain))
		(void)err_set(&why, FAIL_POLICY, "domain signature of %s, "
		    "which is not above From (RFC 3183 3.1.1)", domain);
	else if (strchr(domain, '.') == NULL)
		(void)err_set(&why, FAIL_POLICY, "domain signature of %s, "
		    "which is nobody's own domain", domain);
	else if (!f->has_inner)
		(void)err_set(&why, FAIL_POLICY, "domain signature of %s that "
		    "is around no signature (RFC 3183 3.1.2)", domain);
	else if (!is_configured(t->g->config, domain))
		(void)err_set(&why, FAIL_POLICY, "domain signature of %s, not "
		    "configured (speaks-for, domain-signatures)", domain);
	if (why.kind != 0)
		not_author(f, why.msg);
	else
		vouch(f, domain);
}

/* ---- why not ---- */

/* A23, A24: From cannot be read strictly, or names several. */
static void refuse_from(const struct txn *t, struct signer_finding *f)
{
	const struct field *field = header_get(&t->h, "From", 0);
	struct addr_list l = {0};

	if (addr_list_parse(&l, field->value, NULL) == 0 && l.n > 1)
		not_author(f, "From names more than one mailbox; none of "
		    "them alone is the author");
	else
		not_author(f, "From does not name exactly one mailbox that "
		    "can be read strictly (RFC 5322 3.6.2)");
	addr_list_free(&l);
}

/* RFC 8550 3 lets Sender match as well; here it is a hint and no more
 * (S80): who reads mail looks at From. */
static bool sender_is_signer(const struct txn *t, const struct cert *c,
    struct addr *sender)
{
	const struct field *field = header_get(&t->h, "Sender", 0);
	struct addr_list l = {0};
	bool is = false;

	if (field == NULL || header_count(&t->h, "Sender") != 1)
		return false;
	if (addr_list_parse(&l, field->value, NULL) == 0 && l.n == 1 &&
	    cert_has_address(c, &l.a[0], ADDR_FOLD_LOCAL)) {
		*sender = l.a[0];
		is = true;
	}
	addr_list_free(&l);
	return is;
}

static void refuse_signer(const struct txn *t, struct signer_finding *f)
{
	struct err why = {0};
	struct addr sender;

	if (f->has_list)
		(void)err_set(&why, FAIL_POLICY, "the signer is a mailing "
		    "list, not the author (RFC 2634 4)");
	else if (sender_is_signer(t, f->cert, &sender))
		(void)err_set(&why, FAIL_POLICY, "the signer matches Sender, "
		    "%s, not From (RFC 8550 3)", sender.text);
	else if (cert_addresses(f->cert) == 0)
		(void)err_set(&why, FAIL_POLICY, "the signer's certificate "
		    "has no address, and no speaks-for line names it (RFC "
		    "8550 3)");
	else
		(void)err_set(&why, FAIL_POLICY, "signer does not match From "
		    "(RFC 8550 3)");
	not_author(f, why.msg);
}

/* ---- step 13 ---- */

/* A signature of a person; without the attribute every signature is one. */
static bool is_personal(const struct signer_finding *f)
{
	return f->types == 0 || f->types == SIG_TYPE_ORIGINATOR;
}

/* A domain's; review may stand beside it, other types may not (RFC 3183
 * 3.1.2). */
static bool is_domain_type(const struct signer_finding *f)
{
	return (f->types & SIG_TYPE_DOMAIN) != 0 &&
	    (f->types & (SIG_TYPE_ADDITIONAL | SIG_TYPE_OTHER)) == 0;
}

static void check_signer(const struct txn *t, struct signer_finding *f)
{
	if (f->types != 0 && f->types_differ)
		not_author(f, "signers with different SignatureType (RFC 3183 "
		    "3.1.2)");
	else if (!is_personal(f) && !is_domain_type(f))
		not_author(f, "a review or additional-attributes signature "
		    "does not name the author (RFC 3183 3.3)");
	else if (is_personal(f) &&
	    cert_has_address(f->cert, &t->from, ADDR_FOLD_LOCAL))
		f->from_match = true;
	else if (accept_partner(t, f))
		return;
	else if (is_domain_type(f))
		check_authority(t, f);
	else
		refuse_signer(t, f);
}

/* A36: an old message in a new envelope still has its signingTime. */
static void compare_times(const struct txn *t, struct signer_finding *f)
{
	const struct field *field = header_get(&t->h, "Date", 0);
	struct err text = {0};
	int64_t date, apart;

	if (field == NULL || header_count(&t->h, "Date") != 1 ||
	    f->signing_time == -1 ||
	    when_rfc5322(field->value, &date) != 0)
		return;
	apart = f->signing_time - date;
	if (apart <= REPLAY_DAYS * DAY && apart >= -REPLAY_DAYS * DAY)
		return;
	(void)err_set(&text, FAIL_POLICY, "signed %lld days %s its Date",
	    (long long)(apart < 0 ? -apart : apart) / DAY,
	    apart < 0 ? "before" : "after");
	remark(f, text.msg);
}

void author_check(struct txn *t, struct signer_finding *f)
{
	if (f->result != SIG_PASS || f->cert == NULL)
		return;
	f->from_match = false;
	f->for_domain[0] = f->remark[0] = '\0';
	if (cert_bad_addresses(f->cert) > 0)
		txn_warn(t, "the signer's certificate has %zu addresses that "
		    "are none; they were left out",
		    cert_bad_addresses(f->cert));
	if (t->from_fields != 1)
		(void)finding_fail(f, SIG_PERMERROR, 62, t->from_fields == 0
		    ? "RFC 5322 3.6: the message has no From"
		    : "RFC 5322 3.6: the message has more than one From");
	else if (!t->has_from)
		refuse_from(t, f);
	else
		check_signer(t, f);
	compare_times(t, f);
}

/* An S/MIME signature at the root of the entity, by its own word: who signed
 * it around answers for that word. */
static int is_signature(const struct spool *s, uint64_t off, uint64_t end,
    bool *is, struct err *e)
{
	struct ctype ct = {0};
	struct shape sh;
	struct header h;
	int rc = -1;

	*is = false;
	if (header_read(&h, s, off, end, e) != 0 ||
	    ctype_read(&ct, &h, e) != 0 ||
	    shape_read(&sh, s, &h, &ct, end, e) != 0)
		goto out;
	*is = sh.kind == SHAPE_CLEAR_SIGNED || (sh.kind == SHAPE_PKCS7 &&
	    strcmp(sh.smime_type, "signed-data") == 0);
	rc = 0;
out:
	ctype_free(&ct);
	header_free(&h);
	if (rc != 0 && !err_is_ours(e)) {
		err_clear(e); /* no entity that can be read */
		rc = 0;
	}
	return rc;
}

int author_look_inside(struct verification *ver, const struct spool *s,
    uint64_t off, uint64_t end, struct err *e)
{
	bool is = false, is_wanted = false;

	for (size_t i = 0; i < ver->signers; i++)
		is_wanted = is_wanted || is_domain_type(&ver->signer[i]);
	if (is_wanted && is_signature(s, off, end, &is, e) != 0)
		return -1;
	for (size_t i = 0; i < ver->signers; i++)
		ver->signer[i].has_inner = is;
	return 0;
}

/* Of the certificate's addresses the one that is this. */
static const char *own_address(const struct cert *c, const struct addr *a)
{
	for (size_t i = 0; i < cert_addresses(c); i++)
		if (addr_eq(cert_address(c, i), a, ADDR_FOLD_LOCAL))
			return cert_address(c, i)->text;
	return NULL;
}

/* Of an authority's addresses the one of the domain it signed for. */
static const char *domain_address(const struct cert *c, const char *domain)
{
	for (size_t i = 0; i < cert_addresses(c); i++)
		if (strcmp(addr_domain(cert_address(c, i)), domain) == 0)
			return cert_address(c, i)->text;
	return cert_addresses(c) == 0 ? NULL : cert_address(c, 0)->text;
}

const char *author_proven(const struct txn *t,
    const struct signer_finding *f)
{
	const struct speaks_for *sf;

	if (f->cert == NULL)
		return NULL;
	if (f->from_match)
		return own_address(f->cert, &t->from);
	if (f->for_domain[0] == '\0')
		return NULL;
	sf = find_speaker(t, f->cert);
	if (sf != NULL && sf->sha256[0] == '\0')
		return own_address(f->cert, &sf->address);
	return domain_address(f->cert, f->for_domain);
}
