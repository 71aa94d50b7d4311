/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Which rule decides. Runs for every recipient of every message; what
 * decides allocates nothing.
 */
#include "gateway/rules_int.h"

#include <stdlib.h>
#include <string.h>

#define LIST_SHORT 8 /* up to here looking at each is as fast */

struct key {
	char text[sizeof(((struct addr *)0)->text)];
	const char *domain;
};

static void make_key(struct key *k, const struct addr *a)
{
	const char *at;

	addr_key(a, k->text);
	at = strrchr(k->text, '@');
	k->domain = at == NULL ? "" : at + 1;
}

int who_compare(const struct who *a, enum who_kind kind, const char *text)
{
	if (a->kind != kind)
		return a->kind < kind ? -1 : 1;
	return strcmp(a->text, text);
}

/* In a sorted list. */
static bool sorted_has(const struct who_set *s, enum who_kind kind,
    const char *text)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t i = low + (high - low) / 2;
		int c = who_compare(&s->who[i], kind, text);

		if (c == 0)
			return true;
		if (c < 0)
			low = i + 1;
		else
			high = i;
	}
	return false;
}

/* The domain above this one; NULL when there is none. */
static const char *get_above(const char *domain)
{
	const char *dot = strchr(domain, '.');

	return dot == NULL ? NULL : dot + 1;
}

static bool sorted_list_has(const struct who_set *s, const struct key *k)
{
	const char *d = k->domain;

	if (sorted_has(s, WHO_ADDRESS, k->text) ||
	    sorted_has(s, WHO_DOMAIN, d))
		return true;
	while ((d = get_above(d)) != NULL)
		if (sorted_has(s, WHO_SUBDOMAINS, d))
			return true;
	return false;
}

static bool is_subdomain(const char *d, const char *of)
{
	size_t n = strlen(d), m = strlen(of);

	return n > m + 1 && d[n - m - 1] == '.' && strcmp(d + n - m, of) == 0;
}

static bool list_has(const struct who_set *s, const struct key *k)
{
	if (s->is_sorted && s->n > LIST_SHORT)
		return sorted_list_has(s, k);
	for (size_t i = 0; i < s->n; i++) {
		const struct who *w = &s->who[i];

		if (w->kind == WHO_ADDRESS && strcmp(w->text, k->text) == 0)
			return true;
		if (w->kind == WHO_DOMAIN && strcmp(w->text, k->domain) == 0)
			return true;
		if (w->kind == WHO_SUBDOMAINS && is_subdomain(k->domain,
		    w->text))
			return true;
	}
	return false;
}

/* Whom the conditions are about; and what became of asking. */
struct keys {
	const struct rule_input *in;
	struct key from, envelope_from, to, stripped;
	bool any_from, any_to; /* not readable, and taken for anybody */
	/* of the last conditions that were looked at: the group that may or
	 * may not have somebody; NULL: all is known */
	const char *unknown;
};

static enum rule_listed ask_list(const struct rule_input *in,
    const struct who_set *s, const struct key *k)
{
	char domain[sizeof(k->text) + 1] = "@";
	enum rule_listed a;

	if (in->listed == NULL)
		return RULE_LISTED_UNKNOWN;
	a = in->listed(in->listed_ctx, s->list, k->text);
	if (a != RULE_LISTED_NO)
		return a;
	text_set(domain + 1, sizeof(domain) - 1, k->domain);
	return in->listed(in->listed_ctx, s->list, domain);
}

/* Its own members, or those of its list; not to be known counts as one. */
static bool one_has(const struct who_set *s, const struct key *k,
    struct keys *all)
{
	enum rule_listed a;

	if (s->list == NULL)
		return list_has(s, k);
	a = ask_list(all->in, s, k);
	if (a == RULE_LISTED_UNKNOWN)
		all->unknown = s->name;
	return a != RULE_LISTED_NO;
}

static bool set_has(const struct who_set *s, const struct key *k,
    struct keys *all)
{
	const char *unknown = all->unknown;
	bool may = false;

	if (k->text[0] == '\0')
		return false;
	if (one_has(s, k, all))
		return true;
	for (size_t i = 0; i < s->groups; i++) {
		if (!one_has(s->group[i], k, all))
			continue;
		may = true;
		if (all->unknown == unknown)
			break; /* it is so, whatever the others say */
	}
	return may;
}

static bool login_holds(const struct conditions *c, const char *login)
{
	if (login == NULL)
		return false;
	for (size_t i = 0; i < c->logins; i++)
		if (strcmp(c->login[i], login) == 0)
			return true;
	return c->logins == 0;
}

static bool network_holds(const struct conditions *c, const char *ip)
{
	for (size_t i = 0; i < c->nets; i++)
		if (net_has(&c->net[i], ip))
			return true;
	return false;
}

/* What needs no list first. */
static bool conditions_hold(const struct conditions *c, struct keys *k)
{
	k->unknown = NULL;
	if (c->has_login && !login_holds(c, k->in->login))
		return false;
	if (c->has_network && !network_holds(c, k->in->client_ip))
		return false;
	if (c->has_from && !k->any_from && !set_has(&c->from, &k->from, k))
		return false;
	if (c->has_envelope_from &&
	    !set_has(&c->envelope_from, &k->envelope_from, k))
		return false;
	return !c->has_to || k->any_to || set_has(&c->to, &k->to, k) ||
	    set_has(&c->to, &k->stripped, k);
}

static void make_keys(struct keys *k, const struct rules *r,
    const struct rule_input *in)
{
	struct addr plain;

	memset(k, 0, sizeof(*k));
	k->in = in;
	if (in->from != NULL)
		make_key(&k->from, in->from);
	if (in->envelope_from != NULL)
		make_key(&k->envelope_from, in->envelope_from);
	if (in->to == NULL)
		return;
	make_key(&k->to, in->to);
	/* The delimiter is ours: other domains may have another. */
	if (in->direction != DIR_OUTBOUND && r->delimiter != 0) {
		addr_strip_detail(in->to, r->delimiter, &plain);
		make_key(&k->stripped, &plain);
	}
}

/* The search for the first rule that matches. */
struct search {
	const struct rules *r;
	struct keys *k;
	size_t first; /* found so far; the number of rules: none */
	const char *unknown; /* whether it is that one */
	struct also_lines *all; /* or these are looked for */
	bool is_failed;
};

static void add_also(struct search *s, uint32_t n)
{
	struct also_lines *a = s->all;
	struct also_line *more;

	if (a->n == a->size) {
		more = reallocarray(a->line, a->size * 2 + 16, sizeof(*more));
		if (more == NULL) {
			a->n = a->size = 0;
			free(a->line);
			a->line = NULL;
			s->is_failed = true;
			return;
		}
		a->line = more;
		a->size = a->size * 2 + 16;
	}
	a->line[a->n++] = (struct also_line){n, s->k->unknown};
}

static void try_run(struct search *s, const struct posting *p)
{
	uint32_t run = p == NULL ? 0 : p->run;

	for (; run > 0 && s->all != NULL && !s->is_failed; p++, run--)
		if (conditions_hold(&s->r->also[p->n].cond, s->k))
			add_also(s, p->n);
	for (; run > 0 && s->all == NULL && p->n < s->first; p++, run--) {
		if (!conditions_hold(&s->r->rule[p->n].cond, s->k))
			continue;
		s->first = p->n;
		s->unknown = s->k->unknown;
	}
}

/* Rules that name this, or a group which does. */
static void try_text(struct search *s, unsigned place, enum who_kind kind,
    const char *text)
{
	const struct rules_index *x = s->all == NULL ? s->r->index
						    : s->r->also_index;
	const struct posting *g = rules_index_find(x, 0, kind, text);

	try_run(s, rules_index_find(x, place, kind, text));
	for (uint32_t i = 0; g != NULL && i < g->run; i++)
		try_run(s, rules_index_find(x, place, WHO_GROUP,
		    s->r->group[g[i].n].name));
}

static void try_key(struct search *s, enum posting_field f,
    const struct key *k)
{
	unsigned place = POSTING_PLACE(s->k->in->direction, f);
	const char *d = k->domain;

	if (k->text[0] == '\0')
		return;
	try_text(s, place, WHO_ADDRESS, k->text);
	try_text(s, place, WHO_DOMAIN, d);
	while ((d = get_above(d)) != NULL)
		try_text(s, place, WHO_SUBDOMAINS, d);
}

static void try_keys(struct search *s)
{
	const struct keys *k = s->k;

	try_key(s, POSTING_TO, &k->to);
	try_key(s, POSTING_TO, &k->stripped);
	try_key(s, POSTING_FROM, &k->from);
	try_key(s, POSTING_ENVELOPE_FROM, &k->envelope_from);
}

/* k->unknown is of the rule that is found. */
static size_t find_rule(const struct rules *r, struct keys *k)
{
	unsigned place = POSTING_PLACE(k->in->direction, POSTING_OTHER);
	struct search s = {.r = r, .k = k, .first = r->n};

	if (r->index != NULL) {
		try_keys(&s);
		try_run(&s, rules_index_find(r->index, place, WHO_ADDRESS,
		    ""));
		k->unknown = s.unknown;
		return s.first;
	}
	for (size_t i = 0; i < r->n; i++)
		if (r->rule[i].direction == k->in->direction &&
		    conditions_hold(&r->rule[i].cond, k))
			return i;
	return r->n;
}

void rules_decide(const struct rules *r, const struct rule_input *in,
    struct treatment *out, struct rule_ref *ref)
{
	struct keys k;
	size_t i;

	make_keys(&k, r, in);
	i = find_rule(r, &k);
	if (i < r->n) {
		*out = r->rule[i].treatment;
		out->unknown = k.unknown;
		*ref = r->rule[i].ref;
		return;
	}
	memset(out, 0, sizeof(*out));
	memset(ref, 0, sizeof(*ref));
	out->pass = true;
}

static int compare_lines(const void *va, const void *vb)
{
	const struct also_line *a = va, *b = vb;

	return a->n < b->n ? -1 : a->n > b->n;
}

/* Whoever cannot be read is meant by each line (A24). Mail without any From
 * is nobody's: mail servers add one. */
static void make_also_keys(struct keys *k, const struct rules *r,
    const struct rule_input *in)
{
	make_keys(k, r, in);
	k->any_from = in->from == NULL && (in->has_authors ||
	    in->direction != DIR_OUTBOUND);
	/* mail out to whom nobody can read is refused */
	k->any_to = in->direction != DIR_OUTBOUND && (in->to == NULL ||
	    in->to->text[0] == '\0');
}

int rules_also_named(const struct rules *r, const struct rule_input *in,
    struct also_lines *out, struct err *e)
{
	struct keys k;
	struct search s = {.r = r, .k = &k, .all = out};
	size_t kept = 0;

	out->n = 0;
	if (r->alsos == 0)
		return 0;
	make_also_keys(&k, r, in);
	try_keys(&s);
	for (size_t i = 0; i < r->alsos && (k.any_from || k.any_to); i++)
		if (r->also[i].direction == in->direction &&
		    conditions_hold(&r->also[i].cond, &k))
			add_also(&s, (uint32_t)i);
	if (s.is_failed)
		return err_set(e, FAIL_TEMP, "also lines: out of memory");
	if (out->n > 1)
		qsort(out->line, out->n, sizeof(*out->line), compare_lines);
	for (size_t i = 0; i < out->n; i++)
		if (kept == 0 || out->line[i].n != out->line[kept - 1].n)
			out->line[kept++] = out->line[i];
	out->n = kept;
	return 0;
}

bool rules_also_holds(const struct rules *r, const struct rule_input *in,
    uint32_t n, const char **unknown)
{
	struct keys k;
	bool holds;

	*unknown = NULL;
	if (r->also[n].is_last)
		return true;
	make_also_keys(&k, r, in);
	holds = conditions_hold(&r->also[n].cond, &k);
	*unknown = k.unknown;
	return holds;
}

static bool add_demand(struct treatment *out, const struct treatment *w)
{
	static const int strength[] = {[OR_MUST] = 0, [OR_PLAIN] = 0,
		[OR_TLS] = 0, [OR_QUARANTINE] = 1, [OR_REJECT] = 2};
	bool is_more = false;

	if (!w->verify)
		return false;
	if (!out->verify || strength[w->verify_or] >
	    strength[out->verify_or]) {
		is_more = strength[w->verify_or] > 0;
		out->verify = true;
		out->pass = false;
		out->verify_or = w->verify_or;
	}
	if (w->revocation_hard && !out->revocation_hard)
		is_more = out->revocation_hard = true;
	return is_more;
}

/* Whose mailbox it is may be somebody's who wants it sealed. */
static bool add_sealing(struct treatment *out, const struct treatment *w)
{
	bool is_more = false;

	if (w->store_encrypted && !out->store_encrypted)
		is_more = out->store_encrypted = true;
	if (w->leave_sealed && !out->leave_sealed)
		is_more = out->leave_sealed = true;
	if (is_more)
		out->pass = false;
	if (out->leave_sealed || out->store_encrypted)
		out->decrypt = false;
	return is_more;
}

/* A second author is no way out of a line for the first. */
static bool add_secrecy(struct treatment *out, const struct treatment *w)
{
	static const int strength[] = {[OR_PLAIN] = 0, [OR_TLS] = 1,
		[OR_QUARANTINE] = 2, [OR_MUST] = 3, [OR_REJECT] = 3};

	if (!w->encrypt || w->encrypt_or == OR_PLAIN || (out->encrypt &&
	    strength[out->encrypt_or] >= strength[w->encrypt_or]))
		return false;
	if (!out->encrypt)
		out->writing = w->writing;
	out->encrypt = true;
	out->encrypt_or = w->encrypt_or;
	out->pass = false;
	return true;
}

bool rules_tighten(const struct rules *r, const struct rule_input *in,
    struct treatment *out)
{
	bool is_more = false;
	struct keys k;

	make_also_keys(&k, r, in);
	if (!k.any_from && !k.any_to)
		return false;
	for (size_t i = 0; i < r->n; i++) {
		const struct rule *rule = &r->rule[i];

		if (rule->direction != in->direction || rule->is_last ||
		    !conditions_hold(&rule->cond, &k))
			continue;
		if (in->direction == DIR_OUTBOUND && rule->cond.has_from)
			is_more |= add_secrecy(out, &rule->treatment);
		if (in->direction == DIR_OUTBOUND)
			continue;
		is_more |= add_demand(out, &rule->treatment);
		if (k.any_to && rule->cond.has_to)
			is_more |= add_sealing(out, &rule->treatment);
	}
	return is_more;
}
