/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What comes of a certificate that mail proved. Mail can make rows that
 * wait, in bounded number, and days; it makes nobody's certificate go. The
 * row of an address is the unit: a certificate with two of them has two
 * rows, and serves each from when its own days are full.
 */
#include "keystore/harvest_int.h"

#include <string.h>

#include "keystore/fitness.h"
#include "util/ossl.h"

#define DAY 86400
#define SOON (30 * DAY)	      /* before its end somebody renews */
#define KEEP_USED (400 * DAY) /* without mail, if expired */
#define EXPIRE_BATCH 500
#define DROPS 8 /* that one sighting may cost */

/* A sighting under judgement. */
struct judging {
	struct keystore *ks;
	const struct sighting *s;
	const struct harvest_policy *p;
	struct harvest_outcome *out;
	char who[sizeof(((struct addr *)0)->text)]; /* key form */
	bool is_stored;
	enum ks_state state; /* of the stored row */
	struct ks_harvested seen; /* with this address */
	/* of other certificates of the address */
	bool has_served;   /* this key serves it already */
	bool was_rejected; /* one with this key was */
	bool has_own;	   /* the administrator's, with another key */
	bool has_other;	   /* any with another key that this does not follow */
};

const char *harvest_state_str(enum harvest_state s)
{
	static const char *const name[] = {
		[HARVEST_REFUSED] = "refused",
		[HARVEST_PENDING] = "pending",
		[HARVEST_USABLE] = "usable",
	};

	return name[s];
}

/* ---- rows ---- */

sqlite3_stmt *ks_harvest_stmt(struct keystore *ks, enum ks_stmt which,
    const char *who, const unsigned char *sha256, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, which, e);
	int i = 0;

	if (st != NULL && who != NULL)
		sqlite3_bind_text(st, ++i, who, -1, SQLITE_TRANSIENT);
	if (st != NULL && sha256 != NULL)
		ks_bind_view(st, ++i, view_make(sha256, 32));
	return st;
}

int ks_harvest_read(sqlite3_stmt *st, struct ks_harvested *out,
    struct err *e)
{
	struct view who = ks_column(st, 0), sha256 = ks_column(st, 1);

	memset(out, 0, sizeof(*out));
	if (sha256.n != sizeof(out->cert) ||
	    view_cstr(who, out->who, sizeof(out->who)) != 0)
		return err_set(e, FAIL_CONFIG, "keystore: damaged row");
	memcpy(out->cert, sha256.p, sha256.n);
	out->first = sqlite3_column_int64(st, 2);
	out->last = sqlite3_column_int64(st, 3);
	out->days = sqlite3_column_int(st, 4);
	out->serves = ks_column(st, 5).n == 0;
	out->is = true;
	return 0;
}

int ks_harvest_one(struct keystore *ks, sqlite3_stmt *st,
    struct ks_harvested *out, struct err *e)
{
	int rc;

	memset(out, 0, sizeof(*out));
	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return rc;
	rc = ks_harvest_read(st, out, e);
	sqlite3_reset(st);
	return rc;
}

static int get_seen(struct keystore *ks, const char *who,
    const unsigned char sha256[32], struct ks_harvested *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	return ks_harvest_one(ks, ks_harvest_stmt(ks, ST_HARVEST_GET, who,
	    sha256, e), out, e);
}

/* Any row of a certificate. */
static int get_any(struct keystore *ks, const unsigned char sha256[32],
    struct ks_harvested *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	if (ks->schema < KS_SCHEMA_LIFE)
		return 0;
	return ks_harvest_one(ks, ks_harvest_stmt(ks, ST_HARVEST_OF, NULL,
	    sha256, e), out, e);
}

int ks_harvest_put(struct keystore *ks, const struct ks_harvested *x,
    const char *reason, struct err *e)
{
	sqlite3_stmt *st = ks_harvest_stmt(ks, ST_HARVEST_PUT, x->who,
	    x->cert, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 3, x->first);
	sqlite3_bind_int64(st, 4, x->last);
	sqlite3_bind_int(st, 5, x->days);
	sqlite3_bind_text(st, 6, reason, -1, SQLITE_TRANSIENT);
	return ks_run(ks, st, e);
}

static int run_on(struct keystore *ks, enum ks_stmt which, const char *who,
    const unsigned char *sha256, struct err *e)
{
	sqlite3_stmt *st = ks_harvest_stmt(ks, which, who, sha256, e);

	return st == NULL ? -1 : ks_run(ks, st, e);
}

static int count(struct keystore *ks, enum ks_stmt which, const char *who,
    int64_t *n, struct err *e)
{
	sqlite3_stmt *st = ks_harvest_stmt(ks, which, who, NULL, e);

	if (st == NULL || ks_step(ks, st, e) != 1)
		return -1;
	*n = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/* ---- addresses that it serves ---- */

static int add_address(struct keystore *ks, const char *who, int64_t id,
    struct err *e)
{
	sqlite3_stmt *st;
	struct addr a;

	if (addr_parse(&a, view_of(who), NULL) != 0)
		return err_set(e, FAIL_CONFIG, "keystore: damaged row");
	st = ks_stmt(ks, ST_ADDRESS_ADD, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_text(st, 1, who, -1, SQLITE_TRANSIENT);
	sqlite3_bind_text(st, 2, addr_domain(&a), -1, SQLITE_TRANSIENT);
	sqlite3_bind_int64(st, 3, id);
	return ks_run(ks, st, e);
}

static int get_id(struct keystore *ks, const unsigned char sha256[32],
    int64_t *id, struct err *e)
{
	sqlite3_stmt *st = ks_harvest_stmt(ks, ST_CERT_ID, NULL, sha256, e);
	int rc;

	if (st == NULL)
		return -1;
	rc = ks_step(ks, st, e);
	if (rc != 1)
		return rc < 0 ? -1 : err_set(e, FAIL_BUG,
		    "keystore: a harvested certificate is not there");
	*id = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return 0;
}

/*
 * While it waits, a certificate is found under all addresses that it waits
 * for; once it is used, under none but those that it serves. Never under
 * another one that it names.
 */
int ks_harvest_index(struct keystore *ks, const unsigned char sha256[32],
    bool is_used, struct err *e)
{
	struct ks_harvested x;
	sqlite3_stmt *st;
	int64_t id = 0;
	int rc;

	if (get_id(ks, sha256, &id, e) != 0 ||
	    run_on(ks, ST_ADDRESS_DELETE, NULL, sha256, e) != 0)
		return -1;
	st = ks_harvest_stmt(ks, ST_HARVEST_OF, NULL, sha256, e);
	if (st == NULL)
		return -1;
	while ((rc = ks_step(ks, st, e)) == 1) {
		rc = ks_harvest_read(st, &x, e);
		if (rc == 0 && (x.serves || !is_used))
			rc = add_address(ks, x.who, id, e);
		if (rc != 0) {
			sqlite3_reset(st);
			return -1;
		}
	}
	return rc;
}

int ks_harvest_note(struct keystore *ks, const char *action,
    const unsigned char sha256[32], const char *who, struct err *e)
{
	char hex[65];

	return ks_note(ks, action, hex_encode(hex, sha256, 32), who, e);
}

/* ---- dropping ---- */

/* The certificate behind a row that went: with its last one it goes, too,
 * but never a key. */
static int drop_cert(struct keystore *ks, const struct ks_harvested *x,
    struct err *e)
{
	struct ks_harvested left;
	struct ks_row r;
	bool is_used;

	if (ks_cert_get(ks, x->cert, &r, e) != 0)
		return -1;
	is_used = r.state == KS_USABLE;
	if (get_any(ks, x->cert, &left, e) != 0)
		goto fail;
	if (left.is) {
		if (ks_harvest_index(ks, x->cert, is_used, e) != 0)
			goto fail;
	} else if (r.source == KS_HARVEST &&
	    (is_used || r.state == KS_PENDING)) {
		if (run_on(ks, ST_ADDRESS_DELETE, NULL, x->cert, e) != 0 ||
		    run_on(ks, ST_CERT_DELETE, NULL, x->cert, e) != 0)
			goto fail;
	}
	ks_row_free(&r);
	return is_used && x->serves ? ks_bump(ks, false, e) : 0;
fail:
	ks_row_free(&r);
	return -1;
}

static int drop(struct keystore *ks, const struct ks_harvested *x,
    struct err *e)
{
	if (run_on(ks, ST_HARVEST_DELETE, x->who, x->cert, e) != 0 ||
	    ks_harvest_note(ks, "forget harvested certificate", x->cert,
	    x->who, e) != 0)
		return -1;
	return drop_cert(ks, x, e);
}

/* ---- judging ---- */

static void say(struct judging *j, enum harvest_state state,
    const char *reason)
{
	struct err text = { 0 };

	j->out->state = state;
	(void)err_set(&text, FAIL_POLICY, "%s", reason);
	ks_text(j->out->reason, sizeof(j->out->reason), &text);
}

/* Of one that is there and that mail does not change: 1. Else 0, -1. */
static int judge_stored(struct judging *j, struct err *e)
{
	struct ks_harvested any, own;
	struct ks_row r;
	bool is_ours;

	if (ks_cert_get(j->ks, cert_sha256(j->s->cert), &r, e) != 0) {
		if (e->kind != FAIL_INPUT)
			return -1;
		err_clear(e);
		return 0;
	}
	j->is_stored = true;
	j->state = r.state;
	is_ours = r.source != KS_HARVEST;
	ks_row_free(&r);
	if (get_any(j->ks, cert_sha256(j->s->cert), &any, e) != 0 ||
	    get_seen(j->ks, j->who, cert_sha256(j->s->cert), &own, e) != 0)
		return -1;
	/* rejected, and trusted again: that was a person */
	is_ours = is_ours || !any.is;
	if (j->state == KS_DISTRUSTED)
		say(j, HARVEST_REFUSED, "distrusted here");
	else if (j->state == KS_SUPERSEDED)
		say(j, HARVEST_REFUSED, "superseded here");
	else if (is_ours && any.is && !own.is)
		say(j, HARVEST_REFUSED, "approved for another address of it");
	else if (is_ours)
		say(j, j->state == KS_USABLE ? HARVEST_USABLE :
		    HARVEST_PENDING, "the administrator's");
	else
		return 0;
	return 1;
}

/* Ours are brought by the administrator; 1 it is, 0, -1. */
static int judge_key(struct judging *j, struct err *e)
{
	sqlite3_stmt *st = ks_harvest_stmt(j->ks, ST_KEY_GET, NULL,
	    cert_spki_sha256(j->s->cert), e);
	int rc;

	if (st == NULL)
		return -1;
	rc = ks_step(j->ks, st, e);
	if (rc == 1) {
		sqlite3_reset(st);
		say(j, HARVEST_REFUSED, "its private key is here");
	}
	return rc;
}

/* Could mail be encrypted with it now (S102), by what the store itself has?
 * 1 it could not, 0, -1. */
static int judge_fitness(struct judging *j, struct err *e)
{
	const struct ks_row row = { .cert = cert_keep(j->s->cert),
		.state = KS_USABLE, .use = KS_ENCRYPT };
	struct candidate c = { .ks = j->ks, .row = &row, .any_of = j->s->who,
		.n = 1, .use = KS_ENCRYPT, .now = j->s->at };
	struct cert *held = row.cert;
	struct err why = { 0 };
	int rc = fitness_check(&c, &why);

	j->out->has_no_path = rc != 0 && c.path.reason[0] != '\0';
	path_free(&c.path);
	cert_free(&held);
	if (rc == 0)
		return 0;
	if (why.kind != FAIL_POLICY)
		return err_set(e, why.kind, "%s", why.msg);
	say(j, HARVEST_REFUSED, why.msg);
	return 1;
}

/* Who issued it: a key below an anchor. *is false when there is no path at
 * that time. */
struct issuer {
	bool is;
	unsigned char key[32], anchor[32];
};

static int find_issuer(struct keystore *ks, const struct cert *c, int64_t at,
    struct issuer *out, struct err *e)
{
	struct cert *anchor = NULL;
	struct path path;

	memset(out, 0, sizeof(*out));
	if (at >= cert_not_after(c))
		at = cert_not_after(c) - 1;
	if (ks_path_anchor(ks, c, at, &path, &anchor, e) != 0)
		return -1;
	out->is = path.ok && anchor != NULL;
	if (out->is) {
		memcpy(out->key, cert_spki_sha256(path.chain_n > 0 ?
		    path.chain[0] : anchor), 32);
		memcpy(out->anchor, cert_sha256(anchor), 32);
	}
	path_free(&path);
	cert_free(&anchor);
	return 0;
}

/* Does it follow the other one by the word of the same CA (same-ca auto)? */
static int follows(struct judging *j, const struct cert *other, bool *is,
    struct err *e)
{
	const struct cert *c = j->s->cert;
	struct issuer mine, its;

	*is = false;
	if (!j->p->same_ca || (cert_not_after(other) > j->s->at + SOON &&
	    cert_not_before(c) <= cert_not_before(other)))
		return 0;
	if (find_issuer(j->ks, c, j->s->at, &mine, e) != 0 ||
	    find_issuer(j->ks, other, j->s->at, &its, e) != 0)
		return -1;
	*is = mine.is && its.is && memcmp(mine.key, its.key, 32) == 0 &&
	    memcmp(mine.anchor, its.anchor, 32) == 0;
	return 0;
}

/* Another key for encryption: what signs only is not in the way (S122). */
static bool may_encrypt(const struct ks_row *r)
{
	unsigned ku = cert_ku(r->cert);

	if ((r->use & KS_ENCRYPT) == 0)
		return false;
	return (ku & (cert_key_type(r->cert) == CERT_KEY_EC ? CERT_KU_AGREE :
	    CERT_KU_ENCIPHER)) != 0;
}

static int weigh_same_key(struct judging *j, const struct ks_row *r,
    const struct ks_harvested *seen)
{
	if (r->state == KS_DISTRUSTED)
		j->was_rejected = true;
	if (r->state == KS_USABLE && (seen->serves ||
	    (!seen->is && r->source != KS_HARVEST)))
		j->has_served = true;
	/* its days count for this one */
	if (!j->seen.is && seen->days > j->seen.days) {
		j->seen.days = seen->days;
		j->seen.last = seen->last;
	}
	return 0;
}

static int weigh_other_key(struct judging *j, const struct ks_row *r,
    struct err *e)
{
	bool is_next;

	if ((r->state != KS_USABLE && r->state != KS_PENDING) ||
	    !may_encrypt(r))
		return 0;
	if (r->state == KS_USABLE && r->source != KS_HARVEST &&
	    j->s->at < cert_not_after(r->cert)) {
		j->has_own = true;
		return 0;
	}
	if (follows(j, r->cert, &is_next, e) != 0)
		return -1;
	j->has_other = j->has_other || !is_next;
	return 0;
}

static int weigh(void *arg, const struct ks_row *r, struct err *e)
{
	struct judging *j = arg;
	struct ks_harvested seen;

	/* the key form folds more than S79 does */
	if (!cert_has_address(r->cert, j->s->who, ADDR_FOLD_LOCAL) ||
	    memcmp(cert_sha256(r->cert), cert_sha256(j->s->cert), 32) == 0)
		return 0;
	if (memcmp(cert_spki_sha256(r->cert), cert_spki_sha256(j->s->cert),
	    32) != 0)
		return weigh_other_key(j, r, e);
	if (get_seen(j->ks, j->who, cert_sha256(r->cert), &seen, e) != 0)
		return -1;
	return weigh_same_key(j, r, &seen);
}

static int weigh_others(struct judging *j, struct err *e)
{
	sqlite3_stmt *st;

	if (j->ks->schema < KS_SCHEMA_LIFE)
		return 0;
	st = ks_harvest_stmt(j->ks, ST_HARVEST_OTHERS, j->who, NULL, e);
	if (st != NULL)
		sqlite3_bind_int(st, 2, KS_CANDIDATES);
	return ks_visit_rows(j->ks, st, weigh, j, e);
}

/*
 * By the day of receipt (UTC). A clock that went back makes no days; one
 * that was ahead for long is put right, or its days would stop for years.
 */
static bool count_day(struct ks_harvested *seen, int64_t at)
{
	int64_t days = at / DAY - seen->last / DAY;

	if (days == 0 || days == -1)
		return false;
	seen->last = at;
	seen->days += days > 0;
	return true;
}

static void begin_seen(struct judging *j)
{
	struct ks_harvested *x = &j->seen;

	if (x->days == 0) {
		x->days = 1;
		x->last = j->s->at;
	} else {
		(void)count_day(x, j->s->at);
	}
	x->first = j->s->at;
	memcpy(x->who, j->who, sizeof(x->who));
	memcpy(x->cert, cert_sha256(j->s->cert), sizeof(x->cert));
	j->out->has_news = true;
}

static void conclude(struct judging *j)
{
	struct buf b;

	j->out->is_conflict = false;
	if (j->was_rejected) {
		say(j, HARVEST_PENDING, "another certificate with this key "
		    "was rejected");
	} else if (j->has_own || (j->has_other && !j->has_served)) {
		j->out->is_conflict = true;
		say(j, HARVEST_PENDING, j->has_own ? "another key is in use "
		    "for this address, by the administrator's word" :
		    "another key is in use for this address");
	} else if (j->has_served || j->seen.days >= j->p->days) {
		say(j, HARVEST_USABLE, "");
	} else {
		buf_init(&b, 100);
		buf_printf(&b, "seen on %d of %d days", j->seen.days,
		    j->p->days);
		say(j, HARVEST_PENDING, buf_str(&b));
		buf_free(&b);
	}
}

static int judge(struct judging *j, struct err *e)
{
	int rc = judge_stored(j, e);

	if (rc == 0)
		rc = judge_key(j, e);
	if (rc == 0)
		rc = judge_fitness(j, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (get_seen(j->ks, j->who, cert_sha256(j->s->cert), &j->seen, e) !=
	    0)
		return -1;
	if (j->seen.is)
		j->out->has_news = count_day(&j->seen, j->s->at);
	if (j->seen.is && j->seen.serves && j->state == KS_USABLE) {
		say(j, HARVEST_USABLE, "");
		return 0;
	}
	if (weigh_others(j, e) != 0)
		return -1;
	if (!j->seen.is)
		begin_seen(j);
	conclude(j);
	if (j->out->state == HARVEST_USABLE)
		j->out->has_news = true;
	return 0;
}

static int begin(struct judging *j, struct keystore *ks,
    const struct sighting *s, const struct harvest_policy *p,
    struct harvest_outcome *out, struct err *e)
{
	memset(j, 0, sizeof(*j));
	memset(out, 0, sizeof(*out));
	j->ks = ks;
	j->s = s;
	j->p = p;
	j->out = out;
	addr_key(s->who, j->who);
	if (s->at < 0)
		return err_set(e, FAIL_BUG, "harvest: a time before 1970");
	return judge(j, e);
}

int harvest_look(struct keystore *ks, const struct sighting *s,
    const struct harvest_policy *p, struct harvest_outcome *out,
    struct err *e)
{
	struct judging j;

	return begin(&j, ks, s, p, out, e);
}

/* ---- keeping ---- */

/* How many rows there may be, of one address or of all. */
struct cap {
	enum ks_stmt count, worst;
	const char *who;
	int max;
};

/*
 * What waits gives way to what comes, what is used does not: 1 there is no
 * room, 0, -1. Of an address nothing gives way on the day on which it was
 * seen, or who has one certificate more than may wait would make each of his
 * messages a change. When max was lowered, the rest goes with later ones.
 */
static int room_within(struct judging *j, const struct cap *cap,
    struct err *e)
{
	struct ks_harvested x;
	int64_t n = 0;
	int i;

	for (i = 0; i < DROPS; i++) {
		if (count(j->ks, cap->count, cap->who, &n, e) != 0)
			return -1;
		if (n < cap->max)
			return 0;
		if (ks_harvest_one(j->ks, ks_harvest_stmt(j->ks, cap->worst,
		    cap->who, NULL, e), &x, e) != 0)
			return -1;
		if (!x.is || (cap->who != NULL &&
		    x.last / DAY == j->s->at / DAY))
			return 1;
		if (drop(j->ks, &x, e) != 0)
			return -1;
	}
	return 0;
}

static int make_room(struct judging *j, struct err *e)
{
	const struct cap own = { ST_HARVEST_COUNT_OF, ST_HARVEST_WORST_OF,
		j->who, j->p->max_per_address };
	const struct cap all = { ST_HARVEST_COUNT, ST_HARVEST_WORST, NULL,
		j->p->max };
	int rc = room_within(j, &own, e);

	if (rc == 0)
		rc = room_within(j, &all, e);
	if (rc == 1) {
		j->out->has_news = false;
		say(j, HARVEST_REFUSED, "no room: as many certificates as "
		    "may be are in use, or wait since today");
	}
	return rc;
}

/* Making room may have dropped the row that it had for another address. */
static int store_cert(struct judging *j, struct err *e)
{
	const unsigned char *sha256 = cert_sha256(j->s->cert);
	struct ks_harvested any;

	if (j->is_stored && get_any(j->ks, sha256, &any, e) != 0)
		return -1;
	if (j->is_stored && any.is)
		return 0;
	j->state = KS_PENDING;
	return ks_insert_cert(j->ks, j->s->cert, KS_ENCRYPT, KS_HARVEST,
	    KS_PENDING, e);
}

static int set_used(struct judging *j, struct err *e)
{
	const unsigned char *sha256 = cert_sha256(j->s->cert);
	sqlite3_stmt *st = ks_harvest_stmt(j->ks, ST_CERT_STATE, NULL, sha256,
	    e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int(st, 2, KS_USABLE);
	j->state = KS_USABLE;
	if (ks_run(j->ks, st, e) != 0 || ks_harvest_note(j->ks,
	    "use harvested certificate", sha256, j->who, e) != 0)
		return -1;
	return ks_bump(j->ks, false, e);
}

static int keep(struct judging *j, struct err *e)
{
	const unsigned char *sha256 = cert_sha256(j->s->cert);
	bool is_new = !j->seen.is;
	bool serves = j->out->state == HARVEST_USABLE;
	bool starts = serves && !(j->seen.serves && j->state == KS_USABLE);
	int rc = 0;

	if (is_new)
		rc = make_room(j, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (is_new && (store_cert(j, e) != 0 || ks_harvest_note(j->ks,
	    "harvest certificate", sha256, j->who, e) != 0))
		return -1;
	j->seen.serves = serves;
	if (ks_harvest_put(j->ks, &j->seen, j->out->reason, e) != 0 ||
	    (starts && set_used(j, e) != 0))
		return -1;
	return is_new || starts ? ks_harvest_index(j->ks, sha256,
	    j->state == KS_USABLE, e) : 0;
}

int harvest_keep(struct keystore *ks, const struct sighting *s,
    const struct harvest_policy *p, struct harvest_outcome *out,
    struct err *e)
{
	struct judging j;
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	rc = begin(&j, ks, s, p, out, e);
	if (rc == 0 && out->has_news)
		rc = keep(&j, e);
	return ks_end(ks, began, rc, e);
}

/* ---- age ---- */

static int find_old(struct keystore *ks, const struct harvest_policy *p,
    int64_t now, struct ks_harvested *x, struct err *e)
{
	sqlite3_stmt *st = ks_stmt(ks, ST_HARVEST_OLD, e);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, now - p->expire_s);
	if (ks_harvest_one(ks, st, x, e) != 0)
		return -1;
	if (x->is)
		return 0;
	st = ks_stmt(ks, ST_HARVEST_USED, e);
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, now - KEEP_USED);
	sqlite3_bind_int64(st, 2, now);
	return ks_harvest_one(ks, st, x, e);
}

int harvest_expire(struct keystore *ks, const struct harvest_policy *p,
    int64_t now, size_t *dropped, struct err *e)
{
	struct ks_harvested x;
	size_t n = 0;
	bool began;
	int rc;

	if (ks_change(ks, &began, false, e) != 0)
		return -1;
	do {
		rc = find_old(ks, p, now, &x, e);
		if (rc == 0 && x.is) {
			rc = drop(ks, &x, e);
			n++;
		}
	} while (rc == 0 && x.is && n < EXPIRE_BATCH);
	rc = ks_end(ks, began, rc, e);
	if (dropped != NULL)
		*dropped = rc == 0 ? n : 0;
	return rc;
}
