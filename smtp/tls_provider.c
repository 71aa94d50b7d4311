/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The provider "postseal": what libssl needs to sign with RSA, EC and Ed25519
 * keys that are held elsewhere. All that public halves can do is left to the
 * provider "default".
 */
#include "smtp/tls_provider.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>

#include "util/caps.h"
#include "util/ossl.h"

#define PROVIDER_NAME "postseal"
#define PROPERTY "provider=" PROVIDER_NAME
/* The one parameter that a key is made of. */
#define PARAM_KEY "postseal-key"

static struct {
	tls_sign_there *sign;
	void *arg;
	OSSL_PROVIDER *base, *own;
} loaded;

/* Behind an EVP_PKEY of ours. */
struct far_key {
	uint32_t number;
	enum tls_key_kind kind;
	EVP_PKEY *pub; /* of "default" */
};

/* Behind an EVP_MD_CTX that signs with one. */
struct far_sign {
	const struct far_key *key;
	bool is_pss;
	int digest; /* 256, 384, 512; 0: none named, -1: another one */
};

/* ---- algorithms ---- */

static const struct {
	enum tls_key_kind kind;
	int digest;
	bool is_pss;
	const char *name;
} sigs[] = {
	[TLS_SIG_RSA_SHA256] = { TLS_KEY_RSA, 256, false, "SHA256" },
	[TLS_SIG_RSA_SHA384] = { TLS_KEY_RSA, 384, false, "SHA384" },
	[TLS_SIG_RSA_SHA512] = { TLS_KEY_RSA, 512, false, "SHA512" },
	[TLS_SIG_PSS_SHA256] = { TLS_KEY_RSA, 256, true, "SHA256" },
	[TLS_SIG_PSS_SHA384] = { TLS_KEY_RSA, 384, true, "SHA384" },
	[TLS_SIG_PSS_SHA512] = { TLS_KEY_RSA, 512, true, "SHA512" },
	[TLS_SIG_ECDSA_SHA256] = { TLS_KEY_EC, 256, false, "SHA256" },
	[TLS_SIG_ECDSA_SHA384] = { TLS_KEY_EC, 384, false, "SHA384" },
	[TLS_SIG_ECDSA_SHA512] = { TLS_KEY_EC, 512, false, "SHA512" },
	[TLS_SIG_ED25519] = { TLS_KEY_ED25519, 0, false, NULL },
};

static bool is_sig(enum tls_sig s)
{
	return s >= TLS_SIG_RSA_SHA256 && s <= TLS_SIG_ED25519;
}

bool tls_sig_fits(enum tls_sig s, enum tls_key_kind k)
{
	return is_sig(s) && sigs[s].kind == k;
}

const char *tls_sig_digest(enum tls_sig s)
{
	return is_sig(s) ? sigs[s].name : NULL;
}

bool tls_sig_is_pss(enum tls_sig s)
{
	return is_sig(s) && sigs[s].is_pss;
}

static enum tls_sig find_sig(const struct far_sign *s)
{
	size_t i;

	for (i = TLS_SIG_RSA_SHA256; i < ARRAY_LEN(sigs); i++)
		if (sigs[i].kind == s->key->kind &&
		    sigs[i].is_pss == s->is_pss &&
		    sigs[i].digest == s->digest)
			return (enum tls_sig)i;
	return (enum tls_sig)0;
}

/* libssl says "SHA256" or "SHA2-256", as its version has it. */
static int digest_of(const char *name)
{
	static const struct {
		const char *name;
		int digest;
	} known[] = {
		{ "SHA256", 256 }, { "SHA2-256", 256 }, { "SHA384", 384 },
		{ "SHA2-384", 384 }, { "SHA512", 512 }, { "SHA2-512", 512 },
		{ "", 0 },
	};
	size_t i;

	if (name == NULL)
		return 0;
	for (i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(name, known[i].name) == 0)
			return known[i].digest;
	return -1;
}

int tls_key_kind(const EVP_PKEY *k, enum tls_key_kind *out, struct err *e)
{
	char curve[64] = "";
	int bits = EVP_PKEY_get_bits(k);

	if (EVP_PKEY_is_a(k, "RSA") == 1) {
		*out = TLS_KEY_RSA;
		if (bits < CAP_RSA_MIN || bits > CAP_RSA_MAX)
			return err_set(e, FAIL_POLICY, "an RSA key of %d "
			    "bits, wanted %d to %d", bits, CAP_RSA_MIN,
			    CAP_RSA_MAX);
		return 0;
	}
	if (EVP_PKEY_is_a(k, "ED25519") == 1) {
		*out = TLS_KEY_ED25519;
		return 0;
	}
	if (EVP_PKEY_is_a(k, "EC") == 1 && EVP_PKEY_get_group_name(k, curve,
	    sizeof(curve), NULL) == 1 && (strcmp(curve, "prime256v1") == 0 ||
	    strcmp(curve, "secp384r1") == 0)) {
		*out = TLS_KEY_EC;
		return 0;
	}
	ossl_clear();
	return err_set(e, FAIL_POLICY, "a key of another kind (%s%s%s), "
	    "wanted RSA, EC on P-256 or P-384, or Ed25519",
	    EVP_PKEY_get0_type_name(k) == NULL ? "unknown" :
	    EVP_PKEY_get0_type_name(k), *curve == '\0' ? "" : " ", curve);
}

/* ---- keys ---- */

static void *key_new(void *provctx)
{
	(void)provctx;
	return calloc(1, sizeof(struct far_key));
}

static void key_free(void *v)
{
	struct far_key *k = v;

	if (k == NULL)
		return;
	EVP_PKEY_free(k->pub);
	free(k);
}

/* The private half too, as it were. */
static int key_has(const void *v, int selection)
{
	const struct far_key *k = v;

	(void)selection;
	return k != NULL && k->pub != NULL;
}

static int key_match(const void *va, const void *vb, int selection)
{
	const struct far_key *a = va, *b = vb;

	(void)selection;
	return a->pub != NULL && b->pub != NULL &&
	    EVP_PKEY_eq(a->pub, b->pub) == 1;
}

static int key_get_params(void *v, OSSL_PARAM p[])
{
	const struct far_key *k = v;

	return k->pub != NULL && EVP_PKEY_get_params(k->pub, p) == 1;
}

static const OSSL_PARAM *key_gettable(void *provctx)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, NULL),
		OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, NULL),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)provctx;
	return list;
}

/* Only what tls_provider_key() gives. */
static int key_import(void *v, int selection, const OSSL_PARAM p[])
{
	const OSSL_PARAM *q = OSSL_PARAM_locate_const(p, PARAM_KEY);
	struct far_key *k = v, given;

	(void)selection;
	if (q == NULL || q->data == NULL || q->data_size != sizeof(given) ||
	    k->pub != NULL)
		return 0;
	memcpy(&given, q->data, sizeof(given));
	if (EVP_PKEY_up_ref(given.pub) != 1)
		return 0;
	*k = given;
	return 1;
}

static const OSSL_PARAM *key_import_types(int selection)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_octet_string(PARAM_KEY, NULL, 0),
		OSSL_PARAM_END
	};

	(void)selection;
	return list;
}

/*
 * Public parts, to be compared with a certificate's. Whoever asks for the
 * private half as well must get nothing at all: with the public one alone
 * libssl would go on, and sign in "default".
 */
static int key_export(void *v, int selection, OSSL_CALLBACK *cb, void *arg)
{
	const struct far_key *k = v;
	OSSL_PARAM *p = NULL;
	int ok;

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0 ||
	    k->pub == NULL)
		return 0;
	ok = EVP_PKEY_todata(k->pub, EVP_PKEY_PUBLIC_KEY, &p) == 1 &&
	    cb(p, arg) == 1;
	OSSL_PARAM_free(p);
	return ok;
}

static const OSSL_PARAM *key_export_types(int selection)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_N, NULL, 0),
		OSSL_PARAM_BN(OSSL_PKEY_PARAM_RSA_E, NULL, 0),
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, NULL, 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, NULL, 0),
		OSSL_PARAM_END
	};

	if ((selection & OSSL_KEYMGMT_SELECT_PRIVATE_KEY) != 0)
		return NULL;
	return list;
}

static const char *ec_operation(int operation)
{
	return operation == OSSL_OP_SIGNATURE ? "ECDSA" : "EC";
}

/* ---- signing: libssl does it in one call ---- */

static void *sign_new(void *provctx, const char *properties)
{
	(void)provctx;
	(void)properties;
	return calloc(1, sizeof(struct far_sign));
}

static void sign_free(void *v)
{
	free(v);
}

/* A number or a word, as libssl's version has it. To ask for the other one
 * would leave an error in the queue, which libssl takes for its own. */
static int set_padding(struct far_sign *s, const OSSL_PARAM *p)
{
	const char *word;
	int n;

	if (p->data_type == OSSL_PARAM_UTF8_STRING) {
		if (OSSL_PARAM_get_utf8_string_ptr(p, &word) != 1)
			return 0;
		s->is_pss = strcmp(word, OSSL_PKEY_RSA_PAD_MODE_PSS) == 0;
		return 1;
	}
	if (OSSL_PARAM_get_int(p, &n) != 1)
		return 0;
	s->is_pss = n == RSA_PKCS1_PSS_PADDING;
	return 1;
}

/* As long as the digest: what TLS has, and what is made over there. */
static int check_salt(const OSSL_PARAM *p)
{
	const char *word;
	int n;

	if (p->data_type != OSSL_PARAM_UTF8_STRING)
		return OSSL_PARAM_get_int(p, &n) == 1 &&
		    n == RSA_PSS_SALTLEN_DIGEST;
	return OSSL_PARAM_get_utf8_string_ptr(p, &word) == 1 &&
	    (strcmp(word, OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST) == 0 ||
	    strcmp(word, "-1") == 0);
}

static int sign_set_params(void *v, const OSSL_PARAM p[])
{
	struct far_sign *s = v;
	const OSSL_PARAM *q;

	if (p == NULL)
		return 1;
	q = OSSL_PARAM_locate_const(p, OSSL_SIGNATURE_PARAM_PAD_MODE);
	if (q != NULL && set_padding(s, q) != 1)
		return 0;
	q = OSSL_PARAM_locate_const(p, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
	return q == NULL || check_salt(q) == 1;
}

static const OSSL_PARAM *sign_settable(void *v, void *provctx)
{
	static const OSSL_PARAM list[] = {
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, NULL,
		    0),
		OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, NULL,
		    0),
		OSSL_PARAM_END
	};

	(void)v;
	(void)provctx;
	return list;
}

static int sign_init(void *v, const char *digest, void *key,
    const OSSL_PARAM p[])
{
	struct far_sign *s = v;

	if (key != NULL)
		s->key = key;
	s->is_pss = false;
	s->digest = digest_of(digest);
	return s->key != NULL && sign_set_params(s, p) == 1;
}

static int sign_once(void *v, unsigned char *sig, size_t *n, size_t size,
    const unsigned char *tbs, size_t tbs_n)
{
	struct far_sign *s = v;
	enum tls_sig alg = find_sig(s);
	struct err e = { 0 };
	struct buf b;
	int ok = 0;

	if (sig == NULL) {
		*n = (size_t)EVP_PKEY_get_size(s->key->pub);
		return 1;
	}
	if (!is_sig(alg) || loaded.sign == NULL)
		return 0;
	buf_init(&b, CAP_SIGNATURE);
	if (loaded.sign(loaded.arg, s->key->number, alg,
	    view_make(tbs, tbs_n), &b, &e) != 0 || buf_ok(&b, &e) != 0)
		ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL, "%s",
		    e.msg);
	else if (b.n > 0 && b.n <= size) {
		memcpy(sig, b.p, b.n);
		*n = b.n;
		ok = 1;
	}
	buf_free(&b);
	return ok;
}

/* ---- the provider ---- */

#define FN(id, f) { id, (void (*)(void))(f) }
#define KEY_FNS                                                            \
	FN(OSSL_FUNC_KEYMGMT_NEW, key_new),                                \
	FN(OSSL_FUNC_KEYMGMT_FREE, key_free),                              \
	FN(OSSL_FUNC_KEYMGMT_HAS, key_has),                                \
	FN(OSSL_FUNC_KEYMGMT_MATCH, key_match),                            \
	FN(OSSL_FUNC_KEYMGMT_GET_PARAMS, key_get_params),                  \
	FN(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, key_gettable),               \
	FN(OSSL_FUNC_KEYMGMT_IMPORT, key_import),                          \
	FN(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, key_import_types),              \
	FN(OSSL_FUNC_KEYMGMT_EXPORT, key_export),                          \
	FN(OSSL_FUNC_KEYMGMT_EXPORT_TYPES, key_export_types)

static const OSSL_DISPATCH key_fns[] = { KEY_FNS, { 0, NULL } };
static const OSSL_DISPATCH ec_fns[] = { KEY_FNS,
	FN(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, ec_operation),
	{ 0, NULL } };
static const OSSL_DISPATCH sign_fns[] = {
	FN(OSSL_FUNC_SIGNATURE_NEWCTX, sign_new),
	FN(OSSL_FUNC_SIGNATURE_FREECTX, sign_free),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, sign_init),
	FN(OSSL_FUNC_SIGNATURE_DIGEST_SIGN, sign_once),
	FN(OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, sign_set_params),
	FN(OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS, sign_settable),
	{ 0, NULL } };

static const OSSL_ALGORITHM key_kinds[] = {
	{ "RSA:rsaEncryption", PROPERTY, key_fns, "" },
	{ "EC:id-ecPublicKey", PROPERTY, ec_fns, "" },
	{ "ED25519", PROPERTY, key_fns, "" },
	{ NULL, NULL, NULL, NULL } };
static const OSSL_ALGORITHM sign_kinds[] = {
	{ "RSA:rsaEncryption", PROPERTY, sign_fns, "" },
	{ "ECDSA", PROPERTY, sign_fns, "" },
	{ "ED25519", PROPERTY, sign_fns, "" },
	{ NULL, NULL, NULL, NULL } };

static const OSSL_ALGORITHM *query(void *provctx, int operation, int *no_cache)
{
	(void)provctx;
	*no_cache = 0;
	if (operation == OSSL_OP_KEYMGMT)
		return key_kinds;
	return operation == OSSL_OP_SIGNATURE ? sign_kinds : NULL;
}

static int begin(const OSSL_CORE_HANDLE *core, const OSSL_DISPATCH *in,
    const OSSL_DISPATCH **out, void **provctx)
{
	static const OSSL_DISPATCH fns[] = {
		FN(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
		{ 0, NULL } };

	(void)core;
	(void)in;
	*out = fns;
	*provctx = &loaded;
	return 1;
}

/* "default" first, and by name: once one is loaded, none comes by itself. */
int tls_provider_load(tls_sign_there *sign, void *arg, struct err *e)
{
	static bool is_known; /* to libcrypto, for good */

	if (loaded.own != NULL)
		return err_set(e, FAIL_BUG, "provider: loaded already");
	ossl_clear();
	loaded.base = OSSL_PROVIDER_load(NULL, "default");
	if (!is_known && OSSL_PROVIDER_add_builtin(NULL, PROVIDER_NAME,
	    begin) == 1)
		is_known = true;
	if (loaded.base != NULL && is_known)
		loaded.own = OSSL_PROVIDER_load(NULL, PROVIDER_NAME);
	if (loaded.own == NULL) {
		(void)err_ossl(e, FAIL_TEMP, "provider for TLS keys");
		tls_provider_unload();
		return -1;
	}
	loaded.sign = sign;
	loaded.arg = arg;
	return 0;
}

void tls_provider_unload(void)
{
	if (loaded.own != NULL)
		(void)OSSL_PROVIDER_unload(loaded.own);
	if (loaded.base != NULL)
		(void)OSSL_PROVIDER_unload(loaded.base);
	memset(&loaded, 0, sizeof(loaded));
}

int tls_provider_key(EVP_PKEY **out, EVP_PKEY *pub, uint32_t number,
    struct err *e)
{
	static const char *const name[] = { "RSA", "EC", "ED25519" };
	struct far_key k = { number, TLS_KEY_RSA, pub };
	EVP_PKEY_CTX *c = NULL;
	OSSL_PARAM p[2];
	int rc = -1;

	*out = NULL;
	if (loaded.own == NULL)
		return err_set(e, FAIL_BUG, "provider: not loaded");
	if (tls_key_kind(pub, &k.kind, e) != 0)
		return -1;
	p[0] = OSSL_PARAM_construct_octet_string(PARAM_KEY, &k, sizeof(k));
	p[1] = OSSL_PARAM_construct_end();
	ossl_clear();
	c = EVP_PKEY_CTX_new_from_name(NULL, name[k.kind], PROPERTY);
	if (c == NULL || EVP_PKEY_fromdata_init(c) != 1 ||
	    EVP_PKEY_fromdata(c, out, EVP_PKEY_KEYPAIR, p) != 1) {
		*out = NULL;
		(void)err_ossl(e, FAIL_TEMP, "provider for TLS keys");
	} else
		rc = 0;
	EVP_PKEY_CTX_free(c);
	return rc;
}
