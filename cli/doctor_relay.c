/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What of the relay would not start, does not answer, or protects less than
 * it seems to. Its private keys are not read.
 */
#include "cli/doctor.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "relay/tls_files.h"

#define CONNECT_S 2

/* ---- does it answer? ---- */

static bool connects(const struct sockaddr *sa, socklen_t n)
{
	static const struct timeval most = {.tv_sec = CONNECT_S};
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is;

	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	is = connect(fd, sa, n) == 0;
	close(fd);
	return is;
}

/* "ADDRESS:PORT", checked before; an address for all is tried at home. */
static bool answers_inet(const char *where)
{
	const char *colon = strrchr(where, ':');
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct view host = view_make(where, (size_t)(colon - where));
	char text[INET6_ADDRSTRLEN];

	v4.sin_port = v6.sin6_port = htons((uint16_t)strtoul(colon + 1, NULL,
	    10));
	if (host.p[0] == '[')
		host = view_sub(host, 1, host.n - 2);
	if (view_cstr(host, text, sizeof(text)) != 0)
		return false;
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		if (v4.sin_addr.s_addr == htonl(INADDR_ANY))
			v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return connects((const struct sockaddr *)(const void *)&v4,
		    sizeof(v4));
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) != 1)
		return false;
	if (IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr))
		v6.sin6_addr = in6addr_loopback;
	return connects((const struct sockaddr *)(const void *)&v6,
	    sizeof(v6));
}

static void check_place(struct doctor *d, const char *where)
{
	const char *path = doctor_unix_path(where);

	if (path != NULL ? doctor_answers(path) : answers_inet(where))
		return;
	doctor_say(d, DOCTOR_WARNING, "relay-not-running", where,
	    "nobody answers here", "systemctl start postseal-relay");
}

static void check_places(struct doctor *d, const struct relay_config *c)
{
	for (size_t i = 0; i < c->listeners; i++)
		for (size_t k = 0; k < c->listener[i].ons; k++)
			check_place(d, c->listener[i].on[k].where);
	if (c->socketmap != NULL)
		check_place(d, c->socketmap);
	if (c->metrics != NULL)
		check_place(d, c->metrics);
}

/* ---- what it would say itself ---- */

static void on_remark(void *arg, const char *sentence)
{
	struct doctor *d = arg;

	doctor_say(d, DOCTOR_WARNING, "relay-remark", d->config->path,
	    sentence, "");
}

static void on_fault(void *arg, enum cert_fault f, const struct pki *p,
    const char *sentence)
{
	struct doctor *d = arg;

	if (f == CERT_UNKNOWN)
		doctor_say(d, DOCTOR_HINT, "relay-chain", p->cert, sentence,
		    "the server's certificate first, then those between");
	else
		doctor_say(d, DOCTOR_WARNING, f == CERT_REFUSED ?
		    "relay-cert" : "relay-cert-ends", p->cert, sentence,
		    "a new certificate, then: systemctl reload "
		    "postseal-relay");
}

void doctor_relay(struct doctor *d, int64_t now)
{
	struct relay_config *c = NULL;
	struct conf_errors ce;
	struct err e = {0};

	if (!d->config->has_relay)
		return;
	conf_errors_init(&ce);
	if (relay_config_read(&c, d->config->path, &ce) != 0) {
		doctor_say(d, DOCTOR_WARNING, "relay-config", d->config->path,
		    "relay { } has errors: postseal-relay does not start, and "
		    "after a reload it stays with what it has",
		    "postseal relay check");
		goto out;
	}
	relay_config_warn(c, on_remark, d);
	relay_files_warn(c, on_remark, d);
	relay_certs_check(c, now, on_fault, d);
	/* others than root cannot see what the relay will */
	if (geteuid() == 0 && relay_files_check(c, &e) != 0)
		doctor_say(d, DOCTOR_WARNING, "relay-files", d->config->path,
		    e.msg, "postseal-relay -n");
	check_places(d, c);
out:
	conf_errors_free(&ce);
	relay_config_free(&c);
}
