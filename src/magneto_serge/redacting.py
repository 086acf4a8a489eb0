"""What a recording does about secrets: the settings, the older cassette and the session, joined.

``replay/secrets`` knows what a secret is; here is decided what a recorder is given: a redactor of
its own for each cassette, or, where the user has turned redaction off, nothing but a loud warning.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from magneto_serge.config import Settings
from magneto_serge.messages import FieldLine, FileBody, Interaction
from magneto_serge.replay.secrets.rules import SecretRules

if TYPE_CHECKING:
    from magneto_serge.replay.secrets.redactor import Redactor
    from magneto_serge.replay.secrets.stream import BodyStream

log = logging.getLogger("magneto_serge")


class Redaction(NamedTuple):
    """What a recorder is given: for interactions, and for the bodies that go to files; what
    tells of the text of a message that nothing has to be done; and what does many interactions at
    once, or None where that cannot be."""

    redact: Callable[[Interaction], Interaction]
    bodies: LateRedactor | None
    clean: Callable[[bytes], bool]
    glance: Callable[[Sequence[Interaction]], Sequence[Interaction] | None] | None = None


class LateRedactor:
    """A redactor that is made when something comes that it has to look at.

    To load all that it knows takes some 30 ms, for which who starts a recording need not wait. It
    may be asked for in any thread.
    """

    def __init__(self, make: Callable[[], Redactor]) -> None:
        self._make = make
        self._making = threading.Lock()
        self._made: Redactor | None = None

    def redact(self, interaction: Interaction) -> Interaction:
        """Return the interaction as it may be written."""
        return (self._made or self._now()).redact(interaction)

    def glance(self, group: Sequence[Interaction]) -> Sequence[Interaction] | None:
        """Return them as they may be written if one look at all tells, otherwise None."""
        return (self._made or self._now()).glance(group)

    def is_clean(self, text: bytes) -> bool:
        """Tell whether nothing would be replaced in a text of a message: True is certain."""
        return (self._made or self._now()).is_clean(text)

    def stream(self, fields: tuple[FieldLine, ...]) -> BodyStream:
        """Return what redacts a body on its way to a side file, below these fields."""
        return (self._made or self._now()).stream(fields)

    def streamed(self, body: FileBody, grown: int) -> None:
        """Note that a body was changed on its way to its file, and by how many bytes it grew."""
        (self._made or self._now()).streamed(body, grown)

    def _now(self) -> Redactor:
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made


def redaction_for(
    settings: Settings,
    rules: SecretRules,
    name: str,
    *,
    older: Callable[[], Iterable[Interaction]] | None = None,
    bound: Callable[[str], str | None] | None = None,
) -> Redaction:
    """Return how to redact what is recorded into the cassette ``name``.

    ``older`` opens what it holds already, if that stays: numbering goes on after it. ``bound`` is
    :meth:`~magneto_serge.replay.secrets.Bindings.placeholder_for` of the session.
    """
    if not settings.redact:
        from magneto_serge.replay.secrets.redactor import without_proxy_fields

        log.warning(
            "REDACTION IS OFF: passwords, tokens and cookies are written to %r as they are", name
        )
        return Redaction(without_proxy_fields, None, lambda text: True)

    def made() -> Redactor:
        from magneto_serge.replay.secrets.redactor import Redactor

        return Redactor(rules, None if older is None else _counting(older), bound)

    redactor = LateRedactor(made)
    return Redaction(redactor.redact, redactor, redactor.is_clean, redactor.glance)


def _counting(older: Callable[[], Iterable[Interaction]]) -> Callable[[], int]:
    def highest() -> int:
        from magneto_serge.replay.secrets.known import highest_number

        return highest_number(older())

    return highest
