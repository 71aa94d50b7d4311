#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""encrypt or tls, with a real Postfix and contrib/postfix/tls-route.master.cf:
who has no certificate gets his mail over a verified hop, and where there is
none it stays in the queue, whatever the next server offers."""
import contextlib
import json
import os
import re
import smtplib
import socketserver
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402
from relay import Relay, need_relay  # noqa: E402
from sink import Session, Sink  # noqa: E402

ALICE = 'alice@example.com'
BOB = 'bob@example.org'          # has a certificate
XENIA = 'xenia@partner.example'  # has none
YVES = 'yves@partner.example'
CANARY = 'CANARY-71ce-not-in-clear'
NAME = 'mx.partner.example'

RULES = '''
outbound to @partner.example : sign, encrypt or tls
outbound                     : sign, encrypt
inbound                      : decrypt, verify
'''

a = hop = anywhere = None


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class TlsSession(Session):
    """One that offers STARTTLS as the sink's mode says, and keeps every
    octet that it can read."""
    is_tls = False
    born = None

    def command(self, line):
        sink = self.server.sink
        self.born = self.born or sink.mode
        if self.born != sink.mode:
            return False  # a connection that was kept
        sink.octets.append(line)
        if line[:4].upper() in (b'EHLO', b'LHLO') and not self.is_tls and \
                sink.mode != 'none':
            self.say(b'250-sink.example\r\n250-STARTTLS')
        if line[:8].upper() != b'STARTTLS' or sink.mode == 'none':
            if line[:4].upper() == b'MAIL':
                sink.mails.append(self.is_tls)
            return super().command(line)
        self.say(b'220 go on')
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*sink.certs[sink.mode])
        self.connection = context.wrap_socket(self.connection,
                                              server_side=True)
        self.rfile = self.connection.makefile('rb')
        self.wfile = self.connection.makefile('wb', 0)
        self.is_tls = True
        return True

    def data(self):
        before = len(self.server.sink.seen)
        super().data()
        for seen in self.server.sink.seen[before:]:
            self.server.sink.octets.append(seen.data)


class TlsSink(Sink):
    """mode: good, untrusted, other-name, none."""

    def __init__(self, folder, certs):
        super().__init__(folder)
        super().stop()
        self.certs, self.mode = certs, 'good'
        self.octets, self.mails = [], []
        self.server = Server(('127.0.0.1', 0), TlsSession)
        self.server.sink = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def fresh(self, mode):
        self.forget()
        self.octets.clear()
        self.mails.clear()
        self.mode = mode

    def read(self):
        return b''.join(self.octets)


def make_cert(name, host):
    key, cert = a.path(name + '.key'), a.path(name + '.pem')
    lib.must_run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                  'ec_paramgen_curve:P-256', '-nodes', '-days', '30',
                  '-subj', '/CN=' + host, '-addext',
                  'subjectAltName=DNS:' + host, '-keyout', key, '-out',
                  cert])
    return cert, key


def snippet(port):
    """contrib/postfix/tls-route.master.cf with our places."""
    with open(os.path.join(lib.TOP, 'contrib/postfix/tls-route.master.cf'),
              encoding='utf-8') as f:
        text = f.read()
    for old, new in (
            ('127.0.0.1:10027 inet', '127.0.0.1:%d inet' % port),
            ('    -o smtpd_milters=inet:127.0.0.1:8891',
             '    -o smtpd_milters='),
            ('    -o content_filter=securesmtp:\n',
             '    -o content_filter=securesmtp:[127.0.0.1]:%d\n' % hop.port),
            ('    -o smtp_tls_security_level=secure\n',
             '    -o smtp_tls_security_level=secure\n'
             '    -o smtp_tls_secure_cert_match=%s\n'
             '    -o smtp_tls_CAfile=%s\n' % (NAME, a.path('cas.pem')))):
        check(old in text, '%s is not in the file' % old)
        text = text.replace(old, new)
    return text


def setup():
    global a, hop, anywhere
    lib.limits()
    lib.need_postfix()
    a = lib.Site(os.path.join(lib.temporary(), 'a'), 'example.com', RULES)
    a.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
           'Test CA')
    for who in (ALICE, BOB):
        a.must('ca', 'issue', '--email', who, '--algorithm', 'ec:p256')
    certs = {'good': make_cert('good', NAME),
             'untrusted': make_cert('untrusted', NAME),
             'other-name': make_cert('other', 'mx.other.example')}
    with open(a.path('cas.pem'), 'wb') as f:
        for mode in ('good', 'other-name'):
            with open(certs[mode][0], 'rb') as g:
                f.write(g.read())
    hop = TlsSink(a.path('far'), certs)
    p = a.with_postfix()
    port = lib.free_port()
    a.milter = 'tls-route smtp "127.0.0.1:%d"' % port
    a.set_conf()
    p.services = snippet(port) + 'tlsmgr unix - - n 1000? 1 tlsmgr\n'
    # where any other mail to the partner goes, as it is
    anywhere = Sink(a.path('anywhere'))
    p.ready = lambda: p.configure(
        {'partner.example': anywhere.port}, a.socket,
        virtual_mailbox_domains='example.com example.org',
        virtual_mailbox_maps='inline:{ { %s = bob/ } { %s = alice/ } }' %
        (BOB, ALICE))
    p.ready()
    a.own()
    os.chmod(a.dir, 0o755)
    os.chmod(a.path('cas.pem'), 0o644)
    a.start()
    p.start()


def text(number, more='', to=XENIA):
    return ('From: %s\nTo: %s\nSubject: number %s\n'
            'Message-ID: <route-%s@example.com>\n%sMIME-Version: 1.0\n'
            'Content-Type: text/plain\n\n%s %s\n' %
            (ALICE, to, number, number, more, CANARY, number)).encode()


def submit(message, to):
    c = lib.Client(a.postfix.port, ALICE, '192.0.2.7')
    try:
        return c.submit(ALICE, to, message)
    finally:
        with contextlib.suppress(Exception):
            c.quit()


def fresh(mode):
    lib.wait_for(lambda: not a.postfix.queued(), 'an empty queue')
    for user in a.postfix.users:
        a.postfix.empty(user)
    hop.fresh(mode)


def take(number, message, to):
    code, said = submit(message, to)
    equal(code, 250, 'message %s: %s; log:\n%s' %
          (number, said, a.milter_log()[-3000:]))


def expect_kept(before):
    """Postfix has tried, failed for TLS, and keeps it."""
    lib.wait_for(lambda: re.search(r'status=deferred', a.postfix.log()[
        before:]), lambda: 'a deferral; log:\n' +
        a.postfix.log()[before:][-3000:])
    check(a.postfix.queued(), 'it is not in the queue any more')
    equal(hop.mails, [], 'MAIL commands at the next server')
    equal(anywhere.seen, [], 'mails by any hop')
    check(CANARY.encode() not in hop.read(), 'the canary got out')
    check(b'partner.example' not in hop.read().replace(NAME.encode(), b''),
          'the envelope got out', hop.read())


def expect_far(n):
    lib.wait_for(lambda: len(hop.seen) >= n, lambda: '%d mails there; log:\n'
                 % n + a.postfix.log()[-3000:])
    equal(len(hop.seen), n, 'mails at the next server')
    equal(anywhere.seen, [], 'mails by any hop')
    equal(hop.mails, [True] * len(hop.mails), 'all of them inside TLS')
    for seen in hop.seen:
        check(CANARY.encode() in seen.data, 'its text', seen.data)
        check(b'multipart/signed' in seen.data, 'its signature', seen.data)
        check(b'RET=HDRS' in seen.mail, 'reports without it', seen.mail)


@test
def T56_over_a_verified_hop_it_arrives():
    fresh('good')
    take(1, text(1), XENIA)
    expect_far(1)
    equal(hop.seen[0].to(), [XENIA], 'recipients')
    fresh('good')
    take(2, text(2, to='%s, %s' % (BOB, XENIA)), [BOB, XENIA, YVES])
    expect_far(1)
    equal(sorted(hop.seen[0].to()), [XENIA, YVES], 'recipients')
    sealed = a.postfix.wait_mail('bob')[0]
    check(b'pkcs7-mime' in sealed and CANARY.encode() not in sealed,
          'the other copy is sealed', sealed)
    equal(len(a.postfix.mails('bob')), 1, 'copies')


@test
def T56_T34_without_one_it_waits():
    """attack T56: the next server offers no TLS, or shows a certificate that
    nobody trusts, or one of another name
    verdict: no MAIL, no octet of it; it stays in the queue, and leaves when
    the server is the right one"""
    for n, mode in enumerate(('none', 'untrusted', 'other-name')):
        fresh(mode)
        before = len(a.postfix.log())
        take(mode, text('wait-' + mode), [XENIA, BOB])
        expect_kept(before)
        a.postfix.wait_mail('bob')
        hop.mode = 'good'
        a.postfix.flush()
        expect_far(1)


@test
def T56_nothing_in_the_message_decides():
    """attack T56: a header, a class or a blind recipient asks for less, or
    looks like what comes from us
    verdict: it waits as any other"""
    fresh('none')
    before = len(a.postfix.log())
    cases = ('TLS-Required: No\n', 'X-Postseal-Route: reinject\n',
             'Auto-Submitted: auto-replied\n', 'List-Id: <x.example.com>\n',
             'Received: by mx.example.com (postseal) with ESMTP id x; now\n',
             'Bcc: %s\n' % XENIA)
    for n, more in enumerate(cases):
        take(n, text('h%d' % n, more, BOB), [BOB, XENIA])
    expect_kept(before)
    a.postfix.wait_mail('bob', len(cases))
    for mail in a.postfix.mails('bob'):
        check(CANARY.encode() not in mail, 'in clear', mail)
    equal(hop.mails, [], 'MAIL commands at the next server')
    hop.mode = 'good'
    a.postfix.flush()
    expect_far(len(cases))
    for seen in hop.seen:
        check(b'tls-required' not in seen.data.lower(), 'TLS-Required',
              seen.data)


DOOR = """
door out {
    listen    lmtp "127.0.0.1:%d"
    next-hop  smtp "127.0.0.1:%d"
    tls-route lmtp "127.0.0.1:%d"
    direction outbound
    login     envelope-from
}
"""


def by_lmtp(port, to, message):
    """-> replies to the message, one for each recipient."""
    c = smtplib.LMTP('127.0.0.1', port, 'client.example', timeout=60)
    try:
        c.ehlo_or_helo_if_needed()
        equal(c.mail(ALICE)[0], 250, 'MAIL')
        for t in to:
            equal(c.rcpt(t)[0], 250, 'RCPT ' + t)
        equal(c.docmd('DATA')[0], 354, 'DATA')
        c.send(lib.crlf(message) + b'.\r\n')
        return [c.getreply() for t in to]
    finally:
        with contextlib.suppress(Exception):
            c.quit()


@test
def T56_a_door_hands_it_to_another_hop():
    """As it is with the relay's LMTP port: an answer for each recipient, and
    the one that has no verified hop is his alone."""
    port = lib.free_port()
    onward = Sink(os.path.join(lib.temporary(), 'onward'))
    verified = Sink(os.path.join(lib.temporary(), 'verified'), lmtp=True)
    verified.refuse['yves'] = b'451 4.7.5 yves: no DANE, no match'.decode()
    fresh('good')
    a.stop()
    a.set_conf(DOOR % (port, onward.port, verified.port))
    a.start()
    try:
        got = by_lmtp(port, [BOB, XENIA, YVES], text('door'))
        equal([c for c, said in got], [250, 250, 451], 'replies: %s' % got)
        check(b'4.7.5' in got[2][1] and b'no DANE' in got[2][1],
              'the reason', got)
        equal([s.to() for s in onward.seen], [[BOB]], 'by the next hop')
        equal([s.to() for s in verified.seen], [[XENIA]], 'by tls-route')
        check(CANARY.encode() not in onward.seen[0].data, 'in clear')
        check(CANARY.encode() in verified.seen[0].data, 'its text')
        # it comes again when the hop is right
        verified.refuse.clear()
        got = by_lmtp(port, [XENIA, YVES], text('door'))
        equal([c for c, said in got], [250, 250], 'replies: %s' % got)
        equal([s.to() for s in verified.seen], [[XENIA], [YVES]],
              'each once')
    finally:
        a.stop()
        a.set_conf('')
        a.start()


RELAY = """
    ca corp {
        file "%s"
    }
    listen egress {
        protocol lmtp
        on "127.0.0.1:%d"
        route far
        require verified
    }
    route far {
        host "127.0.0.1:%d"
        rest 0s
    }
    tls-policy {
        default may
        %s
    }
"""


@test
def T56_through_the_relay():
    """The other kind of route: the port hands it to postseal-relay, whose
    listener takes no hop that is not verified."""
    need_relay()
    rule = 'to [127.0.0.1]:%d secure match %s ca corp' % (hop.port, NAME)
    lmtp, port = lib.free_port(), lib.free_port()
    r = Relay(os.path.join(lib.temporary(), 'relay'), RELAY %
              (a.path('cas.pem'), lmtp, hop.port, rule))
    p = a.postfix
    fresh('good')
    a.stop()
    p.stop()
    milter, services = a.milter, p.services
    a.milter = 'tls-route smtp "127.0.0.1:%d"' % port
    p.services = ('127.0.0.1:%d inet n - n - - smtpd\n  -o smtpd_milters=\n'
                  '  -o content_filter=lmtp:[127.0.0.1]:%d\n' % (port, lmtp))
    try:
        r.start()
        a.set_conf()
        p.ready()
        a.start()
        p.start()
        take('relay', text('relay'), XENIA)
        expect_far(1)
        for mode in ('none', 'untrusted', 'other-name'):
            fresh(mode)
            before = len(p.log())
            take(mode, text('relay-' + mode), [XENIA, BOB])
            expect_kept(before)
            hop.mode = 'good'
            p.flush()
            expect_far(1)
        # no line asks for anything: the listener does
        r.stop()
        r.set_conf(RELAY % (a.path('cas.pem'), lmtp, hop.port, ''))
        r.start()
        fresh('none')
        before = len(p.log())
        take('may', text('relay-may'), XENIA)
        expect_kept(before)
        p.command('postsuper', '-c', os.path.join(p.dir, 'etc'), '-d', 'ALL')
    finally:
        r.stop()
        a.stop()
        p.stop()
        a.milter, p.services = milter, services
        a.set_conf()
        p.ready()
        a.start()
        p.start()


@test
def T56_the_command_says_and_writes_the_route():
    out = os.path.join(lib.temporary(), 'copies')
    status, _, err = a.cmd('seal', '--from', ALICE, '--to', BOB, '--to',
                           XENIA, '--out-dir', out, data=text('dir'))
    equal(status, 0, err)
    check(b'tls-route' in err, 'a note', err)
    with open(os.path.join(out, 'verdict.json'), 'rb') as f:
        v = json.load(f)
    routes = {c['group']: c['route'] for c in v['copies']}
    by = {r['address']: r for r in v['recipients']}
    equal(by[XENIA]['outcome'], 'tls-required', 'outcome')
    equal(routes, {by[XENIA]['group']: 'tls'}, 'routes')
    for who, clear in ((XENIA, True), (BOB, False)):
        with open(os.path.join(out, 'group-%d.eml' % by[who]['group']),
                  'rb') as f:
            equal(CANARY.encode() in f.read(), clear, who)
    status, output, err = a.cmd('seal', '--from', ALICE, '--to', XENIA,
                                data=text('out'))
    equal((status, output), (69, b''), err)
    check(b'--out-dir' in err, 'what mends it', err)
    alone = os.path.join(lib.temporary(), 'alone')
    status, _, err = a.cmd('seal', '--from', ALICE, '--to', XENIA,
                           '--out-dir', alone, data=text('alone'))
    equal(status, 0, err)
    equal(sorted(os.listdir(alone)), ['group-1.eml', 'group-1.rcpt',
                                      'verdict.json'], 'files')
    said = a.must('rules', 'explain', '--from', ALICE, '--to', XENIA,
                  '--auth', ALICE).decode()
    check('by tls-route alone' in said, 'the result', said)


if __name__ == '__main__':
    sys.exit(lib.main(setup))
