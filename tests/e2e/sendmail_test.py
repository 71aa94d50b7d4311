#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""What mail_test.py and postfix_test.py show with Postfix, with a real
Sendmail."""
import base64
import hashlib
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import opendkim  # noqa: E402
import sendmail  # noqa: E402
import suite  # noqa: E402
from lib import check, equal, test  # noqa: E402


def attach(site, folder, source, routes):
    # By TCP: Sendmail refuses a socket below a folder that all may write to,
    # as /tmp is.
    site.port = lib.free_port()
    site.set_conf()
    mta = sendmail.Sendmail(folder, site.domain, source)
    mta.routes = routes
    mta.filters = [('postseal', 'inet:%d@127.0.0.1' % site.port)]
    mta.ready = lambda: mta.configure(routes, mta.filters)
    return mta


def setup():
    sendmail.need_sendmail()
    suite.begin(lib.temporary(), attach)


@test
def M14_F_T_while_postseal_is_down_nothing_leaves():
    suite.fresh()
    suite.a.stop()
    code, said = suite.from_alice(suite.text(suite.CANARY.decode()))
    equal((code, said[:3]), (451, '4.3'), said)
    check(not suite.wire.seen and not suite.a.mta.grep(suite.CANARY),
          'in clear')
    suite.a.start()
    suite.through(suite.text(suite.CANARY.decode()))


@test
def M19_M46_the_filter_asks_for_its_macros_itself():
    """A list of macros in the site's own sendmail.mc takes no login away:
    the filter names what it needs when it is attached."""
    suite.fresh()
    suite.a.mta.stop()
    names = ('CONNECT', 'ENVFROM', 'EOM')
    try:
        suite.a.mta.configure(
            suite.a.mta.routes, suite.a.mta.filters, ''.join(
                "define(`confMILTER_MACROS_%s', `j')dnl\n" % n
                for n in names))
        suite.a.mta.start()
        code, said = suite.from_alice(
            suite.text('asked', to='x@signed.example'), 'x@signed.example')
        equal(code, 250, said)
        check(b'pkcs7' in suite.on_the_wire().data, 'not signed')
    finally:
        suite.a.mta.stop()
        suite.a.mta.configure(suite.a.mta.routes, suite.a.mta.filters)
        suite.a.mta.start()


def documented():
    """contrib/sendmail/postseal.mc, with our ports."""
    with open(os.path.join(lib.TOP, 'contrib/sendmail/postseal.mc'),
              encoding='utf-8') as f:
        return f.read()


@test
def M46_M30_the_documented_lines_with_a_signer_for_DKIM():
    """Sealed, then signed; copies come back and are signed as well."""
    opendkim.need_opendkim()
    suite.fresh()
    a, base = suite.a, lib.temporary()
    key, _ = opendkim.key(base, 'example.com')
    signer = opendkim.OpenDKIM(base + '/signer', 'example.com', key).start()
    lines = documented()
    for old, new in (
            ('unix:/run/postseal/milter.sock', a.mta.filters[0][1]),
            ('8891@', '%d@' % signer.port), ('10026', str(a.mta.plain)),
            ('Port=25,', 'Port=%d,' % a.mta.port),
            ('Port=587, M=Ea', 'Port=%d' % a.mta.login),
            ('Name=MSA', 'Name=login')):
        check(old in lines, old + ' is not in the file')
        lines = lines.replace(old, new)
    lines = lines.replace('inet, Port', 'inet, Addr=127.0.0.1, Port')
    try:
        a.mta.stop()
        a.mta.configure(a.mta.routes, [lines], daemons=False)
        a.mta.start()
        code, said = suite.from_alice(
            suite.text('twice signed'), [suite.BOB, 'x@plain.example'])
        equal(code, 250, said)
        got = suite.arrived(2)
        equal(suite.form(got[suite.BOB]), 'pkcs7-mime', 'for bob')
        for to, data in got.items():
            head = data.split(b'\n\n', 1)[0]
            equal(head.count(b'DKIM-Signature:'), 1, to + ': signatures')
            body = re.search(rb'bh=([^;]+);', head.replace(b'\n\t', b''))
            check(body, 'no hash of the body', head)
            equal(re.sub(rb'\s', b'', body.group(1)), hash_of(data), to +
                  ': another body was signed')
    finally:
        a.mta.stop()
        a.mta.ready()
        a.mta.start()


def hash_of(data):
    """bh= of DKIM: SHA-256 over the body in its relaxed form."""
    body = data.split(b'\n\n', 1)[1]
    body = re.sub(rb'[ \t]+', b' ', body)
    body = re.sub(rb' (?=\n)', b'', body).rstrip(b'\n') + b'\n'
    return base64.b64encode(hashlib.sha256(lib.crlf(body)).digest())


test(suite.A54_no_content_in_the_logs)
test(suite.they_end_when_told_and_no_sanitizer_complained)

if __name__ == '__main__':
    lib.main(setup)
