"""The shape of a version "2" JSON cassette, as types that msgspec checks while it decodes.

docs/cassette.schema.json says the same for others; a test holds the two together. Names that we do
not know are errors, not noise: a misspelt ``body`` must not become an empty one in silence. What a
person writing a cassette by hand can leave out has a default.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from magneto_serge.messages import FailureKind, Milliseconds, Size

from .body_forms import StoredBody
from .json_conversation import StoredClose, StoredMessage

VERSION = "2"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Stored(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """What all parts have in common: nothing unknown may stand in them."""


class OtherBytes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field name or value that is not UTF-8, as the Latin-1 text of its bytes."""

    latin1: str = field(name="latin-1")

    def encode(self) -> bytes:
        """Return the bytes, as ``str.encode`` does for those that are UTF-8."""
        return self.latin1.encode("latin-1")


StoredText = str | OtherBytes
StoredFields = list[tuple[StoredText, StoredText]]


class StoredRequest(_Stored):
    """``target`` is present where it is not what follows the authority in ``url`` (``*``)."""

    method: str
    url: str
    target: str | UnsetType = UNSET
    version: str = "HTTP/1.1"
    headers: StoredFields = []
    body: StoredBody = ""
    trailers: StoredFields = []


class StoredResponse(_Stored):
    """A response, final or informational."""

    status: int
    reason: str = ""
    version: str = "HTTP/1.1"
    headers: StoredFields = []
    body: StoredBody = ""
    trailers: StoredFields = []


class StoredFailure(_Stored):
    """How the exchange failed."""

    kind: FailureKind
    detail: str = ""


class StoredInteraction(_Stored):
    """One element of ``interactions``."""

    kind: Literal["http", "failure", "websocket"]
    request: StoredRequest
    response: StoredResponse | UnsetType = UNSET
    informational: list[StoredResponse] = []
    failure: StoredFailure | UnsetType = UNSET
    started: datetime = EPOCH
    first_byte_ms: Milliseconds | UnsetType = UNSET
    total_ms: Milliseconds = 0.0
    chunks: list[tuple[Size, Milliseconds]] = []
    peer: str = ""
    template: bool = False
    messages: list[StoredMessage] = []
    close: StoredClose | UnsetType = UNSET
    uploaded: list[int] = []


class StoredCassette(_Stored):
    """The whole file; ``name``, ``recorded_at`` and ``recorded_by`` are for people."""

    version: str
    interactions: list[StoredInteraction]
    name: str = ""
    recorded_at: datetime | UnsetType = UNSET
    recorded_by: str = ""
