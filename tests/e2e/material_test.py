#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What others made and published, with a known outcome, through postseal
open: the samples of RFC 9216 and RFC 4134, real-life mail of Bouncy Castle's
tests, seeds of a fuzzer. Every test is skipped where its folder is not
there."""
import base64
import glob
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import material  # noqa: E402
from lib import check, equal, must_run, test  # noqa: E402
from material import opened, read, says, write  # noqa: E402

base = None
_made = {}


def setup():
    global base
    base = lib.temporary()


def once(make):
    """A site that several tests share."""
    name = make.__name__
    if name not in _made:
        _made[name] = make()
    return _made[name]


# ---- RFC 9216 ----

ALICE, BOB, CARLOS, DANA = ('%s@smime.example' % x for x in
                            ('alice', 'bob', 'carlos', 'dana'))


class Rfc9216:
    """The PKI; of it all but the private keys are known to the reader."""

    def __init__(self, name='9216', policy=''):
        self.dir = material.need('rfc9216')
        self.site = material.Reader(os.path.join(base, name),
                                    'smime.example', extra=policy)
        self.site.trust(self.file('3.1'), self.file('6.1'))
        self.site.know(self.file('3.3'), self.file('6.3'))

    def file(self, number):
        return material.one(os.path.join(self.dir, number + '_*.pem'))

    def encrypt(self, data, to, *argv):
        return material.openssl_cms(
            ['-encrypt', '-binary', *argv, '-recip', self.file(to)], data,
            ALICE)

    def sign(self, data, who='4', *argv, sender=ALICE):
        return material.openssl_cms(
            ['-sign', '-binary', '-signer', self.file(who + '.1'), '-inkey',
             self.file(who + '.2'), *argv], data, sender)


def rfc9216():
    r = Rfc9216()
    for number, who in (('4.5', 'alice'), ('5.5', 'bob')):
        status, err = r.site.import_key(r.file(number), who)
        equal(status, 0, 'PKCS#12 of %s: %s' % (who, lib.show(err)))
    return r


@test
def S85_S93_S101_bob_of_rfc9216_reads_every_cipher():
    r = once(rfc9216)
    inner = material.mime_of(r.sign(material.entity()))
    for cipher, authenticated in (
            ('aes-128-cbc', False), ('aes-192-cbc', False),
            ('aes-256-cbc', False), ('des3', False), ('aes-128-gcm', True),
            ('aes-192-gcm', True), ('aes-256-gcm', True)):
        for form in (['-outform', 'SMIME'], ['-stream', '-keyid']):
            mail = r.encrypt(inner, '5.3', '-' + cipher, *form)
            out, v = r.site.open(mail, BOB, ALICE)
            what = cipher + ' '.join(form)
            opened(v, 'decrypted', what=what)
            equal(v['decryption']['authenticated'], authenticated, what)
            equal(v['decryption']['recipient'], BOB, what)
            says(v, 'pass', what=what)
            equal(v['signature']['signer'], ALICE, what)
            equal(lib.leaves(out), [('text/plain',
                                     b'This is some sample content.\n')],
                  what)


@test
def S93_bob_of_rfc9216_reads_oaep_of_every_hash():
    r = once(rfc9216)
    for md in ('sha1', 'sha256', 'sha384', 'sha512'):
        mail = material.openssl_cms(
            ['-encrypt', '-binary', '-aes-256-cbc', '-recip', r.file('5.3'),
             '-keyopt', 'rsa_padding_mode:oaep', '-keyopt',
             'rsa_oaep_md:' + md], material.entity(), ALICE)
        out, v = r.site.open(mail, BOB, ALICE)
        opened(v, 'decrypted', what=md)
        check(b'This is some sample content.' in out, md, out)


@test
def S197_S199_S200_alice_of_rfc9216_signs_in_every_form():
    r = once(rfc9216)
    for argv in (['-md', 'sha256'], ['-md', 'sha512'], ['-nodetach'],
                 ['-nodetach', '-stream'], ['-nodetach', '-keyid'],
                 ['-nodetach', '-outform', 'SMIME', '-indef'],
                 ['-keyopt', 'rsa_padding_mode:pss', '-keyopt',
                  'rsa_pss_saltlen:digest']):
        mail = r.sign(material.entity(), '4', *argv)
        what = ' '.join(argv)
        for form in (mail, mail.replace(b'/pkcs7-', b'/x-pkcs7-'),
                     mail.replace(b'smime-type=signed-data; ', b'')):
            out, v = r.site.open(form, BOB, ALICE)
            says(v, 'pass', what=what)
            equal(v['signature']['signer'], ALICE, what)
            check(b'This is some sample content.' in out, what, out)
        out, v = r.site.open(mail.replace(b'some', b'same'), BOB, ALICE)
        if '-nodetach' not in argv:
            says(v, 'fail', 'S70', 'digest', what)


@test
def S32_S134_triple_wrap_of_rfc9216():
    r = once(rfc9216)
    for inner in ([], ['-nodetach']):
        for outer in ([], ['-nodetach'], ['-nodetach', '-stream']):
            wrapped = r.encrypt(material.mime_of(
                r.sign(material.entity(), '4', *inner)), '5.3',
                '-aes-128-cbc')
            mail = r.sign(lib.crlf(material.mime_of(wrapped)), '4', *outer)
            what = '%s in %s' % (inner, outer)
            out, v = r.site.open(mail, BOB, ALICE)
            opened(v, 'decrypted', what=what)
            says(v, 'pass', what=what)
            equal(v['signature']['signer'], ALICE, what)
            equal([x['kind'] for x in v['layers']],
                  ['signed', 'encrypted', 'signed'], what)
            check(b'This is some sample content.' in out, what, out)
            # Without a key only the outer one is seen, and it covers
            # ciphertext (A11).
            out, v = r.site.open(mail, CARLOS, ALICE)
            opened(v, 'no-key', what=what)
            says(v, 'policy', 'S65', 'ciphertext', what)
            equal(lib.body(out), lib.body(mail), what)


@test
def S102_encryption_certificates_of_rfc9216_do_not_sign():
    r = once(rfc9216)
    mail = material.openssl_cms(
        ['-sign', '-binary', '-signer', r.file('4.3'), '-inkey',
         r.file('4.4')], material.entity(), ALICE)
    _, v = r.site.open(mail, BOB, ALICE)
    says(v, 'policy', 'S71', 'keyUsage')


@test
def S74_alice_of_rfc9216_is_not_bob():
    r = once(rfc9216)
    _, v = r.site.open(r.sign(material.entity(), sender=BOB), BOB, ALICE)
    says(v, 'policy', 'S74', 'From')


@test
def S72_a_path_through_the_cross_certificate_of_rfc9216():
    r = once(rfc9216)
    mail = r.sign(material.entity())
    # Trusted is the Ed25519 root alone; it vouches for the RSA one.
    s = material.Reader(os.path.join(base, 'cross'), 'smime.example')
    _, v = s.open(mail, BOB, ALICE)
    says(v, 'policy', 'S72')
    s.trust(r.file('6.1'))
    _, v = s.open(mail, BOB, ALICE)
    says(v, 'policy', 'S72')
    s.know(r.file('3.3'))
    _, v = s.open(mail, BOB, ALICE)
    says(v, 'pass')


def crl_of(r, day, *numbers):
    """A CRL of the RSA CA, on which are the certificates numbers."""
    rows = b''
    for n in numbers:
        serial = must_run(['openssl', 'x509', '-in', r.file(n), '-noout',
                           '-serial']).split(b'=')[1].strip()
        rows += b'R\t520927065418Z\t251101000000Z\t%s\tunknown\t/CN=%s\n' \
            % (serial, n.encode())
    index = write(os.path.join(base, 'index'), rows)
    conf = write(os.path.join(base, 'ca.conf'), (
        '[ca]\ndefault_ca = x\n[x]\ndatabase = %s\ndefault_md = sha256\n'
        'default_crl_days = 30\n' % index).encode())
    crl = os.path.join(base, 'crl.pem')
    must_run(['openssl', 'ca', '-gencrl', '-config', conf, '-keyfile',
              r.file('3.2'), '-cert', r.file('3.1'), '-out', crl,
              '-crl_lastupdate', '2511%02d000000Z' % day,
              '-crl_nextupdate', '520927000000Z'])
    return crl


def import_crl(site, path):
    """-> (exit status, output and error)"""
    status, out, err = site.cmd('crl', 'import', path)
    if status == 64:
        raise lib.Skip('postseal has no "crl import"')
    return status, out + err


@test
def S73_S118_alice_of_rfc9216_revoked():
    r = Rfc9216('9216-revoked')
    status, said = import_crl(r.site, crl_of(r, 1, '5.1'))
    equal(status, 0, lib.show(said))
    mail = r.sign(material.entity())
    _, v = r.site.open(mail, BOB, ALICE)
    says(v, 'pass')
    status, said = import_crl(r.site, crl_of(r, 2, '4.1', '5.1'))
    equal(status, 0, lib.show(said))
    out, v = r.site.open(mail, BOB, ALICE)
    says(v, 'fail', 'S73', 'revoked')
    check(b'smime=pass' not in out, 'passes', out)


@test
def S84_signature_of_carlos_with_ed25519():
    """Also where the library does not verify it in CMS."""
    r = once(rfc9216)
    content = material.entity()
    der = material.ed25519_signed(content, material.pem_der(r.file('7.1')),
                                  r.file('7.2'), base)
    out, v = r.site.open(material.cms_mail(der, 'signed-data', CARLOS), BOB,
                         CARLOS)
    says(v, 'pass')
    equal(v['signature']['algorithm'], 'ed25519', 'algorithm')


def x25519_mail(r, *more):
    """For Carlos, and for the owners of the RSA certificates more."""
    def recipients(cek):
        yield material.x25519_recipient(
            cek, material.pem_der(r.file('7.3')), base)
        for number in more:
            yield material.rsa_recipient(
                cek, material.pem_der(r.file(number)), base)
    return material.cms_mail(
        material.enveloped(material.entity(), recipients), 'enveloped-data',
        DANA)


@test
def S92_S196_message_to_carlos_with_x25519():
    r = once(rfc9216)
    mail = x25519_mail(r)
    out, v = r.site.open(mail, CARLOS, DANA)
    check(v['decryption']['result'] in ('no-key', 'failed'), 'opened', v)
    check(v['decryption']['reason'], 'no reason', v)
    equal(lib.body(out), lib.body(mail), 'altered')


@test
def S96_x25519_beside_rsa_does_not_disturb_alice():
    r = once(rfc9216)
    out, v = r.site.open(x25519_mail(r, '4.3'), ALICE, DANA)
    opened(v, 'decrypted')
    check(b'This is some sample content.' in out, 'text', out)
    # A recipient whose key is not here leaves it as it is (S203).
    _, v = r.site.open(x25519_mail(r, '4.3'), BOB, DANA)
    opened(v, 'no-key')


@test
def S92_keys_that_cannot_be_used_are_named_at_import():
    r = once(rfc9216)
    for number, who in (('7.5', 'carlos'), ('8.5', 'dana')):
        status, err = r.site.import_key(r.file(number), who)
        equal(status, 65, who)
        check(b'ed25519' in err and b'wanted' in err, who, err)


# ---- RFC 4134 ----

ALICE_RSA, ALICE_DSS, BOB_RSA = ('%s@example.com' % x for x in
                                 ('AliceRSA', 'AliceDSS', 'BobRSA'))
OLD = """verify-policy {
    rsa-bits 1024
    weak     any
    time     2002-09-06T00:00:00Z
}
"""
# Object, result, step, word of the reason, algorithm as the verdict names
# it; with the default policy and with OLD. Most have no signed attributes,
# which nobody may believe (A16); the others are DSA.
NO_ATTRS = ('policy', 'S67', 'no signed attributes', None)
DSA = ('neutral', 'S68', 'unsupported signature algorithm',
       '1.2.840.10040.4.3')
SHA1 = ('policy', 'S68', 'digest SHA-1 not allowed', None)
EMPTY = ('permerror', 'S64', 'without content', None)
NONE = ('none', None, '', None)
OBJECTS = (
    ('3.1', NONE, NONE),           # Data, BER in pieces
    ('3.2', NONE, NONE),           # Data
    ('4.1', NO_ATTRS, NO_ATTRS),   # DSA
    ('4.2', NO_ATTRS, NO_ATTRS),   # RSA
    ('4.3', EMPTY, EMPTY),         # what is signed is elsewhere
    ('4.4', SHA1, DSA),            # attributes, countersignature, CRL
    ('4.5', NO_ATTRS, NO_ATTRS),   # RSA, BER in pieces
    ('4.6', NO_ATTRS, NO_ATTRS),   # two signers
    ('4.7', NO_ATTRS, NO_ATTRS),   # by subject key identifier
    ('4.8', NO_ATTRS, NO_ATTRS),   # a mail: multipart/signed
    ('4.9', NO_ATTRS, NO_ATTRS),   # a mail: signed-data
    ('4.10', SHA1, DSA),           # every attribute there is
    ('4.11', NONE, NONE),          # certificates only
    ('6.0', NONE, NONE),           # DigestedData
    ('7.1', NONE, NONE),           # EncryptedData
    ('7.2', NONE, NONE),           # EncryptedData with attributes
)


class Rfc4134:
    """The PKI of 1999; RSA of 1024 bits, DSA, SHA-1."""

    def __init__(self, name, policy=''):
        self.dir = material.need('rfc4134')
        self.site = material.Reader(os.path.join(base, name), 'example.com',
                                    extra=policy)
        self.site.trust(self.file('CarlRSASelf.cer'),
                        self.file('CarlDSSSelf.cer'))
        self.site.know(*sorted(glob.glob(self.file('*.cer'))))

    def file(self, name):
        return os.path.join(self.dir, name)

    def mail(self, number):
        if os.path.exists(self.file(number + '.eml')):
            return read(self.file(number + '.eml'))
        kind = 'enveloped-data' if number[0] in '57' else \
            'certs-only' if number == '4.11' else 'signed-data'
        return material.cms_mail(read(self.file(number + '.bin')), kind,
                                 ALICE_RSA)

    def openssl(self, argv, data):
        return material.openssl_cms(
            ['-keyform', 'DER', *argv] if '-sign' in argv else argv, data,
            ALICE_RSA)

    def sign(self, *argv):
        """What Alice signs with her key."""
        pem = os.path.join(base, 'alice-rsa.pem')
        write(pem, must_run(
            ['openssl', 'x509', '-inform', 'DER', '-in',
             self.file('AliceRSASignByCarl.cer')]))
        return self.openssl(['-sign', '-binary', '-signer', pem, '-inkey',
                             self.file('AlicePrivRSASign.pri'), *argv],
                            material.entity())

    def encrypt(self, *argv):
        """What somebody encrypts for Bob."""
        return self.openssl(
            ['-encrypt', '-binary', *argv, '-recip',
             write(os.path.join(base, 'bob-rsa.pem'), must_run(
                 ['openssl', 'x509', '-inform', 'DER', '-in',
                  self.file('BobRSASignByCarl.cer')]))],
            material.entity())


def rfc4134():
    return Rfc4134('4134')


def rfc4134_old():
    return Rfc4134('4134-old', OLD)


@test
def S196_S197_S198_S199_objects_of_rfc4134():
    new, old = once(rfc4134), once(rfc4134_old)
    for number, by_default, by_old in OBJECTS:
        mail = new.mail(number)
        for r, want in ((new, by_default), (old, by_old)):
            out, v = r.site.open(mail, BOB_RSA, ALICE_RSA)
            says(v, *want[:3], what=number)
            if want[3] is not None:
                equal(v['signature']['algorithm'], want[3], number)
            # None of it is a MIME entity: everything stays as it arrived.
            equal(lib.body(out), lib.body(mail), number)
            check(b'smime=pass' not in out, number, out)


@test
def S65_mailing_list_history_of_rfc4134_is_seen():
    _, v = once(rfc4134_old).site.open(once(rfc4134).mail('4.10'), BOB_RSA)
    check('came through a list' in v['warnings'], 'not seen', v['warnings'])


@test
def S197_S198_alice_of_rfc4134_signs_with_sha_1_and_a_short_key():
    new, old = once(rfc4134), once(rfc4134_old)
    mail = new.sign('-md', 'sha1')
    _, v = new.site.open(mail, BOB_RSA, ALICE_RSA)
    says(v, 'policy', 'S68', 'digest SHA-1 not allowed')
    # weak any: computed, and said, but no pass.
    _, v = old.site.open(mail, BOB_RSA, ALICE_RSA)
    says(v, 'policy', 'S68', 'SHA-1')
    equal(v['signature']['signer'], ALICE_RSA, 'not computed')
    _, v = old.site.open(mail.replace(b'some', b'same'), BOB_RSA, ALICE_RSA)
    says(v, 'fail', 'S70', 'digest')


@test
def S198_short_keys_of_rfc4134_pass_only_by_rsa_bits():
    new, old = once(rfc4134), once(rfc4134_old)
    mail = new.sign('-md', 'sha256')
    _, v = new.site.open(mail, BOB_RSA, ALICE_RSA)
    says(v, 'policy', 'S68', '1024')
    # The chain itself is of SHA-1 and 1024 bits.
    _, v = old.site.open(mail, BOB_RSA, ALICE_RSA)
    check(v['signature']['failed_step'] in (None, 'S72'), 'the signature',
          v['signature'])


def need_bobs_key(r):
    path = write(os.path.join(base, 'bob-rsa-key.pem'), must_run(
        ['openssl', 'pkey', '-inform', 'DER', '-in',
         r.file('BobPrivRSAEncrypt.pri')]))
    status, err = r.site.import_key(path)
    if status == 65 and b'RSA key of 1024 bits' in err:
        raise lib.Skip('key import takes no RSA key of 1024 bits, so what '
                       'is for it stays closed')
    equal(status, 0, 'import: %s' % lib.show(err))


@test
def S98_S198_bob_of_rfc4134_reads_with_a_short_key():
    r = once(rfc4134)
    need_bobs_key(r)
    for cipher in ('-des3', '-aes-128-cbc'):
        out, v = r.site.open(r.encrypt(cipher), BOB_RSA)
        opened(v, 'decrypted', what=cipher)
        check(b'This is some sample content.' in out, cipher, out)
    # Those of the RFC hold bare text, no entity (RFC 8551 3.1).
    for number in ('5.1', '5.3'):
        mail = r.mail(number)
        out, v = r.site.open(mail, BOB_RSA)
        opened(v, 'failed', 'does not open', number)
        equal(lib.body(out), lib.body(mail), number)


@test
def S100_rc2_and_des_only_with_legacy():
    status, _, err = lib.run(['openssl', 'list', '-providers', '-provider',
                              'legacy'])
    if status != 0:
        raise lib.Skip('OpenSSL has no legacy provider: ' +
                       lib.show(err, 100))
    new = once(rfc9216)
    old = Rfc9216('9216-legacy', 'decrypt-policy {\n legacy yes\n}\n')
    equal(old.site.import_key(old.file('5.5'), 'bob')[0], 0, 'import')
    for cipher in ('-rc2-40', '-rc2-64', '-rc2-128', '-des'):
        mail = new.encrypt(material.entity(), '5.3', '-provider', 'legacy',
                           '-provider', 'default', cipher)
        out, v = new.site.open(mail, BOB)
        opened(v, 'failed', 'cipher', cipher)
        equal(lib.body(out), lib.body(mail), cipher)
        out, v = old.site.open(mail, BOB)
        opened(v, 'decrypted', what=cipher)
        check(b'This is some sample content.' in out, cipher, out)


# ---- real-life mail of Bouncy Castle's tests ----

AT_2006 = """verify-policy {
    rsa-bits 1024
    weak     any
    time     2006-09-01T12:00:00Z
}
"""
SHA1_GOOD = ('policy', 'S68', 'digest SHA-1 (')
# File: signature with weak digests computed, who signed. What openssl cms
# says of them without asking for a path is "successful" for all.
SIGNED = {
    # Outlook 2011 for Mac: attributes that are no DER SET OF
    '3nnn_smime.eml': ('policy', 'S67', 'not DER', None),
    # the certificates in it vouch for one another in a circle
    'circular.eml': (*SHA1_GOOD, 'armin@privasphere.com'),
    # Outlook 11: multipart/mixed within, a preamble
    'embeddedmulti.message': (*SHA1_GOOD, 'hauser@'),
    # an entity that ends in several blank lines
    'extra-nl.eml': (*SHA1_GOOD, 'test@example.com'),
    # through Exchange 6.5 and three gateways
    'multi-alternative.eml': (*SHA1_GOOD, 'EDIFACT@landenergie.de'),
    # PSS with the longest salt there is room for
    'openssl-signed-sha256-non-default-salt-length.eml':
        ('policy', 'S68', 'salt', None),
    # lines that end in "=" and blanks
    'qp-soft-break.eml': (*SHA1_GOOD, 'martijn@izecom.com'),
    'quotable.message': (*SHA1_GOOD, 'arminha@student.ethz.ch'),
}
# The same with the PKI of the validator; what it would come to besides.
SHORT = ('policy', 'S68', 'RSA key of 512 bits', 'arminha@student.ethz.ch')
VALIDATOR = {
    'validMail': (*SHA1_GOOD, 'arminha@student.ethz.ch'),
    'longValidity': (*SHA1_GOOD, 'arminha@student.ethz.ch'),
    'expired': (*SHA1_GOOD, 'arminha@student.ethz.ch'),
    'notYetValid': (*SHA1_GOOD, 'arminha@student.ethz.ch'),
    'revoked': (*SHA1_GOOD, 'arminha@student.ethz.ch'),
    'noEmail': (*SHA1_GOOD, None),
    'shortKey': SHORT,
    'keyUsage': ('policy', 'S71', 'keyUsage', 'arminha@student.ethz.ch'),
    'extKeyUsage': ('policy', 'S71', 'extKeyUsage',
                    'arminha@student.ethz.ch'),
}


def bouncy():
    s = material.Reader(os.path.join(base, 'bc'), 'example.org',
                        extra=AT_2006)
    return s.trust(os.path.join(material.need('smime-bc'),
                                'validator.root.crt'))


def bouncy_new():
    return material.Reader(os.path.join(base, 'bc-new'), 'example.org')


def judge(name, mail, want):
    """With AT_2006, and with the default policy never better."""
    what = name
    status, _, err = lib.run(['openssl', 'cms', '-verify', '-noverify',
                              '-out', '/dev/null'], mail)
    equal(status, 0, 'openssl, %s: %s' % (name, lib.show(err)))
    out, v = once(bouncy).open(mail, 'bob@example.org')
    says(v, *want[:3], what=what)
    equal((v['signature']['signer'] or '')[:len(want[3] or '')],
          want[3] or '', what)
    equal(lib.body(out), lib.body(mail), what + ': altered')
    _, v = once(bouncy_new).open(mail, 'bob@example.org')
    check(v['signature']['result'] == 'policy' and
          v['signature']['failed_step'] in ('S67', 'S68'), what,
          v['signature'])
    return out


@test
def S197_S199_signed_mail_of_many_programs():
    d = material.need('smime-bc')
    for name, want in sorted(SIGNED.items()):
        judge(name, read(d, name), want)


@test
def S68_S71_S198_mail_for_a_validator():
    d = material.need('smime-bc')
    for name, want in sorted(VALIDATOR.items()):
        mail = read(d, 'validator.%s.eml' % name)
        check(b'H\xe4b' in mail.split(b'\n\n')[0], name + ': no umlaut')
        # A From in Latin-1 has no reader; nobody is known to be weak.
        _, v = once(bouncy).open(mail, 'bob@example.org')
        check(v['signature']['result'] == 'policy', name, v['signature'])
        judge(name, mail.replace(b'H\xe4b', b'Haeb', 1), want)


@test
def S70_altered_mail_of_many_programs_fails():
    d = material.need('smime-bc')
    for name, old, new in (
            ('circular.eml', b'hello world', b'hello worms'),
            ('embeddedmulti.message', b'\nHello', b'\nHallo'),
            ('qp-soft-break.eml', b'test =\n', b'test=\n'),
            ('validator.keyUsage.eml', b'Test Mail', b'Text Mail'),
            ('extra-nl.eml', b'\n\n------=_Part_0_1891120562',
             b'\n------=_Part_0_1891120562')):
        mail = read(d, name).replace(b'H\xe4b', b'Haeb', 1)
        check(old in mail, name + ': nothing to alter')
        # The last one: the boundary, not the field that names it.
        at = mail.rindex(old) if old.startswith(b'\n\n-') \
            else mail.index(old)
        mail = mail[:at] + mail[at:].replace(old, new, 1)
        _, v = once(bouncy).open(mail, 'bob@example.org')
        says(v, 'fail', 'S70', 'digest', name)


@test
def S118_lists_of_the_nineties_are_not_taken():
    """MD5, SHA-1, DSA: whoever can forge them could take back everything
    that a CA issued. That of the validator says for ever what it says."""
    s = material.Reader(os.path.join(base, 'crl'), 'example.org')
    files = [os.path.join(material.need('smime-bc'), 'validator.revoked.crl')]
    files += sorted(glob.glob(os.path.join(material.need('rfc4134'),
                                           '*.crl')))
    for root in ('CarlRSASelf.cer', 'CarlDSSSelf.cer'):
        s.trust(os.path.join(material.need('rfc4134'), root))
    s.trust(os.path.join(material.need('smime-bc'), 'validator.root.crt'))
    equal(len(files), 7, 'lists')
    for f in files:
        status, said = import_crl(s, f)
        equal(status, 65, f)
        check(b'too weak' in said or b'nextUpdate' in said, f, said)


@test
def S63_what_is_no_mail_of_bouncy_castle():
    d = material.need('smime-bc')
    s = once(bouncy_new)
    for name in ('basicAS2.message', 'rawAS2.message'):
        data = read(d, name)
        # HTTP, not mail; without its request line a binary signature that
        # no transfer encoding announces.
        _, v = s.open(data, 'bob@example.org')
        equal(v, None, name)
        _, v = s.open(data.split(b'\n', 1)[1], 'bob@example.org')
        says(v, 'neutral', 'S63', 'CMS', name)
    for name, kind in (('attachonly.eml', 'normal'),
                       ('brokenEnv.message', 'normal')):
        mail = read(d, name)
        out, v = s.open(mail, 'bob@example.org')
        says(v, 'none', what=name)
        equal(v['class'], kind, name)
        equal(lib.body(out), lib.body(mail), name)


@test
def S95_S100_encrypted_mail_of_bouncy_castle():
    d = material.need('smime-bc')
    to = 'massi@direct.tiani-spirit.net'
    s = material.Reader(os.path.join(base, 'tiani'),
                        'direct.tiani-spirit.net')
    for name in ('test128', 'test192', 'test256'):
        mail = read(d, name + '.message')
        out, v = s.open(mail, to)
        opened(v, 'no-key', what=name)
        equal(lib.body(out), lib.body(mail), name)
    # By a key identifier that is not in the certificate, and for nobody's
    # address (A9).
    mail = read(d, 'outlook_2010_beta_sime_msg.eml')
    out, v = s.open(mail, 'john.doe@example.net')
    opened(v, 'no-key')
    equal(lib.body(out), lib.body(mail), 'outlook')
    both = write(os.path.join(base, 'massi.pem'),
                 read(d, 'cert.pem') + read(d, 'key.pem'))
    status, err = s.import_key(both)
    if status == 65 and b'RSA key of 1024 bits' in err:
        raise lib.Skip('key import takes no RSA key of 1024 bits, so what '
                       'is for it stays closed')
    equal(status, 0, 'import: %s' % lib.show(err))
    out, v = s.open(read(d, 'test192.message'), to)
    opened(v, 'decrypted')
    equal(lib.leaves(out), [('text/plain', b'Ciao from vienna')], 'text')
    # A content key of 192 bits under the label of another cipher (A3).
    for name in ('test128', 'test256'):
        mail = read(d, name + '.message')
        out, v = s.open(mail, to)
        opened(v, 'failed', 'does not open', name)
        equal(lib.body(out), lib.body(mail), name)


@test
def S98_expired_certificate_of_a_person_that_is_a_ca_still_opens():
    """Self-signed by "openssl req -x509", which says CA:TRUE."""
    d = material.need('smime-bc')
    s = material.Reader(os.path.join(base, 'sample'), 'example.org')
    cert = os.path.join(d, 'smimeTKcert.pem')
    s.know(cert)
    status, err = s.import_key(os.path.join(d, 'smimeTKkey.pem'))
    equal(status, 0, 'import: %s' % lib.show(err))
    mail = material.openssl_cms(['-encrypt', '-binary', '-aes-256-cbc',
                                 '-recip', cert], material.entity())
    out, v = s.open(mail, 'sample@example.org')
    if v['decryption']['result'] != 'decrypted':
        raise lib.Skip('the key of a certificate with CA:TRUE is imported '
                       'but never used')
    opened(v, 'decrypted')
    check(b'This is some sample content.' in out, 'text', out)


# ---- seeds of a fuzzer ----

@test
def A14_A15_S63_objects_of_a_fuzzer_get_an_answer():
    d = material.need('fuzz-cms')
    s = material.Reader(os.path.join(base, 'fuzz'), 'example.org')
    names = sorted(os.listdir(d))
    check(len(names) >= 400, 'only %d' % len(names))
    results = {}
    for i, name in enumerate(names[::8 if lib.SANITIZER else 1]):
        der = read(d, name)
        kind = ('signed-data', 'enveloped-data', 'authEnveloped-data',
                'compressed-data')[i % 4]
        out, v = s.open(material.cms_mail(der, kind), 'bob@example.org')
        check(v is not None, name + ': no verdict')
        got = (v['signature']['result'], v['decryption']['result'])
        check('pass' not in got and 'decrypted' not in got, '%s: %s' %
              (name, got))
        check(b'smime=pass' not in out, name, out)
        results[got] = results.get(got, 0) + 1
    print('#', results)


if __name__ == '__main__':
    lib.main(setup)
