#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""postseal seal and open --out-dir: a message for each group of recipients,
openssl as the reader of each."""
import json
import os
import pwd
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, CAROL, BOB, DAVE = ('alice@example.com', 'carol@example.org',
                           'bob@example.org', 'dave@example.org')
NOBODY = 'nobody@else.example'
RULES = '''
outbound to @signed.example : sign
outbound to @plain.example  : pass
outbound to @else.example   : sign, encrypt or quarantine
outbound                   : sign, encrypt
inbound  to leave@example.com : leave-sealed
inbound                    : decrypt, verify
'''
QUARANTINE = 'quarantine {\n    size 10M\n}\n'
TEXT = b'''From: Alice <alice@example.com>
To: carol@example.org, bob@example.org
Bcc: dave@example.org
Subject: Plans
Message-ID: <1@example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=us-ascii

Secret plans
'''
a = base = None
count = 0


def setup():
    global a, base
    base = lib.temporary()
    a = lib.Site(os.path.join(base, 'a'), 'example.com', RULES,
                 extra=QUARANTINE)
    a.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
           'Test CA')
    for who, algorithm in ((ALICE, 'rsa:2048'), (CAROL, 'rsa:2048'),
                           (BOB, 'ec:p256'), (DAVE, 'rsa:2048')):
        a.must('ca', 'issue', '--email', who, '--algorithm', algorithm)
    a.must('quarantine', 'init')
    a.own()


def split(verb, to, data=TEXT, folder=None, sender=ALICE):
    """-> (exit status, folder, error, verdict)"""
    global count
    if folder is None:
        count += 1
        folder = os.path.join(base, 'out%d' % count)
    argv = [verb, '--from', sender, '--out-dir', folder]
    for x in to:
        argv += ['--to', x]
    status, out, err = a.cmd(*argv, data=data)
    equal(out, b'', 'standard output')
    verdict = None
    path = os.path.join(folder, 'verdict.json')
    if os.path.exists(path):
        with open(path, encoding='utf-8') as f:
            verdict = json.load(f)
    return status, folder, err, verdict


def content(folder, name):
    with open(os.path.join(folder, name), 'rb') as f:
        return f.read()


def groups(folder):
    """Recipients -> message."""
    found = {}
    for name in os.listdir(folder):
        if name.endswith('.rcpt'):
            who = tuple(sorted(content(folder, name).decode().split()))
            end = '.p7m' if name.startswith('held') else '.eml'
            found[who] = content(folder, name[:-5] + end)
    return found


def opened_by(message, who):
    """What openssl finds in it with that one's key."""
    p12 = os.path.join(base, who + '.p12')
    password = os.path.join(base, 'password')
    if not os.path.exists(p12):
        with open(password, 'w', encoding='ascii') as f:
            f.write('test\n')
        a.must('key', 'export', '--email', who, '--out', p12,
               '--password-file', password)
        subprocess.run(['openssl', 'pkcs12', '-in', p12, '-nodes', '-passin',
                        'file:' + password, '-out', p12 + '.pem'],
                       check=True, stdin=subprocess.DEVNULL,
                       capture_output=True)
    done = subprocess.run(['openssl', 'cms', '-decrypt', '-recip',
                           p12 + '.pem', '-inkey', p12 + '.pem'],
                          input=message, capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def recipients_of(message):
    done = subprocess.run(['openssl', 'cms', '-cmsout', '-print', '-noout'],
                          input=message, capture_output=True, check=True)
    return len(re.findall(rb'd\.(?:ktri|kari):', done.stdout))


@test
def S129_S130_each_group_has_a_message_that_it_alone_reads():
    status, folder, err, verdict = split('seal', [CAROL, BOB, DAVE])
    equal(status, 0, 'seal: ' + lib.show(err))
    equal(verdict['action'], 'split', 'action')
    found = groups(folder)
    # RSA and EC apart, the blind copy alone
    equal(sorted(found), [(BOB,), (CAROL,), (DAVE,)], 'groups')
    outer = set()
    for (who,), message in found.items():
        check(b'Secret plans' not in message, who + ': in clear', message)
        head = re.sub(rb'\AReceived:.*\n(?:[ \t].*\n)*', b'',
                      message.partition(b'\n\n')[0])
        outer.add(head)
        check(b'Bcc' not in head and b'dave@' not in head,
              who + ': names the blind recipient', head)
        equal(recipients_of(message), 1, who + ': recipients')
        check(b'Secret plans' in opened_by(message, who), who + ': cannot '
              'read his own')
        for other in (BOB, CAROL, DAVE):
            if other != who:
                check(opened_by(message, other) is None, '%s reads the copy '
                      'of %s' % (other, who))
    equal(len(outer), 1, 'different headers outside')
    equal([r['group'] for r in verdict['recipients']],
          [r['group'] for r in verdict['recipients'] if r['outcome'] ==
           'sealed'], 'outcomes')
    check(verdict['here'] in (1, 2, 3), 'here', verdict)
    equal([c['kind'] for c in verdict['copies']], ['sent'] * 2, 'copies')


@test
def M23_three_rules_and_one_that_waits():
    to = [CAROL, 'x@signed.example', 'y@plain.example', NOBODY]
    status, folder, err, verdict = split('seal', to)
    equal(status, 0, 'seal: ' + lib.show(err))
    check(b'nobody@else.example held, not sent: no certificate' in err,
          'not said', err)
    found = groups(folder)
    equal(sorted(found), sorted((x,) for x in to), 'groups')
    check(b'Secret plans' in found[('y@plain.example',)], 'plain')
    check(b'multipart/signed' in found[('x@signed.example',)], 'signed')
    check(b'Secret plans' not in found[(CAROL,)], 'sealed')
    check(b'Secret plans' not in found[(NOBODY,)], 'held in clear')
    equal(sorted(os.listdir(folder)), sorted(
        ['group-%d.%s' % (i, end) for i in (1, 2, 3)
         for end in ('eml', 'rcpt')] +
        ['held.p7m', 'held.rcpt', 'verdict.json']), 'files')
    check(b'\r' not in found[(CAROL,)], 'line ends of the input were LF')


@test
def line_ends_are_those_of_the_input():
    _, folder, _, _ = split('seal', [CAROL, DAVE],
                            data=TEXT.replace(b'\n', b'\r\n'))
    found = groups(folder)
    equal(len(found), 2, 'groups')
    for who, message in found.items():
        equal(message.count(b'\n'), message.count(b'\r\n'), who[0])


@test
def all_held_is_said_and_nothing_is_sent():
    status, folder, err, verdict = split('seal', [NOBODY])
    equal(status, 69, 'exit status')
    equal(sorted(os.listdir(folder)), ['held.p7m', 'held.rcpt',
                                       'verdict.json'], 'files')
    equal(verdict['action'], 'quarantined', 'action')
    check(b'quarantined' in err, 'not said', err)


@test
def S202_a_refusal_makes_no_message():
    status, folder, err, verdict = split('seal', [CAROL,
                                                  'none@example.org'])
    equal(status, 69, 'exit status')
    check(b'5.7.3' in err and b'none@example.org' in err, 'reply', err)
    equal(os.listdir(folder), ['verdict.json'], 'files')
    equal(verdict['copies'], [], 'copies')


@test
def S203_incoming_mail_is_opened_for_whose_key_opens_it():
    _, folder, _, _ = split('seal', [ALICE], data=TEXT)
    sealed = groups(folder)[(ALICE,)]
    status, folder, err, verdict = split(
        'open', [ALICE, 'x@example.com', 'leave@example.com'], data=sealed)
    equal(status, 0, 'open: ' + lib.show(err))
    found = groups(folder)
    check(b'Secret plans' in found[(ALICE,)], 'not opened')
    for who in ('x@example.com', 'leave@example.com'):
        check(b'Secret plans' not in found[(who,)], who + ': opened')
        check(sealed.partition(b'\n\n')[2] in found[(who,)],
              who + ': not as it arrived')
    equal(verdict['decryption']['result'], 'decrypted', 'decryption')


@test
def A54_the_folder_is_for_its_owner_alone():
    wide = os.path.join(base, 'wide')
    os.mkdir(wide)
    os.chmod(wide, 0o755)
    status, _, err, _ = split('seal', [CAROL], folder=wide)
    equal(status, 73, 'a folder for others to read')
    check(b'0755' in err and b'0700' in err, 'not said', err)
    used = os.path.join(base, 'used')
    os.mkdir(used, 0o700)
    with open(os.path.join(used, 'x'), 'w', encoding='ascii'):
        pass
    status, _, err, _ = split('seal', [CAROL], folder=used)
    equal(status, 73, 'a folder that is not empty')
    check(b'not empty' in err, 'not said', err)
    equal(os.listdir(used), ['x'], 'files')
    empty = os.path.join(base, 'empty')
    os.mkdir(empty, 0o700)
    status, folder, err, _ = split('seal', [CAROL], folder=empty)
    equal(status, 0, 'seal: ' + lib.show(err))
    equal(stat.S_IMODE(os.stat(folder).st_mode), 0o700, 'mode of the folder')
    for name in os.listdir(folder):
        st = os.stat(os.path.join(folder, name))
        equal(stat.S_IMODE(st.st_mode), 0o600, name)
        equal(st.st_uid, os.getuid(), name + ': owner is ' +
              pwd.getpwuid(st.st_uid).pw_name)


@test
def large_messages_come_out_whole():
    data = TEXT + b'0123456789abcdef\n' * 500000
    status, folder, err, verdict = split('seal', ['y@plain.example',
                                                  CAROL], data=data)
    equal(status, 0, 'seal: ' + lib.show(err))
    found = groups(folder)
    plain = found[('y@plain.example',)]
    check(plain.endswith(data.partition(b'\n\n')[2]), 'not all of it')
    inside = opened_by(found[(CAROL,)], CAROL)
    check(inside.count(b'0123456789abcdef') == 500000, 'not all of it')
    sizes = [c['size'] for c in verdict['copies']]
    check(all(s > 500000 for s in sizes), 'sizes', sizes)


if __name__ == '__main__':
    lib.main(setup)
