# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""OpenSMTPD and Exim out of build/, each in a mount namespace of its own, so
that the users and folders which they insist on are the test's."""
import contextlib
import os
import platform
import pwd
import shutil
import signal
import subprocess

from base import (TOP, Skip, at_exit, children, free_port,
                  need_mounts, wait_for)
from directories import listens, write

TRIPLET = platform.machine() + '-linux-gnu'


def root_of(name):
    return os.path.join(TOP, 'build', 'root-' + name)


def environment(*names):
    """Libraries and Perl modules of unpacked packages."""
    roots = [root_of(n) for n in names]
    libs = [os.path.join(r, d, TRIPLET) for r in roots
            for d in ('usr/lib', 'lib')]
    perl = []
    for r in roots:
        for d, subs, _ in os.walk(os.path.join(r, 'usr')):
            if os.path.basename(d) in ('perl5', 'perl') or \
                    os.path.basename(os.path.dirname(d)) == 'perl5':
                perl.append(d)
            subs[:] = [s for s in subs if s in (
                'lib', 'share', 'perl5', 'perl', TRIPLET) or s[:1] == '5']
    path = [os.path.join(r, 'usr/bin') for r in roots]
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(libs),
                PERL5LIB=':'.join(perl),
                TESTSSL_INSTALL_DIR=os.path.join(roots[0],
                                                 'etc/testssl'),
                PATH=':'.join([os.environ['PATH']] + path))


class Peer:
    """A mail server in a folder. users: accounts it wants to find."""
    name, users = '', ()

    def __init__(self, folder):
        need_mounts()
        if not os.path.isdir(root_of(self.name)):
            raise Skip('no build/root-%s: ./run peers' % self.name)
        self.dir, self.port, self.pid = folder, free_port(), None
        self.root = self.path('root')
        for sub in ('', 'spool', 'lib', 'run', 'log', 'root'):
            os.makedirs(os.path.join(folder, sub), exist_ok=True)
        self.accounts()

    def path(self, name):
        return os.path.join(self.dir, name)

    def accounts(self):
        rows = [':'.join((p.pw_name, 'x', str(p.pw_uid), str(p.pw_gid), '',
                          p.pw_dir, p.pw_shell)) for p in pwd.getpwall()
                if p.pw_name not in self.users]
        groups = [u for u in self.users]
        rows += ['%s:x:%d:%d::/nonexistent:/bin/false' %
                 (u, 64100 + i, 64100 + i)
                 for i, u in enumerate(self.users)]
        with open('/etc/group', encoding='utf-8') as f:
            group = f.read()
        write(self.path('passwd'), '\n'.join(rows) + '\n')
        write(self.path('group'), group + ''.join(
            '%s:x:%d:\n' % (g, 64100 + i) for i, g in enumerate(groups)))

    def start_in(self, binds, argv):
        """binds: {place: ours}; argv runs there. self.root is where its own
        accounts can get at the programs, wherever build/ is."""
        real = root_of(self.name)
        env = {k: v.replace(real, self.root)
               for k, v in environment(self.name).items()}
        script = 'set -e\nmount --make-rprivate /\n'
        for place, ours in {'/etc/passwd': self.path('passwd'),
                            '/etc/group': self.path('group'),
                            self.root: real, **binds}.items():
            script += 'mount --bind "%s" "%s"\n' % (ours, place)
        script += 'exec "$@"\n'
        with open(self.path('log/out'), 'ab') as log:
            child = subprocess.Popen(
                ['unshare', '-m', 'sh', '-c', script, 'sh', *argv],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                start_new_session=True)
        self.child, self.pid = child, child.pid
        at_exit(self.stop)
        wait_for(lambda: listens(self.port), lambda: '%s to listen: %s' %
                 (self.name, self.log()[-2000:]))

    def log(self):
        text = ''
        for name in sorted(os.listdir(self.path('log'))):
            with contextlib.suppress(OSError), open(
                    self.path('log/' + name), encoding='utf-8',
                    errors='replace') as f:
                text += f.read()
        return text

    def stop(self):
        if self.pid is None:
            return
        pids, self.pid = [self.pid] + children(self.pid), None
        for p in pids:
            with contextlib.suppress(OSError):
                os.kill(p, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(30)
        for p in pids:
            with contextlib.suppress(OSError):
                os.kill(p, signal.SIGKILL)


class OpenSMTPD(Peer):
    """Listens with STARTTLS; mail for .next goes to next_port in clear, all
    other to relay_port over TLS that is not looked at."""
    name, users = 'opensmtpd', ('opensmtpd', 'opensmtpq')

    def start(self, tls, next_port, relay_port):
        conf = write(self.path('smtpd.conf'), '''
pki own cert "{crt}"
pki own key "{key}"
listen on 127.0.0.1 port {port} tls pki own
action "next" relay host smtp+notls://127.0.0.1:{next}
action "relay" relay host smtp+tls://127.0.0.1:{relay} tls no-verify
match from any for domain regex "[.]next$" action "next"
match from any for any action "relay"
'''.format(crt=tls[1], key=tls[0], port=self.port, next=next_port,
           relay=relay_port))
        os.chmod(conf, 0o600)
        os.makedirs(self.path('lib/opensmtpd/empty'), exist_ok=True)
        os.makedirs(self.path('spool/smtpd'), mode=0o711, exist_ok=True)
        os.chmod(self.path('spool/smtpd'), 0o711)
        # it wants to read the system's CAs; these are others
        os.makedirs(self.path('certs'), exist_ok=True)
        shutil.copy(tls[1], self.path('certs/ca-certificates.crt'))
        self.start_in({'/etc/ssl/certs': self.path('certs'),
                       '/var/spool': self.path('spool'),
                       '/var/lib': self.path('lib'),
                       '/run': self.path('run')},
                      [os.path.join(self.root, 'usr/sbin/smtpd'), '-d', '-f',
                       conf])
        return self


class Exim(Peer):
    """As OpenSMTPD above."""
    name, users = 'exim', ('Debian-exim',)

    def start(self, tls, next_port, relay_port):
        for t, n in ((tls[0], 'key'), (tls[1], 'crt')):
            shutil.copy(t, self.path(n))
            os.chown(self.path(n), 64100, 64100)
        conf = write(self.path('exim.conf'), '''
primary_hostname = mx.exim.example
exim_path = {root}/usr/sbin/exim4
spool_directory = {d}/spool
log_file_path = {d}/log/%slog
acl_smtp_rcpt = accept
acl_smtp_data = accept
keep_environment = LD_LIBRARY_PATH
tls_advertise_hosts = *
tls_certificate = {d}/crt
tls_privatekey = {d}/key
daemon_smtp_ports = {port}
local_interfaces = 127.0.0.1
queue_run_max = 2
begin acl
begin routers
next:
  driver = manualroute
  domains = *.next
  transport = clear
  route_list = * 127.0.0.1
  self = send
relay:
  driver = manualroute
  transport = tls
  route_list = * 127.0.0.1
  self = send
begin transports
clear:
  driver = smtp
  port = {next}
  hosts_avoid_tls = *
tls:
  driver = smtp
  port = {relay}
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
begin retry
* * F,1h,2s
'''.format(root=self.root, d=self.dir, port=self.port,
           next=next_port, relay=relay_port))
        os.chmod(conf, 0o644)
        os.chown(conf, 0, 0)
        for d in ('spool', 'log'):
            os.chown(self.path(d), 64100, 64100)
        os.chmod(self.dir, 0o755)
        exim = os.path.join(self.root, 'usr/sbin/exim4')
        self.start_in({}, [exim, '-C', conf, '-bdf', '-q2s'])
        return self


def need_tool(name):
    if not shutil.which(name, path=environment('tryers')['PATH']):
        raise Skip('%s is not installed' % name)


def try_tool(*argv, data=b'', timeout=800):
    """swaks or testssl; -> (status, output)."""
    path = os.path.join(root_of('tryers'), 'usr/bin', argv[0])
    if not os.path.exists(path):
        raise Skip('no %s in build/root-tryers: ./run peers' % argv[0])
    p = subprocess.run([path, *argv[1:]], input=data, timeout=timeout,
                       env=environment('tryers'), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    return p.returncode, p.stdout.decode('utf-8', 'replace')


__all__ = ['Exim', 'OpenSMTPD', 'need_tool', 'try_tool']
