"""`extract` and `replace`: the content out, the content in, and everything else as it was."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest

from magneto_serge.cli.main import cli
from magneto_serge.messages import (
    Conversation,
    Failure,
    FailureKind,
    Interaction,
    Request,
    Response,
    WebSocketMessage,
)

from .recorded import exchange, invoke, load, record
from .terminal import Terminal

pytestmark = pytest.mark.usefixtures("here")
TEXT = b'{"zen": "Keep it logically awesome."}'
SQUEEZED = gzip.compress(TEXT, 9, mtime=77)
GZIP = (("Content-Encoding", "gzip"), ("content-length", str(len(SQUEEZED))))


def response(number: int = 1) -> Response:
    """Return a response of the cassette `github`."""
    found = load("github")[number - 1].response
    assert found is not None
    return found


@pytest.fixture
def github(here: Path) -> Path:
    """A compressed answer, a large one, a failure."""
    failed = Interaction(
        Request("GET", "https", "b.example", 443, "/"), failure=Failure(FailureKind.DNS)
    )
    return record(
        "github",
        exchange(body=SQUEEZED, fields=GZIP, method="POST", sent=b"a=1"),
        exchange(body=b"x" * 5000),
        failed,
    )


def test_a_message_of_a_websocket() -> None:
    """One message, whatever kind it is; what is none is said."""
    opened = Interaction(
        Request("GET", "ws", "a.example", 80, "/"),
        Response(101),
        websocket=Conversation([WebSocketMessage("client", "binary", b"\xff\x00")]),
    )
    record("chat", opened, exchange())
    assert invoke("extract", "chat", "1", "--message", "1").stdout_bytes == b"\xff\x00"
    assert "has 1 messages" in invoke("extract", "chat", "1", "--message", "2").stderr
    assert "it is HTTP" in invoke("extract", "chat", "2", "--message", "1").stderr


@pytest.mark.usefixtures("github")
def test_a_body_comes_out_as_its_content() -> None:
    """Byte for byte, on stdout or in a file."""
    assert invoke("extract", "github", "1", "--body").stdout_bytes == TEXT
    assert invoke("extract", "github", "1", "--body", "-o", "zen.json").stdout_bytes == b""
    assert Path("zen.json").read_bytes() == TEXT
    assert invoke("extract", "github", "1", "--request-body").stdout_bytes == b"a=1"


@pytest.mark.usefixtures("github")
def test_raw_is_what_was_on_the_wire() -> None:
    """Compressed where it was."""
    assert invoke("extract", "github", "1", "--body", "--raw").stdout_bytes == SQUEEZED


@pytest.mark.usefixtures("github")
def test_a_side_file_comes_out_too() -> None:
    """Piece by piece."""
    assert invoke("extract", "github", "2", "--body").stdout_bytes == b"x" * 5000


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("4", "--body"), "has interactions 1 to 3: there is no number 4"),
        (("0", "--body"), "there is no number 0"),
        (("3", "--body"), "interaction 3 has no response: it failed (dns)"),
        (("1",), "Say which: --body, --request-body or --message M."),
        (("1", "--body", "--request-body"), "Say which"),
        (("1", "--body", "-o", "no/such/folder"), "cannot write no/such/folder"),
    ],
)
def test_what_cannot_be_extracted_is_said(arguments: tuple[str, ...], said: str) -> None:
    """Exit status 2."""
    result = invoke("extract", "github", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


@pytest.mark.parametrize(("coding", "code"), [("gzip", 3), ("gzip, br", 2), ("compress", 2)])
def test_a_coding_that_cannot_be_undone_needs_raw(coding: str, code: int) -> None:
    """Rather than hand out something else than was asked for."""
    record("odd", exchange(body=b"plain", fields=(("Content-Encoding", coding),)))
    result = invoke("extract", "odd", "1", "--body")
    assert (result.exit_code, result.stdout) == (code, "")
    assert "ay --raw" in result.stderr
    assert invoke("extract", "odd", "1", "--body", "--raw").stdout_bytes == b"plain"


@pytest.mark.parametrize("body", [b"\x1b[2J", b"\xff\xfe", b"x" * 5000])
def test_what_would_garble_a_terminal_is_refused(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters, binary, and what is too large to look through."""
    record("odd", exchange(body=body))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit) as ended:
        cli.main(["extract", "odd", "1", "--body"])
    assert (ended.value.code, terminal.getvalue()) == (2, "")


@pytest.mark.usefixtures("github")
def test_a_body_goes_in_compressed_as_the_one_before() -> None:
    """With the origin's own parameters; Content-Length follows; the rest stays."""
    before = load("github")
    Path("new").write_bytes(b'{"zen": "Less."}' * 9)
    result = invoke("replace", "github", "1", "--body", "new")
    assert result.stderr == "magneto: wrote cassettes/github.json: 3 interactions\n"
    squeezed = gzip.compress(b'{"zen": "Less."}' * 9, 9, mtime=77)
    assert response().body == squeezed
    assert response().headers.get_all("Content-Length") == [str(len(squeezed))]
    after = load("github")
    assert after[1:] == before[1:]
    assert after[0].request == before[0].request


@pytest.mark.usefixtures("github")
def test_what_was_extracted_can_be_put_back() -> None:
    """Nothing is written then."""
    before = Path("cassettes/github.json").read_bytes()
    invoke("extract", "github", "1", "--body", "-o", "zen.json")
    result = invoke("replace", "github", "1", "--body", "zen.json")
    assert (result.exit_code, "nothing was written" in result.stderr) == (0, True)
    assert Path("cassettes/github.json").read_bytes() == before


@pytest.mark.usefixtures("github")
def test_both_bodies_at_once_and_stdin() -> None:
    """Raw, because there is no coding to do."""
    Path("new").write_bytes(b"plain")
    arguments = ("--body", "new", "--request-body", "-", "--raw")
    assert invoke("replace", "github", "1", *arguments, stdin=b"b=2").exit_code == 0
    assert load("github")[0].request.body == b"b=2"
    assert response().body == b"plain"


@pytest.mark.usefixtures("github")
def test_a_side_file_that_is_not_needed_any_more_goes() -> None:
    """What is below the limit, now 4 MB again, stands in the cassette."""
    Path("new").write_bytes(b"y" * 6000)
    assert invoke("replace", "github", "2", "--body", "new").exit_code == 0
    assert response(2).body == b"y" * 6000
    assert not Path("cassettes/github.bodies").exists()


@pytest.mark.usefixtures("github")
def test_with_an_output_the_cassette_stays() -> None:
    """The result is another one."""
    before = Path("cassettes/github.json").read_bytes()
    Path("new").write_bytes(b"new")
    assert invoke("replace", "github", "2", "--body", "new", "-o", "other").exit_code == 0
    assert Path("cassettes/github.json").read_bytes() == before
    found = load("other")[1].response
    assert found is not None
    assert found.body == b"new"
    assert invoke("replace", "github", "1", "--body", "new", "-o", "other").exit_code == 2


def test_the_pieces_of_a_stream_fit_the_new_body() -> None:
    """The last one takes the difference."""
    stream = exchange(body=b"onetwo")
    stream.chunks = ((3, 1.0), (3, 40.0))
    record("github", stream)
    assert invoke("replace", "github", "1", "--body", "-", stdin=b"longer than that").exit_code == 0
    assert load("github")[0].chunks == ((3, 1.0), (13, 40.0))


def test_a_digest_that_no_longer_holds_is_named() -> None:
    """Only its owner can say what it should be."""
    record("github", exchange(body=b"one", fields=(("Content-MD5", "x"),)))
    result = invoke("replace", "github", "1", "--body", "-", stdin=b"two")
    assert "magneto: content-md5 speaks of the body before" in result.stderr


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("1",), "Say what to replace: --body FILE or --request-body FILE."),
        (("1", "--body", "nothing"), "cannot read nothing: No such file"),
        (("3", "--body", "-"), "interaction 3 has no response"),
        (("9", "--body", "-"), "there is no number 9"),
    ],
)
def test_what_cannot_be_replaced_is_said(arguments: tuple[str, ...], said: str) -> None:
    """Exit status 2, and the cassette is as it was."""
    before = Path("cassettes/github.json").read_bytes()
    result = invoke("replace", "github", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert Path("cassettes/github.json").read_bytes() == before
