"""What VCR.py's users write, in our terms."""

from __future__ import annotations

from enum import StrEnum

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.replay.modes import Mode
from magneto_serge.testing.vcr_marks import mode_named, options, translated


class RecordMode(StrEnum):
    """As VCR.py has it."""

    ONCE = "once"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("once", Mode.AUTO),
        ("none", Mode.REPLAY),
        ("new_episodes", Mode.HYBRID),
        ("all", Mode.RECORD),
        ("rewrite", Mode.RECORD),
        ("Replay", Mode.REPLAY),
        (Mode.PASSTHROUGH, Mode.PASSTHROUGH),
        (RecordMode.ONCE, Mode.AUTO),
    ],
)
def test_modes(name: object, mode: Mode) -> None:
    """Both our names and VCR.py's name a mode."""
    assert mode_named(name) is mode


def test_no_such_mode() -> None:
    """A mistake is told what there is."""
    with pytest.raises(ConfigError, match="new_episodes"):
        mode_named("sometimes")


def test_options_with_a_counterpart() -> None:
    """What we have under another name is that."""
    found = options(
        {
            "record_mode": "none",
            "match_on": ["method", "uri", "body", "host"],
            "filter_headers": ["authorization", ("x-token", "XXX")],
            "filter_query_parameters": ["key"],
            "filter_post_data_parameters": ["password"],
            "ignore_hosts": ("a.test",),
            "ignore_localhost": True,
            "cassette_library_dir": "tapes",
            "allow_playback_repeats": False,
            "decode_compressed_response": True,
        },
        "here",
    )
    assert found == {
        "mode": Mode.REPLAY,
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "redact_headers": ["authorization", "x-token"],
        "redact_query": ["key"],
        "redact_fields": ["password"],
        "ignore_hosts": ["a.test"],
        "ignore_localhost": True,
        "cassette_dir": "tapes",
        "repeats": "refuse",
    }


@pytest.mark.parametrize("option", ["before_record_request", "path_transformer", "nonsense"])
def test_options_without_a_counterpart(option: str) -> None:
    """What there is not is an error with its place, never passed over."""
    with pytest.raises(ConfigError, match=f"the mark: VCR.py's option {option}"):
        options({option: None}, "the mark")


def test_matcher_that_is_not_known() -> None:
    """A matcher of the user's own is registered with us."""
    with pytest.raises(ConfigError, match="register_matcher"):
        options({"match_on": ["mine"]}, "the mark")


def test_names_lose_their_ending() -> None:
    """VCR.py's cassettes are YAML, ours are not."""
    assert translated("vcr", ("a.yaml", "b.yml", "c"), {}, "x").names == ("a", "b", "c")
    with pytest.raises(ConfigError, match="names no cassette"):
        translated("default_cassette", (), {}, "x")
