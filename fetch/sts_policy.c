/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The texts of MTA-STS: the TXT record and the policy (RFC 8461 3.1, 3.2).
 * Whoever writes them wants to read the mail: what is odd is no policy.
 */
#include <stdlib.h>
#include <string.h>

#include "fetch/sts_int.h"
#include "util/addr.h"

#define KEY_MAX 32
#define NAMES_MAX (STS_MXS * (DNS_NAME + 2))

const char *sts_mode_str(enum sts_mode m)
{
	static const char *const word[] = { "none", "testing", "enforce" };

	return word[m];
}

void sts_policy_init(struct sts_policy *p)
{
	memset(p, 0, sizeof(*p));
	buf_init(&p->mx, NAMES_MAX);
}

void sts_policy_free(struct sts_policy *p)
{
	buf_free(&p->mx);
	p->mxs = 0;
}

int sts_policy_copy(struct sts_policy *out, const struct sts_policy *p)
{
	struct buf mx = out->mx;

	*out = *p;
	out->mx = mx;
	buf_clear(&out->mx);
	buf_putv(&out->mx, buf_view(&p->mx));
	return buf_ok(&out->mx, NULL);
}

/* ---- TXT ---- */

static bool is_alnum(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

static struct view trim_blanks(struct view v)
{
	while (v.n > 0 && (v.p[0] == ' ' || v.p[0] == '\t'))
		v = view_sub(v, 1, v.n);
	while (v.n > 0 && (v.p[v.n - 1] == ' ' || v.p[v.n - 1] == '\t'))
		v.n--;
	return v;
}

static bool is_version(struct view txt)
{
	static const char version[] = "v=STSv1";
	size_t n = sizeof(version) - 1;
	struct view rest;

	if (!view_eq_str(view_sub(txt, 0, n), version))
		return false;
	rest = trim_blanks(view_sub(txt, n, txt.n));
	return rest.n > 0 && rest.p[0] == ';';
}

static int take_id(char id[STS_ID], struct view value)
{
	size_t i;

	for (i = 0; i < value.n; i++)
		if (!is_alnum(value.p[i]))
			return -1;
	return value.n == 0 ? -1 : view_cstr(value, id, STS_ID);
}

/* Fields behind the version; the first id counts. */
static int read_fields(char id[STS_ID], struct view txt)
{
	struct view field;
	size_t end;

	id[0] = '\0';
	for (; txt.n > 0; txt = view_sub(txt, end + 1, txt.n)) {
		end = view_chr(txt, ';', 0);
		if (end == (size_t)-1)
			end = txt.n;
		field = trim_blanks(view_sub(txt, 0, end));
		if (id[0] == '\0' && view_eq_str(view_sub(field, 0, 3), "id=")
		    && take_id(id, view_sub(field, 3, field.n)) != 0)
			return -1;
	}
	return id[0] == '\0' ? -1 : 0;
}

int sts_txt_id(char id[STS_ID], const struct dns_answer *txt, struct err *e)
{
	size_t found = 0, i;
	struct buf b;
	int rc = -1;

	id[0] = '\0';
	buf_init(&b, STS_POLICY_MAX);
	for (i = 0; i < txt->n; i++) {
		buf_clear(&b);
		if (dns_read_txt(&b, txt->rdata[i]) != 0 ||
		    !is_version(buf_view(&b)))
			continue;
		if (found++ == 0)
			rc = read_fields(id, buf_view(&b));
	}
	buf_free(&b);
	if (found != 1 || txt->has_more || rc != 0)
		id[0] = '\0';
	if (found == 0)
		return err_set(e, FAIL_INPUT, "no TXT record of MTA-STS");
	if (found > 1 || txt->has_more)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.1: %zu TXT records "
		    "of MTA-STS, want one", found);
	return rc == 0 ? 0 : err_set(e, FAIL_INPUT, "RFC 8461 3.1: the TXT "
	    "record of MTA-STS has no id of letters and digits");
}

/* ---- the policy ---- */

static bool is_key(struct view key)
{
	size_t i;

	for (i = 0; i < key.n; i++)
		if (!is_alnum(key.p[i]) && (i == 0 ||
		    strchr("_-.", key.p[i]) == NULL))
			return false;
	return key.n > 0 && key.n <= KEY_MAX;
}

struct reading {
	struct sts_policy *p;
	bool has_version, has_mode, has_age;
};

static int take_version(struct reading *r, struct view v, struct err *e)
{
	if (r->has_version)
		return 0;
	r->has_version = true;
	return view_eq_str(v, "STSv1") ? 0 : err_set(e, FAIL_INPUT,
	    "RFC 8461 3.2: the policy's version is not STSv1");
}

static int take_mode(struct reading *r, struct view v, struct err *e)
{
	int m;

	if (r->has_mode)
		return 0;
	r->has_mode = true;
	for (m = STS_NONE; m <= STS_ENFORCE; m++) {
		if (!view_eq_str(v, sts_mode_str((enum sts_mode)m)))
			continue;
		r->p->mode = (enum sts_mode)m;
		return 0;
	}
	return err_set(e, FAIL_INPUT, "RFC 8461 3.2: the policy's mode is "
	    "none of enforce, testing, none");
}

static int take_age(struct reading *r, struct view v, struct err *e)
{
	int64_t age = 0;
	size_t i;

	if (r->has_age)
		return 0;
	r->has_age = true;
	for (i = 0; i < v.n && i < 11 && v.p[i] >= '0' && v.p[i] <= '9'; i++)
		age = age * 10 + (v.p[i] - '0');
	if (i == 0 || i > 10 || i < v.n)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.2: the policy's "
		    "max_age is no number of at most 10 digits");
	r->p->max_age_s = age < STS_AGE_MAX ? age : STS_AGE_MAX;
	return 0;
}

static int take_mx(struct reading *r, struct view v, struct err *e)
{
	bool wild = view_eq_str(view_sub(v, 0, 2), "*.");
	struct view name = wild ? view_sub(v, 2, v.n) : v;
	char host[DNS_NAME], said[ERR_QUOTED];

	if (addr_domain_parse(host, sizeof(host), name, NULL) != 0)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.2: %s is no host "
		    "in the policy", err_quote(said, sizeof(said), v.p, v.n));
	if (r->p->mxs == STS_MXS)
		return err_set(e, FAIL_INPUT, "the policy has more than %d "
		    "hosts", STS_MXS);
	buf_printf(&r->p->mx, "%s%s ", wild ? "*." : "", host);
	r->p->mxs++;
	return 0;
}

static int take_line(struct reading *r, struct view line, struct err *e)
{
	size_t colon = view_chr(line, ':', 0);
	struct view key, value;

	line = trim_blanks(line);
	if (line.n == 0)
		return 0;
	if (colon == (size_t)-1)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.2: a line of the "
		    "policy has no colon");
	colon = view_chr(line, ':', 0);
	key = trim_blanks(view_sub(line, 0, colon));
	value = trim_blanks(view_sub(line, colon + 1, line.n));
	if (!is_key(key))
		return err_set(e, FAIL_INPUT, "RFC 8461 3.2: a line of the "
		    "policy does not begin with a name");
	if (view_eq_str(key, "version"))
		return take_version(r, value, e);
	if (view_eq_str(key, "mode"))
		return take_mode(r, value, e);
	if (view_eq_str(key, "max_age"))
		return take_age(r, value, e);
	return view_eq_str(key, "mx") ? take_mx(r, value, e) : 0;
}

/* NUL, and CR but before LF, would be read in different ways. */
static int check_octets(struct view text, struct err *e)
{
	size_t i;

	if (text.n > STS_POLICY_MAX)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.3: a policy of more "
		    "than %d octets", STS_POLICY_MAX);
	for (i = 0; i < text.n; i++) {
		if (text.p[i] != '\0' && text.p[i] != '\r')
			continue;
		if (text.p[i] == '\0' || i + 1 == text.n ||
		    text.p[i + 1] != '\n')
			return err_set(e, FAIL_INPUT, "RFC 8461 3.2: the "
			    "policy has an octet %d inside a line",
			    text.p[i]);
	}
	return 0;
}

static int conclude(const struct reading *r, struct err *e)
{
	if (!r->has_version || !r->has_mode || !r->has_age)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.2: the policy has "
		    "no %s", !r->has_version ? "version" :
		    !r->has_mode ? "mode" : "max_age");
	if (r->p->mode != STS_NONE && r->p->mxs == 0)
		return err_set(e, FAIL_INPUT, "RFC 8461 3.2: the policy names "
		    "no mx");
	return buf_ok(&r->p->mx, e);
}

int sts_policy_parse(struct sts_policy *p, struct view text, struct err *e)
{
	struct reading r = { .p = p };
	struct view line;
	size_t end;

	if (check_octets(text, e) != 0)
		return -1;
	for (; text.n > 0; text = view_sub(text, end + 1, text.n)) {
		end = view_chr(text, '\n', 0);
		if (end == (size_t)-1)
			end = text.n;
		line = view_sub(text, 0, end);
		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		if (take_line(&r, line, e) != 0)
			return -1;
	}
	return conclude(&r, e);
}

static bool pattern_names(struct view pattern, struct view host)
{
	size_t dot;

	if (!view_eq_str(view_sub(pattern, 0, 2), "*."))
		return view_ieq(pattern, host);
	dot = view_chr(host, '.', 0);
	return dot != (size_t)-1 && dot > 0 &&
	    view_ieq(view_sub(pattern, 1, pattern.n),
	    view_sub(host, dot, host.n));
}

bool sts_policy_names(const struct sts_policy *p, const char *host)
{
	struct view rest = buf_view(&p->mx);
	size_t end;

	for (; rest.n > 0; rest = view_sub(rest, end + 1, rest.n)) {
		end = view_chr(rest, ' ', 0);
		if (pattern_names(view_sub(rest, 0, end), view_of(host)))
			return true;
	}
	return false;
}
