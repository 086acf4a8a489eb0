"""A version "2" cassette gives back what was recorded, and says exactly where it is damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magneto_serge.errors import CassetteError
from magneto_serge.messages import Failure, FailureKind, Headers, Interaction, Request, Response
from magneto_serge.storage.json_read import fitted, split_url

from .interactions import dump, exchange, interactions, load


@given(st.lists(interactions(), max_size=3), st.booleans())
def test_everything_comes_back(recorded: list[Interaction], exact: bool) -> None:
    """Loading what was dumped gives the same interactions, whatever bytes they hold."""
    assert load(dump(*recorded, exact=exact)) == recorded


@settings(max_examples=40)
@given(st.lists(interactions(), max_size=2))
def test_the_file_is_json_to_anybody(recorded: list[Interaction]) -> None:
    """Another JSON reader accepts every cassette."""
    assert len(json.loads(dump(*recorded))["interactions"]) == len(recorded)


def test_written_by_hand() -> None:
    """What a person leaves out has its default."""
    text = """{"version": "2", "interactions": [
        {"kind": "http", "request": {"method": "GET", "url": "http://h"},
         "response": {"status": 204}},
        {"kind": "failure", "request": {"method": "GET", "url": "https://h:8443/x?y"},
         "failure": {"kind": "timeout"}}]}"""
    assert load(text.encode()) == [
        Interaction(Request("GET", "http", "h", 80, "/"), Response(204)),
        Interaction(
            Request("GET", "https", "h", 8443, "/x?y"), failure=Failure(FailureKind.TIMEOUT)
        ),
    ]


def test_times_of_any_zone() -> None:
    """A start is a moment, however its zone is written; without one it is UTC."""
    for text in ("2023-11-14T23:13:20.125+01:00", "2023-11-14T22:13:20.125"):
        data = dump(exchange()).replace(b"2023-11-14T22:13:20.125Z", text.encode())
        assert load(data)[0].started == 1_700_000_000.125


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("http://h/", ("http", "h", 80, "/")),
        ("https://h:8443/a/b?c=d:e/f", ("https", "h", 8443, "/a/b?c=d:e/f")),
        ("http://[::1]/", ("http", "::1", 80, "/")),
        ("https://[::1]:1/", ("https", "::1", 1, "/")),
        ("http://h", ("http", "h", 80, "")),
        ("http://h:/", ("http", "h", 80, "/")),
    ],
)
def test_urls(url: str, parts: tuple[str, str, int, str]) -> None:
    """A URL splits into the request's parts (RFC 9110 §4.2)."""
    assert split_url(url) == parts


@pytest.mark.parametrize(
    "url", ["/path", "ftp://h/", "http:///x", "http://h:80x/", "http://h:²/", "http://h?x", "h"]
)
def test_urls_that_are_none(url: str) -> None:
    """What has no scheme of ours, host or numeric port is refused."""
    with pytest.raises(ValueError, match=r"is not|needs|port"):
        split_url(url)


@pytest.mark.parametrize(
    ("chunks", "size", "expected"),
    [
        ([], 5, ()),
        ([(2, 1.0), (3, 2.0)], 5, ((2, 1.0), (3, 2.0))),
        ([(2, 1.0), (3, 2.0)], 9, ((2, 1.0), (7, 2.0))),
        ([(2, 1.0), (3, 2.0)], 4, ((2, 1.0), (2, 2.0))),
        ([(2, 1.0), (3, 2.0)], 1, ((1, 1.0),)),
        ([(2, 1.0)], 0, ()),
    ],
)
def test_chunks_fit_an_edited_body(
    chunks: list[tuple[int, float]], size: int, expected: tuple[tuple[int, float], ...]
) -> None:
    """The sizes add up to the body's even after somebody has edited it."""
    assert fitted(chunks, size) == expected


def damage(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Return a cassette of two interactions, of which ``change`` has changed the second."""
    cassette = json.loads(dump(exchange(body=b"text"), exchange(body=b"text")))
    change(cassette["interactions"][1])
    return json.dumps(cassette).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.pop("request"), "interaction 2: object missing required field 'request'"),
        (lambda x: x["request"].pop("url"), "interaction 2, request: object missing .* 'url'"),
        (
            lambda x: x["request"].update(method=7),
            "interaction 2, request.method: expected text, got a whole number",
        ),
        (
            lambda x: x["response"].update(status="200"),
            "interaction 2, response.status: expected a whole number, got text",
        ),
        (
            lambda x: x["response"].update(headers=[["A"]]),
            r"interaction 2, response.headers\[0\]: expected a list of length 2",
        ),
        (
            lambda x: x["response"].update(body={"base64": "@"}),
            "interaction 2, response.body.base64: invalid base64",
        ),
        (lambda x: x.update(kind="video"), "interaction 2, kind: invalid enum value 'video'"),
        (
            lambda x: x["response"].update(bdoy=""),
            "interaction 2, response: .* unknown field 'bdoy'",
        ),
        (lambda x: x.update(started="noon"), "interaction 2, started: invalid RFC3339"),
        (
            lambda x: x["request"].update(url="nowhere"),
            "interaction 2, request.url: 'nowhere' is not",
        ),
        (lambda x: x["response"].update(body={}), "interaction 2, response.body: needs one of"),
        (
            lambda x: x["response"].update(body={"json": 1, "style": "odd"}),
            "interaction 2, response.body.style: 'odd'",
        ),
        (lambda x: x["response"].update(reason="€"), "interaction 2, response.reason: .*U\\+00FF"),
        (
            lambda x: x["response"].update(headers=[["A", {"latin-1": "€"}]]),
            "interaction 2, response.headers: .*U\\+00FF",
        ),
        (lambda x: x.pop("response"), "interaction 2, kind: an 'http' interaction has a response"),
        (
            lambda x: x.update(failure={"kind": "dns"}),
            "interaction 2, kind: an 'http' interaction has a response and no failure",
        ),
        (lambda x: x.update(kind="failure"), "interaction 2, kind: a 'failure' interaction"),
        (
            lambda x: x.update(informational=[{"status": 103, "reason": "€"}]),
            r"interaction 2, informational\[0\].reason",
        ),
        (
            lambda x: x["response"].update(
                body={"file": f"t.bodies/{'a' * 64}", "size": 1, "sha256": "a" * 64}
            ),
            "interaction 2, response.body.file: .*No such file",
        ),
    ],
)
def test_damage_is_located(change: Callable[[dict[str, Any]], object], message: str) -> None:
    """Each mistake names the file, the interaction, the field, the reason and a remedy."""
    with pytest.raises(CassetteError, match=f"^cassettes/tape.json: {message}") as error:
        load(damage(change))
    assert str(error.value).endswith("or record the cassette again.")


def test_side_files_are_beside_the_cassette(tmp_path: Path) -> None:
    """A reference is looked up in the cassette's own folder."""
    from magneto_serge.messages import FileBody
    from magneto_serge.storage.json_read import read

    body = b"x" * 11
    (tmp_path / "workshop").mkdir()
    data = dump(exchange(body=body), folder=tmp_path, memory_limit=10)
    spilled = next((tmp_path / "workshop").iterdir())
    (tmp_path / "tape.bodies").mkdir()
    place = spilled.rename(tmp_path / "tape.bodies" / spilled.name)
    [loaded] = read(tmp_path / "tape.json", data, verify=True)
    assert loaded.response is not None
    assert loaded.response.body == FileBody(place, 11, place.name)


def test_equal_field_lines_are_shared() -> None:
    """Field lines that recur are kept once, so that a large cassette stays small in memory."""
    fields = Headers.of(("Server", "nginx"))
    first, second = load(dump(exchange(fields=fields), exchange(fields=fields)))
    assert first.response is not None
    assert second.response is not None
    assert first.response.headers.raw[0] is second.response.headers.raw[0]


def test_the_collector_is_left_as_it_was() -> None:
    """Loading leaves the cycle collector on where it was on, also when it fails."""
    import gc

    load(dump())
    with pytest.raises(CassetteError):
        load(b"{")
    assert gc.isenabled()
    gc.disable()
    try:
        load(dump())
        assert not gc.isenabled()
    finally:
        gc.enable()
