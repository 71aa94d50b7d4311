/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The other side of relay/ask.h: a process that answers questions with a pool
 * of threads, so that whoever answers may block.
 */
#ifndef RELAY_SERVICE_H
#define RELAY_SERVICE_H

#include "util/buf.h"

/* Answer a question; from any thread, several at once. What it leaves in
 * reply is sent; if it fails, the asker gets no answer but the failure. */
typedef int service_answer(void *arg, struct view question,
    struct buf *reply, struct err *e);

/* A listening socket of the process itself (socketmap, metrics): each
 * connection gets a thread of a few that are for that; fd is closed by us
 * afterwards. until_ms: of CLOCK_MONOTONIC. */
typedef void service_talk(void *arg, int fd);

struct service {
	const int *sock; /* of workers; taken */
	size_t socks;
	int threads; /* for questions */
	int waiting; /* questions beyond are refused: FAIL_TEMP; one of
			several socks may have three quarters of both */
	service_answer *answer;
	void *arg;
	struct {
		int fd; /* -1: none; taken, if there is a ctl */
		int threads; /* connections at a time */
		service_talk *talk;
	} listen[2];
	/* NULL: none. At its end the sockets above are closed, and connections
	 * end with the question that they asked: others know better now. */
	const int *ctl;
	void (*retired)(void *arg); /* then, in the main thread; NULL: none */
	void (*each_second)(void *arg); /* in the main thread; NULL: none */
};

/* Until every sock is at its end. FAIL_TEMP. */
int service_run(const struct service *s, struct err *e) MUST_CHECK;

#endif
