/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The messages of SCRAM. Each step is taken once, in order; what does not
 * follow the grammar of RFC 5802 7 to the letter ends the exchange.
 */
#include "relay/scram.h"

#include <stdlib.h>
#include <string.h>

#include "smtp/base64.h"
#include "util/ossl.h"
#include "util/utf8.h"

#define NONCE_OCTETS 24

enum step { STEP_FIRST, STEP_CHALLENGE, STEP_FINAL, STEP_OVER };

struct scram {
	enum step step;
	char own_nonce[SCRAM_NONCE_MAX];
	char name[SCRAM_NAME];
	struct buf header;   /* gs2-header, as sent */
	struct buf nonce;    /* both parts */
	struct buf messages; /* AuthMessage so far */
	struct scram_verifier v;
};

/* ---- verifiers ---- */

static int derive(struct scram_verifier *v,
    const unsigned char salted[SCRAM_HASH], struct err *e)
{
	unsigned char client[SCRAM_HASH];
	int rc;

	rc = tls_scram_hmac(salted, SCRAM_HASH, view_of("Client Key"),
	    client, e);
	if (rc == 0)
		rc = tls_scram_hmac(salted, SCRAM_HASH,
		    view_of("Server Key"), v->server_key, e);
	if (rc == 0)
		ossl_sha256(client, sizeof(client), v->stored_key);
	ossl_wipe(client, sizeof(client));
	return rc;
}

int scram_make(struct scram_verifier *v, struct view password,
    unsigned iterations, struct err *e)
{
	unsigned char salted[SCRAM_HASH];
	int rc;

	memset(v, 0, sizeof(*v));
	v->iterations = iterations;
	v->salt_n = 16;
	ossl_random(v->salt, v->salt_n);
	rc = tls_scram_salted(password, view_make(v->salt, v->salt_n),
	    iterations, salted, e);
	if (rc == 0)
		rc = derive(v, salted, e);
	ossl_wipe(salted, sizeof(salted));
	return rc;
}

int scram_mock(struct scram_verifier *v, const unsigned char seed[32],
    const char *name, unsigned iterations, struct err *e)
{
	unsigned char salt[SCRAM_HASH];

	memset(v, 0, sizeof(*v));
	v->iterations = iterations;
	v->salt_n = 16;
	if (tls_scram_hmac(seed, 32, view_of(name), salt, e) != 0)
		return -1;
	memcpy(v->salt, salt, v->salt_n);
	ossl_random(v->stored_key, sizeof(v->stored_key));
	ossl_random(v->server_key, sizeof(v->server_key));
	return 0;
}

void scram_verifier_print(const struct scram_verifier *v, struct buf *out)
{
	buf_printf(out, "SCRAM-SHA-256$%u:", v->iterations);
	base64_encode(out, view_make(v->salt, v->salt_n));
	buf_putc(out, '$');
	base64_encode(out, view_make(v->stored_key, SCRAM_HASH));
	buf_putc(out, ':');
	base64_encode(out, view_make(v->server_key, SCRAM_HASH));
}

/* Up to c, and step over it. */
static int take_to(struct view *v, int c, struct view *out)
{
	size_t at = view_chr(*v, c, 0);

	if (at == (size_t)-1)
		return -1;
	*out = view_sub(*v, 0, at);
	*v = view_sub(*v, at + 1, v->n);
	return 0;
}

/* Base64 of exactly n octets. */
static int take_octets(void *dst, size_t n, struct view text)
{
	struct buf b;
	int rc;

	buf_init_secret(&b, n);
	rc = base64_decode(&b, text);
	if (rc == 0 && b.n != n)
		rc = -1;
	if (rc == 0)
		memcpy(dst, b.p, n);
	buf_free(&b);
	return rc;
}

/* RFC 5802 7: posit-number. */
static int take_iterations(struct view text, unsigned *out)
{
	unsigned long x = 0;
	size_t i;

	if (text.n == 0 || text.n > 8 || text.p[0] == '0')
		return -1;
	for (i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return -1;
		x = x * 10 + (unsigned long)(text.p[i] - '0');
	}
	if (x < SCRAM_ITERATIONS_MIN || x > SCRAM_ITERATIONS_MAX)
		return -1;
	*out = (unsigned)x;
	return 0;
}

static int take_salt(struct scram_verifier *v, struct view text)
{
	struct buf b;
	int rc;

	buf_init(&b, SCRAM_SALT_MAX);
	rc = base64_decode(&b, text);
	if (rc == 0 && b.n < SCRAM_SALT_MIN)
		rc = -1;
	if (rc == 0) {
		memcpy(v->salt, b.p, b.n);
		v->salt_n = b.n;
	}
	buf_free(&b);
	return rc;
}

int scram_verifier_parse(struct scram_verifier *v, struct view text,
    struct err *e)
{
	struct view name, count, salt, stored;

	memset(v, 0, sizeof(*v));
	if (take_to(&text, '$', &name) != 0 ||
	    !view_eq_str(name, "SCRAM-SHA-256"))
		return err_set(e, FAIL_INPUT, "no verifier: wanted "
		    "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY");
	if (take_to(&text, ':', &count) != 0 ||
	    take_iterations(count, &v->iterations) != 0)
		return err_set(e, FAIL_INPUT, "verifier: iterations, wanted "
		    "%d to %d (RFC 7677 4)", SCRAM_ITERATIONS_MIN,
		    SCRAM_ITERATIONS_MAX);
	if (take_to(&text, '$', &salt) != 0 || take_salt(v, salt) != 0)
		return err_set(e, FAIL_INPUT, "verifier: salt, wanted base64 "
		    "of %d to %d octets", SCRAM_SALT_MIN, SCRAM_SALT_MAX);
	if (take_to(&text, ':', &stored) != 0 ||
	    take_octets(v->stored_key, SCRAM_HASH, stored) != 0 ||
	    take_octets(v->server_key, SCRAM_HASH, text) != 0)
		return err_set(e, FAIL_INPUT, "verifier: keys, wanted base64 "
		    "of %d octets each", SCRAM_HASH);
	return 0;
}

/* ---- an exchange ---- */

static bool is_nonce(struct view v)
{
	size_t i;

	for (i = 0; i < v.n; i++)
		if (v.p[i] < 0x21 || v.p[i] > 0x7e || v.p[i] == ',')
			return false;
	return v.n > 0 && v.n <= SCRAM_NONCE_MAX;
}

int scram_new(struct scram **out, const char *nonce, struct err *e)
{
	unsigned char r[NONCE_OCTETS];
	struct scram *s = calloc(1, sizeof(*s));
	struct buf b;

	if (s == NULL)
		return err_set(e, FAIL_TEMP, "out of memory");
	buf_init_secret(&s->header, SCRAM_MESSAGE);
	buf_init_secret(&s->nonce, 2 * SCRAM_NONCE_MAX);
	buf_init_secret(&s->messages, 3 * SCRAM_MESSAGE);
	buf_init(&b, SCRAM_NONCE_MAX);
	if (nonce != NULL) {
		buf_puts(&b, nonce);
	} else {
		ossl_random(r, sizeof(r));
		base64_encode(&b, view_make(r, sizeof(r)));
	}
	text_set(s->own_nonce, sizeof(s->own_nonce), buf_str(&b));
	buf_free(&b);
	*out = s;
	return 0;
}

void scram_free(struct scram **s)
{
	if (*s == NULL)
		return;
	buf_free(&(*s)->header);
	buf_free(&(*s)->nonce);
	buf_free(&(*s)->messages);
	ossl_wipe(*s, sizeof(**s));
	free(*s);
	*s = NULL;
}

const char *scram_name(const struct scram *s)
{
	return s->name;
}

/* RFC 5802 5.1: "=2C" and "=3D" stand for comma and equals sign. */
static int take_name(struct view v, char name[SCRAM_NAME])
{
	struct view code;
	size_t i, n = 0;

	for (i = 0; i < v.n; i++) {
		if (n + 1 >= SCRAM_NAME || v.p[i] == '\0')
			return -1;
		name[n] = (char)v.p[i];
		if (v.p[i] == '=') {
			code = view_sub(v, i, 3);
			if (!view_eq_str(code, "=2C") &&
			    !view_eq_str(code, "=3D"))
				return -1;
			name[n] = code.p[2] == 'C' ? ',' : '=';
			i += 2;
		}
		n++;
	}
	name[n] = '\0';
	return n > 0 && utf8_is_valid(v) ? 0 : -1;
}

/* One attribute "x=value" up to a comma or the end. */
static int take_attribute(struct view *m, int letter, struct view *value)
{
	if (m->n < 2 || m->p[0] != letter || m->p[1] != '=')
		return -1;
	*m = view_sub(*m, 2, m->n);
	if (take_to(m, ',', value) == 0)
		return m->n > 0 ? 0 : -1;
	*value = *m;
	*m = view_sub(*m, m->n, 0);
	return 0;
}

/* What may follow: "x=value" of letters that we do not know (RFC 5802 5.1),
 * and which is left out. */
static int skip_extensions(struct view *m, int until)
{
	struct view value;
	int c;

	while (m->n > 0 && m->p[0] != until) {
		c = m->p[0];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) ||
		    take_attribute(m, c, &value) != 0 || value.n == 0)
			return -1;
	}
	return 0;
}

/* gs2-header: what is left of m is client-first-message-bare. */
static int take_header(struct scram *s, struct view *m,
    char authzid[SCRAM_NAME], struct err *e)
{
	struct view all = *m, flag, who;

	authzid[0] = '\0';
	if (take_to(m, ',', &flag) != 0 || take_to(m, ',', &who) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5802 7: no gs2-header");
	if (view_istarts(flag, "p="))
		return err_set(e, FAIL_INPUT, "RFC 5802 6: channel binding, "
		    "which was not offered");
	if (!view_eq_str(flag, "n") && !view_eq_str(flag, "y"))
		return err_set(e, FAIL_INPUT, "RFC 5802 7: no "
		    "gs2-cbind-flag");
	if (who.n > 0 && (who.n < 2 || who.p[0] != 'a' || who.p[1] != '=' ||
	    take_name(view_sub(who, 2, who.n), authzid) != 0))
		return err_set(e, FAIL_INPUT, "RFC 5802 7: authzid");
	buf_putv(&s->header, view_sub(all, 0, all.n - m->n));
	return 0;
}

static int check_text(struct view message, struct err *e)
{
	if (message.n > SCRAM_MESSAGE)
		return err_set(e, FAIL_INPUT, "SCRAM: message of %zu octets, "
		    "at most %d", message.n, SCRAM_MESSAGE);
	if (!utf8_is_valid(message) || view_chr(message, 0, 0) != (size_t)-1)
		return err_set(e, FAIL_INPUT, "RFC 5802 5.1: not UTF-8 "
		    "without NUL");
	return 0;
}

int scram_first(struct scram *s, struct view message, struct err *e)
{
	char authzid[SCRAM_NAME];
	struct view bare, name, nonce;

	if (s->step != STEP_FIRST)
		return err_set(e, FAIL_INPUT, "SCRAM: a message too many");
	s->step = STEP_OVER;
	if (check_text(message, e) != 0)
		return -1;
	if (take_header(s, &message, authzid, e) != 0)
		return -1;
	bare = message;
	if (message.n > 0 && message.p[0] == 'm')
		return err_set(e, FAIL_INPUT, "RFC 5802 5.1: a mandatory "
		    "extension, there is none");
	if (take_attribute(&message, 'n', &name) != 0 ||
	    take_name(name, s->name) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5802 7: user name");
	if (take_attribute(&message, 'r', &nonce) != 0 || !is_nonce(nonce) ||
	    skip_extensions(&message, -1) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5802 7: nonce");
	if (authzid[0] != '\0' && strcmp(authzid, s->name) != 0)
		return err_set(e, FAIL_POLICY, "authzid is not the user's "
		    "own name");
	buf_putv(&s->nonce, nonce);
	buf_puts(&s->nonce, s->own_nonce);
	buf_putv(&s->messages, bare);
	s->step = STEP_CHALLENGE;
	return buf_ok(&s->nonce, e) != 0 ? -1 : buf_ok(&s->header, e);
}

int scram_challenge(struct scram *s, const struct scram_verifier *v,
    struct buf *out, struct err *e)
{
	size_t had = out->n;

	if (s->step != STEP_CHALLENGE)
		return err_set(e, FAIL_BUG, "SCRAM: no challenge now");
	s->v = *v;
	buf_puts(out, "r=");
	buf_putv(out, buf_view(&s->nonce));
	buf_puts(out, ",s=");
	base64_encode(out, view_make(v->salt, v->salt_n));
	buf_printf(out, ",i=%u", v->iterations);
	buf_putc(&s->messages, ',');
	buf_putv(&s->messages, view_sub(buf_view(out), had, out->n));
	if (buf_ok(out, e) != 0 || buf_ok(&s->messages, e) != 0)
		return -1;
	s->step = STEP_FINAL;
	return 0;
}

/* Channel binding and nonce must be those of before; what is left of m
 * begins with the proof. */
static int check_final(struct scram *s, struct view *m, struct err *e)
{
	struct view binding, nonce;
	struct buf header;
	bool same;

	buf_init(&header, SCRAM_MESSAGE);
	if (take_attribute(m, 'c', &binding) != 0 ||
	    base64_decode(&header, binding) != 0) {
		buf_free(&header);
		return err_set(e, FAIL_INPUT, "RFC 5802 7: channel binding");
	}
	same = view_eq(buf_view(&header), buf_view(&s->header));
	buf_free(&header);
	/* who changed "y" to "n" on the way took PLUS out of our offer */
	if (!same)
		return err_set(e, FAIL_POLICY, "RFC 5802 5.1: the gs2-header "
		    "is not the one of before");
	if (take_attribute(m, 'r', &nonce) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5802 7: nonce");
	if (!view_eq(nonce, buf_view(&s->nonce)))
		return err_set(e, FAIL_POLICY, "RFC 5802 5.1: another nonce");
	if (skip_extensions(m, 'p') != 0)
		return err_set(e, FAIL_INPUT, "RFC 5802 7: extensions");
	return 0;
}

/* RFC 5802 3: ClientProof XOR ClientSignature is the ClientKey. */
static int check_proof(const struct scram *s,
    const unsigned char proof[SCRAM_HASH], struct err *e)
{
	unsigned char key[SCRAM_HASH], hash[SCRAM_HASH];
	bool same;
	size_t i;

	if (tls_scram_hmac(s->v.stored_key, SCRAM_HASH,
	    buf_view(&s->messages), key, e) != 0)
		return -1;
	for (i = 0; i < SCRAM_HASH; i++)
		key[i] ^= proof[i];
	ossl_sha256(key, sizeof(key), hash);
	same = ossl_same(hash, s->v.stored_key, SCRAM_HASH);
	ossl_wipe(key, sizeof(key));
	return same ? 0 : err_set(e, FAIL_POLICY, "the proof is wrong");
}

int scram_final(struct scram *s, struct view message, struct buf *out,
    struct err *e)
{
	unsigned char proof[SCRAM_HASH], signature[SCRAM_HASH];
	struct view all = message, text;

	if (s->step != STEP_FINAL)
		return err_set(e, FAIL_INPUT, "SCRAM: a message too many");
	s->step = STEP_OVER;
	if (check_text(message, e) != 0)
		return -1;
	if (check_final(s, &message, e) != 0)
		return -1;
	/* all but ",p=..." is what is signed */
	all = view_sub(all, 0, all.n - message.n);
	if (take_attribute(&message, 'p', &text) != 0 || message.n > 0 ||
	    take_octets(proof, sizeof(proof), text) != 0)
		return err_set(e, FAIL_INPUT, "RFC 5802 7: proof");
	buf_putc(&s->messages, ',');
	buf_putv(&s->messages, view_sub(all, 0, all.n - 1));
	if (buf_ok(&s->messages, e) != 0 || check_proof(s, proof, e) != 0)
		return -1;
	if (tls_scram_hmac(s->v.server_key, SCRAM_HASH,
	    buf_view(&s->messages), signature, e) != 0)
		return -1;
	buf_puts(out, "v=");
	base64_encode(out, view_make(signature, sizeof(signature)));
	return buf_ok(out, e);
}
