#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""Certificates out of mail: alice@example.com writes to bob@example.org,
whose gateway (a real Postfix with the milter) did not know hers; somebody
writes as alice with the certificate of another CA."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
OUTSIDE = '192.0.2.7'
DAY = 86400
SIGN = 'outbound : sign\ninbound : decrypt, verify\n'
PLAIN = 'outbound : sign, encrypt or plain\ninbound : decrypt, verify\n'
HARVEST = ('outbound : sign, encrypt or plain\n'
           'inbound : decrypt, verify, harvest\n')
a = b = evil = None
start = 0


def setup():
    global a, b, evil, start
    lib.limits()
    lib.need_postfix()
    base = lib.temporary()
    a, b = lib.two_sites(base, SIGN, PLAIN, postfix=False)
    evil = lib.Site(os.path.join(base, 'evil'), 'example.com', SIGN)
    evil.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
              'Other CA')
    evil.must('ca', 'issue', '--email', ALICE, '--algorithm', 'ec:p256')
    b.must('cert', 'trust', lib.root_certificate(evil))
    b.must('cert', 'remove', '--yes', ALICE)
    issuing = [r['sha256'] for r in json.loads(
        evil.must('cert', 'list', '--json'))
        if r['is_ca'] and not r['is_anchor']]
    for sha256 in issuing:
        evil.must('cert', 'export', sha256, '--out', evil.path('ca.pem'))
        b.must('cert', 'import', evil.path('ca.pem'))
    evil.own()
    b.own()
    b.with_postfix().configure({}, b.socket)
    b.start()
    b.postfix.start()
    start = int(time.time())


def configure(rules, n, more=''):
    """Day n after the first one, by the gateway's clock."""
    b.stop()
    b.set_rules(rules)
    b.set_conf('verify-policy { time %d }\n%s' % (start + n * DAY, more))
    b.start()


def mail(subject):
    return ('From: %s\nTo: %s\nSubject: %s\nMIME-Version: 1.0\n'
            'Content-Type: text/plain\n\nHello\n' %
            (ALICE, BOB, subject)).encode()


def from_alice(by=None, n=1):
    """Signed mail of alice's to bob; -> what it is called when delivered."""
    for i in range(n):
        status, out, err = (by or a).cmd('seal', '--from', ALICE, '--to',
                                         BOB, data=mail('n%d' % i))
        equal(status, 0, lib.show(err))
        b.postfix.empty('bob')
        lib.send(b.postfix.port, ALICE, BOB, out, addr=OUTSIDE)
        got = b.postfix.wait_mail('bob')
    return got


def listed():
    return json.loads(b.must('cert', 'list', '--json', ALICE)
                      if known() else '[]')


def known():
    status, out, err = b.cmd('cert', 'list', '--json', ALICE)
    return status == 0 and json.loads(out or b'[]')


def pending():
    return json.loads(b.must('cert', 'pending', '--json'))


def wait_days(n):
    """Records are written a moment after the answer."""
    def is_there():
        rows = pending()
        return rows and max(r['days'] for r in rows) == n
    lib.wait_for(is_there, lambda: 'seen on %d days: %s' % (n, pending()))


def fingerprint(site):
    return json.loads(site.must('cert', 'list', '--json', ALICE))[0]['sha256']


def reply_uses():
    """The certificate that mail to alice is encrypted with; None: clear."""
    out = b.path('verdict.json')
    status, _, err = b.cmd('seal', '--from', BOB, '--to', ALICE, '--json',
                           out, data=mail('reply').replace(
                               ('From: ' + ALICE).encode(),
                               ('From: ' + BOB).encode()))
    equal(status, 0, lib.show(err))
    with open(out, encoding='utf-8') as f:
        certificates = json.load(f)['recipients'][0]['certificates']
    os.unlink(out)
    return certificates[0]['sha256'] if certificates else None


@test
def S123_never_on_by_default():
    from_alice()
    time.sleep(1)
    equal(known() or [], [], 'nothing is taken')


@test
def S123_open_stores_nothing():
    b.set_rules(HARVEST)
    _, out, _ = a.cmd('seal', '--from', ALICE, '--to', BOB, data=mail('x'))
    name = b.path('open.json')
    b.must('open', '--from', ALICE, '--to', BOB, '--json', name, data=out)
    with open(name, encoding='utf-8') as f:
        found = json.load(f)['harvest']
    equal(found, {'address': ALICE, 'sha256': fingerprint(a),
                  'state': 'pending', 'reason': 'seen on 1 of 3 days'},
          'harvest')
    equal(known() or [], [], 'stored')


@test
def S123_used_after_three_days():
    configure(HARVEST, 0)
    from_alice(n=3)
    wait_days(1)
    equal(len(pending()), 1, 'rows')
    row = pending()[0]
    equal((row['address'], row['sha256'], row['reason'], row['in_use']),
          (ALICE, fingerprint(a), 'seen on 1 of 3 days', None), 'row')
    text = b.must('cert', 'pending').decode()
    check(ALICE in text and '1 day since' in text and
          row['sha256'][:16] in text, 'table', text)
    equal(reply_uses(), None, 'first day')
    configure(HARVEST, 1)
    from_alice()
    wait_days(2)
    equal(reply_uses(), None, 'second day')
    configure(HARVEST, 2)
    from_alice()
    lib.wait_for(lambda: not pending(), 'nothing waits')
    equal(reply_uses(), fingerprint(a), 'third day')
    text = b.must('cert', 'show', ALICE).decode()
    check('source       harvest' in text and
          'harvested    %s, on 3 days' % ALICE in text, 'show', text)


@test
def S123_A32_key_replacement_by_signed_mail_waits():
    """attack A32: "Mailto: me your secrets": mail as alice, signed with a
    certificate of another CA that is trusted here
    verdict: pending, said in the log; the old one is used"""
    for n in (3, 4, 5, 6):
        configure(HARVEST, n)
        got = from_alice(by=evil)
        check(b'smime=pass' in got[0], 'is a pass', got[0][:2000])
        wait_days(n - 2)
    rows = pending()
    equal([(r['sha256'], r['reason'], r['in_use']) for r in rows],
          [(fingerprint(evil), 'another key is in use for this address',
            fingerprint(a))], 'rows')
    equal(reply_uses(), fingerprint(a), 'used')
    log = b.milter_log()
    check('event=harvest-pending' in log and 'address=' + ALICE in log,
          'log', log[-3000:])


@test
def S123_rejected_does_not_come_again():
    b.must('cert', 'reject', fingerprint(evil))
    equal(pending(), [], 'waits')
    from_alice(by=evil)
    time.sleep(1)
    equal(pending(), [], 'waits again')
    equal(reply_uses(), fingerprint(a), 'used')
    status, _, err = b.cmd('cert', 'reject', fingerprint(evil))
    equal(status, 65, lib.show(err))
    check(b'was not harvested' in err, 'reason', err)


@test
def S123_approve_and_replace():
    b.must('cert', 'remove', '--yes', fingerprint(evil))
    configure(HARVEST, 7)
    from_alice(by=evil)
    wait_days(1)
    status, _, err = b.cmd('cert', 'approve', ALICE)
    equal(status, 64, lib.show(err))
    said = b.must('cert', 'approve', '--replace', fingerprint(evil))
    check(b'approved, 1 replaced' in said, 'said', said)
    equal(reply_uses(), fingerprint(evil), 'used')
    states = {r['sha256']: r['state'] for r in listed()}
    equal(states.get(fingerprint(evil)), 'usable', 'states')
    text = b.must('cert', 'show', fingerprint(a)).decode()
    check('superseded' in text, 'the old one', text)
    status, _, err = b.cmd('cert', 'approve', fingerprint(a))
    equal(status, 65, lib.show(err))
    check(b'does not wait: it is superseded' in err, 'reason', err)
    notes = b.must('audit', '--json').decode()
    for action in ('harvest certificate', 'use harvested certificate',
                   'reject certificate', 'approve certificate',
                   'replace certificate'):
        check(action in notes, 'audit: ' + action, notes[-3000:])


@test
def S123_a_second_key_after_two_days_by_the_same_CA():
    configure(HARVEST, 7, 'harvest {\n days 1\n same-ca auto\n}\n')
    b.must('cert', 'remove', '--yes', fingerprint(evil))
    b.must('cert', 'remove', '--yes', fingerprint(a))
    from_alice()
    lib.wait_for(known, 'one day is enough')
    equal(reply_uses(), fingerprint(a), 'used')
    old = fingerprint(a)
    time.sleep(1.1)  # a newer one is of a later second
    a.must('ca', 'issue', '--email', ALICE, '--algorithm', 'ec:p256')
    a.own()
    from_alice()
    lib.wait_for(lambda: len(listed()) == 2, 'two')
    equal(sorted(r['state'] for r in listed()), ['usable', 'usable'],
          'nothing is overwritten')
    check(reply_uses() not in (None, old), 'the new one is used')


if __name__ == '__main__':
    sys.exit(lib.main(setup))
