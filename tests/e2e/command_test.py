#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""postseal seal and open on files: what the milter does, without a mail
server; openssl and gpgsm as the other side."""
import base64
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
RULES_A = '''
outbound to carol@example.org  : sign, encrypt
outbound to signed@example.org : sign
outbound to opaque@example.org : sign, opaque
outbound                       : sign or plain, encrypt or plain
inbound  to alice+sealed@example.com : leave-sealed
inbound                        : decrypt, verify
'''
KEYS = ['version', 'id', 'queue_id', 'time', 'sender', 'login',
        'direction', 'class', 'action', 'reply', 'observed', 'would',
        'recipients', 'signed_with', 'signature', 'decryption', 'layers',
        'harvest', 'here', 'copies', 'headers_restored', 'warnings',
        'size_in', 'size_out', 'timing_us']
a = b = base = None


def setup():
    global a, b, base
    base = lib.temporary()
    a, b = lib.two_sites(base, RULES_A, postfix=False)


def sample(name):
    with open(os.path.join(lib.SAMPLES, 'messages', name), 'rb') as f:
        return f.read()


def seal(message, to=BOB, sender=ALICE, site=None, more=()):
    """-> (exit status, output, error, verdict)"""
    return treat('seal', message, to, sender, site or a, more)


def open_(message, to=BOB, sender=ALICE, site=None, more=()):
    return treat('open', message, to, sender, site or b, more)


def treat(verb, message, to, sender, site, more):
    out = os.path.join(base, 'verdict.json')
    if os.path.exists(out):
        os.unlink(out)
    status, output, err = site.cmd(verb, '--from', sender, '--to', to,
                                   '--json', out, *more, data=message)
    verdict = None
    if os.path.exists(out):
        with open(out, encoding='utf-8') as f:
            verdict = json.load(f)
    return status, output, err, verdict


def sealed(message, **more):
    status, out, err, verdict = seal(message, **more)
    equal(status, 0, 'seal: ' + lib.show(err))
    return out, verdict


def opened(message, **more):
    status, out, err, verdict = open_(message, **more)
    equal(status, 0, 'open: ' + lib.show(err))
    return out, verdict


def same(found, original, what):
    f, o = lib.leaves(found), lib.leaves(original)
    equal([k for k, _ in f], [k for k, _ in o], what + ': types')
    for (kind, x), (_, y) in zip(f, o):
        equal(x, y, '%s: %s' % (what, kind))


def key_files(site, email):
    """The key of email as PEM files for openssl: (key, certificate)."""
    p12 = os.path.join(base, email + '.p12')
    password = os.path.join(base, 'password')
    with open(password, 'w', encoding='ascii') as f:
        f.write('test\n')
    key, crt = (os.path.join(base, email + x) for x in ('.key', '.crt'))
    if os.path.exists(crt):
        return key, crt
    site.must('key', 'export', '--email', email, '--out', p12,
              '--password-file', password)
    lib.must_run(['openssl', 'pkcs12', '-in', p12, '-passin', 'pass:test',
                  '-nodes', '-nocerts', '-out', key])
    lib.must_run(['openssl', 'pkcs12', '-in', p12, '-passin', 'pass:test',
                  '-nokeys', '-clcerts', '-out', crt])
    return key, crt


@test
def S1_S3_S4_every_sample_comes_back_with_every_leaf_equal():
    n = 0
    for path in sorted(glob.glob(os.path.join(lib.SAMPLES, 'messages',
                                              '*.eml'))):
        name = os.path.basename(path)
        if name == 'signed.eml':
            continue  # of somebody else: samples_test.py
        original = sample(name)
        out, verdict = sealed(original)
        kind = (lib.header(out, 'Content-Type') or [''])[0]
        if verdict['action'] == 'unchanged':
            equal(out, original, name + ': untouched')
            continue
        check(kind.startswith('application/pkcs7-mime'), name + ' is ' +
              kind, out[:2000])
        check(max(out) < 0x80, name + ': octets beyond ASCII')
        check(max(len(x) for x in out.split(b'\n')) <= 998,
              name + ': long line')
        back, verdict = opened(out)
        equal(verdict['decryption']['result'], 'decrypted', name)
        # Who resends is not the author, so nobody signs.
        equal(verdict['signature']['result'],
              'none' if name == 'resent.eml' else 'pass', '%s: %s' %
              (name, verdict['signature']))
        same(back, original, name)
        for h in ('From', 'To', 'Subject', 'Date', 'Message-ID'):
            equal(lib.header(back, h), lib.header(original, h), name + h)
        n += 1
    check(n >= 12, 'only %d samples were sealed' % n)


@test
def S43_notices_and_foreign_formats_pass_untouched():
    for name in ('dsn.eml', 'mdn.eml', 'pgp-encrypted.eml'):
        original = sample(name)
        out, verdict = sealed(original)
        equal(verdict['action'], 'unchanged', name)
        equal(out, original, name)


@test
def S2_line_ends_out_are_those_of_the_input():
    for name in ('plain.eml', 'attachment.eml'):
        original = sample(name)
        out, _ = sealed(original)
        check(b'\r' not in out, 'CR in the output')
        out, _ = sealed(lib.crlf(original))
        check(b'\n' not in out.replace(b'\r\n', b''), 'lone LF')
        back, _ = opened(out)
        check(b'\n' not in back.replace(b'\r\n', b''), 'lone LF, opened')
        same(back, original, name)


@test
def S6_S7_S8_fragile_lines_survive_what_mail_servers_do():
    out, _ = sealed(sample('fragile-lines.eml'), to='signed@example.org')
    check(lib.header(out, 'Content-Type')[0].startswith('multipart/signed'),
          'not clear-signed', out)
    harmed = re.sub(rb'(?m)[ \t]+$', b'', out)
    harmed = re.sub(rb'(?m)^From ', b'>From ', harmed)
    harmed = re.sub(rb'(?m)^\.', b'', harmed)
    _, verdict = opened(harmed, to='signed@example.org')
    equal(verdict['signature']['result'], 'pass', verdict['signature'])


@test
def the_verdict_has_every_word_always():
    for verb, message, to in ((seal, sample('plain.eml'), BOB),
                              (open_, sample('plain.eml'), BOB),
                              (seal, sample('plain.eml'),
                               'carol@example.org')):
        verdict = verb(message, to=to)[3]
        check(verdict is not None, 'no verdict')
        equal(sorted(verdict), sorted(KEYS), 'words')
        for r in verdict['recipients']:
            for k in ('address', 'rule', 'wanted', 'outcome', 'group',
                      'certificates', 'passed_over', 'encryption',
                      'reason'):
                check(k in r, 'recipients[] without ' + k, r)


@test
def M10_A50_refused_with_69_nothing_written_and_the_sentence():
    status, out, err, verdict = seal(sample('plain.eml'),
                                     'carol@example.org')
    equal(status, 69, lib.show(err))
    equal(out, b'', 'output')
    check(b'carol@example.org' in err, 'recipient not named', err)
    equal((verdict['reply']['code'], verdict['reply']['enhanced']),
          (550, '5.7.3'), 'reply')
    check(verdict['id'].encode() in err, 'no id in the sentence', err)


@test
def A35_without_a_login_nothing_is_signed():
    out, _ = sealed(sample('plain.eml'), more=['--no-auth'])
    back, verdict = opened(out)
    equal(verdict['signature']['result'], 'none', 'signature')
    status, _, err, verdict = seal(sample('plain.eml'),
                                   'signed@example.org',
                                   more=['--no-auth'])
    equal(status, 69, lib.show(err))
    equal(verdict['reply']['enhanced'], '5.7.1', err)


@test
def leave_sealed_leaves_sealed():
    out, _ = sealed(sample('plain.eml').replace(
        b'Alice Example <alice@example.com>', b'bob@example.org'),
        to='alice+sealed@example.com', sender=BOB, site=b)
    back, verdict = opened(out, to='alice+sealed@example.com', sender=BOB,
                           site=a)
    equal(lib.body(back), lib.body(out), 'body')


@test
def exit_status_is_sysexits():
    equal(a.cmd('no-such-verb')[0], 64, 'unknown verb')
    equal(a.cmd('seal', '--from', ALICE)[0], 64, 'no recipient')
    equal(lib.run([lib.POSTSEAL, '-c', '/nonexistent', 'cert',
                   'list'])[0], 78, 'no configuration')
    equal(a.cmd('rules', 'check', '/dev/null')[0], 78, 'empty rules')


@test
def S1_openssl_decrypts_and_verifies_what_we_write():
    key, crt = key_files(b, BOB)
    root = lib.root_certificate(a)
    for name in ('utf8.eml', 'attachment.eml', 'nested.eml',
                 'no-mime.eml', 'no-final-newline.eml'):
        out, _ = sealed(sample(name))
        inner = lib.must_run(['openssl', 'cms', '-decrypt', '-inkey', key,
                              '-recip', crt], out)
        plain = lib.must_run(['openssl', 'cms', '-verify', '-CAfile', root],
                             inner)
        same(plain, sample(name), name)
    for to in ('signed@example.org', 'opaque@example.org'):
        out, _ = sealed(sample('attachment.eml'), to=to)
        plain = lib.must_run(['openssl', 'cms', '-verify', '-CAfile', root],
                             out)
        same(plain, sample('attachment.eml'), to)


def envelope(inner_headers, body):
    return (b'From: alice@example.com\nTo: bob@example.org\nSubject: x\n'
            b'MIME-Version: 1.0\n' + inner_headers + b'\n\n' + body)


def as_message(smime):
    """What openssl cms writes, with mail headers in front."""
    return b'From: alice@example.com\nTo: bob@example.org\n' \
        b'Subject: x\n' + smime


@test
def S84_S85_we_read_what_openssl_writes():
    _, bob = key_files(b, BOB)
    key, crt = key_files(a, ALICE)
    entity = lib.crlf(b'Content-Type: text/plain; charset=us-ascii\n\n'
                      b'from openssl\n')
    signers = [['-sign'], ['-sign', '-nodetach']]
    ciphers = [['-aes-128-cbc'], ['-aes-192-cbc'], ['-aes-256-cbc'],
               ['-aes-256-gcm'], ['-aes-128-gcm']]
    for i, s in enumerate(signers):
        signed = lib.must_run(['openssl', 'cms', *s, '-binary', '-signer',
                               crt, '-inkey', key, '-md', 'sha256'],
                              entity)
        _, verdict = opened(as_message(signed))
        equal(verdict['signature']['result'], 'pass', verdict['signature'])
        for c in ciphers:
            out = lib.must_run(['openssl', 'cms', '-encrypt', '-binary',
                                *c, bob], lib.crlf(signed))
            back, verdict = opened(as_message(out))
            check(b'from openssl' in back, 'not opened: ' + c[0], back)
            equal(verdict['signature']['result'], 'pass', '%s: %s' %
                  (c[0], verdict['signature']))
    # RSA key transport, PKCS#1 v1.5 and OAEP, to alice.
    for before, after in (([], []), ([], ['-keyopt',
                                          'rsa_padding_mode:oaep']),
                          (['-keyid'], []), (['-stream'], []),
                          (['-des3'], [])):
        more = before + after
        out = lib.must_run(['openssl', 'cms', '-encrypt', '-binary',
                            *(before or ['-aes256']), '-recip', crt,
                            *after], entity)
        back, verdict = opened(as_message(out), to=ALICE, sender=BOB,
                               site=a)
        check(b'from openssl' in back, 'not opened: %s' % more, back,
              verdict['decryption'])


class Gpgsm:
    """gpgsm with a folder of its own, offline."""

    def __init__(self):
        lib.need('gpgsm')
        self.home = lib.temporary('gpgsm')
        os.chmod(self.home, 0o700)
        lib.at_exit(lambda: lib.run(['gpgconf', '--homedir', self.home,
                                     '--kill', 'all']))
        root = lib.root_certificate(a)
        fpr = lib.must_run(['openssl', 'x509', '-in', root, '-noout',
                            '-fingerprint', '-sha1']).decode()
        with open(os.path.join(self.home, 'trustlist.txt'), 'w',
                  encoding='ascii') as f:
            f.write(fpr.split('=')[1].strip() + ' S relax\n')
        self.must(['--import', root])
        key, crt = key_files(a, ALICE)
        self.import_key(key, crt)
        _, bob = key_files(b, BOB)
        self.must(['--import', bob])

    def import_key(self, key, crt):
        """gpgsm derives a wrong key for about one salt in sixty and then
        calls the password wrong: the same key again with another salt."""
        # An old gpgsm reads only old PKCS#12.
        p12 = os.path.join(base, 'old.p12')
        for _ in range(5):
            lib.must_run(['openssl', 'pkcs12', '-export', '-in', crt,
                          '-inkey', key, '-passout', 'pass:test', '-keypbe',
                          'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES',
                          '-macalg', 'sha1', '-out', p12])
            status, _, err = lib.run(
                self.argv(['--pinentry-mode', 'loopback', '--passphrase-fd',
                           '0', '--import', p12]), b'test\n')
            if status == 0:
                return
        check(False, 'gpgsm does not import the key', err)

    def argv(self, argv):
        return ['gpgsm', '--homedir', self.home, '--batch', '--yes',
                '--disable-crl-checks', '--disable-dirmngr', *argv]

    def must(self, argv, data=b''):
        # --passphrase for the key in its agent: asked for by loopback.
        return lib.must_run(self.argv(argv), data)

    def loopback(self, argv, data):
        read, write = os.pipe()
        os.write(write, b'test\n')
        os.close(write)
        try:
            r = lib.subprocess.run(
                self.argv(['--pinentry-mode', 'loopback', '--passphrase-fd',
                           str(read), *argv]), input=data, pass_fds=[read],
                stdout=lib.subprocess.PIPE, stderr=lib.subprocess.PIPE,
                timeout=300, check=False)
        finally:
            os.close(read)
        check(r.returncode == 0, 'gpgsm %s: %d' %
              (' '.join(argv), r.returncode), r.stderr)
        return r.stdout


@test
def I12_gpgsm_reads_what_we_write_and_we_what_it_writes():
    g = Gpgsm()
    # Alice's other program has told bob of GCM, which gpgsm does not read.
    b.set_rules('outbound : sign, encrypt, capabilities ignore\n'
                'inbound  : decrypt, verify\n')
    # bob (EC) signs, alice (RSA) reads with gpgsm.
    message = sample('attachment.eml').replace(
        b'Alice Example <alice@example.com>', b'bob@example.org')
    out, _ = sealed(message, to=ALICE, sender=BOB, site=b)
    cms = base64.b64decode(lib.body(out))
    inner = g.loopback(['--decrypt'], cms)
    check(b'multipart/signed' in inner, 'not signed inside', inner)
    boundary = re.search(rb'boundary="?([^";\r\n]+)', inner).group(1)
    parts = inner.split(b'\r\n--' + boundary) if b'\r\n--' in inner else \
        lib.crlf(inner).split(b'\r\n--' + boundary)
    content = parts[1].split(b'\r\n', 1)[1]
    signature = base64.b64decode(parts[2].split(b'\r\n\r\n', 1)[1])
    files = [os.path.join(base, x) for x in ('sig', 'content')]
    for path, data in zip(files, (signature, content)):
        with open(path, 'wb') as f:
            f.write(data)
    g.must(['--verify', *files])
    same(content, message, 'gpgsm')
    # gpgsm signs (RSA) and encrypts to alice; we read.
    entity = lib.crlf(b'Content-Type: text/plain\n\nfrom gpgsm\n')
    sig = g.loopback(['--detach-sign', '-u', ALICE], entity)
    signed = lib.crlf(
        b'Content-Type: multipart/signed; boundary="q"; micalg=sha-256;\n'
        b' protocol="application/pkcs7-signature"\n\n--q\n') + entity + \
        lib.crlf(b'\n--q\nContent-Type: application/pkcs7-signature\n'
                 b'Content-Transfer-Encoding: base64\n\n' +
                 base64.encodebytes(sig) + b'--q--\n')
    _, verdict = opened(as_message(b'MIME-Version: 1.0\n' +
                                   lib.lf(signed)))
    equal(verdict['signature']['result'], 'pass', verdict['signature'])
    cms = g.must(['--encrypt', '-r', ALICE], entity)
    message = (b'From: bob@example.org\nTo: alice@example.com\n'
               b'Subject: x\nMIME-Version: 1.0\n'
               b'Content-Type: application/pkcs7-mime; '
               b'smime-type=enveloped-data\n'
               b'Content-Transfer-Encoding: base64\n\n' +
               base64.encodebytes(cms))
    back, verdict = opened(message, to=ALICE, sender=BOB, site=a)
    check(b'from gpgsm' in back, 'not opened', back, verdict)
    b.set_rules(lib.RULES)


@test
def two_hundred_megabytes_by_command_within_32_MiB():
    if lib.SANITIZER:
        raise lib.Skip('a sanitizer needs more memory')
    paths = [os.path.join(base, x) for x in ('big', 'big.sealed',
                                             'big.opened')]
    line = b'The quick brown fox jumps over the lazy dog, 0123456789.\n'
    head = (b'From: alice@example.com\nTo: bob@example.org\n'
            b'Subject: large\n\n')
    with open(paths[0], 'wb') as f:
        f.write(head)
        for _ in range((200 << 20) // (len(line) * 1000)):
            f.write(line * 1000)
    for verb, site, i in (('seal', a, 0), ('open', b, 1)):
        status, peak, err = lib.run_measured(
            [lib.POSTSEAL, '-c', site.conf, verb, '--from', ALICE, '--to',
             BOB], paths[i], paths[i + 1])
        equal(status, 0, verb + ': ' + lib.show(err))
        check(peak <= 32 << 10, '%s: %d KiB at its peak' % (verb, peak))
    with open(paths[2], 'rb') as f:
        text = f.read()
    check(b'smime=pass' in text[:20000], 'no pass', text[:3000])
    equal(text.count(line), (200 << 20) // (len(line) * 1000) * 1000,
          'lines')
    for p in paths:
        os.unlink(p)


@test
def the_configuration_is_checked_without_starting():
    status, out, err = lib.run([lib.MILTER, '-n', '-c', a.conf])
    equal(status, 0, lib.show(err))
    check(b'example.com' in out + err, 'does not say what it would use',
          out, err)
    bad = os.path.join(base, 'bad.conf')
    with open(bad, 'w', encoding='ascii') as f:
        f.write('local-domains example.com\nno-such-word 1\n'
                'max-message-size many\n')
    status, out, err = lib.run([lib.MILTER, '-n', '-c', bad])
    equal(status, 78, lib.show(err))
    for line in (b'bad.conf:2:', b'bad.conf:3:'):
        check(line in out + err, 'no ' + line.decode(), out, err)


if __name__ == '__main__':
    lib.main(setup)
