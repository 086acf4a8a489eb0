"""What other tools have recorded, replayed: imported, put into cassettes, asked for by a client.

The sample is not part of the project; where it is absent these tests are skipped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from magneto_serge import MagnetoProxy
from magneto_serge.codings import coding_of, decode
from magneto_serge.interop.kinds import read
from magneto_serge.interop.naming import Names
from magneto_serge.interop.remarks import Remark, Remarks
from magneto_serge.messages import Headers, Interaction, Response
from magneto_serge.storage.store import CassetteStore

from .conftest import MakeProxy

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
FILES = 104
FRAMING = {"content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection"}
OWN = FRAMING | {"host"}  # what the client writes itself

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the sample is not here")


def recordings() -> Iterator[Path]:
    """Yield the files of the sample."""
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and path.name not in ("README.md", "SOURCES.tsv"):
            yield path


def end_to_end(fields: Iterator[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """Return the field lines that are no matter of framing or of one hop."""
    return Counter((name, value) for name, value in fields if name.lower() not in FRAMING)


def as_latin1(headers: Headers) -> Iterator[tuple[str, str]]:
    """Yield field lines as the standard library reads them."""
    return ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)


def content(response: Response) -> bytes:
    """Return the body without its content coding."""
    assert isinstance(response.body, bytes)
    coding = coding_of(response.headers)
    if coding is None or not response.body:
        return response.body
    decoded = decode(coding, response.body, 1 << 28)
    assert decoded is not None
    return decoded


class Client:
    """A real client: urllib3, plain for http, through CONNECT and TLS for https."""

    def __init__(self, proxy: MagnetoProxy) -> None:
        self._pool = urllib3.ProxyManager(proxy.url, ssl_context=proxy.ssl_context(), retries=False)

    def ask(self, recorded: Interaction) -> urllib3.BaseHTTPResponse:
        """Ask for what was recorded; urllib3 decodes the body."""
        request = recorded.request
        assert isinstance(request.body, bytes)
        return self._pool.request(
            request.method,
            request.url,
            body=request.body or None,
            headers=urllib3.HTTPHeaderDict(
                [line for line in as_latin1(request.headers) if line[0].lower() not in OWN]
            ),
            redirect=False,
            timeout=10,
        )


def check(client: Client, recorded: Interaction) -> None:
    """Ask for one interaction and compare what comes."""
    answer = client.ask(recorded)
    expected = recorded.response
    if expected is None:
        assert answer.status in (502, 504)
        return
    assert (answer.status, answer.reason or "") == (expected.status, expected.reason)
    assert end_to_end(answer.headers.items()) == end_to_end(as_latin1(expected.headers))
    assert answer.data == content(expected)


def test_every_file_of_the_sample_imports_and_replays(make_proxy: MakeProxy) -> None:
    """Status, headers and decoded body are the recorded ones, equal requests in recorded order."""
    proxy, names, remarks = make_proxy(), Names(), Remarks()
    store = CassetteStore(Path(proxy.settings.cassette_dir))
    client = Client(proxy)
    files = asked = 0
    for path in recordings():
        interactions = read(path, remarks)
        files += 1
        if not interactions:
            continue
        name = names.name_for(path.relative_to(CORPUS).as_posix())
        store.save(name, interactions)
        proxy.replay(name)
        for number, recorded in enumerate(interactions, 1):
            if recorded.websocket is not None:
                assert recorded.websocket.messages
                continue
            try:
                check(client, recorded)
            except AssertionError as error:
                raise AssertionError(f"{path.name}, interaction {number}") from error
            asked += 1
    assert files == FILES
    assert asked > 180
    assert not {Remark.LEFT_OUT, Remark.CODING_BROKEN, Remark.HOST_UNUSABLE} & set(remarks.counts)
