"""Hooks that come from outside: files (``scripts``), installed packages (``hooks``).

A script is a Python file. Its hooks are the functions decorated with ``@before_record`` and the
like of the package, and those that simply have such a name. A package offers hooks as an entry
point of the group ``magneto_serge.hooks``: a module, or an object, with functions of such names, or
one decorated function. Installed is not chosen: only those that the setting ``hooks`` names are
loaded.

Whatever is wrong with one is a ConfigError at the start, with its place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from magneto_serge.errors import ConfigError
from magneto_serge.replay.hooks import KINDS, MARK, Hooks, described, place_of, registering

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "magneto_serge.hooks"


def hooks_from(scripts: Iterable[Path], names: Iterable[str]) -> list[Hooks]:
    """Return the hooks of entry points and scripts, in this order; raises ConfigError."""
    return [*map(load_entry_point, _chosen(names)), *map(load_script, scripts)]


def load_script(path: Path) -> Hooks:
    """Run the script ``path`` and return its hooks; raises ConfigError with file and line."""
    path = path.absolute()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"The script {path} cannot be read: {error.strerror}") from None
    hooks = Hooks()
    module = ModuleType(f"magneto_script_{path.stem}")
    module.__file__ = str(path)
    beside = str(path.parent)
    sys.path.insert(0, beside)  # as `python FILE` has it
    sys.modules[module.__name__] = module  # dataclasses look themselves up there
    try:
        with registering(hooks):
            exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 - the user's own code
    except SyntaxError as error:
        where = f"{error.filename}:{error.lineno}" if error.filename else path
        raise ConfigError(f"The script {where}: {error.msg}") from None
    except (Exception, SystemExit) as error:  # whatever a script does wrong
        where = place_of(error, str(path))
        raise ConfigError(f"The script fails at {where}: {described(error)}") from error
    finally:
        sys.path.remove(beside)
    _collect(module, hooks)
    # It may be there to register matchers, functions that find secrets, or template helpers.
    if not hooks and b"register_" not in source:
        raise ConfigError(f"There is no hook in the script {path}: {_WANTED}")
    return hooks


def load_entry_point(entry: EntryPoint) -> Hooks:
    """Import an entry point and return its hooks; raises ConfigError."""
    try:
        with registering(Hooks()):  # what is chosen is what the entry point names
            found = entry.load()
    except Exception as error:
        raise ConfigError(
            f"The hooks {entry.name!r} ({entry.value}) cannot be loaded: {described(error)}"
        ) from error
    if isinstance(found, Hooks):
        return found
    hooks = Hooks()
    _collect(found, hooks)
    if not hooks:
        raise ConfigError(f"There is no hook in {entry.name!r} ({entry.value}): {_WANTED}")
    return hooks


_WANTED = (
    f"define a function named {', '.join(KINDS[:-1])} or {KINDS[-1]}, or decorate one with"
    " @magneto_serge.before_record"
)


def _chosen(names: Iterable[str]) -> list[EntryPoint]:
    wanted = list(names)
    if not wanted:
        return []
    from importlib.metadata import entry_points

    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if "*" in wanted:
        return list(installed.values())
    for name in wanted:
        if name not in installed:
            known = ", ".join(sorted(installed)) or "none is installed"
            raise ConfigError(f"hooks: there are no hooks {name!r}. Known: {known}")
    return [installed[name] for name in wanted]


def _collect(found: Any, hooks: Hooks) -> None:
    """Add what has the name of a hook, or was decorated when somebody else imported it."""
    for kind in getattr(found, MARK, ()):
        _add(hooks, kind, found)
    if isinstance(found, ModuleType):
        for each in list(vars(found).values()):
            for kind in getattr(each, MARK, ()):
                _add(hooks, kind, each)
    for kind in KINDS:
        named = getattr(found, kind, None)
        if named is not None and getattr(named, "__module__", "") != Hooks.__module__:
            _add(hooks, kind, named)


def _add(hooks: Hooks, kind: str, function: Any) -> None:
    if (kind, function) not in [(each.kind, each.function) for each in hooks.every]:
        hooks.add(kind, function)
