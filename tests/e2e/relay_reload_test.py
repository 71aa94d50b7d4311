#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""What a reload leaves of the configuration before: nothing, but the
connections that are open; and what one that fails leaves: everything."""
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import base  # noqa: E402
from base import check, equal, free_port, test  # noqa: E402
from hops import Hop  # noqa: E402
from relay import CA, Relay, Talk, need_relay  # noqa: E402

W = {}  # the world of this file

CONF = '''
    pki {pki} {{
        cert "{crt}"
        key "{key}"
    }}
    listen lmtp {{
        protocol lmtp
        on "unix:{{d}}/run/lmtp" mode {mode}
        pki {pki}
{more}        route local
    }}
    route local {{
        host "127.0.0.1:{hop}" tls none
    }}
    tls-policy {{
        to line.example {level} match nexthop
    }}
{last}'''


def set_conf(more='', mode='0666', level='secure', last='', key=None,
             pki='mx'):
    r = W['relay']
    r.set_conf(CONF.format(crt=W['tls'][1], key=key or W['tls'][0], pki=pki,
                           more=more, mode=mode, level=level,
                           hop=W['hop'].port,
                           last=last or '    socketmap "unix:%s/run/map"' %
                           r.dir))


def setup():
    need_relay()
    d = base.temporary('relay-reload')
    os.chmod(d, 0o755)
    W['tls'] = CA(os.path.join(d, 'ca')).server('mx.a.example')
    W['hop'] = Hop()
    W['relay'] = Relay(os.path.join(d, 'relay'), '')
    set_conf()
    W['relay'].start()


def session():
    """A client that keeps its worker, and all beside it, alive."""
    t = Talk(W['relay'].path('run/lmtp'))
    check(t.reply().startswith('220'), 'greeting')
    while not t.say('LHLO client.example').startswith('250'):
        t.close()  # a worker that goes away said 421
        t = Talk(W['relay'].path('run/lmtp'))
        t.reply()
    check(t.say('MAIL FROM:<alice@a.example>').startswith('250'), 'MAIL')
    return t


def is_taken(place):
    """Does anything listen there?"""
    s = socket.socket(socket.AF_UNIX if isinstance(place, str)
                      else socket.AF_INET)
    s.settimeout(60)
    try:
        s.connect(place if isinstance(place, str) else ('127.0.0.1', place))
    except OSError:
        return False
    finally:
        s.close()
    return True


def free_soon(port):
    base.wait_for(lambda: not is_taken(port), 'the port to be free',
                  every=0.2)


class Map:
    """A client of the socketmap."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(90)
        self.sock.connect(W['relay'].path('run/map'))
        self.file = self.sock.makefile('rb')

    def ask(self, key):
        """None: it is over."""
        text = b'tls ' + key.encode()
        try:
            self.sock.sendall(b'%d:%s,' % (len(text), text))
            n = self.file.readline(1)
            while n and not n.endswith(b':'):
                n += self.file.read(1)
            return self.file.read(int(n[:-1]) + 1).decode() if n else None
        except OSError:
            return None


def failed_reload(pattern):
    r = W['relay']
    before = len(r.log())
    r.child.send_signal(1)
    base.wait_for(lambda: 'kept=old' in r.log()[before:],
                  lambda: 'a reload that is refused:\n' + r.log()[-3000:])
    check(re.search(pattern, r.log()[before:]), pattern, r.log()[before:])


@test
def a_place_that_is_not_wanted_any_more_is_free_at_once():
    port = free_port()
    set_conf('        on "127.0.0.1:%d"\n' % port)
    W['relay'].reload()
    check(is_taken(port), 'listens')
    t = session()
    set_conf()
    W['relay'].reload()
    free_soon(port)  # while a session of before is there
    check(t.say('RSET').startswith('250'), 'which goes on')
    set_conf('        on "127.0.0.1:%d"\n' % port)
    W['relay'].reload()
    check(is_taken(port), 'listens again')
    t.close()
    set_conf()
    W['relay'].reload()


@test
def new_questions_of_postfix_are_answered_by_the_new_policy():
    t = session()
    old = Map()
    equal(old.ask('line.example')[:9], 'OK secure', 'before')
    set_conf(level='verify')
    W['relay'].reload()
    base.wait_for(lambda: old.ask('line.example') is None,
                  'a connection of before to end')
    found = {Map().ask('line.example')[:9] for _ in range(40)}
    equal(found, {'OK verify'}, 'while a session of before is there')
    check(t.say('RSET').startswith('250'), 'the session goes on')
    t.close()
    set_conf()
    W['relay'].reload()


@test
def a_mode_that_was_changed_holds_after_the_reload():
    path = W['relay'].path('run/lmtp')
    equal(os.stat(path).st_mode & 0o777, 0o666, 'before')
    set_conf(mode='0600')
    W['relay'].reload()
    equal(os.stat(path).st_mode & 0o777, 0o600, 'after')
    set_conf()
    W['relay'].reload()
    equal(os.stat(path).st_mode & 0o777, 0o666, 'and again')


@test
def a_mode_is_not_given_to_what_took_the_place():
    path, victim = W['relay'].path('run/lmtp'), W['relay'].path('victim')
    with open(victim, 'wb'):
        os.chmod(victim, 0o600)
    os.rename(path, path + '.away')
    os.symlink(victim, path)
    set_conf(mode='0660')
    W['relay'].reload()
    equal(os.stat(victim).st_mode & 0o777, 0o600, 'a file of others')
    os.unlink(path)
    os.rename(path + '.away', path)
    set_conf()
    W['relay'].reload()


@test
def places_of_a_configuration_that_does_not_start_are_closed():
    r, port = W['relay'], free_port()
    unix = r.path('run/new')
    set_conf('        on "127.0.0.1:%d"\n        on "unix:%s"\n' %
             (port, unix), key=os.path.join(r.dir, 'no-such-key'))
    failed_reload(r'process=keys error=')
    free_soon(port)
    equal(os.path.exists(unix), False, 'the unix socket')
    check(is_taken(r.path('run/lmtp')), 'what was there goes on')
    set_conf()
    r.reload()


@test
def places_of_a_start_after_a_death_that_fails_are_closed():
    r, port = W['relay'], free_port()
    blocked = socket.create_server(('127.0.0.1', 0))
    set_conf('        on "127.0.0.1:%d"\n        on "127.0.0.1:%d"\n' %
             (port, blocked.getsockname()[1]))
    before = len(r.log())
    for pid in r.processes('worker'):
        os.kill(pid, 9)
    base.wait_for(lambda: 'Address already in use' in r.log()[before:],
                  lambda: 'a start that fails:\n' + r.log()[-3000:])
    free_soon(port)
    set_conf()  # it may start by itself as soon as it can
    blocked.close()
    r.reload()


@test
def a_state_that_cannot_be_kept_is_refused_as_at_a_start():
    r = W['relay']
    set_conf()
    with open(r.conf, encoding='utf-8') as f:
        text = f.read()
    with open(r.conf, 'w', encoding='utf-8') as f:
        f.write(text.replace('/state"', '/no-state"'))
    failed_reload(r'state: \S*/no-state is no folder')
    set_conf()
    r.reload()


def certificates():
    return re.findall(r'certificate_expiry_seconds\{pki="(\w+)"\} [1-9]',
                      W['relay'].metrics_page())


@test
def dangers_are_said_at_a_reload_as_at_a_start():
    danger = r' warning="listen lmtp: mode 0666 of \S+ lets every account'
    r = W['relay']
    check(re.search('event=start' + danger, r.log()), 'start', r.log())
    before = len(r.log())
    r.reload()
    check(re.search('event=reload' + danger, r.log()[before:]), 'reload',
          r.log()[before:])


@test
def alarms_are_about_what_is_counted():
    with open(os.path.join(base.TOP, 'contrib/prometheus/'
                           'postseal-relay.rules'), encoding='utf-8') as f:
        names = set(re.findall(r'postseal_relay_\w+', f.read()))
    check(len(names) > 4, 'names in the rules', names)
    text = W['relay'].metrics_page()
    for name in names:
        check('# TYPE %s ' % name in text, 'not counted: ' + name, text)


@test
def the_metrics_have_the_certificates_that_are_used():
    equal(certificates(), ['mx'], 'before')
    set_conf(pki='next', last='    socketmap "unix:%s/run/map"\n    resolver '
             '{\n        anchor "/no/such/file"\n    }' % W['relay'].dir)
    failed_reload(r'process=policy error=')
    equal(certificates(), ['mx'], 'after a reload that failed')
    set_conf(pki='next')
    W['relay'].reload()
    equal(certificates(), ['next'], 'after a reload')
    set_conf()
    W['relay'].reload()


@test
def kept_connections_end_by_QUIT():
    hop = W['hop']
    t = Talk(W['relay'].path('run/lmtp'))
    t.reply()
    equal([s[:3] for s in t.mail(lmtp=True)], ['250', '250', '354', '250'],
          'a message')
    t.close()
    time.sleep(0.3)
    equal(hop.count(b'QUIT'), 0, 'while the connection is kept')
    W['relay'].reload()
    base.wait_for(lambda: hop.count(b'QUIT') == 1, 'QUIT')


@test
def it_ends_in_order():
    equal(W['relay'].stop(), 0, 'status')


if __name__ == '__main__':
    base.main(setup)
