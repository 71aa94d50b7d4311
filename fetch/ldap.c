/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * LDAP: one search for each address. Nothing of the network is waited for
 * without a limit, no referral is followed, no file of the user's is read.
 */
#include "fetch/ldap.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <unistd.h>

#include "fetch/ldap_int.h"
#include "fetch/ldap_text.h"
#include "util/clock.h"
#include "util/proc.h"
#include "util/utf8.h"

#define IDLE_MS 60000 /* kept longer, a firewall may have forgotten it */
#define FAREWELL_MS 100

/*
 * A layer of the connection below TLS that ends every wait at the deadline.
 * The library's own limit does not hold in a handshake: with GnuTLS it asks
 * again and again for octets that do not come, and a read that waits for the
 * rest of a record waits for ever (libldap 2.5 and 2.6).
 */
static int wait_for(const Sockbuf_IO_Desc *io, short events)
{
	const struct ldap_server *s = io->sbiod_pvt;
	struct pollfd p = {-1, events, 0};
	int rc;

	if (ber_sockbuf_ctrl(io->sbiod_sb, LBER_SB_OPT_GET_FD, &p.fd) <= 0)
		return -1;
	do {
		int64_t left = find_left_ms(s->deadline);

		rc = left == 0 ? 0 : poll(&p, 1, (int)left);
	} while (rc == -1 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	return rc > 0 ? 0 : -1;
}

static int io_setup(Sockbuf_IO_Desc *io, void *server)
{
	io->sbiod_pvt = server;
	return 0;
}

static ber_slen_t io_read(Sockbuf_IO_Desc *io, void *p, ber_len_t n)
{
	return wait_for(io, POLLIN) == 0 ? LBER_SBIOD_READ_NEXT(io, p, n)
					 : -1;
}

static ber_slen_t io_write(Sockbuf_IO_Desc *io, void *p, ber_len_t n)
{
	return wait_for(io, POLLOUT) == 0 ? LBER_SBIOD_WRITE_NEXT(io, p, n)
					  : -1;
}

static int io_ctrl(Sockbuf_IO_Desc *io, int option, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(io, option, arg);
}

static Sockbuf_IO deadline_io = {
	.sbi_setup = io_setup,
	.sbi_ctrl = io_ctrl,
	.sbi_read = io_read,
	.sbi_write = io_write,
};
/* above the socket, below TLS */
#define LEVEL_DEADLINE                                                    \
	((LBER_SBIOD_LEVEL_PROVIDER + LBER_SBIOD_LEVEL_TRANSPORT) / 2)

void ldap_server_hang_up(struct ldap_server *s)
{
	s->deadline = clock_ms() + FAREWELL_MS;
	if (s->ld != NULL)
		(void)ldap_unbind_ext(s->ld, NULL, NULL);
	s->ld = NULL;
}

void ldap_directory_free(struct ldap_directory **lp)
{
	struct ldap_directory *l = *lp;

	if (l == NULL)
		return;
	for (size_t i = 0; l->server != NULL && i < l->servers; i++)
		ldap_server_hang_up(&l->server[i]);
	buf_free(&l->password);
	free(l->server);
	free(l);
	*lp = NULL;
}

static int read_password(struct ldap_directory *l, struct err *e)
{
	if (l->d->password_file == NULL)
		return 0;
	if (io_read_secret(l->d->password_file, &l->password, e) != 0)
		return err_add(e, "directory: password-file");
	while (l->password.n > 0 &&
	    strchr("\r\n", l->password.p[l->password.n - 1]) != NULL)
		l->password.n--;
	/* RFC 4513 5.1.2: without a password it would be no login */
	if (l->password.n == 0)
		return err_set(e, FAIL_CONFIG, "directory: password-file %s: "
		    "empty (RFC 4513 5.1.2)", l->d->password_file);
	return 0;
}

int ldap_directory_new(struct ldap_directory **out, const struct directory *d,
    struct err *e)
{
	struct ldap_directory *l = calloc(1, sizeof(*l));
	int rc = -1;

	*out = NULL;
	if (l == NULL)
		return err_set(e, FAIL_TEMP, "directory: out of memory");
	l->d = d;
	buf_init_secret(&l->password, 4096);
	l->server = calloc(d->urls + 1, sizeof(*l->server));
	if (l->server == NULL) {
		err_set(e, FAIL_TEMP, "directory: out of memory");
		goto out;
	}
	l->servers = d->urls;
	for (size_t i = 0; i < d->urls; i++)
		l->server[i].url = d->url[i];
	/* else the library reads ldap.conf, ~/.ldaprc and ./ldaprc */
	if (setenv("LDAPNOINIT", "1", 1) != 0) {
		err_sys(e, FAIL_TEMP, "directory: environment");
		goto out;
	}
	if (read_password(l, e) != 0)
		goto out;
	*out = l;
	l = NULL;
	rc = 0;
out:
	ldap_directory_free(&l);
	return rc;
}

/* ---- errors ---- */

static int fail_text(const struct ldap_server *s, const char *what,
    const char *why, struct err *e)
{
	char q[ERR_QUOTED];

	text_set(q, sizeof(q), why);
	utf8_mask(q);
	return err_set(e, FAIL_TEMP, "directory %s: %s: %s", s->url, what, q);
}

/* What the library says of it, and the peer, if it says more. */
int ldap_server_fail(const struct ldap_server *s, const char *what, int code,
    struct err *e)
{
	char *more = NULL;
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	buf_puts(&b, ldap_err2string(code));
	if (s->ld != NULL)
		(void)ldap_get_option(s->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE,
		    &more);
	if (more != NULL && *more != '\0')
		buf_printf(&b, ", %s", more);
	ldap_memfree(more);
	rc = fail_text(s, what, buf_str(&b), e);
	buf_free(&b);
	return rc;
}

static int fail_time(const struct ldap_server *s, const char *what,
    struct err *e)
{
	return err_set(e, FAIL_TEMP, "directory %s: %s: no answer in time",
	    s->url, what);
}

static struct timeval left_of(int64_t deadline)
{
	int64_t ms = find_left_ms(deadline);
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};

	return tv;
}

/* ---- waiting ---- */

/* The next message of an operation; *out NULL after a failure. */
int ldap_server_wait(const struct ldap_server *s, int id, const char *what,
    int64_t deadline, LDAPMessage **out, struct err *e)
{
	struct timeval tv = left_of(deadline);
	int code = LDAP_OTHER, rc;

	*out = NULL;
	if (find_left_ms(deadline) == 0)
		return fail_time(s, what, e);
	rc = ldap_result(s->ld, id, LDAP_MSG_ONE, &tv, out);
	if (rc > 0)
		return 0;
	if (rc == 0)
		return fail_time(s, what, e);
	(void)ldap_get_option(s->ld, LDAP_OPT_RESULT_CODE, &code);
	return ldap_server_fail(s, what, code, e);
}

/* Does it say something of this question alone, and nothing of the server?
 * Then it need not be left alone. */
static bool is_of_question(int code)
{
	return code == LDAP_SIZELIMIT_EXCEEDED ||
	    code == LDAP_ADMINLIMIT_EXCEEDED || code == LDAP_INVALID_SYNTAX ||
	    code == LDAP_INAPPROPRIATE_MATCHING ||
	    code == LDAP_UNDEFINED_TYPE || code == LDAP_FILTER_ERROR;
}

/* The result that ends an operation; takes the message. FAIL_LIMIT when it
 * is of this question. */
int ldap_server_conclude(const struct ldap_server *s, const char *what,
    LDAPMessage *take, struct err *e)
{
	char *more = NULL;
	struct buf b;
	int code, rc;

	rc = ldap_parse_result(s->ld, take, &code, NULL, &more, NULL, NULL, 1);
	if (rc != LDAP_SUCCESS) {
		ldap_memfree(more);
		return ldap_server_fail(s, what, rc, e);
	}
	rc = 0;
	if (code != LDAP_SUCCESS) {
		buf_init(&b, 4096);
		buf_printf(&b, "it answers: %s", ldap_err2string(code));
		if (more != NULL && *more != '\0')
			buf_printf(&b, ", %s", more);
		rc = fail_text(s, what, buf_str(&b), e);
		if (is_of_question(code))
			e->kind = FAIL_LIMIT;
		buf_free(&b);
	}
	ldap_memfree(more);
	return rc;
}

static int wait_result(const struct ldap_server *s, int id, const char *what,
    int64_t deadline, struct err *e)
{
	LDAPMessage *m;

	if (ldap_server_wait(s, id, what, deadline, &m, e) != 0)
		return -1;
	return ldap_server_conclude(s, what, m, e);
}

/* ---- connecting ---- */

/* The system's list of CAs, where Debian and the like have it. */
#define SYSTEM_CAS "/etc/ssl/certs/ca-certificates.crt"

static int set_tls(const struct ldap_directory *l, LDAP *ld)
{
	const char *ca = l->d->ca_file == NULL ? SYSTEM_CAS : l->d->ca_file;
	int demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
	int least = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;

	/* name and chain of the server are checked, or there is no TLS */
	return ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) ==
		LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &least) ==
		LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, ca) ==
		LDAP_OPT_SUCCESS &&
	    ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client) ==
		LDAP_OPT_SUCCESS ? 0 : -1;
}

static int set_options(struct ldap_server *s, int64_t deadline)
{
	int version = LDAP_VERSION3, deref = LDAP_DEREF_NEVER;
	/* half: it counts for connecting and for TLS each */
	struct timeval tv = left_of(clock_ms() +
	    find_left_ms(deadline) / 2);
	ber_len_t most = CAP_LDAP_ANSWER;
	Sockbuf *sb = NULL;

	if (ldap_set_option(s->ld, LDAP_OPT_PROTOCOL_VERSION, &version) !=
		LDAP_OPT_SUCCESS ||
	    ldap_set_option(s->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) !=
		LDAP_OPT_SUCCESS ||
	    ldap_set_option(s->ld, LDAP_OPT_RESTART, LDAP_OPT_ON) !=
		LDAP_OPT_SUCCESS ||
	    ldap_set_option(s->ld, LDAP_OPT_DEREF, &deref) !=
		LDAP_OPT_SUCCESS ||
	    ldap_set_option(s->ld, LDAP_OPT_NETWORK_TIMEOUT, &tv) !=
		LDAP_OPT_SUCCESS ||
	    ldap_set_option(s->ld, LDAP_OPT_TIMEOUT, &tv) !=
		LDAP_OPT_SUCCESS ||
	    ldap_get_option(s->ld, LDAP_OPT_SOCKBUF, &sb) !=
		LDAP_OPT_SUCCESS || sb == NULL)
		return -1;
	return ber_sockbuf_ctrl(sb, LBER_SB_OPT_SET_MAX_INCOMING, &most) > 0 &&
	    ber_sockbuf_add_io(sb, &deadline_io, LEVEL_DEADLINE, s) == 0
	    ? 0
	    : -1;
}

static int start_tls(const struct ldap_server *s, int64_t deadline,
    struct err *e)
{
	int id, rc;

	rc = ldap_start_tls(s->ld, NULL, NULL, &id);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(s, "StartTLS", rc, e);
	if (wait_result(s, id, "StartTLS", deadline, e) != 0)
		return -1;
	rc = ldap_install_tls(s->ld);
	return rc == LDAP_SUCCESS ? 0 : ldap_server_fail(s, "StartTLS", rc, e);
}

static int log_in(const struct ldap_directory *l, const struct ldap_server *s,
    int64_t deadline, struct err *e)
{
	struct berval password = {l->password.n, (char *)l->password.p};
	int id, rc;

	if (l->d->bind_dn == NULL)
		return 0;
	rc = ldap_sasl_bind(s->ld, l->d->bind_dn, LDAP_SASL_SIMPLE, &password,
	    NULL, NULL, &id);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(s, "bind", rc, e);
	return wait_result(s, id, "bind", deadline, e);
}

int ldap_server_connect(const struct ldap_directory *l, struct ldap_server *s,
    int64_t deadline, struct err *e)
{
	struct ldap_where where;
	int rc;

	if (ldap_url_read(&where, s->url, e) != 0)
		return -1;
	rc = ldap_initialize(&s->ld, s->url);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(s, "connection", rc, e);
	if (set_options(s, deadline) != 0)
		return fail_text(s, "connection", "cannot set options", e);
	if ((where.is_tls || l->d->start_tls) && set_tls(l, s->ld) != 0)
		return fail_text(s, "TLS: cannot read the CA's certificates",
		    l->d->ca_file == NULL ? SYSTEM_CAS : l->d->ca_file, e);
	rc = ldap_connect(s->ld);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(s, "connection", rc, e);
	if (l->d->start_tls && start_tls(s, deadline, e) != 0)
		return -1;
	return log_in(l, s, deadline, e);
}

/* ---- searching ---- */

/* Is it the attribute that was asked for, whatever its options? */
static bool is_asked(const char *found, const char *asked)
{
	size_t n = strcspn(found, ";");

	return n == strcspn(asked, ";") && strncasecmp(found, asked, n) == 0;
}

static void take_values(struct berval **value, struct found_certs *out,
    size_t *values)
{
	for (size_t i = 0; value != NULL && value[i] != NULL; i++) {
		if (++*values > CAP_FIND_VALUES)
			break;
		if (!found_certs_take(out, view_make(value[i]->bv_val,
		    value[i]->bv_len), false))
			found_certs_warn(out, "a value that is no "
			    "certificate was left out");
	}
}

static void take_entry(const struct ldap_directory *l,
    const struct ldap_server *s, LDAPMessage *m, struct found_certs *out,
    size_t *values)
{
	BerElement *at = NULL;
	char *name;

	for (name = ldap_first_attribute(s->ld, m, &at); name != NULL;
	    name = ldap_next_attribute(s->ld, m, at)) {
		struct berval **value = NULL;

		if (is_asked(name, l->d->attribute))
			value = ldap_get_values_len(s->ld, m, name);
		take_values(value, out, values);
		ldap_value_free_len(value);
		ldap_memfree(name);
	}
	ber_free(at, 0);
}

static int too_much(const struct ldap_server *s, const char *of, struct err *e)
{
	return err_set(e, FAIL_LIMIT, "directory %s: more than %s for one "
	    "address; the filter should find one entry", s->url, of);
}

static int collect(const struct ldap_directory *l, const struct ldap_server *s,
    int id, int64_t deadline, struct found_certs *out, struct err *e)
{
	size_t entries = 0, values = 0;

	for (;;) {
		LDAPMessage *m;
		int type;

		if (ldap_server_wait(s, id, "search", deadline, &m, e) != 0)
			return -1;
		type = ldap_msgtype(m);
		if (type == LDAP_RES_SEARCH_RESULT)
			return ldap_server_conclude(s, "search", m, e);
		if (type == LDAP_RES_SEARCH_ENTRY)
			take_entry(l, s, m, out, &values);
		ldap_msgfree(m);
		if (++entries > CAP_LDAP_ENTRIES)
			return too_much(s, "16 entries", e);
		if (values > CAP_FIND_VALUES)
			return too_much(s, "256 values", e);
	}
}

static int search(const struct ldap_directory *l, const struct ldap_server *s,
    const struct addr *a, int64_t deadline, struct found_certs *out,
    struct err *e)
{
	char *attribute[] = {l->d->attribute, NULL};
	struct timeval tv = left_of(deadline);
	struct buf filter;
	int id = -1, rc;

	/* the server's own limit is in seconds, and 0 would be none */
	tv.tv_sec++;
	tv.tv_usec = 0;
	buf_init(&filter, 8192);
	ldap_filter_fill(&filter, l->d->filter, a->text);
	if (buf_ok(&filter, e) != 0) {
		buf_free(&filter);
		return -1;
	}
	rc = ldap_search_ext(s->ld, l->d->base, LDAP_SCOPE_SUBTREE,
	    buf_str(&filter), attribute, 0, NULL, NULL, &tv,
	    CAP_LDAP_ENTRIES + 1, &id);
	buf_free(&filter);
	if (rc != LDAP_SUCCESS)
		return ldap_server_fail(s, "search", rc, e);
	rc = collect(l, s, id, deadline, out, e);
	if (rc != 0)
		(void)ldap_abandon_ext(s->ld, id, NULL, NULL);
	return rc;
}

/* ---- servers ---- */

static int ask_once(const struct ldap_directory *l, struct ldap_server *s,
    const struct addr *a, int64_t deadline, struct found_certs *out,
    struct err *e)
{
	found_certs_free(out);
	found_certs_init(out);
	out->source = FIND_LDAP;
	text_set(out->from, sizeof(out->from), s->url);
	s->deadline = deadline;
	if ((s->ld == NULL && ldap_server_connect(l, s, deadline, e) != 0) ||
	    search(l, s, a, deadline, out, e) != 0) {
		ldap_server_hang_up(s);
		return -1;
	}
	s->used = clock_ms();
	return 0;
}

/* Servers close what is idle: that a kept connection died says nothing. */
static int ask_server(const struct ldap_directory *l, struct ldap_server *s,
    const struct addr *a, int64_t deadline, struct found_certs *out,
    struct err *e)
{
	int64_t now = clock_ms();

	if (s->ld != NULL && now - s->used > IDLE_MS)
		ldap_server_hang_up(s);
	if (s->ld != NULL && ask_once(l, s, a, now +
	    find_left_ms(deadline) / 2, out, e) == 0)
		return 0;
	return ask_once(l, s, a, deadline, out, e);
}

static size_t awake(const struct ldap_directory *l, size_t from, int64_t now)
{
	size_t n = 0;

	for (; from < l->servers; from++)
		n += l->server[from].rests_until <= now;
	return n;
}

/* What is about one address, or was for want of time because others had been
 * asked for, is no reason to ask nobody for anybody else. */
static void let_rest(struct ldap_server *s, bool hurried, const struct err *why)
{
	if (hurried || why->kind == FAIL_LIMIT)
		return;
	s->why = *why;
	s->rests_until = clock_ms() + FIND_REST_MS;
}

int ldap_directory_find(struct ldap_directory *l, const struct addr *a,
    int64_t deadline, struct found_certs *out, struct err *e)
{
	bool hurried = find_is_hurried(l->d, deadline);
	struct err first = {0};

	for (size_t i = 0; i < l->servers; i++) {
		struct ldap_server *s = &l->server[i];
		int64_t now = clock_ms();

		if (s->rests_until <= now) {
			/* one that hangs leaves time for the others */
			int64_t share = find_left_ms(deadline) /
			    (int64_t)awake(l, i, now);

			if (ask_server(l, s, a, now + share, out, e) == 0)
				return 0;
			let_rest(s, hurried, e);
		} else {
			*e = s->why;
		}
		if (first.kind == 0)
			first = *e;
	}
	found_certs_free(out);
	return err_set(e, FAIL_TEMP, "%s", first.msg);
}
