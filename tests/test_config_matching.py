"""How the settings of matching are written, in files, flags and variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from magneto_serge.config import Settings, load_settings
from magneto_serge.config_matching import (
    MATCH_OPTIONS,
    OF_THE_PROXY,
    MatchRoute,
    UnusableError,
    read_cassettes,
    read_lines,
    read_matchers,
    read_names,
    read_routes,
)
from magneto_serge.config_values import RULES
from magneto_serge.errors import ConfigError


@pytest.mark.parametrize("given", ["a,b", "a b", " a, b ", ["a", "b"], ("a", "b")])
def test_names(given: Any) -> None:
    """A list, or a text with commas or spaces."""
    assert read_names(given, False) == ("a", "b")


@pytest.mark.parametrize("given", ["path,query", ["path", "query"], ["path,query"], ["path query"]])
def test_matchers(given: Any) -> None:
    """Names, of which one element can hold several."""
    assert read_matchers(given, False) == ("path", "query")


def test_lines() -> None:
    """Any text: one on each line, or a list."""
    assert read_lines("$.a, b\n\n  $.c ", True) == ("$.a, b", "$.c")
    assert read_lines(["$.a, b"], False) == ("$.a, b",)


@pytest.mark.parametrize("read", [read_names, read_matchers, read_lines, read_routes])
@pytest.mark.parametrize("given", [1, None, True, {"a": 1}, [1]])
def test_what_is_no_list(read: Any, given: Any) -> None:
    """Whatever else a file can hold is refused."""
    with pytest.raises(ValueError):  # noqa: PT011  # the message is the caller's
        read(given, False)


@pytest.mark.parametrize("given", ["", [], [""], " , "])
def test_something_has_to_match(given: Any) -> None:
    """No matcher at all would make all requests equal."""
    with pytest.raises(ValueError):  # noqa: PT011  # the message is the caller's
        read_matchers(given, False)


# --- routes


def test_a_route_in_a_table_and_on_a_line() -> None:
    """Both say the same; a name may come again on a line."""
    table = {"host": ["a", "b"], "ignore-query": ["x", "y"], "ignore_body": ["a b", "c"]}
    line = "host=a host=b ignore_query=x,y ignore_body='a b' ignore_body=c"
    wanted = MatchRoute({"host": "a,b"}, {"ignore_query": ("x", "y"), "ignore_body": ("a b", "c")})
    assert read_routes([table], False) == read_routes(line, True) == (wanted,)
    assert read_routes(f"{line}\n\n{line}\n", True) == (wanted, wanted)
    assert read_routes([wanted], False) == (wanted,)
    assert str(wanted) == "host=a,b"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1], "1 is no table"),
        ([{"hots": "a"}], "a route has no 'hots'; it may have host"),
        ([{"ignore_query": ["a"]}], "selects nothing"),
        ([{"host": "a", "repeats": "last"}], "a route has no 'repeats'"),
        ([{"host": "a", "match_credentials": "x"}], "match_credentials of the route"),
        (["host=a ignore_query"], "'ignore_query' of the route"),
        (["host='a"], "No closing quotation"),
    ],
)
def test_a_route_that_is_none(given: Any, message: str) -> None:
    """What is wrong with it is said."""
    with pytest.raises(UnusableError, match=message):
        read_routes(given, False)


# --- one cassette


def test_tables_of_single_cassettes() -> None:
    """Each value is read as the setting's own; text is JSON."""
    tables = {"api": {"ignore-query": ["ts"], "repeats": "cycle", "max_age": None}}
    tables["api"].pop("max_age")
    read = {"api": {"ignore_query": ("ts",), "repeats": "cycle"}}
    assert read_cassettes(tables, False) == read
    assert read_cassettes('{"api": {"ignore_query": ["ts"], "repeats": "cycle"}}', True) == read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"api": 1}, "'api' is no table"),
        ({"api": {"prot": 1}}, "api: there is no setting 'prot'"),
        ({"api": {"port": 1}}, "api: port is the proxy's"),
        ({"api": {"repeats": "x"}}, "api: repeats = 'x' cannot be used; expected one of last"),
    ],
)
def test_a_table_that_cannot_be_used(given: Any, message: str) -> None:
    """Which cassette, which setting, and what is accepted."""
    with pytest.raises(UnusableError, match=message):
        read_cassettes(given, False)


def test_the_lists_of_names_are_of_settings() -> None:
    """Nothing there was renamed."""
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    assert set(MATCH_OPTIONS) | OF_THE_PROXY <= fields
    assert set(RULES) == fields


def file(tmp_path: Path, text: str) -> Path:
    """Write a configuration file."""
    (tmp_path / "magneto.toml").write_text(text)
    return tmp_path


TABLES = """
ignore_query = ["a"]
[cassettes."api/*"]
ignore_query = ["b"]
repeats = "cycle"
[cassettes."api/users"]
ignore_query = ["c"]
[[cassettes."api/users".routes]]
path = "/x"
match_on = "path"
"""


def test_settings_of_a_cassette(tmp_path: Path) -> None:
    """The table with its name, then those whose pattern it matches, then the rest of the file."""
    settings = load_settings({}, environ={}, start=file(tmp_path, TABLES))
    assert settings.for_cassette("other") is settings
    assert settings.for_cassette("api/x").ignore_query == ("b",)
    users = settings.for_cassette("api/users")
    assert (users.ignore_query, users.repeats) == (("c",), "cycle")
    assert users.routes == (MatchRoute({"path": "/x"}, {"match_on": ("path",)}),)


def test_what_is_said_nearer_holds_for_every_cassette(tmp_path: Path) -> None:
    """An argument or a variable comes before a table of the file."""
    start = file(tmp_path, TABLES)
    given = load_settings({"ignore_query": ["z"]}, environ={}, start=start)
    assert given.for_cassette("api/users").ignore_query == ("z",)
    assert given.for_cassette("api/users").repeats == "cycle"
    given = load_settings({}, environ={"MAGNETO_REPEATS": "refuse"}, start=start)
    assert given.for_cassette("api/users").repeats == "refuse"
    changed = load_settings({}, environ={}, start=start).changed({"repeats": "last"})
    assert changed.for_cassette("api/users").repeats == "last"


def test_a_mistake_names_the_file_and_the_key(tmp_path: Path) -> None:
    """And what is wrong in it."""
    start = file(tmp_path, '[[routes]]\nhots = "a"\n')
    with pytest.raises(ConfigError, match=r"magneto\.toml, key routes: a route has no 'hots'"):
        load_settings({}, environ={}, start=start)
