# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A private Sendmail, out of build/root-sendmail (see ./run sendmail).

It runs with a sendmail.cf that m4 makes from the lines below, in a folder
and on loopback ports of its own; an installed one is neither used nor
touched. What is for its own domain goes over LMTP to a sink with maildirs.
"""
import contextlib
import glob
import os
import platform
import pwd
import signal
import socket
import subprocess
import time

from base import (MAIL_OWNER, TOP, Skip, alive, at_exit, check, free_port,
                  need_root, run, wait_for)
from mta import Mailboxes, Raw
from sink import Sink

ROOT = os.path.join(TOP, 'build', 'root-sendmail')
PROGRAM = os.path.join(ROOT, 'usr/libexec/sendmail/sendmail')
CF = os.path.join(ROOT, 'usr/share/sendmail/cf')

MC = '''divert(0)dnl
VERSIONID(`made by the tests')
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `mx.{domain}')dnl
define(`confPID_FILE', `{d}/sendmail.pid')dnl
define(`QUEUE_DIR', `{d}/queue')dnl
define(`STATUS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`ALIAS_FILE', `stab:{d}/aliases')dnl
define(`confDONT_BLAME_SENDMAIL', `{unsafe}')dnl
define(`confHOSTS_FILE', `{d}/hosts')dnl
define(`confSERVICE_SWITCH_FILE', `{d}/switch')dnl
define(`confRUN_AS_USER', `{owner}')dnl
define(`confTRUSTED_USER', `{owner}')dnl
define(`confDONT_PROBE_INTERFACES', `True')dnl
define(`confLOG_LEVEL', `0')dnl
define(`confTO_IDENT', `0')dnl
define(`confMIN_QUEUE_AGE', `0')dnl
define(`confMAX_MESSAGE_SIZE', `60000000')dnl
define(`confMAX_HEADERS_LENGTH', `1048576')dnl
define(`confQUEUE_LA', `10000')dnl
define(`confREFUSE_LA', `10000')dnl
define(`confDELAY_LA', `10000')dnl
define(`confMAX_QUEUE_CHILDREN', `40')dnl
define(`confPRIVACY_FLAGS', `noexpn,novrfy')dnl
define(`confTO_QUEUERETURN', `1h')dnl
{doors}
CLIENT_OPTIONS(`Family=inet, Addr={source}')dnl
FEATURE(`no_default_msa')dnl
FEATURE(`nocanonify')dnl
FEATURE(`nouucp', `nospecial')dnl
FEATURE(`accept_unresolvable_domains')dnl
RELAY_DOMAIN(`127.0.0')dnl
FEATURE(`always_add_domain')dnl
FEATURE(`local_lmtp', `[IPC]', `TCP 127.0.0.1 {lmtp}')dnl
MODIFY_MAILER_FLAGS(`LOCAL', `-w59')dnl
{filters}
{more}
MAILER(`local')dnl
MAILER(`smtp')dnl
LOCAL_CONFIG
Cw{domain}
Kset macro
LOCAL_RULESETS
SLocal_check_mail
R$*			$: $&{{daemon_name}} $| $1
Rlogin $| $*		$: $(set {{auth_authen}} $@ $&s@{domain} $) $1
R$* $| $*		$: $2
LOCAL_RULE_0
{rules}
MAILER_DEFINITIONS
{mailers}
'''

# Three doors, with room for many clients at once: login believes that who
# says EHLO NAME has logged in as NAME at our domain; plain has no filters,
# for what was filtered already.
DOORS = '''
DAEMON_OPTIONS(`Name=MTA, {where}, Port={port}')dnl
DAEMON_OPTIONS(`Name=login, {where}, Port={login}')dnl
DAEMON_OPTIONS(`Name=plain, {where}, Port={plain}, InputMailFilters=')dnl
'''

WHERE = 'Family=inet, Addr=127.0.0.1, Listen=64'
# The test's folder lies below one that everybody may write to.
UNSAFE = ('MapInUnsafeDirPath,GroupWritableAliasFile,'
          'WorldWritableAliasFile')

# As MAILER(smtp) defines esmtp, but to a port of its own.
ROUTE = '''Mroute{n}, P=[IPC], F=mDFMuXa, S=EnvFromSMTP/HdrFromSMTP,
	R=EnvToSMTP, E=\\r\\n, L=990, T=DNS/RFC822/SMTP,
	A=TCP $h {port}
'''
RULE = 'R$* < @ %s . > $*\t$#route%d $@ [127.0.0.1] $: $1 < @ %s . > $2'
TIMES = 'T=C:30s;S:2m;R:2m;E:10m'


def need_sendmail():
    need_root()
    for path in (PROGRAM, os.path.join(CF, 'm4/cf.m4')):
        if not os.path.exists(path):
            raise Skip('no Sendmail in build/root-sendmail: ./run sendmail')


def environment():
    triplet = platform.machine() + '-linux-gnu'
    paths = [os.path.join(ROOT, d, triplet) for d in ('usr/lib', 'lib')]
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(paths), TZ='UTC')


def compiled(mc):
    """sendmail.cf, from the lines of a sendmail.mc."""
    m4 = os.path.join(ROOT, 'usr/bin/m4')
    status, out, err = run([m4, '-D_CF_DIR_=%s/' % CF,
                            os.path.join(CF, 'm4/cf.m4'), '-'], mc.encode(),
                           env=environment())
    check(status == 0 and not err, 'm4 makes no sendmail.cf', err)
    return out


class Sendmail(Mailboxes):
    """One private Sendmail. port has the milters, login as well, plain has
    none."""

    def __init__(self, folder, domain, source='127.0.0.1'):
        need_sendmail()
        self.dir, self.domain, self.source = folder, domain, source
        self.port, self.login, self.plain = (free_port() for _ in '123')
        self.child = None
        os.makedirs(folder, exist_ok=True)
        os.chmod(folder, 0o755)
        self.sink = Sink(os.path.join(folder, 'mail'), lmtp=True)
        self.aliases = {'postmaster': 'alice'}

    def configure(self, routes, milters=(), more='', daemons=True):
        """routes: {domain: port}; milters: names and S= values in order,
        or whole lines; more: lines of mc; daemons: are the ports not among
        the lines."""
        queue = os.path.join(self.dir, 'queue')
        os.makedirs(queue, exist_ok=True)
        os.chmod(queue, 0o700)
        os.chown(queue, pwd.getpwnam(MAIL_OWNER).pw_uid, -1)
        self.write('hosts', '127.0.0.1 localhost mx.%s\n' % self.domain)
        self.write('switch', 'hosts files\naliases files\n')
        self.write('aliases', ''.join('%s: %s\n' % x
                                      for x in self.aliases.items()))
        filters = '\n'.join(
            x if isinstance(x, str) else
            "INPUT_MAIL_FILTER(`%s', `S=%s, F=T, %s')dnl" % (*x, TIMES)
            for x in milters)
        names = list(enumerate(routes.items()))
        text = MC.format(
            d=self.dir, domain=self.domain, owner=MAIL_OWNER,
            unsafe=UNSAFE,
            doors=DOORS.format(where=WHERE, port=self.port, login=self.login,
                               plain=self.plain) if daemons else '',
            source=self.source, lmtp=self.sink.port, filters=filters,
            more=more,
            rules='\n'.join(RULE % (d, n, d) for n, (d, _) in names),
            mailers=''.join(ROUTE.format(n=n, port=p)
                            for n, (_, p) in names))
        with open(os.path.join(self.dir, 'sendmail.cf'), 'wb') as f:
            f.write(compiled(text))

    def write(self, name, text):
        with open(os.path.join(self.dir, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def argv(self, *more):
        return [PROGRAM, '-C', os.path.join(self.dir, 'sendmail.cf'), *more]

    def named(self, argv):
        """The command on a host that has a full name; where the host's own
        has no dot, Sendmail waits a minute for a better one."""
        if '.' in socket.gethostname() or run(['unshare', '-u', 'true'])[0]:
            return argv
        return ['unshare', '-u', 'sh', '-c',
                'echo "$0" >/proc/sys/kernel/hostname && exec "$@"',
                'mx.' + self.domain, *argv]

    def start(self):
        at_exit(self.stop)
        with open(os.path.join(self.dir, 'sendmail.log'), 'ab') as log:
            self.child = subprocess.Popen(
                self.named(self.argv('-bD', '-q2s')),
                stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=environment(),
                start_new_session=True)
        wait_for(self.answers, lambda: 'Sendmail to answer; it said:\n' +
                 self.log()[-3000:], 180)

    def answers(self):
        check(self.child.poll() is None, 'Sendmail ended', self.log())
        try:
            with socket.create_connection(('127.0.0.1', self.plain), 30) as s:
                return s.recv(200).startswith(b'220')
        except OSError:
            return False

    def stop(self):
        """The daemon and, as it leads their process group, its children."""
        if self.child is None:
            return
        child, self.child = self.child, None
        with contextlib.suppress(OSError):
            child.send_signal(signal.SIGTERM)
        end = time.monotonic() + 30
        while alive(child.pid) and time.monotonic() < end:
            time.sleep(0.05)
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()

    def log(self):
        with contextlib.suppress(OSError), \
                open(os.path.join(self.dir, 'sendmail.log'),
                     encoding='utf-8', errors='replace') as f:
            return f.read()
        return ''

    def connect(self, login=None):
        return Client(self, login)

    def queue_files(self):
        return glob.glob(os.path.join(self.dir, 'queue', '*'))

    def queued(self):
        """Queue ids of messages; hf is the control file of a held one."""
        return [os.path.basename(f)[2:] for f in self.queue_files()
                if os.path.basename(f)[:2] in ('qf', 'hf')]

    def held(self):
        """Paths of messages that a filter holds."""
        ids = [os.path.basename(f)[2:] for f in self.queue_files()
               if os.path.basename(f)[:2] == 'hf']
        return [f for f in self.queue_files()
                if os.path.basename(f)[2:] in ids]


class Client(Raw):
    """SMTP to Sendmail: from an address outside unless said otherwise;
    login is who logged in, for the port of that name."""

    def __init__(self, mta, login=None, addr='127.0.0.9', timeout=300):
        port = mta.login if login else mta.port
        super().__init__('127.0.0.1', port, login or 'client.example',
                         timeout, source_address=(addr, 0))
        self.ehlo()
