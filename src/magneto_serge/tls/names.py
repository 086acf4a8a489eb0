"""What a certificate is made out to: a DNS name or an IP address, from whatever a client asked for.

The name comes from the network (SNI, RFC 6066 §3; the authority of a CONNECT, RFC 9110 §9.3.6), so
it is checked before it is signed: no wildcard, no control characters, nothing longer than DNS
allows. Underscores pass, since Docker Compose puts them in names every day.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from magneto_serge.errors import CertificateError

SubjectName = str | IPv4Address | IPv6Address

_MAX_NAME = 253  # RFC 1035 §2.3.4, in the text form without the final dot
_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")


def subject_name(name: str) -> SubjectName:
    """Return an IP address, or a DNS name in lower-case A-labels without a final dot.

    Accepts ``[::1]`` with its brackets and a zone (dropped: RFC 6874 §1 makes it local to the
    host), and U-labels (encoded by IDNA 2003, as Python's ``ssl`` does on the client side).
    Raises CertificateError for what cannot stand in a certificate.
    """
    # A name is asked for again with every handshake: 25 µs of its 400. What is remembered has a
    # limit in number and, because clients choose it, in length.
    return _remembered(name) if len(name) <= _MAX_NAME else _checked(name)


def _checked(name: str) -> SubjectName:
    address = _ip_address(name)
    if address is not None:
        return address
    ascii_name = _a_labels(name).lower().removesuffix(".")
    if len(ascii_name) > _MAX_NAME or not _NAME.fullmatch(ascii_name):
        raise _unusable(name)
    return ascii_name


_remembered = lru_cache(maxsize=1024)(_checked)


def _ip_address(name: str) -> IPv4Address | IPv6Address | None:
    text = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _a_labels(name: str) -> str:
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise _unusable(name) from error


def _unusable(name: str) -> CertificateError:
    return CertificateError(
        f"No certificate can be made for {name[:300]!r}: it is neither a host name "
        "(letters, digits, hyphens, underscores; at most 253 characters) nor an IP address. "
        "Check the name that the client asks for."
    )
