"""Assertions about what a session saw; for any test framework.

``session`` is what a test has at hand: a :class:`~magneto_serge.sessions.CassetteSession` (the
fixture ``magneto``), a :class:`~magneto_serge.app.MagnetoProxy` (what ``use_cassette`` gives), or
None for the one that this process is led to. Each raises AssertionError with what was seen instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from magneto_serge.app import MagnetoProxy
from magneto_serge.capture import scopes
from magneto_serge.messages import Request
from magneto_serge.sessions import CassetteSession
from magneto_serge.units import count

_SHOWN = 20  # requests in a message


def assert_played_all(session: CassetteSession | MagnetoProxy | None = None) -> None:
    """Assert that every interaction of the cassette was replayed at least once."""
    chosen = _session(session)
    counts = chosen.play_counts
    missing = [number for number, count in enumerate(counts, 1) if not count]
    if missing:
        lines = [f"  #{number} {_shown(chosen.recorded_request(number))}" for number in missing]
        raise AssertionError(
            f"{len(missing)} of {len(counts)} interactions of cassette {chosen.cassette_name!r} "
            "were not replayed:\n" + "\n".join(lines[:_SHOWN])
        )


def assert_requested(
    method: str,
    url: str,
    *,
    times: int | None = None,
    session: CassetteSession | MagnetoProxy | None = None,
) -> None:
    """Assert that a request was made: ``times`` times, or at least once.

    ``url`` is a whole URL, a path with its query (``/users?page=2``), or a path alone, which then
    matches whatever the query; ``*`` stands for anything. Requests that were replayed, recorded or
    refused count alike.
    """
    seen = _session(session).requests
    found = sum(matches(request, method, url) for request in seen)
    if found == times or (times is None and found):
        return
    expected = "at least once" if times is None else count(times, "time")
    raise AssertionError(
        f"{method} {url} was requested {count(found, 'time')}, expected {expected}. {_listed(seen)}"
    )


def matches(request: Request, method: str, url: str) -> bool:
    """Whether a request is what ``method`` and ``url`` describe; see :func:`assert_requested`."""
    if request.method != method.upper():
        return False
    target = request.url if "://" in url else request.target
    if "?" not in url:
        target = target.partition("?")[0]
    return target == url or fnmatchcase(target, url)


def _listed(seen: Sequence[Request]) -> str:
    if not seen:
        return "Nothing was requested."
    lines = [f"  {_shown(request)}" for request in seen[:_SHOWN]]
    more = f"\n  and {len(seen) - _SHOWN} more" if len(seen) > _SHOWN else ""
    return "Requested were:\n" + "\n".join(lines) + more


def _shown(request: Request) -> str:
    from magneto_serge.replay.misses import masked_url

    return f"{request.method} {masked_url(request)}"


def _session(given: CassetteSession | MagnetoProxy | None) -> CassetteSession:
    if isinstance(given, CassetteSession):
        return given
    if given is not None:
        return given.current
    scope = scopes.current()
    if scope is None:
        raise AssertionError("No session is open: pass session=, or assert inside the block")
    return scope.session
