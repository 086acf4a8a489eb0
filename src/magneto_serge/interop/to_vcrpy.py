"""A cassette as one of VCR.py, in YAML, as VCR.py itself writes it.

Bodies are text where they are UTF-8, ``!!binary`` otherwise; an empty request body is ``null``.
Content codings are undone and ``Content-Encoding`` is taken off, which is what VCR.py's option
``decode_compressed_response`` does: some of its stubs decode a body that says it is encoded, some
(urllib3 2) hand it on as it is. Written interaction by interaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

from magneto_serge.codings import coding_of, decode
from magneto_serge.messages import Headers, Interaction, Response

from .outgoing import answered, body_bytes, grouped, remark_losses, whole_text
from .remarks import Remark, Remarks
from .yaml_data import library

_LOST = (
    Remark.TIMES,
    Remark.PIECES,
    Remark.INTERIM,
    Remark.PEER,
    Remark.TRAILERS,
    Remark.VERSION,
    Remark.TARGET,
)
_DECODED_LIMIT = 256 * 1024 * 1024  # bytes


def write(interactions: Sequence[Interaction], out: BinaryIO, remarks: Remarks) -> None:
    """Write the YAML; raises OSError, and ConfigError where PyYAML is not installed."""
    yaml = library()
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    empty = True
    for interaction in answered(interactions, remarks):
        remark_losses(interaction, _LOST, remarks)
        item = [_item(interaction, remarks)]
        text: str = yaml.dump(item, Dumper=dumper, allow_unicode=True, sort_keys=False)
        out.write((b"interactions:\n" if empty else b"") + text.encode())
        empty = False
    out.write(b"interactions: []\nversion: 1\n" if empty else b"version: 1\n")


def _item(interaction: Interaction, remarks: Remarks) -> dict[str, Any]:
    request, response = interaction.request, interaction.response
    assert response is not None  # noqa: S101 - `answered` yields no other
    body = body_bytes(request.body)
    headers, answer = _decoded(response, remarks)
    return {
        "request": {
            "body": _text(body) if body else None,
            "headers": grouped(request.headers, remarks),
            "method": request.method,
            "uri": request.url,
        },
        "response": {
            "body": {"string": _text(answer)},
            "headers": grouped(headers, remarks),
            "status": {"code": response.status, "message": response.reason},
        },
    }


def _decoded(response: Response, remarks: Remarks) -> tuple[Headers, bytes]:
    """Return header section and body without a content coding, where it can be undone."""
    body = body_bytes(response.body)
    coding = coding_of(response.headers)
    content = decode(coding, body, _DECODED_LIMIT) if coding and body else None
    if content is None:
        return response.headers, body
    remarks.add(Remark.CODED)
    lines = (
        (name, b"%d" % len(content)) if name.lower() == b"content-length" else (name, value)
        for name, value in response.headers.raw
        if name.lower() != b"content-encoding"
    )
    return Headers(lines), content


def _text(body: bytes) -> str | bytes:
    text = whole_text(body)
    return body if text is None else text
