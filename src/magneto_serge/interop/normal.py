"""Messages as they could have been on the wire, of what a file tells of them.

Files lie: ``Content-Encoding: gzip`` over a body that was stored decoded, a ``Content-Length`` that
no longer fits, ``Transfer-Encoding: chunked`` with and without, methods in lower case, the
pseudo-fields of HTTP/2, URLs with blanks. What a client gets on replay must be right all the same,
so every importer hands over what it found to :func:`request_of` and :func:`response_of`:

* a body that is not in the coding that it claims is encoded so: its content is what counts, and the
  field stays; one that is in it keeps its exact bytes;
* framing fields say what is true of the body that is there (RFC 9112 §6.3), nothing else changes
  in the order, case and repeats of fields;
* a target has only characters that a request line can have (RFC 3986 §2), its fragment is gone, and
  so is userinfo (RFC 9110 §4.2.4); the host is in lower case, in its A-label form.
"""

from __future__ import annotations

import re
import zlib
from http import HTTPStatus
from urllib.parse import quote

from magneto_serge.codings import Coding, CodingName, decode, encode
from magneto_serge.messages import DEFAULT_PORTS, FieldLine, Headers, Request, Response

from .remarks import Remark, Remarks
from .values import RawFields, UnusableError, utf8

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_KNOWN_METHODS = frozenset(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"]
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_FOLDED = re.compile(rb"\r?\n[ \t]+")  # RFC 9112 §5.2
_NO_TARGET = re.compile(r"[^!$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]")  # RFC 3986 §2; IPv6 brackets
_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+;=%-]+|[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?")
_SCHEMES = {"ws": "http", "wss": "https"}
_CODINGS: dict[str, CodingName] = {
    "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate", "br": "br", "zstd": "zstd",
}  # fmt: skip
_DECODED_LIMIT = 256 * 1024 * 1024  # bytes; what inflates further is taken for encoded


def request_of(
    method: str,
    url: str,
    raw: RawFields,
    body: bytes,
    remarks: Remarks,
    *,
    version: str = "",
    trailers: RawFields | None = None,
    asterisk: bool = False,
) -> Request | None:
    """Return a request; None, with a remark, where it is not one to an http or https origin.

    ``asterisk``: its target is ``*`` (RFC 9112 §3.2.4), whatever path the URL has. Raises
    UnusableError where method or URL cannot be used.
    """
    method = method.strip().lstrip(":")
    if method.upper() in _KNOWN_METHODS:
        method = method.upper()
    if method == "CONNECT":
        remarks.add(Remark.TUNNEL, url)
        return None
    if not _METHOD.fullmatch(method):
        raise UnusableError(f"{method!r} is no method")
    parts = split(url, remarks)
    if parts is None:
        return None
    scheme, host, port, target = parts
    if asterisk and method == "OPTIONS":
        target = "*"
    headers = _framed_request(_fields(raw, remarks), body)
    return Request(
        method,
        scheme,
        host,
        port,
        target,
        Headers(headers),
        body,
        http_version(version, remarks),
        Headers(_fields(trailers or [], remarks)),
    )


def response_of(
    status: int,
    reason: str,
    raw: RawFields,
    body: bytes,
    remarks: Remarks,
    *,
    method: str,
    version: str = "",
    trailers: RawFields | None = None,
) -> Response:
    """Return a response whose body has the codings that it claims; raises UnusableError."""
    if not 100 <= status <= 999:
        raise UnusableError(f"{status} is no status")
    lines = _fields(raw, remarks)
    if body and (method == "HEAD" or status in (204, 304) or status < 200):
        remarks.add(Remark.BODY_REMOVED)
        body = b""
    body = _coded(lines, body, remarks)
    framed = _framed_response(lines, body, method, status, version)
    return Response(
        status,
        _reason(reason),
        Headers(framed),
        body,
        http_version(version, remarks),
        Headers(_fields(trailers or [], remarks)),
    )


def phrase(status: int) -> str:
    """Return the standard reason phrase, for formats that have none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def http_version(version: str, remarks: Remarks) -> str:
    """Return the version in which this can be replayed: HTTP/1.0 or HTTP/1.1."""
    number = re.search(r"\d(?:\.\d)?", version)
    if number and number[0] in ("1.0", "0.9"):
        return "HTTP/1.0"
    if number and number[0][0] in "23":
        remarks.add(Remark.HTTP_VERSION)
    return "HTTP/1.1"


# --- URLs ---------------------------------------------------------------------------------------


def split(url: str, remarks: Remarks) -> tuple[str, str, int, str] | None:
    """Return scheme, host, port and target; None, with a remark, for other schemes.

    Raises UnusableError where there is no host.
    """
    scheme, separator, rest = url.strip().partition("://")
    scheme = _SCHEMES.get(scheme.lower(), scheme.lower())
    if not separator or scheme not in DEFAULT_PORTS:
        remarks.add(Remark.NOT_HTTP, url[:100])
        return None
    rest = rest.partition("#")[0]
    end = min((at for at in map(rest.find, "/?") if at >= 0), default=len(rest))
    host, port = _authority(rest[:end], DEFAULT_PORTS[scheme], remarks)
    return scheme, host, port, _target(rest[end:], remarks)


def _authority(authority: str, default: int, remarks: Remarks) -> tuple[str, int]:
    authority = authority.rpartition("@")[2]
    host, colon, digits = authority.rpartition(":")
    if not colon or "]" in digits:
        host, digits = authority, ""
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not host:
        raise UnusableError(f"the URL names no host: {authority!r}")
    port = int(digits) if re.fullmatch(r"[0-9]{1,5}", digits) else 0
    if not 0 < port < 65536:
        if digits:
            remarks.add(Remark.PORT, authority)
        port = default
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            host = quote(host)
    if not _HOST.fullmatch(host):
        remarks.add(Remark.HOST_UNUSABLE, host)
    return host.lower(), port


def _target(target: str, remarks: Remarks) -> str:
    if not target.startswith("/"):
        target = "/" + target
    if _NO_TARGET.search(target):
        remarks.add(Remark.URL_MENDED, target[:100])
        target = _NO_TARGET.sub(lambda found: quote(found[0], safe=""), target)
    return target


# --- fields -------------------------------------------------------------------------------------


def _fields(raw: RawFields, remarks: Remarks) -> list[FieldLine]:
    lines: list[FieldLine] = []
    for given, value in raw:
        name = _bytes(given).strip()
        if not _TOKEN.fullmatch(name):
            if not name.startswith(b":"):  # RFC 9113 §8.3: these are in the start line
                remarks.add(Remark.FIELD_LEFT_OUT, repr(given)[:100])
            continue
        lines += [(name, each) for each in _field_values(name, _bytes(value), remarks)]
    return lines


def _field_values(name: bytes, value: bytes, remarks: Remarks) -> list[bytes]:
    if not _CONTROLS.search(value):
        return [value.strip(b" \t")]
    value = _FOLDED.sub(b" ", value.strip())
    values = [part.strip() for part in re.split(rb"\r?\n", value)]  # browsers join repeats so
    if any(_CONTROLS.search(each) for each in values):
        remarks.add(Remark.FIELD_MENDED, name.decode("latin-1"))
        values = [_CONTROLS.sub(b"", each) for each in values]
    return values


def _bytes(value: str | bytes) -> bytes:
    """Return field text as bytes: libraries decode them as Latin-1, so that is how they go back."""
    if isinstance(value, bytes):
        return value
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return utf8(value)


def _reason(reason: str) -> str:
    return _CONTROLS.sub(b" ", _bytes(reason)).strip().decode("latin-1")


# --- content codings ----------------------------------------------------------------------------


def _coded(lines: list[FieldLine], body: bytes, remarks: Remarks) -> bytes:
    """Return the body in the codings that the fields claim (RFC 9110 §8.4)."""
    declared = [
        part.strip().lower()
        for name, value in lines
        if name.lower() == b"content-encoding"
        for part in value.decode("latin-1").split(",")
    ]
    named = [part for part in declared if part not in ("", "identity")]
    if not body or not named or any(part not in _CODINGS for part in named):
        return body
    codings = [_CODINGS[part] for part in named]
    if _is_coded(codings, body):
        return body
    if codings[-1] == "gzip" and body.startswith(b"\x1f\x8b\x08"):
        remarks.add(Remark.CODING_BROKEN)
        return body
    remarks.add(Remark.CODED_AGAIN)
    for coding in codings:
        body = encode(body, Coding(coding))
    return body


def _is_coded(codings: list[CodingName], body: bytes) -> bool:
    for coding in reversed(codings):
        content = decode(coding, body, _DECODED_LIMIT)
        if content is None and coding == "gzip":
            content = _members(body)
        if content is None:
            return False
        body = content
    return True


def _members(body: bytes) -> bytes | None:
    """Decode gzip of several members (RFC 1952 §2.2); None if it is not that."""
    content = bytearray()
    while body:
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            content += decoder.decompress(body, _DECODED_LIMIT - len(content) + 1)
        except zlib.error:
            return None
        if not decoder.eof or len(content) > _DECODED_LIMIT:
            return None
        body = decoder.unused_data
    return bytes(content)


# --- framing ------------------------------------------------------------------------------------


def _framed_request(lines: list[FieldLine], body: bytes) -> list[FieldLine]:
    chunked = _is_chunked(lines)
    return list(_with_length(lines, None if chunked else len(body), chunked=chunked))


def _framed_response(
    lines: list[FieldLine], body: bytes, method: str, status: int, version: str
) -> list[FieldLine]:
    chunked = _is_chunked(lines)
    if method == "HEAD" or status == 304:  # RFC 9110 §8.6: they speak of another response's body
        return [line for line in lines if line[0].lower() != b"transfer-encoding"]
    if status < 200 or status == 204:
        gone = (b"transfer-encoding", b"content-length")
        return [line for line in lines if line[0].lower() not in gone]
    framed = list(_with_length(lines, None if chunked else len(body), chunked=chunked))
    names = {name.lower() for name, _ in framed}
    if not chunked and b"content-length" not in names and not _closes(lines, version):
        framed.append((b"Content-Length", b"%d" % len(body)))
    return framed


def _is_chunked(lines: list[FieldLine]) -> bool:
    codings = [value.lower() for name, value in lines if name.lower() == b"transfer-encoding"]
    return bool(codings) and codings[-1].rpartition(b",")[2].strip() == b"chunked"


def _closes(lines: list[FieldLine], version: str) -> bool:
    """Tell whether the body was delimited by the connection's end (RFC 9112 §6.3, item 8)."""
    return version == "HTTP/1.0" or any(
        name.lower() == b"connection" and b"close" in value.lower() for name, value in lines
    )


def _with_length(lines: list[FieldLine], length: int | None, *, chunked: bool) -> list[FieldLine]:
    framed: list[FieldLine] = []
    seen = False
    for name, value in lines:
        lower = name.lower()
        if lower == b"content-length":
            if length is not None and not seen:
                framed.append((name, b"%d" % length))
                seen = True
        elif lower == b"transfer-encoding":
            if chunked and not seen:
                framed.append((name, b"chunked"))
                seen = True
        else:
            framed.append((name, value))
    return framed
