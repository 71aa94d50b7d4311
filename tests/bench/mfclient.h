/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * The MTA's side of the milter protocol, version 6, over a unix socket, as
 * strict as an MTA may be: what Postfix or Sendmail would log as an error
 * of the filter is an error here. For measurements and for tests that need
 * an MTA which does exactly what it is told, misbehaviour included. It uses
 * nothing of the gateway but util/.
 */
#ifndef TESTS_BENCH_MFCLIENT_H
#define TESTS_BENCH_MFCLIENT_H

#include "tests/bench/mfmessage.h"
#include "util/buf.h"

#define MF_ACTIONS 0x1ffu /* all that Sendmail and Postfix offer */
#define MF_PROTOCOL 0x1fffffu

enum mf_stage {
	MF_CONNECT,
	MF_HELO,
	MF_MAIL,
	MF_RCPT,
	MF_DATA,
	MF_HEADER, /* half of the fields are out */
	MF_EOH,
	MF_BODY, /* half of the body is out */
	MF_EOM,
	MF_STAGES
};

/* -1 when the word is none. */
int mf_stage_by_name(const char *word);

struct mf_macro {
	int stage; /* enum mf_stage, or -1: CONNECT, MAIL, DATA, EOH, EOM */
	const char *name;
	const char *value;
};

enum mf_mischief {
	MF_BEHAVE,
	MF_ABORT, /* RSET */
	MF_DROP	  /* close the connection without a word */
};

/* Who sends what to whom, and how the MTA behaves. Strings are borrowed. */
struct mf_setup {
	const char *socket; /* path */
	uint32_t version;   /* offered */
	uint32_t actions;
	uint32_t protocol;
	const char *client_ip;
	const char *helo;
	const char *from; /* address, and parameters after spaces */
	const char *const *rcpt;
	size_t rcpts;
	const char *auth; /* login, or NULL */
	const struct mf_macro *macro;
	size_t macros;
	bool bare; /* no macros but those given */
	size_t chunk; /* octets of body in a packet, at most 65535 */
	int timeout_s;
	enum mf_mischief mischief;
	int mischief_at; /* after this stage */
	unsigned mischief_nth; /* of the messages on a connection, from 1 */
	int pause_at; /* sleep after this stage; -1: never */
	double pause_s;
};

/* What an MTA like Postfix would be; the caller changes what it wants. */
void mf_setup_init(struct mf_setup *s);

enum mf_outcome {
	MF_UNCHANGED,	/* accepted, no edits */
	MF_EDITED,	/* accepted, headers or envelope changed */
	MF_REPLACED,	/* accepted with a new body */
	MF_REFUSED,	/* 4xx or 5xx: reply */
	MF_DISCARDED,
	MF_QUARANTINED,
	MF_ABORTED, /* by us */
	MF_DROPPED, /* by us */
	MF_BROKEN   /* connection lost, or the filter broke the protocol */
};

/* One request of the filter at the end of the message. */
struct mf_edit {
	char op; /* SMFIR_... */
	uint32_t index;
	char *name;  /* header name, or address, or reason */
	char *value; /* header value, or parameters; may be NULL */
};

struct mf_result {
	enum mf_outcome outcome;
	char reply[1024]; /* "550 5.7.3 ..." when refused, why when broken */
	char queue_id[24];
	double seconds; /* from connect (or MAIL) to the answer */
	bool keep;	/* set by the caller: fill what follows */
	bool leadspc;	/* values came with their leading space */
	bool replaced;	/* there is a new body, perhaps an empty one */
	struct mf_edit *edit;
	size_t edits;
	struct buf body; /* the new one */
};

void mf_result_init(struct mf_result *r, bool keep);
void mf_result_free(struct mf_result *r);

/* A connection. Zeroed by mfclient_init; one thread at a time. */
struct mf_client {
	const struct mf_setup *s;
	int fd; /* -1: closed */
	uint32_t actions; /* negotiated */
	uint32_t protocol;
	char *symbols[MF_STAGES]; /* macros asked for; NULL: the usual ones */
	char early; /* final reply given at connect or HELO, or 0 */
	unsigned message; /* on this connection, from 1 */
	struct buf out;
	struct buf in;
	size_t in_pos;
	char reply[1024]; /* text of the last reply code */
};

int mfclient_init(struct mf_client *c, const struct mf_setup *s,
    struct err *e) MUST_CHECK;
void mfclient_free(struct mf_client *c);

/* Send one message, connecting first when that is not done. The outcome is
 * in r; after anything but a good or refused message the connection is
 * closed (MF_ABORTED keeps it). */
void mfclient_send(struct mf_client *c, const struct mf_message *m,
    struct mf_result *r);
/* QUIT and close. */
void mfclient_quit(struct mf_client *c);

#endif
