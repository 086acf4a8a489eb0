"""Options of a test, from four places."""

from __future__ import annotations

from typing import Any

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.testing.options import SHARED, Mark, resolve


def mark(*names: Any, **options: Any) -> Mark:
    """Return a mark."""
    return Mark(names, options, "the mark magneto of test_x.py::test_y")


def test_command_line_before_mark_before_fixture_before_ini() -> None:
    """The nearer place wins, option by option."""
    found = resolve(
        {"mode": "ini", "format": "ini", "match_on": "ini", "latency": "ini"},
        {"mode": "fixture", "format": "fixture", "match_on": "fixture"},
        [mark(mode="mark", format="mark")],
        {"mode": "command line"},
    )
    assert found.settings == {
        "mode": "command line",
        "format": "mark",
        "match_on": "fixture",
        "latency": "ini",
    }


def test_nearest_mark_wins() -> None:
    """A test's mark is before its class's, and what only the class's says holds too."""
    found = resolve({}, {}, [mark(mode="test"), mark(mode="class", format="json")], {})
    assert found.settings == {"mode": "test", "format": "json"}


def test_names() -> None:
    """The first name is the cassette recorded to, the others are replayed too."""
    found = resolve({}, {}, [mark(format="json"), mark("a", "b", "c")], {})
    assert (found.name, found.more) == ("a", ("b", "c"))
    assert resolve({}, {"cassette_name": "d"}, [mark()], {}).name == "d"
    assert resolve({}, {}, [mark()], {}).name is None


def test_own_options() -> None:
    """What is the plugin's own is no setting."""
    found = resolve({}, {"misses": "ignore", "save_failed": True}, [], {})
    assert (found.misses, found.save_failed, found.settings) == ("ignore", True, {})


@pytest.mark.parametrize(
    ("fixture", "marks", "said"),
    [
        ({"mod": "auto"}, [], "magneto_config: there is no option mod; did you mean mode?"),
        ({}, [mark(formt="json")], "test_x.py::test_y: there is no option formt"),
        ({}, [mark(port=1)], "port belongs to the proxy that serves all tests"),
        ({}, [mark(1)], "1 is not a cassette name"),
        ({"misses": "maybe"}, [], "misses = 'maybe' cannot be used; expected fail or ignore"),
        (None, [], "magneto_config returned None"),
    ],
)
def test_mistakes(fixture: object, marks: list[Mark], said: str) -> None:
    """A mistake names its place, and what is accepted."""
    with pytest.raises(ConfigError) as caught:
        resolve({}, fixture, marks, {})
    assert said in str(caught.value)


def test_what_is_shared_are_settings() -> None:
    """The list of what no test can have its own way names settings that exist."""
    from magneto_serge.config_values import RULES

    assert set(SHARED) <= set(RULES)
