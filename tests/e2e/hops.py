# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Next hops that do as a plan says, lies included, and keep every octet of a
message as it came; and a wire tap between the relay and a next hop, which can
cut and falsify."""
import contextlib
import re
import socket
import ssl
import struct
import threading
import time

from base import at_exit

RESET = struct.pack('ii', 1, 0)  # SO_LINGER: an end is a reset


def reset(sock):
    """Close it with a reset, also while another thread reads from it."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RD)
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if isinstance(sock, ssl.SSLSocket):
            sock = socket.socket(fileno=sock.detach())
        sock.close()


class Over(Exception):
    """The conversation is over."""


class Message:
    """raw: what came after DATA, dots doubled, with its final CRLF and
    without the dot. at: when it was whole."""

    def __init__(self, mail, rcpts, raw):
        self.mail, self.rcpts, self.raw = mail, rcpts, raw
        self.at = time.monotonic()

    def number(self):
        m = re.search(rb'sings (\S+)', self.raw)
        return m.group(1).decode() if m else None


class Hop:
    """tls: (key, certificate). plan: {step: octets to say in place of what
    is usual, or f(call, usual) that returns them, or None when it has done
    all}. Steps: connect, EHLO, STARTTLS, EHLO2 (inside TLS), MAIL, RCPT,
    DATA, end, and told behind the answer to the end."""

    def __init__(self, tls=None):
        self.context, self.plan = None, {}
        self.lines, self.seen, self.calls = [], [], []
        self.lock = threading.Lock()
        if tls:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(tls[1], tls[0])
        self.sock = socket.create_server(('127.0.0.1', 0), backlog=256)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        at_exit(self.sock.close)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.sock.accept()
                threading.Thread(target=self.one, args=(c,),
                                 daemon=True).start()

    def one(self, sock):
        call = Call(self, sock)
        with self.lock:
            self.calls.append(call)
        with contextlib.suppress(OSError, Over, ValueError):
            call.run()
        with contextlib.suppress(OSError):
            call.sock.close()

    def forget(self, plan=None):
        with self.lock:
            self.plan = plan or {}
            self.seen, self.lines = [], []

    def hang_up(self):
        """On all: whoever wants something has to call again."""
        with self.lock:
            calls, self.calls = self.calls, []
        for c in calls:
            with contextlib.suppress(OSError):
                c.sock.shutdown(socket.SHUT_RDWR)

    def messages(self):
        with self.lock:
            return list(self.seen)

    def count(self, word, secure=None):
        with self.lock:
            return sum(line.upper().startswith(word) for s, line in
                       self.lines if secure is None or s == secure)


class Call:
    """One conversation with the relay. What began before forget() is
    forgotten, also when its end comes later."""

    def __init__(self, hop, sock):
        self.hop, self.sock, self.rest = hop, sock, b''
        self.secure = False
        self.mail, self.rcpts, self.seen = b'', [], []
        sock.settimeout(600)

    def say(self, step, usual):
        said = self.hop.plan.get(step, usual)
        if callable(said):
            said = said(self, usual)
        if said:
            self.sock.sendall(said)

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise Over
        self.rest += got

    def line(self):
        while b'\n' not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b'\n', 1)
        with self.hop.lock:
            self.hop.lines.append((self.secure, line))
        return line

    def run(self):
        self.say('connect', b'220 hop.example ESMTP\r\n')
        while True:
            line = self.line()
            word = line[:4].upper()
            if word in (b'EHLO', b'LHLO'):
                self.hello()
            elif word == b'STAR':
                self.start_tls()
            elif word == b'MAIL':
                self.mail, self.rcpts = line, []
                self.seen = self.hop.seen
                self.say('MAIL', b'250 2.1.0 ok\r\n')
            elif word == b'RCPT':
                self.rcpts.append(line)
                self.say('RCPT', b'250 2.1.5 ok\r\n')
            elif word == b'DATA':
                self.say('DATA', b'354 go on\r\n')
                self.data()
            elif word == b'QUIT':
                self.sock.sendall(b'221 2.0.0 bye\r\n')
                return
            else:
                self.sock.sendall(b'250 2.0.0 ok\r\n')

    def hello(self):
        offer = b'250-STARTTLS\r\n' if self.hop.context and \
            not self.secure else b''
        self.say('EHLO2' if self.secure else 'EHLO', b'250-hop.example\r\n' +
                 offer + b'250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n')

    def start_tls(self):
        self.say('STARTTLS', b'220 2.0.0 go\r\n')
        self.sock = self.hop.context.wrap_socket(self.sock, server_side=True)
        self.secure = True

    def data(self):
        while b'\r\n.\r\n' not in b'\r\n' + self.rest:
            self.more()
        at = (b'\r\n' + self.rest).index(b'\r\n.\r\n')
        raw, self.rest = self.rest[:at], self.rest[at + 3:]
        with self.hop.lock:
            self.seen.append(Message(self.mail, self.rcpts, raw))
        self.say('end', b'250 2.0.0 kept\r\n')
        self.say('told', b'')


# ---- a tap ----

class Cut(Exception):
    """The connection is reset, after .last has gone on."""

    def __init__(self, last=b''):
        Exception.__init__(self)
        self.last = last


class Tap:
    """Between the relay and a next hop. out: every octet that the relay sent
    since set(). fault(is_back, octets) -> octets to pass on, or Cut."""

    def __init__(self):
        self.target, self.fault = 0, None
        self.out, self.calls = bytearray(), []
        self.lock = threading.Lock()
        self.sock = socket.create_server(('127.0.0.1', 0), backlog=64)
        self.port = self.sock.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        at_exit(self.sock.close)

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                c, _ = self.sock.accept()
                far = socket.create_connection(('127.0.0.1', self.target))
                with self.lock:
                    self.calls += [c, far]
                    now = self.fault, self.out
                for x in ((c, far, False), (far, c, True)):
                    threading.Thread(target=self.pass_on, args=x + now,
                                     daemon=True).start()

    def pass_on(self, here, there, is_back, fault, out):
        with contextlib.suppress(OSError):
            while True:
                got = here.recv(65536)
                if not is_back:
                    out += got
                if not got:
                    there.shutdown(socket.SHUT_WR)
                    return
                try:
                    there.sendall(fault(is_back, got) if fault else got)
                except Cut as cut:
                    there.sendall(cut.last)
                    reset(here)
                    reset(there)
                    return

    def set(self, target, fault=None):
        with self.lock:
            self.target, self.fault = target, fault
            calls, self.calls = self.calls, []
            self.out = bytearray()
        for sock in calls:
            reset(sock)

    def wire(self):
        with self.lock:
            return bytes(self.out)
