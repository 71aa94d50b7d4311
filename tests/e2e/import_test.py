#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""cert import and key import: every shape in one folder, thousands in one
run, all or nothing, lists of passwords, the sandbox, and what a kill at any
step leaves. The certificates are made by tests/bench/manycerts and
openssl."""
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import termios
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import killing  # noqa: E402
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

MANY = os.path.join(lib.BUILD, 'tests', 'bench', 'manycerts')
base = None
number = 0


def setup():
    global base
    lib.need('openssl')
    if not os.path.exists(MANY):
        raise lib.Skip('%s: not built; make bench-tools' % MANY)
    base = lib.temporary('import')


def site():
    """A new one."""
    global number
    number += 1
    return lib.Site(os.path.join(base, 'site%d' % number), 'example.com')


def db(s):
    return s.path('keystore.db')


def folder(name):
    """A new empty one."""
    d = os.path.join(base, '%s-%d' % (name, number))
    os.makedirs(d)
    return d


def many(form, first, count, to):
    lib.must_run([MANY, form, str(first), str(count), to])


def put(path, data):
    with open(path, 'wb') as f:
        f.write(data)


def get(path):
    with open(path, 'rb') as f:
        return f.read()


def summary(s, *argv, status=0, data=b''):
    """An import's JSON."""
    code, out, err = s.cmd(*argv, '--json', data=data)
    equal(code, status, lib.show(err))
    return json.loads(out)


def counts(j):
    return tuple(j[k] for k in ('files', 'added', 'known', 'keys',
                                'skipped'))


def certs(s):
    return killing.rows(db(s), 'cert')


def p12(to, address, password, *more):
    """Key and certificate of an address."""
    key, crt = to + '.key', to + '.crt'
    lib.must_run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                  'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
                  '-out', crt, '-days', '90', '-subj', '/CN=' + address,
                  '-addext', 'subjectAltName=email:' + address,
                  '-addext', 'basicConstraints=CA:FALSE'])
    lib.must_run(['openssl', 'pkcs12', '-export', '-inkey', key, '-in', crt,
                  '-out', to, '-passout', 'stdin', *more],
                 password.encode() + b'\n')
    os.remove(key)
    os.remove(crt)


# ---- shapes ----

@test
def a_folder_of_every_shape():
    s, d = site(), folder('shapes')
    sub = os.path.join(d, 'deeper', 'still')
    os.makedirs(sub)
    many('pem', 0, 3, os.path.join(d, 'bundle.txt'))
    many('ldif', 10, 3, os.path.join(d, 'people'))
    many('folder', 20, 2, sub)
    one = os.path.join(d, 'one.pem')
    many('pem', 30, 1, one)
    lib.must_run(['openssl', 'crl2pkcs7', '-nocrl', '-certfile', one,
                  '-outform', 'DER', '-out', os.path.join(d, 'p7')])
    p12(os.path.join(d, 'alice'), 'alice@example.com', 'secret')
    put(os.path.join(d, 'photo.cer'), b'\xff\xd8\xff\xe0\0\x10JFIF\0')
    put(os.path.join(d, '.hidden'), b'not looked at')
    put(os.path.join(base, 'outside.pem'), b'not looked at')
    os.symlink(os.path.join(base, 'outside.pem'), os.path.join(d, 'link'))
    os.symlink(d, os.path.join(d, 'again'))
    put(os.path.join(d, 'esc\x1b[31m'), b'junk\n')
    password = os.path.join(base, 'password')
    put(password, b'secret\n')
    j = summary(s, 'cert', 'import', d, '--password-file', password,
                status=65)
    equal(counts(j), (9, 10, 1, 1, 2), j)
    reasons = {os.path.basename(x['file']): x['reason']
               for x in j['skipped_objects']}
    check('JPEG' in reasons['photo.cer'], 'photo', reasons)
    check('esc?[31m' in reasons, 'controls in a name', reasons)
    equal(certs(s), 10, 'certificates')
    j = summary(s, 'cert', 'import', d, '--password-file', password,
                status=65)
    equal(counts(j), (9, 0, 11, 1, 2), 'again')


@test
def folders_within_folders_end():
    s, d = site(), folder('deep')
    deep = os.path.join(d, *['x'] * 20)
    os.makedirs(deep)
    many('folder', 0, 1, deep)
    many('folder', 1, 1, d)
    status, out, err = s.cmd('cert', 'import', d)
    equal(status, 65, err)
    check(b'too many folders within folders' in err, 'not named', err)
    check(b'1 certificate added' in out, 'the other', out)


@test
def S60_certificates_for_tls_are_kept_but_not_used():
    s, d = site(), folder('tls')
    pem = os.path.join(d, 'x.pem')
    lib.must_run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                  'ec_paramgen_curve:P-256', '-nodes', '-keyout',
                  os.path.join(d, 'x.key'), '-out', pem, '-subj', '/CN=mx',
                  '-addext', 'extendedKeyUsage=serverAuth', '-addext',
                  'subjectAltName=email:x@example.com', '-addext',
                  'basicConstraints=CA:FALSE'])
    out = s.must('cert', 'import', pem)
    check(b'for TLS only, not used for mail' in out, 'no word', out)
    equal(json.loads(s.must('cert', 'list', '--json'))[0]['use'], [],
          'use')


# ---- all or nothing ----

@test
def strict_and_dry_run_change_nothing():
    s, d = site(), folder('strict')
    many('folder', 0, 5, d)
    put(os.path.join(d, '000002.cer.bad'), b'junk\n')
    before = killing.rows(db(s), 'change')
    j = summary(s, 'cert', 'import', d, '--strict', status=65)
    equal(counts(j), (6, 5, 0, 0, 1), j)
    equal((j['stored'], j['dry_run']), (False, False), 'stored')
    equal(certs(s), 0, 'after --strict')
    j = summary(s, 'cert', 'import', d, '--dry-run', status=65)
    equal((counts(j), j['stored'], j['dry_run']),
          ((6, 5, 0, 0, 1), False, True), 'dry run')
    equal(certs(s), 0, 'after --dry-run')
    equal(killing.rows(db(s), 'change'), before, 'notes of changes')
    status, out, err = s.cmd('cert', 'import', d, '--dry-run')
    check(b'would be imported' in out and b'would be: 6 files' in out,
          'what would be', out, err)
    status, out, err = s.cmd('cert', 'import', d, '--quiet')
    equal((status, out), (65, b''), err)
    check(b'.bad: ' in err, 'what is wrong is said', err)
    equal(certs(s), 5, 'without')


# ---- many ----

@test
def thousands_in_one_run_and_again():
    """More files than are opened at once, for root alone to read."""
    s, d = site(), folder('many')
    n = 300 if lib.SANITIZER else 1700
    many('folder', 0, n, d)
    for f in os.listdir(d):
        os.chmod(os.path.join(d, f), 0o600)
    shutil.copy(os.path.join(d, '000007.cer'), os.path.join(d, 'twice'))
    j = summary(s, 'cert', 'import', d)
    equal(counts(j), (n + 1, n, 1, 0, 0), j)
    equal(killing.rows(db(s), 'cert_address'), n, 'addresses')
    equal(killing.rows(db(s), "SELECT 1 FROM change WHERE action ="
                       " 'add certificate'"), n, 'notes')
    out = s.must('cert', 'import', d)
    equal(out, b'%d files, 0 certificates added, %d known, 0 keys, '
          b'0 skipped\n' % (n + 1, n + 1), 'again')


def long_ldif(path, size):
    """A certificate, photos, a certificate."""
    many('ldif', 0, 1, path)
    many('ldif', 1, 1, path + '.end')
    photo = b'dn: cn=x\njpegPhoto::\n' + b' ' + b'A' * 70 + b'\n'
    photo += (b' ' + b'A' * 70 + b'\n') * 4000 + b'\n'
    with open(path, 'ab') as f:
        while f.tell() < size:
            f.write(photo)
        f.write(get(path + '.end'))
    os.remove(path + '.end')


@test
def A57_files_larger_than_what_is_held():
    """attack A57: a file of 70 MiB that is LDIF, and one that is nothing
    verdict: LDIF is read in pieces, in little memory; the other is refused
    at the cap"""
    s, d = site(), folder('large')
    path = os.path.join(d, 'x.ldif')
    long_ldif(path, 70 << 20)
    out = os.path.join(d, 'out')
    status, peak, err = lib.run_measured(
        [lib.POSTSEAL, '-c', s.conf, 'cert', 'import', '-'], path, out)
    equal(status, 0, err)
    check(b'2 certificates added' in get(out), 'sum', get(out))
    if not lib.SANITIZER:
        check(peak < 40 * 1024, 'peak of %d KiB' % peak)
    os.truncate(path, 0)
    os.truncate(path, 70 << 20)
    status, _, err = s.cmd('cert', 'import', path)
    equal(status, 65, err)
    check(b'more than 67108864 octets' in err, 'not refused by size', err)
    os.remove(path)


# ---- a terminal ----

def on_terminal(argv, answer=None, until=b'Password of '):
    """Run with a terminal; -> (exit status, all that was shown)."""
    pid, fd = lib.fork_on_terminal()
    if pid == 0:
        os.execv(argv[0], argv)
    shown, end = b'', time.monotonic() + 300
    while time.monotonic() < end:
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            more = os.read(fd, 65536)
        except OSError:
            break
        if not more:
            break
        shown += more
        if answer is not None and until in shown:
            # what is typed before the echo is off is thrown away
            lib.wait_for(lambda: not termios.tcgetattr(fd)[3] & termios.ECHO,
                         'no echo')
            os.write(fd, answer + b'\n')
            answer = None
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return os.waitstatus_to_exitcode(status), shown


@test
def progress_is_for_terminals():
    s, d = site(), folder('progress')
    many('folder', 0, 3000, d)
    argv = [lib.POSTSEAL, '-c', s.conf, 'cert', 'import', d]
    status, shown = on_terminal(argv)
    equal(status, 0, shown)
    for what in (b' of 3000 files, ', b' certificates, ', b'/s',
                 b' s left'):
        check(what in shown, 'no %s' % what, shown)
    status, shown = on_terminal(argv + ['--quiet'])
    equal((status, shown), (0, b''), 'quiet')
    status, _, err = s.cmd('cert', 'import', d)
    equal((status, err), (0, b''), 'no terminal')


@test
def a_password_is_asked_for_in_the_sandbox():
    s, d = site(), folder('ask')
    f = os.path.join(d, 'alice.p12')
    p12(f, 'alice@example.com', 'open sesame')
    argv = [lib.POSTSEAL, '-c', s.conf, 'key', 'import', f]
    status, shown = on_terminal(argv, b'wrong')
    equal(status, 65, shown)
    check(b'does not open with this password' in shown, 'wrong', shown)
    status, shown = on_terminal(argv, b'open sesame')
    equal(status, 0, shown)
    check(b'1 file, 1 certificate added, 0 known, 1 key, 0 skipped' in
          shown, 'sum', shown)
    check(b'open sesame' not in shown, 'echo', shown)


# ---- passwords ----

@test
def A64_list_of_passwords():
    """attack A64: a list of passwords that others may read, or a link to it
    verdict: refused before anything is read"""
    s, d = site(), folder('company')
    names = ['anna', 'bert', 'carl', 'dora']
    for n in names:
        p12(os.path.join(d, n + '@example.com.p12'), n + '@example.com',
            'pw of ' + n)
    # The address of somebody else.
    p12(os.path.join(d, 'emil@example.com.p12'), 'other@example.com',
        'pw of emil')
    p12(os.path.join(d, 'open.p12'), 'open@example.com', '')
    lines = os.path.join(base, 'list')
    text = 'anna@example.com.p12\tpw of anna\n' \
        'BERT@example.com\tpw of bert\n' \
        'carl@example.com\tpw of carl\n' \
        'emil@example.com\tpw of emil\n' \
        'fritz@example.com\tpw of fritz\n'
    put(lines, text.encode())
    os.chmod(lines, 0o644)
    status, _, err = s.cmd('key', 'import', d, '--password-list', lines)
    equal(status, 78, err)
    os.chmod(lines, 0o600)
    link = os.path.join(base, 'list-link')
    os.symlink(lines, link)
    status, _, err = s.cmd('key', 'import', d, '--password-list', link)
    equal(status, 78, err)
    equal(certs(s), 0, 'nothing was read')
    put(lines, text.replace('BERT', 'bert').encode())
    status, out, err = s.cmd('key', 'import', d, '--password-list', lines)
    equal(status, 65, err)
    check(b'dora@example.com.p12: PKCS#12: encrypted, and no line for it' in
          err, 'missing line', err)
    check(b'its certificate is not for emil@example.com' in err,
          'another address', err)
    check(b'list:5: fritz@example.com: no such file' in err, 'unused', err)
    check(b'pw of' not in err + out, 'a password is shown', err, out)
    # and that of the quarantine
    equal(killing.rows(db(s), 'key'), 5, 'keys')
    for bad in (b'no tab here\n', b'a\tx\na\ty\n', b'', b'a\tx\0y\n'):
        put(lines, bad)
        status, _, err = s.cmd('key', 'import', d, '--password-list', lines)
        check(status in (65, 78), 'list %r' % bad, err)


# ---- the sandbox ----

def seccomp(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as f:
        for line in f:
            if line.startswith('Seccomp:'):
                return line.split()[1]
    return None


@test
def A61_what_is_brought_is_parsed_in_a_sandbox():
    """attack A61: a fault in the parsers of certificates and PKCS#12
    verdict: they run behind a filter of system calls, not as root"""
    s, d = site(), folder('sandbox')
    many('pem', 0, 1, os.path.join(d, 'x'))
    for verb in ('cert', 'key'):
        p = subprocess.Popen(
            [lib.POSTSEAL, '-c', s.conf, verb, 'import', '-'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        lib.wait_for(lambda: seccomp(p.pid) == '2', 'the sandbox')
        if os.getuid() == 0:
            check(os.stat('/proc/%d' % p.pid).st_uid != 0 or
                  os.stat(db(s)).st_uid == 0, 'root')
        out, err = p.communicate(get(os.path.join(d, 'x')), timeout=300)
        equal(p.returncode, 0 if verb == 'cert' else 65, lib.show(err))
        if verb == 'cert':
            check(b'1 certificate added' in out, 'sum', out)


# ---- killed ----

@test
def killed_at_any_step():
    killing.need()
    s, d = site(), folder('killed')
    many('folder', 0, 20, d)
    two = os.path.join(d, '000003.cer')
    many('pem', 50, 3, two)
    argv = [lib.POSTSEAL, '-c', s.conf, 'cert', 'import', d]
    seen = set()
    for r in killing.each(argv, s.dir, most=40):
        killing.store_is_whole(db(s), r.where())
        n = certs(s)
        seen.add(n)
        # One transaction here; 3 of one file are never apart.
        check(n in (0, 22), '%s: %d certificates' % (r.where(), n))
        equal(counts(summary(s, 'cert', 'import', d)),
              (20, 22 - n, n, 0, 0), r.where())
        equal(certs(s), 22, 'afterwards')
        equal(killing.rows(db(s), 'SELECT 1 FROM change WHERE action ='
                           " 'add certificate'"), 22, 'notes')
    check(0 in seen, 'nothing was killed early', seen)


@test
def killed_between_batches_and_resumed():
    """Only whole batches of files are there; what is left is done."""
    s, d = site(), folder('resumed')
    n = 2600
    many('folder', 0, n, d)
    argv = [lib.POSTSEAL, '-c', s.conf, 'cert', 'import', d]
    p = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    lib.wait_for(lambda: certs(s) > 0 or p.poll() is not None, 'a batch',
                 every=0.01)
    p.send_signal(signal.SIGKILL)
    p.wait()
    killing.store_is_whole(db(s))
    there = certs(s)
    check(there in (1000, 2000, n), '%d certificates' % there)
    j = summary(s, 'cert', 'import', d)
    equal(counts(j), (n, n - there, there, 0, 0), j)


if __name__ == '__main__':
    lib.main(setup)
