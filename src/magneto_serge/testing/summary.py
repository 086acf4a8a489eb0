"""The end of a test run, told: on the terminal, and as a report for people or programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from magneto_serge.testing import ownership
from magneto_serge.testing.results import Results
from magneto_serge.units import count

_SHOWN = 10


class Line(NamedTuple):
    """A line for the terminal, with pytest's markup."""

    text: str
    markup: dict[str, bool]


def orphans(results: Results) -> list[Path]:
    """Return the cassettes that belong to no test."""
    from magneto_serge.storage.formats import split_suffix

    files = ownership.existing(results.folders)
    used = {split_suffix(record.cassette)[0] for record in results.records}
    return [files[bare] for bare in results.orphans(files) if bare not in used]


def fails(results: Results, unused: str) -> bool:
    """Whether what was not used is to fail the run."""
    return unused == "fail" and bool(results.unplayed() or orphans(results))


def lines(results: Results, unused: str, *, root: Path) -> Iterator[Line]:
    """Yield the terminal summary."""
    counts = _counts(results)
    tally = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    yield Line(
        f"{count(len(results.records), 'session')}: {tally or 'no traffic'}",
        {"red": True} if counts["missed"] else {"green": True},
    )
    for record in results.records:
        if not record.saved:
            text = f"not saved, because the test failed: {_short(record.cassette, root)}"
            yield Line(text + " (--magneto-save-failed)", {"yellow": True})
        if record.stale:
            yield Line(f"stale: {_short(record.cassette, root)}: {record.stale}", {"yellow": True})
    if unused == "ignore":
        return
    markup = {"red": True} if unused == "fail" else {"yellow": True}
    unplayed = list(results.unplayed().items())
    for cassette, numbers in unplayed[:_SHOWN]:
        which = ", ".join(f"#{number}" for number in numbers[:_SHOWN])
        more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        yield Line(f"not played: {_short(cassette, root)}: {which}{more}", markup)
    if len(unplayed) > _SHOWN:
        yield Line(
            f"and {len(unplayed) - _SHOWN} more cassettes with recordings not played", markup
        )
    found = orphans(results)
    for path in found[:_SHOWN]:
        yield Line(f"belongs to no test: {_short(str(path), root)}", markup)
    if len(found) > _SHOWN:
        yield Line(f"and {len(found) - _SHOWN} more that belong to no test", markup)


def _counts(results: Results) -> dict[str, int]:
    return {
        "recorded": sum(record.recorded for record in results.records if record.saved),
        "replayed": sum(record.replayed for record in results.records),
        "missed": sum(len(record.misses) for record in results.records),
        "not played": sum(map(len, results.unplayed().values())),
        "stale": sum(bool(record.stale) for record in results.records),
    }


def _short(path: str, root: Path) -> str:
    try:
        return str(Path(path).relative_to(root))
    except ValueError:
        return path


# --- reports -------------------------------------------------------------------------------------


def write_report(results: Results, path: Path) -> None:
    """Write the report: HTML where the name ends in ``.html``, JSON otherwise."""
    document = {
        "version": 1,
        "totals": _counts(results),
        "sessions": [msgspec.to_builtins(record) for record in results.records],
        "cassettes": results.plays(),
        "unplayed": results.unplayed(),
        "orphans": [str(each) for each in orphans(results)],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".html", ".htm"):
        path.write_text(_html(document), encoding="utf-8")
    else:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Recordings of a test run</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; padding: .3rem .6rem; vertical-align: top }}
th, td {{ border-bottom: 1px solid #8884 }}
td.n, th.n {{ text-align: right }}
tr.missed {{ background: #f002 }}
pre {{ white-space: pre-wrap; margin: .3rem 0 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #ddd }} }}
</style>
<h1>Recordings of a test run</h1>
<p>{totals}</p>
<table><thead><tr><th>Test<th>Cassette<th>Mode<th class="n">Recorded<th class="n">Replayed
<th class="n">Missed</tr></thead><tbody>
{rows}
</tbody></table>
{unused}
</html>
"""


def _html(document: dict[str, Any]) -> str:
    from html import escape

    totals = ", ".join(f"{count} {name}" for name, count in document["totals"].items())
    rows = []
    for each in document["sessions"]:
        misses = "".join(f"<pre>{escape(miss)}</pre>" for miss in each["misses"])
        state = "" if each["saved"] else " (not saved: the test failed)"
        kind = ' class="missed"' if misses else ""
        rows.append(
            f"<tr{kind}><td>{escape(each['test'])}{misses}<td>{escape(each['cassette'])}{state}"
            f"<td>{escape(each['mode'])}<td class=n>{each['recorded']}"
            f"<td class=n>{sum(each['plays'])}<td class=n>{len(each['misses'])}</tr>"
        )
    unused = [
        f"<li>{escape(cassette)}: {', '.join(f'#{number}' for number in numbers)}"
        for cassette, numbers in document["unplayed"].items()
    ]
    unused += [f"<li>{escape(path)}: belongs to no test" for path in document["orphans"]]
    listed = f"<h2>Not used</h2><ul>{''.join(unused)}</ul>" if unused else ""
    return _PAGE.format(totals=escape(totals), rows="\n".join(rows), unused=listed)
