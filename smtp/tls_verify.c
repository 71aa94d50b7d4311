/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One connection: what is said before its handshake, and the verdict after
 * it. The certificates are looked at anew each time, for a resumed session
 * as for a new one: what was good an hour ago may have expired, and what was
 * enough for one policy may not be for another (T60).
 */
#include "smtp/tls_verify.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "smtp/tls_verify_int.h"
#include "util/ossl.h"

/* ---- before ---- */

/* Where a line or MTA-STS decides, the records must hold as well. */
static bool is_dane(const struct tls_want *w)
{
	return w->tlsas > 0 && (w->level == TLS_DANE ||
	    tls_level_is_verified(w->level));
}

/* A record that libssl does not take is one that is not usable; when none is
 * left, tls_want_check() finds no authority. */
static int begin_dane(SSL *ssl, const struct tls_want *w, struct err *e)
{
	if (SSL_dane_enable(ssl, w->tlsa_base) != 1)
		return err_ossl(e, FAIL_TEMP, "DANE for %s", w->tlsa_base);
	for (size_t i = 0; i < w->tlsas; i++) {
		const struct tls_tlsa *t = &w->tlsa[i];

		if (tls_tlsa_is_usable(t) && SSL_dane_tlsa_add(ssl, t->usage,
		    t->selector, t->mtype, t->data, t->n) < 0)
			return err_ossl(e, FAIL_TEMP, "TLSA of %s",
			    w->tlsa_base);
	}
	ossl_clear();
	return 0;
}

int tls_want_begin(SSL *ssl, const struct tls_want *w, struct err *e)
{
	unsigned char ip[16];

	ossl_clear();
	/* RFC 6066 3: no address literals (T45) */
	if (w->sni[0] != '\0' && tls_address(w->sni, ip) == 0 &&
	    SSL_set_tlsext_host_name(ssl, w->sni) != 1)
		return err_ossl(e, FAIL_TEMP, "SNI %s", w->sni);
	return is_dane(w) ? begin_dane(ssl, w, e) : 0;
}

/* ---- after ---- */

struct judged {
	SSL *ssl;
	const struct tls_want *w;
	struct tls_got *got;
	X509 *cert; /* NULL: none */
	STACK_OF(X509) *chain;
	struct err why;
};

/* The reason is in j->why. */
static int refuse(struct judged *j, const char *result)
{
	text_set(j->got->result, sizeof(j->got->result), result);
	text_set(j->got->reason, sizeof(j->got->reason), j->why.msg);
	return -1;
}

static int bad(struct judged *j, const char *result, const char *reason)
{
	(void)err_set(&j->why, FAIL_POLICY, "%s", reason);
	return refuse(j, result);
}

/* For logs: RFC 2253, all but printable ASCII escaped. */
static void put_subject(struct tls_got *got, X509 *x)
{
	BIO *b = BIO_new(BIO_s_mem());
	char *p = NULL;
	long n;

	if (b != NULL && X509_NAME_print_ex(b, X509_get_subject_name(x), 0,
	    XN_FLAG_RFC2253) >= 0 && (n = BIO_get_mem_data(b, &p)) > 0) {
		if (n >= (long)sizeof(got->subject))
			n = (long)sizeof(got->subject) - 1;
		memcpy(got->subject, p, (size_t)n);
		got->subject[n] = '\0';
	}
	BIO_free(b);
}

static int64_t seconds_of(const ASN1_TIME *t)
{
	ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
	int days = 0, rest = 0;
	int64_t s = 0;

	if (epoch != NULL && ASN1_TIME_diff(&days, &rest, epoch, t) == 1)
		s = (int64_t)days * 86400 + rest;
	ASN1_TIME_free(epoch);
	return s;
}

static int put_cert(struct judged *j)
{
	struct tls_got *got = j->got;
	unsigned char *spki = NULL;
	int n;

	put_subject(got, j->cert);
	got->not_after = seconds_of(X509_get0_notAfter(j->cert));
	n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(j->cert), &spki);
	if (n <= 0 || X509_digest(j->cert, EVP_sha256(), got->cert_sha256,
	    NULL) != 1) {
		ossl_clear();
		(void)err_set(&j->why, FAIL_TEMP, "out of memory for the "
		    "certificate");
		return refuse(j, "validation-failure");
	}
	ossl_sha256(spki, (size_t)n, got->spki_sha256);
	OPENSSL_free(spki);
	got->has_cert = true;
	return 0;
}

static void put_session(struct tls_got *got, const SSL *ssl)
{
	got->is_tls = true;
	got->level = TLS_ENCRYPT;
	text_set(got->version, sizeof(got->version), SSL_get_version(ssl));
	text_set(got->cipher, sizeof(got->cipher),
	    SSL_CIPHER_get_name(SSL_get_current_cipher(ssl)));
}

/* ---- the path ---- */

#define PATH_LEVEL 2 /* OpenSSL's: 112 bits, RSA from 2048 on */

static const char *result_of(int why)
{
	switch (why) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "certificate-expired";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_UNTRUSTED:
	case X509_V_ERR_CERT_REJECTED:
	case X509_V_ERR_CERT_REVOKED:
	case X509_V_ERR_INVALID_CA:
		return "certificate-not-trusted";
	default:
		return "validation-failure";
	}
}

static int set_up_path(const struct judged *j, X509_STORE_CTX *c,
    bool with_dane)
{
	X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(j->ssl));
	int level = SSL_get_security_level(j->ssl);

	if (X509_STORE_CTX_init(c, store, j->cert, j->chain) != 1 ||
	    X509_STORE_CTX_set_default(c, "ssl_server") != 1)
		return -1;
	/* old versions of TLS want a lower level, keys of CAs do not */
	X509_VERIFY_PARAM_set_auth_level(X509_STORE_CTX_get0_param(c),
	    level < PATH_LEVEL ? PATH_LEVEL : level);
	if (with_dane)
		X509_STORE_CTX_set0_dane(c, SSL_get0_dane(j->ssl));
	return 0;
}

/* By the CAs of the context, or by TLSA records. What libssl says of the
 * connection is true from now on. */
static int check_path(struct judged *j, bool with_dane)
{
	X509_STORE_CTX *c = X509_STORE_CTX_new();
	int why = X509_V_ERR_OUT_OF_MEM, depth = 0;

	ossl_clear();
	if (c != NULL && set_up_path(j, c, with_dane) == 0) {
		why = X509_V_OK;
		if (X509_verify_cert(c) != 1) {
			why = X509_STORE_CTX_get_error(c);
			depth = X509_STORE_CTX_get_error_depth(c);
			if (why == X509_V_OK)
				why = X509_V_ERR_UNSPECIFIED;
		}
	}
	X509_STORE_CTX_free(c);
	ossl_clear();
	SSL_set_verify_result(j->ssl, why);
	if (why == X509_V_OK)
		return 0;
	(void)err_set(&j->why, why == X509_V_ERR_OUT_OF_MEM ? FAIL_TEMP :
	    FAIL_POLICY, "certificate of %s: %s%s", j->got->subject,
	    X509_verify_cert_error_string(why),
	    depth > 0 ? ", of a CA above it" : "");
	return refuse(j, result_of(why));
}

/* ---- levels ---- */

static void names_of(const struct tls_want *w, struct tls_names *n)
{
	*n = (struct tls_names){ 0 };
	for (size_t i = 0; i < w->names && i < TLS_NAMES; i++)
		n->name[n->n++] = w->name[i];
}

static int check_names(struct judged *j, const struct tls_names *n)
{
	if (n->n == 0)
		return bad(j, "certificate-host-mismatch", "the policy names "
		    "nobody whose certificate it may be");
	if (tls_cert_has_name(j->cert, n, j->w->allow_cn, j->got->matched))
		return 0;
	(void)err_set(&j->why, FAIL_POLICY, "RFC 9525 6.3: certificate of %s: "
	    "not for %s%s", j->got->subject, n->name[0],
	    n->n > 1 ? " or another name that the policy has" : "");
	return refuse(j, "certificate-host-mismatch");
}

static int check_pkix(struct judged *j)
{
	struct tls_names n;

	names_of(j->w, &n);
	return check_path(j, false) != 0 || check_names(j, &n) != 0 ? -1 : 0;
}

static void put_match(struct tls_got *got, const char *what,
    const unsigned char *p, size_t n)
{
	char hex[65];
	struct buf b;

	buf_init(&b, sizeof(got->matched));
	buf_printf(&b, "%s%s", what, hex_encode(hex, p, n > 32 ? 32 : n));
	text_set(got->matched, sizeof(got->matched), buf_str(&b));
	buf_free(&b);
}

/* A name or a date of a pinned certificate says nothing more (T42). */
static int check_pins(struct judged *j)
{
	struct tls_got *got = j->got;

	for (size_t i = 0; i < j->w->pins && i < TLS_NAMES; i++) {
		const unsigned char *pin = j->w->pin[i].sha256;

		if (!ossl_same(pin, got->cert_sha256, 32) &&
		    !ossl_same(pin, got->spki_sha256, 32))
			continue;
		put_match(got, "sha256:", pin, 32);
		return 0;
	}
	put_match(got, "", got->cert_sha256, 32);
	(void)err_set(&j->why, FAIL_POLICY, "certificate of %.100s: its "
	    "fingerprint sha256:%s is not pinned", got->subject,
	    got->matched);
	got->matched[0] = '\0';
	return refuse(j, "certificate-not-trusted");
}

static void put_tlsa(struct tls_got *got, uint8_t usage, uint8_t selector,
    uint8_t mtype, struct view data)
{
	char what[32];
	struct buf b;

	buf_init(&b, sizeof(what));
	buf_printf(&b, "TLSA %u %u %u ", usage, selector, mtype);
	text_set(what, sizeof(what), buf_str(&b));
	buf_free(&b);
	put_match(got, what, data.p, data.n);
}

/* DANE-EE(3) binds a key, whatever its name and date (RFC 7672 3.1.1);
 * DANE-TA(2) a CA, so that a name is needed (3.1.2, T47). */
static int check_dane(struct judged *j)
{
	uint8_t usage = 0, selector = 0, mtype = 0;
	const unsigned char *data = NULL;
	struct tls_names n;
	bool any = false;
	size_t len = 0;

	for (size_t i = 0; i < j->w->tlsas; i++)
		any = any || tls_tlsa_is_usable(&j->w->tlsa[i]);
	if (!any)
		return bad(j, "tlsa-invalid", "no TLSA record is usable");
	if (check_path(j, true) != 0)
		return -1;
	/* without a record that it took, libssl asked the CAs instead */
	if (SSL_get0_dane_tlsa(j->ssl, &usage, &selector, &mtype, &data,
	    &len) < 0 || (usage != 2 && usage != 3))
		return bad(j, "tlsa-invalid", "no TLSA record is usable");
	if (usage == 2) {
		names_of(j->w, &n);
		n.name[n.n++] = j->w->tlsa_base;
		if (check_names(j, &n) != 0)
			return -1;
	}
	put_tlsa(j->got, usage, selector, mtype, view_make(data, len));
	return 0;
}

/* Some certificate, perhaps of a CA that was named. */
static int check_encrypt(struct judged *j)
{
	if (!j->w->require_cert)
		return 0;
	return j->w->ca[0] != '\0' ? check_path(j, false) : 0;
}

/* RFC 8461 2: no policy overrides DANE that fails (T51). */
static int check_as_well(struct judged *j)
{
	return is_dane(j->w) ? check_dane(j) : 0;
}

static bool is_too_old(const struct judged *j)
{
	static const int min[] = { [TLS_V_ANY] = TLS1_2_VERSION,
		[TLS_V_1_0] = TLS1_VERSION, [TLS_V_1_1] = TLS1_1_VERSION,
		[TLS_V_1_2] = TLS1_2_VERSION, [TLS_V_1_3] = TLS1_3_VERSION };

	return SSL_version(j->ssl) < min[j->w->min];
}

static int check_level(struct judged *j)
{
	const struct tls_want *w = j->w;

	if (j->cert == NULL && (w->require_cert ||
	    (w->level != TLS_MAY && w->level != TLS_NONE &&
	    !(w->level == TLS_ENCRYPT && w->allow_anonymous))))
		return bad(j, "certificate-not-trusted", "the peer has no "
		    "certificate");
	switch (w->level) {
	case TLS_NONE:
	case TLS_MAY:
		return 0;
	case TLS_ENCRYPT:
		return check_encrypt(j);
	case TLS_FINGERPRINT:
		return check_pins(j) != 0 ? -1 : check_as_well(j);
	case TLS_DANE:
		return check_as_well(j);
	case TLS_DANE_ONLY:
		return is_dane(w) ? check_dane(j) : bad(j, "dane-required",
		    "there is no TLSA record");
	case TLS_VERIFY:
	case TLS_SECURE:
		return check_pkix(j) != 0 ? -1 : check_as_well(j);
	}
	return bad(j, "validation-failure", "a level that nobody knows");
}

static int judge(struct judged *j)
{
	if (j->cert != NULL && put_cert(j) != 0)
		return -1;
	if (check_level(j) != 0)
		return -1;
	text_set(j->got->result, sizeof(j->got->result), "success");
	j->got->is_verified = tls_level_is_verified(j->w->level) ||
	    (j->w->level == TLS_DANE && is_dane(j->w));
	if (j->got->is_verified)
		j->got->level = j->w->level == TLS_DANE ? TLS_DANE_ONLY :
		    j->w->level;
	return 0;
}

/* MTA-STS in mode testing (RFC 8461 5): what enforce would say. */
static void test_policy(const struct judged *j)
{
	const struct tls_names n = { { j->w->tested }, 1 };
	long verdict = SSL_get_verify_result(j->ssl);
	struct tls_got got = *j->got;
	struct judged as = *j;

	as.got = &got;
	text_set(got.result, sizeof(got.result), "success");
	if (j->w->is_unnamed || SSL_version(j->ssl) < TLS1_2_VERSION)
		(void)bad(&as, "validation-failure", "not of the policy");
	else if (j->cert == NULL)
		(void)bad(&as, "certificate-not-trusted", "no certificate");
	else if (check_path(&as, false) == 0)
		(void)check_names(&as, &n);
	SSL_set_verify_result(j->ssl, verdict);
	text_set(j->got->tested, sizeof(j->got->tested), got.result);
}

int tls_judge_chain(SSL *ssl, const struct tls_want *w,
    const struct tls_shown *shown, struct tls_got *got, struct err *e)
{
	struct judged j = { .ssl = ssl, .w = w, .got = got,
		.cert = shown->cert, .chain = shown->chain };

	if (judge(&j) == 0) {
		if (w->tested[0] != '\0')
			test_policy(&j);
		return 0;
	}
	if (SSL_get_verify_result(ssl) == X509_V_OK)
		SSL_set_verify_result(ssl, X509_V_ERR_APPLICATION_VERIFICATION);
	return err_set(e, j.why.kind, "%s", j.why.msg);
}

int tls_want_check(SSL *ssl, const struct tls_want *w, struct tls_got *got,
    struct err *e)
{
	struct tls_shown shown = { SSL_get0_peer_certificate(ssl),
		SSL_get_peer_cert_chain(ssl) };
	struct judged j = { .ssl = ssl, .w = w, .got = got };

	memset(got, 0, sizeof(*got));
	if (SSL_is_init_finished(ssl) != 1 || SSL_in_before(ssl))
		(void)bad(&j, "validation-failure", "the handshake is not "
		    "done");
	else
		put_session(got, ssl);
	if (got->is_tls && is_too_old(&j))
		(void)bad(&j, "validation-failure", "an older version of TLS "
		    "than the policy allows");
	if (j.why.kind != 0)
		return err_set(e, j.why.kind, "%s", j.why.msg);
	return tls_judge_chain(ssl, w, &shown, got, e);
}
