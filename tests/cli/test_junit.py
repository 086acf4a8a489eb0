"""The JUnit report, read by a parser that many CI tools share."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped

from magneto_serge.cli.junit import junit_report
from magneto_serge.replay import verdicts
from magneto_serge.replay.drift import Outcome, Verdict
from magneto_serge.replay.json_comparison import Difference
from magneto_serge.replay.verdicts import Verdicts

CHANGED = (
    Difference("response.status", "200", "404"),
    *(Difference(f"response.body.{name}", "1", None) for name in "abcd"),
)


def findings() -> Verdicts:
    """Return one of each kind."""
    found = Verdicts()
    for number, outcome in enumerate(Outcome, 1):
        found.add(
            Verdict(
                outcome,
                "GET",
                f"https://a.test/{outcome}",
                number,
                CHANGED if outcome is Outcome.CHANGED else (),
                "" if outcome in (Outcome.SAME, Outcome.CHANGED) else f"why {outcome}",
                1500.0 if outcome is Outcome.SAME else 0.0,
            )
        )
    return found


def read(data: bytes) -> JUnitXml:
    """Parse a report."""
    report = JUnitXml.fromstring(data)
    assert isinstance(report, JUnitXml)
    return report


def test_each_finding_is_a_test_case_with_its_result() -> None:
    """Drift fails, silence is an error, what was not asked is skipped."""
    (suite,) = read(junit_report("github", findings(), failing=False))
    cases = {case.name: case for case in suite}
    assert list(cases) == [
        f"#{number} GET https://a.test/{outcome}" for number, outcome in enumerate(Outcome, 1)
    ]
    assert {case.classname for case in cases.values()} == {"github"}
    results = [[type(each) for each in case.result] for case in cases.values()]
    assert results == [[], [Failure], [Failure], [Error], [Skipped], [Skipped]]
    (changed,) = cases["#2 GET https://a.test/changed"].result
    assert changed.type == "changed"
    assert changed.message == "response.status, response.body.a, response.body.b and 2 more"
    assert "-     200\n+     404" in changed.text
    (unreachable,) = cases["#4 GET https://a.test/unreachable"].result
    assert (unreachable.type, unreachable.message) == ("unreachable", "why unreachable")


def test_counts_add_up() -> None:
    """In the suite and in the whole, times in seconds."""
    report = read(junit_report("github", findings(), failing=False))
    (suite,) = report
    for each in (report, suite):
        assert (each.tests, each.failures, each.errors, each.skipped) == (6, 2, 1, 2)
        assert (each.time, each.name) == (1.5, "magneto verify github")
    before = suite.tests, suite.failures, suite.errors, suite.skipped
    suite.update_statistics()
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == before


def test_the_attributes_are_those_that_readers_ask_for() -> None:
    """Jenkins' schema wants them in this form."""
    (suite,) = read(junit_report("github", findings(), failing=False, now=1e9))
    assert suite.timestamp == "2001-09-09T01:46:40"
    for case in suite:
        assert set(case._elem.attrib) == {"classname", "name", "time"}
        assert re.fullmatch(r"\d+\.\d{3}", case._elem.attrib["time"])


def test_a_recording_nobody_asked_for_can_be_a_failure() -> None:
    """As the setting says."""
    (suite,) = read(junit_report("github", findings(), failing=True))
    (unplayed,) = (case for case in suite if "unplayed" in case.name)
    assert [type(each) for each in unplayed.result] == [Failure]
    assert suite.failures == 3


def test_nothing_is_an_empty_suite() -> None:
    """And still a report."""
    (suite,) = read(junit_report("github", Verdicts(), failing=False))
    assert (suite.tests, len(list(suite))) == (0, 0)


def test_what_was_not_kept_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report must not look complete where it is not."""
    monkeypatch.setattr(verdicts, "KEPT", 1)
    found = Verdicts()
    for _ in range(3):
        found.add(Verdict(Outcome.SAME, "GET", "http://a/", 1))
    (suite,) = read(junit_report("github", found, failing=False))
    assert suite._elem.findtext("system-out") == "2 more findings were counted and not kept"


@settings(deadline=None)
@given(st.text(), st.text(), st.text())
def test_every_text_is_xml(name: str, url: str, value: str) -> None:
    """Control characters and half characters are shown as escapes."""
    found = Verdicts()
    found.add(Verdict(Outcome.CHANGED, "GET", url, 1, (Difference(value, value, None),), value))
    found.add(Verdict(Outcome.SKIPPED, "GET", url, 2, (), value))
    (suite,) = read(junit_report(name, found, failing=False))
    assert suite.tests == 2
