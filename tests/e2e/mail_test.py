#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""Ordinary mail through two real Postfix servers, each with its milter:
alice@example.com (RSA) and bob@example.org (EC) write to each other."""
import os
import re
import socket
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CANARY = b'CANARY-7f3a-in-clear'
OUTSIDE = '192.0.2.7'

RULES_A = '''
outbound to carol@example.org : sign, encrypt
outbound                      : sign or plain, encrypt or plain
inbound  to carol@example.com : store-encrypted
inbound                       : decrypt, verify
'''

a = b = None


def setup():
    global a, b
    lib.limits()
    lib.need_postfix()
    base = lib.temporary()
    a, b = lib.two_sites(base, RULES_A,
                         extra='sign-for alice@example.com network '
                         '127.0.0.1/32')
    # dave's mailbox at example.org is full; his key is there.
    a.must('ca', 'issue', '--email', 'dave@example.org', '--algorithm',
           'rsa:2048')
    lib.share(a, b, ALICE, 'dave@example.org')
    # carol@example.com: only her certificate is at her gateway.
    a.must('ca', 'issue', '--email', 'carol@example.com', '--algorithm',
           'rsa:2048')
    a.must('key', 'export', '--email', 'carol@example.com', '--out',
           a.path('carol.p12'), '--password-file', a.path('password'))
    a.must('cert', 'export', 'carol@example.com', '--out',
           a.path('carol.pem'))
    a.must('cert', 'remove', '--yes', 'carol@example.com')
    a.must('cert', 'import', a.path('carol.pem'))
    a.own()
    b.own()
    # What Postfix queued is what crosses the wire: a copy of it.
    for s in (a, b):
        s.postfix.users.append('wire')
        s.postfix.extra['always_bcc'] = 'wire@' + s.domain
    b.postfix.extra['transport_maps'] = \
        'inline:{ { example.com = smtp:[127.0.0.1]:%d } ' \
        '{ dave@example.org = error:5.2.2 the mailbox is full } }' % \
        a.postfix.port
    a.postfix.configure({}, a.socket)
    b.postfix.configure({}, b.socket)
    for s in (a, b):
        s.start()
        s.postfix.start()


def fresh():
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 'empty queues')
    for s in (a, b):
        for user in s.postfix.users:
            s.postfix.empty(user)


def text(words, sender=ALICE, to=BOB, subject='hello'):
    return ('From: %s\nTo: %s\nSubject: %s\nMIME-Version: 1.0\n'
            'Content-Type: text/plain; charset=utf-8\n'
            'Content-Transfer-Encoding: 8bit\n\n%s\n' %
            (sender, to, subject, words)).encode()


def explained(said):
    """What postseal explain says of the id in a reply; the record is
    written a moment after the reply."""
    m = re.search(r'\bid (\w+)', said)
    check(m, 'no id in the reply', said)
    return lib.wait_for(lambda: a.cmd('explain', m.group(1))[1],
                        'explain to know %s' % m.group(1))


def from_alice(message, to=BOB, login=ALICE):
    return lib.send(a.postfix.port, ALICE, to, message, login=login,
                    addr=OUTSIDE)


def sealed(data):
    kind = lib.header(data, 'Content-Type')
    return bool(kind) and kind[0].startswith('application/pkcs7-mime')


def result(data):
    """The smime= result in Authentication-Results."""
    for v in lib.header(data, 'Authentication-Results'):
        m = re.search(r'\bsmime=(\w+)', v)
        if m:
            return m.group(1)
    return None


def same_leaves(found, original, what):
    f, o = lib.leaves(found), lib.leaves(original)
    equal([k for k, _ in f], [k for k, _ in o], what + ': types')
    for (kind, x), (_, y) in zip(f, o):
        equal(x, y, '%s: %s' % (what, kind))


@test
def S1_S3_alice_to_bob_and_every_leaf_is_equal():
    for name in ('plain', 'utf8', 'latin1', 'no-mime', 'attachment',
                 'nested', 'no-final-newline', 'fragile-lines', 'html',
                 'forwarded'):
        fresh()
        with open(os.path.join(lib.SAMPLES, 'messages', name + '.eml'),
                  'rb') as f:
            original = f.read()
        code, said = from_alice(original)
        equal(code, 250, '%s: %s' % (name, said))
        got = b.postfix.wait_mail('bob')[0]
        wire = a.postfix.wait_mail('wire')[0]
        check(sealed(wire), name + ': not sealed on the wire', wire)
        for kind, leaf in lib.leaves(original):
            if len(leaf) > 15:
                check(leaf not in wire, name + ': in clear on the wire')
        if name == 'no-final-newline':
            original += b'\n'  # SMTP cannot carry less
        same_leaves(got, original, name)
        equal(result(got), 'pass', name + ': smime=')
        check(not sealed(got), name + ': not opened', got)


@test
def S1_bob_replies_with_an_ec_key():
    fresh()
    words = 'Antwort: Grüße zurück, ' + CANARY.decode()
    code, said = lib.send(b.postfix.port, BOB, ALICE,
                          text(words, BOB, ALICE), login=BOB, addr=OUTSIDE)
    equal(code, 250, said)
    got = a.postfix.wait_mail('alice')[0]
    wire = b.postfix.wait_mail('wire')[0]
    check(sealed(wire), 'not sealed on the wire', wire)
    check(CANARY not in wire, 'in clear on the wire')
    check(words.encode() in lib.leaves(got)[0][1], 'text lost', got)
    equal(result(got), 'pass', 'smime=')


@test
def M1_several_messages_in_one_session_the_second_given_up_by_RSET():
    fresh()
    c = lib.Client(a.postfix.port, ALICE, OUTSIDE)
    equal(c.submit(ALICE, BOB, text('first'))[0], 250, 'first')
    c.mail(ALICE)
    c.rcpt('dave@example.org')
    equal(c.rset()[0], 250, 'RSET')
    equal(c.submit(ALICE, BOB, text('third'))[0], 250, 'third')
    c.quit()
    got = b.postfix.wait_mail('bob', 2)
    # Postfix may have delivered both at once
    equal(sorted(lib.leaves(m)[0][1].strip() for m in got),
          [b'first', b'third'], 'texts')


@test
def M11_sendmail_t_is_sealed_as_well():
    fresh()
    status, _, err = a.postfix.sendmail(['-t', '-f', ALICE],
                                        text(CANARY.decode()))
    equal(status, 0, lib.show(err))
    got = b.postfix.wait_mail('bob')[0]
    wire = a.postfix.wait_mail('wire')[0]
    check(sealed(wire) and CANARY not in wire, 'in clear on the wire', wire)
    equal(result(got), 'pass', 'smime=')


@test
def A35_a_login_cannot_sign_as_somebody_else():
    fresh()
    code, _ = from_alice(text('x'), login='mallory@example.com')
    equal(code, 250, 'sign or plain')
    wait = b.postfix.wait_mail('bob')[0]
    check(result(wait) in (None, 'none'), 'it was signed', wait)
    a.must('ca', 'issue', '--email', 'carol@example.org', '--algorithm',
           'ec:p256')
    a.own()
    code, said = from_alice(text('x', to='carol@example.org'),
                            'carol@example.org', 'mallory@example.com')
    a.must('cert', 'remove', '--yes', 'carol@example.org')
    equal((code, said[:5]), (550, '5.7.1'), said)


@test
def M10_A50_no_certificate_is_550_573_and_explain_knows_why():
    """attack A50: no certificate for one who must get it encrypted
    verdict: 550 5.7.3, nothing sent"""
    fresh()
    code, said = from_alice(text(CANARY.decode(), to='carol@example.org'),
                            'carol@example.org')
    equal((code, said[:5]), (550, '5.7.3'), said)
    check('carol@example.org' in said, 'recipient not named', said)
    told = explained(said)
    check(b'carol@example.org' in told and b'no certificate' in told,
          'explain does not say why', told)
    check(not a.postfix.grep(CANARY), 'in clear',
          a.postfix.grep(CANARY))


@test
def S202_recipients_that_need_different_bodies_are_refused_by_name():
    fresh()
    code, said = from_alice(text(CANARY.decode()),
                            [BOB, 'nobody@example.net'])
    equal(code, 550, said)
    check('example.org' in said or 'example.net' in said,
          'nobody named', said)
    check(not b.postfix.boxes('bob'), 'delivered')


@test
def S43_the_null_sender_passes():
    fresh()
    with open(os.path.join(lib.SAMPLES, 'messages', 'dsn.eml'), 'rb') as f:
        dsn = f.read()
    code, said = lib.send(a.postfix.port, '<>', BOB, dsn, addr='127.0.0.1')
    equal(code, 250, said)
    got = b.postfix.wait_mail('bob')[0]
    same_leaves(got, dsn, 'dsn')


@test
def S47_a_bounce_of_an_opened_message_has_headers_only():
    fresh()
    code, said = from_alice(text(CANARY.decode(), to='dave@example.org',
                                 subject='for dave'), 'dave@example.org')
    equal(code, 250, said)
    got = a.postfix.wait_mail('alice')[0]
    check(b'the mailbox is full' in got, 'not the bounce', got)
    check(CANARY not in got, 'plaintext came back', got)
    check(b'text/rfc822-headers' in got or b'for dave' in got,
          'no headers came back', got)
    # the notice may be there before the message is gone
    lib.wait_for(lambda: not b.postfix.queued(), 'an empty queue')
    found = [f for f in b.postfix.grep(CANARY) if '/wire/' not in f[0]]
    check(not found, 'plaintext left behind', found)


@test
def A27_a_forged_result_is_removed():
    fresh()
    forged = (b'Authentication-Results: mx.example.org; smime=pass '
              b'body.smime-identifier=alice@example.com\n'
              b'Authentication-Results: mx.example.org; spf=pass\n')
    code, said = lib.send(b.postfix.port, 'x@outside.example', BOB,
                          forged + text('no signature at all'),
                          addr=OUTSIDE)
    equal(code, 250, said)
    got = b.postfix.wait_mail('bob')[0]
    check(result(got) != 'pass', 'forged result delivered', got)
    check(any('spf=pass' in v for v in
              lib.header(got, 'Authentication-Results')),
          'another method was removed', got)


@test
def A2_a_tampered_message_never_passes():
    fresh()
    equal(from_alice(text(CANARY.decode()))[0], 250, 'send')
    b.postfix.wait_mail('bob')
    wire = a.postfix.wait_mail('wire')[0]
    head, base64 = wire.split(b'\n\n', 1)
    for at in (len(base64) // 3, len(base64) // 2, len(base64) - 60):
        fresh()
        bad = bytearray(base64)
        while bad[at:at + 1] in (b'\n', b'='):
            at += 1
        bad[at] = ord('A') if bad[at] != ord('A') else ord('B')
        code, said = lib.send(b.postfix.port, ALICE, BOB,
                              head + b'\n\n' + bytes(bad), addr=OUTSIDE)
        equal(code, 250, said)
        got = b.postfix.wait_mail('bob')[0]
        check(result(got) != 'pass', 'passes', got)


@test
def what_arrives_in_clear_for_carol_lies_sealed_in_her_mailbox():
    fresh()
    code, said = lib.send(a.postfix.port, 'x@outside.example',
                          'carol@example.com',
                          text(CANARY.decode(), to='carol@example.com'),
                          addr=OUTSIDE)
    equal(code, 250, said)
    got = a.postfix.wait_mail('carol')[0]
    check(sealed(got) and CANARY not in got, 'in clear', got)
    for name, more in (('carol.key', ['-nocerts']),
                       ('carol.crt', ['-nokeys', '-clcerts'])):
        lib.must_run(['openssl', 'pkcs12', '-in', a.path('carol.p12'),
                      '-passin', 'pass:test', '-nodes', *more, '-out',
                      a.path(name)])
    plain = lib.must_run(['openssl', 'cms', '-decrypt', '-inkey',
                          a.path('carol.key'), '-recip',
                          a.path('carol.crt')], got)
    check(CANARY in plain, 'her key does not open it', plain)


@test
def capitals_and_a_detail_in_the_recipient():
    fresh()
    code, said = from_alice(text('detail'), 'bob@Example.ORG')
    equal(code, 250, said)
    b.postfix.wait_mail('bob')
    wire = a.postfix.wait_mail('wire')[0]
    check(sealed(wire), 'not sealed for a domain in capitals', wire)
    fresh()
    code, said = lib.send(b.postfix.port, ALICE, 'bob+News@Example.ORG',
                          wire, addr=OUTSIDE)
    equal(code, 250, said)
    got = b.postfix.wait_mail('bob')[0]
    equal(result(got), 'pass', 'not opened for a detail: smime=')


@test
def M1_forty_megabytes():
    fresh()
    size = 4 if lib.SANITIZER else 40
    line = (b'0123456789abcdef' * 4 + b'\n')
    data = (b'From: alice@example.com\nTo: bob@example.org\n'
            b'Subject: large\n\n' + line * (size * (1 << 20) // len(line)))
    code, said = from_alice(data)
    equal(code, 250, said)
    got = b.postfix.wait_mail('bob', seconds=240)[0]
    equal(lib.leaves(got)[0][1], lib.body(data), 'body')


@test
def M18_M45_two_hundred_sessions_at_once():
    fresh()
    n = 50 if lib.SANITIZER else 200
    start = threading.Barrier(n)
    said = []

    def session(i):
        try:
            c = lib.Client(a.postfix.port, ALICE, OUTSIDE, 240)
            start.wait(240)
            said.append(c.submit(ALICE, BOB, text('number %d.' % i)))
            c.quit()
        except Exception as e:
            said.append((0, repr(e)))
    threads = [threading.Thread(target=session, args=(i,))
               for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    bad = [s for s in said if s[0] != 250]
    check(not bad, '%d of %d failed' % (len(bad), n), *bad[:5])
    got = b.postfix.wait_mail('bob', n, 300)
    numbers = set()
    for m in got:
        equal(result(m), 'pass', 'smime=')
        numbers.add(int(re.search(rb'number (\d+)\.',
                                  lib.leaves(m)[0][1]).group(1)))
    equal(numbers, set(range(n)), 'messages')


@test
def M6_no_milter_error_in_the_log():
    for s in (a, b):
        bad = [x for x in s.postfix.log().splitlines()
               if re.search('milter.*(configuration error|unreasonable|'
                            'protocol error)', x)]
        check(not bad, 'Postfix complains', *bad)


@test
def A54_no_content_in_the_logs():
    """attack A54: content and subjects looked for in the logs
    verdict: neither is there"""
    for s in (a, b):
        check(CANARY.decode() not in s.milter_log(), 'content in the log')
        check('for dave' not in s.milter_log(), 'subject in the log')


@test
def M41_one_log_line_per_message_with_both_ids():
    lines = [x for x in a.milter_log().splitlines() if 'qid=' in x]
    check(lines, 'no line with qid=', a.milter_log()[-2000:])
    check(any('id=' in x and 'bob@example.org' in x for x in lines),
          'no recipient in the lines', *lines[:3])


@test
def the_metrics_address_takes_no_more_than_a_request():
    for request, says in (
            (b'HEAD /metrics HTTP/1.0\r\n\r\n', b'200 OK'),
            (b'POST /metrics HTTP/1.0\r\n\r\n', b'405 '),
            (b'GET /metrics HTTP/1.0\r\nContent-Length: 1\r\n\r\nx',
             b'413 '),
            (b'GET /metrics HTTP/1.0\r\nX: ' + b'x' * 9000, b'431 ')):
        with socket.create_connection(('127.0.0.1', a.metrics), 60) as s:
            s.sendall(request)
            said = b''.join(iter(lambda: s.recv(65536), b''))
        check(said.startswith(b'HTTP/1.1 ' + says), 'answer', says,
              said[:200])
        check(said.endswith(b'\r\n\r\n'), 'no text', said[:200])
    waiting = [socket.create_connection(('127.0.0.1', a.metrics), 60)
               for _ in range(40)]
    with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % a.metrics,
                                timeout=60) as r:
        check(r.status == 200, 'beside silent ones', r.status)
    check(waiting[0].recv(1) == b'', 'the oldest one goes', '')
    for s in waiting:
        s.close()


@test
def the_metrics_address_speaks_prometheus():
    with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % a.metrics,
                                timeout=60) as r:
        page = r.read().decode()
    m = re.findall(r'^postseal_\w+(?:\{[^}]*\})? [-+0-9.e]+$', page,
                   re.MULTILINE)
    check(len(m) > 5, 'few numbers', page)
    check('outbound' in page, 'no direction', page)


@test
def they_end_when_told_and_no_sanitizer_complained():
    for s in (a, b):
        below = lib.children(s.child.pid)
        equal(s.stop(), 0, 'exit status; log:\n' + s.milter_log()[-2000:])
        check(not [p for p in below if lib.alive(p)], 'left running')
        bad = [x for x in s.milter_log().splitlines()
               if 'Sanitizer' in x or 'runtime error' in x]
        check(not bad, 'sanitizer', *bad[:10])


if __name__ == '__main__':
    lib.main(setup)
