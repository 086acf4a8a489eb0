"""A recorded request without the placeholders in it, whatever the settings: for keys on the disk.

Digests of keys are computed when a recording is written, by a program that does not know with which
settings it will be replayed. What stands for a secret is recognised by itself, so nothing needs to
be known; most requests have none, and it costs them a few searches for short texts.
"""

from __future__ import annotations

from functools import cache

from magneto_serge.messages import FileBody, Request

from .rules import SecretRules

# What every form of placeholder has in it; of numbers, and of what is encoded, the beginning.
_MARKS = ("REDACTED", "UkVEQUNURUQ", "5ec2e700-0000-4000-8000", "9999")
_WORD, _ENCODED, _UUID, _DIGITS = _MARKS
_BYTES = tuple(mark.encode() for mark in _MARKS)


@cache
def _rules() -> SecretRules:
    return SecretRules()


def neutral_of(request: Request) -> Request:
    """Return the request with a marker for each placeholder; itself where it can have none."""
    target, body = request.target, request.body
    # Spelled out: this is asked of every request that is recorded into a container.
    if _WORD in target or _ENCODED in target or _UUID in target or _DIGITS in target:
        return _rules().scan(request).neutral
    if not body:
        return request
    if isinstance(body, FileBody):
        from .known import highest_in_file

        marked = highest_in_file(body, request.headers)
        return _rules().scan(request).neutral if marked else request
    if any(mark in body for mark in _BYTES):
        return _rules().scan(request).neutral
    return request
