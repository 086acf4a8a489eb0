"""Rules about the project itself, kept by tests because nobody keeps them by hand.

Each rule reads the tree as it is on disk; none of them imports the package. What cannot be a
fact of one file (a test file for each source file, links between documents, the lock covering
what pyproject.toml names) is checked here, and the rest by ruff, mypy and import-linter.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "magneto_serge"
CODE = [ROOT / name for name in ("src", "tests", "benchmarks", "fuzzing", "examples", "docs")]

# Hands names on, or holds one constant; there is nothing in them that could be wrong alone.
WITHOUT_TESTS_OF_THEIR_OWN = {"__init__.py", "__main__.py", "_version.py"}

LONGEST_FILE = 600  # lines

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


def documents() -> list[Path]:
    """Return every Markdown file that a reader of the repository meets."""
    examples = ROOT / "examples"  # what they install has documents of its own, deeper down
    return sorted(
        [
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            *examples.glob("*.md"),
            *examples.glob("*/*.md"),
        ]
    )


def anchors(document: Path) -> set[str]:
    """Return the anchors that a Markdown viewer makes of the document's headings."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", document.read_text(encoding="utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        repeats = sum(1 for known in found if re.fullmatch(re.escape(anchor) + r"(-\d+)?", known))
        found.add(f"{anchor}-{repeats}" if repeats else anchor)
    return found


def links(document: Path) -> list[str]:
    """Return the targets of the document's links that stay inside the repository."""
    prose = CODE_SPAN.sub("", FENCE.sub("", document.read_text(encoding="utf-8")))
    targets = [inline or reference for inline, reference in LINK.findall(prose)]
    return [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:", target)]


def is_broken(document: Path, target: str) -> bool:
    """Say whether a link of ``document`` leads nowhere: no such file, or no such heading."""
    name, _, anchor = target.partition("#")
    file = (document.parent / name) if name else document
    if not file.exists():
        return True
    return bool(anchor) and file.suffix == ".md" and anchor not in anchors(file)


def test_each_source_file_has_a_test_file_of_its_name() -> None:
    """A module `x.py` is tested in a file whose name begins with `test_x`."""
    tests = [path.stem for path in (ROOT / "tests").rglob("test_*.py")]
    untested = [
        str(path.relative_to(ROOT))
        for path in sorted(SOURCE.rglob("*.py"))
        if path.name not in WITHOUT_TESTS_OF_THEIR_OWN
        and not any(test.startswith(f"test_{path.stem.strip('_')}") for test in tests)
    ]
    assert not untested, "\n".join(untested)


def test_no_file_is_too_long_to_read_at_one_sitting() -> None:
    """No Python file has more than 600 lines."""
    too_long = {
        str(path.relative_to(ROOT)): lines
        for folder in CODE
        for path in sorted(folder.rglob("*.py"))
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert too_long == {}


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in the README and the documentation names a file and heading there is."""
    broken = [
        f"{document.relative_to(ROOT)}: {target}"
        for document in documents()
        for target in links(document)
        if is_broken(document, target)
    ]
    assert not broken, "\n".join(broken)


def test_each_test_states_its_rule() -> None:
    """Every test function opens with a docstring."""
    silent = [
        f"{path.relative_to(ROOT)}: {function.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for function in functions_that_test(ast.parse(path.read_text(encoding="utf-8")))
        if ast.get_docstring(function) is None
    ]
    assert not silent, "\n".join(silent)


def functions_that_test(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the test functions of a module and of its classes; pytest collects no others."""
    for owner in (module, *(each for each in module.body if isinstance(each, ast.ClassDef))):
        for each in owner.body:
            kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
            if isinstance(each, kinds) and each.name.startswith("test_"):
                yield each


def test_the_changelog_has_an_entry_for_this_version() -> None:
    """The version that the package says it is has its section in the changelog."""
    source = (SOURCE / "_version.py").read_text(encoding="utf-8")
    version = re.search(r'^__version__ = "(.+)"', source, re.MULTILINE)
    assert version is not None
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[{re.escape(version[1])}\]", changelog, re.MULTILINE)


def test_the_lock_pins_everything_that_pyproject_names() -> None:
    """Every dependency, development tool and build requirement has one exact version locked."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    named = [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
    ]
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)==\S+", lock, re.MULTILINE))
    wanted = {re.split(r"[^A-Za-z0-9._-]", name)[0].lower().replace("_", "-") for name in named}
    assert wanted - locked == set()


def test_the_lock_names_no_place_to_install_from() -> None:
    """Where packages come from is the user's choice: the lock has no index, address or path."""
    lock = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|^-|^\s*[./]", lock, re.MULTILINE)


def test_the_commands_of_the_project_can_be_run() -> None:
    """Each script is executable and stops at the first error of its own."""
    sourced = {"_environment.sh"}
    scripts = [path for path in (ROOT / "scripts").iterdir() if path.name not in sourced]
    for script in [*scripts, ROOT / ".ci" / "run"]:
        assert os.access(script, os.X_OK), script
        assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8"), script
