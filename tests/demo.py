#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""./run demo: alice@example.com and bob@example.org, each with a private
Postfix and postseal-milter on loopback ports, write to each other. Shows what
was written, what crossed the wire and what arrived; then the three things
that go wrong in life. Ends all it started, and leaves the folder."""
import base64
import hashlib
import json
import os
import re
import sys
import tempfile
import textwrap
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                'e2e'))
import lib  # noqa: E402
from stage import (expect, good, paint, say, show,  # noqa: E402
                   step)

ALICE, BOB, CAROL = 'alice@example.com', 'bob@example.org', \
    'carol@example.com'
RULES_A = '''# example.com: what happens to whom
outbound to @partner.example  : sign, encrypt        # or it is refused
outbound                      : sign or plain, encrypt or plain
inbound  to carol@example.com : store-encrypted      # she holds the key
inbound                       : decrypt, verify
'''
RULES_B = '''# example.org
outbound : sign or plain, encrypt or plain
inbound  : decrypt, verify
'''
FIELDS = ('from', 'to', 'subject', 'mime-version', 'content-type',
          'content-transfer-encoding', 'authentication-results')


def letter(sender, to, subject, text, attach=None):
    head = ('From: %s\nTo: %s\nSubject: %s\nDate: %s\nMIME-Version: 1.0\n' %
            (sender, to, subject, time.strftime(
                '%a, %d %b %Y %H:%M:%S +0000', time.gmtime())))
    part = ('Content-Type: text/plain; charset=utf-8\n'
            'Content-Transfer-Encoding: 8bit\n\n%s\n' % text)
    if attach is None:
        return (head + part).encode()
    return (head + 'Content-Type: multipart/mixed; boundary="next"\n\n'
            '--next\n' + part + '--next\n'
            'Content-Type: application/octet-stream\n'
            'Content-Disposition: attachment; filename="figures.bin"\n'
            'Content-Transfer-Encoding: base64\n\n' +
            base64.encodebytes(attach).decode() + '--next--\n').encode()


def send(site, sender, to, message, login=True, addr='192.0.2.7'):
    return lib.send(site.postfix.port, sender, to, message,
                    login=sender if login else None, addr=addr)


def where(site, user):
    """The name of the newest mail of a mailbox, from our folder on."""
    return os.path.relpath(site.postfix.boxes(user)[-1],
                           os.path.dirname(site.dir))


def prepare(base):
    step('A throw-away world in %s' % base)
    say('''Two companies, example.com and example.org. A small certificate
        authority makes a certificate for alice (RSA) and one for bob (EC).
        Each gateway holds the keys of its own people only; of the others it
        has certificates.''')
    a, b = lib.two_sites(base, RULES_A, RULES_B)
    a.must('ca', 'issue', '--email', CAROL, '--algorithm', 'rsa:2048')
    a.must('key', 'export', '--email', CAROL, '--out', a.path('carol.p12'),
           '--password-file', a.path('password'))
    a.must('cert', 'export', CAROL, '--out', a.path('carol.pem'))
    a.must('cert', 'remove', '--yes', CAROL)
    a.must('cert', 'import', a.path('carol.pem'))
    a.own()
    a.postfix.routes['partner.example'] = b.postfix.plain
    for s in (a, b):
        s.postfix.users.append('wire')
        s.postfix.extra['always_bcc'] = 'wire@' + s.domain
        s.postfix.configure({}, s.socket)
    show(RULES_A, 'a/rules', 8)
    show(a.must('cert', 'list'), 'postseal -c a/postseal.conf cert list', 12)
    for s in (a, b):
        s.start()
        s.postfix.start()
        good('%s: Postfix on 127.0.0.1:%d, postseal-milter beside it' %
             (s.domain, s.postfix.port))
    return a, b


def alice_writes(a, b):
    step('alice writes to bob')
    attach = bytes(range(256)) * 8
    message = letter('Alice <%s>' % ALICE, 'Bob <%s>' % BOB, 'Figures',
                     'Lieber Bob,\n\ndie Zahlen für März: 1.250 €. '
                     'Schöne Grüße!\n\nAlice', attach)
    show(message, 'what alice sends', 15)
    code, said = send(a, ALICE, BOB, message)
    expect(code == 250, 'her server accepts it: %d %s' % (code, said))

    step('What crosses the wire')
    got = b.postfix.wait_mail('bob')[0]
    wire = a.postfix.wait_mail('wire')[0]
    show(wire, 'between the two servers', 10, FIELDS)
    expect(b'application/pkcs7-mime' in wire and b'Zahlen' not in wire and
           b'figures.bin' not in wire,
           'sealed: text, attachment and its name cannot be read')

    step("What lies in bob's mailbox")
    show(got, where(b, 'bob'), 11, FIELDS)
    leaves = lib.leaves(got)
    show(leaves[0][1], 'what bob reads')
    expect('März'.encode() in leaves[0][1], 'opened, and every letter there')
    expect(leaves[1][1] == attach, 'the attachment is the same: SHA-256 %s...'
           % hashlib.sha256(attach).hexdigest()[:16])
    expect(b'smime=pass' in got,
           'the signature is alice\'s and whole: smime=pass')
    return wire


def bob_replies(a, b):
    step('bob answers, with his EC key')
    a.postfix.empty('alice')
    code, said = send(b, BOB, ALICE, letter(
        'Bob <%s>' % BOB, 'Alice <%s>' % ALICE, 'Re: Figures',
        'Danke schön. — Bob'))
    expect(code == 250, 'accepted: %d %s' % (code, said))
    got = a.postfix.wait_mail('alice')[0]
    show(got, where(a, 'alice'), 11, FIELDS)
    show(lib.leaves(got)[0][1], 'what alice reads')
    expect(b'smime=pass' in got and
           'Danke schön'.encode() in lib.leaves(got)[0][1],
           'sealed on the wire, opened for alice, smime=pass')


def carol_stores(a):
    step('Mail in clear for carol is sealed for her mailbox')
    say('''Somebody without S/MIME writes to carol. Her rule says
        store-encrypted: the gateway has her certificate, but not her key.
        Who takes the server cannot read her mail.''')
    code, said = send(a, 'press@outside.example', CAROL, letter(
        'press@outside.example', CAROL, 'Question',
        'What do you think of the merger?'), login=False)
    expect(code == 250, 'accepted: %d %s' % (code, said))
    got = a.postfix.wait_mail('carol')[0]
    show(got, where(a, 'carol'), 9, FIELDS)
    expect(b'merger' not in got, 'what lies in her mailbox is sealed')
    for name, more in (('carol.key', ['-nocerts']),
                       ('carol.crt', ['-nokeys', '-clcerts'])):
        lib.must_run(['openssl', 'pkcs12', '-in', a.path('carol.p12'),
                      '-passin', 'pass:test', '-nodes', *more, '-out',
                      a.path(name)])
    plain = lib.must_run(['openssl', 'cms', '-decrypt', '-inkey',
                          a.path('carol.key'), '-recip',
                          a.path('carol.crt')], got)
    show(plain, 'openssl cms -decrypt -inkey carol.key -recip carol.crt', 6)
    expect(b'merger' in plain, 'her own key opens it')


def refused(a):
    step('No certificate: refused, never sent in clear')
    say('''The rule for partner.example is "sign, encrypt". There is no
        certificate of dave, so alice reads in her mail program:''')
    code, said = send(a, ALICE, 'dave@partner.example', letter(
        ALICE, 'dave@partner.example', 'Secret plan', 'Nobody else reads'
        ' this.'))
    print()
    print(paint('1', textwrap.fill('    %d %s' % (code, said), 76,
                                   subsequent_indent='    ')))
    print()
    expect(code == 550 and said.startswith('5.7.3') and
           'dave@partner.example' in said,
           'refused with 550 5.7.3, naming the recipient')
    i = re.search(r'\bid (\w+)', said).group(1)
    out = lib.wait_for(lambda: a.cmd('explain', '--json', i)[1],
                       'the record')
    record = json.loads(out)
    show(json.dumps({k: record[k] for k in (
        'id', 'direction', 'action', 'reply', 'recipients')}, indent=2),
        'postseal -c a/postseal.conf explain --json %s (in parts)' % i, 40)
    expect(not a.postfix.grep(b'Nobody else reads'),
           'nothing of it lies in the queue')


def tampered(b, wire):
    step('A message that was tampered with on the way')
    say('''Somebody changes one letter in the sealed message and sends it on
        to bob's server.''')
    b.postfix.empty('bob')
    head, body = wire.split(b'\n\n', 1)
    at = len(body) // 2
    while body[at:at + 1] in (b'\n', b'=', b'A', b'B'):
        at += 1
    code, said = send(b, ALICE, BOB, head + b'\n\n' + body[:at] + b'A' +
                      body[at + 1:], login=False)
    expect(code == 250, 'taken (mail from outside is never refused for '
           'this): %d' % code)
    got = b.postfix.wait_mail('bob')[0]
    show(got, where(b, 'bob'), 12, FIELDS)
    expect(b'smime=pass' not in got.split(b'\n\n')[0],
           'marked: the tampered message does not pass as alice\'s')


def farewell(base):
    print('\nAll that was started has ended. To look around: %s' % base)
    print('(a and b: postseal.conf, rules, milter.log; below postfix: '
          'mail.log, mail/)', flush=True)


def main():
    lib.need_postfix()
    lib.prepare()
    base = tempfile.mkdtemp(prefix='postseal-demo-')
    os.chmod(base, 0o755)
    # Registered first, so it runs last; also on Ctrl-C.
    lib.at_exit(lambda: farewell(base))
    try:
        a, b = prepare(base)
        wire = alice_writes(a, b)
        bob_replies(a, b)
        carol_stores(a)
        refused(a)
        tampered(b, wire)
    except lib.Failed as e:
        print(paint('31', 'This should not happen: ') + str(e))
        return 1
    finally:
        lib.clean_up()
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except lib.Skip as e:
        sys.exit('demo: %s' % e)
