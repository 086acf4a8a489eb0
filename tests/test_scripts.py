"""Scripts and entry points: what is loaded, what is a hook in it, and what is said of mistakes."""

from __future__ import annotations

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from magneto_serge import scripts
from magneto_serge.errors import ConfigError
from magneto_serge.replay.hooks import EVERYWHERE, Hooks, registering
from magneto_serge.scripts import hooks_from, load_entry_point, load_script


def script(tmp_path: Path, text: str, name: str = "hooks.py") -> Path:
    """Write a script."""
    path = tmp_path / name
    path.write_text(text)
    return path


def kinds(hooks: Hooks) -> list[str]:
    """Return what was found."""
    return [each.kind for each in hooks.every]


def test_functions_by_name_and_by_decorator(tmp_path: Path) -> None:
    """A function with a hook's name is one, and so is a decorated one; nothing counts twice."""
    path = script(
        tmp_path,
        "import magneto_serge\n"
        "from magneto_serge import before_replay\n"
        "@magneto_serge.before_record\n"
        "def before_record(interaction): return interaction\n"
        "async def on_miss(request): return None\n"
        "@before_replay\n"
        "def mine(request, response): return response\n",
    )
    hooks = load_script(path)
    assert kinds(hooks) == ["before_record", "before_replay", "on_miss"]
    assert hooks.at_miss[0].waits
    assert not EVERYWHERE


def test_a_script_can_import_its_neighbours(tmp_path: Path) -> None:
    """Its folder is looked into while it is loaded, and not afterwards."""
    (tmp_path / "neighbour_of_a_script.py").write_text("ANSWER = None\n")
    path = script(
        tmp_path,
        "from dataclasses import dataclass\n"
        "import neighbour_of_a_script\n"
        "@dataclass\n"
        "class Thing:\n"
        "    name: str = ''\n"
        "def on_miss(request): return neighbour_of_a_script.ANSWER\n",
    )
    assert kinds(load_script(path)) == ["on_miss"]
    assert str(tmp_path) not in sys.path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1\n", "There is no hook in the script {path}: define a function named before_record"),
        ("def f(:\n", "The script {path}:1: invalid syntax"),
        ("x = 1\n\nraise ValueError('no')\n", "The script fails at {path}:3: ValueError: no"),
        ("import no_such_module_anywhere\n", "The script fails at {path}:1: ModuleNotFoundError"),
        ("\nimport sys\nsys.exit(3)\n", "The script fails at {path}:3: SystemExit: 3"),
        ("\n\nbefore_record = 3\n", "before_record: 3 is not a function"),
        ("async def on_message(request, message): ...\n", "has to be a plain function"),
        ("x = 'a\0b'\n", "{path}"),
    ],
)
def test_mistakes_in_a_script(tmp_path: Path, text: str, says: str) -> None:
    """Whatever is wrong with a script is said at the start, with file and line."""
    path = script(tmp_path, text)
    with pytest.raises(ConfigError, match=re.escape(says.format(path=path))):
        load_script(path)
    assert str(tmp_path) not in sys.path


def test_a_script_that_is_not_there(tmp_path: Path) -> None:
    """No file, and a folder, are errors that name it."""
    for path in (tmp_path / "nothing.py", tmp_path):
        with pytest.raises(ConfigError, match=re.escape(f"The script {path} cannot be read: ")):
            load_script(path)


MODULE = """
import magneto_serge
@magneto_serge.before_replay
def mask(request, response): return response
def on_miss(request): return None
class Bundle:
    def before_record(self, interaction): return interaction
bundle = Bundle()
empty = object()
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An importable module with hooks, offered by entry points."""
    name = f"package_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    offered = [
        EntryPoint("whole", name, scripts.GROUP),
        EntryPoint("one", f"{name}:mask", scripts.GROUP),
        EntryPoint("bundle", f"{name}:bundle", scripts.GROUP),
        EntryPoint("empty", f"{name}:empty", scripts.GROUP),
        EntryPoint("broken", f"{name}:missing", scripts.GROUP),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: offered)
    return name


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("whole", ["before_replay", "on_miss"]),
        ("one", ["before_replay"]),
        ("bundle", ["before_record"]),
    ],
)
def test_entry_points(package: str, name: str, found: list[str]) -> None:
    """A module, a decorated function, and an object with methods of such names."""
    [hooks] = hooks_from([], [name])
    assert kinds(hooks) == found
    assert not EVERYWHERE
    [again] = hooks_from([], [name])  # it has been imported by now
    assert kinds(again) == found


def test_a_whole_collection(package: str) -> None:
    """An entry point may be an object that collects hooks."""
    with registering(Hooks()):
        module = __import__(package)
    module.collected = Hooks()
    entry = EntryPoint("collected", f"{package}:collected", scripts.GROUP)
    assert load_entry_point(entry) is module.collected


def test_only_what_was_chosen_is_loaded(package: str) -> None:
    """Installed is not chosen; `*` chooses all, in which a broken one is an error."""
    assert hooks_from([], []) == []
    with pytest.raises(ConfigError, match="There is no hook in 'empty'"):
        hooks_from([], ["*"])
    with pytest.raises(ConfigError, match=r"'broken' .* cannot be loaded: AttributeError"):
        hooks_from([], ["broken"])
    with pytest.raises(ConfigError, match=r"there are no hooks 'whoel'\. Known: broken, bundle"):
        hooks_from([], ["whoel"])


def test_none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no package offers any, the error says so."""
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [])
    with pytest.raises(ConfigError, match="none is installed"):
        hooks_from([], ["any"])


def test_entry_points_come_before_scripts(package: str, tmp_path: Path) -> None:
    """What is the user's own is asked last, and has the last word."""
    path = script(tmp_path, "def on_message(request, message): return None\n")
    assert [kinds(each) for each in hooks_from([path], ["one"])] == [
        ["before_replay"],
        ["on_message"],
    ]


def test_a_script_may_register_instead(tmp_path: Path) -> None:
    """A matcher, say, which settings then name."""
    from magneto_serge.replay.matchers import registered

    script = tmp_path / "own.py"
    script.write_text(
        "from magneto_serge import register_matcher\n"
        "register_matcher('of-a-script', lambda request: request.method)\n"
    )
    assert not load_script(script)
    assert "of-a-script" in registered()
