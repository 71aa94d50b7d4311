/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * What the files of the client's side share.
 */
#ifndef SMTP_SENDER_INT_H
#define SMTP_SENDER_INT_H

#include "smtp/sender.h"

/* A command that waits to be sent, or for its reply. */
struct sender_command {
	enum sender_to to;
	size_t rcpt;
	size_t octets; /* of its text in queue, while it waits to be sent */
};

struct smtp_sender {
	bool lmtp, may_helo;
	char helo[256];
	bool is_over;
	bool in_body;	/* 354 came, the dot was not sent */
	bool tried_helo;
	struct smtp_offers offers;
	/* in the order in which they were given; the first sent ones wait for
	 * their reply */
	struct sender_command *command;
	size_t commands, room, sent;
	struct buf queue; /* of those not sent */
	struct buf out;
	/* recipients that RCPT had taken */
	size_t *taken;
	size_t takens, taken_room;
	/* the reply that comes */
	struct buf line;
	struct smtp_reply reply;
	size_t lines;
	struct smtp_offers learnt;
	bool no_memory;
};

/* Send the commands that may be sent now. */
void sender_release(struct smtp_sender *s);
/* A command whose text is in queue from octet at on. */
void sender_queued(struct smtp_sender *s, enum sender_to to, size_t rcpt,
    size_t at);
void sender_say_helo(struct smtp_sender *s, const char *verb);
/* A recipient that was taken. */
void sender_take(struct smtp_sender *s, size_t rcpt);
/* A line of the reply to EHLO: "SIZE 1000". */
void sender_learn(struct smtp_offers *o, struct view line);

#endif
