# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The end of the way in tests: an SMTP or LMTP server that takes everything,
remembers commands and octets as they came, and keeps maildirs."""
import os
import re
import socketserver
import threading

from base import at_exit

ADDRESS = re.compile(rb'<([^>]*)>')


class Seen:
    """One transaction: MAIL and RCPT as they came, the octets between DATA
    and the final dot, with CRLF and with doubled dots undone."""

    def __init__(self, mail, rcpts, data):
        self.mail, self.rcpts, self.data = mail, rcpts, data

    def to(self):
        return [address(r) for r in self.rcpts]

    def lf(self):
        return self.data.replace(b'\r\n', b'\n')


def address(command):
    m = ADDRESS.search(command)
    return m.group(1).decode() if m else ''


class Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line + b'\r\n')

    def handle(self):
        self.mail, self.rcpts = None, []
        try:
            self.say(b'220 sink.example ESMTP')
            while self.command(self.rfile.readline()):
                pass
        except OSError:
            pass

    def command(self, line):
        word = line[:4].upper()
        if word in (b'EHLO', b'LHLO'):
            for x in self.server.sink.offers:
                self.say(b'250-' + x.encode())
            self.say(b'250 ENHANCEDSTATUSCODES')
        elif word == b'MAIL':
            self.mail, self.rcpts = line.strip(), []
            self.say(b'250 2.1.0 ok')
        elif word == b'RCPT':
            self.rcpt(line.strip())
        elif word == b'DATA':
            self.say(b'354 go on')
            self.data()
        elif word == b'QUIT':
            self.say(b'221 2.0.0 bye')
            return False
        else:
            self.say(b'250 2.0.0 ok')
        return bool(line)

    def rcpt(self, line):
        said = self.server.sink.refuse.get(
            address(line).split('@')[0])
        if said is None:
            self.rcpts.append(line)
            said = '250 2.1.5 ok'
        self.say(said.encode())

    def data(self):
        lines = []
        while True:
            line = self.rfile.readline()
            if not line:
                return
            if line in (b'.\r\n', b'.\n'):
                break
            lines.append(line[1:] if line.startswith(b'.') else line)
        seen = Seen(self.mail, self.rcpts, b''.join(lines))
        self.server.sink.keep(seen)
        for _ in seen.rcpts if self.server.sink.lmtp else [0]:
            self.say(b'250 2.0.0 kept')


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


class Sink:
    """Listens on a free loopback port from the start. refuse: {user: reply
    to RCPT}; offers: EHLO keywords."""

    def __init__(self, folder, lmtp=False, offers=('8BITMIME', 'DSN')):
        self.dir, self.lmtp, self.offers = folder, lmtp, list(offers)
        self.refuse, self.seen, self.count = {}, [], 0
        self.lock = threading.Lock()
        self.server = Server(('127.0.0.1', 0), Session)
        self.server.sink = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()
        at_exit(self.stop)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def keep(self, seen):
        with self.lock:
            self.seen.append(seen)  # first: who sees a file looks here next
            for to in seen.to():
                self.count += 1
                user = re.sub(r'[^\w.-]', '_', to.split('@')[0])
                new = os.path.join(self.dir, user, 'new')
                os.makedirs(new, exist_ok=True)
                part = os.path.join(self.dir, user, '%06d' % self.count)
                with open(part, 'wb') as f:
                    f.write(seen.lf())
                os.rename(part, os.path.join(new, '%06d' % self.count))

    def forget(self):
        with self.lock:
            self.seen.clear()
