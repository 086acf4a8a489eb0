"""Rules about the modules that may be compiled (``hatch_build.py``), and about the build hook.

The list in ``pyproject.toml`` is the one place that names them. What mypyc gets wrong without a
word is refused here; what it cannot compile, the build tells.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import shlex
import sys
import sysconfig
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "magneto_serge"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
COMPILED: list[str] = PROJECT["tool"]["magneto-serge"]["compiled"]


def classes(module: str) -> list[ast.ClassDef]:
    """Return the class statements of a module below the package."""
    tree = ast.parse((SOURCE / module).read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def bases(statement: ast.ClassDef) -> set[str]:
    """Return the last names of the bases: `Struct` of `msgspec.Struct`."""
    return {ast.unparse(base).rpartition(".")[2] for base in statement.bases}


@pytest.mark.parametrize("module", COMPILED)
def test_no_class_statement_has_keywords(module: str) -> None:
    """mypyc drops them: `class Forward(msgspec.Struct, frozen=True)` would not be frozen."""
    assert [each.name for each in classes(module) if each.keywords] == []


def test_no_interpreted_class_inherits_from_a_compiled_one() -> None:
    """Its class statement would be a TypeError: it is compiled too, or neither of them is."""
    compiled = {
        each.name
        for module in COMPILED
        for each in classes(module)
        if "Protocol" not in bases(each)
    }
    inheriting = [
        f"{path.relative_to(SOURCE)}: {each.name}"
        for path in sorted(SOURCE.rglob("*.py"))
        if (module := path.relative_to(SOURCE).as_posix()) not in COMPILED
        for each in classes(module)
        if bases(each) & compiled
    ]
    assert inheriting == []


def test_each_module_is_named_once_and_in_order() -> None:
    """The list can be read."""
    assert sorted(set(COMPILED)) == COMPILED


# --- the build hook ------------------------------------------------------------------------------


class Log:
    """What hatchling shows to people."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def display_warning(self, message: str) -> None:
        """Keep it."""
        self.warnings.append(message)


@pytest.fixture
def log() -> Log:
    """Return what the hook writes to."""
    return Log()


@pytest.fixture
def hook(log: Log) -> Any:
    """Return the hook, as hatchling makes one for a wheel of this project."""
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    core = SimpleNamespace(dependencies=PROJECT["project"]["dependencies"])
    metadata = SimpleNamespace(core=core, config=PROJECT)
    return module.CompiledModules(str(ROOT), {}, None, metadata, "", "wheel", log)


def initialized(hook: Any, version: str = "standard") -> dict[str, Any]:
    """Return what the hook makes of a build, which begins as pure Python."""
    data: dict[str, Any] = {"pure_python": True, "infer_tag": False, "force_include": {}}
    hook.initialize(version, data)
    return data


PURE = {"pure_python": True, "infer_tag": False, "force_include": {}}


@pytest.mark.parametrize("asked", [None, "", "0"])
def test_a_wheel_is_pure_python_unless_asked_otherwise(
    hook: Any, monkeypatch: pytest.MonkeyPatch, asked: str | None
) -> None:
    """Nothing is compiled, and nothing is needed for it."""
    monkeypatch.delenv("MAGNETO_COMPILE", raising=False)
    if asked is not None:
        monkeypatch.setenv("MAGNETO_COMPILE", asked)
    assert hook.dependencies() == []
    assert initialized(hook) == PURE


def test_an_editable_install_is_pure_python(hook: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits a module runs what it says."""
    monkeypatch.setenv("MAGNETO_COMPILE", "1")
    assert initialized(hook, "editable") == PURE


@pytest.mark.parametrize(
    ("compiler", "why"),
    [
        ("no-such-compiler -pthread", "no C compiler (no-such-compiler)"),
        (f"{shlex.quote(sys.executable)} -c raise(SystemExit(1))", "includes Python.h"),
    ],
)
def test_without_a_compiler_or_headers_a_wheel_is_pure_python_and_says_so(
    hook: Any, log: Log, monkeypatch: pytest.MonkeyPatch, compiler: str, why: str
) -> None:
    """The package works all the same."""
    monkeypatch.setenv("MAGNETO_COMPILE", "1")
    monkeypatch.setenv("CC", compiler)
    assert initialized(hook) == PURE
    assert why in log.warnings[0]


def test_the_compiler_is_the_one_that_python_was_built_with(
    hook: Any, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless CC names another, as setuptools has it."""
    monkeypatch.setenv("MAGNETO_COMPILE", "1")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(sysconfig, "get_config_var", lambda name: "no-such-compiler -pthread")
    assert initialized(hook) == PURE
    assert "no C compiler (no-such-compiler)" in log.warnings[0]


def test_compiling_needs_the_types_of_what_is_imported(
    hook: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An isolated build has mypy and every dependency, but nobody else's build has."""
    monkeypatch.setenv("MAGNETO_COMPILE", "1")
    needed = hook.dependencies()
    assert {"mypy", "setuptools", "msgspec"} <= {name.split(">")[0] for name in needed}


# --- the build that is tested  -------------------------------------------------------------


@pytest.mark.skipif(
    "MAGNETO_TESTS_COMPILED" not in os.environ, reason="only scripts/test --compiled"
)
@pytest.mark.parametrize("module", COMPILED)
def test_this_run_tests_the_compiled_module(module: str) -> None:
    """Tests that mean to be of the compiled modules do not fall back without a word."""
    name = f"magneto_serge.{module.removesuffix('.py').replace('/', '.')}"
    assert importlib.import_module(name).__file__.endswith(sysconfig.get_config_var("EXT_SUFFIX"))
