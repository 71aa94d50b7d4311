/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Seals and opens what is held, and keeps it within what postseal.conf
 * allows. Decides nothing about mail.
 */
#include "gateway/held.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/sender_notice.h"
#include "smime/decrypt.h"
#include "smime/encrypt.h"
#include "util/log.h"

#define NO_CERT                                                         \
	"the keystore has no certificate to hold mail for: run postseal " \
	"quarantine init"

static int find_cert(struct keystore *ks, struct cert **out, struct err *e)
{
	if (keystore_held_cert(ks, out, e) != 0)
		return -1;
	return *out != NULL ? 0 : err_set(e, FAIL_CONFIG, NO_CERT);
}

int held_check(struct keystore *ks, const struct config *c, struct err *e)
{
	struct cert *cert = NULL;
	int rc;

	if (!c->quarantine.is_set)
		return 0;
	rc = find_cert(ks, &cert, e);
	cert_free(&cert);
	return rc;
}

/* Authenticated, so that damage is seen, whoever did it. */
int held_seal(struct keystore *ks, const struct spool *msg, int64_t now,
    struct spool *out, struct err *e)
{
	struct sink sink = spool_sink(out);
	struct cert *cert = NULL;
	struct enc_to to = { NULL, false };
	int rc;

	(void)now; /* that certificate does not end */
	if (find_cert(ks, &cert, e) != 0)
		return -1;
	to.cert = cert;
	rc = encrypt_der(msg, &to, 1, ENC_AES256_GCM, &sink, e);
	cert_free(&cert);
	return rc;
}

/* ---- opening ---- */

struct opener {
	const struct keyring *kr;
};

/* Nothing here signs. */
static int open_info(void *ctx, const unsigned char cert_sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e)
{
	const struct opener *o = ctx;

	return keyring_open(o->kr, cert_sha256, ri, cek_len, cek, e);
}

int held_open(const struct keyring *kr, const struct spool *s, uint64_t off,
    uint64_t size, struct spool *out, struct err *e)
{
	struct opener o = { kr };
	struct key_ops keys = { &o, NULL, open_info };
	const struct cms_rid *rid = NULL;
	const struct cert *cert = NULL;
	struct cms *c = NULL;
	int rc = -1;

	if (cms_read(&c, s, off, off + size, CTE_BINARY, e) != 0)
		return err_add(e, "held mail");
	if (cms_rids(c) == 1) {
		rid = cms_rid(c, 0);
		cert = keyring_named(kr, rid->id);
	}
	if (cms_type(c) != CMS_AUTH_ENVELOPED || cert == NULL)
		(void)err_set(e, FAIL_INPUT, "held mail: damaged, or sealed "
		    "for a key that is not here");
	else
		rc = cms_decrypt(c, rid, cert_sha256(cert), &keys, out, e);
	cms_free(&c);
	return rc;
}

/* ---- keeping ---- */

const char *held_path(const char *raw, struct buf *path)
{
	bool in_quotes = false;
	const char *s;

	for (s = raw; *s != '\0' && (in_quotes || *s != ' '); s++) {
		if (in_quotes && *s == '\\' && s[1] != '\0')
			s++;
		else if (*s == '"')
			in_quotes = !in_quotes;
	}
	buf_put(path, raw, (size_t)(s - raw));
	return s + strspn(s, " ");
}

/* It is kept whether its sender hears of it or not. */
static void tell_held(struct keystore *ks, const struct config *c,
    const struct held_mail *m)
{
	struct err e = {0};

	if (sender_notice_queue(ks, c, TOLD_HELD, m, m->at, &e) != 0)
		log_warn("event=notice-left-out id=%s reason=\"%s\"", m->id,
		    e.msg);
}

int held_keep(struct keystore *ks, const struct config *c,
    const struct held_mail *m, const struct spool *s, uint64_t off,
    struct err *e)
{
	struct held_mail x = *m;
	struct cert *cert = NULL;

	if (!c->quarantine.is_set)
		return err_set(e, FAIL_CONFIG, "no quarantine { } in %s",
		    c->path);
	if (find_cert(ks, &cert, e) != 0)
		return -1;
	memcpy(x.cert, cert_sha256(cert), sizeof(x.cert));
	cert_free(&cert);
	if (keystore_held_add(ks, &x, s, off, c->quarantine.size, e) != 0)
		return -1;
	tell_held(ks, c, &x);
	return 0;
}

/* ---- the end of its time ---- */

struct ids {
	char **v; /* owned, and its strings */
	size_t n;
};

static int add_id(void *arg, const struct held_mail *m, struct err *e)
{
	struct ids *ids = arg;
	char **more = reallocarray(ids->v, ids->n + 1, sizeof(*more));

	if (more == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	ids->v = more;
	more[ids->n] = strdup(m->id);
	if (more[ids->n] == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	ids->n++;
	return 0;
}

struct expiry {
	struct keystore *ks;
	const struct config *c;
	int64_t now;
	bool is_limited; /* its sender cannot be told now */
};

/* Only reads certificates' rows and adds to another table: the row that is
 * under the cursor stays. */
static int tell_expired(void *arg, const struct held_mail *m, struct err *e)
{
	struct expiry *x = arg;
	char line[1000];
	size_t n;

	if (sender_notice_queue(x->ks, x->c, TOLD_EXPIRED, m, x->now, e) != 0)
	{
		x->is_limited = e->kind == FAIL_LIMIT;
		return -1;
	}
	n = log_value(line, sizeof(line), 0, "from", m->sender);
	n = log_value(line, sizeof(line), n, "reason", m->reason);
	log_warn("event=held-expired id=%s %.*s", m->id, (int)n, line);
	return 0;
}

static int expire_one(struct expiry *x, const char *id, struct err *e)
{
	if (keystore_begin(x->ks, e) != 0)
		return -1;
	if (keystore_held_list(x->ks, id, 0, tell_expired, x, e) != 0 ||
	    keystore_held_remove(x->ks, id, "expire held mail", "", e) != 0) {
		keystore_rollback(x->ks);
		return -1;
	}
	return keystore_commit(x->ks, e);
}

int held_expire(struct keystore *ks, const struct config *c, int64_t now,
    size_t *n, struct err *e)
{
	struct expiry x = {ks, c, now, false};
	struct ids ids = {0};
	int rc = 0;

	*n = 0;
	if (c->quarantine.is_set)
		rc = keystore_held_list(ks, NULL, now - c->quarantine.keep_s,
		    add_id, &ids, e);
	for (size_t i = 0; i < ids.n; i++) {
		x.is_limited = false;
		if (rc == 0)
			rc = expire_one(&x, ids.v[i], e);
		*n += rc == 0;
		if (rc != 0 && x.is_limited) {
			err_clear(e);
			rc = 0;
		}
		free(ids.v[i]);
	}
	free(ids.v);
	return rc;
}
