"""Which build the benchmarks measure, and how a compiled one is made for them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import _build, _report
from benchmarks._programs import BenchmarkError


def builds(monkeypatch: pytest.MonkeyPatch, wheel: str) -> list[list[str]]:
    """Let pip make a wheel of this name, and keep what it was asked."""
    asked: list[list[str]] = []

    def run(command: Sequence[str], environ: Mapping[str, str]) -> None:
        asked.append(list(command))
        if "wheel" in command:
            assert environ["MAGNETO_COMPILE"] == "1"
            (Path(command[command.index("--wheel-dir") + 1]) / wheel).touch()

    monkeypatch.setattr(_build, "_run", run)
    return asked


def test_results_say_what_was_measured() -> None:
    """By the very modules that are imported."""
    suffix = Path(_build.magneto_serge.wire.http1.__file__).suffix
    assert _build.kind() == (_build.PURE if suffix == ".py" else _build.COMPILED)
    assert _report.machine()["package"] == _build.kind()


def test_the_compiled_package_is_first_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same command run again, whose status is that of all."""
    asked = builds(monkeypatch, "magneto_serge-1-cp311-cp311-linux_x86_64.whl")
    seen: list[tuple[Sequence[str], Mapping[str, str]]] = []

    class Done:
        returncode = 7

    def run(command: Sequence[str], *, env: Mapping[str, str], check: bool) -> Done:
        seen.append((command, env))
        return Done()

    monkeypatch.setattr(_build.subprocess, "run", run)
    assert _build.again_compiled(["run", "e2e", "--compiled"]) == 7
    ((command, environ),) = seen
    assert command[1:] == ["-m", "benchmarks", "run", "e2e", "--compiled"]
    package = asked[1][asked[1].index("--target") + 1]
    assert environ["PYTHONPATH"].startswith(package)
    assert not Path(package).exists()  # gone afterwards


def test_without_a_compiler_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build makes a pure wheel then, which is not what was asked for."""
    builds(monkeypatch, "magneto_serge-1-py3-none-any.whl")
    with pytest.raises(BenchmarkError, match="nothing was compiled: a C compiler"):
        _build.again_compiled(["run"])


def test_it_is_not_run_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something else is found first, that is a fault, not a reason to compile once more."""
    monkeypatch.setenv("BENCHMARKS_OF_COMPILED", "1")
    with pytest.raises(BenchmarkError, match="not found first"):
        _build.again_compiled(["run"])


def test_what_pip_says_is_told() -> None:
    """The command that failed, and its own words."""
    with pytest.raises(BenchmarkError, match=r"(?s)no_such_module failed:.*No module named"):
        _build._run([sys.executable, "-m", "no_such_module"], {})
