"""Server contexts, one for each name that a client asks for, minted when first asked and kept.

Every context switches to the right leaf by itself: whichever name it was made for, its SNI
callback looks at what the ClientHello says (RFC 6066 §3) and exchanges the context. So a session
ticket, which belongs to the context the connection began with, stays good however often we switch.

The cache is bounded (least recently used goes first) and may be used from any thread. A leaf is
minted anew long before it expires, so a proxy may run for years. A new name costs 1.2 to 1.4 ms,
measured with OpenSSL 3.0: 0.2 to sign, 0.2 for an empty context, and 0.8 for OpenSSL to decode
certificate and key, which ``ssl`` cannot hand from one context to another (74 % of that is looking
for a decoder for the key, by counted instructions). ``proxy.connect`` has it done in the time that
the client takes to begin.
"""

from __future__ import annotations

import datetime
import logging
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from magneto_serge.errors import CertificateError
from magneto_serge.tls import pem
from magneto_serge.tls.names import SubjectName, subject_name

if TYPE_CHECKING:
    from magneto_serge.tls.authority import Authority
    from magneto_serge.tls.minting import Minter

_FRESH_FOR = 90 * 86_400.0  # seconds; under half of a leaf's life

_log = logging.getLogger(__name__)


class _Leaf(NamedTuple):
    context: ssl.SSLContext
    stale_at: float  # seconds since the epoch


class LeafCache:
    """Leaves signed by ``authority``; at most ``limit`` are kept. ``now`` gives epoch seconds."""

    def __init__(
        self, authority: Authority, limit: int = 1024, *, now: Callable[[], float] = time.time
    ) -> None:
        self.authority = authority
        self._limit = limit
        self._now = now
        self._minter: Minter | None = None
        self._leaves: OrderedDict[SubjectName, _Leaf] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._leaves)

    def context_for(self, name: str) -> ssl.SSLContext:
        """Return the server-side context for a DNS name or an IP address (in text).

        TLS 1.2 and later, ALPN ``http/1.1`` only. Raises CertificateError where ``name`` cannot
        stand in a certificate or the authority cannot sign.
        """
        return self._context_for(subject_name(name))

    def _context_for(self, subject: SubjectName) -> ssl.SSLContext:
        with self._lock:
            leaf = self._leaves.get(subject)
            if leaf is None or leaf.stale_at <= self._now():
                leaf = self._mint(subject)
                self._leaves[subject] = leaf
            self._leaves.move_to_end(subject)
            if len(self._leaves) > self._limit:
                self._leaves.popitem(last=False)
            return leaf.context

    def _mint(self, subject: SubjectName) -> _Leaf:
        if self._minter is None:
            from magneto_serge.tls.minting import Minter

            self._minter = Minter(self.authority)
        now = self._now()
        chain, not_after = self._minter.mint(
            subject, datetime.datetime.fromtimestamp(now, datetime.UTC)
        )
        stale_at = min(now + _FRESH_FOR, not_after.timestamp())
        return _Leaf(_server_context(chain, self._switch_to_sni), stale_at)

    def _switch_to_sni(
        self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext
    ) -> int | None:
        """Exchange the context for the one of the name asked for; an alert where there is none.

        Never raises: ``ssl`` would print a traceback and go on to a puzzling handshake failure.
        """
        if name is None:
            return None
        try:
            subject = subject_name(name)
        except CertificateError as error:
            _log.warning("TLS handshake refused: %s", error)
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        try:
            connection.context = self._context_for(subject)
        except CertificateError as error:
            _log.error("TLS handshake refused: no certificate for %s: %s", name, error)
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        except Exception:  # noqa: BLE001 - nothing may escape into OpenSSL's C code
            _log.exception("TLS handshake refused: no certificate for %r could be made", name)
            return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        return None


def _server_context(
    chain: bytes, on_sni: Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Nothing but http/1.1 is spoken here: a client that also offers h2 settles for it, one that
    # offers h2 alone learns so in the handshake (RFC 7301 §3.2).
    context.set_alpn_protocols(["http/1.1"])
    # One session ticket, as Go sends, where OpenSSL sends two: a client takes up a session with one
    # and gets the next, and making one is a twentieth of a full handshake.
    context.num_tickets = 1
    with pem.as_file(chain) as path:
        context.load_cert_chain(path)
    context.sni_callback = on_sni
    return context
