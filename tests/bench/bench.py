#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The figures of doc/BENCHMARKS.md, measured on this machine.

usage: tests/bench/bench.py [PART...]

Parts: rates growth memory postfix peers; all of them, when none is named.
Every figure of ours stands beside those of what is compared with from the
same round, so that a slow moment of the machine hits both. Variables of the
environment change what is run, with these defaults:

  ROUNDS=3 SECONDS_EACH=0.5 SIZES="5K 1M 25M" CONNECTIONS="1 4 16"
  OPERATIONS="sign-rsa ..." WORKERS=4
  MEMORY="10M 200M" CONCURRENT=100
  GROW_SIZES="10K ... 100M" GROW_RECIPIENTS="1 10 100 1000"
  GROW_PARTS="1 10 100 999" GROW_CERTIFICATES="100 100000"
  GROW_RULES="10 10000" GROW_COPIES="1 10 50"
  POSTFIX_MESSAGES=500
  POSTSEAL_BUILD=build POSTSEAL_KEEP=1 (the folder stays)

What was started is ended by its process id; nothing is left behind.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e'))
sys.dont_write_bytecode = True
import base  # noqa: E402
import growth  # noqa: E402
import memory  # noqa: E402
import peers  # noqa: E402
import rates  # noqa: E402
import sessions  # noqa: E402
import stage as stages  # noqa: E402
import targets  # noqa: E402
from figures import progress, say  # noqa: E402

PARTS = {'rates': rates.run, 'growth': growth.run, 'memory': memory.run,
         'postfix': sessions.run, 'peers': peers.run_all}


def first_line(argv):
    return base.must_run(argv).decode().splitlines()[0]


def main(parts):
    if parts in (['-h'], ['--help']):
        print(__doc__.strip())
        return 0
    for p in parts:
        if p not in PARTS:
            sys.exit('bench: no part %s; there are: %s' %
                     (p, ' '.join(PARTS)))
    for tool in (base.POSTSEAL, base.MILTER, stages.MFLOAD,
                 stages.NULLMILTER, stages.CRYPTOBASE, stages.GROWBASE):
        if not os.access(tool, os.X_OK):
            sys.exit('bench: no %s: make bench builds it' % tool)
    base.prepare()
    start = stages.now()
    stage = stages.Stage()
    say('%d cores; %s; %s; %d workers' % (
        stages.CORES, first_line([base.POSTSEAL, '--version']),
        ' '.join(first_line(['openssl', 'version']).split()[:2]),
        stage.workers))
    failed = 0
    for p in parts or PARTS:
        try:
            PARTS[p](stage)
        except base.Skip as e:
            say('%s: not measured: %s' % (p, e))
        except (base.Failed, subprocess.TimeoutExpired) as e:
            failed = 1
            say('%s: failed: %.2000s' % (p, e))
    targets.print_targets()
    say('Measured in %.0f s.' % (stages.now() - start))
    base.clean_up()
    return failed


if __name__ == '__main__':
    try:
        sys.exit(main(sys.argv[1:]))
    except base.Failed as why:
        progress()
        sys.exit('bench: %s' % why)
