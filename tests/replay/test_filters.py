"""Filters: what is recorded, and how early that can be told."""

from __future__ import annotations

import re

import pytest

from magneto_serge.errors import ConfigError
from magneto_serge.messages import Failure, FailureKind, Headers, Interaction, Response
from magneto_serge.replay.filters import PRESETS, record_filter

from .telling import asks


def said(
    target: str = "/",
    kind: str = "",
    *,
    sent: str = "",
    status: int = 200,
    host: str = "a.example",
    method: str = "GET",
) -> Interaction:
    """Return an exchange with a response of this content type."""
    fields = Headers.of(("Content-Type", kind)) if kind else Headers()
    request = asks(target, content_type=sent, method=method, url=f"https://{host}:443")
    return Interaction(request, Response(status, headers=fields))


FAILED = Interaction(asks(), None, Failure(FailureKind.TIMEOUT))


def test_nothing_set_is_no_filter() -> None:
    """Without conditions there is nothing to ask."""
    assert record_filter([], []) is None


def test_all_and_any() -> None:
    """Several conditions must all hold, or one of them, as the setting says."""
    only = ["host=a.example", "method=POST"]
    every, one = record_filter(only), record_filter(only, combine="any")
    assert every is not None
    assert one is not None
    assert [every.keeps(said()), one.keeps(said())] == [False, True]
    assert every.keeps(said(method="POST"))


def test_exceptions_have_the_last_word() -> None:
    """What `record_except` names is not recorded, whatever else would have it."""
    chosen = record_filter(["host=*"], ["path=/health", "status=5xx"])
    assert chosen is not None
    assert chosen.keeps(said("/users"))
    assert not chosen.keeps(said("/health"))
    assert not chosen.keeps(said("/users", status=503))


def test_exceptions_alone() -> None:
    """Without `record_only` everything else is recorded, failures too."""
    chosen = record_filter([], ["ext=png"])
    assert chosen is not None
    assert chosen.keeps(FAILED)
    assert not chosen.keeps(said("/a.png"))


@pytest.mark.parametrize(
    ("preset", "kept", "left"),
    [
        (
            "no-media",
            [said("/users", "application/json"), said("/", "text/html"), FAILED],
            [
                said("/x", "image/png"),
                said("/x", "video/mp4"),
                said("/x", "font/woff2"),
                said("/x.PNG"),
                said("/x", "image/svg+xml"),
            ],
        ),
        (
            "no-analytics",
            [said(), said(host="analytics.a.example")],
            [said(host="www.google-analytics.com"), said(host="api.segment.io")],
        ),
        (
            "api-only",
            [
                said("/", "application/json"),
                said("/", "application/problem+json"),
                said("/", "application/soap+xml"),
                said("/", "text/xml"),
                said("/", "text/event-stream"),
                said("/", "", sent="application/json", status=204),
                said("/", "text/html", sent="application/x-www-form-urlencoded"),
            ],
            [
                said("/", "text/html"),
                said("/", "image/svg+xml"),
                said("/", "application/xhtml+xml"),
                said("/", "text/css"),
                said(),
                FAILED,
            ],
        ),
        ("success-only", [said(), said(status=302)], [said(status=404), said(status=500), FAILED]),
    ],
)
def test_presets(preset: str, kept: list[Interaction], left: list[Interaction]) -> None:
    """Each preset keeps what its name says."""
    chosen = record_filter([preset])
    assert chosen is not None
    assert [chosen.keeps(each) for each in kept] == [True] * len(kept)
    assert [chosen.keeps(each) for each in left] == [False] * len(left)


def test_presets_and_criteria_in_one_condition() -> None:
    """A preset is a word among others."""
    chosen = record_filter(["success-only host=a.example"])
    assert chosen is not None
    assert chosen.keeps(said())
    assert not chosen.keeps(said(host="b.example"))
    assert not chosen.keeps(said(status=500))


def test_what_can_be_told_early() -> None:
    """The request alone, then the response's head, can settle it; nothing is settled wrongly."""
    chosen = record_filter(["no-media", "method=GET"])
    assert chosen is not None
    assert not chosen.foresee(asks(method="POST"))
    assert not chosen.foresee(asks("/film.mp4"))
    assert chosen.foresee(asks("/film"))
    assert not chosen.foresee(asks("/film"), 200, Headers.of(("Content-Type", "video/mp4")))
    assert chosen.foresee(asks("/film"), 200, Headers.of(("Content-Type", "text/html")))
    success = record_filter(["success-only"])
    assert success is not None
    assert success.foresee(asks(), 200, Headers())  # it may still break off
    assert not success.foresee(asks(), 404, Headers())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "it is empty"),
        ("no-medai", f"there is no preset 'no-medai' ({', '.join(PRESETS)})"),
        ("host=a hots=b", "did you mean host?"),
        ("path='/a", "No closing quotation"),
        ("status=2x", "a class (4xx)"),
    ],
)
def test_mistakes_name_the_setting(text: str, says: str) -> None:
    """A bad condition names the setting, the value and what is accepted."""
    for setting, given in (("record_only", ([text], [])), ("record_except", ([], [text]))):
        with pytest.raises(ConfigError, match=re.escape(f"{setting} {text!r}: ")) as caught:
            record_filter(*given)
        assert says in str(caught.value)
