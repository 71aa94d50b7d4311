# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Crypt::SMIME of Perl: a whole message in, the message without a layer
out."""
import mime
from peer import Kind, Peer, Refused, Result

OURS, THEIRS = '@example.com', '@example.org'

# WHAT [WHO ...]: keys are WHO.key, certificates WHO.crt, the root root.crt.
SCRIPT = br'''use strict;
use warnings;
use Crypt::SMIME;
sub octets {
	open(my $f, '<:raw', $_[0]) or die("$_[0]: $!");
	local $/;
	return <$f>;
}
my ($what, @who) = @ARGV;
binmode(STDIN);
binmode(STDOUT);
my $in = do { local $/; <STDIN> };
my $s = Crypt::SMIME->new;
if ($what eq 'signers') {
	print(@{Crypt::SMIME::getSigners($in)});
} elsif ($what eq 'check') {
	$s->setPublicKey(octets('root.crt'));
	print($s->check($in));
} elsif ($what eq 'encrypt') {
	$s->setPublicKey([map { octets("$_.crt") } @who]);
	print($s->encrypt($in));
} else {
	$s->setPrivateKey(octets("$who[0].key"), octets("$who[0].crt"));
	$s->setPublicKey(octets('root.crt'));
	print($s->$what($in));
}
'''


class CryptSMIME(Peer):
    name = 'perl'

    def version(self):
        status, out, _ = self.place.run(
            ['perl', '-MCrypt::SMIME', '-e', 'print $Crypt::SMIME::VERSION'])
        return 'Crypt::SMIME ' + out.decode() if status == 0 else None

    def setup(self):
        self.place.put('smime.pl', SCRIPT)
        self.place.put('root.crt', self.material.root)
        for p in self.material.people:
            self.place.put(p + '.crt', self.material.cert(p))
            if p.endswith(THEIRS):
                self.place.put(p + '.key', self.material.key(p))

    def _do(self, message, *argv):
        return self.place.must(['perl', 'smime.pl', *argv], message)

    def read(self, message, cell, who):
        got = Result(content=message)
        while (kind := mime.kind(got.content)) is not None:
            if kind == 'encrypted':
                got.content = self._do(got.content, 'decrypt', who)
                got.decrypted = True
                continue
            plain = self._do(got.content, 'check')
            got.signer = self._signer(got.content)
            got.content = plain
        return got

    def _signer(self, message):
        signers = self._do(message, 'signers')
        if signers.count(b'BEGIN CERTIFICATE') != 1:
            raise Refused('not one signer')
        return self.material.of_sha1(self.material.sha1(signers))

    def kinds(self):
        alice, bob = 'alice' + OURS, 'bob' + OURS
        for name in ('alice', 'bob'):
            yield Kind('clear ' + name, name + THEIRS, how=['sign'])
        yield Kind('encrypted', None, (alice,), how=['encrypt'])
        yield Kind('encrypted mixed', None, (alice, bob), how=['encrypt'])
        yield Kind('clear+enc', 'alice' + THEIRS, (alice,),
                   how=['sign', 'encrypt'])

    def write(self, kind, entity):
        sender = kind.signer or 'alice' + THEIRS
        out = mime.crlf(mime.message(
            sender, kind.to or ('alice' + OURS,), entity))
        for how in kind.more['how']:
            who = kind.to if how == 'encrypt' else (sender,)
            out = self._do(out, how, *who)
        return mime.lf(out)


PEERS = [CryptSMIME]
