"""What a client says of itself to the proxy: the credentials that were set, the session it wants.

Basic credentials (RFC 7617) in Proxy-Authorization. Their user name chooses a session; where the
proxy is guarded, the password must be the one that was set. A proxy that has neither looks at
nothing: people send credentials that were meant for another.
"""

from __future__ import annotations

from base64 import b64decode

from magneto_serge.messages import FieldLine
from magneto_serge.wire.fields import first


class CredentialsError(Exception):
    """The credentials that were set were not given."""


class Credentials:
    """``required`` is ``user:password``, None where anybody may come."""

    def __init__(self, required: str | None) -> None:
        self._required = None if required is None else required.encode()

    def user_of(self, fields: tuple[FieldLine, ...]) -> str | None:
        """Return the user name that chooses a session, None for the one that serves everybody.

        Raises CredentialsError where credentials are required and not given.
        """
        given = _basic(first(fields, b"proxy-authorization"))
        required = self._required
        if required is not None:
            import hmac  # most proxies are not guarded

            if given is None:
                raise CredentialsError
            if hmac.compare_digest(given, required):
                return None
            if not hmac.compare_digest(given.partition(b":")[2], required.partition(b":")[2]):
                raise CredentialsError
        user = (given or b"").partition(b":")[0]
        return user.decode("utf-8", "replace") or None


def _basic(value: bytes | None) -> bytes | None:
    """Return ``user:password``, None where there is nothing of the kind."""
    scheme, _, encoded = (value or b"").partition(b" ")
    if scheme.lower() != b"basic":
        return None
    try:
        return b64decode(encoded.strip(), validate=True)
    except ValueError:
        return None
