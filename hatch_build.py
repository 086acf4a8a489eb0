"""The build hook: with MAGNETO_COMPILE=1, the modules of the hot path are compiled into the wheel.

    MAGNETO_COMPILE=1 pip install .

mypyc makes C extensions of the modules that `pyproject.toml` lists, from the same source; the
sources are in the wheel all the same, and Python prefers the extension beside them. Without the
variable nothing of this is loaded, nothing more is needed, and the wheel is pure Python. So it is
where C extensions cannot be made, and the build says so: a proxy that works is better than none. A
module that does not compile is an error. Everything happens in a temporary folder: a checkout stays
pure.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ASKED = "MAGNETO_COMPILE"


class CompiledModules(BuildHookInterface[Any]):
    """Adds the extensions to a wheel; an editable install stays pure."""

    def dependencies(self) -> list[str]:
        """Return what compiling needs: the types of what the modules import are part of it."""
        if not _is_asked_for():
            return []
        return ["mypy>=1.13", "setuptools>=70", *self.metadata.core.dependencies]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say that the wheel is for this Python and this system."""
        if version == "editable" or not _is_asked_for():
            return
        obstacle = what_hinders()
        if obstacle:
            self.app.display_warning(f"{_ASKED}: {obstacle}; pure Python it is")
            return
        self._folder = tempfile.TemporaryDirectory(prefix="magneto-serge-")
        source = Path(self._folder.name) / "src"
        for built in self._compile(source):
            build_data["force_include"][str(built)] = built.relative_to(source).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled: it is in the wheel now."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()

    def _compile(self, source: Path) -> list[Path]:
        """Return the extensions, made in ``source``, a copy of ours."""
        root = Path(self.root)
        shutil.copytree(root / "src", source, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        listed = self.metadata.config["tool"]["magneto-serge"]["compiled"]
        command = [sys.executable, "-m", "mypyc", "--config-file", str(root / "pyproject.toml")]
        # Modules that stay interpreted may import what is not here: optional dependencies.
        command.append("--follow-imports=silent")
        done = subprocess.run(
            [*command, *(f"magneto_serge/{module}" for module in listed)],
            cwd=source,  # where mypyc puts the extensions
            # As fast as the default, 3, to within what can be measured, and compiled sooner.
            env={"MYPYC_OPT_LEVEL": "1", "MYPYC_DEBUG_LEVEL": "0", **os.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"mypyc has failed:\n{done.stdout}")
        shutil.rmtree(source / "build")
        suffix = sysconfig.get_config_var("EXT_SUFFIX")
        return sorted(source.rglob(f"*{suffix}"))


def what_hinders() -> str:
    """Return why no C extension can be made here, "" where nothing is in the way.

    A C compiler is there with or without Python's headers, and those with or without the system's,
    so it is tried. On Windows the compiler has no name: setuptools finds it, or ends the build.
    """
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "")
    if not compiler:
        return ""
    if shutil.which(compiler[0]) is None:
        return f"no C compiler ({compiler[0]})"
    includes = {sysconfig.get_path(name) for name in ("include", "platinclude")}
    with tempfile.TemporaryDirectory(prefix="magneto-serge-") as folder:
        (Path(folder) / "probe.c").write_text("#include <Python.h>\n", encoding="ascii")
        done = subprocess.run(
            [*compiler, *(f"-I{path}" for path in sorted(includes)), "-c", "probe.c"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    if done.returncode:
        return f"{compiler[0]} compiles nothing that includes Python.h (is python3-dev there?)"
    return ""


def _is_asked_for() -> bool:
    return os.environ.get(_ASKED, "") not in ("", "0")
