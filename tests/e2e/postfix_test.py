#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""Octets on the wire with a real Postfix: awkward messages, awkward next
hops, and what its settings do to both."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import suite  # noqa: E402
from lib import check, equal, test  # noqa: E402
from mta import inline  # noqa: E402
from sink import Sink  # noqa: E402


def attach(site, folder, source, routes):
    os.makedirs(folder)
    mta = lib.Postfix(folder, site.domain, source)
    mta.sink = Sink(folder + '/mail')
    mta.users.append('desk')
    mta.aliases = {}

    def ready():
        aliases = inline('{ %s@%s = %s }' % (k, site.domain, v)
                         for k, v in mta.aliases.items())
        mta.configure(routes, site.socket, virtual_alias_maps=aliases,
                      virtual_transport='smtp:[127.0.0.1]:%d' %
                      mta.sink.port)
    mta.ready = ready
    return mta


def setup():
    lib.need_postfix()
    suite.begin(lib.temporary(), attach)


def snippet(name, *changes):
    """A file of contrib/postfix, with our ports."""
    with open(os.path.join(lib.TOP, 'contrib/postfix', name),
              encoding='utf-8') as f:
        found = f.read()
    for old, new in changes:
        check(old in found, '%s is not in %s' % (old, name))
        found = found.replace(old, new)
    return found


@test
def M25_M29_the_documented_content_filter_seals_after_the_queue():
    """Each recipient alone, an alias expanded before."""
    a, p = suite.a, suite.a.mta
    suite.fresh()
    door, again = lib.free_port(), lib.free_port()
    old = a.extra
    text = snippet('content-filter.master.cf', ('10025', str(door)),
                   ('10026', str(again)),
                   ('    -o smtpd_milters=inet:127.0.0.1:8891',
                    '    -o smtpd_milters='))
    block = ''.join(re.findall(r'(?m)^#(?: {4}(.*\n))', text))
    block, limit = block.split('}\n')
    check('door sealing {' in block, 'no block in the file', text)
    nexthop = re.search(r'content_filter=(seal:\S+)"', text).group(1)
    try:
        for s in (a, p):
            s.stop()
        a.set_conf(block + '}\n')
        p.services = text
        p.configure({}, None, content_filter=nexthop, smtpd_milters='',
                    **dict([limit.strip().split(' = ')]))
        for s in (a, p):
            s.start()
        to = [suite.BOB, 'team@example.com', 'x@plain.example']
        code, said = suite.from_alice(
            suite.text(suite.CANARY.decode()), to, options=['BODY=8BITMIME'])
        equal(code, 250, said)
        got = suite.arrived(4)
        equal({k: suite.form(v) for k, v in got.items()}, {
            suite.BOB: 'pkcs7-mime', 'one@signed.example':
            'multipart/signed', 'two@signed.example': 'multipart/signed',
            'x@plain.example': 'plain'}, 'forms')
        check(b'BODY=8BITMIME' not in suite.wire.seen[0].mail or
              max(suite.wire.seen[0].data) > 127, 'declared 8 bits')
    finally:
        for s in (a, p):
            s.stop()
        p.services = ''
        del p.extra['content_filter'], p.extra['smtpd_milters']
        del p.extra['seal_destination_recipient_limit']
        p.ready()
        a.set_conf(old)
        for s in (a, p):
            s.start()


@test
def A44_M34_M36_the_documented_settings_of_main_cf():
    """attack A44: line ends that servers read differently, and commands
    behind them
    verdict: proper ones before anybody signs, one message, smime=pass"""
    p = suite.a.mta
    suite.fresh()
    with open(os.path.join(lib.SAMPLES, 'postfix-main.cf'),
              encoding='utf-8') as f:
        lines = dict(x.strip().split(' = ', 1) for x in f
                     if ' = ' in x and x[0] not in '# ')
    for name in ('smtpd_milters', 'non_smtpd_milters'):
        del lines[name]
    before = dict(p.extra)
    try:
        p.stop()
        p.extra.update(lines)
        p.ready()
        p.start()
        for bad in (b'one\n.\nMAIL FROM:<x@x>\ntwo\r\n',
                    b'one\r\n.\nMAIL FROM:<x@x>\r\n',
                    b'one\n.\r\nMAIL FROM:<x@x>\r\n', b'a\rb\r\n'):
            suite.fresh()
            suite.wire.offers = ['DSN']
            code, said = suite.from_alice(
                suite.text('Grüße', to='x@signed.example') + bad,
                'x@signed.example')
            if code != 250:
                check(said[:1] in '45', said)
                continue
            seen = suite.on_the_wire()
            left = seen.data.replace(b'\r\n', b'')
            check(b'\r' not in left and b'\n' not in left, 'bare line ends',
                  seen.data)
            equal(suite.result(suite.carry(seen)), 'pass', repr(bad))
            equal(len(suite.wire.seen), 1, 'messages of %r' % bad)
    finally:
        p.stop()
        p.extra.clear()
        p.extra.update(before)
        p.ready()
        p.start()


@test
def M44_header_checks_can_undo_a_result():
    """Why the sample says that there should be none."""
    p = suite.b.mta
    suite.fresh()
    code, said = suite.from_alice(suite.text('checked'))
    equal(code, 250, said)
    wire = suite.on_the_wire()
    equal(suite.result(suite.carry(wire)), 'pass', 'smime=')
    try:
        p.stop()
        p.extra['milter_header_checks'] = \
            'regexp:{ {/^Authentication-Results:/ IGNORE} }'
        p.ready()
        p.start()
        suite.fresh()
        equal(suite.result(suite.carry(wire)), None, 'it would do no harm')
    finally:
        p.stop()
        del p.extra['milter_header_checks']
        p.ready()
        p.start()


test(suite.A54_no_content_in_the_logs)
test(suite.they_end_when_told_and_no_sanitizer_complained)

if __name__ == '__main__':
    lib.main(setup)
