# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A private Postfix, an SMTP client, maildirs and messages.

Postfix comes from build/root-postfix (see ./run postfix) and runs with its
own configuration in a temporary folder and on free loopback ports; an
installed one is neither used nor touched.
"""
import contextlib
import email
import email.policy
import grp
import os
import pwd
import re
import signal
import smtplib
import socket
import time

from base import (ROOT, SANITIZER, MAIL_OWNER, SETGID_GROUP, DEFAULT_PRIVS,
                  Failed, alive, at_exit, check, free_port, need_postfix,
                  run, wait_for)

# ---- Postfix ----

MAIN_CF = '''
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {root}/etc/postfix
sendmail_path = {root}/usr/sbin/sendmail
mailq_path = {root}/usr/bin/mailq
newaliases_path = {root}/usr/bin/newaliases
mail_owner = {owner}
setgid_group = {group}
default_privs = {privs}
import_environment = LD_LIBRARY_PATH={lib} MAIL_CONFIG={d}/etc TZ=UTC
export_environment = LD_LIBRARY_PATH={lib} MAIL_CONFIG={d}/etc TZ=UTC
maillog_file = {d}/mail.log
maillog_file_prefixes = {d}
myhostname = {host}
mydomain = {domain}
myorigin = {domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8 192.0.2.0/24
smtp_bind_address = {source}
disable_dns_lookups = yes
smtp_host_lookup = native
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {d}/mail
virtual_mailbox_maps = inline:{{ {boxes} }}
virtual_mailbox_limit = 0
virtual_minimum_uid = 1
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
transport_maps = {routes}
default_transport = error:5.1.2 no route to this domain in the test
recipient_delimiter = +
message_size_limit = 600000000
header_size_limit = 102400
default_process_limit = 250
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_delay_reject = yes
in_flow_delay = 0
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 4s
notify_classes =
'''

MASTER_CF = '''
127.0.0.1:{port} inet n - n - 250 smtpd
127.0.0.1:{plain} inet n - n - 250 smtpd
  -o smtpd_milters=
  -o content_filter=
pickup    unix  n - n 3 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 3 1 qmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
lmtp      unix  - - n - - lmtp
showq     unix  n - n - - showq
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
'''


# What Postfix expects to find: folder, mode, of mail_owner, of setgid_group.
# Made here and not by postfix(1), whose Debian versions also look after
# systemd and chroots of the installed one.
QUEUE = [('etc', 0o755, 0, 0), ('data', 0o700, 1, 0), ('mail', 0o755, 1, 0),
         ('queue', 0o755, 0, 0), ('queue/pid', 0o755, 0, 0),
         ('queue/maildrop', 0o730, 1, 1), ('queue/public', 0o710, 1, 1)]
QUEUE += [('queue/' + q, 0o700, 1, 0) for q in (
    'active', 'bounce', 'corrupt', 'defer', 'deferred', 'flush', 'hold',
    'incoming', 'private', 'saved', 'trace')]


def inline(rows):
    """A Postfix table in main.cf; an empty one is not allowed."""
    rows = ' '.join(rows)
    return 'inline:{ %s }' % rows if rows else ''


class Mailboxes:
    """Maildirs in dir/mail; log() and queue_files() are the server's."""

    def boxes(self, user, sub='new'):
        d = os.path.join(self.dir, 'mail', user, sub)
        if not os.path.isdir(d):
            return []
        return sorted((os.path.join(d, f) for f in os.listdir(d)),
                      key=lambda p: (os.stat(p).st_mtime_ns, p))

    def mails(self, user):
        """What was delivered, oldest first, with LF line ends."""
        out = []
        for p in self.boxes(user):
            with open(p, 'rb') as f:
                out.append(f.read())
        return out

    def empty(self, user):
        for p in self.boxes(user):
            os.unlink(p)

    def wait_mail(self, user, n=1, seconds=90):
        wait_for(lambda: len(self.boxes(user)) >= n,
                 lambda: '%d mails for %s (there are %d); log:\n%s' %
                 (n, user, len(self.boxes(user)), self.log()[-3000:]),
                 seconds)
        return self.mails(user)

    def grep(self, *needles):
        """Where any of these octets lies in queue or maildirs."""
        found = []
        files = self.queue_files()
        for d, _, names in os.walk(os.path.join(self.dir, 'mail')):
            files += [os.path.join(d, n) for n in names]
        for path in files:
            with contextlib.suppress(OSError), open(path, 'rb') as f:
                data = f.read()
                found += [(path, n) for n in needles if n in data]
        return found


class Postfix(Mailboxes):
    """One private Postfix. port has the milter, plain has none."""

    def __init__(self, folder, domain, source='127.0.0.1'):
        need_postfix()
        self.dir, self.domain, self.source = folder, domain, source
        self.port, self.plain = free_port(), free_port()
        self.pid = None
        self.extra = {}
        self.routes = {}
        self.services = ''  # more lines of master.cf
        self.users = ['alice', 'bob', 'carol', 'dave', 'postmaster']

    def environment(self):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith(('MAIL_', 'ASAN', 'TSAN', 'UBSAN'))}
        env['LD_LIBRARY_PATH'] = self.libraries()
        env['PATH'] = '/usr/sbin:/usr/bin:/sbin:/bin'
        return env

    @staticmethod
    def libraries():
        paths = [os.path.join(ROOT, 'usr/lib/postfix')]
        for base in ('lib', 'usr/lib'):
            base = os.path.join(ROOT, base)
            if os.path.isdir(base):
                paths += [os.path.join(base, x)
                          for x in sorted(os.listdir(base)) if '-linux-' in x]
        return ':'.join(paths)

    def program(self, name):
        for d in ('usr/sbin', 'usr/bin'):
            p = os.path.join(ROOT, d, name)
            if os.path.exists(p):
                return p
        raise Failed('no %s in Postfix' % name)

    def configure(self, routes, milter=None, **extra):
        """routes: {domain: port}; milter: path of a unix socket."""
        uid = pwd.getpwnam(MAIL_OWNER)
        self.routes.update(routes)
        self.extra.update(extra)
        group = grp.getgrnam(SETGID_GROUP).gr_gid
        for name, mode, owner, gid in QUEUE:
            path = os.path.join(self.dir, name)
            os.makedirs(path, exist_ok=True)
            os.chown(path, uid.pw_uid if owner else 0,
                     group if gid else 0)
            os.chmod(path, mode)
        text = MAIN_CF.format(
            d=self.dir, root=ROOT, lib=self.libraries(), domain=self.domain,
            host='mx.' + self.domain, owner=MAIL_OWNER, group=SETGID_GROUP,
            privs=DEFAULT_PRIVS, uid=uid.pw_uid,
            gid=grp.getgrnam(MAIL_OWNER).gr_gid, source=self.source,
            boxes=' '.join('{ %s@%s = %s/ }' % (u, self.domain, u)
                           for u in self.users),
            routes=inline('{ %s = smtp:[127.0.0.1]:%d }' % r
                          for r in self.routes.items()))
        if milter:
            text += ('smtpd_milters = { unix:%s, default_action=tempfail }\n'
                     'non_smtpd_milters = $smtpd_milters\n' % milter)
        for k, v in self.extra.items():
            # Never twice: Postfix would warn, each process at its start,
            # and postlogd, which warns itself, can hang in that.
            text = re.sub(r'(?m)^%s = .*\n' % k, '', text)
            text += '%s = %s\n' % (k, v)
        self.write('etc/main.cf', text)
        self.write('etc/master.cf', MASTER_CF.format(
            port=self.port, plain=self.plain) + self.services)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        if name in ('etc/main.cf', 'etc/master.cf'):
            # Each program of Postfix reads a file that is younger than two
            # seconds again and again, as somebody may be writing it.
            old = time.time() - 10
            os.utime(path, (old, old))

    def command(self, *argv, data=b''):
        return run([self.program(argv[0]), *argv[1:]], data,
                   env=self.environment())

    def start(self):
        at_exit(self.stop)
        master = os.path.join(ROOT, 'usr/lib/postfix/sbin/master')
        # one that was killed may hold its lock for a moment
        for _ in range(120):
            status, out, err = run(
                [master, '-w', '-c', os.path.join(self.dir, 'etc')],
                env=self.environment())
            if status == 0:
                break
            time.sleep(0.5)
        check(status == 0, 'Postfix does not start: %d' % status, err, out,
              self.log())
        with open(os.path.join(self.dir, 'queue/pid/master.pid'),
                  encoding='ascii') as f:
            self.pid = int(f.read())
        wait_for(lambda: self.answers(), 'Postfix to answer')

    def answers(self):
        try:
            with socket.create_connection(('127.0.0.1', self.port), 30) as s:
                return s.recv(200).startswith(b'220')
        except OSError:
            return False

    def connect(self, login=None):
        """A client from outside; login: a user of the domain."""
        return Client(self.port, login and '%s@%s' % (login, self.domain),
                      '192.0.2.7')

    def held(self):
        """Paths of messages in the hold queue."""
        return [f for f in self.queue_files() if '/hold/' in f]

    def reload(self):
        os.kill(self.pid, signal.SIGHUP)

    def stop(self):
        """The master and, as it leads their process group, its daemons."""
        if self.pid is None:
            return
        pid, self.pid = self.pid, None
        if not alive(pid):
            return
        # what was delivered, and is not noted yet, would come once more
        end = time.monotonic() + 5
        while self.is_delivering() and time.monotonic() < end:
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 30
        while alive(pid) and time.monotonic() < end:
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)

    def sendmail(self, argv, data):
        """sendmail(1) with local submission, as root."""
        return self.command('sendmail', '-C', os.path.join(self.dir, 'etc'),
                            *argv, data=data)

    def log(self):
        with contextlib.suppress(OSError), \
                open(os.path.join(self.dir, 'mail.log'), encoding='utf-8',
                     errors='replace') as f:
            return f.read()
        return ''

    def is_delivering(self):
        return any('/active/' in f or '/incoming/' in f
                   for f in self.queue_files())

    def queue_files(self):
        """Paths of all messages that lie in the queue. What moves meanwhile
        is seen where it was or where it went to: some are looked at twice,
        as a message goes to and fro between them."""
        found = {}
        for q in ('maildrop', 'hold', 'incoming', 'active', 'deferred',
                  'incoming', 'active', 'corrupt', 'defer', 'bounce'):
            for d, _, files in os.walk(os.path.join(self.dir, 'queue', q)):
                found.update({f: os.path.join(d, f) for f in files}
                             if q not in ('defer', 'bounce') else
                             {(q, f): os.path.join(d, f) for f in files})
        return list(found.values())

    def queued(self):
        """Queue ids of messages."""
        return [os.path.basename(f) for f in self.queue_files()
                if '/defer/' not in f and '/bounce/' not in f]

    def flush(self):
        self.command('postqueue', '-c', os.path.join(self.dir, 'etc'), '-f')


# ---- SMTP client ----

class Raw(smtplib.SMTP):
    """SMTP that sends octets as they are."""

    def submit_raw(self, sender, to, octets, options=(), rcpt_options=()):
        """The octets between DATA and the final dot. -> (code, text)"""
        code, text = self.mail(sender, options)
        for t in [to] if isinstance(to, str) else to:
            if code < 400:
                code, text = self.rcpt(t, rcpt_options)
        if code >= 400:
            self.rset()
            return code, text.decode()
        code, text = self.docmd('DATA')
        check(code == 354, 'DATA: %d' % code, text)
        dots = octets.replace(b'\r\n.', b'\r\n..')
        self.send((b'.' if dots[:1] == b'.' else b'') + dots +
                  (b'' if dots.endswith(b'\r\n') else b'\r\n') + b'.\r\n')
        code, text = self.getreply()
        return code, text.decode()


class Client(Raw):
    """SMTP to a port of ours; login and address by XCLIENT, so that the
    server believes in a login without any password."""

    def __init__(self, port, login=None, addr=None, timeout=300):
        super().__init__('127.0.0.1', port, 'client.example',
                         timeout * (4 if SANITIZER else 1))
        self.ehlo_or_helo_if_needed()
        words = []
        if login:
            words.append('LOGIN=' + login)
        if addr:
            words.append('ADDR=' + addr)
        if words:
            code, text = self.docmd('XCLIENT', ' '.join(words))
            check(code == 220, 'XCLIENT refused: %d' % code, text)
            self.ehlo_resp = self.helo_resp = None
            self.ehlo_or_helo_if_needed()

    def submit(self, sender, to, message):
        """-> (code, text) of what the server said to the whole; message
        in octets with CRLF or LF."""
        to = [to] if isinstance(to, str) else to
        code, text = self.mail(sender)
        if code >= 400:
            self.rset()
            return code, text.decode()
        for t in to:
            code, text = self.rcpt(t)
            if code >= 400:
                self.rset()
                return code, text.decode()
        code, text = self.data(crlf(message))
        return code, text.decode()


def crlf(data):
    return re.sub(rb'\r?\n', b'\r\n', data)


def lf(data):
    return data.replace(b'\r\n', b'\n')


def send(port, sender, to, message, login=None, addr=None):
    """One message in one session."""
    c = Client(port, login, addr)
    try:
        return c.submit(sender, to, message)
    finally:
        with contextlib.suppress(Exception):
            c.quit()


# ---- messages ----

def leaves(data):
    """[(type, decoded octets)] of all leaves but signatures, which an opened
    message keeps; text with LF line ends."""
    msg = email.message_from_bytes(data, policy=email.policy.compat32)
    out = []
    for part in msg.walk():
        if part.is_multipart() or part.get_content_type() in (
                'application/pkcs7-signature',
                'application/x-pkcs7-signature'):
            continue
        body = part.get_payload(decode=True)
        if body is None:
            body = b''
        if part.get_content_maintype() in ('text', 'message'):
            body = lf(body)
        out.append((part.get_content_type(), body))
    return out


def header(data, name):
    """All values of a header field, unfolded."""
    msg = email.message_from_bytes(data, policy=email.policy.compat32)
    return [re.sub(r'\r?\n[ \t]+', ' ', str(v)).strip()
            for v in msg.get_all(name) or []]


def body(data):
    return lf(data).split(b'\n\n', 1)[1]
