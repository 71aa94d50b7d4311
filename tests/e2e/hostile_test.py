#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Hostile input by command: a clear error or an untouched message; never a
crash, a hang, a leak or plaintext."""
import base64
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
CANARY = b'CANARY-c0de-in-clear'
RULES_A = '''
outbound : sign, encrypt
inbound  : decrypt, verify
'''
PLAIN = (b'From: alice@example.com\nTo: bob@example.org\nSubject: x\n\n' +
         CANARY + b'\n')
a = b = base = bob_cert = None


def setup():
    global a, b, base, bob_cert
    base = lib.temporary()
    a, b = lib.two_sites(base, RULES_A, postfix=False)
    bob_cert = a.path('bob.pem')
    a.must('cert', 'export', BOB, '--out', bob_cert)


def verb(site, name, message, sender=ALICE, to=BOB, timeout=300):
    """Run it; it must end by itself and say nothing of a sanitizer."""
    status, out, err = site.cmd(name, '--from', sender, '--to', to,
                                data=message, timeout=timeout)
    check(status >= 0, '%s died by signal %d' % (name, -status), err)
    check(b'Sanitizer' not in err and b'runtime error' not in err,
          'sanitizer', err)
    check(status in (0, 65, 69, 75), '%s: exit status %d' % (name, status),
          err)
    return status, out, err


def untouched(message, what, **more):
    """Inbound: delivered as it came (a result may be added on top)."""
    status, out, err = verb(b, 'open', message, **more)
    equal(status, 0, '%s: %s' % (what, lib.show(err)))
    equal(lib.body(out), lib.body(message), what + ': body')
    check(b'smime=pass' not in out.split(b'\n\n')[0], what + ': passes',
          out[:2000])


def refused(message, what):
    """Outbound: not sent, and a sentence that says why."""
    status, out, err = verb(a, 'seal', message)
    equal(status, 69, '%s: %s' % (what, lib.show(err)))
    equal(out, b'', what + ': output')
    check(err.strip(), what + ': no reason given')
    return err


def seal():
    status, out, err = verb(a, 'seal', PLAIN)
    equal(status, 0, lib.show(err))
    head, text = out.split(b'\n\n', 1)
    return head, base64.b64decode(text)


def message(der, head=None):
    head = head or (b'From: alice@example.com\nTo: bob@example.org\n'
                    b'Subject: x\nMIME-Version: 1.0\n'
                    b'Content-Type: application/pkcs7-mime; '
                    b'smime-type=enveloped-data; name=smime.p7m\n'
                    b'Content-Transfer-Encoding: base64')
    return head + b'\n\n' + base64.encodebytes(der)


def tlv(tag, *content):
    c = b''.join(content)
    n = len(c)
    if n < 0x80:
        return bytes([tag, n]) + c
    size = n.to_bytes((n.bit_length() + 7) // 8, 'big')
    return bytes([tag, 0x80 | len(size)]) + size + c


OID_ENVELOPED = bytes.fromhex('06092a864886f70d010703')
OID_DATA = bytes.fromhex('06092a864886f70d010701')
OID_RSA = bytes.fromhex('06092a864886f70d010101')
OID_AES256 = bytes.fromhex('060960864801650304012a')


def enveloped(infos):
    eci = tlv(0x30, OID_DATA,
              tlv(0x30, OID_AES256, tlv(0x04, bytes(16))),
              tlv(0x80, bytes(64)))
    return tlv(0x30, OID_ENVELOPED, tlv(0xa0, tlv(
        0x30, tlv(0x02, b'\0'), tlv(0x31, infos), eci)))


@test
def A55_truncated_cms():
    """attack A55: CMS objects cut off anywhere
    verdict: delivered as they arrived; no process dies"""
    head, der = seal()
    for cut in [1, 2, 3, 5, 17, 60] + list(range(100, len(der), 197)) + \
            [len(der) - 1, len(der) - 16, len(der) - 17]:
        untouched(message(der[:cut], head), 'cut at %d' % cut)
    untouched(head + b'\n\n', 'no content')
    untouched(head + b'\n\n!!! no base64 !!!\n', 'no base64')


@test
def S86_A4_wrong_key():
    other = os.path.join(base, 'other')
    lib.must_run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048',
                  '-nodes', '-subj', '/CN=bob', '-days', '2', '-keyout',
                  other + '.key', '-out', other + '.pem'])
    for cipher in ('-aes256', '-aes-256-gcm'):
        der = lib.must_run(['openssl', 'cms', '-encrypt', '-binary', cipher,
                            '-outform', 'DER', other + '.pem'], PLAIN)
        untouched(message(der), 'for another key, ' + cipher)


@test
def S86_A4_tampered_tag_iv_and_ciphertext():
    der = lib.must_run(
        ['openssl', 'cms', '-encrypt', '-binary', '-aes-256-gcm',
         '-outform', 'DER', bob_cert],
        b'Content-Type: text/plain\r\n\r\n' + CANARY * 200 + b'\r\n')
    status, out, _ = verb(b, 'open', message(der))
    check(status == 0 and CANARY in out, 'the untampered is not opened')
    for at in (-1, -8, -16, -40, -2000, -4000):
        bad = bytearray(der)
        bad[at] ^= 1
        untouched(message(bytes(bad)), 'octet %d' % at)


@test
def A3_gcm_sold_as_cbc():
    der = lib.must_run(
        ['openssl', 'cms', '-encrypt', '-binary', '-aes-256-gcm',
         '-outform', 'DER', bob_cert], CANARY * 20)
    bad = der.replace(bytes.fromhex('2a864886f70d0109100117'),
                      bytes.fromhex('2a864886f70d0107030000'))
    untouched(message(bad), 'type changed')
    bad = der.replace(bytes.fromhex('060960864801650304012e'), OID_AES256)
    check(bad != der, 'no GCM in it')
    untouched(message(bad), 'cipher changed')


@test
def S97_a_hundred_thousand_recipient_infos():
    info = tlv(0x30, tlv(0x02, b'\0'),
               tlv(0x30, tlv(0x30), tlv(0x02, b'\1')),
               tlv(0x30, OID_RSA, b'\5\0'), tlv(0x04, bytes(16)))
    untouched(message(enveloped(info * 100000)), '100,000')
    untouched(message(enveloped(info * 1001)), '1,001')
    untouched(message(enveloped(info)), 'one')


def first_recipient_info(der):
    """The whole RecipientInfo of a CMS with one."""
    def step(at):
        """-> (start of content, end)"""
        n = der[at + 1]
        at += 2
        if n & 0x80 and n != 0x80:
            size = int.from_bytes(der[at:at + (n & 0x7f)], 'big')
            at += n & 0x7f
            return at, at + size
        return at, None if n == 0x80 else at + n
    at, _ = step(0)
    at = step(at)[1]  # the type
    at, _ = step(at)
    at, _ = step(at)
    at = step(at)[1]  # the version
    if der[at] == 0xa0:
        at = step(at)[1]
    at, end = step(at)  # SET
    return der[at:end]


@test
def S97_five_thousand_that_all_name_our_key():
    _, der = seal()
    info = first_recipient_info(der)
    check(50 < len(info) < 2000, 'no RecipientInfo found')
    untouched(message(enveloped(info * 5000)), '5,000 of ours')
    untouched(message(enveloped(info * 900)), '900 of ours')


def nested(depth):
    text = b''
    for i in range(depth):
        text += (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n'
                 % (i, i))
    text += b'Content-Type: text/plain\n\n' + CANARY + b'\n'
    for i in reversed(range(depth)):
        text += b'--b%d--\n' % i
    return (b'From: alice@example.com\nTo: bob@example.org\nSubject: x\n'
            b'MIME-Version: 1.0\n' + text)


@test
def mime_nested_a_thousand_deep():
    refused(nested(1000), '1,000 deep')
    refused(nested(21), '21 deep')
    untouched(nested(1000), '1,000 deep')
    status, out, err = verb(a, 'seal', nested(15))
    equal(status, 0, lib.show(err))
    check(CANARY not in out, 'in clear')


@test
def M37_nul_in_the_header_and_in_the_body():
    refused(PLAIN.replace(b'Subject: x', b'Subject: x\0y'), 'header')
    status, out, err = verb(a, 'seal', PLAIN + b'a\0b\0\n')
    equal(status, 0, lib.show(err))
    status, back, err = verb(b, 'open', out)
    equal(status, 0, lib.show(err))
    check(lib.leaves(back)[0][1].endswith(b'a\0b\0\n'), 'body changed',
          back[-200:])
    status, _, _ = verb(b, 'open', PLAIN.replace(b'Subject: x',
                                                 b'Subject: x\0y'))
    equal(status, 0, 'inbound')


@test
def A23_two_from_fields():
    two = b'From: dave@example.com\n' + PLAIN
    refused(two, 'two From')
    refused(PLAIN.replace(b'From: alice@example.com\n', b''), 'no From')
    head, der = seal()
    status, out, err = verb(b, 'open', b'From: dave@example.com\n' +
                            message(der, head))
    equal(status, 0, lib.show(err))
    check(b'smime=pass' not in out.split(b'\n\n')[0], 'passes', out[:2000])


@test
def a_certificate_file_that_is_a_photo():
    photo = os.path.join(base, 'bob.cer')
    with open(os.path.join(lib.SAMPLES, 'messages', 'attachment.eml'),
              'rb') as f:
        png = f.read().split(b'filename="dot.png"')[1]
    png = base64.b64decode(png.split(b'\n\n', 1)[1].split(b'\n--')[0])
    with open(photo, 'wb') as f:
        f.write(png)
    status, out, err = a.cmd('cert', 'import', photo)
    equal(status, 65, lib.show(err))
    check(b'PNG' in out + err or b'image' in out + err,
          'does not say what it is', out, err)
    for junk in (b'', b'-----BEGIN CERTIFICATE-----\n',
                 b'-----BEGIN CERTIFICATE-----\nAAAA\n'
                 b'-----END CERTIFICATE-----\n', b'\x30\x84\xff\xff\xff\xff',
                 b'\x30\x80' * 10000, bytes(range(256)) * 40):
        status, out, err = a.cmd('cert', 'import', '-', data=junk)
        equal(status, 65, 'junk %r: %s' % (junk[:30], lib.show(err)))


@test
def A55_mutants_never_crash_and_never_pass():
    """attack A55: sealed mail with random octets changed
    verdict: no process dies, no pass, no plaintext"""
    rnd = random.Random(1)
    head, der = seal()
    n = 60 if lib.SANITIZER else 150
    for i in range(n):
        bad = bytearray(der)
        for _ in range(rnd.randint(1, 4)):
            at = rnd.randrange(len(bad))
            how = rnd.randrange(4)
            if how == 0:
                bad[at] ^= 1 << rnd.randrange(8)
            elif how == 1:
                bad[at] = rnd.choice((0, 0x30, 0x80, 0x84, 0xa0, 0xff))
            elif how == 2:
                del bad[at:at + rnd.randrange(1, 40)]
            else:
                bad[at:at] = bad[at:at + rnd.randrange(1, 40)]
        status, out, err = verb(b, 'open', message(bytes(bad), head))
        check(status == 0, 'mutant %d: %d' % (i, status), err)
        if b'smime=pass' in out.split(b'\n\n')[0]:
            # Only what is outside of any protection may differ.
            check(CANARY in out, 'mutant %d passes' % i, out)


@test
def mutants_of_a_plain_message_are_sealed_or_refused():
    rnd = random.Random(2)
    with open(os.path.join(lib.SAMPLES, 'messages', 'nested.eml'),
              'rb') as f:
        good = f.read().replace(b'Bitte ', CANARY + b' ')
    for i in range(60 if lib.SANITIZER else 150):
        bad = bytearray(good)
        for _ in range(rnd.randint(1, 6)):
            at = rnd.randrange(len(bad))
            how = rnd.randrange(4)
            if how == 0:
                bad[at] = rnd.choice(b'\0\r\n -=;:"\\\x80\xff')
            elif how == 1:
                del bad[at:at + rnd.randrange(1, 80)]
            elif how == 2:
                bad[at:at] = bad[at:at + rnd.randrange(1, 80)]
            else:
                bad[at] ^= 1 << rnd.randrange(8)
        status, out, err = verb(a, 'seal', bytes(bad))
        check(status in (0, 69), 'mutant %d: %d' % (i, status), err)
        if status == 0:
            check(CANARY not in out, 'mutant %d in clear' % i, out)


@test
def A47_addresses_that_are_none():
    """attack A47: recipients with line ends, controls, endless local
    parts
    verdict: 553 5.1.3"""
    for to in ('bob@example.org\r\nBcc: x@y', 'bob@example.org>\nX: y',
               'a' * 3000 + '@example.org', '', '@', 'bob@', '"', '\\',
               'bob@[' + '1' * 500):
        status, out, err = a.cmd('seal', '--from', ALICE, '--to', to,
                                 data=PLAIN)
        check(status in (64, 65, 69, 75), '%r: %d' % (to, status), err, out)
        check(CANARY not in out, 'in clear', out)


if __name__ == '__main__':
    lib.main(setup)
