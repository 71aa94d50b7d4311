/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One service of stunnel to one listener.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "cli/relay_import_stunnel.h"
#include "util/addr.h"

struct service {
	struct relay_import *im;
	const struct stunnel *s;
	const struct stunnel_section *in;
	bool is_client;
	struct view protocol;
	/* as our configuration has them */
	char accept[128], connect[128];
	int accept_port, connect_port;
	bool proxy;
};

static struct view value(const struct service *x, const char *name)
{
	return stunnel_value(x->s, x->in, name);
}

static bool is(const struct service *x, const char *name, const char *v)
{
	return stunnel_is(x->s, x->in, name, v);
}

/* ---- addresses ---- */

static int port_of(struct view v)
{
	struct servent *s;
	char name[64];
	int x = 0;

	if (view_cstr(v, name, sizeof(name)) != 0 || v.n == 0)
		return -1;
	for (size_t i = 0; i < v.n && x <= 65535; i++) {
		if (!isdigit(v.p[i])) {
			s = getservbyname(name, "tcp");
			return s == NULL ? -1 :
			    ntohs((uint16_t)s->s_port);
		}
		x = x * 10 + (v.p[i] - '0');
	}
	return x >= 1 && x <= 65535 ? x : -1;
}

static int put_address(struct service *x, struct view host, int port,
    char out[128])
{
	unsigned char ip[16];
	char name[128];
	struct buf b;
	size_t n;

	if (view_ieq_str(host, "localhost"))
		host = view_of("127.0.0.1");
	if (view_cstr(host, name, sizeof(name)) != 0 ||
	    (n = tls_address(name, ip)) == 0)
		return import_lose(x->im, "write the host's address in "
		    "numbers, and its name behind tls as name");
	if (name[0] == '[')
		host = view_sub(host, 1, host.n - 2);
	buf_init(&b, 127);
	buf_puts(&b, n == 16 ? "[" : "");
	buf_putv(&b, host);
	buf_printf(&b, "%s:%d", n == 16 ? "]" : "", port);
	text_set(out, 128, buf_str(&b));
	buf_free(&b);
	return 0;
}

/* [HOST:]PORT, or a path. */
static int read_place(struct service *x, struct view v, const char *other,
    char out[128], int *port)
{
	size_t colon = v.n;
	struct view host;
	struct buf b;

	if (v.n > 0 && v.p[0] == '/') {
		buf_init(&b, 127);
		buf_puts(&b, "unix:");
		buf_putv(&b, v);
		text_set(out, 128, buf_str(&b));
		*port = 0;
		buf_free(&b);
		return v.n < 107 ? 0 : import_lose(x->im, "a path that is too "
		    "long");
	}
	while (colon > 0 && v.p[colon - 1] != ':')
		colon--;
	host = colon > 0 ? view_sub(v, 0, colon - 1) : view_of(other);
	*port = port_of(view_sub(v, colon, v.n));
	if (*port == -1)
		return import_lose(x->im, "a port that is none");
	return put_address(x, host, *port, out);
}

/* How often an option stands there. */
static size_t times(const struct service *x, const char *name)
{
	size_t n = 0;

	for (size_t i = 0; i < x->in->n; i++)
		n += view_ieq_str(x->in->option[i].name, name);
	return n;
}

static int read_places(struct service *x)
{
	struct view accept = value(x, "accept"), to = value(x, "connect");

	if (accept.n == 0)
		return import_lose(x->im, "no accept: give it an address to "
		    "listen on");
	if (times(x, "accept") > 1 || times(x, "connect") > 1)
		return import_lose(x->im, "several accept or connect: write a "
		    "listener for each");
	if (read_place(x, accept, x->is_client ? "127.0.0.1" : "0.0.0.0",
	    x->accept, &x->accept_port) != 0)
		return -1;
	if (to.n > 0 && value(x, "exec").n > 0)
		return import_lose(x->im, "connect and exec");
	if (to.n == 0 && value(x, "exec").n == 0)
		return import_lose(x->im, "neither connect nor exec");
	return to.n == 0 ? 0 : read_place(x, to, "127.0.0.1", x->connect,
	    &x->connect_port);
}

/* ---- protocol ---- */

static const struct {
	int port, implicit;
	const char *name;
} ports[] = {
	{ 110, 995, "pop3" }, { 143, 993, "imap" }, { 25, 465, "smtp-tunnel" },
	{ 587, 465, "smtp-tunnel" },
};

static const char *guess_protocol(const struct service *x)
{
	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		if (x->accept_port == ports[i].port ||
		    x->connect_port == ports[i].port ||
		    x->accept_port == ports[i].implicit ||
		    x->connect_port == ports[i].implicit)
			return ports[i].name;
	return "any";
}

static const char *our_protocol(struct service *x)
{
	struct view p = x->protocol;

	x->proxy = view_ieq_str(p, "proxy");
	if (p.n == 0 || x->proxy)
		return guess_protocol(x);
	if (view_ieq_str(p, "smtp"))
		return "smtp-tunnel";
	if (view_ieq_str(p, "pop3"))
		return "pop3";
	if (view_ieq_str(p, "imap"))
		return "imap";
	(void)import_lose(x->im, "protocol: smtp, pop3, imap and proxy are "
	    "known here");
	return "any";
}

static bool has_starttls(const struct service *x)
{
	return x->protocol.n > 0 && !x->proxy;
}

/* ---- certificates ---- */

/* The level of verification in old words and new ones. */
struct verifying {
	bool chain, peer, must;
};

static int read_verify(struct service *x, struct verifying *v)
{
	struct view old = value(x, "verify");
	int level = -1;

	*v = (struct verifying){ is(x, "verifyChain", "yes"),
		is(x, "verifyPeer", "yes"), is(x, "requireCert", "yes") };
	if (old.n == 1 && old.p[0] >= '0' && old.p[0] <= '4')
		level = old.p[0] - '0';
	else if (old.n > 0)
		return import_lose(x->im, "verify: expected 0 to 4");
	v->chain = v->chain || (level >= 1 && level <= 3);
	v->must = v->must || level >= 2 || v->peer;
	v->peer = v->peer || level >= 3;
	if (v->peer)
		return import_lose(x->im, "verifyPeer, verify 3 and 4: write "
		    "pin sha256:HEX of each certificate");
	if (v->must && !v->chain && !x->is_client)
		return import_lose(x->im, "requireCert without verifyChain: "
		    "any certificate would do");
	return 0;
}

static const char *ca_of(struct service *x)
{
	struct view file = value(x, "CAfile"), dir = value(x, "CApath");
	struct view crl = value(x, "CRLfile");
	const char *name = NULL;
	char *crl_text = crl.n > 0 ? view_strdup(crl) : NULL;
	struct buf b;

	buf_init(&b, 8192);
	if (file.n > 0 && dir.n > 0)
		(void)import_lose(x->im, "CAfile and CApath: put all into one "
		    "of them");
	else if (file.n == 0 && dir.n == 0)
		(void)import_lose(x->im, "nothing to verify with: CAfile");
	else if (crl.n > 0 && crl_text == NULL)
		(void)import_lose(x->im, "CRLfile: no file name");
	else {
		buf_putv(&b, file.n > 0 ? file : dir);
		if (file.n == 0 && b.p[b.n - 1] != '/')
			buf_putc(&b, '/');
		name = import_ca(x->im, buf_view(&b), crl_text);
	}
	buf_free(&b);
	free(crl_text);
	return name;
}

static int put_client_cert(struct service *x, struct buf *b)
{
	struct verifying v;
	const char *ca;

	if (read_verify(x, &v) != 0)
		return -1;
	if (!v.chain) {
		if (value(x, "CAfile").n > 0 || value(x, "CApath").n > 0)
			import_note(x->im, "CAfile is not kept: nobody is "
			    "verified with it");
		return 0;
	}
	ca = ca_of(x);
	if (ca == NULL)
		return -1;
	buf_printf(b, "    client-cert %s ca %s\n", v.must ? "require" :
	    "optional", ca);
	return 0;
}

static const char *pki_of(struct service *x, const struct stunnel_section *in)
{
	struct view cert = stunnel_value(x->s, in, "cert");
	struct view key = stunnel_value(x->s, in, "key");

	if (cert.n == 0)
		return NULL;
	if (view_istarts(cert, "pkcs11:") || view_istarts(key, "pkcs11:") ||
	    (cert.n > 4 && view_ieq_str(view_sub(cert, cert.n - 4, 4),
	    ".p12"))) {
		(void)import_lose(x->im, "cert: only PEM files");
		return NULL;
	}
	return import_pki(x->im, cert, key);
}

/* ---- versions and ciphers ---- */

static int put_versions(struct service *x, struct buf *b)
{
	struct view min = value(x, "sslVersionMin");
	struct view only = value(x, "sslVersion");
	bool no_12 = false;

	for (size_t i = 0; i < x->in->n; i++)
		no_12 = no_12 || (view_ieq_str(x->in->option[i].name,
		    "options") && view_ieq_str(x->in->option[i].value,
		    "NO_TLSv1.2"));
	if (view_ieq_str(only, "TLSv1.2"))
		import_note(x->im, "sslVersion: TLS 1.3 is offered, too");
	if (no_12 || view_ieq_str(min, "TLSv1.3") ||
	    view_ieq_str(only, "TLSv1.3"))
		buf_puts(b, "    min-protocol 1.3\n");
	else if (view_ieq_str(min, "TLSv1") || view_ieq_str(min, "TLSv1.1") ||
	    view_ieq_str(only, "TLSv1") || view_ieq_str(only, "TLSv1.1") ||
	    view_istarts(only, "SSLv") || view_istarts(min, "SSLv"))
		import_note(x->im, "versions below TLS 1.2 are not kept (RFC "
		    "8996)");
	return 0;
}

static int put_ciphers(struct service *x, struct buf *b)
{
	struct view v = value(x, "ciphers");

	if (v.n == 0)
		return 0;
	buf_puts(b, "    ciphers \"");
	for (size_t i = 0; i < v.n; i++)
		if (!isalnum(v.p[i]) && strchr("+-!@:_=", v.p[i]) == NULL)
			return import_lose(x->im, "ciphers: no list of "
			    "OpenSSL's");
	buf_putv(b, v);
	buf_puts(b, "\"\n");
	return 0;
}

/* ---- backends ---- */

static int put_exec(struct service *x, struct buf *b)
{
	struct view args = value(x, "execArgs"), user = value(x, "setuid");
	struct view one;
	size_t end, n = 0;

	if (x->is_client || x->proxy)
		return import_lose(x->im, "exec with client or proxy");
	buf_puts(b, "    backend exec ");
	if (user.n > 0) {
		buf_puts(b, "user ");
		if (import_word(b, user) != 0)
			return import_lose(x->im, "setuid: no user");
		buf_putc(b, ' ');
	}
	buf_putc(b, '"');
	for (size_t i = 0; i < value(x, "exec").n; i++)
		if (strchr("\"\\", value(x, "exec").p[i]) != NULL)
			return import_lose(x->im, "exec: no program");
	buf_putv(b, value(x, "exec"));
	buf_putc(b, '"');
	for (; args.n > 0; n++) { /* the first one is the program's name */
		for (end = 0; end < args.n && !isspace(args.p[end]); end++)
			;
		one = view_sub(args, 0, end);
		args = view_trim(view_sub(args, end, args.n));
		if (n == 0)
			continue;
		buf_putc(b, ' ');
		if (import_word(b, one) != 0)
			return import_lose(x->im, "execArgs: cannot be "
			    "written");
	}
	buf_putc(b, '\n');
	return 0;
}

/* A client of stunnel's: plaintext here, TLS to the backend. */
static int put_tls_backend(struct service *x, struct buf *b)
{
	struct view name = value(x, "checkHost");
	struct verifying v;
	const char *s;

	if (read_verify(x, &v) != 0)
		return -1;
	if (name.n == 0)
		name = value(x, "checkIP");
	if (name.n == 0)
		name = value(x, "sni");
	buf_printf(b, " tls %s%s", v.chain ? "verify" : "encrypt",
	    has_starttls(x) ? "" : " implicit");
	if (!v.chain) {
		import_note(x->im, "nobody is verified, as before: verifyChain "
		    "and checkHost become tls verify");
	} else if (name.n > 0) {
		buf_puts(b, " name ");
		if (import_word(b, name) != 0)
			return import_lose(x->im, "checkHost: no name");
	} else {
		import_note(x->im, "no name was compared before; here it must "
		    "be that of the backend: write name NAME behind tls");
	}
	if (v.chain) {
		s = ca_of(x);
		if (s == NULL)
			return -1;
		buf_printf(b, " ca %s", s);
	}
	s = pki_of(x, x->in);
	if (s != NULL)
		buf_printf(b, " pki %s", s);
	return 0;
}

static int put_backend(struct service *x, struct buf *b)
{
	if (value(x, "exec").n > 0)
		return put_exec(x, b);
	buf_printf(b, "    backend \"%s\"", x->connect);
	if (x->is_client && x->proxy)
		return import_lose(x->im, "protocol proxy of a client");
	if (x->is_client && put_tls_backend(x, b) != 0)
		return -1;
	if (x->proxy)
		buf_puts(b, " proxy-v1");
	buf_putc(b, '\n');
	return 0;
}

/* ---- virtual services ---- */

/* "MASTER:PATTERN" of sni: the section's own, or NULL. */
static bool is_slave_of(const struct stunnel_section *in,
    struct view master)
{
	struct view sni = stunnel_value(NULL, in, "sni");
	size_t colon = view_chr(sni, ':', 0);

	return colon != (size_t)-1 && view_eq(view_sub(sni, 0, colon),
	    master);
}

static const struct stunnel_section *master_of(const struct service *x)
{
	for (size_t i = 1; i < x->s->n; i++)
		if (is_slave_of(x->in, x->s->section[i].name))
			return &x->s->section[i];
	return NULL;
}

/* Another certificate of a listener, which has one backend. */
static void note_slave(struct service *x,
    const struct stunnel_section *master)
{
	char name[IMPORT_NAME];

	if (!view_eq(stunnel_value(NULL, x->in, "connect"),
	    stunnel_value(NULL, master, "connect")) ||
	    value(x, "exec").n > 0) {
		(void)import_lose(x->im, "sni with another backend: a "
		    "listener has one");
	} else if (view_cstr(master->name, name, sizeof(name)) == 0) {
		import_note(x->im, "its certificate is one of listener %s: the "
		    "names in it choose", name);
	}
}

static int put_pkis(struct service *x, struct buf *b)
{
	const char *name = pki_of(x, x->in);

	if (name == NULL)
		return x->im->is_losing ? -1 : import_lose(x->im,
		    "no certificate");
	buf_printf(b, "    pki %s", name);
	for (size_t i = 1; i < x->s->n; i++) {
		const struct stunnel_section *in = &x->s->section[i];

		if (!is_slave_of(in, x->in->name))
			continue;
		name = pki_of(x, in);
		if (name != NULL)
			buf_printf(b, " %s", name);
	}
	buf_putc(b, '\n');
	return x->im->is_losing ? -1 : 0;
}

/* ---- the listener ---- */

static int put_name(struct service *x, struct buf *b)
{
	struct view v = x->in->name;

	for (const struct stunnel_section *o = &x->s->section[1]; o < x->in;
	    o++)
		if (view_ieq(o->name, v))
			return import_lose(x->im, "two services of one name");
	if (v.n == 0 || v.n >= IMPORT_NAME || !isalpha(v.p[0]))
		return import_lose(x->im, "a name of a service that is none "
		    "of a listener");
	for (size_t i = 0; i < v.n; i++)
		if (!isalnum(v.p[i]) && strchr("-_.", v.p[i]) == NULL)
			return import_lose(x->im, "a name of a service that "
			    "is none of a listener");
	buf_puts(b, "listen ");
	buf_putv(b, v);
	buf_puts(b, " {\n");
	return 0;
}

static int put_server(struct service *x, struct buf *b)
{
	buf_printf(b, "    on \"%s\" %s\n", x->accept, has_starttls(x) ?
	    "starttls-required" : "implicit");
	if (put_pkis(x, b) != 0 || put_versions(x, b) != 0 ||
	    put_ciphers(x, b) != 0 || put_client_cert(x, b) != 0)
		return -1;
	if (value(x, "checkHost").n > 0 || value(x, "checkIP").n > 0)
		return import_lose(x->im, "checkHost of clients: pin their "
		    "certificates");
	return 0;
}

void stunnel_listener(struct relay_import *im, const struct stunnel *s,
    const struct stunnel_section *in, struct buf *b)
{
	struct service x = { .im = im, .s = s, .in = in };
	const struct stunnel_section *master;
	const char *protocol;

	x.is_client = is(&x, "client", "yes");
	x.protocol = value(&x, "protocol");
	master = x.is_client ? NULL : master_of(&x);
	if (master != NULL) {
		note_slave(&x, master);
		return;
	}
	if (put_name(&x, b) != 0 || read_places(&x) != 0)
		return;
	protocol = our_protocol(&x);
	buf_printf(b, "    protocol %s\n", protocol);
	if (x.is_client)
		buf_printf(b, "    on \"%s\" plain\n", x.accept);
	else if (put_server(&x, b) != 0)
		return;
	if (put_backend(&x, b) != 0)
		return;
	buf_puts(b, "}\n");
}
