"""Users' own functions that find secrets which no name and no shape gives away.

A function takes a text (a request target, the value of a field, a body, decoded as Latin-1 where
it is not UTF-8) and returns the secrets in it, as they stand there. What it returns is replaced
and numbered like every other secret, and matches like every other secret; so it must return the
same for the same text. One that raises keeps the interaction from being recorded, because nobody
knows then what is in it; in replay it is as if it had found nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from magneto_serge.errors import ConfigError

FindSecrets = Callable[[str], Iterable[str]]

_registered: list[FindSecrets] = []


def register_redactor(find: FindSecrets) -> FindSecrets:
    """Ask ``find`` too, in every session that begins from now on; also usable as a decorator.

    Raises ConfigError for what cannot be called.
    """
    if not callable(find):
        raise ConfigError(
            f"register_redactor: {find!r} cannot be called; expected a function that takes a text"
            " and returns the secrets in it"
        )
    if find not in _registered:
        _registered.append(find)
    return find


def unregister_redactor(find: FindSecrets) -> None:
    """Ask ``find`` no more, in sessions that begin from now on."""
    if find in _registered:
        _registered.remove(find)


def registered_redactors() -> tuple[FindSecrets, ...]:
    """Return the functions in the order of their registration."""
    return tuple(_registered)
