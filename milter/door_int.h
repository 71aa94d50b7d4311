/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * One connection to a door: what its I/O (door.c) and its messages
 * (door_mail.c) share.
 */
#ifndef MILTER_DOOR_INT_H
#define MILTER_DOOR_INT_H

#include <netinet/in.h>
#include <stdatomic.h>

#include "milter/door.h"
#include "smtp/server.h"

/* Received fields counted while the header goes by. */
struct hop_count {
	bool is_over;	/* the header is */
	bool is_other;	/* this line begins with something else */
	unsigned octets; /* of this line that fit so far */
	unsigned n;
};
void hop_count_put(struct hop_count *h, struct view v);

struct door_conn {
	struct front *f;
	const struct config *config;
	const struct door *d;
	const char *own_name;
	int fd;
	char peer[INET6_ADDRSTRLEN]; /* "": a unix socket */
	struct smtp_server *s;
	int64_t until_ms; /* for what comes next */
	int64_t data_until_ms;
	struct txn txn; /* is_live while a message comes */
	char id[20];	/* of the message */
	struct hop_count hops;
};

/* Send what the conversation has to say; false: the client is gone. */
bool door_flush(struct door_conn *c);
/* Is the client there still? */
bool door_is_there(const struct door_conn *c);

/* SMTP_BEGIN, SMTP_CHUNK, SMTP_MAIL: all answers are given. */
void door_mail_begin(struct door_conn *c);
void door_mail_put(struct door_conn *c, struct view v);
void door_mail_finish(struct door_conn *c);

#endif
