#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Files of older systems, read by postseal relay import, and what comes out
run by a relay: s/qmail's tlsdestinations and domaincerts, Postfix's table of
policies, stunnel.conf. Ports are the real ones, on loopback addresses of our
own."""
import base64
import grp
import os
import pwd
import re
import signal
import socket
import ssl
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import (POSTSEAL, Skip, at_exit, check,  # noqa: E402
                  equal, free_port, must_run, run, test, wait_for)
from directories import Zones, need_directories, read, write  # noqa: E402
from mta import Postfix  # noqa: E402
from relay import (CA, Relay, Server, Talk, TlsSession,  # noqa: E402
                   TlsSink, anybody, need_relay, sha256)

NET = '127.0.9.%d'
BOARD, ALICE = 'carol@board.example', 'alice@a.example'
GOOD, SELF, CLEAR = 'good', 'self', 'clear'
W = {}  # the world of this file

CONF = '''
{imported}
    listen lmtp {{
        protocol lmtp
        on "127.0.0.1:{lmtp}"
        route egress
    }}
    route egress {{
        mx
        nearby 127.0.0.0/8
        rest 0s
{via}    }}
{routes}
    resolver {{
        anchor "{anchor}"
        forward "127.0.0.1@{dns}"
    }}
'''


# ---- next hops at real ports ----

class Curious(TlsSession):
    """Remembers which message came with whose certificate."""

    def data(self):
        shown = (self.connection.getpeercert() or {}) if self.secure else {}
        with self.server.sink.lock:
            self.server.sink.shown.append(
                [x[1] for x in shown.get('subjectAltName', ())])
        super().data()


def listen_at(sink, number, port):
    """The sink listens there as well."""
    try:
        server = Server((NET % number, port), Curious)
    except OSError as e:
        raise Skip('%s:%d: %s' % (NET % number, port, e)) from e
    server.sink = sink
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at_exit(lambda: (server.shutdown(), server.server_close()))


def make_sink(name, tls=None, **more):
    sink = TlsSink(os.path.join(W['dir'], 'sink-' + name), tls, **more)
    sink.shown = []
    sink.server.RequestHandlerClass = Curious
    return sink


def self_signed(folder, *names):
    key, crt = (os.path.join(folder, 'self.' + x) for x in ('key', 'crt'))
    must_run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
              'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out',
              crt, '-days', '30', '-subj', '/CN=self', '-addext',
              'subjectAltName=' + ','.join('DNS:' + n for n in names)])
    os.chmod(key, 0o600)
    return key, crt


# ---- the world ----

QMAIL = '''
# tlsdestinations of a qmail server
*:
bare.old.example:{ca}|||3;{good}
stranger.old.example:{ca};{self}
=equal.old.example:{ca};{good}
=unequal.old.example:{ca};{good}
=mx.hosted.example:{ca};{good}
~tilde.old.example:{ca};{good}
~tolde.old.example:{ca};{good}
-anon.old.example:;{self}
-stripped.old.example:;{clear}
!never.old.example:;{good}
%pin.old.example:={pin};{self}
%badpin.old.example:={nopin};{self}
smtps.old.example:{ca}||;465
ciphers.old.example:{ca}|ECDHE-ECDSA-AES128-GCM-SHA256|;{good}
-board.old.example:;{self}|board.example
!board.old.example:;{clear}
'''

# domain, sender, who has to get it, and inside of TLS or not; or the answer
QMAIL_TABLE = [
    ('bare', ALICE, GOOD, True),
    ('stranger', ALICE, SELF, '451 4.7.5'),
    ('equal', ALICE, GOOD, True),
    ('unequal', ALICE, GOOD, '451 4.7.5'),
    ('tilde', ALICE, GOOD, True),
    ('tolde', ALICE, GOOD, '451 4.7.5'),
    ('anon', ALICE, SELF, True),
    ('stripped', ALICE, CLEAR, '451 4.7.4'),
    ('never', ALICE, GOOD, False),
    ('pin', ALICE, SELF, True),
    ('badpin', ALICE, SELF, '451 4.7.5'),
    ('smtps', ALICE, 'smtps', True),
    ('ciphers', ALICE, GOOD, True),
    ('board', BOARD, SELF, True),
    ('board', ALICE, CLEAR, False),
    ('other', ALICE, CLEAR, False),
]

POSTFIX = '''# smtp_tls_policy_maps of a Postfix server
{name}.none.pf.example          none
{name}.may.pf.example           may
{name}.encrypt.pf.example       encrypt protocols=>=TLSv1.2 ciphers=high
{name}.verify.pf.example        verify tafile={ca}
    match=mx.pf.example
{name}.secure.pf.example        secure tafile={ca},
    match=mx.pf.example:.mx.pf.example
{name}.fingerprint.pf.example   fingerprint match={colons}
{name}.dane.sec.example         dane
{name}.dane-only.sec.example    dane-only
'''
# as Postfix has it for its own hosts: a host and a port
BRACKETS = '[mx.box.example]:{port} encrypt servername=mx.pf.example\n'

POSTFIX_TABLE = {
    'none': {GOOD: False, SELF: False, CLEAR: False},
    'may': {GOOD: True, SELF: True, CLEAR: False},
    'encrypt': {GOOD: True, SELF: True, CLEAR: '451 4.7.4'},
    'verify': {GOOD: True, SELF: '451 4.7.5', CLEAR: '451 4.7.4'},
    'secure': {GOOD: True, SELF: '451 4.7.5', CLEAR: '451 4.7.4'},
    'fingerprint': {GOOD: '451 4.7.5', SELF: True, CLEAR: '451 4.7.4'},
    'dane': {GOOD: True, SELF: '451 4.7.5', CLEAR: '451 4.7.4'},
    'dane-only': {GOOD: True, SELF: '451 4.7.5', CLEAR: '451 4.7.4'},
}


def make_hops():
    d = W['dir']
    ca = W['ca'] = CA(os.path.join(d, 'ca'))
    good = ca.server('bare.old.example', 'equal.old.example',
                     'mx.tilde.old.example', 'mx.hosted.example',
                     'mx.pf.example', 'smtps.old.example')
    own = W['self'] = self_signed(d, 'stranger.old.example', 'mx.pf.example')
    W['sink'] = {GOOD: make_sink(GOOD, good), SELF: make_sink(SELF, own),
                 CLEAR: make_sink(CLEAR),
                 'smtps': make_sink('smtps', good, implicit=True)}
    context = W['sink'][GOOD].context
    context.load_verify_locations(ca.crt)
    context.verify_mode = ssl.CERT_OPTIONAL
    for n, kind in enumerate((GOOD, SELF, CLEAR), 1):
        listen_at(W['sink'][kind], n, 25)
    listen_at(W['sink']['smtps'], 4, 465)
    return good


def make_zones(good):
    """Of old.example each name is a host; mail servers are told apart by
    port there, by address elsewhere."""
    zones = W['zones'] = Zones(os.path.join(W['dir'], 'zones'))
    hosts = ''.join('%s.old.example. 300 IN A %s\n' % (n, a) for n, a in
                    {(r[0], {'smtps': NET % 4, 'other': NET % 3}.get(
                        r[0], '127.0.0.1')) for r in QMAIL_TABLE})
    zones.add('old.example', hosts, signed=False, anchored=False)
    zones.add('hosted.example', 'mx.hosted.example. 300 IN A 127.0.0.1\n',
              signed=False, anchored=False)
    zones.add('box.example', 'mx.box.example. 300 IN A 127.0.0.1\n',
              signed=False, anchored=False)
    kinds = list(enumerate((GOOD, SELF, CLEAR), 1))
    zones.add('pf.example', ''.join(
        '%s.%s.pf.example. 300 IN A %s\n' % (k, level, NET % n)
        for level in POSTFIX_TABLE for n, k in kinds if 'dane' not in level),
        signed=False, anchored=False)
    pin = sha256(good[1])
    zones.add('sec.example', ''.join(
        '{k}.{l}.sec.example. 300 IN A {a}\n_25._tcp.{k}.{l}.sec.example. '
        '300 IN TLSA 3 0 1 {p}\n'.format(k=k, l=level, a=NET % n, p=pin)
        for level in ('dane', 'dane-only') for n, k in kinds))
    add_far(zones, pin)
    zones.start()


def add_far(zones, pin):
    """Where a Postfix sends to: one with a record, one with another's, one
    without TLS, one of which nothing is known."""
    for name, n, is_signed in (('safe', 1, True), ('liar', 2, True),
                               ('strict', 3, False), ('anyone', 3, False)):
        text = ('{z}. 300 IN MX 10 mx.{z}.\nmx.{z}. 300 IN A {a}\n'
                '_25._tcp.mx.{z}. 300 IN TLSA 3 0 1 {p}\n').format(
                    z=name + '.example', a=NET % n, p=pin)
        zones.add(name + '.example', text if is_signed else
                  text[:text.index('_25')], signed=is_signed,
                  anchored=is_signed)


def setup():
    base.need_root()
    need_relay()
    need_directories()
    W['dir'] = base.temporary('relay-older')
    make_zones(make_hops())


def imported(form, text, status=0, name=None):
    """What the command makes of it."""
    path = write(os.path.join(W['dir'], name or form), text)
    found, out, err = run([POSTSEAL, 'relay', 'import', form, path])
    equal(found, status, 'relay import %s: %r' % (form, err + out))
    return out.decode()


def relay_of(name, text, via='', routes=''):
    port = free_port()
    r = Relay(os.path.join(W['dir'], 'relay-' + name), CONF.format(
        imported=text, lmtp=port, anchor=W['zones'].anchor, via=via,
        dns=W['zones'].port, routes=routes)).start()
    r.lmtp = port
    return r


def try_mail(relay, to, sender, kind, wanted):
    sink = W['sink'][kind]
    sink.forget()
    with sink.lock:
        sink.lines.clear()
        sink.shown.clear()
    t = Talk(relay.lmtp)
    t.reply()
    said = t.mail(sender, [to], lmtp=True)
    t.say('QUIT')
    t.close()
    what = '%s from %s: %s' % (to, sender, wanted)
    if isinstance(wanted, str):
        check(any(s.startswith(wanted) for s in said), what, said,
              relay.log()[-2000:])
        equal(['MAIL' in sink.commands(), sink.seen], [False, []], what)
        return said
    check(said[-1].startswith('250'), what, said, relay.log()[-2000:])
    equal([x.to() for x in sink.seen], [[to]], what)
    equal(['MAIL' in sink.commands(True), 'MAIL' in sink.commands(False)],
          [wanted, not wanted], what)
    return said


# ---- s/qmail ----

def qmail_files():
    ports = {k: W['sink'][k].port for k in (GOOD, SELF, CLEAR)}
    policy = imported('tlsdestinations', QMAIL.format(
        ca=W['ca'].crt, pin=sha256(W['self'][1]).upper(), nopin='0' * 64,
        **ports).replace('|||3;', '||3;'))
    key, crt = W['ca'].client(BOARD)
    certs = imported('domaincerts', '# DOMAIN:CERTIFICATE|KEY|PASSWORD\n'
                     'board.example:%s|%s|\n' % (crt, key))
    return policy, certs


def qmail_relay():
    """The two files in one relay."""
    if 'qmail' not in W:
        W['qmail'] = relay_of(
            'qmail', ''.join(qmail_files()),
            '        via hosted.example hosted\n',
            '    route hosted {\n        host "mx.hosted.example:25"\n'
            '        nearby 127.0.0.0/8\n    }\n')
    return W['qmail']


@test
def T70_tlsdestinations_and_domaincerts_are_imported_and_honoured():
    policy, certs = qmail_files()
    for word in ('client-cert from @board.example pki', 'default may\n',
                 'port 465 implicit', ' none ', 'from @board.example'):
        check(word in policy + certs, 'no "%s"' % word, policy, certs)
    r = qmail_relay()
    for domain, sender, kind, wanted in QMAIL_TABLE:
        said = try_mail(r, 'bob@%s.old.example' % domain, sender, kind,
                        wanted)
        if wanted == '451 4.7.5':
            check('postseal.conf:' in ''.join(said), 'no rule named', said)
    # "=" and "%" name hosts, too: those that a route names
    try_mail(r, 'bob@hosted.example', ALICE, GOOD, True)


@test
def T44_each_senders_domain_shows_its_certificate():
    r, sink = qmail_relay(), W['sink'][GOOD]
    r.reload()  # no connection of before
    for sender, shown in ((BOARD, [BOARD]), (ALICE, []), (BOARD, [BOARD]),
                          ('dave@board.example', [BOARD]), (ALICE, [])):
        try_mail(r, 'bob@bare.old.example', sender, GOOD, True)
        equal(sink.shown, [shown], 'shown for ' + sender)


@test
def what_tlsdestinations_cannot_keep_is_said():
    text = imported('tlsdestinations', '%%old.example:=%s\nx:;6209\n' %
                    ('ab' * 20), 65, 'lost')
    for word in ('line 1 IS NOT KEPT', 'SHA-1 pins nothing: --probe',
                 'QMTPS is not spoken', '2 lines are NOT KEPT'):
        check(word in text, word, text)


# ---- Postfix's table ----

@test
def T34_T42_T57_a_postfix_table_is_imported_and_honoured():
    digest = sha256(W['self'][1]).upper()
    colons = ':'.join(digest[i:i + 2] for i in range(0, 64, 2))
    text = imported('tls_policy', ''.join(
        POSTFIX.format(name=k, ca=W['ca'].crt, colons=colons)
        for k in (GOOD, SELF, CLEAR)) + BRACKETS.format(
            port=W['sink'][SELF].port))
    r = relay_of('postfix-table', text, '        via box.example box\n',
                 '    route box {\n        host "[mx.box.example]:%d"\n'
                 '        nearby 127.0.0.0/8\n    }\n' %
                 W['sink'][SELF].port)
    for level, row in POSTFIX_TABLE.items():
        zone = 'sec' if 'dane' in level else 'pf'
        for kind, wanted in row.items():
            try_mail(r, 'bob@%s.%s.%s.example' % (kind, level, zone), ALICE,
                     kind, wanted)
    try_mail(r, 'bob@box.example', ALICE, SELF, True)
    r.stop()


# ---- stunnel ----

STUNNEL = '''; stunnel.conf
pid = /var/run/stunnel.pid
debug = 5
socket = l:TCP_NODELAY=1
cert = {crt}
key = {key}

[pop3s]
accept = {here}:995
connect = {here}:110
protocol = proxy

[plain-pop3s]
accept = {here}:1995
connect = {here}:1110
sslVersionMin = TLSv1.3

[out]
client = yes
accept = {here}:2110
connect = {there}:995
CAfile = {ca}
verifyChain = yes
checkHost = pop.example.net

[liar]
client = yes
accept = {here}:2111
connect = {there}:995
CAfile = {ca}
verifyChain = yes
checkHost = pop.example.org
'''


class Pop3:
    """A daemon of a few words that has no TLS, or nothing else. came: the
    lines of its clients."""

    def __init__(self, number, port, tls=None, proxy=False):
        self.proxy, self.came, self.context = proxy, [], None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls[1], tls[0])
        try:
            self.sock = socket.create_server((NET % number, port))
        except OSError as e:
            raise Skip('%s:%d: %s' % (NET % number, port, e)) from e
        at_exit(self.sock.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, peer = self.sock.accept()
            except OSError:
                return
            try:
                with c:
                    self.talk(c, peer[0])
            except OSError:
                pass

    def talk(self, c, peer):
        if self.context:
            c = self.context.wrap_socket(c, server_side=True)
        lines = c.makefile('rwb', buffering=0)
        if self.proxy:
            peer = lines.readline().decode().split(' ')[2]
        lines.write(b'+OK hello %s\r\n' % peer.encode())
        for line in lines:
            self.came.append(line.decode().strip())
            lines.write(b'+OK\r\n')
            if line.upper().startswith(b'QUIT'):
                return


def pop3_says(port, source, number=5, **tls):
    t = Talk(port, source=source, host=NET % number, **tls)
    hello = t.line()
    t.send('USER alice\r\nQUIT\r\n')
    said = [hello, t.line(), t.line()]
    t.close()
    return said


@test
def T66_T67_stunnel_conf_995_to_110_and_the_daemon_sees_the_client():
    ca = W['ca']
    key, crt = ca.server('pop.example.com')
    Pop3(5, 110, proxy=True)
    Pop3(5, 1110)
    far = Pop3(6, 995, ca.server('pop.example.net'))
    text = imported('stunnel', STUNNEL.format(
        here=NET % 5, there=NET % 6, ca=ca.crt, crt=crt, key=key))
    for word in ('protocol pop3', 'implicit', 'proxy-v1',
                 'min-protocol 1.3', 'name pop.example.net'):
        check(word in text, 'no ' + word, text)
    r = Relay(os.path.join(W['dir'], 'stunnel-relay'), text).start()
    trust = ssl.create_default_context(cafile=ca.crt)
    how = {'implicit': True, 'context': trust, 'sni': 'pop.example.com'}
    equal(pop3_says(995, '127.0.0.77', **how)[0], '+OK hello 127.0.0.77',
          'whom the daemon sees')
    check(pop3_says(1995, '127.0.0.77', **how)[0].startswith('+OK hello'),
          'a daemon that knows no PROXY')
    equal(pop3_says(2110, '127.0.0.77')[1:], ['+OK', '+OK'], 'a client')
    equal(far.came, ['USER alice', 'QUIT'], 'what came out of TLS')
    try:
        said = pop3_says(2111, '127.0.0.77')
    except OSError:
        said = ['']
    check('+OK hello' not in said[0], 'a name that is another', said)
    equal(len(far.came), 2, 'lines to who is not who he should be')
    r.wait_log(r'listen=liar')
    r.stop()


@test
def a_service_that_cannot_be_kept_is_a_comment():
    text = imported('stunnel', '[pop3s]\naccept = 995\nconnect = 110\n'
                    'cert = /x.pem\nlibwrap = yes\n', 65, 'stunnel-lost')
    check('IS NOT KEPT' in text and 'allow and deny' in text and
          'listen pop3s' not in text, 'a comment', text)


# ---- a submission server's exact answers ----

SUBMISSION = '''
    pki mx {{
        cert "{crt}"
        key "{key}"
    }}
    ca corp {{
        file "{ca}"
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{start}" starttls-required
        pki mx
        auth passwd "passwd"
        route end
    }}
    listen persons {{
        protocol submission
        on "127.0.0.1:{persons}" starttls-required
        pki mx
        client-cert require ca corp
        route end
    }}
    route end {{
        host "127.0.0.1:{end}" tls none
    }}
'''
MUST = '530 5.7.0 Must issue a STARTTLS command first'
AWAY = '454 4.7.0 TLS not available due to temporary reason'
LACK = '554 5.7.0 Command refused due to lack of security'
AGAIN = '554 5.5.1 Error: TLS already active'


def submission():
    if 'submission' in W:
        return W['submission']
    key, crt = W['ca'].server('mx.example.com')
    for name in ('start', 'persons'):
        W[name] = free_port()
    r = Relay(os.path.join(W['dir'], 'submission'), SUBMISSION.format(
        crt=crt, key=key, ca=W['ca'].crt, end=W['sink'][CLEAR].port,
        start=W['start'], persons=W['persons']))
    must_run([POSTSEAL, 'relay', 'passwd', '--password-file', '-',
              r.path('passwd'), ALICE], b'seven-mauve-kites-41\n')
    W['submission'] = r.start()
    return r


def greeted(port):
    t = Talk(port)
    t.reply()
    check('STARTTLS' in t.say('EHLO client.example'), 'offered')
    return t


@test
def T1_T3_T4_T6_530_501_554_as_they_were():
    submission()
    t = greeted(W['start'])
    for line, said in (
            ('MAIL FROM:<%s>' % ALICE, MUST), ('AUTH PLAIN AGEAYg==', MUST),
            ('AUTH LOGIN', MUST), ('RCPT TO:<bob@b.example>', MUST),
            ('starttls now', '501 5.5.4 STARTTLS has no parameters'),
            ('DATA', MUST), ('STARTTLS', '220 2.0.0 Ready to start TLS')):
        equal(t.say(line), said, line)
    t.start_tls()
    t.say('EHLO client.example')
    equal(t.say('STARTTLS'), AGAIN, 'STARTTLS again')
    equal(t.say('MAIL FROM:<%s>' % ALICE),
          '530 5.7.0 Authentication required', 'MAIL without a login')
    t.send('AUTH PLAIN =\r\n')
    check(t.reply().startswith('501 5.5.2'), 'AUTH that is no base64')
    t.close()
    t = greeted(W['start'])
    t.send('STARTTLS\r\nMAIL FROM:<%s>\r\n' % ALICE)
    check(t.reply().startswith('501 5.5.0'), 'a command behind STARTTLS')
    equal(t.line(), '', 'and the end')
    t.close()


@test
def T6_without_the_certificate_that_is_wanted():
    """Or with that of a CA of somebody else's; and who has one may send as
    himself, without a password."""
    submission()
    crowd = CA(os.path.join(W['dir'], 'crowd'))
    for pair in (None, crowd.client(ALICE)):
        t = greeted(W['persons'])
        t.say('STARTTLS')
        t.start_tls(anybody(*reversed(pair)) if pair else None)
        for line in ('EHLO x', 'MAIL FROM:<%s>' % ALICE, 'STARTTLS',
                     'AUTH PLAIN AGEAYg=='):
            equal(t.say(line), LACK, line)
        check(t.say('QUIT').startswith('221'), 'QUIT')
        t.close()
    key, crt = W['ca'].client(ALICE)
    t = greeted(W['persons'])
    t.say('STARTTLS')
    t.start_tls(anybody(crt, key))
    equal(t.mail(BOARD)[0][:9], '550 5.7.1', 'MAIL of somebody else')
    check(t.mail(ALICE)[-1].startswith('250'), 'MAIL of alice')
    t.close()


@test
def T2_454_while_the_keys_are_gone_and_nothing_in_clear():
    """The keys process dies; who is connected hears 454, who comes after it
    was started anew gets TLS."""
    r, sink = submission(), W['sink'][CLEAR]
    sink.forget()
    t, keys = greeted(W['start']), r.processes('keys')
    equal(len(keys), 1, 'keys processes')
    # the parent would end idle sessions before they can ask
    os.kill(r.child.pid, signal.SIGSTOP)
    try:
        os.kill(keys[0], signal.SIGKILL)
        wait_for(lambda: base.all_gone(keys[0]), 'the end of keys')
        equal(t.say('STARTTLS'), AWAY, 'STARTTLS')
        check('STARTTLS' not in t.say('EHLO client.example'), 'offered')
        equal(t.say('AUTH PLAIN AGEAYg=='), MUST, 'AUTH')
        equal(t.say('MAIL FROM:<%s>' % ALICE), MUST, 'MAIL')
        t.close()
    finally:
        os.kill(r.child.pid, signal.SIGCONT)
    wait_for(lambda: r.processes('keys') not in ([], keys), 'new keys')

    def works():
        try:
            new = Talk(W['start'])
            new.reply()
            new.say('EHLO client.example')
            return new.say('STARTTLS').startswith('220')
        except OSError:  # whom the old ones took
            return False
    wait_for(works, 'STARTTLS to work again')
    equal(sink.seen, [], 'messages')


# ---- Postfix with the settings of contrib/postfix ----

class Resolver:
    """On port 53 of an address of ours: asks the zones, and says that what
    is signed was verified, as the resolver of a mail server does."""
    signed = (b'\4safe\7example\0', b'\4liar\7example\0')

    def __init__(self, number, port):
        self.address, self.port = NET % number, port
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.sock.bind((self.address, 53))
        except OSError as e:
            raise Skip('%s:53: %s' % (self.address, e)) from e
        at_exit(self.sock.close)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.sock.recvfrom(4096)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.settimeout(30)
                    s.sendto(question, ('127.0.0.1', self.port))
                    said = bytearray(s.recv(65535))
            except TimeoutError:
                continue
            except OSError:
                return
            ad = any(z in question.lower() for z in self.signed)
            said[3] |= 0x80 | (0x20 if ad else 0)
            self.sock.sendto(said, peer)


class OwnPostfix(Postfix):
    """With a resolv.conf of the test's."""

    def start(self):
        base.need_mounts()
        resolver = Resolver(53, W['zones'].port)
        conf = write(self.dir + '/resolv.conf', 'nameserver %s\noptions '
                     'trust-ad\n' % resolver.address)
        master = os.path.join(base.ROOT, 'usr/lib/postfix/sbin/master')
        at_exit(self.stop)
        status, out, err = run(
            ['unshare', '-m', 'sh', '-ec', 'mount --make-rprivate /\n'
             'mount --bind "$0" /etc/resolv.conf\nexec "$@"', conf, master,
             '-w', '-c', self.dir + '/etc'], env=self.environment())
        check(status == 0, 'Postfix does not start', err, out, self.log())
        with open(self.dir + '/queue/pid/master.pid', encoding='ascii') as f:
            self.pid = int(f.read())
        wait_for(self.answers, 'Postfix to answer')


def contrib(name):
    """-> (the statements of relay { } in the comment, {setting: value})."""
    text = read(os.path.join(base.TOP, 'contrib/postfix', name)).decode()
    block = re.search(r'(?ms)^#     relay \{\n(.*?)^#     \}', text).group(1)
    block = re.sub(r'(?m)^#(     )?', '', block)
    return re.sub(r'(?m)^ *user .*\n', '', block), dict(
        re.findall(r'(?m)^(\w+) = (.*)$', text))


def make_postfix(name, kind=Postfix):
    base.need_postfix()
    p = kind(os.path.join(W['dir'], name), 'a.example')
    os.makedirs(p.dir)
    p.services = 'tlsmgr unix - - n 1000? 1 tlsmgr\n'
    p.configure({})
    ours = os.path.join(p.dir, 'queue/postseal')
    os.makedirs(ours)
    os.chmod(p.dir + '/queue', 0o755)
    u = pwd.getpwnam(base.MILTER_USER)
    os.chown(ours, u.pw_uid, u.pw_gid)
    return p


def local(text, p, **names):
    """The block with our places, which have to be in it."""
    names = {'/var/spool/postfix': p.dir + '/queue', 'group postfix':
             'group ' + grp.getgrgid(pwd.getpwnam(
                 base.MAIL_OWNER).pw_gid).gr_name, **names}
    for old, new in names.items():
        check(old in text, '%s is not in the file' % old, text)
        text = text.replace(old, new)
    return text + '''
    resolver {
        anchor "%s"
        forward "127.0.0.1@%d"
    }
''' % (W['zones'].anchor, W['zones'].port)


def post(p, to):
    """Mail to somebody by Postfix's own sendmail; -> what became of it."""
    before = len(p.log())
    status, _, err = p.sendmail(['-f', ALICE, to], b'Subject: x\n\nhi\n')
    equal(status, 0, err)
    return wait_for(lambda: re.search(
        'to=<%s>.* status=.*' % to, p.log()[before:]),
        lambda: 'mail to %s:\n%s' % (to, p.log()[before:])).group(0)


@test
def T57_postfix_asks_by_socketmap_and_sends_itself():
    p = make_postfix('postfix-asks', OwnPostfix)
    block, settings = contrib('tls-policy.main.cf')
    r = Relay(os.path.join(W['dir'], 'asks'), local(block, p, **{
        'to bank.example secure match mx.bank.example':
        'to strict.example encrypt', ' then sts': ''})).start()
    settings['smtp_tls_CAfile'] = W['ca'].crt
    p.configure({}, default_transport='smtp', disable_dns_lookups='no',
                smtp_host_lookup='dns', **settings)
    p.start()
    for sink in W['sink'].values():
        sink.forget()
        sink.lines.clear()
    said = post(p, 'bob@safe.example')
    check('status=sent' in said and 'Verified TLS connection established to '
          'mx.safe.example' in p.log(), said, p.log()[-3000:])
    for to, why in (('liar', 'Server certificate not '),
                    ('strict', 'TLS is required, but was not offered')):
        said = post(p, 'bob@%s.example' % to)
        check('status=deferred' in said and why in said, to, said)
    said = post(p, 'bob@anyone.example')
    check('status=sent' in said, 'as Postfix would', said)
    equal([[x.to() for x in W['sink'][k].seen] for k in (GOOD, SELF, CLEAR)],
          [[['bob@safe.example']], [], [['bob@anyone.example']]], 'sent')
    check('MAIL' not in W['sink'][GOOD].commands(False), 'MAIL in clear')
    r.stop()
    said = post(p, 'dave@anyone.example')
    check('status=deferred' in said, 'nobody to ask', said)
    p.stop()


@test
def T56_postfix_between_submission_and_egress():
    p = make_postfix('postfix-between')
    block, settings = contrib('relay.main.cf')
    tls, back = free_port(), free_port()
    key, crt = W['ca'].server('mx.a.example')
    block = local(block, p, **{
        '0.0.0.0:465': '127.0.0.1:%d' % tls, '0.0.0.0:587':
        '127.0.0.1:%d' % free_port(), '127.0.0.1:10025': '127.0.0.1:%d' % back,
        '/etc/postseal/mx.pem': crt, '/etc/postseal/mx.key': key,
        '/etc/postseal/passwd': '{d}/passwd',
        '    mx\n': '    mx\n    nearby 127.0.0.0/8\n'})
    r = Relay(os.path.join(W['dir'], 'between'), block +
              'tls-policy {\n    default encrypt then dane\n}\n')
    must_run([POSTSEAL, 'relay', 'passwd', '--password-file', '-',
              r.path('passwd'), ALICE], b'seven-mauve-kites-41\n')
    r.start()
    p.services += read(os.path.join(
        base.TOP, 'contrib/postfix/relay.master.cf')).decode().replace(
            '127.0.0.1:10025 ', '127.0.0.1:%d ' % back)
    p.configure({}, **settings, mynetworks='192.0.2.0/24')
    p.start()
    W['sink'][GOOD].forget()
    t = Talk(tls, implicit=True, source='127.0.0.77')
    t.reply()
    t.say('EHLO laptop.example')
    t.say('AUTH PLAIN ' + base64.b64encode(
        ('\0%s\0seven-mauve-kites-41' % ALICE).encode()).decode())
    said = t.mail(ALICE, ['bob@safe.example', 'bob@strict.example'],
                  hello=False)
    check(said[-1].startswith('250'), 'submitted', said, r.log()[-2000:])
    t.close()
    wait_for(lambda: W['sink'][GOOD].seen, lambda: 'the mail:\n' +
             p.log()[-3000:] + r.log()[-2000:])
    wait_for(lambda: re.search(r'to=<bob@strict\.example>.* status=deferred '
                               r'\(.*451 4\.7\.4', p.log()),
             lambda: 'a refusal:\n' + p.log()[-3000:])
    check('client=unknown[127.0.0.77], sasl_method=XCLIENT, sasl_username=' +
          ALICE in p.log(), 'whom Postfix sees', p.log()[-3000:])
    qid = re.search(r'(\w+): to=<bob@strict', p.log()).group(1)
    check(' qid=%s ' % qid in r.log(), 'no queue id', qid, r.log()[-3000:])
    p.stop()
    r.stop()


if __name__ == '__main__':
    base.main(setup)
