"""Which build of the package is measured: the one that is installed, or a compiled one.

A checkout is pure Python, whatever is built from it. So ``--compiled`` builds the package as
``MAGNETO_COMPILE=1 pip install .`` does, into a folder that is gone afterwards, and runs the same
command once more, with that folder first on the path of it and of every program that it starts.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import magneto_serge.wire.http1
from benchmarks._programs import BenchmarkError

_ROOT = Path(__file__).resolve().parent.parent
_AGAIN = "BENCHMARKS_OF_COMPILED"  # set in the environment of the second run
COMPILED, PURE = "compiled with mypyc", "pure Python"


def kind() -> str:
    """Return which build this process has imported, and so what it measures."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    return COMPILED if magneto_serge.wire.http1.__file__.endswith(suffix) else PURE


def again_compiled(arguments: Sequence[str]) -> int:
    """Run ``python -m benchmarks`` with these arguments, and a compiled package; return its status.

    Raises BenchmarkError where nothing could be compiled.
    """
    if _AGAIN in os.environ:
        raise BenchmarkError("the compiled package was not found first on the path")
    with tempfile.TemporaryDirectory(prefix="magneto-benchmark-") as name:
        package = _compiled(Path(name))
        paths = [str(package), str(_ROOT), os.environ.get("PYTHONPATH", "")]
        environ = {**os.environ, _AGAIN: "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        command = [sys.executable, "-m", "benchmarks", *arguments]
        return subprocess.run(command, env=environ, check=False).returncode


def _compiled(folder: Path) -> Path:
    """Return a folder in ``folder`` with the package, its modules of the hot path compiled."""
    print("Compiling (about a minute) ...", file=sys.stderr, flush=True)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    _run([*wheel, str(_ROOT)], {**os.environ, "MAGNETO_COMPILE": "1"})
    (built,) = folder.glob("*.whl")
    if built.name.endswith("-any.whl"):
        raise BenchmarkError("nothing was compiled: a C compiler and Python's headers are needed")
    package = folder / "package"
    _run([*pip, "install", "--no-deps", "--target", str(package), str(built)], os.environ)
    return package


def _run(command: Sequence[str], environ: Mapping[str, str]) -> None:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"{shlex.join(command)} failed:\n{done.stderr}")
