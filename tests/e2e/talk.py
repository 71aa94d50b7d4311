# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Conversations of SMTP and LMTP by hand, and a next hop that does what it is
told."""
import contextlib
import os
import socket
import threading

from base import equal
from mta import crlf


class Talk:
    """A conversation by hand, with what a door says."""

    def __init__(self, where):
        if isinstance(where, int):
            self.s = socket.create_connection(('127.0.0.1', where), 120)
        else:
            self.s = socket.socket(socket.AF_UNIX)
            self.s.settimeout(120)
            self.s.connect(where)
        self.f = self.s.makefile('rb')

    def reply(self):
        lines = b''
        while True:
            line = self.f.readline()
            lines += line
            if line[3:4] != b'-':
                return lines.decode('ascii')

    def say(self, data):
        self.s.sendall(data)
        return self.reply()

    def ready(self, to=('bob@example.org',), sender='alice@example.com',
              verb=b'LHLO'):
        """Up to the 354."""
        self.reply()
        equal(self.say(verb + b' client.example\r\n')[:3], '250', 'hello')
        equal(self.say(b'MAIL FROM:<%s>\r\n' % sender.encode())[:3], '250',
              'MAIL')
        for t in to:
            equal(self.say(b'RCPT TO:<%s>\r\n' % t.encode())[:3], '250',
                  'RCPT')
        equal(self.say(b'DATA\r\n')[:3], '354', 'DATA')
        return self

    def end(self):
        """What is said until it closes."""
        got = b''
        with contextlib.suppress(OSError):
            while True:
                line = self.f.readline()
                if not line:
                    break
                got += line
        return got.decode('ascii')

    def close(self):
        self.f.close()
        self.s.close()


def submit_to(port, message, to, before=b'', sender='alice@example.com'):
    """-> the door's answer."""
    t = Talk(port)
    try:
        t.reply()
        equal(t.say(b'EHLO client.example\r\n')[:3], '250', 'EHLO')
        if before:
            equal(t.say(before)[:3], '250', repr(before))
        t.say(b'MAIL FROM:<%s>\r\n' % sender.encode())
        for x in to:
            t.say(b'RCPT TO:<%s>\r\n' % x.encode())
        equal(t.say(b'DATA\r\n')[:3], '354', 'DATA')
        return t.say(crlf(message) + b'.\r\n')
    finally:
        t.close()


class Next:
    """A next hop that does what it is told: answer(n, line) gives its reply
    to the line, or to the n-th message where line is b'.'; None closes."""

    def __init__(self, where, answer=None):
        self.mails, self.lines = [], []
        self.answer = answer or (lambda n, line: None)
        self.custom = answer is not None
        if isinstance(where, int):
            self.s = socket.socket()
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.s.bind(('127.0.0.1', where))
        else:
            with contextlib.suppress(OSError):
                os.unlink(where)
            self.s = socket.socket(socket.AF_UNIX)
            self.s.bind(where)
            os.chmod(where, 0o666)
        self.s.listen(50)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(c,),
                             daemon=True).start()

    def converse(self, c):
        with contextlib.suppress(OSError), c, c.makefile('rb') as f:
            c.sendall(b'220 next.example\r\n')
            while True:
                line = f.readline()
                if not line:
                    return
                self.lines.append(line)
                told = self.reply(line)
                if told is None:
                    return
                c.sendall(told)
                if line.upper().startswith(b'DATA') and told[:1] == b'3' and \
                        not self.message(c, f):
                    return

    def reply(self, line):
        if self.custom:
            said = self.answer(len(self.mails), line)
            if said != b'default':
                return said
        verb = line[:4].upper()
        if verb in (b'EHLO', b'LHLO'):
            return (b'250-next.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n'
                    b'250-DSN\r\n250 SMTPUTF8\r\n')
        return b'354 go\r\n' if verb == b'DATA' else b'250 2.0.0 Ok\r\n'

    def message(self, c, f):
        data = b''
        while True:
            line = f.readline()
            if not line:
                return False
            if line == b'.\r\n':
                break
            data += line[1:] if line.startswith(b'.') else line
        self.mails.append(data)
        told = self.reply(b'.')
        if told is not None:
            c.sendall(told)
        return told is not None

    def close(self):
        with contextlib.suppress(OSError):
            self.s.shutdown(socket.SHUT_RDWR)
        self.s.close()
