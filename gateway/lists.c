/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The plan of lists and what becomes of an answer: a server's octets, taken
 * as if a stranger had sent them.
 */
#include "gateway/lists.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/find.h"
#include "fetch/ldap_text.h"
#include "util/log.h"
#include "util/proc.h"

#define RETRY_S 60    /* after a failure, and to look once more */
#define FEW 4	      /* so few may become half as many at once */

struct planned {
	char name[LIST_NAME_SIZE];
	enum list_kind kind;
	int64_t every_s;
	int64_t next;
	size_t doubted; /* pairs of an answer that waits; see lists_done() */
	bool is_doubted;
};

struct lists {
	const struct config *config;
	struct keystore *ks;
	struct planned *p;
	size_t n;
	bool has_forgotten; /* lists of yesterday */
};

/* ---- which ---- */

static const struct directory *find_directory(const struct config *c,
    const char *name)
{
	for (size_t i = 0; i < c->directories; i++)
		if (c->directory[i].name != NULL &&
		    strcmp(c->directory[i].name, name) == 0)
			return &c->directory[i];
	return NULL;
}

/* Whoever stands on the way would say who may sign, read, and is written to
 * in clear. */
static int check_tls(const struct directory *d, struct err *e)
{
	for (size_t i = 0; i < d->urls && !d->start_tls; i++) {
		struct ldap_where w;

		if (ldap_url_read(&w, d->url[i], e) != 0)
			return -1;
		if (!w.is_tls && !w.is_loopback)
			return err_set(e, FAIL_CONFIG, "directory %s: a list "
			    "would come from %s in clear; use ldaps:// or "
			    "start-tls", d->name, d->url[i]);
	}
	return 0;
}

int lists_check(const struct config *c, const struct list_source *s,
    struct err *e)
{
	const struct directory *d = find_directory(c, s->directory);

	if (d == NULL)
		return err_set(e, FAIL_CONFIG, "no directory { } has name %s",
		    s->directory);
	if (d->source != FIND_LDAP)
		return err_set(e, FAIL_CONFIG, "directory %s: a list needs "
		    "one of ldap", s->directory);
	return check_tls(d, e);
}

/* Of two lists with the same name one is enough. */
static int plan_one(struct lists *l, const struct list_source *s,
    struct err *e)
{
	const struct directory *d = find_directory(l->config, s->directory);
	struct listed_state was;
	struct planned *p;

	p = reallocarray(l->p, l->n + 1, sizeof(*p));
	if (p == NULL)
		return err_set(e, FAIL_TEMP, "lists: out of memory");
	l->p = p;
	p = &p[l->n];
	memset(p, 0, sizeof(*p));
	lists_name(s, p->name);
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->p[i].name, p->name) == 0)
			return 0;
	p->kind = s->kind;
	p->every_s = d == NULL ? 900 : d->lists_every_s;
	if (listed_state(l->ks, p->name, &was, e) != 0)
		return -1;
	p->next = was.next;
	l->n++;
	return 0;
}

static int plan_all(struct lists *l, const struct rules *r, struct err *e)
{
	const struct list_source *const *of_rules = NULL;
	size_t n = 0;

	for (size_t i = 0; i < l->config->lists; i++)
		if (plan_one(l, &l->config->list[i], e) != 0)
			return -1;
	if (r != NULL)
		of_rules = rules_lists(r, &n);
	for (size_t i = 0; i < n; i++)
		if (plan_one(l, of_rules[i], e) != 0)
			return -1;
	return 0;
}

int lists_new(struct lists **out, const struct config *c,
    const struct rules *r, struct keystore *ks, struct err *e)
{
	struct lists *l = calloc(1, sizeof(*l));

	*out = NULL;
	if (l == NULL)
		return err_set(e, FAIL_TEMP, "lists: out of memory");
	l->config = c;
	l->ks = ks;
	if (plan_all(l, r, e) != 0) {
		lists_free(&l);
		return -1;
	}
	*out = l;
	return 0;
}

void lists_free(struct lists **lp)
{
	if (*lp == NULL)
		return;
	free((*lp)->p);
	free(*lp);
	*lp = NULL;
}

size_t lists_count(const struct lists *l)
{
	return l->n;
}

static void make_job(const struct planned *p, struct fetch_job *j)
{
	j->kind = FETCH_LIST;
	text_set(j->url, sizeof(j->url), p->name);
	j->every_s = p->every_s;
	buf_clear(&j->request);
}

bool lists_nth(const struct lists *l, size_t i, struct fetch_job *j)
{
	if (i >= l->n)
		return false;
	make_job(&l->p[i], j);
	return true;
}

/* ---- when ---- */

struct forgetting {
	const struct lists *l;
	char name[LIST_NAME_SIZE]; /* one that nobody asks for; "" none */
};

static int find_stranger(void *arg, const char *list,
    const struct listed_state *s, struct err *e)
{
	struct forgetting *f = arg;

	(void)s;
	(void)e;
	for (size_t i = 0; i < f->l->n; i++)
		if (strcmp(f->l->p[i].name, list) == 0)
			return 0;
	text_set(f->name, sizeof(f->name), list);
	return 0;
}

/* One in a step: old lists are few. */
static int forget_one(struct lists *l, struct err *e)
{
	struct forgetting f = {l, ""};

	if (l->has_forgotten)
		return 0;
	if (listed_each(l->ks, find_stranger, &f, e) != 0)
		return -1;
	l->has_forgotten = f.name[0] == '\0';
	return l->has_forgotten ? 0 : listed_forget(l->ks, f.name, e);
}

int lists_next(struct lists *l, int64_t now, struct fetch_job *j,
    int64_t *again_s, struct err *e)
{
	const struct planned *first = NULL;

	*again_s = 3600;
	if (forget_one(l, e) != 0)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if (first == NULL || l->p[i].next < first->next)
			first = &l->p[i];
	if (first != NULL && (first->next <= now ||
	    first->next > now + first->every_s + RETRY_S)) {
		make_job(first, j); /* or the clock was set back */
		return 1;
	}
	if (first != NULL && first->next - now < *again_s)
		*again_s = first->next - now;
	if (!l->has_forgotten)
		*again_s = 0;
	return 0;
}

/* ---- answers ---- */

/* "smtp:a@b" is how Active Directory has addresses in proxyAddresses. */
static struct view strip_scheme(struct view v)
{
	return view_istarts(v, "smtp:") ? view_sub(v, 5, v.n) : v;
}

/* An address, or "@domain", in key form. */
static int read_who(struct view raw, char dst[CAP_ADDRESS + 2])
{
	char key[sizeof(((struct addr *)0)->text)];
	struct addr a;

	raw = strip_scheme(view_trim(raw));
	if (raw.n > 0 && raw.p[0] == '@') {
		dst[0] = '@';
		return addr_domain_parse(dst + 1, CAP_ADDRESS + 1,
		    view_sub(raw, 1, raw.n), NULL);
	}
	if (addr_parse(&a, raw, NULL) != 0)
		return -1;
	addr_key(&a, key);
	text_set(dst, CAP_ADDRESS + 2, key);
	return 0;
}

static int read_login(struct view raw, char dst[CAP_ADDRESS + 2])
{
	if (raw.n == 0 || memchr(raw.p, '\0', raw.n) != NULL)
		return -1;
	return view_cstr(raw, dst, CAP_ADDRESS + 2);
}

/* Growing texts move: pairs are offsets until all are there. */
struct taking {
	struct buf text;
	struct listed_pair *pair;
	size_t *at; /* two for each */
	size_t n, room, left_out;
};

static void taking_free(struct taking *k)
{
	buf_free(&k->text);
	free(k->pair);
	free(k->at);
}

static int add_pair(struct taking *k, const char *what, const char *value,
    struct err *e)
{
	size_t *more;

	if (k->n == k->room) {
		k->room = k->room == 0 ? 256 : k->room * 2;
		more = reallocarray(k->at, k->room, 2 * sizeof(*more));
		if (more == NULL)
			return err_set(e, FAIL_TEMP, "lists: out of memory");
		k->at = more;
	}
	k->at[2 * k->n] = k->text.n;
	buf_put(&k->text, what, strlen(what) + 1);
	k->at[2 * k->n + 1] = k->text.n;
	buf_put(&k->text, value, strlen(value) + 1);
	k->n++;
	return buf_ok(&k->text, e);
}

static int take_pair(struct taking *k, enum list_kind kind, struct view what,
    struct view value, struct err *e)
{
	char a[CAP_ADDRESS + 2], b[CAP_ADDRESS + 2] = "";
	int rc;

	rc = kind == LIST_AUTHORITY ? read_login(what, a) : read_who(what, a);
	if (rc == 0 && kind != LIST_GROUP)
		rc = read_who(value, b);
	/* a key belongs to an address, never to a domain */
	if (rc != 0 || (kind == LIST_ADDRESS_MAP && b[0] == '@')) {
		k->left_out++;
		return 0;
	}
	return add_pair(k, a, b, e);
}

static int take_all(struct taking *k, enum list_kind kind, struct view body,
    struct err *e)
{
	struct view what, value;
	struct rd r;

	rd_init(&r, body);
	while (rd_left(&r) > 0) {
		if (ipc_get_view(&r, &what) != 0 ||
		    ipc_get_view(&r, &value) != 0)
			return err_set(e, FAIL_INPUT, "the answer is "
			    "malformed");
		if (k->n + k->left_out == CAP_LIST_PAIRS)
			return err_set(e, FAIL_LIMIT, "the answer has more "
			    "than %d entries", CAP_LIST_PAIRS);
		if (take_pair(k, kind, what, value, e) != 0)
			return -1;
	}
	k->pair = calloc(k->n + 1, sizeof(*k->pair));
	if (k->pair == NULL)
		return err_set(e, FAIL_TEMP, "lists: out of memory");
	for (size_t i = 0; i < k->n; i++) {
		k->pair[i].what = (const char *)k->text.p + k->at[2 * i];
		k->pair[i].value = (const char *)k->text.p +
		    k->at[2 * i + 1];
	}
	k->n = listed_sort(k->pair, k->n);
	return 0;
}

/*
 * A server that is being filled, or a filter that lost its subtree, gives
 * nothing or little; who was in a group that must be encrypted to would be
 * written to in clear. It counts when the next look says the same.
 */
static bool is_doubtful(struct planned *p, const struct listed_state *was,
    size_t n)
{
	bool shrank = was->fetched != 0 && ((was->pairs > FEW &&
	    n < was->pairs / 2) || (was->pairs > 0 && n == 0));

	if (!shrank || (p->is_doubted && p->doubted == n)) {
		p->is_doubted = false;
		return false;
	}
	p->is_doubted = true;
	p->doubted = n;
	return true;
}

static int fail(struct lists *l, struct planned *p, int64_t now,
    struct lists_outcome *out, struct err *e)
{
	p->next = now + (p->every_s < RETRY_S ? p->every_s : RETRY_S);
	return listed_failed(l->ks, p->name, p->next, out->error, e);
}

static int take_body(struct lists *l, struct planned *p, int64_t now,
    struct view body, struct lists_outcome *out, struct err *e)
{
	struct listed_state was;
	struct taking k = {0};
	struct err why = {0};
	int rc = -1;

	buf_init(&k.text, CAP_LIST);
	if (take_all(&k, p->kind, body, &why) != 0) {
		text_set(out->error, sizeof(out->error), why.msg);
		rc = fail(l, p, now, out, e);
		goto out;
	}
	out->pairs = k.n;
	out->left_out = k.left_out;
	if (listed_state(l->ks, p->name, &was, e) != 0)
		goto out;
	out->is_waiting = is_doubtful(p, &was, k.n);
	if (out->is_waiting) {
		(void)err_set(&why, FAIL_TEMP, "it has %zu entries, there "
		    "were %zu: taken if the next answer says the same",
		    k.n, was.pairs);
		text_set(out->error, sizeof(out->error), why.msg);
		rc = fail(l, p, now, out, e);
	} else {
		struct listed_news news = {k.pair, k.n, now,
		    now + p->every_s};

		p->next = news.next;
		rc = listed_replace(l->ks, p->name, &news, &out->changed, e);
		out->ok = rc == 0;
		out->is_rights = p->kind != LIST_GROUP;
	}
out:
	taking_free(&k);
	return rc;
}

int lists_done(struct lists *l, const struct fetch_job *j, int64_t now,
    struct view body, const struct err *why, struct lists_outcome *out,
    struct err *e)
{
	struct planned *p = NULL;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < l->n && p == NULL; i++)
		if (strcmp(l->p[i].name, j->url) == 0)
			p = &l->p[i];
	if (p == NULL)
		return 0;
	p->next = now + RETRY_S; /* whatever becomes of noting it */
	if (why == NULL || why->kind == 0)
		return take_body(l, p, now, body, out, e);
	text_set(out->error, sizeof(out->error), why->msg);
	return fail(l, p, now, out, e);
}

void lists_log(const struct fetch_job *j, const struct lists_outcome *o)
{
	char line[2048];
	size_t n;

	n = log_value(line, sizeof(line), 0, "list", j->url);
	if (!o->ok) {
		n = log_value(line, sizeof(line), n, "reason", o->error);
		log_warn("event=%s %.*s", o->is_waiting ? "list-doubted" :
		    "list-fetch-failed", (int)n, line);
	} else if (o->changed) {
		log_notice("event=list-fetched %.*s entries=%zu left-out=%zu",
		    (int)n, line, o->pairs, o->left_out);
	}
	if (o->ok && o->pairs == 0)
		log_warn("event=list-empty %.*s", (int)n, line);
}
