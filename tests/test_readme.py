"""The README's tour and Python examples, run as a reader would run them."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What differs from run to run: times, sizes that follow from them, ports.
VARYING = re.compile(r"\d+(?:\.\d+)?(?= ?(?:B|kB)\b)|\d+(?:\.\d+)?$", re.MULTILINE)


def tour() -> list[tuple[str, str]]:
    """Return the tour's commands with the output shown for each."""
    text = README.read_text().partition("<!-- tour")[2].partition("**HTTPS needs")[0]
    steps = []
    for language, block in BLOCK.findall(text):
        if language == "console":
            for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
                command, _, output = step.partition("\n")
                steps.append((command, output))
    return steps


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def comparable(text: str, port: int) -> str:
    """Return output with what varies taken out."""
    text = VARYING.sub("#", text.replace(str(port), "9000"))
    return re.sub(r"[ \t]+", " ", text)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour uses curl")
def test_tour_prints_what_the_readme_shows(tmp_path: Path) -> None:
    """Every command of the tour, run in order in one shell, prints what stands below it."""
    port = free_port()
    marker = "=====step====="
    wait = (
        f'until {sys.executable} -c \'import socket; socket.create_connection(("127.0.0.1", '
        f"{port}))' 2>/dev/null; do :; done"
    )
    lines = []
    for command, _ in tour():
        lines.append(command.replace("9000", str(port)))
        if "http.server" in command:
            lines.append(wait)
        lines.append(f"echo {marker}")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("MAGNETO_")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "MAGNETO_DATA_DIR": str(tmp_path / "data"),
        "MAGNETO_PORT": "0",
        "COLUMNS": "200",
    }
    done = subprocess.run(
        ["bash", "-c", "exec 2>&1\n" + "\n".join(lines)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    printed = done.stdout.split(f"{marker}\n")
    shown = [output for _, output in tour()]
    assert [comparable(text, port).strip() for text in printed[: len(shown)]] == [
        comparable(text, 9000).strip() for text in shown
    ]


@pytest.mark.parametrize(
    "source",
    [block for language, block in BLOCK.findall(README.read_text()) if language == "python"],
)
def test_python_examples_use_names_that_exist(source: str) -> None:
    """Each Python example is valid, and what it imports from us, or calls on a proxy, is there."""
    import magneto_serge
    from magneto_serge import MagnetoProxy

    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "magneto_serge":
            for alias in node.names:
                assert hasattr(magneto_serge, alias.name)
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id == "proxy"
        ):
            assert hasattr(MagnetoProxy, node.attr)
