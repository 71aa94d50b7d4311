# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A real OpenDKIM, out of build/root-opendkim (see ./run opendkim), that
signs for a domain or verifies, with keys in a zone of a local NSD."""
import os
import platform
import re
import subprocess

from base import (TOP, Skip, at_exit, check, free_port, must_run, wait_for)
from directories import environment as directories_environment
from directories import listens, need_directories, stop

ROOT = os.path.join(TOP, 'build', 'root-opendkim')
PROGRAM = os.path.join(ROOT, 'usr/sbin/opendkim')

CONF = '''Socket inet:{port}@127.0.0.1
Mode {mode}
Syslog no
Background no
UMask 022
PidFile {d}/pid
TemporaryDirectory {d}
RequireSafeKeys no
ExternalIgnoreList {d}/hosts
InternalHosts {d}/hosts
MTACommand /bin/false
{more}
'''
SIGN = '''Domain {domain}
Selector test
KeyFile {key}
Canonicalization relaxed/relaxed
OversignHeaders From
'''
# The trust anchor is not asked for: DKIM needs no DNSSEC.
VERIFY = '''AuthservID mx.{domain}
AlwaysAddARHeader yes
DNSTimeout 60
ResolverConfiguration {d}/unbound.conf
'''
UNBOUND = '''server:
 do-not-query-localhost: no
 module-config: "iterator"
forward-zone:
 name: "."
 forward-addr: 127.0.0.1@%d
'''


def need_opendkim():
    need_directories()
    if not os.path.exists(PROGRAM):
        raise Skip('no OpenDKIM in build/root-opendkim: ./run opendkim')


def environment():
    """Beside its own libraries those of the name server's tools, which may
    bring libunbound."""
    triplet = platform.machine() + '-linux-gnu'
    paths = [os.path.join(ROOT, d) for d in
             ('usr/lib/' + triplet, 'lib/' + triplet, 'usr/lib')]
    old = directories_environment()['LD_LIBRARY_PATH']
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(paths + [old]))


def key(folder, domain):
    """-> (file of a new private key, its record for the zone)."""
    path = os.path.join(folder, domain + '.dkim')
    must_run(['openssl', 'genrsa', '-out', path, '2048'])
    pem = must_run(['openssl', 'rsa', '-in', path, '-pubout']).decode()
    p = ''.join(x for x in pem.splitlines() if not x.startswith('-'))
    words = ' '.join('"%s"' % x for x in re.findall(
        '.{1,200}', 'v=DKIM1; k=rsa; p=' + p))
    return path, 'test._domainkey.%s. 300 IN TXT %s\n' % (domain, words)


class OpenDKIM:
    """One filter, on a TCP port. hosts: whose mail it signs."""

    def __init__(self, folder, domain, key_file=None, dns_port=0,
                 hosts='0.0.0.0/0'):
        need_opendkim()
        self.dir, self.port, self.child = folder, free_port(), None
        os.makedirs(folder)
        os.chmod(folder, 0o755)
        more = SIGN if key_file else VERIFY
        self.write('opendkim.conf', CONF.format(
            port=self.port, d=folder, mode='s' if key_file else 'v',
            more=more.format(domain=domain, key=key_file, d=folder)))
        self.write('hosts', hosts + '\n' if key_file else '192.0.2.255\n')
        self.write('unbound.conf', UNBOUND % dns_port)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), 'w', encoding='utf-8') as f:
            f.write(text)

    def milter(self):
        """For Postfix's list of milters."""
        return '{ inet:127.0.0.1:%d, default_action=tempfail }' % self.port

    def start(self):
        at_exit(self.stop)
        with open(os.path.join(self.dir, 'log'), 'ab') as log:
            self.child = subprocess.Popen(
                [PROGRAM, '-f', '-x', os.path.join(self.dir,
                                                   'opendkim.conf')],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment())
        wait_for(self.answers, 'OpenDKIM to listen')
        return self

    def answers(self):
        with open(os.path.join(self.dir, 'log'), encoding='utf-8',
                  errors='replace') as f:
            check(self.child.poll() is None, 'OpenDKIM ended', f.read())
        return listens(self.port)

    def stop(self):
        stop(self)
