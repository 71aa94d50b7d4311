#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: long
"""Other mail servers in front of the relay and behind it, and the programs
that people try TLS with."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import (POSTSEAL, Skip, check, equal, free_port,  # noqa: E402
                  must_run, need, test)
from mta import Postfix  # noqa: E402
from peers import Exim, OpenSMTPD, need_tool, try_tool  # noqa: E402
from relay import CA, Relay, TlsSink, need_relay  # noqa: E402

USER, PASSWORD = 'alice@a.example', 'seven-mauve-kites-41'
W = {}

CONF = '''
    pki mx {{
        cert "{tls[1]}"
        key "{tls[0]}"
    }}
    ca corp {{
        file "{ca}"
    }}
    listen smtp {{
        protocol smtp
        on "127.0.0.1:{smtp}" starttls-required
        pki mx
        trusted 127.0.0.0/8
        route end
    }}
    listen submission {{
        protocol submission
        on "127.0.0.1:{start}" starttls-required
        on "127.0.0.1:{tlsport}" implicit
        pki mx
        auth passwd "passwd"
        route end
    }}
    listen lmtp {{
        protocol lmtp
        on "127.0.0.1:{lmtp}"
        route to-peer
    }}
    route end {{
        host "127.0.0.1:{end}"
    }}
    route to-peer {{
        host "127.0.0.1:{peer}"
        rest 0s
    }}
    tls-policy {{
        default {default}
    }}
'''


def setup():
    need_relay()
    d = W['dir'] = base.temporary('relaypeers')
    ca = W['ca'] = CA(os.path.join(d, 'ca'))
    W['peer_tls'] = ca.server('peer.example', key='rsa')
    W['end'] = TlsSink(os.path.join(d, 'end'), W['peer_tls'])
    W['next'] = TlsSink(os.path.join(d, 'next'))
    W['ports'] = {k: free_port() for k in ('smtp', 'start', 'tlsport',
                                           'lmtp')}
    W['relay'] = Relay(os.path.join(d, 'relay'), conf(9))
    must_run([POSTSEAL, 'relay', 'passwd', '--password-file', '-',
              W['relay'].path('passwd'), USER],
             (PASSWORD + '\n').encode())
    W['relay'].start()


def conf(peer, default='verify match peer.example ca corp'):
    if 'tls' not in W:
        W['tls'] = W['ca'].server('localhost', 'IP:127.0.0.1', key='rsa')
    return CONF.format(tls=W['tls'], ca=W['ca'].crt, end=W['end'].port,
                       peer=peer, default=default, **W['ports'])


def in_front(peer):
    """Mail through the peer to the relay."""
    W['end'].forget()
    data = 'Subject: through %s\r\n\r\nhello\r\n' % peer.name
    with smtplib.SMTP('127.0.0.1', peer.port, timeout=90) as s:
        s.sendmail(USER, ['bob@far.example'], data)
    base.wait_for(lambda: W['end'].seen, lambda: 'mail through %s: %s\n%s' %
                  (peer.name, peer.log()[-2000:], W['relay'].log()[-2000:]))
    got = W['end'].seen[0]
    check(b'through %s' % peer.name.encode() in got.data, 'the message',
          got.data)
    check(b'with ESMTPS' in got.data, 'Received says TLS', got.data)
    equal(W['end'].commands(secure=False).count('MAIL'), 0, 'MAIL in clear')


def behind(peer, *default):
    """Mail from the relay to the peer, whose name is looked at, and on."""
    W['relay'].set_conf(conf(peer.port, *default))
    W['relay'].reload()
    W['next'].forget()
    with smtplib.LMTP('127.0.0.1', W['ports']['lmtp']) as s:
        s.sendmail(USER, ['bob@far.next'], 'Subject: to the peer\r\n\r\nhi\r\n')
    base.wait_for(lambda: W['next'].seen, lambda: 'mail behind %s: %s' %
                  (peer.name, peer.log()[-2000:]))
    check(b'to the peer' in W['next'].seen[0].data, 'the message')


@test
def T13_T17_opensmtpd_in_front_and_behind():
    p = OpenSMTPD(os.path.join(W['dir'], 'opensmtpd')).start(
        W['peer_tls'], W['next'].port, W['ports']['smtp'])
    in_front(p)
    # Debian 12's cannot sign a handshake with OpenSSL 3 (nobody's client
    # gets one): what level may is for
    behind(p, 'may')
    p.stop()


@test
def T13_T17_exim_in_front_and_behind():
    p = Exim(os.path.join(W['dir'], 'exim')).start(
        W['peer_tls'], W['next'].port, W['ports']['smtp'])
    in_front(p)
    behind(p)
    p.stop()


@test
def T13_T17_postfix_in_front_and_behind():
    base.need_root()
    p = Postfix(os.path.join(W['dir'], 'postfix'), 'a.example')
    p.name = 'postfix'
    os.makedirs(p.dir)
    p.services = 'tlsmgr unix - - n 1000? 1 tlsmgr\n'
    p.configure({'far.next': W['next'].port},
                default_transport='smtp:[127.0.0.1]:%d' %
                W['ports']['smtp'], smtp_tls_security_level='may',
                smtpd_tls_security_level='may',
                smtpd_tls_chain_files=W['peer_tls'][0] + ' ' +
                W['peer_tls'][1],
                smtpd_relay_restrictions='permit_mynetworks, reject')
    try:
        p.start()
    except base.Failed as e:
        raise base.Failed('%s %s' % (e, p.log()))
    in_front(p)
    behind(p)
    p.stop()


@test
def T13_T19_swaks_submits_on_both_ports():
    for more in (['--port', str(W['ports']['start']), '-tls'],
                 ['--port', str(W['ports']['tlsport']), '--tls-on-connect']):
        for mechanism in ('PLAIN', 'LOGIN'):
            W['end'].forget()
            status, out = try_tool(
                'swaks', '--server', '127.0.0.1', *more, '--from', USER,
                '--to', 'bob@far.example', '--auth', mechanism,
                '--auth-user', USER, '--auth-password', PASSWORD,
                '--suppress-data', '--ehlo', 'client.example')
            equal(status, 0, 'swaks %s: %s' % (more, out[-2500:]))
            check(b'with ESMTPSA' in W['end'].seen[0].data, 'ESMTPSA',
                  W['end'].seen[0].data)


@test
def T13_curl_submits():
    need('curl')
    W['end'].forget()
    must_run(['curl', '-sS', '--cacert', W['ca'].crt, '--url',
              'smtps://localhost:%d' % W['ports']['tlsport'], '--resolve',
              'localhost:%d:127.0.0.1' % W['ports']['tlsport'],
              '--mail-from', USER, '--mail-rcpt', 'bob@far.example',
              '--user', '%s:%s' % (USER, PASSWORD), '-T', '-'],
             b'Subject: by curl\r\n\r\nhi\r\n')
    check(b'by curl' in W['end'].seen[0].data, 'delivered')


@test
def T14_T15_testssl_finds_nothing_on_the_listeners():
    need_tool('ps')
    for more in (['127.0.0.1:%d' % W['ports']['tlsport']],
                 ['-t', 'smtp', '127.0.0.1:%d' % W['ports']['start']]):
        status, out = try_tool(
            'testssl', '--quiet', '--color', '0', '--openssl',
            need('openssl'), '--ip', '127.0.0.1', '-p', '-R', '-C', '-B',
            '--warnings', 'off', '--nodns', 'none', *more)
        if 'rror' in out and 'hexdump' in out:
            raise Skip('testssl.sh wants hexdump')
        for word in ('SSLv2 ', 'SSLv3 ', 'TLS 1 ', 'TLS 1.1 '):
            rows = [r for r in out.splitlines()
                    if r.strip().startswith(word.strip() + ' ')]
            check(rows and all('not offered' in r or 'Local problem' in r
                               for r in rows), '%s: %d' % (word, status),
                  out[-3000:])
        check('VULNERABLE (NOT ok)' not in out, 'weaknesses', out)


if __name__ == '__main__':
    base.main(setup)
