"""The formats: what files are called, which is found, which is written."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from magneto_serge import config_values
from magneto_serge.errors import CassetteError, CassetteNotFoundError
from magneto_serge.storage.formats import FORMATS, JSON, split_suffix
from magneto_serge.storage.store import CassetteStore

from .interactions import exchange, record

every_format = pytest.mark.parametrize("format", FORMATS)


def test_the_setting_knows_the_formats() -> None:
    """What the setting accepts is what there is."""
    assert list(config_values.FORMATS) == list(FORMATS)


def test_suffixes() -> None:
    """The whole suffix says the format; a name without one has none."""
    assert split_suffix("a/b.msgpack.zst") == ("a/b", FORMATS["msgpack.zst"])
    assert split_suffix("b.json") == ("b", JSON)
    assert split_suffix("b.gz") == ("b.gz", None)
    assert split_suffix("b") == ("b", None)


@every_format
def test_what_is_recorded_is_what_is_loaded(store: CassetteStore, format: str) -> None:
    """In every format a cassette holds exactly what was recorded, under its suffix."""
    said = [exchange(f"/{number}", b'{"n": %d}' % number, sent=b"x") for number in range(40)]
    said.append(exchange("/large", bytes(range(256)) * 400))
    chosen = CassetteStore(store.folder, format=format)
    path = record(chosen, "tape", *said)
    assert path == store.folder / f"tape.{format}"
    assert store.path("tape") == store.path(f"tape.{format}") == path
    assert store.load("tape") == store.load(f"tape.{format}") == said
    assert store.names() == ["tape"]


@every_format
def test_the_content_says_the_format(store: CassetteStore, format: str) -> None:
    """A file that was given another format's name loads all the same."""
    path = record(CassetteStore(store.folder, format=format), "tape", exchange("/1"))
    for other in FORMATS.values():
        path = path.rename(store.folder / f"other{other.suffix}")
        assert store.load("other") == [exchange("/1")]


def test_the_name_says_the_format_before_the_setting(store: CassetteStore) -> None:
    """A suffix in the name is preferred to the setting."""
    assert record(store, "tape.msgpack", exchange()) == store.folder / "tape.msgpack"


@every_format
def test_adding(store: CassetteStore, format: str) -> None:
    """Adding to a cassette in any format keeps what was in it, in the format now chosen."""
    for older in FORMATS:
        record(CassetteStore(store.folder, format=older), "tape", exchange("/1"), exchange("/2"))
        adding = CassetteStore(store.folder, format=format)
        assert record(adding, "tape", exchange("/3"), add=True).name == f"tape.{format}"
        assert [path.name for path in store.folder.iterdir()] == [f"tape.{format}"]
        assert store.load("tape") == [exchange("/1"), exchange("/2"), exchange("/3")]
        assert store.open("tape").shelves().play(exchange("/3").request) is not None


def test_another_format_replaces(store: CassetteStore) -> None:
    """A cassette that is recorded again in another format is one file, not two."""
    record(store, "tape", exchange("/old"))
    record(CassetteStore(store.folder, format="msgpack"), "tape", exchange("/new"))
    assert [path.name for path in store.folder.iterdir()] == ["tape.msgpack"]
    assert store.load("tape") == [exchange("/new")]


def test_two_files_of_one_name(store: CassetteStore) -> None:
    """Which of two files is meant is not guessed: both are named, and a suffix says which."""
    record(store, "tape", exchange("/json"))
    record(store, "other.msgpack", exchange("/msgpack"))
    (store.folder / "other.msgpack").rename(store.folder / "tape.msgpack")
    for door in (store.path, store.load, store.open, store.exists, store.recorder):
        with pytest.raises(CassetteError, match=r"2 files .*tape\.json and .*tape\.msgpack"):
            door("tape")
    assert store.load("tape.json") == [exchange("/json")]
    assert store.load("tape.msgpack") == [exchange("/msgpack")]
    assert store.names() == ["tape"]


def test_a_suffix_means_that_very_file(store: CassetteStore) -> None:
    """A name with a suffix is not found in another format; the error says what there is."""
    record(store, "tape", exchange())
    with pytest.raises(CassetteNotFoundError, match=r"tape\.msgpack does not exist.*'tape'"):
        store.load("tape.msgpack")


@pytest.mark.parametrize("coding", ["gz", "zst"])
def test_compressed_json_is_json(store: CassetteStore, coding: str) -> None:
    """A compressed JSON cassette is the JSON file, compressed whole: other tools can read it."""
    plain = record(store, "tape", exchange("/1"))
    text = plain.read_bytes()
    packed = record(store, f"tape.json.{coding}", exchange("/1")).read_bytes()
    unpack = gzip.decompress if coding == "gz" else _unzstd
    strip = text.partition(b'"interactions"')[2]
    assert unpack(packed).partition(b'"interactions"')[2] == strip


def _unzstd(data: bytes) -> bytes:
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@every_format
def test_saving(store: CassetteStore, format: str) -> None:
    """A cassette can be made of interactions, those of its older self among them, lazily."""
    record(store, "tape", exchange("/1"), exchange("/2"))
    chosen = CassetteStore(store.folder, format=format)
    with store.open("tape") as older:
        path = chosen.save("tape", reversed(older))
    assert path == store.folder / f"tape.{format}"
    assert [each.name for each in store.folder.iterdir()] == [path.name]
    assert store.load("tape") == [exchange("/2"), exchange("/1")]


def test_saving_what_cannot_be_read(store: CassetteStore) -> None:
    """An error on the way leaves the older cassette as it was, and nothing beside it."""
    path = record(store, "tape", exchange("/1"))
    before = path.read_bytes()

    def failing() -> object:
        yield exchange("/2")
        raise CassetteError("damaged")

    with pytest.raises(CassetteError, match="damaged"):
        store.save("tape", failing())
    assert path.read_bytes() == before
    assert [each.name for each in store.folder.iterdir()] == ["tape.json"]


def test_the_same_content_gives_the_same_file(tmp_path: Path) -> None:
    """Compression adds no time and no name of its own."""
    from magneto_serge.storage.packing import packing

    for coding in ("gz", "zst"):
        for name in ("a", "b"):
            with (tmp_path / name).open("wb") as out, packing(tmp_path, out, coding) as text:
                text.write(b"content" * 100)
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
