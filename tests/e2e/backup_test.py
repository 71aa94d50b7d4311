#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""postseal backup and restore: what comes back is what was there, and what is
damaged or hostile changes nothing. backup_kill_test.py: nor does a kill."""
import glob
import json
import os
import pwd
import shutil
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import killing  # noqa: E402
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
HEAD, CHUNK = 64, 4 + 65536 + 16
RULES = '''include "more.rules"
group banks  @bank.example file "lists/banks"
outbound to banks : sign, encrypt or plain
outbound : sign or plain, encrypt or plain
inbound  : decrypt, verify
'''
MESSAGE = b'''From: bob@example.org
To: alice@example.com
Subject: kept
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <kept@example.org>

for your eyes
'''
a = b = base = words = full = bare = sealed = None


def setup():
    global a, b, base, words, full, bare, sealed
    base = lib.temporary()
    a, b = lib.two_sites(base, postfix=False)
    words = os.path.join(base, 'words')
    with open(words, 'w', encoding='ascii') as f:
        f.write('correct horse\n')
    os.makedirs(a.path('lists'))
    write(a.path('lists/banks'), 'teller@other.example\n@third.example\n')
    write(a.path('more.rules'), 'outbound to x@bank.example : sign or plain\n')
    write(a.path('logins'), 'robot @example.com\n')
    write(a.path('rules'), RULES)
    a.set_conf('authority file "%s"\n' % a.path('logins'))
    a.must('rules', 'check')
    status, sealed, err = b.cmd('seal', '--from', BOB, '--to', ALICE,
                                data=MESSAGE)
    equal(status, 0, 'seal: ' + lib.show(err))
    full, bare = os.path.join(base, 'full'), os.path.join(base, 'bare')
    backup(full, '--with-secret')
    backup(bare)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def backup(out, *more, site=None):
    return (site or a).must('backup', out, *more, '--password-file', words)


def restore(source, *more, password=None):
    return lib.run([lib.POSTSEAL, '-c', a.conf, 'restore', source, *more,
                    '--password-file', password or words])


def restored(source, name):
    d = os.path.join(base, name)
    status, out, err = restore(source, '--dir', d)
    equal(status, 0, 'restore: ' + lib.show(err))
    check(not os.path.exists(d + '.restoring'), 'left over')
    return d, out


def cmd(folder, *args, data=b''):
    return lib.run([lib.POSTSEAL, '-c', os.path.join(
        folder, 'postseal.conf'), *args], data)


def opens(folder, what):
    status, out, err = cmd(folder, 'open', '--from', BOB, '--to', ALICE,
                           data=sealed)
    equal(status, 0, what + ': ' + lib.show(err))
    check(b'for your eyes' in out, what + ': not opened', out, err)


def facts(folder):
    """What the store says of itself, without what commands add."""
    status, out, err = cmd(folder, 'cert', 'list', '--json')
    equal(status, 0, lib.show(err))
    status, keys, err = cmd(folder, 'secret', 'check', '--json')
    equal(status, 0, lib.show(err))
    return sorted((r['sha256'], r['has_key'], r['is_anchor'], r['state'])
                  for r in json.loads(out)), json.loads(keys)


@test
def everything_comes_back_in_another_folder():
    d, out = restored(full, 'whole')
    check(b'private keys open with the secret' in out, 'said', out)
    equal(facts(d), facts(a.dir), 'certificates and keys')
    opens(d, 'with the restored one')
    status, out, err = cmd(d, 'seal', '--from', ALICE, '--to', BOB,
                           data=MESSAGE.replace(b'bob@example.org',
                                                b'alice@example.com', 1))
    equal(status, 0, lib.show(err))
    check(b'for your eyes' not in out, 'not sealed', out)
    # Its paths are relative now, and all of it is there.
    text = read(os.path.join(d, 'postseal.conf')).decode()
    check(a.dir + '/keystore' not in text and a.dir + '/rules' not in text,
          'paths', text)
    status, out, err = cmd(d, 'rules', 'explain', '--from', ALICE, '--to',
                           'teller@other.example')
    equal(status, 0, lib.show(err))
    for x in (b'banks', b'encrypt'):
        check(x in out, 'the list is not used', out)
    equal(sorted(os.listdir(d)), [
        'authority', 'file-004', 'file-005', 'keystore.db',
        'keystore.db-shm', 'keystore.db-wal', 'postseal.conf', 'rules',
        'secret', 'spool'], 'files')
    for name, mode in (('secret', 0o600), ('keystore.db', 0o640),
                       ('spool', 0o700), ('rules', 0o644)):
        equal(os.stat(os.path.join(d, name)).st_mode & 0o7777, mode, name)
    if os.getuid() == 0:
        uid = pwd.getpwnam(lib.MILTER_USER).pw_uid
        for name in ('keystore.db', 'keystore.db-wal', 'keystore.db-shm',
                     'spool', 'secret'):
            equal(os.stat(os.path.join(d, name)).st_uid, uid, name)
        equal(os.stat(os.path.join(d, 'rules')).st_uid, 0, 'rules')
    status, out, _ = cmd(d, 'audit', '--all')
    check(b'restore' in out and b'make backup' in out, 'notes', out)


@test
def without_the_secret_that_is_said():
    out = backup(os.path.join(base, 'said'))
    check(b'not in it: the secret' in out, 'backup', out)
    d, out = restored(bare, 'without')
    check(b'the secret was not in the backup' in out, 'restore', out)
    check(not os.path.exists(os.path.join(d, 'secret')), 'a secret')
    status, _, err = cmd(d, 'secret', 'check')
    equal(status, 78, lib.show(err))
    shutil.copy(a.path('secret'), os.path.join(d, 'secret'))
    os.chmod(os.path.join(d, 'secret'), 0o600)
    opens(d, 'with the secret put there')


@test
def A64_neither_beside_the_keystore_nor_readable_nor_over_a_file():
    """attack A64: the backup where what destroys the keystore takes it, or
    where others read it
    verdict: refused unless asked for; nobody but its owner reads it"""
    status, _, err = a.cmd('backup', a.path('x'), '--password-file', words)
    check(status == 73 and b'--beside' in err, 'beside', err)
    backup(a.path('x'), '--beside')
    os.unlink(a.path('x'))
    status, _, err = a.cmd('backup', full, '--password-file', words)
    check(status == 73 and b'is there already' in err, 'overwritten', err)
    equal(os.stat(full).st_mode & 0o7777, 0o600, 'mode')
    check(not glob.glob(base + '/*.unfinished'), 'left over')
    whole = read(full)
    for x in (read(a.path('secret')).strip(), b'example.com', b'SQLite',
              b'correct horse'):
        check(x not in whole, 'in clear: %r' % x)
    os.symlink('/nonexistent', os.path.join(base, 'to'))
    status, _, err = a.cmd('backup', os.path.join(base, 'to'),
                           '--password-file', words)
    check(status != 0 and not os.path.exists('/nonexistent'), 'link', err)
    empty = os.path.join(base, 'empty-words')
    write(empty, '\n')
    status, _, err = a.cmd('backup', os.path.join(base, 'e'),
                           '--password-file', empty)
    check(status == 65 and b'want 8 octets' in err, 'empty', err)


@test
def standard_output_and_a_list():
    status, out, err = a.cmd('backup', '-', '--password-file', words)
    equal(status, 0, lib.show(err))
    path = os.path.join(base, 'piped')
    with open(path, 'wb') as f:
        f.write(out)
    out = a.must('backup', '--list', path, '--password-file', words)
    for name in (b'keystore.db', b'postseal.conf.orig', b'rules',
                 b'authority', a.path('lists/banks').encode()):
        check(name in out, name.decode(), out)
    check(b'\nsecret ' not in out, 'a secret', out)
    out = a.must('backup', '--verify', path, '--password-file', words)
    check(b'whole: every octet' in out, 'verify', out)


def damaged():
    """(what, octets, what is said)"""
    x = read(full)
    one, two = x[HEAD:HEAD + CHUNK], x[HEAD + CHUNK:HEAD + 2 * CHUNK]
    rest = x[HEAD + 2 * CHUNK:]
    middle = bytearray(x)
    middle[HEAD + CHUNK + 5000] ^= 4
    last = bytearray(x)
    last[-1] ^= 1
    return [
        ('empty', b'', b'not a backup'),
        ('text', b'#' * 5000, b'not a backup'),
        ('future version', x[:8] + struct.pack('>I', 2) + x[12:],
         b'version 2'),
        ('endless scrypt', x[:12] + struct.pack('>I', 40) + x[16:],
         b'costs of scrypt'),
        ('head alone', x[:HEAD], b'cut short'),
        ('a chunk', x[:HEAD + CHUNK], b'cut short'),
        ('an octet less', x[:-1], b'cut short'),
        ('an octet more', x + b'x', b'behind its end'),
        ('a bit in the middle', bytes(middle), b'damaged in chunk 2'),
        ('a bit at the end', bytes(last), b'damaged'),
        ('chunks exchanged', x[:HEAD] + two + one + rest,
         b'not at its place'),
        ('a chunk twice', x[:HEAD] + one + one + rest,
         b'not at its place'),
        ('a chunk missing', x[:HEAD] + one + rest, b'not at its place'),
    ]


@test
def A64_what_is_damaged_changes_nothing():
    """attack A64: a backup that was cut, changed, mixed, made for a program
    of tomorrow, or to cost all memory
    verdict: a clear sentence; nothing is made or changed"""
    bad = os.path.join(base, 'bad')
    before = sorted(os.listdir(base) + ['bad'])
    now = {n: read(a.path(n)) for n in ('rules', 'secret', 'postseal.conf')}
    for what, octets, wanted in damaged():
        with open(bad, 'wb') as f:
            f.write(octets)
        for args in (['restore', bad, '--dir', os.path.join(base, 'd')],
                     ['backup', '--verify', bad],
                     ['restore', bad, '--replace', '--yes']):
            status, _, err = a.cmd(*args, '--password-file', words)
            check(status in (65, 78), what + ': exit status', status, err)
            check(wanted in err, what, err)
            equal(sorted(os.listdir(base)), before, what)
    for n, text in now.items():
        equal(read(a.path(n)), text, n)
    check(not glob.glob(a.path('*.restoring*')), 'left over')
    os.unlink(bad)
    wrong = os.path.join(base, 'wrong')
    write(wrong, 'correct house\n')
    status, _, err = restore(full, '--dir', os.path.join(base, 'd'),
                             password=wrong)
    check(status == 78 and b'wrong passphrase' in err, 'passphrase', err)


@test
def A64_where_it_may_be_restored_to():
    """attack A64: a link, or somebody else's folder, where the files go
    verdict: not followed"""
    d = os.path.join(base, 'target')
    os.makedirs(d)
    write(os.path.join(d, 'mine'), 'x')
    status, _, err = restore(full, '--dir', d)
    check(status == 73 and b'not empty' in err, 'not empty', err)
    os.unlink(os.path.join(d, 'mine'))
    victim = os.path.join(base, 'victim')
    os.makedirs(victim)
    write(os.path.join(victim, 'secret'), 'precious')
    os.symlink(victim, d + '.restoring')
    status, _, err = restore(full, '--dir', d)
    check(status == 73 and b'not from an earlier' in err, 'link', err)
    equal(os.listdir(victim), ['secret'], 'victim')
    os.unlink(d + '.restoring')
    link = os.path.join(base, 'link')
    os.symlink(victim, link)
    status, _, err = restore(full, '--dir', link)
    check(status == 73, 'a link as folder', err)
    if os.getuid() == 0:
        os.makedirs(d + '.restoring')
        os.chown(d + '.restoring', 12345, 12345)
        status, _, err = restore(full, '--dir', d)
        check(status == 73 and b'not from an earlier' in err, 'owner', err)
        os.rmdir(d + '.restoring')
    status, _, err = restore(full, '--dir', d)
    equal(status, 0, 'an empty folder: ' + lib.show(err))
    equal(read(os.path.join(victim, 'secret')), b'precious', 'victim')


@test
def consistent_while_others_write():
    """Each record is written whole, before or after the copy."""
    argv = [lib.POSTSEAL, '-c', a.conf, 'open', '--from', BOB, '--to', ALICE]
    for i in range(4):
        writers = []
        for _ in range(3):
            p = subprocess.Popen(argv, stdin=subprocess.PIPE,
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
            p.stdin.write(sealed)
            p.stdin.close()
            writers.append(p)
        path = os.path.join(base, 'busy%d' % i)
        backup(path)
        a.must('backup', '--verify', path, '--password-file', words)
        for p in writers:
            equal(p.wait(300), 0, 'a writer')


@test
def over_the_configured_files_and_back():
    source = os.path.join(base, 'earlier')
    backup(source, '--with-secret')
    before = facts(a.dir)
    rules = read(a.path('rules'))
    a.must('secret', 'rotate')
    changed = read(a.path('secret'))
    a.must('cert', 'remove', ALICE, '--yes')
    write(a.path('rules'), 'outbound : sign or plain\ninbound : decrypt\n')
    status, _, err = restore(source, '--replace')
    check(status == 64 and b'--yes' in err, 'unasked', err)
    a.start()
    status, _, err = restore(source, '--replace', '--yes')
    check(status == 75 and b'stop postseal-milter' in err, 'in use', err)
    check(not glob.glob(a.path('*.restoring*')), 'left over')
    check(not glob.glob(a.path('*.before-*')), 'something was replaced')
    a.stop()
    status, out, err = restore(source, '--replace', '--yes')
    equal(status, 0, lib.show(err))
    equal(facts(a.dir), before, 'certificates and keys')
    equal(read(a.path('rules')), rules, 'rules')
    opens(a.dir, 'afterwards')
    old = glob.glob(a.path('secret.before-*'))
    equal(len(old), 1, 'the old secret')
    equal(read(old[0]), changed, 'its content')
    equal(os.stat(old[0]).st_mode & 0o777, 0o600, 'its mode')
    killing.store_is_whole(glob.glob(a.path('keystore.db.before-*'))[0])
    a.start()
    check('key-left-out' not in a.milter_log(), 'log', a.milter_log())
    a.stop()
    for x in glob.glob(a.path('*.before-*')) + glob.glob(
            a.path('lists/*.before-*')):
        os.unlink(x)


@test
def A64_a_link_in_the_place_of_what_is_replaced():
    """attack A64: while root reads a long backup, who may write in the
    folder puts a link to what root alone reads into the place of a file, to
    get its content as the file of before
    verdict: the link is not followed; what is copied is the file that was
    looked at"""
    precious = os.path.join(base, 'precious')
    write(precious, 'of root alone')
    whole = read(full)
    p = subprocess.Popen(
        [lib.POSTSEAL, '-c', a.conf, 'restore', '-', '--replace', '--yes',
         '--password-file', words], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    p.stdin.write(whole[:HEAD + CHUNK])
    p.stdin.flush()
    lib.wait_for(lambda: os.path.exists(a.path('rules.restoring')),
                 'the first files')
    os.rename(a.path('rules'), a.path('rules.mine'))
    os.symlink(precious, a.path('rules'))
    _, err = p.communicate(whole[HEAD + CHUNK:], timeout=300)
    for x in glob.glob(a.path('*.before-*')):
        check(b'of root alone' not in read(x), 'copied: ' + x)
        if not x.startswith(a.path('keystore')):
            os.unlink(x)
    check(p.returncode != 0 and b'symbolic links' in err, 'status',
          p.returncode, err)
    os.rename(a.path('rules.mine'), a.path('rules'))
    check(not glob.glob(a.path('*.restoring*')), 'left over')


@test
def A64_no_new_file_in_a_folder_that_is_not_ours_alone():
    """attack A64: a backup by somebody who knows the passphrase, with a file
    more, for /etc, because the configuration is right below it
    verdict: refused; only below a folder of the configuration's own is made
    what is not there now"""
    other = lib.Site(os.path.join(base, 'top'), 'example.net')
    top = '/tmp/postseal-top-%d' % os.getpid()
    conf, more = top + '.conf', top + '.rules'
    try:
        shutil.copy(other.conf, conf)
        write(more, 'outbound to x@bank.example : sign or plain\n')
        rules = read(other.path('rules')).decode()
        write(other.path('rules'), 'include "%s"\n' % more + rules)
        out = os.path.join(base, 'top.backup')
        args = ['--password-file', words]
        lib.must_run([lib.POSTSEAL, '-c', conf, 'backup', out] + args)
        replace = [lib.POSTSEAL, '-c', conf, 'restore', out, '--replace',
                   '--yes'] + args
        lib.must_run(replace)
        write(other.path('rules'), rules)
        os.unlink(more)
        status, _, err = lib.run(replace)
        check(status == 78 and b'no place' in err, 'made', status, err)
        check(not os.path.exists(more), 'made')
    finally:
        for x in glob.glob(top + '*'):
            os.unlink(x)


@test
def A64_a_database_is_not_opened_as_root_unasked():
    """attack A64: a backup by somebody who knows the passphrase, whose
    configuration names no user, or is none, so that root itself opens the
    database in it
    verdict: refused before it is opened; --user says whose it is to be"""
    if os.getuid() != 0:
        raise lib.Skip('needs root')
    other = lib.Site(os.path.join(base, 'nouser'), 'example.net')
    text = read(other.conf).decode()
    write(other.conf, ''.join(x for x in text.splitlines(True)
                              if 'user ' not in x))
    out = os.path.join(base, 'nouser.backup')
    backup(out, site=other)
    d = os.path.join(base, 'nouser.d')
    status, _, err = restore(out, '--dir', d)
    check(status == 64 and b'--user' in err, 'no user', status, err)
    check(not os.path.exists(d + '.restoring'), 'left over')
    status, _, err = restore(out, '--dir', d, '--user', lib.MILTER_USER)
    equal(status, 0, lib.show(err))
    equal(os.stat(os.path.join(d, 'keystore.db')).st_uid,
          pwd.getpwnam(lib.MILTER_USER).pw_uid, 'owner')


@test
def A61_A64_nothing_is_parsed_in_the_group_of_root():
    """attack A61, A64: a parser is taken over in a command of root, and the
    keystore is in the group of root, as "chown USER" alone leaves it
    verdict: the command has the group of the user, not root's"""
    if os.getuid() != 0:
        raise lib.Skip('needs root')
    other = lib.Site(os.path.join(base, 'group'), 'example.net')
    os.chown(other.path('keystore.db'), -1, 0)
    p = subprocess.Popen(
        [lib.POSTSEAL, '-c', other.conf, 'cert', 'import', '-'],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL)
    status = '/proc/%d/status' % p.pid
    lib.wait_for(lambda: b'Seccomp:\t2' in read(status), 'the sandbox')
    group = pwd.getpwnam(lib.MILTER_USER).pw_gid
    for line in read(status).decode().splitlines():
        if line.startswith(('Gid:', 'Groups:')):
            equal({int(x) for x in line.split()[1:]}, {group}, line)
    p.communicate(b'')


@test
def A64_roots_keystore_in_a_folder_of_another():
    """attack A64: a taken-over service puts a file that belongs to root into
    the place of the keystore, and a log of its own beside it, so that the
    commands of root stay root
    verdict: refused, nothing of it is opened"""
    if os.getuid() != 0:
        raise lib.Skip('needs root')
    other = lib.Site(os.path.join(base, 'mixed'), 'example.net')
    db = other.path('keystore.db')
    for owner, status in ((0, 78), (pwd.getpwnam(lib.MILTER_USER).pw_uid,
                                    0)):
        os.chown(db, owner, -1)
        got, _, err = other.cmd('cert', 'list')
        equal(got, status, lib.show(err))
        check(status == 0 or b'choose what root opens' in err, 'text', err)
    os.chown(other.dir, 0, 0)
    os.chown(db, 0, 0)
    other.must('cert', 'list')


@test
def another_configuration_is_not_replaced():
    other = lib.Site(os.path.join(base, 'c'), 'example.net')
    before = read(other.path('keystore.db'))
    status, _, err = other.cmd('restore', full, '--replace', '--yes',
                               '--password-file', words)
    check(status == 78 and b'(--dir)' in err, 'paths', err)
    equal(read(other.path('keystore.db')), before, 'the keystore')


if __name__ == '__main__':
    lib.main(setup)
