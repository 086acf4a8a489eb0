"""The settings that shape exchanges, in every form in which they can be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from magneto_serge.config import load_settings
from magneto_serge.errors import ConfigError


def load(
    tmp_path: Path, toml: str = "", environ: dict[str, str] | None = None, **given: Any
) -> Any:
    """Load settings from a file, an environment and arguments."""
    (tmp_path / "magneto.toml").write_text(toml)
    return load_settings(given, environ=environ or {}, start=tmp_path)


def test_conditions_and_rules_in_a_file(tmp_path: Path) -> None:
    """Lists of texts; rules may be tables; one text is a list of one."""
    settings = load(
        tmp_path,
        'record_only = ["host=api.* method=GET", "no-media"]\n'
        'record-except = "path=/health"\n'
        'rewrite = ["to-server set A: b", {on = "to-client", status = 200}]\n'
        'map_hosts = ["a.example=localhost:1"]\n',
    )
    assert settings.record_only == ("host=api.* method=GET", "no-media")
    assert settings.record_except == ("path=/health",)
    assert settings.rewrite == ("to-server set A: b", {"on": "to-client", "status": 200})
    assert settings.map_hosts == ("a.example=localhost:1",)


def test_tables_of_rules_in_a_file(tmp_path: Path) -> None:
    """`[[rewrite]]` is the list of them."""
    first = '[[rewrite]]\non = "to-server"\nremove = ["A"]\n'
    second = '[[rewrite]]\non = "to-client"\nstatus = 200\n'
    found = load(tmp_path, first + second).rewrite
    assert [rule["on"] for rule in found] == ["to-server", "to-client"]


def test_in_the_environment(tmp_path: Path) -> None:
    """An item with spaces has a line of its own; scripts are separated as in PATH."""
    settings = load(
        tmp_path,
        environ={
            "MAGNETO_RECORD_ONLY": "host=a method=GET\n\n no-media ",
            "MAGNETO_SCRIPTS": f"a.py{os.pathsep}b c.py",
            "MAGNETO_REWRITE": "to-server set A: b c",
            "MAGNETO_HOOKS": "one, two",
            "MAGNETO_TEMPLATES": "on",
            "MAGNETO_TEMPLATE_ENV": "USER HOME",
            "MAGNETO_TEMPLATE_SEED": "7",
        },
    )
    assert settings.record_only == ("host=a method=GET", "no-media")
    assert settings.scripts == (Path("a.py"), Path("b c.py"))
    assert settings.rewrite == ("to-server set A: b c",)
    assert settings.hooks == ("one", "two")
    assert settings.templates is True
    assert settings.template_env == ("USER", "HOME")
    assert settings.template_seed == 7


def test_scripts_are_found_from_the_file(tmp_path: Path) -> None:
    """A relative path in a file is relative to the file's folder, in an argument to ours."""
    assert load(tmp_path, 'scripts = ["hooks.py"]').scripts == (tmp_path / "hooks.py",)
    assert load(tmp_path, scripts="hooks.py").scripts == (Path("hooks.py"),)
    assert load(tmp_path, scripts=[Path("a"), "b"]).scripts == (Path("a"), Path("b"))


def test_scripts_of_one_cassette_are_found_from_the_file(tmp_path: Path) -> None:
    """A table for single cassettes is no exception."""
    settings = load(tmp_path, '[cassettes."api/*"]\nscripts = ["hooks.py"]\n')
    assert settings.for_cassette("api/users").scripts == (tmp_path / "hooks.py",)


def test_no_seed(tmp_path: Path) -> None:
    """Chance is the default, and can be said."""
    assert load(tmp_path).template_seed is None
    assert load(tmp_path, environ={"MAGNETO_TEMPLATE_SEED": ""}).template_seed is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("record_only", 3),
        ("record_only", [""]),
        ("record_only", [3]),
        ("record_combine", "some"),
        ("rewrite", [3]),
        ("rewrite", 3),
        ("scripts", 3),
        ("scripts", [3]),
        ("scripts", [""]),
        ("template_seed", "x"),
        ("template_seed", True),
        ("template_seed", 1.5),
        ("template_env", "A"),
        ("map_hosts", {"a": "b"}),
    ],
)
def test_what_has_another_form(tmp_path: Path, name: str, value: object) -> None:
    """The error names the setting, the value, and what is accepted."""
    with pytest.raises(ConfigError, match=f"argument {name}: .*cannot be used; expected "):
        load(tmp_path, **{name: value})
