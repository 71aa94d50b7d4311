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
	{ "STLS", { "CNOOP\r\nST", "Cls\r" }, true },
	{ "STLS and a blank", { "CSTLS\t" }, true },
	{ "a password in BASE64", { "CAUTH LOGIN\r\n", "S334 \r\n",
	    "CSTlSYWJj\r\n" }, false },
	{ "a word in a command", { "CVRFY XCLIENT\r\nMAIL FROM:<xclient@b>"
	    "\r\nXCLIEN\r\n" }, false },
};

/* Of IMAP, where it is not a command but an argument. */
static const struct talk imap_talks[] = {
	{ "ID", { "Ca ID (\"x-originating-ip\" \"10.0.0.1\")\r\n" }, true },
	{ "letters", { "Ca id (\"name\" \"b\" \"X-Proxy-TTL\" \"9\")\r\n" },
	    true },
	{ "an atom", { "Ca ID (x-connected-ip \"10.0.0.1\")\r\n" }, true },
	{ "escaped", { "Ca ID (\"x\\-originating-ip\" \"10.0.0.1\")\r\n" },
	    true },
	{ "escaped twice", { "Ca ID (\"\\x-forward-a\" \"b\")\r\n" }, true },
	{ "blanks", { "C \ta \001 ID  ( \"x-originating-ip\" \"1\")\r\n" },
	    true },
	{ "a literal", { "Ca ID ({16}\r\nx-originating-ip \"1\")\r\n" }, true },
	{ "one that does not wait", { "Ca ID ({16+}\nx-originating-ip" },
	    true },
	{ "behind a lone CR", { "Ca NOOP\rb ID (\"x-session-id\" \"1\")" },
	    true },
	{ "in pieces", { "Ca NOO", "CP\r\nb I", "CD (\"", "Cx", "C-o" }, true },
	{ "a TLS that hides all", { "Ca STARTTLS\r\n" }, true },
	{ "and in small letters", { "Ca NOOP\r\na starttls \n" }, true },
	{ "who it is", { "Ca ID (\"name\" \"x\" \"os-version\" \"ax-1\")\r\n"
	    "b ID NIL\r\nc LOGIN {5}\r\n", "S+\r\n", "Calice {3}\r\nx-y\r\n"
	    "d APPEND INBOX {30}\r\nX-Originating-IP: 10.0.0.1\r\n\r\n"
	    "e IDLE\r\nDONE\r\nf UID SEARCH x-a {3}\r\n" }, false },
	{ "a longer word", { "Ca STARTTLSX\r\n" }, false },
	{ "messages behind a login", { "C1 CAPABILITY\r\n", "S1 OK c\r\n",
	    "C2 LOGIN {5}\r\n", "S+ go\r\n", "Calice {3}\r\n", "S+ go\r\n",
	    "Cx-y\r\n", "S* OK [ALERT] hi\r\n2 OK", "S in\r\n",
	    "C3 APPEND Sent {28+}\r\nUse STARTTLS\r\nHis ID x-1\r\n\r\n" },
	    false },
	{ "behind another", { "Cb.1 AUTHENTICATE PLAIN\r\n", "S+ \r\n",
	    "CAGEAYQ==\r\n", "Sb.1 NO\r\n", "Cb.2 login a b\r\n",
	    "Sb.2 OK in\r\n", "Ca UID 1\r\nno STARTTLS\r\n" }, false },
};

/* Who only seems to be in. */
static const struct talk out_talks[] = {
	{ "refused", { "Ca LOGIN a b\r\n", "Sa NO\r\n", "Cb STARTTLS\r\n" },
	    true },
	{ "too early", { "Ca LOGIN a b\r\nb STARTTLS\r\n", "Sa OK \r\n" },
	    true },
	{ "a tag before", { "Ca NOOP\r\na LOGIN a b\r\n", "Sa OK n\r\n",
	    "Cb STARTTLS\r\n" }, true },
	{ "a tag behind", { "Ca LOGIN a b\r\n a NOOP\r\n",
	    "Sa NO\r\na OK n\r\n", "Cb STARTTLS\r\n" }, true },
	{ "a tag alone", { "Ca\ra LOGIN a b\r\n", "Sa OK n\r\n",
	    "Cb STARTTLS\r\n" }, true },
	{ "no tag", { "C* LOGIN a b\r\n", "S* OK alive\r\n",
	    "Cb STARTTLS\r\n" }, true },
	{ "a long tag", { "Cabcdefghijklmnop LOGIN a b\r\n",
	    "Sabcdefghijklmno OK \r\n", "Cb STARTTLS\r\n" }, true },
	{ "half a tag", { "Caa LOGIN a b\r\n", "Sa OK n\r\n",
	    "Cb STARTTLS\r\n" }, true },
	{ "within a line", { "Ca LOGIN a b\r\n", "S* a OK n\r\n",
	    "Cb STARTTLS\r\n" }, true },
	{ "an answer to another", { "Ca NOOP\r\nb LOGIN a b\r\n",
	    "Sa OK n\r\n", "Cc STARTTLS\r\n" }, true },
	{ "out again", { "Ca LOGIN a b\r\n", "Sa OK \r\n",
	    "Cb unauthenticate\r\n", "Sb OK \r\n",
	    "Cc ID (\"x-originating-ip\" \"1\")\r\n" }, true },
	{ "and in once more", { "Ca LOGIN a b\r\nb UNAUTHENTICATE\r\n",
	    "Sa OK \r\nb OK \r\n", "Cc STARTTLS\r\n" }, true },
};

static bool is_stopped(const struct talk *t, bool is_imap, size_t step)
{
	struct watch w = { .is_imap = is_imap };
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
		if (is_stopped(&talks[i], false, 1000) !=
		    talks[i].is_stopped || is_stopped(&talks[i], false, 1) !=
		    talks[i].is_stopped)
			fail_msg("%s", talks[i].name);
}

/* attack A73: a client says ID with the address of another, or begins a TLS
 * of its own with the backend, to say it there
 * verdict: the end; an ID that only says which program it is passes
 */
static void T67_A73_ID_of_a_proxy_does_not_pass(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(imap_talks); i++)
		if (is_stopped(&imap_talks[i], true, 1000) !=
		    imap_talks[i].is_stopped ||
		    is_stopped(&imap_talks[i], true, 1) !=
		    imap_talks[i].is_stopped)
			fail_msg("%s", imap_talks[i].name);
}

/* attack A73: what IMAP allows before a login alone, by a client that makes
 * believe that its login is done
 * verdict: the end, unless the daemon said OK to it and to nothing else
 */
static void T67_A73_nobody_is_in_who_did_not_log_in(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(out_talks); i++)
		if (!is_stopped(&out_talks[i], true, 1000) ||
		    !is_stopped(&out_talks[i], true, 1))
			fail_msg("%s", out_talks[i].name);
}

static void a_login_behind_too_many_lines_is_none(void **state)
{
	(void)state;
	for (size_t n = WATCH_TAGS - 2; n <= WATCH_TAGS; n++) {
		struct watch w = { .is_imap = true };
		struct buf b;

		buf_init(&b, 65536);
		for (size_t i = 0; i < n; i++)
			buf_printf(&b, "n%zu NOOP\r\n", i);
		buf_puts(&b, "a LOGIN a b\r\n");
		assert_int_equal(watch_client(&w, buf_view(&b)), b.n);
		watch_server(&w, view_of("a OK in\r\n"));
		assert_int_equal(w.is_in, n < WATCH_TAGS);
		buf_free(&b);
	}
}

/* attack A73: ID with an address of the network that the backend trusts,
 * first and when the gate is open
 * verdict: BYE, and the backend has heard neither
 */
static void T67_A73_who_comes_by_IMAP_has_his_own_address(void **state)
{
	(void)state;
	for (int with_noop = 0; with_noop < 2; with_noop++) {
		begin(RELAY_IMAP);
		come(LISTEN_IMPLICIT);
		until(backend_is_there, "the backend");
		peer_say(&x.backend, "* OK h\r\n");
		client_hears("* OK h\r\n");
		if (with_noop) {
			peer_say(&x.client, "a NOOP\r\n");
			backend_hears("a NOOP\r\n");
			peer_say(&x.backend, "a OK\r\n");
			client_hears("a OK\r\n");
		} else {
			peer_say(&x.client, "a ID (\"name\" \"b\")\r\n");
			backend_hears("a ID (\"name\" \"b\")\r\n");
			peer_say(&x.backend, "a OK\r\n");
			client_hears("a OK\r\n");
		}
		peer_say(&x.client, "b ID (\"x-originating-ip\" "
		    "\"10.0.0.1\")\r\n");
		client_hears("* BYE Error: insufficient authorization\r\n");
		until(is_gone, "the end");
		a_while();
		assert_int_equal(x.backend.in.n, 0);
		finish();
	}
}

/* A message in which a line begins as a command does must not be sent where
 * it would be taken for one. */
static void T67_messages_come_by_DATA(void **state)
{
	(void)state;
	begin(RELAY_SMTP_TUNNEL);
	come(LISTEN_IMPLICIT);
	until(backend_is_there, "the backend");
	peer_say(&x.backend, "220 h\r\n");
	client_hears("220 h\r\n");
	peer_say(&x.client, "EHLO a\r\n");
	backend_hears("EHLO a\r\n");
	peer_say(&x.backend, "250-h\r\n250-BINARYMIME\r\n250-DSN\r\n"
	    "250 CHUNKING\r\n");
	client_hears("250-h\r\n250 DSN\r\n");
	peer_say(&x.client, "DATA\r\n");
	backend_hears("DATA\r\n");
	peer_say(&x.backend, "354 go\r\n");
	client_hears("354 go\r\n");
	peer_say(&x.client, "STARTTLS is a word\r\nXCLIENT\r\n.\r\n");
	backend_hears("STARTTLS is a word\r\nXCLIENT\r\n.\r\n");
	finish();
}

/* attack A73: behind the open gate the client begins another TLS, with the
 * backend itself, and says XCLIENT where nobody but the backend can hear it
 * verdict: the end before it begins
 */
static void T3_T67_A73_no_TLS_within_TLS(void **state)
{
	static const struct {
		enum relay_protocol p;
		const char *greeting, *noop, *ok, *tls, *end;
	} row[] = {
		{ RELAY_SMTP_TUNNEL, "220 h\r\n", "NOOP\r\n", "250 ok\r\n",
		    "starttls\r\n", "554 5.7.0 Error: insufficient "
		    "authorization\r\n" },
		{ RELAY_POP3, "+OK h\r\n", "NOOP\r\n", "+OK\r\n",
		    "STLS\r\n", "-ERR [AUTH] Error: insufficient "
		    "authorization\r\n" },
		{ RELAY_IMAP, "* OK h\r\n", "a NOOP\r\n", "a OK\r\n",
		    "b STARTTLS\r\n", "* BYE Error: insufficient "
		    "authorization\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		begin(row[i].p);
		come(LISTEN_IMPLICIT);
		until(backend_is_there, "the backend");
		peer_say(&x.backend, row[i].greeting);
		client_hears(row[i].greeting);
		peer_say(&x.client, row[i].noop);
		backend_hears(row[i].noop);
		peer_say(&x.backend, row[i].ok);
		client_hears(row[i].ok);
		peer_say(&x.client, row[i].tls);
		client_hears(row[i].end);
		until(is_gone, "the end");
		a_while();
		assert_int_equal(x.backend.in.n, 0);
		finish();
	}
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

/* attack A73: XCLIENT behind a lone CR, in a line that the gate itself passes
 * on because it asks for capabilities
 * verdict: such a line opens the gate, behind which each CR ends a line: 554,
 * the end, and the backend has not heard it
 */
static void T63_T67_A73_a_lone_CR_hides_nothing_from_the_gate(void **state)
{
	static const char *const line[] = {
		"EHLO a\rXCLIENT ADDR=127.0.0.1\r\n",
		"HELO a\rXCLIENT ADDR=127.0.0.1\r\n",
		"RSET\rXCLIENT ADDR=127.0.0.1\n",
		"HELO a\r\rXFORWARD ADDR=127.0.0.1\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(line); i++) {
		begin(RELAY_SMTP_TUNNEL);
		come(LISTEN_IMPLICIT);
		until(backend_is_there, "the backend");
		peer_say(&x.backend, "220 h\r\n");
		client_hears("220 h\r\n");
		peer_say(&x.client, line[i]);
		client_hears("554 5.7.0 Error: insufficient "
		    "authorization\r\n");
		until(is_gone, "the end");
		a_while();
		assert_int_equal(x.backend.in.n, 0);
		finish();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(T67_A73_XCLIENT_does_not_pass_an_open_gate),
		cmocka_unit_test(T67_A73_nobody_becomes_a_neighbour),
		cmocka_unit_test(T67_A73_ID_of_a_proxy_does_not_pass),
		cmocka_unit_test(T67_A73_nobody_is_in_who_did_not_log_in),
		cmocka_unit_test(a_login_behind_too_many_lines_is_none),
		cmocka_unit_test(
		    T67_A73_who_comes_by_IMAP_has_his_own_address),
		cmocka_unit_test(T67_messages_come_by_DATA),
		cmocka_unit_test(T3_T67_A73_no_TLS_within_TLS),
		cmocka_unit_test(
		    T63_T67_A73_a_lone_CR_hides_nothing_from_the_gate),
	};

	return cmocka_run_group_tests_name("relay_tunnel_watch", tests,
	    make_all, free_all);
}
