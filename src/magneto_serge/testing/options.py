"""What a test asks of its session, from four places: command line > mark > fixture > ini.

The mark is ``@pytest.mark.magneto(*names, **options)``; the nearest to the test wins, option by
option, and what only a farther one says (a class's, a module's) holds too. Options are the settings
of ``magneto`` (``mode``, ``match_on``, ``latency``, ...) and those of :data:`OWN`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from magneto_serge.config_values import RULES
from magneto_serge.errors import ConfigError

# What is the plugin's own: everything else is a setting.
OWN = ("cassette_name", "misses", "save_failed")
_MISSES = ("fail", "ignore")
# Settings of the one proxy that serves the whole run, which no test can have its own way.
SHARED = (
    "host",
    "port",
    "port_file",
    "proxy_auth",
    "reverse",
    "reverse_tls",
    "quiet",
    "log_level",
    "log_format",
    "ca_cert",
    "ca_key",
    "data_dir",
)


class Mark(NamedTuple):
    """One ``magneto`` mark: its names, its options, and where it stands, for errors."""

    names: tuple[Any, ...]
    options: Mapping[str, Any]
    place: str


class Options(NamedTuple):
    """What adds up: the cassette's name (None: the test's own), more cassettes, and the rest."""

    name: str | None
    more: tuple[str, ...]
    settings: dict[str, Any]
    misses: str
    save_failed: bool


def resolve(
    ini: Mapping[str, Any],
    fixture: object,
    marks: Iterable[Mark],
    command_line: Mapping[str, Any],
) -> Options:
    """Return what the four places add up to; ``marks`` with the nearest first.

    Raises ConfigError naming the place for an option that there is not, or that cannot be used.
    """
    if not isinstance(fixture, Mapping):
        raise ConfigError(
            f"the fixture magneto_config returned {fixture!r}; expected a dictionary of options"
        )
    merged = dict(ini) | _checked(fixture, "the fixture magneto_config")
    marks = list(marks)
    for mark in reversed(marks):
        merged |= _checked(mark.options, mark.place)
    names = next((mark.names for mark in marks if mark.names), ())
    for name in names:
        if not isinstance(name, str):
            raise ConfigError(f"the mark {marks[0].place}: {name!r} is not a cassette name")
    merged |= command_line
    name = merged.pop("cassette_name", None)
    misses = merged.pop("misses", "fail")
    if misses not in _MISSES:
        raise ConfigError(f"misses = {misses!r} cannot be used; expected {' or '.join(_MISSES)}")
    save_failed = bool(merged.pop("save_failed", False))
    first = names[0] if names else name
    return Options(first, tuple(names[1:]), merged, misses, save_failed)


def _checked(options: Mapping[str, Any], place: str) -> dict[str, Any]:
    for option in options:
        if option in SHARED:
            raise ConfigError(
                f"{place}: {option} belongs to the proxy that serves all tests; set it in "
                "[tool.magneto] or as MAGNETO_" + option.upper()
            )
        if option not in RULES and option not in OWN:
            near = get_close_matches(option, [*RULES, *OWN], n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(f"{place}: there is no option {option}{hint}")
    return dict(options)
