#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""One message, recipients of several kinds, a real Postfix: each gets the
copy that is his, once; those whose copy goes on in the transaction and those
whose copy comes back over the port without a milter."""
import contextlib
import json
import os
import re
import signal
import socket
import struct
import sys
import threading
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

ALICE = 'alice@example.com'
OUTSIDE = '192.0.2.7'
CANARY = b'CANARY-2b9e-for-some-eyes'
SEALED = ('bob', 'carol')         # sign and encrypt
SIGNED = ('dave',)                # sign
PLAIN = ('erin', 'frank')         # nothing
EVERYBODY = SEALED + SIGNED + PLAIN

RULES = '''
outbound to bob@example.org carol@example.org : sign, encrypt
outbound to dave@example.org                  : sign
outbound to grace@example.org                 : sign, encrypt or quarantine
outbound                                      : pass
inbound                                       : decrypt, verify
'''

a = relay = None


class Relay:
    """A port before the re-injection port: passes on, or refuses with a
    line of SMTP."""

    def __init__(self, port):
        self.port, self.to = lib.free_port(), port
        self.seen = 0
        self.refuse = []      # of the connections to come
        self.sock = socket.create_server(('127.0.0.1', self.port))
        threading.Thread(target=self.run, daemon=True).start()
        lib.at_exit(self.sock.close)

    def run(self):
        while True:
            try:
                s, _ = self.sock.accept()
            except OSError:
                return
            self.seen += 1
            line = self.refuse.pop(0) if self.refuse else None
            threading.Thread(target=self.one, args=(s, line),
                             daemon=True).start()

    def one(self, s, line):
        with s:
            if line:
                s.sendall(line)
                return
            with socket.create_connection(('127.0.0.1', self.to)) as t:
                back = threading.Thread(target=pump, args=(t, s))
                back.start()
                pump(s, t)
                back.join()


def pump(source, to):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            to.sendall(data)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def setup():
    global a, relay
    lib.limits()
    lib.need_postfix()
    a = lib.Site(os.path.join(lib.temporary(), 'a'), 'example.com', RULES,
                 extra='sign-for alice@example.com network 127.0.0.1/32\n'
                 'quarantine {\n size 10M\n keep 30d\n}')
    a.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
           'Test CA')
    for who in (ALICE, 'bob@example.org', 'carol@example.org'):
        a.must('ca', 'issue', '--email', who, '--algorithm', 'ec:p256')
    if b'"cert"' not in a.cmd('quarantine', 'list', '--json')[1]:
        a.cmd('quarantine', 'init')
    p = a.with_postfix()
    relay = Relay(p.plain)
    a.milter = 'reinject smtp "127.0.0.1:%d"' % relay.port
    a.set_conf()
    p.users += ['erin', 'frank']
    boxes = ['{ %s@example.org = %s/ }' % (u, u) for u in EVERYBODY]
    boxes += ['{ %s = %s/ }' % x for x in (
        (ALICE, 'alice'), ('Dave@Example.org', 'dave'),
        ('grace@example.org', 'grace'))]
    p.configure({}, a.socket, virtual_mailbox_domains='example.com '
                'example.org', virtual_mailbox_maps='inline:{ %s }' %
                ' '.join(boxes), smtputf8_enable='yes')
    a.own()
    a.start()
    p.start()


def fresh():
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    for user in a.postfix.users:
        a.postfix.empty(user)
    relay.seen = 0


def text(number, to='bob@example.org, carol@example.org', more=''):
    return ('From: %s\nTo: %s\nSubject: for many %s\n'
            'Message-ID: <split-%s@example.com>\n'
            'Date: Sat, 21 Nov 2026 10:00:00 +0000\n%sMIME-Version: 1.0\n'
            'Content-Type: text/plain\n\n%s %s\n' %
            (ALICE, to, number, number, more, CANARY.decode(),
             number)).encode()


def at(user):
    return user + '@example.org'


def submit(message, to, sender=ALICE, mail=(), rcpt=None):
    """rcpt: parameters of each address -> (code, text)."""
    c = lib.Client(a.postfix.port, ALICE, OUTSIDE)
    try:
        code, said = c.mail(sender, list(mail))
        for t in to:
            if code < 400:
                code, said = c.rcpt(t, list((rcpt or {}).get(t, ())))
        if code < 400:
            code, said = c.data(lib.crlf(message))
        return code, said.decode()
    finally:
        c.close()


def kind(data):
    t = (lib.header(data, 'Content-Type') or [''])[0]
    if t.startswith('application/pkcs7-mime'):
        return 'sealed'
    return 'signed' if t.startswith('multipart/signed') else 'plain'


def each_has_his(users=EVERYBODY):
    """Everybody one mail, and of his kind."""
    found = {}
    for user in users:
        found[user] = a.postfix.wait_mail(user)[0]
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    for user in users:
        mails = a.postfix.mails(user)
        equal(len(mails), 1, 'mails for ' + user)
        equal(kind(mails[0]), 'sealed' if user in SEALED else 'signed'
              if user in SIGNED else 'plain', 'kind for ' + user)
        equal(CANARY in mails[0], user not in SEALED,
              'readable to all for ' + user)
    return found


def keys_in(data):
    """For how many it is sealed."""
    status, out, err = lib.run(['openssl', 'cms', '-cmsout', '-print',
                                '-inform', 'SMIME'], data)
    check(status == 0, 'openssl cannot read it', err)
    return len(re.findall(rb'encryptedKey:', out))


def nothing_odd_in_the_log():
    for line in a.postfix.log().split('\n'):
        check('configuration error' not in line and 'fatal:' not in line,
              'the MTA says', line)


@test
def M23_M24_S129_five_recipients_three_groups():
    fresh()
    code, said = submit(text(1), [at(u) for u in EVERYBODY])
    equal(code, 250, said)
    found = each_has_his()
    equal(found['bob'].split(b'\n\n', 1)[1], found['carol'].split(
        b'\n\n', 1)[1], 'both visible ones get the same')
    equal(keys_in(found['bob']), 2, 'keys for those who may know each other')
    equal(relay.seen, 2, 'connections to the re-injection port')
    nothing_odd_in_the_log()


@test
def S131_S133_bcc_has_a_copy_alone_and_is_not_named():
    fresh()
    code, said = submit(text(2, to='bob@example.org'),
                        [at('bob'), at('carol')])
    equal(code, 250, said)
    found = {u: a.postfix.wait_mail(u)[0] for u in SEALED}
    check(found['bob'].split(b'\n\n', 1)[1] !=
          found['carol'].split(b'\n\n', 1)[1], 'the same octets for both')
    check(b'carol' not in found['bob'], 'bob can read who is in Bcc',
          found['bob'][:2000])
    for u in SEALED:
        equal(len(a.postfix.mails(u)), 1, 'mails for ' + u)
        equal(keys_in(found[u]), 1, 'keys in the mail of ' + u)


@test
def M21_recipients_are_removed_in_any_spelling():
    fresh()
    code, said = submit(text(3, to='bob@example.org'),
                        ['<bob@example.org>', '<Dave@Example.org>',
                         'erin@EXAMPLE.ORG', '<"frank"@example.org>'])
    equal(code, 250, said)
    each_has_his(('bob', 'dave', 'erin', 'frank'))


@test
def S49_M22_one_report_for_each_recipient():
    fresh()
    params = {at(u): ['NOTIFY=SUCCESS', 'ORCPT=rfc822;Old+2B%s@Example.net' %
                      u] for u in EVERYBODY}
    code, said = submit(text(4), [at(u) for u in EVERYBODY], mail=[
        'RET=HDRS', 'ENVID=QQ314159'], rcpt=params)
    equal(code, 250, said)
    each_has_his()
    lib.wait_for(lambda: len(re.findall(
        rb'(?m)^Final-Recipient:', b'\n'.join(a.postfix.mails('alice')))) >=
        len(EVERYBODY), 'five reports')
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    told = b'\n'.join(a.postfix.mails('alice'))
    for u in EVERYBODY:
        equal(len(re.findall(rb'(?m)^Final-Recipient: rfc822; *%s@' %
                             u.encode(), told)), 1, 'reports about ' + u)
        equal(len(re.findall(rb'(?m)^Original-Recipient: rfc822; *'
                             rb'Old\+%s@Example.net' % u.encode(), told)), 1,
              'original recipient ' + u)
    equal(len(re.findall(rb'(?m)^Original-Envelope-Id: QQ314159', told)),
          len(a.postfix.mails('alice')), 'envelope ids')
    check(CANARY not in told, 'RET=HDRS, and the content came back')


@test
def S49_never_stays_never():
    fresh()
    params = {at('dave'): ['NOTIFY=NEVER'], at('erin'): ['NOTIFY=NEVER'],
              at('bob'): ['NOTIFY=NEVER']}
    code, said = submit(text(5, to='bob@example.org'),
                        [at('bob'), at('dave'), at('erin')], rcpt=params)
    equal(code, 250, said)
    each_has_his(('bob', 'dave', 'erin'))
    equal(a.postfix.mails('alice'), [], 'reports that nobody wanted')


@test
def M24_refused_copy_and_the_retry_skips_the_rest():
    fresh()
    before = counters()
    relay.refuse = [None, b'421 4.3.2 not now\r\n']
    to = [at(u) for u in EVERYBODY]
    code, said = submit(text(6), to)
    equal(code, 451, said)
    equal(relay.seen, 2, 'connections')
    code, said = submit(text(6), to)
    equal(code, 250, said)
    each_has_his()
    now = counters()
    check(now['journal_skipped'] > before['journal_skipped'],
          'nobody was skipped', now)
    equal(now['duplicates_possible'], before['duplicates_possible'],
          'duplicates')


@test
def M24_journal_survives_a_restart():
    fresh()
    relay.refuse = [None, b'421 4.3.2 not now\r\n']
    to = [at(u) for u in EVERYBODY]
    equal(submit(text(7), to)[0], 451, 'first try')
    a.stop()
    a.start()
    lib.wait_for(lambda: submit(text(7), to)[0] == 250, 'the second try',
                 every=0.5)
    each_has_his()


@test
def M10_refused_for_good_when_nobody_has_anything():
    fresh()
    relay.refuse = [b'554 5.3.2 never\r\n',
                    b'220 x\r\n250 x\r\n554 5.3.2 never\r\n']
    code, said = submit(text(8), [at(u) for u in EVERYBODY])
    equal(code, 451, 'no greeting: nothing is said of the mail: ' + said)
    code, said = submit(text(8), [at(u) for u in EVERYBODY])
    equal(code, 554, said)
    check('never' in said and 'id ' in said, 'the reply says nothing', said)
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    for u in EVERYBODY:
        equal(a.postfix.mails(u), [], 'mails for ' + u)


@test
def M24_equal_mails_with_no_message_id_are_two():
    fresh()
    message = text(9).replace(b'Message-ID: <split-9@example.com>\n', b'')
    to = [at(u) for u in EVERYBODY]
    for _ in range(2):
        equal(submit(message, to)[0], 250, 'said')
    for u in EVERYBODY:
        a.postfix.wait_mail(u, 2)
        equal(len(a.postfix.mails(u)), 2, 'mails for ' + u)


@test
def M26_M27_no_header_makes_us_skip_a_message():
    """attack A52: a header that says that we have seen it
    verdict: there is no such header; it is treated like any other"""
    fresh()
    marks = ('Received: by mx.example.com (postseal) with ESMTP id x;\n'
             '\tSat, 21 Nov 2026 10:00:00 +0000\n'
             'X-Postseal: done\nX-Postseal-Marker: 1\n')
    code, said = submit(marks.encode() + text(10), [at('bob'), at('erin')])
    equal(code, 250, said)
    each_has_his(('bob', 'erin'))


@test
def M29_M22_smtputf8_recipients_in_a_copy():
    fresh()
    code, said = submit(text(11, to='bob@example.org'),
                        [at('bob'), at('erin')], mail=['SMTPUTF8',
                                                       'BODY=8BITMIME'])
    equal(code, 250, said)
    each_has_his(('bob', 'erin'))


@test
def M20_who_says_ehlo_decides_nothing():
    """A stranger: no signature, and what must be encrypted and signed is
    refused, to everybody."""
    fresh()
    c = lib.Client(a.postfix.port, None, OUTSIDE)
    c.ehlo('localhost')
    c.mail(ALICE)
    for u in EVERYBODY:
        c.rcpt(at(u))
    code, said = c.data(lib.crlf(text(12)))
    c.close()
    if code == 250:  # an inbound message to strangers of ours: as it came
        for u in EVERYBODY:
            check(kind(a.postfix.wait_mail(u)[0]) == 'plain', 'signed', u)
    else:
        check(code >= 500, 'said', said)


def counters():
    """Those about copies; the process of the metrics may be a moment late."""
    text = lib.wait_for(ask_metrics, 'the metrics')
    return {m.group(1): int(m.group(2)) for m in
            re.finditer(r'(?m)^postseal_(\w+?)_total (\d+)$', text)}


def ask_metrics():
    with contextlib.suppress(OSError), urllib.request.urlopen(
            'http://127.0.0.1:%d/metrics' % a.metrics, timeout=60) as r:
        return r.read().decode()
    return None


def held():
    return json.loads(a.must('quarantine', 'list', '--json'))


@test
def M23_M24_held_for_one_and_sent_to_the_others():
    fresh()
    before = counters()['held']
    code, said = submit(text(15, to='bob@example.org, grace@example.org'),
                        [at('bob'), at('erin'), at('grace')])
    equal(code, 250, said)
    each_has_his(('bob', 'erin'))
    equal(counters()['held'], before + 1, 'held copies')
    equal(len(held()), 1, 'held mail')
    # nobody is left in the transaction: it is dropped, not bounced
    code, said = submit(text(16, to='grace@example.org'), [at('grace')])
    equal(code, 250, said)
    equal(len(held()), 2, 'held mail')
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    check('grace' not in ' '.join(x for x in a.postfix.log().split('\n')
                                  if 'to=<' in x and 'status=' in x),
          'the MTA tried to deliver it')


def reload(milter):
    before = counters()['reloads']
    a.milter = milter
    a.set_conf()
    os.kill(a.child.pid, signal.SIGHUP)
    lib.wait_for(lambda: counters()['reloads'] > before, 'the reload')


@test
def M23_reinject_comes_and_goes_with_a_reload():
    fresh()
    reload('')
    code, said = submit(text(13), [at(u) for u in EVERYBODY])
    equal(code, 550, said)
    equal(negotiated(0x1ff & ~0x08)[:1], b'c', 'DELRCPT is not needed')
    reload('reinject smtp "127.0.0.1:%d"' % relay.port)
    code, said = submit(text(14), [at(u) for u in EVERYBODY])
    equal(code, 250, said)
    each_has_his()


def negotiated(actions):
    """What the milter says to MAIL on a connection of its own."""
    def packet(s, what, data=b''):
        s.sendall(struct.pack('!I', len(data) + 1) + what + data)

    def answer(s):
        n = struct.unpack('!I', s.recv(4, socket.MSG_WAITALL))[0]
        return s.recv(n, socket.MSG_WAITALL)

    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(120)
        s.connect(a.socket)
        packet(s, b'O', struct.pack('!III', 6, actions, 0))
        check(answer(s)[:1] == b'O', 'no negotiation')
        packet(s, b'M', b'<alice@example.com>\0')
        said = answer(s)
        packet(s, b'Q')
        return said


@test
def M2_mta_that_cannot_remove_recipients_gets_a_451():
    equal(negotiated(0x1ff)[:1], b'c', 'an MTA that can do all')
    said = negotiated(0x1ff & ~0x08)
    check(said.startswith(b'y451 4.3.5'), 'without DELRCPT', said)
    said = negotiated(0x1ff & ~0x02)
    check(said.startswith(b'y451 4.3.5'), 'without CHGBODY', said)


@test
def M6_nothing_odd_was_said():
    nothing_odd_in_the_log()
    now = counters()
    check(now['reinjected'] > 5, 'copies', now)
    equal(now['worker_deaths'], 0, 'deaths')


if __name__ == '__main__':
    sys.exit(lib.main(setup))
