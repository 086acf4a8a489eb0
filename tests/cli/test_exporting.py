"""`magneto export`: to a file or to stdout, and what gets lost is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from magneto_serge.interop.targets import TARGETS

from .recorded import exchange, invoke, load, record

pytestmark = pytest.mark.usefixtures("here")


def test_to_stdout() -> None:
    """The document alone; the rest is on stderr."""
    record("github", exchange("https://a.example/", b"text", asked=(("A", "1"),)))
    result = invoke("export", "github", "--to", "hoverfly")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["meta"]["schemaVersion"] == "v5.2"
    assert (
        "magneto: in hoverfly, request headers are lost (1 time; first: interaction 1)"
        in result.stderr
    )


@pytest.mark.parametrize("target", TARGETS)
def test_to_a_file(target: str) -> None:
    """Whole, and executable where it is a script of the shell."""
    record("github", exchange("https://a.example/path", b"text"))
    result = invoke("export", "github", "--to", target, "-o", "out")
    assert result.exit_code == 0, result.output
    assert "magneto: wrote out: 1 interaction" in result.stderr
    assert b"/path" in Path("out").read_bytes()
    assert os.access("out", os.X_OK) == (target == "curl")


def test_a_file_is_not_overwritten() -> None:
    """Unless it is asked for."""
    record("github", exchange())
    Path("out").write_text("mine")
    result = invoke("export", "github", "--to", "har", "-o", "out")
    assert result.exit_code == 2
    assert "exists already" in result.stderr
    assert Path("out").read_text() == "mine"
    assert invoke("export", "github", "--to", "har", "-o", "out", "--force").exit_code == 0
    assert Path("out").read_text() != "mine"


def test_there_and_back() -> None:
    """Through the command line as well."""
    record("github", exchange("https://a.example/", b"text", fields=(("Content-Length", "4"),)))
    assert invoke("export", "github", "--to", "har", "-o", "back.har").exit_code == 0
    assert invoke("import", "back.har").exit_code == 0
    assert load("back") == load("github")


def test_what_cannot_be_written() -> None:
    """A folder that is not there; nothing is left behind."""
    record("github", exchange())
    result = invoke("export", "github", "--to", "har", "-o", "nowhere/out")
    assert result.exit_code == 2
    assert "cannot write nowhere/out" in result.stderr


def test_what_is_not_there() -> None:
    """No such cassette, no such target."""
    assert invoke("export", "github", "--to", "har").exit_code == 3
    record("github", exchange())
    assert invoke("export", "github", "--to", "nothing").exit_code == 2
