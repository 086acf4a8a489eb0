"""Which recordings were played: a report that runs add to, and `magneto prune --unused` reads.

A report is JSON: ``cassettes`` has, for the absolute path of each cassette that was in use, how
often each of its interactions was played, in recorded order. What a run has recorded counts as
played once: it was asked for. Runs add to a report under a lock, so that test runners with several
processes need one file only, and several reports (of other machines' runs, of the pytest plugin)
are added up when they are read. Members with other names are for others.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from magneto_serge.errors import CassetteError, ConfigError

VERSION = 1


class _Session(msgspec.Struct):
    cassette: str


class _Report(msgspec.Struct):
    version: int = VERSION
    cassettes: dict[str, list[int]] = {}
    sessions: list[_Session] = []  # of the pytest plugin: what was in use, played from or not


def add(file: Path, cassette: Path, counts: Sequence[int]) -> None:
    """Add how often each interaction of ``cassette`` was played to the report ``file``.

    It is made as needed. Raises CassetteError where it cannot be written, ConfigError where it is
    no report.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a+b") as report:
            fcntl.flock(report, fcntl.LOCK_EX)  # goes with the file
            report.seek(0)
            text = report.read()
            plays = _parsed(file, text).cassettes if text else {}
            _count(plays, str(cassette.absolute()), counts)
            report.truncate(0)  # appending writes to the end, which is here then
            report.write(_text(plays))
    except OSError as error:
        raise CassetteError(f"cannot write the play report {file}: {error.strerror}.") from error


def read(files: Iterable[Path]) -> dict[Path, list[int]]:
    """Return how often each interaction of each cassette was played, by all reports together.

    An empty list stands for a cassette that was in use, but not played from. Raises ConfigError for
    a file that is not there, or no report.
    """
    plays: dict[str, list[int]] = {}
    for file in files:
        try:
            with file.open("rb") as open_file:
                fcntl.flock(open_file, fcntl.LOCK_SH)
                text = open_file.read()
        except OSError as error:
            raise ConfigError(f"cannot read the play report {file}: {error.strerror}.") from error
        found = _parsed(file, text)
        for session in found.sessions:
            _count(plays, str(file.parent.absolute() / session.cassette), ())
        for cassette, counts in found.cassettes.items():
            _count(plays, str(file.parent.absolute() / cassette), counts)
    return {Path(cassette): counts for cassette, counts in plays.items()}


def _count(plays: dict[str, list[int]], cassette: str, counts: Sequence[int]) -> None:
    """Add ``counts``; a cassette that had fewer interactions at the time has grown since."""
    totals = plays.setdefault(cassette, [])
    totals += [0] * (len(counts) - len(totals))
    for number, count in enumerate(counts):
        totals[number] += count


def _parsed(file: Path, text: bytes) -> _Report:
    try:
        report = msgspec.json.decode(text, type=_Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{file} is not a play report: {error}.") from error
    if report.version != VERSION:
        raise ConfigError(
            f"{file} is a play report of version {report.version}; this program reads {VERSION}."
            " If a newer Magnéto-Serge wrote it, upgrade: pip install -U magneto-serge."
        )
    return report


def _text(plays: dict[str, list[int]]) -> bytes:
    text = msgspec.json.encode({"version": VERSION, "cassettes": dict(sorted(plays.items()))})
    return msgspec.json.format(text, indent=0) + b"\n"
