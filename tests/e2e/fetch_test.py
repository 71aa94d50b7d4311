#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""CRLs and OCSP responses fetched from real servers on loopback, by the
command and by the fetch process; and what is never asked."""
import contextlib
import http.server
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, must_run, run, test, wait_for  # noqa: E402

BOB, CAROL = 'bob@partner.example', 'carol@partner.example'
CA_CONF = '''
[ ca ]
default_ca = partner
[ partner ]
database = {d}/index.txt
crlnumber = {d}/crlnumber
serial = {d}/serial
new_certs_dir = {d}
certificate = {d}/ca.pem
private_key = {d}/ca.key
default_md = sha256
default_days = 90
default_crl_days = 20
policy = any
unique_subject = no
email_in_dn = no
[ any ]
commonName = supplied
[ req ]
distinguished_name = dn
prompt = no
[ dn ]
CN = x
[ root ]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[ user ]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment
extendedKeyUsage = emailProtection
subjectAltName = email:{email}
authorityKeyIdentifier = keyid
{more}
'''
web = site = ca = None


class Web:
    """An HTTP server whose pages are functions; counts what is asked."""

    def __init__(self):
        self.pages, self.asked, web_ = {}, [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                web_.asked.append(self.path)
                page = web_.pages.get(self.path)
                with contextlib.suppress(OSError):
                    if page is None:
                        self.send_error(404)
                    elif callable(page):
                        page(self)
                    else:
                        self.send_response(200)
                        self.send_header('Content-Length', str(len(page)))
                        self.end_headers()
                        self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0),
                                                      Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        lib.at_exit(self.server.shutdown)

    def url(self, path, host='127.0.0.1'):
        return 'http://%s:%d%s' % (host, self.port, path)


class Ca:
    """A partner's CA, made with the openssl command."""

    def __init__(self, folder):
        self.d = folder
        os.makedirs(folder)
        self.write('index.txt', '')
        self.write('crlnumber', '01\n')
        self.write('serial', '1000\n')
        self.conf('x@partner.example', '')
        self.openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes',
                     '-keyout', self.p('ca.key'), '-out', self.p('ca.pem'),
                     '-subj', '/CN=Partner CA', '-days', '900',
                     '-extensions', 'root')

    def p(self, name):
        return os.path.join(self.d, name)

    def write(self, name, text):
        with open(self.p(name), 'w', encoding='ascii') as f:
            f.write(text)

    def conf(self, email, more):
        self.write('ca.conf', CA_CONF.format(d=self.d, email=email,
                                             more=more))

    def openssl(self, verb, *argv):
        config = () if verb == 'ocsp' else ('-config', self.p('ca.conf'))
        must_run(['openssl', verb, *config, *argv])

    def issue(self, email, more):
        name = email.split('@')[0]
        self.conf(email, more)
        self.openssl('req', '-newkey', 'rsa:2048', '-nodes', '-keyout',
                     self.p(name + '.key'), '-out', self.p(name + '.csr'),
                     '-subj', '/CN=' + name)
        self.openssl('ca', '-batch', '-notext', '-in',
                     self.p(name + '.csr'), '-out', self.p(name + '.pem'),
                     '-extensions', 'user')
        return self.p(name + '.pem')

    def revoke(self, email):
        self.openssl('ca', '-revoke', self.p(email.split('@')[0] + '.pem'),
                     '-crl_reason', 'keyCompromise')

    def crl(self, *more):
        self.openssl('ca', '-gencrl', '-out', self.p('crl.pem'), *more)
        self.openssl_crl()
        with open(self.p('crl.der'), 'rb') as f:
            return f.read()

    def openssl_crl(self):
        must_run(['openssl', 'crl', '-in', self.p('crl.pem'), '-outform',
                  'DER', '-out', self.p('crl.der')])


class Trap:
    """A listener that must not be connected to."""

    def __init__(self, address='127.0.0.1'):
        self.s = socket.create_server((address, 0))
        self.s.settimeout(0.2)
        self.port = self.s.getsockname()[1]
        lib.at_exit(self.s.close)

    def hits(self):
        with contextlib.suppress(socket.timeout):
            self.s.accept()[0].close()
            return 1
        return 0


def setup():
    global web, site, ca
    base = lib.temporary()
    web = Web()
    ca = Ca(os.path.join(base, 'ca'))
    site = lib.Site(os.path.join(base, 'a'), 'example.com', workers=1)
    site.must('cert', 'import', ca.p('ca.pem'))
    site.must('cert', 'trust', fingerprint(ca.p('ca.pem')))
    site.own()


def fingerprint(pem):
    out = must_run(['openssl', 'x509', '-in', pem, '-noout', '-fingerprint',
                    '-sha256'])
    out = out[1] if isinstance(out, tuple) else out
    return out.decode().split('=')[1].strip().replace(':', '').lower()


def conf(*lines, private='127.0.0.0/8', timeout='60s'):
    text = ['fetch {', '    timeout ' + timeout]
    if private:
        text.append('    private-addresses "%s"' % private)
    text += ['    ' + line for line in lines] + ['}']
    site.set_conf('\n'.join(text))


def crl_line(path, every='1h', **host):
    return 'crl "%s" every %s' % (web.url(path, **host), every)


def clear():
    for x in listing():
        if x['kind'] != 'fetched':
            site.must('crl', 'remove', x['sha256'])
    site.own()
    web.asked.clear()


def listing(kind=None):
    out = json.loads(site.must('crl', 'list', '--json'))
    return [x for x in out if kind in (None, x['kind'])]


def fetch(*argv, status=0, says=''):
    code, out, err = site.cmd('crl', 'fetch', *argv)
    equal(code, status, 'exit status (%s)' % (out + err).decode())
    check(says in (out + err).decode(), 'says "%s"' % says, out, err)
    site.own()
    return out.decode()


@test
def S118_a_crl_is_fetched_once_by_hand():
    clear()
    web.pages['/ca.crl'] = ca.crl()
    conf(crl_line('/ca.crl'))
    check('would be fetched' in fetch('--dry-run'), 'a dry run says so')
    equal((web.asked, listing()), ([], []), 'after a dry run')
    fetch(says='imported')
    equal(len(listing('CRL')), 1, 'lists')
    fetch(says='known already')
    row = listing('fetched')[0]
    equal((row['url'], row['failures'], row['error']),
          (web.url('/ca.crl'), 0, None), 'what is noted')
    equal(web.asked, ['/ca.crl'] * 2, 'requests')


@test
def S118_what_is_no_crl_is_refused_by_name():
    clear()
    for body, word in ((b'<html>moved</html>', 'HTML'),
                       (open(ca.p('ca.pem'), 'rb').read(), 'no CRL'),
                       (b'', 'no CRL')):
        web.pages['/x.crl'] = body
        conf(crl_line('/x.crl'))
        fetch(status=65, says=word)
    equal(listing('CRL'), [], 'lists')
    row = [x for x in listing('fetched') if x['url'].endswith('/x.crl')][0]
    equal((row['failures'], row['got']), (3, None), 'what is noted')


@test
def A58_a_list_signed_by_another_ca_and_a_stale_one():
    clear()
    other = Ca(os.path.join(lib.temporary(), 'other'))
    web.pages['/forged.crl'] = other.crl()
    conf(crl_line('/forged.crl'))
    fetch(status=65, says='signature does not verify')
    equal(listing('CRL'), [], 'lists')
    stale = ca.crl('-crl_lastupdate', '20200101000000Z', '-crl_nextupdate',
                   '20200201000000Z')
    web.pages['/stale.crl'] = stale
    conf(crl_line('/stale.crl'))
    fetch(says='STALE')
    equal([x['stale'] for x in listing('CRL')], [True], 'said to be stale')


@test
def A58_A56_a_huge_answer_is_cut_off():
    """attack A58: a CRL without an end, with and without a length
    verdict: cut off at 20 MB, nothing is stored, no more is read."""
    clear()
    sent = []

    def endless(h):
        h.send_response(200)
        h.send_header('Connection', 'close')
        h.end_headers()
        for _ in range(1000):
            h.wfile.write(b'\0' * 65536)
            sent.append(65536)

    def announced(h):
        h.send_response(200)
        h.send_header('Content-Length', '99999999')
        h.end_headers()
        h.wfile.write(b'\0' * 1000)

    web.pages['/endless.crl'] = endless
    conf(crl_line('/endless.crl'), timeout='120s')
    fetch(status=65, says='more than 20971520 octets')
    check(sum(sent) < 40 << 20, 'octets sent: %d' % sum(sent))
    web.pages['/announced.crl'] = announced
    conf(crl_line('/announced.crl'))
    fetch(status=65, says='more than 20971520 octets')
    equal(listing('CRL'), [], 'lists')


@test
def A56_slow_and_dripping_servers_are_left():
    clear()

    def drip(h):
        h.send_response(200)
        h.send_header('Connection', 'close')
        h.end_headers()
        for _ in range(1200):
            h.wfile.write(b'0')
            time.sleep(0.1)

    def silent(_h):
        time.sleep(120)

    for page in (drip, silent):
        web.pages['/slow.crl'] = page
        conf(crl_line('/slow.crl'), timeout='1s')
        begin = time.monotonic()
        fetch(status=75, says='no whole answer in time')
        check(time.monotonic() - begin < 60, 'it is bounded')


@test
def A56_chunked_is_read_and_a_redirect_is_not_followed():
    """attack A56: a server that is allowed sends on to a private host
    verdict: no redirect is followed, the other host is not connected to."""
    clear()
    trap, body = Trap(), ca.crl()

    def chunked(h):
        h.send_response(200)
        h.send_header('Transfer-Encoding', 'chunked')
        h.end_headers()
        for i in range(0, len(body), 100):
            part = body[i:i + 100]
            h.wfile.write(b'%x\r\n%s\r\n' % (len(part), part))
        h.wfile.write(b'0\r\n\r\n')

    def away(h):
        h.send_response(302)
        h.send_header('Location', 'http://127.0.0.1:%d/' % trap.port)
        h.send_header('Content-Length', '0')
        h.end_headers()

    web.pages['/chunked.crl'] = chunked
    conf(crl_line('/chunked.crl'))
    fetch(says='imported')
    web.pages['/away.crl'] = away
    conf(crl_line('/away.crl'))
    fetch(status=69, says='redirects are not followed')
    equal(trap.hits(), 0, 'connections to the other host')


@test
def A56_a_name_that_leads_to_a_private_address():
    """attack A56: a host name in the list whose address is loopback
    verdict: the address of the connection decides; none is made."""
    clear()
    trap = Trap()
    url = 'http://localhost:%d/ca.crl' % trap.port
    for private in (None, '10.0.0.0/8'):
        conf('crl "%s" every 1h' % url, private=private)
        fetch(status=69, says='not public')
        equal(trap.hits(), 0, 'connections')
    for host in ('[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '2130706433',
                 '0x7f.1', '169.254.169.254', '[64:ff9b::7f00:1]'):
        conf('crl "http://%s:%d/" every 1h' % (host, trap.port),
             private=None)
        check(site.cmd('crl', 'fetch')[0] in (69, 75), 'refused: ' + host)
        equal(trap.hits(), 0, 'connections for ' + host)


@test
def A56_only_http_and_only_listed_hosts():
    trap = Trap()
    for url in ('file:///etc/passwd', 'ldap://127.0.0.1/',
                'ftp://127.0.0.1/', 'gopher://127.0.0.1/',
                'http://user@127.0.0.1/', 'http://'):
        conf('crl "%s" every 1h' % url)
        code, _out, err = site.cmd('crl', 'fetch')
        equal(code, 78, 'refused: ' + url)
        check(b'crl:' in err, 'by name', err)
    conf('allow 127.0.0.2:%d' % trap.port)
    fetch('http://127.0.0.1:%d/' % trap.port, status=69,
          says='is not allowed')
    conf('allow 127.0.0.1')  # that is port 80 and 443
    fetch('http://127.0.0.1:%d/' % trap.port, status=69,
          says='is not allowed')
    equal(trap.hits(), 0, 'connections')
    web.pages['/ca.crl'] = ca.crl()
    conf('allow 127.0.0.1:%d' % web.port)
    fetch(web.url('/ca.crl'), says='imported')
    conf('crl "%s" every 1h' % web.url('/ca.crl'))
    with open(site.conf, encoding='utf-8') as f:
        text = f.read()
    with open(site.conf, 'w', encoding='utf-8') as f:
        f.write(text[:text.index('fetch {')] + text[text.index('milter {'):])
    fetch(status=78, says='no block fetch')


@test
def S118_A56_lists_that_certificates_of_the_store_name():
    """Only of an allowed host, only of one whose path ends in an anchor."""
    clear()
    trap = Trap()
    bob = ca.issue(BOB, 'crlDistributionPoints = URI:%s, URI:%s, URI:%s' % (
        web.url('/bob.crl'), 'ldap://127.0.0.1:%d/' % trap.port,
        'http://127.0.0.1:%d/' % trap.port))
    stranger = Ca(os.path.join(lib.temporary(), 'stranger'))
    mallory = stranger.issue('mallory@evil.example',
                             'crlDistributionPoints = URI:' +
                             web.url('/mallory.crl'))
    site.must('cert', 'import', bob, mallory)
    web.pages['/bob.crl'] = ca.crl()
    conf('from-certificates on', 'allow 127.0.0.1:%d' % web.port)
    fetch(says='imported')
    equal(web.asked, ['/bob.crl'], 'what was asked for')
    equal(trap.hits(), 0, 'connections')
    conf('allow 127.0.0.1:%d' % web.port)
    fetch(says='nothing to fetch')
    site.must('cert', 'remove', '--yes', fingerprint(bob))
    site.must('cert', 'remove', '--yes', fingerprint(mallory))


@test
def S118_A59_ocsp_good_revoked_and_old():
    """A real responder; its answer is kept and told from an old one."""
    clear()
    port = lib.free_port()
    carol = ca.issue(CAROL, 'authorityInfoAccess = OCSP;URI:'
                     'http://127.0.0.1:%d/' % port)
    child = ocsp_at(port, '-ndays', '2')
    site.must('cert', 'import', carol)
    conf('ocsp on', 'allow 127.0.0.1:%d' % port)
    fetch(says='good')
    equal([(x['kind'], x['status']) for x in listing()
           if x['kind'] != 'fetched'], [('OCSP', 'good')], 'stored')
    child()
    ca.revoke(CAROL)
    child = ocsp_at(port, '-ndays', '2')
    time.sleep(1.1)  # a later thisUpdate
    fetch(says='revoked')
    equal([x['status'] for x in listing('OCSP')], ['revoked'], 'stored')
    out = site.must('cert', 'list', '--json')
    check(b'revoked' in out or b'keyCompromise' in out, 'cert list', out)
    child()
    fetch(status=75, says='OCSP of')
    equal([x['status'] for x in listing('OCSP')], ['revoked'], 'stays')
    site.must('cert', 'remove', '--yes', fingerprint(carol))


def ocsp_at(port, *more, signer='ca'):
    """A real OCSP responder, that of the openssl command. -> how to end
    it. It stands still after a connection without a request, so it is not
    asked whether it is there."""
    said = open(ca.p('responder.log'), 'wb+')
    child = subprocess.Popen(
        ['openssl', 'ocsp', '-port', str(port), '-index', ca.p('index.txt'),
         '-CA', ca.p('ca.pem'), '-rsigner', ca.p(signer + '.pem'), '-rkey',
         ca.p(signer + '.key'), *more], stdin=subprocess.DEVNULL,
        stdout=said, stderr=said)

    def stop():
        child.kill()
        child.wait()
        said.close()

    def is_there():
        with open(ca.p('responder.log'), 'rb') as f:
            return b'ACCEPT' in f.read()
    lib.at_exit(stop)
    wait_for(is_there, 'the OCSP responder')
    return stop


@test
def A59_an_answer_of_somebody_else_is_not_believed():
    """attack A59: a responder that the CA did not make one
    verdict: refused by name, nothing is stored."""
    clear()
    port = lib.free_port()
    dave = ca.issue('dave@partner.example',
                    'authorityInfoAccess = OCSP;URI:http://127.0.0.1:%d/'
                    % port)
    site.must('cert', 'import', dave)
    conf('ocsp on', 'allow 127.0.0.1:%d' % port)
    stop = ocsp_at(port, '-ndays', '2', signer='bob')
    code, _out, err = site.cmd('crl', 'fetch')
    stop()
    site.own()
    equal(code, 65, 'exit status')
    check(b'OCSPSigning' in err, 'why', err)
    equal(listing('OCSP'), [], 'stored')
    site.must('cert', 'remove', '--yes', fingerprint(dave))


@test
def S118_the_fetch_process_fetches_by_the_clock():
    clear()
    web.pages['/clock.crl'] = ca.crl()
    web.pages['/other.crl'] = b'nothing'
    # a user of its own, who can read neither keystore nor secret
    own = ['user nobody'] if os.getuid() == 0 else []
    conf(crl_line('/clock.crl'), crl_line('/other.crl'), *own)
    site.start()
    try:
        wait_for(lambda: 'event=crl-fetched' in site.milter_log(),
                 lambda: site.milter_log()[-3000:])
        wait_for(lambda: 'event=crl-fetch-failed' in site.milter_log(),
                 lambda: site.milter_log()[-3000:])
        equal(len(site.processes('fetch')), 1, 'fetch processes')
        if own:
            with open('/proc/%d/status' % site.processes('fetch')[0],
                      encoding='ascii') as f:
                uid = [x for x in f if x.startswith('Uid:')][0].split()[1:]
            equal(set(uid), {str(pwd.getpwnam('nobody').pw_uid)}, 'its user')
        equal(len(listing('CRL')), 1, 'lists')
        # killed: another takes its place, mail and plan go on
        os.kill(site.processes('fetch')[0], signal.SIGKILL)
        wait_for(lambda: 'event=death process=fetch' in site.milter_log(),
                 'its death in the log')
        wait_for(lambda: site.processes('fetch'), 'another one')
        before = len(web.asked)
        site.child.send_signal(signal.SIGHUP)
        wait_for(lambda: site.milter_log().count('event=generation') == 2,
                 'a reload')
        time.sleep(1)
        equal(len(web.asked), before, 'what was fetched is not fetched again')
        conf(crl_line('/late.crl'), *own)
        web.pages['/late.crl'] = web.pages['/clock.crl']
        site.child.send_signal(signal.SIGHUP)
        wait_for(lambda: '/late.crl' in web.asked,
                 lambda: site.milter_log()[-3000:])
    finally:
        equal(site.stop(), 0, 'exit status')


@test
def A56_without_the_block_there_is_no_fetch_process():
    site.set_conf('')
    site.start()
    try:
        wait_for(lambda: 'event=started' in site.milter_log(), 'start')
        equal(site.processes('fetch'), [], 'fetch processes')
    finally:
        equal(site.stop(), 0, 'exit status')


@test
def A56_mail_makes_nobody_connect_anywhere():
    """attack A56: signed mail whose certificate names OCSP responders, CA
    certificates and CRLs at hosts of the attacker's choice, some of them
    in the allow-list
    verdict: no connection, neither by the command nor by the milter's
    processes; the names in a message are not read at all."""
    clear()
    trap = Trap()
    more = ('authorityInfoAccess = OCSP;URI:http://127.0.0.1:%d/o, '
            'caIssuers;URI:http://127.0.0.1:%d/i, '
            'caIssuers;URI:http://169.254.169.254/latest/, '
            'OCSP;URI:ldap://127.0.0.1:%d/, '
            'caIssuers;URI:file:///etc/passwd, '
            'OCSP;URI:http://127.0.0.1:25/\n'
            'crlDistributionPoints = URI:http://127.0.0.1:%d/c, '
            'URI:ldap://127.0.0.1:%d/c' % ((trap.port,) * 5))
    erin = ca.issue('erin@partner.example', more)
    text = ca.p('mail.txt')
    with open(text, 'wb') as f:
        f.write(b'Content-Type: text/plain\r\n\r\nhello\r\n')
    signed = ca.p('signed.eml')
    must_run(['openssl', 'cms', '-sign', '-in', text, '-signer', erin,
              '-inkey', ca.p('erin.key'), '-out', signed, '-from',
              'erin@partner.example', '-to', 'alice@example.com',
              '-subject', 'hello'])
    with open(signed, 'rb') as f:
        mail = f.read()
    for line in ('from-certificates on', 'ocsp on'):
        conf('from-certificates on', 'ocsp on',
             'allow 127.0.0.1:%d 169.254.169.254' % trap.port)
        code, out, err = run([lib.POSTSEAL, '-c', site.conf, 'open',
                              '--from', 'erin@partner.example', '--to',
                              'alice@example.com'], mail)
        equal(code, 0, 'opened (%s)' % err.decode())
        check(b'smime=pass' in out, 'the signature verifies', out)
        equal(trap.hits(), 0, 'connections of postseal open, ' + line)
    site.start()
    try:
        wait_for(lambda: site.processes('fetch'), 'the fetch process')
        must_run([os.path.join(lib.BUILD, 'tests', 'bench', 'mfload'),
                  *mfload_args(signed)])
        time.sleep(1)
        equal(trap.hits(), 0, 'connections after mail')
    finally:
        equal(site.stop(), 0, 'exit status')


def mfload_args(path):
    return ['-s', site.socket, '--from', '<erin@partner.example>', '--rcpt',
            '<alice@example.com>', '--client', '192.0.2.1', path]


if __name__ == '__main__':
    lib.main(setup)
