"""What the suite makes of its rows: verdicts, comparisons, a page. Nothing is timed here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

# benchmarks/ is not part of the package: it is found beside src/, from wherever pytest was called.
sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks import __main__ as suite
from benchmarks import (
    _compare,
    _e2e_http,
    _in_process,
    _micro,
    _page,
    _report,
    _result,
    _scale,
    _suites,
)
from benchmarks._programs import BenchmarkError
from benchmarks._result import Document, Row, row
from benchmarks._watch import Patience


def found(*rows: Row, quick: bool = True) -> Document:
    """Return a run with these rows."""
    return _result.document(list(rows), quick=quick, machine={"processor": "x"}, seconds=1)


def rated(*values: float, ratio: float | None = None) -> Row:
    """Return a row where more is better."""
    beside = None if ratio is None else "HAProxy"
    return row("s", "g", "n", "requests/s", values, better="more", reference=beside, ratio=ratio)


def timed(*values: float) -> Row:
    """Return a row where less is better."""
    return row("s", "g", "n", "ms", values)


def test_a_row_has_its_median_and_the_quartiles_distance() -> None:
    """One disturbed round moves neither."""
    made = timed(1, 2, 3, 4, 100)
    assert (made.median, made.spread) == (3, 2)
    assert timed(5).spread is None


@pytest.mark.parametrize(
    ("made", "holds"),
    [
        (row("s", "g", "n", "ms", [3], target=3), True),
        (row("s", "g", "n", "ms", [4], target=3), False),
        (row("s", "g", "n", "x", [3], target=3, better="more"), True),
        (row("s", "g", "n", "x", [900], ratio=0.4, target=0.5, better="more"), False),
        (row("s", "g", "n", "ms", [4], target=3, judged=False), None),
        (row("s", "g", "n", "ms", [4]), None),
        (row("s", "g", "n", "ms", [], target=3), None),
    ],
)
def test_a_target_is_a_most_or_a_least(made: Row, holds: bool | None) -> None:
    """Of the ratio where there is one; what was disturbed, or not measured, is not judged."""
    assert made.holds is holds


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        (timed(100, 101, 102), timed(120, 121, 122), "worse"),
        (timed(120, 121, 122), timed(100, 101, 102), "better"),
        (rated(100, 101, 102), rated(120, 121, 122), "better"),
        (rated(120, 121, 122), rated(100, 101, 102), "worse"),
        (timed(100, 101, 102), timed(104, 105, 106), ""),  # within a twentieth
        (timed(80, 100, 120, 140), timed(120, 130, 140, 150), ""),  # within the noise
        (rated(100, ratio=0.5), rated(50, ratio=0.5), ""),  # a slower machine
        (rated(100, ratio=0.5), rated(100, ratio=0.4), "worse"),
    ],
)
def test_a_change_counts_beyond_the_noise(before: Row, after: Row, verdict: str) -> None:
    """Ratios are compared where both runs have them, else medians, against the spread of both."""
    assert _compare.compare(found(before), found(after))[0].verdict == verdict


def test_what_is_not_measured_any_more_is_named() -> None:
    """But not the rows of suites that were not run."""
    gone = row("s", "g", "gone", "ms", [1])
    other = row("other", "g", "n", "ms", [1])
    assert _compare.vanished(found(timed(1), gone, other), found(timed(1))) == [gone]


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    """With all values; what is no document of the suite is an error that names the file."""
    made = found(timed(1, 2), _result.missing("s", "g", "n", "no wrk\nat all"))
    path = tmp_path / "deep" / "results.json"
    _result.write(path, made)
    assert _result.read(path) == made
    assert made.rows[1].note == "no wrk"
    path.write_text("[]")
    with pytest.raises(BenchmarkError, match=r"results\.json holds no results"):
        _result.read(path)
    with pytest.raises(BenchmarkError, match=r"cannot read .*absent"):
        _result.read(tmp_path / "absent.json")


def test_a_regression_ends_with_status_1(tmp_path: Path) -> None:
    """And the row is named; without one the status is 0."""
    for name, made in (("a", timed(1, 1)), ("b", timed(2, 2))):
        _result.write(tmp_path / f"{name}.json", found(made))
    paths = [str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    worse = CliRunner().invoke(suite.main, ["compare", *paths])
    assert worse.exit_code == 1
    assert "| s g n |" in worse.output
    assert "+100%" in worse.output
    assert CliRunner().invoke(suite.main, ["compare", *reversed(paths)]).exit_code == 0


def test_a_baseline_is_the_last_run_under_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run is compared with it by that name, which cannot leave its folder."""
    monkeypatch.setattr(_result, "RESULTS", tmp_path)
    monkeypatch.setattr(_result, "LATEST", tmp_path / "latest.json")
    _result.write(tmp_path / "latest.json", found(timed(1)))
    assert CliRunner().invoke(suite.main, ["baseline", "save", "good"]).exit_code == 0
    assert _result.read(_result.named("good")) == _result.read(tmp_path / "latest.json")
    compared = CliRunner().invoke(suite.main, ["compare", "good"])
    assert compared.output == "1 rows compared, 0 got worse\n"
    refused = CliRunner().invoke(suite.main, ["baseline", "save", "../bad"])
    assert refused.exit_code == 2


def test_what_cannot_be_done_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With status 2, and without a traceback."""
    with pytest.raises(SystemExit) as ended:
        suite.command(["compare", "no-such-baseline"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("cannot read ")


def test_the_suites_are_listed_with_their_groups() -> None:
    """Each on a line of its own."""
    listed = CliRunner().invoke(suite.main, ["list"]).output
    for each in _suites.SUITES.values():
        assert f"{each.name}: " in listed
        assert ", ".join(each.groups) in listed


ROWS = (
    timed(1, 2, 3),
    row("s", "curve", "ours", "µs", [1], parameter=10),
    row("s", "curve", "ours", "µs", [30], parameter=1_000, target=5),
    row("s", "latency", "ours <fast>", "µs", [1], parameter="p50"),
    row("s", "latency", "ours <fast>", "µs", [2], parameter="p99.9"),
    _result.missing("t", "h", "mitmproxy", "not installed"),
)


def test_the_page_needs_nothing_else() -> None:
    """Caveats first, then every row, plots inside, and how to make it again at the end."""
    pytest.importorskip("matplotlib")
    page = _page.html(found(*ROWS))
    order = [
        page.index(escaped) for escaped in ("Loopback", "<h2>s</h2>", "<h2>t</h2>", "git clone")
    ]
    assert order == sorted(order)
    assert page.count("<svg") == 3
    assert "ours &lt;fast&gt;" in page
    assert "not installed" in page
    assert '<td class="no">NO</td>' in page
    assert "<script" not in page
    assert 'src="' not in page


def test_the_text_opens_with_its_caveats_and_ends_with_how_to_make_it_again() -> None:
    """A quick run says that it was one, in both places."""
    text = _page.markdown(found(*ROWS))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings[0] == "## Caveats"
    assert headings[-1] == "## Reproduce it"
    assert "python -m benchmarks run --quick" in text
    assert "python -m benchmarks run\n" in _page.markdown(found(*ROWS, quick=False))


def test_a_parameter_may_be_a_quantity() -> None:
    """Counts, sizes and percentiles are; words are not."""
    said = ["10", "1 KB", "100 MB", "p99.9", "same", ""]
    assert [_page.quantity(each) for each in said] == [10, 1e3, 1e8, 99.9, None, None]


def test_curves_are_drawn_and_bars_are() -> None:
    """Rows with several quantities make a curve, and others a bar each."""
    pytest.importorskip("matplotlib")
    (curve,) = _page.plots("curve", ROWS[1:3])
    assert "<svg" in curve
    (bars,) = _page.plots("g", [ROWS[0]])
    assert "n" in "".join(ElementTree.fromstring(bars).itertext()).split()


def test_no_two_micro_benchmarks_have_one_title() -> None:
    """pyperf tells them apart by it; a quick run has no other ones than a full run."""
    for name in ("http_proxy", "serialization"):
        full = [each.title for each in _micro.benches(name, quick=False)]
        assert len(set(full)) == len(full)
        assert {each.title for each in _micro.benches(name, quick=True)} < set(full)


def test_only_what_is_between_the_readings_counts() -> None:
    """What prepares each repetition is done as often, and is not timed."""
    made: list[int] = []
    timing = _micro.between(lambda: made.append(1), lambda _: None)
    assert timing(3) >= 0
    assert made == [1, 1, 1]


def test_every_rate_has_its_reference_in_its_own_group() -> None:
    """Under the same load: equal requests, sizes and connections."""
    cases = _e2e_http.cases(_scale.QUICK)
    for case in cases:
        ours = case.measurement
        if case.target is None:
            continue
        assert any(
            other.group == case.group
            and other.measurement.row.name == ours.row.beside
            and other.measurement.shape.load == ours.shape.load
            for other in cases
        ), (case.group, ours.name)


def test_a_look_up_leaves_nothing_behind() -> None:
    """As many memory blocks are allocated after thousands of look-ups as before, next to none."""
    assert _in_process.left_by_look_ups(500) < 0.1


@pytest.mark.parametrize(("format", "most"), [("json", 8_000), ("msgpack", 8_000)])
def test_a_loaded_interaction_takes_so_much_memory(tmp_path: Path, format: str, most: int) -> None:
    """An interaction with a body of some hundred bytes takes a few KB, in every format."""
    path = _micro.cassette(tmp_path, format, 100)
    assert 0 < _in_process.loaded(path) / 100 < most


def test_the_report_can_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --open in the browser, when it has been written; without, it is only written."""
    pytest.importorskip("matplotlib")
    opened: list[str] = []
    monkeypatch.setattr(suite.click, "launch", opened.append)
    results, page = tmp_path / "r.json", tmp_path / "r.html"
    _result.write(results, found(*ROWS))
    files = ["--html", str(page), "--markdown", str(tmp_path / "R.md")]
    assert CliRunner().invoke(suite.main, ["report", str(results), *files]).exit_code == 0
    assert opened == []
    assert CliRunner().invoke(suite.main, ["report", str(results), "--open", *files]).exit_code == 0
    assert opened == [str(page)]
    assert page.is_file()


def test_what_has_a_target_stands_before_everything_else() -> None:
    """With what was found, what it has to be, and whether it is; disturbed rows are not judged."""
    judged = row(
        "s", "g", "ours", "x", [9], reference="theirs", ratio=0.4, target=0.5, better="more"
    )
    disturbed = row("s", "g", "other", "ms", [2_000], target=3, judged=False)
    text = _page.markdown(found(judged, disturbed, timed(1)))
    targets = text[text.index("## Targets") : text.index("## s\n")]
    assert "0 hold, 1 do not, 1 were not judged." in targets
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in targets.splitlines()]
    assert ["s, g: ours", "0.40 of theirs", ">= 0.5", "NO"] in lines
    assert ["s, g: other", "2,000 ms", "<= 3", "not judged"] in lines
    assert not any("s, g: n" in line for line in lines)


def test_progress_says_how_much_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what the steps before took; of the first nothing is known yet."""
    now = iter((0.0, 0.0, 10.0, 200.0))
    monkeypatch.setattr(_report.time, "monotonic", lambda: next(now))
    progress = _report.Progress(3)
    for name in "abc":
        progress.step(name)
    assert capsys.readouterr().err.splitlines() == [
        "[1 of 3] a",
        "[2 of 3, about 20 s left] b",
        "[3 of 3, about 1.7 min left] c",
    ]


def test_a_run_says_which_suite_begins_and_what_is_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Where the suites before took twice as long as expected, so will the others."""
    suites = [replace(_suites.SUITES["e2e"], takes=(seconds, 0.0)) for seconds in (10.0, 20.0)]
    suite._tell(0, suites, _scale.QUICK, 0.0)
    suite._tell(1, suites, _scale.QUICK, 20.0)
    assert capsys.readouterr().err.splitlines() == [
        "== e2e, suite 1 of 2, about 30 s left in all",
        "== e2e, suite 2 of 2, about 40 s left in all",
    ]


def test_the_soak_is_as_long_as_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And as many exchanges are recorded; everything else is as it was."""
    scales = []

    def measure(scale: _scale.Scale, _: object) -> Iterator[Row]:
        scales.append(scale)
        return iter([timed(1)])

    monkeypatch.setitem(_suites.SUITES, "e2e", replace(_suites.SUITES["e2e"], measure=measure))
    options = ["run", "e2e", "--quick", "-o", str(tmp_path / "r.json")]
    done = CliRunner().invoke(suite.main, [*options, "--soak", "600", "--exchanges", "1000000"])
    assert done.exit_code == 0, done.output
    assert scales == [replace(_scale.QUICK, soak=600, exchanges=1_000_000)]


def test_a_part_of_e2e_can_be_measured_alone() -> None:
    """Those that are named, in the order of the suite; each name is one that the suite knows."""
    scale = replace(_scale.SMOKE, parts=("lookup",))
    rows = list(_suites.SUITES["e2e"].rows(scale, Patience(0)))
    assert {each.group for each in rows} == {"lookup"}
    assert set(_suites.PARTS) <= set(_suites.SUITES["e2e"].groups)


def test_a_fault_of_one_suite_is_a_row_of_it(tmp_path: Path) -> None:
    """The suites after it are run all the same."""

    def measure(scale: _scale.Scale, _: object) -> Iterator[Row]:
        yield timed(1)
        raise KeyError("unforeseen")

    broken = replace(_suites.SUITES["e2e"], measure=measure)
    first, last = broken.rows(_scale.QUICK, Patience(0))
    assert first.values == (1,)
    assert last.note == "KeyError('unforeseen')"


@pytest.mark.parametrize(
    ("group", "name", "parameter", "beside", "target"),
    [
        ("http_throughput", "magneto passthrough --reverse", "same", "HAProxy", 0.7),
        ("http_throughput", "magneto passthrough", "same", "HAProxy", 0.7),
        ("http_throughput", "magneto record --reverse", "same", "HAProxy", 0.5),
        ("http_throughput", "magneto replay --reverse", "same", "nginx answering", 0.5),
        ("tls_throughput", "magneto record --reverse-tls", "kept", "nginx TLS forwarding", 0.4),
        ("tls_throughput", "magneto replay --reverse-tls", "kept", "nginx TLS answering", 0.5),
        ("tls_tunnels", "magneto record CONNECT", "kept", "nginx TLS to TLS", 0.4),
        ("tls_tunnels", "magneto replay CONNECT", "kept", "nginx TLS answering", 0.5),
        (
            *("tls_handshakes", "magneto replay --reverse-tls", "cached host"),
            *("nginx TLS answering", 0.6),
        ),
        ("body_sizes", "magneto passthrough --reverse", "102400", "HAProxy", 0.7),
        ("body_sizes", "magneto passthrough --reverse", "10485760", "HAProxy", 0.7),
        ("body_sizes", "magneto record msgpack --reverse", "102400", "HAProxy", 0.7),
        ("body_sizes", "magneto record msgpack --reverse", "10485760", "HAProxy", 0.7),
    ],
)
def test_a_full_run_judges_what_it_has_to(
    group: str, name: str, parameter: str, beside: str, target: float
) -> None:
    """Each rate beside its reference, with the part of it that is the least."""
    (case,) = [
        each
        for each in _e2e_http.cases(_scale.FULL)
        if (each.group, each.measurement.row.name, each.parameter) == (group, name, parameter)
    ]
    assert case.measurement.row.beside == beside
    assert case.target == target
