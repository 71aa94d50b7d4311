#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""The worst of texts through three real Postfix servers that do not speak
8BITMIME, into an mbox: alice@example.com is sealed at the first, opened or
verified at the second, and lies at the third. openssl verifies what lies
there. The same text without us shows what the way does to it.

What Postfix writes anew is what it adds itself (Received, Delivered-To) and
address fields of the message when it rewrites addresses; header sections of
parts go through it as they are, but for lines over 998 octets, and, when it
has to encode 8-bit parts, their transfer encoding."""
import email
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE = 'alice@example.com'
RULES = '''
outbound to carol@example.org : sign
outbound to dave@example.org  : sign, opaque
outbound                      : sign, encrypt
inbound                       : decrypt, verify
'''
LONG = 'x' * 5000
WORST = '''From here it is hard for mail servers.
>From this line as well.
>>From here on there are dots.
.
..
.hidden
blanks at the end  \x20
a tab at the end\t
format=flowed breaks softly\x20
here, and a signature follows: Grüße
--\x20
Alice
''' + LONG + '\n' + 'y' * 996 + '\n'
ATTACHED = '''From : carol@example.com
X-Folded: a
\tb
    c \t
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=
MIME-Version: 1.0
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 8bit

<p>
From Zürich: .\x20
.
</p>
'''

a = b = c = base = None


def message(to):
    """Its top is folded oddly, too; nothing is encoded."""
    return ('From: Alice\n  Example\t<alice@example.com>\nTo: %s,\n\t\n'
            ' carol@example.com\nSubject: %s\n%s\nMIME-Version: 1.0\n'
            'Content-Type: multipart/mixed;\n      boundary="b"\n'
            'Content-Transfer-Encoding: 8bit\n\n'
            'preamble From \n.\n--b\n'
            'Content-Type: text/plain; charset=utf-8;\n\tformat=flowed;\n'
            '   delsp=no\nContent-Transfer-Encoding: 8bit\n\n%s\n--b\n'
            'Content-Type: application/octet-stream; name="Grüße.bin"\n'
            'Content-Disposition: attachment;\n\tfilename="Grüße.bin"\n'
            'Content-Transfer-Encoding: binary\n\n\nFrom \x7f.\n.\n--b\n'
            'Content-Type: message/rfc822\n\n%s\n--b--\nepilogue\n.\n' %
            (to, 'folded ' * 12, '  ' + 'folded ' * 12, WORST,
             ATTACHED)).encode()


def setup():
    global a, b, c, base
    lib.need_postfix()
    base = lib.temporary()
    a, b = lib.two_sites(base, RULES,
                         extra='sign-for alice@example.com network '
                         '127.0.0.1/32')
    c = lib.Postfix(os.path.join(base, 'c'), 'example.org', '127.0.0.4')
    os.makedirs(c.dir)
    users = ('bob', 'carol', 'dave')
    c.configure({}, virtual_mailbox_maps='inline:{ %s }' % ' '.join(
                    '{ %s@example.org = %s.mbox }' % (u, u) for u in users))
    # Who offers SMTPUTF8 is believed to know 8BITMIME.
    a.postfix.configure({}, a.socket,
                        smtp_discard_ehlo_keywords='8bitmime, smtputf8')
    b.postfix.configure({'example.org': c.port}, b.socket,
                        smtp_discard_ehlo_keywords='8bitmime, smtputf8',
                        virtual_mailbox_domains='example.net',
                        relay_domains='example.org')
    for s in (a, b):
        s.start()
        s.postfix.start()
    c.start()


def mbox(user):
    return os.path.join(c.dir, 'mail', user + '.mbox')


def delivered(user):
    """The one message in an mbox, without its first line."""
    def has_come():
        return os.path.exists(mbox(user)) and os.path.getsize(mbox(user)) \
            and not c.queued()
    lib.wait_for(has_come, lambda: 'mail for %s; logs:\n%s\n%s\n%s' % (
        user, a.postfix.log()[-1500:], b.postfix.log()[-1500:],
        c.log()[-1500:]))
    with open(mbox(user), 'rb') as f:
        data = f.read()
    os.unlink(mbox(user))
    check(data.startswith(b'From '), 'no mbox', data[:200])
    data = data.split(b'\n', 1)[1]
    check(b'\nFrom ' not in data, 'a line that begins a mail', data)
    return data


def send(user, port, original=None, options=()):
    to = user + '@example.org'
    original = original or message(to)
    s = lib.Client(port, ALICE, '192.0.2.7')
    try:
        equal(s.mail(ALICE, ['BODY=8BITMIME', *options])[0], 250, 'MAIL')
        equal(s.rcpt(to)[0], 250, 'RCPT')
        code, said = s.data(lib.crlf(original))
        equal(code, 250, said)
    finally:
        s.close()
    return original


def smime(data):
    for v in lib.header(data, 'Authentication-Results'):
        m = re.search(r'\bsmime=(\w+)', v)
        if m:
            return m.group(1)
    return None


def same(found, original, what):
    f, o = lib.leaves(found), lib.leaves(original)
    equal([k for k, _ in f], [k for k, _ in o], what + ': types')
    for (kind, x), (_, y) in zip(f, o):
        # Python ends the lines of a binary part as it finds them.
        equal(lib.lf(x), lib.lf(y), '%s: %s' % (what, kind))
    check(b'delsp=no' in found, what + ': no delsp', found)
    names = [p.get_filename() for p in email.message_from_bytes(
        found).walk() if p.get_filename()]
    check('Grüße.bin' in names, what + ': name of the file', names)


def verified(data):
    """What openssl says was signed."""
    root = lib.root_certificate(a)
    return lib.must_run(['openssl', 'cms', '-verify', '-CAfile', root],
                        data)


@test
def S6_S9_the_way_harms_what_is_not_sealed():
    plain = b'Subject: x\n\n' + WORST.encode('ascii', 'replace')
    for original, was, became in (
            (None, b'\nFrom here', b'\n>From here'),
            (None, b'\n\tfilename=', b'\n\tfilename='),
            (None, 'follows: Grüße'.encode(), b'follows: Gr=C3=BC'),
            (plain, LONG.encode(), b'x\n x')):
        send('carol', a.postfix.plain, original)
        got = delivered('carol')
        check(was not in got or was == became, 'it survived: %s' % was[:40],
              got)
        check(became in got, 'not as expected: %s' % became, got)


@test
def S6_S7_S8_S9_S10_clear_signature_survives_three_servers():
    original = send('carol', a.postfix.port)
    got = delivered('carol')
    check(lib.header(got, 'Content-Type')[0].startswith('multipart/signed'),
          'not clear-signed', got)
    equal(smime(got), 'pass', 'at the second server: smime=')
    same(verified(got), original, 'openssl')
    back = b.must('open', '--from', ALICE, '--to', 'carol@example.org',
                  data=got)
    equal(smime(back), 'pass', 'from the mbox: smime=')
    same(back, original, 'open')


@test
def S9_opaque_signature_survives_three_servers():
    original = send('dave', a.postfix.port)
    got = delivered('dave')
    equal(smime(got), 'pass', 'smime=')
    same(got, original, 'unwrapped at the second server')


@test
def S4_inner_signature_survives_when_the_envelope_is_removed():
    original = send('bob', a.postfix.port)
    got = delivered('bob')
    equal(smime(got), 'pass', 'smime=')
    check(lib.header(got, 'Content-Type')[0].startswith('multipart/signed'),
          'the signature was not kept', got)
    same(verified(got), original, 'openssl')


UTF8 = ('From: "Älice" <alice@example.com>\nTo: carol@example.org, '
        'grüße@example.org\nSubject: Grüße\n\nGrüße\n').encode()


@test
def S190_a_next_server_without_SMTPUTF8_is_567():
    send('carol', a.postfix.port, UTF8, ['SMTPUTF8'])
    got = a.postfix.wait_mail('alice')[0]
    check(b'5.6.7' in got and b'SMTPUTF8' in got, 'another bounce', got)
    check(not os.path.exists(mbox('carol')), 'delivered')


@test
def S190_S191_signed_mail_with_SMTPUTF8_arrives():
    for s in (a, b):
        s.postfix.stop()
        s.postfix.configure({}, s.socket, smtp_discard_ehlo_keywords='')
        s.postfix.start()
    send('carol', a.postfix.port, UTF8, ['SMTPUTF8'])
    got = delivered('carol')
    equal(smime(got), 'pass', 'smime=')
    for line in UTF8.split(b'\n\n')[0].splitlines():
        check(b'\n' + line + b'\n' in got, 'changed: %s' % line.decode(),
              got)
    equal(lib.leaves(verified(got))[0][1], 'Grüße\n'.encode(), 'text')
    check('with UTF8SMTP' in got.decode(), 'not by SMTPUTF8', got)


if __name__ == '__main__':
    lib.main(setup)
