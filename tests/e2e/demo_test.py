#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""The demo runs to its end, shows what it promises, and ends what it
started, also when it is interrupted."""
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
from lib import check, equal, test  # noqa: E402

DEMO = [sys.executable, '-B', os.path.join(lib.TOP, 'tests', 'demo.py')]
RELAY = [*DEMO[:2], os.path.join(lib.TOP, 'tests', 'demo_relay.py')]


def leftovers(folder):
    found = []
    for p in os.listdir('/proc'):
        if p.isdigit() and int(p) != os.getpid():
            try:
                with open('/proc/%s/cmdline' % p, 'rb') as f:
                    line = f.read()
                with open('/proc/%s/environ' % p, 'rb') as f:
                    line += f.read()
            except OSError:
                continue
            if folder.encode() in line:
                found.append((p, line[:200]))
    return found


def nothing_is_left(folder):
    """What was killed may need a moment to be gone."""
    lib.wait_for(lambda: not leftovers(folder),
                 lambda: 'the end of %s' % leftovers(folder))


def folder_of(out):
    m = re.search(r'(/\S*postseal-demo\S*)', out)
    check(m, 'no folder named', out)
    return m.group(1).rstrip('.')


@test
def the_demo_shows_what_it_promises():
    status, out, err = lib.run(DEMO, timeout=600)
    out = out.decode()
    equal(status, 0, lib.show(err) + out[-3000:])
    for words in ('application/pkcs7-mime', 'Authentication-Results',
                  'smime=pass', '550 5.7.3', 'carol', 'tampered'):
        check(words in out, 'does not show ' + words, out)
    folder = folder_of(out)
    check(os.path.isdir(folder), 'the folder is gone')
    nothing_is_left(folder)
    shutil.rmtree(folder)


@test
def the_demo_of_the_relay_shows_what_it_promises():
    status, out, err = lib.run(RELAY, timeout=600)
    out = out.decode()
    if 'demo: no ' in err.decode():
        raise lib.Skip(err.decode().strip())
    equal(status, 0, lib.show(err) + out[-3000:])
    for words in ('with ESMTPSA', 'dane-only', '530 5.7.0', '451 4.7.4',
                  'postqueue -p', 'verdict'):
        check(words in out, 'does not show ' + words, out)
    folder = folder_of(out)
    nothing_is_left(folder)
    shutil.rmtree(folder)


@test
def interrupted_it_ends_what_it_started():
    p = subprocess.Popen(DEMO, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    out = b''
    while out.count(b'postseal-milter beside it') < 2:
        line = p.stdout.readline()
        check(line, 'ended early', out)
        out += line
    check(leftovers(folder_of(out.decode())), 'nothing runs')
    p.send_signal(signal.SIGINT)
    out += p.communicate(timeout=300)[0]
    equal(p.returncode, 128 + signal.SIGINT, 'exit status')
    folder = folder_of(out.decode())
    nothing_is_left(folder)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == '__main__':
    lib.main(lib.need_postfix)
