# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Real directories for tests: OpenLDAP's slapd and signed zones of NSD, out
of build/root-directories, on loopback; and servers that do not answer."""
import base64
import contextlib
import hashlib
import os
import platform
import re
import socket
import subprocess
import threading
import time

from base import (TOP, Skip, at_exit, check, free_port, must_run, run,
                  wait_for)

ROOT = os.path.join(TOP, 'build', 'root-directories')


def need_directories():
    for name in ('usr/sbin/slapd', 'usr/sbin/nsd', 'usr/bin/ldns-signzone'):
        if not os.path.exists(os.path.join(ROOT, name)):
            raise Skip('no OpenLDAP and NSD in build/root-directories: '
                       './run directories')


def environment():
    """Their libraries are unpacked, too."""
    triplet = platform.machine() + '-linux-gnu'
    paths = [os.path.join(ROOT, d, triplet) for d in ('usr/lib', 'lib')]
    return dict(os.environ, LD_LIBRARY_PATH=':'.join(paths), LDAPNOINIT='1')


def tool(name, *argv, cwd=None):
    return must_run([os.path.join(ROOT, name), *argv], env=environment(),
                    cwd=cwd)


def write(path, text):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(text)
    return path


def read(path):
    with open(path, 'rb') as f:
        return f.read()


# ---- certificates, by the openssl command ----

class CA:
    """A root and what it issues, files in a folder."""

    def __init__(self, folder, name):
        self.dir, self.name, self.count = folder, name, 0
        os.makedirs(folder, exist_ok=True)
        self.key, self.crt = self.path('ca.key'), self.path('ca.crt')
        must_run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes',
                  '-keyout', self.key, '-out', self.crt, '-days', '30',
                  '-subj', '/CN=' + name, '-addext',
                  'keyUsage=critical,keyCertSign,cRLSign'])

    def path(self, name):
        return os.path.join(self.dir, name)

    def issue(self, name, extensions):
        """-> (key, certificate) as PEM files."""
        self.count += 1
        key, csr, crt = (self.path('%d.%s' % (self.count, x))
                         for x in ('key', 'csr', 'crt'))
        ext = write(self.path('ext'), extensions)
        must_run(['openssl', 'req', '-newkey', 'rsa:2048', '-nodes',
                  '-keyout', key, '-out', csr, '-subj', '/CN=' + name])
        must_run(['openssl', 'x509', '-req', '-in', csr, '-CA', self.crt,
                  '-CAkey', self.key, '-CAcreateserial', '-days', '20',
                  '-out', crt, '-extfile', ext])
        return key, crt

    def person(self, address, more=''):
        return self.issue(address.split('@', maxsplit=1)[0],
                          'basicConstraints=CA:FALSE\n'
                          'keyUsage=digitalSignature,keyEncipherment\n'
                          'extendedKeyUsage=emailProtection\n'
                          'subjectAltName=email:%s\n%s\n' % (address, more))

    def server(self, names):
        return self.issue('server', 'basicConstraints=CA:FALSE\n'
                          'keyUsage=digitalSignature\n'
                          'extendedKeyUsage=serverAuth\n'
                          'subjectAltName=%s\n' % names)


def der(crt):
    return must_run(['openssl', 'x509', '-in', crt, '-outform', 'DER'])


# ---- OpenLDAP ----

SLAPD_CONF = '''
include {root}/etc/ldap/schema/core.schema
include {root}/etc/ldap/schema/cosine.schema
include {root}/etc/ldap/schema/inetorgperson.schema
modulepath {root}/usr/lib/ldap
moduleload back_mdb
pidfile {d}/slapd.pid
argsfile {d}/slapd.args
TLSCACertificateFile {ca}
TLSCertificateFile {crt}
TLSCertificateKeyFile {key}
database mdb
suffix "o=partner"
rootdn "cn=admin,o=partner"
rootpw admin-password
directory {d}/data
maxsize 16777216
access to dn.subtree="ou=closed,o=partner" by users read by * auth
access to * by * read
'''
TREE = '''dn: o=partner
objectClass: organization
o: partner

dn: ou=people,o=partner
objectClass: organizationalUnit
ou: people

dn: ou=closed,o=partner
objectClass: organizationalUnit
ou: closed

dn: cn=postseal,o=partner
objectClass: person
cn: postseal
sn: postseal
userPassword: reader-password

'''


def entry(address, certificates, unit='people'):
    """LDIF of a person; certificates are DER."""
    name = address.split('@', maxsplit=1)[0]
    lines = ['dn: cn=%s,ou=%s,o=partner' % (name, unit),
             'objectClass: inetOrgPerson', 'cn: ' + name, 'sn: ' + name,
             'uid: ' + name, 'mail: ' + address]
    lines += ['userCertificate;binary:: ' +
              base64.b64encode(c).decode() for c in certificates]
    return '\n'.join(lines) + '\n\n'


class Slapd:
    def __init__(self, folder, ldif, tls_ca, names='IP:127.0.0.1'):
        self.dir, self.child = folder, None
        os.makedirs(os.path.join(folder, 'data'))
        key, crt = tls_ca.server(names)
        self.conf = write(self.path('slapd.conf'), SLAPD_CONF.format(
            root=ROOT, d=folder, ca=tls_ca.crt, crt=crt, key=key))
        write(self.path('tree.ldif'), TREE + ldif)
        tool('usr/sbin/slapadd', '-f', self.conf, '-l',
             self.path('tree.ldif'))
        self.port, self.tls_port = free_port(), free_port()
        self.ldap = 'ldap://127.0.0.1:%d' % self.port
        self.ldaps = 'ldaps://127.0.0.1:%d' % self.tls_port

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self):
        """stats: every search is a line of the log."""
        with open(self.path('log'), 'ab') as log:
            self.child = subprocess.Popen(
                [os.path.join(ROOT, 'usr/sbin/slapd'), '-d', 'stats', '-f',
                 self.conf, '-h', '%s %s' % (self.ldap, self.ldaps)],
                env=environment(), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL)
        at_exit(self.stop)
        wait_for(lambda: listens(self.port) and listens(self.tls_port),
                 lambda: 'slapd: ' + self.log()[-2000:])
        return self

    def stop(self):
        stop(self)

    def log(self):
        return read(self.path('log')).decode('utf-8', 'replace')

    def searches(self):
        """Filters that it was asked for so far."""
        return re.findall(r'SRCH base="o=partner".* filter="(.*)"',
                          self.log())


def stop(server):
    child, server.child = server.child, None
    if child is not None:
        child.terminate()
        try:
            child.wait(60)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def listens(port):
    with socket.socket() as s:
        s.settimeout(30)
        return s.connect_ex(('127.0.0.1', port)) == 0


# ---- zones ----

def smimea_name(address):
    local, domain = address.rsplit('@', 1)
    return '%s._smimecert.%s.' % (
        hashlib.sha256(local.encode()).hexdigest()[:56], domain)


def smimea(address, data, usage=3, selector=0, matching=0):
    return '%s 300 IN SMIMEA %d %d %d %s\n' % (
        smimea_name(address), usage, selector, matching, data.hex())


class Zones:
    """Zones in a folder, served by an NSD of their own."""

    def __init__(self, folder):
        self.dir, self.names, self.child = folder, [], None
        os.makedirs(folder)
        self.port = free_port()
        self.anchor = write(self.path('anchor'), '')

    def path(self, name):
        return os.path.join(self.dir, name)

    def add(self, name, records, signed=True, anchored=True, change=None,
            sign=()):
        """change: function of the text of the zone as it is served; sign:
        options of ldns-signzone."""
        text = ('%s. 300 IN SOA ns.%s. root.%s. 1 3600 600 86400 300\n'
                '%s. 300 IN NS ns.%s.\nns.%s. 300 IN A 127.0.0.1\n' %
                ((name,) * 6)) + records
        source, served = self.path(name + '.plain'), self.path(name)
        write(source, text)
        write(served, text)
        key = tool('usr/bin/ldns-keygen', '-a', 'ECDSAP256SHA256', '-k',
                   name, cwd=self.dir).decode().strip()
        if signed:
            tool('usr/bin/ldns-signzone', *sign, '-f', served, source, key,
                 cwd=self.dir)
        if anchored:
            with open(self.anchor, 'ab') as f:
                f.write(read(self.path(key + '.ds')))
        if change is not None:
            old = read(served).decode()
            new = change(old)
            check(new != old, name + ': the zone was not changed')
            write(served, new)
        self.names.append(name)

    def start(self):
        conf = ('server:\n ip-address: 127.0.0.1@{p}\n port: {p}\n'
                ' do-ip6: no\n server-count: 1\n username: ""\n'
                ' chroot: ""\n database: ""\n zonesdir: "{d}"\n'
                ' pidfile: "{d}/nsd.pid"\n xfrdfile: "{d}/xfrd.state"\n'
                ' zonelistfile: "{d}/zone.list"\n xfrdir: "{d}"\n'
                'remote-control:\n control-enable: no\n').format(
                    p=self.port, d=self.dir)
        for name in self.names:
            conf += 'zone:\n name: "%s"\n zonefile: "%s"\n' % (name, name)
        write(self.path('nsd.conf'), conf)
        with open(self.path('log'), 'ab') as log:
            starts = self.log().count('nsd started')
            self.child = subprocess.Popen(
                [os.path.join(ROOT, 'usr/sbin/nsd'), '-d', '-c',
                 self.path('nsd.conf')], env=environment(), stdout=log,
                stderr=log, stdin=subprocess.DEVNULL)
        at_exit(self.stop)
        # it listens before it reads the zones
        wait_for(lambda: self.log().count('nsd started') > starts and
                 listens(self.port), lambda: 'NSD: ' + self.log()[-2000:])
        return self

    def log(self):
        return read(self.path('log')).decode()

    def stop(self):
        stop(self)


# ---- servers that are none ----

class Silent:
    """Listens, counts who connects, and says what it is given, one octet
    in every pause seconds, or nothing."""

    def __init__(self, say=b'', pause=0.1):
        self.say, self.pause, self.connections = say, pause, 0
        self.socket = socket.socket()
        self.socket.bind(('127.0.0.1', 0))
        self.socket.listen(16)
        self.port = self.socket.getsockname()[1]
        self.open = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.socket.accept()
                self.connections += 1
                self.open.append(c)
                threading.Thread(target=self.talk, args=(c,),
                                 daemon=True).start()

    def talk(self, c):
        with contextlib.suppress(OSError):
            for x in self.say:
                c.sendall(bytes([x]))
                time.sleep(self.pause)

    def stop(self):
        for s in [self.socket] + self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
            s.close()


def decrypt(message, key, crt):
    """openssl opens it; -> what was inside."""
    status, out, err = run(['openssl', 'cms', '-decrypt', '-inkey', key,
                            '-recip', crt], message)
    check(status == 0, 'openssl cms -decrypt', err)
    return out
