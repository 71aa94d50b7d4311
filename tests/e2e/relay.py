# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A postseal-relay of the test's own, clients of it, and next hops with TLS
that remember every octet that came in clear."""
import contextlib
import os
import pwd
import re
import signal
import socket
import ssl
import subprocess
import threading

from base import (BUILD, MILTER_USER, Skip, at_exit, check, children,
                  end_tree, free_port, heard, must_run, run, title, wait_for)
from directories import write
from sink import Server, Session, Sink

RELAY = os.path.join(BUILD, 'postseal-relay')


def need_relay():
    if not os.path.exists(RELAY):
        raise Skip('no postseal-relay: make')


# ---- certificates: elliptic curves, which are quick to make ----

class CA:
    """A root and what it issues; files in a folder."""

    def __init__(self, folder, name='Test root'):
        self.dir, self.count = folder, 0
        os.makedirs(folder, exist_ok=True)
        self.key, self.crt = self.path('ca.key'), self.path('ca.crt')
        must_run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
                  'ec_paramgen_curve:P-256', '-nodes', '-keyout', self.key,
                  '-out', self.crt, '-days', '30', '-subj', '/CN=' + name,
                  '-addext', 'keyUsage=critical,keyCertSign,cRLSign'])

    def path(self, name):
        return os.path.join(self.dir, name)

    def issue(self, subject, extensions, days='20', key='ec'):
        """-> (key, certificate chain) as PEM files."""
        self.count += 1
        files = [self.path('%d.%s' % (self.count, x))
                 for x in ('key', 'csr', 'crt')]
        ext = write(self.path('ext'), extensions)
        kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] \
            if key == 'ec' else ['-newkey', 'rsa:2048']
        must_run(['openssl', 'req', *kind, '-nodes', '-keyout', files[0],
                  '-out', files[1], '-subj', subject])
        if days == '-1':
            self.expired(files, ext)
        else:
            must_run(['openssl', 'x509', '-req', '-in', files[1], '-CA',
                      self.crt, '-CAkey', self.key, '-CAcreateserial',
                      '-days', days, '-out', files[2], '-extfile', ext])
        os.chmod(files[0], 0o600)
        return files[0], files[2]

    def expired(self, files, ext):
        conf = write(self.path('ca.conf'), '[ca]\ndefault_ca = x\n[x]\n'
                     'database = %s\nrand_serial = yes\n'
                     'default_md = sha256\npolicy = p\nunique_subject = no\n'
                     '[p]\ncommonName = supplied\n' %
                     write(self.path('index'), ''))
        must_run(['openssl', 'ca', '-batch', '-notext', '-config', conf,
                  '-in', files[1], '-cert', self.crt, '-keyfile', self.key,
                  '-startdate', '20200101000000Z', '-enddate',
                  '20200201000000Z', '-extfile', ext, '-outdir', self.dir,
                  '-out', files[2]])

    def server(self, *names, days='20', key='ec'):
        san = ','.join(n if ':' in n else 'DNS:' + n for n in names)
        return self.issue('/CN=server', 'basicConstraints=CA:FALSE\n'
                          'keyUsage=digitalSignature\n'
                          'extendedKeyUsage=serverAuth\n'
                          'subjectAltName=%s\n' % san, days, key)

    def client(self, *emails, more=''):
        return self.issue('/CN=client', 'basicConstraints=CA:FALSE\n'
                          'keyUsage=digitalSignature\n'
                          'extendedKeyUsage=clientAuth\n'
                          'subjectAltName=%s\n%s\n' %
                          (','.join('email:' + e for e in emails), more))


def sha256(crt):
    out = must_run(['openssl', 'x509', '-in', crt, '-noout', '-fingerprint',
                    '-sha256']).decode()
    return out.strip().split('=')[1].replace(':', '').lower()


# ---- the relay ----

def listening():
    """Inodes of all sockets here that listen."""
    found = set()
    for name, at, inode in (('tcp', 3, 9), ('tcp6', 3, 9), ('unix', 3, 6)):
        with contextlib.suppress(OSError), \
                open('/proc/net/' + name, encoding='utf-8') as f:
            for line in f:
                x = line.split()
                if len(x) > inode and x[at] in ('0A', '00010000'):
                    found.add('socket:[%s]' % x[inode])
    return found


def listens_itself(pid):
    """Has it a socket that listens? Who has ended has none; and whom we may
    not look at is not waited for."""
    folder, ours = '/proc/%d/fd' % pid, listening()
    with contextlib.suppress(OSError):
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(os.path.join(folder, fd)) in ours:
                    return True
    return False


class Relay:
    """Its folder has postseal.conf with the statements of relay { } that are
    given; {d} in them is the folder."""

    def __init__(self, folder, statements, top=''):
        self.dir = folder
        for sub in ('', 'run', 'spool', 'state'):
            os.makedirs(os.path.join(folder, sub), exist_ok=True)
        self.conf = os.path.join(folder, 'postseal.conf')
        self.log_path = os.path.join(folder, 'relay.log')
        self.child, self.metrics, self.starts = None, free_port(), 0
        self.set_conf(statements, top)

    def path(self, name):
        return os.path.join(self.dir, name)

    def set_conf(self, statements, top=''):
        user = '    user %s\n' % MILTER_USER if os.getuid() == 0 else ''
        # a grace that no session of a test needs, on whatever machine
        text = ('%s\nrelay {\n%s    workers 2\n    hostname '
                'relay.example\n    spool "%s/spool"\n    state "%s/state"\n'
                '    grace 2m\n    metrics "127.0.0.1:%d"\n%s\n}\n' %
                (top, user, self.dir, self.dir, self.metrics,
                 statements.replace('{d}', self.dir)))
        # at once: a death may have it read at any time
        os.replace(write(self.conf + '.new', text), self.conf)
        if os.getuid() == 0:
            u = pwd.getpwnam(MILTER_USER)
            for sub in ('', 'run', 'spool', 'state'):
                os.chown(self.path(sub), u.pw_uid, u.pw_gid)

    def check_conf(self):
        """-> (status, out, err) of -n."""
        return run([RELAY, '-n', '-c', self.conf])

    def start(self):
        self.starts = self.log().count('event=started')
        with open(self.log_path, 'ab') as log:
            self.child = subprocess.Popen(
                [RELAY, '-c', self.conf], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True)
        at_exit(self.stop)
        wait_for(self.is_up, lambda: 'the relay to start; log:\n' +
                 self.log()[-3000:])
        return self

    def is_up(self):
        check(self.child.poll() is None, 'the relay ended: %s' %
              self.child.returncode, self.log()[-4000:])
        return self.log().count('event=started') > self.starts

    def log(self):
        with contextlib.suppress(OSError), \
                open(self.log_path, encoding='utf-8',
                     errors='replace') as f:
            return f.read()
        return ''

    def wait_log(self, pattern):
        return wait_for(lambda: re.search(pattern, self.log()),
                        lambda: '%s in the log:\n%s' %
                        (pattern, self.log()[-3000:]))

    def reload(self):
        """Until nobody comes to the configuration of before any more."""
        old = children(self.child.pid)
        before = self.log().count('event=reloaded')
        self.child.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log().count('event=reloaded') > before,
                 lambda: 'a reload:\n' + self.log()[-3000:])
        wait_for(lambda: not any(listens_itself(p) for p in old),
                 lambda: 'those of before to listen no more:\n' +
                 self.log()[-3000:])

    def processes(self, kind=None):
        found = [self.child.pid] + children(self.child.pid)
        return [p for p in found if kind is None or kind in title(p)]

    def page(self):
        """The metrics. A process that is just retired says nothing."""
        with contextlib.suppress(ConnectionError), socket.create_connection(
                ('127.0.0.1', self.metrics), 60) as s:
            s.sendall(b'GET /metrics HTTP/1.0\r\n\r\n')
            return b''.join(iter(lambda: s.recv(65536), b'')).decode()
        return ''

    def metrics_page(self):
        return wait_for(self.page, 'the metrics')

    def counter(self, name):
        """Of the metrics: sum over all labels."""
        return sum(float(m.group(2)) for m in re.finditer(
            r'^postseal_relay_%s(\{.*\})? (\S+)$' % name,
            self.metrics_page(), re.M))

    def stop(self, number=signal.SIGTERM):
        """-> exit status."""
        if self.child is None:
            return None
        child, self.child = self.child, None
        status = end_tree(child, number)
        heard(self.log())
        return status


# ---- clients ----

class Talk:
    """SMTP, LMTP, POP3 or IMAP by hand, in clear or over TLS."""

    def __init__(self, port, implicit=False, context=None, sni=None,
                 source=None, timeout=90, host='127.0.0.1'):
        if isinstance(port, str):
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(timeout)
            self.sock.connect(port)
        else:
            self.sock = socket.create_connection(
                (host, port), timeout,
                source_address=(source, 0) if source else None)
        self.rest = b''
        if implicit:
            self.start_tls(context, sni)

    def start_tls(self, context=None, sni=None):
        check(self.rest == b'', 'octets before TLS: %r' % self.rest)
        self.sock = (context or anybody()).wrap_socket(
            self.sock, server_hostname=sni)

    def line(self):
        while b'\n' not in self.rest:
            got = self.sock.recv(65536)
            if not got:
                line, self.rest = self.rest, b''
                return line.decode('utf-8', 'replace')
            self.rest += got
        line, self.rest = self.rest.split(b'\n', 1)
        return line.decode('utf-8', 'replace').rstrip('\r')

    def reply(self):
        """All lines of an SMTP reply, joined by newlines; '' at the end."""
        lines = []
        while True:
            lines.append(self.line())
            if not re.match(r'\d{3}-', lines[-1]):
                return '\n'.join(lines)

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else
                          text.encode())

    def say(self, text):
        """A command; -> the reply."""
        self.send(text + '\r\n')
        return self.reply()

    def mail(self, sender='alice@a.example', to=('bob@b.example',),
             data=b'Subject: x\r\n\r\nbody\r\n', lmtp=False, hello=True):
        """-> [reply to MAIL, to each RCPT, to DATA, to the data ...]."""
        if hello:
            self.say('%s client.example' % ('LHLO' if lmtp else 'EHLO'))
        said = [self.say('MAIL FROM:<%s>' % sender)]
        said += [self.say('RCPT TO:<%s>' % t) for t in to]
        taken = sum(s.startswith('2') for s in said[1:])
        said.append(self.say('DATA'))
        if said[-1].startswith('354'):
            self.send(data + b'.\r\n')
            for _ in range(taken if lmtp else 1):
                said.append(self.reply())
        return said

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.close()


def anybody(crt=None, key=None):
    """A client context that looks at no certificate."""
    c = ssl.create_default_context()
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if crt:
        c.load_cert_chain(crt, key)
    return c


# ---- next hops ----

class TlsSession(Session):
    """A sink's session that offers STARTTLS and keeps what came in clear."""

    def handle(self):
        sink = self.server.sink
        self.secure = False
        try:
            if sink.implicit:
                self.begin_tls()
            super().handle()
        except (OSError, ValueError) as e:
            with sink.lock:
                sink.faults.append(str(e))

    def begin_tls(self):
        self.connection = self.server.sink.context.wrap_socket(
            self.connection, server_side=True)
        self.rfile = self.connection.makefile('rb')
        self.wfile = self.connection.makefile('wb', buffering=0)
        self.secure = True

    def command(self, line):
        sink = self.server.sink
        with sink.lock:
            sink.lines.append((self.secure, line))
        word = line[:4].upper()
        if word in (b'EHLO', b'LHLO'):
            offers = list(sink.offers)
            if sink.context and not self.secure and sink.starttls:
                offers.append('STARTTLS')
            if self.secure:
                offers += sink.offers_tls
            for x in offers:
                self.say(b'250-' + x.encode())
            self.say(b'250 ENHANCEDSTATUSCODES')
            return True
        if word == b'STAR' and sink.context:
            self.say(sink.starttls_answer)
            if sink.starttls_answer.startswith(b'220'):
                self.begin_tls()
            return True
        return super().command(line)


class TlsSink(Sink):
    """tls: (key, certificate) or None. lines: (was it inside TLS, line)."""

    def __init__(self, folder, tls=None, lmtp=False, implicit=False,
                 starttls=True, offers=('8BITMIME', 'DSN')):
        os.makedirs(folder, exist_ok=True)
        self.implicit, self.starttls = implicit, starttls
        self.starttls_answer, self.offers_tls = b'220 2.0.0 go', []
        self.lines, self.faults, self.context = [], [], None
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls[1], tls[0])
        Sink.__init__(self, folder, lmtp, offers)
        self.server.RequestHandlerClass = TlsSession

    def commands(self, secure=None):
        """Words that came: all, or those inside or outside of TLS."""
        with self.lock:
            return [line.split(b' ')[0].strip().upper().decode()
                    for s, line in self.lines
                    if secure is None or s == secure]


class Listener:
    """One scripted peer: each connection is given to f(socket) in a thread
    of its own."""

    def __init__(self, f):
        self.sock = socket.create_server(('127.0.0.1', 0))
        self.port, self.f = self.sock.getsockname()[1], f
        threading.Thread(target=self.serve, daemon=True).start()
        at_exit(self.stop)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.sock.accept()
                threading.Thread(target=self.one, args=(c,),
                                 daemon=True).start()

    def one(self, c):
        with contextlib.suppress(OSError), c:
            self.f(c)

    def stop(self):
        self.sock.close()


__all__ = ['CA', 'Listener', 'Relay', 'Server', 'Talk', 'TlsSink', 'anybody',
           'need_relay', 'sha256']
