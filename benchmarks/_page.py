"""A run as one HTML page that needs nothing else, and as Markdown.

Both say the same: the caveats first, because a figure without them says nothing; then what the
figures depend on; all that has a target; each suite's groups with their rows; and how to make them
again. The page has
plots in it as SVG, chosen by what a group's rows are: curves where a parameter is a number or a
percentile, else bars, or boxes where there are several values. Nothing is loaded from elsewhere,
every plot stands beside its table, and it prints in black on white.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from benchmarks import _plots, _report
from benchmarks._result import Document, Row

TITLE = "Magnéto-Serge: benchmarks"

CAVEATS = (
    "Loopback is not a network: there is no latency to hide behind, and no bandwidth to run out "
    "of. It is the harshest place for a proxy; on a network the differences shrink.",
    "Each program under test is one process on one core; the load and the origin share the other "
    "one. A reference that is fast enough to be held up by its load makes our ratio too high.",
    "Ratios survive a change of machine better than rates do, and only those of one run mean "
    "anything. Compare ratios.",
    "wrk is a closed loop: its latencies under full load are mostly queueing. Those of the open "
    "loop run from the moment at which a request was due.",
    "The generator of the open loop, and the clients of the libraries, are Python: what they cost "
    "is in the figures of the rows without a proxy, which stand beside the others.",
    "wrk cannot ask through CONNECT: our own generator does, which is Python and slower, and so it "
    "is for what stands beside. Where it holds one of them up, rates of a whole core are compared: "
    "requests by processor time. Such rows say so.",
    "The other programs do more than we ask of them here, or less than we do. A ratio is a "
    "yardstick, not a race.",
    "A row that says why it has no value was not measured. A target without a verdict was "
    "disturbed by other work on the machine.",
)

REPRODUCE = (
    "git clone, and then: scripts/test tests/test_benchmarks.py    # makes .venv",
    ". .venv/bin/activate",
    "sudo apt-get install wrk nginx-light haproxy nghttp2-client openssl",
    "scripts/install-peers                                         # the others, from registries",
    "python -m benchmarks run{quick}",
    "python -m benchmarks report --open",
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #111; background: #fff; }
table { border-collapse: collapse; font-size: 13px; margin: 1rem 0; width: 100%; }
th, td { border-bottom: 1px solid #ccc; padding: 2px 8px; text-align: right; }
th:first-child, td:first-child { text-align: left; }
td.no { font-weight: bold; color: #a00; }
svg { max-width: 100%; height: auto; }
pre { background: #f3f3f3; padding: 1rem; overflow-x: auto; }
@media print { body { max-width: none; margin: 0; font-size: 11px; } h2 { break-before: page; }
  figure, tr { break-inside: avoid; } pre { white-space: pre-wrap; } }
"""

HEADS = ("row", "", "median", "spread", "unit", "beside", "ratio", "target", "holds")
TARGET_HEADS = ("figure", "found", "target", "holds")


def html(found: Document) -> str:
    """Return the page."""
    parts = [f"<h1>{escape(TITLE)}</h1>", "<ul>"]
    parts += [f"<li>{escape(caveat)}</li>" for caveat in CAVEATS]
    parts += ["</ul>", "<table>"]
    parts += [f"<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>" for a, b in _facts(found)]
    parts.append("</table>")
    parts.append(f"<h2>Targets</h2><p>{escape(_met(found))}</p>")
    parts.append(_html_table(TARGET_HEADS, [(each, _judged(each)) for each in _targets(found)]))
    for suite, group, rows in _groups(found):
        if suite:
            parts.append(f"<h2>{escape(suite)}</h2>")
        parts.append(f"<h3>{escape(group)}</h3>")
        parts += [f"<figure>{_inline(plot)}</figure>" for plot in plots(group, rows)]
        parts.append(_html_table(HEADS, [(each, _cells(each)) for each in rows]))
    parts.append("<h2>Reproduce it</h2>")
    parts.append(f"<pre>{escape(_reproduce(found))}</pre>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(TITLE)}'
        f"</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def markdown(found: Document) -> str:
    """Return the same without plots."""
    parts = [f"# {TITLE}", "", "Made by `python -m benchmarks report`.", "", "## Caveats", ""]
    parts += [f"- {caveat}" for caveat in CAVEATS]
    parts += ["", "## What the figures depend on", ""]
    parts += [f"- {what}: {fact}" for what, fact in _facts(found)]
    parts += ["", "## Targets", "", _met(found), ""]
    parts.append(_report.table(TARGET_HEADS, [_escaped(_judged(each)) for each in _targets(found)]))
    for suite, group, rows in _groups(found):
        parts += ["", f"## {suite}"] if suite else []
        cells = [_escaped(_cells(each)) for each in rows]
        parts += ["", f"### {group}", "", _report.table(HEADS, cells)]
    parts += ["", "## Reproduce it", "", "```console", _reproduce(found), "```", ""]
    return "\n".join(parts)


def plots(group: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the SVG documents that show a group: one for each unit in it."""
    for unit in dict.fromkeys(each.unit for each in rows if each.values):
        of_unit = [each for each in rows if each.values and each.unit == unit]
        curves: dict[str, list[tuple[float, float]]] = {}
        bars = []
        for each in of_unit:
            at = quantity(each.parameter)
            if at is None or each.median is None:
                bars.append((f"{each.name} {each.parameter}".strip(), each.values))
            else:
                curves.setdefault(each.name, []).append((at, each.median))
        lines = [_plots.Line(name, sorted(points)) for name, points in curves.items()]
        drawn = [line for line in lines if len(line.points) > 1]
        bars += [(line.name, (line.points[0][1],)) for line in lines if len(line.points) == 1]
        if drawn:
            yield _curves(group, unit, drawn, of_unit)
        if bars:
            yield _plots.svg_of_bars(_plots.Bars(group, unit, bars, _is_wide(bars)))


def _curves(group: str, unit: str, lines: Sequence[_plots.Line], rows: Sequence[Row]) -> str:
    percentiles = all(each.parameter.startswith("p") for each in rows if each.parameter)
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x = "percentile" if percentiles else _AXES.get(group, group.replace("_", " "))
    panel = _plots.Panel(
        group,
        x,
        unit,
        lines,
        log_x=not percentiles and min(xs) > 0 and max(xs) > 20 * min(xs),
        log_y=min(ys) > 0 and max(ys) > 20 * min(ys),
    )
    return _plots.svg("", [panel])


# What the numbers of a group's curves count.
_AXES = {
    "connections": "connections",
    "body_sizes": "bytes",
    "cassette_operations": "interactions",
    "concurrent_operations": "threads",
    "write": "interactions",
    "read": "interactions",
    "size": "interactions",
    "open": "bytes as JSON",
    "first replay": "bytes as JSON",
    "full replay": "bytes as JSON",
    "memory": "bytes as JSON",
    "message_sizes": "bytes of a message",
    "message_throughput": "messages of a batch",
    "concurrent": "connections",
    "recording_cost": "exchanges recorded before",
    "lookup": "recordings in the cassette",
}
_UNITS = {"": 1.0, "KB": 1e3, "MB": 1e6}


def quantity(parameter: str) -> float | None:
    """Return a parameter as a number: a count, bytes, or a percentile; None for a word."""
    found = re.fullmatch(r"p?(\d+(?:\.\d+)?) ?(KB|MB|)", parameter)
    return float(found[1]) * _UNITS[found[2]] if found else None


def _is_wide(bars: Sequence[tuple[str, Sequence[float]]]) -> bool:
    values = [value for _, several in bars for value in several]
    return min(values) > 0 and max(values) > 50 * min(values)


def _facts(found: Document) -> list[tuple[str, str]]:
    kind = "quick: few rounds, so read it as a hint" if found.quick else "full"
    run = [("run", f"{found.when}, {found.seconds:.0f} s, {kind}"), ("commit", found.commit)]
    return run + list(found.machine.items())


def _groups(found: Document) -> Iterator[tuple[str, str, list[Row]]]:
    """Yield each group with its rows; the suite's name with its first group only."""
    for suite, of_suite in groupby(found.rows, key=lambda each: each.suite):
        groups: dict[str, list[Row]] = {}
        for each in of_suite:
            groups.setdefault(each.group, []).append(each)
        for number, (group, rows) in enumerate(groups.items()):
            yield ("" if number else suite), group, rows


def _cells(each: Row) -> list[str]:
    if each.median is None:
        return [each.name, each.parameter, each.note, *[""] * (len(HEADS) - 3)]
    return [
        each.name,
        each.parameter,
        _report.number(each.median),
        "" if each.spread is None else f"{each.spread:,.2g}",
        each.unit,
        each.reference or "",
        "" if each.ratio is None else f"{each.ratio:.2f}",
        _target(each),
        "; ".join(filter(None, (_report.verdict(each.holds), each.note))),
    ]


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def _targets(found: Document) -> list[Row]:
    """Return everything that has a target and a value."""
    return [each for each in found.rows if each.target is not None and each.median is not None]


def _met(found: Document) -> str:
    verdicts = [each.holds for each in _targets(found)]
    return (
        f"{verdicts.count(True)} hold, {verdicts.count(False)} do not, "
        f"{verdicts.count(None)} were not judged."
    )


def _judged(each: Row) -> list[str]:
    """Return a row with a target as the cells of their table."""
    what = " ".join(filter(None, (each.name, each.parameter)))
    value = f"{_report.number(each.median or 0)} {each.unit}"
    if each.ratio is not None:
        value = f"{each.ratio:.2f} of {each.reference}"
    return [
        f"{each.suite}, {each.group}: {what}",
        value,
        _target(each),
        _report.verdict(each.holds) or "not judged",
    ]


def _target(each: Row) -> str:
    sign = ">=" if each.better == "more" else "<="
    return "" if each.target is None else f"{sign} {each.target:g}"


def _html_table(heads: Sequence[str], rows: Sequence[tuple[Row, Sequence[str]]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(head)}</th>" for head in heads) + "</tr>"]
    for each, cells in rows:
        kind = ' class="no"' if each.holds is False else ""
        lines.append(
            "<tr>"
            + "".join(f"<td>{escape(cell)}</td>" for cell in cells[:-1])
            + f"<td{kind}>{escape(cells[-1])}</td></tr>"
        )
    return "<table>" + "\n".join(lines) + "</table>"


def _inline(plot: str) -> str:
    """Return an SVG document as it stands in a page: without the XML declaration."""
    return plot[plot.index("<svg") :]


def _reproduce(found: Document) -> str:
    return "\n".join(f"$ {line}" for line in REPRODUCE).format(quick=" --quick" * found.quick)
