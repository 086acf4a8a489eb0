"""A project with tests of its own, on which pytest is run as a user runs it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any, NamedTuple

_OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (\S+::[^\n]*?)(?: - .*)?$", re.M)


class Outcome(NamedTuple):
    """What pytest said: its exit code, all text, and the outcome of each test by name."""

    code: int
    text: str
    tests: dict[str, str]
    report: dict[str, Any]


class Project:
    """A folder with test files."""

    def __init__(self, folder: Path, data_dir: Path) -> None:
        self.folder = folder
        self._environ = {
            name: value
            for name, value in os.environ.items()
            # Compiled modules are kept: pytest compiles a plugin's whole package in its own way.
            if not name.startswith(("PYTEST_", "MAGNETO_")) and name != "PYTHONDONTWRITEBYTECODE"
        } | {"MAGNETO_DATA_DIR": str(data_dir)}

    def write(self, **files: str) -> None:
        """Write modules: ``write(test_x=SOURCE)``."""
        for name, source in files.items():
            path = self.folder / f"{name}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(source))

    def run(self, *arguments: str, before: tuple[str, ...] = (), **environ: str) -> Outcome:
        """Run pytest; ``before`` are words in front of the command."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        options = ("-rA", "-p", "no:cacheprovider", "--magneto-report=report.json")
        done = subprocess.run(
            [*before, sys.executable, "-m", "pytest", *options, *arguments],
            cwd=self.folder,
            env=self._environ | environ,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        text = done.stdout + done.stderr
        tests = {name.partition("::")[2]: outcome for outcome, name in _OUTCOME.findall(text)}
        known = json.loads(report.read_text()) if report.exists() else {}
        return Outcome(done.returncode, text, tests, known)

    def cassettes(self) -> list[str]:
        """Return the cassettes that there are, from the folder."""
        found = self.folder.rglob("*.json")
        return sorted(
            str(path.relative_to(self.folder))
            for path in found
            if path.name != "report.json" and not path.name.startswith(".")
        )
