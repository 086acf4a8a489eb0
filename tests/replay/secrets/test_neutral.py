"""Keys on the disk are those of requests without their placeholders."""

from __future__ import annotations

import pytest

from magneto_serge.messages import Headers, Request
from magneto_serge.replay.secrets.neutral import neutral_of
from magneto_serge.replay.secrets.placeholders import Look, placeholder
from magneto_serge.replay.secrets.rules import SecretRules

JSON = Headers.of(("Content-Type", "application/json"))


def asks(target: str, body: bytes = b"", headers: Headers = JSON) -> Request:
    """Return a request."""
    return Request("POST", "http", "a.example", 80, target, headers, body)


@pytest.mark.parametrize(
    "request_",
    [asks("/users/1?page=2"), asks("/", b'{"a": [1, 2]}', JSON), asks("/é", b"\xff\x00")],
)
def test_a_request_without_placeholders_is_itself(request_: Request) -> None:
    """Most have none, and are not searched."""
    assert neutral_of(request_) is request_


@pytest.mark.parametrize("look", [Look.PLAIN, Look.JWT, Look.UUID, Look.BASE64])
def test_placeholders_are_the_same_for_all(look: Look) -> None:
    """Whatever their numbers, in a target and in a body: as it is when a request is looked up."""
    texts = [placeholder(number, look).decode() for number in (1, 23)]
    requests = [
        asks(f"/?access_token={text}", f'{{"password":"{text}"}}'.encode(), JSON) for text in texts
    ]
    one, other = (neutral_of(request) for request in requests)
    assert one == other
    assert one is not requests[0]
    sent = asks("/?access_token=s3cret-of-mine-1", b'{"password":"hunter2-is-mine"}', JSON)
    if look is Look.PLAIN:
        assert SecretRules().scan(sent).neutral == one
