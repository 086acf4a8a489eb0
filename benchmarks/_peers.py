"""Other tools, each in an environment of its own, so that nothing of theirs touches ours.

They are kept in the user's cache folder and made by ``scripts/install-peers``, or when a benchmark
first wants one. What cannot be had is None, and a row that says so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from platformdirs import user_cache_path

from benchmarks import _report

PACKAGES = {
    "pytest-recording": ("pytest-recording", "vcrpy", "pytest", "requests"),
    "mitmproxy": ("mitmproxy",),
}
NODE_PACKAGES = {"wiremock": "wiremock"}  # from npm: the jar is in it
NAMES = (*PACKAGES, *NODE_PACKAGES)


def folder_of(peer: str) -> Path:
    """Return where a peer's environment is, or will be."""
    return user_cache_path("magneto-serge") / "peers" / peer


def python_of(peer: str, *, install: bool = True) -> Path | None:
    """Return the Python of a peer's environment; None where it cannot be made."""
    folder = folder_of(peer)
    python = folder / "bin" / "python"
    ready = folder / ".complete"
    if ready.is_file() and python.exists():
        return python
    if not install:
        return None
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), *pip, *PACKAGES[peer]],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            _report.say(f"{peer} cannot be installed: {done.stderr.strip()[-300:]}")
            return None
    ready.write_text("")
    return python


def wiremock_jar(*, install: bool = True) -> Path | None:
    """Return WireMock's jar; None where it cannot be had, or there is no Java."""
    folder = folder_of("wiremock")
    if shutil.which("java") is None:
        return None
    if not _jars(folder) and install:
        npm = shutil.which("npm")
        if npm is None:
            _report.say("wiremock cannot be installed: npm not found")
            return None
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(
            [*command, "--prefix", str(folder), NODE_PACKAGES["wiremock"]],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            _report.say(f"wiremock cannot be installed: {done.stderr.strip()[-300:]}")
    return next(iter(_jars(folder)), None)


def _jars(folder: Path) -> list[Path]:
    return sorted((folder / "node_modules" / "wiremock" / "build").glob("*.jar"))


def version(peer: str, package: str | None = None) -> str:
    """Return the version of a peer's package, as its environment has it; empty where absent."""
    python = python_of(peer, install=False)
    if python is None:
        return ""
    code = f"from importlib.metadata import version; print(version({(package or peer)!r}))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main(names: list[str]) -> int:
    """Install the peers named, or all; return the exit status."""
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        _report.say(f"there is no peer {unknown[0]}; there are {', '.join(NAMES)}")
        return 2
    failed = 0
    for name in names or NAMES:
        _report.say(f"installing {name} ...")
        found = wiremock_jar() if name in NODE_PACKAGES else python_of(name)
        failed |= found is None
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
