"""`magneto diff`: what an API answers now, against what it answered then.

The output is that of ``diff`` as far as it goes: ``-`` is the first cassette, ``+`` the second, the
exit status is 1 where they differ. Secrets are masked before they are shown, so two lines can look
the same; they are shown because what is behind the mask differs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from magneto_serge.messages import Interaction
from magneto_serge.replay.comparison import Comparison, Pair, paired
from magneto_serge.replay.json_comparison import Difference
from magneto_serge.replay.json_paths import compile_json_paths
from magneto_serge.units import count

from .cassette_files import CassetteFiles
from .cassette_options import folder_option, json_option, print_json, reveal_option
from .marked import Marked, difference_lines, print_marked
from .progress import tracked
from .transcript import escape_controls, shown_url

DIFFERENT = 1  # the exit status, as diff has it


class _Outcome(NamedTuple):
    """A pair that differs; a pair of which one is missing has no differences."""

    pair: Pair
    differences: list[Difference]


@click.command(
    epilog="""\b
Examples:
  magneto diff github github-new
  magneto diff github github-new --ignore-header date --ignore-header etag
  magneto diff github github-new --ignore-json-path '$..updated_at'
  magneto diff github github-new --shape-only
  magneto diff ./old/github.json github --json | jq .changed""",
)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option(
    "--ignore-header",
    "ignored",
    multiple=True,
    metavar="NAME",
    help="Do not compare this header field; may be repeated.",
)
@click.option(
    "--ignore-json-path",
    "ignored_paths",
    multiple=True,
    metavar="PATH",
    help="Leave what this JSONPath selects out of JSON bodies; may be repeated.",
)
@click.option("--shape-only", is_flag=True, help="Of bodies, compare types and members alone.")
@folder_option
@json_option
@reveal_option
@click.pass_context
def diff(
    ctx: click.Context,
    /,
    a: str,
    b: str,
    ignored: tuple[str, ...],
    ignored_paths: tuple[str, ...],
    shape_only: bool,
    cassette_dir: str | None,
    as_json: bool,
    reveal: bool,
) -> None:
    """Compare two cassettes, interaction by interaction.

    Those that replay would match belong together. Times are not compared. The exit status is 1 if
    anything differs.
    """
    files = CassetteFiles(cassette_dir)
    one, other = files.read(a), files.read(b)
    comparison = Comparison(
        ignored=[name.lower() for name in ignored],
        reveal=reveal,
        without=compile_json_paths(ignored_paths, "--ignore-json-path") if ignored_paths else None,
        shape_only=shape_only,
    )
    pairs = paired(one, other)
    outcomes = [
        _Outcome(pair, found)
        for pair in tracked(pairs, "Comparing", len(pairs))
        if (found := _compared(comparison, pair, one, other)) is not None
    ]
    equal = len(pairs) - len(outcomes)
    if as_json:
        print_json(_as_value(outcomes, one, other, equal, reveal=reveal))
    else:
        _print(outcomes, one, other, equal, reveal=reveal)
    ctx.exit(DIFFERENT if outcomes else 0)


def _compared(
    comparison: Comparison, pair: Pair, a: Sequence[Interaction], b: Sequence[Interaction]
) -> list[Difference] | None:
    """Return the differences of a pair; None if it has none."""
    if pair.a is None or pair.b is None:
        return []
    return list(comparison.differences(a[pair.a], b[pair.b])) or None


# --- for people ---------------------------------------------------------------------------------


def _print(
    outcomes: list[_Outcome],
    a: Sequence[Interaction],
    b: Sequence[Interaction],
    equal: int,
    *,
    reveal: bool,
) -> None:
    for outcome in outcomes:
        print_marked(_lines(outcome, a, b, reveal=reveal))
    click.echo(_summary(outcomes, equal))


def _lines(
    outcome: _Outcome, a: Sequence[Interaction], b: Sequence[Interaction], *, reveal: bool
) -> Iterator[Marked]:
    """Yield lines with their marks: ``-``, ``+`` or a space."""
    (one, other), differences = outcome
    if other is None and one is not None:
        yield "-", f"#{one + 1} {_title(a[one], reveal=reveal)}"
    elif other is not None and one is None:
        yield "+", f"#{other + 1} {_title(b[other], reveal=reveal)}"
    elif one is not None and other is not None:
        numbers = f"#{one + 1}" if one == other else f"#{one + 1}, now #{other + 1},"
        yield " ", f"{numbers} {_title(a[one], reveal=reveal)}"
        yield from difference_lines(differences)


def _title(interaction: Interaction, *, reveal: bool) -> str:
    method = escape_controls(interaction.request.method)
    return f"{method} {shown_url(interaction.request, reveal=reveal)}"


def _summary(outcomes: list[_Outcome], equal: int) -> str:
    only_a = sum(each.pair.b is None for each in outcomes)
    only_b = sum(each.pair.a is None for each in outcomes)
    changed = len(outcomes) - only_a - only_b
    return (
        f"{count(equal, 'interaction')} equal, {changed:,} changed, {only_a:,} gone, {only_b:,} new"
    )


# --- for programs -------------------------------------------------------------------------------


def _as_value(
    outcomes: list[_Outcome],
    a: Sequence[Interaction],
    b: Sequence[Interaction],
    equal: int,
    *,
    reveal: bool,
) -> dict[str, Any]:
    """Return all of it; numbers count from 1."""
    value: dict[str, Any] = {"equal": equal, "changed": [], "gone": [], "new": []}
    for (one, other), differences in outcomes:
        if one is not None and other is not None:
            numbers = {"a": one + 1, "b": other + 1}
            fields = [{"field": field, "a": was, "b": now} for field, was, now in differences]
            where = _where(a[one], reveal=reveal)
            value["changed"].append(numbers | where | {"differences": fields})
        elif one is not None:
            value["gone"].append({"a": one + 1} | _where(a[one], reveal=reveal))
        elif other is not None:
            value["new"].append({"b": other + 1} | _where(b[other], reveal=reveal))
    return value


def _where(interaction: Interaction, *, reveal: bool) -> dict[str, Any]:
    request = interaction.request
    return {"method": request.method, "url": shown_url(request, reveal=reveal)}
