#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Tunnels of postseal-relay as samples/relay-tunnels.conf has them: a real
Dovecot and a real Postfix behind them, openssl and curl before them."""
import os
import re
import socket
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import (SAMPLES, Skip, check, equal, free_port, need,  # noqa: E402
                  run, test, wait_for)
from directories import write  # noqa: E402
from dovecot import ROOT, Dovecot  # noqa: E402
from mta import Postfix  # noqa: E402
from relay import (CA, Listener, Relay, Talk, anybody,  # noqa: E402
                   need_relay, sha256)

CLIENT = '127.0.0.77'  # whom the daemons must see
W = {}

# An address of its own for a listener makes 2.4 look for all accounts that it
# has by default.
MORE = {
    '2.3': '''
protocols = lmtp imap pop3
disable_plaintext_auth = yes
ssl = yes
ssl_cert = <{crt}
ssl_key = <{key}
haproxy_trusted_networks = 127.0.0.0/8
auth_verbose = yes
listen = 127.0.0.1
''',
    '2.4': '''
protocols {{
  lmtp = yes
  imap = yes
  pop3 = yes
}}
auth_allow_cleartext = no
ssl = yes
ssl_server_cert_file = {crt}
ssl_server_key_file = {key}
haproxy_trusted_networks = 127.0.0.0/8
auth_verbose = yes
listen = 127.0.0.1
''',
}
LOGIN = '''
service {p}-login {{
  chroot =
  inet_listener {p} {{
    port = {plain}
    haproxy = yes
  }}
  inet_listener {p}s {{
    port = {tls}
    ssl = yes
  }}
  inet_listener {p}_start {{
    port = {start}
  }}
}}
'''
SCRIPT = '''#!/bin/sh
printf '+OK hello %s\\r\\n' "$TCPREMOTEIP"
while IFS= read -r line; do
    case $line in
    ENV*) env | sort | sed 's/$/\\r/'; printf '.\\r\\n' ;;
    WHO*) printf '+OK %s\\r\\n' "$(id -u)" ;;
    QUIT*) printf '+OK bye\\r\\n'; exit 0 ;;
    *) printf -- '-ERR what\\r\\n' ;;
    esac
done
'''


def start_dovecot():
    if not os.path.exists(os.path.join(ROOT, 'usr/lib/dovecot/imap-login')):
        raise Skip('Dovecot without IMAP and POP3: ./run dovecot')
    d = Dovecot(os.path.join(W['dir'], 'dovecot'), 'example.com')
    os.makedirs(d.dir)
    d.configure()
    logins = ''
    for p in ('imap', 'pop3'):
        for kind in ('plain', 'tls', 'start'):
            W[p, kind] = free_port()
        logins += LOGIN.format(p=p, plain=W[p, 'plain'], tls=W[p, 'tls'],
                               start=W[p, 'start'])
    d.extend('protocols|ssl', {v: MORE[v].format(
        crt=W['box'][1], key=W['box'][0]) + logins for v in MORE})
    d.start()
    W['dovecot'] = d


def start_postfix():
    d = os.path.join(W['dir'], 'postfix')
    os.makedirs(d)
    W['postfix'] = Postfix(d, 'example.com')
    W['postfix'].configure({}, smtpd_authorized_xclient_hosts='127.0.0.1',
                           smtpd_helo_required='yes')
    W['postfix'].start()


def sample(names):
    """The statements of relay { } in the sample, with our ports and
    files."""
    with open(os.path.join(SAMPLES, 'relay-tunnels.conf'),
              encoding='utf-8') as f:
        text = f.read()
    body = text[text.index('relay {') + 7:text.rindex('}')]
    body = re.sub(r'(?m)^ +(user|hostname) .*\n', '', body)
    for old, new in names.items():
        check(old in body, 'in the sample: ' + old)
        body = body.replace(old, new)
    return body


def port(number):
    return 'on "127.0.0.1:%d"' % W.setdefault(number, free_port())


MORE_LISTENERS = '''
    ca box {
        file "%(ca)s"
    }
    listen out-imap {
        protocol imap
        on "127.0.0.1:%(out_imap)d" plain
        on "127.0.0.1:%(bare_imap)d" implicit
        pki mail
        backend "127.0.0.1:%(imap_start)d" tls secure name box.example ca box
    }
    listen liar {
        protocol pop3
        on "127.0.0.1:%(liar)d" plain
        backend "127.0.0.1:%(pop3_tls)d" tls verify name other.example ca box \\
            implicit
    }
    listen pinned {
        protocol pop3
        on "127.0.0.1:%(pinned)d" plain
        backend "127.0.0.1:%(pop3_tls)d" tls fingerprint pin sha256:%(pin)s \\
            implicit
    }
    listen clients {
        protocol pop3
        on "127.0.0.1:%(clients)d" implicit
        on "127.0.0.1:%(clients_stls)d" starttls-required
        pki mail
        client-cert require ca box
        backend exec "%(script)s"
    }
    listen front {
        protocol pop3
        on "127.0.0.1:%(front)d" external proxy
        on "127.0.0.1:%(front_tls)d" implicit proxy
        proxy-from 127.0.0.1
        deny 192.0.2.66
        pki mail
        backend exec "%(script)s"
    }
    listen any {
        protocol any
        on "127.0.0.1:%(any)d" implicit
        pki mail
        backend "127.0.0.1:%(echo)d"
    }
'''


def make_script():
    path = os.path.join(W['dir'], 'popd')
    write(path, SCRIPT)
    os.chmod(path, 0o755)
    return path


def echo(c):
    """Says all back when the other side has ended, not before."""
    got = b''.join(iter(lambda: c.recv(65536), b''))
    c.sendall(got)


def start_relay():
    script = make_script()
    for name in ('out_imap', 'bare_imap', 'liar', 'pinned', 'clients',
                 'clients_stls', 'any', 'front', 'front_tls'):
        W[name] = free_port()
    W['echo'] = Listener(echo)
    text = sample({
        'on "0.0.0.0:995"': port(995), 'on "0.0.0.0:110"': port(110),
        'on "0.0.0.0:993"': port(993), 'on "0.0.0.0:143"': port(143),
        'on "0.0.0.0:25"': port(25), 'on "0.0.0.0:1995"': port(1995),
        'on "127.0.0.1:2110"': port(2110),
        '/etc/postseal/mail.pem': W['mail.pem'],
        '/etc/postseal/mail.key': W['mail.key'],
        '/etc/postseal/office.pem': W['office'][1],
        '/etc/postseal/office.key': W['office'][0],
        '10.0.0.0/8': '127.0.0.78/32',
        '127.0.0.1:10110': '127.0.0.1:%d' % W['pop3', 'plain'],
        '127.0.0.1:10143': '127.0.0.1:%d' % W['imap', 'plain'],
        '127.0.0.1:10025': '127.0.0.1:%d' % W['postfix'].plain,
        '192.0.2.25:995': '127.0.0.1:%d' % W['pop3', 'tls'],
        'name pop.example.net': 'name box.example ca box',
        '/usr/sbin/popa3d': script,
    })
    text += MORE_LISTENERS % dict(
        W, ca=W['ca'].crt, script=script, pin=sha256(W['box'][1]),
        echo=W['echo'].port, pop3_tls=W['pop3', 'tls'],
        imap_start=W['imap', 'start'])
    W['relay'] = Relay(os.path.join(W['dir'], 'relay'), text)
    W['relay'].start()


def install(pair):
    """The certificate of pki mail."""
    for path, name in zip(pair, ('mail.key', 'mail.pem')):
        W[name] = os.path.join(W['dir'], name)
        with open(path, encoding='ascii') as f:
            write(W[name] + '.new', f.read())
        os.chmod(W[name] + '.new', 0o600)
        os.rename(W[name] + '.new', W[name])


def setup():
    need_relay()
    W['dir'] = base.temporary('tunnel')
    ca = W['ca'] = CA(os.path.join(W['dir'], 'ca'))
    W['box'] = ca.server('box.example')
    W['first'] = ca.server('mail.example.com')
    W['second'] = ca.server('mail.example.com', 'new.example.com')
    W['office'] = ca.server('office.example.com')
    W['person'] = ca.client('alice@example.com')
    W['stranger'] = CA(os.path.join(W['dir'], 'other')).client(
        'mallory@example.com')
    install(W['first'])
    start_dovecot()
    start_postfix()
    start_relay()


def trusting(name=None, crt=None):
    c = ssl.create_default_context(cafile=W['ca'].crt)
    if crt:
        c.load_cert_chain(crt[1], crt[0])
    if name is None:
        c.check_hostname = False
    return c


def saw_client(p):
    pattern = r'%s-login: .*(Login|Logged in): .*rip=%s' % (
        p, re.escape(CLIENT))
    wait_for(lambda: re.search(pattern, W['dovecot'].log()),
             lambda: pattern + ' in the log of Dovecot:\n' +
             W['dovecot'].log()[-2000:])


def pop3_login(t, greeted=False):
    if not greeted:
        check(t.line().startswith('+OK'), 'greeting')
    t.send('USER alice\r\n')
    check(t.line().startswith('+OK'), 'USER')
    t.send('PASS x\r\n')
    said = t.line()
    check(said.startswith('+OK'), 'PASS', said, W['dovecot'].log()[-1500:])


def until_tag(t, tag):
    lines = []
    while True:
        lines.append(t.line())
        # an empty one is the end, or the line behind a header
        if lines[-1].startswith(tag + ' ') or lines.count('') > 5:
            return lines


# ---- Dovecot behind them ----

@test
def T66_pop3s_and_dovecot_sees_the_client():
    t = Talk(W[995], True, trusting(True), 'mail.example.com', CLIENT)
    pop3_login(t)
    t.send('QUIT\r\n')
    check(t.line().startswith('+OK'), 'QUIT')
    t.close()
    saw_client('pop3')
    W['relay'].wait_log(r'event=tunnel sid=\S+ listen=pop3 peer=%s tls=TLS'
                        r'\S+ .*port=\d+ backend-local-port=[1-9]' %
                        re.escape(CLIENT))
    W['relay'].wait_log(r'event=tunnel-end sid=\S+ listen=pop3 .*in=\d+ '
                        r'out=\d+ seconds=\d+\.\d\d\d how=end')
    check(W['relay'].counter('tunnels_total') >= 1, 'counted')


@test
def T4_T19_T71_stls_is_a_must_in_front_of_dovecot():
    t = Talk(W[110], source=CLIENT)
    check(t.line().startswith('+OK'), 'greeting')
    for line in ('USER alice', 'PASS x', 'AUTH PLAIN AGFsaWNlAHg=', 'STAT'):
        t.send(line + '\r\n')
        said = t.line()
        check(said.startswith('-ERR TLS is required'), line, said)
    t.send('CAPA\r\n')
    found = []
    while not found or found[-1] != '.':
        found.append(t.line())
    check('STLS' in found and not any(x.startswith(('SASL', 'USER'))
                                      for x in found), 'CAPA', found)
    t.send('STLS\r\n')
    check(t.line().startswith('+OK'), 'STLS')
    t.start_tls(trusting(True), 'mail.example.com')
    t.send('CAPA\r\n')
    found = []
    while not found or found[-1] != '.':
        found.append(t.line())
    check('STLS' not in found and 'USER' in found, 'CAPA inside', found)
    pop3_login(t, greeted=True)
    t.close()


@test
def T71_imaps_and_starttls_in_front_of_dovecot():
    t = Talk(W[993], True, trusting(True), 'mail.example.com', CLIENT)
    said = t.line()
    check(said.startswith('* OK') and 'STARTTLS' not in said, said)
    t.send('a LOGIN alice x\r\n')
    check(until_tag(t, 'a')[-1].startswith('a OK'), 'LOGIN')
    t.send('b APPEND INBOX {%d+}\r\n' % 300000)
    t.send(b'Subject: x\r\n\r\n' + b'x' * 299984 + b'\r\n' + b'\r\n')
    check(until_tag(t, 'b')[-1].startswith('b OK'), 'APPEND')
    t.close()
    t = Talk(W[143], source=CLIENT)
    said = t.line()
    check('STARTTLS' in said and 'LOGINDISABLED' in said and
          'AUTH=' not in said, said)
    t.send('a LOGIN alice x\r\n')
    check(t.line().startswith('a NO [PRIVACYREQUIRED]'), 'LOGIN in clear')
    t.send('b STARTTLS\r\n')
    check(t.line().startswith('b OK'), 'STARTTLS')
    t.start_tls(trusting(True), 'mail.example.com')
    t.send('c CAPABILITY\r\n')
    lines = until_tag(t, 'c')
    check('AUTH=PLAIN' in lines[0] and 'STARTTLS' not in lines[0], lines)
    t.send('d LOGIN alice x\r\n')
    check(until_tag(t, 'd')[-1].startswith('d OK'), 'LOGIN inside')
    t.send('e SELECT INBOX\r\ng FETCH 1:* BODY[]\r\n')
    lines = until_tag(t, 'g')
    check(lines[-1].startswith('g OK') and
          max(len(x) for x in lines) > 299000, 'a large mail')
    t.close()
    saw_client('imap')


@test
def T7_A65_injection_is_cut_in_front_of_dovecot():
    """attack A65: commands in one segment with STLS or STARTTLS
    verdict: the end, and Dovecot sees none of them"""
    for p, text in ((110, b'STLS\r\nUSER mallory\r\n'),
                    (143, b'a STARTTLS\r\nb LOGIN mallory x\r\n'),
                    (25, b'STARTTLS\r\nEHLO mallory\r\n')):
        t = Talk(W[p], source=CLIENT)
        t.reply()
        t.send(text)
        t.line()
        equal(t.line(), '', 'the end at %d' % p)
        t.close()
    check('mallory' not in W['dovecot'].log(), 'Dovecot saw it')


# ---- clients that others wrote ----

@test
def openssl_and_curl_come_in():
    openssl, curl = need('openssl'), need('curl')
    for p, proto in ((995, None), (993, None), (110, 'pop3'), (143, 'imap'),
                     (25, 'smtp')):
        more = ['-starttls', proto] if proto else []
        status, out, err = run([openssl, 's_client', '-connect',
                                '127.0.0.1:%d' % W[p], '-CAfile',
                                W['ca'].crt, '-verify_return_error', '-brief',
                                '-servername', 'mail.example.com', *more],
                               b'')
        equal(status, 0, 'openssl %d: %r' % (p, err))
        check(b'Verification: OK' in err + out, 'verified', err)
    for url, more in (('pop3s://mail.example.com:%d/' % W[995], []),
                      ('imaps://mail.example.com:%d/' % W[993], []),
                      ('pop3://mail.example.com:%d/' % W[110],
                       ['--ssl-reqd']),
                      ('imap://mail.example.com:%d/' % W[143],
                       ['--ssl-reqd'])):
        status, out, err = run([curl, '-sS', '--cacert', W['ca'].crt,
                                '--connect-to', '::127.0.0.1:', '-u',
                                'alice:x', url, *more])
        equal(status, 0, 'curl %s: %r' % (url, err))


@test
def sni_and_the_network_of_a_client_choose_the_certificate():
    def names(source):
        t = Talk(W[995], True, trusting(), 'mail.example.com', source)
        crt = t.sock.getpeercert()
        t.close()
        return crt['subjectAltName'][0][1]
    equal(names(CLIENT), 'mail.example.com', 'elsewhere')
    equal(names('127.0.0.78'), 'office.example.com', 'in the office')


# ---- Postfix behind one ----

@test
def T67_postfix_sees_the_client_by_xclient():
    t = Talk(W[25], source=CLIENT)
    check(t.reply().startswith('220'), 'greeting')
    said = t.say('EHLO client.example')
    check('STARTTLS' in said and 'XCLIENT' not in said, said)
    check(t.say('XCLIENT ADDR=192.0.2.1').startswith('550 5.7.0'),
          'XCLIENT of a client')
    check(t.say('STARTTLS').startswith('220'), 'STARTTLS')
    t.start_tls(trusting(True), 'mail.example.com')
    check(t.say('MAIL FROM:<a@b.example>').startswith('503'),
          'EHLO was forgotten')
    t.close()
    t = Talk(W[25], source=CLIENT)
    t.reply()
    t.say('STARTTLS')
    t.start_tls(trusting(True), 'mail.example.com')
    said = t.say('EHLO inside.example')
    check('STARTTLS' not in said and 'XCLIENT' not in said, said)
    said = t.mail(to=['bob@example.com'], data=b'Subject: t\r\n\r\n.\nx\r\n'
                  b'..\r\n\n.\r\nx\r\n', hello=False)
    check(said[-1].startswith('250'), said)
    t.close()
    mail = W['postfix'].wait_mail('bob')[-1]
    check(b'from inside.example (unknown [%s])' % CLIENT.encode() in mail,
          'Received', mail)


# ---- programs ----

@test
def T69_a_program_gets_the_environment():
    t = Talk(W[1995], True, trusting(True), 'mail.example.com', CLIENT)
    equal(t.line(), '+OK hello ' + CLIENT, 'greeting')
    t.send('WHO\r\n')
    said = t.line()
    check(said.startswith('+OK') and said != '+OK 0', 'its user', said)
    t.send('ENV\r\n')
    env = {}
    while True:
        line = t.line()
        if line == '.':
            break
        name, _, value = line.partition('=')
        env[name] = value
    equal(env['PROTO'], 'TCP', 'PROTO')
    equal(env['TCPREMOTEIP'], CLIENT, 'TCPREMOTEIP')
    equal(env['TCPLOCALPORT'], str(W[1995]), 'TCPLOCALPORT')
    equal(env['REMOTE_HOST'], CLIENT, 'REMOTE_HOST')
    equal(env['SSL_PROTOCOL'], 'TLSv1.3', 'SSL_PROTOCOL')
    equal(env['SSL_SERVER_NAME'], 'mail.example.com', 'SSL_SERVER_NAME')
    check('HOME' not in env and 'SSL_CLIENT_S_DN' not in env, env)
    t.send('QUIT\r\n')
    equal(t.line(), '+OK bye', 'QUIT')
    equal(t.line(), '', 'the end')


@test
def T31_T6_a_client_certificate_is_a_must():
    t = Talk(W['clients'], True, trusting(True, W['person']),
             'mail.example.com')
    check(t.line().startswith('+OK hello'), 'with one')
    t.send('ENV\r\n')
    lines = iter(t.line, '.')
    check('SSL_CLIENT_S_DN_Email=alice@example.com' in list(lines), 'e-mail')
    t.close()
    for who in (None, W['stranger']):
        said = ''
        try:
            t = Talk(W['clients'], True, trusting(True, who),
                     'mail.example.com')
            said = t.line()
        except OSError:
            pass
        check('hello' not in said, 'without a good one', said)


@test
def T8_a_program_is_another_one_after_stls():
    t = Talk(W['clients_stls'])
    check(t.line().startswith('+OK hello'), 'greeting')
    t.send('ENV\r\n')
    check(t.line().startswith('-ERR TLS is required'), 'in clear')
    t.send('STLS\r\n')
    check(t.line().startswith('+OK'), 'STLS')
    t.start_tls(trusting(True, W['person']), 'mail.example.com')
    t.send('ENV\r\n')
    env = list(iter(t.line, '.'))
    check('SSL_PROTOCOL=TLSv1.3' in env and 'SSL_CLIENT_VERIFY=SUCCESS' in
          env, 'TLS', env)
    t.close()


# ---- proxies in front ----

@test
def T66_T68_a_proxy_in_front_says_who_it_is():
    header = b'PROXY TCP4 192.0.2.65 198.51.100.1 50000 995\r\n'
    t = Talk(W['front'])
    for octet in header[:-1]:  # whatever the network makes of it
        t.send(bytes([octet]))
    t.send(header[-1:] + b'WHO\r\nENV\r\n')
    equal(t.line(), '+OK hello 192.0.2.65', 'greeting')
    check(t.line().startswith('+OK'), 'what stood behind the header')
    check('TCPREMOTEPORT=50000' in list(iter(t.line, '.')), 'its port')
    t.close()
    t = Talk(W['front_tls'])
    t.send(header)
    t.start_tls(trusting(True), 'mail.example.com')
    equal(t.line(), '+OK hello 192.0.2.65', 'greeting inside')
    t.close()


def ends_at_once(where, data, source=None):
    t = Talk(where, source=source)
    said = b''
    try:
        t.send(data)
        said = b''.join(iter(lambda: t.sock.recv(65536), b''))
    except ConnectionError:
        pass
    t.close()
    check(b'hello' not in said, 'no way in', said)


@test
def T66_A73_headers_that_are_not_believed():
    """attack A73: a PROXY header of a client, a broken one, none at all, one
    with a denied address
    verdict: the end, and no backend is started"""
    header = b'PROXY TCP4 %s 198.51.100.1 50000 995\r\n'
    ends_at_once(W['front'], header % b'192.0.2.65', CLIENT)
    ends_at_once(W['front'], header % b'192.0.2.66')
    ends_at_once(W['front'], header % b'192.0.2.666')
    ends_at_once(W['front'], b'USER alice\r\n')
    ends_at_once(W['front'], b'\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff')
    ends_at_once(W[110], header % b'192.0.2.65')
    check('192.0.2.65 ' not in W['dovecot'].log(), 'Dovecot saw it')


# ---- plain clients, servers with TLS alone ----

@test
def a_plain_client_of_a_server_that_has_tls_alone():
    t = Talk(W[2110])
    pop3_login(t)
    t.close()
    t = Talk(W['pinned'])
    pop3_login(t)
    t.close()
    t = Talk(W['out_imap'])
    check(t.line().startswith('* OK'), 'greeting')
    t.send('a LOGIN alice x\r\n')
    check(until_tag(t, 'a')[-1].startswith('a OK'), 'LOGIN')
    t.close()


@test
def T67_words_of_a_message_are_no_commands():
    """IMAP to a Dovecot that is told nothing of the client."""
    t = Talk(W['bare_imap'], True, trusting(True), 'mail.example.com')
    check(t.line().startswith('* OK'), 'greeting')
    t.send('a ID ("name" "x")\r\n')
    check(until_tag(t, 'a')[-1].startswith('a OK'), 'ID')
    t.send('b LOGIN alice wrong(\r\nc LOGIN alice {1}\r\n')
    check(until_tag(t, 'b')[-1].startswith('b BAD'), 'no LOGIN')
    check(t.line().startswith('+ '), 'a literal')
    t.send('x\r\n')
    check(until_tag(t, 'c')[-1].startswith('c OK'), 'LOGIN')
    text = ('Subject: x\r\n\r\nUse STARTTLS\r\nHis ID x-1\r\n' +
            'and ID {3}\r\n')
    t.send('d APPEND INBOX {%d+}\r\n%s\r\n' % (len(text), text))
    check(until_tag(t, 'd')[-1].startswith('d OK'), 'APPEND')
    t.close()
    for line in ('a STARTTLS', 'a ID ("x-originating-ip" "192.0.2.9")'):
        t = Talk(W['bare_imap'], True, trusting(True), 'mail.example.com')
        check(t.line().startswith('* OK'), 'greeting')
        t.send('n NOOP\r\n')
        check(until_tag(t, 'n')[-1].startswith('n OK'), 'NOOP')
        t.send(line + '\r\n')
        check(t.line().startswith('* BYE'), line)
        t.close()
        W['relay'].wait_log(r'event=tunnel-end .*listen=out-imap '
                            r'.*why="what only a proxy says, or TLS within')


@test
def A66_a_server_that_is_another():
    """attack A66: the server behind a tunnel shows another's certificate
    verdict: an error of POP3, and no octet of the client reaches it"""
    t = Talk(W['liar'])
    t.send('USER alice\r\nPASS secret\r\n')
    check(t.line().startswith('-ERR [SYS/TEMP]'), 'the answer')
    equal(t.line(), '', 'the end')
    W['relay'].wait_log(r'event=tunnel-end .*listen=liar .*how=backend-tls')
    t.close()


# ---- ends ----

class Half:
    """A TLS client that can end its own direction and go on reading: what
    comes stays in the socket until it is asked for, so that unwrap() never
    meets it."""

    def __init__(self, port, context, name):
        self.sock = socket.create_connection(('127.0.0.1', port), 90)
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes,
                                    server_hostname=name)
        self.call(self.tls.do_handshake)

    def call(self, what, *args):
        while True:
            try:
                got = what(*args)
                self.flush()
                return got
            except ssl.SSLWantReadError:
                self.flush()
                part = self.sock.recv(65536)
                check(part, 'the other side went')
                self.came.write(part)

    def flush(self):
        self.sock.sendall(self.goes.read())

    def end(self):
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            self.flush()

    def rest(self):
        got = []
        while True:
            try:
                got.append(self.call(self.tls.read, 65536))
            except ssl.SSLZeroReturnError:
                return b''.join(got)


@test
def each_direction_has_its_own_end():
    t = Half(W['any'], trusting(True), 'mail.example.com')
    data = os.urandom(3 << 20)
    t.call(t.tls.write, data)
    # close_notify, but the other direction goes on
    t.end()
    got = t.rest()
    equal(len(got), len(data), 'octets')
    check(got == data, 'the same')
    t.sock.close()


@test
def a_certificate_is_renewed_and_no_session_is_dropped():
    old = Talk(W[993], True, trusting(True), 'mail.example.com', CLIENT)
    check(old.line().startswith('* OK'), 'greeting')
    old.send('a LOGIN alice x\r\n')
    check(until_tag(old, 'a')[-1].startswith('a OK'), 'LOGIN')
    program = Talk(W[1995], True, trusting(True), 'mail.example.com')
    check(program.line().startswith('+OK'), 'greeting of the program')
    install(W['second'])
    W['relay'].reload()

    def is_new():
        t = Talk(W[993], True, trusting(), 'new.example.com')
        sha = ssl.DER_cert_to_PEM_cert(t.sock.getpeercert(True))
        t.close()
        with open(W['second'][1], encoding='ascii') as f:
            return sha.split() == f.read().split()
    wait_for(is_new, 'the new certificate')
    old.send('b NOOP\r\n')
    check(until_tag(old, 'b')[-1].startswith('b OK'), 'after the reload')
    program.send('WHO\r\n')
    check(program.line().startswith('+OK'), 'the program after the reload')
    old.close()
    program.close()
    t = Talk(W[1995], True, trusting(True), 'mail.example.com')
    check(t.line().startswith('+OK hello'), 'a program after the reload')
    t.close()


if __name__ == '__main__':
    base.main(setup)
