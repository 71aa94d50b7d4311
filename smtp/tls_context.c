/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Contexts of outgoing connections, and the CAs that they trust. Everything
 * of files is read here, at once: whoever uses it has a sandbox later, where
 * a folder of CAs cannot be looked into when a certificate needs it.
 */
#include "smtp/tls_verify.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "util/ossl.h"

#define CA_FILE_MAX (16 << 20) /* octets of a file in a folder of CAs */

/* ---- CAs ---- */

static int load_file(X509_LOOKUP *l, const char *path, struct err *e)
{
	ossl_clear();
	if (X509_load_cert_file(l, path, X509_FILETYPE_PEM) <= 0)
		return err_ossl(e, FAIL_CONFIG, "%s: no CA certificate in PEM",
		    path);
	return 0;
}

/* Other files may lie there, too; but some must be a CA. */
static int load_dir(X509_LOOKUP *l, const char *dir, struct err *e)
{
	struct dirent *d;
	struct stat st;
	struct buf path;
	DIR *f = opendir(dir);
	int n = 0;

	if (f == NULL)
		return err_sys(e, FAIL_CONFIG, "%s", dir);
	buf_init(&path, 8192);
	while ((d = readdir(f)) != NULL) {
		buf_clear(&path);
		buf_printf(&path, "%s/%s", dir, d->d_name);
		if (path.failed || stat(buf_str(&path), &st) != 0 ||
		    !S_ISREG(st.st_mode) || st.st_size > CA_FILE_MAX)
			continue;
		n += X509_load_cert_file(l, buf_str(&path),
		    X509_FILETYPE_PEM) > 0;
	}
	closedir(f);
	buf_free(&path);
	ossl_clear();
	return n > 0 ? 0 : err_set(e, FAIL_CONFIG, "%s: no file with a CA "
	    "certificate in PEM", dir);
}

static int load_system(X509_LOOKUP *l, struct err *e)
{
	const char *const file[] = { X509_get_default_cert_file(),
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt" };

	for (size_t i = 0; i < ARRAY_LEN(file); i++)
		if (access(file[i], R_OK) == 0)
			return load_file(l, file[i], e);
	return load_dir(l, X509_get_default_cert_dir(), e);
}

static int load_crl(X509_STORE *s, X509_LOOKUP *l, const char *crl,
    struct err *e)
{
	ossl_clear();
	if (X509_load_crl_file(l, crl, X509_FILETYPE_PEM) <= 0)
		return err_ossl(e, FAIL_CONFIG, "%s: no CRL in PEM", crl);
	if (X509_STORE_set_flags(s, X509_V_FLAG_CRL_CHECK) != 1)
		return err_ossl(e, FAIL_TEMP, "%s", crl);
	return 0;
}

static int load_all(X509_STORE *s, const char *file, const char *dir,
    const char *crl, struct err *e)
{
	X509_LOOKUP *l = X509_STORE_add_lookup(s, X509_LOOKUP_file());

	if (l == NULL)
		return err_ossl(e, FAIL_TEMP, "store of CAs");
	if (file == NULL && dir == NULL && load_system(l, e) != 0)
		return -1;
	if (file != NULL && load_file(l, file, e) != 0)
		return -1;
	if (dir != NULL && load_dir(l, dir, e) != 0)
		return -1;
	/* who was named by hand is believed, root or not (T41) */
	if ((file != NULL || dir != NULL) &&
	    X509_STORE_set_flags(s, X509_V_FLAG_PARTIAL_CHAIN) != 1)
		return err_ossl(e, FAIL_TEMP, "store of CAs");
	return crl == NULL ? 0 : load_crl(s, l, crl, e);
}

int tls_store_load(X509_STORE **out, const char *file, const char *dir,
    const char *crl, struct err *e)
{
	X509_STORE *s = X509_STORE_new();

	*out = NULL;
	if (s == NULL)
		return err_ossl(e, FAIL_TEMP, "store of CAs");
	if (load_all(s, file, dir, crl, e) != 0) {
		X509_STORE_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

/* ---- contexts ---- */

/*
 * The handshake goes on whoever is there: tls_want_check() looks at the
 * certificates afterwards, and can say what is wrong with them. Until then
 * SSL_get_verify_result() says that nothing was verified.
 */
static int judge_later(X509_STORE_CTX *c, void *arg UNUSED)
{
	X509_STORE_CTX_set_error(c, X509_V_ERR_UNSPECIFIED);
	return 1;
}

static int version_of(enum tls_version v, int any)
{
	static const int of[] = { [TLS_V_1_0] = TLS1_VERSION,
		[TLS_V_1_1] = TLS1_1_VERSION, [TLS_V_1_2] = TLS1_2_VERSION,
		[TLS_V_1_3] = TLS1_3_VERSION };

	return v == TLS_V_ANY ? any : of[v];
}

static bool may_be_anonymous(const struct tls_want *w)
{
	return w->allow_anonymous && !w->require_cert &&
	    (w->level == TLS_MAY || w->level == TLS_ENCRYPT);
}

/*
 * Where nobody is verified, a weak key is better than no TLS at all (may), and
 * TLS 1.1 and anonymous ciphers exist at OpenSSL's level 0 alone.
 */
static int security_level(const struct tls_want *w, int usual)
{
	if (w->level == TLS_MAY || may_be_anonymous(w) ||
	    w->min == TLS_V_1_0 || w->min == TLS_V_1_1)
		return 0;
	if (w->level == TLS_ENCRYPT && !w->require_cert)
		return usual > 1 ? 1 : usual;
	return usual;
}

/* The ciphers of TLS 1.2; those of 1.3 all have certificates. */
static int set_ciphers(SSL_CTX *c, const struct tls_want *w, struct err *e)
{
	bool anon = may_be_anonymous(w);
	struct buf b;
	int rc = 0;

	buf_init(&b, 1024);
	if (w->ciphers[0] != '\0')
		buf_puts(&b, w->ciphers);
	else /* without a certificate: if there is no other way */
		buf_puts(&b, anon ? "HIGH:+aNULL" : "HIGH");
	buf_puts(&b, ":!eNULL:!PSK:!SRP");
	if (!anon) /* T44 */
		buf_puts(&b, ":!aNULL");
	ossl_clear();
	SSL_CTX_set_security_level(c, security_level(w,
	    SSL_CTX_get_security_level(c)));
	if (b.failed || SSL_CTX_set_cipher_list(c, buf_str(&b)) != 1)
		rc = err_ossl(e, FAIL_CONFIG, "ciphers \"%s\" (%s)",
		    w->ciphers, w->because);
	buf_free(&b);
	return rc;
}

static int set_up(SSL_CTX *c, const struct tls_want *w, X509_STORE *store,
    struct err *e)
{
	ossl_clear();
	if (SSL_CTX_set_min_proto_version(c, version_of(w->min,
	    TLS1_2_VERSION)) != 1 || SSL_CTX_set_max_proto_version(c,
	    version_of(w->max, 0)) != 1)
		return err_ossl(e, FAIL_CONFIG, "protocols (%s)", w->because);
	if (set_ciphers(c, w, e) != 0)
		return -1;
	if (SSL_CTX_dane_enable(c) != 1)
		return err_ossl(e, FAIL_TEMP, "DANE");
	SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION |
	    SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS |
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c, judge_later, NULL);
	if (store != NULL)
		SSL_CTX_set1_cert_store(c, store);
	return 0;
}

int tls_want_context(SSL_CTX **out, const struct tls_want *w,
    X509_STORE *store, struct err *e)
{
	SSL_CTX *c = SSL_CTX_new(TLS_client_method());

	*out = NULL;
	if (c == NULL)
		return err_ossl(e, FAIL_TEMP, "TLS context");
	if (set_up(c, w, store, e) != 0) {
		SSL_CTX_free(c);
		return -1;
	}
	*out = c;
	return 0;
}
