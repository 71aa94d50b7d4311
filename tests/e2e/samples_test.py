#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Every file of samples/ and contrib/ and every command of README.md does
what it says."""
import glob
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lib  # noqa: E402
import sendmail  # noqa: E402
from lib import check, equal, test  # noqa: E402

base = None


def setup():
    global base
    base = lib.temporary()


def sample(name):
    with open(os.path.join(lib.SAMPLES, name), encoding='utf-8') as f:
        return f.read()


def installed(name):
    """The sample NAME.conf with NAME.rules, as it would be installed, but
    below a folder of ours and with users that exist."""
    d = os.path.join(base, name)
    os.makedirs(d)
    lib.must_run([lib.POSTSEAL, 'init', '--dir', d, '--domain',
                  'example.com'])
    conf = sample(name + '.conf')
    for old, new in (('/etc/postseal', d), ('/var/lib/postseal', d),
                     ('/var/spool/postfix/postseal', d)):
        conf = conf.replace(old, new)
    conf = re.sub(r'(\n\s+)keys-user +\S+', r'\1keys-user ' + lib.KEYS_USER,
                  conf)
    conf = re.sub(r'(\n\s+)user +\S+', r'\1user ' + lib.MILTER_USER, conf)
    conf = conf.replace('group postfix', 'group ' + lib.SETGID_GROUP)
    with open(os.path.join(d, 'rules'), 'w', encoding='utf-8') as f:
        f.write(sample(name + '.rules'))
    with open(os.path.join(d, 'authority'), 'w', encoding='utf-8') as f:
        f.write('alice sales@example.com info@example.com\n')
    os.makedirs(os.path.join(d, 'spool'), exist_ok=True)
    path = os.path.join(d, 'installed.conf')
    with open(path, 'w', encoding='utf-8') as f:
        f.write(conf)
    if os.getuid() == 0:
        for p, _, files in os.walk(d):
            for f in [p] + [os.path.join(p, x) for x in files]:
                shutil.chown(f, lib.MILTER_USER)
        # For root and the keys process alone.
        shutil.chown(os.path.join(d, 'secret'), 'root')
    return path


def explain(conf, *more):
    return lib.must_run([lib.POSTSEAL, '-c', conf, 'rules', 'explain',
                         *more]).decode()


@test
def small_office():
    conf = installed('small-office')
    lib.must_run([lib.POSTSEAL, '-c', conf, 'rules', 'check'])
    lib.must_run([lib.MILTER, '-n', '-c', conf])
    out = explain(conf, '--from', 'alice@example.com', '--to',
                  'tax@adviser.example')
    check('sign, encrypt' in out, 'wrong line', out)


@test
def partners():
    conf = installed('partners')
    lib.must_run([lib.POSTSEAL, '-c', conf, 'rules', 'check'])
    lib.must_run([lib.MILTER, '-n', '-c', conf])
    for sender, to, words in (
            ('alice@example.com', 'desk@bank.example', 'strong'),
            ('alice@example.com', 'desk@north.bank.example', 'strong'),
            ('alice@example.com', 'news@lists.partner.example', 'opaque'),
            ('alice@example.com', 'desk@grid.example', 'profile edi-energy'),
            ('alice@example.com', 'desk@law.example', 'protect-headers shy'),
            ('alice@example.com', 'x@exampel.com', 'misspelt')):
        out = explain(conf, '--from', sender, '--to', to)
        check(words in out, '%s to %s' % (sender, to), out)


@test
def messages_of_each_kind_are_messages():
    names = glob.glob(os.path.join(lib.SAMPLES, 'messages', '*'))
    check(len(names) >= 20, 'only %d' % len(names))
    for path in names:
        check(path.endswith('.eml'), path)
        with open(path, 'rb') as f:
            data = f.read()
        check(lib.header(data, 'From') and lib.header(data, 'Date') and
              lib.header(data, 'Message-ID'), path + ': fields')


@test
def a_signed_message_is_not_altered_and_gives_its_certificate():
    d = os.path.join(base, 'signed')
    lib.must_run([lib.POSTSEAL, 'init', '--dir', d, '--domain',
                  'example.org'])
    conf = os.path.join(d, 'postseal.conf')
    path = os.path.join(lib.SAMPLES, 'messages', 'signed.eml')
    with open(path, 'rb') as f:
        data = f.read()
    argv = [lib.POSTSEAL, '-c', conf, 'open', '--from', 'carol@example.net',
            '--to', 'bob@example.org']
    out = lib.must_run(argv, data)
    check(b'smime=pass' not in out, 'passes without trust', out[:1000])
    equal(lib.body(out), lib.body(data), 'a signature was altered')
    lib.must_run([lib.POSTSEAL, '-c', conf, 'cert', 'import', path])


@test
def postfix_main_cf():
    lib.need_postfix()
    p = lib.Postfix(os.path.join(base, 'pf'), 'example.com')
    p.configure({})
    with open(os.path.join(p.dir, 'etc/main.cf'), 'a',
              encoding='utf-8') as f:
        f.write(sample('postfix-main.cf'))
    status, out, err = p.command('postconf', '-c',
                                 os.path.join(p.dir, 'etc'), '-n')
    equal(status, 0, lib.show(err))
    check(b'unused parameter' not in err, 'unknown parameter', err)
    check(b'default_action=tempfail' in out, 'no tempfail', out)
    check(b'tempfail' not in err, 'complaint', err)


def contrib(pattern):
    paths = sorted(glob.glob(os.path.join(lib.TOP, 'contrib', pattern)))
    check(paths, 'no ' + pattern)
    return paths


@test
def M14_contrib_postfix():
    """Every line is understood; no filter lets mail pass while it is
    down, but the one that only verifies."""
    lib.need_postfix()
    for n, path in enumerate(contrib('postfix/*.cf')):
        p = lib.Postfix(os.path.join(base, 'pf%d' % n), 'example.com')
        p.configure({})
        kind = path.rsplit('.', 2)[1]
        with open(path, encoding='utf-8') as f:
            text = f.read()
        with open(os.path.join(p.dir, 'etc', kind + '.cf'), 'a',
                  encoding='utf-8') as f:
            f.write(text)
        for how in '-n', '-M', '-P':
            status, out, err = p.command('postconf', '-c', os.path.join(
                p.dir, 'etc'), how)
            equal(status, 0, lib.show(err))
            check(b'unused' not in err and b'undefined' not in err and
                  b'fatal' not in err, path, err)
        for line in text.splitlines():
            if 'postseal/milter.sock' in line and line[:1] == ' ':
                check('default_action=tempfail' in line, path, line)


@test
def contrib_doors_are_understood():
    for n, path in enumerate(contrib('postfix/*.cf')):
        with open(path, encoding='utf-8') as f:
            block = re.search(r'(?m)^# {4}door (?:.*\n#)*? {4}}$', f.read())
        if not block:
            continue
        d = os.path.join(base, 'door%d' % n)
        lib.must_run([lib.POSTSEAL, 'init', '--dir', d, '--domain',
                      'example.com'])
        text = re.sub(r'(?m)^# {4}', '', block.group(0))
        text = re.sub('"unix:/[^"]*/', '"unix:%s/' % d, text).replace(
            'group postfix', 'group ' + lib.SETGID_GROUP)
        with open(os.path.join(d, 'postseal.conf'), 'a',
                  encoding='utf-8') as f:
            f.write(text + '\n')
        out = lib.must_run([lib.MILTER, '-n', '-c',
                            os.path.join(d, 'postseal.conf')])
        check(b'door.' in out, 'no door', out)


@test
def M46_contrib_sendmail():
    sendmail.need_sendmail()
    for path in contrib('sendmail/*.mc'):
        with open(path, encoding='utf-8') as f:
            text = f.read()
        cf = sendmail.compiled("OSTYPE(`linux')dnl\n" + text +
                               "MAILER(`local')dnl\nMAILER(`smtp')dnl\n")
        check(re.search(rb'(?m)^Xpostseal, S=unix:[^,]+, F=T, T=', cf),
              'no filter', cf[-2000:])
        for line in text.splitlines():
            check(line.startswith('dnl') or line.endswith('dnl'), 'no dnl',
                  line)


@test
def sendmail_mc():
    text = sample('sendmail.mc')
    check(re.search(r"^INPUT_MAIL_FILTER\(`postseal', `S=unix:[^,]+, F=T, "
                    r"T=[^']+'\)dnl$", text, re.MULTILINE), 'line', text)
    for line in text.splitlines():
        check(line.startswith('dnl') or line.endswith('dnl'), 'no dnl',
              line)


@test
def systemd_unit():
    path = os.path.join(lib.TOP, 'contrib', 'postseal-milter.service')
    with open(path, encoding='utf-8') as f:
        unit = f.read()
    for words in ('Type=notify', 'NoNewPrivileges=yes', 'LimitCORE=0',
                  'ExecReload='):
        check(words in unit, 'no ' + words)
    if not shutil.which('systemd-analyze'):
        raise lib.Skip('systemd-analyze is not installed')
    copy = os.path.join(base, 'postseal-milter.service')
    with open(copy, 'w', encoding='utf-8') as f:
        f.write(unit.replace('/usr/sbin/postseal-milter', lib.MILTER))
    status, out, err = lib.run(['systemd-analyze', 'verify', '--man=no',
                                copy])
    said = [x for x in (out + err).decode().splitlines()
            if 'postseal-milter.service' in x]
    equal(status if said else 0, 0, '\n'.join(said))


@test
def make_install_puts_everything_in_its_place():
    d = os.path.join(base, 'root')
    lib.must_run(['make', '-s', 'install', 'DESTDIR=' + d, 'PREFIX=/usr',
                  'BUILD=' + os.environ.get('POSTSEAL_BUILD', 'build')],
                 cwd=lib.TOP, timeout=600)
    for path in ('usr/bin/postseal', 'usr/sbin/postseal-milter',
                 'usr/share/man/man5/postseal.conf.5',
                 'usr/share/man/man8/postseal-milter.8',
                 'usr/lib/systemd/system/postseal-milter.service',
                 'usr/share/doc/postseal/samples/partners.rules',
                 'usr/share/doc/postseal/contrib/postfix/reinject.master.cf',
                 'usr/share/doc/postseal/contrib/sendmail/postseal.mc',
                 'usr/share/doc/postseal/samples/messages/plain.eml'):
        check(os.path.exists(os.path.join(d, path)), 'not installed: ' +
              path)


@test
def every_command_of_the_readme():
    """Those under "Try it by command", in one shell, with a folder of
    ours in place of /tmp/try; the others have tests of their own, or
    change the system."""
    with open(os.path.join(lib.TOP, 'README.md'), encoding='utf-8') as f:
        text = f.read()
    part = text.split('## Try it by command')[1].split('\n## ')[0]
    lines = re.findall(r'^    (\S.*)$', part, re.MULTILINE)
    check(len(lines) > 5, 'few commands', *lines)
    script = ['set -e', 'set -x']
    for line in lines:
        if line == 'make' or line.startswith('make '):
            continue
        line = line.replace('$PWD/build', lib.BUILD)
        script.append(line.replace('/tmp/try', os.path.join(base, 'try')))
    lib.must_run(['sh', '-c', '\n'.join(script)], cwd=lib.TOP)
    for name in re.findall(r'`((?:samples|doc|gateway|milter)/[\w./-]+)`',
                           text):
        check(os.path.exists(os.path.join(lib.TOP, name.rstrip('/'))),
              'README names %s, which is not there' % name)


if __name__ == '__main__':
    lib.main(setup)
