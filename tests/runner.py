#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Run test programs that speak TAP, several at once, each with a time limit.

usage: tests/runner.py [-j N] [-t SECONDS] [-o FILE] [--append] PROGRAM...

A program may say in the head of its source what it needs, "runner: WORD" in
a line of its own:
long   it starts before the others, so that nobody waits for it at the end
waits  it leaves the processor to others: N of these run beside N others
alone  it measures, and nothing else may run

Failures are printed in full as they come; the last line is
"N passed, N failed, N skipped". FILE gets one line per test: program/test,
status (pass fail skip), seconds of the whole program, separated by tabs.
What a test program leaves behind, a process for example, is not looked for.
"""
import argparse
import concurrent.futures
import os
import re
import signal
import subprocess
import sys
import threading
import time

RESULT = re.compile(r'^(ok|not ok)\b\s*(\d+)?\s*-?\s*(.*)$')
PLAN = re.compile(r'^1\.\.(\d+)\b(.*)$')
SKIP = re.compile(r'^(.*?)\s*#\s*SKIP\b\s*(.*)$', re.IGNORECASE)

HEAD = re.compile(r'^(?:#| \*) runner: (long|waits|alone)$', re.MULTILINE)
UNITS = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'unit')


def parse_tap(text):
    """TAP -> ([(name, status, detail lines)], plan or None)."""
    tests, plan, detail = [], None, None
    for line in text.splitlines():
        m = PLAN.match(line)
        if m:
            plan = int(m.group(1))
            skip = SKIP.match(m.group(2)) if m.group(2) else None
            if plan == 0:
                tests.append(('all', 'skip',
                              [skip.group(2) if skip else '']))
            continue
        m = RESULT.match(line)
        if m:
            name = m.group(3).strip() or 'test %s' % (m.group(2) or '')
            detail = []
            skip = SKIP.match(name)
            if skip:
                # cmocka 1.1 writes "not ok 3 # SKIP name".
                known = skip.group(1) or skip.group(2)
                detail.append(skip.group(2))
                tests.append((known, 'skip', detail))
            elif m.group(1) == 'not ok':
                tests.append((name, 'fail', detail))
            else:
                tests.append((name, 'pass', detail))
            continue
        if detail is not None:
            detail.append(line)
    return tests, plan


def label(program):
    p = os.path.splitext(program)[0]
    p = re.sub(r'_test$', '', p)
    m = re.search(r'tests/(.*)$', p)
    return m.group(1) if m else os.path.basename(p)


def run(program, limit):
    """-> (seconds, [(name, status, detail)], whole output if odd or '')."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT='TAP')
    argv = [program]
    if program.endswith('.py'):
        argv = [sys.executable, '-B', program]
    start = time.monotonic()
    child = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT,
                             start_new_session=True)
    why = None
    try:
        out, _ = child.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        why = 'not done after %d s' % limit
        # First the polite way: end-to-end tests end what they started.
        child.send_signal(signal.SIGTERM)
        try:
            out, _ = child.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, _ = child.communicate()
    seconds = time.monotonic() - start
    text = out.decode('utf-8', 'replace')
    tests, plan = parse_tap(text)
    failed = any(t[1] == 'fail' for t in tests)
    if why is None and child.returncode < 0:
        why = 'ended by signal %d' % -child.returncode
    elif why is None and child.returncode != 0 and not failed:
        why = 'exit status %d' % child.returncode
    elif why is None and plan is None:
        why = 'no TAP plan in its output'
    elif why is None and plan > 0 and plan != len(tests):
        why = 'planned %d tests, ran %d' % (plan, len(tests))
    if why is not None:
        tests.append(('program', 'fail', [why]))
    elif failed and not program.endswith('.py'):
        # cmocka says more when it does not write TAP.
        why, text = 'again', tell_more(program, limit)
    return seconds, tests, text if why is not None else ''


def tell_more(program, limit):
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT='STDOUT')
    try:
        r = subprocess.run([program], env=env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           timeout=limit, check=False)
    except (OSError, subprocess.TimeoutExpired) as e:
        return str(e)
    lines = r.stdout.decode('utf-8', 'replace').splitlines()
    return '\n'.join(x for x in lines
                     if not re.match(r'\[( RUN  | +OK )', x))


class Report:
    def __init__(self, path, append):
        self.lock = threading.Lock()
        self.count = {'pass': 0, 'fail': 0, 'skip': 0}
        self.tsv = open(path, 'a' if append else 'w', encoding='utf-8')

    def add(self, program, seconds, tests, text):
        with self.lock:
            n = {'pass': 0, 'fail': 0, 'skip': 0}
            for name, status, _ in tests:
                n[status] += 1
                self.count[status] += 1
                self.tsv.write('%s/%s\t%s\t%.2f\n' % (
                    label(program), re.sub(r'\s+', ' ', name), status,
                    seconds))
            self.tsv.flush()
            print('%-34s %4d passed%s%s  %6.1f s' % (
                label(program), n['pass'],
                ', %d failed' % n['fail'] if n['fail'] else '',
                ', %d skipped' % n['skip'] if n['skip'] else '', seconds))
            for name, status, detail in tests:
                if status == 'fail':
                    print('  FAILED %s' % name)
                if status == 'skip':
                    print('  skipped %s' % name)
                if status != 'pass':
                    for line in detail:
                        print('    ' + line)
            if text:
                print('  all it said:')
                for line in text.splitlines()[-400:]:
                    print('    ' + line)
            sys.stdout.flush()


def kind(program):
    """What it says that it needs, '' for nothing."""
    source = program if program.endswith('.py') else os.path.join(
        UNITS, os.path.basename(program) + '.c')
    try:
        with open(source, encoding='utf-8') as f:
            found = HEAD.search(f.read(4000))
    except OSError:
        return ''  # a fuzzer; or running it fails and says why
    return found.group(1) if found else ''


def in_order(programs):
    """-> (those that wait, those that work, those alone), each in the order
    in which they start: units take the least time."""
    waits, works, alone = [], [], []
    for p in sorted(programs, key=lambda p: (kind(p) != 'long',
                                             not p.endswith('.py'))):
        {'waits': waits, 'alone': alone}.get(kind(p), works).append(p)
    return waits, works, alone


def run_all(programs, jobs, one):
    waits, works, alone = in_order(programs)
    with concurrent.futures.ThreadPoolExecutor(jobs) as beside, \
            concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        done = [beside.submit(one, p) for p in waits]
        done += [pool.submit(one, p) for p in works]
        for d in done:
            d.result()
    for p in alone:
        one(p)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('-j', type=int, default=os.cpu_count() or 1)
    ap.add_argument('-t', type=float, default=900)
    ap.add_argument('-o', default='build/results.tsv')
    ap.add_argument('--append', action='store_true')
    ap.add_argument('programs', nargs='*')
    a = ap.parse_args()
    if not a.programs:
        sys.exit('runner: no programs given')
    os.makedirs(os.path.dirname(a.o) or '.', exist_ok=True)
    report = Report(a.o, a.append)

    def one(program):
        try:
            result = run(program, a.t)
        except OSError as e:
            result = (0, [('program', 'fail', [str(e)])], '')
        report.add(program, *result)

    run_all(a.programs, max(1, a.j), one)
    c = report.count
    print('%d passed, %d failed, %d skipped' %
          (c['pass'], c['fail'], c['skip']))
    sys.exit(1 if c['fail'] else 0)


if __name__ == '__main__':
    main()
