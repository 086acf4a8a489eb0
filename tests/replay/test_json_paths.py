"""Parts of a JSON body that take no part, named by JSONPath."""

from __future__ import annotations

from typing import Any

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.replay.json_paths import compile_json_paths

VALUE = {"ts": 1, "a": {"ts": 3, "b": 1}, "items": [{"x": "ab"}, {"x": "b", "ts": 0}, 1]}


def without(*paths: str) -> Any:
    """Return a value without what the paths select."""
    import copy

    return compile_json_paths(paths, "ignore_json_paths")(copy.deepcopy(VALUE))


@pytest.mark.parametrize(
    ("paths", "left"),
    [
        (["$.ts"], {"a": {"ts": 3, "b": 1}, "items": [{"x": "ab"}, {"x": "b", "ts": 0}, 1]}),
        (["$..ts"], {"a": {"b": 1}, "items": [{"x": "ab"}, {"x": "b"}, 1]}),
        (["$.items[0,2]", "$.a"], {"ts": 1, "items": [{"x": "b", "ts": 0}]}),
        (["$.items[*].x", "$.a"], {"ts": 1, "items": [{}, {"ts": 0}, 1]}),
        (["$.items[-1]", "$.a"], {"ts": 1, "items": [{"x": "ab"}, {"x": "b", "ts": 0}]}),
        (["$['ts','ts']", "$.a", "$.items"], {}),
        (["$.items[?search(@.x, '^a')]", "$.a"], {"ts": 1, "items": [{"x": "b", "ts": 0}, 1]}),
        (["$.items[?match(@.x, 'a')]"], VALUE),
        (["$.items[?match(@.x, '(')]"], VALUE),
        (["$..*"], {}),
        (["$"], None),
        (["$.nothing.here"], VALUE),
    ],
)
def test_what_a_query_selects_is_taken_out(paths: list[str], left: Any) -> None:
    """Members, elements, and everything below; what is not there is no error."""
    assert without(*paths) == left


@pytest.mark.parametrize("path", ["", "ts", "$[", "$.a[", "$.a[?none(@)]", "$.a | $.b", "$.a.["])
def test_what_is_no_query_is_refused(path: str) -> None:
    """With the setting, the query, and what is accepted."""
    with pytest.raises(ConfigError) as caught:
        compile_json_paths([path], "ignore_json_paths")
    assert str(caught.value).startswith(f"ignore_json_paths: {path!r}")
    assert "RFC 9535" in str(caught.value)


def test_a_value_of_any_kind_is_taken() -> None:
    """A number has no members: nothing is taken out of it."""
    strip = compile_json_paths(["$..id"], "ignore_json_paths")
    assert [strip(value) for value in (1, "x", None, [1])] == [1, "x", None, [1]]


def test_what_is_nested_too_deeply_is_a_value_error() -> None:
    """Whoever compares takes such a body as it is."""
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(ValueError, match="recursion"):
        compile_json_paths(["$..id"], "ignore_json_paths")(deep)
