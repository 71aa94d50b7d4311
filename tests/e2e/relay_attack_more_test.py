#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Attacks on daemons that believe postseal-relay, by its own clients: a real
Dovecot and a real Postfix, each with TLS or proxies of its own."""
import os
import re
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import Skip, check, free_port, test, wait_for  # noqa: E402
from dovecot import ROOT, Dovecot  # noqa: E402
from mta import Postfix  # noqa: E402
from relay import CA, Relay, Talk, need_relay  # noqa: E402

W = {}
CLIENT, SOMEBODY = '127.0.0.77', '10.9.9.9'
PROTOCOLS = {'2.3': 'protocols = lmtp imap\n',
             '2.4': 'protocols {\n  lmtp = yes\n  imap = yes\n}\n'}
MORE = '''
login_trusted_networks = 127.0.0.0/8
listen = 127.0.0.1
service imap-login {
  chroot =
  inet_listener imap {
    port = %d
  }
  inet_listener imaps {
    port = 0
  }
}
'''
CONF = '''
    pki mail {{
        cert "{mail[1]}"
        key "{mail[0]}"
    }}
    listen imap {{
        protocol imap
        on "127.0.0.1:{imap}" implicit
        pki mail
        backend "127.0.0.1:{dovecot_imap}"
    }}
    listen smtp {{
        protocol smtp-tunnel
        on "127.0.0.1:{smtp}" implicit
        pki mail
        backend "127.0.0.1:{postfix.plain}" xclient
    }}
'''


def start_dovecot():
    if not os.path.exists(os.path.join(ROOT, 'usr/lib/dovecot/imap-login')):
        raise Skip('Dovecot without IMAP: ./run dovecot')
    d = W['dovecot'] = Dovecot(os.path.join(W['dir'], 'dovecot'),
                               'example.com')
    os.makedirs(d.dir)
    d.configure()
    more = MORE % W['dovecot_imap']
    d.extend('protocols', {v: PROTOCOLS[v] + more for v in PROTOCOLS})
    d.start()


def setup():
    need_relay()
    W['dir'] = base.temporary('relay-attack-more')
    ca = CA(os.path.join(W['dir'], 'ca'))
    W['ca'], W['mail'] = ca.crt, ca.server('mail.example.com')
    for name in ('imap', 'smtp', 'dovecot_imap'):
        W[name] = free_port()
    start_dovecot()
    key, crt = ca.server('mx.example.com')
    W['postfix'] = Postfix(os.path.join(W['dir'], 'postfix'), 'example.com')
    W['postfix'].configure({}, smtpd_authorized_xclient_hosts='127.0.0.1',
                           smtpd_tls_security_level='may',
                           smtpd_tls_key_file=key, smtpd_tls_cert_file=crt)
    W['postfix'].start()
    W['relay'] = Relay(os.path.join(W['dir'], 'relay'), CONF.format(**W))
    W['relay'].start()


def through(port):
    return Talk(port, True, ssl.create_default_context(cafile=W['ca']),
                'mail.example.com', CLIENT)


def dovecot_saw(ip):
    return re.search(r'imap-login: .*(Login|Logged in): .*rip=%s,' %
                     re.escape(ip), W['dovecot'].log())


def until_ok(t, tag):
    said = [t.line()]
    while said[-1] and not said[-1].startswith(tag + ' '):
        said.append(t.line())
    check(said[-1].startswith(tag + ' OK'), repr(said),
          W['dovecot'].log()[-2000:])


def login(t):
    t.send('z LOGIN alice x\r\n')
    until_ok(t, 'z')


@test
def T67_A73_dovecot_is_told_no_other_address():
    """attack A73: a client of the tunnel says ID with another's address to a
    Dovecot that trusts this machine, so that its own failures are his
    verdict: BYE, before Dovecot has heard it; without that it is whoever
    Dovecot sees"""
    t = Talk(W['dovecot_imap'])
    t.line()
    t.send('a ID ("x-originating-ip" "%s")\r\n' % SOMEBODY)
    until_ok(t, 'a')
    login(t)
    wait_for(lambda: dovecot_saw(SOMEBODY), 'Dovecot to believe us')
    t.close()
    for first, key in (('', 'x-originating-ip'),
                       ('b NOOP\r\n', 'x\\-originating-ip')):
        t = through(W['imap'])
        check(t.line().startswith('* OK'), 'greeting')
        t.send(first)
        if first:
            check(t.line().startswith('b OK'), 'NOOP')
        t.send('c ID ("%s" "10.9.9.8")\r\nd LOGIN alice x\r\n' % key)
        said = t.line()
        check(said.startswith('* BYE'), key, said)
        check(t.line() == '', 'it goes on')
        t.close()
    t = through(W['imap'])
    t.line()
    t.send('a ID ("name" "ax-client")\r\n')
    until_ok(t, 'a')
    login(t)
    wait_for(lambda: dovecot_saw('127.0.0.1'), 'Dovecot to see us')
    check(not dovecot_saw('10.9.9.8'), W['dovecot'].log())
    t.close()


@test
def T3_T67_A73_no_tls_with_the_daemon_behind():
    """attack A73: behind the open gate a client begins TLS with Postfix
    itself, where nobody but Postfix hears its XCLIENT
    verdict: 554 and the end at STARTTLS"""
    t = through(W['smtp'])
    check(t.reply().startswith('220'), 'greeting')
    said = t.say('EHLO client.example')
    check('STARTTLS' not in said and 'XCLIENT' not in said, said)
    check(t.say('VRFY alice').startswith(('25', '55')), 'VRFY')
    said = t.say('StartTLS')
    check(said.startswith('554 5.7.0'), said)
    check(t.line() == '', 'it goes on')
    t.close()


if __name__ == '__main__':
    base.main(setup)
