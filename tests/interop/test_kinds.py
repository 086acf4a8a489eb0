"""Which format a file is in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from magneto_serge.errors import CassetteError
from magneto_serge.interop.kinds import KINDS, UnknownKindError, detect
from magneto_serge.interop.remarks import Remarks
from magneto_serge.interop.source import Source
from magneto_serge.storage.store import CassetteStore

from .files import take


@pytest.mark.parametrize(
    "content",
    [
        {}, {"interactions": 3}, {"name": "package", "version": "1.0.0"}, {"log": "x"},
        [1, 2], [{"a": 1}], {"req": 1, "res": 2}, "just text", b"\x7fELF\0", "",
        {"openapi": "3.0.0", "paths": {}}, {"interactions": [{"request": {"url": 1, "uri": 2}}]},
    ],
)  # fmt: skip
def test_what_is_no_recording(content: Any, tmp_path: Path) -> None:
    """It is said to be none, not read as an empty one."""
    with pytest.raises(UnknownKindError, match="vcrpy"):
        take(tmp_path, content)


def test_a_cassette_of_ours(tmp_path: Path) -> None:
    """It is said to be one, in either family of formats."""
    for name in ("a.json", "b.msgpack"):
        CassetteStore(tmp_path).save(name, [])
        with pytest.raises(UnknownKindError, match="already"):
            detect(Source(tmp_path / name, Remarks()))
    held = [{"kind": "http", "request": {}, "response": {}}]
    with pytest.raises(UnknownKindError, match="already"):
        take(tmp_path, {"version": "2", "interactions": held})


def test_a_kind_can_be_forced(tmp_path: Path) -> None:
    """Whatever the file looks like; what it is not then shows."""
    held = {"interactions": [{"request": {"url": "http://h/"}, "response": {"status": 200}}]}
    assert take(tmp_path, held, kind="vcrpy").only.request.url == "http://h/"


@pytest.mark.parametrize("content", [b"\xff\xff", b"[]", b"{}", b"null", b"text", b"2:[],"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_that_is_not_the_file_s(kind: str, content: bytes, tmp_path: Path) -> None:
    """Whatever is forced upon it: it is refused or has nothing, and nothing else happens."""
    try:
        assert take(tmp_path, content, kind=kind).interactions == []
    except CassetteError as error:
        assert str(error)  # noqa: PT017 - either of the two is right


def test_each_kind_has_its_module() -> None:
    """And says what it cannot tell."""
    for kind in KINDS.values():
        assert callable(kind.importer.interactions)
        assert kind.cannot
