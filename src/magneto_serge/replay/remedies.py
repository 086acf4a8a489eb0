"""What to do about a miss: the options that would make a recording match, or the command.

Options are given as they stand in a configuration file, and as flags. They are exact: with them,
and nothing else changed, the keys of both requests are equal. Where too much differs, nobody means
the same request, and recording it is the only advice.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from magneto_serge.replay.differences import Difference
from magneto_serge.replay.rules import Comparison

_MOST = 5  # options' values; beyond that, the requests have little in common

_FLAGS = {
    "ignore_query": "--ignore-query",
    "ignore_headers": "--ignore-header",
    "ignore_json_paths": "--ignore-json-path",
    "url_patterns": "--url-pattern",
    "match_on": "--match-on",
}
_ORIGIN = frozenset(("scheme", "host", "port"))


def options_for(
    found: Sequence[Difference], path: str, comparison: Comparison
) -> dict[str, list[str]]:
    """Return the settings, with all their values, under which these differences do not count.

    ``path`` is that of the request asked for. Empty where no sensible ones do.
    """
    changes: dict[str, list[str]] = {}
    dropped: set[str] = set()
    segments: list[int] = []
    for each in found:
        kind, _, name = each.field.partition(" ")
        if kind == "query" and name:
            changes.setdefault("ignore_query", []).append(_literal(name))
        elif kind == "header":
            changes.setdefault("ignore_headers", []).append(name)
        elif kind == "body" and name:
            changes.setdefault("ignore_json_paths", []).append(_json_path(name))
        elif kind in ("body", "content", "form"):
            dropped |= set(comparison.parts.content)
        elif kind == "scheme" and each.asked.startswith("ws") != each.recorded.startswith("ws"):
            return {}  # only a WebSocket's handshake answers one, whatever is compared
        elif kind in _ORIGIN or kind == "query":
            dropped.add(kind)
        elif each.field.startswith("path segment "):
            segments.append(int(each.field.rpartition(" ")[2]))
        else:  # another method, quite another path, a matcher of the user's own
            return {}
    if sum(map(len, changes.values())) + len(segments) > _MOST:
        return {}
    if segments:
        pattern = _pattern(path, segments)
        if not re.search(r"/[^/{}]", pattern):  # nothing is left that would tell it from others
            return {}
        changes["url_patterns"] = [pattern]
    if dropped:
        kept = [name for name in comparison.options["match_on"] if name not in dropped]
        if not kept:
            return {}
        changes["match_on"] = kept
    return {
        setting: values if setting == "match_on" else [*comparison.options[setting], *values]
        for setting, values in changes.items()
    }


def _literal(name: str) -> str:
    """Return a name as the pattern that means just it."""
    return re.sub(r"([*?\[])", r"[\1]", name)


def _json_path(field: str) -> str:
    """Return where something is in a JSON body as RFC 9535 has it: no hyphen in a plain name."""
    return re.sub(r"\.([A-Za-z0-9_]*-[A-Za-z0-9_-]*)", r'["\1"]', field)


def _pattern(path: str, segments: Iterable[int]) -> str:
    parts = path.split("/")
    for number, at in enumerate(segments, 1):
        parts[at] = "{id}" if number == 1 else f"{{id{number}}}"
    return "/".join(parts)


def in_words(options: dict[str, list[str]]) -> str:
    """Return options as a file has them, and as flags."""
    import json

    file = ", ".join(
        f"{setting} = {json.dumps(values, ensure_ascii=False)}"
        for setting, values in options.items()
    )
    flags = " ".join(
        f"{_FLAGS[setting]} {shlex.quote(value)}"
        for setting, values in options.items()
        for value in ([",".join(values)] if setting == "match_on" else values)
    )
    return f"{file}  ({flags})"


def recording(name: str) -> str:
    """Return the commands that record what is missing."""
    quoted = shlex.quote(name)
    return (
        f"To add it: `magneto hybrid {quoted}`; "
        f"to record everything again: `magneto record {quoted}`."
    )
