"""Findings as JUnit XML, which every CI server shows: one test case for each request.

There is no standard but what Ant wrote and Jenkins reads: ``testsuites`` around one ``testsuite``
with its counts, times in seconds, in a test case at most one of ``failure`` (it has drifted),
``error`` (the service was not reached) and ``skipped``. Characters that XML 1.0 cannot hold (§2.2)
are shown as escapes.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from xml.etree import ElementTree as ET

from magneto_serge.replay.drift import Outcome, Verdict
from magneto_serge.replay.verdicts import Verdicts

from .drift_report import lines_of, title_of

_UNFIT = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(cassette: str, verdicts: Verdicts, *, failing: bool, now: float = 0.0) -> bytes:
    """Return the document, UTF-8. ``failing``: a recording that nobody asked for is a failure.

    ``now`` is the time of the report in seconds since the epoch, by default the present.
    """
    name = _fit(f"magneto verify {cassette}")
    cases, results = [], Counter[str]()
    for verdict in verdicts.kept:
        case, result = _case(cassette, verdict, failing=failing)
        cases.append(case)
        results[result] += 1
    counts = {
        "tests": str(len(cases)),
        "failures": str(results["failure"]),
        "errors": str(results["error"]),
        "skipped": str(results["skipped"]),
        "time": _seconds(sum(verdict.total_ms for verdict in verdicts.kept)),
    }
    root = ET.Element("testsuites", {"name": name, **counts})
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now or time.time()))
    suite = ET.SubElement(root, "testsuite", {"name": name, **counts, "timestamp": moment})
    suite.extend(cases)
    if verdicts.left_out:
        text = f"{verdicts.left_out} more findings were counted and not kept"
        ET.SubElement(suite, "system-out").text = text
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _case(cassette: str, verdict: Verdict, *, failing: bool) -> tuple[ET.Element, str]:
    """Return a test case, and the name of its result; empty where it passed."""
    attributes = {
        "classname": _fit(cassette),
        "name": _fit(title_of(verdict)),
        "time": _seconds(verdict.total_ms),
    }
    case = ET.Element("testcase", attributes)
    result = _RESULTS[verdict.outcome]
    if verdict.outcome is Outcome.UNPLAYED and failing:
        result = "failure"
    if result == "skipped":
        ET.SubElement(case, result, {"message": _fit(verdict.reason)})
    elif result:
        message = {"type": str(verdict.outcome), "message": _fit(_message(verdict))}
        text = "\n".join(f"{mark} {line}".rstrip() for mark, line in lines_of(verdict))
        ET.SubElement(case, result, message).text = _fit(text)
    return case, result


_RESULTS = {
    Outcome.SAME: "",
    Outcome.CHANGED: "failure",
    Outcome.NEW: "failure",
    Outcome.UNREACHABLE: "error",
    Outcome.UNPLAYED: "skipped",
    Outcome.SKIPPED: "skipped",
}


def _message(verdict: Verdict) -> str:
    if not verdict.differences:
        return verdict.reason
    fields = [difference.field for difference in verdict.differences]
    more = f" and {len(fields) - 3} more" if len(fields) > 3 else ""
    return f"{', '.join(fields[:3])}{more}"


def _seconds(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.3f}"


def _fit(text: str) -> str:
    return _UNFIT.sub(lambda found: ascii(found[0])[1:-1], text)
