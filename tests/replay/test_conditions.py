"""Conditions: what a person writes, and which exchanges it means."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Failure, FailureKind, Headers, Interaction, Response
from magneto_serge.replay.conditions import (
    Known,
    all_of,
    any_of,
    conditions,
    criterion,
    none_of,
    words_of,
)

from .telling import asks


def exchange(
    target: str = "/",
    *,
    method: str = "GET",
    url: str = "http://a.example:80",
    status: int = 200,
    kind: str = "",
    body: bytes = b"",
) -> Known:
    """Return a complete exchange."""
    fields = Headers.of(("Content-Type", kind)) if kind else Headers()
    request = asks(target, method=method, url=url)
    return Known.of(Interaction(request, Response(status, headers=fields, body=body)))


@pytest.mark.parametrize(
    ("word", "known", "holds"),
    [
        ("host=a.example", exchange(), True),
        ("host=A.Example", exchange(), True),
        ("host=b.example,a.example", exchange(), True),
        ("host=*.example", exchange(), True),
        ("host=b.example", exchange(), False),
        ("host!=b.example", exchange(), True),
        ("host=a.example:8080", exchange(url="http://a.example:8080"), True),
        ("host=a.example:80", exchange(), True),
        ("host=[::1]:8080", exchange(url="http://::1:8080"), True),
        ("path=/users/{id}", exchange("/users/7?x=1"), True),
        ("path=/users/{id}", exchange("/users/7/posts"), False),
        ("path=/users/{id}", exchange("/users/"), False),
        ("path=/users/*", exchange("/users/7/posts"), True),
        ("path=/a?b", exchange("/axb"), False),
        ("url=http://a.example/users/{id}", exchange("/users/7?x=1"), True),
        ("url=*/search?q=*", exchange("/search?q=1"), True),
        ("url=*/search?q=*", exchange("/search"), False),
        ("method=get,put", exchange(), True),
        ("method=POST", exchange(), False),
        ("status=200", exchange(), True),
        ("status=4xx,5xx", exchange(status=503), True),
        ("status=400-499", exchange(status=404), True),
        ("status=2xx", exchange(status=404), False),
        ("type=json", exchange(kind="application/json; charset=utf-8"), True),
        ("type=json", exchange(kind="application/problem+json"), True),
        ("type=image", exchange(kind="image/png"), True),
        ("type=image/*", exchange(kind="image/png"), True),
        ("type=json", exchange(kind="text/html"), False),
        ("type!=json", exchange(), True),
        ("ext=.png,JPG", exchange("/a/b.jpg?v=1"), True),
        ("ext=png", exchange("/png"), False),
        ("size<1k", exchange(body=b"x" * 1023), True),
        ("size>=1k", exchange(body=b"x" * 1024), True),
        ("size=0", exchange(), True),
        ("size!=0", exchange(), False),
    ],
)
def test_a_criterion(word: str, known: Known, holds: bool) -> None:
    """Each criterion holds for what it names and for nothing else."""
    assert criterion(word)(known) is holds


def test_failures() -> None:
    """A failure without a response fits `failed` and no code, type or size."""
    failed = Known.of(Interaction(asks(), None, Failure(FailureKind.DNS)))
    assert criterion("status=failed")(failed) is True
    assert criterion("status=5xx,failed")(failed) is True
    assert [criterion(each)(failed) for each in ("status=200", "type=json", "size<9")] == [
        False,
        False,
        False,
    ]


def test_what_is_not_known_yet() -> None:
    """Before the head there is no status, before the end no size; what is known is said at once."""
    asked = Known(asks())
    answered = Known(asks(), 200, Headers.of(("Content-Type", "text/css")))
    for word in ("status=200", "type=css", "size<9"):
        assert criterion(word)(asked) is None
    assert criterion("status=200")(answered) is True
    assert criterion("status=failed")(answered) is None
    assert criterion("type=css")(answered) is True
    assert criterion("size<9")(answered) is None
    assert conditions(["method=POST", "status=200"])(asked) is False


answers = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4)


@given(answers)
def test_three_values(given_answers: list[bool | None]) -> None:
    """Combining answers that are not known yet never says what they could still contradict."""
    tests = [lambda _, answer=answer: answer for answer in given_answers]
    known = exchange()
    for combined, whole in ((all_of(tests), all), (any_of(tests), any)):
        possible = {
            whole(each if each is not None else guess for each in given_answers)
            for guess in (True, False)
        }
        assert combined(known) is (possible.pop() if len(possible) == 1 else None)
        inverse = none_of(combined)(known)
        assert inverse is (None if combined(known) is None else not combined(known))


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("hots=a", "did you mean host?"),
        ("host", "is no criterion"),
        ("host=", "empty value"),
        ("host=a,,b", "empty value"),
        ("host<3", "only a size"),
        ("status=2x", "a class (4xx)"),
        ("status=many", "a class (4xx)"),
        ("size>big", "is no size"),
    ],
)
def test_mistakes(word: str, says: str) -> None:
    """A mistake names the word and what is accepted."""
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        criterion(word)
    assert word.partition("=")[2].partition(",")[0] in str(caught.value)


def test_words() -> None:
    """Values with spaces are quoted as in a shell; an open quote is a mistake."""
    assert words_of("path='/a b' host=x") == ["path=/a b", "host=x"]
    with pytest.raises(ConfigError, match="No closing quotation"):
        words_of("path='/a")


def test_no_criteria_hold_always() -> None:
    """An empty list of criteria restricts nothing."""
    assert conditions([])(exchange()) is True
