"""docs/shaping.md: the code in it works, and its tables name everything there is."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from magneto_serge.replay import templates
from magneto_serge.replay.conditions import conditions, words_of
from magneto_serge.replay.filters import PRESETS, record_filter
from magneto_serge.replay.hooks import KINDS
from magneto_serge.replay.rewrite import WAYS
from magneto_serge.replay.rewrite_rules import rewriter
from magneto_serge.scripts import load_script

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "shaping.md").read_text(encoding="utf-8")


def fences(language: str) -> list[str]:
    """Return the code in this language."""
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


def test_the_script(tmp_path: Path) -> None:
    """The example is a script with two hooks."""
    script = tmp_path / "hooks.py"
    script.write_text(fences("python")[0])
    assert [each.kind for each in load_script(script).every] == ["before_record", "on_miss"]


def test_the_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The example registers one."""
    monkeypatch.setattr(templates, "_helpers", {})
    exec(fences("python")[1], {})
    assert list(templates._helpers) == ["fake_name"]


def test_the_template() -> None:
    """The example is an interaction of a cassette."""
    [example] = fences("json")
    schema = json.loads((DOCS / "cassette.schema.json").read_text(encoding="utf-8"))
    cassette = {"version": "2", "interactions": [json.loads(example)]}
    jsonschema.Draft202012Validator(schema).validate(cassette)
    assert cassette["interactions"][0]["template"] is True  # type: ignore[index]


def test_the_rules() -> None:
    """The example compiles."""
    [example] = fences("toml")
    table = tomllib.loads(example)["tool"]["magneto"]
    assert rewriter(table["rewrite"], table["map_hosts"], table["set_headers"]) is not None


def test_the_flags() -> None:
    """What the commands in the text are given compiles."""
    flags = re.findall(
        r"--(record-only|record-except|rewrite|map-host|set-header) ('[^']*'|\S+)", TEXT
    )
    for flag, quoted in flags:
        value = quoted.strip("'`")
        if flag.startswith("record"):
            assert record_filter([value]) is not None
        elif flag == "rewrite":
            assert rewriter([value]) is not None
        else:
            name = "map_hosts" if flag == "map-host" else "set_headers"
            assert rewriter([], **{name: [value]}) is not None
    assert len(flags) >= 6


def test_the_criteria() -> None:
    """Every example of a criterion is one."""
    table = TEXT.partition("| criterion |")[2].partition("\n\n")[0]
    found: list[str] = re.findall(r"`([a-z]+[=<>!]+[^`]+)`", table)
    assert len(found) >= 8
    for each in found:
        conditions(words_of(each))


@pytest.mark.parametrize("name", [*PRESETS, *KINDS, *WAYS])
def test_everything_is_named(name: str) -> None:
    """Presets, hooks and ways."""
    assert f"`{name}" in TEXT
