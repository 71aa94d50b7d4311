/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the front asks of the store process while it sends copies of a
 * message on by themselves: who has it already, that it is about to reach
 * somebody, that it did, and to keep a copy. One line, a socket, for each
 * message: when the front's end closes, whatever happened to the front, the
 * store finds out itself what became of the last copy.
 */
#ifndef MILTER_STORE_CLIENT_H
#define MILTER_STORE_CLIENT_H

#include <pthread.h>

#include "keystore/held.h"
#include "keystore/journal.h"
#include "milter/pool.h"
#include "util/spool.h"

/* The first octet of a request. */
enum store_ask {
	STORE_CLAIM = 1, /* these are ours now: what is known of each? */
	STORE_SENT,	 /* with the socket that will tell what becomes of
			    them */
	STORE_DONE,	 /* they have it */
	STORE_FAILED,	 /* they have nothing */
	STORE_HOLD,	 /* with a spool: keep it for them */
	STORE_FORGET	 /* as if they never had it */
};

/* What is known of a recipient. */
enum store_said {
	STORE_NEW,
	STORE_HAS,     /* he has the message */
	STORE_BUSY,    /* another line is about it */
	STORE_UNKNOWN  /* it was about to reach him, nobody knows more */
};

/* Requests go here; -1 when there is no store. Any thread. */
struct store_client {
	pthread_mutex_t lock;
	int fd;
};
void store_client_init(struct store_client *c);
void store_client_free(struct store_client *c);
void store_client_set(struct store_client *c, int take_fd);

struct store_line {
	struct store_client *client;
	struct pool_wait wait; /* deadline of the message, and tick */
	int fd;		       /* -1: none */
	const char *id;	       /* of the message */
	unsigned char whole[JOURNAL_KEY];
};

struct store_keys {
	const unsigned char *key; /* JOURNAL_KEY octets each */
	size_t n;
};

/* Waits a moment for a store that is being started. FAIL_TEMP. */
int store_line_open(struct store_line *l, struct err *e) MUST_CHECK;
void store_line_close(struct store_line *l);

/* said: room for one enum store_said a key. All of these FAIL_TEMP. */
int store_line_claim(struct store_line *l, const struct store_keys *k,
    unsigned char *said, struct err *e) MUST_CHECK;
/* On the disk when it returns 0. The store gets the socket, too. */
int store_line_sent(struct store_line *l, const struct store_keys *k, bool lmtp,
    int sock, struct err *e) MUST_CHECK;
/* This and store_line_forget(): also to another store than the one before. */
int store_line_done(struct store_line *l, const struct store_keys *k,
    struct err *e) MUST_CHECK;
int store_line_failed(struct store_line *l, const struct store_keys *k,
    struct err *e) MUST_CHECK;
int store_line_forget(struct store_line *l, const struct store_keys *k,
    struct err *e) MUST_CHECK;
/* FAIL_LIMIT: no room for more. */
int store_line_hold(struct store_line *l, const struct store_keys *k,
    const struct held_mail *m, struct spool *s, uint64_t off, struct err *e)
    MUST_CHECK;

#endif
