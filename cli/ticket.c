/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The keys process, played by the command: rights are asked before every
 * operation, as there.
 */
#include "cli/ticket.h"

#include "gateway/authority.h"

static bool may_sign(const struct cli_ticket *t, const struct cert *cert)
{
	const struct config *c = t->c->config;
	const struct list_reader lists = list_reader_of_store(t->c->ks);
	const struct authority au = {c, &lists};
	const struct asker who = {t->env->auth == ENV_AUTH_LOGIN
	    ? t->env->login : NULL, t->env->client_ip};
	bool may;

	if (t->env->auth != ENV_AUTH_CALLER)
		return authority_signs_cert(&au, &who, cert, &may,
		    NULL) == 0 && may;
	for (size_t i = 0; i < cert_addresses(cert); i++)
		if (config_is_local(c, cert_address(cert, i)))
			return true;
	return false;
}

static int ticket_sign(void *ctx, const unsigned char cert_sha256[32],
    enum sig_alg alg, struct view attrs, struct buf *sig, struct err *e)
{
	const struct cli_ticket *t = ctx;
	const struct cert *cert = keyring_cert(t->c->keyring, cert_sha256);

	if (cert == NULL)
		return err_set(e, FAIL_INPUT, "no such private key");
	if (!may_sign(t, cert))
		return err_set(e, FAIL_POLICY,
		    "no right to sign with this key");
	return keyring_sign(t->c->keyring, cert_sha256, alg, attrs, sig, e);
}

static bool may_open(const struct cli_ticket *t, const struct cert *cert)
{
	const struct list_reader lists = list_reader_of_store(t->c->ks);
	const struct authority au = {t->c->config, &lists};
	enum opens opens;

	for (size_t i = 0; i < t->rcpts; i++)
		if (authority_opens(&au, &t->rcpt[i], cert, &opens,
		    NULL) == 0 && opens != OPENS_NOT)
			return true;
	return false;
}

static int ticket_open(void *ctx, const unsigned char cert_sha256[32],
    struct view ri, size_t cek_len, unsigned char cek[CAP_CEK],
    struct err *e)
{
	const struct cli_ticket *t = ctx;
	const struct cert *cert = keyring_cert(t->c->keyring, cert_sha256);

	if (cert == NULL)
		return err_set(e, FAIL_INPUT, "no such private key");
	if (!may_open(t, cert))
		return err_set(e, FAIL_POLICY,
		    "no right to open with this key");
	return keyring_open(t->c->keyring, cert_sha256, ri, cek_len, cek, e);
}

struct key_ops cli_ticket_ops(struct cli_ticket *t)
{
	return (struct key_ops){t, ticket_sign, ticket_open};
}
