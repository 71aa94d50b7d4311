#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Private keys at rest: who may read the secret, a new secret killed at
every step, and what is said when a key goes for good."""
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import killing  # noqa: E402
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
OTHER = 'f' * 64 + '\n'
NEXT = '15' * 32 + '\n'
MESSAGE = b'''From: bob@example.org
To: alice@example.com
Subject: kept
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <kept@example.org>

for your eyes
'''
a = b = base = sealed = None


def setup():
    global a, b, base, sealed
    base = lib.temporary()
    a, b = lib.two_sites(base, postfix=False)
    root = lib.root_certificate(b)
    check(os.path.exists(root), 'no root')
    status, sealed, err = b.cmd('seal', '--from', BOB, '--to', ALICE,
                                data=MESSAGE)
    equal(status, 0, 'seal: ' + lib.show(err))
    check(b'for your eyes' not in sealed, 'not encrypted', sealed)


def secret():
    with open(a.path('secret'), encoding='ascii') as f:
        return f.read()


def put_secret(text, name='secret'):
    with open(a.path(name), 'w', encoding='ascii') as f:
        f.write(text)
    os.chmod(a.path(name), 0o600)


def report():
    return json.loads(a.must('secret', 'check', '--json'))


def opens(what):
    """alice's mail of before is read."""
    status, out, err = a.cmd('open', '--from', BOB, '--to', ALICE,
                             data=sealed)
    equal(status, 0, what + ': ' + lib.show(err))
    check(b'for your eyes' in out, what + ': not opened', out, err)


@test
def A64_who_else_could_read_the_secret():
    """attack A64: a secret that others read, of another, linked, a pipe
    verdict: not taken, with the command that mends it"""
    path = a.path('secret')
    for mode, wanted in ((0o644, 'chmod 600'), (0o660, 'chmod 600'),
                         (0o601, 'chmod 600')):
        os.chmod(path, mode)
        status, _, err = a.cmd('secret', 'check')
        equal(status, 78, oct(mode))
        check(wanted.encode() in err and b'%04o' % mode in err, oct(mode),
              err)
    os.chmod(path, 0o600)
    os.link(path, path + '2')
    status, _, err = a.cmd('secret', 'check')
    check(status == 78 and b'has 2 names' in err, 'second name', err)
    os.unlink(path + '2')
    os.rename(path, path + '2')
    os.symlink('secret2', path)
    status, _, err = a.cmd('secret', 'check')
    check(status == 78 and b'a link' in err, 'link', err)
    os.unlink(path)
    os.mkfifo(path, 0o600)
    status, _, err = a.cmd('secret', 'check')
    check(status == 78 and b'not a regular file' in err, 'pipe', err)
    os.unlink(path)
    os.rename(path + '2', path)
    if os.getuid() == 0:
        os.chown(path, 12345, 12345)
        status, _, err = a.cmd('secret', 'check')
        check(status == 78 and b'belongs to user 12345' in err and
              b'chown ' in err, 'owner', err)
        os.chown(path, 0, 0)
    equal(report()['do_not_open'], 0, 'afterwards')


@test
def A64_secret_never_in_arguments_output_or_log():
    """attack A64: the secret in what is printed or in arguments
    verdict: no octet of it"""
    before = secret().strip()
    text = b''
    for args in (['check'], ['check', '--json'], ['rotate', '--dry-run'],
                 ['rotate', '--new', a.path('none')], ['rotate']):
        _, out, err = a.cmd('secret', *args)
        text += out + err
    text += b''.join(a.cmd('audit', '--all')[1:])
    for s in (before, secret().strip()):
        check(s.encode() not in text and s[:16].encode() not in text,
              'the secret was printed', text)
    opens('after a change')


@test
def dry_run_and_bad_new_secrets_change_nothing():
    before = secret()
    out = a.must('secret', 'rotate', '--dry-run')
    check(b'nothing was changed' in out, 'dry run', out)
    put_secret(before, 'same')
    put_secret('zz\n', 'bad')
    put_secret(OTHER + OTHER, 'two')
    put_secret(OTHER, 'wide')
    os.chmod(a.path('wide'), 0o644)
    for name, wanted in (('same', b'already'), ('bad', b'64 hex'),
                         ('two', b'one line'), ('wide', b'chmod 600'),
                         ('none', b'No such file')):
        status, _, err = a.cmd('secret', 'rotate', '--new', a.path(name))
        check(status not in (0, 70) and wanted in err, name, status, err)
    equal(secret(), before, 'the secret')
    opens('nothing changed')


@test
def a_given_secret_and_one_of_its_own():
    before = os.stat(a.path('secret'))
    put_secret(OTHER, 'given')
    a.must('secret', 'rotate', '--new', a.path('given'))
    equal(secret(), OTHER, 'the given one')
    opens('under the given one')
    a.must('secret', 'rotate')
    check(re.fullmatch('[0-9a-f]{64}\n', secret()) and secret() != OTHER,
          'no new one')
    opens('under a new one')
    now = os.stat(a.path('secret'))
    equal((now.st_mode, now.st_uid, now.st_gid, now.st_nlink),
          (before.st_mode, before.st_uid, before.st_gid, 1), 'its rights')
    out = a.must('audit', '--all', '--json')
    check(b'change secret' in out, 'no note', out)


@test
def one_change_at_a_time():
    import fcntl
    fd = os.open(a.dir, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    before = secret()
    status, _, err = a.cmd('secret', 'rotate')
    check(status == 75 and b'another process' in err, 'locked', err)
    os.close(fd)
    equal(secret(), before, 'the secret')


@test
def a_change_killed_at_every_step_is_finished_by_the_next():
    killing.need()
    argv = [lib.POSTSEAL, '-c', a.conf, 'secret', 'rotate']
    first, seen, n = secret(), set(), 0
    for r in killing.each(argv, a.dir):
        n += 1
        where = r.where()
        killing.store_is_whole(a.path('keystore.db'), where)
        found = report()
        equal(found['do_not_open'], 0, where)
        equal(found['open'], found['keys'], where)
        lines = secret().splitlines()
        check(len(lines) in (1, 2), where, secret())
        seen.add((len(lines), lines[0] + '\n' == first,
                  found['under_old_secret'] > 0))
        out = a.must('secret', 'rotate')
        if len(lines) == 2:
            check(b'interrupted is finished' in out, where, out)
            equal(secret(), lines[0] + '\n', where)
        equal(report(), {'secrets': 1, 'keys': found['keys'],
                         'open': found['keys'], 'under_old_secret': 0,
                         'under_passphrase': found['under_passphrase'],
                         'do_not_open': 0}, where)
        check(not os.path.exists(a.path('secret.new')), where + ': left over')
    check(n >= 40, 'only %d steps' % n)
    # Before; both lines, keys as they were; both lines, keys anew; after.
    for state in ((1, True, False), (2, False, True), (2, False, False),
                  (1, False, False)):
        check(state in seen, 'never was in state %s' % (state,), seen)
    opens('after all that')


def halves():
    """The secret file's content and the keystore at each point of a change:
    (what, secret, database file)."""
    old = secret()
    db = a.path('keystore.db')
    with sqlite3.connect(db) as c:
        c.execute('PRAGMA wal_checkpoint(TRUNCATE)')
    c.close()
    copy = os.path.join(base, 'old.db')
    shutil.copy2(db, copy)
    a.must('secret', 'rotate')
    both = secret() + old
    return [('both lines, old keys', both, copy), ('both lines, new keys',
                                                   both, None)]


@test
def a_milter_goes_on_and_starts_at_each_point():
    a.start()
    a.must('secret', 'rotate')
    check(a.listens(), 'stopped listening')
    log = a.milter_log()
    check('key-left-out' not in log, 'log', log)
    os.kill(a.child.pid, signal.SIGHUP)
    time.sleep(1)
    check(a.listens(), 'after a reload', a.milter_log())
    a.stop()
    for what, text, db in halves():
        if db is not None:
            now = os.path.join(base, 'now.db')
            shutil.copy2(a.path('keystore.db'), now)
            shutil.copy2(db, a.path('keystore.db'))
        final = secret()
        put_secret(text)
        a.own()
        a.start()
        log = a.milter_log()
        check('key-left-out' not in log, what, log)
        a.stop()
        opens(what)
        if db is not None:
            shutil.copy2(now, a.path('keystore.db'))
        put_secret(final)
        a.own()


@test
def a_credential_of_systemd():
    """Read-only: the change is made in two halves by hand."""
    folder = os.path.join(base, 'credentials')
    os.makedirs(folder, exist_ok=True)
    os.chmod(folder, 0o755)
    kept = secret()

    def put(text):
        with open(os.path.join(folder, 'keys'), 'w', encoding='ascii') as f:
            f.write(text)
        os.chmod(os.path.join(folder, 'keys'), 0o400)

    def cmd(*args, data=b''):
        env = dict(os.environ, CREDENTIALS_DIRECTORY=folder)
        return lib.run([lib.POSTSEAL, '-c', conf, *args], data, env=env)

    with open(a.conf, encoding='utf-8') as f:
        text = f.read()
    conf = a.path('credential.conf')
    with open(conf, 'w', encoding='utf-8') as f:
        f.write(re.sub(r'(?m)^secret .*$', 'secret credential keys', text))
    put(kept)
    status, out, err = cmd('secret', 'check', '--json')
    equal(status, 0, lib.show(err))
    equal(json.loads(out)['do_not_open'], 0, 'credential')
    status, _, err = cmd('secret', 'rotate')
    check(status == 64 and b'--out' in err, 'refused', err)
    one, two = os.path.join(base, 'one'), os.path.join(base, 'two')
    for out in (one, two):
        status, text, err = cmd('secret', 'rotate', '--out', out)
        equal(status, 0, lib.show(err))
        equal(os.stat(out).st_mode & 0o777, 0o600, 'mode')
        with open(out, encoding='ascii') as f:
            put(f.read())
        status, text, err = cmd('secret', 'check', '--json')
        equal(json.loads(text)['do_not_open'], 0, out)
    status, text, err = cmd('secret', 'check', '--json')
    equal(json.loads(text)['secrets'], 1, 'lines')
    # Outside of the service there is none.
    status, _, err = lib.run([lib.POSTSEAL, '-c', conf, 'secret', 'check'])
    check(status == 78 and b'/run/credentials' in err, 'no credential', err)
    for bad in ('../x', 'a/b', '.', '""'):
        with open(a.path('bad.conf'), 'w', encoding='utf-8') as f:
            with open(conf, encoding='utf-8') as g:
                f.write(g.read().replace('credential keys', 'credential ' +
                                         bad))
        status, _, err = lib.run([lib.POSTSEAL, '-c', a.path('bad.conf'),
                                  'secret', 'check'])
        check(status == 78 and b'without slash' in err, bad, err)
    with open(two, encoding='ascii') as f:
        put_secret(f.read())
    opens('with the last one as a file')


@test
def ten_thousand_keys():
    """One sealed key under ten thousand names: nothing is named in it."""
    db = a.path('keystore.db')
    with sqlite3.connect(db) as c:
        c.execute('CREATE TEMP TABLE one AS SELECT sealed FROM key LIMIT 1')
        c.execute('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 '
                  'FROM n WHERE i < 10000) INSERT INTO key (spki, sealed) '
                  'SELECT randomblob(32), (SELECT sealed FROM one) FROM n')
    c.close()
    a.own()
    before = report()
    check(before['keys'] > 10000, 'keys', before)
    a.must('secret', 'rotate')
    equal(report(), before, 'afterwards')
    with sqlite3.connect(db) as c:
        c.execute('DELETE FROM key WHERE spki NOT IN '
                  '(SELECT spki FROM cert)')
    c.close()
    a.own()
    opens('after ten thousand')


@test
def a_key_that_does_not_open_is_named_and_stops_the_change():
    before = secret()
    put_secret(OTHER)
    status, _, err = a.cmd('secret', 'check')
    equal(status, 78, 'check')
    check(b'alice@example.com' in err and b'does not open' in err, 'named',
          err)
    status, _, err = a.cmd('secret', 'rotate')
    check(status == 78 and b'nothing was changed' in err, 'rotate', err)
    equal(secret(), OTHER, 'the secret')
    put_secret(before)
    opens('afterwards')


@test
def under_another_secret_no_key_is_added():
    """else each would be lost with one of two secrets"""
    before, was, listed = secret(), report(), a.must('cert', 'list')
    users = a.path('users.csv')
    with open(users, 'w', encoding='ascii') as f:
        f.write('dave@example.com,Dave\n')
    p12 = a.path('alice.p12')
    a.must('key', 'export', '--email', ALICE, '--out', p12,
           '--password-file', '-', data=b'correct horse\n')
    wanted = ['--email', 'dave@example.com', '--algorithm', 'ec:p256']
    words = a.path('words')
    with open(words, 'w', encoding='ascii') as f:
        f.write('correct horse\n')
    a.must('ca', 'passphrase', '--new-password-file', words)
    put_secret(OTHER)
    given = ['--password-file', words]
    for verb in (['ca', 'issue'] + wanted + given,
                 ['ca', 'issue', '--users', users] + given,
                 ['ca', 'renew', '--email', ALICE] + given,
                 ['key', 'generate'] + wanted + ['--out', a.path('d.csr')],
                 ['key', 'import', p12] + given):
        status, out, err = a.cmd(*verb)
        check(status == 78 and b'not the secret of the private keys' in err,
              ' '.join(verb), out, err)
    check(not os.path.exists(a.path('d.csr')), 'a request was written')
    a.must('ca', 'issue', '--tls-server', 'www.example.com', '--out',
           os.path.join(base, 'tls'), '--password-file', words)
    put_secret(NEXT + before)
    a.must('ca', 'issue', *wanted, '--password-file', words)
    a.must('secret', 'rotate')
    put_secret(before)
    equal(a.cmd('secret', 'check')[0], 78, 'the old secret')
    put_secret(NEXT)
    check(report()['keys'] == was['keys'] + 1 and
          report()['do_not_open'] == 0, 'keys', report(), listed)
    put_secret(NEXT.replace('5', '6') + NEXT)
    a.must('secret', 'rotate')
    a.must('ca', 'passphrase', '--password-file', words, '--no-passphrase')
    opens('afterwards')


@test
def S98_an_old_key_opens_until_it_is_removed_and_that_is_said():
    opens('before')
    status, out, err = a.cmd('cert', 'remove', ALICE)
    equal(status, 64, 'without --yes')
    check(b'mail encrypted to this key since 20' in err and
          b'for alice@example.com can no longer be opened' in err,
          'warning', err)
    opens('nothing was removed')
    with sqlite3.connect(a.path('keystore.db')) as c:
        c.execute('DELETE FROM audit')
        for i, who in enumerate((ALICE, ALICE, 'malice@example.com')):
            c.execute('INSERT INTO audit (id, at, json) VALUES (?, ?, ?)',
                      ('t%d' % i, 1700000000 + i * 86400, json.dumps(
                          {'decryption': {'result': 'decrypted',
                                          'cipher': 'AES-128-CBC',
                                          'recipient': who}},
                          separators=(',', ':')).encode()))
    c.close()
    a.own()
    _, out, err = a.cmd('cert', 'remove', ALICE)
    check(b'2 messages to this address that were opened' in err and
          b'2023-11-15' in err, 'numbers', err)
    status, out, err = a.cmd('cert', 'remove', ALICE, '--yes')
    equal(status, 0, lib.show(err))
    check(b'can no longer be opened' in err, 'warning', err)
    status, out, err = a.cmd('open', '--from', BOB, '--to', ALICE,
                             data=sealed)
    check(b'for your eyes' not in out, 'still opened', out)


@test
def A64_root_writes_into_folders_of_its_own():
    """What goes out for people is written with the rights of whoever asked,
    although the keystore belongs to another user."""
    lib.need_root()
    base = lib.temporary()
    s = lib.Site(os.path.join(base, 'a'), 'example.com')
    s.must('ca', 'init', '--no-passphrase')
    s.must('ca', 'issue', '--email', 'erin@example.com', '--algorithm',
           'ec:p256')
    s.own()
    out = os.path.join(base, 'of-root')
    os.mkdir(out, 0o755)
    password = os.path.join(out, 'password')
    with open(password, 'w', encoding='ascii') as f:
        f.write('long enough\n')
    os.chmod(password, 0o600)
    for name, *argv in (
            ('one.pem', 'cert', 'export', 'erin@example.com'),
            ('all.pem', 'cert', 'export', '--all', '--bundle'),
            ('ca.crl', 'ca', 'crl'),
            ('erin.p12', 'key', 'export', '--email', 'erin@example.com',
             '--password-file', password),
            ('frank.csr', 'key', 'generate', '--email', 'frank@example.com',
             '--algorithm', 'ec:p256')):
        path = os.path.join(out, name)
        s.must(*argv, '--out', path)
        check(os.path.getsize(path) > 100, name)
    # a list takes the place of the older one, whole
    crl = os.path.join(out, 'ca.crl')
    with open(crl, 'rb') as f:
        older = f.read()
    s.must('ca', 'crl', '--out', crl)
    with open(crl, 'rb') as f:
        check(f.read() != older, 'not replaced')
    check(not [x for x in os.listdir(out) if 'unfinished' in x], 'left over')
    # what is there stays: the same again, or not at all
    path = os.path.join(out, 'one.pem')
    s.must('cert', 'export', 'erin@example.com', '--out',
           os.path.join(out, 'again.pem'))
    with open(path, 'ab') as f:
        f.write(b'mine')
    equal(s.cmd('cert', 'export', 'erin@example.com', '--out', path)[0], 73,
          'written over')
    backup = os.path.join(out, 'a.backup')
    s.must('backup', backup, '--password-file', password)
    check(os.path.getsize(backup) > 1000, 'backup')


if __name__ == '__main__':
    lib.main(setup)
