"""Which formats there are to import, and which of them a file is in: its content tells.

``cannot`` is what a format never holds. That is no remark about one file; it is said once for each
kind that was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, Protocol, cast

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Interaction

from .remarks import Remarks
from .source import Source


class Importer(Protocol):
    """What the module of a format has."""

    def recognises(self, source: Source) -> bool:
        """Tell whether the file is in this format."""

    def interactions(self, source: Source) -> Iterator[Interaction]:
        """Yield its interactions; raises CassetteError where it cannot be read."""


class Kind(NamedTuple):
    """A format: what ``--from`` calls it, its module, its title, and what it cannot tell."""

    name: str
    module: str
    title: str
    cannot: str

    @property
    def importer(self) -> Importer:
        """The module, imported when it is needed."""
        return cast("Importer", import_module(f".{self.module}", __package__))


# In the order in which they are tried: those that say what they are first.
KINDS = {
    each.name: each
    for each in (
        Kind("mitmproxy", "mitmproxy", "mitmproxy flows", "informational responses, pieces"),
        Kind("har", "har", "HAR", "trailers, informational responses, exact compressed bytes"),
        Kind(
            "betamax", "betamax", "Betamax",
            "durations, HTTP version, order of headers, trailers, failures",
        ),
        Kind(
            "ruby-vcr", "ruby_vcr", "VCR (Ruby)",
            "durations, order of repeats, trailers, failures",
        ),
        Kind(
            "hoverfly", "hoverfly", "Hoverfly simulation",
            "reason phrases, HTTP version, times, request headers, trailers, failures",
        ),
        Kind(
            "talkback", "talkback", "talkback",
            "reason phrases, HTTP version, durations, order of repeats, trailers, failures",
        ),
        Kind("magneto-1", "original", "Magnéto-Serge 1.0", "reason phrases, order of headers"),
        Kind(
            "go-vcr", "go_vcr", "go-vcr",
            "order and case of headers, request version, times, failures",
        ),
        Kind(
            "vcrpy", "vcrpy", "VCR.py",
            "times, HTTP version, order of repeats, trailers, failures",
        ),
    )
}  # fmt: skip


class UnknownKindError(CassetteError):
    """A file that is no recording, or of no kind that is known."""


def detect(source: Source) -> Kind:
    """Return the kind of a file.

    Raises UnknownKindError where it is none, CassetteError where the file cannot be read.
    """
    if _is_ours(source):
        raise UnknownKindError("it is a cassette already; magneto convert changes its format.")
    for kind in KINDS.values():
        if kind.importer.recognises(source):
            return kind
    raise UnknownKindError(f"it is no recording of a kind that is known ({', '.join(KINDS)}).")


def _is_ours(source: Source) -> bool:
    if source.begins.startswith(b"magneto"):
        return True
    document = source.document
    if not isinstance(document, dict) or document.get("version") != "2":
        return False
    held = document.get("interactions")
    return (
        isinstance(held, list)
        and all(
            isinstance(each, dict) and each.get("kind") in ("http", "failure", "websocket")
            for each in held
        )
        and (bool(held) or "recorded_by" in document)
    )


def read(path: Path, remarks: Remarks, kind: str | None = None) -> list[Interaction]:
    """Return the interactions of one file; ``kind`` forces the format.

    Raises CassetteError where it cannot be read, ConfigError where a library is missing.
    """
    source = Source(path, remarks)
    found = detect(source) if kind is None else KINDS[kind]
    return list(found.importer.interactions(source))
