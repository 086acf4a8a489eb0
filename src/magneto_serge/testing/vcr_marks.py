"""``pytest.mark.vcr`` and what else VCR.py's users write, in our terms.

VCR.py's record modes are accepted wherever a mode is. Its options become ours where there is one
that does the same; one that there is not is an error that says what to do instead, never something
that is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from magneto_serge.errors import ConfigError
from magneto_serge.replay.modes import Mode
from magneto_serge.testing.options import Mark

_MODES = {
    "once": Mode.AUTO,
    "none": Mode.REPLAY,
    "new_episodes": Mode.HYBRID,
    "all": Mode.RECORD,
    "rewrite": Mode.RECORD,
    "any": Mode.HYBRID,
}


def mode_named(value: Any) -> Mode:
    """Return the mode of our name, or of VCR.py's; raises ConfigError naming both kinds."""
    text = str(getattr(value, "value", value)).lower()
    if text in _MODES:
        return _MODES[text]
    try:
        return Mode(text)
    except ValueError:
        accepted = f"{', '.join(Mode)} (VCR.py's {', '.join(_MODES)})"
        raise ConfigError(f"there is no mode {value!r}: choose among {accepted}") from None


def _names(value: Any) -> list[str]:
    """Return the names in a list of VCR.py's filters: ``name`` or ``(name, replacement)``."""
    return [each if isinstance(each, str) else each[0] for each in value]


_MATCHERS = {
    "uri": ("scheme", "host", "port", "path", "query"),
    "body": ("body",),
    "raw_body": ("raw_body",),
    "method": ("method",),
    "scheme": ("scheme",),
    "host": ("host",),
    "port": ("port",),
    "path": ("path",),
    "query": ("query",),
}


def _match_on(value: Any) -> list[str]:
    found: list[str] = []
    for name in value:
        if name not in _MATCHERS:
            known = ", ".join(_MATCHERS)
            raise ConfigError(
                f"match_on: {name!r} is not one of VCR.py's matchers that are understood "
                f"({known}); register_matcher() makes others"
            )
        found += [each for each in _MATCHERS[name] if each not in found]
    return found


def _repeats(value: Any) -> str:
    return "last" if value else "refuse"


_OPTIONS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "record_mode": ("mode", mode_named),
    "mode": ("mode", mode_named),
    "cassette_library_dir": ("cassette_dir", lambda value: value),
    "match_on": ("match_on", _match_on),
    "ignore_hosts": ("ignore_hosts", list),
    "ignore_localhost": ("ignore_localhost", bool),
    "filter_headers": ("redact_headers", _names),
    "filter_query_parameters": ("redact_query", _names),
    "filter_post_data_parameters": ("redact_fields", _names),
    "allow_playback_repeats": ("repeats", _repeats),
}
# What needs nothing here: bodies are stored decoded, sessions save what they recorded, ...
_NEEDLESS = frozenset(
    ("decode_compressed_response", "serializer", "inject_cassette", "custom_patches")
)


def options(given: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return VCR.py's options as ours; raises ConfigError naming ``place`` for one that is not."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in _NEEDLESS:
            continue
        if name not in _OPTIONS:
            raise ConfigError(
                f"{place}: VCR.py's option {name} has no counterpart in a mark. Hooks "
                "(before_record, before_replay) do what its callables do; see docs/migration.md"
            )
        ours, convert = _OPTIONS[name]
        found[ours] = convert(value)
    return found


def translated(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], place: str) -> Mark:
    """Return a ``vcr`` or ``default_cassette`` mark as one of ours."""
    names = tuple(_bare(each) for each in args)
    if name == "default_cassette" and not names:
        raise ConfigError(f"{place}: it names no cassette")
    return Mark(names, options(kwargs, place), place)


def _bare(name: Any) -> Any:
    """Return a cassette's name without the ending of VCR.py's files."""
    if isinstance(name, str):
        for ending in (".yaml", ".yml"):
            name = name.removesuffix(ending)
    return name
