"""Whether a text can hold a secret at all: asked of every body, so it must be quick.

Most bodies hold none, and looking for each kind in turn would cost the recorder more than
everything else it does. One expression of RE2, which runs through a text once whatever it is made
of, rules nearly all of them out: 3 µs for a kilobyte, and a quarter of that where so much is asked
about that Hyperscan takes over (``sieve``). Both come with an extra; without it Python looks at the
words of the text, which takes five times as long as RE2 and says the same or more.

"No" is certain. "Yes" means only that the rules themselves have to be asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from . import placeholders, shapes
from .names import SHORT, STEMS
from .sieve import Sieve

Likely = Callable[[bytes], object]


@lru_cache(maxsize=32)
def likely(names: frozenset[str] = frozenset()) -> Likely:
    """Return the test; ``names`` are users' own, and count beside the known ones."""
    try:
        import re2
    except ImportError:
        return _by_words(names)
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    options.encoding = re2.Options.Encoding.LATIN1  # of bytes: a text need not be UTF-8
    source = _source(names)
    return Sieve(source, re2.compile(source.encode(), options).search)


def _source(names: Iterable[str]) -> str:
    own = [_spelled(name) for name in sorted(names)]
    stems = "|".join((*STEMS, *own))
    every = "|".join((*STEMS, *SHORT, *own))
    gap = r"\t\n\x0b\f\r "  # what \s is to the rules themselves; RE2's lacks the vertical tab
    tail = r"[A-Za-z0-9_.\-$ \]]*"
    return "|".join(
        (
            # JSON
            rf"(?i:{every}){tail}\\*\"[{gap}]*:[{gap}]*(?:\\*\"[^\"\\,]|\\\"\\|\[|[0-9]{{3}})",
            rf"(?i:{stems}){tail}(?:%5[dD])*(?:=|%3[dD])[^&{gap}\"'<>;,\\]",
            rf"(?i:{every}){tail}(?:[{gap}][^<>]*)?>[^<>]",
            rf"<(?i:input|meta)\b[^<>]*(?i:{stems})",
            rf"name=\"[^\"]*(?i:{every})",
            rf"://[^/{gap}\"'<>@\\?#]*@",
            shapes.LIKELY,
            placeholders.LIKELY,
        )
    )


def _spelled(name: str) -> str:
    """Return an expression for the spellings of a user's name; ``*`` in it is any text."""
    letters = re.sub(r"[^a-z0-9*]", "", name.lower())
    return r"[^a-zA-Z0-9]?".join(r"[\w.\-]*" if each == "*" else each for each in letters) or "x"


def _by_words(names: Iterable[str]) -> Likely:
    """The same without RE2."""
    own = tuple(
        re.sub(r"[^a-z0-9]", "", part) for name in names for part in name.lower().split("*")
    )
    stems = re.compile("|".join((*STEMS, *SHORT, *filter(None, own))).encode())
    wordly = bytes(
        each if (chr(each).isalnum() and each < 128) or chr(each) in "_-.:/+=%" else 32
        for each in range(256)
    )
    hints = ("://", "REDACTED-", "UkVEQUNURUQt", "5ec2e700", "PRIVATE KEY", "<in", "<me")
    signs = tuple(each.encode() for each in hints)
    short = 16  # characters of the shortest token that only its shape gives away

    def has(text: bytes) -> bool:
        if stems.search(text.lower().replace(b"_", b"").replace(b"-", b"")):
            return True
        if any(sign in text for sign in signs):
            return True
        words = text.translate(wordly).split()
        return any(len(word) >= short and _HAS_SHAPE.search(word) for word in words)

    return has


_HAS_SHAPE = re.compile(
    shapes.PREFIXED.pattern
    + b"|"
    + shapes.JWT.pattern
    + b"|"
    + b"|".join(each.pattern for _, _, each in shapes.OTHERS)
    + rb"|[0-9]{8}"
    + shapes.TELEGRAM.pattern
)
