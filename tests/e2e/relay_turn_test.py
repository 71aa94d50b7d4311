#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
# runner: waits
"""A destination that takes one connection of a worker, and clients that come
in a crowd, dawdle, go away while they wait and meet a reload: who stays has
his turn, and no message is lost or doubled."""
import contextlib
import os
import re
import threading
import time

from base import SANITIZER, check, equal, free_port, main, temporary, test
from relay import Relay, Talk, TlsSink, need_relay

TIMEOUT = 240 if SANITIZER else 90
world = {}

CONF = '''
    listen submission {
        protocol submission
        on "127.0.0.1:%(people)d" external
        trusted 127.0.0.0/8
        route out
        per-client 200
    }
    listen egress {
        protocol lmtp
        on "127.0.0.1:%(mta)d" plain
        route out
        ledger yes
        per-client 200
    }
    route out {
        host "127.0.0.1:%(sink)d" tls none
        concurrency 1
    }
'''


def set_up():
    need_relay()
    d = temporary('turn')
    sink = TlsSink(os.path.join(d, 'sink'))
    world.update(sink=sink, people=free_port(), mta=free_port(), sent=set(),
                 refused=[], lock=threading.Lock())
    world['relay'] = Relay(d, CONF % dict(world, sink=sink.port)).start()


def message(number):
    return b'Subject: %s\r\n\r\ntext\r\n' % number.encode()


def note(number, said):
    with world['lock']:
        if said.startswith('250'):
            world['sent'].add(number)
        else:
            world['refused'].append((number, said))


def submit(number):
    """A person's program: an error would be seen."""
    t = Talk(world['people'], timeout=TIMEOUT)
    t.reply()
    note(number, t.mail(to=('bob@b.example', 'dave@b.example'),
                        data=message(number))[-1])
    t.close()


def leave(number):
    """One that goes away while it waits; twice, sending what follows."""
    for text in ('', 'DATA\r\n'):
        t = Talk(world['people'], timeout=TIMEOUT)
        t.reply()
        t.say('EHLO client.example')
        t.send('MAIL FROM:<alice@a.example>\r\n'
               'RCPT TO:<%s@b.example>\r\n' % number + text)
        time.sleep(0.02)
        t.close()


def dawdle(number):
    """An MTA's connection on which the message takes longer than a next hop
    is held for. 451 at RCPT is as it should be."""
    t = Talk(world['mta'], timeout=TIMEOUT)
    t.reply()
    t.say('LHLO client.example')
    t.say('MAIL FROM:<alice@a.example>')
    said = t.say('RCPT TO:<bob@b.example>')
    if said.startswith('250'):
        t.say('DATA')
        t.send(message(number))
        time.sleep(22)
        t.send(b'.\r\n')
        note(number, t.reply())
    else:
        check(said.startswith('451 4.3.2'), 'busy', said)
    t.close()


def crowd(*jobs):
    """[(function, number of threads)], all at once."""
    threads = [threading.Thread(target=f, args=('%s%d' % (f.__name__, i),),
                                daemon=True)
               for f, n in jobs for i in range(n)]
    for t in threads:
        t.start()
    return threads


def arrived():
    with world['sink'].lock:
        return [re.match(rb'(?s).*Subject: (\w+)', m.data).group(1).decode()
                for m in world['sink'].seen]


@test
def T11_each_has_his_turn():
    """attack T11: a crowd at a destination that takes one connection, some of
    whom dawdle with their message or go away while they wait.
    verdict: the others have their turn; each message arrives once"""
    threads = crowd((dawdle, 6))
    time.sleep(3)
    threads += crowd((leave, 10), (submit, 10))
    time.sleep(2)
    world['relay'].reload()
    threads += crowd((leave, 10))
    for t in threads:
        t.join(2 * TIMEOUT)
        check(not t.is_alive(), 'somebody waits for ever',
              world['relay'].log()[-3000:])
    people = [x for x in world['refused'] if x[0].startswith('submit')]
    equal(people, [], 'refused, who may wait')
    late = [x for x in world['refused'] if not x[1].startswith('451 4.3.2')]
    equal(late, [], 'refused but for 451 4.3.2')
    equal(sorted(arrived()), sorted(world['sent']), 'arrived')
    check(any(n.startswith('dawdle') for n in world['sent']), 'dawdlers')


@test
def afterwards_there_is_room():
    """No place was lost."""
    world['refused'].clear()
    for i in range(6):
        submit('after%d' % i)
    equal(world['refused'], [], 'refused')
    with contextlib.suppress(OSError):
        equal(world['relay'].counter('worker_deaths_total'), 0, 'deaths')


main(set_up)
