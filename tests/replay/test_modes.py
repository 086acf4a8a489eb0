"""The table of modes, row by row, as the documentation has it."""

from __future__ import annotations

import pytest

from magneto_serge.replay.modes import POLICIES, Mode, Policy, policy_for

#            replays  forwards keeps  replaces needs a cassette, once, compares
TABLE = {
    "record": (False, True, True, True, False, False),
    "replay": (True, False, False, False, True, False),
    "strict": (True, False, False, False, True, True),
    "hybrid": (True, True, True, False, False, False),
    "passthrough": (False, True, False, False, False, False),
    "verify": (False, True, True, False, True, False, True),
}


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("exists", [True, False])
def test_modes_mean_the_same_from_the_first_request(name: str, exists: bool) -> None:
    """Every mode but auto is one row, whether the cassette exists or not."""
    assert policy_for(Mode(name), cassette_exists=exists) == Policy(*TABLE[name])


def test_auto_replays_what_exists() -> None:
    """Auto is replay where there is a cassette (VCR's `once`)."""
    assert policy_for(Mode.AUTO, cassette_exists=True) == POLICIES[Mode.REPLAY]


def test_auto_records_what_does_not() -> None:
    """Auto is record where there is no cassette yet."""
    assert policy_for(Mode.AUTO, cassette_exists=False) == POLICIES[Mode.RECORD]


def test_every_mode_has_its_row() -> None:
    """The table is complete: auto, which is one of two others, and the rest."""
    assert set(POLICIES) == set(Mode) - {Mode.AUTO}


def test_modes_are_the_words_that_users_write() -> None:
    """A mode is its name, in settings, on the command line and in messages."""
    words = ["auto", "record", "replay", "strict", "hybrid", "passthrough", "verify"]
    assert [str(mode) for mode in Mode] == words
    assert Mode("hybrid") is Mode.HYBRID


def test_only_replay_stays_off_the_network() -> None:
    """A row that does not forward opens no connection: replay, strictly or not, and no other."""
    offline = [mode for mode, policy in POLICIES.items() if not policy.forwards]
    assert offline == [Mode.REPLAY, Mode.STRICT]


def test_what_is_kept_was_forwarded() -> None:
    """No row keeps without forwarding, or replaces without keeping."""
    for policy in POLICIES.values():
        assert policy.forwards or not policy.keeps
        assert policy.keeps or not policy.replaces
