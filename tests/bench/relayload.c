/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Load for make bench-relay: threads that connect, over TLS or not, and send
 * messages by SMTP or LMTP, or octets; and what libssl alone would take.
 *
 *   relayload connect PORT tls|plain CONNECTIONS THREADS
 *   relayload mail    PORT tls|plain smtp|lmtp MESSAGES PER-CONNECTION
 *                     THREADS SIZE
 *   relayload bulk    PORT tls|plain MEGABYTES
 *   relayload idle    PORT tls|plain CONNECTIONS   (until standard input ends)
 *   relayload ceiling CERT KEY HANDSHAKES
 *
 * Prints "seconds N done N"; ceiling: "server-us N".
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define LINE 4096
#define CHUNK 65536
#define HEADER "Subject: load\r\n\r\n"

struct load {
	int port;
	bool tls, lmtp, mail;
	int per_connection;
	size_t size;
	SSL_CTX *ctx;
	atomic_int left, done;
};

struct peer {
	int fd;
	SSL *ssl;
	char in[LINE];
	size_t n;
};

static void die(const char *what)
{
	fprintf(stderr, "relayload: %s\n", what);
	exit(1);
}

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void open_peer(struct load *l, struct peer *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	int one = 1;

	memset(p, 0, sizeof(*p));
	sa.sin_port = htons((unsigned short)l->port);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	p->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (p->fd < 0 || connect(p->fd, (const struct sockaddr *)(void *)&sa,
	    sizeof(sa)) != 0)
		die("cannot connect");
	(void)setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!l->tls)
		return;
	p->ssl = SSL_new(l->ctx);
	if (p->ssl == NULL || SSL_set_fd(p->ssl, p->fd) != 1 ||
	    SSL_connect(p->ssl) != 1)
		die("no TLS");
}

static void close_peer(struct peer *p)
{
	if (p->ssl != NULL) {
		(void)SSL_shutdown(p->ssl);
		SSL_free(p->ssl);
	}
	close(p->fd);
}

static void put(struct peer *p, const void *data, size_t n)
{
	const char *at = data;
	ssize_t k;

	while (n > 0) {
		k = p->ssl != NULL ? SSL_write(p->ssl, at, (int)n) :
		    send(p->fd, at, n, MSG_NOSIGNAL);
		if (k <= 0)
			die("cannot send");
		at += k;
		n -= (size_t)k;
	}
}

/* The code of the next reply, its last line. */
static int reply(struct peer *p)
{
	char *nl, last;
	ssize_t k;
	int code;

	for (;;) {
		nl = memchr(p->in, '\n', p->n);
		if (nl == NULL) {
			if (p->n == sizeof(p->in))
				die("a line without end");
			k = p->ssl != NULL ? SSL_read(p->ssl, p->in + p->n,
			    (int)(sizeof(p->in) - p->n)) : recv(p->fd,
			    p->in + p->n, sizeof(p->in) - p->n, 0);
			if (k <= 0)
				die("the peer went away");
			p->n += (size_t)k;
			continue;
		}
		code = (int)strtol(p->in, NULL, 10);
		last = p->in[3];
		p->n -= (size_t)(nl + 1 - p->in);
		memmove(p->in, nl + 1, p->n);
		if (last != '-')
			return code;
	}
}

static void say(struct peer *p, const char *line, int wanted)
{
	int code;

	put(p, line, strlen(line));
	code = reply(p);
	if (code / 100 != wanted) {
		fprintf(stderr, "relayload: %d to %s", code, line);
		exit(1);
	}
}

static void send_mail(struct load *l, struct peer *p, const char *body)
{
	say(p, "MAIL FROM:<alice@a.example>\r\n", 2);
	say(p, "RCPT TO:<bob@b.example>\r\n", 2);
	say(p, "DATA\r\n", 3);
	put(p, body, l->size);
	say(p, "\r\n.\r\n", 2);
}

static void *run(void *arg)
{
	struct load *l = arg;
	char *body = malloc(l->size + 1);
	struct peer p;
	size_t i;
	int k;

	if (body == NULL)
		die("memory");
	for (i = 0; i < l->size; i++)
		body[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
	if (l->size > sizeof(HEADER))
		memcpy(body, HEADER, sizeof(HEADER) - 1);
	while (atomic_fetch_sub(&l->left, l->mail ? l->per_connection : 1) >
	    0) {
		open_peer(l, &p);
		if (reply(&p) != 220)
			die("no greeting");
		if (l->mail)
			say(&p, l->lmtp ? "LHLO c.example\r\n" :
			    "EHLO c.example\r\n", 2);
		for (k = 0; l->mail && k < l->per_connection; k++)
			send_mail(l, &p, body);
		say(&p, "QUIT\r\n", 2);
		close_peer(&p);
		atomic_fetch_add(&l->done, l->mail ? l->per_connection : 1);
	}
	free(body);
	return NULL;
}

static void run_threads(struct load *l, int threads)
{
	pthread_t t[256];
	double begin = now();
	int i;

	if (threads < 1 || threads > 256)
		die("threads");
	for (i = 0; i < threads; i++)
		if (pthread_create(&t[i], NULL, run, l) != 0)
			die("thread");
	for (i = 0; i < threads; i++)
		(void)pthread_join(t[i], NULL);
	printf("seconds %.4f done %d\n", now() - begin, l->done);
}

static void run_bulk(struct load *l, long megabytes)
{
	static char chunk[CHUNK];
	double begin = now();
	struct peer p;
	long i;

	open_peer(l, &p);
	for (i = 0; i < megabytes * 16; i++)
		put(&p, chunk, sizeof(chunk));
	close_peer(&p);
	printf("seconds %.4f done %ld\n", now() - begin, megabytes);
}

static void run_idle(struct load *l, int connections)
{
	struct peer *p = calloc((size_t)connections, sizeof(*p));
	int i;

	for (i = 0; p != NULL && i < connections; i++) {
		open_peer(l, &p[i]);
		if (reply(&p[i]) != 220)
			die("no greeting");
	}
	printf("open %d\n", connections);
	fflush(stdout);
	(void)getchar();
	exit(0);
}

/* ---- libssl alone ---- */

static double cpu_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double one_handshake(SSL_CTX *server, SSL_CTX *client)
{
	SSL *s = SSL_new(server), *c = SSL_new(client);
	BIO *a, *b;
	double us = 0, begin;
	char x[16];
	int i;

	if (s == NULL || c == NULL || BIO_new_bio_pair(&a, 0, &b, 0) != 1)
		die("memory");
	SSL_set_bio(s, a, a);
	SSL_set_bio(c, b, b);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	for (i = 0; i < 10 && (!SSL_is_init_finished(s) ||
	    !SSL_is_init_finished(c)); i++) {
		(void)SSL_do_handshake(c);
		begin = cpu_us();
		(void)SSL_do_handshake(s);
		us += cpu_us() - begin;
	}
	(void)SSL_read(c, x, sizeof(x));
	if (!SSL_is_init_finished(s))
		die("no handshake");
	SSL_free(s);
	SSL_free(c);
	return us;
}

static void run_ceiling(const char *crt, const char *key, int n)
{
	SSL_CTX *server = SSL_CTX_new(TLS_server_method());
	SSL_CTX *client = SSL_CTX_new(TLS_client_method());
	double us = 0;
	int i;

	if (server == NULL || client == NULL ||
	    SSL_CTX_use_certificate_chain_file(server, crt) != 1 ||
	    SSL_CTX_use_PrivateKey_file(server, key, SSL_FILETYPE_PEM) != 1)
		die("certificate");
	SSL_CTX_set_num_tickets(server, 1);
	for (i = 0; i < n; i++)
		us += one_handshake(server, client);
	printf("server-us %.1f\n", us / n);
	SSL_CTX_free(server);
	SSL_CTX_free(client);
}

int main(int argc, char **argv)
{
	struct load l = { .size = 0, .per_connection = 1 };

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 5 && strcmp(argv[1], "ceiling") == 0) {
		run_ceiling(argv[2], argv[3], (int)strtol(argv[4], NULL, 10));
		return 0;
	}
	if (argc < 5)
		die("see the head of relayload.c");
	l.ctx = SSL_CTX_new(TLS_client_method());
	/* the same for all who are compared */
	if (l.ctx == NULL || SSL_CTX_set_min_proto_version(l.ctx,
	    TLS1_3_VERSION) != 1)
		die("memory");
	l.port = (int)strtol(argv[2], NULL, 10);
	l.tls = strcmp(argv[3], "tls") == 0;
	if (strcmp(argv[1], "connect") == 0 && argc == 6) {
		l.left = (int)strtol(argv[4], NULL, 10);
		run_threads(&l, (int)strtol(argv[5], NULL, 10));
	} else if (strcmp(argv[1], "mail") == 0 && argc == 9) {
		l.mail = true;
		l.lmtp = strcmp(argv[4], "lmtp") == 0;
		l.left = (int)strtol(argv[5], NULL, 10);
		l.per_connection = (int)strtol(argv[6], NULL, 10);
		l.size = (size_t)strtol(argv[8], NULL, 10);
		run_threads(&l, (int)strtol(argv[7], NULL, 10));
	} else if (strcmp(argv[1], "bulk") == 0) {
		run_bulk(&l, strtol(argv[4], NULL, 10));
	} else if (strcmp(argv[1], "idle") == 0) {
		run_idle(&l, (int)strtol(argv[4], NULL, 10));
	} else {
		die("see the head of relayload.c");
	}
	SSL_CTX_free(l.ctx);
	return 0;
}
