# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Memory: after one message in a newly started milter, and while many large
ones are on their way."""
import contextlib
import re
import subprocess
import time

import figures
from base import Failed, status_kib
from figures import option, progress, table, words
from stage import MFLOAD, OPERATIONS, family, kinds

KINDS = ('parent', 'front', 'worker', 'keys', 'store')
MEASURED = ('sign-rsa', 'encrypt-ec', 'both-ec', 'openboth-ec', 'verify-rsa')


def peaks(milter):
    """Peak resident MiB by kind of process; of the workers the largest."""
    most = {}
    for kind, pid in kinds(milter.pid):
        most[kind] = max(most.get(kind, 0), status_kib(pid, 'VmHWM') / 1024)
    return most


def as_row(what, most):
    return [what] + ['%.1f' % most[k] if k in most else '-' for k in KINDS]


def one_message(stage, name, size):
    eml = stage.message(name, size)
    milter = stage.fresh(OPERATIONS[name].side)
    stage.load(name, milter, eml)
    most = peaks(milter)
    milter.end()
    figures.found['memory', name, size] = most['worker']
    return as_row('%s, %s' % (OPERATIONS[name].title, size), most)


def all_rows(stage):
    milter = stage.fresh('out')
    time.sleep(1)
    yield as_row('idle', peaks(milter))
    milter.end()
    sizes = words('MEMORY', '10M 200M')
    for name in MEASURED:
        for size in sizes:
            progress('memory: %s %s' % (name, size))
            yield one_message(stage, name, size)
    stage.forget(*sizes)


def held(pid):
    """(private MiB, all MiB) of a process and all below it: Pss, which
    counts what n processes share as an nth for each. Files that are only
    written to, as spools, are in neither."""
    private = whole = 0
    for p in family(pid):
        with contextlib.suppress(OSError), \
                open('/proc/%d/smaps_rollup' % p, encoding='ascii') as f:
            text = f.read()
            private += int(re.search(r'\nPss_Anon: +(\d+)', text).group(1))
            whole += int(re.search(r'\nPss: +(\d+)', text).group(1))
    return private / 1024, whole / 1024


def watch(milter, argv):
    """The most that was held while argv ran."""
    private = whole = 0
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as p:
        while p.poll() is None:
            a, b = held(milter.pid)
            private, whole = max(private, a), max(whole, b)
            time.sleep(0.05)
        if p.returncode != 0:
            raise Failed('mfload: exit status %d' % p.returncode)
    return private, whole


def at_once(stage, name, size, n):
    op, eml = OPERATIONS[name], stage.message(name, size)
    milter = stage.fresh(op.side)
    stage.load(name, milter, eml)  # one, as workers stay as large as that
    time.sleep(0.5)
    idle = held(milter.pid)
    progress('memory: %d of %s at once, %s' % (n, size, name))
    start = time.monotonic()
    most = watch(milter, [MFLOAD, '-s', milter.socket, *op.arguments(),
                          '--expect', op.does, '-c', str(n), '-n', str(n),
                          '--timeout', '600', '--brief', eml])
    took = time.monotonic() - start
    milter.end()
    figures.found['at once', name] = most[0] - idle[0]
    return ['%d of %s, %s' % (n, size, op.title)] + [
        '%.1f' % x for x in (idle[0], most[0], most[0] - idle[0], idle[1],
                             most[1], most[1] - idle[1], took)]


def concurrent_rows(stage):
    n = option('CONCURRENT', 100)
    for name in ('both-ec', 'openboth-ec') if n > 0 else ():
        yield at_once(stage, name, option('CONCURRENT_SIZE', '25M'), n)
    stage.forget('25M')


def run(stage):
    figures.heading('Memory')
    table('Peak resident memory, MiB (of the workers: the largest), '
          'after one message\nin a new milter.',
          ('',) + KINDS, all_rows(stage))
    table('Many at once, MiB, all processes together, proportional '
          '(Pss): private memory\nidle, the most, the difference; the '
          'same with mapped files; seconds it took.',
          ('', 'idle', 'most', 'more', 'idle, all', 'most, all', 'more, all',
           's'), concurrent_rows(stage))
