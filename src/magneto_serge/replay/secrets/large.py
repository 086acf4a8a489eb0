"""A large request body as it is compared: the digest of its neutral form.

A body in a file is compared by its SHA-256, and a recorded one holds placeholders where the
client's has secrets. So the digest is made of both with the same marker in their places, piece by
piece, through the window that redacts them when they are recorded. A body with neither keeps the
digest that it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from magneto_serge.messages import FileBody, Headers

from .bodies import Form
from .finder import Finder
from .finds import Find
from .placeholders import MARKER, filled
from .report import contents
from .stream import BodyStream
from .substitution import Numbers, Replacement, Substitution


class _Marking(Substitution):
    """Puts the marker in the place of every secret and every placeholder; learns nothing."""

    def learn(self, finds: Iterable[Find]) -> None:
        """Two bodies are compared by themselves."""

    def all_in(self, text: bytes, finds: Sequence[Find]) -> Sequence[Find]:
        """Return what was found."""
        return finds

    def replacements(self, finds: Iterable[Find], *, fill: bool = False) -> list[Replacement]:
        """Return the marker for each, in a binary body in as many bytes as were there."""
        return [(find, filled(MARKER, find.end - find.start) if fill else MARKER) for find in finds]


def neutral_file(body: FileBody, headers: Headers, finder: Finder) -> FileBody:
    """Return the body with the digest of its neutral form; itself where that is the same.

    What is in the file stays as it is. One that cannot be read is returned as it is.
    """
    import hashlib

    form = Form(headers)
    stream = BodyStream(form, finder, _Marking(Numbers()))
    digest = hashlib.sha256()
    try:
        for piece in contents(body, form):
            digest.update(stream.feed(piece))
    except OSError:
        return body
    digest.update(stream.finish())
    return FileBody(body.path, body.size, digest.hexdigest()) if stream.changed else body
