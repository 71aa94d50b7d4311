#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""OpenDKIM beside postseal in a real Postfix: at example.com it signs what
we sealed, at example.org it verifies before we open. The wrong orders are
tried, too, and fail."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import directories  # noqa: E402
import lib  # noqa: E402
import opendkim  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
OUTSIDE = '192.0.2.7'
RULES_A = '''outbound to @signed.example.org : sign
outbound : sign or plain, encrypt or plain
inbound  : decrypt, verify
'''

a = b = signer = verifier = None


def setup():
    global a, b, signer, verifier
    lib.need_postfix()
    opendkim.need_opendkim()
    base = lib.temporary()
    a, b = lib.two_sites(base, RULES_A)
    key, record = opendkim.key(base, 'example.com')
    zones = directories.Zones(os.path.join(base, 'zones'))
    zones.add('example.com', record, signed=False, anchored=False)
    zones.start()
    signer = opendkim.OpenDKIM(os.path.join(base, 'signer'), 'example.com',
                               key).start()
    verifier = opendkim.OpenDKIM(os.path.join(base, 'verifier'),
                                 'example.org', None, zones.port).start()
    for s in (a, b):
        s.start()
    # What Postfix queued is what crosses the wire: a copy of it.
    a.postfix.users.append('wire')
    a.postfix.extra['always_bcc'] = 'wire@example.com'
    order()


def ours(site):
    return '{ unix:%s, default_action=tempfail }' % site.socket


def documented(name):
    """A list of contrib/postfix/dkim.main.cf, with our sockets."""
    with open(os.path.join(lib.TOP, 'contrib/postfix/dkim.main.cf'),
              encoding='utf-8') as f:
        m = re.search(r'(?m)^%s =((?:\n    \{.*\})+)$' % name, f.read())
    site = a if name == 'non_smtpd_milters' else b
    text = m.group(1)
    for old, new in (('8891', str(signer.port)),
                     ('8892', str(verifier.port)),
                     ('postseal/milter.sock', site.socket)):
        text = text.replace(old, new)
    return text.strip().splitlines()


def order(sending=None, receiving=None):
    """The lists of filters; as they should be unless given."""
    # who is ended between 250 and noting it sends it once more
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 'empty queues')
    sending = sending or documented('non_smtpd_milters')
    receiving = receiving or documented('smtpd_milters')
    a.postfix.configure({}, None, smtpd_milters=', '.join(sending))
    b.postfix.configure({}, None, smtpd_milters=', '.join(receiving))
    for s in (a, b):
        s.postfix.stop()
        s.postfix.start()


def text(words, to=BOB):
    return ('From: %s\nTo: %s\nSubject: hello\n'
            'Date: Thu, 01 Jan 2026 12:00:00 +0000\n'
            'Message-ID: <1.%d@example.com>\nMIME-Version: 1.0\n'
            'Content-Type: text/plain; charset=utf-8\n'
            'Content-Transfer-Encoding: 8bit\n\n%s\n' %
            (ALICE, to, len(words), words)).encode()


def delivered(octets=None, to=BOB):
    b.postfix.empty('bob')
    code, said = lib.send(a.postfix.port, ALICE, to, octets or
                          text('Grüße, signed twice'), login=ALICE,
                          addr=OUTSIDE)
    equal(code, 250, said)
    return b.postfix.wait_mail('bob')[0]


def results(data):
    """{method: [results]} of all Authentication-Results."""
    found = {}
    for v in lib.header(data, 'Authentication-Results'):
        for method, said in re.findall(r'\b(dkim|smime)=(\w+)', v):
            found.setdefault(method, []).append(said)
    return found


@test
def M30_M31_dkim_and_smime_pass_on_one_mail():
    got = delivered()
    equal(results(got), {'dkim': ['pass'], 'smime': ['pass']}, 'results')
    check('Grüße'.encode() in lib.leaves(got)[0][1], 'text', got)
    equal(len(lib.header(got, 'DKIM-Signature')), 1, 'signatures')


@test
def M30_a_signer_before_us_signs_what_nobody_gets():
    try:
        order(sending=[signer.milter(), ours(a)])
        equal(results(delivered()), {'dkim': ['fail'], 'smime': ['pass']},
              'results')
    finally:
        order()


@test
def M31_a_verifier_after_us_sees_another_body():
    try:
        order(receiving=[ours(b), verifier.milter()])
        equal(results(delivered()), {'dkim': ['fail'], 'smime': ['pass']},
              'results')
    finally:
        order()


@test
def M27_M30_copies_for_others_are_signed_on_their_way_back():
    """carol has no certificate: her copy comes back through a port without
    us, but with the signer."""
    port = lib.free_port()
    with open(os.path.join(lib.TOP, 'contrib/postfix/reinject.master.cf'),
              encoding='utf-8') as f:
        a.postfix.services = f.read().replace('10026', str(port)).replace(
            '8891', str(signer.port))
    a.milter = 'reinject smtp "127.0.0.1:%d"' % port
    a.stop()
    a.set_conf()
    a.start()
    order()
    b.postfix.empty('carol')
    got = delivered(to=[BOB, 'carol@example.org'])
    copy = b.postfix.wait_mail('carol')[0]
    for data, smime in (got, 'pass'), (copy, 'pass'):
        equal(results(data), {'dkim': ['pass'], 'smime': [smime]},
              'results')
        check('Grüße'.encode() in lib.leaves(data)[0][1], 'text', data)
    ar = [lib.show(lib.header(x, 'Authentication-Results'))
          for x in (got, copy)]
    check('was encrypted' in ar[0] and 'was encrypted' not in ar[1],
          'not sealed for bob alone', *ar)
    equal(len(b.postfix.boxes('bob')), 1, 'mails for bob')
    equal(len(b.postfix.boxes('carol')), 1, 'mails for carol')


@test
def M31_a_forged_dkim_result_is_theirs_to_judge_and_ours_goes():
    forged = (b'Authentication-Results: mx.example.org; smime=fail x\n'
              b'Authentication-Results: other.example; dkim=pass '
              b'header.d=other.example\n')
    got = delivered(forged + text('results of others stay'))
    fields = lib.header(got, 'Authentication-Results')
    check(any(f.startswith('other.example') for f in fields),
          'the field of another host is gone', *fields)
    mine = [f for f in fields if f.startswith('mx.example.org')]
    equal(sorted(re.findall(r'\b(?:dkim|smime)=\w+', ' '.join(mine))),
          ['dkim=pass', 'smime=pass'], 'ours and the verifier\'s')


@test
def M30_a_signature_of_another_domain_stays():
    other = (b'DKIM-Signature: v=1; a=rsa-sha256; d=other.example; s=x;\n'
             b'\th=from; bh=AAAA; b=AAAA\n')
    got = delivered(other + text('came with a signature'))
    domains = re.findall(r'\bd=([\w.]+)',
                         ' '.join(lib.header(got, 'DKIM-Signature')))
    equal(sorted(domains), ['example.com', 'other.example'], 'signatures')


@test
def M31_what_was_changed_on_the_way_fails_both():
    """attack A2: a changed octet in a mail signed twice
    verdict: neither dkim nor smime passes"""
    a.postfix.empty('wire')
    delivered(text('to be changed'))
    wire = a.postfix.wait_mail('wire')[0]
    head, body = wire.split(b'\n\n', 1)
    at = len(body) // 2
    while body[at:at + 1] in (b'\n', b'='):
        at += 1
    bad = b'B' if body[at:at + 1] == b'A' else b'A'
    b.postfix.empty('bob')
    code, said = lib.send(b.postfix.port, ALICE, BOB, head + b'\n\n' +
                          body[:at] + bad + body[at + 1:], addr=OUTSIDE)
    equal(code, 250, said)
    found = results(b.postfix.wait_mail('bob')[0])
    check('pass' not in found.get('dkim', []) + found.get('smime', []),
          'it passes', str(found))


if __name__ == '__main__':
    lib.main(setup)
