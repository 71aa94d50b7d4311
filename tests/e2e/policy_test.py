#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""postseal policy explain: real zones of NSD, signed, broken, expired and
unsigned, and an HTTPS server for MTA-STS that does what it should not."""
import contextlib
import http.server
import json
import os
import re
import socket
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import directories  # noqa: E402
import lib  # noqa: E402
import mta  # noqa: E402
import relay  # noqa: E402
from directories import Zones, write  # noqa: E402
from lib import POSTSEAL, check, equal, test  # noqa: E402

TLSA = '3 1 1 ' + 'ab' * 32
POLICY = 'version: STSv1\nmode: %s\nmx: *.%s\nmax_age: 86400\n'
OPEN = 'default may then dane then sts'
base = zones = https = ca = None


# ---- HTTPS ----

class Policies(http.server.BaseHTTPRequestHandler):
    """What is served depends on the name that is asked."""
    protocol_version = 'HTTP/1.1'
    asked = []

    def log_message(self, *_):
        pass

    def send(self, code, body, kind='text/plain', **fields):
        self.send_response(code)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        for k, v in fields.items():
            self.send_header(k, v)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        host = self.headers['Host'].split(':')[0]
        kind = host.split('.')[1]
        domain = host[len('mta-sts.'):]
        self.asked.append(host + self.path)
        good = (POLICY % ('enforce', domain)).encode()
        if self.path != '/.well-known/mta-sts.txt':
            self.send(404, b'')
        elif kind == 'redirect':
            self.send(301, good, Location='https://mta-sts.good.sts.example'
                      ':%d/.well-known/mta-sts.txt' % https.port)
        elif kind == 'huge':
            self.send(200, good + b'x: y\n' * 20000)
        elif kind == 'html':
            self.send(200, good, 'text/html')
        elif kind == 'charset':
            self.send(200, good, 'text/plain; charset=utf-8')
        elif kind == 'nul':
            self.send(200, good + b'x: \0\n')
        elif kind == 'slow':
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(90):
                    self.wfile.write(b'#')
                    time.sleep(1)
        elif kind == 'testing':
            self.send(200, (POLICY % ('testing', domain)).encode())
        elif kind == 'other':
            self.send(200, (POLICY % ('enforce', 'b.example')).encode())
        else:
            self.send(200, good)


class Https:
    def __init__(self, key, crt):
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0),
                                                      Policies)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(crt, key)
        self.server.socket = c.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()


# ---- zones ----

STS = ('good', 'redirect', 'huge', 'html', 'charset', 'nul', 'slow',
       'testing', 'other', 'badname', 'two', 'private', 'notxt')


def mail_host(name, tlsa=None, mx='MX 10 mx'):
    """Records of a domain with a mail host of its own."""
    text = '%s. 300 IN %s.%s.\nmx.%s. 300 IN A 127.0.0.1\n' % (
        name, mx, name, name)
    if tlsa:
        text += '_25._tcp.mx.%s. 300 IN %s\n' % (name, tlsa)
    return text


def sts_zone():
    text = ''
    for kind in STS:
        name = kind + '.sts.example'
        text += mail_host(name)
        text += 'mta-sts.%s. 300 IN A %s\n' % (
            name, '10.255.255.1' if kind == 'private' else '127.0.0.1')
        for i in range({'two': 2, 'notxt': 0}.get(kind, 1)):
            text += '_mta-sts.%s. 300 IN TXT "v=STSv1; id=%d;"\n' % (name,
                                                                    i)
    return text


def spoil(kind):
    """Another record under the old signature."""
    def change(text):
        if kind == 'MX':
            return re.sub(r'(\sIN\s+MX\s+)10 ', r'\g<1>11 ', text)
        return text.replace('ab' * 32, 'ac' + 'ab' * 31)
    return change


def as_octets(text):
    """The signer writes a record without data as words, which NSD takes as
    octets alone; what is shorter it does not take at all."""
    return re.sub(r'TLSA\t3 1 1\s*$', r'TYPE52\t\\# 3 030101', text,
                  flags=re.M)


def make_zones():
    z = Zones(os.path.join(base, 'zones'))
    z.add('signed.example', mail_host('signed.example', 'TLSA ' + TLSA) +
          mail_host('ta.signed.example', 'TLSA 2 0 1 ' + 'cd' * 32) +
          mail_host('pkix.signed.example', 'TLSA 1 1 1 ' + 'cd' * 32) +
          mail_host('none.signed.example') +
          'null.signed.example. 300 IN MX 0 .\n'
          'implicit.signed.example. 300 IN A 127.0.0.1\n'
          'alias.signed.example. 300 IN MX 10 a.alias.signed.example.\n'
          'a.alias.signed.example. 300 IN CNAME mx.signed.example.\n'
          'lost.signed.example. 300 IN MX 10 nowhere.signed.example.\n')
    z.add('plain.example', mail_host('plain.example') +
          'half.plain.example. 300 IN MX 10 mx.signed.example.\n',
          signed=False, anchored=False)
    z.add('forged.example', mail_host('forged.example', 'TLSA ' + TLSA),
          change=spoil('MX'))
    z.add('forgedtlsa.example', mail_host('forgedtlsa.example', 'TLSA ' +
                                          TLSA), change=spoil('TLSA'))
    z.add('expired.example', mail_host('expired.example', 'TLSA ' + TLSA),
          sign=('-i', '20200101', '-e', '20200201'))
    z.add('stripped.example', mail_host('stripped.example', 'TLSA ' + TLSA),
          signed=False)
    # newer NSDs do not serve such a zone
    z.add('short.example', mail_host('short.example', 'TYPE52 \\# 3 030101'),
          change=as_octets)
    z.add('sts.example', sts_zone(), signed=False, anchored=False)
    return z.start()


def setup():
    global base, zones, https, ca
    directories.need_directories()
    base = lib.temporary()
    ca = relay.CA(os.path.join(base, 'ca'))
    names = ','.join('DNS:mta-sts.%s.sts.example' % k for k in STS
                     if k != 'badname')
    key, crt = ca.issue('/CN=server', 'basicConstraints=CA:FALSE\n'
                        'extendedKeyUsage=serverAuth\n'
                        'subjectAltName=%s\n' % names)
    https = Https(key, crt)
    zones = make_zones()


def statements(folder, lines, nearby=True):
    return '''
    socketmap "unix:%s/tls"
    resolver {
        anchor "%s"
        forward "127.0.0.1@%d"
    }
    sts {
        ca "%s"
        nearby 127.0.0.0/8
        port %d
    }
    route egress {
        mx
        %s
    }
    tls-policy {
        %s
    }
''' % (folder, zones.anchor, zones.port, ca.crt, https.port,
       'nearby 127.0.0.0/8' if nearby else '', lines)


def explain(domain, *options, lines=OPEN, nearby=True):
    conf = write(os.path.join(base, 'postseal.conf'), 'relay {%s}\n' %
                 statements(base, lines, nearby))
    status, out, err = lib.run([POSTSEAL, '-c', conf, 'policy', 'explain',
                                domain, '--json', *options])
    check(out.startswith(b'{'), 'explain %s: %d' % (domain, status), out, err)
    story = json.loads(out)
    equal(status, {0: 0, 4: 75, 5: 69}[story['code'] // 100],
          'status of ' + domain)
    return story


def verdict(*args, **more):
    s = explain(*args, **more)
    if s['code'] != 0:
        return '%d %s' % (s['code'], s['enhanced'])
    h = s['hosts'][0]
    if h['barred']:
        return 'barred ' + h['result']
    return h['level'] + ('+tlsa' if h['tlsa'] else '')


def all_equal(table, **more):
    for domain, wanted in table:
        equal(verdict(domain, **more), wanted, domain)


@test
def T46_T47_dane_by_real_zones():
    """attack T46: signatures that do not hold, that are over, or that are
    taken away, and TLSA records that are none
    verdict: bogus is never insecure; what cannot be used means TLS at least"""
    all_equal([('signed.example', 'dane-only+tlsa'),
               ('ta.signed.example', 'dane-only+tlsa'),
               ('pkix.signed.example', 'encrypt'),
               ('short.example', '451 4.4.3' if 'Invalid TLSA' in zones.log()
                else 'encrypt'),
               ('none.signed.example', 'may'),
               ('plain.example', 'may'),
               ('half.plain.example', 'dane-only+tlsa'),
               ('forged.example', '451 4.7.5'),
               ('forgedtlsa.example', '451 4.7.5'),
               ('expired.example', '451 4.7.5'),
               ('stripped.example', '451 4.7.5')])


@test
def T48_T49_names_and_their_aliases():
    s = explain('alias.signed.example')
    equal(s['hosts'][0]['tlsa_base'], 'mx.signed.example', 'TLSA base')
    equal(s['hosts'][0]['sni'], 'mx.signed.example', 'SNI')
    equal(s['hosts'][0]['names'], ['mx.signed.example',
                                   'alias.signed.example'], 'names')


@test
def T58_where_no_mail_goes():
    all_equal([('null.signed.example', '556 5.1.10'),
               ('nosuch.signed.example', '550 5.1.2'),
               ('lost.signed.example', '550 5.4.4'),
               ('implicit.signed.example', 'may')])
    zones.stop()
    equal(verdict('plain.example'), '451 4.4.3', 'no server')
    zones.start()


@test
def T39_A70_names_from_unsigned_zones():
    secure = 'default secure match hostname'
    equal(verdict('plain.example', lines=secure), '451 4.7.5', 'unsigned')
    s = explain('none.signed.example', lines=secure)
    equal(s['hosts'][0]['names'], ['mx.none.signed.example'], 'names')


@test
def T48_dane_only_wants_dnssec_all_the_way():
    all_equal([('signed.example', 'dane-only+tlsa'),
               ('half.plain.example', '451 4.7.5'),
               ('none.signed.example', '451 4.7.5'),
               ('pkix.signed.example', '451 4.7.5')],
              lines='default dane-only')


@test
def T50_A71_what_https_servers_do():
    """attack A71: a server of MTA-STS that redirects, floods, sends HTML,
    has another's certificate, or is inside
    verdict: there is no policy then; nothing else is asked"""
    all_equal([('good.sts.example', 'secure'),
               ('charset.sts.example', 'secure'),
               ('testing.sts.example', 'may'),
               ('other.sts.example', '451 4.7.5'),
               ('redirect.sts.example', 'may'),
               ('huge.sts.example', 'may'),
               ('html.sts.example', 'may'),
               ('nul.sts.example', 'may'),
               ('badname.sts.example', 'may'),
               ('two.sts.example', 'may'),
               ('notxt.sts.example', 'may'),
               ('private.sts.example', 'may')])
    equal([a for a in Policies.asked if 'good' in a],
          ['mta-sts.good.sts.example/.well-known/mta-sts.txt'], 'asked')
    for a in Policies.asked:
        check('two' not in a and 'notxt' not in a, 'asked ' + a)


@test
def T50_a_slow_server_is_not_waited_for():
    began = time.monotonic()
    equal(verdict('slow.sts.example'), 'may', 'slow')
    check(time.monotonic() - began < 60, 'too long')


@test
def T54_T56_what_the_message_asks_for():
    equal(verdict('plain.example', '--require-tls'), '550 5.7.30', 'plain')
    equal(verdict('good.sts.example', '--require-tls'), 'secure', 'STS')
    equal(verdict('signed.example', '--require-tls'), 'dane-only+tlsa',
          'DANE')
    equal(verdict('signed.example', '--tls-optional'), 'may', 'optional')
    s = explain('plain.example', '--verified')
    equal(s['hosts'][0]['names'], ['plain.example', '.plain.example'],
          'names')


@test
def A71_private_addresses_of_mail_hosts():
    equal(verdict('plain.example', nearby=False), '451 4.4.4', 'loopback')


@test
def explain_for_people():
    conf = os.path.join(base, 'postseal.conf')
    explain('signed.example', lines='to signed.example secure\n' + OPEN)
    out = lib.must_run([POSTSEAL, '-c', conf, 'policy', 'explain',
                        'bob@signed.example']).decode()
    for part in (r'rule +\S*postseal.conf:\d+: secure \(line\)',
                 r'mx +10 mx.signed.example', r'mx-dnssec +secure',
                 r'HOST +ADDRESS +TLS +WHY',
                 r'mx.signed.example +127.0.0.1:25 +secure'):
        check(re.search(part, out), 'no ' + part, out)
    for argv in ([], ['a@b@c'], ['x', 'y'], ['--nonsense', 'a.example']):
        equal(lib.run([POSTSEAL, '-c', conf, 'policy', 'explain',
                       *argv])[0], 64, 'status of %s' % argv)
    equal(lib.run([POSTSEAL, '-c', conf, 'policy', 'explain', 'a.example',
                   '--route', 'none'])[0], 78, 'no such route')


class Map:
    """A client of the socketmap."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(path)
        self.file = self.sock.makefile('rb')

    def ask(self, key):
        text = b'tls ' + key.encode()
        self.sock.sendall(b'%d:%s,' % (len(text), text))
        n = int(b''.join(iter(lambda: self.file.read(1), b':')))
        reply = self.file.read(n + 1)
        check(reply.endswith(b','), 'netstring', reply)
        return reply[:-1].decode()


MAP = [('signed.example', 'OK dane-only'),
       ('half.plain.example', 'OK dane'),
       ('pkix.signed.example', 'OK dane'),
       ('plain.example', 'NOTFOUND '),
       ('nosuch.signed.example', 'NOTFOUND '),
       ('.signed.example', 'NOTFOUND '),
       ('forged.example', 'TEMP '),
       ('good.sts.example', 'OK secure match=.good.sts.example '
        'servername=hostname'),
       ('line.example', 'OK secure match=nexthop')]


def ask_with_postfix(path):
    """Postfix's own reader of the protocol, where it is there."""
    postmap = os.path.join(lib.ROOT, 'usr/sbin/postmap')
    if not os.path.exists(postmap):
        return
    folder = os.path.join(base, 'postfix')
    os.makedirs(folder)
    write(os.path.join(folder, 'main.cf'), 'mail_owner = %s\n'
          'setgid_group = %s\nshlib_directory = %s/usr/lib/postfix\n' %
          (lib.MAIL_OWNER, lib.SETGID_GROUP, lib.ROOT))
    for key, wanted in MAP:
        status, out, err = lib.run(
            [postmap, '-c', folder, '-q', key, 'socketmap:unix:%s:tls' %
             path], env=dict(os.environ,
                             LD_LIBRARY_PATH=mta.Postfix.libraries()))
        if wanted.startswith('OK '):
            check(out.decode().startswith(wanted[3:]), key, status, out, err)
        else:
            equal((status, out), (1, b''), key + err.decode())


@test
def T38_T51_the_socketmap_of_a_running_relay():
    """In its sandbox, from many clients at once, and with policies kept."""
    relay.need_relay()
    os.chmod(base, 0o755)
    r = relay.Relay(os.path.join(base, 'relay'), '')
    r.set_conf(statements('{d}/run', 'to line.example secure match nexthop\n'
                          + OPEN))
    r.start()
    path = r.path('run/tls')
    bad = []

    def client():
        m = Map(path)
        for key, wanted in MAP:
            got = m.ask(key)
            if not got.startswith(wanted):
                bad.append((key, got))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal(bad, [], 'answers')
    ask_with_postfix(path)
    kept = os.path.join(r.dir, 'state', 'sts-policies')
    lib.wait_for(lambda: os.path.exists(kept), lambda: kept + '\n' + r.log())
    equal(os.stat(kept).st_mode & 0o777, 0o600, 'mode')
    with open(kept, encoding='ascii') as f:
        check(' enforce *.good.sts.example' in f.read(), 'kept')
    equal(r.stop(), 0, 'status')


@test
def A71_the_server_is_down():
    https.server.shutdown()
    https.server.server_close()
    equal(verdict('good.sts.example'), 'may', 'refused')


if __name__ == '__main__':
    lib.main(setup)
