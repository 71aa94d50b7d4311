#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""make bench-relay: the relay beside stunnel, haproxy, nginx stream, Postfix
and what libssl alone would take, in one run, as ratios. PARTS chooses some of
tunnels bulk memory mail. Each figure is the best of ROUNDS rounds in which all
take their turn."""
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
import base  # noqa: E402
from base import children, free_port, must_run, wait_for  # noqa: E402
from directories import listens, write  # noqa: E402
from mta import Postfix  # noqa: E402
from peers import environment, root_of  # noqa: E402
from relay import CA, Relay, need_relay  # noqa: E402

LOAD = os.path.join(base.BUILD, 'tests', 'bench', 'relayload')
ROUNDS = int(os.environ.get('ROUNDS', '3'))
CONNECTIONS, MEGABYTES, IDLE, MAILS = 1500, 400, 500, 3000
TICK = os.sysconf('SC_CLK_TCK')


def load(*argv):
    """-> (seconds, done)"""
    out = must_run([LOAD, *map(str, argv)], timeout=300).decode()
    m = re.search(r'seconds ([\d.]+) done (\d+)', out)
    return float(m.group(1)), int(m.group(2))


def tree(pid):
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        todo += children(p)
    return found


def cpu(pid):
    """Seconds of processor time of a process and all below it."""
    total = 0
    for p in tree(pid):
        with open('/proc/%d/stat' % p, encoding='ascii') as f:
            x = f.read().rsplit(')', 1)[1].split()
        total += int(x[11]) + int(x[12]) + int(x[13]) + int(x[14])
    return total / TICK


def rss_kib(pid):
    """Private memory of all processes."""
    total = 0
    for p in tree(pid):
        with open('/proc/%d/smaps_rollup' % p, encoding='ascii') as f:
            total += sum(int(r.split()[1]) for r in f
                         if r.startswith('Private'))
    return total


def table(title, rows):
    print('\n%s' % title)
    width = max(len(r[0]) for r in rows)
    for r in rows:
        print('  %-*s  %s' % (width, r[0], '  '.join(r[1:])))
    sys.stdout.flush()


class World:
    def __init__(self):
        self.dir = base.temporary('benchrelay')
        ca = CA(os.path.join(self.dir, 'ca'))
        self.key, self.crt = ca.server('localhost')
        self.pem = os.path.join(self.dir, 'both.pem')
        with open(self.pem, 'w', encoding='ascii') as f:
            for n in (self.crt, self.key):
                with open(n, encoding='ascii') as g:
                    f.write(g.read())
        self.started, self.ports = {}, {}

    def start(self, name, argv, port, env=None):
        log = open(os.path.join(self.dir, name + '.log'), 'ab')
        p = subprocess.Popen(argv, stdout=log, stderr=log, env=env,
                             stdin=subprocess.DEVNULL)
        base.at_exit(p.kill)
        wait_for(lambda: listens(port), name + ' to listen')
        self.started[name], self.ports[name] = p.pid, port
        return p

    def sink(self):
        """Postfix's, which takes everything."""
        port = free_port()
        root = os.path.join(base.ROOT)
        env = dict(os.environ, LD_LIBRARY_PATH=Postfix.libraries())
        self.start('sink', [os.path.join(root, 'usr/sbin/smtp-sink'),
                            '-u', 'nobody', '-m', '5000', '127.0.0.1:%d' % port,
                            '500'],
                   port, env)
        return port

    def discard(self):
        """Reads for ever."""
        port = free_port()
        self.start('discard', [sys.executable, '-c', (
            'import socket,threading\n'
            's=socket.create_server(("127.0.0.1",%d))\n'
            'def f(c):\n'
            '  b=bytearray(1<<20)\n'
            '  while c.recv_into(b): pass\n'
            'while 1: threading.Thread(target=f,args=(s.accept()[0],),'
            'daemon=True).start()') % port], port)
        return port

    # -- tunnels --

    def tunnels(self, backend):
        self.relay(backend)
        root = root_of('tunnels')
        if not os.path.isdir(root):
            print('no build/root-tunnels: ./run tunnels')
            return
        self.stunnel(root, backend)
        self.haproxy(root, backend)
        self.nginx(root, backend)

    def relay(self, backend):
        port = free_port()
        r = Relay(os.path.join(self.dir, 'relay%d' % port), '''
    pki mx {
        cert "%s"
        key "%s"
    }
    listen any {
        protocol any
        on "127.0.0.1:%d" implicit
        pki mx
        connections 5000
        per-client 5000
        backend "127.0.0.1:%d"
    }''' % (self.crt, self.key, port, backend))
        text = open(r.conf, encoding='utf-8').read()
        write(r.conf, text.replace('workers 2', 'workers 1'))
        r.start()
        self.started['postseal-relay'] = r.child.pid
        self.ports['postseal-relay'] = port

    def stunnel(self, root, backend):
        port = free_port()
        conf = write(os.path.join(self.dir, 'stunnel%d.conf' % port),
                     'foreground = yes\npid =\ndebug = 4\n[x]\n'
                     'accept = 127.0.0.1:%d\nconnect = 127.0.0.1:%d\n'
                     'cert = %s\n' % (port, backend, self.pem))
        self.start('stunnel', [os.path.join(root, 'usr/bin/stunnel4'), conf],
                   port, environment('tunnels'))

    def haproxy(self, root, backend):
        port = free_port()
        conf = write(os.path.join(self.dir, 'haproxy%d.conf' % port),
                     'global\n nbthread 1\n maxconn 5000\ndefaults\n '
                     'mode tcp\n timeout connect 5s\n timeout client 60s\n '
                     'timeout server 60s\nlisten x\n bind 127.0.0.1:%d ssl '
                     'crt %s\n server s 127.0.0.1:%d\n' %
                     (port, self.pem, backend))
        self.start('haproxy', [os.path.join(root, 'usr/sbin/haproxy'), '-f',
                               conf], port, environment('tunnels'))

    def nginx(self, root, backend):
        port = free_port()
        modules = [os.path.join(d, f) for d, _, files in os.walk(root)
                   for f in files if f == 'ngx_stream_module.so']
        conf = write(os.path.join(self.dir, 'nginx%d.conf' % port), '''
load_module %s;
daemon off;
worker_processes 1;
pid %s/nginx%d.pid;
error_log stderr;
events { worker_connections 10000; }
stream {
    server {
        listen 127.0.0.1:%d ssl;
        ssl_certificate %s;
        ssl_certificate_key %s;
        ssl_protocols TLSv1.3;
        proxy_pass 127.0.0.1:%d;
    }
}
''' % (modules[0], self.dir, port, port, self.crt, self.key, backend))
        self.start('nginx stream', [os.path.join(root, 'usr/sbin/nginx'),
                                    '-c', conf, '-e', 'stderr', '-p',
                                    self.dir], port, environment('tunnels'))


NAMES = ('postseal-relay', 'stunnel', 'haproxy', 'nginx stream')


def best(f, *names):
    """Best of the rounds for each name, taken in turn."""
    found = {n: [] for n in names}
    for _ in range(ROUNDS):
        for n in names:
            found[n].append(f(n))
    return {n: min(x) for n, x in found.items()}


def handshakes(w):
    out = must_run([LOAD, 'ceiling', w.crt, w.key, '3000']).decode()
    ceiling = float(out.split()[1])
    names = [n for n in NAMES if n in w.ports]

    def one(n):
        before = cpu(w.started[n])
        load('connect', w.ports[n], 'tls', CONNECTIONS, 8)
        return (cpu(w.started[n]) - before) / CONNECTIONS * 1e6
    us = best(one, *names)
    rows = [('', 'CPU us', 'per s and core', 'of libssl', 'of nginx')]
    for n in names:
        rows.append((n, '%7.0f' % us[n], '%7.0f' % (1e6 / us[n]),
                     '%5.2f' % (ceiling / us[n]), '%5.2f' % (
                         us[n] / us.get('nginx stream', us[n]))))
    rows.append(('libssl alone', '%7.0f' % ceiling,
                 '%7.0f' % (1e6 / ceiling), ' 1.00', ''))
    table('TLS 1.3, P-256: handshake, connection to the backend, greeting, '
          'QUIT (%d connections)' % CONNECTIONS, rows)


def bulk(w):
    names = [n for n in NAMES if n in w.ports]

    def one(n):
        before = cpu(w.started[n])
        load('bulk', w.ports[n], 'tls', MEGABYTES)
        return (cpu(w.started[n]) - before) / MEGABYTES * 1000
    s = best(one, *names)
    table('%d MB, TLS to plain' % MEGABYTES, [
        ('', 'CPU s/GB', 'MB/s and core')] + [
            (n, '%8.3f' % s[n], '%8.0f' % (1000 / s[n])) for n in names])


def memory(w):
    rows = [('', 'KiB per idle connection')]
    for n in [n for n in NAMES if n in w.ports]:
        before = rss_kib(w.started[n])
        p = subprocess.Popen([LOAD, 'idle', str(w.ports[n]), 'tls',
                              str(IDLE)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
        p.stdout.readline()
        time.sleep(0.5)
        rows.append((n, '%8.1f' % ((rss_kib(w.started[n]) - before) / IDLE)))
        p.communicate(b'\n')
    table('%d idle TLS connections' % IDLE, rows)


# ---- mail ----

def mail_relay(w, sink):
    lmtp, tls = free_port(), free_port()
    r = Relay(os.path.join(w.dir, 'mail'), '''
    pki mx {
        cert "%s"
        key "%s"
    }
    listen lmtp {
        protocol lmtp
        on "127.0.0.1:%d"
        per-client 500
        route out
    }
    listen smtp {
        protocol smtp
        on "127.0.0.1:%d" implicit
        pki mx
        per-client 500
        trusted 127.0.0.0/8
        route out
    }
    route out {
        host "127.0.0.1:%d" tls none
        concurrency 500
    }''' % (w.crt, w.key, lmtp, tls, sink))
    r.start()
    return lmtp, tls


def mail_postfix(w, sink):
    if os.getuid() != 0:
        return None
    p = Postfix(os.path.join(w.dir, 'postfix'), 'a.example')
    os.makedirs(p.dir)
    filtered = free_port()
    p.services = ('127.0.0.1:%d inet n - n - 100 smtpd\n'
                  '  -o smtpd_proxy_filter=127.0.0.1:%d\n' %
                  (filtered, sink))
    p.configure({}, default_transport='smtp:[127.0.0.1]:%d' % sink,
                smtpd_relay_restrictions='permit_mynetworks, reject')
    p.start()
    return p.plain, filtered


def mail(w):
    sink = w.sink()
    lmtp, tls = mail_relay(w, sink)
    paths = {'direct to the sink': (sink, 'plain', 'smtp'),
             'relay, LMTP in clear': (lmtp, 'plain', 'lmtp'),
             'relay, SMTP over TLS': (tls, 'tls', 'smtp')}
    ports = mail_postfix(w, sink)
    if ports:
        paths['Postfix, queue'] = (ports[0], 'plain', 'smtp')
        paths['Postfix, proxy filter'] = (ports[1], 'plain', 'smtp')
    rows = [('', '1 a connection', '10 a connection')]
    rate = {}
    for per in (1, 10):
        def one(n, per=per):
            port, how, protocol = paths[n]
            s, done = load('mail', port, how, protocol, MAILS, per, 16,
                           10240)
            return s / done
        for n, s in best(one, *paths).items():
            rate[n, per] = 1 / s
    for n in paths:
        rows.append((n,) + tuple('%6.0f/s (%4.2f)' % (
            rate[n, per], rate[n, per] / rate['direct to the sink', per])
            for per in (1, 10)))
    table('10 KB messages, 16 clients (in brackets: of direct)', rows)
    sizes(w, lmtp)


def sizes(w, lmtp):
    rows = [('octets', 'messages/s, 10 a connection')]
    for size in (1024, 3072, 10240, 30720, 102400):
        s, done = load('mail', lmtp, 'plain', 'lmtp', 1500, 10, 8, size)
        rows.append(('%d' % size, '%8.0f' % (done / s)))
    table('Relay by LMTP, by size (no dip: Nagle)', rows)


def main():
    need_relay()
    base.need_postfix()
    base.prepare()
    parts = sys.argv[1:] or ['tunnels', 'bulk', 'memory', 'mail']
    w = World()
    try:
        if set(parts) & {'tunnels', 'memory'}:
            w.tunnels(w.sink())
            if 'tunnels' in parts:
                handshakes(w)
            if 'memory' in parts:
                memory(w)
        if 'bulk' in parts:
            w2 = World()
            w2.tunnels(w2.discard())
            bulk(w2)
        if 'mail' in parts:
            mail(World())
    finally:
        base.clean_up()
        shutil.rmtree(w.dir, ignore_errors=True)


if __name__ == '__main__':
    try:
        main()
    except (base.Skip, base.Failed) as e:
        sys.exit('bench-relay: %s' % e)
