# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""mutt and neomutt, each with OpenSSL's commands and with GPGME. A mailcap
of ours keeps every part that is shown."""
import os

import gnupg
import mime
from peer import Kind, Peer, Refused, Result, first_line
from terminal import dialog

OURS, THEIRS = '@example.com', '@example.org'
VERIFIED = b'S/MIME signature successfully verified'
# With GPGME mutt says that of opaque signatures of an unknown CA, too, but
# shows this only of good ones.
GOOD = b'Good signature from:'

SETTINGS = '''set folder="{d}" spoolfile="{d}/box" record="" postponed="{d}/p"
set from="{sender}" use_from realname="" sendmail="{d}/sent" sendmail_wait=0
set mailcap_path="{d}/mailcap" charset=utf-8 send_charset=us-ascii:utf-8
set edit_headers autoedit editor=true fast_reply abort_nosubject=no
set wait_key=no sleep_time=0 quit=yes move=no mbox_type=mbox delete=no
set status_format="ALLMAIL" pager_format="READING" compose_format="COMPOSED"
set text_flowed=no crypt_verify_sig=yes smime_is_default
set smime_self_encrypt=no
auto_view text/* image/* application/octet-stream
'''
# As contrib/smime.rc of mutt 2.2 and Debian's /etc/Muttrc.d/smime.rc.
OPENSSL = '''set crypt_use_gpgme=no smime_timeout=300
set smime_default_key="{key}" smime_sign_as="{key}"
set smime_decrypt_use_default_key=yes
set smime_ca_location="{d}/.smime/ca-bundle.crt"
set smime_certificates="{d}/.smime/certificates"
set smime_keys="{d}/.smime/keys"
set smime_pk7out_command="openssl smime -verify -in %f -noverify -pk7out"
set smime_get_cert_command="openssl pkcs7 -print_certs -in %f"
set smime_get_signer_cert_command=\\
"openssl smime -verify -in %f -noverify -signer %c -out /dev/null"
set smime_get_cert_email_command="openssl x509 -in %f -noout -email"
set smime_encrypt_with="aes256"
set smime_encrypt_command="openssl cms -encrypt -%a -outform DER -in %f %c"
set smime_sign_digest_alg="sha256"
set smime_sign_command="openssl smime -sign -md %d -signer %c -inkey %k \\
-passin stdin -in %f -certfile %i -outform DER"
set smime_decrypt_command="openssl cms -decrypt -passin stdin -inform DER \\
-in %f -inkey %k -recip %c"
set smime_verify_command=\\
"openssl smime -verify -inform DER -in %s %C -content %f"
set smime_verify_opaque_command=\\
"openssl smime -verify -inform DER -in %s %C"
'''
GPGME = '''set crypt_use_gpgme=yes
set smime_default_key="{sender}" smime_sign_as="{sender}"
'''
MAILCAP = '''text/*; {d}/keep %t %s; copiousoutput
image/*; {d}/keep %t %s; copiousoutput
application/octet-stream; {d}/keep %t %s; copiousoutput
'''
KEEP = '''#!/bin/sh
n=$(ls {d}/kept | wc -l)
{{ echo "$1"; cat "$2"; }} >{d}/kept/$(printf %03d $n)
'''
SENT = '#!/bin/sh\ncat >{d}/mail.sent\n'


class Mutt(Peer):
    name = program = 'mutt'
    keeps_headers = False
    gpgme = False

    def version(self):
        wanted = [self.program, 'gpgsm' if self.gpgme else 'openssl']
        if not all(self.place.has(w) for w in wanted):
            return None
        line = first_line(self.place.must([self.program, '-v']))
        return ' '.join(line.split()[:2])

    def setup(self):
        self.mine = [p for p in self.material.people if p.endswith(THEIRS)]
        for name, text in (('keep', KEEP), ('sent', SENT),
                           ('mailcap', MAILCAP)):
            path = self.place.put(name, text.format(
                d=self.place.folder).encode())
            os.chmod(self.place.root + path, 0o755)
        if self.gpgme:
            self.homes = {p: gnupg.home(self.place, self.material, p, [p])
                          for p in self.mine}
            return
        self.homes = {}
        self._smime_folder()

    def _smime_folder(self):
        """What smime_keys would make."""
        self.index, lines = {}, ''
        for n, p in enumerate(self.material.people):
            self.index[p] = '%08x.0' % (n + 1)
            lines += '%s %s %s ? t\n' % (p, self.index[p], p.split('@')[0])
            self.place.put('.smime/certificates/' + self.index[p],
                           self.material.cert(p))
            if p in self.mine:
                self.place.put('.smime/keys/' + self.index[p],
                               self.material.key(p))
        for d in ('certificates', 'keys'):
            self.place.put('.smime/%s/.index' % d, lines.encode())
        self.place.put('.smime/ca-bundle.crt', self.material.root)

    def close(self):
        for path in self.homes.values():
            gnupg.close(self.place, path)

    def known(self, cell):
        if cell.is_encrypted and cell.cipher.endswith('gcm'):
            return 'mutt: no smime-type authEnveloped-data'
        if self.gpgme:
            return gnupg.known(self.place, cell)
        if cell.is_signed and cell.signature == 'pss':
            return 'mutt: `openssl smime` (PKCS7_verify) has no PSS'
        return None

    def _settings(self, who):
        text = SETTINGS + (GPGME if self.gpgme else OPENSSL)
        return self.place.put('rc', text.format(
            d=self.place.folder, sender=who,
            key='' if self.gpgme else self.index[who]).encode())

    def _run(self, who, argv, answers):
        env = {'TMPDIR': self.place.folder}
        if self.gpgme:
            env['GNUPGHOME'] = self.homes[who]
        return dialog(self.place, [
            self.program, '-n', '-F', self._settings(who)] + argv,
            {**answers, b'passphrase[^:]*:': [b'\r']}, env)

    def read(self, message, cell, who):
        self.place.run(['rm', '-rf', 'kept'])
        self.place.run(['mkdir', 'kept'])
        box = self.place.put('box', b'From alice@example.com Sat Nov 21 '
                             b'10:00:00 2026\n' + message + b'\n')
        status, said = self._run(who, ['-f', box], {
            b'ALLMAIL': [b'\r', b'x'], b'READING': [b'q'],
            b'Could not copy message': [b'x']})
        if status != 0:
            raise OSError('%s did not end by itself' % self.program)
        leaves = []
        for name in sorted(os.listdir(self.place.root +
                                      self.place.path('kept'))):
            what, octets = self.place.get('kept/' + name).split(b'\n', 1)
            leaves.append((what.decode(), octets))
        if not leaves:
            raise Refused(said)
        # mutt compares the certificate's address with From before that.
        is_good = VERIFIED in said and (GOOD in said or not self.gpgme)
        return Result(mime.parts(leaves), None, cell.is_encrypted,
                      cell.sender if is_good else None, said)

    def kinds(self):
        yield Kind('clear', 'alice' + THEIRS)
        if self.gpgme:  # what gpgsm encrypts, its own peer has
            return
        yield Kind('encrypted', None, ['alice' + OURS])
        yield Kind('encrypted alice dave', None,
                   ['alice' + OURS, 'dave' + OURS])
        yield Kind('clear+enc', 'alice' + THEIRS, ['alice' + OURS])

    def write(self, kind, entity):
        sender = kind.signer or 'alice' + THEIRS
        draft = self.place.put('draft', mime.lf(mime.message(
            sender, kind.to or ['alice' + OURS], entity)))
        self.place.remove('mail.sent')
        words = ('sign ' if kind.signer else '') + \
            ('encrypt' if kind.to else '')
        self.place.put('rc.write', b''.join(
            b'set crypt_auto%s\n' % w.encode() for w in words.split()))
        _, said = self._run(sender, ['-e', 'source ' + self.place.path(
            'rc.write'), '-H', draft], {
                b'COMPOSED': [b'y'], rb'\[yes\]': [b'\r']})
        if not os.path.exists(self.place.root + self.place.path('mail.sent')):
            raise Refused(said)
        return self.place.get('mail.sent')


class MuttGpgme(Mutt):
    name, gpgme = 'mutt-gpgme', True


class NeoMutt(Mutt):
    name = program = 'neomutt'


class NeoMuttGpgme(NeoMutt):
    name, gpgme = 'neomutt-gpgme', True


PEERS = [Mutt, MuttGpgme, NeoMutt, NeoMuttGpgme]
