"""Cassette names: what can be one, where its files are, and how a mistyped one is found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import ConfigError
from magneto_serge.storage.names import canonical_name, list_names, nearest, paths_of


def test_files_of_a_cassette() -> None:
    """The cassette, its bodies and its journal stand side by side; the journal is hidden."""
    paths = paths_of(Path("tapes"), "payments/refund")
    assert paths.cassette == Path("tapes/payments/refund.json")
    assert paths.bodies == Path("tapes/payments/refund.bodies")
    assert paths.journal == Path("tapes/payments/.refund.journal")


@pytest.mark.parametrize(
    "name", ["github", "v1.2", "a/b/c", "test_x[1-a]", "Übung", "a b", "x" * 200]
)
def test_ordinary_names(name: str) -> None:
    """What people call their cassettes is accepted as it is."""
    assert canonical_name(name) == name


def test_suffix_is_dropped() -> None:
    """A name may be given as the file's name."""
    assert canonical_name("a/github.json") == "a/github"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (".json", "empty"),
        ("..", r"leave"),
        ("../x", "leave"),
        ("a/../../x", "leave"),
        ("/etc/passwd", "absolute"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        (".hidden", "dot"),
        ("a/.git/x", "dot"),
        ("a./b", "dot"),
        ("a ", "space"),
        ("a\\b", "system"),
        ("C:x", "system"),
        ("a\x00b", "system"),
        ("a\nb", "system"),
        ("what?", "system"),
        ("con", "device"),
        ("a/NUL.txt", "device"),
        ("lpt1", "device"),
        ("x" * 201, "201 characters"),
        ("é" * 150, "300 bytes"),
        ("a/b.bodies/c", "bodies"),
        ("\udc80", "Unicode"),
    ],
)
def test_names_that_cannot_be_used(name: str, reason: str) -> None:
    """A name that leaves the folder, hides, or is no file name somewhere says which."""
    with pytest.raises(ConfigError, match=reason) as error:
        canonical_name(name)
    assert "relative path" in str(error.value)


@given(st.text(st.characters() | st.sampled_from("./\\"), max_size=12))
def test_no_name_leaves_the_folder(name: str) -> None:
    """Whatever the name, its files are inside the folder, or it is refused."""
    folder = Path("/tapes")
    try:
        paths = paths_of(folder, name)
    except ConfigError:
        return
    for path in paths[:3]:
        assert folder in path.parents
        assert ".." not in path.parts


def test_listing(tmp_path: Path) -> None:
    """Cassettes are listed by name and sorted; hidden files, bodies and others are not."""
    for file in ["b.json", "a/x.json", "a/.x.journal", ".b.json.new", "b.json.1.0", "notes.txt"]:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    for folder in ["b.bodies", ".git"]:
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "y.json").touch()
    assert list_names(tmp_path) == ["a/x", "b"]


def test_listing_an_absent_folder(tmp_path: Path) -> None:
    """A folder that is not there has no cassettes."""
    assert list_names(tmp_path / "none") == []


def test_nearest() -> None:
    """A slip of the finger is recognised, anything else is not."""
    assert nearest("githbu", ["gitlab-api", "github", "x"]) == "github"
    assert nearest("github", ["payments"]) is None
