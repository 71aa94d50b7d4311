/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 the postseal authors
 *
 * Tests of relay/tunnel_watch.c, alone and in an open tunnel.
 */
#include "relay_tunnel.h"

/* What both say in turn; "C" and "S" in front say who. */
static const struct talk {
	const char *name;
	const char *line[12];
	bool is_stopped;
} talks[] = {
	{ "at once", { "CXCLIENT ADDR=127.0.0.1\r\n" }, true },
	{ "small letters", { "Cxclient ADDR=127.0.0.1\r\n" }, true },
	{ "blanks in front", { "C \t\001XCLIENT ADDR=127.0.0.1\r\n" }, true },
	{ "behind a lone LF", { "CNOOP\nXCLIENT A=b\r\n" }, true },
	{ "behind a lone CR", { "CNOOP\rXCLIENT A=b\r\n" }, true },
	{ "in pieces", { "CNOOP\r\nXC", "CLIENT", "CXX\r\n",
	    "CX", "CCLIEN", "CT" }, true },
	{ "XFORWARD", { "CXFORWARD NAME=x\r\n" }, true },
	{ "after a message", { "CDATA\r\n", "S354 go\r\n",
	    "Chi\r\n.\r\nXCLIENT A=b\r\n" }, true },
	{ "DATA that was refused", { "CDATA\r\n", "S503 no\r\n",
	    "CXCLIENT A=b\r\n" }, true },
	{ "354 comes late", { "CDATA\r\n.\r\n", "S354 go\r\n",
	    "CXCLIENT A=b\r\n" }, true },
	{ "354 of another DATA", { "CDATA\r\n.\r\nDATA\r\n", "S354 go\r\n",
	    "CXCLIENT A=b\r\n" }, true },
	{ "a DATA that is not seen as one", { "CDATA \r\n.\r\n", "CDATA\r\n",
	    "S354 go\r\n", "CXCLIENT A=b\r\n" }, true },
	{ "a dot that ends in LF", { "CDATA\r\n", "S354 go\r\n",
	    "Chi\n.\nXCLIENT A=b\r\n" }, true },
	{ "354 that nobody asked for", { "CNOOP\r\n", "S354 go\r\n",
	    "CXCLIENT A=b\r\n" }, true },
	{ "354 within a line", { "CDATA\r\n", "S250 354\r\n",
	    "CXCLIENT A=b\r\n" }, true },
	{ "a line of a message", { "CMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"
	    "DATA\r\n", "S250 a\r\n250 b\r\n35", "S4 go\r\n",
	    "CXCLIENT is a command\r\n..\r\nXCLIENT\r\n.\r\n", "S250 ok\r\n",
	    "CDATA\r\n", "S354 go\r\n", "CXCLIENT\r\n.\r\nQUIT\r\n" },
	    false },
	{ "a word in a command", { "CVRFY XCLIENT\r\nMAIL FROM:<xclient@b>"
	    "\r\nXCLIEN\r\n" }, false },
};

static bool is_stopped(const struct talk *t, size_t step)
{
	struct watch w = { 0 };
	size_t i, k, n, some;

	for (i = 0; i < ARRAY_LEN(t->line) && t->line[i] != NULL; i++) {
		n = strlen(t->line[i] + 1);
		for (k = 0; k < n; k += some) {
			struct view v = view_make(t->line[i] + 1 + k, n - k);

			v.n = step < v.n ? step : v.n;
			some = v.n;
			if (t->line[i][0] == 'S')
				watch_server(&w, v);
			else if (watch_client(&w, v) < v.n)
				return true;
		}
	}
	return false;
}

/* attack A73: a client lets the gate open by another command, says XCLIENT
 * then, and tries to make it look like a line of a message
 * verdict: the end; a message that has such a line passes
 */
static void T67_A73_XCLIENT_does_not_pass_an_open_gate(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(talks); i++)
		if (is_stopped(&talks[i], 1000) != talks[i].is_stopped ||
		    is_stopped(&talks[i], 1) != talks[i].is_stopped)
			fail_msg("%s", talks[i].name);
}

/* attack A73: the backend believes XCLIENT of us, and a stranger says NOOP
 * and then XCLIENT with an address of the network that may send anywhere
 * verdict: 554, the end, and the backend has not heard it
 */
static void T67_A73_nobody_becomes_a_neighbour(void **state)
{
	(void)state;
	begin(RELAY_SMTP_TUNNEL);
	x.l.backend.real = REAL_XCLIENT;
	come(LISTEN_IMPLICIT);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "220 h\r\n");
	backend_hears("EHLO r.example\r\n");
	peer_say(&x.backend, "250-h\r\n250 XCLIENT ADDR\r\n");
	backend_hears("XCLIENT ADDR=192.0.2.7\r\n");
	peer_say(&x.backend, "220 h\r\n");
	client_hears("220 h\r\n");
	peer_say(&x.client, "NOOP\r\n");
	backend_hears("NOOP\r\n");
	peer_say(&x.backend, "250 ok\r\n");
	client_hears("250 ok\r\n");
	peer_say(&x.client, "XCLIENT ADDR=127.0.0.1\r\n");
	client_hears("554 5.7.0 Error: insufficient authorization\r\n");
	until(is_gone, "the end");
	a_while();
	assert_int_equal(x.backend.in.n, 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T67_A73_XCLIENT_does_not_pass_an_open_gate),
		cmocka_unit_test(T67_A73_nobody_becomes_a_neighbour),
	};

	return cmocka_run_group_tests_name("relay_tunnel_watch", tests,
	    make_all, free_all);
}
