/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The verdict for programs (postseal-verdict(7)) and as a log line.
 */
#include "gateway/verdict.h"

#include <string.h>

#include "util/log.h"

static const char *or_null(const char *s)
{
	return s == NULL || *s == '\0' ? NULL : s;
}

static void put_reply(struct json *j, const struct verdict *v)
{
	if (v->code == 0) {
		json_null(j, "reply");
		return;
	}
	json_object(j, "reply");
	json_int(j, "code", v->code);
	json_str(j, "enhanced", v->enhanced);
	json_str(j, "text", v->text);
	json_end_object(j);
}

/* "" is the null sender, and is said. */
static void put_envelope(struct json *j, const struct verdict *v)
{
	json_str(j, "queue_id", or_null(v->queue_id));
	if (v->at == 0)
		json_null(j, "time");
	else
		json_int(j, "time", v->at);
	json_str(j, "sender", v->sender);
	json_str(j, "login", or_null(v->login));
}

/* What would have been, where nothing is done. */
static void put_would(struct json *j, const struct verdict *v)
{
	json_bool(j, "observed", v->observed);
	if (!v->observed) {
		json_null(j, "would");
		return;
	}
	json_object(j, "would");
	json_str(j, "action", action_str(v->would));
	if (v->would_code == 0)
		json_null(j, "code");
	else
		json_int(j, "code", v->would_code);
	json_str(j, "text", or_null(v->would_text));
	json_end_object(j);
}

/* The treatments one by one; treatment_print knows the words. */
static void put_wanted(struct json *j, const struct treatment *t)
{
	struct buf b;
	struct view all;
	size_t start = 0, comma;

	buf_init(&b, 65536);
	treatment_print(t, &b);
	all = buf_view(&b);
	json_array(j, "wanted");
	/* a refusal stands alone, and its text may have commas */
	while (t->refuse == NULL && start < all.n) {
		comma = view_chr(all, ',', start);
		if (comma == (size_t)-1)
			comma = all.n;
		json_view(j, NULL, view_trim(view_sub(all, start,
		    comma - start)));
		start = comma + 1;
	}
	if (t->refuse != NULL)
		json_view(j, NULL, all);
	json_end_array(j);
	buf_free(&b);
}

static void put_cert(struct json *j, const char *key,
    const struct verdict_cert *c)
{
	json_object(j, key);
	json_str(j, "sha256", c->sha256);
	json_str(j, "subject", c->subject);
	json_int(j, "not_after", c->not_after);
	if (c->source[0] != '\0')
		json_str(j, "source", c->source);
	json_end_object(j);
}

static void put_certs(struct json *j, const struct verdict_rcpt *r)
{
	json_array(j, "certificates");
	for (size_t i = 0; i < r->certs; i++)
		put_cert(j, NULL, &r->cert[i]);
	json_end_array(j);
	json_array(j, "passed_over");
	for (size_t i = 0; i < r->overs; i++) {
		json_object(j, NULL);
		json_str(j, "sha256", r->over[i].sha256);
		json_str(j, "reason", r->over[i].reason);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_encryption(struct json *j, const struct verdict_rcpt *r)
{
	if (r->cipher[0] == '\0') {
		json_null(j, "encryption");
		return;
	}
	json_object(j, "encryption");
	json_str(j, "cipher", r->cipher);
	json_str(j, "key_transport", r->key_transport);
	json_str(j, "capabilities", or_null(r->capabilities));
	json_end_object(j);
}

static void put_line(struct json *j, const char *key,
    const struct rule_ref *ref)
{
	json_object(j, key);
	json_str(j, "file", ref->file);
	json_int(j, "line", ref->line);
	json_str(j, "text", ref->text);
	json_end_object(j);
}

static void put_rule(struct json *j, const struct verdict_rcpt *r)
{
	if (r->rule.file == NULL)
		json_null(j, "rule");
	else
		put_line(j, "rule", &r->rule);
	json_array(j, "also");
	for (size_t i = 0; i < r->alsos; i++)
		put_line(j, NULL, &r->also[i]);
	json_end_array(j);
}

static void put_rcpt(struct json *j, const struct verdict_rcpt *r)
{
	json_object(j, NULL);
	json_str(j, "address", r->address);
	put_rule(j, r);
	put_wanted(j, &r->wanted);
	json_str(j, "outcome", outcome_str(r->outcome));
	if (r->group == 0)
		json_null(j, "group");
	else
		json_int(j, "group", r->group);
	put_certs(j, r);
	put_encryption(j, r);
	json_str(j, "reason", or_null(r->reason));
	json_end_object(j);
}

static void put_signed_with(struct json *j, const struct verdict *v)
{
	if (v->made_algorithm == NULL) {
		json_null(j, "signed_with");
		return;
	}
	json_object(j, "signed_with");
	json_str(j, "algorithm", v->made_algorithm);
	put_cert(j, "certificate", &v->made_by);
	json_end_object(j);
}

static void put_signature(struct json *j, const struct verdict *v)
{
	json_object(j, "signature");
	json_str(j, "result", v->sig_result);
	json_str(j, "signer", or_null(v->sig_signer));
	json_bool(j, "from_match", v->sig_from_match);
	json_str(j, "domain", or_null(v->sig_domain));
	json_str(j, "part", or_null(v->sig_part));
	json_str(j, "algorithm", or_null(v->sig_algorithm));
	json_str(j, "chain", or_null(v->sig_chain));
	json_str(j, "revocation", v->sig_revocation);
	json_str(j, "failed_step", or_null(v->sig_step));
	json_str(j, "reason", or_null(v->sig_reason));
	json_end_object(j);
}

static void put_decryption(struct json *j, const struct verdict *v)
{
	json_object(j, "decryption");
	json_str(j, "result", v->dec_result);
	json_str(j, "cipher", or_null(v->dec_cipher));
	json_str(j, "key_transport", or_null(v->dec_transport));
	json_str(j, "recipient", or_null(v->dec_recipient));
	if (v->dec_cipher[0] == '\0')
		json_null(j, "authenticated");
	else
		json_bool(j, "authenticated", v->dec_authenticated);
	json_str(j, "reason", or_null(v->dec_reason));
	json_end_object(j);
}

/* The next line of a list of lines; false at the end. */
static bool next_line(struct view *all, struct view *line)
{
	size_t n = view_chr(*all, '\n', 0);

	if (n == (size_t)-1)
		return false;
	*line = view_sub(*all, 0, n);
	*all = view_sub(*all, n + 1, all->n);
	return true;
}

static void put_layers(struct json *j, const struct verdict *v)
{
	struct view all = buf_view(&v->layers), line;

	json_array(j, "layers");
	while (next_line(&all, &line)) {
		size_t a = view_chr(line, ' ', 0);
		size_t b = view_chr(line, ' ', a + 1);

		json_object(j, NULL);
		json_view(j, "kind", view_sub(line, 0, a));
		json_view(j, "part", view_sub(line, a + 1,
		    b - a - 1));
		if (view_eq_str(view_sub(line, b + 1, line.n), "-"))
			json_null(j, "result");
		else
			json_view(j, "result", view_sub(line, b + 1, line.n));
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_lines(struct json *j, const char *key, const struct buf *b)
{
	struct view all = buf_view(b), line;

	json_array(j, key);
	while (next_line(&all, &line))
		json_view(j, NULL, line);
	json_end_array(j);
}

/* Messages beside the one that goes on in the transaction, which is for the
 * recipients of group here. */
static void put_copies(struct json *j, const struct verdict *v)
{
	if (v->here == 0)
		json_null(j, "here");
	else
		json_int(j, "here", v->here);
	json_array(j, "copies");
	for (size_t i = 0; i < v->copy_n; i++) {
		const struct copy *c = &v->copy[i];

		json_object(j, NULL);
		json_str(j, "kind", c->kind == COPY_HELD ? "held" : "sent");
		json_int(j, "group", c->group);
		json_str(j, "route", c->by_tls ? "tls" : NULL);
		json_int(j, "size", (int64_t)c->size);
		json_end_object(j);
	}
	json_end_array(j);
}

static void put_harvest(struct json *j, const struct harvested *h)
{
	if (h->state == NULL) {
		json_null(j, "harvest");
		return;
	}
	json_object(j, "harvest");
	json_str(j, "address", h->address);
	json_str(j, "sha256", h->sha256);
	json_str(j, "state", h->state);
	json_str(j, "reason", or_null(h->reason));
	json_end_object(j);
}

void verdict_json(const struct verdict *v, struct buf *out)
{
	struct json j;

	json_init(&j, out);
	json_object(&j, NULL);
	json_int(&j, "version", 1);
	json_str(&j, "id", v->id);
	put_envelope(&j, v);
	json_str(&j, "direction", v->mixed ? "mixed"
	    : v->direction == 0		   ? NULL
					   : direction_str(v->direction));
	json_str(&j, "class", class_str(v->class));
	json_str(&j, "action", action_str(v->action));
	put_reply(&j, v);
	put_would(&j, v);
	json_array(&j, "recipients");
	for (size_t i = 0; i < v->rcpts; i++)
		put_rcpt(&j, &v->rcpt[i]);
	json_end_array(&j);
	put_signed_with(&j, v);
	put_signature(&j, v);
	put_decryption(&j, v);
	put_layers(&j, v);
	put_harvest(&j, &v->harvested);
	put_copies(&j, v);
	put_lines(&j, "headers_restored", &v->restored);
	put_lines(&j, "warnings", &v->warnings);
	json_int(&j, "size_in", (int64_t)v->size_in);
	json_int(&j, "size_out", (int64_t)v->size_out);
	json_int(&j, "timing_us", v->timing_us);
	json_end_object(&j);
}

/* ---- the log line ---- */

static void put_pair(struct buf *out, const char *key, const char *raw_value)
{
	char pair[1200];
	size_t n = log_value(pair, sizeof(pair), 0, key, raw_value);

	if (out->n != 0 && n != 0)
		buf_putc(out, ' ');
	buf_put(out, pair, n);
}

static void put_number(struct buf *out, const char *key, int64_t x)
{
	buf_printf(out, " %s=%lld", key, (long long)x);
}

static void log_rcpt(const struct verdict_rcpt *r, struct buf *out)
{
	const char *slash;

	put_pair(out, "to", r->address);
	put_pair(out, "outcome", outcome_str(r->outcome));
	if (r->rule.file != NULL) {
		slash = strrchr(r->rule.file, '/');
		buf_printf(out, " rule=%s:%d",
		    slash == NULL ? r->rule.file : slash + 1, r->rule.line);
	}
	if (r->reason[0] != '\0')
		put_pair(out, "reason", r->reason);
}

void verdict_log_line(const struct verdict *v, const char *queue_id,
    struct buf *out)
{
	put_pair(out, "id", v->id);
	put_pair(out, "qid", queue_id);
	put_pair(out, "direction", v->mixed ? "mixed"
	    : v->direction == 0		    ? "-"
					    : direction_str(v->direction));
	put_pair(out, "class", class_str(v->class));
	put_pair(out, "action", action_str(v->action));
	if (v->code != 0) {
		put_number(out, "reply", v->code);
		put_pair(out, "enhanced", v->enhanced);
	}
	if (v->observed) {
		put_pair(out, "observe", "yes");
		put_pair(out, "would", action_str(v->would));
	}
	if (v->observed && v->would_code != 0)
		put_number(out, "would-reply", v->would_code);
	if (strcmp(v->sig_result, "none") != 0) {
		put_pair(out, "signature", v->sig_result);
		if (v->sig_step[0] != '\0')
			put_pair(out, "step", v->sig_step);
		if (v->sig_signer[0] != '\0')
			put_pair(out, "signer", v->sig_signer);
	}
	if (strcmp(v->dec_result, "none") != 0)
		put_pair(out, "decryption", v->dec_result);
	if (v->copy_n != 0)
		put_number(out, "groups", (int64_t)v->copy_n + (v->here != 0));
	put_number(out, "size", (int64_t)v->size_in);
	put_number(out, "us", v->timing_us);
	for (size_t i = 0; i < v->rcpts && !out->failed; i++)
		log_rcpt(&v->rcpt[i], out);
}
