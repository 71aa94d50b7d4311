# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A site: a domain with its configuration, keystore, milter and perhaps
a Postfix. Re-exports base and mta, so that a test needs one import."""
import contextlib
import json
import os
import pwd
import re
import resource
import signal
import socket
import subprocess
import urllib.request

from base import *  # noqa: F401,F403
from base import (KEYS_USER, MILTER, MILTER_USER, POSTSEAL, alive, at_exit,
                  check, children, end_tree, free_port, heard, must_run, run,
                  title, wait_for)
from mta import *  # noqa: F401,F403
from mta import Postfix

CONF = '''# made by the tests
local-domains    {domain}
keystore         sqlite "{d}/keystore.db"
secret           file "{d}/secret"
rules            "{d}/rules"
authserv-id      mx.{domain}
spool            "{d}/spool"
max-message-size 600M
administrator    postmaster@{domain}
recipient-delimiter +
{extra}
milter {{
    listen            {listen}
    user              {user}
    keys-user         {keys}
    workers           {workers}
    outbound-networks 127.0.0.1/32
    {milter}
}}
metrics "127.0.0.1:{metrics}"
'''

RULES = '''outbound : sign or plain, encrypt or plain
inbound  : decrypt, verify
'''


class Site:
    """A domain: a folder with configuration, keystore and rules, a milter,
    and perhaps a Postfix."""

    def __init__(self, folder, domain, rules=RULES, workers=2, extra='',
                 source='127.0.0.2'):
        self.dir, self.domain, self.workers = folder, domain, workers
        self.conf = os.path.join(folder, 'postseal.conf')
        self.socket = os.path.join(folder, 'run', 'milter.sock')
        self.port = None  # set: TCP instead of the socket
        self.metrics = free_port()
        self.child = self.log_path = self.postfix = None
        self.source, self.extra = source, extra
        self.milter = ''  # more statements of milter { }
        os.makedirs(folder)
        must_run([POSTSEAL, 'init', '--dir', folder, '--domain', domain])
        self.set_rules(rules)
        self.set_conf()

    def set_conf(self, extra=None):
        if extra is not None:
            self.extra = extra
        for sub in ('run', 'spool'):
            os.makedirs(os.path.join(self.dir, sub), exist_ok=True)
        listen = '"inet:%d@127.0.0.1"' % self.port if self.port else \
            '"unix:%s" mode 0666' % self.socket
        text = CONF.format(d=self.dir, domain=self.domain, extra=self.extra,
                           listen=listen, milter=self.milter,
                           user=MILTER_USER, keys=KEYS_USER,
                           workers=self.workers, metrics=self.metrics)
        if os.getuid() != 0:
            text = re.sub(r'\n +(keys-)?user .*', '', text)
        with open(self.conf, 'w', encoding='utf-8') as f:
            f.write(text)
        self.own()

    def set_rules(self, text):
        with open(os.path.join(self.dir, 'rules'), 'w',
                  encoding='utf-8') as f:
            f.write(text)

    def own(self):
        """The files belong to the user that the milter runs as."""
        if os.getuid() != 0:
            return
        u = pwd.getpwnam(MILTER_USER)
        for d, subs, files in os.walk(self.dir):
            subs[:] = [s for s in subs if s != 'postfix']
            for path in [d] + [os.path.join(d, f) for f in files]:
                # a milter that runs may just have removed it
                with contextlib.suppress(FileNotFoundError):
                    os.chown(path, u.pw_uid, u.pw_gid)
        # The secret is for root and the keys process alone.
        os.chown(self.path('secret'), 0, 0)

    def cmd(self, *argv, data=b'', timeout=600):
        return run([POSTSEAL, '-c', self.conf, *argv], data,
                   timeout=timeout)

    def must(self, *argv, data=b''):
        status, out, err = self.cmd(*argv, data=data)
        check(status == 0, 'postseal %s: exit status %d' %
              (' '.join(argv), status), err, out)
        return out

    def path(self, name):
        return os.path.join(self.dir, name)

    # -- the milter --

    def start(self, env=None):
        self.log_path = self.path('milter.log')
        log = open(self.log_path, 'ab')
        self.child = subprocess.Popen(
            [MILTER, '-c', self.conf], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True, env=env)
        log.close()
        at_exit(self.stop)
        wait_for(self.listens, lambda: 'the milter to listen; log:\n' +
                 self.milter_log()[-3000:])

    def listens(self):
        check(self.child.poll() is None, 'the milter ended: %s' %
              self.child.returncode, self.milter_log()[-4000:])
        kind = socket.AF_INET if self.port else socket.AF_UNIX
        with socket.socket(kind) as s:
            try:
                s.connect(('127.0.0.1', self.port) if self.port
                          else self.socket)
            except OSError:
                return False
        return True

    def milter_log(self):
        with contextlib.suppress(OSError, TypeError), \
                open(self.log_path, encoding='utf-8',
                     errors='replace') as f:
            return f.read()
        return ''

    def stop(self, number=signal.SIGTERM):
        """End the milter and what it started. -> exit status."""
        if self.child is None:
            return None
        child, self.child = self.child, None
        status = end_tree(child, number)
        heard(self.milter_log())
        return status

    def processes(self, kind=None):
        """Pids of the milter's processes whose title names kind."""
        found = [self.child.pid] + children(self.child.pid)
        return [p for p in found if kind is None or kind in title(p)]

    def metric(self, name):
        """One figure of the milter's page; None while it has no page."""
        try:
            with urllib.request.urlopen('http://127.0.0.1:%d/metrics' %
                                        self.metrics, timeout=60) as r:
                page = r.read().decode()
        except OSError:
            return None
        found = re.search(r'(?m)^postseal_%s (\d+)$' % name, page)
        return int(found.group(1)) if found else None

    def wait_workers(self, n=None):
        """Until all of them are there and can be given mail. One that died
        idle is counted until somebody wants it. -> their pids"""
        n = n or self.workers

        def ready():
            found = [p for p in self.processes('worker') if alive(p)]
            return len(found) == n and (self.metric('workers') or 0) >= n \
                and found
        return wait_for(ready, 'all workers')

    # -- Postfix --

    def with_postfix(self, **extra):
        d = self.path('postfix')
        os.makedirs(d, exist_ok=True)
        self.postfix = Postfix(d, self.domain, self.source)
        self.postfix.extra.update(extra)
        return self.postfix


def limits():
    """Many sessions need many descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (max(soft, 4096), hard))


def two_sites(base, rules_a=RULES, rules_b=RULES, postfix=True, **more):
    """example.com with alice (RSA), example.org with bob (EC); one CA made
    at example.com; each knows the other's certificate, trusts the root, and
    holds its own users' keys only."""
    a = Site(os.path.join(base, 'a'), 'example.com', rules_a,
             source='127.0.0.2', **more)
    b = Site(os.path.join(base, 'b'), 'example.org', rules_b,
             source='127.0.0.3', **more)
    a.must('ca', 'init', '--no-passphrase', '--permit', 'any', '--name',
           'Test CA')
    a.must('ca', 'issue', '--email', 'alice@example.com', '--algorithm',
           'rsa:2048')
    a.must('ca', 'issue', '--email', 'bob@example.org', '--algorithm',
           'ec:p256')
    share(a, b, 'alice@example.com', 'bob@example.org')
    a.own()
    b.own()
    if postfix:
        pa, pb = a.with_postfix(), b.with_postfix()
        pa.configure({'example.org': pb.port}, a.socket)
        pb.configure({'example.com': pa.port}, b.socket)
    return a, b


def share(a, b, for_a, for_b):
    """Move the key of for_b from a's CA to b, leave b's certificate."""
    with open(a.path('password'), 'w', encoding='ascii') as f:
        f.write('test\n')
    p12, pem = a.path(for_b + '.p12'), a.path(for_b + '.pem')
    a.must('key', 'export', '--email', for_b, '--out', p12,
           '--password-file', a.path('password'))
    b.must('key', 'import', p12, '--email', for_b, '--password-file',
           a.path('password'))
    root = root_certificate(a)
    b.must('cert', 'trust', root)
    a.must('cert', 'export', for_a, '--out', a.path(for_a + '.pem'))
    b.must('cert', 'import', a.path(for_a + '.pem'))
    # a made bob's key; a real partner would never have had it.
    a.must('cert', 'export', for_b, '--out', pem)
    a.must('cert', 'remove', '--yes', for_b)
    a.must('cert', 'import', pem)


def root_certificate(site):
    """The CA's certificate as a PEM file."""
    rows = json.loads(site.must('cert', 'list', '--json'))
    anchors = [r for r in rows if r['is_anchor']]
    check(anchors, 'no anchor listed', str(rows))
    out = site.path('root.pem')
    site.must('cert', 'export', anchors[0]['sha256'], '--out', out)
    return out
