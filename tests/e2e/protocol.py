# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""The mail server's side of the milter protocol, octet by octet, for what
no real server would say."""
import socket
import struct

ADD_HEADER, CHANGE_BODY, ADD_RCPT, DELETE_RCPT = 1, 2, 4, 8
CHANGE_HEADER, QUARANTINE, CHANGE_FROM, ADD_RCPT_PAR = 16, 32, 64, 128
ALL_ACTIONS = 0x1ff
ALL_STEPS = 0x1fffff
# The steps that a filter may leave unanswered: the command and its bit.
NO_REPLY = {b'L': 0x80, b'C': 0x1000, b'H': 0x2000, b'M': 0x4000,
            b'R': 0x8000, b'T': 0x10000, b'U': 0x20000, b'N': 0x40000,
            b'B': 0x80000}
# The steps that a filter may not want at all.
NOT_SENT = {b'C': 0x1, b'H': 0x2, b'M': 0x4, b'R': 0x8, b'B': 0x10,
            b'L': 0x20, b'N': 0x40, b'U': 0x100, b'T': 0x200}


class MTA:
    """One connection to a milter. heard: octets that came from it."""

    def __init__(self, path, actions=ALL_ACTIONS, steps=ALL_STEPS):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.heard = 0
        self.put(b'O', struct.pack('>III', 6, actions, steps))
        cmd, data = self.get()
        assert cmd == b'O', cmd
        _, self.actions, self.steps = struct.unpack('>III', data[:12])

    def put(self, cmd, data=b''):
        self.socket.sendall(struct.pack('>I', len(data) + 1) + cmd + data)

    def octets(self, n):
        data = b''
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError('the milter hung up')
            data += more
        self.heard += n
        return data

    def get(self):
        n = struct.unpack('>I', self.octets(4))[0]
        data = self.octets(n)
        return data[:1], data[1:]

    def step(self, cmd, data=b''):
        """-> its answer, or None where it wants or says nothing."""
        if self.steps & NOT_SENT.get(cmd, 0):
            return None
        self.put(cmd, data)
        if self.steps & NO_REPLY.get(cmd, 0):
            return None
        return self.get()

    def macros(self, cmd, **names):
        words = b''.join(k.encode() + b'\0' + v.encode() + b'\0'
                         for k, v in names.items())
        self.put(b'D', cmd + words)

    def client(self, address='192.0.2.7'):
        self.step(b'C', b'client.example\0004' + struct.pack('>H', 4711) +
                  address.encode() + b'\0')
        return self.step(b'H', b'client.example\0')

    def envelope(self, sender, *to):
        """-> the first answer that is no "go on"."""
        said = [self.step(b'M', b'<%s>\0' % sender.encode())]
        said += [self.step(b'R', b'<%s>\0' % t.encode()) for t in to]
        return next((x for x in said if x and x[0] != b'c'), None)

    def message(self, octets):
        """-> [(action, data)], the last one the answer to the whole."""
        head, body = octets.split(b'\r\n\r\n', 1)
        self.step(b'T')
        for line in head.split(b'\r\n'):
            name, value = line.split(b':', 1)
            if not self.steps & 0x100000:  # blank before the value
                value = value[1:] if value[:1] == b' ' else value
            self.step(b'L', name + b'\0' + value + b'\0')
        self.step(b'N')
        for at in range(0, len(body), 65535):
            answer = self.step(b'B', body[at:at + 65535])
            if answer and answer[0] == b's':
                break
        self.put(b'E')
        said = []
        while not said or said[-1][0] not in (b'a', b'c', b'd', b'r', b't',
                                              b'y'):
            said.append(self.get())
        return [x for x in said if x[0] != b'p']

    def close(self):
        self.socket.close()
