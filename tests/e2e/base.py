# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Checks, TAP output, temporary folders, ports and processes, for the
end-to-end tests and the demo. What was started is ended by its process id,
also on Ctrl-C."""
import atexit
import contextlib
import os
import pty
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.normpath(os.path.join(os.path.dirname(
    os.path.abspath(__file__)), '..', '..'))
BUILD = os.path.join(TOP, os.environ.get('POSTSEAL_BUILD', 'build'))
ROOT = os.path.join(TOP, 'build', 'root-postfix')
POSTSEAL = os.path.join(BUILD, 'postseal')
MILTER = os.path.join(BUILD, 'postseal-milter')
SAMPLES = os.path.join(TOP, 'samples')
# Sanitizers need many times the memory and time.
SANITIZER = bool(os.environ.get('POSTSEAL_SANITIZER'))

# Accounts that every Debian system has; none is created.
MAIL_OWNER, SETGID_GROUP, DEFAULT_PRIVS = 'mail', 'daemon', 'nobody'
MILTER_USER, KEYS_USER = 'proxy', 'backup'


class Skip(Exception):
    """This test cannot run here; the text says why."""


class Failed(Exception):
    """A condition of a test does not hold."""


def check(condition, what, *more):
    if not condition:
        raise Failed('\n'.join([what] + [show(m) for m in more]))


def equal(found, wanted, what):
    check(found == wanted, '%s: found %s, wanted %s' %
          (what, show(found, 600), show(wanted, 600)))


def show(x, limit=6000):
    if isinstance(x, (bytes, bytearray)):
        x = bytes(x).decode('utf-8', 'backslashreplace')
    x = str(x)
    return x if len(x) <= limit else x[:limit] + '... (%d)' % len(x)


def wait_for(condition, what, seconds=90, every=0.05):
    """Poll until condition() is true, and return what it gave. The time is
    that of a machine with much else to do: less is no proof of a fault."""
    if SANITIZER:
        seconds *= 4
    end = time.monotonic() + seconds
    while True:
        got = condition()
        if got:
            return got
        if time.monotonic() > end:
            raise Failed('waited %d s for %s' % (seconds, what() if
                                                 callable(what) else what))
        time.sleep(every)


# ---- TAP ----

_tests = []
_cleanup = []
_complaints = []


def test(function):
    """A test; its name is the function's, requirement IDs first."""
    _tests.append(function)
    return function


def forget_tests():
    """Those of a program that was imported for its world."""
    _tests.clear()


def at_exit(function):
    _cleanup.append(function)


def heard(log):
    """The whole log of a program that has ended: where a sanitizer spoke
    the tests have failed."""
    said = re.findall(r'.*(?:Sanitizer:|runtime error:).*', log)
    _complaints.extend(x for x in said if x not in _complaints)


def clean_up():
    while _cleanup:
        with contextlib.suppress(Exception):
            _cleanup.pop()()


def on_signal(number, _frame):
    clean_up()
    os._exit(128 + number)


def prepare():
    """Whatever happens, end what we started."""
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, on_signal)
    atexit.register(clean_up)


def main(setup=None):
    """Run the tests of a file; setup may raise Skip for all of them."""
    prepare()
    wanted = sys.argv[1:]
    chosen = [t for t in _tests
              if not wanted or any(w in t.__name__ for w in wanted)]
    print('1..%d' % len(chosen), flush=True)
    why = None
    if setup is not None:
        try:
            setup()
        except Skip as e:
            why = e
        except Failed as e:
            print('# set-up failed: %s' % str(e).replace('\n', '\n# '))
            why = Failed('set-up failed')
    bad = vain = 0
    for n, t in enumerate(chosen, 1):
        line, detail = 'ok %d - %s' % (n, t.__name__), ''
        try:
            if why is not None:
                raise why
            t()
        except Skip as e:
            line += ' # SKIP %s' % e
        except Failed as e:
            line, detail = 'not ' + line, str(e)
        except Exception:
            import traceback
            line, detail = 'not ' + line, traceback.format_exc()
        bad += line.startswith('not')
        vain = vain + 1 if detail.startswith('waited') else 0
        if vain == 3:
            why = Failed('given up: three tests in a row waited in vain')
        print(line, flush=True)
        for x in detail.splitlines():
            print('# ' + x, flush=True)
    clean_up()
    for x in _complaints:
        print('# ' + x)
    sys.exit(1 if bad or _complaints else 0)


# ---- folders, ports, processes ----

def temporary(name='postseal'):
    """A folder that other accounts can enter; removed at the end unless
    POSTSEAL_KEEP is set."""
    d = tempfile.mkdtemp(prefix=name + '-')
    os.chmod(d, 0o755)
    if not os.environ.get('POSTSEAL_KEEP'):
        at_exit(lambda: shutil.rmtree(d, ignore_errors=True))
    return d


_ports = []


def outgoing():
    """The first and last port that connections are given by the system."""
    with contextlib.suppress(OSError, ValueError), \
            open('/proc/sys/net/ipv4/ip_local_port_range',
                 encoding='ascii') as f:
        first, last = map(int, f.read().split())
        return first, last
    return 32768, 60999


def candidates():
    """Those that no connection is given."""
    first, last = outgoing()
    if last < 63000:
        return range(last + 1, 65536)
    return range(10240, first if first > 20000 else 65536)


def take_port(p):
    """Is it free? Then nobody else who asks here gets it: a name goes with
    the process that holds it, as ports belong to this network alone."""
    mine = socket.socket(socket.AF_UNIX)
    try:
        mine.bind('\0postseal-port-%d' % p)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(type=kind) as s:
                s.bind(('127.0.0.1', p))
    except OSError:
        mine.close()
        return False
    _ports.append(mine)
    return True


def free_port():
    """A port that nobody listens on, neither given out again, also to other
    test programs, nor to a connection, until this process ends."""
    for _ in range(10000):
        p = random.SystemRandom().choice(candidates())
        if take_port(p):
            return p
    raise Failed('no port is free')


def alive(pid):
    try:
        with open('/proc/%d/stat' % pid, encoding='ascii',
                  errors='replace') as f:
            return f.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except OSError:
        return False


def all_gone(pid):
    """Every thread of it: then its descriptors are closed."""
    if alive(pid):
        return False
    with contextlib.suppress(OSError):
        return len(os.listdir('/proc/%d/task' % pid)) < 2
    return True


def children(pid):
    """Pids of all descendants."""
    parents = {}
    for p in os.listdir('/proc'):
        if p.isdigit():
            try:
                with open('/proc/%s/stat' % p, encoding='ascii',
                          errors='replace') as f:
                    parents[int(p)] = int(
                        f.read().rsplit(')', 1)[1].split()[1])
            except OSError:
                pass
    found, todo = [], [pid]
    while todo:
        x = todo.pop()
        for p, pp in parents.items():
            if pp == x:
                found.append(p)
                todo.append(p)
    return sorted(found)


def end_tree(child, number=signal.SIGTERM, seconds=60):
    """End a process and what it started. -> exit status."""
    below = children(child.pid)
    with contextlib.suppress(OSError):
        child.send_signal(number)
    try:
        child.wait(seconds * (4 if SANITIZER else 1))
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    end = time.monotonic() + 30
    while any(alive(p) for p in below) and time.monotonic() < end:
        time.sleep(0.05)
    for p in below:
        if alive(p):
            with contextlib.suppress(OSError):
                os.kill(p, signal.SIGKILL)
    return child.returncode


def title(pid):
    """The name that a process gave itself."""
    try:
        with open('/proc/%d/comm' % pid, encoding='utf-8') as f:
            return f.read().strip()
    except OSError:
        return ''


def status_kib(pid, field):
    """A memory figure of /proc/PID/status: VmHWM, VmRSS; KiB."""
    with open('/proc/%d/status' % pid, encoding='ascii') as f:
        m = re.search(r'^%s:\s+(\d+) kB' % field, f.read(), re.MULTILINE)
    return int(m.group(1)) if m else 0


def run(argv, data=b'', env=None, timeout=600, cwd=None):
    """-> (exit status, stdout, stderr); status -N for signal N."""
    r = subprocess.run(argv, input=data, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, env=env, cwd=cwd,
                       timeout=timeout * (4 if SANITIZER else 1),
                       check=False)
    return r.returncode, r.stdout, r.stderr


def must_run(argv, data=b'', **more):
    status, out, err = run(argv, data, **more)
    check(status == 0, '%s: exit status %d' % (' '.join(argv), status),
          err, out)
    return out


def run_measured(argv, stdin, stdout):
    """Run with files; -> (exit status, peak resident KiB, stderr)."""
    with open(stdin, 'rb') as i, open(stdout, 'wb') as o, \
            tempfile.TemporaryFile() as e:
        p = subprocess.Popen(argv, stdin=i, stdout=o, stderr=e)
        _, status, usage = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        e.seek(0)
        return p.returncode, usage.ru_maxrss, e.read()


def need(program):
    path = shutil.which(program)
    if path is None:
        raise Skip('%s is not installed' % program)
    return path


def need_mounts():
    """Mounts of one's own, as in no folder that is the root."""
    need_root()
    if run([need('unshare'), '-m', 'true'])[0] != 0:
        raise Skip('no mount namespaces here')


def fork_on_terminal():
    """As pty.fork()."""
    try:
        return pty.fork()
    except OSError as e:
        raise Skip('no terminal to be had here: %s' % e) from e


def need_root():
    if os.getuid() != 0:
        raise Skip('needs root')


def need_postfix():
    need_root()
    if not os.path.exists(os.path.join(ROOT, 'usr/sbin/postfix')):
        raise Skip('no Postfix in build/root-postfix: ./run postfix')
