"""The examples in other languages, as their readers run them, with an API of our own.

Each is recorded, replayed with the API gone, and replayed once more with one request changed: what
the code under test makes of the refusal (it calls the user "nobody", as before) hides nothing.
The examples are copied first; nothing is written into the project.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .certificates import ThrowawayAuthority
from .conftest import MakeOrigin
from .origin import Origin
from .routes import response

EXAMPLES = Path(__file__).parents[2] / "examples"
JARS = Path("/usr/share/java")
LONGEST = 60  # seconds that an example may take
EXPLANATION = "GET {}/users/999 (not played yet)\n    path segment 2: asked '998', recorded '999'"

Magneto = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def api(make_origin: MakeOrigin) -> Origin:
    """The part of the public API that the examples ask for, over HTTPS."""
    origin = make_origin(tls=True)
    json = b"Content-Type: application/json"
    origin.on("/users/1", response(b'{"id": 1, "name": "Leanne Graham"}', json))
    origin.on("/users/999", response(b"{}", json, status=b"404 Not Found"))
    origin.on("/posts", response(b'{"id": 101}', json, status=b"201 Created"))
    return origin


@pytest.fixture
def magneto(
    tmp_path: Path, data_dir: Path, origin_authority: ThrowawayAuthority, api: Origin
) -> Magneto:
    """``magneto(*arguments, **variables)`` runs the command in the example's folder."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = {
            "MAGNETO_DATA_DIR": str(data_dir),
            "MAGNETO_UPSTREAM_CA": str(origin_authority.pem),
            "MAGNETO_PORT": "0",
            "API_URL": api.url(""),
        }
        return subprocess.run(
            [sys.executable, "-m", "magneto_serge", *arguments],
            env={**os.environ, **environ, **variables},
            cwd=tmp_path / "example",
            capture_output=True,
            text=True,
            timeout=LONGEST,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the lock file of the Vitest example names, installed once."""
    folder = tmp_path_factory.mktemp("packages")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(EXAMPLES / "vitest" / name, folder)
    options = ["--prefer-offline", "--fetch-retries=0", "--no-audit", "--no-fund"]
    command = ["npm", "ci", *options]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm ci took longer than {LONGEST} seconds")
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("npm error")]
        pytest.skip(f"npm ci cannot install the example's packages here: {errors[:1]}")
    return folder / "node_modules"


@pytest.fixture
def vitest(tmp_path: Path, packages: Path) -> Path:
    """The Vitest example with its packages; returns the file of its tests."""
    folder = copy("vitest", tmp_path)
    (folder / "node_modules").symlink_to(packages, target_is_directory=True)
    return folder / "test" / "users.test.js"


def copy(name: str, tmp_path: Path) -> Path:
    """Copy an example to where it is run, without what a developer has installed or built."""
    artefacts = shutil.ignore_patterns("node_modules", "build", "target", "cassettes")
    return Path(shutil.copytree(EXAMPLES / name, tmp_path / "example", ignore=artefacts))


def change_a_request(tests: Path) -> None:
    """Let the example's tests ask for somebody else."""
    before = tests.read_text(encoding="utf-8")
    after = before.replace("ame(999)", "ame(998)")
    assert after != before
    tests.write_text(after, encoding="utf-8")


def cassettes_in(folder: Path) -> list[str]:
    """Return the names of the cassettes there."""
    found = (folder / "example" / "cassettes").rglob("*.json")
    return sorted(path.relative_to(folder / "example" / "cassettes").as_posix() for path in found)


@pytest.mark.needs("node", "npm")
def test_vitest_around_a_command(
    tmp_path: Path, api: Origin, magneto: Magneto, vitest: Path
) -> None:
    """`npm test` unchanged: one cassette, and a miss that no test noticed fails the command."""
    recorded = magneto("auto", "users", "--", "npm", "test")
    assert recorded.returncode == 0, recorded
    assert len(api.received) == 3
    assert cassettes_in(tmp_path) == ["users.json"]
    api.stop()
    replayed = magneto("replay", "users", "--", "npm", "test")
    assert replayed.returncode == 0, replayed
    assert "3 replayed" in replayed.stderr
    change_a_request(vitest)
    changed = magneto("replay", "users", "--", "npm", "test")
    assert changed.returncode == 6, changed
    assert EXPLANATION.format(api.url("")) in changed.stderr


@pytest.mark.needs("node", "npm")
def test_vitest_with_a_session_for_each_test(
    tmp_path: Path, api: Origin, magneto: Magneto, vitest: Path
) -> None:
    """A setup file gives each test a cassette, and fails the one that asks for anything else."""
    command = ("passthrough", "--", "npm", "run", "test:sessions")
    recorded = magneto(*command)
    assert recorded.returncode == 0, recorded
    assert len(api.received) == 3
    assert cassettes_in(tmp_path) == [
        "users.test/users-have-a-name.json",
        "users.test/users-may-be-unknown.json",
        "users.test/users-write-posts.json",
    ]
    api.stop()
    replayed = magneto(*command, CASSETTE_MODE="replay")
    assert replayed.returncode == 0, replayed
    change_a_request(vitest)
    changed = magneto(*command, CASSETTE_MODE="replay")
    assert changed.returncode == 1, changed
    assert EXPLANATION.format(api.url("")) in changed.stdout + changed.stderr
    assert "1 failed | 2 passed" in changed.stdout


@pytest.mark.needs("java", "javac")
@pytest.mark.skipif(
    not (JARS / "junit-platform-console.jar").exists(), reason=f"needs JUnit 5's jars in {JARS}"
)
def test_junit(tmp_path: Path, api: Origin, magneto: Magneto) -> None:
    """The extension gives each test a cassette, and fails the one that asks for anything else."""
    tests = copy("junit", tmp_path) / "src" / "test" / "java" / "example" / "UsersTest.java"
    command = ("passthrough", "--proxy-auth", "junit:between-us", "--", "./run")
    recorded = magneto(*command)
    assert recorded.returncode == 0, recorded
    assert len(api.received) == 3
    assert cassettes_in(tmp_path) == [
        "UsersTest/haveAName.json",
        "UsersTest/mayBeUnknown.json",
        "UsersTest/writePosts.json",
    ]
    api.stop()
    replayed = magneto(*command, CASSETTE_MODE="replay")
    assert replayed.returncode == 0, replayed
    change_a_request(tests)
    changed = magneto(*command, CASSETTE_MODE="replay")
    assert changed.returncode == 1, changed
    assert EXPLANATION.format(api.url("")) in changed.stdout
    assert "2 tests successful" in changed.stdout
