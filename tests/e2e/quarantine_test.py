#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""Mail that is held: what lies on the disk, what the command shows, and how
it goes on its way, through a real Postfix."""
import contextlib
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
import lib  # noqa: E402
import sink  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CANARY = b'CANARY-held-91c4'
OUTSIDE = '192.0.2.7'

RULES = '''
outbound to carol@example.org : sign or plain, encrypt or plain
outbound : sign or plain, encrypt or quarantine
inbound from mallory@example.org : decrypt, verify or quarantine
inbound : decrypt, verify
'''

a = b = None


def extra(more=''):
    return '''
quarantine {
    size 20M
    keep 7d
    notify admin@example.com
%s}
notices {
    to admin@example.com
    via "127.0.0.1:%d"
}
language de for alice@example.com
texts "%s/share/texts"
''' % (more, a.postfix.plain, lib.TOP)


def configure(port, settings=None):
    """reinject to this port; the site's own words do not have it."""
    a.set_conf(settings or extra())
    with open(a.conf, encoding='utf-8') as f:
        words = f.read()
    if 'reinject' not in words:
        words = words.replace('    outbound-networks', '    reinject smtp '
                              '"127.0.0.1:%d"\n    outbound-networks' % port)
    with open(a.conf, 'w', encoding='utf-8') as f:
        f.write(words)
    a.own()


def setup():
    global a, b
    lib.limits()
    lib.need_postfix()
    folder = lib.temporary()
    a, b = lib.two_sites(folder, RULES)
    # bob's certificate is not here yet
    a.must('cert', 'remove', '--yes', BOB)
    a.postfix.users.append('admin')
    a.postfix.configure({}, a.socket)
    b.postfix.configure({}, b.socket)
    configure(a.postfix.plain)
    for s in (a, b):
        s.own()
        s.start()
        s.postfix.start()


def fresh():
    """Nothing is held, and nobody will be told any more."""
    delete_all()
    lib.wait_for(nothing_to_tell, 'notices to be sent')
    query('DELETE FROM told')  # or the limit would soon be reached
    lib.wait_for(lambda: not a.postfix.queued() and not b.postfix.queued(),
                 'empty queues')
    for s in (a, b):
        for user in s.postfix.users:
            s.postfix.empty(user)


def query(what, *values):
    db = sqlite3.connect(a.path('keystore.db'), timeout=60)
    try:
        with db:
            return db.execute(what, values).fetchall()
    finally:
        db.close()
        a.own()


def nothing_to_tell():
    return query('SELECT COUNT(*) FROM told WHERE next > 0') == [(0,)]


def text(sender=ALICE, to=BOB, more=''):
    return ('From: %s\nTo: %s\nSubject: %s subject\n%s\n%s body\n' % (
        sender, to, CANARY.decode(), more, CANARY.decode())).encode()


def listed():
    return json.loads(a.must('quarantine', 'list', '--json'))


def hold(to=BOB, more=''):
    """-> what the list says of one more."""
    before = {r['id'] for r in listed()}
    code, said = lib.send(a.postfix.port, ALICE, to, text(to=to if isinstance(
        to, str) else ', '.join(to), more=more), login='alice',
        addr=OUTSIDE)
    equal(code, 250, 'reply (%s)' % said)
    return lib.wait_for(lambda: [r for r in listed()
                                 if r['id'] not in before],
                        'it to be held')[0]


def delete_all():
    ids = [r['id'] for r in listed()]
    if ids:
        a.must('quarantine', 'delete', '--yes', *ids)


def changes(action):
    return [c for c in json.loads(a.must('audit', '--json', '--all'))
            if c['action'] == action]


def on_disk(needle):
    """Files below the site's folder that have it."""
    found = []
    for d, subs, files in os.walk(a.dir):
        subs[:] = [s for s in subs if s != 'postfix']
        for f in files:
            if not os.path.isfile(os.path.join(d, f)):
                continue
            with contextlib.suppress(FileNotFoundError), \
                    open(os.path.join(d, f), 'rb') as x:
                if needle in x.read():
                    found.append(f)
    return found


@test
def A54_S47_what_is_held_lies_sealed_on_the_disk():
    fresh()
    row = hold()
    equal(row['sender'], '<%s>' % ALICE, 'sender')
    equal(row['recipients'], ['<%s>' % BOB], 'recipients')
    equal(row['direction'], 'outbound', 'direction')
    check(row['size'] > 100 and row['reason'], 'size and reason', str(row))
    equal(on_disk(CANARY), [], 'files that show it')
    equal(on_disk(CANARY[::-1]), [], 'control')
    check('keystore.db' in ''.join(on_disk(row['id'].encode())),
          'it is in the keystore')
    equal(b.postfix.mails('bob'), [], 'mail to bob')
    # notices to others go through there
    lib.wait_for(lambda: not a.postfix.queue_files(),
                 lambda: 'an empty queue: %s' % a.postfix.queue_files())


@test
def S48_A31_sender_and_administrator_are_told_without_content():
    fresh()
    row = hold()
    mails = a.postfix.wait_mail('alice')
    equal(len(mails), 1, 'notices to alice')
    got = mails[0]
    check(CANARY not in got, 'no content', got)
    equal(lib.header(got, 'Auto-Submitted'), ['auto-generated'],
          'Auto-Submitted')
    equal(lib.header(got, 'Return-Path'), ['<>'], 'sender')
    words = lib.leaves(got)[0][1]
    check('Empfänger:'.encode() in words and BOB.encode() in words and
          row['id'].encode() in words, 'what it says', words)
    admin = a.postfix.wait_mail('admin')
    check(CANARY not in admin[0] and ALICE.encode() in admin[0],
          'what the administrator reads', admin[0])
    a.must('quarantine', 'delete', '--yes', row['id'])
    mails = a.postfix.wait_mail('alice', 2)
    check(b'entschieden' in lib.leaves(mails[1])[0][1], 'deleted', mails[1])


@test
def A49_automatic_mail_and_lists_get_no_notice():
    fresh()
    hold(more='Auto-Submitted: auto-replied\n')
    hold(more='List-Id: <x.example.com>\n')
    hold()  # this one does; the others would have come before
    a.postfix.wait_mail('alice')
    a.postfix.wait_mail('admin', 3)
    equal(len(a.postfix.mails('alice')), 1, 'notices')


@test
def show_and_export_need_the_secret_and_are_noted():
    fresh()
    row = hold()
    out = a.must('quarantine', 'show', row['id'])
    check(CANARY not in out and BOB.encode() in out, 'show', out)
    equal(json.loads(a.must('quarantine', 'show', '--json',
                            row['id']))['id'], row['id'], 'show --json')
    had = len(changes('show held mail'))
    out = a.must('quarantine', 'show', '--message', row['id'])
    check(CANARY + b' body\r\n' in out, 'the message', out)
    equal(len(changes('show held mail')), had + 1, 'notes')
    a.must('quarantine', 'export', row['id'], a.path('exported'))
    equal(os.stat(a.path('exported')).st_mode & 0o777, 0o600, 'mode')
    status, _, err = a.cmd('quarantine', 'export', row['id'],
                           a.path('exported'))
    equal(status, 73, 'nothing is overwritten')
    os.unlink(a.path('exported'))
    # another secret opens nothing
    os.rename(a.path('secret'), a.path('secret.away'))
    try:
        with open(a.path('secret'), 'w', encoding='ascii') as f:
            f.write('00' * 32 + '\n')
        os.chmod(a.path('secret'), 0o600)
        status, out, err = a.cmd('quarantine', 'show', '--message',
                                 row['id'])
        equal(status, 78, 'status with a wrong secret')
        check(CANARY not in out + err, 'nothing is shown', out, err)
        status, out, err = a.cmd('quarantine', 'release', row['id'])
        equal(status, 78, 'release with a wrong secret')
    finally:
        os.rename(a.path('secret.away'), a.path('secret'))
    equal([r['id'] for r in listed()], [row['id']], 'it is still held')
    for what in (['show', 'none-1'], ['release', 'none-1'],
                 ['delete', '--yes', 'none-1']):
        equal(a.cmd('quarantine', *what)[0], 65, str(what))


@test
def as_a_user_it_is_refused_by_the_files():
    row = hold()
    argv = ['setpriv', '--reuid', 'nobody', '--regid', 'nogroup',
            '--clear-groups', lib.POSTSEAL, '-c', a.conf, 'quarantine',
            'show', '--message', row['id']]
    status, out, err = base.run(argv)
    check(status == 78 and CANARY not in out + err, 'status %d' % status,
          out, err)


@test
def S47_what_the_rules_still_refuse_stays():
    fresh()
    row = hold()
    status, out, err = a.cmd('quarantine', 'release', row['id'])
    equal(status, 69, 'status')
    check(b'stays held' in err and BOB.encode() in err, 'why', err)
    equal(len(listed()), 1, 'held')
    equal(b.postfix.mails('bob'), [], 'mail to bob')


@test
def released_mail_is_sealed_with_the_certificate_of_today():
    fresh()
    row = hold()
    a.must('cert', 'import', a.path(BOB + '.pem'))
    out = a.must('quarantine', 'release', '--dry-run', row['id'])
    check(b'would be sent' in out, 'dry run', out)
    equal(len(listed()), 1, 'held after a dry run')
    out = a.must('quarantine', 'release', row['id'])
    check(b'sent' in out and b'sealed' in out, 'what it says', out)
    equal(listed(), [], 'held')
    got = b.postfix.wait_mail('bob')[0]
    check(CANARY + b' body' in got and b'smime=pass' in got,
          'opened and verified at bob\'s', got)
    equal(len(changes('release held mail')), 1, 'notes')
    a.must('cert', 'remove', '--yes', BOB)
    check(any(b'jetzt an die' in lib.leaves(m)[0][1].replace(b'\n', b' ')
              for m in a.postfix.wait_mail('alice', 2)), 'alice is told',
          b''.join(a.postfix.mails('alice')))


@test
def in_clear_only_by_name_and_noted():
    fresh()
    row = hold()
    status, _, err = a.cmd('quarantine', 'release', '--in-clear', row['id'])
    equal(status, 64, 'without --yes')
    check(b'UNENCRYPTED' in err, 'the question', err)
    equal(b.postfix.mails('bob'), [], 'mail to bob')
    equal(a.cmd('quarantine', 'release', '--as-is', '--yes',
                row['id'])[0], 64, '--as-is is for incoming mail')
    a.must('quarantine', 'release', '--in-clear', '--yes', row['id'])
    got = b.postfix.wait_mail('bob')[0]
    check(CANARY + b' body' in got, 'in clear', got)
    equal(len(changes('release held mail in clear')), 1, 'notes')
    equal(listed(), [], 'held')


def on_terminal(*argv):
    pid, fd = lib.fork_on_terminal()
    if pid == 0:
        os.execv(lib.POSTSEAL, [lib.POSTSEAL, '-c', a.conf, *argv])
    shown, more = b'', b'x'
    while more:
        try:
            more = os.read(fd, 65536)
        except OSError:
            more = b''
        shown += more
    os.close(fd)
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, 'status')
    return shown


@test
def A48_addresses_of_held_mail_move_no_terminal():
    """attack A48: an address on the envelope has an escape sequence for the
    terminal of whoever releases or deletes the mail
    verdict: question marks"""
    fresh()
    row = hold()
    query('UPDATE held SET sender = ?, rcpts = ? WHERE id = ?',
          '<"a\x1b[2J"@example.com>', '<"b\x1b[2J"@partner.example>\n',
          row['id'])
    for words in (('delete', '--dry-run'),
                  ('release', '--in-clear', '--yes', '--dry-run')):
        shown = on_terminal('quarantine', *words, row['id'])
        check(b'?[2J' in shown and b'\x1b' not in shown, words[0], shown)


def signed_by_a_stranger():
    """Signed, by a certificate that nothing is known of."""
    ssl, d = lib.need('openssl'), a.path('stranger')
    base.must_run([ssl, 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
                   '-subj', '/CN=M', '-addext',
                   'subjectAltName=email:mallory@example.org', '-keyout',
                   d + '.key', '-out', d + '.pem', '-days', '9'])
    body = b'Content-Type: text/plain\r\n\r\n' + CANARY + b' body\r\n'
    out = base.must_run([ssl, 'cms', '-sign', '-signer', d + '.pem',
                         '-inkey', d + '.key', '-crlfeol', '-binary'], body)
    for end in ('.key', '.pem'):
        os.unlink(d + end)
    return (b'From: mallory@example.org\nTo: ' + ALICE.encode() +
            b'\nSubject: x\n' + out)


@test
def incoming_mail_is_delivered_as_it_is():
    fresh()
    code, said = lib.send(a.postfix.port, 'mallory@example.org', ALICE,
                          signed_by_a_stranger(), addr=OUTSIDE)
    equal(code, 250, 'reply (%s)' % said)
    row = lib.wait_for(listed, 'it to be held')[0]
    equal(row['direction'], 'inbound', 'direction')
    equal(a.cmd('quarantine', 'release', row['id'])[0], 69,
          'verification does not change')
    a.must('quarantine', 'release', '--as-is', row['id'])
    got = [m for m in a.postfix.wait_mail('alice') if CANARY in m]
    equal(len(got), 1, 'delivered')
    check(b'smime=policy' in got[0], 'what was found', got[0])
    check(CANARY + b' body' in got[0], 'as it came', got[0])
    equal(listed(), [], 'held')
    # nobody outside is told
    equal(b.postfix.mails('mallory') if 'mallory' in b.postfix.users else
          [], [], 'notices to a stranger')


@test
def while_nobody_takes_it_it_stays():
    fresh()
    row = hold()
    try:
        configure(lib.free_port())
        status, _, err = a.cmd('quarantine', 'release', '--in-clear',
                               '--yes', row['id'])
        check(status == 75 and b'stays held' in err, 'status %d' % status,
              err)
        equal(len(listed()), 1, 'held')
        equal(a.cmd('quarantine', 'release', '--via', 'example.org',
                    row['id'])[0], 64, 'a hop that is none')
        a.must('quarantine', 'release', '--in-clear', '--yes', '--via',
               'smtp:127.0.0.1:%d' % a.postfix.plain, row['id'])
        b.postfix.wait_mail('bob')
        equal(listed(), [], 'held')
    finally:
        configure(a.postfix.plain)


@test
def sent_and_not_yet_removed_it_comes_twice_but_is_not_lost():
    """The store takes no change after the next hop's 250, as if the command
    had been killed there."""
    fresh()
    row = hold()
    a.postfix.wait_mail('admin')
    db = sqlite3.connect(a.path('keystore.db'), isolation_level=None)
    db.execute('BEGIN IMMEDIATE')
    try:
        status, _, err = a.cmd('quarantine', 'release', '--in-clear',
                               '--yes', row['id'])
        equal(status, 75, 'status (%s)' % err)
    finally:
        db.execute('ROLLBACK')
        db.close()
    a.own()
    b.postfix.wait_mail('bob')
    equal([r['id'] for r in listed()], [row['id']], 'held')
    a.must('quarantine', 'release', '--in-clear', '--yes', row['id'])
    b.postfix.wait_mail('bob', 2)
    equal(listed(), [], 'held')


@test
def S47_a_bounce_of_it_would_have_no_content():
    fresh()
    taking = sink.Sink(a.path('sink'), offers=['8BITMIME', 'DSN'])
    try:
        row = hold(to=[BOB, 'carl@example.org'])
        configure(taking.port)
        a.must('quarantine', 'release', '--in-clear', '--yes', row['id'])
        seen = taking.seen[-1]
        equal(seen.to(), [BOB, 'carl@example.org'], 'recipients')
        check(b'RET=HDRS' in seen.mail, 'RET', seen.mail)
        check(CANARY in seen.data, 'the message', seen.data)
    finally:
        configure(a.postfix.plain)
    equal(listed(), [], 'held')


@test
def who_has_it_is_not_sent_it_again():
    """carl, a blind copy, has a copy of his own, which is refused first."""
    fresh()
    taking = sink.Sink(a.path('sink2'), offers=['8BITMIME', 'DSN'])
    carl = 'carl@example.org'
    try:
        code, said = lib.send(a.postfix.port, ALICE, [BOB, carl], text(),
                              login='alice', addr=OUTSIDE)
        equal(code, 250, 'reply (%s)' % said)
        row = lib.wait_for(listed, 'it to be held')[0]
        a.must('cert', 'import', a.path(BOB + '.pem'))
        a.must('ca', 'issue', '--email', carl, '--algorithm', 'rsa:2048')
        configure(taking.port)
        taking.refuse['carl'] = '450 4.2.1 later'
        status, _, err = a.cmd('quarantine', 'release', row['id'])
        check(status == 75 and b'4.2.1' in err, 'status %d' % status, err)
        equal([x.to() for x in taking.seen], [[BOB]], 'sent')
        equal(listed()[0]['recipients'], ['<%s>' % carl], 'left')
        taking.refuse.clear()
        a.must('quarantine', 'release', row['id'])
        equal([x.to() for x in taking.seen], [[BOB], [carl]], 'sent')
        check(all(CANARY + b' body' not in x.data for x in taking.seen),
              'sealed')
        equal(listed(), [], 'held')
    finally:
        configure(a.postfix.plain)
        a.cmd('cert', 'remove', '--yes', BOB)
        a.cmd('cert', 'remove', '--yes', carl)


@test
def expiry_tells_before_it_removes():
    fresh()
    row = hold()
    a.postfix.wait_mail('alice')
    a.stop()
    a.must('quarantine', 'list')
    query('UPDATE held SET at = at - 8 * 86400 WHERE id = ?', row['id'])
    a.start()
    lib.wait_for(lambda: not listed(), 'it to go')
    mails = a.postfix.wait_mail('alice', 2)
    check(any(b'rechtzeitig' in lib.leaves(m)[0][1] for m in mails),
          'alice is told', mails[-1])
    equal(len(changes('expire held mail')), 1, 'notes')
    check('event=held-expired' in a.milter_log(), 'log')
    equal(b.postfix.mails('bob'), [], 'mail to bob')


@test
def A50_a_full_quarantine_defers_and_sends_nothing():
    fresh()
    configure(a.postfix.plain, extra().replace('size 20M', 'size 1M'))
    a.stop()
    a.start()
    body = text() + b'x' * 70 + b'\n'
    body += (b'y' * 70 + b'\n') * 20000
    code, said = lib.send(a.postfix.port, ALICE, BOB, body, login='alice',
                          addr=OUTSIDE)
    check(code // 100 == 4, 'reply %d %s' % (code, said))
    equal(listed(), [], 'held')
    equal(b.postfix.mails('bob'), [], 'mail to bob')
    configure(a.postfix.plain)
    a.stop()
    a.start()


@test
def without_the_key_the_milter_does_not_start():
    folder = lib.temporary()
    s = lib.Site(os.path.join(folder, 's'), 'example.net',
                 extra='quarantine {\n}\n')
    db = sqlite3.connect(s.path('keystore.db'))
    db.execute('DELETE FROM held_cert')
    db.commit()
    db.close()
    s.own()
    status, out, err = base.run([lib.MILTER, '-c', s.conf], timeout=120)
    check(status in (75, 78), 'status %d' % status, out, err)
    check(b'postseal quarantine init' in out + err, 'the command', out, err)
    s.must('quarantine', 'init')
    s.own()
    s.start()
    s.stop()


if __name__ == '__main__':
    lib.main(setup)
