"""Findings of a verification, for people and for programs.

For people they look like a diff: ``-`` is what was recorded, ``+`` what is answered now, ``!``
stands before what kept us from comparing. What is the same is counted and not shown. For programs
every finding that was kept is there, whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from magneto_serge.errors import ConfigError
from magneto_serge.replay.drift import Outcome, Verdict
from magneto_serge.replay.verdicts import Verdicts

from .cassette_options import print_json
from .marked import Marked, difference_lines
from .transcript import escape_controls

STDOUT = "-"

_MARKS = {
    Outcome.CHANGED: " ",
    Outcome.NEW: "+",
    Outcome.UNPLAYED: "-",
    Outcome.UNREACHABLE: "!",
    Outcome.SKIPPED: "!",
}


def lines_of(verdict: Verdict) -> Iterator[Marked]:
    """Yield the lines of a finding; none where nothing is to be said."""
    mark = _MARKS.get(verdict.outcome)
    if mark is None:
        return
    yield mark, title_of(verdict)
    if verdict.reason and verdict.outcome is not Outcome.NEW:
        yield mark, f"    {escape_controls(verdict.reason)}"
    yield from difference_lines(verdict.differences)


def title_of(verdict: Verdict) -> str:
    """Return a request as it is called in reports: ``#3 GET https://api.example.com/users``."""
    number = f"#{verdict.number} " if verdict.number else ""
    return escape_controls(f"{number}{verdict.method} {verdict.url}")


def as_value(cassette: str, verdicts: Verdicts) -> dict[str, Any]:
    """Return all of it; times in ms, numbers count from 1."""
    return {
        "cassette": cassette,
        "drifted": verdicts.drifted,
        "counts": {outcome.value: verdicts.counts[outcome] for outcome in Outcome},
        "left_out": verdicts.left_out,
        "findings": [_finding(verdict) for verdict in verdicts.kept],
    }


def _finding(verdict: Verdict) -> dict[str, Any]:
    value: dict[str, Any] = {"outcome": verdict.outcome.value}
    if verdict.number:
        value["number"] = verdict.number
    value |= {"method": verdict.method, "url": verdict.url}
    if verdict.reason:
        value["reason"] = verdict.reason
    if verdict.differences:
        value["differences"] = [each._asdict() for each in verdict.differences]
    if verdict.total_ms:
        value["total_ms"] = round(verdict.total_ms, 3)
    return value


def write_reports(
    cassette: str, verdicts: Verdicts, *, json: str | None, junit: str | None, failing: bool
) -> None:
    """Write the reports that were asked for, each to its file; ``-`` is stdout, of JSON alone.

    ``failing``: recordings that were never asked for count as failures. Raises ConfigError where a
    file cannot be written.
    """
    if json is not None:
        value = as_value(cassette, verdicts)
        if json == STDOUT:
            print_json(value)
        else:
            text = msgspec.json.format(msgspec.json.encode(value), indent=2)
            _write(json, text + b"\n", "--json")
    if junit is not None:
        from .junit import junit_report

        _write(junit, junit_report(cassette, verdicts, failing=failing), "--junit")


def check_reports(paths: Iterable[tuple[str, str | None]]) -> None:
    """Raise ConfigError for a report that could not be written, before anything is sent."""
    for option, path in paths:
        if path is None or path == STDOUT:
            continue
        folder = Path(path).absolute().parent
        if not folder.is_dir():
            raise ConfigError(f"{option} {path}: there is no folder {folder}")
        if Path(path).is_dir():
            raise ConfigError(f"{option} {path}: that is a folder; name a file in it")


def _write(path: str, data: bytes, option: str) -> None:
    from magneto_serge.storage.atomic import replacing

    try:
        with replacing(Path(path).absolute(), durable=False) as out:
            out.write(data)
    except OSError as error:
        raise ConfigError(f"{option} {path}: it cannot be written: {error.strerror}") from error
