"""Betamax (Python, for Requests): JSON with the shape of Ruby's VCR.

What it has of its own is understood by the reader of that: header values and bodies that are plain
strings and ``status_code`` (its oldest form), ``encoding: null``, times in ISO 8601. The response's
``url`` says where the request went, which the request says too.
"""

from __future__ import annotations

from collections.abc import Iterator

from magneto_serge.messages import Interaction

from . import ruby_vcr
from .source import Source
from .values import text


def recognises(source: Source) -> bool:
    """Tell whether the document is one of Betamax."""
    document = source.document
    if not isinstance(document, dict) or "http_interactions" not in document:
        return False
    return text(document.get("recorded_with")).lower().startswith("betamax")


def interactions(source: Source) -> Iterator[Interaction]:
    """Yield the interactions; raises CassetteError where the file cannot be read."""
    return ruby_vcr.interactions(source)
