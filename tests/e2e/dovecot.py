# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A private Dovecot with LMTP on a unix socket and maildirs.

Dovecot comes from build/root-dovecot (see ./run dovecot) and runs with its own
configuration in a temporary folder; an installed one is neither used nor
touched. Root starts it; it delivers as the accounts of mta.py."""
import contextlib
import grp
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from base import (DEFAULT_PRIVS, MAIL_OWNER, TOP, Skip, alive, at_exit, check,
                  children, need_root, wait_for)
from directories import write

ROOT = os.path.join(TOP, 'build', 'root-dovecot')
# What is compiled into the programs, its name in the copy, and a short one.
PLACES = ((b'/usr/lib/dovecot/modules', 'modules', 'm'),
          (b'/usr/bin/doveconf', 'doveconf', 'c'))

# What both languages have in common; that of 2.4 is another one than that of
# 2.3, and says so in its first line.
CONF = '''
base_dir = {d}/run
state_dir = {d}/state
libexec_dir = {programs}
log_path = {d}/dovecot.log
protocols = lmtp
ssl = no
default_internal_user = {nobody}
default_internal_group = {nogroup}
default_login_user = {nobody}
first_valid_uid = 1
mail_uid = {uid}
mail_gid = {gid}
auth_username_chars =
recipient_delimiter = +
postmaster_address = postmaster@{domain}
hostname = box.{domain}
service lmtp {{
  unix_listener {d}/lmtp {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
'''

CONF_2_3 = CONF + '''
import_environment = LD_LIBRARY_PATH={lib}
mail_location = maildir:{d}/mail/%n
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {d}/users
}}
'''

CONF_2_4 = '''dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
''' + CONF + '''
import_environment {{
  LD_LIBRARY_PATH = {lib}
}}
mail_driver = maildir
mail_path = {d}/mail/%{{user | username}}
passdb static {{
  fields {{
    nopassword = yes
  }}
}}
userdb passwd-file {{
  passwd_file_path = {d}/users
  auth_username_format = %{{user | username}}
}}
'''


def need_dovecot():
    need_root()
    if not os.path.exists(os.path.join(ROOT, '.complete')):
        raise Skip('no Dovecot in build/root-dovecot: ./run dovecot')


class Dovecot:
    """socket: where LMTP is spoken."""

    def __init__(self, folder, domain,
                 users=('alice', 'bob', 'carol', 'dave')):
        need_dovecot()
        self.dir, self.domain, self.users = folder, domain, users
        self.socket = os.path.join(folder, 'lmtp')
        self.programs = os.path.join(folder, 'programs')
        self.child = None

    def copy_programs(self):
        """Where modules and doveconf(1) are is compiled into them: in a copy
        it is another folder, whose name is not longer."""
        short = tempfile.mkdtemp(prefix='dv', dir='/tmp')
        at_exit(lambda: shutil.rmtree(short, ignore_errors=True))
        os.chmod(short, 0o755)
        shutil.copytree(os.path.join(ROOT, 'usr/lib/dovecot'), self.programs,
                        symlinks=True)
        shutil.copy2(os.path.join(ROOT, 'usr/bin/doveconf'), self.programs)
        new = []
        for old, here, name in PLACES:
            place = os.path.join(short, name).encode()
            check(len(place) <= len(old), 'name too long', place)
            os.symlink(os.path.join(self.programs, here), place)
            new.append((old + b'\0', place.ljust(len(old) + 1, b'\0')))
        for name in os.listdir(self.programs):
            path = os.path.join(self.programs, name)
            if os.path.islink(path) or not os.path.isfile(path):
                continue
            with open(path, 'rb') as f:
                data = f.read()
            for old, place in new:
                data = data.replace(old, place)
            with open(path, 'wb') as f:
                f.write(data)

    def libraries(self):
        found = [self.programs, os.path.join(self.programs, 'modules'),
                 os.path.join(self.programs, 'modules/old-stats')]
        for base in ('lib', 'usr/lib'):
            base = os.path.join(ROOT, base)
            if os.path.isdir(base):
                found += [os.path.join(base, x)
                          for x in sorted(os.listdir(base)) if '-linux-' in x]
        return ':'.join(found)

    def environment(self):
        return {'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
                'LD_LIBRARY_PATH': self.libraries()}

    def language(self):
        said = subprocess.run(
            [os.path.join(ROOT, 'usr/sbin/dovecot'), '--version'],
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
            env=self.environment()).stdout
        known = re.match(rb'(\d+)\.(\d+)\.', said)
        check(known, 'no version of Dovecot', said)
        version = tuple(int(x) for x in known.groups())
        return CONF_2_3 if version < (2, 4) else CONF_2_4

    def configure(self):
        if not os.path.isdir(self.programs):
            self.copy_programs()
        u = pwd.getpwnam(MAIL_OWNER)
        for sub in ('run', 'state', 'mail'):
            os.makedirs(os.path.join(self.dir, sub), exist_ok=True)
        os.chown(os.path.join(self.dir, 'mail'), u.pw_uid, u.pw_gid)
        with open(os.path.join(self.dir, 'users'), 'w',
                  encoding='ascii') as f:
            for name in self.users:
                f.write('%s::%d:%d::%s/mail/%s::\n' % (
                    name, u.pw_uid, u.pw_gid, self.dir, name))
        nobody = pwd.getpwnam(DEFAULT_PRIVS)
        with open(os.path.join(self.dir, 'dovecot.conf'), 'w',
                  encoding='ascii') as f:
            f.write(self.language().format(
                d=self.dir, programs=self.programs, lib=self.libraries(),
                domain=self.domain, uid=u.pw_uid, gid=u.pw_gid,
                nobody=DEFAULT_PRIVS,
                nogroup=grp.getgrgid(nobody.pw_gid).gr_name))

    def extend(self, without, more):
        """without: settings that go; more: {version of the language:
        text behind the others}."""
        path = os.path.join(self.dir, 'dovecot.conf')
        with open(path, encoding='ascii') as f:
            text = f.read()
        version = '2.4' if 'dovecot_config_version' in text else '2.3'
        text = re.sub(r'(?m)^(%s) = .*\n' % without, '', text)
        write(path, text + more[version])

    def start(self):
        with open(os.path.join(self.dir, 'out.log'), 'ab') as log:
            self.child = subprocess.Popen(
                [os.path.join(ROOT, 'usr/sbin/dovecot'), '-F', '-c',
                 os.path.join(self.dir, 'dovecot.conf')],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment(), start_new_session=True)
        at_exit(self.stop)
        wait_for(self.answers, lambda: 'Dovecot to answer; log:\n' +
                 self.log()[-3000:])

    def answers(self):
        check(self.child.poll() is None, 'Dovecot ended', self.log())
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(30)
                s.connect(self.socket)
                return s.recv(200).startswith(b'220')
        except OSError:
            return False

    def stop(self):
        if self.child is None:
            return
        child, self.child = self.child, None
        below = children(child.pid)
        with contextlib.suppress(OSError):
            child.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(60)
        end = time.monotonic() + 30
        while any(alive(p) for p in below) and time.monotonic() < end:
            time.sleep(0.05)
        for p in [child.pid] + below:
            if alive(p):
                with contextlib.suppress(OSError):
                    os.kill(p, signal.SIGKILL)
        child.wait()

    def log(self):
        text = ''
        for name in ('dovecot.log', 'out.log'):
            with contextlib.suppress(OSError), \
                    open(os.path.join(self.dir, name), encoding='utf-8',
                         errors='replace') as f:
                text += f.read()
        return text

    def boxes(self, user):
        d = os.path.join(self.dir, 'mail', user, 'new')
        if not os.path.isdir(d):
            return []
        return sorted((os.path.join(d, f) for f in os.listdir(d)),
                      key=lambda p: (os.stat(p).st_mtime_ns, p))

    def mails(self, user):
        """What was delivered, oldest first, with LF line ends."""
        out = []
        for p in self.boxes(user):
            with open(p, 'rb') as f:
                out.append(f.read().replace(b'\r\n', b'\n'))
        return out

    def empty(self, user):
        for p in self.boxes(user):
            os.unlink(p)

    def wait_mail(self, user, n=1, seconds=90):
        wait_for(lambda: len(self.boxes(user)) >= n,
                 lambda: '%d mails in Dovecot for %s (there are %d); log:\n%s'
                 % (n, user, len(self.boxes(user)), self.log()[-3000:]),
                 seconds)
        return self.mails(user)
