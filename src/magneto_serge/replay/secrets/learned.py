"""Secrets that were seen, so that they are replaced wherever else they occur.

A token that a login has given comes back in the path of a URL, in a script, in an error message,
where neither a name nor a shape tells what it is. So what was found is remembered while a cassette
is written and looked for in every later text, also percent-encoded and escaped as in JSON. Only
values that nothing else would equal by chance are remembered: `is_learnable`.

Up to ``EXACT`` values each text is searched for each of them, anywhere. With more, older ones are
found by their longest run of letters and digits, as a word of its own; no cassette of tests
has so many. Above ``KEPT`` the oldest are forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from .finds import Find
from .names import is_chosen_word
from .placeholders import look_of

EXACT = 256
KEPT = 20_000

_RUN = re.compile(rb"[A-Za-z0-9]{6,}")
_SHORTEST = 8  # characters
_LONGEST = 16_384


def is_learnable(value: bytes) -> bool:
    """Tell whether a secret is so long and so odd that it occurs nowhere by chance."""
    if not _SHORTEST <= len(value) <= _LONGEST or len(set(value)) < 6:
        return False
    return not is_chosen_word(value)


class Learned:
    """The secrets seen so far; ``count`` grows with each way to spell a new one."""

    def __init__(self) -> None:
        self.count = 0
        self._spelled: dict[bytes, bytes] = {}  # as it may stand in a text -> the secret
        self._recent: list[bytes] = []
        self._by_run: dict[bytes, list[bytes]] = {}

    def add(self, secret: bytes) -> None:
        """Remember a secret."""
        if secret in self._spelled:
            return
        for spelled in dict.fromkeys(_spellings(secret)):
            if spelled not in self._spelled:
                self._spelled[spelled] = secret
                self._recent.append(spelled)
                self.count += 1
        while len(self._recent) > EXACT:
            self._age(self._recent.pop(0))

    def _age(self, spelled: bytes) -> None:
        run = max(_RUN.findall(spelled), key=len, default=b"")
        if run:
            self._by_run.setdefault(run, []).append(spelled)
        while len(self._spelled) > KEPT:
            self._forget(next(iter(self._spelled)))

    def _forget(self, spelled: bytes) -> None:
        del self._spelled[spelled]
        for run in _RUN.findall(spelled):
            self._by_run.pop(run, None)

    def occurs(self, text: bytes, since: int = 0) -> bool:
        """Tell whether any of them stands in ``text``, but the first ``since``."""
        recent = self._recent
        newer = self.count - since
        for spelled in recent if newer >= len(recent) else recent[-newer:] if newer else ():
            if spelled in text:
                return True
        return newer > len(recent) and bool(self._by_run) and any(self._old(text))

    def finds(self, text: bytes) -> Iterator[Find]:
        """Yield every occurrence; they may overlap."""
        for spelled in self._recent:
            if spelled in text:
                yield from self._each(spelled, text)
        if self._by_run:
            for spelled in self._old(text):
                yield from self._each(spelled, text)

    def _old(self, text: bytes) -> Iterator[bytes]:
        for run in self._by_run.keys() & set(_RUN.findall(text)):
            for spelled in self._by_run[run]:
                if spelled in text:
                    yield spelled

    def _each(self, spelled: bytes, text: bytes) -> Iterator[Find]:
        secret = self._spelled[spelled]
        start = text.find(spelled)
        while start >= 0:
            end = start + len(spelled)
            yield Find(start, end, secret, "learned", look=look_of(secret))
            start = text.find(spelled, end)


def _spellings(secret: bytes) -> Iterator[bytes]:
    yield secret
    if not secret.isalnum():
        yield quote(secret, safe="").encode()
        yield quote(secret, safe="/").encode()
        yield quote(secret, safe=":/+=@").encode()
        try:
            yield msgspec.json.encode(secret.decode())[1:-1]
        except UnicodeDecodeError:
            return
