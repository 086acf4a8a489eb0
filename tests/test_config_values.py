"""What each setting accepts and what it refuses, whatever the source."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.config_values import RULES, RemoteFolder, convert, parse_size
from magneto_serge.errors import ConfigError

ACCEPTED: list[tuple[str, object, object]] = [
    ("host", "::1", "::1"),
    ("port", 0, 0),
    ("port", 65535, 65535),
    ("cassette_dir", "tapes", Path("tapes")),
    ("cassette_dir", Path("tapes"), Path("tapes")),
    ("cassette_dir", "~/tapes", Path.home() / "tapes"),
    ("cassette_dir", "s3://bucket/a b/", RemoteFolder("s3://bucket/a b")),
    ("cassette_dir", "Memory://", RemoteFolder("memory://")),
    ("cassette_dir", RemoteFolder("gs://bucket"), RemoteFolder("gs://bucket")),
    ("cassette_dir", "s3:/bucket", Path("s3:/bucket")),
    ("mode", "RECORD", "record"),
    ("reverse", "https://api.example:8443", "https://api.example:8443"),
    ("reverse", "http://[::1]:80/", "http://[::1]:80"),
    ("reverse", None, None),
    ("reverse", "", None),
    ("insecure", True, True),
    ("ignore_hosts", ["a", "b"], ("a", "b")),
    ("ignore_hosts", (), ()),
    ("upstream_proxy", "http://u:p@proxy:3128", "http://u:p@proxy:3128"),
    ("upstream_ca", None, None),
    ("connect_timeout", 2, 2.0),
    ("shutdown_timeout", 0, 0.0),
    ("proxy_auth", "user:pass:word", "user:pass:word"),
    ("memory_limit", "4MiB", 4 * 1024 * 1024),
    ("max_age", "12h", 43_200.0),
    ("max_age", " 6 W", 6 * 7 * 86_400.0),
    ("max_age", "1y", 365 * 86_400.0),
    ("max_age", timedelta(days=30), 30 * 86_400.0),
    ("max_age", 60, 60.0),
    ("max_age", None, None),
    ("stale", "Re-Record", "re-record"),
    ("verify_headers", ["ETag", "x-*"], ("ETag", "x-*")),
    ("memory_limit", 0, 0),
    ("max_connections", 1, 1),
    ("log_level", "Debug", "debug"),
]

REFUSED: list[tuple[str, object]] = [
    ("host", ""),
    ("host", "a b"),
    ("host", 1),
    ("port", -1),
    ("port", 65536),
    ("port", True),
    ("port", 80.0),
    ("port", None),
    ("cassette_dir", ""),
    ("cassette_dir", "a\0b"),
    ("cassette_dir", 3),
    ("cassette_dir", "s3://bucket/\n"),
    ("cassette_dir", "~nobody-has-this-name/x"),
    ("mode", "rewind"),
    ("reverse", "api.example"),
    ("reverse", "ftp://api.example"),
    ("reverse", "http://"),
    ("reverse", "http://api.example/v1"),
    ("reverse", "http://user:pass@api.example"),
    ("reverse", "http://api.example?x=1"),
    ("reverse", "http://api.example:70000"),
    ("insecure", 1),
    ("insecure", "yes"),
    ("ignore_hosts", "localhost"),
    ("ignore_hosts", [1]),
    ("ignore_hosts", 5),
    ("upstream_proxy", "socks5://proxy:1080"),
    ("connect_timeout", 0),
    ("connect_timeout", True),
    ("connect_timeout", float("inf")),
    ("connect_timeout", float("nan")),
    ("connect_timeout", "3"),
    ("shutdown_timeout", -1),
    ("proxy_auth", "user"),
    ("proxy_auth", ":password"),
    ("memory_limit", "4 apples"),
    ("memory_limit", -1),
    ("max_header_size", 10),
    ("max_connections", 0),
    ("log_format", "xml"),
]


@pytest.mark.parametrize(("name", "value", "expected"), ACCEPTED)
def test_accepted_values_become_the_type_of_their_setting(
    name: str, value: object, expected: object
) -> None:
    """What the documentation promises is accepted, and converted."""
    assert convert(name, value, "here") == expected


@pytest.mark.parametrize(("name", "value"), REFUSED)
def test_refused_values_are_answered_with_what_is_accepted(name: str, value: object) -> None:
    """Everything else is an error that completes "expected ..."."""
    with pytest.raises(ConfigError) as caught:
        convert(name, value, "here")
    assert str(caught.value).endswith(f"cannot be used; expected {RULES[name].accepted}")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("port", "0", 0),
        ("insecure", "yes", True),
        ("insecure", "OFF", False),
        ("connect_timeout", "2.5", 2.5),
        ("ignore_hosts", "a,b c", ("a", "b", "c")),
        ("memory_limit", "1k", 1024),
    ],
)
def test_text_is_read_as_the_type_of_its_setting(name: str, text: str, expected: object) -> None:
    """The environment knows only text."""
    assert convert(name, text, "here", textual=True) == expected


@pytest.mark.parametrize("text", ["perhaps", "2", ""])
def test_text_that_is_neither_yes_nor_no_is_refused(text: str) -> None:
    """A flag has a few spellings, and no others."""
    with pytest.raises(ConfigError, match="expected true or false"):
        convert("insecure", text, "here", textual=True)


@given(st.integers(0, 10**15), st.sampled_from([("", 0), ("k", 1), ("M", 2), ("G", 3)]))
def test_sizes_are_multiples_of_1024(number: int, unit: tuple[str, int]) -> None:
    """k, kB and kiB are one unit, as are the others: there is no 1000 here."""
    letter, power = unit
    for ending in ("", "B", "iB") if letter else ("", "B"):
        assert parse_size(f"{number}{letter}{ending}") == number * 1024**power


@given(st.text(max_size=8))
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    """Nothing else escapes the parser, and no size is negative."""
    try:
        assert parse_size(text) >= 0
    except ValueError:
        pass


def test_a_remote_folder_shows_no_credentials() -> None:
    """The text of a URL, which messages show, has neither user nor password."""
    assert str(RemoteFolder("sftp://user:word@host/a@b")) == "sftp://***@host/a@b"
    assert str(RemoteFolder("s3://bucket/a@b")) == "s3://bucket/a@b"


@pytest.mark.parametrize(
    ("value", "textual", "rules"),
    [
        ("recorded", False, ("recorded",)),
        (["/slow fixed:10", "recorded"], False, ("/slow fixed:10", "recorded")),
        ("/slow uniform:1,2; recorded;", True, ("/slow uniform:1,2", "recorded")),
        ("a;b", False, ("a;b",)),
        ([], False, ()),
        ("", False, ()),
    ],
)
def test_rules_are_one_or_several(value: object, textual: bool, rules: tuple[str, ...]) -> None:
    """A rule may stand alone, several are a list, and in the environment a semicolon parts them."""
    assert convert("latency", value, "here", textual=textual) == rules


@pytest.mark.parametrize("value", [5, ["fixed:1", 5], ["fixed:\n1"], None])
def test_rules_are_texts(value: object) -> None:
    """What is no line of text is no rule."""
    with pytest.raises(ConfigError, match="GET /pay"):
        convert("faults", value, "here")
