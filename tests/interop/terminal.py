# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Programs that want a terminal: one is made, what appears on it is read,
and keys are sent when certain words appear."""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

SIZE = struct.pack('HHHH', 150, 200, 0, 0)
SECONDS = 30
# Programs that throw away what was typed before they asked: once more when
# nothing happens for so long.
AGAIN_AFTER = 3


class Terminal:
    def __init__(self, argv, env):
        self.seen = b''
        self.screen, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
        self.child = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, env=env,
            preexec_fn=own)
        os.close(slave)

    def wait(self, seconds):
        """Read what appears. -> False when the program has ended."""
        ready, _, _ = select.select([self.screen], [], [], seconds)
        if not ready:
            return self.child.poll() is None
        try:
            got = os.read(self.screen, 65536)
        except OSError:  # the last user of the other side is gone
            return False
        self.seen += got
        return bool(got)

    def close(self):
        """-> exit status"""
        try:
            self.child.wait(2)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(OSError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()
        os.close(self.screen)
        return self.child.returncode


def own():
    """In the new process: the terminal becomes its own."""
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def dialog(place, argv, answers, env=None, seconds=SECONDS):
    """Run a program of a place. answers: a regular expression for each
    question -> keys for its first, second ... time; the last ones stay.
    -> (exit status, all that appeared, without control sequences)"""
    t = Terminal(*place.command(argv, {'TERM': 'vt100', **(env or {})}))
    asked = [(re.compile(q), list(keys)) for q, keys in answers.items()]
    end, at = time.monotonic() + seconds, 0
    key, quiet, size = None, time.monotonic(), 0
    while t.wait(0.1) and time.monotonic() < end:
        if len(t.seen) != size:
            quiet, size = time.monotonic(), len(t.seen)
        found = [(m.end(), keys) for q, keys in asked
                 if (m := q.search(t.seen, at))]
        if found:
            at, keys = min(found, key=lambda f: f[0])
            key = keys.pop(0) if len(keys) > 1 else keys[0]
        elif key is None or time.monotonic() < quiet + AGAIN_AFTER:
            continue
        os.write(t.screen, key)
        quiet = time.monotonic()
    return t.close(), plain(t.seen)


def plain(seen):
    """Control sequences become line ends."""
    return re.sub(rb'\x1b\[[0-9;?]*[A-Za-z]|\x1b[()].|\x1b[=>78DM]|\x0f|\r',
                  b'\n', seen)
