"""A cassette that is too old is used with a warning, refused, or recorded anew."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from tests.storage.interactions import exchange, record

from magneto_serge.config import load_settings
from magneto_serge.errors import StaleCassetteError
from magneto_serge.freshness import fresh_mode, shown_age
from magneto_serge.replay.modes import Mode
from magneto_serge.storage.store import CassetteStore

DAY = 86_400.0
NEWEST = 1_700_000_000.0
ALL = tuple(mode for mode in Mode)


@pytest.fixture(params=["json", "msgpack", "json.zst"])
def cassette(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A cassette whose newest interaction is of a known time."""
    interactions = [exchange(), exchange()]
    for interaction, started in zip(interactions, (NEWEST, NEWEST - 100 * DAY), strict=True):
        interaction.started = started
    return record(CassetteStore(tmp_path, format=request.param), "tape", *interactions)


def used(cassette: Path, mode: Mode, days: float, **settings: Any) -> Mode:
    """Return the mode in which a cassette of this age is used."""
    made = load_settings(settings, environ={}, start=Path("/"))
    return fresh_mode("tape", cassette, mode, made, lambda: NEWEST + days * DAY)


@pytest.mark.parametrize("mode", ALL)
def test_a_fresh_cassette_is_used_as_it_is(
    mode: Mode, cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In every mode, to the last second."""
    assert used(cassette, mode, 30, max_age="30d", stale="fail") is mode
    assert used(cassette, mode, 1000) is mode
    assert not caplog.records


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.REPLAY, Mode.STRICT, Mode.HYBRID])
def test_a_stale_one_is_warned_about(
    mode: Mode, cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unless the setting says otherwise."""
    caplog.set_level(logging.WARNING)
    assert used(cassette, mode, 31, max_age="30d") is mode
    assert caplog.messages == [
        "Cassette 'tape' is 31 days old, and max_age is 30 days. To record it anew: "
        "magneto record tape"
    ]


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.REPLAY, Mode.STRICT, Mode.HYBRID])
def test_it_can_be_refused(mode: Mode, cassette: Path) -> None:
    """Before anything is started."""
    with pytest.raises(StaleCassetteError, match="31 days old") as raised:
        used(cassette, mode, 31.9, max_age="30d", stale="fail")
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.AUTO, Mode.RECORD),
        (Mode.HYBRID, Mode.RECORD),
        (Mode.REPLAY, Mode.REPLAY),
        (Mode.STRICT, Mode.STRICT),
    ],
)
def test_it_can_be_recorded_anew(
    mode: Mode, expected: Mode, cassette: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """In modes that may reach the network; the others only warn."""
    caplog.set_level(logging.WARNING)
    assert used(cassette, mode, 31, max_age="30d", stale="re-record") is expected
    assert len(caplog.messages) == 1
    assert ("is recorded anew" in caplog.text) == (expected is Mode.RECORD)


@pytest.mark.parametrize("mode", [Mode.RECORD, Mode.PASSTHROUGH])
def test_modes_that_replay_nothing_ask_for_no_age(mode: Mode, cassette: Path) -> None:
    """What they do does not depend on it."""
    assert used(cassette, mode, 1000, max_age="1h", stale="fail") is mode


def test_a_cassette_that_does_not_say_its_age_has_none(tmp_path: Path) -> None:
    """As those that are recorded with `stable`."""
    interaction = exchange()
    interaction.started = 0.0
    path = record(CassetteStore(tmp_path), "tape", interaction)
    assert used(path, Mode.REPLAY, 1000, max_age="1h", stale="fail") is Mode.REPLAY


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (59, "less than a minute"),
        (60, "1 minute"),
        (7200, "2 hours"),
        (DAY, "1 day"),
        (1500 * DAY, "1,500 days"),
    ],
)
def test_an_age_is_told_as_a_person_tells_it(seconds: float, text: str) -> None:
    """In the largest unit that it has."""
    assert shown_age(seconds) == text
