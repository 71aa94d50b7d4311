# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Messages and keys that others made, and what is needed to make more with
their keys: where they lie, a site that knows them, DER by hand for what the
openssl command of Debian 12 cannot make (RFC 8418, RFC 8419)."""
import base64
import contextlib
import email.utils
import glob
import hashlib
import hmac
import json
import os
import secrets

import lib
from lib import check, equal, must_run

DATA = os.environ.get('POSTSEAL_TESTDATA') or \
    os.path.join(lib.TOP, '..', 'shared', 'testdata')


def need(folder):
    """The folder's path; Skip when it is not there."""
    d = os.path.normpath(os.path.join(DATA, folder))
    if not os.path.isdir(d):
        raise lib.Skip('no %s: POSTSEAL_TESTDATA names the folder' % d)
    return d


def read(*path):
    with open(os.path.join(*path), 'rb') as f:
        return f.read()


def write(path, data):
    with open(path, 'wb') as f:
        f.write(data)
    return path


def one(pattern):
    found = glob.glob(pattern)
    check(len(found) == 1, '%s: %d files' % (pattern, len(found)))
    return found[0]


# ---- postseal ----

class Reader(lib.Site):
    """Somebody who opens other people's messages."""

    def trust(self, *files):
        for f in files:
            self.must('cert', 'trust', f)
        return self

    def know(self, *files):
        for f in files:
            self.must('cert', 'import', f)
        return self

    def import_key(self, path, password=''):
        """-> (exit status, error)"""
        p = write(self.path('password'), password.encode() + b'\n')
        status, _, err = self.cmd('key', 'import', path, '--password-file',
                                  p)
        return status, err

    def open(self, message, to, sender='postmaster@example.net'):
        """-> (output, verdict); neither if it is no message."""
        report = self.path('verdict.json')
        with contextlib.suppress(OSError):
            os.unlink(report)
        status, out, err = self.cmd('open', '--from', sender, '--to', to,
                                    '--json', report, data=message)
        check(status in (0, 65, 69), 'open: exit status %d' % status, err)
        if status == 65:
            return out, None
        verdict = json.loads(read(report))
        # Whatever it is, what comes out is never less than what came in.
        if status == 0 and verdict['decryption']['result'] != 'decrypted' \
                and not verdict['warnings']:
            check(lib.lf(lib.body(message)).strip() in lib.lf(out) or
                  verdict['signature']['result'] in ('pass', 'policy'),
                  'the body was altered', out)
        return out, verdict


def says(verdict, result, step=None, word='', what=''):
    """What the verdict says of the signature."""
    s = verdict['signature']
    equal((s['result'], s['failed_step']), (result, step),
          '%s: %s' % (what, s['reason']))
    check(word in (s['reason'] or ''), '%s: no "%s" in the reason: %s' %
          (what, word, s['reason']))


def opened(verdict, result, word='', what=''):
    """What it says of the decryption."""
    d = verdict['decryption']
    equal(d['result'], result, '%s: %s' % (what, d['reason']))
    check(word in (d['reason'] or ''), '%s: no "%s" in the reason: %s' %
          (what, word, d['reason']))


# ---- messages ----

def fields(sender, to='bob@example.org'):
    return ('From: %s\nTo: %s\nSubject: material\n'
            'Date: %s\n'
            'Message-ID: <material@example.net>\n'
            'MIME-Version: 1.0\n' % (sender, to, email.utils.formatdate())
            ).encode()


def cms_mail(der, kind, sender='alice@example.com'):
    return fields(sender) + (
        'Content-Type: application/pkcs7-mime; smime-type=%s;\n'
        ' name=smime.p7m\nContent-Transfer-Encoding: base64\n\n' %
        kind).encode() + base64.encodebytes(der)


def entity(text=b'This is some sample content.\n'):
    return lib.crlf(b'Content-Type: text/plain\n\n' + text)


def openssl_cms(argv, data, sender='alice@example.com'):
    """What openssl cms writes, as a mail."""
    out = must_run(['openssl', 'cms', *argv], data)
    out = lib.lf(out).replace(b'MIME-Version: 1.0\n', b'', 1)
    return fields(sender) + out


def mime_of(mail):
    """The entity that a mail of openssl_cms is: its MIME fields and body."""
    return mail.split(b'MIME-Version: 1.0\n', 1)[1]


# ---- DER ----

def der(tag, *parts):
    content = b''.join(parts)
    n = len(content)
    if n < 128:
        return bytes([tag, n]) + content
    size = n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag, 0x80 | len(size)]) + size + content


def seq(*parts):
    return der(0x30, *parts)


def octets(data):
    return der(4, data)


def number(n):
    return der(2, n.to_bytes(n.bit_length() // 8 + 1, 'big'))


def oid(dotted):
    arcs = [int(x) for x in dotted.split('.')]
    out = bytes([arcs[0] * 40 + arcs[1]])
    for a in arcs[2:]:
        septets = [a & 0x7f]
        while a > 0x7f:
            a >>= 7
            septets.append(0x80 | a & 0x7f)
        out += bytes(reversed(septets))
    return der(6, out)


def split(data):
    """The elements of DER content, each whole."""
    out, i = [], 0
    while i < len(data):
        n, start = data[i + 1], i + 2
        if n & 0x80:
            start += n & 0x7f
            n = int.from_bytes(data[i + 2:start], 'big')
        out.append(data[i:start + n])
        i = start + n
    return out


def inside(element):
    n = element[1]
    return element[2 + (n & 0x7f if n & 0x80 else 0):]


def pem_der(path):
    lines = read(path).decode().splitlines()
    return base64.b64decode(''.join(x for x in lines
                                    if x and not x.startswith('-')))


def issuer_and_serial(cert):
    tbs = split(inside(split(inside(cert))[0]))
    return seq(tbs[3], tbs[1])  # behind [0] version


ID_DATA, ID_SIGNED, ID_ENVELOPED = (
    oid('1.2.840.113549.1.7.%d' % n) for n in (1, 2, 3))


def ed25519_signed(content, cert, key, folder):
    """SignedData of RFC 8419: Ed25519, messageDigest with SHA-512."""
    attrs = der(0x31, *sorted([
        seq(oid('1.2.840.113549.1.9.3'), der(0x31, ID_DATA)),
        seq(oid('1.2.840.113549.1.9.4'),
            der(0x31, octets(hashlib.sha512(content).digest())))]))
    signature = must_run(['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey',
                          key, '-in', write(os.path.join(folder, 'tbs'),
                                            attrs)])
    sha512 = seq(oid('2.16.840.1.101.3.4.2.3'))
    signer = seq(number(1), issuer_and_serial(cert), sha512,
                 b'\xa0' + attrs[1:], seq(oid('1.3.101.112')),
                 octets(signature))
    return seq(ID_SIGNED, der(0xa0, seq(
        number(1), der(0x31, sha512),
        seq(ID_DATA, der(0xa0, octets(content))), der(0xa0, cert),
        der(0x31, signer))))


def hkdf_sha256(secret, info, size):
    key = hmac.digest(bytes(32), secret, 'sha256')
    return hmac.digest(key, info + b'\x01', 'sha256')[:size]


def aes_wrap(kek, key):
    """RFC 3394, 2.2.1; openssl enc has it no more since 3.5."""
    a, r = b'\xa6' * 8, [key[i:i + 8] for i in range(0, len(key), 8)]
    for t in range(6 * len(r)):
        i = t % len(r)
        b = must_run(['openssl', 'enc', '-aes-256-ecb', '-nopad', '-K',
                      kek.hex()], a + r[i])
        a = bytes(x ^ y for x, y in zip(b, (t + 1).to_bytes(8, 'big')))
        r[i] = b[8:]
    return a + b''.join(r)


def x25519_recipient(cek, cert, folder):
    """KeyAgreeRecipientInfo of RFC 8418: X25519, HKDF, AES-256 wrap."""
    own, own_pub, peer = (os.path.join(folder, x) for x in
                          ('x.key', 'x.pub', 'peer.pub'))
    must_run(['openssl', 'genpkey', '-algorithm', 'x25519', '-out', own])
    must_run(['openssl', 'pkey', '-in', own, '-pubout', '-outform', 'DER',
              '-out', own_pub])
    write(peer, must_run(['openssl', 'x509', '-inform', 'DER', '-noout',
                          '-pubkey'], cert))
    z = must_run(['openssl', 'pkeyutl', '-derive', '-inkey', own, '-peerkey',
                  peer])
    wrap = seq(oid('2.16.840.1.101.3.4.1.45'))
    info = seq(wrap, der(0xa2, octets((256).to_bytes(4, 'big'))))
    kek = hkdf_sha256(z, info, 32)
    wrapped = aes_wrap(kek, cek)
    public = split(inside(read(own_pub)))[1]
    originator = der(0xa0, der(0xa1, seq(oid('1.3.101.110')), public))
    return der(0xa1, number(3), originator,
               seq(oid('1.2.840.113549.1.9.16.3.19'), wrap),
               seq(seq(issuer_and_serial(cert), octets(wrapped))))


def rsa_recipient(cek, cert, folder):
    path = write(os.path.join(folder, 'rsa.der'), cert)
    secret = must_run(['openssl', 'pkeyutl', '-encrypt', '-certin',
                       '-keyform', 'DER', '-inkey', path], cek)
    return seq(number(0), issuer_and_serial(cert),
               seq(oid('1.2.840.113549.1.1.1'), der(5)), octets(secret))


def enveloped(content, recipients):
    """EnvelopedData with AES-256-CBC; recipients(cek) gives RecipientInfos
    in the order of a SET OF."""
    cek, iv = secrets.token_bytes(32), secrets.token_bytes(16)
    text = must_run(['openssl', 'enc', '-aes-256-cbc', '-K', cek.hex(),
                     '-iv', iv.hex()], content)
    return seq(ID_ENVELOPED, der(0xa0, seq(
        number(2), der(0x31, *sorted(recipients(cek))),
        seq(ID_DATA, seq(oid('2.16.840.1.101.3.4.1.42'), octets(iv)),
            der(0x80, text)))))
