"""What the benchmarks make of what they read: no program is started here.

The programs themselves run in ``integration/test_benchmarks.py``.
"""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import pytest

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import _load, _origin, _report, _rows, _watch, memory, throughput
from benchmarks._programs import BenchmarkError, magneto_environment, require
from benchmarks._traffic import BODY, Shape

FIGURES = (
    '{"requests":1000,"bytes":250000,"duration":2000000,"p50":640,"p99":1410,'
    '"socket_errors":0,"timeouts":0,"status_errors":0}'
)


def load(**changes: int) -> _load.Load:
    """Return a valid run with ``changes``."""
    values = {"requests": 1000, "bytes": 1, "duration": 2_000_000, "p50": 640, "p99": 1410}
    errors = {"socket_errors": 0, "timeouts": 0, "status_errors": 0}
    return _load.Load(**{**values, **errors, **changes})


def measured(name: str, *rates: int, different: bool = False) -> throughput.Measurement:
    """Return the row ``name`` with runs of one second at ``rates``."""
    row = next(row for row in _rows.ROWS if row.name == name)
    loads = [load(requests=rate, duration=1_000_000) for rate in rates]
    shape = Shape(different=different)
    return throughput.Measurement(
        row, shape, loads, cpu=[1.0] * len(loads), foreign=[0.0] * len(loads)
    )


def test_the_answer_has_the_size_that_the_documentation_names() -> None:
    """The small answer is 122 bytes."""
    assert len(BODY) == 122


def test_the_figures_of_wrk_are_read_past_anything_else_it_says() -> None:
    """The last line of JSON counts; the rate is answers per second of the actual duration."""
    run = _load.parse(f"some warning\n{FIGURES}\n")
    assert run.rate == 500
    assert run.fault is None


def test_wrk_without_figures_is_no_measurement() -> None:
    """Output without the line of JSON raises an error that shows it."""
    with pytest.raises(BenchmarkError, match="unable to connect"):
        _load.parse("unable to connect to 127.0.0.1\n")


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"socket_errors": 2}, "2 socket errors"),
        ({"timeouts": 1}, "1 timeouts"),
        ({"status_errors": 7}, "7 answers with an error status"),
        ({"requests": 0}, "no answer at all"),
    ],
)
def test_a_run_with_errors_is_no_measurement(changes: dict[str, int], fault: str) -> None:
    """A socket error, a timeout, an error status or no answer makes the run invalid."""
    assert load(**changes).fault == fault


def test_a_ratio_is_taken_within_its_round() -> None:
    """Each round's rate is divided by that round's reference, for the same kind of requests."""
    ours = measured("magneto passthrough", 50, 60)
    references = [
        measured("HAProxy", 1, 1, different=True),
        measured("HAProxy", 100, 200),
    ]
    assert throughput.figure(ours, [*references, ours])["ratios"] == [0.5, 0.3]


def test_a_ratio_needs_every_round() -> None:
    """Where a round of the reference failed there is no ratio, and so no verdict."""
    ours, reference = measured("magneto passthrough", 50), measured("HAProxy", 100)
    reference.faults.append("1 timeouts")
    figure = throughput.figure(ours, [reference, ours])
    assert (figure["ratio"], figure["holds"]) == (None, None)


@pytest.mark.parametrize(("rate", "holds"), [(70, True), (69, False)])
def test_a_target_holds_from_its_value_on(rate: int, holds: bool) -> None:
    """Forwarding holds at 0.7 of HAProxy and is missed below."""
    ours = measured("magneto passthrough", rate)
    figure = throughput.figure(ours, [measured("HAProxy", 100), ours])
    assert figure["holds"] is holds
    assert throughput.cells(figure)[-1] == ("yes" if holds else "NO")


@pytest.mark.parametrize("which", [0, 1])
def test_no_target_is_judged_on_a_busy_machine(which: int) -> None:
    """Where other work disturbed a row or its reference, the ratio is shown and not judged."""
    measurements = [measured("magneto passthrough", 90), measured("HAProxy", 100)]
    measurements[which].foreign = [0.5]
    figure = throughput.figure(measurements[0], measurements)
    assert (figure["ratio"], figure["holds"]) == (0.9, None)


def test_patience_of_nothing_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without patience a measurement is made at once, however busy the machine is."""
    monkeypatch.setattr(_watch.time, "sleep", lambda _: pytest.fail("waited"))
    patience = _watch.Patience(0)
    patience.wait_for_quiet()
    assert patience.is_over()


def test_a_row_brings_its_reference() -> None:
    """Choosing rows by a part of their name adds what they are compared with."""
    assert [row.name for row in _rows.chosen(["replay --reverse"])] == [
        "nginx answering",
        "magneto replay --reverse",
    ]


def test_requests_that_differ_start_where_they_are_told() -> None:
    """Two runs with different first items have no request in common."""
    shape = Shape(different=True)
    assert "local n = 1000\n" in shape.script("127.0.0.1:1", first=1000)
    assert "local n" not in Shape().script("127.0.0.1:1", first=1000)


def test_a_forward_proxy_is_asked_in_absolute_form() -> None:
    """The absolute-form target names the origin, not the proxy (RFC 9112 §3.2.2)."""
    script = Shape(absolute=True).script("127.0.0.1:81")
    assert 'wrk.path = "http://127.0.0.1:81/item/1"' in script
    assert 'wrk.headers["Host"] = "127.0.0.1:81"' in script


@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 200_000])
def test_a_bulk_body_has_the_size_and_checksum_asked_for(size: int) -> None:
    """The origin's pieces add up to the size, and the checksum is that of the pieces."""
    body = b"".join(_origin.blocks(size))
    assert len(body) == size
    assert zlib.crc32(body) == _origin.checksum(size)


def test_memory_has_to_stay_below_its_target() -> None:
    """A size equal to the target is too much; without a target there is no verdict."""
    verdicts = [memory.Figure("x", 5, target).holds for target in (6, 5, None)]
    assert verdicts == [True, False, None]


def test_a_target_is_a_most() -> None:
    """A figure holds up to its target, and nothing is said where there is none."""
    assert _report.Figure("x", 5.0, "ms", 5.0).holds is True
    assert _report.Figure("x", 5.1, "ms", 5.0).holds is False
    assert _report.Figure("x", 5.1, "ms").holds is None


def test_a_target_may_be_a_least() -> None:
    """Where more is better, less is a miss."""
    assert _report.Figure("x", 20.0, "x", 20.0, least=True).holds is True
    assert _report.Figure("x", 19.9, "x", 20.0, least=True).holds is False
    assert _report.Figure("x", 19.9, "x", 20.0, least=True).limit == ">= 20"


def test_figures_are_concluded_with_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """For people, and in a file for programs; a target that is missed is a status if asked for."""
    file = tmp_path / "figures.json"
    options = _report.parser("Doc.").parse_args(["--json", str(file), "--enforce"])
    figures = [_report.Figure("a", 1.5, "ms", 1.0), _report.Figure("b", 2.0, "")]
    assert _report.conclude("what", figures, options) == 1
    told = capsys.readouterr().out
    assert "| what |  median | target | holds |" in told
    assert "| a    | 1.50 ms |   <= 1 |    NO |" in told
    assert "| b    |    2.00 |        |       |" in told
    assert [each["holds"] for each in json.loads(file.read_text())["figures"]] == [False, None]


def test_a_table_is_markdown() -> None:
    """The first column is aligned to the left and the others to the right."""
    assert _report.table(["a", "bc"], [["long", "1"]]).splitlines() == [
        "| a    | bc |",
        "| ---- | -: |",
        "| long |  1 |",
    ]


def test_a_missing_program_is_named_with_the_remedy() -> None:
    """Every absent program is named, with the command that installs it."""
    with pytest.raises(BenchmarkError, match="apt-get install no-such-a no-such-b"):
        require("no-such-a", "no-such-b")


def test_the_users_own_settings_do_not_reach_the_measurement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Settings and proxies from the environment are left out; the CA is the benchmark's own."""
    monkeypatch.setenv("MAGNETO_PORT", "1")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    environ = magneto_environment(tmp_path)
    assert "MAGNETO_PORT" not in environ
    assert "https_proxy" not in environ
    assert environ["MAGNETO_DATA_DIR"] == str(tmp_path / "data")
