"""Assertions and the mixin for unittest, with real sessions."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from pathlib import Path

import pytest

from magneto_serge import use_cassette
from magneto_serge.testing import CassetteTestCase, assert_played_all, assert_requested
from magneto_serge.testing.run import shared

from .origin import Origin
from .tapes import fetch, urls_in

pytestmark = pytest.mark.usefixtures("at_home")


def test_requested(origin: Origin) -> None:
    """Requests count whether they are recorded, replayed or refused."""
    with use_cassette("asked") as proxy:
        fetch(origin.url("/echo?1"))
        fetch(origin.url("/echo?2"))
        assert_requested("GET", "/echo", times=2)
        assert_requested("GET", "/echo?1", times=1, session=proxy)
        assert_requested("GET", origin.url("/echo"))
        assert_requested("POST", "/echo", times=0)
        with pytest.raises(AssertionError, match=r"(?s)/nothing was requested 0.*/echo\?2"):
            assert_requested("GET", "/nothing")


def test_played_all(origin: Origin) -> None:
    """What was not replayed is named by its number and its request."""
    with use_cassette("played"):
        fetch(origin.url("/echo?1"))
        fetch(origin.url("/echo?2"))
    with use_cassette("played"):
        fetch(origin.url("/echo?1"))
        with pytest.raises(AssertionError, match=r"(?s)1 of 2 interactions.*#2 GET .*/echo\?2"):
            assert_played_all()
        fetch(origin.url("/echo?2"))
        assert_played_all()


def run_case(body: Callable[[CassetteTestCase], None], folder: Path) -> unittest.TestResult:
    """Run a test case with this test."""

    class TestUsers(CassetteTestCase, unittest.TestCase):
        """A user's test case."""

        magneto_options = {"cassette_dir": folder}  # noqa: RUF012  # as users write it

        def setUp(self) -> None:
            """Ask before the test."""
            fetch(self.magneto_url)

        def test_list(self) -> None:
            """What is asked of it."""
            body(self)

    TestUsers.magneto_url = body.url  # type: ignore[attr-defined]
    result = unittest.TestResult()
    try:
        TestUsers("test_list").run(result)
    finally:
        shared().close()
        shared().forget()
    return result


def test_mixin(origin: Origin, tmp_path: Path) -> None:
    """A test case has a cassette of its own, with what its setUp asked; a miss is an error."""

    def good(case: CassetteTestCase) -> None:
        fetch(origin.url("/echo?test"))
        assert case.magneto.cassette_name == "TestUsers/test_list"

    good.url = origin.url("/echo?setup")  # type: ignore[attr-defined]
    assert run_case(good, tmp_path).wasSuccessful()
    path = tmp_path / "TestUsers/test_list.json"
    assert urls_in(path) == [origin.url("/echo?setup"), origin.url("/echo?test")]
    origin.stop()
    assert run_case(good, tmp_path).wasSuccessful()

    def misses(case: CassetteTestCase) -> None:
        with pytest.raises(OSError, match="502"):
            fetch(origin.url("/echo?other"))

    misses.url = good.url  # type: ignore[attr-defined]
    result = run_case(misses, tmp_path)
    assert not result.wasSuccessful()
    assert "had no recording" in result.errors[0][1]


def test_failed_case_saves_nothing(origin: Origin, tmp_path: Path) -> None:
    """A test that fails leaves no cassette."""

    def bad(case: CassetteTestCase) -> None:
        raise AssertionError

    bad.url = origin.url("/json")  # type: ignore[attr-defined]
    assert not run_case(bad, tmp_path).wasSuccessful()
    assert list(tmp_path.rglob("*.json")) == []
