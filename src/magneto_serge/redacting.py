"""What a recording does about secrets: the settings, the older cassette and the session, joined.

``replay/secrets`` knows what a secret is; here is decided what a recorder is given: a redactor of
its own for each cassette, or, where the user has turned redaction off, nothing but a loud warning.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from magneto_serge.config import Settings
from magneto_serge.messages import Interaction
from magneto_serge.replay.secrets.rules import SecretRules

if TYPE_CHECKING:
    from magneto_serge.replay.secrets.redactor import Redactor

log = logging.getLogger("magneto_serge")


class Redaction(NamedTuple):
    """What a recorder is given: for interactions, and for the bodies that go to files."""

    redact: Callable[[Interaction], Interaction]
    bodies: Redactor | None = None


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
    from magneto_serge.replay.secrets.redactor import Redactor, without_proxy_fields

    if not settings.redact:
        log.warning(
            "REDACTION IS OFF: passwords, tokens and cookies are written to %r as they are", name
        )
        return Redaction(without_proxy_fields)
    redactor = Redactor(rules, None if older is None else _counting(older), bound)
    return Redaction(redactor.redact, redactor)


def _counting(older: Callable[[], Iterable[Interaction]]) -> Callable[[], int]:
    def highest() -> int:
        from magneto_serge.replay.secrets.known import highest_number

        return highest_number(older())

    return highest
