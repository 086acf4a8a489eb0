"""What a recording costs a test: our plugin beside no plugin, and beside pytest-recording.

A thousand tests, each one request with ``requests`` to a server of this machine. Without a plugin
they ask the server; with one they replay a cassette each, which was recorded before. The time is
that of pytest, from its start to its end, less what an empty test file takes; the three take turns,
and the median of the rounds counts. pytest-recording has an environment of its own, with the
versions that PyPI has today; no other plugin is loaded in any.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import _peers, _programs, _report
from benchmarks._report import Figure

OVERHEAD = 2.0  # ms a test against no plugin

_TESTS = """
import pytest, requests

{mark}
@pytest.mark.parametrize("number", range({count}))
def test_request(number):
    assert requests.get("{url}", timeout=10).status_code == 200
"""


class Suite:
    """A folder with tests, and the Python that runs them."""

    def __init__(self, folder: Path, python: Path, mark: str, *options: str) -> None:
        self.folder = folder
        self._python = python
        self._mark = mark
        self._options = options
        self._environ = _programs.magneto_environment(folder)
        self._environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        folder.mkdir()

    def write(self, count: int, url: str) -> None:
        """Write the tests."""
        source = _TESTS.format(mark=self._mark, count=count, url=url)
        (self.folder / "test_it.py").write_text(source)
        (self.folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")

    def seconds(self, file: str = "test_it.py", *more: str) -> float:
        """Run the tests and return how long that took; raises RuntimeError where one fails."""
        command = [str(self._python), "-m", "pytest", "-q", "-p", "no:cacheprovider", file]
        began = time.perf_counter()
        done = subprocess.run(
            _programs.pinned([*command, *self._options, *more], load=False),
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        took = time.perf_counter() - began
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}")
        return took


def measure(folder: Path, count: int, rounds: int) -> list[Figure]:
    """Return the figures of ``count`` tests in each suite."""
    ours = Path(sys.executable)
    plain = Suite(folder / "plain", ours, "")
    plugin = ("-p", "magneto_serge.pytest_plugin")
    recorded = Suite(folder / "magneto", ours, "@pytest.mark.magneto", *plugin)
    suites = {"no plugin": plain, "magneto": recorded}
    theirs = _peers.python_of("pytest-recording")
    if theirs is not None:
        suites["pytest-recording"] = Suite(
            folder / "vcr", theirs, "@pytest.mark.vcr", "-p", "pytest_recording.plugin"
        )
    origin = _programs.origin(folder)
    times: dict[str, list[float]] = {name: [] for name in suites}
    try:
        origin.wait(origin.accepts)
        for suite in suites.values():
            suite.write(count, f"http://127.0.0.1:{origin.port}/")
        recorded.seconds()
        if theirs is not None:
            suites["pytest-recording"].seconds("test_it.py", "--record-mode=once")
        for number in range(rounds):
            _report.say(f"round {number + 1} of {rounds}")
            for name, suite in suites.items():
                more = ("--record-mode=none",) if name != "no plugin" else ()
                took = suite.seconds("test_it.py", *more) - suite.seconds("test_empty.py")
                times[name].append(took / count * 1000)
    finally:
        origin.stop()
    medians = {name: statistics.median(values) for name, values in times.items()}
    figures = [Figure(name, value, "ms a test") for name, value in medians.items()]
    overhead = medians["magneto"] - medians["no plugin"]
    figures.append(Figure("overhead of magneto", overhead, "ms a test", OVERHEAD))
    if "pytest-recording" in medians:
        ratio = medians["magneto"] / medians["pytest-recording"]
        figures.append(Figure("magneto / pytest-recording", ratio, "", 1.0))
    else:
        _report.say("pytest-recording: missing; scripts/install-peers installs it")
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and return the exit status."""
    parser = _report.parser(__doc__)
    parser.add_argument("--tests", type=int, default=1000, help="tests in each suite [1000]")
    parser.add_argument("--rounds", type=int, default=3, help="the median of these counts [3]")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given.tests, given.rounds)
    return _report.conclude("pytest", figures, given)


if __name__ == "__main__":
    sys.exit(main())
