"""Cassettes of Magnéto-Serge 1.0, plain or compressed, in JSON.

They load as they are (``storage.json_v1``); importing one writes it in today's format, with the
redaction of today.
"""

from __future__ import annotations

from collections.abc import Iterator

from magneto_serge.messages import Interaction

from .source import Source


def recognises(source: Source) -> bool:
    """Tell whether the document is a cassette of version 1.0."""
    document = source.document
    return (
        isinstance(document, dict)
        and document.get("version") == "1.0"
        and (
            isinstance(document.get("interactions"), list)
            and all(isinstance(each, dict) and "type" in each for each in document["interactions"])
        )
    )


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    from magneto_serge.storage.cassette import Cassette  # not needed to recognise one

    yield from Cassette.open(source.path)
