#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""postseal-milter with a mail server that can or tells less than others."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import protocol  # noqa: E402
from lib import check, equal, test  # noqa: E402
from protocol import MTA  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
RULES = '''outbound to @signed.example : sign
outbound : sign or plain, encrypt or plain
internal : pass
inbound  : decrypt, verify
'''
PLAIN = (b'From: alice@example.com\r\nTo: bob@example.org\r\n'
         b'Subject: hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain'
         b'\r\n\r\nCANARY-1ee7 in clear\r\n')
a = None


def setup():
    global a
    a, _ = lib.two_sites(lib.temporary(), RULES, postfix=False)
    a.start()


def seal(mta, login=None, to=BOB, address='192.0.2.7', octets=PLAIN):
    mta.client(address)
    if login:
        mta.macros(b'M', **{'{auth_authen}': login, 'i': 'TESTQID'})
    mta.envelope(ALICE, to)
    return mta.message(octets)


def replaced(said):
    return b''.join(data for cmd, data in said if cmd == b'b')


@test
def M2_a_server_that_lacks_an_ability_gets_451_for_every_message():
    """Not refused when attached: then its own flags would decide, perhaps
    for unfiltered."""
    for lacking in (protocol.CHANGE_BODY, protocol.CHANGE_HEADER,
                    protocol.ADD_HEADER):
        mta = MTA(a.socket, protocol.ALL_ACTIONS & ~lacking)
        equal(mta.actions & lacking, 0, 'asked for what is not there')
        mta.client()
        for _ in range(2):
            said = mta.envelope(ALICE, BOB)
            check(said is not None, 'MAIL was taken')
            equal(said[0], b'y', 'answer')
            check(said[1].startswith(b'451 4.3.5'), 'answer', said[1])
            mta.put(b'A')
        mta.close()


@test
def M2_only_what_is_used_is_asked_for():
    mta = MTA(a.socket)
    for needed in (protocol.CHANGE_BODY, protocol.CHANGE_HEADER,
                   protocol.ADD_HEADER):
        check(mta.actions & needed, 'not asked for: %#x' % needed)
    equal(mta.actions & protocol.ADD_RCPT, 0, 'adding recipients')
    mta.close()
    said = MTA(a.socket, protocol.CHANGE_BODY | protocol.CHANGE_HEADER |
               protocol.ADD_HEADER)
    check(replaced(seal(said, ALICE)), 'not sealed with just enough')


@test
def M6_headers_and_recipients_first_then_the_body_in_one_run():
    said = seal(MTA(a.socket), ALICE)
    kinds = [cmd for cmd, _ in said]
    body = [i for i, k in enumerate(kinds) if k == b'b']
    check(body, 'no body', repr(kinds))
    equal(body, list(range(body[0], body[0] + len(body))), 'one run')
    equal(body[-1], len(kinds) - 2, 'something after the body')
    check(b'CANARY' not in replaced(said), 'in clear')


@test
def M8_it_says_nothing_where_nothing_need_be_said():
    quiet, old = MTA(a.socket), MTA(a.socket, steps=0x7f)
    for mta in (quiet, old):
        before = mta.heard
        mta.client()
        mta.macros(b'M', **{'{auth_authen}': ALICE})
        mta.envelope(ALICE, BOB)
        mta.step(b'T')
        mta.step(b'L', b'Subject\0 x\0')
        mta.step(b'N')
        mta.step(b'B', b'x\r\n')
        mta.said = mta.heard - before
        mta.close()
    check(quiet.said < old.said, '%d octets where %d are needed' %
          (quiet.said, old.said))
    # One answer at most: to RCPT, the last before the data.
    check(quiet.said <= 5, '%d octets' % quiet.said)


@test
def M3_a_server_that_eats_the_blank():
    """Without the option the value comes without its first blank and goes
    back without it."""
    said = seal(MTA(a.socket, steps=0xfffff), ALICE)
    for cmd, data in said:
        if cmd in (b'm', b'i', b'h'):
            value = data[4:] if cmd != b'h' else data
            check(b'\0 ' not in value, 'a blank too many', data)
    check(replaced(said), 'not sealed')


@test
def M19_no_macros_no_login():
    said = seal(MTA(a.socket), None, 'x@signed.example')
    check(not replaced(said) or b'pkcs7' not in replaced(said),
          'signed for nobody', repr(said)[:300])


@test
def M19_A51_a_header_is_no_login():
    """attack A51: fields that say who has logged in
    verdict: nobody has"""
    fields = (b'X-Authenticated-Sender: alice@example.com\r\n'
              b'Received: from alice (authenticated: alice@example.com)\r\n'
              b'X-Auth: alice@example.com\r\n')
    said = seal(MTA(a.socket), None, 'x@signed.example',
                octets=fields + PLAIN)
    check(b'pkcs7' not in replaced(said), 'signed', repr(said)[:300])


@test
def M20_a_login_counts_only_for_its_own_message():
    """The second message of a connection has no login of its own."""
    mta = MTA(a.socket)
    check(b'pkcs7' in replaced(seal(mta, ALICE, 'x@signed.example')),
          'the first is not signed')
    mta.macros(b'M', **{'{auth_authen}': ''})
    mta.envelope(ALICE, 'x@signed.example')
    check(b'pkcs7' not in replaced(mta.message(PLAIN)), 'the second is')


@test
def M1_given_up_and_begun_again():
    mta = MTA(a.socket)
    mta.client()
    for _ in range(3):
        mta.macros(b'M', **{'{auth_authen}': ALICE})
        mta.envelope(ALICE, BOB)
        mta.put(b'A')
    mta.macros(b'M', **{'{auth_authen}': ALICE})
    mta.envelope(ALICE, BOB)
    said = mta.message(PLAIN)
    check(replaced(said) and b'CANARY' not in replaced(said), 'not sealed')


@test
def M15_a_packet_too_large_ends_only_its_connection():
    mta = MTA(a.socket)
    mta.client()
    try:
        mta.envelope(ALICE, BOB)
        mta.step(b'L', b'X-Long\0' + b'x' * 3000000 + b'\0')
        mta.put(b'E')
        said = mta.get()
        check(said[0] in (b't', b'y', b'r'), 'taken', repr(said)[:100])
    except (EOFError, OSError):
        pass  # hung up: the server's failure flag decides, tempfail
    check(replaced(seal(MTA(a.socket), ALICE)), 'the next is not sealed')


@test
def it_ends_when_told():
    equal(a.stop(), 0, 'exit status; log:\n' + a.milter_log()[-2000:])


if __name__ == '__main__':
    lib.main(setup)
