#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""postseal ca, judged by the openssl program: what it makes verifies, what
it revokes does not, its certificates speak TLS, its key has a passphrase."""
import json
import os
import re
import select
import sqlite3
import subprocess
import sys
import termios

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE = 'alice@example.com'
PASS, OTHER = 'correct horse battery', 'staple staple staple'
base = site = None


def setup():
    global base, site
    base = lib.temporary()
    put('pass', PASS)
    put('other', OTHER)
    site = new_site('site')
    site.must('ca', 'init', '--name', 'Office', '--password-file',
              at('pass'), '--crl-url', 'http://pki.example.com/ca.crl')


def at(name):
    return os.path.join(base, name)


def put(name, text):
    with open(at(name), 'w', encoding='utf-8') as f:
        f.write(text + '\n')
    return at(name)


def folder(name):
    os.mkdir(at(name), 0o700)
    return at(name)


def new_site(name):
    return lib.Site(at(name), 'example.com')


def ca(*argv, of=None):
    return (of or site).must('ca', *argv, '--password-file', at('pass'))


def refused(status, text, *argv, of=None):
    found, out, err = (of or site).cmd(*argv)
    equal(found, status, ' '.join(argv) + lib.show(err))
    check(text in err, '%s does not say "%s"' % (argv, text), err, out)


def openssl(*argv, data=b'', ok=True):
    status, out, err = lib.run(['openssl', *argv], data)
    check((status == 0) == ok, 'openssl %s: exit status %d' %
          (' '.join(argv), status), err, out)
    return out + err


def certificates(pem):
    """The certificates of a PEM file, each to a file of its own."""
    with open(pem, encoding='ascii') as f:
        found = re.findall('-----BEGIN CERTIFICATE-----.*?'
                           '-----END CERTIFICATE-----', f.read(), re.S)
    return [put('%s.%d' % (os.path.basename(pem), i), c)
            for i, c in enumerate(found)]


def chain(sha, of=None):
    """Leaf, issuing CA and root of a certificate of the keystore."""
    out = at(sha[:16] + '.chain')
    if not os.path.exists(out):
        lib.must_run(['touch', out])
        os.chmod(out, 0o666)
        with open(out, 'wb') as f:
            f.write((of or site).must('cert', 'export', '--chain', sha))
    return certificates(out)


def newest(kind='mail', of=None):
    rows = json.loads((of or site).must('ca', 'list', '--json'))
    rows = [r for r in rows if r['kind'] == kind and not r['revoked']]
    rows = {r['sha256']: r for r in rows}
    certs = json.loads((of or site).must('cert', 'list', '--json'))
    return [c for c in certs if c['sha256'] in rows][-1]['sha256']


def verify(files, purpose, *more, ok=True):
    return openssl('verify', '-x509_strict', '-purpose', purpose, *more,
                   '-CAfile', files[2], '-untrusted', files[1], files[0],
                   ok=ok)


@test
def S125_S128_openssl_is_strict_and_content():
    for i, algorithm in enumerate(('ec:p256', 'ec:p384', 'rsa:3072')):
        s = new_site('strict%d' % i)
        s.must('ca', 'init', '--no-passphrase', '--algorithm', algorithm)
        out = folder('strict-out%d' % i)
        for key, use, purposes in (
                ('rsa:2048', 'both', ('smimesign', 'smimeencrypt')),
                ('rsa:3072', 'sign', ('smimesign',)),
                ('rsa:2048', 'encrypt', ('smimeencrypt',)),
                # openssl wants keyEncipherment to encrypt, which an EC key
                # does not do
                ('ec:p256', 'both', ('smimesign',)),
                ('ec:p384', 'sign', ('smimesign',))):
            s.must('ca', 'issue', '--email', ALICE, '--algorithm', key,
                   '--use', use)
            files = chain(newest(of=s), of=s)
            equal(len(files), 3, 'certificates of the chain')
            for purpose in purposes:
                verify(files, purpose)
            verify(files, 'sslserver', ok=False)
        s.must('ca', 'issue', '--tls-server', 'mx.example.com', '--out', out)
        s.must('ca', 'issue', '--tls-client', 'relay.example.com', '--out',
               out)
        verify(certificates(out + '/mx.example.com.pem'), 'sslserver')
        verify(certificates(out + '/relay.example.com.pem'), 'sslclient')
        verify(certificates(out + '/mx.example.com.pem'), 'smimesign',
               ok=False)
        # the two CAs by themselves
        openssl('verify', '-x509_strict', '-CAfile', files[2], files[2])
        openssl('verify', '-x509_strict', '-CAfile', files[2], files[1])


@test
def our_own_certificates_are_advised_nothing_but_gpgsm():
    ca('issue', '--email', ALICE)
    rows = json.loads(site.must('cert', 'check', '--json', ALICE))
    codes = {w['code'] for r in rows for w in r['warnings']}
    equal(codes, {'name-constraints'}, 'warnings')
    text = site.must('cert', 'check', ALICE).decode()
    check('  warning: name constraints' in text and '[GnuPG]' in text,
          'no warning', text)


@test
def S125_S127_S128_cert_check_warns_and_says_who():
    s = new_site('advised')
    openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout',
            at('r.key'), '-out', at('r.pem'), '-subj', '/CN=Root', '-days',
            '30', '-addext', 'keyUsage=keyCertSign')
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('l.key'),
            '-out', at('l.csr'), '-subj', '/CN=Bob')
    put('l.ext', 'subjectAltName=email:bob@example.org')
    openssl('x509', '-req', '-in', at('l.csr'), '-CA', at('r.pem'), '-CAkey',
            at('r.key'), '-days', '1000', '-out', at('l.pem'), '-extfile',
            at('l.ext'))
    s.must('cert', 'trust', at('r.pem'))
    s.must('cert', 'import', at('l.pem'))
    row, = json.loads(s.must('cert', 'check', '--json', 'bob@example.org'))
    equal({w['code']: w['who'] for w in row['warnings']},
          {'no-key-usage': 'Apple Mail', 'no-extended-key-usage': 'Gmail',
           'no-crl-url': 'Gmail', 'long-validity': 'Gmail',
           'no-intermediate': 'Gmail'}, 'warnings')
    # a warning is no verdict
    equal(row['usable'], True, 'usable')


@test
def names_outside_of_our_domains_are_refused_by_name():
    refused(69, b'bob@example.org: outside of the names', 'ca', 'issue',
            '--email', 'bob@example.org', '--password-file', at('pass'))
    out = folder('outside')
    for name in ('mx.example.org', '192.0.2.1'):
        refused(69, b'permitted is @example.com', 'ca', 'issue',
                '--tls-server', 'mx.example.com', '--tls-server', name,
                '--out', out, '--password-file', at('pass'))
    equal(os.listdir(out), [], 'files of what was refused')
    s = new_site('free')
    s.must('ca', 'init', '--no-passphrase', '--permit', 'any')
    s.must('ca', 'issue', '--email', 'bob@example.org')


@test
def tls_that_really_speaks():
    out = folder('tls')
    ca('issue', '--tls-server', 'mx.example.com', '--tls-server',
       '*.example.com', '--out', out)
    ca('issue', '--tls-client', 'relay@example.com', '--out', out)
    for name in os.listdir(out):
        mode = os.stat(os.path.join(out, name)).st_mode & 0o777
        equal(mode, 0o600 if name.endswith('.key') else 0o644, name)
    client = [n for n in os.listdir(out) if n.startswith('relay')]
    client = {os.path.splitext(n)[1]: os.path.join(out, n) for n in client}
    root = certificates(out + '/mx.example.com.pem')[2]
    port = lib.free_port()
    server = subprocess.Popen(
        ['openssl', 's_server', '-accept', '127.0.0.1:%d' % port, '-quiet',
         '-cert', out + '/mx.example.com.pem', '-cert_chain',
         out + '/mx.example.com.pem', '-key', out + '/mx.example.com.key',
         '-CAfile', root, '-Verify', '3', '-verify_return_error',
         '-naccept', '2'],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    try:
        lib.wait_for(lambda: is_bound(port), 's_server')
        said = openssl('s_client', '-connect', '127.0.0.1:%d' % port,
                       '-CAfile', root, '-verify_return_error',
                       '-verify_hostname', 'a.example.com', '-cert',
                       client['.pem'], '-cert_chain', client['.pem'],
                       '-key', client['.key'])
        check(b'Verify return code: 0' in said, 'not verified', said)
    finally:
        server.terminate()
        server.communicate(timeout=120)


def is_bound(port):
    with open('/proc/net/tcp', encoding='ascii') as f:
        return any(line.split()[1].endswith(':%04X' % port) and
                   line.split()[3] == '0A' for line in list(f)[1:])


@test
def A64_no_file_is_written_over():
    out = folder('over')
    argv = ['ca', 'issue', '--tls-server', 'mx.example.com', '--out', out,
            '--password-file', at('pass')]
    site.must(*argv)
    with open(out + '/mx.example.com.key', 'rb') as f:
        key = f.read()
    before = len(json.loads(site.must('ca', 'list', '--json')))
    refused(73, b'is there already', *argv)
    with open(out + '/mx.example.com.key', 'rb') as f:
        check(f.read() == key, 'the key was written over')
    # and nothing that was not handed out was issued
    equal(len(json.loads(site.must('ca', 'list', '--json'))), before,
          'issued')


@test
def revoked_it_is_so_here_and_for_openssl():
    ca('issue', '--email', 'carol@example.com')
    sha = newest()
    files = chain(sha)
    ca('crl', '--root')
    ca('crl')
    site.must('cert', 'check', sha)
    out = ca('revoke', sha, '--reason', 'keyCompromise').decode()
    check('carol@example.com: revoked' in out, 'revoke', out)
    status, out, _ = site.cmd('cert', 'check', sha)
    equal(status, 69, 'cert check of a revoked one')
    check(b'keyCompromise' in out, 'cert check', out)
    crl = put('ca.crl', site.must('ca', 'crl', '--out', '-', '--days', '9',
                                  '--password-file', at('pass')).decode())
    said = verify(files, 'smimesign', '-crl_check', '-CRLfile', crl,
                  ok=False)
    check(b'certificate revoked' in said, 'openssl', said)
    text = openssl('crl', '-in', crl, '-noout', '-text').decode()
    for word in ('Version 2', 'Next Update', 'Authority Key Identifier',
                 'CRL Number', 'Key Compromise'):
        check(word in text, 'no ' + word, text)
    # another one is still good
    ca('issue', '--email', ALICE)
    verify(chain(newest()), 'smimesign', '-crl_check', '-CRLfile', crl)
    der = at('site/ca.der')
    site.must('ca', 'crl', '--der', '--out', der, '--password-file',
              at('pass'))
    openssl('crl', '-inform', 'DER', '-in', der, '-noout')
    listed = site.must('ca', 'list').decode()
    check('REVOKED since ' in listed and 'keyCompromise' in listed, 'list',
          listed)
    refused(65, b'revoked already', 'ca', 'revoke', sha, '--password-file',
            at('pass'))
    refused(64, b'--reason', 'ca', 'revoke', sha, '--reason', 'boredom',
            '--password-file', at('pass'))


@test
def renewed_by_address():
    ca('issue', '--email', 'dave@example.com', '--days', '30', '--use',
       'sign', '--algorithm', 'ec:p384')
    old = newest()
    ca('renew', '--email', 'dave@example.com', '--days', '60', '--new-key',
       '--replace')
    new = newest()
    check(new != old, 'nothing new')
    rows = {r['sha256']: r for r in json.loads(site.must(
        'cert', 'list', '--json', 'dave@example.com'))}
    equal(rows[old]['state'], 'superseded', 'the old one')
    equal((rows[new]['state'], rows[new]['use'], rows[new]['algorithm'],
           rows[new]['has_key']), ('usable', ['sign'], 'ec:p384', True),
          'the new one')
    verify(chain(new), 'smimesign')
    refused(65, b'no certificate for it', 'ca', 'renew', '--email',
            'nobody@example.com', '--password-file', at('pass'))
    refused(64, b'--out DIR', 'ca', 'renew', newest('TLS server'),
            '--password-file', at('pass'))


@test
def a_request_from_elsewhere():
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', at('c.key'),
            '-out', at('c.csr'), '-subj', '/CN=Alice', '-addext',
            'subjectAltName=email:' + ALICE, '-addext',
            'basicConstraints=CA:TRUE')
    refused(65, b'is for alice@example.com, not for', 'ca', 'issue',
            '--email', 'dave@example.com', '--csr', at('c.csr'),
            '--password-file', at('pass'))
    out = folder('csr')
    ca('issue', '--email', ALICE, '--csr', at('c.csr'), '--out', out,
       '--name', 'Alice')
    name, = os.listdir(out)
    files = certificates(os.path.join(out, name))
    verify(files, 'smimesign')
    text = openssl('x509', '-in', files[0], '-noout', '-text').decode()
    check('CA:FALSE' in text and re.search('CN ?= ?Alice', text),
          'certificate', text)
    key = openssl('pkey', '-in', at('c.key'), '-pubout')
    equal(openssl('x509', '-in', files[0], '-pubkey', '-noout'), key, 'key')
    # A62: the same key for a TLS server
    refused(69, b'one key must not serve mail and TLS', 'ca', 'issue',
            '--tls-server', 'mx.example.com', '--csr', at('c.csr'), '--out',
            folder('csr-tls'), '--password-file', at('pass'))


# ---- the passphrase ----


def sealed_keys(of):
    db = sqlite3.connect(of.path('keystore.db'))
    rows = [r[0] for r in db.execute(
        'SELECT sealed FROM key WHERE spki NOT IN '
        '(SELECT spki FROM held_cert)')]
    db.close()
    return rows


@test
def the_passphrase_is_needed_and_can_be_changed():
    s = new_site('pass-change')
    s.must('ca', 'init', '--password-file', at('pass'))
    keys = sealed_keys(s)
    equal([k[:4] for k in keys], [b'PSC\x01'] * 2, 'sealed')
    for k in keys:
        # what is stored is plain PKCS#8 (RFC 5958) behind the magic
        openssl('pkcs8', '-inform', 'DER', '-passin', 'pass:' + PASS,
                data=bytes(k[4:]))
    refused(69, b'does not open with this passphrase', 'ca', 'issue',
            '--email', ALICE, '--password-file', at('other'), of=s)
    refused(65, b'want 8 to 1023', 'ca', 'passphrase', '--password-file',
            at('pass'), '--new-password-file', put('short', 'x'), of=s)
    s.must('ca', 'passphrase', '--password-file', at('pass'),
           '--new-password-file', at('other'))
    refused(69, b'does not open', 'ca', 'issue', '--email', ALICE,
            '--password-file', at('pass'), of=s)
    s.must('ca', 'issue', '--email', ALICE, '--password-file', at('other'))
    refused(64, b'want one of them', 'ca', 'init', '--no-passphrase',
            '--password-file', at('pass'), of=s)


def read_some(fd):
    """What is shown next; nothing at the end."""
    check(select.select([fd], [], [], 60)[0], 'the terminal stays silent')
    try:
        return os.read(fd, 4096)
    except OSError:
        return b''


def typed(of, lines, *argv):
    """A command on a terminal of its own; -> exit status, what was shown."""
    pid, fd = lib.fork_on_terminal()
    if pid == 0:
        os.execv(lib.POSTSEAL, [lib.POSTSEAL, '-c', of.conf, *argv])
    shown = b''
    for prompt, line in lines:
        while prompt not in shown.rsplit(b'\n', 1)[-1]:
            shown += read_some(fd)
        # what is typed before the echo is off is thrown away
        lib.wait_for(lambda: not termios.tcgetattr(fd)[3] & termios.ECHO,
                     'no echo')
        os.write(fd, line + b'\n')
    more = b'x'
    while more:
        more = read_some(fd)
        shown += more
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


@test
def typed_on_a_terminal_it_is_asked_twice_and_not_shown():
    s = new_site('typed')
    status, shown = typed(s, ((b'New passphrase', PASS.encode()),
                              (b'Again', OTHER.encode())), 'ca', 'init')
    equal(status, 65, lib.show(shown))
    check(b'passwords differ' in shown, 'two of them', shown)
    status, shown = typed(s, ((b'New passphrase', PASS.encode()),
                              (b'Again', PASS.encode())), 'ca', 'init')
    equal(status, 0, lib.show(shown))
    check(PASS.encode() not in shown, 'it was shown', shown)
    status, shown = typed(s, ((b'Passphrase of the CA', PASS.encode()),),
                          'ca', 'issue', '--email', ALICE)
    equal(status, 0, lib.show(shown))
    check(PASS.encode() not in shown, 'it was shown', shown)


@test
def for_trying_out_it_may_be_left_out_with_a_warning():
    s = new_site('try')
    status, _, err = s.cmd('ca', 'init', '--no-passphrase')
    equal(status, 0, lib.show(err))
    check(b'as for trying out' in err, 'no warning', err)
    s.must('ca', 'issue', '--email', ALICE)
    s.must('ca', 'passphrase', '--new-password-file', at('pass'))
    equal(sorted(k[:3] for k in sealed_keys(s)), [b'PSC', b'PSC', b'PSK'],
          'sealed')
    s.must('ca', 'issue', '--email', ALICE, '--password-file', at('pass'))


@test
def the_end_of_the_ca_is_told_before():
    s = new_site('ending')
    s.must('ca', 'init', '--no-passphrase', '--days', '100')
    status, out, err = s.cmd('ca', 'issue', '--email', ALICE)
    equal(status, 0, lib.show(err))
    check(b'warning: the CA ends on ' in err, 'no warning', err)
    refused(78, b'has a CA already', 'ca', 'init', '--no-passphrase', of=s)
    s.must('ca', 'init', '--no-passphrase', '--replace')
    _, _, err = s.cmd('ca', 'issue', '--email', ALICE)
    check(b'warning' not in err, 'a warning', err)


@test
def what_goes_with_a_key_of_the_ca_is_said():
    for row in json.loads(site.must('cert', 'list', '--json')):
        if row['is_ca']:
            refused(64, b'nothing can be issued, renewed or revoked any more '
                    b'under ' + row['subject'].encode(), 'cert', 'remove',
                    row['sha256'])


@test
def every_step_is_noted():
    notes = json.loads(site.must('audit', '--json', '--all'))
    said = {n['action'] for n in notes}
    for action in ('make CA', 'issue certificate', 'renew certificate',
                   'revoke certificate', 'make CRL'):
        check(action in said, 'no note: ' + action, str(sorted(said)))


if __name__ == '__main__':
    lib.main(setup)
