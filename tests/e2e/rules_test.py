#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""The rules in full: lines that a message's own content adds, triggers, what
rules check remarks; by command, and through a real Postfix."""
import base64
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB, STRANGER = 'alice@example.com', 'bob@example.org', \
    'dave@elsewhere.example'
OUTSIDE = '192.0.2.7'
PDF = b'%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n'

RULES = '''
also outbound subject "[secure]"         : sign, encrypt, remove-trigger
also outbound header X-Seal yes          : encrypt, remove-trigger
also outbound attachment application/pdf : encrypt
also inbound attachment application/pdf  : verify or reject
outbound                                 : sign or plain
inbound                                  : decrypt, verify
'''

a = b = None


def setup():
    global a, b
    lib.limits()
    base = lib.temporary()
    postfix = True
    try:
        lib.need_postfix()
    except lib.Skip:
        postfix = False
    a, b = lib.two_sites(base, RULES, RULES, postfix=postfix)
    if postfix:
        for s in (a, b):
            s.start()
            s.postfix.start()


def message(subject='hello', more='', to=BOB):
    return ('From: %s\nTo: %s\nSubject: %s\n%sMIME-Version: 1.0\n\n'
            'some text\n' % (ALICE, to, subject, more)).encode()


def attached(data=PDF, kind='text/plain', name='notes.txt', to=BOB):
    return ('From: %s\nTo: %s\nSubject: notes\nMIME-Version: 1.0\n'
            'Content-Type: multipart/mixed; boundary="b"\n\n'
            '--b\n\nsome text\n--b\nContent-Type: %s\n'
            'Content-Disposition: attachment; filename="%s"\n'
            'Content-Transfer-Encoding: base64\n\n%s\n--b--\n' %
            (ALICE, to, kind, name,
             base64.b64encode(data).decode())).encode()


def seal(data, to=BOB, sender=ALICE, *more):
    """Exit code, message, verdict."""
    path = a.path('verdict.json')
    code, out, err = lib.run([lib.POSTSEAL, '-c', a.conf, 'seal', '--from',
                              sender, '--to', to, '--json', path, *more],
                             data)
    with open(path, encoding='utf-8') as f:
        return code, out, json.load(f)


def opened(data):
    return lib.must_run([lib.POSTSEAL, '-c', b.conf, 'open', '--from', ALICE,
                         '--to', BOB], data)


def sealed(data):
    kind = lib.header(data, 'Content-Type')
    return bool(kind) and kind[0].startswith('application/pkcs7-mime')


def lines_of(verdict):
    return [x['line'] for x in verdict['recipients'][0]['also']]


@test
def A51_a_PDF_is_encrypted_whatever_it_is_called():
    for kind, name in (('text/plain', 'notes.txt'), ('image/png', 'a.png'),
                       ('application/pdf', 'a.pdf')):
        code, out, v = seal(attached(kind=kind, name=name))
        equal((code, lines_of(v)), (0, [4]), kind)
        check(sealed(out), kind + ': not sealed', out)
        code, out, v = seal(attached(kind=kind, name=name, to=STRANGER),
                            STRANGER)
        equal((code, v['reply']['code']), (69, 550), kind + ', no certificate')
    code, out, v = seal(attached(b'a table\n', 'application/pdf', 'a.pdf'))
    equal((code, lines_of(v)), (0, []), 'text that says it is a PDF')
    check(not sealed(out), 'sealed', out)


@test
def A51_a_trigger_is_gone_outside_and_inside():
    for subject in ('[secure] hello', 'hello [SECURE]',
                    '=?utf-8?B?' + base64.b64encode(
                        b'[secure] hello').decode() + '?=',
                    'hello\n [secure]'):
        code, out, v = seal(message(subject))
        equal((code, lines_of(v)), (0, [2]), subject)
        check(sealed(out), 'not sealed', out)
        equal(lib.header(out, 'Subject'), ['hello'], subject)
        inside = opened(out)
        equal(lib.header(inside, 'Subject'), ['hello'], 'inside')
        check(b'ecure]' not in inside, 'the trigger is inside', inside)
    code, out, v = seal(message(more='X-Seal: yes\n'))
    equal((code, lines_of(v)), (0, [3]), 'field')
    check(sealed(out) and b'X-Seal' not in out + opened(out), 'field', out)


@test
def A33_A51_a_trigger_of_nobody_has_no_effect():
    """attack A51: somebody who did not log in orders by a trigger
    verdict: it is removed and nothing is done"""
    code, out, v = seal(message('[secure] hello'), BOB, ALICE, '--no-auth')
    equal((code, lines_of(v)), (0, []), 'no login')
    check(not sealed(out), 'sealed', out)
    equal(lib.header(out, 'Subject'), ['hello'], 'Subject')
    data = message('[secure] hello', 'X-Seal: yes\n')
    out = opened(data)
    equal(lib.header(out, 'Subject'), ['[secure] hello'], 'incoming')
    equal(lib.header(out, 'X-Seal'), ['yes'], 'incoming')


@test
def A51_through_a_mail_server_and_a_confined_worker():
    lib.need_postfix()
    code, said = lib.send(a.postfix.port, ALICE, BOB,
                          attached(to=STRANGER), login=ALICE, addr=OUTSIDE)
    equal(code, 250, said)
    got = b.postfix.wait_mail('bob')[0]
    check(PDF in [x for _, x in lib.leaves(got)] or
          any(PDF.strip() in x for _, x in lib.leaves(got)), 'PDF', got)
    equal(re.search(r'smime=(\w+)', lib.header(
        got, 'Authentication-Results')[0]).group(1), 'pass', 'smime')
    b.postfix.empty('bob')
    code, said = lib.send(a.postfix.port, ALICE, BOB,
                          message('[secure] hello'), login=ALICE,
                          addr=OUTSIDE)
    equal(code, 250, said)
    got = b.postfix.wait_mail('bob')[0]
    equal(lib.header(got, 'Subject'), ['hello'], 'Subject')
    check(b'was encrypted' in got or b'smime=pass' in got, 'sealed', got)
    # from outside, unsigned, with what must be signed
    code, said = lib.send(b.postfix.port, 'eve@elsewhere.example', BOB,
                          attached(), addr=OUTSIDE)
    equal(code, 550, said)


def explained(path, *more):
    return lib.run([lib.POSTSEAL, 'rules', 'check', *more, path])


@test
def rules_check_finds_nothing_in_the_samples_and_the_manual():
    for name in ('full', 'partners', 'small-office'):
        code, out, err = explained(os.path.join(lib.SAMPLES,
                                                name + '.rules'), '--strict')
        equal(code, 0, lib.show(out + err))
    with open(os.path.join(lib.TOP, 'doc', 'postseal-rules.5'),
              encoding='utf-8') as f:
        page = f.read()
    text = page.split('.Sh EXAMPLES\n.Bd -literal\n')[1].split('.Ed')[0]
    path = a.path('manual.rules')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    code, out, err = explained(path, '--strict')
    equal(code, 0, lib.show(out + err))


@test
def rules_check_says_what_is_hardly_meant():
    path = a.path('odd.rules')
    with open(path, 'w', encoding='utf-8') as f:
        f.write('group idle @x.example\n'
                'outbound to @bank.example : sign\n'
                'outbound to a@bank.example : sign, encrypt\n'
                'outbound to a@example.com : sign\n'
                'outbound : pass\ninbound : pass\n')
    code, out, _ = explained(path)
    equal(code, 0, 'warnings are no errors')
    text = out.decode()
    for words in (':1: warning: group idle', ':3: warning: never reached: '
                  'line 2', ':5: warning: whatever', '3 warnings'):
        check(words in text, words, text)
    code, out, err = explained(path, '--strict')
    equal(code, 78, lib.show(err))
    code, out, _ = explained(path, '--json')
    kinds = [x['kind'] for x in json.loads(out)['warnings']]
    equal(kinds, ['unused-group', 'never-matches', 'passes-all'], 'json')
    # with a configuration it is known who is local
    code, out, _ = lib.run([lib.POSTSEAL, '-c', a.conf, 'rules', 'check',
                            '--json', path])
    check('unknown-domain' in out.decode(), 'local domain', out)
    with open(path, 'w', encoding='utf-8') as f:
        f.write('outbound : encrypt or quarantine\ninbound : pass\n')
    code, _, err = lib.run([lib.POSTSEAL, '-c', a.conf, 'rules', 'check',
                            path])
    equal(code, 78, 'no quarantine')
    check(b'has no quarantine { }' in err, 'reason', err)


if __name__ == '__main__':
    lib.main(setup)
