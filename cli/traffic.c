/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * From one verdict into the tallies. Of a message that was only observed,
 * what would have been is what counts.
 */
#include "cli/traffic.h"

#include <string.h>

#define WORD 64
#define TEXT 300

struct record {
	struct traffic *r;
	const char *id;
	const struct json_tree *t;
	const struct json_node *v;
	const struct json_node *reply; /* or would */
	bool observed;
	bool outgoing;
	char direction[WORD], action[WORD], class[WORD];
};

static const struct json_node *member(const struct record *x,
    const struct json_node *of, const char *key)
{
	return json_get(x->t, of, key);
}

static void count_in(struct tally *t, const char *key, const char *id,
    bool observed)
{
	struct tally_row *row = tally_row(t, key);

	if (row == NULL)
		return;
	row->n[0]++;
	row->n[1] += observed;
	tally_example(row, id);
}

static bool is_among(const char *word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(word, *list) == 0)
			return true;
	return false;
}

static enum traffic_fate fate_of(const char *outcome)
{
	static const char *const refused[] = {"refused", "deferred",
		"quarantined", NULL};
	static const char *const sealed[] = {"sealed", "stored-encrypted",
		NULL};

	if (is_among(outcome, sealed))
		return FATE_SEALED;
	if (strcmp(outcome, "signed") == 0)
		return FATE_SIGNED;
	if (strcmp(outcome, "tls-required") == 0)
		return FATE_TLS;
	if (strcmp(outcome, "plain") == 0)
		return FATE_PLAIN;
	if (is_among(outcome, refused))
		return FATE_REFUSED;
	return strcmp(outcome, "opened") == 0 ? FATE_OPENED : FATE_OTHER;
}

/* "encrypt", "encrypt or plain". */
static bool wants_encryption(const struct record *x,
    const struct json_node *rcpt)
{
	const struct json_node *w = member(x, rcpt, "wanted");
	char word[WORD];

	for (w = json_first(x->t, w); w != NULL; w = json_next(x->t, w))
		if (strncmp(json_text(w, word, sizeof(word)), "encrypt",
		    7) == 0)
			return true;
	return false;
}

static void add_fate(struct tally_row *row, enum traffic_fate f, bool lacks)
{
	if (row == NULL)
		return;
	row->n[COLUMN_ALL]++;
	row->n[COLUMN_SEALED] += f == FATE_SEALED;
	row->n[COLUMN_TLS] += f == FATE_TLS;
	row->n[COLUMN_CLEAR] += f == FATE_SIGNED || f == FATE_PLAIN;
	row->n[COLUMN_REFUSED] += f == FATE_REFUSED;
	row->n[COLUMN_LACKING] += lacks;
}

static const char *domain_of(const char *address)
{
	const char *at = strrchr(address, '@');

	return at == NULL ? "(no domain)" : at + 1;
}

static void to_lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s = (char)(*s + ('a' - 'A'));
}

static void count_recipient(struct record *x, const struct json_node *rcpt,
    bool *any)
{
	char address[TEXT], outcome[WORD];
	struct tally_row *row;
	enum traffic_fate f;
	bool lacks;

	json_text(member(x, rcpt, "address"), address, sizeof(address));
	to_lower(address);
	f = fate_of(json_text(member(x, rcpt, "outcome"), outcome,
	    sizeof(outcome)));
	x->r->fate[f]++;
	any[f] = true;
	if (!x->outgoing || f == FATE_OTHER || f == FATE_OPENED)
		return;
	lacks = f != FATE_SEALED && wants_encryption(x, rcpt) &&
	    json_first(x->t, member(x, rcpt, "certificates")) == NULL;
	add_fate(tally_row(&x->r->domain, domain_of(address)), f, lacks);
	if (!lacks)
		return;
	row = tally_row(&x->r->partner, address);
	add_fate(row, f, lacks);
	if (row != NULL)
		tally_example(row, x->id);
}

static void count_user(struct record *x, const bool *any)
{
	char who[TEXT];
	struct tally_row *row;

	if (!x->outgoing)
		return;
	json_text(member(x, x->v, "login"), who, sizeof(who));
	if (who[0] == '\0')
		json_text(member(x, x->v, "sender"), who, sizeof(who));
	to_lower(who);
	row = tally_row(&x->r->user, who[0] == '\0' ? "<>" : who);
	if (row == NULL)
		return;
	row->n[COLUMN_ALL]++;
	row->n[COLUMN_SEALED] += any[FATE_SEALED];
	row->n[COLUMN_TLS] += any[FATE_TLS];
	row->n[COLUMN_CLEAR] += any[FATE_SIGNED] || any[FATE_PLAIN];
	row->n[COLUMN_REFUSED] += any[FATE_REFUSED];
}

/* The reply without the id that ends it. */
static void cut_id(char *text)
{
	char *end = strstr(text, " (id ");

	if (end != NULL)
		*end = '\0';
}

/* A reason of the first recipient that has one, else what was answered. */
static void count_reason(struct record *x)
{
	const struct json_node *rcpt = json_first(x->t, member(x, x->v,
	    "recipients"));
	char text[TEXT] = "";
	struct buf key;

	if (strcmp(x->action, "rejected") != 0 &&
	    strcmp(x->action, "deferred") != 0 &&
	    strcmp(x->action, "quarantined") != 0)
		return;
	for (; rcpt != NULL && text[0] == '\0'; rcpt = json_next(x->t, rcpt))
		json_text(member(x, rcpt, "reason"), text, sizeof(text));
	if (text[0] == '\0')
		json_text(member(x, x->reply, "text"), text, sizeof(text));
	cut_id(text);
	buf_init(&key, 2 * TEXT);
	if (json_is(member(x, x->reply, "code"), JSON_NUMBER))
		buf_printf(&key, "%lld ", (long long)json_number(member(x,
		    x->reply, "code"), 0));
	buf_puts(&key, text[0] == '\0' ? x->action : text);
	count_in(&x->r->reason, buf_str(&key), x->id, x->observed);
	buf_free(&key);
}

static void count_signature(struct record *x)
{
	const struct json_node *sig = member(x, x->v, "signature");
	static const char *const fine[] = {"none", "pass", "", NULL};
	char result[WORD], step[WORD], reason[TEXT];
	struct buf key;

	if (is_among(json_text(member(x, sig, "result"), result,
	    sizeof(result)), fine))
		return;
	json_text(member(x, sig, "failed_step"), step, sizeof(step));
	json_text(member(x, sig, "reason"), reason, sizeof(reason));
	buf_init(&key, 2 * TEXT);
	buf_printf(&key, "%s%s%s%s%s", result, step[0] == '\0' ? "" : " ",
	    step, reason[0] == '\0' ? "" : ": ", reason);
	count_in(&x->r->signature, buf_str(&key), x->id, x->observed);
	buf_free(&key);
}

static void count_recipients(struct record *x)
{
	const struct json_node *rcpt = json_first(x->t, member(x, x->v,
	    "recipients"));
	bool any[FATES] = {false};

	for (; rcpt != NULL; rcpt = json_next(x->t, rcpt))
		count_recipient(x, rcpt, any);
	count_user(x, any);
}

static void read_record(struct record *x)
{
	const struct json_node *would = member(x, x->v, "would");
	static const char *const in[] = {"inbound", "", NULL};

	x->observed = json_is(member(x, x->v, "observed"), JSON_TRUE);
	x->reply = x->observed ? would : member(x, x->v, "reply");
	json_text(member(x, x->v, "direction"), x->direction,
	    sizeof(x->direction));
	json_text(member(x, x->v, "class"), x->class, sizeof(x->class));
	json_text(member(x, x->observed ? would : x->v, "action"), x->action,
	    sizeof(x->action));
	x->outgoing = !is_among(x->direction, in);
}

static bool is_out_of_memory(const struct traffic *r)
{
	return r->flow.no_memory || r->class.no_memory ||
	    r->domain.no_memory || r->partner.no_memory ||
	    r->user.no_memory || r->reason.no_memory ||
	    r->signature.no_memory;
}

int traffic_count(struct traffic *r, const char *id, struct view json,
    struct err *e)
{
	struct record x = {.r = r, .id = id, .t = &r->tree};
	struct err why = {0};
	char key[2 * WORD + 2];

	r->messages++;
	if (json_read(&r->tree, json, &why) == 0)
		x.v = &r->tree.node[0];
	else if (why.kind == FAIL_TEMP)
		return err_set(e, FAIL_TEMP, "%s", why.msg);
	if (!json_is(member(&x, x.v, "action"), JSON_STRING)) {
		r->unreadable++;
		return 0;
	}
	read_record(&x);
	r->observed += x.observed;
	text_set(key, sizeof(key), x.direction[0] == '\0' ? "unknown"
	    : x.direction);
	text_set(key + strlen(key), sizeof(key) - strlen(key), " ");
	text_set(key + strlen(key), sizeof(key) - strlen(key), x.action);
	count_in(&r->flow, key, id, x.observed);
	count_in(&r->class, x.class, id, x.observed);
	count_recipients(&x);
	count_reason(&x);
	count_signature(&x);
	return is_out_of_memory(r) ? err_set(e, FAIL_TEMP,
	    "report: out of memory") : 0;
}

void traffic_sort(struct traffic *r)
{
	tally_sort(&r->flow);
	tally_sort(&r->class);
	tally_sort(&r->domain);
	tally_sort(&r->partner);
	tally_sort(&r->user);
	tally_sort(&r->reason);
	tally_sort(&r->signature);
}

void traffic_free(struct traffic *r)
{
	tally_free(&r->flow);
	tally_free(&r->class);
	tally_free(&r->domain);
	tally_free(&r->partner);
	tally_free(&r->user);
	tally_free(&r->reason);
	tally_free(&r->signature);
	json_tree_free(&r->tree);
}
