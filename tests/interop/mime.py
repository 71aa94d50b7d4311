# SPDX-License-Identifier: ISC
# Copyright (c) 2026 the postseal authors
"""Octets of S/MIME messages, taken apart and put together for programs that
know CMS alone. Signed octets are never decoded and made again."""
import base64
import email
import email.policy
import re

BOUNDARY = 'interop-boundary'


def crlf(octets):
    return re.sub(rb'\r?\n', b'\r\n', octets)


def lf(octets):
    return octets.replace(b'\r\n', b'\n')


def head(entity):
    """The header fields as email.message.Message, without the body."""
    top = re.split(rb'\r?\n\r?\n', entity, maxsplit=1)[0]
    return email.message_from_bytes(top + b'\n\n',
                                    policy=email.policy.compat32)


def body(entity):
    got = re.split(rb'\r?\n\r?\n', entity, maxsplit=1)
    return got[1] if len(got) > 1 else b''


def kind(entity):
    """'clear', 'opaque', 'encrypted', or None: no layer of S/MIME."""
    h = head(entity)
    what = h.get_content_type()
    if what == 'multipart/signed':
        return 'clear'
    if re.fullmatch(r'application/(x-)?pkcs7-mime', what):
        smime = str(h.get_param('smime-type', '')).lower()
        return 'opaque' if smime == 'signed-data' else 'encrypted'
    return None


def der(entity):
    """The CMS object of a base64 entity."""
    return base64.b64decode(body(entity))


def clear_parts(entity):
    """(signed octets with CRLF, DER of the signature)."""
    mark = b'--' + str(head(entity).get_boundary()).encode()
    parts = re.split(rb'(?m)^' + re.escape(mark) + rb'(?:--)?[ \t]*\r?\n',
                     body(entity) + b'\n')
    if len(parts) < 3:
        raise ValueError('multipart/signed of %d parts' % (len(parts) - 2))
    # The line end before the mark belongs to the mark.
    return (crlf(re.sub(rb'\r?\n\Z', b'', parts[1])), der(parts[2]))


def base64_lines(octets):
    return base64.encodebytes(octets).replace(b'\n', b'\r\n')


def clear(entity, signature, micalg='sha-256'):
    """multipart/signed of an entity (CRLF) and its detached signature."""
    mark = BOUNDARY.encode()
    return b''.join((
        b'Content-Type: multipart/signed; micalg=', micalg.encode(),
        b';\r\n protocol="application/pkcs7-signature"; boundary="', mark,
        b'"\r\n\r\n--', mark, b'\r\n', entity, b'\r\n--', mark,
        b'\r\nContent-Type: application/pkcs7-signature; name=smime.p7s\r\n'
        b'Content-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename=smime.p7s\r\n\r\n',
        base64_lines(signature), b'--', mark, b'--\r\n'))


def opaque(cms, smime_type):
    """application/pkcs7-mime of a CMS object: signed-data,
    enveloped-data, authEnveloped-data."""
    return b''.join((
        b'Content-Type: application/pkcs7-mime; smime-type=',
        smime_type.encode(), b'; name=smime.p7m\r\n'
        b'Content-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename=smime.p7m\r\n\r\n',
        base64_lines(cms)))


def message(sender, to, entity):
    """A mail of an entity that begins with its own MIME fields."""
    return lf(b''.join((
        b'From: ', sender.encode(), b'\r\nTo: ', ', '.join(to).encode(),
        b'\r\nSubject: interoperability\r\n'
        b'Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n'
        b'Message-ID: <interop@example.org>\r\nMIME-Version: 1.0\r\n',
        re.sub(rb'(?i)\AMIME-Version:[^\r\n]*\r?\n', b'', entity))))


def parts(leaves):
    """An entity of [(type, octets)]: what a mail program took apart."""
    made = [b'Content-Type: ' + what.encode() +
            b'\r\nContent-Transfer-Encoding: base64\r\n\r\n' +
            base64_lines(octets) for what, octets in leaves]
    if len(made) == 1:
        return made[0]
    mark = BOUNDARY.encode()
    return b''.join([
        b'Content-Type: multipart/mixed; boundary="', mark, b'"\r\n\r\n',
        *[b'--' + mark + b'\r\n' + m for m in made], b'--', mark, b'--\r\n'])
