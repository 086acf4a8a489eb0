"""Looks for damaged cassettes guided by coverage, with atheris (the dependency group `fuzz`).

    python -m fuzzing.atheris_cassette [FOLDER] [-max_total_time=60] [any option of libFuzzer]

The first byte of an input says what the rest is, so that no checksum stands in the fuzzer's way:

* 0: a file as it is, whose content tells its format;
* 1: JSON, compressed with gzip; 2: with zstd;
* 3: payloads, each with its length before it, for the frames of a container whose checksums, index
  and footer are right; 4: the frames of a journal.

What may happen is what `fuzz_cassette` says: a CassetteError that names the file, or nothing, and
soon. Of a journal a cassette is made, which must be readable then. FOLDER keeps the inputs that are
new; without one, those made here are the seeds. Without atheris this module can be imported, and
`target` called: a test runs the corpus through it.
"""

from __future__ import annotations

import struct
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from fuzzing.fuzz_cassette import fault, packed, samples
from magneto_serge.errors import CassetteError
from magneto_serge.replay.matching import KEY_SCHEME
from magneto_serge.storage.assemble import assemble
from magneto_serge.storage.body_rules import DEFAULT_RULES
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.container import FRAME, MAGIC, Footer, frame
from magneto_serge.storage.container_read import Container
from magneto_serge.storage.container_write import Index
from magneto_serge.storage.frames import FRAME as JOURNAL_FRAME
from magneto_serge.storage.frames import MAGIC as JOURNAL_MAGIC
from magneto_serge.storage.names import paths_of

AS_IT_IS, GZIP, ZSTD, CONTAINER, JOURNAL = range(5)
_PIECE = struct.Struct(">HB")  # a payload's length, and what kind of frame it is for


def target(data: bytes) -> None:
    """Read one input; raises AssertionError where that breaks a rule."""
    how = data[0] % 5 if data else AS_IT_IS
    content, suffix = _file(how, data[1:])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"tape{suffix}"
        path.write_bytes(content)
        if how == JOURNAL:
            _recover(path)
            return
        wrong = fault(path)
    if wrong is not None:
        raise AssertionError(wrong)


def _recover(journal: Path) -> None:
    """Make a cassette of a journal, or be told that it is none; then it must be readable."""
    made = paths_of(journal.parent, "made")
    try:
        assemble(journal, made, name="made", rules=DEFAULT_RULES, keep_older=False, durable=False)
        with Cassette.open(made.cassette, verify=True) as cassette:
            list(cassette)
    except CassetteError as error:
        if str(journal.parent) not in str(error):
            raise AssertionError(f"the file is not named: {error}") from error


def _file(how: int, rest: bytes) -> tuple[bytes, str]:
    """Return the content of a file, and the suffix of its name."""
    if how == GZIP:
        return packed(rest, "gz"), ".json.gz"
    if how == ZSTD:
        return packed(rest, "zst"), ".json.zst"
    if how == CONTAINER:
        return _container(rest), ".msgpack"
    if how == JOURNAL:
        return _journal(rest), ".journal"
    return rest, ".msgpack" if rest[:1] == b"m" else ".json"


def _payloads(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _PIECE.size <= len(data):
        length, kind = _PIECE.unpack_from(data, at)
        at += _PIECE.size
        yield kind, data[at : at + length]
        at += length


def _container(data: bytes) -> bytes:
    out = bytearray(MAGIC)
    index = Index()
    dictionary = 0
    for word, payload in _payloads(data):
        kind, coding = word % 8, word // 8 % 3
        if kind == 2:
            index.add(payload[:16].ljust(16, b"\0"), len(out), FRAME.size + len(payload))
        if kind == 4:
            dictionary = len(out)
        out += frame(kind, coding, payload) + payload
    footer = Footer(len(out), dictionary, len(index), 0, 0, KEY_SCHEME)
    return bytes(out) + b"".join(index.tables()) + footer.pack()


def _journal(data: bytes) -> bytes:
    out = bytearray(JOURNAL_MAGIC)
    for _, payload in _payloads(data):
        out += JOURNAL_FRAME.pack(len(payload), zlib.crc32(payload)) + payload
    return bytes(out)


def seeds() -> Iterator[bytes]:
    """Yield inputs that are whole cassettes."""
    whole = samples()
    for format in ("json", "msgpack", "msgpack.zst"):
        yield bytes([AS_IT_IS]) + whole[format]
    yield bytes([GZIP]) + whole["json"]
    yield bytes([ZSTD]) + whole["json"]
    pieces = b""
    container = Container(Path("sample"), memoryview(whole["msgpack"]))
    at = len(MAGIC)
    while at < container.footer.start and len(pieces) < 4000:
        size, _, kind, _ = FRAME.unpack_from(whole["msgpack"], at)
        payload = whole["msgpack"][at + FRAME.size :][:size]
        pieces += _PIECE.pack(size, kind) + payload
        at += FRAME.size + size
    yield bytes([CONTAINER]) + pieces
    yield bytes([JOURNAL]) + pieces


def _functions() -> Iterator[FunctionType]:
    """Yield the functions and methods of the rooms that read cassettes."""
    for name, module in list(sys.modules.items()):
        if name.startswith("magneto_serge.storage"):
            owners = [module, *(each for each in vars(module).values() if isinstance(each, type))]
            for owner in owners:
                for each in list(vars(owner).values()):
                    if isinstance(each, FunctionType) and each.__module__ == name:
                        yield each


def main() -> None:
    """Fuzz until libFuzzer has had enough."""
    try:
        import atheris
    except ImportError:
        sys.exit("atheris is not installed: pip install --group fuzz")
    for function in _functions():
        atheris.instrument_func(function)  # in place: the modules are loaded
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.argv[0], "-max_len=16384", *sys.argv[1:]]  # small ones are tried sooner
        if all(each.startswith("-") for each in arguments[1:]):
            for number, seed in enumerate(seeds()):
                (Path(folder) / str(number)).write_bytes(seed)
            arguments.append(folder)
        atheris.Setup(arguments, target)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
