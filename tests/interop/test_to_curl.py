"""Shell scripts: nothing in a recording is ever read by the shell."""

from __future__ import annotations

import io
import itertools
import shlex

from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.interop.remarks import Remarks
from magneto_serge.interop.to_curl import write
from magneto_serge.messages import Failure, FailureKind, Headers, Interaction, Request, Response


def script(request: Request, response: Response | None = None) -> str:
    """Return the command for a request, without what comes before."""
    out = io.BytesIO()
    failure = None if response else Failure(FailureKind.DNS)
    write([Interaction(request, response, failure)], out, Remarks())
    return out.getvalue().decode("utf-8", "surrogateescape").partition("\n\n")[2]


def words(request: Request) -> list[str]:
    """Return what the shell makes of the command."""
    return shlex.split(script(request), comments=True)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_bodies_and_values_are_quoted(text: str) -> None:
    """Whatever stands in them."""
    value = "".join(text.split()).encode("latin-1", "replace")
    request = Request("POST", "http", "h", 80, "/", Headers([(b"A", value)]), text.encode())
    found = words(request)
    assert found[found.index("--data-raw") + 1] == text
    assert found[-1] == "http://h/"


def test_quotes_end_nothing() -> None:
    """The oldest trick there is."""
    request = Request("GET", "http", "h", 80, "/?';id;'", Headers.of(("A", "';id;'")))
    assert words(request)[-1] == "http://h/?';id;'"
    assert "A: ';id;'" in words(request)


def test_what_curl_would_add_is_taken_off() -> None:
    """And what it computes is left to it; an empty value is one."""
    fields = Headers.of(("Host", "h"), ("Content-Length", "1"), ("X", ""), ("Accept", "a"))
    found = words(Request("POST", "http", "h", 80, "/", fields, b"a"))
    headers = [after for option, after in itertools.pairwise(found) if option == "--header"]
    assert headers == ["X;", "Accept: a", "user-agent:", "content-type:"]
    other = Request("GET", "http", "h", 80, "/", Headers.of(("Host", "other")))
    assert "Host: other" in words(other)


def test_methods_and_targets() -> None:
    """Only what is not curl's default is said."""
    assert "--head" in words(Request("HEAD", "http", "h", 80, "/"))
    assert "--request" not in words(Request("GET", "http", "h", 80, "/"))
    found = words(Request("OPTIONS", "http", "h", 80, "*"))
    assert found[found.index("--request-target") + 1] == "*"
    assert found[found.index("--request") + 1] == "OPTIONS"


def test_bytes_go_through_base64() -> None:
    """A shell cannot hold them."""
    assert script(Request("POST", "http", "h", 80, "/", body=b"\xff\0")).startswith(
        "# 1: dns\nprintf %s '/wA=' | base64 -d | curl "
    )


def test_the_outcome_stays_in_its_comment() -> None:
    """Whatever a reason phrase has in it."""
    found = script(Request("GET", "http", "h", 80, "/"), Response(200, "O\nK\r;id"))
    assert found.startswith("# 1: 200 O K ;id\ncurl ")
