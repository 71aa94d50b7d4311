#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Attacks on mail that leaves a running relay: by the DNS, by a next hop, by
who is in between. Whatever is tried, nobody but the right one gets it."""
import http.server
import os
import smtplib
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
import directories  # noqa: E402
from base import check, equal, free_port, must_run, test  # noqa: E402
from relay import CA, Listener, Relay, TlsSink, need_relay  # noqa: E402

CONF = '''
    ca corp {{
        file "{ca}"
    }}
    resolver {{
        anchor "{anchor}"
        forward "127.0.0.1@{dns}"
    }}
    sts {{
        ca "{ca}"
        nearby 127.0.0.0/8
        port {https}
    }}
    listen egress {{
        protocol lmtp
        on "127.0.0.1:{lmtp}"
        route egress
    }}
    route egress {{
        mx port {mx}
        nearby 127.0.0.0/8
        rest 0s
    }}
    tls-policy {{
        {lines}
    }}
'''
W = {}


class Policy(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        mode = self.headers['Host'].split('.')[1]
        text = ('version: STSv1\nmode: %s\nmx: mx.%s.plain.example\n'
                'max_age: 86400\n' % (mode, mode)).encode()
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def serve_policies(ca):
    key, crt = ca.server('mta-sts.enforce.plain.example',
                         'mta-sts.testing.plain.example')
    s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Policy)
    s.daemon_threads = True
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(crt, key)
    s.socket = c.wrap_socket(s.socket, server_side=True,
                             do_handshake_on_connect=False)
    threading.Thread(target=s.serve_forever, daemon=True).start()
    return s.server_address[1]


def key_digest(crt):
    der = must_run(['sh', '-c', 'openssl x509 -in "$1" -noout -pubkey | '
                    'openssl pkey -pubin -outform DER | openssl dgst '
                    '-sha256 -r', 'sh', crt])
    return (der if isinstance(der, str) else der.decode()).split()[0]


def make_zones(port, digest):
    z = directories.Zones(os.path.join(W['dir'], 'zones'))
    tlsa = '_%d._tcp.%%s. 300 IN TLSA %%s 1 1 %s\n' % (port, digest)
    # the attacker's own zone is in order, with TLSA records of his
    z.add('evil.example', 'mx.evil.example. 300 IN A 127.0.0.1\n' +
          tlsa % ('mx.evil.example', '3') +
          'pkix.evil.example. 300 IN MX 10 mx.pkix.evil.example.\n'
          'mx.pkix.evil.example. 300 IN A 127.0.0.1\n' +
          tlsa % ('mx.pkix.evil.example', '1'))
    text = 'bank.plain.example. 300 IN MX 10 mx.evil.example.\n'
    for mode in ('enforce', 'testing'):
        name = mode + '.plain.example'
        text += ('%s. 300 IN MX 10 mx.%s.\nmx.%s. 300 IN A 127.0.0.1\n'
                 'mta-sts.%s. 300 IN A 127.0.0.1\n'
                 '_mta-sts.%s. 300 IN TXT "v=STSv1; id=1;"\n' %
                 (name, name, name, name, name))
    z.add('plain.example', text, signed=False, anchored=False)
    return z.start()


def setup():
    need_relay()
    directories.need_directories()
    d = W['dir'] = base.temporary('attackout')
    ca = W['ca'] = CA(os.path.join(d, 'ca'))
    W['tls'] = ca.server('mx.evil.example')
    W['sink'] = TlsSink(os.path.join(d, 'sink'), W['tls'])
    W['zones'] = make_zones(W['sink'].port, key_digest(W['tls'][1]))
    W['ports'] = {'lmtp': free_port(), 'https': serve_policies(ca)}
    W['relay'] = Relay(os.path.join(d, 'relay'),
                       conf('default may')).start()


def conf(lines, port=None):
    return CONF.format(ca=W['ca'].crt, anchor=W['zones'].anchor,
                       dns=W['zones'].port, mx=port or W['sink'].port,
                       lines=lines, **W['ports'])


def send(domain, lines, port=None, text='Subject: x\r\n\r\nsecret\r\n'):
    """-> the code that the recipient got."""
    r = W['relay']
    r.set_conf(conf(lines, port))
    r.reload()
    W['sink'].forget()
    with W['sink'].lock:
        del W['sink'].lines[:]
    with smtplib.LMTP('127.0.0.1', W['ports']['lmtp'], timeout=60) as s:
        try:
            s.sendmail('alice@a.example', ['bob@' + domain], text)
        except smtplib.SMTPRecipientsRefused as e:
            return next(iter(e.recipients.values()))[0]
        except smtplib.SMTPResponseException as e:
            return e.smtp_code
    return 250


@test
def T48_a_forged_mx_with_tlsa_records_of_its_own():
    """attack T48: an MX record that nobody signed leads to the attacker's
    host, whose TLSA records hold, where the default is secure then dane
    verdict: TLSA records of a host that nobody vouches for are no proof of
    the next hop; no MAIL"""
    equal(send('bank.plain.example', 'default secure ca corp then dane'),
          451, 'secure')
    check('MAIL' not in W['sink'].commands(), 'MAIL', W['sink'].lines)
    equal(send('bank.plain.example', 'default may then dane'), 250, 'may')
    equal(W['sink'].commands(secure=False).count('MAIL'), 0, 'in clear')


@test
def T46_records_that_cannot_be_used_are_no_excuse():
    """attack T46: signed TLSA records of usage 1, so that somebody in between
    needs no certificate, where the default is secure then dane
    verdict: the line holds"""
    equal(send('pkix.evil.example', 'default secure match '
               'mx.pkix.evil.example ca corp then dane'), 451, 'secure')
    check('MAIL' not in W['sink'].commands(), 'MAIL', W['sink'].lines)
    equal(send('pkix.evil.example', 'default may then dane'), 250, 'may')


@test
def T50_a_policy_that_is_tested_is_reported():
    r, sink = W['relay'], W['sink']
    lines = 'default may then dane then sts'
    equal(send('enforce.plain.example', lines), 451, 'enforce')
    check('MAIL' not in sink.commands(), 'MAIL', sink.lines)
    equal(send('testing.plain.example', lines), 250, 'testing')
    r.wait_log(r'event=sts-testing .*to=testing\.plain\.example\S* .*'
               r'tls-result=\S+')
    base.wait_for(lambda: 'asked="sts-testing"' in r.metrics_page(),
                  'it to be counted')
    check('event=sts-testing' not in r.log().split(
        'to=testing.plain.example')[0], 'not of others', r.log()[-2000:])


@test
def T36_bytes_that_come_late_but_before_the_server_hello():
    """attack T36: after 220 nothing more comes at first, then replies in
    clear that the client is to take for those inside TLS
    verdict: they are no handshake; nothing is said any more"""
    heard = []

    def talk(s):
        s.settimeout(90)
        s.sendall(b'220 mx.example\r\n')
        heard.append(s.recv(4096))
        s.sendall(b'250-mx.example\r\n250 STARTTLS\r\n')
        heard.append(s.recv(4096))
        s.sendall(b'220 go\r\n')
        time.sleep(0.3)
        s.sendall(b'250-mx.example\r\n250 AUTH PLAIN\r\n250 ok\r\n' * 9)
        while True:
            heard.append(s.recv(4096))
            if not heard[-1]:
                return

    peer = Listener(talk)
    for level in ('encrypt', 'secure ca corp'):
        equal(send('bank.plain.example', 'default ' + level, peer.port), 451,
              level)
    peer.stop()
    check(b'STARTTLS\r\n' in heard, 'STARTTLS', heard)
    check(not any(x.startswith((b'MAIL', b'RCPT')) or b'secret' in x
                  for x in heard), 'in clear', heard)
    equal(sum(x.startswith(b'EHLO') for x in heard),
          heard.count(b'STARTTLS\r\n'), 'EHLO in clear')


if __name__ == '__main__':
    base.main(setup)
