#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Groups, shared mailboxes and the right to sign out of a real OpenLDAP:
never reached, there, and away again."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import directories  # noqa: E402
import lib  # noqa: E402
from directories import CA, Slapd  # noqa: E402
from lib import check, equal, test, wait_for  # noqa: E402

ALICE, BOB = 'alice@example.com', 'bob@example.org'
MANY = 1203  # more than two pages
RULES = '''group   vip      ldap staff "(ou=vip)"
group   many     ldap staff "(ou=many)"
outbound to vip many : sign, encrypt
outbound         : sign, encrypt or plain
inbound          : decrypt, verify
'''
EXTRA = '''directory {
    ldap "%s"
    name staff
    base "o=partner"
    lists-every 1s
    timeout 20s
}
address-map ldap staff "(description=*)" address mail opens-with description
authority   ldap staff "(employeeType=signer)" login uid address mail
'''
MAIL = b'''From: %s
To: %s
Subject: %s
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <%s@example.com>

hello inside
'''
base = a = b = slapd = None
count = 0


def person(uid, address, more):
    return directories.entry(address, []).replace(
        'uid: ' + address.split('@', maxsplit=1)[0], 'uid: ' + uid).strip(
        ) + '\n' + more + '\n\n'


def setup():
    global base, a, b, slapd
    directories.need_directories()
    base = lib.temporary()
    a, b = lib.two_sites(base)
    tls = CA(os.path.join(base, 'tls'), 'TLS CA')
    os.chmod(tls.dir, 0o755)
    slapd = Slapd(os.path.join(base, 'slapd'),
                  person('x', 'vip@partner.example', 'ou: vip') +
                  person('y', 'info@example.com', 'description: ' + ALICE) +
                  ''.join(person('m%d' % i, 'm%d@many.example' % i,
                                 'ou: many') for i in range(MANY)) +
                  # the secretary may sign as alice
                  person('secretary', ALICE, 'employeeType: signer'), tls)
    with open(slapd.conf, 'a', encoding='utf-8') as f:
        # else no more than 500 entries in all, however many pages
        f.write('limits * size.soft=500 size.prtotal=unlimited\n')
    a.set_rules(RULES)
    a.set_conf(EXTRA % slapd.ldap)
    a.postfix.users = ('alice', 'info', 'dave')
    a.postfix.configure({'partner.example': b.postfix.port,
                         'many.example': b.postfix.port}, a.socket)
    for x in (a, b):
        x.own()
        x.start()
        x.postfix.start()


def submit(login, to, sender=ALICE):
    """-> (code, text) of what a login of a's gets for its mail."""
    global count
    count += 1
    return lib.send(a.postfix.port, sender, to, MAIL % (
        sender.encode(), to.encode(), b'%d' % count, b'm%d' % count), login)


def sealed_for_alice():
    global count
    count += 1
    status, out, err = b.cmd('seal', '--from', BOB, '--to', ALICE,
                             data=MAIL % (BOB.encode(), ALICE.encode(),
                                          b'sealed', b's%d' % count))
    equal(status, 0, 'seal: ' + lib.show(err))
    check(b'hello' not in out, 'not sealed', out)
    return out


def bring(to, message):
    return lib.send(a.postfix.port, BOB, to, message, addr='192.0.2.77')


def until(condition, what):
    wait_for(condition, lambda: what + '; log:\n' +
             a.milter_log()[-6000:])


@test
def what_was_never_fetched_is_unknown_and_waits():
    # her own right and her own key need no list
    code, text = submit('alice', BOB)
    equal(code, 451, 'whether bob is in the group: ' + text)
    code, text = bring('info@example.com', sealed_for_alice())
    equal(code, 451, 'whose mailbox info is: ' + text)
    code, text = bring(ALICE, sealed_for_alice())
    equal(code, 250, text)
    until(lambda: 'event=list-fetch-failed' in a.milter_log(),
          'nothing is said of it')
    # each list is tried by itself
    until(lambda: re.search(rb'group staff.*never fetched', a.must('status')),
          'what was not fetched is not in status')


@test
def lists_come_and_count():
    slapd.start()
    until(lambda: submit('secretary', BOB)[0] == 250, 'no right to sign')
    code, text = submit('alice', BOB)
    equal(code, 250, text)


@test
def S59_A35_who_is_not_in_the_list_may_not_sign():
    """attack A35: a login writes as somebody whom it does not belong to
    verdict: 550 5.7.1 that names the login"""
    code, text = submit('mallory', BOB)
    equal(code, 550, text)
    check('5.7.1' in text and 'login mallory may not sign' in text and
          ALICE in text, text)
    # to read is not to sign
    code, text = submit('alice', BOB, 'info@example.com')
    equal(code, 550, text)


@test
def a_group_of_a_directory_must_be_encrypted_to():
    code, text = submit('alice', 'vip@partner.example')
    equal(code, 550, text)
    check('5.7.3' in text and 'vip@partner.example' in text, text)


@test
def all_pages_of_a_list_are_there():
    until(lambda: submit('alice', 'm0@many.example')[0] == 550,
          'the group is not known')
    for n in (499, 500, 501, 1000, MANY - 1):
        code, text = submit('alice', 'm%d@many.example' % n)
        check(code == 550 and '5.7.3' in text, '%d' % n, text)
    code, text = submit('alice', 'm%d@many.example' % MANY)
    equal(code, 250, text)


@test
def A9_a_shared_mailbox_opens_by_the_directorys_word():
    """attack A9: ciphertext for alice sent to somebody else in the house
    verdict: opened for info, whose owner she is, and for nobody else"""
    until(lambda: bring('info@example.com', sealed_for_alice())[0] == 250,
          'the map is not known')
    mail = a.postfix.wait_mail('info')[0]
    check(b'hello inside' in mail, 'not opened', mail)
    code, text = bring('dave@example.com', sealed_for_alice())
    equal(code, 250, text)
    mail = a.postfix.wait_mail('dave')[0]
    check(b'hello inside' not in mail, 'opened for dave', mail)


@test
def an_old_list_holds_while_the_directory_is_away():
    slapd.stop()
    until(lambda: b'the list of then holds' in a.must('status'),
          'status does not say it')
    code, text = submit('alice', 'vip@partner.example')
    equal(code, 550, text)
    code, text = submit('secretary', BOB)
    equal(code, 250, text)
    code, text = bring('info@example.com', sealed_for_alice())
    equal(code, 250, text)
    # also with processes that were not there when it was fetched
    a.stop()
    a.start()
    code, text = submit('alice', 'vip@partner.example')
    equal(code, 550, text)
    code, text = submit('secretary', BOB)
    equal(code, 250, text)


if __name__ == '__main__':
    lib.main(setup)
