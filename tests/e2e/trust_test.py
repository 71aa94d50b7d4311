#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Roots for some partners and uses only, pinned and domain certificates, and
what the command says of them."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB, GATE, CAROL = ('alice@example.com', 'bob@example.org',
                           'gateway@example.org', 'carol@bank.example')
RULES = 'outbound : sign or plain, encrypt\ninbound : decrypt, verify\n'
site = partner = None
sha = {}


def issue(where, address, name=None):
    where.must('ca', 'issue', '--email', address, '--algorithm', 'ec:p256')
    rows = json.loads(where.must('cert', 'list', '--json', address))
    pem = where.path('%s-%d.pem' % (name or address, len(rows)))
    where.must('cert', 'export', rows[0]['sha256'], '--chain',
               '--out', pem)
    return pem, rows[0]['sha256']


def setup():
    global site, partner
    base = lib.temporary()
    site = lib.Site(os.path.join(base, 'a'), 'example.com', RULES)
    partner = lib.Site(os.path.join(base, 'b'), 'example.org', RULES)
    for s, name in ((site, 'Our CA'), (partner, 'Partner CA')):
        s.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
               name)
    issue(site, ALICE)
    for address in (BOB, GATE, CAROL):
        pem, sha[address] = issue(partner, address)
        site.must('cert', 'import', pem)
    site.own()


def explain(to):
    rows = json.loads(site.must('rules', 'explain', '--json', '--from', ALICE,
                                '--to', to))
    equal(len(rows), 1, str(rows))
    return rows[0]


def chosen(to):
    said = explain(to)['encrypt_to']
    cert = said['certificate']
    return (cert and cert['sha256'],
            [(o['sha256'], o['reason']) for o in said['passed_over']])


def row(what):
    rows = json.loads(site.must('cert', 'list', '--json', what))
    equal(len(rows), 1, str(rows))
    return rows[0]


@test
def what_is_wrong_is_said():
    root = lib.root_certificate(partner)
    for argv, code, text in (
            (('trust', root, '--for', 'example.org'), 64, b'want @domain'),
            (('trust', root, '--for', '@a b'), 64, b'--for'),
            (('trust', root, '--purpose', 'all'), 64, b'want sign, encrypt'),
            (('pin', BOB), 64, b'want an address'),
            (('pin', '@example.org', sha[BOB]), 64, b'want an address'),
            (('assign', sha[GATE], 'example.org'), 64, b'@domain'),
            (('assign', sha[GATE]), 64, b'@domain'),
            (('pin', BOB, '0' * 64), 65, b'no certificate'),
            (('unpin', BOB, sha[BOB]), 65, b'is not pinned'),
            (('unassign', sha[BOB], '@example.org'), 65, b'not assigned'),
            (('assign', sha[GATE], '@exa..mple'), 65, b'domain')):
        status, out, err = site.cmd('cert', *argv)
        equal(status, code, lib.show(err))
        check(text in err, text.decode(), out, err)
    cert, over = chosen(BOB)
    equal((cert, len(over)), (None, 1), 'trusted by mistake')
    check('no path to a trusted root' in over[0][1], 'reason', str(over))


@test
def a_root_is_trusted_for_its_partner():
    out = site.must('cert', 'trust', lib.root_certificate(partner), '--for',
                    '@example.org', '--purpose', 'encrypt')
    check(b'trusted for encryption of @example.org only' in out,
          'what was done', out)
    roots = [r for r in json.loads(site.must('cert', 'list', '--json'))
             if r['trusted_for']]
    equal(sorted(r['trusted_for'][0]['domain'] or '' for r in roots),
          ['', '@example.org'], 'scopes')
    equal(chosen(BOB)[0], sha[BOB], 'bob')
    cert, over = chosen(CAROL)
    equal(cert, None, 'carol')
    check('its root is trusted for encryption of @example.org only'
          in over[0][1], 'reason', str(over))
    text = site.must('cert', 'list')
    check(b'trusted root for encryption of @example.org' in text, 'list',
          text)
    text = site.must('cert', 'show', CAROL)
    check(b'only (CN=Partner CA' in text, 'show', text)
    status, out, err = site.cmd('cert', 'check', CAROL)
    equal(status, 69, lib.show(err))
    status, out, err = site.cmd('cert', 'check', BOB)
    equal(status, 0, lib.show(out + err))
    check(b'usable, but not to sign: its root is trusted for encryption' in
          out, 'one use', out)
    # by its SHA-256, for more, and for less again
    anchor = next(r['sha256'] for r in roots
                  if r['trusted_for'][0]['domain'])
    site.must('cert', 'trust', anchor)
    equal(chosen(CAROL)[0], sha[CAROL], 'carol, trusted for everything')
    out = site.must('cert', 'trust', anchor, '--for', '@*.example.org',
                    '--for', '@example.org', '--for', '@EXAMPLE.org')
    check(b'trusted for @*.example.org, @example.org only' in out, 'scopes',
          out)
    equal(chosen(CAROL)[0], None, 'carol')
    equal(chosen(BOB)[0], sha[BOB], 'bob')


@test
def S126_a_domain_certificate():
    equal(chosen('dave@example.org'), (None, []), 'dave')
    out = site.must('cert', 'assign', sha[GATE], '@Example.ORG')
    check(b'assigned to @Example.ORG' in out, 'what was done', out)
    equal(chosen('dave@example.org')[0], sha[GATE], 'dave')
    equal(chosen(BOB)[0], sha[BOB], 'bob has his own')
    equal(chosen('dave@sub.example.org')[0], None, 'below')
    equal(row(GATE)['assigned_to'], ['@example.org'], 'JSON')
    check(b'@example.org' in site.must('cert', 'list', GATE), 'list', '')
    check(b'assigned to  @example.org' in site.must('cert', 'show', GATE),
          'show', '')
    site.must('cert', 'unassign', sha[GATE], '@example.org')
    equal(chosen('dave@example.org')[0], None, 'dave')


@test
def S126_a_self_signed_domain_certificate():
    pem, key = site.path('self.pem'), site.path('self.key')
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', pem,
         '-subj', '/CN=gateway of partner.example', '-days', '30',
         '-addext', 'basicConstraints=critical,CA:FALSE',
         '-addext', 'keyUsage=critical,keyAgreement'],
        check=True, capture_output=True)
    site.must('cert', 'import', pem)
    rows = json.loads(site.must('cert', 'list', '--json'))
    new = next(r['sha256'] for r in rows if 'partner.example' in r['subject'])
    equal(site.cmd('cert', 'check', new)[0], 69, 'not without a word')
    site.must('cert', 'assign', new, '@partner.example')
    equal(site.cmd('cert', 'check', new)[0], 0, 'named by its SHA-256')
    equal(chosen('x@partner.example')[0], new, 'chosen')
    # bindings go with it
    site.must('cert', 'remove', '--yes', new)
    site.must('cert', 'import', pem)
    equal(row(new)['assigned_to'], [], 'after removal')
    equal(chosen('x@partner.example')[0], None, 'after removal')


@test
def a_pinned_certificate_stays():
    old = sha[BOB]
    site.must('cert', 'pin', BOB, old)
    pem, new = issue(partner, BOB, 'bob-new')
    site.must('cert', 'import', pem)
    cert, over = chosen(BOB)
    equal(cert, old, str(over))
    equal(over, [(new, 'another certificate is pinned for this address')],
          'reason')
    text = site.must('rules', 'explain', '--from', ALICE, '--to', BOB)
    check(b'another certificate is pinned' in text, 'text', text)
    equal(row(old)['pinned_for'], [BOB], 'JSON')
    check(b', pinned' in site.must('cert', 'list', old), 'list', '')
    site.must('cert', 'unpin', BOB, old)
    equal(chosen(BOB)[0], new, 'the newer one')
    # one that cannot be used is said so at once
    status, out, err = site.cmd('cert', 'pin', ALICE, sha[CAROL])
    equal(status, 0, lib.show(err))
    check(b'does not name alice@example.com' in err, 'note', err)
    check(b'nobody can encrypt to it' in err, 'note', err)
    site.must('cert', 'unpin', ALICE, sha[CAROL])


@test
def explanations_for_programs():
    said = explain(BOB)
    equal(said['address'], BOB, 'address')
    equal(said['direction'], 'outbound', 'direction')
    equal(said['rule']['line'], 1, 'line')
    check(said['treatment'].startswith('sign or plain, encrypt'),
          'treatment', said['treatment'])
    check(said['sign_with']['certificate']['subject'], 'signer', str(said))
    check(said['cipher'].startswith('AES-'), 'cipher', said['cipher'])
    equal(said['result'], 'signed and encrypted', 'result')


if __name__ == '__main__':
    lib.main(setup)
