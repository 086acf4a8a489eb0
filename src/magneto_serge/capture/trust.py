"""TLS clients of this process trust our certificate, whatever they were told to trust.

A client that exists already, or that names its own authorities, has an ``SSLContext`` without ours.
Nothing can be taken out of a context again, so none is changed: a handshake goes through a twin of
the client's context that trusts ours as well. The twin checks what the original checks (nothing,
where that checks nothing). It is kept with the original and goes with it.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from magneto_serge.capture import scopes
from magneto_serge.capture.patches import Patches

_twins: WeakKeyDictionary[ssl.SSLContext, tuple[str, ssl.SSLContext]] = WeakKeyDictionary()


def _wrap_socket_trusting(
    self: ssl.SSLContext, sock: Any, server_side: bool = False, *args: Any, **kwargs: Any
) -> ssl.SSLSocket:
    context = self if server_side else _trusting(self)
    wrapped: ssl.SSLSocket = _real["wrap_socket"](context, sock, server_side, *args, **kwargs)
    return wrapped


def _wrap_bio_trusting(
    self: ssl.SSLContext,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    server_side: bool = False,
    *args: Any,
    **kwargs: Any,
) -> ssl.SSLObject:
    context = self if server_side else _trusting(self)
    real = _real["wrap_bio"]
    wrapped: ssl.SSLObject = real(context, incoming, outgoing, server_side, *args, **kwargs)
    return wrapped


def _trusting(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return the context to use in place of a client's."""
    if context.verify_mode == ssl.CERT_NONE:
        return context
    scope = scopes.current()
    if scope is None or scope.over:
        return context
    authority = scope.session.ca_path
    known = _twins.get(context)
    if known is not None and known[0] == str(authority):
        return known[1]
    twin = twin_of(context, authority)
    _twins[context] = (str(authority), twin)
    return twin


def twin_of(context: ssl.SSLContext, authority: Path) -> ssl.SSLContext:
    """Return a client context like ``context`` that trusts the PEM file ``authority`` as well.

    Certificates that OpenSSL would look up in a folder when it needs them cannot be listed; where a
    context has none in its store, the twin has the system's.
    """
    twin = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    twin.check_hostname = False  # the order matters: it must be off before the mode changes
    twin.verify_mode = context.verify_mode
    twin.check_hostname = context.check_hostname
    twin.verify_flags = context.verify_flags & ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    twin.minimum_version = context.minimum_version
    twin.maximum_version = context.maximum_version
    twin.options = context.options
    certificates = context.get_ca_certs(binary_form=True)
    if certificates:
        twin.load_verify_locations(cadata=b"".join(certificates))
    else:
        twin.load_default_certs()
    twin.load_verify_locations(cafile=authority)
    twin.set_alpn_protocols(["http/1.1"])  # what the proxy speaks
    return twin


PATCHES = Patches(
    (ssl.SSLContext, "wrap_socket", _wrap_socket_trusting),
    (ssl.SSLContext, "wrap_bio", _wrap_bio_trusting),
)
_real = PATCHES.real
