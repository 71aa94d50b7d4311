/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What a start would read, read beforehand.
 */
#include "relay/tls_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/x509v3.h>

#include "fetch/resolver.h"
#include "relay/auth.h"
#include "relay/exec.h"
#include "relay/passwd.h"
#include "relay/tls.h"
#include "relay/tls_pem.h"
#include "smtp/tls_verify.h"
#include "util/listen.h"
#include "util/ossl.h"
#include "util/when.h"

#define SOON_S ((int64_t)30 * 86400)

/* ---- files ---- */

static int check_store(const char *what, const char *file, const char *dir,
    const char *crl, struct err *e)
{
	X509_STORE *s = NULL;
	int rc = tls_store_load(&s, file, dir, crl, e);

	X509_STORE_free(s);
	return rc == 0 || what == NULL ? rc : err_add(e, "%s", what);
}

static int check_stores(const struct relay_config *c, struct err *e)
{
	const struct ca_block *b;
	size_t i;

	for (i = 0; i < c->cas; i++) {
		b = &c->ca[i];
		if (check_store(NULL, b->file, b->dir, b->crl, e) != 0)
			return err_add(e, "ca %s", b->name);
	}
	return 0;
}

int relay_policy_files_check(const struct relay_config *c, struct err *e)
{
	if (c->anchor_file != NULL && access(c->anchor_file, R_OK) != 0)
		return err_sys(e, FAIL_CONFIG, "resolver: anchor %s",
		    c->anchor_file);
	return c->sts_ca == NULL ? 0 :
	    check_store("sts", c->sts_ca, NULL, NULL, e);
}

int relay_state_check(const struct relay_config *c, const struct ids *ids,
    struct err *e)
{
	uid_t uid = ids->uid == (uid_t)-1 ? geteuid() : ids->uid;
	struct stat st;

	if (c->state == NULL)
		return 0;
	if (stat(c->state, &st) == 0 && S_ISDIR(st.st_mode) &&
	    (st.st_uid == uid || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0))
		return 0;
	return err_set(e, FAIL_CONFIG, "state: %s is no folder that belongs "
	    "to the relay's user; make it with: install -d -o %s -m 0750 %s",
	    c->state, c->user == NULL ? "USER" : c->user, c->state);
}

static int check_spool(const struct relay_config *c, struct err *e)
{
	struct stat st;

	if (c->spool == NULL ||
	    (stat(c->spool, &st) == 0 && S_ISDIR(st.st_mode)))
		return 0;
	return err_set(e, FAIL_CONFIG, "spool: there is no folder %s",
	    c->spool);
}

/* Of a unix socket, which is made at the start. */
static int check_place(const char *where, const char *group, struct err *e)
{
	return listen_check_folder(where, e) != 0 || (group != NULL &&
	    listen_check_group(group, e) != 0) ? -1 : 0;
}

static int check_places(const struct listener *l, struct err *e)
{
	for (size_t i = 0; i < l->ons; i++)
		if (check_place(l->on[i].where, l->on[i].group, e) != 0)
			return err_add(e, "listen %s", l->name);
	return 0;
}

static int check_listener(const struct listener *l, struct err *e)
{
	static const unsigned char seed[32];
	struct auth_senders *s = NULL;
	struct passwd *p = NULL;

	if (check_places(l, e) != 0)
		return -1;
	if (tls_server_check(l, e) != 0)
		return err_add(e, "listen %s", l->name);
	if (l->auth.kind == AUTH_PASSWD) {
		if (passwd_open(&p, l->auth.path, seed, e) != 0)
			return err_add(e, "listen %s: auth passwd", l->name);
		passwd_free(&p);
	}
	if (relay_is_tunnel(l->protocol))
		return 0;
	if (auth_senders_load(&s, l, e) != 0)
		return err_add(e, "listen %s", l->name);
	auth_senders_free(&s);
	return 0;
}

/* A list of ciphers that is none would show with the first mail. */
static int check_rule(const struct tls_rule *r, struct err *e)
{
	struct tls_want *w = calloc(1, sizeof(*w));
	SSL_CTX *ctx = NULL;
	int rc;

	if (w == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	w->level = r->level;
	w->min = r->min;
	w->max = r->max;
	w->allow_anonymous = r->allow_anonymous;
	w->require_cert = r->require_cert;
	text_set(w->ciphers, sizeof(w->ciphers), r->ciphers);
	text_set(w->because, sizeof(w->because), "tls-policy");
	rc = tls_want_context(&ctx, w, NULL, e);
	SSL_CTX_free(ctx);
	free(w);
	return rc == 0 ? 0 : err_add(e, "%s:%d", r->file, r->line);
}

static int check_rules(const struct tls_rules *r, struct err *e)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->rule[i].ciphers != NULL &&
		    check_rule(&r->rule[i], e) != 0)
			return -1;
	return 0;
}

int relay_files_check(const struct relay_config *c, struct err *e)
{
	struct ids ids, keys;
	size_t i;

	if (child_user(c->user, "relay { }", &ids, e) != 0 ||
	    (c->keys_user != NULL &&
	    child_user(c->keys_user, "relay { }", &keys, e) != 0) ||
	    relay_state_check(c, &ids, e) != 0 || check_spool(c, e) != 0 ||
	    check_stores(c, e) != 0 || relay_policy_files_check(c, e) != 0 ||
	    check_rules(&c->rules, e) != 0)
		return -1;
	for (i = 0; i < c->listeners; i++)
		if (check_listener(&c->listener[i], e) != 0)
			return -1;
	if (c->socketmap != NULL && check_place(c->socketmap,
	    c->socketmap_group, e) != 0)
		return err_add(e, "socketmap");
	return exec_check(c, e);
}

static bool asks_dns(const struct relay_config *c)
{
	size_t i;

	for (i = 0; i < c->routes; i++)
		if (c->route[i].mx)
			return true;
	return c->socketmap != NULL;
}

static bool may_read(const struct ids *ids, const struct stat *st)
{
	return (st->st_mode & (st->st_uid == ids->uid ? S_IRUSR :
	    st->st_gid == ids->gid ? S_IRGRP : S_IROTH)) != 0;
}

/* Read by root at the start, and by the user when it was changed. */
static void warn_passwords(const struct relay_config *c,
    void (*say)(void *arg, const char *sentence), void *arg)
{
	struct err e = { 0 };
	struct stat st;
	struct ids ids;
	struct buf b;
	size_t i;

	if (geteuid() != 0 || c->user == NULL ||
	    child_user(c->user, "relay { }", &ids, &e) != 0)
		return;
	buf_init(&b, 8192);
	for (i = 0; i < c->listeners; i++) {
		const struct auth_block *a = &c->listener[i].auth;

		if (a->kind != AUTH_PASSWD || stat(a->path, &st) != 0 ||
		    may_read(&ids, &st))
			continue;
		buf_clear(&b);
		buf_printf(&b, "listen %s: auth passwd %s: %s may not read "
		    "it, so that a password that changes counts after a "
		    "reload alone: give it the group of %s and mode 0640",
		    c->listener[i].name, a->path, c->user, c->user);
		if (!b.failed)
			say(arg, buf_str(&b));
	}
	buf_free(&b);
}

void relay_files_warn(const struct relay_config *c,
    void (*say)(void *arg, const char *sentence), void *arg)
{
	struct err e = { 0 };

	warn_passwords(c, say, arg);
	if (!asks_dns(c) || resolver_check_anchor(c->anchor_file, &e) == 0)
		return;
	(void)err_add(&e, "resolver: all mail that wants the DNS will wait");
	say(arg, e.msg);
}

/* ---- certificates ---- */

struct look {
	const struct pki *p;
	int64_t now;
	bool is_shown; /* by a listener, to clients; else to next hops */
	cert_fault_say say;
	void *arg;
};

static void tell(const struct look *k, enum cert_fault f, const char *what)
{
	struct buf b;

	buf_init(&b, 5000);
	buf_printf(&b, "pki %s: %s: %s", k->p->name, k->p->cert, what);
	k->say(k->arg, f, k->p, buf_str(&b));
	buf_free(&b);
}

static int64_t seconds(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void look_at_time(const struct look *k, const X509 *x, int number)
{
	int64_t from = seconds(X509_get0_notBefore(x));
	int64_t until = seconds(X509_get0_notAfter(x));
	char date[WHEN_SIZE];
	struct buf b;

	buf_init(&b, 300);
	buf_printf(&b, "certificate %d ", number);
	if (until < k->now) {
		buf_printf(&b, "ended on %s", when_date(date, until));
		tell(k, CERT_REFUSED, buf_str(&b));
	} else if (from > k->now) {
		buf_printf(&b, "is valid from %s on: is the clock of this "
		    "machine right?", when_timestamp(date, from));
		tell(k, CERT_REFUSED, buf_str(&b));
	} else if (until < k->now + SOON_S) {
		buf_printf(&b, "ends on %s", when_date(date, until));
		tell(k, CERT_ENDS_SOON, buf_str(&b));
	}
	buf_free(&b);
}

static bool has_server_name(const X509 *x)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
	    NULL);
	bool has = false;
	int i;

	for (i = 0; i < sk_GENERAL_NAME_num(names); i++)
		has = has || sk_GENERAL_NAME_value(names, i)->type ==
		    GEN_DNS || sk_GENERAL_NAME_value(names, i)->type ==
		    GEN_IPADD;
	GENERAL_NAMES_free(names);
	return has;
}

static void look_at_leaf(const struct look *k, X509 *x)
{
	/* all bits where there is no such extension (RFC 5280 4.2.1.12) */
	uint32_t use = X509_get_extended_key_usage(x);

	if ((use & (k->is_shown ? XKU_SSL_SERVER : XKU_SSL_CLIENT)) == 0)
		tell(k, CERT_REFUSED, k->is_shown ?
		    "its extended key usage is not serverAuth" :
		    "its extended key usage is not clientAuth");
	if (k->is_shown && !has_server_name(x))
		tell(k, CERT_REFUSED, "no name of a server is in it (RFC 9525 "
		    "6.3: subjectAltName)");
}

/* As of the first certificate's own time: what is over was said. */
static bool is_known(STACK_OF(X509) *chain)
{
	X509_STORE *s = X509_STORE_new();
	X509_STORE_CTX *sc = X509_STORE_CTX_new();
	bool is = true;

	if (s != NULL && sc != NULL && X509_STORE_set_default_paths(s) == 1 &&
	    X509_STORE_CTX_init(sc, s, sk_X509_value(chain, 0), chain) == 1) {
		X509_STORE_CTX_set_flags(sc, X509_V_FLAG_NO_CHECK_TIME);
		is = X509_verify_cert(sc) == 1;
	}
	X509_STORE_CTX_free(sc);
	X509_STORE_free(s);
	ossl_clear();
	return is;
}

static bool is_shown(const struct relay_config *c, const char *pki)
{
	size_t i, k;

	for (i = 0; i < c->listeners; i++) {
		for (k = 0; k < c->listener[i].pkis; k++)
			if (strcmp(c->listener[i].pki[k], pki) == 0)
				return true;
		for (k = 0; k < c->listener[i].matches; k++)
			if (strcmp(c->listener[i].match[k].pki, pki) == 0)
				return true;
	}
	return false;
}

void relay_certs_check(const struct relay_config *c, int64_t now,
    cert_fault_say say, void *arg)
{
	STACK_OF(X509) *chain;
	size_t i;
	int n;

	for (i = 0; i < c->pkis; i++) {
		const struct look k = { &c->pki[i], now,
			is_shown(c, c->pki[i].name), say, arg };

		chain = NULL;
		if (tls_pem_chain(&chain, k.p->cert, NULL) != 0)
			continue;
		look_at_leaf(&k, sk_X509_value(chain, 0));
		for (n = 0; n < sk_X509_num(chain); n++)
			look_at_time(&k, sk_X509_value(chain, n), n + 1);
		if (k.is_shown && !is_known(chain))
			tell(&k, CERT_UNKNOWN, "none of this system's CAs "
			    "vouches for it: it is of a CA of your own, or "
			    "certificates between are missing in the file");
		sk_X509_pop_free(chain, X509_free);
	}
}
