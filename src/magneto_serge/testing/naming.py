"""The name of a test's cassette: readable, the same in every run, and no other test's.

``tests/test_users.py::TestAdmin::test_list[GET-1]`` has ``test_users/TestAdmin.test_list[GET-1]``
in the folder ``tests/cassettes``. A name depends on the test alone and not on what else is run.
What a file name cannot hold on every system becomes ``-``; then, and where the name is too long, a
few digits made from the whole of it keep two tests apart.
"""

from __future__ import annotations

import re
from hashlib import blake2b

FOLDER = "cassettes"
_REFUSED = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|/\s]+')
_LONGEST = 120  # characters of a part: file systems give 255 bytes, suffixes and UTF-8 want some


def cassette_name(module: str, classes: list[str], test: str) -> str:
    """Return the cassette's name; ``test`` is the test's with its parameters in brackets."""
    return f"{_part(module)}/{_part('.'.join([*classes, test]))}"


def _part(text: str) -> str:
    portable = _REFUSED.sub("-", text).strip(". ").encode("utf-8", "replace").decode()
    while len(portable.encode()) > _LONGEST:
        portable = portable[:-1]
    if portable == text:
        return text
    mark = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=3).hexdigest()
    return f"{portable.strip('. -')}-{mark}"
