"""Cassettes for VCR.py: they come back as they were, and VCR.py itself replays them."""

from __future__ import annotations

import io
from pathlib import Path

import httpx
import pytest
import requests
import vcr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vcr.errors import CannotOverwriteExistingCassetteException

from magneto_serge.codings import Coding, coding_of, decode, encode
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.interop.to_vcrpy import write
from magneto_serge.messages import Failure, FailureKind, Headers, Interaction, Request, Response

from .exchanges import in_http_1_1, interactions, there_and_back, with_grouped_fields, without

several = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
BINARY = bytes(range(256))
PACKED = encode(b'{"packed": true}', Coding("gzip"))


def kept(interaction: Interaction) -> Interaction:
    """Return what VCR.py's format holds of an interaction."""
    response, request = interaction.response, interaction.request
    assert response is not None
    headers, body = response.headers, response.body
    coding = coding_of(headers)
    if coding and body:
        assert isinstance(body, bytes)
        body = decode(coding, body, 10_000) or body
        headers = Headers(line for line in headers.raw if line[0] != b"Content-Encoding")
    return Interaction(
        without_version(request),
        in_http_1_1(response, request.method, headers=with_grouped_fields(headers), body=body),
        first_byte_ms=0.0,
    )


def without_version(request: Request) -> Request:
    """Return a request with its fields grouped, in HTTP/1.1."""
    return Request(
        request.method,
        request.scheme,
        request.host,
        request.port,
        request.target,
        with_grouped_fields(request.headers),
        request.body,
    )


@several
@given(held=st.lists(interactions(), max_size=3))
def test_there_and_back(held: list[Interaction], tmp_path: Path) -> None:
    """Answers do; failures are left out, and what is lost is said."""
    back, remarked = there_and_back("vcrpy", held, tmp_path)
    assert back == [kept(each) for each in held if each.response is not None]
    assert (Remark.FAILURE in remarked) == any(each.response is None for each in held)
    assert (Remark.TIMES in remarked) == any(each.response is not None for each in held)


def exchange(path: str, body: bytes, *fields: tuple[str, str], status: int = 200) -> Interaction:
    """Return an exchange with vcr.example."""
    headers = Headers.of(*fields, ("Content-Length", str(len(body))))
    request = Request("GET", "https", "vcr.example", 443, path)
    return Interaction(request, Response(status, "Fine", headers, body))


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """A cassette with answers of several sorts."""
    path = tmp_path / "cassette.yaml"
    held = [
        exchange("/text", "é".encode(), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")),
        exchange("/binary", BINARY, ("Content-Type", "application/octet-stream")),
        exchange("/packed", PACKED, ("Content-Encoding", "gzip")),
        exchange("/gone", b"", status=404),
        exchange("/text", b"again"),
    ]
    with path.open("wb") as out:
        write(held, out, Remarks())
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("client", ["requests", "httpx"])
def test_vcrpy_replays_it(client: str, cassette: Path) -> None:
    """With the clients that it patches, nothing else being let through."""
    get = requests.get if client == "requests" else httpx.get
    url = "https://vcr.example"
    with vcr.use_cassette(str(cassette), record_mode="none") as tape:
        first = get(f"{url}/text")
        assert first.content == "é".encode()
        assert get(f"{url}/binary").content == BINARY
        assert get(f"{url}/packed").json() == {"packed": True}
        assert get(f"{url}/gone").status_code == 404
        assert get(f"{url}/text").content == b"again"
        assert tape.all_played
        with pytest.raises(CannotOverwriteExistingCassetteException):
            get(f"{url}/other")


def test_nothing_is_a_cassette_too() -> None:
    """An empty one."""
    out = io.BytesIO()
    write([], out, Remarks())
    assert out.getvalue() == b"interactions: []\nversion: 1\n"


def test_broken_off_answers_are_kept_as_far_as_they_came(tmp_path: Path) -> None:
    """With a remark."""
    held = exchange("/", b"text")
    broken = without(held, failure=Failure(FailureKind.RESET))
    assert Remark.BROKEN_OFF in there_and_back("vcrpy", [broken], tmp_path)[1]
