# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""A real Postfix that takes mail of 5 KB over 8 sessions: with our milter
that signs, with the null filter, and without a filter."""
import os
import subprocess

import figures
from base import check, free_port, wait_for
from figures import median, option, progress, table
from mta import Postfix
from stage import ALICE, now

SESSIONS = 8
THIRD = '''
127.0.0.1:%d inet n - n - 250 smtpd
  -o smtpd_milters=unix:%s
'''


def start_postfix(stage):
    """-> Postfix and the ports by name. What it takes it throws away."""
    d = stage.path('postfix')
    os.mkdir(d)
    postfix = Postfix(d, 'example.com', '127.0.0.1')
    postfix.configure({}, stage.ours('out').socket,
                      default_transport='discard:')
    port = free_port()
    with open(os.path.join(d, 'etc/master.cf'), 'a', encoding='ascii') as f:
        f.write(THIRD % (port, stage.null.socket))
    postfix.start()
    return postfix, {'none': postfix.plain, 'null': port,
                     'ours': postfix.port}


def submit(postfix, port, n):
    """-> messages a second until all are taken"""
    argv = [postfix.program('smtp-source'), '-s', str(SESSIONS), '-m',
            str(n), '-l', '5120', '-f', ALICE, '-t', 'carol@example.net',
            '127.0.0.1:%d' % port]
    start = now()
    done = subprocess.run(argv, env=postfix.environment(), check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300)
    took = now() - start
    check(done.returncode == 0, 'smtp-source: exit status %d' %
          done.returncode, done.stdout, postfix.log()[-2000:])
    wait_for(lambda: not postfix.queued(), 'an empty queue', 120)
    return n / took


def count_replaced(milter):
    with open(milter.log, encoding='utf-8', errors='replace') as f:
        return f.read().count(' action=replaced')


def run(stage):
    stage.message('sign-rsa', '5K')  # which proves that it signs
    postfix, ports = start_postfix(stage)
    n = option('POSTFIX_MESSAGES', 500)
    rates = {name: [] for name in ports}
    before = count_replaced(stage.ours('out'))
    for r in range(option('ROUNDS', 3) + 1):
        for name, port in ports.items():
            progress('Postfix: %s, round %d' % (name, r))
            rate = submit(postfix, port, n if r else SESSIONS * 4)
            if r:  # the first one starts Postfix's processes
                rates[name].append(rate)
    wanted = n * option('ROUNDS', 3) + SESSIONS * 4
    signed = count_replaced(stage.ours('out')) - before
    check(signed == wanted, '%d signed, wanted %d' % (signed, wanted),
          postfix.log()[-2000:])
    postfix.stop()
    figures.heading('Postfix')
    ratio = {name: median([a / b for a, b in zip(got, rates['none'])])
             for name, got in rates.items()}
    figures.found['postfix'] = ratio['ours']
    table('Messages of 5 KB a second, %d sessions, %d messages, into the '
          'queue, from where\nthey are thrown away; ratio to no filter.' %
          (SESSIONS, n), ('filter', 'messages a second', 'ratio'), (
              (title, median(rates[name]), '%.2f' % ratio[name])
              for name, title in (('none', 'none'), ('null', 'null'),
                                  ('ours', 'sign, RSA-2048'))))
