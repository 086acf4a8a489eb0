"""Damages cassettes of every format and looks for anything but a CassetteError.

    python -m fuzzing.fuzz_cassette --seconds 60 [--seed N]

Whole cassettes are mangled at random: bits flipped, pieces deleted, doubled, spliced, numbers made
huge. Compressed JSON is also mangled before it is compressed, and a container's frames before they
get their checksums, so that what checksums would catch reaches the decoders behind them. For each
file three things must hold:

* opening it, reading all of it and playing from it raises CassetteError, or nothing;
* so does recovering what is whole of it;
* neither takes longer than a few seconds.

The corpus (`fuzzing/corpus/cassettes`, whole files) is tried first, then new mutations until the
time is up. What breaks a rule is written to the corpus, shown, and ends the run with status 1;
`tests/storage/test_corpus.py` keeps it from coming back. A run is repeated by its seed.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Headers, Interaction, Request, Response
from magneto_serge.replay.matching import KEY_SCHEME
from magneto_serge.storage.cassette import Cassette
from magneto_serge.storage.container import FRAME, MAGIC, Footer, frame
from magneto_serge.storage.container_read import Container
from magneto_serge.storage.container_write import Index
from magneto_serge.storage.formats import FORMATS
from magneto_serge.storage.journal_read import reading
from magneto_serge.storage.packing import packing
from magneto_serge.storage.store import CassetteStore

CORPUS = Path(__file__).parent / "corpus" / "cassettes"
SLOW = 5.0  # seconds
ASKED = Request("GET", "https", "api.example.com", 443, "/0")
STUMBLING_BLOCKS = [
    *(b"\x00", b"\xff", b"\xff" * 4, b"\xff" * 8, b"\x80", b"\xc0", b"\xc1", b"\x7f"),
    *(b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\x91" * 2000),
    *(b"[" * 2000, b'{"a":' * 2000, b"1e999", b"-1", b"9" * 40, b"\\ud800", b"\xed\xa0\x80"),
    *(b'"version"', b"frame:8", b"frame:0", b"../../x", b"x.bodies/", b"null", b"{}", b"[]"),
    *(b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08", b"magneto\x03", b"magneto\x02", b"magneto\x04"),
]


def samples() -> dict[str, bytes]:
    """Return a whole cassette of each format, by its suffix."""
    fields = Headers.of(("Content-Type", "application/json"), ("Set-Cookie", "a=1"))
    said = [
        Interaction(
            Request("GET", "https", "api.example.com", 443, f"/{number % 9}", fields),
            Response(200, "OK", fields, b'{"number": %d}' % number * (1 + number % 3)),
            started=1.7e9,
            chunks=((5, 1.0), (9, 30.5)) if number == 3 else (),
        )
        for number in range(140)
    ]
    said.append(Interaction(ASKED, Response(200, body=bytes(range(256)) * 300)))
    with tempfile.TemporaryDirectory() as name:
        return {
            format: CassetteStore(Path(name), format=format, fsync="never")
            .save("tape", said)
            .read_bytes()
            for format in FORMATS
        }


def mangled(data: bytes, chance: random.Random) -> bytes:
    """Return ``data`` with a few things wrong in it."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(found) + 1)
        length = chance.choice((1, 1, 4, 20, len(found) // 3))
        match chance.randrange(6):
            case 0 if found:
                found[place % len(found)] ^= 1 << chance.randrange(8)
            case 1:
                del found[place : place + length]
            case 2:
                found[place:place] = found[place : place + length]
            case 3:
                found[place : place + length] = chance.choice(STUMBLING_BLOCKS)
            case 4:
                del found[place:]
            case _:
                other = chance.randrange(len(found) + 1)
                found[place : place + length] = found[other : other + length]
    return bytes(found)


def checked(data: bytes, chance: random.Random) -> bytes:
    """Return a container with damage inside its frames, whose checksums are right."""
    container = Container(Path("sample"), memoryview(data))
    out = bytearray(MAGIC)
    index = Index()
    at, dictionary = len(MAGIC), 0
    while at < container.footer.start:
        size, _, kind, coding = FRAME.unpack_from(data, at)
        payload = data[at + FRAME.size : at + FRAME.size + size]
        if chance.random() < 0.05:
            payload = mangled(payload, chance)
        if chance.random() < 0.005:
            kind, coding = chance.randrange(8), chance.randrange(256)
        if kind == 2:
            index.add(chance.randbytes(16), len(out), FRAME.size + len(payload))
        if kind == 4:
            dictionary = len(out)
        out += frame(kind, coding, payload) + payload
        at += FRAME.size + size
    footer = Footer(len(out), dictionary, len(index), 0, 0, KEY_SCHEME)
    return bytes(out) + b"".join(index.tables()) + footer.pack()


def packed(data: bytes, coding: str) -> bytes:
    """Return ``data`` compressed as a JSON cassette is."""
    out = io.BytesIO()
    with packing(Path("sample"), out, coding) as text:
        text.write(data)
    return out.getvalue()


def variants(chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield damaged cassettes without end, each with the suffix of its format."""
    whole = samples()
    while True:
        for format, data in whole.items():
            yield format, mangled(data, chance)
            if FORMATS[format].binary:
                yield format, checked(data, chance)
            elif FORMATS[format].coding:
                yield format, packed(mangled(whole["json"], chance), FORMATS[format].coding)


def fault(path: Path) -> str | None:
    """Return what is wrong with how the cassette ``path`` is read; None if nothing is."""
    began = time.monotonic()
    for read in (_read, _recover):
        try:
            read(path)
        except CassetteError as error:
            if str(path) not in str(error):
                return f"the file is not named: {error}"
        except Exception:  # noqa: BLE001 - whatever it is, it is what we look for
            return traceback.format_exc()
    took = time.monotonic() - began
    return f"reading took {took:.1f} s" if took > SLOW else None


def _read(path: Path) -> None:
    with Cassette.open(path, verify=True) as cassette:
        failed: CassetteError | None = None
        for number in range(len(cassette)):
            try:
                cassette[number]
            except CassetteError as error:
                failed = error
        shelves = cassette.shelves()
        list(shelves.near(ASKED))
        for _ in range(3):
            shelves.play(ASKED)
        if failed is not None:
            raise failed


def _recover(path: Path) -> None:
    with reading(path) as reader:
        if reader.head is not None:
            list(reader.interactions())


def main(argv: list[str] | None = None) -> int:
    """Try the corpus, then mutations; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args(argv)
    seed = random.randrange(2**32) if options.seed is None else options.seed  # noqa: S311
    for known in sorted(CORPUS.iterdir()) if CORPUS.is_dir() else []:
        if wrong := fault(known):
            print(f"{known}: {wrong}")
            return 1
    until = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as name:
        for count, (format, data) in enumerate(variants(random.Random(seed))):  # noqa: S311
            if time.monotonic() > until:
                print(f"seed {seed}: {count} cassettes, nothing wrong")
                break
            path = Path(name) / f"tape.{format}"
            path.write_bytes(data)
            if wrong := fault(path):
                CORPUS.mkdir(parents=True, exist_ok=True)
                kept = CORPUS / f"{hashlib.sha256(data).hexdigest()[:12]}.{format}"
                kept.write_bytes(data)
                print(f"seed {seed}, cassette {count}, kept as {kept}: {wrong}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
